//! Lanes in the store: which keys may go on, in which order.
//!
//! The durable twin of `statewright_exec::Turns`: items of higher priority come first; within a priority, keys take
//! turns, one item each (round robin; Nagle 1987), and a key's items come in their order. So of two keys that both
//! have items waiting, neither ever gets more than one ahead of the other. A key that is at its limit, or whose rate
//! allows none yet, is not in the line, and stands at its end when it may go on. All of it changes in the commits that
//! offer, claim and end items, so it is what it was after a restart, and nothing is looked for.
//!
//! | key | document |
//! | --- | --- |
//! | `lane/key/<lane>/<key>` | the key: what runs, its rate, what is queued, where it stands in line |
//! | `lane/item/<queue>/<priority>/<lane>/<key>/<since>/<case>/<n>` | null; while the item is offered |
//! | `lane/line/<queue>/<priority>/<tag>/<lane>/<key>` | null; a key that may go on, in its turn |
//! | `lane/tag/<queue>` | the number of the last one that joined the line |
//! | `lane/wait/<due>/<lane>/<key>` | null; a key that its rate holds back, or that has nothing to do, until then |
//!
//! A queue is `p` for process workers, `h.<topic>` for hosts. Priorities are counted down from 255, so that the
//! greatest comes first. A lane's limits are those of the item that was offered last.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value, value};

use super::aside::Part;
use super::{Flows, Moved, Queue, keys, save};
use crate::case::{Item, ItemState, ItemWork};
use crate::error::{Error, Result};
use crate::net::{Lane, Net};
use crate::sabotage::{self, Bug};

const LANES: &str = "lane/";
const WAIT: &str = "lane/wait/";
/// Keys whose rate allows them to go on again, let go in one commit, and held back in one.
const WAIT_BATCH: usize = 64;

/// Where an item stands in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It wants nothing of it now.
    Out,
    /// It waits for its turn.
    Queued,
    /// It counts against the limit.
    Running,
}

/// Where an item stands, in a case that is suspended or not.
pub(super) fn standing(item: Option<&Item>, suspended: bool) -> Standing {
    match item.map(|i| &i.state) {
        Some(ItemState::Offered { .. }) if !suspended => Standing::Queued,
        Some(ItemState::Leased(_)) => Standing::Running,
        _ => Standing::Out,
    }
}

fn queue_of(work: &ItemWork) -> Option<String> {
    match work {
        ItemWork::Host { topic } => Some(format!("h.{topic}")),
        ItemWork::Process { .. } => Some("p".to_owned()),
        _ => None,
    }
}

fn countdown(priority: u8) -> String {
    format!("{:03}", u8::MAX.saturating_sub(priority))
}

/// The items that are offered in a queue's lanes.
pub(super) fn items(topic: &str) -> String {
    format!("lane/item/h.{topic}/")
}

/// A key of a lane, as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
struct Key {
    name: String,
    key: String,
    /// Items that are claimed.
    running: u64,
    limit: Option<u64>,
    /// Microseconds between starts, and how many starts fit in the bucket.
    rate: Option<(i64, i64)>,
    /// When the bucket is full again.
    full: i64,
    /// How many items are queued, by line: `<queue>/<priority>`.
    queued: BTreeMap<String, u64>,
    /// Its tags in the lines where it stands.
    line: BTreeMap<String, String>,
    /// When its rate lets it go on, if it is held back; when it is forgotten, if it has nothing to do.
    wait: Option<i64>,
}

impl Key {
    fn at(name: &str, key: &str) -> String {
        format!("lane/key/{name}/{}", keys::escaped(key))
    }

    fn read(view: &impl Reader, name: &str, key: &str) -> Result<Key> {
        let at = Key::at(name, key);
        let mut of = Key {
            name: name.to_owned(),
            key: key.to_owned(),
            ..Key::default()
        };
        let Some(value) = save::read(view, &at)? else {
            return Ok(of);
        };
        let bad = |field: &str| Error::damaged(&at, field);
        let number = |field: &str| value.get(field).and_then(|n| n.as_i64());
        of.running = value
            .get("running")
            .and_then(|n| n.as_u64())
            .ok_or_else(|| bad("running"))?;
        of.limit = value.get("limit").and_then(|n| n.as_u64());
        of.rate = number("step").zip(number("burst"));
        of.full = number("full").unwrap_or(0);
        of.wait = number("wait");
        let queued = value.get("queued").unwrap_or_default();
        for (queue, n) in queued.entries() {
            let n = n.as_u64().ok_or_else(|| bad("queued"))?;
            of.queued.insert(queue.to_owned(), n);
        }
        let line = value.get("line").unwrap_or_default();
        for (queue, tag) in line.entries() {
            let tag = tag.as_str().ok_or_else(|| bad("line"))?;
            of.line.insert(queue.to_owned(), tag.to_owned());
        }
        Ok(of)
    }

    fn write(&self, txn: &Txn, now: Timestamp) -> Result<()> {
        let (space, at) = (Space::default(), Key::at(&self.name, &self.key));
        if self.is_idle() && self.full <= now.as_micros() {
            txn.doc_drop(Primitive::Flow, &space, &at)?;
            return Ok(());
        }
        let mut object = value!({"running": (self.running)});
        let mut put = |key: &str, value: Value| {
            // A new object takes another key.
            let _ = object.insert(key, value);
        };
        if let Some(limit) = self.limit {
            put("limit", Value::from(limit));
        }
        if let Some((step, burst)) = self.rate {
            put("step", Value::from(step));
            put("burst", Value::from(burst));
            put("full", Value::from(self.full));
        }
        if let Some(wait) = self.wait {
            put("wait", Value::from(wait));
        }
        let (mut queued, mut line) = (Value::object(), Value::object());
        for (queue, n) in &self.queued {
            let _ = queued.insert(queue, Value::from(*n));
        }
        for (queue, tag) in &self.line {
            let _ = line.insert(queue, Value::from(tag.as_str()));
        }
        put("queued", queued);
        put("line", line);
        Ok(txn.doc_set(Primitive::Flow, &space, &at, &Path::root(), object)?)
    }

    /// Whether nothing of it runs or is queued.
    fn is_idle(&self) -> bool {
        self.running == 0 && self.queued.is_empty()
    }

    fn set_limits(&mut self, lane: &Lane) {
        self.limit = lane.limit.map(u64::from);
        self.rate = lane.rate.map(|rate| {
            let step = rate.per.as_micros().div_ceil(u128::from(rate.count.max(1)));
            (
                i64::try_from(step).unwrap_or(i64::MAX).max(1),
                i64::from(rate.burst),
            )
        });
    }

    /// When its rate allows the next start: there is room for one more in the bucket.
    fn next_start(&self) -> i64 {
        let Some((step, burst)) = self.rate.filter(|_| !sabotage::on(Bug::IgnoreRate)) else {
            return i64::MIN; // the filter is planted
        };
        let room = step.saturating_mul(burst.saturating_sub(1));
        self.full.saturating_sub(room)
    }

    fn may_start(&self, now: Timestamp) -> bool {
        let more = u64::from(sabotage::on(Bug::LaneOverLimit)); // planted
        self.limit
            .is_none_or(|limit| self.running < limit.saturating_add(more))
            && self.next_start() <= now.as_micros()
    }

    fn line_key(&self, line: &str, tag: &str) -> String {
        let key = keys::escaped(&self.key);
        format!("lane/line/{line}/{tag}/{}/{key}", self.name)
    }

    fn item_key(&self, line: &str, since: Timestamp, case: &str, number: u64) -> String {
        let (key, since) = (keys::escaped(&self.key), keys::time(since));
        format!(
            "lane/item/{line}/{}/{key}/{since}/{case}/{}",
            self.name,
            keys::number(number)
        )
    }

    fn wait_key(&self, due: i64) -> String {
        let due = keys::time(Timestamp::from_micros(due));
        format!("{WAIT}{due}/{}/{}", self.name, keys::escaped(&self.key))
    }

    /// Leaves a line; to stand at its end later.
    fn leave_line(&mut self, txn: &Txn, line: &str) -> Result<()> {
        if let Some(tag) = self.line.remove(line) {
            let at = self.line_key(line, &tag);
            txn.doc_drop(Primitive::Flow, &Space::default(), &at)?;
        }
        Ok(())
    }

    /// Puts it into the lines where it has something to do, takes it out of the others, and has it woken when its rate
    /// lets it go on.
    fn line_up(&mut self, txn: &Txn, now: Timestamp, moved: &mut Moved) -> Result<()> {
        let space = Space::default();
        let may = self.may_start(now);
        let stays = |line: &String| may && self.queued.contains_key(line);
        let gone: Vec<String> = self.line.keys().filter(|l| !stays(l)).cloned().collect();
        for line in gone {
            self.leave_line(txn, &line)?;
        }
        let joins = |line: &&String| may && !self.line.contains_key(*line);
        for line in self
            .queued
            .keys()
            .filter(joins)
            .cloned()
            .collect::<Vec<String>>()
        {
            let queue = line.split('/').next().unwrap_or_default();
            let tag = next_tag(txn, queue)?;
            let at = self.line_key(&line, &tag);
            txn.doc_create(Primitive::Flow, &space, &at, Value::NULL)?;
            match queue.strip_prefix("h.") {
                Some(topic) => moved.topics_offered.push(topic.to_owned()),
                None => moved.process_offered = true,
            }
            self.line.insert(line, tag);
        }
        let busy = self.limit.is_some_and(|limit| self.running >= limit);
        let held = !self.queued.is_empty() && !busy && !may;
        // One that has nothing more to do is forgotten when its bucket is full, as one that is new begins with that.
        let over = self.is_idle() && self.full > now.as_micros();
        let wait = match held {
            true => Some(self.next_start()),
            false => over.then_some(self.full),
        };
        if wait != self.wait {
            if let Some(before) = self.wait {
                txn.doc_drop(Primitive::Flow, &space, &self.wait_key(before))?;
            }
            if let Some(due) = wait {
                txn.doc_create(Primitive::Flow, &space, &self.wait_key(due), Value::NULL)?;
                let due = Timestamp::from_micros(due);
                moved.next_due = moved.next_due.into_iter().chain([due]).min();
            }
            self.wait = wait;
        }
        Ok(())
    }
}

fn next_tag(txn: &Txn, queue: &str) -> Result<String> {
    let (space, at) = (Space::default(), format!("lane/tag/{queue}"));
    let last = save::read(txn, &at)?.and_then(|n| n.as_u64()).unwrap_or(0);
    let next = last.saturating_add(1);
    txn.doc_set(
        Primitive::Flow,
        &space,
        &at,
        &Path::root(),
        Value::from(next),
    )?;
    Ok(format!("{next:020}"))
}

/// An item changed where it stands. Fails with [`Error::Refused`] if it was claimed and its lane is full: what was done
/// is thrown away.
pub(super) fn changed(
    txn: &Txn,
    net: &Net,
    (case, now): (&str, Timestamp),
    (old, was): (Option<&Item>, Standing),
    (item, is): (&Item, Standing),
    moved: &mut Moved,
) -> Result<()> {
    let task = net.tasks.get(item.task);
    let lane = task
        .and_then(|t| t.kind.work())
        .and_then(|w| w.lane.as_ref());
    let since = |item: &Item| match item.state {
        ItemState::Offered { since } => Some(since),
        _ => None,
    };
    let again = was == is && (is != Standing::Queued || old.and_then(since) == since(item));
    let (Some(lane), Some((name, priority)), Some(queue), false) =
        (lane, &item.lane, queue_of(&item.work), again)
    else {
        return Ok(());
    };
    moved.lined = true;
    let space = Space::default();
    let mut key = Key::read(txn, &lane.name, name)?;
    key.set_limits(lane);
    let line = format!("{queue}/{}", countdown(*priority));
    let place = |key: &Key, since: Timestamp| key.item_key(&line, since, case, item.number);
    match was {
        Standing::Queued => {
            if let Some(since) = old.and_then(since) {
                txn.doc_drop(Primitive::Flow, &space, &place(&key, since))?;
            }
            let left = key.queued.get(&line).map_or(0, |n| n.saturating_sub(1));
            if left == 0 {
                key.queued.remove(&line);
            } else {
                key.queued.insert(line.clone(), left);
            }
        }
        Standing::Running => key.running = key.running.saturating_sub(1),
        Standing::Out => {}
    }
    match is {
        Standing::Queued => {
            if let Some(since) = since(item) {
                txn.doc_create(Primitive::Flow, &space, &place(&key, since), Value::NULL)?;
            }
            let queued = key.queued.entry(line).or_default();
            *queued = queued.saturating_add(1);
        }
        Standing::Running => {
            if !key.may_start(now) {
                let why = format!("lane '{}' takes no more of key '{name}' now", lane.name);
                return Err(Error::Refused { code: "lane", why });
            }
            key.running = key.running.saturating_add(1);
            if let Some((step, _)) = key.rate {
                key.full = key.full.max(now.as_micros()).saturating_add(step);
            }
            // It had its turn.
            if !sabotage::on(Bug::KeepTurn) {
                key.leave_line(txn, &line)?; // the condition is planted
            }
        }
        Standing::Out => {}
    }
    key.line_up(txn, now, moved)?;
    key.write(txn, now)
}

/// What holds an offered item back, for people, and until when its rate does; none if it is only its turn.
pub(super) fn held_by(
    view: &impl Reader,
    net: &Net,
    item: &Item,
) -> Result<Option<(String, Option<Timestamp>)>> {
    let task = net.tasks.get(item.task);
    let lane = task
        .and_then(|t| t.kind.work())
        .and_then(|w| w.lane.as_ref());
    let (Some(lane), Some((name, _)), ItemState::Offered { .. }) = (lane, &item.lane, &item.state)
    else {
        return Ok(None);
    };
    let key = Key::read(view, &lane.name, name)?;
    let of = match name.as_str() {
        "" => format!("lane '{}'", lane.name),
        name => format!("key '{name}' of lane '{}'", lane.name),
    };
    let held = match (key.limit, key.wait) {
        (Some(limit), _) if key.running >= limit => {
            let what = format!(
                "work of {of} to end: {} of {limit} are at work",
                key.running
            );
            Some((what, None))
        }
        (_, Some(due)) => {
            let due = Timestamp::from_micros(due);
            Some((format!("the rate of {of}"), Some(due)))
        }
        _ => None,
    };
    Ok(held)
}

/// An item whose turn it is: since when it is offered, its case and number.
pub(super) type Head = (Timestamp, String, u64);

/// Whether anything may stand in a lane.
pub(super) fn are_there(view: &impl Reader) -> bool {
    let first = view.doc_scan(Primitive::Flow, &Space::default(), LANES, None, 1);
    // What cannot be read is looked at by whoever needs it.
    first.map_or(true, |first| !first.is_empty())
}

impl Flows {
    /// The items at the heads of the keys that are first in line, in their order.
    pub(super) fn heads(&self, queue: &Queue, most: usize) -> Result<Vec<Head>> {
        if !self.lanes.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let (view, space) = (self.store.snapshot(), Space::default());
        let queues = names(queue);
        let mut heads: Vec<(String, Head)> = Vec::new();
        for queue in queues {
            let line = format!("lane/line/{queue}/");
            let mut left = most;
            let some = most.saturating_add(self.asides.count());
            for (at, _) in view.doc_scan(Primitive::Flow, &space, &line, None, some)? {
                let Some(place) = at.strip_prefix(&line).filter(|_| left > 0) else {
                    continue;
                };
                // <priority>/<tag>/<lane>/<key>
                let mut parts = place.splitn(3, '/');
                let (Some(priority), Some(_), Some(lane)) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    continue;
                };
                let items = format!("lane/item/{queue}/{priority}/{lane}/");
                let some = self.asides.count().saturating_add(1);
                let first = view.doc_scan(Primitive::Flow, &space, &items, None, some)?;
                let mut first = first.iter().filter_map(|(key, _)| keys::parse_place(key));
                let first = first.find(|(_, case, number)| !self.asides.keeps(case, *number));
                if let Some((since, case, number)) = first {
                    heads.push((priority.to_owned(), (since, case.to_owned(), number)));
                    left -= 1;
                }
            }
        }
        // Each line is in its order; of several topics, the greater priority first.
        heads.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(heads.into_iter().map(|(_, head)| head).take(most).collect())
    }

    /// Takes the keys out of a queue's lines that may not go on after all, since the clock was set back: each goes on
    /// when its rate allows it. Looks at as many as [`heads`](Flows::heads) would, and at 64; none if there is no such
    /// key.
    pub(super) fn hold_back(&self, queue: &Queue, most: usize) -> Result<Option<Moved>> {
        let (now, most) = (self.now(), most.max(WAIT_BATCH));
        let held = self.store.transact(|txn| -> Result<Option<Moved>> {
            let (space, mut held) = (Space::default(), None);
            for queue in names(queue) {
                let line = format!("lane/line/{queue}/");
                for (at, _) in txn.doc_scan(Primitive::Flow, &space, &line, None, most)? {
                    let place = at
                        .strip_prefix(&line)
                        .and_then(|at| at.splitn(3, '/').nth(2));
                    let Some((name, key)) = place.and_then(parse_key) else {
                        return Err(Error::damaged(&at, "key"));
                    };
                    let mut key = Key::read(txn, &name, &key)?;
                    if !key.may_start(now) {
                        let moved = held.get_or_insert_with(|| Moved::nothing(""));
                        key.line_up(txn, now, moved)?;
                        key.write(txn, now)?;
                    }
                }
            }
            Ok(held)
        })?;
        Ok(held)
    }

    /// When a rate first lets a key go on, or one can be forgotten; none if there is none.
    pub(super) fn next_rate(&self) -> Result<Option<Timestamp>> {
        if !self.lanes.load(Ordering::Acquire) {
            return Ok(None);
        }
        let view = self.store.snapshot();
        let first = self.waits(&view, 1)?;
        Ok(first.first().and_then(|at| parse_wait(at)).map(|w| w.0))
    }

    /// The first keys that their rates hold back, but for those that are put off.
    fn waits(&self, view: &impl Reader, most: usize) -> Result<Vec<String>> {
        let some = most.saturating_add(self.asides.count());
        let found = view.doc_scan(Primitive::Flow, &Space::default(), WAIT, None, some)?;
        let found = found.into_iter().map(|(at, _)| at);
        let found = found.filter(|at| !self.asides.is_asleep(at, Part::Rate));
        Ok(found.take(most).collect())
    }

    /// Lets the keys go on whose rates allow it by now.
    pub(super) fn release_rates(&self, now: Timestamp) -> Result<Option<Moved>> {
        if self.next_rate()?.is_none_or(|due| due > now) {
            return Ok(None);
        }
        let mut damaged = Vec::new();
        let moved = self.store.transact(|txn| -> Result<Moved> {
            let mut moved = Moved::nothing("");
            damaged.clear();
            for at in self.waits(txn, WAIT_BATCH)? {
                let Some((due, name, key)) = parse_wait(&at) else {
                    let error = Error::damaged(&at, "key");
                    damaged.push((at, error));
                    continue;
                };
                if due > now {
                    break;
                }
                let mut key = match Key::read(txn, &name, &key) {
                    Err(error @ Error::Damaged { .. }) => {
                        damaged.push((at, error));
                        continue;
                    }
                    key => key?,
                };
                key.line_up(txn, now, &mut moved)?;
                key.write(txn, now)?;
            }
            Ok(moved)
        })?;
        for (at, error) in damaged {
            self.put_aside(&at, Part::Rate, error)?;
        }
        Ok(Some(moved))
    }
}

/// Reads `lane/wait/<due>/<lane>/<key>` back; neither a name nor an escaped key has a `/`.
fn parse_wait(at: &str) -> Option<(Timestamp, String, String)> {
    let (due, rest) = at.strip_prefix(WAIT)?.split_once('/')?;
    let (name, key) = parse_key(rest)?;
    Some((keys::parse_time(due)?, name, key))
}

/// Reads `<lane>/<key>` back.
fn parse_key(at: &str) -> Option<(String, String)> {
    let (name, key) = at.rsplit_once('/')?;
    let key = key.replace("%2F", "/").replace("%25", "%");
    Some((name.to_owned(), key))
}

/// A queue's name here, of each topic.
fn names(queue: &Queue) -> Vec<String> {
    match queue {
        Queue::Process => vec!["p".to_owned()],
        Queue::Topics(topics) => topics.iter().map(|t| format!("h.{t}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_bucket() {
        let mut key = Key {
            rate: Some((10, 3)),
            ..Key::default()
        };
        let mut started = Vec::new();
        for now in 100..150 {
            while key.may_start(Timestamp::from_micros(now)) {
                key.full = key.full.max(now) + 10;
                started.push(now);
            }
        }
        assert_eq!(started, [100, 100, 100, 110, 120, 130, 140]);
    }

    #[test]
    fn a_wait_leads_back_to_its_key() {
        let key = Key {
            name: "flow.task".to_owned(),
            key: "a/b%c".to_owned(),
            ..Key::default()
        };
        let at = key.wait_key(77);
        let parsed = parse_wait(&at).unwrap();
        assert_eq!(parsed, (Timestamp::from_micros(77), key.name, key.key));
    }
}
