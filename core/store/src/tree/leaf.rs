//! Leaves: entries in one buffer, in the same form in memory and in a checkpoint.
//!
//! ```text
//! count u16 | slots u16 | prefix u32 | garbage u32 | 0 u32      the header
//! prefix bytes                                                 what all keys begin with
//! slots × (head u64, offset u32)     in order: the keys' next eight bytes, and where in the data their records are
//! records …                                                    the data, in no order
//!
//! record: version u64 | kind u8 | flags u8 | suffix length u16 | payload length u32
//!         | [expires i64] | rest of key | payload
//! ```
//!
//! Numbers are little-endian. Small scalars are in their record. Everything else is *live*: in memory a [`Value`]
//! beside the buffer, whose number is in the record, so that a document is edited in place and shared by snapshots.

use std::ops::Range;

use statewright_log::Timestamp;
use statewright_value::{Limits, Value};

use super::keys::{Against, Suffix, common};
use super::page::{Address, NO_PAGES, Pages};
use crate::error::Result as StoreResult;
use crate::target::Entry;

/// Entries of a leaf at most.
pub(super) const MAX_ENTRIES: usize = 32;
/// A leaf with more bytes than this is split even if it has few entries.
const MAX_BYTES: usize = 16 << 10;
/// Text and bytes up to this length are in the leaf.
const MAX_INLINE: usize = 512;
/// In a page, packed arrays and objects up to this length are in the leaf.
const MAX_PACKED: usize = 1024;
/// Slots are added by this many.
const SLOT_STEP: usize = 8;

const HEADER: usize = 16;
const SLOT: usize = 12;
const RECORD: usize = 16;
const HAS_EXPIRY: u8 = 1;

/// How a record holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
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

/// A leaf in memory.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    bytes: Vec<u8>,
    live: Vec<Value>,
}

/// A leaf to be read, wherever it is.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
    live: &'a [Value],
    pages: &'a Pages,
}

/// One entry of a leaf.
struct Record<'a> {
    version: u64,
    kind: Kind,
    expires: Option<Timestamp>,
    suffix: usize,
    rest: &'a [u8],
    payload: &'a [u8],
    /// Of the record in bytes.
    size: usize,
}

/// A value that is not in its record.
pub(super) enum Stored<'a> {
    /// Packed bytes, not in any page yet.
    New(&'a [u8]),
    /// In a page of this length.
    Page((Address, usize)),
}

impl Record<'_> {
    fn address(&self) -> (Address, usize) {
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

fn u16_at(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    usize::from(found.map_or(0, |b| u16::from_le_bytes(*b)))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |b| u32::from_le_bytes(*b)) as usize
}

fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(new.len())) {
        place.copy_from_slice(new);
    }
}

impl<'a> View<'a> {
    /// A leaf without entries.
    pub fn empty() -> View<'static> {
        View::of_page(&[], &NO_PAGES)
    }

    /// The leaf that a page holds.
    pub fn of_page(bytes: &'a [u8], pages: &'a Pages) -> View<'a> {
        View {
            bytes,
            live: &[],
            pages,
        }
    }

    /// The buffer.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn len(&self) -> usize {
        u16_at(self.bytes, 0)
    }

    /// Whether the entries of both fit in one leaf.
    pub fn fits_with(&self, other: &View<'_>) -> bool {
        self.len() + other.len() <= MAX_ENTRIES && self.bytes.len() + other.bytes.len() <= MAX_BYTES
    }

    fn slots(&self) -> usize {
        u16_at(self.bytes, 2)
    }

    fn prefix(&self) -> &'a [u8] {
        let len = u32_at(self.bytes, 4);
        self.bytes.get(HEADER..HEADER + len).unwrap_or_default()
    }

    fn slots_at(&self) -> usize {
        HEADER + u32_at(self.bytes, 4)
    }

    fn data_at(&self) -> usize {
        self.slots_at() + SLOT * self.slots()
    }

    fn used_slots(&self) -> &'a [[u8; SLOT]] {
        let at = self.slots_at();
        let bytes = self.bytes.get(at..at + SLOT * self.len());
        bytes.unwrap_or_default().as_chunks().0
    }

    /// Where an entry's record is in the buffer.
    fn record_at(&self, i: usize) -> usize {
        let slot = self.used_slots().get(i);
        self.data_at() + slot.map_or(0, |slot| u32_at(slot, 8))
    }

    fn record(&self, i: usize) -> Option<Record<'a>> {
        let bytes = self.bytes.get(self.record_at(i)..)?;
        let (header, behind) = bytes.split_first_chunk::<RECORD>()?;
        let suffix = u16_at(header, 10);
        let payload = u32_at(header, 12);
        let mut size = RECORD + suffix.saturating_sub(8) + payload;
        let (expires, behind) = if header.get(9) == Some(&HAS_EXPIRY) {
            let (micros, behind) = behind.split_first_chunk()?;
            size += 8;
            let expires = Timestamp::from_micros(i64::from_le_bytes(*micros));
            (Some(expires), behind)
        } else {
            (None, behind)
        };
        let (rest, behind) = behind.split_at_checked(suffix.saturating_sub(8))?;
        Some(Record {
            version: u64::from_le_bytes(*header.first_chunk()?),
            kind: Kind::new(*header.get(8)?)?,
            expires,
            suffix,
            rest,
            payload: behind.get(..payload)?,
            size,
        })
    }

    fn suffix(&self, i: usize) -> Option<Suffix<'a>> {
        let record = self.record(i)?;
        Some(Suffix {
            head: head(self.used_slots().get(i)?),
            len: record.suffix,
            rest: record.rest,
        })
    }

    /// Where a key is, or where it would be.
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        // The search goes from line to line of the slots; reading one byte of each now lets them come at the same time.
        for line in 1..6 {
            std::hint::black_box(self.bytes.get(64 * line).copied());
        }
        let wanted = match Against::new(self.prefix(), key) {
            Against::Before => return Err(0),
            Against::Behind => return Err(self.len()),
            Against::Among(wanted) => wanted,
        };
        let slots = self.used_slots();
        let mut at = slots.partition_point(|slot| head(slot) < wanted.head);
        while slots.get(at).is_some_and(|slot| head(slot) == wanted.head) {
            let Some(here) = self.suffix(at) else { break };
            match here.cmp_behind_head(&wanted) {
                std::cmp::Ordering::Less => at += 1,
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => break,
            }
        }
        Err(at)
    }

    /// Puts an entry's key at the end of `out`.
    pub fn write_key(&self, i: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix());
        if let Some(suffix) = self.suffix(i) {
            suffix.write(out);
        }
    }

    pub fn key(&self, i: usize) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix().len() + 24);
        self.write_key(i, &mut key);
        key
    }

    /// The entry at `i`, if there is one. If it makes no sense, none, and [`Pages`] takes note.
    pub fn entry(&self, i: usize) -> Option<Entry> {
        if i >= self.len() {
            return None;
        }
        let entry = self.record(i).and_then(|record| {
            Some(Entry {
                value: self.value(&record)?,
                version: record.version,
                expires: record.expires,
            })
        });
        if entry.is_none() {
            self.pages
                .note("an entry in a checkpoint makes no sense".to_owned());
        }
        entry
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
    leaf: View<'a>,
    at: usize,
}

impl<'a> Lent<'a> {
    pub fn new(leaf: View<'a>, at: usize) -> Lent<'a> {
        Lent { leaf, at }
    }

    pub fn version(&self) -> u64 {
        self.leaf.record(self.at).map_or(0, |record| record.version)
    }

    pub fn expires(&self) -> Option<Timestamp> {
        self.leaf.record(self.at)?.expires
    }

    pub fn value(&self) -> Option<Value> {
        self.leaf.entry(self.at).map(|entry| entry.value)
    }

    /// Text or bytes that are in the leaf.
    pub fn inline_bytes(&self) -> Option<&'a [u8]> {
        let record = self.leaf.record(self.at)?;
        matches!(record.kind, Kind::Text | Kind::Bytes).then_some(record.payload)
    }
}

/// What goes into a record as its payload.
enum Payload<'a> {
    Nothing,
    Number([u8; 8]),
    Borrowed(&'a [u8]),
    Coded(Vec<u8>),
    Live,
}

/// Text or bytes: in the record, unless they are long.
fn inline(kind: Kind, bytes: Option<&[u8]>) -> (Kind, Payload<'_>) {
    match bytes.filter(|bytes| bytes.len() <= MAX_INLINE) {
        Some(bytes) => (kind, Payload::Borrowed(bytes)),
        None => (Kind::Live, Payload::Live),
    }
}

impl Payload<'_> {
    /// How a leaf holds a value.
    fn of(value: &Value) -> (Kind, Payload<'_>) {
        use statewright_value::Kind as Is;
        let float = |x: f64| (Kind::Float, Payload::Number(x.to_le_bytes()));
        match value.kind() {
            Is::Null => (Kind::Null, Payload::Nothing),
            Is::Bool if value.as_bool() == Some(true) => (Kind::True, Payload::Nothing),
            Is::Bool => (Kind::False, Payload::Nothing),
            Is::Integer => match (value.as_i64(), value.as_u64()) {
                (Some(n), _) => (Kind::Int, Payload::Number(n.to_le_bytes())),
                (None, Some(n)) => (Kind::Uint, Payload::Number(n.to_le_bytes())),
                (None, None) => (Kind::Live, Payload::Live),
            },
            Is::Float => value.as_f64().map_or((Kind::Live, Payload::Live), float),
            Is::Text => inline(Kind::Text, value.as_str().map(str::as_bytes)),
            Is::Bytes => inline(Kind::Bytes, value.as_bytes()),
            Is::Decimal | Is::Date | Is::Time | Is::DateTime | Is::Duration => {
                let mut coded = Vec::new();
                value.write_msgpack(&mut coded);
                (Kind::Coded, Payload::Coded(coded))
            }
            _ => (Kind::Live, Payload::Live),
        }
    }

    fn len(&self) -> usize {
        match self {
            Payload::Nothing => 0,
            Payload::Number(_) => 8,
            Payload::Borrowed(bytes) => bytes.len(),
            Payload::Coded(bytes) => bytes.len(),
            Payload::Live => 4,
        }
    }
}

/// What putting an entry did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It replaced an entry.
    Replaced,
    /// It is new.
    Inserted,
}

impl Default for Leaf {
    fn default() -> Leaf {
        Leaf::with_room(&[], 0, 0)
    }
}

impl Leaf {
    /// An empty leaf for keys with this prefix, with room for this many entries and bytes of records.
    fn with_room(prefix: &[u8], slots: usize, data: usize) -> Leaf {
        // One more than the most, for the moment before a split.
        let slots = slots.next_multiple_of(SLOT_STEP).min(MAX_ENTRIES + 1);
        let start = HEADER + prefix.len() + SLOT * slots;
        let mut bytes = Vec::with_capacity(start + data);
        bytes.resize(start, 0);
        set(&mut bytes, 2, &(slots as u16).to_le_bytes());
        set(&mut bytes, 4, &(prefix.len() as u32).to_le_bytes());
        set(&mut bytes, HEADER, prefix);
        Leaf {
            bytes,
            live: Vec::new(),
        }
    }

    pub fn view(&self) -> View<'_> {
        self.view_with(&NO_PAGES)
    }

    /// The leaf for reading values, some of which may be in pages.
    pub fn view_with<'a>(&'a self, pages: &'a Pages) -> View<'a> {
        View {
            bytes: &self.bytes,
            live: &self.live,
            pages,
        }
    }

    /// The leaf that a page holds, if it makes sense as one.
    pub fn of_page(bytes: &[u8]) -> Option<Leaf> {
        let view = View::of_page(bytes, &NO_PAGES);
        let (len, slots) = (view.len(), view.slots());
        let sound = len <= slots.min(MAX_ENTRIES)
            && slots <= MAX_ENTRIES + 1
            && view.data_at() <= bytes.len()
            && u32_at(bytes, 8) <= bytes.len() - view.data_at()
            && (0..len).all(|i| view.record(i).is_some_and(|r| r.kind != Kind::Live));
        sound.then(|| Leaf {
            bytes: bytes.to_vec(),
            live: Vec::new(),
        })
    }

    /// The page of this leaf. `put` writes a value (or copies the page of one) to a page of its own.
    pub fn to_page(
        &self,
        put: &mut dyn FnMut(Stored<'_>) -> StoreResult<(Address, usize)>,
    ) -> StoreResult<Vec<u8>> {
        let view = self.view();
        let (len, prefix) = (view.len(), view.prefix());
        let mut page = Leaf::with_room(prefix, len, self.bytes.len());
        for i in 0..len {
            let (Some(record), Some(suffix)) = (view.record(i), view.suffix(i)) else {
                continue;
            };
            let stored = match record.kind {
                Kind::Live => {
                    let value = self.live.get(u32_at(record.payload, 0));
                    let packed = value.unwrap_or(&Value::NULL).to_packed_bytes()?;
                    if packed.len() <= MAX_PACKED {
                        let kind = Kind::Packed;
                        page.write_record(i, &suffix, &Record { kind, ..record }, &packed);
                        continue;
                    }
                    put(Stored::New(&packed))?
                }
                Kind::Page => put(Stored::Page(record.address()))?,
                _ => {
                    page.write_record(i, &suffix, &record, record.payload);
                    continue;
                }
            };
            let (Address(address), len) = stored;
            let mut payload = address.to_le_bytes().to_vec();
            payload.extend_from_slice(&(len as u32).to_le_bytes());
            let kind = Kind::Page;
            page.write_record(i, &suffix, &Record { kind, ..record }, &payload);
        }
        Ok(page.bytes)
    }

    /// Whether any value is in a page that has moved; `moved` says where to.
    pub fn has_moved(&self, moved: &dyn Fn(Address) -> Option<Address>) -> bool {
        let view = self.view();
        let records = (0..view.len()).filter_map(|i| view.record(i));
        let mut pages = records.filter(|record| record.kind == Kind::Page);
        pages.any(|record| moved(record.address().0).is_some())
    }

    /// Refers to values where they are now.
    pub fn follow(&mut self, moved: &dyn Fn(Address) -> Option<Address>) {
        for i in 0..self.view().len() {
            let view = self.view();
            let place = view.record_at(i);
            let Some(record) = view.record(i).filter(|record| record.kind == Kind::Page) else {
                continue;
            };
            let payload_at = place + record.size - record.payload.len();
            if let Some(Address(address)) = moved(record.address().0) {
                set(&mut self.bytes, payload_at, &address.to_le_bytes());
            }
        }
    }

    /// The lengths of all pages that hold this leaf's values.
    pub fn paged(&self) -> u64 {
        let view = self.view();
        let records = (0..view.len()).filter_map(|i| view.record(i));
        let pages = records.filter(|record| record.kind == Kind::Page);
        pages.map(|record| u32_at(record.payload, 8) as u64).sum()
    }

    /// Bytes of memory, not counting live values.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.bytes.capacity() + self.live.capacity() * size_of::<Value>()
    }

    /// Whether it must be split.
    pub fn is_over(&self) -> bool {
        let len = self.view().len();
        len > MAX_ENTRIES || (len > 1 && self.bytes.len() - self.garbage() > MAX_BYTES)
    }

    fn garbage(&self) -> usize {
        u32_at(&self.bytes, 8)
    }

    fn add_garbage(&mut self, bytes: usize) {
        let all = self.garbage() + bytes;
        set(&mut self.bytes, 8, &(all as u32).to_le_bytes());
        if all > 1024 && all > self.bytes.len() / 4 {
            *self = self.copy(0..self.view().len(), None, 0);
        }
    }

    fn set_len(&mut self, len: usize) {
        set(&mut self.bytes, 0, &(len as u16).to_le_bytes());
    }

    /// A new leaf of some of the entries, with room for `more`, whose keys' prefix also fits `key`.
    fn copy(&self, range: Range<usize>, key: Option<&[u8]>, more: usize) -> Leaf {
        let view = self.view();
        let first = view.key(range.start);
        let last = if range.is_empty() {
            Vec::new()
        } else {
            view.key(range.end - 1)
        };
        let mut prefix = match (range.is_empty(), key) {
            (true, key) => key.unwrap_or_default(),
            (false, _) => first.get(..common(&first, &last)).unwrap_or_default(),
        };
        if let Some(key) = key {
            prefix = prefix.get(..common(prefix, key)).unwrap_or_default();
        }
        let data = range.clone().filter_map(|i| view.record(i));
        let data = data.map(|record| record.size + 8).sum();
        let mut copy = Leaf::with_room(prefix, range.len() + more, data);
        let mut scratch = Vec::new();
        for i in range {
            scratch.clear();
            view.write_key(i, &mut scratch);
            copy.push(&view, i, &scratch);
        }
        copy
    }

    /// Adds an entry of another leaf behind the last one. There is a slot for it, and the key has the prefix.
    fn push(&mut self, from: &View<'_>, i: usize, key: &[u8]) {
        let suffix = Suffix::new(key.get(self.view().prefix().len()..).unwrap_or_default());
        let Some(record) = from.record(i) else { return };
        let at = self.view().len();
        if record.kind == Kind::Live {
            let value = from.live.get(u32_at(record.payload, 0));
            let index = (self.live.len() as u32).to_le_bytes();
            self.live.extend(value.cloned());
            self.write_record(at, &suffix, &record, &index);
        } else {
            self.write_record(at, &suffix, &record, record.payload);
        }
    }

    /// Puts a record at the end of the data, and a slot for it at `at`, which must be free.
    fn write_record(&mut self, at: usize, suffix: &Suffix<'_>, like: &Record<'_>, payload: &[u8]) {
        let offset = self.bytes.len() - self.view().data_at();
        let flags = if like.expires.is_some() {
            HAS_EXPIRY
        } else {
            0
        };
        let mut header = [0; RECORD];
        set(&mut header, 0, &like.version.to_le_bytes());
        set(&mut header, 8, &[like.kind as u8, flags]);
        set(&mut header, 10, &(suffix.len as u16).to_le_bytes());
        set(&mut header, 12, &(payload.len() as u32).to_le_bytes());
        let size = RECORD + 8 + suffix.rest.len() + payload.len();
        if self.bytes.capacity() - self.bytes.len() < size {
            // Leaves are copied more often than they grow, so little is reserved.
            self.bytes.reserve_exact(size + self.bytes.len() / 8);
        }
        self.bytes.extend_from_slice(&header);
        if let Some(expires) = like.expires {
            self.bytes
                .extend_from_slice(&expires.as_micros().to_le_bytes());
        }
        self.bytes.extend_from_slice(suffix.rest);
        self.bytes.extend_from_slice(payload);
        let (slots, len) = (self.view().slots_at(), self.view().len());
        let (place, end) = (slots + SLOT * at, slots + SLOT * len.max(at));
        self.bytes.copy_within(place..end, place + SLOT);
        set(&mut self.bytes, place, &suffix.head.to_le_bytes());
        set(&mut self.bytes, place + 8, &(offset as u32).to_le_bytes());
        self.set_len(len + 1);
    }

    /// Inserts or replaces. The leaf may be [over](Leaf::is_over) afterwards.
    pub fn put(&mut self, key: &[u8], entry: &Entry) -> Put {
        let found = self.view().search(key);
        let put = match found {
            Ok(at) if self.overwrite(at, entry) => return Put::Replaced,
            Ok(at) => {
                self.take(at);
                Put::Replaced
            }
            Err(_) => Put::Inserted,
        };
        let at = found.unwrap_or_else(|at| at);
        let view = self.view();
        let fits = view.len() > 0 && key.starts_with(view.prefix());
        if !fits || view.len() >= view.slots() {
            *self = self.copy(0..view.len(), Some(key), 1);
        }
        let (kind, payload) = Payload::of(&entry.value);
        let like = Record {
            version: entry.version,
            kind,
            expires: entry.expires,
            suffix: 0,
            rest: &[],
            payload: &[],
            size: 0,
        };
        let prefix = self.view().prefix().len();
        let suffix = Suffix::new(key.get(prefix..).unwrap_or_default());
        match payload {
            Payload::Nothing => self.write_record(at, &suffix, &like, &[]),
            Payload::Number(number) => self.write_record(at, &suffix, &like, &number),
            Payload::Borrowed(bytes) => self.write_record(at, &suffix, &like, bytes),
            Payload::Coded(bytes) => self.write_record(at, &suffix, &like, &bytes),
            Payload::Live => {
                let index = (self.live.len() as u32).to_le_bytes();
                self.live.push(entry.value.clone());
                self.write_record(at, &suffix, &like, &index);
            }
        }
        put
    }

    /// Writes an entry into the record of another one, if it is of the same shape.
    fn overwrite(&mut self, at: usize, entry: &Entry) -> bool {
        let view = self.view();
        let place = view.record_at(at);
        let Some(record) = view.record(at) else {
            return false;
        };
        let (kind, payload) = Payload::of(&entry.value);
        let live = (record.kind == Kind::Live).then(|| u32_at(record.payload, 0));
        let same = (kind == Kind::Live) == live.is_some()
            && payload.len() == record.payload.len()
            && entry.expires.is_some() == record.expires.is_some();
        if !same {
            return false;
        }
        let payload_at = place + record.size - record.payload.len();
        set(&mut self.bytes, place, &entry.version.to_le_bytes());
        set(&mut self.bytes, place + 8, &[kind as u8]);
        if let Some(expires) = entry.expires {
            set(
                &mut self.bytes,
                place + RECORD,
                &expires.as_micros().to_le_bytes(),
            );
        }
        match &payload {
            Payload::Nothing => {}
            Payload::Number(number) => set(&mut self.bytes, payload_at, number),
            Payload::Borrowed(bytes) => set(&mut self.bytes, payload_at, bytes),
            Payload::Coded(bytes) => set(&mut self.bytes, payload_at, bytes),
            Payload::Live => {
                if let Some(value) = live.and_then(|i| self.live.get_mut(i)) {
                    *value = entry.value.clone();
                }
            }
        }
        true
    }

    /// Removes the entry at `at`.
    pub fn take(&mut self, at: usize) {
        let view = self.view();
        let (slots, len) = (view.slots_at(), view.len());
        let Some(record) = view.record(at) else {
            return;
        };
        let (size, kind) = (record.size, record.kind);
        if kind == Kind::Live {
            let index = u32_at(record.payload, 0);
            if let Some(value) = self.live.get_mut(index) {
                *value = Value::NULL;
            }
        }
        let (place, end) = (slots + SLOT * at, slots + SLOT * len);
        self.bytes.copy_within(place + SLOT..end, place);
        self.set_len(len - 1);
        self.add_garbage(size);
    }

    /// The live value of an entry, to be edited in place, which gives it this version; none if its value is not live.
    pub fn live_mut(&mut self, at: usize, version: u64) -> Option<&mut Value> {
        let view = self.view();
        let place = view.record_at(at);
        let record = view.record(at).filter(|record| record.kind == Kind::Live)?;
        let index = u32_at(record.payload, 0);
        set(&mut self.bytes, place, &version.to_le_bytes());
        self.live.get_mut(index)
    }

    /// Splits off the second half, or, if the last key was just `appended`, only that one: keys that come in order
    /// leave full leaves behind.
    pub fn split(&mut self, appended: bool) -> Leaf {
        let len = self.view().len();
        let at = if appended { len - 1 } else { len / 2 };
        let right = self.copy(at..len, None, 0);
        *self = self.copy(0..at, None, 0);
        right
    }

    /// Takes over the entries of the leaf to the right.
    pub fn join(&mut self, right: &Leaf) {
        let other = right.view();
        let last = other.len().checked_sub(1).map(|last| other.key(last));
        let len = self.view().len();
        let mut joined = self.copy(0..len, last.as_deref(), other.len());
        for i in 0..other.len() {
            joined.push(&other, i, &other.key(i));
        }
        *self = joined;
    }
}
