//! The kinds beyond JSON: what they print, how they order, and that they survive every encoding.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::any::{any_value, date, datetime, decimal, duration, time};
use proptest::prelude::*;
use statewright_value::jiff::civil::{self, Date};
use statewright_value::jiff::{SignedDuration, tz::Offset};
use statewright_value::{DateTime, Decimal, File, Kind, Value, value};

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn at(local: civil::DateTime, offset: i32) -> Value {
    Value::from(DateTime::new(local, Offset::from_seconds(offset).unwrap()))
}

#[test]
fn kinds_and_plain_json() {
    let noon = civil::date(2024, 5, 1).at(12, 30, 0, 250_000_000);
    let hash = File::of("", b"").hash().unwrap();
    let cases = [
        (Decimal::new(1250, 2).into(), Kind::Decimal, "12.50"),
        (Decimal::new(-5, 3).into(), Kind::Decimal, "-0.005"),
        (Decimal::new(7, 0).into(), Kind::Decimal, "7"),
        (
            Decimal::MAX.into(),
            Kind::Decimal,
            "79228162514264337593543950335",
        ),
        (
            civil::date(2024, 2, 29).into(),
            Kind::Date,
            r#""2024-02-29""#,
        ),
        (
            civil::date(-44, 3, 15).into(),
            Kind::Date,
            r#""-000044-03-15""#,
        ),
        (civil::time(9, 5, 0, 0).into(), Kind::Time, r#""09:05:00""#),
        (
            civil::time(23, 59, 59, 1_000).into(),
            Kind::Time,
            r#""23:59:59.000001""#,
        ),
        (at(noon, 0), Kind::DateTime, r#""2024-05-01T12:30:00.25Z""#),
        (
            at(noon, 7200),
            Kind::DateTime,
            r#""2024-05-01T12:30:00.25+02:00""#,
        ),
        (
            at(noon, -12_601),
            Kind::DateTime,
            r#""2024-05-01T12:30:00.25-03:30:01""#,
        ),
        (
            SignedDuration::from_secs(5400).into(),
            Kind::Duration,
            r#""PT1H30M""#,
        ),
        (
            SignedDuration::from_millis(-500).into(),
            Kind::Duration,
            r#""-PT0.5S""#,
        ),
        (SignedDuration::ZERO.into(), Kind::Duration, r#""PT0S""#),
        (
            File::new("a\"b", 3).into(),
            Kind::File,
            r#"{"name":"a\"b","size":3}"#,
        ),
        (
            File::new("a", 0)
                .with_media_type("text/plain")
                .with_location("/a")
                .into(),
            Kind::File,
            r#"{"name":"a","media_type":"text/plain","size":0,"location":"/a"}"#,
        ),
        (
            File::new("a", 0).with_hash(hash).into(),
            Kind::File,
            r#"{"name":"a","size":0,"hash":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}"#,
        ),
    ];
    for (value, kind, json) in cases {
        assert_eq!(value.kind(), kind, "{json}");
        assert_eq!(value.to_json(), json);
        assert_eq!(value.len(), 0);
        assert_eq!(
            value!({ "x": (value.clone()) }).to_json(),
            format!(r#"{{"x":{json}}}"#)
        );
    }
}

#[test]
fn kinds_have_names_and_groups() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    assert!(Kind::ALL.is_sorted());
    assert_eq!(Kind::from_name("Null"), None);
    let of = |test: fn(Kind) -> bool| Kind::ALL.into_iter().filter(|kind| test(*kind)).count();
    assert_eq!(
        [
            of(Kind::is_number),
            of(Kind::is_temporal),
            of(Kind::is_container)
        ],
        [3, 4, 2]
    );
}

#[test]
fn truthiness() {
    let zero: Value = Decimal::new(0, 2).into();
    for falsy in [
        value!(null),
        value!(false),
        value!(0),
        value!(-0.0),
        zero,
        value!(""),
        value!([]),
        value!({}),
        Value::bytes([]),
        SignedDuration::ZERO.into(),
    ] {
        assert!(!falsy.is_truthy(), "{falsy}");
    }
    for truthy in [
        value!(true),
        value!(-1),
        value!(u64::MAX),
        value!(1e-300),
        value!("0"),
        value!([null]),
        value!({ "": 0 }),
        Value::bytes([0]),
        Decimal::new(1, 28).into(),
        civil::time(0, 0, 0, 0).into(),
        File::new("", 0).into(),
        SignedDuration::from_nanos(-1).into(),
    ] {
        assert!(truthy.is_truthy(), "{truthy}");
    }
}

#[test]
fn typed_reads_say_what_is_there() {
    let date = civil::date(2024, 2, 29);
    let value = Value::from(date);
    assert_eq!(Date::try_from(value.by_ref()), Ok(date));
    assert_eq!(Decimal::try_from(value!(5).by_ref()), Ok(Decimal::from(5)));
    let error = DateTime::try_from(value.by_ref()).unwrap_err();
    assert_eq!(error.to_string(), "expected datetime at `.`, found date");
    assert_eq!(Decimal::try_from(value.by_ref()).unwrap_err().code(), 203);
    let object = value!({ "name": "a", "size": 1 });
    assert_eq!(File::try_from(object.by_ref()), Ok(File::new("a", 1)));
}

#[test]
fn decimals_go_through_serde_without_loss() {
    let short = Value::from(Decimal::new(1250, 2));
    let long = Value::from(Decimal::MAX);
    assert_eq!(
        serde_json::Value::from(short.clone()),
        serde_json::json!(12.5)
    );
    assert_eq!(
        serde_json::Value::from(long.clone()),
        serde_json::json!("79228162514264337593543950335")
    );
    for value in [short.clone(), long.clone()] {
        assert_eq!(
            serde_json::to_value(&value).unwrap(),
            serde_json::Value::from(value.clone())
        );
    }
    assert_eq!(short.deserialize::<f64>().unwrap(), 12.5);
    assert_eq!(short.deserialize::<String>().unwrap(), "12.50");
    assert_eq!(
        Value::from(Decimal::new(-700, 2))
            .deserialize::<i8>()
            .unwrap(),
        -7
    );
    assert_eq!(short.deserialize::<i64>().unwrap_err().code(), 203);
    assert_eq!(long.deserialize::<u128>().unwrap(), (1 << 96) - 1);
}

#[test]
fn rust_types_hold_values_of_every_kind() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Order {
        total: Value,
        day: String,
        file: Value,
    }
    let value = value!({
        "total": Decimal::new(1250, 2),
        "day": civil::date(2024, 2, 29),
        "file": File::of("a", b"a"),
    });
    let order: Order = value.deserialize().unwrap();
    assert_eq!(order.total.to_json(), "12.50");
    assert_eq!(order.day, "2024-02-29");
    let back = Value::from_serialize(&order).unwrap();
    assert_eq!(back.get("total").unwrap().kind(), Kind::Decimal);
    assert_eq!(back.get("file"), value.get("file"));
}

#[test]
fn numbers_of_one_value_order_by_kind_and_scale() {
    let sorted = [
        value!(-1),
        value!(0),
        value!(-0.0),
        value!(0.0),
        Decimal::new(0, 0).into(),
        Decimal::new(0, 5).into(),
        value!(1e-300),
        Decimal::new(1, 28).into(),
        value!(0.1),
        Decimal::new(2, 1).into(),
        value!(1),
        value!(1.0),
        Decimal::new(1, 0).into(),
        Decimal::new(10, 1).into(),
        Decimal::new(100, 2).into(),
        value!(1.0000000000000002),
        value!(u64::MAX),
        value!(u64::MAX as f64),
        Decimal::from(u64::MAX as u128 + 1).into(),
        Decimal::MAX.into(),
        value!(1e29),
        value!("text"),
    ];
    for (i, a) in sorted.iter().enumerate() {
        for (j, b) in sorted.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
            assert_eq!(a == b, i == j, "{a} {b}");
        }
    }
    // 0.1 as a float is a little more than a tenth.
    assert!(value!(0.1) > Value::from(Decimal::new(1, 1)));
    assert!(value!(-0.1) < Value::from(Decimal::new(-1, 1)));
}

#[test]
fn damaged_extensions_are_refused() {
    let cases: [(&[u8], i32); 15] = [
        (&[0xd4, b'D', 29], 205), // 29 digits after the point
        (&[0xc7, 0, b'D'], 201),  // empty
        (
            &[0xc7, 14, b'D', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
            201,
        ), // too long
        (&[0xd6, b'd', 7, 0xe7, 2, 29], 205), // 2023-02-29
        (&[0xd6, b'd', 7, 0xe7, 13, 1], 205), // no such month
        (&[0xd5, b'd', 7, 0xe7], 201), // short
        (&[0xd7, b't', 0xff, 0, 0, 0, 0, 0, 0, 0], 205),
        (&[0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 201), // more than 10⁹ nanoseconds
        (
            &[0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0],
            205,
        ), // beyond the years
        (&[0xd5, 0xff, 0, 0], 201),
        (
            &[
                0xc7, 12, b'p', 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff,
            ],
            205,
        ), // two signs
        (&[0xc7, 2, b'f', b'{', b'}'], 205), // no name
        (&[0xc7, 1, b'f', b'{'], 205),       // no JSON
        (&[0xd4, 5, 0], 205),                // somebody else's type
        (&[0xd6, b'd', 7], 201),             // cut short
    ];
    for (bytes, code) in cases {
        let error = Value::from_msgpack(bytes).unwrap_err();
        assert_eq!(error.code(), code, "{bytes:x?}: {error}");
    }
}

#[test]
fn earlier_bytes_decode_unchanged() {
    // Written before there were other kinds.
    let bytes =
        b"\x84\xa1a\x01\xa1b\xcb\x3f\xf8\0\0\0\0\0\0\xa1c\xc4\x02\x01\x02\xa1d\x92\xc0\xa4text";
    let value = value!({ "a": 1, "b": 1.5, "c": (Value::bytes([1, 2])), "d": [null, "text"] });
    assert_eq!(Value::from_msgpack(bytes).unwrap(), value);
    assert_eq!(value.to_msgpack(), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn accessors_give_back_what_went_in(
        decimal in decimal(), date in date(), time in time(), datetime in datetime(), duration in duration()
    ) {
        let read = Value::from(decimal).as_decimal().unwrap();
        prop_assert_eq!((read, read.scale()), (decimal, decimal.scale()));
        prop_assert_eq!(Value::from(date).as_date(), Some(date));
        prop_assert_eq!(Value::from(time).as_time(), Some(time));
        prop_assert_eq!(Value::from(datetime).as_datetime(), Some(datetime));
        prop_assert_eq!(Value::from(duration).as_duration(), Some(duration));
    }

    #[test]
    fn texts_are_what_the_libraries_print(
        decimal in decimal(), date in date(), time in time(), datetime in datetime(), duration in duration()
    ) {
        prop_assert_eq!(Value::from(decimal).to_json(), decimal.to_string());
        prop_assert_eq!(Value::from(date).to_json(), format!("\"{date}\""));
        prop_assert_eq!(Value::from(time).to_json(), format!("\"{time}\""));
        prop_assert_eq!(Value::from(duration).to_json(), format!("\"{duration}\""));
        let local = datetime.local().to_string();
        prop_assert!(datetime.to_string().starts_with(&local), "{} {}", datetime, local);
    }

    #[test]
    fn msgpack_reads_back(value in any_value()) {
        let read = Value::from_msgpack(&value.to_msgpack()).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.to_json(), value.to_json());
        prop_assert_eq!(&Value::from_msgpack(&value.canonical()).unwrap(), &value);
    }

    #[test]
    fn serde_reads_back(value in any_value()) {
        prop_assert_eq!(&Value::from_serialize(&value).unwrap(), &value);
        prop_assert_eq!(&value.deserialize::<Value>().unwrap(), &value);
        prop_assert_eq!(serde_json::to_value(&value).unwrap(), serde_json::Value::from(value));
    }

    #[test]
    fn equality_order_hash_and_canonical_agree(values in prop::collection::vec(any_value(), 3..12)) {
        let mut sorted = values.clone();
        sorted.sort();
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                prop_assert!(i > j || a <= b, "{} {}", a, b);
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                prop_assert_eq!(a == b, a.cmp(b) == Ordering::Equal);
                prop_assert_eq!(a == b, a.canonical() == b.canonical());
                prop_assert!(a != b || hash(a) == hash(b));
            }
        }
    }

    #[test]
    fn decimals_order_as_the_library_orders_them(a in decimal(), b in decimal(), float in any::<f64>()) {
        let order = Value::from(a).cmp(&Value::from(b));
        prop_assert_eq!(order, a.cmp(&b).then(a.scale().cmp(&b.scale())));
        // A float beside a decimal: exact where the decimal is one.
        if let (Some(value), Some(exact)) = (Value::from_f64(float), Decimal::from_f64_retain(float)) {
            let exactly = Value::from_f64(exact.to_string().parse().unwrap()) == Some(value.clone());
            if exactly && float.abs() > 1e-6 && exact != a {
                let order = value.cmp(&Value::from(a));
                prop_assert!(order == exact.cmp(&a) || (exact - a).abs() < Decimal::new(1, 20), "{} {}", float, a);
            }
        }
    }
}

#[test]
fn errors_of_decimals_and_typed_json_say_what_and_where() {
    let error = Value::decimal("12,50").unwrap_err();
    assert!(error.hint().contains("no comma"), "{}", error.hint());
    assert!(Value::date("x").unwrap_err().hint().contains("ISO 8601"));
    let error = Value::from_typed_json(r#"{"a":[1,{"$date":"tomorrow"}]}"#).unwrap_err();
    assert_eq!(
        error.path().map(ToString::to_string).as_deref(),
        Some(".a[1]")
    );
}
