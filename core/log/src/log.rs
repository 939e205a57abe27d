//! The log: appending, making durable, reading again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::env::{Env, File, OpenMode};
use crate::error::{Error, Result};
use crate::format::{FrameHeader, Hash, Kind, SegmentHeader, frame_len, write_frame};
use crate::options::{Durability, LogOptions, LogStats, Recovery};
use crate::recover::{self, Opened, SegmentInfo, mark, random_tag};
use crate::segment::{
    Chain, FIRST_FRAME, Item, MARK_LEN, Reader, Unfinished, segment_length, segment_name,
};
use crate::time::Timestamp;

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

/// What the owner of a log does when commits become durable. Runs on the thread that leads a sync.
pub trait SyncHooks {
    /// Keeps others from appending, notes what the log contains so far, and calls `take` exactly once. The batch is
    /// what had been appended when `take` ran.
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
    files: Option<Files>,
    last: AtomicU64,
    durable: AtomicU64,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    batch_max: AtomicU64,
    segments_started: AtomicU64,
    cut_bytes: AtomicU64,
}

/// Everything a log with files has.
///
/// Locks are taken in the order `writer`, `disk`. `disk` is held from the moment a batch is taken until it is
/// synced: syncs of one file must not overlap, or the kernel would report a failure to only one of them.
struct Files {
    env: Env,
    dir: PathBuf,
    options: LogOptions,
    writer: Mutex<Writer>,
    disk: Mutex<Disk>,
    /// Whether somebody leads a sync; the others wait for `led`.
    leading: Mutex<bool>,
    led: Condvar,
    poison: OnceLock<Arc<Error>>,
    closed: AtomicBool,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

/// The end of the log.
struct Writer {
    segments: Vec<SegmentInfo>,
    segment: Arc<Segment>,
    /// Where the next frame goes, behind `pending`.
    end: u64,
    /// Frames not yet written to the file, which belong at `pending_at`.
    pending: Vec<u8>,
    pending_at: u64,
    chain: Chain,
    log_bytes: u64,
}

/// The segment that is being appended to.
struct Segment {
    path: PathBuf,
    file: Arc<dyn File>,
    header: SegmentHeader,
    /// Everything before this offset was durable after a successful sync.
    proven: AtomicU64,
}

/// What the holder of the right to sync needs: an empty buffer to leave in place of the one it takes.
#[derive(Default)]
struct Disk {
    spare: Vec<u8>,
}

/// Commits on their way to the disk.
struct Batch<'a> {
    disk: MutexGuard<'a, Disk>,
    segment: Arc<Segment>,
    bytes: Vec<u8>,
    at: u64,
    end: u64,
    version: u64,
}

/// In strict mode, frames are collected up to this many bytes before they are written without waiting for a sync.
const MAX_PENDING: usize = 4 << 20;
/// A buffer that grew larger than this is given back.
const MAX_SPARE: usize = 1 << 20;

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
        mut options: LogOptions,
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
        let opened = recover::open(&env, dir, &options, replay)?;
        let recovery = opened.recovery.clone();
        let version = opened.chain.version;
        let log = Log {
            files: Some(Files::new(env, dir, options, opened)?),
            last: AtomicU64::new(version),
            durable: AtomicU64::new(version),
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
            last: AtomicU64::new(0),
            durable: AtomicU64::new(0),
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
        let Some(files) = &self.files else {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
            self.counters
                .bytes
                .fetch_add(ops.len() as u64, Ordering::Relaxed);
            let version = self.last.fetch_add(1, Ordering::AcqRel) + 1;
            self.durable.fetch_max(version, Ordering::AcqRel);
            return Ok(version);
        };
        if ops.len() as u64 > files.options.max_commit_bytes {
            return Err(Error::FrameTooLarge {
                bytes: ops.len() as u64,
                limit: files.options.max_commit_bytes,
            });
        }
        let mut writer = files.writer.lock();
        files.usable()?;
        let length = frame_len(ops.len());
        if writer.end + length + MARK_LEN > writer.segment.header.length {
            files.start_segment(&mut writer, length, &self.counters)?;
        }
        let version = files.push(&mut writer, time, ops)?;
        self.last.store(version, Ordering::Release);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(length, Ordering::Relaxed);
        Ok(version)
    }

    /// Returns when commits up to `version` (or the last one, if that is less) are durable. Concurrent callers share
    /// syncs: one of them leads, for everything appended so far, and the others wait for it. A caller who is alone
    /// leads at once, on its own thread. In memory mode it returns at once, without calling the hooks.
    ///
    /// # Errors
    /// `Poisoned` if this or an earlier write or sync failed: then it is unknown whether the commits are durable, and
    /// only opening the log again will tell. `Closed` if the log was closed before.
    pub fn sync_to(&self, version: u64, hooks: &dyn SyncHooks) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let version = version.min(self.last_version());
        loop {
            if self.durable_version() >= version {
                return Ok(());
            }
            files.usable()?;
            let mut leading = files.leading.lock();
            if *leading {
                // Looked at again under the lock that the leader takes before it wakes us, so no wake-up is lost.
                if self.durable_version() < version {
                    files.led.wait(&mut leading);
                }
                continue;
            }
            *leading = true;
            drop(leading);
            let lead = Lead {
                files,
                finished: false,
            };
            lead.finish(self.lead(files, hooks))?;
        }
    }

    /// One turn as leader: take what was appended, write it, sync it, tell.
    fn lead(&self, files: &Files, hooks: &dyn SyncHooks) -> Result<()> {
        let mut batch = None;
        hooks.freeze(&mut || {
            if batch.is_none() {
                batch = Some(files.take());
            }
        });
        let batch = batch.unwrap_or_else(|| files.take());
        let version = batch.version;
        let commits = version.saturating_sub(self.durable_version());
        files.write_batch(batch, &self.counters)?;
        self.counters
            .batch_max
            .fetch_max(commits, Ordering::Relaxed);
        hooks.durable(version);
        self.durable.fetch_max(version, Ordering::AcqRel);
        Ok(())
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
        self.files
            .as_ref()
            .map_or([0; 16], |files| files.writer.lock().chain.hash)
    }

    /// The durability in force.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.files
            .as_ref()
            .map_or(Durability::Memory, |files| files.options.durability)
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
            batch_max: get(&counters.batch_max),
            segments_started: get(&counters.segments_started),
            cut_bytes: get(&counters.cut_bytes),
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
        let (segments, until) = {
            let writer = files.writer.lock();
            let strict = files.options.durability == Durability::Strict;
            (
                writer.segments.clone(),
                if strict {
                    self.durable_version()
                } else {
                    writer.chain.version
                },
            )
        };
        let start = segments
            .partition_point(|segment| segment.header.first_version <= from)
            .saturating_sub(1);
        let segments = segments.get(start..).unwrap_or_default();
        for (i, segment) in segments.iter().enumerate() {
            let next = segments
                .get(i + 1)
                .map(|next| next.header.first_version.saturating_sub(1));
            let more =
                files.read_segment(segment, from, next.unwrap_or(until).min(until), visit)?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Makes everything durable, marks the log as closed properly, and releases the folder. Later calls return
    /// `Closed`. Dropping a log closes it too, but then nobody hears of a failure.
    ///
    /// # Errors
    /// `Poisoned` if a write or sync fails or failed before; the folder is released even then.
    pub fn close(&self) -> Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let result = files.close(&self.counters);
        if let Ok(Some(version)) = &result {
            self.durable.fetch_max(*version, Ordering::AcqRel);
        }
        drop(files.leading.lock());
        files.led.notify_all();
        result.map(|_| ())
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

/// The turn of a leader. If it ends without a result (a hook panicked), nobody may believe in the batch.
struct Lead<'a> {
    files: &'a Files,
    finished: bool,
}

impl Lead<'_> {
    fn finish(mut self, result: Result<()>) -> Result<()> {
        self.finished = true;
        result
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let source = std::io::Error::other("the thread that led the sync panicked");
            self.files.poison(Error::Io {
                action: "sync",
                path: self.files.dir.clone(),
                source,
            });
        }
        *self.files.leading.lock() = false;
        self.files.led.notify_all();
    }
}

impl Files {
    fn new(env: Env, dir: &Path, options: LogOptions, opened: Opened) -> Result<Files> {
        let Some(SegmentInfo { path, header }) = opened.segments.last().cloned() else {
            return Err(Error::corrupt(dir, 0, "no segment"));
        };
        let end = opened.end;
        let segment = Arc::new(Segment {
            path,
            file: opened.file,
            header,
            proven: AtomicU64::new(end),
        });
        let writer = Writer {
            segments: opened.segments,
            segment,
            end,
            pending: Vec::new(),
            pending_at: end,
            chain: opened.chain,
            log_bytes: opened.log_bytes,
        };
        Ok(Files {
            env,
            dir: dir.to_path_buf(),
            options,
            writer: Mutex::new(writer),
            disk: Mutex::default(),
            leading: Mutex::new(false),
            led: Condvar::new(),
            poison: OnceLock::new(),
            closed: AtomicBool::new(false),
            lock: Mutex::new(Some(opened.lock)),
        })
    }

    fn usable(&self) -> Result<()> {
        if let Some(cause) = self.poison.get() {
            return Err(Error::Poisoned {
                cause: cause.clone(),
            });
        }
        if self.closed.load(Ordering::Acquire) {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// Remembers the first failure for ever, and returns the error everybody gets from now on.
    fn poison(&self, cause: Error) -> Error {
        Error::Poisoned {
            cause: self.poison.get_or_init(|| Arc::new(cause)).clone(),
        }
    }

    /// Adds a commit at the end. In buffered mode, and when much has piled up, also writes it.
    fn push(&self, writer: &mut Writer, time: Timestamp, ops: &[u8]) -> Result<u64> {
        let version = writer.chain.version + 1;
        let header = FrameHeader {
            kind: Kind::Commit,
            length: 0,
            tag: writer.segment.header.tag,
            offset: writer.end as u32,
            proven: writer.segment.proven.load(Ordering::Acquire) as u32,
            payload_crc: 0,
            version,
            time,
            prev: writer.chain.hash,
        };
        let hash = write_frame(&mut writer.pending, header, ops);
        if self.options.durability == Durability::Buffered || writer.pending.len() > MAX_PENDING {
            self.write_pending(writer)?;
        }
        writer.chain = Chain { version, hash };
        writer.end += frame_len(ops.len());
        writer.log_bytes += frame_len(ops.len());
        Ok(version)
    }

    /// Gives the collected frames to the kernel.
    fn write_pending(&self, writer: &mut Writer) -> Result<()> {
        let segment = &writer.segment;
        let result = segment
            .file
            .write_all_at(&writer.pending, writer.pending_at);
        result.map_err(|e| self.poison(Error::io("write", &segment.path, e)))?;
        writer.pending_at += writer.pending.len() as u64;
        writer.pending.clear();
        writer.pending.shrink_to(MAX_SPARE);
        Ok(())
    }

    /// Takes what was appended so far, and the right to write and sync it.
    fn take(&self) -> Batch<'_> {
        let mut writer = self.writer.lock();
        let mut disk = self.disk.lock();
        let bytes = std::mem::replace(&mut writer.pending, std::mem::take(&mut disk.spare));
        let at = writer.pending_at;
        writer.pending_at += bytes.len() as u64;
        let (end, version) = (writer.end, writer.chain.version);
        Batch {
            disk,
            segment: writer.segment.clone(),
            bytes,
            at,
            end,
            version,
        }
    }

    fn write_batch(&self, batch: Batch<'_>, counters: &Counters) -> Result<()> {
        let Batch {
            mut disk,
            segment,
            mut bytes,
            at,
            end,
            ..
        } = batch;
        self.usable()?;
        if !bytes.is_empty() {
            let result = segment.file.write_all_at(&bytes, at);
            result.map_err(|e| self.poison(Error::io("write", &segment.path, e)))?;
        }
        self.sync(&segment, end, counters)?;
        bytes.clear();
        bytes.shrink_to(MAX_SPARE);
        disk.spare = bytes;
        drop(disk);
        // Nothing is acknowledged after a failure elsewhere, even if this batch is safe (rule W2).
        self.usable()
    }

    /// Makes the segment durable up to `end`, which has been written. The caller holds `disk`.
    fn sync(&self, segment: &Segment, end: u64, counters: &Counters) -> Result<()> {
        if segment.proven.load(Ordering::Acquire) >= end {
            return Ok(());
        }
        if cfg!(feature = "early-ack") {
            return Ok(()); // the planted bug, see Cargo.toml
        }
        let failed = |e| self.poison(Error::io("sync", &segment.path, e));
        segment.file.sync_data().map_err(failed)?;
        counters.syncs.fetch_add(1, Ordering::Relaxed);
        if segment.file.links().map_err(failed)? == 0 {
            let source = std::io::Error::new(
                std::io::ErrorKind::NotFound,
                "the file was removed while in use",
            );
            return Err(failed(source));
        }
        segment.proven.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Goes on in a new segment with room for a frame of `need` bytes. The old one is durable before the new one has
    /// its name, so that only the last segment of a log can be torn.
    fn start_segment(&self, writer: &mut Writer, need: u64, counters: &Counters) -> Result<()> {
        let old = writer.segment.clone();
        let number = old.header.number + 1;
        let path = self.dir.join(segment_name(number));
        let header = SegmentHeader {
            number,
            first_version: writer.chain.version + 1,
            prev: writer.chain.hash,
            tag: random_tag(&self.env, &path).map_err(|e| self.poison(e))?,
            length: segment_length(&self.options, writer.log_bytes, need),
            created: self.env.clock.now(),
            ..old.header
        };
        // A full disk is found out here, before anything of the log is touched, so the log stays usable.
        let io = &*self.env.io;
        let new = Unfinished::create(io, path.clone(), &header, &[]).map_err(|e| match e {
            Error::NoSpace { .. } => e,
            other => self.poison(other),
        })?;
        let disk = self.disk.lock();
        if let Err(e) = self
            .usable()
            .and_then(|()| self.seal(writer, &old, counters))
        {
            new.discard(io);
            return Err(e);
        }
        let file = new.publish(io).map_err(|e| self.poison(e))?;
        // The seal is a help for finding a lost file, so it need not be durable; but a failed write is a bad sign.
        let mut seal = Vec::new();
        write_frame(
            &mut seal,
            mark(Kind::Seal, old.header.tag, writer.end, &writer.chain),
            &[],
        );
        let result = old.file.write_all_at(&seal, writer.end);
        result.map_err(|e| self.poison(Error::io("write", &old.path, e)))?;
        drop(disk);
        writer.segments.push(SegmentInfo {
            path: path.clone(),
            header,
        });
        writer.segment = Arc::new(Segment {
            path,
            file,
            header,
            proven: AtomicU64::new(FIRST_FRAME),
        });
        (writer.end, writer.pending_at) = (FIRST_FRAME, FIRST_FRAME);
        counters.segments_started.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Writes and syncs what the current segment still lacks. The caller holds `disk`.
    fn seal(&self, writer: &mut Writer, old: &Segment, counters: &Counters) -> Result<()> {
        if !writer.pending.is_empty() {
            self.write_pending(writer)?;
        }
        self.sync(old, writer.end, counters)
    }

    fn close(&self, counters: &Counters) -> Result<Option<u64>> {
        let mut writer = self.writer.lock();
        let disk = self.disk.lock();
        if self.closed.load(Ordering::Acquire) {
            return Ok(None);
        }
        let result = self.usable().and_then(|()| {
            let segment = writer.segment.clone();
            self.seal(&mut writer, &segment, counters)?;
            let mut close = Vec::new();
            write_frame(
                &mut close,
                mark(Kind::Close, segment.header.tag, writer.end, &writer.chain),
                &[],
            );
            // True when written, so it need not be durable; without it the next opening just does more.
            let result = segment.file.write_all_at(&close, writer.end);
            result.map_err(|e| self.poison(Error::io("write", &segment.path, e)))
        });
        self.closed.store(true, Ordering::Release);
        drop(disk);
        *self.lock.lock() = None;
        result.map(|()| Some(writer.chain.version))
    }

    /// Passes the commits `from..=until` of one segment to `visit`; returns whether it wants more.
    fn read_segment(
        &self,
        segment: &SegmentInfo,
        from: u64,
        until: u64,
        visit: &mut dyn FnMut(Frame<'_>) -> Result<bool>,
    ) -> Result<bool> {
        let SegmentInfo { path, header } = segment;
        let mut chain = Chain::before(header);
        if chain.version >= until {
            return Ok(true);
        }
        let file = self
            .env
            .io
            .open(path, OpenMode::Read)
            .map_err(|e| Error::io("open", path, e))?;
        let mut reader = Reader::new(&*file, path, header.length);
        let mut at = FIRST_FRAME;
        while chain.version < until {
            let (frame, ops) = match reader.item(at, header.tag, &chain)? {
                Item::Commit(frame, ops) => (frame, ops),
                Item::Mark(_) => return Err(Error::corrupt(path, at, "a mark where a commit was")),
                Item::Nothing(problem) => return Err(Error::corrupt(path, at, problem)),
            };
            let hash: Hash = frame.hash(ops);
            chain = Chain {
                version: frame.version,
                hash,
            };
            at += frame_len(ops.len());
            let commit = Frame {
                version: frame.version,
                time: frame.time,
                prev: frame.prev,
                hash,
                ops,
            };
            if frame.version >= from && !visit(commit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
