//! Tasks inside a process: what runs them, what ends them early, and in which order they come.
//!
//! # How data flows
//!
//! A task is a closure. [`Executor::spawn`] puts it into the queue of the worker that calls, or, from elsewhere, into
//! one that all workers take from; an idle worker steals from the others before it sleeps. A [`Nursery`] keeps tasks
//! that belong together: it ends when all of them have ended, and the first failure cancels the others through their
//! [`Token`], which is a child of the caller's. [`Lanes`] stand before an executor where tasks have keys: they hold
//! back what is over its key's limit or rate, and give keys their turns.
//!
//! # What it does not know
//!
//! Workflows and storage. What must survive the process is a work item of `statewright-flow`, not a task.

#![deny(unsafe_code)]

mod executor;
mod lanes;
mod nursery;
mod thread;
mod token;
mod turns;

pub use executor::{Executor, ExecutorOptions, ExecutorStats, Rejected};
pub use lanes::{LaneLimits, Lanes, Rate};
pub use nursery::{Failure, Nursery};
pub use thread::spawn_thread;
pub use token::{Cancelled, Token};
