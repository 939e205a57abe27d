//! Decoders: what they take reads back from every encoding, and what they refuse is within the limits or wrong.

use serde_json::Value as Json;
use statewright_value::{Limits, Result, Value};

use super::{assert_same, assert_sound, limits};

/// Codes of errors that a decoder of hostile bytes may give: its own, a limit, a kind that values lack.
#[track_caller]
fn assert_refusal(result: &Result<Value>, own: i32) {
    if let Err(error) = result {
        assert!([own, 204, 205].contains(&error.code()), "{error}");
        // Where something is not representable is said in full, and keys are long.
        assert!(
            error.code() == 205 || error.to_string().len() < 1000,
            "{error}"
        );
    }
}

/// Reads with small limits, then with wide ones: the small ones may only refuse more.
#[track_caller]
fn read(own: i32, read: impl Fn(&Limits) -> Result<Value>) -> Result<Value> {
    let (small, wide) = (read(&limits()), read(&Limits::default()));
    assert_refusal(&small, own);
    assert_refusal(&wide, own);
    match (&small, &wide) {
        (Ok(small), Ok(wide)) => assert_same(small, wide),
        (Ok(small), Err(error)) => panic!("{small} is within smaller limits only: {error}"),
        (Err(error), Ok(wide)) => {
            assert_eq!(error.code(), 204, "{wide} is refused: {error}");
        }
        (Err(_), Err(_)) => {}
    }
    if let Ok(value) = &small {
        assert_sound(value);
    }
    small
}

pub(super) fn json(data: &[u8]) {
    let value = read(200, |limits| Value::from_json_with(data, limits));
    let other = serde_json::from_slice::<Json>(data);
    match (value, other) {
        (Ok(value), Ok(other)) => assert!(agree(&value, &other), "{value} is not {other}"),
        (Ok(value), Err(error)) => panic!("serde_json refuses {value}: {error}"),
        (Err(error), Ok(other)) => {
            assert_eq!(error.code(), 204, "serde_json reads {other}: {error}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// Equal but for the last digit of floats, which `serde_json` does not always read to the nearest.
fn agree(value: &Value, json: &Json) -> bool {
    match json {
        Json::Array(items) => {
            value.len() == items.len() && value.items().zip(items).all(|(a, b)| agree(&a, b))
        }
        Json::Object(entries) => {
            let same = |((key, value), (other, json)): ((&str, Value), (&String, _))| {
                key == other && agree(&value, json)
            };
            value.len() == entries.len() && value.entries().zip(entries).all(same)
        }
        Json::Number(number) if number.is_f64() => {
            let (Some(a), Some(b)) = (value.as_f64(), number.as_f64()) else {
                return false;
            };
            a.to_bits().abs_diff(b.to_bits()) <= 1
        }
        json => Json::from(value.clone()) == *json,
    }
}

pub(super) fn msgpack(data: &[u8]) {
    let rest = |limits: &Limits, whole: &mut &[u8]| Value::read_msgpack(whole, limits);
    sequence(201, data, rest, Value::from_msgpack);
}

pub(super) fn cbor(data: &[u8]) {
    let rest = |limits: &Limits, whole: &mut &[u8]| Value::read_cbor(whole, limits);
    sequence(211, data, rest, Value::from_cbor);
}

/// Values one behind the other; an error leaves the bytes where they are.
fn sequence(
    own: i32,
    data: &[u8],
    next: impl Fn(&Limits, &mut &[u8]) -> Result<Value>,
    one: impl Fn(&[u8]) -> Result<Value>,
) {
    let mut rest = data;
    for _ in 0..8 {
        let before = rest;
        if read(own, |limits| next(limits, &mut &*before)).is_err() {
            let _ = next(&limits(), &mut rest);
            assert_eq!(rest, before);
            return;
        }
        let value = next(&limits(), &mut rest).unwrap();
        assert!(rest.len() < before.len());
        let used = before.len() - rest.len();
        let alone = one(before.get(..used).unwrap_or_default()).unwrap();
        assert_same(&alone, &value);
        if !rest.is_empty() {
            assert_refusal(&one(before), own);
        }
    }
}

pub(super) fn typed(data: &[u8]) {
    let value = read(200, |limits| Value::from_typed_json_with(data, limits));
    if let Ok(value) = value {
        assert_same(&value.to_typed().from_typed().unwrap(), &value);
        assert_eq!(value.to_plain().to_json(), value.to_json());
        // What is plain JSON reads as that does, and what it is written as is.
        let plain = Value::from_json_with(value.to_typed_json(), &Limits::unlimited()).unwrap();
        assert_same(&plain, &value.to_typed());
    }
}

pub(super) fn toml(data: &[u8]) {
    let value = read(217, |limits| Value::from_toml_with(data, limits));
    if let Ok(value) = value {
        let text = value.to_toml().unwrap();
        let again = Value::from_toml(&text).unwrap();
        assert_eq!(again, value, "{text}");
        assert_eq!(again.to_toml().unwrap(), text);
    }
}

pub(super) fn packed(data: &[u8]) {
    let _ = read(214, |limits| Value::from_packed_bytes(data, limits));
}
