//! Cases and items as documents: how they are written in full and read back.

use std::collections::BTreeMap;

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use crate::case::{Case, EventKind, HistoryEvent, Item, ItemState, ItemWork, Lease, Status};
use crate::error::{Error, Result};
use crate::net::Net;

fn micros(at: Timestamp) -> Value {
    Value::from(at.as_micros())
}

fn put(object: &mut Value, key: &str, value: Value) {
    // An object made here takes another key.
    let _ = object.insert(key, value);
}

/// Reads fields; what is missing or of another type is a damaged document.
struct Fields<'a> {
    of: &'a str,
    value: &'a Value,
}

impl Fields<'_> {
    fn bad(&self, key: &str) -> Error {
        Error::damaged(self.of, key)
    }

    fn get(&self, key: &str) -> Result<Value> {
        self.value.get(key).ok_or_else(|| self.bad(key))
    }

    fn text(&self, key: &str) -> Result<String> {
        self.get(key)?
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.bad(key))
    }

    fn number(&self, key: &str) -> Result<u64> {
        self.get(key)?.as_u64().ok_or_else(|| self.bad(key))
    }

    fn small(&self, key: &str) -> Result<u32> {
        u32::try_from(self.number(key)?).map_err(|_| self.bad(key))
    }

    fn time(&self, key: &str) -> Result<Timestamp> {
        self.optional_time(key)?.ok_or_else(|| self.bad(key))
    }

    fn optional_time(&self, key: &str) -> Result<Option<Timestamp>> {
        match self.value.get(key) {
            None => Ok(None),
            Some(at) => at
                .as_i64()
                .map(|m| Some(Timestamp::from_micros(m)))
                .ok_or_else(|| self.bad(key)),
        }
    }
}

/// The marking, by place name: names stay when a spec's order changes.
pub(crate) fn marking(net: &Net, case: &Case) -> Value {
    let named = case
        .marking
        .iter()
        .filter_map(|(p, n)| Some((net.places.get(*p)?.name.as_str(), Value::from(*n))));
    named.fold(Value::object(), |mut object, (name, n)| {
        put(&mut object, name, n);
        object
    })
}

/// A task by its name: names stay when a spec's order changes.
pub(crate) fn task_name(net: &Net, task: usize) -> Value {
    Value::from(net.tasks.get(task).map_or("", |t| &*t.name))
}

/// The items in flight: `{number: task}`.
fn in_flight(net: &Net, case: &Case) -> Value {
    let mut object = Value::object();
    for (number, task) in &case.in_flight {
        put(&mut object, &number.to_string(), task_name(net, *task));
    }
    object
}

pub(crate) fn case_to_value(net: &Net, case: &Case) -> Value {
    let (id, key, flow) = (&*case.id, &*case.net, &*net.name);
    let mut object = value!({
        "id": id, "flow": flow, "version": (net.version), "net": key, "status": (case.status.name()),
        "created": (case.created.as_micros()), "updated": (case.updated.as_micros()),
    });
    put(&mut object, "data", case.data.clone());
    put(&mut object, "marking", marking(net, case));
    put(&mut object, "items", in_flight(net, case));
    put(&mut object, "next_item", Value::from(case.next_item));
    put(&mut object, "seq", Value::from(case.seq));
    for (key, value) in [("result", &case.result), ("error", &case.error)] {
        if let Some(value) = value {
            put(&mut object, key, value.clone());
        }
    }
    object
}

/// The case without its items, which are documents of their own.
pub(crate) fn case_from_value(net: &Net, id: &str, value: &Value) -> Result<Case> {
    let of = format!("case/{id}");
    let fields = Fields { of: &of, value };
    let mut marking = BTreeMap::new();
    for (name, tokens) in fields.get("marking")?.entries() {
        let place = net.place(name).ok_or_else(|| fields.bad("marking"))?;
        let tokens = tokens
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| fields.bad("marking"))?;
        marking.insert(place, tokens);
    }
    let mut in_flight = BTreeMap::new();
    for (number, task) in fields.get("items")?.entries() {
        let task = task.as_str().and_then(|name| net.task(name));
        let (Ok(number), Some(task)) = (number.parse(), task) else {
            return Err(fields.bad("items"));
        };
        in_flight.insert(number, task);
    }
    Ok(Case {
        id: id.into(),
        net: fields.text("net")?.into(),
        status: fields
            .text("status")?
            .parse()
            .map_err(|()| fields.bad("status"))?,
        created: fields.time("created")?,
        updated: fields.time("updated")?,
        data: fields.get("data")?,
        marking,
        in_flight,
        items: BTreeMap::new(),
        next_item: fields.number("next_item")?,
        seq: fields.number("seq")?,
        result: value.get("result"),
        error: value.get("error"),
        ended: Vec::new(),
        writes: Vec::new(),
    })
}

/// The key of the net that a case runs on.
pub(crate) fn net_of_case(id: &str, value: &Value) -> Result<String> {
    let of = format!("case/{id}");
    Fields { of: &of, value }.text("net")
}

pub(crate) fn item_to_value(net: &Net, item: &Item) -> Value {
    let task = net.tasks.get(item.task).map_or("", |t| &*t.name);
    let mut object = value!({ "task": task, "created": (item.created.as_micros()) });
    match &item.work {
        ItemWork::Process { argv, cwd } => {
            put(&mut object, "kind", Value::from("process"));
            put(
                &mut object,
                "argv",
                argv.iter().map(|a| Value::from(a.as_str())).collect(),
            );
            if let Some(cwd) = cwd {
                put(&mut object, "cwd", Value::from(cwd.as_str()));
            }
        }
        ItemWork::Host { topic } => {
            put(&mut object, "kind", Value::from("host"));
            put(&mut object, "topic", Value::from(topic.as_str()));
        }
        ItemWork::Wait => put(&mut object, "kind", Value::from("wait")),
    }
    put(&mut object, "input", item.input.clone());
    put(&mut object, "attempt", Value::from(item.attempt));
    put(&mut object, "failures", Value::from(item.failures));
    put(&mut object, "state", state_to_value(&item.state));
    object
}

pub(crate) fn state_to_value(state: &ItemState) -> Value {
    let mut object = value!({ "name": (state.name()) });
    match state {
        ItemState::Offered { since } => put(&mut object, "since", micros(*since)),
        ItemState::BackingOff { since, until } | ItemState::Waiting { since, until } => {
            put(&mut object, "since", micros(*since));
            put(&mut object, "until", micros(*until));
        }
        ItemState::Leased(lease) => {
            put(&mut object, "worker", Value::from(lease.worker.as_str()));
            put(&mut object, "nonce", Value::from(lease.nonce.as_str()));
            put(&mut object, "since", micros(lease.since));
            for (key, at) in [("until", lease.until), ("deadline", lease.deadline)] {
                if let Some(at) = at {
                    put(&mut object, key, micros(at));
                }
            }
        }
        ItemState::Failed { error } => put(&mut object, "error", error.clone()),
        ItemState::Completed | ItemState::Cancelled => {}
    }
    object
}

pub(crate) fn item_from_value(net: &Net, case: &str, number: u64, value: &Value) -> Result<Item> {
    let of = super::keys::item(case, number);
    let fields = Fields { of: &of, value };
    let task = fields.text("task")?;
    let work = match fields.text("kind")?.as_str() {
        "process" => {
            let argv: Option<Vec<String>> = fields
                .get("argv")?
                .items()
                .map(|a| a.as_str().map(str::to_owned))
                .collect();
            let cwd = value.get("cwd").map(|c| {
                c.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| fields.bad("cwd"))
            });
            ItemWork::Process {
                argv: argv.ok_or_else(|| fields.bad("argv"))?,
                cwd: cwd.transpose()?,
            }
        }
        "host" => ItemWork::Host {
            topic: fields.text("topic")?,
        },
        "wait" => ItemWork::Wait,
        _ => return Err(fields.bad("kind")),
    };
    Ok(Item {
        number,
        task: net.task(&task).ok_or_else(|| fields.bad("task"))?,
        work,
        input: fields.get("input")?,
        created: fields.time("created")?,
        attempt: fields.small("attempt")?,
        failures: fields.small("failures")?,
        state: state_from_value(&of, &fields.get("state")?)?,
    })
}

fn state_from_value(of: &str, value: &Value) -> Result<ItemState> {
    let fields = Fields { of, value };
    Ok(match fields.text("name")?.as_str() {
        "offered" => ItemState::Offered {
            since: fields.time("since")?,
        },
        "leased" => ItemState::Leased(Lease {
            worker: fields.text("worker")?,
            nonce: fields.text("nonce")?,
            since: fields.time("since")?,
            until: fields.optional_time("until")?,
            deadline: fields.optional_time("deadline")?,
        }),
        "backing_off" => ItemState::BackingOff {
            since: fields.time("since")?,
            until: fields.time("until")?,
        },
        "waiting" => ItemState::Waiting {
            since: fields.time("since")?,
            until: fields.time("until")?,
        },
        "completed" => ItemState::Completed,
        "failed" => ItemState::Failed {
            error: fields.get("error")?,
        },
        "cancelled" => ItemState::Cancelled,
        _ => return Err(fields.bad("state")),
    })
}

pub(crate) fn event_to_value(event: &HistoryEvent) -> Value {
    let mut object = value!({ "at": (event.at.as_micros()), "event": (event.kind.name()) });
    if let Some(task) = &event.task {
        put(&mut object, "task", Value::from(&**task));
    }
    if let Some(item) = event.item {
        put(&mut object, "item", Value::from(item));
        put(
            &mut object,
            "attempt",
            Value::from(event.attempt.unwrap_or(0)),
        );
    }
    if !event.detail.is_null() {
        put(&mut object, "detail", event.detail.clone());
    }
    object
}

pub(crate) fn event_from_value(
    case: &str,
    seq: u64,
    version: u64,
    value: &Value,
) -> Result<HistoryEvent> {
    let of = super::keys::history_event(case, seq);
    let fields = Fields { of: &of, value };
    let item = value.get("item").is_some();
    Ok(HistoryEvent {
        case: case.into(),
        seq,
        version,
        at: fields.time("at")?,
        kind: EventKind::from_name(&fields.text("event")?).ok_or_else(|| fields.bad("event"))?,
        task: value.get("task").and_then(|t| t.as_str().map(Into::into)),
        item: if item {
            Some(fields.number("item")?)
        } else {
            None
        },
        attempt: if item {
            Some(fields.small("attempt")?)
        } else {
            None
        },
        detail: value.get("detail").unwrap_or(Value::NULL),
    })
}

/// A case's status without the rest of it.
pub(crate) fn status_of(id: &str, value: &Value) -> Result<Status> {
    let of = format!("case/{id}");
    let fields = Fields { of: &of, value };
    fields
        .text("status")?
        .parse()
        .map_err(|()| fields.bad("status"))
}
