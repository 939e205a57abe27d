//! Random sequences of operations on all primitives, against models that are as simple as can be: lists and maps
//! that are searched from end to end. After each sequence the store is opened again, and must hold the same, entry
//! by entry.

use std::collections::BTreeMap;

use proptest::prelude::*;
use statewright_value::{Path, Value, value};

use crate::reader::sealed::View;
use crate::target::Entry;
use crate::*;

/// One operation on one of three keys, with a small number as its operand.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    key: u8,
    n: i64,
}

/// What is done with the steps of a transaction in the end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Commit,
    Rollback,
    /// Only the first half of the steps is kept.
    Back,
    /// No transaction: every step is a commit of its own.
    Alone,
}

fn plans() -> impl Strategy<Value = Vec<(Ending, Vec<Step>)>> {
    let step = (0u8..20, 0u8..3, -3i64..6).prop_map(|(what, key, n)| Step { what, key, n });
    let ending = prop_oneof![
        Just(Ending::Commit),
        Just(Ending::Rollback),
        Just(Ending::Back),
        Just(Ending::Alone),
    ];
    proptest::collection::vec((ending, proptest::collection::vec(step, 1..8)), 1..8)
}

fn open(dir: &std::path::Path) -> Store {
    let options = StoreOptions::with_durability(Durability::Buffered);
    Store::open(Env::real(), Place::Dir(dir.to_owned()), options).unwrap()
}

fn dump(store: &Store) -> Vec<(Vec<u8>, Entry)> {
    store
        .snapshot()
        .range(&[], None, usize::MAX, false)
        .unwrap()
}

/// Runs a plan on a store and on a model; `step` does one operation on both and compares what they say.
fn run<M: Clone>(
    plan: Vec<(Ending, Vec<Step>)>,
    mut model: M,
    step: impl Fn(&Txn, &mut M, Step),
    check: impl Fn(&Store, &M),
) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (ending, steps) in plan {
        let mut tried = model.clone();
        match ending {
            Ending::Alone => {
                for one in steps {
                    let txn = store.begin();
                    step(&txn, &mut model, one);
                    txn.commit().unwrap();
                }
            }
            Ending::Back => {
                let txn = store.begin();
                let (kept, undone) = steps.split_at(steps.len() / 2);
                for one in kept {
                    step(&txn, &mut model, *one);
                }
                let savepoint = txn.savepoint();
                let mut tried = model.clone();
                for one in undone {
                    step(&txn, &mut tried, *one);
                }
                txn.rollback_to(savepoint).unwrap();
                txn.commit().unwrap();
            }
            _ => {
                let txn = store.begin();
                for one in steps {
                    step(&txn, &mut tried, one);
                }
                if let Ending::Commit = ending {
                    txn.commit().unwrap();
                    model = tried;
                }
            }
        }
        check(&store, &model);
    }
    let before = dump(&store);
    store.close().unwrap();
    let again = open(dir.path());
    assert_eq!(dump(&again), before, "replay gives the same state");
    check(&again, &model);
}

fn space() -> Space {
    Space::parse("acme/app").unwrap()
}

fn name(n: u8) -> String {
    format!("k{n}")
}

type Map = BTreeMap<String, Value>;

/// What an increment makes of the model's value, as text says it: nothing if it is refused.
fn kv_step(txn: &Txn, model: &mut Map, Step { what, key, n }: Step) {
    let (s, id) = (space(), name(key));
    let key = id.as_bytes();
    let old = model.get(&id).cloned();
    match what {
        0..=2 => {
            txn.kv_put(&s, key, value!(n)).unwrap();
            model.insert(id, value!(n));
        }
        3 => {
            txn.kv_put(&s, key, value!("t")).unwrap();
            model.insert(id, value!("t"));
        }
        4 => assert_eq!(txn.kv_delete(&s, key).unwrap(), model.remove(&id).is_some()),
        5..=7 => {
            let sum = old.map_or(Some(10), |v| v.as_i64()).map(|v| v + n);
            let done = txn.kv_increment(&s, key, value!(n), value!(10));
            assert_eq!(done.is_ok(), sum.is_some());
            if let Some(sum) = sum {
                model.insert(id, value!(sum));
            }
        }
        8 | 9 => {
            let text = old.map_or(Some(String::new()), |v| v.as_str().map(str::to_owned));
            let done = txn.kv_append(&s, key, value!("x"), Some(value!(", ")));
            assert_eq!(done.is_ok(), text.is_some());
            if let Some(text) = text {
                let text = if text.is_empty() {
                    "x".into()
                } else {
                    text + ", x"
                };
                model.insert(id, Value::from(text));
            }
        }
        10 | 11 => {
            let items = old.map_or(Some(vec![]), |v| {
                (v.kind() == statewright_value::Kind::Array).then(|| v.items().collect())
            });
            let done = txn.kv_extend(&s, key, vec![value!(n)]);
            assert_eq!(done.is_ok(), items.is_some());
            if let Some(mut items) = items {
                items.push(value!(n));
                model.insert(id, Value::from(items));
            }
        }
        12 => {
            let put = txn.kv_put_if_absent(&s, key, value!(n)).unwrap();
            assert_eq!(put, old.is_none());
            model.entry(id).or_insert(value!(n));
        }
        13 => {
            let expected = value!(1);
            let done = txn.kv_cas(&s, key, Some(&expected), value!(n));
            assert_eq!(done.is_ok(), old == Some(expected));
            if done.is_ok() {
                model.insert(id, value!(n));
            }
        }
        14 => {
            assert_eq!(txn.kv_swap(&s, key, value!(n)).unwrap(), old);
            model.insert(id, value!(n));
        }
        15 => {
            // One of the keys is refused: nothing of the batch may stay.
            let entries = vec![(key.to_vec(), value!("lost")), (Vec::new(), value!(1))];
            assert_eq!(txn.kv_put_many(&s, entries).unwrap_err().code(), 404);
        }
        16 => {
            let entries = (0..3).map(|k| (name(k).into_bytes(), value!(n)));
            txn.kv_put_many(&s, entries).unwrap();
            model.extend((0..3).map(|k| (name(k), value!(n))));
        }
        17 => {
            let found = txn.kv_scan_reverse(&s, b"k", None, 2).unwrap();
            let want = model.iter().rev().take(2);
            let want: Vec<_> = want
                .map(|(k, v)| (k.clone().into_bytes(), v.clone()))
                .collect();
            assert_eq!(found, want);
        }
        18 => {
            let found = txn.kv_range(&s, key, Some(b"k2"), 9).unwrap();
            let want = model.iter().filter(|(k, _)| **k >= id && **k < name(2));
            let want: Vec<_> = want
                .map(|(k, v)| (k.clone().into_bytes(), v.clone()))
                .collect();
            assert_eq!(found, want);
            let mut back = txn.kv_range_reverse(&s, key, Some(b"k2"), 9).unwrap();
            back.reverse();
            assert_eq!(back, want);
        }
        _ => {
            let keys = [name(0), name(1), name(2)];
            let found = txn.kv_get_many(&s, &keys).unwrap();
            let want: Vec<_> = keys.iter().map(|k| model.get(k).cloned()).collect();
            assert_eq!(found, want);
        }
    }
}

fn kv_check(store: &Store, model: &Map) {
    let found = store.kv_scan(&space(), b"", None, 100).unwrap();
    let want: Vec<_> = model
        .iter()
        .map(|(k, v)| (k.clone().into_bytes(), v.clone()))
        .collect();
    assert_eq!(found, want);
    assert_eq!(store.kv_count(&space(), b"k").unwrap(), want.len() as u64);
}

/// Documents `{n, text, list, sub}`, as the model knows them: each field in a variable of its own.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields {
    n: i64,
    text: String,
    list: Vec<i64>,
    sub: BTreeMap<String, i64>,
}

impl Fields {
    fn value(&self) -> Value {
        let list: Value = self.list.iter().map(|n| value!(*n)).collect();
        let mut sub = Value::object();
        for (k, v) in &self.sub {
            sub.set(&Path::root().key(k), value!(*v)).unwrap();
        }
        value!({"n": (self.n), "text": (self.text.clone()), "list": list, "sub": sub})
    }
}

type Docs = BTreeMap<String, Fields>;

fn json_step(txn: &Txn, model: &mut Docs, Step { what, key, n }: Step) {
    let (s, id) = (space(), name(key));
    let at = |text: &str| Path::parse(text).unwrap();
    let Some(doc) = model.get_mut(&id) else {
        let refused = txn.json_increment(&s, &id, &at(".n"), value!(1), value!(0));
        assert_eq!(refused.unwrap_err().code(), 401);
        txn.json_create(&s, &id, Fields::default().value()).unwrap();
        model.insert(id, Fields::default());
        return;
    };
    let index = n.unsigned_abs() as usize;
    let inside = index < doc.list.len();
    match what {
        0 => {
            assert!(txn.json_drop(&s, &id).unwrap());
            model.remove(&id);
        }
        1 | 2 => {
            txn.json_increment(&s, &id, &at(".n"), value!(n), value!(0))
                .unwrap();
            doc.n += n;
        }
        3 => {
            txn.json_append(&s, &id, &at(".text"), value!("x"), None)
                .unwrap();
            doc.text.push('x');
        }
        4..=6 => {
            txn.json_push(&s, &id, &at(".list"), vec![value!(n), value!(0)])
                .unwrap();
            doc.list.extend([n, 0]);
        }
        7 => {
            let popped = txn.json_pop(&s, &id, &at(".list")).unwrap();
            assert_eq!(popped, doc.list.pop().map(Value::from));
        }
        8 | 9 => {
            let done = txn.json_insert(&s, &id, &at(".list").index(index), value!(n));
            assert_eq!(done.is_ok(), index <= doc.list.len());
            if done.is_ok() {
                doc.list.insert(index, n);
            }
        }
        10 => {
            let removed = txn.json_remove(&s, &id, &at(".list").index(index)).unwrap();
            let want = inside.then(|| doc.list.remove(index));
            assert_eq!(removed, want.map(Value::from));
        }
        11 => {
            let done = txn.json_move_item(&s, &id, &at(".list"), index, 0);
            assert_eq!(done.is_ok(), inside);
            if inside {
                let item = doc.list.remove(index);
                doc.list.insert(0, item);
            }
        }
        12 => {
            let patch = value!({"n": n, "sub": {"a": n, "b": null}});
            txn.json_merge(&s, &id, &Path::root(), patch).unwrap();
            doc.n = n;
            doc.sub.insert("a".into(), n);
            doc.sub.remove("b");
        }
        13 => {
            let other = value!({"sub": {"b": n}});
            txn.json_deep_merge(&s, &id, &Path::root(), other).unwrap();
            doc.sub.insert("b".into(), n);
        }
        14 => {
            txn.json_set(&s, &id, &at(".sub.c"), value!(n)).unwrap();
            doc.sub.insert("c".into(), n);
        }
        15 => {
            let patch = statewright_value::Patch::from_value(
                value!([
                    {"op": "add", "path": "/list/-", "value": n},
                    {"op": "copy", "from": "/n", "path": "/sub/d"},
                    {"op": "move", "from": "/sub/d", "path": "/sub/e"},
                    {"op": "replace", "path": "/n", "value": 7},
                    {"op": "test", "path": "/n", "value": 7}
                ])
                .by_ref(),
            );
            txn.json_patch(&s, &id, &patch.unwrap()).unwrap();
            doc.list.push(n);
            doc.sub.insert("e".into(), doc.n);
            doc.n = 7;
        }
        16 => {
            let patch = value!([
                {"op": "replace", "path": "/n", "value": 99},
                {"op": "test", "path": "/n", "value": 98}
            ]);
            let patch = statewright_value::Patch::from_value(patch.by_ref()).unwrap();
            assert!(
                txn.json_patch(&s, &id, &patch).is_err(),
                "and changes nothing"
            );
        }
        17 => {
            let moved = txn.json_move(&s, &id, &at(".list").index(index), &at(".sub.f"));
            assert_eq!(moved.is_ok(), inside);
            if inside {
                doc.sub.insert("f".into(), doc.list.remove(index));
            }
        }
        18 => {
            let stale = txn.json_cas(&s, &id, u64::MAX, &at(".n"), value!(0));
            assert_eq!(stale.unwrap_err().code(), 409);
            let version = txn.json_version(&s, &id).unwrap().unwrap();
            txn.json_cas(&s, &id, version, &at(".n"), value!(n))
                .unwrap();
            doc.n = n;
        }
        _ => {
            assert_eq!(
                txn.json_len(&s, &id, &at(".list")).unwrap(),
                Some(doc.list.len())
            );
            let edits = vec![
                (id.clone(), at(".n"), value!(55)),
                (id.clone(), at(".n.x"), value!(1)),
            ];
            assert!(txn.json_set_many(&s, edits).is_err(), "and changes nothing");
        }
    }
}

fn json_check(store: &Store, model: &Docs) {
    let found = store.json_list(&space(), "", None, 100).unwrap();
    let want: Vec<_> = model.iter().map(|(k, v)| (k.clone(), v.value())).collect();
    assert_eq!(found, want);
}

type Streams = BTreeMap<String, Vec<(String, i64)>>;

fn event_step(txn: &Txn, model: &mut Streams, Step { what, key, n }: Step) {
    let (s, id) = (space(), name(key));
    let stream = model.entry(id.clone()).or_default();
    let kind = |n: i64| if n % 2 == 0 { "even" } else { "odd" };
    let payload = |n: i64| value!({"n": n});
    match what {
        0..=6 => {
            txn.event_append(&s, &id, kind(n), payload(n)).unwrap();
            stream.push((kind(n).into(), n));
        }
        7 | 8 => {
            let batch = [(kind(n).to_owned(), payload(n)), ("x".into(), payload(0))];
            txn.event_append_batch(&s, &id, batch).unwrap();
            stream.extend([(kind(n).into(), n), ("x".into(), 0)]);
        }
        9 => {
            let batch = [("x".to_owned(), payload(n)), ("x".into(), value!(1))];
            let refused = txn.event_append_batch(&s, &id, batch).unwrap_err();
            assert_eq!(refused.code(), 203, "a payload is an object");
        }
        10..=12 => {
            let (from, limit) = (n.unsigned_abs(), 2);
            let found = txn.event_range(&s, &id, from, None, limit).unwrap();
            let found: Vec<_> = found.into_iter().map(|e| (e.sequence, e.kind)).collect();
            let all = (0..).zip(stream.iter().map(|e| e.0.clone()));
            let want: Vec<_> = all.skip(from as usize).take(limit).collect();
            assert_eq!(found, want);
        }
        13 | 14 => {
            let found = txn.event_range_reverse(&s, &id, 0, Some(3), 2).unwrap();
            let found: Vec<_> = found.into_iter().map(|e| e.sequence).collect();
            let end = stream.len().min(3) as u64;
            assert_eq!(found, (0..end).rev().take(2).collect::<Vec<_>>());
        }
        15..=17 => {
            let found = txn.event_by_type(&s, &id, "odd", 1, 3).unwrap();
            let found: Vec<_> = found.into_iter().map(|e| e.sequence).collect();
            let odd = (0..)
                .zip(stream.iter())
                .skip(1)
                .filter(|(_, e)| e.0 == "odd");
            assert_eq!(found, odd.map(|(at, _)| at).take(3).collect::<Vec<u64>>());
        }
        18 => {
            // Of another store: behind those that are there, at times of its own.
            let id = format!("r{id}");
            let stream = model.entry(id.clone()).or_default();
            let (len, time) = (stream.len() as u64, |at| Timestamp::from_micros(1000 * at));
            let restore = |at: u64, n: i64| {
                let (at_time, payload) = (time(at as i64), payload(n));
                txn.event_restore(&s, &id, at, at_time, kind(n), payload, None)
            };
            assert_eq!(restore(len + 1, n).unwrap_err().code(), 419);
            assert!(restore(len, n).unwrap());
            stream.push((kind(n).into(), n));
            assert!(!restore(len, n).unwrap(), "it is there already");
            assert_eq!(restore(len, n + 1).unwrap_err().code(), 419);
            let early = txn.event_restore(&s, &id, len + 1, time(-1), "x", payload(0), None);
            assert_eq!(early.unwrap_err().code(), 419);
        }
        _ => {
            let head = txn.event_head(&s, &id).unwrap();
            assert_eq!(head.map(|e| e.payload), stream.last().map(|e| payload(e.1)));
        }
    }
}

fn event_check(store: &Store, model: &Streams) {
    for (id, stream) in model {
        let found = store.event_range(&space(), id, 0, None, 1000).unwrap();
        let times = (0..)
            .zip(&found)
            .map(|(at, e)| e.time.as_micros() == 1000 * at);
        assert!(!id.starts_with('r') || times.into_iter().all(|right| right));
        let found: Vec<_> = found
            .into_iter()
            .map(|e| (e.kind, e.payload.get("n").unwrap().as_i64().unwrap()))
            .collect();
        assert_eq!(&found, stream);
        assert_eq!(store.event_len(&space(), id).unwrap(), stream.len() as u64);
        let verified = store.event_verify(&space(), id).unwrap();
        assert_eq!(verified.map_or(0, |v| v.len), stream.len() as u64);
        let mut types: Vec<_> = stream.iter().map(|e| e.0.clone()).collect();
        types.sort();
        types.dedup();
        assert_eq!(store.event_types(&space(), id).unwrap(), types);
    }
    let streams = store.event_streams(&space(), "", None, 100).unwrap();
    let named: Vec<_> = streams.into_iter().map(|s| s.name).collect();
    let full = model.iter().filter(|(_, stream)| !stream.is_empty());
    assert_eq!(named, full.map(|(id, _)| id.clone()).collect::<Vec<_>>());
}

/// A run, as the model knows it.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    id: String,
    parent: Option<String>,
    status: RunStatus,
    tags: Vec<String>,
    metadata: i64,
    state: BTreeMap<String, i64>,
}

fn run_step(txn: &Txn, model: &mut Vec<Known>, Step { what, key, n }: Step) {
    let (s, id) = (space(), name(key));
    let state = Space::parse(&format!("{s}/{id}")).unwrap();
    let tag = if n > 2 { "big" } else { "small" };
    let place = Path::parse(".n").unwrap();
    let Some(at) = model.iter().position(|run| run.id == id) else {
        let missing = txn.run_set_status(&s, &id, RunStatus::Paused);
        assert_eq!(missing.unwrap_err().code(), 401);
        let parent = model.first().map(|run| run.id.clone());
        let mut new = NewRun::new().id(&id).tag(tag).metadata(value!({"n": n}));
        if let Some(parent) = &parent {
            new = new.parent(parent);
        }
        txn.run_create(&s, new).unwrap();
        model.push(Known {
            id,
            parent,
            status: RunStatus::Active,
            tags: vec![tag.into()],
            metadata: n,
            state: BTreeMap::new(),
        });
        return;
    };
    match what {
        0..=3 => {
            let all = [RunStatus::Active, RunStatus::Paused, RunStatus::Failed];
            let next = all[n.unsigned_abs() as usize % 3];
            let run = &mut model[at];
            let done = txn.run_set_status(&s, &id, next);
            assert_eq!(
                done.is_ok(),
                run.status == next || run.status.can_become(next)
            );
            if done.is_ok() {
                run.status = next;
            }
        }
        4 | 5 => {
            let run = &mut model[at];
            let new = !run.tags.iter().any(|t| t == tag);
            assert_eq!(txn.run_add_tag(&s, &id, tag).unwrap(), new);
            if new {
                run.tags.push(tag.into());
            }
        }
        6 => {
            let run = &mut model[at];
            let had = run.tags.iter().any(|t| t == tag);
            assert_eq!(txn.run_remove_tag(&s, &id, tag).unwrap(), had);
            run.tags.retain(|t| t != tag);
        }
        7 => {
            txn.run_set_metadata(&s, &id, &place, value!(n)).unwrap();
            model[at].metadata = n;
        }
        8..=10 => {
            txn.kv_put(&state, tag.as_bytes(), value!(n)).unwrap();
            model[at].state.insert(tag.into(), n);
        }
        11 | 12 => {
            let fork = name(9);
            if model.iter().all(|run| run.id != fork) {
                txn.run_fork(&s, &id, NewRun::new().id(&fork)).unwrap();
                let copy = Known {
                    id: fork,
                    parent: Some(id),
                    status: RunStatus::Active,
                    tags: vec![],
                    metadata: 0,
                    state: model[at].state.clone(),
                };
                model.push(copy);
            } else {
                let taken = txn.run_fork(&s, &id, NewRun::new().id(&fork));
                assert_eq!(taken.unwrap_err().code(), 402);
            }
        }
        13 => {
            let mut gone = vec![id.clone()];
            let mut from = 0;
            while from < gone.len() {
                let parent = gone[from].clone();
                let children = model
                    .iter()
                    .filter(|run| run.parent.as_ref() == Some(&parent));
                gone.extend(children.map(|run| run.id.clone()));
                from += 1;
            }
            if gone.len() > 1 {
                assert_eq!(txn.run_delete(&s, &id, false).unwrap_err().code(), 415);
            }
            assert_eq!(txn.run_delete(&s, &id, true).unwrap(), gone.len() as u64);
            model.retain(|run| !gone.contains(&run.id));
        }
        _ => {
            let ids = |runs: Vec<Run>| {
                let mut ids: Vec<_> = runs.into_iter().map(|run| run.id).collect();
                ids.sort();
                ids
            };
            let want = |keep: &dyn Fn(&Known) -> bool| {
                let mut ids: Vec<_> = model
                    .iter()
                    .filter(|r| keep(r))
                    .map(|r| r.id.clone())
                    .collect();
                ids.sort();
                ids
            };
            let all = Span::default();
            let by = txn.run_by_status(&s, RunStatus::Active, all, 100).unwrap();
            assert_eq!(ids(by), want(&|run| run.status == RunStatus::Active));
            let by = txn.run_by_tag(&s, tag, all, 100).unwrap();
            assert_eq!(ids(by), want(&|run| run.tags.iter().any(|t| t == tag)));
            let by = txn.run_children(&s, &id, 100).unwrap();
            assert_eq!(ids(by), want(&|run| run.parent.as_ref() == Some(&id)));
        }
    }
}

fn run_check(store: &Store, model: &[Known]) {
    let s = space();
    assert_eq!(store.run_count(&s).unwrap(), model.len() as u64);
    let mut indexes = 0;
    for known in model {
        let run = store.run_get(&s, &known.id).unwrap().unwrap();
        let n = run.metadata.get("n").and_then(|n| n.as_i64()).unwrap_or(0);
        assert_eq!(
            (run.status, &run.parent, &run.tags, n),
            (known.status, &known.parent, &known.tags, known.metadata)
        );
        let state = store.kv_scan(&run.space, b"", None, 100).unwrap();
        let want = known
            .state
            .iter()
            .map(|(k, v)| (k.clone().into_bytes(), value!(*v)));
        assert_eq!(state, want.collect::<Vec<_>>());
        indexes += 3 + known.tags.len();
    }
    let prefix = space::encode(&s, Primitive::Run, &[]);
    let all = reader::count(store, &prefix).unwrap();
    assert_eq!(
        all,
        (model.len() + indexes) as u64,
        "no index entry is left over"
    );
}

fn trace_step(txn: &Txn, model: &mut Vec<Trace>, Step { what, key, n }: Step) {
    let s = space();
    let kind = if n > 1 { "call" } else { "thought" };
    let ids = |traces: &[Trace]| traces.iter().map(|t| t.id.clone()).collect::<Vec<_>>();
    let want = |keep: &dyn Fn(&Trace) -> bool| {
        let kept = model.iter().filter(|t| keep(t));
        kept.map(|t| t.id.clone()).collect::<Vec<_>>()
    };
    match what {
        0..=9 => {
            let mut new = NewTrace::new(kind, value!({"n": n})).tag(&name(key));
            if what > 3
                && let Some(parent) = model.get(n.unsigned_abs() as usize)
            {
                new = new.parent(&parent.id);
            }
            let id = txn.trace_record(&s, new).unwrap();
            model.push(txn.trace_get(&s, &id).unwrap().unwrap());
        }
        10 => {
            let orphan = NewTrace::new(kind, value!(1)).parent("nobody");
            assert_eq!(txn.trace_record(&s, orphan).unwrap_err().code(), 401);
        }
        11..=13 => {
            let found = txn.trace_by_type(&s, kind, Span::default(), 100).unwrap();
            assert_eq!(ids(&found), want(&|t| t.kind == kind));
        }
        14 | 15 => {
            let found = txn
                .trace_by_tag(&s, &name(key), Span::default(), 100)
                .unwrap();
            assert_eq!(ids(&found), want(&|t| t.tags.contains(&name(key))));
        }
        16 => {
            let found = txn.trace_roots(&s, Span::default(), 100).unwrap();
            assert_eq!(ids(&found), want(&|t| t.parent.is_none()));
        }
        _ => {
            let Some(root) = model.get(n.unsigned_abs() as usize) else {
                return;
            };
            let found = txn.trace_children(&s, &root.id, 100).unwrap();
            assert_eq!(ids(&found), want(&|t| t.parent.as_ref() == Some(&root.id)));
            let tree = txn.trace_tree(&s, &root.id, 1000).unwrap();
            let mut below = vec![root.id.clone()];
            for trace in model.iter() {
                if trace.parent.as_ref().is_some_and(|p| below.contains(p)) {
                    below.push(trace.id.clone());
                }
            }
            let mut in_tree: Vec<_> = tree.into_iter().map(|node| node.trace.id).collect();
            in_tree.sort();
            below.sort();
            assert_eq!(in_tree, below);
        }
    }
}

fn trace_check(store: &Store, model: &[Trace]) {
    assert_eq!(store.trace_count(&space()).unwrap(), model.len() as u64);
    let found = store
        .trace_by_time(&space(), Span::default(), 1000)
        .unwrap();
    let ids = |traces: &[Trace]| traces.iter().map(|t| t.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&found), ids(model));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn kv_is_a_map(plan in plans()) {
        run(plan, Map::new(), kv_step, kv_check);
    }

    #[test]
    fn json_is_a_map_of_structs(plan in plans()) {
        run(plan, Docs::new(), json_step, json_check);
    }

    #[test]
    fn events_are_lists(plan in plans()) {
        run(plan, Streams::new(), event_step, event_check);
    }

    #[test]
    fn runs_are_a_list(plan in plans()) {
        run(plan, Vec::new(), run_step, |store, model| run_check(store, model));
    }

    #[test]
    fn traces_are_a_list(plan in plans()) {
        run(plan, Vec::new(), trace_step, |store, model| trace_check(store, model));
    }
}
