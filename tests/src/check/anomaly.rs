//! What can be wrong with a history, in words.

use std::fmt;

/// Why one transaction must come before another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// It wrote the version of a key before the other's.
    WriteWrite(String),
    /// The other read what it wrote.
    WriteRead(String),
    /// It read the version of a key before the other's.
    ReadWrite(String),
    /// It read a range in which the other then wrote this key.
    RangeWrite(String),
    /// It had ended when the other began.
    RealTime,
    /// Several of these in a row.
    Then(Box<Edge>, Box<Edge>),
}

impl Edge {
    pub(super) fn is_missed_write(&self) -> bool {
        matches!(self, Edge::ReadWrite(_) | Edge::RangeWrite(_))
    }

    fn parts<'a>(&'a self, parts: &mut Vec<&'a Edge>) {
        match self {
            Edge::Then(first, second) => {
                first.parts(parts);
                second.parts(parts);
            }
            single => parts.push(single),
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Edge::WriteWrite(key)
            | Edge::WriteRead(key)
            | Edge::ReadWrite(key)
            | Edge::RangeWrite(key) => Some(key),
            Edge::RealTime | Edge::Then(..) => None,
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edge::WriteWrite(key) => write!(f, "wrote {key} before"),
            Edge::WriteRead(key) => write!(f, "wrote the {key} that was read by"),
            Edge::ReadWrite(key) => write!(f, "did not see the {key} written by"),
            Edge::RangeWrite(key) => write!(f, "read a range without the {key} written by"),
            Edge::RealTime => write!(f, "had ended before the start of"),
            Edge::Then(first, second) => write!(f, "{first} one that {second}"),
        }
    }
}

/// A contradiction. Numbers are positions in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// A value was read that nobody wrote.
    Garbage {
        /// The reader.
        txn: usize,
        /// The key.
        key: String,
        /// The value.
        value: u64,
    },
    /// The same value was written twice, or two transactions have the same version: the history itself is wrong.
    Ambiguous(String),
    /// A transaction that did not commit was read from (G1a, dirty read).
    AbortedRead {
        /// The reader.
        txn: usize,
        /// The writer.
        from: usize,
        /// The key.
        key: String,
    },
    /// A value was read that its own writer replaced (G1b, dirty read).
    IntermediateRead {
        /// The reader.
        txn: usize,
        /// The writer.
        from: usize,
        /// The key.
        key: String,
    },
    /// A transaction did not see its own write, or two reads of one key differ (non-repeatable read).
    Internal {
        /// The reader.
        txn: usize,
        /// The key.
        key: String,
        /// What it should have read.
        expected: Option<u64>,
        /// What it did read.
        found: Option<u64>,
    },
    /// No order of these is possible: each must come before the next, and the last before the first.
    Cycle(Vec<(usize, Edge)>),
}

impl Anomaly {
    /// The usual name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let Anomaly::Cycle(steps) = self else {
            return match self {
                Anomaly::Garbage { .. } => "garbage read",
                Anomaly::Ambiguous(_) => "ambiguous history",
                Anomaly::AbortedRead { .. } => "dirty read",
                Anomaly::IntermediateRead { .. } => "intermediate read",
                _ => "non-repeatable read",
            };
        };
        let mut edges = Vec::new();
        steps.iter().for_each(|(_, edge)| edge.parts(&mut edges));
        let missed = edges.iter().filter(|edge| edge.is_missed_write()).count();
        let has = |test: fn(&Edge) -> bool| edges.iter().any(|edge| test(edge));
        if has(|edge| matches!(edge, Edge::RangeWrite(_))) {
            return "phantom";
        }
        if has(|edge| *edge == Edge::RealTime) {
            return "stale read";
        }
        match missed {
            0 if has(|edge| matches!(edge, Edge::WriteRead(_))) => "circular information flow",
            0 => "write cycle",
            1 => {
                let key = edges.iter().find(|edge| edge.is_missed_write());
                let key = key.and_then(|edge| edge.key());
                let lost = edges
                    .iter()
                    .any(|edge| matches!(edge, Edge::WriteWrite(k) if Some(k.as_str()) == key));
                if lost { "lost update" } else { "read skew" }
            }
            _ => {
                let next = edges.iter().cycle().skip(1);
                let adjacent = edges
                    .iter()
                    .zip(next)
                    .any(|(a, b)| a.is_missed_write() && b.is_missed_write());
                if adjacent { "write skew" } else { "long fork" }
            }
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Anomaly::Garbage { txn, key, value } => {
                write!(f, "T{txn} read {value} from {key}, which nobody wrote")
            }
            Anomaly::Ambiguous(why) => write!(f, "{why}"),
            Anomaly::AbortedRead { txn, from, key } => {
                write!(f, "T{txn} read the {key} of T{from}, which did not commit")
            }
            Anomaly::IntermediateRead { txn, from, key } => {
                write!(f, "T{txn} read a {key} that T{from} replaced itself")
            }
            Anomaly::Internal {
                txn,
                key,
                expected,
                found,
            } => write!(
                f,
                "T{txn} read {found:?} from {key} instead of {expected:?}"
            ),
            Anomaly::Cycle(steps) => {
                for (txn, edge) in steps {
                    write!(f, "T{txn} {edge} ")?;
                }
                match steps.first() {
                    Some((first, _)) => write!(f, "T{first}"),
                    None => Ok(()),
                }
            }
        }
    }
}
