//! Every schedule of a few threads that read and commit (`cargo xtask loom`): what readers take is whole, and no
//! conflict is missed, whenever the root is published or taken back.
#![cfg(all(test, statewright_loom))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use statewright_log::sim;
use statewright_store::{Durability, Place, Reader, Retryable, Space, Store, StoreOptions};
use statewright_value::value;

fn all_schedules(switches: usize, run: impl Fn() + Send + Sync + 'static) {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = count.clone();
    let run = move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        run();
    };
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.max_branches = 100_000;
    builder.check(run);
    println!(
        "{} schedules",
        count.load(std::sync::atomic::Ordering::Relaxed)
    );
}

fn open(durability: Durability) -> Store {
    let place = match durability {
        Durability::Memory => Place::Memory,
        _ => Place::Dir("/store".into()),
    };
    let (env, _, _) = sim::world(1);
    Store::open(env, place, StoreOptions::with_durability(durability)).unwrap()
}

fn get(reader: &impl Reader, key: &[u8]) -> i64 {
    let found = reader.kv_get(&Space::default(), key).unwrap();
    found.and_then(|n| n.as_i64()).unwrap_or(0)
}

/// Adds one by reading and writing; tells whether that was possible.
fn increment(store: &Store) -> bool {
    let txn = store.begin();
    let n = get(&txn, b"n");
    txn.kv_put(&Space::default(), b"n", value!(n + 1)).unwrap();
    match txn.commit() {
        Ok(_) => true,
        Err(e) => {
            assert!(e.is_retryable(), "{e}");
            false
        }
    }
}

fn increments(durability: Durability, switches: usize) {
    all_schedules(switches, move || {
        let store = open(durability);
        let other = {
            let store = store.clone();
            loom::thread::spawn(move || i64::from(increment(&store)) + i64::from(increment(&store)))
        };
        let mine = i64::from(increment(&store));
        let done = mine + other.join().unwrap();
        assert!(done >= 1, "somebody gets through");
        assert_eq!(get(&store.snapshot(), b"n"), done);
    });
}

#[test]
fn no_increment_is_lost_in_memory() {
    increments(Durability::Memory, 5);
}

#[test]
fn no_increment_is_lost_in_strict_mode() {
    increments(Durability::Strict, 4);
}

#[test]
fn snapshots_are_whole_and_never_go_back() {
    all_schedules(5, || {
        let store = open(Durability::Memory);
        let writer = {
            let store = store.clone();
            loom::thread::spawn(move || {
                for n in 1..=2 {
                    let txn = store.begin();
                    for key in [b"a", b"b"] {
                        txn.kv_put(&Space::default(), key, value!(n)).unwrap();
                    }
                    txn.commit().unwrap();
                }
            })
        };
        let mut last = (0, 0);
        for _ in 0..2 {
            let now = store.snapshot();
            let (a, b) = (get(&now, b"a"), get(&now, b"b"));
            assert_eq!(a, b);
            assert_eq!(now.version(), a as u64);
            assert!((now.version(), a) >= last);
            last = (now.version(), a);
        }
        writer.join().unwrap();
        assert_eq!(store.snapshot().version(), 2);
    });
}

#[test]
fn a_checkpoint_beside_commits_holds_one_version_and_loses_none() {
    all_schedules(3, || {
        let (env, io, _) = sim::world(1);
        let mut options = StoreOptions::with_durability(Durability::Strict);
        options.checkpoints.cache_bytes = 0;
        let place = Place::Dir("/store".into());
        let store = Store::open(env, place.clone(), options.clone()).unwrap();
        assert!(increment(&store));
        let other = {
            let store = store.clone();
            loom::thread::spawn(move || i64::from(increment(&store)))
        };
        let made = store.checkpoint().unwrap();
        let now = store.snapshot();
        assert!(now.version() >= made.version);
        assert_eq!(get(&now, b"n"), now.version() as i64);
        let done = 1 + other.join().unwrap();
        assert_eq!(get(&store.snapshot(), b"n"), done);
        let damage = sim::Damage::Lose;
        let after = io.crash(&sim::Image { damage, seed: 1 });
        let again = Store::open(sim::env(&after, 2), place, options).unwrap();
        assert_eq!(again.stats().checkpoint.version, made.version);
        assert_eq!(get(&again.snapshot(), b"n"), done);
    });
}

#[test]
fn whoever_was_acknowledged_is_seen_by_later_readers() {
    all_schedules(4, || {
        let store = open(Durability::Strict);
        let other = {
            let store = store.clone();
            loom::thread::spawn(move || {
                let version = store.kv_put(&Space::default(), b"a", value!(1)).unwrap();
                assert!(store.snapshot().version() >= version);
                assert_eq!(get(&store.snapshot(), b"a"), 1);
            })
        };
        let version = store.kv_put(&Space::default(), b"b", value!(1)).unwrap();
        assert!(store.snapshot().version() >= version);
        other.join().unwrap();
    });
}
