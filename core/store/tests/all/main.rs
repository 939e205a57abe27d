//! What stores do, in one program, so that it is linked once; a file alone is
//! `cargo test -p statewright-store --test all golden::`.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod applies;
mod calls;
mod checkpoints;
mod commuting;
mod deepest;
mod deferred;
mod durability;
mod golden;
mod looking;
mod primitives;
mod row;
mod several;
mod spaces;
mod transactions;
mod unread;
mod verify;
