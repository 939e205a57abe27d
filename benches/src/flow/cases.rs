//! Cases of ten steps: in memory, durable one at a time, durable with many in flight.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use statewright::flow::Outcome;
use statewright::{Durability, Engine, Options, Poll, value};

use super::TEN_STEPS;
use crate::measure::{median, process_cpu_time};
use crate::report::{Row, Target};
use crate::store::bare::Bare;
use crate::store::contender::Contender;
use crate::syncs;

const STEPS: usize = 10;

/// Ten tasks in a row, each of which a host program does.
fn hosts(name: &str) -> String {
    let mut spec = format!("name: {name}\nversion: 1\ntasks:\n");
    for step in 1..=STEPS {
        let next = match step {
            STEPS => String::new(),
            step => format!(", next: step{}", step + 1),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(spec, "  step{step}: {{ kind: host, topic: {name}{next} }}");
    }
    spec
}

fn open(dir: &Path, durability: Durability, flows: &[String]) -> Result<Engine> {
    let options = Options::default().durability(durability);
    let engine = match durability {
        Durability::Memory => Engine::in_memory(options)?,
        _ => Engine::open(dir, options)?,
    };
    for flow in flows {
        engine.deploy(flow, None)?;
    }
    Ok(engine)
}

/// A case of ten expressions.
fn expressions(engine: &Engine) -> Result<()> {
    let case = engine.start("ten-steps", value!({}), None)?;
    let done = engine.wait(&case, None)?;
    ensure!(done.result == Some(value!(55)), "{:?}", done.result);
    Ok(())
}

/// A case whose ten tasks this thread does itself: takes them, and gives their results.
fn hosted(engine: &Engine, flow: &str) -> Result<()> {
    let case = engine.start(flow, value!({}), None)?;
    for step in 0..STEPS {
        let taken = engine.poll(Poll::topic(flow), None)?;
        let item = taken.first().context("nothing was offered")?;
        engine.complete(&item.token, value!(step as u64))?;
    }
    let done = engine.wait(&case, None)?;
    ensure!(done.result.is_some(), "{:?}", done.error);
    Ok(())
}

/// All of them.
pub fn run(dir: &Path, samples: usize, quick: bool, emit: &mut dyn FnMut(Row)) -> Result<()> {
    in_memory(dir, samples, quick, emit)?;
    one_at_a_time(dir, samples, emit)?;
    in_flight(dir, if quick { 2 } else { 20 }, emit)
}

fn in_memory(dir: &Path, samples: usize, quick: bool, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let engine = open(
        dir,
        Durability::Memory,
        &[TEN_STEPS.to_owned(), hosts("work")],
    )?;
    let cases = if quick { 50 } else { 2000 };
    type Case = fn(&Engine) -> Result<()>;
    let kinds: [(&str, Case, Option<f64>); 2] = [
        ("expressions", expressions, Some(300_000.0)),
        ("host work", |engine| hosted(engine, "work"), None),
    ];
    for (name, case, least) in kinds {
        let mut all = Vec::new();
        for _ in 0..=samples {
            let before = process_cpu_time();
            (0..cases).try_for_each(|_| case(&engine))?;
            let spent = process_cpu_time().saturating_sub(before);
            all.push((cases * STEPS) as f64 / spent.as_secs_f64());
        }
        // The first one warms up.
        all.remove(0);
        let name = format!("flow/memory/steps a CPU second, {name}");
        let row = Row::alone(name, median(all), "steps/s");
        emit(row.with_target(least.map(Target::ours_at_least)));
    }
    engine.close()?;
    Ok(())
}

/// Beside a bare file: ten writes of as many bytes as our commits have, each synced.
fn one_at_a_time(dir: &Path, samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let flows = [TEN_STEPS.to_owned(), hosts("work")];
    let engine = open(&dir.join("strict"), Durability::Strict, &flows)?;
    hosted(&engine, "work")?;
    let (log, synced) = (engine.store().stats().log, syncs::count());
    hosted(&engine, "work")?;
    let bytes = (engine.store().stats().log.bytes - log.bytes) as f64;
    let synced = (syncs::count() - synced) as f64;
    let row = Row::alone("flow/strict/host work, syncs a case", synced, "syncs");
    emit(row.with_target(Some(Target::ours(11.0))));
    let row = Row::alone("flow/log a step, host work", bytes / STEPS as f64, "bytes");
    emit(row.with_target(Some(Target::ours(300.0))));
    let before = engine.store().stats().log;
    expressions(&engine)?;
    let bytes = (engine.store().stats().log.bytes - before.bytes) as f64;
    let row = Row::alone(
        "flow/log a step, expressions",
        bytes / STEPS as f64,
        "bytes",
    );
    emit(row.with_target(Some(Target::ours(300.0))));
    let bare = Bare::open(dir, 300, 300)?;
    let pair = [(
        crate::store::contender::key(0),
        crate::store::contender::value(0),
    )];
    type Case = fn(&Engine) -> Result<()>;
    let kinds: [(&str, Case); 2] = [
        ("expressions", expressions),
        ("host work", |engine| hosted(engine, "work")),
    ];
    for (name, case) in kinds {
        let (mut ours, mut peer, mut cpu, mut bare_cpu) = (vec![], vec![], vec![], vec![]);
        let mut synced = vec![];
        for _ in 0..samples * 20 {
            let (start, before) = (Instant::now(), process_cpu_time());
            let syncs = syncs::count();
            case(&engine)?;
            synced.push((syncs::count() - syncs) as f64);
            cpu.push(process_cpu_time().saturating_sub(before).as_nanos() as f64);
            ours.push(start.elapsed().as_nanos() as f64);
            let (start, before) = (Instant::now(), process_cpu_time());
            (0..STEPS).try_for_each(|_| bare.put(&pair))?;
            bare_cpu.push(process_cpu_time().saturating_sub(before).as_nanos() as f64);
            peer.push(start.elapsed().as_nanos() as f64);
        }
        // What the kernel does for a write and a sync is in both; the promise is of what is ours.
        let bare_sync = median(bare_cpu.clone()) / STEPS as f64;
        let own = median(cpu.clone()) - median(synced) * bare_sync;
        let row = Row::time(
            format!("flow/strict/case of 10, {name} (wall)"),
            median(ours),
            median(peer),
            "ten bare pwrite + fdatasync of 300 B",
        );
        emit(row.with_target(Some(Target::ratio(1.0 / 1.5))));
        let row = Row::time(
            format!("flow/strict/case of 10, {name} (cpu)"),
            median(cpu),
            median(bare_cpu),
            "ten bare pwrite + fdatasync of 300 B",
        );
        emit(row);
        let name = format!("flow/strict/case of 10, {name}, cpu beyond as many bare writes'");
        let row = Row::alone(name, own.max(0.0), "ns");
        emit(row.with_target(Some(Target::ours(300_000.0))));
    }
    engine.close()?;
    Ok(())
}

/// How cases are kept in flight: so many programs, each with so many cases at a time.
pub struct Crowd {
    /// What its rows are called.
    pub name: &'static str,
    threads: usize,
    width: usize,
}

impl Crowd {
    /// 64 by one program that takes what is offered and gives it back together.
    pub const ONE_WORKER: Crowd = Crowd {
        name: "one worker",
        threads: 1,
        width: 64,
    };
    /// 64 by two of them.
    pub const TWO_WORKERS: Crowd = Crowd {
        name: "two workers",
        threads: 2,
        width: 32,
    };
    /// 64 by 64 threads that do one thing at a time each.
    const THREADS: Crowd = Crowd {
        name: "64 threads",
        threads: 64,
        width: 1,
    };
    /// One after the other.
    pub const ONE: Crowd = Crowd {
        name: "one",
        threads: 1,
        width: 1,
    };
}

/// Cases that were played.
pub struct Flight {
    /// How long each took, the shortest first.
    times: Vec<Duration>,
    wall: Duration,
    syncs: f64,
}

impl Flight {
    /// Cases of these times, in any order, which took `wall` in all.
    pub fn new(mut times: Vec<Duration>, wall: Duration, syncs: f64) -> Flight {
        times.sort_unstable();
        Flight { times, wall, syncs }
    }

    /// Steps that were done in a second.
    pub fn steps_a_second(&self) -> f64 {
        (self.times.len() * STEPS) as f64 / self.wall.as_secs_f64()
    }

    /// Syncs for each case.
    pub fn syncs_a_case(&self) -> f64 {
        self.syncs / self.times.len() as f64
    }

    /// The time, in nanoseconds, that so many of a hundred cases stay below.
    pub fn at(&self, percent: usize) -> f64 {
        let nth = self.times.get(self.times.len() * percent / 100);
        nth.copied().unwrap_or_default().as_nanos() as f64
    }
}

/// As many cases are open all the time.
fn in_flight(dir: &Path, cases: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    for crowd in [Crowd::ONE_WORKER, Crowd::TWO_WORKERS, Crowd::THREADS] {
        let flight = play(&dir.join(crowd.name), &crowd, cases)?;
        let of = format!("flow/64 in flight, {}", crowd.name);
        let row = Row::alone(
            format!("{of}, syncs a case"),
            flight.syncs_a_case(),
            "syncs",
        );
        emit(row.with_target((crowd.width > 1).then(|| Target::ours(0.3))));
        let steps = flight.steps_a_second();
        emit(Row::alone(format!("{of}, durable steps"), steps, "steps/s"));
        emit(Row::alone(
            format!("{of}, a case, p99 (wall)"),
            flight.at(99),
            "ns",
        ));
    }
    Ok(())
}

/// Plays `cases` cases, `width` of them at a time: starts as many as have ended, and gives back together what it took
/// together. How long each took.
fn batches(engine: &Engine, flow: &str, width: usize, cases: usize) -> Result<Vec<Duration>> {
    let last = format!("step{STEPS}");
    let (mut begun, mut times) = (BTreeMap::new(), Vec::with_capacity(cases));
    let mut started = 0;
    while times.len() < cases {
        let more = width.saturating_sub(begun.len()).min(cases - started);
        let now = Instant::now();
        for case in engine.start_all(flow, &vec![value!({}); more])? {
            begun.insert(case?, now);
        }
        started += more;
        let taken = engine.poll(Poll::topic(flow).max(width), None)?;
        let outcomes: Vec<Outcome> = taken
            .iter()
            .map(|item| Outcome {
                token: item.token.clone(),
                result: Ok(value!(item.item)),
            })
            .collect();
        for done in engine.deliver(&outcomes)? {
            done?;
        }
        for item in taken.iter().filter(|item| item.task == last) {
            let since = begun.remove(&item.case);
            times.extend(since.map(|since| since.elapsed()));
        }
    }
    Ok(times)
}

/// Plays `cases` times as many cases as each program has open, each step synced.
pub fn play(dir: &Path, crowd: &Crowd, cases: usize) -> Result<Flight> {
    let (threads, width) = (crowd.threads, crowd.width);
    let flows: Vec<String> = (0..threads).map(|t| hosts(&format!("work{t}"))).collect();
    let engine = open(dir, Durability::Strict, &flows)?;
    let barrier = Barrier::new(threads + 1);
    let flight = std::thread::scope(|scope| {
        let worker = |thread: usize| {
            let (engine, barrier) = (&engine, &barrier);
            move || -> Result<Vec<Duration>> {
                let flow = format!("work{thread}");
                let warm = hosted(engine, &flow);
                barrier.wait();
                warm?;
                batches(engine, &flow, width, cases * width)
            }
        };
        let running: Vec<_> = (0..threads).map(|t| scope.spawn(worker(t))).collect();
        barrier.wait();
        let (start, synced) = (Instant::now(), syncs::count());
        let mut times = Vec::new();
        for thread in running {
            let done = thread.join().map_err(|_| anyhow!("a thread panicked"))?;
            times.extend(done?);
        }
        let synced = (syncs::count() - synced) as f64;
        Ok::<_, anyhow::Error>(Flight::new(times, start.elapsed(), synced))
    })?;
    engine.close()?;
    Ok(flight)
}
