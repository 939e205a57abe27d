//! Work items: what cases hand out to be done by the host, in its own language and on its own threads.
//!
//! An item is leased, not given: whoever takes it completes it, fails it, or heartbeats before the lease runs
//! out; after that, somebody else gets it. So an item may be delivered twice; only the first completion moves
//! the case on.

use std::ffi::c_char;
use std::time::Duration;

use statewright::Poll;
use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::queue::{SW_OP_WORK_POLL, Timeout, sw_cq};
use crate::status::*;

/// The most work items that one poll takes.
pub const SW_MAX_WORK_ITEMS: u32 = 1000;

/// Starts waiting for work items. Completes with an array of at least one, leased to this worker.
///
/// An item is an object: `token` (for the other functions), `case`, `item`, `task`, `topic`, `attempt` (from
/// 1), `idempotency_key` (the same for every attempt), `input`, `deadline` and `lease_until` (microseconds
/// since the start of 1970, or null).
///
/// @role submit
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param topics in msgpack max=SW_MAX_INPUT_BYTES: An array of the topics to take items of.
/// @param worker in text max=SW_MAX_NAME_BYTES: The worker's name, for people who ask who has an item.
/// @param max in number: At most so many items; from 1 to `SW_MAX_WORK_ITEMS`.
/// @param lease_ns in number: How long the items stay this worker's without a heartbeat, in nanoseconds; above 0.
/// @param cq in handle: The queue to complete on.
/// @param user_data in number: Comes back in the completion.
/// @param op out number: Receives the operation's number, for `sw_op_cancel`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_poll(
    engine: sw_engine,
    topics: *const u8,
    topics_len: usize,
    worker: *const c_char,
    worker_len: usize,
    max: u32,
    lease_ns: u64,
    cq: sw_cq,
    user_data: u64,
    op: *mut u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_poll, err, |call| {
        let op = call.out("op", op)?;
        let session = call.engine(engine)?;
        let topics = call.value("topics", topics, topics_len)?;
        let worker = call.text("worker", worker, worker_len)?;
        let queue = call.queue(cq)?;
        let poll = poll_of(&topics, worker, max, lease_ns)?;
        op.set(queue.submit(&session, SW_OP_WORK_POLL, user_data, |done| {
            session.on_work(poll, done)
        })?);
        Ok(())
    })
}

/// Waits for work items and takes them: an array of at least one, leased to this worker.
///
/// Returns `SW_TIMEOUT` when there were none in time.
///
/// @role method
/// @on engine
/// @thread safe
/// @blocks
/// @node manual
/// @param engine in handle: The engine.
/// @param topics in msgpack max=SW_MAX_INPUT_BYTES: An array of the topics to take items of.
/// @param worker in text max=SW_MAX_NAME_BYTES: The worker's name, for people who ask who has an item.
/// @param max in number: At most so many items; from 1 to `SW_MAX_WORK_ITEMS`.
/// @param lease_ns in number: How long the items stay this worker's without a heartbeat, in nanoseconds; above 0.
/// @param timeout_ns in number: How long to wait, in nanoseconds; 0 does not wait, negative waits without limit.
/// @param items out msgpack owned: Receives an array of objects, as `sw_work_poll` describes them.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_poll_sync(
    engine: sw_engine,
    topics: *const u8,
    topics_len: usize,
    worker: *const c_char,
    worker_len: usize,
    max: u32,
    lease_ns: u64,
    timeout_ns: i64,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_poll_sync, err, |call| {
        let items = call.out_reserved("items", items)?;
        let session = call.engine(engine)?;
        let topics = call.value("topics", topics, topics_len)?;
        let worker = call.text("worker", worker, worker_len)?;
        let poll = poll_of(&topics, worker, max, lease_ns)?;
        items.give_value(&session.poll(poll, Timeout::from_ns(timeout_ns))?);
        Ok(())
    })
}

/// Keeps a work item for longer. Fails with `SW_STALE_ITEM` if the lease had run out and the item went
/// elsewhere.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param token in text max=SW_MAX_NAME_BYTES: The item's token, as the poll gave it.
/// @param lease_ns in number: How long it stays this worker's from now on, in nanoseconds; above 0.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_heartbeat(
    engine: sw_engine,
    token: *const c_char,
    token_len: usize,
    lease_ns: u64,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_heartbeat, err, |call| {
        let session = call.engine(engine)?;
        let token = call.text("token", token, token_len)?;
        session.heartbeat(token, lease_of(lease_ns)?)
    })
}

/// Hands in the result of a work item. Its effect and the case's next step are one commit.
///
/// Fails with `SW_STALE_ITEM` if somebody else has the item or has finished it; nothing changes then.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param token in text max=SW_MAX_NAME_BYTES: The item's token, as the poll gave it.
/// @param result in msgpack max=SW_MAX_INPUT_BYTES nullable: The result; no bytes is null.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_complete(
    engine: sw_engine,
    token: *const c_char,
    token_len: usize,
    result: *const u8,
    result_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_complete, err, |call| {
        let session = call.engine(engine)?;
        let token = call.text("token", token, token_len)?;
        session.complete(token, call.value_or_null("result", result, result_len)?)
    })
}

/// Says that a work item could not be done. The task's retry rules decide what happens next.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param token in text max=SW_MAX_NAME_BYTES: The item's token, as the poll gave it.
/// @param failure in msgpack max=SW_MAX_INPUT_BYTES: An object: `message` (text), and if you like `code` (text)
///   and `retryable` (true unless said otherwise).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_fail(
    engine: sw_engine,
    token: *const c_char,
    token_len: usize,
    failure: *const u8,
    failure_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_fail, err, |call| {
        let session = call.engine(engine)?;
        let token = call.text("token", token, token_len)?;
        session.fail(token, &call.value("failure", failure, failure_len)?)
    })
}

/// Hands in what became of several work items, of one case or many. Each is a commit of its own, as by
/// `sw_work_complete` or `sw_work_fail`, but they wait for the disk together: a worker that takes many items at a time
/// and gives them back so is many times faster than one by one.
///
/// A status other than `SW_OK` concerns all of them. What concerns one is in `verdicts`, such as `SW_STALE_ITEM`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param outcomes in msgpack max=SW_MAX_INPUT_BYTES: An array of up to 10,000 objects: `token`, and `result`, or
///   `failure` as `sw_work_fail` takes it. Without either the result is null.
/// @param verdicts out msgpack owned: Receives an array, for each outcome null, or why it was refused: an object
///   `error` with `code` (a status), `message`, `path`, `help` and `retryable`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_deliver(
    engine: sw_engine,
    outcomes: *const u8,
    outcomes_len: usize,
    verdicts: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_deliver, err, |call| {
        let verdicts = call.out_reserved("verdicts", verdicts)?;
        let session = call.engine(engine)?;
        let outcomes = call.array_around(2, "outcomes", outcomes, outcomes_len)?;
        verdicts.give_value(&session.deliver(&outcomes)?);
        Ok(())
    })
}

fn poll_of(topics: &Value, worker: &str, max: u32, lease_ns: u64) -> Result<Poll> {
    let topics = checks::texts("topics", topics)?;
    if topics.is_empty() {
        return Err(checks::invalid("topics", "must have at least one text"));
    }
    if max == 0 || max > SW_MAX_WORK_ITEMS {
        let why = format!("is {max}; it must be 1 to {SW_MAX_WORK_ITEMS}");
        return Err(checks::invalid("max", why));
    }
    Ok(Poll {
        topics,
        worker: worker.to_owned(),
        max: max as usize,
        lease: lease_of(lease_ns)?,
    })
}

fn lease_of(lease_ns: u64) -> Result<Duration> {
    if lease_ns == 0 {
        return Err(checks::invalid("lease_ns", "is 0; a lease must last"));
    }
    Ok(Duration::from_nanos(lease_ns))
}
