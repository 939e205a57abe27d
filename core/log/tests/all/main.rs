//! What logs do, in one program, so that it is linked once; a file alone is
//! `cargo test -p statewright-log --test all repair::`. Programs of their own fork or start processes, which hold
//! the files that are open then (`real`, `refusal`).

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod checkpoint;
#[path = "../common/mod.rs"]
mod common;
mod covered;
mod damage;
mod every_call;
mod far;
mod log;
mod pad;
mod position;
mod property;
mod repair;
