//! A checkpoint whose pages say what no store writes, under checksums that are right.
#![allow(
    clippy::indexing_slicing,
    reason = "a file of our own that is read wrongly is a finding, too"
)]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use statewright_log::sim::{self, Disk, SimIo};
use statewright_store::{Durability, Error, Place, Reader, Space, Store, StoreOptions};
use statewright_value::{Path as ValuePath, Value, value};

const DIR: &str = "/store";
const FILE: &str = "/store/0000000001.swckpt";
/// The file's number, bytes before the first page, what pages begin at multiples of, and bytes behind the last one.
const NUMBER: u64 = 1;
const FIRST: usize = 64;
const STEP: usize = 64;
const END: usize = 32;
/// Bytes of a page before its content: checksum and length.
const HEADER: usize = 8;

const DAY: Duration = Duration::from_secs(86_400);

type State = Vec<(Vec<u8>, Value)>;

/// A store with a checkpoint, as it was closed.
struct Base {
    disk: Disk,
    state: State,
    /// Where the content of each page is in the file, and how long.
    pages: Vec<(usize, usize)>,
}

fn open(io: &SimIo) -> Result<Store, Error> {
    let options = StoreOptions::with_durability(Durability::Strict);
    Store::open(sim::env(io, 1), Place::Dir(DIR.into()), options)
}

/// Leaves of all kinds of entries below a branch, and pages of values.
fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let (_, io, _) = sim::world(1);
        let store = open(&io).unwrap();
        let space = Space::default();
        for n in 0..90_u8 {
            let value = match n % 8 {
                0 => Value::NULL,
                1 => value!(n % 16 > 8),
                2 => value!(n),
                3 => value!(u64::MAX),
                4 => value!(0.5),
                5 => Value::from("text ".repeat(usize::from(n))),
                6 => Value::bytes(vec![n; 20]),
                _ => value!({"n": (n), "list": [1, "two", null]}),
            };
            store.kv_put(&space, &[b'k', n], value).unwrap();
        }
        let long = Value::from("x".repeat(3000));
        let doc = value!({"a": {"b": 1}, "long": (long)});
        let late = sim::env(&io, 1).clock.now().saturating_add(DAY);
        let made = store.transact(|txn| {
            txn.kv_put_until(&space, b"late", value!(1), late)?;
            txn.json_set(&space, "doc", &ValuePath::root(), doc.clone())
        });
        made.unwrap();
        store.checkpoint().unwrap();
        let state = state(&store).unwrap();
        store.close().unwrap();
        let mut pages = Vec::new();
        io.edit(Path::new(FILE), |file| pages = find_pages(file))
            .unwrap();
        assert!(pages.len() > 5, "{pages:?}");
        Base {
            disk: io.disk(),
            state,
            pages,
        }
    })
}

/// The pages of a file, each with its checksum, which is how this file knows that it reads them right.
fn find_pages(file: &[u8]) -> Vec<(usize, usize)> {
    let mut pages = Vec::new();
    let mut at = FIRST;
    while at + HEADER + END <= file.len() {
        let number = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap());
        let length = number(at + 4) as usize;
        // Zeros fill up what is left before one.
        if length == 0 {
            at += STEP;
            continue;
        }
        let content = at + HEADER;
        assert_eq!(number(at), checksum(file, content, length));
        pages.push((content, length));
        at = (content + length).next_multiple_of(STEP);
    }
    pages
}

fn checksum(file: &[u8], content: usize, length: usize) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for number in [NUMBER, (content - HEADER) as u64, length as u64] {
        crc.update(&number.to_le_bytes());
    }
    crc.update(&file[content..content + length]);
    crc.finalize()
}

/// All that can be read.
fn state(store: &Store) -> Result<State, Error> {
    let (snapshot, space) = (store.snapshot(), Space::default());
    let mut all = snapshot.kv_scan(&space, b"", None, usize::MAX)?;
    let docs = snapshot.json_list(&space, "", None, usize::MAX)?;
    all.extend(docs.into_iter().map(|(key, doc)| (key.into_bytes(), doc)));
    Ok(all)
}

/// Bytes of pages are replaced, each by a page, a place in it (two bytes) and what it is to be.
///
/// Whatever they say then, the checkpoint is passed over, or reading and writing gives something or a typed error. What
/// is as it was is read as it was.
pub(super) fn checkpoint(data: &[u8]) {
    let base = base();
    let io = SimIo::from_disk(base.disk.clone());
    let mut changed = false;
    let edited = io.edit(Path::new(FILE), |file| {
        for [page, low, high, byte] in data.as_chunks().0 {
            let (content, length) = base.pages[usize::from(*page) % base.pages.len()];
            let at = content + usize::from(u16::from_le_bytes([*low, *high])) % length;
            changed |= file[at] != *byte;
            file[at] = *byte;
        }
        for (content, length) in &base.pages {
            let sum = checksum(file, *content, *length).to_le_bytes();
            file[content - HEADER..content - HEADER / 2].copy_from_slice(&sum);
        }
    });
    edited.unwrap();
    let store = match open(&io) {
        Ok(store) => store,
        Err(error) => return assert!(changed, "{error}"),
    };
    let read = state(&store);
    if !changed {
        assert_eq!(read.as_ref().ok(), Some(&base.state));
    }
    let space = Space::default();
    for n in 0..90_u8 {
        let _ = store.kv_get(&space, &[b'k', n]);
        let put = store.kv_put(&space, &[b'k', n, b'a'], value!(n));
        assert!(changed || put.is_ok(), "{put:?}");
    }
    let _ = store.transact(|txn| {
        txn.kv_delete(&space, b"k\0")?;
        txn.json_set(&space, "doc", &ValuePath::parse(".a.c").unwrap(), value!(2))
    });
    let written = store.checkpoint();
    assert!(changed || written.is_ok(), "{written:?}");
    let _ = store.close();
    let again = open(&io).and_then(|store| {
        state(&store)?;
        store.close()
    });
    assert!(changed || again.is_ok(), "{again:?}");
}
