//! Polls: nobody is harmed by those of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use statewright::flow::{EventKind, WorkItem};
use statewright::{Engine, Options, Poll, Value};
use statewright_store::{Primitive, Space, Txn};
use statewright_value::Path;

#[test]
fn a_poll_that_is_refused_harms_nobody_else() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    let spec = "name: h\ntasks:\n  t: { kind: host, topic: work }\n";
    engine.deploy(spec, None).unwrap();
    let (served, serving) = channel();
    let (added, adding) = channel();
    let callback = move |_| {
        served.send(()).unwrap();
        // Until the other poll is there.
        let _ = adding.recv_timeout(Duration::from_millis(300));
    };
    engine
        .on_work(Poll::topic("work"), Box::new(callback))
        .unwrap();
    let other = engine.clone();
    let other = std::thread::spawn(move || {
        serving.recv().unwrap();
        let poll = Poll::topic("work").worker("w".repeat(300));
        let refused = other.on_work(poll, Box::new(|_| panic!("it was refused")));
        let _ = added.send(());
        refused.map(drop)
    });
    engine.start("h", Value::NULL, None).unwrap();
    assert_eq!(other.join().unwrap().unwrap_err().code(), 507);
    engine.start("h", Value::NULL, None).unwrap();
}

/// Damages the case of the `nth` event of a kind, between its commit and what follows from it.
fn damage(engine: &Engine, kind: EventKind, nth: usize) {
    let (store, seen) = (engine.store().clone(), AtomicUsize::new(0));
    engine.observe(move |event| {
        if event.kind == kind && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            let damage = |txn: &Txn| -> Result<(), statewright_store::Error> {
                let (key, space) = (format!("c/{}", event.case), Space::default());
                txn.doc_set(Primitive::Flow, &space, &key, &Path::root(), Value::NULL)
            };
            store.transact(damage).unwrap();
        }
    });
}

#[test]
fn a_poll_waits_on_for_work_behind_some_that_cannot_be_read() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    let spec = "name: h\ntasks:\n  t: { kind: host, topic: work }\n";
    engine.deploy(spec, None).unwrap();
    let (told, tells) = channel();
    let callback = move |work: statewright::Result<Vec<WorkItem>>| {
        told.send(work.map(|mut work| work.remove(0).case)).unwrap();
    };
    engine
        .on_work(Poll::topic("work"), Box::new(callback))
        .unwrap();
    damage(&engine, EventKind::Offered, 1);
    let damaged = engine.start("h", Value::NULL, None).unwrap();
    let sound = engine.start("h", Value::NULL, None).unwrap();
    let told = tells.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(told.unwrap(), sound);
    assert_eq!(engine.put_off()[0].of, damaged);
}

#[test]
fn a_case_that_cannot_go_on_keeps_no_other_from_it() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    // More tasks than share the commit that starts the case.
    let task = |n| {
        format!(
            "  t{n}: {{ kind: set, set: {{ .n: '{n}' }}, next: t{} }}\n",
            n + 1
        )
    };
    let tasks: String = (1..100).map(task).collect();
    let spec = format!("name: s\ntasks:\n{tasks}  t100: {{ kind: log, message: '1' }}\n");
    engine.deploy(&spec, None).unwrap();
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    engine.observe(move |event| {
        let ended = event.kind == EventKind::CaseCompleted;
        count.fetch_add(usize::from(ended), Ordering::SeqCst);
    });
    damage(&engine, EventKind::CaseStarted, 2);
    let inputs = [Value::NULL, Value::NULL, Value::NULL];
    engine.start_all("s", &inputs).unwrap_err();
    assert_eq!(ended.load(Ordering::SeqCst), 2);
}
