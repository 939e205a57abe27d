//! Typed JSON: every kind reads back, and nothing else is touched.

use crate::any::any_value;
use proptest::prelude::*;
use statewright_value::{Error, File, Limits, MAX_DEPTH, Value, value};

#[test]
fn the_forms_are_the_documented_ones() {
    let cases = [
        (Value::bytes(*b"hi"), r#"{"$bytes":"aGk="}"#),
        (Value::decimal("12.50").unwrap(), r#"{"$decimal":"12.50"}"#),
        (
            Value::date("2024-05-01").unwrap(),
            r#"{"$date":"2024-05-01"}"#,
        ),
        (Value::time("12:30").unwrap(), r#"{"$time":"12:30:00"}"#),
        (
            Value::datetime("2024-05-01T12:30:00+02:00").unwrap(),
            r#"{"$datetime":"2024-05-01T12:30:00+02:00"}"#,
        ),
        (
            Value::duration("90 min").unwrap(),
            r#"{"$duration":"PT1H30M"}"#,
        ),
        (
            File::new("a", 1).into(),
            r#"{"$file":{"name":"a","size":1}}"#,
        ),
        (value!({ "$date": 5 }), r#"{"$$date":5}"#),
        (value!({ "$$date": 5 }), r#"{"$$$date":5}"#),
        (value!({ "$date": 5, "b": 6 }), r#"{"$date":5,"b":6}"#),
        (
            value!({ "date": { "$ref": "#/x" } }),
            r##"{"date":{"$ref":"#/x"}}"##,
        ),
        (value!([1, 1.0, -0.0, null]), "[1,1.0,-0.0,null]"),
    ];
    for (value, json) in cases {
        assert_eq!(value.to_typed_json(), json);
        assert_eq!(Value::from_typed_json(json).unwrap(), value, "{json}");
        let nested = value!([{ "a": (value.clone()), "b": 1 }, (value.clone())]);
        assert_eq!(
            Value::from_typed_json(nested.to_typed_json()).unwrap(),
            nested
        );
    }
}

#[test]
fn plain_json_is_never_interpreted() {
    let json = r#"{"$date":"2024-05-01"}"#;
    assert_eq!(
        Value::from_json(json).unwrap(),
        value!({ "$date": "2024-05-01" })
    );
}

#[test]
fn bad_content_is_refused_with_its_path() {
    let cases = [
        (
            r#"{"a":[0,{"$date":5}]}"#,
            ".a[1]: `$date` needs a text, found integer",
        ),
        (r#"{"$date":"2023-02-29"}"#, ".: `2023-02-29` is no date"),
        (r#"[{"$bytes":"a"}]"#, ".[0]: `$bytes` needs padded base64"),
        (
            r#"[{"$decimal":"1,5"}]"#,
            ".[0]: expected a sign or none, digits",
        ),
        (
            r#"{"x":{"$file":{"name":"a"}}}"#,
            ".x: a file needs `name` and `size`",
        ),
        (
            r#"{"$file":{"name":"a","size":1,"extra":0}}"#,
            "`extra` is not a field of a file",
        ),
    ];
    for (json, expected) in cases {
        let error = Value::from_typed_json(json).unwrap_err();
        assert!(matches!(error, Error::NotRepresentable { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{json}: {error}");
    }
}

#[test]
fn limits_are_those_of_the_value() {
    let deep = |levels: usize| {
        format!(
            "{}{{\"$decimal\":\"1\"}}{}",
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let limits = Limits::default().with_max_depth(5);
    assert!(Value::from_typed_json_with(deep(5), &limits).is_ok());
    assert!(matches!(
        Value::from_typed_json_with(deep(6), &limits),
        Err(Error::Limit { .. })
    ));
    // Nothing recurses.
    let unlimited = Limits::unlimited();
    let deepest = Value::from_typed_json_with(deep(1022), &unlimited).unwrap();
    assert_eq!(
        Value::from_typed_json_with(deepest.to_typed_json(), &unlimited).unwrap(),
        deepest
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn the_plain_value_prints_the_same(value in any_value()) {
        let plain = value.to_plain();
        prop_assert_eq!(plain.to_json(), value.to_json());
        prop_assert_eq!(plain.to_plain(), plain);
    }

    #[test]
    fn typed_json_reads_back(value in any_value()) {
        let typed = value.to_typed_json();
        let read = Value::from_typed_json(&typed).unwrap();
        prop_assert_eq!(&read, &value, "{}", typed);
        prop_assert_eq!(read.to_typed_json(), typed, "the order is kept");
        prop_assert_eq!(value.to_typed().from_typed().unwrap(), value);
    }
}

#[test]
fn typed_json_counts_the_values_that_it_stands_for() {
    let value = Value::from(vec![
        Value::decimal("1.5").unwrap(),
        Value::from(
            File::new("f", 1)
                .with_hash([7; 32])
                .with_media_type("text/plain"),
        ),
    ]);
    for (items, ok) in [(2, false), (3, true)] {
        let limits = Limits::default().with_max_items(items);
        assert_eq!(value.check(&limits).is_ok(), ok);
        assert_eq!(
            Value::from_typed_json_with(value.to_typed_json(), &limits).is_ok(),
            ok
        );
    }
    let bytes = Value::from_iter([("$date", Value::bytes([0; 300]))]);
    let limits = Limits::default()
        .with_max_string(300)
        .with_max_key(5)
        .with_max_items(2);
    assert_eq!(
        Value::from_typed_json_with(bytes.to_typed_json(), &limits).unwrap(),
        bytes
    );
    for limits in [limits.with_max_string(299), limits.with_max_key(4)] {
        assert!(Value::from_typed_json_with(bytes.to_typed_json(), &limits).is_err());
    }
}

proptest! {
    /// The limits that a value just keeps are enough to read it back, but for the texts of files.
    #[test]
    fn what_keeps_limits_reads_back_within_them(value in any_value(), items in 0usize..40, string in 256usize..300) {
        let limits = Limits::default().with_max_items(items).with_max_string(string);
        let read = Value::from_typed_json_with(value.to_typed_json(), &limits);
        prop_assert_eq!(value.check(&limits).is_ok(), read.is_ok());
    }
}

/// A scalar of its own kind prints as objects, which are deeper than it is.
#[test]
fn typed_json_of_the_deepest_value_reads_back() {
    let date = Value::from(File::new("a", 1));
    for depth in [MAX_DEPTH - 1, MAX_DEPTH] {
        let value = (0..depth).fold(date.clone(), |inner, _| Value::from(vec![inner]));
        let read = Value::from_typed_json_with(value.to_typed_json(), &Limits::unlimited());
        assert_eq!(read, Ok(value));
    }
    let deeper = (0..=MAX_DEPTH).fold(value!(1), |inner, _| Value::from(vec![inner]));
    let read = Value::from_typed_json_with(deeper.to_typed_json(), &Limits::unlimited());
    assert!(matches!(read, Err(Error::Limit { .. })), "{read:?}");
}
