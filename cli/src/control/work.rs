//! `statewright work`: the work of host tasks, by name.

use statewright::flow::{Failure as WorkFailure, WorkFilter, WorkInfo, WorkItem, WorkState};
use statewright::{Engine, Value, value};

use super::args::{Common, Work, WorkAction};
use super::{read_or_null, tell};
use crate::console::{BOLD, DIM, GOOD, NAME, Out, WARN, one_line};
use crate::event::put;
use crate::exit::{Exit, Result};
use crate::store;

pub fn work(options: &Work) -> Result<Exit> {
    match &options.action {
        None => list(options),
        Some(WorkAction::Take(a)) => act(&a.common, |engine, out| {
            let item = engine.take(&a.id, a.item, &a.worker, a.lease)?;
            held(&item, &a.common, out)
        }),
        Some(WorkAction::Delegate(a)) => act(&a.common, |engine, out| {
            let item = engine.delegate(&a.token, &a.worker, a.lease)?;
            held(&item, &a.common, out)
        }),
        Some(WorkAction::Complete(a)) => {
            let result = read_or_null(a.result.as_deref())?;
            act(&a.common, |engine, out| {
                engine.complete(&a.token, result.clone())?;
                tell(engine, case_of(&a.token), &a.common, out)
            })
        }
        Some(WorkAction::Fail(a)) => act(&a.common, |engine, out| {
            let mut failure = WorkFailure::new(a.code.as_str(), a.message.as_str());
            if a.for_good {
                failure = failure.for_good();
            }
            engine.fail(&a.token, &failure)?;
            tell(engine, case_of(&a.token), &a.common, out)
        }),
        Some(WorkAction::GiveBack(a)) => act(&a.common, |engine, out| {
            engine.give_back(&a.token)?;
            tell(engine, case_of(&a.token), &a.common, out)
        }),
        Some(WorkAction::Skip(a)) => act(&a.common, |engine, out| {
            engine.skip(&a.id, a.item, &a.reason)?;
            tell(engine, &a.id, &a.common, out)
        }),
    }
}

/// A token begins with the case's id.
fn case_of(token: &str) -> &str {
    token.split('/').next().unwrap_or_default()
}

fn act(common: &Common, action: impl Fn(&Engine, &mut Out) -> Result<()>) -> Result<Exit> {
    let engine = store::open_quietly(&common.store)?;
    let mut out = Out::new();
    action(&engine, &mut out)?;
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

/// What somebody has now: the token alone, so that a shell can keep it, or everything as JSON.
fn held(item: &WorkItem, common: &Common, out: &mut Out) -> Result<()> {
    if !common.json {
        return out.line(&item.token);
    }
    let mut object = value!({
        "token": (item.token.as_str()),
        "case": (item.case.as_str()),
        "item": (item.item),
        "task": (item.task.as_str()),
        "attempt": (item.attempt),
        "idempotency_key": (item.idempotency_key.as_str()),
        "input": (item.input.clone()),
    });
    for (key, at) in [
        ("deadline", item.deadline),
        ("lease_until", item.lease_until),
    ] {
        put(&mut object, key, at.map(|at| Value::from(at.to_string())));
    }
    out.line(object)
}

fn list(options: &Work) -> Result<Exit> {
    let filter = WorkFilter {
        topic: options.topic.clone(),
        case: options.case.clone(),
        task: options.task.clone(),
        worker: options.worker.clone(),
        state: options.state,
        limit: options.limit,
        ..WorkFilter::default()
    };
    act(&options.common, |engine, out| {
        let items = engine.work(&filter)?;
        if options.common.json {
            return items.iter().try_for_each(|item| out.line(to_value(item)));
        }
        table(&items, out)
    })
}

fn to_value(item: &WorkInfo) -> Value {
    let mut object = value!({
        "case": (item.case.as_str()),
        "item": (item.item),
        "task": (item.task.as_str()),
        "topic": (item.topic.as_str()),
        "state": (item.state.name()),
        "since": (item.since.to_string()),
        "attempt": (item.attempt),
    });
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let time = |at: Option<statewright::Timestamp>| at.map(|at| Value::from(at.to_string()));
    let fields = [
        ("input", Some(item.input.clone()).filter(|i| !i.is_null())),
        ("worker", text(&item.worker)),
        ("token", text(&item.token)),
        ("deadline", time(item.deadline)),
        ("until", time(item.until)),
    ];
    for (key, value) in fields {
        put(&mut object, key, value);
    }
    object
}

fn table(items: &[WorkInfo], out: &mut Out) -> Result<()> {
    let width = |of: fn(&WorkInfo) -> &str| {
        let widths = items.iter().map(|i| of(i).chars().count());
        widths.max().unwrap_or(0).max(5)
    };
    let (case, task, topic) = (width(|i| &i.case), width(|i| &i.task), width(|i| &i.topic));
    if !items.is_empty() {
        out.line(format!(
            "{DIM}{:<case$}  ITEM  {:<task$}  {:<topic$}  {:<11}  {:<20}  WORKER{DIM:#}",
            "CASE", "TASK", "TOPIC", "STATE", "SINCE"
        ))?;
    }
    for item in items {
        let style = match item.state {
            WorkState::Offered => BOLD,
            WorkState::Leased => GOOD,
            WorkState::BackingOff => WARN,
        };
        let since: String = item.since.to_string().chars().take(19).collect();
        let worker = item.worker.as_deref().unwrap_or_default();
        let line = format!(
            "{:<case$}  {:>4}  {NAME}{:<task$}{NAME:#}  {:<topic$}  {style}{:<11}{style:#}  {since}Z  {}",
            item.case,
            item.item,
            item.task,
            item.topic,
            item.state.name(),
            one_line(worker)
        );
        out.line(line.trim_end())?;
    }
    Ok(())
}
