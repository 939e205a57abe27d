//! Commits that are about to come: whoever leads a sync waits a little for them, so that one sync serves them too.
//!
//! PostgreSQL's `commit_delay` is the model, but here nobody waits for what may not come: only for those who have said
//! that they are about to commit, and for at most as long as a sync takes. So whoever waits in vain loses no more than
//! by just missing somebody else's sync. Once two have met, they begin their next work together, and meet again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::{Clock, Gate};

/// The longest that a leader waits, however slow the disk is.
const MAX_WAIT: Duration = Duration::from_millis(1);

/// Who has said so, and who of them has come.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    /// How many there ever were.
    made: AtomicU64,
    /// How many of these are over.
    over: AtomicU64,
    /// How many are to be over before the leader that waits goes on; 0 if none waits.
    awaited: AtomicU64,
    arrived: Gate,
    /// What the last sync took, in nanoseconds.
    sync: AtomicU64,
}

/// Somebody is about to append commits and to sync them. It ends when this is dropped: before the sync.
#[derive(Debug)]
#[must_use = "nobody is waited for once this is dropped"]
pub struct Announced<'a>(&'a Announcements);

impl Announcements {
    pub fn announce(&self) -> Announced<'_> {
        self.made.fetch_add(1, Ordering::SeqCst);
        Announced(self)
    }

    /// A sync took so long.
    pub fn synced(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sync.store(nanos, Ordering::Relaxed);
    }

    /// Waits until as many have come as are announced now, but not for long. Those who are announced later are for
    /// the next sync: if there are always some, one would wait for ever.
    pub fn wait(&self, clock: &dyn Clock) {
        let made = self.made.load(Ordering::SeqCst);
        let all = || self.over.load(Ordering::SeqCst) >= made;
        if all() {
            return;
        }
        let most = Duration::from_nanos(self.sync.load(Ordering::Relaxed)).min(MAX_WAIT);
        let (end, deadline) = (
            clock.monotonic().saturating_add(most),
            clock.now().saturating_add(most),
        );
        self.awaited.store(made, Ordering::SeqCst);
        loop {
            let seen = self.arrived.epoch();
            if all() || clock.monotonic() >= end {
                break;
            }
            clock.wait(&self.arrived, seen, Some(deadline));
        }
        self.awaited.store(0, Ordering::SeqCst);
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let over = self.0.over.fetch_add(1, Ordering::SeqCst) + 1;
        if over == self.0.awaited.load(Ordering::SeqCst) {
            self.0.arrived.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::time::Timestamp;

    /// A clock on which time passes only while somebody waits, and on which a wait ends when the gate is notified or
    /// with the deadline, whichever is wanted.
    #[derive(Default)]
    struct Slow {
        to_deadline: bool,
        micros: AtomicU64,
        waits: AtomicUsize,
    }

    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.micros.load(Ordering::SeqCst).cast_signed())
        }

        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.micros.load(Ordering::SeqCst))
        }

        fn wait(&self, gate: &Gate, seen: u64, deadline: Option<Timestamp>) -> u64 {
            self.waits.fetch_add(1, Ordering::SeqCst);
            if !self.to_deadline {
                return gate.wait_while(seen, || None);
            }
            let end = deadline.map_or(0, Timestamp::as_micros).cast_unsigned();
            self.micros.store(end, Ordering::SeqCst);
            seen
        }
    }

    fn after_a_sync(took: Duration) -> Announcements {
        let announcements = Announcements::default();
        announcements.synced(took);
        announcements
    }

    #[test]
    fn nobody_waits_for_nobody() {
        let (announcements, clock) = (after_a_sync(MAX_WAIT), Slow::default());
        announcements.wait(&clock);
        drop(announcements.announce());
        announcements.wait(&clock);
        assert_eq!(clock.waits.into_inner(), 0);
    }

    #[test]
    fn a_leader_waits_until_the_last_has_come() {
        let (announcements, clock) = (after_a_sync(MAX_WAIT), Slow::default());
        let (one, two) = (announcements.announce(), announcements.announce());
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| announcements.wait(&clock));
            while clock.waits.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            drop(one);
            std::thread::yield_now();
            assert!(!leader.is_finished());
            drop(two);
        });
    }

    #[test]
    fn a_leader_waits_for_as_many_as_there_were() {
        let (announcements, clock) = (after_a_sync(MAX_WAIT), Slow::default());
        let one = announcements.announce();
        let later = std::thread::scope(|scope| {
            let leader = scope.spawn(|| announcements.wait(&clock));
            while clock.waits.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let later = announcements.announce();
            drop(one);
            leader.join().unwrap();
            later
        });
        drop(later);
    }

    #[test]
    fn a_leader_waits_no_longer_than_a_sync_takes() {
        for (sync, waits) in [
            (Duration::from_micros(70), 70),
            (Duration::from_secs(3), 1000),
        ] {
            let announcements = after_a_sync(sync);
            let clock = Slow {
                to_deadline: true,
                ..Slow::default()
            };
            let _never = announcements.announce();
            announcements.wait(&clock);
            assert_eq!(clock.micros.into_inner(), waits);
        }
    }
}
