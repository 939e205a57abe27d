//! Printing JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::BYTES_KEY;
use super::scan::{special, special_in_block};
use crate::ValueRef;
use crate::encode::{BLOCK, Format, push_block};
use crate::value_ref::Data;
use crate::walk::{Event, Walk};

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

/// A JSON string literal; what must be escaped, as RFC 8259 section 7 has it, and nothing else is.
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    loop {
        let end = special(rest);
        out.extend_from_slice(rest.get(..end).unwrap_or_default());
        let Some(byte) = rest.get(end) else {
            break;
        };
        let short = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            0x0C => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => b'u',
        };
        out.extend([b'\\', short]);
        if short == b'u' {
            let digit = |nibble: u8| match nibble {
                0..10 => b'0' + nibble,
                _ => b'a' + nibble - 10,
            };
            out.extend([b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out.push(b'"');
}

pub(super) struct Printer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// The current level when pretty-printing.
    pub(super) indent: Option<usize>,
    /// Whether nothing precedes the next value in its container, or a key does.
    pub(super) first: bool,
}

impl Printer<'_> {
    pub(super) fn print(&mut self, value: ValueRef<'_>) {
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
                    write_scalar(self.out, scalar);
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
}

pub(super) fn write_scalar(out: &mut Vec<u8>, scalar: Data<'_>) {
    match scalar {
        Data::Bool(true) => out.extend(b"true"),
        Data::Bool(false) => out.extend(b"false"),
        Data::Int(int) => out.extend(itoa::Buffer::new().format(int).as_bytes()),
        Data::Uint(uint) => out.extend(itoa::Buffer::new().format(uint).as_bytes()),
        Data::Float(float) => out.extend(zmij::Buffer::new().format_finite(float).as_bytes()),
        Data::Text(text) => write_string(out, text),
        Data::Bytes(bytes) => {
            out.extend(br#"{"$bytes":""#);
            out.extend(bytes_to_base64(bytes).as_bytes());
            out.extend(br#""}"#);
        }
        Data::Extended(extended) => extended.write_json(out),
        Data::Null | Data::Array | Data::Object => out.extend(b"null"),
    }
}

/// Compact JSON: the way values are sent, so the fast one.
pub(super) struct Compact;

impl Format for Compact {
    const SEPARATOR: Option<u8> = Some(b',');

    #[inline(always)]
    fn begin(out: &mut Vec<u8>, is_object: bool, _: usize) {
        out.push(if is_object { b'{' } else { b'[' });
    }

    #[inline(always)]
    fn end(out: &mut Vec<u8>, is_object: bool) {
        out.push(if is_object { b'}' } else { b']' });
    }

    fn key(out: &mut Vec<u8>, key: &str) {
        write_string(out, key);
        out.push(b':');
    }

    fn scalar(out: &mut Vec<u8>, scalar: Data<'_>) {
        write_scalar(out, scalar);
    }

    #[inline(always)]
    fn int(out: &mut Vec<u8>, int: i64) {
        out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
    }

    #[inline(always)]
    fn float(out: &mut Vec<u8>, float: f64) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(float).as_bytes());
    }

    #[inline(always)]
    fn short_text(out: &mut Vec<u8>, block: &[u8; BLOCK], len: usize) -> bool {
        if special_in_block(block, len) {
            return false;
        }
        out.push(b'"');
        push_block(out, block, len);
        out.push(b'"');
        true
    }
}
