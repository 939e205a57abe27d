//! Values: from JSON to MessagePack and back.

use std::ffi::c_char;

use statewright_value::Value;

use crate::bytes::sw_bytes;
use crate::error::sw_error;
use crate::failure::Failure;
use crate::guard::guard;
use crate::status::*;

/// For `sw_value_to_json`: line breaks and two spaces of indentation.
pub const SW_JSON_PRETTY: u32 = 1;

/// Reads JSON text (RFC 8259) and returns the value as MessagePack.
///
/// @role function
/// @on value
/// @thread safe
/// @param json in text max=SW_MAX_INPUT_BYTES: The text.
/// @param value out msgpack owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_from_json(
    json: *const c_char,
    json_len: usize,
    value: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_from_json, err, |call| {
        let out = call.out("value", value)?;
        let json = call.document("json", json, json_len)?;
        out.give_value(&Value::from_json(json)?)
    })
}

/// Writes a value as JSON text. Bytes become `{"$bytes": "<base64>"}`.
///
/// @role function
/// @on value
/// @thread safe
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value.
/// @param flags in number: 0, or `SW_JSON_PRETTY`.
/// @param json out text owned: Receives the text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_to_json(
    value: *const u8,
    value_len: usize,
    flags: u32,
    json: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_to_json, err, |call| {
        let out = call.out("json", json)?;
        let value = call.value("value", value, value_len)?;
        let text = match flags {
            0 => value.to_json(),
            SW_JSON_PRETTY => value.to_json_pretty(),
            _ => {
                let message = format!("`flags` {flags:#x} has bits that are not known");
                return Err(Failure::new(SW_INVALID_ARGUMENT, message)
                    .at("flags")
                    .help("pass 0 or SW_JSON_PRETTY"));
            }
        };
        out.give(text.into_bytes())
    })
}
