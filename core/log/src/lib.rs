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
//! The format is specified in `docs/FORMAT.md`; the rules it follows are called W1 to W19 there.
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
