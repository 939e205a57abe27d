//! TOML, through the library that the value crate reads it with.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use statewright_value::{Error, Value, ValueRef};

use super::{Report, Suite, files, read, read_json, text};

pub const SUITE: Suite = Suite {
    name: "toml",
    about: "TOML 1.0.0: toml-test, the files named for it",
    judged: "a valid document is read as the tagged JSON beside it says, and reads back from what it prints; an \
             invalid one is refused",
    cases: 709,
    run,
};

/// Invalid in TOML 1.0.0 and valid in 1.1.0, which the library reads.
const SINCE_1_1: &[&str] = &[
    "invalid/datetime/no-secs.toml",
    "invalid/inline-table/linebreak-01.toml",
    "invalid/inline-table/linebreak-02.toml",
    "invalid/inline-table/linebreak-03.toml",
    "invalid/inline-table/linebreak-04.toml",
    "invalid/inline-table/trailing-comma.toml",
    "invalid/local-datetime/no-secs.toml",
    "invalid/local-time/no-secs.toml",
    "invalid/string/basic-byte-escapes.toml",
];

fn run(data: &Path, report: &mut Report) -> Result<()> {
    let folder = data.join("toml");
    for path in files(&folder, "toml")? {
        let name = path
            .strip_prefix(&folder)?
            .to_string_lossy()
            .replace('\\', "/");
        let found = Value::from_toml(read(&path)?);
        if name.starts_with("invalid/") {
            match found {
                Err(Error::InvalidText { .. }) => report.case(name, Ok(())),
                Ok(_) if SINCE_1_1.contains(&name.as_str()) => {
                    report.skip(name, "valid since TOML 1.1.0, which the library reads");
                }
                other => report.case(name, Err(format!("{other:?}"))),
            }
            continue;
        }
        let expected = read_json(&path.with_extension("json"))?;
        match found {
            Ok(found) => {
                let outcome = compare(expected.by_ref(), found.by_ref())
                    .map_err(|error| error.to_string())
                    .and_then(|()| reads_back(&found));
                report.case(name, outcome);
            }
            Err(Error::NotRepresentable { .. }) if has_infinite(expected.by_ref()) => {
                // The library reads it; a value does not hold it.
                let text = String::from_utf8(read(&path)?)?;
                ensure!(text.parse::<toml::Table>().is_ok(), "{name} is not read");
                report.skip(
                    name,
                    "has `inf` or `nan`, which no value holds, as the error says",
                );
            }
            Err(error) => report.case(name, Err(error.to_string())),
        }
    }
    Ok(())
}

fn reads_back(found: &Value) -> Result<(), String> {
    let again = found.to_toml().and_then(Value::from_toml);
    let again = again.map_err(|error| error.to_string())?;
    super::same(&again, found)
}

/// Whether the tagged JSON has a float that is not finite.
fn has_infinite(tagged: ValueRef<'_>) -> bool {
    let text = tagged.to_string();
    ["inf", "+inf", "-inf", "nan", "+nan", "-nan"]
        .iter()
        .any(|float| text.contains(&format!(r#"{{"type":"float","value":"{float}"}}"#)))
}

/// Compares the suite's tagged JSON (`{"type": …, "value": …}` for each scalar) with what was read. As deep as the
/// documents of the suite are.
fn compare(tagged: ValueRef<'_>, found: ValueRef<'_>) -> Result<()> {
    let scalar = tagged.len() == 2
        && ["type", "value"].iter().all(|key| {
            let member = tagged.get(key);
            member.and_then(|member| member.as_str()).is_some()
        });
    if scalar {
        let expected = scalar_of(text(tagged, "type")?, text(tagged, "value")?)?;
        let moments = expected.as_datetime().zip(found.as_datetime());
        let same = match moments {
            Some((a, b)) => a.instant() == b.instant(),
            None => found == expected.by_ref(),
        };
        ensure!(same, "{found} instead of {expected}");
        return Ok(());
    }
    ensure!(
        tagged.kind() == found.kind() && tagged.len() == found.len(),
        "{found} instead of {tagged}"
    );
    for (tagged, found) in tagged.items().zip(found.items()) {
        compare(tagged, found)?;
    }
    for (key, tagged) in tagged.entries() {
        let found = found.get(key).with_context(|| format!("no key {key:?}"))?;
        compare(tagged, found)?;
    }
    Ok(())
}

fn scalar_of(kind: &str, text: &str) -> Result<Value> {
    Ok(match kind {
        "string" => Value::from(text),
        "integer" => Value::from(text.parse::<i64>()?),
        "float" => Value::try_from(text.parse::<f64>()?)?,
        "bool" => Value::from(text.parse::<bool>()?),
        "datetime" => Value::datetime(text)?,
        // Without an offset it is no moment, and stays text.
        "datetime-local" => Value::from(text),
        "date-local" => Value::date(text)?,
        "time-local" => Value::time(text)?,
        other => bail!("unknown type of scalar: {other}"),
    })
}
