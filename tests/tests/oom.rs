//! Memory exhaustion, in the two ways in which it comes.
//!
//! *There is only so much*: an allocator that gives a thread a number of bytes and no more, as a limit on a process or
//! a group does. Whatever the number is, a commit succeeds or gives a typed error and has changed nothing, and nothing
//! ends the process.
//!
//! *One allocation fails, and the next does not*: the k-th of the commit path, for every k. No check beforehand can
//! see that, and Rust's own containers end the process then. So each is tried in a process of its own, and what is
//! promised is checked from outside: the process ends like a killed one or reports a typed error, opening the folder
//! again is clean, and every commit that was acknowledged before is there. `OOM_TRACE=1` shows where the allocations
//! are that end the process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests may panic, and read their environment"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};

use statewright_store::{Durability, Env, Error, Place, Reader, Space, Store, StoreOptions};
use statewright_value::{Path as ValuePath, Value, value};

/// Allocations until one fails; 0 when none is to fail.
static LEFT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Bytes that this thread may still allocate, if there is a limit.
    static BUDGET: Cell<Option<usize>> = const { Cell::new(None) };
    /// Allocations that it has made.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Takes bytes from the thread's budget; false if they are not there.
fn spend(bytes: usize) -> bool {
    let Some(left) = BUDGET.get() else {
        return true;
    };
    let rest = left.checked_sub(bytes);
    BUDGET.set(Some(rest.unwrap_or(left)));
    rest.is_some()
}

fn give_back(bytes: usize) {
    if let Some(left) = BUDGET.get() {
        BUDGET.set(Some(left + bytes));
    }
}

/// Makes something of the caller's, which is none of the store's memory.
fn callers<T>(make: impl FnOnce() -> T) -> T {
    let budget = BUDGET.replace(None);
    let made = make();
    BUDGET.set(budget);
    made
}

struct Failing;

// SAFETY: all is passed on to the system's allocator, or refused with a null pointer, which the contract allows.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() || !spend(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // As if it were always copied.
        if fails() || !spend(size) {
            return std::ptr::null_mut();
        }
        give_back(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Whether this allocation is the one that fails.
fn fails() -> bool {
    COUNT.set(COUNT.get() + 1);
    let left = LEFT.load(Ordering::Relaxed);
    if left == 0 {
        return false;
    }
    LEFT.store(left - 1, Ordering::Relaxed);
    if left == 1 && std::env::var("OOM_TRACE").is_ok() {
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
    }
    left == 1
}

fn open(dir: &Path) -> Store {
    let options = StoreOptions::with_durability(Durability::Buffered);
    Store::open(Env::real(), Place::Dir(dir.to_owned()), options).unwrap()
}

/// The commit path: a transaction that reads, writes keys and a document, appends an event, and commits.
fn commit(store: &Store, n: i64) -> Result<u64, Error> {
    let (space, path) = (Space::default(), ValuePath::root().key("n"));
    let txn = store.begin();
    let before = txn.kv_get(&space, b"n")?;
    txn.kv_put(&space, b"n", value!(n))?;
    txn.kv_increment(&space, b"sum", value!(1), value!(0))?;
    txn.json_set(&space, "doc", &path, value!(n))?;
    txn.event_append(&space, "log", "step", value!({"n": n}))?;
    drop(before);
    Ok(txn.commit()?.version)
}

/// In the child: commits, with one failing allocation in the last commit. Its exit code is 10 if the commit succeeded
/// and 11 if it gave an error.
fn child(dir: &Path, nth: u64) -> ! {
    let store = open(dir);
    LEFT.store(nth, Ordering::Relaxed);
    let result = commit(&store, 100);
    LEFT.store(0, Ordering::Relaxed);
    // No closing: what comes next is as after a kill.
    let code = match result {
        Ok(_) => 10,
        Err(_) => 11,
    };
    std::process::exit(code)
}

fn run(dir: &Path, nth: u64) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args([
            "--exact",
            "in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env("OOM_DIR", dir)
        .env("OOM_NTH", nth.to_string())
        .output()
        .unwrap();
    if std::env::var("OOM_TRACE").is_ok() {
        let text = String::from_utf8_lossy(&output.stderr);
        let ours = text.lines().filter(|line| line.contains("statewright"));
        let site = ours.map(str::trim).take(2).collect::<Vec<_>>().join(" < ");
        println!("allocation {nth}: {:?}: {site}", output.status.code());
    }
    output.status
}

#[test]
#[ignore = "the process that a failing allocation ends"]
fn in_a_process_of_its_own() {
    let dir = std::env::var("OOM_DIR").unwrap();
    let nth = std::env::var("OOM_NTH").unwrap().parse().unwrap();
    child(Path::new(&dir), nth);
}

#[test]
fn whatever_allocation_fails_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template");
    let store = open(&template);
    let root = ValuePath::root();
    let make = |txn: &statewright_store::Txn| {
        txn.json_set(&Space::default(), "doc", &root, value!({"n": 0}))
    };
    store.transact(make).unwrap();
    for n in 1..=3 {
        commit(&store, n).unwrap();
    }
    let before = COUNT.get();
    commit(&store, 4).unwrap();
    let allocations = COUNT.get() - before;
    store.close().unwrap();
    drop(store);
    assert!(allocations > 0 && allocations < 500, "{allocations}");

    let (mut aborted, mut refused, mut done) = (0, 0, 0);
    // Other threads of the test allocate too, and a first commit after opening a little more.
    for nth in 1..=allocations + 20 {
        let dir = folder.path().join(format!("k{nth}"));
        copy(&template, &dir);
        let status = run(&dir, nth);
        match status.code() {
            Some(10) => done += 1,
            Some(11) => refused += 1,
            None => aborted += 1,
            Some(code) => panic!("allocation {nth}: exit code {code}"),
        }
        let store = open(&dir);
        let now = store.snapshot();
        let n = now.kv_get(&Space::default(), b"n").unwrap();
        let committed = n == Some(value!(100));
        assert!(committed || n == Some(value!(4)), "allocation {nth}: {n:?}");
        assert!(
            committed || status.code() != Some(10),
            "allocation {nth} lost a commit"
        );
        assert_eq!(now.version(), if committed { 6 } else { 5 });
    }
    println!(
        "{allocations} allocations: {aborted} ended the process, {refused} gave an error, {done} did no harm"
    );
    assert!(done >= 1, "the last ones are behind the commit");
}

/// What a store is asked to do with little memory; `n` tells one time from another.
type Work = fn(&Store, i64) -> Result<u64, Error>;

const WORK: [(&str, Work); 5] = [
    ("one key", |store, n| {
        let key = format!("key {n}");
        store.kv_put(&Space::default(), key.as_bytes(), value!(n))
    }),
    ("a counter", |store, _| {
        let (by, from) = (value!(1), value!(0));
        let sum = store.kv_increment(&Space::default(), b"counter", by, from)?;
        Ok(1 + sum.as_u64().unwrap()) // one commit was before
    }),
    ("one of everything", commit),
    ("a long text", |store, n| {
        let text = callers(|| Value::from("x".repeat(20_000)));
        store.kv_put(&Space::default(), &n.to_be_bytes(), text)
    }),
    ("many keys", |store, n| {
        let txn = store.begin();
        for i in 0..200 {
            let key = format!("key {i} of {n}");
            txn.kv_put(&Space::default(), key.as_bytes(), value!(i))?;
        }
        Ok(txn.commit()?.version)
    }),
];

/// Does the work again and again with only so many bytes left, until it fails or has been done often enough.
fn with_budget(store: &Store, bytes: usize, work: Work, times: i64) -> (u64, Option<Error>) {
    let (mut last, mut n) = (store.stats().version, 0);
    BUDGET.set(Some(bytes));
    let failed = loop {
        if n == times {
            break None;
        }
        n += 1;
        match work(store, n) {
            Ok(version) => last = version,
            Err(e) => break Some(e),
        }
    };
    BUDGET.set(None);
    (last, failed)
}

#[test]
fn with_little_memory_a_commit_succeeds_or_has_changed_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut refused, mut done) = (0, 0);
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        for (what, work) in WORK {
            // A snapshot that is held makes commits copy what they change.
            for held in [false, true] {
                // Disks are slow.
                let every = if durability == Durability::Memory {
                    1
                } else {
                    6
                };
                for step in (0..24).step_by(every) {
                    let bytes = 4000 + step * step * 2000;
                    let case = format!("{durability} {what} {held} {bytes}");
                    let place = match durability {
                        Durability::Memory => Place::Memory,
                        _ => Place::Dir(folder.path().join(&case)),
                    };
                    let options = StoreOptions::with_durability(durability);
                    let open = || Store::open(Env::real(), place.clone(), options.clone()).unwrap();
                    let store = open();
                    let root = ValuePath::root();
                    store
                        .json_set(&Space::default(), "doc", &root, value!({"n": 0}))
                        .unwrap();
                    let snapshot = held.then(|| store.snapshot());
                    // A thread of its own, which has not asked for memory before.
                    let scarce = || with_budget(&store, bytes, work, 25);
                    let (last, failed) = std::thread::scope(|s| s.spawn(scarce).join().unwrap());
                    match &failed {
                        None => done += 1,
                        Some(e) => {
                            refused += 1;
                            assert_eq!(e.code(), 113, "{case}: {e}");
                        }
                    }
                    assert_eq!(store.stats().version, last, "{case}: {failed:?}");
                    drop(snapshot);
                    // With memory again, it goes on.
                    assert_eq!(work(&store, 1000).unwrap(), last + 1, "{case}");
                    let entries = store.stats().entries;
                    if durability != Durability::Memory {
                        store.close().unwrap();
                        drop(store);
                        let again = open().stats();
                        assert!(again.recovery.clean, "{case}");
                        assert_eq!(
                            (again.version, again.entries),
                            (last + 1, entries),
                            "{case}"
                        );
                        std::fs::remove_dir_all(folder.path().join(&case)).unwrap();
                    }
                }
            }
        }
    }
    println!("{refused} refused, {done} went through");
    assert!(refused > 100 && done > 100, "{refused} {done}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
