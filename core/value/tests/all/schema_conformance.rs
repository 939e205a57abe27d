//! The official suite of JSON Schema, drafts 2020-12 and 7: see `MANIFEST.md` of the shared conformance data.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use statewright_value::schema::{Draft, SchemaOptions};
use statewright_value::{Value, ValueRef};

use crate::suites::suite;

/// A known difference of the validator underneath: file, group and test, and why.
type Skip = (&'static str, &'static str, &'static str, &'static str);

const SKIPPED: &[Skip] = &[];

#[test]
fn draft_2020_12() {
    run(Draft::Draft202012, "draft2020-12", 1_299);
}

#[test]
fn draft_7() {
    run(Draft::Draft7, "draft7", 927);
}

fn run(draft: Draft, name: &str, expected: usize) {
    let Some(folder) = suite("json-schema") else {
        return;
    };
    let options = options(draft, folder.clone());
    let (mut tests, mut wrong, mut skipped) = (0, Vec::new(), Vec::new());
    let mut files: Vec<_> = fs::read_dir(folder.join("tests").join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let groups = read(&path);
        for group in groups.by_ref().items() {
            let schema = options.compile(group.get("schema").unwrap());
            for test in group.get("tests").unwrap().items() {
                tests += 1;
                let case = [&file, text(group, "description"), text(test, "description")];
                let data = test.get("data").unwrap();
                let verdict = schema.as_ref().map(|schema| {
                    let valid = schema.is_valid(data);
                    let violations: Vec<_> = schema.violations(data).unwrap().collect();
                    assert_eq!(valid, violations.is_empty(), "{case:?}");
                    assert_eq!(valid, schema.validate(data).is_ok(), "{case:?}");
                    for violation in violations {
                        assert!(data.has(&violation.path), "{case:?}: {violation}");
                        assert!(!violation.message.is_empty());
                    }
                    valid
                });
                let right = verdict == Ok(test.get("valid").unwrap().as_bool().unwrap());
                match SKIPPED.iter().find(|skip| [skip.0, skip.1, skip.2] == case) {
                    Some(skip) if !right => skipped.push(skip),
                    Some(skip) => wrong.push(format!("{skip:?} is right by now")),
                    None if !right => wrong.push(format!("{case:?}: {verdict:?}")),
                    None => {}
                }
            }
        }
    }
    for (file, group, test, why) in &skipped {
        eprintln!("skipped: {name}/{file}: {group}: {test}: {why}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tests, expected);
}

/// References lead to the folders `remotes`, as if served at localhost:1234, and `metaschemas`.
fn options(draft: Draft, folder: PathBuf) -> SchemaOptions {
    let mut options = SchemaOptions::new().default_draft(draft);
    for name in ["draft2020-12", "draft2020-12/vocabularies", "draft7"] {
        for entry in fs::read_dir(folder.join("metaschemas").join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                let schema = read(&path);
                let id = text(schema.by_ref(), "$id").to_owned();
                options = options.with_document(&id, schema);
            }
        }
    }
    options.resolver(move |uri| {
        let path = uri
            .strip_prefix("http://localhost:1234/")
            .map(|path| folder.join("remotes").join(path));
        Ok(path.filter(|path| path.is_file()).map(|path| read(&path)))
    })
}

fn read(path: &FilePath) -> Value {
    Value::from_json(fs::read(path).unwrap()).unwrap()
}

fn text<'a>(object: ValueRef<'a>, key: &str) -> &'a str {
    object.get(key).unwrap().as_str().unwrap()
}
