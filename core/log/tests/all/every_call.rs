//! Every call to the disk fails in turn: what the log says about it, and that nothing acknowledged is lost.

use std::io::ErrorKind;

use crate::common::*;
use statewright_log::sim::{self, Damage, Fault, Image, Op, SimIo};
use statewright_log::{Durability, Error, Io, Log, LogOptions, Timestamp};

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

/// The sizes of the commits of a life, one after the other.
const LENS: [usize; 24] = [
    10, 700, 0, 1500, 452, 3, 2000, 900, 40, 1200, 800, 5, 600, 1700, 1, 300, 2500, 64, 128, 999,
    10, 20, 30, 3900,
];

/// What a life came to.
#[derive(Default)]
struct Life {
    acknowledged: usize,
    failures: Vec<Error>,
}

/// Opens, appends, syncs, reads, starts segments, closes; three times over. Ends with the first failure, except that a
/// full disk is tried once more.
fn live(io: &SimIo, options: &LogOptions) -> Life {
    let mut life = Life::default();
    for session in 1..=3 {
        if let Err(error) = session_of(io, options, session * LENS.len() / 3, &mut life) {
            life.failures.push(error);
            break;
        }
    }
    life
}

fn session_of(
    io: &SimIo,
    options: &LogOptions,
    until: usize,
    life: &mut Life,
) -> Result<(), Error> {
    let (log, _, commits) = try_open(sim::env(io, 3), dir(), options.clone())?;
    assert!(commits.len() >= life.acknowledged);
    assert_prefix(&commits, &LENS);
    let first = commits.len();
    for (i, len) in LENS.iter().enumerate().take(until).skip(first) {
        let (time, ops) = (
            Timestamp::from_micros(i as i64),
            payload(i as u64 + 1, *len),
        );
        if let Err(error) = log.append(time, &ops) {
            if error.code() != 305 {
                assert_eq!(error.code(), 303, "{error}");
                return Err(error);
            }
            // Nothing was appended, and the log goes on.
            life.failures.push(error);
            log.append(time, &ops)?;
        }
        if options.durability == Durability::Buffered {
            life.acknowledged = life.acknowledged.max(i + 1);
        }
        if i % 2 == 0 {
            log.sync_to(u64::MAX, &())?;
            life.acknowledged = life.acknowledged.max(i + 1);
        }
        if i % 3 == 1
            && let Err(error) = log.make_ready()
        {
            // The log goes on without.
            life.failures.push(error);
        }
        if i % 5 == 0 {
            log.read(1, &mut |_| Ok(true))?;
        }
    }
    log.close()?;
    life.acknowledged = until;
    Ok(())
}

fn options(durability: Durability) -> LogOptions {
    LogOptions {
        reserve_bytes: 4096,
        pad: durability == Durability::Buffered,
        ..small(durability)
    }
}

/// How a call fails, and how much of a write is done before.
const FAILURES: [(ErrorKind, usize); 7] = [
    (ErrorKind::Other, 0),
    (ErrorKind::Other, 13),
    (ErrorKind::Other, 700),
    (ErrorKind::StorageFull, 0),
    (ErrorKind::StorageFull, 100),
    (ErrorKind::WriteZero, 600),
    (ErrorKind::PermissionDenied, 0),
];

#[test]
fn every_call_once_and_for_ever() {
    let mut failed = 0;
    for durability in [Durability::Strict, Durability::Buffered] {
        for op in OPS {
            for (error, partial) in FAILURES {
                if partial == 0 || op == Op::Write {
                    for forever in [false, true] {
                        let fault = Fault {
                            forever,
                            ..Fault::once(op, 1, error).partial(partial)
                        };
                        failed += every_kth(&options(durability), &fault);
                    }
                }
            }
        }
    }
    assert!(failed > 1500, "{failed}");
}

/// Lets the first call fail, then the second, …; returns how many there were.
fn every_kth(options: &LogOptions, fault: &Fault) -> u64 {
    let durability = options.durability;
    for nth in 1.. {
        let io = SimIo::new();
        let fault = Fault {
            nth,
            ..fault.clone()
        };
        let what = format!("{durability} {fault:?}");
        io.fail(fault);
        let life = live(&io, options);
        if io.failed() == 0 {
            assert!(life.failures.is_empty() && life.acknowledged == LENS.len());
            return nth - 1;
        }
        after(&io, options, &life, &what);
    }
    0
}

/// What holds after a failure, for the next process, and after a power cut.
fn after(io: &SimIo, options: &LogOptions, life: &Life, what: &str) {
    for error in &life.failures {
        assert!(
            [300, 303, 305, 306].contains(&error.code()),
            "{what}: {error}"
        );
    }
    io.heal();
    let power = io.crash(&Image {
        damage: Damage::Lose,
        seed: 1,
    });
    let strict = options.durability == Durability::Strict;
    for (io, at_least) in [
        (io, life.acknowledged),
        (&power, if strict { life.acknowledged } else { 0 }),
    ] {
        let (log, _, commits) = try_open(sim::env(io, 4), dir(), options.clone())
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_prefix(&commits, &LENS);
        let count = commits.len();
        assert!(count >= at_least, "{what}: {count} of {at_least}");
        log.sync_to(log.append(Timestamp::EPOCH, b"on we go").unwrap(), &())
            .unwrap();
        log.close().unwrap();
        let found = Log::verify_folder(&sim::env(io, 5), dir(), None, &mut sound).unwrap();
        assert!(found.damage.is_empty(), "{what}: {found:?}");
        assert_eq!(found.commits as usize, count + 1, "{what}");
    }
}

#[test]
fn looking_and_repairing_fail_with_a_reason_and_can_be_done_again() {
    let whole = SimIo::new();
    live(&whole, &options(Durability::Strict));
    whole
        .edit(&dir().join("0000000002.swlog"), |bytes| bytes[5000] ^= 1)
        .unwrap();
    let mut failed = 0;
    for op in OPS {
        for nth in 1.. {
            let io = SimIo::from_disk(whole.disk());
            io.fail(Fault::once(op, nth, ErrorKind::Other));
            let done = Log::repair(&sim::env(&io, 1), dir(), None, &mut sound);
            if io.failed() == 0 {
                assert!(done.unwrap().changed);
                break;
            }
            failed += 1;
            if let Err(error) = done {
                assert_eq!(error.code(), 300, "{error}");
            }
            io.heal();
            Log::repair(&sim::env(&io, 2), dir(), None, &mut sound).unwrap();
            let strict = small(Durability::Strict);
            let (_, _, commits) = try_open(sim::env(&io, 3), dir(), strict).unwrap();
            assert_prefix(&commits, &LENS);
            assert!(!commits.is_empty(), "{op:?} {nth}");
        }
    }
    assert!(failed > 30, "{failed}");
}

#[test]
fn the_reserve_lets_a_torn_log_open_on_a_full_disk() {
    let reserve = dir().join("statewright.reserve");
    let options = options(Durability::Strict);
    let io = SimIo::new();
    let (log, ..) = try_open(sim::env(&io, 1), dir(), options.clone()).unwrap();
    assert_eq!(io.read(&reserve, 1 << 20).unwrap().len(), 4096);
    append_synced(&log, 100);
    append_synced(&log, 100);
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
    let without = SimIo::from_disk(io.disk());
    without.remove(&reserve).unwrap();
    let full = |io: &SimIo| {
        // Neither the usual size fits nor the smallest.
        io.fail(Fault::once(Op::Write, 1, ErrorKind::StorageFull));
        io.fail(Fault::once(Op::Write, 2, ErrorKind::StorageFull));
    };
    full(&io);
    let (log, recovery, commits) = try_open(sim::env(&io, 2), dir(), options.clone()).unwrap();
    assert_eq!((commits.len(), recovery.rewritten, io.failed()), (2, 1, 2));
    append_synced(&log, 100);
    assert!(
        io.exists(&reserve).unwrap(),
        "made again, now that there is room"
    );
    assert!(log.spend_reserve().unwrap() && !log.spend_reserve().unwrap());
    drop(log);

    // Without one it is said that there is no space, and nothing is lost.
    full(&without);
    let refused = try_open(sim::env(&without, 2), dir(), options.clone()).unwrap_err();
    assert_eq!(refused.code(), 305);
    let (_, _, commits) = try_open(sim::env(&without, 3), dir(), options).unwrap();
    assert_eq!(commits.len(), 2);
}

/// If commits took it, there would be none when the store is to be opened after a crash.
#[test]
fn commits_on_a_full_disk_leave_the_reserve_alone() {
    let reserve = dir().join("statewright.reserve");
    let options = options(Durability::Strict);
    let io = SimIo::new();
    let (log, ..) = try_open(sim::env(&io, 1), dir(), options.clone()).unwrap();
    append_synced(&log, 3000);
    for nth in 1..=2 {
        io.fail(Fault::once(Op::Write, nth, ErrorKind::StorageFull));
    }
    let refused = log.append(Timestamp::EPOCH, &payload(2, 3000));
    assert_eq!(refused.unwrap_err().code(), 305);
    assert!(io.exists(&reserve).unwrap());
    append_synced(&log, 3000);
    log.close().unwrap();
    let (_, _, commits) = try_open(sim::env(&io, 2), dir(), options).unwrap();
    assert_eq!(commits.len(), 2);
}

#[test]
fn a_reserve_is_as_large_as_the_last_opening_wants_it() {
    let reserve = dir().join("statewright.reserve");
    let io = SimIo::new();
    for reserve_bytes in [4096, 9000, 5000, 0, 0, 4096] {
        let options = LogOptions {
            reserve_bytes,
            ..options(Durability::Strict)
        };
        drop(try_open(sim::env(&io, 1), dir(), options).unwrap());
        let size = io.size(&reserve).unwrap_or_default();
        assert_eq!(size, reserve_bytes);
    }
    let env = sim::env(&io, 1);
    drop(try_open(env, dir(), LogOptions::default()).unwrap());
    assert!(!io.exists(&reserve).unwrap());
}
