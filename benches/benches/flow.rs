//! A flow of ten steps from start to result, by criterion.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first error, and documents itself by names"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use statewright::Durability;
use statewright::flow::analysis::OrJoins;
use statewright::flow::net::{Net, Routes, Routing};
use statewright_benches::flow::Ours;
use statewright_benches::flow::routing::{Chains, blocks};
use statewright_benches::measure::Sequence;

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

/// Nothing but the net: a run of forty firings, and OR-joins asked anew and again.
fn routing(criterion: &mut Criterion) {
    let net = Net::compile(&blocks(), None).unwrap();
    let routes = Routes::of(&net).unwrap();
    let mut group = criterion.benchmark_group("routing");
    group.throughput(Throughput::Elements(40));
    group.bench_function("forty firings", |bencher| {
        let mut fired = Vec::new();
        bencher.iter(|| {
            fired.clear();
            let mut marking = Routing::from([net.start]);
            routes.run(&mut marking, &mut fired, usize::MAX);
            marking
        })
    });
    group.finish();
    let chains = Chains::new().unwrap();
    let mut sequence = Sequence::new(1);
    let markings: Vec<_> = (0..64)
        .map(|_| chains.marking(&mut sequence).unwrap())
        .collect();
    let mut group = criterion.benchmark_group("or-join");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 markings, first", |bencher| {
        let asked = |joins: OrJoins| {
            markings.iter().for_each(|m| {
                black_box(chains.ask(&joins, m));
            })
        };
        bencher.iter_batched(|| chains.joins(), asked, BatchSize::SmallInput)
    });
    let joins = chains.joins();
    group.bench_function("64 markings, known", |bencher| {
        bencher.iter(|| {
            markings.iter().for_each(|m| {
                black_box(chains.ask(&joins, m));
            })
        })
    });
    group.finish();
}

criterion_group!(benches, ten_steps, routing);
criterion_main!(benches);
