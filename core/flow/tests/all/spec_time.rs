//! What specs say of time, and what is wrong with it: each problem with its place.

use statewright_flow::net::Net;

/// `line:column code` of every problem.
fn problems(source: &str) -> Vec<String> {
    let found = match Net::compile(source, None) {
        Ok(net) => net.warnings,
        Err(problems) => problems,
    };
    let show = |p: &statewright_flow::Problem| format!("{}:{} {}", p.line, p.column, p.code);
    found.iter().map(show).collect()
}

#[test]
fn each_error_in_a_task_has_its_place() {
    for (task, expected) in [
        (
            "kind: host, retry: { attempts: 2, jitter: 2 }",
            "3:50 wrong-type",
        ),
        (
            "kind: host, retry: { attempts: 2, when: '.code ==' }",
            "3:57 expression",
        ),
        ("kind: host, deadline: 0", "3:30 bad-duration"),
        ("kind: host, deadline: 1 h", "3:32 expression"),
        ("kind: host, deadline: []", "3:30 bad-duration"),
        ("kind: wait, for: 1s, deadline: 1h", "3:29 unknown-field"),
        ("kind: wait, cron: '0 9 * *'", "3:26 bad-cron"),
        ("kind: wait, cron: 9", "3:26 wrong-type"),
        ("kind: wait, cron: ['@daily', 9]", "3:37 wrong-type"),
        ("kind: wait, cron: []", "3:26 wrong-type"),
        ("kind: wait, cron: {}", "3:26 wrong-type"),
        (
            "kind: wait, cron: '@daily', zone: Europe/Berln",
            "3:42 bad-zone",
        ),
        ("kind: wait, for: 1s, zone: UTC", "3:35 bad-zone"),
        ("kind: wait, for: 1s, cron: '@daily'", "3:3 missing-field"),
    ] {
        let source = format!("name: x\ntasks:\n  a: {{ {task} }}\n");
        let found = problems(&source);
        assert_eq!(found, [expected], "{source}");
    }
}

#[test]
fn each_error_in_a_flow_has_its_place() {
    let task = "tasks:\n  a: { kind: host }\n";
    for (field, tasks, expected) in [
        (
            "schedule: { overlap: allow }",
            task,
            &["2:11 missing-field"][..],
        ),
        ("schedule: { cron: '61 * * * *' }", task, &["2:19 bad-cron"]),
        ("schedule: { cron: '0 0 31 2 *' }", task, &["2:19 bad-cron"]),
        (
            "schedule: { cron: ['61 * * * *', '@daily', '0 0 31 2 *'] }",
            task,
            &["2:20 bad-cron", "2:44 bad-cron"],
        ),
        (
            "schedule: { cron: ['@daily', '@weekly'], zone: Mars }",
            task,
            &["2:48 bad-zone"],
        ),
        (
            "schedule: { every: 1h, zone: UTC }",
            task,
            &["2:30 bad-zone"],
        ),
        (
            "schedule: { every: 0, overlap: both, catch_up: 101 }",
            task,
            &["2:20 bad-duration", "2:32 unknown-word", "2:48 wrong-type"],
        ),
        (
            "schedule: { every: 1h, evry: 2 }",
            task,
            &["2:24 unknown-field"],
        ),
        ("deadline: { to: a }", task, &["2:11 missing-field"]),
        (
            "deadline: { after: 1h, to: b }",
            task,
            &["2:28 unknown-task"],
        ),
        (
            "deadline: { after: 1h, then: a }",
            task,
            &["2:24 unknown-field"],
        ),
        ("deadline: 0s", task, &["2:11 bad-duration"]),
        (
            "deadline: { after: 1h, to: b }",
            "tasks:\n  a: { kind: host, next: b }\n  b: { kind: host }\n",
            &["5:3 missing-join"],
        ),
        (
            "deadline: { after: 1h, to: b }",
            "tasks:\n  a: { kind: host, compensate: b }\n  b: { kind: host }\n",
            &["5:3 bad-compensation"],
        ),
    ] {
        let source = format!("name: x\n{field}\n{tasks}");
        assert_eq!(problems(&source), expected, "{source}");
    }
}

#[test]
fn what_follows_a_deadline_is_verified_too() {
    let spec = |late: &str| {
        format!(
            "name: x\ndeadline: {{ after: 1h, to: late }}\ntasks:\n  a: {{ kind: host }}\n  late: {{ kind: host, {late} }}\n  b: {{ kind: host, next: d }}\n  c: {{ kind: host, next: d }}\n  d: {{ join: and }}\n"
        )
    };
    let verify = |late: &str| {
        let net = Net::compile(&spec(late), None).unwrap();
        statewright_flow::analysis::verify(net.skeleton(), Default::default())
    };
    let good = verify("split: and, next: [b, c]");
    assert!(good.findings.is_empty(), "{good:?}");
    let bad = verify("split: xor, next: [{ to: b, when: .x }, c]");
    let told = bad.findings.iter().map(|f| f.message.as_str());
    let stuck = |m: &str| m.starts_with("after the deadline: a case gets stuck");
    assert!(told.clone().any(stuck), "{bad:?}");
}
