//! Values that nest as deep as any may.

use statewright_log::sim::{self, SimIo};
use statewright_store::prelude::*;
use statewright_store::{Error, NewRun, NewTrace, Place, Space, Span, Store, StoreOptions};
use statewright_value::{MAX_DEPTH, Path, Value, value};

fn open(io: &SimIo) -> Store {
    let place = Place::Dir("/store".into());
    Store::open(sim::env(io, 3), place, StoreOptions::default()).unwrap()
}

/// An object that nests so deep.
fn nested(depth: usize) -> Value {
    (1..depth).fold(value!({}), |inner, _| value!({ "a": inner }))
}

/// What the entries of a store hold is read from a checkpoint as any value is, and so may not be deeper than any:
/// one that was would make the checkpoint count as damaged.
#[test]
fn what_is_taken_can_be_read_from_a_checkpoint_and_what_is_too_deep_is_refused() {
    let space = Space::default();
    for depth in MAX_DEPTH - 2..=MAX_DEPTH + 1 {
        let io = SimIo::new();
        let store = open(&io);
        store.run_create(&space, NewRun::new().id("r")).unwrap();
        let root = Path::root();
        type Write<'a> = &'a dyn Fn(Value) -> Result<(), Error>;
        // How many containers an entry has around the value.
        let writes: [(usize, &str, Write<'_>); 8] = [
            (0, "key", &|v| store.kv_put(&space, b"k", v).map(drop)),
            (0, "document", &|v| {
                store.json_set(&space, "k", &root, v).map(drop)
            }),
            (0, "cell", &|v| store.cell_set(&space, "k", v).map(drop)),
            (1, "event", &|v| {
                store.event_append(&space, "e", "k", v).map(drop)
            }),
            (1, "event of a transaction", &|v| {
                store.transact(|txn| txn.event_append(&space, "e", "k", v.clone()))
            }),
            (1, "trace", &|v| {
                let trace = NewTrace::new("k", v);
                store.trace_record(&space, trace).map(drop)
            }),
            (1, "run", &|v| {
                let run = NewRun::new().metadata(v);
                store.run_create(&space, run).map(drop)
            }),
            (1, "metadata", &|v| {
                store.run_set_metadata(&space, "r", &root, v).map(drop)
            }),
        ];
        for (around, what, write) in writes {
            let written = write(nested(depth));
            let fits = depth + around <= MAX_DEPTH;
            assert_eq!(written.is_ok(), fits, "{what} of depth {depth}");
            assert!(
                written.is_ok() || written.unwrap_err().is_about_input(),
                "{what}"
            );
        }
        store.checkpoint().unwrap();
        let all = |store: &Store| {
            let now = store.snapshot();
            (
                now.kv_scan(&space, b"", None, 9).unwrap(),
                now.json_list(&space, "", None, 9).unwrap(),
                now.cell_list(&space, "", None, 9).unwrap(),
                now.event_range(&space, "e", 0, None, 9).unwrap(),
                now.trace_by_time(&space, Span::default(), 9).unwrap(),
                now.run_by_time(&space, Span::default(), 9).unwrap(),
            )
        };
        let before = all(&store);
        store.close().unwrap();
        let store = open(&io);
        assert_eq!(all(&store), before, "{depth}");
        assert!(store.stats().checkpoint.skipped.is_empty());
    }
}
