//! The parts of values by criterion, on two documents: how the code moves from one change to the next.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first error, and documents itself by names"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use statewright_benches::value::inputs::{Inputs, LARGE, places};
use statewright_value::{Merge, Path, Pointer, Query, Value, diff, merge_diff, merge3};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Text and encodings to values and back.
fn codecs(criterion: &mut Criterion) {
    let inputs = Inputs::load().unwrap();
    for name in ["twitter", "1MB"] {
        let text = inputs.text(name).unwrap();
        let value = Value::from_json(text).unwrap();
        let nodes = Value::from(&serde_json::from_slice::<serde_json::Value>(text).unwrap());
        let (msgpack, cbor) = (value.to_msgpack(), value.to_cbor());
        let mut group = criterion.benchmark_group(format!("value/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |b| b.iter(|| Value::from_json(text).unwrap()));
        group.bench_function("print", |b| b.iter(|| value.to_json()));
        group.bench_function("print nodes", |b| b.iter(|| nodes.to_json()));
        group.bench_function("print canonical", |b| b.iter(|| value.to_canonical_json()));
        group.bench_function("hash", |b| b.iter(|| value.content_hash()));
        group.bench_function("to msgpack", |b| b.iter(|| value.to_msgpack()));
        group.bench_function("from msgpack", |b| {
            b.iter(|| Value::from_msgpack(&msgpack).unwrap());
        });
        group.bench_function("to cbor", |b| b.iter(|| value.to_cbor()));
        group.bench_function("from cbor", |b| {
            b.iter(|| Value::from_cbor(&cbor).unwrap());
        });
        group.finish();
    }
}

/// One place, and what a query selects.
fn reading(criterion: &mut Criterion) {
    let inputs = Inputs::load().unwrap();
    let value = Value::from_json(inputs.text("twitter").unwrap()).unwrap();
    let mut group = criterion.benchmark_group("value/read");
    let path = Path::parse(".statuses[50].user.screen_name").unwrap();
    group.bench_function("path", |b| b.iter(|| value.by_ref().at(&path)));
    let pointer = Pointer::parse("/statuses/50/user/screen_name").unwrap();
    group.bench_function("pointer", |b| b.iter(|| pointer.get(value.by_ref())));
    group.bench_function("keys", |b| {
        b.iter(|| {
            let status = value.by_ref().get("statuses")?.index(50)?;
            status.get("user")?.get("screen_name")
        });
    });
    for text in [
        "$.statuses[50].user.screen_name",
        "$.statuses[?@.retweet_count > 10].user.screen_name",
        "$..id",
    ] {
        group.bench_function(format!("parse {text}"), |b| {
            b.iter(|| Query::parse(text).unwrap());
        });
        let query = Query::parse(text).unwrap();
        group.bench_function(text, |b| {
            b.iter(|| query.select(value.by_ref()).unwrap().len());
        });
    }
    group.finish();
}

/// Setting, appending and inserting, with a snapshot of each version.
fn editing(criterion: &mut Criterion) {
    const KEPT: usize = 64;
    let inputs = Inputs::load().unwrap();
    let mut value = Value::from_json(inputs.text("1MB").unwrap()).unwrap();
    let paths = places(LARGE, 1024);
    let mut group = criterion.benchmark_group("value/edit");
    let mut snapshots = vec![value.clone(); KEPT];
    let mut turns = (0..).zip(paths.iter().cycle());
    group.bench_function("set, keeping each version", |b| {
        b.iter(|| {
            let (turn, path): (usize, _) = turns.next().unwrap();
            if let Some(slot) = snapshots.get_mut(turn % KEPT) {
                *slot = value.clone();
            }
            value.set(path, Value::from(turn)).unwrap()
        });
    });
    let mut alone = Value::from(&serde_json::Value::from(value.clone()));
    group.bench_function("set, keeping none", |b| {
        b.iter(|| {
            let (turn, path) = turns.next().unwrap();
            alone.set(path, Value::from(turn)).unwrap()
        });
    });
    let keys: Vec<String> = (0..1000).map(|at| format!("key_{at:04}")).collect();
    group.throughput(Throughput::Elements(1000));
    group.bench_function("push 1000", |b| {
        b.iter(|| {
            let mut array = Value::array();
            for item in 0..1000 {
                array.push(Value::from(item)).unwrap();
            }
            array
        });
    });
    group.bench_function("insert 1000", |b| {
        b.iter(|| {
            let mut object = Value::object();
            for key in &keys {
                object.insert(key.as_str(), Value::from(1)).unwrap();
            }
            object
        });
    });
    group.finish();
}

/// Two versions that differ in 20 places.
fn versions(criterion: &mut Criterion) {
    let inputs = Inputs::load().unwrap();
    let before = Value::from_json(inputs.text("1MB").unwrap()).unwrap();
    let places = places(LARGE, 20);
    let edited = |paths: &[Path]| {
        let mut edited = before.clone();
        for path in paths {
            edited.set(path, Value::from(1000)).unwrap();
        }
        edited
    };
    let (after, (left, right)) = (edited(&places), places.split_at(10));
    let (left, right) = (edited(left), edited(right));
    let patch = diff(before.by_ref(), after.by_ref());
    let merge_patch = merge_diff(before.by_ref(), after.by_ref()).unwrap();
    let how = Merge::deep();
    let mut group = criterion.benchmark_group("value/versions");
    group.bench_function("diff", |b| {
        b.iter(|| diff(before.by_ref(), after.by_ref()));
    });
    group.bench_function("three-way merge", |b| {
        b.iter(|| merge3(before.by_ref(), left.by_ref(), right.by_ref()).unwrap());
    });
    let mut edit = |name: &str, edit: &dyn Fn(&mut Value)| {
        group.bench_function(name, |b| {
            b.iter_batched_ref(|| before.clone(), edit, BatchSize::SmallInput);
        });
    };
    edit("merge", &|value| value.merge(after.by_ref(), &how).unwrap());
    edit("apply a patch", &|value| patch.apply(value).unwrap());
    edit("apply a merge patch", &|value| {
        value.merge_patch(merge_patch.by_ref()).unwrap();
    });
    group.finish();
}

criterion_group!(benches, codecs, reading, editing, versions);
criterion_main!(benches);
