//! Workflows: specs, nets and cases.
//!
//! # How data flows
//!
//! A spec (YAML, JSON or TOML, `docs/FLOWS.md`) is read and checked (`spec`) and compiled to a flat [`Net`](net::Net)
//! whose mappings and conditions are [jq expressions](Expr) on values. [`Flows`] keeps deployed nets and running cases
//! in the store. Every event (a case is started, an item is claimed, completed or failed, a timer is due, an automatic
//! task is enabled) loads the case, lets the pure `machine` change it, and writes the difference as path-level ops:
//! one transaction, one commit, with the history event in it. What is left is told to the caller as [`Moved`].
//!
//! # Why jq
//!
//! Mappings and conditions need one language that people know, that has an implementation kept by others, that
//! works on our values directly and that can be made deterministic and limited by steps. jq is all of that: CNCF
//! Serverless Workflow uses it, and jaq's value type is a trait. CEL is the other candidate; it has no
//! transformations of arrays and objects to speak of, and its Rust implementation works on its own value type.
//!
//! # What it does not know
//!
//! Threads, programs, clocks (all through the store's seams), the C ABI.

#![forbid(unsafe_code)]

pub mod analysis;
mod calendar;
mod case;
mod duration;
mod error;
mod expr;
mod failure;
mod format;
mod ids;
mod machine;
mod names;
pub mod net;
pub mod patterns;
mod problem;
mod runtime;
mod sabotage;
mod schedule;
mod spec;
pub mod testing;

pub use calendar::Calendar;
pub use case::{EventKind, HistoryEvent, Status};
pub use duration::parse_duration;
pub use error::{Error, Result};
pub use expr::{Expr, ExprError, ExprErrorKind, ExprLimits};
pub use failure::Failure;
pub use machine::Delivery;
pub use net::Format;
pub use problem::{Problem, Severity};
pub use runtime::{
    CaseFilter, CaseInfo, CasePlan, Claim, Deployed, Difference, FlowInfo, Flows, ForkOptions,
    Forked, ItemInfo, MigrateOptions, Migrated, Migration, Moved, Outcome, Plan, PutOff, Queue,
    Replayed, SOME_WORKER, ScheduleInfo, VersionInfo, Waiting, WorkFilter, WorkInfo, WorkItem,
    WorkKind, WorkState, check_worker,
};
pub use spec::spec_schema;
