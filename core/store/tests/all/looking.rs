//! Values that are looked at where they are: what the look sees, and what else may be done meanwhile.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use statewright_store::prelude::*;
use statewright_store::{Durability, Env, Error, Place, Space, Store, StoreOptions};
use statewright_value::{Value, value};

/// In each durability mode, with a key in it.
fn each_mode(test: impl Fn(&Store, &Space)) {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        let place = match durability {
            Durability::Memory => Place::Memory,
            _ => Place::Dir(dir.path().join(format!("{durability:?}"))),
        };
        let options = StoreOptions::with_durability(durability);
        let store = Store::open(Env::real(), place, options).unwrap();
        store.kv_put(&Space::default(), b"k", value!(1)).unwrap();
        test(&store, &Space::default());
        store.close().unwrap();
    }
}

fn seen(store: &Store, space: &Space, key: &[u8]) -> Option<Value> {
    store
        .kv_with(space, key, |item| item.value().unwrap())
        .unwrap()
}

#[test]
fn who_looks_may_write_and_sees_what_was_there_when_it_began() {
    each_mode(|store, space| {
        // The first look finds no state published, the others do.
        for n in 1..4 {
            let inner = store.kv_with(space, b"k", |item| {
                store.kv_put(space, b"k", value!(n + 1)).unwrap();
                assert_eq!(item.value(), Some(value!(n)));
                seen(store, space, b"k")
            });
            assert_eq!(inner.unwrap(), Some(Some(value!(n + 1))));
            assert_eq!(seen(store, space, b"k"), Some(value!(n + 1)));
        }
    });
}

#[test]
fn a_panic_in_a_look_leaves_the_store_as_it_was() {
    each_mode(|store, space| {
        for n in 2..6 {
            let look = || store.kv_with(space, b"k", |_| panic!("on purpose"));
            let failed = catch_unwind(AssertUnwindSafe(look));
            assert!(failed.is_err());
            store.kv_put(space, b"k", value!(n)).unwrap();
            assert_eq!(seen(store, space, b"k"), Some(value!(n)));
        }
    });
}

/// A key is encoded in one way if it and its space's name are short, in another if not.
#[test]
fn keys_of_every_length_are_found_in_spaces_of_every_length() {
    let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
    let names = ["default".to_owned(), "s".to_owned(), "n".repeat(61)];
    let names = names.into_iter().chain(["n".repeat(62), "n".repeat(255)]);
    let spaces: Vec<Space> = names.map(|name| Space::parse(&name).unwrap()).collect();
    let keys: Vec<Vec<u8>> = (1..130).map(|length| vec![0xFF; length]).collect();
    for (at, space) in spaces.iter().enumerate() {
        for key in &keys {
            store
                .kv_put(space, key, value!([at as i64, key.len() as i64]))
                .unwrap();
        }
    }
    for (at, space) in spaces.iter().enumerate() {
        for key in &keys {
            let wanted = Some(value!([at as i64, key.len() as i64]));
            assert_eq!(seen(&store, space, key), wanted);
            assert_eq!(store.kv_get(space, key).unwrap(), wanted);
        }
        // Each begins with the one before it, and the last byte of a prefix cannot be counted up.
        let (mut found, snapshot) = (Vec::new(), store.snapshot());
        let visit = snapshot.kv_each(space, &keys[1], Some(&keys[3]), |item| {
            found.push(item.key().to_vec());
            ControlFlow::Continue(())
        });
        visit.unwrap();
        assert_eq!(found, keys[4..]);
        assert_eq!(seen(&store, space, &[0xFF; 130]), None);
        for bad in [&[][..], &[1; 4097]] {
            let refused = store.kv_with(space, bad, |_| ());
            assert!(
                matches!(refused, Err(Error::InvalidKey { .. })),
                "{refused:?}"
            );
        }
    }
}
