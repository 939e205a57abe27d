//! What must be so: the model's versions, and the history for the checker.

use std::sync::Arc;

use super::Checked;
use super::model::{Change, Seen, State};
use crate::check::{self, Event, History, Level, Outcome, Txn};

/// The model's versions and what is promised about them.
pub(super) struct Judge {
    /// The state at each version; the first is that of version 0.
    states: Vec<Arc<State>>,
    /// What each version changed; the first is empty.
    changes: Vec<Vec<Change>>,
    /// The newest version may or may not be in force: its commit neither succeeded nor failed for certain. Its place in
    /// the history.
    unsure: Option<usize>,
    /// So many versions after it, too.
    more: u64,
    /// The newest version that survives a power cut.
    durable: u64,
    /// The newest version that a reader saw.
    shown: u64,
    history: History,
    numbers: std::cell::Cell<u64>,
    /// Whether a write or sync failed, so that nothing more may be accepted.
    pub(super) poisoned: bool,
}

impl Default for Judge {
    fn default() -> Judge {
        Judge {
            states: vec![Arc::new(State::default())],
            changes: vec![Vec::new()],
            unsure: None,
            more: 0,
            durable: 0,
            shown: 0,
            history: History::default(),
            numbers: std::cell::Cell::new(0),
            poisoned: false,
        }
    }
}

/// What a client noted about a transaction that is still open.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) client: usize,
    pub(super) level: Level,
    pub(super) snapshot: u64,
    pub(super) start: u64,
    pub(super) events: Vec<Event>,
}

impl Judge {
    /// A number that no value has had.
    pub(super) fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// The newest version there can be.
    pub(super) fn newest(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    /// The newest version that was acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.newest() - u64::from(self.unsure.is_some()) - self.more
    }

    pub(super) fn state(&self, version: u64) -> Checked<Arc<State>> {
        let state = self.states.get(version as usize).cloned();
        state.ok_or_else(|| format!("there is no version {version} yet"))
    }

    /// The changes of one version.
    pub(super) fn changes(&self, version: u64) -> &[Change] {
        self.changes
            .get(version as usize)
            .map_or(&[], |changes| &**changes)
    }

    /// Whether a commit after `base` touched one of these places.
    pub(super) fn touched(&self, base: u64, places: &[Seen]) -> bool {
        self.since(base)
            .any(|change| places.iter().any(|seen| change.touches(seen)))
    }

    /// Whether a commit after `base` made a change that does not go together with one of these.
    pub(super) fn conflicts(&self, base: u64, changes: &[Change]) -> bool {
        self.since(base)
            .any(|change| changes.iter().any(|own| change.conflicts(own)))
    }

    fn since(&self, base: u64) -> impl Iterator<Item = &Change> {
        let later = self.changes.get(base as usize + 1..).unwrap_or_default();
        later.iter().flatten()
    }

    /// A reader pins this version: it must be there, and not older than what was acknowledged.
    pub(super) fn show(&mut self, version: u64) -> Checked<Arc<State>> {
        if version < self.acknowledged() && !self.poisoned {
            let newest = self.acknowledged();
            return Err(format!("a reader sees version {version} of {newest}"));
        }
        self.shown = self.shown.max(version);
        self.state(version)
    }

    /// A commit succeeded.
    pub(super) fn commit(
        &mut self,
        version: u64,
        changes: Vec<Change>,
        durable: bool,
        txn: Txn,
    ) -> Checked {
        let expected = self.newest() + 1;
        if self.unsure.is_some() || self.poisoned {
            return Err(format!("commit {version} was accepted after a failure"));
        }
        if version != expected {
            return Err(format!("commit {expected} has the version {version}"));
        }
        self.push(changes)?;
        if durable {
            self.durable = version;
        }
        self.history.txns.push(txn);
        Ok(())
    }

    fn push(&mut self, changes: Vec<Change>) -> Checked {
        let state = self.state(self.newest())?.after(&changes);
        self.states.push(Arc::new(state));
        self.changes.push(changes);
        Ok(())
    }

    /// A commit failed in a way that leaves open whether it is in force.
    pub(super) fn unsure(&mut self, changes: Vec<Change>, txn: Txn) -> Checked {
        if self.poisoned {
            // A store that failed before takes nothing.
            let outcome = Outcome::Aborted;
            self.abort(Txn { outcome, ..txn });
            return Ok(());
        }
        self.poisoned = true;
        self.push(changes)?;
        self.unsure = Some(self.history.txns.len());
        // Its end is not known before the store is opened again.
        let end = u64::MAX;
        self.history.txns.push(Txn { end, ..txn });
        Ok(())
    }

    /// The commit that may be in force may be the first of so many of flows that were on their way together.
    pub(super) fn unsure_of(&mut self, most: u64) -> Checked {
        if self.unsure.is_some() {
            for _ in 1..most {
                self.push(Vec::new())?;
                self.more += 1;
            }
        }
        Ok(())
    }

    /// A transaction did not commit, or wrote nothing.
    pub(super) fn abort(&mut self, txn: Txn) {
        self.history.txns.push(txn);
    }

    /// Everything acknowledged so far survives a power cut.
    pub(super) fn synced(&mut self) {
        self.durable = self.acknowledged();
    }

    /// The oldest version that may be found after a power cut.
    pub(super) fn durable(&self, strict: bool) -> u64 {
        self.durable.max(if strict { self.shown } else { 0 })
    }

    /// The store was opened again and is at `version`. What came later never happened.
    pub(super) fn recovered(&mut self, version: u64, now: u64) {
        let unsure = self.unsure.take();
        self.more = 0;
        if let Some(txn) = unsure.and_then(|txn| self.history.txns.get_mut(txn)) {
            txn.end = now;
        }
        self.states.truncate(version as usize + 1);
        self.changes.truncate(version as usize + 1);
        for txn in &mut self.history.txns {
            if matches!(txn.outcome, Outcome::Committed(v) if v > version) {
                txn.outcome = Outcome::Aborted;
            }
        }
        self.durable = version;
        self.shown = version;
        self.poisoned = false;
    }

    /// The history entry of a transaction that ends now.
    pub(super) fn entry(
        &self,
        record: Record,
        changes: &[Change],
        end: u64,
        outcome: Outcome,
    ) -> Txn {
        let Record {
            client,
            level,
            snapshot,
            start,
            mut events,
        } = record;
        if events.is_empty() && !changes.is_empty() {
            // A single write.
            let items = changes.iter().flat_map(|c| c.items(|| self.number()));
            events.extend(items.map(|(item, n)| Event::Write(item, n)));
        }
        Txn {
            client,
            level,
            snapshot,
            start,
            end,
            outcome,
            events,
        }
    }

    pub(super) fn txns(&self) -> u64 {
        self.history.txns.len() as u64
    }

    /// That the whole history has a serial order.
    pub(super) fn check_history(&self) -> Checked {
        check::check(&self.history).map_err(|anomaly| {
            let mut text = format!("the history is not serializable: {anomaly}");
            if let check::Anomaly::Cycle(steps) = &anomaly {
                for (txn, _) in steps {
                    text.push_str(&format!("\n  T{txn}: {:?}", self.history.txns.get(*txn)));
                }
            }
            text
        })
    }
}
