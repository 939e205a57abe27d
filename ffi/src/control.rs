//! What people and programs do to running cases from outside.

use std::ffi::c_char;

use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::session::Session;
use crate::shapes;
use crate::status::*;

/// Cancels a case with all its work, timers and called cases; it is then "cancelled".
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, or `SW_REFUSED` if it is undoing what it did already, suspended or
/// not. What comes later for any of its work gets `SW_STALE_ITEM`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param reason in text max=SW_MAX_NAME_BYTES: Why, for people; it is in the case's error. May be empty.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_cancel(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_cancel, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.cancel_case(id, call.text("reason", reason, reason_len)?)
    })
}

/// Ends a case by force: as `sw_case_cancel`, but it is then "terminated", and nothing that a flow does on being
/// cancelled is done.
///
/// Fails with `SW_UNKNOWN_CASE` or `SW_CASE_CLOSED`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param reason in text max=SW_MAX_NAME_BYTES: Why, for people; it is in the case's error. May be empty.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_terminate(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_terminate, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.terminate_case(id, call.text("reason", reason, reason_len)?)
    })
}

/// Suspends a case and those it called: nothing is offered or started and no timer fires until it is resumed. Work
/// that somebody has already may still be completed.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, or `SW_REFUSED` if it is suspended already.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_suspend(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_suspend, err, |call| {
        let session = call.engine(engine)?;
        session.suspend_case(call.text("id", id, id_len)?)
    })
}

/// Lets a suspended case go on. Timers that fell due meanwhile fire at once.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, or `SW_REFUSED` if it is not suspended.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_resume(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_resume, err, |call| {
        let session = call.engine(engine)?;
        session.resume_case(call.text("id", id, id_len)?)
    })
}

/// Cancels one task of a case: if it is only offered, it is withdrawn with the tokens that enabled it; if it runs, it
/// stops with all its instances. It produces nothing.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, or `SW_REFUSED` if the flow has no such task or nothing of it is
/// enabled or runs.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param task in text max=SW_MAX_NAME_BYTES: The task's name.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_cancel_task(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    task: *const c_char,
    task_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_cancel_task, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.cancel_task(id, call.text("task", task, task_len)?)
    })
}

/// Has a running task of several instances complete now: what is unfinished is cancelled, and the results of the
/// finished ones go on.
///
/// Fails as `sw_case_cancel_task` does.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param task in text max=SW_MAX_NAME_BYTES: The task's name.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_complete_task(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    task: *const c_char,
    task_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_complete_task, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.complete_task(id, call.text("task", task, task_len)?)
    })
}

/// Adds instances to a running task whose `many` says `add: true`, one for each item.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_CLOSED`, `SW_INPUT` for no items or more than 100,000, or `SW_REFUSED`: the
/// task does not run, has completed, takes none, or would have more than its `max`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param task in text max=SW_MAX_NAME_BYTES: The task's name.
/// @param items in msgpack max=SW_MAX_INPUT_BYTES: An array of what the instances are made of.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_add_instances(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    task: *const c_char,
    task_len: usize,
    items: *const u8,
    items_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_add_instances, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let task = call.text("task", task, task_len)?;
        let items = call.array_around(1, "items", items, items_len)?;
        session.add_instances(id, task, &items)
    })
}

/// Sends a signal to a case: the task that has waited longest for this name takes it; else it is kept, if a task of the
/// flow asks for that; else it is lost.
///
/// Fails with `SW_UNKNOWN_CASE` or `SW_CASE_CLOSED`; or with `SW_REFUSED` if the data does not fit the `schema` of any
/// task of the flow that waits for the signal, or the `reply` of the one that takes it cannot be computed: nothing is
/// changed then.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param signal in text max=SW_MAX_NAME_BYTES: The signal's name.
/// @param data in msgpack max=SW_MAX_INPUT_BYTES nullable: What it says; no bytes is null.
/// @param delivery out msgpack owned: Receives an object: `outcome` ("taken", "kept" or "dropped"), `case` and `task`
///   (who took it, or null), `reply` (what the task answers if its `reply` says something; else null), `code` (why it
///   was dropped: "nobody-waits", "unknown-signal", "suspended" or "full"; or null).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_signal(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    signal: *const c_char,
    signal_len: usize,
    data: *const u8,
    data_len: usize,
    delivery: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_signal, err, |call| {
        let delivery = call.out_reserved("delivery", delivery)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let signal = call.text("signal", signal, signal_len)?;
        let data = call.value_or_null("data", data, data_len)?;
        delivery.give_value(&session.signal(id, signal, &data)?);
        Ok(())
    })
}

/// Sends a signal to whichever case waits for its name and key: the one that has waited longest takes it. If none does,
/// it is kept if a deployed flow wants that of this name, else lost.
///
/// Fails with `SW_INPUT` for a key that is empty or longer than 512 bytes, or with `SW_REFUSED` as `sw_case_signal`.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param signal in text max=SW_MAX_NAME_BYTES: The signal's name.
/// @param key in text max=SW_MAX_NAME_BYTES: The key, such as an order's number.
/// @param data in msgpack max=SW_MAX_INPUT_BYTES nullable: What it says; no bytes is null.
/// @param delivery out msgpack owned: Receives an object, as `sw_case_signal` gives it.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_signal_send(
    engine: sw_engine,
    signal: *const c_char,
    signal_len: usize,
    key: *const c_char,
    key_len: usize,
    data: *const u8,
    data_len: usize,
    delivery: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_signal_send, err, |call| {
        let delivery = call.out_reserved("delivery", delivery)?;
        let session = call.engine(engine)?;
        let signal = call.text("signal", signal, signal_len)?;
        let key = call.text("key", key, key_len)?;
        let data = call.value_or_null("data", data, data_len)?;
        delivery.give_value(&session.signal_key(signal, key, &data)?);
        Ok(())
    })
}

impl Session {
    fn cancel_case(&self, id: &str, reason: &str) -> Result<()> {
        Ok(self.engine().cancel_case(id, reason)?)
    }

    fn terminate_case(&self, id: &str, reason: &str) -> Result<()> {
        Ok(self.engine().terminate_case(id, reason)?)
    }

    fn suspend_case(&self, id: &str) -> Result<()> {
        Ok(self.engine().suspend_case(id)?)
    }

    fn resume_case(&self, id: &str) -> Result<()> {
        Ok(self.engine().resume_case(id)?)
    }

    fn cancel_task(&self, id: &str, task: &str) -> Result<()> {
        Ok(self.engine().cancel_task(id, task)?)
    }

    fn complete_task(&self, id: &str, task: &str) -> Result<()> {
        Ok(self.engine().complete_task(id, task)?)
    }

    fn add_instances(&self, id: &str, task: &str, items: &Value) -> Result<()> {
        let items: Vec<Value> = items.items().collect();
        Ok(self.engine().add_instances(id, task, &items)?)
    }

    fn signal(&self, id: &str, signal: &str, data: &Value) -> Result<Value> {
        Ok(shapes::delivery(&self.engine().signal(id, signal, data)?))
    }

    fn signal_key(&self, signal: &str, key: &str, data: &Value) -> Result<Value> {
        let delivery = self.engine().signal_key(signal, key, data)?;
        Ok(shapes::delivery(&delivery))
    }
}
