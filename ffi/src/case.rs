//! Cases: running instances of flows.

use std::ffi::c_char;

use statewright::flow::CaseFilter;

use crate::bytes::sw_bytes;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::queue::{SW_OP_CASE_WAIT, Timeout, sw_cq};
use crate::session::given;
use crate::status::*;

/// Starts a case of a flow.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @param input in msgpack max=SW_MAX_INPUT_BYTES nullable: The case's input, merged over the flow's own; no
///   bytes is null.
/// @param case_id in text max=SW_MAX_NAME_BYTES: The id to give it; empty to have one made. Fails with
///   `SW_CASE_EXISTS` if it is taken.
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
        let id = call.out_reserved("id", id)?;
        let session = call.engine(engine)?;
        let flow = call.text("flow", flow, flow_len)?;
        let input = call.value_or_null("input", input, input_len)?;
        let case_id = call.text("case_id", case_id, case_id_len)?;
        id.give(session.start(flow, input, case_id)?.into_bytes());
        Ok(())
    })
}

/// Starts several cases of a flow, one for each input. Each is a commit of its own, as by `sw_case_start`, but they
/// wait for the disk together: many times faster than one by one.
///
/// A status other than `SW_OK` concerns all of them. What concerns one is in `started`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @param inputs in msgpack max=SW_MAX_INPUT_BYTES: An array of up to 10,000 inputs, each an object or null.
/// @param started out msgpack owned: Receives an array of objects, one for each input: `case` (its id), or, if it was
///   refused, `error` with `code` (a status), `message`, `path`, `help` and `retryable`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_start_all(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    inputs: *const u8,
    inputs_len: usize,
    started: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_start_all, err, |call| {
        let started = call.out_reserved("started", started)?;
        let session = call.engine(engine)?;
        let flow = call.text("flow", flow, flow_len)?;
        let inputs: Vec<_> = call
            .array_around(1, "inputs", inputs, inputs_len)?
            .items()
            .collect();
        started.give_value(&session.start_all(flow, &inputs)?);
        Ok(())
    })
}

/// The state of a case.
///
/// It is an object: `id`, `flow`, `version`, `status` ("running", "suspended" and "compensating", while what it did is
/// being undone, are open; it ends as "completed", "failed", "deadlocked", "cancelled", "terminated", "compensated" or
/// "compensation_failed"), `parent` (the case that called it, or null), `created` and `updated` (microseconds since the
/// start of 1970), `data`, `marking` (tokens by place), `items` (work in flight: `item`, `task`, `kind`, `state`,
/// `attempt`), `result` and `error` (null unless it ended so).
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
/// @param flow in text max=SW_MAX_NAME_BYTES: Only cases of this flow; empty is all.
/// @param status in text max=SW_MAX_NAME_BYTES: Only cases with this status; empty is all.
/// @param after in text max=SW_MAX_NAME_BYTES: Only ids that come after this one; empty is from the first. For
///   the next page, the last id of this one.
/// @param limit in number: At most so many.
/// @param items out msgpack owned: Receives an array of objects, each as `sw_case_get` gives it.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_list(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    status: *const c_char,
    status_len: usize,
    after: *const c_char,
    after_len: usize,
    limit: u32,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_list, err, |call| {
        let items = call.out("items", items)?;
        let session = call.engine(engine)?;
        let flow = call.text("flow", flow, flow_len)?;
        let status = call.text("status", status, status_len)?;
        let after = call.text("after", after, after_len)?;
        items.give_value(&session.cases(&filter_of(flow, status, after, limit)?)?)
    })
}

/// Tells what a case waits for, since when, and what would move it on.
///
/// @role getter
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param explanation out msgpack owned: Receives an array of objects: `task`, `item`, `what`, `since`, `until`
///   (`at` and `then`: what happens next by itself), `unblocks`.
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
/// @param after in number: Only events after this number; 0 is all.
/// @param events out msgpack owned: Receives an array of objects: `case`, `seq`, `version`, `at`, `event`,
///   `task`, `item`, `attempt`, `detail`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_history(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    after: u64,
    events: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_history, err, |call| {
        let events = call.out("events", events)?;
        let session = call.engine(engine)?;
        events.give_value(&session.history(call.text("id", id, id_len)?, after)?)
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
        op.set(queue.submit(&session, SW_OP_CASE_WAIT, user_data, |done| {
            session.on_end(id, done)
        })?);
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

/// Asks a case: evaluates a jq expression on its data, with `$case`, `$flow` and `$data`, running or ended. Nothing is
/// changed. The expression is limited in steps and sizes, as those of flows are.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_EXPRESSION` if it cannot be read, or `SW_REFUSED` if it fails on this data or does
/// not give exactly one value.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param query in text max=SW_MAX_INPUT_BYTES: The expression, such as `.lines | length`.
/// @param answer out msgpack owned: Receives what it gives.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_query(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    query: *const c_char,
    query_len: usize,
    answer: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_query, err, |call| {
        let answer = call.out("answer", answer)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let query = call.document("query", query, query_len)?;
        answer.give_value(&session.query(id, query)?)
    })
}

fn filter_of(flow: &str, status: &str, after: &str, limit: u32) -> Result<CaseFilter> {
    let unknown = |()| {
        let why = format_args!("\"{status}\" is none that a case can have");
        let help =
            "pass a status such as running, suspended, completed or failed, or nothing for all";
        checks::invalid("status", why).help(help)
    };
    Ok(CaseFilter {
        flow: given(flow).map(str::to_owned),
        status: given(status)
            .map(|status| status.parse().map_err(unknown))
            .transpose()?,
        after: given(after).map(str::to_owned),
        limit: Some(limit as usize),
    })
}
