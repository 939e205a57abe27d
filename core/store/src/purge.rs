//! Giving back the memory of keys that have expired, in all spaces.

use std::sync::atomic::Ordering;

use statewright_log::{Gate, Timestamp};

use crate::error::Result;
use crate::reader::sealed::View;
use crate::space::{self, Space};
use crate::store::Store;

/// What [`Store::purge_expired`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// How many times of expiry had come; for each, the key was removed unless it was set anew since.
    pub due: u64,
    /// The version of the last commit that it made; none if nothing was due.
    pub version: Option<u64>,
    /// When it should be called again: at once if this time has come; none if no key expires.
    pub next: Option<Timestamp>,
}

impl Store {
    /// Removes keys that have expired, of all spaces, about `max` of them; one commit for each space. Nobody can see
    /// that they are gone. A store does this by nobody's order; the engine calls it in the background.
    ///
    /// O(1) if no key expires or did since the last time, else O((spaces + keys removed) × log n).
    ///
    /// ```
    /// use std::time::Duration;
    /// use statewright_store::{Env, Place, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// store.kv_put_for(&Space::default(), b"gone", value!(1), Duration::ZERO)?;
    /// assert_eq!(store.purge_expired(100)?.due, 1);
    /// assert_eq!(store.stats().entries, 0);
    /// assert_eq!(store.purge_expired(100)?.next, None);
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn purge_expired(&self, max: u64) -> Result<Purged> {
        self.shared.expiring.store(false, Ordering::Release);
        let mut purged = Purged::default();
        if !self.shared.may_expire.load(Ordering::Acquire) {
            return Ok(purged);
        }
        // Unless a time of expiry is found here, or noted meanwhile.
        self.shared.may_expire.store(false, Ordering::Release);
        let now = self.shared.now();
        let mut from = Vec::new();
        let mut before = None;
        while let Some((space, first)) = self.expiry_from(&from)? {
            self.shared.may_expire.store(true, Ordering::Release);
            // What was due and is still there: the clock was put back, and the commit came before its time.
            let early = before.replace((space.clone(), first)) == Some((space.clone(), first));
            if first > now || early {
                purged.next = Some(purged.next.map_or(first, |next| next.min(first)));
            } else if purged.due < max {
                let left = max.saturating_sub(purged.due);
                let due = self.due_in(&space, now, left)?;
                purged.version = Some(self.kv_purge(&space, left)?);
                purged.due = purged.due.saturating_add(due);
                // What is left of this space is looked at again.
                if due < left {
                    continue;
                }
                purged.next = Some(now);
            } else {
                purged.next = Some(now);
            }
            // No name of a space contains a NUL, so this is behind everything in it.
            from = [space.as_str().as_bytes(), &[1]].concat();
        }
        Ok(purged)
    }

    /// The first space at or behind a key in which a key expires, and when the first one does.
    fn expiry_from(&self, from: &[u8]) -> Result<Option<(Space, Timestamp)>> {
        let now = self.snapshot();
        let mut from = from.to_vec();
        loop {
            let Some((key, _)) = now.range(&from, None, 1, false)?.pop() else {
                return Ok(None);
            };
            let name = key.split(|b| *b == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let space = Space::parse(&name)?;
            let index = space::expiry_prefix(&space);
            let first = now.range(&index, None, 1, false)?.pop();
            if let Some(time) = first.and_then(|(key, _)| space::expiry_of(&index, &key)) {
                return Ok(Some((space, time)));
            }
            from = [name.as_bytes(), &[1]].concat();
        }
    }

    /// How many times of expiry have come in a space, up to `max`.
    fn due_in(&self, space: &Space, now: Timestamp, max: u64) -> Result<u64> {
        let index = space::expiry_prefix(space);
        let limit = usize::try_from(max).unwrap_or(usize::MAX);
        let found = self.snapshot().range(&index, None, limit, false)?;
        let times = found.iter().map(|(key, _)| space::expiry_of(&index, key));
        let due = times.take_while(|time| time.is_some_and(|time| time <= now));
        Ok(due.count() as u64)
    }

    /// A gate that is notified when a commit may have set a key that expires, the first time since a
    /// [`purge_expired`](Store::purge_expired) began: for whoever purges in the background.
    pub fn expiry_gate(&self) -> &Gate {
        &self.shared.expiry_gate
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use statewright_log::Clock;
    use statewright_log::sim::{self, SimClock};
    use statewright_value::{Value, value};

    use super::*;
    use crate::kv;
    use crate::target::{Entry, Stamp, Target};
    use crate::tree::Tree;
    use crate::{Durability, Env, Error, Place, Primitive, Reader, StoreOptions, Txn};

    #[test]
    fn what_was_noted_of_keys_that_are_gone_is_purged_although_no_key_expires() {
        let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
        let space = Space::default();
        for key in [b"kept", b"gone"] {
            store
                .kv_put_for(&space, key, value!(1), Duration::ZERO)
                .unwrap();
            store.kv_put(&space, key, value!(2)).unwrap();
        }
        store.kv_delete(&space, b"gone").unwrap();
        assert_eq!(store.stats().entries, 3);
        assert_eq!(store.purge_expired(10).unwrap().due, 2);
        assert_eq!(store.stats().entries, 1);
        assert_eq!(store.purge_expired(10).unwrap(), Purged::default());
    }

    /// A clock that goes back by a minute when it was read so many times.
    struct Back(SimClock, AtomicU64);

    impl Clock for Back {
        fn now(&self) -> Timestamp {
            if self.1.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.0.jump(-60_000_000);
            }
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }

        fn wait(&self, gate: &Gate, seen: u64, until: Option<Timestamp>) -> u64 {
            self.0.wait(gate, seen, until)
        }
    }

    #[test]
    fn a_clock_that_is_put_back_makes_no_commits_of_nothing() {
        let clock = Arc::new(Back(SimClock::new(), 1000.into()));
        let env = Env {
            clock: clock.clone(),
            ..Env::real()
        };
        let store = Store::open(env, Place::Memory, StoreOptions::default()).unwrap();
        let space = Space::default();
        let soon = Duration::from_secs(30);
        store.kv_put_for(&space, b"k", value!(1), soon).unwrap();
        clock.0.advance(soon * 2);
        clock.1.store(2, Ordering::Release);
        let due = store.purge_expired(100).unwrap();
        assert!(store.stats().version <= 2, "{due:?}");
        assert!(due.next.is_some());
        clock.0.advance(soon * 2);
        assert_eq!(store.purge_expired(100).unwrap().due, 1);
        assert_eq!(store.stats().entries, 0);
    }

    /// A tree that notes from where on it was asked for the first entry.
    struct Asked(Tree, RefCell<Vec<Vec<u8>>>);

    impl Target for Asked {
        fn get(&self, key: &[u8]) -> Option<Entry> {
            self.0.get(key)
        }

        fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
            self.1.borrow_mut().push(from.to_vec());
            self.0.first_from(from)
        }

        fn put(&mut self, key: &[u8], entry: Entry) {
            self.0.put(key, entry);
        }

        fn edit<R>(
            &mut self,
            key: &[u8],
            version: u64,
            f: impl FnOnce(&mut Value) -> Result<R>,
        ) -> Option<Result<R>> {
            self.0.edit(key, version, f)
        }

        fn remove(&mut self, key: &[u8]) -> bool {
            self.0.remove(key)
        }
    }

    /// In a transaction, what was removed is passed over one by one.
    #[test]
    fn a_purge_never_looks_again_where_it_has_been() {
        let (mut asked, space) = (Asked(Tree::default(), RefCell::default()), Space::default());
        for name in 0..50 {
            let key = space::encode(&space, Primitive::Kv, &[name]);
            kv::put_until(
                &mut asked,
                &key,
                &value!(1),
                Timestamp::EPOCH,
                Stamp::default(),
            );
        }
        kv::purge(&mut asked, &space, 40, Stamp::default()).unwrap();
        assert_eq!(asked.0.len(), 20);
        let from = asked.1.into_inner();
        assert!(from.len() == 40 && from.is_sorted_by(|a, b| a < b));
    }

    /// In strict mode a commit can be seen once it is durable. Whoever is woken before would see nothing and wait until
    /// another key expires.
    #[test]
    fn who_purges_is_woken_when_the_key_can_be_seen() {
        let options = || StoreOptions::with_durability(Durability::Strict);
        let (space, none) = (Space::default(), Duration::ZERO);
        for others in [false, true] {
            let (env, _, _) = sim::world(1);
            let store = Store::open(env, Place::Dir("/store".into()), options()).unwrap();
            let gate = store.expiry_gate();
            let put = |txn: &Txn| txn.kv_put_for(&space, b"key", value!(1), none);
            let (_, version) = store.transact_deferred::<_, Error>(put).unwrap();
            if others {
                // Then it is in the tree before it is durable.
                let put = |txn: &Txn| txn.kv_put(&space, b"other", value!(1));
                store.transact_deferred::<_, Error>(put).unwrap();
            }
            assert_eq!(store.purge_expired(10).unwrap(), Purged::default());
            let seen = gate.epoch();
            store.settle(version.unwrap()).unwrap();
            assert_ne!(gate.epoch(), seen);
            assert_eq!(store.purge_expired(10).unwrap().due, 1);
            let seen = gate.epoch();
            store.kv_put(&space, b"stays", value!(1)).unwrap();
            assert_eq!(gate.epoch(), seen, "nothing expires");
        }
    }

    #[test]
    fn a_key_whose_time_is_put_off_again_and_again_is_noted_once() {
        let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
        let space = Space::default();
        for seconds in 1..=100 {
            let longer = Duration::from_secs(seconds * 1000);
            store
                .kv_put_for(&space, b"session", value!(seconds), longer)
                .unwrap();
            store
                .transact(|txn| txn.kv_put_for(&space, b"other", value!(seconds), longer))
                .unwrap();
        }
        assert_eq!(store.stats().entries, 4);
        let next = store.purge_expired(100).unwrap().next;
        let there = store.kv_entry(&space, b"session").unwrap().unwrap();
        assert_eq!(next, there.expires);
        for key in [b"session".as_slice(), b"other"] {
            let none = Duration::ZERO;
            store.kv_put_for(&space, key, value!(0), none).unwrap();
        }
        assert_eq!(store.purge_expired(100).unwrap().due, 2);
        assert_eq!(store.stats().entries, 0);
    }
}
