//! Reading allocates nothing: counted by an allocator, thread by thread.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use statewright_value::{Path, Query, Value, value};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// A thread that is ending has no counter any more; nothing is measured there.
fn count() {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on as it is to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is that of the allocator underneath.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates the second time it runs: what is made once and kept does not count.
fn allocations<R>(mut work: impl FnMut() -> R) -> u64 {
    black_box(work());
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

/// A document with small and large containers, short and long texts.
fn document() -> Value {
    let long = "a text that is too long to be kept in the handle itself";
    let many: Value = (0..1000)
        .map(|number| {
            (
                format!("key {number}"),
                value!({"number": number, "text": long}),
            )
        })
        .collect();
    let items: Vec<Value> = (0..1000).map(Value::from).collect();
    value!({
        "user": {"name": "Ada", "tags": ["x", "y"], "long": long, "bytes": (Value::bytes([7; 100]))},
        "many": many,
        "items": items,
    })
}

/// The same document in every form that a value has.
fn forms() -> Vec<(&'static str, Value)> {
    let built = document();
    let parsed = Value::from_json(built.to_json()).unwrap();
    let decoded = Value::from_msgpack(&built.to_msgpack()).unwrap();
    let mut edited = parsed.clone();
    for path in [".user.new", ".many.\"key 500\".new", ".items[500]"] {
        edited
            .set(&Path::parse(path).unwrap(), Value::from(1))
            .unwrap();
    }
    vec![
        ("built", built),
        ("parsed", parsed),
        ("decoded", decoded),
        ("edited", edited),
    ]
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| vec![1; 100]), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn getting_allocates_nothing() {
    for path in [
        ".user.name",
        ".user.tags[1]",
        ".user.long",
        ".user.bytes",
        ".many.\"key 999\".text",
        ".items[999]",
        ".nothing.here",
        ".",
    ] {
        let path = Path::parse(path).unwrap();
        for (form, doc) in &forms() {
            let borrowed = doc.by_ref();
            assert_eq!(allocations(|| borrowed.at(&path)), 0, "{form}: {path}");
            assert_eq!(allocations(|| borrowed.has(&path)), 0, "{form}: {path}");
            assert_eq!(allocations(|| doc.at(&path)), 0, "{form}: {path}, owned");
            let text = || borrowed.at(&path).and_then(|found| found.as_str());
            assert_eq!(allocations(text), 0, "{form}: {path}, text");
        }
    }
}

#[test]
fn walking_allocates_nothing() {
    for (form, doc) in &forms() {
        let many = doc.by_ref().get("many").unwrap();
        let walk = || {
            many.entries()
                .map(|(key, value)| key.len() + value.len())
                .sum::<usize>()
        };
        assert_eq!(allocations(walk), 0, "{form}: entries");
        let items = doc.by_ref().get("items").unwrap();
        assert_eq!(allocations(|| items.items().count()), 0, "{form}: items");
    }
}

#[test]
fn cloning_allocates_nothing() {
    for (form, doc) in &forms() {
        assert_eq!(allocations(|| doc.clone()), 0, "{form}");
        for (key, inner) in doc.by_ref().entries() {
            assert_eq!(allocations(|| inner.to_value()), 0, "{form}: {key}");
        }
        let user = doc.by_ref().get("user").unwrap();
        for (key, inner) in user.entries() {
            assert_eq!(allocations(|| inner.to_value()), 0, "{form}: {key}");
        }
    }
}

#[test]
fn compiled_queries_allocate_nothing() {
    for query in [
        "$.user.name",
        "$.user.tags[-1]",
        "$.many['key 999'].text",
        "$.items[999]",
        "$.items[?@ == 999]",
        "$.many[?@.number > 998].text",
        "$.items[::100]",
        "$.nothing.here",
    ] {
        let query = Query::parse(query).unwrap();
        for (form, doc) in &forms() {
            let first = || query.first(doc.by_ref()).unwrap();
            assert_eq!(allocations(first), 0, "{form}: {}", query.as_str());
            let exists = || query.exists(doc.by_ref()).unwrap();
            assert_eq!(allocations(exists), 0, "{form}: {}", query.as_str());
            let count = || query.count(doc.by_ref()).unwrap();
            assert_eq!(allocations(count), 0, "{form}: {}", query.as_str());
        }
    }
}
