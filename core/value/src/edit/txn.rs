//! Value transactions: several edits of one value, which all take effect or none.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Create, Put, missing};
use crate::{Change, Key, Patch, PatchOp, Path, Pointer, Result, Segment, Value, ValueRef};

/// Edits of a value that take effect together, with [`ValueTxn::commit`], or not at all: dropping the
/// transaction, as [`ValueTxn::rollback`] does, leaves the value as it was. From [`Value::begin`].
///
/// Beginning, committing, rolling back and setting a savepoint cost O(1); an edit costs what it costs on a
/// value that has a clone, since what was there is kept. An edit that fails changes nothing, and the
/// transaction goes on.
///
/// ```
/// use statewright_value::{Path, value};
/// # fn main() -> statewright_value::Result<()> {
/// let mut account = value!({ "balance": 100, "log": [] });
/// let (balance, log) = (Path::parse(".balance")?, Path::parse(".log")?);
///
/// let mut txn = account.begin();
/// txn.set(&balance, value!(70))?;
/// let savepoint = txn.savepoint();
/// txn.push(&log, value!("a mistake"))?;
/// assert!(txn.rollback_to(savepoint));
/// txn.push(&log, value!("withdrawn: 30"))?;
/// assert_eq!(txn.value().at(&balance), Some(value!(70).by_ref()));
/// let changes = txn.commit();
///
/// assert_eq!(account, value!({ "balance": 70, "log": ["withdrawn: 30"] }));
/// assert_eq!(changes.len(), 2);
/// assert_eq!(changes[0].before, Some(value!(100)));
///
/// let mut txn = account.begin();
/// txn.remove(&balance)?;
/// drop(txn);
/// assert_eq!(account.at(&balance), Some(value!(70)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped without a commit, a transaction changes nothing"]
pub struct ValueTxn<'v> {
    target: &'v mut Value,
    /// The value with the edits so far.
    value: Value,
    changes: Vec<Change>,
    points: Vec<Point>,
}

/// The number of the next savepoint of the process, so that none is taken for one of another transaction.
static NEXT_SAVEPOINT: AtomicU64 = AtomicU64::new(0);

/// A moment in a transaction to which [`ValueTxn::rollback_to`] goes back. Of no use in any other transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(u64);

#[derive(Debug)]
struct Point {
    number: u64,
    value: Value,
    changes: usize,
}

impl Value {
    /// Begins a transaction on this value; O(1). Its edits are edits of a clone, with the cost of the [first
    /// edit](Value#cost-of-the-first-edit) anew in each transaction that is rolled back.
    pub fn begin(&mut self) -> ValueTxn<'_> {
        ValueTxn {
            value: self.clone(),
            target: self,
            changes: Vec::new(),
            points: Vec::new(),
        }
    }
}

/// The outcome.
impl ValueTxn<'_> {
    /// Makes the edits the value's content, and returns the changes. O(1).
    pub fn commit(self) -> Vec<Change> {
        *self.target = self.value;
        self.changes
    }

    /// Ends the transaction and leaves the value as it was, as dropping does.
    pub fn rollback(self) {}

    /// A moment to which the transaction can be rolled back; O(1).
    pub fn savepoint(&mut self) -> Savepoint {
        let number = NEXT_SAVEPOINT.fetch_add(1, Ordering::Relaxed);
        self.points.push(Point {
            number,
            value: self.value.clone(),
            changes: self.changes.len(),
        });
        Savepoint(number)
    }

    /// Undoes what has been done since `savepoint`, which stays, while the later ones go. False, and nothing is
    /// done, if it is gone itself or of another transaction.
    #[must_use = "false if the savepoint is gone"]
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> bool {
        let Some(at) = self
            .points
            .iter()
            .position(|point| point.number == savepoint.0)
        else {
            return false;
        };
        self.points.truncate(at + 1);
        if let Some(point) = self.points.last() {
            self.value = point.value.clone();
            self.changes.truncate(point.changes);
        }
        true
    }

    /// The value as it would be after a commit.
    pub fn value(&self) -> ValueRef<'_> {
        self.value.by_ref()
    }

    /// What has been changed, in order; each path is one of the value at that moment. What has been added at
    /// an index is inserted before the item that was there; what has been removed at one makes the later
    /// items move up.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes as a patch of RFC 6902, which does the same to the value as it was. O(changes).
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "tags": ["a", "c"] });
    /// let mut txn = doc.begin();
    /// txn.insert(&Path::parse(".tags[1]")?, value!("b"))?;
    /// let patch = txn.patch();
    /// txn.rollback();
    /// assert_eq!(patch.to_value(), value!([{ "op": "add", "path": "/tags/1", "value": "b" }]));
    /// patch.apply(&mut doc)?;
    /// assert_eq!(doc, value!({ "tags": ["a", "b", "c"] }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn patch(&self) -> Patch {
        let op = |change: &Change| {
            let path = Pointer::from(&change.path);
            match (&change.before, &change.after) {
                (None, Some(after)) => PatchOp::Add {
                    path,
                    value: after.clone(),
                },
                (Some(_), Some(after)) => PatchOp::Replace {
                    path,
                    value: after.clone(),
                },
                (_, None) => PatchOp::Remove { path },
            }
        };
        self.changes.iter().map(op).collect()
    }
}

/// The edits: those of [`Value`], through a path; the root path is the value itself. Errors and costs are those of
/// the same edit of a value that has a clone.
impl ValueTxn<'_> {
    /// As [`Value::set`].
    ///
    /// # Errors
    /// As [`Value::set`]; nothing is changed.
    pub fn set(&mut self, path: &Path, value: Value) -> Result<()> {
        self.set_with(path, value, Create::Parents)?;
        Ok(())
    }

    /// As [`Value::set_with`].
    ///
    /// # Errors
    /// As [`Value::set_with`]; nothing is changed.
    pub fn set_with(&mut self, path: &Path, value: Value, create: Create) -> Result<Option<Value>> {
        let after = value.clone();
        match self.value.put(path, value, create)? {
            Put::Replaced(before) => {
                self.changed(path.clone(), Some(before.clone()), Some(after));
                Ok(Some(before))
            }
            Put::Created(at) => {
                let path = path.prefix(at + 1);
                let after = self.value.at(&path);
                self.changed(path, None, after);
                Ok(None)
            }
        }
    }

    /// As [`Value::replace`].
    ///
    /// # Errors
    /// As [`Value::replace`]; nothing is changed.
    pub fn replace(&mut self, path: &Path, value: Value) -> Result<Value> {
        let before = self.set_with(path, value, Create::Nothing)?;
        Ok(before.unwrap_or_default())
    }

    /// As [`Value::insert_at`]: before an item of an array, or under a key of an object.
    ///
    /// # Errors
    /// As [`Value::insert_at`]; nothing is changed.
    pub fn insert(&mut self, path: &Path, value: Value) -> Result<Option<Value>> {
        let Some(Segment::Index(_)) = path.last() else {
            return self.set_with(path, value, Create::Last);
        };
        let after = value.clone();
        self.value.insert_at(path, value)?;
        self.changed(path.clone(), None, Some(after));
        Ok(None)
    }

    /// As [`Value::push_at`].
    ///
    /// # Errors
    /// As [`Value::push_at`]; nothing is changed.
    pub fn push(&mut self, path: &Path, value: Value) -> Result<()> {
        let after = value.clone();
        self.value.push_at(path, value)?;
        let len = self.value.by_ref().at(path).map_or(0, ValueRef::len);
        self.changed(path.clone().index(len.saturating_sub(1)), None, Some(after));
        Ok(())
    }

    /// As [`Value::pop_at`].
    ///
    /// # Errors
    /// As [`Value::pop_at`]; nothing is changed.
    pub fn pop(&mut self, path: &Path) -> Result<Option<Value>> {
        let popped = self.value.pop_at(path)?;
        if popped.is_some() {
            let len = self.value.by_ref().at(path).map_or(0, ValueRef::len);
            self.changed(path.clone().index(len), popped.clone(), None);
        }
        Ok(popped)
    }

    /// As [`Value::remove`].
    ///
    /// # Errors
    /// As [`Value::remove`]; nothing is changed.
    pub fn remove(&mut self, path: &Path) -> Result<Option<Value>> {
        let removed = self.value.remove(path)?;
        if removed.is_some() {
            self.changed(path.clone(), removed.clone(), None);
        }
        Ok(removed)
    }

    /// As [`Value::rename_at`]. The change is that of the object: its entries keep their order.
    ///
    /// # Errors
    /// As [`Value::rename_at`]; nothing is changed.
    pub fn rename(&mut self, path: &Path, to: impl Into<Key>) -> Result<()> {
        let before = path.parent().and_then(|object| self.value.at(&object));
        self.value.rename_at(path, to)?;
        if let Some(object) = path.parent() {
            let after = self.value.at(&object);
            self.changed(object, before, after);
        }
        Ok(())
    }

    /// As [`Value::update`].
    ///
    /// # Errors
    /// As [`Value::update`]; nothing is changed.
    pub fn update(
        &mut self,
        path: &Path,
        change: impl FnOnce(Option<Value>) -> Result<Value>,
    ) -> Result<()> {
        let value = change(self.value.at(path))?;
        self.set(path, value)
    }

    /// As [`Value::edit`]: any edit of what is at `path`. The change is that of the whole of it.
    ///
    /// # Errors
    /// As [`Value::edit`]; nothing is changed.
    pub fn edit<R>(
        &mut self,
        path: &Path,
        edit: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Result<R> {
        let Some(mut value) = self.value.at(path) else {
            return Err(missing(path, "a value"));
        };
        let result = edit(&mut value)?;
        self.replace(path, value)?;
        Ok(result)
    }

    fn changed(&mut self, path: Path, before: Option<Value>, after: Option<Value>) {
        self.changes.push(Change {
            path,
            before,
            after,
        });
    }
}
