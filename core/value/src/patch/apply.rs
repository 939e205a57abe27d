//! Applying a patch: all of it or nothing, with what it may grow by counted.

use super::read::check_ops;
use std::borrow::Cow;

use super::resolve::{asked_for, existing, place};
use super::{Patch, PatchOp, failed};
use crate::measure::Meter;
use crate::{Error, Kind, Limits, MAX_DEPTH, Path, Pointer, Result, Value, ValueRef};

impl Patch {
    /// Applies the operations in order (RFC 6902 §5). If one fails, the document is as it was.
    ///
    /// O(operations × log n): one path lookup and edit for each, after the
    /// [first edit](Value#cost-of-the-first-edit); clones of the document stay as they were.
    ///
    /// # Errors
    /// [`Error::PatchFailed`] with the number of the operation, counted from 0, the pointer it acts at, and
    /// why it cannot be applied; [`Error::Limit`] when the document would become deeper than [`MAX_DEPTH`],
    /// or copies add more values ([`Limits::max_items`]) or bytes of text ([`Limits::max_bytes`]) than the
    /// default limits allow.
    ///
    /// ```
    /// use statewright_value::{Patch, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "stock": 4 });
    /// let patch = Patch::from_json(
    ///     r#"[{"op": "replace", "path": "/stock", "value": 3}, {"op": "test", "path": "/open", "value": true}]"#,
    /// )?;
    /// let refused = patch.apply(&mut doc).unwrap_err();
    /// let message = "patch operation 1 at `/open`: test: the object at `.` has no key \"open\"";
    /// assert_eq!(refused.to_string(), message);
    /// assert_eq!(doc, value!({ "stock": 4 }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply(&self, doc: &mut Value) -> Result<()> {
        self.apply_with(doc, &editing_limits())
    }

    /// As [`Patch::apply`], with limits of the caller's: `max_depth` of every place that is written,
    /// `max_items` and `max_bytes` of what copies add, and `max_items` operations. Costs as much, and the [first
    /// edit](Value#cost-of-the-first-edit) of each packed container.
    ///
    /// # Errors
    /// As [`Patch::apply`].
    pub fn apply_with(&self, doc: &mut Value, limits: &Limits) -> Result<()> {
        check_ops(self.len(), limits)?;
        let mut run = Run::new(limits);
        // One edit is all or nothing by itself, and works in place where nobody else holds the document.
        if let [op @ (PatchOp::Add { .. } | PatchOp::Remove { .. } | PatchOp::Replace { .. })] =
            self.ops()
        {
            return run.step(0, op, doc);
        }
        let mut next = doc.clone();
        for (number, op) in self.ops().iter().enumerate() {
            run.step(number, op, &mut next)?;
        }
        *doc = next;
        Ok(())
    }
}

type Reason = Cow<'static, str>;

/// As with every edit, a place may be as deep as a value can be.
pub(super) fn editing_limits() -> Limits {
    Limits {
        max_depth: MAX_DEPTH,
        ..Limits::default()
    }
}

/// Applies single operations and counts.
pub(super) struct Run<'l> {
    limits: &'l Limits,
    copied: Meter,
}

/// Why an operation cannot be applied, before it is known which one it is.
enum Refused {
    Because(Reason),
    Error(Error),
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Refused::Because(reason)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Limit { .. } => Refused::Error(error),
            // The pointer is said by the error around it.
            Error::InvalidPath { reason, .. } => Refused::Because(reason),
            other => Refused::Because(other.to_string().into()),
        }
    }
}

impl<'l> Run<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Run {
            limits,
            copied: Meter::new(limits),
        }
    }

    pub(super) fn step(&mut self, number: usize, op: &PatchOp, doc: &mut Value) -> Result<()> {
        self.try_step(op, doc).map_err(|refused| match refused {
            Refused::Error(error) => error,
            Refused::Because(reason) => {
                let path = asked_for(doc.by_ref(), op.path());
                let reason = format!("{}: {reason}", op.name());
                failed(number, op.path(), Some(path), reason)
            }
        })
    }

    fn try_step(&mut self, op: &PatchOp, doc: &mut Value) -> Result<(), Refused> {
        match op {
            PatchOp::Add { path, value } => self.add(doc, path, value.clone()),
            PatchOp::Remove { path } => remove(doc, path).map(drop),
            PatchOp::Replace { path, value } => {
                let (path, _) = existing(doc.by_ref(), path)?;
                self.check_depth(&path, value)?;
                Ok(doc.set(&path, value.clone())?)
            }
            PatchOp::Move { from, path } => {
                if from == path {
                    existing(doc.by_ref(), from)?;
                    return Ok(());
                }
                if path.starts_with(from) {
                    return Err(Reason::from("a value cannot be moved into itself").into());
                }
                let value = remove(doc, from)?.unwrap_or_default();
                self.add(doc, path, value)
            }
            PatchOp::Copy { from, path } => {
                let (_, found) = existing(doc.by_ref(), from)?;
                self.copied.add(found, path)?;
                let value = found.to_value();
                self.add(doc, path, value)
            }
            PatchOp::Test { path, value } => {
                let (_, found) = existing(doc.by_ref(), path)?;
                match found.json_eq(value.by_ref()) {
                    true => Ok(()),
                    false => Err(different(found, value.by_ref()).into()),
                }
            }
        }
    }

    fn add(&mut self, doc: &mut Value, pointer: &Pointer, value: Value) -> Result<(), Refused> {
        let place = place(doc.by_ref(), pointer)?;
        self.check_depth(&place.path, &value)?;
        let path = place.path;
        doc.insert_at(&path, value)?;
        Ok(())
    }

    /// The depth is known at once where it is far from the limit, and counted where it is near.
    fn check_depth(&mut self, path: &Path, value: &Value) -> Result<(), Refused> {
        let above = path.segments().len();
        let limit = self.limits.depth();
        if above.saturating_add(value.depth_bound() as usize) <= limit {
            return Ok(());
        }
        let depth = self.copied.depth(value.by_ref(), path)?;
        match above.saturating_add(depth) > limit {
            true => Err(Refused::Error(Error::Limit {
                what: "nesting depth",
                limit,
                at: path.to_string(),
            })),
            false => Ok(()),
        }
    }
}

fn remove(doc: &mut Value, pointer: &Pointer) -> Result<Option<Value>, Refused> {
    let (path, _) = existing(doc.by_ref(), pointer)?;
    if path.is_root() {
        return Err(Reason::from("the whole document cannot be removed; replace it").into());
    }
    Ok(doc.remove(&path)?)
}

/// The longest value an error repeats.
const SHOWN: usize = 60;

fn different(found: ValueRef<'_>, expected: ValueRef<'_>) -> Reason {
    let show = |value: ValueRef<'_>| match value.kind() {
        Kind::Array | Kind::Object => format!("another {}", value.kind()),
        Kind::Text if value.len() > SHOWN => "another text".to_owned(),
        _ => value.to_string(),
    };
    match found.kind() == expected.kind() {
        true => format!("found {}", show(found)),
        false => format!("expected {}, found {}", expected.kind(), found.kind()),
    }
    .into()
}
