//! Cases that wait: what they take in memory, what an idle engine with a million of them does, how late a timer is, and
//! how long it takes from opening a store with many of them to a work item done.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use statewright::{Durability, Engine, Options, Poll, value};

use crate::measure::{median, process_cpu_time};
use crate::report::{Row, Target};
use crate::store::child::{Numbers, Task, anonymous, resident};

const SLEEPER: &str = "name: sleeper\ntasks:\n  sleep: { kind: wait, for: 365d }\n";
const NAP: &str = "name: nap\ntasks:\n  nap: { kind: wait, for: 30ms }\n";
const HOSTED: &str = "name: hosted\ntasks:\n  work: { kind: host, topic: work }\n";

fn folder(dir: &Path) -> Result<Engine> {
    Ok(Engine::open(
        dir,
        Options::default().durability(Durability::Buffered),
    )?)
}

/// All of it; `program` is this one, to be started again for what needs a process of its own.
pub fn run(
    dir: &Path,
    quick: bool,
    program: Option<&Path>,
    emit: &mut dyn FnMut(Row),
) -> Result<()> {
    let number = |full: usize| if quick { full / 1000 } else { full };
    let apart = |task: &str, dir: Option<PathBuf>, cases: usize| -> Result<Numbers> {
        let name = task.to_owned();
        Task::Cases { name, dir, cases }.apart(program)
    };
    let limit = |name: &str, ours: f64, unit: &'static str, most: f64| {
        let least_cases = Some(Target::ours(most)).filter(|_| !quick);
        Row::alone(name, ours, unit).with_target(least_cases)
    };
    // The allocator takes more of the system by 2 MB, sooner or later.
    let few = (0..5).map(|_| apart("in memory", None, number(10_000))?.get("anonymous"));
    let bytes = median(few.collect::<Result<_>>()?);
    emit(limit(
        "flow/10,000 sleeping in memory, resident",
        bytes,
        "bytes",
        20e6,
    ));
    let many = dir.join("sleeping");
    make(&many, SLEEPER, "sleeper", number(1_000_000))?;
    let many = apart("asleep", Some(many), 0)?;
    let bytes = many.get("resident")?;
    emit(limit(
        "flow/1,000,000 sleeping in a folder, resident",
        bytes,
        "bytes",
        100e6,
    ));
    let idle = many.get("idle cpu")?;
    // The clock of a process does not tell less than its own reading takes.
    emit(limit(
        "flow/1,000,000 sleeping, cpu in 2 s (cpu)",
        idle,
        "ns",
        100_000.0,
    ));
    let late = many.get("late")?;
    emit(limit(
        "flow/a due timer beside them is late (wall)",
        late,
        "ns",
        5e6,
    ));
    emit(Row::alone(
        "flow/the same, the worst of 20",
        many.get("latest")?,
        "ns",
    ));
    let cold = dir.join("cold");
    make(&cold, HOSTED, "hosted", number(100_000))?;
    let cold = apart("cold", Some(cold), 0)?;
    let first = cold.get("first item")?;
    emit(limit(
        "flow/cold: open 100,000 cases, do one item (wall)",
        first,
        "ns",
        20e6,
    ));
    Ok(())
}

/// A store with so many cases, closed.
fn make(dir: &Path, flow: &str, name: &str, cases: usize) -> Result<()> {
    let engine = folder(dir)?;
    engine.deploy(flow, None)?;
    for _ in 0..cases {
        engine.start(name, value!({}), None)?;
    }
    engine.store().checkpoint()?;
    engine.close()?;
    Ok(())
}

/// What the other process does.
pub fn task(name: &str, dir: Option<&Path>, cases: usize) -> Result<Vec<(String, f64)>> {
    let numbers = match (name, dir) {
        ("in memory", _) => in_memory(cases)?,
        ("asleep", Some(dir)) => asleep(dir)?,
        ("cold", Some(dir)) => cold(dir)?,
        _ => anyhow::bail!("no such task"),
    };
    let named = numbers.into_iter().map(|(name, n)| (name.to_owned(), n));
    Ok(named.collect())
}

fn in_memory(cases: usize) -> Result<Vec<(&'static str, f64)>> {
    let before = anonymous();
    let engine = Engine::in_memory(Options::default())?;
    engine.deploy(SLEEPER, None)?;
    for _ in 0..cases {
        engine.start("sleeper", value!({}), None)?;
    }
    Ok(vec![("anonymous", anonymous() - before)])
}

fn asleep(dir: &Path) -> Result<Vec<(&'static str, f64)>> {
    let engine = folder(dir)?;
    std::thread::sleep(Duration::from_millis(500));
    let before = process_cpu_time();
    std::thread::sleep(Duration::from_secs(2));
    let idle = process_cpu_time().saturating_sub(before).as_nanos() as f64;
    engine.deploy(NAP, None)?;
    let mut late = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let case = engine.start("nap", value!({}), None)?;
        engine.wait(&case, None)?;
        let over = start.elapsed().saturating_sub(Duration::from_millis(30));
        late.push(over.as_nanos() as f64);
    }
    let latest = late.iter().copied().fold(0.0, f64::max);
    let resident = resident();
    engine.close()?;
    Ok(vec![
        ("resident", resident),
        ("idle cpu", idle),
        ("late", median(late)),
        ("latest", latest),
    ])
}

fn cold(dir: &Path) -> Result<Vec<(&'static str, f64)>> {
    let start = Instant::now();
    let engine = folder(dir)?;
    let items = engine.poll(Poll::topic("work"), Some(Duration::from_secs(60)))?;
    let item = items.first().context("nothing is offered")?;
    engine.complete(&item.token, value!(1))?;
    let first = start.elapsed().as_nanos() as f64;
    ensure!(engine.case(&item.case)?.result.is_some(), "it is not done");
    engine.close()?;
    Ok(vec![("first item", first)])
}
