//! `libstatewright`: the shared and static library that C, C++, Go and Node link.
//!
//! Everything is in `statewright-ffi`; this crate only gives it the two library forms, so that Rust code (tests) can
//! use the implementation as an ordinary crate. It sets no global allocator: a host may load a dozen such libraries.

pub use statewright_ffi::*;
