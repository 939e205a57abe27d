//! The operating system's file system.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{fork, map};
use crate::env::{File, FileSystem, Io, Mapping, OpenMode, PathKind, ReadMapping};

/// The operating system's file system.
#[derive(Debug)]
pub struct RealIo;

/// The lock files this process holds, by device and inode. On file systems that emulate `flock` per process (NFS) the
/// kernel would grant a second lock to the same process (rule W14).
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

impl Io for RealIo {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew);
        Ok(Arc::new(RealFile(above_standard(options.open(path)?)?)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        // From now on, children are to be told from this process.
        fork::is_forked();
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file = above_standard(file)?;
        let meta = file.metadata()?;
        let id = (meta.dev(), meta.ino());
        if !HELD.lock().insert(id) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "by this process"));
        }
        let held = Held(id);
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Only for the message, so an unreadable name is no reason to fail differently.
                let _ = file.take(16).read_to_string(&mut text);
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("by process {}", text.trim()),
                ));
            }
            Err(fs::TryLockError::Error(e)) => return Err(e),
        }
        // Only for the message somebody else gets: a full disk must not prevent opening.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Box::new(Locked { file, _held: held }))
    }

    fn file_system(&self, path: &Path) -> io::Result<FileSystem> {
        map::file_system(&fs::File::open(path)?)
    }

    fn is_forked(&self) -> bool {
        fork::is_forked()
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Ok(PathKind::Dir),
            Ok(_) => Ok(PathKind::File),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(PathKind::Missing),
            Err(e) => Err(e),
        }
    }
}

/// In a process that closed its standard streams a file could become one of them, and a stray print would then write
/// into it. A duplicate never gets the numbers 0 to 2.
fn above_standard(file: fs::File) -> io::Result<fs::File> {
    if file.as_raw_fd() <= 2 {
        file.try_clone()
    } else {
        Ok(file)
    }
}

/// An entry in [`HELD`].
struct Held((u64, u64));

impl Drop for Held {
    fn drop(&mut self) {
        HELD.lock().remove(&self.0);
    }
}

/// A lock file that is locked. Fields are dropped in order: the entry goes last.
struct Locked {
    file: fs::File,
    _held: Held,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that another thread is just starting has a copy of the handle
        // until it runs its own program. If this fails, closing does what it can. But a forked child shares the lock
        // with its parent, and must not take it away.
        if !fork::is_forked() {
            let _ = self.file.unlock();
        }
    }
}

struct RealFile(fs::File);

/// How often in a row a write that signals interrupt is tried again.
const INTERRUPTIONS: u32 = 1000;

impl File for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        let mut interrupted = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match self.0.write_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => (done, interrupted) = (done.saturating_add(n), 0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted && interrupted < INTERRUPTIONS => {
                    interrupted += 1;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn links(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.nlink())
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (own, there) = (self.0.metadata()?, fs::metadata(path));
        match there {
            Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn map_read(&self, len: u64) -> io::Result<Box<dyn ReadMapping>> {
        if len == 0 {
            // An empty mapping is refused by the kernel.
            return Ok(Box::new(Vec::new()));
        }
        Ok(Box::new(map::ReadMapped::new(&self.0, len)?))
    }

    fn map(&self, len: u64) -> io::Result<Option<Box<dyn Mapping>>> {
        let mapped = map::Mapped::new(&self.0, len)?;
        Ok(mapped.map(|mapped| Box::new(mapped) as Box<dyn Mapping>))
    }
}
