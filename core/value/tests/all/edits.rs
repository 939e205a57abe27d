//! Edits against plain vectors, in small and large containers, with clones that must not change.

use proptest::prelude::*;
use statewright_value::{Create, Error, Path, Result, Value, value};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// An array or object this long is small, large with one branch, or large with branches of branches.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..40, 100usize..300, 800usize..1200]
}

#[derive(Clone, Debug)]
enum ItemEdit {
    Push(i64),
    Pop,
    Insert(usize, i64),
    Remove(usize),
    Move(usize, usize),
    Swap(usize, usize),
    Truncate(usize),
    RemoveRange(usize, usize),
    RetainNot(i64),
    Clear,
    Share,
}

fn item_edit() -> impl Strategy<Value = ItemEdit> {
    let at = || 0usize..1300;
    prop_oneof![
        4 => any::<i64>().prop_map(ItemEdit::Push),
        4 => Just(ItemEdit::Pop),
        6 => (at(), any::<i64>()).prop_map(|(at, item)| ItemEdit::Insert(at, item)),
        6 => at().prop_map(ItemEdit::Remove),
        2 => (at(), at()).prop_map(|(from, to)| ItemEdit::Move(from, to)),
        2 => (at(), at()).prop_map(|(a, b)| ItemEdit::Swap(a, b)),
        1 => (200usize..1300).prop_map(ItemEdit::Truncate),
        1 => (at(), at()).prop_map(|(start, end)| ItemEdit::RemoveRange(start, end)),
        1 => (0i64..5).prop_map(ItemEdit::RetainNot),
        1 => Just(ItemEdit::Clear),
        2 => Just(ItemEdit::Share),
    ]
}

/// The same edit of a vector; its error code where it must fail.
fn edit_items(model: &mut Vec<i64>, edit: &ItemEdit) -> Result<(), i32> {
    let inside = |at: usize| if at < model.len() { Ok(()) } else { Err(206) };
    match *edit {
        ItemEdit::Push(item) => model.push(item),
        ItemEdit::Pop => drop(model.pop()),
        ItemEdit::Insert(at, item) => {
            if at > model.len() {
                return Err(206);
            }
            model.insert(at, item);
        }
        ItemEdit::Remove(at) => {
            if at < model.len() {
                model.remove(at);
            }
        }
        ItemEdit::Move(from, to) => {
            inside(from).and(inside(to))?;
            let item = model.remove(from);
            model.insert(to, item);
        }
        ItemEdit::Swap(a, b) => {
            inside(a).and(inside(b))?;
            model.swap(a, b);
        }
        ItemEdit::Truncate(len) => model.truncate(len),
        ItemEdit::RemoveRange(start, end) => {
            let end = end.min(model.len());
            if start < end {
                model.drain(start..end);
            }
        }
        ItemEdit::RetainNot(rest) => model.retain(|item| item % 5 != rest),
        ItemEdit::Clear => model.clear(),
        ItemEdit::Share => {}
    }
    Ok(())
}

fn edit_array(array: &mut Value, edit: &ItemEdit) -> Result<()> {
    match *edit {
        ItemEdit::Push(item) => array.push(item.into()),
        ItemEdit::Pop => array.pop().map(drop),
        ItemEdit::Insert(at, item) => array.insert_item(at, item.into()),
        ItemEdit::Remove(at) => array.remove_item(at).map(drop),
        ItemEdit::Move(from, to) => array.move_item(from, to),
        ItemEdit::Swap(a, b) => array.swap(a, b),
        ItemEdit::Truncate(len) => array.truncate_items(len),
        ItemEdit::RemoveRange(start, end) => array.remove_range(start, end),
        ItemEdit::RetainNot(rest) => array
            .retain_items(|item| item.as_i64().unwrap() % 5 != rest)
            .map(drop),
        ItemEdit::Clear => array.clear(),
        ItemEdit::Share => Ok(()),
    }
}

fn assert_items(array: &Value, model: &[i64]) {
    assert_eq!(array.len(), model.len());
    let ints = || array.by_ref().items().map(|item| item.as_i64().unwrap());
    assert!(ints().eq(model.iter().copied()));
    assert!(ints().rev().eq(model.iter().rev().copied()));
    for (at, item) in model.iter().enumerate() {
        assert_eq!(array.index(at), Some(Value::from(*item)));
    }
    assert_eq!(array.index(model.len()), None);
    assert_eq!(
        array,
        &model.iter().map(|item| Value::from(*item)).collect()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn an_array_is_edited_as_a_vector(
        len in size(),
        edits in prop::collection::vec(item_edit(), 0..80),
        packed in any::<bool>(),
        inner in any::<bool>(),
    ) {
        let mut model: Vec<i64> = (0..len as i64).collect();
        let built: Value = model.iter().copied().map(Value::from).collect();
        let mut doc = match packed {
            true => Value::from_json(value!({ "a": built }).to_json()).unwrap(),
            false => value!({ "a": built }),
        };
        let a = path(".a");
        let mut kept = Vec::new();
        for edit in &edits {
            let expected = edit_items(&mut model, edit);
            let before = doc.clone();
            let done = match (edit, inner) {
                (ItemEdit::Push(item), true) => doc.push_at(&a, Value::from(*item)),
                (ItemEdit::Pop, true) => doc.pop_at(&a).map(drop),
                (ItemEdit::Insert(at, item), true) => {
                    doc.insert_at(&a.clone().index(*at), Value::from(*item)).map(drop)
                }
                (ItemEdit::Remove(at), true) => doc.remove(&a.clone().index(*at)).map(drop),
                _ => doc.edit(&a, |array| edit_array(array, edit)),
            };
            prop_assert_eq!(done.as_ref().map_err(Error::code).copied(), expected);
            match done {
                Ok(()) => {}
                Err(Error::IndexOutOfRange { path, .. }) if inner => {
                    prop_assert!(path == a || path.is_root());
                    prop_assert_eq!(&doc, &before);
                }
                Err(_) => prop_assert_eq!(&doc, &before),
            }
            if matches!(edit, ItemEdit::Share) {
                kept.push((doc.clone(), model.clone()));
            }
        }
        kept.push((doc, model));
        for (doc, model) in &kept {
            assert_items(&doc.get("a").unwrap(), model);
        }
    }
}

#[derive(Clone, Debug)]
enum EntryEdit {
    Insert(u16, i64),
    InsertEntry(usize, u16),
    Remove(u16),
    Rename(u16, u16),
    Set(u16, i64),
    RetainNot(i64),
    Share,
}

fn entry_edit() -> impl Strategy<Value = EntryEdit> {
    let key = || 0u16..1500;
    prop_oneof![
        4 => (key(), any::<i64>()).prop_map(|(key, value)| EntryEdit::Insert(key, value)),
        4 => (0usize..1300, key()).prop_map(|(at, key)| EntryEdit::InsertEntry(at, key)),
        6 => key().prop_map(EntryEdit::Remove),
        2 => (key(), key()).prop_map(|(from, to)| EntryEdit::Rename(from, to)),
        2 => (key(), any::<i64>()).prop_map(|(key, value)| EntryEdit::Set(key, value)),
        1 => (0i64..5).prop_map(EntryEdit::RetainNot),
        2 => Just(EntryEdit::Share),
    ]
}

fn name(key: u16) -> String {
    format!("k{key}")
}

type Model = Vec<(String, i64)>;

fn edit_model(model: &mut Model, edit: &EntryEdit) -> Result<(), i32> {
    let find = |model: &Model, key: u16| model.iter().position(|(found, _)| *found == name(key));
    match *edit {
        EntryEdit::Insert(key, value) | EntryEdit::Set(key, value) => match find(model, key) {
            Some(at) => model[at].1 = value,
            None => model.push((name(key), value)),
        },
        EntryEdit::InsertEntry(at, key) => {
            if let Some(at) = find(model, key) {
                model.remove(at);
            }
            model.insert(at.min(model.len()), (name(key), 1));
        }
        EntryEdit::Remove(key) => {
            if let Some(at) = find(model, key) {
                model.remove(at);
            }
        }
        EntryEdit::Rename(from, to) => {
            let at = find(model, from).ok_or(203)?;
            if from != to {
                if find(model, to).is_some() {
                    return Err(203);
                }
                model[at].0 = name(to);
            }
        }
        EntryEdit::RetainNot(rest) => model.retain(|(_, value)| value % 5 != rest),
        EntryEdit::Share => {}
    }
    Ok(())
}

fn edit_object(object: &mut Value, edit: &EntryEdit) -> Result<()> {
    match *edit {
        EntryEdit::Insert(key, value) => object.insert(name(key), value.into()).map(drop),
        EntryEdit::Set(key, value) => object.set(&Path::root().key(&name(key)), value.into()),
        EntryEdit::InsertEntry(at, key) => object.insert_entry(at, name(key), value!(1)).map(drop),
        EntryEdit::Remove(key) => object.remove_key(&name(key)).map(drop),
        EntryEdit::Rename(from, to) => object.rename(&name(from), name(to)),
        EntryEdit::RetainNot(rest) => object
            .retain_entries(|_, value| value.as_i64().unwrap() % 5 != rest)
            .map(drop),
        EntryEdit::Share => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn an_object_is_edited_as_a_vector_of_entries(
        len in size(),
        edits in prop::collection::vec(entry_edit(), 0..80),
        packed in any::<bool>(),
    ) {
        let mut model: Model = (0..len as u16).map(|key| (name(key), key.into())).collect();
        let mut object: Value = model.iter().cloned().collect();
        if packed {
            object = Value::from_json(object.to_json()).unwrap();
        }
        let mut kept = Vec::new();
        for edit in &edits {
            let before = object.clone();
            let done = edit_object(&mut object, edit).map_err(|error| error.code());
            prop_assert_eq!(done, edit_model(&mut model, edit));
            if done.is_err() {
                prop_assert_eq!(&object, &before);
            }
            if matches!(edit, EntryEdit::Share) {
                kept.push((object.clone(), model.clone()));
            }
        }
        kept.push((object, model));
        for (object, model) in &kept {
            let entries: Vec<_> = object.by_ref().entries().collect();
            prop_assert_eq!(entries.len(), model.len());
            for ((key, value), (name, expected)) in entries.into_iter().zip(model) {
                prop_assert_eq!(key, name);
                prop_assert_eq!(value.as_i64(), Some(*expected));
                prop_assert_eq!(object.get(name).and_then(|value| value.as_i64()), Some(*expected));
            }
            let reversed: Value = model.iter().rev().cloned().collect();
            prop_assert_eq!(object, &reversed);
        }
    }
}

#[test]
fn what_is_created_is_said() {
    let doc = value!({ "a": { "b": 1 }, "l": [1] });
    let run = |at: &str, create| {
        let mut doc = doc.clone();
        let old = doc.set_with(&path(at), value!(9), create);
        match old {
            Ok(old) => format!("{doc} {}", old.unwrap_or_default()),
            Err(error) => {
                assert_eq!(doc, value!({ "a": { "b": 1 }, "l": [1] }));
                error.to_string()
            }
        }
    };
    let cases = [
        (".a.b", Create::Nothing, r#"{"a":{"b":9},"l":[1]} 1"#),
        (
            ".a.c",
            Create::Nothing,
            "expected a value at `.a.c`, found nothing",
        ),
        (
            ".a.c.d",
            Create::Nothing,
            "expected object at `.a.c`, found nothing",
        ),
        (".a.c", Create::Last, r#"{"a":{"b":1,"c":9},"l":[1]} null"#),
        (
            ".a.c.d",
            Create::Last,
            "expected object at `.a.c`, found nothing",
        ),
        (
            ".a.c.d",
            Create::Parents,
            r#"{"a":{"b":1,"c":{"d":9}},"l":[1]} null"#,
        ),
        (
            ".a.c.d[0]",
            Create::Parents,
            "expected array at `.a.c.d`, found nothing",
        ),
        (".l[1]", Create::Last, r#"{"a":{"b":1},"l":[1,9]} null"#),
        (
            ".l[1].x",
            Create::Last,
            "expected object at `.l[1]`, found nothing",
        ),
        (
            ".l[1].x",
            Create::Parents,
            r#"{"a":{"b":1},"l":[1,{"x":9}]} null"#,
        ),
        (
            ".a.b.c",
            Create::Parents,
            "expected object at `.a.b`, found integer",
        ),
        (".", Create::Nothing, r#"9 {"a":{"b":1},"l":[1]}"#),
    ];
    for (at, create, expected) in cases {
        assert_eq!(run(at, create), expected, "{at} {create:?}");
    }
    assert!(run(".l[1]", Create::Nothing).contains("index 1 is out of range at `.l`"));
    assert!(run(".l[3]", Create::Parents).contains("index 3 is out of range at `.l`"));
}

#[test]
fn errors_say_where_in_the_whole() {
    let mut doc = value!({ "a": { "t": "text", "l": [1] } });
    let before = doc.clone();
    let cases = [
        (
            doc.push_at(&path(".a.t"), value!(1)),
            "expected array at `.a.t`, found text",
        ),
        (
            doc.push_at(&path(".a.x"), value!(1)),
            "expected array at `.a.x`, found nothing",
        ),
        (
            doc.pop_at(&path(".a")).map(drop),
            "expected array at `.a`, found object",
        ),
        (
            doc.insert_at(&path(".a.l[3]"), value!(1)).map(drop),
            "index 3 is out of range at `.a.l`",
        ),
        (
            doc.rename_at(&path(".a.l"), "t"),
            "expected nothing at `.a.t`, found text",
        ),
        (
            doc.rename_at(&path(".a.y"), "t"),
            "expected a value at `.a.y`, found nothing",
        ),
        (doc.rename_at(&path(".a.l[0]"), "t"), "must end in one"),
        (
            doc.edit(&path(".a.l"), |list| list.insert("x", value!(1)).map(drop)),
            "expected object at `.`, found array",
        ),
        (
            doc.update(&path(".a.t.u"), |_| Ok(value!(1))),
            "expected object at `.a.t`, found text",
        ),
        (
            doc.update(&path(".a"), |_| {
                let mut null = Value::NULL;
                null.push(value!(1)).map(|()| null)
            }),
            "expected array at `.`, found null",
        ),
    ];
    for (result, expected) in cases {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message} / {expected}");
    }
    assert_eq!(doc, before);
}

#[test]
fn many_places_or_none() {
    let mut doc = value!({ "a": 1, "l": [1] });
    let before = doc.clone();
    let edit = |at: &str, value: Value| (path(at), value);
    let edits = [
        edit(".n.m", value!(1)),
        edit(".n.m", value!(2)),
        edit(".l[1]", value!(3)),
        edit(".l", value!("list")),
        edit(".a", value!([])),
        edit(".a[0]", value!(7)),
    ];
    let mut failing = edits.to_vec();
    failing.push(edit(".l[0]", value!(1)));
    assert_eq!(
        doc.set_many(failing, Create::Parents).unwrap_err().code(),
        203
    );
    assert_eq!(doc.to_json(), before.to_json());
    doc.set_many(edits, Create::Parents).unwrap();
    assert_eq!(doc.to_json(), r#"{"a":[7],"l":"list","n":{"m":2}}"#);
}

#[test]
fn edits_keep_to_the_depth() {
    let nested = |depth: usize| (0..depth).fold(value!(1), |inner, _| value!([inner]));
    let mut doc = value!({ "a": [] });
    let a = path(".a");
    assert_eq!(doc.push_at(&a, nested(1023)).unwrap_err().code(), 204);
    assert_eq!(
        doc.insert_at(&a.clone().index(0), nested(1023))
            .unwrap_err()
            .code(),
        204
    );
    assert_eq!(doc.check_set(&a, &nested(1024)).unwrap_err().code(), 204);
    assert_eq!(doc.set(&a, nested(1024)).unwrap_err().code(), 204);
    let edit = doc.edit(&a, |list| list.push(nested(1023)));
    assert_eq!(edit.unwrap_err().code(), 204);
    doc.push_at(&a, nested(1022)).unwrap();
    let mut outer = value!([]);
    assert_eq!(outer.push(doc.clone()).unwrap_err().code(), 204);
    doc.pop_at(&a).unwrap();
    // The bound is stale now, and counted again.
    outer.push(doc).unwrap();
}
