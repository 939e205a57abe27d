//! An event costs what it concerns, not what the case holds.

use statewright_flow::{Flows, Queue};
use statewright_log::sim;
use statewright_store::{Place, Store, StoreOptions};
use statewright_value::{Value, value};

/// Bytes that one completion of an instance adds to the log, when there are this many.
fn bytes_of_one(instances: u64) -> u64 {
    let (env, _, _) = sim::world(1);
    let place = Place::Dir("/store".into());
    let store = Store::open(env, place, StoreOptions::default()).unwrap();
    let flows = Flows::new(store);
    let spec = "name: p\ntasks:\n  M: { kind: host, many: { items: .input.n, threshold: 4 } }\n";
    flows.deploy(spec, None).unwrap();
    flows
        .start("p", &value!({"n": instances}), Some("c"))
        .unwrap();
    while flows.advance("c").unwrap().is_some() {}
    let queue = Queue::Topics(vec!["M".into()]);
    let claimed = flows.claim(&queue, "w", None, 2).unwrap();
    let bytes = || flows.store().stats().log.bytes;
    let mut costs = Vec::new();
    for claim in claimed {
        let before = bytes();
        flows
            .complete(&claim.item.unwrap().token, &Value::NULL)
            .unwrap();
        costs.push(bytes() - before);
    }
    costs[1]
}

#[test]
fn a_completion_among_ten_thousand_instances_costs_what_one_among_ten_does() {
    let (few, many) = (bytes_of_one(10), bytes_of_one(10_000));
    assert!(many < few + 16, "{few} bytes, {many} bytes");
    assert!(many < 600, "{many} bytes");
}
