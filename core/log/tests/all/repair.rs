//! Verifying and repairing: what is wrong is found and named, a repair keeps all that can be kept, and loses no byte.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::common::*;
use statewright_log::sim::{self, Damage, Disk, Fault, Image, Op, SimIo};
use statewright_log::{
    CheckpointWriter, Durability, Error, Frame, Io, Log, Position, Repair, Verification,
    checkpoints,
};

/// Three segments of 7, 7 and 4 commits of 560 bytes each.
const LENS: [usize; 18] = [500; 18];
const FRAME: usize = 560;
const PER_SEGMENT: u64 = 7;

fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:010}.swlog"))
}

fn three_segments(closed: bool) -> (Disk, Vec<Position>) {
    let (io, mut positions) = (SimIo::new(), Vec::new());
    let (log, _, _) = open(&io, Durability::Strict);
    for len in LENS {
        append_synced(&log, len);
        positions.push(log.position());
    }
    if !closed {
        io.halt_at(io.boundaries());
    }
    drop(log);
    io.resume();
    (restarted(&io.disk()), positions)
}

/// The disk with all that was written, and nobody at work.
fn restarted(disk: &Disk) -> Disk {
    disk.crash(&Image {
        damage: Damage::Keep,
        seed: 0,
    })
}

fn damaged(disk: &Disk, number: u64, edit: impl FnOnce(&mut Vec<u8>)) -> SimIo {
    let io = SimIo::from_disk(disk.clone());
    io.edit(&segment(number), edit).unwrap();
    io
}

fn verify(io: &SimIo, start: Option<Position>) -> Verification {
    let env = sim::env(io, 7);
    Log::verify_folder(&env, dir(), start, &mut sound).unwrap()
}

fn repair(io: &SimIo, start: Option<Position>) -> Result<Repair, Error> {
    Log::repair(&sim::env(io, 8), dir(), start, &mut sound)
}

fn opened(io: &SimIo) -> Result<Commits, Error> {
    let copy = SimIo::from_disk(restarted(&io.disk()));
    try_open(sim::env(&copy, 9), dir(), small(Durability::Strict)).map(|(_, _, commits)| commits)
}

fn contents(io: &SimIo) -> Vec<(String, Vec<u8>)> {
    let names = io.list(dir()).unwrap().into_iter();
    names
        .filter(|name| name.contains("swlog"))
        .map(|name| {
            let bytes = io.read(&dir().join(&name), 1 << 20).unwrap();
            (name, bytes)
        })
        .collect()
}

/// Whatever is wrong: it is found exactly if the log does not open; a repair keeps all commits before, and all bytes.
fn check(io: &SimIo) -> Repair {
    let before = contents(io);
    let (found, refused) = (verify(io, None), opened(io));
    assert_eq!(contents(io), before, "looking changes nothing");
    assert_eq!(
        found.damage.is_empty(),
        refused.is_ok(),
        "{found:?} {refused:?}"
    );
    if let (Some(first), Err(Error::Corrupt { path, offset, .. })) =
        (found.damage.first(), &refused)
    {
        assert!(
            first.path <= *path || first.offset <= *offset,
            "{found:?} {refused:?}"
        );
    }
    let planned = Log::plan_repair(&sim::env(io, 6), dir(), None, &mut sound).unwrap();
    assert_eq!(contents(io), before, "planning changes nothing");
    let done = repair(io, None).unwrap();
    assert!(planned.kept.is_empty());
    let told = |repair: &Repair| (repair.changed, repair.last_version, repair.lost_commits);
    assert_eq!(told(&planned), told(&done));
    assert_eq!(done.changed, refused.is_err());
    assert_eq!(done.before, found);
    let commits = opened(io).unwrap();
    assert_prefix(&commits, &LENS);
    if done.changed {
        assert_eq!(commits.len() as u64, done.last_version);
        let clean = verify(io, None);
        assert!(clean.damage.is_empty() && clean.clean, "{clean:?}");
    }
    // Every byte that was there is there under the same name or another.
    let after = contents(io);
    for (name, bytes) in before {
        let kept = after
            .iter()
            .any(|(other, kept)| other.starts_with(&name) && *kept == bytes);
        assert!(kept, "{name} is lost");
    }
    assert!(!repair(io, None).unwrap().changed, "once is enough");
    done
}

#[test]
fn a_good_log_has_nothing_to_be_found_or_repaired() {
    for closed in [true, false] {
        let io = SimIo::from_disk(three_segments(closed).0);
        let found = verify(&io, None);
        assert_eq!(
            (found.segments, found.commits, found.last_version),
            (3, 18, 18)
        );
        assert_eq!((found.bytes, found.torn_bytes), (18 * 500, 0));
        assert_eq!(found.clean, closed);
        assert_eq!(found.buffered_segments, 0);
        check(&io);
    }
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Buffered);
    append(&log, 10);
    let found = log.verify().unwrap();
    assert_eq!((found.commits, found.clean), (1, true));
    drop(log);
    assert_eq!(verify(&io, None).buffered_segments, 1);
}

#[test]
fn a_flipped_bit_is_found_exactly_where_opening_refuses_it_and_repaired() {
    let (disk, _) = three_segments(true);
    for number in 1..=3 {
        for at in (0..8192)
            .step_by(97)
            .chain([8, 20, 36, 44, 60, 76, 80, 124, 4096, 4100])
        {
            let io = damaged(&disk, number, |bytes| bytes[at] ^= 4);
            if at == 8 || (12..20).contains(&at) {
                continue; // covered by the checksum too, so it is no newer format
            }
            let done = check(&io);
            if at < 4096 {
                assert_eq!(done.last_version, 18, "a header costs no commit: {done:?}");
                assert_eq!(done.lost_commits, 0);
            }
            if (4096..4096 + FRAME).contains(&at) {
                assert_eq!(done.last_version, (number - 1) * PER_SEGMENT);
                assert_eq!(done.lost_commits, 18 - done.last_version);
                assert_eq!(done.before.damage[0].last_good, done.last_version);
            }
        }
    }
}

#[test]
fn lost_cut_swapped_and_wiped_files_are_found_and_repaired() {
    let (disk, _) = three_segments(true);
    for number in 2..=3 {
        let io = SimIo::from_disk(disk.clone());
        io.remove(&segment(number)).unwrap();
        let done = check(&io);
        assert_eq!(done.last_version, (number - 1) * PER_SEGMENT);
    }
    for len in [0, 100, 4095, 4096, 4200, 7000, 8191] {
        for number in 2..=3 {
            check(&damaged(&disk, number, |bytes| bytes.truncate(len)));
        }
    }
    for number in 2..=3 {
        check(&damaged(&disk, number, |bytes| bytes.resize(9000, 0)));
        check(&damaged(&disk, number, |bytes| bytes[4096..].fill(0)));
        check(&damaged(&disk, number, |bytes| bytes[..4096].fill(0)));
        check(&damaged(&disk, number, |bytes| bytes[..5000].fill(0)));
        check(&damaged(&disk, number, |bytes| bytes.fill(0xFF)));
    }
    let other = damaged(&disk, 2, |_| ());
    let three = other.read(&segment(3), 1 << 20).unwrap();
    check(&damaged(&disk, 2, |bytes| *bytes = three));
    // Two places at once: the first decides, both are reported.
    let io = damaged(&disk, 1, |bytes| bytes[4096 + 3 * FRAME] ^= 1);
    io.edit(&segment(3), |bytes| bytes[4096 + FRAME] ^= 1)
        .unwrap();
    let done = check(&io);
    assert_eq!((done.last_version, done.before.damage.len()), (3, 2));
    assert_eq!(done.before.damage[0].behind, 3);
    // Seven commits of the second segment, three and one of the others: the rest is read all the same.
    assert_eq!(done.before.commits, 3 + 7 + 1);
}

#[test]
fn a_log_of_which_nothing_is_left_is_not_repaired() {
    let (disk, _) = three_segments(true);
    let gone = SimIo::from_disk(disk.clone());
    gone.remove(&segment(1)).unwrap();
    for io in [gone, damaged(&disk, 1, |bytes| bytes[..6000].fill(0))] {
        let before = contents(&io);
        assert_eq!(repair(&io, None).unwrap_err().code(), 302);
        assert_eq!(contents(&io), before, "nothing was changed");
    }
}

#[test]
fn an_empty_log_with_a_damaged_header_becomes_an_empty_log() {
    for closed in [true, false] {
        let io = SimIo::new();
        let (log, _, _) = open(&io, Durability::Strict);
        let identity = log.last_hash();
        if !closed {
            io.halt_at(io.boundaries());
        }
        drop(log);
        io.resume();
        let empty = restarted(&io.disk());
        for at in [0, 40, 100] {
            let io = damaged(&empty, 1, |bytes| bytes[at] ^= 1);
            let done = check(&io);
            assert_eq!((done.last_version, done.lost_commits), (0, 0));
            let (log, _, _) = open(&io, Durability::Strict);
            assert_eq!(log.last_hash() == identity, closed, "by the mark");
            append_synced(&log, 10);
        }
    }
}

/// A segment whose only commit went to the next one when it was torn.
#[test]
fn the_header_of_an_empty_segment_is_made_again() {
    let (io, mut written) = (SimIo::new(), 0);
    let (log, _, _) = open(&io, Durability::Strict);
    while log.position().segment < 3 {
        append_synced(&log, LENS[0]);
        written += 1;
    }
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
    let (log, _, _) = open(&io, Durability::Strict);
    assert_eq!(log.position().segment, 4);
    append_synced(&log, LENS[0]);
    drop(log);
    for number in 1..=4 {
        let io = damaged(&restarted(&io.disk()), number, |bytes| bytes[40] ^= 1);
        assert_eq!(check(&io).last_version, written + 1, "{number}");
    }
}

#[test]
fn a_repair_that_is_interrupted_can_be_run_again() {
    let (disk, _) = three_segments(true);
    type Edit = fn(&SimIo);
    let cases: [(Edit, u64); 4] = [
        (
            |io| {
                io.edit(&segment(1), |b| b[4096 + 2 * FRAME + 70] ^= 1)
                    .unwrap()
            },
            2,
        ),
        (|io| io.edit(&segment(2), |b| b[3] ^= 1).unwrap(), 18),
        (|io| io.edit(&segment(3), |b| b.truncate(8191)).unwrap(), 18),
        (|io| io.remove(&segment(2)).unwrap(), 7),
    ];
    for (edit, last) in cases {
        let broken = SimIo::from_disk(disk.clone());
        edit(&broken);
        let start = restarted(&broken.disk());
        let io = SimIo::from_disk(start.clone());
        let moments = Arc::new(Mutex::new(Vec::new()));
        let seen = moments.clone();
        io.on_change(move |_, disk| seen.lock().unwrap().push(disk.clone()));
        repair(&io, None).unwrap();
        let moments = std::mem::take(&mut *moments.lock().unwrap());
        assert!(moments.len() > 5);
        for disk in moments {
            for image in Image::series(3, 12) {
                let io = SimIo::from_disk(disk.crash(&image));
                repair(&io, None).unwrap();
                let commits = opened(&io).unwrap();
                assert_eq!(commits.len() as u64, last, "{image:?}");
                assert_prefix(&commits, &LENS);
            }
        }
    }
}

#[test]
fn what_a_checkpoint_covers_is_reported_and_left_alone() {
    let (disk, positions) = three_segments(true);
    let start = positions[9]; // in the second segment
    for (number, at) in [(1, 4096 + FRAME), (2, 4096 + 2 * FRAME)] {
        let io = damaged(&disk, number, |bytes| bytes[at + 80] ^= 1);
        let found = verify(&io, Some(start));
        assert_eq!(found.damage.len(), 1);
        assert!(found.damage[0].covered, "{found:?}");
        assert!(!repair(&io, Some(start)).unwrap().changed);
        // Behind it there is damage too: only that is cut, and the checkpoint still fits.
        io.edit(&segment(2), |bytes| bytes[4096 + 5 * FRAME] ^= 1)
            .unwrap();
        let done = repair(&io, Some(start)).unwrap();
        assert_eq!((done.changed, done.last_version), (true, 12), "{done:?}");
        let mut seen = Vec::new();
        let options = small(Durability::Strict);
        let replay = &mut |frame: Frame<'_>| {
            seen.push(frame.version);
            Ok(())
        };
        Log::open_from(sim::env(&io, 1), dir(), options, Some(start), replay).unwrap();
        assert_eq!(seen, [11, 12]);
    }
    // What would have to be cut is what the checkpoint stands on.
    let io = SimIo::from_disk(disk);
    io.remove(&segment(2)).unwrap();
    let before = contents(&io);
    assert_eq!(repair(&io, Some(start)).unwrap_err().code(), 302);
    assert_eq!(contents(&io), before);
}

#[test]
fn content_that_the_reader_refuses_is_damage_with_its_place_and_a_repair_ends_before_it() {
    let (disk, positions) = three_segments(true);
    let io = SimIo::from_disk(disk.clone());
    let mut not_mine = |commit: Frame<'_>| match commit.version {
        9 => Err("not mine".to_owned()),
        _ => Ok(()),
    };
    let env = sim::env(&io, 1);
    let found = Log::verify_folder(&env, dir(), None, &mut not_mine).unwrap();
    assert_eq!(found.damage.len(), 1);
    let damage = &found.damage[0];
    assert_eq!(
        (damage.path.clone(), damage.offset),
        (segment(2), 4096 + FRAME as u64)
    );
    assert!(damage.problem.contains("commit 9") && damage.problem.contains("not mine"));
    assert_eq!((damage.last_good, damage.behind), (8, 5));

    let planned = Log::plan_repair(&env, dir(), None, &mut not_mine).unwrap();
    assert_eq!((planned.last_version, planned.lost_commits), (8, 10));
    let done = Log::repair(&env, dir(), None, &mut not_mine).unwrap();
    assert_eq!((done.last_version, done.lost_commits), (8, 10));
    assert_eq!(done.kept.len(), 2, "of the second segment, and the third");
    assert_prefix(&opened(&io).unwrap(), &LENS[..8]);

    // What a checkpoint has is history.
    let (io, start) = (SimIo::from_disk(disk), Some(positions[9]));
    let env = sim::env(&io, 1);
    let done = Log::repair(&env, dir(), start, &mut not_mine).unwrap();
    assert!(!done.changed && done.before.damage[0].covered);
}

#[test]
fn only_folders_of_stores_that_nobody_has_open_are_looked_at() {
    let io = SimIo::new();
    let env = sim::env(&io, 1);
    let refused = |code| {
        let verified = Log::verify_folder(&env, dir(), None, &mut sound);
        assert_eq!(verified.unwrap_err().code(), code);
        assert_eq!(repair(&io, None).unwrap_err().code(), code);
    };
    refused(308);
    assert!(!io.exists(dir()).unwrap(), "and nothing is made");
    io.create_dir_all(dir()).unwrap();
    refused(308);
    assert!(io.list(dir()).unwrap().is_empty());
    let (log, _, _) = open(&io, Durability::Strict);
    refused(301);
    drop(log);
    assert!(verify(&io, None).clean);
}

#[test]
fn an_open_log_is_verified_up_to_what_its_readers_see() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for _ in 0..10 {
        append_synced(&log, 500);
    }
    append(&log, 500);
    let found = log.verify().unwrap();
    assert_eq!((found.commits, found.segments, found.clean), (10, 2, true));
    io.edit(&segment(1), |bytes| bytes[4096 + 4 * FRAME + 100] ^= 1)
        .unwrap();
    let found = log.verify().unwrap();
    assert_eq!(
        (found.commits, found.clean, found.damage.len()),
        (4, false, 1)
    );
    assert_eq!(found.damage[0].offset, 4096 + 4 * FRAME as u64);
}

#[test]
fn a_damaged_checkpoint_is_found_and_put_aside_with_those_that_build_on_it() {
    let (disk, positions) = three_segments(true);
    let io = SimIo::from_disk(disk);
    for (number, position) in [(1, 3), (2, 9), (3, 12)] {
        let env = sim::env(&io, 1);
        let mut file = CheckpointWriter::create(&env, dir(), number).unwrap();
        for page in 0..20_u8 {
            file.page(&vec![page; 10 + usize::from(page) * 30]).unwrap();
        }
        file.finish(&positions[position], b"root").unwrap();
    }
    let name = |number: u64| dir().join(format!("{number:010}.swckpt"));
    let whole = restarted(&io.disk());
    let found = verify(&SimIo::from_disk(whole.clone()), None);
    assert_eq!((found.checkpoints, found.damage.len()), (3, 0));

    // Damage that the newest checkpoint covers is only history.
    let io = SimIo::from_disk(whole.clone());
    io.edit(&segment(1), |bytes| bytes[4096 + 5 * FRAME] ^= 1)
        .unwrap();
    assert!(verify(&io, None).damage.iter().all(|damage| damage.covered));
    assert!(!repair(&io, None).unwrap().changed);

    let size = SimIo::from_disk(whole.clone())
        .read(&name(2), 1 << 20)
        .unwrap()
        .len();
    for at in (0..size).step_by(61) {
        let io = SimIo::from_disk(whole.clone());
        io.edit(&name(2), |bytes| bytes[at] ^= 1).unwrap();
        let found = verify(&io, None);
        if found.damage.is_empty() {
            continue; // between two pages
        }
        assert_eq!((found.checkpoints, found.damage.len()), (1, 1));
        assert_eq!(found.damage[0].path, name(2));
        let done = repair(&io, None).unwrap();
        assert_eq!(
            (done.changed, done.last_version, done.lost_commits),
            (true, 18, 0)
        );
        assert_eq!(done.kept.len(), 2);
        assert_eq!(checkpoints(&sim::env(&io, 1), dir()).unwrap(), [1]);
        assert!(verify(&io, None).damage.is_empty());
    }
}

#[test]
fn a_copy_that_could_not_be_finished_does_not_stay() {
    let (disk, _) = three_segments(true);
    let io = damaged(&disk, 2, |bytes| bytes[4096 + FRAME] ^= 1);
    let full = std::io::ErrorKind::StorageFull;
    io.fail(Fault::forever(Op::Write, 1, full).partial(100));
    assert_eq!(repair(&io, None).unwrap_err().code(), 305);
    io.heal();
    let names = io.list(dir()).unwrap();
    assert!(
        !names.contains(&"0000000002.swlog.damaged".to_owned()),
        "{names:?}"
    );
    assert_eq!(repair(&io, None).unwrap().last_version, 8);
}
