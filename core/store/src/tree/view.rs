//! Reading a leaf, wherever it is: in memory or in a page of a checkpoint.

use std::cmp::Ordering;
use std::ops::Range;

use statewright_log::Timestamp;
use statewright_value::{Limits, Value};

use super::keys::{Against, Suffix};
use super::leaf::{HEADER, MAX_BYTES, MAX_ENTRIES, RECORD, SLOT};
use super::page::{Address, NO_PAGES, Pages};
use crate::target::Entry;

const HAS_EXPIRY: u8 = 1;

/// How a record holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Int,
    Uint,
    Float,
    Text,
    Bytes,
    /// MessagePack, for the other scalars.
    Coded,
    /// The number of a value beside the buffer.
    Live,
    /// The address of a page that holds the value, and that page's length.
    Page,
    /// Packed bytes, for small arrays and objects in a page.
    Packed,
}

impl Kind {
    fn new(byte: u8) -> Option<Kind> {
        use Kind::*;
        const ALL: [Kind; 12] = [
            Null, False, True, Int, Uint, Float, Text, Bytes, Coded, Live, Page, Packed,
        ];
        ALL.get(usize::from(byte)).copied()
    }
}

/// What the header says of the parts of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Entries.
    pub len: usize,
    /// Slots for entries.
    pub slots: usize,
    /// Bytes that all keys begin with.
    pub prefix: usize,
}

impl Shape {
    pub fn of(bytes: &[u8]) -> Shape {
        let header = bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        Shape {
            len: (header & 0xFFFF) as usize,
            slots: (header >> 16 & 0xFFFF) as usize,
            prefix: (header >> 32) as usize,
        }
    }

    /// Where the slots begin.
    pub fn slots_at(self) -> usize {
        HEADER + self.prefix
    }

    /// Where the records begin.
    pub fn data_at(self) -> usize {
        self.slots_at() + SLOT * self.slots
    }
}

/// A leaf to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
    live: &'a [Value],
    pages: &'a Pages,
}

/// One entry of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Where it is in the buffer.
    pub place: usize,
    pub version: u64,
    pub kind: Kind,
    pub expires: Option<Timestamp>,
    /// Of the key behind the prefix, in bytes.
    pub suffix: usize,
    pub rest: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn read(bytes: &'a [u8], place: usize) -> Option<Record<'a>> {
        let (header, behind) = bytes.get(place..)?.split_first_chunk::<RECORD>()?;
        let (version, meta) = header.split_first_chunk::<8>()?;
        let meta = u64::from_le_bytes(*meta.first_chunk()?);
        let suffix = (meta >> 16 & 0xFFFF) as usize;
        let payload = (meta >> 32) as usize;
        let (expires, behind) = if (meta >> 8) as u8 == HAS_EXPIRY {
            let (micros, behind) = behind.split_first_chunk()?;
            let expires = Timestamp::from_micros(i64::from_le_bytes(*micros));
            (Some(expires), behind)
        } else {
            (None, behind)
        };
        let (rest, behind) = behind.split_at_checked(suffix.saturating_sub(8))?;
        Some(Record {
            place,
            version: u64::from_le_bytes(*version),
            kind: Kind::new(meta as u8)?,
            expires,
            suffix,
            rest,
            payload: behind.get(..payload)?,
        })
    }

    /// What comes before the key's rest.
    pub fn header(&self, suffix: usize, payload: usize) -> [u8; RECORD] {
        let flags = if self.expires.is_some() {
            HAS_EXPIRY
        } else {
            0
        };
        let meta = u64::from(self.kind as u8)
            | u64::from(flags) << 8
            | (suffix as u64 & 0xFFFF) << 16
            | (payload as u64) << 32;
        let both = u128::from(self.version) | u128::from(meta) << 64;
        both.to_le_bytes()
    }

    /// Where its payload is in the buffer.
    pub fn payload_at(&self) -> usize {
        self.place + self.size() - self.payload.len()
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        let expiry = if self.expires.is_some() { 8 } else { 0 };
        RECORD + expiry + self.rest.len() + self.payload.len()
    }

    /// Of a value in a page: where, and how long that page is.
    pub fn address(&self) -> (Address, usize) {
        let address = self
            .payload
            .first_chunk()
            .map_or(0, |b| u64::from_le_bytes(*b));
        (Address(address), u32_at(self.payload, 8))
    }
}

/// The head in a slot.
fn head(slot: &[u8; SLOT]) -> u64 {
    u64::from_le_bytes(*slot.first_chunk().unwrap_or(&[0; 8]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |b| u32::from_le_bytes(*b)) as usize
}

impl<'a> View<'a> {
    pub(super) fn new(bytes: &'a [u8], live: &'a [Value], pages: &'a Pages) -> View<'a> {
        View { bytes, live, pages }
    }

    /// A leaf without entries.
    pub fn empty() -> View<'static> {
        View::of_page(&[], &NO_PAGES)
    }

    /// The leaf that a page holds.
    pub fn of_page(bytes: &'a [u8], pages: &'a Pages) -> View<'a> {
        View::new(bytes, &[], pages)
    }

    /// The buffer.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Values beside the buffer.
    pub(super) fn live(&self) -> &'a [Value] {
        self.live
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::of(self.bytes)
    }

    pub fn len(&self) -> usize {
        self.shape().len
    }

    /// Whether the entries of both fit in one leaf.
    pub fn fits_with(&self, other: &View<'_>) -> bool {
        self.len() + other.len() <= MAX_ENTRIES && self.bytes.len() + other.bytes.len() <= MAX_BYTES
    }

    pub fn prefix(&self) -> &'a [u8] {
        let end = self.shape().slots_at();
        self.bytes.get(HEADER..end).unwrap_or_default()
    }

    fn used_slots(&self, shape: Shape) -> &'a [[u8; SLOT]] {
        let at = shape.slots_at();
        let bytes = self.bytes.get(at..at + SLOT * shape.len);
        bytes.unwrap_or_default().as_chunks().0
    }

    fn record_of(&self, shape: Shape, slot: &[u8; SLOT]) -> Option<Record<'a>> {
        Record::read(self.bytes, shape.data_at() + u32_at(slot, 8))
    }

    pub(super) fn record(&self, i: usize) -> Option<Record<'a>> {
        let shape = self.shape();
        self.record_of(shape, self.used_slots(shape).get(i)?)
    }

    pub(super) fn suffix(&self, i: usize) -> Option<Suffix<'a>> {
        let shape = self.shape();
        let slot = self.used_slots(shape).get(i)?;
        let record = self.record_of(shape, slot)?;
        Some(Suffix {
            head: head(slot),
            len: record.suffix,
            rest: record.rest,
        })
    }

    /// Where a key is, with its record, or where it would be.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Result<(usize, Record<'a>), usize> {
        // The search goes from line to line of the slots; reading one byte of each now lets them come at the same time.
        for line in 1..6 {
            std::hint::black_box(self.bytes.get(64 * line).copied());
        }
        let shape = self.shape();
        let wanted = match Against::new(self.prefix(), key) {
            Against::Before => return Err(0),
            Against::Behind => return Err(shape.len),
            Against::Among(wanted) => wanted,
        };
        let slots = self.used_slots(shape);
        let mut at = slots.partition_point(|slot| head(slot) < wanted.head);
        // Keys with one head may be many (the rows of one document's parts), and telling two apart reads a record.
        let behind = slots.get(at..).unwrap_or_default().iter();
        let mut end = at + behind.take_while(|slot| head(slot) == wanted.head).count();
        while at < end {
            let middle = at + (end - at) / 2;
            let slot = slots.get(middle);
            let Some(record) = slot.and_then(|slot| self.record_of(shape, slot)) else {
                self.senseless();
                break;
            };
            let here = Suffix {
                head: wanted.head,
                len: record.suffix,
                rest: record.rest,
            };
            match here.cmp_behind_head(&wanted) {
                Ordering::Less => at = middle + 1,
                Ordering::Equal => return Ok((middle, record)),
                Ordering::Greater => end = middle,
            }
        }
        Err(at)
    }

    /// Where a key is, or where it would be.
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.find(key).map(|(at, _)| at)
    }

    pub fn key(&self, i: usize) -> Vec<u8> {
        let prefix = self.prefix();
        let mut key = Vec::with_capacity(prefix.len() + 24);
        key.extend_from_slice(prefix);
        if let Some(suffix) = self.suffix(i) {
            suffix.write(&mut key);
        }
        key
    }

    /// Passes entries to `f` with their keys, in order or in reverse, until it says false; tells whether it never did.
    /// `key` is a buffer.
    pub fn each(
        &self,
        which: Range<usize>,
        reverse: bool,
        key: &mut Vec<u8>,
        f: &mut dyn FnMut(&[u8], Lent<'_>) -> bool,
    ) -> bool {
        let shape = self.shape();
        let prefix = self.prefix();
        let slots = self.used_slots(shape).get(which).unwrap_or_default();
        // Records are in no order; reading one byte of each now lets them come at the same time.
        let data = shape.data_at();
        for slot in slots {
            std::hint::black_box(self.bytes.get(data + u32_at(slot, 8)).copied());
        }
        key.clear();
        key.extend_from_slice(prefix);
        let mut visit = |slot: &[u8; SLOT]| {
            let Some(record) = self.record_of(shape, slot) else {
                self.senseless();
                return false;
            };
            key.truncate(prefix.len());
            let suffix = Suffix {
                head: head(slot),
                len: record.suffix,
                rest: record.rest,
            };
            suffix.write(key);
            f(key, Lent { leaf: self, record })
        };
        match reverse {
            false => slots.iter().all(&mut visit),
            true => slots.iter().rev().all(&mut visit),
        }
    }

    fn senseless(&self) {
        self.pages
            .note("an entry in a checkpoint makes no sense".to_owned());
    }

    /// The entry at a key, where it is. If it makes no sense, none, and [`Pages`] takes note.
    #[inline]
    pub fn lend(&self, key: &[u8]) -> Option<Lent<'_>> {
        let (_, record) = self.find(key).ok()?;
        Some(Lent { leaf: self, record })
    }

    fn value(&self, record: &Record<'_>) -> Option<Value> {
        let number = || record.payload.first_chunk().copied();
        Some(match record.kind {
            Kind::Null => Value::NULL,
            Kind::False => Value::from(false),
            Kind::True => Value::from(true),
            Kind::Int => Value::from(i64::from_le_bytes(number()?)),
            Kind::Uint => Value::from(u64::from_le_bytes(number()?)),
            Kind::Float => Value::from_f64(f64::from_le_bytes(number()?))?,
            Kind::Text => Value::from(std::str::from_utf8(record.payload).ok()?),
            Kind::Bytes => Value::bytes(record.payload),
            Kind::Coded => Value::read_msgpack(&mut &*record.payload, &Limits::unlimited()).ok()?,
            Kind::Live => self.live.get(u32_at(record.payload, 0))?.clone(),
            Kind::Packed => Value::from_packed_bytes(record.payload, &Limits::unlimited()).ok()?,
            Kind::Page => self.pages.value(Address(u64::from_le_bytes(number()?)))?,
        })
    }
}

/// An entry where it is.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a> {
    leaf: &'a View<'a>,
    record: Record<'a>,
}

impl<'a> Lent<'a> {
    pub(super) fn record(&self) -> &Record<'a> {
        &self.record
    }

    pub fn version(&self) -> u64 {
        self.record.version
    }

    pub fn expires(&self) -> Option<Timestamp> {
        self.record.expires
    }

    /// Whether it is still there at a time that is only asked for if it matters.
    pub fn is_live(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.record.expires.is_none_or(|at| at > now())
    }

    /// The value, if it makes sense; if not, [`Pages`] takes note.
    pub fn value(&self) -> Option<Value> {
        let value = self.leaf.value(&self.record);
        if value.is_none() {
            self.leaf.senseless();
        }
        value
    }

    pub fn entry(&self) -> Option<Entry> {
        Some(Entry {
            value: self.value()?,
            version: self.record.version,
            expires: self.record.expires,
        })
    }

    /// Text or bytes that are in the leaf.
    pub fn inline_bytes(&self) -> Option<&'a [u8]> {
        matches!(self.record.kind, Kind::Text | Kind::Bytes).then_some(self.record.payload)
    }
}
