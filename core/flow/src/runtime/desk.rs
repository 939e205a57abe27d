//! Claims that are in memory alone, and the locks of cases.
//!
//! To claim an offered item of a host task, and nothing else, changes nothing that anybody but the claimer sees: the
//! task's tokens wait for nobody else. Such a claim is not written; it is kept here, put into the case whenever that
//! is looked at, and written with the next commit of the case, mostly that of the item's own result. So a step is one
//! commit. A claim that does more, by withdrawing a rival, say, is written at once, as are those of process workers.
//!
//! Nothing is lost with these claims. After a restart the items are offered again (work is delivered at least once),
//! and whoever had claimed one before may still give its result, if nobody else has claimed it since: a claim's token
//! is signed with a secret of the store, and names the attempt. A token of an earlier attempt, or one that somebody
//! has overtaken, is refused as stale.
//!
//! An event holds its case's lock, which guards the case's claims, from loading until its commit is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use statewright_log::Timestamp;
use statewright_value::Value;

use super::locks::{Families, Guarded, Lock, family};
use crate::case::{Case, ItemWork, Lease};
use crate::machine::Machine;
use crate::net::Net;

/// How many cases are kept as they were read.
const SEEN: usize = 256;

/// A claim that is not written.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub number: u64,
    pub lease: Lease,
    /// What the item's work is and gets.
    pub work: ItemWork,
    pub input: Value,
}

impl Held {
    /// Does the claim in a case as it is stored. Nothing happens if the item cannot be had any more: what took it away
    /// was committed.
    pub fn put_into(&self, machine: &mut Machine<'_>) {
        let prepared = (self.work.clone(), self.input.clone());
        machine.hold(self.number, self.lease.clone(), Some(prepared));
    }
}

/// A case as it was read for a claim that was not written: whoever completes that need not read it again, if its
/// document is still the same.
pub(crate) struct Seen {
    /// Its document.
    pub value: Value,
    pub net: Arc<Net>,
    /// What [`load`](super::save::load) gave.
    pub read: (Case, bool),
}

/// The claims of each case of a family, oldest first.
pub(crate) type Shard = BTreeMap<Arc<str>, Vec<Held>>;

impl Guarded for Shard {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

/// The locks that somebody has, in the order of their families.
pub(crate) struct Locks<'a>(Vec<Lock<'a, Shard>>);

impl Locks<'_> {
    fn place(&self, case: &str) -> Option<usize> {
        let family = family(case);
        self.0.binary_search_by_key(&family, Lock::family).ok()
    }

    /// What is claimed of the family of a case, if its lock is among them.
    pub fn get(&self, case: &str) -> Option<&Shard> {
        self.0.get(self.place(case)?).map(|lock| &**lock)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, case: &str) -> Option<&mut Shard> {
        let place = self.place(case)?;
        self.0.get_mut(place).map(|lock| &mut **lock)
    }
}

/// Where a queue is read from, as all before it is claimed.
#[derive(Debug, Default)]
struct Queues {
    /// How often anything was offered.
    offers: u64,
    /// By a queue's prefix, the last key before which every item is held.
    passed: BTreeMap<String, String>,
}

pub(crate) struct Desk {
    claims: Families<Shard>,
    /// When claims that are not written end without a heartbeat, or have taken too long.
    due: Mutex<BTreeSet<(Timestamp, Arc<str>, u64)>>,
    queues: Mutex<Queues>,
    /// By [`family`].
    seen: Vec<Mutex<Option<Seen>>>,
}

impl Default for Desk {
    fn default() -> Self {
        Desk {
            claims: Families::default(),
            due: Mutex::default(),
            queues: Mutex::default(),
            seen: (0..SEEN).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Desk {
    fn place(&self, case: &str) -> Option<&Mutex<Option<Seen>>> {
        self.seen.get((family(case) >> 40) as usize % SEEN)
    }

    /// Keeps a case as it was read, in the place of another one.
    pub fn keep_seen(&self, case: &str, seen: Seen) {
        if let Some(place) = self.place(case) {
            *place.lock() = Some(seen);
        }
    }

    /// The case as it was read, if its document is still this one.
    pub fn take_seen(&self, case: &str, value: &Value) -> Option<Seen> {
        let mut place = self.place(case)?.lock();
        let same =
            |seen: &mut Seen| *seen.read.0.id == *case && seen.value.by_ref().same(value.by_ref());
        place.take_if(same)
    }

    /// Locks many cases, always in the same order, so that nobody waits for somebody who waits for them.
    pub fn lock_all<'c>(&self, cases: impl Iterator<Item = &'c str>) -> Locks<'_> {
        let mut families: Vec<u64> = cases.map(family).collect();
        families.sort_unstable();
        families.dedup();
        let locks = families.into_iter();
        Locks(locks.map(|family| self.claims.lock(family)).collect())
    }

    /// The claims of a case's family, if there are any: locked, until whoever has them is done.
    fn known(&self, case: &str) -> Option<Lock<'_, Shard>> {
        self.claims.lock_known(family(case))
    }

    /// Whether an item is claimed, and that is not written.
    pub fn is_held(shard: &Shard, case: &str, number: u64) -> bool {
        let held = shard.get(case);
        held.is_some_and(|held| held.iter().any(|h| h.number == number))
    }

    /// The same of a case that is not locked.
    pub fn has(&self, case: &str, number: u64) -> bool {
        let known = self.known(case);
        known.is_some_and(|shard| Desk::is_held(&shard, case, number))
    }

    /// Keeps a claim.
    pub fn keep(&self, shard: &mut Shard, case: &str, held: Held) {
        let id = match shard.get_key_value(case) {
            Some((id, _)) => id.clone(),
            None => Arc::from(case),
        };
        if let Some(due) = held.lease.due() {
            self.due.lock().insert((due, id.clone(), held.number));
        }
        shard.entry(id).or_default().push(held);
    }

    /// Keeps a claim for longer, and gives its end; none if there is none of this nonce.
    pub fn extend(
        &self,
        case: &str,
        number: u64,
        nonce: &str,
        until: Timestamp,
    ) -> Option<Timestamp> {
        let mut shard = self.known(case)?;
        let id = shard.get_key_value(case).map(|(id, _)| id.clone())?;
        let mut held = shard.get_mut(case).into_iter().flatten();
        let held = held.find(|h| h.number == number && h.lease.nonce == nonce)?;
        let was = held.lease.due();
        // A lease without an end needs no heartbeats; one with an end is never made shorter.
        held.lease.until = held.lease.until.map(|u| u.max(until));
        let mut due = self.due.lock();
        was.map(|was| due.remove(&(was, id.clone(), number)));
        held.lease.due().map(|is| due.insert((is, id, number)));
        Some(held.lease.until.unwrap_or(until))
    }

    /// Forgets the claims of a case: they are written, or its items are gone.
    pub fn forget(&self, shard: &mut Shard, case: &str) {
        let Some((id, held)) = shard.remove_entry(case) else {
            return;
        };
        let mut due = self.due.lock();
        for held in held {
            if let Some(at) = held.lease.due() {
                due.remove(&(at, id.clone(), held.number));
            }
        }
    }

    /// Forgets a claim that has ended by now, of something that is not there any more. One that was made longer
    /// meanwhile stays, as do the others of its case.
    pub fn give_up(&self, case: &str, number: u64, now: Timestamp) {
        if let Some(mut shard) = self.known(case)
            && let Some(held) = shard.get_mut(case)
        {
            let over = |h: &Held| h.lease.due().is_some_and(|due| due <= now);
            held.retain(|h| h.number != number || !over(h));
            if held.is_empty() {
                shard.remove(case);
            }
        }
        let mut due = self.due.lock();
        let ended = due.iter().take_while(|(at, _, _)| *at <= now);
        let ended = ended.filter(|(_, id, n)| &**id == case && *n == number);
        for ended in ended.cloned().collect::<Vec<_>>() {
            due.remove(&ended);
        }
        drop(due);
        let mut queues = self.queues.lock();
        queues.offers = queues.offers.saturating_add(1);
        queues.passed.clear();
    }

    /// When the next of these claims ends.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.lock().first().map(|(at, _, _)| *at)
    }

    /// Claims that have ended by now, the first ones of them.
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<(Arc<str>, u64)> {
        let due = self.due.lock();
        let due = due.iter().take_while(|(at, _, _)| *at <= now).take(limit);
        due.map(|(_, case, number)| (case.clone(), *number))
            .collect()
    }

    /// How often anything was offered so far.
    pub fn offers(&self) -> u64 {
        self.queues.lock().offers
    }

    /// Where to read a queue from.
    pub fn passed(&self, queue: &str) -> Option<String> {
        self.queues.lock().passed.get(queue).cloned()
    }

    /// All of a queue up to a key is claimed, as seen when this many were offered.
    pub fn pass(&self, queue: &str, key: &str, offers: u64) {
        let mut queues = self.queues.lock();
        // What was offered since then may have come before it: clocks can be set.
        if queues.offers == offers {
            queues.passed.insert(queue.to_owned(), key.to_owned());
        }
    }

    /// Items are offered to hosts under these keys.
    pub fn offered(&self, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        let mut queues = self.queues.lock();
        queues.offers = queues.offers.saturating_add(1);
        for key in keys {
            queues
                .passed
                .retain(|queue, passed| !key.starts_with(queue.as_str()) || key > passed);
        }
    }

    /// Does the claims of a case that are not written in what was read of it.
    pub fn put_into(&self, machine: &mut Machine<'_>) {
        let shard = self.known(&machine.case.id);
        let held = shard.as_ref().and_then(|shard| shard.get(&machine.case.id));
        held.into_iter()
            .flatten()
            .for_each(|held| held.put_into(machine));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_claim_that_a_heartbeat_made_longer_is_not_given_up_nor_are_its_neighbours() {
        let (desk, ends) = (Desk::default(), Timestamp::from_micros(1000));
        for number in 1..=3 {
            let lease = Lease {
                worker: String::new(),
                nonce: number.to_string(),
                since: Timestamp::EPOCH,
                until: Some(ends),
                deadline: None,
            };
            let held = Held {
                number,
                lease,
                work: ItemWork::Wait,
                input: Value::NULL,
            };
            let mut locks = desk.lock_all(["c"].into_iter());
            desk.keep(locks.get_mut("c").unwrap(), "c", held);
        }
        // The driver sees that they have ended, and then a heartbeat comes.
        assert_eq!(desk.due(ends, 9).len(), 3);
        let later = ends.saturating_add(Duration::from_secs(1));
        assert_eq!(desk.extend("c", 1, "1", later), Some(later));
        desk.give_up("c", 1, ends);
        assert!(desk.has("c", 1) && desk.has("c", 2));
        assert_eq!(desk.due(later, 9).len(), 3);
        desk.give_up("c", 2, ends);
        assert!(desk.has("c", 1) && !desk.has("c", 2) && desk.has("c", 3));
        assert_eq!(desk.due(later, 9).len(), 2);
    }
}
