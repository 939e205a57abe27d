//! What crosses layers, in one program, so that it is linked once; a file alone is
//! `cargo test -p statewright-tests --test all isolation::`. Programs of their own have an allocator that fails
//! (`oom`, `spare`).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic and, here, read files"
)]

mod conformance;
mod failures;
mod fuzz;
mod isolation;
