//! Tests only: making an export panic on purpose, to prove that its guard holds.

use std::ffi::c_char;

use parking_lot::Mutex;

use crate::call::Moment;

static ARMED: Mutex<Option<(String, u32)>> = Mutex::new(None);

/// Makes the next call of the named export panic: at its entry (0), or once its engine is known (1). No name
/// disarms.
///
/// # Safety
/// `name` is NULL or `len` bytes of text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_test_panic_at(name: *const c_char, len: usize, moment: u32) {
    let name = if name.is_null() {
        None
    } else {
        // SAFETY: the test promises `len` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), len) };
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    *ARMED.lock() = name.map(|name| (name, moment));
}

pub(crate) fn fire(name: &str, moment: Moment) {
    let mut armed = ARMED.lock();
    if armed
        .as_ref()
        .is_some_and(|(at, when)| at == name && *when == moment as u32)
    {
        *armed = None;
        drop(armed);
        // Unwinds as a panic does, without its report on standard error.
        std::panic::resume_unwind(Box::new(format!("injected into {name}")));
    }
}
