//! Scans that lend what they find instead of copying it.

use std::ops::ControlFlow;

use statewright_value::Value;

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::space::{self, Primitive, Space};
use crate::tree::Lent;

/// An entry that a scan has come to. What was not asked for costs nothing.
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
    /// Passes the keys that begin with `prefix` to `f`, in byte order, until it breaks. Keeps nothing and copies
    /// nothing, so it is the fastest way through many keys. O(log n + keys).
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
    /// store.snapshot().kv_each(&space, b"k", |item| {
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
        mut f: impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let head = space::encode(space, Primitive::Kv, &[]).len();
        let first = space::encode(space, Primitive::Kv, prefix);
        let tree = &self.root.tree;
        let mut go_on = |key: &[u8], entry: Lent<'_>| {
            if !key.starts_with(&first) {
                return false;
            }
            if entry.expires().is_some_and(|at| at <= self.time()) {
                return true;
            }
            let key = key.get(head..).unwrap_or_default();
            f(Item { key, entry }).is_continue()
        };
        tree.visit(&first, &mut |key, leaf, i| go_on(key, Lent::new(*leaf, i)));
        tree.check()
    }
}
