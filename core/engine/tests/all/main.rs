//! What engines do, in one program, so that it is linked once; a file alone is
//! `cargo test -p statewright --test all batch::`.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod aside;
mod batch;
mod engine;
mod many;
mod migrate;
mod polls;
mod waits;
