//! What values do, in one program, so that it is linked once; a file alone is
//! `cargo test -p statewright-value --test all patch::`. Programs of their own count allocations (`allocations`,
//! `hostile_limits`) or ask for no feature (`every_build`).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests may panic and, here, read files"
)]

#[cfg(all(feature = "decimal", feature = "time"))]
mod any;
mod api;
mod canonical;
#[cfg(all(feature = "cbor", feature = "decimal", feature = "time"))]
mod cbor;
mod conformance;
mod diff;
mod edits;
mod hostile;
#[cfg(all(feature = "decimal", feature = "time"))]
mod kinds;
mod merge;
#[cfg(all(feature = "decimal", feature = "time"))]
mod operations;
mod packed;
mod packed_format;
mod patch;
mod pointer;
mod properties;
mod query;
mod query_model;
#[cfg(all(feature = "decimal", feature = "schema", feature = "time"))]
mod schema;
#[cfg(feature = "schema")]
mod schema_conformance;
#[cfg(feature = "schema")]
mod schema_hostile;
mod streams;
mod suites;
#[cfg(all(feature = "decimal", feature = "time"))]
mod temporal;
#[cfg(feature = "toml")]
mod toml;
mod txn;
mod typed_lazy;
#[cfg(all(feature = "decimal", feature = "time"))]
mod wire;
