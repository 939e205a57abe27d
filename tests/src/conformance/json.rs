//! JSON syntax: what must be read and what must be refused.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use statewright_value::Value;

use super::{Report, Suite, files, read};

pub const SUITE: Suite = Suite {
    name: "json-parsing",
    about: "JSON (RFC 8259): JSONTestSuite, `test_parsing`",
    judged: "`y_` is read, as serde_json reads it, and prints back to itself; `n_` is refused; `i_` may be either, \
             and if it is read it prints back to itself",
    cases: 318,
    run,
};

fn run(data: &Path, report: &mut Report) -> Result<()> {
    for path in files(&data.join("json-parsing"), "json")? {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name", path.display()))?;
        let bytes = read(&path)?;
        let parsed = Value::from_json(&bytes);
        let outcome = match (name.split('_').next(), parsed) {
            (Some("y" | "i"), Ok(value)) => as_serde_json(&bytes, &value),
            (Some("n"), Err(_)) | (Some("i"), Err(_)) => Ok(()),
            (Some("y"), Err(error)) => Err(format!("refused: {error}")),
            (Some("n"), Ok(value)) => Err(format!("read as {value}")),
            _ => bail!("a name that does not begin with y_, n_ or i_: {name}"),
        };
        report.case(name, outcome);
    }
    Ok(())
}

fn as_serde_json(bytes: &[u8], value: &Value) -> Result<(), String> {
    let again = Value::from_json(value.to_json()).map_err(|error| error.to_string())?;
    super::same(&again, value)?;
    match serde_json::from_slice::<Json>(bytes) {
        Ok(json) if !same(&json, &Json::from(value.clone())) => {
            Err(format!("{value}, which serde_json reads as {json}"))
        }
        _ => Ok(()), // serde_json refuses some that need not be read
    }
}

/// Equal but for the last digit of floats, which `serde_json` does not always read to the nearest.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((j, a), (k, b))| j == k && same(a, b))
        }
        (Json::Number(a), Json::Number(b)) => match (a.is_f64(), a.as_f64(), b.as_f64()) {
            (true, Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-15,
            _ => a == b,
        },
        _ => a == b,
    }
}
