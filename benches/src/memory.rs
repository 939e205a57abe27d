//! Counting what is allocated, by everyone alike: the bytes asked for, not what an allocator rounds them up to.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// mimalloc, which counts while [`counted`] runs. The program that measures names it as its global allocator;
/// without that everything counts as 0.
pub struct Counting;

static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count(bytes: i64, allocations: u64) {
    if COUNTING.load(Relaxed) {
        LIVE.fetch_add(bytes, Relaxed);
        ALLOCATIONS.fetch_add(allocations, Relaxed);
    }
}

/// A layout is at most `isize::MAX` bytes.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call is passed on as it is to mimalloc, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()), 1);
        // SAFETY: the caller's contract is that of the allocator underneath.
        unsafe { ALLOCATOR.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()), 1);
        // SAFETY: as above.
        unsafe { ALLOCATOR.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size) - signed(layout.size()), 1);
        // SAFETY: as above.
        unsafe { ALLOCATOR.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout.size()), 0);
        // SAFETY: as above.
        unsafe { ALLOCATOR.dealloc(pointer, layout) }
    }
}

/// What was allocated while something ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// Bytes still held, the result's included.
    pub live: i64,
    /// Allocations made, growing included.
    pub allocations: u64,
}

/// Runs `work` and counts what the whole process allocates meanwhile; for one thread at a time.
pub fn counted<R>(work: impl FnOnce() -> R) -> (R, Allocated) {
    LIVE.store(0, Relaxed);
    ALLOCATIONS.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let result = work();
    COUNTING.store(false, Relaxed);
    let allocated = Allocated {
        live: LIVE.load(Relaxed),
        allocations: ALLOCATIONS.load(Relaxed),
    };
    (result, allocated)
}
