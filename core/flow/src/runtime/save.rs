//! Loading a case into a transaction and writing back what an event changed, as path-level ops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Segment, Value};

use super::{keys, lanes, record, recovery};
use crate::case::{Case, HistoryEvent, Item, ItemState, ItemWork, Status};
use crate::error::{Error, Result};
use crate::machine::{Machine, Needs, Note};
use crate::net::Net;

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
    /// Whether time alone may change the case earlier than before.
    pub timers_changed: bool,
    /// Whether an automatic task is enabled: the case is to be [advanced](crate::Flows::advance).
    pub more: bool,
    /// How the case ended, if it did in this commit.
    pub closed: Option<Status>,
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
        wanted.needs.items.insert(number);
        wanted
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

/// A case with what of it is wanted.
pub(crate) fn load(
    view: &impl Reader,
    net: &Net,
    id: &str,
    value: &Value,
    wanted: &Wanted,
) -> Result<Case> {
    let mut case = record::case_from_value(net, id, value)?;
    let numbers: Vec<u64> = if wanted.all {
        case.numbers().collect()
    } else {
        let offered = |n: &u64| case.offers.values().any(|offer| offer == n);
        let in_flight = |n: &u64| case.in_flight.contains_key(n);
        let instance = |n: &u64| case.groups.values().any(|g| g.has(*n));
        let undoing = case.recovery.active.as_ref().and_then(|a| a.running);
        let undoes = |n: &u64| undoing.is_some_and(|(item, _)| item == *n);
        let wanted = wanted.needs.items.iter().copied();
        wanted
            .filter(|n| in_flight(n) || offered(n) || instance(n) || undoes(n))
            .collect()
    };
    for number in numbers {
        let key = keys::item(id, number);
        let value = read(view, &key)?.ok_or_else(|| Error::damaged(&key, "document"))?;
        let item = record::item_from_value(net, id, number, &value)?;
        if item.state.is_final() {
            case.finished.insert(number, item);
        } else {
            case.items.insert(number, item);
        }
    }
    recovery::load(view, net, &mut case, wanted.needs.done.iter().copied())?;
    for (signal, number) in &wanted.needs.letters {
        let key = keys::mail(id, signal, *number);
        let value = read(view, &key)?.ok_or_else(|| Error::damaged(&key, "document"))?;
        case.letters.insert((signal.clone(), *number), value);
    }
    Ok(case)
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
    writer.create(&key, record::case_to_value(net, &case))?;
    if moved.closed.is_none() {
        writer.create(&keys::open(&id), Value::NULL)?;
    }
    Ok(moved)
}

/// Writes what an event changed in a case.
pub(crate) fn update(txn: &Txn, before: &Case, machine: Machine<'_>) -> Result<Moved> {
    let writer = Writer {
        txn,
        space: Space::default(),
    };
    let (moved, (net, after)) = writer.parts(Some(before), machine)?;
    let key = keys::case(&after.id);
    let set = |field: &str, value: Value| writer.set(&key, &Path::root().key(field), value);
    for (path, value) in &after.writes {
        writer.set(&key, &below("data", path), value.clone())?;
    }
    writer.marking(&key, net, before, &after)?;
    writer.work(&key, net, before, &after)?;
    writer.mail(&key, before, &after)?;
    if before.next_item != after.next_item {
        set("next_item", Value::from(after.next_item))?;
    }
    recovery::update(txn, net, before, &after)?;
    if let (true, Some(parent)) = (before.parent != after.parent, &after.parent) {
        set("parent", record::parent_to_value(parent))?;
    }
    if before.status.is_final() && !after.status.is_final() {
        writer.create(&keys::open(&after.id), Value::NULL)?;
    }
    if before.status != after.status {
        set("status", Value::from(after.status.name()))?;
        if after.status.is_final() {
            txn.doc_drop(Primitive::Flow, &writer.space, &keys::open(&after.id))?;
        }
    }
    for (field, value) in [("result", &after.result), ("error", &after.error)] {
        if let Some(value) = value {
            set(field, value.clone())?;
        }
    }
    set("seq", Value::from(after.seq))?;
    set("updated", Value::from(after.updated.as_micros()))?;
    Ok(moved)
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
        let none = BTreeMap::new();
        let old = before.map_or(&none, |b| &b.items);
        let mut moved = Moved {
            more,
            closed: case.status.is_final().then_some(case.status),
            ..Moved::nothing(&case.id)
        };
        let was = before.is_some_and(|b| b.status == Status::Suspended);
        let is = case.status == Status::Suspended;
        for item in case.items.values().chain(&case.ended) {
            let old = old.get(&item.number);
            if old != Some(item) {
                self.item(net, &case.id, old, item)?;
            } else if was == is {
                continue;
            }
            let standings = (
                (old, lanes::standing(old, was)),
                (item, lanes::standing(Some(item), is)),
            );
            let at = (&*case.id, now);
            lanes::changed(self.txn, net, at, standings.0, standings.1, &mut moved)?;
            let place = |item: &Item| keys::of_item(&case.id, item);
            let was: BTreeSet<String> = old
                .filter(|_| !was)
                .map(place)
                .into_iter()
                .flatten()
                .collect();
            let is: BTreeSet<String> = Some(item)
                .filter(|_| !is)
                .map(place)
                .into_iter()
                .flatten()
                .collect();
            self.places_of(item, &was, &is, &mut moved)?;
        }
        for note in notes {
            case.seq = case.seq.saturating_add(1);
            let event = history_event(net, &case, now, note);
            self.create(
                &keys::history_event(&case.id, event.seq),
                record::event_to_value(&event),
            )?;
            moved.events.push(event);
        }
        recovery::save(
            self.txn,
            net,
            before.map_or(&BTreeMap::new(), |b| &b.done),
            &case,
        )?;
        if let (Some(key), Some(result)) = (document, &case.result) {
            self.txn
                .json_set(&self.space, &key, &Path::root(), result.clone())?;
        }
        Ok((moved, (net, case)))
    }

    /// Writes an item that changed.
    fn item(&self, net: &Net, case: &str, old: Option<&Item>, item: &Item) -> Result<()> {
        let key = keys::item(case, item.number);
        let Some(old) = old else {
            if item.state == ItemState::Withdrawn {
                return Ok(());
            }
            return self.create(&key, record::item_to_value(net, item));
        };
        if item.state == ItemState::Withdrawn {
            // Nobody had it, and the history says that it was offered.
            self.txn.doc_drop(Primitive::Flow, &self.space, &key)?;
            return Ok(());
        }
        let set = |field: &str, value: Value| self.set(&key, &Path::root().key(field), value);
        for (field, was, is) in [
            ("attempt", old.attempt, item.attempt),
            ("failures", old.failures, item.failures),
        ] {
            if was != is {
                set(field, Value::from(is))?;
            }
        }
        if old.input != item.input {
            set("input", item.input.clone())?;
        }
        if let (ItemWork::Process { argv, cwd }, true) = (&item.work, old.work != item.work) {
            set("argv", record::argv_to_value(argv))?;
            if let Some(cwd) = cwd {
                set("cwd", Value::from(cwd.as_str()))?;
            }
        }
        if let (Some(result), true) = (&item.result, old.result != item.result) {
            set("result", result.clone())?;
        }
        set("state", record::state_to_value(&item.state))
    }

    /// Writes where an item is to be found: queues, timers, listeners.
    fn places_of(
        &self,
        item: &Item,
        was: &BTreeSet<String>,
        is: &BTreeSet<String>,
        moved: &mut Moved,
    ) -> Result<()> {
        for gone in was.difference(is) {
            self.txn.doc_drop(Primitive::Flow, &self.space, gone)?;
        }
        for new in is.difference(was) {
            self.create(new, Value::NULL)?;
            match &item.work {
                _ if new.starts_with(keys::TIMER) => moved.timers_changed = true,
                _ if !new.starts_with(keys::QUEUE) => {}
                ItemWork::Host { topic } => moved.topics_offered.push(topic.clone()),
                _ => moved.process_offered = true,
            }
        }
        Ok(())
    }

    /// Sets the places whose tokens changed, and only those; what local and counting joins know too.
    fn marking(&self, key: &str, net: &Net, before: &Case, after: &Case) -> Result<()> {
        for (place, named) in net.places.iter().enumerate() {
            let (was, is) = (before.marking.tokens(place), after.marking.tokens(place));
            self.count(key, "marking", &named.name, was, is)?;
        }
        let dead = |case: &Case, place: &usize| case.dead.get(place).copied().unwrap_or(0);
        let places: BTreeSet<usize> = before
            .dead
            .keys()
            .chain(after.dead.keys())
            .copied()
            .collect();
        for place in places {
            let (was, is) = (dead(before, &place), dead(after, &place));
            self.count(key, "dead", record::place_name(net, place), was, is)?;
        }
        for (task, of) in net.tasks.iter().enumerate() {
            if !matches!(of.join, crate::net::Join::Of { .. }) {
                continue;
            }
            let (was, is) = (
                record::seen(net, before, task),
                record::seen(net, after, task),
            );
            self.entry(key, "rounds", &of.name, was, is)?;
        }
        Ok(())
    }

    fn count(&self, key: &str, field: &str, name: &str, was: u32, is: u32) -> Result<()> {
        let value = |n: u32| (n > 0).then(|| Value::from(n));
        if was == is {
            return Ok(());
        }
        self.entry(key, field, name, value(was), value(is))
    }

    /// Sets or removes one entry of an object in the case, if it changed.
    fn entry(
        &self,
        key: &str,
        field: &str,
        name: &str,
        was: Option<Value>,
        is: Option<Value>,
    ) -> Result<()> {
        let path = || Path::root().key(field).key(name);
        match (was, is) {
            (was, is) if was == is => Ok(()),
            (_, Some(is)) => self.set(key, &path(), is),
            (_, None) => {
                let path = path();
                self.txn
                    .doc_remove(Primitive::Flow, &self.space, key, &path)?;
                Ok(())
            }
        }
    }

    /// The entries of a map that differ.
    fn map<K: Ord, V: PartialEq>(
        &self,
        (key, field): (&str, &str),
        (before, after): (&BTreeMap<K, V>, &BTreeMap<K, V>),
        name: impl Fn(&K) -> String,
        value: impl Fn(&V) -> Value,
    ) -> Result<()> {
        for gone in before.keys().filter(|k| !after.contains_key(k)) {
            let path = Path::root().key(field).key(&name(gone));
            self.txn
                .doc_remove(Primitive::Flow, &self.space, key, &path)?;
        }
        for (k, v) in after {
            if before.get(k) != Some(v) {
                let path = Path::root().key(field).key(&name(k));
                self.set(key, &path, value(v))?;
            }
        }
        Ok(())
    }

    /// Offers, items and groups that began, changed or ended.
    fn work(&self, key: &str, net: &Net, before: &Case, after: &Case) -> Result<()> {
        let task = |t: &usize| net.tasks.get(*t).map_or("", |t| &*t.name).to_owned();
        let number = |n: &u64| n.to_string();
        let offers = (&before.offers, &after.offers);
        self.map((key, "offers"), offers, task, |n| Value::from(*n))?;
        let items = (&before.in_flight, &after.in_flight);
        self.map((key, "items"), items, number, |t| {
            record::task_name(net, *t)
        })?;
        let groups = (&before.groups, &after.groups);
        self.map((key, "groups"), groups, number, |g| {
            record::group_to_value(net, g)
        })
    }

    /// Signals that were kept, and kept ones that were taken.
    fn mail(&self, key: &str, before: &Case, after: &Case) -> Result<()> {
        if before.mail == after.mail {
            return Ok(());
        }
        let mail = (&before.mail, &after.mail);
        self.map(
            (key, "mail"),
            mail,
            |s| s.to_string(),
            |m| record::mail_to_value(*m),
        )?;
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
                self.txn.doc_drop(Primitive::Flow, &self.space, &key)?;
            }
        }
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

fn history_event(net: &Net, case: &Case, at: Timestamp, note: Note) -> HistoryEvent {
    HistoryEvent {
        case: case.id.clone(),
        seq: case.seq,
        version: 0,
        at,
        kind: note.kind,
        task: note
            .task
            .and_then(|t| net.tasks.get(t))
            .map(|t| t.name.clone()),
        item: note.item.map(|(number, _)| number),
        attempt: note.item.map(|(_, attempt)| attempt),
        detail: note.detail,
    }
}

fn below(field: &str, path: &Path) -> Path {
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
            timers_changed: false,
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
        self.timers_changed |= next.timers_changed;
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
