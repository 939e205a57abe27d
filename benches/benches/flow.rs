//! A flow of ten steps from start to result, by criterion.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first error, and documents itself by names"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use statewright::Durability;
use statewright_benches::flow::Ours;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn ten_steps(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("flow");
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        let ours = Ours::open(&dir.path().join(durability.to_string()), durability).unwrap();
        group.bench_function(format!("10 steps, {durability}"), |bencher| {
            bencher.iter(|| ours.run_case().unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, ten_steps);
criterion_main!(benches);
