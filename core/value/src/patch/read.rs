//! Reading a patch from the value that RFC 6902 §3 and §4 describe.

use super::{Patch, PatchOp, failed};
use crate::{Error, Limits, Pointer, Result, Value, ValueRef};

impl Patch {
    /// Reads a patch from JSON text, within the default [`Limits`].
    ///
    /// # Errors
    /// As [`Value::from_json`] and [`Patch::from_value`].
    pub fn from_json(text: impl crate::JsonText) -> Result<Patch> {
        Patch::from_value(Value::from_json(text)?.by_ref())
    }

    /// Reads a patch from an array of objects (RFC 6902 §3). Members that the operation does not know are
    /// ignored (§4). O(operations); values are shared, not copied.
    ///
    /// # Errors
    /// [`Error::PatchFailed`] says which operation, counted from 0, and where in the patch, when this is no
    /// array of objects, a member is missing or of another type, the operation is unknown, or a path is not
    /// a JSON Pointer.
    ///
    /// ```
    /// use statewright_value::{Patch, value};
    /// let refused = Patch::from_value(value!([{ "op": "delete", "path": "/a" }]).by_ref()).unwrap_err();
    /// assert_eq!(refused.code(), 208);
    /// assert!(refused.to_string().contains("unknown operation \"delete\""), "{refused}");
    /// ```
    pub fn from_value(patch: ValueRef<'_>) -> Result<Patch> {
        Patch::from_value_with(patch, &Limits::default())
    }

    /// As [`Patch::from_value`], with limits of the caller's: at most `max_items` operations.
    ///
    /// # Errors
    /// As [`Patch::from_value`], and [`Error::Limit`].
    pub fn from_value_with(patch: ValueRef<'_>, limits: &Limits) -> Result<Patch> {
        if patch.kind() != crate::Kind::Array {
            let found = patch.kind().name();
            return Err(failed(
                0,
                "",
                None,
                format!("a patch is an array of operations, found {found}"),
            ));
        }
        check_ops(patch.len(), limits)?;
        patch
            .items()
            .enumerate()
            .map(|(number, op)| read_op(number, op))
            .collect()
    }
}

pub(super) fn check_ops(found: usize, limits: &Limits) -> Result<()> {
    if found > limits.max_items {
        return Err(Error::Limit {
            what: "number of operations",
            limit: limits.max_items,
            at: format!("a patch of {found}"),
        });
    }
    Ok(())
}

fn read_op(number: usize, op: ValueRef<'_>) -> Result<PatchOp> {
    if op.kind() != crate::Kind::Object {
        let found = op.kind().name();
        return Err(failed(
            number,
            format_args!("/{number}"),
            None,
            format!("an operation is an object, found {found}"),
        ));
    }
    let name = member_text(number, op, "op")?;
    let path = || member_pointer(number, op, "path");
    let from = || member_pointer(number, op, "from");
    let value = || match op.get("value") {
        Some(value) => Ok(value.to_value()),
        None => Err(missing(number, "value")),
    };
    Ok(match name {
        "add" => PatchOp::Add {
            path: path()?,
            value: value()?,
        },
        "remove" => PatchOp::Remove { path: path()? },
        "replace" => PatchOp::Replace {
            path: path()?,
            value: value()?,
        },
        "move" => PatchOp::Move {
            from: from()?,
            path: path()?,
        },
        "copy" => PatchOp::Copy {
            from: from()?,
            path: path()?,
        },
        "test" => PatchOp::Test {
            path: path()?,
            value: value()?,
        },
        unknown => {
            let unknown: String = unknown.chars().take(40).collect();
            let reason = format!(
                "unknown operation {unknown:?}; known are add, remove, replace, move, copy and test"
            );
            return Err(failed(number, format_args!("/{number}/op"), None, reason));
        }
    })
}

fn missing(number: usize, member: &str) -> Error {
    failed(
        number,
        format_args!("/{number}"),
        None,
        format!("the member \"{member}\" is missing"),
    )
}

fn member_text<'a>(number: usize, op: ValueRef<'a>, member: &str) -> Result<&'a str> {
    let value = op.get(member).ok_or_else(|| missing(number, member))?;
    value.as_str().ok_or_else(|| {
        let found = value.kind().name();
        failed(
            number,
            format_args!("/{number}/{member}"),
            None,
            format!("expected text, found {found}"),
        )
    })
}

fn member_pointer(number: usize, op: ValueRef<'_>, member: &str) -> Result<Pointer> {
    let text = member_text(number, op, member)?;
    let invalid = |why: String| failed(number, format_args!("/{number}/{member}"), None, why);
    if text.starts_with('#') {
        let why = "a pointer in a patch has its plain form, not that of a URI fragment";
        return Err(invalid(why.to_owned()));
    }
    Pointer::parse(text).map_err(|why| match why {
        Error::InvalidPath { reason, .. } => invalid(reason.into_owned()),
        other => other,
    })
}
