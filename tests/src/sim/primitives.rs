//! What clients do with counters, events, cells and savepoints.

use statewright_log::Durability;
use statewright_store::Error;
use statewright_store::prelude::*;
use statewright_value::value;

use super::Checked;
use super::admin::event_number;
use super::client::{Open, differs};
use super::model::{Change, Seen, cell_item, counter_key, number_in, numbers, time_of, value_of};
use super::world::World;
use crate::check::Event;

impl World {
    /// Makes a checkpoint.
    pub(super) fn checkpoint(&mut self) -> Checked {
        let result = self.store()?.checkpoint();
        self.say(|| format!("checkpoint: {result:?}"));
        self.note(
            result
                .as_ref()
                .map_or_else(|e| e.code() as u64, |made| made.bytes),
        );
        match result {
            Ok(made) => {
                let newest = self.judge.acknowledged();
                let memory = self.durability == Durability::Memory;
                if made.version < newest && !memory && !self.judge.poisoned {
                    let version = made.version;
                    return Err(format!("a checkpoint holds version {version} of {newest}"));
                }
                self.out.checkpoints += 1;
                if !self.judge.poisoned {
                    self.judge.synced();
                }
                Ok(())
            }
            Err(e) if e.code() == 303 && self.has_failed() => {
                self.judge.poisoned = true;
                Ok(())
            }
            // Nothing has changed, and the store goes on.
            Err(e) if (300..=308).contains(&e.code()) && self.has_failed() => Ok(()),
            Err(_) if !self.trusted => Ok(()),
            Err(e) => Err(format!("a checkpoint failed: {e}")),
        }
    }

    /// Remembers where a transaction is, or goes back there.
    pub(super) fn savepoint(&mut self, mut open: Open) -> Checked<Open> {
        match open.saved.take() {
            Some((savepoint, view, changes, events)) => {
                self.say(|| format!("client {} goes back", open.record.client));
                let back = open.txn.rollback_to(savepoint);
                self.must("going back", back)?;
                open.view = view;
                open.changes.truncate(changes);
                // What was read since still counts at the commit; for the checker it is as if it had not been told.
                open.record.events.truncate(events);
            }
            None => {
                let (changes, events) = (open.changes.len(), open.record.events.len());
                let saved = (open.txn.savepoint(), open.view.clone(), changes, events);
                open.saved = Some(saved);
            }
        }
        Ok(open)
    }

    /// Adds to a counter, or reads it.
    pub(super) fn count(&mut self, mut open: Open) -> Checked<Open> {
        let counter = self.random.below(3);
        let key = counter_key(counter);
        if self.random.below(3) > 0 {
            let by = 1 + self.random.below(9);
            let added = open
                .txn
                .kv_increment(&numbers(), key.as_bytes(), value!(by), value!(0));
            self.must("adding to a counter", added)?;
            self.changed(&mut open, Change::Add(counter, by));
            return Ok(open);
        }
        let found = open.txn.kv_get(&numbers(), key.as_bytes());
        let found = self.must("reading a counter", found)?;
        let found = found.and_then(|sum| sum.as_u64());
        let expected = open.view.counters.get(&counter).copied();
        self.out.reads += 1;
        if found != expected {
            return Err(differs(&key, &found, &expected));
        }
        open.seen.push(Seen::Counter(counter));
        Ok(open)
    }

    /// Appends an event to a stream, or reads the stream.
    pub(super) fn event(&mut self, mut open: Open) -> Checked<Open> {
        if self.random.below(4) == 0 {
            return self.restore(open);
        }
        let stream = format!("s{}", self.random.below(2));
        let space = self.space(0).clone();
        if self.random.below(2) == 0 {
            let n = self.judge.number();
            let appended = open
                .txn
                .event_append(&space, &stream, "made", value!({"n": n}));
            self.must("appending an event", appended)?;
            self.changed(&mut open, Change::Append(stream, n));
            return Ok(open);
        }
        let all = open.view.streams.get(&stream).cloned().unwrap_or_default();
        let from = self.random.below(all.len() as u64 + 2);
        let limit = 1 + self.random.below(6) as usize;
        let found = open.txn.event_range(&space, &stream, from, None, limit);
        let found = self.must("reading events", found)?;
        let found: Vec<(u64, u64)> = found
            .iter()
            .map(|event| (event.sequence, event_number(event)))
            .collect();
        let rest = (0..).zip(all).skip(from as usize).take(limit);
        let expected: Vec<(u64, u64)> = rest.collect();
        self.out.reads += 1 + found.len() as u64;
        if found != expected {
            return Err(differs(&stream, &found, &expected));
        }
        if found.len() < limit {
            open.seen.push(Seen::End(stream));
        } else {
            // Events that it appended itself have no place yet: reading them may count as reading the end.
            open.hinted.push(Seen::End(stream));
        }
        Ok(open)
    }

    /// Puts an event of another store where it was there: new ones go to the end, those that are there stay, and others
    /// are refused.
    fn restore(&mut self, mut open: Open) -> Checked<Open> {
        let stream = format!("r{}", self.random.below(2));
        let all = open.view.streams.get(&stream).cloned().unwrap_or_default();
        let len = all.len() as u64;
        let (at, n) = match self.random.below(5) {
            0 => (len + 1, self.judge.number()),
            1 => (self.random.below(len + 1), self.judge.number()),
            2 => {
                let at = self.random.below(len + 1);
                let there = all.get(at as usize).copied();
                (at, there.unwrap_or_else(|| self.judge.number()))
            }
            _ => (len, self.judge.number()),
        };
        let (space, payload) = (self.space(0).clone(), value!({"n": n}));
        let restored =
            open.txn
                .event_restore(&space, &stream, at, time_of(n), "made", payload, None);
        open.seen.push(Seen::End(stream.clone()));
        let there = all.get(at as usize);
        match restored {
            Ok(true) if at == len => self.changed(&mut open, Change::Restore(stream, n)),
            Ok(false) if there == Some(&n) => {}
            Err(Error::CannotRestore { .. }) if at > len || there.is_some_and(|m| *m != n) => {}
            Err(e) if !self.trusted => return Err(self.failed("restoring an event", &e)),
            other => return Err(format!("event {at} of {all:?} is restored: {other:?}")),
        }
        Ok(open)
    }

    /// Reads, sets, compares and sets, or removes a cell.
    pub(super) fn cell(&mut self, mut open: Open) -> Checked<Open> {
        let cell = format!("c{}", self.random.below(3));
        let space = self.space(0).clone();
        let there = open.view.cells.get(&cell).copied();
        let n = self.judge.number();
        let mut dropped = false;
        match self.random.below(5) {
            0 => {
                let set = open.txn.cell_set(&space, &cell, value_of(n));
                self.must("setting a cell", set)?;
                self.changed(&mut open, Change::Cell(cell, n));
                return Ok(open);
            }
            1 | 2 => {
                let guess = match self.random.below(4) {
                    0 => Some(self.random.below(1 + open.view.version)),
                    _ => there.map(|(_, version)| version),
                };
                let right = guess == there.map(|(_, version)| version);
                match open.txn.cell_cas(&space, &cell, guess, value_of(n)) {
                    Ok(()) if right => {
                        self.saw_cell(&mut open, &cell, there);
                        self.changed(&mut open, Change::Cell(cell, n));
                    }
                    Err(Error::VersionMismatch { .. }) if !right => {
                        self.saw_cell(&mut open, &cell, there);
                    }
                    other => return Err(self.unexpected("comparing a cell", &other, right)),
                }
                return Ok(open);
            }
            3 => {
                let removed = open.txn.cell_delete(&space, &cell);
                dropped = self.must("removing a cell", removed)?;
                if dropped != there.is_some() {
                    return Err(differs("removing a cell", &dropped, &there.is_some()));
                }
            }
            _ => {}
        }
        let found = open.txn.cell_get(&space, &cell);
        let found = self.must("reading a cell", found)?;
        let found = found.map(|stored| (number_in(&stored.value).unwrap_or(0), stored.version));
        self.saw_cell(&mut open, &cell, there);
        self.out.reads += 1;
        let expected = there.filter(|_| !dropped);
        if found != expected {
            return Err(differs(&cell, &found, &expected));
        }
        if dropped {
            self.changed(&mut open, Change::CellDrop(cell));
        }
        Ok(open)
    }

    fn saw_cell(&mut self, open: &mut Open, cell: &str, there: Option<(u64, u64)>) {
        let read = Event::Read(cell_item(cell), there.map(|(n, _)| n));
        open.record.events.push(read);
        open.seen.push(Seen::Cell(cell.to_owned()));
    }
}
