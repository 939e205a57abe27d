//! MessagePack: the decoder, which never trusts a declared length, and the encoders.
//!
//! Source: the MessagePack specification (github.com/msgpack/msgpack, spec.md).

use rmp::{Marker, encode};

use crate::build::{Builder, Exceeded};
use crate::encode::{BLOCK, Format, encode as encode_value, push_block};
use crate::extended::Extended;
use crate::kinds::ext::Refused;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Error, Limits, Result, Value};

/// MessagePack.
impl Value {
    /// Decodes exactly one value, within [`Limits::default`]; O(length).
    ///
    /// Of equal keys the last value wins, at the position of the first. 32-bit floats widen. The format is that of
    /// the MessagePack specification, with its timestamp (extension −1), which becomes a datetime.
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(Value::from_msgpack(b"\x81\xa1a\x93\x01\xc0\xc3")?, value!({ "a": [1, null, true] }));
    /// assert_eq!(Value::from_msgpack(b"\xc1").unwrap_err().code(), 201);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidMsgpack`] with the byte offset, also when bytes are left over;
    /// [`Error::NotRepresentable`] for what a value cannot hold: extension types other than the timestamp
    /// and our own, map keys that are not text, NaN and infinities; [`Error::Limit`].
    pub fn from_msgpack(bytes: &[u8]) -> Result<Value> {
        Value::from_msgpack_with(bytes, &Limits::default())
    }

    /// As [`Value::from_msgpack`], within the given limits.
    ///
    /// # Errors
    /// As [`Value::from_msgpack`].
    pub fn from_msgpack_with(bytes: &[u8], limits: &Limits) -> Result<Value> {
        let mut rest = bytes;
        let value = Value::read_msgpack(&mut rest, limits)?;
        if !rest.is_empty() {
            let reason = format!("{} bytes are left after the value", rest.len()).into();
            return Err(Error::InvalidMsgpack {
                offset: bytes.len() - rest.len(),
                reason,
            });
        }
        Ok(value)
    }

    /// Decodes one value from the front of `bytes` and moves `bytes` past it; on an error `bytes` stays.
    /// O(bytes read), in time and memory, whatever lengths they declare.
    ///
    /// # Errors
    /// As [`Value::from_msgpack`], but bytes after the value are left for the next call.
    pub fn read_msgpack(bytes: &mut &[u8], limits: &Limits) -> Result<Value> {
        let allowed = bytes.get(..limits.max_bytes).unwrap_or(bytes);
        let cut_at = (allowed.len() < bytes.len()).then_some(limits.max_bytes);
        let mut reader = Reader {
            bytes: allowed,
            cut_at,
            pos: 0,
            open: Vec::new(),
            builder: Builder::new(limits, allowed.len()),
        };
        reader.value()?;
        let end = reader.pos;
        let value = limited(reader.builder.finish(), end)?;
        *bytes = bytes.get(end..).unwrap_or_default();
        Ok(value)
    }

    /// Encodes as MessagePack, which decodes to an equal value: objects in insertion order, integers and
    /// lengths in their shortest form, floats always in 64 bits. O(size).
    ///
    /// MessagePack's lengths have 32 bits: a text or byte string beyond 4 GiB, which no preset of [`Limits`] takes, is
    /// cut there.
    pub fn to_msgpack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_msgpack(&mut out);
        out
    }

    /// Appends MessagePack to `out`, as [`Value::to_msgpack`]. O(size).
    pub fn write_msgpack(&self, out: &mut Vec<u8>) {
        encode_value::<MessagePack>(out, self.by_ref());
    }

    /// The canonical encoding: MessagePack with the keys of every object sorted (by UTF-8 bytes) and
    /// everything in one fixed form, so that equal values have equal bytes and unequal ones do not. O(size × log of
    /// the largest object).
    ///
    /// ```
    /// use statewright_value::value;
    /// let (a, b) = (value!({ "x": 1, "y": 2 }), value!({ "y": 2, "x": 1 }));
    /// assert_eq!(a.canonical(), b.canonical());
    /// assert_ne!(value!(1).canonical(), value!(1.0).canonical());
    /// ```
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, Walk::sorted(self.by_ref()));
        out
    }
}

fn write(out: &mut Vec<u8>, walk: Walk<'_>) {
    for event in walk {
        match event {
            Event::Scalar(scalar) => MessagePack::scalar(out, scalar),
            Event::Array(array) => MessagePack::begin(out, false, array.len()),
            Event::Object(object) => MessagePack::begin(out, true, object.len()),
            Event::Key(key) => MessagePack::key(out, key),
            Event::End => {}
        }
    }
}

/// Writing to a Vec cannot fail, so results are dropped here.
struct MessagePack;

impl Format for MessagePack {
    const SEPARATOR: Option<u8> = None;

    fn begin(out: &mut Vec<u8>, is_object: bool, len: usize) {
        let _ = if is_object {
            encode::write_map_len(out, length(len))
        } else {
            encode::write_array_len(out, length(len))
        };
    }

    fn end(_: &mut Vec<u8>, _: bool) {}

    fn key(out: &mut Vec<u8>, key: &str) {
        write_text(out, key);
    }

    fn scalar(out: &mut Vec<u8>, scalar: Data<'_>) {
        let _ = write_scalar(out, scalar);
    }

    #[inline(always)]
    fn int(out: &mut Vec<u8>, int: i64) {
        match u32::try_from(int) {
            Ok(small @ ..0x80) => out.push(small as u8),
            Ok(int @ ..0x100) => out.extend_from_slice(&[0xCC, int as u8]),
            Ok(int @ ..0x1_0000) => {
                let [a, b] = (int as u16).to_be_bytes();
                out.extend_from_slice(&[0xCD, a, b]);
            }
            Ok(int) => {
                let [a, b, c, d] = int.to_be_bytes();
                out.extend_from_slice(&[0xCE, a, b, c, d]);
            }
            Err(_) => drop(encode::write_sint(out, int)),
        }
    }

    #[inline(always)]
    fn float(out: &mut Vec<u8>, float: f64) {
        let [a, b, c, d, e, f, g, h] = float.to_be_bytes();
        out.extend_from_slice(&[0xCB, a, b, c, d, e, f, g, h]);
    }

    #[inline(always)]
    fn short_text(out: &mut Vec<u8>, block: &[u8; BLOCK], len: usize) -> bool {
        if len > 31 {
            return false;
        }
        out.push(0xA0 | len as u8);
        push_block(out, block, len);
        true
    }
}

fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[inline]
fn write_text(out: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(len @ ..32) => out.push(0xA0 | len),
        Ok(len) => out.extend_from_slice(&[0xD9, len]),
        Err(_) => drop(encode::write_str_len(out, length(text.len()))),
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_scalar(out: &mut Vec<u8>, scalar: Data<'_>) -> Result<(), encode::ValueWriteError> {
    match scalar {
        Data::Bool(bool) => {
            encode::write_bool(out, bool).map_err(encode::ValueWriteError::InvalidMarkerWrite)
        }
        Data::Int(int) => encode::write_sint(out, int).map(drop),
        Data::Uint(uint) => encode::write_uint(out, uint).map(drop),
        Data::Float(float) => encode::write_f64(out, float),
        Data::Text(text) => {
            write_text(out, text);
            Ok(())
        }
        Data::Bytes(bytes) => encode::write_bin(out, bytes),
        Data::Extended(extended) => {
            let (kind, payload) = extended.to_ext();
            let payload = payload.as_bytes();
            encode::write_ext_meta(out, length(payload.len()), kind)?;
            out.extend(payload);
            Ok(())
        }
        Data::Null | Data::Array | Data::Object => {
            encode::write_nil(out).map_err(encode::ValueWriteError::InvalidMarkerWrite)
        }
    }
}

struct Reader<'a, 'l> {
    bytes: &'a [u8],
    /// The limit, if it hides bytes after `bytes`.
    cut_at: Option<usize>,
    pos: usize,
    /// The open containers, innermost last.
    open: Vec<Open>,
    builder: Builder<'l>,
}

struct Open {
    /// How many values it still lacks.
    lacks: usize,
    is_object: bool,
}

impl<'a> Reader<'a, '_> {
    /// Reads one value: opens containers on the way down, closes finished ones on the way up.
    fn value(&mut self) -> Result<()> {
        loop {
            if let Some(Open {
                is_object: true, ..
            }) = self.open.last()
            {
                self.key()?;
            }
            if self.begin()? {
                continue;
            }
            loop {
                let Some(open) = self.open.last_mut() else {
                    return Ok(());
                };
                open.lacks -= 1;
                if open.lacks > 0 {
                    break;
                }
                self.open.pop();
                limited(self.builder.end(), self.pos)?;
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container (true).
    #[inline(always)]
    fn begin(&mut self) -> Result<bool> {
        let start = self.pos;
        let [marker] = self.take()?;
        let added = match Marker::from_u8(marker) {
            Marker::Null => self.builder.null(),
            Marker::True => self.builder.bool(true),
            Marker::False => self.builder.bool(false),
            Marker::FixPos(int) => self.builder.int(int.into()),
            Marker::FixNeg(int) => self.builder.int(int.into()),
            Marker::U8 => self.int(u8::from_be_bytes)?,
            Marker::U16 => self.int(u16::from_be_bytes)?,
            Marker::U32 => self.int(u32::from_be_bytes)?,
            Marker::I8 => self.int(i8::from_be_bytes)?,
            Marker::I16 => self.int(i16::from_be_bytes)?,
            Marker::I32 => self.int(i32::from_be_bytes)?,
            Marker::I64 => self.int(i64::from_be_bytes)?,
            Marker::U64 => {
                let uint = u64::from_be_bytes(self.take()?);
                self.builder.uint(uint)
            }
            Marker::F32 => {
                let narrow = f32::from_be_bytes(self.take()?);
                self.builder.float(finite(narrow.into(), start)?)
            }
            Marker::F64 => {
                let float = f64::from_be_bytes(self.take()?);
                self.builder.float(finite(float, start)?)
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let text = self.text(marker, start)?;
                self.builder.text(text)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let len = self.length(marker)?;
                let bytes = self.slice(len)?;
                self.builder.bytes(bytes)
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                return self.container(marker, start, false);
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                return self.container(marker, start, true);
            }
            Marker::Reserved => return self.fail(start, "0xc1 is not a MessagePack type"),
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => self.extension(marker, start)?,
        };
        limited(added, start)?;
        Ok(false)
    }

    #[inline(always)]
    fn int<const N: usize, I: Into<i64>>(
        &mut self,
        decode: impl Fn([u8; N]) -> I,
    ) -> Result<Result<(), Exceeded>> {
        let int = decode(self.take()?);
        Ok(self.builder.int(int.into()))
    }

    /// A timestamp or an extension type of our own.
    #[cold]
    fn extension(&mut self, marker: u8, start: usize) -> Result<Result<(), Exceeded>> {
        let len = self.length(marker)?;
        let [kind] = self.take()?;
        let payload = self.slice(len)?;
        let at = format_args!("byte {start}");
        match Extended::from_ext(kind as i8, payload) {
            Ok(extended) => Ok(self.builder.extended(extended, payload.len())),
            Err(Refused::Malformed(reason)) => self.fail(start, reason),
            Err(Refused::OutOfRange(reason)) => Err(Error::not_representable(at, reason)),
            Err(Refused::File(reason)) => Err(Error::not_representable(at, reason)),
            Err(Refused::Unknown) => Err(Error::not_representable(
                at,
                format!(
                    "extension type {} has no form in a value; send a text or a number",
                    kind as i8
                ),
            )),
        }
    }

    /// Opens a container, and closes it again if it is empty.
    #[inline(always)]
    fn container(&mut self, marker: u8, start: usize, is_object: bool) -> Result<bool> {
        let lacks = self.length(marker)?;
        self.declared(lacks, 1 + usize::from(is_object))?;
        let begun = if is_object {
            self.builder.begin_object()
        } else {
            self.builder.begin_array()
        };
        limited(begun, start)?;
        if lacks == 0 {
            limited(self.builder.end(), start)?;
            return Ok(false);
        }
        self.open.push(Open { lacks, is_object });
        Ok(true)
    }

    #[inline(always)]
    fn key(&mut self) -> Result<()> {
        let start = self.pos;
        let [marker] = self.take()?;
        match Marker::from_u8(marker) {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let key = self.text(marker, start)?;
                limited(self.builder.key(key), start)
            }
            other => {
                let reason = format!("a key must be text, found {other:?}");
                Err(Error::not_representable(
                    format_args!("byte {start}"),
                    reason,
                ))
            }
        }
    }

    #[inline(always)]
    fn text(&mut self, marker: u8, start: usize) -> Result<&'a str> {
        let len = self.length(marker)?;
        let bytes = self.slice(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => self.fail(start, "the text is not UTF-8; use a byte string for bytes"),
        }
    }

    /// The length that belongs to the marker of a string or container.
    fn length(&mut self, marker: u8) -> Result<usize> {
        Ok(match Marker::from_u8(marker) {
            Marker::FixStr(len) | Marker::FixArray(len) | Marker::FixMap(len) => len.into(),
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Str8 | Marker::Bin8 | Marker::Ext8 => u8::from_be_bytes(self.take()?).into(),
            Marker::Str16 | Marker::Bin16 | Marker::Array16 | Marker::Map16 | Marker::Ext16 => {
                u16::from_be_bytes(self.take()?).into()
            }
            _ => usize::try_from(u32::from_be_bytes(self.take()?)).unwrap_or(usize::MAX),
        })
    }

    /// Every value takes at least one byte, so a length that the bytes left cannot hold is refused at once.
    fn declared(&self, len: usize, least_bytes: usize) -> Result<()> {
        if len.saturating_mul(least_bytes) > self.bytes.len() - self.pos {
            self.truncated()
        } else {
            Ok(())
        }
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        match rest.get(..len) {
            Some(slice) => {
                self.pos += len;
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
            let at = format!("byte {}", self.pos);
            return Err(Error::Limit {
                what: "length of the MessagePack value",
                limit,
                at,
            });
        }
        self.fail(self.bytes.len(), "the bytes end before the value does")
    }

    fn fail<T>(&self, offset: usize, reason: &'static str) -> Result<T> {
        Err(Error::InvalidMsgpack {
            offset,
            reason: reason.into(),
        })
    }
}

fn finite(float: f64, offset: usize) -> Result<f64> {
    if float.is_finite() {
        return Ok(float);
    }
    let reason = format!("{float} is not a finite number; send null or a text");
    Err(Error::not_representable(
        format_args!("byte {offset}"),
        reason,
    ))
}

#[inline(always)]
fn limited<T>(result: Result<T, Exceeded>, offset: usize) -> Result<T> {
    result.map_err(|exceeded| exceeded.at(format_args!("byte {offset}")))
}
