//! Cases: running instances of flows.

use std::ffi::c_char;

use crate::bytes::sw_bytes;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::guard::guard;
use crate::queue::{SW_OP_CASE_WAIT, Timeout, sw_cq};
use crate::status::*;

/// Starts a case of a flow.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @param input in msgpack max=SW_MAX_INPUT_BYTES nullable: The case's input, merged over the flow's own; no bytes is null.
/// @param case_id in text max=SW_MAX_NAME_BYTES: The id to give it; empty to have one made. Fails with `SW_CASE_EXISTS` if it is taken.
/// @param id out text owned: Receives the case's id.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_start(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    input: *const u8,
    input_len: usize,
    case_id: *const c_char,
    case_id_len: usize,
    id: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_start, err, |call| {
        let id = call.out("id", id)?;
        let session = call.engine(engine)?;
        let flow = call.text("flow", flow, flow_len)?;
        let input = call.value_or_null("input", input, input_len)?;
        let case_id = call.text("case_id", case_id, case_id_len)?;
        id.give(session.start(flow, input, case_id)?.into_bytes())
    })
}

/// The state of a case: its status, data, result, running tasks.
///
/// @role getter
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param state out msgpack owned: Receives an object.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_get(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    state: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_get, err, |call| {
        let state = call.out("state", state)?;
        let session = call.engine(engine)?;
        state.give_value(&session.case(call.text("id", id, id_len)?)?)
    })
}

/// Lists cases in the order of their ids.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param after in text max=SW_MAX_NAME_BYTES: Only ids that come after this one; empty is from the first. For the next page, the last id of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of objects.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_list(
    engine: sw_engine,
    after: *const c_char,
    after_len: usize,
    limit: u32,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_list, err, |call| {
        let items = call.out("items", items)?;
        let session = call.engine(engine)?;
        let after = call.text("after", after, after_len)?;
        items.give_value(&session.cases(after, limit as usize)?)
    })
}

/// Tells what a case waits for, since when, and what would move it on.
///
/// @role getter
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param explanation out msgpack owned: Receives an object.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_explain(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    explanation: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_explain, err, |call| {
        let explanation = call.out("explanation", explanation)?;
        let session = call.engine(engine)?;
        explanation.give_value(&session.explain(call.text("id", id, id_len)?)?)
    })
}

/// What has happened to a case, oldest first.
///
/// @role getter
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param events out msgpack owned: Receives an array of objects.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_history(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    events: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_history, err, |call| {
        let events = call.out("events", events)?;
        let session = call.engine(engine)?;
        events.give_value(&session.history(call.text("id", id, id_len)?)?)
    })
}

/// Starts waiting for a case to end. Completes with the case's state, as `sw_case_get` gives it.
///
/// The completion is `SW_OK` however the case ended: its status tells.
///
/// @role submit
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param cq in handle: The queue to complete on.
/// @param user_data in number: Comes back in the completion.
/// @param op out number: Receives the operation's number, for `sw_op_cancel`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_wait(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    cq: sw_cq,
    user_data: u64,
    op: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_wait, err, |call| {
        let op = call.out("op", op)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let queue = call.queue(cq)?;
        op.set(queue.submit(&session, SW_OP_CASE_WAIT, user_data, |done| session.on_end(id, done))?);
        Ok(())
    })
}

/// Waits for a case to end, and returns its state, as `sw_case_get` does.
///
/// Returns `SW_TIMEOUT` when it has not ended in time. `SW_OK` however the case ended: its status tells.
///
/// @role method
/// @on engine
/// @thread safe
/// @blocks
/// @node manual
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param timeout_ns in number: How long to wait, in nanoseconds; 0 does not wait, negative waits without limit.
/// @param state out msgpack owned: Receives an object.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_wait_sync(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    timeout_ns: i64,
    state: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_wait_sync, err, |call| {
        let state = call.out("state", state)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        state.give_value(&session.wait(id, Timeout::from_ns(timeout_ns))?)
    })
}
