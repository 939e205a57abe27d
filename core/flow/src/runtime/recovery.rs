//! What a case can undo, is undoing and has caught, as it is stored: one object in the case, and a document for each
//! completion that can be undone.

use std::collections::BTreeMap;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value, value};

use super::record::field::RECOVERY;
use super::{keys, record, save};
use crate::case::{Active, Case, Caught, Done, Ending, Instance, Recovery, Status};
use crate::error::{Error, Result};
use crate::net::Net;

fn put(object: &mut Value, key: &str, value: Value) {
    // An object made here takes another key.
    let _ = object.insert(key, value);
}

/// None for a case that has none of it.
pub(super) fn to_value(net: &Net, of: &Recovery) -> Option<Value> {
    if *of == Recovery::default() {
        return None;
    }
    let mut object = value!({"made": (of.made), "left": (of.left)});
    if let Some(active) = &of.active {
        let mut value = value!({"cursor": (active.cursor), "failed": (active.failed)});
        if let Some(by) = active.by {
            put(&mut value, "by", Value::from(by));
        }
        if let Some((item, done)) = active.running {
            put(&mut value, "item", Value::from(item));
            put(&mut value, "of", Value::from(done));
        }
        if let Some(error) = &active.error {
            put(&mut value, "error", error.clone());
        }
        put(&mut object, "active", value);
    }
    if let Some(ending) = &of.ending {
        let mut value = value!({"status": (ending.status.name())});
        put(&mut value, "error", ending.error.clone());
        put(&mut value, "detail", ending.detail.clone());
        put(&mut object, "ending", value);
    }
    if !of.waits.is_empty() {
        let waits = of.waits.iter().map(|n| Value::from(*n)).collect();
        put(&mut object, "waits", waits);
    }
    if let Some(caught) = &of.caught {
        let mut value = Value::object();
        put(&mut value, "task", record::task_name(net, caught.task));
        if let Some(place) = caught.place {
            let name = record::place_name(net, place);
            put(&mut value, "place", Value::from(name));
        }
        put(&mut value, "error", caught.error.clone());
        put(&mut object, "caught", value);
    }
    Some(object)
}

pub(super) fn from_value(net: &Net, id: &str, value: Option<&Value>) -> Result<Recovery> {
    let Some(value) = value else {
        return Ok(Recovery::default());
    };
    let bad = || Error::damaged(&keys::case(id), RECOVERY);
    let number = |of: &Value, key: &str| of.get(key).and_then(|n| n.as_u64());
    let active = value.get("active").map(|active| -> Result<Active> {
        let failed = number(&active, "failed").and_then(|n| u32::try_from(n).ok());
        Ok(Active {
            by: number(&active, "by"),
            cursor: number(&active, "cursor").ok_or_else(bad)?,
            running: number(&active, "item").zip(number(&active, "of")),
            failed: failed.ok_or_else(bad)?,
            error: active.get("error"),
        })
    });
    let ending = value.get("ending").map(|ending| -> Result<Ending> {
        let status = ending.get("status").ok_or_else(bad)?;
        let status: Option<Status> = status.as_str().and_then(|s| s.parse().ok());
        Ok(Ending {
            status: status.ok_or_else(bad)?,
            error: ending.get("error").unwrap_or_default(),
            detail: ending.get("detail").unwrap_or_default(),
        })
    });
    let caught = value.get("caught").map(|caught| -> Result<Caught> {
        let text = |key: &str| caught.get(key);
        let task = text("task").and_then(|t| net.task(t.as_str()?));
        let place = match text("place") {
            None => None,
            Some(name) => Some(
                name.as_str()
                    .and_then(|name| net.place(name))
                    .ok_or_else(bad)?,
            ),
        };
        Ok(Caught {
            task: task.ok_or_else(bad)?,
            place,
            error: caught.get("error").unwrap_or_default(),
        })
    });
    let waits = value.get("waits").unwrap_or_default();
    Ok(Recovery {
        made: number(value, "made").ok_or_else(bad)?,
        left: number(value, "left").ok_or_else(bad)?,
        active: active.transpose()?,
        ending: ending.transpose()?,
        waits: waits.items().filter_map(|n| n.as_u64()).collect(),
        caught: caught.transpose()?,
    })
}

/// Reads completions that can be undone; none for those that are gone.
pub(super) fn load(
    view: &impl Reader,
    net: &Net,
    case: &mut Case,
    numbers: impl Iterator<Item = u64>,
) -> Result<()> {
    for number in numbers {
        let key = keys::done(&case.id, number);
        let done = save::read(view, &key)?.map(|value| done_from_value(net, &key, number, &value));
        case.done.insert(number, done.transpose()?);
    }
    Ok(())
}

/// Writes those that are new, and drops those that are gone.
pub(super) fn save(
    txn: &Txn,
    net: &Net,
    before: Option<&BTreeMap<u64, Option<Done>>>,
    after: &Case,
) -> Result<()> {
    let space = Space::default();
    for (number, done) in &after.done {
        let key = keys::done(&after.id, *number);
        match (
            before.and_then(|b| b.get(number)).and_then(|d| d.as_ref()),
            done,
        ) {
            (None, Some(done)) => {
                txn.doc_create(Primitive::Flow, &space, &key, done_to_value(net, done))?;
            }
            (Some(_), None) => {
                txn.doc_drop(Primitive::Flow, &space, &key)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes the names of tasks and places anew of a case that was put on another net.
pub(super) fn rename(txn: &Txn, (old, was): (&Net, &Case), (new, is): (&Net, &Case)) -> Result<()> {
    let space = Space::default();
    for (number, done) in &is.done {
        let (Some(Some(before)), Some(done)) = (was.done.get(number), done) else {
            continue;
        };
        let name = record::task_name(new, done.task);
        if record::task_name(old, before.task) != name {
            let (key, path) = (keys::done(&is.id, *number), Path::root().key("task"));
            txn.doc_set(Primitive::Flow, &space, &key, &path, name)?;
        }
    }
    let value = to_value(new, &is.recovery);
    if let Some(value) = value.filter(|value| to_value(old, &was.recovery).as_ref() != Some(value))
    {
        let (key, path) = (keys::case(&is.id), Path::root().key(RECOVERY));
        txn.doc_set(Primitive::Flow, &space, &key, &path, value)?;
    }
    Ok(())
}

/// Writes the field of a case that changed.
pub(super) fn update(txn: &Txn, net: &Net, before: &Case, after: &Case) -> Result<()> {
    if before.recovery == after.recovery {
        return Ok(());
    }
    let (key, space) = (keys::case(&after.id), Space::default());
    let path = Path::root().key(RECOVERY);
    match to_value(net, &after.recovery) {
        Some(value) => txn.doc_set(Primitive::Flow, &space, &key, &path, value)?,
        None => {
            txn.doc_remove(Primitive::Flow, &space, &key, &path)?;
        }
    }
    Ok(())
}

fn done_to_value(net: &Net, done: &Done) -> Value {
    let mut object = value!({"item": (done.item), "at": (done.at.as_micros())});
    put(&mut object, "task", record::task_name(net, done.task));
    put(&mut object, "input", done.input.clone());
    put(&mut object, "result", done.result.clone());
    if let Some(instance) = &done.instance {
        let mut of = value!({"group": (instance.group), "index": (instance.index)});
        put(&mut of, "of", instance.of.clone());
        put(&mut object, "instance", of);
    }
    if let Some(case) = &done.case {
        put(&mut object, "case", Value::from(case.as_str()));
    }
    object
}

fn done_from_value(net: &Net, key: &str, number: u64, value: &Value) -> Result<Done> {
    let bad = |field: &str| Error::damaged(key, field);
    let task = value.get("task").and_then(|t| net.task(t.as_str()?));
    let at = value.get("at").and_then(|at| at.as_i64());
    let instance = value.get("instance").map(|of| -> Result<Instance> {
        let number = |key: &str| of.get(key).and_then(|n| n.as_u64());
        let index = number("index").and_then(|n| u32::try_from(n).ok());
        Ok(Instance {
            group: number("group").ok_or_else(|| bad("instance"))?,
            index: index.ok_or_else(|| bad("instance"))?,
            of: of.get("of").unwrap_or_default(),
        })
    });
    let case = value.get("case");
    Ok(Done {
        number,
        task: task.ok_or_else(|| bad("task"))?,
        item: value
            .get("item")
            .and_then(|n| n.as_u64())
            .ok_or_else(|| bad("item"))?,
        at: Timestamp::from_micros(at.ok_or_else(|| bad("at"))?),
        input: value.get("input").unwrap_or_default(),
        result: value.get("result").unwrap_or_default(),
        instance: instance.transpose()?,
        case: case.and_then(|c| c.as_str().map(str::to_owned)),
    })
}
