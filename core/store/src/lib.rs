//! The store: all state in one persistent tree, changed by transactions, each one commit in the log.
//!
//! # How data flows
//!
//! [`Store::begin`] pins the newest root. A [`Txn`] applies its [`Op`]s to its own view of that root, so it reads
//! what it wrote, and notes the *regions* (an entry and a path in it) it read and wrote. [`Txn::commit`] takes the
//! writer lock, checks those regions against the commits since the snapshot ([`recent`]), appends one frame with
//! the ops to the log (`statewright-log`) and applies them to the tree ([`tree`]). Then it waits for what the
//! durability mode promises. [`Store::open`] replays the frames.
//!
//! In strict mode readers see only versions that survive a power cut; in the other modes, the newest.
//!
//! # What it does not know
//!
//! Workflows (their documents are just [`Primitive::Flow`] here), threads, files and clocks (all through the log's
//! seams).

#![forbid(unsafe_code)]

mod error;
mod json;
mod kv;
mod op;
mod overlay;
mod reader;
mod recent;
mod root;
mod sabotage;
mod space;
mod store;
mod target;
mod tree;
mod txn;
mod verify;

pub use error::{Error, Result, Retryable};
pub use op::{Doc, Op};
pub use reader::Reader;
pub use space::{MAX_KEY_BYTES, Primitive, Space};
pub use statewright_log::{
    Damage, Durability, Env, LogOptions, LogStats, Recovery, Repair, Timestamp, Verification,
};
pub use store::{LoggedCommit, Place, Snapshot, Store, StoreLimits, StoreOptions, StoreStats};
pub use txn::{Commit, Isolation, Txn};
