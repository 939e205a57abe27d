//! Changing values place by place. Each call changes all that it says, or fails and changes nothing.

use std::ffi::c_char;

use statewright_value::Value;

use crate::call::Call;
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::place::Place;
use crate::status::*;
use crate::value::*;

/// Puts what `make` gives at a place.
fn set_at(
    call: &Call,
    value: sw_value,
    (path, len): (*const c_char, usize),
    make: impl FnOnce() -> Result<Value>,
) -> Result<()> {
    let held = call.held(value)?;
    let place = Place::parse(call.text("path", path, len)?)?;
    let to = make()?;
    held.edit(|value| {
        let path = place.to_set(value.by_ref())?;
        Ok(value.set(&path, to)?)
    })
}

/// Puts a value at a place, replacing what is there and making missing objects on the way.
///
/// An index equal to an array's length appends. What is set is as it is now: changing it later does not change
/// what was set.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place, such as `.lines[0].price`, `/lines/0/price` (RFC 6901: `-` is
///   the place after the last item) or `$.lines[0].price`; empty is the whole value.
/// @param to in handle: The value to put there.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set, err, |call| {
        set_at(call, value, (path, path_len), || call.snapshot(to))
    })
}

/// Puts null at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_null(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_null, err, |call| {
        set_at(call, value, (path, path_len), || Ok(Value::NULL))
    })
}

/// Puts a boolean at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in number: 1 for true, 0 for false.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_bool(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_bool, err, |call| {
        let make = || match to {
            0 | 1 => Ok(Value::from(to == 1)),
            _ => Err(checks::invalid("to", format_args!("{to} is not 0 or 1"))),
        };
        set_at(call, value, (path, path_len), make)
    })
}

/// Puts an integer at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in number: The integer.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_i64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: i64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_i64, err, |call| {
        set_at(call, value, (path, path_len), || Ok(Value::from(to)))
    })
}

/// Puts an integer that may be above 2^63 - 1 at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in number: The integer.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_u64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_u64, err, |call| {
        set_at(call, value, (path, path_len), || Ok(Value::from(to)))
    })
}

/// Puts a float at a place; see `sw_value_set`. Fails with `SW_NOT_REPRESENTABLE` for NaN and the infinities.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in number: The float; 1.0 stays a float.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_f64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: f64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_f64, err, |call| {
        let make = || {
            Value::from_f64(to).ok_or_else(|| {
                Failure::new(SW_NOT_REPRESENTABLE, format!("no value is {to}")).at("to")
            })
        };
        set_at(call, value, (path, path_len), make)
    })
}

/// Puts text at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in text max=SW_MAX_INPUT_BYTES: The text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_text(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: *const c_char,
    to_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_text, err, |call| {
        let make = || Ok(Value::text(call.document("to", to, to_len)?));
        set_at(call, value, (path, path_len), make)
    })
}

/// Puts a byte string at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param to in bytes max=SW_MAX_INPUT_BYTES: The bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_bytes(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    to: *const u8,
    to_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_bytes, err, |call| {
        let make = || Ok(Value::bytes(call.blob("to", to, to_len)?));
        set_at(call, value, (path, path_len), make)
    })
}

/// Reads text as a value of some kind and puts it at a place; see `sw_value_set`. The way to set decimals,
/// dates, times, datetimes and durations.
///
/// Fails with `SW_INVALID_TEMPORAL`, or what the kind's reader says, if the text is no such thing.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param kind in number: One of `SW_KIND_DECIMAL` ("12.50"), `SW_KIND_DATE` ("2024-05-01"), `SW_KIND_TIME`
///   ("12:30:00"), `SW_KIND_DATETIME` ("2024-05-01T12:30:00+02:00"), `SW_KIND_DURATION` ("PT1H30M") and
///   `SW_KIND_TEXT`.
/// @param to in text max=SW_MAX_INPUT_BYTES: The text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_kind(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    kind: u32,
    to: *const c_char,
    to_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_kind, err, |call| {
        let make = || of_kind(kind, call.document("to", to, to_len)?);
        set_at(call, value, (path, path_len), make)
    })
}

fn of_kind(kind: u32, text: &str) -> Result<Value> {
    let made = match kind {
        SW_KIND_TEXT => Ok(Value::text(text)),
        SW_KIND_DECIMAL => Value::decimal(text),
        SW_KIND_DATE => Value::date(text),
        SW_KIND_TIME => Value::time(text),
        SW_KIND_DATETIME => Value::datetime(text),
        SW_KIND_DURATION => Value::duration(text),
        _ => {
            let why = format_args!("{kind} is not one that text is read as");
            let help = "other kinds have functions of their own, or are set as JSON or MessagePack";
            return Err(checks::invalid("kind", why).help(help));
        }
    };
    Ok(made?)
}

/// Reads JSON text and puts it at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param json in text max=SW_MAX_INPUT_BYTES: The text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_json(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    json: *const c_char,
    json_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_json, err, |call| {
        let make = || Ok(Value::from_json(call.document("json", json, json_len)?)?);
        set_at(call, value, (path, path_len), make)
    })
}

/// Reads MessagePack and puts it at a place; see `sw_value_set`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param bytes in msgpack max=SW_MAX_INPUT_BYTES: The value to put there.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_set_msgpack(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    bytes: *const u8,
    bytes_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_set_msgpack, err, |call| {
        let make = || call.value("bytes", bytes, bytes_len);
        set_at(call, value, (path, path_len), make)
    })
}

/// Removes what is at a place; later items of an array move up.
///
/// Fails with `SW_INVALID_PATH` for the whole value, which has nothing to be removed from.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place.
/// @param found out flag: Receives 1 if something was there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_remove(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_remove, err, |call| {
        let found = call.out("found", found)?;
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        held.edit(|value| {
            if let Some(path) = place.of_what_is(value.by_ref())? {
                found.flag(value.remove(&path)?.is_some());
            }
            Ok(())
        })
    })
}

/// Removes what is at a place and gives it; see `sw_value_remove`.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place.
/// @param taken out handle owned present=found: Receives what was there.
/// @param found out flag: Receives 1 if something was there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_take(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    taken: *mut sw_value,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_take, err, |call| {
        let (out, found) = (call.out("taken", taken)?, call.out("found", found)?);
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        let taken = held.edit(|value| take(value, &place, |taken| out.hold(taken)))?;
        found.flag(taken);
        Ok(())
    })
}

/// Whether something was there. It is handed over before it is removed, since that may fail; removing it then does
/// not.
fn take(
    value: &mut Value,
    place: &Place,
    hand_over: impl FnOnce(Value) -> Result<()>,
) -> Result<bool> {
    let Some(path) = place.of_what_is(value.by_ref())? else {
        return Ok(false);
    };
    if !path.is_root() {
        let Some(there) = value.at(&path) else {
            return Ok(false);
        };
        hand_over(there)?;
    }
    value.remove(&path)?;
    Ok(true)
}

/// Inserts a value into an array, before the item that is at the place now; later items move on. An index equal to
/// the array's length appends. The key of an object is set, in an object that is there.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place, such as `.lines[0]`.
/// @param item in handle: The value to insert.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_insert(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    item: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_insert, err, |call| {
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        let item = call.snapshot(item)?;
        held.edit(|value| {
            let path = place.to_put(value.by_ref())?;
            value.insert_at(&path, item)?;
            Ok(())
        })
    })
}

/// Appends a value to the array at a place.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value to change.
/// @param path in text max=SW_MAX_NAME_BYTES: The place of the array; empty is the whole value.
/// @param item in handle: The value to append.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_push(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    item: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_push, err, |call| {
        let held = call.held(value)?;
        let place = Place::parse(call.text("path", path, path_len)?)?;
        let item = call.snapshot(item)?;
        held.edit(|value| {
            let path = place.to_put(value.by_ref())?;
            Ok(value.push_at(&path, item)?)
        })
    })
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;

    #[test]
    fn what_cannot_be_handed_over_is_not_removed() {
        let before = value!({ "a": [1, 2] });
        let mut value = before.clone();
        for text in [".a[0]", "/a/0", "$.a[0]"] {
            let place = Place::parse(text).unwrap();
            let full = Failure::new(SW_TOO_LARGE, "too many values are held");
            let refused = take(&mut value, &place, |_| Err(full)).unwrap_err();
            assert_eq!(refused.code, SW_TOO_LARGE);
            assert_eq!(value, before);
        }
        let whole = Place::parse("").unwrap();
        let refused = take(&mut value, &whole, |_| panic!("it stays")).unwrap_err();
        assert_eq!(refused.code, SW_INVALID_PATH);
        let mut taken = None;
        let place = Place::parse("/a/1").unwrap();
        let keep = |value| {
            taken = Some(value);
            Ok(())
        };
        assert!(take(&mut value, &place, keep).unwrap());
        assert_eq!((taken, value), (Some(value!(2)), value!({ "a": [1] })));
    }
}
