//! Printing JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::ser::{CompactFormatter, Formatter};

use super::BYTES_KEY;
use crate::ValueRef;
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

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail, neither here nor below.
    let _ = serde_json::to_writer(out, text);
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

    fn scalar(&mut self, scalar: Data<'_>) {
        let mut formatter = CompactFormatter;
        let _ = match scalar {
            Data::Bool(bool) => formatter.write_bool(self.out, bool),
            Data::Int(int) => formatter.write_i64(self.out, int),
            Data::Uint(uint) => formatter.write_u64(self.out, uint),
            Data::Float(float) => formatter.write_f64(self.out, float),
            Data::Text(text) => {
                write_string(self.out, text);
                Ok(())
            }
            Data::Bytes(bytes) => {
                self.out.extend(br#"{"$bytes":""#);
                self.out.extend(bytes_to_base64(bytes).as_bytes());
                self.out.extend(br#""}"#);
                Ok(())
            }
            Data::Extended(extended) => {
                extended.write_json(self.out);
                Ok(())
            }
            Data::Null | Data::Array | Data::Object => formatter.write_null(self.out),
        };
    }
}
