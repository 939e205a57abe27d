//! A compiled query: steps, selectors and conditions, with everything known beforehand worked out.

use std::cmp::Ordering;

use crate::Segment;

use super::matcher::Pattern;

/// One segment of a query (RFC 9535 section 2.5). What selects at most one child has its own form.
#[derive(Debug)]
pub(super) enum Step {
    /// `.name`; always a [`Segment::Key`].
    Name(Segment),
    /// `[3]` or, from the end, `[-1]`.
    Index(i64),
    /// `[a, b, …]` with several selectors, or one that may select several children.
    Children(Box<[Selector]>),
    /// `..[a, b, …]`: the same on the node and on everything below it.
    Descendants(Box<[Selector]>),
}

impl Step {
    pub(super) fn child(selectors: Vec<Selector>) -> Step {
        match <[Selector; 1]>::try_from(selectors) {
            Ok([Selector::Name(name)]) => Step::Name(name),
            Ok([Selector::Index(index)]) => Step::Index(index),
            Ok([selector]) => Step::Children(Box::new([selector])),
            Err(selectors) => Step::Children(selectors.into()),
        }
    }

    pub(super) fn is_singular(&self) -> bool {
        matches!(self, Step::Name(_) | Step::Index(_))
    }
}

#[derive(Debug)]
pub(super) enum Selector {
    Name(Segment),
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Condition),
}

/// `[start:end:step]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

impl Slice {
    /// The first index and the one to stop before, for an array of `len` items; both within −1..=len
    /// (RFC 9535 section 2.3.4.2.2).
    pub(super) fn bounds(self, len: usize) -> (i64, i64) {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let absolute = |index: i64| if index < 0 { index + len } else { index };
        if self.step >= 0 {
            let start = self.start.map_or(0, absolute).clamp(0, len);
            (start, self.end.map_or(len, absolute).clamp(0, len))
        } else {
            let start = self.start.map_or(len - 1, absolute).clamp(-1, len - 1);
            (start, self.end.map_or(-1, absolute).clamp(-1, len - 1))
        }
    }
}

/// A query inside a filter.
#[derive(Debug)]
pub(super) struct SubQuery {
    /// From `$` rather than from `@`.
    pub(super) absolute: bool,
    pub(super) steps: Box<[Step]>,
}

impl SubQuery {
    pub(super) fn is_singular(&self) -> bool {
        self.steps.iter().all(Step::is_singular)
    }
}

/// What is true or false of a node (RFC 9535 section 2.3.5).
#[derive(Debug)]
pub(super) enum Condition {
    Any(Box<[Condition]>),
    All(Box<[Condition]>),
    Not(Box<Condition>),
    Exists(SubQuery),
    /// A singular query against a literal: what most comparisons are.
    Check(Box<(SubQuery, Comparison, Literal)>),
    Compare(Box<(Operand, Comparison, Operand)>),
    /// The functions `match` and `search`.
    Matches(Box<(Operand, Pattern)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same comparison with its sides swapped.
    pub(super) fn mirrored(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Equal | Comparison::NotEqual => self,
        }
    }

    /// What two sides give that stand like this to each other.
    #[inline]
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// What has a value, or Nothing.
#[derive(Debug)]
pub(super) enum Operand {
    Literal(Literal),
    /// A singular query.
    Node(SubQuery),
    Length(Box<Operand>),
    Count(SubQuery),
    Value(SubQuery),
}

impl Operand {
    /// Whether it is never a number or a text.
    pub(super) fn has_no_order(&self) -> bool {
        matches!(self, Operand::Literal(Literal::Null | Literal::Bool(_)))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Box<str>),
}
