//! What a case does with input that is wrong: a typed error, the case unharmed, and `explain` still true.

use std::time::Duration;

use crate::common::{World, claim, disk};
use statewright_flow::net::Net;
use statewright_flow::{Error, Failure, Status};
use statewright_value::{Value, value};

fn started(spec: &str, input: Value) -> World {
    let spec = format!("name: bad\nversion: 1\n{spec}");
    let world = disk();
    world
        .flows
        .deploy(&spec, None)
        .unwrap_or_else(|e| panic!("{e}\n{spec}"));
    world.flows.start("bad", &input, Some("case")).unwrap();
    while world.flows.advance("case").unwrap().is_some() {}
    world
}

/// What a case waits for, in a line each.
fn waits(world: &World) -> Vec<String> {
    let waits = world.flows.explain("case").unwrap();
    waits
        .iter()
        .map(|w| format!("{}: {}", w.task, w.what))
        .collect()
}

/// The code of the error of a case that failed.
fn failed(world: &World) -> (String, String) {
    let info = world.flows.case("case").unwrap();
    assert_eq!(info.status, Status::Failed);
    assert!(info.items.is_empty() && waits(world).is_empty());
    let error = info.error.unwrap();
    let text = |key: &str| error.get(key).and_then(|v| v.as_str().map(str::to_owned));
    (text("code").unwrap(), text("task").unwrap())
}

#[test]
fn a_flow_that_can_never_finish_is_refused() {
    let spec = "name: f\nversion: 1\ntasks:\n  a: { join: xor, next: b }\n  b: { next: a }\n";
    let problems = Net::compile(spec, None).unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|p| p.code).collect();
    assert_eq!(codes, ["no-end", "no-end"]);
}

#[test]
fn conditions_that_are_all_false_fail_the_case_or_lead_on_by_the_error_edge() {
    let spec = "tasks:\n  a: { kind: host, split: or, ON next: [{ to: b, when: .a.x }, { to: c, when: .a.y }] }\n  \
                b: { kind: host, join: xor }\n  c: { kind: host }\n";
    let world = started(&spec.replace("ON", ""), Value::NULL);
    let item = claim(&world, "a").unwrap();
    world
        .flows
        .complete(&item.token, &value!({"x": false}))
        .unwrap();
    assert_eq!(failed(&world), ("no-branch".to_owned(), "a".to_owned()));
    let world = started(&spec.replace("ON", "on_error: b,"), Value::NULL);
    let item = claim(&world, "a").unwrap();
    world
        .flows
        .complete(&item.token, &value!({"x": false}))
        .unwrap();
    assert_eq!(waits(&world), ["b: a host program that polls topic 'b'"]);
}

#[test]
fn a_variable_that_is_not_there_is_refused_and_a_missing_value_is_null() {
    let spec = "name: f\nversion: 1\ntasks:\n  a: { kind: set, set: { .x: $amount } }\n";
    let problems = Net::compile(spec, None).unwrap_err();
    assert_eq!(problems[0].code, "expression");
    let world = started(
        "tasks:\n  a: { kind: set, set: { .x: .input.amount + 1 } }\n",
        Value::NULL,
    );
    assert_eq!(
        world.flows.case("case").unwrap().result.unwrap().get("x"),
        Some(value!(1))
    );
    let world = started(
        "tasks:\n  a: { kind: set, set: { .x: .input.amount.value | tonumber } }\n",
        Value::NULL,
    );
    assert_eq!(failed(&world), ("expression".to_owned(), "a".to_owned()));
}

#[test]
fn a_result_of_another_type_fails_its_attempt_for_good_and_one_too_large_is_refused() {
    let spec = "tasks:\n  a: { kind: host, retry: { attempts: 9 }, output: '.n + 1', next: b }\n  b: { kind: host }\n";
    let world = started(spec, Value::NULL);
    let item = claim(&world, "a").unwrap();
    world
        .flows
        .complete(&item.token, &value!({"n": {"of": 1}}))
        .unwrap();
    assert_eq!(failed(&world), ("expression".to_owned(), "a".to_owned()));
    let world = started(
        "tasks:\n  a: { kind: host, next: b }\n  b: { kind: host }\n",
        Value::NULL,
    );
    let item = claim(&world, "a").unwrap();
    let huge = Value::from("x".repeat(100 << 20));
    let refused = world.flows.complete(&item.token, &huge).unwrap_err();
    assert!(
        matches!(&refused, Error::Store(e) if e.is_about_input()),
        "{refused}"
    );
    assert_eq!(waits(&world), ["a: worker 'ann' to complete it"]);
    world.flows.complete(&item.token, &value!(1)).unwrap();
    assert_eq!(waits(&world), ["b: a host program that polls topic 'b'"]);
}

#[test]
fn what_is_stale_cancelled_or_another_s_is_refused() {
    let world = started(
        "tasks:\n  a: { kind: host, next: b }\n  b: { kind: host }\n",
        Value::NULL,
    );
    let item = claim(&world, "a").unwrap();
    let stale = |token: &str| {
        let flows = &world.flows;
        let failure = Failure::new("x", "x");
        for refused in [
            flows.complete(token, &Value::NULL).unwrap_err(),
            flows.fail(token, &failure).unwrap_err(),
            flows.heartbeat(token, Duration::from_secs(1)).unwrap_err(),
        ] {
            assert!(
                matches!(refused, Error::StaleItem { .. } | Error::UnknownItem { .. }),
                "{refused}"
            );
        }
    };
    stale(&format!("{}x", item.token));
    stale("no token at all");
    stale(&item.token.replace("case/", "other/"));
    assert_eq!(waits(&world), ["a: worker 'ann' to complete it"]);
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    stale(&item.token);
    let item = claim(&world, "b").unwrap();
    world.flows.cancel_task("case", "b").unwrap();
    stale(&item.token);
    let closed = world
        .flows
        .signal("case", "late", &Value::NULL)
        .unwrap_err();
    assert!(matches!(closed, Error::CaseClosed { .. }), "{closed}");
}

#[test]
fn instances_cannot_be_added_after_the_task_has_completed() {
    let spec = "tasks:\n  a: { kind: host, many: { items: 1, add: true }, next: b }\n  b: { kind: host }\n";
    let world = started(spec, Value::NULL);
    let item = claim(&world, "a").unwrap();
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    let late = world
        .flows
        .add_instances("case", "a", &[Value::NULL])
        .unwrap_err();
    assert!(
        matches!(
            late,
            Error::Refused {
                code: "not-running",
                ..
            }
        ),
        "{late}"
    );
    assert_eq!(waits(&world), ["b: a host program that polls topic 'b'"]);
}

#[test]
fn recursion_without_end_is_an_error_and_not_a_full_disk() {
    let world = started("tasks:\n  again: { kind: flow, flow: bad }\n", Value::NULL);
    world.drive(|_| Ok(Value::NULL)).unwrap();
    let info = world.flows.case("case").unwrap();
    assert_eq!(info.status, Status::Failed);
    let mut error = info.error.unwrap();
    let mut levels = 1;
    while let Some(cause) = error.get("cause") {
        error = cause;
        levels += 1;
    }
    assert_eq!(error.get("code"), Some(value!("depth")), "{error}");
    assert_eq!(levels, 51, "the chain leads down to it");
}

#[test]
fn a_timer_in_the_past_fires_at_once() {
    for wait in ["until: '2001-01-01T00:00:00Z'", "for: 0"] {
        let world = started(
            &format!("tasks:\n  a: {{ kind: wait, {wait}, next: b }}\n  b: {{ kind: host }}\n"),
            Value::NULL,
        );
        assert_eq!(waits(&world), ["a: its timer"]);
        world.flows.fire_due().unwrap();
        assert_eq!(
            waits(&world),
            ["b: a host program that polls topic 'b'"],
            "{wait}"
        );
    }
    for wait in [
        "until: '\"soon\"'",
        "for: '-1'",
        "until: '\"99999-01-01T00:00:00Z\"'",
    ] {
        let world = started(
            &format!("tasks:\n  a: {{ kind: wait, {wait} }}\n"),
            Value::NULL,
        );
        assert_eq!(
            failed(&world),
            ("expression".to_owned(), "a".to_owned()),
            "{wait}"
        );
    }
}

#[test]
fn explain_tells_since_when_everything_has_waited() {
    let spec = "
tasks:
  begin: { split: and, next: [a, b, c, held] }
  a: { kind: host, next: all }
  b: { kind: host, next: all }
  c: { kind: host, next: all }
  all: { join: and, next: m }
  held: { kind: host, mutex: one, next: m }
  m: { kind: host, join: or, mutex: one }
";
    let world = started(spec, Value::NULL);
    let start = world.flows.store().env().clock.now();
    let tick = || world.clock.advance(Duration::from_secs(10));
    tick();
    let item = claim(&world, "a").unwrap();
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    tick();
    let item = claim(&world, "b").unwrap();
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    tick();
    let item = claim(&world, "held").unwrap();
    tick();
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    tick();
    let waits = world.flows.explain("case").unwrap();
    let since = |task: &str| {
        let of = waits.iter().find(|w| w.task == task && w.item.is_none());
        let of = of.unwrap_or_else(|| panic!("{task}: {waits:#?}"));
        of.since.unwrap().saturating_since(start).as_secs()
    };
    assert_eq!((since("all"), since("m")), (10, 40));
    assert!(waits.iter().all(|w| w.since.is_some()), "{waits:#?}");
    let item = claim(&world, "c").unwrap();
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    assert_eq!(world.flows.explain("case").unwrap().len(), 1);
}
