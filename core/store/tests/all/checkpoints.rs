//! Checkpoints: what is opened from one is what was committed, whatever happens while it is made.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use statewright_log::sim::{self, Fault, Image, Op, SimIo};
use statewright_log::{Io, OpenMode};
use statewright_store::{Durability, Env, Error, Place, Reader, Space, Store, StoreOptions};
use statewright_value::{Path as ValuePath, Value, value};

const DIR: &str = "/store";

fn options(durability: Durability) -> StoreOptions {
    let mut options = StoreOptions::with_durability(durability);
    options.log.first_segment_bytes = 16 << 10;
    options
}

fn open_with(env: Env, durability: Durability) -> Result<Store, Error> {
    Store::open(env, Place::Dir(PathBuf::from(DIR)), options(durability))
}

fn open(io: &SimIo) -> Store {
    open_with(sim::env(io, 9), Durability::Strict).unwrap()
}

fn put(store: &Store, key: u32, value: Value) {
    store
        .kv_put(&Space::default(), &key.to_be_bytes(), value)
        .unwrap();
}

type State = BTreeMap<Vec<u8>, Value>;

fn state(store: &Store) -> State {
    let snapshot = store.snapshot();
    let mut all: State = snapshot
        .kv_scan(&Space::default(), b"", None, usize::MAX)
        .unwrap()
        .into_iter()
        .collect();
    let docs = snapshot
        .json_list(&Space::default(), "", None, usize::MAX)
        .unwrap();
    all.extend(docs.into_iter().map(|(key, doc)| (key.into_bytes(), doc)));
    all
}

/// Commits of all sizes: scalars, a long text, a document and a path in it.
fn step(store: &Store, n: u32) {
    let space = Space::default();
    match n % 7 {
        0 => put(store, n % 50, value!(n)),
        1 => put(
            store,
            n % 50,
            Value::from("long ".repeat((n % 300) as usize)),
        ),
        2 => drop(
            store
                .transact(|txn| txn.kv_delete(&space, &(n % 50).to_be_bytes()))
                .unwrap(),
        ),
        3 => store
            .transact(|txn| {
                let doc =
                    value!({"n": (n), "list": [1, 2, 3], "text": (Value::from("x".repeat(3000)))});
                txn.json_set(&space, &format!("doc-{}", n % 5), &ValuePath::root(), doc)
            })
            .unwrap(),
        _ => {
            let path = ValuePath::parse(&format!(".edits.e{}", n % 9)).unwrap();
            let set = store
                .transact(|txn| txn.json_set(&space, &format!("doc-{}", n % 5), &path, value!(n)));
            assert!(matches!(set, Ok(()) | Err(Error::NotFound { .. })));
        }
    }
}

#[test]
fn opening_takes_the_checkpoint_and_the_log_behind_it() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let (env, io, _) = sim::world(1);
        let store = open_with(env, durability).unwrap();
        for round in 0..30 {
            for n in 0..20 {
                step(&store, round * 20 + n);
            }
            let made = store.checkpoint().unwrap();
            assert_eq!(made.version, store.stats().version);
            assert_eq!(store.checkpoint().unwrap(), made, "nothing to do");
            for n in 0..round % 4 {
                step(&store, round * 31 + n);
            }
        }
        let (before, version) = (state(&store), store.stats().version);
        let checkpoint = store.stats().checkpoint;
        assert!(checkpoint.files <= 16, "{checkpoint:?}");
        store.close().unwrap();
        let store = open_with(sim::env(&io, 2), durability).unwrap();
        let stats = store.stats();
        assert_eq!(state(&store), before);
        assert_eq!(
            (stats.version, stats.recovery.frames),
            (version, version - checkpoint.version)
        );
        assert_eq!(
            (stats.checkpoint.version, stats.checkpoint.skipped.len()),
            (checkpoint.version, 0)
        );
        // The log alone gives the same, so a checkpoint is never needed.
        store.close().unwrap();
        for name in sim::env(&io, 3).io.list(Path::new(DIR)).unwrap() {
            if name.ends_with(".swckpt") {
                sim::env(&io, 3)
                    .io
                    .remove(&Path::new(DIR).join(name))
                    .unwrap();
            }
        }
        let store = open_with(sim::env(&io, 2), durability).unwrap();
        assert_eq!(
            (state(&store), store.stats().recovery.frames),
            (before, version)
        );
    }
}

#[test]
fn a_power_cut_at_any_moment_of_a_checkpoint_loses_nothing() {
    let prepared = || {
        let (env, io, _) = sim::world(1);
        let store = open_with(env, Durability::Strict).unwrap();
        for n in 0..60 {
            step(&store, n);
        }
        store.checkpoint().unwrap();
        for n in 60..90 {
            step(&store, n);
        }
        (store, io)
    };
    let (store, io) = prepared();
    let (want, first) = (state(&store), io.boundaries());
    let newest = store.checkpoint().unwrap().version;
    let last = io.boundaries();
    assert!(
        last - first >= 5,
        "create, write, sync, rename, sync of the folder"
    );
    for moment in first..=last {
        for image in Image::series(moment, 20) {
            let (store, io) = prepared();
            io.halt_at(moment);
            let done = store.checkpoint().is_ok();
            let after = open(&io.crash(&image));
            assert_eq!(state(&after), want, "{moment} {image:?}");
            let stats = after.stats();
            assert!(
                !done || stats.checkpoint.version == newest,
                "{moment} {image:?}: made and lost"
            );
            assert!(
                stats.checkpoint.skipped.is_empty(),
                "{moment} {image:?}: {stats:?}"
            );
            // And it goes on from there.
            step(&after, 91);
            after.checkpoint().unwrap();
        }
    }
}

#[test]
fn any_failing_call_is_an_error_and_the_store_goes_on() {
    for op in [
        Op::Create,
        Op::Write,
        Op::Sync,
        Op::Rename,
        Op::SyncDir,
        Op::Open,
        Op::Read,
        Op::List,
    ] {
        for nth in 1..6 {
            for error in [ErrorKind::StorageFull, ErrorKind::Other] {
                let (env, io, _) = sim::world(1);
                let store = open_with(env, Durability::Buffered).unwrap();
                for n in 0..40 {
                    step(&store, n);
                }
                store.sync().unwrap();
                io.fail(Fault::once(op, nth, error));
                let made = store.checkpoint();
                let failed = io.failed() > 0;
                assert_eq!(made.is_err(), failed, "{op:?} {nth} {error:?}: {made:?}");
                io.heal();
                // The next one succeeds, and is what is opened.
                step(&store, 42);
                store.checkpoint().unwrap();
                step(&store, 49);
                let want = state(&store);
                store.close().unwrap();
                let after = open(&io);
                assert_eq!((state(&after), after.stats().recovery.frames), (want, 1));
            }
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_a_damaged_page_is_reported() {
    let (env, io, _) = sim::world(1);
    let store = open_with(env, Durability::Strict).unwrap();
    for n in 0..200 {
        step(&store, n);
    }
    let older = store.checkpoint().unwrap();
    for n in 200..230 {
        step(&store, n);
    }
    store.checkpoint().unwrap();
    let want = state(&store);
    store.close().unwrap();
    let newest = Path::new(DIR).join("0000000002.swckpt");
    let len = sim::env(&io, 1)
        .io
        .open(&newest, statewright_log::OpenMode::Read)
        .unwrap()
        .len()
        .unwrap();
    // Its end: the one before is used, and what was passed over is told.
    io.edit(&newest, |bytes| bytes[len as usize - 1] ^= 1)
        .unwrap();
    let store = open(&io);
    assert_eq!(state(&store), want);
    let found = store.stats().checkpoint;
    assert_eq!((found.version, found.skipped.len()), (older.version, 1));
    assert!(found.skipped[0].contains("0000000002.swckpt"), "{found:?}");
    store.close().unwrap();
    io.edit(&newest, |bytes| bytes[len as usize - 1] ^= 1)
        .unwrap();
    // Both: the log is enough.
    let oldest = Path::new(DIR).join("0000000001.swckpt");
    for file in [&oldest, &newest] {
        io.edit(file, |bytes| bytes[10] ^= 1).unwrap();
    }
    let store = open(&io);
    assert_eq!(
        (state(&store), store.stats().checkpoint.skipped.len()),
        (want.clone(), 2)
    );
    store.close().unwrap();
    for file in [&oldest, &newest] {
        io.edit(file, |bytes| bytes[10] ^= 1).unwrap();
    }
    // A page in the middle: whoever reads it is told, nothing is written, and without the files all is well.
    for file in [&oldest, &newest] {
        let pages = |bytes: &mut Vec<u8>| {
            let end = bytes.len() - 400; // the root and the end stay intact
            bytes[100..end].iter_mut().step_by(50).for_each(|b| *b ^= 1);
        };
        io.edit(file, pages).unwrap();
    }
    let damaged = |e: &Error| matches!(e, Error::Damaged { .. });
    let store = open(&io);
    let path = ValuePath::parse(".edits.e1").unwrap();
    let edited = store
        .begin()
        .json_set(&Space::default(), "doc-1", &path, value!(1));
    assert!(edited.as_ref().is_err_and(damaged), "{edited:?}");
    store.close().unwrap();
    let store = open(&io);
    let read = store.kv_scan(&Space::default(), b"", None, usize::MAX);
    assert!(read.as_ref().is_err_and(damaged), "{read:?}");
    let written = store.kv_put(&Space::default(), &1_u32.to_be_bytes(), value!(1));
    assert!(written.as_ref().is_err_and(damaged), "{written:?}");
    assert!(matches!(
        store.checkpoint(),
        Ok(_) | Err(Error::Damaged { .. })
    ));
    store.close().unwrap();
    for file in [&oldest, &newest] {
        sim::env(&io, 1).io.remove(file).unwrap();
    }
    assert_eq!(state(&open(&io)), want);
}

#[test]
fn commits_go_on_while_checkpoints_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let place = || Place::Dir(dir.path().join("store"));
    let mut options = options(Durability::Buffered);
    options.checkpoints.cache_bytes = 1; // everything leaves memory each time
    let store = Store::open(Env::real(), place(), options.clone()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..6000 {
                step(&store, n);
            }
        });
        while !writer.is_finished() {
            let snapshot = store.snapshot();
            let before = snapshot
                .kv_scan(&Space::default(), b"", None, usize::MAX)
                .unwrap();
            store.checkpoint().unwrap();
            let after = snapshot
                .kv_scan(&Space::default(), b"", None, usize::MAX)
                .unwrap();
            assert!(before == after, "a snapshot does not change");
        }
    });
    let want = state(&store);
    store.close().unwrap();
    assert_eq!(
        state(&Store::open(Env::real(), place(), options).unwrap()),
        want
    );
    let names = Env::real().io.list(&dir.path().join("store")).unwrap();
    let left = names.iter().filter(|name| name.ends_with("swckpt")).count();
    assert!(left <= 2 * 17, "old checkpoints are removed: {left}");
}

#[test]
fn lent_scans_see_what_copying_scans_see() {
    let (env, _, clock) = sim::world(1);
    let store = open_with(env, Durability::Buffered).unwrap();
    for n in 0..500 {
        step(&store, n);
    }
    let space = Space::default();
    store
        .kv_put_for(
            &space,
            b"gone",
            value!(1),
            std::time::Duration::from_secs(1),
        )
        .unwrap();
    for what in ["in memory", "in pages"] {
        let snapshot = store.snapshot();
        for prefix in [b"".as_slice(), &[0, 0], b"go", b"none"] {
            let mut lent = Vec::new();
            let each = snapshot.kv_each(&space, prefix, None, |item| {
                let value = item.value().unwrap();
                let inline = item.inline_bytes();
                assert!(inline.is_none_or(|b| value.as_str().is_some_and(|t| t.as_bytes() == b)));
                assert!(item.version() > 0);
                lent.push((item.key().to_vec(), value));
                std::ops::ControlFlow::Continue(())
            });
            each.unwrap();
            let copied = snapshot.kv_scan(&space, prefix, None, usize::MAX).unwrap();
            assert!(lent == copied, "{what} {prefix:?}");
            assert_eq!(
                copied.is_empty(),
                prefix == b"none" || (prefix == b"go" && what == "in pages")
            );
        }
        store.checkpoint().unwrap();
        clock.advance(std::time::Duration::from_secs(2));
    }
}

#[test]
fn a_damaged_page_that_opening_needs_passes_the_checkpoint_over() {
    let (env, io, _) = sim::world(1);
    let store = open_with(env, Durability::Strict).unwrap();
    for n in 0..200 {
        step(&store, n);
    }
    store.checkpoint().unwrap();
    for n in 200..260 {
        step(&store, n);
    }
    let want = state(&store);
    store.close().unwrap();
    let pages = |bytes: &mut Vec<u8>| {
        let end = bytes.len() - 400; // the root and the end stay intact
        bytes[100..end].iter_mut().step_by(50).for_each(|b| *b ^= 1);
    };
    io.edit(&Path::new(DIR).join("0000000001.swckpt"), pages)
        .unwrap();
    let store = open(&io);
    let found = store.stats().checkpoint;
    assert_eq!((found.version, found.skipped.len()), (0, 1), "{found:?}");
    assert_eq!(state(&store), want);
}

#[test]
fn on_a_full_disk_a_checkpoint_may_have_the_reserve() {
    let (env, io, _) = sim::world(1);
    let mut options = options(Durability::Strict);
    options.log.reserve_bytes = 64 << 10;
    let store = Store::open(env, Place::Dir(PathBuf::from(DIR)), options).unwrap();
    for n in 0..40 {
        step(&store, n);
    }
    let reserve = Path::new(DIR).join("statewright.reserve");
    assert!(io.exists(&reserve).unwrap());
    io.fail(Fault::once(Op::Write, 1, ErrorKind::StorageFull));
    let version = store.stats().version;
    assert_eq!(store.checkpoint().unwrap().version, version);
    assert!(!io.exists(&reserve).unwrap());
    // There is no second one.
    put(&store, 7, value!(7));
    io.fail(Fault::once(Op::Create, 1, ErrorKind::StorageFull));
    assert_eq!(store.checkpoint().unwrap_err().code(), 305);
}

/// What is rewritten again and again takes the disk of a few states, not of one a checkpoint.
#[test]
fn checkpoints_are_written_anew_before_most_of_them_is_waste() {
    const STATE: u64 = 4000 * 2000;
    let (env, _, _) = sim::world(9);
    let store = open_with(env, Durability::Buffered).unwrap();
    let mut most = 0;
    for round in 0..12_u8 {
        let txn = store.begin();
        for key in 0..2000_u32 {
            let text = Value::from(char::from(b'a' + round).to_string().repeat(4000));
            txn.kv_put(&Space::default(), &key.to_be_bytes(), text)
                .unwrap();
        }
        txn.commit().unwrap();
        let made = store.checkpoint().unwrap();
        assert!((STATE..STATE * 5 / 4).contains(&made.used), "{made:?}");
        most = most.max(made.bytes);
    }
    assert!(most < STATE * 6, "{most}");
}

/// The gate tells each time that the log has grown by as much, whatever takes the space, and whether or not there was
/// a checkpoint.
#[test]
fn checkpoints_are_due_again_and_again() {
    const EVERY: u64 = 40 << 10;
    for pad in [true, false] {
        let (env, io, _) = sim::world(9);
        let mut options = options(Durability::Strict);
        options.log.pad = pad;
        options.log.first_segment_bytes = 1 << 20;
        options.checkpoints.every_bytes = EVERY;
        let place = Place::Dir(PathBuf::from(DIR));
        let store = Store::open(env, place.clone(), options.clone()).unwrap();
        let until_due = |store: &Store| {
            let seen = store.checkpoint_gate().epoch();
            let is_due = |key: &u32| {
                put(
                    store,
                    *key,
                    value!("a value of a few bytes in a commit by itself"),
                );
                store.checkpoint_gate().epoch() > seen
            };
            (1..1000).find(is_due).expect("it is due some time")
        };
        let first = until_due(&store);
        assert_eq!(
            first,
            if pad {
                first.clamp(10, 15)
            } else {
                first.clamp(100, 400)
            }
        );
        for round in 0..6 {
            if round % 3 > 0 {
                store.checkpoint().unwrap();
            }
            let due = until_due(&store);
            assert!(due.abs_diff(first) <= 2, "{round}: {due} {first}");
        }
        // What is replayed counts.
        store.checkpoint().unwrap();
        let half = first / 2;
        (0..half).for_each(|key| {
            put(
                &store,
                key,
                value!("a value of a few bytes in a commit by itself"),
            )
        });
        store.close().unwrap();
        let store = Store::open(sim::env(&io, 1), place, options).unwrap();
        let due = until_due(&store);
        assert!((due + half).abs_diff(first) <= 2, "{due} {first}");
    }
}

/// Not as what it would be if nothing was there.
#[test]
fn an_edit_of_what_a_damaged_page_has_is_refused_as_that() {
    let (env, io, _) = sim::world(1);
    let store = open_with(env, Durability::Strict).unwrap();
    let (space, path) = (Space::default(), ValuePath::parse(".n").unwrap());
    let key = |n: u32| format!("doc-{n:03}");
    for n in 0..300 {
        store
            .json_create(&space, &key(n), value!({"n": 1}))
            .unwrap();
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    let (disk, file) = (io.disk(), Path::new(DIR).join("0000000001.swckpt"));
    let size = io.read(&file, 1 << 30).unwrap().len();
    let mut damaged = 0;
    for at in (64..size - 32).step_by(997) {
        let io = SimIo::from_disk(disk.clone());
        io.edit(&file, |bytes| bytes[at] ^= 1).unwrap();
        let store = open(&io);
        let add = |n| store.json_increment(&space, &key(n), &path, value!(1), value!(0));
        if let Some(refused) = (0..300).find_map(|n| add(n).err()) {
            assert_eq!(refused.code(), 417, "byte {at}: {refused}");
            damaged += 1;
        }
    }
    assert!(damaged > 5);
}

/// Addresses of pages have 24 bits for the number of a checkpoint.
#[test]
fn a_file_with_a_number_that_no_page_can_name_is_passed_over() {
    for stray in [1 << 24, 9_999_999_999_u64] {
        let (env, io, _) = sim::world(1);
        let store = open_with(env, Durability::Strict).unwrap();
        let stray = Path::new(DIR).join(format!("{stray:010}.swckpt"));
        drop(
            sim::env(&io, 2)
                .io
                .open(&stray, OpenMode::CreateNew)
                .unwrap(),
        );
        put(&store, 1, value!(1));
        assert_eq!(store.checkpoint().unwrap().version, 1);
        store.close().unwrap();
        let store = open(&io);
        assert_eq!(store.stats().checkpoint.version, 1);
        assert_eq!(state(&store).len(), 1);
    }
    // The last one leaves none.
    let (env, io, _) = sim::world(1);
    let store = open_with(env, Durability::Strict).unwrap();
    let stray = Path::new(DIR).join(format!("{:010}.swckpt", (1 << 24) - 1));
    drop(
        sim::env(&io, 2)
            .io
            .open(&stray, OpenMode::CreateNew)
            .unwrap(),
    );
    put(&store, 1, value!(1));
    let refused = store.checkpoint().unwrap_err();
    assert!(
        refused.to_string().contains("0016777215.swckpt"),
        "{refused}"
    );
    assert_eq!(state(&store).len(), 1);
}
