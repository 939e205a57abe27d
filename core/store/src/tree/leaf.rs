//! Leaves in memory: an [`Index`] of their entries, and a heap of records.
//!
//! ```text
//! heap: records in no order, each at a multiple of 8
//!
//! record: version u64 | kind u8 | flags u8 | suffix length u16 | payload length u32
//!         | [expires i64] | key without the prefix (what all keys begin with) | payload
//! ```
//!
//! Numbers are little-endian. Small scalars are in their record. Everything else is *live*: in memory a [`Value`]
//! beside the heap, whose number is in the record, so that a document is edited in place and shared by snapshots. In a
//! page of a checkpoint records have the same form without the first eight bytes of the key, which are in the slots.

use std::ops::Range;

use smallvec::SmallVec;
use statewright_value::{Error as ValueError, Value};
use triomphe::Arc;

use super::index::{Index, REACH};
use super::keys::common;
use super::page::{Address, HEADER, NO_PAGES, PageLeaf, Pages, SLOT, Saved};
use super::view::{Kind, RECORD, Record, View, u32_at};
use crate::error::{Error as StoreError, Result as StoreResult};
use crate::space;
use crate::target::Entry;

/// Entries of a leaf at most.
pub(super) const MAX_ENTRIES: usize = 32;
/// A leaf whose page would have more bytes than this is split, unless that leaves [few](MIN_ENTRIES) entries: so that
/// what a checkpoint makes of it, with what is before it there, lies in one page of the machine's memory.
pub(super) const MAX_BYTES: usize = 4096 - 16;
/// A leaf with fewer entries than this is not split for its size, unless it is larger than [`HUGE`].
const MIN_ENTRIES: usize = 8;
const HUGE: usize = 16 << 10;
/// Text and bytes up to this length are in the leaf.
const MAX_INLINE: usize = 512;
/// In a page, packed arrays and objects up to this length are in the leaf.
const MAX_PACKED: usize = 1024;

/// Says which entry it is that a checkpoint cannot hold, so that it can be removed.
fn unwritable(why: ValueError, key: &[u8]) -> StoreError {
    StoreError::Value(match why {
        ValueError::Limit { what, limit, .. } => ValueError::Limit {
            what,
            limit,
            at: space::display(key),
        },
        other => other,
    })
}

/// A leaf in memory. Cloning shares it; a leaf that is shared is copied when it is changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf(Arc<Node>);

/// What finding a key reads comes first, so that it lies in few lines of memory: two or three, where the allocator
/// begins a block at a line.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Node {
    pub heap: Vec<u8>,
    /// What all keys begin with.
    pub prefix: SmallVec<[u8; 16]>,
    pub index: Index,
    /// Bytes of the heap that no entry needs.
    garbage: u32,
    saved: Saved,
    pub live: Vec<Value>,
}

/// A copy is made to be changed, so no page holds it.
impl Clone for Node {
    fn clone(&self) -> Node {
        self.saved.leave();
        Node {
            heap: self.heap.clone(),
            prefix: self.prefix.clone(),
            garbage: self.garbage,
            index: self.index.clone(),
            saved: Saved::default(),
            live: self.live.clone(),
        }
    }
}

fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(new.len())) {
        place.copy_from_slice(new);
    }
}

/// A new leaf of some of the entries, with room for so many bytes more, whose keys' prefix also fits `key`.
fn copy(view: &View<'_>, range: Range<usize>, key: Option<&[u8]>, more: usize) -> Leaf {
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
    let data: usize = data
        .map(|record| Index::next_place(record.size() + longer))
        .sum();
    let mut copy = Node::with_room(prefix, data + more);
    copy.extend(view, range);
    Leaf(Arc::new(copy))
}

/// A value that is not in its record.
pub(super) enum Stored<'a> {
    /// Packed bytes, not in any page yet.
    New(&'a [u8]),
    /// In a page of this length.
    Page((Address, usize)),
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
            Is::Integer => {
                let int = value.as_i64().map(|n| (Kind::Int, n.to_le_bytes()));
                let uint = || value.as_u64().map(|n| (Kind::Uint, n.to_le_bytes()));
                let number = int.or_else(uint);
                number.map_or((Kind::Live, Payload::Live), |(kind, bytes)| {
                    (kind, Payload::Number(bytes))
                })
            }
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

impl Node {
    /// An empty one for keys with this prefix, with room for so many bytes of records.
    fn with_room(prefix: &[u8], data: usize) -> Node {
        Node {
            heap: Vec::with_capacity(data),
            prefix: prefix.into(),
            ..Node::default()
        }
    }

    fn view(&self) -> View<'_> {
        View::new(self, &NO_PAGES)
    }

    /// Adds entries of another leaf behind the last one. There are slots for them, and the keys have the prefix.
    fn extend(&mut self, from: &View<'_>, range: Range<usize>) {
        let prefix = self.prefix.len();
        let (mut key, mut at) = (Vec::new(), self.index.len());
        from.each(range, false, &mut key, &mut |key, lent| {
            let suffix = key.get(prefix..).unwrap_or_default();
            let record = lent.record();
            if record.kind == Kind::Live {
                let value = from.live().get(u32_at(record.payload, 0));
                self.add_live(at, suffix, record, value.cloned().unwrap_or_default());
            } else {
                self.add(at, suffix, record, record.payload);
            }
            at += 1;
            true
        });
    }

    /// Puts a record at the end of the heap, and a slot for it at `at`. The key is without the prefix.
    fn add(&mut self, at: usize, key: &[u8], like: &Record<'_>, payload: &[u8]) {
        let place = Index::next_place(self.heap.len());
        let more = place - self.heap.len() + like.size_with(key, payload);
        if self.heap.capacity() - self.heap.len() < more {
            self.heap.reserve_exact(more.max(self.heap.len() / 4));
        }
        self.heap.resize(place, 0);
        like.write((key.len(), key), payload, &mut self.heap);
        self.index.insert(at, key, place);
    }

    /// As [`add`](Node::add), of a live value.
    fn add_live(&mut self, at: usize, key: &[u8], like: &Record<'_>, value: Value) {
        let number = (self.live.len() as u32).to_le_bytes();
        self.live.push(value);
        self.add(at, key, like, &number);
    }
}

impl Leaf {
    /// A leaf of its own with the same entries, if they make sense: some of a page may not.
    pub fn of_page(view: &View<'_>) -> Option<Leaf> {
        let records = || (0..view.len()).map(|i| view.record(i));
        let size: Option<usize> = records().map(|r| r.map(|r| r.size())).sum();
        // Records that lie over each other would be more. No leaf of ours has half as many bytes as places reach.
        let sound = view.len() <= MAX_ENTRIES
            && size.is_some_and(|size| size <= view.size().min(REACH / 2))
            && records().flatten().all(|record| record.kind != Kind::Live);
        sound.then(|| copy(view, 0..view.len(), None, 0))
    }

    pub fn view(&self) -> View<'_> {
        self.0.view()
    }

    /// The leaf for reading values, some of which may be in pages.
    #[inline]
    pub fn view_with<'a>(&'a self, pages: &'a Pages) -> View<'a> {
        View::new(&self.0, pages)
    }

    /// Lets the beginning come, where references are counted.
    pub fn fetch(&self) {
        std::hint::black_box(Arc::count(&self.0));
    }

    /// The page that holds the same, if one does.
    pub fn saved(&self) -> &Saved {
        &self.0.saved
    }

    /// Makes it one that nobody else holds, to be changed: no page holds it from here on.
    pub fn own(&mut self) {
        self.node().saved.forget();
    }

    fn node(&mut self) -> &mut Node {
        Arc::make_mut(&mut self.0)
    }

    /// The page of this leaf. `put` writes a value (or copies the page of one) to a page of its own.
    pub fn to_page(
        &self,
        put: &mut dyn FnMut(Stored<'_>) -> StoreResult<(Address, usize)>,
    ) -> StoreResult<Vec<u8>> {
        let view = self.view();
        let mut slots = Vec::with_capacity(view.len());
        let mut data = Vec::with_capacity(view.size());
        for i in 0..view.len() {
            let (Some(record), Some(suffix)) = (view.record(i), view.suffix(i)) else {
                continue;
            };
            slots.push((suffix.head, data.len() as u32));
            let key = (suffix.len, suffix.rest);
            let stored = match record.kind {
                Kind::Live => {
                    let value = view.live().get(u32_at(record.payload, 0));
                    let packed = value.unwrap_or(&Value::NULL).to_packed_bytes();
                    let packed = packed.map_err(|why| unwritable(why, &view.key(i)))?;
                    if packed.len() <= MAX_PACKED {
                        let kind = Kind::Packed;
                        Record { kind, ..record }.write(key, &packed, &mut data);
                        continue;
                    }
                    put(Stored::New(&packed))?
                }
                Kind::Page => put(Stored::Page(record.address()))?,
                _ => {
                    record.write(key, record.payload, &mut data);
                    continue;
                }
            };
            let (Address(address), len) = stored;
            let mut payload = [0; 12];
            set(&mut payload, 0, &address.to_le_bytes());
            set(&mut payload, 8, &(len as u32).to_le_bytes());
            let kind = Kind::Page;
            Record { kind, ..record }.write(key, &payload, &mut data);
        }
        Ok(PageLeaf::encode(view.prefix(), &slots, &data))
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
        let (address, bytes) = (self.saved().address(), self.saved().bytes());
        let node = self.node();
        for i in 0..node.index.len() {
            let page = |record: &Record<'_>| record.kind == Kind::Page;
            let Some(record) = node.view().record(i).filter(page) else {
                continue;
            };
            let at = record.payload_at();
            if let Some(Address(new)) = moved(record.address().0) {
                set(&mut node.heap, at, &new.to_le_bytes());
            }
        }
        node.saved.set(address, bytes);
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
        let Node { heap, live, .. } = &*self.0;
        size_of::<Node>() + heap.capacity() + live.capacity() * size_of::<Value>()
    }

    /// Whether it must be split.
    pub fn is_over(&self) -> bool {
        let node = &*self.0;
        let len = node.index.len();
        let data = node.heap.len() - node.garbage as usize;
        let used = HEADER + node.prefix.len() + SLOT * len + data;
        len > MAX_ENTRIES || (len >= MIN_ENTRIES && used > MAX_BYTES) || (len > 1 && used > HUGE)
    }

    fn add_garbage(&mut self, more: usize) {
        let node = self.node();
        node.garbage += more as u32;
        let all = node.garbage as usize;
        if all > 1024 && all > node.heap.len() / 4 {
            *self = copy(&self.view(), 0..self.view().len(), None, 0);
        }
    }

    /// Inserts or replaces. The leaf may be [over](Leaf::is_over) afterwards.
    pub fn put(&mut self, key: &[u8], entry: &Entry) -> Put {
        let (kind, payload) = Payload::of(&entry.value);
        let (at, put) = match self.view().find(key) {
            Ok((at, record)) => {
                if let Some(spot) = Spot::of(&record, kind, &payload, entry) {
                    self.overwrite(spot, kind, &payload, entry);
                    return Put::Replaced;
                }
                self.take(at);
                (at, Put::Replaced)
            }
            Err(at) => (at, Put::Inserted),
        };
        let view = self.view();
        if view.len() == 0 || !key.starts_with(view.prefix()) {
            let room = Index::next_place(RECORD + 8 + key.len() + payload.len());
            *self = copy(&view, 0..view.len(), Some(key), room);
        }
        let like = Record {
            place: 0,
            version: entry.version,
            kind,
            expires: entry.expires,
            suffix: 0,
            part: &[],
            payload: &[],
        };
        let node = self.node();
        let suffix = key.get(node.prefix.len()..).unwrap_or_default();
        match payload {
            Payload::Live => node.add_live(at, suffix, &like, entry.value.clone()),
            _ => node.add(at, suffix, &like, payload.bytes()),
        }
        put
    }

    /// Replaces the entry at `at`, if that is this key's and the new one can be written over it.
    pub fn replace(&mut self, at: usize, key: &[u8], entry: &Entry) -> bool {
        let (kind, payload) = Payload::of(&entry.value);
        let spot = self.view().record_of(at, key);
        let spot = spot.and_then(|record| Spot::of(&record, kind, &payload, entry));
        if let Some(spot) = spot {
            self.overwrite(spot, kind, &payload, entry);
        }
        spot.is_some()
    }

    /// Writes an entry into the record of another one of the same shape.
    #[inline(always)]
    fn overwrite(&mut self, spot: Spot, kind: Kind, payload: &Payload<'_>, entry: &Entry) {
        let Node { heap, live, .. } = self.node();
        set(heap, spot.place, &entry.version.to_le_bytes());
        set(heap, spot.place + 8, &[kind as u8]);
        if let Some(expires) = entry.expires {
            let micros = expires.as_micros().to_le_bytes();
            set(heap, spot.place + RECORD, &micros);
        }
        match spot.live.map(|live_at| live.get_mut(live_at)) {
            Some(value) => drop(value.map(|value| *value = entry.value.clone())),
            None => set(heap, spot.payload, payload.bytes()),
        }
    }

    /// Removes the entry at `at`.
    pub fn take(&mut self, at: usize) {
        let Some(record) = self.view().record(at) else {
            return;
        };
        let (size, kind) = (record.size(), record.kind);
        let index = u32_at(record.payload, 0);
        let node = self.node();
        if kind == Kind::Live
            && let Some(value) = node.live.get_mut(index)
        {
            *value = Value::NULL;
        }
        node.index.remove(at);
        self.add_garbage(size);
    }

    /// The live value of an entry, to be edited in place, which gives it this version; none if its value is not live.
    pub fn live_mut(&mut self, at: usize, version: u64) -> Option<&mut Value> {
        let live = |record: &Record<'_>| record.kind == Kind::Live;
        let record = self.view().record(at).filter(live)?;
        let (place, index) = (record.place, u32_at(record.payload, 0));
        let node = self.node();
        set(&mut node.heap, place, &version.to_le_bytes());
        node.live.get_mut(index)
    }

    /// Splits off the second half, or, if the last key was just `appended`, only that one: keys that come in order
    /// leave full leaves behind.
    pub fn split(&mut self, appended: bool) -> Leaf {
        let view = self.view();
        let len = view.len();
        let at = if appended { len - 1 } else { len / 2 };
        let right = copy(&view, at..len, None, 0);
        *self = copy(&view, 0..at, None, 0);
        right
    }

    /// Takes over the entries of the leaf to the right.
    pub fn join(&mut self, right: &Leaf) {
        let (view, other) = (self.view(), right.view());
        let last = other.len().checked_sub(1).map(|last| other.key(last));
        let mut joined = copy(&view, 0..view.len(), last.as_deref(), other.size());
        joined.node().extend(&other, 0..other.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of so many records of 100 KB, which no store writes.
    fn forged(records: usize) -> Vec<u8> {
        let like = Record {
            place: 0,
            version: 1,
            kind: Kind::Bytes,
            expires: None,
            suffix: 8,
            part: &[],
            payload: &[],
        };
        let (mut slots, mut data) = (Vec::new(), Vec::new());
        for i in 0..records {
            slots.push((i as u64, data.len() as u32));
            like.write((8, &[]), &[7; 100 << 10], &mut data);
        }
        PageLeaf::encode(&[], &slots, &data)
    }

    #[test]
    fn a_page_whose_records_places_would_not_reach_is_refused() {
        let small = forged(2);
        let leaf = Leaf::of_page(&View::of_page(&small, &NO_PAGES)).unwrap();
        assert_eq!(leaf.view().len(), 2);
        let found = leaf.view().search(&1_u64.to_be_bytes());
        assert_eq!(found, Ok(1));
        for records in [3, 6, MAX_ENTRIES] {
            let page = forged(records);
            assert!(Leaf::of_page(&View::of_page(&page, &NO_PAGES)).is_none());
        }
    }
}
