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
/// For `sw_value_to_json`: the keys of every object in byte order, so that equal values give equal text.
pub const SW_JSON_SORTED: u32 = 2;

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
/// @param flags in number: 0, or any of `SW_JSON_PRETTY` and `SW_JSON_SORTED`, added up.
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
        if flags & !(SW_JSON_PRETTY | SW_JSON_SORTED) != 0 {
            let message = format!("`flags` {flags:#x} has bits that are not known");
            return Err(Failure::new(SW_INVALID_ARGUMENT, message)
                .at("flags")
                .help("pass 0, SW_JSON_PRETTY, SW_JSON_SORTED, or both added up"));
        }
        let value = match flags & SW_JSON_SORTED {
            0 => value,
            _ => Value::from_msgpack(&value.canonical())?,
        };
        let text = match flags & SW_JSON_PRETTY {
            0 => value.to_json(),
            _ => value.to_json_pretty(),
        };
        out.give(text.into_bytes())
    })
}
