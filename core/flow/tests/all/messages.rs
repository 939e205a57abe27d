//! What running cases are asked and told: queries, and signals whose data is checked and which are answered.

use crate::common::{World, echo};
use statewright_flow::{Delivery, Error, Status};
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value, value};

const BID: &str = "
name: auction
input: { least: 10 }
tasks:
  bid:
    kind: signal
    schema: { type: object, required: [amount], properties: { amount: { type: integer, minimum: 1 } } }
    reply: '{ahead: (.bid.amount >= .input.least), of: $case.id}'
    next: sold
  sold: { kind: signal, keep: true, schema: { type: string }, next: end }
  end: { kind: host }
";

fn code(error: Error) -> String {
    match error {
        Error::Refused { code, .. } => code.to_owned(),
        other => panic!("{other}"),
    }
}

fn reply(delivery: Delivery) -> Option<Value> {
    match delivery {
        Delivery::Taken { reply, .. } => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_whose_data_does_not_fit_is_refused_and_one_that_does_is_answered() {
    let world = World::with_flow(BID);
    world
        .flows
        .start("auction", &Value::NULL, Some("c"))
        .unwrap();
    let before = world.flows.history("c", 0).unwrap().len();
    for bad in [value!(5), value!({}), value!({"amount": 0}), Value::NULL] {
        let refused = world.flows.signal("c", "bid", &bad).unwrap_err();
        assert!(
            refused.to_string().contains("signal 'bid' has other data"),
            "{refused}"
        );
        assert_eq!(code(refused), "schema");
    }
    // Checked before it is kept, too.
    let refused = world.flows.signal("c", "sold", &value!(7)).unwrap_err();
    assert_eq!(code(refused), "schema");
    assert_eq!(
        world.flows.history("c", 0).unwrap().len(),
        before,
        "nothing was changed"
    );
    let (kept, _) = world.flows.signal("c", "sold", &value!("yes")).unwrap();
    assert_eq!(kept, Delivery::Kept);
    let (taken, _) = world
        .flows
        .signal("c", "bid", &value!({"amount": 12}))
        .unwrap();
    assert_eq!(reply(taken), Some(value!({"ahead": true, "of": "c"})));
    world.flows.advance("c").unwrap();
    let sold = world.flows.query("c", ".sold").unwrap();
    assert_eq!(sold, value!("yes"), "the kept one was taken");
}

#[test]
fn a_reply_that_cannot_be_computed_refuses_the_signal() {
    let world = World::with_flow(
        "name: f\ntasks:\n  s: { kind: signal, reply: '.s + 1', key: '\"k\"', next: end }\n  end: { kind: host }\n",
    );
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let refused = world
        .flows
        .signal_key("s", "k", &value!("text"))
        .unwrap_err();
    assert_eq!(code(refused), "expression");
    assert_eq!(world.flows.query("c", ".s").unwrap(), Value::NULL);
    let (taken, _) = world.flows.signal_key("s", "k", &value!(41)).unwrap();
    assert_eq!(reply(taken), Some(value!(42)));
}

#[test]
fn what_was_kept_for_a_key_and_does_not_fit_fails_the_task_that_takes_it() {
    let spec = "name: f\ntasks:\n  s: { kind: signal, keep: true, key: '\"k\"', schema: { type: integer }, on_error: end, next: end }\n  end: { kind: host, topic: a, join: xor }\n";
    let world = World::with_flow(spec);
    let (kept, _) = world.flows.signal_key("s", "k", &value!("text")).unwrap();
    assert_eq!(kept, Delivery::Kept);
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    assert_eq!(
        world.flows.query("c", ".errors.s.code").unwrap(),
        value!("schema")
    );
    // With somebody who waits, the sender is told.
    world.flows.start("f", &Value::NULL, Some("d")).unwrap();
    let refused = world
        .flows
        .signal_key("s", "k", &value!("text"))
        .unwrap_err();
    assert_eq!(code(refused), "schema");
    world.drive(echo).unwrap();
    assert_eq!(
        (world.status("c"), world.status("d")),
        (Status::Completed, Status::Running)
    );
}

#[test]
fn queries_see_the_data_change_nothing_and_are_limited() {
    let world = World::with_flow(
        "name: f\nversion: 3\ninput: { n: [1, 2, 3] }\ntasks:\n  a: { kind: host, topic: a }\n",
    );
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let before = world.flows.case("c").unwrap();
    let asked = world.flows.query(
        "c",
        "{sum: (.input.n | add), v: $flow.version, same: ($data == .)}",
    );
    assert_eq!(asked.unwrap(), value!({"sum": 6, "v": 3, "same": true}));
    for endless in ["def f: f; f", "[range(1e12)]", ".input.n + 1"] {
        let refused = world.flows.query("c", endless).unwrap_err();
        assert_eq!(code(refused), "expression", "{endless}");
    }
    assert!(matches!(
        world.flows.query("c", ".a |"),
        Err(Error::Expression(_))
    ));
    assert!(matches!(
        world.flows.query("d", "."),
        Err(Error::UnknownCase { .. })
    ));
    assert_eq!(world.flows.case("c").unwrap(), before);
    world.drive(echo).unwrap();
    assert_eq!(
        world.flows.query("c", ".input.n[0]").unwrap(),
        value!(1),
        "after its end too"
    );
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    let spec = "name: f\ntasks:\n  s: { kind: signal, schema: { type: intger } }\n";
    let problems = statewright_flow::net::Net::compile(spec, None).unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert_eq!(
        (problem.line, problem.column, problem.code),
        (3, 30, "bad-schema")
    );
}

/// Each key is mostly used once: nothing is left of it.
#[test]
fn signals_kept_for_a_key_come_in_order_and_leave_nothing_behind() {
    let world = World::with_flow(
        "name: f\ntasks:\n  s: { kind: signal, key: .input.key, keep: true, into: .got }\n",
    );
    let kept = || {
        let view = world.flows.store().snapshot();
        let found = view.doc_scan(Primitive::Flow, &Space::default(), "letter", None, 100);
        found.unwrap().len()
    };
    for round in 0..2 {
        for n in 0..3 {
            let (kept, _) = world.flows.signal_key("s", "k", &value!(n)).unwrap();
            assert_eq!(kept, Delivery::Kept);
        }
        assert!(kept() >= 3);
        for n in 0..3 {
            let case = world.run("f", value!({"key": "k"}), echo);
            let got = world.flows.case(&case).unwrap().data.get("got");
            assert_eq!(got, Some(value!(n)), "{round}");
        }
        assert_eq!(kept(), 0, "{round}");
    }
}

#[test]
fn signals_are_kept_for_a_key_up_to_a_limit() {
    let world = World::with_flow(
        "name: f\ntasks:\n  s: { kind: signal, key: .input.key, keep: true, into: .got }\n",
    );
    let send = || world.flows.signal_key("s", "k", &value!(1)).unwrap().0;
    assert_eq!((send(), send()), (Delivery::Kept, Delivery::Kept));
    world.run("f", value!({"key": "k"}), echo);
    // As if so many had come that from number 2 on 100,000 are kept.
    let store = world.flows.store();
    let many = |txn: &Txn| -> Result<(), statewright_store::Error> {
        let (space, root) = (Space::default(), Path::root());
        txn.doc_set(
            Primitive::Flow,
            &space,
            "letters/s/k",
            &root,
            value!(100_001),
        )
    };
    store.transact(many).unwrap();
    assert_eq!(send(), Delivery::Kept);
    assert_eq!(send(), Delivery::Dropped { code: "full" });
    world.run("f", value!({"key": "k"}), echo);
    assert_eq!(send(), Delivery::Kept);
}
