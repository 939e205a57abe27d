//! Enabled is not started: patterns 16, 18, 19, 25 and what they need.

use std::time::Duration;

use statewright_flow::{EventKind, Queue, Status};
use statewright_value::{Value, value};

use super::game::{Game, Mode, all};

const CHOICE: &str = "name: p\nstart: p\nplaces: { p: { next: [A, B, T] } }\ntasks:\n  A: { kind: host }\n  B: { kind: host }\n  \
    T: { kind: wait, for: 5s }\n";

#[test]
fn wcp16_deferred_choice() {
    all(CHOICE, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Completed);
        assert!(["A", "B"].contains(&end.order().as_str()));
    });
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(CHOICE, Value::NULL, mode);
        assert_eq!(game.offered(), ["A", "B"], "both are offered");
        assert_eq!(
            game.end().marking.get("p"),
            Some(&1),
            "and nothing is taken"
        );
        game.claim("B").unwrap();
        let end = game.end();
        let version = |kind: EventKind, task: &str| {
            let event = end
                .events
                .iter()
                .find(|e| e.kind == kind && e.task.as_deref() == Some(task));
            event.unwrap_or_else(|| panic!("{:?}", end.trace())).version
        };
        let started = version(EventKind::Started, "B");
        assert_eq!(
            version(EventKind::Withdrawn, "A"),
            started,
            "in the same commit"
        );
        assert_eq!(version(EventKind::Withdrawn, "T"), started);
        assert_eq!(game.offered(), [""; 0]);
        assert_eq!(
            game.flows.next_due().unwrap().map(|_| ()),
            Some(()),
            "only the lease"
        );
        game.complete("B", Value::NULL);
        assert_eq!(game.end().status, Status::Completed);
    }
}

#[test]
fn wcp16_the_timer_wins_when_it_is_due_first() {
    for early in [true, false] {
        let mut game = Game::start(CHOICE, Value::NULL, Mode::Crash);
        game.clock
            .advance(Duration::from_millis(if early { 4999 } else { 5000 }));
        game.flows.fire_due().unwrap();
        game.crash();
        assert_eq!(game.claim("A").is_some(), early, "exactly one wins");
        let end = game.end();
        assert_eq!(end.count(EventKind::TimerFired, "T"), usize::from(!early));
        assert_eq!(end.count(EventKind::Started, "A"), usize::from(early));
    }
}

#[test]
fn an_automatic_task_decides_a_deferred_choice_at_once() {
    let spec = CHOICE.replace("B: { kind: host }", "B: { kind: set, set: { .b: 'true' } }");
    all(&spec, &Value::NULL, |end| {
        assert!(
            ["A", "B"].contains(&end.order().as_str()),
            "{}",
            end.order()
        );
    });
}

#[test]
fn wcp18_milestone() {
    // T is possible between X and Y, and never after.
    let spec = "name: p\ntasks:\n  S: { split: and, next: [X, t] }\n  X: { kind: host, next: p }\n  Y: { kind: host }\n  \
        T: { kind: host, tests: p, next: t }\n  stop: { kind: host }\nplaces: { p: { next: Y }, t: { next: [T, stop] } }\n";
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(spec, Value::NULL, mode);
        assert_eq!(game.offered(), ["X", "stop"], "not before");
        game.work("X");
        assert!(game.offered().contains(&"T".to_owned()));
        game.work("T");
        assert_eq!(
            game.end().marking.get("p"),
            Some(&1),
            "testing takes nothing"
        );
        game.claim("T").unwrap();
        game.work("Y");
        game.complete("T", Value::NULL);
        assert_eq!(
            game.end().count(EventKind::Completed, "T"),
            2,
            "what runs goes on"
        );
        assert_eq!(game.offered(), ["stop"], "never after");
        game.work("stop");
        assert_eq!(game.end().status, Status::Completed);
    }
    let mut game = Game::start(spec, Value::NULL, Mode::Straight);
    game.work("X");
    game.claim("Y").unwrap();
    assert_eq!(
        game.end().count(EventKind::Withdrawn, "T"),
        1,
        "withdrawn when the place is left"
    );
}

const REGION: &str = "name: p\ntasks:\n  A: { kind: host, split: and, next: [B, C, T] }\n  B: { kind: host, next: J }\n  \
    C: { kind: host, retry: { attempts: 3, delay: 9s }, next: J }\n  T: { kind: host, cancels: [C, C>J], next: J }\n  \
    J: { kind: host, join: or }\n";

#[test]
fn wcp25_cancel_region() {
    for (mode, started) in [
        (Mode::Straight, true),
        (Mode::Crash, true),
        (Mode::Crash, false),
    ] {
        let mut game = Game::start(REGION, Value::NULL, mode);
        game.work("A");
        let late = started.then(|| game.claim("C").unwrap());
        game.claim("B").unwrap();
        game.work("T");
        let end = game.end();
        // A claim that was not written is forgotten in a crash: its item is only offered then.
        let running = started && mode == Mode::Straight;
        assert_eq!(
            end.count(EventKind::Cancelled, "C"),
            usize::from(running),
            "{:?}",
            end.trace()
        );
        assert_eq!(end.count(EventKind::Withdrawn, "C"), usize::from(!running));
        if let Some(late) = late {
            assert_eq!(
                game.flows
                    .complete(&late.token, &Value::NULL)
                    .unwrap_err()
                    .code(),
                504
            );
            game.claimed.retain(|i| i.task != "C");
        }
        let marked: Vec<&str> = end.marking.keys().map(String::as_str).collect();
        if mode == Mode::Straight {
            assert_eq!(
                (marked, game.offered()),
                (vec!["T>J"], vec![]),
                "J waits for B"
            );
        } else {
            let offered = vec!["B".to_owned()];
            assert_eq!((marked, game.offered()), (vec!["A>B", "T>J"], offered));
        }
        game.complete("B", Value::NULL);
        game.work("J");
        assert_eq!(game.end().status, Status::Completed);
        assert_eq!(game.end().count(EventKind::Completed, "J"), 1);
    }
    all(REGION, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Completed)
    });
}

#[test]
fn wcp25_what_a_task_produces_into_its_own_region_stays() {
    let spec = "name: p\nplaces: { p: { tokens: 2 , next: R } }\ntasks:\n  T: { kind: host, cancels: [p, T], next: p }\n  R: { kind: host, tests: q }\n";
    let spec = &spec.replace("{ p: {", "{ q: {}, p: {");
    let mut game = Game::start(spec, Value::NULL, Mode::Crash);
    assert_eq!(game.end().marking.get("p"), Some(&2));
    game.claim("T").unwrap();
    game.complete("T", Value::NULL);
    assert_eq!(
        game.end().marking.get("p"),
        Some(&1),
        "emptied, then produced"
    );
}

#[test]
fn wcp19_cancel_task() {
    let spec = "name: p\ntasks:\n  S: { split: and, next: [A, B] }\n  A: { kind: host, next: N }\n  N: { kind: host }\n  B: { kind: host }\n";
    for mode in [Mode::Straight, Mode::Crash] {
        for started in [true, false] {
            let mut game = Game::start(spec, Value::NULL, mode);
            let late = started.then(|| game.claim("A").unwrap());
            game.flows.cancel_task("case", "A").unwrap();
            game.crash();
            // A claim that was not written is forgotten in a crash: its item is only offered then.
            let kind = if started && mode == Mode::Straight {
                EventKind::Cancelled
            } else {
                EventKind::Withdrawn
            };
            assert_eq!(game.end().count(kind, "A"), 1, "{:?}", game.trace());
            if let Some(late) = late {
                assert_eq!(
                    game.flows
                        .complete(&late.token, &value!(1))
                        .unwrap_err()
                        .code(),
                    504,
                    "no resurrection"
                );
                game.claimed.clear();
            }
            let again = game.flows.cancel_task("case", "A").unwrap_err();
            assert_eq!(again.code(), 512, "{again}");
            assert_eq!(game.flows.cancel_task("case", "X").unwrap_err().code(), 512);
            game.work("B");
            let end = game.end();
            assert_eq!(
                (end.status, end.count(EventKind::Offered, "N")),
                (Status::Completed, 0)
            );
        }
    }
}

#[test]
fn a_mutex_comes_back_when_its_holder_is_cancelled_or_its_section_emptied() {
    let spec = "name: p\ntasks:\n  S: { split: and, next: [B, C, K] }\n  B: { kind: host, next: D }\n  D: { kind: host }\n  \
        C: { kind: host, next: E }\n  E: { kind: host }\n  K: { kind: host, cancels: [B, D] }\n\
        sections:\n  one: { tasks: [B, D], mutex: m }\n  two: { tasks: [C, E], mutex: m }\n";
    for between in [false, true] {
        let mut game = Game::start(spec, Value::NULL, Mode::Crash);
        game.claim("B").unwrap();
        assert_eq!(game.offered(), ["K"], "C is withdrawn while B runs");
        if between {
            game.complete("B", Value::NULL);
            assert_eq!(
                game.offered(),
                ["K", "D"],
                "the section is held between its tasks"
            );
            let told = game.flows.explain("case").unwrap();
            let c = told.iter().find(|w| w.task == "C").unwrap();
            assert_eq!(c.what, "mutex m, which one holds");
        }
        game.work("K");
        game.claimed.clear();
        assert_eq!(game.offered(), ["C"], "free again");
        game.work("C");
        game.work("E");
        assert_eq!(game.end().status, Status::Completed);
    }
}

#[test]
fn the_work_of_a_task_is_computed_when_it_starts_not_when_it_is_offered() {
    let spec = "name: p\ntasks:\n  S: { split: and, next: [A, B] }\n  A: { kind: host, into: .a }\n  B: { kind: host, input: .a }\n";
    let mut game = Game::start(spec, Value::NULL, Mode::Crash);
    game.claim("A").unwrap();
    game.complete("A", value!("new"));
    assert_eq!(game.claim("B").unwrap().input, value!("new"));
}

#[test]
fn work_whose_input_cannot_be_computed_fails_the_case_when_it_is_claimed() {
    let spec = "name: p\ntasks:\n  A: { kind: host, input: '.x.y.z | error(\"no\")' }\n";
    let game = Game::start(spec, Value::NULL, Mode::Straight);
    let queue = Queue::Topics(vec!["A".into()]);
    let claimed = game.flows.claim(&queue, "w", None, 1).unwrap();
    assert_eq!((claimed.len(), claimed[0].item.is_some()), (1, false));
    assert_eq!(claimed[0].moved.closed, Some(Status::Failed));
}

#[test]
fn wcp28_31_a_second_token_is_held_until_the_round_ends() {
    let spec = |n: usize| {
        format!(
            "name: p\ntasks:\n  S: {{ split: and, next: [b0, c0, d0] }}\n  B: {{ kind: host, next: [b0, b], split: and }}\n  \
             C: {{ kind: host, next: c }}\n  D: {{ kind: host, next: d }}\n  \
             J: {{ join: {{ of: {n}, reset: blocking }}, next: E }}\n  E: {{ kind: host }}\n  stop: {{ kind: host }}\n\
             places: {{ b0: {{ next: [B, stop] }}, c0: {{ next: C }}, d0: {{ next: D }}, b: {{ next: J }}, c: {{ next: J }}, d: {{ next: J }} }}\n"
        )
    };
    for mode in [Mode::Straight, Mode::Crash] {
        let spec = spec(2).replace("J: {", "J: { ");
        let mut game = Game::start(&spec, Value::NULL, mode);
        game.work("B");
        game.work("B");
        assert_eq!(
            game.end().count(EventKind::Routed, "J"),
            0,
            "two on one branch are not two branches"
        );
        game.work("C");
        assert_eq!(game.end().count(EventKind::Routed, "J"), 1);
        assert_eq!(game.end().marking.get("b"), Some(&1), "the second is held");
        game.work("D");
        assert_eq!(game.end().count(EventKind::Absorbed, "J"), 1);
        assert_eq!(game.end().marking.get("b"), Some(&1));
        game.work("E");
        game.work("stop");
        assert_eq!(
            game.end().status,
            Status::Deadlocked,
            "one is left for a round that never comes"
        );
    }
    // Pattern 28: b, b, then c; with two branches the held one fires again.
    let two = spec(1)
        .replace(", d0]", "]")
        .replace("  D: { kind: host, next: d }\n", "")
        .replace(", d0: { next: D }", "")
        .replace(", d: { next: J }", "");
    let mut game = Game::start(&two, Value::NULL, Mode::Crash);
    game.work("B");
    game.work("B");
    assert_eq!(game.end().count(EventKind::Routed, "J"), 1);
    game.work("C");
    assert_eq!(
        game.end().count(EventKind::Routed, "J"),
        2,
        "no token is lost"
    );
}

#[test]
fn a_second_token_in_one_round_of_a_structured_join_is_told() {
    let spec = "name: p\ntasks:\n  S: { split: and, next: [{ to: B, tokens: 2 }, C] }\n  B: { kind: host, next: J }\n  \
        C: { kind: host, next: J }\n  J: { join: { of: 1 }, next: E }\n  E: { kind: host }\n";
    let mut game = Game::start(spec, Value::NULL, Mode::Straight);
    game.work("B");
    game.work("B");
    assert_eq!(game.end().count(EventKind::Overrun, "J"), 1);
    assert_eq!(game.end().marking.get("B>J"), Some(&1), "and does no harm");
}
