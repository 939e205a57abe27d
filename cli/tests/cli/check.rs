//! `check`: every error of a spec with its place.

use crate::program::{Folder, HELLO};

const BROKEN: &str = "name: broken
version: 1
tasks:
  first: { kind: proces, run: [true], next: second }
  second: { kind: set, set: { .x: '.a +' }, next: nowhere }
";

#[test]
fn a_sound_flow_is_ok() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    assert_eq!(
        f.run(&["check", spec]).ok().stdout,
        "hello.yaml: ok (sound: every case can complete, and every task can run)\n"
    );
    let verdict = f.run(&["check", spec, "--json"]).ok().lines();
    assert_eq!(verdict.len(), 1, "{verdict:?}");
    assert_eq!(
        (&verdict[0]["verdict"], &verdict[0]["method"]),
        (&"sound".into(), &"state-space".into())
    );
}

#[test]
fn what_a_case_can_run_into_is_told_with_a_trace() {
    let f = Folder::new();
    let spec = f.file(
        "stuck.yaml",
        "name: stuck\nversion: 1\ntasks:\n  a: { split: or, next: [{ to: b, when: .b }, c] }\n  b: { next: d }\n  \
         c: { next: d }\n  d: { join: and }\n",
    );
    let done = f.run(&["check", spec]).ok();
    let first = done.stdout.lines().next().unwrap();
    assert_eq!(
        first,
        "stuck.yaml:7:3: warning[may-deadlock]: a case gets stuck with tokens in b>d"
    );
    assert!(
        done.stdout
            .contains("help: for example: a -> a>b; b -> b>d"),
        "{done:?}"
    );
    assert!(
        done.stdout.contains(
            "stuck.yaml: accepted (not sound: it can run, but a case can go wrong as the"
        ),
        "{done:?}"
    );
    let lines = f.run(&["check", spec, "--json"]).ok().lines();
    assert_eq!(lines[0]["code"], "may-deadlock");
    let verdict = &lines[lines.len() - 1];
    assert_eq!(verdict["verdict"], "not-sound");
    assert_eq!(verdict["findings"][0]["trace"][0], "a -> a>b");
}

#[test]
fn every_error_is_told_with_line_and_column() {
    let f = Folder::new();
    let spec = f.file("b.yaml", BROKEN);
    let done = f.run(&["check", spec]).ended(3);
    for place in [
        "b.yaml:4:18: error[",
        "b.yaml:5:40: error[",
        "b.yaml:5:51: error[",
    ] {
        assert!(
            done.stdout.lines().any(|line| line.starts_with(place)),
            "{place}: {}",
            done.stdout
        );
    }
    for word in ["'proces'", "'nowhere'"] {
        assert!(
            done.stdout.replace('`', "'").contains(word),
            "{word}: {}",
            done.stdout
        );
    }
    assert!(done.stdout.contains("\n  help: "), "{}", done.stdout);
    assert_eq!(done.stderr, "");
}

#[test]
fn an_unreachable_task_is_told() {
    let f = Folder::new();
    let spec = f.file("u.yaml", "name: u\nversion: 1\ntasks:\n  a: { kind: log, message: '1' }\n  island: { kind: log, message: '1' }\n");
    let done = f.run(&["check", spec]).ended(3);
    assert!(
        done.stdout.starts_with("u.yaml:5:3: error[unreachable]: ")
            && done.stdout.contains("island"),
        "{done:?}"
    );
}

#[test]
fn json_has_one_object_for_each_problem() {
    let f = Folder::new();
    let spec = f.file("b.yaml", BROKEN);
    let problems = f.run(&["check", spec, "--json"]).ended(3).lines();
    assert!(problems.len() >= 3, "{problems:?}");
    for problem in problems {
        assert_eq!(
            (&problem["file"], &problem["severity"]),
            (&"b.yaml".into(), &"error".into())
        );
        assert!(problem["line"].as_u64().unwrap() >= 1 && problem["column"].as_u64().unwrap() >= 1);
        assert!(
            !problem["code"].as_str().unwrap().is_empty()
                && !problem["message"].as_str().unwrap().is_empty()
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let done = f.run(&["check", "missing.yaml", spec]).ended(2);
    let sound = "ok (sound: every case can complete, and every task can run)";
    assert_eq!(done.stdout, format!("hello.yaml: {sound}\n"));
    assert!(
        done.stderr.starts_with("error[300]: ") && done.stderr.contains("missing.yaml"),
        "{done:?}"
    );
}

#[test]
fn a_refused_flow_makes_no_store() {
    let f = Folder::new();
    let spec = f.file("b.yaml", BROKEN);
    let done = f.run(&["run", spec]).ended(3);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("b.yaml:4:18: error["), "{done:?}");
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error[500]: b.yaml has ") && last.ends_with("nothing was run"),
        "{done:?}"
    );
    assert!(!f.path(".statewright").exists());
    let end = f
        .run(&["run", spec, "--json"])
        .ended(3)
        .lines()
        .pop()
        .unwrap();
    assert_eq!(
        (&end["error"]["code"], &end["error"]["exit"]),
        (&500.into(), &3.into())
    );
}

#[test]
fn the_examples_are_sound() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/flows");
    let f = Folder::new();
    for name in ["audit.yaml", "order.yaml"] {
        f.run(&["check", &format!("{folder}/{name}")]).ok();
    }
}

#[test]
fn the_schema_of_flows_is_printed_as_it_is_published() {
    let printed = Folder::new().run(&["check", "--schema"]).ok().stdout;
    assert_eq!(printed, include_str!("../../../docs/flow.schema.json"));
}
