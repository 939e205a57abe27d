//! Looking at all of a checkpoint.

use super::{ALIGN, CheckpointFile, HEADER, PAGE, TRAILER};
use crate::error::Result;

impl CheckpointFile {
    /// Reads every page and checks it; returns how many there are. O(size of the file).
    ///
    /// # Errors
    /// `Corrupt` with the place of the first page that is not intact.
    pub fn verify(&self) -> Result<u64> {
        let end = self.len().saturating_sub(TRAILER as u64);
        let (mut at, mut pages) = (HEADER as u64, 0_u64);
        while at < end {
            let content = self.page(at)?.len() as u64;
            at = at
                .saturating_add(PAGE as u64)
                .saturating_add(content)
                .next_multiple_of(ALIGN as u64);
            pages = pages.saturating_add(1);
        }
        Ok(pages)
    }
}
