//! The packed form as bytes, for files and other processes: written as it lies in memory, checked whole when
//! it is read.
//!
//! ```text
//! "SWPK", version 1 (u32) · number of words (u64) · root word · where the table of shapes is (u32) and
//! how many there are (u32) · number of scalars beyond JSON (u64) · the words · those scalars, each as
//! extension type (u8), length (u32) and payload of MessagePack
//! ```
//! All little-endian.

use std::sync::OnceLock;

use super::word::{self, Tag};
use super::write::Writer;
use super::{Document, Packed, check};
use crate::extended::Extended;
use crate::value::Repr;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Error, Limits, MAX_DEPTH, Path, Result, Value, ValueRef};

const MAGIC: u64 = u64::from_le_bytes(*b"SWPK\x01\0\0\0");

/// The packed form.
impl Value {
    /// This value in the packed form, in a buffer of its own: smaller than nodes, fast to read, and holding
    /// on to nothing that a larger document around it keeps. O(size).
    ///
    /// # Errors
    /// [`Error::Limit`] if it needs more than 32 GiB.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let users = value!([{ "name": "Ada" }, { "name": "Grace" }]);
    /// assert_eq!(users.pack()?, users);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pack(&self) -> Result<Value> {
        write(self.by_ref())?.finish().map_err(|_| too_large())
    }

    /// The packed form as bytes, which [`Value::from_packed_bytes`] reads with one copy. O(size).
    ///
    /// # Errors
    /// [`Error::Limit`] if it needs more than 32 GiB, or nests deeper than [`MAX_DEPTH`](crate::MAX_DEPTH), since it
    /// could not be read.
    pub fn to_packed_bytes(&self) -> Result<Vec<u8>> {
        if !self.nests_within(MAX_DEPTH) {
            return Err(Error::too_deep(Path::root()));
        }
        let (root, document) = write(self.by_ref())?
            .into_document()
            .map_err(|_| too_large())?;
        let shapes = u64::from(document.shapes) | u64::from(document.shape_count) << 32;
        let words = document.words.len() as u64;
        let scalars = document.extended.len() as u64;
        let head = [MAGIC, words, root, shapes, scalars];
        let mut out = Vec::with_capacity(8 * (head.len() + document.words.len()));
        for word in head.iter().chain(&document.words) {
            out.extend(word.to_le_bytes());
        }
        for extended in &document.extended {
            let (kind, payload) = extended.to_ext();
            let payload = payload.as_bytes();
            out.extend(kind.to_le_bytes());
            out.extend((payload.len() as u32).to_le_bytes());
            out.extend(payload);
        }
        Ok(out)
    }

    /// Reads what [`Value::to_packed_bytes`] has written. Everything in it is checked, so that bytes from
    /// anywhere give a value or an error. O(length).
    ///
    /// # Errors
    /// [`Error::InvalidPacked`] for bytes that are not a packed value; [`Error::Limit`].
    ///
    /// ```
    /// use statewright_value::{Limits, Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let order = value!({ "id": 17, "lines": [{ "price": 5 }, { "price": 6 }] });
    /// let bytes = order.to_packed_bytes()?;
    /// assert_eq!(Value::from_packed_bytes(&bytes, &Limits::default())?, order);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_packed_bytes(bytes: &[u8], limits: &Limits) -> Result<Value> {
        if bytes.len() > limits.max_bytes {
            return Err(Error::Limit {
                what: "length of the packed value",
                limit: limits.max_bytes,
                at: format!("found {} bytes", bytes.len()),
            });
        }
        let (words, _) = bytes.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().ok_or_else(|| invalid(bytes.len(), ENDS));
        if next()? != MAGIC {
            return Err(invalid(0, "not a packed value of this version"));
        }
        let (count, root, shapes, scalars) = (next()?, next()?, next()?, next()?);
        if count > words.len() as u64 || count > u32::MAX.into() {
            return Err(invalid(8, ENDS));
        }
        let words: Box<[u64]> = words.take(count as usize).collect();
        let start = 8 * (5 + words.len());
        let mut packed = Packed {
            words,
            shapes: shapes as u32,
            shape_count: (shapes >> 32) as u32,
            extended: read_scalars(bytes, start, scalars)?,
            depth: 0,
            keys: OnceLock::new(),
        };
        packed.depth = check::check(&packed, root, limits)?;
        let document = Document::new(packed);
        Ok(match word::tag(root) {
            Some(Tag::Array | Tag::Record | Tag::Dict | Tag::Bytes) => {
                Value(Repr::Packed(document, root))
            }
            // A scalar does not need the document.
            _ => match ValueRef::of(super::View::new(&document, &root)).data() {
                Data::Text(text) => Value::text(text),
                _ => ValueRef::of(super::View::new(&document, &root)).to_value(),
            },
        })
    }
}

const ENDS: &str = "the bytes end before the value does";

pub(super) fn invalid(offset: usize, reason: &'static str) -> Error {
    Error::InvalidPacked {
        offset,
        reason: reason.into(),
    }
}

pub(super) fn too_large() -> Error {
    Error::Limit {
        what: "size of one value in 8-byte words",
        limit: u32::MAX as usize,
        at: "packing".into(),
    }
}

fn read_scalars(bytes: &[u8], start: usize, count: u64) -> Result<Box<[Extended]>> {
    let mut rest = bytes.get(start..).unwrap_or_default();
    let mut scalars = Vec::new();
    for _ in 0..count {
        let at = bytes.len() - rest.len();
        let scalar = rest.split_first_chunk::<5>().and_then(|(head, after)| {
            let [kind, len @ ..] = *head;
            let (payload, after) = after.split_at_checked(u32::from_le_bytes(len) as usize)?;
            rest = after;
            Extended::from_ext(kind as i8, payload).ok()
        });
        scalars.push(scalar.ok_or_else(|| invalid(at, "not a scalar of a known kind"))?);
    }
    match rest {
        [] => Ok(scalars.into_boxed_slice()),
        _ => Err(invalid(
            bytes.len() - rest.len(),
            "bytes are left after the value",
        )),
    }
}

fn write(value: ValueRef<'_>) -> Result<Box<Writer>> {
    let mut writer = Writer::new(64);
    write_into(&mut writer, value).map_err(|_| too_large())?;
    Ok(writer)
}

/// Adds a value to the innermost open container.
pub(super) fn write_into(writer: &mut Writer, value: ValueRef<'_>) -> Result<(), super::Full> {
    for event in Walk::new(value) {
        match event {
            Event::Array(_) => writer.open_array(),
            Event::Object(_) => writer.open_object(),
            Event::Key(key) => writer.key(key)?,
            Event::End => writer.close()?,
            Event::Scalar(scalar) => {
                let word = scalar_word(writer, scalar)?;
                writer.push(word);
            }
        }
    }
    Ok(())
}

pub(super) fn scalar_word(writer: &mut Writer, scalar: Data<'_>) -> Result<u64, super::Full> {
    match scalar {
        Data::Null | Data::Array | Data::Object => Ok(word::NULL),
        Data::Bool(bool) => Ok(if bool { word::TRUE } else { word::FALSE }),
        Data::Int(int) => writer.int(int),
        Data::Uint(uint) => writer.uint(uint),
        Data::Float(float) => Ok(float.to_bits()),
        Data::Text(text) => writer.text(text),
        Data::Bytes(bytes) => writer.bytes(bytes),
        Data::Extended(extended) => writer.extended(extended.clone()),
    }
}
