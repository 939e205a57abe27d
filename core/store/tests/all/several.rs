//! Calls that read several things: of one version, each once, and no more than is asked for.

use statewright_store::prelude::*;
use statewright_store::{
    Env, LoggedCommit, NewRun, NewTrace, Place, Space, Span, Store, StoreOptions, Timestamp,
};
use statewright_value::value;

#[test]
fn a_call_that_reads_several_things_reads_them_at_one_version() {
    let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
    let space = Space::parse("changing").unwrap();
    // All is removed and made anew, in one commit: nobody can see less.
    let renew = |n: u64| {
        let txn = store.begin();
        txn.space_delete(&space).unwrap();
        for at in 0..4 {
            let kind = ["even", "odd"][(n + at) as usize % 2];
            txn.event_append(&space, "s", kind, value!({ "n": n }))
                .unwrap();
            let key = format!("k{}", n % 3 + at * 300);
            txn.kv_put(&space, key.as_bytes(), value!(n)).unwrap();
            let trace = NewTrace::new("t", value!({})).id(&format!("t{}", (n + at) % 7));
            txn.trace_record(&space, trace).unwrap();
        }
        txn.commit().unwrap();
    };
    renew(0);
    std::thread::scope(|threads| {
        threads.spawn(|| (1..3_000).for_each(renew));
        while store.stats().version < 2_990 {
            assert_eq!(store.event_verify(&space, "s").unwrap().unwrap().len, 4);
            assert_eq!(
                store.event_by_type(&space, "s", "odd", 0, 9).unwrap().len(),
                2
            );
            assert_eq!(store.event_types(&space, "s").unwrap(), ["even", "odd"]);
            let all = store.event_by_time(&space, "s", Timestamp::default(), None, 9);
            assert_eq!(all.unwrap().len(), 4);
            assert_eq!(
                store
                    .trace_by_time(&space, Span::default(), 9)
                    .unwrap()
                    .len(),
                4
            );
            let info = store.space_info(&space).unwrap();
            assert_eq!((info.keys, info.streams, info.traces), (4, 1, 4));
        }
    });
}

#[test]
fn restored_traces_below_each_other_are_given_once_and_a_tree_is_cut_where_it_is_asked_to_be() {
    let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
    let space = Space::default();
    let txn = store.begin();
    let restore = |id: &str, parent: &str, time| {
        let trace = NewTrace::new("t", value!({})).id(id).parent(parent);
        txn.trace_restore(&space, trace, Timestamp::from_micros(time))
            .unwrap();
    };
    for (at, (id, parent)) in [("a", "c"), ("b", "a"), ("c", "b")].into_iter().enumerate() {
        restore(id, parent, at as i64);
    }
    for n in 0..40 {
        restore(&format!("leaf{n:02}"), "b", 9);
    }
    txn.commit().unwrap();
    let ids = |limit| {
        let nodes = store.trace_tree(&space, "a", limit).unwrap().into_iter();
        let shown = nodes.map(|node| format!("{}{}", node.depth, node.trace.id));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(ids(4), ["0a", "1b", "2c", "2leaf00"]);
    assert_eq!(ids(100).len(), 3 + 40);
    assert_eq!(ids(100).last().unwrap(), "2leaf39");
    assert!(ids(0).is_empty());
}

#[test]
fn a_replay_of_a_run_has_no_forks_that_were_made_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Dir(dir.path().join("store"));
    let store = Store::open(Env::real(), place, StoreOptions::default()).unwrap();
    let space = Space::default();
    let id = store.run_create(&space, NewRun::new().id("r")).unwrap();
    let state = Space::parse("default/r").unwrap();
    store.kv_put(&state, b"k", value!(1)).unwrap();
    store
        .run_fork(&space, &id, NewRun::new().id("fork"))
        .unwrap();
    let versions = |id: &str| {
        let mut versions = Vec::new();
        let all = &mut |commit: LoggedCommit| {
            versions.push(commit.version);
            true
        };
        store.run_replay(&space, id, all).unwrap();
        versions
    };
    assert_eq!((versions("r"), versions("fork")), (vec![1, 2], vec![3]));
    let copied = store.kv_history(&Space::parse("default/fork").unwrap(), b"k", 9);
    assert_eq!(copied.unwrap().len(), 1);
}
