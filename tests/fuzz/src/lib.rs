//! The functions that libFuzzer calls; they are those of the tests, `tests/src/fuzz`.

#[path = "../../src/fuzz/mod.rs"]
pub mod fuzz;
