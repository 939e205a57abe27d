//! JSON documents: created, changed by path, patched and merged. The log holds what was done, never the document.

use statewright_value::{Error as ValueError, Kind, Patch, PatchOp, Path, Segment, Value};

use crate::doc::address;
use crate::error::{Error, Result};
use crate::history::Past;
use crate::op::{Edit, Op};
use crate::reader::{Reader, Stored, sealed::View};
use crate::recent::{Mode, Region};
use crate::space::{self, Primitive, Space};
use crate::store::Store;
use crate::txn::Txn;

const JSON: Primitive = Primitive::Json;

/// Writes to JSON documents. All but `json_create` and a `json_set` at the root fail with [`Error::NotFound`] if the
/// document is not there, and with [`Error::At`] or [`Error::Value`] if the operation does not fit what is at the
/// path; then nothing is changed. Each costs O(log n + path), and its operand, unless it says otherwise.
///
/// Two transactions conflict if their paths overlap: one is the other or leads to it. What changes the length or
/// order of an array touches the whole array. Increments of one place do not conflict with each other, and neither
/// do appends.
impl Txn {
    /// [`doc_create`](Txn::doc_create) of a JSON document.
    pub fn json_create(&self, space: &Space, key: &str, value: Value) -> Result<()> {
        self.doc_create(JSON, space, key, value)
    }

    /// [`doc_set`](Txn::doc_set) of a JSON document.
    pub fn json_set(&self, space: &Space, key: &str, path: &Path, value: Value) -> Result<()> {
        self.doc_set(JSON, space, key, path, value)
    }

    /// [`doc_remove`](Txn::doc_remove) of a JSON document.
    pub fn json_remove(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        self.doc_remove(JSON, space, key, path)
    }

    /// [`doc_drop`](Txn::doc_drop) of a JSON document.
    pub fn json_drop(&self, space: &Space, key: &str) -> Result<bool> {
        self.doc_drop(JSON, space, key)
    }

    /// Sets a path if the document is still at this version. Fails with [`Error::VersionMismatch`].
    pub fn json_cas(
        &self,
        space: &Space,
        key: &str,
        expected: u64,
        path: &Path,
        value: Value,
    ) -> Result<()> {
        let found = self.json_version(space, key)?;
        if found != Some(expected) {
            return Err(Error::VersionMismatch {
                what: shown(space, key),
                expected: Some(expected),
                found,
            });
        }
        self.json_set(space, key, path, value)
    }

    /// Sets paths of documents: all of them, or none if one of them fails.
    pub fn json_set_many(
        &self,
        space: &Space,
        entries: impl IntoIterator<Item = (String, Path, Value)>,
    ) -> Result<()> {
        self.all_or_nothing(|| {
            entries
                .into_iter()
                .try_for_each(|(key, path, value)| self.json_set(space, &key, &path, value))
        })
    }

    /// Applies a JSON patch (RFC 6902): all of it, or nothing if an operation of it fails. Touches only the places
    /// that its operations name; a `copy` logs the value that was copied.
    pub fn json_patch(&self, space: &Space, key: &str, patch: &Patch) -> Result<()> {
        let root = Path::root();
        let (doc, region) = address(JSON, space, key, &root)?;
        let Some(mut state) = self.peek(&region.key, &root)? else {
            self.saw(&region.key, &root)?;
            return Err(Error::NotFound {
                what: shown(space, key),
            });
        };
        let about = |e| Error::at(&region.key, e);
        let mut tried = state.clone();
        if let Err(e) = patch.apply(&mut tried) {
            // Why it fails could be anywhere in the document.
            self.saw(&region.key, &root)?;
            return Err(about(e));
        }
        self.all_or_nothing(|| {
            for op in patch.ops() {
                self.patch_step(space, key, &state, op)?;
                state = self.peek(&doc.encoded(), &root)?.unwrap_or_default();
            }
            Ok(())
        })
    }

    fn patch_step(&self, space: &Space, key: &str, state: &Value, op: &PatchOp) -> Result<()> {
        let encoded = space::encode(space, JSON, key.as_bytes());
        let add = |path: &Path, value: Value| match path.last() {
            Some(Segment::Index(_)) => self.json_insert(space, key, path, value),
            _ => self.json_set(space, key, path, value),
        };
        let state = state.by_ref();
        match op {
            PatchOp::Add { path, value } => add(&path.resolve_to_put(state)?, value.clone()),
            PatchOp::Replace { path, value } => {
                self.json_set(space, key, &path.resolve(state)?, value.clone())
            }
            PatchOp::Remove { path } => self
                .json_remove(space, key, &path.resolve(state)?)
                .map(drop),
            PatchOp::Copy { from, path } => {
                let from = from.resolve(state)?;
                self.saw(&encoded, &from)?;
                let value = state.at(&from).map(|v| v.to_value()).unwrap_or_default();
                add(&path.resolve_to_put(state)?, value)
            }
            PatchOp::Move { from, path } => {
                let from = from.resolve(state)?;
                let mut without = state.to_value();
                without.remove(&from)?;
                let to = path.resolve_to_put(without.by_ref())?;
                if from == to {
                    return self.saw(&encoded, &from);
                }
                self.json_move(space, key, &from, &to)
            }
            PatchOp::Test { path, .. } => self.saw(&encoded, &path.resolve(state)?),
            other => {
                let mut whole = state.to_value();
                let mut patch = Patch::new();
                patch.push(other.clone());
                patch.apply(&mut whole)?;
                self.json_set(space, key, &Path::root(), whole)
            }
        }
    }

    /// Merges a patch into what is at a path as RFC 7396 says: objects member by member, null removes, anything else
    /// replaces. Touches only the places that it changes. O(log n + path + members of the patch).
    pub fn json_merge(&self, space: &Space, key: &str, path: &Path, patch: Value) -> Result<()> {
        self.doc_edit(JSON, space, key, path, Edit::MergePatch { patch })
    }

    /// Merges objects at every level into what is at a path; anything else replaces, null too. Touches only the places
    /// that it changes. O(log n + path + members of `other`).
    pub fn json_deep_merge(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        other: Value,
    ) -> Result<()> {
        self.doc_edit(JSON, space, key, path, Edit::DeepMerge { other })
    }

    /// Puts items at the end of the array at a path, or makes one of them where nothing is.
    pub fn json_push(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        items: Vec<Value>,
    ) -> Result<()> {
        let items = Value::from(items);
        self.doc_edit(JSON, space, key, path, Edit::Extend { items })
    }

    /// Removes the last item of the array at a path and gives it; none if the array is empty.
    pub fn json_pop(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        let (_, region) = address(JSON, space, key, path)?;
        let len = match self.peek(&region.key, path)? {
            Some(array) if array.kind() == Kind::Array => array.len(),
            Some(other) => {
                self.saw(&region.key, path)?;
                let source = ValueError::WrongType {
                    path: path.clone(),
                    expected: "array",
                    found: other.kind().name(),
                };
                return Err(Error::at(&region.key, source));
            }
            None => {
                self.saw(&region.key, path)?;
                let what = format!("{} {path}", space::display(&region.key));
                return Err(Error::NotFound { what });
            }
        };
        self.saw(&region.key, path)?;
        match len.checked_sub(1) {
            Some(last) => self.json_remove(space, key, &path.clone().index(last)),
            None => Ok(None),
        }
    }

    /// Puts an item before the one at the index that the path ends in; that one and the later ones move on.
    pub fn json_insert(&self, space: &Space, key: &str, path: &Path, value: Value) -> Result<()> {
        self.doc_edit(JSON, space, key, path, Edit::Insert { value })
    }

    /// Moves an item of the array at a path to another index of it.
    pub fn json_move_item(
        &self,
        space: &Space,
        key: &str,
        array: &Path,
        from: usize,
        to: usize,
    ) -> Result<()> {
        let path = array.clone().index(from);
        self.doc_edit(JSON, space, key, &path, Edit::MoveItem { to })
    }

    /// Takes what is at a path away and adds it at another, as `move` of RFC 6902: `to` is looked up once it was taken
    /// away. The log holds the two paths.
    pub fn json_move(&self, space: &Space, key: &str, from: &Path, to: &Path) -> Result<()> {
        let to = to.clone();
        self.doc_edit(JSON, space, key, from, Edit::Relocate { to })
    }

    /// Adds a number to the one at a path; where nothing is, to `initial`. See [`Txn::kv_increment`].
    pub fn json_increment(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        by: Value,
        initial: Value,
    ) -> Result<()> {
        self.doc_edit(JSON, space, key, path, Edit::Add { by, initial })
    }

    /// Puts text behind the text at a path, or bytes behind bytes. See [`Txn::kv_append`].
    pub fn json_append(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        tail: Value,
        separator: Option<Value>,
    ) -> Result<()> {
        let edit = Edit::Append { tail, separator };
        self.doc_edit(JSON, space, key, path, edit)
    }
}

/// JSON documents, one commit each. A conflict is tried again as [`Store::transact`] does.
impl Store {
    /// [`Txn::json_create`] in a commit of its own; gives the version.
    pub fn json_create(&self, space: &Space, key: &str, value: Value) -> Result<u64> {
        self.alone(|txn| txn.json_create(space, key, value.clone()))
    }

    /// [`Txn::json_set`] in a commit of its own; gives the version.
    pub fn json_set(&self, space: &Space, key: &str, path: &Path, value: Value) -> Result<u64> {
        self.alone(|txn| txn.json_set(space, key, path, value.clone()))
    }

    /// [`Txn::json_remove`] in a commit of its own.
    pub fn json_remove(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        self.transact(|txn| txn.json_remove(space, key, path))
    }

    /// [`Txn::json_drop`] in a commit of its own.
    pub fn json_drop(&self, space: &Space, key: &str) -> Result<bool> {
        self.transact(|txn| txn.json_drop(space, key))
    }

    /// [`Txn::json_cas`] in a commit of its own; gives the version.
    pub fn json_cas(
        &self,
        space: &Space,
        key: &str,
        expected: u64,
        path: &Path,
        value: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.json_cas(space, key, expected, path, value.clone()))
    }

    /// [`Txn::json_set_many`] in a commit of its own; gives the version.
    pub fn json_set_many(
        &self,
        space: &Space,
        entries: impl IntoIterator<Item = (String, Path, Value)>,
    ) -> Result<u64> {
        let entries: Vec<_> = entries.into_iter().collect();
        self.alone(|txn| txn.json_set_many(space, entries.iter().cloned()))
    }

    /// [`Txn::json_patch`] in a commit of its own; gives the version.
    pub fn json_patch(&self, space: &Space, key: &str, patch: &Patch) -> Result<u64> {
        self.alone(|txn| txn.json_patch(space, key, patch))
    }

    /// [`Txn::json_merge`] in a commit of its own; gives the version.
    pub fn json_merge(&self, space: &Space, key: &str, path: &Path, patch: Value) -> Result<u64> {
        self.alone(|txn| txn.json_merge(space, key, path, patch.clone()))
    }

    /// [`Txn::json_deep_merge`] in a commit of its own; gives the version.
    pub fn json_deep_merge(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        other: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.json_deep_merge(space, key, path, other.clone()))
    }

    /// [`Txn::json_push`] in a commit of its own; gives the array's length. Never conflicts.
    pub fn json_push(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        items: Vec<Value>,
    ) -> Result<usize> {
        let items = Value::from(items);
        let (_, array) = self.doc_edit_alone(space, key, path, Edit::Extend { items })?;
        Ok(array.len())
    }

    /// [`Txn::json_pop`] in a commit of its own.
    pub fn json_pop(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        self.transact(|txn| txn.json_pop(space, key, path))
    }

    /// [`Txn::json_insert`] in a commit of its own; gives the version.
    pub fn json_insert(&self, space: &Space, key: &str, path: &Path, value: Value) -> Result<u64> {
        self.alone(|txn| txn.json_insert(space, key, path, value.clone()))
    }

    /// [`Txn::json_move_item`] in a commit of its own; gives the version.
    pub fn json_move_item(
        &self,
        space: &Space,
        key: &str,
        array: &Path,
        from: usize,
        to: usize,
    ) -> Result<u64> {
        self.alone(|txn| txn.json_move_item(space, key, array, from, to))
    }

    /// [`Txn::json_move`] in a commit of its own; gives the version.
    pub fn json_move(&self, space: &Space, key: &str, from: &Path, to: &Path) -> Result<u64> {
        self.alone(|txn| txn.json_move(space, key, from, to))
    }

    /// [`Txn::json_increment`] in a commit of its own; gives the sum. Never conflicts.
    pub fn json_increment(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        by: Value,
        initial: Value,
    ) -> Result<Value> {
        let edit = Edit::Add { by, initial };
        Ok(self.doc_edit_alone(space, key, path, edit)?.1)
    }

    /// [`Txn::json_append`] in a commit of its own; gives the result. Never conflicts.
    pub fn json_append(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        tail: Value,
        separator: Option<Value>,
    ) -> Result<Value> {
        let edit = Edit::Append { tail, separator };
        Ok(self.doc_edit_alone(space, key, path, edit)?.1)
    }

    /// An edit that conflicts with nothing when it is alone; gives the version, and what is at the path then.
    pub(crate) fn doc_edit_alone(
        &self,
        space: &Space,
        key: &str,
        path: &Path,
        edit: Edit,
    ) -> Result<(u64, Value)> {
        let (doc, mut region) = address(JSON, space, key, path)?;
        region.mode = match edit {
            Edit::Add { .. } => Mode::Add,
            _ => Mode::Append,
        };
        let at = Region::clone(&region).key;
        let path = path.clone();
        let op = Op::DocEdit {
            doc,
            path: path.clone(),
            edit,
        };
        let (version, now) = self.direct(region, op, |tree| tree.get(&at))?;
        let value = now.and_then(|e| e.value.at(&path));
        Ok((version, value.unwrap_or_default()))
    }

    /// Up to `limit` of the contents that a document had, the newest first; see [`Store::kv_history`]. O(log).
    pub fn json_history(&self, space: &Space, key: &str, limit: usize) -> Result<Vec<Past>> {
        self.history(space, JSON, key.as_bytes(), limit, u64::MAX)
    }

    /// A document as it was when the store had this version; see [`Store::kv_get_at`]. O(log).
    pub fn json_get_at(&self, space: &Space, key: &str, version: u64) -> Result<Option<Stored>> {
        self.entry_at(space, JSON, key.as_bytes(), version)
    }
}

fn shown(space: &Space, key: &str) -> String {
    space::display(&space::encode(space, JSON, key.as_bytes()))
}
