//! A value: read, changed, walked, queried, checked, compared, patched, merged, encoded, stored.

use std::error::Error;

use statewright::value::{Schema, ValueRef, diff, merge3, path};
use statewright::{Path, Reader, Space, Value, value};

const TEXT: &str = r#"{
  "id": 9007199254740993,
  "customer": { "name": "Ada" },
  "lines": [{ "sku": "pen", "quantity": 3, "price": 1.2 }, { "sku": "book", "quantity": 1, "price": 15.5 }]
}"#;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut order = Value::from_json(TEXT)?;
    let before = order.clone(); // costs the same for any size
    change(&mut order)?;
    check(&order)?;
    undo(&before, &order)?;
    let mut merged = merge(&order)?;
    encode(&merged)?;

    // What is wrong is told, and changes nothing.
    if let Err(error) = merged.set(&path!(id.x), value!(1)) {
        let place = error.path().map(Path::to_string).unwrap_or_default();
        println!("refused: {} at {place}", error.code());
    }

    // A value goes into the store as it is.
    let (engine, space) = (statewright_examples::open()?, Space::default());
    let store = engine.store();
    store.transact(|txn| txn.json_create(&space, "order", merged.clone()))?;
    let name = store
        .snapshot()
        .json_get(&space, "order", &path!(customer.name))?;
    println!("stored: {}", text(name.unwrap_or_default().by_ref()));
    engine.close()?;
    Ok(())
}

fn text(value: ValueRef<'_>) -> &str {
    value.as_str().unwrap_or_default()
}

/// A path is read from text, or written in the program.
fn change(order: &mut Value) -> Result<()> {
    println!("id: {}", order.at(&path!(id)).unwrap_or_default());
    order.set(&path!(lines[0].quantity), value!(5))?;
    let lamp = value!({ "sku": "lamp", "quantity": 1, "price": 24.5 });
    order.push_at(&path!(lines), lamp)?;
    order.set(&path!(total), Value::decimal("46.00")?)?;
    let lines = order.get("lines").unwrap_or_default();
    for (index, line) in lines.by_ref().items().enumerate() {
        let quantity = line.get("quantity").and_then(ValueRef::as_i64).unwrap_or(0);
        let sku = line.get("sku").map(text).unwrap_or_default();
        println!("line {index}: {quantity} {sku}");
    }

    // JSONPath (RFC 9535). `Query::parse` keeps a compiled one.
    let found = order.query("$.lines[?@.price > 10].sku")?;
    let skus: Vec<_> = found.into_iter().map(text).collect();
    println!("above 10: {}", skus.join(" "));
    Ok(())
}

/// JSON Schema: everything that is wrong, not only the first.
fn check(order: &Value) -> Result<()> {
    let rules = Schema::compile(
        value!({ "properties": {
            "paid": { "const": true },
            "lines": { "items": { "properties": {
                "quantity": { "maximum": 4 },
                "sku": { "maxLength": 3 },
            } } },
        } })
        .by_ref(),
    )?;
    for violation in rules.violations(order.by_ref())? {
        println!(
            "against the rules: {} {}",
            violation.path, violation.keyword
        );
    }
    Ok(())
}

/// JSON Patch (RFC 6902): what has changed, and back.
fn undo(before: &Value, order: &Value) -> Result<()> {
    let patch = diff(before.by_ref(), order.by_ref());
    println!("patch: {}", patch.to_value());
    let mut undone = order.clone();
    patch.invert(before.by_ref())?.apply(&mut undone)?;
    println!("undone: {}", undone == *before);
    Ok(())
}

/// Two have changed one version: what goes together is merged, and what does not is reported.
fn merge(order: &Value) -> Result<Value> {
    let (mut ours, mut theirs) = (order.clone(), order.clone());
    ours.set(&path!(paid), value!(true))?;
    ours.set(&path!(lines[0].quantity), value!(6))?;
    theirs.set(&path!(customer.name), value!("Ada Lovelace"))?;
    theirs.set(&path!(lines[0].quantity), value!(7))?;
    let merged = merge3(order.by_ref(), ours.by_ref(), theirs.by_ref())?;
    for conflict in &merged.conflicts {
        let side = |value: &Option<Value>| value.clone().unwrap_or_default();
        println!(
            "conflict: {} was {}, is {} and {}",
            conflict.path,
            side(&conflict.base),
            side(&conflict.ours),
            side(&conflict.theirs)
        );
    }

    // JSON Merge Patch (RFC 7396): null removes.
    let mut merged = merged.value;
    merged.merge_patch(value!({ "lines": null, "customer": { "vip": true } }).by_ref())?;
    println!("merged: {merged}");
    Ok(merged)
}

/// Typed JSON keeps decimals and dates, a content hash compares, CBOR and MessagePack are small.
fn encode(merged: &Value) -> Result<()> {
    println!("typed: {}", merged.to_typed_json());
    let hash: String = (merged.content_hash().iter())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("hash: {hash}");
    println!(
        "as CBOR: {}",
        Value::from_cbor(&merged.to_cbor())? == *merged
    );
    Ok(())
}
