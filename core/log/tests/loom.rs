//! Every schedule of a few threads that commit together (`cargo xtask loom`): group commit loses no wake-up,
//! acknowledges nothing that is not durable, and never goes back. And of a few that look at what one swaps.
#![cfg(all(test, statewright_loom))]

mod common;

use std::sync::Arc;

use common::*;
use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use statewright_log::sim::{self, Damage, Fault, Image, Op, SimIo};
use statewright_log::sync::Current;
use statewright_log::{Durability, Error, Log, LogOptions, SyncHooks, Timestamp};

/// Tries all schedules with at most so many switches that no thread asked for.
fn all_schedules(switches: usize, run: impl Fn() + Send + Sync + 'static) {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = count.clone();
    let run = move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        run();
    };
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.max_branches = 100_000;
    builder.check(run);
    println!(
        "{} schedules",
        count.load(std::sync::atomic::Ordering::Relaxed)
    );
}

/// What the store does around its log: one appends at a time, and versions that are durable never go back.
#[derive(Default)]
struct Owner {
    append: Mutex<()>,
    durable: Mutex<u64>,
}

impl SyncHooks for Owner {
    fn freeze(&self, take: &mut dyn FnMut()) {
        let _alone = self.append.lock().unwrap();
        take();
    }

    fn durable(&self, version: u64) {
        let mut durable = self.durable.lock().unwrap();
        assert!(version >= *durable, "from {} back to {version}", *durable);
        *durable = version;
    }
}

fn new_log() -> (SimIo, Arc<Log>, Arc<Owner>) {
    let io = SimIo::new();
    let options = LogOptions {
        durability: Durability::Strict,
        first_segment_bytes: 8192,
        segment_bytes: 8192,
        ..LogOptions::default()
    };
    let (log, _) = Log::open(sim::env(&io, 1), dir(), options, &mut |_| Ok(())).unwrap();
    (io, Arc::new(log), Arc::new(Owner::default()))
}

fn commit(log: &Log, owner: &Owner, bytes: usize) -> Result<u64, Error> {
    let version = {
        let _alone = owner.append.lock().unwrap();
        log.append(Timestamp::EPOCH, &vec![7; bytes])?
    };
    log.sync_to(version, owner)?;
    assert!(log.durable_version() >= version);
    Ok(version)
}

/// How many commits survive a power cut now that keeps nothing which was not synced.
fn survivors(io: &SimIo) -> u64 {
    let damage = Damage::Lose;
    let after = io.crash(&Image { damage, seed: 1 });
    let mut count = 0;
    let mut seen = |_: statewright_log::Frame<'_>| {
        count += 1;
        Ok(())
    };
    let opened = Log::open(sim::env(&after, 2), dir(), LogOptions::default(), &mut seen);
    drop(opened.unwrap());
    count
}

#[test]
fn whoever_is_acknowledged_is_durable() {
    all_schedules(3, || {
        let (io, log, owner) = new_log();
        let other = {
            let (io, log, owner) = (io.clone(), log.clone(), owner.clone());
            loom::thread::spawn(move || {
                let version = commit(&log, &owner, 10).unwrap();
                assert!(survivors(&io) >= version);
            })
        };
        let version = commit(&log, &owner, 20).unwrap();
        assert!(survivors(&io) >= version);
        assert!(
            *owner.durable.lock().unwrap() >= version,
            "the owner hears of it first"
        );
        other.join().unwrap();
        assert_eq!(log.durable_version(), 2);
    });
}

#[test]
fn three_committers_all_get_through() {
    all_schedules(2, || {
        let (io, log, owner) = new_log();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (log, owner) = (log.clone(), owner.clone());
                loom::thread::spawn(move || commit(&log, &owner, 10).unwrap())
            })
            .collect();
        commit(&log, &owner, 30).unwrap();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!((log.durable_version(), survivors(&io)), (3, 3));
    });
}

#[test]
fn a_new_segment_beside_a_sync_loses_nothing() {
    all_schedules(2, || {
        let (io, log, owner) = new_log();
        commit(&log, &owner, 3000).unwrap();
        let other = {
            let (log, owner) = (log.clone(), owner.clone());
            loom::thread::spawn(move || commit(&log, &owner, 3000).unwrap())
        };
        commit(&log, &owner, 500).unwrap();
        other.join().unwrap();
        assert_eq!(survivors(&io), 3);
    });
}

#[test]
fn after_a_failed_sync_nobody_is_acknowledged() {
    all_schedules(3, || {
        let (io, log, owner) = new_log();
        io.fail(Fault::once(Op::Sync, 1, std::io::ErrorKind::Other));
        let other = {
            let (log, owner) = (log.clone(), owner.clone());
            loom::thread::spawn(move || commit(&log, &owner, 10))
        };
        let mine = commit(&log, &owner, 20);
        for result in [mine, other.join().unwrap()] {
            assert!(matches!(result, Err(Error::Poisoned { .. })), "{result:?}");
        }
        assert_eq!(log.durable_version(), 0);
    });
}

/// Closing makes everything durable by itself, without the hooks.
#[test]
fn closing_beside_a_commit_acknowledges_it_or_refuses_it() {
    all_schedules(3, || {
        let (io, log, owner) = new_log();
        let other = {
            let (io, log, owner) = (io.clone(), log.clone(), owner.clone());
            loom::thread::spawn(move || match commit(&log, &owner, 10) {
                Ok(version) => assert!(survivors(&io) >= version),
                Err(e) => assert!(matches!(e, Error::Closed), "{e}"),
            })
        };
        log.close().unwrap();
        other.join().unwrap();
    });
}

/// What is looked at, and counts how many of it there are.
struct Thing {
    /// Whether its owner has it for himself.
    alone: AtomicBool,
    there: Arc<std::sync::atomic::AtomicUsize>,
}

impl Thing {
    fn new(there: &Arc<std::sync::atomic::AtomicUsize>) -> Thing {
        there.fetch_add(1, SeqCst);
        Thing {
            alone: AtomicBool::new(false),
            there: there.clone(),
        }
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.there.fetch_sub(1, SeqCst);
    }
}

/// Swaps something in and out twice, while others look. Whoever swaps it out and finds that nobody holds it is alone
/// with it, and in the end nothing is left.
fn looks(lookers: usize, switches: usize) {
    all_schedules(switches, move || {
        let there = Arc::default();
        let current = Arc::new(Current::default());
        let looking = (0..lookers).map(|_| {
            let current = current.clone();
            loom::thread::spawn(move || {
                for keep in [false, true] {
                    let Some(look) = current.look() else {
                        continue;
                    };
                    let look: statewright_log::sync::Look<'_, Thing> = look;
                    assert!(!look.alone.load(SeqCst));
                    let kept = keep.then(|| look.keep());
                    look.end();
                    assert!(kept.is_none_or(|kept| !kept.alone.load(SeqCst)));
                }
            })
        });
        let looking: Vec<_> = looking.collect();
        for _ in 0..2 {
            assert!(current.swap(Some(Arc::new(Thing::new(&there)))).is_none());
            let mut was = current.swap(None).unwrap();
            if let Some(own) = Arc::get_mut(&mut was) {
                own.alone.store(true, SeqCst);
            }
        }
        for thread in looking {
            thread.join().unwrap();
        }
        assert_eq!(there.load(SeqCst), 0);
    });
}

/// What is changed where it is.
struct Both {
    /// Loom tells if somebody reads it while it is written.
    cell: UnsafeCell<[u32; 2]>,
    /// The same for those who keep it: loom does not see the references that std counts.
    number: AtomicU32,
}

// SAFETY: whoever changes it is alone with it; loom would tell if not.
unsafe impl Sync for Both {}

/// Changes something where it is, twice, while others look. Nobody sees it half changed or go back, nor change while he
/// keeps it.
fn changes(lookers: usize, switches: usize) {
    all_schedules(switches, move || {
        let current: Arc<Current<Both>> = Arc::default();
        current.swap(Some(Arc::new(Both {
            cell: UnsafeCell::new([0, 0]),
            number: AtomicU32::new(0),
        })));
        let looking = (0..lookers).map(|_| {
            let current = current.clone();
            loom::thread::spawn(move || {
                let mut last = 0;
                for keep in [false, true] {
                    let Some(look) = current.look() else {
                        continue;
                    };
                    // SAFETY: as above.
                    let [one, other] = look.cell.with(|both| unsafe { *both });
                    assert!(one == other && one >= last);
                    last = one;
                    let kept = keep.then(|| look.keep());
                    look.end();
                    assert!(kept.is_none_or(|kept| kept.number.load(SeqCst) == one));
                }
            })
        });
        let looking: Vec<_> = looking.collect();
        for n in 1..=2 {
            if let Some(own) = current.alone(|| ()) {
                own.number.store(n, SeqCst);
                // SAFETY: as above.
                own.cell.with_mut(|both| unsafe { *both = [n, n] });
                own.show();
            }
        }
        for thread in looking {
            thread.join().unwrap();
        }
    });
}

#[test]
fn who_changes_something_where_it_is_is_alone_with_it() {
    changes(1, 4);
    changes(2, 2);
}

#[test]
fn who_swaps_something_out_that_nobody_holds_is_alone_with_it() {
    looks(1, 5);
    looks(2, 2);
}
