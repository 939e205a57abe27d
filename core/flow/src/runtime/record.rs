//! Cases, items and history events as documents: positional arrays, written on every step, so they are short.
//!
//! A task, a place and an input are written as their index in the case's net, which never changes under a case: its
//! key is a hash of its source. Times are microseconds: those of a case since it was created, those of an item since
//! it was, and that since the case last changed (of an instance, since the case was created). What is empty or nought
//! at the end of an array is left out. `docs/FORMAT.md` has the tables.

use statewright_log::Timestamp;
use statewright_value::{Packer, Value, ValueRef, value};

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

/// The row that was put together; what is null at its end is left out.
pub(crate) fn finish(row: Packer) -> Result<Value> {
    Ok(row.finish_row().map_err(statewright_store::Error::from)?)
}

/// A count, null if it is nought.
fn count(row: &mut Packer, n: u64) {
    match n {
        0 => row.null(),
        n => row.uint(n),
    }
}

fn index(row: &mut Packer, n: usize) {
    row.uint(n as u64);
}

/// What there may be, null if there is nothing.
pub(crate) fn maybe(row: &mut Packer, n: Option<u64>) {
    match n {
        None => row.null(),
        Some(n) => row.uint(n),
    }
}

/// Microseconds from one time to another.
pub(crate) fn since(base: Timestamp, at: Timestamp) -> i64 {
    at.as_micros().saturating_sub(base.as_micros())
}

/// The same, null if they are equal.
pub(crate) fn apart(row: &mut Packer, base: Timestamp, at: Timestamp) {
    match since(base, at) {
        0 => row.null(),
        micros => row.int(micros),
    }
}

/// The same, null if there is no time.
fn maybe_time(row: &mut Packer, base: Timestamp, at: Option<Timestamp>) {
    match at {
        None => row.null(),
        Some(at) => row.int(since(base, at)),
    }
}

fn put(object: &mut Value, key: &str, value: Value) {
    // An object made here takes another key.
    let _ = object.insert(key, value);
}

static NOTHING: Value = Value::NULL;

/// Reads the parts of an array; one that is missing is null, one of another type is a damaged document.
#[derive(Clone, Copy)]
struct Row<'a> {
    of: &'a str,
    field: &'static str,
    value: ValueRef<'a>,
}

impl<'a> Row<'a> {
    fn bad(&self) -> Error {
        Error::damaged(self.of, self.field)
    }

    /// None if it is null.
    fn get(&self, index: usize) -> Option<ValueRef<'a>> {
        self.value.index(index).filter(|value| !value.is_null())
    }

    /// The part as a row of its own; one without parts if it is null.
    fn row(&self, index: usize) -> Row<'a> {
        let value = self.get(index).unwrap_or(NOTHING.by_ref());
        Row { value, ..*self }
    }

    /// The parts of a part as rows of their own.
    fn rows(&self, index: usize) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let (of, field) = (self.of, self.field);
        let rows = self.row(index).value.items();
        rows.map(move |value| Row { of, field, value })
    }

    fn number(&self, index: usize) -> Result<u64> {
        match self.get(index) {
            None => Ok(0),
            Some(v) => v.as_u64().ok_or_else(|| self.bad()),
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
        let Some(micros) = self.get(index) else {
            return Ok(None);
        };
        let micros = micros.as_i64().ok_or_else(|| self.bad())?;
        let at = base.as_micros().saturating_add(micros);
        Ok(Some(Timestamp::from_micros(at)))
    }

    fn time(&self, base: Timestamp, index: usize) -> Result<Timestamp> {
        Ok(self.maybe_time(base, index)?.unwrap_or(base))
    }

    fn text(&self, index: usize) -> Result<Option<&'a str>> {
        let text = self.get(index).map(|text| text.as_str());
        text.map(|text| text.ok_or_else(|| self.bad())).transpose()
    }

    /// The numbers of a list, two by two.
    fn pairs(&self, index: usize) -> impl Iterator<Item = Result<(usize, u32)>> + use<'a> {
        let of = self.row(index);
        let pair = move |i: usize| Ok((of.index(2 * i)?, of.small(2 * i + 1)?));
        (0..of.value.len() / 2).map(pair)
    }
}

/// Everything of a case that changes on a step, but its data. `ready`: whether it is in the index of those that go on
/// by themselves.
pub(crate) fn state_to_value(net: &Net, case: &Case, ready: bool) -> Result<Value> {
    let mut row = Packer::new();
    let status = STATUSES.iter().position(|s| *s == case.status);
    row.uint(status.unwrap_or_default() as u64 | if ready { READY } else { 0 });
    row.uint(case.next_item);
    row.uint(case.seq);
    apart(&mut row, case.created, case.updated);
    row.open();
    for (place, tokens) in case.marking.marked() {
        index(&mut row, place);
        row.uint(tokens.into());
    }
    row.close_list();
    row.open();
    for item in case.items.values().filter(|i| i.instance.is_none()) {
        row.open();
        write_item(&mut row, case, case.updated, item);
        row.close_row();
    }
    row.close_list();
    row.open();
    for (place, tokens) in &case.dead {
        index(&mut row, *place);
        row.uint((*tokens).into());
    }
    row.close_list();
    write_rounds(&mut row, net, case);
    row.open();
    for (number, group) in &case.groups {
        write_group(&mut row, *number, group);
    }
    row.close_list();
    row.open();
    for (signal, (first, next)) in &case.mail {
        row.open();
        row.text(signal);
        row.uint(*first);
        row.uint(*next);
        row.close();
    }
    row.close_list();
    row.open();
    for (task, since) in &case.waiting {
        index(&mut row, *task);
        apart(&mut row, case.created, *since);
    }
    row.close_list();
    finish(row)
}

/// What joins that count have seen in this round.
fn write_rounds(row: &mut Packer, net: &Net, case: &Case) {
    row.open();
    let tasks = net.tasks.iter().enumerate();
    for (task, of) in tasks.filter(|(_, t)| matches!(t.join, Join::Of { .. })) {
        let seen = |i: &usize| case.marking.seen(net.skeleton(), task, *i);
        let mut seen = (0..of.inputs.len()).filter(seen).peekable();
        if seen.peek().is_some() {
            row.open();
            index(row, task);
            seen.for_each(|input| index(row, input));
            row.close();
        }
    }
    row.close_list();
}

fn write_group(row: &mut Packer, number: u64, group: &Group) {
    row.open();
    row.uint(number);
    index(row, group.task);
    row.open();
    for (first, len) in &group.ranges {
        row.uint(*first);
        row.uint(*len);
    }
    row.close();
    row.uint(group.total.into());
    count(row, group.completed.into());
    count(row, group.active.into());
    count(row, u64::from(group.left) | u64::from(group.free) << 1);
    maybe(row, group.max.map(u64::from));
    maybe(row, group.threshold.map(u64::from));
    row.close_row();
}

/// A new case in full.
pub(crate) fn case_to_value(net: &Net, case: &Case, ready: bool) -> Result<Value> {
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
    put(&mut object, field::STATE, state_to_value(net, case, ready)?);
    for (key, value) in [(field::RESULT, &case.result), (field::ERROR, &case.error)] {
        if let Some(value) = value {
            put(&mut object, key, value.clone());
        }
    }
    Ok(object)
}

/// Reads such a time back.
pub(crate) fn deadline_from_value(created: Timestamp, value: ValueRef<'_>) -> Option<Timestamp> {
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
    let value = value.by_ref();
    let created = value.get(field::CREATED).and_then(|at| at.as_i64());
    let key = value.get(field::NET).and_then(|key| key.as_str());
    let data = value.get(field::DATA).ok_or_else(|| bad(field::DATA))?;
    let mut case = Case::new(
        id.into(),
        key.ok_or_else(|| bad(field::NET))?.into(),
        net.skeleton().empty(),
        data.to_value(),
        Timestamp::from_micros(created.ok_or_else(|| bad(field::CREATED))?),
    );
    let mut state = None;
    for (field, value) in value.entries() {
        match field {
            field::STATE => state = Some(value),
            field::PARENT => case.parent = Some(parent_from_value(&of, value)?),
            field::DEADLINE if !value.is_null() => {
                let at = deadline_from_value(case.created, value);
                case.deadline = Some(at.ok_or_else(|| bad(field::DEADLINE))?);
            }
            field::RESULT => case.result = Some(value.to_value()),
            field::ERROR => case.error = Some(value.to_value()),
            field::RECOVERY => {
                let recovery = value.to_value();
                case.recovery = super::recovery::from_value(net, id, Some(&recovery))?;
            }
            _ => {}
        }
    }
    let row = Row {
        of: &of,
        field: field::STATE,
        value: state.ok_or_else(|| bad(field::STATE))?,
    };
    let ready = read_state(net, &row, &mut case)?;
    Ok((case, ready))
}

fn parent_from_value(of: &str, value: ValueRef<'_>) -> Result<Parent> {
    let field = field::PARENT;
    let row = Row { of, field, value };
    Ok(Parent {
        case: row.text(0)?.ok_or_else(|| row.bad())?.into(),
        item: row.number(1)?,
        depth: row.small(2)?,
    })
}

/// Reads what changes on a step; whether the case is in the index of those that go on by themselves.
fn read_state(net: &Net, row: &Row<'_>, case: &mut Case) -> Result<bool> {
    let status = row.index(0)?;
    case.status = *STATUSES.get(status & 15).ok_or_else(|| row.bad())?;
    case.next_item = row.number(1)?;
    case.seq = row.number(2)?;
    case.updated = row.time(case.created, 3)?;
    for pair in row.pairs(4) {
        let (place, tokens) = pair?;
        case.marking.set_tokens(place, tokens);
    }
    for item in row.rows(5) {
        let (item, code) = item_from_row(net, &item, (case, case.updated))?;
        if code & STARTED != 0 {
            case.in_flight.insert(item.number, item.task);
            case.marking.set_running(item.task, 1);
        } else if code & ASIDE == 0 {
            case.offers.insert(item.task, item.number);
        }
        case.items.insert(item.number, item);
    }
    for pair in row.pairs(6) {
        let (place, tokens) = pair?;
        case.dead.insert(place, tokens);
    }
    for round in row.rows(7) {
        let task = round.index(0)?;
        for input in 1..round.value.len() {
            let input = round.index(input)?;
            case.marking.set_seen(net.skeleton(), task, input, true);
        }
    }
    for group in row.rows(8) {
        let (number, group) = group_from_row(net, &group)?;
        if !group.left {
            case.marking.set_running(group.task, 1);
        }
        case.groups.insert(number, group);
    }
    for mail in row.rows(9) {
        let signal = mail.text(0)?.ok_or_else(|| mail.bad())?;
        let numbers = (mail.number(1)?, mail.number(2)?);
        case.mail.insert(signal.into(), numbers);
    }
    let waiting = row.row(10);
    for at in 0..waiting.value.len() / 2 {
        let since = waiting.time(case.created, 2 * at + 1)?;
        case.waiting.insert(waiting.index(2 * at)?, since);
    }
    Ok(status as u64 & READY != 0)
}

fn group_from_row(net: &Net, row: &Row<'_>) -> Result<(u64, Group)> {
    let task = row.index(1)?;
    let ranges = row.row(2);
    let range = |i: usize| Ok((ranges.number(2 * i)?, ranges.number(2 * i + 1)?));
    let limit = |i: usize| row.get(i).map(|_| row.small(i)).transpose();
    net.tasks.get(task).ok_or_else(|| row.bad())?;
    let flags = row.number(6)?;
    let group = Group {
        task,
        ranges: (0..ranges.value.len() / 2)
            .map(range)
            .collect::<Result<_>>()?,
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
pub(crate) fn item_to_row(case: &Case, base: Timestamp, item: &Item) -> Result<Value> {
    let mut row = Packer::new();
    write_item(&mut row, case, base, item);
    finish(row)
}

fn write_item(row: &mut Packer, case: &Case, base: Timestamp, item: &Item) {
    let code = match &item.state {
        ItemState::Offered { .. } => 0,
        ItemState::Leased(_) => 1,
        ItemState::BackingOff { .. } => 2,
        ItemState::Waiting { .. } => 3,
        ItemState::Listening { .. } => 4,
        ItemState::Running { .. } => 5,
        ItemState::Completed => 6,
        ItemState::Failed { .. } => 7,
        ItemState::Cancelled => 8,
        ItemState::Withdrawn => 9,
    };
    let flag = |on: bool, flag: u64| if on { flag } else { 0 };
    let started = case.in_flight.contains_key(&item.number);
    let offered = case.offers.get(&item.task) == Some(&item.number);
    let code = code
        | flag(started, STARTED)
        | flag(item.stored && item.instance.is_none(), STORED)
        | flag(!started && !offered && item.instance.is_none(), ASIDE);
    row.uint(item.number);
    index(row, item.task);
    count(row, code);
    apart(row, base, item.created);
    count(row, item.attempt.into());
    count(row, item.failures.into());
    write_state(row, item);
    // Of a signal its key; of what else the task does not say, the case.
    match &item.work {
        ItemWork::Signal { key: Some(key), .. } => row.text(key),
        ItemWork::Flow { case: other } if *other != ids::child(&case.id, item.number) => {
            row.text(other);
        }
        _ => row.null(),
    }
    match &item.lane {
        None => row.null(),
        Some((key, priority)) => {
            row.open();
            row.text(key);
            row.uint((*priority).into());
            row.close();
        }
    }
    maybe_time(row, item.created, item.deadline);
}

/// Since when an item is in its state, until when, its deadline, and who has it by what claim.
fn write_state(row: &mut Packer, item: &Item) {
    let nulls = |row: &mut Packer, n: usize| (0..n).for_each(|_| row.null());
    match &item.state {
        ItemState::Leased(lease) => {
            apart(row, item.created, lease.since);
            maybe_time(row, item.created, lease.until);
            maybe_time(row, item.created, lease.deadline);
            row.text(&lease.worker);
            row.text(&lease.nonce);
        }
        ItemState::BackingOff { since, until } | ItemState::Waiting { since, until } => {
            apart(row, item.created, *since);
            maybe_time(row, item.created, Some(*until));
            nulls(row, 3);
        }
        ItemState::Offered { since }
        | ItemState::Listening { since }
        | ItemState::Running { since } => {
            apart(row, item.created, *since);
            nulls(row, 4);
        }
        ItemState::Failed { error } => {
            nulls(row, 3);
            row.value(error.by_ref());
            row.null();
        }
        ItemState::Completed | ItemState::Cancelled | ItemState::Withdrawn => nulls(row, 5),
    }
}

/// An item, and the code of its state with what is added to it.
fn item_from_row(
    net: &Net,
    row: &Row<'_>,
    (case, base): (&Case, Timestamp),
) -> Result<(Item, u64)> {
    let number = row.number(0)?;
    let task = row.index(1)?;
    let code = row.number(2)?;
    let created = row.time(base, 3)?;
    let since = row.time(created, 6)?;
    let until = || row.maybe_time(created, 7);
    let due = || until()?.ok_or_else(|| row.bad());
    let text = |i| row.text(i)?.map(str::to_owned).ok_or_else(|| row.bad());
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
        7 => ItemState::Failed {
            error: row.get(9).map(ValueRef::to_value).unwrap_or_default(),
        },
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
        lane: lane(row)?,
        deadline: row.maybe_time(created, 13)?,
        stored: code & STORED != 0,
    };
    Ok((item, code))
}

fn lane(row: &Row<'_>) -> Result<ItemLane> {
    if row.get(12).is_none() {
        return Ok(None);
    }
    let of = row.row(12);
    let priority = u8::try_from(of.number(1)?).map_err(|_| of.bad())?;
    let key = of.text(0)?.ok_or_else(|| of.bad())?;
    Ok(Some((key.to_owned(), priority)))
}

/// What an item's work is, as far as its task says.
fn work(kind: &TaskKind, case: &Case, number: u64, key: Option<&str>) -> Option<ItemWork> {
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
            key: key.map(str::to_owned),
        },
        TaskKind::Flow(_) => ItemWork::Flow {
            case: key.map_or_else(|| ids::child(&case.id, number), str::to_owned),
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
pub(crate) fn item_to_value(case: &Case, item: &Item) -> Result<Option<Value>> {
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
        let row = item_to_row(case, case.created, item)?;
        put(&mut object, part::ROW, row);
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
    Ok((!object.is_empty()).then_some(object))
}

/// Reads what an item has in a document of its own.
pub(crate) fn complete_item(of: &str, item: &mut Item, value: ValueRef<'_>) -> Result<()> {
    let input = value.get(part::INPUT);
    item.input = input.map(ValueRef::to_value).unwrap_or_default();
    item.result = value.get(part::RESULT).map(ValueRef::to_value);
    if let ItemWork::Process { argv, cwd } = &mut item.work {
        let all = value.get(part::ARGV).into_iter().flat_map(ValueRef::items);
        let texts: Option<Vec<String>> = all.map(|a| a.as_str().map(str::to_owned)).collect();
        *argv = texts.ok_or_else(|| Error::damaged(of, part::ARGV))?;
        let folder = value.get(part::CWD).and_then(ValueRef::as_str);
        *cwd = folder.map(str::to_owned);
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
    let value = value.by_ref();
    let row = |field, part: &str| Row {
        of: &of,
        field,
        value: value.get(part).unwrap_or(NOTHING.by_ref()),
    };
    let state = row(field::STATE, part::ROW);
    let (mut item, _) = item_from_row(net, &state, (case, case.created))?;
    let row = row(part::INSTANCE, part::INSTANCE);
    item.instance = Some(Instance {
        group: row.number(0)?,
        index: row.small(1)?,
        of: row.get(2).map(ValueRef::to_value).unwrap_or_default(),
    });
    complete_item(&of, &mut item, value)?;
    item.stored = true;
    Ok(item)
}
