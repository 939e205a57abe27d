//! A new case made of another one as it was after an event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value, value};

use super::family::Family;
use super::past::{Past, Step};
use super::record::{self, field, part};
use super::save::{self, Wanted};
use super::{Flows, Moved, keys, relocate};
use crate::case::{Case, Item, ItemState, ItemWork, Lease, Status};
use crate::error::{Error, Result};
use crate::ids;
use crate::machine::Machine;
use crate::net::{Net, TaskKind, Wait};
use crate::sabotage::{self, Bug};

/// Recorded results that are given to a fork in its first commit at most.
const MAX_RESULTS: usize = 10_000;
/// Automatic tasks fired between them at most.
const MAX_FIRED: usize = 10_000;

/// How a case is forked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForkOptions {
    /// The new case's id, as for [`start`](Flows::start); made up if none.
    pub id: Option<String>,
    /// Whether work that the case completed after the event is given to the new one, when that asks for the same work
    /// with the same input, and is not done again: as far as the new case comes with that, before it waits for
    /// anything else.
    pub results: bool,
}

/// A case that was made of another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Forked {
    /// Its id.
    pub case: String,
    /// The last event of the other that is its own too: the last one of the commit that has the event asked for.
    pub at: u64,
    /// How many recorded results were given to it.
    pub results: u64,
    /// What happened, for whoever drives the cases.
    pub moved: Moved,
}

/// A program with its arguments, and its folder.
type Command = (Vec<String>, Option<String>);

/// A completion of the old case after the event.
#[derive(Clone, Debug)]
struct Recorded {
    task: Arc<str>,
    argv: Option<Command>,
    input: Value,
    result: Value,
}

/// A case that is copied, with what is copied as it is.
struct Copy {
    case: Case,
    net: Arc<Net>,
    value: Value,
    raw: Vec<(String, Value)>,
}

impl Flows {
    /// Makes a new case of another one as it was after event `at` of its history, with the cases that it had called.
    /// The other is not changed. The new one has its own id and the other's history so far, then a
    /// [`CaseForked`](crate::EventKind::CaseForked). What somebody had claimed is offered again, and timers have as
    /// much time left as they had (a wait `until` a moment keeps that). It is nobody's called case.
    ///
    /// O(log from the start of the case). Between events of one commit there is no state, so the last event of the
    /// commit counts ([`Forked::at`]).
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseExists`], [`Error::Input`] if there is no such event, or
    /// [`Error::Refused`]: the case had ended by then (`ended`), or the store is in memory and has no log (`no-log`).
    pub fn fork(&self, case: &str, at: u64, options: &ForkOptions) -> Result<Forked> {
        self.must_have_log()?;
        if let Some(id) = options.id.as_ref().filter(|id| !ids::is_case_id(id)) {
            let why = format!("'{id}' is not a case id: write 1 to 128 of A-Z a-z 0-9 . _ -");
            return Err(Error::Input { why });
        }
        let history = self.history(case, 0)?;
        let (first, event) = match (history.first(), history.iter().find(|e| e.seq == at)) {
            (Some(first), Some(event)) => (first, event),
            _ => {
                let why = format!(
                    "case '{case}' has events 1 to {}, and no event {at}",
                    history.len()
                );
                return Err(Error::Input { why });
            }
        };
        let since = self.now().as_micros().saturating_sub(event.at.as_micros());
        let past = Past::new(self, case)?;
        let (mut copies, mut recorded) = (None, Vec::new());
        self.read_log(first.version, |commit| {
            let late = u64::from(sabotage::on(Bug::ForkLater)); // planted
            if commit.version > event.version.saturating_add(late) {
                if copies.is_none() {
                    copies = Some(self.copies(&past, case, since)?);
                }
                if !options.results {
                    return Ok(false);
                }
                let before = past.view();
                past.apply(commit)?;
                if let Some(step) = past.step(self, case, commit)? {
                    self.record(&before, case, &step, &mut recorded)?;
                }
                return Ok(recorded.len() < MAX_RESULTS);
            }
            past.apply(commit)?;
            Ok(true)
        })?;
        let copies = match copies {
            Some(copies) => copies,
            None => self.copies(&past, case, since)?,
        };
        let taken = copies.first().map_or(0, |copy| copy.case.seq);
        let open = copies.first().map(|copy| copy.case.status);
        if let Some(status) = open.filter(|status| status.is_final()) {
            return Err(Error::Refused {
                code: "ended",
                why: format!(
                    "case '{case}' is {status} after that event; fork it at an earlier one"
                ),
            });
        }
        loop {
            let id = match &options.id {
                Some(id) => id.clone(),
                None => ids::new_case_id(self.store.env())?,
            };
            match self.write_fork((case, &id), &copies, &recorded) {
                Err(Error::CaseExists { .. }) if options.id.is_none() => {}
                Err(other) => return Err(other),
                Ok((moved, results)) => {
                    return Ok(Forked {
                        case: id,
                        at: taken,
                        results,
                        moved,
                    });
                }
            }
        }
    }

    /// The case and all below it that are part of its state, as they were.
    fn copies(&self, past: &Past, case: &str, since: i64) -> Result<Vec<Copy>> {
        let (view, now) = (past.view(), self.now());
        let mut copies: Vec<Copy> = Vec::new();
        let mut todo = VecDeque::from([case.to_owned()]);
        while let Some(id) = todo.pop_front() {
            let Some(value) = save::read(&view, &keys::case(&id))? else {
                continue;
            };
            let net = record::net_of_case(&id, &value)?;
            let net = self.net(&self.store.snapshot(), &net)?;
            let (mut case, _) = relocate::whole(&view, &net, &id, &value)?;
            for item in case.items.values_mut() {
                if let ItemWork::Flow { case } = &item.work {
                    todo.push_back(case.clone());
                }
                anew(&net, item, now, since);
            }
            let later =
                |at: Timestamp| Timestamp::from_micros(at.as_micros().saturating_add(since));
            case.deadline = case.deadline.map(later);
            // Called cases that undo what they did, while this one waits for their end.
            let waits = case.recovery.waits.iter();
            todo.extend(waits.map(|number| ids::child(&id, *number)));
            let done = case.done.values().flatten();
            todo.extend(done.filter_map(|done| done.case.clone()));
            let mut raw = Vec::new();
            for prefix in [keys::history(&id), ["m/", &id, "/"].concat()] {
                let space = Space::default();
                raw.extend(view.doc_scan(Primitive::Flow, &space, &prefix, None, usize::MAX)?);
            }
            copies.push(Copy {
                case,
                net,
                value,
                raw,
            });
        }
        Ok(copies)
    }

    /// Notes what a commit's completions were asked with and what they gave.
    fn record(
        &self,
        before: &impl Reader,
        id: &str,
        step: &Step,
        recorded: &mut Vec<Recorded>,
    ) -> Result<()> {
        let Some(value) = save::read(before, &keys::case(id))? else {
            return Ok(());
        };
        let key = record::net_of_case(id, &value)?;
        let net = self.net(&self.store.snapshot(), &key)?;
        for number in step.completed() {
            let (case, _) = save::load(before, &net, id, &value, &Wanted::all())?;
            let Some(item) = case.items.get(&number).cloned() else {
                continue;
            };
            let Some((task, work)) = net
                .tasks
                .get(item.task)
                .and_then(|t| Some((t, t.kind.work()?)))
            else {
                continue;
            };
            let gave = match item.instance {
                None => {
                    let into = save::below(field::DATA, &work.into);
                    step.set(&keys::case(id), &into)
                }
                Some(_) => {
                    let path = Path::root().key(part::RESULT);
                    step.set(&keys::item(id, number), &path)
                }
            };
            let Some(result) = gave else { continue };
            // Who claims it last is who completed it: either that is written, or nothing changed in between.
            let claimed = item.attempt > 0 || item.instance.is_some();
            let (work, input) = match claimed {
                true => (item.work.clone(), item.input.clone()),
                false => {
                    let machine = Machine::new(&net, case, self.now());
                    match machine.prepare(item.task) {
                        Ok((work, input)) => (work.unwrap_or(item.work.clone()), input),
                        Err(_) => continue,
                    }
                }
            };
            recorded.push(Recorded {
                task: task.name.clone(),
                argv: command(&work),
                input,
                result,
            });
        }
        Ok(())
    }

    fn write_fork(
        &self,
        (from, id): (&str, &str),
        copies: &[Copy],
        recorded: &[Recorded],
    ) -> Result<(Moved, u64)> {
        let mut given = 0;
        let moved = self.transact(id, |family, txn| {
            if save::read(txn, &keys::case(id))?.is_some() {
                let case = id.to_owned();
                return Err(Error::CaseExists { case });
            }
            // Those below first: a case that begins finds what it called.
            for copy in copies.iter().rev() {
                family.copy(txn, (from, id), copy)?;
            }
            if !recorded.is_empty() {
                family.event(id, Wanted::all(), &mut |machine| {
                    given = give_again(machine, recorded);
                    Ok(!machine.needs.is_empty() || !machine.notes.is_empty())
                })?;
            }
            Ok(())
        })?;
        let mut moved = moved.unwrap_or_else(|| Moved::nothing(id));
        if *moved.case != *id {
            // What was written first is a case below: the new one is what the caller wants to hear of.
            let also = std::mem::take(&mut moved.also);
            let (mine, others): (Vec<Moved>, Vec<Moved>) = std::iter::once(moved)
                .chain(also)
                .partition(|m| *m.case == *id);
            moved = mine
                .into_iter()
                .next()
                .unwrap_or_else(|| Moved::nothing(id));
            moved.also = others;
        }
        Ok((moved, given))
    }
}

/// An item as the fork has it: nobody has claimed it, and it has as much time left as it had.
fn anew(net: &Net, item: &mut Item, now: Timestamp, since: i64) {
    let later = |at: Timestamp| Timestamp::from_micros(at.as_micros().saturating_add(since));
    let kind = net.tasks.get(item.task).map(|t| &t.kind);
    let fixed = matches!(kind, Some(TaskKind::Wait(Wait::Until(_) | Wait::Cron(_))));
    item.deadline = item.deadline.map(later);
    match &mut item.state {
        ItemState::Leased(_) => {
            item.attempt = item.attempt.saturating_sub(1);
            item.state = ItemState::Offered { since: now };
        }
        ItemState::Offered { since } | ItemState::Listening { since } => *since = now,
        ItemState::BackingOff { until, .. } => *until = later(*until),
        ItemState::Waiting { until, .. } if !fixed => *until = later(*until),
        _ => {}
    }
}

fn command(work: &ItemWork) -> Option<Command> {
    match work {
        ItemWork::Process { argv, cwd } => Some((argv.clone(), cwd.clone())),
        _ => None,
    }
}

/// Lets a case go on as long as what it asks for was recorded; gives how many results it got.
fn give_again(machine: &mut Machine<'_>, recorded: &[Recorded]) -> u64 {
    let mut left: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for of in recorded {
        left.entry(&of.task).or_default().push(of);
    }
    let (mut given, mut fired) = (0_u64, 0_usize);
    loop {
        while machine.needs.is_empty() && fired < MAX_FIRED && machine.fire() {
            fired = fired.saturating_add(1);
        }
        if !machine.needs.is_empty() || machine.case.status != Status::Running {
            return given;
        }
        let offered = machine.case.items.values().filter(|item| {
            matches!(item.state, ItemState::Offered { .. })
                && matches!(item.work, ItemWork::Host { .. } | ItemWork::Process { .. })
        });
        let next = offered.into_iter().find_map(|item| {
            let task = machine.net.tasks.get(item.task)?;
            let of_task = left.get_mut(&*task.name).filter(|of| !of.is_empty())?;
            let (input, argv) = asked(machine, item)?;
            let mut all = of_task.iter();
            let at = all.position(|of| input == of.input && argv == of.argv);
            Some((item.number, of_task.remove(at?).result.clone()))
        });
        let Some((number, result)) = next else {
            return given;
        };
        let lease = Lease {
            worker: "recorded".to_owned(),
            nonce: "recorded".to_owned(),
            since: machine.now,
            until: None,
            deadline: None,
        };
        if machine.claim(number, lease) {
            machine.complete_recorded(number, result);
            given = given.saturating_add(1);
        }
    }
}

/// What an offered item would get, and the program that it would run, if it is one.
fn asked(machine: &Machine<'_>, item: &Item) -> Option<(Value, Option<Command>)> {
    if item.attempt > 0 || item.failures > 0 || item.instance.is_some() {
        return Some((item.input.clone(), command(&item.work)));
    }
    let (work, input) = machine.prepare(item.task).ok()?;
    Some((input, command(work.as_ref().unwrap_or(&item.work))))
}

impl Family<'_> {
    /// Writes a copy of a case under the fork's id.
    fn copy(&mut self, txn: &Txn, (from, to): (&str, &str), copy: &Copy) -> Result<()> {
        let name = |id: &str| match id.strip_prefix(from) {
            Some(rest) => [to, rest].concat(),
            None => id.to_owned(),
        };
        let is_head = *copy.case.id == *from;
        let mut case = copy.case.clone();
        let id = name(&case.id);
        case.parent = case.parent.filter(|_| !is_head).map(|mut parent| {
            parent.case = name(&parent.case).into();
            parent
        });
        let old = std::mem::replace(&mut case.id, id.as_str().into());
        for item in case.items.values_mut() {
            item.stored = false;
            if let ItemWork::Flow { case } = &mut item.work {
                *case = name(case);
            }
        }
        for done in case.done.values_mut().flatten() {
            done.case = done.case.as_deref().map(name);
        }
        let space = Space::default();
        let create = |key: &str, value: Value| txn.doc_create(Primitive::Flow, &space, key, value);
        for item in case.finished.values() {
            if let Some(document) = record::item_to_value(&case, item)? {
                create(&keys::item(&id, item.number), document)?;
            }
        }
        for (key, value) in &copy.raw {
            // <kind>/<case>/<rest>
            let mut parts = key.splitn(3, '/');
            let (kind, rest) = (
                parts.next().unwrap_or_default(),
                parts.nth(1).unwrap_or_default(),
            );
            create(&[kind, "/", &id, "/", rest].concat(), value.clone())?;
        }
        let seq = case.seq;
        let mut machine = Machine::new(&copy.net, case, self.now);
        machine.forked(value!({"from": (&*old), "at": seq}));
        let after = self.effects(&copy.net, &mut machine);
        let moved = save::create(txn, machine)?;
        if !relocate::moves_of(&copy.value).is_empty() {
            let moves = copy.value.get(field::MOVES).unwrap_or_default();
            let path = Path::root().key(field::MOVES);
            txn.doc_set(Primitive::Flow, &space, &keys::case(&id), &path, moves)?;
        }
        self.done(moved, after);
        Ok(())
    }
}
