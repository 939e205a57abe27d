//! What only the operating system's own files can show: mappings, forks, names changed behind the log's back.
#![cfg(test)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use statewright_log::{
    Durability, Env, Error, FileSystem, Io, Log, LogOptions, OpenMode, RealIo, Timestamp,
};

#[test]
fn buffered_commits_written_through_a_mapping_and_by_calls_are_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let lens: Vec<usize> = (0..200).map(|i| i * 37 % 900).collect();
    let mut last = None;
    for map in [true, false, true] {
        let dir = temp.path().join("store");
        let options = LogOptions {
            map,
            ..small(Durability::Buffered)
        };
        // Opened in turn with and without: two ways, one format.
        let (log, recovery, commits) = try_open(Env::real(), &dir, options).unwrap();
        assert!(recovery.clean);
        assert_prefix(&commits, &lens);
        if let Some(hash) = last {
            assert_eq!(log.last_hash(), hash);
        }
        let known = commits.len();
        for (i, len) in lens[known..known + 60].iter().enumerate() {
            append(&log, *len);
            if i % 7 == 0 {
                log.sync_to(u64::MAX, &()).unwrap();
            }
        }
        let mut read = 0;
        log.read(1, &mut |frame| {
            assert_eq!(frame.ops, payload(frame.version, lens[read]));
            read += 1;
            Ok(true)
        })
        .unwrap();
        assert_eq!(read, known + 60, "what was written can be read at once");
        assert!(map || !log.stats().mapped);
        last = Some(log.last_hash());
        log.close().unwrap();
    }
}

#[test]
fn a_mapping_writes_within_its_file_and_nowhere_else() {
    let temp = tempfile::tempdir().unwrap();
    let file = RealIo
        .open(&temp.path().join("f"), OpenMode::CreateNew)
        .unwrap();
    file.write_all_at(&[0; 8192], 0).unwrap();
    assert!(file.map(8193).unwrap().is_none(), "longer than the file");
    let Some(mut mapping) = file.map(4096).unwrap() else {
        return; // not on this file system
    };
    mapping.write_all_at(b"abc", 4093).unwrap();
    for (bytes, offset) in [(b"abc", 4094), (b"abc", u64::MAX), (b"abc", 1 << 40)] {
        assert!(mapping.write_all_at(bytes, offset).is_err());
    }
    mapping.write_all_at(b"", 4096).unwrap();
    let mut found = [0; 5];
    file.read_at(&mut found, 4092).unwrap();
    assert_eq!(&found, b"\0abc\0");
    assert_eq!(file.len().unwrap(), 8192);
}

#[test]
fn a_forked_child_is_refused_and_leaves_its_parent_alone() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let temp = tempfile::tempdir().unwrap();
        let (log, _, _) = try_open(Env::real(), temp.path(), small(durability)).unwrap();
        append_synced(&log, 10);
        // SAFETY: the child only calls into the log, whose locks nobody holds, and ends without unwinding.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let refused = |result: Result<u64, Error>| result.is_err_and(|e| e.code() == 109);
            let good =
                refused(log.append(Timestamp::EPOCH, b"child")) && refused(log.close().map(|()| 0));
            drop(log);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if good { 0 } else { 1 }) };
        }
        let mut status = -1;
        // SAFETY: waits for the child just made; the pointer is to a live integer.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child was refused");
        assert_eq!(
            try_open(Env::real(), temp.path(), small(durability))
                .unwrap_err()
                .code(),
            301,
            "the parent still has the lock"
        );
        append_synced(&log, 20);
        log.close().unwrap();
        let (_, recovery, commits) = try_open(Env::real(), temp.path(), small(durability)).unwrap();
        assert!(recovery.clean);
        assert_prefix(&commits, &[10, 20]);
        assert_eq!(commits.len(), 2);
    }
}

/// What `body` tells in a child that is forked here; false if it takes for ever.
fn in_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only runs the body, which calls into a log, and ends without unwinding.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the alarm ends the child if it hangs.
        unsafe { libc::alarm(20) };
        let good = body();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(if good { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: waits for the child just made; the pointer is to a live integer.
    unsafe { libc::waitpid(child, &mut status, 0) == child && status == 0 }
}

/// Whether a log that belongs to the parent refuses everything.
fn is_refused(log: &Log) -> bool {
    let refused = |e: Option<Error>| e.is_some_and(|e| e.code() == 109);
    let appended = log.append(Timestamp::EPOCH, b"child").err();
    refused(appended) && refused(log.close().err())
}

/// There, the lock is held for ever.
#[test]
fn a_child_that_was_forked_while_another_thread_appends_is_refused_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let options = small(Durability::Buffered);
    let (log, _, _) = try_open(Env::real(), temp.path(), options).unwrap();
    let done = AtomicBool::new(false);
    let good = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                log.append(Timestamp::EPOCH, &[1; 2000]).unwrap();
            }
        });
        let good = (0..40).all(|_| in_child(|| is_refused(&log)));
        done.store(true, Ordering::Relaxed);
        good
    });
    assert!(good);
}

#[test]
fn a_child_that_was_forked_before_anything_was_written_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    // A process of its own, in which nobody has used a log before.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_forks_once_it_has_opened"])
        .env(CHILD_DIR, temp.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "run by a_child_that_was_forked_before_anything_was_written_is_refused"]
fn child_forks_once_it_has_opened() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let open = || try_open(Env::real(), Path::new(&dir), small(Durability::Buffered));
    let (log, _, _) = open().unwrap();
    assert!(in_child(|| is_refused(&log)));
    assert_eq!(open().unwrap_err().code(), 301, "the lock is still there");
}

#[test]
fn a_segment_that_is_moved_or_gets_a_second_name_poisons_the_log() {
    for linked in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let (log, _, _) = try_open(Env::real(), temp.path(), LogOptions::default()).unwrap();
        let (segment, other) = (temp.path().join("0000000001.swlog"), temp.path().join("x"));
        if linked {
            std::fs::hard_link(&segment, &other).unwrap();
        } else {
            RealIo.rename(&segment, &other).unwrap();
        }
        let refused = (0..16).find_map(|_| {
            let appended = log.append(Timestamp::EPOCH, b"x");
            appended.and_then(|version| log.sync_to(version, &())).err()
        });
        assert_eq!(refused.unwrap().code(), 303);
    }
}

#[test]
fn the_folder_of_a_test_is_not_on_a_network() {
    let temp = tempfile::tempdir().unwrap();
    assert_eq!(RealIo.file_system(temp.path()).unwrap(), FileSystem::Local);
    assert!(!RealIo.is_forked());
}

const CHILD_DIR: &str = "STATEWRIGHT_TEST_KILLED_DIR";

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let temp = tempfile::tempdir().unwrap();
    let mut least = 0;
    for round in 1..=6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "child_appends"])
            .env(CHILD_DIR, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let versions = lines.filter_map(|line| line.unwrap().parse::<u64>().ok());
        for version in versions {
            if least < version {
                least = version;
            }
            if version > round * 700 {
                child.kill().unwrap(); // SIGKILL; what it still said is read to the end
            }
        }
        child.wait().unwrap();
        let (_, _, commits) =
            try_open(Env::real(), temp.path(), small(Durability::Buffered)).unwrap();
        let found = commits.len() as u64;
        assert!(found >= least, "{found} of {least} in round {round}");
        for (version, ops) in commits {
            assert_eq!(ops, payload(version, ops.len()));
        }
        least = found;
    }
}

#[test]
#[ignore = "run by a_killed_process_loses_nothing_that_was_acknowledged"]
fn child_appends() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let (log, _, _) = try_open(Env::real(), Path::new(&dir), small(Durability::Buffered)).unwrap();
    let mut out = std::io::stdout();
    for i in 0_usize.. {
        let version = append(&log, i * 31 % 900);
        if writeln!(out, "\n{version}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return; // the parent is gone
        }
    }
}
