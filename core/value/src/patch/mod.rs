//! JSON Patch (RFC 6902): a list of operations that turns one document into another.

mod apply;
mod invert;
mod read;
mod resolve;

use std::fmt;

use crate::{Error, Path, Pointer, Value, value};

/// A JSON Patch (RFC 6902): operations that are applied one after another, all or none.
///
/// Read one with [`Patch::from_json`] or [`Patch::from_value`], build one with [`Patch::push`] or
/// `collect`, compute one with [`crate::diff`]. [`Patch::apply`] changes a document, [`Patch::invert`]
/// gives the patch that undoes it.
///
/// ```
/// use statewright_value::{Patch, value};
/// # fn main() -> statewright_value::Result<()> {
/// let patch = Patch::from_json(
///     r#"[{"op": "test", "path": "/qty", "value": 1}, {"op": "replace", "path": "/qty", "value": 2},
///         {"op": "add", "path": "/tags/-", "value": "new"}]"#,
/// )?;
/// let before = value!({ "qty": 1, "tags": ["a"] });
/// let mut doc = before.clone();
/// patch.apply(&mut doc)?;
/// assert_eq!(doc, value!({ "qty": 2, "tags": ["a", "new"] }));
///
/// let undo = patch.invert(before.by_ref())?;
/// undo.apply(&mut doc)?;
/// assert_eq!(doc, before);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    ops: Vec<PatchOp>,
}

/// One operation of a [`Patch`] (RFC 6902 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchOp {
    /// Puts a value into an object (replacing what is there), inserts it into an array before the index
    /// (`-`: at the end), or replaces the whole document (§4.1).
    Add {
        /// Where; its parent must exist.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Removes what is there (§4.2).
    Remove {
        /// Where; must exist, and be no root.
        path: Pointer,
    },
    /// Replaces what is there (§4.3).
    Replace {
        /// Where; must exist.
        path: Pointer,
        /// With what.
        value: Value,
    },
    /// Removes a value and adds it elsewhere (§4.4).
    Move {
        /// From where; must exist, and not contain `path`.
        from: Pointer,
        /// Where to, as for `add`, once the value has been removed.
        path: Pointer,
    },
    /// Adds a copy of a value elsewhere (§4.5).
    Copy {
        /// What; must exist.
        from: Pointer,
        /// Where to, as for `add`.
        path: Pointer,
    },
    /// Fails unless the value there is equal (§4.6); see [`crate::ValueRef::json_eq`].
    Test {
        /// Where; must exist.
        path: Pointer,
        /// What it must be equal to.
        value: Value,
    },
}

impl PatchOp {
    /// The `op` member: "add", "remove", "replace", "move", "copy" or "test".
    pub fn name(&self) -> &'static str {
        match self {
            PatchOp::Add { .. } => "add",
            PatchOp::Remove { .. } => "remove",
            PatchOp::Replace { .. } => "replace",
            PatchOp::Move { .. } => "move",
            PatchOp::Copy { .. } => "copy",
            PatchOp::Test { .. } => "test",
        }
    }

    /// The `path` member: where the operation acts.
    pub fn path(&self) -> &Pointer {
        match self {
            PatchOp::Add { path, .. }
            | PatchOp::Remove { path }
            | PatchOp::Replace { path, .. }
            | PatchOp::Move { path, .. }
            | PatchOp::Copy { path, .. }
            | PatchOp::Test { path, .. } => path,
        }
    }

    /// The operation as the object that RFC 6902 §4 describes.
    pub fn to_value(&self) -> Value {
        let (op, path) = (self.name(), self.path().to_string());
        match self {
            PatchOp::Remove { .. } => value!({ "op": op, "path": path }),
            PatchOp::Move { from, .. } | PatchOp::Copy { from, .. } => {
                value!({ "op": op, "from": (from.to_string()), "path": path })
            }
            PatchOp::Add { value, .. }
            | PatchOp::Replace { value, .. }
            | PatchOp::Test { value, .. } => {
                value!({ "op": op, "path": path, "value": (value.clone()) })
            }
        }
    }
}

impl Patch {
    /// A patch that changes nothing.
    pub fn new() -> Patch {
        Patch::default()
    }

    /// The operations, in the order in which they are applied.
    pub fn ops(&self) -> &[PatchOp] {
        &self.ops
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Adds an operation at the end.
    pub fn push(&mut self, op: PatchOp) {
        self.ops.push(op);
    }

    /// The patch as RFC 6902 §3 describes it, an array of objects. O(size of the patch).
    pub fn to_value(&self) -> Value {
        self.ops.iter().map(PatchOp::to_value).collect()
    }
}

impl FromIterator<PatchOp> for Patch {
    fn from_iter<I: IntoIterator<Item = PatchOp>>(ops: I) -> Self {
        Patch {
            ops: ops.into_iter().collect(),
        }
    }
}

impl IntoIterator for Patch {
    type Item = PatchOp;
    type IntoIter = std::vec::IntoIter<PatchOp>;

    fn into_iter(self) -> Self::IntoIter {
        self.ops.into_iter()
    }
}

/// The JSON text of the patch.
impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_value(), f)
    }
}

/// The longest pointer an error repeats.
const SHOWN: usize = 200;

/// An operation that cannot be read or applied; `pointer` says where in the patch, or, with `path`, in the document.
fn failed(
    op: usize,
    pointer: impl fmt::Display,
    path: Option<Path>,
    reason: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    let text = pointer.to_string();
    let mut pointer: String = text.chars().take(SHOWN).collect();
    if pointer.len() < text.len() {
        pointer.push('…');
    }
    Error::PatchFailed {
        op,
        pointer,
        path,
        reason: reason.into(),
    }
}
