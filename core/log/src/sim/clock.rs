//! Virtual time and seeded randomness.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::env::Random;
use crate::time::{Clock, Gate, Timestamp};

/// A clock that stands still until it is told otherwise. It starts at 2020-01-01T00:00:00Z. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct SimClock {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Microseconds since the start.
    elapsed: AtomicI64,
    /// How far the wall clock was put forward or back, in microseconds.
    shift: AtomicI64,
    auto: AtomicBool,
    waiting: Mutex<Vec<Gate>>,
}

impl SimClock {
    const START: i64 = 1_577_836_800_000_000;

    /// A clock that only [`SimClock::advance`] and [`SimClock::jump`] move.
    #[must_use]
    pub fn new() -> SimClock {
        SimClock::default()
    }

    /// A clock that jumps to the deadline of every wait, so that nothing ever takes real time. For programs with one
    /// thread that waits.
    #[must_use]
    pub fn auto() -> SimClock {
        let clock = SimClock::default();
        clock.inner.auto.store(true, Ordering::Release);
        clock
    }

    /// Lets time pass, and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.inner.elapsed.fetch_add(micros, Ordering::AcqRel);
        self.wake();
    }

    /// Sets the wall clock forward or back by some microseconds, without time passing.
    pub fn jump(&self, micros: i64) {
        self.inner.shift.fetch_add(micros, Ordering::AcqRel);
        self.wake();
    }

    fn wake(&self) {
        for gate in self.inner.waiting.lock().iter() {
            gate.nudge();
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.inner.elapsed.load(Ordering::Acquire);
        let shift = self.inner.shift.load(Ordering::Acquire);
        Timestamp::from_micros(Self::START.saturating_add(elapsed).saturating_add(shift))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(
            u64::try_from(self.inner.elapsed.load(Ordering::Acquire)).unwrap_or(0),
        )
    }

    fn wait(&self, gate: &Gate, seen: u64, deadline: Option<Timestamp>) -> u64 {
        if let (true, Some(deadline)) = (self.inner.auto.load(Ordering::Acquire), deadline) {
            if gate.epoch() == seen {
                self.advance(deadline.saturating_since(self.now()));
            }
            return gate.epoch();
        }
        self.inner.waiting.lock().push(gate.clone());
        // The clock moves by calls, not by itself, so there is no telling how much real time is left: an hour is
        // cut short by the nudge.
        let left = || {
            let left = deadline?.saturating_since(self.now());
            Some(if left.is_zero() {
                left
            } else {
                Duration::from_secs(3600)
            })
        };
        let epoch = gate.wait_while(seen, left);
        let mut waiting = self.inner.waiting.lock();
        if let Some(mine) = waiting.iter().position(|waiting| waiting.is(gate)) {
            waiting.swap_remove(mine);
        }
        epoch
    }
}

/// Random bytes that are a function of a seed.
#[derive(Debug)]
pub struct SimRandom(AtomicU64);

impl SimRandom {
    /// A generator; equal seeds give equal bytes.
    #[must_use]
    pub fn new(seed: u64) -> SimRandom {
        SimRandom(AtomicU64::new(seed))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014): a counter, scrambled.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut x = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number below `bound`; 0 if the bound is 0.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

impl Random for SimRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}
