//! Host work items by name, for people more than for programs: listed, taken, handed over, given back, skipped.
//!
//! A program polls for whatever comes first. A person looks at a list and takes one thing, may hand it to somebody else
//! or put it back, and somebody may decide that it need not be done. All of it keeps the rules of claims: one holder at
//! a time, proved by a token, and what an earlier holder hands in is refused.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Snapshot, Space};
use statewright_value::{Value, value};

use super::query::task_name;
use super::save::Wanted;
use super::token;
use super::work::{self, WorkItem};
use super::{Claim, Flows, Moved, keys, lanes, record, save};
use crate::case::{Item, ItemState, ItemWork, Status};
use crate::error::{Error, Result};
use crate::ids;
use crate::machine::Machine;
use crate::net::Net;

/// Cases read at a time.
const PAGE: usize = 256;

/// Where a host item is between being offered and having ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkState {
    /// Anybody may take it.
    Offered,
    /// Somebody has it.
    Leased,
    /// Its last attempt failed; it is offered again later.
    BackingOff,
}

impl WorkState {
    /// `offered`, `leased` or `backing_off`.
    pub fn name(self) -> &'static str {
        match self {
            WorkState::Offered => "offered",
            WorkState::Leased => "leased",
            WorkState::BackingOff => "backing_off",
        }
    }

    fn of(state: &ItemState) -> Option<WorkState> {
        match state {
            ItemState::Offered { .. } => Some(WorkState::Offered),
            ItemState::Leased(_) => Some(WorkState::Leased),
            ItemState::BackingOff { .. } => Some(WorkState::BackingOff),
            _ => None,
        }
    }
}

impl FromStr for WorkState {
    type Err = ();

    fn from_str(name: &str) -> Result<WorkState, ()> {
        let all = [WorkState::Offered, WorkState::Leased, WorkState::BackingOff];
        all.into_iter().find(|s| s.name() == name).ok_or(())
    }
}

/// Which work items to list. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkFilter {
    /// Only items of this topic.
    pub topic: Option<String>,
    /// Only items of this case.
    pub case: Option<String>,
    /// Only items of tasks of this name.
    pub task: Option<String>,
    /// Only items that this worker has.
    pub worker: Option<String>,
    /// Only items in this state.
    pub state: Option<WorkState>,
    /// Only items that come after this one (a case and a number) in the list.
    pub after: Option<(String, u64)>,
    /// At most this many; all if none.
    pub limit: Option<usize>,
}

/// A host work item as it is now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkInfo {
    /// The case.
    pub case: String,
    /// The item's number in the case.
    pub item: u64,
    /// The task.
    pub task: String,
    /// The topic it is offered under.
    pub topic: String,
    /// Where it is.
    pub state: WorkState,
    /// Since when it is there.
    pub since: Timestamp,
    /// How often it was taken.
    pub attempt: u32,
    /// What the task's `input` gave; null before it is taken for the first time, when that is computed.
    pub input: Value,
    /// Who has it.
    pub worker: Option<String>,
    /// The holder's proof, for heartbeat, complete, fail, delegate and give back.
    pub token: Option<String>,
    /// When the attempt has taken too long, if the task has a timeout and somebody has it; else by when it must be
    /// done, if the task has a deadline.
    pub deadline: Option<Timestamp>,
    /// When it is offered to others: the end of the lease, or of the pause after a failed attempt.
    pub until: Option<Timestamp>,
}

impl Flows {
    /// The host items of open cases that wait for somebody or are at work, by case and number. What a suspended case
    /// has not handed out is not among them. O(items of that topic) for the offered ones of a topic, O(items of the
    /// case) with a case, else O(open cases), up to the limit.
    pub fn work(&self, filter: &WorkFilter) -> Result<Vec<WorkInfo>> {
        let view = self.store.snapshot();
        let mut found = Vec::new();
        let from = filter.after.as_ref().map(|(case, _)| case.as_str());
        let is_full = |found: &[WorkInfo]| filter.limit.is_some_and(|limit| found.len() >= limit);
        match (&filter.topic, filter.state, &filter.case) {
            (_, _, Some(case)) => self.work_of(&view, case, filter, &mut found)?,
            (Some(topic), Some(WorkState::Offered), None) => {
                let queue = keys::host_queue(topic);
                let space = Space::default();
                let mut offered =
                    view.doc_scan(Primitive::Flow, &space, &queue, None, usize::MAX)?;
                let lanes = lanes::items(topic);
                offered.extend(view.doc_scan(Primitive::Flow, &space, &lanes, None, usize::MAX)?);
                let places = offered.iter().filter_map(|(key, _)| keys::parse_place(key));
                let cases: BTreeSet<&str> = places.map(|(_, case, _)| case).collect();
                for case in cases
                    .into_iter()
                    .filter(|case| from.is_none_or(|f| *case >= f))
                {
                    if is_full(&found) {
                        break;
                    }
                    self.work_of(&view, case, filter, &mut found)?;
                }
            }
            _ => {
                if let Some(case) = from {
                    self.work_of(&view, case, filter, &mut found)?;
                }
                let mut after = from.map(str::to_owned);
                while !is_full(&found) {
                    let page = self.open_cases(after.as_deref(), PAGE)?;
                    if page.is_empty() {
                        break;
                    }
                    for case in &page {
                        self.work_of(&view, case, filter, &mut found)?;
                        if is_full(&found) {
                            break;
                        }
                    }
                    after = page.into_iter().next_back();
                }
            }
        }
        found.truncate(filter.limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Those of one case.
    fn work_of(
        &self,
        view: &Snapshot,
        id: &str,
        filter: &WorkFilter,
        found: &mut Vec<WorkInfo>,
    ) -> Result<()> {
        // It may have begun or ended since the view.
        let Some(value) = save::read(view, &keys::case(id))? else {
            return Ok(());
        };
        if record::status_of(id, &value)?.is_final() {
            return Ok(());
        }
        let net = self.net(view, &record::net_of_case(id, &value)?)?;
        let case = self.read(view, &net, id, &value)?;
        let suspended = case.status == Status::Suspended;
        let is = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == is)
        };
        let after = |info: &WorkInfo| {
            let after = filter.after.as_ref();
            after.is_none_or(|(c, n)| (info.case.as_str(), info.item) > (c.as_str(), *n))
        };
        let infos = case.items.values().filter_map(|item| info(&net, id, item));
        found.extend(infos.filter(|info| {
            is(&filter.topic, Some(&info.topic))
                && is(&filter.task, Some(&info.task))
                && is(&filter.worker, info.worker.as_deref())
                && filter.state.is_none_or(|state| state == info.state)
                && (!suspended || info.state == WorkState::Leased)
                && after(info)
        }));
        Ok(())
    }

    /// Takes one offered host item by its case and number, whoever else polls for its topic. Without a `lease` it is
    /// the worker's until it is completed, failed, given back or delegated. It stays so over restarts, being a commit.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::UnknownItem`], or [`Error::Refused`]: somebody has it (`taken`), it
    /// is no host item (`not-work`), it pauses after a failed attempt (`backing-off`), or the case is suspended
    /// (`suspended`).
    pub fn take(
        &self,
        case: &str,
        item: u64,
        worker: &str,
        lease: Option<Duration>,
    ) -> Result<Claim> {
        work::check_worker(worker)?;
        match self.claim_one(case, item, worker, lease, work::Fit::BY_NAME)? {
            Some(claim) => Ok(claim),
            None => Err(self.why_not_taken(case, item)?),
        }
    }

    /// Hands a claimed item to another worker, who gets a new token; the old one is refused from now on. Without a
    /// `lease`, it is the new worker's until they do something with it. The attempt and its deadline go on.
    ///
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn delegate(
        &self,
        token: &str,
        worker: &str,
        lease: Option<Duration>,
    ) -> Result<(WorkItem, Moved)> {
        work::check_worker(worker)?;
        let nonce = ids::new_nonce(self.store.env())?;
        let mut handed = None;
        let moved = self.with_host_claim(token, |machine, number| {
            let until = lease.map(|l| machine.now.saturating_add(l));
            machine.delegate(number, worker, &nonce, until);
            let item = machine.case.items.get(&number);
            handed = item.and_then(|i| work::work_item(machine.net, &machine.case.id, i));
        })?;
        handed
            .map(|item| (item, moved))
            .ok_or_else(|| no_host(token))
    }

    /// Gives a claimed item back: it is offered again, and the attempt counts as none that failed.
    ///
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn give_back(&self, token: &str) -> Result<Moved> {
        self.with_host_claim(token, |machine, number| machine.release(number))
    }

    fn with_host_claim(
        &self,
        token: &str,
        mut event: impl FnMut(&mut Machine<'_>, u64),
    ) -> Result<Moved> {
        self.with_claim(token, |machine, number| {
            if !machine.case.items.get(&number).is_some_and(work::is_host) {
                return Err(no_host(token));
            }
            event(machine, number);
            Ok(())
        })
    }

    /// Decides that a host item is not to be done, whoever has it: its task completes without a result, so nothing goes
    /// `into` the data (an instance of several gives null), and the case goes on. A result that comes later is stale.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], [`Error::UnknownItem`], or [`Error::Refused`] if it is
    /// no host item (`not-work`) or the case is suspended (`suspended`).
    pub fn skip(&self, case: &str, item: u64, reason: &str) -> Result<Moved> {
        self.control(case, Wanted::one(item), |machine| {
            let Some(found) = machine.case.items.get(&item) else {
                return Err(unknown(case, item));
            };
            if !work::is_host(found) || WorkState::of(&found.state).is_none() {
                return Err(refused("not-work", "it is not work of a host"));
            }
            if machine.case.status == Status::Suspended {
                return Err(suspended());
            }
            let detail = match reason {
                "" => Value::NULL,
                reason => value!({ "reason": reason }),
            };
            machine.skip(item, detail);
            Ok(())
        })
    }

    fn why_not_taken(&self, id: &str, item: u64) -> Result<Error> {
        let (_, case) = self.load(id)?;
        let Some(found) = case.items.get(&item) else {
            return Ok(unknown(id, item));
        };
        Ok(match &found.state {
            _ if !work::is_host(found) => refused("not-work", "it is not work of a host"),
            ItemState::Leased(lease) => {
                let why = format!("worker '{}' has it", lease.worker);
                refused("taken", &why)
            }
            ItemState::BackingOff { until, .. } => {
                let why = format!("its last attempt failed; it is offered again at {until}");
                refused("backing-off", &why)
            }
            _ if case.status == Status::Suspended => suspended(),
            _ => refused("withdrawn", "its task is not enabled any more"),
        })
    }
}

fn info(net: &Net, case: &str, item: &Item) -> Option<WorkInfo> {
    let ItemWork::Host { topic } = &item.work else {
        return None;
    };
    let state = WorkState::of(&item.state)?;
    let (since, until) = match &item.state {
        ItemState::BackingOff { since, until } => (*since, Some(*until)),
        ItemState::Leased(lease) => (lease.since, lease.until),
        ItemState::Offered { since } => (*since, None),
        _ => return None,
    };
    let lease = match &item.state {
        ItemState::Leased(lease) => Some(lease),
        _ => None,
    };
    Some(WorkInfo {
        case: case.to_owned(),
        item: item.number,
        task: task_name(net, item.task),
        topic: topic.clone(),
        state,
        since,
        attempt: item.attempt,
        input: item.input.clone(),
        worker: lease.map(|l| l.worker.clone()),
        token: lease.map(|l| token::token(case, item.number, &l.nonce)),
        deadline: lease.and_then(|l| l.deadline).or(item.deadline),
        until,
    })
}

/// A program that the engine runs is its own.
fn no_host(token: &str) -> Error {
    Error::StaleItem {
        item: token.to_owned(),
        why: "it is not work of a host".to_owned(),
    }
}

fn unknown(case: &str, item: u64) -> Error {
    Error::UnknownItem {
        item: format!("{case}/{item}"),
    }
}

fn suspended() -> Error {
    refused("suspended", "the case is suspended; resume it first")
}

fn refused(code: &'static str, why: &str) -> Error {
    Error::Refused {
        code,
        why: why.to_owned(),
    }
}
