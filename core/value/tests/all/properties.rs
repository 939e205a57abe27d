//! Properties that hold for every value, checked on random ones, mostly against naive models.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;
use serde_json::Value as Json;
use statewright_value::{Error, Limits, Path, Segment, Value};

/// Few different keys, so that they meet; some of them odd.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-e]", 2 => "[a-z]{1,8}", 1 => any::<String>(), 1 => Just("odd \"key\\".to_owned())]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        (-3i64..3).prop_map(|int| Value::try_from(int as f64).unwrap()),
        any::<f64>().prop_filter_map("finite", Value::from_f64),
        any::<String>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
        "[a-z]{15,30}".prop_map(Value::from),
    ]
}

fn tree(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(5, 120, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner.clone()), 0..6).prop_map(Value::from_iter),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..60).prop_map(Value::from_iter),
        ]
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    tree(scalar())
}

fn any_value() -> impl Strategy<Value = Value> {
    tree(
        prop_oneof![9 => scalar(), 1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::bytes)],
    )
}

fn path() -> impl Strategy<Value = Path> {
    let segment = prop_oneof![
        3 => key().prop_map(|key| Segment::Key(key.into())),
        2 => (0usize..5).prop_map(Segment::Index),
        1 => any::<usize>().prop_map(Segment::Index),
    ];
    prop::collection::vec(segment, 0..6).prop_map(Path::from_iter)
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The same value with the entries of every object in another order.
fn shuffled(value: &Value) -> Value {
    let entries: Vec<_> = value
        .entries()
        .map(|(key, value)| (key.to_owned(), shuffled(&value)))
        .collect();
    match value.kind().name() {
        "object" => entries.into_iter().rev().collect(),
        "array" => value.items().map(|item| shuffled(&item)).collect(),
        _ => value.clone(),
    }
}

fn naive_find<'a>(json: &'a mut Json, segments: &[Segment]) -> Option<&'a mut Json> {
    segments
        .iter()
        .try_fold(json, |json, segment| match segment {
            Segment::Key(key) => json.as_object_mut()?.get_mut(&**key),
            Segment::Index(at) => json.as_array_mut()?.get_mut(*at),
        })
}

/// The rules of `Value::set`, said again in the simplest way: on a copy, step by step.
fn naive_set(json: &mut Json, segments: &[Segment], value: Json) -> Result<(), i32> {
    let Some((first, rest)) = segments.split_first() else {
        *json = value;
        return Ok(());
    };
    match first {
        Segment::Key(key) => {
            let object = json.as_object_mut().ok_or(203)?;
            let fresh = if matches!(rest, [Segment::Key(_), ..]) {
                Json::Object(Default::default())
            } else {
                Json::Null
            };
            naive_set(object.entry(&**key).or_insert(fresh), rest, value)
        }
        Segment::Index(at) => {
            let array = json.as_array_mut().ok_or(203)?;
            if *at > array.len() {
                return Err(206);
            }
            if *at == array.len() {
                array.push(if matches!(rest, [Segment::Key(_), ..]) {
                    Json::Object(Default::default())
                } else {
                    Json::Null
                });
            }
            naive_set(&mut array[*at], rest, value)
        }
    }
}

fn naive_remove(json: &mut Json, segments: &[Segment]) -> Option<Json> {
    let (last, parents) = segments.split_last()?;
    match (naive_find(json, parents)?, last) {
        (Json::Object(object), Segment::Key(key)) => object.shift_remove(&**key),
        (Json::Array(array), Segment::Index(at)) if *at < array.len() => Some(array.remove(*at)),
        _ => None,
    }
}

/// Everything the value says about its content must be the same as in the model, order included.
fn assert_is(value: &Value, json: &Json) {
    assert_eq!(&Json::from(value.clone()), json);
    assert_eq!(value.to_json(), json.to_string());
    assert_eq!(&Value::from(json), value);
    for (key, entry) in value.entries() {
        assert_eq!(value.get(key).as_ref(), Some(&entry));
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Set(Path, Value),
    Remove(Path),
    Insert(String, Value),
    Push(Value),
    /// Keeps a clone, which must stay as it is whatever follows.
    Share,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (path(), json_value()).prop_map(|(path, value)| Edit::Set(path, value)),
        4 => ("[a-z]{1,2}", scalar()).prop_map(|(key, value)| Edit::Set(Path::root().key(&key), value)),
        2 => path().prop_map(Edit::Remove),
        2 => "[a-z]{1,2}".prop_map(|key| Edit::Remove(Path::root().key(&key))),
        2 => (key(), json_value()).prop_map(|(key, value)| Edit::Insert(key, value)),
        1 => json_value().prop_map(Edit::Push),
        1 => Just(Edit::Share),
    ]
}

fn apply(value: &mut Value, json: &mut Json, edit: Edit) {
    match edit {
        Edit::Set(path, new) => {
            let (checked, mut copy) = (value.check_set(&path, &new), json.clone());
            let expected = naive_set(&mut copy, path.segments(), new.clone().into());
            let set = value.set(&path, new);
            let shown = |done: &Result<(), Error>| done.as_ref().map_err(Error::to_string).copied();
            assert_eq!(shown(&checked), shown(&set), "{path}");
            assert_eq!(set.map_err(|error| error.code()), expected, "{path}");
            if expected.is_ok() {
                *json = copy;
            }
        }
        Edit::Remove(path) => {
            let removed = value.remove(&path);
            match path.is_root() {
                true => assert!(matches!(removed, Err(Error::InvalidPath { .. }))),
                false => assert_eq!(
                    removed.unwrap().map(Json::from),
                    naive_remove(json, path.segments())
                ),
            }
        }
        Edit::Insert(key, new) => match json.as_object_mut() {
            Some(object) => {
                let old = object.insert(key.clone(), new.clone().into());
                assert_eq!(value.insert(key, new).unwrap().map(Json::from), old);
            }
            None => assert!(matches!(
                value.insert(key, new),
                Err(Error::WrongType { .. })
            )),
        },
        Edit::Push(new) => match json.as_array_mut() {
            Some(array) => {
                array.push(new.clone().into());
                value.push(new).unwrap();
            }
            None => assert!(matches!(value.push(new), Err(Error::WrongType { .. }))),
        },
        Edit::Share => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn json_reads_back(value in json_value()) {
        prop_assert_eq!(&Value::from_json(value.to_json()).unwrap(), &value);
        prop_assert_eq!(&Value::from_json(value.to_json_pretty()).unwrap(), &value);
        prop_assert_eq!(Value::from_json(value.to_json()).unwrap().to_json(), value.to_json());
        prop_assert_eq!(&Value::from(Json::from(value.clone())), &value);
        prop_assert_eq!(value.to_json_pretty(), serde_json::to_string_pretty(&value).unwrap());
        prop_assert_eq!(value.to_json(), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn msgpack_reads_back(value in any_value()) {
        let bytes = value.to_msgpack();
        let read = Value::from_msgpack(&bytes).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.to_json(), value.to_json(), "the order is kept");
        prop_assert_eq!(&Value::from_msgpack(&value.canonical()).unwrap(), &value);
        // Another implementation reads and writes the same.
        prop_assert_eq!(&rmp_serde::from_slice::<Value>(&bytes).unwrap(), &value);
        prop_assert_eq!(&Value::from_msgpack(&rmp_serde::to_vec(&value).unwrap()).unwrap(), &value);
    }

    #[test]
    fn msgpack_stream(values in prop::collection::vec(any_value(), 0..5)) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.write_msgpack(&mut bytes));
        let mut rest = &bytes[..];
        for value in &values {
            prop_assert_eq!(&Value::read_msgpack(&mut rest, &Limits::unlimited()).unwrap(), value);
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn msgpack_cut_short_is_refused(value in any_value(), at in any::<prop::sample::Index>()) {
        let bytes = value.to_msgpack();
        let mut cut = &bytes[..at.index(bytes.len())];
        let before = cut.len();
        let read = Value::read_msgpack(&mut cut, &Limits::default());
        prop_assert_eq!(read.map_err(|error| error.code()), Err(201));
        prop_assert_eq!(cut.len(), before);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        if let Ok(value) = Value::from_msgpack(&bytes) {
            prop_assert_eq!(Value::from_msgpack(&value.to_msgpack()).unwrap(), value);
        }
        let parsed = Value::from_json(&text);
        prop_assert_eq!(parsed.is_ok(), serde_json::from_str::<Json>(&text).is_ok());
    }

    #[test]
    fn changed_json_is_read_as_serde_json_reads_it(
        value in json_value(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(br#"{}[]",:\ue0-+.19 n"#.to_vec()),
    ) {
        let mut text = value.to_json().into_bytes();
        let at = at.index(text.len());
        text[at] = with;
        let parsed = Value::from_json(&text);
        let other = serde_json::from_slice::<Json>(&text);
        prop_assert_eq!(parsed.is_ok(), other.is_ok(), "{} {:?}", String::from_utf8_lossy(&text), parsed);
    }

    #[test]
    fn serde_reads_back(value in any_value()) {
        prop_assert_eq!(&Value::from_serialize(&value).unwrap(), &value);
        prop_assert_eq!(&value.deserialize::<Value>().unwrap(), &value);
    }

    #[test]
    fn equality_order_hash_and_canonical_agree(a in any_value(), b in any_value(), c in any_value()) {
        let same = shuffled(&a);
        prop_assert_eq!(&a, &same);
        prop_assert_eq!(a.cmp(&same), Ordering::Equal);
        prop_assert_eq!(hash(&a), hash(&same));
        prop_assert_eq!(a.canonical(), same.canonical());
        for (x, y) in [(&a, &b), (&b, &c), (&a, &c)] {
            prop_assert_eq!(x == y, x.cmp(y) == Ordering::Equal);
            prop_assert_eq!(x == y, x.canonical() == y.canonical());
            prop_assert_eq!(x.cmp(y), y.cmp(x).reverse());
        }
        let mut sorted = [&a, &b, &c];
        sorted.sort();
        prop_assert!(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
    }

    #[test]
    fn scalars_are_totally_ordered(mut scalars in prop::collection::vec(scalar(), 3..40)) {
        scalars.sort();
        for (at, a) in scalars.iter().enumerate() {
            for b in &scalars[at..] {
                prop_assert!(a <= b, "{} {}", a, b);
                prop_assert!(a != b || hash(a) == hash(b));
            }
        }
    }

    #[test]
    fn edits_agree_with_the_model(start in json_value(), edits in prop::collection::vec(edit(), 0..40)) {
        let mut json = Json::from(start.clone());
        let mut value = start;
        let mut shared = Vec::new();
        for edit in edits {
            if matches!(edit, Edit::Share) {
                shared.push((value.clone(), json.clone()));
            }
            apply(&mut value, &mut json, edit);
            assert_is(&value, &json);
        }
        for (value, json) in &shared {
            assert_is(value, json);
        }
    }

    #[test]
    fn reads_agree_with_the_model(value in json_value(), path in path()) {
        let mut json = Json::from(value.clone());
        let found = naive_find(&mut json, path.segments()).cloned();
        prop_assert_eq!(value.at(&path).map(Json::from), found.clone());
        prop_assert_eq!(value.has(&path), found.is_some());
    }

    #[test]
    fn paths_read_back(path in path()) {
        prop_assert_eq!(&Path::parse(&path.to_string()).unwrap(), &path);
        prop_assert!(path.parent().is_none_or(|parent| path.starts_with(&parent) && !parent.starts_with(&path)));
    }

    #[test]
    fn any_text_is_a_path_or_refused(text in any::<String>(), dotted in r#"[.\[\]"\\a0 ]{0,12}"#) {
        for text in [text, dotted] {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
            }
        }
    }
}
