//! Suspending, resuming, and what a case tells of itself.

use std::time::Duration;

use statewright_flow::{CaseFilter, Delivery, EventKind, Status};
use statewright_value::{Value, value};

use super::game::{Game, Mode};

const SPEC: &str = "name: p\ntasks:\n  S: { split: and, next: [A, T, W, F] }\n  A: { kind: host, next: N }\n  N: { kind: host }\n  \
    T: { kind: wait, for: 10s }\n  W: { kind: signal }\n  F: { kind: flow, flow: sub }\n\
    flows:\n  sub: { tasks: { X: { kind: host } } }\n";

#[test]
fn a_suspended_case_does_nothing_by_itself_and_loses_nothing() {
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(SPEC, Value::NULL, mode);
        game.settle();
        game.claim("A").unwrap();
        game.flows.suspend("case").unwrap();
        game.crash();
        assert_eq!(game.end().status, Status::Suspended);
        let cases = game.flows.cases(&CaseFilter::default()).unwrap();
        assert!(cases.iter().all(|c| c.status == Status::Suspended) && cases.len() == 2);
        assert_eq!(game.flows.suspend("case").unwrap_err().code(), 512);
        assert_eq!(game.claim("X"), None, "what it called is suspended too");
        assert_eq!(game.flows.next_due().unwrap(), None);
        game.clock.advance(Duration::from_secs(60));
        assert!(game.flows.fire_due().unwrap().is_empty(), "no timer fires");
        let lost = game.flows.signal("case", "W", &Value::NULL).unwrap().0;
        assert_eq!(lost, Delivery::Dropped { code: "suspended" });
        game.complete("A", value!(1));
        assert_eq!(
            game.offered(),
            ["X"],
            "what was claimed completes, and nothing new is offered"
        );
        assert_eq!(game.claim("X"), None);
        let told = game.flows.explain("case").unwrap();
        assert_eq!(told[0].what, "somebody to resume it: the case is suspended");
        game.flows.resume("case").unwrap();
        game.crash();
        assert_eq!(game.flows.resume("case").unwrap_err().code(), 512);
        assert_eq!(
            game.flows.fire_due().unwrap().len(),
            1,
            "the timer was due long ago"
        );
        game.work("N");
        game.work("X");
        game.flows.signal("case", "W", &Value::NULL).unwrap();
        assert_eq!(game.end().status, Status::Completed);
        assert_eq!(game.end().count(EventKind::TimerFired, "T"), 1);
    }
}

#[test]
fn explain_tells_what_would_move_each_part_on() {
    let mut game = Game::start(SPEC, Value::NULL, Mode::Straight);
    game.settle();
    let told = game.flows.explain("case").unwrap();
    let of = |task: &str| told.iter().find(|w| w.task == task).unwrap();
    assert_eq!(of("A").what, "a host program that polls topic 'A'");
    assert_eq!(of("T").until.as_ref().unwrap().1, "the case goes on");
    assert_eq!(of("W").unblocks, "send signal 'W'");
    assert!(of("F").what.starts_with("case case~"), "{}", of("F").what);
    let or = "name: p\ntasks:\n  A: { split: and, next: [B, C] }\n  B: { kind: host, next: J }\n  C: { kind: host, next: J }\n  \
        J: { kind: host, join: or }\n";
    let mut game = Game::start(or, Value::NULL, Mode::Straight);
    game.work("B");
    let told = game.flows.explain("case").unwrap();
    assert_eq!(
        told[1].what,
        "a token on C>J, or that none can come any more"
    );
}

#[test]
fn routing_alone_is_one_commit_and_routing_in_circles_does_not_hang() {
    let spec = "name: p\ntasks:\n  A: { split: and, next: [B, C] }\n  B: { next: D }\n  C: { next: D }\n  D: { join: and, next: H }\n  H: { kind: host }\n";
    let game = Game::start(spec, Value::NULL, Mode::Straight);
    let end = game.end();
    assert_eq!(
        end.trace().join(", "),
        "case_started, routed A, routed B, routed C, routed D, offered H"
    );
    assert!(
        end.events
            .iter()
            .all(|e| e.version == end.events[0].version)
    );
    let circle = "name: p\ntasks:\n  A: { join: xor, next: B }\n  B: { split: xor, next: [{ to: A, when: 'true' }, C] }\n  C: {}\n";
    let game = Game::start(circle, Value::NULL, Mode::Straight);
    assert_eq!(game.end().status, Status::Running);
    assert!(
        game.flows.advance("case").unwrap().unwrap().more,
        "whoever drives it can stop between events"
    );
    game.flows.cancel("case", "it goes in circles").unwrap();
    assert_eq!(game.end().status, Status::Cancelled);
}

/// A claim that was not written before a crash and is kept alive after it ends with its lease, as any other.
#[test]
fn a_claim_that_is_kept_alive_after_a_crash_ends_without_further_heartbeats() {
    let mut game = Game::start(
        "name: p\ntasks:\n  A: { kind: host }\n",
        Value::NULL,
        Mode::Crash,
    );
    let item = game.claim("A").unwrap();
    assert_eq!(game.offered(), ["A"]);
    let minute = std::time::Duration::from_secs(60);
    game.flows.heartbeat(&item.token, minute).unwrap();
    assert_eq!(game.offered(), [""; 0]);
    game.clock.advance(2 * minute);
    game.flows.fire_due().unwrap();
    assert_eq!(game.offered(), ["A"]);
}
