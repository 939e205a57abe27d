//! The packed form: the same as nodes to whoever looks, and closed to damaged bytes.

use proptest::prelude::*;
use statewright_value::{Limits, MAX_DEPTH, Path, Value, value};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300i64..300).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(|float| Value::from_f64(float).unwrap()),
        "\\PC{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::bytes),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 200, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..24).prop_map(Value::from),
            prop::collection::vec(("[a-e]{1,2}|\\PC{0,12}", inner), 0..40)
                .prop_map(|entries| entries.into_iter().collect::<Value>()),
        ]
    })
}

fn same_to_everyone(nodes: &Value, packed: &Value) {
    assert_eq!(nodes, packed);
    assert_eq!(nodes.cmp(packed), std::cmp::Ordering::Equal);
    assert_eq!(nodes.to_json(), packed.to_json());
    assert_eq!(nodes.to_json_pretty(), packed.to_json_pretty());
    assert_eq!(nodes.to_msgpack(), packed.to_msgpack());
    assert_eq!(nodes.canonical(), packed.canonical());
    assert_eq!(nodes.len(), packed.len());
    for (key, item) in nodes.entries() {
        assert_eq!(packed.get(key).as_ref(), Some(&item));
    }
    for (at, item) in nodes.items().enumerate() {
        assert_eq!(packed.index(at).as_ref(), Some(&item));
    }
    assert_eq!(packed.get("no such key"), nodes.get("no such key"));
    assert_eq!(packed.index(nodes.len()), None);
    // Going on from the middle.
    for value in [nodes, packed] {
        let (entries, items): (Vec<_>, Vec<_>) = (
            value.by_ref().entries().collect(),
            value.by_ref().items().collect(),
        );
        for at in [1, value.len() / 2, value.len()] {
            let rest = entries.iter().copied().skip(at);
            assert!(value.by_ref().entries().skip(at).eq(rest));
            let rest = items.iter().copied().skip(at);
            assert!(value.by_ref().items().skip(at).eq(rest));
        }
    }
}

proptest! {
    #[test]
    fn packed_and_nodes_cannot_be_told_apart(nodes in any_value()) {
        let packed = nodes.pack().unwrap();
        same_to_everyone(&nodes, &packed);
        let bytes = nodes.to_packed_bytes().unwrap();
        let read = Value::from_packed_bytes(&bytes, &Limits::unlimited()).unwrap();
        same_to_everyone(&nodes, &read);
    }

    #[test]
    fn edits_of_both_give_the_same(nodes in any_value(), added in scalar(), at in 0usize..30) {
        let (mut nodes, mut packed) = (nodes.clone(), nodes.pack().unwrap());
        let keys: Vec<String> = nodes.entries().map(|(key, _)| key.to_owned()).collect();
        let mut paths = vec![Path::root().index(at), Path::root().key("new").key("er")];
        if let Some(key) = keys.get(at % keys.len().max(1)) {
            paths.push(Path::root().key(key));
            paths.push(Path::root().key(key).index(0));
        }
        for path in paths {
            let before = packed.clone();
            assert_eq!(nodes.set(&path, added.clone()), packed.set(&path, added.clone()));
            same_to_everyone(&nodes, &packed);
            assert_eq!(nodes.remove(&path), packed.remove(&path));
            same_to_everyone(&nodes, &packed);
            assert_eq!(before.pack().unwrap(), before);
        }
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_whole_value(
        nodes in any_value(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = nodes.to_packed_bytes().unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = Value::from_packed_bytes(&bytes, &Limits::default()) {
            assert!(Value::from_json(value.to_json()).is_ok());
            assert_eq!(value.pack().unwrap(), value);
            assert_eq!(Value::from_msgpack(&value.to_msgpack()).unwrap(), value);
        }
    }

    #[test]
    fn floats_are_read_exactly(bits in any::<u64>(), digits in 0u64..u64::MAX, power in -60i32..60) {
        let float = f64::from_bits(bits);
        let texts = [format!("{float:?}"), format!("{digits}e{power}"), format!("0.{digits}e{power}")];
        for text in texts.iter().filter(|text| text.parse::<f64>().unwrap().is_finite()) {
            let read = Value::from_json(text).unwrap().as_f64().unwrap_or_default();
            assert_eq!(read.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
    }
}

#[test]
fn a_packed_value_cut_anywhere_is_refused() {
    let bytes = value!({ "a": [1, 2.5, "a longer text", null], "b": { "c": true } })
        .to_packed_bytes()
        .unwrap();
    for end in 0..bytes.len() {
        let refused = Value::from_packed_bytes(&bytes[..end], &Limits::default()).unwrap_err();
        assert_eq!(refused.code(), 214, "{end}: {refused}");
    }
}

#[test]
fn limits_hold_for_packed_bytes_too() {
    let deep = (0..40).fold(Value::array(), |inner, _| Value::from(vec![inner]));
    let bytes = deep.to_packed_bytes().unwrap();
    for (limits, fits) in [(Limits::strict(), false), (Limits::default(), true)] {
        assert_eq!(Value::from_packed_bytes(&bytes, &limits).is_ok(), fits);
    }
}

/// What is assembled in a program may be of any depth, but what is written must be readable.
#[test]
fn what_could_not_be_read_is_not_written() {
    let deep = |depth| (1..depth).fold(Value::array(), |inner, _| Value::from(vec![inner]));
    let bytes = deep(MAX_DEPTH).to_packed_bytes().unwrap();
    let read = Value::from_packed_bytes(&bytes, &Limits::unlimited());
    assert_eq!(read, Ok(deep(MAX_DEPTH)));
    let refused = deep(MAX_DEPTH + 1).to_packed_bytes().unwrap_err();
    assert!(refused.to_string().contains("nesting depth"), "{refused}");
}

/// Objects of a size where the form changes: shared keys, a dictionary, a dictionary with an index.
#[test]
fn objects_of_every_size() {
    for len in [0, 1, 6, 15, 16, 17, 31, 32, 33, 127, 128, 129, 200, 5000] {
        let object: Value = (0..len)
            .map(|at| (format!("key {at}"), Value::from(at)))
            .collect();
        let text = object.to_json();
        let read = Value::from_json(&text).unwrap();
        same_to_everyone(&object, &read);
        let doubled = format!(
            "{}{}}}",
            text.strip_suffix('}').unwrap(),
            r#","key 0":"again""#
        );
        if len > 0 {
            let read = Value::from_json(&doubled).unwrap();
            assert_eq!(read.len(), len as usize);
            assert_eq!(read.get("key 0"), Some(Value::from("again")));
            assert_eq!(read.entries().next().unwrap().0, "key 0");
        }
    }
}

/// Ten thousand words that all mean one long text would make megabytes of kilobytes.
#[test]
fn a_text_is_not_reached_by_two_ways() {
    for tag in [0xFFF6_u64, 0xFFF7] {
        let n = 4_000_usize;
        let mut words = vec![8 * n as u64]; // the length of a long text, and the text
        words.extend(std::iter::repeat_n(u64::from_le_bytes(*b"aaaaaaaa"), n));
        let array = words.len() as u64;
        words.push(2);
        words.extend([tag << 48 | 0xFFFF << 32; 2]);
        let root = 0xFFF8 << 48 | 0xFFFF << 32 | array;
        let mut bytes = b"SWPK\x01\0\0\0".to_vec();
        for word in [words.len() as u64, root, 0, 0].iter().chain(&words) {
            bytes.extend(word.to_le_bytes());
        }
        let error = Value::from_packed_bytes(&bytes, &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("two ways"), "{error}");
    }
}

#[test]
fn values_can_be_read_while_a_thread_ends() {
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            assert!(Value::from_json("[1,2,[3]]").is_ok());
        }
    }
    thread_local!(static AT_END: AtEnd = const { AtEnd });
    let ended = std::thread::spawn(|| {
        AT_END.with(|_| {}); // so it is destroyed after what reading keeps for the thread
        Value::from_json("[1,2,[3]]").unwrap();
    });
    ended.join().unwrap();
}
