//! Failing calls: in every scenario of the store, every call of every kind fails once, with every error that it can
//! have, and from there on for ever. Each time there is a typed error or none, nothing that was acknowledged is lost,
//! and opening again is clean.

use std::io::ErrorKind;

use statewright_log::sim::{Fault, Op};
use statewright_tests::crash::store::{Act, StoreScenario, all, with_fault};

/// The ways in which a call can fail.
fn failures(op: Op, nth: u64) -> Vec<Fault> {
    let mut faults = vec![
        Fault::once(op, nth, ErrorKind::Other),
        Fault::forever(op, nth, ErrorKind::Other),
    ];
    match op {
        Op::Write => {
            for partial in [1, 60, 700] {
                faults.push(Fault::once(op, nth, ErrorKind::Other).partial(partial));
            }
            faults.push(Fault::once(op, nth, ErrorKind::StorageFull).partial(100));
            faults.push(Fault::once(op, nth, ErrorKind::Interrupted));
            faults.push(Fault::forever(op, nth, ErrorKind::StorageFull));
        }
        Op::Create | Op::Sync | Op::SetLen | Op::Rename => {
            faults.push(Fault::once(op, nth, ErrorKind::StorageFull));
            faults.push(Fault::forever(op, nth, ErrorKind::StorageFull));
        }
        Op::Read => faults.push(Fault::once(op, nth, ErrorKind::Interrupted)),
        _ => {}
    }
    faults
}

const OPS: [Op; 10] = [
    Op::Create,
    Op::Write,
    Op::Sync,
    Op::SetLen,
    Op::Rename,
    Op::Remove,
    Op::SyncDir,
    Op::Open,
    Op::Read,
    Op::List,
];

fn without_faults() -> impl Iterator<Item = StoreScenario> {
    let fails = |act: &Act| matches!(act, Act::Fail(_));
    all()
        .into_iter()
        .filter(move |scenario| !scenario.acts.iter().any(fails))
}

/// Every second scenario, so that two threads share them.
fn every_call_fails_in_every_way(first: usize) {
    let (mut runs, mut problems) = (0, Vec::new());
    for scenario in without_faults().skip(first).step_by(2) {
        let calm = with_fault(&scenario, None, 1).unwrap();
        for op in OPS {
            for nth in 1..=calm.calls(op) {
                for fault in failures(op, nth) {
                    match with_fault(&scenario, Some(fault.clone()), 1) {
                        // The last calls come after everything was mended.
                        Ok(io) => runs += u64::from(io.failed() > 0),
                        Err(e) => problems.push(format!("{}: {fault:?}: {e}", scenario.name)),
                    }
                }
            }
        }
    }
    problems.truncate(10);
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(runs > 1500, "{runs}");
}

#[test]
fn every_call_fails_in_every_way_and_nothing_is_lost() {
    every_call_fails_in_every_way(0);
}

#[test]
fn every_call_fails_in_every_way_and_nothing_is_lost_either() {
    every_call_fails_in_every_way(1);
}
