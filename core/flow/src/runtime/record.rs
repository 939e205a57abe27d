//! Cases and items as documents: how they are written in full and read back.

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use crate::case::{
    Case, EventKind, Group, HistoryEvent, Instance, Item, ItemLane, ItemState, ItemWork, Lease,
    Parent, Status,
};
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

/// A task by its name: names stay when a spec's order changes.
pub(crate) fn task_name(net: &Net, task: usize) -> Value {
    Value::from(net.tasks.get(task).map_or("", |t| &*t.name))
}

/// A place by its name.
pub(crate) fn place_name(net: &Net, place: usize) -> &str {
    net.places.get(place).map_or("", |p| p.name.as_str())
}

/// Tokens by place name.
fn marking(net: &Net, case: &Case) -> Value {
    let mut object = Value::object();
    for place in 0..net.places.len() {
        let tokens = case.marking.tokens(place);
        if tokens > 0 {
            put(&mut object, place_name(net, place), Value::from(tokens));
        }
    }
    object
}

/// What a join that counts has seen in its round, by place; none if no round has fired.
pub(crate) fn seen(net: &Net, case: &Case, task: usize) -> Option<Value> {
    let inputs = &net.tasks.get(task)?.inputs;
    let seen = inputs
        .iter()
        .enumerate()
        .filter(|(index, _)| case.marking.seen(net.skeleton(), task, *index))
        .map(|(_, input)| Value::from(place_name(net, input.place)));
    let seen: Vec<Value> = seen.collect();
    (!seen.is_empty()).then(|| seen.into_iter().collect())
}

pub(crate) fn group_to_value(net: &Net, group: &Group) -> Value {
    let ranges: Value = group
        .ranges
        .iter()
        .map(|(first, len)| Value::from([Value::from(*first), Value::from(*len)]))
        .collect();
    let mut object = value!({
        "ranges": ranges, "total": (group.total), "completed": (group.completed), "active": (group.active),
    });
    put(&mut object, "task", task_name(net, group.task));
    for (key, count) in [("max", group.max), ("threshold", group.threshold)] {
        if let Some(count) = count {
            put(&mut object, key, Value::from(count));
        }
    }
    for (key, flag) in [("left", group.left), ("free", group.free)] {
        if flag {
            put(&mut object, key, Value::from(true));
        }
    }
    object
}

pub(crate) fn mail_to_value((first, next): (u64, u64)) -> Value {
    Value::from([Value::from(first), Value::from(next)])
}

pub(crate) fn case_to_value(net: &Net, case: &Case) -> Value {
    let (id, key, flow) = (&*case.id, &*case.net, &*net.name);
    let mut object = value!({
        "id": id, "flow": flow, "version": (net.version), "net": key, "status": (case.status.name()),
        "created": (case.created.as_micros()), "updated": (case.updated.as_micros()),
    });
    if let Some(parent) = &case.parent {
        put(&mut object, "parent", parent_to_value(parent));
    }
    put(&mut object, "data", case.data.clone());
    put(&mut object, "marking", marking(net, case));
    let mut dead = Value::object();
    for (place, tokens) in &case.dead {
        put(&mut dead, place_name(net, *place), Value::from(*tokens));
    }
    let mut rounds = Value::object();
    for (task, of) in net.tasks.iter().enumerate() {
        if let Some(seen) = seen(net, case, task) {
            put(&mut rounds, &of.name, seen);
        }
    }
    let mut offers = Value::object();
    for (task, number) in &case.offers {
        let name = net.tasks.get(*task).map_or("", |t| &*t.name);
        put(&mut offers, name, Value::from(*number));
    }
    let mut items = Value::object();
    for (number, task) in &case.in_flight {
        put(&mut items, &number.to_string(), task_name(net, *task));
    }
    let mut groups = Value::object();
    for (number, group) in &case.groups {
        put(&mut groups, &number.to_string(), group_to_value(net, group));
    }
    // What most cases never have is not written.
    for (key, value) in [("dead", dead), ("rounds", rounds), ("groups", groups)] {
        if !value.is_empty() {
            put(&mut object, key, value);
        }
    }
    if let Some(recovery) = super::recovery::to_value(net, &case.recovery) {
        put(&mut object, super::recovery::FIELD, recovery);
    }
    put(&mut object, "offers", offers);
    put(&mut object, "items", items);
    put(&mut object, "next_item", Value::from(case.next_item));
    put(&mut object, "seq", Value::from(case.seq));
    for (key, value) in [("result", &case.result), ("error", &case.error)] {
        if let Some(value) = value {
            put(&mut object, key, value.clone());
        }
    }
    object
}

/// Reads the parts of a case that hold names of its net.
struct Parts<'a> {
    net: &'a Net,
    fields: Fields<'a>,
}

impl Parts<'_> {
    /// The entries of an object that may not be there.
    fn entries(&self, key: &str) -> Vec<(String, Value)> {
        let object = self.fields.value.get(key).unwrap_or_default();
        let entries = object.entries();
        entries.map(|(k, v)| (k.to_owned(), v)).collect()
    }

    fn place(&self, name: &str, field: &str) -> Result<usize> {
        self.net.place(name).ok_or_else(|| self.fields.bad(field))
    }

    fn task(&self, name: Option<&str>, field: &str) -> Result<usize> {
        name.and_then(|name| self.net.task(name))
            .ok_or_else(|| self.fields.bad(field))
    }

    fn count(&self, value: &Value, field: &str) -> Result<u32> {
        let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
        count.ok_or_else(|| self.fields.bad(field))
    }

    fn marking(&self, case: &mut Case) -> Result<()> {
        for (name, tokens) in self.entries("marking") {
            let place = self.place(&name, "marking")?;
            let tokens = self.count(&tokens, "marking")?;
            case.marking.set_tokens(place, tokens);
        }
        for (name, tokens) in self.entries("dead") {
            let place = self.place(&name, "dead")?;
            case.dead.insert(place, self.count(&tokens, "dead")?);
        }
        for (name, seen) in self.entries("rounds") {
            let task = self.task(Some(&name), "rounds")?;
            let inputs = self.net.tasks.get(task).map_or(&[][..], |t| &t.inputs);
            for place in seen.items() {
                let place = self.place(place.as_str().unwrap_or_default(), "rounds")?;
                let index = inputs.iter().position(|i| i.place == place);
                let index = index.ok_or_else(|| self.fields.bad("rounds"))?;
                let skeleton = self.net.skeleton();
                case.marking.set_seen(skeleton, task, index, true);
            }
        }
        Ok(())
    }

    fn work(&self, case: &mut Case) -> Result<()> {
        for (name, number) in self.entries("offers") {
            let task = self.task(Some(&name), "offers")?;
            let number = number.as_u64().ok_or_else(|| self.fields.bad("offers"))?;
            case.offers.insert(task, number);
        }
        for (number, task) in self.entries("items") {
            let task = self.task(task.as_str(), "items")?;
            let number = number.parse().map_err(|_| self.fields.bad("items"))?;
            case.in_flight.insert(number, task);
            case.marking.set_running(task, 1);
        }
        for (number, group) in self.entries("groups") {
            let number = number.parse().map_err(|_| self.fields.bad("groups"))?;
            let group = self.group(&group)?;
            if !group.left {
                case.marking.set_running(group.task, 1);
            }
            case.groups.insert(number, group);
        }
        for (name, range) in self.entries("mail") {
            let number = |index: usize| range.items().nth(index).and_then(|n| n.as_u64());
            let (Some(first), Some(next)) = (number(0), number(1)) else {
                return Err(self.fields.bad("mail"));
            };
            case.mail.insert(name.as_str().into(), (first, next));
        }
        Ok(())
    }

    fn group(&self, value: &Value) -> Result<Group> {
        let fields = Fields {
            of: self.fields.of,
            value,
        };
        let optional = |key: &str| match value.get(key) {
            None => Ok(None),
            Some(count) => self.count(&count, key).map(Some),
        };
        let flag = |key: &str| value.get(key).is_some();
        let mut ranges = Vec::new();
        for range in fields.get("ranges")?.items() {
            let number = |index: usize| range.items().nth(index).and_then(|n| n.as_u64());
            match (number(0), number(1)) {
                (Some(first), Some(len)) => ranges.push((first, len)),
                _ => return Err(fields.bad("ranges")),
            }
        }
        Ok(Group {
            task: self.task(Some(&fields.text("task")?), "groups")?,
            ranges,
            total: fields.small("total")?,
            completed: fields.small("completed")?,
            active: fields.small("active")?,
            max: optional("max")?,
            threshold: optional("threshold")?,
            left: flag("left"),
            free: flag("free"),
        })
    }
}

/// The case without its items, which are documents of their own.
pub(crate) fn case_from_value(net: &Net, id: &str, value: &Value) -> Result<Case> {
    let of = format!("case/{id}");
    let fields = Fields { of: &of, value };
    let mut case = Case::new(
        id.into(),
        fields.text("net")?.into(),
        net.skeleton().empty(),
        fields.get("data")?,
        fields.time("created")?,
    );
    case.parent = parent(&of, value)?;
    case.updated = fields.time("updated")?;
    case.status = fields
        .text("status")?
        .parse()
        .map_err(|()| fields.bad("status"))?;
    case.next_item = fields.number("next_item")?;
    case.seq = fields.number("seq")?;
    case.result = value.get("result");
    case.error = value.get("error");
    let recovery = value.get(super::recovery::FIELD);
    case.recovery = super::recovery::from_value(net, id, recovery.as_ref())?;
    let parts = Parts { net, fields };
    parts.marking(&mut case)?;
    parts.work(&mut case)?;
    Ok(case)
}

pub(crate) fn parent_to_value(parent: &Parent) -> Value {
    let (case, item, depth) = (&*parent.case, parent.item, parent.depth);
    value!({"case": case, "item": item, "depth": depth})
}

fn parent(of: &str, value: &Value) -> Result<Option<Parent>> {
    let Some(value) = value.get("parent") else {
        return Ok(None);
    };
    let fields = Fields { of, value: &value };
    Ok(Some(Parent {
        case: fields.text("case")?.into(),
        item: fields.number("item")?,
        depth: fields.small("depth")?,
    }))
}

/// The key of the net that a case runs on.
pub(crate) fn net_of_case(id: &str, value: &Value) -> Result<String> {
    let of = format!("case/{id}");
    Fields { of: &of, value }.text("net")
}

pub(crate) fn item_to_value(net: &Net, item: &Item) -> Value {
    let task = net.tasks.get(item.task).map_or("", |t| &*t.name);
    let mut object = value!({ "task": task, "created": (item.created.as_micros()) });
    work_to_value(&item.work, &mut object);
    if let Some(instance) = &item.instance {
        let mut of = value!({"group": (instance.group), "index": (instance.index)});
        put(&mut of, "of", instance.of.clone());
        put(&mut object, "instance", of);
    }
    if let Some(result) = &item.result {
        put(&mut object, "result", result.clone());
    }
    if let Some((key, priority)) = &item.lane {
        let lane = [Value::from(key.as_str()), Value::from(u64::from(*priority))];
        put(&mut object, "lane", Value::from(lane));
    }
    put(&mut object, "input", item.input.clone());
    put(&mut object, "attempt", Value::from(item.attempt));
    put(&mut object, "failures", Value::from(item.failures));
    put(&mut object, "state", state_to_value(&item.state));
    object
}

/// The program that a process item runs, as a document has it.
pub(crate) fn argv_to_value(argv: &[String]) -> Value {
    argv.iter().map(|a| Value::from(a.as_str())).collect()
}

fn work_to_value(work: &ItemWork, object: &mut Value) {
    match work {
        ItemWork::Process { argv, cwd } => {
            put(object, "kind", Value::from("process"));
            put(object, "argv", argv_to_value(argv));
            if let Some(cwd) = cwd {
                put(object, "cwd", Value::from(cwd.as_str()));
            }
        }
        ItemWork::Host { topic } => {
            put(object, "kind", Value::from("host"));
            put(object, "topic", Value::from(topic.as_str()));
        }
        ItemWork::Wait => put(object, "kind", Value::from("wait")),
        ItemWork::Signal { signal, key } => {
            put(object, "kind", Value::from("signal"));
            put(object, "signal", Value::from(signal.as_str()));
            if let Some(key) = key {
                put(object, "key", Value::from(key.as_str()));
            }
        }
        ItemWork::Compensate => put(object, "kind", Value::from("compensate")),
        ItemWork::Flow { case } => {
            put(object, "kind", Value::from("flow"));
            put(object, "case", Value::from(case.as_str()));
        }
    }
}

pub(crate) fn state_to_value(state: &ItemState) -> Value {
    let mut object = value!({ "name": (state.name()) });
    match state {
        ItemState::Offered { since }
        | ItemState::Listening { since }
        | ItemState::Running { since } => put(&mut object, "since", micros(*since)),
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
        ItemState::Completed | ItemState::Cancelled | ItemState::Withdrawn => {}
    }
    object
}

pub(crate) fn item_from_value(net: &Net, case: &str, number: u64, value: &Value) -> Result<Item> {
    let of = super::keys::item(case, number);
    let fields = Fields { of: &of, value };
    let task = fields.text("task")?;
    Ok(Item {
        number,
        task: net.task(&task).ok_or_else(|| fields.bad("task"))?,
        instance: instance(&of, value)?,
        work: work_from_value(&fields)?,
        input: fields.get("input")?,
        result: value.get("result"),
        created: fields.time("created")?,
        attempt: fields.small("attempt")?,
        failures: fields.small("failures")?,
        state: state_from_value(&of, &fields.get("state")?)?,
        lane: lane(&of, value)?,
    })
}

fn lane(of: &str, value: &Value) -> Result<ItemLane> {
    let Some(lane) = value.get("lane") else {
        return Ok(None);
    };
    let key = lane.index(0).and_then(|k| k.as_str().map(str::to_owned));
    let priority = lane.index(1).and_then(|p| u8::try_from(p.as_u64()?).ok());
    let lane = key.zip(priority);
    lane.map(Some).ok_or_else(|| Error::damaged(of, "lane"))
}

fn instance(of: &str, value: &Value) -> Result<Option<Instance>> {
    let Some(value) = value.get("instance") else {
        return Ok(None);
    };
    let fields = Fields { of, value: &value };
    Ok(Some(Instance {
        group: fields.number("group")?,
        index: fields.small("index")?,
        of: fields.get("of")?,
    }))
}

fn work_from_value(fields: &Fields<'_>) -> Result<ItemWork> {
    let optional = |key: &str| match fields.value.get(key) {
        None => Ok(None),
        Some(_) => fields.text(key).map(Some),
    };
    Ok(match fields.text("kind")?.as_str() {
        "process" => {
            let argv: Option<Vec<String>> = fields
                .get("argv")?
                .items()
                .map(|a| a.as_str().map(str::to_owned))
                .collect();
            ItemWork::Process {
                argv: argv.ok_or_else(|| fields.bad("argv"))?,
                cwd: optional("cwd")?,
            }
        }
        "host" => ItemWork::Host {
            topic: fields.text("topic")?,
        },
        "wait" => ItemWork::Wait,
        "compensate" => ItemWork::Compensate,
        "signal" => ItemWork::Signal {
            signal: fields.text("signal")?,
            key: optional("key")?,
        },
        "flow" => ItemWork::Flow {
            case: fields.text("case")?,
        },
        _ => return Err(fields.bad("kind")),
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
        "listening" => ItemState::Listening {
            since: fields.time("since")?,
        },
        "running" => ItemState::Running {
            since: fields.time("since")?,
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
