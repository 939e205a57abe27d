//! Ids that come from outside, and ids that are made here.

use std::fmt;
use std::ops::Deref;

use statewright_log::{Env, Timestamp};

use crate::error::{Error, Result};

const MAX_CASE_ID: usize = 128;
/// Crockford's base 32: sorts as the numbers do, and has no letters that look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether text can be a case's id: 1 to 128 of `A-Z a-z 0-9 . _ -`.
pub(crate) fn is_case_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=MAX_CASE_ID).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether text can be the id of a case, given, called by another or started by a schedule: those have the caller's id,
/// `~` and a number, or the flow's name, `@` and a time.
pub(crate) fn is_any_case_id(text: &str) -> bool {
    let mut parts = text.split('~');
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let first = |part: &str| is_case_id(part) || scheduled_flow(part).is_some_and(is_case_id);
    parts.next().is_some_and(first) && parts.all(number)
}

/// A new case id: 9 characters of milliseconds and 7 random ones, so ids sort by time. It is in every key of the case,
/// so it is short; whoever makes a case of it tries again if there is one already.
pub(crate) fn new_case_id(env: &Env) -> Result<String> {
    let millis = u64::try_from(env.clock.now().as_micros() / 1000).unwrap_or(0);
    Ok([&*digits(millis, 9), &*digits(random(env)?, 7)].concat())
}

/// The id of the case that item `number` of another calls. `~` is in no id that a user can give.
pub(crate) fn child(case: &str, number: u64) -> String {
    format!("{case}~{number}")
}

/// The id of the case that a schedule starts at a due time, in the UTC: `nightly@20260131T090000Z`, with microseconds
/// if there are some. `@` is in no id that a user can give.
pub(crate) fn scheduled(flow: &str, due: Timestamp) -> String {
    let time: String = due.to_string();
    let time = time.replace(['-', ':'], "");
    format!("{flow}@{time}")
}

/// The flow that a case was started of by its schedule.
pub(crate) fn scheduled_flow(case: &str) -> Option<&str> {
    let (flow, due) = case.split_once('@')?;
    let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b'.');
    (!due.is_empty() && due.bytes().all(digits)).then_some(flow)
}

/// The case that a case was called by, over any number of others; itself if nobody called it.
pub(crate) fn root(case: &str) -> &str {
    case.split('~').next().unwrap_or_default()
}

/// What only the holder of a claim knows: 60 random bits. A claim lasts for minutes and a guess costs a transaction.
pub(crate) fn new_nonce(env: &Env) -> Result<String> {
    Ok(digits(random(env)?, 12).to_string())
}

/// What a store signs claims with.
pub(crate) fn new_secret(env: &Env) -> Result<[u8; 32]> {
    let mut secret = [0; 32];
    for part in secret.chunks_mut(8) {
        part.copy_from_slice(&random(env)?.to_le_bytes());
    }
    Ok(secret)
}

fn random(env: &Env) -> Result<u64> {
    env.random
        .u64()
        .map_err(|e| Error::Random { why: e.to_string() })
}

/// The lowest `count` digits of 5 bits each: as text they sort as the numbers do. There are 13 in a number.
pub(crate) fn digits(number: u64, count: usize) -> Digits {
    let mut rest = number;
    Digits::from_last(count.min(13), || {
        let digit = DIGITS.get((rest & 31) as usize);
        rest >>= 5;
        digit.copied().unwrap_or(b'0')
    })
}

/// A short text of digits, without an allocation: most keys have two.
pub(crate) struct Digits {
    text: [u8; Digits::MOST],
    first: usize,
}

impl Digits {
    /// As many as a number has, with a letter before them.
    pub const MOST: usize = 21;

    /// So many digits, of which `digit` gives the last one first.
    pub fn from_last(count: usize, mut digit: impl FnMut() -> u8) -> Digits {
        let mut text = [0; Digits::MOST];
        for slot in text.iter_mut().rev().take(count) {
            *slot = digit();
        }
        let first = text.len().saturating_sub(count);
        Digits { text, first }
    }
}

impl Deref for Digits {
    type Target = str;

    fn deref(&self) -> &str {
        ascii(self.text.get(self.first..).unwrap_or_default())
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Bytes that are ASCII, as text.
pub(crate) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Reads [`digits`] back.
pub(crate) fn from_digits(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|d| *d == byte)?;
        Some((number << 5) | digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_number_and_are_case_ids() {
        assert_eq!(&*digits(0, 3), "000");
        assert_eq!(&*digits(33, 3), "011");
        assert_eq!(from_digits(&digits(123_456_789, 11)), Some(123_456_789));
        assert_eq!(from_digits("0u1"), None);
        assert!(*digits(1_700_000_000_000, 10) < *digits(1_700_000_000_001, 10));
        let id = new_case_id(&Env::real()).unwrap();
        assert!(is_case_id(&id) && id.len() == 16);
        for bad in ["", "a/b", "ä", "a b", &"x".repeat(129)] {
            assert!(!is_case_id(bad));
        }
        assert!(is_any_case_id("a~1~22") && !is_case_id("a~1"));
        let id = scheduled("a-b", Timestamp::from_micros(1_500_000));
        assert_eq!(id, "a-b@19700101T000001.5Z");
        assert!(is_any_case_id(&id) && !is_case_id(&id));
        assert_eq!(scheduled_flow(&id), Some("a-b"));
        assert_eq!(scheduled_flow(&child(&id, 1)), None);
        for bad in ["~1", "a~", "a~b", "a~1~", "@1", "a@", "a@b", "a@1@2"] {
            assert!(!is_any_case_id(bad), "{bad}");
        }
    }
}
