//! Claims that are not written: what is seen of them, and what a restart makes of them.

use std::time::Duration;

use crate::common::World;
use statewright_flow::{Error, EventKind, Flows, Queue, Status, WorkItem};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_store::{Primitive, Space, Txn};
use statewright_value::{Path, Value, value};

const ONE: &str = "name: one\ntasks:\n  t: { kind: host, topic: work, input: .input, timeout: 1h, retry: { attempts: 3, delay: 1s } }\n";
const TWO: &str = "name: two\ntasks:\n  s: { split: and, next: [l, r] }\n  l: { kind: host, topic: a }\n  r: { kind: host, topic: b }\n";

struct Disk {
    io: SimIo,
    clock: SimClock,
    seed: u64,
}

impl Disk {
    fn new() -> (Disk, World) {
        let disk = Disk {
            io: SimIo::new(),
            clock: SimClock::new(),
            seed: 1,
        };
        let world = World::on_disk(&disk.io, &disk.clock, 1).unwrap();
        world.flows.deploy(ONE, None).unwrap();
        world.flows.deploy(TWO, None).unwrap();
        (disk, world)
    }

    /// The power fails, and the store is opened again.
    fn crash(&mut self) -> World {
        self.seed += 1;
        self.io = self.io.crash(&Image::series(self.seed, 1).next().unwrap());
        World::on_disk(&self.io, &self.clock, self.seed).unwrap()
    }
}

fn claim(flows: &Flows, topic: &str, worker: &str) -> Option<WorkItem> {
    let queue = Queue::Topics(vec![topic.to_owned()]);
    let lease = Some(Duration::from_secs(30));
    let claims = flows.claim(&queue, worker, lease, 1).unwrap();
    claims.into_iter().next().map(|claim| claim.item.unwrap())
}

fn is_stale(result: Result<impl Sized, Error>) -> bool {
    matches!(result, Err(Error::StaleItem { .. }))
}

#[test]
fn a_claim_is_seen_by_all_and_written_with_what_comes_next() {
    let (_, world) = Disk::new();
    let flows = &world.flows;
    flows.start("one", &value!({"n": 1}), Some("c")).unwrap();
    let commits = || flows.store().stats().version;
    let before = commits();
    let item = claim(flows, "work", "ann").unwrap();
    assert_eq!((item.attempt, item.input.clone()), (1, value!({"n": 1})));
    assert_eq!(claim(flows, "work", "bob"), None, "one holder at a time");
    let until = flows
        .heartbeat(&item.token, Duration::from_secs(90))
        .unwrap()
        .0;
    assert_eq!(commits(), before, "nothing of that is written");
    assert_eq!(flows.next_due().unwrap(), Some(until));
    assert_eq!(flows.case("c").unwrap().items[0].state, "leased");
    let waits = flows.explain("c").unwrap();
    assert_eq!(waits[0].what, "worker 'ann' to complete it");
    flows.complete(&item.token, &value!(7)).unwrap();
    assert_eq!(commits(), before + 1);
    let trace = [
        "case_started",
        "offered t#0",
        "started t#1",
        "completed t#1",
        "case_completed",
    ];
    assert_eq!(world.trace("c"), trace);
    let history = flows.history("c", 2).unwrap();
    assert_eq!(history[0].detail, value!({"worker": "ann"}));
    assert_eq!(history.len(), 3, "from the middle of a commit on");
    assert!(is_stale(flows.complete(&item.token, &value!(8))));
    assert_eq!(flows.next_due().unwrap(), None);
}

#[test]
fn a_lease_that_ends_is_written_and_its_holder_is_stale() {
    let (disk, world) = Disk::new();
    let flows = &world.flows;
    flows.start("one", &Value::NULL, Some("c")).unwrap();
    let late = claim(flows, "work", "ann").unwrap();
    disk.clock.advance(Duration::from_secs(31));
    assert_eq!(flows.fire_due().unwrap().len(), 1);
    assert!(is_stale(flows.complete(&late.token, &Value::NULL)));
    let next = claim(flows, "work", "bob").unwrap();
    assert_eq!(
        (next.attempt, &next.idempotency_key),
        (2, &late.idempotency_key)
    );
    assert!(is_stale(
        flows.heartbeat(&late.token, Duration::from_secs(30))
    ));
    flows.complete(&next.token, &Value::NULL).unwrap();
    assert_eq!(flows.case("c").unwrap().status, Status::Completed);
}

#[test]
fn after_a_restart_a_result_is_taken_until_somebody_else_claims() {
    let (mut disk, world) = Disk::new();
    world
        .flows
        .start("one", &Value::NULL, Some("taken"))
        .unwrap();
    let first = claim(&world.flows, "work", "ann").unwrap();
    let world = disk.crash();
    // Nobody has claimed it since: the work need not be done again.
    world.flows.complete(&first.token, &value!(1)).unwrap();
    assert_eq!(
        world.flows.case("taken").unwrap().data.get("t"),
        Some(value!(1))
    );
    world
        .flows
        .start("one", &Value::NULL, Some("overtaken"))
        .unwrap();
    let first = claim(&world.flows, "work", "ann").unwrap();
    let world = disk.crash();
    disk.clock.advance(Duration::from_millis(1));
    let second = claim(&world.flows, "work", "bob").unwrap();
    assert_eq!(second.attempt, 1, "the first claim is forgotten");
    assert!(is_stale(world.flows.complete(&first.token, &value!(1))));
    world.flows.complete(&second.token, &value!(2)).unwrap();
    assert!(is_stale(world.flows.complete(&second.token, &value!(2))));
    world
        .flows
        .start("one", &Value::NULL, Some("slow"))
        .unwrap();
    let slow = claim(&world.flows, "work", "ann").unwrap();
    let world = disk.crash();
    disk.clock.advance(Duration::from_secs(3600));
    assert!(
        is_stale(world.flows.complete(&slow.token, &value!(1))),
        "it has taken too long"
    );
}

#[test]
fn a_token_that_the_store_has_not_signed_is_refused() {
    let (mut disk, world) = Disk::new();
    world.flows.start("one", &Value::NULL, Some("c")).unwrap();
    let item = claim(&world.flows, "work", "ann").unwrap();
    let world = disk.crash();
    let (head, signature) = item.token.rsplit_once('.').unwrap();
    let other: String = signature.chars().rev().collect();
    for forged in [
        format!("{head}.{other}"),
        item.token.replace("/1/1.", "/1/2."),
        "c/1/".to_owned(),
        "c/1/1".to_owned(),
        "c/1/1..".to_owned(),
    ] {
        assert!(
            is_stale(world.flows.complete(&forged, &Value::NULL)),
            "{forged}"
        );
    }
    world
        .flows
        .fail(
            &item.token,
            &statewright_flow::Failure::new("busy", "later"),
        )
        .unwrap();
    disk.clock.advance(Duration::from_secs(1));
    world.flows.fire_due().unwrap();
    assert!(
        is_stale(world.flows.complete(&item.token, &Value::NULL)),
        "an earlier attempt"
    );
    assert_eq!(claim(&world.flows, "work", "ann").unwrap().attempt, 2);
}

#[test]
fn another_event_of_the_case_writes_the_claim() {
    let (mut disk, world) = Disk::new();
    world.flows.start("two", &Value::NULL, Some("c")).unwrap();
    let left = claim(&world.flows, "a", "ann").unwrap();
    let right = claim(&world.flows, "b", "bob").unwrap();
    world.flows.complete(&right.token, &Value::NULL).unwrap();
    let world = disk.crash();
    assert_eq!(
        claim(&world.flows, "a", "eve"),
        None,
        "the lease was written"
    );
    assert_eq!(
        world.trace("c")[3..6],
        ["offered r#0", "started l#1", "started r#1"]
    );
    world.flows.complete(&left.token, &Value::NULL).unwrap();
    assert_eq!(world.flows.case("c").unwrap().status, Status::Completed);
}

#[test]
fn many_claims_are_handed_out_once_each() {
    let (_, world) = Disk::new();
    for n in 0..40 {
        world
            .flows
            .start("one", &Value::NULL, Some(&format!("c{n}")))
            .unwrap();
    }
    let queue = Queue::Topics(vec!["work".to_owned()]);
    let mut items = Vec::new();
    for most in [1, 3, 7, 100] {
        let lease = Some(Duration::from_secs(30));
        let claims = world.flows.claim(&queue, "w", lease, most).unwrap();
        items.extend(claims.into_iter().map(|c| c.item.unwrap()));
    }
    let mut keys: Vec<&str> = items.iter().map(|i| i.idempotency_key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((items.len(), keys.len()), (40, 40));
    // What is offered again is found again, though all before it is claimed.
    world.flows.give_back(&items[5].token).unwrap();
    assert_eq!(
        claim(&world.flows, "work", "w").unwrap().idempotency_key,
        items[5].idempotency_key
    );
}

#[test]
fn a_step_of_a_host_is_one_commit_of_few_bytes() {
    let steps = 10;
    let mut spec = String::from("name: ten\ntasks:\n");
    for step in 1..=steps {
        let next = if step == steps {
            String::new()
        } else {
            format!(", next: s{}", step + 1)
        };
        spec.push_str(&format!("  s{step}: {{ kind: host, topic: work{next} }}\n"));
    }
    let (_, world) = Disk::new();
    world.flows.deploy(&spec, None).unwrap();
    let before = world.flows.store().stats();
    world.flows.start("ten", &Value::NULL, None).unwrap();
    for step in 1..=steps {
        let item = claim(&world.flows, "work", "worker").unwrap();
        world.flows.complete(&item.token, &value!(step)).unwrap();
    }
    let after = world.flows.store().stats();
    assert_eq!(after.version - before.version, 11);
    assert_eq!(after.log.syncs - before.log.syncs, 11);
    let bytes = (after.log.bytes - before.log.bytes) / 10;
    assert!(bytes <= 296, "{bytes} bytes a step");
    // A name that says more takes its bytes, and both are read back.
    let (_, other) = Disk::new();
    other.flows.deploy(&spec, None).unwrap();
    let case = other.flows.start("ten", &Value::NULL, None).unwrap().case;
    for worker in ["worker", "press 4"] {
        let item = claim(&other.flows, "work", worker).unwrap();
        other.flows.complete(&item.token, &value!(1)).unwrap();
    }
    let events = other.flows.history(&case, 0).unwrap();
    let started = events.iter().filter(|e| e.kind == EventKind::Started);
    let workers: Vec<Value> = started.map(|e| e.detail.clone()).collect();
    assert_eq!(
        workers,
        [value!({"worker": "worker"}), value!({"worker": "press 4"})]
    );
}

#[test]
fn work_that_cannot_be_read_is_passed_over() {
    let (_, world) = Disk::new();
    let flows = &world.flows;
    for case in ["a", "b", "c"] {
        flows.start("one", &Value::NULL, Some(case)).unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    let damage = |txn: &Txn| -> Result<(), Error> {
        let (space, root) = (Space::default(), Path::root());
        Ok(txn.doc_set(Primitive::Flow, &space, "c/b", &root, value!({}))?)
    };
    flows.store().transact(damage).unwrap();
    let queue = Queue::Topics(vec!["work".to_owned()]);
    let lease = Some(Duration::from_secs(30));
    let claims = flows.claim(&queue, "ann", lease, 9).unwrap();
    let items: Vec<_> = claims.iter().filter_map(|c| c.item.as_ref()).collect();
    let cases: Vec<&str> = items.iter().map(|item| item.case.as_str()).collect();
    assert_eq!(cases, ["a", "c"]);
    // Whoever keeps the time is told when it is tried again.
    let due = claims.iter().filter_map(|c| c.moved.next_due).max();
    let again = flows.put_off().remove(0);
    assert_eq!((again.of.as_str(), again.item), ("b", Some(1)));
    assert!(due >= Some(again.until));
    let error = flows.take("b", 1, "ann", lease).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn a_heartbeat_gives_the_end_that_the_claim_has() {
    let (_, world) = Disk::new();
    let flows = &world.flows;
    let after = |secs| {
        flows
            .store()
            .env()
            .clock
            .now()
            .saturating_add(Duration::from_secs(secs))
    };
    flows.start("one", &Value::NULL, Some("c")).unwrap();
    let item = claim(flows, "work", "ann").unwrap();
    for written in [false, true] {
        if written {
            // What is done to the case is written with the claim.
            flows.suspend("c").unwrap();
            flows.resume("c").unwrap();
        }
        for (secs, end) in [(90, 90), (10, 90), (100, 100)] {
            let until = flows
                .heartbeat(&item.token, Duration::from_secs(secs))
                .unwrap()
                .0;
            let longest = if written { after(100) } else { after(end) };
            assert_eq!(until, longest, "{secs} {written}");
        }
    }
}
