//! Many cases and items in one call, with a power cut before every single change of the disk: what was acknowledged is
//! there, each of the others wholly or not at all, and all of them come to their end.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::World;
use statewright_flow::{CaseFilter, Error, EventKind, Outcome, Queue, Status};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Value, value};

const PAIR: &str = "
name: pair
tasks:
  begin: { split: and, next: [left, right, pause] }
  left: { kind: host, topic: work, into: .left, next: both }
  right: { kind: host, topic: work, into: .right, next: both }
  pause: { kind: wait, for: 5s, next: both }
  both: { kind: set, join: and, set: { .sides: '[.left, .right]' } }
output: .sides
";
const CASES: usize = 4;

/// What somebody was told.
#[derive(Default)]
struct Told {
    cases: BTreeSet<String>,
    items: BTreeSet<String>,
}

/// Starts cases until there are enough, and plays them to their end or until the disk fails.
fn run(io: &SimIo, clock: &SimClock, seed: u64, told: &mut Told) -> Result<(), Error> {
    let world = World::on_disk(io, clock, seed)?;
    let flows = &world.flows;
    flows.deploy(PAIR, None)?;
    let there = flows.cases(&CaseFilter::default())?.len();
    let missing = vec![Value::NULL; CASES.saturating_sub(there)];
    for started in flows.start_all("pair", &missing)? {
        told.cases.insert(started?.case.to_string());
    }
    let queue = Queue::Topics(vec!["work".to_owned()]);
    let lease = Some(Duration::from_secs(3600));
    for _ in 0..100 {
        let open = flows.open_cases(None, 100)?;
        if open.is_empty() {
            return Ok(());
        }
        let mut moved = !flows.advance_all(&open)?.is_empty();
        let claimed = flows.claim(&queue, "test", lease, 3)?;
        let items: Vec<_> = claimed.into_iter().filter_map(|c| c.item).collect();
        for item in &items {
            let known = told.items.contains(&item.idempotency_key);
            assert!(!known, "{} was offered again", item.idempotency_key);
        }
        let outcomes = items.iter().map(|item| Outcome {
            token: item.token.clone(),
            result: Ok(value!(&*item.task)),
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        for (delivered, item) in flows.deliver(&outcomes)?.into_iter().zip(&items) {
            delivered?;
            told.items.insert(item.idempotency_key.clone());
            moved = true;
        }
        moved |= !flows.fire_due()?.is_empty();
        if !moved && let Some(due) = flows.next_due()? {
            clock.advance(due.saturating_since(flows.store().env().clock.now()));
        }
    }
    panic!("{:?}", flows.cases(&CaseFilter::default())?);
}

fn check(io: &SimIo, clock: &SimClock, told: &Told, at: &str) {
    let world = World::on_disk(io, clock, 9).unwrap();
    let cases = world.flows.cases(&CaseFilter::default()).unwrap();
    assert_eq!(cases.len(), CASES, "{at}");
    let there: BTreeSet<&str> = cases.iter().map(|case| &*case.id).collect();
    let lost = told.cases.iter().find(|id| !there.contains(id.as_str()));
    assert_eq!(lost, None, "{at}");
    for case in &cases {
        assert_eq!(case.status, Status::Completed, "{at}: {case:?}");
        assert_eq!(case.result, Some(value!(["left", "right"])), "{at}");
        let done = [EventKind::Completed, EventKind::TimerFired];
        let history = world.flows.history(&case.id, 0).unwrap();
        let done: Vec<_> = history.iter().filter(|e| done.contains(&e.kind)).collect();
        let items: BTreeSet<_> = done.iter().map(|e| e.item).collect();
        assert_eq!((done.len(), items.len()), (3, 3), "{at}: once each");
    }
}

#[test]
fn a_batch_survives_a_power_cut_at_every_change_of_the_disk() {
    let (io, clock) = (SimIo::new(), SimClock::new());
    let mut told = Told::default();
    run(&io, &clock, 1, &mut told).unwrap();
    check(&io, &clock, &told, "without a crash");
    let boundaries = io.boundaries();
    assert!(boundaries > 20, "only {boundaries}");
    let mut stops = 0;
    for boundary in 1..=boundaries {
        for image in Image::series(boundary, 3) {
            let (io, clock) = (SimIo::new(), SimClock::new());
            io.halt_at(boundary);
            let mut told = Told::default();
            let stopped = run(&io, &clock, 1, &mut told);
            let at = format!("boundary {boundary} of {boundaries}, {image:?}");
            stops += usize::from(stopped.is_err());
            let after = io.crash(&image);
            run(&after, &clock, 3, &mut told).unwrap_or_else(|e| panic!("{at}: {e}"));
            check(&after, &clock, &told, &at);
        }
    }
    // All but the last changes, those of closing.
    assert!(stops > 20 * 3, "only {stops} were cut off");
}
