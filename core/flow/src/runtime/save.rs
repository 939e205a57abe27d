//! Loading a case into a transaction and writing back what an event changed, as path-level ops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Segment, Value};

use super::keys;
use super::record;
use crate::case::{Case, HistoryEvent, Item, ItemWork, Status};
use crate::error::{Error, Result};
use crate::machine::{Machine, Note};
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
}

pub(crate) fn read(view: &impl Reader, key: &str) -> Result<Option<Value>> {
    Ok(view.doc_get(Primitive::Flow, &Space::default(), key, &Path::root())?)
}

/// Which items in flight an event needs to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Items {
    All,
    One(u64),
    None,
}

/// A case with these of the items in flight.
pub(crate) fn load(
    view: &impl Reader,
    net: &Net,
    id: &str,
    value: &Value,
    items: Items,
) -> Result<Case> {
    let mut case = record::case_from_value(net, id, value)?;
    let wanted = |n: &u64| items == Items::All || items == Items::One(*n);
    for number in case.in_flight.keys().copied().filter(wanted) {
        let key = keys::item(id, number);
        let value = read(view, &key)?.ok_or_else(|| Error::damaged(&key, "document"))?;
        let item = record::item_from_value(net, id, number, &value)?;
        case.items.insert(number, item);
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
    writer.in_flight(&key, net, before, &after)?;
    if before.next_item != after.next_item {
        set("next_item", Value::from(after.next_item))?;
    }
    if before.status != after.status {
        set("status", Value::from(after.status.name()))?;
        txn.doc_drop(Primitive::Flow, &writer.space, &keys::open(&after.id))?;
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
        for item in case.items.values().chain(&case.ended) {
            self.item(net, &case.id, old.get(&item.number), item, &mut moved)?;
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
        if let (Some(key), Some(result)) = (document, &case.result) {
            self.txn
                .json_set(&self.space, &key, &Path::root(), result.clone())?;
        }
        Ok((moved, (net, case)))
    }

    fn item(
        &self,
        net: &Net,
        case: &str,
        old: Option<&Item>,
        item: &Item,
        moved: &mut Moved,
    ) -> Result<()> {
        if old == Some(item) {
            return Ok(());
        }
        let key = keys::item(case, item.number);
        match old {
            None => self.create(&key, record::item_to_value(net, item))?,
            Some(old) => {
                for (field, was, is) in [
                    ("attempt", old.attempt, item.attempt),
                    ("failures", old.failures, item.failures),
                ] {
                    if was != is {
                        self.set(&key, &Path::root().key(field), Value::from(is))?;
                    }
                }
                self.set(
                    &key,
                    &Path::root().key("state"),
                    record::state_to_value(&item.state),
                )?;
            }
        }
        let was: BTreeSet<String> = old
            .map(|o| keys::of_item(case, o))
            .into_iter()
            .flatten()
            .collect();
        let is: BTreeSet<String> = keys::of_item(case, item).into_iter().collect();
        for gone in was.difference(&is) {
            self.txn.doc_drop(Primitive::Flow, &self.space, gone)?;
        }
        for new in is.difference(&was) {
            self.create(new, Value::NULL)?;
            match &item.work {
                _ if new.starts_with(keys::TIMER) => moved.timers_changed = true,
                ItemWork::Host { topic } => moved.topics_offered.push(topic.clone()),
                _ => moved.process_offered = true,
            }
        }
        Ok(())
    }

    /// Sets the places whose tokens changed, and only those.
    fn marking(&self, key: &str, net: &Net, before: &Case, after: &Case) -> Result<()> {
        let places: BTreeSet<usize> = before
            .marking
            .keys()
            .chain(after.marking.keys())
            .copied()
            .collect();
        for place in places {
            let (was, is) = (before.tokens(place), after.tokens(place));
            let Some(named) = net.places.get(place).filter(|_| was != is) else {
                continue;
            };
            let path = Path::root().key("marking").key(&named.name);
            if is == 0 {
                self.txn
                    .doc_remove(Primitive::Flow, &self.space, key, &path)?;
            } else {
                self.set(key, &path, Value::from(is))?;
            }
        }
        Ok(())
    }

    /// Adds the items that began and takes out those that ended.
    fn in_flight(&self, key: &str, net: &Net, before: &Case, after: &Case) -> Result<()> {
        let path = |number: &u64| Path::root().key("items").key(&number.to_string());
        let was_there = |n: &&u64| before.in_flight.contains_key(n);
        for number in before.in_flight.keys() {
            if !after.in_flight.contains_key(number) {
                self.txn
                    .doc_remove(Primitive::Flow, &self.space, key, &path(number))?;
            }
        }
        for number in after.in_flight.keys().filter(|n| !was_there(n)) {
            let task = after.in_flight.get(number).copied().unwrap_or_default();
            self.set(key, &path(number), record::task_name(net, task))?;
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
        }
    }
}
