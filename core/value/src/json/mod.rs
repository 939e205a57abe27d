//! JSON (RFC 8259): reading into the packed form, and printing.

mod number;
mod print;
mod read;
mod scan;

use std::sync::Arc;

use crate::build::within;
use crate::encode::encode;
use crate::value_ref::ValueRef;
use crate::{Error, Limits, Result, Value};
use print::{Compact, Printer};
pub(crate) use print::{bytes_as_json, bytes_to_base64, string_to_json};
#[cfg(feature = "toml")]
pub(crate) use read::place;

/// The key under which bytes print in JSON.
pub(crate) const BYTES_KEY: &str = "$bytes";

/// JSON.
impl Value {
    /// Parses one JSON text within [`Limits::default`]; O(length).
    ///
    /// Strictly the grammar of RFC 8259 (§2 to §7; any value may stand alone), in UTF-8 without a byte order mark
    /// (§8.1). Of equal keys, which §4 leaves open, the last value wins, at the position of the first. Integers
    /// outside the range of `i64` and `u64` become the nearest float (§6).
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(Value::from_json(r#"{"a": [1, 2.5, null]}"#)?, value!({ "a": [1, 2.5, null] }));
    /// let error = Value::from_json("[1,\n 2,]").unwrap_err();
    /// assert_eq!((error.code(), error.to_string().contains("line 2, column 4")), (200, true));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidJson`] with line and column, also for a lone surrogate and for a number beyond the
    /// floats (`1e400`); [`Error::Limit`].
    pub fn from_json(json: impl JsonText) -> Result<Value> {
        Value::from_json_with(json, &Limits::default())
    }

    /// As [`Value::from_json`], within the given limits.
    ///
    /// # Errors
    /// As [`Value::from_json`].
    pub fn from_json_with<T: JsonText>(json: T, limits: &Limits) -> Result<Value> {
        Value::from_json_within(json, limits, limits.depth())
    }

    /// As [`Value::from_json_with`], but for a limit of the nesting that may be beyond [`MAX_DEPTH`](crate::MAX_DEPTH):
    /// for texts that nest deeper than what they stand for.
    pub(crate) fn from_json_within<T: JsonText>(
        json: T,
        limits: &Limits,
        depth: usize,
    ) -> Result<Value> {
        let bytes = json.as_ref();
        within("length of the JSON text", bytes.len(), limits.max_bytes)
            .map_err(|exceeded| exceeded.at(format_args!("found {} bytes", bytes.len())))?;
        if !T::IS_UTF8
            && let Err(error) = std::str::from_utf8(bytes)
        {
            let (line, column) = read::place(bytes, error.valid_up_to());
            return Err(Error::InvalidJson {
                line,
                column,
                reason: "the text is not UTF-8".into(),
            });
        }
        read::read(bytes, limits, depth)
    }

    /// Prints compact JSON, which parses back to an equal value, unless there are kinds in it that JSON lacks.
    ///
    /// JSON has no byte strings: they print as `{"$bytes":"<base64>"}` (RFC 4648, padded), one way: parsing
    /// gives that object back. Decimals print as numbers with all their digits, dates, times, datetimes and
    /// durations as text (ISO 8601, RFC 3339), files as objects. See `Value::to_typed_json` for a form in
    /// which every kind reads back. Floats always print with a fraction or an exponent, in the shortest form
    /// that reads back exactly. O(size).
    ///
    /// ```
    /// use statewright_value::value;
    /// assert_eq!(value!({ "a": [1, 2.0, "x\n"] }).to_json(), r#"{"a":[1,2.0,"x\n"]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// Prints JSON with two spaces of indentation per level. O(size × depth).
    pub fn to_json_pretty(&self) -> String {
        let mut out = Vec::new();
        Printer {
            out: &mut out,
            indent: Some(0),
            first: true,
        }
        .print(self.by_ref());
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// Appends compact JSON to `out`, as [`Value::to_json`]. O(size).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        encode::<Compact>(out, self.by_ref());
    }
}

impl ValueRef<'_> {
    /// As [`Value::to_json`].
    pub fn to_json(self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// As [`Value::to_json_pretty`].
    pub fn to_json_pretty(self) -> String {
        let mut out = Vec::new();
        Printer {
            out: &mut out,
            indent: Some(0),
            first: true,
        }
        .print(self);
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// As [`Value::write_json`].
    pub fn write_json(self, out: &mut Vec<u8>) {
        encode::<Compact>(out, self);
    }
}

/// What JSON can be read from: text, which is known to be UTF-8, or bytes, which are checked first.
pub trait JsonText: AsRef<[u8]> + sealed::Sealed {
    /// Whether the type holds UTF-8 only.
    #[doc(hidden)]
    const IS_UTF8: bool;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! json_text {
    ($($is_utf8:literal: $($source:ty),+);+) => {$($(
        impl sealed::Sealed for $source {}
        impl JsonText for $source {
            const IS_UTF8: bool = $is_utf8;
        }
    )+)+};
}

json_text!(true: str, String; false: [u8], Vec<u8>, Box<[u8]>, Arc<[u8]>);

impl<const N: usize> sealed::Sealed for [u8; N] {}

impl<const N: usize> JsonText for [u8; N] {
    const IS_UTF8: bool = false;
}

impl<T: sealed::Sealed + ?Sized> sealed::Sealed for &T {}

impl<T: JsonText + ?Sized> JsonText for &T {
    const IS_UTF8: bool = T::IS_UTF8;
}
