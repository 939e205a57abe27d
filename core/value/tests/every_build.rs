//! What a build with all features wrote is read, compared, printed and written again by every other one: no
//! test here asks for a feature.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may panic"
)]

use statewright_value::{Kind, Value, value};

/// MessagePack and what it prints as, in ascending order.
const STORED: [(&[u8], Kind, &str); 12] = [
    (b"\xc7\x03D\x82\x04\xe2", Kind::Decimal, "-12.50"),
    (b"\xd4D\x02", Kind::Decimal, "0.00"),
    (b"\xd6d\xff\xd4\x03\x0f", Kind::Date, r#""-000044-03-15""#),
    (b"\xd6d\x07\xe8\x02\x1d", Kind::Date, r#""2024-02-29""#),
    (
        b"\xd7t\0\0\x1d\xbd\x8f\xe2\x58\0",
        Kind::Time,
        r#""09:05:00""#,
    ),
    (
        b"\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        Kind::DateTime,
        r#""1969-12-31T23:59:59Z""#,
    ),
    (
        b"\xd6\xff\0\0\0\x01",
        Kind::DateTime,
        r#""1970-01-01T00:00:01Z""#,
    ),
    (
        b"\xd8z\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x1c\x20",
        Kind::DateTime,
        r#""1970-01-01T02:00:01+02:00""#,
    ),
    (
        b"\xd7\xff\x77\x35\x94\0\0\0\0\x01",
        Kind::DateTime,
        r#""1970-01-01T00:00:01.5Z""#,
    ),
    (
        b"\xc7\x0cp\xff\xff\xff\xff\xff\xff\xff\xff\xe2\x32\x9b\0",
        Kind::Duration,
        r#""-PT1.5S""#,
    ),
    (
        b"\xc7\x0cp\0\0\0\0\0\x01\x51\x81\0\0\0\0",
        Kind::Duration,
        r#""PT24H1S""#,
    ),
    (
        b"\xc7\x15f{\"name\":\"a\",\"size\":1}",
        Kind::File,
        r#"{"name":"a","size":1}"#,
    ),
];

#[test]
fn stored_kinds_are_read_and_written_in_every_build() {
    let mut all = Vec::new();
    for (bytes, kind, json) in STORED {
        let value = Value::from_msgpack(bytes).unwrap();
        assert_eq!(value.kind(), kind, "{json}");
        assert_eq!(value.to_json(), json);
        assert_eq!(value.to_msgpack(), bytes, "{json}");
        assert_eq!(value.deserialize::<Value>().unwrap(), value);
        assert_eq!(Value::from_serialize(&value).unwrap(), value);
        all.push(value);
    }
    assert!(all.is_sorted_by(|a, b| a < b));
    let whole = value!({ "all": all });
    assert_eq!(Value::from_msgpack(&whole.canonical()).unwrap(), whole);
}

#[test]
fn decimals_are_parsed_in_every_build() {
    let typed = r#"{"price":{"$decimal":"12.50"}}"#;
    assert_eq!(
        Value::from_typed_json(typed).unwrap().to_typed_json(),
        typed
    );
    let date = Value::from_typed_json(r#"{"$date":"2024-02-29"}"#);
    match cfg!(feature = "time") {
        true => assert_eq!(date.unwrap().to_msgpack(), STORED[3].0),
        false => {
            let error = date.unwrap_err().to_string();
            assert!(error.contains("needs the feature `time`"), "{error}");
        }
    }
}
