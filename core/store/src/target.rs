//! What an op is applied to: the store's tree, or a transaction's view of it.

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use crate::error::Result;

/// The commit that an op is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its version.
    pub version: u64,
    /// When it was made; what an op writes down as its time.
    pub time: Timestamp,
}

/// What a key holds. Cloning costs a reference count.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: Value,
    /// The commit that last changed this entry.
    pub version: u64,
    /// From this time on, readers no longer see it.
    pub expires: Option<Timestamp>,
}

impl Entry {
    /// An entry that stays.
    pub fn new(value: Value, version: u64) -> Entry {
        Entry {
            value,
            version,
            expires: None,
        }
    }

    /// Whether it is still there for who looks at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// Entries by encoded key, to be read and changed by ops.
pub trait Target {
    /// The entry at a key, expired or not. O(log n).
    fn get(&self, key: &[u8]) -> Option<Entry>;

    /// When the entry at a key expires, if it does. O(log n).
    fn expiry(&self, key: &[u8]) -> Option<Timestamp> {
        self.get(key)?.expires
    }

    /// The first entry at `from` or behind it. O(log n).
    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)>;

    /// Makes sure that there is memory for editing a document at a path, if it may still be refused.
    fn room_for_edit(_doc: &Value, _path: &Path) -> Result<()> {
        Ok(())
    }

    /// Inserts or replaces. O(log n).
    fn put(&mut self, key: &[u8], entry: Entry);

    /// Changes the value at a key in place and gives it `version`; none if there is no entry. If `f` fails it must
    /// have changed nothing. O(log n).
    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>>;

    /// Removes; tells whether there was an entry. O(log n).
    fn remove(&mut self, key: &[u8]) -> bool;
}
