//! Keys, a JSON document, a transaction, and a conflict that is caught.

use std::error::Error;

use statewright::store::Error as StoreError;
use statewright::{Path, Reader, Space, Txn, Value, value};

fn main() -> Result<(), Box<dyn Error>> {
    let engine = statewright_examples::open()?;
    let store = engine.store();
    let space = Space::default();
    let (alice, bob): (Path, Path) = (".alice".parse()?, ".bob".parse()?);
    let balance = |txn: &Txn, of: &Path| -> Result<i64, StoreError> {
        let found = txn.json_get(&space, "accounts", of)?;
        Ok(found.and_then(|balance| balance.as_i64()).unwrap_or(0))
    };

    store.kv_put(&space, b"greeting", value!("hello"))?;
    store.kv_put(&space, b"color/red", value!(1))?;
    store.kv_put(&space, b"color/blue", value!(2))?;
    let greeting = store.snapshot().kv_get(&space, b"greeting")?;
    println!("greeting: {}", Value::from(greeting));

    // All of it happens or none of it. If another transaction gets in between, the closure simply runs again.
    store
        .transact(|txn| txn.json_create(&space, "accounts", value!({ "alice": 100, "bob": 50 })))?;
    store.transact(|txn| {
        txn.json_set(
            &space,
            "accounts",
            &alice,
            value!(balance(txn, &alice)? - 30),
        )?;
        txn.json_set(&space, "accounts", &bob, value!(balance(txn, &bob)? + 30))
    })?;
    let accounts = store
        .snapshot()
        .json_get(&space, "accounts", &Path::root())?
        .unwrap_or_default();
    for (owner, balance) in accounts.entries() {
        println!("{owner}: {balance}");
    }

    // Both read .alice and set it: the one that commits second has decided on what is no longer so.
    let (first, second) = (store.begin(), store.begin());
    for txn in [&first, &second] {
        txn.json_set(&space, "accounts", &alice, value!(balance(txn, &alice)?))?;
    }
    first.commit()?;
    match second.commit() {
        Err(error @ StoreError::Conflict { .. }) => {
            let code = error.code();
            if let StoreError::Conflict { path, .. } = error {
                println!("conflict: {code} on {path}");
            }
        }
        other => println!("no conflict: {other:?}"),
    }

    let colors = store.snapshot().kv_scan(&space, b"color/", None, 100)?;
    let names: Vec<_> = colors
        .iter()
        .map(|(key, _)| String::from_utf8_lossy(key))
        .collect();
    println!("keys: {}", names.join(" "));
    engine.close()?;
    Ok(())
}
