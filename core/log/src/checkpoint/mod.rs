//! Checkpoints: files of immutable, checksummed pages, from which a store opens without replaying its whole log.
//!
//! A checkpoint is written under a temporary name, synced, read back and compared, and only then gets its name
//! (rule W11); nothing in it is ever changed. It ends with a *root* (what the pages mean is for the store to say)
//! and the [`Position`] in the log that it stands for. A page may refer to pages of older checkpoints, so an
//! incremental checkpoint holds only what is new; `docs/FORMAT.md` has the layout.

mod read;
mod verify;
mod write;

pub use read::CheckpointFile;
pub use write::CheckpointWriter;

use std::io::ErrorKind;
use std::path::Path;

use crate::env::Env;
use crate::error::{Error, Result};

/// Bytes of a checkpoint's header; the first page starts there.
const HEADER: usize = 64;
/// Pages start at multiples of this.
const ALIGN: usize = 64;
/// Bytes of a page before its content: checksum and length.
const PAGE: usize = 8;
/// Bytes at the very end, which tell where the root is.
const TRAILER: usize = 32;
const MAGIC: [u8; 8] = *b"\x89SWCKP\r\n";
const FORMAT_VERSION: u32 = 1;

const SUFFIX: &str = ".swckpt";

/// The name of a checkpoint file: its number, as with segments.
pub(crate) fn name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a checkpoint's name.
fn number_of(file: &str) -> Option<u64> {
    let number = file.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && name(number) == file).then_some(number)
}

/// Whether a name is that of a checkpoint whose making was interrupted.
pub(crate) fn is_unfinished(file: &str) -> bool {
    file.strip_suffix(".tmp")
        .is_some_and(|file| number_of(file).is_some())
}

/// The numbers of the checkpoints in a folder, ascending; none if there is no folder, or something else in its
/// place: that is for the log to say.
///
/// # Errors
/// `Io` if the folder cannot be listed.
pub fn checkpoints(env: &Env, dir: &Path) -> Result<Vec<u64>> {
    let names = match env.io.list(dir) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        names => names.map_err(|e| Error::io("list", dir, e))?,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes a checkpoint that nothing refers to any more.
///
/// # Errors
/// `Io`; if it is not there, that is fine.
pub fn remove_checkpoint(env: &Env, dir: &Path, number: u64) -> Result<()> {
    let path = dir.join(name(number));
    match env.io.remove(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path, e)),
        _ => Ok(()),
    }
}

/// The checksum of a page: of where it is, how long it is, and what is in it.
fn page_checksum(number: u64, offset: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(&(content.len() as u64).to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}
