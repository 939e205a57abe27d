//! The patch that undoes a patch.

use super::apply::{Run, editing_limits};
use super::resolve::{existing, place};
use super::{Patch, PatchOp};
use crate::{Limits, Pointer, Result, Value, ValueRef};

impl Patch {
    /// The patch that turns what this one makes of `before` back into `before`. Costs what applying costs;
    /// `before` and the values it needs are shared, not copied.
    ///
    /// Tests have nothing to be undone, so the result has none.
    ///
    /// # Errors
    /// As [`Patch::apply`], when this patch cannot be applied to `before`.
    ///
    /// ```
    /// use statewright_value::{Patch, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let before = value!({ "a": [1, 2] });
    /// let patch = Patch::from_json(r#"[{"op": "move", "from": "/a/0", "path": "/b"}]"#)?;
    /// let undo = patch.invert(before.by_ref())?;
    /// assert_eq!(undo.to_string(), r#"[{"op":"move","from":"/b","path":"/a/0"}]"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn invert(&self, before: ValueRef<'_>) -> Result<Patch> {
        self.invert_with(before, &editing_limits())
    }

    /// As [`Patch::invert`], at the same cost, with limits of the caller's.
    ///
    /// # Errors
    /// As [`Patch::apply_with`].
    pub fn invert_with(&self, before: ValueRef<'_>, limits: &Limits) -> Result<Patch> {
        let mut run = Run::new(limits);
        let mut doc = before.to_value();
        let mut undo = Vec::new();
        for (number, op) in self.ops().iter().enumerate() {
            let next = {
                let mut next = doc.clone();
                run.step(number, op, &mut next)?;
                next
            };
            undo_step(op, doc.by_ref(), &mut undo);
            doc = next;
        }
        undo.reverse();
        Ok(Patch { ops: undo })
    }
}

/// Adds what undoes `op`, last step first; `before` is the document it was applied to, with success.
fn undo_step(op: &PatchOp, before: ValueRef<'_>, undo: &mut Vec<PatchOp>) {
    match op {
        PatchOp::Test { .. } => {}
        PatchOp::Add { path, .. } | PatchOp::Copy { path, .. } => undo_add(before, path, undo),
        PatchOp::Remove { path } => {
            if let Some(value) = old(before, path) {
                undo.push(PatchOp::Add {
                    path: path.clone(),
                    value,
                });
            }
        }
        PatchOp::Replace { path, .. } => {
            if let Some(value) = old(before, path) {
                undo.push(PatchOp::Replace {
                    path: path.clone(),
                    value,
                });
            }
        }
        PatchOp::Move { from, path } if from == path => {}
        PatchOp::Move { from, path } => undo_move(before, from, path, undo),
    }
}

fn undo_move(before: ValueRef<'_>, from: &Pointer, path: &Pointer, undo: &mut Vec<PatchOp>) {
    let mut between = before.to_value();
    let Ok((source, value)) = existing(before, from) else {
        return;
    };
    if between.remove(&source).is_err() {
        return;
    }
    let Ok(target) = place(between.by_ref(), path) else {
        return;
    };
    let to = Pointer::from(&target.path);
    let overwritten = target.found.filter(|_| !target.is_item());
    let outwards = from.starts_with(path);
    undo.extend(match overwritten {
        // What was moved took the place of a container it was in.
        Some(_) if outwards => old(before, path).map(|value| PatchOp::Replace {
            path: to.clone(),
            value,
        }),
        Some(overwritten) => Some(PatchOp::Add {
            path: to.clone(),
            value: overwritten.to_value(),
        }),
        // Moving it back would be a move into what is behind it now, but is named as if it was itself.
        None if outwards => Some(PatchOp::Add {
            path: from.clone(),
            value: value.to_value(),
        }),
        None => None,
    });
    match (outwards, overwritten) {
        (true, Some(_)) => {}
        (true, None) => undo.push(PatchOp::Remove { path: to }),
        (false, _) => undo.push(PatchOp::Move {
            from: to,
            path: from.clone(),
        }),
    }
}

fn undo_add(before: ValueRef<'_>, path: &Pointer, undo: &mut Vec<PatchOp>) {
    let Ok(place) = place(before, path) else {
        return;
    };
    let path = Pointer::from(&place.path);
    undo.push(match place.found {
        Some(overwritten) if !place.is_item() => PatchOp::Replace {
            path,
            value: overwritten.to_value(),
        },
        _ => PatchOp::Remove { path },
    });
}

fn old(before: ValueRef<'_>, path: &Pointer) -> Option<Value> {
    Some(existing(before, path).ok()?.1.to_value())
}
