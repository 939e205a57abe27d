//! A store's folder is looked at and repaired: log, checkpoints, and what the commits say.

use std::path::Path;

use statewright_log::sim::{self, SimIo};
use statewright_log::{Io, Log, LogOptions, Timestamp, checkpoints};
use statewright_store::{Error, Place, Reader, Space, Store, StoreOptions};
use statewright_value::value;

const DIR: &str = "/data/store";

fn open(io: &SimIo) -> Result<Store, statewright_store::Error> {
    let place = Place::Dir(DIR.into());
    Store::open(sim::env(io, 3), place, StoreOptions::default())
}

/// Keys 0 to 199, a checkpoint, and keys up to 299.
fn with_checkpoint() -> SimIo {
    let io = SimIo::new();
    let store = open(&io).unwrap();
    for key in 0..300_u32 {
        store
            .kv_put(&Space::default(), &key.to_be_bytes(), value!(key))
            .unwrap();
        if key == 199 {
            store.checkpoint().unwrap();
        }
    }
    store.close().unwrap();
    io
}

fn keys(io: &SimIo) -> usize {
    let store = open(io).unwrap();
    let snapshot = store.snapshot();
    let found = (0..300_u32)
        .filter(|key| {
            let value = snapshot.kv_get(&Space::default(), &key.to_be_bytes());
            value.unwrap() == Some(value!(*key))
        })
        .count();
    store.close().unwrap();
    found
}

#[test]
fn damage_of_a_checkpoint_costs_nothing_and_damage_of_the_log_what_is_behind_it() {
    let io = with_checkpoint();
    let env = sim::env(&io, 1);
    let found = Store::verify(&env, Path::new(DIR)).unwrap();
    assert_eq!((found.commits, found.checkpoints), (300, 1));
    assert!(found.damage.is_empty() && found.clean);
    assert!(!Store::repair(&env, Path::new(DIR)).unwrap().changed);

    let number = checkpoints(&env, Path::new(DIR)).unwrap()[0];
    let checkpoint = Path::new(DIR).join(format!("{number:010}.swckpt"));
    let (disk, log) = (io.disk(), Path::new(DIR).join("0000000001.swlog"));
    let size = io.read(&checkpoint, 1 << 30).unwrap().len();
    for at in [0, 8, 30, 70, size / 2, size - 40, size - 10, size] {
        let io = SimIo::from_disk(disk.clone());
        io.edit(&checkpoint, |bytes| match bytes.get_mut(at) {
            Some(byte) if at != 30 => *byte ^= 0x10,
            _ => bytes.truncate(at % size),
        })
        .unwrap();
        let env = sim::env(&io, 2);
        let found = Store::verify(&env, Path::new(DIR)).unwrap();
        if found.damage.is_empty() {
            continue; // between two pages
        }
        assert_eq!(found.damage[0].path, checkpoint);
        let planned = Store::plan_repair(&env, Path::new(DIR)).unwrap();
        assert_eq!((planned.changed, planned.lost_commits), (true, 0));
        assert_eq!(Store::repair(&env, Path::new(DIR)).unwrap().kept.len(), 1);
        assert_eq!(keys(&io), 300);
    }

    // The first commit is history: the checkpoint has what came of it. The last is lost.
    let frames = io.read(&log, 1 << 30).unwrap();
    let places: Vec<usize> = (0..frames.len())
        .step_by(4)
        .filter(|at| frames[*at..].starts_with(b"\xF7SWC"))
        .collect();
    for (place, kept) in [(0, 300), (299, 299), (250, 250)] {
        let io = SimIo::from_disk(disk.clone());
        io.edit(&log, |bytes| bytes[places[place] + 70] ^= 1)
            .unwrap();
        let env = sim::env(&io, 2);
        let found = Store::verify(&env, Path::new(DIR)).unwrap();
        assert_eq!(found.damage.len(), 1);
        assert_eq!(found.damage[0].covered, kept == 300);
        let done = Store::repair(&env, Path::new(DIR)).unwrap();
        assert_eq!((done.changed, done.lost_commits), (kept < 300, 300 - kept));
        assert_eq!(keys(&io) as u64, kept);
    }
}

/// What the commits of a log say.
fn payloads(io: &SimIo) -> Vec<Vec<u8>> {
    let (mut found, options) = (Vec::new(), LogOptions::default());
    let (log, _) = Log::open(sim::env(io, 4), Path::new(DIR), options, &mut |frame| {
        found.push(frame.ops.to_vec());
        Ok(())
    })
    .unwrap();
    log.close().unwrap();
    found
}

#[test]
fn commits_that_cannot_be_read_or_applied_are_damage_and_a_repair_ends_before_them() {
    let other = SimIo::new();
    let store = open(&other).unwrap();
    store.kv_put(&Space::default(), b"n", value!(1)).unwrap();
    let one = value!(1);
    store
        .kv_increment(&Space::default(), b"n", one.clone(), one)
        .unwrap();
    store.close().unwrap();
    let increment = payloads(&other).pop().unwrap();

    let whole = with_checkpoint();
    let unreadable = b"\x92\x00\xdd\xff\xff\xff\xff".to_vec();
    // In the second case, the key of the increment has a text here.
    for (payload, text) in [(unreadable, false), (increment, true)] {
        for checkpointed in [false, true] {
            let io = SimIo::from_disk(whole.disk());
            let good = 300 + u64::from(text);
            if text {
                let store = open(&io).unwrap();
                store.kv_put(&Space::default(), b"n", value!("x")).unwrap();
                store.close().unwrap();
            }
            if !checkpointed {
                let number = checkpoints(&sim::env(&io, 1), Path::new(DIR)).unwrap()[0];
                io.remove(&Path::new(DIR).join(format!("{number:010}.swckpt")))
                    .unwrap();
            }
            let good_commits = payloads(&io);
            let options = LogOptions::default();
            let (log, _) =
                Log::open(sim::env(&io, 4), Path::new(DIR), options, &mut |_| Ok(())).unwrap();
            log.append(Timestamp::EPOCH, &payload).unwrap();
            // Good by itself, but behind one that is not.
            log.append(Timestamp::EPOCH, &good_commits[0]).unwrap();
            log.close().unwrap();
            let env = sim::env(&io, 5);
            let Err(Error::Corrupt { version, why }) = open(&io) else {
                panic!("it opens");
            };
            assert_eq!(version, good + 1);

            let found = Store::verify(&env, Path::new(DIR)).unwrap();
            assert_eq!(found.commits, good + 2);
            assert_eq!(found.damage.len(), 1, "{found:?}");
            let damage = &found.damage[0];
            let problem = format!("commit {version} cannot be applied: {why}");
            assert_eq!(damage.problem, problem);
            assert_eq!((damage.last_good, damage.behind), (good, 1));
            assert!(!damage.covered);
            let planned = Store::plan_repair(&env, Path::new(DIR)).unwrap();
            assert_eq!((planned.last_version, planned.lost_commits), (good, 2));
            let done = Store::repair(&env, Path::new(DIR)).unwrap();
            assert_eq!((done.last_version, done.lost_commits), (good, 2));
            assert_eq!((done.changed, done.kept.len()), (true, 1));
            assert_eq!(keys(&io), 300);
            assert_eq!(payloads(&io), good_commits);
        }
    }
}

/// A checkpoint that was written anew needs none of the older ones, so the store opens from it; then the commits behind
/// an older one are history too.
#[test]
fn a_damaged_checkpoint_harms_only_those_that_build_on_it() {
    let io = SimIo::new();
    let store = open(&io).unwrap();
    for key in 0..300_u32 {
        store
            .kv_put(&Space::default(), &key.to_be_bytes(), value!(key))
            .unwrap();
        if key % 10 == 9 && key < 170 {
            store.checkpoint().unwrap();
        }
    }
    assert_eq!(store.stats().checkpoint.files, 1, "written anew");
    store.close().unwrap();
    let (dir, disk) = (Path::new(DIR), io.disk());
    let numbers = checkpoints(&sim::env(&io, 1), dir).unwrap();
    let whole = numbers.len() as u64;
    assert!(whole > 5);
    let path = |number: u64| dir.join(format!("{number:010}.swckpt"));
    let frames = io.read(&dir.join("0000000001.swlog"), 1 << 30).unwrap();
    let commits: Vec<usize> = (0..frames.len())
        .step_by(4)
        .filter(|at| frames[*at..].starts_with(b"\xF7SWC"))
        .collect();
    type Edit = fn(&mut Vec<u8>);
    let flip: Edit = |bytes| bytes[70] ^= 0x10;
    for (bad, missing) in [(3, false), (3, true), (whole, false)] {
        let io = SimIo::from_disk(disk.clone());
        match missing {
            true => io.remove(&path(bad)).unwrap(),
            false => io.edit(&path(bad), flip).unwrap(),
        }
        let env = sim::env(&io, 2);
        let found = Store::verify(&env, dir).unwrap();
        let usable = if bad == 3 { 3 } else { whole - 1 };
        assert_eq!(found.checkpoints, usable, "{bad} {missing} {found:?}");
        // What is left of an interrupted removal is no damage.
        assert_eq!(found.damage.is_empty(), missing, "{found:?}");
        // Behind checkpoint 2, before the newest.
        io.edit(&dir.join("0000000001.swlog"), |bytes| {
            bytes[commits[25] + 70] ^= 1
        })
        .unwrap();
        let opened = open(&SimIo::from_disk(io.disk()));
        assert!(opened.is_ok());
        let done = Store::repair(&env, dir).unwrap();
        assert_eq!(done.lost_commits, 0, "{bad} {missing} {done:?}");
        assert_eq!(keys(&io), 300, "{bad} {missing}");
    }
    // The newest needs one that is missing, and there is no other.
    let io = SimIo::from_disk(disk);
    io.remove(&path(whole)).unwrap();
    io.remove(&path(1)).unwrap();
    let env = sim::env(&io, 2);
    let found = Store::verify(&env, dir).unwrap();
    assert_eq!(
        (found.checkpoints, found.damage.len() as u64),
        (0, whole - 2)
    );
    assert!(
        found.damage[0]
            .problem
            .contains("checkpoint 1, which is missing")
    );
    assert!(Store::repair(&env, dir).unwrap().changed);
    assert_eq!((keys(&io), checkpoints(&env, dir).unwrap().len()), (300, 0));
}
