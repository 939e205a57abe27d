//! JSON documents, read and changed by path. Each call is a transaction of its own.

use std::ffi::c_char;

use statewright_store::Reader;
use statewright_value::Path;

use crate::bytes::sw_bytes;
use crate::call::Call;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::kv::{pairs_of_text, space_of};
use crate::status::*;

/// Makes a document. Fails with `SW_ALREADY_EXISTS` if there is one.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The document.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_create(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_create, err, |call| {
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let value = call.value("value", value, value_len)?;
        session
            .store()
            .transact(|txn| txn.json_create(&space, key, value.clone()))?;
        Ok(())
    })
}

/// Reads a document, or one place in it.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place, such as `.lines[0].price`; empty is the whole document.
/// @param value out msgpack owned present=found: Receives the value.
/// @param found out flag: Receives 1 if the document and the place are there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_get(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    value: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_get, err, |call| {
        let (value, found) = (call.out("value", value)?, call.out("found", found)?);
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        if let Some(read) = session.store().snapshot().json_get(&space, key, &path)? {
            value.give_value(&read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Sets one place in a document, making missing objects on the way; the empty path makes or replaces the
/// whole document.
///
/// An index equal to an array's length appends. Fails with `SW_NOT_FOUND` if the document is not there.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole document.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value to put there.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_set(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_set, err, |call| {
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        let value = call.value("value", value, value_len)?;
        session
            .store()
            .transact(|txn| txn.json_set(&space, key, &path, value.clone()))?;
        Ok(())
    })
}

/// Removes one place from a document; later elements of an array move up.
///
/// The document itself is removed with `sw_json_drop`. Fails with `SW_NOT_FOUND` if the document is not there.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place.
/// @param found out flag: Receives 1 if there was something, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_remove(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_remove, err, |call| {
        let found = call.out("found", found)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        found.flag(
            session
                .store()
                .transact(|txn| txn.json_remove(&space, key, &path))?
                .is_some(),
        );
        Ok(())
    })
}

/// Removes a document.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param found out flag: Receives 1 if the document was there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_drop(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_drop, err, |call| {
        let found = call.out("found", found)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        found.flag(session.store().transact(|txn| txn.json_drop(&space, key))?);
        Ok(())
    })
}

/// The version of the commit that last changed a document.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param version out number present=found: Receives the version.
/// @param found out flag: Receives 1 if the document is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_version(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    version: *mut u64,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_version, err, |call| {
        let (version, found) = (call.out("version", version)?, call.out("found", found)?);
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        if let Some(read) = session.store().snapshot().json_version(&space, key)? {
            version.set(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Lists documents in the order of their keys.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param prefix in text max=SW_MAX_NAME_BYTES: Only keys that begin with this; empty is all.
/// @param after in text max=SW_MAX_NAME_BYTES: Only keys that come after this one; empty is from the first. For
///   the next page, the last key of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of [key, document].
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_list(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    prefix: *const c_char,
    prefix_len: usize,
    after: *const c_char,
    after_len: usize,
    limit: u32,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_json_list, err, |call| {
        let items = call.out("items", items)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let prefix = call.text("prefix", prefix, prefix_len)?;
        let after = call.text("after", after, after_len)?;
        let after = if after.is_empty() { None } else { Some(after) };
        let found = session
            .store()
            .snapshot()
            .json_list(&space, prefix, after, limit as usize)?;
        items.give_value(&pairs_of_text(found))
    })
}

pub(crate) fn path_of(call: &Call, path: *const c_char, len: usize) -> Result<Path> {
    let text = call.text("path", path, len)?;
    Path::parse(text).map_err(|error| Failure::from(error).at(text))
}
