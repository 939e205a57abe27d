//! Reading JSON (RFC 8259) straight into the packed form, without recursion.

use super::number::{Number, number};
use super::scan::{plain_end, skip_whitespace};
use crate::build::within;
use crate::packed::word;
use crate::packed::{Full, Writer};
use crate::{Error, Limits, Result, Value};

/// Reads one JSON text; `json` is UTF-8.
pub(super) fn read(json: &[u8], limits: &Limits) -> Result<Value> {
    let mut reader = Reader {
        json,
        at: 0,
        writer: Writer::new(json.len() / 8 + 16),
        limits,
        depth: limits.depth(),
        items: 0,
        scratch: Vec::new(),
    };
    reader.document()?;
    let at = reader.at;
    match reader.writer.finish() {
        Ok(value) => Ok(value),
        Err(Full) => Err(too_large(json, at)),
    }
}

struct Reader<'a> {
    json: &'a [u8],
    at: usize,
    writer: Box<Writer>,
    limits: &'a Limits,
    depth: usize,
    /// Values in closed containers.
    items: usize,
    /// A string with escapes, while it is decoded.
    scratch: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// The next byte, 0 at the end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.json.get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is not whitespace, 0 at the end.
    #[inline(always)]
    fn peek_token(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.at = skip_whitespace(self.json, self.at);
        self.peek()
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.json.get(self.at..).unwrap_or_default()
    }

    fn document(&mut self) -> Result<()> {
        if self.json.starts_with("\u{feff}".as_bytes()) {
            return self.fail("a byte order mark is not allowed; remove it");
        }
        self.value()?;
        match self.peek_token() {
            _ if self.at == self.json.len() => Ok(()),
            _ => self.fail("unexpected text after the value"),
        }
    }

    /// Opens containers on the way down, closes finished ones on the way up.
    fn value(&mut self) -> Result<()> {
        loop {
            // A value begins.
            match self.peek_token() {
                b'"' => {
                    let word = self.string()?;
                    self.writer.push(word);
                }
                b'{' => {
                    self.enter()?;
                    self.writer.open_object();
                    self.at += 1;
                    if self.peek_token() != b'}' {
                        self.key()?;
                        continue;
                    }
                    self.close()?;
                }
                b'[' => {
                    self.enter()?;
                    self.writer.open_array();
                    self.at += 1;
                    if self.peek_token() != b']' {
                        continue;
                    }
                    self.close()?;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal(b"true", word::TRUE)?,
                b'f' => self.literal(b"false", word::FALSE)?,
                b'n' => self.literal(b"null", word::NULL)?,
                _ if self.at == self.json.len() => {
                    return self.fail("expected a value, found the end of the text");
                }
                _ => return self.fail("expected a value"),
            }
            // A value has ended: what follows belongs to the container it is in.
            loop {
                if self.writer.depth() == 0 {
                    return self.count(1);
                }
                let in_array = self.writer.innermost().is_array();
                match (self.peek_token(), in_array) {
                    (b',', true) => {
                        self.at += 1;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        self.peek_token();
                        self.key()?;
                        break;
                    }
                    (b']', true) | (b'}', false) => self.close()?,
                    (_, true) => {
                        return self.fail("expected `,` or `]` after a value in an array");
                    }
                    (_, false) => {
                        return self.fail("expected `,` or `}` after a value in an object");
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn enter(&mut self) -> Result<()> {
        if self.writer.depth() < self.depth {
            return Ok(());
        }
        self.limited("nesting depth", self.depth + 1, self.depth)
    }

    #[inline(always)]
    fn close(&mut self) -> Result<()> {
        let children = self.writer.pending();
        self.count(children)?;
        self.at += 1;
        match self.writer.close() {
            Ok(()) => Ok(()),
            Err(Full) => Err(too_large(self.json, self.at)),
        }
    }

    #[inline(always)]
    fn count(&mut self, more: usize) -> Result<()> {
        self.items += more;
        if self.items <= self.limits.max_items {
            return Ok(());
        }
        self.limited("number of values", self.items, self.limits.max_items)
    }

    /// A key and its colon.
    #[inline(always)]
    fn key(&mut self) -> Result<()> {
        if self.peek() != b'"' {
            return self.fail("expected a key in double quotes");
        }
        let after = self.json.get(self.at + 1..).unwrap_or_default();
        match self.writer.expected_key(after) {
            Some(len) => self.at += 1 + len,
            None => self.unexpected_key()?,
        }
        if self.peek_token() != b':' {
            return self.fail("expected `:` after a key");
        }
        self.at += 1;
        Ok(())
    }

    #[inline(never)]
    fn unexpected_key(&mut self) -> Result<()> {
        let start = self.at + 1;
        let end = plain_end(self.json, start);
        let added = if self.json.get(end) == Some(&b'"') {
            self.limited("length of a key", end - start, self.limits.max_key)?;
            self.at = end + 1;
            let key = self.json.get(start..end).unwrap_or_default();
            self.writer.key(utf8(key))
        } else {
            self.decode(start, end)?;
            self.limited("length of a key", self.scratch.len(), self.limits.max_key)?;
            self.writer.key(utf8(&self.scratch))
        };
        added.map_err(|Full| too_large(self.json, self.at))
    }

    #[inline(always)]
    fn string(&mut self) -> Result<u64> {
        let start = self.at + 1;
        let end = plain_end(self.json, start);
        if self.json.get(end) != Some(&b'"') {
            return self.escaped(start, end);
        }
        if end - start > self.limits.max_string {
            self.limited("length of a text", end - start, self.limits.max_string)?;
        }
        self.at = end + 1;
        let text = self.json.get(start..end).unwrap_or_default();
        match self.writer.json_text(text, self.json.get(start..)) {
            Ok(word) => Ok(word),
            Err(Full) => Err(too_large(self.json, self.at)),
        }
    }

    #[cold]
    #[inline(never)]
    fn escaped(&mut self, start: usize, end: usize) -> Result<u64> {
        self.decode(start, end)?;
        let len = self.scratch.len();
        self.limited("length of a text", len, self.limits.max_string)?;
        let word = self.writer.text(utf8(&self.scratch));
        word.map_err(|Full| too_large(self.json, self.at))
    }

    /// Decodes the string that begins at `start` and is plain up to `end` into `scratch`, and goes past it.
    fn decode(&mut self, start: usize, end: usize) -> Result<()> {
        self.scratch.clear();
        let (mut start, mut end) = (start, end);
        loop {
            let plain = self.json.get(start..end).unwrap_or_default();
            self.scratch.extend_from_slice(plain);
            self.at = end;
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ if self.at >= self.json.len() => return self.fail("the string does not end"),
                _ => return self.fail("a control character in a string must be escaped"),
            }
            start = self.at;
            end = plain_end(self.json, start);
        }
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1; // the backslash
        let byte = match self.peek() {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = self.unicode_escape()?;
                let mut utf8 = [0; 4];
                self.scratch
                    .extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                return Ok(());
            }
            _ => return self.fail(r#"expected an escape: one of `"`, `\`, `/`, b, f, n, r, t, u"#),
        };
        self.scratch.push(byte);
        self.at += 1;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let start = self.at - 1;
        let mut code = self.code_unit()?;
        if matches!(code, 0xD800..0xDC00) && self.rest().starts_with(b"\\u") {
            self.at += 1;
            let low = self.code_unit()?;
            if matches!(low, 0xDC00..0xE000) {
                code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => {
                self.at = start;
                self.fail("a lone surrogate is not a character")
            }
        }
    }

    /// `uXXXX`, after the backslash.
    fn code_unit(&mut self) -> Result<u32> {
        let digits = self.json.get(self.at + 1..self.at + 5).unwrap_or_default();
        let digit = |code: u32, byte: &u8| Some(code << 4 | char::from(*byte).to_digit(16)?);
        match digits.iter().try_fold(0, digit) {
            Some(code) if digits.len() == 4 => {
                self.at += 5;
                Ok(code)
            }
            _ => self.fail(r"expected four hexadecimal digits after `\u`"),
        }
    }

    #[inline(always)]
    fn number(&mut self) -> Result<()> {
        let (number, end) = match number(self.json, self.at) {
            Ok(number) => number,
            Err(malformed) => {
                self.at = malformed.at;
                return self.fail(malformed.reason);
            }
        };
        self.at = end;
        let word = match number {
            Number::Int(int) => self.writer.int(int),
            Number::Uint(uint) => self.writer.uint(uint),
            Number::Float(float) => Ok(float.to_bits()),
        };
        match word {
            Ok(word) => self.writer.push(word),
            Err(Full) => return Err(too_large(self.json, self.at)),
        }
        Ok(())
    }

    #[inline(always)]
    fn literal(&mut self, literal: &[u8], word: u64) -> Result<()> {
        if !self.rest().starts_with(literal) {
            return self.fail("expected a value; the literals are `true`, `false` and `null`");
        }
        self.at += literal.len();
        self.writer.push(word);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn fail<T>(&self, reason: &'static str) -> Result<T> {
        let (line, column) = place(self.json, self.at);
        let rest = String::from_utf8_lossy(self.rest().get(..4).unwrap_or(self.rest()));
        let reason = match rest.chars().next() {
            Some(found) => format!("{reason} (found {found:?})").into(),
            None => reason.into(),
        };
        Err(Error::InvalidJson {
            line,
            column,
            reason,
        })
    }

    #[inline(always)]
    fn limited(&self, what: &'static str, found: usize, limit: usize) -> Result<()> {
        within(what, found, limit).map_err(|exceeded| {
            let (line, column) = place(self.json, self.at);
            exceeded.at(format_args!("line {line}, column {column}"))
        })
    }
}

/// A part of the input between ASCII characters, so as valid as the whole.
#[inline(always)]
fn utf8(text: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(text).is_ok());
    // SAFETY: `read` is given UTF-8, and is cut only beside quotes and backslashes; decoded strings are
    // such parts and encoded characters.
    #[expect(
        unsafe_code,
        reason = "checking each string again costs a tenth of reading"
    )]
    unsafe {
        std::str::from_utf8_unchecked(text)
    }
}

#[cold]
fn too_large(json: &[u8], at: usize) -> Error {
    let (line, column) = place(json, at);
    Error::Limit {
        what: "size of one value in 8-byte words",
        limit: u32::MAX as usize,
        at: format!("line {line}, column {column}"),
    }
}

/// Line and column, from 1, of the character at `at`.
pub(crate) fn place(json: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(json.get(..at).unwrap_or(json));
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
