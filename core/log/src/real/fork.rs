//! Noticing that this process is a forked child of the one that opened a log.
//!
//! A child shares the handles, the mappings and the lock of its parent: if both wrote, the log would be lost. The
//! first use leaves one page that the kernel wipes in every child (`MADV_WIPEONFORK`, Linux 4.14), so that a look
//! costs one load, where the process id would cost a system call. Where the kernel cannot do that, the process id it
//! is. The technique is that of BoringSSL's fork detection.
#![expect(
    unsafe_code,
    reason = "one page of memory that is shared with nobody; each block says why it is sound"
)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

enum Witness {
    /// Holds 1 here and 0 in a child.
    Page(&'static AtomicU32),
    /// The process that first asked.
    Process(u32),
}

static WITNESS: OnceLock<Witness> = OnceLock::new();

/// True in a child of a process that had asked before the fork.
pub(super) fn is_forked() -> bool {
    let witness = WITNESS.get_or_init(|| match wiped_page() {
        Some(page) => {
            page.store(1, Ordering::Relaxed);
            Witness::Page(page)
        }
        None => Witness::Process(std::process::id()),
    });
    match witness {
        Witness::Page(page) => page.load(Ordering::Relaxed) == 0,
        Witness::Process(id) => *id != std::process::id(),
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<&'static AtomicU32> {
    let mut page = memmap2::MmapOptions::new().len(4096).map_anon().ok()?;
    let (start, len) = (page.as_mut_ptr(), page.len());
    let advise = |advice| {
        // SAFETY: advice on a mapping of our own that is alive, and that no reference points into yet; wiping happens
        // in children alone.
        unsafe { libc::madvise(start.cast(), len, advice) == 0 }
    };
    // An emulator that ignores advice would also "accept" the invalid one; then the page proves nothing.
    if advise(-1) || !advise(libc::MADV_WIPEONFORK) {
        return None;
    }
    std::mem::forget(page); // never unmapped
    // SAFETY: page-aligned, readable and writable, zeroed, never unmapped, and reached only through this reference.
    Some(unsafe { &*start.cast::<AtomicU32>() })
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<&'static AtomicU32> {
    None
}
