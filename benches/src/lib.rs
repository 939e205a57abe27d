//! Side-by-side comparisons: Statewright and its peers doing the same work in one process, sample by sample in turn.
//!
//! * [`measure`] times: every sample of every contender in turn, thread CPU time beside wall time, medians.
//! * [`report`] holds the rows: ours, the peer's, and `ratio` = peer / ours, so above 1 we are faster.
//! * [`memory`] counts what is allocated, [`syncs`] what is asked of the disk.
//! * [`store`] puts, gets, scans, opens and recovers, against SQLite, redb, fjall, LMDB and RocksDB; [`flow`] runs
//!   a flow of ten steps; [`value`] parses, prints, reads and edits documents, against the JSON libraries of Rust.
//!
//! What makes a comparison fair here: the same keys and values in the same order; the same promise (a commit that is
//! lost with the process, kept when the process is killed, or kept when the power is cut); each peer in the mode its
//! users would choose for that promise; and, for synced commits, the bare cost of a synced write in the same run.
//!
//! The machinery that measures reads the clock and makes folders; nothing of this is part of the library.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measuring needs a clock, and peers need files; the seams of core/log are for the library"
)]

pub mod exec;
pub mod flow;
pub mod measure;
pub mod memory;
pub mod report;
pub mod store;
pub mod syncs;
pub mod value;

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// An empty folder for databases, removed when dropped; in `parent` (made when missing) or where temporary files go.
pub fn work_folder(parent: Option<&Path>) -> Result<TempDir> {
    let Some(parent) = parent else {
        return Ok(tempfile::tempdir()?);
    };
    std::fs::create_dir_all(parent)
        .with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(tempfile::tempdir_in(parent)?)
}
