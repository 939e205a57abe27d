//! A small store as an earlier version wrote it: every later version must open it, from its checkpoint and from its log
//! alone. That today's version still writes the same bytes shows that the format did not change unnoticed.

use std::path::{Path, PathBuf};

use statewright_log::OpenMode;
use statewright_log::sim::{self, SimIo};
use statewright_store::prelude::*;
use statewright_store::{Durability, Env, Place, Space, Store, StoreOptions};
use statewright_value::{Path as ValuePath, Value, value};

const DIR: &str = "/store";
const LOG: (&str, &[u8]) = (
    "0000000001.swlog",
    include_bytes!("../golden/format-1.swlog"),
);
const CHECKPOINT: (&str, &[u8]) = (
    "0000000001.swckpt",
    include_bytes!("../golden/format-1.swckpt"),
);

fn open(io: &SimIo) -> Store {
    let mut options = StoreOptions::with_durability(Durability::Strict);
    options.log.first_segment_bytes = 16 << 10;
    Store::open(sim::env(io, 7), Place::Dir(PathBuf::from(DIR)), options).unwrap()
}

/// Values of every kind that a page holds in its own way, a document with a page of its own, and a commit behind the
/// checkpoint.
fn write() -> SimIo {
    let (_, io, _) = sim::world(1);
    let store = open(&io);
    let space = Space::parse("acme/app").unwrap();
    let values = [
        value!(null),
        value!(true),
        value!(-5),
        Value::from(u64::MAX),
        value!(2.5),
        value!("text"),
        Value::bytes(vec![1, 2, 3]),
        Value::decimal("12.50").unwrap(),
        value!({"small": [1, 2]}),
        Value::from("long ".repeat(200)),
    ];
    for n in 0..20_u8 {
        let value = values.iter().cycle().nth(n.into()).unwrap();
        store.kv_put(&space, &[b'k', n], value.clone()).unwrap();
    }
    let doc = value!({"text": (Value::from("x".repeat(1500))), "n": 1});
    store
        .transact(|txn| txn.json_create(&space, "doc", doc.clone()))
        .unwrap();
    store.checkpoint().unwrap();
    let path = ValuePath::parse(".n").unwrap();
    store
        .transact(|txn| txn.json_set(&space, "doc", &path, value!(2)))
        .unwrap();
    store.close().unwrap();
    io
}

/// All keys, and all documents.
type Content = (Vec<(Vec<u8>, Value)>, Vec<(String, Value)>);

fn content(store: &Store) -> Content {
    let space = Space::parse("acme/app").unwrap();
    let keys = store.kv_scan(&space, b"", None, usize::MAX).unwrap();
    (keys, store.json_list(&space, "", None, usize::MAX).unwrap())
}

fn file(env: &Env, name: &str) -> Vec<u8> {
    env.io.read(&Path::new(DIR).join(name), usize::MAX).unwrap()
}

#[test]
fn todays_bytes_are_those_of_the_format() {
    let io = write();
    for (name, golden) in [LOG, CHECKPOINT] {
        let same = file(&sim::env(&io, 1), name) == golden;
        assert!(
            same,
            "{name}: a changed format needs a number or a feature bit of its own"
        );
    }
}

#[test]
fn the_golden_store_opens_from_its_checkpoint_and_from_its_log_alone() {
    let want = content(&open(&write()));
    assert_eq!((want.0.len(), want.1.len()), (20, 1));
    for files in [&[LOG, CHECKPOINT][..], &[LOG]] {
        let (env, io, _) = sim::world(2);
        env.io.create_dir(Path::new(DIR)).unwrap();
        for (name, golden) in files {
            let file = env
                .io
                .open(&Path::new(DIR).join(name), OpenMode::CreateNew)
                .unwrap();
            file.write_all_at(golden, 0).unwrap();
        }
        let store = open(&io);
        assert_eq!(content(&store), want);
        let stats = store.stats();
        let behind = if files.len() == 2 { 1 } else { 22 };
        assert_eq!((stats.version, stats.recovery.frames), (22, behind));
        assert!(stats.checkpoint.skipped.is_empty());
    }
}

#[test]
#[ignore = "writes the golden files of a new format; run from core/store"]
fn write_the_golden_files() {
    let io = write();
    for name in [LOG.0, CHECKPOINT.0] {
        let ending = name.split_once('.').unwrap().1;
        let path = PathBuf::from(format!("tests/golden/format-new.{ending}"));
        let new = Env::real().io.open(&path, OpenMode::CreateNew).unwrap();
        new.write_all_at(&file(&sim::env(&io, 1), name), 0).unwrap();
    }
}
