//! Edits in a row, on a value as nodes and on one that stays packed where it can: both are the same after each, and
//! clones taken in between stay as they were.

use statewright_value::{Limits, Path, Result, Segment, Value, ValueRef};

use super::{assert_same, assert_sound, limits, nodes, two_lines};

/// What is put into the document.
const PUT: [&str; 8] = [
    "null",
    "7",
    r#""a text that is longer""#,
    "[]",
    "{}",
    r#"[1,[2,[3]]]"#,
    r#"{"a":{"b":1},"id":2}"#,
    r#"{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9,"k":10,"l":11,"m":12,"n":13,"o":14,"p":15,"q":16}"#,
];
const KEYS: [&str; 8] = ["a", "b", "id", "", "list", "wide", "a long new key", "0"];

/// The edits, three bytes each, up to a line end, then the document.
pub(super) fn edit(data: &[u8]) {
    let (edits, document) = two_lines(data);
    let Ok(mut packed) = Value::from_json_with(document, &limits()) else {
        return;
    };
    let mut own = nodes(packed.by_ref());
    let mut kept = Vec::new();
    for edit in edits.chunks_exact(3).take(32) {
        let &[what, place, with] = edit else {
            return;
        };
        let path = pick(own.by_ref(), place);
        if what >= 128 {
            kept.push((own.clone(), own.to_typed_json()));
            kept.push((packed.clone(), packed.to_typed_json()));
        }
        if what % 32 == 31 {
            packed = packed.pack().unwrap();
        }
        let before = own.clone();
        let one = apply(&mut own, what % 32, &path, with);
        let other = apply(&mut packed, what % 32, &path, with);
        assert_eq!(one, other, "edit {} at {path} with {with}", what % 32);
        assert!(one.is_ok() || own == before, "{before} is {own} now");
        assert_eq!(own, packed, "edit {} at {path} with {with}", what % 32);
    }
    assert_same(&own, &packed);
    for (value, text) in &kept {
        assert_eq!(&value.to_typed_json(), text);
    }
    if own.check(&limits()).is_ok() {
        assert_sound(&packed);
    }
    own.check(&Limits::unlimited()).unwrap();
}

/// A place in the document, or one next to it.
fn pick(document: ValueRef<'_>, number: u8) -> Path {
    let mut path = Path::root();
    let mut at = document;
    let mut number = usize::from(number);
    while number > 0 && !at.is_empty() {
        let len = at.len();
        let (choice, rest) = (number % (len + 1), number / (len + 1));
        let segment = match at.entries().nth(choice) {
            Some((key, _)) => Segment::from(key),
            None => Segment::from(choice),
        };
        let Some(next) = at.step(&segment) else {
            break;
        };
        path = path.with(segment);
        at = next;
        number = rest;
    }
    path
}

/// Whatever an edit says of itself, as text.
fn apply(value: &mut Value, what: u8, path: &Path, with: u8) -> Result<String> {
    let choose = |from: [&'static str; 8]| from.get(usize::from(with & 7)).copied().unwrap_or("");
    let put = || Value::from_json(choose(PUT)).unwrap();
    let key = || choose(KEYS);
    let (at, to) = (usize::from(with >> 4), usize::from(with & 15));
    let said = |said: Option<Value>| format!("{said:?}");
    match what {
        0 => value.set(path, put()).map(|()| said(None)),
        1 => value.remove(path).map(said),
        2 => value.insert_at(path, put()).map(said),
        3 => value.push_at(path, put()).map(|()| said(None)),
        4 => value.pop_at(path).map(said),
        5 => Ok(said(value.take(path))),
        6 => value.replace(path, put()).map(|old| said(Some(old))),
        7 => value.rename_at(path, key()).map(|()| said(None)),
        8 => value
            .set(&path.clone().key(key()), Value::from(at as u64))
            .map(|()| said(None)),
        9 => value
            .set(&path.clone().index(at), Value::from(at as u64))
            .map(|()| said(None)),
        what => value.edit(path, |inner| match what {
            10 => inner.insert(key(), Value::from(at as u64)).map(said),
            11 => inner.insert_entry(at, key(), Value::NULL).map(said),
            12 => inner.remove_key(key()).map(said),
            13 => inner
                .insert_item(at, Value::from(to as u64))
                .map(|()| said(None)),
            14 => inner.remove_item(at).map(said),
            15 => inner.move_item(at, to).map(|()| said(None)),
            16 => inner.swap(at, to).map(|()| said(None)),
            17 => inner.truncate_items(at).map(|()| said(None)),
            18 => inner.remove_range(at, to).map(|()| said(None)),
            19 => inner
                .retain_items(|item| item.len() % 2 == to % 2)
                .map(|kept| kept.to_string()),
            20 => inner
                .retain_entries(|key, _| key.len() % 3 != to % 3)
                .map(|kept| kept.to_string()),
            21 => inner.clear().map(|()| said(None)),
            22 => inner.rename(key(), "renamed").map(|()| said(None)),
            _ => inner.push(Value::from(at as u64)).map(|()| said(None)),
        }),
    }
}
