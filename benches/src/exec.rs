//! The executor: what adding a task costs, and how long an idle worker takes to begin one.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use statewright::exec::{Executor, ExecutorOptions};

use crate::measure::median;
use crate::report::{Row, Target};

/// Tasks of one sample.
const TASKS: u32 = 100_000;
/// Wake-ups of one sample.
const WAKES: u32 = 200;

/// Both, each the median of `samples`.
pub fn run(samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let row = |name: &str, nanos: f64, most: f64| {
        let mut row = Row::time(name, nanos, f64::NAN, "");
        row.target = Some(Target::ours(most));
        row
    };
    let spawn = each(samples, spawn)?;
    emit(row("exec/spawn, from a task (wall)", spawn, 50.0));
    let wake = each(samples, wake)?;
    emit(row("exec/wake-up of an idle worker (wall)", wake, 20_000.0));
    Ok(())
}

fn each(samples: usize, sample: fn() -> Result<f64>) -> Result<f64> {
    let all = (0..samples.max(1)).map(|_| sample());
    Ok(median(all.collect::<Result<_>>()?))
}

/// Nanoseconds for adding one task, seen by a task that adds many.
fn spawn() -> Result<f64> {
    let executor = Executor::new(ExecutorOptions::threads(1))?;
    let (send, receive) = mpsc::channel();
    let inner = executor.clone();
    executor.spawn(move || {
        let start = Instant::now();
        for _ in 0..TASKS {
            if inner.spawn(|| {}).is_err() {
                return;
            }
        }
        // If nobody waits any more, nobody wants it.
        let _ = send.send(start.elapsed());
    })?;
    let taken = receive.recv().context("the executor took too few tasks")?;
    Ok(taken.as_nanos() as f64 / f64::from(TASKS))
}

/// Nanoseconds until an idle worker has begun a task, the median.
fn wake() -> Result<f64> {
    let executor = Executor::new(ExecutorOptions::threads(1))?;
    let mut all = Vec::new();
    for _ in 0..WAKES {
        // Long enough for the worker to fall asleep.
        std::thread::sleep(Duration::from_micros(300));
        let (send, receive) = mpsc::channel();
        let start = Instant::now();
        executor.spawn(move || {
            // Received below.
            let _ = send.send(start.elapsed());
        })?;
        all.push(receive.recv()?.as_nanos() as f64);
    }
    Ok(median(all))
}
