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
use std::sync::atomic::{AtomicU64, Ordering};

use statewright_value::Value;
use triomphe::{Arc, HeaderSlice};

use super::keys::{Suffix, common};
use super::page::{Address, NO_PAGES, Pages};
use super::view::{Kind, Record, Shape, View, u32_at};
use crate::error::Result as StoreResult;
use crate::target::Entry;

/// Entries of a leaf at most.
pub(super) const MAX_ENTRIES: usize = 32;
/// A leaf with more bytes than this is split, unless that leaves [few](MIN_ENTRIES) entries: so that what a checkpoint
/// makes of it, with what is before it there, lies in one page of the machine's memory.
pub(super) const MAX_BYTES: usize = 4096 - 16;
/// A leaf with fewer entries than this is not split for its size, unless it is larger than [`HUGE`].
const MIN_ENTRIES: usize = 8;
const HUGE: usize = 16 << 10;
/// Text and bytes up to this length are in the leaf.
const MAX_INLINE: usize = 512;
/// In a page, packed arrays and objects up to this length are in the leaf.
const MAX_PACKED: usize = 1024;
/// Slots are added by this many.
const SLOT_STEP: usize = 8;

pub(super) const HEADER: usize = 16;
pub(super) const SLOT: usize = 12;
pub(super) const RECORD: usize = 16;

/// A leaf in memory, in one allocation. Cloning shares it; a leaf that is shared is copied when it is changed.
#[derive(Clone, Debug)]
pub(super) struct Leaf(Arc<HeaderSlice<Head, [u8]>>);

/// What is beside the buffer.
#[derive(Debug)]
struct Head {
    /// The page that holds the same; 0 if none does.
    address: AtomicU64,
    /// Bytes of the buffer that are in use.
    len: usize,
    live: Vec<Value>,
}

/// A value that is not in its record.
pub(super) enum Stored<'a> {
    /// Packed bytes, not in any page yet.
    New(&'a [u8]),
    /// In a page of this length.
    Page((Address, usize)),
}

fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(new.len())) {
        place.copy_from_slice(new);
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

    /// What is in the record; of a live value, nothing yet.
    fn bytes(&self) -> &[u8] {
        match self {
            Payload::Nothing | Payload::Live => &[],
            Payload::Number(bytes) => bytes,
            Payload::Borrowed(bytes) => bytes,
            Payload::Coded(bytes) => bytes,
        }
    }

    fn len(&self) -> usize {
        match self {
            Payload::Live => 4,
            _ => self.bytes().len(),
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
    fn new(bytes: Vec<u8>, len: usize, live: Vec<Value>) -> Leaf {
        let head = Head {
            address: AtomicU64::new(0),
            len,
            live,
        };
        Leaf(Arc::from_header_and_vec(head, bytes))
    }

    /// An empty leaf for keys with this prefix, with room for this many entries and bytes of records.
    fn with_room(prefix: &[u8], slots: usize, data: usize) -> Leaf {
        // One more than the most, for the moment before a split.
        let slots = slots.next_multiple_of(SLOT_STEP).min(MAX_ENTRIES + 1);
        let start = HEADER + prefix.len() + SLOT * slots;
        let mut bytes = vec![0; start + data];
        set(&mut bytes, 2, &(slots as u16).to_le_bytes());
        set(&mut bytes, 4, &(prefix.len() as u32).to_le_bytes());
        set(&mut bytes, HEADER, prefix);
        Leaf::new(bytes, start, Vec::new())
    }

    /// The leaf that a page holds, if it makes sense as one.
    pub fn of_page(bytes: &[u8]) -> Option<Leaf> {
        let view = View::of_page(bytes, &NO_PAGES);
        let Shape { len, slots, .. } = view.shape();
        let data_at = view.shape().data_at();
        let sound = len <= slots.min(MAX_ENTRIES)
            && slots <= MAX_ENTRIES + 1
            && data_at <= bytes.len()
            && u32_at(bytes, 8) <= bytes.len() - data_at
            && (0..len).all(|i| view.record(i).is_some_and(|r| r.kind != Kind::Live));
        sound.then(|| Leaf::new(bytes.to_vec(), bytes.len(), Vec::new()))
    }

    fn head(&self) -> &Head {
        &self.0.header
    }

    fn bytes(&self) -> &[u8] {
        let all = &self.0.slice;
        all.get(..self.head().len).unwrap_or(all)
    }

    pub fn view(&self) -> View<'_> {
        self.view_with(&NO_PAGES)
    }

    /// The leaf for reading values, some of which may be in pages.
    pub fn view_with<'a>(&'a self, pages: &'a Pages) -> View<'a> {
        View::new(self.bytes(), &self.head().live, pages)
    }

    /// The page that holds the same; 0 if none does.
    pub fn address(&self) -> u64 {
        self.head().address.load(Ordering::Relaxed)
    }

    /// Notes which page holds the same.
    pub fn set_address(&self, address: Address) {
        self.head().address.store(address.0, Ordering::Relaxed);
    }

    /// Makes it one that nobody else holds, to be changed: no page holds it from here on.
    pub fn own(&mut self) {
        if !self.0.is_unique() {
            let head = self.head();
            let copy = Head {
                address: AtomicU64::new(0),
                len: head.len,
                live: head.live.clone(),
            };
            self.0 = Arc::from_header_and_slice(copy, &self.0.slice);
        } else if self.address() != 0 {
            self.set_address(Address(0));
        }
    }

    /// Its parts, to be changed.
    fn parts(&mut self) -> Option<(&mut Head, &mut [u8])> {
        if !self.0.is_unique() {
            self.own();
        }
        let both = Arc::get_mut(&mut self.0)?;
        Some((&mut both.header, &mut both.slice))
    }

    /// Makes room for more bytes.
    fn grow(&mut self, more: usize) {
        let used = self.bytes();
        let capacity = used.len() + more + used.len() / 4;
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(used);
        bytes.resize(capacity, 0);
        let len = used.len();
        let live = match self.parts() {
            Some((head, _)) => std::mem::take(&mut head.live),
            None => Vec::new(),
        };
        *self = Leaf::new(bytes, len, live);
    }

    /// The page of this leaf. `put` writes a value (or copies the page of one) to a page of its own.
    pub fn to_page(
        &self,
        put: &mut dyn FnMut(Stored<'_>) -> StoreResult<(Address, usize)>,
    ) -> StoreResult<Vec<u8>> {
        let view = self.view();
        let (len, prefix) = (view.len(), view.prefix());
        let mut page = Leaf::with_room(prefix, len, view.bytes().len());
        for i in 0..len {
            let (Some(record), Some(suffix)) = (view.record(i), view.suffix(i)) else {
                continue;
            };
            let stored = match record.kind {
                Kind::Live => {
                    let value = view.live().get(u32_at(record.payload, 0));
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
            let mut payload = [0; 12];
            set(&mut payload, 0, &address.to_le_bytes());
            set(&mut payload, 8, &(len as u32).to_le_bytes());
            let kind = Kind::Page;
            page.write_record(i, &suffix, &Record { kind, ..record }, &payload);
        }
        Ok(page.bytes().to_vec())
    }

    /// Whether any value is in a page that has moved; `moved` says where to.
    pub fn has_moved(&self, moved: &dyn Fn(Address) -> Option<Address>) -> bool {
        let view = self.view();
        let records = (0..view.len()).filter_map(|i| view.record(i));
        let mut pages = records.filter(|record| record.kind == Kind::Page);
        pages.any(|record| moved(record.address().0).is_some())
    }

    /// Refers to values where they are now. The page that held the same still does.
    pub fn follow(&mut self, moved: &dyn Fn(Address) -> Option<Address>) {
        let address = Address(self.address());
        for i in 0..self.view().len() {
            let page = |record: &Record<'_>| record.kind == Kind::Page;
            let Some(record) = self.view().record(i).filter(page) else {
                continue;
            };
            let at = record.payload_at();
            if let Some(Address(new)) = moved(record.address().0)
                && let Some((_, bytes)) = self.parts()
            {
                set(bytes, at, &new.to_le_bytes());
            }
        }
        self.set_address(address);
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
        let head = self.head();
        size_of::<Head>() + self.0.slice.len() + head.live.capacity() * size_of::<Value>()
    }

    /// Whether it must be split.
    pub fn is_over(&self) -> bool {
        let (len, used) = (self.view().len(), self.head().len - self.garbage());
        len > MAX_ENTRIES || (len >= MIN_ENTRIES && used > MAX_BYTES) || (len > 1 && used > HUGE)
    }

    fn garbage(&self) -> usize {
        u32_at(self.bytes(), 8)
    }

    fn add_garbage(&mut self, more: usize) {
        let all = self.garbage() + more;
        if let Some((_, bytes)) = self.parts() {
            set(bytes, 8, &(all as u32).to_le_bytes());
        }
        if all > 1024 && all > self.head().len / 4 {
            *self = self.copy(0..self.view().len(), None, (0, 0));
        }
    }

    /// A new leaf of some of the entries, with room for `more` entries of so many bytes, whose keys' prefix also fits
    /// `key`.
    fn copy(&self, range: Range<usize>, key: Option<&[u8]>, more: (usize, usize)) -> Leaf {
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
        // A shorter prefix leaves more of each key to its record.
        let longer = view.prefix().len().saturating_sub(prefix.len());
        let data: usize = data.map(|record| record.size() + longer).sum();
        let mut copy = Leaf::with_room(prefix, range.len() + more.0, data + more.1);
        copy.extend(&view, range);
        copy
    }

    /// Adds slots, and room for so many bytes. Records count their places from where the data begin, so they stay.
    fn add_slots(&mut self, room: usize) {
        let Shape { slots, .. } = self.view().shape();
        let more = (slots + 1).next_multiple_of(SLOT_STEP).min(MAX_ENTRIES + 1) - slots;
        let used = self.bytes();
        let front = self.view().shape().data_at().min(used.len());
        let (front, data) = used.split_at(front);
        let len = used.len() + SLOT * more;
        let mut bytes = Vec::with_capacity(len + room);
        bytes.extend_from_slice(front);
        bytes.resize(front.len() + SLOT * more, 0);
        bytes.extend_from_slice(data);
        bytes.resize(len + room, 0);
        set(&mut bytes, 2, &((slots + more) as u16).to_le_bytes());
        let live = match Arc::get_mut(&mut self.0) {
            Some(own) => std::mem::take(&mut own.header.live),
            None => self.head().live.clone(),
        };
        *self = Leaf::new(bytes, len, live);
    }

    /// Adds entries of another leaf behind the last one. There are slots for them, and the keys have the prefix.
    fn extend(&mut self, from: &View<'_>, range: Range<usize>) {
        let prefix = self.view().prefix().len();
        let (mut key, mut at) = (Vec::new(), self.view().len());
        from.each(range, false, &mut key, &mut |key, lent| {
            let suffix = Suffix::new(key.get(prefix..).unwrap_or_default());
            let record = lent.record();
            if record.kind == Kind::Live {
                let value = from.live().get(u32_at(record.payload, 0));
                self.add_live(at, &suffix, record, value.cloned().unwrap_or_default());
            } else {
                self.write_record(at, &suffix, record, record.payload);
            }
            at += 1;
            true
        });
    }

    /// As [`write_record`](Leaf::write_record), of a live value.
    fn add_live(&mut self, at: usize, suffix: &Suffix<'_>, like: &Record<'_>, value: Value) {
        let Some((head, _)) = self.parts() else {
            return;
        };
        let index = (head.live.len() as u32).to_le_bytes();
        head.live.push(value);
        self.write_record(at, suffix, like, &index);
    }

    /// Puts a record at the end of the data, and a slot for it at `at`, which must be free.
    fn write_record(&mut self, at: usize, suffix: &Suffix<'_>, like: &Record<'_>, payload: &[u8]) {
        let expiry = if like.expires.is_some() { 8 } else { 0 };
        let size = RECORD + expiry + suffix.rest.len() + payload.len();
        if self.0.slice.len() - self.head().len < size {
            self.grow(size);
        }
        let Some((head, bytes)) = self.parts() else {
            return;
        };
        let shape = Shape::of(bytes);
        let offset = (head.len - shape.data_at()) as u32;
        let mut end = head.len;
        let mut put = |part: &[u8]| {
            set(bytes, end, part);
            end += part.len();
        };
        put(&like.header(suffix.len, payload.len()));
        if let Some(expires) = like.expires {
            put(&expires.as_micros().to_le_bytes());
        }
        put(suffix.rest);
        put(payload);
        head.len = end;
        let slots = shape.slots_at();
        let (from, to) = (slots + SLOT * at, slots + SLOT * shape.len.max(at));
        bytes.copy_within(from..to, from + SLOT);
        set(bytes, from, &suffix.head.to_le_bytes());
        set(bytes, from + 8, &offset.to_le_bytes());
        set(bytes, 0, &(shape.len as u16 + 1).to_le_bytes());
    }

    /// Inserts or replaces. The leaf may be [over](Leaf::is_over) afterwards.
    pub fn put(&mut self, key: &[u8], entry: &Entry) -> Put {
        let (kind, payload) = Payload::of(&entry.value);
        let found = match self.view().find(key) {
            Ok((at, record)) => {
                let spot = Spot::of(&record, kind, &payload, entry);
                if spot.is_some_and(|spot| self.overwrite(spot, kind, &payload, entry)) {
                    return Put::Replaced;
                }
                self.take(at);
                Ok(at)
            }
            Err(at) => Err(at),
        };
        let (at, put) = match found {
            Ok(at) => (at, Put::Replaced),
            Err(at) => (at, Put::Inserted),
        };
        let view = self.view();
        let shape = view.shape();
        let fits = shape.len > 0 && key.starts_with(view.prefix());
        let room = RECORD + 8 + key.len() + payload.len();
        if fits && shape.len == shape.slots && shape.slots <= MAX_ENTRIES {
            self.add_slots(room);
        } else if !fits || shape.len >= shape.slots {
            *self = self.copy(0..shape.len, Some(key), (1, room));
        }
        let like = Record {
            place: 0,
            version: entry.version,
            kind,
            expires: entry.expires,
            suffix: 0,
            rest: &[],
            payload: &[],
        };
        let prefix = self.view().prefix().len();
        let suffix = Suffix::new(key.get(prefix..).unwrap_or_default());
        match payload {
            Payload::Live => self.add_live(at, &suffix, &like, entry.value.clone()),
            _ => self.write_record(at, &suffix, &like, payload.bytes()),
        }
        put
    }

    /// Writes an entry into the record of another one of the same shape; tells whether it could.
    fn overwrite(&mut self, spot: Spot, kind: Kind, payload: &Payload<'_>, entry: &Entry) -> bool {
        let Some((head, bytes)) = self.parts() else {
            return false;
        };
        set(bytes, spot.place, &entry.version.to_le_bytes());
        set(bytes, spot.place + 8, &[kind as u8]);
        if let Some(expires) = entry.expires {
            let micros = expires.as_micros().to_le_bytes();
            set(bytes, spot.place + RECORD, &micros);
        }
        match spot.live {
            Some(live) => {
                if let Some(value) = head.live.get_mut(live) {
                    *value = entry.value.clone();
                }
            }
            None => set(bytes, spot.payload, payload.bytes()),
        }
        true
    }

    /// Removes the entry at `at`.
    pub fn take(&mut self, at: usize) {
        let Some(record) = self.view().record(at) else {
            return;
        };
        let (size, kind) = (record.size(), record.kind);
        let index = u32_at(record.payload, 0);
        let Some((head, bytes)) = self.parts() else {
            return;
        };
        if kind == Kind::Live
            && let Some(value) = head.live.get_mut(index)
        {
            *value = Value::NULL;
        }
        let shape = Shape::of(bytes);
        let slots = shape.slots_at();
        let (place, end) = (slots + SLOT * at, slots + SLOT * shape.len);
        bytes.copy_within(place + SLOT..end, place);
        set(bytes, 0, &(shape.len as u16 - 1).to_le_bytes());
        self.add_garbage(size);
    }

    /// The live value of an entry, to be edited in place, which gives it this version; none if its value is not live.
    pub fn live_mut(&mut self, at: usize, version: u64) -> Option<&mut Value> {
        let live = |record: &Record<'_>| record.kind == Kind::Live;
        let record = self.view().record(at).filter(live)?;
        let (place, index) = (record.place, u32_at(record.payload, 0));
        let (head, bytes) = self.parts()?;
        set(bytes, place, &version.to_le_bytes());
        head.live.get_mut(index)
    }

    /// Splits off the second half, or, if the last key was just `appended`, only that one: keys that come in order
    /// leave full leaves behind.
    pub fn split(&mut self, appended: bool) -> Leaf {
        let len = self.view().len();
        let at = if appended { len - 1 } else { len / 2 };
        let right = self.copy(at..len, None, (0, 0));
        *self = self.copy(0..at, None, (0, 0));
        right
    }

    /// Takes over the entries of the leaf to the right.
    pub fn join(&mut self, right: &Leaf) {
        let other = right.view();
        let last = other.len().checked_sub(1).map(|last| other.key(last));
        let len = self.view().len();
        let mut joined = self.copy(0..len, last.as_deref(), (other.len(), other.bytes().len()));
        joined.extend(&other, 0..other.len());
        *self = joined;
    }
}

/// Where a record can be written over.
#[derive(Clone, Copy)]
struct Spot {
    place: usize,
    payload: usize,
    live: Option<usize>,
}

impl Spot {
    /// A record's, if an entry held in this way is of the same shape.
    fn of(record: &Record<'_>, kind: Kind, payload: &Payload<'_>, entry: &Entry) -> Option<Spot> {
        let live = record.kind == Kind::Live;
        let same = (kind == Kind::Live) == live
            && payload.len() == record.payload.len()
            && entry.expires.is_some() == record.expires.is_some();
        same.then(|| Spot {
            place: record.place,
            payload: record.payload_at(),
            live: live.then(|| u32_at(record.payload, 0)),
        })
    }
}
