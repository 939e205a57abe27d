//! Signals and called cases: patterns 20, 22 to 24.

use statewright_flow::{CaseFilter, Delivery, EventKind, Status};
use statewright_value::{Value, value};

use super::game::{Game, Mode, all};

const WAIT: &str = "name: p\ntasks:\n  A: { kind: host, next: W }\n  W: { kind: signal, signal: go, into: .got, next: B }\n  B: { kind: host }\n";

fn taken(task: &str) -> Delivery {
    Delivery::Taken {
        case: "case".into(),
        task: task.into(),
        reply: None,
    }
}

#[test]
fn wcp23_transient_trigger() {
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(WAIT, Value::NULL, mode);
        let lost = game.flows.signal("case", "go", &value!(1)).unwrap().0;
        assert_eq!(
            lost,
            Delivery::Dropped {
                code: "nobody-waits"
            }
        );
        game.crash();
        assert_eq!(
            game.end().trace().last().unwrap(),
            "signal_dropped",
            "a loss is recorded"
        );
        game.work("A");
        assert_eq!(game.offered(), [""; 0], "it waits all the same");
        let unknown = game.flows.signal("case", "stop", &value!(1)).unwrap().0;
        assert_eq!(
            unknown,
            Delivery::Dropped {
                code: "unknown-signal"
            }
        );
        let (first, moved) = game.flows.signal("case", "go", &value!(2)).unwrap();
        assert_eq!(
            (first, moved.topics_offered),
            (taken("W"), vec!["B".to_owned()])
        );
        game.crash();
        let second = game.flows.signal("case", "go", &value!(3)).unwrap().0;
        assert_eq!(
            second,
            Delivery::Dropped {
                code: "nobody-waits"
            },
            "once"
        );
        game.work("B");
        let end = game.end();
        assert_eq!(end.result.unwrap().get("got"), Some(value!(2)));
        assert_eq!(
            game.flows
                .signal("case", "go", &value!(4))
                .unwrap_err()
                .code(),
            503,
            "the case is closed"
        );
    }
}

#[test]
fn wcp24_persistent_trigger() {
    let spec = "name: p\ntasks:\n  A: { kind: host, next: W }\n  \
        W: { kind: signal, signal: go, keep: true, into: .got, join: xor, next: C }\n  \
        C: { kind: set, set: { .all: '(.all // []) + [.got]' }, split: xor, next: [{ to: W, when: '(.all | length) < 3' }, end] }\n  end: {}\n";
    for mode in [Mode::Straight, Mode::Crash] {
        let mut game = Game::start(spec, Value::NULL, mode);
        for n in 1..=3 {
            assert_eq!(
                game.flows.signal("case", "go", &Value::from(n)).unwrap().0,
                Delivery::Kept
            );
            game.crash();
        }
        game.work("A");
        let end = game.end();
        assert_eq!(end.status, Status::Completed, "{:?}", end.trace());
        assert_eq!(
            end.result.as_ref().unwrap().get("all"),
            Some(value!([1, 2, 3])),
            "in order, each once"
        );
        assert_eq!(end.count(EventKind::Signalled, "W"), 3);
    }
}

#[test]
fn a_kept_signal_comes_before_a_later_one_that_finds_its_task_waiting() {
    let spec = "name: p\ntasks:\n  A: { kind: host, next: W }\n  W: { kind: signal, signal: go, keep: true, into: .got }\n";
    let mut game = Game::start(spec, Value::NULL, Mode::Straight);
    let send = |game: &Game, n: u64| game.flows.signal("case", "go", &Value::from(n)).unwrap().0;
    assert_eq!(send(&game, 1), Delivery::Kept);
    game.claim("A");
    game.complete("A", Value::NULL);
    // W waits, and nobody has given it the first one yet.
    assert_eq!(send(&game, 2), Delivery::Kept);
    game.settle();
    let data = game.flows.case("case").unwrap().data;
    assert_eq!(data.get("got"), Some(value!(1)));
}

#[test]
fn a_signal_by_key_goes_to_the_case_that_waits_for_it_or_is_kept() {
    let spec = "name: p\ntasks:\n  A: { kind: host, next: W }\n  \
        W: { kind: signal, signal: paid, key: .input.order, keep: true, into: .got }\n";
    let key = "a/b%c";
    for early in [false, true] {
        let mut game = Game::start(spec, value!({"order": key}), Mode::Crash);
        game.flows
            .start("p", &value!({"order": "other"}), Some("other"))
            .unwrap();
        let send = |game: &Game, n: i64| {
            game.flows
                .signal_key("paid", key, &Value::from(n))
                .unwrap()
                .0
        };
        if early {
            assert_eq!(send(&game, 1), Delivery::Kept);
            game.crash();
            assert_eq!(send(&game, 2), Delivery::Kept);
            game.crash();
        }
        game.settle();
        game.claim("A").unwrap();
        game.complete("A", Value::NULL);
        if !early {
            assert_eq!(send(&game, 1), taken("W"));
        }
        game.settle();
        let end = game.end();
        assert_eq!(end.status, Status::Completed, "{:?}", end.trace());
        assert_eq!(
            end.result.unwrap().get("got"),
            Some(value!(1)),
            "the oldest"
        );
        assert_eq!(game.flows.case("other").unwrap().status, Status::Running);
    }
    let game = Game::start(
        &spec.replace("keep: true, ", ""),
        value!({"order": key}),
        Mode::Straight,
    );
    let lost = game.flows.signal_key("paid", key, &Value::NULL).unwrap().0;
    assert_eq!(
        lost,
        Delivery::Dropped {
            code: "nobody-waits"
        }
    );
    assert_eq!(
        game.flows
            .signal_key("paid", "", &Value::NULL)
            .unwrap_err()
            .code(),
        507
    );
}

#[test]
fn a_signal_that_comes_while_the_case_is_suspended_is_kept_for_it() {
    let spec = "name: p\ntasks:\n  W: { kind: signal, signal: paid, key: '\"k\"', keep: true, next: V }\n  V: { kind: signal, keep: true }\n";
    let mut game = Game::start(spec, Value::NULL, Mode::Crash);
    game.flows.suspend("case").unwrap();
    assert_eq!(
        game.flows.signal_key("paid", "k", &value!(1)).unwrap().0,
        Delivery::Kept
    );
    assert_eq!(
        game.flows.signal("case", "V", &value!(2)).unwrap().0,
        Delivery::Kept
    );
    game.crash();
    assert_eq!(game.end().count(EventKind::Signalled, "W"), 0);
    game.flows.resume("case").unwrap();
    game.crash();
    game.settle();
    let end = game.end();
    assert_eq!(end.status, Status::Completed, "{:?}", end.trace());
    assert_eq!(end.result.unwrap(), value!({"input": {}, "W": 1, "V": 2}));
}

const NESTED: &str = "name: p\ntasks:\n  T: { kind: wait, for: 1h }\n  \
    S: { split: and, next: [F, M, T, H, W] }\n  F: { kind: flow, flow: inner, input: '{a: 1}' }\n  \
    M: { kind: host, many: { items: 3 } }\n  H: { kind: host }\n  W: { kind: signal, keep: true }\nstart: S\n\
    flows:\n  inner: { tasks: { I: { kind: flow, flow: innermost } } }\n  innermost: { tasks: { J: { kind: host }, K: { kind: wait, for: 1h } }, start: J }\n";

#[test]
fn wcp20_cancel_case_with_all_that_belongs_to_it() {
    let spec = NESTED.replace("J: { kind: host }", "J: { kind: host, next: K }");
    for (terminate, mode) in [
        (false, Mode::Straight),
        (false, Mode::Crash),
        (true, Mode::Crash),
    ] {
        let mut game = Game::start(&spec, Value::NULL, mode);
        game.settle();
        let cases = game.flows.cases(&CaseFilter::default()).unwrap();
        let ids: Vec<&str> = cases.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ids.len(), 3, "{ids:?}");
        assert_eq!(cases[1].parent.as_deref(), Some("case"));
        let late = game.claim("J").unwrap();
        let instance = game.claim("M").unwrap();
        let moved = if terminate {
            game.flows.terminate("case", "enough").unwrap()
        } else {
            game.flows.cancel("case", "enough").unwrap()
        };
        assert_eq!(moved.also.len(), 2, "the whole tree in one commit");
        assert!(moved.also.iter().all(|m| m.version == moved.version));
        game.crash();
        let status = if terminate {
            Status::Terminated
        } else {
            Status::Cancelled
        };
        assert_eq!(game.end().status, status);
        for case in game.flows.cases(&CaseFilter::default()).unwrap() {
            assert!(
                case.status.is_final() && case.items.is_empty() && case.marking.is_empty(),
                "{case:?}"
            );
        }
        assert_eq!(game.flows.next_due().unwrap(), None, "no timer is left");
        for item in [late, instance] {
            assert_eq!(
                game.flows
                    .complete(&item.token, &Value::NULL)
                    .unwrap_err()
                    .code(),
                504
            );
        }
        assert_eq!(
            game.flows
                .signal("case", "W", &Value::NULL)
                .unwrap_err()
                .code(),
            503
        );
        assert_eq!(game.flows.cancel("case", "again").unwrap_err().code(), 503);
        assert_eq!(
            game.flows.open_cases(None, 10).unwrap(),
            Vec::<String>::new()
        );
    }
}

#[test]
fn wcp22_cancelling_in_the_middle_ends_what_is_below() {
    let spec = "name: deep\ninput: { n: 1 }\ntasks:\n  \
        test: { split: xor, next: [{ to: D, when: '.input.n > 1' }, W] }\n  \
        D: { kind: flow, flow: deep, input: '{n: (.input.n - 1)}' }\n  W: { kind: host }\n";
    let mut game = Game::start(spec, value!({"n": 5}), Mode::Crash);
    game.settle();
    let cases = game.flows.cases(&CaseFilter::default()).unwrap();
    assert_eq!(cases.len(), 5);
    let second = cases
        .iter()
        .find(|c| c.parent.as_deref() == Some("case"))
        .unwrap()
        .id
        .clone();
    game.flows.cancel(&second, "").unwrap();
    game.crash();
    for case in game.flows.cases(&CaseFilter::default()).unwrap() {
        let expected = if case.id == "case" {
            Status::Failed
        } else {
            Status::Cancelled
        };
        assert_eq!(case.status, expected, "{}", case.id);
    }
    assert_eq!(
        game.end().error.unwrap().get("code"),
        Some(value!("sub-flow"))
    );
}

#[test]
fn a_called_case_that_fails_fails_its_caller_and_an_unknown_flow_is_an_error() {
    let fails = "name: p\ntasks:\n  F: { kind: flow, flow: bad }\nflows:\n  bad: { tasks: { X: { kind: set, set: { .x: 'error(\"no\")' } } } }\n";
    all(fails, &Value::NULL, |end| {
        assert_eq!(
            end.error.as_ref().unwrap().get("code"),
            Some(value!("sub-flow"))
        );
    });
    let unknown = "name: p\ntasks:\n  F: { kind: flow, flow: nowhere }\n";
    all(unknown, &Value::NULL, |end| {
        assert_eq!(
            end.error.as_ref().unwrap().get("code"),
            Some(value!("unknown-flow"))
        );
    });
    let input = "name: p\ntasks:\n  F: { kind: flow, flow: p2, input: '[1]' }\nflows:\n  p2: { tasks: { X: {} } }\n";
    all(input, &Value::NULL, |end| {
        assert_eq!(
            end.error.as_ref().unwrap().get("code"),
            Some(value!("input"))
        );
    });
}

#[test]
fn a_deployed_flow_can_be_called_by_name() {
    let mut game = Game::start(
        "name: p\ntasks:\n  A: { kind: host, next: F }\n  F: { kind: flow, flow: other, input: '{x: 4}', output: '. + 1', into: .y }\noutput: .y\n",
        Value::NULL,
        Mode::Crash,
    );
    game.flows
        .deploy(
            "name: other\ntasks: { X: { kind: set, set: { .r: '.input.x * 10' } } }\noutput: .r\n",
            None,
        )
        .unwrap();
    game.work("A");
    assert_eq!(game.end().result, Some(value!(41)));
}

#[test]
fn a_signal_with_a_slash_in_its_name_is_another_signal() {
    let spec = "name: p\ntasks:\n  W: { kind: signal, signal: paid, key: '\"k\"', keep: true }\n";
    let game = Game::start(spec, Value::NULL, Mode::Straight);
    let since = game.flows.explain("case").unwrap()[0].since.unwrap();
    let key = format!("{:020}", since.as_micros());
    let lost = game.flows.signal_key("paid/k", &key, &Value::NULL);
    assert_eq!(
        lost.unwrap().0,
        Delivery::Dropped {
            code: "nobody-waits"
        }
    );
    assert_eq!(game.end().status, Status::Running);
}
