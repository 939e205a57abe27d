//! Writing a checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ALIGN, FORMAT_VERSION, HEADER, MAGIC, PAGE, TRAILER, name, page_checksum};
use crate::checkpoint::CheckpointFile;
use crate::env::{Env, File, OpenMode, parent_of, read_full};
use crate::error::{Error, Result};
use crate::log::Position;

/// Pages are collected until so many bytes of the file are complete, from a multiple of it on, and then written at
/// once. Systems that cache files in large pages keep as one what is written at once, and map it as one: with these
/// 2 MiB, reading at random takes a tenth of the page faults that it takes with half as many.
const BUFFER: usize = 2 << 20;
/// So much more there is room for, so that the buffer is not doubled for the page that completes it.
const SLACK: usize = 64 << 10;
/// What the machine's memory is mapped in.
const BLOCK: usize = 4096;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A checkpoint that is being written. Dropping it removes what was written.
pub struct CheckpointWriter {
    env: Env,
    number: u64,
    path: PathBuf,
    temporary: PathBuf,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    /// Where in the file the buffer belongs.
    at: u64,
    /// The checksum of everything given to the file so far.
    sum: crc32fast::Hasher,
    published: bool,
}

impl CheckpointWriter {
    /// Starts the checkpoint with this number, which no file in the folder has. The caller holds the log's lock.
    ///
    /// # Errors
    /// `NoSpace`, `NotWritable`, `Io`.
    pub fn create(env: &Env, dir: &Path, number: u64) -> Result<CheckpointWriter> {
        let path = dir.join(name(number));
        let mut temporary = path.clone().into_os_string();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        // One that was interrupted.
        match env.io.remove(&temporary) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &temporary, e));
            }
            _ => {}
        }
        let file = env.io.open(&temporary, OpenMode::CreateNew);
        let file = file.map_err(|e| Error::io("create", &temporary, e))?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 16]); // required and optional features
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        header.resize(HEADER, 0);
        Ok(CheckpointWriter {
            env: env.clone(),
            number,
            path,
            temporary,
            file,
            buffer: header,
            at: 0,
            sum: crc32fast::Hasher::new(),
            published: false,
        })
    }

    /// The checkpoint's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Whether no page was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() <= HEADER as u64
    }

    /// Adds a page of at most 4 GiB; gives its offset, a multiple of 64. Amortised one write call per 2 MiB.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `OutOfMemory`; then the checkpoint cannot be finished.
    pub fn page(&mut self, content: &[u8]) -> Result<u64> {
        self.make_room(content.len().saturating_add(2 * ALIGN))?;
        let offset = self.put(content);
        let complete = self.len() - self.len() % BUFFER as u64;
        if complete > self.at {
            self.flush((complete - self.at) as usize)?;
        }
        Ok(offset)
    }

    /// Makes sure that the buffer can take so many bytes more.
    fn make_room(&mut self, needed: usize) -> Result<()> {
        let len = self.buffer.len();
        let reserved = match len.saturating_add(needed) {
            all if (BUFFER / 2..=BUFFER + SLACK).contains(&all) => {
                self.buffer.try_reserve_exact(BUFFER + SLACK - len)
            }
            _ => self.buffer.try_reserve(needed),
        };
        reserved.map_err(|_| Error::OutOfMemory {
            bytes: needed as u64,
        })
    }

    /// As [`page`](CheckpointWriter::page), for what is read often: if it fits in a block of 4 KiB, it does not cross
    /// into the next one, so that reading it costs one page fault.
    ///
    /// # Errors
    /// As `page`.
    pub fn page_in_block(&mut self, content: &[u8]) -> Result<u64> {
        let room = BLOCK - (self.len() % BLOCK as u64) as usize;
        let size = (PAGE + content.len()).next_multiple_of(ALIGN);
        if size <= BLOCK && size > room {
            self.make_room(room)?;
            // A page of zeros, to which nothing refers, fills the block.
            self.put(ZEROS.get(..room - PAGE).unwrap_or_default());
        }
        self.page(content)
    }

    fn put(&mut self, content: &[u8]) -> u64 {
        let offset = self.len();
        let checksum = page_checksum(self.number, offset, content);
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.buffer
            .extend_from_slice(&(content.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(content);
        self.buffer
            .resize(self.buffer.len().next_multiple_of(ALIGN), 0);
        offset
    }

    /// Writes the first `len` bytes of the buffer.
    fn flush(&mut self, len: usize) -> Result<()> {
        let bytes = self.buffer.get(..len).unwrap_or(&self.buffer);
        let written = self.file.write_all_at(bytes, self.at);
        written.map_err(|e| Error::io("write", &self.temporary, e))?;
        self.sum.update(bytes);
        self.at += bytes.len() as u64;
        self.buffer.drain(..len.min(self.buffer.len()));
        Ok(())
    }

    /// Ends the checkpoint with its root, syncs it, reads it back, and gives it its name. Everything up to
    /// `position` must be durable in the log. From then on, it is there after any crash.
    ///
    /// # Errors
    /// `NoSpace`, `Io`; `Corrupt` if what was read back is not what was written. The file is removed then.
    pub fn finish(mut self, position: &Position, root: &[u8]) -> Result<CheckpointFile> {
        let mut content = Vec::with_capacity(root.len() + 64);
        content.extend_from_slice(&position.version.to_le_bytes());
        content.extend_from_slice(&position.hash);
        content.extend_from_slice(&position.time.as_micros().to_le_bytes());
        content.extend_from_slice(&position.segment.to_le_bytes());
        content.extend_from_slice(&position.offset.to_le_bytes());
        content.extend_from_slice(root);
        let at = self.page(&content)?;
        let length = self.len() + TRAILER as u64;
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend_from_slice(&at.to_le_bytes());
        trailer.extend_from_slice(&length.to_le_bytes());
        trailer.extend_from_slice(&[0; 4]);
        trailer.extend_from_slice(&crc32fast::hash(&trailer).to_le_bytes());
        trailer.extend_from_slice(&MAGIC);
        self.buffer.extend_from_slice(&trailer);
        self.flush(self.buffer.len())?;
        let synced = self.file.sync_all();
        synced.map_err(|e| Error::io("sync", &self.temporary, e))?;
        self.read_back()?;
        let renamed = self.env.io.rename(&self.temporary, &self.path);
        renamed.map_err(|e| Error::io("rename", &self.temporary, e))?;
        self.published = true;
        let dir = parent_of(&self.path);
        let synced = self.env.io.sync_dir(dir);
        synced.map_err(|e| Error::io("sync", dir, e))?;
        CheckpointFile::open(&self.env, dir, self.number)
    }

    fn read_back(&mut self) -> Result<()> {
        let mut sum = crc32fast::Hasher::new();
        // Its memory is there already.
        let mut chunk = std::mem::take(&mut self.buffer);
        chunk.resize(chunk.capacity().clamp(HEADER, BUFFER), 0);
        let mut at = 0;
        while at < self.at {
            let read = read_full(&*self.file, &mut chunk, at);
            let n = read.map_err(|e| Error::io("read", &self.temporary, e))?;
            if n == 0 {
                break;
            }
            sum.update(chunk.get(..n).unwrap_or_default());
            at += n as u64;
        }
        if at == self.at && sum.finalize() == self.sum.clone().finalize() {
            Ok(())
        } else {
            let problem = "what was read back is not what was written";
            Err(Error::corrupt(&self.temporary, at, problem))
        }
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if !self.published {
            // The next checkpoint, or the next opening, removes it too.
            let _ = self.env.io.remove(&self.temporary);
        }
    }
}

impl std::fmt::Debug for CheckpointWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointWriter")
            .field("path", &self.path)
            .field("bytes", &self.len())
            .finish_non_exhaustive()
    }
}
