//! What a user of the crate meets: accessors, numbers, errors and their texts, serde shapes, the macro.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use statewright_value::{Kind, Path, Segment, Value, value};

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

#[test]
fn small_and_shareable() {
    fn shareable<T: Send + Sync + Clone + Default + 'static>() {}
    shareable::<Value>();
    shareable::<Path>();
    assert!(size_of::<Value>() <= 24);
    assert_eq!(size_of::<Option<Value>>(), size_of::<Value>());
    assert_eq!(Value::default(), Value::NULL);
}

#[test]
fn kinds_and_accessors() {
    let all = value!(
        [null, true, 1, 1.5, "text", (Value::bytes(*b"bytes")), [], {
        }]
    );
    let kinds: Vec<Kind> = all.items().map(|item| item.kind()).collect();
    use Kind::*;
    assert_eq!(
        kinds,
        [Null, Bool, Integer, Float, Text, Bytes, Array, Object]
    );
    assert_eq!(Kind::Integer.to_string(), "integer");
    assert_eq!(
        all.items().map(|item| item.len()).collect::<Vec<_>>(),
        [0, 0, 0, 0, 4, 5, 0, 0]
    );
    for item in all.items() {
        assert_eq!(item.is_null(), item.kind() == Null);
        assert_eq!(item.as_bool().is_some(), item.kind() == Bool);
        assert_eq!(item.as_i64().is_some(), item.kind() == Integer);
        assert_eq!(item.as_str().is_some(), item.kind() == Text);
        assert_eq!(item.as_bytes().is_some(), item.kind() == Bytes);
        assert_eq!(
            (
                item.get("a"),
                item.index(0),
                item.items().count(),
                item.entries().count()
            ),
            (None, None, 0, 0)
        );
    }
    assert_eq!(all.index(8), None);
}

#[test]
fn numbers_are_exact() {
    let max = json("18446744073709551615");
    assert_eq!(
        (max.as_u64(), max.as_i64(), max.as_f64()),
        (Some(u64::MAX), None, None)
    );
    assert_eq!(max.to_json(), "18446744073709551615");
    let min = json("-9223372036854775808");
    assert_eq!(
        (min.as_i64(), min.as_u64(), min.as_f64()),
        (Some(i64::MIN), None, Some(-9223372036854775808.0))
    );
    assert_eq!(json("9007199254740993").as_f64(), None);
    assert_eq!(Value::from(5u64), Value::from(5i32));
    assert_ne!(json("1"), json("1.0"));
    assert_eq!(json("1.0").to_json(), "1.0");
    assert_eq!(json("1.0").as_i64(), None);
    assert_eq!(
        json("18446744073709551616").to_json(),
        "1.8446744073709552e+19"
    );
    assert_eq!(json("-9223372036854775809").kind(), Kind::Float);
    assert_eq!(json("-0").to_json(), "-0.0");
    assert!(json("-0") < json("0.0") && json("0") < json("-0"));
    assert_eq!(Value::from_json("1e400").unwrap_err().code(), 200);
    assert_eq!(json("1e-400").as_f64(), Some(0.0));
    assert_eq!(Value::from_f64(f64::NAN), None);
    assert_eq!(Value::try_from(f64::INFINITY).unwrap_err().code(), 205);
}

#[test]
fn the_order_is_the_documented_one() {
    let ascending = json(
        r#"[null, false, true, -1e300, -9223372036854775808, -9.2e18, -1.5, -1, -1.0, 0, -0.0, 0.0, 0.5, 1, 1.0, 1.5, 2,
            9007199254740992, 9007199254740992.0, 9007199254740993, 18446744073709551615, 18446744073709551616, 1e300,
            "", "a", "aa", "b", "é", "😀", [], [null], [1], [1, 0], [2], [[]], {}, {"a": 1}, {"b": 0, "a": 1}, {"a": 2}, {"b": 0}]"#,
    );
    let items: Vec<Value> = ascending.items().collect();
    assert!(items.is_sorted(), "{ascending}");
    assert!(items.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(json("\"z\"") < Value::bytes(*b"a") && Value::bytes(*b"a") < json("[]"));
}

#[test]
fn short_and_long_text() {
    for len in 0..60 {
        let text = "é".repeat(len);
        for value in [
            Value::from(text.as_str()),
            Value::from(text.clone()),
            Value::from(Arc::<str>::from(text.as_str())),
        ] {
            assert_eq!(value.as_str(), Some(text.as_str()));
            assert_eq!(value, Value::text(&text));
            assert_eq!(value.len(), text.len());
        }
    }
}

#[test]
fn json_errors_say_where_and_what() {
    let cases = [
        ("", "line 1, column 1: expected a value, found the end"),
        (
            "{\n  \"a\": 1,\n  b\n}",
            "line 3, column 3: expected a key in double quotes (found 'b')",
        ),
        ("[1 2]", "column 4: expected `,` or `]`"),
        ("{\"é\" 1}", "column 6: expected `:`"),
        ("[1,]", "column 4: expected a value (found ']')"),
        ("01", "column 2: a number has no leading zeros"),
        ("nul", "column 1: expected a value; the literals"),
        ("\"a\u{1}\"", "column 3: a control character"),
        ("\"abc", "column 5: the string does not end"),
        ("1 2", "column 3: unexpected text after the value"),
        ("\u{feff}1", "byte order mark"),
        ("1e999", "column 1: the number is beyond"),
    ];
    for (text, expected) in cases {
        let error = Value::from_json(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
        assert_eq!(error.code(), 200);
    }
    assert!(
        Value::from_json(b"[1,\n\xff]")
            .unwrap_err()
            .to_string()
            .contains("line 2, column 1: the text is not UTF-8")
    );
}

#[test]
fn msgpack_errors_say_where_and_what() {
    let cases: [(&[u8], i32, &str); 9] = [
        (b"", 201, "byte 0: the bytes end"),
        (b"\x93\x01", 201, "byte 2: the bytes end"),
        (b"\xc1", 201, "byte 0: 0xc1"),
        (b"\x01\x02", 201, "byte 1: 1 bytes are left"),
        (b"\x91\xa1\xff", 201, "byte 1: the text is not UTF-8"),
        (
            b"\x91\xd6\x05\x00\x00\x00\x00",
            205,
            "byte 1: extension type 5 has no form in a value",
        ),
        (b"\x81\x01\x02", 205, "byte 1: a key must be text"),
        (
            b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
            205,
            "NaN is not a finite number",
        ),
        (b"\xca\x7f\x80\x00\x00", 205, "inf is not a finite number"),
    ];
    for (bytes, code, expected) in cases {
        let error = Value::from_msgpack(bytes).unwrap_err();
        assert!(error.to_string().contains(expected), "{bytes:x?}: {error}");
        assert_eq!(error.code(), code);
    }
}

#[test]
fn bytes_print_one_way() {
    let value = value!({ "a": (Value::bytes(vec![0xfb, 0xff, 0])) });
    assert_eq!(value.to_json(), r#"{"a":{"$bytes":"+/8A"}}"#);
    assert_eq!(
        format!("{value} {value:?}"),
        [value.to_json(), value.to_json()].join(" ")
    );
    assert_eq!(serde_json::to_string(&value).unwrap(), value.to_json());
    assert_eq!(
        serde_json::Value::from(value.clone()).to_string(),
        value.to_json()
    );
    assert_eq!(
        json(&value.to_json()).at(&path(".a.$bytes")),
        Some(Value::from("+/8A"))
    );
    assert_eq!(Value::from_serialize(&value).unwrap(), value);
}

#[test]
fn pretty_printing() {
    let value = json(r#"{"a":[1,{"b":[]},{}],"c":"d"}"#);
    assert_eq!(
        format!("{value:#}"),
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    },\n    {}\n  ],\n  \"c\": \"d\"\n}"
    );
}

#[test]
fn edits_that_cannot_be_made_say_why() {
    let mut value = json(r#"{"a":{"b":[1,2]},"n":null}"#);
    let before = value.clone();
    let cases = [
        (".a.b.c", 203, "expected object at `.a.b`, found array"),
        (".a[0]", 203, "expected array at `.a`, found object"),
        (".n.x", 203, "expected object at `.n`, found null"),
        (
            ".a.b[3]",
            206,
            "index 3 is out of range at `.a.b`: the array has 2 items",
        ),
        (
            ".a.new[0]",
            203,
            "expected array at `.a.new`, found nothing",
        ),
        (
            ".a.b[2][0]",
            203,
            "expected array at `.a.b[2]`, found nothing",
        ),
    ];
    for (at, code, expected) in cases {
        let error = value.set(&path(at), Value::from(1)).unwrap_err();
        assert!(error.to_string().contains(expected), "{at}: {error}");
        assert_eq!(error.code(), code);
        assert_eq!(value, before);
    }
    assert_eq!(
        value.push(Value::NULL).unwrap_err().to_string(),
        "expected array at `.`, found object"
    );
    assert_eq!(
        Value::from(1).insert("a", Value::NULL).unwrap_err().code(),
        203
    );
    assert_eq!(value.remove(&Path::root()).unwrap_err().code(), 202);
    assert_eq!(value.remove(&path(".n.x.y")).unwrap(), None);
    value.set(&path(".a.b[2].c.d"), Value::from(3)).unwrap();
    assert_eq!(
        value.remove(&path(".a.b[0]")).unwrap(),
        Some(Value::from(1))
    );
    assert_eq!(
        value.insert("n", Value::from(4)).unwrap(),
        Some(Value::NULL)
    );
    assert_eq!(value.to_json(), r#"{"a":{"b":[2,{"c":{"d":3}}]},"n":4}"#);
    value.set(&Path::root(), Value::from(5)).unwrap();
    assert_eq!(value, Value::from(5));
}

#[test]
fn paths() {
    for (text, canonical) in [
        ("", "."),
        (".", "."),
        (".a.b[0].\"odd key\"", ".a.b[0].\"odd key\""),
        (".a[\"b\"][\"c d\"]", ".a.b.\"c d\""),
        ("[0]", ".[0]"),
        (".[0].a", ".[0].a"),
        (".a.[1]", ".a[1]"),
        (
            ".order-17.größe.$x.0",
            ".\"order-17\".\"größe\".\"$x\".\"0\"",
        ),
        (".\"\\u0041\\\"\\\\\"", ".\"A\\\"\\\\\""),
        (".\"\"", ".\"\""),
    ] {
        assert_eq!(path(text).to_string(), canonical, "{text}");
        assert_eq!(path(canonical), path(text), "{text}");
    }
    for (text, position, expected) in [
        ("a", 1, "starts with `.`"),
        (".a b", 3, "starts with `.`"),
        ("..", 2, "expected a key"),
        (".a.", 4, "expected a key"),
        (".a[", 4, "expected an index"),
        (".a[01]", 4, "leading zeros"),
        (".a[-1]", 4, "without sign"),
        (".é[1", 5, "expected `]`"),
        (".a[99999999999999999999999]", 4, "too large"),
        (".\"a", 2, "does not end"),
        (".\"\\x\"", 2, "not a JSON string"),
        (".a\"b\"", 3, "starts with `.`"),
    ] {
        let error = Path::parse(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert!(
            error
                .to_string()
                .contains(&format!("at character {position}:")),
            "{text}: {error}"
        );
        assert_eq!(error.code(), 202);
    }
    let deep = path(".a.b[3]");
    assert_eq!(
        deep.segments(),
        [
            Segment::Key("a".into()),
            Segment::Key("b".into()),
            Segment::Index(3)
        ]
    );
    assert_eq!(deep.parent(), Some(path(".a.b")));
    assert_eq!(Path::root().parent(), None);
    assert!(
        deep.starts_with(&path(".a")) && deep.starts_with(&deep) && deep.starts_with(&Path::root())
    );
    assert!(!deep.starts_with(&path(".a.c")) && !path(".ab").starts_with(&path(".a")));
    assert_eq!("[0]".parse::<Path>().unwrap(), Path::root().index(0));
}

#[test]
fn the_macro() {
    let name = "computed";
    let list = vec![Value::from(1), Value::from(2)];
    let made = value!({
        "null": null, "list": list.clone(), (name): [1 + 1, "a".to_string(), { "x": -1 }, [], null],
        "option": Option::<i64>::None, "ratio": 1.0 / 3.0, "nan": f64::NAN, "same": &list[0],
    });
    assert_eq!(
        made.to_json(),
        r#"{"null":null,"list":[1,2],"computed":[2,"a",{"x":-1},[],null],"option":null,"ratio":0.3333333333333333,"nan":null,"same":1}"#
    );
    assert_eq!(
        (value!([]), value!({}), value!(null), value!(7)),
        (json("[]"), json("{}"), json("null"), json("7"))
    );
    let collected: Value = BTreeMap::from([("b", 2), ("a", 1)]).into_iter().collect();
    assert_eq!(collected.to_json(), r#"{"a":1,"b":2}"#);
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Shape {
    Unit,
    Newtype(u8),
    Tuple(i32, String),
    Struct { x: f64, y: Option<bool> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Wrapper(u64);

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Everything {
    unit: (),
    wrapped: Wrapper,
    letter: char,
    tuple: (u8, i64),
    by_number: BTreeMap<i32, Shape>,
    by_flag: BTreeMap<bool, Option<String>>,
    shapes: Vec<Shape>,
    nested: Option<Box<Everything>>,
    #[serde(default)]
    missing: Vec<u8>,
    any: Value,
    big: u128,
}

fn everything() -> Everything {
    Everything {
        unit: (),
        wrapped: Wrapper(u64::MAX),
        letter: 'é',
        tuple: (1, -1),
        by_number: BTreeMap::from([(-1, Shape::Unit), (7, Shape::Newtype(3))]),
        by_flag: BTreeMap::from([(true, None), (false, Some("no".into()))]),
        shapes: vec![
            Shape::Tuple(1, "a".into()),
            Shape::Struct { x: 0.5, y: None },
            Shape::Struct {
                x: 2.0,
                y: Some(true),
            },
        ],
        nested: None,
        missing: vec![1],
        any: value!({ "z": [1, (Value::bytes(*b"x"))], "a": null }),
        big: 12,
    }
}

#[test]
fn serde_has_the_shape_of_json() {
    let mut inner = everything();
    let mut outer = Everything {
        nested: Some(Box::new(inner.clone())),
        ..everything()
    };
    let value = Value::from_serialize(&outer).unwrap();
    assert_eq!(value.deserialize::<Everything>().unwrap(), outer);
    // `serde_json` prints the same, bytes excepted, which it has not.
    inner.any = Value::NULL;
    outer.any = Value::NULL;
    outer.nested = Some(Box::new(inner));
    assert_eq!(
        Value::from_serialize(&outer).unwrap().to_json(),
        serde_json::to_string(&outer).unwrap()
    );
    assert_eq!(
        serde_json::from_str::<Everything>(&Value::from_serialize(&outer).unwrap().to_json())
            .unwrap(),
        outer
    );
}

#[test]
fn serde_errors_say_where_and_what() {
    let good = Value::from_serialize(&everything()).unwrap();
    let cases = [
        (
            ".wrapped",
            json("-1"),
            "`.wrapped`: invalid value: integer `-1`, expected u64",
        ),
        (
            ".shapes[1].Struct.x",
            json("\"x\""),
            "`.shapes[1].Struct.x`: invalid type: string \"x\", expected f64",
        ),
        (
            ".shapes[0]",
            json("\"Circle\""),
            "`.shapes[0]`: unknown variant `Circle`, expected one of",
        ),
        (
            ".shapes[0]",
            json("\"Newtype\""),
            "`.shapes[0]`: variant `Newtype` needs a value: {\"Newtype\": …}",
        ),
        (
            ".shapes[0]",
            json("[1]"),
            "`.shapes[0]`: expected the name of a variant",
        ),
        (
            ".shapes[0].Tuple",
            json("[1]"),
            "`.shapes[0].Tuple`: invalid length 1",
        ),
        (
            ".tuple",
            json("[1,2,3]"),
            "`.tuple`: expected 2 elements, found 3",
        ),
        (
            ".by_number",
            json("1"),
            "`.by_number`: unknown field `by_number`",
        ),
        (
            ".byNumber.x",
            json("1"),
            "`.byNumber.x`: invalid type: string \"x\", expected i32",
        ),
    ];
    for (at, new, expected) in cases {
        let mut value = good.clone();
        value.set(&path(at), new).unwrap();
        let error = value.deserialize::<Everything>().unwrap_err();
        assert!(error.to_string().contains(expected), "{at}: {error}");
        assert_eq!(error.code(), 203);
    }
    let mut value = good;
    value.remove(&path(".letter")).unwrap();
    assert!(
        value
            .deserialize::<Everything>()
            .unwrap_err()
            .to_string()
            .contains("`.`: missing field `letter`")
    );

    let unfit = |error: statewright_value::Error, expected: &str| {
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.code(), 205);
    };
    unfit(
        Value::from_serialize(&[("a", 1.0), ("b", f64::NAN)]).unwrap_err(),
        "at .[1][1]: NaN is not a finite number",
    );
    unfit(
        Value::from_serialize(&BTreeMap::from([((1, 2), 3)])).unwrap_err(),
        "a key must be text",
    );
    unfit(
        Value::from_serialize(&vec![u128::MAX]).unwrap_err(),
        "at .[0]: 340282366920938463463374607431768211455",
    );
    unfit(
        Value::from_serialize(&Shape::Struct {
            x: f64::INFINITY,
            y: None,
        })
        .unwrap_err(),
        "at .Struct.x: inf",
    );
}

#[test]
fn clones_do_not_see_edits() {
    let mut value: Value = (0..100)
        .map(|at| (format!("k{at}"), value!({ "list": [at] })))
        .collect();
    let before = value.clone();
    let text = before.to_json();
    value.set(&path(".k50.list[0]"), Value::NULL).unwrap();
    value.remove(&path(".k3")).unwrap();
    value
        .set(&path(".k99.list[1].new"), Value::from(1))
        .unwrap();
    assert_eq!(before.to_json(), text);
    assert_eq!(
        value.at(&path(".k99")).unwrap().to_json(),
        r#"{"list":[99,{"new":1}]}"#
    );
    assert_eq!(
        (value.len(), value.get("k3"), value.get("k4")),
        (99, None, before.get("k4"))
    );
}
