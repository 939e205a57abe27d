//! CBOR (RFC 8949): the decoder, which never trusts a declared length, and the encoder.
//!
//! | kind | in CBOR |
//! | --- | --- |
//! | null, boolean, integer, text, bytes, array, object | as such (major types 0 to 5 and 7) |
//! | float | the shortest of half, single and double precision that holds it |
//! | decimal | decimal fraction, tag 4; a whole one beyond the integers as a plain integer or bignum (tags 2, 3) |
//! | date | days since 1970, tag 100 (RFC 8943); read from text too (tag 1004) |
//! | time | tag 27 (serialised object): `["statewright/time", nanoseconds since midnight]` |
//! | datetime | in UTC, if a number tells it exactly: seconds since 1970, tag 1; else RFC 3339 text, tag 0 |
//! | duration | seconds and nanoseconds, tag 1002 (RFC 9581) |
//! | file | tag 27: `["statewright/file", {its fields}]` |
//!
//! The tags 21 to 24, 32 to 36 and 55799 only say how to look at what follows, and are dropped. Every other
//! tag would change its meaning, and is refused.

mod read;
mod tags;
mod write;

use crate::{Error, Limits, Result, Value};

const DATETIME_TEXT: u64 = 0;
const DATETIME_NUMBER: u64 = 1;
const BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;
const DECIMAL: u64 = 4;
const OBJECT: u64 = 27;
const DAYS: u64 = 100;
const DURATION: u64 = 1002;
const DATE_TEXT: u64 = 1004;

const TIME_NAME: &str = "statewright/time";
const FILE_NAME: &str = "statewright/file";

/// CBOR; feature `cbor`.
impl Value {
    /// Decodes exactly one data item, within [`Limits::default`]; O(length).
    ///
    /// Definite and indefinite lengths, integers and floats of every width. Bignums become integers where
    /// they fit and decimals where those fit. Of equal keys the last value wins, at the position of the first.
    /// Of the tags, those are read that stand for a kind of value (0 to 4, 27, 100, 1002, 1004), and 21 to 24,
    /// 32 to 36 and 55799 are dropped.
    ///
    /// # Errors
    /// [`Error::InvalidCbor`] with the byte offset for what is not well-formed, also when bytes are left
    /// over; [`Error::NotRepresentable`] for what a value cannot hold: `undefined` and other simple values,
    /// NaN and infinities, keys that are not text, bignums of more than 96 bits, other tags;
    /// [`Error::Limit`].
    ///
    /// ```
    /// # use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let value = value!({ "a": 1, "b": [2, 1.5] });
    /// assert_eq!(value.to_cbor(), b"\xa2\x61a\x01\x61b\x82\x02\xf9\x3e\x00");
    /// assert_eq!(Value::from_cbor(&value.to_cbor())?, value);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_cbor(bytes: &[u8]) -> Result<Value> {
        Value::from_cbor_with(bytes, &Limits::default())
    }

    /// As [`Value::from_cbor`], within the given limits.
    ///
    /// # Errors
    /// As [`Value::from_cbor`].
    pub fn from_cbor_with(bytes: &[u8], limits: &Limits) -> Result<Value> {
        let mut rest = bytes;
        let value = Value::read_cbor(&mut rest, limits)?;
        if !rest.is_empty() {
            let reason = format!("{} bytes are left after the value", rest.len()).into();
            return Err(Error::InvalidCbor {
                offset: bytes.len() - rest.len(),
                reason,
            });
        }
        Ok(value)
    }

    /// Decodes one data item from the front of `bytes`, as in a CBOR sequence (RFC 8742), and moves `bytes`
    /// past it; on an error `bytes` stays. Memory grows with the bytes read, whatever lengths they declare.
    ///
    /// # Errors
    /// As [`Value::from_cbor`], but bytes after the item are left for the next call.
    pub fn read_cbor(bytes: &mut &[u8], limits: &Limits) -> Result<Value> {
        let (value, end) = read::read(bytes, limits)?;
        *bytes = bytes.get(end..).unwrap_or_default();
        Ok(value)
    }

    /// Encodes as CBOR, which decodes to an equal value: objects in insertion order, definite lengths, and
    /// every number in its shortest form (preferred serialization, RFC 8949, section 4.1). O(size).
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_cbor(&mut out);
        out
    }

    /// Appends CBOR to `out`, as [`Value::to_cbor`]. O(size).
    pub fn write_cbor(&self, out: &mut Vec<u8>) {
        write::write(out, self.by_ref(), None);
    }

    /// Encodes as [`Value::to_cbor`], with the keys of every object sorted: the core deterministic encoding
    /// (RFC 8949, section 4.2.1), so that equal values have equal bytes and unequal ones do not. O(size × log of
    /// the largest object).
    pub fn to_deterministic_cbor(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // By the bytes of the encoded key: its length comes first.
        let order = |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        write::write(&mut out, self.by_ref(), Some(order));
        out
    }
}
