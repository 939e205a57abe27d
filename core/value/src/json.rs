//! JSON (RFC 8259): a parser without recursion, and the printer.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::build::{Builder, Exceeded, Frame, within};
use crate::value::Repr;
use crate::walk::{Event, Walk};
use crate::{Error, Limits, Result, Value};

/// The key under which bytes print in JSON.
pub(crate) const BYTES_KEY: &str = "$bytes";

/// JSON.
impl Value {
    /// Parses one JSON text within [`Limits::default`]; O(length).
    ///
    /// Strictly RFC 8259, UTF-8, no byte order mark. Of equal keys the last value wins, at the position of
    /// the first. Integers outside the range of `i64` and `u64` become the nearest float.
    ///
    /// # Errors
    /// [`Error::InvalidJson`] with line and column, also for a lone surrogate and for a number beyond the
    /// floats (`1e400`); [`Error::Limit`].
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Value> {
        Value::from_json_with(json, &Limits::default())
    }

    /// As [`Value::from_json`], within the given limits.
    ///
    /// # Errors
    /// As [`Value::from_json`].
    pub fn from_json_with(json: impl AsRef<[u8]>, limits: &Limits) -> Result<Value> {
        let bytes = json.as_ref();
        within("length of the JSON text", bytes.len(), limits.max_bytes)
            .map_err(|exceeded| exceeded.at(format_args!("found {} bytes", bytes.len())))?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Parser {
                text,
                pos: 0,
                builder: Builder::new(limits),
            }
            .document(),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let (line, column) = line_and_column(&String::from_utf8_lossy(valid));
                Err(Error::InvalidJson {
                    line,
                    column,
                    reason: "the text is not UTF-8".into(),
                })
            }
        }
    }

    /// Prints compact JSON, which parses back to an equal value, unless there are kinds in it that JSON lacks.
    ///
    /// JSON has no byte strings: they print as `{"$bytes":"<base64>"}` (RFC 4648, padded), one way: parsing
    /// gives that object back. Decimals print as numbers with all their digits, dates, times, datetimes and
    /// durations as text (ISO 8601, RFC 3339), files as objects. See `Value::to_typed_json` for a form in
    /// which every kind reads back. Floats always print with a fraction or an exponent, in the shortest form
    /// that reads back exactly.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// Prints JSON with two spaces of indentation per level.
    pub fn to_json_pretty(&self) -> String {
        let mut out = Vec::new();
        Printer {
            out: &mut out,
            indent: Some(0),
            first: true,
        }
        .print(self);
        String::from_utf8(out).unwrap_or_default() // always UTF-8
    }

    /// Appends compact JSON to `out`, as [`Value::to_json`].
    pub fn write_json(&self, out: &mut Vec<u8>) {
        Printer {
            out,
            indent: None,
            first: true,
        }
        .print(self);
    }
}

/// What bytes are in JSON.
pub(crate) fn bytes_as_json(bytes: &[u8]) -> serde_json::Value {
    serde_json::Value::Object(
        [(BYTES_KEY.to_owned(), bytes_to_base64(bytes).into())]
            .into_iter()
            .collect(),
    )
}

pub(crate) fn bytes_to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A JSON string literal.
pub(crate) fn string_to_json(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default() // always UTF-8
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail, neither here nor below.
    let _ = serde_json::to_writer(out, text);
}

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    /// The current level when pretty-printing.
    indent: Option<usize>,
    /// Whether nothing precedes the next value in its container, or a key does.
    first: bool,
}

impl Printer<'_> {
    fn print(&mut self, value: &Value) {
        let mut open = Vec::new();
        for event in Walk::new(value) {
            match event {
                Event::End => self.close(open.pop().unwrap_or_default()),
                Event::Key(key) => {
                    self.separate(true);
                    write_string(self.out, key);
                    self.out.extend(if self.indent.is_some() {
                        &b": "[..]
                    } else {
                        b":"
                    });
                    self.first = true;
                }
                _ => self.separate(!matches!(open.last(), None | Some(b'}'))),
            }
            match event {
                Event::Array(_) => open.push(self.open(b'[', b']')),
                Event::Object(_) => open.push(self.open(b'{', b'}')),
                Event::Scalar(scalar) => {
                    self.scalar(scalar);
                    self.first = false;
                }
                Event::Key(_) | Event::End => {}
            }
        }
    }

    fn open(&mut self, open: u8, close: u8) -> u8 {
        self.out.push(open);
        self.first = true;
        self.indent = self.indent.map(|level| level + 1);
        close
    }

    fn close(&mut self, close: u8) {
        self.indent = self.indent.map(|level| level - 1);
        if !self.first {
            self.new_line();
        }
        self.out.push(close);
        self.first = false;
    }

    /// What comes before a key, or before a value that does not follow its key.
    fn separate(&mut self, starts_line: bool) {
        if !starts_line {
            return;
        }
        if !self.first {
            self.out.push(b',');
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if let Some(level) = self.indent {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', 2 * level));
        }
    }

    fn scalar(&mut self, scalar: &Value) {
        let mut formatter = CompactFormatter;
        let _ = match &scalar.0 {
            Repr::Bool(bool) => formatter.write_bool(self.out, *bool),
            Repr::Int(int) => formatter.write_i64(self.out, *int),
            Repr::Uint(uint) => formatter.write_u64(self.out, *uint),
            Repr::Float(float) => formatter.write_f64(self.out, *float),
            Repr::Text(text) => {
                write_string(self.out, text.as_str());
                Ok(())
            }
            Repr::Bytes(bytes) => {
                self.out.extend(br#"{"$bytes":""#);
                self.out.extend(bytes_to_base64(bytes).as_bytes());
                self.out.extend(br#""}"#);
                Ok(())
            }
            Repr::Extended(extended) => {
                extended.write_json(self.out);
                Ok(())
            }
            Repr::Null | Repr::Array(_) | Repr::Object(_) => formatter.write_null(self.out),
        };
    }
}

/// Line and column, from 1, of the character after `text`.
fn line_and_column(text: &str) -> (usize, usize) {
    let line = text.matches('\n').count() + 1;
    let column = text.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

struct Parser<'a, 'l> {
    text: &'a str,
    pos: usize,
    builder: Builder<'l>,
}

impl<'a> Parser<'a, '_> {
    fn document(mut self) -> Result<Value> {
        if self.text.starts_with('\u{feff}') {
            return self.fail("a byte order mark is not allowed; remove it");
        }
        let value = self.value()?;
        self.skip_whitespace();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.fail("unexpected text after the value"),
        }
    }

    /// Parses one value: opens containers on the way down, closes finished ones on the way up.
    fn value(&mut self) -> Result<Value> {
        loop {
            let Some(mut value) = self.begin()? else {
                continue;
            };
            loop {
                value = match self.builder.add(value) {
                    Some(whole) => return Ok(whole),
                    None if self.continues()? => break,
                    None => self.end()?,
                };
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container and goes to its first value (none).
    fn begin(&mut self) -> Result<Option<Value>> {
        self.skip_whitespace();
        let scalar = match self.peek() {
            Some(open @ (b'{' | b'[')) => {
                let begun = if open == b'{' {
                    self.builder.begin_object()
                } else {
                    self.builder.begin_array()
                };
                self.limited(begun)?;
                self.pos += 1;
                self.skip_whitespace();
                if self.peek() == Some(if open == b'{' { b'}' } else { b']' }) {
                    self.pos += 1;
                    return self.end().map(Some);
                }
                if open == b'{' {
                    self.key()?;
                }
                return Ok(None);
            }
            Some(b'"') => {
                let text = self.string()?;
                let value = self.builder.text(&text);
                return self.limited(value).map(Some);
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true", Value::from(true))?,
            Some(b'f') => self.literal("false", Value::from(false))?,
            Some(b'n') => self.literal("null", Value::NULL)?,
            Some(_) => return self.fail("expected a value"),
            None => return self.fail("expected a value, found the end of the text"),
        };
        let value = self.builder.scalar(scalar);
        self.limited(value).map(Some)
    }

    /// After a value in a container: whether a comma (and, in an object, a key) leads to another one.
    fn continues(&mut self) -> Result<bool> {
        self.skip_whitespace();
        let in_object = matches!(self.builder.innermost(), Some(Frame::Object { .. }));
        match (self.peek(), in_object) {
            (Some(b','), _) => {
                self.pos += 1;
                if in_object {
                    self.skip_whitespace();
                    self.key()?;
                }
                Ok(true)
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                self.pos += 1;
                Ok(false)
            }
            (_, true) => self.fail("expected `,` or `}` after a value in an object"),
            (_, false) => self.fail("expected `,` or `]` after a value in an array"),
        }
    }

    fn end(&mut self) -> Result<Value> {
        match self.builder.end() {
            Some(value) => Ok(value),
            None => self.fail("nothing to close"), // not reached: called only in a container
        }
    }

    fn key(&mut self) -> Result<()> {
        if self.peek() != Some(b'"') {
            return self.fail("expected a key in double quotes");
        }
        let key = self.string()?;
        let added = self.builder.key(&key);
        self.limited(added)?;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return self.fail("expected `:` after a key");
        }
        self.pos += 1;
        Ok(())
    }

    fn literal(&mut self, literal: &str, value: Value) -> Result<Value> {
        if !self.rest().starts_with(literal) {
            return self.fail("expected a value; the literals are `true`, `false` and `null`");
        }
        self.pos += literal.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.pos;
        let negative = self.eat(b'-');
        match self.peek() {
            Some(b'0') => self.pos += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail("expected a digit"),
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail("a number has no leading zeros");
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.some_digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            whole = false;
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.some_digits()?;
        }
        let text = self.text.get(start..self.pos).unwrap_or_default();
        // "-0" is a float, since no integer is negative zero.
        if whole && text != "-0" {
            let int = if negative {
                text.parse().map(|int: i64| int.into())
            } else {
                text.parse().map(|uint: u64| uint.into())
            };
            if let Ok(int) = int {
                return Ok(int);
            }
        }
        match text.parse().ok().and_then(Value::from_f64) {
            Some(float) => Ok(float),
            None => {
                self.pos = start;
                self.fail("the number is beyond the range of floats (about ±1.8e308)")
            }
        }
    }

    fn digits(&mut self) {
        let rest = self.rest().as_bytes();
        self.pos += rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
    }

    fn some_digits(&mut self) -> Result<()> {
        let start = self.pos;
        self.digits();
        if self.pos == start {
            self.fail("expected a digit")
        } else {
            Ok(())
        }
    }

    /// A string literal, borrowed from the text when it has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.pos += 1; // the opening quote
        let mut decoded: Option<String> = None;
        loop {
            let start = self.pos;
            let rest = self.rest().as_bytes();
            let plain = rest
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            self.pos += plain.unwrap_or(rest.len());
            let piece = start..self.pos;
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    let piece = self.text.get(piece).unwrap_or_default();
                    return Ok(match decoded {
                        None => Cow::Borrowed(piece),
                        Some(decoded) => Cow::Owned(decoded + piece),
                    });
                }
                Some(b'\\') => {
                    let decoded = decoded.get_or_insert_default();
                    decoded.push_str(self.text.get(piece).unwrap_or_default());
                    decoded.push(self.escape()?);
                }
                Some(_) => return self.fail("a control character in a string must be escaped"),
                None => return self.fail("the string does not end"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.pos += 1; // the backslash
        let escape = self.peek();
        let c = match escape {
            Some(c @ (b'"' | b'\\' | b'/')) => c.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.fail(r#"expected an escape: one of `"`, `\`, `/`, b, f, n, r, t, u"#),
        };
        self.pos += 1;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let start = self.pos - 1;
        let mut code = self.code_unit()?;
        if matches!(code, 0xD800..0xDC00) && self.rest().starts_with("\\u") {
            self.pos += 1;
            let low = self.code_unit()?;
            if matches!(low, 0xDC00..0xE000) {
                code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => {
                self.pos = start;
                self.fail("a lone surrogate is not a character")
            }
        }
    }

    /// `uXXXX`, after the backslash.
    fn code_unit(&mut self) -> Result<u32> {
        let digits = self
            .text
            .get(self.pos + 1..self.pos + 5)
            .unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return self.fail(r"expected four hexadecimal digits after `\u`");
        }
        self.pos += 5;
        Ok(u32::from_str_radix(digits, 16).unwrap_or_default())
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn place(&self) -> (usize, usize) {
        line_and_column(self.text.get(..self.pos).unwrap_or_default())
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T> {
        let (line, column) = self.place();
        let reason = match self.rest().chars().next() {
            Some(found) => format!("{reason} (found {found:?})").into(),
            None => reason.into(),
        };
        Err(Error::InvalidJson {
            line,
            column,
            reason,
        })
    }

    fn limited<T>(&self, result: Result<T, Exceeded>) -> Result<T> {
        result.map_err(|exceeded| {
            let (line, column) = self.place();
            exceeded.at(format_args!("line {line}, column {column}"))
        })
    }
}
