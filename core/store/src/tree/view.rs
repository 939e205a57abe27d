//! Reading a leaf, wherever it is: in memory or in a page of a checkpoint.

use std::cmp::Ordering;
use std::ops::Range;

use statewright_log::Timestamp;
use statewright_value::{Limits, Value};

use super::index::{Index, Offset};
use super::keys::{Against, Suffix, first_not, same, strip};
use super::leaf::{MAX_BYTES, MAX_ENTRIES, Node};
use super::page::{Address, HEADER, NO_PAGES, PageLeaf, Pages, SLOT};
use super::walk::Visitor;
use crate::target::Entry;

const HAS_EXPIRY: u8 = 1;

static NO_VALUES: Vec<Value> = Vec::new();

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

/// Bytes of a record before its time of expiry, its key's rest and its payload.
pub(super) const RECORD: usize = 16;

/// A leaf to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What all keys begin with.
    prefix: &'a [u8],
    slots: Slots<'a>,
    /// The records, and what places count from.
    data: &'a [u8],
    /// Not a slice, as that would be read from the leaf for every view.
    live: &'a Vec<Value>,
    pages: &'a Pages,
}

/// Where the entries are, in the order of their keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slots<'a> {
    Memory(&'a Index),
    Page(&'a [[u8; SLOT]]),
}

impl Slots<'_> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Slots::Memory(index) => index.len(),
            Slots::Page(slots) => slots.len(),
        }
    }

    /// The beginning of a key, as a number.
    #[inline]
    fn head(&self, i: usize) -> u64 {
        match self {
            Slots::Memory(index) => index.head(i),
            Slots::Page(slots) => {
                let head = slots.get(i).and_then(|slot| slot.first_chunk());
                head.map_or(0, |head| u64::from_le_bytes(*head))
            }
        }
    }
}

/// One entry of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Where it is among the data.
    pub place: usize,
    pub version: u64,
    pub kind: Kind,
    pub expires: Option<Timestamp>,
    /// Of the key behind the prefix, in bytes.
    pub suffix: usize,
    /// What is here of it: all, or, in a page, what is behind the head.
    pub part: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record of a slot.
    #[inline]
    fn read<S: Slot>(bytes: &'a [u8], slot: &S) -> Option<Record<'a>> {
        let place = slot.place();
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
        let (part, behind) = behind.split_at_checked(suffix.saturating_sub(S::HEAD))?;
        Some(Record {
            place,
            version: u64::from_le_bytes(*version),
            kind: Kind::new(meta as u8)?,
            expires,
            suffix,
            part,
            payload: behind.get(..payload)?,
        })
    }

    /// Puts a record at the end of `out`, of this one's version, kind and expiry, with a part of its key.
    pub fn write(&self, (suffix, part): (usize, &[u8]), payload: &[u8], out: &mut Vec<u8>) {
        let flags = if self.expires.is_some() {
            HAS_EXPIRY
        } else {
            0
        };
        let meta = u64::from(self.kind as u8)
            | u64::from(flags) << 8
            | (suffix as u64 & 0xFFFF) << 16
            | (payload.len() as u64) << 32;
        let both = u128::from(self.version) | u128::from(meta) << 64;
        out.extend_from_slice(&both.to_le_bytes());
        if let Some(expires) = self.expires {
            out.extend_from_slice(&expires.as_micros().to_le_bytes());
        }
        out.extend_from_slice(part);
        out.extend_from_slice(payload);
    }

    /// The bytes that [`write`](Record::write) puts.
    pub fn size_with(&self, part: &[u8], payload: &[u8]) -> usize {
        let expiry = if self.expires.is_some() { 8 } else { 0 };
        RECORD + expiry + part.len() + payload.len()
    }

    /// Where its payload is among the data.
    pub fn payload_at(&self) -> usize {
        self.place + self.size() - self.payload.len()
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.size_with(self.part, self.payload)
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

/// What tells where one record is, and what the record lacks of its key.
trait Slot {
    /// Bytes at the beginning of keys that records lack.
    const HEAD: usize;

    fn place(&self) -> usize;

    /// The record's key without the prefix.
    fn suffix<'a>(&self, record: &Record<'a>) -> Suffix<'a>;

    /// Puts that at the end of `out`.
    #[inline]
    fn write_suffix(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.suffix(record).write(out);
    }
}

/// In memory.
impl Slot for Offset {
    const HEAD: usize = 0;

    #[inline]
    fn place(&self) -> usize {
        self.at()
    }

    #[inline]
    fn suffix<'a>(&self, record: &Record<'a>) -> Suffix<'a> {
        Suffix::new(record.part)
    }

    #[inline]
    fn write_suffix(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(record.part);
    }
}

/// In a page.
impl Slot for [u8; SLOT] {
    const HEAD: usize = 8;

    #[inline]
    fn place(&self) -> usize {
        u32_at(self, 8)
    }

    #[inline]
    fn suffix<'a>(&self, record: &Record<'a>) -> Suffix<'a> {
        Suffix {
            head: self.first_chunk().map_or(0, |b| u64::from_le_bytes(*b)),
            len: record.suffix,
            rest: record.part,
        }
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |b| u32::from_le_bytes(*b)) as usize
}

impl<'a> View<'a> {
    /// Of a leaf in memory.
    #[inline]
    pub(super) fn new(node: &'a Node, pages: &'a Pages) -> View<'a> {
        View {
            prefix: &node.prefix,
            slots: Slots::Memory(&node.index),
            data: &node.heap,
            live: &node.live,
            pages,
        }
    }

    /// A leaf without entries.
    pub fn empty() -> View<'static> {
        View::of_page(&[], &NO_PAGES)
    }

    /// The leaf that a page holds.
    pub fn of_page(bytes: &'a [u8], pages: &'a Pages) -> View<'a> {
        let page = PageLeaf::new(bytes);
        View {
            prefix: page.prefix,
            slots: Slots::Page(page.slots),
            data: page.data,
            live: &NO_VALUES,
            pages,
        }
    }

    /// Values beside the records.
    pub(super) fn live(&self) -> &'a [Value] {
        self.live
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of its page, about: values that are not in their records would come to it.
    pub fn size(&self) -> usize {
        HEADER + self.prefix.len() + SLOT * self.len() + self.data.len()
    }

    /// Whether the entries of both fit in one leaf.
    pub fn fits_with(&self, other: &View<'_>) -> bool {
        self.len() + other.len() <= MAX_ENTRIES && self.size() + other.size() <= MAX_BYTES
    }

    pub fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    #[inline]
    pub(super) fn record(&self, i: usize) -> Option<Record<'a>> {
        match self.slots {
            Slots::Memory(index) => Record::read(self.data, index.places().get(i)?),
            Slots::Page(slots) => Record::read(self.data, slots.get(i)?),
        }
    }

    pub(super) fn suffix(&self, i: usize) -> Option<Suffix<'a>> {
        self.record(i).map(|record| self.suffix_of(i, &record))
    }

    #[inline]
    fn suffix_of(&self, i: usize, record: &Record<'a>) -> Suffix<'a> {
        match self.slots {
            Slots::Memory(_) => Suffix::new(record.part),
            Slots::Page(slots) => slots.get(i).unwrap_or(&[0; SLOT]).suffix(record),
        }
    }

    /// Where a key is, told without the prefix, by its tag.
    #[inline]
    fn find_tagged(&self, index: &Index, suffix: &[u8]) -> Option<(usize, Record<'a>)> {
        index.find(suffix, |at| {
            let record = Record::read(self.data, index.places().get(at)?)?;
            same(record.part, suffix).then_some((at, record))
        })
    }

    /// Where a key is, with its record, or where it would be.
    pub(super) fn find(&self, key: &[u8]) -> Result<(usize, Record<'a>), usize> {
        let (suffix, wanted) = match Against::new(self.prefix, key) {
            Against::Before => return Err(0),
            Against::Behind => return Err(self.len()),
            Against::Among(suffix) => (suffix, Suffix::new(suffix)),
        };
        let before = match self.slots {
            Slots::Memory(index) => match self.find_tagged(index, suffix) {
                Some(found) => return Ok(found),
                None => index.before(wanted.head),
            },
            Slots::Page(_) => first_not(0..self.len(), |i| self.slots.head(i) < wanted.head),
        };
        // Keys with one head may be many (the rows of one document's parts), and telling two apart reads a record.
        let end = first_not(before..self.len(), |i| self.slots.head(i) == wanted.head);
        let (mut at, mut end) = (before, end);
        while at < end {
            let middle = at + (end - at) / 2;
            let Some(record) = self.record(middle) else {
                self.senseless();
                break;
            };
            match self.suffix_of(middle, &record).cmp_behind_head(&wanted) {
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
    pub fn each<F: Visitor + ?Sized>(
        &self,
        which: Range<usize>,
        reverse: bool,
        key: &mut Vec<u8>,
        f: &mut F,
    ) -> bool {
        match self.slots {
            Slots::Memory(index) => self.each_of(index.places(), which, reverse, key, f),
            Slots::Page(slots) => self.each_of(slots, which, reverse, key, f),
        }
    }

    #[inline]
    fn each_of<S: Slot, F: Visitor + ?Sized>(
        &self,
        slots: &[S],
        which: Range<usize>,
        reverse: bool,
        key: &mut Vec<u8>,
        f: &mut F,
    ) -> bool {
        let which = which.start..which.end.min(slots.len());
        let slots = slots.get(which).unwrap_or_default();
        // Records are in no order; reading one byte of each now lets them come at the same time.
        for slot in slots {
            std::hint::black_box(self.data.get(slot.place()).copied());
        }
        key.clear();
        key.extend_from_slice(self.prefix);
        let mut left = slots.iter();
        while let Some(slot) = match reverse {
            false => left.next(),
            true => left.next_back(),
        } {
            let Some(record) = Record::read(self.data, slot) else {
                self.senseless();
                return false;
            };
            key.truncate(self.prefix.len());
            slot.write_suffix(&record, key);
            if !f(key, Lent { leaf: self, record }) {
                return false;
            }
        }
        true
    }

    fn senseless(&self) {
        self.pages
            .note("an entry in a checkpoint makes no sense".to_owned());
    }

    /// The entry at a key, where it is. If it makes no sense, none, and [`Pages`] takes note.
    // Always, as a view that is passed on would be written to memory in pieces and read as words, and waited for.
    #[inline(always)]
    pub fn lend(&self, key: &[u8]) -> Option<Lent<'_>> {
        let (_, record) = match self.slots {
            Slots::Memory(index) => self.find_tagged(index, strip(key, self.prefix)?)?,
            Slots::Page(_) => self.find(key).ok()?,
        };
        Some(Lent { leaf: self, record })
    }

    /// [`lend`](View::lend) of a leaf in memory, and where in it the entry is.
    #[inline(always)]
    pub fn lend_at(&self, key: &[u8]) -> Option<(usize, Lent<'_>)> {
        let Slots::Memory(index) = self.slots else {
            return None;
        };
        let (at, record) = self.find_tagged(index, strip(key, self.prefix)?)?;
        Some((at, Lent { leaf: self, record }))
    }

    /// The record at a place of a leaf in memory, if it is this key's.
    pub(super) fn record_of(&self, at: usize, key: &[u8]) -> Option<Record<'a>> {
        let suffix = strip(key, self.prefix)?;
        self.record(at).filter(|record| same(record.part, suffix))
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
