//! CBOR: the examples of RFC 8949, what is not well-formed, and that every value reads back.

use crate::any::any_value;
use proptest::prelude::*;
use serde_json::Value as Json;
use statewright_value::jiff::SignedDuration;
use statewright_value::{Error, File, Kind, Limits, Value, value};

use crate::suites::suite;

/// The cases of a file of the public data, or none where it is not laid out.
fn cases(name: &str) -> Option<Vec<Json>> {
    let bytes = std::fs::read(suite("cbor")?.join(name)).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// What a case of the appendix decodes to that has no form in JSON, and whether the same bytes come back.
/// None for what no value can hold.
fn special(hex: &str) -> Option<(Option<Value>, bool)> {
    let decimal = |text: &str| Some((Some(Value::decimal(text).unwrap()), true));
    let datetime = |text: &str| Some(Value::datetime(text).unwrap());
    match hex {
        // Beyond 64 bits.
        "c249010000000000000000" => decimal("18446744073709551616"),
        "3bffffffffffffffff" => decimal("-18446744073709551616"),
        "c349010000000000000000" => decimal("-18446744073709551617"),
        // NaN, infinities, undefined, simple values, and a map with integer keys.
        "f97c00" | "f97e00" | "f9fc00" | "fa7f800000" | "fa7fc00000" | "faff800000"
        | "fb7ff0000000000000" | "fb7ff8000000000000" | "fbfff0000000000000" | "f7" | "f0"
        | "f8ff" | "a201020304" => Some((None, false)),
        // A value does not remember whether a datetime came as text or as a number.
        "c074323031332d30332d32315432303a30343a30305a" => {
            Some((datetime("2013-03-21T20:04:00Z"), false))
        }
        "c11a514b67b0" => Some((datetime("2013-03-21T20:04:00Z"), true)),
        "c1fb41d452d9ec200000" => Some((datetime("2013-03-21T20:04:00.5Z"), true)),
        // These tags are dropped.
        "d74401020304" => Some((Some(Value::bytes([1, 2, 3, 4])), false)),
        "d818456449455446" => Some((Some(Value::bytes(*b"dIETF")), false)),
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d" => {
            Some((Some(value!("http://www.example.com")), false))
        }
        "40" => Some((Some(Value::bytes([])), true)),
        "4401020304" => Some((Some(Value::bytes([1, 2, 3, 4])), true)),
        "5f42010243030405ff" => Some((Some(Value::bytes([1, 2, 3, 4, 5])), true)),
        _ => None,
    }
}

#[test]
fn appendix_a() {
    let Some(cases) = cases("appendix_a.json") else {
        return;
    };
    let (mut same, mut decoded, mut refused, mut other) = (0, 0, vec![], vec![]);
    for case in &cases {
        let digits = case["hex"].as_str().unwrap();
        let roundtrip = case["roundtrip"] == true;
        let read = Value::from_cbor(&hex(digits));
        if digits == "f818" {
            // The suite is older than RFC 8949, which calls this not well-formed.
            assert!(matches!(read, Err(Error::InvalidCbor { .. })));
            continue;
        }
        let (expected, bytes_too) =
            special(digits).unwrap_or_else(|| (case.get("decoded").map(Value::from), true));
        let Some(expected) = expected else {
            assert!(
                matches!(read, Err(Error::NotRepresentable { .. })),
                "{digits}: {read:?}"
            );
            refused.push(digits);
            continue;
        };
        let read = read.unwrap();
        assert_eq!(read, expected, "{digits}");
        decoded += 1;
        if roundtrip && bytes_too {
            assert_eq!(read.to_cbor(), hex(digits), "{digits}");
            same += 1;
        } else {
            assert_eq!(Value::from_cbor(&read.to_cbor()).unwrap(), expected);
            other.extend(roundtrip.then_some(digits));
        }
    }
    eprintln!("skipped, no value can hold it: {}", refused.join(" "));
    eprintln!(
        "other bytes, a value does not keep the tag: {}",
        other.join(" ")
    );
    assert_eq!(
        (cases.len(), decoded, refused.len(), same, other.len()),
        (82, 68, 13, 53, 4)
    );
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let Some(cases) = cases("not-well-formed.json") else {
        return;
    };
    assert_eq!(cases.len(), 94);
    for case in cases {
        let digits = case["hex"].as_str().unwrap();
        let error = Value::from_cbor(&hex(digits)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::InvalidCbor { .. } | Error::NotRepresentable { .. }
            ),
            "{digits}: {error}"
        );
    }
}

#[test]
fn kinds_and_their_tags() {
    let read = |text: &str| Value::from_typed_json(text).unwrap();
    let cases = [
        (r#"{"$decimal":"273.15"}"#, "c48221196ab3"), // RFC 8949, section 3.4.4
        (r#"{"$decimal":"-0.5"}"#, "c4822024"),
        (r#"{"$decimal":"7"}"#, "c4820007"),
        (
            r#"{"$decimal":"-18446744073709551616.0"}"#,
            "c48220c349 09ffffffffffffffff",
        ),
        (r#"{"$date":"1940-10-09"}"#, "d8643929b3"), // RFC 8943, section 1.1
        (r#"{"$date":"1980-12-08"}"#, "d864190f9a"),
        (
            r#"{"$datetime":"2013-03-21T20:04:00.000000001Z"}"#,
            "c0781e323031332d30332d32315432303a30343a30302e3030303030303030315a",
        ),
        (r#"{"$datetime":"1969-12-31T23:59:59.5Z"}"#, "c1f9b800"),
        (
            r#"{"$datetime":"1970-01-01T01:00:00+01:00"}"#,
            "c07819313937302d30312d30315430313a30303a30302b30313a3030",
        ),
        (r#"{"$duration":"PT1.5S"}"#, "d903eaa20101281a1dcd6500"),
        (r#"{"$duration":"-PT1.5S"}"#, "d903eaa20121281a1dcd6500"),
        (r#"{"$duration":"-PT1S"}"#, "d903eaa10120"),
        (
            r#"{"$time":"00:00:00.000001"}"#,
            "d81b8270 73746174657772696768742f74696d65 1903e8",
        ),
    ];
    for (json, digits) in cases {
        let (value, bytes) = (read(json), hex(&digits.replace(' ', "")));
        assert_eq!(Value::from_cbor(&bytes).unwrap(), value, "{json}");
        assert_eq!(value.to_cbor(), bytes, "{json}");
    }
    // Forms that are read, and not written.
    let cases = [
        ("d903ec6a323031332d30332d3231", r#"{"$date":"2013-03-21"}"#),
        ("c24101", "1"),
        ("c2581000000000000000000000000000000001", "1"),
        ("c25f4101ff", "1"),
        ("c340", "-1"),
        ("c34800000000000000ff", "-256"),
        ("c3487fffffffffffffff", "-9223372036854775808"),
        ("c482020c", r#"{"$decimal":"1200"}"#),
        ("c49f2105ff", r#"{"$decimal":"0.05"}"#),
        ("d903eabf0101221864ff", r#"{"$duration":"PT1.1S"}"#),
        (
            "d9d9f7d9d9f7c101",
            r#"{"$datetime":"1970-01-01T00:00:01Z"}"#,
        ),
        (
            "d81b9f70 73746174657772696768742f74696d65 00ff",
            r#"{"$time":"00:00:00"}"#,
        ),
    ];
    for (digits, json) in cases {
        let bytes = hex(&digits.replace(' ', ""));
        assert_eq!(Value::from_cbor(&bytes).unwrap(), read(json), "{digits}");
    }
    let file: Value = File::of("a.txt", b"abc").with_location("/a").into();
    assert_eq!(Value::from_cbor(&file.to_cbor()).unwrap(), file);
}

#[test]
fn what_no_value_can_hold_is_refused() {
    let cases = [
        ("c64101", 205, "tag 6 has no form in a value"),
        ("c54101", 205, "tag 5 has no form"),
        ("c24d01000000000000000000000000", 205, "more than 96 bits"),
        ("c34cffffffffffffffffffffffff", 205, "more than 96 bits"),
        ("c101", 0, ""),
        ("c11b7fffffffffffffff", 205, "a datetime has a year"),
        ("c1f97e00", 205, "a datetime has a year"),
        ("c16130", 205, "expected a number under tag 1"),
        ("c06130", 205, "`0` is no datetime"),
        ("c001", 205, "expected a text under this tag"),
        ("c48101", 205, "expected an array of two"),
        ("c4826130 01", 205, "the exponent of a decimal"),
        ("c482381c01", 205, "at most 28 digits"),
        ("c4821b7fffffffffffffff01", 205, "at most 28 digits"),
        ("c4821b7fffffffffffffff00", 0, ""),
        ("c4823b7fffffffffffffff01", 205, "at most 28 digits"),
        ("d8641a7fffffff", 205, "a date has a year"),
        ("d903eaa0", 205, "a duration needs seconds"),
        ("d903eaa101f93c00", 205, "the seconds of a duration"),
        ("d903eaa2010128 1a3b9aca00", 205, "less than a second"),
        ("d903eaa301012801 2201", 205, "one fraction"),
        ("d903eaa201010401", 205, "the key 4"),
        ("d81b8261780 0", 205, "type `x` has no form"),
        (
            "d81b8270 73746174657772696768742f74696d65 1b00004e94914f0000",
            205,
            "less than 24 hours",
        ),
        (
            "d81b8270 73746174657772696768742f66696c65 a0",
            205,
            "a file needs `name`",
        ),
        ("a1c06130 00", 205, "a key must be text, found a tag"),
        ("a1f600", 205, "a key must be text"),
        ("bf6161ff", 211, "a break where an item belongs"),
        ("c1ff", 211, "a break where an item belongs"),
        ("0000", 211, "1 bytes are left"),
        ("a16161", 211, "the bytes end before the value does"),
        ("61ff", 211, "not UTF-8"),
    ];
    for (digits, code, expected) in cases {
        match Value::from_cbor(&hex(&digits.replace(' ', ""))) {
            Ok(value) => assert_eq!(code, 0, "{digits}: {value}"),
            Err(error) => {
                assert_eq!(error.code(), code, "{digits}: {error}");
                assert!(error.to_string().contains(expected), "{digits}: {error}");
            }
        }
    }
}

#[test]
fn hostile_input_costs_nothing() {
    // Deep nesting, of every sort.
    for open in ["81", "9f", "a161 61", "bf6161"] {
        let bytes = hex(&open.replace(' ', "")).repeat(100_000);
        assert!(matches!(Value::from_cbor(&bytes), Err(Error::Limit { .. })));
    }
    for tags in [[0xd7].as_slice(), &[0xd9, 0xd9, 0xf7]] {
        let mut bytes = tags.repeat(1_000_000);
        bytes.push(0);
        assert_eq!(Value::from_cbor(&bytes).unwrap(), value!(0));
    }
    assert_eq!(Value::from_cbor(&[0xc4; 100_000]).unwrap_err().code(), 205);
    // Lengths that lie.
    for lie in [
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "7b7fffffffffffffff",
        "bb8000000000000000",
    ] {
        assert_eq!(
            Value::from_cbor(&hex(lie)).unwrap_err().code(),
            211,
            "{lie}"
        );
    }
    // Limits.
    let limits = Limits::default().with_max_bytes(3);
    let error = Value::read_cbor(&mut hex("8401020304").as_slice(), &limits).unwrap_err();
    assert_eq!(error.code(), 204, "{error}");
    let limits = Limits::default().with_max_string(3);
    for text in ["6461626364", "7f626162626364ff", "4461626364"] {
        let error = Value::read_cbor(&mut hex(text).as_slice(), &limits).unwrap_err();
        assert_eq!(error.code(), 204, "{error}");
    }
    let deepest = [vec![0x81; 1024], vec![0]].concat();
    let value = Value::read_cbor(&mut deepest.as_slice(), &Limits::unlimited()).unwrap();
    assert_eq!(value.to_cbor(), deepest);
}

#[test]
fn floats_take_the_shortest_form() {
    let cases = [
        (0.0, "f90000"),
        (-0.0, "f98000"),
        (65504.0, "f97bff"),
        (65520.0, "fa477ff000"),
        (2f64.powi(-24), "f90001"),
        (2f64.powi(-25), "fa33000000"),
        (1023.0 * 2f64.powi(-24), "f903ff"),
        (1.0009765625, "f93c01"),
        (1.00048828125, "fa3f801000"),
        (f64::from(f32::MAX), "fa7f7fffff"),
        (1e-45f32 as f64, "fa00000001"),
        (1.1, "fb3ff199999999999a"),
        (f64::MAX, "fb7fefffffffffffff"),
        (5e-324, "fb0000000000000001"),
    ];
    for (float, digits) in cases {
        assert_eq!(value!(float).to_cbor(), hex(digits), "{float}");
        assert_eq!(Value::from_cbor(&hex(digits)).unwrap(), value!(float));
    }
    for bits in 0..=u16::MAX {
        let bytes = [vec![0xf9], bits.to_be_bytes().to_vec()].concat();
        match Value::from_cbor(&bytes) {
            Ok(value) => assert_eq!(value.to_cbor(), bytes),
            Err(error) => assert_eq!((error.code(), bits >> 10 & 31), (205, 31)),
        }
    }
}

#[test]
fn deterministic_encoding_sorts_by_encoded_key() {
    let value = value!({ "bb": 1, "c": [{ "z": 0, "a": 1 }], "": 2, "a": 3, "aa": 4 });
    let expected = hex(
        "a5 60 02 6161 03 6163 81 a2 6161 01 617a 00 626161 04 626262 01"
            .replace(' ', "")
            .as_str(),
    );
    assert_eq!(value.to_deterministic_cbor(), expected);
}

#[test]
fn the_fields_of_a_file_are_sorted_in_the_deterministic_encoding() {
    let file = File::of("a", b"x")
        .with_media_type("text/plain")
        .with_location("b");
    let bytes = Value::from(file.clone()).to_deterministic_cbor();
    let at = |field: &str| {
        let key = [&[0x60 | field.len() as u8], field.as_bytes()].concat();
        let mut places = bytes.windows(key.len());
        places.position(|place| place == key).unwrap()
    };
    let places = ["hash", "name", "size", "location", "media_type"].map(at);
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(Value::from_cbor(&bytes).unwrap(), Value::from(file));
}

#[test]
fn a_sequence_is_read_item_by_item() {
    let bytes = hex("0182020363616263");
    let mut rest = bytes.as_slice();
    let mut read = || Value::read_cbor(&mut rest, &Limits::default()).unwrap();
    assert_eq!(
        [read(), read(), read()],
        [value!(1), value!([2, 3]), value!("abc")]
    );
    let before = hex("8201");
    let mut cut = before.as_slice();
    assert!(Value::read_cbor(&mut cut, &Limits::default()).is_err());
    assert_eq!(cut, before);
}

/// Another implementation reads what has no tags.
fn untagged(value: &Value) -> bool {
    match value.kind() {
        Kind::Array => value.items().all(|item| untagged(&item)),
        Kind::Object => value.entries().all(|(_, value)| untagged(&value)),
        Kind::Null | Kind::Bool | Kind::Integer | Kind::Float | Kind::Text | Kind::Bytes => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn cbor_reads_back(value in any_value()) {
        let bytes = value.to_cbor();
        let read = Value::from_cbor(&bytes).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.to_json(), value.to_json(), "the order is kept");
        let deterministic = value.to_deterministic_cbor();
        prop_assert_eq!(Value::from_cbor(&deterministic).unwrap(), value.clone());
        prop_assert_eq!(deterministic.len(), bytes.len());
        if untagged(&value) {
            let other: Value = ciborium::from_reader(bytes.as_slice()).unwrap();
            prop_assert_eq!(&other, &value);
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            prop_assert_eq!(&Value::from_cbor(&bytes).unwrap(), &value);
        }
    }

    #[test]
    fn deterministic_bytes_are_equal_exactly_for_equal_values(a in any_value(), b in any_value()) {
        prop_assert_eq!(a == b, a.to_deterministic_cbor() == b.to_deterministic_cbor());
    }

    #[test]
    fn cbor_cut_short_is_refused(value in any_value(), at in any::<prop::sample::Index>()) {
        let bytes = value.to_cbor();
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(Value::from_cbor(cut).map_err(|error| error.code()), Err(211));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = Value::from_cbor(&bytes) {
            prop_assert_eq!(Value::from_cbor(&value.to_cbor()).unwrap(), value);
        }
    }

    #[test]
    fn changed_bytes_are_read_or_refused(
        value in any_value(), at in any::<prop::sample::Index>(), with in any::<u8>()
    ) {
        let mut bytes = value.to_cbor();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(value) = Value::from_cbor(&bytes) {
            prop_assert_eq!(Value::from_cbor(&value.to_cbor()).unwrap(), value);
        }
    }
}

/// The seconds of CBOR are rounded down, and so one less than `i64` holds.
#[test]
fn the_longest_durations_survive() {
    for (seconds, nanos) in [
        (i64::MIN, -1),
        (i64::MIN, -999_999_999),
        (i64::MIN, 0),
        (i64::MAX, 999_999_999),
        (-1, -1),
        (0, -1),
    ] {
        let duration = Value::from(SignedDuration::new(seconds, nanos));
        assert_eq!(Value::from_cbor(&duration.to_cbor()).unwrap(), duration);
    }
    let too_long = b"\xd9\x03\xea\xa1\x01\x3b\x80\0\0\0\0\0\0\0";
    let error = Value::from_cbor(too_long).unwrap_err().to_string();
    assert!(error.contains("seconds of a duration"), "{error}");
}
