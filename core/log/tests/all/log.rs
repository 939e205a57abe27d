//! Appending, syncing, reading, reopening.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::*;
use parking_lot::Mutex;
use statewright_log::sim::{self, Damage, Fault, Image, Op, SimIo};
use statewright_log::{Durability, Env, Error, Io, Log, LogOptions, SyncHooks, Timestamp};

#[test]
fn commits_come_back_in_order_over_many_segments_and_openings() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let io = SimIo::new();
        let lens: Vec<usize> = (0..60).map(|i| i * 53 % 700).collect();
        let mut written = 0;
        for opening in 0..6 {
            let (log, recovery, commits) = open(&io, durability);
            assert_eq!(commits.len(), written, "opening {opening}");
            assert_prefix(&commits, &lens);
            assert!(recovery.clean);
            assert_eq!((recovery.cut_bytes, recovery.rewritten), (0, 0));
            for len in &lens[written..written + 10] {
                append(&log, *len);
            }
            written += 10;
            log.sync_to(written as u64, &()).unwrap();
            assert_eq!(
                (log.last_version(), log.durable_version()),
                (written as u64, written as u64)
            );
            log.close().unwrap();
        }
        let (log, recovery, _) = open(&io, durability);
        assert!(recovery.segments > 2, "{recovery:?}");
        assert_eq!(recovery.frames, 60);
        assert_eq!(recovery.bytes, lens.iter().sum::<usize>() as u64);
        assert_eq!(log.durability(), durability);
    }
}

#[test]
fn each_commit_names_the_hash_of_the_one_before() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    let mut hash = log.last_hash(); // of the empty log: the identity of the store
    for _ in 0..100 {
        append_synced(&log, 100);
    }
    log.read(1, &mut |frame| {
        assert_eq!(frame.prev, hash);
        assert_eq!(frame.time, Timestamp::from_micros(frame.version as i64));
        hash = frame.hash;
        Ok(true)
    })
    .unwrap();
    assert_eq!(hash, log.last_hash());
    drop(log);
    assert_eq!(open(&io, Durability::Strict).0.last_hash(), hash);
}

#[test]
fn read_starts_and_stops_where_it_is_told() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for _ in 0..100 {
        append_synced(&log, 150);
    }
    append(&log, 10); // not durable, so not to be seen
    for from in [1, 2, 37, 100, 101, 102] {
        let mut seen = Vec::new();
        log.read(from, &mut |frame| {
            seen.push(frame.version);
            Ok(frame.version < 90 || from >= 90)
        })
        .unwrap();
        let until = if from >= 90 { 100 } else { 90 };
        assert_eq!(seen, (from..=until).collect::<Vec<u64>>());
    }
    let stop = log.read(5, &mut |frame| {
        Err(Error::rejected(frame.version, "not today"))
    });
    assert!(matches!(stop, Err(Error::Rejected { version: 5, .. })));
}

#[test]
fn buffered_readers_see_what_the_kernel_has() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Buffered);
    append(&log, 10);
    assert_eq!((log.last_version(), log.durable_version()), (1, 0));
    let mut seen = 0;
    log.read(1, &mut |_| {
        seen += 1;
        Ok(true)
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn memory_keeps_nothing_and_takes_everything_as_durable() {
    let (env, io, _) = sim::world(1);
    let options = LogOptions {
        durability: Durability::Memory,
        ..LogOptions::default()
    };
    let (log, _, _) = try_open(env, dir(), options).unwrap();
    assert_eq!(append_synced(&log, 10), 1);
    assert_eq!(append(&log, 10), 2);
    assert_eq!(
        (log.durable_version(), log.durability()),
        (2, Durability::Memory)
    );
    log.close().unwrap();
    assert_eq!(io.boundaries(), 0);
}

#[test]
fn a_commit_larger_than_a_segment_gets_one_of_its_own_and_one_over_the_limit_is_refused() {
    let io = SimIo::new();
    let options = LogOptions {
        max_commit_bytes: 100_000,
        ..small(Durability::Strict)
    };
    let (log, _, _) = try_open(sim::env(&io, 1), dir(), options.clone()).unwrap();
    let lens = [10, 100_000, 10, 0];
    for len in lens {
        append_synced(&log, len);
    }
    let refused = log.append(Timestamp::EPOCH, &[0; 100_001]);
    assert!(matches!(
        refused,
        Err(Error::FrameTooLarge {
            bytes: 100_001,
            limit: 100_000
        })
    ));
    drop(log);
    let (log, recovery, commits) = try_open(sim::env(&io, 2), dir(), options).unwrap();
    assert_prefix(&commits, &lens);
    assert_eq!(commits.len(), 4);
    assert_eq!(recovery.segments, 2);
    append_synced(&log, 5);
}

#[test]
fn segments_grow_with_the_log() {
    let io = SimIo::new();
    let options = LogOptions {
        first_segment_bytes: 8192,
        segment_bytes: 65_536,
        ..LogOptions::default()
    };
    let (log, _, _) = try_open(sim::env(&io, 1), dir(), options).unwrap();
    for _ in 0..300 {
        append_synced(&log, 1000);
    }
    let sizes: Vec<usize> = (1..=7)
        .map(|n| {
            let mut size = 0;
            io.clone()
                .edit(&dir().join(format!("{n:010}.swlog")), |bytes| {
                    size = bytes.len()
                })
                .unwrap();
            size
        })
        .collect();
    assert_eq!(sizes[..2], [8192, 8192]);
    assert_eq!(sizes.last(), Some(&65_536));
    assert!(sizes.is_sorted(), "{sizes:?}");
}

#[test]
fn a_closed_log_says_so() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    append(&log, 10);
    log.close().unwrap();
    log.close().unwrap();
    assert_eq!(log.durable_version(), 1);
    assert!(matches!(
        log.append(Timestamp::EPOCH, b"x"),
        Err(Error::Closed)
    ));
    assert_eq!(log.append(Timestamp::EPOCH, b"x").unwrap_err().code(), 106);
    log.sync_to(1, &()).unwrap();
    let (_, _, commits) = open(&io, Durability::Strict); // the folder is free again
    assert_eq!(commits.len(), 1);
}

#[test]
fn stats_count_what_happened() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for _ in 0..3 {
        append(&log, 4);
    }
    log.sync_to(3, &()).unwrap();
    append_synced(&log, 4);
    log.sync_to(4, &()).unwrap();
    let stats = log.stats();
    assert_eq!((stats.commits, stats.syncs, stats.batch_max), (4, 2, 3));
    assert_eq!((stats.batches, stats.batch_min), (2, 1));
    assert_eq!((stats.batch_mean(), stats.bytes_per_commit()), (2.0, 64.0));
    assert_eq!(stats.batch_sizes[..3], [1, 1, 0]);
    assert_eq!(
        (stats.durability, stats.mapped),
        (Durability::Strict, false)
    );
    assert_eq!(stats.bytes, 4 * 64);
    assert_eq!(stats.segments_started, 0);
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    let io = SimIo::new();
    for killed in 1..5_u64 {
        let (log, recovery, commits) = open(&io, Durability::Buffered);
        assert_eq!(commits.len() as u64, (killed - 1) * 7);
        assert_eq!(recovery.clean, killed == 1);
        assert_eq!(recovery.segments, killed);
        for _ in 0..7 {
            append(&log, 20);
        }
        // No destructor runs in a killed process, but its lock ends.
        io.halt_at(io.boundaries());
        drop(log);
        io.heal();
        io.resume();
    }
}

#[test]
fn after_a_kill_only_the_last_batch_is_written_again() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for _ in 0..20 {
        append_synced(&log, 20);
    }
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
    let (log, recovery, commits) = open(&io, Durability::Strict);
    assert_eq!(
        (commits.len(), recovery.rewritten, recovery.cut_bytes),
        (20, 1, 0)
    );
    // And opening again after another kill without commits has nothing left to do.
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
    let (_, recovery, commits) = open(&io, Durability::Strict);
    assert_eq!(
        (commits.len(), recovery.rewritten, recovery.clean),
        (20, 0, true)
    );
}

/// The owner of a log that appends from several threads: a mutex around append, as a store has it.
struct Owner {
    log: Log,
    order: Mutex<u64>,
    frozen: AtomicU64,
    durable: AtomicU64,
}

impl Owner {
    fn new(log: Log) -> Owner {
        Owner {
            log,
            order: Mutex::new(0),
            frozen: AtomicU64::new(0),
            durable: AtomicU64::new(0),
        }
    }

    fn commit(&self, len: usize) -> u64 {
        let version = {
            let mut last = self.order.lock();
            *last = append(&self.log, len);
            *last
        };
        self.log.sync_to(version, self).unwrap();
        assert!(
            self.durable.load(Ordering::SeqCst) >= version,
            "told the hook before the caller"
        );
        version
    }
}

impl SyncHooks for Owner {
    fn freeze(&self, take: &mut dyn FnMut()) {
        let last = self.order.lock();
        take();
        take(); // a second call is ignored
        self.frozen.store(*last, Ordering::SeqCst);
    }

    fn durable(&self, version: u64) {
        assert_eq!(
            version,
            self.frozen.load(Ordering::SeqCst),
            "exactly what was frozen is durable"
        );
        assert!(
            self.durable.swap(version, Ordering::SeqCst) < version,
            "durable versions only grow"
        );
    }
}

#[test]
fn threads_share_syncs_and_lose_nothing() {
    const THREADS: usize = 8;
    const COMMITS: usize = 150;
    let temp = tempfile::tempdir().unwrap();
    for durability in [Durability::Strict, Durability::Buffered] {
        let dir = temp.path().join(durability.to_string());
        let (log, _, _) = try_open(Env::real(), &dir, small(durability)).unwrap();
        let owner = Owner::new(log);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let owner = &owner;
                scope.spawn(move || {
                    for i in 0..COMMITS {
                        owner.commit(thread * 10 + i);
                    }
                });
            }
        });
        let stats = owner.log.stats();
        let total = (THREADS * COMMITS) as u64;
        assert_eq!((stats.commits, owner.log.durable_version()), (total, total));
        assert!(stats.syncs < total, "{stats:?}");
        assert!(stats.batch_max > 1, "{stats:?}");
        drop(owner);
        let (_, recovery, commits) = try_open(Env::real(), &dir, small(durability)).unwrap();
        assert_eq!(commits.len() as u64, total);
        assert!(recovery.clean);
        for (version, ops) in commits {
            assert_eq!(ops, payload(version, ops.len()));
        }
    }
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    struct Panics;
    impl SyncHooks for Panics {
        fn freeze(&self, _take: &mut dyn FnMut()) {
            panic!("in the hook");
        }
        fn durable(&self, _version: u64) {}
    }
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    append(&log, 10);
    assert_eq!(log.stats().failed, None);
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.sync_to(1, &Panics)));
    assert!(outcome.is_err());
    assert!(matches!(log.sync_to(1, &()), Err(Error::Poisoned { .. })));
    let failed = log.stats().failed.unwrap();
    assert!(failed.contains("panicked"), "{failed}");
}

#[test]
fn a_log_of_its_own_is_not_disturbed_by_other_files_beside_it() {
    let io = SimIo::new();
    drop(open(&io, Durability::Strict));
    let file = statewright_log::Io::open(
        &io,
        &dir().join("notes.txt"),
        statewright_log::OpenMode::CreateNew,
    )
    .unwrap();
    file.write_all_at(b"hello", 0).unwrap();
    drop(open(&io, Durability::Strict));
}

#[test]
fn creating_a_store_makes_every_new_folder_durable() {
    let io = SimIo::new();
    let deep = dir().join("a/b/c");
    let (log, _, _) = try_open(sim::env(&io, 1), &deep, small(Durability::Strict)).unwrap();
    append_synced(&log, 10);
    let io = io.crash(&Image {
        damage: Damage::Lose,
        seed: 1,
    });
    let (_, _, commits) = try_open(sim::env(&io, 1), &deep, small(Durability::Strict)).unwrap();
    assert_eq!(commits.len(), 1);
}

#[test]
fn opening_for_the_first_time_takes_few_changes() {
    let io = SimIo::new();
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let ops = seen.clone();
    io.on_change(move |change, _| ops.lock().push(change.op));
    drop(open(&io, Durability::Strict));
    use Op::*;
    let folders = [Create, SyncDir, Create, SyncDir];
    let lock_and_names = [Create, SyncDir, SyncDir];
    let segment = [Create, Write, Sync, Rename, SyncDir, Write];
    let expected = [&folders[..], &lock_and_names, &segment].concat();
    assert_eq!(*seen.lock(), expected);
}

#[test]
fn a_folder_somebody_else_made_is_made_durable_too() {
    let io = SimIo::new();
    io.create_dir_all(dir().parent().unwrap()).unwrap();
    io.create_dir(dir()).unwrap(); // and not synced
    let (log, _, _) = open(&io, Durability::Strict);
    append_synced(&log, 10);
    let io = io.crash(&Image {
        damage: Damage::Lose,
        seed: 1,
    });
    assert_eq!(open(&io, Durability::Strict).2.len(), 1);
}

#[test]
fn folders_that_an_interrupted_opening_left_are_made_durable_by_the_next() {
    let io = SimIo::new();
    io.fail(Fault::once(Op::SyncDir, 1, std::io::ErrorKind::Other));
    let refused = Log::open(sim::env(&io, 1), dir(), LogOptions::default(), &mut |_| {
        Ok(())
    });
    assert!(matches!(refused, Err(Error::Io { .. })));
    let (log, _, _) = open(&io, Durability::Strict);
    append_synced(&log, 10);
    let io = io.crash(&Image {
        damage: Damage::Lose,
        seed: 1,
    });
    assert_eq!(open(&io, Durability::Strict).2.len(), 1);
}

#[test]
fn what_closing_makes_durable_goes_through_the_hooks() {
    struct Told(Mutex<Vec<u64>>);
    impl SyncHooks for Told {
        fn freeze(&self, take: &mut dyn FnMut()) {
            take();
        }

        fn durable(&self, version: u64) {
            self.0.lock().push(version);
        }
    }
    for durability in [Durability::Strict, Durability::Buffered] {
        let (log, _, _) = open(&SimIo::new(), durability);
        let told = Told(Mutex::default());
        append(&log, 10);
        append(&log, 20);
        log.close_with(&told).unwrap();
        assert_eq!(*told.0.lock(), [2], "{durability}");
        assert_eq!(log.durable_version(), 2);
    }
}

/// A commit that comes while the last sync is under way.
#[test]
fn what_is_appended_while_the_log_closes_goes_through_the_hooks_too() {
    struct Late<'a>(&'a Log, Mutex<Vec<u64>>);
    impl SyncHooks for Late<'_> {
        fn freeze(&self, take: &mut dyn FnMut()) {
            take();
        }

        fn durable(&self, version: u64) {
            if version == 1 {
                append(self.0, 20);
            }
            self.1.lock().push(version);
        }
    }
    for durability in [Durability::Strict, Durability::Buffered] {
        let (log, _, _) = open(&SimIo::new(), durability);
        append(&log, 10);
        let late = Late(&log, Mutex::default());
        log.close_with(&late).unwrap();
        assert_eq!(*late.1.lock(), [1, 2], "{durability}");
        assert_eq!(log.durable_version(), 2);
    }
}

#[test]
fn how_much_the_log_has_grown_counts_framing_and_padding() {
    let io = SimIo::new();
    for (pad, commit) in [(false, 64), (true, 4096)] {
        let options = LogOptions {
            pad,
            ..LogOptions::default()
        };
        let dir = dir().join(commit.to_string());
        let (log, ..) = try_open(sim::env(&io, 1), &dir, options.clone()).unwrap();
        for _ in 0..3 {
            append_synced(&log, 4);
        }
        assert_eq!(log.grown(), 3 * commit);
        drop(log);
        let (log, recovery, _) = try_open(sim::env(&io, 1), &dir, options).unwrap();
        assert_eq!((log.grown(), recovery.log_bytes), (0, 3 * commit));
    }
}

/// Whoever commits does not wait for the zeros of a new segment to be written, if somebody else wrote them before.
#[test]
fn a_segment_is_made_of_what_was_made_ready() {
    let ready = dir().join("next.swlog.tmp");
    for durability in [Durability::Strict, Durability::Buffered] {
        let calls = |prepare: bool| {
            let io = SimIo::new();
            let options = LogOptions {
                durability,
                first_segment_bytes: 32 << 10,
                segment_bytes: 32 << 10,
                ..LogOptions::default()
            };
            let (log, ..) = try_open(sim::env(&io, 1), dir(), options.clone()).unwrap();
            let gate = log.ready_gate().unwrap();
            let (seen, mut most) = (gate.epoch(), 0);
            for n in 0..15 {
                assert_eq!(gate.epoch() > seen, n > 3, "half full");
                if prepare && n == 6 {
                    assert!(log.make_ready().unwrap() && !log.make_ready().unwrap());
                    assert!(io.exists(&ready).unwrap());
                }
                let before = io.boundaries();
                append_synced(&log, 3500);
                most = most.max(io.boundaries() - before);
                assert_eq!(io.exists(&ready).unwrap(), prepare && (6..8).contains(&n));
            }
            // One that is larger than what was made ready gets its own.
            log.make_ready().unwrap();
            append_synced(&log, 40 << 10);
            assert!(!io.exists(&ready).unwrap());
            log.make_ready().unwrap();
            log.close().unwrap();
            assert!(!io.exists(&ready).unwrap());
            assert_eq!(log.make_ready().unwrap_err().code(), 106);
            let (_, _, commits) = try_open(sim::env(&io, 2), dir(), options).unwrap();
            assert_eq!(commits.len(), 16);
            most
        };
        assert!(calls(true) < calls(false), "{durability}");
    }
}
