//! `run`: results, events, modes and exit codes.

use crate::program::{Folder, HELLO, HOST, files};

#[test]
fn a_result_goes_to_stdout_and_the_timeline_to_stderr() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let done = f.run(&["run", spec]).ok();
    assert_eq!(done.stdout, "{\n  \"said\": \"hello world\"\n}\n");
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert!(
        lines[0].starts_with("case ") && lines[0].ends_with(" of hello started"),
        "{done:?}"
    );
    assert!(
        lines.iter().any(|l| l.contains("greet       started")),
        "{done:?}"
    );
    assert!(
        lines.iter().any(|l| l.contains("greet       done in ")),
        "{done:?}"
    );
    assert!(
        lines.iter().any(|l| l.contains("say         hello world")),
        "{done:?}"
    );
    assert!(
        lines.last().unwrap().contains("case completed after "),
        "{done:?}"
    );
    assert!(
        !done.stderr.contains('\u{1b}'),
        "no colours where there is no terminal: {done:?}"
    );
    assert!(f.path(".statewright").is_dir());
}

#[test]
fn quiet_is_the_result_alone() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let done = f.run(&["run", spec, "-q", "--store", "s"]).ok();
    assert_eq!(
        (done.json()["said"].as_str(), done.stderr.as_str()),
        (Some("hello world"), "")
    );
}

#[test]
fn json_is_every_event_in_order_and_then_the_end() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let done = f.run(&["run", spec, "--json", "--case-id", "c-1"]).ok();
    let lines = done.lines();
    let (end, events) = lines.split_last().unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "case_started",
            "offered",
            "started",
            "completed",
            "logged",
            "case_completed"
        ]
    );
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(
            (event["seq"].as_i64(), event["case"].as_str()),
            (Some(seq), Some("c-1"))
        );
        assert!(
            event["version"].as_u64().unwrap() > 0 && event["at"].as_str().unwrap().ends_with('Z')
        );
    }
    assert!(
        events
            .windows(2)
            .all(|w| w[0]["version"].as_u64() <= w[1]["version"].as_u64())
    );
    assert_eq!(
        end.to_string(),
        r#"{"case":"c-1","flow":"hello","status":"completed","result":{"said":"hello world"}}"#
    );
    assert_eq!(done.stderr, "");
}

#[test]
fn input_comes_from_a_file_from_text_or_from_stdin() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let json = r#"{"name": "Ada"}"#;
    let file = f.file("in.json", json);
    for (given, stdin) in [(file, ""), (json, ""), ("-", json)] {
        let done = f
            .run_with(
                &[
                    "run",
                    spec,
                    "-q",
                    "--durability",
                    "memory",
                    "--input",
                    given,
                ],
                stdin,
            )
            .ok();
        assert_eq!(done.json()["said"], "hello Ada", "{given}");
    }
    assert!(!f.path(".statewright").exists(), "memory makes no store");
}

#[test]
fn every_durability_runs() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    for mode in ["strict", "buffered"] {
        f.run(&["run", spec, "-q", "--store", mode, "--durability", mode])
            .ok();
        assert!(!files(&f.path(mode)).is_empty());
    }
}

#[test]
fn a_failed_case_ends_with_1_and_says_which_task_and_why() {
    let f = Folder::new();
    let spec = f.file(
        "f.yaml",
        "name: f\nversion: 1\ntasks:\n  break: { kind: process, run: [sh, -c, 'echo \"no such thing\" >&2; exit 3'] }\n",
    );
    let done = f.run(&["run", spec, "--case-id", "bad"]).ended(1);
    assert_eq!(done.stdout, "");
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error[exit]: case bad failed in task 'break': "),
        "{done:?}"
    );
    assert!(last.contains("no such thing"), "{done:?}");
    let end = f
        .run(&["run", spec, "--json"])
        .ended(1)
        .lines()
        .pop()
        .unwrap();
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&"failed".into(), &"exit".into())
    );
}

#[test]
fn a_deadlocked_case_ends_with_4_and_says_where() {
    let f = Folder::new();
    // The choice takes one of two branches; the join waits for both.
    let spec = f.file(
        "d.yaml",
        "
name: d
version: 1
tasks:
  choose: { kind: set, set: { .x: '1' }, split: xor, next: [ { to: a, when: '.x == 1' }, { to: b } ] }
  a: { kind: set, set: { .a: '1' }, next: both }
  b: { kind: set, set: { .b: '1' }, next: both }
  both: { kind: set, join: and, set: { .c: '1' } }
",
    );
    let done = f.run(&["run", spec]);
    if done.code == Some(3) {
        // The checks may well see this before it is run.
        assert!(done.stderr.contains("deadlock"), "{done:?}");
        return;
    }
    let done = done.ended(4);
    assert_eq!(done.stdout, "");
    assert!(
        done.stderr.lines().last().unwrap().contains("a>both"),
        "{done:?}"
    );
}

#[test]
fn a_retried_step_says_so() {
    let f = Folder::new();
    let spec = f.file(
        "r.yaml",
        "
name: r
version: 1
tasks:
  t:
    kind: process
    run: [sh, -c, 'test $STATEWRIGHT_ATTEMPT = 2']
    stdout: none
    retry: { attempts: 2, delay: 10ms }
",
    );
    let done = f.run(&["run", spec]).ok();
    assert!(done.stderr.contains("attempt 1 failed: "), "{done:?}");
    assert!(done.stderr.contains("(attempt 2)"), "{done:?}");
}

#[test]
fn out_of_time_ends_with_6_and_can_be_resumed() {
    let f = Folder::new();
    let spec = f.file(
        "w.yaml",
        "name: w\nversion: 1\ntasks:\n  t: { kind: wait, for: 3s }\noutput: '\"late\"'\n",
    );
    let begun = std::time::Instant::now();
    let done = f
        .run(&["run", spec, "--timeout", "50ms", "--case-id", "w1"])
        .ended(6);
    assert!(begun.elapsed().as_millis() < 2900);
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error[112]: ") && last.contains("statewright resume w1"),
        "{done:?}"
    );
    assert_eq!(f.run(&["resume"]).ok().stdout, "\"late\"\n");
}

#[test]
fn work_that_nobody_takes_is_pointed_out() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let done = f
        .run(&["run", spec, "--timeout", "2500ms", "--durability", "memory"])
        .ended(6);
    assert!(
        done.stderr
            .contains("note: ask waits for a host program that polls topic 'questions'"),
        "{done:?}"
    );
    assert!(done.stderr.contains("kept in memory alone"), "{done:?}");
}

#[test]
fn no_color_and_forced_color_are_heeded() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let forced = f
        .command(&["run", spec])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(forced.stderr.contains(&0x1b));
    let none = f
        .command(&["run", spec])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!none.stderr.contains(&0x1b));
}

#[test]
fn the_flow_knows_the_folder_it_lies_in() {
    let f = Folder::new();
    std::fs::create_dir(f.path("sub")).unwrap();
    let spec = f.file(
        "sub/d.yaml",
        "name: d\nversion: 1\ntasks:\n  t: { kind: set, set: { .d: '$flow.dir' } }\noutput: .d\n",
    );
    let dir = f.run(&["run", spec, "-q"]).ok().json();
    assert_eq!(
        dir.as_str().unwrap(),
        f.path("sub").canonicalize().unwrap().to_str().unwrap()
    );
}

#[test]
fn a_reader_who_goes_away_ends_it_quietly() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "-q"]).ok();
    let mut child = f.spawn(&["run", spec, "--json"]);
    drop(child.stdout.take());
    drop(child.stdin.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr), (Some(141), Vec::new()));
}

#[test]
fn without_a_terminal_nothing_is_drawn_in_place() {
    let f = Folder::new();
    let hello = f.file("hello.yaml", HELLO);
    for args in [
        &["run", hello][..],
        &["run", hello, "--json"],
        &["run", hello, "-q"],
    ] {
        let mut command = f.command(args);
        command.env("TERM", "xterm-256color");
        let done = crate::program::Done::from(command.output().unwrap()).ok();
        let all = done.stdout + &done.stderr;
        assert!(!all.contains(['\u{1b}', '━', '─', '⠋']), "{all:?}");
    }
}
