//! `-` is standard input wherever a flow or a value is taken.

use crate::program::{Done, Folder};

const FLOW: &str = "\
name: f
version: 1
tasks:
  a: { kind: host, into: .a, next: b }
  b: { kind: signal, signal: paid, into: .paid }
output: .
";

fn value(done: Done) -> serde_json::Value {
    serde_json::from_str(&done.ok().stdout).unwrap()
}

#[test]
fn values_of_operations_come_from_stdin() {
    let f = Folder::new();
    let document = "{\n  \"name\": \"Ada\",\n  \"lines\": [1, 2]\n}\n";
    let puts: &[(&[&str], &[&str], &str)] = &[
        (&["kv", "put", "k", "-"], &["kv", "get", "k"], "/value/name"),
        (
            &["json", "create", "d", "-"],
            &["json", "get", "d"],
            "/name",
        ),
        (
            &["json", "set", "d", ".in", "-"],
            &["json", "get", "d", ".in"],
            "/name",
        ),
        (
            &["events", "append", "s", "t", "-"],
            &["events", "head", "s"],
            "/payload/name",
        ),
        (
            &["cells", "set", "c", "-"],
            &["cells", "get", "c"],
            "/value/name",
        ),
        (
            &["traces", "record", "t", "-", "id=t1"],
            &["traces", "get", "t1"],
            "/payload/name",
        ),
        (
            &["runs", "create", "id=r", "metadata=-"],
            &["runs", "get", "r"],
            "/metadata/name",
        ),
    ];
    for (put, get, place) in puts {
        f.run_with(put, document).ok();
        let found = value(f.run(get));
        assert_eq!(found.pointer(place).unwrap(), "Ada", "{put:?}: {found}");
    }
    // A name is text, and so is a quoted value.
    f.run(&["kv", "put", "-", "\"-\""]).ok();
    assert_eq!(value(f.run(&["kv", "get", "-"]))["value"], "-");
}

#[test]
fn what_is_no_json_on_stdin_is_refused_and_nothing_is_done() {
    let f = Folder::new();
    f.run(&["kv", "put", "k", "1"]).ok();
    let put = ["kv", "put", "k", "-"];
    f.run_with(&put, "{\"cut\": ")
        .refused(2, 200, &["stdin", "line 1"]);
    f.run_with(&put, "").refused(2, 200, &["stdin"]);
    let cas = ["kv", "cas", "k", "-", "expected=-"];
    f.run_with(&cas, "1").refused(2, 300, &["stdin", "once"]);
    assert_eq!(value(f.run(&["kv", "get", "k"]))["value"], 1);
}

#[test]
fn flows_and_what_is_done_to_cases_come_from_stdin() {
    let f = Folder::new();
    f.run_with(&["check", "-"], FLOW).ok();
    let drawn = f
        .run_with(&["graph", "-", "--mermaid", "-o", "-"], FLOW)
        .ok();
    assert!(drawn.stdout.contains("flowchart"), "{drawn:?}");
    assert!(!f.path("-").exists());
    f.run_with(&["run", "-", "--input", "-"], FLOW)
        .refused(2, 300, &["stdin", "once"]);
    f.run_with(&["run", "-", "--case-id", "c", "--timeout", "0"], FLOW)
        .ended(6);
    f.run_with(
        &["migrate", "-", "--plan"],
        &FLOW.replace("version: 1", "version: 2"),
    )
    .ok();

    let item = f.run(&["work", "--json"]).ok().lines()[0]["item"].to_string();
    let taken = f
        .run(&["work", "take", "c", &item, "--as", "me", "--json"])
        .ok();
    let token = taken.json()["token"].as_str().unwrap().to_owned();
    f.run_with(&["work", "complete", &token, "-"], "{\"n\": 1}")
        .ok();
    f.run(&["resume", "c", "--timeout", "0"]).ended(6);
    f.run_with(&["case", "signal", "c", "paid", "-"], "{\"cents\": 12}")
        .ok();
    let ended = f.run(&["resume", "c", "-q"]).ok();
    assert_eq!(ended.json()["a"]["n"], 1);
    assert_eq!(ended.json()["paid"]["cents"], 12);
}
