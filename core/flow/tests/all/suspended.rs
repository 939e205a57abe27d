//! What happens to a case while it is suspended.

use crate::common::{World, claim, disk, same, start};
use statewright_flow::{Failure, Status};
use statewright_value::Value;

const SPEC: &str = "
name: pair
tasks:
  a: { kind: host, topic: a, compensate: undo, next: s }
  s: { split: and, next: [b, c] }
  b: { kind: host, topic: b }
  c: { kind: host, topic: c, compensate: undo }
  undo: { kind: host, topic: undo }
";

/// A suspended case of which `a` is done, and `b` and `c` are claimed; with their tokens.
fn suspended() -> (World, String, String) {
    let world = disk();
    world.flows.deploy(SPEC, None).unwrap();
    start(&world, "pair", "c");
    let a = claim(&world, "a").unwrap();
    world.flows.complete(&a.token, &Value::NULL).unwrap();
    let (b, c) = (claim(&world, "b").unwrap(), claim(&world, "c").unwrap());
    world.flows.suspend("c").unwrap();
    (world, b.token, c.token)
}

#[test]
fn a_suspended_case_that_fails_undoes_nothing_before_it_is_resumed() {
    let (world, b, c) = suspended();
    let moved = world.flows.fail(&b, &Failure::new("broken", "no")).unwrap();
    assert!(!moved.more);
    assert_eq!(world.status("c"), Status::Suspended);
    assert!(world.flows.advance("c").unwrap().is_none());
    assert!(claim(&world, "undo").is_none());
    // What others have claimed may complete, and is undone, too; nothing else ends the case.
    world.flows.complete(&c, &Value::NULL).unwrap();
    assert_eq!(world.status("c"), Status::Suspended);
    assert!(world.flows.cancel("c", "").is_err());
    let waits = world.flows.explain("c").unwrap();
    assert!(waits[0].what.contains("has failed"), "{waits:?}");

    assert!(world.flows.resume("c").unwrap().more);
    assert_eq!(world.status("c"), Status::Compensating);
    for _ in 0..2 {
        while world.flows.advance("c").unwrap().is_some() {}
        let undo = claim(&world, "undo").unwrap();
        world.flows.complete(&undo.token, &Value::NULL).unwrap();
    }
    assert_eq!(world.status("c"), Status::Failed);
    let error = world.flows.case("c").unwrap().error.unwrap();
    assert_eq!(error.get("code"), Some(Value::from("broken")));
    same(&world, "c");
}

#[test]
fn of_several_failures_of_a_suspended_case_the_first_one_counts() {
    let (world, b, c) = suspended();
    for (token, code) in [(&b, "first"), (&c, "second")] {
        world.flows.fail(token, &Failure::new(code, "no")).unwrap();
        assert_eq!(world.status("c"), Status::Suspended);
    }
    world.flows.terminate("c", "enough").unwrap();
    assert_eq!(world.status("c"), Status::Terminated);
    same(&world, "c");

    let (world, b, c) = suspended();
    for (token, code) in [(&b, "first"), (&c, "second")] {
        world.flows.fail(token, &Failure::new(code, "no")).unwrap();
    }
    world.flows.resume("c").unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    let undo = claim(&world, "undo").unwrap();
    world.flows.complete(&undo.token, &Value::NULL).unwrap();
    let error = world.flows.case("c").unwrap().error.unwrap();
    assert_eq!(error.get("code"), Some(Value::from("first")));
    same(&world, "c");
}

#[test]
fn a_suspended_case_that_fails_with_nothing_to_undo_has_failed_when_it_is_resumed() {
    let world = disk();
    let spec = "name: one\ntasks:\n  t: { kind: host, topic: a }\n";
    world.flows.deploy(spec, None).unwrap();
    start(&world, "one", "c");
    let item = claim(&world, "a").unwrap();
    world.flows.suspend("c").unwrap();
    let failure = Failure::new("broken", "no");
    world.flows.fail(&item.token, &failure).unwrap();
    assert_eq!(world.status("c"), Status::Suspended);
    world.flows.resume("c").unwrap();
    assert_eq!(world.status("c"), Status::Failed);
    same(&world, "c");
}
