//! Input from people who mean harm: refused, or read, but never a crash and never memory for what is not there.

use std::thread;

use statewright_value::{Error, File, Limits, MAX_DEPTH, Path, Result, Value, value};

/// A stack as small as any a host may give us; everything here must fit, in debug builds too.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

/// `[[[…]]]`, made without any check.
fn nested(depth: usize) -> Value {
    (1..depth).fold(Value::array(), |inner, at| match at % 2 {
        0 => Value::from(vec![inner]),
        _ => [("key", inner)].into_iter().collect(),
    })
}

fn deepest() -> Limits {
    Limits::default().with_max_depth(usize::MAX)
}

#[test]
fn a_million_nested_arrays() {
    on_small_stack(|| {
        for text in [
            "[".repeat(1_000_000),
            "[".repeat(1_000_000) + &"]".repeat(1_000_000),
            r#"{"a":"#.repeat(1_000_000),
        ] {
            for limits in [Limits::default(), deepest()] {
                let refused = Value::from_json_with(&text, &limits).unwrap_err();
                assert!(
                    matches!(
                        refused,
                        Error::Limit {
                            what: "nesting depth",
                            ..
                        }
                    ),
                    "{refused}"
                );
            }
        }
        for byte in [0x91, 0x92] {
            let refused =
                Value::read_msgpack(&mut &vec![byte; 1_000_000][..], &deepest()).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Error::Limit {
                        what: "nesting depth",
                        ..
                    }
                ),
                "{refused}"
            );
        }
    });
}

#[test]
fn the_deepest_allowed_value() {
    on_small_stack(|| {
        let value = nested(MAX_DEPTH);
        value.check(&Limits::unlimited()).unwrap();
        assert_eq!(
            Value::from_json_with(value.to_json(), &deepest()).unwrap(),
            value
        );
        assert_eq!(
            Value::from_json_with(value.to_json_pretty(), &deepest()).unwrap(),
            value
        );
        assert_eq!(
            Value::read_msgpack(&mut &value.to_msgpack()[..], &deepest()).unwrap(),
            value
        );
        assert_eq!(Value::from_json(value.to_json()).unwrap_err().code(), 204);
        assert_eq!(
            Value::from_msgpack(&value.to_msgpack()).unwrap_err().code(),
            204
        );
        assert_eq!(Value::array().push(value.clone()).unwrap_err().code(), 204);
        assert_eq!(
            Value::object()
                .insert("key", value.clone())
                .unwrap_err()
                .code(),
            204
        );
        let mut outer = value!({ "a": {} });
        let before = outer.clone();
        assert_eq!(
            outer
                .set(&Path::root().key("a").key("b").key("c"), value)
                .unwrap_err()
                .code(),
            204
        );
        assert_eq!(outer, before);
        // The limit is on the whole, not on what is put in.
        let mut value = Value::object();
        let deep = (0..MAX_DEPTH).fold(Path::root(), |path, _| path.key("k"));
        value.set(&deep, Value::NULL).unwrap();
        assert_eq!(value.set(&deep, Value::array()).unwrap_err().code(), 204);
        value.set(&deep, Value::from(1)).unwrap();
        value.check(&Limits::unlimited()).unwrap();
        assert_eq!(
            Value::object()
                .set(&deep.key("k"), Value::NULL)
                .unwrap_err()
                .code(),
            204
        );
    });
}

#[test]
fn what_was_once_deep_is_shallow_again() {
    let mut value = value!({ "deep": (nested(MAX_DEPTH - 1)), "flat": 1 });
    value.remove(&Path::root().key("deep")).unwrap();
    let mut outer = Value::array();
    outer.push(value.clone()).unwrap();
    outer.push(value).unwrap();
    assert_eq!(outer.to_json(), r#"[{"flat":1},{"flat":1}]"#);
}

#[test]
fn values_deeper_than_allowed_are_refused_everywhere_and_harmless() {
    on_small_stack(|| {
        let value = nested(200_000);
        let other = nested(200_000);
        assert!(
            value == other && value.cmp(&other).is_eq() && value.canonical() == other.canonical()
        );
        assert!(value != nested(200_001));
        assert!(value.to_json().len() > 200_000 && value.to_msgpack().len() > 200_000);
        assert_eq!(value.check(&Limits::unlimited()).unwrap_err().code(), 204);
        assert_eq!(Value::array().push(value.clone()).unwrap_err().code(), 204);
        let shared = value.clone();
        drop(value);
        assert_eq!(shared, other);
    });
}

/// serde recurses, so it stops at 128 levels, which fit a common thread.
#[test]
fn serde_stops_at_128_levels() {
    thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(|| {
            let fits = nested(128);
            assert_eq!(fits.deserialize::<Value>().unwrap(), fits);
            assert_eq!(Value::from_serialize(&fits).unwrap(), fits);
            assert_eq!(serde_json::to_string(&fits).unwrap(), fits.to_json());
            assert_eq!(
                rmp_serde::from_slice::<Value>(&fits.to_msgpack()).unwrap(),
                fits
            );
            for depth in [129, 1000, 200_000] {
                let exceeds = nested(depth);
                assert_eq!(exceeds.deserialize::<Value>().unwrap_err().code(), 204);
                assert!(
                    Value::from_serialize(&exceeds)
                        .unwrap_err()
                        .to_string()
                        .contains("nesting depth")
                );
                assert!(serde_json::to_string(&exceeds).is_err());
                assert!(rmp_serde::from_slice::<Value>(&exceeds.to_msgpack()).is_err());
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn wide_and_deep_values_drop() {
    on_small_stack(|| {
        let wide: Value = (0..1000).map(|_| nested(500)).collect();
        let kept = wide.index(7).unwrap();
        drop(wide);
        assert_eq!(kept, nested(500));
    });
}

#[test]
fn declared_lengths_are_not_believed() {
    let four_gib = [0xff, 0xff, 0xff, 0xff];
    for marker in [0xdb, 0xc6, 0xdd, 0xdf] {
        let mut bytes = vec![marker];
        bytes.extend(four_gib);
        bytes.extend([0x01; 20]);
        let refused = Value::from_msgpack(&bytes).unwrap_err();
        assert!(matches!(refused, Error::InvalidMsgpack { .. }), "{refused}");
    }
    // Every level declares as many items as there are bytes: memory must not be depth × length.
    let level = [0xdd, 0x00, 0x0f, 0x42, 0x40];
    let mut bytes: Vec<u8> = level.repeat(1000);
    bytes.resize(1_100_000, 0xc0);
    assert!(Value::read_msgpack(&mut &bytes[..], &deepest()).is_err());
}

#[test]
fn ten_megabytes_of_number() {
    let digits = "7".repeat(10 << 20);
    assert_eq!(Value::from_json(&digits).unwrap_err().code(), 200);
    let fraction = Value::from_json(format!("0.{digits}")).unwrap();
    assert_eq!(fraction.as_f64(), Some(0.7777777777777778));
    let exponent = Value::from_json(format!("1e-{digits}")).unwrap();
    assert_eq!(exponent.as_f64(), Some(0.0));
    assert_eq!(
        Value::from_json(format!("1e{digits}")).unwrap_err().code(),
        200
    );
    assert_eq!(
        Value::from_json(format!("0e{digits}")).unwrap().as_f64(),
        Some(0.0)
    );
}

#[test]
fn surrogates() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800A""#,
        r#""\ud83d\u0041""#,
        r#""\ud800\n""#,
    ] {
        let refused = Value::from_json(text).unwrap_err();
        assert!(
            refused.to_string().contains("surrogate"),
            "{text}: {refused}"
        );
        assert_eq!(
            Value::from_json(format!(r#"{{{text}:1}}"#))
                .unwrap_err()
                .code(),
            200
        );
    }
    for text in [r#""\ud83"#, r#""\ud83d\u"#, r#""\u00é0""#, r#""\u+123""#] {
        assert_eq!(Value::from_json(text).unwrap_err().code(), 200);
    }
    assert_eq!(
        Value::from_json(r#""\ud83d\ude00\u0000""#)
            .unwrap()
            .as_str(),
        Some("😀\0")
    );
    assert_eq!(
        Value::from_json(b"\"\xed\xa0\x80\"").unwrap_err().code(),
        200
    );
    assert_eq!(
        Value::from_msgpack(b"\xa3\xed\xa0\x80").unwrap_err().code(),
        201
    );
}

#[test]
fn duplicate_keys_keep_the_last_value_at_the_first_place() {
    let few = Value::from_json(r#"{"a":1,"b":2,"a":3,"a":{"c":4,"c":5}}"#).unwrap();
    assert_eq!(few.to_json(), r#"{"a":{"c":5},"b":2}"#);
    let many: Vec<String> = (0..100_000)
        .map(|at| format!(r#""{}":{at}"#, at % 1000))
        .collect();
    let many = Value::from_json(format!("{{{}}}", many.join(","))).unwrap();
    assert_eq!(many.len(), 1000);
    assert_eq!(many.get("0"), Some(Value::from(99_000)));
    assert_eq!(
        many.entries()
            .map(|(key, _)| key.to_owned())
            .take(3)
            .collect::<Vec<_>>(),
        ["0", "1", "2"]
    );
    let msgpack = Value::from_msgpack(b"\x83\xa1a\x01\xa1b\x02\xa1a\x03").unwrap();
    assert_eq!(msgpack.to_json(), r#"{"a":3,"b":2}"#);
}

#[test]
fn every_limit_is_exact() {
    let limits = Limits::default()
        .with_max_depth(2)
        .with_max_bytes(40)
        .with_max_string(5)
        .with_max_key(3)
        .with_max_items(4);
    let cases = [
        (r#"[[1,2]]"#, r#"[[[]]]"#),
        (r#""12345""#, r#""123456""#),
        (r#""\u0031\u0032345""#, r#""\u003123456""#),
        (r#"{"123":1}"#, r#"{"1234":1}"#),
        (r#"[1,2,3]"#, r#"[1,2,3,4]"#),
        (r#"{"a":[],"b":{}}"#, r#"{"a":[],"b":{},"c":[],"d":1}"#),
        (
            "                                       1",
            "                                        1",
        ),
    ];
    for (fits, exceeds) in cases {
        let value = Value::from_json_with(fits, &limits).unwrap();
        value.check(&limits).unwrap();
        Value::read_msgpack(&mut &value.to_msgpack()[..], &limits).unwrap();
        assert_eq!(
            Value::from_json_with(exceeds, &limits).unwrap_err().code(),
            204,
            "{exceeds}"
        );
        let value = Value::from_json(exceeds).unwrap();
        if value != Value::from(1) {
            assert_eq!(value.check(&limits).unwrap_err().code(), 204, "{exceeds}");
            assert_eq!(
                Value::read_msgpack(&mut &value.to_msgpack()[..], &limits)
                    .unwrap_err()
                    .code(),
                204,
                "{exceeds}"
            );
        }
    }
    let bytes = Value::bytes([7; 41]).to_msgpack();
    let limits = limits.with_max_string(100);
    assert_eq!(
        Value::read_msgpack(&mut &bytes[..], &limits)
            .unwrap_err()
            .code(),
        204
    );
    let limits = limits.with_max_bytes(bytes.len());
    assert_eq!(
        Value::read_msgpack(&mut &[bytes.clone(), bytes].concat()[..], &limits)
            .unwrap()
            .len(),
        41
    );
}

/// Keys are no values, however an object comes to be stored.
#[test]
fn the_number_of_values_is_the_same_in_every_format() {
    for entries in [100, 129, 5000] {
        let object: Value = (0..entries)
            .map(|n| (format!("key number {n}"), Value::from(n)))
            .collect();
        let limits = Limits::default().with_max_items(entries + 1);
        let less = limits.with_max_items(entries);
        let (json, msgpack) = (object.to_json(), object.to_msgpack());
        let packed = object.to_packed_bytes().unwrap();
        let code = |read: Result<Value>| read.map_or_else(|error| error.code(), |_| 0);
        for (limits, expected) in [(limits, 0), (less, 204)] {
            assert_eq!(code(object.check(&limits).map(|()| Value::NULL)), expected);
            assert_eq!(code(Value::from_json_with(&json, &limits)), expected);
            let msgpack = Value::read_msgpack(&mut &msgpack[..], &limits);
            assert_eq!(code(msgpack), expected);
            assert_eq!(code(Value::from_packed_bytes(&packed, &limits)), expected);
        }
    }
}

/// What the library wrote itself it reads again: a store has no other limits.
#[test]
fn the_description_of_a_file_is_as_long_as_a_text_may_be() {
    let long = "x".repeat(Limits::default().max_string + 1);
    let file = Value::from(File::new("a", 1).with_location(&long));
    let (msgpack, packed) = (file.to_msgpack(), file.to_packed_bytes().unwrap());
    let limits = Limits::unlimited();
    let read = Value::read_msgpack(&mut &msgpack[..], &limits).unwrap();
    assert!(read == file);
    assert!(Value::from_packed_bytes(&packed, &limits).unwrap() == file);
    let refused = Value::from_msgpack(&msgpack).unwrap_err();
    assert_eq!(refused.code(), 204);
}

/// The reader expects the keys it met before, and those may be longer than is allowed now.
#[test]
fn what_was_read_before_lifts_no_limit() {
    let key = "k".repeat(300);
    let text = format!(r#"[{{"a":1,"{key}":2}},{{"a":3,"{key}":4}}]"#);
    let few = Limits::default().with_max_key(299);
    for _ in 0..3 {
        let refused = Value::from_json_with(&text, &few).unwrap_err();
        assert!(refused.to_string().contains("length of a key"), "{refused}");
        Value::from_json_with(&text, &few.with_max_key(300)).unwrap();
    }
}

#[test]
fn large_objects_stay_fast() {
    // Quadratic behaviour would take minutes here.
    let mut object = Value::object();
    for at in 0..20_000u32 {
        object
            .insert(
                format!("key {}", at.wrapping_mul(2_654_435_761)),
                Value::from(at),
            )
            .unwrap();
    }
    for at in 0..20_000u32 {
        let key = format!("key {}", at.wrapping_mul(2_654_435_761));
        assert_eq!(object.get(&key), Some(Value::from(at)));
    }
    assert_eq!(
        object
            .entries()
            .map(|(_, value)| value.as_u64().unwrap())
            .collect::<Vec<_>>(),
        (0..20_000).collect::<Vec<_>>()
    );
    assert_eq!(Value::from_json(object.to_json()).unwrap(), object);
}

#[test]
fn long_hostile_paths() {
    for text in [
        ".a".repeat(1_000_000),
        "[0]".repeat(1_000_000),
        format!(".\"{}", "\\\"".repeat(1_000_000)),
        "[".repeat(1_000_000),
    ] {
        let refused = Path::parse(&text).unwrap_err();
        assert!(refused.to_string().len() < 500, "{refused}");
    }
    let long = (0..1_000_000).fold(Path::root(), |path, at| path.index(at));
    assert_eq!(Value::array().at(&long), None);
    assert!(Value::array().set(&long, Value::NULL).is_err());
    assert_eq!(Value::array().remove(&long).unwrap(), None);
}

/// 2^60 values in 60 levels: checking stops at the limit.
#[test]
fn a_value_that_doubles_is_checked_up_to_the_limit() {
    let mut doubled = Value::from("x");
    for _ in 0..60 {
        doubled = Value::from(vec![doubled.clone(), doubled]);
    }
    let limits = Limits::default().with_max_items(100_000);
    assert_eq!(doubled.check(&limits).unwrap_err().code(), 204);
}
