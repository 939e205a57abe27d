//! Merging: one value into another, and two versions that have gone their own ways.

use statewright_value::{ArrayMerge, Conflict, Merge, NullMerge, Resolution, Value, merge3_with};

use crate::bytes::sw_bytes;
use crate::call::{Options, Plain, Sized32, init_options};
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::status::*;
use crate::value::sw_value;

/// How `sw_value_merge` puts two values together. Fill it with `sw_merge_options_init`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_merge_options {
    /// The size of this struct as the caller knows it.
    pub struct_size: u32,
    /// How far objects are merged: `SW_MERGE_DEEP` or `SW_MERGE_SHALLOW`.
    pub depth: u32,
    /// What becomes of two arrays: one of `SW_ARRAYS_…`.
    pub arrays: u32,
    /// What a null in the other value means: one of `SW_NULLS_…`.
    pub nulls: u32,
}

/// Objects are merged at every level.
pub const SW_MERGE_DEEP: u32 = 0;
/// The members of the two values themselves are merged, and replaced as a whole.
pub const SW_MERGE_SHALLOW: u32 = 1;

/// The other array takes the place of this one.
pub const SW_ARRAYS_REPLACE: u32 = 0;
/// The other's items come after this one's.
pub const SW_ARRAYS_APPEND: u32 = 1;
/// The other's items that this one does not have come after this one's, each once.
pub const SW_ARRAYS_UNION: u32 = 2;
/// Items of the same index are merged; items beyond the end of this one are appended.
pub const SW_ARRAYS_BY_INDEX: u32 = 3;

/// A null is a value as any other.
pub const SW_NULLS_KEEP: u32 = 0;
/// A null means nothing: what is there stays.
pub const SW_NULLS_SKIP: u32 = 1;
/// A null removes the member, as in a JSON Merge Patch.
pub const SW_NULLS_REMOVE: u32 = 2;

/// Conflicts are reported; our version stays.
pub const SW_PREFER_NONE: u32 = 0;
/// In conflicts, ours is taken.
pub const SW_PREFER_OURS: u32 = 1;
/// In conflicts, theirs is taken.
pub const SW_PREFER_THEIRS: u32 = 2;
/// In conflicts, both changes are taken back.
pub const SW_PREFER_BASE: u32 = 3;

// SAFETY: integers.
unsafe impl Plain for sw_merge_options {}
// SAFETY: `struct_size` is first, and there are only `u32`s.
unsafe impl Sized32 for sw_merge_options {
    const FIRST_SIZE: usize = 16;
}

impl Options for sw_merge_options {
    const DEFAULT: Self = sw_merge_options {
        struct_size: size_of::<Self>() as u32,
        depth: SW_MERGE_DEEP,
        arrays: SW_ARRAYS_REPLACE,
        nulls: SW_NULLS_KEEP,
    };
}

fn unknown(what: &str, value: u32) -> Failure {
    checks::invalid(what, format_args!("{value} is not known"))
}

impl sw_merge_options {
    fn read(&self) -> Result<Merge> {
        let how = match self.depth {
            SW_MERGE_DEEP => Merge::deep(),
            SW_MERGE_SHALLOW => Merge::shallow(),
            other => return Err(unknown("options.depth", other)),
        };
        let arrays = match self.arrays {
            SW_ARRAYS_REPLACE => ArrayMerge::Replace,
            SW_ARRAYS_APPEND => ArrayMerge::Append,
            SW_ARRAYS_UNION => ArrayMerge::Union,
            SW_ARRAYS_BY_INDEX => ArrayMerge::ByIndex,
            other => return Err(unknown("options.arrays", other)),
        };
        let nulls = match self.nulls {
            SW_NULLS_KEEP => NullMerge::Keep,
            SW_NULLS_SKIP => NullMerge::Skip,
            SW_NULLS_REMOVE => NullMerge::Remove,
            other => return Err(unknown("options.nulls", other)),
        };
        Ok(how.arrays(arrays).nulls(nulls))
    }
}

/// Fills `options` with the defaults.
///
/// @role function
/// @on value
/// @thread safe
/// @param options inout struct: The options to fill.
/// @param size in number: `sizeof(sw_merge_options)`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_merge_options_init(
    options: *mut sw_merge_options,
    size: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_merge_options_init, err, |call| {
        init_options(call, options, size)
    })
}

/// Merges another value into this one. Members keep their order, and new ones come after them; what is neither an
/// object nor an array gives way to the other.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param other in handle: The value to merge in.
/// @param options in options nullable: How; NULL is deep, with arrays replaced and nulls kept.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_merge(
    value: sw_value,
    other: sw_value,
    options: *const sw_merge_options,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_merge, err, |call| {
        let held = call.held(value)?;
        let other = call.snapshot(other)?;
        let how = call.options("options", options)?.read()?;
        held.edit(|value| Ok(value.merge(other.by_ref(), &how)?))
    })
}

/// Merges two versions of one value, place by place. Where only one side has changed something, its change is taken.
///
/// Members of objects are merged each for itself; so are the items of arrays whose length neither side has changed.
///
/// @role function
/// @on value
/// @thread safe
/// @param base in handle: The value that both come from.
/// @param ours in handle: The one version.
/// @param theirs in handle: The other version.
/// @param prefer in number: What to do where both have changed one place, each in another way: one of `SW_PREFER_…`.
/// @param merged out handle owned: Receives the merged value; where there is a conflict, our version of it.
/// @param conflicts out msgpack owned: Receives an array of objects: `path`, and what was there: `base`, `ours` and
///   `theirs`, each only if something was. Empty unless `prefer` is `SW_PREFER_NONE`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_merge3(
    base: sw_value,
    ours: sw_value,
    theirs: sw_value,
    prefer: u32,
    merged: *mut sw_value,
    conflicts: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_merge3, err, |call| {
        let out = call.out("merged", merged)?;
        let conflicts = call.out("conflicts", conflicts)?;
        let (base, ours, theirs) = (
            call.snapshot(base)?,
            call.snapshot(ours)?,
            call.snapshot(theirs)?,
        );
        let resolution = match prefer {
            SW_PREFER_NONE => Resolution::Report,
            SW_PREFER_OURS => Resolution::Ours,
            SW_PREFER_THEIRS => Resolution::Theirs,
            SW_PREFER_BASE => Resolution::Base,
            other => return Err(unknown("prefer", other)),
        };
        let merged = merge3_with(base.by_ref(), ours.by_ref(), theirs.by_ref(), |_| {
            resolution.clone()
        })?;
        let found: Value = merged.conflicts.iter().map(shape).collect();
        out.hold_with(merged.value, &conflicts, found.to_msgpack())
    })
}

/// A conflict as a value.
fn shape(conflict: &Conflict) -> Value {
    let path = Some(Value::from(conflict.path.to_string()));
    let sides = [
        ("path", path.as_ref()),
        ("base", conflict.base.as_ref()),
        ("ours", conflict.ours.as_ref()),
        ("theirs", conflict.theirs.as_ref()),
    ];
    let there = |(name, value): (&'static str, Option<&Value>)| Some((name, value?.clone()));
    sides.into_iter().filter_map(there).collect()
}
