//! The log as its users see it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::announce::Announced;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::{Files, Lead};
use crate::options::{Durability, LogOptions, LogStats, Recovery};
use crate::recover;
use crate::repair::{self, Repair};
use crate::segment::make_reserve;
use crate::sync;
use crate::time::{Gate, Timestamp};
use crate::verify::{self, Content, Damage, Verification};

/// One commit, as it is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number: 1 for the first, then consecutive.
    pub version: u64,
    /// When it was made, as told to [`Log::append`].
    pub time: Timestamp,
    /// The hash of the commit before; for commit 1, the random identity of the store.
    pub prev: [u8; 16],
    /// The hash of this commit: of its version, time, `prev` and `ops`.
    pub hash: [u8; 16],
    /// What was committed; the log does not look inside.
    pub ops: &'a [u8],
}

/// A place in a log, just behind a commit: where [`Log::open_from`] may begin to replay.
///
/// It is for whoever keeps the state that the commits up to there have made: a checkpoint. It may be used once the
/// commit before it is durable, and for as long as the log is there: it stays valid when the log goes on in other
/// segments, because the commit is then found by version and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The commit's number; 0 at the beginning of a log.
    pub version: u64,
    /// Its hash; the identity of the store at the beginning of a log.
    pub hash: [u8; 16],
    /// When it was made; the epoch at the beginning of a log.
    pub time: Timestamp,
    /// The number of the segment file, from 1; 0 in memory mode.
    pub segment: u64,
    /// Where in that file the commit ends, in bytes from its beginning.
    pub offset: u64,
}

/// What the owner of a log does when commits become durable. Runs on the thread that leads a sync.
pub trait SyncHooks {
    /// Keeps others from appending, notes what the log contains so far, and calls `take` exactly once. The batch is
    /// what had been appended when `take` ran. After `take` it must not wait for anybody who appends.
    fn freeze(&self, take: &mut dyn FnMut());
    /// Commits up to `version` are durable. Versions never go back. Runs before anybody's [`Log::sync_to`] returns
    /// because of it.
    fn durable(&self, version: u64);
}

/// Hooks that do nothing, for callers who append from one thread.
impl SyncHooks for () {
    fn freeze(&self, take: &mut dyn FnMut()) {
        take();
    }

    fn durable(&self, _version: u64) {}
}

/// An open log. See the [crate documentation](crate).
pub struct Log {
    /// None in memory mode.
    files: Option<Files>,
    last: sync::AtomicU64,
    durable: sync::AtomicU64,
    counters: Counters,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    batches: AtomicU64,
    batch_commits: AtomicU64,
    /// 0 before the first batch.
    batch_min: AtomicU64,
    batch_max: AtomicU64,
    batch_sizes: [AtomicU64; LogStats::SIZES],
    pub(crate) segments_started: AtomicU64,
    pub(crate) cut_bytes: AtomicU64,
}

impl Counters {
    /// Counts a batch that was made durable. Called by the leader alone.
    fn batch(&self, commits: u64) {
        let Some(size) = commits.checked_ilog2() else {
            return;
        };
        let add = |counter: &AtomicU64, n| counter.fetch_add(n, Ordering::Relaxed);
        if add(&self.batches, 1) == 0 {
            self.batch_min.store(commits, Ordering::Relaxed);
        }
        self.batch_min.fetch_min(commits, Ordering::Relaxed);
        self.batch_max.fetch_max(commits, Ordering::Relaxed);
        add(&self.batch_commits, commits);
        let size = (size as usize).min(LogStats::SIZES - 1);
        if let Some(counter) = self.batch_sizes.get(size) {
            add(counter, 1);
        }
    }
}

impl Log {
    /// Opens the log in folder `dir`, which is created if it does not exist, and passes every commit in it to
    /// `replay`, in order. Takes the folder's lock until the log is closed or dropped.
    ///
    /// With [`Durability::Memory`] this is [`Log::in_memory`]: the folder is neither read nor made.
    ///
    /// # Errors
    /// `Locked`, `NotAStore`, `NotWritable`, `NoSpace`, `UnsupportedFormat`, `Io`; `Corrupt` if bytes that had been
    /// durable are damaged or missing (nothing is changed then); whatever `replay` returns. O(size of the log).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use statewright_log::{Env, Log, LogOptions, Timestamp};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path();
    /// let (log, _) = Log::open(Env::real(), path, LogOptions::default(), &mut |_| Ok(()))?;
    /// let version = log.append(Timestamp::EPOCH, b"hello")?;
    /// log.sync_to(version, &())?; // durable from here on
    /// log.close()?;
    ///
    /// let mut seen = Vec::new();
    /// let (_, recovery) = Log::open(Env::real(), path, LogOptions::default(), &mut |frame| {
    ///     seen.push((frame.version, frame.ops.to_vec()));
    ///     Ok(())
    /// })?;
    /// assert_eq!(seen, [(1, b"hello".to_vec())]);
    /// assert!(recovery.clean);
    /// # Ok(()) }
    /// ```
    pub fn open(
        env: Env,
        dir: &Path,
        options: LogOptions,
        replay: &mut dyn FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<(Log, Recovery)> {
        Log::open_from(env, dir, options, None, replay)
    }

    /// [`open`](Log::open), with only the commits behind `start` passed to `replay`; all of them if it is `None`. For
    /// callers who have the state up to there from elsewhere.
    ///
    /// Of what is before `start` nothing is read but the headers of the segments. That the commit before `start` is
    /// the one that it names is checked. Everything behind it is treated as by `open`.
    ///
    /// # Errors
    /// Those of [`open`](Log::open); `Corrupt` if the log ends before `start` or has another commit there. O(size of
    /// the log behind `start` + number of segments); O(one segment) more if the log ends at `start` without having
    /// been closed, or if a crash moved the commits there into a new segment.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use statewright_log::{Env, Log, LogOptions, Timestamp};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path();
    /// let (log, _) = Log::open(Env::real(), path, LogOptions::default(), &mut |_| Ok(()))?;
    /// log.sync_to(log.append(Timestamp::EPOCH, b"old")?, &())?;
    /// let start = log.position(); // and keep the state of now together with it
    /// log.append(Timestamp::EPOCH, b"new")?;
    /// log.close()?;
    ///
    /// let mut seen = Vec::new();
    /// Log::open_from(Env::real(), path, LogOptions::default(), Some(start), &mut |frame| {
    ///     seen.push(frame.ops.to_vec());
    ///     Ok(())
    /// })?;
    /// assert_eq!(seen, [b"new".to_vec()]);
    /// # Ok(()) }
    /// ```
    pub fn open_from(
        env: Env,
        dir: &Path,
        mut options: LogOptions,
        start: Option<Position>,
        replay: &mut dyn FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<(Log, Recovery)> {
        if options.durability == Durability::Memory {
            return Ok((
                Log::in_memory(env),
                Recovery {
                    clean: true,
                    ..Recovery::default()
                },
            ));
        }
        options.segment_bytes = options.segment_bytes.min(LogOptions::HARD_LIMIT);
        options.max_commit_bytes = options.max_commit_bytes.min(LogOptions::HARD_LIMIT);
        let opened = recover::open(&env, dir, &options, start, replay)?;
        make_reserve(&*env.io, dir, options.reserve_bytes)?;
        let recovery = opened.recovery.clone();
        let version = opened.chain.version;
        let log = Log {
            files: Some(Files::new(env, dir, options, opened)),
            last: sync::AtomicU64::new(version),
            durable: sync::AtomicU64::new(version),
            counters: Counters::default(),
        };
        log.counters
            .cut_bytes
            .store(recovery.cut_bytes, Ordering::Relaxed);
        Ok((log, recovery))
    }

    /// A log that keeps nothing: it only numbers commits, and takes them as durable.
    #[must_use]
    pub fn in_memory(_env: Env) -> Log {
        Log {
            files: None,
            last: sync::AtomicU64::new(0),
            durable: sync::AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    /// Appends a commit and returns its version. The caller decides the order of commits: it must not append from two
    /// threads at once if the order matters to it.
    ///
    /// In buffered mode the kernel has the commit when this returns. In strict mode it is on its way, and must not be
    /// acknowledged before [`Log::sync_to`] returned.
    ///
    /// # Errors
    /// `FrameTooLarge`; `NoSpace` if a new segment was needed and there is no room (the log stays usable: nothing was
    /// appended); `Poisoned` after any other failure, now or before; `Closed`. One memory copy; starts a new segment
    /// when the current one is full, which takes milliseconds.
    pub fn append(&self, time: Timestamp, ops: &[u8]) -> Result<u64> {
        let bytes = ops.len() as u64;
        let Some(files) = &self.files else {
            self.count(bytes);
            let version = self.last.fetch_add(1, Ordering::AcqRel) + 1;
            self.durable.fetch_max(version, Ordering::AcqRel);
            return Ok(version);
        };
        let limit = files.options.max_commit_bytes;
        if bytes > limit {
            return Err(Error::FrameTooLarge { bytes, limit });
        }
        let appended = files.append(time, ops, &self.counters)?;
        self.last.fetch_max(appended.version, Ordering::AcqRel);
        self.count(appended.bytes);
        Ok(appended.version)
    }

    fn count(&self, bytes: u64) {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns when commits up to `version` (or the last one, if that is less) are durable. Concurrent callers share
    /// syncs: one of them leads, for everything appended so far, and the others wait for it. A caller who is alone
    /// leads at once, on its own thread; otherwise it waits a little for those who were [announced](Log::announce). In
    /// memory mode it returns at once, without calling the hooks.
    ///
    /// # Errors
    /// `Poisoned` if this or an earlier write or sync failed: then it is unknown whether the commits are durable, and
    /// only opening the log again will tell. `Closed` if the log was closed before.
    pub fn sync_to(&self, version: u64, hooks: &dyn SyncHooks) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let version = version.min(self.last_version());
        while self.durable_version() < version {
            files.usable()?;
            let done = || self.durable_version() >= version;
            if let Some(lead) = files.lead_or_wait(version, done) {
                // It may be its turn after somebody else synced its commit; then it only ends the turn.
                let result = match done() {
                    true => Ok(()),
                    false => self.lead(files, &lead, hooks),
                };
                lead.finish(result)?;
            }
        }
        Ok(())
    }

    /// Says that the caller is about to append commits and to have them synced. Until what this gives is dropped, which
    /// must be before the caller's own [`sync_to`](Log::sync_to), whoever leads a sync waits for it, but no longer than
    /// a sync takes or a millisecond, and so makes those commits durable too. For work that takes about as long as a
    /// sync. None in memory mode.
    pub fn announce(&self) -> Option<Announced<'_>> {
        Some(self.files.as_ref()?.announced.announce())
    }

    /// One turn as leader: take what was appended, write it, sync it, tell.
    fn lead(&self, files: &Files, lead: &Lead<'_>, hooks: &dyn SyncHooks) -> Result<()> {
        files.wait_for_announced();
        self.let_others_append();
        let mut batch = None;
        hooks.freeze(&mut || {
            if batch.is_none() {
                batch = Some(files.take());
            }
        });
        let batch = batch.unwrap_or_else(|| files.take());
        let version = batch.version;
        lead.taken(version);
        let commits = version.saturating_sub(self.durable_version());
        files.write_batch(batch, &self.counters)?;
        self.counters.batch(commits);
        hooks.durable(version);
        self.durable.fetch_max(version, Ordering::AcqRel);
        Ok(())
    }

    /// Where others commit too, lets those run first who want to, as long as that brings commits. With more threads
    /// than processors, most of those that the last sync woke up have not run again yet; now they share this one.
    /// Where a processor is free, this takes less than a microsecond.
    fn let_others_append(&self) {
        const TURNS: u32 = 4;
        let mut last = self.last_version();
        if last == self.durable_version().saturating_add(1) {
            return;
        }
        for _ in 0..TURNS {
            sync::yield_now();
            let before = std::mem::replace(&mut last, self.last_version());
            if before == last {
                return;
            }
        }
    }

    /// The version of the last commit; 0 if there is none.
    #[must_use]
    pub fn last_version(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The version up to which commits are durable (in memory mode: exist).
    #[must_use]
    pub fn durable_version(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The hash of the last commit; the identity of the store if there is none, zeros in memory mode.
    #[must_use]
    pub fn last_hash(&self) -> [u8; 16] {
        self.files.as_ref().map_or([0; 16], Files::last_hash)
    }

    /// The place behind the last commit. It stands still only while nobody appends. In memory mode it has a version
    /// and nothing else. O(1).
    #[must_use]
    pub fn position(&self) -> Position {
        match &self.files {
            Some(files) => files.position(),
            None => Position {
                version: self.last_version(),
                hash: [0; 16],
                time: Timestamp::EPOCH,
                segment: 0,
                offset: 0,
            },
        }
    }

    /// The durability in force.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.files
            .as_ref()
            .map_or(Durability::Memory, |files| files.options.durability)
    }

    /// The options in force.
    #[must_use]
    pub fn options(&self) -> LogOptions {
        let in_memory = || LogOptions {
            durability: Durability::Memory,
            ..LogOptions::default()
        };
        let files = self.files.as_ref();
        files.map_or_else(in_memory, |files| files.options.clone())
    }

    /// Makes what the log goes on in when its current file is full, if it is not there: a file that is full of zeros,
    /// and durable. Otherwise the commit that needs it waits for that. Does nothing in memory. For whoever has time,
    /// when the [gate](Log::ready_gate) says so. Tells whether it made one.
    ///
    /// # Errors
    /// `Io`, `NoSpace`; the log goes on without. `Closed`, `Poisoned`, `Forked`. O(size of a segment); commits may be
    /// appended meanwhile.
    pub fn make_ready(&self) -> Result<bool> {
        match &self.files {
            Some(files) => files.make_ready(),
            None => Ok(false),
        }
    }

    /// A gate that is notified when the current file is half full; none in memory.
    #[must_use]
    pub fn ready_gate(&self) -> Option<&Gate> {
        self.files.as_ref().map(|files| &files.ready_gate)
    }

    /// Bytes by which the log has grown since it was opened, framing and padding included. O(1).
    #[must_use]
    pub fn grown(&self) -> u64 {
        let files = self.files.as_ref();
        let padding = files.map_or(0, |files| files.padding.load(Ordering::Relaxed));
        self.counters
            .bytes
            .load(Ordering::Relaxed)
            .saturating_add(padding)
    }

    /// Counters since the log was opened.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        let counters = &self.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LogStats {
            commits: get(&counters.commits),
            bytes: get(&counters.bytes),
            syncs: get(&counters.syncs),
            durability: self.durability(),
            mapped: self.files.as_ref().is_some_and(Files::is_mapped),
            batches: get(&counters.batches),
            batch_commits: get(&counters.batch_commits),
            batch_min: get(&counters.batch_min),
            batch_max: get(&counters.batch_max),
            batch_sizes: std::array::from_fn(|i| counters.batch_sizes.get(i).map_or(0, get)),
            segments_started: get(&counters.segments_started),
            cut_bytes: get(&counters.cut_bytes),
            failed: self.files.as_ref().and_then(Files::failure),
        }
    }

    /// Reads commits again from the files, from version `from` (at least 1) on, until `visit` returns `false` or the
    /// log ends. In strict mode it ends at the last durable commit: a reader never sees what a crash could remove.
    /// In memory mode nothing is kept, so nothing is read.
    ///
    /// # Errors
    /// `Corrupt` if a commit is no longer what was written; `Io`; whatever `visit` returns. Skips whole segments, so
    /// the cost is O(one segment + what is read).
    pub fn read(&self, from: u64, visit: &mut dyn FnMut(Frame<'_>) -> Result<bool>) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let until = match files.options.durability {
            Durability::Strict => self.durable_version(),
            _ => self.last_version(),
        };
        files.read(from, until, visit)
    }

    /// Reads all commits of an open log again and checks their bytes, up to the last that a reader may see. Of damage,
    /// only the first place is reported. In memory mode nothing is kept, so nothing is found.
    ///
    /// # Errors
    /// `Io`. O(size of the log); commits may be appended meanwhile.
    pub fn verify(&self) -> Result<Verification> {
        let mut found = Verification {
            clean: true,
            ..Verification::default()
        };
        if let Some(files) = &self.files {
            let segments = files.segments();
            found.segments = segments.len() as u64;
            let buffered = segments.iter().filter(|segment| segment.header.buffered);
            found.buffered_segments = buffered.count() as u64;
        }
        let read = self.read(1, &mut |frame| {
            found.commits += 1;
            found.bytes += frame.ops.len() as u64;
            found.last_version = frame.version;
            Ok(true)
        });
        match read {
            Err(Error::Corrupt {
                path,
                offset,
                problem,
            }) => {
                found.clean = false;
                let last_good = found.last_version;
                found.damage.push(Damage {
                    path,
                    offset,
                    problem,
                    last_good,
                    behind: 0,
                    covered: false,
                });
                Ok(found)
            }
            other => other.map(|()| found),
        }
    }

    /// Looks at everything in the log in folder `dir`, which nobody has open, and reports all damage. Nothing but the
    /// lock file is changed.
    ///
    /// Checkpoints are looked at, too. `start` is where [`open_from`](Log::open_from) may begin; `None` for where the
    /// newest checkpoint ends that is intact. Damage before that is reported as covered. `content` gets each commit
    /// whose bytes are what was written, and may find it wrong: what it says is reported as damage too.
    ///
    /// # Errors
    /// `NotAStore`, `Locked`, `UnsupportedFormat`, `NotWritable` (the lock file), `Io`. O(size of the log).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use statewright_log::{Env, Frame, Log, LogOptions, Timestamp};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path();
    /// let (log, _) = Log::open(Env::real(), path, LogOptions::default(), &mut |_| Ok(()))?;
    /// log.append(Timestamp::EPOCH, b"hello")?;
    /// log.close()?;
    /// let found = Log::verify_folder(&Env::real(), path, None, &mut |_: Frame<'_>| Ok(()))?;
    /// assert!(found.damage.is_empty() && found.clean);
    /// assert_eq!(found.commits, 1);
    /// # Ok(()) }
    /// ```
    pub fn verify_folder(
        env: &Env,
        dir: &Path,
        start: Option<Position>,
        content: &mut dyn Content,
    ) -> Result<Verification> {
        verify::must_be_store(env, dir)?;
        let _lock = recover::take_lock(env, dir)?;
        Ok(verify::survey(env, dir, start.as_ref(), content)?.found)
    }

    /// Makes the damaged log in folder `dir`, which nobody has open, one that opens again: keeps everything up to the
    /// first damage and drops what is behind it, since it builds on what is lost. A segment header that cannot be read
    /// is made again from the segment's first commit, without loss; checkpoints that cannot be used are put aside,
    /// which costs nothing but time if the log is whole. Changes nothing if there is no damage that is not covered by
    /// a checkpoint (`start` and `content` as in [`verify_folder`](Log::verify_folder); `content` gets all commits
    /// twice, before and after).
    ///
    /// Nothing calls this but you. Every file that is changed or dropped is kept as `*.damaged` beside the log;
    /// whoever needs what is lost finds it there. If it is interrupted, it can be run again.
    ///
    /// # Errors
    /// Those of [`verify_folder`](Log::verify_folder), `NoSpace`; `Corrupt` if nothing can be kept, or if what can be
    /// kept ends before the checkpoint. O(size of the log).
    pub fn repair(
        env: &Env,
        dir: &Path,
        start: Option<Position>,
        content: &mut dyn Content,
    ) -> Result<Repair> {
        repair::repair(env, dir, start.as_ref(), content, false)
    }

    /// What [`repair`](Log::repair) would do; nothing but the lock file is changed.
    ///
    /// # Errors
    /// Those of [`repair`](Log::repair). O(size of the log).
    pub fn plan_repair(
        env: &Env,
        dir: &Path,
        start: Option<Position>,
        content: &mut dyn Content,
    ) -> Result<Repair> {
        repair::repair(env, dir, start.as_ref(), content, true)
    }

    /// Gives back the space of the reserve file ([`LogOptions::reserve_bytes`]), for whoever needs some to finish on a
    /// full disk; returns whether there was any.
    ///
    /// # Errors
    /// `Io`, `NotWritable`.
    pub fn spend_reserve(&self) -> Result<bool> {
        match &self.files {
            Some(files) => files.spend_reserve(),
            None => Ok(false),
        }
    }

    /// [`close_with`](Log::close_with) no hooks.
    ///
    /// # Errors
    /// As `close_with`.
    pub fn close(&self) -> Result<()> {
        self.close_with(&())
    }

    /// Makes everything durable, marks the log as closed properly, and releases the folder. Later calls return
    /// `Closed`. Dropping a log closes it too, but then nobody hears of a failure.
    ///
    /// What becomes durable goes through the hooks, as by [`sync_to`](Log::sync_to).
    ///
    /// # Errors
    /// `Poisoned` if a write or sync fails or failed before; the folder is released even then. `Forked`.
    pub fn close_with(&self, hooks: &dyn SyncHooks) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        files.not_forked()?;
        // If it fails the log is poisoned, and closing says so.
        let _ = self.sync_to(self.last_version(), hooks);
        let closed = files.close(&self.counters);
        // What was appended since is durable too.
        if let Ok(Some(version)) = closed
            && version > self.durable_version()
        {
            hooks.freeze(&mut || ());
            hooks.durable(version);
            self.durable.fetch_max(version, Ordering::AcqRel);
        }
        files.wake_followers();
        closed.map(drop)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close`.
        let _ = self.close();
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("dir", &self.files.as_ref().map(|files| &files.dir))
            .field("durability", &self.durability())
            .field("last_version", &self.last_version())
            .field("durable_version", &self.durable_version())
            .finish_non_exhaustive()
    }
}
