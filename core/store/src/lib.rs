//! The store: all state in one persistent tree, changed by transactions, each one commit in the log.
//!
//! # How data flows
//!
//! [`Store::begin`] pins the newest root ([`root`]). A [`Txn`] applies its [`Op`]s to an overlay
//! over that root, so it reads what it wrote, and notes the *regions* (an entry and a path in it) it read and wrote. An
//! op that sets a field of a document waits until somebody reads, or the commit, which applies it in place.
//! [`Txn::commit`] takes the writer lock, checks those regions against the commits since the snapshot ([`recent`]),
//! appends one frame with the ops to the log (`statewright-log`) and applies them to the tree ([`tree`]). Then it
//! waits for what the durability mode promises.
//!
//! [`Store::checkpoint`] writes what is new in the tree as pages of a file. [`Store::open`] takes the newest such
//! file and replays the frames behind it; nodes that nobody touches stay in the file.
//!
//! In strict mode readers see only versions that survive a power cut, and the newest commit is applied when it does,
//! unless somebody needs it before; in the other modes they see the newest.
//!
//! # What it does not know
//!
//! Workflows (their documents are just [`Primitive::Flow`] here), threads, files and clocks (all through the log's
//! seams).

#![forbid(unsafe_code)]

mod atomic;
mod call;
mod cell;
mod checkpoint;
mod commit;
mod doc;
mod each;
mod error;
mod event;
mod hasher;
mod history;
mod index;
mod json;
mod kv;
mod op;
mod open;
mod options;
mod overlay;
mod purge;
mod reader;
mod recent;
mod restore;
mod room;
mod root;
mod run;
mod sabotage;
mod savepoint;
mod snapshot;
mod space;
mod spaces;
mod store;
mod target;
mod trace;
mod tree;
mod txn;
mod verify;

pub use atomic::MergeStrategy;
pub use call::{Operation, Scan, operations};
pub use cell::CellReader;
pub use checkpoint::{CheckpointOptions, CheckpointStats};
pub use each::Item;
pub use error::{Error, Result, Retryable};
pub use event::{Appended, Event, EventAppend, EventReader, StreamInfo};
pub use history::Past;
pub use index::Span;
pub use op::{Doc, Edit, Op};
pub use options::{Place, StoreLimits, StoreOptions, StoreStats};
pub use purge::Purged;
pub use reader::{Reader, SpaceInfo, Stored};
pub use run::{NewRun, Run, RunBy, RunChange, RunDifference, RunOp, RunReader, RunStatus};
pub use savepoint::Savepoint;
pub use snapshot::Snapshot;
pub use space::{MAX_KEY_BYTES, Primitive, Space, SpaceOp};
pub use statewright_log::{
    Announced, Damage, Durability, Env, LogOptions, LogStats, Recovery, Repair, Timestamp,
    Verification,
};
pub use store::{LoggedCommit, Store};
pub use trace::{NewTrace, Trace, TraceBy, TraceNode, TraceReader, TraceRecord};
pub use txn::{Commit, Isolation, Txn};

/// The traits that reading takes: `use statewright_store::prelude::*;`.
pub mod prelude {
    pub use crate::{CellReader, EventReader, Reader, Retryable, RunReader, TraceReader};
}

#[cfg(test)]
mod model;
