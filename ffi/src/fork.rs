//! Refusing to work in a forked child.
//!
//! A child of `fork` has none of the library's threads, and its locks are in whatever state they were in. So
//! the first use leaves a *witness*: one page that the kernel wipes in every child (`MADV_WIPEONFORK`, Linux
//! 4.14). Checking it is one load, where asking for the process id would be a system call on each call. Where
//! the kernel cannot do that, the process id it is. The technique is that of BoringSSL's fork detection.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

enum Witness {
    /// Holds 1 here and 0 in a child.
    Page(&'static AtomicU32),
    /// The process that first used the library.
    Process(u32),
}

static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Remembers that this process has used the library. Before this, a fork is harmless.
pub(crate) fn mark() {
    WITNESS.get_or_init(|| match wiped_page() {
        Some(page) => {
            page.store(1, Ordering::Relaxed);
            Witness::Page(page)
        }
        None => Witness::Process(std::process::id()),
    });
}

/// True in a child of a process that had used the library before the fork.
pub(crate) fn forked() -> bool {
    match WITNESS.get() {
        None => false,
        Some(Witness::Page(page)) => page.load(Ordering::Relaxed) == 0,
        Some(Witness::Process(id)) => *id != std::process::id(),
    }
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<&'static AtomicU32> {
    // SAFETY: sysconf reads a constant.
    let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new private anonymous mapping, at an address the kernel picks.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            access,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return None;
    }
    // An emulator that ignores advice would also "accept" this invalid one; then the page proves nothing.
    // SAFETY: advice on the mapping just made changes none of its bytes in this process.
    let advised = unsafe {
        libc::madvise(page, size, -1) != 0 && libc::madvise(page, size, libc::MADV_WIPEONFORK) == 0
    };
    if !advised {
        // SAFETY: the mapping was made above and nothing refers to it.
        unsafe { libc::munmap(page, size) };
        return None;
    }
    // SAFETY: page-aligned, readable and writable, zeroed, and never unmapped.
    Some(unsafe { &*page.cast::<AtomicU32>() })
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<&'static AtomicU32> {
    None
}
