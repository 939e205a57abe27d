//! Padding of synced batches: what is acknowledged shares no page with what is written later.

use crate::common::*;
use statewright_log::sim::{self, Damage, Image, SimIo};
use statewright_log::{Durability, Frame, Io, Log, LogOptions, OpenMode, Position};

fn padded(durability: Durability, pad: bool) -> LogOptions {
    LogOptions {
        pad,
        durability,
        first_segment_bytes: 64 << 10,
        segment_bytes: 64 << 10,
        ..LogOptions::default()
    }
}

fn open_padded(io: &SimIo, durability: Durability, pad: bool) -> (Log, Commits) {
    let options = padded(durability, pad);
    let (log, _, commits) = try_open(sim::env(io, 3), dir(), options).unwrap();
    (log, commits)
}

/// Commits of all sizes in batches; a power cut turns every page of the batch under way into garbage.
#[test]
fn whatever_becomes_of_the_pages_under_way_nothing_acknowledged_is_lost() {
    let lens: Vec<usize> = (0..40).map(|i| i * 331 % 2000).collect();
    for durability in [Durability::Strict, Durability::Buffered] {
        let mut lost_without = 0;
        for (count, pad) in (1..lens.len()).flat_map(|count| [(count, true), (count, false)]) {
            let io = SimIo::new();
            let (log, _) = open_padded(&io, durability, pad);
            for (i, len) in lens[..count].iter().enumerate() {
                append(&log, *len);
                if i % 3 == count % 3 {
                    log.sync_to(u64::MAX, &()).unwrap();
                }
            }
            log.sync_to(u64::MAX, &()).unwrap();
            let position = log.position();
            append(&log, 1500);
            io.halt_at(io.boundaries());
            drop(log);
            io.resume();
            let written = io.disk();
            let io = SimIo::from_disk(io.disk().crash(&Image {
                damage: Damage::Lose,
                seed: 1,
            }));
            let Position {
                segment, offset, ..
            } = position;
            let path = dir().join(format!("{segment:010}.swlog"));
            if pad && offset % 4096 != 0 {
                // No room was left for padding, so nothing was written to this page any more.
                let bytes = SimIo::from_disk(written).read(&path, 1 << 20).unwrap();
                assert!(bytes[offset as usize..].iter().all(|byte| *byte == 0));
                continue;
            }
            io.edit(&path, |bytes| {
                let page = offset as usize / 4096 * 4096;
                let end = (page + 8192).min(bytes.len());
                if let Some(garbage) = bytes.get_mut(page..end) {
                    garbage.fill(0xA7);
                }
            })
            .unwrap();
            let opened = try_open(sim::env(&io, 4), dir(), padded(durability, pad));
            let found = opened.map_or(0, |(_, _, commits)| {
                assert_prefix(&commits, &lens);
                commits.len()
            });
            if pad {
                assert_eq!(found, count, "{durability} {position:?}");
            } else {
                lost_without += usize::from(found < count);
            }
        }
        assert!(
            lost_without > 30,
            "without padding it does matter: {lost_without}"
        );
    }
}

#[test]
fn padded_logs_are_read_replayed_and_begun_at_positions_like_others() {
    let io = SimIo::new();
    let lens: Vec<usize> = (0..60).map(|i| i * 97 % 1500).collect();
    let mut positions = Vec::new();
    for session in 0..3 {
        let (log, commits) = open_padded(&io, Durability::Strict, session != 1);
        assert_prefix(&commits, &lens);
        for len in &lens[commits.len()..commits.len() + 20] {
            append(&log, *len);
            positions.push(log.position()); // before the padding
            log.sync_to(u64::MAX, &()).unwrap();
            positions.push(log.position()); // and behind it
        }
        let mut read = 0;
        log.read(1, &mut |frame| {
            assert_eq!(frame.ops.len(), lens[read]);
            read += 1;
            Ok(true)
        })
        .unwrap();
        assert_eq!(read, (session + 1) * 20);
        if session == 0 {
            log.close().unwrap();
        } else {
            io.halt_at(io.boundaries());
            drop(log);
            io.resume();
        }
    }
    for start in positions {
        let io = SimIo::from_disk(io.disk().crash(&Image {
            damage: Damage::Keep,
            seed: 0,
        }));
        let mut behind = 0;
        let options = padded(Durability::Strict, true);
        let replay = &mut |frame: Frame<'_>| {
            behind += 1;
            assert_eq!(frame.ops.len(), lens[frame.version as usize - 1]);
            Ok(())
        };
        Log::open_from(sim::env(&io, 5), dir(), options, Some(start), replay).unwrap();
        assert_eq!(behind, 60 - start.version, "{start:?}");
    }
    let found = Log::verify_folder(&sim::env(&io, 6), dir(), None, &mut sound).unwrap();
    assert_eq!((found.commits, found.damage.len()), (60, 0));
}

/// As `format_1_is_read_and_written_as_ever`, with the required feature bit for padding.
#[test]
fn format_1_with_padding_is_read_and_written_as_ever() {
    const GOLDEN: &[u8] = include_bytes!("../golden/format-1-padded.swlog");
    let io = SimIo::new();
    io.create_dir_all(dir()).unwrap();
    let file = io
        .open(&dir().join("0000000001.swlog"), OpenMode::CreateNew)
        .unwrap();
    file.write_all_at(GOLDEN, 0).unwrap();
    let (_, commits) = open_padded(&io, Durability::Strict, true);
    assert_prefix(&commits, &[5, 0, 700]);
    assert_eq!(commits.len(), 3);
    assert!(
        golden_bytes() == GOLDEN,
        "the bytes written are not those of format 1"
    );
}

fn golden_bytes() -> Vec<u8> {
    let (env, io, _) = sim::world(1);
    let options = LogOptions {
        pad: true,
        ..small(Durability::Strict)
    };
    let options = LogOptions {
        first_segment_bytes: 16 << 10,
        segment_bytes: 16 << 10,
        ..options
    };
    let (log, _, _) = try_open(env, dir(), options).unwrap();
    for len in [5, 0, 700] {
        append_synced(&log, len);
    }
    log.close().unwrap();
    io.read(&dir().join("0000000001.swlog"), 1 << 20).unwrap()
}

#[test]
#[ignore = "writes the golden file of a new format; run from core/log"]
fn bless_the_golden_file() {
    let path = std::path::Path::new("tests/golden/format-1-padded.swlog");
    let file = statewright_log::RealIo
        .open(path, OpenMode::CreateNew)
        .unwrap();
    file.write_all_at(&golden_bytes(), 0).unwrap();
}

#[test]
fn segments_grow_with_what_padding_takes() {
    let io = SimIo::new();
    let options = LogOptions {
        segment_bytes: 16 << 20,
        ..padded(Durability::Strict, true)
    };
    let (log, _, _) = try_open(sim::env(&io, 3), dir(), options).unwrap();
    for _ in 0..1000 {
        append_synced(&log, 100);
    }
    // Of 64, 64, 128, 256 KiB and so on, and half a page more for each.
    assert_eq!(log.stats().segments_started, 6);
}
