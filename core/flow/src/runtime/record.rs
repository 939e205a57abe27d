//! Cases, items and history events as documents: positional arrays, written on every step, so they are short.
//!
//! A task, a place and an input are written as their index in the case's net, which never changes under a case: its
//! key is a hash of its source. Times are microseconds: those of a case since it was created, those of an item since
//! it was, and that since the case last changed (of an instance, since the case was created). What is empty or nought
//! at the end of an array is left out. `docs/FORMAT.md` has the tables.

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use crate::case::{
    Case, Group, Instance, Item, ItemLane, ItemState, ItemWork, Lease, Parent, Status,
};
use crate::error::{Error, Result};
use crate::ids;
use crate::net::{Join, Net, TaskKind};

/// The fields of a case's document.
pub(crate) mod field {
    /// The key of its net.
    pub const NET: &str = "n";
    /// When it was created, in microseconds.
    pub const CREATED: &str = "t";
    /// The case that called it.
    pub const PARENT: &str = "p";
    /// Its data.
    pub const DATA: &str = "d";
    /// Everything that changes on a step but the data.
    pub const STATE: &str = "s";
    /// What it gave.
    pub const RESULT: &str = "r";
    /// Why it failed.
    pub const ERROR: &str = "e";
    /// What can be undone, is being undone, and was caught.
    pub const RECOVERY: &str = "u";
    /// By when it must have ended, in microseconds since it was created; null or missing for never.
    pub const DEADLINE: &str = "l";
    /// The versions that it was on before: `[the last event there, key of the net, migration, deadline]` each, oldest
    /// first; the deadline, in microseconds since it was created, if the case has none on the next one.
    pub const MOVES: &str = "m";
}

/// The fields of an item's document: what of it is large, and all of an instance.
pub(crate) mod part {
    /// What the work gets.
    pub const INPUT: &str = "i";
    /// The program and its arguments.
    pub const ARGV: &str = "a";
    /// Where the program runs.
    pub const CWD: &str = "c";
    /// Of an instance: the row that others have in their case.
    pub const ROW: &str = "s";
    /// Of an instance: the group, the index, and what it was made of.
    pub const INSTANCE: &str = "g";
    /// Of an instance: what it gave.
    pub const RESULT: &str = "r";
}

/// Added to a status: the case is in the index of those that go on by themselves.
const READY: u64 = 16;
/// Added to the code of an item's state: its task has started.
const STARTED: u64 = 16;
/// Added to the code of an item's state: it has a document of its own.
const STORED: u64 = 32;
/// Added to the code of an item's state: no token of its task is waiting or taken for it, as it undoes another.
const ASIDE: u64 = 64;

const STATUSES: [Status; 10] = [
    Status::Running,
    Status::Suspended,
    Status::Completed,
    Status::Failed,
    Status::Deadlocked,
    Status::Cancelled,
    Status::Terminated,
    Status::Compensating,
    Status::Compensated,
    Status::CompensationFailed,
];

/// Puts a row together; what is null at its end is left out.
pub(crate) fn row(mut parts: Vec<Value>) -> Value {
    while parts.last().is_some_and(Value::is_null) {
        parts.pop();
    }
    parts.into_iter().collect()
}

/// A count, null if it is nought.
fn count(n: u64) -> Value {
    if n == 0 { Value::NULL } else { Value::from(n) }
}

fn index(n: usize) -> Value {
    Value::from(n as u64)
}

/// A list, null if it is empty.
fn list(items: Vec<Value>) -> Value {
    match items.is_empty() {
        true => Value::NULL,
        false => items.into_iter().collect(),
    }
}

/// Microseconds from one time to another.
pub(crate) fn since(base: Timestamp, at: Timestamp) -> i64 {
    at.as_micros().saturating_sub(base.as_micros())
}

/// The same, null if they are equal.
fn apart(base: Timestamp, at: Timestamp) -> Value {
    match since(base, at) {
        0 => Value::NULL,
        micros => Value::from(micros),
    }
}

fn put(object: &mut Value, key: &str, value: Value) {
    // An object made here takes another key.
    let _ = object.insert(key, value);
}

/// Reads the parts of an array; one that is missing is null, one of another type is a damaged document.
struct Row<'a> {
    of: &'a str,
    field: &'static str,
    value: &'a Value,
}

impl Row<'_> {
    fn bad(&self) -> Error {
        Error::damaged(self.of, self.field)
    }

    fn get(&self, index: usize) -> Value {
        self.value.index(index).unwrap_or_default()
    }

    fn number(&self, index: usize) -> Result<u64> {
        match self.get(index) {
            v if v.is_null() => Ok(0),
            v => v.as_u64().ok_or_else(|| self.bad()),
        }
    }

    fn small(&self, index: usize) -> Result<u32> {
        u32::try_from(self.number(index)?).map_err(|_| self.bad())
    }

    fn index(&self, index: usize) -> Result<usize> {
        usize::try_from(self.number(index)?).map_err(|_| self.bad())
    }

    /// None if it is null.
    fn maybe_time(&self, base: Timestamp, index: usize) -> Result<Option<Timestamp>> {
        let micros = match self.get(index) {
            v if v.is_null() => return Ok(None),
            v => v.as_i64().ok_or_else(|| self.bad())?,
        };
        let at = base.as_micros().saturating_add(micros);
        Ok(Some(Timestamp::from_micros(at)))
    }

    fn time(&self, base: Timestamp, index: usize) -> Result<Timestamp> {
        Ok(self.maybe_time(base, index)?.unwrap_or(base))
    }

    fn text(&self, index: usize) -> Result<Option<String>> {
        match self.get(index) {
            v if v.is_null() => Ok(None),
            v => v
                .as_str()
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| self.bad()),
        }
    }

    /// The numbers of a list, two by two.
    fn pairs(&self, index: usize) -> Result<Vec<(usize, u32)>> {
        let list = self.get(index);
        let of = Row {
            value: &list,
            ..*self
        };
        let pair = |i: usize| Ok((of.index(2 * i)?, of.small(2 * i + 1)?));
        (0..list.len() / 2).map(pair).collect()
    }
}

/// Everything of a case that changes on a step, but its data. `ready`: whether it is in the index of those that go on
/// by themselves.
pub(crate) fn state_to_value(net: &Net, case: &Case, ready: bool) -> Value {
    let status = STATUSES.iter().position(|s| *s == case.status);
    let status = status.unwrap_or_default() as u64 + if ready { READY } else { 0 };
    let mut marking = Vec::new();
    for (place, tokens) in case.marking.marked() {
        marking.extend([index(place), Value::from(tokens)]);
    }
    let items = case.items.values().filter(|i| i.instance.is_none());
    let items = items.map(|item| item_to_row(case, case.updated, item));
    let mut dead = Vec::new();
    for (place, tokens) in &case.dead {
        dead.extend([index(*place), Value::from(*tokens)]);
    }
    let tasks = net.tasks.iter().enumerate();
    let counting = tasks.filter(|(_, t)| matches!(t.join, Join::Of { .. }));
    let rounds = counting.filter_map(|(task, of)| {
        let seen = |i: &usize| case.marking.seen(net.skeleton(), task, *i);
        let seen: Vec<Value> = (0..of.inputs.len()).filter(seen).map(index).collect();
        let all = std::iter::once(index(task)).chain(seen.iter().cloned());
        (!seen.is_empty()).then(|| all.collect::<Value>())
    });
    let mut waiting = Vec::new();
    for (task, since) in &case.waiting {
        waiting.extend([index(*task), apart(case.created, *since)]);
    }
    let groups = case.groups.iter().map(|(n, g)| group_to_row(*n, g));
    let mail = case.mail.iter().map(|(signal, (first, next))| {
        let signal = Value::from(&**signal);
        Value::from([signal, Value::from(*first), Value::from(*next)])
    });
    row(vec![
        Value::from(status),
        Value::from(case.next_item),
        Value::from(case.seq),
        apart(case.created, case.updated),
        list(marking),
        list(items.collect()),
        list(dead),
        list(rounds.collect()),
        list(groups.collect()),
        list(mail.collect()),
        list(waiting),
    ])
}

fn group_to_row(number: u64, group: &Group) -> Value {
    let ranges = group.ranges.iter();
    let ranges = ranges.flat_map(|(first, len)| [Value::from(*first), Value::from(*len)]);
    let limit = |n: Option<u32>| n.map_or(Value::NULL, Value::from);
    row(vec![
        Value::from(number),
        index(group.task),
        ranges.collect(),
        Value::from(group.total),
        count(u64::from(group.completed)),
        count(u64::from(group.active)),
        count(u64::from(group.left) | u64::from(group.free) << 1),
        limit(group.max),
        limit(group.threshold),
    ])
}

/// A new case in full.
pub(crate) fn case_to_value(net: &Net, case: &Case, ready: bool) -> Value {
    let mut object = value!({});
    put(&mut object, field::NET, Value::from(&*case.net));
    let created = Value::from(case.created.as_micros());
    put(&mut object, field::CREATED, created);
    if let Some(parent) = &case.parent {
        put(&mut object, field::PARENT, parent_to_value(parent));
    }
    if let Some(recovery) = super::recovery::to_value(net, &case.recovery) {
        put(&mut object, field::RECOVERY, recovery);
    }
    if case.deadline.is_some() {
        put(&mut object, field::DEADLINE, deadline_to_value(case));
    }
    put(&mut object, field::DATA, case.data.clone());
    let state = state_to_value(net, case, ready);
    put(&mut object, field::STATE, state);
    for (key, value) in [(field::RESULT, &case.result), (field::ERROR, &case.error)] {
        if let Some(value) = value {
            put(&mut object, key, value.clone());
        }
    }
    object
}

/// Reads such a time back.
pub(crate) fn deadline_from_value(created: Timestamp, value: &Value) -> Option<Timestamp> {
    let at = created.as_micros().saturating_add(value.as_i64()?);
    Some(Timestamp::from_micros(at))
}

/// By when a case must have ended.
pub(crate) fn deadline_to_value(case: &Case) -> Value {
    let since = |at| Value::from(since(case.created, at));
    case.deadline.map_or(Value::NULL, since)
}

pub(crate) fn parent_to_value(parent: &Parent) -> Value {
    Value::from([
        Value::from(&*parent.case),
        Value::from(parent.item),
        Value::from(parent.depth),
    ])
}

/// A task by its name.
pub(crate) fn task_name(net: &Net, task: usize) -> Value {
    Value::from(net.tasks.get(task).map_or("", |t| &*t.name))
}

/// A place by its name.
pub(crate) fn place_name(net: &Net, place: usize) -> &str {
    net.places.get(place).map_or("", |p| p.name.as_str())
}

/// A case with its items but for instances, and but for what items have in documents of their own; and whether it is
/// in the index of those that go on by themselves.
pub(crate) fn case_from_value(net: &Net, id: &str, value: &Value) -> Result<(Case, bool)> {
    let of = super::keys::case(id);
    let bad = |field: &str| Error::damaged(&of, field);
    let created = value.get(field::CREATED).and_then(|at| at.as_i64());
    let mut case = Case::new(
        id.into(),
        net_of_case(id, value)?.into(),
        net.skeleton().empty(),
        value.get(field::DATA).ok_or_else(|| bad(field::DATA))?,
        Timestamp::from_micros(created.ok_or_else(|| bad(field::CREATED))?),
    );
    if let Some(parent) = value.get(field::PARENT) {
        let row = Row {
            of: &of,
            field: field::PARENT,
            value: &parent,
        };
        case.parent = Some(Parent {
            case: row.text(0)?.ok_or_else(|| row.bad())?.into(),
            item: row.number(1)?,
            depth: row.small(2)?,
        });
    }
    if let Some(deadline) = value.get(field::DEADLINE).filter(|v| !v.is_null()) {
        let at = deadline_from_value(case.created, &deadline);
        case.deadline = Some(at.ok_or_else(|| bad(field::DEADLINE))?);
    }
    case.result = value.get(field::RESULT);
    case.error = value.get(field::ERROR);
    let recovery = value.get(field::RECOVERY);
    case.recovery = super::recovery::from_value(net, id, recovery.as_ref())?;
    let state = value.get(field::STATE).ok_or_else(|| bad(field::STATE))?;
    let row = Row {
        of: &of,
        field: field::STATE,
        value: &state,
    };
    let status = row.index(0)?;
    case.status = *STATUSES.get(status & 15).ok_or_else(|| row.bad())?;
    case.next_item = row.number(1)?;
    case.seq = row.number(2)?;
    case.updated = row.time(case.created, 3)?;
    for (place, tokens) in row.pairs(4)? {
        case.marking.set_tokens(place, tokens);
    }
    for item in row.get(5).items() {
        let (item, code) = item_from_row(net, &of, (&case, case.updated), &item)?;
        if code & STARTED != 0 {
            case.in_flight.insert(item.number, item.task);
            case.marking.set_running(item.task, 1);
        } else if code & ASIDE == 0 {
            case.offers.insert(item.task, item.number);
        }
        case.items.insert(item.number, item);
    }
    case.dead.extend(row.pairs(6)?);
    rounds(net, &row, &mut case)?;
    for group in row.get(8).items() {
        let (number, group) = group_from_row(net, &of, &group)?;
        if !group.left {
            case.marking.set_running(group.task, 1);
        }
        case.groups.insert(number, group);
    }
    for mail in row.get(9).items() {
        let mail = Row {
            value: &mail,
            ..row
        };
        let signal = mail.text(0)?.ok_or_else(|| mail.bad())?;
        let numbers = (mail.number(1)?, mail.number(2)?);
        case.mail.insert(signal.into(), numbers);
    }
    let waiting = row.get(10);
    let waiting = Row {
        value: &waiting,
        ..row
    };
    for at in 0..waiting.value.len() / 2 {
        let since = waiting.time(case.created, 2 * at + 1)?;
        case.waiting.insert(waiting.index(2 * at)?, since);
    }
    Ok((case, status as u64 & READY != 0))
}

fn rounds(net: &Net, row: &Row<'_>, case: &mut Case) -> Result<()> {
    for round in row.get(7).items() {
        let round = Row {
            value: &round,
            ..*row
        };
        let task = round.index(0)?;
        for input in 1..round.value.len() {
            let input = round.index(input)?;
            case.marking.set_seen(net.skeleton(), task, input, true);
        }
    }
    Ok(())
}

fn group_from_row(net: &Net, of: &str, value: &Value) -> Result<(u64, Group)> {
    let row = Row {
        of,
        field: field::STATE,
        value,
    };
    let task = row.index(1)?;
    let ranges = row.get(2);
    let range = Row {
        value: &ranges,
        ..row
    };
    let range = |i: usize| Ok((range.number(2 * i)?, range.number(2 * i + 1)?));
    let limit = |i: usize| match row.get(i).is_null() {
        true => Ok(None),
        false => row.small(i).map(Some),
    };
    net.tasks.get(task).ok_or_else(|| row.bad())?;
    let flags = row.number(6)?;
    let group = Group {
        task,
        ranges: (0..ranges.len() / 2).map(range).collect::<Result<_>>()?,
        total: row.small(3)?,
        completed: row.small(4)?,
        active: row.small(5)?,
        left: flags & 1 != 0,
        free: flags & 2 != 0,
        max: limit(7)?,
        threshold: limit(8)?,
    };
    Ok((row.number(0)?, group))
}

/// The key of the net that a case runs on.
pub(crate) fn net_of_case(id: &str, value: &Value) -> Result<String> {
    let key = value.get(field::NET);
    let key = key.and_then(|key| key.as_str().map(str::to_owned));
    key.ok_or_else(|| Error::damaged(&super::keys::case(id), field::NET))
}

/// A case's status without the rest of it.
pub(crate) fn status_of(id: &str, value: &Value) -> Result<Status> {
    let state = value.get(field::STATE).unwrap_or_default();
    let status = state.index(0).and_then(|s| s.as_u64());
    let status = status.and_then(|s| STATUSES.get(usize::try_from(s & 15).ok()?));
    status
        .copied()
        .ok_or_else(|| Error::damaged(&super::keys::case(id), field::STATE))
}

/// When a case was created.
pub(crate) fn created_of(id: &str, value: &Value) -> Result<Timestamp> {
    let at = value.get(field::CREATED).and_then(|at| at.as_i64());
    at.map(Timestamp::from_micros)
        .ok_or_else(|| Error::damaged(&super::keys::case(id), field::CREATED))
}

/// What of an item is short: its number, task, state and times, those since `base`.
pub(crate) fn item_to_row(case: &Case, base: Timestamp, item: &Item) -> Value {
    let at = |time: Timestamp| apart(item.created, time);
    let maybe =
        |time: Option<Timestamp>| time.map_or(Value::NULL, |t| Value::from(since(item.created, t)));
    let text = |text: &str| Value::from(text);
    let null = || Value::NULL;
    // Since, until, deadline, worker, nonce.
    let (code, [from, until, deadline, worker, nonce]) = match &item.state {
        ItemState::Offered { since } => (0, [at(*since), null(), null(), null(), null()]),
        ItemState::Leased(lease) => (
            1,
            [
                at(lease.since),
                maybe(lease.until),
                maybe(lease.deadline),
                text(&lease.worker),
                text(&lease.nonce),
            ],
        ),
        ItemState::BackingOff { since, until } => {
            (2, [at(*since), maybe(Some(*until)), null(), null(), null()])
        }
        ItemState::Waiting { since, until } => {
            (3, [at(*since), maybe(Some(*until)), null(), null(), null()])
        }
        ItemState::Listening { since } => (4, [at(*since), null(), null(), null(), null()]),
        ItemState::Running { since } => (5, [at(*since), null(), null(), null(), null()]),
        ItemState::Completed => (6, [null(), null(), null(), null(), null()]),
        ItemState::Failed { error } => (7, [null(), null(), null(), error.clone(), null()]),
        ItemState::Cancelled => (8, [null(), null(), null(), null(), null()]),
        ItemState::Withdrawn => (9, [null(), null(), null(), null(), null()]),
    };
    let flag = |on: bool, flag: u64| if on { flag } else { 0 };
    let started = case.in_flight.contains_key(&item.number);
    let offered = case.offers.get(&item.task) == Some(&item.number);
    let code = code
        | flag(started, STARTED)
        | flag(item.stored && item.instance.is_none(), STORED)
        | flag(!started && !offered && item.instance.is_none(), ASIDE);
    // Of a signal its key; of what else the task does not say, the case.
    let key = match &item.work {
        ItemWork::Signal { key: Some(key), .. } => text(key),
        ItemWork::Flow { case: other } if *other != ids::child(&case.id, item.number) => {
            text(other)
        }
        _ => null(),
    };
    let lane = item.lane.as_ref().map_or(Value::NULL, |(key, priority)| {
        Value::from([text(key), Value::from(*priority)])
    });
    row(vec![
        Value::from(item.number),
        index(item.task),
        count(code),
        apart(base, item.created),
        count(u64::from(item.attempt)),
        count(u64::from(item.failures)),
        from,
        until,
        deadline,
        worker,
        nonce,
        key,
        lane,
        maybe(item.deadline),
    ])
}

/// An item, and the code of its state with what is added to it.
fn item_from_row(
    net: &Net,
    of: &str,
    (case, base): (&Case, Timestamp),
    value: &Value,
) -> Result<(Item, u64)> {
    let row = Row {
        of,
        field: field::STATE,
        value,
    };
    let number = row.number(0)?;
    let task = row.index(1)?;
    let code = row.number(2)?;
    let created = row.time(base, 3)?;
    let since = row.time(created, 6)?;
    let until = || row.maybe_time(created, 7);
    let due = || until()?.ok_or_else(|| row.bad());
    let text = |i| row.text(i)?.ok_or_else(|| row.bad());
    let state = match code & 15 {
        0 => ItemState::Offered { since },
        1 => ItemState::Leased(Lease {
            worker: text(9)?,
            nonce: text(10)?,
            since,
            until: until()?,
            deadline: row.maybe_time(created, 8)?,
        }),
        2 => ItemState::BackingOff {
            since,
            until: due()?,
        },
        3 => ItemState::Waiting {
            since,
            until: due()?,
        },
        4 => ItemState::Listening { since },
        5 => ItemState::Running { since },
        6 => ItemState::Completed,
        7 => ItemState::Failed { error: row.get(9) },
        8 => ItemState::Cancelled,
        _ => return Err(row.bad()),
    };
    let kind = &net.tasks.get(task).ok_or_else(|| row.bad())?.kind;
    let item = Item {
        number,
        task,
        instance: None,
        work: work(kind, case, number, row.text(11)?).ok_or_else(|| row.bad())?,
        input: Value::NULL,
        result: None,
        created,
        attempt: row.small(4)?,
        failures: row.small(5)?,
        state,
        lane: lane(&row)?,
        deadline: row.maybe_time(created, 13)?,
        stored: code & STORED != 0,
    };
    Ok((item, code))
}

fn lane(row: &Row<'_>) -> Result<ItemLane> {
    let lane = row.get(12);
    if lane.is_null() {
        return Ok(None);
    }
    let of = Row {
        value: &lane,
        ..*row
    };
    let priority = u8::try_from(of.number(1)?).map_err(|_| of.bad())?;
    Ok(Some((of.text(0)?.ok_or_else(|| of.bad())?, priority)))
}

/// What an item's work is, as far as its task says.
fn work(kind: &TaskKind, case: &Case, number: u64, key: Option<String>) -> Option<ItemWork> {
    Some(match kind {
        TaskKind::Process(_) => ItemWork::Process {
            argv: Vec::new(),
            cwd: None,
        },
        TaskKind::Host(host) => ItemWork::Host {
            topic: host.topic.clone(),
        },
        TaskKind::Wait(_) => ItemWork::Wait,
        TaskKind::Signal(signal) => ItemWork::Signal {
            signal: signal.signal.clone(),
            key,
        },
        TaskKind::Flow(_) => ItemWork::Flow {
            case: key.unwrap_or_else(|| ids::child(&case.id, number)),
        },
        TaskKind::Compensate(_) => ItemWork::Compensate,
        TaskKind::Set(_) | TaskKind::Log(_) | TaskKind::Route => return None,
    })
}

/// The program that a process item runs, as a document has it.
pub(crate) fn argv_to_value(argv: &[String]) -> Value {
    argv.iter().map(|a| Value::from(a.as_str())).collect()
}

/// What an item has in a document of its own; none if there is nothing.
pub(crate) fn item_to_value(case: &Case, item: &Item) -> Option<Value> {
    let mut object = Value::object();
    if let ItemWork::Process { argv, cwd } = &item.work
        && !argv.is_empty()
    {
        put(&mut object, part::ARGV, argv_to_value(argv));
        if let Some(cwd) = cwd {
            put(&mut object, part::CWD, Value::from(cwd.as_str()));
        }
    }
    if !item.input.is_null() {
        put(&mut object, part::INPUT, item.input.clone());
    }
    if let Some(instance) = &item.instance {
        put(
            &mut object,
            part::ROW,
            item_to_row(case, case.created, item),
        );
        let of = [
            Value::from(instance.group),
            Value::from(instance.index),
            instance.of.clone(),
        ];
        put(&mut object, part::INSTANCE, Value::from(of));
    }
    if let Some(result) = &item.result {
        put(&mut object, part::RESULT, result.clone());
    }
    (!object.is_empty()).then_some(object)
}

/// Reads what an item has in a document of its own.
pub(crate) fn complete_item(of: &str, item: &mut Item, value: &Value) -> Result<()> {
    item.input = value.get(part::INPUT).unwrap_or_default();
    item.result = value.get(part::RESULT);
    if let ItemWork::Process { argv, cwd } = &mut item.work {
        let all = value.get(part::ARGV).unwrap_or_default();
        let texts = all.items().map(|a| a.as_str().map(str::to_owned));
        let texts: Option<Vec<String>> = texts.collect();
        *argv = texts.ok_or_else(|| Error::damaged(of, part::ARGV))?;
        let folder = value.get(part::CWD);
        *cwd = folder.and_then(|c| c.as_str().map(str::to_owned));
    }
    Ok(())
}

/// Reads the document of an instance.
pub(crate) fn instance_from_value(
    net: &Net,
    case: &Case,
    number: u64,
    value: &Value,
) -> Result<Item> {
    let of = super::keys::item(&case.id, number);
    let row = value.get(part::ROW).unwrap_or_default();
    let (mut item, _) = item_from_row(net, &of, (case, case.created), &row)?;
    let instance = value.get(part::INSTANCE).unwrap_or_default();
    let row = Row {
        of: &of,
        field: part::INSTANCE,
        value: &instance,
    };
    item.instance = Some(Instance {
        group: row.number(0)?,
        index: row.small(1)?,
        of: row.get(2),
    });
    complete_item(&of, &mut item, value)?;
    item.stored = true;
    Ok(item)
}
