//! Planted bugs, for `cargo xtask sabotage`; see `statewright_log::sabotage`.

pub(crate) use statewright_log::sabotage::{Bug, on};
