//! The bare cost of one synced write: `pwrite` and `fdatasync` on a preallocated, zeroed file. No store can be faster
//! for one committer, so synced rows are read against this one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Contender, Key, Value};

const FILE_BYTES: u64 = 16 << 20;

/// The file, and where the next write goes.
pub struct Bare {
    file: File,
    offset: u64,
}

impl Bare {
    pub fn open(path: &Path) -> Result<Bare> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let zeros = vec![0; 1 << 20];
        for offset in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
        Ok(Bare { file, offset: 0 })
    }
}

impl Contender for Bare {
    fn name(&self) -> String {
        "bare pwrite + fdatasync".into()
    }

    fn put(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut bytes = Vec::with_capacity(size_of_val(pairs));
        for (key, value) in pairs {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        if self.offset + bytes.len() as u64 > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(&bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(self.file.sync_data()?)
    }

    fn get(&mut self, _: &Key) -> Result<Option<usize>> {
        bail!("a bare file keeps no keys")
    }

    fn get_all(&mut self, _: &[Key]) -> Result<usize> {
        bail!("a bare file keeps no keys")
    }

    fn is_store(&self) -> bool {
        false
    }
}
