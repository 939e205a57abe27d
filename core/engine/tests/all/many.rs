//! Many cases beside each other: none is forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use statewright::{Engine, Options, Poll, value};

const SPEC: &str = "name: ask\ntasks:\n  ask: { kind: host, topic: ask, input: .input.question, into: .answer }\noutput: .answer\n";

/// One poll at a time takes as much as there are hands free, as the workers of the bindings do, while cases are started
/// on all sides.
#[test]
fn items_offered_while_others_are_taken_and_done_are_all_taken() {
    for _ in 0..3 {
        let engine = Engine::in_memory(Options::default()).unwrap();
        engine.deploy(SPEC, None).unwrap();
        let free = Arc::new(AtomicUsize::new(8));
        let (hand, hands) = mpsc::channel::<statewright::flow::WorkItem>();
        let hands = Arc::new(std::sync::Mutex::new(hands));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let (hands, free, engine) = (hands.clone(), free.clone(), &engine);
                scope.spawn(move || {
                    loop {
                        let item = hands.lock().unwrap().recv();
                        let Ok(item) = item else { return };
                        engine.complete(&item.token, item.input).unwrap();
                        free.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let engine = &engine;
            for start in 0..40 {
                scope.spawn(move || {
                    for n in 0..10 {
                        let question = start * 10 + n;
                        let id = engine
                            .start("ask", value!({"question": question}), None)
                            .unwrap();
                        let case = engine.wait(&id, Some(Duration::from_secs(20))).unwrap();
                        assert_eq!(case.result, Some(value!(question)));
                    }
                });
            }
            scope.spawn(move || {
                let mut taken = 0;
                while taken < 400 {
                    let max = free.load(Ordering::SeqCst);
                    if max == 0 {
                        std::thread::yield_now();
                        continue;
                    }
                    let poll = Poll::topic("ask").max(max);
                    let timeout = Some(Duration::from_secs(5));
                    let items = engine.poll(poll, timeout).unwrap();
                    assert!(!items.is_empty(), "items were passed over");
                    taken += items.len();
                    for item in items {
                        free.fetch_sub(1, Ordering::SeqCst);
                        hand.send(item).unwrap();
                    }
                }
            });
        });
    }
}
