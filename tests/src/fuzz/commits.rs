//! Commits in a log that say what no store writes, in frames that are right.

use std::path::Path;

use statewright_log::sim::{self, SimIo};
use statewright_log::{Durability, Log, LogOptions, Timestamp};
use statewright_store::prelude::*;
use statewright_store::{Error, Place, Space, Span, Store, StoreOptions};
use statewright_value::value;

const DIR: &str = "/store";
/// More than an input can make.
const MOST: usize = 1_000_000;

fn open(io: &SimIo) -> Result<Store, Error> {
    let options = StoreOptions::with_durability(Durability::Strict);
    Store::open(sim::env(io, 1), Place::Dir(DIR.into()), options)
}

/// The commits, each behind its length (two bytes), as far as they are whole.
fn payloads(mut data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, behind)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length));
        let (payload, behind) = behind.split_at(length.min(behind.len()));
        found.push(payload);
        data = behind;
    }
    found
}

/// A log of these commits, each a second behind the one before.
fn log_of(io: &SimIo, payloads: &[&[u8]]) {
    let options = LogOptions::default();
    let (log, _) = Log::open(sim::env(io, 1), Path::new(DIR), options, &mut |_| Ok(())).unwrap();
    for (n, payload) in payloads.iter().enumerate() {
        let time = Timestamp::from_micros(n as i64 * 1_000_000);
        log.append(time, payload).unwrap();
    }
    log.close().unwrap();
}

/// All that can be read, of every primitive and space.
fn state(store: &Store) -> Result<Vec<String>, Error> {
    let (now, all, mut found) = (store.snapshot(), Span::default(), Vec::new());
    for space in now.space_list("", None, MOST)? {
        found.push(format!("{:?}", now.kv_scan(&space, b"", None, MOST)?));
        found.push(format!("{:?}", now.json_list(&space, "", None, MOST)?));
        found.push(format!("{:?}", now.cell_list(&space, "", None, MOST)?));
        found.push(format!("{:?}", now.trace_by_time(&space, all, MOST)?));
        found.push(format!("{:?}", now.run_by_time(&space, all, MOST)?));
        for stream in now.event_streams(&space, "", None, MOST)? {
            let events = now.event_range(&space, &stream.name, 0, None, MOST)?;
            found.push(format!("{stream:?} {events:?}"));
        }
    }
    Ok(found)
}

fn said(store: &Store) -> Result<Vec<String>, String> {
    state(store).map_err(|error| error.to_string())
}

/// Commits of any bytes are refused, each time for the same reason; then `verify` finds them, and a repair ends before
/// them. Or the store opens with what they say, and nothing is damaged. What is there can be read or is refused with a
/// typed error, can be written on, and is the same when it is opened again, from a checkpoint too.
pub(super) fn commits(data: &[u8]) {
    let (_, io, _) = sim::world(1);
    log_of(&io, &payloads(data));
    let store = match open(&io) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
            let again = open(&io).map(drop).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
            let (env, dir) = (sim::env(&io, 1), Path::new(DIR));
            let found = Store::verify(&env, dir).unwrap();
            assert!(!found.damage.is_empty(), "{error}");
            assert!(Store::repair(&env, dir).unwrap().changed);
            open(&io).unwrap()
        }
    };
    let read = said(&store);
    let space = Space::default();
    let told = store.log(1, &mut |commit| {
        commit
            .ops
            .iter()
            .for_each(|op| assert!(!op.name().is_empty()));
        true
    });
    told.unwrap();
    store.close().unwrap();
    let found = Store::verify(&sim::env(&io, 1), Path::new(DIR)).unwrap();
    assert!(found.damage.is_empty(), "{found:?}");
    for _ in 0..2 {
        let again = open(&io).unwrap();
        assert_eq!(said(&again), read);
        again.checkpoint().unwrap();
        again.close().unwrap();
    }
    let store = open(&io).unwrap();
    for key in [&b"a"[..], b"k", b"\0"] {
        store.kv_put(&space, key, value!(1)).unwrap();
        assert_eq!(store.kv_get(&space, key).unwrap(), Some(value!(1)));
    }
    store.close().unwrap();
}
