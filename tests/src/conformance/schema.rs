//! JSON Schema: the official suite, mandatory tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use statewright_value::schema::{Draft, SchemaOptions};
use statewright_value::{Schema, ValueRef};

use super::{Report, Suite, files, member, read_json, text};

const JUDGED: &str = "the instance is valid exactly when the suite says so, by every way of asking; every violation \
                      names a place in the instance. References lead to the suite's `remotes`, from disk";

pub const DRAFT_2020_12: Suite = Suite {
    name: "json-schema-2020-12",
    about: "JSON Schema, draft 2020-12: JSON-Schema-Test-Suite, mandatory tests",
    judged: JUDGED,
    cases: 1_299,
    run: |data, report| run(data, Draft::Draft202012, "draft2020-12", report),
};

pub const DRAFT_7: Suite = Suite {
    name: "json-schema-7",
    about: "JSON Schema, draft 7: JSON-Schema-Test-Suite, mandatory tests",
    judged: JUDGED,
    cases: 927,
    run: |data, report| run(data, Draft::Draft7, "draft7", report),
};

fn run(data: &Path, draft: Draft, name: &str, report: &mut Report) -> Result<()> {
    let folder = data.join("json-schema");
    let options = options(draft, folder.clone())?;
    for path in files(&folder.join("tests").join(name), "json")? {
        let file = path.file_stem().and_then(|stem| stem.to_str());
        let file = file.with_context(|| format!("{} has no name", path.display()))?;
        let groups = read_json(&path)?;
        for group in groups.by_ref().items() {
            let schema = options.compile(member(group, "schema")?);
            for test in member(group, "tests")?.items() {
                let valid = member(test, "valid")?.as_bool().context("valid")?;
                let outcome = match &schema {
                    Ok(schema) => validate(schema, member(test, "data")?, valid),
                    Err(error) => Err(error.to_string()),
                };
                let (group, test) = (text(group, "description")?, text(test, "description")?);
                report.case(format!("{file}: {group}: {test}"), outcome);
            }
        }
    }
    Ok(())
}

fn validate(schema: &Schema, data: ValueRef<'_>, valid: bool) -> Result<(), String> {
    let violations: Vec<_> = schema
        .violations(data)
        .map_err(|error| error.to_string())?
        .collect();
    if schema.is_valid(data) != valid || schema.validate(data).is_ok() != valid {
        return Err(format!("valid: {}, violations: {violations:?}", !valid));
    }
    if violations.is_empty() != valid {
        return Err(format!("violations: {violations:?}"));
    }
    match violations
        .iter()
        .find(|violation| !data.has(&violation.path) || violation.message.is_empty())
    {
        Some(violation) => Err(format!("a violation that explains nothing: {violation}")),
        None => Ok(()),
    }
}

/// References lead to the folders `remotes`, as if served at localhost:1234, and `metaschemas`.
fn options(draft: Draft, folder: PathBuf) -> Result<SchemaOptions> {
    let mut options = SchemaOptions::new().default_draft(draft);
    for path in files(&folder.join("metaschemas"), "json")? {
        let schema = read_json(&path)?;
        let id = text(schema.by_ref(), "$id")?.to_owned();
        options = options.with_document(&id, schema);
    }
    Ok(options.resolver(move |uri| {
        let path = uri
            .strip_prefix("http://localhost:1234/")
            .map(|path| folder.join("remotes").join(path));
        Ok(path.and_then(|path| read_json(&path).ok()))
    }))
}
