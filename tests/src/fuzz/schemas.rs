//! A schema and a value, both from strangers.

use statewright_value::schema::SchemaOptions;
use statewright_value::{Error, Schema, Value, schema};

use super::{limits, nodes, two_lines};

/// A schema, then an instance.
pub(super) fn schema(data: &[u8]) {
    let (source, instance) = two_lines(data);
    let read = |text| Value::from_json_with(text, &limits());
    let (Ok(source), Ok(instance)) = (read(source), read(instance)) else {
        return;
    };
    assert_inferred(&instance);
    for formats in [false, true] {
        let options = SchemaOptions::new()
            .max_steps(20_000)
            .max_backtracking(500)
            .max_violations(20)
            .check_formats(formats);
        match options.compile(source.by_ref()) {
            Ok(schema) => assert_validates(&schema, &instance),
            Err(error) => assert!([204, 209].contains(&error.code()), "{error}"),
        }
    }
}

fn assert_validates(schema: &Schema, instance: &Value) {
    let result = schema.validate(instance.by_ref());
    let other = nodes(instance.by_ref());
    match (&result, &schema.validate(other.by_ref())) {
        // How deep the stack is differs by a little.
        (Err(Error::Limit { .. }), _) | (_, Err(Error::Limit { .. })) => return,
        (result, other) => assert_eq!(result, other),
    }
    assert_eq!(schema.is_valid(instance.by_ref()), result.is_ok());
    match result {
        Ok(()) => assert_eq!(schema.violations(instance.by_ref()).unwrap().count(), 0),
        Err(Error::SchemaViolation { violations, .. }) => {
            assert!(!violations.is_empty() && violations.len() <= 20);
            for violation in &violations {
                assert!(instance.has(&violation.path), "{violation}");
                assert!(violation.to_value().get("keyword").is_some());
            }
        }
        Err(error) => assert_eq!(error.code(), 209, "{error}"),
    }
}

/// What is inferred from a value describes it.
fn assert_inferred(instance: &Value) {
    let inferred = schema::infer([instance.by_ref()]);
    let schema = Schema::compile(inferred.by_ref()).unwrap();
    match schema.validate(instance.by_ref()) {
        Ok(()) | Err(Error::Limit { .. }) => {}
        Err(error) => panic!("{instance} is not as inferred, {inferred}: {error}"),
    }
}
