//! Lanes: how much of a kind of work is done at a time, and in which order.

use std::time::Duration;

use crate::expr::Expr;

/// A lane of work: items of equal name and key share its limit and rate; keys take turns.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The name; letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Gives the key, text or a whole number; none = all items share one.
    pub key: Option<Expr>,
    /// How many items of a key may be claimed at a time; none = no limit.
    pub limit: Option<u32>,
    /// How many items of a key may be started in a time; none = no limit.
    pub rate: Option<Rate>,
    /// Gives the priority, a whole number from 0 to 255, the greatest first; none = 0.
    pub priority: Option<Expr>,
}

/// A rate: a bucket that `burst` starts fit in, filled evenly with `count` in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Starts in a period, at least 1.
    pub count: u32,
    /// The period, at least a microsecond.
    pub per: Duration,
    /// Starts at once after a pause, at least 1.
    pub burst: u32,
}
