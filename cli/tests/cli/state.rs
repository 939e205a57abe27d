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
    let typed = r#"{"op":"kv.put","key":{"$bytes":"dA=="},"value":{"$decimal":"12.50"}}"#;
    f.run_with(&["txn", "-"], typed).ok();
    let got = f.run(&["kv", "get", "t"]).ok().stdout;
    assert!(got.contains(r#""value":12.50"#), "{got}");
    let bad = r#"[{"op":"kv.put","key":"b","value":1},{"op":"json.create","key":"d","value":{}}]"#;
    let done = f.run_with(&["txn", "-"], bad);
    assert_ne!(done.code, Some(0));
    assert!(
        done.stderr.contains("default/json/d already exists"),
        "{}",
        done.stderr
    );
    assert_eq!(json(&f, &["kv", "count"]), 2);
}

#[test]
fn operations_are_listed_and_what_is_wrong_is_named() {
    let f = Folder::new();
    f.file(
        "refused.ndjson",
        "{\"op\":\"kv.put\",\"key\":\"a\",\"value\":1}\n{\"op\":\"kv.put\",\"key\":\"\",\"value\":1}",
    );
    f.file("looks.ndjson", "{\"op\":\"kv.get\",\"key\":\"a\"}");
    let listed = f.run(&["kv"]).ok().stdout;
    assert!(listed.contains("put KEY VALUE [expires=…]"), "{listed}");
    for (args, code, says) in [
        (&["kv", "steal", "a"][..], 2, "no operation 'steal'"),
        (&["kv", "put", "a"], 2, "'value' is missing"),
        (&["kv", "put", "a", "1", "2"], 2, "one argument too many"),
        (
            &["kv", "put", "a", "1", "ttl=1"],
            2,
            "does not take 'ttl'; write: put KEY VALUE",
        ),
        (&["kv", "put", "", "1"], 2, "a key must have"),
        (&["kv", "put", "a", "1", "if_version=7"], 9, "not 7"),
        (
            &["json", "create", "d", "1", "--space", "//"],
            2,
            "not a space",
        ),
        (&["json", "set", "d", ".a", "1"], 9, "does not exist"),
        (&["txn", "refused.ndjson"], 2, "a key must have"),
        (&["txn", "looks.ndjson"], 5, "there is no store"),
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

#[test]
fn what_the_state_refuses_ends_with_its_own_code() {
    let f = Folder::new();
    f.run(&["json", "create", "d", "{}"]).ok();
    f.run(&["runs", "create", "id=r"]).ok();
    f.run(&["runs", "create", "id=s", "parent=r"]).ok();
    f.run(&["runs", "set_status", "s", "completed"]).ok();
    f.run(&["cells", "set", "c", "1"]).ok();
    for (args, code) in [
        (&["json", "set", "nothing", ".a", "1"][..], 401),
        (&["json", "create", "d", "1"], 402),
        (&["cells", "cas", "c", "2", "expected=99"], 409),
        (&["kv", "cas", "k", "1", "expected=2"], 410),
        (&["runs", "set_status", "s", "active"], 411),
        (&["runs", "delete", "r"], 415),
    ] {
        let done = f.run(args);
        assert_eq!(done.code, Some(9), "{args:?}: {done:?}");
        assert!(
            done.stderr.contains(&format!("error[{code}]")),
            "{args:?}: {done:?}"
        );
    }
}

#[test]
fn null_and_nothing_are_told_apart_and_documents_are_shown_whole() {
    let f = Folder::new();
    f.run(&[
        "json",
        "create",
        "d",
        r#"{"null":null,"none":[],"some":[1,2]}"#,
    ])
    .ok();
    for (path, shown) in [
        (".null", "null\n"),
        (".none", "[]\n"),
        (".some", "[1,2]\n"),
        (".absent", ""),
    ] {
        for written in [path.to_owned(), format!("path={path}")] {
            let done = f.run(&["json", "get", "d", &written]).ok();
            assert_eq!(done.stdout, shown, "{written}");
        }
    }
    assert_eq!(f.run(&["json", "get", "absent"]).ok().stdout, "");
}

#[test]
fn every_character_reaches_a_pipe() {
    let f = Folder::new();
    let text = "a\u{7f}b\u{9b}31m\u{85}c";
    f.run(&["json", "create", "d", &format!("\"{text}\"")]).ok();
    let shown = f.run(&["json", "get", "d"]).ok().stdout;
    assert_eq!(shown, format!("\"{text}\"\n"));
    let shown = f.run(&["json", "list", "--json"]).ok();
    assert_eq!(shown.lines()[0]["result"][0]["value"], text);
}
