//! Transactions: several reads and writes that happen together or not at all.

use std::ffi::c_char;
use std::sync::Arc;

use parking_lot::Mutex;
use statewright_store::{Isolation, Reader, Savepoint, Txn};

use crate::bytes::sw_bytes;
use crate::call::Plain;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::json::path_of;
use crate::kv::{not_empty, pairs_of_bytes, pairs_of_text, space_of};
use crate::session::Session;
use crate::status::*;

/// A transaction. Begin with `sw_txn_begin`, end with `sw_txn_commit` or `sw_txn_rollback`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_txn {
    /// Opaque; zero is no transaction.
    pub id: u64,
}

/// What was read and what is written must be unchanged at commit: the result is that of some serial order.
pub const SW_ISOLATION_SERIALIZABLE: u32 = 0;
/// Only what is written must be unchanged at commit.
pub const SW_ISOLATION_SNAPSHOT: u32 = 1;
/// As `SW_ISOLATION_SNAPSHOT`, and a read of what was changed since the transaction began fails at once with
/// `SW_CONFLICT`.
pub const SW_ISOLATION_WEAK: u32 = 2;

// SAFETY: integers.
unsafe impl Plain for sw_txn {}

pub(crate) static TXNS: Table<Arc<TxnState>> = Table::new(Tag::Txn);

/// One open transaction. It keeps its engine's objects alive, closed or not.
pub(crate) struct TxnState {
    session: Arc<Session>,
    txn: Mutex<Option<Txn>>,
}

impl TxnState {
    pub(crate) fn new(session: Arc<Session>, txn: Txn) -> TxnState {
        TxnState {
            session,
            txn: Mutex::new(Some(txn)),
        }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Runs one step of the transaction, if no other thread is in one.
    pub(crate) fn step<T>(
        &self,
        step: impl FnOnce(&Txn) -> statewright_store::Result<T>,
    ) -> Result<T> {
        let txn = self.txn.try_lock().ok_or_else(busy)?;
        Ok(step(
            txn.as_ref().ok_or_else(|| Failure::closed("transaction"))?,
        )?)
    }

    /// Takes the transaction out, to end it. Whoever still holds the handle finds nothing.
    fn end(&self) -> Result<Txn> {
        let mut txn = self.txn.try_lock().ok_or_else(busy)?;
        txn.take().ok_or_else(|| Failure::closed("transaction"))
    }
}

fn busy() -> Failure {
    Failure::new(SW_BUSY, "another thread is using this transaction")
        .help("use a transaction from one thread at a time")
}

/// Begins a transaction. It reads the state as it is now, plus its own writes.
///
/// Nobody sees its writes before `sw_txn_commit`. It is for one thread at a time; another gets `SW_BUSY`.
///
/// @role constructor
/// @on txn
/// @thread safe
/// @param engine in handle: The engine.
/// @param isolation in number: One of `SW_ISOLATION_…`.
/// @param txn out handle owned: Receives the transaction.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_begin(
    engine: sw_engine,
    isolation: u32,
    txn: *mut sw_txn,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_begin, err, |call| {
        let out = call.out("txn", txn)?;
        let session = call.engine(engine)?;
        let isolation = match isolation {
            SW_ISOLATION_SERIALIZABLE => Isolation::Serializable,
            SW_ISOLATION_SNAPSHOT => Isolation::Snapshot,
            SW_ISOLATION_WEAK => Isolation::Weak,
            _ => {
                let why = format_args!("{isolation} is not known");
                let help = "pass one of SW_ISOLATION_…";
                return Err(checks::invalid("isolation", why).help(help));
            }
        };
        let txn = session.store().begin_with(isolation);
        let state = TxnState::new(session, txn);
        let full = |_| Failure::new(SW_TOO_LARGE, "too many transactions are open");
        out.set(sw_txn {
            id: TXNS.insert(Arc::new(state)).map_err(full)?,
        });
        Ok(())
    })
}

/// Commits the transaction: all of its writes happen, or none.
///
/// Whatever the outcome, the transaction is over and its handle is stale (except after `SW_BUSY`).
/// `SW_CONFLICT` and `SW_SNAPSHOT_TOO_OLD` mean that nothing was written and that the whole transaction may
/// be run again.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle consumed: The transaction.
/// @param version out number: Receives the version that the commit made; if nothing was written, the version that
///   was read.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_commit(
    txn: sw_txn,
    version: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_commit, err, |call| {
        let version = call.out("version", version)?;
        let state = call.txn_to_end(txn)?;
        let ended = state.end()?;
        drop(TXNS.remove(txn.id));
        state.session.usable()?;
        version.set(ended.commit()?.version);
        Ok(())
    })
}

/// Ends the transaction without writing anything. This works even if its engine is closed or poisoned.
///
/// @role destructor
/// @on txn
/// @thread handle
/// @param txn in handle consumed: The transaction.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_rollback(txn: sw_txn, err: *mut sw_error) -> sw_status {
    guard!(sw_txn_rollback, err, |call| {
        let state = call.txn_to_end(txn)?;
        state.end()?.rollback();
        drop(TXNS.remove(txn.id));
        Ok(())
    })
}

/// Marks a point of the transaction to which it can go back.
///
/// Savepoints nest: going back to one, or releasing it, ends all that were made after it.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param savepoint out number: Receives the savepoint's number; never 0.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_savepoint(
    txn: sw_txn,
    savepoint: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_savepoint, err, |call| {
        let savepoint = call.out("savepoint", savepoint)?;
        let txn = call.txn(txn)?;
        savepoint.set(txn.step(|txn| Ok(txn.savepoint().number()))?);
        Ok(())
    })
}

/// Undoes what the transaction wrote since a savepoint, which stays. What it read since then still counts when the
/// commit is validated. `SW_UNKNOWN_SAVEPOINT` if the savepoint was released or undone.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param savepoint in number: The savepoint.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_rollback_to(
    txn: sw_txn,
    savepoint: u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_rollback_to, err, |call| {
        let txn = call.txn(txn)?;
        txn.step(|txn| txn.rollback_to(Savepoint::from_number(savepoint)))
    })
}

/// Forgets a savepoint and all after it; what was written stays. `SW_UNKNOWN_SAVEPOINT` if there is no such one.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param savepoint in number: The savepoint.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_release(
    txn: sw_txn,
    savepoint: u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_release, err, |call| {
        let txn = call.txn(txn)?;
        txn.step(|txn| txn.release(Savepoint::from_number(savepoint)))
    })
}

/// Reads the value of a key, as the transaction sees it.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param value out msgpack owned present=found: Receives the value.
/// @param found out flag: Receives 1 if the key is there, and 0 if it is not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_kv_get(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    value: *mut sw_bytes,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_kv_get, err, |call| {
        let (value, found) = (call.out("value", value)?, call.out("found", found)?);
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        if let Some(read) = txn.step(|txn| txn.kv_get(&space, key))? {
            value.give_value(&read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Sets a key in the transaction.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_kv_put(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_kv_put, err, |call| {
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        let value = call.value("value", value, value_len)?;
        txn.step(|txn| txn.kv_put(&space, key, value))
    })
}

/// Removes a key in the transaction.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
/// @param found out flag: Receives 1 if the key was there, and 0 if it was not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_kv_delete(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const u8,
    key_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_kv_delete, err, |call| {
        let found = call.out("found", found)?;
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.key("key", key, key_len)?;
        found.flag(txn.step(|txn| txn.kv_delete(&space, key))?);
        Ok(())
    })
}

/// Lists keys in byte order, with their values, as the transaction sees them.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param prefix in bytes max=SW_MAX_NAME_BYTES: Only keys that begin with this; empty is all.
/// @param after in bytes max=SW_MAX_NAME_BYTES: Only keys that come after this one; empty is from the first. For
///   the next page, the last key of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of [key, value], the keys as bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_kv_list(
    txn: sw_txn,
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
    guard!(sw_txn_kv_list, err, |call| {
        let items = call.out("items", items)?;
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let prefix = call.key("prefix", prefix, prefix_len)?;
        let after = call.key("after", after, after_len)?;
        let found =
            txn.step(|txn| txn.kv_scan(&space, prefix, not_empty(after), limit as usize))?;
        items.give_value(&pairs_of_bytes(found))
    })
}

/// Makes a document in the transaction. Fails with `SW_ALREADY_EXISTS` if there is one.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The document.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_create(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_json_create, err, |call| {
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let value = call.value("value", value, value_len)?;
        txn.step(|txn| txn.json_create(&space, key, value))
    })
}

/// Reads a document, or one place in it, as the transaction sees it.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place, such as `.lines[0].price`; empty is the whole document.
/// @param value out msgpack owned present=found: Receives the value.
/// @param found out flag: Receives 1 if the document and the place are there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_get(
    txn: sw_txn,
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
    guard!(sw_txn_json_get, err, |call| {
        let (value, found) = (call.out("value", value)?, call.out("found", found)?);
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        if let Some(read) = txn.step(|txn| txn.json_get(&space, key, &path))? {
            value.give_value(&read)?;
            found.flag(true);
        }
        Ok(())
    })
}

/// Sets one place in a document in the transaction, making missing objects on the way.
///
/// The empty path makes or replaces the whole document. An index equal to an array's length appends. Fails
/// with `SW_NOT_FOUND` if the document is not there.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole document.
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value to put there.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_set(
    txn: sw_txn,
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
    guard!(sw_txn_json_set, err, |call| {
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        let value = call.value("value", value, value_len)?;
        txn.step(|txn| txn.json_set(&space, key, &path, value))
    })
}

/// Removes one place from a document in the transaction; later elements of an array move up.
///
/// The document itself is removed with `sw_txn_json_drop`. Fails with `SW_NOT_FOUND` if the document is not
/// there.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param path in text max=SW_MAX_NAME_BYTES: The place.
/// @param found out flag: Receives 1 if there was something, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_remove(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    path: *const c_char,
    path_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_json_remove, err, |call| {
        let found = call.out("found", found)?;
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        let path = path_of(call, path, path_len)?;
        found.flag(
            txn.step(|txn| txn.json_remove(&space, key, &path))?
                .is_some(),
        );
        Ok(())
    })
}

/// Removes a document in the transaction.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param found out flag: Receives 1 if the document was there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_drop(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_json_drop, err, |call| {
        let found = call.out("found", found)?;
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        found.flag(txn.step(|txn| txn.json_drop(&space, key))?);
        Ok(())
    })
}

/// The version of the commit that last changed a document, as the transaction sees it: behind a change of its own, the
/// version that it began with plus one.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param key in text max=SW_MAX_NAME_BYTES: The document's key.
/// @param version out number present=found: Receives the version.
/// @param found out flag: Receives 1 if the document is there, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_version(
    txn: sw_txn,
    space: *const c_char,
    space_len: usize,
    key: *const c_char,
    key_len: usize,
    version: *mut u64,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_json_version, err, |call| {
        let (version, found) = (call.out("version", version)?, call.out("found", found)?);
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let key = call.text("key", key, key_len)?;
        if let Some(read) = txn.step(|txn| txn.json_version(&space, key))? {
            version.set(read);
            found.flag(true);
        }
        Ok(())
    })
}

/// Lists documents in the order of their keys, as the transaction sees them.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param prefix in text max=SW_MAX_NAME_BYTES: Only keys that begin with this; empty is all.
/// @param after in text max=SW_MAX_NAME_BYTES: Only keys that come after this one; empty is from the first. For
///   the next page, the last key of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of [key, document].
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_json_list(
    txn: sw_txn,
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
    guard!(sw_txn_json_list, err, |call| {
        let items = call.out("items", items)?;
        let txn = call.txn(txn)?;
        let space = space_of(call, space, space_len)?;
        let prefix = call.text("prefix", prefix, prefix_len)?;
        let after = call.text("after", after, after_len)?;
        let after = if after.is_empty() { None } else { Some(after) };
        let found = txn.step(|txn| txn.json_list(&space, prefix, after, limit as usize))?;
        items.give_value(&pairs_of_text(found))
    })
}
