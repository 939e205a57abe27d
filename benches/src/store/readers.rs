//! What two readers cost the one writer beside them: its CPU time for a commit, alone and in company. With synced
//! commits, the time by the clock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::contender::{Contender, Promise, key, value};
use super::{Amount, Run};
use crate::measure::{Sequence, median, thread_cpu_time};
use crate::report::Target;

/// Gets for each snapshot of the readers; none means no readers.
const PHASES: &[usize] = &[0, 1, 100];

/// The writer alone, beside readers that take a snapshot a get, and beside such that take one for a hundred.
///
/// SQLite is left out: its readers would need connections of their own. What the others suffer is in the place of the
/// peer's number; the unit is the writer's time over its time alone.
pub fn run(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let stage = run.stage(promise)?;
    let time = Duration::from_millis(if run.size.quick { 5 } else { 60 });
    let (mut single, mut hundred) = (Vec::new(), Vec::new());
    for (peer, contender) in stage.who.iter().zip(&stage.all) {
        if peer.key.starts_with("sqlite") {
            continue;
        }
        let mut taken: Vec<Vec<f64>> = vec![Vec::new(); PHASES.len()];
        for round in 0..=run.size.samples {
            for turn in 0..PHASES.len() {
                let at = (turn + round) % PHASES.len();
                if let (Some(gets), Some(taken)) = (PHASES.get(at), taken.get_mut(at)) {
                    let cost = writer(&**contender, promise, run.size.keys, round, *gets, time)?;
                    if round > 0 {
                        taken.push(cost);
                    }
                }
            }
        }
        let times: Vec<f64> = taken.into_iter().map(median).collect();
        if let [alone, one, many] = times.as_slice() {
            single.push(Amount::of(peer.name, one / alone));
            hundred.push(Amount::of(peer.name, many / alone));
        }
    }
    let name = |what: &str| format!("{}/readers: 2, {what}", promise.name());
    let target = Some(Target::ours(1.2));
    run.against_best(&name("a snapshot a get"), "x", &single, target);
    run.against_best(&name("a snapshot for 100 gets"), "x", &hundred, target);
    run.keep(stage);
    Ok(())
}

/// Nanoseconds of a commit of one put, of CPU time or, if commits are synced, by the clock, while two other threads
/// read (if `gets` is not 0).
fn writer(
    contender: &dyn Contender,
    promise: Promise,
    known: usize,
    round: usize,
    gets: usize,
    time: Duration,
) -> Result<f64> {
    let stop = AtomicBool::new(false);
    let synced = promise == Promise::Strict;
    let at_once = if synced { 4 } else { 50 };
    // Made as they go: a few keys again and again would stay in the writer's caches when it is alone.
    let mut sequence = Sequence::new(round as u64);
    let some = value(round);
    let mut next = || (key(sequence.below(known)), some);
    std::thread::scope(|scope| {
        let readers: u64 = if gets == 0 { 0 } else { 2 };
        for reader in 0..readers {
            let (stop, mut sequence) = (&stop, Sequence::new(round as u64 + reader * 100));
            scope.spawn(move || -> Result<()> {
                while !stop.load(Relaxed) {
                    let keys: Vec<_> = (0..100).map(|_| key(sequence.below(known))).collect();
                    match gets {
                        1 => keys
                            .iter()
                            .try_for_each(|key| contender.get(key).map(drop))?,
                        _ => drop(contender.get_all(&keys)?),
                    }
                }
                Ok(())
            });
        }
        // By the wall: on few cores the writer gets a part of them, and its own CPU time is what counts, unless it
        // waits for the disk.
        let (begin, before) = (Instant::now(), thread_cpu_time());
        let mut commits = 0;
        let written = loop {
            if begin.elapsed() >= time {
                break Ok(());
            }
            let done = (0..at_once).try_for_each(|_| contender.put(&[next()]));
            if done.is_err() {
                break done;
            }
            commits += at_once;
        };
        let took = if synced {
            begin.elapsed()
        } else {
            thread_cpu_time().saturating_sub(before)
        };
        stop.store(true, Relaxed);
        written?;
        Ok(took.as_nanos() as f64 / f64::from(commits))
    })
}
