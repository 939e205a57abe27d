//! The spec of a flow, from a stranger.

use statewright_flow::net::Net;
use statewright_flow::{Error, Flows, Queue, Status};
use statewright_log::Clock;
use statewright_log::sim::{self, SimClock};
use statewright_store::{Place, Store, StoreOptions};
use statewright_value::{Value, value};

use super::testfiles::assert_placed;

/// Steps that a case may take.
const STEPS: usize = 40;

/// It is a flow, or every problem has its place. A flow runs, or its case ends with an error; and somebody can always
/// be told what it waits for.
pub(super) fn spec(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let net = match Net::compile(source, None) {
        Ok(net) => net,
        Err(problems) => {
            assert!(!problems.is_empty(), "it is wrong, and nobody says why");
            problems.iter().for_each(|p| assert_placed(p, source));
            let again = Net::compile(source, None);
            assert_eq!(again.err(), Some(problems));
            return;
        }
    };
    let (env, _, clock) = sim::world(1);
    let store = Store::open(env, Place::Memory, StoreOptions::default()).unwrap();
    let flows = Flows::new(store);
    flows.deploy(source, None).unwrap();
    // An input that its schema refuses begins nothing.
    if flows.start(&net.name, &value!({}), Some("case")).is_ok() {
        drive(&flows, &clock);
    }
}

/// Whatever is offered is done, and time passes only to what is due.
fn drive(flows: &Flows, clock: &SimClock) {
    let topics = Queue::Topics(vec!["a".to_owned(), "b".to_owned()]);
    for step in 0..STEPS {
        for case in flows.open_cases(None, 10).unwrap() {
            let _ = flows.advance(&case).unwrap();
        }
        for queue in [&topics, &Queue::Process] {
            for claim in flows.claim(queue, "w", None, 10).unwrap() {
                let Some(item) = claim.item else { continue };
                let result = value!({"step": (step as u64)});
                let done = flows.complete(&item.token, &result);
                // One of those that were taken together may have ended the others.
                assert!(matches!(done, Ok(_) | Err(Error::StaleItem { .. })));
            }
        }
        if let Some(due) = flows.next_due().unwrap() {
            clock.advance(due.saturating_since(clock.now()));
        }
        flows.fire_due().unwrap();
        let info = flows.case("case").unwrap();
        let waiting = flows.explain("case").unwrap();
        // Of a deadlock is told what is missing.
        let over = info.status.is_final() && info.status != Status::Deadlocked;
        assert!(!over || waiting.is_empty(), "{waiting:?}");
    }
    let info = flows.case("case").unwrap();
    if let Err(e) = flows.signal("case", "s", &Value::NULL) {
        let expected = matches!(e, Error::Refused { .. } | Error::CaseClosed { .. });
        assert!(expected, "{e}");
    }
    let cancelled = flows.cancel("case", "enough");
    let ended = info.status.is_final() || info.status == Status::Compensating;
    assert_eq!(cancelled.is_err(), ended, "{cancelled:?}");
    flows.history("case", 0).unwrap();
}
