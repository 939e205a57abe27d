//! Reading a state that does not change, or the newest one.

use std::sync::{Arc, OnceLock};

use statewright_log::Timestamp;
use statewright_value::Path;

use crate::commit::Shared;
use crate::error::Result;
use crate::reader::{Reader, sealed::View};
use crate::root::Root;
use crate::store::Store;
use crate::target::Entry;
use crate::tree::{Key, Tree};

/// A consistent, unchanging view of everything at one version. Costs a pointer; holding one keeps the nodes it
/// shares.
pub struct Snapshot {
    shared: Arc<Shared>,
    pub(crate) root: Arc<Root>,
    /// When it was first asked whether something has expired.
    time: OnceLock<Timestamp>,
}

impl Snapshot {
    pub(crate) fn new(shared: Arc<Shared>) -> Snapshot {
        Snapshot {
            root: shared.root(),
            shared,
            time: OnceLock::new(),
        }
    }

    /// The version that this snapshot shows.
    pub fn version(&self) -> u64 {
        self.root.version
    }

    /// The time at which its entries have expired or not: when that was first asked.
    pub(crate) fn time(&self) -> Timestamp {
        *self.time.get_or_init(|| self.shared.now())
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        Snapshot {
            shared: self.shared.clone(),
            root: self.root.clone(),
            time: self.time.clone(),
        }
    }
}

/// Whether an entry is still there at a time that is only asked for if it matters.
fn is_live(entry: &Entry, now: impl FnOnce() -> Timestamp) -> bool {
    entry.expires.is_none_or(|at| at > now())
}

/// The entry at a key, if it is still there.
fn live(tree: &Tree, key: &[u8], now: impl FnOnce() -> Timestamp) -> Result<Option<Entry>> {
    let found = tree.lend(key, |lent| lent.is_live(now).then(|| lent.entry()));
    tree.check()?;
    Ok(found.flatten().flatten())
}

impl View for Snapshot {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        live(&self.root.tree, key, || self.time())
    }

    fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Vec<u8>, Entry)>> {
        let now = || self.time();
        let live = |_: &[u8], entry: &Entry| is_live(entry, now);
        let found = self.root.tree.range(from, to, limit, reverse, live);
        self.root.tree.check()?;
        Ok(found)
    }

    // Nothing commits from a snapshot, so nothing needs validation.
    fn saw(&self, _: &[u8], _: &Path) -> Result<()> {
        Ok(())
    }

    fn saw_range(&self, _: Key, _: Option<Key>) -> Result<()> {
        Ok(())
    }
}

impl Reader for Snapshot {}

/// Each read is of the newest state.
impl View for Store {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        let now = || self.shared.now();
        self.shared.look(|root| live(&root.tree, key, now))
    }

    fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Vec<u8>, Entry)>> {
        self.snapshot().range(from, to, limit, reverse)
    }

    fn saw(&self, _: &[u8], _: &Path) -> Result<()> {
        Ok(())
    }

    fn saw_range(&self, _: Key, _: Option<Key>) -> Result<()> {
        Ok(())
    }

    fn still(&self) -> Option<Snapshot> {
        Some(self.snapshot())
    }
}

/// Each call reads the newest state; take a [`Snapshot`] for several reads of the same one.
impl Reader for Store {}
