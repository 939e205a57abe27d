//! Combining a value with what is there in one step, by a named strategy.

use std::fmt;
use std::sync::Arc;

use statewright_value::{Kind, Path, Value};

use crate::error::{Error, Result};
use crate::op::Edit;
use crate::reader::Reader;
use crate::recent::Mode;
use crate::space::{Primitive, Space};
use crate::store::Store;
use crate::txn::Txn;

type Combine = dyn Fn(Option<&Value>, &Value) -> Result<Value> + Send + Sync;

/// What becomes of a new value and the one that is there.
#[derive(Clone)]
#[non_exhaustive]
pub enum MergeStrategy {
    /// The new one replaces it.
    Last,
    /// The one that is there stays; the new one counts only if nothing is there.
    First,
    /// The sum; nothing counts as 0. Merges like this of several transactions do not conflict.
    Accumulate,
    /// The new one behind the old: text behind text, bytes behind bytes, items behind items. Merges like this of
    /// several transactions do not conflict.
    Concatenate,
    /// Objects are merged at every level; of other values the new one wins.
    Deep,
    /// What a function makes of the one that is there, if there is one, and the new one. It may run more than once and
    /// must have no other effect.
    Custom(Arc<Combine>),
}

impl MergeStrategy {
    /// [`MergeStrategy::Custom`] with this function.
    ///
    /// ```
    /// use statewright_store::{Env, MergeStrategy, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// let largest = MergeStrategy::custom(|old, new| Ok(old.max(Some(new)).unwrap_or(new).clone()));
    /// for n in [3, 7, 5] {
    ///     store.kv_merge(&space, b"peak", value!(n), &largest)?;
    ///     store.kv_merge(&space, b"total", value!(n), &MergeStrategy::Accumulate)?;
    /// }
    /// assert_eq!(store.kv_get(&space, b"peak")?, Some(value!(7)));
    /// assert_eq!(store.kv_get(&space, b"total")?, Some(value!(15)));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn custom(
        combine: impl Fn(Option<&Value>, &Value) -> Result<Value> + Send + Sync + 'static,
    ) -> MergeStrategy {
        MergeStrategy::Custom(Arc::new(combine))
    }

    /// The edit that does it, with how it commutes; none if it must be read first.
    fn edit(&self, value: &Value) -> Option<(Mode, Edit)> {
        Some(match self {
            MergeStrategy::Accumulate => {
                let (by, initial) = (value.clone(), Value::from(0));
                (Mode::Add, Edit::Add { by, initial })
            }
            MergeStrategy::Concatenate if value.kind() == Kind::Array => {
                let items = value.clone();
                (Mode::Append, Edit::Extend { items })
            }
            MergeStrategy::Concatenate => {
                let (tail, separator) = (value.clone(), None);
                (Mode::Append, Edit::Append { tail, separator })
            }
            MergeStrategy::Deep => {
                let other = value.clone();
                (Mode::Exact, Edit::DeepMerge { other })
            }
            _ => return None,
        })
    }

    /// The value to be set; none if what is there stays.
    fn combined(&self, old: Option<&Value>, new: &Value) -> Result<Option<Value>> {
        match self {
            MergeStrategy::First if old.is_some() => Ok(None),
            MergeStrategy::Custom(combine) => combine(old, new).map(Some),
            _ => Ok(Some(new.clone())),
        }
    }
}

impl fmt::Debug for MergeStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MergeStrategy::Last => "Last",
            MergeStrategy::First => "First",
            MergeStrategy::Accumulate => "Accumulate",
            MergeStrategy::Concatenate => "Concatenate",
            MergeStrategy::Deep => "Deep",
            MergeStrategy::Custom(_) => "Custom",
        })
    }
}

/// Merging by a strategy. Fails with [`Error::At`] if the values do not go together; then nothing is changed.
impl Txn {
    /// Merges a value into a key's. O(log n), and what the strategy costs.
    pub fn kv_merge(
        &self,
        space: &Space,
        key: &[u8],
        value: Value,
        strategy: &MergeStrategy,
    ) -> Result<()> {
        if let Some((mode, edit)) = strategy.edit(&value) {
            return self.edit_key(space, key, mode, edit);
        }
        if let MergeStrategy::Last = strategy {
            return self.kv_put(space, key, value);
        }
        let old = self.kv_get(space, key)?;
        match strategy.combined(old.as_ref(), &value)? {
            Some(merged) => self.kv_put(space, key, merged),
            None => Ok(()),
        }
    }

    /// Merges a value into what is at a path of a JSON document, which must be there. O(log n + path), and what the
    /// strategy costs.
    pub fn json_merge_by(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        value: Value,
        strategy: &MergeStrategy,
    ) -> Result<()> {
        if let Some((_, edit)) = strategy.edit(&value) {
            return self.doc_edit(Primitive::Json, space, key, path, edit);
        }
        let old = match strategy {
            MergeStrategy::Last => None,
            _ => self.json_get(space, key, path)?,
        };
        match strategy.combined(old.as_ref(), &value)? {
            Some(merged) => self.json_set(space, key, path, merged),
            None => Ok(()),
        }
    }
}

/// Merging by a strategy, one commit each.
impl Store {
    /// [`Txn::kv_merge`] in a commit of its own; gives the version.
    pub fn kv_merge(
        &self,
        space: &Space,
        key: &[u8],
        value: Value,
        strategy: &MergeStrategy,
    ) -> Result<u64> {
        self.alone(|txn| txn.kv_merge(space, key, value.clone(), strategy))
    }

    /// [`Txn::json_merge_by`] in a commit of its own; gives the version.
    pub fn json_merge_by(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        value: Value,
        strategy: &MergeStrategy,
    ) -> Result<u64> {
        self.alone(|txn| txn.json_merge_by(space, key, path, value.clone(), strategy))
    }

    /// Runs a transaction and gives its commit's version.
    pub(crate) fn alone(&self, mut f: impl FnMut(&Txn) -> Result<()>) -> Result<u64> {
        let done = self.transact_versioned::<_, Error>(|txn| f(txn))?;
        Ok(done.1)
    }
}
