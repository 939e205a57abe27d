//! Puts and increments, one commit each and many a commit, where nothing waits for a disk.

use anyhow::Result;

use super::Run;
use super::contender::{Promise, key, pairs};
use crate::measure::{Sequence, in_turn_warm};
use crate::report::Target;

/// Counters that increments spread over.
const COUNTERS: usize = 1000;

fn target(promise: Promise) -> Option<Target> {
    match promise {
        Promise::Memory => Some(Target::ratio(2.5)),
        Promise::Buffered => Some(Target::ratio(1.5)),
        Promise::Strict => None,
    }
}

/// One put a commit.
pub fn put(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    puts(run, promise, "put", 5000, 1, target(promise))
}

/// A hundred puts a commit.
pub fn batch(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    puts(run, promise, "batch of 100, each put", 5000, 100, None)
}

fn puts(
    run: &mut Run<'_>,
    promise: Promise,
    what: &str,
    operations: usize,
    a_commit: usize,
    target: Option<Target>,
) -> Result<()> {
    let mut stage = run.stage(promise)?;
    let keys = run.size.keys;
    let times = in_turn_warm(
        &mut stage.all,
        run.size.samples,
        operations,
        |round| pairs(round, keys, operations),
        |contender, pairs| {
            pairs
                .chunks(a_commit)
                .try_for_each(|pairs| contender.put(pairs))
        },
    )?;
    run.rows(promise, what, &stage.who, &times, target);
    run.keep(stage);
    Ok(())
}

/// One increment a commit.
pub fn increment(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let mut stage = run.stage(promise)?;
    let keys = run.size.keys;
    // Keys that no put knows.
    let counters = |round| {
        let mut sequence = Sequence::new(round as u64);
        let counter = move |_| key(keys + 1_000_000 + sequence.below(COUNTERS));
        (0..2000).map(counter).collect::<Vec<_>>()
    };
    for contender in &stage.all {
        (0..COUNTERS)
            .try_for_each(|number| contender.increment(&key(keys + 1_000_000 + number)))?;
    }
    let times = in_turn_warm(
        &mut stage.all,
        run.size.samples,
        2000,
        counters,
        |contender, counters| counters.iter().try_for_each(|key| contender.increment(key)),
    )?;
    run.rows(promise, "increment", &stage.who, &times, target(promise));
    run.keep(stage);
    Ok(())
}
