//! Multiple instances: patterns 12 to 15, 26, 27, 34 to 36.

use statewright_flow::{EventKind, Status, WorkItem};
use statewright_value::{Value, value};

use super::game::{Game, Mode, all, all_with};

fn spec(many: &str) -> String {
    format!(
        "name: p\ntasks:\n  M: {{ kind: host, many: {{ {many} }}, output: '$index', next: E }}\n  E: {{ kind: host }}\n"
    )
}

#[test]
fn wcp13_14_instances_known_in_the_model_or_at_the_start() {
    for (many, count) in [("items: 3", 3), ("items: .input.list", 4), ("items: 0", 0)] {
        let input = value!({"list": ["a", "b", "c", "d"]});
        all(&spec(many), &input, |end| {
            assert_eq!(end.status, Status::Completed);
            assert_eq!(end.order(), "M".repeat(count) + "E");
            let results: Value = (0..count as u64).map(Value::from).collect();
            assert_eq!(
                end.result.as_ref().unwrap().get("M"),
                Some(results),
                "in the order of the items"
            );
        });
    }
}

#[test]
fn the_number_of_instances_is_checked_before_any_starts() {
    for (many, fine) in [
        ("items: .input.list, min: 2, max: 4", true),
        ("items: .input.list, min: 4", false),
        ("items: .input.list, max: '.input.most'", false),
        ("items: '\"three\"'", false),
        ("items: .input.list, min: '\"x\"'", false),
    ] {
        let input = value!({"list": [1, 2, 3], "most": 2});
        all(&spec(many), &input, |end| {
            assert_eq!(end.status == Status::Completed, fine, "{many}");
            assert_eq!(end.count(EventKind::Offered, "M") > 0, fine, "{many}");
        });
    }
}

#[test]
fn wcp12_instances_without_synchronization() {
    let spec = "name: p\ntasks:\n  init: { kind: set, set: { .i: '0' }, next: spawn }\n  \
        spawn: { kind: host, join: xor, many: { items: '[.i]', wait: false }, next: count }\n  \
        count: { kind: set, set: { .i: '.i + 1' }, split: xor, next: [{ to: spawn, when: .i < 3 }, E] }\n  E: { kind: host }\n";
    all(spec, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Completed);
        assert_eq!(end.count(EventKind::Completed, "spawn"), 3);
        assert_eq!(end.count(EventKind::Completed, "E"), 1);
    });
    let mut game = Game::start(spec, Value::NULL, Mode::Straight);
    game.settle();
    assert_eq!(
        game.offered(),
        ["spawn", "spawn", "spawn", "E"],
        "nobody waits"
    );
    game.work("E");
    assert_eq!(
        game.end().status,
        Status::Running,
        "the case counts on them all the same"
    );
}

#[test]
fn wcp15_instances_added_while_others_run() {
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(&spec("items: 2, add: true, max: 3"), Value::NULL, mode);
        game.settle();
        game.claim("M");
        game.complete("M", Value::NULL);
        game.flows
            .add_instances("case", "M", &[value!("more")])
            .unwrap();
        game.crash();
        let full = game
            .flows
            .add_instances("case", "M", &[value!("more")])
            .unwrap_err();
        assert_eq!(full.code(), 512, "{full}");
        game.claim("M");
        game.complete("M", Value::NULL);
        game.settle();
        assert_eq!(game.offered(), ["M"], "it waits for the added one too");
        game.claim("M");
        game.complete("M", Value::NULL);
        game.settle();
        assert_eq!(game.offered(), ["E"]);
        let late = game
            .flows
            .add_instances("case", "M", &[value!("more")])
            .unwrap_err();
        assert_eq!(late.code(), 512, "{late}");
        game.work("E");
        let end = game.end();
        assert_eq!(end.result.unwrap().get("M"), Some(value!([0, 1, 2])));
        let closed = game
            .flows
            .add_instances("case", "M", &[value!("more")])
            .unwrap_err();
        assert_eq!(closed.code(), 503, "{closed}");
    }
    let mut fixed = Game::start(&spec("items: 2"), Value::NULL, Mode::Straight);
    fixed.settle();
    assert_eq!(
        fixed
            .flows
            .add_instances("case", "M", &[value!(1)])
            .unwrap_err()
            .code(),
        512
    );
}

#[test]
fn wcp34_35_partial_joins_of_instances() {
    all(
        &spec("items: 5, threshold: 3, rest: cancel"),
        &Value::NULL,
        |end| {
            assert_eq!(end.order(), "MMME");
            assert_eq!(end.count(EventKind::Cancelled, "M"), 2);
            assert_eq!(end.result.as_ref().unwrap().get("M").unwrap().len(), 3);
        },
    );
    all(
        &spec("items: 5, threshold: 3, rest: continue"),
        &Value::NULL,
        |end| {
            assert_eq!(end.status, Status::Completed);
            let order = end.order();
            assert_eq!(order.matches('M').count(), 5, "the rest runs on");
            assert_eq!(order.matches('E').count(), 1);
            assert!(order.find('E').unwrap() >= 3);
            assert_eq!(
                end.result.as_ref().unwrap().get("M").unwrap().len(),
                3,
                "for nothing"
            );
        },
    );
    all(&spec("items: 3, threshold: 9"), &Value::NULL, |end| {
        assert_eq!(end.order(), "MMME")
    });
}

#[test]
fn wcp34_the_task_is_started_again_only_when_all_have_ended() {
    let spec = "name: p\ntasks:\n  init: { kind: set, set: { .i: '0' }, next: M }\n  \
        M: { kind: host, join: xor, many: { items: 2, threshold: 1, rest: continue }, next: count }\n  \
        count: { kind: set, set: { .i: '.i + 1' }, split: xor, next: [{ to: M, when: .i < 2 }, end] }\n  end: {}\n";
    let mut game = Game::start(spec, Value::NULL, Mode::Straight);
    game.work("M");
    assert_eq!(
        game.offered(),
        ["M"],
        "one of the first two; the second round waits for it"
    );
    assert_eq!(game.end().marking.get("count>M"), Some(&1));
    game.work("M");
    assert_eq!(game.offered(), ["M", "M"]);
    all(spec, &Value::NULL, |end| {
        assert_eq!(end.count(EventKind::Completed, "M"), 4)
    });
}

#[test]
fn wcp36_dynamic_partial_join() {
    let spec = "name: p\ntasks:\n  M: { kind: host, many: { items: 5, until: '(map(.amount) | add) >= 100', add: true }, next: E }\n  \
        E: { kind: host }\n";
    let answer = |_: &WorkItem| value!({"amount": 40});
    all_with(spec, &Value::NULL, &answer, |end| {
        assert_eq!(end.order(), "MMME");
        assert_eq!(end.count(EventKind::Cancelled, "M"), 2);
    });
    let never = spec.replace("100", "1000");
    all_with(&never, &Value::NULL, &answer, |end| {
        assert_eq!(end.order(), "MMMMME")
    });
}

#[test]
fn wcp26_27_cancel_and_complete_a_task_of_instances() {
    for (complete, mode) in [
        (false, Mode::Straight),
        (false, Mode::Crash),
        (true, Mode::Straight),
        (true, Mode::Crash),
    ] {
        let mut game = Game::start(&spec("items: 5, add: true"), Value::NULL, mode);
        game.settle();
        for _ in 0..2 {
            game.claim("M");
            game.complete("M", Value::NULL);
        }
        let late = game.claim("M").unwrap();
        if complete {
            game.flows.complete_task("case", "M").unwrap();
        } else {
            game.flows.cancel_task("case", "M").unwrap();
        }
        game.crash();
        assert_eq!(
            game.flows
                .complete(&late.token, &Value::NULL)
                .unwrap_err()
                .code(),
            504
        );
        let add = game.flows.add_instances("case", "M", &[Value::NULL]);
        assert_eq!(add.unwrap_err().code(), if complete { 512 } else { 503 });
        let end = game.end();
        assert_eq!(end.count(EventKind::Cancelled, "M"), 3);
        game.settle();
        if complete {
            game.work("E");
            assert_eq!(game.end().result.unwrap().get("M"), Some(value!([0, 1])));
        } else {
            assert_eq!(game.end().count(EventKind::Offered, "E"), 0, "no successor");
        }
        assert_eq!(game.end().status, Status::Completed);
    }
}

#[test]
fn instances_get_their_item_or_what_input_says() {
    let seen = std::cell::RefCell::new(Vec::new());
    let answer = |item: &WorkItem| {
        seen.borrow_mut().push(item.input.clone());
        Value::NULL
    };
    let spec = "name: p\ntasks:\n  M: { kind: host, many: { items: '[\"a\", \"b\"]' }, next: N }\n  \
        N: { kind: host, many: { items: '[\"c\"]' }, input: '{i: $index, of: $item, x: .input.x}' }\n";
    let mut game = Game::start(spec, value!({"x": 7}), Mode::Straight);
    game.play(&answer);
    assert_eq!(
        *seen.borrow(),
        [
            value!("a"),
            value!("b"),
            value!({"i": 0, "of": "c", "x": 7})
        ]
    );
}

#[test]
fn instances_of_a_flow_are_cases_and_end_with_their_caller() {
    let spec = "name: p\ntasks:\n  M: { kind: flow, flow: one, many: { items: '[{x: 1}, {x: 2}, {x: 3}]', threshold: 2 } }\n\
        flows:\n  one: { tasks: { W: { kind: host, input: .input.x, into: .y } }, output: .y }\n";
    let answer = |item: &WorkItem| item.input.clone();
    all_with(spec, &Value::NULL, &answer, |end| {
        assert_eq!(end.status, Status::Completed);
        assert_eq!(end.result.as_ref().unwrap().get("M").unwrap().len(), 2);
        assert_eq!(end.count(EventKind::Cancelled, "M"), 1);
    });
}

#[test]
fn an_instance_that_cannot_be_made_leaves_nothing() {
    let spec = "name: p\ntasks:\n  M: { kind: host, many: { items: .input.list, add: true }, input: '$item + 1', next: E }\n  \
        E: { kind: host }\n";
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(spec, value!({"list": [1, "x", 3]}), mode);
        game.settle();
        let end = game.end();
        assert_eq!(end.status, Status::Failed, "{:?}", end.trace());
        assert_eq!(game.offered(), [""; 0]);

        let mut game = Game::start(spec, value!({"list": [1]}), mode);
        game.settle();
        let items = [value!(2), value!("x"), value!(3)];
        let refused = game.flows.add_instances("case", "M", &items);
        assert_eq!(refused.unwrap_err().code(), 512);
        game.crash();
        game.work("M");
        game.work("E");
        assert_eq!(game.end().status, Status::Completed);
    }
}

#[test]
fn an_instance_added_to_a_suspended_case_waits_for_its_resumption() {
    let spec = "name: p\ntasks:\n  M: { kind: flow, flow: sub, input: '{}', many: { items: 1, add: true } }\n\
        flows:\n  sub:\n    tasks:\n      X: { kind: host }\n";
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(spec, Value::NULL, mode);
        game.settle();
        game.flows.suspend("case").unwrap();
        game.flows
            .add_instances("case", "M", &[Value::NULL])
            .unwrap();
        game.crash();
        assert_eq!(game.claim("X"), None, "what it calls is suspended too");
        game.flows.resume("case").unwrap();
        game.work("X");
        game.work("X");
        assert_eq!(game.end().status, Status::Completed);
    }
}
