//! Equality as JSON has it: by numeric value, whatever kind of number holds it.

use std::cmp::Ordering;

use crate::kinds::parts::Parts;
use crate::{Kind, ValueRef};

impl<'a> ValueRef<'a> {
    /// Whether both are the same JSON value, as the `test` operation of RFC 6902 §4.6 means it: numbers are
    /// equal if their numeric values are (`1`, `1.0` and the decimal `1.00`; `0.0` and `-0.0`), everything else as
    /// with `==`.
    ///
    /// O(size of the smaller); what both share is skipped.
    ///
    /// ```
    /// use statewright_value::value;
    /// let (a, b) = (value!({ "x": [1, 2] }), value!({ "x": [1.0, 2] }));
    /// assert_ne!(a, b);
    /// assert!(a.by_ref().json_eq(b.by_ref()));
    /// ```
    pub fn json_eq(self, other: ValueRef<'_>) -> bool {
        let mut pending = Vec::new();
        let mut pair = Some((self, other));
        while let Some((a, b)) = pair {
            if !equal_here(a, b) {
                return false;
            }
            if !a.same(b) {
                match a.kind() {
                    Kind::Array => pending.extend(a.items().zip(b.items())),
                    Kind::Object => {
                        for (key, value) in a.entries() {
                            match b.get(key) {
                                Some(other) => pending.push((value, other)),
                                None => return false,
                            }
                        }
                    }
                    _ => {}
                }
            }
            pair = pending.pop();
        }
        true
    }

    /// How two numbers compare by exact numeric value, whatever kinds they are of: equal for `1` and `1.0`.
    /// None if one of them is no number. O(1).
    ///
    /// ```
    /// use std::cmp::Ordering;
    /// use statewright_value::value;
    /// let (big, float) = (value!(9_007_199_254_740_993_i64), value!(9_007_199_254_740_992.0));
    /// assert_eq!(big.by_ref().compare_number(float.by_ref()), Some(Ordering::Greater));
    /// assert_eq!(value!(1).by_ref().compare_number(value!(1.0).by_ref()), Some(Ordering::Equal));
    /// assert_eq!(value!(1).by_ref().compare_number(value!("1").by_ref()), None);
    /// ```
    pub fn compare_number(self, other: ValueRef<'_>) -> Option<Ordering> {
        Some(Number::of(self)?.compare(Number::of(other)?))
    }
}

/// A number of any kind.
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
    Decimal(Parts),
}

impl Number {
    pub(crate) fn of(value: ValueRef<'_>) -> Option<Number> {
        match value.kind() {
            Kind::Integer => integer(value).map(Number::Integer),
            Kind::Float => value.as_f64().map(Number::Float),
            Kind::Decimal => decimal(value).map(Number::Decimal),
            _ => None,
        }
    }

    /// By value, exactly. Floats are finite.
    pub(crate) fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Number::Decimal(a), Number::Decimal(b)) => a.compare(b),
            (Number::Integer(a), Number::Float(b)) => compare_integer(a, b),
            (Number::Float(a), Number::Integer(b)) => compare_integer(b, a).reverse(),
            (Number::Decimal(a), Number::Integer(b)) => a.compare_integer(b),
            (Number::Integer(a), Number::Decimal(b)) => b.compare_integer(a).reverse(),
            (Number::Decimal(a), Number::Float(b)) => a.compare_float(b),
            (Number::Float(a), Number::Decimal(b)) => b.compare_float(a).reverse(),
        }
    }
}

fn decimal(value: ValueRef<'_>) -> Option<Parts> {
    value.extended()?.decimal_parts()
}

/// An integer of either range.
pub(crate) fn integer(value: ValueRef<'_>) -> Option<i128> {
    let signed = value.as_i64().map(i128::from);
    signed.or_else(|| value.as_u64().map(i128::from))
}

/// Exact. A cast of a float beyond `i128` saturates, which orders it beyond every 64-bit integer.
fn compare_integer(int: i128, float: f64) -> Ordering {
    let whole = float.trunc();
    int.cmp(&(whole as i128))
        .then_with(|| whole.partial_cmp(&float).unwrap_or(Ordering::Equal))
}

/// Whether both are equal without a look at what they hold.
fn equal_here(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Array, Kind::Array) | (Kind::Object, Kind::Object) => a.len() == b.len(),
        (Kind::Array | Kind::Object, _) | (_, Kind::Array | Kind::Object) => false,
        _ => match a.compare_number(b) {
            Some(ordering) => ordering == Ordering::Equal,
            None => a == b,
        },
    }
}
