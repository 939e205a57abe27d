//! All six primitives, and one transaction over them.

use std::error::Error;

use statewright::store::prelude::*;
use statewright::store::{Error as StoreError, NewRun, NewTrace, RunStatus};
use statewright::{Path, Space, Store, value};

fn main() -> Result<(), Box<dyn Error>> {
    let engine = statewright_examples::open()?;
    let store = engine.store();
    let space = Space::default();
    keys(store, &space)?;
    documents(store, &space)?;
    events(store, &space)?;
    cells(store, &space)?;
    traces(store, &space)?;
    runs(store, &space)?;
    together(store, &space)?;
    engine.close()?;
    Ok(())
}

/// Prints what a call is refused with.
fn refused<T>(outcome: Result<T, StoreError>) {
    match outcome {
        Err(error) => println!("refused: {}", error.code()),
        Ok(_) => println!("not refused"),
    }
}

/// Counters that never conflict, compare-and-swap, scans of any length.
fn keys(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    store.kv_increment(space, b"visits", value!(1), value!(0))?;
    let sum = store.kv_increment(space, b"visits", value!(2), value!(0))?;
    println!("counter: {sum}");
    refused(store.kv_cas(space, b"visits", Some(&value!(7)), value!(8)));
    for n in 1..=3 {
        store.kv_put(space, format!("job/{n}").as_bytes(), value!(n))?;
    }
    let now = store.snapshot();
    let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
    let jobs = now.kv_scan(space, b"job/", None, 100)?;
    let jobs: Vec<String> = jobs.into_iter().map(|(key, _)| text(key)).collect();
    println!("jobs: {}", jobs.join(" "));
    for (last, _) in now.kv_scan_reverse(space, b"job/", None, 1)? {
        println!("last: {}", text(last));
    }
    Ok(())
}

/// Only what changes is written down.
fn documents(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    let (lines, total): (Path, Path) = (".lines".parse()?, ".total".parse()?);
    store.transact(|txn| {
        txn.json_create(space, "order", value!({ "lines": ["pen"] }))?;
        txn.json_push(space, "order", &lines, vec![value!("book")])
    })?;
    store.json_increment(space, "order", &total, value!(30), value!(0))?;
    let order = store.snapshot().json_get(space, "order", &Path::root())?;
    println!("order: {}", order.unwrap_or_default());
    Ok(())
}

/// Streams that only grow, each event chained to the one before it.
fn events(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    for (kind, id) in [("placed", 1), ("paid", 1), ("placed", 2)] {
        store.event_append(space, "orders", kind, value!({ "id": id }))?;
    }
    let now = store.snapshot();
    let all = now.event_range(space, "orders", 0, None, 100)?;
    let kinds: Vec<_> = all.iter().map(|event| event.kind.as_str()).collect();
    println!("events: {}", kinds.join(" "));
    let placed = now.event_by_type(space, "orders", "placed", 0, 100)?.len();
    let all = now
        .event_verify(space, "orders")?
        .map_or(0, |stream| stream.len);
    println!("placed: {placed} of {all}, the chain holds");
    Ok(())
}

/// Small values that are changed by version.
fn cells(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    store.cell_init(space, "phase", value!("draft"))?;
    let version = store
        .snapshot()
        .cell_get(space, "phase")?
        .map(|cell| cell.version);
    store.cell_cas(space, "phase", version, value!("review"))?;
    let phase = store.snapshot().cell_get(space, "phase")?;
    println!(
        "phase: {}",
        phase.map(|cell| cell.value).unwrap_or_default()
    );
    refused(store.cell_cas(space, "phase", version, value!("done")));
    Ok(())
}

/// What was done and why, as trees.
fn traces(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    let plan = NewTrace::new("decision", value!({ "use": "search" })).id("plan");
    store.trace_record(space, plan)?;
    let call = NewTrace::new("tool_call", value!({ "tool": "search" }));
    store.trace_record(space, call.id("call").parent("plan").tag("slow"))?;
    let tree = store.snapshot().trace_tree(space, "plan", 100)?;
    let nodes = tree
        .iter()
        .map(|node| format!("{} {}", node.depth, node.trace.id));
    println!("tree: {}", nodes.collect::<Vec<_>>().join(", "));
    Ok(())
}

/// Each with a space for its state, which can be forked and compared.
fn runs(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    let rows = |id: &str, n: i64| -> Result<(), StoreError> {
        if let Some(run) = store.snapshot().run_get(space, id)? {
            store.kv_put(&run.space, b"rows", value!(n))?;
        }
        Ok(())
    };
    store.run_create(space, NewRun::new().id("r1").tag("nightly"))?;
    rows("r1", 17)?;
    store.run_fork(space, "r1", NewRun::new().id("r2"))?;
    rows("r2", 18)?;
    for found in store.snapshot().run_diff(space, "r1", "r2", 10)? {
        let (before, after) = (
            found.before.unwrap_or_default(),
            found.after.unwrap_or_default(),
        );
        println!("diff: {} {before} -> {after}", found.place);
    }
    store.run_set_status(space, "r1", RunStatus::Completed)?;
    refused(store.run_set_status(space, "r1", RunStatus::Active));
    Ok(())
}

/// All of it in one commit, and a part of it undone. It is run again if somebody else got in between.
fn together(store: &Store, space: &Space) -> Result<(), Box<dyn Error>> {
    store.transact(|txn| {
        txn.kv_put(space, b"kept", value!(1))?;
        let before = txn.savepoint();
        txn.kv_put(space, b"tried", value!(2))?;
        txn.rollback_to(before)?;
        txn.event_append(space, "orders", "sent", value!({ "id": 1 }))?;
        txn.cell_set(space, "phase", value!("done"))
    })?;
    let now = store.snapshot();
    let (kept, tried) = (
        now.kv_exists(space, b"kept")?,
        now.kv_exists(space, b"tried")?,
    );
    let events = now.event_len(space, "orders")?;
    println!("kept: {kept}, tried: {tried}, events: {events}");
    let spaces = now.space_list("", None, 100)?;
    let names: Vec<_> = spaces.iter().map(|space| space.as_str()).collect();
    println!("spaces: {}", names.join(" "));
    Ok(())
}
