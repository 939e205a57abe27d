//! What the engine's records look like as values: the objects that C gets as MessagePack.
//!
//! Times are microseconds since the start of 1970 (UTC). What there is not is null.

use statewright::flow::{
    CaseInfo, Delivery, Deployed, HistoryEvent, ItemInfo, Problem, Severity, Waiting, WorkInfo,
    WorkItem, WorkKind,
};
use statewright::{Timestamp, Value, value};

use crate::failure::Failure;

pub(crate) fn deployed(flow: &Deployed) -> Value {
    value!({ "name": (flow.name.as_str()), "version": (flow.version), "key": (flow.key.as_str()) })
}

/// Why one of several was refused.
pub(crate) fn refused(error: &statewright::Error) -> Value {
    let failure = Failure::from(error.clone());
    let (message, path, help) = (&*failure.message, &*failure.path, &*failure.help);
    value!({"error": {
        "code": (i64::from(failure.code)),
        "message": message,
        "path": path,
        "help": help,
        "retryable": (failure.retryable()),
    }})
}

pub(crate) fn problem(problem: &Problem) -> Value {
    value!({
        "line": (problem.line),
        "column": (problem.column),
        "severity": (match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }),
        "code": (problem.code),
        "message": (problem.message.as_str()),
        "help": (problem.help.as_str()),
    })
}

pub(crate) fn case(case: &CaseInfo) -> Value {
    let marking: Value = case
        .marking
        .iter()
        .map(|(place, tokens)| (place.as_str(), Value::from(*tokens)))
        .collect();
    let items: Value = case.items.iter().map(in_flight).collect();
    value!({
        "id": (case.id.as_str()),
        "parent": (case.parent.as_deref()),
        "flow": (case.flow.as_str()),
        "version": (case.version),
        "status": (case.status.name()),
        "created": (case.created.as_micros()),
        "updated": (case.updated.as_micros()),
        "data": (case.data.clone()),
        "marking": (marking),
        "items": (items),
        "result": (case.result.clone()),
        "error": (case.error.clone()),
    })
}

fn in_flight(item: &ItemInfo) -> Value {
    value!({
        "item": (item.item),
        "task": (item.task.as_str()),
        "kind": (item.kind),
        "state": (item.state),
        "attempt": (item.attempt),
    })
}

pub(crate) fn waiting(waiting: &Waiting) -> Value {
    let until = waiting
        .until
        .as_ref()
        .map(|(at, then)| value!({ "at": (at.as_micros()), "then": (then.as_str()) }));
    value!({
        "task": (waiting.task.as_str()),
        "item": (waiting.item),
        "what": (waiting.what.as_str()),
        "since": (time(waiting.since)),
        "until": (until),
        "unblocks": (waiting.unblocks.as_str()),
    })
}

pub(crate) fn event(event: &HistoryEvent) -> Value {
    value!({
        "case": (&*event.case),
        "seq": (event.seq),
        "version": (event.version),
        "at": (event.at.as_micros()),
        "event": (event.kind.name()),
        "task": (event.task.as_deref()),
        "item": (event.item),
        "attempt": (event.attempt),
        "detail": (event.detail.clone()),
    })
}

pub(crate) fn item(item: &WorkItem) -> Value {
    let topic = match &item.work {
        WorkKind::Host { topic } => Some(topic.as_str()),
        _ => None,
    };
    value!({
        "token": (item.token.as_str()),
        "case": (item.case.as_str()),
        "item": (item.item),
        "task": (item.task.as_str()),
        "topic": (topic),
        "attempt": (item.attempt),
        "idempotency_key": (item.idempotency_key.as_str()),
        "input": (item.input.clone()),
        "deadline": (time(item.deadline)),
        "lease_until": (time(item.lease_until)),
    })
}

pub(crate) fn work(item: &WorkInfo) -> Value {
    value!({
        "case": (item.case.as_str()),
        "item": (item.item),
        "task": (item.task.as_str()),
        "topic": (item.topic.as_str()),
        "state": (item.state.name()),
        "since": (item.since.as_micros()),
        "attempt": (item.attempt),
        "input": (item.input.clone()),
        "worker": (item.worker.as_deref()),
        "token": (item.token.as_deref()),
        "deadline": (time(item.deadline)),
        "until": (time(item.until)),
    })
}

pub(crate) fn delivery(delivery: &Delivery) -> Value {
    let (outcome, to, code) = match delivery {
        Delivery::Taken { case, task, .. } => ("taken", Some((case.as_str(), task.as_str())), None),
        Delivery::Kept => ("kept", None, None),
        Delivery::Dropped { code } => ("dropped", None, Some(*code)),
        _ => ("unknown", None, None),
    };
    let reply = match delivery {
        Delivery::Taken { reply, .. } => reply.clone().unwrap_or_default(),
        _ => Value::NULL,
    };
    value!({
        "outcome": outcome,
        "case": (to.map(|(case, _)| case)),
        "task": (to.map(|(_, task)| task)),
        "reply": reply,
        "code": code,
    })
}

fn time(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}
