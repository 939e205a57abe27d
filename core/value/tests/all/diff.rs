//! Differences: exact, small, as cheap as what changed, and never at the mercy of their input.

use proptest::prelude::*;
use statewright_value::{Patch, PatchOp, Path, Value, changes, diff, value};

/// The patch, after a check that it leads from one to the other and back.
fn checked(before: &Value, after: &Value) -> Patch {
    let patch = diff(before.by_ref(), after.by_ref());
    let mut doc = before.clone();
    patch
        .apply(&mut doc)
        .unwrap_or_else(|why| panic!("{before}\n{after}\n{patch}\n{why}"));
    assert_eq!(&doc, after, "from {before} by {patch}");
    let undo = patch.invert(before.by_ref()).unwrap();
    undo.apply(&mut doc).unwrap();
    assert_eq!(&doc, before, "back from {after} by {undo}");
    assert_eq!(patch.is_empty(), before == after);
    let found = changes(before.by_ref(), after.by_ref());
    assert_eq!(found.len(), patch.len());
    for change in found {
        match (&change.before, &change.after) {
            (Some(old), new) => {
                assert_eq!(
                    before.at(&change.path).as_ref(),
                    Some(old),
                    "{}",
                    change.path
                );
                assert_ne!(Some(old), new.as_ref());
            }
            (None, new) => assert_eq!(after.at(&change.path), *new, "{}", change.path),
        }
    }
    patch
}

#[test]
fn patches_are_small() {
    for (before, after, patch) in [
        (value!(1), value!(1), value!([])),
        (
            value!(1),
            value!(1.0),
            value!([{ "op": "replace", "path": "", "value": 1.0 }]),
        ),
        (
            value!({ "a": 1, "b": 2, "c": { "x/y": 1, "z": 2 } }),
            value!({ "c": { "x/y": 2, "z": 2 }, "d": null, "a": 1 }),
            value!([
                { "op": "remove", "path": "/b" },
                { "op": "add", "path": "/d", "value": null },
                { "op": "replace", "path": "/c/x~1y", "value": 2 },
            ]),
        ),
        (
            value!({ "a": 1, "b": 2 }),
            value!({ "c": 1 }),
            value!([{ "op": "replace", "path": "", "value": { "c": 1 } }]),
        ),
        (
            value!({}),
            value!({ "c": 1 }),
            value!([{ "op": "add", "path": "/c", "value": 1 }]),
        ),
        (
            value!([1]),
            value!([]),
            value!([{ "op": "remove", "path": "/0" }]),
        ),
        (
            value!([1, 2, 3, 4, 5]),
            value!([1, 3, 4, 9, 5]),
            value!([{ "op": "remove", "path": "/1" }, { "op": "add", "path": "/3", "value": 9 }]),
        ),
        (
            value!([1, 2, 3, 4, 5, 6, 7, 8]),
            value!([0, 1, 2, 3, 4, 5, 6, 7]),
            value!([{ "op": "add", "path": "/0", "value": 0 }, { "op": "remove", "path": "/8" }]),
        ),
        (
            value!([{ "id": 1, "n": 1 }, { "id": 2, "n": 2 }, { "id": 3, "n": 3 }]),
            value!([{ "id": 0, "n": 0 }, { "id": 1, "n": 1 }, { "id": 2, "n": 5 }, { "id": 3, "n": 3 }]),
            value!([
                { "op": "add", "path": "/0", "value": { "id": 0, "n": 0 } },
                { "op": "replace", "path": "/2/n", "value": 5 },
            ]),
        ),
        (
            value!([1, 2, [3, 4], 5, 6]),
            value!([2, [3, 4, 5], 6]),
            value!([
                { "op": "remove", "path": "/0" },
                { "op": "remove", "path": "/2" },
                { "op": "add", "path": "/1/2", "value": 5 },
            ]),
        ),
        (
            value!([1, 2, 3]),
            value!([4, 5]),
            value!([{ "op": "replace", "path": "", "value": [4, 5] }]),
        ),
    ] {
        assert_eq!(
            checked(&before, &after).to_value(),
            patch,
            "{before} -> {after}"
        );
    }
}

/// A document of `users` users, each with an array of orders.
fn document(users: usize) -> Value {
    let user = |user: usize| {
        let orders: Value = (0..3)
            .map(|order| value!({ "id": (user * 10 + order), "total": 1.5, "items": [1, 2, 3] }))
            .collect();
        (
            format!("u{user:06}"),
            value!({ "name": (format!("User {user}")), "orders": orders }),
        )
    };
    value!({ "meta": { "version": 1 }, "users": ((0..users).map(user).collect::<Value>()) })
}

#[test]
fn versions_of_a_large_document() {
    let before = document(2000);
    let mut after = before.clone();
    let mut expected = 0;
    for user in (0..2000).step_by(100) {
        let path = Path::parse(&format!(".users.u{user:06}.orders[1].items[2]")).unwrap();
        after.set(&path, Value::from(user)).unwrap();
        expected += 1;
    }
    for user in [7, 8, 9, 701, 1999] {
        after
            .remove(&Path::parse(&format!(".users.u{user:06}")).unwrap())
            .unwrap();
        expected += 1;
    }
    after
        .set(&Path::parse(".users.new").unwrap(), value!({}))
        .unwrap();
    assert_eq!(checked(&before, &after).len(), expected + 1);
    // Without anything shared the result is the same.
    let (a, b) = (
        Value::from_json(before.to_json()).unwrap(),
        Value::from_json(after.to_json()).unwrap(),
    );
    assert_eq!(checked(&a, &b).len(), expected + 1);
    assert_eq!(checked(&a, &after).len(), expected + 1);
    assert!(checked(&a, &before).is_empty());
}

#[test]
fn versions_of_a_long_array() {
    let before: Value = (0..10_000)
        .map(|at| value!({ "id": at, "tags": ["a", "b"] }))
        .collect();
    let items: Vec<Value> = before.items().collect();
    let edited = |edit: &dyn Fn(&mut Vec<Value>)| {
        let mut items = items.clone();
        edit(&mut items);
        Value::from(items)
    };
    for (after, ops) in [
        (edited(&|items| drop(items.remove(5000))), 1),
        (edited(&|items| items.insert(1, value!("new"))), 1),
        (edited(&|items| items.rotate_left(3)), 6),
        (
            edited(&|items| {
                items.remove(9000);
                items.remove(10);
                items.insert(4000, value!(1));
                items[7000] = value!({ "id": 7000, "tags": ["a", "c"] });
            }),
            4,
        ),
        (
            edited(&|items| items.extend((0..100).map(Value::from))),
            100,
        ),
        (edited(&|items| items.truncate(100)), 9900),
    ] {
        assert_eq!(checked(&before, &after).len(), ops);
        let copy = Value::from_json(after.to_json()).unwrap();
        assert_eq!(checked(&before, &copy).len(), ops);
    }
}

/// What cannot be aligned for an acceptable price is compared item by item.
#[test]
fn arrays_that_have_little_in_common() {
    let before: Value = (0..20_000).map(|at| Value::from(at * 2)).collect();
    let after: Value = (0..20_001).rev().map(|at| Value::from(at * 3)).collect();
    let patch = checked(&before, &after);
    assert!(patch.len() <= 20_001);

    // Arrays in arrays, equal but for the innermost item.
    let nested = |last: i64| {
        (0..200).fold(value!([last]), |inner, at| {
            value!([(at), [1, 2, 3], inner, "x"])
        })
    };
    assert_eq!(checked(&nested(1), &nested(2)).len(), 1);
    let wide = |last: i64| {
        let big: Value = (0..1000).map(Value::from).collect();
        (0..200).fold(value!([last]), |inner, _| value!([(big.clone()), inner]))
    };
    let copy = Value::from_json(wide(2).to_json_pretty()).unwrap_err();
    assert_eq!(copy.code(), 204);
    assert_eq!(checked(&wide(1), &wide(2)).len(), 1);
}

#[test]
fn values_of_any_depth_need_no_stack() {
    let nested = |depth: usize, last: i64| {
        (0..depth).fold(value!(last), |inner, at| match at % 2 {
            0 => value!([inner]),
            _ => value!({ "k": inner }),
        })
    };
    let test = move || {
        assert_eq!(checked(&nested(1000, 1), &nested(1000, 2)).len(), 1);
        let patch = diff(nested(50_000, 1).by_ref(), nested(50_000, 2).by_ref());
        assert_eq!(patch.len(), 1);
    };
    let thread = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(test);
    thread.unwrap().join().unwrap();
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        (-2i64..3).prop_map(|int| Value::try_from(int as f64).unwrap()),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 60, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::vec(("[a-f/~]", inner.clone()), 0..6).prop_map(Value::from_iter),
            prop::collection::vec(("[a-z][a-e]", inner), 20..80).prop_map(Value::from_iter),
        ]
    })
}

/// Edits by patch operations at random places: those that fail do nothing.
fn edit() -> impl Strategy<Value = (Vec<usize>, u8, Value)> {
    (prop::collection::vec(any::<usize>(), 0..4), 0u8..4, tree())
}

fn edited(mut doc: Value, edits: Vec<(Vec<usize>, u8, Value)>) -> Value {
    for (steps, what, value) in edits {
        let mut path = Path::root();
        let mut here = doc.clone();
        for step in steps {
            let len = here.len().max(1);
            let next = match here.kind().name() {
                "array" => path.clone().index(step % (len + 1)),
                "object" => match here.entries().nth(step % len) {
                    Some((key, _)) if step % 5 > 0 => path.clone().key(key),
                    _ => path.clone().key("new"),
                },
                _ => break,
            };
            path = next;
            match doc.at(&path) {
                Some(inner) => here = inner,
                None => break,
            }
        }
        let op = match what {
            0 => PatchOp::Add {
                path: (&path).into(),
                value,
            },
            1 => PatchOp::Replace {
                path: (&path).into(),
                value,
            },
            _ => PatchOp::Remove {
                path: (&path).into(),
            },
        };
        let _ = Patch::from_iter([op]).apply(&mut doc);
    }
    doc
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn differences_of_unrelated_values_are_exact(a in tree(), b in tree()) {
        checked(&a, &b);
    }

    #[test]
    fn differences_of_versions_are_exact(
        a in tree(),
        edits in prop::collection::vec(edit(), 1..6),
        others in prop::collection::vec(edit(), 0..3),
    ) {
        let b = edited(a.clone(), edits);
        checked(&a, &b);
        let c = edited(a.clone(), others);
        checked(&b, &c);
        let copy = Value::from_json(b.to_json()).unwrap();
        prop_assert_eq!(checked(&a, &b).len(), checked(&a, &copy).len());
    }

    #[test]
    fn differences_of_arrays_are_no_longer_than_what_happened(
        items in prop::collection::vec(0i64..1000, 0..60),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0i64..1000), 0..8),
    ) {
        let items: Vec<i64> = (1000..).zip(items).map(|(at, item)| at * 1000 + item).collect();
        let mut changed = items.clone();
        for (at, insert, item) in &edits {
            let at = at.index(changed.len() + 1);
            match insert {
                true => changed.insert(at, *item),
                false if at < changed.len() => drop(changed.remove(at)),
                false => {}
            }
        }
        let array = |items: Vec<i64>| items.into_iter().map(Value::from).collect::<Value>();
        let (a, b) = (array(items), array(changed));
        prop_assert!(checked(&a, &b).len() <= edits.len().max(1));
    }
}
