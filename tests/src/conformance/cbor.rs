//! CBOR.

use std::path::Path;

use anyhow::Result;
use statewright_value::{Error, Value, ValueRef};

use super::{Report, Suite, from_hex, read_json, same, text};

pub const SUITE: Suite = Suite {
    name: "cbor",
    about: "CBOR (RFC 8949): the examples of appendix A, and what appendix F calls not well-formed",
    judged: "an example is read as the value it shows, and written back as it was where the suite says that it can; \
             what is not well-formed is refused",
    cases: 176,
    run,
};

const NOT_HELD: &str = "no value can hold it, which the error says: NaN, infinities, undefined, simple values, keys \
                        that are not text";
const NOT_KEPT: &str = "read as it should be; written in another form, since a value does not keep the tag (a datetime \
                        is written as a number)";

fn run(data: &Path, report: &mut Report) -> Result<()> {
    for case in read_json(&data.join("cbor/appendix_a.json"))?
        .by_ref()
        .items()
    {
        example(case, report)?;
    }
    let bad = read_json(&data.join("cbor/not-well-formed.json"))?;
    for case in bad.by_ref().items() {
        let digits = text(case, "hex")?;
        report.case(format!("not well-formed {digits}"), refused(digits)?);
    }
    Ok(())
}

fn refused(digits: &str) -> Result<Result<(), String>> {
    Ok(match Value::from_cbor(&from_hex(digits)?) {
        Err(Error::InvalidCbor { .. } | Error::NotRepresentable { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(value) => Err(format!("read as {value}")),
    })
}

fn example(case: ValueRef<'_>, report: &mut Report) -> Result<()> {
    let digits = text(case, "hex")?;
    let shown = match case.get("diagnostic") {
        Some(diagnostic) => diagnostic.to_string(),
        None => case
            .get("decoded")
            .map(|value| value.to_string())
            .unwrap_or_default(),
    };
    let name = format!("{digits} {shown}");
    if digits == "f818" {
        // The suite is older than RFC 8949, which calls this not well-formed.
        report.case(name, refused(digits)?);
        return Ok(());
    }
    let bytes = from_hex(digits)?;
    let (expected, found) = (expected(digits, case)?, Value::from_cbor(&bytes));
    let (expected, found) = match (expected, found) {
        (Some(expected), Ok(found)) => (expected, found),
        (None, Err(Error::NotRepresentable { .. })) => {
            report.skip(name, NOT_HELD);
            return Ok(());
        }
        (_, found) => {
            report.case(name, Err(format!("read as {found:?}")));
            return Ok(());
        }
    };
    let written = found.to_cbor();
    let keeps = case.get("roundtrip").and_then(|keeps| keeps.as_bool()) == Some(true);
    match same(&found, &expected) {
        Ok(()) if keeps && written != bytes && TAGS_NOT_KEPT.contains(&digits) => {
            report.skip(name, NOT_KEPT);
        }
        Ok(()) if keeps && written != bytes => {
            report.case(name, Err(format!("written as {written:02x?}")));
        }
        outcome => report.case(name, outcome),
    }
    Ok(())
}

/// A datetime as text, base64 and URI hints, embedded CBOR.
const TAGS_NOT_KEPT: &[&str] = &[
    "c074323031332d30332d32315432303a30343a30305a",
    "d74401020304",
    "d818456449455446",
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
];

/// What an example is read as; none for what no value can hold.
fn expected(digits: &str, case: ValueRef<'_>) -> Result<Option<Value>> {
    Ok(Some(match digits {
        // Beyond 64 bits: exact.
        "c249010000000000000000" => Value::decimal("18446744073709551616")?,
        "3bffffffffffffffff" => Value::decimal("-18446744073709551616")?,
        "c349010000000000000000" => Value::decimal("-18446744073709551617")?,
        // Shown in diagnostic notation only.
        "c074323031332d30332d32315432303a30343a30305a" | "c11a514b67b0" => {
            Value::datetime("2013-03-21T20:04:00Z")?
        }
        "c1fb41d452d9ec200000" => Value::datetime("2013-03-21T20:04:00.5Z")?,
        "d74401020304" | "4401020304" => Value::bytes([1, 2, 3, 4]),
        "d818456449455446" => Value::bytes(*b"dIETF"),
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d" => "http://www.example.com".into(),
        "40" => Value::bytes([]),
        "5f42010243030405ff" => Value::bytes([1, 2, 3, 4, 5]),
        _ => return Ok(case.get("decoded").map(ValueRef::to_value)),
    }))
}
