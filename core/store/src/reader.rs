//! Reading: the same calls on a snapshot and in a transaction.

use statewright_log::Timestamp;
use statewright_value::{Kind, Path, Value};

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::space::{self, KeyBuf, Primitive, Space};
use crate::target::Entry;
use crate::tree::Key;

pub(crate) mod sealed {
    use super::*;

    /// What reading needs from a snapshot or a transaction.
    pub trait View {
        /// The entry at an encoded key, unless it has expired.
        fn lookup(&self, key: &[u8]) -> Result<Option<Entry>>;
        /// Up to `limit` entries from `from` up to `to` (not included; none = the end), or the other way round: from
        /// the last one before `to` down to `from`. Without those that have expired.
        fn range(
            &self,
            from: &[u8],
            to: Option<&[u8]>,
            limit: usize,
            reverse: bool,
        ) -> Result<Vec<(Vec<u8>, Entry)>>;
        /// Notes that a region was read, for validation at commit. Fails with a conflict if that is to be found out at
        /// once.
        fn saw(&self, key: &[u8], path: &Path) -> Result<()>;
        /// Notes that every key from `from` up to `to` (not included; none = the end) was read.
        fn saw_range(&self, from: Key, to: Option<Key>) -> Result<()>;
        /// What several reads are to be made on, if each read here is of another state.
        fn still(&self) -> Option<Snapshot> {
            None
        }
    }
}

/// A value with what the store knows of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stored {
    /// The value.
    pub value: Value,
    /// The version of the commit that last changed it; in a transaction that changed it itself, the snapshot's plus
    /// one.
    pub version: u64,
    /// From when on it is no longer there; none if it stays.
    pub expires: Option<Timestamp>,
}

impl From<Entry> for Stored {
    fn from(entry: Entry) -> Stored {
        Stored {
            value: entry.value,
            version: entry.version,
            expires: entry.expires,
        }
    }
}

/// What a space holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceInfo {
    /// Keys.
    pub keys: u64,
    /// Streams of events.
    pub streams: u64,
    /// Cells.
    pub cells: u64,
    /// Traces.
    pub traces: u64,
    /// Runs.
    pub runs: u64,
    /// JSON documents.
    pub documents: u64,
}

/// Reads of a consistent state: of a [`Snapshot`](crate::Snapshot), or of a [`Txn`](crate::Txn), which sees its own
/// writes and, when serializable, is validated on what it saw.
///
/// ```
/// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
/// use statewright_value::{Path, value};
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// let space = Space::default();
/// store.kv_put(&space, b"greeting", value!("hello"))?;
/// let before = store.snapshot();
/// store.kv_put(&space, b"greeting", value!("bye"))?;
/// assert_eq!(before.kv_get(&space, b"greeting")?, Some(value!("hello")));
/// # Ok::<(), statewright_store::Error>(())
/// ```
pub trait Reader: sealed::View {
    /// The value of a key. O(log n).
    fn kv_get(&self, space: &Space, key: &[u8]) -> Result<Option<Value>> {
        space::with_encoded(space, Primitive::Kv, key, |key| {
            let value = self.lookup(key)?.map(|e| e.value);
            self.saw(key, &Path::root())?;
            Ok(value)
        })
    }

    /// Up to `limit` keys that begin with `prefix`, in byte order, from the one after `after` on.
    /// O(log n + limit).
    fn kv_scan(
        &self,
        space: &Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>> {
        scan(self, space, Primitive::Kv, prefix, after, limit)
    }

    /// The value of a key with its version and when it expires. O(log n).
    fn kv_entry(&self, space: &Space, key: &[u8]) -> Result<Option<Stored>> {
        space::with_encoded(space, Primitive::Kv, key, |key| {
            let entry = self.lookup(key)?;
            self.saw(key, &Path::root())?;
            Ok(entry.map(Stored::from))
        })
    }

    /// As [`kv_scan`](Reader::kv_scan), each value with its version and when it expires. O(log n + limit).
    fn kv_entries(
        &self,
        space: &Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>> {
        let of = |key| space::encode(space, Primitive::Kv, key);
        let found = page(self, &of(prefix), after.map(of).as_deref(), limit)?;
        let head = of(&[]).len();
        let named = |key: &[u8]| key.get(head..).unwrap_or_default().to_vec();
        let entries = found
            .into_iter()
            .map(|(key, entry)| (named(&key), entry.into()));
        Ok(entries.collect())
    }

    /// Whether a key is there. O(log n).
    fn kv_exists(&self, space: &Space, key: &[u8]) -> Result<bool> {
        Ok(self.kv_entry(space, key)?.is_some())
    }

    /// The values of several keys, in their order. O(keys × log n).
    fn kv_get_many(&self, space: &Space, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<Value>>>
    where
        Self: Sized,
    {
        if let Some(still) = self.still() {
            return still.kv_get_many(space, keys);
        }
        let values = keys.iter().map(|key| self.kv_get(space, key.as_ref()));
        values.collect()
    }

    /// Up to `limit` keys that begin with `prefix`, from the last in byte order, or the one before `before`,
    /// downwards. O(log n + limit).
    fn kv_scan_reverse(
        &self,
        space: &Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>> {
        let first: Key = space::encode(space, Primitive::Kv, prefix).into();
        let before = before.map(|b| Key::from(space::encode(space, Primitive::Kv, b)));
        let end = after_prefix(&first);
        let to = [before, end].into_iter().flatten().min();
        let found = page_back(self, first, to, limit)?;
        Ok(pairs(space, Primitive::Kv, found))
    }

    /// Up to `limit` keys from `from` up to `to` (not included; none: all behind), in byte order. To go on, begin at
    /// the last key and a NUL. O(log n + limit).
    fn kv_range(
        &self,
        space: &Space,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>> {
        let (from, to) = bounds(space, from, to);
        let found = page_between(self, from, to, limit)?;
        Ok(pairs(space, Primitive::Kv, found))
    }

    /// As [`kv_range`](Reader::kv_range), from the last one downwards. To go on, end at the last key given.
    fn kv_range_reverse(
        &self,
        space: &Space,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>> {
        let (from, to) = bounds(space, from, to);
        let found = page_back(self, from, to, limit)?;
        Ok(pairs(space, Primitive::Kv, found))
    }

    /// How many keys begin with `prefix`. O(log n + keys), in constant memory.
    fn kv_count(&self, space: &Space, prefix: &[u8]) -> Result<u64> {
        count(self, &space::encode(space, Primitive::Kv, prefix))
    }

    /// The value at a path of a document; none if the document or the path is not there. O(log n + path).
    fn doc_get(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        path: &Path,
    ) -> Result<Option<Value>> {
        space::with_encoded(space, primitive, key.as_bytes(), |key| {
            let value = self.lookup(key)?.and_then(|e| e.value.at(path));
            self.saw(key, path)?;
            Ok(value)
        })
    }

    /// The version of the commit that last changed a document; none if it is not there. O(log n).
    ///
    /// Inside a transaction, the version after its own change is the snapshot's plus one until it commits.
    fn doc_version(&self, primitive: Primitive, space: &Space, key: &str) -> Result<Option<u64>> {
        space::with_encoded(space, primitive, key.as_bytes(), |key| {
            let version = self.lookup(key)?.map(|e| e.version);
            self.saw(key, &Path::root())?;
            Ok(version)
        })
    }

    /// Up to `limit` documents whose keys begin with `prefix`, in byte order, from the one after `after` on.
    /// O(log n + limit).
    fn doc_scan(
        &self,
        primitive: Primitive,
        space: &Space,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Value)>> {
        let found = scan(
            self,
            space,
            primitive,
            prefix.as_bytes(),
            after.map(str::as_bytes),
            limit,
        )?;
        Ok(found
            .into_iter()
            .map(|(k, v)| (String::from_utf8_lossy(&k).into_owned(), v))
            .collect())
    }

    /// [`doc_get`](Reader::doc_get) of a JSON document.
    fn json_get(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        self.doc_get(Primitive::Json, space, key, path)
    }

    /// [`doc_version`](Reader::doc_version) of a JSON document.
    fn json_version(&self, space: &Space, key: &str) -> Result<Option<u64>> {
        self.doc_version(Primitive::Json, space, key)
    }

    /// [`doc_scan`](Reader::doc_scan) of JSON documents.
    fn json_list(
        &self,
        space: &Space,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Value)>> {
        self.doc_scan(Primitive::Json, space, prefix, after, limit)
    }

    /// Whether a JSON document is there. O(log n).
    fn json_exists(&self, space: &Space, key: &str) -> Result<bool> {
        Ok(self.json_version(space, key)?.is_some())
    }

    /// The kind of what is at a path of a JSON document; none if nothing is. O(log n + path).
    fn json_type(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Kind>> {
        Ok(self.json_get(space, key, path)?.map(|value| value.kind()))
    }

    /// The length of what is at a path of a JSON document: items, entries, or bytes of text; none if nothing is there.
    /// O(log n + path).
    fn json_len(&self, space: &Space, key: &str, path: &Path) -> Result<Option<usize>> {
        Ok(self.json_get(space, key, path)?.map(|value| value.len()))
    }

    /// The keys of the object at a path of a JSON document, in its order; none if nothing is there, empty if that
    /// is no object. O(log n + path + keys).
    fn json_keys(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Vec<String>>> {
        let value = self.json_get(space, key, path)?;
        let keys = |value: Value| value.entries().map(|(key, _)| key.to_owned()).collect();
        Ok(value.map(keys))
    }

    /// How many JSON documents have keys that begin with `prefix`. O(log n + documents), in constant memory.
    fn json_count(&self, space: &Space, prefix: &str) -> Result<u64> {
        count(
            self,
            &space::encode(space, Primitive::Json, prefix.as_bytes()),
        )
    }

    /// Up to `limit` spaces that hold something and whose names begin with `prefix`, from the one after `after` on.
    /// O(spaces × log n).
    fn space_list(&self, prefix: &str, after: Option<&Space>, limit: usize) -> Result<Vec<Space>> {
        if let Some(still) = self.still() {
            return still.space_list(prefix, after, limit);
        }
        let mut spaces = Vec::new();
        let mut from: Vec<u8> = match after {
            Some(after) if after.as_str() >= prefix => space::own_range(after)[0].1.clone(),
            _ => prefix.as_bytes().to_vec(),
        };
        let end = after_prefix(prefix.as_bytes());
        while spaces.len() < limit {
            let found = self.range(&from, end.as_deref(), 1, false)?.pop();
            let to = found
                .as_ref()
                .map_or(end.clone(), |(key, _)| Some(behind(key)));
            self.saw_range(from.as_slice().into(), to)?;
            let Some((key, _)) = found else {
                break;
            };
            let name = key.split(|b| *b == 0).next().unwrap_or_default();
            let space = Space::parse(&String::from_utf8_lossy(name))?;
            from = space::own_range(&space)[0].1.clone();
            if !space::is_expiry(&space, &key) {
                spaces.push(space);
            }
        }
        Ok(spaces)
    }

    /// Whether a space holds anything. O(log n).
    fn space_exists(&self, space: &Space) -> Result<bool> {
        let [(from, _), _] = space::own_range(space);
        let to = space::expiry_prefix(space);
        let found = page_between(self, from.into(), Some(to.into()), 1)?;
        Ok(!found.is_empty())
    }

    /// What a space holds. O(what it holds), in constant memory.
    fn space_info(&self, space: &Space) -> Result<SpaceInfo> {
        if let Some(still) = self.still() {
            return still.space_info(space);
        }
        let count = |primitive, part: &[u8]| count(self, &space::encode(space, primitive, part));
        Ok(SpaceInfo {
            keys: count(Primitive::Kv, &[])?,
            streams: count(Primitive::Event, &[0])?,
            cells: count(Primitive::Cell, &[])?,
            traces: count(Primitive::Trace, &[0])?,
            runs: count(Primitive::Run, &[0])?,
            documents: count(Primitive::Json, &[])?,
        })
    }
}

fn scan<V: sealed::View + ?Sized>(
    view: &V,
    space: &Space,
    primitive: Primitive,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Value)>> {
    let of = |key| space::encode(space, primitive, key);
    let found = page(view, &of(prefix), after.map(of).as_deref(), limit)?;
    Ok(pairs(space, primitive, found))
}

/// How many entries are counted at once.
const COUNTED: usize = 1024;

/// How many keys begin with an encoded prefix; all of them are noted as read. In constant memory.
pub(crate) fn count<V: sealed::View + ?Sized>(view: &V, prefix: &[u8]) -> Result<u64> {
    if let Some(still) = view.still() {
        return count(&still, prefix);
    }
    let end = after_prefix(prefix);
    view.saw_range(prefix.into(), end.clone())?;
    let mut from: Key = prefix.into();
    let mut counted = 0_u64;
    loop {
        let page = view.range(&from, end.as_deref(), COUNTED, false)?;
        counted = counted.saturating_add(page.len() as u64);
        match page.last() {
            Some((last, _)) if page.len() == COUNTED => from = behind(last),
            _ => return Ok(counted),
        }
    }
}

/// Up to `limit` entries whose keys begin with an encoded prefix, from the one behind `after` on.
pub(crate) fn page<V: sealed::View + ?Sized>(
    view: &V,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Entry)>> {
    let first: Key = prefix.into();
    let from = after.map_or(first.clone(), |after| behind(after).max(first));
    page_between(view, from, after_prefix(prefix), limit)
}

/// Up to `limit` entries from a key up to another; what was seen is noted as read.
pub(crate) fn page_between<V: sealed::View + ?Sized>(
    view: &V,
    from: Key,
    to: Option<Key>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Entry)>> {
    let found = view.range(&from, to.as_deref(), limit, false)?;
    // A full page saw nothing past its last key.
    let seen = match found.last() {
        Some((last, _)) if found.len() == limit => Some(behind(last)),
        _ => to,
    };
    view.saw_range(from, seen)?;
    Ok(found)
}

/// As [`page_between`], from the last one downwards.
fn page_back<V: sealed::View + ?Sized>(
    view: &V,
    from: Key,
    to: Option<Key>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Entry)>> {
    let found = view.range(&from, to.as_deref(), limit, true)?;
    let seen = match found.last() {
        Some((last, _)) if found.len() == limit => last.as_slice().into(),
        _ => from,
    };
    view.saw_range(seen, to)?;
    Ok(found)
}

fn bounds(space: &Space, from: &[u8], to: Option<&[u8]>) -> (Key, Option<Key>) {
    let of = |key| Key::from(space::encode(space, Primitive::Kv, key));
    let end = || after_prefix(&of(&[]));
    (of(from), to.map(of).or_else(end))
}

fn pairs(
    space: &Space,
    primitive: Primitive,
    found: Vec<(Vec<u8>, Entry)>,
) -> Vec<(Vec<u8>, Value)> {
    let head = space::encode(space, primitive, &[]).len();
    let cut = |(k, e): (Vec<u8>, Entry)| (k.get(head..).unwrap_or_default().to_vec(), e.value);
    found.into_iter().map(cut).collect()
}

/// The key right behind another in byte order: that one and a NUL.
pub(crate) fn behind(key: &[u8]) -> Key {
    key.iter().copied().chain([0]).collect()
}

/// The smallest key that comes after every key with this prefix; none if there is no such key.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Key> {
    KeyBuf::after_prefix(prefix).map(Key::from)
}
