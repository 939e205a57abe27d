//! What flows do, one program for all files: linking one is most of what a test costs. A file alone is
//! `cargo test -p statewright-flow --test all schedules::`.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod aside;
mod asked;
mod bad_input;
mod batch;
mod claims;
mod common;
mod conserve;
mod crash;
mod deadlines;
mod expr;
mod fork;
mod inbox;
mod lanes;
mod messages;
mod migrate;
mod model;
mod model_agrees;
mod orjoin;
mod patterns;
mod recovery;
mod replay;
mod schedules;
mod soup;
mod spec;
mod spec_large;
mod spec_time;
mod suspended;
mod testing;
mod too_large;
mod verify;
mod versions;
mod wcp;
