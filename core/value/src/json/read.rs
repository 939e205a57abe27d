//! Reading JSON (RFC 8259) straight into the packed form, without recursion.

use super::number::{Number, number};
use super::scan::{plain_end, skip_whitespace};
use crate::build::within;
use crate::packed::word;
use crate::packed::{Full, Writer};
use crate::{Error, Limits, Result, Value};

/// Reads one JSON text; `json` is UTF-8, and `depth` the limit of its nesting.
pub(super) fn read(json: &[u8], limits: &Limits, depth: usize) -> Result<Value> {
    let mut reader = Reader {
        json,
        at: 0,
        writer: Writer::new(json.len() / 8 + 16),
        limits,
        depth,
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
    /// Where a failure is; while all goes well, the place is handed from function to function, so that it
    /// stays in a register.
    at: usize,
    writer: Box<Writer>,
    limits: &'a Limits,
    /// The limit.
    depth: usize,
    /// Values in closed containers.
    items: usize,
    /// A string with escapes, while it is decoded.
    scratch: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// The byte at `at`, 0 at the end.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    /// The next byte that is not whitespace, 0 at the end; and where it is.
    #[inline(always)]
    fn token(&self, at: usize) -> (u8, usize) {
        let byte = self.byte(at);
        if byte > b' ' {
            return (byte, at);
        }
        let at = skip_whitespace(self.json, at);
        (self.byte(at), at)
    }

    fn document(&mut self) -> Result<()> {
        if self.json.starts_with("\u{feff}".as_bytes()) {
            return self.fail(0, "a byte order mark is not allowed; remove it");
        }
        let (first, at) = self.token(0);
        let at = if matches!(first, b'{' | b'[') {
            self.container(at)?
        } else {
            self.lone_scalar(first, at)?
        };
        self.at = at;
        self.count(1)?;
        match self.token(at) {
            (_, at) if at == self.json.len() => Ok(()),
            (_, at) => self.fail(at, "unexpected text after the value"),
        }
    }

    /// Opens containers on the way down, closes finished ones on the way up.
    fn container(&mut self, mut at: usize) -> Result<usize> {
        loop {
            // A value begins.
            let (first, start) = self.token(at);
            at = match first {
                b'{' => {
                    let (next, inside) = self.enter(start)?;
                    self.writer.open_object();
                    if next != b'}' {
                        at = self.key(next, inside)?;
                        continue;
                    }
                    if self.close(inside)? {
                        return Ok(inside + 1);
                    }
                    inside + 1
                }
                b'[' => {
                    let (next, inside) = self.enter(start)?;
                    self.writer.open_array();
                    if next != b']' {
                        at = inside;
                        continue;
                    }
                    if self.close(inside)? {
                        return Ok(inside + 1);
                    }
                    inside + 1
                }
                _ => self.scalar(first, start)?,
            };
            // A value has ended: what follows belongs to the container it is in.
            loop {
                let (token, end) = self.token(at);
                at = end + 1;
                if self.writer.in_array() {
                    match token {
                        b',' => break,
                        b']' => {}
                        _ => {
                            return self.fail(end, "expected `,` or `]` after a value in an array");
                        }
                    }
                } else {
                    match token {
                        b',' => {
                            let (first, start) = self.token(at);
                            at = self.key(first, start)?;
                            break;
                        }
                        b'}' => {}
                        _ => {
                            return self
                                .fail(end, "expected `,` or `}` after a value in an object");
                        }
                    }
                }
                if self.close(end)? {
                    return Ok(at);
                }
            }
        }
    }

    #[inline(never)]
    fn lone_scalar(&mut self, first: u8, at: usize) -> Result<usize> {
        self.scalar(first, at)
    }

    #[inline(always)]
    fn scalar(&mut self, first: u8, at: usize) -> Result<usize> {
        match first {
            b'"' => self.string(at),
            b'-' | b'0'..=b'9' => self.number(at),
            b't' => self.literal(at, b"true", word::TRUE),
            b'f' => self.literal(at, b"false", word::FALSE),
            b'n' => self.literal(at, b"null", word::NULL),
            _ if at == self.json.len() => {
                self.fail(at, "expected a value, found the end of the text")
            }
            _ => self.fail(at, "expected a value"),
        }
    }

    /// The first token inside the container that begins at `at`.
    #[inline(always)]
    fn enter(&mut self, at: usize) -> Result<(u8, usize)> {
        if self.writer.depth() >= self.depth {
            self.limited(at, "nesting depth", self.depth + 1, self.depth)?;
        }
        Ok(self.token(at + 1))
    }

    /// Closes a container at `at`; whether it was the outermost.
    #[inline(always)]
    fn close(&mut self, at: usize) -> Result<bool> {
        let children = self.writer.pending();
        self.items += children;
        if self.items > self.limits.max_items {
            self.at = at;
            self.count(0)?;
        }
        match self.writer.close() {
            Ok(()) => Ok(self.writer.depth() == 0),
            Err(Full) => Err(too_large(self.json, at)),
        }
    }

    fn count(&mut self, more: usize) -> Result<()> {
        self.items += more;
        self.limited(
            self.at,
            "number of values",
            self.items,
            self.limits.max_items,
        )
    }

    /// A key and its colon.
    #[inline(always)]
    fn key(&mut self, first: u8, at: usize) -> Result<usize> {
        if first != b'"' {
            return self.fail(at, "expected a key in double quotes");
        }
        let after = self.json.get(at + 1..).unwrap_or_default();
        let end = match self.writer.expected_key(after) {
            Some(len) => {
                // Expected may be a key of a value read before, within other limits.
                if len > self.limits.max_key.saturating_add(1) {
                    self.limited(at, "length of a key", len - 1, self.limits.max_key)?;
                }
                at + 1 + len
            }
            None => self.unexpected_key(at)?,
        };
        match self.token(end) {
            (b':', colon) => Ok(colon + 1),
            (_, at) => self.fail(at, "expected `:` after a key"),
        }
    }

    #[inline(never)]
    fn unexpected_key(&mut self, at: usize) -> Result<usize> {
        let start = at + 1;
        let mut end = plain_end(self.json, start);
        let added = if self.byte(end) == b'"' {
            self.limited(at, "length of a key", end - start, self.limits.max_key)?;
            let key = self.json.get(start..end).unwrap_or_default();
            end += 1;
            self.writer.key(utf8(key))
        } else {
            end = self.decode(start, end)?;
            self.limited(
                at,
                "length of a key",
                self.scratch.len(),
                self.limits.max_key,
            )?;
            self.writer.key(utf8(&self.scratch))
        };
        match added {
            Ok(()) => Ok(end),
            Err(Full) => Err(too_large(self.json, at)),
        }
    }

    #[inline(always)]
    fn string(&mut self, at: usize) -> Result<usize> {
        let start = at + 1;
        let end = plain_end(self.json, start);
        if self.byte(end) != b'"' {
            return self.escaped(start, end);
        }
        if end - start > self.limits.max_string {
            self.limited(at, "length of a text", end - start, self.limits.max_string)?;
        }
        let from = self.json.get(start..).unwrap_or_default();
        match self.writer.json_text(from, end - start) {
            Ok(word) => self.writer.push(word),
            Err(Full) => return Err(too_large(self.json, at)),
        }
        Ok(end + 1)
    }

    #[cold]
    #[inline(never)]
    fn escaped(&mut self, start: usize, end: usize) -> Result<usize> {
        let end = self.decode(start, end)?;
        let len = self.scratch.len();
        self.limited(end, "length of a text", len, self.limits.max_string)?;
        match self.writer.text(utf8(&self.scratch)) {
            Ok(word) => self.writer.push(word),
            Err(Full) => return Err(too_large(self.json, end)),
        }
        Ok(end)
    }

    /// Decodes the string that begins at `start` and is plain up to `end` into `scratch`; where it ends.
    fn decode(&mut self, start: usize, end: usize) -> Result<usize> {
        self.scratch.clear();
        let (mut start, mut end) = (start, end);
        loop {
            let plain = self.json.get(start..end).unwrap_or_default();
            self.scratch.extend_from_slice(plain);
            self.at = end;
            match self.byte(end) {
                b'"' => return Ok(end + 1),
                b'\\' => self.escape()?,
                _ if end >= self.json.len() => return self.fail(end, "the string does not end"),
                _ => return self.fail(end, "a control character in a string must be escaped"),
            }
            start = self.at;
            end = plain_end(self.json, start);
        }
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1; // the backslash
        let byte = match self.byte(self.at) {
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
            _ => {
                return self.fail(
                    self.at,
                    r#"expected an escape: one of `"`, `\`, `/`, b, f, n, r, t, u"#,
                );
            }
        };
        self.scratch.push(byte);
        self.at += 1;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let start = self.at - 1;
        let mut code = self.code_unit()?;
        if matches!(code, 0xD800..0xDC00)
            && self
                .json
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(b"\\u"))
        {
            self.at += 1;
            let low = self.code_unit()?;
            if matches!(low, 0xDC00..0xE000) {
                code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.fail(start, "a lone surrogate is not a character"),
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
            _ => self.fail(self.at, r"expected four hexadecimal digits after `\u`"),
        }
    }

    #[inline(always)]
    fn number(&mut self, at: usize) -> Result<usize> {
        let (number, end) = match number(self.json, at) {
            Ok(number) => number,
            Err(malformed) => return self.fail(malformed.at, malformed.reason),
        };
        let word = match number {
            Number::Int(int) => self.writer.int(int),
            Number::Uint(uint) => self.writer.uint(uint),
            Number::Float(float) => Ok(float.to_bits()),
        };
        match word {
            Ok(word) => self.writer.push(word),
            Err(Full) => return Err(too_large(self.json, at)),
        }
        Ok(end)
    }

    #[inline(always)]
    fn literal(&mut self, at: usize, literal: &[u8], word: u64) -> Result<usize> {
        let end = at + literal.len();
        if self.json.get(at..end) != Some(literal) {
            return self.fail(
                at,
                "expected a value; the literals are `true`, `false` and `null`",
            );
        }
        self.writer.push(word);
        Ok(end)
    }

    #[cold]
    #[inline(never)]
    fn fail<T>(&self, at: usize, reason: &'static str) -> Result<T> {
        let (line, column) = place(self.json, at);
        let rest = self.json.get(at..).unwrap_or_default();
        let rest = String::from_utf8_lossy(rest.get(..4).unwrap_or(rest));
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
    fn limited(&self, at: usize, what: &'static str, found: usize, limit: usize) -> Result<()> {
        within(what, found, limit).map_err(|exceeded| {
            let (line, column) = place(self.json, at);
            exceeded.at(format_args!("line {line}, column {column}"))
        })
    }
}

/// A part of the input between ASCII characters, so as valid as the whole.
#[inline(always)]
fn utf8(text: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(text).is_ok());
    #[expect(
        unsafe_code,
        reason = "checking each string again costs a tenth of reading"
    )]
    // SAFETY: `read` is given UTF-8, and is cut only beside quotes and backslashes; decoded strings are
    // such parts and encoded characters.
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
