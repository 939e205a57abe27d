//! JSONPath: the compliance suite of the standard's authors.

use std::path::Path as FilePath;

use anyhow::Result;
use statewright_value::{Error, Path, Query, Value, ValueRef};

use super::{Report, Suite, member, read_json, text};

pub const SUITE: Suite = Suite {
    name: "jsonpath-rfc9535",
    about: "JSONPath (RFC 9535): jsonpath-compliance-test-suite",
    judged: "an invalid selector is refused; a valid one finds the values, in order, at the normalized paths, by every \
             way of asking (all, first, count, places)",
    cases: 703,
    run,
};

fn run(data: &FilePath, report: &mut Report) -> Result<()> {
    let suite = read_json(&data.join("jsonpath-rfc9535/cts.json"))?;
    for case in member(suite.by_ref(), "tests")?.items() {
        let selector = text(case, "selector")?;
        let invalid = case.get("invalid_selector").is_some();
        let outcome = match (Query::parse(selector), invalid) {
            (Err(Error::InvalidQuery { .. }), true) => Ok(()),
            (Ok(_), true) => Err("compiled".to_owned()),
            (Err(error), _) => Err(error.to_string()),
            (Ok(query), false) => evaluate(&query, member(case, "document")?, case),
        };
        report.case(format!("{}: {selector:?}", text(case, "name")?), outcome);
    }
    Ok(())
}

fn evaluate(query: &Query, document: ValueRef<'_>, case: ValueRef<'_>) -> Result<(), String> {
    let explain = |error: Error| error.to_string();
    let located = query.locate(document).map_err(explain)?;
    let values: Vec<Value> = located.iter().map(|(_, node)| node.to_value()).collect();
    let paths: Vec<Value> = located
        .iter()
        .map(|(path, _)| Value::from(path.to_normalized()))
        .collect();
    let (count, first) = (values.len(), values.first().cloned());
    among(case, "result", "results", Value::from(values))?;
    among(case, "result_paths", "results_paths", Value::from(paths))?;
    let selected = query.select(document).map_err(explain)?;
    let same = selected.iter().eq(located.iter().map(|(_, node)| node))
        && query.count(document).map_err(explain)? == count
        && query
            .first(document)
            .map_err(explain)?
            .map(ValueRef::to_value)
            == first
        && located.iter().all(|(path, node)| {
            document.at(path) == Some(*node)
                && Path::from_normalized(&path.to_normalized()).as_ref() == Ok(path)
        });
    if same {
        Ok(())
    } else {
        Err("the ways of asking do not agree".to_owned())
    }
}

/// Whether `found` is what `one` says, or one of what `several` lists where the order is free.
fn among(case: ValueRef<'_>, one: &str, several: &str, found: Value) -> Result<(), String> {
    let right = match case.get(one) {
        Some(expected) => expected == found.by_ref(),
        None => case
            .get(several)
            .is_some_and(|all| all.items().any(|expected| expected == found.by_ref())),
    };
    if right {
        Ok(())
    } else {
        Err(format!("{one}: {found}"))
    }
}
