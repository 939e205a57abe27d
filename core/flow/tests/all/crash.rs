//! A power cut before every single change of the disk, then recovery: the case ends the same way, and no task whose
//! completion was acknowledged runs again.

use std::collections::BTreeSet;

use crate::common::{Answer, World};
use statewright_flow::{Error, EventKind, Failure, Status, WorkItem};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Value, value};

const EVERYTHING: &str = "
name: all
version: 1
tasks:
  begin: { kind: set, set: { .n: '0' }, split: and, next: [left, right, pause] }
  left: { kind: host, topic: a, next: join, retry: { attempts: 3, delay: 1s } }
  right: { kind: process, run: [true], stdout: json, next: join, timeout: 10s }
  pause: { kind: wait, for: 2s, next: join }
  join:
    kind: set
    join: and
    set: { .n: '.n + 1' }
    split: xor
    next: [{ to: odd, when: '.n % 2 == 1' }, { to: even }]
  odd: { kind: log, message: '\"odd\"', next: last }
  even: { kind: log, message: '\"even\"', next: last }
  last: { kind: host, topic: b, join: xor, input: '{left, right}' }
output: '{n, left, right, last}'
document: '\"report\"'
";

fn answer(item: &WorkItem) -> Answer {
    // The host says no to the first attempt it sees, but an attempt may also be lost to a crash.
    if item.task == "left" && item.attempt == 1 {
        Err(Failure::new("busy", "later"))
    } else {
        Ok(value!(7))
    }
}

fn expected() -> Value {
    value!({"n": 1, "left": 7, "right": 7, "last": 7})
}

/// Deploys, starts and drives until done or until the disk fails; notes which completions were acknowledged.
fn run(
    io: &SimIo,
    clock: &SimClock,
    seed: u64,
    acknowledged: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let world = World::on_disk(io, clock, seed)?;
    world.flows.deploy(EVERYTHING, None)?;
    match world.flows.start("all", &Value::NULL, Some("case")) {
        Ok(_) | Err(Error::CaseExists { .. }) => {}
        Err(e) => return Err(e),
    }
    for case in world.flows.open_cases(None, 10)? {
        world.flows.release(&case)?;
    }
    let seen = std::cell::RefCell::new(acknowledged);
    let last = std::cell::RefCell::new(None::<String>);
    world.drive(|item| {
        // Being asked for the next item means that the one before was acknowledged.
        if let Some(key) = last.borrow_mut().take() {
            seen.borrow_mut().insert(key);
        }
        assert!(
            !seen.borrow().contains(&item.idempotency_key),
            "{} ran again after completion",
            item.task
        );
        let answer = answer(item);
        *last.borrow_mut() = answer.is_ok().then(|| item.idempotency_key.clone());
        answer
    })
}

fn check(io: &SimIo, clock: &SimClock, seed: u64, at: &str) {
    let world = World::on_disk(io, clock, seed).unwrap();
    let info = world.flows.case("case").unwrap();
    assert_eq!(
        (info.status, info.result),
        (Status::Completed, Some(expected())),
        "{at}"
    );
    assert!(info.marking.is_empty() && info.items.is_empty(), "{at}");
    let history = world.flows.history("case", 0).unwrap();
    let numbers: Vec<u64> = history.iter().map(|e| e.seq).collect();
    assert_eq!(
        numbers,
        (1..=history.len() as u64).collect::<Vec<_>>(),
        "{at}: no event is lost or doubled"
    );
    let mut done = BTreeSet::new();
    for event in history
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Completed | EventKind::TimerFired))
    {
        assert!(
            done.insert(event.item),
            "{at}: item {:?} completed twice",
            event.item
        );
    }
    assert_eq!(done.len(), 4, "{at}");
    assert_eq!(world.flows.next_due().unwrap(), None, "{at}");
}

#[test]
fn a_case_survives_a_power_cut_at_every_change_of_the_disk() {
    let (io, clock) = (SimIo::new(), SimClock::new());
    run(&io, &clock, 1, &mut BTreeSet::new()).unwrap();
    let boundaries = io.boundaries();
    check(&io, &clock, 2, "without a crash");
    assert!(boundaries > 30, "only {boundaries}");
    for boundary in 1..=boundaries {
        for image in Image::series(boundary, 4) {
            let (io, clock) = (SimIo::new(), SimClock::new());
            io.halt_at(boundary);
            let mut acknowledged = BTreeSet::new();
            let stopped = run(&io, &clock, 1, &mut acknowledged);
            let at = format!("boundary {boundary} of {boundaries}, {image:?}");
            // The last changes are those of closing, which a drop does not report.
            assert!(
                stopped.is_err() || boundary + 3 > boundaries,
                "{at}: the crash did not happen"
            );
            let after = io.crash(&image);
            run(&after, &clock, 3, &mut acknowledged).unwrap_or_else(|e| panic!("{at}: {e}"));
            check(&after, &clock, 4, &at);
        }
    }
}
