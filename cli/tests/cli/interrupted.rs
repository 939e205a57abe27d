//! Signals, kill -9 and `resume`.

use std::fs;
use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::program::{Done, Folder, HOST, signal, until};

/// Each step notes that it ran; the second waits for a file.
const STEPS: &str = r#"
name: steps
version: 1
tasks:
  one: { kind: process, run: [sh, -c, 'echo one >> ran; echo 1'], next: two }
  two: { kind: process, run: [sh, -c, 'echo two >> ran; while ! test -e go; do sleep 0.01; done; echo 2'], next: three }
  three: { kind: process, run: [sh, -c, 'echo three >> ran; echo 3'] }
output: '[.one, .two, .three]'
"#;

fn ran(f: &Folder) -> String {
    fs::read_to_string(f.path("ran"))
        .unwrap_or_default()
        .replace('\n', " ")
}

#[test]
fn killed_with_sigkill_it_resumes_and_runs_no_completed_step_again() {
    for durability in ["strict", "buffered"] {
        let f = Folder::new();
        let spec = f.file("steps.yaml", STEPS);
        let mut child = f.spawn(&[
            "run",
            spec,
            "--json",
            "--case-id",
            "s",
            "--durability",
            durability,
        ]);
        until("the second step runs", || ran(&f) == "one two ");
        child.kill().unwrap();
        let printed: Done = child.wait_with_output().unwrap().into();
        assert_eq!(
            f.run(&["case", "s", "--json"]).ok().json()["status"],
            "running"
        );
        fs::write(f.path("go"), "").unwrap();

        let resumed = f
            .run(&["resume", "--json", "--durability", durability])
            .ok();
        assert_eq!(ran(&f), "one two two three ");
        let lines = resumed.lines();
        let end = lines.last().unwrap();
        assert_eq!(
            (&end["status"], end["result"].to_string()),
            (&"completed".into(), "[1,2,3]".into())
        );
        // Only what is new is told: from the release of what was under way on.
        assert_eq!(
            (&lines[0]["event"], &lines[0]["task"]),
            (&"released".into(), &"two".into())
        );

        let history = f.run(&["case", "s", "--json", "--history"]).ok().json();
        let history = history["history"].as_array().unwrap();
        let told: Vec<Value> = printed
            .lines()
            .into_iter()
            .chain(lines[..lines.len() - 1].iter().cloned())
            .collect();
        // Killed between a commit and its line, the first process may have kept one to itself.
        assert!(
            told.iter().all(|event| history.contains(event)),
            "what was told is kept: {told:?}"
        );
    }
}

#[test]
fn a_signal_stops_it_in_good_order() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let f = Folder::new();
        let spec = f.file("steps.yaml", STEPS);
        let child = f.spawn(&["run", spec, "--case-id", "s"]);
        until("the second step runs", || ran(&f) == "one two ");
        signal(&child, name);
        let done = Done::from(child.wait_with_output().unwrap()).ended(code);
        assert_eq!(done.stdout, "");
        let last = done.stderr.lines().last().unwrap();
        assert!(
            last.starts_with("error[111]: SIG") && last.contains("statewright resume s"),
            "{done:?}"
        );
        fs::write(f.path("go"), "").unwrap();
        assert_eq!(
            f.run(&["resume", "s", "-q"]).ok().json().to_string(),
            "[1,2,3]"
        );
        assert_eq!(ran(&f), "one two two three ");
    }
}

#[test]
fn a_signal_in_json_is_an_object_at_the_end() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let mut child = f.spawn(&["run", spec, "--json", "--case-id", "h"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("offered") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0);
    }
    signal(&child, "TERM");
    let last = out.lines().last().unwrap().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["error"]["exit"], &last["case"]),
        (&143.into(), &"h".into())
    );
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn resume_takes_the_cases_it_is_given_or_all() {
    let f = Folder::new();
    let spec = f.file(
        "w.yaml",
        "name: w\nversion: 1\ntasks:\n  t: { kind: wait, for: 300ms }\noutput: '$case.id'\n",
    );
    for id in ["a", "b", "c"] {
        f.run(&["run", spec, "-q", "--timeout", "1ms", "--case-id", id])
            .ended(6);
    }
    assert_eq!(f.run(&["resume", "b", "-q"]).ok().stdout, "\"b\"\n");
    let done = f.run(&["resume"]).ok();
    let mut results: Vec<&str> = done.stdout.lines().collect();
    results.sort_unstable();
    assert!(!results.contains(&"\"b\""), "{done:?}");
    let closed = f
        .run(&["cases", "--status", "completed", "--json"])
        .ok()
        .lines();
    assert_eq!(closed.len(), 3);
    // A closed case shows its end again; with nothing open there is nothing to do.
    assert_eq!(f.run(&["resume", "b", "-q"]).ok().stdout, "\"b\"\n");
    assert!(f.run(&["resume"]).ok().stderr.contains("nothing to resume"));
}

#[test]
fn a_loop_without_work_can_be_stopped() {
    let f = Folder::new();
    let spec = f.file(
        "loop.yaml",
        "
name: loop
version: 1
tasks:
  count:
    { kind: set, join: xor, set: { .n: '.n + 1' }, split: xor, next: [ { to: count, when: '.n > 0' }, { to: end } ] }
  end: { kind: log, message: '\"never\"' }
",
    );
    let begun = std::time::Instant::now();
    f.run(&[
        "run",
        spec,
        "-q",
        "--durability",
        "buffered",
        "--timeout",
        "300ms",
    ])
    .ended(6);
    assert!(begun.elapsed().as_secs() < 20);
}
