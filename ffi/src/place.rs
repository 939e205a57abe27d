//! Reading values place by place.

use std::ffi::c_char;
use std::sync::Arc;

use statewright_value::{Kind, Path, PathCache, Pointer, QueryCache, ValueRef};

use crate::bytes::sw_bytes;
use crate::call::Call;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::status::*;
use crate::value::sw_value;

/// A place in a value, in one of the ways to write it: `.lines[0].price`, as everywhere in this library; a JSON
/// Pointer (RFC 6901), which begins with `/`; a singular query (RFC 9535), which begins with `$`.
pub(crate) enum Place {
    Path(Arc<Path>),
    /// Whether a token is a key or an index depends on the value.
    Pointer(Pointer),
}

impl Place {
    /// Texts that were used lately are not parsed again.
    pub(crate) fn parse(text: &str) -> Result<Place> {
        let path = match text.as_bytes().first() {
            Some(b'/') => {
                return Ok(Place::Pointer(
                    Pointer::parse(text).map_err(|error| Failure::from(error).at(text))?,
                ));
            }
            Some(b'$') => QueryCache::shared()
                .get(text)
                .map_err(|error| Failure::from(error).at(text))?
                .as_path()
                .map(Arc::new)
                .ok_or_else(|| several(text))?,
            _ => PathCache::shared()
                .get(text)
                .map_err(|error| Failure::from(error).at(text))?,
        };
        Ok(Place::Path(path))
    }

    /// What is there.
    pub(crate) fn find<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self {
            Place::Path(path) => value.at(path),
            Place::Pointer(pointer) => pointer.get(value),
        }
    }

    /// The path of a place where something is to be set, with missing objects on the way.
    pub(crate) fn to_set(&self, value: ValueRef<'_>) -> Result<Arc<Path>> {
        match self {
            Place::Path(path) => Ok(Arc::clone(path)),
            Place::Pointer(pointer) => Ok(Arc::new(pointer.resolve_to_set(value)?)),
        }
    }

    /// The path of a place where something is to be put, in what is there.
    pub(crate) fn to_put(&self, value: ValueRef<'_>) -> Result<Arc<Path>> {
        match self {
            Place::Path(path) => Ok(Arc::clone(path)),
            Place::Pointer(pointer) => Ok(Arc::new(pointer.resolve_to_put(value)?)),
        }
    }

    /// The path of what is there.
    pub(crate) fn of_what_is(&self, value: ValueRef<'_>) -> Result<Option<Arc<Path>>> {
        match self {
            Place::Path(path) => Ok(Some(Arc::clone(path))),
            Place::Pointer(pointer) if pointer.get(value).is_none() => Ok(None),
            Place::Pointer(pointer) => Ok(Some(Arc::new(pointer.resolve(value)?))),
        }
    }
}

fn several(text: &str) -> Failure {
    let message =
        format!("`{text}` is a query that may find several places, or counts from the end");
    Failure::new(SW_INVALID_PATH, message)
        .at(text)
        .help("a path names one place: `.a[0]`, `/a/0` or `$['a'][0]`; for queries there is sw_value_query")
}

/// What `read` makes of the value at a place; nothing if there is none.
fn read_at<T>(
    call: &Call,
    value: sw_value,
    (path, len): (*const c_char, usize),
    read: impl FnOnce(ValueRef<'_>) -> std::result::Result<T, Unfit>,
) -> Result<Option<T>> {
    let held = call.held(value)?;
    let text = call.text("path", path, len)?;
    let place = Place::parse(text)?;
    held.read(|value| {
        let Some(at) = place.find(value) else {
            return Ok(None);
        };
        read(at).map(Some).map_err(|unfit| unfit.failure(at, text))
    })
}

/// What was wanted instead of what is there.
enum Unfit {
    Kind(&'static str),
    /// A number that the type cannot hold.
    Range(&'static str),
}

impl Unfit {
    #[cold]
    fn failure(self, at: ValueRef<'_>, path: &str) -> Failure {
        let kind = at.kind();
        let shown = if path.is_empty() { "." } else { path };
        match self {
            Unfit::Kind(wanted) => Failure::new(
                SW_WRONG_TYPE,
                format!("expected {wanted} at `{shown}`, found {kind}"),
            ),
            Unfit::Range(wanted) => Failure::new(
                SW_NOT_REPRESENTABLE,
                format!("the {kind} {at} at `{shown}` is no {wanted}"),
            ),
        }
        .at(path)
    }
}

/// What was read, or whether it is the wrong kind or an integer out of range.
fn number<T>(
    at: ValueRef<'_>,
    read: Option<T>,
    wanted: &'static str,
) -> std::result::Result<T, Unfit> {
    read.ok_or(match at.kind() {
        Kind::Integer => Unfit::Range(wanted),
        _ => Unfit::Kind(wanted),
    })
}

/// Gives what is at a place as a value of its own. O(1) whatever its size: both share it.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place, such as `.lines[0].price`, `/lines/0/price` (RFC 6901) or
///   `$.lines[0].price`; empty is the whole value.
/// @param at out handle owned present=found: Receives what is there.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut sw_value,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        if let Some(read) = read_at(call, value, (path, path_len), |at| Ok(at.to_value()))? {
            out.hold(read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads a boolean. Fails with `SW_WRONG_TYPE` if something else is there.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out flag present=found: Receives 1 for true and 0 for false.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_bool(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut u32,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_bool, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        let read = |at: ValueRef<'_>| at.as_bool().ok_or(Unfit::Kind("a boolean"));
        if let Some(read) = read_at(call, value, (path, path_len), read)? {
            out.flag(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads an integer. Fails with `SW_WRONG_TYPE` if something else is there, a float or a decimal too, and with
/// `SW_NOT_REPRESENTABLE` if it is above 2^63 - 1.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out number present=found: Receives the integer.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_i64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut i64,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_i64, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        let read = |at: ValueRef<'_>| number(at, at.as_i64(), "signed integer of 64 bits");
        if let Some(read) = read_at(call, value, (path, path_len), read)? {
            out.set(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads an integer that is not negative. Fails with `SW_WRONG_TYPE` if something else is there, a float or a
/// decimal too, and with `SW_NOT_REPRESENTABLE` if it is negative.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out number present=found: Receives the integer.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_u64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut u64,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_u64, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        let read = |at: ValueRef<'_>| number(at, at.as_u64(), "unsigned integer of 64 bits");
        if let Some(read) = read_at(call, value, (path, path_len), read)? {
            out.set(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads a float, or an integer that a double holds exactly. Fails with `SW_NOT_REPRESENTABLE` for another
/// integer, and with `SW_WRONG_TYPE` if something else is there, a decimal too.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out number present=found: Receives the number; never NaN or infinite.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_f64(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut f64,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_f64, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        let read = |at: ValueRef<'_>| number(at, at.as_f64(), "double");
        if let Some(read) = read_at(call, value, (path, path_len), read)? {
            out.set(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads text. A decimal, date, time, datetime or duration gives the text it prints as, such as `12.50`, and a
/// file its JSON. Fails with `SW_WRONG_TYPE` if something else is there.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out text owned present=found: Receives the text.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_text(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_text, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        if let Some(read) = read_at(call, value, (path, path_len), text_of)? {
            out.give(read)?;
            found.flag(true);
        }
        Ok(())
    })
}

fn text_of(at: ValueRef<'_>) -> std::result::Result<Vec<u8>, Unfit> {
    if let Some(text) = at.as_str() {
        return Ok(text.as_bytes().to_vec());
    }
    match at.kind() {
        Kind::Decimal | Kind::File => Ok(at.to_json().into_bytes()),
        Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration => {
            Ok(at.to_json().trim_matches('"').as_bytes().to_vec())
        }
        _ => Err(Unfit::Kind("text")),
    }
}

/// Reads a byte string. Fails with `SW_WRONG_TYPE` if something else is there, text too.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out bytes owned present=found: Receives the bytes.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_bytes(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_bytes, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        let read = |at: ValueRef<'_>| {
            let bytes = at.as_bytes().ok_or(Unfit::Kind("bytes"))?;
            Ok(bytes.to_vec())
        };
        if let Some(read) = read_at(call, value, (path, path_len), read)? {
            out.give(read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Reads what is at a place, whatever it is, as MessagePack.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value.
/// @param at out msgpack owned present=found: Receives what is there.
/// @param found out flag: Receives 1 if something is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_get_msgpack(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    at: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_get_msgpack, err, |call| {
        let (out, found) = (call.out("at", at)?, call.out("found", found)?);
        // Encoding may take a while, so not in place.
        if let Some(read) = read_at(call, value, (path, path_len), |at| Ok(at.to_value()))? {
            out.give_value(&read)?;
            found.flag(true);
        }
        Ok(())
    })
}
