//! Values held by the library: made, told apart and compared.

use std::sync::Arc;

use parking_lot::RwLock;
use statewright_value::{Kind, Value, ValueRef};

use crate::bytes::sw_bytes;
use crate::call::{Call, Out, Plain};
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::place::Place;
use crate::status::*;

/// A value that the library holds. Made by `sw_value_from_json` and its like, ended by `sw_value_free`.
///
/// A handle is a variable: changing what it holds changes no other handle, also not its clones. A clone costs
/// the same for any size, since both share what neither has changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_value {
    /// Opaque; zero is no value.
    pub id: u64,
}

/// Nothing is there.
pub const SW_KIND_NONE: u32 = 0;
/// Null.
pub const SW_KIND_NULL: u32 = 1;
/// True or false.
pub const SW_KIND_BOOL: u32 = 2;
/// A whole number from -2^63 to 2^64 - 1.
pub const SW_KIND_INTEGER: u32 = 3;
/// A finite double.
pub const SW_KIND_FLOAT: u32 = 4;
/// An exact decimal number.
pub const SW_KIND_DECIMAL: u32 = 5;
/// Unicode text.
pub const SW_KIND_TEXT: u32 = 6;
/// A byte string.
pub const SW_KIND_BYTES: u32 = 7;
/// A day, without a time zone.
pub const SW_KIND_DATE: u32 = 8;
/// A time of day, without a time zone.
pub const SW_KIND_TIME: u32 = 9;
/// A moment, with its offset from UTC.
pub const SW_KIND_DATETIME: u32 = 10;
/// A length of time.
pub const SW_KIND_DURATION: u32 = 11;
/// A described blob.
pub const SW_KIND_FILE: u32 = 12;
/// Values in order.
pub const SW_KIND_ARRAY: u32 = 13;
/// Values by key, in order.
pub const SW_KIND_OBJECT: u32 = 14;
/// A kind that is newer than this header.
pub const SW_KIND_OTHER: u32 = 255;

// SAFETY: integers.
unsafe impl Plain for sw_value {}

pub(crate) static VALUES: Table<Arc<Held>> = Table::new(Tag::Value);

/// What a handle holds. Empty after an edit that hit a defect: what it left cannot be trusted.
pub(crate) struct Held(RwLock<Option<Value>>);

impl Held {
    /// Reads in place. For what is quick: others who want to change the value wait.
    pub(crate) fn read<T>(&self, read: impl FnOnce(ValueRef<'_>) -> Result<T>) -> Result<T> {
        read(self.0.read().as_ref().ok_or_else(spoiled)?.by_ref())
    }

    /// The value as it is now, for what takes its time. O(1).
    pub(crate) fn snapshot(&self) -> Result<Value> {
        self.0.read().clone().ok_or_else(spoiled)
    }

    /// Changes the value where it is; `edit` changes nothing when it fails.
    pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut Value) -> Result<T>) -> Result<T> {
        let mut held = self.0.write();
        // Out of the handle for the time being, so that a panic leaves none behind.
        let mut value = held.take().ok_or_else(spoiled)?;
        let outcome = edit(&mut value);
        *held = Some(value);
        outcome
    }
}

fn spoiled() -> Failure {
    Failure::new(
        SW_POISONED,
        "an earlier call hit a defect while it changed this value",
    )
    .help("free the value")
}

impl Call {
    pub(crate) fn held(&self, value: sw_value) -> Result<Arc<Held>> {
        VALUES.get(value.id).ok_or_else(|| Failure::misuse("value"))
    }

    /// What the value is now.
    pub(crate) fn snapshot(&self, value: sw_value) -> Result<Value> {
        self.held(value)?.snapshot()
    }
}

impl sw_value {
    /// Keeps a value until C frees it.
    pub(crate) fn lend(value: Value) -> Result<sw_value> {
        let held = Arc::new(Held(RwLock::new(Some(value))));
        let full = |_| {
            Failure::new(SW_TOO_LARGE, "too many values are held")
                .help("free values with sw_value_free when done with them")
        };
        let id = VALUES.insert(held).map_err(full)?;
        Ok(sw_value { id })
    }
}

impl Out<sw_value> {
    /// Hands a value over to the caller.
    pub(crate) fn hold(&self, value: Value) -> Result<()> {
        self.set(sw_value::lend(value)?);
        Ok(())
    }

    /// Hands both over, or neither.
    pub(crate) fn hold_with(
        &self,
        value: Value,
        out: &Out<sw_bytes>,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let lent = sw_value::lend(value)?;
        if let Err(full) = out.give(bytes) {
            drop(VALUES.remove(lent.id));
            return Err(full);
        }
        self.set(lent);
        Ok(())
    }
}

/// The number that C knows a kind by.
pub(crate) fn kind_of(kind: Kind) -> u32 {
    match kind {
        Kind::Null => SW_KIND_NULL,
        Kind::Bool => SW_KIND_BOOL,
        Kind::Integer => SW_KIND_INTEGER,
        Kind::Float => SW_KIND_FLOAT,
        Kind::Decimal => SW_KIND_DECIMAL,
        Kind::Text => SW_KIND_TEXT,
        Kind::Bytes => SW_KIND_BYTES,
        Kind::Date => SW_KIND_DATE,
        Kind::Time => SW_KIND_TIME,
        Kind::DateTime => SW_KIND_DATETIME,
        Kind::Duration => SW_KIND_DURATION,
        Kind::File => SW_KIND_FILE,
        Kind::Array => SW_KIND_ARRAY,
        Kind::Object => SW_KIND_OBJECT,
        _ => SW_KIND_OTHER,
    }
}

/// Gives another handle for what the value is now. O(1), whatever its size.
///
/// @role constructor
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param clone out handle owned: Receives a value of its own.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_clone(
    value: sw_value,
    clone: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_clone, err, |call| {
        let clone = call.out("clone", clone)?;
        clone.hold(call.snapshot(value)?)
    })
}

/// Ends a value: its handle is stale from now on.
///
/// @role destructor
/// @on value
/// @thread safe
/// @param value in handle consumed: The value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_free(value: sw_value, err: *mut sw_error) -> sw_status {
    guard!(sw_value_free, err, |_call| {
        VALUES
            .remove(value.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("value"))
    })
}

/// What kind of value is at a place, and whether there is one.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param kind out number: Receives one of `SW_KIND_…`; `SW_KIND_NONE` if nothing is there, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_kind(
    value: sw_value,
    path: *const std::ffi::c_char,
    path_len: usize,
    kind: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_kind, err, |call| {
        let kind = call.out("kind", kind)?;
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        held.read(|value| {
            kind.set(
                place
                    .find(value)
                    .map_or(SW_KIND_NONE, |at| kind_of(at.kind())),
            );
            Ok(())
        })
    })
}

/// How much is at a place: the items of an array, the entries of an object, the bytes of a text or of bytes; 0
/// for the other kinds.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param length out number present=found: Receives how much.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_len(
    value: sw_value,
    path: *const std::ffi::c_char,
    path_len: usize,
    length: *mut usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_len, err, |call| {
        let (length, found) = (call.out("length", length)?, call.out("found", found)?);
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        held.read(|value| {
            if let Some(at) = place.find(value) {
                length.set(at.len());
                found.flag(true);
            }
            Ok(())
        })
    })
}

/// Whether two values are equal: of the same kinds, with the same content, in whatever order their objects
/// have it. The integer 1 and the float 1.0 differ.
///
/// @role function
/// @on value
/// @thread safe
/// @param a in handle: The one.
/// @param b in handle: The other.
/// @param equal out flag: Receives 1 if they are, and 0 if not.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_equal(
    a: sw_value,
    b: sw_value,
    equal: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_equal, err, |call| {
        let equal = call.out("equal", equal)?;
        equal.flag(call.snapshot(a)? == call.snapshot(b)?);
        Ok(())
    })
}

/// Which of two values comes first. Every value has its place in one order.
///
/// Kinds order as null, booleans, numbers, text, bytes, dates, times, datetimes, durations, files, arrays,
/// objects; numbers by what they are exactly, text by code points, arrays item by item, objects by their entries
/// in the order of the keys.
///
/// @role function
/// @on value
/// @thread safe
/// @param a in handle: The one.
/// @param b in handle: The other.
/// @param order out number: Receives -1 if `a` comes first, 0 if they are equal, and 1 if `b` does.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_compare(
    a: sw_value,
    b: sw_value,
    order: *mut i32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_compare, err, |call| {
        let order = call.out("order", order)?;
        order.set(call.snapshot(a)?.cmp(&call.snapshot(b)?) as i32);
        Ok(())
    })
}

/// A number that equal values have in common, for tables in memory.
///
/// It may differ from one version of the library to the next; `sw_value_content_hash` does not.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param hash out number: Receives the number.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_hash(
    value: sw_value,
    hash: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_hash, err, |call| {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let hash = call.out("hash", hash)?;
        let mut hasher = DefaultHasher::new();
        call.snapshot(value)?.hash(&mut hasher);
        hash.set(hasher.finish());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_used_again_after_a_panic_in_the_middle_of_an_edit() {
        let held = Held(RwLock::new(Some(Value::from(1))));
        let refused: Result<()> = held.edit(|_| Err(Failure::misuse("value")));
        assert_eq!(refused.unwrap_err().code, SW_MISUSE);
        assert_eq!(held.snapshot().unwrap(), Value::from(1));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            held.edit(|value| -> Result<()> {
                *value = Value::from(2);
                panic!("half done")
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(held.snapshot().unwrap_err().code, SW_POISONED);
        assert_eq!(held.read(|_| Ok(())).unwrap_err().code, SW_POISONED);
        assert_eq!(held.edit(|_| Ok(())).unwrap_err().code, SW_POISONED);
    }
}
