//! Transactions: a private view of a snapshot, validated and merged at commit.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use statewright_log::{Durability, Timestamp};
use statewright_value::{Path, Value};

use crate::error::{Error, Result};
use crate::op::{Op, encode_commit};
use crate::reader::{Reader, sealed::View};
use crate::recent::Region;
use crate::store::Shared;
use crate::target::{Entry, Stamp};
use crate::tree::{Key, Tree};

/// What a commit is validated on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// What was read and what is written must be unchanged since the snapshot: the result is that of some serial
    /// order. Rules out write skew.
    #[default]
    Serializable,
    /// Only what is written must be unchanged (snapshot isolation). Allows write skew.
    Snapshot,
}

/// What a commit gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The version that the store has with this commit; a transaction without writes gives its snapshot's.
    pub version: u64,
}

/// A transaction. Reads see its snapshot and its own writes; nothing is visible to others before
/// [`commit`](Txn::commit). Dropping it rolls back. It can move between threads but is used by one at a time.
pub struct Txn {
    shared: Arc<Shared>,
    base: u64,
    /// When it began.
    time: Timestamp,
    isolation: Isolation,
    tree: RefCell<Tree>,
    ops: RefCell<Vec<Op>>,
    writes: RefCell<Vec<Region>>,
    reads: RefCell<Vec<Region>>,
    ranges: RefCell<Vec<(Key, Option<Key>)>>,
    /// Whether the store still counts this transaction as one that may need validation.
    active: Cell<bool>,
}

/// What a transaction hands over to be committed.
pub(crate) struct Pending {
    pub base: u64,
    pub ops: Vec<Op>,
    pub payload: Vec<u8>,
    pub writes: Vec<Region>,
    pub reads: Vec<Region>,
    pub ranges: Vec<(Key, Option<Key>)>,
    /// The base with the ops applied at version `base + 1`.
    pub tree: Tree,
}

impl Txn {
    pub(crate) fn new(
        shared: Arc<Shared>,
        base: u64,
        time: Timestamp,
        tree: Tree,
        isolation: Isolation,
    ) -> Txn {
        Txn {
            shared,
            base,
            time,
            isolation,
            tree: RefCell::new(tree),
            ops: RefCell::default(),
            writes: RefCell::default(),
            reads: RefCell::default(),
            ranges: RefCell::default(),
            active: Cell::new(true),
        }
    }

    /// The version that this transaction reads at.
    pub fn snapshot_version(&self) -> u64 {
        self.base
    }

    /// Commits with the store's durability. When this returns, the commit is as safe as that mode promises.
    ///
    /// Fails with [`Error::Conflict`] or [`Error::SnapshotTooOld`], and then nothing was changed and running the
    /// transaction again may succeed; or with a log error, after which the store must be reopened.
    pub fn commit(self) -> Result<Commit> {
        self.commit_with(Durability::Memory)
    }

    /// Commits with at least this durability; a weaker one than the store's changes nothing.
    pub fn commit_with(mut self, at_least: Durability) -> Result<Commit> {
        let ops = std::mem::take(self.ops.get_mut());
        if ops.is_empty() {
            return Ok(Commit { version: self.base });
        }
        let serializable = self.isolation == Isolation::Serializable;
        let pending = Pending {
            base: self.base,
            payload: encode_commit(self.base, &ops),
            ops,
            writes: std::mem::take(self.writes.get_mut()),
            reads: if serializable {
                std::mem::take(self.reads.get_mut())
            } else {
                Vec::new()
            },
            ranges: if serializable {
                std::mem::take(self.ranges.get_mut())
            } else {
                Vec::new()
            },
            tree: std::mem::take(self.tree.get_mut()),
        };
        let version = self.shared.commit(pending, &self.active, at_least)?;
        Ok(Commit { version })
    }

    /// Gives the transaction up; the same as dropping it.
    pub fn rollback(self) {}

    /// What is at a path, without noting that it was read.
    pub(crate) fn peek(&self, key: &[u8], path: &Path) -> Option<Value> {
        self.lookup(key).and_then(|e| e.value.at(path))
    }

    /// Applies an op to the transaction's own view and keeps it for the commit.
    pub(crate) fn write(&self, region: Region, op: Op) -> Result<()> {
        let max = self.shared.limits.max_ops;
        if self.ops.borrow().len() >= max {
            return Err(Error::TxnLimit { what: "ops", max });
        }
        op.check()?;
        let at = Stamp {
            version: self.base.saturating_add(1),
            time: self.time,
        };
        let applied = op.apply(&mut *self.tree.borrow_mut(), at);
        if applied.is_err() {
            // A refusal tells what is there: whoever acts on it has read it.
            self.saw(&region.key, &region.path);
        }
        applied?;
        self.ops.borrow_mut().push(op);
        self.writes.borrow_mut().push(region);
        Ok(())
    }
}

impl View for Txn {
    fn lookup(&self, key: &[u8]) -> Option<Entry> {
        self.tree.borrow().get(key)
    }

    fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Vec<u8>, Entry)> {
        self.tree.borrow().range(from, to, limit, reverse, |_| true)
    }

    fn saw(&self, key: &[u8], path: &Path) {
        if self.isolation == Isolation::Serializable {
            let region = Region::exact(key.into(), path.clone());
            self.reads.borrow_mut().push(region);
        }
    }

    fn saw_range(&self, from: Key, to: Option<Key>) {
        if self.isolation == Isolation::Serializable {
            self.ranges.borrow_mut().push((from, to));
        }
    }
}

impl Reader for Txn {}

impl Drop for Txn {
    fn drop(&mut self) {
        if self.active.get() {
            self.shared.retire(self.base);
        }
    }
}
