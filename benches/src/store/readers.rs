//! What two readers cost the one writer beside them: its CPU time for a commit, alone and in company. With synced
//! commits, the time by the clock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::contender::{Contender, Promise, key, value};
use super::{Amount, Run};
use crate::measure::{Sequence, median, thread_cpu_time};
use crate::report::Target;

/// How the readers read: gets for each snapshot (none means no readers), and gets a second, each reader (none means as
/// fast as it can).
#[derive(Clone, Copy)]
struct Phase(usize, Option<u32>);

/// What a busy service asks of each of its threads, say.
const PACE: Option<u32> = Some(80_000);
/// Keys that a reader reads in one go. At a pace, it sleeps then until it is due again.
const BURST: u32 = 100;

const PHASES: &[Phase] = &[
    Phase(0, None),
    Phase(1, None),
    Phase(100, None),
    Phase(1, PACE),
    Phase(100, PACE),
];

/// The writer alone; beside readers that take a snapshot a get, and beside such that take one for a hundred, at full
/// speed and at a pace.
///
/// SQLite is left out: its readers would need connections of their own. What the others suffer is in the place of the
/// peer's number; the unit is the writer's time over its time alone.
pub fn run(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let stage = run.stage(promise)?;
    let time = Duration::from_millis(if run.size.quick { 5 } else { 60 });
    let mut rows = vec![Vec::new(); PHASES.len().saturating_sub(1)];
    for (peer, contender) in stage.who.iter().zip(&stage.all) {
        if peer.key.starts_with("sqlite") {
            continue;
        }
        let mut taken: Vec<Vec<Sample>> = vec![Vec::new(); PHASES.len()];
        for round in 0..=run.size.samples {
            for turn in 0..PHASES.len() {
                let at = (turn + round) % PHASES.len();
                if let (Some(phase), Some(taken)) = (PHASES.get(at), taken.get_mut(at)) {
                    let cost = writer(&**contender, promise, run.size.keys, round, *phase, time)?;
                    if round > 0 {
                        taken.push(cost);
                    }
                }
            }
        }
        let times: Vec<f64> = taken
            .iter()
            .map(|taken| of_a_commit(taken, promise))
            .collect();
        if let [alone, beside @ ..] = times.as_slice() {
            for (row, time) in rows.iter_mut().zip(beside) {
                row.push(Amount::of(peer.name, time / alone));
            }
        }
    }
    for (Phase(gets, pace), row) in PHASES.iter().skip(1).zip(&rows) {
        let snapshot = match gets {
            1 => "a snapshot a get".to_owned(),
            gets => format!("a snapshot for {gets} gets"),
        };
        let pace = pace.map_or(String::new(), |pace| format!(" of {pace} gets/s"));
        let name = format!("{}/readers: 2{pace}, {snapshot}", promise.name());
        run.against_best(&name, "x", row, Some(Target::ours(1.2)));
    }
    run.keep(stage);
    Ok(())
}

/// The time that so many commits took.
type Sample = (Duration, u32);

/// Nanoseconds of a commit. Buffered, some samples hold the sync of a full file and others do not, so all count; else
/// it is the median.
fn of_a_commit(taken: &[Sample], promise: Promise) -> f64 {
    let nanos = |(time, commits): &Sample| time.as_nanos() as f64 / f64::from((*commits).max(1));
    if promise == Promise::Buffered {
        let time = taken.iter().map(|sample| sample.0).sum();
        return nanos(&(time, taken.iter().map(|sample| sample.1).sum()));
    }
    median(taken.iter().map(nanos).collect())
}

/// What commits of one put take, of CPU time or, if commits are synced, by the clock, while two other threads
/// read.
fn writer(
    contender: &dyn Contender,
    promise: Promise,
    known: usize,
    round: usize,
    Phase(gets, pace): Phase,
    time: Duration,
) -> Result<Sample> {
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
                let mut due = Instant::now();
                while !stop.load(Relaxed) {
                    let keys: Vec<_> = (0..BURST).map(|_| key(sequence.below(known))).collect();
                    match gets {
                        1 => keys
                            .iter()
                            .try_for_each(|key| contender.get(key).map(drop))?,
                        _ => drop(contender.get_all(&keys)?),
                    }
                    if let Some(pace) = pace {
                        due += Duration::from_secs(1) * BURST / pace;
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
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
        Ok((took, commits))
    })
}
