//! Savepoints: undoing a part of a transaction.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::txn::{Mark, Txn};

/// No two savepoints have the same number, so one of another transaction is not found.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A point in a transaction to which it can go back; see [`Txn::savepoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Savepoint(u64);

impl Savepoint {
    /// A number that no other savepoint of the process has, for where it must be a number; never 0.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The savepoint of a number; one that is none is refused when it is used.
    pub fn from_number(number: u64) -> Savepoint {
        Savepoint(number)
    }
}

/// Savepoints. They nest: going back to one, or releasing it, ends all that were made after it.
impl Txn {
    /// Marks this point of the transaction. O(1): nothing is copied until something is written behind it.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// let txn = store.begin();
    /// txn.kv_put(&space, b"kept", value!(1))?;
    /// let before = txn.savepoint();
    /// txn.kv_put(&space, b"tried", value!(2))?;
    /// txn.rollback_to(before)?;
    /// txn.commit()?;
    /// assert_eq!(store.kv_get(&space, b"tried")?, None);
    /// assert_eq!(store.kv_get(&space, b"kept")?, Some(value!(1)));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn savepoint(&self) -> Savepoint {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mark = self.mark();
        self.savepoints().push((id, mark));
        Savepoint(id)
    }

    /// Undoes what was written since a savepoint, which stays. What was read since then still counts when the
    /// commit is validated: it may be why the transaction went back.
    ///
    /// Fails with [`Error::UnknownSavepoint`]. O(what was written since).
    pub fn rollback_to(&self, savepoint: Savepoint) -> Result<()> {
        let mut savepoints = self.savepoints();
        let at = position(&savepoints, savepoint)?;
        let kept = at.saturating_add(1);
        self.unmark(savepoints.len().saturating_sub(kept));
        savepoints.truncate(kept);
        if let Some((_, mark)) = savepoints.last() {
            self.reset(mark);
        }
        Ok(())
    }

    /// Forgets a savepoint and all after it; what was written stays. Fails with [`Error::UnknownSavepoint`].
    pub fn release(&self, savepoint: Savepoint) -> Result<()> {
        let mut savepoints = self.savepoints();
        let at = position(&savepoints, savepoint)?;
        self.unmark(savepoints.len().saturating_sub(at));
        savepoints.truncate(at);
        Ok(())
    }

    /// Runs writes of which all are kept or, on an error, none.
    pub(crate) fn all_or_nothing<T, E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mark = self.mark();
        let done = f();
        if done.is_err() {
            self.reset(&mark);
        }
        self.unmark(1);
        done
    }
}

fn position(savepoints: &[(u64, Mark)], savepoint: Savepoint) -> Result<usize> {
    savepoints
        .iter()
        .position(|(id, _)| *id == savepoint.0)
        .ok_or(Error::UnknownSavepoint)
}
