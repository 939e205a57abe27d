//! Random histories against a model: what was acknowledged is there, what is there was written.

use std::io::ErrorKind;

use crate::common::*;
use proptest::prelude::*;
use statewright_log::sim::{Fault, Image, Op, SimIo};
use statewright_log::{Durability, Timestamp};

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Close,
    Kill,
    Crash(u64),
    Fail(Op, u64, usize),
}

const FAILING: [Op; 5] = [Op::Write, Op::Sync, Op::Rename, Op::SyncDir, Op::Create];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => prop_oneof![0..200_usize, 0..3000_usize].prop_map(Step::Append),
        4 => Just(Step::Sync),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => (prop::sample::select(FAILING.to_vec()), 1..4_u64, 0..500_usize)
            .prop_map(|(op, nth, partial)| Step::Fail(op, nth, partial)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost(strict in any::<bool>(), steps in prop::collection::vec(step(), 1..60)) {
        let durability = if strict { Durability::Strict } else { Durability::Buffered };
        let mut io = SimIo::new();
        let mut lens: Vec<usize> = Vec::new(); // what was written; appends that failed may be in the log too
        let (mut log, _, _) = open(&io, durability);
        for step in steps {
            let acknowledged = log.durable_version() as usize;
            let kernel = if durability == Durability::Buffered { log.last_version() as usize } else { acknowledged };
            let at_least = match step {
                Step::Append(len) => {
                    let version = lens.len() as u64 + 1;
                    if log.append(Timestamp::EPOCH, &payload(version, len)).is_ok() {
                        lens.push(len);
                        continue;
                    }
                    prop_assert!(io.failed() > 0);
                    lens.push(len);
                    kernel
                }
                Step::Sync => match log.sync_to(u64::MAX, &()) {
                    Ok(()) => continue,
                    Err(_) => {
                        prop_assert!(io.failed() > 0);
                        acknowledged
                    }
                },
                Step::Close => {
                    let all = lens.len();
                    if log.close().is_ok() { all } else { acknowledged }
                }
                Step::Kill => {
                    io.halt_at(io.boundaries());
                    kernel
                }
                Step::Crash(seed) => {
                    let damage = Image::DAMAGES[seed as usize % Image::DAMAGES.len()];
                    let crashed = io.crash(&Image { damage, seed });
                    io = crashed;
                    acknowledged
                }
                Step::Fail(op, nth, partial) => {
                    io.fail(Fault::once(op, nth, ErrorKind::Other).partial(partial));
                    continue;
                }
            };
            // Whatever happened, the next opening finds everything acknowledged and nothing that was not written.
            drop(log);
            io.resume();
            io.heal();
            let (opened, recovery, commits) = open(&io, durability);
            assert_prefix(&commits, &lens);
            prop_assert!(commits.len() >= at_least, "{} of {at_least}", commits.len());
            prop_assert_eq!(opened.durable_version(), commits.len() as u64);
            prop_assert_eq!(recovery.frames, commits.len() as u64);
            let mut again = Commits::new();
            opened.read(1, &mut |frame| { again.push((frame.version, frame.ops.to_vec())); Ok(true) }).unwrap();
            prop_assert_eq!(&again, &commits);
            lens.truncate(commits.len());
            log = opened;
        }
    }
}
