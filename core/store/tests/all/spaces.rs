//! Whole spaces.

use std::time::Duration;

use statewright_store::{
    Durability, Env, NewRun, Place, Primitive, Reader, RunReader, Space, Store, StoreOptions,
};
use statewright_value::{Path, value};

fn memory() -> Store {
    let options = StoreOptions::with_durability(Durability::Memory);
    Store::open(Env::real(), Place::Memory, options).unwrap()
}

fn s() -> Space {
    Space::default()
}

#[test]
fn spaces_are_listed_counted_and_deleted_apart() {
    let store = memory();
    let spaces: Vec<_> = ["a", "a/b", "a/b/c", "ab", "b"]
        .map(|name| Space::parse(name).unwrap())
        .into();
    for space in &spaces {
        store.kv_put(space, b"k", value!(1)).unwrap();
        store.event_append(space, "e", "k", value!({})).unwrap();
        store.cell_set(space, "c", value!(1)).unwrap();
        store.json_create(space, "d", value!({})).unwrap();
    }
    assert_eq!(store.space_list("", None, 99).unwrap(), spaces);
    assert_eq!(store.space_list("a/", None, 99).unwrap(), spaces[1..3]);
    assert_eq!(
        store.space_list("", Some(&spaces[1]), 2).unwrap(),
        spaces[2..4]
    );
    let info = store.space_info(&spaces[1]).unwrap();
    assert_eq!(
        (info.keys, info.streams, info.cells, info.documents),
        (1, 1, 1, 1)
    );
    assert!(store.space_delete(&spaces[0]).unwrap());
    assert!(!store.space_delete(&spaces[0]).unwrap());
    assert_eq!(store.space_list("", None, 99).unwrap(), spaces[1..]);
    let limited = {
        let mut options = StoreOptions::default();
        options.limits.max_ops = 5;
        Store::open(Env::real(), Place::Memory, options).unwrap()
    };
    for n in 0..6_u8 {
        limited.kv_put(&s(), &[n], value!(1)).unwrap();
    }
    assert_eq!(limited.space_delete(&s()).unwrap_err().code(), 406);
    assert_eq!(limited.kv_count(&s(), b"").unwrap(), 6);
}

#[test]
fn the_workflow_engines_documents_survive_their_space() {
    let store = memory();
    store
        .transact(|txn| txn.doc_create(Primitive::Flow, &s(), "case", value!({})))
        .unwrap();
    store.kv_put(&s(), b"k", value!(1)).unwrap();
    store.space_delete(&s()).unwrap();
    let left = store.doc_version(Primitive::Flow, &s(), "case").unwrap();
    assert!(left.is_some() && store.stats().entries == 1);
}

/// A run made anew under the same id would find it.
#[test]
fn the_state_of_runs_goes_and_is_copied_with_their_space() {
    let store = memory();
    let space = |name| Space::parse(name).unwrap();
    let run = |id| NewRun::new().id(id);
    let fill = || {
        store.run_create(&space("a"), run("x")).unwrap();
        store.run_create(&space("a/x"), run("y")).unwrap();
        for name in ["a", "a/x", "a/x/y", "a/other"] {
            store.kv_put(&space(name), b"k", value!(name)).unwrap();
        }
    };
    let listed = || {
        let spaces = store.space_list("", None, 99).unwrap();
        spaces.iter().map(Space::to_string).collect::<Vec<_>>()
    };
    fill();
    store.space_copy(&space("a"), &space("b")).unwrap();
    assert_eq!(
        listed(),
        ["a", "a/other", "a/x", "a/x/y", "b", "b/x", "b/x/y"]
    );
    let copied = store.kv_get(&space("b/x/y"), b"k").unwrap();
    assert_eq!(copied, Some(value!("a/x/y")));
    assert!(store.space_delete(&space("b")).unwrap());
    assert_eq!(listed(), ["a", "a/other", "a/x", "a/x/y"]);

    // Something where a run's state would be copied to: nothing is copied.
    store.kv_put(&space("b/x/y"), b"k", value!(1)).unwrap();
    let refused = store.space_copy(&space("a"), &space("b")).unwrap_err();
    assert_eq!(refused.code(), 402);
    assert_eq!(listed(), ["a", "a/other", "a/x", "a/x/y", "b/x/y"]);
    assert!(store.space_delete(&space("b/x/y")).unwrap());

    store.run_fork(&space("a"), "x", run("z")).unwrap();
    assert!(store.space_exists(&space("a/z/y")).unwrap());
    assert_eq!(store.run_delete(&space("a"), "z", false).unwrap(), 1);
    assert_eq!(store.run_delete(&space("a"), "x", false).unwrap(), 1);
    assert_eq!(listed(), ["a", "a/other"]);
    fill();
    assert!(store.space_delete(&space("a")).unwrap());
    assert_eq!(listed(), ["a/other"]);

    // Nor does a run without a state get what is where its copy's would be.
    store.run_create(&space("c"), run("x")).unwrap();
    store.kv_put(&space("d/x"), b"k", value!(1)).unwrap();
    let refused = store.space_copy(&space("c"), &space("d")).unwrap_err();
    assert_eq!(refused.code(), 402);
}

/// It is no part of what differs, so what it does conflicts with no comparison.
#[test]
fn comparing_runs_reads_nothing_of_the_workflow_engine() {
    let store = memory();
    for id in ["x", "y"] {
        store.run_create(&s(), NewRun::new().id(id)).unwrap();
    }
    let state = store.run_get(&s(), "x").unwrap().unwrap().space;
    store.kv_put(&state, b"k", value!(1)).unwrap();
    store.run_create(&state, NewRun::new().id("inner")).unwrap();
    let txn = store.begin();
    let differ = txn.run_diff(&s(), "x", "y", 9).unwrap();
    let kinds: Vec<_> = differ.iter().map(|d| d.primitive).collect();
    assert_eq!(kinds, [Primitive::Kv, Primitive::Run]);
    txn.kv_put(&s(), b"differ", value!(1)).unwrap();
    store
        .transact(|txn| txn.doc_create(Primitive::Flow, &state, "case", value!({})))
        .unwrap();
    txn.commit().unwrap();
}

/// When a key would have expired is noted until then, but is nothing that a space holds.
#[test]
fn a_space_whose_keys_expired_or_went_holds_nothing() {
    let store = memory();
    let (long, now) = (Duration::from_secs(1000), Duration::ZERO);
    let space = |name| Space::parse(name).unwrap();
    let [stays, gone, passed, both] = ["a", "b", "b/c", "d"].map(space);
    store.kv_put_for(&stays, b"k", value!(1), long).unwrap();
    store.kv_put_for(&gone, b"k", value!(1), long).unwrap();
    assert!(store.kv_delete(&gone, b"k").unwrap());
    store.kv_put_for(&passed, b"k", value!(1), now).unwrap();
    store.kv_put_for(&both, b"k", value!(1), long).unwrap();
    store.kv_put(&both, b"k", value!(2)).unwrap();
    let both_there = [stays.clone(), both.clone()];
    assert_eq!(store.space_list("", None, 9).unwrap(), both_there);
    for (space, there) in [
        (&stays, true),
        (&gone, false),
        (&passed, false),
        (&both, true),
    ] {
        assert_eq!(store.space_exists(space).unwrap(), there, "{space}");
    }
    let entries = store.stats().entries;
    assert!(!store.space_delete(&gone).unwrap());
    assert_eq!(store.stats().entries, entries);
    assert!(store.space_copy(&stays, &both).is_err());
    for to in [&gone, &passed] {
        store.space_copy(&stays, to).unwrap();
        assert_eq!(store.kv_get(to, b"k").unwrap(), Some(value!(1)), "{to}");
        assert_eq!(
            store.kv_entry(to, b"k").unwrap().unwrap().expires,
            store.kv_entry(&stays, b"k").unwrap().unwrap().expires
        );
        assert!(store.space_delete(to).unwrap());
        assert!(!store.space_exists(to).unwrap());
    }
    assert!(store.space_delete(&both).unwrap());
    assert_eq!(store.space_list("", None, 9).unwrap(), [stays]);
}

/// Whatever the name of the copy is.
#[test]
fn a_copy_has_the_history_of_what_it_was_copied_from() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Dir(dir.path().join("store"));
    let store = Store::open(Env::real(), place, StoreOptions::default()).unwrap();
    for name in ["backup", "back/up"] {
        let (copy, at) = (Space::parse(name).unwrap(), Path::root().key("n"));
        let from = Space::parse(&format!("from-{}", name.len())).unwrap();
        store.kv_put(&from, b"k", value!(41)).unwrap();
        store.json_create(&from, "d", value!({"o": 1})).unwrap();
        let copied = store.space_copy(&from, &copy).unwrap();
        store
            .kv_increment(&copy, b"k", value!(1), value!(0))
            .unwrap();
        store.json_set(&copy, "d", &at, value!(2)).unwrap();
        let values = store.kv_history(&copy, b"k", 9).unwrap();
        let values: Vec<_> = values.into_iter().map(|past| past.value.unwrap()).collect();
        assert_eq!(values, [value!(42), value!(41)], "{name}");
        let then = store.kv_get_at(&copy, b"k", copied).unwrap().unwrap();
        assert_eq!(then.value, value!(41), "{name}");
        let docs = store.json_history(&copy, "d", 9).unwrap();
        assert_eq!(docs[0].value, Some(value!({"o": 1, "n": 2})), "{name}");
    }
}
