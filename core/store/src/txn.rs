//! Transactions: a private view of a snapshot, validated and merged at commit.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use statewright_log::{Durability, Timestamp};
use statewright_value::{Path, Value};

use crate::error::{Error, Result};
use crate::op::Op;
use crate::overlay::{Layered, Overlay};
use crate::reader::{Reader, sealed::View};
use crate::recent::Region;
use crate::root::Begun;
use crate::store::Shared;
use crate::target::{Entry, Stamp};
use crate::tree::Key;

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
    /// As `Snapshot`, and a read of what was changed since the snapshot fails at once with [`Error::Conflict`], so that
    /// a transaction that is bound to work on old data ends early. What changes after it was read is not noticed, so
    /// write skew is possible all the same.
    Weak,
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
    root: Begun,
    isolation: Isolation,
    overlay: RefCell<Overlay>,
    ops: RefCell<Vec<Op>>,
    writes: RefCell<Vec<Region>>,
    reads: RefCell<Vec<Region>>,
    ranges: RefCell<Vec<(Key, Option<Key>)>>,
    /// The time that it shows as its own, once that was asked for.
    time: Cell<Option<Timestamp>>,
}

/// What a transaction hands over to be committed.
pub(crate) struct Pending {
    pub root: Begun,
    pub ops: Vec<Op>,
    pub writes: Vec<Region>,
    pub reads: Vec<Region>,
    pub ranges: Vec<(Key, Option<Key>)>,
}

impl Txn {
    pub(crate) fn new(shared: Arc<Shared>, root: Begun, isolation: Isolation) -> Txn {
        Txn {
            shared,
            root,
            isolation,
            overlay: RefCell::default(),
            ops: RefCell::default(),
            writes: RefCell::default(),
            reads: RefCell::default(),
            ranges: RefCell::default(),
            time: Cell::new(None),
        }
    }

    /// The version that this transaction reads at.
    pub fn snapshot_version(&self) -> u64 {
        self.root.version
    }

    /// Commits with the store's durability. When this returns, the commit is as safe as that mode promises.
    ///
    /// Fails with [`Error::Conflict`] or [`Error::SnapshotTooOld`], and then nothing was changed and running the
    /// transaction again may succeed; or with a log error, after which the store must be reopened.
    pub fn commit(self) -> Result<Commit> {
        self.commit_with(Durability::Memory)
    }

    /// Commits with at least this durability; a weaker one than the store's changes nothing.
    pub fn commit_with(self, at_least: Durability) -> Result<Commit> {
        let Txn { shared, root, .. } = self;
        let ops = self.ops.into_inner();
        if ops.is_empty() {
            return Ok(Commit {
                version: root.version,
            });
        }
        let pending = Pending {
            root,
            ops,
            writes: self.writes.into_inner(),
            reads: self.reads.into_inner(),
            ranges: self.ranges.into_inner(),
        };
        let version = shared.commit(pending, at_least)?;
        Ok(Commit { version })
    }

    /// Gives the transaction up; the same as dropping it.
    pub fn rollback(self) {}

    /// What is at a path, without noting that it was read.
    pub(crate) fn peek(&self, key: &[u8], path: &Path) -> Result<Option<Value>> {
        Ok(self.lookup(key)?.and_then(|e| e.value.at(path)))
    }

    /// The time at which the transaction's ops seem to happen until it commits, and at which entries have expired.
    fn time(&self) -> Timestamp {
        self.time.get().unwrap_or_else(|| {
            let now = self.shared.now();
            self.time.set(Some(now));
            now
        })
    }

    /// Applies an op to the transaction's own view and keeps it for the commit.
    pub(crate) fn write(&self, region: Region, op: Op) -> Result<()> {
        let max = self.shared.limits.max_ops;
        if self.ops.borrow().len() >= max {
            return Err(Error::TxnLimit { what: "ops", max });
        }
        op.check()?;
        let at = Stamp {
            version: self.root.version.saturating_add(1),
            time: self.time(),
        };
        let applied = {
            let mut layered = Layered {
                base: &self.root.tree,
                over: &mut self.overlay.borrow_mut(),
            };
            op.apply(&mut layered, at)
        };
        if applied.is_err() {
            // A refusal tells what is there: whoever acts on it has read it.
            self.saw(&region.key, &region.path)?;
        }
        applied?;
        self.ops.borrow_mut().push(op);
        self.writes.borrow_mut().push(region);
        Ok(())
    }
}

impl View for Txn {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        let found = self.overlay.borrow().get(&self.root.tree, key);
        Ok(found.filter(|entry| entry.expires.is_none_or(|at| at > self.time())))
    }

    fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Vec<u8>, Entry)>> {
        let live = |entry: &Entry| entry.expires.is_none_or(|at| at > self.time());
        let overlay = self.overlay.borrow();
        Ok(overlay.range(&self.root.tree, from, to, limit, reverse, live))
    }

    fn saw(&self, key: &[u8], path: &Path) -> Result<()> {
        match self.isolation {
            Isolation::Serializable => {
                let region = Region::exact(key.into(), path.clone());
                self.reads.borrow_mut().push(region);
            }
            Isolation::Snapshot => {}
            Isolation::Weak => {
                let region = Region::exact(key.into(), path.clone());
                self.shared
                    .still_current(&[region], &[], self.root.version)?;
            }
        }
        Ok(())
    }

    fn saw_range(&self, from: Key, to: Option<Key>) -> Result<()> {
        match self.isolation {
            Isolation::Serializable => self.ranges.borrow_mut().push((from, to)),
            Isolation::Snapshot => {}
            Isolation::Weak => {
                self.shared
                    .still_current(&[], &[(from, to)], self.root.version)?;
            }
        }
        Ok(())
    }
}

impl Reader for Txn {}
