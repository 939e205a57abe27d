//! Merging two values by rules, and three as versions of one.

use proptest::prelude::*;
use statewright_value::{
    ArrayMerge, Error, MAX_DEPTH, Merge, Merged, NullMerge, Path, Resolution, Value, merge3,
    merge3_with, value,
};

fn merged(ours: &Value, theirs: &Value, how: &Merge) -> Value {
    let mut value = ours.clone();
    value.merge(theirs.by_ref(), how).unwrap();
    // Whether something is shared does not matter, nor does the form.
    let (a, b) = (copy(ours), copy(theirs));
    let mut again = a.clone();
    again.merge(b.by_ref(), how).unwrap();
    assert_eq!(again, value, "{ours} + {theirs} by {how:?}");
    assert_eq!(&a, ours);
    value
}

fn copy(value: &Value) -> Value {
    Value::from_json(value.to_json()).unwrap()
}

#[test]
fn rules() {
    let ours = value!({ "a": [1, 2], "o": { "x": 1, "y": null }, "n": 1 });
    let theirs =
        value!({ "a": [2, 3], "o": { "x": null, "z": { "w": null } }, "n": { "v": null } });
    let deep = Merge::deep;
    for (how, expected) in [
        (
            Merge::shallow(),
            value!({ "a": [2, 3], "o": { "x": null, "z": { "w": null } }, "n": { "v": null } }),
        ),
        (
            deep(),
            value!({ "a": [2, 3], "o": { "x": null, "y": null, "z": { "w": null } }, "n": { "v": null } }),
        ),
        (
            deep().nulls(NullMerge::Skip),
            value!({ "a": [2, 3], "o": { "x": 1, "y": null, "z": {} }, "n": {} }),
        ),
        (
            deep().nulls(NullMerge::Remove),
            value!({ "a": [2, 3], "o": { "y": null, "z": {} }, "n": {} }),
        ),
        (
            deep().arrays(ArrayMerge::Append),
            value!({ "a": [1, 2, 2, 3], "o": { "x": null, "y": null, "z": { "w": null } }, "n": { "v": null } }),
        ),
        (
            Merge::shallow().arrays(ArrayMerge::Union),
            value!({ "a": [1, 2, 3], "o": { "x": null, "z": { "w": null } }, "n": { "v": null } }),
        ),
    ] {
        assert_eq!(merged(&ours, &theirs, &how), expected, "{how:?}");
    }
}

#[test]
fn arrays() {
    for (how, ours, theirs, expected) in [
        (
            ArrayMerge::Union,
            value!([1, 1, { "a": 1 }]),
            value!([{ "a": 1 }, 2, 2, 1.0]),
            value!([1, 1, { "a": 1 }, 2, 1.0]),
        ),
        (ArrayMerge::Union, value!([]), value!([1, 1]), value!([1])),
        (
            ArrayMerge::Append,
            value!([[1]]),
            value!([[1]]),
            value!([[1], [1]]),
        ),
        (
            ArrayMerge::ByIndex,
            value!([1, { "a": 1 }]),
            value!([0, { "b": 2 }, 3]),
            value!([0, { "a": 1, "b": 2 }, 3]),
        ),
        (
            ArrayMerge::ByIndex,
            value!([1, [2, 3], 4]),
            value!([5, [6]]),
            value!([5, [6, 3], 4]),
        ),
        (ArrayMerge::Replace, value!([1, 2]), value!([]), value!([])),
    ] {
        assert_eq!(
            merged(&ours, &theirs, &Merge::deep().arrays(how)),
            expected,
            "{how:?}"
        );
    }
    let skip = Merge::deep()
        .arrays(ArrayMerge::ByIndex)
        .nulls(NullMerge::Skip);
    for (ours, theirs, expected) in [
        (value!([1, 2]), value!([null, 3]), value!([1, 3])),
        (value!([1]), value!([2, null, 3]), value!([2, 3])),
        (value!([]), value!([null, null]), value!([])),
        (
            value!([[1]]),
            value!([[null, null, { "a": null, "b": 1 }], null, [null]]),
            value!([[1, { "b": 1 }], [null]]),
        ),
    ] {
        let (ours, theirs) = (value!({ "l": ours }), value!({ "l": theirs }));
        assert_eq!(merged(&ours, &theirs, &skip), value!({ "l": expected }));
    }
    let doc = value!({ "a": [1] });
    assert_eq!(
        merged(&doc, &doc, &Merge::deep().arrays(ArrayMerge::Append)),
        value!({ "a": [1, 1] })
    );
    let nulls = value!({ "a": null, "b": [null] });
    assert_eq!(
        merged(&nulls, &nulls, &Merge::deep().nulls(NullMerge::Remove)),
        value!({ "b": [null] })
    );
}

#[test]
fn conflicts_of_two() {
    let ours = value!({ "a": { "x": 1, "same": [1] }, "b": 1, "only": 1 });
    let theirs = value!({ "a": { "x": 2, "same": [1] }, "b": { "c": 1 }, "new": 1 });
    let how = Merge::deep()
        .on_conflict(|path, ours, theirs| Ok(Value::from(format!("{path}: {ours} {theirs}"))));
    assert_eq!(
        merged(&ours, &theirs, &how),
        value!({ "a": { "x": ".a.x: 1 2", "same": [1] }, "b": ".b: 1 {\"c\":1}", "only": 1, "new": 1 })
    );
    // An error leaves everything as it was.
    let refuse = Merge::deep().on_conflict(|path, _, _| {
        Err(Error::MergeConflict {
            path: path.clone(),
            conflicts: 1,
        })
    });
    let mut doc = ours.clone();
    let why = doc.merge(theirs.by_ref(), &refuse).unwrap_err();
    assert_eq!(why.code(), 213);
    assert!(
        why.to_string().starts_with("merge conflict at `.a.x`"),
        "{why}"
    );
    assert_eq!(doc, ours);
}

#[test]
fn what_a_merge_does_not_touch_stays_shared() {
    let before = value!({ "a": { "x": [1] }, "b": { "y": [2] } });
    let mut doc = before.clone();
    doc.merge(value!({ "a": { "z": 1 } }).by_ref(), &Merge::deep())
        .unwrap();
    let path = |path: &str| Path::parse(path).unwrap();
    for kept in [".b", ".a.x"] {
        let (now, then) = (
            doc.by_ref().at(&path(kept)).unwrap(),
            before.by_ref().at(&path(kept)).unwrap(),
        );
        assert!(now.same(then), "{kept}");
    }
    let mut same = before.clone();
    same.merge(before.by_ref(), &Merge::deep()).unwrap();
    assert!(same.by_ref().same(before.by_ref()));
}

fn three(base: &Value, ours: &Value, theirs: &Value) -> Merged {
    let merged = merge3(base.by_ref(), ours.by_ref(), theirs.by_ref()).unwrap();
    let (b, o, t) = (copy(base), copy(ours), copy(theirs));
    let again = merge3(b.by_ref(), o.by_ref(), t.by_ref()).unwrap();
    assert_eq!(again, merged);
    merged
}

#[test]
fn three_way() {
    let base =
        value!({ "a": 1, "o": { "x": 1, "y": 1 }, "l": [1, { "k": 1 }, 3], "gone": { "z": 1 } });
    for (ours, theirs, expected, conflicts) in [
        // Siblings, also in arrays of unchanged length.
        (
            value!({ "a": 2, "o": { "x": 1, "y": 1, "n": 1 }, "l": [0, { "k": 1, "m": 1 }, 3], "gone": { "z": 1 } }),
            value!({ "a": 1, "o": { "x": 1, "w": 2 }, "l": [1, { "k": 2 }, 4] }),
            value!({ "a": 2, "o": { "x": 1, "n": 1, "w": 2 }, "l": [0, { "k": 2, "m": 1 }, 4] }),
            vec![],
        ),
        // The same change twice.
        (
            value!({ "a": 2 }),
            value!({ "a": 2 }),
            value!({ "a": 2 }),
            vec![],
        ),
        (
            value!({ "a": 1, "new": { "p": 1 } }),
            value!({ "a": 1, "new": { "q": 2, "p": 1 } }),
            value!({ "a": 1, "new": { "q": 2, "p": 1 } }),
            vec![],
        ),
        // Different changes.
        (
            value!({ "a": 2, "o": { "x": 2, "y": 1 }, "l": [1], "gone": { "z": 2 }, "new": 1 }),
            value!({ "a": 3, "o": { "x": 3, "y": 2 }, "l": [1, 2], "new": 2 }),
            value!({ "a": 2, "o": { "x": 2, "y": 2 }, "l": [1], "gone": { "z": 2 }, "new": 1 }),
            vec![".a", ".o.x", ".l", ".gone", ".new"],
        ),
        // A length that one side has changed.
        (
            value!({ "a": 1, "l": [1, { "k": 1 }] }),
            base.clone(),
            value!({ "a": 1, "l": [1, { "k": 1 }] }),
            vec![],
        ),
        (
            base.clone(),
            value!({ "l": [] }),
            value!({ "l": [] }),
            vec![],
        ),
        // Other kinds.
        (value!(1), base.clone(), value!(1), vec![]),
        (value!(1), value!(2), value!(1), vec!["."]),
        (base.clone(), value!([1]), value!([1]), vec![]),
    ] {
        let merged = three(&base, &ours, &theirs);
        let paths: Vec<String> = merged
            .conflicts
            .iter()
            .map(|conflict| conflict.path.to_string())
            .collect();
        let mut sorted = (paths.clone(), conflicts.clone());
        sorted.0.sort();
        sorted.1.sort();
        assert_eq!(sorted.0, sorted.1, "{ours} {theirs}");
        assert_eq!(merged.value, expected, "{ours} {theirs}");
        for conflict in &merged.conflicts {
            assert_eq!(conflict.base, base.at(&conflict.path));
            assert_eq!(conflict.ours, ours.at(&conflict.path));
            assert_eq!(conflict.theirs, theirs.at(&conflict.path));
        }
        assert_eq!(merged.into_value().is_ok(), conflicts.is_empty());
    }
}

#[test]
fn conflicts_are_resolved() {
    let base = value!({ "n": 1, "l": [1] });
    let (ours, theirs) = (
        value!({ "n": 2, "l": [1, 2] }),
        value!({ "n": 3, "l": [1, 3] }),
    );
    for (resolution, expected) in [
        (Resolution::Ours, value!({ "n": 2, "l": [1, 2] })),
        (Resolution::Theirs, value!({ "n": 3, "l": [1, 3] })),
        (Resolution::Base, value!({ "n": 1, "l": [1] })),
        (
            Resolution::Value(value!("x")),
            value!({ "n": "x", "l": "x" }),
        ),
        (Resolution::Remove, value!({})),
    ] {
        let merged = merge3_with(base.by_ref(), ours.by_ref(), theirs.by_ref(), |_| {
            resolution.clone()
        });
        assert_eq!(merged.unwrap().into_value().unwrap(), expected);
    }
}

#[test]
fn removed_items_do_not_move_other_conflicts() {
    for (base, ours, theirs, expected) in [
        (
            value!([1, 2, 3, 4]),
            value!([10, 2, 3, 4]),
            value!([20, 2, 3, 40]),
            value!([2, 3, 40]),
        ),
        (
            value!([1, 2, 3]),
            value!([10, 2, 30]),
            value!([20, 2, 33]),
            value!([2]),
        ),
        (
            value!([1, 2, 3, 4]),
            value!([10, 20, 3, 4]),
            value!([11, 21, 3, 40]),
            value!([3, 40]),
        ),
        (
            value!([1, [2, 3], [4, { "a": 5 }]]),
            value!([10, [20, 3], [4, { "a": 50 }]]),
            value!([11, [21, 3], [44, { "a": 51 }]]),
            value!([[3], [44, {}]]),
        ),
    ] {
        let mut paths = Vec::new();
        let merged = merge3_with(base.by_ref(), ours.by_ref(), theirs.by_ref(), |conflict| {
            paths.push(conflict.path.clone());
            Resolution::Remove
        });
        assert_eq!(merged.unwrap().into_value().unwrap(), expected, "{ours}");
        for path in paths {
            assert_ne!(ours.at(&path), base.at(&path), "{path} of {ours}");
        }
    }
}

/// Removing one item and taking theirs of the others is theirs without the item.
#[test]
fn items_are_removed_and_replaced_at_once() {
    let list = |items: &[i64]| items.iter().copied().map(Value::from).collect::<Value>();
    let shifted = |by| list(&(by..by + 100).collect::<Vec<i64>>());
    let (base, ours, theirs) = (shifted(0), shifted(100), shifted(200));
    let merged =
        merge3_with(
            base.by_ref(),
            ours.by_ref(),
            theirs.by_ref(),
            |conflict| match conflict.base.as_ref().and_then(Value::as_i64) {
                Some(n) if n % 3 == 0 => Resolution::Remove,
                _ => Resolution::Theirs,
            },
        );
    let kept: Vec<i64> = (200..300).filter(|n| (n - 200) % 3 != 0).collect();
    assert_eq!(merged.unwrap().value, list(&kept));
}

#[test]
fn values_of_any_depth_need_no_stack() {
    let nested = |depth: usize, last: i64| {
        (0..depth).fold(value!({ "last": last }), |inner, at| match at % 2 {
            0 => value!([inner]),
            _ => value!({ "k": inner }),
        })
    };
    let test = move || {
        let (one, two) = (nested(MAX_DEPTH - 1, 1), nested(MAX_DEPTH - 1, 2));
        let how = Merge::deep().arrays(ArrayMerge::ByIndex);
        let mut doc = one.clone();
        doc.merge(two.by_ref(), &how).unwrap();
        assert_eq!(doc, two);
        let merged = merge3(one.by_ref(), one.by_ref(), two.by_ref()).unwrap();
        assert_eq!(merged.value, two);
        let merged = merge3(
            one.by_ref(),
            two.by_ref(),
            nested(MAX_DEPTH - 1, 3).by_ref(),
        )
        .unwrap();
        assert_eq!(merged.conflicts.len(), 1);

        let (too, deep) = (nested(50_000, 1), nested(50_000, 2));
        let mut doc = too.clone();
        assert_eq!(doc.merge(deep.by_ref(), &how).unwrap_err().code(), 204);
        let mut doc = value!({});
        assert_eq!(
            doc.merge(value!({ "a": too }).by_ref(), &how)
                .unwrap_err()
                .code(),
            204
        );
        assert_eq!(doc, value!({}));
    };
    let thread = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(test);
    thread.unwrap().join().unwrap();
}

fn tree() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::NULL),
        (0i64..3).prop_map(Value::from),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec(("[a-e]", inner.clone()), 0..6).prop_map(Value::from_iter),
            1 => prop::collection::vec(("[a-d][a-l]", inner), 30..50).prop_map(Value::from_iter),
        ]
    })
}

/// A version of a value: some places set, some removed.
fn version(mut doc: Value, edits: &[(Vec<usize>, Option<Value>)]) -> Value {
    for (steps, value) in edits {
        let mut path = Path::root();
        for step in steps {
            let here = doc.at(&path).unwrap();
            path = match here.kind().name() {
                "object" if !here.is_empty() => {
                    let (key, _) = here.entries().nth(step % here.len()).unwrap();
                    path.key(key)
                }
                "array" if !here.is_empty() => path.index(step % here.len()),
                _ => break,
            };
        }
        match value {
            Some(value) => doc.set(&path, value.clone()).unwrap(),
            None if !path.is_root() => drop(doc.remove(&path).unwrap()),
            None => {}
        }
    }
    doc
}

fn edits() -> impl Strategy<Value = Vec<(Vec<usize>, Option<Value>)>> {
    let edit = (
        prop::collection::vec(any::<usize>(), 1..5),
        prop::option::weighted(0.8, tree()),
    );
    prop::collection::vec(edit, 0..4)
}

/// Path by path and from scratch, in the simplest way.
fn model(
    base: Option<Value>,
    ours: Option<Value>,
    theirs: Option<Value>,
) -> Result<Option<Value>, ()> {
    if ours == theirs || base == theirs {
        return Ok(ours);
    }
    if base == ours {
        return Ok(theirs);
    }
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return Err(());
    };
    let kinds = (ours.kind().name(), theirs.kind().name());
    if kinds == ("object", "object") {
        let base = base
            .filter(|base| base.kind().name() == "object")
            .unwrap_or_else(Value::object);
        let mut keys: Vec<String> = ours
            .entries()
            .chain(theirs.entries())
            .map(|(key, _)| key.to_owned())
            .collect();
        keys.sort();
        keys.dedup();
        let mut result = Vec::new();
        for key in keys {
            if let Some(value) = model(base.get(&key), ours.get(&key), theirs.get(&key))? {
                result.push((key, value));
            }
        }
        return Ok(Some(result.into_iter().collect()));
    }
    let base = base.ok_or(())?;
    if kinds != ("array", "array")
        || base.kind().name() != "array"
        || base.len() != ours.len()
        || base.len() != theirs.len()
    {
        return Err(());
    }
    let items = (0..base.len())
        .map(|at| Ok(model(base.index(at), ours.index(at), theirs.index(at))?.unwrap()));
    Ok(Some(Value::from(
        items.collect::<Result<Vec<Value>, ()>>()?,
    )))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn three_way_merges_agree_with_the_model(base in tree(), ours in edits(), theirs in edits()) {
        let (ours, theirs) = (version(base.clone(), &ours), version(base.clone(), &theirs));
        let merged = three(&base, &ours, &theirs);
        let other_way = three(&base, &theirs, &ours);
        prop_assert_eq!(merged.conflicts.len(), other_way.conflicts.len());
        match model(Some(base.clone()), Some(ours.clone()), Some(theirs.clone())) {
            Ok(expected) => {
                prop_assert!(merged.conflicts.is_empty());
                prop_assert_eq!(&merged.value, &expected.unwrap());
                prop_assert_eq!(&merged.value, &other_way.value);
            }
            Err(()) => prop_assert!(!merged.conflicts.is_empty()),
        }
        let taken = merge3_with(base.by_ref(), ours.by_ref(), theirs.by_ref(), |_| Resolution::Theirs);
        prop_assert_eq!(taken.unwrap().value, other_way.value);
    }

    #[test]
    fn a_side_without_changes_takes_those_of_the_other(base in tree(), edits in edits(), any in tree()) {
        for other in [version(base.clone(), &edits), any] {
            prop_assert_eq!(three(&base, &other, &base).into_value().unwrap(), other.clone());
            prop_assert_eq!(three(&base, &base, &other).into_value().unwrap(), other.clone());
            prop_assert_eq!(three(&base, &other, &other).into_value().unwrap(), other);
        }
    }

    /// RFC 7396 is one set of rules.
    #[test]
    fn a_deep_merge_that_removes_nulls_is_a_merge_patch(doc in tree(), patch in tree()) {
        let how = Merge::deep().nulls(NullMerge::Remove);
        let mut expected = doc.clone();
        expected.merge_patch(patch.by_ref()).unwrap();
        prop_assert_eq!(merged(&doc, &patch, &how), expected);
    }

    #[test]
    fn two_way_merges(a in tree(), b in tree()) {
        let deep = Merge::deep();
        prop_assert_eq!(&merged(&a, &a, &deep), &a);
        let once = merged(&a, &b, &deep);
        prop_assert_eq!(&merged(&once, &b, &deep), &once);
        let union = Merge::deep().arrays(ArrayMerge::Union);
        let once = merged(&a, &b, &union);
        prop_assert_eq!(&merged(&once, &b, &union), &once);
        if a.kind().name() != "object" || b.kind().name() != "object" {
            prop_assert_eq!(merged(&a, &b, &Merge::shallow()), b);
        }
    }
}
