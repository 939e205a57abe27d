//! Calls as data: every operation of every primitive, several at once.

use std::ffi::c_char;

use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::guard::guard;
use crate::kv::space_of;
use crate::status::*;
use crate::txn::sw_txn;

/// Runs operations on the state, all of them in one transaction or, if one fails, none. A conflict is tried again.
///
/// Each call is an object, such as `{"op": "kv.put", "space": "acme/app", "key": "k", "value": 1}`; `space` is the
/// default one unless it is given. `sw_operations` lists the operations of kv, json, events, cells, traces, runs and
/// spaces with their parameters. One call alone may also be on the past (`kv.history`, …), and then `kv.increment`,
/// `json.increment` and `event.append` give the sum and the sequence, and never conflict.
///
/// What an operation gives is null if nothing is there. So it is if a null is there, for `json.get`, `json.remove`,
/// `json.pop` and `kv.swap`: `json.type` and `kv.exists`, called before in the same calls, tell.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param calls in msgpack max=SW_MAX_INPUT_BYTES: An array of calls.
/// @param results out msgpack owned: Receives an array of what each call gives.
/// @param version out number: Receives the version of the commit; if nothing was written, the version that was read.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_call(
    engine: sw_engine,
    calls: *const u8,
    calls_len: usize,
    results: *mut sw_bytes,
    version: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_call, err, |call| {
        let (results, version) = (
            call.out_reserved("results", results)?,
            call.out("version", version)?,
        );
        let session = call.engine(engine)?;
        let calls = call.array_around(2, "calls", calls, calls_len)?;
        let calls: Vec<Value> = calls.items().collect();
        let (given, committed) = session.store().call(&calls)?;
        results.give_value(&Value::from(given));
        version.set(committed);
        Ok(())
    })
}

/// Runs one operation in a transaction; see `sw_call`. If it fails, the transaction is as it was before.
///
/// @role method
/// @on txn
/// @thread handle
/// @param txn in handle: The transaction.
/// @param operation in msgpack max=SW_MAX_INPUT_BYTES: The call.
/// @param result out msgpack owned: Receives what it gives.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_txn_call(
    txn: sw_txn,
    operation: *const u8,
    operation_len: usize,
    result: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_txn_call, err, |call| {
        let result = call.out_reserved("result", result)?;
        let txn = call.txn(txn)?;
        let operation = call.value_around(1, "operation", operation, operation_len)?;
        result.give_value(&txn.step(|txn| txn.call(&operation))?);
        Ok(())
    })
}

/// Puts an event at the end of a stream and gives where it stands. Never conflicts.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param space in text max=SW_MAX_NAME_BYTES: The space; empty is "default".
/// @param stream in text max=SW_MAX_NAME_BYTES: The stream; it is made if it is not there.
/// @param kind in text max=SW_MAX_NAME_BYTES: The event's type.
/// @param payload in msgpack max=SW_MAX_INPUT_BYTES: What happened; an object.
/// @param sequence out number: Receives the event's sequence; 0 is the first.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_event_append(
    engine: sw_engine,
    space: *const c_char,
    space_len: usize,
    stream: *const c_char,
    stream_len: usize,
    kind: *const c_char,
    kind_len: usize,
    payload: *const u8,
    payload_len: usize,
    sequence: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_event_append, err, |call| {
        let sequence = call.out("sequence", sequence)?;
        let session = call.engine(engine)?;
        let space = space_of(call, space, space_len)?;
        let stream = call.text("stream", stream, stream_len)?;
        let kind = call.text("kind", kind, kind_len)?;
        let payload = call.value("payload", payload, payload_len)?;
        let appended = session
            .store()
            .event_append(&space, stream, kind, payload)?;
        sequence.set(appended.sequences.start);
        Ok(())
    })
}

/// Lists the operations that can be called.
///
/// @role function
/// @on library
/// @thread safe
/// @param operations out msgpack owned: Receives an array of `{name, required, optional}`, the parameters as text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_operations(operations: *mut sw_bytes, err: *mut sw_error) -> sw_status {
    guard!(sw_operations, err, |call| {
        let out = call.out("operations", operations)?;
        let texts = |all: &[&str]| all.iter().map(|text| Value::text(text)).collect::<Value>();
        let listed = statewright_store::operations().iter().map(|operation| {
            statewright_value::value!({
                "name": (operation.name),
                "required": (texts(operation.required)),
                "optional": (texts(operation.optional))
            })
        });
        out.give_value(&listed.collect())
    })
}
