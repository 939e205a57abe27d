//! Calls as data: every operation is called, and says what it is documented to say.

use std::collections::BTreeSet;

use statewright_store::{Durability, Env, Place, Space, Store, StoreOptions, operations};
use statewright_value::{Value, value};

/// Calls with what they give: JSON text, `*` for anything but null, or `!` and the code of an error.
const SCRIPT: &[(&str, &str)] = &[
    (r#"{"op":"kv.put","key":"a","value":1}"#, "true"),
    (
        r#"{"op":"kv.put","key":"a","value":2,"if_absent":true}"#,
        "false",
    ),
    (
        r#"{"op":"kv.put","key":"a","value":2,"if_version":9}"#,
        "!409",
    ),
    (
        r#"{"op":"kv.put","key":"t","value":1,"ttl_ms":3600000}"#,
        "true",
    ),
    (
        r#"{"op":"kv.put","key":"old","value":1,"expires":5}"#,
        "true",
    ),
    (r#"{"op":"kv.get","key":"old"}"#, "null"),
    (r#"{"op":"kv.purge","limit":5}"#, "null"),
    (r#"{"op":"kv.get","key":"a"}"#, r#"{"value":1,"version":1}"#),
    (r#"{"op":"kv.get","space":"other","key":"a"}"#, "null"),
    (
        r#"{"op":"kv.get_many","keys":["a","x"]}"#,
        r#"[{"value":1,"version":1},null]"#,
    ),
    (r#"{"op":"kv.increment","key":"a","by":4}"#, "5"),
    (
        r#"{"op":"kv.append","key":"s","value":"x","separator":","}"#,
        "null",
    ),
    (
        r#"{"op":"kv.append","key":"s","value":"y","separator":","}"#,
        "null",
    ),
    (r#"{"op":"kv.swap","key":"s","value":[1]}"#, r#""x,y""#),
    (r#"{"op":"kv.extend","key":"s","items":[2,3]}"#, "null"),
    (
        r#"{"op":"kv.merge","key":"s","value":[4],"strategy":"concatenate"}"#,
        "null",
    ),
    (
        r#"{"op":"kv.merge","key":"s","value":[4],"strategy":"magic"}"#,
        "!418",
    ),
    (
        r#"{"op":"kv.cas","key":"s","expected":[1,2,3,4],"value":0}"#,
        "null",
    ),
    (
        r#"{"op":"kv.cas","key":"s","expected":[1],"value":0}"#,
        "!410",
    ),
    (r#"{"op":"kv.exists","key":"s"}"#, "true"),
    (
        r#"{"op":"kv.scan","limit":1}"#,
        r#"[{"key":"a","value":5}]"#,
    ),
    (
        r#"{"op":"kv.scan","limit":1,"after":"a"}"#,
        r#"[{"key":"s","value":0}]"#,
    ),
    (
        r#"{"op":"kv.range","from":"a","to":"t","reverse":true,"limit":1}"#,
        r#"[{"key":"s","value":0}]"#,
    ),
    (
        r#"{"op":"kv.scan","after":"a","before":"t"}"#,
        r#"[{"key":"s","value":0}]"#,
    ),
    (
        r#"{"op":"kv.scan","after":"a","reverse":true}"#,
        r#"[{"key":"t","value":1},{"key":"s","value":0}]"#,
    ),
    (
        r#"{"op":"kv.scan","prefix":"s","after":"a","before":"t"}"#,
        r#"[{"key":"s","value":0}]"#,
    ),
    (r#"{"op":"kv.count","prefix":"s"}"#, "1"),
    (r#"{"op":"kv.delete","key":"s"}"#, "true"),
    (
        r#"{"op":"kv.get_at","key":"a","version":1}"#,
        r#"{"value":1,"version":1}"#,
    ),
    (r#"{"op":"kv.history","key":"s","limit":1}"#, "*"),
    (
        r#"{"op":"json.create","key":"d","value":{"n":1,"list":[1,2,3],"t":"a"}}"#,
        "null",
    ),
    (r#"{"op":"json.create","key":"d","value":{}}"#, "!402"),
    (
        r#"{"op":"json.set","key":"d","path":".o.x","value":1}"#,
        "null",
    ),
    (
        r#"{"op":"json.set","key":"d","path":".o.x","value":1,"if_version":1}"#,
        "!409",
    ),
    (
        r#"{"op":"json.increment","key":"d","path":".n","by":1.5}"#,
        "2.5",
    ),
    (
        r#"{"op":"json.append","key":"d","path":".t","value":"b"}"#,
        "null",
    ),
    (
        r#"{"op":"json.push","key":"d","path":".list","items":[4]}"#,
        "null",
    ),
    (r#"{"op":"json.pop","key":"d","path":".list"}"#, "4"),
    (
        r#"{"op":"json.insert","key":"d","path":".list[0]","value":0}"#,
        "null",
    ),
    (
        r#"{"op":"json.move_item","key":"d","path":".list","from":0,"to":3}"#,
        "null",
    ),
    (
        r#"{"op":"json.move","key":"d","from":".o.x","to":".y"}"#,
        "null",
    ),
    (r#"{"op":"json.remove","key":"d","path":".o"}"#, "{}"),
    (
        r#"{"op":"json.merge","key":"d","value":{"y":null,"z":1}}"#,
        "null",
    ),
    (
        r#"{"op":"json.merge","key":"d","path":".n","value":1,"strategy":"accumulate"}"#,
        "null",
    ),
    (
        r#"{"op":"json.patch","key":"d","patch":[{"op":"replace","path":"/z","value":2}]}"#,
        "null",
    ),
    (
        r#"{"op":"json.patch","key":"d","patch":[{"op":"test","path":"/z","value":7}]}"#,
        "!208",
    ),
    (
        r#"{"op":"json.get","key":"d"}"#,
        r#"{"n":3.5,"list":[1,2,3,0],"t":"ab","z":2}"#,
    ),
    (r#"{"op":"json.get","key":"d","path":".list[3]"}"#, "0"),
    (r#"{"op":"json.type","key":"d","path":".t"}"#, r#""text""#),
    (r#"{"op":"json.len","key":"d","path":".list"}"#, "4"),
    (r#"{"op":"json.keys","key":"d"}"#, r#"["n","list","t","z"]"#),
    (r#"{"op":"json.exists","key":"x"}"#, "false"),
    (r#"{"op":"json.version","key":"d"}"#, "*"),
    (r#"{"op":"json.list","limit":0}"#, "[]"),
    (r#"{"op":"json.count"}"#, "1"),
    (r#"{"op":"json.history","key":"d"}"#, "*"),
    (r#"{"op":"json.get_at","key":"d","version":1}"#, "null"),
    (r#"{"op":"json.drop","key":"d"}"#, "true"),
    (r#"{"op":"cell.init","key":"c","value":1}"#, "null"),
    (r#"{"op":"cell.get_or_init","key":"c","value":2}"#, "1"),
    (
        r#"{"op":"cell.cas","key":"c","expected":1,"value":2}"#,
        "!409",
    ),
    (r#"{"op":"cell.set","key":"c","value":3}"#, "null"),
    (r#"{"op":"cell.get","key":"c"}"#, "*"),
    (r#"{"op":"cell.list"}"#, "*"),
    (r#"{"op":"cell.history","key":"c"}"#, "*"),
    (r#"{"op":"cell.get_at","key":"c","version":1}"#, "null"),
    (r#"{"op":"cell.delete","key":"c"}"#, "true"),
    (
        r#"{"op":"event.append","stream":"e","type":"k","payload":{"n":1}}"#,
        r#"{"sequence":0}"#,
    ),
    (
        r#"{"op":"event.append","stream":"e","type":"k","payload":1}"#,
        "!203",
    ),
    (r#"{"op":"event.len","stream":"e"}"#, "1"),
    (r#"{"op":"event.get","stream":"e","sequence":1}"#, "null"),
    (r#"{"op":"event.head","stream":"e"}"#, "*"),
    (r#"{"op":"event.range","stream":"e","from":1}"#, "[]"),
    (
        r#"{"op":"event.by_time","stream":"e","since":0,"until":1}"#,
        "[]",
    ),
    (
        r#"{"op":"event.by_type","stream":"e","type":"other"}"#,
        "[]",
    ),
    (r#"{"op":"event.types","stream":"e"}"#, r#"["k"]"#),
    (r#"{"op":"event.streams","prefix":"e"}"#, "*"),
    (
        r#"{"op":"event.restore","stream":"f","sequence":0,"time":5,"type":"k","payload":{}}"#,
        "true",
    ),
    (
        r#"{"op":"event.restore","stream":"f","sequence":2,"time":5,"type":"k","payload":{}}"#,
        "!419",
    ),
    (
        r#"{"op":"event.restore","stream":"f","sequence":1,"time":5,"type":"k","payload":{},"hash":"é"}"#,
        "!418",
    ),
    (r#"{"op":"event.verify","stream":"e"}"#, "*"),
    (
        r#"{"op":"trace.record","id":"t1","type":"call","payload":1,"tags":["x"]}"#,
        r#""t1""#,
    ),
    (
        r#"{"op":"trace.record","id":"t2","type":"call","payload":1,"parent":"t1"}"#,
        r#""t2""#,
    ),
    (r#"{"op":"trace.get","id":"t3"}"#, "null"),
    (
        r#"{"op":"trace.restore","id":"t1","time":5,"type":"call","payload":1}"#,
        "!419",
    ),
    (
        r#"{"op":"trace.restore","id":"","time":5,"type":"call","payload":1}"#,
        "!414",
    ),
    (r#"{"op":"trace.by_time","after":"gone"}"#, "!401"),
    (r#"{"op":"trace.children","id":"t2"}"#, "[]"),
    (r#"{"op":"trace.tree","id":"t1"}"#, "*"),
    (r#"{"op":"trace.roots","limit":0}"#, "[]"),
    (r#"{"op":"trace.by_type","type":"call","until":1}"#, "[]"),
    (r#"{"op":"trace.by_tag","tag":"y"}"#, "[]"),
    (r#"{"op":"trace.by_time","since":0}"#, "*"),
    (r#"{"op":"trace.count"}"#, "2"),
    (
        r#"{"op":"run.restore","id":"old","status":"failed","created":5,"updated":6}"#,
        "true",
    ),
    (
        r#"{"op":"run.restore","id":"old","status":"active","created":5,"updated":6}"#,
        "!419",
    ),
    (r#"{"op":"run.delete","id":"old"}"#, "*"),
    (
        r#"{"op":"run.create","id":"r","tags":["x"],"metadata":{"a":1}}"#,
        r#""r""#,
    ),
    (
        r#"{"op":"run.set_status","id":"r","status":"paused"}"#,
        "null",
    ),
    (
        r#"{"op":"run.set_status","id":"r","status":"completed"}"#,
        "!411",
    ),
    (
        r#"{"op":"run.set_status","id":"r","status":"tired"}"#,
        "!418",
    ),
    (
        r#"{"op":"run.set_metadata","id":"r","path":".b","value":1}"#,
        "null",
    ),
    (
        r#"{"op":"run.remove_metadata","id":"r","path":".a"}"#,
        "null",
    ),
    (r#"{"op":"run.add_tag","id":"r","tag":"y"}"#, "true"),
    (r#"{"op":"run.remove_tag","id":"r","tag":"x"}"#, "true"),
    (r#"{"op":"run.fork","id":"r","new_id":"f"}"#, r#""f""#),
    (r#"{"op":"run.get","id":"r"}"#, "*"),
    (r#"{"op":"run.list","until":1}"#, "[]"),
    (r#"{"op":"run.by_status","status":"failed"}"#, "[]"),
    (r#"{"op":"run.by_tag","tag":"x"}"#, "[]"),
    (r#"{"op":"run.roots","limit":0}"#, "[]"),
    (r#"{"op":"run.children","id":"f"}"#, "[]"),
    (r#"{"op":"run.count"}"#, "2"),
    (r#"{"op":"run.diff","id":"r","other":"f"}"#, "[]"),
    (r#"{"op":"run.replay","id":"f","limit":1}"#, "*"),
    (r#"{"op":"run.delete","id":"r"}"#, "!415"),
    (r#"{"op":"run.delete","id":"r","cascade":true}"#, "2"),
    (
        r#"{"op":"space.info"}"#,
        r#"{"keys":2,"streams":2,"cells":0,"traces":2,"runs":0,"documents":0}"#,
    ),
    (r#"{"op":"space.exists"}"#, "true"),
    (r#"{"op":"space.copy","to":"copy"}"#, "null"),
    (r#"{"op":"space.list"}"#, r#"["copy","default"]"#),
    (r#"{"op":"space.delete"}"#, "true"),
    (r#"{"op":"kv.put","key":"a"}"#, "!418"),
    (r#"{"op":"kv.put","key":1,"value":1}"#, "!418"),
    (r#"{"op":"kv.put","key":"a","value":1,"ttl":1}"#, "!418"),
    (r#"{"op":"kv.steal","key":"a"}"#, "!418"),
    (r#"{"key":"a"}"#, "!418"),
    (r#"{"op":"kv.get","key":"a","space":"//"}"#, "!405"),
    ("[]", "!418"),
    (r#"{"op":"kv.put","key":null,"value":1}"#, "!418"),
    (
        r#"{"op":"kv.put","key":"a","value":1,"if_version":null}"#,
        "!418",
    ),
    (
        r#"{"op":"kv.put","key":"a","value":1,"ttl_ms":1,"expires":5}"#,
        "!418",
    ),
    (
        r#"{"op":"json.set","key":"d","path":null,"value":1}"#,
        "!418",
    ),
    (
        r#"{"op":"json.set","key":"d","path":"","value":1,"if_version":null}"#,
        "!418",
    ),
    (r#"{"op":"event.get","stream":"e","sequence":null}"#, "!418"),
    (r#"{"op":"space.copy","to":null}"#, "!418"),
    (r#"{"op":"kv.put","key":"nothing","value":null}"#, "true"),
    (
        r#"{"op":"trace.record","id":"nothing","type":"t","payload":null}"#,
        r#""nothing""#,
    ),
];

#[test]
fn every_operation_can_be_called() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions::with_durability(Durability::Buffered);
    let place = Place::Dir(dir.path().to_owned());
    let store = Store::open(Env::real(), place, options).unwrap();
    let mut called = BTreeSet::new();
    for (text, expected) in SCRIPT {
        let call = Value::from_json(*text).unwrap();
        let version = store.stats().version;
        match (
            store.call(std::slice::from_ref(&call)),
            expected.strip_prefix('!'),
        ) {
            (Err(error), Some(code)) => {
                assert_eq!(error.code().to_string(), code, "{text}: {error}");
                assert_eq!(store.stats().version, version, "{text}");
            }
            (Ok((given, _)), None) => match *expected {
                "*" => assert!(!given[0].is_null(), "{text}"),
                json => assert_eq!(given[0].to_json(), json, "{text}"),
            },
            (outcome, _) => panic!("{text}: {outcome:?}"),
        }
        let op = call.get("op").unwrap_or_default();
        called.insert(op.as_str().unwrap_or_default().to_owned());
    }
    for operation in operations() {
        assert!(
            called.contains(operation.name),
            "{} is not called",
            operation.name
        );
    }
}

#[test]
fn several_calls_are_one_commit_or_nothing() {
    let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
    let put = value!({"op": "kv.put", "key": "a", "value": 1});
    let bad = value!({"op": "json.set", "key": "none", "path": ".x", "value": 1});
    assert_eq!(store.call(&[put.clone(), bad]).unwrap_err().code(), 401);
    assert_eq!(store.stats().version, 0);
    let get = value!({"op": "kv.get", "key": "a"});
    let (given, version) = store.call(&[put, get]).unwrap();
    assert_eq!((given[1].get("value"), version), (Some(value!(1)), 1));
    // The past is for a call of its own, and a store in memory has none.
    let past = value!({"op": "kv.history", "key": "a"});
    assert_eq!(store.begin().call(&past).unwrap_err().code(), 418);
    assert_eq!(store.call(&[past]).unwrap_err().code(), 412);
}

#[test]
fn a_put_with_a_condition_is_one_op_and_a_replay_of_none_gives_none() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Dir(dir.path().join("store"));
    let store = Store::open(Env::real(), place, StoreOptions::default()).unwrap();
    let call = |text: &str| store.call(&[Value::from_json(text).unwrap()]);
    call(r#"{"op":"kv.put","key":"k","value":1,"if_version":0}"#).unwrap();
    call(r#"{"op":"run.create","id":"r"}"#).unwrap();
    let mut ops = 0;
    store
        .log(1, &mut |commit| {
            ops += commit.ops.len();
            commit.version < 1
        })
        .unwrap();
    assert_eq!(ops, 1);
    let none = call(r#"{"op":"run.replay","id":"r","limit":0}"#).unwrap();
    assert!(format!("{none:?}").contains("[]"), "{none:?}");
}

#[test]
fn events_of_all_times_are_given_where_none_is_asked_for() {
    let options = StoreOptions::with_durability(Durability::Memory);
    let store = Store::open(Env::real(), Place::Memory, options).unwrap();
    let call = |text: &str| store.call(&[Value::from_json(text).unwrap()]).unwrap().0;
    call(r#"{"op":"event.restore","stream":"s","sequence":0,"time":-5,"type":"t","payload":{}}"#);
    let all = call(r#"{"op":"event.by_time","stream":"s"}"#);
    assert_eq!(all[0].len(), 1, "{all:?}");
}

#[test]
fn an_increment_gives_the_version_of_its_own_commit() {
    let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
    let kv = value!({"op": "kv.increment", "key": "n"});
    store
        .json_create(&Space::default(), "d", value!({}))
        .unwrap();
    store.json_drop(&Space::default(), "d").unwrap();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..20_000 {
                    let (given, version) = store.call(std::slice::from_ref(&kv)).unwrap();
                    assert_eq!(given[0].as_u64().map(|sum| sum + 2), Some(version));
                }
            });
        }
    });
    let json = value!({"op": "json.increment", "key": "d", "path": ".n"});
    store
        .json_create(&Space::default(), "d", value!({}))
        .unwrap();
    let before = store.stats().version;
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..20_000 {
                    let (given, version) = store.call(std::slice::from_ref(&json)).unwrap();
                    assert_eq!(given[0].as_u64().map(|sum| sum + before), Some(version));
                }
            });
        }
    });
}

#[test]
fn keys_of_bytes_are_read_many_at_once_and_a_history_tells_of_expiry() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Dir(dir.path().join("store"));
    let store = Store::open(Env::real(), place, StoreOptions::default()).unwrap();
    let later = i64::MAX;
    let call = |call: Value| store.call(&[call]).unwrap().0.remove(0);
    let key = Value::bytes(vec![0xff, 1]);
    call(value!({"op": "kv.put", "key": (key.clone()), "value": 1, "expires": later}));
    let many = call(value!({"op": "kv.get_many", "keys": [(key.clone()), "none"]}));
    assert_eq!(many.items().next().unwrap().get("value"), Some(value!(1)));
    let past = call(value!({"op": "kv.history", "key": key}));
    assert_eq!(
        past.items().next().unwrap().get("expires"),
        Some(value!(later))
    );
}
