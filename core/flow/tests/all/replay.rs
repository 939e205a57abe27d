//! Recorded cases done again.

use std::time::Duration;

use crate::common::{World, claim, disk, migrate, same, seven, start};
use statewright_flow::{Error, Failure, ForkOptions, MigrateOptions, Queue, Status};
use statewright_value::{Value, value};

/// A bit of everything that the machine does.
const EVERYTHING: &str = "
name: all
version: 1
tasks:
  begin: { kind: set, set: { .n: '0' }, split: and, next: [left, right, pause, each, call, paid, slow] }
  left: { kind: host, topic: a, next: join, retry: { attempts: 3, delay: 1s }, compensate: unleft, output: '{is: .}' }
  right: { kind: process, run: [true], stdout: json, next: join, timeout: 10s }
  pause: { kind: wait, for: 2s, next: join }
  each: { kind: host, topic: c, many: { items: '[1, 2, 3]', threshold: 2, add: true }, output: '. + $item', next: join }
  call: { kind: flow, flow: below, next: join }
  paid: { kind: signal, keep: true, next: join, into: .paid }
  slow: { kind: host, topic: slow, timeout: 5s, on_error: { skip: true }, next: join }
  join: { kind: set, join: and, set: { .n: '.n + 1' }, split: xor, next: [{ to: odd, when: .n == 1 }, last] }
  odd: { kind: log, message: '\"odd\"', next: last }
  last: { kind: host, topic: b, join: xor, input: '{left, right, each}' }
  unleft: { kind: host, topic: d }
flows:
  below:
    tasks:
      one: { kind: host, topic: a, next: two, compensate: unone }
      two: { kind: host, topic: b }
      unone: { kind: host, topic: d }
    output: '.one + .two'
output: '{n, left, right, each, call, last}'
";

/// A case with a signal that was kept, instances added, a suspension, leases lost, a time limit, and retries.
fn recorded(world: &World, id: &str) {
    let flows = &world.flows;
    flows.deploy(EVERYTHING, None).unwrap();
    flows.start("all", &Value::NULL, Some(id)).unwrap();
    while flows.advance(id).unwrap().is_some() {}
    let slow = Queue::Topics(vec!["slow".to_owned()]);
    let claimed = flows
        .claim(&slow, "bob", Some(Duration::from_secs(60)), 1)
        .unwrap();
    assert_eq!(claimed.len(), 1);
    flows.add_instances(id, "each", &[value!(9)]).unwrap();
    flows.suspend(id).unwrap();
    flows.signal(id, "paid", &value!({"euros": 3})).unwrap();
    flows.resume(id).unwrap();
    let each = Queue::Topics(vec!["c".to_owned()]);
    flows
        .claim(&each, "gone", Some(Duration::from_secs(1)), 1)
        .unwrap();
    world.drive(seven).unwrap();
}

/// It comes out the same, all of it.
fn all_same(world: &World, id: &str) {
    same(world, id);
    let replayed = world.flows.replay(id, None).unwrap();
    let events = world.flows.history(id, 0).unwrap().len() as u64;
    assert_eq!(replayed.events, events);
}

/// That nothing is left to be undone is found in a commit of its own, if what is left is not of these tasks.
#[test]
fn one_that_undid_some_of_what_it_did_comes_out_the_same() {
    let spec = "
name: some
tasks:
  a: { kind: host, topic: a, compensate: una, next: b }
  b: { kind: host, topic: b, compensate: unb, next: undo }
  undo: { kind: compensate, of: [b], next: last }
  last: { kind: host, topic: c }
  una: { kind: host, topic: d }
  unb: { kind: set, set: { .b: '0' } }
";
    let world = disk();
    world.flows.deploy(spec, None).unwrap();
    start(&world, "some", "c");
    world.drive(seven).unwrap();
    assert_eq!(world.status("c"), Status::Completed);
    all_same(&world, "c");
}

#[test]
fn a_recorded_case_comes_out_the_same() {
    let world = disk();
    recorded(&world, "c");
    assert_eq!(world.status("c"), Status::Completed);
    let before = world.flows.store().stats().version;
    all_same(&world, "c");
    for called in world.flows.cases(&Default::default()).unwrap() {
        all_same(&world, &called.id);
    }
    assert_eq!(world.flows.store().stats().version, before);
    // What it undid afterwards, too.
    world.flows.compensate("c", "not wanted").unwrap();
    world.drive(seven).unwrap();
    assert_eq!(world.status("c"), Status::Compensated);
    all_same(&world, "c");
}

#[test]
fn cancelled_and_failed_cases_come_out_the_same() {
    let world = disk();
    world.flows.deploy(EVERYTHING, None).unwrap();
    for id in ["c", "d", "e"] {
        world.flows.start("all", &Value::NULL, Some(id)).unwrap();
        while world.flows.advance(id).unwrap().is_some() {}
    }
    let items = world.flows.work(&Default::default()).unwrap();
    let item = items
        .iter()
        .find(|i| i.case == "c" && i.task == "left")
        .unwrap();
    let left = world
        .flows
        .take("c", item.item, "ann", None)
        .unwrap()
        .item
        .unwrap();
    world.flows.complete(&left.token, &value!(1)).unwrap();
    world.flows.cancel_task("c", "pause").unwrap();
    world.flows.cancel("c", "enough").unwrap();
    world.flows.terminate("d", "").unwrap();
    world
        .drive(|item| match item.task.as_str() {
            "left" => Err(Failure::new("no", "no").for_good()),
            _ => seven(item),
        })
        .unwrap();
    let ends = ["c", "d", "e"].map(|id| world.status(id));
    assert_eq!(
        ends,
        [Status::Cancelled, Status::Terminated, Status::Failed]
    );
    for id in ["c", "d", "e"] {
        all_same(&world, id);
    }
}

#[test]
fn another_version_is_tried_on_what_happened() {
    let world = disk();
    recorded(&world, "c");
    let other = EVERYTHING
        .replace("version: 1", "version: 2")
        .replace("'.n + 1'", "'.n + 2'");
    let replayed = world.flows.replay("c", Some((&other, None))).unwrap();
    let difference = replayed.difference.unwrap();
    assert_eq!((replayed.version, difference.what), (2, "events"));
    assert!(
        difference.recorded.contains(&"fired join".to_owned()),
        "{difference:?}"
    );
    // The tasks are numbered otherwise, and nothing else.
    let other = EVERYTHING.replace(
        "tasks:\n  begin",
        "start: begin\ntasks:\n  zero: { next: last }\n  begin",
    );
    let other = other.replace("next: last }\n  last", "next: zero }\n  last");
    let replayed = world.flows.replay("c", Some((&other, None))).unwrap();
    let difference = replayed.difference.unwrap();
    assert!(
        difference.found.contains(&"routed zero".to_owned()),
        "{difference:?}"
    );
    let words = EVERYTHING.replace(
        "tasks:\n  begin",
        "description: in other words\ntasks:\n  begin",
    );
    assert_eq!(
        world
            .flows
            .replay("c", Some((&words, None)))
            .unwrap()
            .difference,
        None
    );
}

#[test]
fn moved_and_forked_cases_come_out_the_same() {
    let world = disk();
    world.flows.deploy(EVERYTHING, None).unwrap();
    world.flows.start("all", &Value::NULL, Some("c")).unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    let second = EVERYTHING.replace("version: 1", "version: 2");
    let done = world
        .flows
        .migrate(&second, None, &MigrateOptions::default())
        .unwrap();
    assert_eq!(done.moved.len(), 1);
    world.flows.signal("c", "paid", &Value::NULL).unwrap();
    let forked = world.flows.fork("c", 3, &ForkOptions::default()).unwrap();
    for id in ["c", &forked.case] {
        let replayed = world.flows.replay(id, None).unwrap();
        assert_eq!(replayed.difference, None, "{:?}", world.trace(id));
    }
    let refused = world
        .flows
        .replay(&forked.case, Some((&second, None)))
        .unwrap_err();
    assert!(matches!(refused, Error::Refused { code: "forked", .. }));
    let unknown = world.flows.replay("x", None).unwrap_err();
    assert!(matches!(unknown, Error::UnknownCase { .. }));
}

/// What led to it is not an event of its own: there was nothing to undo, or somebody else has to end first.
#[test]
fn cases_that_end_without_a_word_come_out_the_same() {
    let world = disk();
    let spec = "
name: outer
tasks:
  begin: { split: and, next: [call, stop] }
  call: { kind: flow, flow: inner, next: end }
  stop: { kind: host, topic: b, next: end }
  end: { join: xor }
flows:
  inner:
    tasks:
      one: { kind: host, topic: a, compensate: unone, next: two }
      two: { kind: signal }
      unone: { kind: host, topic: d }
";
    world.flows.deploy(spec, None).unwrap();
    for id in ["c", "d", "e", "f"] {
        start(&world, "outer", id);
    }
    world.flows.compensate("c", "nothing was done").unwrap();
    assert_eq!(world.status("c"), Status::Compensated);
    for _ in 0..4 {
        if let Some(one) = claim(&world, "a") {
            world.flows.complete(&one.token, &Value::NULL).unwrap();
        }
    }
    // Both wait until what they called has undone what it did.
    world.flows.cancel("d", "enough").unwrap();
    world.flows.compensate("e", "enough").unwrap();
    assert_eq!(world.trace("d").last().unwrap(), "cancelled call#0");
    world.drive(seven).unwrap();
    let ends = ["c", "d", "e"].map(|id| world.status(id));
    let (undone, cancelled) = (Status::Compensated, Status::Cancelled);
    assert_eq!(ends, [undone, cancelled, undone]);
    for case in world.flows.cases(&Default::default()).unwrap() {
        same(&world, &case.id);
    }
}

/// The clock is set back between a claim that is not written and its result, with which the claim is.
#[test]
fn a_clock_that_was_set_back_comes_out_the_same() {
    let world = disk();
    let spec = "
name: steps
tasks:
  one: { kind: host, topic: a, retry: { attempts: 2, delay: 1h }, next: wait }
  wait: { kind: wait, for: 1h }
";
    world.flows.deploy(spec, None).unwrap();
    let hour = Duration::from_secs(3600);
    start(&world, "steps", "c");
    for fails in [true, false] {
        let one = claim(&world, "a").unwrap();
        world.clock.jump(-3_000_000_000);
        match fails {
            true => world.flows.fail(&one.token, &Failure::new("no", "no")),
            false => world.flows.complete(&one.token, &Value::NULL),
        }
        .unwrap();
        world.clock.advance(hour);
        assert_eq!(world.flows.fire_due().unwrap().len(), 1);
    }
    assert_eq!(world.status("c"), Status::Completed);
    same(&world, "c");
}

/// A called case fails when the deadline of its task has passed, and nobody has looked at the time yet.
#[test]
fn a_called_case_that_fails_late_comes_out_the_same() {
    let world = disk();
    let spec = "
name: outer
tasks:
  call: { kind: flow, flow: inner, deadline: 1h, on_error: { skip: true } }
flows:
  inner: { tasks: { one: { kind: host, topic: a } } }
";
    world.flows.deploy(spec, None).unwrap();
    start(&world, "outer", "c");
    let topics = Queue::Topics(vec!["a".to_owned()]);
    let mut one = world.flows.claim(&topics, "ann", None, 1).unwrap();
    let one = one.remove(0).item.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    let failure = Failure::new("no", "no");
    world.flows.fail(&one.token, &failure).unwrap();
    assert_eq!(world.status("c"), Status::Completed);
    same(&world, "c");
}

/// Moved while it keeps a signal and can undo something, it takes the one and undoes the other afterwards.
#[test]
fn what_a_moved_case_kept_and_did_comes_out_the_same() {
    let world = disk();
    let spec = "
name: steps
version: 1
tasks:
  one: { kind: host, topic: a, compensate: unone, next: paid }
  paid: { kind: signal, keep: true, next: last }
  last: { kind: host, topic: b }
  unone: { kind: host, topic: d }
";
    world.flows.deploy(spec, None).unwrap();
    start(&world, "steps", "c");
    world
        .flows
        .signal("c", "paid", &value!({"euros": 3}))
        .unwrap();
    let one = claim(&world, "a").unwrap();
    world.flows.complete(&one.token, &Value::NULL).unwrap();
    migrate(&world, &spec.replace("version: 1", "version: 2"));
    while world.flows.advance("c").unwrap().is_some() {}
    assert!(world.completed("c").contains(&"one".to_owned()));
    world.flows.cancel("c", "enough").unwrap();
    world.drive(seven).unwrap();
    assert_eq!(world.status("c"), Status::Cancelled);
    same(&world, "c");
}

/// A task whose expression fails, and one whose input does.
#[test]
fn failing_expressions_come_out_the_same() {
    let world = disk();
    let spec = "
name: steps
tasks:
  one: { kind: host, topic: a, compensate: unone, next: two }
  two: { kind: set, set: { .n: '1 / .two' }, on_error: three, next: end }
  three: { kind: host, topic: b, input: '1 / .three', on_error: four, next: end }
  four: { kind: log, message: '1 / .four', next: end }
  end: { join: xor }
  unone: { kind: host, topic: d }
";
    world.flows.deploy(spec, None).unwrap();
    start(&world, "steps", "c");
    world.drive(seven).unwrap();
    assert_eq!(world.status("c"), Status::Failed);
    same(&world, "c");
}

const CALLS: &str = "
name: calls
tasks:
  call: { kind: flow, flow: below }
flows:
  below:
    tasks:
      one: { kind: host, topic: a, compensate: unone, next: two }
      two: { kind: host, topic: b }
      unone: { kind: host, topic: d }
";

/// Its case `c`, whose called case has done its first task, and that one's id.
fn after_one() -> (World, String) {
    let world = disk();
    world.flows.deploy(CALLS, None).unwrap();
    start(&world, "calls", "c");
    let one = claim(&world, "a").unwrap();
    world.flows.complete(&one.token, &Value::NULL).unwrap();
    (world, one.case)
}

/// What is ending and suspended is not ended again, which would resume it without a word.
#[test]
fn a_suspended_case_that_is_ending_is_to_be_resumed_first() {
    let (world, _) = after_one();
    world.flows.cancel("c", "enough").unwrap();
    assert_eq!(world.status("c"), Status::Compensating);
    world.flows.suspend("c").unwrap();
    let refused = world.flows.cancel("c", "now").unwrap_err();
    assert!(matches!(
        refused,
        Error::Refused {
            code: "suspended",
            ..
        }
    ));
    assert_eq!(world.status("c"), Status::Suspended);
    world.flows.resume("c").unwrap();
    world.flows.suspend("c").unwrap();
    world.flows.resume("c").unwrap();
    world.drive(seven).unwrap();
    assert_eq!(world.status("c"), Status::Cancelled);
    all_same(&world, "c");
}

/// Whoever ends a suspended case has what it called go on to end, too.
#[test]
fn a_suspended_called_case_that_is_ending_goes_on_when_its_caller_ends() {
    let (world, called) = after_one();
    world.flows.cancel(&called, "enough").unwrap();
    world.flows.suspend("c").unwrap();
    assert_eq!(world.status(&called), Status::Suspended);
    world.flows.cancel("c", "all of it").unwrap();
    assert_eq!(world.status(&called), Status::Compensating);
    assert!(world.trace(&called).contains(&"case_resumed".to_owned()));
    world.drive(seven).unwrap();
    for case in ["c", &called] {
        assert_eq!(world.status(case), Status::Cancelled);
        all_same(&world, case);
    }
}
