//! What clients do: one step of one client at a time.

use std::sync::Arc;

use statewright_log::Durability;
use statewright_store::prelude::*;
use statewright_store::{Error, Isolation, Savepoint, Snapshot, Txn};
use statewright_value::{Path, Value};

use super::admin::REFUSALS;
use super::judge::Record;
use super::model::{Change, Seen, State, kv_item, number_in, value_of};
use super::world::World;
use super::{Checked, FaultKind};
use crate::check::{Event, Level, Outcome};

/// A client: at most one open transaction and one pinned snapshot.
#[derive(Default)]
pub(super) struct Client {
    pub(super) open: Option<Open>,
    pub(super) pinned: Option<Pinned>,
}

/// A transaction, and what the model makes of it.
pub(super) struct Open {
    pub(super) txn: Txn,
    /// The opening of the store that it belongs to.
    pub(super) epoch: u64,
    pub(super) base: u64,
    /// How often the clock had been looked at when it began.
    pub(super) looks: usize,
    pub(super) level: Level,
    /// The state at its snapshot with its own changes.
    pub(super) view: State,
    pub(super) changes: Vec<Change>,
    /// What it looked at, by the store's rules and by what it could learn.
    pub(super) seen: Vec<Seen>,
    /// Where it may go back to: what the view was, and how many changes and events there were.
    pub(super) saved: Option<(Savepoint, State, usize, usize)>,
    /// Whether it is told at once when it reads what has changed.
    pub(super) weak: bool,
    /// What it learned from errors: a conflict there is right, but not demanded by this list.
    pub(super) hinted: Vec<Seen>,
    pub(super) record: Record,
}

/// A snapshot, and the state it must show.
pub(super) struct Pinned {
    pub(super) snapshot: Snapshot,
    pub(super) state: Arc<State>,
    pub(super) record: Record,
}

/// Either of the two, for reading.
pub(super) enum Handle<'a> {
    Txn(&'a Txn),
    Snapshot(&'a Snapshot),
}

impl Handle<'_> {
    pub(super) fn kv_get(
        &self,
        world: &World,
        space: usize,
        key: &str,
    ) -> Result<Option<Value>, Error> {
        let space = world.space(space);
        match self {
            Handle::Txn(txn) => txn.kv_get(space, key.as_bytes()),
            Handle::Snapshot(snapshot) => snapshot.kv_get(space, key.as_bytes()),
        }
    }

    pub(super) fn json_get(
        &self,
        world: &World,
        key: &str,
        path: &Path,
    ) -> Result<Option<Value>, Error> {
        match self {
            Handle::Txn(txn) => txn.json_get(world.space(0), key, path),
            Handle::Snapshot(snapshot) => snapshot.json_get(world.space(0), key, path),
        }
    }
}

/// A page of keys: which were asked for.
pub(super) struct Page {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Page {
    /// The first key that can be on it.
    pub(super) fn from(&self) -> String {
        let resume = self.after.as_ref().map(|after| format!("{after}\0"));
        resume
            .filter(|resume| *resume > self.prefix)
            .unwrap_or_else(|| self.prefix.clone())
    }

    /// The first key that it says nothing about, given the keys on it.
    pub(super) fn to(&self, found: &[(String, u64)]) -> Option<String> {
        if let (true, Some((last, _))) = (found.len() == self.limit, found.last()) {
            return Some(format!("{last}\0"));
        }
        // Prefixes here end in a letter or a slash.
        let (head, last) = self
            .prefix
            .split_at_checked(self.prefix.len().checked_sub(1)?)?;
        let next = char::from(last.bytes().next()?.checked_add(1)?);
        Some(format!("{head}{next}"))
    }

    pub(super) fn expected(&self, keys: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
        let from = self.from();
        keys.filter(|(key, _)| key.starts_with(&self.prefix) && *key >= from)
            .take(self.limit)
            .collect()
    }
}

pub(super) fn differs<T: std::fmt::Debug>(what: &str, found: &T, expected: &T) -> String {
    let clip = |text: String| text.chars().take(300).collect::<String>();
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    format!("{what} gives {} instead of {}", clip(found), clip(expected))
}

impl World {
    pub(super) fn space(&self, number: usize) -> &statewright_store::Space {
        let [first, second] = &self.spaces;
        if number == 0 { first } else { second }
    }

    pub(super) fn key(&self) -> (usize, String) {
        let random = &self.random;
        let folder = if random.below(2) == 0 { "a" } else { "b" };
        // A few keys are everybody's, so that conflicts are frequent; the others make the tree larger.
        let number = if random.below(3) > 0 {
            random.below(4)
        } else {
            random.below(60)
        };
        (random.below(2) as usize, format!("{folder}/{number:02}"))
    }

    pub(super) fn doc(&self) -> String {
        // The first is mostly meant, so that conflicts are frequent.
        format!("d{}", self.random.below(4) * self.random.below(2))
    }

    pub(super) fn page(&self) -> Page {
        let random = &self.random;
        let prefix = ["", "a/", "b/", "a/0"];
        let prefix = prefix.get(random.below(4) as usize).copied().unwrap_or("");
        Page {
            prefix: prefix.to_owned(),
            after: (random.below(3) == 0).then(|| self.key().1),
            limit: 1 + random.below(12) as usize,
        }
    }

    pub(super) fn record(&mut self, client: usize, level: Level, snapshot: u64) -> Record {
        Record {
            client,
            level,
            snapshot,
            start: self.tick(),
            events: Vec::new(),
        }
    }

    /// One step of one client.
    pub(super) fn act(&mut self, client: usize) -> Checked {
        match self.random.below(20) {
            0 => self.single_put(client),
            1 => self.pin(client),
            2 | 3 => self.read_pinned(client),
            4 if self.random.below(3) == 0 => self.sync(),
            5 if self.seed.is_multiple_of(2) && self.random.below(2) == 0 => self.checkpoint(),
            4 if self.random.below(3) == 0 => self.purge(client),
            4 => self.read_log(),
            _ => self.advance(client),
        }
    }

    /// One step of a client's transaction.
    fn advance(&mut self, client: usize) -> Checked {
        let Some(open) = self.clients.get_mut(client).and_then(|c| c.open.take()) else {
            return self.begin(client);
        };
        let open = match self.random.below(42) {
            0..=6 => return self.commit(client, open),
            7 => {
                self.note(5);
                if self.random.below(2) == 0 {
                    open.txn.rollback();
                }
                return Ok(());
            }
            8..=10 => self.put(open)?,
            _ if open.weak => self.read_kv(open)?,
            11 => self.delete(open)?,
            12..=14 => self.read_kv(open)?,
            15 | 16 => self.scan(open)?,
            17 | 35 => self.whole_doc(open)?,
            18 | 19 | 34 => self.set_field(open)?,
            20 => self.unset_field(open)?,
            21 | 31..=33 => self.read_doc(open)?,
            22 => self.savepoint(open)?,
            23..=25 => self.count(open)?,
            26 | 27 => self.cell(open)?,
            28..=30 => self.event(open)?,
            _ => self.more(open)?,
        };
        if let Some(client) = self.clients.get_mut(client) {
            client.open = Some(open);
        }
        Ok(())
    }

    fn begin(&mut self, client: usize) -> Checked {
        let (isolation, level) = match self.random.below(8) {
            0 => (Isolation::Weak, Level::Snapshot),
            1 | 2 => (Isolation::Snapshot, Level::Snapshot),
            _ => (Isolation::Serializable, Level::Serializable),
        };
        let txn = self.store()?.begin_with(isolation);
        let base = txn.snapshot_version();
        self.say(|| format!("client {client} begins {isolation:?} at {base}"));
        self.note(base);
        let state = self.judge.show(base)?;
        let record = self.record(client, level, base);
        let open = Open {
            txn,
            epoch: self.epoch,
            base,
            looks: self.looks(),
            level,
            view: state.after(&[]),
            changes: Vec::new(),
            seen: Vec::new(),
            hinted: Vec::new(),
            saved: None,
            weak: isolation == Isolation::Weak,
            record,
        };
        if let Some(client) = self.clients.get_mut(client) {
            client.open = Some(open);
        }
        Ok(())
    }

    /// Notes a change that the store has accepted.
    pub(super) fn changed(&mut self, open: &mut Open, change: Change) {
        self.say(|| format!("client {} {change:?}", open.record.client));
        open.view.apply(&change);
        let items = change.items(|| self.judge.number());
        let events = items.into_iter().map(|(item, n)| Event::Write(item, n));
        open.record.events.extend(events);
        open.changes.push(change);
    }

    /// What to say of an error that should not be. Where a disk has lied, a store may refuse to go on at any time.
    pub(super) fn failed(&self, what: &str, e: &Error) -> String {
        if !self.trusted && REFUSALS.contains(&e.code()) {
            self.refused.set(true);
        }
        format!("{what} failed: {e}")
    }

    /// What to say of a result that should be another one: a success, if that is `expected`.
    pub(super) fn unexpected<T>(
        &self,
        what: &str,
        result: &Result<T, Error>,
        expected: bool,
    ) -> String {
        match result {
            Ok(_) => differs(what, &true, &expected),
            Err(e) => self.failed(what, e),
        }
    }

    pub(super) fn must<T>(&self, what: &str, result: Result<T, Error>) -> Checked<T> {
        result.map_err(|e| self.failed(what, &e))
    }

    fn put(&mut self, mut open: Open) -> Checked<Open> {
        let (space, key) = self.key();
        let n = self.judge.number();
        let put = open
            .txn
            .kv_put(self.space(space), key.as_bytes(), value_of(n));
        self.must("a put in a transaction", put)?;
        self.changed(&mut open, Change::Put(space, key, n));
        Ok(open)
    }

    fn delete(&mut self, mut open: Open) -> Checked<Open> {
        let (space, key) = self.key();
        let was = open.txn.kv_delete(self.space(space), key.as_bytes());
        let was = self.must("a delete in a transaction", was)?;
        let expected = open.view.kv.get(&(space, key.clone())).copied();
        if was != expected.is_some() {
            return Err(differs(
                &format!("deleting {key}"),
                &was,
                &expected.is_some(),
            ));
        }
        open.seen.push(Seen::Kv(space, key.clone()));
        let read = Event::Read(kv_item(space, &key), expected);
        open.record.events.push(read);
        if was {
            self.changed(&mut open, Change::Delete(space, key));
        }
        Ok(open)
    }

    fn read_kv(&mut self, mut open: Open) -> Checked<Open> {
        let (space, key) = self.key();
        if open.weak && open.epoch == self.epoch {
            let found = open.txn.kv_get(self.space(space), key.as_bytes());
            let changed = self
                .judge
                .touched(open.base, &[Seen::Kv(space, key.clone())]);
            match found {
                Ok(_) if changed && !self.judge.poisoned => {
                    return Err(format!("a weak read of {key} missed a change"));
                }
                Ok(_) => {}
                Err(Error::Conflict { .. }) if changed => return Ok(open),
                Err(Error::SnapshotTooOld { .. }) => return Ok(open),
                Err(e) => return Err(self.failed(&format!("a weak read of {key}"), &e)),
            }
        } else if open.weak {
            return Ok(open);
        }
        let event = self.get(&Handle::Txn(&open.txn), &open.view, space, &key)?;
        open.record.events.push(event);
        open.seen.push(Seen::Kv(space, key));
        Ok(open)
    }

    pub(super) fn get(
        &mut self,
        handle: &Handle<'_>,
        state: &State,
        space: usize,
        key: &str,
    ) -> Checked<Event> {
        let found = handle.kv_get(self, space, key);
        let found = self.must("a get", found)?;
        self.out.reads += 1;
        let expected = state.kv.get(&(space, key.to_owned())).copied();
        if found != expected.map(value_of) {
            let what = format!("kv {space} {key}");
            return Err(differs(&what, &found, &expected.map(value_of)));
        }
        let n = found.as_ref().and_then(number_in);
        self.note(n.unwrap_or(0));
        Ok(Event::Read(kv_item(space, key), n))
    }

    fn scan(&mut self, mut open: Open) -> Checked<Open> {
        let (space, page) = (self.random.below(2) as usize, self.page());
        let after = page.after.as_ref().map(String::as_bytes);
        let found = open
            .txn
            .kv_scan(self.space(space), page.prefix.as_bytes(), after, page.limit);
        let found = self.must("a scan", found)?;
        let found = self.compare_page(&open.view, space, &page, found)?;
        let (from, to) = (page.from(), page.to(&found));
        let event = range_event(space, &from, to.as_deref(), found);
        open.record.events.push(event);
        open.seen.push(Seen::KvRange(space, from, to));
        Ok(open)
    }

    /// Compares a page with the model; gives the numbers in it.
    pub(super) fn compare_page(
        &mut self,
        state: &State,
        space: usize,
        page: &Page,
        found: Vec<(Vec<u8>, Value)>,
    ) -> Checked<Vec<(String, u64)>> {
        let keys = state.kv.iter().filter(|((s, _), _)| *s == space);
        let expected = page.expected(keys.map(|((_, key), n)| (key.clone(), *n)));
        let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
        let found: Vec<(String, Value)> = found.into_iter().map(|(k, v)| (text(k), v)).collect();
        let values: Vec<_> = expected
            .iter()
            .map(|(k, n)| (k.clone(), value_of(*n)))
            .collect();
        self.out.reads += found.len() as u64;
        if found != values {
            return Err(differs(
                &format!("scanning {:?}", page.prefix),
                &found,
                &values,
            ));
        }
        self.note(found.len() as u64);
        let number = |(key, value): (String, Value)| (key, number_in(&value).unwrap_or(0));
        Ok(found.into_iter().map(number).collect())
    }

    fn commit(&mut self, client: usize, open: Open) -> Checked {
        let Open {
            txn,
            epoch,
            base,
            level,
            changes,
            mut seen,
            hinted,
            record,
            ..
        } = open;
        if level != Level::Serializable {
            seen.clear();
        }
        let at_least = match self.random.below(8) {
            0 => Durability::Strict,
            _ => Durability::Memory,
        };
        let current = epoch == self.epoch;
        let conflict = self.judge.touched(base, &seen) || self.judge.conflicts(base, &changes);
        let conflict = current && conflict;
        let excused = conflict || self.judge.touched(base, &hinted);
        let result = txn.commit_with(at_least).map(|commit| commit.version);
        self.say(|| {
            format!(
                "client {client} commits {} changes: {result:?}",
                changes.len()
            )
        });
        if changes.is_empty() {
            let version = result.map_err(|e| format!("a commit of nothing failed: {e}"))?;
            let end = self.tick();
            let entry = self.judge.entry(record, &[], end, Outcome::Committed(base));
            self.judge.abort(entry);
            return if version == base {
                Ok(())
            } else {
                Err(differs("a commit of nothing", &version, &base))
            };
        }
        if !current {
            return match result {
                Ok(_) => Err("a transaction of a closed store committed".into()),
                Err(_) => Ok(()),
            };
        }
        match &result {
            Ok(version) if conflict => Err(format!("commit {version} missed a conflict")),
            Err(Error::Conflict { .. }) if !excused => {
                Err(format!("a conflict with nobody: {:?}", result))
            }
            _ => self.settle(record, changes, result, at_least),
        }
    }

    /// Notes how a commit ended.
    pub(super) fn settle(
        &mut self,
        record: Record,
        changes: Vec<Change>,
        result: Result<u64, Error>,
        at_least: Durability,
    ) -> Checked {
        let end = self.tick();
        let mode = self.durability;
        let durable = mode != Durability::Memory && mode.max(at_least) == Durability::Strict;
        self.note(result.as_ref().map_or_else(|e| e.code() as u64, |v| *v));
        match result {
            Ok(version) => {
                self.out.commits += 1;
                let entry = self
                    .judge
                    .entry(record, &changes, end, Outcome::Committed(version));
                self.judge.commit(version, changes, durable, entry)
            }
            Err(e) => {
                let entry = self.judge.entry(record, &changes, end, Outcome::Aborted);
                match e.code() {
                    400 | 403 => {
                        self.out.conflicts += 1;
                        self.judge.abort(entry);
                        Ok(())
                    }
                    // Nothing was appended, and the store goes on.
                    300 | 305 | 306 if self.has_failed() => {
                        self.judge.abort(entry);
                        Ok(())
                    }
                    303 if self.has_failed() => {
                        let version = self.judge.newest() + 1;
                        let entry = crate::check::Txn {
                            outcome: Outcome::Committed(version),
                            ..entry
                        };
                        self.judge.unsure(changes, entry)
                    }
                    _ => Err(self.failed("a commit", &e)),
                }
            }
        }
    }

    /// A write without a transaction.
    fn single_put(&mut self, client: usize) -> Checked {
        let (space, key) = self.key();
        let n = self.judge.number();
        let record = self.record(client, Level::Serializable, self.judge.newest());
        let result = self
            .store()?
            .kv_put(self.space(space), key.as_bytes(), value_of(n));
        self.say(|| format!("client {client} puts {key} at once: {result:?}"));
        let changes = vec![Change::Put(space, key, n)];
        self.settle(record, changes, result, Durability::Memory)
    }

    /// A client goes away: its transaction is dropped, without a word.
    pub(super) fn gone(&mut self, client: usize) {
        self.unpin(client);
        if let Some(client) = self.clients.get_mut(client) {
            client.open = None;
        }
        self.struck(FaultKind::ClientGone);
    }
}

/// The history's entry of a page.
pub(super) fn range_event(
    space: usize,
    from: &str,
    to: Option<&str>,
    found: Vec<(String, u64)>,
) -> Event {
    let seen = found.into_iter();
    Event::Range {
        from: kv_item(space, from),
        to: Some(to.map_or_else(|| format!("kv{space}0"), |to| kv_item(space, to))),
        seen: seen.map(|(key, n)| (kv_item(space, &key), n)).collect(),
    }
}
