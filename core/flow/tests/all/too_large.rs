//! Outcomes that are larger than a commit may be, of what nobody waits for who could be told.

use std::path::PathBuf;
use std::time::Duration;

use crate::common::{World, claim, same, start};
use statewright_flow::{Failure, Flows, Status};
use statewright_log::sim::{self, SimClock, SimIo};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};
use statewright_value::Value;

/// A store whose commits have 64 KiB at most.
fn small() -> World {
    let (io, clock) = (SimIo::new(), SimClock::new());
    let env = Env {
        clock: std::sync::Arc::new(clock.clone()),
        ..sim::env(&io, 1)
    };
    let mut options = StoreOptions::with_durability(Durability::Strict);
    options.log.max_commit_bytes = 64 << 10;
    let store = Store::open(env, Place::Dir(PathBuf::from("/store")), options).unwrap();
    World {
        flows: Flows::new(store),
        clock,
    }
}

const BIG: &str = "output: '[range(100000)]'";
const OTHER: &str = "name: other\ntasks:\n  t: { kind: wait, for: 1h }\n";

/// Lets an hour pass with a case `c` of a flow and one of another, which must go on whatever becomes of it.
fn in_an_hour(spec: &str) -> World {
    let world = small();
    world.flows.deploy(spec, None).unwrap();
    start(&world, "f", "c");
    after_an_hour(world)
}

fn after_an_hour(world: World) -> World {
    world.flows.deploy(OTHER, None).unwrap();
    start(&world, "other", "z");
    world.clock.advance(Duration::from_secs(3600));
    world.flows.fire_due().unwrap();
    assert_eq!(world.status("z"), Status::Completed);
    world
}

#[test]
fn a_case_whose_end_after_its_deadline_cannot_be_stored_fails() {
    let spec = format!(
        "name: f\n{BIG}\ndeadline: {{ after: 1h, to: late }}\ntasks:\n  t: {{ kind: host }}\n  late: {{}}\n"
    );
    let world = in_an_hour(&spec);
    let info = world.flows.case("c").unwrap();
    assert_eq!(info.status, Status::Failed);
    assert_eq!(info.error.unwrap().get("code"), Some(Value::from("data")));
    assert_eq!(world.flows.next_due().unwrap(), None);
    same(&world, "c");
}

#[test]
fn a_case_fails_whose_end_cannot_be_stored_when_one_that_it_called_has_ended() {
    for part in [
        "deadline: 1h, tasks: { b: { kind: host } }",
        "tasks: { b: { kind: wait, for: 1h } }",
        "tasks: { b: { kind: host, deadline: 1h } }",
        "tasks: { b: { kind: set, set: { .n: '1' } } }",
        "tasks: { b: { kind: host, topic: a } }",
    ] {
        let spec = format!(
            "name: f\n{BIG}\ntasks:\n  call: {{ kind: flow, flow: part, on_error: [{{ skip: true }}] }}\nflows:\n  part: {{ {part} }}\n"
        );
        let world = in_an_hour(&spec);
        while world.flows.advance("c~1").unwrap().is_some() {}
        if let Some(item) = claim(&world, "a") {
            let failure = Failure::new("no", "");
            world.flows.fail(&item.token, &failure).unwrap();
        }
        let error = world.flows.case("c").unwrap().error.unwrap();
        assert_eq!(world.status("c"), Status::Failed, "{part}");
        assert_eq!(error.get("task"), Some(Value::from("call")), "{part}");
        assert_eq!(world.flows.next_due().unwrap(), None, "{part}");
        same(&world, "c");
    }
}

#[test]
fn what_a_flow_went_on_from_that_could_not_be_stored_is_the_same_when_it_is_done_again() {
    let big = "'[range(100000)]'";
    for task in [
        format!("{{ kind: set, set: {{ .n: {big} }}, CATCH }}"),
        format!("{{ kind: host, topic: a, input: {big}, CATCH }}"),
        format!("{{ kind: signal, signal: s, keep: true, output: {big}, CATCH }}"),
    ] {
        for catch in ["on_error: [{ skip: true }]", "on_error: [{ to: b }]"] {
            let task = task.replace("CATCH", catch);
            let spec = format!(
                "name: f\ntasks:\n  w: {{ kind: wait, for: 1h, next: t }}\n  t: {task}\n  b: {{ kind: host, topic: b }}\n"
            );
            let spec = match task.contains("skip") {
                true => spec.replace("skip: true }]", "skip: true }], next: b"),
                false => spec,
            };
            let world = small();
            world.flows.deploy(&spec, None).unwrap();
            start(&world, "f", "c");
            if task.contains("signal") {
                world.flows.signal("c", "s", &Value::NULL).unwrap();
            }
            world.clock.advance(Duration::from_secs(3600));
            world.flows.fire_due().unwrap();
            while world.flows.advance("c").unwrap().is_some() {}
            assert!(claim(&world, "a").is_none());
            let trace = world.trace("c");
            assert!(trace.iter().any(|e| e.starts_with("caught t")), "{trace:?}");
            same(&world, "c");
        }
    }
}

#[test]
fn a_timer_of_which_not_even_a_failure_can_be_stored_is_tried_again_and_stops_no_other() {
    for (of_case, of_item) in [("deadline: 1h\n", ""), ("", ", deadline: 1h")] {
        let spec = format!(
            "name: f\n{of_case}tasks:\n  s: {{ split: and, next: [t, b] }}\n  b: {{ kind: host{of_item} }}\n  t: {{ kind: host, many: {{ items: 1, add: true, max: 5000 }} }}\n"
        );
        let world = small();
        world.flows.deploy(&spec, None).unwrap();
        start(&world, "f", "c");
        for _ in 0..20 {
            let more = vec![Value::from(1); 200];
            world.flows.add_instances("c", "t", &more).unwrap();
        }
        let world = after_an_hour(world);
        assert_eq!(world.status("c"), Status::Running);
        let now = world.flows.store().env().clock.now();
        let again = world.flows.next_due().unwrap().unwrap();
        assert_eq!(again, now.saturating_add(Duration::from_secs(60)));
        world.clock.advance(Duration::from_secs(60));
        world.flows.fire_due().unwrap();
        assert!(world.flows.next_due().unwrap().unwrap() > again);
    }
}

#[test]
fn a_task_of_more_instances_than_fit_in_a_commit_fails_its_case() {
    for (instances, fits) in [(49_980, true), (50_000, false)] {
        let (io, clock) = (SimIo::new(), SimClock::new());
        let world = World::on_disk(&io, &clock, 1).unwrap();
        let spec =
            format!("name: f\ntasks:\n  t: {{ kind: host, many: {{ items: {instances} }} }}\n");
        world.flows.deploy(&spec, None).unwrap();
        start(&world, "f", "c");
        let info = world.flows.case("c").unwrap();
        if fits {
            assert_eq!(info.items.len(), instances);
            world.flows.cancel("c", "").unwrap();
            continue;
        }
        let error = info.error.unwrap();
        assert_eq!(error.get("code"), Some(Value::from("data")));
        let message = error.get("message").unwrap();
        assert!(
            message.as_str().unwrap().contains("more than 100000 "),
            "{message}"
        );
    }
}

#[test]
fn a_wait_whose_end_cannot_be_stored_fails_its_case() {
    let spec = format!("name: f\n{BIG}\ntasks:\n  t: {{ kind: wait, for: 1h }}\n");
    let world = in_an_hour(&spec);
    assert_eq!(world.status("c"), Status::Failed);
    same(&world, "c");
}

#[test]
fn a_scheduled_case_that_cannot_be_stored_is_left_out_and_the_next_is_due() {
    let spec =
        format!("name: f\n{BIG}\nschedule: {{ every: 1h, catch_up: 9 }}\ntasks:\n  t: {{}}\n");
    let world = small();
    world.flows.deploy(&spec, None).unwrap();
    let world = after_an_hour(world);
    let schedule = world.flows.schedules().unwrap().remove(0);
    assert_eq!((schedule.started, schedule.skipped), (0, 1));
    let now = world.flows.store().env().clock.now();
    assert!(schedule.next.unwrap() > now && schedule.last.is_some());
    // One that can be begins again.
    let small = spec.replace("100000", "10");
    world.flows.deploy(&small, None).unwrap();
    world.clock.advance(Duration::from_secs(3600));
    world.flows.fire_due().unwrap();
    assert_eq!(world.flows.schedules().unwrap()[0].started, 1);
}
