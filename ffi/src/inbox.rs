//! Work items by name, for people more than for programs: listed, taken, handed over, given back, skipped.

use std::ffi::c_char;
use std::time::Duration;

use statewright::flow::WorkFilter;
use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::session::Session;
use crate::shapes;
use crate::status::*;

/// The most work items that one call of `sw_work_list` gives, and what it gives unless told otherwise.
pub const SW_MAX_WORK_LIST: u32 = 1000;

/// Lists the work of open cases that waits for a host or is at work, by case and number. What a suspended case has not
/// handed out is not among it.
///
/// The filter is an object, of which all is optional: `topic`, `case`, `task`, `worker` (text), `state` ("offered",
/// "leased" or "backing_off"), `limit` (1 to `SW_MAX_WORK_LIST`), `after` (an object with the `case` and `item` of the
/// last one of the page before). Other fields are refused.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param filter in msgpack max=SW_MAX_INPUT_BYTES nullable: Which items; no bytes is all.
/// @param items out msgpack owned: Receives an array of objects: `case`, `item`, `task`, `topic`, `state`, `since`,
///   `attempt`, `input` (null before it is taken for the first time), `worker` (who has it), `token` (of who has it),
///   `deadline`, `until` (when it is offered again); what there is not is null.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_list(
    engine: sw_engine,
    filter: *const u8,
    filter_len: usize,
    items: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_list, err, |call| {
        let items = call.out("items", items)?;
        let session = call.engine(engine)?;
        let filter = filter_of(&call.value_or_null("filter", filter, filter_len)?)?;
        items.give_value(&session.work(&filter)?)
    })
}

/// Takes one offered work item by its case and number, whoever else polls for its topic.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_UNKNOWN_ITEM`, or `SW_REFUSED` if somebody has it, it is no work of a host, or it
/// cannot be had at the moment; the message says why.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param item in number: The item's number in the case.
/// @param worker in text max=SW_MAX_NAME_BYTES: Who takes it.
/// @param lease_ns in number: How long it stays theirs without a heartbeat, in nanoseconds; 0 is without end, over
///   restarts too.
/// @param taken out msgpack owned: Receives an object, as `sw_work_poll` describes it.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_take(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    item: u64,
    worker: *const c_char,
    worker_len: usize,
    lease_ns: u64,
    taken: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_take, err, |call| {
        let taken = call.out_reserved("taken", taken)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let worker = call.text("worker", worker, worker_len)?;
        taken.give_value(&session.take(id, item, worker, lease_ns)?);
        Ok(())
    })
}

/// Hands a work item to another worker, who gets a new token; the old one is refused from now on. The attempt and its
/// deadline go on.
///
/// Fails with `SW_STALE_ITEM` if the item is not this token's any more; nothing changes then.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param token in text max=SW_MAX_NAME_BYTES: The item's token.
/// @param worker in text max=SW_MAX_NAME_BYTES: Who gets it.
/// @param lease_ns in number: How long it stays theirs without a heartbeat, in nanoseconds; 0 is without end.
/// @param handed out msgpack owned: Receives an object, as `sw_work_poll` describes it, with the new token.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_delegate(
    engine: sw_engine,
    token: *const c_char,
    token_len: usize,
    worker: *const c_char,
    worker_len: usize,
    lease_ns: u64,
    handed: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_delegate, err, |call| {
        let handed = call.out_reserved("handed", handed)?;
        let session = call.engine(engine)?;
        let token = call.text("token", token, token_len)?;
        let worker = call.text("worker", worker, worker_len)?;
        handed.give_value(&session.delegate(token, worker, lease_ns)?);
        Ok(())
    })
}

/// Gives a work item back: it is offered again at once, and no attempt has failed.
///
/// Fails with `SW_STALE_ITEM` if the item is not this token's any more; nothing changes then.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param token in text max=SW_MAX_NAME_BYTES: The item's token.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_give_back(
    engine: sw_engine,
    token: *const c_char,
    token_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_give_back, err, |call| {
        let session = call.engine(engine)?;
        session.give_back(call.text("token", token, token_len)?)
    })
}

/// Decides that a work item is not to be done, whoever has it: its task completes without a result, nothing goes into
/// the case's data, and the case goes on. A result that comes later gets `SW_STALE_ITEM`.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, `SW_UNKNOWN_ITEM`, or `SW_REFUSED` if it is no work of a host or the
/// case is suspended.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param item in number: The item's number in the case.
/// @param reason in text max=SW_MAX_NAME_BYTES: Why, for the history; may be empty.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_work_skip(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    item: u64,
    reason: *const c_char,
    reason_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_work_skip, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.skip(id, item, call.text("reason", reason, reason_len)?)
    })
}

impl Session {
    fn work(&self, filter: &WorkFilter) -> Result<Value> {
        let items = self.engine().work(filter)?;
        Ok(items.iter().map(shapes::work).collect())
    }

    fn take(&self, id: &str, item: u64, worker: &str, lease_ns: u64) -> Result<Value> {
        let taken = self.engine().take(id, item, worker, lease_of(lease_ns))?;
        Ok(shapes::item(&taken))
    }

    fn delegate(&self, token: &str, worker: &str, lease_ns: u64) -> Result<Value> {
        let handed = self.engine().delegate(token, worker, lease_of(lease_ns))?;
        Ok(shapes::item(&handed))
    }

    fn give_back(&self, token: &str) -> Result<()> {
        Ok(self.engine().give_back(token)?)
    }

    fn skip(&self, id: &str, item: u64, reason: &str) -> Result<()> {
        Ok(self.engine().skip(id, item, reason)?)
    }
}

fn lease_of(ns: u64) -> Option<Duration> {
    (ns > 0).then(|| Duration::from_nanos(ns))
}

fn filter_of(given: &Value) -> Result<WorkFilter> {
    let mut filter = WorkFilter {
        limit: Some(SW_MAX_WORK_LIST as usize),
        ..WorkFilter::default()
    };
    checks::object("filter", given)?;
    for (key, value) in given.entries() {
        let at = format!("filter.{key}");
        match key {
            _ if value.is_null() => {}
            "topic" => filter.topic = Some(checks::text(&at, &value)?),
            "case" => filter.case = Some(checks::text(&at, &value)?),
            "task" => filter.task = Some(checks::text(&at, &value)?),
            "worker" => filter.worker = Some(checks::text(&at, &value)?),
            "state" => {
                let state = checks::text(&at, &value)?.parse();
                let known = "must be offered, leased or backing_off";
                filter.state = Some(state.map_err(|()| checks::invalid(&at, known))?);
            }
            "limit" => {
                let limit = u32::try_from(checks::count(&at, &value)?).unwrap_or(u32::MAX);
                if !(1..=SW_MAX_WORK_LIST).contains(&limit) {
                    return Err(checks::invalid(&at, "must be 1 to 1000"));
                }
                filter.limit = Some(limit as usize);
            }
            "after" => {
                let part = |name| value.get(name).unwrap_or_default();
                let case = checks::text("filter.after.case", &part("case"))?;
                let item = checks::count("filter.after.item", &part("item"))?;
                filter.after = Some((case, item));
            }
            other => {
                let known = "topic, case, task, worker, state, limit and after";
                return Err(checks::unknown("filter", other, known));
            }
        }
    }
    Ok(filter)
}
