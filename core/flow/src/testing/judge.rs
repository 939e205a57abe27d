//! Whether what came of a run is as it must be.

use std::collections::{BTreeMap, BTreeSet};

use statewright_value::Value;

use super::play::End;
use super::world::{CASE, World};
use super::{Checked, FlowTest, Rule, Wrong};
use crate::case::{EventKind, HistoryEvent};
use crate::expr::{Expr, ExprLimits};

/// What must be so after every event.
pub(super) fn rules(world: &World, test: &FlowTest) -> Checked {
    if test.expected.rules.is_empty() {
        return Ok(());
    }
    let view = world.view()?;
    let value = view.to_value();
    let holds = |expr: &Expr, word: &str| {
        let limits = ExprLimits::default();
        expr.eval_bool(&value, &[], &limits).map_err(|error| {
            let what = format!("{word} {}", expr.text());
            Wrong::new(what, "jq that can be evaluated", error.to_string())
        })
    };
    let broken = |expr: &Expr, word: &str| {
        let what = format!("{word} {}", expr.text());
        Wrong::new(what.clone(), what, value.to_json())
    };
    for rule in &test.expected.rules {
        match rule {
            Rule::Always(expr) if !holds(expr, "always")? => return Err(broken(expr, "always")),
            Rule::Never(expr) if holds(expr, "never")? => return Err(broken(expr, "never")),
            Rule::Check(check) => {
                check(&view).map_err(|why| Wrong::new("a check", "a check that holds", why))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a run ended as it was to.
pub(super) fn end(world: &World, test: &FlowTest, end: &End) -> Checked {
    let expected = &test.expected;
    status(world, test, end)?;
    if let Some(result) = &expected.result {
        let found = end.result.clone().unwrap_or(Value::NULL);
        if found != *result {
            return Err(Wrong::new("result", result.to_json(), found.to_json()));
        }
    }
    if !expected.traces.is_empty() && !expected.traces.contains(&end.trace) {
        let traces: Vec<String> = expected.traces.iter().map(|t| t.join(" ")).collect();
        let found = end.trace.join(" ");
        return Err(Wrong::new("traces", traces.join(", or "), found));
    }
    for (task, from, to) in &expected.counts {
        let done = end.trace.iter().filter(|done| *done == task).count();
        let done = u64::try_from(done).unwrap_or(u64::MAX);
        if !(*from..=*to).contains(&done) {
            let wanted = match from == to {
                true => format!("{task} completes {from} times"),
                false => format!("{task} completes {from} to {to} times"),
            };
            let found = format!("it completed {done} times");
            return Err(Wrong::new(format!("count of {task}"), wanted, found));
        }
    }
    for (first, second) in &expected.before {
        let at = |task| end.trace.iter().position(|done| done == task);
        if let Some(second_at) = at(second)
            && at(first).is_none_or(|at| at > second_at)
        {
            let what = format!("{first} before {second}");
            return Err(Wrong::new(what.clone(), what, end.trace.join(" ")));
        }
    }
    if let Some(cases) = expected.cases {
        let found = world.cases()?;
        if found != cases {
            let found = found.to_string();
            return Err(Wrong::new("cases", cases.to_string(), found));
        }
    }
    let events = world.history()?;
    once(&events, &expected.exclusive)?;
    in_order(&events, &expected.history)?;
    if !expected.ends.is_empty() {
        let view = world.view()?;
        for check in &expected.ends {
            check(&view).map_err(|why| Wrong::new("a check", "a check that holds", why))?;
        }
    }
    Ok(())
}

fn status(world: &World, test: &FlowTest, end: &End) -> Checked {
    let expected = &test.expected;
    let completed = || vec!["completed".to_owned()];
    let wanted = expected.status.clone();
    let wanted = wanted.or_else(|| (!test.is_script()).then(completed));
    let error = world.flows().case(CASE)?.error.unwrap_or(Value::NULL);
    if let Some(wanted) = wanted.filter(|wanted| !wanted.contains(&end.status)) {
        let why = match (error.is_null(), end.status.as_str()) {
            (false, _) => format!(": {}", error.to_json()),
            (true, "running") => {
                let waits = world.offered()?.join(" ");
                format!("; tokens: {}; it waits for: {waits}", end.tokens.join(" "))
            }
            (true, "deadlocked") => format!("; tokens: {}", end.tokens.join(" ")),
            _ => String::new(),
        };
        let found = format!("{}{why}", end.status);
        return Err(Wrong::new("status", wanted.join(" or "), found));
    }
    if let Some(code) = &expected.error {
        let found = error.get("code").unwrap_or(Value::NULL);
        if found.as_str() != Some(code.as_str()) {
            return Err(Wrong::new("error", code.as_str(), error.to_json()));
        }
    }
    // Where a case may still wait, its tokens say only that, unless that is what it is to do.
    let waits = ["running", "failed", "suspended"].contains(&end.status.as_str());
    let nothing = || (!test.is_script() && !waits).then(BTreeMap::new);
    let may_end = expected.status.as_ref().is_none_or(|of| of.len() != 1);
    let marking = expected.marking.clone().filter(|_| !waits || !may_end);
    if let Some(marking) = marking.or_else(nothing) {
        let mut left: Vec<String> = Vec::new();
        for (place, tokens) in &marking {
            left.extend((0..*tokens).map(|_| place.clone()));
        }
        if end.tokens != left {
            let (wanted, found) = (left.join(" "), end.tokens.join(" "));
            return Err(Wrong::new("marking", wanted, found));
        }
    }
    Ok(())
}

/// Nothing completes twice, and what excludes each other is never at work at the same time.
fn once(events: &[HistoryEvent], exclusive: &[Vec<String>]) -> Checked {
    let mut done = BTreeSet::new();
    let mut active: BTreeMap<(String, u64), String> = BTreeMap::new();
    for event in events {
        let (Some(task), Some(item)) = (&event.task, event.item) else {
            continue;
        };
        let key = (event.case.to_string(), item);
        match event.kind {
            EventKind::Started => {
                active.insert(key, task.to_string());
            }
            EventKind::Completed | EventKind::Cancelled | EventKind::Failed => {
                active.remove(&key);
                if event.kind == EventKind::Completed && !done.insert(key) {
                    let found = format!("{task} completed twice");
                    return Err(Wrong::new("once", "everything completes once", found));
                }
            }
            _ => {}
        }
        for tasks in exclusive {
            let now = active.values().filter(|task| tasks.contains(task));
            let now: Vec<&str> = now.map(String::as_str).collect();
            if now.len() > 1 {
                let wanted = format!("one of {} at a time", tasks.join(" "));
                let found = format!("at the same time: {}", now.join(" "));
                return Err(Wrong::new("exclusive", wanted, found));
            }
        }
    }
    Ok(())
}

/// Events that happen in this order, with anything between them.
fn in_order(events: &[HistoryEvent], expected: &[String]) -> Checked {
    let named = |event: &HistoryEvent, wanted: &str| {
        let (kind, task) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let task_fits = task.trim().is_empty() || event.task.as_deref() == Some(task.trim());
        event.kind.name() == kind && task_fits
    };
    let mut rest = events.iter();
    for (number, wanted) in expected.iter().enumerate() {
        if rest.any(|event| named(event, wanted)) {
            continue;
        }
        let behind = expected.get(..number).and_then(<[String]>::last);
        let behind = behind.map_or(String::new(), |last| format!(" after `{last}`"));
        let all: Vec<String> = events.iter().map(word).collect();
        return Err(Wrong::new(
            "history",
            format!("`{wanted}`{behind}"),
            all.join(", "),
        ));
    }
    Ok(())
}

fn word(event: &HistoryEvent) -> String {
    match &event.task {
        Some(task) => format!("{} {task}", event.kind.name()),
        None => event.kind.name().to_owned(),
    }
}
