//! A checker of histories: whether what transactions read and wrote is explained by some serial order.
//!
//! It looks at a [`History`] from outside and knows nothing of how the store works. Every value that is written is
//! unique, so a read tells which write it saw; commits are numbered, so the writes of a key have an order. From these
//! follows who must come before whom ([`Edge`]), and a cycle means that there is no serial order (Adya, Liskov and
//! O'Neil, *Generalized Isolation Level Definitions*, 2000). A read of a range is a read of every key in it, also of
//! those that are not there, so phantoms are cycles too.
//!
//! ```
//! use statewright_tests::check::{Event, History, Level, Outcome, Txn, check};
//! // Two transactions read both of x and y, and each writes one of them: write skew.
//! let read = |key: &str| Event::Read(key.into(), None);
//! let skew = |client, key: &str, n, version| Txn {
//!     client,
//!     level: Level::Serializable,
//!     snapshot: 0,
//!     start: client as u64,
//!     end: 10 + client as u64,
//!     outcome: Outcome::Committed(version),
//!     events: vec![read("x"), read("y"), Event::Write(key.into(), Some(n))],
//! };
//! let history = History { txns: vec![skew(1, "x", 1, 1), skew(2, "y", 2, 2)] };
//! assert_eq!(check(&history).unwrap_err().name(), "write skew");
//! ```

mod anomaly;
mod graph;
mod order;

pub use anomaly::{Anomaly, Edge};

use graph::Graph;
use order::Order;

/// What happened to a store, seen by its clients.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The transactions, in any order. Single writes and snapshots are transactions too.
    pub txns: Vec<Txn>,
}

/// A transaction as its client saw it.
#[derive(Clone, Debug)]
pub struct Txn {
    /// Who ran it; for messages.
    pub client: usize,
    /// What it was promised.
    pub level: Level,
    /// The version it says it read at. Only used to tell one absence of a key from another.
    pub snapshot: u64,
    /// When it began, on a clock common to all clients.
    pub start: u64,
    /// When its end was known to the client.
    pub end: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in order.
    pub events: Vec<Event>,
}

/// What a transaction is promised about those beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// There is a serial order.
    Serializable,
    /// It reads one version of everything, and nobody else changes what it changes.
    Snapshot,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force, as the so-manieth commit. One that wrote nothing has its snapshot's number.
    Committed(u64),
    /// It never happened.
    Aborted,
}

/// A read or a write. A value is a number that is written once in the whole history; none is absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key had this value.
    Read(String, Option<u64>),
    /// The keys in `from..to` (`to` not included; none is the end) were these and no others.
    Range {
        /// The first key that could have been seen.
        from: String,
        /// The first one behind.
        to: Option<String>,
        /// What was there.
        seen: Vec<(String, u64)>,
    },
    /// A key was given this value.
    Write(String, Option<u64>),
}

/// Looks for a contradiction between the history and what its transactions were promised.
///
/// Serializable transactions must have a serial order that agrees with the order in which one ended before another
/// began; of the others' reads only those count that saw a write (Adya's mixed serialization graph).
/// O(n log n) in events, plus the readers of each range.
///
/// # Errors
/// The first anomaly found, with the transactions that make it up.
pub fn check(history: &History) -> Result<(), Anomaly> {
    let order = Order::new(history)?;
    order.check_reads(history)?;
    Graph::dependencies(history, &order, true).acyclic(history)
}

/// As [`check`], for histories in which every transaction was promised [`Level::Snapshot`]: the graph in which a read
/// that missed a write counts only together with the step before it has no cycle (Cerone and Gotsman, *Analysing
/// Snapshot Isolation*, 2016). So write skew is allowed, and lost updates, read skew and long forks are not.
///
/// # Errors
/// The first anomaly found.
pub fn check_snapshot(history: &History) -> Result<(), Anomaly> {
    let order = Order::new(history)?;
    order.check_reads(history)?;
    Graph::dependencies(history, &order, false)
        .composed()
        .acyclic(history)
}

#[cfg(test)]
mod tests;
