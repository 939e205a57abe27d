//! Key-value: byte keys to values. Each call is a transaction of its own.

use std::ffi::c_char;

use statewright_store::{Reader, Space};
use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::call::Call;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::status::*;

/// Reads the value of a key.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param value out msgpack owned present=found: Receives the value.
/// @param found out flag: Receives 1 if the key is there, and 0 if it is not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_get(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    value: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_get, err, |call| {
        let (value, found) = (call.out("value", value)?, call.out("found", found)?);
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        if let Some(read) = session.store().snapshot().kv_get(&space, key)? {
            value.give_value(&read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Sets a key.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_put(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_put, err, |call| {
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        let value = call.value("value", value, value_len)?;
        session.store().kv_put(&space, key, value)?;
        Ok(())
    })
}

/// Removes a key.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param found out flag: Receives 1 if the key was there, and 0 if it was not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_delete(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_delete, err, |call| {
        let found = call.out("found", found)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        found.flag(session.store().transact(|txn| txn.kv_delete(&space, key))?);
        Ok(())
    })
}

/// Sets a key if it still has an expected value. Fails with `SW_VALUE_MISMATCH` if it does not.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param expected in bytes max=SW_MAX_INPUT_BYTES: The expected value, as MessagePack; empty if the key is not to be
///   there.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The new value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_cas(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    expected: *const u8,
    expected_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_cas, err, |call| {
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        let expected = match expected_len {
            0 => None,
            _ => Some(call.value("expected", expected, expected_len)?),
        };
        let value = call.value("value", value, value_len)?;
        session
            .store()
            .kv_cas(&space, key, expected.as_ref(), value)?;
        Ok(())
    })
}

/// Adds to the whole number that a key holds, or to 0 if it is not there, and gives the sum. Never conflicts.
///
/// Fails with `SW_WRONG_TYPE` if something else is there, and with `SW_ARITHMETIC` if the sum overflows.
/// `kv.increment` of `sw_call` also adds decimals and floating numbers.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param by in number: What to add.
/// @param sum out number: Receives the sum.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_increment(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    by: i64,
    sum: *mut i64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_increment, err, |call| {
        let sum = call.out("sum", sum)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        sum.set(session.store().kv_increment_i64(&space, key, by)?);
        Ok(())
    })
}

/// Lists keys in byte order, with their values.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param prefix in bytes max=SW_MAX_NAME_BYTES: Only keys that begin with this; empty is all.
/// @param after in bytes max=SW_MAX_NAME_BYTES: Only keys that come after this one; empty is from the first. For
///   the next page, the last key of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of [key, value], the keys as bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_kv_list(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    prefix: *const u8,
    prefix_len: usize,
    after: *const u8,
    after_len: usize,
    limit: u32,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_kv_list, err, |call| {
        let items = call.out("items", items)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let prefix = call.key("prefix", prefix, prefix_len)?;
        let after = call.key("after", after, after_len)?;
        let found =
            session
                .store()
                .snapshot()
                .kv_scan(&space, prefix, not_empty(after), limit as usize)?;
        items.give_value(&pairs_of_bytes(found))
    })
}

pub(crate) fn space_of(call: &Call, space: *const c_char, len: usize) -> Result<Space> {
    match call.text("space", space, len)? {
        "" => Ok(Space::default()),
        name => Ok(Space::parse(name)?),
    }
}

/// An empty `after` means from the start: no key is empty.
pub(crate) fn not_empty(after: &[u8]) -> Option<&[u8]> {
    if after.is_empty() { None } else { Some(after) }
}

pub(crate) fn pairs_of_bytes(found: Vec<(Vec<u8>, Value)>) -> Value {
    found
        .into_iter()
        .map(|(key, value)| Value::from(vec![Value::bytes(key), value]))
        .collect()
}

pub(crate) fn pairs_of_text(found: Vec<(String, Value)>) -> Value {
    found
        .into_iter()
        .map(|(key, value)| Value::from(vec![Value::from(key), value]))
        .collect()
}
