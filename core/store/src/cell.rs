//! Cells: small named values, changed as a whole, with the version of their last change.
//!
//! A cell is a document of its own primitive that is only ever set at its root.

use statewright_value::{Path, Value};

use crate::error::{Error, Result, Retryable};
use crate::history::Past;
use crate::op::{Doc, Op};
use crate::reader::{self, Stored, sealed::View};
use crate::recent::Region;
use crate::space::{self, Primitive, Space};
use crate::store::Store;
use crate::txn::Txn;

/// Reading cells.
///
/// ```
/// use statewright_store::{CellReader, Env, Place, Space, Store, StoreOptions};
/// use statewright_value::value;
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// let space = Space::default();
/// store.cell_init(&space, "phase", value!("draft"))?;
/// let seen = store.cell_get(&space, "phase")?.unwrap();
/// store.cell_cas(&space, "phase", Some(seen.version), value!("review"))?;
/// let lost = store.cell_cas(&space, "phase", Some(seen.version), value!("done"));
/// assert_eq!(lost.unwrap_err().code(), 409);
/// let next = store.cell_transition(&space, "phase", |old| {
///     Ok::<_, statewright_store::Error>(value!((format!("{} 2", old.as_str().unwrap_or("")))))
/// })?;
/// assert_eq!(next, value!("review 2"));
/// # Ok::<(), statewright_store::Error>(())
/// ```
pub trait CellReader: View {
    /// A cell's value and the version of the commit that set it; none if it is not there. O(log n).
    fn cell_get(&self, space: &Space, cell: &str) -> Result<Option<Stored>> {
        space::with_encoded(space, Primitive::Cell, cell.as_bytes(), |key| {
            let entry = self.lookup(key)?;
            self.saw(key, &Path::root())?;
            Ok(entry.map(Stored::from))
        })
    }

    /// Whether a cell is there. O(log n).
    fn cell_exists(&self, space: &Space, cell: &str) -> Result<bool> {
        Ok(self.cell_get(space, cell)?.is_some())
    }

    /// Up to `limit` cells whose names begin with `prefix`, in byte order, from the one after `after` on.
    /// O(log n + limit).
    fn cell_list(
        &self,
        space: &Space,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>> {
        let of = |name: &str| space::encode(space, Primitive::Cell, name.as_bytes());
        let found = reader::page(self, &of(prefix), after.map(of).as_deref(), limit)?;
        let head = of("").len();
        let name =
            |key: &[u8]| String::from_utf8_lossy(key.get(head..).unwrap_or_default()).into_owned();
        let cells = found.into_iter().map(|(key, entry)| (name(&key), entry));
        Ok(cells
            .map(|(name, entry)| (name, Stored::from(entry)))
            .collect())
    }
}

impl<V: View + ?Sized> CellReader for V {}

/// Changing cells. A name has 1 to 4096 bytes; else [`Error::InvalidKey`]. Each is O(log n).
impl Txn {
    /// Makes a cell. Fails with [`Error::AlreadyExists`].
    pub fn cell_init(&self, space: &Space, cell: &str, value: Value) -> Result<()> {
        if self.cell_exists(space, cell)? {
            return Err(Error::AlreadyExists {
                what: space::display(&doc(space, cell).encoded()),
            });
        }
        let doc = doc(space, cell);
        self.write(region(&doc), Op::DocCreate { doc, value })
    }

    /// A cell's value; makes the cell with what `init` gives if it is not there.
    pub fn cell_get_or_init(
        &self,
        space: &Space,
        cell: &str,
        init: impl FnOnce() -> Value,
    ) -> Result<Value> {
        if let Some(there) = self.cell_get(space, cell)? {
            return Ok(there.value);
        }
        let value = init();
        self.cell_init(space, cell, value.clone())?;
        Ok(value)
    }

    /// Sets a cell, whatever is there.
    pub fn cell_set(&self, space: &Space, cell: &str, value: Value) -> Result<()> {
        let doc = doc(space, cell);
        space::encode_checked(space, Primitive::Cell, cell.as_bytes())?;
        let path = Path::root();
        self.write(region(&doc), Op::DocSet { doc, path, value })
    }

    /// Sets a cell if it is still at this version (none: if it is not there). Fails with [`Error::VersionMismatch`].
    pub fn cell_cas(
        &self,
        space: &Space,
        cell: &str,
        expected: Option<u64>,
        value: Value,
    ) -> Result<()> {
        let found = self.cell_get(space, cell)?.map(|there| there.version);
        if found != expected {
            let what = space::display(&doc(space, cell).encoded());
            return Err(Error::VersionMismatch {
                what,
                expected,
                found,
            });
        }
        self.cell_set(space, cell, value)
    }

    /// Sets a cell to what `next` makes of its value, which is returned. Fails with [`Error::NotFound`] if it is not
    /// there, or as `next` does; then nothing is changed.
    pub fn cell_transition<E: From<Error>>(
        &self,
        space: &Space,
        cell: &str,
        next: impl FnOnce(&Value) -> Result<Value, E>,
    ) -> Result<Value, E> {
        let there = self.cell_get(space, cell)?.ok_or_else(|| Error::NotFound {
            what: space::display(&doc(space, cell).encoded()),
        })?;
        let value = next(&there.value)?;
        self.cell_set(space, cell, value.clone())?;
        Ok(value)
    }

    /// Removes a cell; tells whether it was there.
    pub fn cell_delete(&self, space: &Space, cell: &str) -> Result<bool> {
        let there = self.cell_exists(space, cell)?;
        if there {
            let doc = doc(space, cell);
            self.write(region(&doc), Op::DocDrop { doc })?;
        }
        Ok(there)
    }
}

/// Cells, one commit each. A conflict is tried again as [`Store::transact`] does.
impl Store {
    /// [`Txn::cell_init`] in a commit of its own; gives the version.
    pub fn cell_init(&self, space: &Space, cell: &str, value: Value) -> Result<u64> {
        self.alone(|txn| txn.cell_init(space, cell, value.clone()))
    }

    /// [`Txn::cell_get_or_init`] in a commit of its own. `init` may run more than once.
    pub fn cell_get_or_init(
        &self,
        space: &Space,
        cell: &str,
        init: impl Fn() -> Value,
    ) -> Result<Value> {
        self.transact(|txn| txn.cell_get_or_init(space, cell, &init))
    }

    /// [`Txn::cell_set`] in a commit of its own; gives the version.
    pub fn cell_set(&self, space: &Space, cell: &str, value: Value) -> Result<u64> {
        self.alone(|txn| txn.cell_set(space, cell, value.clone()))
    }

    /// [`Txn::cell_cas`] in a commit of its own; gives the version.
    pub fn cell_cas(
        &self,
        space: &Space,
        cell: &str,
        expected: Option<u64>,
        value: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.cell_cas(space, cell, expected, value.clone()))
    }

    /// [`Txn::cell_transition`] in a commit of its own, tried again after a conflict with what is there then; so
    /// `next` may run more than once and must have no other effect.
    pub fn cell_transition<E: From<Error> + Retryable>(
        &self,
        space: &Space,
        cell: &str,
        mut next: impl FnMut(&Value) -> Result<Value, E>,
    ) -> Result<Value, E> {
        self.transact(|txn| txn.cell_transition(space, cell, &mut next))
    }

    /// [`Txn::cell_delete`] in a commit of its own.
    pub fn cell_delete(&self, space: &Space, cell: &str) -> Result<bool> {
        self.transact(|txn| txn.cell_delete(space, cell))
    }

    /// Up to `limit` of the values that a cell had, the newest first; see [`Store::kv_history`]. O(log).
    pub fn cell_history(&self, space: &Space, cell: &str, limit: usize) -> Result<Vec<Past>> {
        self.history(space, Primitive::Cell, cell.as_bytes(), limit, u64::MAX)
    }

    /// A cell as it was when the store had this version; see [`Store::kv_get_at`]. O(log).
    pub fn cell_get_at(&self, space: &Space, cell: &str, version: u64) -> Result<Option<Stored>> {
        self.entry_at(space, Primitive::Cell, cell.as_bytes(), version)
    }
}

fn doc(space: &Space, cell: &str) -> Doc {
    Doc {
        primitive: Primitive::Cell,
        space: space.clone(),
        key: cell.to_owned(),
    }
}

fn region(doc: &Doc) -> Region {
    Region::exact(doc.encoded(), Path::root())
}
