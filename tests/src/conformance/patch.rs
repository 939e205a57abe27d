//! JSON Patch and JSON Merge Patch.

use std::path::Path;

use anyhow::Result;
use statewright_value::{Error, Patch, Value};

use super::{Report, Suite, member, read_json, same};

pub const PATCH: Suite = Suite {
    name: "json-patch",
    about: "JSON Patch (RFC 6902): json-patch-tests, both files",
    judged: "the patch gives the expected document, or fails and leaves the document as it was",
    cases: 112,
    run: patch,
};

pub const MERGE_PATCH: Suite = Suite {
    name: "json-merge-patch",
    about: "JSON Merge Patch (RFC 7396): the examples of the RFC",
    judged: "the patch gives the expected document",
    cases: 17,
    run: merge_patch,
};

fn patch(data: &Path, report: &mut Report) -> Result<()> {
    for file in ["tests.json", "spec_tests.json"] {
        let cases = read_json(&data.join("json-patch").join(file))?;
        for (at, case) in cases.by_ref().items().enumerate() {
            let comment = case.get("comment").and_then(|comment| comment.as_str());
            let name = format!("{file}[{at}]: {}", comment.unwrap_or_default());
            if case.get("disabled").and_then(|disabled| disabled.as_bool()) == Some(true) {
                report.skip(name, "the suite itself has disabled it");
                continue;
            }
            let before = member(case, "doc")?;
            let mut doc = before.to_value();
            let applied =
                Patch::from_value(member(case, "patch")?).and_then(|patch| patch.apply(&mut doc));
            let outcome = match (applied, case.get("expected"), case.get("error")) {
                (Ok(()), Some(expected), None) => same(&doc, &expected.to_value()),
                (Ok(()), None, None) => Ok(()),
                (Ok(()), _, Some(error)) => Err(format!("{doc} instead of the error {error}")),
                (Err(Error::PatchFailed { .. }), _, Some(_)) => same(&doc, &before.to_value()),
                (Err(error), _, _) => Err(error.to_string()),
            };
            report.case(name, outcome);
        }
    }
    Ok(())
}

fn merge_patch(data: &Path, report: &mut Report) -> Result<()> {
    let cases = read_json(&data.join("json-merge-patch/rfc7396.json"))?;
    for (at, case) in cases.by_ref().items().enumerate() {
        let mut doc: Value = member(case, "doc")?.to_value();
        let patch = member(case, "patch")?;
        let outcome = match doc.merge_patch(patch) {
            Ok(()) => same(&doc, &member(case, "expected")?.to_value()),
            Err(error) => Err(error.to_string()),
        };
        report.case(format!("[{at}] {patch}"), outcome);
    }
    Ok(())
}
