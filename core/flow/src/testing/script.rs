//! Steps in words: what is done to a case, and what is looked at.

use statewright_value::Value;

use super::world::{CASE, World};
use super::{Checked, Wrong};
use crate::duration::parse_duration;
use crate::error::Error;
use crate::machine::Delivery;

/// A step in its parts: `do A` is `start A` and `complete A`, with all that follows between.
pub(super) fn parts(line: &str) -> Vec<String> {
    match line.trim().split_once(' ') {
        Some(("do", task)) => vec![format!("start {task}"), format!("complete {task}")],
        _ => vec![line.trim().to_owned()],
    }
}

/// Does or checks one step of a script.
pub(super) fn step(world: &mut World, line: &str) -> Checked {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match word {
        "offered" => same(&world.offered()?, rest),
        "marking" => same(&world.tokens()?, rest),
        "status" => {
            let found = world.status()?;
            equal(&found, rest)
        }
        "result" => {
            let found = world.flows().case(CASE)?.result.unwrap_or(Value::NULL);
            let wanted = json(rest)?;
            if found == wanted {
                return Ok(());
            }
            equal(&found.to_json(), &wanted.to_json())
        }
        "start" => world.claim(rest),
        "tick" => {
            let time = parse_duration(rest);
            let time = time.ok_or_else(|| Wrong::test(format!("`{rest}` is not a duration")))?;
            world.pass(time)
        }
        "refused" => match event(world, rest) {
            Err(why) if why.refusal => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(Wrong::new("", "it is refused", "it was done")),
        },
        "dropped" | "kept" => {
            let delivery = event(world, rest)?;
            let as_wanted = match &delivery {
                Some(Delivery::Dropped { .. }) => word == "dropped",
                Some(Delivery::Kept) => word == "kept",
                _ => false,
            };
            if as_wanted {
                return Ok(());
            }
            let found = delivery.map_or("it is no signal".to_owned(), |d| format!("{d:?}"));
            Err(Wrong::new("", word, found))
        }
        _ => event(world, line).map(|_| ()),
    }
}

/// What comes from outside: results, signals, cancellations, instances.
pub(super) fn event(world: &mut World, line: &str) -> Checked<Option<Delivery>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (name, value) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    let what = line.to_owned();
    match word {
        "complete" => world.finish(name)?,
        "cancel-case" => done(world.event(what, |flows| flows.cancel(CASE, "asked for")))?,
        "terminate" => done(world.event(what, |flows| flows.terminate(CASE, "asked for")))?,
        "suspend" => done(world.event(what, |flows| flows.suspend(CASE)))?,
        "resume" => done(world.event(what, |flows| flows.resume(CASE)))?,
        "cancel-task" => done(world.event(what, |flows| flows.cancel_task(CASE, name)))?,
        "force" => done(world.event(what, |flows| flows.complete_task(CASE, name)))?,
        "skip" => {
            let item = world.item(name)?;
            done(world.event(what, |flows| flows.skip(CASE, item, "")))?;
        }
        "add" => {
            let count = json(value)?.as_u64();
            let count = count.ok_or_else(|| Wrong::test(format!("how many, in `{line}`?")))?;
            let items: Vec<Value> = (0..count.min(100_000)).map(Value::from).collect();
            done(world.event(what, |flows| flows.add_instances(CASE, name, &items)))?;
        }
        "signal" => {
            let data = json(value)?;
            let sent = world.event(what, |flows| flows.signal(CASE, name, &data));
            let (delivery, _) = sent?;
            return Ok(Some(delivery));
        }
        "signal-key" => {
            let (key, data) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            let data = json(data)?;
            let sent = world.event(what, |flows| flows.signal_key(name, key, &data));
            let (delivery, _) = sent?;
            return Ok(Some(delivery));
        }
        _ => return Err(Wrong::test(format!("there is no step `{word}`"))),
    }
    Ok(None)
}

/// Whether it is a step of a script; `None` if it is, else what is wrong with it.
pub(super) fn problem(line: &str, script: bool) -> Option<String> {
    const EVENTS: [&str; 11] = [
        "skip",
        "complete",
        "cancel-case",
        "terminate",
        "suspend",
        "resume",
        "cancel-task",
        "force",
        "add",
        "signal",
        "signal-key",
    ];
    const SCRIPT: [&str; 10] = [
        "do", "start", "tick", "offered", "marking", "status", "result", "refused", "dropped",
        "kept",
    ];
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    if EVENTS.contains(&word) {
        return None;
    }
    if !script || !SCRIPT.contains(&word) {
        let mut known: Vec<&str> = EVENTS.to_vec();
        if script {
            known.extend(SCRIPT);
        }
        return Some(format!(
            "there is no step `{word}`; there are {}",
            known.join(", ")
        ));
    }
    match word {
        "refused" | "dropped" | "kept" => problem(rest, false),
        "tick" if parse_duration(rest).is_none() => Some(format!(
            "`{rest}` is not a duration: write 200ms, 1h30m, 3d"
        )),
        _ => None,
    }
}

fn done<T>(result: Checked<T>) -> Checked {
    result.map(|_| ())
}

/// JSON; nothing is null.
fn json(text: &str) -> Checked<Value> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::NULL);
    }
    Value::from_json(text)
        .map_err(|e| Wrong::from(Error::Value(e)))
        .map_err(|mut wrong| {
            wrong.refusal = false;
            wrong
        })
}

fn equal(found: &str, expected: &str) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(Wrong::new("", expected, found))
}

fn same(found: &[String], expected: &str) -> Checked {
    let mut wanted: Vec<&str> = expected.split_whitespace().collect();
    wanted.sort_unstable();
    equal(&found.join(" "), &wanted.join(" "))
}
