//! Reads that lend what they find instead of copying it.

use std::ops::ControlFlow;

use statewright_log::Timestamp;
use statewright_value::Value;

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::space::{self, KeyBuf, Primitive, Space};
use crate::store::Store;
use crate::tree::{Lent, Tree};

/// An entry where it is. What was not asked for costs nothing.
pub struct Item<'a> {
    key: &'a [u8],
    entry: Lent<'a>,
}

impl Item<'_> {
    /// The key.
    pub fn key(&self) -> &[u8] {
        self.key
    }

    /// The version of the commit that last changed it. O(1).
    pub fn version(&self) -> u64 {
        self.entry.version()
    }

    /// The value. Copies short texts and bytes; of documents, costs a reference count.
    pub fn value(&self) -> Option<Value> {
        self.entry.value()
    }

    /// The bytes of a text or byte string of up to 512 bytes, without copying them; none for anything else. O(1).
    pub fn inline_bytes(&self) -> Option<&[u8]> {
        self.entry.inline_bytes()
    }
}

impl Snapshot {
    /// Passes the entry of a key to `f`, if there is one; gives what `f` makes of it. Copies nothing, so it is the
    /// fastest way to a value that is only looked at. O(log n).
    ///
    /// ```
    /// use statewright_store::{Env, Place, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// store.kv_put(&Space::default(), b"name", value!("Ada"))?;
    /// let length = store.snapshot().kv_with(&Space::default(), b"name", |item| {
    ///     item.inline_bytes().map_or(0, <[u8]>::len)
    /// })?;
    /// assert_eq!(length, Some(3));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn kv_with<T>(
        &self,
        space: &Space,
        key: &[u8],
        f: impl FnOnce(Item<'_>) -> T,
    ) -> Result<Option<T>> {
        with(&self.root.tree, space, key, f, || self.time())
    }

    /// Passes the keys that begin with `prefix` to `f`, in byte order, from the one after `after` on, until it breaks.
    /// Keeps nothing and copies nothing, so it is the fastest way through many keys. O(log n + keys).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use statewright_store::{Env, Place, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// for n in 0..10_u8 {
    ///     store.kv_put(&space, &[b'k', n], value!(n))?;
    /// }
    /// let mut sum = 0;
    /// store.snapshot().kv_each(&space, b"k", None, |item| {
    ///     sum += item.value().and_then(|v| v.as_i64()).unwrap_or(0);
    ///     if item.key() == [b'k', 4] { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// })?;
    /// assert_eq!(sum, 0 + 1 + 2 + 3 + 4);
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn kv_each(
        &self,
        space: &Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        mut f: impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let first = space::encode(space, Primitive::Kv, prefix);
        let head = first.len() - prefix.len();
        let to = KeyBuf::after_prefix(&first);
        let after = after.filter(|after| *after >= prefix);
        let behind = after.map(|after| space::encode(space, Primitive::Kv, after).behind());
        let from = behind.as_ref().unwrap_or(&first);
        let tree = &self.root.tree;
        tree.visit(from, to.as_deref(), false, &mut |key, entry| {
            let key = key.get(head..).unwrap_or_default();
            !entry.is_live(|| self.time()) || f(Item { key, entry }).is_continue()
        });
        tree.check()
    }
}

impl Store {
    /// [`Snapshot::kv_with`] of the newest state.
    pub fn kv_with<T>(
        &self,
        space: &Space,
        key: &[u8],
        f: impl FnOnce(Item<'_>) -> T,
    ) -> Result<Option<T>> {
        let now = || self.shared.now();
        self.shared
            .look(|root| with(&root.tree, space, key, f, now))
    }
}

fn with<T>(
    tree: &Tree,
    space: &Space,
    key: &[u8],
    f: impl FnOnce(Item<'_>) -> T,
    now: impl FnOnce() -> Timestamp,
) -> Result<Option<T>> {
    space::with_encoded(space, Primitive::Kv, key, |encoded| {
        let found = tree.lend(encoded, |entry| {
            entry.is_live(now).then(|| f(Item { key, entry }))
        });
        tree.check()?;
        Ok(found.flatten())
    })
}
