//! `stats`, `export` and `import`.

use serde_json::{Value, json};

use crate::program::{Done, Folder};

/// Something of every primitive, in two spaces, with keys and values that JSON has no form for.
const CALLS: &str = r#"[
{"op":"kv.put","key":"a","value":1},
{"op":"kv.put","key":"float","value":1.0},
{"op":"kv.put","key":"big","value":18446744073709551615},
{"op":"kv.put","key":"late","value":"x","expires":4102444800000000},
{"op":"kv.put","key":"looks","value":{"$$date":"2024-05-01"},"space":"acme/shop"},
{"op":"kv.put","key":"price","value":{"$decimal":"12.50"}},
{"op":"json.create","key":"order","value":{"z":1,"a":[null,true,{"n":-0.5}]}},
{"op":"cell.set","key":"phase","value":null},
{"op":"event.append","stream":"orders","type":"placed","payload":{"id":17}},
{"op":"event.append","stream":"orders","type":"paid","payload":{"id":17,"$x":1}},
{"op":"event.append","stream":"orders","type":"sent","payload":{},"space":"acme/shop"},
{"op":"trace.record","id":"t1","type":"call","payload":{"tool":"search"},"tags":["slow","b"]},
{"op":"trace.record","id":"t0","parent":"t1","type":"call","payload":null},
{"op":"run.create","id":"r1","tags":["nightly"],"metadata":{"a":1}},
{"op":"run.create","id":"r2","parent":"r1"},
{"op":"run.set_status","id":"r1","status":"failed"},
{"op":"kv.put","key":"rows","value":3,"space":"default/r1"}
]"#;

fn filled() -> Folder {
    let f = Folder::new();
    f.file("calls.json", CALLS);
    f.run(&["txn", "calls.json"]).ok();
    f.run(&["runs", "set_metadata", "r2", ".late", "1"]).ok();
    f
}

/// What an export says, without its first line, which tells the version.
fn body(done: &Done) -> Vec<String> {
    done.stdout.lines().skip(1).map(str::to_owned).collect()
}

fn error(done: &Done) -> (Option<i32>, i64) {
    let last = done.stdout.lines().last().unwrap_or_default();
    let last: Value = serde_json::from_str(last).unwrap();
    (done.code, last["error"]["code"].as_i64().unwrap())
}

#[test]
fn every_primitive_comes_back_as_it_was() {
    let f = filled();
    let exported = f.run(&["export"]).ok();
    assert_eq!(exported.stdout.lines().count(), 2 + 16, "{exported:?}");
    f.run(&["export", "-o", "all.ndjson"]).ok();
    let on_disk = std::fs::read_to_string(f.path("all.ndjson")).unwrap();
    assert_eq!(on_disk, exported.stdout);

    let there = ["--store", "copy"];
    let import = |more: &[&str]| f.run(&[&["import", "all.ndjson"], &there[..], more].concat());
    let done = import(&["--json"]).ok();
    assert_eq!(done.lines()[0]["imported"], 16);
    let again = f.run(&["export", "--store", "copy"]).ok();
    assert_eq!(body(&again), body(&exported));
    // Chains hold, lists find what they found, a run's state is where it was.
    let json = |args: &[&str]| {
        f.run(&[args, &there, &["--json"]].concat()).ok().lines()[0]["result"].clone()
    };
    assert_eq!(json(&["events", "verify", "orders"])["len"], 2);
    assert_eq!(json(&["runs", "by_status", "failed"])[0]["id"], "r1");
    assert_eq!(json(&["traces", "tree", "t1"])[1]["trace"]["id"], "t0");
    assert_eq!(json(&["kv", "get", "rows"]), Value::Null);
    assert_eq!(
        json(&["kv", "get", "late"])["expires"],
        4102444800000000_i64
    );

    // It can be imported again, and by one commit.
    import(&[]).ok();
    let version = |store: &str| {
        f.run(&["stats", "--json", "--store", store]).ok().lines()[0]["version"].clone()
    };
    assert_eq!(version("copy"), 2);
    f.run(&["import", "all.ndjson", "--atomic", "--store", "once"])
        .ok();
    assert_eq!(version("once"), 1);
    assert_eq!(
        body(&f.run(&["export", "--store", "once"]).ok()),
        body(&exported)
    );
}

#[test]
fn values_and_keys_that_json_lacks_come_back() {
    let f = Folder::new();
    let lines = [
        json!({"op": "kv.put", "key": {"$bytes": "/wA="}, "value": {"$decimal": "12.50"}}),
        json!({"op": "kv.put", "key": "d", "value": [{"$date": "2024-05-01"}, {"$bytes": "AAE="}]}),
    ];
    let text = format!("\n{}\r\n\n{}", lines[1], lines[0]);
    f.run_with(&["import", "-"], &text).ok();
    let out = body(&f.run(&["export"]).ok());
    for line in &lines {
        assert!(
            out.iter()
                .any(|o| serde_json::from_str::<Value>(o).unwrap() == *line),
            "{line} {out:?}"
        );
    }
}

#[test]
fn a_value_as_deep_as_can_be_put_comes_back() {
    let f = Folder::new();
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    f.run(&["kv", "put", "deep", &deep]).ok();
    f.run(&["export", "-o", "all.ndjson"]).ok();
    f.run(&["import", "all.ndjson", "--store", "copy"]).ok();
    let there = f.run(&["export", "--store", "copy"]).ok();
    assert!(body(&there) == body(&f.run(&["export"]).ok()));
}

#[test]
fn a_part_of_a_store_is_exported() {
    let f = filled();
    let count = |args: &[&str]| body(&f.run(&[&["export"], args].concat()).ok()).len() - 1;
    assert_eq!(count(&["--space", "acme/shop"]), 2);
    assert_eq!(count(&["--only", "events"]), 3);
    assert_eq!(count(&["--only", "kv,cells", "--space", "default"]), 6);
    assert_eq!(count(&["--prefix", "or"]), 4);
    assert_eq!(count(&["--only", "traces,runs", "--prefix", "t1"]), 1);
    assert_eq!(count(&["--space", "nobody/home"]), 0);
    assert_eq!(f.run(&["export", "--space", "//"]).code, Some(2));
    assert_eq!(f.run(&["export", "--only", "keys"]).code, Some(2));
    assert_eq!(f.run(&["export", "--store", "nowhere"]).code, Some(5));
}

#[test]
fn many_lines_take_many_commits_and_a_bad_one_stops_there() {
    let f = Folder::new();
    let put = |n: u32| format!("{{\"op\":\"kv.put\",\"key\":\"k{n:05}\",\"value\":{n}}}\n");
    let mut text: String = (1..=2500).map(put).collect();
    text.push_str("{\"op\":\"kv.put\",\"key\":\"\",\"value\":1}\n");
    text.push_str(&put(9999));
    f.file("bad.ndjson", &text);
    let stopped = f.run(&["import", "bad.ndjson", "--json"]);
    assert_eq!(error(&stopped), (Some(2), 404));
    assert!(stopped.stderr.contains("line 2501"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("--skip 2000"), "{}", stopped.stderr);
    let count = || f.run(&["kv", "count"]).ok().stdout;
    assert_eq!(count(), "2000\n");
    f.file(
        "good.ndjson",
        &text.replace("\"key\":\"\"", "\"key\":\"k0\""),
    );
    let done = f
        .run(&["import", "good.ndjson", "--skip", "2000", "--json"])
        .ok();
    assert_eq!(done.lines()[0]["imported"], 502);
    assert_eq!(count(), "2502\n");

    // All or none.
    assert_eq!(
        f.run(&["import", "bad.ndjson", "--atomic", "--store", "one"])
            .code,
        Some(2)
    );
    assert!(!f.path("one").exists());
}

#[test]
fn a_batch_ends_before_a_line_that_would_make_it_too_large() {
    let f = Folder::new();
    let put = |key: &str, size: usize| {
        let value = "x".repeat(size);
        format!("{{\"op\":\"kv.put\",\"key\":\"{key}\",\"value\":\"{value}\"}}\n")
    };
    // Each of them fits into a commit, but not the small one and the large one together.
    f.file("large.ndjson", &(put("a", 1) + &put("b", (64 << 20) - 70)));
    f.run(&["import", "large.ndjson"]).ok();
    let version = f.run(&["stats", "--json"]).ok().lines()[0]["version"].clone();
    assert_eq!(version, 2);
}

#[test]
fn what_grew_beyond_the_limit_of_a_commit_comes_back() {
    let f = Folder::new();
    let text = "x".repeat(40 << 20);
    let append = format!("{{\"op\":\"kv.append\",\"key\":\"k\",\"value\":\"{text}\"}}\n");
    f.file("grow.ndjson", &append.repeat(2));
    f.run(&["import", "grow.ndjson"]).ok();
    f.run(&["export", "-o", "all.ndjson"]).ok();
    f.run(&["import", "all.ndjson", "--store", "copy"]).ok();
    f.run(&["export", "-o", "copy.ndjson", "--store", "copy"])
        .ok();
    let read = |name: &str| std::fs::read_to_string(f.path(name)).unwrap();
    let ends = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert!(ends(&read("copy.ndjson")) == ends(&read("all.ndjson")));
}

#[test]
fn an_export_of_nothing_makes_a_store_with_nothing_in_it() {
    let f = Folder::new();
    f.run(&["kv", "put", "k", "1"]).ok();
    f.run(&["kv", "delete", "k"]).ok();
    f.run(&["export", "-o", "none.ndjson"]).ok();
    f.run(&["import", "none.ndjson", "--store", "copy"]).ok();
    assert_eq!(body(&f.run(&["export", "--store", "copy"]).ok()).len(), 1);
}

#[test]
fn hostile_input_is_refused_with_its_line() {
    let head = r#"{"statewright":"export","format":1,"version":7}"#;
    let long = format!(
        "{{\"op\":\"kv.put\",\"key\":\"{}\",\"value\":1}}",
        "k".repeat(5000)
    );
    let deep = format!(
        "{{\"op\":\"kv.put\",\"key\":\"k\",\"value\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let event = |sequence: u64, hash: &str| {
        format!(
            "{{\"op\":\"event.restore\",\"stream\":\"s\",\"sequence\":{sequence},\"time\":5,\"type\":\"t\",\
             \"payload\":{{}},\"hash\":\"{hash}\"}}"
        )
    };
    for (lines, code) in [
        (vec!["{\"op\":"], 200),
        (vec!["7"], 418),
        (vec!["{}"], 418),
        (vec!["{\"op\":\"kv.drop_all\"}"], 418),
        (vec!["{\"op\":\"kv.put\",\"key\":\"k\",\"valeu\":1}"], 418),
        (
            vec!["{\"op\":\"kv.put\",\"key\":{\"$date\":\"soon\"},\"value\":1}"],
            205,
        ),
        (vec!["{\"op\":\"kv.history\",\"key\":\"k\"}"], 418),
        (vec![&long], 404),
        (vec![&deep], 204),
        (vec!["\u{fffd}\0"], 200),
        (vec![head], 302),
        (vec![head, "{\"statewright\":\"end\",\"lines\":1}"], 302),
        (vec![head, head], 302),
        (vec![r#"{"statewright":"export","format":2}"#], 304),
        (vec![r#"{"statewright":"what"}"#], 418),
        (vec![&event(1, "00")], 418),
        (vec![&event(1, &"0".repeat(64))], 419),
        (vec![&event(0, &"0".repeat(64))], 413),
    ] {
        let f = Folder::new();
        let refused = f.run_with(&["import", "-", "--json"], &lines.join("\n"));
        assert_eq!(
            error(&refused),
            (Some(2), code),
            "{lines:?} {}",
            refused.stderr
        );
        let line = format!("line {}", lines.len());
        assert!(
            refused.stderr.contains(&line),
            "{lines:?} {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("nothing is imported"),
            "{lines:?} {}",
            refused.stderr
        );
        assert!(
            !f.path(".statewright").exists(),
            "what is refused makes no store"
        );
    }
    // A run that has ended is two changes.
    let f = Folder::new();
    let ended = |n| {
        let times = r#""created":1,"updated":2"#;
        format!(r#"{{"op":"run.restore","id":"{n}","status":"completed",{times}}}"#)
    };
    let lines: Vec<String> = (0..50_001).map(ended).collect();
    f.file("runs.ndjson", &lines.join("\n"));
    let done = f.run(&["import", "runs.ndjson", "--atomic"]).ok();
    assert!(done.stdout.contains("50001 operations"), "{}", done.stdout);
    let f = Folder::new();
    assert_eq!(f.run(&["import", "nowhere"]).code, Some(2));
    assert_eq!(f.run(&["import", "."]).code, Some(2));
    assert!(!f.path(".statewright").exists());
}

#[test]
fn an_export_that_was_cut_off_is_told_and_what_came_is_there() {
    let f = filled();
    let all = f.run(&["export"]).ok().stdout;
    let cut: Vec<&str> = all.lines().take(9).collect();
    let done = f.run_with(
        &["import", "-", "--json", "--store", "cut"],
        &cut.join("\n"),
    );
    assert_eq!(error(&done), (Some(2), 302));
    assert!(
        done.stderr.contains("lines 1 to 9 are imported"),
        "{}",
        done.stderr
    );
    assert_eq!(
        f.run(&["kv", "exists", "a", "--store", "cut"]).ok().stdout,
        "true\n"
    );
    let done = f.run_with(
        &["import", "-", "--atomic", "--store", "none"],
        &cut.join("\n"),
    );
    assert_eq!(done.code, Some(2));
    assert!(!f.path("none").exists());
    // A line is missing in the middle, or the next export begins too early.
    let mut holed: Vec<&str> = all.lines().collect();
    holed.remove(holed.len() - 2);
    let twice: Vec<&str> = cut.iter().copied().chain(all.lines()).collect();
    for (lines, through, store) in [(&holed, holed.len(), "holed"), (&twice, 9, "twice")] {
        let args = ["import", "-", "--json", "--store", store];
        let done = f.run_with(&args, &lines.join("\n"));
        assert_eq!(error(&done), (Some(2), 302));
        let says = format!("lines 1 to {through} are imported");
        assert!(done.stderr.contains(&says), "{}", done.stderr);
        let there = f.run(&["kv", "exists", "a", "--store", store]).ok();
        assert_eq!(there.stdout, "true\n");
    }
}

#[test]
fn stats_tell_what_is_in_force_and_what_is_there() {
    let f = filled();
    let stats = f.run(&["stats", "--json", "--count"]).ok().lines()[0].clone();
    assert_eq!(stats["durability"], "strict");
    assert_eq!(stats["version"], 2);
    assert_eq!(stats["durable_version"], 2);
    assert_eq!(stats["recovery"]["commits"], 2);
    assert_eq!(stats["recovery"]["clean"], true);
    assert_eq!(stats["checkpoint"]["version"], 0);
    assert_eq!(stats["limits"]["max_ops"], 100_000);
    assert_eq!(stats["settings"]["segment_bytes"], 16 << 20);
    assert_eq!(stats["settings"]["checkpoint_every_bytes"], 64 << 20);
    assert!(stats["folder"]["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(stats["spaces"]["default"]["keys"], 5);
    assert_eq!(stats["spaces"]["acme/shop"]["streams"], 1);
    let text = f.run(&["stats"]).ok().stdout;
    for line in [
        "durability         strict",
        "  syncs",
        "  clean            yes",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(f.run(&["stats", "--store", "nowhere"]).code, Some(5));
}
