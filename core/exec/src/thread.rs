//! Threads of the library inside somebody else's process.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread that takes none of the host's signals: handlers run on threads that the host knows.
///
/// # Errors
/// If the system has no room for another thread.
pub fn spawn_thread(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let blocked = BlockedSignals::new();
    let started = Builder::new().name(name.to_owned()).spawn(body);
    drop(blocked);
    started
}

/// Blocks every signal on the calling thread until it is dropped; a thread started meanwhile inherits that.
struct BlockedSignals {
    before: libc::sigset_t,
}

#[expect(unsafe_code, reason = "signal masks have no safe interface in std")]
impl BlockedSignals {
    fn new() -> Self {
        // SAFETY: both sets are plain data that the calls below fill in; the calls only touch this thread's mask.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            BlockedSignals { before }
        }
    }
}

#[expect(unsafe_code, reason = "signal masks have no safe interface in std")]
impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that `new` read on this same thread (the type is not sent anywhere).
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut());
        }
    }
}
