//! `value validate` and `infer`.

use super::{bad, check, good, value, value_with};
use crate::program::Folder;

const SCHEMA: &str = r#"{
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"]
}"#;

fn folder() -> Folder {
    let f = Folder::new();
    f.file("schema.json", SCHEMA);
    f.file("good.json", r#"{"name":"Ada","age":36}"#);
    f.file("good.yaml", "name: Bob\n");
    f.file("bad.json", r#"{"age":-1}"#);
    f.file("broken.json", "{");
    f.file(
        "log.ndjson",
        "{\"name\":\"Ada\"}\n{\"name\":1}\n{\"age\":1}\n",
    );
    f
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let f = folder();
    check(
        &f,
        &[
            good(
                &["validate", "-s", "schema.json", "good.json", "good.yaml"],
                "good.json: ok\ngood.yaml: ok\n",
            ),
            good(&["validate", "-q", "-s", "schema.json", "good.json"], ""),
            good(&["validate", "-s", "schema.json"], "stdin: ok\n").stdin("{\"name\":\"\"}"),
            good(&["validate", "-s", "-", "good.json"], "good.json: ok\n").stdin(SCHEMA),
            good(
                &["validate", "--json", "-s", "schema.json", "good.json"],
                "",
            ),
        ],
    );
    let done = value(
        &f,
        &[
            "validate",
            "--schema",
            "schema.json",
            "bad.json",
            "good.json",
        ],
    )
    .ended(1);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{done:?}");
    for (begin, end) in [
        ("bad.json: .age: ", "(schema: /properties/age/minimum)"),
        ("bad.json: .: ", "(schema: /required)"),
    ] {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(begin) && line.ends_with(end)),
            "{begin} {end}: {done:?}"
        );
    }
    assert_eq!(lines[2], "good.json: ok");
    assert_eq!(done.stderr, "");
}

#[test]
fn json_has_an_object_for_each_violation() {
    let f = folder();
    let violations = value(
        &f,
        &[
            "validate",
            "--json",
            "-s",
            "schema.json",
            "bad.json",
            "log.ndjson",
        ],
    )
    .ended(1)
    .lines();
    assert_eq!(violations.len(), 4, "{violations:?}");
    for violation in &violations {
        for key in [
            "file",
            "path",
            "pointer",
            "schema_path",
            "keyword",
            "message",
        ] {
            assert!(violation[key].is_string(), "{key}: {violation}");
        }
    }
    let last = violations.last().unwrap();
    assert_eq!(
        (&last["file"], &last["line"]),
        (&"log.ndjson".into(), &3.into())
    );
}

#[test]
fn records_are_checked_one_by_one() {
    let f = folder();
    let done = value(&f, &["validate", "-s", "schema.json", "log.ndjson"]).ended(1);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert!(
        lines[0].starts_with("log.ndjson, line 2: .name: "),
        "{done:?}"
    );
    assert!(lines[1].starts_with("log.ndjson, line 3: .: "), "{done:?}");
    assert_eq!(lines[2], "log.ndjson: 2 of 3 records are not valid");
    check(
        &f,
        &[good(
            &["validate", "--items", "-s", "schema.json"],
            "stdin: ok, 2 records\n",
        )
        .stdin("[{\"name\":\"a\"},{\"name\":\"b\"}]")],
    );
}

#[test]
fn what_cannot_be_read_hides_nothing_and_ends_with_2() {
    let f = folder();
    let done = value(
        &f,
        &[
            "validate",
            "-s",
            "schema.json",
            "broken.json",
            "ghost.json",
            "bad.json",
            "good.json",
        ],
    )
    .ended(2);
    assert!(
        done.stdout.contains("bad.json: .age: ") && done.stdout.ends_with("good.json: ok\n"),
        "{done:?}"
    );
    assert!(
        done.stderr.contains("error[200]: broken.json: ") && done.stderr.contains("ghost.json"),
        "{done:?}"
    );
    check(
        &f,
        &[
            bad(
                &["validate", "-s", "-", "good.json"],
                2,
                &["error[209]: stdin: "],
            )
            .stdin("{\"type\":\"strin\"}"),
            bad(
                &["validate", "-s", "-", "good.json"],
                2,
                &["error[209]: stdin: ", "other"],
            )
            .stdin("{\"$ref\":\"https://example.com/other\"}"),
            bad(&["validate", "-s", "-", "-"], 2, &["error[104]: ", "stdin"]),
            bad(
                &["validate", "-s", "schema.json", "--ref", "good.json"],
                2,
                &["error[209]: ", "$id"],
            ),
        ],
    );
}

#[test]
fn drafts_formats_and_references_are_the_users_choice() {
    let f = folder();
    f.file(
        "other.json",
        r#"{"$id":"https://example.com/other","type":"integer"}"#,
    );
    f.file("ref.json", r#"{"$ref":"https://example.com/other"}"#);
    f.file("date.json", r#"{"format":"date"}"#);
    f.file("items.json", r#"{"items":[{"type":"integer"}]}"#);
    check(
        &f,
        &[
            good(
                &["validate", "-s", "ref.json", "--ref", "other.json"],
                "stdin: ok\n",
            )
            .stdin("1"),
            good(&["validate", "-s", "date.json"], "stdin: ok\n").stdin("\"tomorrow\""),
            good(
                &["validate", "-s", "items.json", "--draft", "7"],
                "stdin: ok\n",
            )
            .stdin("[1,\"a\"]"),
        ],
    );
    value_with(
        &f,
        &["validate", "-s", "date.json", "--formats"],
        "\"tomorrow\"",
    )
    .ended(1);
    value_with(
        &f,
        &["validate", "-s", "items.json", "--draft", "7"],
        "[\"a\"]",
    )
    .ended(1);
}

#[test]
fn an_inferred_schema_accepts_its_samples() {
    let f = folder();
    let schema = value(&f, &["infer", "good.json", "good.yaml"]).ok();
    assert_eq!(schema.json()["required"], serde_json::json!(["name"]));
    f.file("inferred.json", &schema.stdout);
    value(
        &f,
        &["validate", "-s", "inferred.json", "good.json", "good.yaml"],
    )
    .ok();
    value(&f, &["validate", "-s", "inferred.json", "bad.json"]).ended(1);
    let schema = value(&f, &["infer", "-c", "log.ndjson"]).ok();
    assert_eq!(
        schema.json()["properties"]["name"]["type"],
        serde_json::json!(["integer", "string"])
    );
    assert_eq!(schema.stdout.lines().count(), 1);
    let schema = value_with(&f, &["infer", "--items", "--to", "yaml"], "[1,2]").ok();
    assert!(schema.stdout.contains("type: integer"), "{schema:?}");
}
