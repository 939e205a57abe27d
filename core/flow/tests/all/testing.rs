//! Users' own tests: what they find, how they say it, and how short they make it.

use std::time::Duration;

use statewright_flow::testing::{Failed, FlowTest, Plan, Reply, TestFile, Way};
use statewright_value::value;

/// Two branches that write the same path: who is last wins.
const RACE: &str = "
name: race
tasks:
  begin: { split: and, next: [left, right, other] }
  left: { kind: host, into: .winner, next: end }
  right: { kind: host, into: .winner, next: end }
  other: { kind: host, next: more }
  more: { kind: host, next: end }
  end: { join: and }
output: .winner
";

fn race() -> FlowTest {
    FlowTest::new("the left one wins", RACE)
        .replies("left", [Reply::value(value!("left"))])
        .replies("right", [Reply::value(value!("right"))])
}

fn failure(test: &FlowTest, plan: &Plan) -> Failed {
    *test.run(plan).unwrap_err()
}

#[test]
fn a_failing_order_is_found_made_short_and_the_same_again() {
    // Straight, the right one is last.
    let test = race().result(value!("right"));
    let plan = Plan {
        power_cuts: false,
        ..Plan::default()
    };
    let failed = failure(&test, &plan);
    let seed = failed.seed().unwrap();
    assert_eq!(
        (failed.what.as_str(), failed.expected.as_str()),
        ("result", "\"right\"")
    );
    assert_eq!(failed.found, "\"left\"");
    // The start, and four tasks started and completed: nothing can be left out.
    assert_eq!(failed.steps.len(), 9, "{failed}");
    assert!(failed.first >= 9);
    let again = Plan {
        seed,
        runs: 1,
        ..plan.clone()
    };
    assert_eq!(failure(&test, &again), failed);
    // Only as much is out of order as must be: right completes before left.
    let at = |step: &str| {
        failed
            .steps
            .iter()
            .position(|s| s.starts_with(step))
            .unwrap()
    };
    assert!(at("right completes") < at("left completes"));
    let text = failed.to_string();
    assert!(text.contains("expected:  \"right\"") && text.contains("1. the case starts"));
}

#[test]
fn an_order_that_is_always_wrong_is_shown_straight() {
    let failed = failure(&race().result(value!("nobody")), &Plan::default());
    assert_eq!(failed.way, Way::Straight);
    assert_eq!(failed.found, "\"right\"");
}

const PAY: &str = "
name: pay
tasks:
  charge: { kind: host, timeout: 2h, retry: { attempts: 3, delay: 1h }, next: ship }
  ship: { kind: host, topic: elsewhere }
";

#[test]
fn workers_fail_are_slow_and_disappear_as_the_test_says() {
    let hours = |h: u64| Duration::from_secs(3600 * h);
    let paid = || Reply::value(value!({"paid": true}));
    let plan = Plan::default();
    let pay = |replies: Vec<Reply>| FlowTest::new("pay", PAY).replies("charge", replies);
    // The attempt fails, is lost, and takes its time.
    for (replies, events) in [
        (
            vec![Reply::fail("declined"), paid()],
            vec![
                "attempt_failed charge",
                "retry_scheduled",
                "completed charge",
            ],
        ),
        (
            vec![Reply::Never, paid()],
            vec!["lease_expired charge", "completed charge"],
        ),
        (
            vec![paid().after(hours(3)), paid().after(hours(1))],
            vec!["timed_out charge", "completed charge", "completed ship"],
        ),
    ] {
        let test = pay(replies.clone())
            .history(&events)
            .count("charge", 1)
            .always(".done.ship == 0 or .data.charge.paid");
        let done = test
            .run(&plan)
            .unwrap_or_else(|e| panic!("{replies:?}: {e}"));
        assert_eq!(done.runs, 102);
    }
    // It takes the hour and the delay that it says.
    pay(vec![Reply::fail("declined"), paid().after(hours(1))])
        .check(move |view| match view.time >= hours(2) {
            true => Ok(()),
            false => Err(format!("{:?}", view.time)),
        })
        .run(&plan)
        .unwrap();
    let failed = failure(&pay(vec![Reply::fail("declined")]), &plan);
    assert_eq!(failed.what, "status");
    assert!(
        failed.found.starts_with("failed: {\"code\":\"declined\""),
        "{failed}"
    );
    pay(vec![Reply::fail("declined")])
        .ends("failed")
        .run(&plan)
        .unwrap();
}

#[test]
fn a_rule_is_looked_at_after_every_event_and_tells_the_moment() {
    let test = race().never(".running == [\"left\", \"right\"]");
    let failed = failure(&test, &Plan::default());
    assert_eq!(failed.what, "never .running == [\"left\", \"right\"]");
    // The case starts, and two tasks.
    assert_eq!(failed.steps.len(), 3, "{failed}");
    let test = race().each(|view| match view.running.len() {
        3 => Err("all at once".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(failure(&test, &Plan::default()).found, "all at once");
}

#[test]
fn what_a_test_says_wrongly_is_told_with_its_place() {
    let wrong = |text: &str| {
        let problems = TestFile::read(text).unwrap_err();
        problems[0].to_string().replace('\n', " ")
    };
    for (text, expected) in [
        ("tests: []", "1:1: error[test]: there are no tests"),
        (
            "tests:\n- status: completed",
            "2:3: error[test]: a test has no name",
        ),
        (
            "tests:\n- name: x\n  stattus: failed",
            "3:12: error[test]: a test has no field `stattus`   help: did you mean `status`?",
        ),
        (
            "tests:\n- name: x\n  script: [jump]",
            "3:12: error[test]: there is no step `jump`",
        ),
        (
            "tests:\n- name: x\n  script: [refused do A]",
            "there is no step `do`",
        ),
        (
            "tests:\n- name: x\n  script: [tick soon]",
            "`soon` is not a duration",
        ),
        (
            "tests:\n- name: x\n  always: .a ==",
            "3:11: error[test]: `.a ==`",
        ),
        (
            "tests:\n- name: x\n  history: [done A]",
            "there is no event `done`",
        ),
        (
            "tests:\n- name: x\n  results: { A: [{ $fial: x }] }",
            "`$fial` is not an answer",
        ),
        (
            "tests:\n- name: x\n  before: [A B C]",
            "`before` names two tasks a line",
        ),
        (
            "tests:\n- name: x\n  outside: [do A]",
            "there is no step `do`",
        ),
        (
            "tests:\n- name: x\n  outside: [cancel-case]\n  script: [do A]",
            "not both",
        ),
        ("[tests]\nname = 1", "`tests` must be a list, not a mapping"),
    ] {
        let found = wrong(text);
        assert!(found.contains(expected), "{text}\n{found}");
    }
    let refused = failure(&FlowTest::new("x", "name: 1"), &Plan::default());
    assert!(refused.found.contains("the flow was refused"), "{refused}");
    let wrong = failure(&race().always(".a =="), &Plan::default());
    assert!(wrong.found.starts_with("`.a ==`"), "{wrong}");
    let endless = "name: e\ntasks:\n  a: { kind: host, join: xor, split: xor, \
                   next: [{ to: a, when: 'true' }, b] }\n  b: { kind: host }\n";
    let failed = failure(
        &FlowTest::new("it ends", endless),
        &Plan {
            events: 50,
            ..Plan::default()
        },
    );
    assert_eq!(failed.expected, "an end within 50 events");
}

#[test]
fn a_script_tells_the_step_that_is_not_so() {
    let test = race()
        .step("offered left other right")
        .step("do left")
        .step("offered right");
    let failed = failure(&test, &Plan::default());
    assert_eq!(
        (failed.what.as_str(), failed.found.as_str()),
        ("step 3: offered right", "other right")
    );
    let test = race().step("do left").step("refused complete left");
    assert_eq!(failure(&test, &Plan::default()).found, "nobody does");
    let all = [
        "suspend",
        "status suspended",
        "resume",
        "start left",
        "cancel-task left",
        "refused complete left",
    ];
    all.iter()
        .fold(race(), |test, step| test.step(step))
        .run(&Plan::default())
        .unwrap();
}

/// The examples of `docs/TESTING.md`.
#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../../../docs/TESTING.md");
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [tests, flow] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len());
    };
    let file = TestFile::read(tests).unwrap_or_else(|e| panic!("{e:?}"));
    let mut runs = 0;
    for test in file.tests(flow, None, &[]) {
        let done = test.run(&Plan::default());
        runs += done.unwrap_or_else(|failed| panic!("{failed}")).runs;
    }
    assert!(
        page.contains(&format!("3 tests passed, {runs} runs")),
        "{runs}"
    );
}

#[test]
fn tokens_are_looked_at_also_where_a_case_is_to_wait() {
    let spec = "name: f\ntasks:\n  s: { split: and, next: [a, w] }\n  a: { kind: host, next: e }\n  w: { kind: signal, next: e }\n  e: { join: and }\n";
    let plan = Plan::default();
    let waits = |status: &str, place: &str| {
        let tests =
            format!("tests:\n- name: x\n  status: {status}\n  marking: {{ {place}: 1, s>w: 1 }}\n");
        let file = TestFile::read(&tests).unwrap_or_else(|e| panic!("{e:?}"));
        file.tests(spec, None, &[]).remove(0)
    };
    waits("running", "a>e").run(&plan).unwrap();
    assert_eq!(failure(&waits("running", "s>a"), &plan).what, "marking");
    // If it may also end, they are what is left then.
    waits("[running, completed]", "s>a").run(&plan).unwrap();
}
