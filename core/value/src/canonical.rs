//! Canonical JSON (RFC 8785) and the content hash.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::extended::Extended;
use crate::json::{BYTES_KEY, bytes_to_base64, string_to_json};
use crate::kinds::parts::float_text;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Error, Key, Path, Result, Segment, Value};

/// Canonical forms.
impl Value {
    /// The one JSON text that RFC 8785 (JCS) gives to this content, for signatures and for comparing with
    /// other programs: no spaces, keys sorted by UTF-16 code units, numbers as ECMAScript prints them. O(size,
    /// and n log n in the entries of an object).
    ///
    /// Numbers are doubles there, so 1, 1.0 and the decimal 1.00 all print as `1`. What JSON lacks is printed
    /// as [`Value::to_json`] prints it. To compare values by all they hold, use [`Value::content_hash`].
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] with the path for a number that no double holds: an integer beyond ±2⁵³
    /// that no double is and none prints, a decimal with more digits than a double keeps.
    ///
    /// ```
    /// # use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let value = value!({ "b": 1e30, "a": [1.0, 0.000001, "é\n"] });
    /// assert_eq!(value.to_canonical_json()?, r#"{"a":[1,0.000001,"é\n"],"b":1e+30}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_canonical_json(&self) -> Result<String> {
        let mut printer = Printer {
            out: String::new(),
            open: Vec::new(),
            after_key: false,
        };
        for event in Walk::sorted_by(self.by_ref(), by_utf16) {
            printer.event(event)?;
        }
        Ok(printer.out)
    }

    /// The BLAKE3 hash of [`Value::canonical`]: equal values have equal hashes, and unequal ones do not but
    /// by a chance of 2⁻¹²⁸. It is the same on every machine and in every build. O(size).
    ///
    /// ```
    /// # use statewright_value::value;
    /// let (a, b) = (value!({ "x": 1, "y": 2 }), value!({ "y": 2, "x": 1 }));
    /// assert_eq!(a.content_hash(), b.content_hash());
    /// ```
    pub fn content_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.canonical()).as_bytes()
    }
}

/// RFC 8785, section 3.2.3.
fn by_utf16(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

struct Printer<'a> {
    out: String,
    open: Vec<Open<'a>>,
    /// Whether the next value follows its key.
    after_key: bool,
}

/// An open container.
struct Open<'a> {
    close: char,
    /// Values begun.
    len: usize,
    /// The last key.
    key: &'a str,
}

impl<'a> Printer<'a> {
    fn event(&mut self, event: Event<'a>) -> Result<()> {
        let begins = !matches!(event, Event::End) && !std::mem::take(&mut self.after_key);
        if begins && let Some(open) = self.open.last_mut() {
            if open.len > 0 {
                self.out.push(',');
            }
            open.len += 1;
        }
        match event {
            Event::Scalar(scalar) => {
                if let Err(reason) = self.scalar(scalar) {
                    return Err(Error::not_representable_at(self.path(), reason));
                }
            }
            Event::Array(_) => self.open('[', ']'),
            Event::Object(_) => self.open('{', '}'),
            Event::Key(key) => {
                self.out.push_str(&string_to_json(key));
                self.out.push(':');
                self.after_key = true;
                if let Some(open) = self.open.last_mut() {
                    open.key = key;
                }
            }
            Event::End => self.out.extend(self.open.pop().map(|open| open.close)),
        }
        Ok(())
    }

    fn open(&mut self, open: char, close: char) {
        self.out.push(open);
        self.open.push(Open {
            close,
            len: 0,
            key: "",
        });
    }

    fn scalar(&mut self, scalar: Data<'_>) -> Result<(), String> {
        match scalar {
            Data::Null | Data::Array | Data::Object => self.out.push_str("null"),
            Data::Bool(bool) => self.out.push_str(if bool { "true" } else { "false" }),
            Data::Int(int) => self.integer(int.into())?,
            Data::Uint(uint) => self.integer(uint.into())?,
            Data::Float(float) => number(&mut self.out, float),
            Data::Text(text) => self.out.push_str(&string_to_json(text)),
            Data::Bytes(bytes) => {
                let object = [(BYTES_KEY, Value::from(bytes_to_base64(bytes)))];
                self.out.push_str(&Value::from_iter(object).to_json());
            }
            Data::Extended(Extended::File(file)) => {
                // One level, of texts and numbers.
                let object = Value::from(file.to_serde_json()).to_canonical_json();
                self.out
                    .push_str(&object.map_err(|error| error.to_string())?);
            }
            Data::Extended(extended @ Extended::Decimal { .. }) => match extended.exact_number() {
                Some(float) => number(&mut self.out, float),
                None => return Err(rounded(extended)),
            },
            Data::Extended(extended) => self.out.push_str(&string_to_json(&extended.to_string())),
        }
        Ok(())
    }

    fn integer(&mut self, int: i128) -> Result<(), String> {
        let float = int as f64;
        let start = self.out.len();
        number(&mut self.out, float);
        // A large double prints digits that are not exactly its own; read back, they stand for it as well.
        let printed = self.out.get(start..).unwrap_or_default();
        match float as i128 == int || printed == int.to_string() {
            true => Ok(()),
            false => Err(rounded(int)),
        }
    }

    fn path(&self) -> Path {
        let segment = |open: &Open<'_>| match open.close {
            '}' => Segment::Key(Key::from(open.key)),
            _ => Segment::Index(open.len.saturating_sub(1)),
        };
        self.open.iter().map(segment).collect()
    }
}

fn rounded(number: impl std::fmt::Display) -> String {
    format!("canonical JSON has doubles, and none has all digits of {number}; use a text")
}

/// A double as ECMAScript prints it (ECMA-262, Number::toString), which RFC 8785 asks for: the shortest
/// digits that read back as the same double.
fn number(out: &mut String, float: f64) {
    if float == 0.0 {
        return out.push('0');
    }
    let printed = float_text(float);
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    // The number is 0.DIGITS × 10^point.
    let exponent = exponent.parse::<i32>().unwrap_or(0);
    let point = whole.len() as i32 - zeros as i32 + exponent;
    let digits = digits.trim_end_matches('0');
    let len = digits.len() as i32;
    out.push_str(sign);
    let split = |at: i32| digits.split_at_checked(at as usize).unwrap_or((digits, ""));
    // Writing to a String cannot fail.
    let _ = match point {
        _ if len <= point && point <= 21 => {
            write!(out, "{digits}{}", "0".repeat((point - len) as usize))
        }
        1..=21 => {
            let (whole, fraction) = split(point);
            write!(out, "{whole}.{fraction}")
        }
        -5..=0 => write!(out, "0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let (first, rest) = split(1);
            let dot = if rest.is_empty() { "" } else { "." };
            write!(out, "{first}{dot}{rest}e{:+}", point - 1)
        }
    };
}
