//! Waits for cases.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use statewright::flow::{EventKind, Status};
use statewright::{Engine, Options, Poll, value};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_case_that_is_undone_as_soon_as_it_ended_is_waited_for_until_it_ends_again() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    let spec = "name: f\ntasks:\n  t: { kind: host, topic: t, compensate: undo }\n  undo: { kind: host, topic: undo }\n";
    engine.deploy(spec, None).unwrap();
    engine.start("f", value!({}), Some("c")).unwrap();
    let (ended, end) = channel();
    let callback = move |ended_as: statewright::Result<statewright::flow::CaseInfo>| {
        ended.send(ended_as.unwrap().status).unwrap();
    };
    engine.on_closed("c", Box::new(callback)).unwrap();
    // Between the commit that ends the case and those who wait for it, somebody has it undone.
    let (completed, other) = channel();
    let (undone, undoing) = channel();
    let undoing = Mutex::new(undoing);
    engine.observe(move |event| {
        if event.kind == EventKind::CaseCompleted {
            completed.send(()).unwrap();
            let _ = undoing.lock().unwrap().recv_timeout(LONG);
        }
    });
    let work = engine.poll(Poll::topic("t"), Some(LONG)).unwrap();
    std::thread::scope(|scope| {
        let engine = &engine;
        scope.spawn(move || {
            other.recv().unwrap();
            engine.compensate_case("c", "").unwrap();
            undone.send(()).unwrap();
        });
        engine.complete(&work[0].token, value!(1)).unwrap();
    });
    let work = engine.poll(Poll::topic("undo"), Some(LONG)).unwrap();
    engine.complete(&work[0].token, value!(1)).unwrap();
    assert_eq!(end.recv_timeout(LONG).unwrap(), Status::Compensated);
}
