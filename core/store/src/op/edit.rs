//! Edits: what an op makes of the value that is there. The log holds the edit, never what comes out of it.

use statewright_value::{Error as ValueError, Kind, Merge, Path, Result as ValueResult, Value};

use super::wire::{self, Decoded};
use super::{MAX_DEPTH, check_depth};
use crate::error::{Error, Result};
use crate::target::{Entry, Stamp};

/// A change that depends on what is there. A failure changes nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Edit {
    /// Adds a number; where nothing is, to `initial`.
    Add {
        /// What is added; below zero to take away.
        by: Value,
        /// What counts as being there if nothing is.
        initial: Value,
    },
    /// Puts text behind text, or bytes behind bytes; where nothing is, becomes the value.
    Append {
        /// What comes at the end.
        tail: Value,
        /// What comes between, unless what is there is empty.
        separator: Option<Value>,
    },
    /// Puts items at the end of an array; where nothing is, makes one.
    Extend {
        /// The items, an array.
        items: Value,
    },
    /// Puts an item before the one at the path's index; later ones move on.
    Insert {
        /// The item.
        value: Value,
    },
    /// Moves the item at the path's index to another index of the same array.
    MoveItem {
        /// Its index afterwards.
        to: usize,
    },
    /// Merges as RFC 7396 says.
    MergePatch {
        /// The patch.
        patch: Value,
    },
    /// Merges objects at every level; of other values this one wins.
    DeepMerge {
        /// What is merged in.
        other: Value,
    },
    /// Takes what is at the path away and adds it elsewhere in the document, as `move` of RFC 6902.
    Relocate {
        /// Where to, once it was taken away.
        to: Path,
    },
}

const ADD: u8 = 4;
const APPEND: u8 = 5;
const EXTEND: u8 = 6;
const INSERT: u8 = 7;
const MOVE_ITEM: u8 = 8;
const MERGE_PATCH: u8 = 9;
const DEEP_MERGE: u8 = 10;
const RELOCATE: u8 = 11;

impl Edit {
    /// `add`, `append`, …
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Edit::Add { .. } => "increment",
            Edit::Append { .. } => "append",
            Edit::Extend { .. } => "extend",
            Edit::Insert { .. } => "insert",
            Edit::MoveItem { .. } => "move-item",
            Edit::MergePatch { .. } => "merge",
            Edit::DeepMerge { .. } => "deep-merge",
            Edit::Relocate { .. } => "move",
        }
    }

    /// What it brings along.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Edit::Add { by: value, .. }
            | Edit::Append { tail: value, .. }
            | Edit::Extend { items: value }
            | Edit::Insert { value }
            | Edit::MergePatch { patch: value }
            | Edit::DeepMerge { other: value } => Some(value),
            Edit::MoveItem { .. } | Edit::Relocate { .. } => None,
        }
    }

    /// What it also brings along.
    pub(crate) fn second(&self) -> Option<&Value> {
        match self {
            Edit::Add { initial, .. } => Some(initial),
            Edit::Append { separator, .. } => separator.as_ref(),
            _ => None,
        }
    }

    /// As [`Op::check`](super::Op::check).
    pub(crate) fn check(&self) -> Result<()> {
        let mut both = self.value().into_iter().chain(self.second());
        both.try_for_each(|value| check_depth(value, MAX_DEPTH))
    }

    /// Changes what is at `path`. O(path) and the edit's own cost: of an append to text, the length of the result.
    pub(crate) fn apply(&self, doc: &mut Value, path: &Path) -> ValueResult<()> {
        match self {
            Edit::Add { by, initial } => {
                doc.update(path, |old| sum(old.as_ref(), by, initial, path))
            }
            Edit::Append { tail, separator } => doc.update(path, |old| match old {
                None => joined(&empty_like(tail), None, tail, path),
                Some(old) => joined(&old, separator.as_ref(), tail, path),
            }),
            Edit::Extend { items } => extend(doc, path, items),
            Edit::Insert { value } => doc.insert_at(path, value.clone()).map(drop),
            Edit::MoveItem { to } => {
                let Some(statewright_value::Segment::Index(from)) = path.last() else {
                    return Err(wrong(path, "an item of an array", "another place"));
                };
                let array = path.parent().unwrap_or_default();
                doc.edit(&array, |items| items.move_item(*from, *to))
            }
            Edit::MergePatch { patch } => {
                merge_at(doc, path, |old| old.merge_patch(patch.by_ref()))
            }
            Edit::DeepMerge { other } => {
                merge_at(doc, path, |old| old.merge(other.by_ref(), &Merge::deep()))
            }
            Edit::Relocate { to } => {
                let mut next = doc.clone();
                let Some(value) = next.remove(path)? else {
                    return Err(wrong(path, "a value", "nothing"));
                };
                next.insert_at(to, value)?;
                *doc = next;
                Ok(())
            }
        }
    }

    /// What it makes of a key's entry, or of there being none.
    pub(crate) fn of_entry(&self, old: Option<Entry>, key: &[u8], at: Stamp) -> Result<Entry> {
        let about = |e| Error::at(key, e);
        let Some(mut entry) = old.filter(|entry| entry.is_live(at.time)) else {
            return Ok(Entry::new(self.fresh().map_err(about)?, at.version));
        };
        match self {
            // The most frequent one, without looking for the place.
            Edit::Add { by, .. } => {
                let sum = entry.value.checked_add(by);
                entry.value = sum.map_err(|e| about(under(e, &Path::root())))?;
            }
            _ => self.apply(&mut entry.value, &Path::root()).map_err(about)?,
        }
        entry.version = at.version;
        Ok(entry)
    }

    /// What it makes of nothing.
    pub(crate) fn fresh(&self) -> ValueResult<Value> {
        let root = Path::root();
        match self {
            Edit::Add { by, initial } => initial.checked_add(by),
            Edit::Append { tail, .. } => joined(&empty_like(tail), None, tail, &root),
            Edit::Extend { items } => Ok(items.clone()),
            Edit::DeepMerge { other } => Ok(other.clone()),
            Edit::MergePatch { patch } => {
                let mut made = Value::NULL;
                made.merge_patch(patch.by_ref())?;
                Ok(made)
            }
            Edit::Insert { .. } | Edit::MoveItem { .. } | Edit::Relocate { .. } => {
                Err(wrong(&root, "a value", "nothing"))
            }
        }
    }

    /// The verb in the low half of an op's tag, and the number of elements behind the path.
    pub(super) fn verb(&self) -> (u8, u32) {
        match self {
            Edit::Add { .. } => (ADD, 2),
            Edit::Append { .. } => (APPEND, 2),
            Edit::Extend { .. } => (EXTEND, 1),
            Edit::Insert { .. } => (INSERT, 1),
            Edit::MoveItem { .. } => (MOVE_ITEM, 1),
            Edit::MergePatch { .. } => (MERGE_PATCH, 1),
            Edit::DeepMerge { .. } => (DEEP_MERGE, 1),
            Edit::Relocate { .. } => (RELOCATE, 1),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Edit::MoveItem { to } => wire::uint(out, *to as u64),
            Edit::Relocate { to } => wire::write_path(out, to),
            Edit::Append { tail, separator } => {
                tail.write_msgpack(out);
                separator
                    .as_ref()
                    .unwrap_or(&Value::NULL)
                    .write_msgpack(out);
            }
            _ => {
                for value in [self.value(), self.second()].into_iter().flatten() {
                    value.write_msgpack(out);
                }
            }
        }
    }

    pub(super) fn decode(verb: u8, input: &mut &[u8]) -> Decoded<Edit> {
        Ok(match verb {
            ADD => Edit::Add {
                by: wire::read_value(input)?,
                initial: wire::read_value(input)?,
            },
            APPEND => Edit::Append {
                tail: wire::read_value(input)?,
                separator: Some(wire::read_value(input)?).filter(|s| !s.is_null()),
            },
            EXTEND => Edit::Extend {
                items: wire::read_value(input)?,
            },
            INSERT => Edit::Insert {
                value: wire::read_value(input)?,
            },
            MOVE_ITEM => Edit::MoveItem {
                to: usize::try_from(wire::read_uint(input)?)
                    .map_err(|_| "an index is too large")?,
            },
            MERGE_PATCH => Edit::MergePatch {
                patch: wire::read_value(input)?,
            },
            DEEP_MERGE => Edit::DeepMerge {
                other: wire::read_value(input)?,
            },
            RELOCATE => Edit::Relocate {
                to: wire::read_path(input)?,
            },
            _ => return Err("an op has a tag that this version does not know"),
        })
    }
}

fn merge_at(
    doc: &mut Value,
    path: &Path,
    merge: impl FnOnce(&mut Value) -> ValueResult<()>,
) -> ValueResult<()> {
    let mut merged = doc.at(path).unwrap_or(Value::NULL);
    merge(&mut merged)?;
    doc.set(path, merged)
}

fn extend(doc: &mut Value, path: &Path, items: &Value) -> ValueResult<()> {
    if items.kind() != Kind::Array {
        return Err(wrong(path, "an array of items", items.kind().name()));
    }
    if !doc.has(path) {
        return doc.set(path, items.clone());
    }
    let mut pushed = 0_usize;
    for item in items.items() {
        if let Err(e) = doc.push_at(path, item) {
            for _ in 0..pushed {
                doc.pop_at(path)?;
            }
            return Err(e);
        }
        pushed = pushed.saturating_add(1);
    }
    if pushed == 0 && doc.by_ref().at(path).map(|v| v.kind()) != Some(Kind::Array) {
        let found = doc.by_ref().at(path).map_or("nothing", |v| v.kind().name());
        return Err(wrong(path, "array", found));
    }
    Ok(())
}

fn empty_like(tail: &Value) -> Value {
    if tail.kind() == Kind::Bytes {
        Value::bytes(Vec::new())
    } else {
        Value::text("")
    }
}

/// `old`, the separator unless `old` is empty, and the tail: all text, or all bytes.
fn joined(old: &Value, separator: Option<&Value>, tail: &Value, path: &Path) -> ValueResult<Value> {
    let separator = separator.filter(|_| !old.is_empty());
    if let Some(text) = old.as_str() {
        let expected = "text to append to text";
        let part = |v: &Value| match v.as_str() {
            Some(part) => Ok(part.to_owned()),
            None => Err(wrong(path, expected, v.kind().name())),
        };
        let between = separator.map(part).transpose()?.unwrap_or_default();
        return Ok(Value::text(&[text, &between, &part(tail)?].concat()));
    }
    if let Some(bytes) = old.as_bytes() {
        let part = |v: &Value| match v.as_bytes() {
            Some(part) => Ok(part.to_vec()),
            None => Err(wrong(path, "bytes to append to bytes", v.kind().name())),
        };
        let between = separator.map(part).transpose()?.unwrap_or_default();
        return Ok(Value::bytes([bytes, &between, &part(tail)?].concat()));
    }
    Err(wrong(path, "text or bytes", old.kind().name()))
}

/// What adding to what is at `path` gives.
pub(super) fn sum(
    old: Option<&Value>,
    by: &Value,
    initial: &Value,
    path: &Path,
) -> ValueResult<Value> {
    let sum = old.unwrap_or(initial).checked_add(by);
    sum.map_err(|e| under(e, path))
}

fn wrong(path: &Path, expected: &'static str, found: &'static str) -> ValueError {
    ValueError::WrongType {
        path: path.clone(),
        expected,
        found,
    }
}

/// The error of a calculation, which knows no path.
fn under(error: ValueError, path: &Path) -> ValueError {
    match error {
        ValueError::WrongType {
            expected, found, ..
        } => wrong(path, expected, found),
        other => other,
    }
}
