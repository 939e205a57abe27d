//! Opening a log from a position: what a checkpoint covers is not replayed, and a log that is not its own is refused.

use crate::common::*;
use statewright_log::sim::{self, Damage, Disk, Image, SimIo};
use statewright_log::{Durability, Error, Frame, Io, Log, Position, Recovery};

fn open_from(io: &SimIo, start: Position) -> Result<(Log, Recovery, Commits), Error> {
    let mut commits = Commits::new();
    let options = small(Durability::Strict);
    let env = sim::env(io, io.boundaries() + 1);
    let replay = &mut |frame: Frame<'_>| {
        commits.push((frame.version, frame.ops.to_vec()));
        Ok(())
    };
    let (log, recovery) = Log::open_from(env, dir(), options, Some(start), replay)?;
    Ok((log, recovery, commits))
}

/// A disk with what the closure did to a log, and the positions at which it was durable. Power goes at the end.
fn history(f: impl Fn(&SimIo, &mut Vec<Position>)) -> (Disk, Vec<Position>) {
    let (io, mut positions) = (SimIo::new(), Vec::new());
    f(&io, &mut positions);
    (io.disk().crash(&image()), positions)
}

fn image() -> Image {
    Image {
        damage: Damage::Keep,
        seed: 0,
    }
}

fn synced(log: &Log, lens: &[usize], positions: &mut Vec<Position>) {
    for len in lens {
        append_synced(log, *len);
        positions.push(log.position());
    }
}

fn kill(io: &SimIo, log: Log) {
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
}

/// Every position of every kind of log: what is replayed is exactly what is behind it, and the log is the same.
#[test]
fn exactly_what_is_behind_the_position_is_replayed() {
    let (strict, buffered) = (Durability::Strict, Durability::Buffered);
    let histories = [
        history(|io, positions| positions.push(open(io, strict).0.position())),
        history(|io, positions| {
            let (log, _, _) = open(io, strict);
            positions.push(log.position());
            synced(&log, &[900; 25], positions); // several segments
            log.close().unwrap();
            positions.push(log.position());
        }),
        history(|io, positions| {
            let (log, _, _) = open(io, strict);
            synced(&log, &[10, 700, 0, 3], positions); // and no close
            kill(io, log);
        }),
        history(|io, positions| {
            // The last commits are written again in a new segment, again and again.
            for len in [20, 600, 0, 1400, 50] {
                let (log, _, _) = open(io, strict);
                positions.push(log.position());
                synced(&log, &[len; 3], positions);
                append(&log, 33);
                kill(io, log);
            }
        }),
        history(|io, positions| {
            let (log, _, _) = open(io, buffered);
            for batch in 0..6 {
                for len in 0..batch * 2 {
                    append(&log, len * 100);
                }
                log.sync_to(u64::MAX, &()).unwrap();
                positions.push(log.position());
            }
            append(&log, 100);
        }),
    ];
    for (disk, positions) in histories {
        let (whole, _, commits) = open(&SimIo::from_disk(disk.clone()), strict);
        for start in positions {
            let io = SimIo::from_disk(disk.clone());
            let (log, recovery, behind) = open_from(&io, start).unwrap();
            assert_eq!(behind, commits[start.version as usize..], "{start:?}");
            assert_eq!(recovery.frames, behind.len() as u64);
            assert_eq!(log.last_version(), whole.last_version());
            assert_eq!(log.last_hash(), whole.last_hash());
            assert_eq!(log.durable_version(), whole.last_version());
            assert_eq!(log.position().time, whole.position().time);
            let mut all = Commits::new();
            log.read(1, &mut |frame| {
                all.push((frame.version, frame.ops.to_vec()));
                Ok(true)
            })
            .unwrap();
            assert_eq!(all, commits, "what is before can still be read");
            let end = log.position();
            append_synced(&log, 77);
            let again = io.crash(&image());
            assert_eq!(open_from(&again, end).unwrap().2.len(), 1, "{start:?}");
            assert_eq!(open(&again, strict).2.len(), commits.len() + 1, "{start:?}");
        }
    }
}

#[test]
fn the_position_of_an_empty_log_names_the_store() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    let Position {
        version,
        hash,
        time,
        segment,
        offset,
    } = log.position();
    assert_eq!(
        (version, hash, segment, offset),
        (0, log.last_hash(), 1, 4096)
    );
    assert_eq!(time, statewright_log::Timestamp::EPOCH);
    drop(log);
    let (log, recovery, _) = open_from(
        &io,
        Position {
            version,
            hash,
            time,
            segment,
            offset,
        },
    )
    .unwrap();
    assert!(recovery.clean);
    assert_eq!(log.position().offset, 4096);
}

fn assert_disagree(disk: &Disk, start: Position) {
    let io = SimIo::from_disk(disk.clone());
    let error = match open_from(&io, start) {
        Ok((_, _, commits)) => panic!("{start:?} replayed {}", commits.len()),
        Err(error) => error,
    };
    assert_eq!(error.code(), 302, "{error}");
    let text = error.to_string();
    assert!(text.contains("checkpoint and the log disagree"), "{text}");
    let lock_aside = |io: &SimIo| io.list(dir()).unwrap();
    assert_eq!(lock_aside(&io), lock_aside(&SimIo::from_disk(disk.clone())));
}

#[test]
fn a_position_of_another_log_is_refused() {
    for closed in [true, false] {
        let (disk, positions) = history(|io, positions| {
            let (log, _, _) = open(io, Durability::Strict);
            synced(&log, &[900; 11], positions);
            append_synced(&log, 10);
            if closed {
                log.close().unwrap();
            } else {
                kill(io, log);
            }
        });
        for start in positions {
            let mut hash = start.hash;
            hash[3] ^= 1;
            let wrong = [
                Position { hash, ..start },
                Position {
                    version: start.version + 1,
                    ..start
                },
                Position {
                    version: start.version - 1,
                    ..start
                },
                Position {
                    version: start.version + 100,
                    ..start
                },
                Position {
                    version: u64::MAX,
                    ..start
                },
                Position {
                    offset: start.offset + 4,
                    ..start
                },
                Position {
                    offset: start.offset - 960,
                    ..start
                },
                Position { offset: 0, ..start },
                Position {
                    offset: u64::MAX,
                    ..start
                },
                Position {
                    segment: start.segment + 1,
                    ..start
                },
                Position {
                    segment: u64::MAX,
                    ..start
                },
            ];
            for (i, wrong) in wrong.into_iter().enumerate() {
                // A commit at the end of a segment is where the next begins: the place is not needed there.
                let moved = open_from(&SimIo::from_disk(disk.clone()), start)
                    .is_ok_and(|_| is_superseded(&disk, start));
                if !(moved && (5..9).contains(&i)) {
                    assert_disagree(&disk, wrong);
                }
            }
        }
    }
}

/// Whether the commit behind `start` is in a later segment.
fn is_superseded(disk: &Disk, start: Position) -> bool {
    let name = format!("{:010}.swlog", start.segment + 1);
    SimIo::from_disk(disk.clone())
        .read(&dir().join(name), 1 << 20)
        .is_ok_and(|bytes| {
            u64::from_le_bytes(bytes[36..44].try_into().unwrap()) <= start.version + 1
        })
}

#[test]
fn a_log_that_ends_before_the_position_is_refused() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    let mut positions = Vec::new();
    synced(&log, &[500; 3], &mut positions);
    let older = io.disk();
    synced(&log, &[500; 12], &mut positions);
    for start in &positions[3..] {
        assert_disagree(&older.crash(&image()), *start);
    }
    // Without any log there is nothing to create: what the checkpoint has cannot be all.
    let empty = SimIo::new();
    empty.create_dir_all(dir()).unwrap();
    let error = open_from(&empty, positions[0]).unwrap_err();
    assert!(error.to_string().contains("there is no log"), "{error}");
    // Another store's log, of the same lengths.
    let other = SimIo::new();
    let (log, _, _) = try_open(sim::env(&other, 99), dir(), small(Durability::Strict)).unwrap();
    synced(&log, &[500; 15], &mut Vec::new());
    for start in &positions {
        assert_disagree(&other.disk().crash(&image()), *start);
    }
}

#[test]
fn damage_is_refused_behind_the_position_and_not_looked_for_before_it() {
    let (disk, positions) = history(|io, positions| {
        let (log, _, _) = open(io, Durability::Strict);
        synced(&log, &[300; 30], positions);
        log.close().unwrap();
    });
    let start = positions[15];
    let segment = |number: u64| dir().join(format!("{number:010}.swlog"));
    assert_eq!((start.segment, positions[29].segment), (2, 3));
    let damaged = |number: u64, at: usize| {
        let io = SimIo::from_disk(disk.clone());
        io.edit(&segment(number), |bytes| bytes[at] ^= 1).unwrap();
        open_from(&io, start).map(|(_, _, commits)| commits.len())
    };
    for at in (4096..positions[0].offset as usize).step_by(17) {
        assert_eq!(damaged(1, at).unwrap(), 14);
        assert_eq!(damaged(2, at).unwrap(), 14);
        assert_eq!(damaged(3, at).unwrap_err().code(), 302);
    }
    for at in (start.offset as usize..start.offset as usize + 360).step_by(17) {
        assert_eq!(damaged(2, at).unwrap_err().code(), 302);
    }
    for at in [0, 8, 30, 36, 60, 124] {
        assert_eq!(damaged(1, at).unwrap_err().code(), 302);
    }
}

#[test]
fn memory_has_positions_without_a_place() {
    let (env, _, _) = sim::world(1);
    let log = Log::in_memory(env);
    append(&log, 10);
    let at = log.position();
    assert_eq!((at.version, at.segment, at.offset), (1, 0, 0));
}
