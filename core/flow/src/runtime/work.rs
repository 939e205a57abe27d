//! Work items: taken, kept alive, completed, failed, and what time does to them.

use std::collections::VecDeque;
use std::time::Duration;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};
use statewright_value::Value;

use super::save::Wanted;
use super::{Flows, Moved, keys};
use crate::case::{Item, ItemState, ItemWork, Lease};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::ids;
use crate::machine::Machine;
use crate::net::{Format, Net, TaskKind};

/// Timers handled in one go; the caller comes back for the rest.
const DUE_BATCH: usize = 256;
/// Bytes of a worker's name at most.
const MAX_WORKER_NAME: usize = 256;

/// Whose work to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Programs of `process` tasks.
    Process,
    /// `host` tasks of these topics.
    Topics(Vec<String>),
}

/// A claimed piece of work.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkItem {
    /// Proof of the claim, for heartbeat, complete and fail. Names the item and this claim of it.
    pub token: String,
    /// The case.
    pub case: String,
    /// The item's number in the case.
    pub item: u64,
    /// The task.
    pub task: String,
    /// 1 for the first start.
    pub attempt: u32,
    /// The same for every attempt of this firing of the task, and for no other.
    pub idempotency_key: String,
    /// What the task's `input` gave.
    pub input: Value,
    /// When the attempt has taken too long, if the task has a timeout.
    pub deadline: Option<Timestamp>,
    /// When it is offered to others without a heartbeat.
    pub lease_until: Option<Timestamp>,
    /// What kind of work.
    pub work: WorkKind,
}

/// What is to be done for a [`WorkItem`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WorkKind {
    /// Run a program.
    Process {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The folder to run it in.
        cwd: Option<String>,
        /// How the input is given.
        stdin: Format,
        /// How the output is read.
        stdout: Format,
    },
    /// Whatever the host does for this topic.
    Host {
        /// The topic.
        topic: String,
    },
}

/// What came of reaching for an offered item.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// The work; none if computing its input failed, which failed its case.
    pub item: Option<WorkItem>,
    /// What it did to the case: the start of a task withdraws its rivals and can enable others.
    pub moved: Moved,
}

impl Flows {
    /// Takes up to `max` offered items, longest offered first. Each is one commit. O(offered items looked at).
    ///
    /// `lease` is how long they are this worker's alone without a heartbeat; none for as long as this process lives.
    pub fn claim(
        &self,
        queue: &Queue,
        worker: &str,
        lease: Option<Duration>,
        max: usize,
    ) -> Result<Vec<Claim>> {
        check_worker(worker)?;
        let mut offered = Vec::new();
        let view = self.store.snapshot();
        let prefixes: Vec<String> = match queue {
            Queue::Process => vec![keys::PROCESS_QUEUE.to_owned()],
            Queue::Topics(topics) => topics.iter().map(|t| keys::host_queue(t)).collect(),
        };
        for prefix in prefixes {
            for (key, _) in view.doc_scan(Primitive::Flow, &Space::default(), &prefix, None, max)? {
                offered
                    .extend(keys::parse_place(&key).map(|(at, case, n)| (at, case.to_owned(), n)));
            }
        }
        offered.sort();
        let mut offered = offered.into_iter().peekable();
        let mut claimed: Vec<Claim> = Vec::new();
        // The head of the line against the others: whoever has waited longer goes first.
        let (mut turns, mut heads) = (0, VecDeque::from(self.heads(queue, max)?));
        while claimed.len() < max {
            if heads.is_empty() && turns > 0 {
                heads = self.heads(queue, max.saturating_sub(claimed.len()))?.into();
                turns = 0;
            }
            let first = match (heads.front(), offered.peek()) {
                (Some(head), Some(other)) => head.0 <= other.0,
                (head, _) => head.is_some(),
            };
            let next = if first {
                heads.pop_front()
            } else {
                offered.next()
            };
            let Some((_, case, number)) = next else { break };
            match self.claim_one(&case, number, worker, lease, |_| true) {
                Ok(claim) => {
                    turns += u32::from(first && claim.is_some());
                    claimed.extend(claim);
                }
                // Somebody else had the last turn.
                Err(Error::Refused { code: "lane", .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(claimed)
    }

    /// Takes one item if it is `fit`, unless somebody else was faster.
    pub(super) fn claim_one(
        &self,
        case: &str,
        number: u64,
        worker: &str,
        lease: Option<Duration>,
        fit: fn(&Item) -> bool,
    ) -> Result<Option<Claim>> {
        let nonce = ids::new_nonce(self.store.env())?;
        let mut taken = None;
        let moved = self.step(case, Wanted::one(number), |machine| {
            let Some(item) = machine.case.items.get(&number).filter(|i| fit(i)) else {
                return Ok(false);
            };
            let (now, task) = (machine.now, item.task);
            let timeout = machine
                .net
                .tasks
                .get(task)
                .and_then(|t| t.kind.work())
                .and_then(|w| w.timeout);
            let lease = Lease {
                worker: worker.to_owned(),
                nonce: nonce.clone(),
                since: now,
                until: lease.map(|l| now.saturating_add(l)),
                deadline: timeout.map(|t| now.saturating_add(t)),
            };
            if !machine.claim(number, lease) {
                return Ok(false);
            }
            taken = machine
                .case
                .items
                .get(&number)
                .and_then(|item| work_item(machine.net, case, item));
            if let (Some(item), Some(active)) = (&mut taken, &machine.case.recovery.active)
                && let Some((_, done)) = active.running.filter(|(n, _)| *n == number)
            {
                // The same for every time that this is tried to be undone.
                item.idempotency_key = format!("{case}/undo/{done}");
            }
            Ok(true)
        });
        let moved = self.or_fail(case, Wanted::one(number), moved, |machine, failure| {
            taken = None;
            machine.fail_offered(number, failure);
        })?;
        Ok(moved.map(|moved| Claim { item: taken, moved }))
    }

    /// Extends a claim: the item stays this worker's for `lease` from now. Gives the new end.
    /// Fails with [`Error::StaleItem`] if the item is not this claim's any more.
    pub fn heartbeat(&self, token: &str, lease: Duration) -> Result<(Timestamp, Moved)> {
        let mut until = Timestamp::default();
        let moved = self.with_claim(token, |machine, number| {
            until = machine.now.saturating_add(lease);
            if let Some(ItemState::Leased(held)) =
                machine.case.items.get_mut(&number).map(|i| &mut i.state)
            {
                // A lease without an end needs no heartbeats; one with an end is never made shorter.
                held.until = held.until.map(|u| u.max(until));
            }
            Ok(())
        })?;
        Ok((until, moved))
    }

    /// Gives a claimed item's result. In one commit, the result goes into the data and the case moves on.
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn complete(&self, token: &str, result: &Value) -> Result<Moved> {
        self.with_claim(token, |machine, number| {
            machine.complete(number, result);
            Ok(())
        })
    }

    /// Says that a claimed item's attempt failed; it is retried or the case fails, as the task says.
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn fail(&self, token: &str, failure: &Failure) -> Result<Moved> {
        self.with_claim(token, |machine, number| {
            machine.fail(number, failure.clone());
            Ok(())
        })
    }

    pub(super) fn with_claim(
        &self,
        token: &str,
        mut event: impl FnMut(&mut Machine<'_>, u64) -> Result<()>,
    ) -> Result<Moved> {
        let (case, number, nonce) = parse_token(token)?;
        let stale = |why: &str| Error::StaleItem {
            item: token.to_owned(),
            why: why.to_owned(),
        };
        let moved = self.step(case, Wanted::one(number), |machine| {
            match machine.case.items.get(&number).map(|i| &i.state) {
                Some(ItemState::Leased(lease)) if lease.nonce == nonce => event(machine, number)?,
                Some(ItemState::Leased(_)) => {
                    return Err(stale("somebody else has claimed it since"));
                }
                Some(_) => return Err(stale("the claim has ended")),
                None => return Err(stale("it is finished")),
            }
            Ok(true)
        });
        match moved {
            Err(Error::UnknownCase { .. }) => Err(stale("its case does not exist")),
            Ok(None) => Err(stale("its case is closed")),
            Ok(Some(moved)) => Ok(moved),
            Err(e) => Err(e),
        }
    }

    /// Offers again what process workers of an earlier process had taken from this case: they are gone.
    pub fn release(&self, case: &str) -> Result<Option<Moved>> {
        self.step(case, Wanted::all(), |machine| {
            let items = machine.case.items.values();
            let lost = |i: &&Item| {
                matches!(
                    (&i.state, &i.work),
                    (ItemState::Leased(_), ItemWork::Process { .. })
                )
            };
            let lost: Vec<u64> = items.filter(lost).map(|i| i.number).collect();
            lost.iter().for_each(|n| machine.release(*n));
            Ok(!lost.is_empty())
        })
    }

    /// When time alone will next change something; none if never. O(log n).
    pub fn next_due(&self) -> Result<Option<Timestamp>> {
        let view = self.store.snapshot();
        let first = view.doc_scan(Primitive::Flow, &Space::default(), keys::TIMER, None, 1)?;
        let timer = first.first().and_then(|(key, _)| keys::parse_place(key));
        let timer = timer.map(|(due, _, _)| due);
        Ok(timer.into_iter().chain(self.next_rate()?).min())
    }

    /// Does what is due by now: retries, waits that are over, timeouts, leases without a heartbeat. Each is one
    /// commit.
    pub fn fire_due(&self) -> Result<Vec<Moved>> {
        let now = self.now();
        let view = self.store.snapshot();
        let due = view.doc_scan(
            Primitive::Flow,
            &Space::default(),
            keys::TIMER,
            None,
            DUE_BATCH,
        )?;
        let mut moved = Vec::new();
        moved.extend(self.release_rates(now)?);
        for (key, _) in due {
            let Some((at, case, number)) = keys::parse_place(&key) else {
                continue;
            };
            if at > now {
                break;
            }
            let fired = self.step(case, Wanted::one(number), |machine| {
                machine.due(number);
                Ok(!machine.notes.is_empty())
            });
            moved.extend(
                self.or_fail(case, Wanted::one(number), fired, |machine, failure| {
                    machine.fail(number, failure)
                })?,
            );
        }
        Ok(moved)
    }
}

pub(super) fn check_worker(name: &str) -> Result<()> {
    if (1..=MAX_WORKER_NAME).contains(&name.len()) {
        return Ok(());
    }
    let why = format!("a worker's name must have 1 to {MAX_WORKER_NAME} bytes");
    Err(Error::Input { why })
}

pub(super) fn is_host(item: &Item) -> bool {
    matches!(item.work, ItemWork::Host { .. })
}

pub(super) fn token(case: &str, number: u64, nonce: &str) -> String {
    format!("{case}/{number}/{nonce}")
}

pub(super) fn work_item(net: &Net, case: &str, item: &Item) -> Option<WorkItem> {
    let task = net.tasks.get(item.task)?;
    let ItemState::Leased(lease) = &item.state else {
        return None;
    };
    let work = match (&item.work, &task.kind) {
        (ItemWork::Process { argv, cwd }, TaskKind::Process(p)) => {
            // Without an `input` there is nothing to give.
            let stdin = if p.work.input.is_some() {
                p.stdin
            } else {
                Format::None
            };
            WorkKind::Process {
                argv: argv.clone(),
                cwd: cwd.clone(),
                stdin,
                stdout: p.stdout,
            }
        }
        (ItemWork::Host { topic }, _) => WorkKind::Host {
            topic: topic.clone(),
        },
        _ => return None,
    };
    Some(WorkItem {
        token: token(case, item.number, &lease.nonce),
        case: case.to_owned(),
        item: item.number,
        task: task.name.to_string(),
        attempt: item.attempt,
        idempotency_key: format!("{case}/{}", item.number),
        input: item.input.clone(),
        deadline: lease.deadline,
        lease_until: lease.until,
        work,
    })
}

fn parse_token(token: &str) -> Result<(&str, u64, &str)> {
    let mut parts = token.splitn(3, '/');
    let (case, number, nonce) = (parts.next(), parts.next(), parts.next());
    match (case, number.and_then(|n| n.parse().ok()), nonce) {
        (Some(case), Some(number), Some(nonce)) if ids::is_any_case_id(case) => {
            Ok((case, number, nonce))
        }
        _ => Err(Error::UnknownItem {
            item: token.chars().take(200).collect(),
        }),
    }
}
