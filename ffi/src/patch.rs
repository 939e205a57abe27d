//! Patches: what differs between two values, and how to make it so. JSON Patch (RFC 6902) and JSON Merge Patch
//! (RFC 7396).

use statewright_value::{Patch, diff, merge_diff};

use crate::error::sw_error;
use crate::guard::guard;
use crate::status::*;
use crate::value::sw_value;

/// Applies a JSON Patch (RFC 6902): all of its operations, or none.
///
/// Fails with `SW_PATCH_FAILED` if the patch is malformed or an operation cannot be applied; the error says
/// which one and why.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param patch in handle: The patch, an array of operations.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_patch(
    value: sw_value,
    patch: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_patch, err, |call| {
        let held = call.held(value)?;
        let patch = Patch::from_value(call.snapshot(patch)?.by_ref())?;
        held.edit(|value| Ok(patch.apply(value)?))
    })
}

/// Applies a JSON Merge Patch (RFC 7396): an object changes the members it names, null removes a member, and
/// everything else takes the place of what is there.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param patch in handle: The patch.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_merge_patch(
    value: sw_value,
    patch: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_merge_patch, err, |call| {
        let held = call.held(value)?;
        let patch = call.snapshot(patch)?;
        held.edit(|value| Ok(value.merge_patch(patch.by_ref())?))
    })
}

/// The JSON Patch (RFC 6902) that turns one value into another. Of two versions of one value it costs as much as
/// they differ, not as they are large.
///
/// @role function
/// @on value
/// @thread safe
/// @param before in handle: The one.
/// @param after in handle: The other.
/// @param patch out handle owned: Receives the patch, an array of operations; empty if the two are equal.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_diff(
    before: sw_value,
    after: sw_value,
    patch: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_diff, err, |call| {
        let patch = call.out("patch", patch)?;
        let (before, after) = (call.snapshot(before)?, call.snapshot(after)?);
        patch.hold(diff(before.by_ref(), after.by_ref()).to_value())
    })
}

/// The JSON Merge Patch (RFC 7396) that turns one value into another, if there is one: such a patch cannot set
/// a member to null.
///
/// @role function
/// @on value
/// @thread safe
/// @param before in handle: The one.
/// @param after in handle: The other.
/// @param patch out handle owned present=found: Receives the patch.
/// @param found out flag: Receives 1 if there is one, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_merge_diff(
    before: sw_value,
    after: sw_value,
    patch: *mut sw_value,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_merge_diff, err, |call| {
        let (patch, found) = (call.out("patch", patch)?, call.out("found", found)?);
        let (before, after) = (call.snapshot(before)?, call.snapshot(after)?);
        if let Some(made) = merge_diff(before.by_ref(), after.by_ref()) {
            patch.hold(made)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// The JSON Patch that undoes another one.
///
/// @role function
/// @on value
/// @thread safe
/// @param patch in handle: The patch to undo, an array of operations.
/// @param before in handle: The value that it is, or was, applied to.
/// @param undo out handle owned: Receives the patch that gives `before` back.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_invert(
    patch: sw_value,
    before: sw_value,
    undo: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_invert, err, |call| {
        let undo = call.out("undo", undo)?;
        let (patch, before) = (call.snapshot(patch)?, call.snapshot(before)?);
        let patch = Patch::from_value(patch.by_ref())?;
        undo.hold(patch.invert(before.by_ref())?.to_value())
    })
}
