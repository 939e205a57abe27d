//! Schemas: what they say about a value, what they refuse, and that nothing hostile gets through.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use statewright_value::schema::{Draft, SchemaOptions, infer};
use statewright_value::{Error, File, Limits, Schema, Value, Violation, value};

fn schema(json: &str) -> Schema {
    Schema::compile(Value::from_json(json).unwrap().by_ref()).unwrap()
}

fn violations(schema: &Schema, value: &Value) -> Vec<Violation> {
    let found: Vec<_> = schema.violations(value.by_ref()).unwrap().collect();
    match schema.validate(value.by_ref()) {
        Ok(()) => assert!(found.is_empty()),
        Err(Error::SchemaViolation { violations, more }) => {
            assert!(!more);
            assert_eq!(violations, found);
        }
        Err(other) => panic!("{other}"),
    }
    assert_eq!(schema.is_valid(value.by_ref()), found.is_empty());
    found
}

/// Checks the path and message of each violation.
#[track_caller]
fn says(schema_json: &str, value: Value, expected: &[(&str, &str)]) {
    let found = violations(&schema(schema_json), &value);
    let found: Vec<_> = found
        .iter()
        .map(|violation| (violation.path.to_string(), violation.message.as_str()))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(path, message)| ((*path).to_owned(), *message))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_violation_says_where_what_was_expected_and_what_is_there() {
    says(
        r#"{"type":"string"}"#,
        value!(5),
        &[(".", "expected string, found integer 5")],
    );
    says(
        r#"{"type":["string","null"]}"#,
        value!([1, 2]),
        &[(".", "expected null or string, found an array of 2 items")],
    );
    says(
        r#"{"required":["user_name","b"]}"#,
        value!({ "userName": 1 }),
        &[
            (
                ".",
                "the key \"user_name\" is missing (there is \"userName\")",
            ),
            (".", "the key \"b\" is missing"),
        ],
    );
    says(
        r#"{"properties":{"a":{}},"additionalProperties":false}"#,
        value!({ "a": 1, "b": 2, "c": 3 }),
        &[(".", "no key \"b\", \"c\" is allowed here")],
    );
    says(
        r#"{"items":{"enum":["a","b",3]}}"#,
        value!(["a", 3.0, "c"]),
        &[(
            ".[2]",
            "\"c\" is none of the allowed values: \"a\", \"b\", 3",
        )],
    );
    says(r#"{"const":{"a":1}}"#, value!({ "a": 1.0 }), &[]);
    says(
        r#"{"const":{"a":1}}"#,
        value!({ "a": 2 }),
        &[(".", "expected {\"a\":1}, found an object of 1 keys")],
    );
    says(
        r#"{"properties":{"a~/b":{"items":{"minimum":0,"maximum":9}}}}"#,
        value!({ "a~/b": [3, -1, 10.5] }),
        &[
            (".\"a~/b\"[1]", "-1 is less than the minimum 0"),
            (".\"a~/b\"[2]", "10.5 is greater than the maximum 9"),
        ],
    );
    says(
        r#"{"minLength":3,"maxLength":3,"pattern":"^é"}"#,
        value!("ée"),
        &[(".", "has 2 characters, fewer than the minimum 3")],
    );
    says(
        r#"{"pattern":"^\\d+$"}"#,
        value!("x1"),
        &[(".", "\"x1\" does not match the pattern \"^\\\\d+$\"")],
    );
    says(
        r#"{"minItems":2,"uniqueItems":true}"#,
        value!([[1, { "a": 2 }], [1.0, { "a": 2.0 }]]),
        &[(".", "has an item twice, but items must be unique")],
    );
    says(
        r#"{"propertyNames":{"maxLength":1}}"#,
        value!({ "a": 1, "bb": 2 }),
        &[(".", "a key is not allowed: it has more than 1 characters")],
    );
    says(
        r#"{"anyOf":[{"type":"string"},{"type":"array"}]}"#,
        value!(1),
        &[(
            ".",
            "matches none of the 2 alternatives: expected string or array",
        )],
    );
    says(
        r#"{"oneOf":[{"type":"integer"},{"minimum":0}]}"#,
        value!(1),
        &[(
            ".",
            "matches more than one of the alternatives, of which exactly one must match",
        )],
    );
    says(
        r#"{"prefixItems":[true],"items":false}"#,
        value!([1, 2]),
        &[(".[1]", "no more items are allowed here (`items` is false)")],
    );
    says(
        "false",
        value!(1),
        &[(".", "no value is allowed here (the schema is false)")],
    );
}

#[test]
fn an_error_spells_out_the_first_violations() {
    let numbers = schema(r#"{"items":{"type":"integer"}}"#);
    let error = numbers
        .validate(value!(["a", 2, "b"]).by_ref())
        .unwrap_err();
    assert_eq!(error.code(), 210);
    assert_eq!(
        error.to_string(),
        "the value does not satisfy the schema in 2 places: at `.[0]`: expected integer, found text \"a\" \
         (schema: /items/type); at `.[2]`: expected integer, found text \"b\" (schema: /items/type)"
    );
    let found = violations(&numbers, &value!(["a"]));
    assert_eq!(
        found[0].to_value(),
        value!({
            "path": ".[0]", "schema_path": "/items/type", "keyword": "type",
            "message": "expected integer, found text \"a\"",
        })
    );
}

#[test]
fn alternatives_say_what_keeps_each_from_matching() {
    let shape = schema(
        r##"{"oneOf":[{"$ref":"#/$defs/circle"},{"required":["width"]}],
            "$defs":{"circle":{"properties":{"radius":{"type":"number"}},"required":["radius"]}}}"##,
    );
    let found = violations(&shape, &value!({ "radius": "big" }));
    assert_eq!(found.len(), 1);
    let inner: Vec<Vec<_>> = found[0]
        .alternatives
        .iter()
        .map(|branch| branch.iter().map(|inner| inner.to_string()).collect())
        .collect();
    assert_eq!(
        inner,
        [
            [
                "`.radius`: expected number, found text \"big\" (schema: /$defs/circle/properties/radius/type)"
            ],
            ["`.`: the key \"width\" is missing (schema: /oneOf/1/required)"],
        ]
    );
}

#[test]
fn kinds_beyond_json_count_as_what_they_print_as() {
    let decimal = |text: &str| Value::from(text.parse::<statewright_value::Decimal>().unwrap());
    let cases = [
        (
            r#"{"type":"number","multipleOf":0.5,"maximum":2.5}"#,
            decimal("2.50"),
            true,
        ),
        (r#"{"type":"integer","const":2}"#, decimal("2.00"), true),
        (r#"{"type":"integer"}"#, decimal("2.01"), false),
        (r#"{"enum":[0.1]}"#, decimal("0.10"), true),
        (
            r#"{"type":"integer"}"#,
            decimal("79228162514264337593543950335"),
            true,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([decimal("1.10"), decimal("1.1")]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([decimal("1.10"), 1.1]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([[decimal("1")], [1]]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([
                decimal("1.000000000000000000000000010"),
                decimal("1.00000000000000000000000001")
            ]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([
                decimal("1.00000000000000000000000001"),
                decimal("1.00000000000000000000000002")
            ]),
            true,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([(Value::date("2024-05-01").unwrap()), "2024-05-01"]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([[(Value::bytes(*b"hi"))], ["aGk="]]),
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            value!([(File::new("a", 1)), { "size": 1, "name": "a" }]),
            false,
        ),
        (
            r#"{"type":"string","const":"aGk="}"#,
            Value::bytes(*b"hi"),
            true,
        ),
        (r#"{"minLength":5}"#, Value::bytes(*b"hi"), false),
        (r#"{"type":"integer"}"#, value!(1.0), true),
        (
            r#"{"type":"integer","minimum":18446744073709551615}"#,
            value!(u64::MAX),
            true,
        ),
        (
            r#"{"exclusiveMaximum":9007199254740993}"#,
            value!(9_007_199_254_740_992_i64),
            true,
        ),
    ];
    for (schema_json, value, valid) in cases {
        assert_eq!(
            schema(schema_json).is_valid(value.by_ref()),
            valid,
            "{schema_json} {value}"
        );
    }
    let file = Value::from(
        File::new("a.txt", 5)
            .with_media_type("text/plain")
            .with_hash([7; 32]),
    );
    for (schema_json, valid) in [
        (
            r#"{"type":"object","required":["name","size"],"minProperties":4}"#,
            true,
        ),
        (
            r#"{"properties":{"size":{"maximum":5},"name":{"pattern":"txt$"}}}"#,
            true,
        ),
        (r#"{"properties":{"size":{"maximum":4}}}"#, false),
        (
            r#"{"properties":{"hash":{"pattern":"^07"}},"required":["location"]}"#,
            false,
        ),
        (
            r#"{"additionalProperties":{"type":["string","integer"]}}"#,
            true,
        ),
        (
            r#"{"properties":{"name":{"const":"a.txt"},"size":{"const":5.0}}}"#,
            true,
        ),
        (r#"{"type":"string"}"#, false),
    ] {
        assert_eq!(
            schema(schema_json).is_valid(file.by_ref()),
            valid,
            "{schema_json}"
        );
        assert_eq!(
            schema(schema_json).is_valid(Value::from_json(file.to_json()).unwrap().by_ref()),
            valid,
            "{schema_json}, as plain JSON"
        );
    }
}

#[test]
fn dates_and_times_are_strings() {
    let date = statewright_value::jiff::civil::date(2024, 2, 29);
    let text = schema(r#"{"type":"string","pattern":"^2024-02","minLength":10,"maxLength":10}"#);
    assert!(text.is_valid(Value::from(date).by_ref()));
}

#[test]
fn formats_are_remarks_unless_asked_for() {
    let formats = value!({ "format": "ipv4", "contentEncoding": "base64", "contentMediaType": "application/json" });
    for draft in [Draft::Draft202012, Draft::Draft7] {
        let options = SchemaOptions::new().default_draft(draft);
        let lenient = options.compile(formats.by_ref()).unwrap();
        assert!(lenient.is_valid(value!("a.b").by_ref()), "{draft:?}");
        let strict = options
            .check_formats(true)
            .compile(formats.by_ref())
            .unwrap();
        assert!(!strict.is_valid(value!("a.b").by_ref()), "{draft:?}");
    }
    let strict = SchemaOptions::new().check_formats(true);
    let strict = strict
        .compile(value!({ "format": "ipv4" }).by_ref())
        .unwrap();
    assert!(strict.is_valid(value!("127.0.0.1").by_ref()));
    assert_eq!(
        violations(&strict, &value!("127.0.0"))[0].message,
        "\"127.0.0\" is not of the format `ipv4`"
    );
}

#[track_caller]
fn refused(options: &SchemaOptions, schema: &Value, path: &str, reason: &str) {
    let error = options.compile(schema.by_ref()).unwrap_err();
    assert_eq!(error.code(), 209);
    match error {
        Error::InvalidSchema {
            path: found,
            reason: said,
        } => {
            assert_eq!((found.to_string().as_str(), said.as_str()), (path, reason));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_invalid_schema_is_refused_with_the_place() {
    let options = SchemaOptions::new();
    refused(
        &options,
        &value!(5),
        ".",
        "a schema is an object or a boolean, this is integer",
    );
    refused(
        &options,
        &value!({ "properties": { "a": { "type": "text" } } }),
        ".properties.a.type",
        "matches none of the 2 alternatives",
    );
    refused(
        &options,
        &value!({ "minLength": -1 }),
        ".minLength",
        "-1 is less than the minimum 0",
    );
    refused(
        &options,
        &value!({ "$ref": "#/$defs/nowhere" }),
        ".",
        "a reference leads to `/$defs/nowhere`, where nothing is",
    );
    refused(
        &options,
        &value!({ "$ref": "#nowhere" }),
        ".",
        "a reference leads to the anchor `nowhere`, which is not declared",
    );
    let deep = (0..200).fold(value!({}), |inner, _| value!({ "not": inner }));
    assert_eq!(Schema::compile(deep.by_ref()).unwrap_err().code(), 204);
}

#[test]
fn nothing_is_fetched() {
    for uri in [
        "https://example.com/a",
        "http://localhost:1/a",
        "file:///etc/passwd",
        "urn:example:a",
    ] {
        refused(
            &SchemaOptions::new(),
            &value!({ "items": { "$ref": uri } }),
            ".",
            &format!(
                "the reference to `{uri}` leads nowhere: nothing is fetched; give it with \
                 `SchemaOptions::with_document` or `SchemaOptions::resolver`"
            ),
        );
        let known = SchemaOptions::new().with_document(uri, value!({ "type": "string" }));
        let schema = known.compile(value!({ "$ref": uri }).by_ref()).unwrap();
        assert!(schema.is_valid(value!("x").by_ref()) && !schema.is_valid(value!(1).by_ref()));
    }
}

#[test]
fn a_resolver_is_asked_once_per_document() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let options = SchemaOptions::new()
        .with_document(
            "https://example.com/known",
            value!({ "$ref": "other#/$defs/x" }),
        )
        .resolver(move |uri| {
            log.lock().unwrap().push(uri.to_owned());
            Ok((uri == "https://example.com/other")
                .then(|| value!({ "$defs": { "x": { "type": "null" } } })))
        });
    let source = value!({ "allOf": [{ "$ref": "https://example.com/known" }, { "$ref": "https://example.com/known#" }] });
    let schema = options.compile(source.by_ref()).unwrap();
    assert!(schema.is_valid(value!(null).by_ref()) && !schema.is_valid(value!(1).by_ref()));
    assert_eq!(*asked.lock().unwrap(), ["https://example.com/other"]);
    refused(
        &options,
        &value!({ "$ref": "https://example.com/third" }),
        ".",
        "the reference to `https://example.com/third` leads nowhere: the resolver does not know it",
    );
}

#[derive(JsonSchema, Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Circle { radius: f64 },
    Point,
}

#[derive(JsonSchema, Serialize, Deserialize, Debug, PartialEq)]
struct Drawing {
    title: String,
    shapes: Vec<Shape>,
    parent: Option<Box<Drawing>>,
}

#[test]
fn the_schema_of_a_type_accepts_its_values_and_extracts_them() {
    let schema = Schema::of::<Drawing>().unwrap();
    let drawing = Drawing {
        title: "a".into(),
        shapes: vec![Shape::Circle { radius: 1.5 }, Shape::Point],
        parent: Some(Box::new(Drawing {
            title: "b".into(),
            shapes: vec![],
            parent: None,
        })),
    };
    let value = Value::from_serialize(&drawing).unwrap();
    assert_eq!(schema.extract::<Drawing>(value.by_ref()), Ok(drawing));
    let wrong = value!({ "title": "a", "shapes": [{ "circle": { "radius": "big" } }] });
    let error = wrong.extract::<Drawing>(&schema).unwrap_err();
    assert_eq!(error.code(), 210);
    assert!(error.to_string().contains(".shapes[0]"), "{error}");
}

#[test]
fn schemas_are_shared_between_threads() {
    let schema = schema(r#"{"type":"array","items":{"type":"integer"}}"#);
    let valid = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let schema = schema.clone();
            let valid = &valid;
            scope.spawn(move || {
                for at in 0..1000 {
                    let value = value!([at, at]);
                    valid.fetch_add(
                        usize::from(schema.is_valid(value.by_ref())),
                        Ordering::Relaxed,
                    );
                }
            });
        }
    });
    assert_eq!(valid.into_inner(), 4000);
}

#[test]
fn inference_finds_enums_and_optional_keys() {
    let samples = Value::from_json(
        r#"[{"state":"on","n":1,"x":[1,"a"]},{"state":"off","n":null,"x":[]},{"state":"on","n":2,"x":[{"y":true}]},
            {"state":"off","x":[]},{"state":"on","x":[]},{"state":"on","x":[]}]"#,
    )
    .unwrap();
    assert_eq!(
        infer(samples.by_ref().items()).to_json(),
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{\
         \"state\":{\"type\":\"string\",\"enum\":[\"off\",\"on\"]},\"n\":{\"type\":[\"integer\",\"null\"]},\
         \"x\":{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"object\",\"string\"],\
         \"properties\":{\"y\":{\"type\":\"boolean\"}},\"required\":[\"y\"]}}},\"required\":[\"state\",\"x\"]}"
    );
    let nothing = infer([]);
    assert!(
        Schema::compile(nothing.by_ref())
            .unwrap()
            .is_valid(value!(1).by_ref())
    );
}

#[test]
fn what_is_inferred_from_other_kinds_accepts_them() {
    let date = Value::date("2024-05-01").unwrap();
    for samples in [
        vec![value!("a"), value!("a"), value!("a"), date],
        vec![value!("a"), value!("a"), value!("a"), Value::bytes(*b"x")],
        vec![value!({ "x": 1 }), Value::from(File::new("f", 1))],
        vec![value!({ "name": 1 }), Value::from(File::new("f", 1))],
    ] {
        let schema = Schema::compile(infer(samples.iter().map(Value::by_ref)).by_ref()).unwrap();
        for sample in &samples {
            assert!(
                schema.is_valid(sample.by_ref()),
                "{sample} by {}",
                schema.source()
            );
        }
    }
    let files = [Value::from(File::new("f", 1)), value!({ "name": "g" })];
    assert_eq!(
        infer(files.iter().map(Value::by_ref)).get("required"),
        Some(value!(["name"]))
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-4i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(1.0), Just(-0.0), Just(1e300)]
            .prop_map(|float| Value::from_f64(float).unwrap()),
        "[a-c]{0,2}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..3).prop_map(Value::bytes),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[a-d]", inner), 0..5)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    /// Of few different ones, so that an `enum` is inferred.
    #[test]
    fn samples_of_every_kind_satisfy_what_is_inferred_from_them(
        pool in proptest::collection::vec(crate::any::any_value(), 1..4),
        picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let samples: Vec<&Value> = picks.iter().map(|pick| pick.get(&pool)).collect();
        let schema = infer(samples.iter().map(|sample| sample.by_ref()));
        let schema = Schema::compile(schema.by_ref()).unwrap();
        for sample in samples {
            prop_assert_eq!(schema.validate(sample.by_ref()), Ok(()), "{:?}", schema);
        }
    }

    #[test]
    fn samples_satisfy_what_is_inferred_from_them(samples in proptest::collection::vec(any_value(), 0..12)) {
        let schema = infer(samples.iter().map(Value::by_ref));
        let schema = Schema::compile(schema.by_ref()).unwrap();
        for sample in &samples {
            prop_assert_eq!(schema.validate(sample.by_ref()), Ok(()), "{:?}", schema);
        }
    }

    #[test]
    fn unique_items_are_those_that_differ_as_json(items in proptest::collection::vec(any_value(), 0..6)) {
        let unique = items.iter().enumerate().all(|(at, item)| {
            items.iter().skip(at + 1).all(|other| !item.by_ref().json_eq(other.by_ref()))
        });
        let schema = schema(r#"{"uniqueItems":true}"#);
        prop_assert_eq!(schema.is_valid(Value::from(items).by_ref()), unique);
    }

    #[test]
    fn the_form_of_a_value_makes_no_difference(value in any_value()) {
        let schema = schema(
            r##"{"type":["object","array","integer"],"items":{"$ref":"#"},"additionalProperties":{"$ref":"#"},
                "uniqueItems":true,"maxProperties":3}"##,
        );
        let packed = Value::from_json_with(value.to_json(), &Limits::unlimited()).unwrap();
        let nodes: Value = Value::from_msgpack(&packed.to_msgpack()).unwrap();
        prop_assert_eq!(schema.validate(packed.by_ref()), schema.validate(nodes.by_ref()));
    }
}
