//! Commits of strict mode that are not durable yet: nobody sees them, nobody's commit misses them, whoever they meet
//! on the way into the tree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use statewright_log::sim;
use statewright_store::{Durability, Place, Reader, Space, Store, StoreOptions, Txn};
use statewright_value::value;

fn open() -> Store {
    let (env, _, _) = sim::world(1);
    let options = StoreOptions::with_durability(Durability::Strict);
    Store::open(env, Place::Dir("/store".into()), options).unwrap()
}

fn key(k: u8) -> [u8; 2] {
    [b'k', k]
}

/// A key that only one kind of step sets.
const OTHER: u8 = 9;

/// A key's number, and the version that set it.
type State = BTreeMap<u8, (i64, u64)>;

fn state(reader: &impl Reader) -> BTreeMap<u8, i64> {
    let all = reader.kv_scan(&Space::default(), b"", None, 100).unwrap();
    let number =
        |(key, value): (Vec<u8>, statewright_value::Value)| (key[1], value.as_i64().unwrap());
    all.into_iter().map(number).collect()
}

fn numbers(state: &State) -> BTreeMap<u8, i64> {
    state.iter().map(|(k, (n, _))| (*k, *n)).collect()
}

/// What the store should be: as committed, and as durable.
#[derive(Default)]
struct Model {
    head: State,
    durable: State,
    version: u64,
    durable_version: u64,
}

impl Model {
    fn set(&mut self, key: u8, n: i64, version: u64) {
        self.head.insert(key, (n, version));
        self.version = version;
    }

    fn settle(&mut self) {
        self.durable.clone_from(&self.head);
        self.durable_version = self.version;
    }

    /// Whether somebody wrote a key after this version.
    fn wrote(&self, key: u8, since: u64) -> bool {
        self.head.get(&key).is_some_and(|(_, at)| *at > since)
    }
}

/// An open transaction that has read one key and written another.
struct Open {
    txn: Txn,
    read: u8,
    write: u8,
    n: i64,
    seen: BTreeMap<u8, i64>,
}

fn begin(store: &Store, model: &Model, read: u8, write: u8, n: i64) -> Open {
    let txn = store.begin();
    assert_eq!(txn.snapshot_version(), model.durable_version);
    let seen = numbers(&model.durable);
    let found = txn.kv_get(&Space::default(), &key(read)).unwrap();
    assert_eq!(found.and_then(|n| n.as_i64()), seen.get(&read).copied());
    txn.kv_put(&Space::default(), &key(write), value!(n))
        .unwrap();
    Open {
        txn,
        read,
        write,
        n,
        seen,
    }
}

fn end(open: Open, model: &mut Model) {
    let base = open.txn.snapshot_version();
    let lost = model.wrote(open.read, base) || model.wrote(open.write, base);
    let found = open.txn.kv_get(&Space::default(), &key(open.read)).unwrap();
    let expected = match open.read == open.write {
        true => Some(open.n),
        false => open.seen.get(&open.read).copied(),
    };
    assert_eq!(found.and_then(|n| n.as_i64()), expected);
    match open.txn.commit() {
        Ok(commit) => {
            assert!(!lost);
            model.set(open.write, open.n, commit.version);
            model.settle();
        }
        Err(e) => assert!(lost, "{e}"),
    }
}

#[test]
fn a_commit_is_seen_when_it_is_durable_and_not_before() {
    let (store, space) = (open(), Space::default());
    let put = |n: i64| {
        let put = store.transact_deferred(|txn| txn.kv_put(&space, b"k", value!(n)));
        put.unwrap().1.unwrap()
    };
    let first = put(1);
    assert_eq!(store.kv_get(&space, b"k").unwrap(), None);
    // It wins over who began before it was durable.
    let rival = store.begin();
    rival.kv_put(&space, b"k", value!(5)).unwrap();
    store.settle(first).unwrap();
    assert_eq!(store.kv_get(&space, b"k").unwrap(), Some(value!(1)));
    rival.commit().unwrap_err();
    // The next one is not seen for it that somebody reads, nor for it that it is followed by another one.
    let old = store.snapshot();
    put(2);
    assert_eq!(store.snapshot().version(), old.version());
    let last = store.transact_deferred(|txn| txn.kv_put(&space, b"l", value!(3)));
    assert_eq!(store.stats().entries, 2);
    assert_eq!(store.kv_get(&space, b"k").unwrap(), Some(value!(1)));
    store.settle(last.unwrap().1.unwrap()).unwrap();
    assert_eq!(store.kv_get(&space, b"k").unwrap(), Some(value!(2)));
    assert_eq!(old.kv_get(&space, b"k").unwrap(), Some(value!(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever else happens before a commit is durable, the store is what a model of two maps says.
    #[test]
    fn agrees_with_a_model(steps in proptest::collection::vec((0_u8..10, 0_u8..4, 0_u8..4, 0_i64..100), 1..60)) {
        let (store, space) = (open(), Space::default());
        let (mut model, mut held, mut opened) = (Model::default(), Vec::new(), Vec::new());
        for (what, k, l, n) in steps {
            match what {
                0..=2 => {
                    let mut tries = 0;
                    let put = store.transact_deferred(|txn| {
                        tries += 1;
                        txn.kv_get(&space, &key(l))?;
                        if what == 2 && tries == 1 {
                            // Somebody else does not wait for this one, and what is published is gone.
                            let put = |txn: &Txn| txn.kv_put(&space, &key(OTHER), value!(n));
                            let ((), other) = store.transact_versioned(put)?;
                            model.set(OTHER, n, other);
                            model.settle();
                        }
                        txn.kv_put(&space, &key(k), value!(n))
                    });
                    // One that lost has waited for what it lost to.
                    if tries > 1 {
                        model.settle();
                    }
                    let version = put.unwrap().1.unwrap();
                    prop_assert_eq!(version, model.version + 1);
                    model.set(k, n, version);
                }
                3 => {
                    let version = store.kv_put(&space, &key(k), value!(n)).unwrap();
                    model.set(k, n, version);
                    model.settle();
                }
                4 => {
                    store.settle(model.version).unwrap();
                    model.settle();
                }
                5 => opened.push(begin(&store, &model, k, l, n)),
                6 if !opened.is_empty() => {
                    let open = opened.remove(usize::from(k) % opened.len());
                    end(open, &mut model);
                }
                7 => held.push((store.snapshot(), numbers(&model.durable))),
                8 => {
                    store.checkpoint().unwrap();
                    model.settle();
                }
                _ => prop_assert_eq!(store.stats().entries, model.head.len()),
            }
            prop_assert_eq!(state(&store.snapshot()), numbers(&model.durable));
        }
        for (snapshot, then) in held {
            prop_assert_eq!(state(&snapshot), then);
        }
        store.settle(model.version).unwrap();
        prop_assert_eq!(state(&store), numbers(&model.head));
    }
}
