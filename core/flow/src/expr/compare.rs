//! jq's equality and order, and a sort whose comparison may fail.
//!
//! Not the order of [`Value`] itself: to jq `1` and `1.0` are the same number.

use std::cmp::Ordering;

use statewright_value::{Kind, Value};

use super::meter::{self, Trip};
use super::number::Number;
use super::value::{Json, is_seen};

/// null < false < true < numbers < strings < bytes < arrays < objects.
fn rank(value: &Value) -> u8 {
    match value.kind() {
        Kind::Null => 0,
        Kind::Bool if value.as_bool() == Some(false) => 1,
        Kind::Bool => 2,
        Kind::Integer | Kind::Float | Kind::Decimal => 3,
        Kind::Text => 4,
        Kind::Bytes => 5,
        Kind::Array => 6,
        _ => 7,
    }
}

/// jq's order: arrays item by item; objects first by their sorted keys, then by the values in that order.
pub(super) fn compare(a: &Value, b: &Value) -> Result<Ordering, Trip> {
    meter::charge(1)?;
    if !is_seen(a) || !is_seen(b) {
        return compare(&Json::seen(a.clone()).0, &Json::seen(b.clone()).0);
    }
    let by_kind = rank(a).cmp(&rank(b));
    if by_kind != Ordering::Equal {
        return Ok(by_kind);
    }
    match a.kind() {
        Kind::Text => {
            meter::charge_text(a.len().min(b.len()))?;
            Ok(a.as_str().cmp(&b.as_str()))
        }
        Kind::Bytes => {
            meter::charge_text(a.len().min(b.len()))?;
            Ok(a.as_bytes().cmp(&b.as_bytes()))
        }
        Kind::Array => compare_all(a.items(), b.items()),
        Kind::Object => {
            let (a, b) = (sorted(a)?, sorted(b)?);
            let keys = a
                .iter()
                .map(|(key, _)| key)
                .cmp(b.iter().map(|(key, _)| key));
            if keys != Ordering::Equal {
                return Ok(keys);
            }
            compare_all(
                a.into_iter().map(|(_, value)| value),
                b.into_iter().map(|(_, value)| value),
            )
        }
        _ => Ok(match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.order(b),
            _ => Ordering::Equal,
        }),
    }
}

fn compare_all(
    mut a: impl Iterator<Item = Value>,
    mut b: impl Iterator<Item = Value>,
) -> Result<Ordering, Trip> {
    loop {
        let ordering = match (a.next(), b.next()) {
            (None, None) => return Ok(Ordering::Equal),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare(&a, &b)?,
        };
        if ordering != Ordering::Equal {
            return Ok(ordering);
        }
    }
}

fn sorted(object: &Value) -> Result<Vec<(&str, Value)>, Trip> {
    meter::charge(object.len() as u64 * 2)?;
    let mut entries: Vec<_> = object.entries().collect();
    entries.sort_by_key(|(key, _)| *key);
    Ok(entries)
}

/// jq's equality.
pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, Trip> {
    if a.kind() == Kind::Object && b.kind() == Kind::Object {
        meter::charge(1)?;
        if a.len() != b.len() {
            return Ok(false);
        }
        for (key, value) in a.entries() {
            match b.get(key) {
                Some(other) if equal(&value, &other)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    if a.kind() == Kind::Array && b.kind() == Kind::Array {
        meter::charge(1)?;
        if a.len() != b.len() {
            return Ok(false);
        }
        for (item, other) in a.items().zip(b.items()) {
            if !equal(&item, &other)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    Ok(compare(a, b)? == Ordering::Equal)
}

/// Stable merge sort that stops at the first failing comparison. The standard sort cannot: it may panic when a
/// comparison changes its mind, and one that has run out of steps has to.
pub(super) fn sort<T, E>(
    items: Vec<T>,
    order: &impl Fn(&T, &T) -> Result<Ordering, E>,
) -> Result<Vec<T>, E> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let mut left = sort(left, order)?.into_iter().peekable();
    let mut right = sort(right, order)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let from_right = order(b, a)? == Ordering::Less;
        merged.extend(if from_right {
            right.next()
        } else {
            left.next()
        });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
