//! Memory exhaustion: the k-th allocation of the commit path fails, for every k.
//!
//! Rust's own containers end the process when memory is exhausted; nothing that returns an error can be promised where
//! they are used. So each failure is tried in a process of its own, and what is promised is checked from outside: the
//! process ends like a killed one or reports a typed error, opening the folder again is clean, and every commit that
//! was acknowledged before is there. `OOM_TRACE=1` shows where the allocations are that end the process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and read their environment"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};

use statewright_store::{Durability, Env, Place, Reader, Space, Store, StoreOptions};
use statewright_value::{Path as ValuePath, value};

/// Allocations until one fails; 0 when none is to fail.
static LEFT: AtomicU64 = AtomicU64::new(0);
/// Allocations on the commit path.
static COUNT: AtomicU64 = AtomicU64::new(0);

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

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Whether this allocation is the one that fails.
fn fails() -> bool {
    COUNT.fetch_add(1, Ordering::Relaxed);
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
fn commit(store: &Store, n: i64) -> Result<u64, statewright_store::Error> {
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
    let before = COUNT.load(Ordering::Relaxed);
    commit(&store, 4).unwrap();
    let allocations = COUNT.load(Ordering::Relaxed) - before;
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

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
