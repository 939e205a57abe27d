//! The segment that is being appended to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::env::{File, Mapping};
use crate::error::{Error, Result};
use crate::format::SegmentHeader;
use crate::options::{Durability, LogOptions};
use crate::recover::SegmentInfo;
use crate::sabotage::{self, Bug};
use crate::sync::AtomicU64;

/// The segment that is being appended to.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The same handle for writing and syncing: the kernel reports a failed write to the handle that made it (W1).
    pub(super) file: Arc<dyn File>,
    pub(super) header: SegmentHeader,
    /// Everything before this offset was durable after a successful sync.
    pub(super) proven: AtomicU64,
    /// How often it was synced.
    syncs: AtomicU32,
}

/// At every so manieth sync of a segment it is made sure that the file is still in its place.
const LOOK_EVERY: u32 = 16;

impl Segment {
    pub(super) fn new(info: SegmentInfo, file: Arc<dyn File>, proven: u64) -> Arc<Segment> {
        Arc::new(Segment {
            path: info.path,
            file,
            header: info.header,
            proven: AtomicU64::new(proven),
            syncs: AtomicU32::new(0),
        })
    }

    /// A mapping of the file, if that is how it is to be written.
    pub(super) fn map(&self, options: &LogOptions) -> Option<Box<dyn Mapping>> {
        let wanted = options.durability == Durability::Buffered && options.map;
        // Whatever the reason is why it cannot be mapped, it can be written.
        wanted.then(|| self.file.map(self.header.length).ok()?)?
    }

    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        self.file
            .write_all_at(bytes, at)
            .map_err(|e| Error::io("write", &self.path, e))
    }

    /// Makes everything that was written durable.
    pub(super) fn sync(&self) -> Result<()> {
        let failed = |e| Error::io("sync", &self.path, e);
        if !sabotage::on(Bug::SkipSync) {
            self.file.sync_data().map_err(failed)?; // the `if` is planted
        }
        if self
            .syncs
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(LOOK_EVERY)
        {
            self.in_place().map_err(failed)?;
        }
        Ok(())
    }

    /// Makes sure that the file is still under its name, and under no other (rule W15).
    fn in_place(&self) -> io::Result<()> {
        let (links, there) = (self.file.links()?, self.file.is_at(&self.path)?);
        let problem = match (links, there) {
            (1, true) => return Ok(()),
            (0, _) => "the file was removed while in use",
            (_, false) => "the file was moved or replaced while in use",
            (_, true) => {
                "the file got a second name while in use, so something else may write to it"
            }
        };
        Err(io::Error::new(io::ErrorKind::NotFound, problem))
    }
}
