//! Flows: the descriptions that cases run by.

use std::ffi::c_char;

use crate::bytes::sw_bytes;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::guard::guard;
use crate::status::*;

/// Reads a flow's text (YAML or JSON), checks it, and keeps it under its name and version.
///
/// Fails with `SW_INVALID_SPEC` if it has errors; `sw_flow_check` lists them one by one.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param text in text max=SW_MAX_INPUT_BYTES: The flow.
/// @param dir in text max=SW_MAX_NAME_BYTES: The folder it comes from, for `$flow.dir`; empty for none.
/// @param flow out msgpack owned: Receives an object: `name`, `version`, `key` (names the exact content).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_deploy(
    engine: sw_engine,
    text: *const c_char,
    text_len: usize,
    dir: *const c_char,
    dir_len: usize,
    flow: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_deploy, err, |call| {
        let flow = call.out_reserved("flow", flow)?;
        let session = call.engine(engine)?;
        let text = call.document("text", text, text_len)?;
        let dir = call.text("dir", dir, dir_len)?;
        flow.give_value(&session.deploy(text, dir)?);
        Ok(())
    })
}

/// Checks a flow's text and lists everything that is wrong with it.
///
/// @role function
/// @on flow
/// @thread safe
/// @param text in text max=SW_MAX_INPUT_BYTES: The flow.
/// @param problems out msgpack owned: Receives an array of objects: `line`, `column`, `severity` ("error" or
///   "warning"), `code`, `message`, `help`; empty when the flow is sound.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_check(
    text: *const c_char,
    text_len: usize,
    problems: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_check, err, |call| {
        let problems = call.out("problems", problems)?;
        let text = call.document("text", text, text_len)?;
        problems.give_value(&crate::session::check(text))
    })
}
