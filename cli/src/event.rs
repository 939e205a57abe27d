//! Events and ends of cases as lines for programs (`--json`). `docs/CLI.md` describes them.

use statewright::flow::{CaseInfo, HistoryEvent};
use statewright::{Value, value};

/// `{"event", "case", "seq", "version", "at", "task"?, "item"?, "attempt"?, "detail"?}`.
pub fn to_value(event: &HistoryEvent) -> Value {
    let mut object = value!({
        "event": (event.kind.name()),
        "case": (&*event.case),
        "seq": (event.seq),
        "version": (event.version),
        "at": (event.at.to_string()),
    });
    let detail = Some(event.detail.clone()).filter(|d| !d.is_null());
    let optional = [
        ("task", event.task.as_deref().map(Value::from)),
        ("item", event.item.map(Value::from)),
        ("attempt", event.attempt.map(Value::from)),
        ("detail", detail),
    ];
    for (key, value) in optional {
        put(&mut object, key, value);
    }
    object
}

/// `{"case", "flow", "status", "result"?, "error"?}`.
pub fn end_to_value(info: &CaseInfo) -> Value {
    let mut object = value!({ "case": (info.id.as_str()), "flow": (info.flow.as_str()), "status": (info.status.name()) });
    put(&mut object, "result", info.result.clone());
    put(&mut object, "error", info.error.clone());
    object
}

/// Adds what there is to a new object, which takes another key.
pub fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        let _ = object.insert(key, value);
    }
}
