//! Schemas against people who mean harm: in the value, in the schema, in the patterns.

use proptest::prelude::*;
use statewright_value::schema::SchemaOptions;
use statewright_value::{Error, Path, Schema, Value, value};

fn schema(json: &str) -> Schema {
    Schema::compile(Value::from_json(json).unwrap().by_ref()).unwrap()
}

#[test]
fn lookaround_works_within_its_steps() {
    let password = schema(r#"{"pattern":"^(?=.*\\d)(?=.*[a-z]).{4,}$"}"#);
    assert!(password.is_valid(value!("abc1").by_ref()));
    let found = password
        .violations(value!("abcd").by_ref())
        .unwrap()
        .collect::<Vec<_>>();
    assert_eq!(found[0].keyword, "pattern");
    assert_eq!(
        found[0].message,
        "\"abcd\" does not match the pattern \"^(?=.*\\\\d)(?=.*[a-z]).{4,}$\""
    );

    let catastrophic = schema(r#"{"items":{"pattern":"^((a+)(?!y))+$"}}"#);
    let text = "a".repeat(40) + "!";
    let hostile = value!([text.as_str()]);
    for _ in 0..2 {
        match catastrophic.validate(hostile.by_ref()) {
            Err(Error::Limit { limit: 100_000, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(!catastrophic.is_valid(hostile.by_ref()));
    }
    let none = SchemaOptions::new().max_backtracking(0);
    assert_eq!(
        none.compile(value!({ "pattern": "(?=a)" }).by_ref())
            .unwrap_err()
            .code(),
        209
    );
    let names = value!({ "patternProperties": { "(?=a)": true } });
    assert_eq!(Schema::compile(names.by_ref()).unwrap_err().code(), 209);
    // Without lookaround the same repetition is linear.
    let linear = schema(r#"{"pattern":"^(a+)+$"}"#);
    assert!(!linear.is_valid(value!("a".repeat(100_000) + "!").by_ref()));
    // Far too large when compiled.
    let huge = value!({ "pattern": "((a{1000}){1000}){1000}" });
    assert_eq!(Schema::compile(huge.by_ref()).unwrap_err().code(), 209);
}

fn nested(depth: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(value!(1), |inner, _| wrap(inner))
}

/// Runs on the stack that test threads and most threads have.
fn on_two_megabytes(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn no_instance_overflows_the_stack() {
    let schemas = [
        r##"{"type":["object","integer"],"properties":{"a":{"$ref":"#"}},"additionalProperties":false}"##,
        r##"{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"}},
            {"type":"object","additionalProperties":{"$ref":"#"}}]}"##,
        r##"{"$dynamicAnchor":"n","allOf":[{"properties":{"a":{"$dynamicRef":"#n"}},"items":{"$dynamicRef":"#n"}}],
            "unevaluatedProperties":false}"##,
        r##"{"if":{"type":"object"},"then":{"not":{"not":{"properties":{"a":{"$ref":"#"}}}}}}"##,
        r##"{"oneOf":[{"type":"integer"},{"items":{"$ref":"#"},"type":"array"},
            {"patternProperties":{"a":{"$ref":"#"}},"type":"object"}]}"##,
    ];
    on_two_megabytes(move || {
        for source in schemas {
            let schema = schema(source);
            let mut answered = 0;
            for depth in [10, 100, 128, 200, 500, 1000, 1023] {
                for value in [
                    nested(depth, |inner| value!({ "a": inner })),
                    nested(depth, |inner| value!({ "x": 1, "a": inner })),
                    nested(depth, |inner| value!([inner])),
                ] {
                    match schema.validate(value.by_ref()) {
                        Ok(()) | Err(Error::SchemaViolation { .. }) => answered += 1,
                        Err(Error::Limit { .. }) => assert!(depth > 128, "{depth} {source}"),
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            assert!(answered >= 9, "{answered} {source}");
        }
    });
}

#[test]
fn no_chain_of_references_overflows_the_stack() {
    on_two_megabytes(|| {
        for (hop, hops) in [
            (r##"{"$ref":"R"}"##, 1),
            (r##"{"allOf":[{"$ref":"R"}]}"##, 2),
            (
                r##"{"not":{"anyOf":[{"$ref":"R"},{"$ref":"#/$defs/last"}]}}"##,
                3,
            ),
            (r##"{"$ref":"R","minLength":0}"##, 1),
        ] {
            for length in [250, 10_000] {
                let name = |at: usize| {
                    if at == length {
                        "last".to_owned()
                    } else {
                        format!("c{at}")
                    }
                };
                let mut definitions: Vec<_> = (0..length)
                    .map(|at| {
                        let next = format!("#/$defs/{}", name(at + 1));
                        (name(at), Value::from_json(hop.replace('R', &next)).unwrap())
                    })
                    .collect();
                definitions.push((name(length), value!({ "type": "integer" })));
                let definitions: Value = definitions.into_iter().collect();
                let source = value!({ "$ref": "#/$defs/c0", "$defs": definitions });
                match Schema::compile(source.by_ref()) {
                    Ok(schema) => {
                        assert!(length * hops < 256);
                        assert!(schema.is_valid(value!(1).by_ref()));
                        assert!(schema.validate(value!("x").by_ref()).is_err());
                    }
                    Err(error) => {
                        assert!(length * hops >= 256, "{error}");
                        assert_eq!(error.code(), 204);
                    }
                }
            }
        }
        // Every definition may lead back to every other one.
        let all: Vec<_> = (0..60)
            .map(|at| value!({ "$ref": format!("#/$defs/c{at}") }))
            .collect();
        let definitions: Value = (0..60)
            .map(|at| (format!("c{at}"), value!({ "anyOf": all.clone() })))
            .collect();
        let source = value!({ "$ref": "#/$defs/c0", "$defs": definitions });
        let schema = Schema::compile(source.by_ref());
        if let Ok(schema) = schema {
            let _ = schema.validate(value!(1).by_ref());
        }
    });
}

#[test]
fn reports_are_bounded_and_what_they_say_is_right() {
    let numbers = schema(r#"{"items":{"type":"integer"},"maxItems":5}"#);
    let many: Value = (0..100_000).map(|_| value!("x")).collect();
    let Err(Error::SchemaViolation { violations, more }) = numbers.validate(many.by_ref()) else {
        panic!("not integers");
    };
    assert!(more);
    assert_eq!(violations.len(), 1000);
    assert!(
        violations
            .iter()
            .all(|found| ["type", "maxItems"].contains(&found.keyword.as_str()))
    );

    // The one violation is the alternatives', inside which there are too many.
    let either = schema(r#"{"anyOf":[{"items":{"type":"integer"}},{"type":"null"}]}"#);
    let Err(Error::SchemaViolation { violations, more }) = either.validate(many.by_ref()) else {
        panic!("neither");
    };
    assert!(more);
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].alternatives[0].len(), 1000);

    // Too many inside an alternative that does not match do not hide that another one does.
    let either = schema(r#"{"anyOf":[{"items":{"type":"integer"}},{"type":"array"}]}"#);
    assert_eq!(either.validate(many.by_ref()), Ok(()));
    // Nor do they invent what is not so.
    let rest = schema(
        r#"{"items":{"type":"integer"},"type":"array","minItems":1,"contains":{"const":"x"}}"#,
    );
    let Err(Error::SchemaViolation { violations, .. }) = rest.validate(many.by_ref()) else {
        panic!("not integers");
    };
    assert!(
        violations
            .iter()
            .all(|found| found.keyword == "type" && found.path != Path::root())
    );
}

#[test]
fn exponential_work_ends() {
    // Without memory each level doubles the work; with it steps are few, and violations are bounded.
    let twice = schema(
        r##"{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["a"]},
            {"properties":{"a":{"$ref":"#"}},"required":["a","b"]}]}"##,
    );
    let deep = nested(60, |inner| value!({ "a": inner }));
    let result = twice.validate(deep.by_ref());
    assert!(matches!(
        result,
        Ok(()) | Err(Error::SchemaViolation { .. } | Error::Limit { .. })
    ));
    let few = SchemaOptions::new().max_steps(100);
    let few = few
        .compile(value!({ "items": { "items": { "type": "integer" } } }).by_ref())
        .unwrap();
    let large: Value = (0..1000).map(|_| value!([1])).collect();
    assert_eq!(few.validate(large.by_ref()).unwrap_err().code(), 204);
    assert!(!few.is_valid(large.by_ref()));
}

/// Words of schemas among other keys, so that random ones mean something.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-4i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(1.0), Just(-0.0), Just(1e300)]
            .prop_map(|float| Value::from_f64(float).unwrap()),
        "[a-c]{0,2}".prop_map(Value::from),
        Just(Value::from("#")),
        Just(Value::from("#/items")),
        proptest::collection::vec(any::<u8>(), 0..3).prop_map(Value::bytes),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(
                (
                    prop_oneof![
                        Just("$ref"),
                        Just("anyOf"),
                        Just("items"),
                        Just("properties"),
                        Just("not"),
                        Just("a")
                    ],
                    inner
                ),
                0..5
            )
            .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_schema_and_no_instance_makes_it_panic(schema in any_value(), value in any_value()) {
        if let Ok(schema) = Schema::compile(schema.by_ref()) {
            let _ = schema.validate(value.by_ref());
        }
    }
}

/// Comparing the items of an array looks at all that is in them, once for each `uniqueItems`.
#[test]
fn unique_items_are_counted_in_the_steps() {
    let nested = nested(100, |inner| value!([(inner)]));
    let twice = value!({ "items": { "$ref": "#" }, "uniqueItems": true });
    let validate = |steps| {
        let schema = SchemaOptions::new().max_steps(steps);
        let schema = schema.compile(twice.by_ref()).unwrap();
        schema.validate(nested.by_ref())
    };
    match validate(3_000) {
        Err(Error::Limit { limit: 3_000, .. }) => {}
        other => panic!("{other:?}"),
    }
    validate(20_000).unwrap();
    let again = value!([[[1, 1]], [[1, 1]]]);
    let found = schema(r#"{"uniqueItems":true}"#);
    assert!(!found.is_valid(again.by_ref()));
}
