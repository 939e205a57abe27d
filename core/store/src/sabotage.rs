//! Planted bugs, for `cargo xtask sabotage`; see `statewright_log::sabotage`.

pub(crate) use statewright_log::sabotage::{Bug, on};

use crate::op::Op;

/// The ops of a commit that is replayed: as they are, without a bug.
pub(crate) fn replayed(mut ops: Vec<Op>) -> Vec<Op> {
    if on(Bug::ReorderOps) {
        ops.reverse(); // planted
    }
    if on(Bug::ReplayTwice) {
        ops.extend(ops.clone()); // planted
    }
    if on(Bug::ForgetRemovals) {
        ops.retain(|op| !matches!(op, Op::KvDelete { .. })); // planted
    }
    ops
}
