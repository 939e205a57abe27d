//! `libstatewright`: the shared and static library that C, C++, Go and Node link.
//!
//! Everything is in `statewright-ffi`; this crate only gives it the two library forms, so that Rust code (tests) can
//! use the implementation as an ordinary crate. Its allocator is the host's, with a spare: a host may load a dozen such
//! libraries.

use std::alloc::System;

pub use statewright_ffi::*;
use statewright_log::SpareMemory;

#[global_allocator]
static ALLOCATOR: SpareMemory<System> = SpareMemory::new(System);
