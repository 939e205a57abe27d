//! What commutes and what conflicts, and that nothing is lost when many write at once.

use std::time::Duration;

use statewright_log::sim;
use statewright_store::prelude::*;
use statewright_store::{
    Env, Error, NewRun, NewTrace, Place, RunStatus, Space, Span, Store, StoreOptions, Txn,
};
use statewright_value::{Patch, Path, Value, value};

fn memory() -> Store {
    Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap()
}

fn s() -> Space {
    Space::default()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

type Act = fn(&Txn) -> Result<(), Error>;

/// Whether the second of two transactions on the same snapshot conflicts with the first.
fn conflict(prepare: Act, first: Act, second: Act) -> bool {
    let store = memory();
    store.transact(prepare).unwrap();
    let (a, b) = (store.begin(), store.begin());
    first(&a).unwrap();
    second(&b).unwrap();
    a.commit().unwrap();
    match b.commit() {
        Ok(_) => false,
        Err(Error::Conflict { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

fn doc(txn: &Txn) -> Result<(), Error> {
    txn.json_create(
        &s(),
        "d",
        value!({"n": 1, "m": 1, "list": [1, 2, 3], "text": "a", "o": {"x": 1}}),
    )
}

fn bump(txn: &Txn, at: &str) -> Result<(), Error> {
    txn.json_increment(&s(), "d", &path(at), value!(1), value!(0))
}

fn push(txn: &Txn, n: i64) -> Result<(), Error> {
    txn.json_push(&s(), "d", &path(".list"), vec![value!(n)])
}

#[test]
fn what_commutes_does_not_conflict_and_what_does_not_does() {
    let cases: Vec<(&str, bool, Act, Act)> = vec![
        ("sums", false, |t| bump(t, ".n"), |t| bump(t, ".n")),
        (
            "sums of siblings",
            false,
            |t| bump(t, ".n"),
            |t| bump(t, ".m"),
        ),
        ("appends", false, |t| push(t, 1), |t| push(t, 2)),
        (
            "sum and set",
            true,
            |t| bump(t, ".n"),
            |t| t.json_set(&s(), "d", &path(".n"), value!(0)),
        ),
        (
            "sum and read",
            true,
            |t| bump(t, ".n"),
            |t| {
                t.json_get(&s(), "d", &path(".n"))?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "append and pop",
            true,
            |t| push(t, 1),
            |t| t.json_pop(&s(), "d", &path(".list")).map(drop),
        ),
        (
            "an insertion and an item behind it",
            true,
            |t| t.json_insert(&s(), "d", &path(".list[0]"), value!(0)),
            |t| t.json_set(&s(), "d", &path(".list[2]"), value!(0)),
        ),
        (
            "merges of siblings",
            false,
            |t| t.json_merge(&s(), "d", &Path::root(), value!({"o": {"x": 2}})),
            |t| t.json_merge(&s(), "d", &Path::root(), value!({"o": {"y": 2}, "n": null})),
        ),
        (
            "merges of the same place",
            true,
            |t| t.json_merge(&s(), "d", &Path::root(), value!({"o": {"x": 2}})),
            |t| t.json_deep_merge(&s(), "d", &Path::root(), value!({"o": {"x": 3}})),
        ),
        (
            "a removal and a merge of nothing",
            true,
            |t| t.json_drop(&s(), "d").map(drop),
            |t| t.json_merge(&s(), "d", &Path::root(), value!({})),
        ),
        (
            "what was an object and a merge of nothing into it",
            true,
            |t| t.json_set(&s(), "d", &path(".o"), value!(7)),
            |t| t.json_deep_merge(&s(), "d", &Path::root(), value!({"o": {}})),
        ),
        (
            "patches of siblings",
            false,
            |t| patch(t, value!([{"op": "replace", "path": "/n", "value": 2}])),
            |t| patch(t, value!([{"op": "add", "path": "/m", "value": 2}])),
        ),
        (
            "what a patch tests",
            true,
            |t| bump(t, ".n"),
            |t| {
                patch(
                    t,
                    value!([{"op": "test", "path": "/n", "value": 1},
                            {"op": "add", "path": "/m", "value": 2}]),
                )
            },
        ),
        (
            "what moves away",
            true,
            |t| t.json_set(&s(), "d", &path(".o.x"), value!(7)),
            |t| t.json_move(&s(), "d", &path(".o"), &path(".p")),
        ),
        (
            "events of one stream",
            false,
            |t| t.event_append(&s(), "e", "k", value!({})),
            |t| t.event_append(&s(), "e", "k", value!({})),
        ),
        (
            "an event and the length of its stream",
            true,
            |t| t.event_append(&s(), "e", "k", value!({})),
            |t| {
                t.event_len(&s(), "e")?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "an event and those of its type",
            true,
            |t| t.event_append(&s(), "e", "k", value!({})),
            |t| {
                assert_eq!(t.event_by_type(&s(), "e", "k", 0, 9)?.len(), 0);
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "a new document and a list",
            true,
            |t| t.json_create(&s(), "new", value!({})),
            |t| {
                t.json_list(&s(), "", None, 9)?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "a new document and that it is missing",
            true,
            |t| t.json_create(&s(), "new", value!({})),
            |t| {
                assert_eq!(
                    t.json_set(&s(), "new", &path(".x"), value!(1))
                        .unwrap_err()
                        .code(),
                    401
                );
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "a removed key and a scan",
            true,
            |t| t.json_drop(&s(), "d").map(drop),
            |t| {
                t.json_count(&s(), "")?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "status and metadata of a run",
            false,
            |t| t.run_set_status(&s(), "r", RunStatus::Paused),
            |t| t.run_set_metadata(&s(), "r", &path(".x"), value!(1)),
        ),
        (
            "two statuses of a run",
            true,
            |t| t.run_set_status(&s(), "r", RunStatus::Paused),
            |t| t.run_set_status(&s(), "r", RunStatus::Failed),
        ),
        (
            "a run and those of its status",
            true,
            |t| t.run_set_status(&s(), "r", RunStatus::Paused),
            |t| {
                t.run_by_status(&s(), RunStatus::Paused, Span::default(), 9)?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "traces",
            false,
            |t| {
                t.trace_record(&s(), NewTrace::new("k", value!(1)))
                    .map(drop)
            },
            |t| {
                t.trace_record(&s(), NewTrace::new("k", value!(1)))
                    .map(drop)
            },
        ),
        (
            "a trace and those of its type",
            true,
            |t| {
                t.trace_record(&s(), NewTrace::new("k", value!(1)))
                    .map(drop)
            },
            |t| {
                t.trace_by_type(&s(), "k", Span::default(), 9)?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
        (
            "a space and what is new in it",
            true,
            |t| t.kv_put(&s(), b"new", value!(1)),
            |t| t.space_delete(&s()).map(drop),
        ),
        (
            "a space and what is in it",
            true,
            |t| t.space_delete(&s()).map(drop),
            |t| bump(t, ".n"),
        ),
        (
            "the list of spaces and a key in one of them",
            false,
            |t| t.kv_put(&s(), b"zzz", value!(1)),
            |t| {
                t.space_list("", None, 9)?;
                t.kv_put(&s(), b"x", value!(1))
            },
        ),
    ];
    for (what, expected, first, second) in cases {
        let prepare: Act = |t| {
            doc(t)?;
            t.kv_put(&s(), b"a", value!(1))?;
            t.run_create(&s(), NewRun::new().id("r")).map(drop)
        };
        assert_eq!(conflict(prepare, first, second), expected, "{what}");
    }
}

/// Whether something still fits is told by the time at which it is committed, before the log has it.
#[test]
fn what_fits_no_more_when_it_is_committed_is_refused_and_nothing_is_broken() {
    let (env, _, clock) = sim::world(1);
    let open = || {
        Store::open(
            env.clone(),
            Place::Dir("/s".into()),
            StoreOptions::default(),
        )
    };
    let store = open().unwrap();
    let second = Duration::from_secs(1);
    store.kv_put_for(&s(), b"n", value!(1), second).unwrap();
    let late = store.begin();
    late.kv_increment(&s(), b"n", value!(1), value!("none"))
        .unwrap();
    clock.advance(2 * second);
    assert_eq!(late.commit().unwrap_err().code(), 203);

    let late = store.begin();
    let now = store.env().clock.now();
    late.event_restore(&s(), "e", 0, now, "k", value!({}), None)
        .unwrap();
    clock.jump(-1_000_000);
    store.kv_put(&s(), b"other", value!(1)).unwrap();
    assert_eq!(late.commit().unwrap_err().code(), 419);

    store.kv_put(&s(), b"last", value!(1)).unwrap();
    store.close().unwrap();
    let store = open().unwrap();
    assert_eq!(store.kv_get(&s(), b"last").unwrap(), Some(value!(1)));
}

fn patch(txn: &Txn, patch: Value) -> Result<(), Error> {
    txn.json_patch(&s(), "d", &Patch::from_value(patch.by_ref())?)
}

#[test]
fn a_thousand_threads_that_increment_one_counter_lose_nothing() {
    let store = memory();
    std::thread::scope(|scope| {
        for n in 0..1000 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..1000 {
                    if n % 2 == 0 {
                        store
                            .kv_increment(&s(), b"n", value!(1), value!(0))
                            .unwrap();
                    } else {
                        let add = |t: &Txn| t.kv_increment(&s(), b"n", value!(1), value!(0));
                        store.transact(add).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(store.kv_get(&s(), b"n").unwrap(), Some(value!(1_000_000)));
}

#[test]
fn the_sums_and_sequences_that_one_call_gives_are_its_own() {
    let store = memory();
    let mut given = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let one = |_| {
                        let sum = store
                            .kv_increment(&s(), b"n", value!(1), value!(0))
                            .unwrap();
                        let at = store.event_append(&s(), "e", "k", value!({})).unwrap();
                        let batch = vec![("k".to_owned(), value!({})); 2];
                        let two = store.event_append_batch(&s(), "e", batch).unwrap();
                        assert_eq!(two.sequences.end - two.sequences.start, 2);
                        (
                            sum.as_i64().unwrap(),
                            at.sequences.start,
                            two.sequences.start,
                        )
                    };
                    (0..50).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    given.sort_unstable();
    let sums: Vec<_> = given.iter().map(|g| g.0).collect();
    assert_eq!(sums, (1..=200).collect::<Vec<_>>());
    let mut sequences: Vec<_> = given.iter().flat_map(|g| [g.1, g.2, g.2 + 1]).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (0..600).collect::<Vec<_>>());
    assert_eq!(store.event_verify(&s(), "e").unwrap().unwrap().len, 600);
}

#[test]
fn a_whole_number_is_added_to_or_nothing_is_changed() {
    let store = memory();
    let add = |key: &[u8], by| store.kv_increment_i64(&s(), key, by);
    assert_eq!(add(b"n", i64::MAX).unwrap(), i64::MAX);
    assert_eq!(add(b"n", 1).unwrap_err().code(), 212);
    assert_eq!(add(b"n", -1).unwrap(), i64::MAX - 1);
    store.kv_put(&s(), b"f", value!(0.5)).unwrap();
    assert_eq!(add(b"f", 1).unwrap_err().code(), 203);
    assert_eq!(store.stats().version, 3);
    // Whatever another writer makes of it in between.
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for n in 0..5_000 {
                let other = if n % 2 == 0 { value!(0.5) } else { value!(n) };
                store.kv_put(&s(), b"f", other).unwrap();
            }
        });
        let mut added = 0;
        for _ in 0..5_000 {
            added += u64::from(add(b"f", 1).is_ok());
        }
        store.kv_put(&s(), b"added", value!(added)).unwrap();
    });
    let added = store.kv_get(&s(), b"added").unwrap().unwrap();
    assert_eq!(
        store.stats().version,
        3 + 5_000 + added.as_u64().unwrap() + 1
    );
}
