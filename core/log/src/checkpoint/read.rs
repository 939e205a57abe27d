//! Reading a checkpoint.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ALIGN, FORMAT_VERSION, HEADER, MAGIC, PAGE, TRAILER, name, page_checksum};
use crate::env::{Env, OpenMode, ReadMapping, reserve};
use crate::error::{Error, Result};
use crate::format::Fields;
use crate::log::Position;
use crate::time::Timestamp;

/// No two pages of so many bytes begin within the same so many. Most pages have more, and checking one that has not
/// takes some ten nanoseconds; so that memory is small, even for checkpoints of many GiB.
const MARKED: usize = 256;

/// A checkpoint, mapped. Pages are checked when they are first read, so opening costs the same at any size.
pub struct CheckpointFile {
    path: PathBuf,
    number: u64,
    position: Position,
    root: Vec<u8>,
    map: Box<dyn ReadMapping>,
    /// A bit for every [`MARKED`] bytes: whether the page that begins there, of at least as many bytes, was found
    /// intact. Smaller ones are checked each time.
    checked: Box<[AtomicU64]>,
}

impl CheckpointFile {
    /// Opens a checkpoint of a folder. O(1).
    ///
    /// # Errors
    /// `Io` if it cannot be read, `Corrupt` if its header, trailer or root is damaged, `UnsupportedFormat` if it was
    /// written by a newer version.
    pub fn open(env: &Env, dir: &Path, number: u64) -> Result<CheckpointFile> {
        let path = dir.join(name(number));
        let read = |e| Error::io("read", &path, e);
        let file = env.io.open(&path, OpenMode::Read);
        let file = file.map_err(|e| Error::io("open", &path, e))?;
        let length = file.len().map_err(read)?;
        let map = file.map_read(length).map_err(read)?;
        let bytes = map.bytes();
        let damaged = |offset, problem: &str| Error::corrupt(&path, offset, problem);
        let header = (|| {
            let mut fields = Fields(bytes);
            let magic: [u8; 8] = fields.bytes()?;
            let (version, required, _optional) = (fields.u32()?, fields.u64()?, fields.u64()?);
            let number = fields.u64()?;
            let intact = crc32fast::hash(bytes.get(..36)?) == fields.u32()? && magic == MAGIC;
            intact.then_some((version, required, number))
        })();
        let (version, required, own) =
            header.ok_or_else(|| damaged(0, "the checkpoint's header is not intact"))?;
        if version != FORMAT_VERSION || required != 0 {
            let problem = format!("its format version is {version}, with features {required:#x}");
            return Err(Error::UnsupportedFormat { path, problem });
        }
        if own != number {
            return Err(damaged(0, "the checkpoint has another's number"));
        }
        let end = length.saturating_sub(TRAILER as u64);
        let trailer = (|| {
            let trailer = bytes.get(usize::try_from(end).ok()?..)?;
            let mut fields = Fields(trailer);
            let (root, len, _) = (fields.u64()?, fields.u64()?, fields.u32()?);
            let sum = fields.u32()?;
            let magic: [u8; 8] = fields.bytes()?;
            let intact = crc32fast::hash(trailer.get(..20)?) == sum && magic == MAGIC;
            (intact && len == length).then_some(root)
        })();
        let at = trailer.ok_or_else(|| damaged(end, "the checkpoint's end is not intact"))?;
        let words = usize::try_from(length).unwrap_or(0) / MARKED / 64 + 1;
        // The system makes them zeros when they are touched, so this is O(1), too.
        let checked = bytemuck::allocation::try_zeroed_slice_box(words);
        let bytes = (words * size_of::<AtomicU64>()) as u64;
        let mut checkpoint = CheckpointFile {
            checked: checked.map_err(|()| Error::OutOfMemory { bytes })?,
            position: Position {
                version: 0,
                hash: [0; 16],
                time: Timestamp::EPOCH,
                segment: 0,
                offset: 0,
            },
            root: Vec::new(),
            path: path.clone(),
            number,
            map,
        };
        let mut fields = Fields(checkpoint.page(at)?);
        let position = (|| {
            Some(Position {
                version: fields.u64()?,
                hash: fields.bytes()?,
                time: Timestamp::from_micros(fields.i64()?),
                segment: fields.u64()?,
                offset: fields.u64()?,
            })
        })();
        let mut root = Vec::new();
        reserve(&mut root, fields.0.len() as u64)?;
        root.extend_from_slice(fields.0);
        let short = || Error::corrupt(&path, at, "the checkpoint's root is too short");
        checkpoint.position = position.ok_or_else(short)?;
        checkpoint.root = root;
        Ok(checkpoint)
    }

    /// Its number, the one in its name.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where in the log the state is that it holds.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What was given to [`CheckpointWriter::finish`](super::CheckpointWriter::finish).
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Bytes of the file.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map.bytes().len() as u64
    }

    /// Whether the file has no bytes, which no checkpoint has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content of the page at an offset. O(page) the first time, then O(1).
    ///
    /// # Errors
    /// `Corrupt` if there is no intact page.
    pub fn page(&self, offset: u64) -> Result<&[u8]> {
        let damaged = || {
            let problem = "a page is not intact; the log holds the same state, so removing this checkpoint file \
                           (and later ones) and opening the store again recovers it";
            Error::corrupt(&self.path, offset, problem)
        };
        let at = usize::try_from(offset).map_err(|_| damaged())?;
        let page = self
            .map
            .bytes()
            .get(at..)
            .filter(|_| at >= HEADER && at.is_multiple_of(ALIGN));
        let (head, behind) = page
            .and_then(<[u8]>::split_first_chunk::<PAGE>)
            .ok_or_else(damaged)?;
        let mut fields = Fields(head);
        let (sum, length) = (fields.u32().unwrap_or(0), fields.u32().unwrap_or(0));
        let content = behind.get(..length as usize).ok_or_else(damaged)?;
        let mark = at / MARKED;
        let word = self.checked.get(mark / 64);
        let word = word.filter(|_| PAGE + content.len() >= MARKED);
        let bit = 1 << (mark % 64);
        if word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0) {
            return Ok(content);
        }
        if page_checksum(self.number, offset, content) != sum {
            return Err(damaged());
        }
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(content)
    }
}

impl std::fmt::Debug for CheckpointFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointFile")
            .field("path", &self.path)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
