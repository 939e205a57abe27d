//! What users of the primitives rely on, and the bugs that such stores had: each has a test here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use statewright_log::{Clock, Gate};
use statewright_store::prelude::*;
use statewright_store::{
    Durability, Env, Error, Isolation, MergeStrategy, NewRun, NewTrace, Place, Primitive,
    RunStatus, Space, Store, StoreOptions, Timestamp, Txn,
};
use statewright_value::{Path, Value, value};

/// A clock that goes where it is told.
#[derive(Default)]
struct Hands(AtomicI64);

impl Hands {
    fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, gate: &Gate, _: u64, _: Option<Timestamp>) -> u64 {
        gate.epoch()
    }
}

fn memory() -> Store {
    Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap()
}

fn folder() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, Env::real());
    (dir, store)
}

fn open(dir: &tempfile::TempDir, env: Env) -> Store {
    let options = StoreOptions::with_durability(Durability::Buffered);
    Store::open(env, Place::Dir(dir.path().to_owned()), options).unwrap()
}

fn s() -> Space {
    Space::default()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

#[test]
fn a_sum_that_overflows_is_refused_and_changes_nothing_at_once_and_at_commit() {
    let (dir, store) = folder();
    let add = |txn: &Txn, by: u64| txn.kv_increment(&s(), b"n", value!(by), value!(0));
    store.transact(|txn| add(txn, u64::MAX - 1)).unwrap();
    let refused = store
        .kv_increment(&s(), b"n", value!(2), value!(0))
        .unwrap_err();
    assert_eq!(refused.code(), 212);
    assert!(refused.to_string().contains("default/kv/n"), "{refused}");
    // Each has room for its own; there is none for both.
    let (a, b) = (store.begin(), store.begin());
    add(&a, 1).unwrap();
    b.kv_put(&s(), b"other", value!(1)).unwrap();
    add(&b, 1).unwrap();
    a.commit().unwrap();
    assert_eq!(b.commit().unwrap_err().code(), 212);
    assert_eq!(store.kv_get(&s(), b"other").unwrap(), None);
    // The store goes on, and its log can be read.
    store.kv_put(&s(), b"more", value!(1)).unwrap();
    store.close().unwrap();
    let again = open(&dir, Env::real());
    assert_eq!(again.kv_get(&s(), b"n").unwrap(), Some(value!(u64::MAX)));
}

#[test]
fn numbers_of_all_kinds_are_added_and_other_kinds_refused() {
    let store = memory();
    let add = |by: Value| store.kv_increment(&s(), b"n", by, value!(0.5));
    assert_eq!(add(value!(1)).unwrap(), value!(1.5));
    assert_eq!(add(value!(-2.5)).unwrap(), value!(-1.0));
    assert_eq!(add(value!("1")).unwrap_err().code(), 203);
    assert_eq!(add(Value::decimal("0.1").unwrap()).unwrap_err().code(), 212);
    let cents = Value::decimal("0.10").unwrap();
    let sum = |_| {
        store
            .kv_increment(&s(), b"d", cents.clone(), value!(0))
            .unwrap()
    };
    assert_eq!(
        (0..3).map(sum).collect::<Vec<_>>().pop(),
        Some(Value::decimal("0.30").unwrap())
    );
    store.kv_put(&s(), b"t", value!("text")).unwrap();
    assert!(
        store
            .kv_increment(&s(), b"t", value!(1), value!(0))
            .is_err()
    );
    assert!(store.kv_extend(&s(), b"t", vec![value!(1)]).is_err());
    assert_eq!(store.kv_get(&s(), b"t").unwrap(), Some(value!("text")));
}

/// An edit goes by the time of its commit, which never goes back; so readers must.
#[test]
fn a_key_that_expired_does_not_come_back_when_the_clock_is_put_back() {
    let hands = Arc::new(Hands::default());
    let env = Env {
        clock: hands.clone(),
        ..Env::real()
    };
    let dir = tempfile::tempdir().unwrap();
    let (times, space) = (|secs: i64| secs * 1_000_000, s());
    hands.set(times(100));
    let mut store = open(&dir, env.clone());
    let ten = Duration::from_secs(10);
    store.kv_put_for(&space, b"hits", value!(5), ten).unwrap();
    hands.set(times(120));
    store.kv_put(&space, b"other", value!(1)).unwrap();
    hands.set(times(105));
    for reopened in [false, true] {
        if reopened {
            store.close().unwrap();
            store = open(&dir, env.clone());
        }
        assert_eq!(store.kv_get(&space, b"hits").unwrap(), None);
        assert_eq!(store.snapshot().kv_get(&space, b"hits").unwrap(), None);
        assert_eq!(store.kv_count(&space, b"").unwrap(), 1);
        let seen = store.transact(|txn| txn.kv_get(&space, b"hits"));
        assert_eq!(seen.unwrap(), None);
        // What is set now lives as long as it should, and longer by what the clock was put back.
        store.kv_put_for(&space, b"new", value!(1), ten).unwrap();
        assert!(store.kv_exists(&space, b"new").unwrap());
        store.kv_delete(&space, b"new").unwrap();
    }
    let sum = store.kv_increment(&space, b"hits", value!(1), value!(0));
    assert_eq!(sum.unwrap(), value!(1));
}

#[test]
fn a_key_that_expired_is_absent_for_everybody_and_purged_on_request() {
    let hands = Arc::new(Hands::default());
    let env = Env {
        clock: hands.clone(),
        ..Env::real()
    };
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, env.clone());
    hands.set(1_000_000);
    let until = Timestamp::from_micros(2_000_000);
    store.kv_put_until(&s(), b"a", value!(1), until).unwrap();
    store
        .kv_put_for(&s(), b"b", value!(1), Duration::from_secs(5))
        .unwrap();
    store.kv_put(&s(), b"c", value!(1)).unwrap();
    store
        .kv_increment(&s(), b"a", value!(1), value!(10))
        .unwrap();
    let early = store.snapshot();
    assert_eq!(
        early.kv_entry(&s(), b"a").unwrap().unwrap().expires,
        Some(until)
    );
    hands.set(2_000_000);
    assert_eq!(
        early.kv_get(&s(), b"a").unwrap(),
        Some(value!(2)),
        "its clock stands still"
    );
    assert_eq!(store.kv_get(&s(), b"a").unwrap(), None);
    assert!(!store.kv_exists(&s(), b"a").unwrap());
    assert_eq!(store.kv_scan(&s(), b"", None, 9).unwrap().len(), 2);
    assert_eq!(store.kv_count(&s(), b"").unwrap(), 2);
    assert!(!store.kv_delete(&s(), b"a").unwrap());
    // The past is what it was: whether a key had expired then is decided by the clock of then.
    assert_eq!(
        store.kv_get_at(&s(), b"a", 4).unwrap().unwrap().value,
        value!(2)
    );
    assert_eq!(store.kv_history(&s(), b"a", 9).unwrap().len(), 2);
    // It counts as absent for what makes something of it, too.
    let sum = store
        .kv_increment(&s(), b"a", value!(1), value!(10))
        .unwrap();
    assert_eq!(sum, value!(11));
    assert_eq!(
        store.kv_entry(&s(), b"a").unwrap().unwrap().expires,
        None,
        "and stays now"
    );
    let entries = store.stats().entries;
    hands.set(60_000_000);
    store.kv_purge(&s(), 100).unwrap();
    let left = store.stats().entries;
    assert_eq!(
        entries - left,
        3,
        "one key, and when the two were to expire"
    );
    assert_eq!(store.kv_get(&s(), b"a").unwrap(), Some(value!(11)));
    store.close().unwrap();
    // Replay goes by the commits' times, not by the clock.
    hands.set(0);
    assert_eq!(open(&dir, env).stats().entries, left);
}

#[test]
fn history_is_there_and_says_what_happened() {
    let (dir, store) = folder();
    let n = || path(".n");
    store.kv_put(&s(), b"k", value!(1)).unwrap();
    store
        .kv_increment(&s(), b"k", value!(4), value!(0))
        .unwrap();
    store.kv_delete(&s(), b"k").unwrap();
    store.json_create(&s(), "d", value!({"n": 1})).unwrap();
    store
        .json_increment(&s(), "d", &n(), value!(1), value!(0))
        .unwrap();
    store.cell_set(&s(), "c", value!("a")).unwrap();
    store.cell_set(&s(), "c", value!("b")).unwrap();
    store.close().unwrap();
    let store = open(&dir, Env::real());
    let past = store.kv_history(&s(), b"k", 10).unwrap();
    let seen: Vec<_> = past.into_iter().map(|p| (p.version, p.value)).collect();
    assert_eq!(
        seen,
        [(3, None), (2, Some(value!(5))), (1, Some(value!(1)))]
    );
    assert_eq!(store.kv_history(&s(), b"k", 1).unwrap().len(), 1);
    assert_eq!(store.kv_history(&s(), b"other", 10).unwrap(), []);
    assert_eq!(
        store.kv_get_at(&s(), b"k", 2).unwrap().unwrap().value,
        value!(5)
    );
    assert_eq!(store.kv_get_at(&s(), b"k", 3).unwrap(), None);
    let past = store.json_history(&s(), "d", 10).unwrap();
    assert_eq!(past[0].value, Some(value!({"n": 2})));
    assert_eq!(
        store.json_get_at(&s(), "d", 4).unwrap().unwrap().value,
        value!({"n": 1})
    );
    let past = store.cell_history(&s(), "c", 10).unwrap();
    assert_eq!((past.len(), past[1].value.clone()), (2, Some(value!("a"))));
    assert_eq!(
        store.cell_get_at(&s(), "c", 6).unwrap().unwrap().value,
        value!("a")
    );
    store.space_delete(&s()).unwrap();
    assert_eq!(store.json_history(&s(), "d", 1).unwrap()[0].value, None);
    // Nothing is made up where there is no log.
    let refused = memory().kv_history(&s(), b"k", 10).unwrap_err();
    assert_eq!(refused.code(), 412);
}

#[test]
fn what_was_copied_has_the_history_of_what_it_was_copied_from() {
    let (_dir, store) = folder();
    store.run_create(&s(), NewRun::new().id("a")).unwrap();
    let a = Space::parse("default/a").unwrap();
    let b = Space::parse("default/b").unwrap();
    store.kv_put(&a, b"k", value!(1)).unwrap();
    store.kv_put(&a, b"k", value!(2)).unwrap();
    store.event_append(&a, "e", "k", value!({})).unwrap();
    store.run_fork(&s(), "a", NewRun::new().id("b")).unwrap();
    store.kv_put(&a, b"k", value!(3)).unwrap();
    store.kv_increment(&b, b"k", value!(10), value!(0)).unwrap();
    store.event_append(&b, "e", "k", value!({})).unwrap();
    let values = |space: &Space| {
        let past = store.kv_history(space, b"k", 9).unwrap();
        past.into_iter()
            .map(|p| p.value.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&b), [value!(12), value!(2)]);
    assert_eq!(values(&a), [value!(3), value!(2), value!(1)]);
    assert_eq!(store.event_verify(&b, "e").unwrap().unwrap().len, 2);
    assert_eq!(store.event_verify(&a, "e").unwrap().unwrap().len, 1);
    let places: Vec<_> = store
        .run_diff(&s(), "a", "b", 9)
        .unwrap()
        .into_iter()
        .map(|d| (d.primitive, d.place, d.before.is_some()))
        .collect();
    assert_eq!(
        places,
        [
            (Primitive::Kv, "kv/k".to_owned(), true),
            (Primitive::Event, "event/e#1".to_owned(), false)
        ]
    );
    let mut seen = Vec::new();
    store
        .run_replay(&s(), "b", &mut |commit| {
            seen.extend(commit.ops.iter().map(|op| op.name()));
            true
        })
        .unwrap();
    assert_eq!(
        seen,
        ["run.create", "space.copy", "kv.increment", "event.append"]
    );
    assert_eq!(store.run_delete(&s(), "a", false).unwrap_err().code(), 415);
    assert_eq!(store.run_delete(&s(), "a", true).unwrap(), 2);
    assert!(!store.space_exists(&b).unwrap() && !store.run_exists(&s(), "b").unwrap());
    assert_eq!(store.stats().entries, 0);
}

#[test]
fn one_field_of_a_megabyte_logs_its_path_and_value() {
    let (_dir, store) = folder();
    let filler: Value = (0..20_000)
        .map(|n| value!({"id": n, "t": "some text, some text"}))
        .collect();
    store
        .json_create(&s(), "d", value!({"all": filler, "n": 0, "list": []}))
        .unwrap();
    let before = store.stats().log.bytes;
    let at = |text| path(text);
    store
        .json_set(&s(), "d", &at(".all[7].t"), value!("x"))
        .unwrap();
    store
        .json_increment(&s(), "d", &at(".n"), value!(1), value!(0))
        .unwrap();
    store
        .json_push(&s(), "d", &at(".list"), vec![value!(1)])
        .unwrap();
    store
        .json_move_item(&s(), "d", &at(".all"), 0, 9_999)
        .unwrap();
    store
        .json_merge(&s(), "d", &Path::root(), value!({"m": 1}))
        .unwrap();
    let written = store.stats().log.bytes - before;
    assert!(written < 5 * 200, "{written} bytes for five small changes");
}

#[test]
fn an_append_to_a_long_stream_writes_as_much_as_one_to_a_short_one() {
    let (_dir, store) = folder();
    let batch = (0..20_000).map(|n| ("k".to_owned(), value!({"n": n})));
    store.event_append_batch(&s(), "long", batch).unwrap();
    let cost = |stream: &str| {
        let before = store.stats().log.bytes;
        store
            .event_append(&s(), stream, "k", value!({"n": 1}))
            .unwrap();
        store.stats().log.bytes - before
    };
    cost("tiny");
    assert_eq!(cost("long"), cost("tiny"));
    let head = store.event_head(&s(), "long").unwrap().unwrap();
    assert_eq!(head.sequence, 20_000);
    let times = |e: statewright_store::Event| e.time;
    let all = store
        .event_by_time(&s(), "long", times(head.clone()), None, 5)
        .unwrap();
    assert_eq!(all.last().unwrap().sequence, 20_000);
    assert_eq!(
        store
            .event_by_time(&s(), "long", Timestamp::MAX, None, 5)
            .unwrap(),
        []
    );
}

#[test]
fn a_chain_vouches_for_what_was_appended() {
    let store = memory();
    let hashes: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|kind| {
            store
                .event_append(&s(), "e", kind, value!({"k": kind}))
                .unwrap();
            store.event_info(&s(), "e").unwrap().unwrap().hash
        })
        .collect();
    assert_eq!(
        store.event_verify(&s(), "e").unwrap().unwrap().hash,
        hashes[2]
    );
    let events = store.event_range(&s(), "e", 0, None, 9).unwrap();
    assert_eq!(events.iter().map(|e| e.hash).collect::<Vec<_>>(), hashes);
    // The chain depends on what came before: the same event in another stream has another hash.
    store
        .event_append(&s(), "f", "b", value!({"k": "b"}))
        .unwrap();
    assert_ne!(
        store.event_head(&s(), "f").unwrap().unwrap().hash,
        hashes[1]
    );
    assert_eq!(store.event_verify(&s(), "nothing").unwrap(), None);
}

#[test]
fn bad_input_is_an_error_that_names_the_place_and_changes_nothing() {
    let store = memory();
    store
        .json_create(&s(), "d", value!({"n": "text", "list": [1]}))
        .unwrap();
    store.cell_init(&s(), "c", value!(1)).unwrap();
    store.run_create(&s(), NewRun::new().id("r")).unwrap();
    let version = store.stats().version;
    let long = "x".repeat(5000);
    let root = Path::root;
    let one = || value!(1);
    let none: Option<Value> = None;
    let failures: Vec<(i32, &str, Error)> = vec![
        (404, "", store.kv_put(&s(), b"", one()).unwrap_err()),
        (
            404,
            "",
            store.kv_put(&s(), long.as_bytes(), one()).unwrap_err(),
        ),
        (
            409,
            "default/kv/k",
            store
                .kv_put_if_version(&s(), b"k", Some(3), one())
                .unwrap_err(),
        ),
        (
            410,
            "default/kv/k",
            store.kv_cas(&s(), b"k", Some(&one()), one()).unwrap_err(),
        ),
        (
            203,
            "default/json/d",
            store
                .json_increment(&s(), "d", &path(".n"), one(), one())
                .unwrap_err(),
        ),
        (
            203,
            "default/json/d",
            store
                .json_push(&s(), "d", &path(".n"), vec![one()])
                .unwrap_err(),
        ),
        (203, "", store.json_pop(&s(), "d", &path(".n")).unwrap_err()),
        (
            401,
            ".nothing",
            store.json_pop(&s(), "d", &path(".nothing")).unwrap_err(),
        ),
        (
            203,
            "",
            store
                .json_append(&s(), "d", &path(".list"), value!("x"), none.clone())
                .unwrap_err(),
        ),
        (
            206,
            "",
            store
                .json_insert(&s(), "d", &path(".list[9]"), one())
                .unwrap_err(),
        ),
        (
            206,
            "",
            store
                .json_move_item(&s(), "d", &path(".list"), 0, 9)
                .unwrap_err(),
        ),
        (
            401,
            "default/json/x",
            store.json_merge(&s(), "x", &root(), one()).unwrap_err(),
        ),
        (
            409,
            "default/json/d",
            store.json_cas(&s(), "d", 77, &root(), one()).unwrap_err(),
        ),
        (
            402,
            "default/json/d",
            store.json_create(&s(), "d", one()).unwrap_err(),
        ),
        (
            402,
            "default/cell/c",
            store.cell_init(&s(), "c", one()).unwrap_err(),
        ),
        (
            409,
            "default/cell/c",
            store.cell_cas(&s(), "c", Some(99), one()).unwrap_err(),
        ),
        (
            409,
            "default/cell/c",
            store.cell_cas(&s(), "c", None, one()).unwrap_err(),
        ),
        (
            401,
            "default/cell/x",
            store
                .cell_transition(&s(), "x", |v| Ok::<_, Error>(v.clone()))
                .unwrap_err(),
        ),
        (
            203,
            "default/event/e",
            store.event_append(&s(), "e", "k", one()).unwrap_err(),
        ),
        (
            414,
            "stream",
            store.event_append(&s(), "", "k", value!({})).unwrap_err(),
        ),
        (
            414,
            "type",
            store
                .event_append(&s(), "e", "a\0b", value!({}))
                .unwrap_err(),
        ),
        (
            414,
            "tag",
            store
                .trace_record(&s(), NewTrace::new("k", one()).tag(""))
                .unwrap_err(),
        ),
        (
            401,
            "default/trace/p",
            store
                .trace_record(&s(), NewTrace::new("k", one()).parent("p"))
                .unwrap_err(),
        ),
        (
            402,
            "default/run/r",
            store.run_create(&s(), NewRun::new().id("r")).unwrap_err(),
        ),
        (
            405,
            "",
            store
                .run_create(&s(), NewRun::new().id("no good"))
                .unwrap_err(),
        ),
        (
            414,
            "a/b",
            store.run_create(&s(), NewRun::new().id("a/b")).unwrap_err(),
        ),
        (
            203,
            "default/run/m",
            store
                .run_create(&s(), NewRun::new().id("m").metadata(one()))
                .unwrap_err(),
        ),
        (
            401,
            "default/run/x",
            store.run_fork(&s(), "x", NewRun::new()).unwrap_err(),
        ),
        (402, "default/r", store.space_copy(&s(), &s()).unwrap_err()),
    ];
    for (at, (code, place, error)) in failures.into_iter().enumerate() {
        assert_eq!(error.code(), code, "{at}: {error}");
        assert!(
            at + 1 == 29 || error.to_string().contains(place),
            "{at}: {error}"
        );
    }
    assert_eq!(store.stats().version, version);
}

#[test]
fn a_run_goes_its_way_and_no_other() {
    use RunStatus::*;
    let store = memory();
    store.run_create(&s(), NewRun::new().id("r")).unwrap();
    let set = |status| store.run_set_status(&s(), "r", status);
    for (status, fine) in [
        (Paused, true),
        (Completed, false),
        (Active, true),
        (Failed, true),
        (Active, false),
        (Archived, true),
        (Active, false),
        (Archived, true),
    ] {
        assert_eq!(set(status).is_ok(), fine, "{status:?}");
    }
    let refused = set(Paused).unwrap_err();
    assert_eq!(refused.code(), 411);
    let says =
        "default/run/r is archived and cannot become paused; from archived it can become: nothing";
    assert_eq!(refused.to_string(), says);
}

#[test]
fn savepoints_nest_and_are_of_their_transaction() {
    let store = memory();
    let txn = store.begin();
    let put = |key: &[u8]| txn.kv_put(&s(), key, value!(1)).unwrap();
    put(b"a");
    let one = txn.savepoint();
    put(b"b");
    let two = txn.savepoint();
    put(b"c");
    txn.json_create(&s(), "d", value!({"n": [1]})).unwrap();
    txn.json_push(&s(), "d", &path(".n"), vec![value!(2)])
        .unwrap();
    txn.rollback_to(two).unwrap();
    assert_eq!(txn.kv_get(&s(), b"c").unwrap(), None);
    assert!(!txn.json_exists(&s(), "d").unwrap());
    put(b"e");
    txn.rollback_to(two).unwrap();
    assert_eq!(txn.kv_get(&s(), b"e").unwrap(), None);
    txn.release(two).unwrap();
    assert_eq!(txn.rollback_to(two).unwrap_err().code(), 416);
    assert_eq!(store.begin().rollback_to(one).unwrap_err().code(), 416);
    txn.rollback_to(one).unwrap();
    put(b"f");
    txn.commit().unwrap();
    let keys: Vec<_> = store.kv_scan(&s(), b"", None, 9).unwrap();
    let keys: Vec<_> = keys.into_iter().map(|(k, _)| k).collect();
    assert_eq!(keys, [b"a", b"f"]);
}

#[test]
fn what_was_read_before_going_back_still_counts() {
    let store = memory();
    let txn = store.begin();
    let before = txn.savepoint();
    assert_eq!(txn.kv_get(&s(), b"k").unwrap(), None);
    txn.rollback_to(before).unwrap();
    txn.kv_put(&s(), b"x", value!(1)).unwrap();
    store.kv_put(&s(), b"k", value!(1)).unwrap();
    assert!(txn.commit().unwrap_err().is_retryable());
}

#[test]
fn merges_follow_their_strategy() {
    let store = memory();
    store
        .json_create(&s(), "d", value!({"o": {"a": 1}}))
        .unwrap();
    let largest = MergeStrategy::custom(|old, new| Ok(old.max(Some(new)).unwrap_or(new).clone()));
    let cases = [
        (
            "last",
            MergeStrategy::Last,
            vec![value!(1), value!(2)],
            value!(2),
        ),
        (
            "first",
            MergeStrategy::First,
            vec![value!(1), value!(2)],
            value!(1),
        ),
        (
            "sum",
            MergeStrategy::Accumulate,
            vec![value!(1), value!(2.5)],
            value!(3.5),
        ),
        (
            "text",
            MergeStrategy::Concatenate,
            vec![value!("a"), value!("b")],
            value!("ab"),
        ),
        (
            "items",
            MergeStrategy::Concatenate,
            vec![value!([1]), value!([2, 3])],
            value!([1, 2, 3]),
        ),
        (
            "deep",
            MergeStrategy::Deep,
            vec![value!({"a": {"x": 1}}), value!({"a": {"y": 2}})],
            value!({"a": {"x": 1, "y": 2}}),
        ),
        (
            "custom",
            largest,
            vec![value!(5), value!(9), value!(7)],
            value!(9),
        ),
    ];
    for (key, strategy, values, want) in cases {
        for value in values {
            store
                .kv_merge(&s(), key.as_bytes(), value.clone(), &strategy)
                .unwrap();
            let at = path(&format!(".o.{key}"));
            store
                .json_merge_by(&s(), "d", &at, value, &strategy)
                .unwrap();
        }
        assert_eq!(
            store.kv_get(&s(), key.as_bytes()).unwrap(),
            Some(want.clone()),
            "{key}"
        );
        let at = path(&format!(".o.{key}"));
        assert_eq!(store.json_get(&s(), "d", &at).unwrap(), Some(want), "{key}");
    }
}

#[test]
fn what_is_no_document_is_not_changed_as_one() {
    let store = memory();
    for primitive in [
        Primitive::Kv,
        Primitive::Event,
        Primitive::Trace,
        Primitive::Run,
    ] {
        let txn = store.begin();
        let refused = txn.doc_create(primitive, &s(), "d", value!(1)).unwrap_err();
        assert_eq!(refused.code(), 414, "{refused}");
        assert!(
            txn.doc_set(primitive, &s(), "d", &Path::root(), value!(1))
                .is_err()
        );
        assert!(txn.doc_drop(primitive, &s(), "d").is_err());
    }
}

#[test]
fn a_compare_and_swap_notices_what_came_between_at_every_isolation() {
    for isolation in [
        Isolation::Serializable,
        Isolation::Snapshot,
        Isolation::Weak,
    ] {
        let store = memory();
        let version = store.cell_set(&s(), "c", value!(1)).unwrap();
        let txn = store.begin_with(isolation);
        txn.cell_cas(&s(), "c", Some(version), value!(2)).unwrap();
        store.cell_set(&s(), "c", value!(3)).unwrap();
        assert!(txn.commit().unwrap_err().is_retryable());
        assert_eq!(store.cell_get(&s(), "c").unwrap().unwrap().value, value!(3));
    }
}
