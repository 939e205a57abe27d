//! Durable state and durable workflows for any program, from one embeddable library.
//!
//! Open a folder with [`Engine::open`]: its [`store`](Engine::store) holds keys and JSON documents under serializable
//! transactions; [`deploy`](Engine::deploy) a flow, [`start`](Engine::start) cases of it and
//! [`wait`](Engine::wait) for their results. Everything survives a killed process and, in the default strict mode, a
//! power cut.
//!
//! # How data flows
//!
//! `statewright-flow` decides what a step does and commits it; this crate gives it threads. Whoever moves a case (a
//! call of [`start`](Engine::start) or [`complete`](Engine::complete), a worker whose program ended, the `driver`
//! when a timer falls due) fires what that enabled on its own thread, then hands offered work on: programs to the
//! worker threads, items to waiting [polls](Engine::poll), closed cases to [waits](Engine::wait). Then everyone
//! sleeps; an idle engine wakes for nothing but the next timer.
//!
//! # What it does not know
//!
//! The C ABI, the command line, how nets fire, how bytes are stored.
//!
//! ```
//! use statewright::{Engine, Options, value};
//!
//! let engine = Engine::in_memory(Options::default())?;
//! engine.deploy("
//! name: hello
//! version: 1
//! tasks:
//!   greet: { kind: set, set: { .text: '\"hello \\(.input.name)\"' } }
//! output: .text
//! ", None)?;
//! let case = engine.start("hello", value!({"name": "Ada"}), None)?;
//! let done = engine.wait(&case, None)?;
//! assert_eq!(done.result, Some(value!("hello Ada")));
//! # Ok::<(), statewright::Error>(())
//! ```

#![deny(unsafe_code)]

mod control;
mod driver;
mod engine;
mod error;
mod options;
mod process;
mod version;
mod wait;

pub use engine::Engine;
pub use error::{Error, Result};
pub use options::Options;
pub use wait::{Callback, Poll, WaitId};

pub use statewright_log::{Durability, Env, SpareMemory, Timestamp};
pub use statewright_store::{
    CheckpointOptions, CheckpointStats, Commit, Isolation, LoggedCommit, Op, Place, Primitive,
    Reader, Retryable, Snapshot, Space, Store, StoreLimits, StoreStats, Txn,
};
pub use statewright_value::{Kind, Limits, Path, Segment, Value, value};

/// Tasks inside the process: an executor, cancellation, nurseries, fair lanes.
pub mod exec {
    pub use statewright_exec::*;
}

/// Workflows: specs, nets and cases.
pub mod flow {
    pub use statewright_flow::*;
}

/// The store's own types.
pub mod store {
    pub use statewright_store::*;
}

/// Values: everything that can be done with them beyond reading and writing.
pub mod value {
    pub use statewright_value::*;
}

/// The programs in the README are compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
