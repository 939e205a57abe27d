//! About the library itself: its version, and the names of its statuses.

use std::ffi::{CStr, c_char};

use crate::guard::guard_pure;
use crate::status::sw_status;

/// The version of this ABI: `major << 16 | minor`. See `sw_abi_version`.
pub const SW_ABI_VERSION: u32 = 0x0000_0001;

/// For `sw_struct_size`: `sw_bytes`.
pub const SW_STRUCT_BYTES: u32 = 1;
/// For `sw_struct_size`: `sw_str`.
pub const SW_STRUCT_STR: u32 = 2;
/// For `sw_struct_size`: `sw_error_info`.
pub const SW_STRUCT_ERROR_INFO: u32 = 3;
/// For `sw_struct_size`: `sw_event`.
pub const SW_STRUCT_EVENT: u32 = 4;
/// For `sw_struct_size`: `sw_open_options`.
pub const SW_STRUCT_OPEN_OPTIONS: u32 = 5;
/// For `sw_struct_size`: `sw_cq_options`.
pub const SW_STRUCT_CQ_OPTIONS: u32 = 6;
/// For `sw_struct_size`: `sw_read_options`.
pub const SW_STRUCT_READ_OPTIONS: u32 = 7;
/// For `sw_struct_size`: `sw_schema_options`.
pub const SW_STRUCT_SCHEMA_OPTIONS: u32 = 8;
/// For `sw_struct_size`: `sw_merge_options`.
pub const SW_STRUCT_MERGE_OPTIONS: u32 = 9;

/// The version of the ABI that the loaded library speaks: `major << 16 | minor`.
///
/// Compare it with `SW_ABI_VERSION` of the header before anything else. Another major number is another ABI;
/// while the major number is 0, so is another minor number.
///
/// @role function
/// @on library
/// @thread safe
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub extern "C" fn sw_abi_version() -> u32 {
    guard_pure!(sw_abi_version, 0, { SW_ABI_VERSION })
}

/// The version of the library, such as "0.1.0". The text is static and ends with a zero byte.
///
/// @role function
/// @on library
/// @thread safe
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub extern "C" fn sw_version() -> *const c_char {
    guard_pure!(sw_version, c"".as_ptr(), { VERSION.as_ptr() })
}

/// The name of a status, such as "SW_CONFLICT". The text is static and ends with a zero byte.
///
/// @role function
/// @on library
/// @thread safe
/// @param status in number: The status; "SW_UNKNOWN" is the name of one that this version does not know.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub extern "C" fn sw_status_name(status: sw_status) -> *const c_char {
    guard_pure!(sw_status_name, c"".as_ptr(), {
        crate::generated::status_name(status).as_ptr()
    })
}

/// The size in bytes that a struct has in the loaded library; 0 when the library does not know it.
///
/// A binding compares these with its own when it is loaded, and refuses to run when the two differ.
///
/// @role function
/// @on library
/// @thread safe
/// @param which in number: One of `SW_STRUCT_…`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub extern "C" fn sw_struct_size(which: u32) -> u32 {
    guard_pure!(sw_struct_size, 0, {
        let size = match which {
            SW_STRUCT_BYTES => size_of::<crate::sw_bytes>(),
            SW_STRUCT_STR => size_of::<crate::sw_str>(),
            SW_STRUCT_ERROR_INFO => size_of::<crate::sw_error_info>(),
            SW_STRUCT_EVENT => size_of::<crate::sw_event>(),
            SW_STRUCT_OPEN_OPTIONS => size_of::<crate::sw_open_options>(),
            SW_STRUCT_CQ_OPTIONS => size_of::<crate::sw_cq_options>(),
            SW_STRUCT_READ_OPTIONS => size_of::<crate::sw_read_options>(),
            SW_STRUCT_SCHEMA_OPTIONS => size_of::<crate::sw_schema_options>(),
            SW_STRUCT_MERGE_OPTIONS => size_of::<crate::sw_merge_options>(),
            _ => 0,
        };
        size as u32
    })
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
