//! What verifying calls covered is what opening from the checkpoint does without; a repair leaves that alone.

use std::path::PathBuf;

use crate::common::*;
use statewright_log::sim::{self, Damage, Disk, Image, SimIo};
use statewright_log::{Durability, Error, Frame, Io, Log, Position};

const STRICT: Durability = Durability::Strict;

fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:010}.swlog"))
}

fn crash(io: &SimIo) -> Disk {
    io.disk().crash(&Image {
        damage: Damage::Keep,
        seed: 0,
    })
}

/// The disk of a log that was opened, written to and killed once for each list of lengths, and where it was durable.
fn killed(sessions: &[&[usize]]) -> (Disk, Vec<Position>) {
    let (io, mut positions) = (SimIo::new(), Vec::new());
    for lens in sessions {
        let (log, _, _) = open(&io, STRICT);
        positions.push(log.position());
        for len in *lens {
            append_synced(&log, *len);
            positions.push(log.position());
        }
        io.halt_at(io.boundaries());
        drop(log);
        io.resume();
    }
    (crash(&io), positions)
}

fn open_from(io: &SimIo, start: Position) -> Result<u64, Error> {
    let copy = SimIo::from_disk(crash(io));
    let replay = &mut |_: Frame<'_>| Ok(());
    let env = sim::env(&copy, 3);
    let (log, _) = Log::open_from(env, dir(), small(STRICT), Some(start), replay)?;
    Ok(log.last_version())
}

/// The log opens from there exactly if all that is wrong is covered; a repair makes it so or changes nothing.
fn check(io: &SimIo, start: Position, what: &str) {
    let env = sim::env(io, 7);
    let found = Log::verify_folder(&env, dir(), Some(start), &mut sound).unwrap();
    let opened = open_from(io, start);
    let covered = found.damage.iter().all(|damage| damage.covered);
    assert_eq!(
        covered,
        opened.is_ok(),
        "{what} {start:?} {found:?} {opened:?}"
    );
    let before = io.list(dir()).unwrap();
    match Log::repair(&env, dir(), Some(start), &mut sound) {
        Ok(done) => {
            assert_eq!(done.changed, !covered, "{what} {start:?}");
            let last = open_from(io, start).unwrap();
            assert_eq!(
                last,
                opened.unwrap_or(done.last_version),
                "{what} {start:?}"
            );
        }
        Err(e) => {
            assert!(!covered, "{what} {start:?} {e}");
            assert_eq!(io.list(dir()).unwrap(), before, "{what} {start:?}");
        }
    }
}

#[test]
fn what_is_covered_is_what_opening_does_without() {
    let histories: [&[&[usize]]; 4] = [
        &[&[500; 18]],
        &[&[500; 10], &[300; 3], &[300; 3]],
        &[&[100], &[100], &[100]],
        &[&[10, 700, 0, 3], &[]],
    ];
    for sessions in histories {
        let (disk, positions) = killed(sessions);
        let names = SimIo::from_disk(disk.clone()).list(dir()).unwrap();
        let segments = names.iter().filter(|name| name.ends_with(".swlog"));
        for name in segments {
            for at in (0..8192).step_by(211) {
                for start in &positions {
                    let io = SimIo::from_disk(disk.clone());
                    let edit = |bytes: &mut Vec<u8>| {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte ^= 4;
                        }
                    };
                    io.edit(&dir().join(name), edit).unwrap();
                    check(&io, *start, &format!("{name} {at}"));
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_that_the_log_does_not_know_is_damage() {
    let (older, mut positions) = killed(&[&[500; 3]]);
    let last = positions.pop().unwrap();
    let (_, newer) = killed(&[&[500; 18]]);
    let mut hash = last.hash;
    hash[3] ^= 1;
    let another = Position { hash, ..last };
    for start in newer.into_iter().skip(4).chain([another]) {
        check(&SimIo::from_disk(older.clone()), start, "older");
    }
}

/// The end of a log that was not closed goes on in a new segment; then, what is before a position there, too, is
/// history.
#[test]
fn a_repair_drops_nothing_behind_a_position_that_moved() {
    let (disk, positions) = killed(&[&[500; 5], &[500; 3]]);
    let start = positions[5];
    assert_eq!((start.version, start.segment), (5, 1));
    let io = SimIo::from_disk(disk);
    io.edit(&segment(1), |bytes| bytes[4200] ^= 1).unwrap();
    assert_eq!(open_from(&io, start).unwrap(), 8);
    let env = sim::env(&io, 7);
    let done = Log::repair(&env, dir(), Some(start), &mut sound).unwrap();
    assert!(!done.changed, "{done:?}");
    assert_eq!(open_from(&io, start).unwrap(), 8);
}

/// The next segment cannot be used: what is behind the position in this one is kept all the same.
#[test]
fn a_repair_keeps_what_is_behind_a_position_up_to_a_segment_that_is_lost() {
    let (disk, positions) = killed(&[&[500; 18]]);
    let start = positions[10];
    assert_eq!((start.version, start.segment), (10, 2));
    let io = SimIo::from_disk(disk);
    io.edit(&segment(2), |bytes| bytes[4200] ^= 1).unwrap();
    io.edit(&segment(3), |bytes| bytes[..5000].fill(0)).unwrap();
    let env = sim::env(&io, 7);
    let done = Log::repair(&env, dir(), Some(start), &mut sound).unwrap();
    assert_eq!((done.changed, done.last_version), (true, 14), "{done:?}");
    assert_eq!(open_from(&io, start).unwrap(), 14);
}

#[test]
fn a_header_is_made_again_wherever_the_first_commit_is() {
    // What is not proven goes to a new segment: here, the first commit to the second and the third.
    let (disk, _) = killed(&[&[500], &[500], &[500]]);
    for damaged in [&[1][..], &[2], &[3], &[2, 3], &[1, 3]] {
        assert_eq!(repaired_headers(&disk, damaged), 3, "{damaged:?}");
    }
    let (disk, _) = killed(&[&[500; 18]]);
    for damaged in [&[1, 2][..], &[2, 3], &[1, 2, 3]] {
        assert_eq!(repaired_headers(&disk, damaged), 18, "{damaged:?}");
    }
}

/// Damages the headers of these segments, and repairs them; gives the last commit that is left.
fn repaired_headers(disk: &Disk, damaged: &[u64]) -> u64 {
    let io = SimIo::from_disk(disk.clone());
    for number in damaged {
        io.edit(&segment(*number), |bytes| bytes[50] ^= 1).unwrap();
    }
    let env = sim::env(&io, 7);
    let done = Log::repair(&env, dir(), None, &mut sound);
    done.unwrap().last_version
}
