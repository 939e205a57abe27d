//! Reading: the same calls on a snapshot and in a transaction.

use statewright_value::{Path, Value};

use crate::error::Result;
use crate::space::{self, Primitive, Space};
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
    }
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
        let key = space::encode_checked(space, Primitive::Kv, key)?;
        let value = self.lookup(&key)?.map(|e| e.value);
        self.saw(&key, &Path::root())?;
        Ok(value)
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

    /// The value at a path of a document; none if the document or the path is not there. O(log n + path).
    fn doc_get(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        path: &Path,
    ) -> Result<Option<Value>> {
        let key = space::encode_checked(space, primitive, key.as_bytes())?;
        let value = self.lookup(&key)?.and_then(|e| e.value.at(path));
        self.saw(&key, path)?;
        Ok(value)
    }

    /// The version of the commit that last changed a document; none if it is not there. O(log n).
    ///
    /// Inside a transaction, the version after its own change is the snapshot's plus one until it commits.
    fn doc_version(&self, primitive: Primitive, space: &Space, key: &str) -> Result<Option<u64>> {
        let key = space::encode_checked(space, primitive, key.as_bytes())?;
        let version = self.lookup(&key)?.map(|e| e.version);
        self.saw(&key, &Path::root())?;
        Ok(version)
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
}

fn scan<V: sealed::View + ?Sized>(
    view: &V,
    space: &Space,
    primitive: Primitive,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Value)>> {
    let head = space::encode(space, primitive, &[]).len();
    let first: Key = space::encode(space, primitive, prefix).into();
    // The key right after `after` in byte order is `after` and a NUL.
    let resume: Option<Key> =
        after.map(|a| space::encode(space, primitive, &[a, &[0]].concat()).into());
    let from = resume
        .filter(|r| *r > first)
        .unwrap_or_else(|| first.clone());
    let end = after_prefix(&first);
    let found = view.range(&from, end.as_deref(), limit, false)?;
    // A full page saw nothing past its last key.
    let to = match found.last() {
        Some((last, _)) if found.len() == limit => Some(last.iter().copied().chain([0]).collect()),
        _ => end,
    };
    view.saw_range(from, to)?;
    let cut = |(k, e): (Vec<u8>, Entry)| (k.get(head..).unwrap_or_default().to_vec(), e.value);
    Ok(found.into_iter().map(cut).collect())
}

/// The smallest key that comes after every key with this prefix; none if there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Key> {
    let cut = prefix.iter().rposition(|b| *b < u8::MAX)?;
    let kept = prefix.get(..cut)?;
    let last = prefix.get(cut)?.saturating_add(1);
    Some(kept.iter().copied().chain([last]).collect())
}
