//! What the store promises about restarts: the same state, at the same version, in every durability mode.

use std::collections::BTreeMap;

use proptest::prelude::*;
use statewright_store::{Durability, Env, Error, Place, Reader, Space, Store, StoreOptions};
use statewright_value::{Path, Value, value};

fn open(dir: &std::path::Path, durability: Durability) -> Store {
    let options = StoreOptions::with_durability(durability);
    Store::open(Env::real(), Place::Dir(dir.to_owned()), options).unwrap()
}

type Content = (Vec<(Vec<u8>, Value)>, Vec<(String, Value)>);

fn everything(store: &Store) -> Content {
    let (now, space) = (store.snapshot(), Space::default());
    (
        now.kv_scan(&space, b"", None, 10_000).unwrap(),
        now.json_list(&space, "", None, 10_000).unwrap(),
    )
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    for durability in [Durability::Buffered, Durability::Strict] {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::default();
        let store = open(dir.path(), durability);
        assert_eq!(store.stats().durability, durability);
        store.kv_put(&space, b"k", value!([1, 2])).unwrap();
        store
            .transact(|txn| {
                txn.json_create(&space, "doc", value!({"n": 1}))?;
                txn.json_set(
                    &space,
                    "doc",
                    &Path::parse(".deep.er").unwrap(),
                    value!("x"),
                )
            })
            .unwrap();
        let (content, version) = (everything(&store), store.stats().version);
        store.close().unwrap();
        assert!(matches!(
            store.kv_put(&space, b"k", value!(1)),
            Err(Error::Closed)
        ));
        drop(store);
        let again = open(dir.path(), durability);
        assert_eq!(everything(&again), content);
        assert_eq!(again.stats().version, version);
        assert_eq!(
            again.snapshot().json_version(&space, "doc").unwrap(),
            Some(2)
        );
        assert_eq!(again.kv_put(&space, b"k", value!(3)).unwrap(), 3);
    }
}

#[test]
fn the_log_tells_every_commit_and_its_ops() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Durability::Buffered);
    let space = Space::default();
    store.kv_put(&space, b"k", value!(1)).unwrap();
    store
        .transact(|t| t.json_create(&space, "d", value!({})))
        .unwrap();
    store
        .transact(|t| {
            t.json_set(
                &space,
                "d",
                &Path::parse(".a[0]").unwrap_or_default(),
                value!(1),
            )
        })
        .unwrap_err();
    let mut seen = Vec::new();
    store
        .log(1, &mut |commit| {
            seen.push((commit.version, commit.ops[0].name(), commit.ops[0].target()));
            true
        })
        .unwrap();
    let expected = [
        (1, "kv.put", "default/kv/k"),
        (2, "json.create", "default/json/d"),
    ];
    assert_eq!(
        seen,
        expected.map(|(v, n, t)| (v, n.to_owned(), t.to_owned()))
    );
}

#[test]
fn concurrent_strict_commits_share_syncs_and_read_their_own_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Durability::Strict);
    std::thread::scope(|scope| {
        for t in 0..8_u8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..25_u8 {
                    let version = store
                        .kv_put(&Space::default(), &[b'k', t, n], value!(n as i64))
                        .unwrap();
                    let now = store.snapshot();
                    assert!(
                        now.version() >= version,
                        "an acknowledged commit is readable"
                    );
                    assert_eq!(
                        now.kv_get(&Space::default(), &[b'k', t, n]).unwrap(),
                        Some(value!(n as i64))
                    );
                }
            });
        }
    });
    let stats = store.stats();
    assert_eq!(stats.version, 200);
    assert_eq!(stats.durable_version, 200);
    assert!(stats.log.syncs <= 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// A store, reopened now and then, agrees with a map.
    #[test]
    fn agrees_with_a_map(ops in proptest::collection::vec((0u8..8, 0u8..12, 0i64..100), 1..200)) {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::default();
        let mut store = open(dir.path(), Durability::Buffered);
        let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for (what, key, v) in ops {
            let key = vec![b'k', key];
            match what {
                0..=2 => {
                    store.kv_put(&space, &key, value!(v)).unwrap();
                    model.insert(key, v);
                }
                3 | 4 => {
                    let there = store.transact(|t| t.kv_delete(&space, &key)).unwrap();
                    prop_assert_eq!(there, model.remove(&key).is_some());
                }
                5 | 6 => {
                    let txn = store.begin();
                    let old = txn.kv_get(&space, &key).unwrap().and_then(|v| v.as_i64()).unwrap_or(0);
                    txn.kv_put(&space, &key, value!(old + v)).unwrap();
                    txn.commit().unwrap();
                    model.insert(key, old + v);
                }
                _ => {
                    store.close().unwrap();
                    store = open(dir.path(), Durability::Buffered);
                }
            }
        }
        let got: Vec<_> = everything(&store).0.into_iter().map(|(k, v)| (k, v.as_i64().unwrap())).collect();
        prop_assert_eq!(got, model.into_iter().collect::<Vec<_>>());
    }
}
