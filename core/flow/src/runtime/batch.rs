//! Events on cases, each a commit of its own, that wait for the disk together.
//!
//! Every event is in a batch; most are in one alone. A batch holds the locks of its cases until its commits are
//! durable, so whoever has a lock next sees what they did.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use statewright_store::{Announced, Txn};

use super::desk::{Locks, Shard};
use super::family::Family;
use super::locks::family;
use super::save::Wanted;
use super::{Flows, Moved};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::sabotage::{self, Bug};

/// Commits in a row at most: others who commit wait for all of them.
const MAX_ROW: usize = 16;

/// What the message of a failure begins with, of an event whose outcome cannot be stored.
pub(super) const NOT_STORED: &str = "the data cannot be stored";

pub(super) struct Batch<'a> {
    flows: &'a Flows,
    locks: Locks<'a>,
    /// Others who sync wait a little for this batch.
    announced: Option<Announced<'a>>,
    /// The newest commit that is still to be waited for.
    unsettled: Option<u64>,
    /// Under which keys work was offered to hosts.
    offered: Vec<String>,
}

impl Flows {
    /// A batch of events on these cases, and those they call or are called by. Waits for whoever has one of them.
    pub(super) fn batch<'a>(&self, cases: impl IntoIterator<Item = &'a str>) -> Batch<'_> {
        let locks = self.desk.lock_all(cases.into_iter());
        Batch {
            flows: self,
            locks,
            // Not earlier: whoever has a lock may be waiting for the disk.
            announced: self.store.announce(),
            unsettled: None,
            offered: Vec::new(),
        }
    }
}

impl Batch<'_> {
    /// What is claimed of a case, and not written.
    pub fn shard(&mut self, case: &str) -> Result<&mut Shard> {
        self.locks.get_mut(case).ok_or_else(|| unknown(case))
    }

    /// One transaction of events on a case and those it calls or is called by. Its claims are written with it.
    pub fn transact(
        &mut self,
        case: &str,
        mut events: impl FnMut(&mut Family<'_>, &Txn) -> Result<()>,
    ) -> Result<Option<Moved>> {
        let flows = self.flows;
        let shard = &*self.shard(case)?;
        let (moved, version) = flows.store.transact_deferred(|txn| -> Result<_> {
            let mut family = Family::new(flows, txn, shard);
            events(&mut family, txn)?;
            family.finish()
        })?;
        self.wrote(case, moved, version)
    }

    fn wrote(
        &mut self,
        case: &str,
        moved: Option<Moved>,
        version: Option<u64>,
    ) -> Result<Option<Moved>> {
        self.unsettled = self.unsettled.max(version);
        let (Some(mut moved), Some(version)) = (moved, version) else {
            return Ok(None);
        };
        self.committed(case, &mut moved, version)?;
        Ok(Some(moved))
    }

    /// As [`transact`](Batch::transact) for each of these cases; `events` gets its number among them. Those that have
    /// nothing to do with each other are committed in a row.
    pub fn transact_each(
        &mut self,
        cases: &[&str],
        mut events: impl FnMut(usize, &mut Family<'_>, &Txn) -> Result<()>,
    ) -> Vec<Result<Option<Moved>>> {
        let mut done = Vec::with_capacity(cases.len());
        while let Some(left) = cases.get(done.len()..).filter(|left| !left.is_empty()) {
            let (first, row) = (done.len(), self.row(left));
            if let [case] = row {
                done.push(self.transact(case, |family, txn| events(first, family, txn)));
                continue;
            }
            let (flows, locks) = (self.flows, &self.locks);
            let tried = flows.store.transact_each(0..row.len(), |at, txn| {
                let case = row.get(*at).copied().unwrap_or_default();
                let shard = locks.get(case).ok_or_else(|| unknown(case))?;
                let mut family = Family::new(flows, txn, shard);
                events(first + at, &mut family, txn)?;
                family.finish()
            });
            for (case, tried) in row.iter().zip(tried) {
                done.push(tried.and_then(|(moved, version)| self.wrote(case, moved, version)));
            }
        }
        done
    }

    /// Of these cases, the first ones that have nothing to do with each other.
    fn row<'c, 'i>(&self, cases: &'c [&'i str]) -> &'c [&'i str] {
        // Cases that wait for each other in lanes would only conflict.
        let most = match self.flows.lanes.load(Ordering::Acquire) {
            true => 1,
            false => MAX_ROW,
        };
        let mut known = BTreeSet::new();
        let ours = cases.iter().take(most);
        let ours = ours.take_while(|case| known.insert(family(case)));
        let count = ours.count();
        cases.get(..count).unwrap_or_default()
    }

    /// One transaction of events on several of its cases; `events` makes a [`family`](Batch::family) for each, and
    /// gives what that moved, with whatever else its caller wants to know.
    pub fn transact_all<T>(
        &mut self,
        mut events: impl FnMut(&Self, &Txn) -> Result<(Vec<Moved>, T)>,
    ) -> Result<(Vec<Moved>, T)> {
        let flows = self.flows;
        let ((mut moved, given), version) =
            flows.store.transact_deferred(|txn| events(&*self, txn))?;
        self.unsettled = self.unsettled.max(version);
        for (moved, version) in moved.iter_mut().zip(version.into_iter().cycle()) {
            let case = moved.case.clone();
            self.committed(&case, moved, version)?;
        }
        Ok((moved, given))
    }

    /// Events on a case of the batch, in a transaction.
    pub fn family<'b>(&'b self, case: &str, txn: &'b Txn) -> Result<Family<'b>> {
        let shard = self.locks.get(case).ok_or_else(|| unknown(case))?;
        Ok(Family::new(self.flows, txn, shard))
    }

    /// A commit has written what was claimed of these cases.
    fn committed(&mut self, case: &str, moved: &mut Moved, version: u64) -> Result<()> {
        moved.set_version(version);
        let flows = self.flows;
        let shard = self.shard(case)?;
        let all = || std::iter::once(&*moved).chain(&moved.also);
        all().for_each(|moved| flows.desk.forget(shard, &moved.case));
        let offered = all().flat_map(|moved| moved.offered.iter().cloned());
        self.offered.extend(offered);
        Ok(())
    }

    /// Runs an event on a case, with what follows from it in other cases, as one commit. `event` says whether it did
    /// anything. A closed case has no events.
    pub fn step(
        &mut self,
        id: &str,
        wanted: Wanted,
        mut event: impl FnMut(&mut Machine<'_>) -> Result<bool>,
    ) -> Result<Option<Moved>> {
        self.transact(id, |family, _| {
            family.event(id, wanted.clone(), &mut event)?;
            Ok(())
        })
    }

    /// An event whose outcome cannot be stored (it is larger than a commit may be) fails its task instead: nobody is
    /// there to be told, and the next try would end the same way. If it ends a case and it is what its callers make of
    /// that, they fail too.
    pub fn or_fail(
        &mut self,
        case: &str,
        wanted: Wanted,
        moved: Result<Option<Moved>>,
        mut fail: impl FnMut(&mut Machine<'_>, Failure),
    ) -> Result<Option<Moved>> {
        let mut done = moved;
        for callers_too in [false, true] {
            let Err(Error::Store(e)) = &done else { break };
            if !e.is_about_input() {
                break;
            }
            let failure = Failure::new("data", format!("{NOT_STORED}: {e}"));
            let failure = failure.for_good();
            done = self.transact(case, |family, _| {
                if callers_too {
                    family.refuse_callers(&failure);
                }
                let failed = &mut |machine: &mut Machine<'_>| {
                    fail(machine, failure.clone());
                    Ok(true)
                };
                family.event(case, wanted.clone(), failed).map(drop)
            });
        }
        done
    }

    /// Waits until all its commits are as durable as the store promises. Before that, nobody may be told of them.
    pub fn settle(self) -> Result<()> {
        drop(self.announced);
        let waits = !sabotage::on(Bug::HastyBatch);
        if let Some(version) = self.unsettled.filter(|_| waits) {
            // the filter is planted
            self.flows.store.settle(version)?;
        }
        // Whoever looks for work must find it once it is told that there is some.
        self.flows.desk.offered(&self.offered);
        Ok(())
    }

    /// [`settle`](Batch::settle), and what the only event in it gave.
    pub fn settled<T>(self, done: Result<T>) -> Result<T> {
        // A refusal changed nothing, but what was before it in the batch may have.
        self.settle()?;
        done
    }
}

/// Nobody asks for a case that is not one of the batch.
fn unknown(case: &str) -> Error {
    Error::UnknownCase {
        case: case.to_owned(),
    }
}
