//! Work items: taken, kept alive, completed, failed, and what time does to them.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};
use statewright_value::Value;

use super::aside::Part;
use super::desk::{Desk, Held};
use super::family::{Family, Ran};
use super::save::{self, Wanted};
use super::token::{adopt, attempt_ends, parse_token, sign, token};
use super::{Flows, Moved, keys, record};
use crate::case::{Item, ItemState, ItemWork, Lease};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::net::{Format, Net, TaskKind};
use crate::sabotage::{self, Bug};

/// The name of a worker that gives none. It costs the history one byte.
pub const SOME_WORKER: &str = "worker";
/// Bytes of a worker's name at most.
const MAX_WORKER_NAME: usize = 256;

/// An offered item: since when, its case, its number.
type Place = (Timestamp, String, u64);

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

/// What became of a claimed item.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The claim's [token](WorkItem::token).
    pub token: String,
    /// Its result, or why the attempt failed.
    pub result: std::result::Result<Value, Failure>,
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
    /// Takes up to `max` offered items, longest offered first. O(offered items looked at).
    ///
    /// A claim of a host item with a lease that is nobody else's business is not a commit: it is known in this process
    /// alone, and written with what happens to the case next. After a restart such items are offered again; until
    /// somebody claims one anew, its result is still taken from whoever had claimed it.
    ///
    /// `lease` is how long they are this worker's alone without a heartbeat; none for as long as this process lives.
    ///
    /// # Errors
    /// [`Error::Input`] for a worker's name that cannot be one; what concerns the store. What was taken before such an
    /// error is given, and the error with the next call. An item that cannot be taken is [put off](Flows::put_off).
    pub fn claim(
        &self,
        queue: &Queue,
        worker: &str,
        lease: Option<Duration>,
        max: usize,
    ) -> Result<Vec<Claim>> {
        check_worker(worker)?;
        let queues: Vec<String> = match queue {
            Queue::Process => vec![keys::PROCESS_QUEUE.to_owned()],
            Queue::Topics(topics) => topics.iter().map(|t| keys::host_queue(t)).collect(),
        };
        let mut claimed: Vec<Claim> = Vec::new();
        let mut gone: BTreeSet<Place> = BTreeSet::new();
        let mut held = None;
        let done = loop {
            let (wanted, seen) = ((worker, lease, max), (&mut gone, &mut held));
            match self.claim_some(queue, &queues, wanted, &mut claimed, seen) {
                // What was seen may have been taken and finished by somebody else since; behind it there may be more.
                Ok(true) => {}
                done => break done,
            }
        };
        claimed.extend(held.map(|moved| Claim { item: None, moved }));
        match done {
            // What was claimed before it is somebody's, who must know; the error is there the next time.
            Err(error) if claimed.is_empty() => Err(error),
            _ => Ok(claimed),
        }
    }

    /// Takes of what is offered now; tells whether to look again, as something was `gone` that was not before.
    fn claim_some(
        &self,
        queue: &Queue,
        queues: &[String],
        (worker, lease, max): (&str, Option<Duration>, usize),
        claimed: &mut Vec<Claim>,
        (gone, held): (&mut BTreeSet<Place>, &mut Option<Moved>),
    ) -> Result<bool> {
        let known = gone.len();
        // Before looking, so that nothing that is offered meanwhile is passed over for good.
        let offers = self.desk.offers();
        let view = self.store.snapshot();
        let mut offered = Vec::new();
        let wanted = max.saturating_sub(claimed.len());
        for queue in queues {
            self.offered(&view, queue, wanted, offers, gone, &mut offered)?;
        }
        offered.sort();
        let mut offered = offered.into_iter().peekable();
        // The head of the line against the others: whoever has waited longer goes first.
        let mut refused = false;
        let (mut turns, mut heads) = (0, VecDeque::from(self.heads(queue, wanted)?));
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
            let Some(place) = next else { break };
            match self.claim_one(&place.1, place.2, worker, lease, Fit::ANY) {
                Ok(Some(claim)) => {
                    self.asides.clear(&place.1, Part::Item(place.2));
                    turns += u32::from(first);
                    claimed.push(claim);
                }
                Ok(None) => {
                    gone.insert(place);
                }
                // Somebody else had the last turn, or the clock was set back.
                Err(Error::Refused { code: "lane", .. }) => refused = true,
                Err(other) => {
                    let until = self.put_aside(&place.1, Part::Item(place.2), other)?;
                    // Whoever keeps the time is to be told.
                    let held = held.get_or_insert_with(|| Moved::nothing(""));
                    held.next_due = held.next_due.into_iter().chain([until]).min();
                    gone.insert(place);
                }
            }
        }
        let full = claimed.len() >= max;
        if refused && let Some(moved) = self.hold_back(queue, wanted)? {
            // Others may be behind it; and whoever keeps the time is to be told when it goes on.
            match held {
                Some(before) => before.then(moved),
                None => *held = Some(moved),
            }
            return Ok(!full);
        }
        Ok(!full && gone.len() > known)
    }

    /// The first items of a queue that are neither claimed nor gone.
    fn offered(
        &self,
        view: &impl Reader,
        queue: &str,
        max: usize,
        offers: u64,
        gone: &BTreeSet<Place>,
        offered: &mut Vec<Place>,
    ) -> Result<()> {
        let (space, first) = (Space::default(), offered.len());
        let mut after = self.desk.passed(queue);
        let mut passing = true;
        loop {
            let page = view.doc_scan(Primitive::Flow, &space, queue, after.as_deref(), max)?;
            let full = page.len() == max;
            let mut passed = None;
            for (key, _) in page {
                let place = keys::parse_place(&key);
                if let Some((at, case, number)) = place
                    && !self.desk.has(case, number)
                {
                    passing = false;
                    if self.asides.keeps(case, number) {
                        after = Some(key);
                        continue;
                    }
                    let place = (at, case.to_owned(), number);
                    if !gone.contains(&place) {
                        offered.push(place);
                    }
                }
                if passing {
                    passed = Some(key.clone());
                }
                after = Some(key);
            }
            if let Some(passed) = passed {
                self.desk.pass(queue, &passed, offers);
            }
            if !full || offered.len().saturating_sub(first) >= max {
                return Ok(());
            }
        }
    }

    /// Takes one item if it is fit, unless somebody else was faster.
    pub(super) fn claim_one(
        &self,
        case: &str,
        number: u64,
        worker: &str,
        lease: Option<Duration>,
        fit: Fit,
    ) -> Result<Option<Claim>> {
        let (mut taken, mut held, mut ran) = (None, None, Ran::Nothing);
        let secret = self.secret()?;
        let mut claim = |machine: &mut Machine<'_>| {
            let Some(item) = machine.case.items.get(&number).filter(|i| (fit.item)(i)) else {
                return Ok(false);
            };
            let now = machine.now;
            let attempt = item.attempt.saturating_add(1);
            let lease = Lease {
                worker: worker.to_owned(),
                nonce: sign(&secret, (case, number), attempt, now),
                since: now,
                until: lease.map(|l| now.saturating_add(l)),
                deadline: attempt_ends(machine.net, item, now),
            };
            if !machine.claim(number, lease.clone()) {
                return Ok(false);
            }
            let item = machine.case.items.get(&number);
            taken = item.and_then(|item| work_item(machine.net, case, item));
            held = item.map(|item| Held {
                number,
                lease,
                work: item.work.clone(),
                input: item.input.clone(),
            });
            if let (Some(item), Some(active)) = (&mut taken, &machine.case.recovery.active)
                && let Some((_, done)) = active.running.filter(|(n, _)| *n == number)
            {
                // The same for every time that this is tried to be undone.
                item.idempotency_key = format!("{case}/undo/{done}");
            }
            Ok(true)
        };
        let mut batch = self.batch([case]);
        if Desk::is_held(batch.shard(case)?, case, number) {
            return Ok(None);
        }
        // One without an end is to outlive this process.
        let quiet = lease.map(|_| number).filter(|_| fit.quiet);
        let moved = batch.transact(case, |family, _| {
            ran = family.run(case, Wanted::one(number), &mut claim, quiet)?;
            Ok(())
        });
        if let (Ran::Quiet, Ok(None), Some(held)) = (ran, &moved, held) {
            let mut moved = Moved::nothing(case);
            moved.next_due = held.lease.due();
            self.desk.keep(batch.shard(case)?, case, held);
            return Ok(Some(Claim { item: taken, moved }));
        }
        let moved = batch.or_fail(case, Wanted::one(number), moved, |machine, failure| {
            taken = None;
            machine.fail_offered(number, failure);
        });
        let moved = batch.settled(moved)?;
        Ok(moved.map(|moved| Claim { item: taken, moved }))
    }

    /// Takes one item for a test, which says whether the claim is written.
    pub(crate) fn claim_for_test(
        &self,
        case: &str,
        number: u64,
        lease: Duration,
        written: bool,
    ) -> Result<Option<Claim>> {
        let fit = Fit {
            quiet: !written,
            ..Fit::ANY
        };
        self.claim_one(case, number, SOME_WORKER, Some(lease), fit)
    }

    /// Extends a claim: the item stays this worker's for `lease` from now, or for longer if it was already. Gives the
    /// new end.
    /// Fails with [`Error::StaleItem`] if the item is not this claim's any more.
    pub fn heartbeat(&self, token: &str, lease: Duration) -> Result<(Timestamp, Moved)> {
        let (case, number, nonce) = parse_token(token)?;
        let extended = self.now().saturating_add(lease);
        if let Some(until) = self.desk.extend(case, number, nonce, extended) {
            return Ok((until, Moved::nothing(case)));
        }
        let mut until = Timestamp::default();
        let moved = self.with_claim(token, |machine, number| {
            until = machine.now.saturating_add(lease);
            if let Some(ItemState::Leased(held)) =
                machine.case.items.get_mut(&number).map(|i| &mut i.state)
            {
                // A lease without an end needs no heartbeats; one with an end is never made shorter.
                held.until = held.until.map(|u| u.max(until));
                until = held.until.unwrap_or(until);
            }
            Ok(())
        })?;
        Ok((until, moved))
    }

    /// Whether an item is still this claim's, as far as that is written.
    ///
    /// # Errors
    /// [`Error::UnknownItem`] if this is no token; what concerns the store.
    pub fn has_claim(&self, token: &str) -> Result<bool> {
        let (id, number, nonce) = parse_token(token)?;
        let view = self.store.snapshot();
        let Some(value) = save::read(&view, &keys::case(id))? else {
            return Ok(false);
        };
        let net = self.net(&view, &record::net_of_case(id, &value)?)?;
        let (case, _) = save::load(&view, &net, id, &value, &Wanted::one(number))?;
        let state = case.items.get(&number).map(|item| &item.state);
        Ok(matches!(state, Some(ItemState::Leased(lease)) if lease.nonce == nonce))
    }

    /// Gives a claimed item's result. In one commit, the result goes into the data and the case moves on.
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn complete(&self, token: &str, result: &Value) -> Result<Moved> {
        self.with_claim(token, |machine, number| {
            machine.complete(number, result);
            Ok(())
        })
    }

    /// Gives what became of several claimed items, of one case or many: each a result, as by
    /// [`complete`](Flows::complete), or a failure, as by [`fail`](Flows::fail), in a commit of its own; they wait for
    /// the disk together. Gives for each what moved, or why it was refused.
    ///
    /// # Errors
    /// What concerns the store and so all of them: none is said to be durable then.
    pub fn deliver(&self, outcomes: &[Outcome]) -> Result<Vec<Result<Moved>>> {
        let claims: Vec<_> = outcomes.iter().map(|o| parse_token(&o.token)).collect();
        let sound = claims.iter().zip(outcomes);
        let sound: Vec<_> = sound
            .filter_map(|(claim, outcome)| Some((*claim.as_ref().ok()?, outcome)))
            .collect();
        let cases: Vec<&str> = sound.iter().map(|((case, ..), _)| *case).collect();
        let mut batch = self.batch(cases.iter().copied());
        let moved = batch.transact_each(&cases, |at, family, _| {
            let Some((claim, outcome)) = sound.get(at) else {
                return Ok(());
            };
            self.claimed(family, (&outcome.token, *claim), |machine, number| {
                match &outcome.result {
                    Ok(result) => machine.complete(number, result),
                    Err(failure) => machine.fail(number, failure.clone()),
                }
                Ok(())
            })
        });
        batch.settle()?;
        let mut moved = moved.into_iter();
        let delivered = claims.into_iter().zip(outcomes).map(|(claim, outcome)| {
            claim?;
            of_claim(&outcome.token, moved.next().unwrap_or(Ok(None)))
        });
        Ok(delivered.collect())
    }

    /// Says that a claimed item's attempt failed; it is retried or the case fails, as the task says.
    /// If a case that called this one would go on with more than can be stored, it fails too.
    /// Fails with [`Error::StaleItem`], and then nothing was changed.
    pub fn fail(&self, token: &str, failure: &Failure) -> Result<Moved> {
        let failed = |callers_too: bool| {
            let refused = callers_too.then_some(failure);
            self.with_claim_or(token, refused, |machine, number| {
                machine.fail(number, failure.clone());
                Ok(())
            })
        };
        match failed(false) {
            Err(Error::Store(e)) if e.is_about_input() => failed(true),
            done => done,
        }
    }

    pub(super) fn with_claim(
        &self,
        token: &str,
        event: impl FnMut(&mut Machine<'_>, u64) -> Result<()>,
    ) -> Result<Moved> {
        self.with_claim_or(token, None, event)
    }

    fn with_claim_or(
        &self,
        token: &str,
        refused: Option<&Failure>,
        mut event: impl FnMut(&mut Machine<'_>, u64) -> Result<()>,
    ) -> Result<Moved> {
        let claim = parse_token(token)?;
        let mut batch = self.batch([claim.0]);
        let moved = batch.transact(claim.0, |family, _| {
            refused
                .into_iter()
                .for_each(|failure| family.refuse_callers(failure));
            self.claimed(family, (token, claim), &mut event)
        });
        batch.settled(of_claim(token, moved))
    }

    /// An event of whoever has claimed an item.
    fn claimed(
        &self,
        family: &mut Family<'_>,
        (token, (case, number, nonce)): (&str, (&str, u64, &str)),
        mut event: impl FnMut(&mut Machine<'_>, u64) -> Result<()>,
    ) -> Result<()> {
        let event = &mut |machine: &mut Machine<'_>| {
            let state = machine.case.items.get(&number).map(|i| &i.state);
            let why = match state {
                Some(ItemState::Leased(lease)) if lease.nonce == nonce => None,
                Some(ItemState::Leased(_)) if sabotage::on(Bug::AcceptStaleToken) => None, // planted
                Some(ItemState::Leased(_)) => Some("somebody else has claimed it since"),
                Some(_) => Some("the claim has ended"),
                None => Some("it is finished"),
            };
            if let Some(why) = why {
                // It may not have been written when an earlier process ended.
                let offered = matches!(state, Some(ItemState::Offered { .. }));
                if !offered || !adopt(machine, &self.secret()?, (case, number), nonce) {
                    return Err(stale(token, why));
                }
            }
            event(machine, number)?;
            Ok(true)
        };
        family.event(case, Wanted::one(number), event).map(drop)
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
}

/// What came of an event of whoever has claimed an item.
fn of_claim(token: &str, moved: Result<Option<Moved>>) -> Result<Moved> {
    match moved {
        Err(Error::UnknownCase { .. }) => Err(stale(token, "its case does not exist")),
        Ok(None) => Err(stale(token, "its case is closed")),
        Ok(Some(moved)) => Ok(moved),
        Err(e) => Err(e),
    }
}

fn stale(token: &str, why: &str) -> Error {
    Error::StaleItem {
        item: token.to_owned(),
        why: why.to_owned(),
    }
}

/// Whether that can be a worker's name.
///
/// # Errors
/// [`Error::Input`].
pub fn check_worker(name: &str) -> Result<()> {
    if (1..=MAX_WORKER_NAME).contains(&name.len()) {
        return Ok(());
    }
    let why = format!("a worker's name must have 1 to {MAX_WORKER_NAME} bytes");
    Err(Error::Input { why })
}

/// Which items are claimed, and how.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    pub item: fn(&Item) -> bool,
    /// A claim with a lease need not be written.
    pub quiet: bool,
}

impl Fit {
    /// What a poll takes: whatever there is.
    const ANY: Fit = Fit {
        item: |_| true,
        quiet: true,
    };
    /// What somebody takes by name: host work, and it is theirs over restarts too.
    pub const BY_NAME: Fit = Fit {
        item: is_host,
        quiet: false,
    };
}

pub(super) fn is_host(item: &Item) -> bool {
    matches!(item.work, ItemWork::Host { .. })
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
        idempotency_key: [case, "/", &item.number.to_string()].concat(),
        input: item.input.clone(),
        deadline: lease.deadline,
        lease_until: lease.until,
        work,
    })
}
