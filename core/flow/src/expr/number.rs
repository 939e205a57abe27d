//! Numbers as jq expressions see them: exact integers where both sides are, floats otherwise.

use std::cmp::Ordering;

use statewright_value::{Kind, Value};

/// A number. Integers are what a [`Value`] holds exactly (`i64` and `u64` range), widened so that one
/// operation cannot overflow unnoticed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Number> {
        if let Some(integer) = value.as_i64() {
            return Some(Number::Integer(integer.into()));
        }
        if let Some(integer) = value.as_u64() {
            return Some(Number::Integer(integer.into()));
        }
        if value.kind() == Kind::Decimal {
            let text = value.to_json();
            let whole = text.parse::<i64>().map(i128::from);
            return match whole.or_else(|_| text.parse::<u64>().map(i128::from)) {
                Ok(whole) => Some(Number::Integer(whole)),
                Err(_) => text.parse().ok().map(Number::Float),
            };
        }
        value.as_f64().map(Number::Float)
    }

    pub(super) fn float(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }

    /// The value; an integer that no value can hold becomes the nearest float, and what no float can hold
    /// (infinity, NaN) is none.
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Number::Integer(integer) => i64::try_from(integer)
                .map(Value::from)
                .or_else(|_| u64::try_from(integer).map(Value::from))
                .ok()
                .or_else(|| Value::from_f64(integer as f64)),
            Number::Float(float) => Value::from_f64(float),
        }
    }

    /// Applies `integers` if both are integers and it does not overflow, else `floats`.
    pub(super) fn combine(
        self,
        other: Number,
        integers: fn(i128, i128) -> Option<i128>,
        floats: fn(f64, f64) -> f64,
    ) -> Number {
        let exact = match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => integers(a, b),
            _ => None,
        };
        exact.map_or_else(
            || Number::Float(floats(self.float(), other.float())),
            Number::Integer,
        )
    }

    pub(super) fn is_zero(self) -> bool {
        self.float() == 0.0
    }

    /// By numeric value, exactly: an integer is never rounded to be compared with a float.
    pub(super) fn order(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Number::Integer(a), Number::Float(b)) => order_mixed(a, b),
            (Number::Float(a), Number::Integer(b)) => order_mixed(b, a).reverse(),
        }
    }
}

fn order_mixed(integer: i128, float: f64) -> Ordering {
    // Integers here are below 2^64, so a float beyond 2^65 decides by its sign, and the others fit an i128.
    if float >= 2f64.powi(65) {
        return Ordering::Less;
    }
    if float <= -(2f64.powi(65)) {
        return Ordering::Greater;
    }
    let whole = float.floor();
    integer.cmp(&(whole as i128)).then(if float > whole {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

/// How much of a text or an array a bound selects: negative counts from the end, null is the default.
pub(super) fn bound(value: Option<&Value>, len: usize, default: usize) -> Option<usize> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Some(default);
    };
    let at = match Number::of(value)? {
        Number::Integer(integer) => integer,
        Number::Float(float) => float.floor() as i128,
    };
    let len = len as i128;
    let at = if at < 0 { at + len } else { at };
    usize::try_from(at.clamp(0, len)).ok()
}
