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
        let begun = self.monotonic();
        let asked = deadline.map(|deadline| deadline.saturating_since(self.now()));
        gate.wait_while(seen, || {
            let left = deadline?.saturating_since(self.now());
            let slept = self.monotonic().saturating_sub(begun);
            Some(sleep(left, asked.unwrap_or_default(), slept))
        })
    }
}

/// How long to sleep on: what is left by the wall clock, but no longer in all than was asked for. A clock that is set
/// back meanwhile would else put the end off by as much.
fn sleep(left: Duration, asked: Duration, slept: Duration) -> Duration {
    left.min(asked.saturating_sub(slept))
        .min(RealClock::MAX_SLEEP)
}

/// The operating system's random source.
#[derive(Debug)]
pub struct RealRandom;

impl Random for RealRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_makes_no_sleep_longer() {
        let seconds = Duration::from_secs;
        for (left, asked, slept, expected) in [
            (10, 10, 0, 10),
            (4, 10, 6, 4),
            // An hour back, and forward.
            (3604, 10, 6, 4),
            (3600, 10, 10, 0),
            (0, 10, 6, 0),
            (500, 500, 0, 60),
        ] {
            let found = sleep(seconds(left), seconds(asked), seconds(slept));
            assert_eq!(found, seconds(expected), "{left} {asked} {slept}");
        }
    }
}
