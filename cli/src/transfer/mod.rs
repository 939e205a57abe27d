//! `export` and `import`: a store as lines of text.
//!
//! Each line is an operation, as `Store::call` takes it, in typed JSON: what makes the state is what the state is
//! written as. A first line says what it is, a last one that it is complete.

pub mod export;
pub mod import;

/// The format's number: another one is not read.
const FORMAT: u64 = 1;
/// The member that marks the lines that are no operations, with `export` in the first one and `end` in the last.
const MARK: &str = "statewright";
