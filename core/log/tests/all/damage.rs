//! Damage is refused with its place and nothing is changed; torn ends are cut; nothing else is lost.

use std::path::PathBuf;

use crate::common::*;
use statewright_log::sim::{self, Damage, Disk, Image, SimIo};
use statewright_log::{Durability, Error, Io, Log, OpenMode};

const HEADER: usize = 4096;
const FRAME_HEADER: usize = 60;

fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:010}.swlog"))
}

fn bytes(io: &SimIo, number: u64) -> Vec<u8> {
    io.read(&segment(number), 1 << 20).unwrap()
}

fn put(io: &SimIo, number: u64, content: &[u8]) {
    let file = io.open(&segment(number), OpenMode::CreateNew).unwrap();
    file.write_all_at(content, 0).unwrap();
}

/// What opening this disk gives; the disk itself is not touched.
fn try_disk(disk: &Disk) -> Result<Commits, Error> {
    let io = SimIo::from_disk(disk.clone());
    let before: Vec<Vec<u8>> = (1..=3)
        .map(|n| io.read(&segment(n), 1 << 20).unwrap_or_default())
        .collect();
    let outcome =
        try_open(sim::env(&io, 5), dir(), small(Durability::Strict)).map(|(_, _, commits)| commits);
    if outcome.is_err() {
        let after: Vec<Vec<u8>> = (1..=3)
            .map(|n| io.read(&segment(n), 1 << 20).unwrap_or_default())
            .collect();
        assert_eq!(before, after, "nothing was changed");
    }
    outcome
}

/// Three segments, 18 commits of 500 bytes, one per sync.
const LENS: [usize; 18] = [500; 18];
const FRAME: usize = FRAME_HEADER + 500;
const PER_SEGMENT: usize = 7;

fn three_segments(closed: bool) -> SimIo {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for len in LENS {
        append_synced(&log, len);
    }
    if !closed {
        io.halt_at(io.boundaries());
    }
    drop(log);
    io.resume();
    SimIo::from_disk(io.disk())
}

/// Where the commits of a segment end.
fn frames_end(number: u64) -> usize {
    HEADER
        + FRAME
            * if number == 3 {
                LENS.len() - 2 * PER_SEGMENT
            } else {
                PER_SEGMENT
            }
}

fn assert_refused(outcome: Result<Commits, Error>, number: u64, at: usize) {
    match outcome {
        Err(Error::Corrupt { path, offset, .. }) => {
            assert_eq!(path, segment(number));
            assert!(
                offset <= at as u64 && at as u64 <= offset + FRAME.max(HEADER) as u64,
                "{offset} for {at}"
            );
        }
        other => panic!(
            "byte {at} of segment {number}: {:?}",
            other.map(|commits| commits.len())
        ),
    }
}

#[test]
fn after_a_proper_close_a_flipped_bit_in_any_commit_is_refused() {
    let io = three_segments(true);
    let whole = io.disk();
    assert_eq!(try_disk(&whole).unwrap().len(), LENS.len());
    for number in 1..=3 {
        for at in (0..8192)
            .step_by(11)
            .chain(HEADER - 4..HEADER + 70)
            .chain(120..130)
        {
            let io = SimIo::from_disk(whole.clone());
            io.edit(&segment(number), |bytes| bytes[at] ^= 1 << (at % 8))
                .unwrap();
            let outcome = try_disk(&io.disk());
            if at < 128 || (HEADER..frames_end(number)).contains(&at) {
                assert_refused(outcome, number, at);
            } else {
                // Unused parts of the header, marks, and zeros: no commit is lost.
                let commits = outcome.unwrap();
                assert_prefix(&commits, &LENS);
                assert_eq!(commits.len(), LENS.len());
            }
        }
    }
}

#[test]
fn after_a_kill_everything_before_the_last_batch_is_proven() {
    let whole = three_segments(false).disk();
    for at in (HEADER..8192).step_by(13) {
        let io = SimIo::from_disk(whole.clone());
        io.edit(&segment(3), |bytes| bytes[at] ^= 0x10).unwrap();
        let outcome = try_disk(&io.disk());
        if at < frames_end(3) - FRAME {
            assert_refused(outcome, 3, at);
        } else {
            // The last batch is not proven by anything: damaged, it looks like a torn write.
            let commits = outcome.unwrap();
            assert_prefix(&commits, &LENS);
            let lost = usize::from(at < frames_end(3));
            assert_eq!(commits.len(), LENS.len() - lost, "byte {at}");
        }
    }
}

#[test]
fn wiped_ranges_are_refused() {
    for closed in [true, false] {
        let whole = three_segments(closed).disk();
        for (from, to) in [
            (HEADER, HEADER + FRAME),
            (HEADER + FRAME, frames_end(3) - FRAME),
            (HEADER + 100, frames_end(3) - FRAME),
        ] {
            let io = SimIo::from_disk(whole.clone());
            io.edit(&segment(3), |bytes| bytes[from..to].fill(0))
                .unwrap();
            assert_refused(try_disk(&io.disk()), 3, from);
        }
    }
}

#[test]
fn cut_files_are_refused() {
    let whole = three_segments(true).disk();
    for number in 1..=3 {
        for len in [
            0,
            100,
            HEADER,
            HEADER + 10,
            HEADER + FRAME,
            frames_end(number) - 1,
        ] {
            let io = SimIo::from_disk(whole.clone());
            io.edit(&segment(number), |bytes| bytes.truncate(len))
                .unwrap();
            let error = try_disk(&io.disk()).unwrap_err();
            assert_eq!(error.code(), 302, "{error}");
            assert!(
                error
                    .to_string()
                    .contains(&segment(number).display().to_string()),
                "{error}"
            );
        }
    }
    // Also when only zeros are missing: the size was durable before the file had its name.
    let io = SimIo::from_disk(whole.clone());
    io.edit(&segment(3), |bytes| bytes.truncate(8191)).unwrap();
    assert_eq!(try_disk(&io.disk()).unwrap_err().code(), 302);
    io.edit(&segment(3), |bytes| bytes.resize(9000, 0)).unwrap();
    assert_eq!(try_disk(&io.disk()).unwrap_err().code(), 302);
}

#[test]
fn lost_files_are_refused() {
    let whole = three_segments(true).disk();
    for (lost, named) in [(1, 1), (2, 2), (3, 2)] {
        let io = SimIo::from_disk(whole.clone());
        io.remove(&segment(lost)).unwrap();
        let error = try_disk(&io.disk()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&segment(named).display().to_string()),
            "{error}"
        );
        assert!(error.to_string().contains("missing"), "{error}");
    }
}

#[test]
fn swapped_and_foreign_files_are_refused() {
    let whole = three_segments(true).disk();
    let swapped = SimIo::from_disk(whole.clone());
    let (two, three) = (bytes(&swapped, 2), bytes(&swapped, 3));
    swapped
        .edit(&segment(2), |bytes| *bytes = three.clone())
        .unwrap();
    swapped.edit(&segment(3), |bytes| *bytes = two).unwrap();
    assert_refused(try_disk(&swapped.disk()), 2, 0);

    // The third segment of another store, made in the same way.
    let other = SimIo::new();
    let (log, _, _) = try_open(sim::env(&other, 99), dir(), small(Durability::Strict)).unwrap();
    for len in LENS {
        append_synced(&log, len);
    }
    drop(log);
    let foreign = SimIo::from_disk(whole);
    foreign
        .edit(&segment(3), |content| *content = bytes(&other, 3))
        .unwrap();
    assert_refused(try_disk(&foreign.disk()), 3, 0);
}

#[test]
fn misdirected_and_lost_writes_are_refused() {
    let whole = three_segments(true).disk();
    // A commit written over another one's place, from the same file and from another.
    for (from_segment, from, to) in [
        (3, HEADER, HEADER + FRAME),
        (2, HEADER + FRAME, HEADER + FRAME),
    ] {
        let io = SimIo::from_disk(whole.clone());
        let frame = bytes(&io, from_segment)[from..from + FRAME].to_vec();
        io.edit(&segment(3), |bytes| {
            bytes[to..to + FRAME].copy_from_slice(&frame)
        })
        .unwrap();
        assert_refused(try_disk(&io.disk()), 3, to);
    }
}

#[test]
fn what_lies_behind_a_cut_is_never_taken_for_valid_later() {
    // Two unsynced commits; the first is lost in a crash, the second survives intact behind it.
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Buffered);
    append_synced(&log, 100);
    append(&log, 452); // exactly one sector with its header
    append(&log, 300);
    let io = SimIo::from_disk(io.disk().crash(&sim::Image {
        damage: sim::Damage::Keep,
        seed: 0,
    }));
    drop(log);
    let lost = HEADER + 160..HEADER + 160 + 512;
    io.edit(&segment(1), |bytes| bytes[lost].fill(0)).unwrap();
    let (log, recovery, commits) = open(&io, Durability::Buffered);
    assert_eq!(
        (commits.len(), recovery.clean, recovery.cut_bytes),
        (1, false, 512 + 360)
    );
    // The same commits again, with the same content: frame 3 would fit the chain, were it looked at.
    append(&log, 452);
    let (_, _, commits) = open(
        &io.crash(&sim::Image {
            damage: sim::Damage::Keep,
            seed: 0,
        }),
        Durability::Buffered,
    );
    assert_eq!(commits.len(), 2);
}

#[test]
fn a_segment_that_continues_other_commits_is_refused() {
    let io = three_segments(true);
    io.edit(&segment(2), |bytes| {
        bytes[64] ^= 1; // the hash of the commit before
        let crc = crc32fast::hash(&bytes[..124]);
        bytes[124..128].copy_from_slice(&crc.to_le_bytes());
    })
    .unwrap();
    assert_refused(try_disk(&io.disk()), 1, frames_end(1));
}

#[test]
fn newer_formats_are_refused_as_such() {
    let io = three_segments(true);
    io.edit(&segment(2), |bytes| {
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..124]);
        bytes[124..128].copy_from_slice(&crc.to_le_bytes());
    })
    .unwrap();
    let error = try_disk(&io.disk()).unwrap_err();
    assert_eq!(error.code(), 304, "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
}

/// One small log of format 1, byte for byte. If this fails, the format changed: that needs a new format version, and
/// this file stays, to be read for ever.
#[test]
fn format_1_is_read_and_written_as_ever() {
    const GOLDEN: &[u8] = include_bytes!("../golden/format-1.swlog");
    let expected: Commits = vec![
        (1, b"first".to_vec()),
        (2, Vec::new()),
        (3, payload(3, 700)),
    ];

    let io = SimIo::new();
    io.create_dir_all(dir()).unwrap();
    put(&io, 1, GOLDEN);
    let (log, recovery, commits) = open(&io, Durability::Strict);
    assert_eq!(commits, expected);
    assert!(recovery.clean);
    append_synced(&log, 10);

    assert!(
        golden_bytes() == GOLDEN,
        "the bytes written are not those of format 1"
    );
}

fn golden_bytes() -> Vec<u8> {
    let (env, io, _) = sim::world(1);
    let (log, _, _) = try_open(env, dir(), small(Durability::Strict)).unwrap();
    let time = |micros| statewright_log::Timestamp::from_micros(micros);
    log.append(time(1_709_208_000_500_000), b"first").unwrap();
    log.append(time(-1), b"").unwrap();
    log.sync_to(2, &()).unwrap();
    log.append(time(0), &payload(3, 700)).unwrap();
    log.close().unwrap();
    bytes(&io, 1)
}

#[test]
#[ignore = "writes the golden file of a new format; run from core/log"]
fn bless_the_golden_file() {
    let path = std::path::Path::new("tests/golden/format-1.swlog");
    let file = statewright_log::RealIo
        .open(path, OpenMode::CreateNew)
        .unwrap();
    file.write_all_at(&golden_bytes(), 0).unwrap();
}

/// What is written again is what was passed on, or nothing is.
#[test]
fn a_torn_end_that_reads_differently_the_second_time_is_refused() {
    let io = SimIo::new();
    let (log, _, _) = open(&io, Durability::Strict);
    for len in [100, 200, 300] {
        append(&log, len);
    }
    log.sync_to(3, &()).unwrap();
    io.halt_at(io.boundaries());
    drop(log);
    io.resume();
    let io = SimIo::from_disk(io.disk().crash(&Image {
        damage: Damage::Keep,
        seed: 0,
    }));
    let options = small(Durability::Strict);
    let opened = Log::open(sim::env(&io, 2), dir(), options, &mut |frame| {
        if frame.version == 3 {
            let path = dir().join("0000000001.swlog");
            io.edit(&path, |bytes| bytes[4096 + 170] ^= 1).unwrap();
        }
        Ok(())
    });
    assert_eq!(
        opened
            .map(|(log, _)| log.last_version())
            .unwrap_err()
            .code(),
        302
    );
}
