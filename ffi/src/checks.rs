//! What is given as a value: arrays, options, filters. One rule for all of them: what is of another kind than it must
//! be is `SW_WRONG_TYPE`; what is of the right kind and cannot be taken (out of range, unknown, missing) is
//! `SW_INVALID_ARGUMENT`. Both name the place.

use std::fmt::Display;

use statewright_value::{Kind, Value};

use crate::failure::{Failure, Result};
use crate::status::*;

/// It is of another kind than it must be.
pub(crate) fn wrong_kind(at: &str, wanted: &str, found: &Value) -> Failure {
    let message = format!("`{at}` must be {wanted}, not {}", found.kind());
    Failure::new(SW_WRONG_TYPE, message).at(at)
}

/// It cannot be taken: a sentence that begins with its name.
pub(crate) fn invalid(at: &str, why: impl Display) -> Failure {
    Failure::new(SW_INVALID_ARGUMENT, format!("`{at}` {why}")).at(at)
}

/// An object has a member that nobody knows.
pub(crate) fn unknown(of: &str, member: &str, known: &str) -> Failure {
    let message = format!("there is no `{of}.{member}`");
    let failure = Failure::new(SW_INVALID_ARGUMENT, message).at(format!("{of}.{member}"));
    failure.help(format!("there are {known}"))
}

pub(crate) fn array(at: &str, value: &Value) -> Result<()> {
    match value.kind() {
        Kind::Array => Ok(()),
        _ => Err(wrong_kind(at, "an array", value)),
    }
}

/// An object, or null, which is as good as an empty one.
pub(crate) fn object(at: &str, value: &Value) -> Result<()> {
    match value.kind() {
        Kind::Object | Kind::Null => Ok(()),
        _ => Err(wrong_kind(at, "an object", value)),
    }
}

pub(crate) fn text(at: &str, value: &Value) -> Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| wrong_kind(at, "text", value))
}

pub(crate) fn texts(at: &str, value: &Value) -> Result<Vec<String>> {
    array(at, value)?;
    let one = |(i, item): (usize, Value)| text(&format!("{at}[{i}]"), &item);
    value.items().enumerate().map(one).collect()
}

/// A whole number that is not negative.
pub(crate) fn count(at: &str, value: &Value) -> Result<u64> {
    if value.kind() != Kind::Integer {
        return Err(wrong_kind(at, "a whole number", value));
    }
    value
        .as_u64()
        .ok_or_else(|| invalid(at, "must not be negative"))
}

pub(crate) fn flag(at: &str, value: &Value) -> Result<bool> {
    value
        .as_bool()
        .ok_or_else(|| wrong_kind(at, "true or false", value))
}
