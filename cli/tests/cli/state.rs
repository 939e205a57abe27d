//! `kv`, `json`, `events`, `cells`, `traces`, `runs`, `spaces` and `txn`.

use crate::program::Folder;

fn json(f: &Folder, args: &[&str]) -> serde_json::Value {
    let done = f.run(&[args, &["--json"]].concat()).ok();
    done.lines()[0]["result"].clone()
}

#[test]
fn state_is_written_and_read_from_the_command_line() {
    let f = Folder::new();
    f.run(&["kv", "put", "greeting", "\"hello\""]).ok();
    f.run(&["kv", "put", "n", "41", "ttl_ms=3600000"]).ok();
    assert_eq!(f.run(&["kv", "increment", "n"]).ok().stdout, "42\n");
    assert_eq!(
        f.run(&["kv", "increment", "n", "by=-2"]).ok().stdout,
        "40\n"
    );
    assert_eq!(json(&f, &["kv", "get", "greeting"])["value"], "hello");
    let listed = f.run(&["kv", "scan", "prefix=g", "limit=5"]).ok().stdout;
    assert_eq!(listed, "{\"key\":\"greeting\",\"value\":\"hello\"}\n");
    // A key is text, whatever it looks like; so is a value that is no JSON.
    f.run(&["kv", "put", "17", "plain text"]).ok();
    assert_eq!(json(&f, &["kv", "get", "17"])["value"], "plain text");

    f.run(&["json", "create", "order", r#"{"lines":[{"price":1}]}"#])
        .ok();
    f.run(&["json", "set", "order", ".lines[0].price", "12.5"])
        .ok();
    f.run(&["json", "push", "order", ".tags", r#"["new"]"#])
        .ok();
    let order = json(&f, &["json", "get", "order"]);
    assert_eq!(order["lines"][0]["price"], 12.5);
    assert_eq!(json(&f, &["json", "get", "order", "path=.tags[0]"]), "new");
    let past = json(&f, &["json", "history", "order"]);
    assert_eq!(past.as_array().unwrap().len(), 3);

    f.run(&["events", "append", "orders", "placed", r#"{"id":17}"#])
        .ok();
    let events = json(&f, &["events", "range", "orders"]);
    assert_eq!(events[0]["payload"]["id"], 17);
    assert_eq!(json(&f, &["events", "verify", "orders"])["len"], 1);

    f.run(&["cells", "init", "phase", "draft"]).ok();
    assert_eq!(json(&f, &["cells", "get", "phase"])["value"], "draft");
    f.run(&[
        "traces",
        "record",
        "decision",
        r#"{"why":"because"}"#,
        "id=t",
    ])
    .ok();
    assert_eq!(json(&f, &["traces", "get", "t"])["type"], "decision");
    f.run(&["runs", "create", "id=r", r#"tags=["nightly"]"#])
        .ok();
    f.run(&["runs", "set-status", "r", "paused"]).ok();
    let paused = json(&f, &["runs", "by_status", "paused"]);
    assert_eq!(
        (&paused[0]["id"], &paused[0]["tags"][0]),
        (&"r".into(), &"nightly".into())
    );
    f.run(&["kv", "put", "x", "1", "--space", "acme/app"]).ok();
    assert_eq!(
        f.run(&["spaces", "list"]).ok().stdout,
        "\"acme/app\"\n\"default\"\n"
    );
}

#[test]
fn a_file_of_calls_is_one_commit_or_nothing() {
    let f = Folder::new();
    let calls = r#"{"op":"kv.put","key":"a","value":1}
{"op":"json.create","key":"d","value":{}}
{"op":"event.append","stream":"s","type":"t","payload":{}}
"#;
    let done = f.run(&["txn", f.file("good.ndjson", calls), "--json"]).ok();
    assert_eq!(done.lines()[0]["version"], 1);
    let bad = r#"[{"op":"kv.put","key":"b","value":1},{"op":"json.create","key":"d","value":{}}]"#;
    let done = f.run_with(&["txn", "-"], bad);
    assert_ne!(done.code, Some(0));
    assert!(
        done.stderr.contains("default/json/d already exists"),
        "{}",
        done.stderr
    );
    assert_eq!(json(&f, &["kv", "count"]), 1);
}

#[test]
fn operations_are_listed_and_what_is_wrong_is_named() {
    let f = Folder::new();
    let listed = f.run(&["kv"]).ok().stdout;
    assert!(listed.contains("put KEY VALUE [expires=…]"), "{listed}");
    for (args, code, says) in [
        (&["kv", "steal", "a"][..], 2, "no operation 'steal'"),
        (&["kv", "put", "a"], 2, "'value' is missing"),
        (
            &["kv", "put", "a", "1", "ttl=1"],
            2,
            "one argument too many",
        ),
        (&["kv", "get", "a"], 5, "there is no store"),
        (
            &["runs", "set_status", "r", "tired"],
            5,
            "there is no store",
        ),
    ] {
        let done = f.run(args);
        assert_eq!(done.code, Some(code), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
    }
    assert!(
        !f.path(".statewright").exists(),
        "looking and typos make no store"
    );
}
