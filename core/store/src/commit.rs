//! The way of a commit: one writer at a time validates, logs and applies; readers take the root it leaves.

mod publish;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use statewright_log::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, lock_soon};
use statewright_log::{Durability, Env, Gate, Log, Recovery, SyncHooks, Timestamp};
use statewright_value::Value;

use crate::checkpoint::{CheckpointOptions, CheckpointStats, Checkpoints};
use crate::error::{Error, Result};
use crate::op::{Edit, Op, encode_commit};
use crate::options::StoreOptions;
use crate::overlay::{Layered, Overlay};
use crate::recent::{Mode, Overlap, Recent, Region};
use crate::room;
use crate::root::{Begun, Published, Retired, Root};
use crate::sabotage::{self, Bug};
use crate::space::{self, Space};
use crate::target::Stamp;
use crate::tree::{Key, Tree};
use crate::txn::Pending;

/// A buffer that grew larger than this many bytes is given back.
const MAX_SPARE: usize = 1 << 20;

/// A transaction that commits within this time of its first write gets the time of that.
const SAME_TIME: Duration = Duration::from_millis(1);

pub(crate) struct Shared {
    pub env: Env,
    pub log: Log,
    /// As they are in force.
    pub options: StoreOptions,
    pub recovery: Recovery,
    pub writer: Mutex<Writer>,
    /// What readers see; in strict mode never what a power cut could remove. None is published then while the writer's
    /// tree is that.
    pub published: Published,
    /// Locked while a checkpoint is made, before `writer`.
    pub checkpoints: Mutex<Checkpoints>,
    /// Whether a commit was made since the last sync began; buffered mode only.
    pub unsynced: AtomicBool,
    /// Notified when `unsynced` becomes true.
    pub unsynced_gate: Gate,
    /// Notified when a checkpoint is due.
    pub checkpoint_gate: Gate,
    /// Whether a key that expires was set since the last purge began.
    pub expiring: AtomicBool,
    /// Whether there may be a key that expires, or the note of one that is gone.
    pub may_expire: AtomicBool,
    /// Notified when `expiring` becomes true.
    pub expiry_gate: Gate,
    pub newest: Newest,
}

/// The time of the newest commit, as microseconds. Others than the writer read it: no entry has come back for anybody
/// that had expired for a commit, though the clock is put back.
pub(crate) struct Newest(AtomicU64);

impl Newest {
    pub fn new(time: Timestamp) -> Newest {
        Newest(AtomicU64::new(time.as_micros().cast_unsigned()))
    }

    fn set(&self, time: Timestamp) {
        let micros = time.as_micros().cast_unsigned();
        self.0.store(micros, Ordering::Relaxed);
    }

    fn get(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed).cast_signed())
    }
}

pub(crate) struct Writer {
    /// Of the newest commit, or, if that is unapplied, of the one before.
    pub tree: Tree,
    /// Of the newest commit.
    pub version: u64,
    unapplied: Option<Unapplied>,
    time: Timestamp,
    recent: Recent,
    /// Where open transactions may have begun.
    retired: Retired,
    /// Where those began that are being committed in a row.
    committing: Option<u64>,
    /// Whether readers see only what is durable.
    strict: bool,
    /// Whether a root is published, if not strict.
    published: bool,
    /// A buffer for encoding commits.
    payload: Vec<u8>,
    /// What will be durable when the running sync succeeds.
    syncing: Option<Syncing>,
    /// In strict mode the newest commit by which a key may expire, until readers see it.
    expires: Option<u64>,
    closed: bool,
    broken: bool,
    /// Of the newest checkpoint.
    pub checkpoint: CheckpointStats,
    /// How much the log will have grown, since it was opened, when the next checkpoint is due; never in memory.
    pub checkpoint_at: Option<u64>,
}

/// In strict mode the newest commit, as long as nobody needs the state behind it. Mostly that is until it is durable,
/// and then it is put into the tree in place: readers see the state before until then, and holding two states copies
/// every node on the way to what differs.
struct Unapplied {
    overlay: Overlay,
    /// The last op, if the overlay is without it.
    last: Option<Op>,
    /// Of its entries, for [`Overlay::merge_into`].
    versions: (u64, u64),
    writes: Vec<Region>,
    /// Of the tree.
    before: u64,
}

enum Syncing {
    Root(Arc<Root>),
    Unapplied,
}

impl Writer {
    pub fn new(tree: Tree, version: u64, time: Timestamp, strict: bool, recent: Recent) -> Writer {
        Writer {
            tree,
            version,
            unapplied: None,
            time,
            recent,
            retired: Retired::default(),
            committing: None,
            strict,
            published: false,
            payload: Vec::new(),
            syncing: None,
            expires: None,
            closed: false,
            broken: false,
            checkpoint: CheckpointStats::default(),
            checkpoint_at: None,
        }
    }

    /// The next checkpoint is due when the log has grown by so much since this.
    pub fn put_checkpoint_off(&mut self, grown: u64, options: &CheckpointOptions) {
        let next = grown.saturating_add(options.every_bytes.max(1));
        self.checkpoint_at = self.checkpoint_at.map(|_| next);
    }

    /// Refuses every later commit; tells whether that was so already.
    pub fn close(&mut self) -> bool {
        std::mem::replace(&mut self.closed, true)
    }

    pub fn check_open(&self) -> Result<()> {
        if self.closed {
            return Err(Error::Closed);
        }
        if self.broken {
            let why = "an earlier commit could not be applied".to_owned();
            return Err(Error::Corrupt {
                version: self.version,
                why,
            });
        }
        Ok(())
    }

    /// Fails with a conflict if any of these places was written by a commit after `since`.
    fn validate<'a>(
        &self,
        regions: impl IntoIterator<Item = &'a Region>,
        ranges: &[(Key, Option<Key>)],
        since: u64,
    ) -> Result<()> {
        if since == self.version {
            return Ok(());
        }
        if since < self.recent.floor() {
            return Err(Error::SnapshotTooOld {
                snapshot: since,
                oldest: self.recent.floor(),
            });
        }
        let conflict = |path: String, overlap: Overlap| {
            Err(Error::Conflict {
                path,
                committed: overlap.committed,
                snapshot: since,
            })
        };
        for region in regions {
            if let Some(overlap) = self.recent.overlap(region, since) {
                return conflict(
                    format!("{} {}", space::display(&region.key), region.path),
                    overlap,
                );
            }
        }
        match self.recent.overlap_ranges(ranges, since) {
            Some(overlap) => conflict(space::display(&overlap.key), overlap),
            None => Ok(()),
        }
    }

    /// What the next commit will be, made at `time` or, if that is later, at the time of the one before.
    fn next(&self, time: Timestamp) -> Stamp {
        Stamp {
            version: self.version.saturating_add(1),
            time: time.max(self.time),
        }
    }

    /// Tries ops beside the tree: once the log has them, they must not fail. Gives what they make of it if they are
    /// committed next, at this time or, if that is later, that of the commit before.
    fn try_ops(&self, ops: &[Op], time: Timestamp) -> Result<Overlay> {
        let at = self.next(time);
        let mut tried = Overlay::default();
        let mut layered = Layered {
            base: &self.tree,
            over: &mut tried,
        };
        let applied = ops.iter().try_for_each(|op| op.apply(&mut layered, at));
        // What looks like an op that does not fit may be a page that could not be read.
        self.tree.check()?;
        applied?;
        Ok(tried)
    }

    /// The version of the tree.
    fn applied(&self) -> u64 {
        match &self.unapplied {
            Some(unapplied) => unapplied.before,
            None => self.version,
        }
    }

    /// Puts what is unapplied into the tree. `coming` is as of [`remember`](Writer::remember).
    fn apply_rest(&mut self, coming: u64) {
        if let Some(rest) = self.unapplied.take() {
            // If it fails, every later commit is refused.
            let _ = self.put(rest.overlay, rest.versions, rest.last.as_ref());
            self.remember(coming, &rest.writes);
        }
    }

    /// Puts what a transaction made of the tree there, and then the op that its overlay is without. `versions` are as
    /// of [`Overlay::merge_into`], the second one the tree's.
    fn put(&mut self, over: Overlay, versions: (u64, u64), last: Option<&Op>) -> Result<()> {
        over.merge_into(&mut self.tree, versions);
        let at = Stamp {
            version: versions.1,
            time: self.time,
        };
        match last {
            Some(op) => {
                let applied = op.apply(&mut self.tree, at);
                applied.map_err(|e| self.differs(op, &e))
            }
            None => Ok(()),
        }
    }

    /// The log has this version; how it is applied.
    fn stamp(&mut self, version: u64) -> Stamp {
        self.version = version;
        Stamp {
            version,
            time: self.time,
        }
    }

    /// An op that the log has could not be applied. Validation makes this impossible; if it happens all the same,
    /// memory and log differ: no further commit.
    fn differs(&mut self, op: &Op, why: &Error) -> Error {
        self.broken = true;
        Error::Corrupt {
            version: self.version,
            why: format!("{}: {why}", op.target()),
        }
    }

    /// Makes sure that these writes can be noted, as [`room`] does for the rest of a commit.
    fn make_room(&mut self, writes: &[Region]) -> Result<()> {
        self.recent.make_room(writes)?;
        self.retired.make_room()
    }

    /// Notes what was written, if anybody could have missed it, and forgets what nobody can. `coming` is the oldest
    /// version at which a transaction may still begin.
    fn remember(&mut self, coming: u64, writes: &[Region]) {
        let mut oldest = self
            .retired
            .oldest()
            .into_iter()
            .chain(self.committing)
            .fold(coming, u64::min);
        if sabotage::on(Bug::PruneTooEarly) {
            oldest = self.version; // planted
        }
        if oldest < self.version {
            for region in writes {
                self.recent.record(self.version, region);
            }
        }
        self.recent.prune(oldest);
    }
}

impl Shared {
    /// The time by the clock or, if that is later, of the newest commit. What has expired is told by this alone.
    pub fn now(&self) -> Timestamp {
        let now = self.env.clock.now();
        if sabotage::on(Bug::TimeGoesBack) {
            return now; // planted
        }
        now.max(self.newest.get())
    }

    pub fn random(&self) -> Result<u64> {
        self.env.random.u64().map_err(|source| {
            Error::Log(statewright_log::Error::Io {
                action: "get random bytes from",
                path: "the system".into(),
                source,
            })
        })
    }

    /// The writer, its tree that of the newest commit.
    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        let mut writer = lock_soon(&self.writer);
        self.catch_up(&mut writer);
        writer
    }

    /// Applies what is unapplied, though it is not durable: the state before is published from now on.
    fn catch_up(&self, writer: &mut Writer) {
        if writer.unapplied.is_some() {
            let durable = self.publish(writer).version;
            writer.apply_rest(durable);
            if let Some(syncing) = &mut writer.syncing {
                let root = Root::new(writer.version, writer.tree.clone());
                *syncing = Syncing::Root(Arc::new(root));
            }
        }
    }

    /// Fails with a conflict if any of these places was written by a commit after `since`.
    pub fn still_current(
        &self,
        regions: &[Region],
        ranges: &[(Key, Option<Key>)],
        since: u64,
    ) -> Result<()> {
        self.writer().validate(regions, ranges, since)
    }

    /// Commits an edit of a key without a transaction, if what it makes of what is there passes a check; gives the
    /// version and what that is. As [`direct`](Shared::direct), only that the entry is made beside the tree and put
    /// there once the log has the edit.
    pub fn edit_key(
        &self,
        region: Region,
        space: Space,
        key: Vec<u8>,
        edit: Edit,
        check: impl FnOnce(&Value) -> Result<()>,
    ) -> Result<(u64, Value)> {
        edit.check()?;
        room::for_one_of(key.len(), edit.value())?;
        let (version, value) = {
            let mut writer = self.writer();
            writer.make_room(std::slice::from_ref(&region))?;
            let at = writer.next(self.now());
            let (old, trail) = writer.tree.seek(&region.key);
            let entry = edit.of_entry(old, &region.key, at)?;
            check(&entry.value)?;
            let op = Op::KvEdit { space, key, edit };
            let version = self.append(&mut writer, 0, std::slice::from_ref(&op), at.time)?;
            let taken = self.take_back(&mut writer, None, std::slice::from_ref(&region));
            writer.version = version;
            writer.tree.insert_at(trail.as_ref(), &region.key, &entry);
            self.give_back(&mut writer, taken, std::slice::from_ref(&region));
            (version, entry.value)
        };
        self.settle(version, Durability::Memory)?;
        Ok((version, value))
    }

    /// Commits one op without a transaction: to whatever is there, so it conflicts with nobody. Gives the version,
    /// and what `after` makes of the state right behind it.
    pub fn direct<T>(
        &self,
        region: Region,
        op: Op,
        after: impl FnOnce(&Tree) -> T,
    ) -> Result<(u64, T)> {
        op.check()?;
        let ops = std::slice::from_ref(&op);
        room::for_one(&op)?;
        let (version, result) = {
            let mut writer = self.writer();
            writer.make_room(std::slice::from_ref(&region))?;
            let time = self.now();
            let there = || Some(writer.tree.get(&region.key)?.value);
            let tried = match op.check_on(&region.key, there) {
                Some(fits) => fits.map(|_| None)?,
                None if op.can_fail() => Some(writer.try_ops(ops, time)?),
                None => None,
            };
            let version = self.append(&mut writer, 0, ops, time)?;
            let taken = self.take_back(&mut writer, None, std::slice::from_ref(&region));
            match tried {
                Some(tried) => {
                    writer.version = version;
                    tried.merge_into(&mut writer.tree, (version, version));
                }
                None => {
                    let at = writer.stamp(version);
                    let applied = op.apply_to(&region.key, &mut writer.tree, at);
                    applied.map_err(|e| writer.differs(&op, &e))?;
                }
            }
            self.give_back(&mut writer, taken, std::slice::from_ref(&region));
            self.note_expiry(&mut writer, ops);
            (version, after(&writer.tree))
        };
        self.settle(version, Durability::Memory)?;
        Ok((version, result))
    }

    /// Validates, logs and applies; gives the version, which is still to be [settled](Shared::settle). Nothing is
    /// changed if it fails before the log has it.
    pub fn commit(&self, pending: Pending) -> Result<u64> {
        room::for_commit(&pending.ops, pending.room)?;
        let mut writer = self.writer();
        self.commit_next(&mut writer, pending, &mut Vec::new())
    }

    /// [`commit`](Shared::commit) for each of these, which began on the same root. Nobody else's are between them.
    pub fn commit_each(&self, mut all: Vec<Pending>) -> Vec<Result<u64>> {
        if all.is_empty() {
            return Vec::new();
        }
        // All are dropped before the tree is changed, so that it need not be copied for one of them.
        let mut roots: Vec<Begun> = all.iter_mut().filter_map(|p| p.root.take()).collect();
        let mut writer = self.writer();
        writer.committing = all.first().map(|pending| pending.base);
        let commit = |pending: Pending| {
            room::for_commit(&pending.ops, pending.room)?;
            self.catch_up(&mut writer);
            self.commit_next(&mut writer, pending, &mut roots)
        };
        let done = all.into_iter().map(commit).collect();
        writer.committing = None;
        done
    }

    /// The writer's tree is that of the newest commit; `roots` are those that keep it from being changed in place.
    fn commit_next(
        &self,
        writer: &mut Writer,
        pending: Pending,
        roots: &mut Vec<Begun>,
    ) -> Result<u64> {
        let Pending {
            root,
            base,
            overlay,
            time,
            mut ops,
            waiting,
            writes,
            reads,
            ranges,
            ..
        } = pending;
        writer.check_open()?;
        writer.make_room(&writes)?;
        let reads = reads.iter().filter(|_| !sabotage::on(Bug::IgnoreReads)); // the filter is planted
        let ranges = ranges
            .get(..0)
            .filter(|_| sabotage::on(Bug::IgnoreRanges))
            .unwrap_or(&ranges); // planted
        writer.validate(writes.iter().chain(reads), ranges, base)?;
        // If nobody wrote to its keys in between, what the transaction made of them is what there will be, as long
        // as that does not depend on the time, or the time can be the one that it saw.
        let local = ops.iter().all(Op::is_local);
        let touched = |key: &Key| writer.recent.wrote(key, base) && !sabotage::on(Bug::MergeBlind); // planted
        let same = base == writer.version || local && !overlay.keys().any(touched);
        let (now, before) = (self.now(), writer.time);
        let near = |time: &Timestamp| *time >= before && now.saturating_since(*time) < SAME_TIME;
        let seen = time.filter(|time| same && near(time));
        let known = seen.is_some() || same && local;
        // What others added or appended since may leave no room for more of it, and what there was may have expired. An
        // op that waits is not in the overlay, so nobody has looked whether its key was written to.
        let others = base != writer.version && writes.iter().any(|w| w.mode != Mode::Exact);
        if (!known || waiting) && (others || ops.iter().any(Op::may_fail_later)) {
            writer.try_ops(&ops, now)?;
        }
        let version = self.append(writer, base, &ops, seen.unwrap_or(now))?;
        if known && writer.strict {
            writer.unapplied = Some(Unapplied {
                overlay,
                last: waiting.then(|| ops.pop()).flatten(),
                versions: (base.saturating_add(1), version),
                writes,
                before: writer.version,
            });
            writer.version = version;
        } else {
            roots.clear();
            let taken = self.take_back(writer, root, &writes);
            if known {
                writer.version = version;
                let last = ops.last().filter(|_| waiting);
                writer.put(overlay, (base.saturating_add(1), version), last)?;
            } else {
                // Otherwise documents would be copied where the overlay holds them too.
                drop(overlay);
                self.apply(writer, &ops, version)?;
            }
            self.give_back(writer, taken, &writes);
        }
        self.note_expiry(writer, &ops);
        Ok(version)
    }

    /// Logs a commit made at `time`, or, if that is later, at the time of the one before.
    fn append(&self, writer: &mut Writer, base: u64, ops: &[Op], time: Timestamp) -> Result<u64> {
        writer.check_open()?;
        if writer.tree.has_pages() {
            // Once the log has it, it must not meet a damaged page.
            ops.iter().for_each(|op| writer.tree.touch(&op.key()));
            writer.tree.check()?;
        }
        let time = if sabotage::on(Bug::TimeGoesBack) {
            time // planted
        } else {
            time.max(writer.time)
        };
        writer.payload.clear();
        // Nothing reads what a log in memory is given.
        if self.log.durability() != Durability::Memory {
            encode_commit(base, ops, &mut writer.payload);
        }
        let version = self.log.append(time, &writer.payload)?;
        let grown = self.log.grown();
        if writer.checkpoint_at.is_some_and(|at| grown >= at) {
            // If none is made, it is said again when the log has grown as much again.
            writer.put_checkpoint_off(grown, &self.options.checkpoints);
            self.checkpoint_gate.notify();
        }
        writer.payload.shrink_to(MAX_SPARE);
        writer.time = time;
        self.newest.set(time);
        Ok(version)
    }

    fn apply(&self, writer: &mut Writer, ops: &[Op], version: u64) -> Result<()> {
        let at = writer.stamp(version);
        let mut ops = ops.iter();
        ops.try_for_each(|op| {
            let applied = op.apply(&mut writer.tree, at);
            applied.map_err(|e| writer.differs(op, &e))
        })
    }

    /// Waits until a commit is as durable as the store's mode and the caller ask.
    pub fn settle(&self, version: u64, at_least: Durability) -> Result<()> {
        let mode = self.log.durability();
        if mode != Durability::Memory && mode.max(at_least) == Durability::Strict {
            self.log.sync_to(version, self)?;
        } else if mode == Durability::Buffered && !self.unsynced.swap(true, Ordering::AcqRel) {
            self.unsynced_gate.notify();
        }
        Ok(())
    }
}

impl SyncHooks for Shared {
    fn freeze(&self, take: &mut dyn FnMut()) {
        let mut writer = lock_soon(&self.writer);
        if sabotage::on(Bug::ShowUnsynced) {
            self.catch_up(&mut writer); // planted
        }
        if writer.strict && writer.unapplied.is_some() {
            writer.syncing = Some(Syncing::Unapplied);
        } else if writer.strict {
            let root = Arc::new(Root::new(writer.version, writer.tree.clone()));
            if sabotage::on(Bug::ShowUnsynced) {
                self.published.swap(Some(root.clone())); // planted
            }
            writer.syncing = Some(Syncing::Root(root));
        }
        take();
    }

    fn durable(&self, _version: u64) {
        let mut writer = lock_soon(&self.writer);
        let seen = match writer.syncing.take() {
            Some(Syncing::Root(durable)) => {
                let version = durable.version;
                let was = self.published.swap(Some(durable));
                writer.retired.note(was);
                version
            }
            Some(Syncing::Unapplied) => {
                // Whoever reads from now on waits for this, and publishes it.
                let was = self.published.swap(None);
                writer.retired.note(was);
                let version = writer.version;
                writer.apply_rest(version);
                version
            }
            None => return,
        };
        if writer.expires.take_if(|version| *version <= seen).is_some() {
            self.tell_expiry();
        }
    }
}
