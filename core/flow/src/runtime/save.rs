//! Loading a case into a transaction and writing back what an event changed, as path-level ops.

use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Segment, Value};

use super::record::{self, field, part};
use super::{journal, keys, lanes, recovery, waiting};
use crate::case::{Case, HistoryEvent, Item, ItemState, ItemWork, Status};
use crate::error::{Error, Result};
use crate::machine::{Machine, Needs};
use crate::net::{Net, Task, TaskKind};

/// What one commit did to a case, for whoever goes on from there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Moved {
    /// The case.
    pub case: Arc<str>,
    /// The commit's version.
    pub version: u64,
    /// What happened, in order.
    pub events: Vec<HistoryEvent>,
    /// Whether work was offered to process workers.
    pub process_offered: bool,
    /// The topics under which work was offered to hosts.
    pub topics_offered: Vec<String>,
    /// When time alone may change the case, if that is new: of several, the earliest.
    pub next_due: Option<Timestamp>,
    /// Whether an automatic task is enabled: the case is to be [advanced](crate::Flows::advance).
    pub more: bool,
    /// How the case ended, if it did in this commit.
    pub closed: Option<Status>,
    /// The keys under which work was offered to hosts.
    pub(crate) offered: Vec<String>,
    /// Whether something of it stands in a lane.
    pub(crate) lined: bool,
    /// What the same commit did to other cases: those it called, and the one that called it.
    pub also: Vec<Moved>,
}

pub(crate) fn read(view: &impl Reader, key: &str) -> Result<Option<Value>> {
    Ok(view.doc_get(Primitive::Flow, &Space::default(), key, &Path::root())?)
}

/// What an event needs to see beside the case itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// All items in flight.
    all: bool,
    needs: Needs,
}

impl Wanted {
    pub fn none() -> Wanted {
        Wanted::default()
    }

    pub fn all() -> Wanted {
        Wanted {
            all: true,
            needs: Needs::default(),
        }
    }

    pub fn one(number: u64) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.item(number);
        wanted
    }

    /// Adds an item.
    pub fn item(&mut self, number: u64) {
        self.needs.items.insert(number);
    }

    /// Adds a signal that is kept.
    pub fn letter(&mut self, signal: &Arc<str>, number: u64) {
        self.needs.letters.insert((signal.clone(), number));
    }

    /// Adds a completion that can be undone.
    pub fn done(&mut self, number: u64) {
        self.needs.done.insert(number);
    }

    /// Adds to it; false if that is all there already.
    pub fn add(&mut self, needs: Needs) -> bool {
        let count = |n: &Needs| (n.items.len(), n.letters.len(), n.done.len());
        let before = count(&self.needs);
        self.needs.items.extend(needs.items);
        self.needs.letters.extend(needs.letters);
        self.needs.done.extend(needs.done);
        before != count(&self.needs)
    }
}

/// A case with what of it is wanted; and whether it is in the index of those that go on by themselves.
pub(crate) fn load(
    view: &impl Reader,
    net: &Net,
    id: &str,
    value: &Value,
    wanted: &Wanted,
) -> Result<(Case, bool)> {
    let (mut case, ready) = record::case_from_value(net, id, value)?;
    fill(view, net, &mut case, wanted)?;
    Ok((case, ready))
}

/// Reads what is wanted of a case beside its own document.
pub(crate) fn fill(view: &impl Reader, net: &Net, case: &mut Case, wanted: &Wanted) -> Result<()> {
    let id = &*case.id.clone();
    let numbers: Vec<u64> = if wanted.all {
        case.numbers().collect()
    } else {
        wanted.needs.items.iter().copied().collect()
    };
    for number in numbers {
        let key = keys::item(id, number);
        let read = || read(view, &key)?.ok_or_else(|| Error::damaged(&key, "document"));
        if let Some(item) = case.items.get_mut(&number) {
            if item.stored {
                record::complete_item(&key, item, read()?.by_ref())?;
            }
        } else if case.groups.values().any(|g| g.has(number)) {
            let item = record::instance_from_value(net, case, number, &read()?)?;
            if item.state.is_final() {
                case.finished.insert(number, item);
            } else {
                case.items.insert(number, item);
            }
        }
    }
    recovery::load(view, net, case, wanted.needs.done.iter().copied())?;
    for (signal, number) in &wanted.needs.letters {
        let key = keys::mail(id, signal, *number);
        let value = read(view, &key)?.ok_or_else(|| Error::damaged(&key, "document"))?;
        case.letters.insert((signal.clone(), *number), value);
    }
    Ok(())
}

/// Writes a new case.
pub(crate) fn create(txn: &Txn, machine: Machine<'_>) -> Result<Moved> {
    let key = keys::case(&machine.case.id);
    let id = machine.case.id.clone();
    if read(txn, &key)?.is_some() {
        return Err(Error::CaseExists {
            case: id.to_string(),
        });
    }
    let writer = Writer {
        txn,
        space: Space::default(),
    };
    let (moved, (net, case)) = writer.parts(None, machine)?;
    let ready = is_ready(net, &moved, &case);
    writer.create(
        &key,
        packed(&moved, record::case_to_value(net, &case, ready)?),
    )?;
    if moved.closed.is_none() {
        writer.create(&keys::open(&id), Value::NULL)?;
    }
    if ready {
        writer.create(&keys::ready(&id), Value::NULL)?;
    }
    Ok(moved)
}

/// Writes what an event changed in a case; `was_ready` is what [`load`] said.
pub(crate) fn update(
    txn: &Txn,
    before: &Case,
    was_ready: bool,
    machine: Machine<'_>,
) -> Result<Moved> {
    let writer = Writer {
        txn,
        space: Space::default(),
    };
    let (moved, (net, after)) = writer.parts(Some(before), machine)?;
    let key = keys::case(&after.id);
    let set = |field: &str, value: Value| writer.set(&key, &Path::root().key(field), value);
    for (path, value) in &after.writes {
        writer.set(&key, &below(field::DATA, path), value.clone())?;
    }
    writer.mail(before, &after)?;
    recovery::update(txn, net, before, &after)?;
    if before.deadline != after.deadline {
        set(field::DEADLINE, record::deadline_to_value(&after))?;
    }
    if let (true, Some(parent)) = (before.parent != after.parent, &after.parent) {
        set(field::PARENT, record::parent_to_value(parent))?;
    }
    let ready = is_ready(net, &moved, &after);
    set(field::STATE, record::state_to_value(net, &after, ready)?)?;
    for (field, value) in [(field::RESULT, &after.result), (field::ERROR, &after.error)] {
        if let Some(value) = value {
            set(field, value.clone())?;
        }
    }
    match (before.status.is_final(), after.status.is_final()) {
        (false, true) => writer.drop(&keys::open(&after.id))?,
        (true, false) => writer.create(&keys::open(&after.id), Value::NULL)?,
        _ => {}
    }
    match (was_ready, ready) {
        (false, true) => writer.create(&keys::ready(&after.id), Value::NULL)?,
        (true, false) => writer.drop(&keys::ready(&after.id))?,
        _ => {}
    }
    Ok(moved)
}

/// A case that was put on another net.
pub(crate) struct Relocated<'a> {
    /// The net that it was on, and the case there.
    pub old: &'a Net,
    pub was: &'a Case,
    /// The same on the new net, with its work as it was.
    pub before: &'a Case,
    /// What [`load`] said.
    pub ready: bool,
    /// The field of its moves.
    pub moves: Value,
}

/// Writes a case on another net, and what followed from that.
pub(crate) fn relocate(txn: &Txn, on: Relocated<'_>, machine: Machine<'_>) -> Result<Moved> {
    let writer = Writer {
        txn,
        space: Space::default(),
    };
    let (net, id) = (machine.net, machine.case.id.clone());
    let key = keys::case(&id);
    let set = |field: &str, value: Value| writer.set(&key, &Path::root().key(field), value);
    set(field::NET, Value::from(&*machine.case.net))?;
    set(field::MOVES, on.moves)?;
    // Tasks are numbered otherwise, in the rows of instances too.
    let instances = on.before.items.values().chain(on.before.finished.values());
    for item in instances.filter(|item| item.instance.is_some()) {
        let row = record::item_to_row(on.before, on.before.created, item)?;
        let at = Path::root().key(part::ROW);
        writer.set(&keys::item(&id, item.number), &at, row)?;
    }
    recovery::rename(txn, (on.old, on.was), (net, on.before))?;
    update(txn, on.before, on.ready, machine)
}

/// Whether somebody must look at a case when its store is opened again: it can go on by itself, or a process worker
/// that is then gone has work of it.
fn is_ready(net: &Net, moved: &Moved, case: &Case) -> bool {
    let programs = |i: &Item| {
        let leased = matches!(i.state, ItemState::Leased(_));
        leased && matches!(i.work, ItemWork::Process { .. })
    };
    // Of instances, only those that the event concerns are here.
    let of_programs = |t: &Task| matches!(t.kind, TaskKind::Process(_));
    let mut groups = case.groups.values();
    let instances = groups.any(|g| net.tasks.get(g.task).is_some_and(of_programs));
    !case.status.is_final() && (moved.more || instances || case.items.values().any(programs))
}

/// The document of a case that now waits is made small: it may be one of a million.
fn packed(moved: &Moved, value: Value) -> Value {
    match moved.closed.is_none() && !moved.more {
        true => value.pack().unwrap_or(value),
        false => value,
    }
}

struct Writer<'a> {
    txn: &'a Txn,
    space: Space,
}

impl Writer<'_> {
    /// Writes items, queues, timers, history and the result document: everything but the case itself.
    fn parts<'n>(
        &self,
        before: Option<&Case>,
        machine: Machine<'n>,
    ) -> Result<(Moved, (&'n Net, Case))> {
        let more = machine.can_fire();
        let Machine {
            net,
            mut case,
            now,
            notes,
            document,
            ..
        } = machine;
        case.updated = now;
        let mut moved = Moved {
            more,
            closed: case.status.is_final().then_some(case.status),
            ..Moved::nothing(&case.id)
        };
        let was = before.is_some_and(|b| b.status == Status::Suspended);
        let is = case.status == Status::Suspended;
        let mut items = std::mem::take(&mut case.items);
        let mut ended = std::mem::take(&mut case.ended);
        for item in items.values_mut().chain(&mut ended) {
            let old = before.and_then(|b| b.items.get(&item.number));
            if old != Some(&*item) {
                self.item(&case, old, item)?;
            } else if was == is {
                continue;
            }
            let standings = (lanes::standing(old, was), lanes::standing(Some(item), is));
            let at = (&*case.id, now);
            let (old_at, item_at) = ((old, standings.0), (&*item, standings.1));
            lanes::changed(self.txn, net, at, old_at, item_at, &mut moved)?;
            let was: Vec<String> = match old {
                Some(old) if !was => keys::of_item(&case.id, old),
                _ => Vec::new(),
            };
            let is = match is {
                false => keys::of_item(&case.id, item),
                true => Vec::new(),
            };
            // Claimed and offered again within a millisecond, it stands where it stood, and is news all the same.
            let again = old.is_some_and(|old| old.attempt != item.attempt);
            self.places_of((item, again), &was, is, &mut moved)?;
        }
        case.items = items;
        self.deadline(before, &case, &mut moved)?;
        waiting::update(net, &mut case, &notes);
        if !notes.is_empty() {
            let events = journal::to_value(&case, now, &notes)?;
            for note in notes {
                case.seq = case.seq.saturating_add(1);
                moved.events.push(journal::told(net, &case, case.seq, note));
            }
            let key = keys::history_event(&case.id, case.seq);
            self.create(&key, events)?;
        }
        recovery::save(self.txn, net, before.map(|b| &b.done), &case)?;
        if let (Some(key), Some(result)) = (document, &case.result) {
            self.txn
                .json_set(&self.space, &key, &Path::root(), result.clone())?;
        }
        Ok((moved, (net, case)))
    }

    /// Writes where the deadline of a case itself is to be found.
    fn deadline(&self, before: Option<&Case>, case: &Case, moved: &mut Moved) -> Result<()> {
        let was = before.and_then(keys::of_deadline);
        let is = keys::of_deadline(case);
        if was == is {
            return Ok(());
        }
        if let Some(gone) = was {
            self.drop(&gone)?;
        }
        if let Some(new) = is {
            self.create(&new, Value::NULL)?;
            moved.next_due = moved.next_due.into_iter().chain(case.deadline).min();
        }
        Ok(())
    }

    /// Writes what an item that changed has in a document of its own.
    fn item(&self, case: &Case, old: Option<&Item>, item: &mut Item) -> Result<()> {
        let key = || keys::item(&case.id, item.number);
        if item.instance.is_some() {
            return self.instance(&key(), case, old, item);
        }
        if item.state.is_final() {
            // What it gave is in the data, and what became of it in the history.
            if item.stored {
                self.drop(&key())?;
            }
            return Ok(());
        }
        if old.is_some_and(|old| old.input == item.input && old.work == item.work) {
            return Ok(());
        }
        if let Some(document) = record::item_to_value(case, item)? {
            if item.stored {
                self.set(&key(), &Path::root(), document)?;
            } else {
                self.create(&key(), document)?;
                item.stored = true;
            }
        }
        Ok(())
    }

    /// Writes an instance that changed; its result is asked for later.
    fn instance(&self, key: &str, case: &Case, old: Option<&Item>, item: &mut Item) -> Result<()> {
        let Some(old) = old else {
            let document = record::item_to_value(case, item)?.unwrap_or_default();
            item.stored = true;
            return self.create(key, document);
        };
        let row = record::item_to_row(case, case.created, item)?;
        self.set(key, &Path::root().key(part::ROW), row)?;
        if let (Some(result), true) = (&item.result, old.result != item.result) {
            self.set(key, &Path::root().key(part::RESULT), result.clone())?;
        }
        Ok(())
    }

    /// Writes where an item is to be found: queues, timers, listeners.
    fn places_of(
        &self,
        (item, again): (&Item, bool),
        was: &[String],
        is: Vec<String>,
        moved: &mut Moved,
    ) -> Result<()> {
        for gone in was.iter().filter(|key| !is.contains(key)) {
            self.drop(gone)?;
        }
        for new in is {
            if !was.contains(&new) {
                self.create(&new, Value::NULL)?;
            } else if !again {
                continue;
            }
            match &item.work {
                _ if new.starts_with(keys::TIMER) => {
                    let due = item.due();
                    moved.next_due = moved.next_due.into_iter().chain(due).min();
                }
                ItemWork::Host { topic } if new.starts_with(keys::QUEUE) => {
                    moved.topics_offered.push(topic.clone());
                    moved.offered.push(new);
                }
                _ => moved.process_offered |= new.starts_with(keys::PROCESS_QUEUE),
            }
        }
        Ok(())
    }

    /// Signals that were kept, and kept ones that were taken.
    fn mail(&self, before: &Case, after: &Case) -> Result<()> {
        if before.mail == after.mail {
            return Ok(());
        }
        for ((signal, number), value) in &after.letters {
            let (_, next) = before.mail.get(signal).copied().unwrap_or((1, 1));
            if *number >= next || !before.mail.contains_key(signal) {
                self.create(&keys::mail(&after.id, signal, *number), value.clone())?;
            }
        }
        for (signal, (first, next)) in &before.mail {
            let now = after.mail.get(signal).map_or(*next, |(first, _)| *first);
            for number in *first..now.min(*next) {
                let key = keys::mail(&after.id, signal, number);
                self.drop(&key)?;
            }
        }
        Ok(())
    }

    /// Removes a document that is there.
    fn drop(&self, key: &str) -> Result<()> {
        self.txn.doc_drop(Primitive::Flow, &self.space, key)?;
        Ok(())
    }

    fn create(&self, key: &str, value: Value) -> Result<()> {
        Ok(self
            .txn
            .doc_create(Primitive::Flow, &self.space, key, value)?)
    }

    fn set(&self, key: &str, path: &Path, value: Value) -> Result<()> {
        Ok(self
            .txn
            .doc_set(Primitive::Flow, &self.space, key, path, value)?)
    }
}

/// A path below a field.
pub(super) fn below(field: &str, path: &Path) -> Path {
    path.segments()
        .iter()
        .fold(Path::root().key(field), |path, segment| match segment {
            Segment::Key(key) => path.key(key),
            Segment::Index(i) => path.index(*i),
        })
}

impl Moved {
    /// An event that changed nothing.
    pub(crate) fn nothing(case: &str) -> Moved {
        Moved {
            case: case.into(),
            version: 0,
            events: Vec::new(),
            process_offered: false,
            topics_offered: Vec::new(),
            next_due: None,
            offered: Vec::new(),
            lined: false,
            more: false,
            closed: None,
            also: Vec::new(),
        }
    }

    /// Adds what happened to the same case next.
    pub(crate) fn then(&mut self, next: Moved) {
        self.events.extend(next.events);
        self.process_offered |= next.process_offered;
        self.topics_offered.extend(next.topics_offered);
        self.next_due = self.next_due.into_iter().chain(next.next_due).min();
        self.offered.extend(next.offered);
        self.lined |= next.lined;
        self.more = next.more;
        self.closed = next.closed;
    }

    /// Says in which commit it was.
    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
        for event in &mut self.events {
            event.version = version;
        }
        for also in &mut self.also {
            also.set_version(version);
        }
    }
}
