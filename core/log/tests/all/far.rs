//! A closing mark far from the end of its segment: what is behind it is not looked at, because nothing can be there.

use std::sync::Arc;

use crate::common::*;
use parking_lot::Mutex;
use statewright_log::sim::{self, Damage, Image, Op, SimIo};
use statewright_log::{Durability, Log, LogOptions};

const LENGTH: u64 = 4 << 20;

fn open_large(io: &SimIo, durability: Durability) -> (Log, Commits) {
    let options = LogOptions {
        durability,
        first_segment_bytes: LENGTH,
        ..LogOptions::default()
    };
    let (log, recovery, commits) = try_open(sim::env(io, 5), dir(), options).unwrap();
    assert_eq!(recovery.cut_bytes, 0);
    (log, commits)
}

#[test]
fn the_mark_is_wiped_and_that_is_synced_before_anything_is_written_over_it() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let io = SimIo::new();
        let (log, _) = open_large(&io, durability);
        append_synced(&log, 10);
        log.close().unwrap();
        let (log, _) = open_large(&io, durability);
        let ops = Arc::new(Mutex::new(Vec::new()));
        let seen = ops.clone();
        io.on_change(move |change, _| seen.lock().push(change.op));
        append_synced(&log, 10);
        append_synced(&log, 10);
        let first = [Op::Write, Op::Sync];
        assert_eq!(*ops.lock(), [first, first, first].concat());
        // Whoever only looks leaves the mark alone.
        log.close().unwrap();
        let (log, commits) = open_large(&io, durability);
        ops.lock().clear();
        drop(log);
        assert_eq!(commits.len(), 3);
        assert_eq!(*ops.lock(), [Op::Write], "the mark again");
    }
}

#[test]
fn no_image_of_a_second_session_brings_back_a_commit_that_was_not_shown() {
    let io = SimIo::new();
    let (log, _) = open_large(&io, Durability::Buffered);
    append_synced(&log, 10);
    log.close().unwrap();
    let (log, _) = open_large(&io, Durability::Buffered);
    append(&log, 452);
    append(&log, 3000);
    for image in Image::series(1, 200) {
        let io = io.crash(&image);
        let (first, recovery, commits) = open(&io, Durability::Strict);
        assert_prefix(&commits, &[10, 452, 3000]);
        assert!(recovery.clean || image.damage != Damage::Lose || commits.len() == 1);
        // The same commits once more: what the first try left on the disk must not come back behind them.
        let lens = [10, 452, 3000];
        if commits.len() < 2 {
            append_synced(&first, lens[commits.len()]);
            let expected = commits.len() + 1;
            drop(first);
            assert_eq!(open(&io, Durability::Strict).2.len(), expected, "{image:?}");
        }
    }
}

#[test]
fn opening_reads_little_of_a_segment_that_was_closed() {
    let io = SimIo::new();
    let options = LogOptions {
        first_segment_bytes: 16 << 20,
        ..LogOptions::default()
    };
    let open = || try_open(sim::env(&io, 5), dir(), options.clone()).unwrap();
    let (log, ..) = open();
    append_synced(&log, 10);
    log.close().unwrap();
    // Garbage where no writer of this format can have left any is not seen, and not appended to before long.
    io.edit(&dir().join("0000000001.swlog"), |bytes| {
        bytes[4096 + 72 + (1 << 20) + 4096] = 1;
    })
    .unwrap();
    assert!(open().1.clean);
    io.edit(&dir().join("0000000001.swlog"), |bytes| bytes[6000] = 1)
        .unwrap();
    assert!(!open().1.clean, "but what is near is");
}
