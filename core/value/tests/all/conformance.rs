//! The public JSON and MessagePack suites: see `MANIFEST.md` of the shared conformance data.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;
use statewright_value::{Error, Value};

use crate::suites::suite;

#[test]
fn json_parsing() {
    let Some(folder) = suite("json-parsing") else {
        return;
    };
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let parsed = Value::from_json(&bytes);
        match name.get(..2) {
            Some("y_") if parsed.is_err() => wrong.push(format!("{name}: {parsed:?}")),
            Some("n_") if parsed.is_ok() => wrong.push(format!("{name}: {parsed:?}")),
            _ => {}
        }
        // What parses is what the most used Rust parser says it is, and prints back to itself.
        if let Ok(value) = &parsed {
            assert_eq!(&Value::from_json(value.to_json()).unwrap(), value, "{name}");
            if let Ok(json) = serde_json::from_slice::<Json>(&bytes) {
                assert!(
                    same_json(&json, &Json::from(value.clone())),
                    "{name}: {json} is not {value}"
                );
            }
        }
        *counts.entry(name.chars().next()).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        counts.into_values().collect::<Vec<_>>(),
        [35, 188, 95],
        "i_, n_ and y_ files"
    );
}

/// Equal but for the last digit of floats, which `serde_json` does not always read to the nearest.
fn same_json(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((j, a), (k, b))| j == k && same_json(a, b))
        }
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-15
        }
        _ => a == b,
    }
}

#[test]
fn msgpack() {
    let Some(folder) = suite("msgpack") else {
        return;
    };
    let text = fs::read(folder.join("msgpack-test-suite.json")).unwrap();
    let groups: BTreeMap<String, Vec<BTreeMap<String, Json>>> =
        serde_json::from_slice(&text).unwrap();
    let (mut encodings, mut skipped) = (0, 0);
    for (group, case) in groups
        .iter()
        .flat_map(|(group, cases)| cases.iter().map(move |case| (group, case)))
    {
        let bytes: Vec<Vec<u8>> = case["msgpack"]
            .as_array()
            .unwrap()
            .iter()
            .map(from_hex)
            .collect();
        match expected(case) {
            Some(expected) => {
                for encoding in &bytes {
                    let decoded = Value::from_msgpack(encoding).unwrap();
                    assert!(
                        same_number_or_equal(&decoded, &expected),
                        "{group}: {decoded} is not {expected}"
                    );
                    // An encoding as a float decodes to a float; all others to what is expected.
                    assert!(bytes.contains(&decoded.to_msgpack()), "{group}: {decoded}");
                    encodings += 1;
                }
            }
            None => {
                for encoding in &bytes {
                    let refused = Value::from_msgpack(encoding).unwrap_err();
                    assert!(
                        matches!(refused, Error::NotRepresentable { .. }),
                        "{group}: {refused}"
                    );
                    skipped += 1;
                }
            }
        }
    }
    eprintln!(
        "skipped: {skipped} encodings of extension types of others, which values do not have"
    );
    assert_eq!((encodings, skipped), (222, 11));
}

fn from_hex(hex: &Json) -> Vec<u8> {
    let digits: String = hex
        .as_str()
        .unwrap()
        .chars()
        .filter(|c| *c != '-')
        .collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// What a case decodes to; none for extension types of others.
fn expected(case: &BTreeMap<String, Json>) -> Option<Value> {
    let (kind, content) = case
        .iter()
        .find(|(key, _)| *key != "msgpack" && *key != "bignum")
        .or_else(|| case.get_key_value("bignum"))?;
    match kind.as_str() {
        "ext" => None,
        "timestamp" => Some(timestamp(
            content[0].as_i64().unwrap(),
            content[1].as_u64().unwrap(),
        )),
        "binary" => Some(Value::bytes(from_hex(content))),
        "bignum" => Some(Value::from_json(content.as_str().unwrap()).unwrap()),
        "nil" | "bool" | "number" | "string" | "array" | "map" => Some(Value::from(content)),
        other => panic!("unknown kind of case: {other}"),
    }
}

#[cfg(feature = "time")]
fn timestamp(seconds: i64, nanos: u64) -> Value {
    use statewright_value::jiff::{SignedDuration, civil::date, tz::Offset};
    let since = SignedDuration::new(seconds, nanos as i32);
    let local = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since).unwrap();
    Value::from(statewright_value::DateTime::new(local, Offset::UTC))
}

#[cfg(not(feature = "time"))]
fn timestamp(seconds: i64, nanos: u64) -> Value {
    let payload = [
        (nanos as u32).to_be_bytes().to_vec(),
        seconds.to_be_bytes().to_vec(),
    ]
    .concat();
    Value::from_msgpack(&[vec![0xc7, 12, 0xff], payload].concat()).unwrap()
}

/// The suite lists floats among the encodings of integers, and the other way round.
fn same_number_or_equal(decoded: &Value, expected: &Value) -> bool {
    decoded == expected || (decoded.as_f64().is_some() && decoded.as_f64() == expected.as_f64())
}
