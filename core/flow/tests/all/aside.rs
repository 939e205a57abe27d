//! Cases that cannot be read, or whose spec this version refuses: the others go on without them.

use std::time::Duration;

use statewright_flow::{Flows, Status};
use statewright_log::sim::{SimClock, SimIo};
use statewright_store::{Primitive, Reader, Space};
use statewright_value::{Path, Value};

use crate::common::{World, claim, start};

const WAITS: &str = "name: w\ntasks:\n  t: { kind: wait, for: 1h, next: a }\n  a: { kind: set, set: { .n: '1' } }\n";
const HOST: &str = "name: h\ntasks:\n  t: { kind: host, topic: a }\n";

fn write(world: &World, key: &str, path: &Path, value: Value) {
    let store = world.flows.store();
    let written = store.transact(|txn| {
        let (flow, space) = (Primitive::Flow, Space::default());
        txn.doc_set(flow, &space, key, path, value.clone())
    });
    written.unwrap();
}

fn read(world: &World, key: &str) -> Value {
    let (view, space) = (world.flows.store().snapshot(), Space::default());
    let read = view.doc_get(Primitive::Flow, &space, key, &Path::root());
    read.unwrap().unwrap()
}

/// Writes rubbish in the place of a case.
fn damage(world: &World, case: &str) {
    write(
        world,
        &format!("c/{case}"),
        &Path::root(),
        Value::from("rubbish"),
    );
}

fn why(world: &World, of: &str) -> String {
    let all = world.flows.put_off();
    let found = all.iter().find(|p| p.of == of);
    found.map_or(String::new(), |p| p.why.clone())
}

fn pass(world: &World, time: Duration) {
    world.clock.advance(time);
    for moved in world.flows.fire_due().unwrap() {
        if moved.more {
            world.flows.advance_each(&[&*moved.case]).unwrap();
        }
    }
}

#[test]
fn a_damaged_case_keeps_no_timer_of_others_and_is_tried_again() {
    let world = World::with_flow(WAITS);
    for case in ["a", "b", "c", "d"] {
        start(&world, "w", case);
    }
    let sound = read(&world, "c/a");
    damage(&world, "a");
    pass(&world, Duration::from_secs(3600));
    for case in ["b", "c", "d"] {
        assert_eq!(world.status(case), Status::Completed);
    }
    assert!(
        why(&world, "a").contains("c/a"),
        "{:?}",
        world.flows.put_off()
    );
    let now = || world.flows.store().env().clock.now();
    let wait = |seconds| now().saturating_add(Duration::from_secs(seconds));
    for seconds in [60, 120, 240, 480, 600, 600] {
        assert_eq!(world.flows.next_due().unwrap(), Some(wait(seconds)));
        pass(&world, Duration::from_secs(seconds));
    }
    // Somebody mends it.
    write(&world, "c/a", &Path::root(), sound);
    pass(&world, Duration::from_secs(600));
    assert_eq!(world.status("a"), Status::Completed);
    assert_eq!(world.flows.put_off(), []);
    assert_eq!(world.flows.next_due().unwrap(), None);
}

#[test]
fn many_damaged_cases_keep_no_timer_behind_them() {
    let world = World::with_flow(WAITS);
    for n in 0..600 {
        start(&world, "w", &format!("bad-{n:03}"));
    }
    world.clock.advance(Duration::from_secs(1));
    start(&world, "w", "good");
    (0..600).for_each(|n| damage(&world, &format!("bad-{n:03}")));
    world.clock.advance(Duration::from_secs(3599));
    while world.flows.next_due().unwrap().unwrap() <= world.flows.store().env().clock.now() {
        pass(&world, Duration::ZERO);
    }
    assert_eq!(world.flows.put_off().len(), 600);
    pass(&world, Duration::from_secs(1));
    assert_eq!(world.status("good"), Status::Completed);
}

#[test]
fn an_item_of_a_damaged_case_keeps_no_other_of_its_topic() {
    for lane in [
        "",
        ", lane: { limit: 5 }",
        ", lane: { key: '\"k\"', limit: 1 }",
    ] {
        let world = World::with_flow(&HOST.replace(" }", &format!("{lane} }}")));
        for case in ["a", "b"] {
            start(&world, "h", case);
        }
        damage(&world, "a");
        let item = claim(&world, "a").unwrap();
        assert_eq!(item.case, "b");
        world.flows.complete(&item.token, &Value::NULL).unwrap();
        assert!(claim(&world, "a").is_none());
        assert!(why(&world, "a").contains("c/a"));
        // Whoever polls is told when it is tried again.
        world.clock.advance(Duration::from_secs(60));
        let moved = world.flows.fire_due().unwrap();
        assert!(moved.iter().any(|m| !m.topics_offered.is_empty()));
        assert!(claim(&world, "a").is_none());
        let due = world.flows.next_due().unwrap().unwrap();
        let now = world.flows.store().env().clock.now();
        assert_eq!(due, now.saturating_add(Duration::from_secs(120)));
    }
}

#[test]
fn cases_of_a_spec_that_is_refused_now_keep_no_others() {
    let (io, clock) = (SimIo::new(), SimClock::new());
    let world = World::on_disk(&io, &clock, 1).unwrap();
    let scheduled = "name: s\nschedule: { every: 30m }\ntasks:\n  t: { kind: host, topic: a }\n";
    let specs = [WAITS, &WAITS.replace("name: w", "name: x"), scheduled];
    let keys = specs.map(|spec| world.flows.deploy(spec, None).unwrap().key);
    start(&world, "w", "old");
    start(&world, "x", "new");
    for key in [&keys[0], &keys[2]] {
        let source = Path::root().key("source");
        write(
            &world,
            &format!("net/{key}"),
            &source,
            Value::from("name: 7 of 9"),
        );
    }
    // Nets are kept in memory once they are compiled.
    let flows = Flows::new(world.flows.store().clone());
    let world = World { flows, clock };
    pass(&world, Duration::from_secs(3600));
    assert_eq!(world.status("new"), Status::Completed);
    assert!(why(&world, "old").contains("refused"));
    assert!(why(&world, "s").contains("refused"));
    // A version that is sound begins at its next time.
    world
        .flows
        .deploy(&scheduled.replace("name: s", "name: s\nversion: 2"), None)
        .unwrap();
    pass(&world, Duration::from_secs(1));
    assert_eq!(world.flows.schedules().unwrap()[0].started, 1);
}

#[test]
fn cases_that_were_left_are_taken_up_but_for_a_damaged_one() {
    let world = World::with_flow(WAITS);
    for case in ["a", "b", "c"] {
        start(&world, "w", case);
    }
    world.clock.advance(Duration::from_secs(3600));
    world.flows.fire_due().unwrap();
    let sound = read(&world, "c/a");
    damage(&world, "a");
    let ready = world.flows.ready_cases(None, 9).unwrap();
    assert_eq!(ready, ["a", "b", "c"]);
    let moved = world.flows.take_up(&ready).unwrap();
    assert_eq!(moved.len(), 2);
    assert_eq!(world.status("b"), Status::Completed);
    assert_eq!(world.flows.put_off().len(), 1);
    write(&world, "c/a", &Path::root(), sound);
    pass(&world, Duration::from_secs(60));
    assert_eq!(world.status("a"), Status::Completed);
    assert_eq!(world.flows.put_off(), []);
}

#[test]
fn a_timer_that_does_nothing_is_not_due_for_ever() {
    let world = World::with_flow(HOST);
    start(&world, "h", "a");
    let at = "t/000000000001/a/b77";
    write(&world, at, &Path::root(), Value::NULL);
    pass(&world, Duration::ZERO);
    let now = world.flows.store().env().clock.now();
    assert!(world.flows.next_due().unwrap().unwrap() > now);
    assert!(why(&world, "a").contains(at));
}
