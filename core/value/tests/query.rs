//! JSONPath: the public suite, a naive model, hostile input, and what is promised beyond the standard.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "tests may panic and, here, read their data from disk"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;
use statewright_value::{Error, Path, Query, Value};

/// The folder of a suite, or none (a visible skip, a failure in CI) where the data is not laid out.
fn suite(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var("CI").is_err(),
        "no conformance data at {}",
        folder.display()
    );
    eprintln!("skipped: no conformance data at {}", folder.display());
    None
}

#[test]
fn the_compliance_suite_of_rfc_9535() {
    let Some(folder) = suite("jsonpath-rfc9535") else {
        return;
    };
    let text = fs::read(folder.join("cts.json")).unwrap();
    let cases: Json = serde_json::from_slice(&text).unwrap();
    let (mut invalid, mut valid, mut wrong) = (0, 0, Vec::new());
    for case in cases["tests"].as_array().unwrap() {
        let selector = case["selector"].as_str().unwrap();
        let query = Query::parse(selector);
        if case["invalid_selector"] == true {
            invalid += 1;
            match query {
                Err(Error::InvalidQuery { .. }) => {}
                other => wrong.push(format!("{selector:?}: {other:?}")),
            }
            continue;
        }
        valid += 1;
        let query = match query {
            Ok(query) => query,
            Err(error) => {
                wrong.push(format!("{selector:?}: {error}"));
                continue;
            }
        };
        let document = Value::from(&case["document"]);
        let located = query.locate(document.by_ref()).unwrap();
        let values: Vec<Value> = located.iter().map(|(_, node)| node.to_value()).collect();
        let paths: Vec<String> = located
            .iter()
            .map(|(path, _)| path.to_normalized())
            .collect();
        let same = |one: &str, several: &str, found: Json| match case.get(one) {
            Some(expected) => *expected == found,
            None => case[several].as_array().unwrap().contains(&found),
        };
        let found = Json::from(Value::from(values.clone()));
        if !same("result", "results", found.clone())
            || !same("result_paths", "results_paths", Json::from(paths.clone()))
        {
            wrong.push(format!("{selector:?} on {document}: {found} at {paths:?}"));
        }
        assert_eq!(
            query.select(document.by_ref()).unwrap(),
            values.iter().map(Value::by_ref).collect::<Vec<_>>()
        );
        assert_eq!(query.count(document.by_ref()).unwrap(), values.len());
        assert_eq!(
            query.first(document.by_ref()).unwrap(),
            values.first().map(Value::by_ref)
        );
        for (path, node) in located {
            assert_eq!(document.by_ref().at(&path), Some(node));
            assert_eq!(Path::from_normalized(&path.to_normalized()).unwrap(), path);
        }
        if let Some(most) = query.complexity().max_results {
            assert!(values.len() as u64 <= most, "{selector}");
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} of them",
        wrong.join("\n"),
        wrong.len()
    );
    assert_eq!((invalid, valid), (247, 456));
}
