//! What clients do with snapshots, and with the log.

use statewright_log::Durability;
use statewright_store::prelude::*;

use super::Checked;
use super::client::{Handle, Pinned, range_event};
use super::world::World;
use crate::check::{Level, Outcome};

impl World {
    pub(super) fn pin(&mut self, client: usize) -> Checked {
        let snapshot = self.store()?.snapshot();
        let version = snapshot.version();
        self.say(|| format!("client {client} pins {version}"));
        self.note(version);
        let state = self.judge.show(version)?;
        let record = self.record(client, Level::Serializable, version);
        let pinned = Pinned {
            snapshot,
            state,
            record,
        };
        self.unpin(client);
        if let Some(client) = self.clients.get_mut(client) {
            client.pinned = Some(pinned);
        }
        Ok(())
    }

    /// Gives a snapshot up, and hands in what was read from it.
    pub(super) fn unpin(&mut self, client: usize) {
        let Some(pinned) = self.clients.get_mut(client).and_then(|c| c.pinned.take()) else {
            return;
        };
        let Pinned { record, .. } = pinned;
        let (end, version) = (self.tick(), record.snapshot);
        let entry = self
            .judge
            .entry(record, &[], end, Outcome::Committed(version));
        self.judge.abort(entry);
    }

    pub(super) fn read_pinned(&mut self, client: usize) -> Checked {
        let Some(mut pinned) = self.clients.get_mut(client).and_then(|c| c.pinned.take()) else {
            return self.pin(client);
        };
        let handle = Handle::Snapshot(&pinned.snapshot);
        let state = pinned.state.clone();
        let events = match self.random.below(4) {
            0 => {
                let doc = self.doc();
                self.get_doc(&handle, &state, &doc, None)?
            }
            1 => {
                let (space, page) = (self.random.below(2) as usize, self.page());
                let after = page.after.as_ref().map(String::as_bytes);
                let prefix = page.prefix.as_bytes();
                let found = pinned
                    .snapshot
                    .kv_scan(self.space(space), prefix, after, page.limit);
                let found = self.must("a scan of a snapshot", found)?;
                let found = self.compare_page(&state, space, &page, found)?;
                let (from, to) = (page.from(), page.to(&found));
                vec![range_event(space, &from, to.as_deref(), found)]
            }
            _ => {
                let (space, key) = self.key();
                vec![self.get(&handle, &state, space, &key)?]
            }
        };
        pinned.record.events.extend(events);
        if let Some(client) = self.clients.get_mut(client) {
            client.pinned = Some(pinned);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Checked {
        if self.seed % 3 == 1 {
            let made = self.store()?.make_log_ready();
            self.say(|| format!("the next segment: {made:?}"));
            match made {
                Err(e) if e.code() == 303 && self.has_failed() => self.judge.poisoned = true,
                Err(e) if !self.has_failed() => return Err(format!("no next segment: {e}")),
                _ => {}
            }
        }
        let result = self.store()?.sync();
        self.say(|| format!("sync: {result:?}"));
        self.note(result.as_ref().map_or_else(|e| e.code() as u64, |()| 0));
        match result {
            Ok(()) if self.judge.poisoned && self.judge.newest() > self.judge.acknowledged() => {
                // Allowed only if there was nothing left to sync; what is unsure stays so.
                Ok(())
            }
            Ok(()) => {
                self.judge.synced();
                Ok(())
            }
            Err(e) if e.code() == 303 && self.has_failed() => {
                self.judge.poisoned = true;
                Ok(())
            }
            Err(e) => Err(format!("a sync failed: {e}")),
        }
    }

    /// Reads the log's commits from somewhere on.
    pub(super) fn read_log(&mut self) -> Checked {
        if self.durability == Durability::Memory {
            return Ok(());
        }
        let newest = self.judge.newest();
        let from = 1 + self.random.below(newest.max(1));
        let mut commits = Vec::new();
        let read = self.store()?.log(from, &mut |commit| {
            commits.push((commit.version, commit.time, commit.ops.len()));
            true
        });
        self.note(commits.len() as u64);
        if let Err(e) = read {
            let excused = !self.trusted || (self.has_failed() && e.code() == 300);
            return if excused {
                Ok(())
            } else {
                Err(format!("the log cannot be read: {e}"))
            };
        }
        let mut time = None;
        for (expected, (version, at, ops)) in (from..).zip(commits.iter().copied()) {
            let changes = self.judge.changes(version).len();
            // What is not the clients' is of the flows, which have their own checks.
            let changes = if changes == 0 { ops } else { changes };
            if version != expected || ops != changes || time.is_some_and(|time| at < time) {
                return Err(format!(
                    "the log has at {expected} the commit {version} of {at} with {ops} of {changes} ops"
                ));
            }
            time = Some(at);
        }
        let last = commits.last().map_or(from - 1, |(version, ..)| *version);
        if last < self.judge.acknowledged() && !self.judge.poisoned && last >= from {
            return Err(format!("the log ends at {last} of {newest}"));
        }
        Ok(())
    }
}
