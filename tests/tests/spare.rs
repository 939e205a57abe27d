//! Memory exhaustion under the allocator that the libraries and the command have: whichever allocation of the commit
//! path fails, it takes from the spare, and the commit succeeds. (Without a spare: `oom.rs`.)

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use statewright_log::SpareMemory;
use statewright_store::{Durability, Env, Place, Reader, Result, Space, Store, StoreOptions};
use statewright_value::{Path, value};

thread_local! {
    /// Allocations of this thread until one fails; 0 when none is to.
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// Those it has asked for.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn fails() -> bool {
    COUNT.set(COUNT.get() + 1);
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    left == 1
}

struct Failing;

// SAFETY: all is passed on to the system's allocator, or refused with a null pointer, which the contract allows.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: SpareMemory<Failing> = SpareMemory::new(Failing);

/// The commit path: a transaction that reads, writes keys and a document, appends an event, and commits.
fn commit(store: &Store, n: i64) -> Result<u64> {
    let (space, path) = (Space::default(), Path::root().key("n"));
    let txn = store.begin();
    txn.kv_get(&space, b"n")?;
    txn.kv_put(&space, b"n", value!(n))?;
    txn.kv_increment(&space, b"sum", value!(1), value!(0))?;
    txn.json_set(&space, "doc", &path, value!(n))?;
    txn.event_append(&space, "log", "step", value!({"n": n}))?;
    Ok(txn.commit()?.version)
}

#[test]
fn whichever_allocation_of_a_commit_fails_it_succeeds_or_is_refused() {
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        // A snapshot that is held makes commits copy what they change.
        for held in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let place = || match durability {
                Durability::Memory => Place::Memory,
                _ => Place::Dir(folder.path().to_owned()),
            };
            let options = StoreOptions::with_durability(durability);
            let open = || Store::open(Env::real(), place(), options.clone()).unwrap();
            let store = open();
            let (space, root) = (Space::default(), Path::root());
            let made = store.json_set(&space, "doc", &root, value!({"n": 0}));
            let mut last = made.unwrap();
            let snapshot = held.then(|| store.snapshot());
            for n in 1..=3 {
                last = commit(&store, n).unwrap();
            }
            let before = COUNT.get();
            last = commit(&store, 4).unwrap().max(last);
            let allocations = COUNT.get() - before;
            assert!((10..500).contains(&allocations), "{allocations}");
            let (mut done, mut refused) = (0, 0);
            for nth in 1..=allocations + 20 {
                assert!(ALLOCATOR.refill());
                LEFT.set(nth);
                let result = commit(&store, 100);
                LEFT.set(0);
                let case = format!("{durability}, held {held}, allocation {nth}");
                match result {
                    Ok(version) => {
                        done += 1;
                        last += 1;
                        assert_eq!(version, last, "{case}");
                    }
                    Err(e) => {
                        refused += 1;
                        assert_eq!(e.code(), 113, "{case}: {e}");
                    }
                }
                assert_eq!(store.snapshot().version(), last, "{case}");
            }
            assert!(done > allocations, "{done} done, {refused} refused");
            let sum = store.kv_get(&space, b"sum").unwrap().unwrap();
            drop(snapshot);
            if durability == Durability::Memory {
                continue;
            }
            store.close().unwrap();
            drop(store);
            let again = open();
            assert!(again.stats().recovery.clean);
            assert_eq!(again.snapshot().version(), last);
            assert_eq!(again.kv_get(&space, b"sum").unwrap(), Some(sum));
        }
    }
}
