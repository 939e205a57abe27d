//! `cases`, `case` and `log`.

use crate::program::{Folder, HELLO, HOST};

fn with_two_cases() -> Folder {
    let f = Folder::new();
    let hello = f.file("hello.yaml", HELLO);
    let host = f.file("host.yaml", HOST);
    f.run(&["run", hello, "-q", "--case-id", "a"]).ok();
    f.run(&[
        "run",
        host,
        "-q",
        "--case-id",
        "b",
        "--timeout",
        "10ms",
        "--input",
        r#"{"q": "why"}"#,
    ])
    .ended(6);
    f
}

#[test]
fn cases_are_listed_and_filtered() {
    let f = with_two_cases();
    let table = f.run(&["cases"]).ok().stdout;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["CASE", "FLOW", "VERSION", "STATUS", "STARTED", "NOTE"]
    );
    assert_eq!(
        (&rows[1][..4], &rows[2][..4]),
        (
            &["a", "hello", "1", "completed"][..],
            &["b", "host", "1", "running"][..]
        )
    );
    assert_eq!(rows[2][5..], ["waits", "in", "ask"]);
    for (filter, ids) in [
        (&["--status", "running"][..], &["b"][..]),
        (&["--flow", "hello"], &["a"]),
        (&["--limit", "1"], &["a"]),
        (&["--status", "failed"], &[]),
    ] {
        let listed = f.run(&[&["cases", "--json"], filter].concat()).ok().lines();
        let listed: Vec<&str> = listed
            .iter()
            .map(|case| case["case"].as_str().unwrap())
            .collect();
        assert_eq!(listed, ids, "{filter:?}");
    }
}

#[test]
fn a_case_says_why_it_waits() {
    let f = with_two_cases();
    let shown = f.run(&["case", "b", "--history"]).ok().stdout;
    for text in [
        "status   running",
        "ask  a host program that polls topic 'questions'",
        "unblocked by:",
        "case_started",
        "offered",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let case = f.run(&["case", "b", "--json", "--history"]).ok().json();
    assert_eq!(
        (&case["status"], &case["waiting"][0]["task"]),
        (&"running".into(), &"ask".into())
    );
    assert_eq!(
        (&case["items"][0]["state"], &case["data"]["input"]["q"]),
        (&"offered".into(), &"why".into())
    );
    assert_eq!(case["history"][0]["event"], "case_started");
}

#[test]
fn a_completed_case_shows_its_result() {
    let f = with_two_cases();
    let shown = f.run(&["case", "a"]).ok().stdout;
    assert!(
        shown.contains("status   completed") && shown.contains("\"said\": \"hello world\""),
        "{shown}"
    );
    let case = f.run(&["case", "a", "--json"]).ok().json();
    assert_eq!(case["result"]["said"], "hello world");
    assert!(case.get("history").is_none());
}

#[test]
fn the_log_lists_commits_with_their_ops() {
    let f = with_two_cases();
    let all = f.run(&["log", "--json"]).ok().lines();
    let versions: Vec<u64> = all
        .iter()
        .map(|commit| commit["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
    // The flow's one task put its result into the data of its case.
    let ops = all.iter().flat_map(|c| c["ops"].as_array().unwrap());
    let mut set = ops.filter(|op| op["op"] == "flow.set");
    assert!(set.any(|op| op["at"].as_str().unwrap().ends_with(" .d.greet")));
    let some = f
        .run(&["log", "--json", "--from", "3", "--limit", "2"])
        .ok()
        .lines();
    assert_eq!(some, all[2..4]);
    assert_eq!(f.run(&["log", "--limit", "0"]).ok().stdout, "");
    let text = f.run(&["log", "--limit", "1"]).ok().stdout;
    assert!(
        text.starts_with("1  ") && text.contains("flow.create"),
        "{text}"
    );
}

#[test]
fn control_characters_from_data_do_not_reach_the_terminal() {
    let f = Folder::new();
    let spec = f.file(
        "l.yaml",
        "name: l\nversion: 1\ntasks:\n  t: { kind: log, message: '\"a\\u001b[2Jb\"' }\n",
    );
    let done = f.run(&["run", spec, "--case-id", "l"]).ok();
    assert!(
        done.stderr.contains("a [2Jb") && !done.stderr.contains('\u{1b}'),
        "{done:?}"
    );
}
