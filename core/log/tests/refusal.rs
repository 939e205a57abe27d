//! What the log refuses, and how it says so.
#![cfg(test)]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use common::*;
use statewright_log::sim::{self, Fault, Op, SimIo};
use statewright_log::{Durability, Env, Error, Io, LogOptions, OpenMode, RealIo, Timestamp};

const CHILD_DIR: &str = "STATEWRIGHT_TEST_LOCKED_DIR";

#[test]
fn a_second_opening_in_this_process_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (log, _, _) = try_open(Env::real(), temp.path(), LogOptions::default()).unwrap();
    let link = temp.path().with_extension("link");
    std::os::unix::fs::symlink(temp.path(), &link).unwrap();
    for path in [temp.path(), &link] {
        let refused = try_open(Env::real(), path, LogOptions::default()).unwrap_err();
        assert_eq!(refused.code(), 301);
        let text = refused.to_string();
        assert!(
            text.contains(&path.display().to_string()) && text.contains("close it there first"),
            "{text}"
        );
    }
    assert_eq!(append_synced(&log, 3), 1, "the first is not disturbed");
    drop(log);
    drop(try_open(Env::real(), &link, LogOptions::default()).unwrap());
    RealIo.remove(&link).unwrap();
}

#[test]
fn a_second_opening_in_another_process_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (log, _, _) = try_open(Env::real(), temp.path(), LogOptions::default()).unwrap();
    let child = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "child_opens_the_folder"])
            .env(CHILD_DIR, temp.path());
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (opened, text) = child();
    assert!(
        !opened && text.contains(&format!("by process {}", std::process::id())),
        "{text}"
    );
    drop(log);
    assert!(child().0, "free again");
}

#[test]
fn a_process_being_started_elsewhere_does_not_keep_the_lock() {
    let temp = tempfile::tempdir().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let outcome = (0..200).try_for_each(|_| RealIo.lock(&temp.path().join("lock")).map(drop));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome.unwrap();
    });
}

#[test]
#[ignore = "run by a_second_opening_in_another_process_is_refused"]
fn child_opens_the_folder() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    if let Err(e) = try_open(Env::real(), Path::new(&dir), LogOptions::default()) {
        assert_eq!(e.code(), 301);
        panic!("{e}");
    }
}

#[test]
fn the_simulated_lock_behaves_the_same() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    assert_eq!(
        try_open(sim::env(&io, 1), dir(), small(Durability::Strict))
            .unwrap_err()
            .code(),
        301
    );
    drop(log);
    open(&io, Durability::Strict);
}

#[test]
fn a_folder_with_other_things_in_it_is_not_a_store() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("letter.txt");
    RealIo
        .open(&file, OpenMode::CreateNew)
        .unwrap()
        .write_all_at(b"dear", 0)
        .unwrap();
    for path in [temp.path(), &file] {
        let refused = try_open(Env::real(), path, LogOptions::default()).unwrap_err();
        assert_eq!(refused.code(), 308, "{refused}");
    }
    assert_eq!(
        RealIo.list(temp.path()).unwrap(),
        ["letter.txt"],
        "and nothing is left behind in it"
    );
    let below = try_open(Env::real(), &file.join("sub"), LogOptions::default()).unwrap_err();
    assert_eq!(below.code(), 300, "{below}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    for op in [Op::Create, Op::Open] {
        for error in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let io = SimIo::new();
            if op == Op::Open {
                drop(open(&io, Durability::Strict));
            }
            io.fail(Fault::forever(op, 1, error));
            let refused = try_open(sim::env(&io, 1), dir(), LogOptions::default()).unwrap_err();
            assert_eq!(refused.code(), 306, "{refused}");
            assert!(refused.to_string().contains("permissions"), "{refused}");
        }
    }
}

#[test]
fn a_full_disk_is_named_and_a_new_segment_can_wait_for_space() {
    let io = SimIo::new();
    io.fail(Fault::once(Op::Write, 1, ErrorKind::StorageFull));
    let refused = try_open(sim::env(&io, 1), dir(), small(Durability::Strict)).unwrap_err();
    assert_eq!(refused.code(), 305, "{refused}");
    assert_eq!(io.list(dir()).unwrap(), ["statewright.lock"]);

    for (durability, op) in [
        (Durability::Strict, Op::Write),
        (Durability::Buffered, Op::Write),
        (Durability::Buffered, Op::Sync),
    ] {
        let io = SimIo::new();
        let (log, _, _) = open(&io, durability);
        append(&log, 3900); // the next does not fit
        io.fail(Fault::forever(op, 1, ErrorKind::StorageFull));
        for _ in 0..3 {
            let refused = log.append(Timestamp::EPOCH, &[0; 1000]).unwrap_err();
            assert_eq!(refused.code(), 305, "{refused}");
        }
        assert_eq!(log.last_version(), 1);
        io.heal();
        append_synced(&log, 1000); // and the log is still good
        drop(log);
        let (_, _, commits) = open(&io, durability);
        assert_prefix(&commits, &[3900, 1000]);
        assert_eq!(commits.len(), 2);
    }
}

#[test]
fn every_failing_call_while_opening_is_an_error_and_the_next_opening_works() {
    for op in [
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
    ] {
        for nth in 1..6 {
            for prepared in [false, true] {
                let io = SimIo::new();
                let mut synced = 0;
                if prepared {
                    let (log, _, _) = open(&io, Durability::Strict);
                    append_synced(&log, 3000);
                    append_synced(&log, 3000);
                    synced = append_synced(&log, 100);
                    append(&log, 200);
                    io.halt_at(io.boundaries());
                    drop(log);
                    io.resume();
                }
                io.fail(Fault::once(op, nth, ErrorKind::Other));
                let opened = try_open(sim::env(&io, 1), dir(), small(Durability::Strict));
                if io.failed() == 0 {
                    drop(opened.unwrap());
                } else {
                    assert_eq!(opened.unwrap_err().code(), 300, "{op:?} {nth}");
                }
                io.heal();
                let (log, _, commits) = open(&io, Durability::Strict);
                assert_prefix(&commits, &[3000, 3000, 100, 200]);
                assert!(commits.len() as u64 >= synced);
                append_synced(&log, 10);
            }
        }
    }
}

#[test]
fn a_failed_write_or_sync_poisons_the_log_for_good() {
    for durability in [Durability::Strict, Durability::Buffered] {
        for (op, error) in [
            (Op::Sync, ErrorKind::Other),
            (Op::Sync, ErrorKind::StorageFull),
            (Op::Write, ErrorKind::Other),
            (Op::Write, ErrorKind::StorageFull),
        ] {
            for partial in [0, 30, 70, 100_000] {
                let io = SimIo::new();
                let (log, _, _) = open(&io, durability);
                let acknowledged = append_synced(&log, 50);
                io.fail(Fault::once(op, 1, error).partial(partial));
                let failed = log
                    .append(Timestamp::from_micros(2), &payload(2, 50))
                    .and_then(|version| log.sync_to(version, &()))
                    .unwrap_err();
                assert_eq!(failed.code(), 303, "{failed}");
                let cause = std::error::Error::source(&failed).unwrap().to_string();
                assert!(cause.contains("swlog"), "{cause}");
                // The next call to the disk would succeed; it must not be believed (fsyncgate).
                for _ in 0..2 {
                    assert_eq!(log.append(Timestamp::EPOCH, b"x").unwrap_err().code(), 303);
                    assert_eq!(
                        log.sync_to(2, &()).map_err(|e| e.code()),
                        if log.last_version() == 2 {
                            Err(303)
                        } else {
                            Ok(())
                        }
                    );
                }
                assert_eq!((log.durable_version(), io.failed()), (acknowledged, 1));
                assert_eq!(log.close().unwrap_err().code(), 303);
                log.close().unwrap();
                assert_eq!(log.durable_version(), acknowledged, "{durability} {op:?}");
                // Reopening recovers, with everything acknowledged, and what it shows is then really durable.
                let (log, _, commits) = open(&io, durability);
                assert_prefix(&commits, &[50, 50]);
                assert!(commits.len() as u64 >= acknowledged);
                let crashed = io.crash(&sim::Image {
                    damage: sim::Damage::Lose,
                    seed: 0,
                });
                let (_, _, again) = open(&crashed, durability);
                assert_eq!(again, commits, "what was shown survives a power cut");
                append_synced(&log, 10);
            }
        }
    }
}

#[test]
fn a_segment_that_was_removed_while_in_use_poisons_the_log() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    append_synced(&log, 10);
    io.remove(&dir().join("0000000001.swlog")).unwrap();
    // It is looked for now and then, not at every sync.
    let refused = (0..16).find_map(|_| {
        let appended = log.append(Timestamp::EPOCH, b"x");
        appended.and_then(|version| log.sync_to(version, &())).err()
    });
    let refused = refused.unwrap();
    assert_eq!(refused.code(), 303, "{refused}");
    assert!(
        std::error::Error::source(&refused)
            .unwrap()
            .to_string()
            .contains("removed")
    );
}

#[test]
fn error_codes_are_stable() {
    let io = || std::io::Error::other("x");
    let path = || std::path::PathBuf::from("p");
    let cause = std::sync::Arc::new(Error::Closed);
    let codes = [
        (Error::Closed, 106),
        (Error::Forked, 109),
        (
            Error::Io {
                action: "read",
                path: path(),
                source: io(),
            },
            300,
        ),
        (
            Error::Locked {
                path: path(),
                holder: String::new(),
            },
            301,
        ),
        (
            Error::Corrupt {
                path: path(),
                offset: 0,
                problem: String::new(),
            },
            302,
        ),
        (Error::rejected(1, "x"), 302),
        (Error::Poisoned { cause }, 303),
        (
            Error::UnsupportedFormat {
                path: path(),
                problem: String::new(),
            },
            304,
        ),
        (
            Error::NoSpace {
                action: "read",
                path: path(),
                source: io(),
            },
            305,
        ),
        (
            Error::NotWritable {
                action: "read",
                path: path(),
                source: io(),
            },
            306,
        ),
        (Error::FrameTooLarge { bytes: 2, limit: 1 }, 307),
        (
            Error::NotAStore {
                path: path(),
                problem: String::new(),
            },
            308,
        ),
    ];
    for (error, code) in codes {
        assert_eq!(error.code(), code, "{error}");
    }
}
