//! Properties of values, specs of flows, files of tests, checkpoints and logs that must hold for any bytes: each target
//! is a function of bytes that panics where its property does not hold.
//!
//! The same functions are the targets of libFuzzer (`tests/fuzz`, run by `cargo xtask fuzz`) and a test
//! (`tests/tests/all/fuzz.rs`), which replays the kept corpus and seeded mutations of it. docs/FUZZING.md says what
//! each target asserts.
//!
//! Targets with several inputs take them as lines: a document, then a patch. Where a line is missing, [`DOCUMENT`]
//! stands in.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a property that does not hold is a panic: libFuzzer and the test runner both take it for a finding"
)]

mod checkpoints;
mod codecs;
mod commits;
mod edits;
mod patches;
mod places;
mod schemas;
mod specs;
mod streams;
mod testfiles;

use std::hash::{DefaultHasher, Hash, Hasher};

use statewright_value::{Kind, Limits, Value, ValueRef};

/// A function that panics when its property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `tests/fuzz/corpus`, too.
pub const TARGETS: &[(&str, Target)] = &[
    ("json", codecs::json),
    ("msgpack", codecs::msgpack),
    ("cbor", codecs::cbor),
    ("typed", codecs::typed),
    ("toml", codecs::toml),
    ("packed", codecs::packed),
    ("stream", streams::stream),
    ("path", places::path),
    ("jsonpath", places::jsonpath),
    ("patch", patches::patch),
    ("merge", patches::merge),
    ("edit", edits::edit),
    ("schema", schemas::schema),
    ("testfile", testfiles::testfile),
    ("spec", specs::spec),
    ("checkpoint", checkpoints::checkpoint),
    ("commits", commits::commits),
];

/// Runs the target of this name; names are checked by the test of the corpus.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("the name of a target").1(data);
}

/// What stands in for a document that an input leaves out: every kind that JSON has, keys of every length, a list
/// of records, and an object large enough for an index.
const DOCUMENT: &str = r#"{"a":{"b":[1,2.5,-3,"text",null,true,false,18446744073709551615]},"long key of an object":"a longer text",
"list":[{"id":1,"n":"x"},{"id":2,"n":"y"},{"id":3,"n":"z","more":[[],{}]}],"":"","~/":{"0":0},
"wide":{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9,"k":10,"l":11,"m":12,"n":13,"o":14,"p":15,"q":16}}"#;

/// The limits of what is read: small, so that a fuzzer meets them.
fn limits() -> Limits {
    Limits::strict()
        .with_max_string(1000)
        .with_max_key(200)
        .with_max_items(2000)
}

/// The input up to the first line end, and what is behind it; the latter is [`DOCUMENT`] where there is none.
fn two_lines(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (first, rest) = data.split_at(end.unwrap_or(data.len()));
    match rest.split_first() {
        Some((_, second)) => (first, second),
        None => (first, DOCUMENT.as_bytes()),
    }
}

/// The same value as nodes. Recurses: for values within [`limits`].
fn nodes(value: ValueRef<'_>) -> Value {
    match value.kind() {
        Kind::Array => Value::from(value.items().map(nodes).collect::<Vec<_>>()),
        Kind::Object => value
            .entries()
            .map(|(key, value)| (key, nodes(value)))
            .collect(),
        _ => value.to_value(),
    }
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whoever looks at these sees the same, the order of keys included.
#[track_caller]
fn assert_same(a: &Value, b: &Value) {
    assert_eq!(a, b);
    assert!(a.cmp(b).is_eq(), "{a} and {b} are equal but ordered");
    assert_eq!(hash(a), hash(b));
    assert_eq!(a.to_typed_json(), b.to_typed_json());
    assert_eq!(a.canonical(), b.canonical());
}

/// What holds for every value that was read within [`limits`]: every encoding reads back, and no form of it can be
/// told from another.
#[track_caller]
fn assert_sound(value: &Value) {
    value.check(&limits()).unwrap();
    let wide = Limits::unlimited();
    let own = nodes(value.by_ref());
    let packed = value.pack().unwrap();
    let bytes = value.to_packed_bytes().unwrap();
    assert_eq!(bytes, own.to_packed_bytes().unwrap());
    let read = Value::from_packed_bytes(&bytes, &wide).unwrap();
    for form in [value, &own, &packed, &read] {
        assert_same(&own, form);
        assert_eq!(form.to_json(), own.to_json());
        assert_eq!(form.to_msgpack(), own.to_msgpack());
        assert_parts(&own, form);
    }
    assert_same(&Value::from_msgpack(&value.to_msgpack()).unwrap(), value);
    assert_eq!(&Value::from_msgpack(&value.canonical()).unwrap(), value);
    assert_same(&Value::from_cbor(&value.to_cbor()).unwrap(), value);
    let sorted = value.to_deterministic_cbor();
    assert_eq!(&Value::from_cbor(&sorted).unwrap(), value);
    let typed = Value::from_typed_json_with(value.to_typed_json(), &wide).unwrap();
    assert_same(&typed, value);
    assert_plain(value);
}

/// Plain JSON: printing is right, and reads back where JSON has all the kinds.
fn assert_plain(value: &Value) {
    let wide = Limits::unlimited();
    let text = value.to_json();
    let read = Value::from_json_with(&text, &wide).unwrap();
    let pretty = Value::from_json_with(value.to_json_pretty(), &wide).unwrap();
    assert_same(&read, &pretty);
    if is_json(value.by_ref()) {
        assert_same(&read, value);
        assert_eq!(read.to_json(), text);
    }
    if let Ok(canonical) = read.to_canonical_json() {
        let again = Value::from_json_with(&canonical, &wide).unwrap();
        assert_eq!(again.to_canonical_json().unwrap(), canonical, "{text}");
    }
}

/// Key by key and item by item.
fn assert_parts(a: &Value, b: &Value) {
    assert_eq!(a.len(), b.len());
    for ((key, value), (other, _)) in a.entries().zip(b.entries()) {
        assert_eq!(key, other);
        assert_eq!(b.get(key).as_ref(), Some(&value));
    }
    for (at, item) in a.items().enumerate() {
        assert_eq!(b.index(at).as_ref(), Some(&item));
    }
    assert_eq!(b.index(a.len()), None);
    assert_eq!(a.get("no such key"), b.get("no such key"));
}

/// Whether all of it is of the kinds that JSON has.
fn is_json(value: ValueRef<'_>) -> bool {
    let here = matches!(
        value.kind(),
        Kind::Null
            | Kind::Bool
            | Kind::Integer
            | Kind::Float
            | Kind::Text
            | Kind::Array
            | Kind::Object
    );
    here && value.items().all(is_json) && value.entries().all(|(_, value)| is_json(value))
}
