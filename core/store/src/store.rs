//! The store: one writer at a time applies validated commits to the tree and the log; readers pin a root.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use statewright_log::sync::{AtomicBool, Mutex};
use statewright_log::{
    Durability, Env, Gate, Log, LogOptions, LogStats, Recovery, SyncHooks, Timestamp,
};
use statewright_value::Path;

use crate::checkpoint::{CheckpointOptions, CheckpointStats, Checkpoints};
use crate::error::{Error, Result, Retryable};
use crate::op::{Op, decode_commit, encode_commit};
use crate::overlay::{Layered, Overlay};
use crate::reader::{Reader, sealed::View};
use crate::recent::{Mode, Overlap, Recent, Region};
use crate::root::{Begun, Published, Retired, Root};
use crate::sabotage::{self, Bug};
use crate::space;
use crate::target::{Entry, Stamp};
use crate::tree::{Key, Tree};
use crate::txn::{Isolation, Pending, Txn};

/// A buffer that grew larger than this many bytes is given back.
const MAX_SPARE: usize = 1 << 20;

/// A transaction that commits within this time of its first write gets the time of that.
const SAME_TIME: Duration = Duration::from_millis(1);

/// Bytes that the log adds to a commit.
const FRAME: u64 = 60;

/// Where a store lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In memory alone; gone when closed.
    Memory,
    /// In a folder, made if it is not there. One process at a time.
    Dir(PathBuf),
}

/// Bounds on what a transaction may do. Counted, never timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Ops in one transaction at most; 100,000 by default.
    pub max_ops: usize,
    /// Recent writes remembered for conflict detection at most; 1,000,000 by default. A snapshot older than the
    /// window can no longer commit.
    pub max_recent: usize,
    /// How often [`Store::transact`] runs its closure at most; 100 by default.
    pub max_attempts: u32,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            max_ops: 100_000,
            max_recent: 1_000_000,
            max_attempts: 100,
        }
    }
}

/// How to open a store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The log's options, durability among them.
    pub log: LogOptions,
    /// Bounds.
    pub limits: StoreLimits,
    /// When checkpoints are due, and what they leave in memory.
    pub checkpoints: CheckpointOptions,
}

impl StoreOptions {
    /// Default options with this durability.
    pub fn with_durability(durability: Durability) -> Self {
        let mut options = StoreOptions::default();
        options.log.durability = durability;
        options
    }
}

/// Figures of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStats {
    /// The version of the newest commit.
    pub version: u64,
    /// The newest version that is known to survive a power cut.
    pub durable_version: u64,
    /// The durability in force.
    pub durability: Durability,
    /// Entries in the tree.
    pub entries: usize,
    /// Open transactions.
    pub transactions: usize,
    /// The log's own figures.
    pub log: LogStats,
    /// What opening found in the log.
    pub recovery: Recovery,
    /// The newest checkpoint.
    pub checkpoint: CheckpointStats,
}

/// One commit as the log holds it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoggedCommit {
    /// Its version; 1 is the first.
    pub version: u64,
    /// When it was made; never before an earlier commit's.
    pub time: Timestamp,
    /// What it did.
    pub ops: Vec<Op>,
}

/// A store: transactional state over one log and one tree. Cheap to clone; every clone is the same store.
/// Thread-safe.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

/// A consistent, unchanging view of everything at one version. Costs a pointer; holding one keeps the nodes it
/// shares.
pub struct Snapshot {
    shared: Arc<Shared>,
    pub(crate) root: Arc<Root>,
    /// When it was first asked whether something has expired.
    time: OnceLock<Timestamp>,
}

pub(crate) struct Shared {
    pub env: Env,
    pub log: Log,
    pub limits: StoreLimits,
    pub recovery: Recovery,
    pub writer: Mutex<Writer>,
    /// What readers see; in strict mode always there, and never what a power cut could remove.
    pub published: Published,
    /// Locked while a checkpoint is made, before `writer`.
    pub checkpoints: Mutex<Checkpoints>,
    /// Whether a commit was made since the last sync began; buffered mode only.
    pub unsynced: AtomicBool,
    /// Notified when `unsynced` becomes true.
    pub unsynced_gate: Gate,
    /// Notified when a checkpoint is due.
    pub checkpoint_gate: Gate,
}

pub(crate) struct Writer {
    pub tree: Tree,
    pub version: u64,
    time: Timestamp,
    recent: Recent,
    /// Where open transactions may have begun.
    retired: Retired,
    /// Whether readers see only what is durable.
    strict: bool,
    /// Whether a root is published, if not strict.
    published: bool,
    /// A buffer for encoding commits.
    payload: Vec<u8>,
    /// What will be durable when the running sync succeeds.
    syncing: Option<Arc<Root>>,
    closed: bool,
    broken: bool,
    /// Of the newest checkpoint.
    pub checkpoint: CheckpointStats,
    /// Bytes of commits that may still be logged before a checkpoint is due; none once that was said.
    pub until_checkpoint: Option<u64>,
}

impl Writer {
    pub fn new(
        tree: Tree,
        version: u64,
        time: Timestamp,
        strict: bool,
        max_recent: usize,
    ) -> Writer {
        Writer {
            tree,
            version,
            time,
            recent: Recent::new(max_recent),
            retired: Retired::default(),
            strict,
            published: false,
            payload: Vec::new(),
            syncing: None,
            closed: false,
            broken: false,
            checkpoint: CheckpointStats::default(),
            until_checkpoint: None,
        }
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
        for (from, to) in ranges {
            if let Some(overlap) = self.recent.overlap_range(from, to.as_ref(), since) {
                return conflict(space::display(&overlap.key), overlap);
            }
        }
        Ok(())
    }

    /// Tries ops beside the tree: once the log has them, they must not fail. Gives what they make of it if they are
    /// committed next, at this time or, if that is later, that of the commit before.
    fn try_ops(&self, ops: &[Op], time: Timestamp) -> Result<Overlay> {
        let at = Stamp {
            version: self.version.saturating_add(1),
            time: time.max(self.time),
        };
        let mut tried = Overlay::default();
        let mut layered = Layered {
            base: &self.tree,
            over: &mut tried,
        };
        ops.iter().try_for_each(|op| op.apply(&mut layered, at))?;
        Ok(tried)
    }

    /// Notes what was written, if anybody could have missed it, and forgets what nobody can. `coming` is the oldest
    /// version at which a transaction may still begin.
    fn remember(&mut self, coming: u64, writes: &[Region]) {
        let mut oldest = self
            .retired
            .oldest()
            .map_or(coming, |open| open.min(coming));
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

impl Store {
    /// Begins a serializable transaction on the newest state. O(1).
    pub fn begin(&self) -> Txn {
        self.begin_with(Isolation::default())
    }

    /// Begins a transaction with this isolation. O(1); waits for a commit only if there was one since somebody last
    /// read.
    pub fn begin_with(&self, isolation: Isolation) -> Txn {
        let shared = &self.shared;
        let root = shared.published.begin().unwrap_or_else(|| {
            // While this is held, nobody takes the root back.
            let mut writer = shared.writer.lock();
            Begun::new(shared.publish(&mut writer))
        });
        Txn::new(shared.clone(), root, isolation)
    }

    /// Pins the newest state for reading. O(1); waits for a commit only if there was one since somebody last read.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            shared: self.shared.clone(),
            root: self.shared.root(),
            time: OnceLock::new(),
        }
    }

    /// Runs a closure in a transaction and commits it; runs it again, after a short random pause, while what fails is
    /// retryable, at most [`StoreLimits::max_attempts`] times. The closure must have no effect beside the
    /// transaction.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// let n = store.transact(|txn| {
    ///     let n = txn.kv_get(&space, b"n")?.and_then(|v| v.as_i64()).unwrap_or(0) + 1;
    ///     txn.kv_put(&space, b"n", value!(n))?;
    ///     Ok::<_, statewright_store::Error>(n)
    /// })?;
    /// assert_eq!(n, 1);
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn transact<T, E>(&self, f: impl FnMut(&Txn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + Retryable,
    {
        self.transact_versioned(f).map(|(value, _)| value)
    }

    /// [`transact`](Store::transact) that also gives the commit's version.
    pub fn transact_versioned<T, E>(
        &self,
        mut f: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<(T, u64), E>
    where
        E: From<Error> + Retryable,
    {
        let mut attempt = 0_u32;
        loop {
            let txn = self.begin();
            let tried = f(&txn).and_then(|value| Ok((value, txn.commit()?.version)));
            attempt = attempt.saturating_add(1);
            match tried {
                Err(e) if e.is_retryable() && attempt < self.shared.limits.max_attempts => {
                    self.pause(attempt)
                }
                done => return done,
            }
        }
    }

    /// Full jitter over an exponential ceiling: the first retries are immediate for all practical purposes.
    fn pause(&self, attempt: u32) {
        // In strict mode the commit that won may not be readable yet; a snapshot without it would only lose again.
        // If this fails, so will the next attempt, with the reason.
        let _ = self
            .shared
            .settle(self.shared.log.last_version(), Durability::Memory);
        let ceiling_us = 1_u64 << attempt.min(14);
        // Without randomness, all of the ceiling.
        let pause =
            Duration::from_micros(self.shared.env.random.u64().unwrap_or(u64::MAX) % ceiling_us);
        let until = self.shared.env.clock.now().saturating_add(pause);
        let gate = Gate::new();
        self.shared.env.clock.wait(&gate, gate.epoch(), Some(until));
    }

    /// Commits one op without a transaction: to whatever is there, so it conflicts with nobody. Gives the version,
    /// and what `after` makes of the state right behind it.
    pub(crate) fn direct<T>(
        &self,
        region: Region,
        op: Op,
        after: impl FnOnce(&Tree) -> T,
    ) -> Result<(u64, T)> {
        op.check()?;
        let shared = &self.shared;
        let ops = std::slice::from_ref(&op);
        let (version, result) = {
            let mut writer = shared.writer.lock();
            let time = shared.now();
            let tried = match op.can_fail() {
                true => Some(writer.try_ops(ops, time)?),
                false => None,
            };
            let version = shared.append(&mut writer, 0, ops, time)?;
            let coming = shared.take_back(&mut writer, None);
            match tried {
                Some(tried) => {
                    writer.version = version;
                    tried.merge_into(&mut writer.tree);
                }
                None => shared.apply(&mut writer, ops, version)?,
            }
            writer.remember(coming.unwrap_or(version), std::slice::from_ref(&region));
            (version, after(&writer.tree))
        };
        shared.settle(version, Durability::Memory)?;
        Ok((version, result))
    }

    /// A gate that is notified at the first commit after a [`sync`](Store::sync) began, in buffered mode: for whoever
    /// syncs in the background.
    pub fn unsynced_gate(&self) -> &Gate {
        &self.shared.unsynced_gate
    }

    /// Makes everything committed so far survive a power cut. Does nothing in memory.
    pub fn sync(&self) -> Result<()> {
        self.shared.unsynced.store(false, Ordering::Release);
        let version = self.shared.log.last_version();
        self.shared.settle(version, Durability::Strict)
    }

    /// Figures, for people and metrics. O(1).
    pub fn stats(&self) -> StoreStats {
        let writer = self.shared.writer.lock();
        StoreStats {
            version: writer.version,
            durable_version: self.shared.log.durable_version(),
            durability: self.shared.log.durability(),
            entries: writer.tree.len(),
            transactions: writer.retired.transactions()
                + self
                    .shared
                    .published
                    .get()
                    .map_or(0, |root| root.transactions()),
            log: self.shared.log.stats(),
            recovery: self.shared.recovery.clone(),
            checkpoint: writer.checkpoint.clone(),
        }
    }

    /// Reads the log's commits from a version on, oldest first, until `f` says false. O(log from there on).
    ///
    /// A store in memory keeps no log and gives none.
    pub fn log(&self, from: u64, f: &mut dyn FnMut(LoggedCommit) -> bool) -> Result<()> {
        let mut failed = None;
        let read = self.shared.log.read(from, &mut |frame| match decode_commit(
            frame.version,
            frame.ops,
        ) {
            Ok(ops) => Ok(f(LoggedCommit {
                version: frame.version,
                time: frame.time,
                ops,
            })),
            Err(e) => {
                failed = Some(e);
                Ok(false)
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(read?),
        }
    }

    /// Whether it keeps no log.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.shared.log.durability() == Durability::Memory
    }

    /// The seams that this store was opened with.
    pub fn env(&self) -> &Env {
        &self.shared.env
    }

    /// Syncs, releases the folder and refuses every later commit. Doing it twice is fine.
    ///
    /// If the last sync fails, the error says so and the folder is released all the same.
    pub fn close(&self) -> Result<()> {
        // Whoever makes a checkpoint needs the folder until it is done.
        let _checkpoints = self.shared.checkpoints.lock();
        if std::mem::replace(&mut self.shared.writer.lock().closed, true) {
            return Ok(());
        }
        let synced = self.sync();
        let closed = self.shared.log.close();
        synced?;
        Ok(closed?)
    }
}

impl Shared {
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
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

    /// The root that readers see.
    fn root(&self) -> Arc<Root> {
        let published = self.published.get();
        published.unwrap_or_else(|| self.publish(&mut self.writer.lock()))
    }

    /// Publishes the newest state, unless somebody just did, or only durable states are published.
    fn publish(&self, writer: &mut Writer) -> Arc<Root> {
        self.published.get().unwrap_or_else(|| {
            writer.published = true;
            let root = Arc::new(Root::new(writer.version, writer.tree.clone()));
            self.published.swap(Some(root.clone()));
            root
        })
    }

    /// Takes the published root back before the tree is changed, so that it need not be copied if nobody holds it.
    /// Gives the version at which transactions may begin all the same: in strict mode, that of the last sync.
    fn take_back(&self, writer: &mut Writer, own: Option<Begun>) -> Option<u64> {
        if writer.strict {
            return self.published.get().map(|root| root.version);
        }
        if std::mem::take(&mut writer.published) {
            let was = self.published.swap(None);
            drop(own);
            writer.retired.note(was);
        }
        None
    }

    /// Fails with a conflict if any of these places was written by a commit after `since`.
    pub fn still_current(
        &self,
        regions: &[Region],
        ranges: &[(Key, Option<Key>)],
        since: u64,
    ) -> Result<()> {
        self.writer.lock().validate(regions, ranges, since)
    }

    /// Validates, logs and applies; gives the version. Nothing is changed if it fails before the log has it.
    pub fn commit(&self, pending: Pending, at_least: Durability) -> Result<u64> {
        let Pending {
            root,
            overlay,
            time,
            ops,
            writes,
            reads,
            ranges,
        } = pending;
        let base = root.version;
        let version = {
            let mut writer = self.writer.lock();
            writer.check_open()?;
            let reads = reads.iter().filter(|_| !sabotage::on(Bug::IgnoreReads)); // the filter is planted
            let ranges = ranges
                .get(..0)
                .filter(|_| sabotage::on(Bug::IgnoreRanges))
                .unwrap_or(&ranges); // planted
            writer.validate(writes.iter().chain(reads), ranges, base)?;
            if base != writer.version && writes.iter().any(|w| w.mode != Mode::Exact) {
                // What others added or appended since may leave no room for more of it.
                writer.try_ops(&ops, self.now())?;
            }
            // If nobody committed in between, what the transaction saw is what there will be.
            let (now, before) = (self.now(), writer.time);
            let same = |time: &Timestamp| {
                base == writer.version && *time >= before && now.saturating_since(*time) < SAME_TIME
            };
            let seen = time.filter(same);
            let version = self.append(&mut writer, base, &ops, seen.unwrap_or(now))?;
            let coming = self.take_back(&mut writer, Some(root));
            if seen.is_some() {
                writer.version = version;
                overlay.merge_into(&mut writer.tree);
            } else {
                // Otherwise documents would be copied where the overlay holds them too.
                drop(overlay);
                self.apply(&mut writer, &ops, version)?;
            }
            writer.remember(coming.unwrap_or(version), &writes);
            version
        };
        self.settle(version, at_least)?;
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
        if let Some(left) = &mut writer.until_checkpoint {
            *left = left.saturating_sub(writer.payload.len() as u64 + FRAME);
            if *left == 0 {
                writer.until_checkpoint = None;
                self.checkpoint_gate.notify();
            }
        }
        writer.payload.shrink_to(MAX_SPARE);
        writer.time = time;
        Ok(version)
    }

    fn apply(&self, writer: &mut Writer, ops: &[Op], version: u64) -> Result<()> {
        writer.version = version;
        let at = Stamp {
            version,
            time: writer.time,
        };
        for op in ops {
            if let Err(e) = op.apply(&mut writer.tree, at) {
                // Validation makes this impossible; if it happens all the same, memory and log differ: stop here.
                writer.broken = true;
                return Err(Error::Corrupt {
                    version,
                    why: format!("{}: {e}", op.target()),
                });
            }
        }
        Ok(())
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
        let mut writer = self.writer.lock();
        if writer.strict {
            let root = Root::new(writer.version, writer.tree.clone());
            writer.syncing = Some(Arc::new(root));
            if sabotage::on(Bug::ShowUnsynced) {
                self.published.swap(writer.syncing.clone()); // planted
            }
        }
        take();
    }

    fn durable(&self, _version: u64) {
        let mut writer = self.writer.lock();
        if let Some(durable) = writer.syncing.take() {
            let was = self.published.swap(Some(durable));
            writer.retired.note(was);
        }
    }
}

impl Snapshot {
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

impl View for Snapshot {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        let now = || self.time();
        let found = self.root.tree.get(key);
        self.root.tree.check()?;
        Ok(found.filter(|entry| is_live(entry, now)))
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

/// Each call reads the newest state.
impl View for Store {
    fn lookup(&self, key: &[u8]) -> Result<Option<Entry>> {
        let shared = &self.shared;
        let root = shared.root();
        let found = root.tree.get(key);
        root.tree.check()?;
        Ok(found.filter(|entry| is_live(entry, || shared.now())))
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
}

/// Each call reads the newest state; take a [`Snapshot`] for several reads of the same one.
impl Reader for Store {}
