//! Tests of calls that change something and give bytes, where no handle is free: they fail before anything happens.

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use statewright_value::{Value, value};

use crate::calls::{sw_call, sw_txn_call};
use crate::engine::{ENGINES, sw_close, sw_engine, sw_open};
use crate::handle::{Tag, full};
use crate::*;

const FLOW: &str = "{name: f, version: 1, tasks: {a: {kind: host, next: b}, b: {kind: signal, signal: s, keep: true}}}";
const OTHER: &str = "{name: f, version: 2, tasks: {a: {kind: host, next: b}, b: {kind: signal, signal: s, keep: true}}}";
const HOUR: u64 = 3_600_000_000_000;

fn text(text: &str) -> (*const c_char, usize) {
    (text.as_ptr().cast(), text.len())
}

fn read(bytes: &mut sw_bytes) -> Value {
    // SAFETY: what the library gave and nobody freed.
    let given = unsafe { std::slice::from_raw_parts(bytes.data, bytes.len).to_vec() };
    // SAFETY: a place of this function's caller.
    assert_eq!(unsafe { sw_bytes_free(bytes) }, SW_OK);
    Value::from_msgpack(&given).unwrap_or_else(|_| Value::from(String::from_utf8(given).unwrap()))
}

fn version(engine: sw_engine) -> u64 {
    let session = ENGINES.get(engine.id).unwrap();
    session.store().snapshot().version()
}

/// Makes a call without room, which changes nothing, and then with room; gives what it gives then.
#[track_caller]
fn twice(engine: sw_engine, mut call: impl FnMut(&mut sw_bytes) -> sw_status) -> Value {
    let mut given = sw_bytes::EMPTY;
    let before = version(engine);
    assert_eq!(full::with(Tag::Bytes, || call(&mut given)), SW_TOO_LARGE);
    assert!(given.data.is_null() && given.owner == 0);
    assert_eq!(version(engine), before);
    assert_eq!(call(&mut given), SW_OK);
    assert!(version(engine) > before, "it changes something");
    read(&mut given)
}

/// Waits until so many items are offered: then nothing moves by itself.
fn offered(engine: sw_engine, count: usize) -> Vec<Value> {
    let filter = value!({"state": "offered"}).to_msgpack();
    loop {
        let mut items = sw_bytes::EMPTY;
        let (data, len) = (filter.as_ptr(), filter.len());
        // SAFETY: places of this function.
        let listed = unsafe { sw_work_list(engine, data, len, &mut items, null_mut()) };
        assert_eq!(listed, SW_OK);
        let items: Vec<Value> = read(&mut items).items().collect();
        if items.len() == count {
            return items;
        }
        std::thread::yield_now();
    }
}

fn opened() -> sw_engine {
    let mut engine = sw_engine::default();
    // SAFETY: a place of this function.
    let status = unsafe { sw_open(null(), 0, null(), &mut engine, null_mut()) };
    assert_eq!(status, SW_OK);
    engine
}

fn closed(engine: sw_engine) {
    // SAFETY: no place is given.
    assert_eq!(unsafe { sw_close(engine, null_mut()) }, SW_OK);
}

#[test]
fn what_flows_and_cases_do_is_refused_before_it_happens() {
    let engine = opened();
    let (none, no_err) = (text(""), null_mut());
    let ((flow, flow_len), (other, other_len)) = (text(FLOW), text(OTHER));
    let (name, name_len) = text("f");
    // SAFETY: here and below the places are variables of this test.
    twice(engine, |out| unsafe {
        sw_flow_deploy(engine, flow, flow_len, none.0, 0, out, no_err)
    });
    let id = twice(engine, |out| {
        // SAFETY: as above.
        unsafe { sw_case_start(engine, name, name_len, null(), 0, none.0, 0, out, no_err) }
    });
    offered(engine, 1);
    let inputs = value!([null]).to_msgpack();
    let started = twice(engine, |out| {
        // SAFETY: as above.
        unsafe {
            sw_case_start_all(
                engine,
                name,
                name_len,
                inputs.as_ptr(),
                inputs.len(),
                out,
                no_err,
            )
        }
    });
    assert!(started.items().all(|one| one.get("case").is_some()));
    assert_eq!(offered(engine, 2).len(), 2);

    let id = id.as_str().unwrap().to_owned();
    let (id, id_len) = text(&id);
    let items = offered(engine, 2);
    let number = items[0].get("item").unwrap().as_u64().unwrap();
    let taken = twice(engine, |out| {
        // SAFETY: as above.
        unsafe { sw_work_take(engine, id, id_len, number, name, name_len, 0, out, no_err) }
    });
    let token = taken.get("token").unwrap();
    let (token, token_len) = text(token.as_str().unwrap());
    let handed = twice(engine, |out| {
        // SAFETY: as above.
        unsafe { sw_work_delegate(engine, token, token_len, name, name_len, 0, out, no_err) }
    });
    let topics = value!(["a"]).to_msgpack();
    let (topics, len) = (topics.as_ptr(), topics.len());
    let mut out = sw_bytes::EMPTY;
    // A lease that ends is no commit.
    let mut poll = || {
        // SAFETY: as above.
        unsafe {
            sw_work_poll_sync(
                engine, topics, len, name, name_len, 1, HOUR, 0, &mut out, no_err,
            )
        }
    };
    assert_eq!(full::with(Tag::Bytes, &mut poll), SW_TOO_LARGE);
    assert_eq!(offered(engine, 1).len(), 1, "nobody has it");
    assert_eq!(poll(), SW_OK);
    assert_eq!(read(&mut out).items().count(), 1);
    let (signal, signal_len) = text("s");
    twice(engine, |out| {
        // SAFETY: as above.
        unsafe {
            sw_case_signal(
                engine,
                id,
                id_len,
                signal,
                signal_len,
                null(),
                0,
                out,
                no_err,
            )
        }
    });
    twice(engine, |out| {
        // SAFETY: as above.
        unsafe { sw_flow_migrate(engine, other, other_len, none.0, 0, null(), 0, out, no_err) }
    });
    // SAFETY: as above.
    twice(engine, |out| unsafe {
        sw_flow_undo_migration(engine, name, name_len, out, no_err)
    });
    let outcomes = value!([{"token": (handed.get("token").unwrap())}]).to_msgpack();
    let verdicts = twice(engine, |out| {
        // SAFETY: as above.
        unsafe { sw_work_deliver(engine, outcomes.as_ptr(), outcomes.len(), out, no_err) }
    });
    assert_eq!(verdicts, value!([null]));
    // SAFETY: as above.
    let fork = || unsafe { sw_case_fork(engine, id, id_len, 1, 0, none.0, 0, &mut out, no_err) };
    assert_eq!(full::with(Tag::Bytes, fork), SW_TOO_LARGE);
    // SAFETY: as above.
    let send = || unsafe {
        sw_signal_send(
            engine,
            signal,
            signal_len,
            id,
            id_len,
            null(),
            0,
            &mut out,
            no_err,
        )
    };
    assert_eq!(full::with(Tag::Bytes, send), SW_TOO_LARGE);
    closed(engine);
}

#[test]
fn operations_are_refused_before_they_happen() {
    let engine = opened();
    let (mut version, no_err) = (0, null_mut());
    let put = value!({"op": "kv.put", "key": "k", "value": 1});
    let calls = value!([(put.clone())]).to_msgpack();
    let results = twice(engine, |out| {
        // SAFETY: here and below the places are variables of this test.
        unsafe {
            sw_call(
                engine,
                calls.as_ptr(),
                calls.len(),
                out,
                &mut version,
                no_err,
            )
        }
    });
    assert_eq!(results, value!([true]));

    let mut txn = sw_txn::default();
    // SAFETY: as above.
    let begun = unsafe { sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &mut txn, no_err) };
    assert_eq!(begun, SW_OK);
    let (mut out, mut found) = (sw_bytes::EMPTY, 0);
    let take = value!({"op": "kv.swap", "key": "k", "value": 2}).to_msgpack();
    // SAFETY: as above.
    let mut swap = || unsafe { sw_txn_call(txn, take.as_ptr(), take.len(), &mut out, no_err) };
    assert_eq!(full::with(Tag::Bytes, &mut swap), SW_TOO_LARGE);
    assert_eq!(swap(), SW_OK);
    assert_eq!(read(&mut out), value!(1), "what was refused did not set it");
    let key = b"k".as_ptr();
    // SAFETY: as above.
    let got = unsafe { sw_txn_kv_get(txn, null(), 0, key, 1, &mut out, &mut found, no_err) };
    assert_eq!((got, found, read(&mut out)), (SW_OK, 1, value!(2)));
    // SAFETY: as above.
    assert_eq!(unsafe { sw_txn_rollback(txn, no_err) }, SW_OK);
    closed(engine);
}

#[test]
fn what_is_waited_for_has_room_from_the_start() {
    let engine = opened();
    let no_err = null_mut();
    let ((flow, flow_len), (name, name_len)) = (text(FLOW), text("f"));
    let (mut out, mut cq, mut op, mut count) = (sw_bytes::EMPTY, sw_cq::default(), 0, 0);
    // SAFETY: here and below the places are variables of this test.
    unsafe {
        assert_eq!(
            sw_flow_deploy(engine, flow, flow_len, null(), 0, &mut out, no_err),
            SW_OK
        );
        assert_eq!(sw_bytes_free(&mut out), SW_OK);
        let started = sw_case_start(
            engine,
            name,
            name_len,
            null(),
            0,
            null(),
            0,
            &mut out,
            no_err,
        );
        assert_eq!(started, SW_OK);
        assert_eq!(sw_bytes_free(&mut out), SW_OK);
        assert_eq!(sw_cq_open(null(), &mut cq, no_err), SW_OK);
    }
    let topics = value!(["a"]).to_msgpack();
    let (topics, len) = (topics.as_ptr(), topics.len());
    // SAFETY: as above.
    let mut ask = || unsafe {
        sw_work_poll(
            engine, topics, len, name, name_len, 1, HOUR, cq, 7, &mut op, no_err,
        )
    };
    offered(engine, 1);
    assert_eq!(full::with(Tag::Bytes, &mut ask), SW_TOO_LARGE);
    assert_eq!(offered(engine, 1).len(), 1, "nobody has it");
    assert_eq!(ask(), SW_OK);
    let mut events = [sw_event {
        op: 0,
        user_data: 0,
        status: SW_OK,
        kind: 0,
        result: sw_bytes::EMPTY,
        error: sw_error::default(),
        reserved: 0,
    }; 2];
    // SAFETY: as above.
    let wait = || unsafe { sw_cq_wait(cq, events.as_mut_ptr(), 2, -1, &mut count, no_err) };
    assert_eq!(full::with(Tag::Bytes, wait), SW_OK);
    assert_eq!(
        (count, events[0].status, events[0].user_data),
        (1, SW_OK, 7)
    );
    assert_eq!(read(&mut events[0].result).items().count(), 1);
    // SAFETY: as above.
    assert_eq!(unsafe { sw_cq_close(cq, no_err) }, SW_OK);
    closed(engine);
}
