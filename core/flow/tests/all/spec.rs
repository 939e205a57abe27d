//! Specs: what is accepted, and that everything wrong is reported, with its place.

use std::time::Duration;

use statewright_flow::Severity;
use statewright_flow::net::{Format, Join, Net, Split, Task, TaskKind, Wait};
use statewright_log::Env;
use statewright_value::value;

fn net(source: &str) -> Net {
    Net::compile(source, Some("/flows")).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn inputs(task: &Task) -> Vec<usize> {
    task.inputs.iter().map(|i| i.place).collect()
}

/// `line:column code` of every problem.
fn problems(source: &str) -> Vec<String> {
    let found = match Net::compile(source, None) {
        Ok(net) => net.warnings,
        Err(problems) => problems,
    };
    found
        .iter()
        .map(|p| format!("{}:{} {}", p.line, p.column, p.code))
        .collect()
}

/// A spec with these tasks, which begin in line 3, indented by two.
fn with_tasks(tasks: &str) -> String {
    let lines: Vec<String> = tasks
        .trim_matches('\n')
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    format!("name: test\ntasks:\n{}", lines.concat())
}

#[test]
fn the_examples_compile_without_a_warning() {
    for source in [
        include_str!("../../../../examples/flows/audit.yaml"),
        include_str!("../../../../examples/flows/order.yaml"),
    ] {
        assert_eq!(net(source).warnings, []);
    }
}

#[test]
fn everything_a_spec_can_say_arrives_in_the_net() {
    let net = net(r#"
name: all
version: 7
description: every field
input: { limit: 10, deep: { a: [1, 2.5, null, true, text] } }
start: begin
output: .report
document: '"r/" + $case.id'
tasks:
  other:
    kind: host
    next: done
  begin:
    kind: set
    description: sets
    set: { .total: '1 + 1', '.a."odd key"[0]': 5, .flag: true }
    split: xor
    next: [{ to: run, when: .total > 1 }, { to: pause, when: $case.id == "x" }, other]
  run:
    kind: process
    run: [sleep, 5, true]
    args: '[.input.limit | tostring]'
    cwd: $flow.dir
    stdin: lines
    stdout: none
    input: '{a: .total}'
    output: '. + $data.total'
    into: .files[0].name
    retry: { attempts: 3, delay: 100ms, factor: 1.5, max_delay: 10s }
    timeout: 2m
    next: done
  pause: { kind: wait, for: 1.5s, next: later }
  later: { kind: wait, for: .input.pause, next: stop }
  stop: { kind: wait, until: 2030-01-31T09:00:00Z, next: done }
  done: { kind: log, message: '"done"', join: xor }
"#);
    assert_eq!(
        (&*net.name, net.version, net.dir.as_deref()),
        ("all", 7, Some("/flows"))
    );
    assert_eq!(
        net.input,
        value!({ "limit": 10, "deep": { "a": [1, 2.5, null, true, "text"] } })
    );
    let names: Vec<&str> = net.tasks.iter().map(|task| &*task.name).collect();
    assert_eq!(
        names,
        ["other", "begin", "run", "pause", "later", "stop", "done"]
    );
    let places: Vec<(&str, usize)> = net
        .places
        .iter()
        .map(|place| (place.name.as_str(), place.targets[0]))
        .collect();
    assert_eq!(
        places,
        [
            ("start", 1),
            ("other>done", 6),
            ("begin>run", 2),
            ("begin>pause", 3),
            ("begin>other", 0),
            ("run>done", 6),
            ("pause>later", 4),
            ("later>stop", 5),
            ("stop>done", 6),
        ]
    );
    let begin = &net.tasks[1];
    assert_eq!((begin.split, inputs(begin)), (Split::Xor, vec![0]));
    let conditions: Vec<Option<&str>> = begin
        .outputs
        .iter()
        .map(|e| e.when.as_ref().map(|w| w.text()))
        .collect();
    assert_eq!(
        conditions,
        [Some(".total > 1"), Some("$case.id == \"x\""), None]
    );
    let TaskKind::Set(assignments) = &begin.kind else {
        panic!()
    };
    let assignments: Vec<(String, &str)> = assignments
        .iter()
        .map(|(p, e)| (p.to_string(), e.text()))
        .collect();
    assert_eq!(
        assignments,
        [
            (".total".into(), "1 + 1"),
            (".a.\"odd key\"[0]".into(), "5"),
            (".flag".into(), "true"),
        ]
    );
    let TaskKind::Process(process) = &net.tasks[2].kind else {
        panic!()
    };
    assert_eq!(process.run, ["sleep", "5", "true"]);
    assert_eq!(
        (process.stdin, process.stdout),
        (Format::Lines, Format::None)
    );
    assert_eq!(process.work.into.to_string(), ".files[0].name");
    let retry = &process.work.retry;
    assert_eq!((retry.attempts, retry.factor), (3, 1.5));
    assert_eq!(
        (retry.delay, retry.max_delay),
        (Duration::from_millis(100), Some(Duration::from_secs(10)))
    );
    assert_eq!(process.work.timeout, Some(Duration::from_secs(120)));
    let TaskKind::Host(host) = &net.tasks[0].kind else {
        panic!()
    };
    assert_eq!(
        (host.topic.as_str(), host.work.into.to_string().as_str()),
        ("other", ".other")
    );
    assert_eq!(host.work.retry.attempts, 1);
    assert!(
        matches!(&net.tasks[3].kind, TaskKind::Wait(Wait::For(d)) if *d == Duration::from_millis(1500))
    );
    assert!(
        matches!(&net.tasks[4].kind, TaskKind::Wait(Wait::ForExpr(e)) if e.text() == ".input.pause")
    );
    assert!(
        matches!(&net.tasks[5].kind, TaskKind::Wait(Wait::Until(e)) if e.text() == "\"2030-01-31T09:00:00Z\"")
    );
    assert_eq!(
        (net.tasks[6].join, inputs(&net.tasks[6])),
        (Join::Xor, vec![1, 5, 8])
    );
    assert!(net.tasks[6].outputs.is_empty());
}

#[test]
fn json_is_yaml() {
    let source = r#"{"name": "j", "tasks": {"a": {"kind": "set", "set": {".x": "1"}, "next": ["b"]}, "b": {"kind": "host"}}}"#;
    assert_eq!(net(source).places.len(), 2);
}

#[test]
fn the_hash_is_of_what_is_said() {
    let hash = |source: &str| net(source).hash;
    let one = "name: h\ntasks:\n  a: { kind: host, next: b }\n  b: { kind: host }\n";
    let same = "# comment\n\"name\": 'h'\ntasks: {a: {\"kind\": host,\n next: b}, b: {kind: host}}";
    assert_eq!(hash(one), hash(same));
    assert_eq!(hash(one).len(), 64);
    let other_order =
        "name: h\ntasks:\n  b: { kind: host }\n  a: { kind: host, next: b }\nstart: a\n";
    let other_text = one.replace("kind: host }", "kind: host, topic: x }");
    assert_ne!(hash(one), hash(other_order));
    assert_ne!(hash(one), hash(&other_text));
    assert_ne!(hash(one), Net::compile(one, None).unwrap().hash);
}

#[test]
fn each_error_has_its_place() {
    let table: &[(&str, &[&str])] = &[
        ("a: { into: .x }", &["3:3 missing-field"]),
        ("a: 5", &["3:6 wrong-type"]),
        ("a: { kind: magic }", &["3:14 unknown-word"]),
        ("a: { kind: 5 }", &["3:14 unknown-word"]),
        ("a: { kind: host, nxet: b }", &["3:20 unknown-field"]),
        ("a: { kind: host, run: [x] }", &["3:20 unknown-field"]),
        (
            "a: { kind: host, retry: { attempts: 0 } }",
            &["3:39 wrong-type"],
        ),
        (
            "a: { kind: host, retry: { delay: 1s } }",
            &["3:27 missing-field"],
        ),
        (
            "a: { kind: host, retry: { attempts: 2, delay: soon } }",
            &["3:49 bad-duration"],
        ),
        (
            "a: { kind: host, retry: { attempts: 2, factor: 0.5 } }",
            &["3:50 wrong-type"],
        ),
        ("a: { kind: host, retry: 3 }", &["3:27 wrong-type"]),
        ("a: { kind: host, timeout: 0 }", &["3:29 bad-duration"]),
        ("a: { kind: host, timeout: -1 }", &["3:29 bad-duration"]),
        ("a: { kind: host, topic: 'a b' }", &["3:27 bad-name"]),
        ("a: { kind: host, into: x }", &["3:26 bad-path"]),
        ("a: { kind: host, into: . }", &["3:26 bad-path"]),
        ("a: { kind: host, into: '.a[' }", &["3:26 bad-path"]),
        ("a: { kind: host, input: { x: 1 } }", &["3:27 wrong-type"]),
        ("a: { kind: host, input: '.a + ' }", &["3:33 expression"]),
        (
            "a: { kind: host, input: .a.b | lenght }",
            &["3:34 expression"],
        ),
        (
            "a: { kind: host, input: \"\\\"x\\\" + nope\" }",
            &["3:36 expression"],
        ),
        ("a: { kind: host, input: now }", &["3:27 expression"]),
        ("a: { kind: host, output: $nope }", &["3:28 expression"]),
        (
            "a:\n  kind: host\n  input: |\n    .a\n    | .b nope\n",
            &["7:12 expression"],
        ),
        (
            "a:\n  kind: host\n  input: .a\n    | nope\n",
            &["6:9 expression"],
        ),
        ("a: { kind: host, join: both }", &["3:26 unknown-word"]),
        ("a: { kind: set }", &["3:3 missing-field"]),
        ("a: { kind: set, set: {} }", &["3:24 empty"]),
        ("a: { kind: set, set: [] }", &["3:24 wrong-type"]),
        (
            "a: { kind: set, set: { .x: ')', y: 1 } }",
            &["3:31 expression", "3:35 bad-path"],
        ),
        (
            "a: { kind: set, set: { .x: 1 }, timeout: 1s }",
            &["3:35 unknown-field"],
        ),
        ("a: { kind: log }", &["3:3 missing-field"]),
        ("a: { kind: wait }", &["3:3 missing-field"]),
        (
            "a: { kind: wait, for: 1s, until: .x }",
            &["3:3 missing-field"],
        ),
        ("a: { kind: wait, for: 1 s }", &["3:27 expression"]),
        ("a: { kind: wait, for: -1 }", &["3:25 bad-duration"]),
        ("a: { kind: process }", &["3:3 missing-field"]),
        ("a: { kind: process, run: sh }", &["3:28 wrong-type"]),
        ("a: { kind: process, run: [] }", &["3:28 empty"]),
        (
            "a: { kind: process, run: [sh, 1.5, {}] }",
            &["3:33 wrong-type", "3:38 wrong-type"],
        ),
        (
            "a: { kind: process, run: [sh], stdin: xml, stdout: 7 }",
            &["3:41 unknown-word", "3:54 unknown-word"],
        ),
        ("a b: { kind: host }", &["3:3 bad-name"]),
        ("a: { kind: host, next: b }", &["3:26 unknown-task"]),
        (
            "a: { kind: host, next: [b, 5, { when: 'true' }, { to: a, if: x }] }",
            &[
                "3:3 missing-split",
                "3:27 unknown-task",
                "3:30 wrong-type",
                "3:33 missing-field",
                "3:60 unknown-field",
            ],
        ),
        (
            "a: { kind: host, next: [b, b], split: and }\nb: { kind: host }",
            &["3:30 duplicate-edge"],
        ),
        (
            "a: { kind: host, next: [b, c] }\nb: { kind: host }\nc: { kind: host }",
            &["3:3 missing-split"],
        ),
        (
            "a: { kind: host, next: { to: b, when: .x } }\nb: { kind: host }",
            &["3:41 condition-without-xor"],
        ),
        (
            "a: { kind: host, split: and, next: [{ to: b, when: .x }, c] }\nb: { kind: host }\nc: { kind: host }",
            &["3:54 condition-without-xor"],
        ),
        (
            "a: { kind: host, split: xor, next: [b, c] }\nb: { kind: host }\nc: { kind: host }",
            &["3:39 missing-condition"],
        ),
        (
            "a: { kind: host, split: xor, next: [{ to: b, when: .x }, { to: c, when: .y }] }\nb: { kind: host }\nc: { kind: host }",
            &["3:75 missing-default"],
        ),
        (
            "a: { kind: host, split: and, next: [b, c] }\nb: { kind: host, next: d }\nc: { kind: host, next: d }\nd: { kind: host }",
            &["6:3 missing-join"],
        ),
        (
            "a: { kind: host }\nb: { kind: host, next: a }\nc: { kind: host }",
            &["4:3 unreachable", "5:3 unreachable"],
        ),
        (
            "a: { kind: host, next: b }\nb: { kind: host, next: b2, join: xor }\nb2: { kind: host, next: b }",
            &["3:3 no-end", "4:3 no-end", "5:3 no-end"],
        ),
        (
            "a: { kind: host, join: and, split: xor, next: [{ to: a, when: .x }, b] }\nb: { kind: host }",
            &["3:26 dead-start"],
        ),
        (
            "a: { kind: host, split: xor, next: [{ to: b, when: .x }, c] }\nb: { kind: host, next: d }\nc: { kind: host, next: d }\nd: { kind: host, join: and }",
            &["6:3 may-deadlock"],
        ),
    ];
    for (tasks, expected) in table {
        assert_eq!(&problems(&with_tasks(tasks)), expected, "{tasks}");
    }
}

#[test]
fn the_head_of_a_spec_is_checked_too() {
    let task = "tasks: { a: { kind: host } }\n";
    for (source, expected) in [
        ("", vec!["1:1 wrong-type"]),
        ("- a\n", vec!["1:1 wrong-type"]),
        ("name: x\n", vec!["1:1 missing-field"]),
        ("name: x\ntasks: {}\n", vec!["2:8 no-tasks"]),
        ("name: x\ntasks: []\n", vec!["2:8 wrong-type"]),
        (task, vec!["1:1 missing-field"]),
        (&format!("name: Big\n{task}"), vec!["1:7 bad-name"]),
        (&format!("name: 5\n{task}"), vec!["1:7 wrong-type"]),
        (
            &format!("name: x\nversion: 0\n{task}"),
            vec!["2:10 wrong-type"],
        ),
        (
            &format!("name: x\nversion: 1.5\n{task}"),
            vec!["2:10 wrong-type"],
        ),
        (
            &format!("name: x\ninput: 5\n{task}"),
            vec!["2:8 wrong-type"],
        ),
        (
            &format!("name: x\nstart: b\n{task}"),
            vec!["2:8 unknown-task"],
        ),
        (
            &format!("name: x\noutput: '.a | '\n{task}"),
            vec!["2:15 expression"],
        ),
        (
            &format!("name: x\nflow: y\n{task}"),
            vec!["2:1 unknown-field"],
        ),
        (
            "name: x\ntasks:\n  a: { kind: host }\n  a: { kind: host }\n",
            vec!["4:3 yaml"],
        ),
        ("name: x\ntasks:\n\ta: 1\n", vec!["3:2 yaml"]),
        ("name: 'x\n", vec!["2:1 yaml"]),
        ("name: [x\n", vec!["1:7 yaml"]),
        ("a: 1\n---\nb: 2\n", vec!["2:1 yaml"]),
    ] {
        assert_eq!(problems(source), expected, "{source:?}");
    }
}

#[test]
fn all_problems_are_reported_at_once_with_help() {
    let found = Net::compile(
        "name: X\nversoin: 1\ntasks:\n  a: { kind: hots }\n  b: { kind: set, set: { .x: '.a |' }, next: [a, c] }\n",
        None,
    )
    .unwrap_err();
    let lines: Vec<String> = found
        .iter()
        .map(|p| format!("{}:{} {}", p.line, p.column, p.code))
        .collect();
    assert_eq!(
        lines,
        [
            "1:7 bad-name",
            "2:1 unknown-field",
            "4:14 unknown-word",
            "5:3 missing-split",
            "5:35 expression",
            "5:50 unknown-task"
        ]
    );
    assert!(
        found
            .iter()
            .all(|p| p.severity == Severity::Error && !p.message.is_empty())
    );
    assert!(found[1].help.contains("`version`"), "{:?}", found[1]);
    assert!(found[2].help.contains("`host`"), "{:?}", found[2]);
    assert_eq!(
        found[1].to_string(),
        "2:1: error[unknown-field]: a flow has no field `versoin`\n  help: did you mean `version`?"
    );
}

#[test]
fn hostile_text_is_refused_quickly() {
    let clock = Env::real().clock;
    let started = clock.monotonic();
    let bomb = format!(
        "a: &a [x, x, x, x, x, x, x, x, x]\n{}",
        "bcdefghij"
            .chars()
            .zip("abcdefghi".chars())
            .map(|(k, v)| { format!("{k}: &{k} [{}]\n", vec![format!("*{v}"); 9].join(", ")) })
            .collect::<String>()
    );
    let deep_block: String = (0..2000)
        .map(|i| format!("{}a:\n", " ".repeat(i)))
        .collect();
    for source in [
        bomb,
        "[".repeat(1_000_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        deep_block,
        "? ".repeat(100_000),
        format!(
            "name: x\ntasks: {{{}}}",
            (0..10_001)
                .map(|i| format!("t{i}: {{kind: host}},"))
                .collect::<String>()
        ),
        "x".repeat(5 << 20),
        "a: !!binary \"////\"\n".into(),
        "\u{0}".into(),
        "&a *a".into(),
        "<<: *x".into(),
    ] {
        let start: String = source.chars().take(40).collect();
        let problems = Net::compile(&source, None).expect_err(&start);
        assert!(!problems.is_empty());
        assert!(problems.len() <= 1000);
    }
    assert!(clock.monotonic() - started < Duration::from_secs(20));
}

#[test]
fn a_large_net_compiles() {
    let mut source = String::from("name: large\ntasks:\n");
    for i in 0..9_999 {
        source += &format!(
            "  t{i}: {{ kind: set, set: {{ .n: '.n + {i}' }}, next: t{} }}\n",
            i + 1
        );
    }
    source += "  t9999: { kind: host }\n";
    let clock = Env::real().clock;
    let started = clock.monotonic();
    let net = net(&source);
    assert_eq!((net.tasks.len(), net.places.len()), (10_000, 10_000));
    println!("10 000 tasks compiled in {:?}", clock.monotonic() - started);
}

#[test]
fn a_deadlock_is_found_only_where_there_is_one() {
    // A loop back through an xor split, and a proper and split with its join inside it.
    let good = with_tasks(
        "a: { kind: host, join: xor, split: and, next: [b, c] }\n\
         b: { kind: host, next: d }\n\
         c: { kind: host, next: d }\n\
         d: { kind: host, join: and, split: xor, next: [{ to: a, when: .again }, e] }\n\
         e: { kind: host }",
    );
    assert_eq!(problems(&good), [] as [&str; 0]);
    // Two choices that must agree may not.
    let two = with_tasks(
        "a: { kind: host, split: and, next: [b, c] }\n\
         b: { kind: host, split: xor, next: [{ to: d, when: .x }, e] }\n\
         c: { kind: host, split: xor, next: [{ to: d, when: .x }, e] }\n\
         d: { kind: host, join: and }\n\
         e: { kind: host, join: and }",
    );
    assert_eq!(problems(&two), ["6:3 may-deadlock", "7:3 may-deadlock"]);
    // Tokens without end are looked at only in part.
    let growing = with_tasks(
        "a: { kind: host, join: xor, split: and, next: [a, b] }\n\
         b: { kind: host }",
    );
    assert_eq!(problems(&growing), [] as [&str; 0]);
}

#[test]
fn merged_and_repeated_parts_work() {
    let net = net(
        "name: m\ntasks:\n  a: &base { kind: host, topic: t, retry: { attempts: 2 }, next: b }\n  b: { <<: *base, next: c }\n  c: { kind: host }\n",
    );
    let TaskKind::Host(host) = &net.tasks[1].kind else {
        panic!()
    };
    assert_eq!((host.topic.as_str(), host.work.retry.attempts), ("t", 2));
    assert_eq!(net.places[2].name, "b>c");
}

/// What a net can say beyond tasks and edges. Each spec begins with its tasks in line 3.
#[test]
fn each_error_of_a_net_has_its_place() {
    let table: &[(&str, &[&str])] = &[
        (
            "a: { next: p }\nplaces:\n  p: { next: b }",
            &["5:14 unknown-task"],
        ),
        ("a: { next: q }\nplaces:\n  p: {}", &["3:14 unknown-task"]),
        ("a: {}\nplaces:\n  a: {}", &["5:3 bad-name"]),
        (
            "a: { next: start }\nplaces:\n  start: {}",
            &["5:3 bad-name"],
        ),
        ("a: {}\nplaces:\n  p: { tokens: -1 }", &["5:16 wrong-type"]),
        ("a: {}\nplaces:\n  p: { token: 1 }", &["5:8 unknown-field"]),
        ("a: {}\nplaces: [p]", &["4:9 wrong-type"]),
        (
            "a: { next: [p, p], split: and }\nplaces: { p: {} }",
            &["3:18 duplicate-edge"],
        ),
        (
            "a: { next: p }\nplaces: { p: { next: [b, b] } }\ntasks2: 1",
            &[
                "4:23 unknown-task",
                "4:26 unknown-task",
                "5:1 unknown-field",
            ],
        ),
        (
            "a: { next: { to: b, tokens: 0 } }\n  b: {}",
            &["3:31 wrong-type", "4:3 unreachable"],
        ),
        ("a: { takes: { q: 2 } }", &["3:17 unknown-place"]),
        ("a: { tests: p }", &["3:15 unknown-place"]),
        ("a: { cancels: [b] }", &["3:18 unknown-place"]),
        ("a: { cancels: [5] }", &["3:18 wrong-type"]),
        ("a: { join: { of: 2 } }", &["3:14 bad-join"]),
        ("a: { join: { of: 1, reset: cancel } }", &["3:14 bad-join"]),
        ("a: { join: { of: 0 } }", &["3:20 wrong-type"]),
        ("a: { join: { reset: all } }", &["3:14 missing-field"]),
        (
            "a: { join: { of: 1, reset: never } }",
            &["3:30 unknown-word"],
        ),
        (
            "a: { terminate: true, next: b }\n  b: {}",
            &["3:19 bad-end"],
        ),
        ("a: { terminate: 1 }", &["3:19 wrong-type"]),
        (
            "a: { split: or, next: [b, c] }\n  b: {}\n  c: {}",
            &["3:29 missing-condition"],
        ),
        ("a: { mutex: 'a b' }", &["3:15 bad-name"]),
        (
            "a: {}\nsections:\n  s: { tasks: [b], mutex: m }",
            &["5:16 unknown-task"],
        ),
        (
            "a: {}\nsections:\n  s: { tasks: [a] }",
            &["5:3 missing-field"],
        ),
        (
            "a: { kind: set, set: { .x: 1 }, many: { items: 3 } }",
            &["3:35 unknown-field"],
        ),
        (
            "a: { kind: host, many: { min: 3 } }",
            &["3:26 missing-field"],
        ),
        (
            "a: { kind: host, many: { items: 3, min: 3, max: 2 } }",
            &["3:43 bad-many"],
        ),
        (
            "a: { kind: host, many: { items: 3, threshold: 0 } }",
            &["3:49 wrong-type"],
        ),
        (
            "a: { kind: host, many: { items: 3, wait: false, until: 'true' } }",
            &["3:58 bad-many"],
        ),
        (
            "a: { kind: host, many: { items: 3, rest: drop } }",
            &["3:44 unknown-word"],
        ),
        (
            "a: { kind: host, many: { items: '.[' } }",
            &["3:38 expression"],
        ),
        ("a: { kind: signal, signal: 'a b' }", &["3:30 bad-name"]),
        ("a: { kind: signal, keep: maybe }", &["3:28 wrong-type"]),
        ("a: { kind: flow }", &["3:3 missing-field"]),
        ("a: { kind: flow, flow: 'No' }", &["3:26 bad-name"]),
        (
            "a: { kind: flow, flow: b }\nflows:\n  b: { tasks: { x: { nxt: y } } }",
            &["5:22 unknown-field"],
        ),
        (
            "a: {}\nflows:\n  b: { version: 2, tasks: { x: {} } }",
            &["5:8 unknown-field"],
        ),
        (
            "a: {}\nflows:\n  test: { tasks: { x: {} } }",
            &["5:3 bad-name"],
        ),
        (
            "a: { split: and, next: [b, c] }\n  b: { next: d }\n  c: { next: d }\n  d: { join: local, split: xor, next: [{ to: a, when: .x }, e] }\n  e: {}",
            &[
                "3:3 bad-join",
                "4:3 bad-join",
                "5:3 bad-join",
                "6:3 bad-join",
            ],
        ),
    ];
    let wrong: Vec<String> = table
        .iter()
        .map(|(rest, expected)| {
            let found = problems(&format!("name: test\ntasks:\n  {rest}\n"));
            (rest, expected.to_vec(), found)
        })
        .filter(|(_, expected, found)| expected != found)
        .map(|(rest, expected, found)| format!("{rest}\n{found:?}, not {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_net_that_says_everything_compiles() {
    let source = r#"
name: all
start: p
places:
  p: { description: first, tokens: 1, next: [a, b] }
  sink:
tasks:
  a:
    { takes: { p: 2 }, tests: sink, cancels: [b, p, b>d], mutex: m, split: or,
      next: [{ to: c, when: .x, tokens: 2 }, d] }
  b:
    kind: host
    many: { items: .list, min: 1, max: 9, threshold: 2, until: length > 3, add: true, rest: continue }
    next: d
  c: { kind: signal, signal: go.now, keep: true, key: .order, output: .x, into: .y, next: d }
  d: { join: { of: 2, reset: blocking }, split: and, next: [e, sink, f] }
  e: { kind: flow, flow: one, input: '{}', into: .one }
  f: { terminate: true }
sections:
  s: { description: both, tasks: [b, d], mutex: m }
flows:
  one: { description: called, input: { x: 1 }, start: t, tasks: { t: {} }, output: .x }
"#;
    let net = net(source);
    assert_eq!(
        net.places[0].tokens, 2,
        "a place that starts the flow has one token more"
    );
    assert_eq!(net.places[0].targets, [0, 1]);
    let a = &net.tasks[0];
    assert_eq!(a.inputs[0].tokens, 2);
    assert_eq!(
        (a.outputs[0].tokens, a.tests.as_slice()),
        (2, [1].as_slice())
    );
    let named = |places: &[usize]| -> Vec<String> {
        places.iter().map(|p| net.places[*p].name.clone()).collect()
    };
    assert_eq!(named(&a.cancels.places), ["p", "b>d"]);
    assert_eq!(a.cancels.tasks, [1]);
    let sections: Vec<(&str, &[usize], Vec<String>)> = net
        .sections
        .iter()
        .map(|s| (s.name.as_str(), s.tasks.as_slice(), named(&s.places)))
        .collect();
    assert_eq!(
        sections,
        [
            ("s", [1, 3].as_slice(), vec!["b>d".to_owned()]),
            ("a", [0].as_slice(), vec![])
        ]
    );
    assert_eq!(*net.sections[0].rivals, [0, 1]);
    assert_eq!(net.skeleton().tasks().len(), 6);
    assert!(net.flows["one"].tasks.len() == 1 && net.tasks[5].terminate);
}

#[test]
fn toml_is_another_way_to_write_the_same() {
    let yaml = r#"
name: same
input: { limit: 10, f: 1.5, when: 2030-01-31 }
tasks:
  a: { kind: set, set: { .x: '1 + 1' }, split: xor, next: [{ to: b, when: .x > 1 }, c] }
  b: { kind: host, retry: { attempts: 3 }, next: c }
  c: { join: xor, tests: [p] }
places: { p: { tokens: 2 } }
"#;
    let toml = r#"
name = "same"

[input]
limit = 10
f = 1.5
when = 2030-01-31

[tasks.a]
kind = "set"
set = { ".x" = "1 + 1" }
split = "xor"
next = [{ to = "b", when = ".x > 1" }, "c"]

[tasks.b]
kind = "host"
retry = { attempts = 3 }
next = "c"

[tasks.c]
join = "xor"
tests = ["p"]

[places]
p = { tokens = 2 }
"#;
    assert_eq!(net(toml).hash, net(yaml).hash);
    for (source, expected) in [
        (
            "name = \"x\"\n[tasks.a]\nkind = 'hots'\n",
            "3:8 unknown-word",
        ),
        ("name = \"x\"\n[tasks]\nü = 1\n", "3:1 toml"),
        (
            "name = \"x\"\n[tasks.a]\nkind = \"log\"\nmessage = \".a +\"\n",
            "4:16 expression",
        ),
        (
            "name = \"x\"\n[tasks.a]\nkind = \"log\"\nmessage = \"\"\"\n.a |\n\"\"\"\n",
            "4:11 expression",
        ),
        ("name = \"x\"\n[tasks.a]\nnxet = 'b'\n", "3:1 unknown-field"),
        ("name = \"x\"\nname = \"y\"\n[tasks.a]\n", "2:1 toml"),
    ] {
        assert_eq!(problems(source), [expected], "{source}");
    }
    let deep = format!("name = {}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(problems(&deep), ["1:1 toml"]);
}
