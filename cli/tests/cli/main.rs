//! The real binary: exit codes, what goes to stdout and what to stderr, and every kind of bad input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests may panic, and they look at real files"
)]

mod bad_input;
mod check;
mod control;
mod flowtest;
mod graph;
mod interrupted;
mod look;
mod program;
mod run;
mod schedules;
mod serve;
mod state;
mod stdin;
mod transfer;
mod value;
mod verify;
mod versions;
mod worker;
