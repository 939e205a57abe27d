//! The C ABI of Statewright: every exported function, its conventions, and nothing else.
//!
//! # How a call runs
//!
//! C calls an export (`sw_kv_get`). Its body runs inside `guard!`, which refuses forked children,
//! catches panics and turns a failure into a status and a [`sw_error`]. The body reads its arguments through
//! a `Call`: handles become objects, (pointer, length) pairs become checked slices and text, MessagePack
//! becomes values. It makes one call to the engine and hands the result out, as a number, a handle, or
//! [`sw_bytes`].
//!
//! # Main types
//!
//! - Handles ([`sw_engine`], [`sw_txn`], [`sw_cq`], [`sw_error`]): numbers, not pointers; `handle.rs` tells
//!   why no misuse of them can corrupt memory.
//! - [`sw_status`] and [`sw_error`]: what went wrong; never kept per thread.
//! - The completion queue ([`sw_cq`]): where everything asynchronous ends, exactly once.
//!
//! # The single source
//!
//! `cargo xtask bindgen` reads these files into `ffi/api.json` and writes from it the header, the low-level
//! layers of the other languages, the reference and the conformance tests. Each export therefore documents
//! itself with tags: `@role`, `@on`, `@thread`, one `@param` for each parameter (direction, kind, ownership)
//! and `@since`; `xtask/src/bindgen/parse.rs` has the grammar. The generator refuses an export that is not
//! guarded or not fully described.
//!
//! # Safety of the exports
//!
//! Every export has the same contract, which is C's: a pointer is NULL or valid for what its `@param` says,
//! for the length of the call. Everything else (lengths, text, handles, order of calls, threads) is checked.

#![expect(non_camel_case_types, reason = "the names that C sees")]
#![expect(
    clippy::missing_safety_doc,
    reason = "one contract for every export, stated above"
)]

mod bytes;
mod call;
mod calls;
mod case;
mod checks;
mod codec;
mod control;
mod cursor;
mod edit;
mod engine;
mod error;
mod failure;
mod flow;
mod flowtest;
mod fork;
#[rustfmt::skip]
mod generated;
mod guard;
mod handle;
mod inbox;
#[cfg(feature = "panic-injection")]
mod injection;
mod json;
mod kv;
mod library;
mod merge;
#[cfg(test)]
mod no_room;
mod patch;
mod place;
mod query;
mod queue;
mod scan;
mod schedule;
mod schema;
mod session;
mod shapes;
mod status;
mod txn;
mod value;
mod version;
mod work;

pub use bytes::*;
pub use call::{SW_MAX_INPUT_BYTES, SW_MAX_NAME_BYTES, SW_MAX_STRUCT_BYTES};
pub use case::*;
pub use codec::*;
pub use control::*;
pub use cursor::*;
pub use edit::*;
pub use engine::*;
pub use error::*;
pub use flow::*;
pub use flowtest::*;
pub use inbox::*;
#[cfg(feature = "panic-injection")]
pub use injection::*;
pub use json::*;
pub use kv::*;
pub use library::*;
pub use merge::*;
pub use patch::*;
pub use place::*;
pub use query::*;
pub use queue::*;
pub use scan::*;
pub use schedule::*;
pub use schema::*;
pub use status::*;
pub use txn::*;
pub use value::*;
pub use version::*;
pub use work::*;
