//! Errors as C sees them: a handle to the details of one failed call.

use std::ffi::c_char;
use std::sync::Arc;

use crate::call::{Plain, Sized32};
use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::status::*;

/// The details of one failed call. Read them with `sw_error_get`, then free them with `sw_error_free`.
///
/// Zero when the call succeeded, and when the details could not be kept (`SW_FORKED`, or no memory for them):
/// the status alone always tells what happened. Errors belong to no thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_error {
    /// Opaque; zero is no error.
    pub id: u64,
}

/// Text that the library owns: `len` bytes of UTF-8, not terminated by a zero byte.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_str {
    /// The first byte; NULL when there are none.
    pub data: *const c_char,
    /// How many bytes.
    pub len: usize,
}

/// What an error says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_error_info {
    /// The size of this struct as the caller knows it: set it to `sizeof(sw_error_info)` before the call.
    pub struct_size: u32,
    /// The status the failed call returned.
    pub code: sw_status,
    /// 1 when the same call may succeed if it is simply made again, 0 otherwise.
    pub retryable: u32,
    /// Zero.
    pub reserved: u32,
    /// What happened, for people.
    pub message: sw_str,
    /// Which argument, key or place in a document; empty when there is none.
    pub path: sw_str,
    /// What to do about it; empty when the message says it all.
    pub help: sw_str,
}

// SAFETY: integers.
unsafe impl Plain for sw_error {}
// SAFETY: integers and raw pointers.
unsafe impl Plain for sw_error_info {}
// SAFETY: `struct_size` is first, and the four integers leave no padding before the pointers.
unsafe impl Sized32 for sw_error_info {
    const FIRST_SIZE: usize = 16 + 3 * size_of::<sw_str>();
}

static ERRORS: Table<Arc<Failure>> = Table::new(Tag::Error);

/// Keeps a failure until C frees it; the zero handle when that is impossible.
pub(crate) fn store(failure: Failure) -> sw_error {
    sw_error {
        id: ERRORS.insert(Arc::new(failure)).unwrap_or(0),
    }
}

fn borrow(text: &str) -> sw_str {
    if text.is_empty() {
        sw_str {
            data: std::ptr::null(),
            len: 0,
        }
    } else {
        sw_str {
            data: text.as_ptr().cast(),
            len: text.len(),
        }
    }
}

/// Reads the details of an error.
///
/// @role getter
/// @on error
/// @thread safe
/// @param error in handle: The error, as a failed call gave it.
/// @param info out struct borrowed until=sw_error_free: Receives the details; its texts stay valid until the
///   error is freed. Set `struct_size` before.
/// @since 0.1 unstable
/// @noerror
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_get(error: sw_error, info: *mut sw_error_info) -> sw_status {
    guard!(sw_error_get, std::ptr::null_mut(), |call| {
        let info = call.out_sized("info", info)?;
        let failure = ERRORS
            .get(error.id)
            .ok_or_else(|| Failure::misuse("error"))?;
        info.set(&sw_error_info {
            struct_size: 0,
            code: failure.code,
            retryable: u32::from(failure.retryable()),
            reserved: 0,
            message: borrow(&failure.message),
            path: borrow(&failure.path),
            help: borrow(&failure.help),
        });
        Ok(())
    })
}

/// Frees an error. Its texts are gone, and the handle is stale.
///
/// @role destructor
/// @on error
/// @thread safe
/// @param error in handle consumed: The error.
/// @since 0.1 unstable
/// @noerror
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_free(error: sw_error) -> sw_status {
    guard!(sw_error_free, std::ptr::null_mut(), |_call| {
        ERRORS
            .remove(error.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("error"))
    })
}
