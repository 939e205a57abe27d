//! Arithmetic on [`Json`]: what `+ - * / %` mean for each kind of value, each at the price of its result.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use jaq_core::{Error, ops};
use statewright_value::{Kind, Value};

use super::compare::equal;
use super::meter;
use super::number::Number;
use super::value::{Json, Result, fail};

impl Add for Json {
    type Output = Result;

    fn add(self, other: Self) -> Result {
        meter::charge(1)?;
        if self.0.is_null() {
            return Ok(other);
        }
        if other.0.is_null() {
            return Ok(self);
        }
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return Json::from_number(a.combine(b, i128::checked_add, |a, b| a + b));
        }
        match (self.kind(), other.kind()) {
            (Kind::Text, Kind::Text) => {
                meter::charge_text(self.0.len() + other.0.len())?;
                Ok(Json(Value::from(
                    [self.try_str()?, other.try_str()?].concat(),
                )))
            }
            (Kind::Array, Kind::Array) => {
                let mut sum = self;
                meter::check_len(sum.0.len() + other.0.len())?;
                // Appends in place when nobody else holds the left side; a copy is charged by its length.
                meter::charge((sum.0.len() as u64) / 256 + other.0.len() as u64)?;
                for item in other.0.items() {
                    sum.0
                        .push(item)
                        .map_err(|_| Error::from(meter::too_deep()))?;
                }
                Ok(sum)
            }
            (Kind::Object, Kind::Object) => {
                let mut sum = self;
                meter::check_len(sum.0.len() + other.0.len())?;
                meter::charge((sum.0.len() as u64) / 256 + other.0.len() as u64)?;
                for (key, value) in other.0.entries() {
                    sum.insert(key, value)?;
                }
                Ok(sum)
            }
            _ => Err(Error::math(self, ops::Math::Add, other)),
        }
    }
}

impl Sub for Json {
    type Output = Result;

    fn sub(self, other: Self) -> Result {
        meter::charge(1)?;
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return Json::from_number(a.combine(b, i128::checked_sub, |a, b| a - b));
        }
        if self.kind() != Kind::Array || other.kind() != Kind::Array {
            return Err(Error::math(self, ops::Math::Sub, other));
        }
        let mut kept = Vec::new();
        for item in self.0.items() {
            let mut drop = false;
            for removed in other.0.items() {
                drop = drop || equal(&item, &removed)?;
            }
            if !drop {
                kept.push(item);
            }
        }
        Json::array(kept)
    }
}

impl Mul for Json {
    type Output = Result;

    fn mul(self, other: Self) -> Result {
        meter::charge(1)?;
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => {
                return Json::from_number(a.combine(b, i128::checked_mul, |a, b| a * b));
            }
            (None, Some(times)) if self.kind() == Kind::Text => return self.repeat(times),
            (Some(times), None) if other.kind() == Kind::Text => return other.repeat(times),
            _ => {}
        }
        if self.kind() == Kind::Object && other.kind() == Kind::Object {
            return merge(self, &other.0);
        }
        Err(Error::math(self, ops::Math::Mul, other))
    }
}

impl Json {
    /// The text `times` times; null when that is not at least once, as in jq.
    fn repeat(self, times: Number) -> Result {
        let times = times.float().ceil();
        if times <= 0.0 {
            return Ok(Json(Value::NULL));
        }
        let text = self.try_str()?;
        let length = text.len() as f64 * times;
        meter::charge_text(if length < 1e15 {
            length as usize
        } else {
            usize::MAX
        })?;
        Ok(Json(Value::from(text.repeat(times as usize))))
    }
}

/// jq's `*` on objects: entries of `other` win, objects are merged recursively.
fn merge(mut into: Json, other: &Value) -> Result {
    meter::charge(1 + into.0.len() as u64 / 256)?;
    for (key, value) in other.entries() {
        meter::charge(1)?;
        let value = match into.0.get(key) {
            Some(old) if old.kind() == Kind::Object && value.kind() == Kind::Object => {
                merge(Json(old), &value)?.0
            }
            _ => value,
        };
        into.insert(key, value)?;
    }
    Ok(into)
}

impl Div for Json {
    type Output = Result;

    fn div(self, other: Self) -> Result {
        meter::charge(1)?;
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            if b.is_zero() {
                return fail(format_args!("cannot divide {self} by zero"));
            }
            let exact = |a: i128, b: i128| (a % b == 0).then(|| a / b);
            return Json::from_number(a.combine(b, exact, |a, b| a / b));
        }
        match (self.0.as_str(), other.0.as_str()) {
            (Some(text), Some(separator)) => split(text, separator),
            _ => Err(Error::math(self, ops::Math::Div, other)),
        }
    }
}

fn split(text: &str, separator: &str) -> Result {
    meter::charge_text(text.len())?;
    let parts: Vec<Value> = match separator {
        _ if text.is_empty() => Vec::new(),
        "" => text
            .chars()
            .map(|c| Value::text(c.encode_utf8(&mut [0; 4])))
            .collect(),
        _ => text.split(separator).map(Value::text).collect(),
    };
    Json::array(parts)
}

impl Rem for Json {
    type Output = Result;

    fn rem(self, other: Self) -> Result {
        meter::charge(1)?;
        let (Some(a), Some(b)) = (self.number(), other.number()) else {
            return Err(Error::math(self, ops::Math::Rem, other));
        };
        if b.is_zero() {
            return fail(format_args!("cannot take {self} modulo zero"));
        }
        Json::from_number(a.combine(b, i128::checked_rem, |a, b| a % b))
    }
}

impl Neg for Json {
    type Output = Result;

    fn neg(self) -> Result {
        meter::charge(1)?;
        match self.number() {
            Some(number) => {
                Json::from_number(Number::Integer(0).combine(number, i128::checked_sub, |_, b| -b))
            }
            None => fail(format_args!("cannot negate {self}")),
        }
    }
}
