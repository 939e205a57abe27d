//! Equality, order and hash, which agree; the rules are stated at [`Value`].

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use triomphe::Arc;

use crate::Value;
use crate::extended::{Extended, Parts};
use crate::value::Repr;
use crate::walk::{Event, Walk};

impl PartialEq for Value {
    /// Skips what both values share.
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![];
        if !equal_or_pending(self, other, &mut pending) {
            return false;
        }
        while let Some(pair) = pending.pop() {
            let same = match pair {
                (Repr::Array(a), Repr::Array(b)) => {
                    a.pairs_all(b, |a, b| equal_or_pending(a, b, &mut pending))
                }
                (Repr::Object(a), Repr::Object(b)) => {
                    a.pairs_all(b, |a, b| equal_or_pending(a, b, &mut pending))
                }
                _ => false,
            };
            if !same {
                return false;
            }
        }
        true
    }
}

/// False if the values differ at once; containers that may be equal are left in `pending`.
fn equal_or_pending<'a>(
    a: &'a Value,
    b: &'a Value,
    pending: &mut Vec<(&'a Repr, &'a Repr)>,
) -> bool {
    let shared = match (&a.0, &b.0) {
        (Repr::Array(a), Repr::Array(b)) => Arc::ptr_eq(a, b),
        (Repr::Object(a), Repr::Object(b)) => Arc::ptr_eq(a, b),
        _ => return compare_scalars(a, b) == Ordering::Equal,
    };
    if !shared {
        pending.push((&a.0, &b.0));
    }
    true
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    /// Walks both values in canonical order, step by step: sorts the keys of the objects it meets.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (Walk::sorted(self), Walk::sorted(other));
        loop {
            let ordering = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (Some(Event::Scalar(x)), Some(Event::Scalar(y))) => compare_scalars(x, y),
                (Some(Event::Key(x)), Some(Event::Key(y))) => x.cmp(y),
                (Some(Event::Array(x)), Some(Event::Array(y))) => {
                    if std::ptr::eq(x, y) {
                        a.leave();
                        b.leave();
                    }
                    Ordering::Equal
                }
                (Some(Event::Object(x)), Some(Event::Object(y))) => {
                    if std::ptr::eq(x, y) {
                        a.leave();
                        b.leave();
                    }
                    Ordering::Equal
                }
                (x, y) => rank_event(x).cmp(&rank_event(y)),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for event in Walk::sorted(self) {
            rank_event(Some(event)).hash(state);
            match event {
                Event::Key(key) => key.hash(state),
                Event::Scalar(Value(scalar)) => match scalar {
                    Repr::Bool(bool) => bool.hash(state),
                    Repr::Int(int) => int.hash(state),
                    Repr::Uint(uint) => uint.hash(state),
                    Repr::Float(float) => float.to_bits().hash(state),
                    Repr::Text(text) => text.as_bytes().hash(state),
                    Repr::Bytes(bytes) => bytes.hash(state),
                    Repr::Extended(extended) => extended.hash(state),
                    Repr::Null | Repr::Array(_) | Repr::Object(_) => {}
                },
                Event::Array(_) | Event::Object(_) | Event::End => {}
            }
        }
    }
}

/// How a step of one walk orders against a different step of another: the end of a container first, so that
/// a prefix is smaller, then by kind.
fn rank_event(event: Option<Event<'_>>) -> u8 {
    match event {
        None | Some(Event::End) => 0,
        Some(Event::Key(_)) => 1,
        Some(Event::Scalar(scalar)) => rank(scalar),
        Some(Event::Array(_)) => 12,
        Some(Event::Object(_)) => 13,
    }
}

fn rank(scalar: &Value) -> u8 {
    match &scalar.0 {
        Repr::Null => 2,
        Repr::Bool(_) => 3,
        Repr::Int(_) | Repr::Uint(_) | Repr::Float(_) => 4,
        Repr::Text(_) => 5,
        Repr::Bytes(_) => 6,
        Repr::Extended(extended) => match extended {
            Extended::Decimal { .. } => 4,
            Extended::Date { .. } => 7,
            Extended::Time { .. } => 8,
            Extended::DateTime { .. } => 9,
            Extended::Duration { .. } => 10,
            Extended::File(_) => 11,
        },
        Repr::Array(_) => 12,
        Repr::Object(_) => 13,
    }
}

fn compare_scalars(a: &Value, b: &Value) -> Ordering {
    match (&a.0, &b.0) {
        (Repr::Bool(a), Repr::Bool(b)) => a.cmp(b),
        (Repr::Text(a), Repr::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Repr::Bytes(a), Repr::Bytes(b)) => a.cmp(b),
        (Repr::Float(a), Repr::Float(b)) => a
            .partial_cmp(b)
            .unwrap_or(Ordering::Equal)
            .then(a.total_cmp(b)),
        (Repr::Extended(a), Repr::Extended(b)) => a.cmp(b),
        (Repr::Extended(decimal), _) => match decimal.decimal_parts() {
            Some(parts) => compare_decimal(parts, b).unwrap_or_else(|| rank(a).cmp(&rank(b))),
            None => rank(a).cmp(&rank(b)),
        },
        (_, Repr::Extended(_)) => compare_scalars(b, a).reverse(),
        (Repr::Float(float), _) => match integer(b) {
            Some(int) => compare_integer(int, *float).reverse(),
            None => rank(a).cmp(&rank(b)),
        },
        (_, Repr::Float(float)) => match integer(a) {
            Some(int) => compare_integer(int, *float),
            None => rank(a).cmp(&rank(b)),
        },
        _ => rank(a)
            .cmp(&rank(b))
            .then_with(|| integer(a).cmp(&integer(b))),
    }
}

/// With an integer or a float, by value, and the decimal last where they are equal. None for no number.
fn compare_decimal(decimal: Parts, number: &Value) -> Option<Ordering> {
    let ordering = match number.0 {
        Repr::Float(float) => decimal.compare_float(float),
        _ => decimal.compare_integer(integer(number)?),
    };
    Some(ordering.then(Ordering::Greater))
}

fn integer(value: &Value) -> Option<i128> {
    match value.0 {
        Repr::Int(int) => Some(int.into()),
        Repr::Uint(uint) => Some(uint.into()),
        _ => None,
    }
}

/// Exact, and the integer first where they are equal. A cast of a float beyond `i128` saturates, which
/// orders it beyond every 64-bit integer, as it should.
fn compare_integer(int: i128, float: f64) -> Ordering {
    let whole = float.trunc();
    int.cmp(&(whole as i128)).then_with(|| {
        if float < whole {
            Ordering::Greater
        } else {
            Ordering::Less
        }
    })
}
