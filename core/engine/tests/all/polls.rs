//! Polls: nobody is harmed by those of others.

use std::sync::mpsc::channel;
use std::time::Duration;

use statewright::{Engine, Options, Poll, Value};

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
