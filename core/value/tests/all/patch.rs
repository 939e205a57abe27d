//! JSON Patch and JSON Merge Patch: the public suites, the RFCs' rules, a plain model, and hostile patches.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value as Json;
use statewright_value::{Error, Limits, MAX_DEPTH, Patch, Path, Value, merge_diff, value};

/// The cases of a suite, or none (a visible skip, a failure in CI) where the data is not laid out.
fn cases(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance")
        .join(file);
    if !path.exists() {
        let at = path.display();
        assert!(std::env::var("CI").is_err(), "no conformance data at {at}");
        eprintln!("skipped: no conformance data at {at}");
        return Vec::new();
    }
    let cases = Value::from_json(fs::read(path).unwrap()).unwrap();
    cases.items().collect()
}

fn apply(doc: &Value, patch: &Value) -> Result<Value, Error> {
    let mut doc = doc.clone();
    let patch = Patch::from_value(patch.by_ref())?;
    assert_eq!(Patch::from_value(patch.to_value().by_ref()).unwrap(), patch);
    patch.apply(&mut doc)?;
    Ok(doc)
}

#[test]
fn json_patch_suites() {
    for (file, run) in [("tests.json", 92), ("spec_tests.json", 16)] {
        let mut done = 0;
        for case in cases(&format!("json-patch/{file}")) {
            if case.get("disabled") == Some(Value::from(true)) {
                continue;
            }
            done += 1;
            let (doc, patch) = (case.get("doc").unwrap(), case.get("patch").unwrap());
            let before = doc.clone();
            match (apply(&doc, &patch), case.get("expected")) {
                (Ok(after), Some(expected)) => assert_eq!(after, expected, "{case}"),
                (Ok(_), None) => assert_eq!(case.get("error"), None, "{case}"),
                (Err(why), _) => {
                    assert!(case.get("error").is_some(), "{case}: {why}");
                    assert_eq!(why.code(), 208, "{case}: {why}");
                    assert_eq!(doc, before);
                }
            }
        }
        assert!(done == run || done == 0, "{file}: {done}");
    }
}

#[test]
fn json_merge_patch_suite() {
    let mut done = 0;
    for case in cases("json-merge-patch/rfc7396.json") {
        let mut doc = case.get("doc").unwrap();
        let patch = case.get("patch").unwrap();
        doc.merge_patch(patch.by_ref()).unwrap();
        assert_eq!(Some(doc), case.get("expected"), "{case}");
        done += 1;
    }
    assert!(done == 17 || done == 0, "{done}");
}

/// Each patch fails, and the error says which operation, where, and why.
#[test]
fn what_is_refused() {
    let doc = value!({ "a": [1, 2], "t": "x", "n": null });
    for (patch, message) in [
        (
            r#"{"op": "add"}"#,
            "patch operation 0 at ``: a patch is an array of operations, found object",
        ),
        (
            r#"[1]"#,
            "patch operation 0 at `/0`: an operation is an object, found integer",
        ),
        (
            r#"[{"path": ""}]"#,
            "patch operation 0 at `/0`: the member \"op\" is missing",
        ),
        (
            r#"[{"op": 1, "path": ""}]"#,
            "patch operation 0 at `/0/op`: expected text, found integer",
        ),
        (
            r#"[{"op": "spam", "path": ""}]"#,
            "unknown operation \"spam\"",
        ),
        (
            r#"[{"op": "add", "value": 1}]"#,
            "`/0`: the member \"path\" is missing",
        ),
        (
            r#"[{"op": "add", "path": "/a"}]"#,
            "`/0`: the member \"value\" is missing",
        ),
        (
            r#"[{"op": "copy", "path": "/a"}]"#,
            "`/0`: the member \"from\" is missing",
        ),
        (
            r#"[{"op": "move", "path": "/a", "from": null}]"#,
            "`/0/from`: expected text, found null",
        ),
        (r#"[{"op": "remove", "path": "a"}]"#, "`/0/path`: "),
        (r#"[{"op": "remove", "path": "/a~2"}]"#, "`/0/path`: "),
        (r##"[{"op": "remove", "path": "#/a"}]"##, "plain form"),
        (
            r#"[{"op": "remove", "path": "/t"}, {"op": "remove", "path": "/t"}]"#,
            "patch operation 1 at `/t`: remove: the object at `.` has no key \"t\"",
        ),
        (
            r#"[{"op": "remove", "path": ""}]"#,
            "the whole document cannot be removed",
        ),
        (
            r#"[{"op": "add", "path": "/x/y", "value": 1}]"#,
            "add: the object at `.` has no key \"x\"",
        ),
        (
            r#"[{"op": "add", "path": "/a/3", "value": 1}]"#,
            "index 3 is out of range at `.a`: the array has 2 items",
        ),
        (
            r#"[{"op": "add", "path": "/a/01", "value": 1}]"#,
            "an index of the array at `.a` is written in digits without leading zeros, not \"01\"",
        ),
        (
            r#"[{"op": "add", "path": "/a/+1", "value": 1}]"#,
            "not \"+1\"",
        ),
        (
            r#"[{"op": "add", "path": "/a/x", "value": 1}]"#,
            "not \"x\"",
        ),
        (
            r#"[{"op": "add", "path": "/a/99999999999999999999", "value": 1}]"#,
            "not \"99999999999999999999\"",
        ),
        (
            r#"[{"op": "replace", "path": "/a/-", "value": 1}]"#,
            "replace: `-` is the place after the last item of the array at `.a`",
        ),
        (
            r#"[{"op": "remove", "path": "/a/2"}]"#,
            "remove: index 2 is out of range",
        ),
        (
            r#"[{"op": "add", "path": "/t/0", "value": 1}]"#,
            "expected object or array at `.t`, found text",
        ),
        (
            r#"[{"op": "add", "path": "/n/0", "value": 1}]"#,
            "expected object or array at `.n`, found null",
        ),
        (
            r#"[{"op": "move", "path": "/a/0", "from": "/a"}]"#,
            "a value cannot be moved into itself",
        ),
        (
            r#"[{"op": "move", "path": "/b", "from": "/b"}]"#,
            "move: the object at `.` has no key \"b\"",
        ),
        (
            r#"[{"op": "test", "path": "/t", "value": "y"}]"#,
            "test: found \"x\"",
        ),
        (
            r#"[{"op": "test", "path": "/a", "value": [1]}]"#,
            "test: found another array",
        ),
        (
            r#"[{"op": "test", "path": "/a", "value": "y"}]"#,
            "test: expected text, found array",
        ),
    ] {
        let patch = Value::from_json(patch).unwrap();
        let why = apply(&doc, &patch).unwrap_err();
        assert_eq!(why.code(), 208);
        assert!(
            why.to_string().contains(message),
            "{patch}\n is: {why}\nnot: {message}"
        );
    }
}

/// RFC 6902 §4.6: numbers are equal if their values are.
#[test]
fn a_test_compares_numbers_by_value() {
    let doc = value!({ "i": 1, "f": 2.0, "z": (-0.0), "big": 9_007_199_254_740_993_u64, "a": [1, { "x": 1 }] });
    for (path, value, equal) in [
        ("/i", value!(1.0), true),
        ("/f", value!(2), true),
        ("/z", value!(0), true),
        ("/big", value!(9_007_199_254_740_992.0), false),
        ("/a", value!([1.0, { "x": 1.0 }]), true),
        ("/a", value!([1.0, { "x": 1.5 }]), false),
        ("/i", value!("1"), false),
        ("/i", value!(true), false),
    ] {
        let test = value!([{ "op": "test", "path": path, "value": (value.clone()) }]);
        assert_eq!(apply(&doc, &test).is_ok(), equal, "{path} {value}");
    }
}

/// A document that holds itself twice as often after each step is refused while it is still small.
#[test]
fn a_patch_cannot_double_a_document_for_ever() {
    let doubling = |seed: Value| {
        let mut doc = value!([seed]);
        let ops = (0..64).map(|_| value!({ "op": "copy", "from": "", "path": "/-" }));
        let patch: Value = ops.collect();
        let before = doc.clone();
        let limits = Limits::default()
            .with_max_depth(MAX_DEPTH)
            .with_max_items(100_000);
        let patch = Patch::from_value(patch.by_ref()).unwrap();
        let why = patch.apply_with(&mut doc, &limits).unwrap_err();
        assert_eq!(doc, before);
        why
    };
    let many = doubling(value!(0));
    assert!(
        many.to_string()
            .starts_with("number of values added by copying"),
        "{many}"
    );
    let long = doubling(Value::from("x".repeat(1 << 20)));
    assert!(
        long.to_string()
            .starts_with("bytes of text added by copying"),
        "{long}"
    );
    let key: Value = [("k".repeat(1 << 20), 1)].into_iter().collect();
    let keys = doubling(key);
    assert!(
        keys.to_string()
            .starts_with("bytes of text added by copying"),
        "{keys}"
    );

    let mut doc = value!({ "a": [1] });
    let ops = (0..64).map(|_| value!({ "op": "copy", "from": "/a", "path": "/a/0" }));
    let patch = Patch::from_value(ops.collect::<Value>().by_ref()).unwrap();
    let why = patch.apply(&mut doc).unwrap_err();
    assert_eq!(why.code(), 204, "{why}");
}

#[test]
fn a_patch_cannot_nest_deeper_than_the_limit() {
    let limits = Limits::default().with_max_depth(3);
    for (patch, fits) in [
        (value!([{ "op": "add", "path": "/a", "value": [[]] }]), true),
        (
            value!([{ "op": "add", "path": "/a", "value": [[[]]] }]),
            false,
        ),
        (
            value!([{ "op": "replace", "path": "/o", "value": [[]] }]),
            true,
        ),
        (
            value!([{ "op": "replace", "path": "/o", "value": [[[]]] }]),
            false,
        ),
        (
            value!([{ "op": "copy", "from": "/p", "path": "/o/x" }]),
            true,
        ),
        (
            value!([{ "op": "copy", "from": "", "path": "/o/x/y" }]),
            false,
        ),
        (
            value!([{ "op": "move", "from": "/p", "path": "/o/p" }]),
            true,
        ),
        (
            value!([{ "op": "move", "from": "/p", "path": "/o/x/p" }]),
            false,
        ),
    ] {
        let mut doc = value!({ "o": { "x": {} }, "p": {} });
        let before = doc.clone();
        let result = Patch::from_value(patch.by_ref())
            .unwrap()
            .apply_with(&mut doc, &limits);
        match result {
            Ok(()) => assert!(fits, "{patch}"),
            Err(why) => {
                assert!(!fits && why.code() == 204, "{patch}: {why}");
                assert_eq!(doc, before);
            }
        }
    }
}

/// What has been deep and is not any more does not count.
#[test]
fn a_stale_depth_is_counted_again() {
    let limits = Limits::default().with_max_depth(4);
    let mut doc = value!({ "a": { "deep": [[1]] }, "b": {} });
    doc.remove(&Path::parse(".a.deep").unwrap()).unwrap();
    let patch = value!([{ "op": "move", "from": "/a", "path": "/b/c" }]);
    let patch = Patch::from_value(patch.by_ref()).unwrap();
    patch.apply_with(&mut doc, &limits).unwrap();
    assert_eq!(doc, value!({ "b": { "c": {} } }));
}

#[test]
fn the_parts_of_a_document_that_a_patch_leaves_alone_stay_shared() {
    let mut doc = value!({ "a": { "x": [1] }, "b": { "y": [2] } });
    let before = doc.clone();
    let patch = Patch::from_json(r#"[{"op": "add", "path": "/a/x/0", "value": 0}]"#).unwrap();
    patch.apply(&mut doc).unwrap();
    let (b, was) = (doc.get("b").unwrap(), before.get("b").unwrap());
    assert!(b.by_ref().same(was.by_ref()));
    assert_eq!(before, value!({ "a": { "x": [1] }, "b": { "y": [2] } }));
}

#[test]
fn inverses() {
    let doc = value!({ "a": [{ "x": 1 }, 2], "b": { "c": { "d": 1 } } });
    for patch in [
        value!([{ "op": "add", "path": "/a/-", "value": 3 }]),
        value!([{ "op": "add", "path": "/b", "value": 3 }]),
        value!([{ "op": "add", "path": "", "value": 3 }]),
        value!([{ "op": "remove", "path": "/a/0" }, { "op": "remove", "path": "/a/0" }]),
        value!([{ "op": "move", "from": "/a/0", "path": "/a/-" }]),
        value!([{ "op": "move", "from": "/a/0", "path": "/b" }]),
        value!([{ "op": "move", "from": "/b/c/d", "path": "/b" }]),
        value!([{ "op": "move", "from": "/b/c", "path": "" }]),
        value!([{ "op": "move", "from": "/a/0/x", "path": "/a/0" }]),
        value!([{ "op": "move", "from": "/a/0", "path": "/a/0" }]),
        value!([{ "op": "move", "from": "/a/0", "path": "/a/0" }, { "op": "copy", "from": "/a", "path": "/b/c" }]),
    ] {
        let patch = Patch::from_value(patch.by_ref()).unwrap();
        let undo = patch.invert(doc.by_ref()).unwrap();
        let mut there = doc.clone();
        patch.apply(&mut there).unwrap();
        undo.apply(&mut there).unwrap();
        assert_eq!(there, doc, "{patch} is not undone by {undo}");
        let redo = undo.invert(
            {
                let mut there = doc.clone();
                patch.apply(&mut there).unwrap();
                there
            }
            .by_ref(),
        );
        assert!(redo.is_ok());
    }
}

// A model in plain `serde_json`, as the RFC says it.

fn parent<'a>(doc: &'a mut Json, pointer: &str) -> Option<(&'a mut Json, String)> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    doc.pointer_mut(parent).map(|parent| (parent, last))
}

fn model_add(doc: &mut Json, pointer: &str, value: Json) -> Option<()> {
    if pointer.is_empty() {
        *doc = value;
        return Some(());
    }
    match parent(doc, pointer)? {
        (Json::Object(object), key) => {
            object.insert(key, value);
        }
        (Json::Array(array), key) if key == "-" => array.push(value),
        (Json::Array(array), key) => {
            let at: usize = key.parse().ok()?;
            (at <= array.len()).then(|| array.insert(at, value))?;
        }
        _ => return None,
    }
    Some(())
}

fn model_remove(doc: &mut Json, pointer: &str) -> Option<Json> {
    match parent(doc, pointer)? {
        (Json::Object(object), key) => object.remove(&key),
        (Json::Array(array), key) => {
            let at: usize = key.parse().ok()?;
            (at < array.len()).then(|| array.remove(at))
        }
        _ => None,
    }
}

fn model_step(doc: &mut Json, op: &Json) -> Option<()> {
    let path = op["path"].as_str()?;
    match op["op"].as_str()? {
        "add" => model_add(doc, path, op["value"].clone()),
        "remove" => model_remove(doc, path).map(drop),
        "replace" => doc
            .pointer_mut(path)
            .map(|place| *place = op["value"].clone()),
        "test" => (doc.pointer(path)? == &op["value"]).then_some(()),
        "copy" => {
            let value = doc.pointer(op["from"].as_str()?)?.clone();
            model_add(doc, path, value)
        }
        _ => {
            let from = op["from"].as_str()?;
            if path.starts_with(&format!("{from}/")) {
                return None;
            }
            if path == from {
                return doc.pointer(path).map(drop);
            }
            let value = model_remove(doc, from)?;
            model_add(doc, path, value)
        }
    }
}

fn json(depth: u32) -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-2i64..3).prop_map(Json::from),
        "[ab]{0,2}".prop_map(Json::from),
    ];
    leaf.prop_recursive(depth, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec(("[a-d/~]", inner), 0..5)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![4 => "[a-d]", 4 => "[0-4]", 1 => Just("-".to_owned()), 1 => "~[01]"];
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn op() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        3 => Just("add"), 2 => Just("remove"), 2 => Just("replace"),
        2 => Just("move"), 2 => Just("copy"), 1 => Just("test")
    ];
    (name, pointer(), pointer(), json(2)).prop_map(|(op, path, from, value)| {
        serde_json::json!({ "op": op, "path": path, "from": from, "value": value })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Operation by operation what the model does; a patch of those that succeed does the same at once, and
    /// its inverse undoes it.
    #[test]
    fn random_operations_agree_with_the_model(doc in json(4), ops in prop::collection::vec(op(), 1..12)) {
        let mut model = doc.clone();
        let mut value = Value::from(&doc);
        let mut good = Vec::new();
        for op in &ops {
            let mut next = model.clone();
            let expected = model_step(&mut next, op).is_some();
            let patch = Patch::from_value(Value::from(vec![Value::from(op)]).by_ref()).unwrap();
            let before = value.clone();
            let result = patch.apply(&mut value);
            prop_assert_eq!(result.is_ok(), expected, "{} on {}: {:?}", op, model, result);
            if expected {
                good.push(Value::from(op));
                model = next;
            } else {
                prop_assert_eq!(&before, &value);
            }
            prop_assert_eq!(&value, &Value::from(&model), "{}", op);
        }
        let before = Value::from(&doc);
        let patch = Patch::from_value(Value::from(good).by_ref()).unwrap();
        let mut all = before.clone();
        patch.apply(&mut all).unwrap();
        prop_assert_eq!(&all, &value);
        let undo = patch.invert(before.by_ref()).unwrap();
        undo.apply(&mut all).unwrap();
        prop_assert_eq!(&all, &before, "{} undoes {}", undo, patch);
    }

    /// Where there is a merge patch between two documents, it leads from one to the other; there is none only
    /// where the second has a null as a member.
    #[test]
    fn a_merge_patch_leads_to_the_second_document(a in json(4), b in json(4)) {
        let (a, b) = (Value::from(&a), Value::from(&b));
        match merge_diff(a.by_ref(), b.by_ref()) {
            Some(patch) => {
                let mut doc = a.clone();
                doc.merge_patch(patch.by_ref()).unwrap();
                prop_assert_eq!(&doc, &b, "{}", patch);
            }
            None => prop_assert!(b.to_json().contains(":null")),
        }
    }

    /// `merge_patch` is the pseudo-code of RFC 7396 §2.
    #[test]
    fn merge_patches_agree_with_the_model(doc in json(4), patch in json(4)) {
        fn model(target: Json, patch: &Json) -> Json {
            let Json::Object(patch) = patch else { return patch.clone() };
            let mut target = match target { Json::Object(target) => target, _ => Default::default() };
            for (key, value) in patch {
                match value {
                    Json::Null => { target.remove(key); }
                    value => {
                        let old = target.remove(key).unwrap_or_default();
                        target.insert(key.clone(), model(old, value));
                    }
                }
            }
            Json::Object(target)
        }
        let mut value = Value::from(&doc);
        value.merge_patch(Value::from(&patch).by_ref()).unwrap();
        prop_assert_eq!(value, Value::from(&model(doc, &patch)));
    }
}

#[test]
fn merge_patches_of_any_depth_need_no_stack() {
    let nested = |depth: usize| {
        (0..depth).fold(value!(1), |inner, _| {
            [("k", inner)].into_iter().collect::<Value>()
        })
    };
    let test = move || {
        let (deep, too_deep) = (nested(MAX_DEPTH), nested(MAX_DEPTH + 1));
        let mut doc = Value::object();
        doc.merge_patch(deep.by_ref()).unwrap();
        assert_eq!(doc, deep);
        assert_eq!(doc.merge_patch(too_deep.by_ref()).unwrap_err().code(), 204);
        assert_eq!(doc, deep);
        let patch = merge_diff(value!({ "k": 2 }).by_ref(), nested(100_000).by_ref());
        assert!(patch.is_some());
    };
    let thread = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(test);
    thread.unwrap().join().unwrap();
}

#[test]
fn hints_and_messages_are_about_what_went_wrong() {
    let unreadable = Patch::from_json(r#"[{"op":"delete","path":"/a"}]"#).unwrap_err();
    assert!(
        unreadable.hint().contains("RFC 6902"),
        "{}",
        unreadable.hint()
    );
    assert_eq!(unreadable.path(), None);
    for (patch, path) in [
        (r#"[{"op":"replace","path":"/l/2","value":1}]"#, ".l[2]"),
        (r#"[{"op":"test","path":"/l/0/a","value":1}]"#, ".l[0].a"),
        (r#"[{"op":"remove","path":"/x/0"}]"#, ".x.\"0\""),
    ] {
        let mut doc = value!({ "l": [{ "a": 2 }, 3] });
        let error = Patch::from_json(patch)
            .unwrap()
            .apply(&mut doc)
            .unwrap_err();
        assert_eq!(error.path().map(ToString::to_string).as_deref(), Some(path));
        assert!(error.hint().contains("document may have changed"));
        assert!(!error.to_string().contains("can be set"), "{error}");
    }
    let said = value!([1, 2, 3]).swap(0, 3).unwrap_err().to_string();
    assert_eq!(
        said,
        "index 3 is out of range at `.`: the array has 3 items"
    );
}
