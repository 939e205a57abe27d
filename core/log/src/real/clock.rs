//! The system's clocks and random source.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::env::Random;
use crate::time::{Clock, Gate, Timestamp};

/// The system clock.
#[derive(Debug)]
pub struct RealClock {
    start: Instant,
}

impl RealClock {
    /// The longest sleep before the wall clock is looked at again, so that a deadline is met at most this late when
    /// the wall clock jumps forward during the sleep.
    const MAX_SLEEP: Duration = Duration::from_secs(60);

    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> RealClock {
        RealClock {
            start: Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> RealClock {
        RealClock::new()
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
            }
        };
        Timestamp::from_micros(micros)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, gate: &Gate, seen: u64, deadline: Option<Timestamp>) -> u64 {
        gate.wait_while(seen, || {
            deadline.map(|deadline| deadline.saturating_since(self.now()).min(Self::MAX_SLEEP))
        })
    }
}

/// The operating system's random source.
#[derive(Debug)]
pub struct RealRandom;

impl Random for RealRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}
