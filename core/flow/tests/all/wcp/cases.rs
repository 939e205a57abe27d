//! The patterns whose whole course a spec decides: what may happen is the same in every game.

use statewright_flow::{EventKind, Status};
use statewright_value::{Value, value};

use super::game::{End, all, all_with};

fn completed(end: &End) {
    assert_eq!(end.status, Status::Completed);
    assert!(end.marking.is_empty(), "{:?}", end.marking);
}

fn one_of(end: &End, orders: &[&str]) {
    completed(end);
    let order = end.order();
    assert!(orders.contains(&order.as_str()), "{order}");
}

/// Tasks `A`, `B`, … of kind host unless told otherwise.
fn spec(tasks: &str) -> String {
    format!("name: p\ntasks:\n{tasks}")
}

#[test]
fn wcp01_sequence() {
    let spec = spec("  A: { kind: host, next: B }\n  B: { kind: host }\n");
    all(&spec, &Value::NULL, |end| one_of(end, &["AB"]));
}

#[test]
fn wcp02_03_parallel_split_and_synchronization() {
    let spec = spec(
        "  A: { kind: host, split: and, next: [B, C] }\n  B: { kind: host, next: D }\n  C: { kind: host, next: D }\n  \
         D: { kind: host, join: and }\n",
    );
    all(&spec, &Value::NULL, |end| one_of(end, &["ABCD", "ACBD"]));
}

#[test]
fn wcp04_05_exclusive_choice_and_simple_merge() {
    let spec = spec(
        "  A: { kind: host, split: xor, next: [{ to: B, when: '.input.x > 5' }, C] }\n  B: { kind: host, next: D }\n  \
         C: { kind: host, next: D }\n  D: { kind: host, join: xor }\n",
    );
    all(&spec, &value!({"x": 9}), |end| one_of(end, &["ABD"]));
    all(&spec, &value!({"x": 1}), |end| one_of(end, &["ACD"]));
    // jq orders null before all numbers; a condition that fails is told, and no token is lost in silence.
    let strict = spec.replace(".input.x > 5", "(.input.x | tonumber) > 5");
    all(&strict, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Failed);
        assert_eq!(
            end.error.as_ref().unwrap().get("code"),
            Some(value!("expression"))
        );
    });
}

const OR: &str = "name: p\ntasks:\n  \
    A: { kind: host, split: or, next: [{ to: B, when: .input.b }, { to: C, when: .input.c }, X] }\n  \
    B: { kind: host, next: D }\n  C: { kind: host, next: D }\n  X: { kind: host, next: D }\n  \
    D: { kind: host, join: or }\n";

#[test]
fn wcp06_07_multi_choice_and_structured_synchronizing_merge() {
    for (input, orders) in [
        (value!({"b": true, "c": true}), &["ABCD", "ACBD"][..]),
        (value!({"b": true, "c": false}), &["ABD"]),
        (value!({"b": false, "c": true}), &["ACD"]),
        (value!({"b": false, "c": false}), &["AXD"]),
    ] {
        all(OR, &input, |end| one_of(end, orders));
        // The same with a join that decides from its own edges.
        all(&OR.replace("join: or", "join: local"), &input, |end| {
            one_of(end, orders)
        });
    }
}

#[test]
fn an_or_split_without_a_default_of_which_no_condition_holds_fails_the_case() {
    let spec = OR
        .replace(", X]", "]")
        .replace("X: { kind: host, next: D }", "");
    all(&spec, &Value::NULL, |end| {
        assert_eq!(
            end.error.as_ref().unwrap().get("code"),
            Some(value!("no-branch"))
        );
    });
}

#[test]
fn wcp08_multi_merge() {
    let spec = spec(
        "  A: { kind: host, split: and, next: [B, C] }\n  B: { kind: host, next: D }\n  C: { kind: host, next: D }\n  \
         D: { kind: host, join: xor, next: E }\n  E: { kind: host }\n",
    );
    all(&spec, &Value::NULL, |end| {
        completed(end);
        let order = end.order();
        let count = |c: char| order.matches(c).count();
        assert_eq!((count('D'), count('E')), (2, 2));
    });
}

/// A loop of two rounds over a join of three branches.
fn rounds(join: &str) -> String {
    format!(
        "name: p\ntasks:\n  init: {{ kind: set, set: {{ .n: '0' }}, next: A }}\n  \
         A: {{ kind: set, join: xor, set: {{ .n: '.n + 1' }}, split: and, next: [B, C, D] }}\n  \
         B: {{ kind: host, next: J }}\n  C: {{ kind: host, next: J }}\n  D: {{ kind: host, next: J }}\n  \
         J: {{ {join}, next: E }}\n  \
         E: {{ kind: host, split: xor, next: [{{ to: A, when: .n < 2 }}, F] }}\n  F: {{ kind: host }}\n"
    )
}

#[test]
fn wcp09_30_structured_discriminator_and_partial_join() {
    for n in [1, 2, 3] {
        let spec = spec(&format!(
            "  A: {{ kind: set, set: {{ .n: '1' }}, split: and, next: [B, C, D] }}\n  B: {{ kind: host, next: J }}\n  \
             C: {{ kind: host, next: J }}\n  D: {{ kind: host, next: J }}\n  \
             J: {{ join: {{ of: {n} }}, next: E }}\n  E: {{ kind: host }}\n"
        ));
        all(&spec, &Value::NULL, |end| {
            completed(end);
            let order = end.order();
            assert_eq!(order.matches('E').count(), 1, "{order}");
            assert!(order.find('E').unwrap() > n, "{order}");
            assert_eq!(order.len(), 5, "the late ones run on: {order}");
            assert_eq!(end.count(EventKind::Absorbed, "J"), 3 - n);
        });
    }
}

#[test]
fn wcp29_32_cancelling_discriminator_and_partial_join() {
    for n in [1_usize, 2] {
        let join = format!("join: {{ of: {n}, reset: cancel }}, cancels: [B, C, D, B>J, C>J, D>J]");
        all(&rounds(&join), &Value::NULL, |end| {
            completed(end);
            let order = end.order();
            assert_eq!(order.matches('E').count(), 2, "{order}");
            assert_eq!(
                order.matches(['B', 'C', 'D']).count(),
                2 * n,
                "the rest is cancelled: {order}"
            );
        });
    }
}

#[test]
fn wcp28_31_blocking_discriminator_and_partial_join() {
    // Every round puts one token on each branch; a round of the join ends with all of them.
    for n in [1_usize, 2] {
        let join = format!("join: {{ of: {n}, reset: blocking }}");
        all(&rounds(&join), &Value::NULL, |end| {
            completed(end);
            let order = end.order();
            assert_eq!(order.matches('E').count(), 2, "{order}");
            assert_eq!(
                order.matches(['B', 'C', 'D']).count(),
                6,
                "nothing is lost: {order}"
            );
        });
    }
}

#[test]
fn wcp10_arbitrary_cycles() {
    // Two entries, B and C, and two exits, C and D.
    let spec = spec(
        "  A: { kind: host, split: xor, next: [{ to: B, when: .input.b }, C] }\n  B: { kind: host, join: xor, next: C }\n  \
         C: { kind: host, join: xor, split: xor, next: [{ to: E, when: '.C == 2' }, D] }\n  \
         D: { kind: host, split: xor, next: [{ to: F, when: '.D == 2' }, B] }\n  \
         E: { kind: host }\n  F: { kind: host }\n",
    );
    for (b, c, d, walk) in [
        (true, 2, 1, "ABCE"),
        (false, 2, 1, "ACE"),
        (false, 1, 2, "ACDF"),
        (true, 1, 2, "ABCDF"),
    ] {
        let answer = move |item: &statewright_flow::WorkItem| match item.task.as_str() {
            "C" => Value::from(c),
            "D" => Value::from(d),
            _ => Value::NULL,
        };
        all_with(&spec, &value!({"b": b}), &answer, |end| {
            one_of(end, &[walk])
        });
    }
}

#[test]
fn wcp11_implicit_termination_and_its_difference_from_a_deadlock() {
    let ends = spec(
        "  A: { kind: host, split: and, next: [B, C] }\n  B: { kind: host }\n  C: { kind: host }\n",
    );
    all(&ends, &Value::NULL, |end| one_of(end, &["ABC", "ACB"]));
    let dead = spec(
        "  A: { kind: host, split: xor, next: [{ to: B, when: .input.x }, C] }\n  B: { kind: host, next: D }\n  \
         C: { kind: host, next: D }\n  D: { kind: host, join: and }\n",
    );
    all(&dead, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Deadlocked);
        assert_eq!(end.marking.keys().collect::<Vec<_>>(), ["C>D"]);
    });
}

#[test]
fn wcp43_explicit_termination() {
    let spec = spec(
        "  A: { kind: host, split: and, next: [B, C] }\n  B: { kind: host, next: D }\n  C: { kind: host, next: D }\n  \
         D: { kind: host, join: xor, terminate: true }\n",
    );
    all(&spec, &Value::NULL, |end| {
        completed(end);
        let order = end.order();
        assert_eq!(order.matches('D').count(), 1, "{order}");
        assert!(
            ["ABD", "ACD", "ABCD", "ACBD"].contains(&order.as_str()),
            "{order}"
        );
    });
}

#[test]
fn wcp17_interleaved_parallel_routing() {
    // B before C, D whenever; one at a time.
    let spec = spec(
        "  A: { split: and, next: [B, D] }\n  B: { kind: host, mutex: m, next: C }\n  C: { kind: host, mutex: m, next: F }\n  \
         D: { kind: host, mutex: m, next: F }\n  F: { join: and }\n",
    );
    all(&spec, &Value::NULL, |end| {
        one_of(end, &["BCD", "BDC", "DBC"]);
        assert_eq!(end.together(&["B", "C", "D"]), 1);
    });
}

#[test]
fn wcp40_interleaved_routing() {
    let spec = spec(
        "  A: { split: and, next: [B, C, D] }\n  B: { kind: host, mutex: m, next: F }\n  C: { kind: host, mutex: m, next: F }\n  \
         D: { kind: host, mutex: m, next: F }\n  F: { kind: host, join: and }\n",
    );
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    all(&spec, &Value::NULL, |end| {
        one_of(end, &["BCDF", "BDCF", "CBDF", "CDBF", "DBCF", "DCBF"]);
        assert_eq!(end.together(&["B", "C", "D"]), 1);
        seen.borrow_mut().insert(end.order());
    });
    assert_eq!(seen.borrow().len(), 6, "every order can happen: {seen:?}");
}

#[test]
fn wcp39_critical_section() {
    let spec = "name: p\ntasks:\n  A: { split: and, next: [B, C] }\n  B: { kind: host, next: D }\n  D: { kind: host, next: F }\n  \
        C: { kind: host, next: E }\n  E: { kind: host, next: F }\n  F: { join: and }\n\
        sections:\n  one: { tasks: [B, D], mutex: m }\n  two: { tasks: [C, E], mutex: m }\n";
    all(spec, &Value::NULL, |end| one_of(end, &["BDCE", "CEBD"]));
}

#[test]
fn wcp21_structured_loop() {
    let body = |first: &str| {
        format!(
            "name: p\nstart: {first}\ntasks:\n  init: {{ kind: set, set: {{ .x: '.input.x' }}, next: test }}\n  \
             test: {{ join: xor, split: xor, next: [{{ to: body, when: .x < 3 }}, end] }}\n  \
             body: {{ kind: host, next: count }}\n  count: {{ kind: set, set: {{ .x: '.x + 1' }}, next: test }}\n  end: {{}}\n"
        )
    };
    all(&body("init"), &value!({"x": 0}), |end| {
        assert_eq!(end.count(EventKind::Completed, "body"), 3)
    });
    all(&body("init"), &value!({"x": 3}), |end| {
        completed(end);
        assert_eq!(end.count(EventKind::Completed, "body"), 0);
    });
    let repeat = "name: p\ntasks:\n  body: { kind: host, join: xor, split: xor, next: [{ to: body, when: '.input.x' }, end] }\n  end: {}\n";
    all(repeat, &value!({"x": false}), |end| one_of(end, &["b"]));
}

#[test]
fn wcp33_generalised_and_join() {
    // Three tokens come on one edge and one on the other; later two more.
    let spec = spec(
        "  A: { split: and, next: [{ to: b, tokens: 3 }, { to: c, tokens: 1 }, L] }\n  L: { kind: host, next: { to: c, tokens: 2 } }\n  \
         J: { kind: host, join: and }\n",
    ) + "places: { b: { next: J }, c: { next: J } }\n";
    all(&spec, &Value::NULL, |end| {
        completed(end);
        assert_eq!(end.count(EventKind::Completed, "J"), 3);
    });
    all(
        &spec.replace("tokens: 2", "tokens: 1"),
        &Value::NULL,
        |end| {
            assert_eq!(end.status, Status::Deadlocked);
            assert_eq!(
                end.marking.iter().collect::<Vec<_>>(),
                [(&"b".to_owned(), &1)]
            );
        },
    );
}

#[test]
fn wcp41_42_thread_merge_and_thread_split() {
    let spec = spec(
        "  S: { next: { to: x, tokens: 7 } }\n  M: { kind: host, takes: { x: 3 }, next: T }\n  T: { kind: host }\n",
    ) + "places: { x: { next: M } }\n";
    all(&spec, &Value::NULL, |end| {
        assert_eq!(end.status, Status::Deadlocked);
        assert_eq!(
            (
                end.count(EventKind::Completed, "M"),
                end.count(EventKind::Completed, "T")
            ),
            (2, 2)
        );
        assert_eq!(end.marking.get("x"), Some(&1));
    });
    let split =
        "name: p\ntasks:\n  S: { kind: host, next: { to: T, tokens: 3 } }\n  T: { kind: host }\n";
    all(split, &Value::NULL, |end| one_of(end, &["STTT"]));
}

#[test]
fn wcp37_local_synchronizing_merge_of_nested_splits() {
    // B is split again; what neither takes is told all the way.
    let spec = spec(
        "  A: { kind: host, split: or, next: [{ to: B, when: .input.b }, { to: C, when: .input.c }] }\n  \
         B: { kind: host, split: xor, next: [{ to: D, when: .input.d }, E] }\n  C: { kind: host, next: J }\n  \
         D: { kind: host, next: K }\n  E: { kind: host, next: J }\n  K: { next: J }\n  J: { kind: host, join: local }\n",
    );
    for (b, c, d, orders) in [
        (true, false, true, &["ABDJ"][..]),
        (true, false, false, &["ABEJ"]),
        (false, true, false, &["ACJ"]),
        (true, true, true, &["ABCDJ", "ACBDJ", "ABDCJ"]),
    ] {
        all(&spec, &value!({"b": b, "c": c, "d": d}), |end| {
            one_of(end, orders)
        });
        let general = spec.replace("join: local", "join: or");
        all(&general, &value!({"b": b, "c": c, "d": d}), |end| {
            one_of(end, orders)
        });
    }
}

#[test]
fn a_local_join_none_of_whose_paths_was_taken_passes_that_on() {
    let spec = spec(
        "  A: { kind: host, split: xor, next: [{ to: S, when: .input.s }, R] }\n  \
         S: { split: and, next: [B, C] }\n  B: { kind: host, next: J }\n  C: { kind: host, next: J }\n  \
         J: { kind: host, join: local, next: K }\n  R: { kind: host, next: K }\n  K: { kind: host, join: local }\n",
    );
    all(&spec, &value!({"s": false}), |end| {
        one_of(end, &["ARK"]);
        let skipped = end
            .events
            .iter()
            .find(|e| e.kind == EventKind::Skipped)
            .unwrap();
        let mut tasks: Vec<Value> = skipped.detail.get("tasks").unwrap().items().collect();
        tasks.sort_by_key(Value::to_string);
        assert_eq!(tasks, ["B", "C", "J", "S"].map(Value::from));
    });
    all(&spec, &value!({"s": true}), |end| {
        one_of(end, &["ABCJK", "ACBJK"])
    });
}

#[test]
fn wcp38_general_synchronizing_merge_in_a_loop() {
    // The or-join waits for the token that goes round, and not for one that could only come through itself.
    let spec = spec(
        "  S: { kind: host, split: or, next: [{ to: P, when: .input.p }, { to: Q, when: .input.q }] }\n  \
         P: { kind: host, next: E }\n  Q: { kind: host, join: xor, next: R }\n  \
         R: { kind: host, split: xor, next: [{ to: Q, when: '.R == \"again\"' }, E] }\n  E: { kind: host, join: or }\n",
    );
    let rounds = std::cell::Cell::new(0);
    let answer = |item: &statewright_flow::WorkItem| {
        if item.task == "S" {
            rounds.set(0);
        }
        if item.task == "R" && rounds.replace(rounds.get() + 1) < 2 {
            return value!("again");
        }
        Value::NULL
    };
    all_with(&spec, &value!({"p": true, "q": true}), &answer, |end| {
        completed(end);
        let order = end.order();
        assert!(
            order.ends_with('E') && order.matches('E').count() == 1,
            "{order}"
        );
        assert_eq!(order.matches('R').count(), 3, "{order}");
    });
    all_with(&spec, &value!({"p": true, "q": false}), &answer, |end| {
        one_of(end, &["SPE"])
    });
}

#[test]
fn wcp38_a_cancellation_elsewhere_enables_an_or_join() {
    let spec = spec(
        "  A: { split: and, next: [B, C, X] }\n  B: { kind: host, next: E }\n  C: { kind: host, next: E }\n  \
         X: { kind: host, cancels: [C, C>E] }\n  E: { kind: host, join: or }\n",
    );
    all(&spec, &Value::NULL, |end| {
        completed(end);
        assert!(
            matches!(end.count(EventKind::Completed, "E"), 1 | 2),
            "{}",
            end.order()
        );
        assert_eq!(end.count(EventKind::Completed, "X"), 1);
    });
}

#[test]
fn wcp22_recursion() {
    let spec = "name: fact\ninput: { n: 1 }\ntasks:\n  \
        test: { split: xor, next: [{ to: deeper, when: '.input.n > 1' }, one] }\n  \
        deeper: { kind: flow, flow: fact, input: '{n: (.input.n - 1)}', into: .below, next: times }\n  \
        times: { kind: set, set: { .r: '.below * .input.n' }, next: end }\n  \
        one: { kind: set, set: { .r: '1' }, next: end }\n  \
        end: { join: xor }\noutput: .r\n";
    all(spec, &value!({"n": 5}), |end| {
        completed(end);
        assert_eq!(end.result, Some(value!(120)));
    });
    let endless = spec.replace(".input.n > 1", "true");
    all_short(&endless, |end| {
        assert_eq!(end.status, Status::Failed);
        assert!(
            end.error
                .as_ref()
                .unwrap()
                .to_string()
                .contains("would wait for each other")
        );
    });
}

/// Only straight: it is long.
fn all_short(spec: &str, check: impl Fn(&End)) {
    let mut game = super::game::Game::start(spec, Value::NULL, super::game::Mode::Straight);
    game.play(&|_| Value::NULL);
    check(&game.end());
}
