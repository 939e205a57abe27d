//! The files of an open log: appending to the last segment, syncing it, starting the next.

mod current;
mod read;
mod turn;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::Position;
use crate::announce::Announcements;
use crate::env::{Env, Mapping, reserve};
use crate::error::{Error, Result};
use crate::format::{FrameHeader, Hash, Kind, SegmentHeader, frame_len, write_frame};
use crate::log::Counters;
use crate::options::{Durability, LogOptions};
use crate::recover::{Opened, SegmentInfo, mark, random_tag};
use crate::sabotage::{self, Bug};
use crate::segment::{
    Chain, FIRST_FRAME, MARK_LEN, Ready, Unfinished, is_far, segment_length, segment_name,
};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard};
use crate::time::{Gate, Timestamp};

use current::Segment;
use turn::Turns;

/// In strict mode, frames are collected up to this many bytes before they are written without waiting for a sync.
const MAX_PENDING: usize = 4 << 20;
/// A buffer that grew larger than this is given back.
const MAX_SPARE: usize = 1 << 20;

/// Everything a log with files has.
///
/// Locks are taken in the order `writer`, `syncer`, and `writer`, `ready`. `syncer` is held from the moment a batch is
/// taken until it is synced, and while a segment is finished: syncs of one file must not overlap, or the kernel would
/// report a failure to only one of them. Its holder waits for nobody but the disk.
pub(crate) struct Files {
    env: Env,
    pub(crate) dir: PathBuf,
    pub(crate) options: LogOptions,
    writer: Mutex<Writer>,
    syncer: Mutex<Syncer>,
    /// What the next segment is made of, if somebody made it. Locked while it is made: whoever needs it meanwhile waits
    /// less than it would take to make one.
    ready: Mutex<Option<Ready>>,
    /// Notified when one should be made.
    pub(crate) ready_gate: Gate,
    turns: Turns,
    pub(crate) announced: Announcements,
    /// The first failure (rules W1, W2).
    poison: OnceLock<Arc<Error>>,
    closed: AtomicBool,
    /// Bytes of padding since the log was opened.
    pub(crate) padding: AtomicU64,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

/// The end of the log.
struct Writer {
    segments: Vec<SegmentInfo>,
    segment: Arc<Segment>,
    /// In buffered mode, where that is possible: the same file, to be written to without a call to the kernel.
    mapping: Option<Box<dyn Mapping>>,
    /// Where the next frame goes, behind `pending`.
    end: u64,
    /// Where the next segment should be made ready; nowhere once that was said.
    half: u64,
    /// Whether a closing mark is there that must be wiped first.
    marked: bool,
    /// Frames not yet written to the file, which belong at `pending_at`.
    pending: Vec<u8>,
    pending_at: u64,
    chain: Chain,
    /// Of the last commit.
    time: Timestamp,
    log_bytes: u64,
}

/// What the holder of the right to sync needs.
#[derive(Default)]
struct Syncer {
    /// An empty buffer to leave in place of the one that is taken.
    spare: Vec<u8>,
}

/// Commits on their way to the disk.
pub(crate) struct Batch<'a> {
    syncer: MutexGuard<'a, Syncer>,
    segment: Arc<Segment>,
    bytes: Vec<u8>,
    at: u64,
    end: u64,
    /// The last commit in it.
    pub(crate) version: u64,
}

/// A commit that was appended.
pub(crate) struct Appended {
    pub(crate) version: u64,
    /// Bytes it takes in the log.
    pub(crate) bytes: u64,
}

impl Files {
    pub(crate) fn new(env: Env, dir: &Path, options: LogOptions, opened: Opened) -> Files {
        let Opened {
            lock,
            segments,
            current,
            file,
            end,
            marked,
            chain,
            time,
            log_bytes,
            ..
        } = opened;
        let segment = Segment::new(current, file, end);
        let mapping = segment.map(&options);
        let marked = marked && is_far(&segment.header, end);
        let half = segment.header.length / 2;
        let pending = Vec::new();
        let writer = Writer {
            segments,
            segment,
            mapping,
            end,
            half,
            marked,
            pending,
            pending_at: end,
            chain,
            time,
            log_bytes,
        };
        Files {
            env,
            dir: dir.to_path_buf(),
            options,
            writer: Mutex::new(writer),
            syncer: Mutex::default(),
            ready: Mutex::default(),
            ready_gate: Gate::new(),
            turns: Turns::new(),
            announced: Announcements::default(),
            poison: OnceLock::new(),
            closed: AtomicBool::new(false),
            padding: AtomicU64::new(0),
            lock: Mutex::new(Some(lock)),
        }
    }

    pub(crate) fn last_hash(&self) -> Hash {
        self.writer.lock().chain.hash
    }

    pub(crate) fn spend_reserve(&self) -> Result<bool> {
        self.usable()?;
        crate::segment::spend_reserve(&*self.env.io, &self.dir)
    }

    pub(crate) fn segments(&self) -> Vec<SegmentInfo> {
        self.writer.lock().segments.clone()
    }

    pub(crate) fn is_mapped(&self) -> bool {
        self.writer.lock().mapping.is_some()
    }

    pub(crate) fn position(&self) -> Position {
        let writer = self.writer.lock();
        Position {
            version: writer.chain.version,
            hash: writer.chain.hash,
            time: writer.time,
            segment: writer.segment.header.number,
            offset: writer.end,
        }
    }

    fn not_poisoned(&self) -> Result<()> {
        self.poison.get().map_or(Ok(()), |cause| {
            Err(Error::Poisoned {
                cause: cause.clone(),
            })
        })
    }

    /// What failed, if something did after which it is unknown what is durable.
    pub fn failure(&self) -> Option<String> {
        self.poison.get().map(ToString::to_string)
    }

    /// To be asked before a lock is taken: in a forked child, a thread that is not there may hold it.
    pub(crate) fn not_forked(&self) -> Result<()> {
        match self.env.io.is_forked() {
            true => Err(Error::Forked),
            false => Ok(()),
        }
    }

    pub(crate) fn usable(&self) -> Result<()> {
        self.not_poisoned()?;
        self.not_forked()?;
        if self.closed.load(Ordering::Acquire) {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// Remembers the first failure for ever, and returns the error everybody gets from now on.
    fn poison(&self, cause: Error) -> Error {
        if sabotage::on(Bug::ForgetPoison) {
            return cause; // planted
        }
        Error::Poisoned {
            cause: self.poison.get_or_init(|| Arc::new(cause)).clone(),
        }
    }

    /// Adds a commit at the end, in a new segment if needed.
    pub(crate) fn append(
        &self,
        time: Timestamp,
        ops: &[u8],
        counters: &Counters,
    ) -> Result<Appended> {
        self.not_forked()?;
        let mut writer = self.writer.lock();
        self.usable()?;
        if writer.marked {
            self.unmark(&mut writer, counters)?;
        }
        let bytes = frame_len(ops.len());
        let full = writer.end + bytes + MARK_LEN > writer.segment.header.length;
        if full || self.shares_page(&writer) {
            self.start_segment(&mut writer, bytes, counters)?;
        }
        reserve(&mut writer.pending, bytes)?;
        let version = writer.chain.version + 1;
        let header = FrameHeader {
            kind: Kind::Commit,
            length: 0,
            tag: writer.segment.header.tag,
            offset: writer.end as u32,
            proven: if sabotage::on(Bug::ProveTooMuch) {
                writer.end as u32 // planted
            } else {
                writer.segment.proven.load(Ordering::Acquire) as u32
            },
            payload_crc: 0,
            version,
            time,
            prev: writer.chain.hash,
        };
        let hash = write_frame(&mut writer.pending, header, ops);
        let at_once = self.options.durability == Durability::Buffered;
        let at_once = at_once && !sabotage::on(Bug::AckUnwritten); // planted
        if at_once || writer.pending.len() > MAX_PENDING {
            self.write_pending(&mut writer)?;
        }
        writer.chain = Chain { version, hash };
        writer.time = time;
        writer.end += bytes;
        writer.log_bytes += bytes;
        if writer.end > writer.half {
            writer.half = u64::MAX;
            self.ready_gate.notify();
        }
        Ok(Appended { version, bytes })
    }

    /// Makes what the next segment will be made of, if there is none; tells whether it did.
    pub(crate) fn make_ready(&self) -> Result<bool> {
        self.usable()?;
        let log_bytes = self.writer.lock().log_bytes;
        let mut ready = self.ready.lock();
        // Whoever closes the log waits for this, and then removes it.
        self.usable()?;
        if ready.is_some() {
            return Ok(false);
        }
        let length = segment_length(&self.options, log_bytes, 0);
        *ready = Some(Ready::create(&*self.env.io, &self.dir, length)?);
        Ok(true)
    }

    /// Wipes the closing mark that the next frame would be written over. It says that nothing is behind it, so it must
    /// not survive if only what is behind it does.
    fn unmark(&self, writer: &mut Writer, counters: &Counters) -> Result<()> {
        let _syncer = self.syncer.lock();
        let Segment { file, path, .. } = &*writer.segment;
        let failed = |action| move |e| self.poison(Error::io(action, path, e));
        file.write_all_at(&[0; MARK_LEN as usize], writer.end)
            .map_err(failed("write"))?;
        file.sync_data().map_err(failed("sync"))?;
        counters.syncs.fetch_add(1, Ordering::Relaxed);
        writer.marked = false;
        Ok(())
    }

    /// Gives the collected frames to the kernel.
    fn write_pending(&self, writer: &mut Writer) -> Result<()> {
        let Writer {
            segment,
            mapping,
            pending,
            pending_at,
            ..
        } = &mut *writer;
        match mapping {
            Some(mapping) => mapping
                .write_all_at(pending, *pending_at)
                .map_err(|e| Error::io("write", &segment.path, e)),
            None => segment.write(pending, *pending_at),
        }
        .map_err(|e| self.poison(e))?;
        writer.pending_at += writer.pending.len() as u64;
        writer.pending.clear();
        writer.pending.shrink_to(MAX_SPARE);
        Ok(())
    }

    /// The right to lead a sync, if nobody else leads, or if it is this thread's turn after waiting; see [`Turns`].
    pub(crate) fn lead_or_wait(&self, version: u64, done: impl Fn() -> bool) -> Option<Lead<'_>> {
        let lead = self.turns.lead_or_wait(version, done);
        // Made only if it leads: dropping one ends the turn.
        lead.then(|| Lead {
            files: self,
            finished: false,
        })
    }

    /// Waits a little for those who are about to commit.
    pub(crate) fn wait_for_announced(&self) {
        self.announced.wait(&*self.env.clock);
    }

    pub(crate) fn wake_followers(&self) {
        self.turns.wake_all();
    }

    /// Takes what was appended so far, and the right to write and sync it.
    pub(crate) fn take(&self) -> Batch<'_> {
        let mut writer = self.writer.lock();
        self.pad(&mut writer);
        let mut syncer = self.syncer.lock();
        let bytes = std::mem::replace(&mut writer.pending, std::mem::take(&mut syncer.spare));
        let at = writer.pending_at;
        writer.pending_at += bytes.len() as u64;
        let (end, version) = (writer.end, writer.chain.version);
        Batch {
            syncer,
            segment: writer.segment.clone(),
            bytes,
            at,
            end,
            version,
        }
    }

    /// Whether what is written at the end would share its page with what is durable, where that must not be.
    fn shares_page(&self, writer: &Writer) -> bool {
        let padded = self.options.pad && writer.segment.header.padded;
        padded
            && !writer.end.is_multiple_of(4096)
            && writer.segment.proven.load(Ordering::Acquire) >= writer.end
    }

    /// Fills the page behind a batch that is about to be synced, if that is wanted and something is in it (rule W9).
    fn pad(&self, writer: &mut Writer) {
        const PAGE: u64 = 4096;
        let (end, segment) = (writer.end, &writer.segment);
        let proven = segment.proven.load(Ordering::Acquire);
        let gap = end.next_multiple_of(PAGE) - end;
        let padded = self.options.pad && segment.header.padded;
        if !padded || gap == 0 || proven >= end || self.usable().is_err() {
            return;
        }
        let room = if gap < MARK_LEN { gap + PAGE } else { gap };
        let full = end + room + MARK_LEN > segment.header.length;
        if full || writer.pending.try_reserve(room as usize).is_err() {
            return; // the next batch goes to another segment
        }
        let header = FrameHeader {
            proven: proven as u32,
            ..mark(Kind::Pad, segment.header.tag, end, &writer.chain)
        };
        const ZEROS: [u8; 2 * PAGE as usize] = [0; 2 * PAGE as usize];
        let payload = ZEROS.get(..(room - MARK_LEN) as usize);
        write_frame(&mut writer.pending, header, payload.unwrap_or_default());
        writer.end += room;
        writer.log_bytes += room;
        self.padding.fetch_add(room, Ordering::Relaxed);
        if self.options.durability == Durability::Buffered {
            // If it fails the log is poisoned, and that is said soon.
            let _ = self.write_pending(writer);
        }
    }

    /// Makes a batch durable.
    pub(crate) fn write_batch(&self, batch: Batch<'_>, counters: &Counters) -> Result<()> {
        let Batch {
            mut syncer,
            segment,
            mut bytes,
            at,
            end,
            ..
        } = batch;
        self.usable()?;
        if !bytes.is_empty() {
            segment.write(&bytes, at).map_err(|e| self.poison(e))?;
        }
        self.sync(&segment, end, counters)?;
        bytes.clear();
        bytes.shrink_to(MAX_SPARE);
        syncer.spare = bytes;
        drop(syncer);
        // Nothing is acknowledged after a failure elsewhere, even if this batch is safe (rule W2).
        self.not_poisoned()
    }

    /// Makes the segment durable up to `end`, which has been written. The caller holds `syncer`.
    fn sync(&self, segment: &Segment, end: u64, counters: &Counters) -> Result<()> {
        if segment.proven.load(Ordering::Acquire) >= end {
            return Ok(());
        }
        if sabotage::on(Bug::EarlyAck) {
            return Ok(()); // planted
        }
        let clock = &self.env.clock;
        let begun = clock.monotonic();
        segment.sync().map_err(|e| self.poison(e))?;
        self.announced
            .synced(clock.monotonic().saturating_sub(begun));
        counters.syncs.fetch_add(1, Ordering::Relaxed);
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
            tag: random_tag(&self.env, &path)?,
            length: segment_length(&self.options, writer.log_bytes, need),
            created: self.env.clock.now(),
            buffered: self.options.durability == Durability::Buffered,
            padded: self.options.pad,
            ..old.header
        };
        // A full disk is found out here, before anything of the log is touched, so the log stays usable.
        let io = &*self.env.io;
        let new = match self.take_ready(need) {
            Some(ready) => ready.into_segment(io, &path, header),
            None => Unfinished::create_somehow(io, &path, header, &[], need),
        };
        let (new, header) = new.map_err(|e| match e {
            Error::NoSpace { .. } | Error::OutOfMemory { .. } => e,
            other => self.poison(other),
        })?;
        let syncer = self.syncer.lock();
        if let Err(e) = self.usable().and_then(|()| self.finish(writer, counters)) {
            new.discard(io);
            return Err(e);
        }
        let file = new.publish(io).map_err(|e| self.poison(e))?;
        // A seal only helps to notice that the next file is lost, so it need not be durable.
        self.write_mark(Kind::Seal, writer)?;
        drop(syncer);
        let info = SegmentInfo { path, header };
        writer.segments.push(info.clone());
        writer.segment = Segment::new(info, file, FIRST_FRAME);
        writer.mapping = writer.segment.map(&self.options);
        (writer.end, writer.pending_at) = (FIRST_FRAME, FIRST_FRAME);
        writer.half = writer.segment.header.length / 2;
        counters.segments_started.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// What a segment with room for a frame of `need` bytes can be made of.
    fn take_ready(&self, need: u64) -> Option<Ready> {
        let ready = self.ready.lock().take()?;
        if ready.has_room(need) {
            return Some(ready);
        }
        ready.discard(&*self.env.io);
        None
    }

    /// Writes and syncs what the current segment still lacks. The caller holds `syncer`.
    fn finish(&self, writer: &mut Writer, counters: &Counters) -> Result<()> {
        if sabotage::on(Bug::LoseOnRotation) {
            writer.pending.clear(); // planted
        }
        self.pad(writer);
        if !writer.pending.is_empty() {
            self.write_pending(writer)?;
        }
        self.sync(&writer.segment, writer.end, counters)
    }

    /// Writes a mark behind the last frame; everything before it must be durable.
    fn write_mark(&self, kind: Kind, writer: &Writer) -> Result<()> {
        let Writer {
            segment,
            end,
            chain,
            ..
        } = writer;
        if end + MARK_LEN > segment.header.length || self.shares_page(writer) {
            return Ok(()); // no mark: the next opening has more to do
        }
        let mut bytes = Vec::new();
        write_frame(&mut bytes, mark(kind, segment.header.tag, *end, chain), &[]);
        segment.write(&bytes, *end).map_err(|e| self.poison(e))
    }

    /// Makes everything durable and lets go of the folder; gives the last version. Does nothing the second time.
    pub(crate) fn close(&self, counters: &Counters) -> Result<Option<u64>> {
        let mut writer = self.writer.lock();
        let syncer = self.syncer.lock();
        if self.closed.load(Ordering::Acquire) {
            return Ok(None);
        }
        let result = self.usable().and_then(|()| {
            self.finish(&mut writer, counters)?;
            // True when written, so it need not be durable; without it the next opening just does more.
            self.write_mark(Kind::Close, &writer)?;
            Ok(Some(writer.chain.version))
        });
        self.closed.store(true, Ordering::Release);
        writer.mapping = None;
        drop(syncer);
        if let Some(ready) = self.ready.lock().take() {
            ready.discard(&*self.env.io);
        }
        *self.lock.lock() = None;
        result
    }
}

/// The turn of a leader. If it ends without a result (a hook panicked), nobody may believe in the batch.
pub(crate) struct Lead<'a> {
    files: &'a Files,
    finished: bool,
}

impl Lead<'_> {
    /// What was appended up to this version is being synced.
    pub(crate) fn taken(&self, version: u64) {
        self.files.turns.taken(version);
    }

    pub(crate) fn finish(mut self, result: Result<()>) -> Result<()> {
        self.finished = true;
        result
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let source = io::Error::other("the thread that led the sync panicked");
            self.files.poison(Error::Io {
                action: "sync",
                path: self.files.dir.clone(),
                source,
            });
        }
        self.files.turns.finish(self.files.poison.get().is_some());
    }
}
