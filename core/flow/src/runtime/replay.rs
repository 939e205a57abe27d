//! A recorded case done again: every commit's event is given to the machine once more, and what follows is compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::Reader;
use statewright_value::{Path, Value};

use super::batch::NOT_STORED;
use super::past::{Past, Step};
use super::record::{self, field, part};
use super::{Flows, keys, relocate, save};
use crate::case::{Case, EventKind, HistoryEvent, ItemState, ItemWork, Lease, Status};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::ids;
use crate::machine::{Ended, Machine, Note};
use crate::net::Net;

/// What doing a recorded case again came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Replayed {
    /// The case.
    pub case: String,
    /// The version that it was done on; of several, the last.
    pub version: u64,
    /// How many of its events were done again, and came out the same.
    pub events: u64,
    /// Where it first came out otherwise; none if it did not.
    pub difference: Option<Difference>,
}

/// Where a case done again came out otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The first event of the commit.
    pub seq: u64,
    /// What differs: `events`, `status`, `data` or `tokens`.
    pub what: &'static str,
    /// What is recorded.
    pub recorded: Vec<String>,
    /// What came now.
    pub found: Vec<String>,
}

/// A case while it is done again.
struct Again {
    net: Arc<Net>,
    case: Case,
    /// The numbers that recorded items have now.
    items: BTreeMap<u64, u64>,
    /// Whether it is done on another version than it was.
    other: bool,
}

impl Flows {
    /// Does a recorded case again, commit by commit, with the results, failures, signals and times that are recorded,
    /// and tells where the machine comes to something else. Nothing is changed. O(log from the start of the case).
    ///
    /// With a spec (`with`: its text and folder), it is done on that from its start, items being matched by the order
    /// in which they come up: so a new version can be tried on what happened. Else it is done on the versions on which
    /// it was, and data, tokens and status are compared after each commit too.
    ///
    /// Called cases are not done again; what they gave is recorded. Of a case that was forked, what is before that
    /// is the other's and is left out.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::InvalidSpec`], or [`Error::Refused`]: the store is in memory
    /// (`no-log`), or a fork is to be done on another version (`forked`).
    pub fn replay(&self, case: &str, with: Option<(&str, Option<&str>)>) -> Result<Replayed> {
        self.must_have_log()?;
        let other = match with {
            None => None,
            Some((source, dir)) => {
                let net = Net::compile(source, dir);
                Some(Arc::new(
                    net.map_err(|problems| Error::InvalidSpec { problems })?,
                ))
            }
        };
        let history = self.history(case, 0)?;
        let first = history.first().map_or(1, |event| event.version);
        let last = history.last().map_or(0, |event| event.version);
        let past = Past::new(self, case)?;
        let mut again: Option<Again> = None;
        let mut replayed = Replayed {
            case: case.to_owned(),
            version: 0,
            events: 0,
            difference: None,
        };
        self.read_log(first, |commit| {
            past.apply(commit)?;
            if let Some(step) = past.step(self, case, commit)? {
                self.step_again(
                    &past,
                    case,
                    &step,
                    other.as_ref(),
                    &mut again,
                    &mut replayed,
                )?;
            }
            Ok(replayed.difference.is_none() && commit.version < last)
        })?;
        replayed.version = again.map_or(0, |again| again.net.version);
        Ok(replayed)
    }

    fn step_again(
        &self,
        past: &Past,
        id: &str,
        step: &Step,
        other: Option<&Arc<Net>>,
        again: &mut Option<Again>,
        replayed: &mut Replayed,
    ) -> Result<()> {
        let view = past.view();
        let value = save::read(&view, &keys::case(id))?.unwrap_or_default();
        let has = |kind: EventKind| step.events.iter().any(|e| e.kind == kind);
        let key = record::net_of_case(id, &value)?;
        let recorded = || self.net(&self.store.snapshot(), &key);
        if has(EventKind::CaseForked) || has(EventKind::CaseMigrated) && other.is_none() {
            // From here on, what is recorded is where it is.
            if other.is_some() {
                let why =
                    "the case was forked: it has no start that could be done on another version";
                return Err(Error::Refused {
                    code: "forked",
                    why: why.to_owned(),
                });
            }
            let net = recorded()?;
            let case = relocate::whole(&view, &net, id, &value)?.0;
            *again = Some(Again {
                net,
                case,
                items: BTreeMap::new(),
                other: false,
            });
            return Ok(());
        }
        if has(EventKind::CaseMigrated) {
            return Ok(());
        }
        let begins = again.is_none();
        let now = match again.take() {
            Some(now) => now,
            None => begun(
                id,
                &value,
                other.cloned().map_or_else(recorded, Ok)?,
                other.is_some(),
            )?,
        };
        // A claim that is written with it was made before, and if the clock was set back since, at a later time.
        let at = step.events.last().map(|e| e.at);
        let (net, other) = (now.net, now.other);
        let (mut case, mut items) = (now.case, now.items);
        case.ended.clear();
        case.writes.clear();
        let mut machine = Machine::new(&net, case, at.unwrap_or_default());
        if begins {
            machine.start();
        }
        let source = Source {
            id,
            view: &view,
            step,
            value: &value,
        };
        let mut same = true;
        for (i, event) in step.events.iter().enumerate() {
            if machine.notes.len() <= i {
                source.ended(&mut machine)?;
            }
            if machine.notes.len() <= i {
                let rest = step.events.get(i..).unwrap_or_default();
                source.cause(&mut machine, &items, rest)?;
            }
            let note = machine.notes.get(i);
            same &= note.is_some_and(|note| is_same(&net, (&mut items, other), event, note));
            if !same {
                break;
            }
        }
        if same {
            source.ended(&mut machine)?;
        }
        same &= machine.notes.len() == step.events.len();
        let notes = std::mem::take(&mut machine.notes);
        let mut case = machine.case;
        case.seq = case.seq.saturating_add(notes.len() as u64);
        case.updated = at.unwrap_or_default();
        let seq = step.events.first().map_or(0, |e| e.seq);
        if !same {
            replayed.difference = Some(Difference {
                seq,
                what: "events",
                recorded: step.events.iter().map(of_event).collect(),
                found: notes.iter().map(|note| of_note(&net, note)).collect(),
            });
        } else if !other {
            replayed.difference = differs(&net, id, &value, &case, seq)?;
        }
        if replayed.difference.is_none() {
            let done = step.events.len() as u64;
            replayed.events = replayed.events.saturating_add(done);
        }
        *again = Some(Again {
            net,
            case,
            items,
            other,
        });
        Ok(())
    }
}

/// A case that begins as the recorded one did.
fn begun(id: &str, value: &Value, net: Arc<Net>, other: bool) -> Result<Again> {
    let data = value.get(field::DATA).unwrap_or_default();
    let key = record::net_of_case(id, value)?;
    let created = record::created_of(id, value)?;
    let marking = net.skeleton().empty();
    let case = Case::new(id.into(), key.into(), marking, data, created);
    Ok(Again {
        net,
        case,
        items: BTreeMap::new(),
        other,
    })
}

/// Whether what came is what is recorded; items that come up for the first time are the same from then on.
fn is_same(
    net: &Net,
    (items, other): (&mut BTreeMap<u64, u64>, bool),
    event: &HistoryEvent,
    note: &Note,
) -> bool {
    let name = note.task.and_then(|t| net.tasks.get(t)).map(|t| &t.name);
    if (note.kind, name) != (event.kind, event.task.as_ref()) {
        return false;
    }
    match (event.item, note.item) {
        (None, None) => true,
        (Some(recorded), Some((number, attempt))) => {
            let is = *items.entry(recorded).or_insert(number);
            is == number && (other || recorded == number) && event.attempt == Some(attempt)
        }
        _ => false,
    }
}

/// What of the state after a commit is not as it is recorded.
fn differs(net: &Net, id: &str, value: &Value, now: &Case, seq: u64) -> Result<Option<Difference>> {
    let (recorded, _) = record::case_from_value(net, id, value)?;
    let tokens = |case: &Case| {
        let marked = case.marking.marked();
        let show = |(place, n)| format!("{}: {n}", record::place_name(net, place));
        marked.map(show).collect::<Vec<String>>()
    };
    let of = |what, recorded: Vec<String>, found: Vec<String>| {
        let difference = Difference {
            seq,
            what,
            recorded,
            found,
        };
        (difference.recorded != difference.found).then_some(difference)
    };
    let status = |case: &Case| vec![case.status.to_string()];
    if recorded.data != now.data {
        let json = |case: &Case| vec![case.data.to_json()];
        return Ok(of("data", json(&recorded), json(now)));
    }
    Ok(of("status", status(&recorded), status(now))
        .or_else(|| of("tokens", tokens(&recorded), tokens(now))))
}

fn of_event(event: &HistoryEvent) -> String {
    let task = event.task.as_deref().map(|t| format!(" {t}"));
    format!("{}{}", event.kind.name(), task.unwrap_or_default())
}

fn of_note(net: &Net, note: &Note) -> String {
    let task = note.task.and_then(|t| net.tasks.get(t));
    let task = task.map(|t| format!(" {}", t.name));
    format!("{}{}", note.kind.name(), task.unwrap_or_default())
}

/// Whether events of a kind only ever follow from others.
fn only_follows(kind: EventKind) -> bool {
    use EventKind::*;
    matches!(
        kind,
        Withdrawn
            | Emptied
            | Cancelled
            | Skipped
            | Absorbed
            | Overrun
            | Failed
            | CaseFailed
            | Caught
            | InstancesJoined
            | TimerSet
            | Listening
    )
}

/// What is recorded of a commit, and of what was there after it.
struct Source<'a, V: Reader> {
    id: &'a str,
    view: &'a V,
    step: &'a Step,
    value: &'a Value,
}

impl<V: Reader> Source<'_, V> {
    /// Does to the machine what led to the first of these events.
    fn cause(
        &self,
        machine: &mut Machine<'_>,
        items: &BTreeMap<u64, u64>,
        events: &[HistoryEvent],
    ) -> Result<()> {
        use EventKind::*;
        let caused = events.iter().position(|e| !only_follows(e.kind));
        let before = events.get(..caused.unwrap_or(events.len()));
        if let Some(failed) = before.unwrap_or_default().iter().find(|e| e.kind == Failed)
            && (self.not_stored(machine, items, failed)?
                || self.not_taken(machine, items, failed)?)
        {
            return Ok(());
        }
        let Some(event) = caused.and_then(|at| events.get(at)) else {
            self.unsaid(machine, items, events);
            return Ok(());
        };
        let item = event.item.unwrap_or_default();
        let number = items.get(&item).copied().unwrap_or(item);
        let text = |field: &str| {
            let value = event.detail.get(field).unwrap_or_default();
            value.as_str().unwrap_or_default().to_owned()
        };
        let task = event.task.as_deref().and_then(|t| machine.net.task(t));
        match event.kind {
            Started => self.claim(machine, number, event.at, &text("worker")),
            Completed => self.complete(machine, item, number)?,
            AttemptFailed => {
                let failure = Failure::from_value(&event.detail)?;
                machine.attempt_failed(number, AttemptFailed, failure);
            }
            TimedOut | TimerFired => machine.due(number),
            Offered if event.attempt.is_some_and(|n| n > 0) => machine.due(number),
            DeadlinePassed if event.item.is_some() => machine.due(number),
            DeadlinePassed => {
                let fails = event.detail.get("to").is_none();
                let failure = fails.then(|| Failure::from_value(&event.detail));
                machine.end_late(failure.transpose()?);
            }
            LeaseExpired => {
                let now = machine.now;
                if let Some(item) = machine.case.items.get_mut(&number)
                    && let ItemState::Leased(lease) = &mut item.state
                {
                    lease.until = Some(now);
                    lease.deadline = None;
                }
                machine.due(number);
            }
            Released => machine.release(number),
            Delegated => machine.delegate(number, &text("worker"), "recorded", None),
            WorkSkipped => machine.skip(number, event.detail.clone()),
            Signalled => self.signalled(machine, item, number),
            SignalKept | SignalDropped => {
                let signal = text("signal");
                let data = self.step.kept(self.id, &signal);
                machine.signal(&signal, &data.unwrap_or_default());
            }
            CaseCancelled => machine.stop(Status::Cancelled, &text("reason")),
            CaseTerminated => machine.stop(Status::Terminated, &text("reason")),
            // There was nothing to undo.
            CaseCompensated if machine.case.status != Status::Compensating => {
                let _ = machine.compensate(&text("reason"));
            }
            CaseCompensating => self.unsaid(machine, items, events),
            CaseSuspended => {
                machine.suspend();
            }
            CaseResumed => {
                machine.resume();
            }
            TaskCancelled => {
                task.map(|task| machine.cancel_task(task));
            }
            TaskForced => {
                let _ = task.map(|task| machine.force_task(task));
            }
            InstancesAdded => {
                let added = self.added(event)?;
                let _ = task.map(|task| machine.add_instances(task, added));
            }
            _ => {
                machine.fire();
            }
        }
        Ok(())
    }

    fn claim(&self, machine: &mut Machine<'_>, number: u64, since: Timestamp, worker: &str) {
        let task = machine.case.items.get(&number).map(|i| i.task);
        let timeout = task
            .and_then(|t| machine.net.tasks.get(t))
            .and_then(|t| t.kind.work()?.timeout);
        let lease = Lease {
            worker: worker.to_owned(),
            nonce: "recorded".to_owned(),
            since,
            until: None,
            deadline: timeout.map(|t| since.saturating_add(t)),
        };
        machine.claim_again(number, lease);
    }

    /// What the item's task made of what came for it.
    fn result(&self, machine: &Machine<'_>, item: u64, number: u64) -> Option<Value> {
        let of = machine.case.items.get(&number)?;
        if of.instance.is_some() {
            let path = Path::root().key(part::RESULT);
            return self.step.set(&keys::item(self.id, item), &path);
        }
        let work = machine.net.tasks.get(of.task)?.kind.work()?;
        let into = save::below(field::DATA, &work.into);
        self.step.set(&keys::case(self.id), &into)
    }

    fn complete(&self, machine: &mut Machine<'_>, item: u64, number: u64) -> Result<()> {
        let result = self.result(machine, item, number).unwrap_or_default();
        let work = machine.case.items.get(&number).map(|i| i.work.clone());
        let case = match work {
            Some(ItemWork::Flow { case }) => case,
            Some(ItemWork::Compensate) => {
                // It completes by finding nothing more to undo.
                machine.fire();
                return Ok(());
            }
            _ => {
                machine.complete_recorded(number, result);
                return Ok(());
            }
        };
        let (mut undoable, mut compensated) = (false, false);
        if let Some(called) = save::read(self.view, &keys::case(&case))? {
            let left = called.get(field::RECOVERY).and_then(|u| u.get("left"));
            undoable = left.and_then(|n| n.as_u64()).is_some_and(|n| n > 0);
            compensated = record::status_of(&case, &called)? == Status::Compensated;
        }
        machine.record(Some(result));
        machine.called_ended(
            number,
            &Ended {
                outcome: Ok(Value::NULL),
                undoable,
                compensated,
            },
        );
        machine.record(None);
        Ok(())
    }

    /// Cancelled cases that the case waits for have ended; of that, its history does not tell.
    fn ended(&self, machine: &mut Machine<'_>) -> Result<()> {
        for number in machine.case.recovery.waits.clone() {
            let called = ids::child(self.id, number);
            let Some(value) = save::read(self.view, &keys::case(&called))? else {
                continue;
            };
            if record::status_of(&called, &value)?.is_final() {
                let ended = Ended {
                    outcome: Ok(Value::NULL),
                    undoable: false,
                    compensated: false,
                };
                machine.called_ended(number, &ended);
            }
        }
        Ok(())
    }

    /// A signal came, or one that was kept was taken.
    fn signalled(&self, machine: &mut Machine<'_>, item: u64, number: u64) {
        machine.record(self.result(machine, item, number));
        let kept = match machine.case.items.get(&number).map(|i| &i.work) {
            Some(ItemWork::Signal { signal, key: None }) => {
                machine.case.mail.contains_key(signal.as_str())
            }
            _ => false,
        };
        match kept {
            true => {
                machine.fire();
            }
            false => machine.signalled(number, &Value::NULL),
        }
        machine.record(None);
    }

    /// What a task came to could not be stored, so that it failed instead: to do it again would not fail.
    fn not_stored(
        &self,
        machine: &mut Machine<'_>,
        items: &BTreeMap<u64, u64>,
        event: &HistoryEvent,
    ) -> Result<bool> {
        let message = event.detail.get("message").unwrap_or_default();
        let refused = message.as_str().is_some_and(|m| m.starts_with(NOT_STORED));
        let failure = || Failure::from_value(&event.detail);
        let number = event.item.map(|n| items.get(&n).copied().unwrap_or(n));
        let item = number.and_then(|n| Some((n, machine.case.items.get(&n)?)));
        match item.map(|(n, item)| (n, &item.state)) {
            // Else the end of what it called would come before.
            Some((number, ItemState::Running { .. })) => {
                return Ok(machine.refuse_called(number, &failure()?));
            }
            Some((number, ItemState::Offered { .. })) if refused => {
                machine.fail_offered(number, failure()?);
            }
            _ if refused => machine.refuse(failure()?),
            _ => {}
        }
        Ok(refused)
    }

    /// A task that waited for a signal failed: of that, what is recorded is the failure.
    fn not_taken(
        &self,
        machine: &mut Machine<'_>,
        items: &BTreeMap<u64, u64>,
        event: &HistoryEvent,
    ) -> Result<bool> {
        let item = event.item.unwrap_or_default();
        let number = items.get(&item).copied().unwrap_or(item);
        let item = machine.case.items.get(&number);
        let Some(ItemWork::Signal { signal, key }) = item.map(|i| &i.work) else {
            return Ok(false);
        };
        match key.is_none() && machine.case.mail.contains_key(signal.as_str()) {
            true => {
                machine.fire();
            }
            false => machine.signal_failed(number, Failure::from_value(&event.detail)?),
        }
        Ok(true)
    }

    /// What led to these events is not told by any of them: somebody ended the case, which waits for others or undoes
    /// what it did; the work that somebody took could not be given its input; or the case went on by itself.
    fn unsaid(
        &self,
        machine: &mut Machine<'_>,
        items: &BTreeMap<u64, u64>,
        events: &[HistoryEvent],
    ) {
        match (machine.case.status, self.ending()) {
            (Status::Compensating, _) => {}
            // Nothing else happens to a case that has ended.
            (Status::Running, Some(Status::Compensated)) => {
                let _ = machine.compensate("");
                return;
            }
            (status, _) if status.is_final() => {
                let _ = machine.compensate("");
                return;
            }
            (_, Some(Status::Cancelled)) => return machine.stop(Status::Cancelled, ""),
            _ => {}
        }
        let mut failed = events.iter().filter(|e| e.kind == EventKind::Failed);
        let item = failed.find_map(|e| e.item);
        let number = item.map(|item| items.get(&item).copied().unwrap_or(item));
        let offered = |n: &u64| {
            let state = machine.case.items.get(n).map(|i| &i.state);
            matches!(state, Some(ItemState::Offered { .. }))
        };
        match number.filter(offered) {
            Some(number) => self.claim(machine, number, machine.now, ""),
            None => {
                machine.fire();
            }
        }
    }

    /// How the case ends, or has ended, when all is undone that is to be.
    fn ending(&self) -> Option<Status> {
        let recovery = self.value.get(field::RECOVERY).unwrap_or_default();
        let ending = recovery.get("ending").and_then(|e| e.get("status"));
        let named = |s: &Status| {
            let name = ending
                .as_ref()
                .and_then(|e| e.as_str().map(|e| e == s.name()));
            name.unwrap_or(false)
        };
        let ends = [Status::Cancelled, Status::Compensated, Status::Failed];
        match ending {
            Some(_) => ends.into_iter().find(named),
            None => record::status_of(self.id, self.value).ok(),
        }
    }

    /// What instances were made of that somebody added.
    fn added(&self, event: &HistoryEvent) -> Result<Vec<Value>> {
        let number = |field: &str| event.detail.get(field).and_then(|n| n.as_u64());
        let (first, count) = (
            number("first").unwrap_or(0),
            number("instances").unwrap_or(0),
        );
        let mut items = Vec::new();
        for n in first..first.saturating_add(count) {
            let document = save::read(self.view, &keys::item(self.id, n))?.unwrap_or_default();
            let of = document.get(part::INSTANCE).and_then(|of| of.index(2));
            items.push(of.unwrap_or_default());
        }
        Ok(items)
    }
}
