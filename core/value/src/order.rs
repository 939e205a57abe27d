//! Equality, order and hash, which agree; the rules are stated at [`Value`].

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::extended::Extended;
use crate::kinds::parts::Parts;
use crate::value::Repr;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Kind, Value, ValueRef};

impl PartialEq for ValueRef<'_> {
    /// Skips what both values share.
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![];
        if !equal_or_pending(*self, *other, &mut pending) {
            return false;
        }
        while let Some((a, b)) = pending.pop() {
            let same = match (a.node(), b.node()) {
                (Some(Repr::Array(a)), Some(Repr::Array(b))) => a.pairs_all(b, |a, b| {
                    equal_or_pending(a.by_ref(), b.by_ref(), &mut pending)
                }),
                (Some(Repr::Object(a)), Some(Repr::Object(b))) => a.pairs_all(b, |a, b| {
                    equal_or_pending(a.by_ref(), b.by_ref(), &mut pending)
                }),
                _ if a.kind() == Kind::Array => {
                    let mut pairs = a.items().zip(b.items());
                    a.len() == b.len() && pairs.all(|(a, b)| equal_or_pending(a, b, &mut pending))
                }
                _ => {
                    a.len() == b.len()
                        && a.entries()
                            .zip(b.entries())
                            .all(|((key, value), (hint, near))| {
                                match if key == hint { Some(near) } else { b.get(key) } {
                                    Some(other) => equal_or_pending(value, other, &mut pending),
                                    None => false,
                                }
                            })
                }
            };
            if !same {
                return false;
            }
        }
        true
    }
}

/// False if the values differ at once; containers that may be equal are left in `pending`.
fn equal_or_pending<'a, 'b>(
    a: ValueRef<'a>,
    b: ValueRef<'b>,
    pending: &mut Vec<(ValueRef<'a>, ValueRef<'b>)>,
) -> bool {
    match (a.data(), b.data()) {
        (Data::Array, Data::Array) | (Data::Object, Data::Object) => {
            if !a.same(b) {
                pending.push((a, b));
            }
            true
        }
        (a, b) => compare_scalars(a, b) == Ordering::Equal,
    }
}

impl Eq for ValueRef<'_> {}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValueRef<'_> {
    /// Walks both values in canonical order, step by step: sorts the keys of the objects it meets.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (Walk::sorted(*self), Walk::sorted(*other));
        loop {
            let ordering = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (Some(Event::Scalar(x)), Some(Event::Scalar(y))) => compare_scalars(x, y),
                (Some(Event::Key(x)), Some(Event::Key(y))) => x.cmp(y),
                (Some(Event::Array(x)), Some(Event::Array(y)))
                | (Some(Event::Object(x)), Some(Event::Object(y))) => {
                    if x.same(y) {
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

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for event in Walk::sorted(*self) {
            rank_event(Some(event)).hash(state);
            match event {
                Event::Key(key) => key.hash(state),
                Event::Scalar(scalar) => match scalar {
                    Data::Bool(bool) => bool.hash(state),
                    Data::Int(int) => int.hash(state),
                    Data::Uint(uint) => uint.hash(state),
                    Data::Float(float) => float.to_bits().hash(state),
                    Data::Text(text) => text.as_bytes().hash(state),
                    Data::Bytes(bytes) => bytes.hash(state),
                    Data::Extended(extended) => extended.hash(state),
                    Data::Null | Data::Array | Data::Object => {}
                },
                Event::Array(_) | Event::Object(_) | Event::End => {}
            }
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.by_ref() == other.by_ref()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.by_ref().cmp(&other.by_ref())
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.by_ref().hash(state);
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

fn rank(data: Data<'_>) -> u8 {
    match data {
        Data::Null => 2,
        Data::Bool(_) => 3,
        Data::Int(_) | Data::Uint(_) | Data::Float(_) => 4,
        Data::Text(_) => 5,
        Data::Bytes(_) => 6,
        Data::Extended(extended) => match extended {
            Extended::Decimal { .. } => 4,
            Extended::Date { .. } => 7,
            Extended::Time { .. } => 8,
            Extended::DateTime { .. } => 9,
            Extended::Duration { .. } => 10,
            Extended::File(_) => 11,
        },
        Data::Array => 12,
        Data::Object => 13,
    }
}

fn compare_scalars(a: Data<'_>, b: Data<'_>) -> Ordering {
    match (a, b) {
        (Data::Bool(a), Data::Bool(b)) => a.cmp(&b),
        (Data::Text(a), Data::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Data::Bytes(a), Data::Bytes(b)) => a.cmp(b),
        (Data::Float(a), Data::Float(b)) => a
            .partial_cmp(&b)
            .unwrap_or(Ordering::Equal)
            .then(a.total_cmp(&b)),
        (Data::Extended(a), Data::Extended(b)) => a.cmp(b),
        (Data::Extended(decimal), _) => match decimal.decimal_parts() {
            Some(parts) => compare_decimal(parts, b).unwrap_or_else(|| rank(a).cmp(&rank(b))),
            None => rank(a).cmp(&rank(b)),
        },
        (_, Data::Extended(_)) => compare_scalars(b, a).reverse(),
        (Data::Float(float), _) => match integer(b) {
            Some(int) => compare_integer(int, float).reverse(),
            None => rank(a).cmp(&rank(b)),
        },
        (_, Data::Float(float)) => match integer(a) {
            Some(int) => compare_integer(int, float),
            None => rank(a).cmp(&rank(b)),
        },
        _ => rank(a)
            .cmp(&rank(b))
            .then_with(|| integer(a).cmp(&integer(b))),
    }
}

/// With an integer or a float, by value, and the decimal last where they are equal. None for no number.
fn compare_decimal(decimal: Parts, number: Data<'_>) -> Option<Ordering> {
    let ordering = match number {
        Data::Float(float) => decimal.compare_float(float),
        _ => decimal.compare_integer(integer(number)?),
    };
    Some(ordering.then(Ordering::Greater))
}

fn integer(data: Data<'_>) -> Option<i128> {
    match data {
        Data::Int(int) => Some(int.into()),
        Data::Uint(uint) => Some(uint.into()),
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
