//! Changes to documents as documents: what is applied can be undone, what differs can be made equal, and a refusal
//! changes nothing.

use serde_json::Value as Json;
use statewright_value::{Limits, Merge, Patch, Result, Value, changes, diff, merge_diff, merge3};

use super::{assert_same, limits, nodes, two_lines};

/// Documents to be patched are small, and copies may not make them large.
fn patch_limits() -> Limits {
    limits().with_max_depth(64)
}

fn document(text: &[u8]) -> Option<Value> {
    Value::from_json_with(text, &limits()).ok()
}

/// A patch (RFC 6902), then the document.
pub(super) fn patch(data: &[u8]) {
    let (patch, text) = two_lines(data);
    let (Some(patch), Some(before)) = (document(patch), document(text)) else {
        return;
    };
    let patch = match Patch::from_value(patch.by_ref()) {
        Ok(patch) => patch,
        Err(error) => return assert_eq!(error.code(), 208, "{error}"),
    };
    assert_eq!(
        Patch::from_value(patch.to_value().by_ref()).as_ref(),
        Ok(&patch)
    );
    let limits = patch_limits();
    let mut after = before.clone();
    let applied = patch.apply_with(&mut after, &limits);
    let mut unshared = nodes(before.by_ref());
    let applied_alone = patch.apply_with(&mut unshared, &limits);
    assert_eq!(applied, applied_alone);
    assert_same(&after, &unshared);
    let undo = patch.invert_with(before.by_ref(), &limits);
    match applied {
        Ok(()) => {
            let mut undone = after.clone();
            undo.unwrap().apply(&mut undone).unwrap();
            assert_eq!(undone, before, "undone: {patch}");
            assert_diff(&before, &after);
        }
        Err(error) => {
            assert!([204, 208].contains(&error.code()), "{error}");
            assert_same(&after, &before);
            assert_eq!(undo, Err(error));
        }
    }
}

fn assert_diff(before: &Value, after: &Value) {
    let patch = diff(before.by_ref(), after.by_ref());
    let mut patched = before.clone();
    patch.apply(&mut patched).unwrap();
    assert_eq!(&patched, after, "{patch}");
    let found = changes(before.by_ref(), after.by_ref());
    assert_eq!(found.is_empty(), before == after);
    assert_eq!(patch.is_empty(), before == after);
    let mut undone = after.clone();
    let undo = patch.invert(before.by_ref()).unwrap();
    undo.apply(&mut undone).unwrap();
    assert_eq!(&undone, before, "{patch}");
}

/// A merge patch (RFC 7396), then the document, then a third one.
pub(super) fn merge(data: &[u8]) {
    let (patch, rest) = two_lines(data);
    let (text, third) = two_lines(rest);
    let (Some(patch), Some(before)) = (document(patch), document(text)) else {
        return;
    };
    let mut after = before.clone();
    after.merge_patch(patch.by_ref()).unwrap();
    let mut unshared = nodes(before.by_ref());
    unshared
        .merge_patch(nodes(patch.by_ref()).by_ref())
        .unwrap();
    assert_same(&after, &unshared);
    let model = merge_model(before.clone().into(), &patch.clone().into());
    assert_eq!(Json::from(after.clone()), model);
    let mut again = after.clone();
    again.merge_patch(patch.by_ref()).unwrap();
    assert_eq!(again, after, "twice is once");
    assert_diff(&before, &after);
    assert_diff(&before, &patch);
    for (from, to) in [(&before, &after), (&after, &before), (&before, &patch)] {
        if let Some(patch) = merge_diff(from.by_ref(), to.by_ref()) {
            let mut merged = from.clone();
            merged.merge_patch(patch.by_ref()).unwrap();
            assert_eq!(&merged, to, "{patch}");
        }
    }
    assert_merge(&before, &patch);
    if let Some(third) = document(third) {
        assert_merge3(&before, &after, &third);
        assert_merge3(&before, &patch, &third);
    }
}

/// RFC 7396 section 2, word for word.
fn merge_model(target: Json, patch: &Json) -> Json {
    let Json::Object(members) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Json::Object(object) => object,
        _ => Default::default(),
    };
    for (name, value) in members {
        match value {
            Json::Null => drop(target.shift_remove(name)),
            value => {
                let old = target.get(name).cloned().unwrap_or_default();
                target.insert(name.clone(), merge_model(old, value));
            }
        }
    }
    Json::Object(target)
}

fn assert_merge(a: &Value, b: &Value) {
    for how in [Merge::deep(), Merge::shallow()] {
        let mut merged = a.clone();
        let result = merged.merge(b.by_ref(), &how);
        let mut unshared = nodes(a.by_ref());
        assert_eq!(unshared.merge(b.by_ref(), &how), result);
        assert_same(&merged, &unshared);
        if result.is_err() {
            assert_same(&merged, a);
        }
        let mut own = a.clone();
        own.merge(a.by_ref(), &how).unwrap();
        assert_eq!(&own, a);
    }
}

fn assert_merge3(base: &Value, ours: &Value, theirs: &Value) {
    let merge = |ours: &Value, theirs: &Value| -> Result<Value> {
        merge3(base.by_ref(), ours.by_ref(), theirs.by_ref())?.into_value()
    };
    assert_eq!(merge(ours, base).as_ref(), Ok(ours));
    assert_eq!(merge(base, theirs).as_ref(), Ok(theirs));
    assert_eq!(merge(ours, ours).as_ref(), Ok(ours));
    match (merge(ours, theirs), merge(theirs, ours)) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "which side is ours is no matter"),
        (Err(one), Err(other)) => assert_eq!(one.code(), other.code()),
        (one, other) => panic!("{one:?} but {other:?} the other way round"),
    }
}
