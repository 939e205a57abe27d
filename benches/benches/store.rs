//! Put and get of our own store, by criterion: how the code moves from one change to the next.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first error, and documents itself by names"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use statewright_store::{Durability, Env, Place, Reader, Space, Store, StoreOptions};
use statewright_value::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 100_000;

/// Keys in an order that is neither theirs nor ever the same twice in a row.
fn key(number: u64) -> [u8; 16] {
    let spread = (number % KEYS).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread.to_be_bytes());
    key
}

fn open(durability: Durability, dir: &tempfile::TempDir) -> (Store, Space) {
    let place = match durability {
        Durability::Memory => Place::Memory,
        _ => Place::Dir(dir.path().join(durability.to_string())),
    };
    let store = Store::open(
        Env::real(),
        place,
        StoreOptions::with_durability(durability),
    )
    .unwrap();
    let space = Space::default();
    for from in (0..KEYS).step_by(1000) {
        let transaction = store.begin();
        for number in from..from + 1000 {
            transaction
                .kv_put(&space, &key(number), Value::bytes(&[7; 128][..]))
                .unwrap();
        }
        transaction.commit().unwrap();
    }
    (store, space)
}

fn store(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        let (store, space) = open(durability, &dir);
        let mut group = criterion.benchmark_group(format!("store/{durability}"));
        group.throughput(Throughput::Elements(1));
        let mut number = 0;
        let mut next = || {
            number += 1;
            key(number)
        };
        group.bench_function("put", |bencher| {
            bencher.iter_batched(
                || (next(), Value::bytes(&[8; 128][..])),
                |(key, value)| store.kv_put(&space, &key, value).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("get", |bencher| {
            bencher.iter_batched(
                &mut next,
                |key| store.snapshot().kv_get(&space, &key).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, store);
criterion_main!(benches);
