//! `statewright case ACTION` and `statewright signal`: what people do to running cases from outside.
//!
//! The store is opened without driving: one event is committed with all that the same commit does, and nothing else
//! moves until `statewright resume`, or a program that embeds the engine, drives the store.

pub mod args;
mod work;

use std::io::Write;

use statewright::flow::{Delivery, Status};
use statewright::{Engine, Value, value};

use crate::console::{self, DIM, Out};
use crate::exit::{Exit, Result};
use crate::{input, show, store};

use args::{CaseAction, Common, SendByKey};
pub use work::work;

pub fn case(action: &CaseAction) -> Result<Exit> {
    match action {
        CaseAction::Explain(a) => explain(&a.id, &a.common),
        CaseAction::Suspend(a) => each(&a.ids, &a.common, |e, id| e.suspend_case(id)),
        CaseAction::Resume(a) => each(&a.ids, &a.common, |e, id| e.resume_case(id)),
        CaseAction::Cancel(a) => each(&a.ids, &a.common, |e, id| e.cancel_case(id, &a.reason)),
        CaseAction::Terminate(a) => {
            each(&a.ids, &a.common, |e, id| e.terminate_case(id, &a.reason))
        }
        CaseAction::CancelTask(a) => one(&a.id, &a.common, |e| e.cancel_task(&a.id, &a.task)),
        CaseAction::CompleteTask(a) => one(&a.id, &a.common, |e| e.complete_task(&a.id, &a.task)),
        CaseAction::Add(a) => {
            let items: Result<Vec<Value>> = a.items.iter().map(|text| input::value(text)).collect();
            let items = items?;
            one(&a.id, &a.common, |e| {
                e.add_instances(&a.id, &a.task, &items)
            })
        }
        CaseAction::Signal(a) => {
            let data = read_or_null(a.data.as_deref())?;
            signal(&a.common, |e| e.signal(&a.id, &a.signal, &data))
        }
    }
}

pub fn send(a: &SendByKey) -> Result<Exit> {
    let data = read_or_null(a.data.as_deref())?;
    signal(&a.common, |e| e.signal_key(&a.signal, &a.key, &data))
}

fn explain(id: &str, common: &Common) -> Result<Exit> {
    let engine = store::open_quietly(&common.store)?;
    let waiting = engine.explain(id)?;
    let mut out = Out::new();
    if common.json {
        waiting
            .iter()
            .try_for_each(|w| out.line(show::waiting_to_value(w)))?;
    } else {
        show::describe_waiting(&waiting, engine.case(id)?.status, &mut out)?;
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn one(
    id: &str,
    common: &Common,
    event: impl Fn(&Engine) -> statewright::Result<()>,
) -> Result<Exit> {
    each(&[id.to_owned()], common, |engine, _| event(engine))
}

/// Does the same to each case, in order, up to the first that refuses.
fn each(
    ids: &[String],
    common: &Common,
    event: impl Fn(&Engine, &str) -> statewright::Result<()>,
) -> Result<Exit> {
    let engine = store::open_quietly(&common.store)?;
    let mut out = Out::new();
    for id in ids {
        let done = event(&engine, id);
        done.map_err(|e| crate::exit::Failure::from(e).case(id))?;
        tell(&engine, id, common, &mut out)?;
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

/// How a case is now, and how to go on with it.
fn tell(engine: &Engine, id: &str, common: &Common, out: &mut Out) -> Result<()> {
    let info = engine.case(id)?;
    if common.json {
        return out.line(show::summary_to_value(&info));
    }
    let style = show::status_style(info.status);
    out.line(format!("{id}  {style}{}{style:#}", info.status))?;
    if info.status == Status::Running {
        note(&store::Place::Dir(common.store.dir.clone()).how_to_resume(id));
    }
    Ok(())
}

/// Something beside the result, for people.
pub fn note(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(console::stderr(), "{DIM}{text}{DIM:#}");
}

fn signal(
    common: &Common,
    send: impl Fn(&Engine) -> statewright::Result<Delivery>,
) -> Result<Exit> {
    let engine = store::open_quietly(&common.store)?;
    let delivery = send(&engine)?;
    let mut out = Out::new();
    let exit = match &delivery {
        Delivery::Dropped { .. } => Exit::No,
        _ => Exit::Done,
    };
    if common.json {
        out.line(delivery_to_value(&delivery))?;
    } else {
        match &delivery {
            Delivery::Taken { case, task, reply } => {
                out.line(format!("taken by task {task} of case {case}"))?;
                if let Some(reply) = reply {
                    out.line(reply.to_json_pretty())?;
                }
                note(&store::Place::Dir(common.store.dir.clone()).how_to_resume(case));
            }
            Delivery::Kept => out.line("kept until a task waits for it")?,
            Delivery::Dropped { code } => {
                out.line(format!("lost ({code}): {}", why_lost(code)))?;
            }
            _ => {}
        }
    }
    out.flush()?;
    engine.close()?;
    Ok(exit)
}

fn why_lost(code: &str) -> &'static str {
    match code {
        "unknown-signal" => "the flow has no task that waits for a signal of this name",
        "suspended" => "the case is suspended, and the task does not say `keep: true`",
        "full" => "too many are kept already",
        _ => "nobody waits for it, and no task says `keep: true`",
    }
}

fn delivery_to_value(delivery: &Delivery) -> Value {
    match delivery {
        Delivery::Taken { case, task, reply } => {
            let mut object =
                value!({ "outcome": "taken", "case": (case.as_str()), "task": (task.as_str()) });
            if let Some(reply) = reply {
                // An object that was just made takes another key.
                let _ = object.insert("reply", reply.clone());
            }
            object
        }
        Delivery::Dropped { code } => value!({ "outcome": "dropped", "code": (*code) }),
        _ => value!({ "outcome": "kept" }),
    }
}

fn read_or_null(text: Option<&str>) -> Result<Value> {
    text.map_or(Ok(Value::NULL), input::value)
}
