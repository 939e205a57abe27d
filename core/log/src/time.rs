//! Points in time, clocks, and waiting for something to happen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The latest point that can be named, about the year 294,000.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This point plus a duration, rounded down to microseconds; [`Timestamp::MAX`] if that is too late to name.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Timestamp {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this point is; zero if it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        let micros = i128::from(self.0).saturating_sub(i128::from(earlier.0));
        Duration::from_micros(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
    }
}

/// RFC 3339 in UTC with microseconds, without trailing zeros: `2024-02-29T12:00:00.5Z`. What is beyond the year 9999 is
/// shown as microseconds since 1970.
///
/// ```
/// use statewright_log::Timestamp;
/// assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00Z");
/// assert_eq!(Timestamp::from_micros(1_709_208_000_500_000).to_string(), "2024-02-29T12:00:00.5Z");
/// ```
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

/// A wake-up counter: whoever changes something that others may wait for calls [`Gate::notify`]; whoever waits
/// remembers the epoch it last looked at, so no wake-up is lost. Clones are the same gate.
///
/// ```
/// use statewright_log::{Env, Gate};
/// let (gate, env) = (Gate::new(), Env::real());
/// let seen = gate.epoch();
/// gate.notify();
/// assert_eq!(env.clock.wait(&gate, seen, None), seen + 1); // returns at once
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<(Mutex<u64>, Condvar)>,
}

impl Gate {
    /// A gate at epoch 0.
    #[must_use]
    pub fn new() -> Gate {
        Gate::default()
    }

    /// How often the gate was notified.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        *self.inner.0.lock()
    }

    /// Wakes everyone who waits at the gate.
    pub fn notify(&self) {
        *self.inner.0.lock() += 1;
        self.inner.1.notify_all();
    }

    /// Blocks until the epoch differs from `seen` or `left` says that no time is left; for implementors of [`Clock`].
    /// `left` is asked while the gate is locked: `None` = no limit, zero = stop waiting. Returns the epoch.
    pub fn wait_while(&self, seen: u64, mut left: impl FnMut() -> Option<Duration>) -> u64 {
        let (epoch, changed) = &*self.inner;
        let mut epoch = epoch.lock();
        while *epoch == seen {
            match left() {
                None => changed.wait(&mut epoch),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    changed.wait_for(&mut epoch, left);
                }
            }
        }
        *epoch
    }

    /// Whether this is the same gate.
    #[must_use]
    pub fn is(&self, other: &Gate) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Makes waiters look at the time again without counting as a notification; for implementors of [`Clock`].
    pub fn nudge(&self) {
        // Taking the lock first means no waiter is between looking at the time and falling asleep.
        drop(self.inner.0.lock());
        self.inner.1.notify_all();
    }
}

/// Time and waiting.
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump in both directions.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point; never goes back. For measuring durations.
    fn monotonic(&self) -> Duration;
    /// Sleeps until `gate.epoch() != seen` or the wall clock reaches `deadline`; returns the gate's epoch. May return
    /// early. `None` waits for the gate alone.
    fn wait(&self, gate: &Gate, seen: u64, deadline: Option<Timestamp>) -> u64;
}
