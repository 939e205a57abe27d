//! MessagePack.

use std::path::Path;

use anyhow::{Context, Result, bail};
use statewright_value::jiff::{SignedDuration, civil::date, tz::Offset};
use statewright_value::{DateTime, Error, Value, ValueRef};

use super::{Report, Suite, from_hex, member, read_json};

pub const SUITE: Suite = Suite {
    name: "msgpack",
    about: "MessagePack: msgpack-test-suite",
    judged: "every encoding of a value is read as that value, and the value is written as one of its encodings",
    cases: 233,
    run,
};

fn run(data: &Path, report: &mut Report) -> Result<()> {
    let groups = read_json(&data.join("msgpack/msgpack-test-suite.json"))?;
    for (group, cases) in groups.by_ref().entries() {
        for case in cases.items() {
            let encodings: Vec<Vec<u8>> = member(case, "msgpack")?
                .items()
                .map(|hex| from_hex(hex.as_str().unwrap_or("?")))
                .collect::<Result<_>>()?;
            let expected = expected(case)?;
            for encoding in &encodings {
                let name = format!("{group}: {}", to_hex(encoding));
                match (&expected, Value::from_msgpack(encoding)) {
                    (Some(expected), Ok(found)) => {
                        report.case(name, judge(&found, expected, &encodings));
                    }
                    (None, Err(Error::NotRepresentable { .. })) => report.skip(
                        name,
                        "an extension type that is not ours; a value cannot hold one, which the error says",
                    ),
                    (None, Ok(found)) => report.case(name, Err(format!("read as {found}"))),
                    (_, Err(error)) => report.case(name, Err(error.to_string())),
                }
            }
        }
    }
    Ok(())
}

/// The suite lists floats among the encodings of integers, and the other way round.
fn judge(found: &Value, expected: &Value, encodings: &[Vec<u8>]) -> Result<(), String> {
    let same_number = found.as_f64().is_some() && found.as_f64() == expected.as_f64();
    if found != expected && !same_number {
        return Err(format!("{found} instead of {expected}"));
    }
    let written = found.to_msgpack();
    if encodings.contains(&written) {
        Ok(())
    } else {
        Err(format!("written as {}", to_hex(&written)))
    }
}

/// What a case is read as; none for extension types.
fn expected(case: ValueRef<'_>) -> Result<Option<Value>> {
    let named = |(key, _): &(&str, ValueRef<'_>)| !matches!(*key, "msgpack" | "bignum");
    let (kind, content) = case
        .entries()
        .find(named)
        .or_else(|| Some(("bignum", case.get("bignum")?)))
        .with_context(|| format!("a case without a value: {case}"))?;
    Ok(match kind {
        "ext" => None,
        "timestamp" => Some(moment(content)?),
        "binary" => Some(Value::bytes(from_hex(content.as_str().unwrap_or("?"))?)),
        "bignum" => Some(Value::from_json(content.as_str().unwrap_or_default())?),
        "nil" | "bool" | "number" | "string" | "array" | "map" => Some(content.to_value()),
        other => bail!("unknown kind of case: {other}"),
    })
}

/// A datetime in UTC from seconds since 1970 and nanoseconds.
fn moment(parts: ValueRef<'_>) -> Result<Value> {
    let part = |at| parts.index(at).and_then(|part| part.as_i64());
    let (seconds, nanos) = part(0).zip(part(1)).context("a timestamp of two numbers")?;
    // A `jiff::Timestamp` ends within a day of the year 9999, which the suite goes to the end of.
    let since = SignedDuration::new(seconds, nanos.try_into()?);
    let local = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since)?;
    Ok(Value::from(DateTime::new(local, Offset::UTC)))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
