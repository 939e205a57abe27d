//! Schedules: flows that begin by themselves, listed, paused and resumed.

use std::ffi::c_char;

use statewright::flow::ScheduleInfo;
use statewright::{Timestamp, Value, value};

use crate::bytes::sw_bytes;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::session::Session;
use crate::status::*;

/// The most times that one call of `sw_schedule_upcoming` gives.
pub const SW_MAX_UPCOMING: u32 = 1000;

/// Lists the schedules of deployed flows, by the flow's name. Cases begin by themselves while an engine drives the
/// store.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param schedules out msgpack owned: Receives an array of objects: `flow`, `when` (the cron expressions and their
///   time zone, or the period), `overlap` ("skip", "allow", "queue" or "cancel"), `next` (when the next case is to begin; null
///   while it is paused), `last` (the last due time that was dealt with), `paused`, `case` (the one that began last),
///   `queued` (the due time of the start that waits for that one to end), and how many were `started`, `skipped` (as a
///   case had not ended, or what a new one comes to cannot be stored) and `missed` (as nobody drove the
///   store). Times are microseconds since the start of 1970; what there is not is null.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_list(
    engine: sw_engine,
    schedules: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schedule_list, err, |call| {
        let schedules = call.out("schedules", schedules)?;
        let session = call.engine(engine)?;
        schedules.give_value(&session.schedules()?)
    })
}

/// Gives the next times at which cases of a flow begin by themselves; none while its schedule is paused.
///
/// Fails with `SW_UNKNOWN_FLOW` if the flow has no schedule.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @param count in number: How many at most, up to `SW_MAX_UPCOMING`.
/// @param times out msgpack owned: Receives an array of microseconds since the start of 1970, the soonest first.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_upcoming(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    count: u32,
    times: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schedule_upcoming, err, |call| {
        let times = call.out("times", times)?;
        let session = call.engine(engine)?;
        let flow = call.text("flow", flow, flow_len)?;
        if count > SW_MAX_UPCOMING {
            let why = format!("is {count}; it must be 0 to {SW_MAX_UPCOMING}");
            return Err(checks::invalid("count", why));
        }
        times.give_value(&session.upcoming(flow, count)?)
    })
}

/// Has a flow begin no more cases by itself, over restarts and deployments, until `sw_schedule_resume`. What is due
/// meanwhile is left out, and a start that waits for another case to end does not happen; cases that have begun go on.
///
/// Fails with `SW_UNKNOWN_FLOW` if the flow has no schedule, or `SW_REFUSED` if it is paused already.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_pause(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schedule_pause, err, |call| {
        let session = call.engine(engine)?;
        session.pause_schedule(call.text("flow", flow, flow_len)?)
    })
}

/// Lets a paused schedule go on, with its next time from now on.
///
/// Fails with `SW_UNKNOWN_FLOW` if the flow has no schedule, or `SW_REFUSED` if it is not paused.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flow in text max=SW_MAX_NAME_BYTES: The flow's name.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_resume(
    engine: sw_engine,
    flow: *const c_char,
    flow_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schedule_resume, err, |call| {
        let session = call.engine(engine)?;
        session.resume_schedule(call.text("flow", flow, flow_len)?)
    })
}

impl Session {
    fn schedules(&self) -> Result<Value> {
        Ok(self.engine().schedules()?.iter().map(schedule).collect())
    }

    fn upcoming(&self, flow: &str, count: u32) -> Result<Value> {
        let times = self.engine().upcoming(flow, count as usize)?;
        Ok(times.iter().map(|at| Value::from(at.as_micros())).collect())
    }

    fn pause_schedule(&self, flow: &str) -> Result<()> {
        Ok(self.engine().pause_schedule(flow)?)
    }

    fn resume_schedule(&self, flow: &str) -> Result<()> {
        Ok(self.engine().resume_schedule(flow)?)
    }
}

fn schedule(of: &ScheduleInfo) -> Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
    value!({
        "flow": (of.flow.as_str()),
        "when": (of.when.as_str()),
        "overlap": (of.overlap),
        "next": (time(of.next)),
        "last": (time(of.last)),
        "paused": (of.paused),
        "case": (of.case.as_deref()),
        "queued": (time(of.queued)),
        "started": (of.started),
        "skipped": (of.skipped),
        "missed": (of.missed),
    })
}
