//! Numbers and equality as JSON Schema has them: by mathematical value.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::json::{JsonNumber, cmp};
use serde_json::Value as Json;

use super::instance::text;
use crate::extended::Extended;
use crate::value::Repr;
use crate::value_ref::Data;
use crate::{Kind, Transform, Value, ValueRef};

/// A number, in the form the value has it.
pub(super) enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Beyond 64 bits, the nearest float.
    Whole(f64),
}

impl Number {
    pub(super) fn of_size(size: u64) -> Number {
        i64::try_from(size).map_or(Number::Uint(size), Number::Int)
    }

    pub(super) fn of(value: ValueRef<'_>) -> Option<Number> {
        Some(match value.data() {
            Data::Int(int) => Number::Int(int),
            Data::Uint(uint) => Number::Uint(uint),
            Data::Float(float) => Number::Float(float),
            Data::Extended(decimal @ Extended::Decimal { .. }) => match decimal.whole() {
                Some(whole) => match (i64::try_from(whole), u64::try_from(whole)) {
                    (Ok(int), _) => Number::Int(int),
                    (_, Ok(uint)) => Number::Uint(uint),
                    _ => Number::Whole(whole as f64),
                },
                None => Number::Float(decimal.to_string().parse().ok()?),
            },
            _ => return None,
        })
    }
}

impl JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Number::Int(int) => u64::try_from(*int).ok(),
            Number::Uint(uint) => Some(*uint),
            Number::Float(_) | Number::Whole(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(*int),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(match self {
            Number::Int(int) => *int as f64,
            Number::Uint(uint) => *uint as f64,
            Number::Float(float) | Number::Whole(float) => *float,
        })
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_number().to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match self {
            Number::Int(int) => (*int).into(),
            Number::Uint(uint) => (*uint).into(),
            // Floats of values are finite.
            Number::Float(float) | Number::Whole(float) => {
                serde_json::Number::from_f64(*float).unwrap_or(0.into())
            }
        })
    }

    fn is_integer(&self) -> bool {
        match self {
            Number::Int(_) | Number::Uint(_) | Number::Whole(_) => true,
            Number::Float(float) => float.fract() == 0.0,
        }
    }

    fn is_written_as_integer(&self) -> bool {
        !matches!(self, Number::Float(_))
    }
}

/// Recurses on the schema's side, which is never nested deeper than a schema may be.
pub(super) fn equal(value: ValueRef<'_>, expected: &Json) -> bool {
    if let Some(file) = value.as_file() {
        return file.to_serde_json() == *expected;
    }
    match expected {
        Json::Null => value.is_null(),
        Json::Bool(bool) => value.as_bool() == Some(*bool),
        Json::Number(number) => {
            Number::of(value).is_some_and(|found| cmp::equal_numbers(&found, number))
        }
        Json::String(expected) => text(value).is_some_and(|found| found == *expected),
        Json::Array(items) => {
            value.kind() == Kind::Array
                && value.len() == items.len()
                && value
                    .items()
                    .zip(items)
                    .all(|(value, item)| equal(value, item))
        }
        Json::Object(entries) => {
            value.kind() == Kind::Object
                && value.len() == entries.len()
                && entries.iter().all(|(key, expected)| {
                    value.get(key).is_some_and(|value| equal(value, expected))
                })
        }
    }
}

/// Whether no two items are equal. O(size) on average. `enter` is asked before each value is looked at, at any depth,
/// and may end it: then they count as unique.
pub(super) fn is_unique(array: ValueRef<'_>, enter: impl Fn() -> bool) -> bool {
    let mut seen = HashSet::with_capacity(array.len());
    for item in array.items() {
        if !item.walk().all(|_| enter()) {
            return true;
        }
        if !seen.insert(plain(item)) {
            return false;
        }
    }
    true
}

/// The value with everything in one form, so that its own equality is that of JSON Schema. Shares what is so
/// already, which is nearly everything.
fn plain(value: ValueRef<'_>) -> Value {
    let whole = value.to_value();
    if value
        .walk()
        .all(|inner| plain_scalar(inner.value).is_none())
    {
        return whole;
    }
    let plain = whole.transform(|inner| match plain_scalar(inner) {
        Some(scalar) => Transform::Replace(scalar),
        None => Transform::Keep,
    });
    // It fails only for a file as deep as a value can be, and nothing is removed.
    plain.ok().flatten().unwrap_or(whole)
}

/// What stands for this scalar: an integer for any whole number, a float for a decimal that has the same digits, and
/// what other kinds that JSON lacks count as; or none for itself and for a container.
fn plain_scalar(value: ValueRef<'_>) -> Option<Value> {
    match value.data() {
        Data::Float(float) if float.fract() == 0.0 => integer(float as i128),
        Data::Extended(decimal @ Extended::Decimal { .. }) => {
            if let Some(integer) = decimal.whole().and_then(integer) {
                return Some(integer);
            }
            if let Some(float) = decimal.exact_number() {
                return Value::from_f64(float);
            }
            let mut parts = decimal.decimal_parts()?;
            while parts.scale > 0 && parts.digits % 10 == 0 {
                parts.digits /= 10;
                parts.scale -= 1;
            }
            let short = Extended::decimal(parts.negative, parts.digits, parts.scale)?;
            Some(Value(Repr::Extended(short)))
        }
        Data::Extended(Extended::File(file)) => Some(Value::from(file.to_serde_json())),
        Data::Extended(_) | Data::Bytes(_) => text(value).map(Value::from),
        _ => None,
    }
}

fn integer(int: i128) -> Option<Value> {
    let signed = i64::try_from(int).map(Value::from);
    signed.or_else(|_| u64::try_from(int).map(Value::from)).ok()
}
