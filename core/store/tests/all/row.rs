//! Transactions that are committed in a row: each is a commit of its own, and the outcome is that of some order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use statewright_log::sim;
use statewright_store::{
    Durability, Error, Place, Reader, Retryable, Space, Store, StoreOptions, Txn,
};
use statewright_value::value;

/// Why a transaction of a test ended.
#[derive(Debug)]
enum Ended {
    Store(Error),
    OnPurpose,
}

impl From<Error> for Ended {
    fn from(e: Error) -> Ended {
        Ended::Store(e)
    }
}

impl Retryable for Ended {
    fn is_retryable(&self) -> bool {
        matches!(self, Ended::Store(e) if e.is_retryable())
    }
}

fn open(durability: Durability) -> Store {
    let (env, _, _) = sim::world(1);
    let options = StoreOptions::with_durability(durability);
    Store::open(env, Place::Dir("/store".into()), options).unwrap()
}

fn get(reader: &impl Reader, key: u8) -> i64 {
    let found = reader.kv_get(&Space::default(), &[key]).unwrap();
    found.and_then(|n| n.as_i64()).unwrap_or(0)
}

fn put(txn: &Txn, key: u8, n: i64) -> Result<(), Error> {
    txn.kv_put(&Space::default(), &[key], value!(n))
}

/// What a transaction does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Puts the sum of a key and a number to another key.
    Put { from: u8, to: u8, n: i64 },
    /// Adds to a key, which does not conflict with others who add.
    Add { to: u8, n: i64 },
    /// Only reads.
    Read { from: u8 },
    /// Gives up after it wrote.
    Fail { to: u8 },
    /// Puts as the first does, but while it runs for the first time somebody else adds to a key.
    Rival { from: u8, to: u8, n: i64, rival: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (key, n) = (0_u8..6, 1_i64..100);
    prop_oneof![
        6 => (key.clone(), key.clone(), n.clone()).prop_map(|(from, to, n)| Step::Put { from, to, n }),
        3 => (key.clone(), n.clone()).prop_map(|(to, n)| Step::Add { to, n }),
        1 => key.clone().prop_map(|from| Step::Read { from }),
        1 => key.clone().prop_map(|to| Step::Fail { to }),
        1 => (key.clone(), key.clone(), n, key)
            .prop_map(|(from, to, n, rival)| Step::Rival { from, to, n, rival }),
    ]
}

/// What a commit did: it read this, and then put or added that.
enum Did {
    Put { from: u8, read: i64, to: u8, n: i64 },
    Add { to: u8, n: i64 },
}

fn add(store: &Store, key: u8, n: i64) -> u64 {
    let add = |txn: &Txn| txn.kv_increment(&Space::default(), &[key], value!(n), value!(0));
    store.transact_versioned(add).unwrap().1
}

/// Runs a row; gives what was committed, by version.
fn run(store: &Store, row: &[Step], done: &mut BTreeMap<u64, Did>) {
    let (mut met, mut rivals) = (BTreeSet::new(), Vec::new());
    let ended = store.transact_each(row, |step, txn| -> Result<Option<Did>, Ended> {
        let first = met.insert(std::ptr::from_ref(*step));
        Ok(match **step {
            Step::Put { from, to, n } => {
                let read = get(txn, from);
                put(txn, to, read + n)?;
                Some(Did::Put { from, read, to, n })
            }
            Step::Rival { from, to, n, rival } => {
                let read = get(txn, from);
                if first {
                    rivals.push((add(store, rival, n), Did::Add { to: rival, n }));
                }
                put(txn, to, read + n)?;
                Some(Did::Put { from, read, to, n })
            }
            Step::Add { to, n } => {
                txn.kv_increment(&Space::default(), &[to], value!(n), value!(0))?;
                Some(Did::Add { to, n })
            }
            Step::Read { from } => {
                get(txn, from);
                None
            }
            Step::Fail { to } => {
                put(txn, to, -1)?;
                return Err(Ended::OnPurpose);
            }
        })
    });
    assert_eq!(ended.len(), row.len());
    done.extend(rivals);
    for (step, ended) in row.iter().zip(ended) {
        match (step, ended) {
            (Step::Fail { .. }, Err(Ended::OnPurpose)) => {}
            (Step::Read { .. }, Ok((None, None))) => {}
            (_, Ok((Some(did), Some(version)))) => {
                assert!(
                    done.insert(version, did).is_none(),
                    "two commits of one version"
                );
            }
            (step, ended) => panic!("{step:?}: {:?}", ended.map(|(_, version)| version)),
        }
    }
}

/// The state after these commits in the order of their versions, each of which must have read what was there.
fn replay(done: &BTreeMap<u64, Did>) -> BTreeMap<u8, i64> {
    let mut state = BTreeMap::new();
    for ((version, did), expected) in done.iter().zip(1..) {
        assert_eq!(*version, expected);
        match did {
            Did::Put { from, read, to, n } => {
                assert_eq!(
                    state.get(from).copied().unwrap_or(0),
                    *read,
                    "version {version}"
                );
                state.insert(*to, read + n);
            }
            Did::Add { to, n } => *state.entry(*to).or_insert(0) += n,
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn is_as_one_after_the_other(
        mode in prop_oneof![Just(Durability::Memory), Just(Durability::Buffered), Just(Durability::Strict)],
        rows in proptest::collection::vec(proptest::collection::vec(step(), 0..12), 1..8),
        hold in any::<u8>(),
    ) {
        let store = open(mode);
        let (mut done, mut held) = (BTreeMap::new(), Vec::new());
        let mut waiting = None;
        for (at, row) in rows.iter().enumerate() {
            if hold & (1 << at) != 0 {
                let snapshot = store.snapshot();
                let seen: Vec<i64> = (0..6).map(|key| get(&snapshot, key)).collect();
                held.push((snapshot, seen));
                waiting.get_or_insert_with(|| (store.begin(), done.len() as u64));
            }
            run(&store, row, &mut done);
        }
        for (snapshot, seen) in held {
            let now: Vec<i64> = (0..6).map(|key| get(&snapshot, key)).collect();
            prop_assert_eq!(now, seen);
        }
        store.settle(done.len() as u64).unwrap();
        let state = replay(&done);
        for key in 0..6 {
            prop_assert_eq!(get(&store, key), state.get(&key).copied().unwrap_or(0));
        }
        // Who began before all that is told what was written since.
        if let Some((txn, _)) = waiting {
            let base = txn.snapshot_version();
            let since = |key: u8| done.range(base + 1..).any(|(_, did)| match did {
                Did::Put { to, .. } | Did::Add { to, .. } => *to == key,
            });
            get(&txn, 0);
            put(&txn, 1, 5).unwrap();
            prop_assert_eq!(txn.commit().is_err(), since(0) || since(1));
        }
    }
}

#[test]
fn a_refused_one_changes_nothing_and_the_others_are_committed() {
    for mode in [Durability::Memory, Durability::Strict] {
        let (store, space) = (open(mode), Space::default());
        let keys: Vec<&[u8]> = vec![b"a", b"b", b"c"];
        let done = store.transact_each(keys, |key, txn| match *key {
            b"b" => {
                txn.kv_put(&space, key, value!(1))?;
                txn.kv_increment(&space, b"text", value!("x"), value!(1))
                    .map(drop)
            }
            key => txn.kv_put(&space, key, value!(1)),
        });
        let versions: Vec<_> = done.iter().map(|d| d.as_ref().ok().map(|d| d.1)).collect();
        assert_eq!(versions, [Some(Some(1)), None, Some(Some(2))]);
        store.settle(2).unwrap();
        assert_eq!(store.stats().entries, 2);
        assert_eq!(store.kv_get(&space, b"b").unwrap(), None);
        let none = store.transact_each([0; 0], |_, _| Ok::<_, Error>(()));
        assert!(none.is_empty());
    }
}

#[test]
fn a_row_in_a_closed_store_is_refused_whole() {
    let store = open(Durability::Buffered);
    store.close().unwrap();
    let done = store.transact_each(0..3_u8, |key, txn| put(txn, *key, 1));
    assert_eq!(done.len(), 3);
    assert!(done.iter().all(|done| matches!(done, Err(Error::Closed))));
}
