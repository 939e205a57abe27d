//! The commit log, and the seams through which the whole library reaches the outside world.
//!
//! # The seams
//!
//! [`Env`] is the world a library instance lives in: [`Io`] (files), [`Clock`] (time and waiting) and [`Random`].
//! [`Env::real`] is the operating system; [`sim`] is a world in memory that can fail, tear writes, lose power and be
//! replayed from a seed. No other code in the workspace may touch files, clocks or random sources (`clippy.toml`).
//!
//! # The log
//!
//! A [`Log`] is a folder of segment files. A commit is one [`Frame`]: it is there whole, or it is not there. The log
//! has no threads; everything happens on the callers' threads:
//!
//! ```text
//! append ──► pending frames ──(strict: the leader of a sync; buffered: at once)──► write ──► fdatasync ──► durable
//!                                                                              segment 1, 2, 3 … ──► replay at open
//! ```
//!
//! - [`Log::open`] replays what is there. `classify` is the table that tells a torn tail (cut) from damage (refused).
//! - [`Log::append`] numbers and frames a commit; [`Log::sync_to`] makes it durable, together with everybody else's.
//! - [`Log::verify`] looks at everything again; [`Log::repair`] makes a damaged log open again, and tells what is
//!   lost.
//! - A failed write or sync poisons the log: nothing more is accepted or acknowledged until it is opened again.
//!
//! The format is specified in `docs/FORMAT.md`.
//!
//! # The rules
//!
//! Comments refer to them by these names.
//!
//! - W1: a commit is acknowledged only after a sync of the handle that wrote it has succeeded.
//! - W2: after the first failed write or sync nothing is tried again or acknowledged.
//! - W3: what a failed sync may have left in the page cache is not believed; it is written again.
//! - W4: a folder is synced after a name in it was made or changed that something depends on.
//! - W5: a frame says which file and which place it belongs to, so that one that went elsewhere is noticed.
//! - W6: a torn end is told from damage by what was proven durable; only the former is cut.
//! - W7: zeros are never a frame.
//! - W9: if wanted, no write touches a page that has acknowledged commits.
//! - W11: a checkpoint is synced and read back before it has its name.
//! - W12: a full disk is told apart from other failures, and a reserve is kept for it.
//! - W13: the log is not read through a mapping, and no length is used before it was checked.
//! - W14: a folder is locked against other processes and against this one, and network file systems are refused.
//! - W15: a segment that is removed, moved or linked while in use is noticed.
//! - W16: everything can be verified, and is repaired only when somebody asks for it.
//! - W18: a file says that its commits may have been acknowledged before they were synced.
#![deny(unsafe_code)]

mod announce;
mod begin;
mod checkpoint;
mod classify;
mod env;
mod error;
mod files;
mod format;
mod log;
mod options;
mod reader;
mod real;
mod recover;
mod repair;
mod replay;
#[doc(hidden)]
pub mod sabotage;
mod segment;
pub mod sim;
#[doc(hidden)]
pub mod sync;
mod time;
mod verify;

pub use announce::Announced;
pub use checkpoint::{CheckpointFile, CheckpointWriter, checkpoints, remove_checkpoint};
pub use env::{Env, File, FileSystem, Io, Mapping, OpenMode, PathKind, Random, ReadMapping};
pub use error::{Error, Result};
pub use log::{Frame, Log, Position, SyncHooks};
pub use options::{Durability, LogOptions, LogStats, Recovery, UnknownDurability};
pub use real::{RealClock, RealIo, RealRandom, SpareMemory};
pub use repair::Repair;
pub use time::{Clock, Gate, Timestamp};
pub use verify::{Content, Damage, Verification};
