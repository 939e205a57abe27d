//! The seams: everything the library does to the outside world goes through these traits, so that a test can put a
//! simulated world in their place.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::time::Clock;

/// The world a library instance lives in: its files, its time and its randomness.
///
/// Cloning copies three reference counts.
#[derive(Clone)]
pub struct Env {
    /// Files and folders.
    pub io: Arc<dyn Io>,
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

impl Env {
    /// The operating system's files, clock and random source.
    #[must_use]
    pub fn real() -> Env {
        Env {
            io: Arc::new(crate::real::RealIo),
            clock: Arc::new(crate::real::RealClock::new()),
            random: Arc::new(crate::real::RealRandom),
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    ReadWrite,
    /// For reading and writing; it must not exist (`AlreadyExists` otherwise).
    CreateNew,
}

/// Files and folders. Names are durable only after [`Io::sync_dir`] of their folder.
pub trait Io: Send + Sync {
    /// Opens a file. The handle is not inherited by programs this process starts.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Creates one folder; its parent must exist (`AlreadyExists` if the path does).
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Renames a file within its folder, replacing `to` if it exists.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes an exclusive lock on a file, which is created if needed. The lock ends when the guard is dropped or the
    /// process exits. `WouldBlock` if this or another process holds it; the error's text says who, if known.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// Whether the path exists, and as what.
    fn kind(&self, path: &Path) -> io::Result<PathKind>;

    /// What kind of file system a folder is on.
    fn file_system(&self, _path: &Path) -> io::Result<FileSystem> {
        Ok(FileSystem::Local)
    }
    /// Whether this process is a forked child of the one that first used these files. Cheap enough for every call.
    fn is_forked(&self) -> bool {
        false
    }

    /// Whether there is anything at the path.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.kind(path)? != PathKind::Missing)
    }

    /// Creates a folder and its missing ancestors, and makes each new name durable (rule W4). Does nothing if the
    /// folder exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        match self.kind(path)? {
            PathKind::Dir => return Ok(()),
            PathKind::File => return Err(io::ErrorKind::NotADirectory.into()),
            PathKind::Missing => {}
        }
        let parent = parent_of(path);
        self.create_dir_all(parent)?;
        match self.create_dir(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => self.sync_dir(parent),
        }
    }

    /// Reads a whole file of at most `limit` bytes; a larger one is `FileTooLarge`.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if len > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; len];
        let n = read_full(&*file, &mut bytes, 0)?;
        bytes.truncate(n);
        Ok(bytes)
    }
}

/// A kind of file system, as far as it matters to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Of this machine.
    Local,
    /// Of another machine: what a sync means there, and whether a lock is one, depends on its settings.
    Network,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing.
    Missing,
    /// A folder.
    Dir,
    /// A file, or anything else that is not a folder.
    File,
}

/// An open file. All calls take absolute offsets in bytes; there is no cursor.
pub trait File: Send + Sync {
    /// Reads at most `buf.len()` bytes; 0 means the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`, growing the file if needed. After an error any part of it may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content (and the size) durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the content and all metadata durable.
    fn sync_all(&self) -> io::Result<()>;
    /// The size in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or grows the file to `len` bytes; new bytes are zero.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// How many names the file has; 0 after it was removed while open.
    fn links(&self) -> io::Result<u64>;
    /// Whether `path` leads to this very file.
    fn is_at(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }
    /// Maps the first `len` bytes for reading; where that is not possible, reads them. The file must be at least that
    /// long, and must not change or become shorter while it is mapped.
    fn map_read(&self, len: u64) -> io::Result<Box<dyn ReadMapping>> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; len];
        let n = read_at_most(self, &mut bytes)?;
        bytes.truncate(n);
        Ok(Box::new(bytes))
    }
    /// Maps the first `len` bytes for writing. `None` where writing through a mapping could fail in a way that cannot
    /// be reported, or is not possible. The file must be at least that long, must not become shorter while it is
    /// mapped, and must have its blocks allocated.
    fn map(&self, _len: u64) -> io::Result<Option<Box<dyn Mapping>>> {
        Ok(None)
    }
}

/// A file mapped for reading.
pub trait ReadMapping: Send + Sync {
    /// The file's bytes.
    fn bytes(&self) -> &[u8];
}

impl ReadMapping for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A file mapped for writing. What is written can be read from the file at once, survives the process, and is made
/// durable by syncing the file; a failure to write it back is reported by that sync.
pub trait Mapping: Send + Sync {
    /// Writes all of `bytes`. Fails, and writes nothing, if they do not lie within the mapping.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;

    /// A random number.
    fn u64(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// The folder a path is in; `.` for a bare name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// As [`read_full`], from the beginning, on what may not be sized.
fn read_at_most<F: File + ?Sized>(file: &F, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Makes room in a buffer, or says that there is no memory.
pub(crate) fn reserve(buffer: &mut Vec<u8>, bytes: u64) -> Result<()> {
    let reserved = buffer.try_reserve(usize::try_from(bytes).unwrap_or(usize::MAX));
    reserved.map_err(|_| Error::OutOfMemory { bytes })
}

/// Reads until `buf` is full or the file ends; returns the number of bytes read.
pub(crate) fn read_full(file: &dyn File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let (mut done, mut interrupted) = (0, 0);
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => (done, interrupted) = (done.saturating_add(n), 0),
            Err(e) if e.kind() == io::ErrorKind::Interrupted && interrupted < 1000 => {
                interrupted += 1;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
