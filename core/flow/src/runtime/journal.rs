//! History: what one commit did to a case is one document, `[at, event, …]`, an event being
//! `[kind, task, item, attempt, detail, earlier]`; what is null at its end is left out. Times are microseconds, `at`
//! since the case was created, `earlier` before `at`. With 64 added to its kind, an event is of the same task, item
//! and attempt as the one before it, and the three are null.

use statewright_log::Timestamp;
use statewright_value::{Packer, Value, value};

use super::keys;
use super::record::{apart, finish, maybe, since};
use super::work::SOME_WORKER;
use crate::case::{Case, EventKind, HistoryEvent};
use crate::error::{Error, Result};
use crate::machine::Note;
use crate::net::Net;
use crate::sabotage::{self, Bug};

/// Added to a kind: the event is of what the one before it is of.
const SAME: u64 = 64;

/// What these notes of one commit are as a document.
pub(crate) fn to_value(case: &Case, now: Timestamp, notes: &[Note]) -> Result<Value> {
    let mut before = None;
    let mut row = Packer::new();
    row.int(since(case.created, now));
    for note in notes {
        let of = (note.task, note.item);
        let same = before.replace(of) == Some(of) && note.item.is_some();
        let unless_same = |n: Option<u64>| n.filter(|_| !same);
        let attempt = note.item.map(|(_, attempt)| u64::from(attempt));
        let kind = match note.kind {
            EventKind::Withdrawn if sabotage::on(Bug::WrongEvent) => EventKind::Cancelled, // planted
            kind => kind,
        };
        row.open();
        row.uint(kind.number() | if same { SAME } else { 0 });
        maybe(&mut row, unless_same(note.task.map(|t| t as u64)));
        maybe(&mut row, unless_same(note.item.map(|(number, _)| number)));
        maybe(&mut row, unless_same(attempt.filter(|a| *a > 0)));
        write_detail(&mut row, note);
        apart(&mut row, note.at, now);
        row.close_row();
    }
    finish(row)
}

/// What is on nearly every step is written without its name; the worker without a name as true.
fn write_detail(row: &mut Packer, note: &Note) {
    let detail = note.detail.by_ref();
    let worker = match (note.kind, detail.len()) {
        (EventKind::Started, 1) => detail.get("worker"),
        _ => None,
    };
    if worker.is_some_and(|worker| worker.as_str() == Some(SOME_WORKER)) {
        row.value(Value::from(true).by_ref());
    } else {
        row.value(worker.unwrap_or(detail));
    }
}

fn detail_from_value(kind: EventKind, detail: Value) -> Value {
    match kind {
        EventKind::Started if detail.as_str().is_some() => value!({ "worker": detail }),
        EventKind::Started if detail.as_bool() == Some(true) => value!({ "worker": SOME_WORKER }),
        _ => detail,
    }
}

/// A note as whoever follows the case is told of it.
pub(crate) fn told(net: &Net, case: &Case, seq: u64, note: Note) -> HistoryEvent {
    let task = note.task.and_then(|t| net.tasks.get(t));
    HistoryEvent {
        case: case.id.clone(),
        seq,
        version: 0,
        at: note.at,
        kind: note.kind,
        task: task.map(|t| t.name.clone()),
        item: note.item.map(|(number, _)| number),
        attempt: note.item.map(|(_, attempt)| attempt),
        detail: note.detail,
    }
}

/// Reads the events of one commit, of which the last has number `last`; the first of them first.
pub(crate) fn from_value(
    net: &Net,
    case: &str,
    created: Timestamp,
    (last, version): (u64, u64),
    value: &Value,
) -> Result<Vec<HistoryEvent>> {
    let bad = || Error::damaged(&keys::history_event(case, last), "event");
    let count = (value.len() as u64).saturating_sub(1);
    let first = last.checked_sub(count).ok_or_else(bad)?;
    let later = |base: Timestamp, micros: i64| {
        Timestamp::from_micros(base.as_micros().saturating_add(micros))
    };
    let mut parts = value.items();
    let at = parts.next().and_then(|at| at.as_i64()).ok_or_else(bad)?;
    let at = later(created, at);
    let id: std::sync::Arc<str> = case.into();
    let mut before: Option<HistoryEvent> = None;
    let event = |(seq, event): (u64, Value)| {
        let number = |i: usize| match event.index(i).unwrap_or_default() {
            v if v.is_null() => Ok(None),
            v => v.as_u64().map(Some).ok_or_else(bad),
        };
        let code = number(0)?.ok_or_else(bad)?;
        let kind = EventKind::from_number(code & !SAME).ok_or_else(bad)?;
        let task = match number(1)? {
            None => None,
            Some(task) => {
                let task = usize::try_from(task).ok().and_then(|t| net.tasks.get(t));
                Some(task.ok_or_else(bad)?.name.clone())
            }
        };
        let item = number(2)?;
        let attempt = item.map(|_| number(3)).transpose()?;
        let attempt = attempt.map(|a| u32::try_from(a.unwrap_or(0)));
        let earlier = event.index(5).and_then(|e| e.as_i64()).unwrap_or(0);
        let mut read = HistoryEvent {
            case: id.clone(),
            seq,
            version,
            at: later(at, 0_i64.saturating_sub(earlier)),
            kind,
            task,
            item,
            attempt: attempt.transpose().map_err(|_| bad())?,
            detail: detail_from_value(kind, event.index(4).unwrap_or_default()),
        };
        if code & SAME != 0 {
            let of = before.as_ref().ok_or_else(bad)?;
            (read.task, read.item, read.attempt) = (of.task.clone(), of.item, of.attempt);
        }
        before = Some(read.clone());
        Ok(read)
    };
    (first.saturating_add(1)..).zip(parts).map(event).collect()
}
