//! The decoder.

use std::borrow::Cow;

use crate::build::{Builder, Exceeded};
use crate::extended::Extended;
use crate::{Error, Limits, Result, Value};

/// Reads one item, and says where it ends.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(Value, usize)> {
    let allowed = bytes.get(..limits.max_bytes).unwrap_or(bytes);
    let mut reader = Reader {
        bytes: allowed,
        cut_at: (allowed.len() < bytes.len()).then_some(limits.max_bytes),
        pos: 0,
        open: Vec::new(),
        builder: Builder::new(limits, allowed.len()),
    };
    reader.value()?;
    let end = reader.pos;
    Ok((limited(reader.builder.finish(), end)?, end))
}

pub(super) struct Reader<'a, 'l> {
    pub(super) bytes: &'a [u8],
    /// The limit, if it hides bytes after `bytes`.
    cut_at: Option<usize>,
    pub(super) pos: usize,
    /// The open containers, innermost last.
    open: Vec<Open>,
    pub(super) builder: Builder<'l>,
}

struct Open {
    /// How many items or entries it still lacks; none until a break ends it.
    lacks: Option<u64>,
    is_object: bool,
}

/// The first byte of an item, and its argument.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) start: usize,
    pub(super) major: u8,
    pub(super) info: u8,
    pub(super) argument: u64,
}

impl Head {
    pub(super) fn is_indefinite(self) -> bool {
        self.info == 31
    }

    pub(super) fn is_break(self) -> bool {
        self.major == 7 && self.info == 31
    }
}

pub(super) const BREAK: u8 = 0xff;

/// Tags that say how to look at what follows, and not what it is: expected conversions (21 to 23), encoded
/// CBOR (24), URI, base64, regular expression, MIME (32 to 36), and "this is CBOR" (55799).
fn is_annotation(tag: u64) -> bool {
    matches!(tag, 21..=24 | 32..=36 | 55_799)
}

impl<'a> Reader<'a, '_> {
    /// Reads one item: opens containers on the way down, closes finished ones on the way up.
    fn value(&mut self) -> Result<()> {
        loop {
            let next = self.bytes.get(self.pos);
            if let Some(open) = self.open.last_mut() {
                let ended = match &mut open.lacks {
                    Some(0) => true,
                    Some(lacks) => {
                        *lacks -= 1;
                        false
                    }
                    None if next == Some(&BREAK) => {
                        self.pos += 1;
                        true
                    }
                    None => false,
                };
                if ended {
                    self.open.pop();
                    limited(self.builder.end(), self.pos)?;
                    if self.open.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                if open.is_object {
                    self.key()?;
                }
            }
            self.item()?;
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Reads a scalar or opens a container.
    fn item(&mut self) -> Result<()> {
        let head = loop {
            let head = self.head()?;
            match head.major {
                6 if is_annotation(head.argument) => {}
                6 => return self.tagged(head),
                _ => break head,
            }
        };
        let added = match head.major {
            0 => self.builder.uint(head.argument),
            1 => match i64::try_from(head.argument) {
                Ok(argument) => self.builder.int(!argument),
                Err(_) => return self.integer(true, u128::from(head.argument) + 1, head.start),
            },
            2 => {
                let bytes = self.bytes(head)?;
                self.builder.bytes(&bytes)
            }
            3 => {
                let text = self.text(head)?;
                self.builder.text(&text)
            }
            4 | 5 => return self.container(head),
            _ => return self.simple(head),
        };
        limited(added, head.start)
    }

    fn container(&mut self, head: Head) -> Result<()> {
        let is_object = head.major == 5;
        // Every item takes at least one byte, so a length that the bytes left cannot hold is refused at once.
        let least = head.argument.saturating_mul(1 + u64::from(is_object));
        if least > (self.bytes.len() - self.pos) as u64 {
            return self.truncated();
        }
        let begun = match is_object {
            true => self.builder.begin_object(),
            false => self.builder.begin_array(),
        };
        limited(begun, head.start)?;
        self.open.push(Open {
            lacks: (!head.is_indefinite()).then_some(head.argument),
            is_object,
        });
        Ok(())
    }

    fn key(&mut self) -> Result<()> {
        let head = self.head()?;
        match head.major {
            3 => {
                let key = self.text(head)?;
                limited(self.builder.key(&key), head.start)
            }
            _ if head.is_break() => self.fail(head.start, "a break where a key or a value belongs"),
            major => {
                let found = [
                    "an integer",
                    "an integer",
                    "bytes",
                    "text",
                    "an array",
                    "a map",
                ];
                let found = found.get(usize::from(major)).copied();
                let found = found.unwrap_or("a tag, a float or a simple value");
                refuse(head.start, format!("a key must be text, found {found}"))
            }
        }
    }

    fn simple(&mut self, head: Head) -> Result<()> {
        let float = match (head.info, head.argument) {
            (20, _) => return limited(self.builder.bool(false), head.start),
            (21, _) => return limited(self.builder.bool(true), head.start),
            (22, _) => return limited(self.builder.null(), head.start),
            (23, _) => return refuse(head.start, "undefined has no form in a value; send null"),
            (24, 0..32) => return self.fail(head.start, "this simple value has one byte"),
            (25, bits) => half(bits as u16),
            (26, bits) => f64::from(f32::from_bits(bits as u32)),
            (27, bits) => f64::from_bits(bits),
            (31, _) => return self.fail(head.start, "a break where an item belongs"),
            (_, simple) => {
                return refuse(
                    head.start,
                    format!("the simple value {simple} has no form in a value"),
                );
            }
        };
        let float = finite(float, head.start)?;
        limited(self.builder.float(float), head.start)
    }

    /// An integer beyond `i64` becomes an unsigned one, and one beyond that a decimal.
    pub(super) fn integer(&mut self, negative: bool, magnitude: u128, start: usize) -> Result<()> {
        if !negative && let Ok(uint) = u64::try_from(magnitude) {
            return limited(self.builder.uint(uint), start);
        }
        let signed = i128::try_from(magnitude).ok().map(|magnitude| -magnitude);
        if negative && let Some(int) = signed.and_then(|signed| i64::try_from(signed).ok()) {
            return limited(self.builder.int(int), start);
        }
        match Extended::decimal(negative, magnitude, 0) {
            Some(decimal) => limited(self.builder.extended(decimal, 0), start),
            None => refuse(
                start,
                "an integer of more than 96 bits has no form in a value",
            ),
        }
    }

    pub(super) fn expect(&mut self, major: u8, what: &'static str) -> Result<Head> {
        let head = self.head()?;
        match head.major == major {
            true => Ok(head),
            false => self.unexpected(head, what),
        }
    }

    /// Well-formed perhaps, but not what the tag needs.
    pub(super) fn unexpected<T>(&self, head: Head, what: &'static str) -> Result<T> {
        match head.is_break() {
            true => self.fail(head.start, "a break where an item belongs"),
            false => refuse(head.start, format!("expected {what}")),
        }
    }

    pub(super) fn text(&mut self, head: Head) -> Result<Cow<'a, str>> {
        let utf8 = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        let mut whole = None;
        let reason = "the text is not UTF-8; use a byte string for bytes";
        self.chunks(head, |bytes| {
            let text = utf8(bytes).ok_or(reason)?;
            whole = Some(match whole.take() {
                None => Cow::Borrowed(text),
                Some(before) => before + text,
            });
            Ok(())
        })?;
        Ok(whole.unwrap_or_default())
    }

    pub(super) fn bytes(&mut self, head: Head) -> Result<Cow<'a, [u8]>> {
        let mut whole: Option<Cow<'a, [u8]>> = None;
        self.chunks(head, |bytes| {
            match &mut whole {
                None => whole = Some(Cow::Borrowed(bytes)),
                Some(whole) => whole.to_mut().extend(bytes),
            }
            Ok(())
        })?;
        Ok(whole.unwrap_or_default())
    }

    /// The content of a string: one piece, or chunks of definite length up to a break (section 3.2.3).
    fn chunks(
        &mut self,
        head: Head,
        mut add: impl FnMut(&'a [u8]) -> Result<(), &'static str>,
    ) -> Result<()> {
        if !head.is_indefinite() {
            let chunk = self.slice(head.argument)?;
            return add(chunk).or_else(|reason| self.fail(head.start, reason));
        }
        loop {
            let chunk = self.head()?;
            if chunk.is_break() {
                return Ok(());
            }
            if chunk.major != head.major || chunk.is_indefinite() {
                return self.fail(chunk.start, "a string consists of strings of the same type");
            }
            let content = self.slice(chunk.argument)?;
            add(content).or_else(|reason| self.fail(chunk.start, reason))?;
        }
    }

    pub(super) fn head(&mut self) -> Result<Head> {
        let start = self.pos;
        let [first] = self.take()?;
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..24 => info.into(),
            24 => u8::from_be_bytes(self.take()?).into(),
            25 => u16::from_be_bytes(self.take()?).into(),
            26 => u32::from_be_bytes(self.take()?).into(),
            27 => u64::from_be_bytes(self.take()?),
            31 if matches!(major, 2..=5 | 7) => 0,
            31 => return self.fail(start, "an integer or a tag has no indefinite length"),
            _ => return self.fail(start, "the additional information 28 to 30 is reserved"),
        };
        Ok(Head {
            start,
            major,
            info,
            argument,
        })
    }

    fn slice(&mut self, len: u64) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let slice = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        match slice {
            Some(slice) => {
                self.pos += slice.len();
                Ok(slice)
            }
            None => self.truncated(),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        match rest.first_chunk() {
            Some(chunk) => {
                self.pos += N;
                Ok(*chunk)
            }
            None => self.truncated(),
        }
    }

    fn truncated<T>(&self) -> Result<T> {
        if let Some(limit) = self.cut_at {
            return Err(Error::Limit {
                what: "length of the CBOR value",
                limit,
                at: format!("byte {}", self.pos),
            });
        }
        self.fail(self.bytes.len(), "the bytes end before the value does")
    }

    fn fail<T>(&self, offset: usize, reason: &'static str) -> Result<T> {
        Err(Error::InvalidCbor {
            offset,
            reason: reason.into(),
        })
    }
}

/// Half precision (IEEE 754 binary16), see RFC 8949, appendix D.
pub(super) fn half(bits: u16) -> f64 {
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match bits >> 10 & 31 {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (mantissa + 1024.0) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

fn finite(float: f64, offset: usize) -> Result<f64> {
    match float.is_finite() {
        true => Ok(float),
        false => refuse(
            offset,
            format!("{float} is not a finite number; send null or a text"),
        ),
    }
}

pub(super) fn refuse<T>(offset: usize, reason: impl Into<Cow<'static, str>>) -> Result<T> {
    Err(Error::not_representable(
        format_args!("byte {offset}"),
        reason,
    ))
}

pub(super) fn limited<T>(result: Result<T, Exceeded>, offset: usize) -> Result<T> {
    result.map_err(|exceeded| exceeded.at(format_args!("byte {offset}")))
}
