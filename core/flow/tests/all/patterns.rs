//! What cases do: the traces of sequences, splits, joins, choices, loops, retries, timeouts, waits and failures.

use std::time::Duration;

use crate::common::{World, echo};
use statewright_flow::{CaseFilter, Error, Failure, Queue, Status};
use statewright_log::sim::{SimClock, SimIo};
use statewright_store::{Reader, Space};
use statewright_value::{Path, Value, value};

#[test]
fn a_sequence_runs_in_order_and_the_next_task_is_not_enabled_before() {
    let world = World::with_flow(
        "name: seq\nversion: 1\ntasks:\n  first: { kind: host, topic: work, next: second }\n  \
         second: { kind: host, topic: work, input: '.first', into: .out }\noutput: .out\n",
    );
    let case = world.flows.start("seq", &Value::NULL, Some("one")).unwrap();
    assert_eq!(&*case.case, "one");
    let item = world.claim(&["work"]).unwrap().unwrap();
    assert_eq!(
        (
            item.task.as_str(),
            item.attempt,
            item.idempotency_key.as_str()
        ),
        ("first", 1, "one/1")
    );
    assert_eq!(
        world.claim(&["work"]).unwrap(),
        None,
        "second is not offered yet"
    );
    world
        .flows
        .complete(&item.token, &value!({"x": 1}))
        .unwrap();
    let item = world.claim(&["work"]).unwrap().unwrap();
    assert_eq!(
        (item.task.as_str(), &item.input),
        ("second", &value!({"x": 1}))
    );
    let done = world.flows.complete(&item.token, &value!("done")).unwrap();
    assert_eq!(done.closed, Some(Status::Completed));
    let info = world.flows.case("one").unwrap();
    assert_eq!(
        (info.status, info.result),
        (Status::Completed, Some(value!("done")))
    );
    assert_eq!(
        world.trace("one"),
        [
            "case_started",
            "offered first#0",
            "started first#1",
            "completed first#1",
            "offered second#0",
            "started second#1",
            "completed second#1",
            "case_completed"
        ]
    );
}

const DIAMOND: &str = "
name: diamond
version: 1
tasks:
  split: { kind: set, set: { .n: '1' }, split: and, next: [left, right] }
  left: { kind: host, topic: a, next: join }
  right: { kind: host, topic: b, next: join }
  join: { kind: set, join: and, set: { .n: '.n + 1' } }
";

#[test]
fn an_and_split_starts_every_branch_and_an_and_join_waits_for_all() {
    for order in [["a", "b"], ["b", "a"]] {
        let world = World::with_flow(DIAMOND);
        let case = world.flows.start("diamond", &Value::NULL, None).unwrap();
        // In memory, `split` fires in the commit that starts the case.
        assert!(!case.more);
        assert_eq!(case.topics_offered, ["a", "b"]);
        let case = case.case.to_string();
        assert!(world.flows.advance(&case).unwrap().is_none());
        for (i, topic) in order.iter().enumerate() {
            let item = world.claim(&[topic]).unwrap().unwrap();
            let moved = world.flows.complete(&item.token, &value!(1)).unwrap();
            assert_eq!(
                moved.more,
                i == 1,
                "the join is enabled by the last branch only"
            );
        }
        let waiting = world.flows.explain(&case).unwrap();
        assert!(waiting.is_empty());
        assert_eq!(
            world.flows.advance(&case).unwrap().unwrap().closed,
            Some(Status::Completed)
        );
        assert_eq!(
            world.flows.case(&case).unwrap().data.get("n"),
            Some(value!(2))
        );
        assert!(world.flows.advance(&case).unwrap().is_none());
    }
}

#[test]
fn explain_tells_what_a_join_and_an_item_wait_for() {
    let world = World::with_flow(DIAMOND);
    let case = world
        .flows
        .start("diamond", &Value::NULL, None)
        .unwrap()
        .case
        .to_string();
    world.flows.advance(&case).unwrap();
    let item = world.claim(&["a"]).unwrap().unwrap();
    world.flows.complete(&item.token, &value!(1)).unwrap();
    let waiting = world.flows.explain(&case).unwrap();
    let told: Vec<(&str, &str)> = waiting
        .iter()
        .map(|w| (w.task.as_str(), w.what.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("right", "a host program that polls topic 'b'"),
            ("join", "a token on right>join")
        ]
    );
}

#[test]
fn an_exclusive_choice_takes_the_first_true_edge_or_the_default_and_a_simple_merge_runs_once() {
    let spec = "
name: choice
version: 1
tasks:
  choose: { kind: set, set: {}, split: xor, next: [{ to: big, when: '.input.x > 5' }, { to: small }] }
  big: { kind: set, set: { .way: '\"big\"' }, next: end }
  small: { kind: set, set: { .way: '\"small\"' }, next: end }
  end: { kind: set, join: xor, set: { .ends: '(.ends // 0) + 1' } }
output: '[.way, .ends]'
";
    let spec = &spec.replace("set: {},", "set: { .seen: 'true' },");
    for (x, way) in [(9, "big"), (1, "small")] {
        let world = World::with_flow(spec);
        let case = world.run("choice", value!({ "x": x }), echo);
        assert_eq!(
            world.flows.case(&case).unwrap().result,
            Some(value!([way, 1]))
        );
    }
}

#[test]
fn a_condition_that_fails_fails_the_case_with_its_reason() {
    let world = World::with_flow(
        "name: bad\nversion: 1\ntasks:\n  a: { kind: set, set: { .x: '1' }, split: xor, \
         next: [{ to: b, when: '.input.x.y > 1' }, { to: c }] }\n  b: { kind: log, message: '\"b\"' }\n  \
         c: { kind: log, message: '\"c\"' }\n",
    );
    let case = world.run("bad", value!({"x": 5}), echo);
    let info = world.flows.case(&case).unwrap();
    assert_eq!(info.status, Status::Failed);
    let error = info.error.unwrap();
    assert_eq!(
        (error.get("code"), error.get("task")),
        (Some(value!("expression")), Some(value!("a")))
    );
}

#[test]
fn a_loop_back_through_an_exclusive_choice_ends_when_its_condition_does() {
    let world = World::with_flow(
        "
name: looped
version: 1
input: { times: 5 }
tasks:
  init: { kind: set, set: { .i: '0', .seen: '[]' }, next: body }
  body: { kind: host, topic: work, join: xor, input: .i, into: .last, next: count }
  count:
    kind: set
    set: { .i: '.i + 1', .seen: '.seen + [.last]' }
    split: xor
    next: [{ to: body, when: '.i < .input.times' }, { to: end }]
  end: { kind: log, message: '\"\\(.i) times\"' }
output: .seen
",
    );
    let case = world.run("looped", value!({"times": 3}), |item| {
        Ok(value!([(item.input.clone())]))
    });
    assert_eq!(
        world.flows.case(&case).unwrap().result,
        Some(value!([[0], [1], [2]]))
    );
    let keys: Vec<u64> = world
        .flows
        .history(&case, 0)
        .unwrap()
        .iter()
        .filter_map(|e| e.item)
        .collect();
    assert_eq!(
        keys.iter().max(),
        Some(&3),
        "each firing is an item of its own"
    );
}

#[test]
fn a_failed_attempt_is_retried_after_growing_pauses_and_then_fails_the_case() {
    let spec = "name: r\nversion: 1\ntasks:\n  t: { kind: host, topic: work, retry: { attempts: 3, delay: 100ms, factor: 2 } }\n";
    let world = World::with_flow(spec);
    let started = world.flows.store().env().clock.now();
    let case = world.run("r", Value::NULL, |_| Err(Failure::new("busy", "not now")));
    assert_eq!(
        world.trace(&case),
        [
            "case_started",
            "offered t#0",
            "started t#1",
            "attempt_failed t#1",
            "retry_scheduled t#1",
            "offered t#1",
            "started t#2",
            "attempt_failed t#2",
            "retry_scheduled t#2",
            "offered t#2",
            "started t#3",
            "attempt_failed t#3",
            "failed t#3",
            "case_failed"
        ]
    );
    let took = world
        .flows
        .store()
        .env()
        .clock
        .now()
        .saturating_since(started);
    assert_eq!(took, Duration::from_millis(300));
    let world = World::with_flow(spec);
    let case = world.run("r", Value::NULL, |item| {
        if item.attempt < 3 {
            Err(Failure::new("busy", "not now"))
        } else {
            echo(item)
        }
    });
    assert_eq!(
        world.flows.case(&case).unwrap().data.get("t"),
        Some(value!("t#3"))
    );
}

#[test]
fn what_is_not_retryable_is_not_retried_and_the_rest_is_cancelled() {
    let world = World::with_flow(
        &DIAMOND.replace("topic: a,", "topic: a, retry: { attempts: 9, delay: 1s },"),
    );
    let case = world
        .flows
        .start("diamond", &Value::NULL, None)
        .unwrap()
        .case
        .to_string();
    world.flows.advance(&case).unwrap();
    let left = world.claim(&["a"]).unwrap().unwrap();
    let right = world.claim(&["b"]).unwrap().unwrap();
    let moved = world
        .flows
        .fail(&left.token, &Failure::new("no", "never").for_good())
        .unwrap();
    assert_eq!(moved.closed, Some(Status::Failed));
    let late = world.flows.complete(&right.token, &value!(1)).unwrap_err();
    assert_eq!(late.code(), 504);
    assert!(world.trace(&case).contains(&"cancelled right#1".to_owned()));
    assert_eq!(
        world.flows.next_due().unwrap(),
        None,
        "no timer is left behind"
    );
    assert_eq!(
        world.flows.open_cases(None, 10).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn an_attempt_that_takes_too_long_is_timed_out_and_its_late_result_refused() {
    let world = World::with_flow(
        "name: t\nversion: 1\ntasks:\n  t: { kind: host, topic: work, timeout: 5s, retry: { attempts: 2, delay: 1s } }\n",
    );
    let case = world
        .flows
        .start("t", &Value::NULL, None)
        .unwrap()
        .case
        .to_string();
    let slow = world.claim(&["work"]).unwrap().unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.flows.fire_due().unwrap().len(), 1);
    assert!(matches!(
        world.flows.complete(&slow.token, &value!(1)),
        Err(Error::StaleItem { .. })
    ));
    assert!(matches!(
        world.flows.heartbeat(&slow.token, Duration::from_secs(9)),
        Err(Error::StaleItem { .. })
    ));
    world.drive(echo).unwrap();
    assert_eq!(world.status(&case), Status::Completed);
    assert!(world.trace(&case).contains(&"timed_out t#1".to_owned()));
    assert_eq!(
        world.flows.case(&case).unwrap().data.get("t"),
        Some(value!("t#2"))
    );
}

#[test]
fn a_lease_without_heartbeat_ends_and_with_one_does_not() {
    let world = World::with_flow("name: l\nversion: 1\ntasks:\n  t: { kind: host, topic: work }\n");
    let case = world
        .flows
        .start("l", &Value::NULL, None)
        .unwrap()
        .case
        .to_string();
    let item = world.claim(&["work"]).unwrap().unwrap();
    world.clock.advance(Duration::from_secs(20));
    world
        .flows
        .heartbeat(&item.token, Duration::from_secs(30))
        .unwrap();
    world.clock.advance(Duration::from_secs(20));
    assert!(
        world.flows.fire_due().unwrap().is_empty(),
        "the heartbeat kept it"
    );
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.flows.fire_due().unwrap().len(), 1);
    let again = world.claim(&["work"]).unwrap().unwrap();
    assert_eq!(
        (again.attempt, &again.idempotency_key),
        (2, &item.idempotency_key)
    );
    assert!(matches!(
        world.flows.complete(&item.token, &value!(1)),
        Err(Error::StaleItem { .. })
    ));
    world.flows.complete(&again.token, &value!(2)).unwrap();
    assert!(
        matches!(
            world.flows.complete(&again.token, &value!(3)),
            Err(Error::StaleItem { .. })
        ),
        "only once"
    );
    assert_eq!(
        world.flows.case(&case).unwrap().data.get("t"),
        Some(value!(2))
    );
}

#[test]
fn a_wait_is_over_when_its_time_has_come_and_not_before() {
    let world = World::with_flow(
        "name: w\nversion: 1\ntasks:\n  w: { kind: wait, for: '.input.pause', next: done }\n  \
         done: { kind: set, set: { .ok: 'true' } }\n",
    );
    let case = world
        .flows
        .start("w", &value!({"pause": "1.5s"}), None)
        .unwrap()
        .case
        .to_string();
    let now = world.flows.store().env().clock.now();
    assert_eq!(
        world.flows.next_due().unwrap(),
        Some(now.saturating_add(Duration::from_millis(1500)))
    );
    world.clock.advance(Duration::from_millis(1499));
    assert!(world.flows.fire_due().unwrap().is_empty());
    world.clock.advance(Duration::from_millis(1));
    assert!(world.flows.fire_due().unwrap()[0].more);
    world.drive(echo).unwrap();
    assert_eq!(world.status(&case), Status::Completed);
    let failed = world.run("w", value!({"pause": "soon"}), echo);
    assert_eq!(world.status(&failed), Status::Failed);
}

#[test]
fn tokens_that_can_never_move_are_a_deadlock_not_a_success() {
    let world = World::with_flow(
        "
name: stuck
version: 1
tasks:
  a: { kind: set, set: { .x: '1' }, split: xor, next: [{ to: b, when: 'true' }, { to: c }] }
  b: { kind: set, set: { .b: '1' }, next: d }
  c: { kind: set, set: { .c: '1' }, next: d }
  d: { kind: set, join: and, set: { .d: '1' } }
",
    );
    let case = world.run("stuck", Value::NULL, echo);
    assert_eq!(world.status(&case), Status::Deadlocked);
    assert_eq!(
        world.flows.explain(&case).unwrap()[0].what,
        "a token on c>d"
    );
}

#[test]
fn every_arriving_token_runs_the_task_after_a_multi_merge() {
    let world = World::with_flow(
        "
name: multi
version: 1
tasks:
  a: { kind: set, set: { .n: '0' }, split: and, next: [b, c] }
  b: { kind: set, set: { .b: '1' }, next: d }
  c: { kind: set, set: { .c: '1' }, next: d }
  d: { kind: host, topic: work, join: xor, next: e }
  e: { kind: set, set: { .n: '.n + 1' } }
output: .n
",
    );
    let case = world.run("multi", Value::NULL, echo);
    assert_eq!(
        world.flows.case(&case).unwrap().result,
        Some(value!(2)),
        "pattern 8: d and e complete twice"
    );
}

#[test]
fn the_result_is_stored_as_a_document_in_the_commit_that_completes_the_case() {
    let world = World::with_flow(
        "name: d\nversion: 1\ntasks:\n  a: { kind: set, set: { .total: '.input.n * 2' } }\n\
         output: '{total}'\ndocument: '\"report/\" + $case.id'\n",
    );
    let case = world.run("d", value!({"n": 21}), echo);
    let now = world.flows.store().snapshot();
    let key = format!("report/{case}");
    assert_eq!(
        now.json_get(&Space::default(), &key, &Path::root())
            .unwrap(),
        Some(value!({"total": 42}))
    );
    let version = now.json_version(&Space::default(), &key).unwrap().unwrap();
    assert_eq!(
        world
            .flows
            .history(&case, 0)
            .unwrap()
            .last()
            .unwrap()
            .version,
        version
    );
}

#[test]
fn bad_input_is_an_error_and_starts_nothing() {
    let world = World::with_flow(
        "name: f\nversion: 1\ninput: { a: { b: 1, c: 2 } }\ntasks:\n  t: { kind: host, topic: work }\n",
    );
    let start = |flow: &str, input: Value, id: Option<&str>| {
        world.flows.start(flow, &input, id).map(|m| m.case)
    };
    assert_eq!(start("none", Value::NULL, None).unwrap_err().code(), 501);
    assert_eq!(start("f", value!([1]), None).unwrap_err().code(), 507);
    assert_eq!(
        start("f", Value::NULL, Some("a/b")).unwrap_err().code(),
        507
    );
    start("f", value!({"a": {"b": 9}, "d": 3}), Some("x")).unwrap();
    assert_eq!(start("f", Value::NULL, Some("x")).unwrap_err().code(), 506);
    let data = world.flows.case("x").unwrap().data;
    assert_eq!(
        data,
        value!({"input": {"a": {"b": 9, "c": 2}, "d": 3}}),
        "merged over the defaults"
    );
    assert_eq!(world.flows.case("y").unwrap_err().code(), 502);
    assert_eq!(world.flows.history("y", 0).unwrap_err().code(), 502);
    assert_eq!(
        world
            .flows
            .complete("nonsense", &Value::NULL)
            .unwrap_err()
            .code(),
        508
    );
    assert_eq!(
        world
            .flows
            .complete("x/1/guess", &Value::NULL)
            .unwrap_err()
            .code(),
        504
    );
    assert_eq!(
        world
            .flows
            .complete("y/1/guess", &Value::NULL)
            .unwrap_err()
            .code(),
        504
    );
    assert_eq!(
        world
            .flows
            .claim(&Queue::Process, "", None, 1)
            .unwrap_err()
            .code(),
        507
    );
    assert_eq!(world.flows.cases(&CaseFilter::default()).unwrap().len(), 1);
}

#[test]
fn a_result_that_does_not_fit_fails_the_case_and_says_why() {
    let spec = "name: o\nversion: 1\ntasks:\n  t: { kind: host, topic: work, output: '.a.b + 1', retry: { attempts: 5, delay: 1s } }\n";
    let world = World::with_flow(spec);
    let case = world.run("o", Value::NULL, |_| Ok(value!({"a": 5})));
    let info = world.flows.case(&case).unwrap();
    assert_eq!(info.status, Status::Failed);
    assert_eq!(info.error.unwrap().get("code"), Some(value!("expression")));
    assert_eq!(
        world
            .trace(&case)
            .iter()
            .filter(|e| e.starts_with("started"))
            .count(),
        1,
        "it would fail again"
    );
}

#[test]
fn cases_are_listed_by_status_and_flow_and_keep_the_net_they_began_on() {
    let world = World::with_flow(
        "name: v\nversion: 1\ntasks:\n  t: { kind: host, topic: work }\noutput: '1'\n",
    );
    let old = world.flows.start("v", &Value::NULL, Some("old")).unwrap();
    world
        .flows
        .deploy(
            "name: v\nversion: 2\ntasks:\n  t: { kind: host, topic: work }\noutput: '2'\n",
            None,
        )
        .unwrap();
    world.flows.start("v", &Value::NULL, Some("new")).unwrap();
    assert_eq!(old.closed, None);
    world.drive(echo).unwrap();
    let by = |status| CaseFilter {
        status,
        ..CaseFilter::default()
    };
    let all = world.flows.cases(&by(Some(Status::Completed))).unwrap();
    let got: Vec<_> = all
        .iter()
        .map(|c| (c.id.as_str(), c.version, c.result.clone().unwrap()))
        .collect();
    assert_eq!(got, [("new", 2, value!(2)), ("old", 1, value!(1))]);
    assert!(
        world
            .flows
            .cases(&by(Some(Status::Running)))
            .unwrap()
            .is_empty()
    );
    let limited = CaseFilter {
        limit: Some(1),
        flow: Some("v".into()),
        ..CaseFilter::default()
    };
    assert_eq!(world.flows.cases(&limited).unwrap().len(), 1);
    let other = CaseFilter {
        flow: Some("w".into()),
        ..CaseFilter::default()
    };
    assert!(world.flows.cases(&other).unwrap().is_empty());
}

#[test]
fn data_too_large_for_a_commit_fails_the_task_that_made_it() {
    let grow = "[range(9)] | map($data.input.text)";
    let text = Value::from("x".repeat(8_000_000));
    for first in [
        "set, set: { .n: '1' }, next: grow",
        "wait, for: 1ms, next: grow",
    ] {
        for grown in [
            format!("set, set: {{ .big: '{grow}' }}"),
            format!("host, topic: work, input: '{grow}'"),
        ] {
            let (io, clock) = (SimIo::new(), SimClock::new());
            let world = World::on_disk(&io, &clock, 1).unwrap();
            let spec = format!(
                "name: big\nversion: 1\ntasks:\n  first: {{ kind: {first} }}\n  grow: {{ kind: {grown} }}\n"
            );
            world.flows.deploy(&spec, None).unwrap();
            let case = world.run("big", value!({ "text": text.clone() }), echo);
            let info = world.flows.case(&case).unwrap();
            assert_eq!(info.status, Status::Failed, "{first}, {grown}");
            let code = info.error.unwrap().get("code");
            assert_eq!(code, Some(value!("data")), "{first}, {grown}");
            assert_eq!(world.flows.next_due().unwrap(), None);
        }
    }
}
