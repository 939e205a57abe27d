//! Memory kept for the moment when there is none.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; each block says why it is sound"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Bytes kept: what several commits of usual size take, and the errors that tell of it.
const SPARE: usize = 512 << 10;
const ALIGN: usize = 4096;
/// After so many allocations without a spare, another one is tried for.
const TRY_AGAIN: u32 = 1024;

/// An allocator that keeps half a mebibyte of another one's memory; when an allocation fails, it gives that back and
/// tries once more.
///
/// Rust's collections end the process when an allocation fails. A commit asks for its memory first, so when there is
/// none, it fails with an error ([`Error::OutOfMemory`](crate::Error::OutOfMemory)); but what is below that, and a
/// single allocation that fails between others, would still end the process. With this they take from the spare, and
/// the next commit is refused until there is memory again; then the spare is filled by itself. Costs one load an
/// allocation.
///
/// The shared and the static library have it, and so has the command. A Rust program takes it for itself:
///
/// ```
/// use std::alloc::System;
/// use statewright_log::SpareMemory;
/// #[global_allocator]
/// static ALLOCATOR: SpareMemory<System> = SpareMemory::new(System);
/// assert!(ALLOCATOR.refill());
/// ```
#[derive(Debug)]
pub struct SpareMemory<A> {
    inner: A,
    spare: AtomicPtr<u8>,
    /// Allocations since there is no spare; 0 if there is.
    missing: AtomicU32,
}

impl<A: GlobalAlloc> SpareMemory<A> {
    /// Around another allocator. The spare is allocated at some time during the first thousand allocations.
    pub const fn new(inner: A) -> SpareMemory<A> {
        SpareMemory {
            inner,
            spare: AtomicPtr::new(ptr::null_mut()),
            missing: AtomicU32::new(1),
        }
    }

    fn layout() -> Option<Layout> {
        Layout::from_size_align(SPARE, ALIGN).ok()
    }

    /// Sees to it that there is a spare; tells whether there is. Any thread may call it at any time. O(1).
    pub fn refill(&self) -> bool {
        if self.spare.load(Ordering::SeqCst).is_null() {
            let Some(layout) = Self::layout() else {
                return false;
            };
            // SAFETY: the layout has a size.
            let new = unsafe { self.inner.alloc(layout) };
            if new.is_null() {
                return false;
            }
            let order = Ordering::SeqCst;
            let put = self
                .spare
                .compare_exchange(ptr::null_mut(), new, order, order);
            if put.is_err() {
                // SAFETY: it was allocated above with this layout, and nobody else has it.
                unsafe { self.inner.dealloc(new, layout) };
            }
        }
        self.missing.store(0, Ordering::SeqCst);
        // Whoever took it meanwhile may have said so before; who takes it now says so afterwards.
        if self.spare.load(Ordering::SeqCst).is_null() {
            self.missing.store(1, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Gives the spare back, unless another thread just did.
    #[cold]
    fn release(&self) {
        let spare = self.spare.swap(ptr::null_mut(), Ordering::SeqCst);
        if let (false, Some(layout)) = (spare.is_null(), Self::layout()) {
            // SAFETY: it was allocated with this layout, and whoever swaps it out has it alone.
            unsafe { self.inner.dealloc(spare, layout) };
            self.missing.store(1, Ordering::SeqCst);
        }
    }

    #[inline]
    fn look(&self) {
        if self.missing.load(Ordering::Relaxed) != 0 {
            self.count();
        }
    }

    #[cold]
    fn count(&self) {
        let missing = self.missing.fetch_add(1, Ordering::Relaxed);
        if missing.is_multiple_of(TRY_AGAIN) {
            self.refill();
        }
    }
}

// SAFETY: every block comes from the inner allocator, with the caller's own layout, and goes back to it; the spare is
// never given to anybody.
unsafe impl<A: GlobalAlloc> GlobalAlloc for SpareMemory<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.look();
        // SAFETY: the caller's promises are passed on.
        let block = unsafe { self.inner.alloc(layout) };
        if !block.is_null() {
            return block;
        }
        self.release();
        // SAFETY: the caller's promises are passed on.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.look();
        // SAFETY: the caller's promises are passed on.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        self.release();
        // SAFETY: the caller's promises are passed on.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.look();
        // SAFETY: the caller's promises are passed on.
        let moved = unsafe { self.inner.realloc(block, layout, size) };
        if !moved.is_null() {
            return moved;
        }
        self.release();
        // SAFETY: the caller's promises are passed on; what failed left the block as it was.
        unsafe { self.inner.realloc(block, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { self.inner.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Has so many bytes.
    struct Scarce(AtomicUsize);

    // SAFETY: all is passed on, or refused.
    unsafe impl GlobalAlloc for Scarce {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let take = |left: usize| left.checked_sub(layout.size());
            let order = Ordering::SeqCst;
            match self.0.fetch_update(order, order, take) {
                // SAFETY: the caller's promises are passed on.
                Ok(_) => unsafe { System.alloc(layout) },
                Err(_) => ptr::null_mut(),
            }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.0.fetch_add(layout.size(), Ordering::SeqCst);
            // SAFETY: the caller's promises are passed on.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn what_does_not_fit_takes_from_the_spare_which_is_filled_again() {
        let memory = SpareMemory::new(Scarce(AtomicUsize::new(SPARE + 1000)));
        assert!(memory.refill());
        let layout = Layout::from_size_align(600, 8).unwrap();
        // SAFETY: the layout has a size, and each block goes back with it.
        unsafe {
            let first = memory.alloc(layout);
            assert!(!first.is_null() && !memory.spare.load(Ordering::SeqCst).is_null());
            let second = memory.alloc_zeroed(layout);
            assert!(!second.is_null() && memory.spare.load(Ordering::SeqCst).is_null());
            assert!(!memory.refill(), "there is no room for it now");
            let grown = memory.realloc(second, layout, 1000);
            assert!(!grown.is_null());
            let huge = Layout::from_size_align(2 * SPARE, 8).unwrap();
            assert!(memory.alloc(huge).is_null(), "there is an end to it");
            memory.dealloc(grown, Layout::from_size_align(1000, 8).unwrap());
            memory.dealloc(first, layout);
            for _ in 0..TRY_AGAIN {
                let block = memory.alloc(layout);
                memory.dealloc(block, layout);
            }
            assert!(!memory.spare.load(Ordering::SeqCst).is_null(), "by itself");
        }
        memory.release();
        assert_eq!(memory.inner.0.load(Ordering::SeqCst), SPARE + 1000);
    }

    /// While it makes a spare, another thread puts its own, and a third takes that again.
    struct Racing(AtomicUsize);

    static RACED: SpareMemory<Racing> = SpareMemory::new(Racing(AtomicUsize::new(0)));

    impl Racing {
        fn is_turn(&self, turn: usize) -> bool {
            let order = Ordering::SeqCst;
            let taken = self.0.compare_exchange(turn, turn + 1, order, order);
            taken.is_ok()
        }
    }

    // SAFETY: all is passed on.
    unsafe impl GlobalAlloc for Racing {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if self.is_turn(0) {
                assert!(RACED.refill());
            }
            // SAFETY: the caller's promises are passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            if self.is_turn(1) {
                RACED.release();
            }
            // SAFETY: the caller's promises are passed on.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn a_spare_that_is_taken_while_another_is_made_is_filled_again() {
        assert!(!RACED.refill(), "it is gone again");
        assert_eq!(RACED.inner.0.load(Ordering::SeqCst), 2);
        let layout = Layout::from_size_align(600, 8).unwrap();
        for _ in 0..=TRY_AGAIN {
            // SAFETY: the layout has a size, and each block goes back with it.
            unsafe {
                let block = RACED.alloc(layout);
                RACED.dealloc(block, layout);
            }
        }
        assert!(!RACED.spare.load(Ordering::SeqCst).is_null());
    }
}
