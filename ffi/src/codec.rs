//! Values in and out: JSON, MessagePack, CBOR and the packed form.

use std::ffi::c_char;

use statewright_value::{Limits, Value};

use crate::bytes::sw_bytes;
use crate::call::{Options, Plain, Sized32, init_options};
use crate::checks;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::status::*;
use crate::value::sw_value;

/// For writing JSON: line breaks and two spaces of indentation.
pub const SW_JSON_PRETTY: u32 = 1;
/// For writing JSON: the keys of every object in byte order, so that equal values give equal text.
pub const SW_JSON_SORTED: u32 = 2;
/// For writing JSON: typed JSON, in which kinds that JSON lacks are objects, such as `{"$decimal": "12.50"}`, so that
/// every kind reads back. An object that looks like one of these gets one `$` more.
pub const SW_JSON_TYPED: u32 = 4;
/// For writing JSON: canonical JSON (RFC 8785, JCS), the same bytes in every language; not together with other flags.
/// Fails with `SW_NOT_REPRESENTABLE` for what it has no form for.
pub const SW_JSON_CANONICAL: u32 = 8;

/// For writing CBOR: deterministically encoded (RFC 8949 section 4.2), so that equal values give equal bytes.
pub const SW_CBOR_DETERMINISTIC: u32 = 1;

/// How much is read of what comes from outside. Fill it with `sw_read_options_init`; 0 is the default of every
/// limit. Limits count, they never time, so the verdict on an input is the same on every machine.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_read_options {
    /// The size of this struct as the caller knows it.
    pub struct_size: u32,
    /// 0, or any of `SW_READ_…`, added up.
    pub flags: u32,
    /// The deepest nesting of arrays and objects, at most 1024; the default is 128.
    pub max_depth: u32,
    /// The longest key in bytes; the default is 64 KiB.
    pub max_key: u32,
    /// The longest text or byte string in bytes; the default is 16 MiB.
    pub max_string: u64,
    /// The longest input in bytes; the default is 64 MiB.
    pub max_bytes: u64,
    /// The most values in all; the default is 10 million.
    pub max_items: u64,
}

/// For reading: for input from strangers, smaller limits where none is given. Depth 32, 1 KiB per key, 256 KiB
/// per string, 1 MiB of input, 100 000 values.
pub const SW_READ_STRICT: u32 = 1;
/// For reading JSON: typed JSON, as `SW_JSON_TYPED` writes it, in which `{"$decimal": "12.50"}` is a decimal.
pub const SW_READ_TYPED: u32 = 2;
/// For reading: for large data of one's own, greater limits where none is given. Depth 512, 1 MiB per key, 100 million
/// values.
pub const SW_READ_PERMISSIVE: u32 = 4;

// SAFETY: integers.
unsafe impl Plain for sw_read_options {}
// SAFETY: `struct_size` is first; four `u32` then three `u64` leave no padding.
unsafe impl Sized32 for sw_read_options {
    const FIRST_SIZE: usize = 40;
}

impl Options for sw_read_options {
    const DEFAULT: Self = sw_read_options {
        struct_size: size_of::<Self>() as u32,
        flags: 0,
        max_depth: 0,
        max_key: 0,
        max_string: 0,
        max_bytes: 0,
        max_items: 0,
    };
}

impl sw_read_options {
    fn limits(&self) -> Result<Limits> {
        const KNOWN: u32 = SW_READ_STRICT | SW_READ_PERMISSIVE | SW_READ_TYPED;
        check_flags("options.flags", self.flags, KNOWN)?;
        let base = match self.flags & (SW_READ_STRICT | SW_READ_PERMISSIVE) {
            0 => Limits::default(),
            SW_READ_STRICT => Limits::strict(),
            SW_READ_PERMISSIVE => Limits::permissive(),
            _ => {
                let why = "says both strict and permissive";
                return Err(checks::invalid("options.flags", why));
            }
        };
        let or = |given: u64, preset: usize| match given {
            0 => preset,
            given => usize::try_from(given).unwrap_or(usize::MAX),
        };
        Ok(base
            .with_max_depth(or(self.max_depth.into(), base.max_depth))
            .with_max_key(or(self.max_key.into(), base.max_key))
            .with_max_string(or(self.max_string, base.max_string))
            .with_max_bytes(or(self.max_bytes, base.max_bytes))
            .with_max_items(or(self.max_items, base.max_items)))
    }
}

/// Bits that are not known are refused.
fn check_flags(name: &'static str, flags: u32, known: u32) -> Result<()> {
    if flags & !known == 0 {
        return Ok(());
    }
    let why = format_args!("{flags:#x} has bits that are not known");
    let help = "pass 0, or add up constants that the documentation names";
    Err(checks::invalid(name, why).help(help))
}

/// Fills `options` with the defaults.
///
/// @role function
/// @on value
/// @thread safe
/// @param options inout struct: The options to fill.
/// @param size in number: `sizeof(sw_read_options)`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_read_options_init(
    options: *mut sw_read_options,
    size: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_read_options_init, err, |call| {
        init_options(call, options, size)
    })
}

/// Reads JSON text (RFC 8259).
///
/// @role constructor
/// @on value
/// @thread safe
/// @param json in text max=SW_MAX_INPUT_BYTES: The text.
/// @param options in options nullable: How much is read; NULL is the defaults.
/// @param value out handle owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_from_json(
    json: *const c_char,
    json_len: usize,
    options: *const sw_read_options,
    value: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_from_json, err, |call| {
        let value = call.out("value", value)?;
        let options = call.options("options", options)?;
        let limits = options.limits()?;
        let json = call.document("json", json, json_len)?;
        value.hold(match options.flags & SW_READ_TYPED {
            0 => Value::from_json_with(json, &limits)?,
            _ => Value::from_typed_json_with(json, &limits)?,
        })
    })
}

/// Reads one value as MessagePack.
///
/// @role constructor
/// @on value
/// @thread safe
/// @param bytes in msgpack max=SW_MAX_INPUT_BYTES: The bytes, and nothing after them.
/// @param options in options nullable: How much is read; NULL is the defaults.
/// @param value out handle owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_from_msgpack(
    bytes: *const u8,
    bytes_len: usize,
    options: *const sw_read_options,
    value: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_from_msgpack, err, |call| {
        let value = call.out("value", value)?;
        let limits = call.options("options", options)?.limits()?;
        let bytes = call.blob("bytes", bytes, bytes_len)?;
        value.hold(Value::from_msgpack_with(bytes, &limits)?)
    })
}

/// Writes the value as JSON text. Bytes become `{"$bytes": "<base64>"}`; decimals become numbers with all their
/// digits, dates and times become text.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param flags in number: 0, or any of `SW_JSON_…`, added up.
/// @param json out text owned: Receives the text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_to_json(
    value: sw_value,
    flags: u32,
    json: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_to_json, err, |call| {
        let json = call.out("json", json)?;
        json.give(json_of(&call.snapshot(value)?, flags)?)
    })
}

/// Writes the value as MessagePack. Kinds beyond JSON are extension types, which read back.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param bytes out msgpack owned: Receives the bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_to_msgpack(
    value: sw_value,
    bytes: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_to_msgpack, err, |call| {
        let bytes = call.out("bytes", bytes)?;
        bytes.give_value(&call.snapshot(value)?)
    })
}

/// Reads one value as CBOR (RFC 8949).
///
/// @role constructor
/// @on value
/// @thread safe
/// @param bytes in bytes max=SW_MAX_INPUT_BYTES: The bytes, and nothing after them.
/// @param options in options nullable: How much is read; NULL is the defaults.
/// @param value out handle owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_from_cbor(
    bytes: *const u8,
    bytes_len: usize,
    options: *const sw_read_options,
    value: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_from_cbor, err, |call| {
        let value = call.out("value", value)?;
        let limits = call.options("options", options)?.limits()?;
        let bytes = call.blob("bytes", bytes, bytes_len)?;
        value.hold(Value::from_cbor_with(bytes, &limits)?)
    })
}

/// Writes the value as CBOR (RFC 8949). Kinds beyond JSON are tagged, which read back.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param flags in number: 0, or `SW_CBOR_DETERMINISTIC`.
/// @param bytes out bytes owned: Receives the bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_to_cbor(
    value: sw_value,
    flags: u32,
    bytes: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_to_cbor, err, |call| {
        let bytes = call.out("bytes", bytes)?;
        let value = call.snapshot(value)?;
        check_flags("flags", flags, SW_CBOR_DETERMINISTIC)?;
        bytes.give(match flags & SW_CBOR_DETERMINISTIC {
            0 => value.to_cbor(),
            _ => value.to_deterministic_cbor(),
        })
    })
}

/// Reads the packed form that `sw_value_to_packed` has written, with one copy and no decoding. Everything in it is
/// checked, so bytes from anywhere give a value or an error.
///
/// Fails with `SW_INVALID_PACKED`, also for what another version of the form has written.
///
/// @role constructor
/// @on value
/// @thread safe
/// @param bytes in bytes max=SW_MAX_INPUT_BYTES: The bytes.
/// @param options in options nullable: How much is read; NULL is the defaults.
/// @param value out handle owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_from_packed(
    bytes: *const u8,
    bytes_len: usize,
    options: *const sw_read_options,
    value: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_from_packed, err, |call| {
        let value = call.out("value", value)?;
        let limits = call.options("options", options)?.limits()?;
        let bytes = call.blob("bytes", bytes, bytes_len)?;
        value.hold(Value::from_packed_bytes(bytes, &limits)?)
    })
}

/// Writes the value in the packed form, as it lies in memory: the quickest to read back, for caches and other
/// processes with the same version of the library. For files that outlive versions use MessagePack or CBOR.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param bytes out bytes owned: Receives the bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_to_packed(
    value: sw_value,
    bytes: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_to_packed, err, |call| {
        let bytes = call.out("bytes", bytes)?;
        bytes.give(call.snapshot(value)?.to_packed_bytes()?)
    })
}

/// A hash of what the value is: equal values have equal hashes, on every machine and in every version of the library.
/// BLAKE3, 32 bytes.
///
/// @role getter
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param hash out bytes owned: Receives the 32 bytes.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_content_hash(
    value: sw_value,
    hash: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_content_hash, err, |call| {
        let hash = call.out("hash", hash)?;
        hash.give(call.snapshot(value)?.content_hash().to_vec())
    })
}

/// Turns JSON text (RFC 8259) into MessagePack, the form in which values cross.
///
/// @role function
/// @on msgpack
/// @thread safe
/// @param json in text max=SW_MAX_INPUT_BYTES: The text.
/// @param value out msgpack owned: Receives the value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_msgpack_from_json(
    json: *const c_char,
    json_len: usize,
    value: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_msgpack_from_json, err, |call| {
        let out = call.out("value", value)?;
        let json = call.document("json", json, json_len)?;
        out.give_value(&Value::from_json(json)?)
    })
}

/// Turns MessagePack into JSON text, as `sw_value_to_json` writes it.
///
/// @role function
/// @on msgpack
/// @thread safe
/// @param value in msgpack max=SW_MAX_INPUT_BYTES: The value.
/// @param flags in number: 0, or any of `SW_JSON_…`, added up.
/// @param json out text owned: Receives the text.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_msgpack_to_json(
    value: *const u8,
    value_len: usize,
    flags: u32,
    json: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_msgpack_to_json, err, |call| {
        let out = call.out("json", json)?;
        let value = call.value("value", value, value_len)?;
        out.give(json_of(&value, flags)?)
    })
}

fn json_of(value: &Value, flags: u32) -> Result<Vec<u8>> {
    const FORMS: u32 = SW_JSON_PRETTY | SW_JSON_SORTED | SW_JSON_TYPED;
    if flags == SW_JSON_CANONICAL {
        return Ok(value.to_canonical_json()?.into_bytes());
    }
    check_flags("flags", flags, FORMS)?;
    let mut value = value.clone();
    if flags & SW_JSON_TYPED != 0 {
        value = value.to_typed();
    }
    if flags & SW_JSON_SORTED != 0 {
        // It has been read already, within whatever limits.
        value = Value::read_msgpack(&mut &*value.canonical(), &Limits::unlimited())?;
    }
    if flags & SW_JSON_PRETTY != 0 {
        return Ok(value.to_json_pretty().into_bytes());
    }
    let mut json = Vec::new();
    value.write_json(&mut json);
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_within_great_limits_is_written_sorted() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let value = Value::from_json_with(&deep, &Limits::permissive()).unwrap();
        assert_eq!(json_of(&value, SW_JSON_SORTED).unwrap(), deep.into_bytes());
    }
}
