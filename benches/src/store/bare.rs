//! The bare cost of one synced write: `pwrite` and `fdatasync` at moving offsets of a preallocated, zeroed file. No
//! store can be faster for one committer, so synced rows are read against this one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;

use super::contender::{Contender, Key, Value};

const FILE_BYTES: u64 = 64 << 20;

/// The file, where the next write goes, and how large writes are.
pub struct Bare {
    file: File,
    offset: AtomicU64,
    one: usize,
    hundred: usize,
}

impl Bare {
    /// Writes as many bytes for a commit as our log does: `one` for one pair, `hundred` for a hundred.
    pub fn open(dir: &Path, one: usize, hundred: usize) -> Result<Bare> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(dir.join("bare"))?;
        // As our log does: syncs of what was written in larger blocks take longer.
        let zeros = vec![0; 64 << 10];
        for offset in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
        Ok(Bare {
            file,
            offset: AtomicU64::new(0),
            one,
            hundred,
        })
    }
}

impl Contender for Bare {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        let length = if pairs.len() == 1 {
            self.one
        } else {
            self.hundred
        };
        let pattern = pairs.iter().flat_map(|(_, value)| value).copied();
        let bytes: Vec<u8> = pattern.cycle().take(length).collect();
        let offset = self.offset.fetch_add(length as u64, Relaxed);
        let offset = offset % (FILE_BYTES - length as u64);
        self.file.write_all_at(&bytes, offset)?;
        Ok(self.file.sync_data()?)
    }
}
