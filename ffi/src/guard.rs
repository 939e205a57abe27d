//! What stands between C and the library: every export runs inside [`enter`].
//!
//! `enter` refuses forked children, catches panics (and poisons the engine concerned), and turns a failure
//! into a status and a `sw_error`. The body gets a [`Call`](crate::call::Call), through which it reads its
//! arguments.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::call::{Call, Moment};
use crate::error::{self, sw_error};
use crate::failure::{Failure, Result};
use crate::status::*;

/// Runs the body of an export that returns a status.
///
/// `guard!(sw_kv_get, err, |call| { … Ok(()) })`. The macro wraps the body and not the signature, so that the
/// generator and cbindgen see a plain function. The name is checked by the generator.
macro_rules! guard {
    ($name:ident, $err:expr, |$call:ident| $body:block) => {
        // SAFETY: an exported function's caller promises that its pointers are what the documentation says
        // they are.
        unsafe { $crate::guard::enter(stringify!($name), $err, |$call: &$crate::call::Call| $body) }
    };
}

/// Runs the body of an export that cannot fail; if it panics all the same, the result is `$fallback`.
macro_rules! guard_pure {
    ($name:ident, $fallback:expr, $body:block) => {
        $crate::guard::enter_pure(stringify!($name), $fallback, || $body)
    };
}

pub(crate) use {guard, guard_pure};

/// # Safety Every pointer that `body` reads or writes through its [`Call`] is valid as the export documents;
/// `err` is NULL or writable.
pub(crate) unsafe fn enter(
    name: &'static str,
    err: *mut sw_error,
    body: impl FnOnce(&Call) -> Result<()>,
) -> sw_status {
    // SAFETY: the caller promises that the pointers of this call are valid.
    let call = unsafe { Call::new(name) };
    let out = match call.error_out(err) {
        Ok(out) => out,
        Err(failure) => return failure.code,
    };
    if crate::fork::forked() {
        // Nothing of the library may be touched here, not even the table of errors: its lock may be held by a
        // thread that is gone.
        return SW_FORKED;
    }
    let run = AssertUnwindSafe(|| {
        call.inject_panic(Moment::Entry);
        body(&call)
    });
    let outcome = catch_unwind(run);
    let Err(failure) = outcome.unwrap_or_else(|payload| Err(caught(&call, name, payload.as_ref())))
    else {
        return SW_OK;
    };
    let code = failure.code;
    if let Some(out) = out {
        // Building the error must not panic either; without one the status still tells what happened.
        out.set(catch_unwind(|| error::store(failure)).unwrap_or_default());
    }
    code
}

pub(crate) fn enter_pure<T>(name: &'static str, fallback: T, body: impl FnOnce() -> T) -> T {
    let run = AssertUnwindSafe(|| {
        // SAFETY: this call object reads no pointers.
        unsafe { Call::new(name) }.inject_panic(Moment::Entry);
        body()
    });
    catch_unwind(run).unwrap_or(fallback)
}

fn caught(call: &Call, name: &str, payload: &(dyn std::any::Any + Send)) -> Failure {
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let help = if call.poison() {
        "this is a defect in the library; close the engine and open it again, which recovers from the log"
    } else {
        "this is a defect in the library"
    };
    Failure::new(SW_PANIC, format!("internal error in {name}: {said}")).help(help)
}
