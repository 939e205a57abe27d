//! A case that cannot go on stops no other, nor the engine.

use std::time::Duration;

use statewright::flow::Status;
use statewright::store::Primitive;
use statewright::{Engine, Options, Path, Poll, Space, Value, value};

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn write(engine: &Engine, key: &str, path: &Path, value: &Value) {
    let written = engine.store().transact(|txn| {
        let (flow, space) = (Primitive::Flow, Space::default());
        txn.doc_set(flow, &space, key, path, value.clone())
    });
    written.unwrap();
}

const SPECS: [&str; 5] = [
    "name: timer\ntasks:\n  t: { kind: wait, for: 1s, next: a }\n  a: { kind: set, set: { .n: '1' } }\n",
    "name: old\ntasks:\n  t: { kind: host, topic: old }\n",
    "name: program\ntasks:\n  t: { kind: process, run: [sleep, '1000'] }\n",
    "name: short\ntasks:\n  t: { kind: process, run: ['true'], stdout: none }\n",
    "name: host\ntasks:\n  t: { kind: host, topic: work }\n",
];

#[test]
fn damaged_cases_and_specs_stop_no_other_case_over_a_restart_either() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), Options::default()).unwrap();
    let keys = SPECS.map(|spec| engine.deploy(spec, None).unwrap().key);
    let start = |engine: &Engine, flow: &str, id: &str| {
        engine.start(flow, value!({}), Some(id)).unwrap();
    };
    for (flow, id) in [
        ("program", "p"),
        ("host", "h"),
        ("timer", "t"),
        ("old", "o"),
    ] {
        start(&engine, flow, id);
    }
    while engine.case("p").unwrap().items[0].state != "leased" {}
    for id in ["h", "p", "t"] {
        write(
            &engine,
            &format!("c/{id}"),
            &Path::root(),
            &value!("rubbish"),
        );
    }
    let source = Path::root().key("source");
    write(
        &engine,
        &format!("net/{}", keys[1]),
        &source,
        &value!("name: 7 of 9"),
    );
    let goes_on = |engine: &Engine, run: &str| {
        let ids = ["timer", "short", "host"].map(|flow| (flow, format!("{flow}-{run}")));
        for (flow, id) in &ids {
            start(engine, flow, id);
        }
        let item = engine.poll(Poll::topic("work"), MINUTE).unwrap().remove(0);
        engine.complete(&item.token, Value::NULL).unwrap();
        for (_, id) in &ids {
            let done = engine.wait(id, MINUTE).unwrap();
            assert_eq!(done.status, Status::Completed, "{id}");
        }
    };
    goes_on(&engine, "1");
    let wait = |engine: &Engine, of: &[&str]| {
        for _ in 0..3000 {
            let all: Vec<String> = engine.put_off().into_iter().map(|p| p.of).collect();
            if of.iter().all(|of| all.iter().any(|p| p == of)) {
                return;
            }
            let soon = Some(Duration::from_millis(10));
            assert!(engine.poll(Poll::topic("none"), soon).unwrap().is_empty());
        }
        panic!("{:?}", engine.put_off());
    };
    wait(&engine, &["h", "t"]);
    engine.close().unwrap();
    let engine = Engine::open(dir.path(), Options::default()).unwrap();
    goes_on(&engine, "2");
    let none = engine.poll(Poll::topic("old"), Some(Duration::from_millis(1)));
    assert!(none.unwrap().is_empty());
    wait(&engine, &["h", "t", "p", "o"]);
    let refused = engine.put_off().into_iter().find(|p| p.of == "o").unwrap();
    assert!(refused.why.contains("refused"), "{}", refused.why);
    engine.close().unwrap();
}

#[test]
fn a_program_whose_failure_cannot_be_stored_stops_no_worker() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().workers(1).max_commit_bytes(64 << 10);
    let engine = Engine::open(dir.path(), options).unwrap();
    let spec = "name: f\ntasks:\n  s: { split: and, next: [t, g] }\n  g: { kind: host, topic: go, next: b }\n  \
         b: { kind: process, run: ['false'] }\n  \
         t: { kind: host, many: { items: 1, add: true, max: 5000 } }\n";
    engine.deploy(spec, None).unwrap();
    engine.deploy(SPECS[3], None).unwrap();
    let case = engine.start("f", value!({}), None).unwrap();
    for _ in 0..20 {
        let more = vec![value!(1); 200];
        engine.add_instances(&case, "t", &more).unwrap();
    }
    let item = engine.poll(Poll::topic("go"), MINUTE).unwrap().remove(0);
    engine.complete(&item.token, Value::NULL).unwrap();
    while engine.put_off().is_empty() {
        std::thread::yield_now();
    }
    let other = engine.start("short", value!({}), None).unwrap();
    assert_eq!(
        engine.wait(&other, MINUTE).unwrap().status,
        Status::Completed
    );
    assert_eq!(engine.case(&case).unwrap().status, Status::Running);
    let waiting = engine.explain(&case).unwrap();
    let failed = waiting
        .iter()
        .find(|w| w.what.contains("as it failed"))
        .unwrap();
    assert_eq!(failed.task, "b");
    engine.close().unwrap();
}
