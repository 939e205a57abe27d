//! What transactions promise: isolation levels with the anomalies they allow and forbid, and the conflict rule.

use statewright_store::{
    Env, Error, Isolation, Place, Primitive, Reader, Retryable, Space, Store, StoreOptions, Txn,
};
use statewright_value::{Path, Value, value};

fn memory() -> Store {
    Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap()
}

fn space() -> Space {
    Space::default()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn with_doc(content: Value) -> Store {
    let store = memory();
    store
        .transact(|txn| txn.json_create(&space(), "doc", content.clone()))
        .unwrap();
    store
}

fn doc(store: &Store) -> Value {
    store
        .snapshot()
        .json_get(&space(), "doc", &Path::root())
        .unwrap()
        .unwrap()
}

/// Runs two transactions side by side on one snapshot; the first commits first.
fn race(
    content: Value,
    isolation: Isolation,
    first: impl FnOnce(&Txn) -> Result<(), Error>,
    second: impl FnOnce(&Txn) -> Result<(), Error>,
) -> (Store, Result<u64, Error>) {
    let store = with_doc(content);
    let (a, b) = (store.begin_with(isolation), store.begin_with(isolation));
    first(&a).unwrap();
    second(&b).unwrap();
    a.commit().unwrap();
    let result = b.commit().map(|c| c.version);
    (store, result)
}

fn set(at: &'static str, v: i64) -> impl FnOnce(&Txn) -> Result<(), Error> {
    move |txn| txn.json_set(&space(), "doc", &path(at), value!(v))
}

#[test]
fn siblings_never_conflict_and_both_stay() {
    let (store, result) = race(
        value!({}),
        Isolation::Serializable,
        set(".a.x", 1),
        set(".a.y", 2),
    );
    assert_eq!(result.unwrap(), 3);
    assert_eq!(doc(&store), value!({"a": {"x": 1, "y": 2}}));
}

#[test]
fn the_same_path_its_ancestor_and_its_descendant_conflict() {
    for (first, second) in [
        (".a.x", ".a.x"),
        (".a", ".a.x"),
        (".a.x", ".a"),
        (".", ".a.x"),
        (".a.x", "."),
    ] {
        let start = value!({"a": {"x": 0}});
        let (store, result) = race(start, Isolation::Snapshot, set(first, 1), set(second, 2));
        let Err(Error::Conflict {
            path,
            committed,
            snapshot,
        }) = result
        else {
            panic!("{first} then {second}: {result:?}")
        };
        assert_eq!(path, format!("default/json/doc {second}"));
        assert_eq!((committed, snapshot), (2, 1));
        assert_eq!(store.stats().version, 2, "the loser changed nothing");
    }
}

#[test]
fn an_array_that_changes_length_conflicts_with_every_path_through_it() {
    let start = || value!({"list": [1, 2, 3], "other": 0});
    let remove =
        |at: &'static str| move |txn: &Txn| txn.json_remove(&space(), "doc", &path(at)).map(drop);
    let (_, shifted) = race(
        start(),
        Isolation::Snapshot,
        remove(".list[0]"),
        set(".list[2]", 9),
    );
    assert!(matches!(shifted, Err(Error::Conflict { .. })));
    let (_, appended) = race(
        start(),
        Isolation::Snapshot,
        set(".list[3]", 4),
        set(".list[3]", 5),
    );
    assert!(matches!(appended, Err(Error::Conflict { .. })));
    let (store, elements) = race(
        start(),
        Isolation::Snapshot,
        set(".list[0]", 7),
        set(".list[2]", 9),
    );
    assert_eq!(elements.unwrap(), 3);
    assert_eq!(doc(&store), value!({"list": [7, 2, 9], "other": 0}));
    let (_, beside) = race(
        start(),
        Isolation::Snapshot,
        remove(".list[0]"),
        set(".other", 1),
    );
    assert!(beside.is_ok());
}

/// Others committed since it began: to places beside its own in one document, and not at all to its other keys.
#[test]
fn a_commit_behind_others_keeps_what_they_wrote_and_has_its_own_version() {
    let store = with_doc(value!({"a": 1, "b": 1}));
    let late = store.begin();
    set(".a", 2)(&late).unwrap();
    late.kv_put(&space(), b"mine", value!("late")).unwrap();
    late.json_create(&space(), "made", value!({"by": "late"}))
        .unwrap();
    late.json_set(&space(), "made", &path(".more"), value!(true))
        .unwrap();
    store
        .transact(|txn| txn.json_set(&space(), "doc", &path(".b"), value!(2)))
        .unwrap();
    store
        .transact(|txn| txn.kv_put(&space(), b"theirs", value!("early")))
        .unwrap();
    let version = late.commit().unwrap().version;
    assert_eq!(doc(&store), value!({"a": 2, "b": 2}));
    let view = store.snapshot();
    let made = view.json_get(&space(), "made", &Path::root()).unwrap();
    assert_eq!(made, Some(value!({"by": "late", "more": true})));
    let entry = |key: &[u8]| view.kv_entry(&space(), key).unwrap().unwrap();
    assert_eq!(
        (entry(b"mine").value, entry(b"mine").version),
        (value!("late"), version)
    );
    assert_eq!(entry(b"theirs").version, version - 1);
}

#[test]
fn write_skew_is_ruled_out_by_serializable_and_allowed_by_snapshot() {
    let on_call = |me: &'static str, other: &'static str| {
        move |txn: &Txn| {
            assert_eq!(
                txn.json_get(&space(), "doc", &path(other))?,
                Some(value!(true))
            );
            txn.json_set(&space(), "doc", &path(me), value!(false))
        }
    };
    let start = || value!({"alice": true, "bob": true});
    let (a, b) = (on_call(".alice", ".bob"), on_call(".bob", ".alice"));
    let (store, skew) = race(start(), Isolation::Snapshot, a, b);
    assert!(skew.is_ok());
    assert_eq!(doc(&store), value!({"alice": false, "bob": false}));
    let (a, b) = (on_call(".alice", ".bob"), on_call(".bob", ".alice"));
    let (store, serial) = race(start(), Isolation::Serializable, a, b);
    assert!(matches!(serial, Err(Error::Conflict { .. })));
    assert_eq!(doc(&store), value!({"alice": false, "bob": true}));
}

#[test]
fn phantoms_in_a_scan_and_keys_that_were_missing_are_validated() {
    let put = |key: &'static [u8]| move |txn: &Txn| txn.kv_put(&space(), key, value!(1));
    let count = |txn: &Txn| {
        let n = txn.kv_scan(&space(), b"user/", None, 100)?.len();
        txn.kv_put(&space(), b"count", value!(n as i64))
    };
    let (_, phantom) = race(Value::NULL, Isolation::Serializable, put(b"user/9"), count);
    assert!(
        matches!(phantom, Err(Error::Conflict { ref path, .. }) if path == "default/kv/user/9")
    );
    let (_, beside) = race(Value::NULL, Isolation::Serializable, put(b"uzer/9"), count);
    assert!(beside.is_ok());
    let absent = |txn: &Txn| {
        assert_eq!(txn.kv_get(&space(), b"lock")?, None);
        txn.kv_put(&space(), b"owner", value!("me"))
    };
    let (_, missing) = race(Value::NULL, Isolation::Serializable, put(b"lock"), absent);
    assert!(matches!(missing, Err(Error::Conflict { .. })));
}

#[test]
fn what_an_error_told_is_validated_like_any_read() {
    let make_if_missing = |mine: &'static str, other: &'static str| {
        move |txn: &Txn| {
            let set = txn.json_set(&space(), other, &path(".n"), value!(1));
            assert!(matches!(set, Err(Error::NotFound { .. })));
            txn.json_create(&space(), mine, value!({}))
        }
    };
    let (a, b) = (make_if_missing("a", "b"), make_if_missing("b", "a"));
    let (_, skew) = race(Value::NULL, Isolation::Serializable, a, b);
    assert!(matches!(skew, Err(Error::Conflict { .. })));
    let taken = |txn: &Txn| {
        let made = txn.json_create(&space(), "doc", value!({}));
        assert!(matches!(made, Err(Error::AlreadyExists { .. })));
        txn.kv_put(&space(), b"taken", value!(true))
    };
    let drop = |txn: &Txn| txn.json_drop(&space(), "doc").map(drop);
    let (_, gone) = race(Value::NULL, Isolation::Serializable, drop, taken);
    assert!(matches!(gone, Err(Error::Conflict { .. })));
}

#[test]
fn what_a_removal_told_is_validated_even_if_it_is_undone() {
    let store = with_doc(value!({"n": 1, "m": 2}));
    for drops in [false, true] {
        let txn = store.begin();
        let before = txn.savepoint();
        if drops {
            assert!(txn.json_drop(&space(), "doc").unwrap());
        } else {
            assert!(
                txn.json_remove(&space(), "doc", &path(".n"))
                    .unwrap()
                    .is_some()
            );
        }
        txn.rollback_to(before).unwrap();
        txn.kv_put(&space(), b"saw", value!(drops)).unwrap();
        let other = |txn: &Txn| txn.json_set(&space(), "doc", &path(".n"), value!(7));
        store.transact(other).unwrap();
        assert!(matches!(txn.commit(), Err(Error::Conflict { .. })));
    }
}

#[test]
fn a_full_page_did_not_see_what_comes_after_it() {
    let store = memory();
    for n in 0..10 {
        store
            .kv_put(&space(), format!("k{n}").as_bytes(), value!(n))
            .unwrap();
    }
    let txn = store.begin();
    let page = txn.kv_scan(&space(), b"k", Some(b"k1"), 3).unwrap();
    assert_eq!(
        page.iter().map(|(k, _)| k.as_slice()).collect::<Vec<_>>(),
        [b"k2", b"k3", b"k4"]
    );
    txn.kv_put(&space(), b"result", value!(1)).unwrap();
    store.kv_put(&space(), b"k7", value!(0)).unwrap();
    assert!(txn.commit().is_ok(), "k7 was not on the page");
}

#[test]
fn a_transaction_reads_its_own_writes_and_nobody_else_does_before_commit() {
    let store = with_doc(value!({"n": 1}));
    let txn = store.begin();
    txn.json_set(&space(), "doc", &path(".n"), value!(2))
        .unwrap();
    txn.kv_put(&space(), b"k", value!("v")).unwrap();
    assert_eq!(
        txn.json_get(&space(), "doc", &path(".n")).unwrap(),
        Some(value!(2))
    );
    assert_eq!(txn.kv_scan(&space(), b"", None, 10).unwrap().len(), 1);
    assert_eq!(doc(&store), value!({"n": 1}));
    let before = store.snapshot();
    txn.commit().unwrap();
    assert_eq!(doc(&store), value!({"n": 2}));
    assert_eq!(
        before.kv_get(&space(), b"k").unwrap(),
        None,
        "a snapshot never changes"
    );
}

#[test]
fn rollback_and_drop_leave_no_trace() {
    let store = with_doc(value!(1));
    let txn = store.begin();
    txn.json_drop(&space(), "doc").unwrap();
    txn.rollback();
    drop(store.begin());
    assert_eq!(doc(&store), value!(1));
    assert_eq!((store.stats().version, store.stats().transactions), (1, 0));
}

#[test]
fn an_op_that_does_not_fit_fails_at_once_and_the_transaction_goes_on() {
    let store = with_doc(value!({"n": 1, "list": []}));
    let txn = store.begin();
    let s = space();
    assert_eq!(
        txn.json_set(&s, "doc", &path(".n.x"), value!(1))
            .unwrap_err()
            .code(),
        203
    );
    assert_eq!(
        txn.json_set(&s, "doc", &path(".list[5]"), value!(1))
            .unwrap_err()
            .code(),
        206
    );
    assert!(matches!(
        txn.json_set(&s, "none", &path(".x"), value!(1)),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        txn.json_remove(&s, "none", &path(".x")),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        txn.json_create(&s, "doc", value!(1)),
        Err(Error::AlreadyExists { .. })
    ));
    assert!(matches!(
        txn.kv_put(&s, b"", value!(1)),
        Err(Error::InvalidKey { .. })
    ));
    assert!(matches!(
        txn.kv_put(&s, &[0; 5000], value!(1)),
        Err(Error::InvalidKey { bytes: 5000, .. })
    ));
    assert_eq!(txn.json_remove(&s, "doc", &path(".nothing")).unwrap(), None);
    assert!(!txn.json_drop(&s, "none").unwrap());
    assert!(!txn.kv_delete(&s, b"none").unwrap());
    assert_eq!(txn.commit().unwrap().version, 1, "nothing was written");
    assert_eq!(doc(&store), value!({"n": 1, "list": []}));
}

#[test]
fn too_many_ops_are_refused() {
    let mut options = StoreOptions::default();
    options.limits.max_ops = 3;
    let store = Store::open(Env::real(), Place::Memory, options).unwrap();
    let txn = store.begin();
    for n in 0..3 {
        txn.kv_put(&space(), &[n], value!(1)).unwrap();
    }
    assert!(matches!(
        txn.kv_put(&space(), b"d", value!(1)),
        Err(Error::TxnLimit { max: 3, .. })
    ));
    txn.commit().unwrap();
}

#[test]
fn a_snapshot_older_than_the_window_fails_closed() {
    let mut options = StoreOptions::default();
    options.limits.max_recent = 10;
    let store = Store::open(Env::real(), Place::Memory, options).unwrap();
    let txn = store.begin();
    txn.kv_put(&space(), b"mine", value!(1)).unwrap();
    for n in 0..20 {
        store.kv_put(&space(), &[n], value!(1)).unwrap();
    }
    let error = txn.commit().unwrap_err();
    assert!(matches!(error, Error::SnapshotTooOld { snapshot: 0, .. }));
    assert!(error.is_retryable());
}

#[test]
fn spaces_and_primitives_do_not_mix() {
    let store = memory();
    let (a, b) = (Space::parse("a").unwrap(), Space::parse("a/b").unwrap());
    store.kv_put(&a, b"k", value!(1)).unwrap();
    store.kv_put(&b, b"k", value!(2)).unwrap();
    store
        .transact(|t| t.json_create(&a, "k", value!(3)))
        .unwrap();
    store
        .transact(|t| t.doc_create(Primitive::Flow, &a, "k", value!(4)))
        .unwrap();
    let now = store.snapshot();
    assert_eq!(
        now.kv_scan(&a, b"", None, 10).unwrap(),
        vec![(b"k".to_vec(), value!(1))]
    );
    assert_eq!(now.kv_get(&b, b"k").unwrap(), Some(value!(2)));
    assert_eq!(
        now.json_get(&a, "k", &Path::root()).unwrap(),
        Some(value!(3))
    );
    assert_eq!(
        now.doc_get(Primitive::Flow, &a, "k", &Path::root())
            .unwrap(),
        Some(value!(4))
    );
    for bad in ["", "/", "a//b", "a/b/c/d/e", "ä", "a b", &"x".repeat(300)] {
        assert!(
            matches!(Space::parse(bad), Err(Error::InvalidSpace { .. })),
            "{bad}"
        );
    }
}

#[test]
fn threads_that_increment_one_counter_lose_nothing() {
    let store = memory();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    store
                        .transact(|txn| {
                            let n = txn
                                .kv_get(&space(), b"n")?
                                .and_then(|v| v.as_i64())
                                .unwrap_or(0);
                            txn.kv_put(&space(), b"n", value!(n + 1))
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(
        store.snapshot().kv_get(&space(), b"n").unwrap(),
        Some(value!(800))
    );
    assert_eq!(store.stats().version, 800);
}

#[test]
fn a_value_too_deep_to_be_read_back_is_refused_everywhere() {
    let deep = (0..2000).fold(value!(1), |inner, _| Value::from(vec![inner]));
    let store = with_doc(value!({}));
    let txn = store.begin();
    assert_eq!(
        store
            .kv_put(&space(), b"k", deep.clone())
            .unwrap_err()
            .code(),
        204
    );
    assert_eq!(
        txn.kv_put(&space(), b"k", deep.clone()).unwrap_err().code(),
        204
    );
    assert_eq!(
        txn.json_create(&space(), "deep", deep.clone())
            .unwrap_err()
            .code(),
        204
    );
    assert_eq!(
        txn.json_set(&space(), "doc", &path(".a"), deep)
            .unwrap_err()
            .code(),
        204
    );
    assert_eq!(txn.commit().unwrap().version, 1);
}

#[test]
fn weak_transactions_learn_at_once_that_what_they_read_is_old() {
    let store = memory();
    let space = Space::default();
    store.kv_put(&space, b"a", value!(1)).unwrap();
    store.kv_put(&space, b"b", value!(1)).unwrap();
    let txn = store.begin_with(Isolation::Weak);
    assert_eq!(txn.kv_get(&space, b"a").unwrap(), Some(value!(1)));
    store.kv_put(&space, b"a", value!(2)).unwrap();
    // What did not change is read as ever, what did is refused, by key and by scan.
    assert_eq!(txn.kv_get(&space, b"b").unwrap(), Some(value!(1)));
    let conflict = |e: Error| {
        matches!(
            e,
            Error::Conflict {
                committed: 3,
                snapshot: 2,
                ..
            }
        )
    };
    assert!(conflict(txn.kv_get(&space, b"a").unwrap_err()));
    assert!(conflict(txn.kv_scan(&space, b"", None, 9).unwrap_err()));
    // What changes after it was read is not noticed at commit.
    let txn = store.begin_with(Isolation::Weak);
    assert_eq!(txn.kv_get(&space, b"a").unwrap(), Some(value!(2)));
    store.kv_put(&space, b"a", value!(3)).unwrap();
    txn.kv_put(&space, b"b", value!(2)).unwrap();
    txn.commit().unwrap();
}

/// Writers move amounts between accounts while readers add them up: no reader ever sees a transfer half done, and
/// nothing is lost. Readers and transactions begin while roots are being published and taken back.
#[test]
fn readers_beside_writers_always_see_whole_commits() {
    const ACCOUNTS: u8 = 20;
    let store = memory();
    let space = Space::default();
    for account in 0..ACCOUNTS {
        store.kv_put(&space, &[account], value!(100)).unwrap();
    }
    let amount = |v: Option<Value>| v.and_then(|v| v.as_i64()).unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u64)
            .map(|seed| {
                let (store, space) = (store.clone(), space.clone());
                scope.spawn(move || {
                    let mut seed = seed + 1;
                    for _ in 0..2000 {
                        seed = seed
                            .wrapping_mul(6364136223846793005)
                            .wrapping_add(1442695040888963407);
                        let (from, to) =
                            ((seed >> 33) as u8 % ACCOUNTS, (seed >> 43) as u8 % ACCOUNTS);
                        store
                            .transact(|txn| {
                                let left = amount(txn.kv_get(&space, &[from])?) - 1;
                                txn.kv_put(&space, &[from], value!(left))?;
                                let right = amount(txn.kv_get(&space, &[to])?) + 1;
                                txn.kv_put(&space, &[to], value!(right))
                            })
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut last = 0;
        while !writers.iter().all(|w| w.is_finished()) {
            let snapshot = store.snapshot();
            assert!(snapshot.version() >= last, "versions go forward");
            last = snapshot.version();
            let accounts = snapshot.kv_scan(&space, b"", None, usize::MAX).unwrap();
            let sum: i64 = accounts.into_iter().map(|(_, v)| amount(Some(v))).sum();
            assert_eq!(sum, 100 * i64::from(ACCOUNTS));
        }
    });
    assert_eq!(store.stats().transactions, 0);
    assert_eq!(store.stats().version, u64::from(ACCOUNTS) + 6000);
}

#[test]
fn open_transactions_are_counted_and_old_ones_conflict_however_many_roots_came_since() {
    let store = memory();
    let space = Space::default();
    store.kv_put(&space, b"n", value!(0)).unwrap();
    let old = store.begin();
    assert_eq!(old.kv_get(&space, b"n").unwrap(), Some(value!(0)));
    for n in 1..50 {
        store.kv_put(&space, b"n", value!(n)).unwrap();
        let txn = store.begin();
        assert_eq!(store.stats().transactions, 2);
        assert_eq!(txn.kv_get(&space, b"n").unwrap(), Some(value!(n)));
        drop(txn);
    }
    old.kv_put(&space, b"m", value!(0)).unwrap();
    assert!(matches!(old.commit(), Err(Error::Conflict { .. })));
    assert_eq!(store.stats().transactions, 0);
}

#[test]
fn a_whole_space_is_written_only_as_it_was_seen_whatever_the_isolation() {
    let (from, to) = (Space::parse("t/a").unwrap(), Space::parse("t/b").unwrap());
    for isolation in [
        Isolation::Serializable,
        Isolation::Snapshot,
        Isolation::Weak,
    ] {
        for copy in [false, true] {
            let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
            store.kv_put(&from, b"seen", value!(1)).unwrap();
            let txn = store.begin_with(isolation);
            match copy {
                true => txn.space_copy(&from, &to).unwrap(),
                false => assert!(txn.space_delete(&from).unwrap()),
            }
            // The op would be on this key, too, which the transaction knows nothing of.
            store.kv_put(&from, b"unseen", value!(2)).unwrap();
            assert_eq!(
                txn.commit().unwrap_err().code(),
                400,
                "{isolation:?} {copy}"
            );
            let unseen = store.kv_get(&from, b"unseen").unwrap();
            assert_eq!(unseen, Some(value!(2)), "{isolation:?} {copy}");
        }
    }
}

/// Whoever purges in the background sleeps until a key expires; a purge between a transaction's write and its commit
/// sees nothing yet.
#[test]
fn a_commit_that_makes_a_key_expire_wakes_who_purges() {
    use std::time::Duration;
    let store = memory();
    let txn = store.begin();
    txn.kv_put_for(&space(), b"key", value!(1), Duration::ZERO)
        .unwrap();
    let purged = store.purge_expired(10).unwrap();
    assert_eq!((purged.due, purged.next), (0, None));
    let seen = store.expiry_gate().epoch();
    txn.commit().unwrap();
    assert_ne!(store.expiry_gate().epoch(), seen, "by a transaction");
    assert_eq!(store.purge_expired(10).unwrap().due, 1);

    let seen = store.expiry_gate().epoch();
    store.kv_put(&space(), b"stays", value!(1)).unwrap();
    assert_eq!(store.expiry_gate().epoch(), seen, "nothing expires");
    store
        .kv_put_for(&space(), b"key", value!(1), Duration::ZERO)
        .unwrap();
    assert_ne!(store.expiry_gate().epoch(), seen, "by itself");
}
