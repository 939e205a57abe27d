//! One segment file: its name, its size, and making it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{File, Io, OpenMode};
use crate::error::{Error, Result};
use crate::format::{Hash, SEGMENT_HEADER, SegmentHeader, frame_len};
use crate::options::LogOptions;
use crate::sabotage::{self, Bug};

/// Where the first frame of a segment starts.
pub(crate) const FIRST_FRAME: u64 = SEGMENT_HEADER as u64;
/// Room kept at the end of a segment for the mark that closes or seals it.
pub(crate) const MARK_LEN: u64 = frame_len(0);

/// Behind a closing mark only so many bytes are looked at: see [`is_far`].
pub(crate) const LOOK: u64 = 1 << 20;

/// Whether so much room is left behind a closing mark at `end` that an opening does not look at all of it. Then the
/// mark is wiped, durably, before anything is written over it; so as long as it is there, nothing was written behind
/// it.
pub(crate) fn is_far(header: &SegmentHeader, end: u64) -> bool {
    header.length.saturating_sub(end + MARK_LEN) > LOOK
}

const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// A file of zeros, to be removed when there is no other space left.
pub(crate) const RESERVE_NAME: &str = "statewright.reserve";

/// Makes the reserve file, if one is wanted and there is none of that size; removes one that is not wanted. A disk on
/// which there is no room for it is no reason not to open.
pub(crate) fn make_reserve(io: &dyn Io, dir: &Path, bytes: u64) -> Result<()> {
    let path = dir.join(RESERVE_NAME);
    let make = || {
        let exists = io.exists(&path)?;
        if exists && bytes > 0 && io.open(&path, OpenMode::Read)?.len()? == bytes {
            return Ok(());
        }
        if exists {
            io.remove(&path)?;
        }
        if bytes == 0 {
            return Ok(());
        }
        let file = io.open(&path, OpenMode::CreateNew)?;
        let mut at = 0;
        while at < bytes {
            let n = usize::try_from(bytes - at).map_or(PAGE, |left| left.min(PAGE));
            file.write_all_at(ZEROS.get(..n).unwrap_or(&ZEROS), at)?;
            at += n as u64;
        }
        file.sync_all()
    };
    match make() {
        Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            // A part of it would be of no use, and whether it goes does not matter.
            let _ = io.remove(&path);
            Ok(())
        }
        other => other.map_err(|e| Error::io("write", &path, e)),
    }
}

/// Removes the reserve file; returns whether there was one.
pub(crate) fn spend_reserve(io: &dyn Io, dir: &Path) -> Result<bool> {
    let path = dir.join(RESERVE_NAME);
    let spend = || {
        let exists = io.exists(&path)?;
        if exists {
            io.remove(&path)?;
            io.sync_dir(dir)?;
        }
        Ok(exists)
    };
    spend().map_err(|e| Error::io("remove", &path, e))
}

/// The file name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:010}.swlog")
}

/// The number in a segment's file name, if it is one.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".swlog")?.parse().ok()?;
    (number > 0 && segment_name(number) == name).then_some(number)
}

/// The file that the next segment is made of.
const READY_NAME: &str = "next.swlog.tmp";

/// Whether the name is that of a segment that was being made.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let number = name.strip_suffix(".tmp").and_then(segment_number);
    number.is_some() || name == READY_NAME
}

/// Where the bytes of a file go that is repaired.
pub(crate) fn damaged_name(name: &str, copy: u32) -> String {
    match copy {
        0 => format!("{name}.damaged"),
        _ => format!("{name}.damaged.{copy}"),
    }
}

fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// The size of the next segment: as large as the log so far, within the limits, and large enough for `need` bytes of
/// frames.
pub(crate) fn segment_length(options: &LogOptions, log_bytes: u64, need: u64) -> u64 {
    let room = FIRST_FRAME + need + MARK_LEN;
    let usual = log_bytes.min(options.segment_bytes).next_power_of_two();
    let usual = usual
        .max(options.first_segment_bytes)
        .min(options.segment_bytes);
    usual.max(room).next_multiple_of(PAGE as u64)
}

/// A segment file that is complete and durable but not yet under its own name.
pub(crate) struct Unfinished {
    file: Arc<dyn File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl Unfinished {
    /// Writes header, frames and zeros to a temporary file, and syncs it. If that fails the file is removed: nothing
    /// that exists was touched.
    pub(crate) fn create(
        io: &dyn Io,
        path: PathBuf,
        header: &SegmentHeader,
        frames: &[u8],
    ) -> Result<Unfinished> {
        let temporary = unfinished_path(&path);
        let file = create_full(io, &temporary, &header.encode(), frames, header.length)?;
        Ok(Unfinished {
            file,
            temporary,
            path,
        })
    }

    /// [`create`](Unfinished::create), and if the disk is full once more with the smallest size that does. Returns the
    /// header as it is in the file.
    pub(crate) fn create_somehow(
        io: &dyn Io,
        path: &Path,
        header: SegmentHeader,
        frames: &[u8],
        need: u64,
    ) -> Result<(Unfinished, SegmentHeader)> {
        let smallest = SegmentHeader {
            length: (FIRST_FRAME + need + MARK_LEN).next_multiple_of(PAGE as u64),
            ..header
        };
        let create = |header: SegmentHeader| {
            let made = Unfinished::create(io, path.to_path_buf(), &header, frames)?;
            Ok((made, header))
        };
        match create(header) {
            Err(Error::NoSpace { .. }) => create(smallest),
            made => made,
        }
    }

    /// Gives the file its name, durably (rule W4).
    pub(crate) fn publish(self, io: &dyn Io) -> Result<Arc<dyn File>> {
        io.rename(&self.temporary, &self.path)
            .map_err(|e| Error::io("rename", &self.temporary, e))?;
        let dir = crate::env::parent_of(&self.path);
        if !sabotage::on(Bug::SkipDirSync) {
            io.sync_dir(dir).map_err(|e| Error::io("sync", dir, e))?; // the `if` is planted
        }
        Ok(self.file)
    }

    /// Removes the file again.
    pub(crate) fn discard(self, io: &dyn Io) {
        // Opening removes leftovers too.
        let _ = io.remove(&self.temporary);
    }
}

/// A file of zeros, and durable, that a segment becomes when one is needed: whoever commits then need not wait for the
/// zeros to be written.
pub(crate) struct Ready {
    file: Arc<dyn File>,
    path: PathBuf,
    length: u64,
}

impl Ready {
    /// Writes zeros to a file of this length, and syncs it. If that fails the file is removed.
    pub(crate) fn create(io: &dyn Io, dir: &Path, length: u64) -> Result<Ready> {
        let path = dir.join(READY_NAME);
        let file = create_full(io, &path, &[], &[], length)?;
        Ok(Ready { file, path, length })
    }

    /// Whether frames of `need` bytes fit.
    pub(crate) fn has_room(&self, need: u64) -> bool {
        FIRST_FRAME + need + MARK_LEN <= self.length
    }

    /// Makes it a segment with this header, but for its length. If that fails the file is removed.
    pub(crate) fn into_segment(
        self,
        io: &dyn Io,
        path: &Path,
        header: SegmentHeader,
    ) -> Result<(Unfinished, SegmentHeader)> {
        let length = self.length;
        let header = SegmentHeader { length, ..header };
        let written = self.file.write_all_at(&header.encode(), 0);
        match written.and_then(|()| self.file.sync_all()) {
            Ok(()) => {
                let made = Unfinished {
                    file: self.file,
                    temporary: self.path,
                    path: path.to_path_buf(),
                };
                Ok((made, header))
            }
            Err(e) => {
                let failed = Error::io("write", &self.path, e);
                self.discard(io);
                Err(failed)
            }
        }
    }

    /// Removes the file.
    pub(crate) fn discard(self, io: &dyn Io) {
        // Opening removes leftovers too.
        let _ = io.remove(&self.path);
    }
}

/// Makes a new file of a header, frames and zeros, and syncs it; in place of one that was left. If that fails the file
/// is removed.
fn create_full(
    io: &dyn Io,
    path: &Path,
    header: &[u8],
    frames: &[u8],
    length: u64,
) -> Result<Arc<dyn File>> {
    let file = match io.open(path, OpenMode::CreateNew) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            io.remove(path).map_err(|e| Error::io("remove", path, e))?;
            io.open(path, OpenMode::CreateNew)
        }
        other => other,
    }
    .map_err(|e| Error::io("create", path, e))?;
    if let Err(e) = fill(&*file, header, frames, length) {
        // The reason it failed is what the caller must hear; opening removes leftovers too.
        let _ = io.remove(path);
        return Err(Error::io("write", path, e));
    }
    Ok(file)
}

fn fill(file: &dyn File, header: &[u8], frames: &[u8], length: u64) -> std::io::Result<()> {
    // Kernels keep what was written at once in as large a piece, if they can, and go through all of it for a small
    // write and for its sync: of 1 MiB that takes 8 µs more.
    const BLOCK: usize = 64 << 10;
    let mut start = header.to_vec();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let first = start.len().saturating_add(frames.len());
    // The zeros are really written: later syncs then change no metadata and cost half.
    let first = first.max(1).next_multiple_of(BLOCK).min(length).max(first);
    let no_memory = |_| std::io::Error::from(ErrorKind::OutOfMemory);
    start
        .try_reserve_exact(first.saturating_sub(start.len()))
        .map_err(no_memory)?;
    start.extend_from_slice(frames);
    start.resize(first, 0);
    file.write_all_at(&start, 0)?;
    let mut at = start.len();
    if at < length {
        let mut zeros = start;
        zeros.truncate(BLOCK.min(length - at));
        zeros.fill(0);
        while at < length {
            let block = zeros.get(..BLOCK.min(length - at)).unwrap_or(&zeros);
            file.write_all_at(block, at as u64)?;
            at += block.len();
        }
    }
    if sabotage::on(Bug::SkipSegmentSync) {
        return Ok(()); // planted
    }
    file.sync_all()
}

/// Where the chain of commits stands: the last version and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) version: u64,
    pub(crate) hash: Hash,
}

impl Chain {
    /// What the first commit of a segment continues.
    pub(crate) fn before(header: &SegmentHeader) -> Chain {
        Chain {
            version: header.first_version.saturating_sub(1),
            hash: header.prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments_read_back_and_others_are_none() {
        for number in [1, 42, 9_999_999_999, 10_000_000_000, u64::MAX] {
            assert_eq!(segment_number(&segment_name(number)), Some(number));
            assert!(is_unfinished(&format!("{}.tmp", segment_name(number))));
        }
        for name in [
            "0000000000.swlog",
            "1.swlog",
            "+000000001.swlog",
            "0000000001.swlog.tmp",
            "x",
            ".swlog",
        ] {
            assert_eq!(segment_number(name), None, "{name}");
        }
        assert!(!is_unfinished("0000000001.swlog") && !is_unfinished("notes.tmp"));
    }

    #[test]
    fn segments_double_the_log_within_the_limits() {
        let options = LogOptions::default();
        let length = |log_bytes, need| segment_length(&options, log_bytes, need);
        assert_eq!(length(0, 0), 256 << 10);
        assert_eq!(length(256 << 10, 100), 256 << 10);
        assert_eq!(length(700 << 10, 100), 1 << 20);
        assert_eq!(length(u64::MAX, 100), 16 << 20);
        assert_eq!(
            length(0, 40 << 20),
            (40 << 20) + 8192,
            "a commit that does not fit gets what it needs"
        );
    }
}
