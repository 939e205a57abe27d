//! Transactions: a private view of a snapshot, validated and merged at commit.

use std::cell::{Cell, RefCell, RefMut};
use std::sync::Arc;

use statewright_log::{Durability, Timestamp};
use statewright_value::{Path, Value};

use crate::commit::Shared;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::overlay::{Layered, Overlay};
use crate::reader::{Reader, sealed::View};
use crate::recent::Region;
use crate::room;
use crate::root::Begun;
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
    /// As `Snapshot`, and a read of what was changed since the snapshot fails at once with [`Error::Conflict`], so
    /// that a transaction that is bound to work on old data ends early. What changes after it was read is not
    /// noticed, so write skew is possible all the same.
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
    /// Whether the overlay is still without the last op, which fits. Mostly nobody asks what it gives before the
    /// commit, which can then apply it in place: the overlay would hold a copy of the way to what it changes.
    waiting: Cell<bool>,
    /// Memory that committing the ops needs, at most.
    room: Cell<usize>,
    writes: RefCell<Vec<Region>>,
    reads: RefCell<Vec<Region>>,
    ranges: RefCell<Vec<(Key, Option<Key>)>>,
    /// The time that it shows as its own, once that was asked for.
    time: Cell<Option<Timestamp>>,
    savepoints: RefCell<Vec<(u64, Mark)>>,
}

/// A point in a transaction.
pub(crate) struct Mark {
    written: usize,
    ops: usize,
    regions: usize,
}

/// What a transaction hands over to be committed.
pub(crate) struct Pending {
    pub root: Option<Begun>,
    /// The version of the root.
    pub base: u64,
    /// What the ops make of the root, as of `time`.
    pub overlay: Overlay,
    pub time: Option<Timestamp>,
    pub ops: Vec<Op>,
    /// Whether the overlay is without the last of them.
    pub waiting: bool,
    /// Memory that committing them needs, at most.
    pub room: usize,
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
            waiting: Cell::new(false),
            room: Cell::new(0),
            writes: RefCell::default(),
            reads: RefCell::default(),
            ranges: RefCell::default(),
            time: Cell::new(None),
            savepoints: RefCell::default(),
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
        let (shared, snapshot) = (self.shared.clone(), self.root.version);
        let version = self.commit_deferred()?;
        if let Some(version) = version {
            shared.settle(version, at_least)?;
        }
        let version = version.unwrap_or(snapshot);
        Ok(Commit { version })
    }

    /// Commits without waiting for the disk; gives the version that is to be settled, none if nothing was written.
    pub(crate) fn commit_deferred(self) -> Result<Option<u64>> {
        let shared = self.shared.clone();
        self.into_pending()
            .map(|pending| shared.commit(pending))
            .transpose()
    }

    /// What is to be committed; none if nothing was written.
    pub(crate) fn into_pending(self) -> Option<Pending> {
        let ops = self.ops.into_inner();
        (!ops.is_empty()).then(|| Pending {
            base: self.root.version,
            root: Some(self.root),
            overlay: self.overlay.into_inner(),
            time: self.time.get(),
            ops,
            waiting: self.waiting.get(),
            room: self.room.get(),
            writes: self.writes.into_inner(),
            reads: self.reads.into_inner(),
            ranges: self.ranges.into_inner(),
        })
    }

    /// Gives the transaction up; the same as dropping it.
    pub fn rollback(self) {}

    /// What is at a path, without noting that it was read.
    pub(crate) fn peek(&self, key: &[u8], path: &Path) -> Result<Option<Value>> {
        Ok(self.lookup(key)?.and_then(|e| e.value.at(path)))
    }

    /// The time at which the transaction's ops seem to happen until it commits, and at which entries have expired.
    pub(crate) fn time(&self) -> Timestamp {
        self.time.get().unwrap_or_else(|| {
            let now = self.shared.now();
            self.time.set(Some(now));
            now
        })
    }

    /// Applies an op to the transaction's own view and keeps it for the commit.
    pub(crate) fn write(&self, region: Region, op: Op) -> Result<()> {
        self.write_all([region], op)
    }

    /// As [`write`](Txn::write), of an op that touches several places.
    pub(crate) fn write_all(
        &self,
        regions: impl IntoIterator<Item = Region>,
        op: Op,
    ) -> Result<()> {
        let max = self.max_ops();
        if self.ops.borrow().len() >= max {
            return Err(Error::TxnLimit { what: "ops", max });
        }
        op.check()?;
        let mut room = room::for_op(&op)?;
        let regions = regions.into_iter();
        make_room(&self.ops, 1)?;
        make_room(&self.writes, regions.size_hint().0)?;
        self.overlay.borrow_mut().make_room()?;
        self.catch_up()?;
        let (key, tree) = (op.key(), &self.root.tree);
        let known = self.overlay.borrow().is_new(&key);
        let checked = known.then(|| op.check_on(&key, || Some(tree.get(&key)?.value)));
        let checked = checked.flatten();
        let waits = checked.is_some();
        let applied = match checked {
            Some(more) => more.map(|more| room = room.saturating_add(more)),
            None => self.apply(&op, &key, &mut self.overlay.borrow_mut()),
        };
        // Where a page is not intact it saw nothing, and may have refused, or done something else, for that. Nor can
        // this be committed: that looks again.
        self.root.tree.check()?;
        if let Err(e) = applied {
            // A refusal tells what is there: whoever acts on it has read it.
            for region in regions {
                self.saw(&region.key, &region.path)?;
            }
            return Err(e);
        }
        self.ops.borrow_mut().push(op);
        self.waiting.set(waits);
        self.room.set(self.room.get().saturating_add(room));
        self.writes.borrow_mut().extend(regions);
        Ok(())
    }

    fn apply(&self, op: &Op, key: &[u8], over: &mut Overlay) -> Result<()> {
        let at = Stamp {
            version: self.root.version.saturating_add(1),
            time: self.time(),
        };
        let base = &self.root.tree;
        op.apply_to(key, &mut Layered { base, over }, at)
    }

    /// Applies the op that the overlay is still without: whoever reads or writes next must see what it gives.
    fn catch_up(&self) -> Result<()> {
        if !self.waiting.get() {
            return Ok(());
        }
        if let Some(op) = self.ops.borrow().last() {
            let mut overlay = self.overlay.borrow_mut();
            let applied = overlay.before_marks(|over| self.apply(op, &op.key(), over));
            self.root.tree.check()?;
            applied?;
        }
        self.waiting.set(false);
        Ok(())
    }

    /// Notes that every key from `from` up to `to` (not included; none = the end) is written to.
    pub(crate) fn writes_range(&self, from: Key, to: Option<Key>) -> Result<()> {
        make_room(&self.ranges, 1)?;
        self.ranges.borrow_mut().push((from, to));
        Ok(())
    }

    pub(crate) fn max_ops(&self) -> usize {
        self.shared.options.limits.max_ops
    }

    /// A new id in the form of a ULID: 26 characters that sort by time, and within a transaction in the order in
    /// which they were made.
    pub(crate) fn new_id(&self) -> Result<String> {
        let millis = u128::try_from(self.time().as_micros() / 1000).unwrap_or(0);
        let order = self.ops.borrow().len() as u128 & 0xF_FFFF;
        let random = u128::from(self.shared.random()?) >> 4;
        let id = (millis << 80) | (order << 60) | random;
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digit = |at: u32| DIGITS.get((id >> (at * 5)) as usize & 31).copied();
        let digits = (0..26).rev().filter_map(digit);
        Ok(digits.map(char::from).collect())
    }

    pub(crate) fn savepoints(&self) -> RefMut<'_, Vec<(u64, Mark)>> {
        self.savepoints.borrow_mut()
    }

    /// A point that [`reset`](Txn::reset) goes back to, until [`unmark`](Txn::unmark).
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            written: self.overlay.borrow_mut().mark(),
            ops: self.ops.borrow().len(),
            regions: self.writes.borrow().len(),
        }
    }

    /// Undoes what was written since a point.
    pub(crate) fn reset(&self, mark: &Mark) {
        self.overlay.borrow_mut().undo(mark.written);
        self.ops.borrow_mut().truncate(mark.ops);
        self.writes.borrow_mut().truncate(mark.regions);
    }

    /// Nobody goes back to this many of the points any more.
    pub(crate) fn unmark(&self, marks: usize) {
        self.overlay.borrow_mut().unmark(marks);
    }
}

/// Makes sure that a list can grow.
fn make_room<T>(list: &RefCell<Vec<T>>, more: usize) -> Result<()> {
    list.borrow_mut().try_reserve(more).map_err(room::refused)
}

impl View for Txn {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        room::for_read()?;
        self.catch_up()?;
        let found = self.overlay.borrow().get(&self.root.tree, key);
        self.root.tree.check()?;
        Ok(found.filter(|entry| entry.expires.is_none_or(|at| at > self.time())))
    }

    fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Vec<u8>, Entry)>> {
        self.catch_up()?;
        let live = |entry: &Entry| entry.expires.is_none_or(|at| at > self.time());
        let overlay = self.overlay.borrow();
        let found = overlay.range(&self.root.tree, from, to, limit, reverse, live);
        self.root.tree.check()?;
        Ok(found)
    }

    fn saw(&self, key: &[u8], path: &Path) -> Result<()> {
        match self.isolation {
            Isolation::Serializable => {
                make_room(&self.reads, 1)?;
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
            Isolation::Serializable => self.writes_range(from, to)?,
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
