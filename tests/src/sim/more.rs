//! Arrays in documents, merges by a strategy, traces, runs, keys that expire, whole spaces: what clients do with them,
//! and what the model makes of it.
//!
//! Every change is one op in one *part*: an array, a key, a run, a space. Two transactions that change the same part
//! must not both commit unless the two changes commute; more conflicts than that are no mistake here, since lists and
//! indexes are read on the way.

use std::collections::{BTreeMap, BTreeSet};

use statewright_log::{Durability, Timestamp};
use statewright_store::prelude::*;
use statewright_store::{Error, MergeStrategy, NewRun, NewTrace, RunStatus, Snapshot, Space, Span};
use statewright_value::{Path, Value, value};

use super::Checked;
use super::client::{Open, differs};
use super::model::{Change, Seen, number_in, value_of};
use super::world::World;
use crate::check::Level;

/// The part of a state that these operations change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Arrays, each in a document of its own.
    pub lists: BTreeMap<u64, Vec<u64>>,
    /// Arrays at keys, to which is appended.
    pub bags: BTreeMap<u64, Vec<u64>>,
    /// The largest number that was given to a key.
    pub peaks: BTreeMap<u64, u64>,
    /// Traces: the parent, and a tag.
    pub traces: BTreeMap<String, (Option<String>, u64)>,
    /// Runs: the status, the parent, the tags.
    pub runs: BTreeMap<String, (&'static str, Option<String>, BTreeSet<u64>)>,
    /// Keys that expire: the number, and when, in microseconds.
    pub expiring: BTreeMap<u64, (u64, i64)>,
    /// Spaces that are copied and removed as a whole.
    pub wholes: [BTreeMap<u64, u64>; 2],
}

/// A change to one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the operation of its name")]
pub enum More {
    ListNew(u64),
    Push(u64, u64),
    Insert(u64, usize, u64),
    Remove(u64, usize),
    MoveItem(u64, usize, usize),
    Bag(u64, u64),
    Peak(u64, u64),
    Trace(String, Option<String>, u64),
    RunNew(String, Option<String>),
    RunStatus(String, &'static str),
    RunTag(String, u64, bool),
    RunDrop(String),
    Expire(u64, u64, i64),
    Purge,
    WholePut(usize, u64, u64),
    WholeDrop(usize),
    WholeCopy(usize),
}

impl More {
    /// Where it changes something; empty if nobody can see it.
    #[must_use]
    pub fn part(&self) -> String {
        match self {
            More::ListNew(n) | More::Push(n, _) | More::Insert(n, ..) => format!("list/{n}"),
            More::Remove(n, _) | More::MoveItem(n, ..) => format!("list/{n}"),
            More::Bag(n, _) => format!("bag/{n}"),
            More::Peak(n, _) => format!("peak/{n}"),
            More::Trace(id, ..) => format!("trace/{id}"),
            More::RunNew(id, _) | More::RunStatus(id, _) => format!("run/{id}"),
            More::RunTag(id, ..) | More::RunDrop(id) => format!("run/{id}"),
            More::Expire(n, ..) => format!("expiring/{n}"),
            More::Purge => String::new(),
            More::WholePut(space, n, _) => format!("whole/{space}/{n}"),
            More::WholeDrop(space) => format!("whole/{space}"),
            More::WholeCopy(from) => format!("whole/{}", 1 - from),
        }
    }

    /// Whether it is certain that a transaction cannot make the other change after this one.
    #[must_use]
    pub fn conflicts(&self, other: &More) -> bool {
        match (self, other) {
            // Both are on all that is in a space.
            (More::WholePut(put, ..), More::WholeDrop(space)) => return put == space,
            (More::WholePut(..), More::WholeCopy(_)) => return true,
            _ => {}
        }
        let commute = match (self, other) {
            (More::Push(..), More::Push(..)) | (More::Bag(..), More::Bag(..)) => true,
            // Another part of the run than its status.
            (More::RunTag(..), More::RunStatus(..)) => true,
            (More::RunStatus(..), More::RunTag(..)) => true,
            // What there is to copy depends on the other space.
            (More::WholeCopy(_), _) | (_, More::WholeCopy(_)) => true,
            _ => false,
        };
        !commute && !self.part().is_empty() && self.part() == other.part()
    }
}

impl Parts {
    /// Makes a change.
    pub fn apply(&mut self, change: &More) {
        match change.clone() {
            More::ListNew(list) => drop(self.lists.insert(list, Vec::new())),
            More::Push(list, n) => self.lists.entry(list).or_default().push(n),
            More::Insert(list, at, n) => {
                let list = self.lists.entry(list).or_default();
                list.insert(at.min(list.len()), n);
            }
            More::Remove(list, at) => {
                let list = self.lists.entry(list).or_default();
                if at < list.len() {
                    list.remove(at);
                }
            }
            More::MoveItem(list, from, to) => {
                let list = self.lists.entry(list).or_default();
                if from < list.len() {
                    let item = list.remove(from);
                    list.insert(to.min(list.len()), item);
                }
            }
            More::Bag(bag, n) => self.bags.entry(bag).or_default().push(n),
            More::Peak(peak, n) => drop(self.peaks.insert(peak, n)),
            More::Trace(id, parent, tag) => drop(self.traces.insert(id, (parent, tag))),
            More::RunNew(id, parent) => {
                let run = (RunStatus::Active.name(), parent, BTreeSet::new());
                self.runs.insert(id, run);
            }
            More::RunStatus(id, status) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    run.0 = status;
                }
            }
            More::RunTag(id, tag, add) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    if add {
                        run.2.insert(tag);
                    } else {
                        run.2.remove(&tag);
                    }
                }
            }
            More::RunDrop(id) => drop(self.runs.remove(&id)),
            More::Expire(key, n, until) => drop(self.expiring.insert(key, (n, until))),
            More::Purge => {}
            More::WholePut(space, key, n) => {
                if let Some(whole) = self.wholes.get_mut(space) {
                    whole.insert(key, n);
                }
            }
            More::WholeDrop(space) => {
                if let Some(whole) = self.wholes.get_mut(space) {
                    whole.clear();
                }
            }
            More::WholeCopy(from) => {
                let source = self.wholes.get(from).cloned().unwrap_or_default();
                if let Some(whole) = self.wholes.get_mut(1 - from) {
                    *whole = source;
                }
            }
        }
    }

    /// Whether this is what may be found of `expected` when the clock has shown at least `low` and at most `high`.
    #[must_use]
    pub fn agrees(&self, expected: &Parts, low: i64, high: i64) -> bool {
        let live = expected.expiring.iter();
        let there = live.filter(|(_, (_, until))| *until > high);
        let all_there = there
            .into_iter()
            .all(|(key, e)| self.expiring.get(key) == Some(e));
        let none_other = self
            .expiring
            .iter()
            .all(|(key, e)| expected.expiring.get(key) == Some(e) && e.1 > low);
        let rest = |parts: &Parts| Parts {
            expiring: BTreeMap::new(),
            ..parts.clone()
        };
        all_there && none_other && rest(self) == rest(expected)
    }
}

/// The space of the arrays and merges.
fn merged() -> Space {
    Space::parse("t/m").unwrap_or_default()
}

/// The space of traces, runs and keys that expire.
fn records() -> Space {
    Space::parse("t/r").unwrap_or_default()
}

/// One of the spaces that are copied and removed.
fn whole(number: usize) -> Space {
    Space::parse(if number == 0 { "t/w0" } else { "t/w1" }).unwrap_or_default()
}

fn at() -> Path {
    Path::root().key("l")
}

/// The strategy by which the larger number stays.
fn largest() -> MergeStrategy {
    MergeStrategy::custom(|old, new| {
        let number = |v: &Value| number_in(v).unwrap_or(0);
        let stays = old.filter(|old| number(old) >= number(new));
        Ok(stays.unwrap_or(new).clone())
    })
}

impl World {
    /// One of these operations, in a transaction.
    pub(super) fn more(&mut self, open: Open) -> Checked<Open> {
        match self.random.below(12) {
            0..=3 => self.list(open),
            4 | 5 => self.merge(open),
            6 => self.trace(open),
            7 | 8 => self.run_of(open),
            9 => self.expire(open),
            _ => self.whole_space(open),
        }
    }

    /// Notes what a call did that must succeed exactly if `can`; whatever it says, it looked at `part`.
    fn did(
        &mut self,
        open: &mut Open,
        (result, can): (Result<(), Error>, bool),
        change: More,
    ) -> Checked {
        // Every kind of these may be in the way of each other of its kind.
        let kind = change
            .part()
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        open.hinted.push(Seen::Kind(kind));
        match result {
            Ok(()) if can => self.changed(open, Change::More(change)),
            Err(e) if !can && !(300..400).contains(&e.code()) => {}
            Err(e) if can => return self.must(&format!("{change:?}"), Err(e)),
            other => return Err(self.unexpected(&format!("{change:?}"), &other, can)),
        }
        Ok(())
    }

    fn list(&mut self, mut open: Open) -> Checked<Open> {
        let (list, space) = (self.random.below(2), merged());
        let doc = format!("l{list}");
        let there = open.view.parts.lists.get(&list).cloned();
        let Some(items) = there else {
            let made = open.txn.json_create(&space, &doc, value!({"l": []}));
            self.did(&mut open, (made, true), More::ListNew(list))?;
            return Ok(open);
        };
        let (n, len) = (self.judge.number(), items.len());
        let spot = self.random.below(len as u64 + 2) as usize;
        match self.random.below(6) {
            0 | 1 => {
                let pushed = open.txn.json_push(&space, &doc, &at(), vec![value_of(n)]);
                self.did(&mut open, (pushed, true), More::Push(list, n))?;
            }
            2 => {
                let put = open
                    .txn
                    .json_insert(&space, &doc, &at().index(spot), value_of(n));
                let can = spot <= len;
                self.did(&mut open, (put, can), More::Insert(list, spot, n))?;
            }
            3 => {
                let popped = open.txn.json_pop(&space, &doc, &at());
                let popped = self.must("popping an item", popped)?;
                let expected = items.last().map(|n| value_of(*n));
                if popped != expected {
                    return Err(differs("popping an item", &popped, &expected));
                }
                open.seen.push(Seen::Part(format!("list/{list}")));
                if let Some(last) = len.checked_sub(1) {
                    self.did(&mut open, (Ok(()), true), More::Remove(list, last))?;
                }
            }
            4 => {
                let to = self.random.below(len as u64 + 1) as usize;
                let moved = open.txn.json_move_item(&space, &doc, &at(), spot, to);
                let can = spot < len && to < len;
                let unmoved = can && spot == to;
                let change = More::MoveItem(list, spot, to);
                self.did(&mut open, (moved, can || unmoved), change)?;
            }
            _ => {
                let found = open.txn.json_get(&space, &doc, &at());
                let found = self.must("reading an array", found)?;
                self.out.reads += 1;
                let expected: Vec<Value> = items.iter().map(|n| value_of(*n)).collect();
                if found != Some(Value::from(expected)) {
                    return Err(differs(&doc, &found, &None));
                }
                open.seen.push(Seen::Part(format!("list/{list}")));
            }
        }
        Ok(open)
    }

    fn merge(&mut self, mut open: Open) -> Checked<Open> {
        let (key, n) = (self.random.below(2), self.judge.number());
        let space = merged();
        if self.random.below(2) == 0 {
            let (name, items) = (format!("b{key}"), Value::from(vec![value_of(n)]));
            let concatenate = MergeStrategy::Concatenate;
            let merged = open
                .txn
                .kv_merge(&space, name.as_bytes(), items, &concatenate);
            self.did(&mut open, (merged, true), More::Bag(key, n))?;
            return Ok(open);
        }
        let name = format!("p{key}");
        let n = n.saturating_sub(self.random.below(40));
        let new = value_of(n);
        let merged = open.txn.kv_merge(&space, name.as_bytes(), new, &largest());
        let peak = open.view.parts.peaks.get(&key).copied().unwrap_or(0);
        self.did(&mut open, (merged, true), More::Peak(key, n.max(peak)))?;
        open.seen.push(Seen::Part(format!("peak/{key}")));
        Ok(open)
    }

    fn trace(&mut self, mut open: Open) -> Checked<Open> {
        let (n, tag, space) = (self.judge.number(), self.random.below(3), records());
        let (traces, out) = (&open.view.parts.traces, &open.txn);
        if self.random.below(3) == 0 {
            let found = out.trace_by_tag(&space, &format!("g{tag}"), Span::default(), usize::MAX);
            let found = found.map(|all| all.into_iter().map(|t| t.id).collect::<BTreeSet<_>>());
            let found = self.must("traces by tag", found)?;
            let tagged = traces.iter().filter(|(_, (_, t))| *t == tag);
            let expected: BTreeSet<String> = tagged.map(|(id, _)| id.clone()).collect();
            if found != expected {
                return Err(differs("traces by tag", &found, &expected));
            }
            self.out.reads += 1;
            open.hinted.push(Seen::Kind("trace".into()));
            return Ok(open);
        }
        let pick = self.random.below(traces.len() as u64 + 1) as usize;
        let parent = traces.keys().nth(pick).cloned();
        let id = format!("x{n}");
        let mut new = NewTrace::new("step", value_of(n))
            .id(&id)
            .tag(&format!("g{tag}"));
        if let Some(parent) = &parent {
            new = new.parent(parent);
        }
        let made = out.trace_record(&space, new).map(drop);
        self.did(&mut open, (made, true), More::Trace(id, parent, tag))?;
        Ok(open)
    }

    fn run_of(&mut self, mut open: Open) -> Checked<Open> {
        let (space, n) = (records(), self.judge.number());
        let runs = &open.view.parts.runs;
        let pick = self.random.below(runs.len() as u64 + 1) as usize;
        let picked = runs
            .iter()
            .nth(pick)
            .map(|(id, run)| (id.clone(), run.clone()));
        let Some((id, (status, _, tags))) = picked else {
            let id = format!("r{n}");
            let parent = runs.keys().next().cloned().filter(|_| n.is_multiple_of(2));
            let mut new = NewRun::new().id(&id);
            if let Some(parent) = &parent {
                new = new.parent(parent);
            }
            let made = open.txn.run_create(&space, new).map(drop);
            self.did(&mut open, (made, true), More::RunNew(id, parent))?;
            return Ok(open);
        };
        match self.random.below(4) {
            0 => {
                use RunStatus::{Active, Archived, Completed, Failed, Paused};
                let to = [Active, Paused, Completed, Failed, Archived];
                let to = to.get(self.random.below(5) as usize);
                let to = to.copied().unwrap_or(Active);
                let set = open.txn.run_set_status(&space, &id, to);
                let from = RunStatus::parse(status).unwrap_or(Active);
                if from == to {
                    self.must("the same status", set)?;
                    open.hinted.push(Seen::Kind("run".into()));
                    return Ok(open);
                }
                let change = More::RunStatus(id, to.name());
                self.did(&mut open, (set, from.can_become(to)), change)?;
            }
            1 => {
                let tag = self.random.below(2);
                let (add, name) = (!tags.contains(&tag), format!("g{tag}"));
                let done = if add {
                    open.txn.run_add_tag(&space, &id, &name)
                } else {
                    open.txn.run_remove_tag(&space, &id, &name)
                };
                self.did(
                    &mut open,
                    (done.map(drop), true),
                    More::RunTag(id, tag, add),
                )?;
            }
            2 => {
                let parents = runs.values().filter_map(|run| run.1.as_ref());
                let is_parent = parents.into_iter().any(|parent| *parent == id);
                let gone = open.txn.run_delete(&space, &id, false).map(drop);
                self.did(&mut open, (gone, !is_parent), More::RunDrop(id))?;
            }
            _ => {
                let found = open.txn.run_get(&space, &id);
                let found = self.must("reading a run", found)?;
                let found = found.map(|run| run.status.name());
                if found != Some(status) {
                    return Err(differs(&id, &found, &Some(status)));
                }
                self.out.reads += 1;
                open.hinted.push(Seen::Kind("run".into()));
            }
        }
        Ok(open)
    }

    /// What the engine does in the background: removes what has expired.
    pub(super) fn purge(&mut self, client: usize) -> Checked {
        let record = self.record(client, Level::Serializable, self.judge.newest());
        let purged = self.store()?.purge_expired(1 + self.random.below(6));
        self.say(|| format!("purge: {purged:?}"));
        let change = || vec![Change::More(More::Purge)];
        match purged {
            Ok(purged) => match purged.version {
                // One space has keys that expire.
                Some(version) => self.settle(record, change(), Ok(version), Durability::Memory),
                None if purged.due == 0 => Ok(()),
                None => Err("a purge without a commit".into()),
            },
            Err(e) => self.settle(record, change(), Err(e), Durability::Memory),
        }
    }

    fn expire(&mut self, mut open: Open) -> Checked<Open> {
        let (key, n, space) = (self.random.below(4), self.judge.number(), records());
        let name = format!("e{key}");
        match self.random.below(5) {
            0 | 1 => {
                let until = self.latest() + self.random.below(7_200_000_000) as i64 - 600_000_000;
                let expires = Timestamp::from_micros(until);
                let put = open
                    .txn
                    .kv_put_until(&space, name.as_bytes(), value_of(n), expires);
                self.did(&mut open, (put, true), More::Expire(key, n, until))?;
            }
            2 => {
                let purged = open.txn.kv_purge(&space, 1 + self.random.below(5));
                self.must("a purge", purged)?;
                self.changed(&mut open, Change::More(More::Purge));
            }
            _ => {
                let found = open.txn.kv_get(&space, name.as_bytes());
                let found = self.must("reading a key that expires", found)?;
                let found = found.as_ref().and_then(number_in);
                let there = open.view.parts.expiring.get(&key).copied();
                let (low, high) = (self.earliest(open.looks), self.latest());
                let right = match (found, there) {
                    (None, None) => true,
                    (None, Some((_, until))) => until <= high,
                    (Some(found), Some((n, until))) => found == n && until > low,
                    (Some(_), None) => false,
                };
                if !right {
                    return Err(differs(&name, &found, &there.map(|(n, _)| n)));
                }
                self.out.reads += 1;
                open.hinted.push(Seen::Kind("expiring".into()));
            }
        }
        Ok(open)
    }

    fn whole_space(&mut self, mut open: Open) -> Checked<Open> {
        let (number, key, n) = (
            self.random.below(2) as usize,
            self.random.below(5),
            self.judge.number(),
        );
        let [first, second] = &open.view.parts.wholes;
        let (mine, other) = match number {
            0 => (first.clone(), second.clone()),
            _ => (second.clone(), first.clone()),
        };
        let name = format!("k{key}");
        match self.random.below(5) {
            0 | 1 => {
                let put = open
                    .txn
                    .kv_put(&whole(number), name.as_bytes(), value_of(n));
                self.did(&mut open, (put, true), More::WholePut(number, key, n))?;
            }
            2 => {
                let gone = open.txn.space_delete(&whole(number));
                let gone = self.must("removing a space", gone)?;
                if gone == mine.is_empty() {
                    return Err(differs("removing a space", &gone, &!mine.is_empty()));
                }
                open.hinted.push(Seen::Kind("whole".into()));
                if gone {
                    self.did(&mut open, (Ok(()), true), More::WholeDrop(number))?;
                }
            }
            3 => {
                let copied = open.txn.space_copy(&whole(number), &whole(1 - number));
                let can = other.is_empty();
                if can && mine.is_empty() {
                    self.must("copying nothing", copied)?;
                    open.hinted.push(Seen::Kind("whole".into()));
                } else {
                    self.did(&mut open, (copied, can), More::WholeCopy(number))?;
                }
            }
            _ => {
                let found = open.txn.kv_get(&whole(number), name.as_bytes());
                let found = self.must("reading a space", found)?;
                let found = found.as_ref().and_then(number_in);
                let expected = mine.get(&key).copied();
                if found != expected {
                    return Err(differs(
                        &format!("whole {number} {name}"),
                        &found,
                        &expected,
                    ));
                }
                self.out.reads += 1;
                open.hinted.push(Seen::Kind("whole".into()));
            }
        }
        Ok(open)
    }
}

/// The numbers of a page of keys: the number in the key's name behind its first letter, and that in the value.
fn keys(now: &Snapshot, space: &Space, letter: &str) -> Result<BTreeMap<u64, Value>, Error> {
    let found = now.kv_scan(space, letter.as_bytes(), None, usize::MAX)?;
    let number = |key: &[u8]| String::from_utf8_lossy(key).get(1..)?.parse().ok();
    let numbered = found
        .into_iter()
        .map(|(key, v)| (number(&key).unwrap_or(u64::MAX), v));
    Ok(numbered.collect())
}

fn numbers_of(array: &Value) -> Vec<u64> {
    let items = array.items();
    items.map(|item| number_in(&item).unwrap_or(0)).collect()
}

/// All of it that is in a store.
pub(super) fn read_parts(now: &Snapshot) -> Result<Parts, Error> {
    let mut parts = Parts::default();
    for (doc, value) in now.json_list(&merged(), "", None, usize::MAX)? {
        let list = doc.trim_start_matches('l').parse().unwrap_or(u64::MAX);
        let items = value.get("l").map(|items| numbers_of(&items));
        parts.lists.insert(list, items.unwrap_or_default());
    }
    for (bag, items) in keys(now, &merged(), "b")? {
        parts.bags.insert(bag, numbers_of(&items));
    }
    for (peak, value) in keys(now, &merged(), "p")? {
        parts.peaks.insert(peak, number_in(&value).unwrap_or(0));
    }
    for tag in 0..3 {
        let tagged =
            now.trace_by_tag(&records(), &format!("g{tag}"), Span::default(), usize::MAX)?;
        for trace in tagged {
            parts.traces.insert(trace.id, (trace.parent, tag));
        }
    }
    for run in now.run_by_time(&records(), Span::default(), usize::MAX)? {
        let tags = run.tags.iter();
        let tags = tags.filter_map(|tag| tag.trim_start_matches('g').parse().ok());
        let run_of = (run.status.name(), run.parent, tags.collect());
        parts.runs.insert(run.id, run_of);
    }
    for (key, value) in keys(now, &records(), "e")? {
        let entry = now.kv_entry(&records(), format!("e{key}").as_bytes())?;
        let until = entry.and_then(|entry| entry.expires);
        let until = until.map_or(i64::MAX, |until| until.as_micros());
        let n = number_in(&value).unwrap_or(0);
        parts.expiring.insert(key, (n, until));
    }
    for (number, found) in parts.wholes.iter_mut().enumerate() {
        let all = keys(now, &whole(number), "k")?;
        let numbered = all
            .into_iter()
            .map(|(key, v)| (key, number_in(&v).unwrap_or(0)));
        *found = numbered.collect();
    }
    Ok(parts)
}
