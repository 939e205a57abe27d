//! Opening a store that is there: until the first get, what is resident then, reads of what the process has not
//! touched, and the replay of a log.

use anyhow::{Context, Result};

use super::child::{self, Numbers, Task};
use super::contender::{Peer, Promise, load, ours, peers};
use super::{Amount, Folder, Run};
use crate::measure::median;
use crate::report::{Row, Target};

/// Keys that are read after the first, each likely to be on a page that the process has not touched.
pub const COLD_READS: usize = 2000;

const MILLISECONDS: f64 = 1e6;

/// Open, get one key, then read cold ones. The page cache is warm, the process is new.
pub fn open(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let mut who = vec![ours(promise)];
    who.extend(
        peers(promise, &run.size.peers)
            .into_iter()
            .filter(|peer| peer.keeps),
    );
    let keys = run.size.keys;
    let mut folders: Vec<Folder> = Vec::new();
    for peer in &who {
        let folder = run.folder()?;
        let store = (peer.open)(&folder.0, keys)?;
        load(&*store, keys)?;
        store.close()?;
        folders.push(folder);
    }
    let mut taken: Vec<Vec<Numbers>> = who.iter().map(|_| Vec::new()).collect();
    for round in 0..=run.size.samples {
        for ((peer, folder), taken) in who.iter().zip(&folders).zip(&mut taken) {
            let task = Task::Open {
                who: peer.key.to_owned(),
                dir: folder.0.clone(),
                keys,
                seed: round,
            };
            let numbers = task.apart(run.size.program.as_deref()).context(peer.name)?;
            if round > 0 {
                taken.push(numbers);
            }
        }
    }
    let of = |number: &str| -> Result<Vec<Amount>> {
        let of = |(peer, taken): (&Peer, &Vec<Numbers>)| {
            let all: Result<Vec<f64>> = taken.iter().map(|numbers| numbers.get(number)).collect();
            Ok(Amount::of(peer.name, median(all?)))
        };
        who.iter().zip(&taken).map(of).collect()
    };
    let name = |what: &str| format!("buffered/open: {what} of {keys} keys");
    let quick = Some(Target::ours(10.0 * MILLISECONDS));
    let small = Some(Target::ours(50e6));
    run.against_best(
        &name("first get (wall)"),
        "ns",
        &of("first get wall")?,
        quick,
    );
    run.against_best(&name("first get (cpu)"), "ns", &of("first get cpu")?, None);
    run.against_best(&name("resident"), "bytes", &of("resident")?, small);
    let mut cold = of("cold get cpu")?;
    // Cold reads are held against LMDB's, which reads from a mapping too.
    for amount in &mut cold {
        amount.counts = amount.name.starts_with("LMDB");
    }
    let as_fast = Some(Target::ratio(1.0));
    run.against_best(&name("cold get (cpu)"), "ns", &cold, as_fast);
    run.against_best(&name("cold get (wall)"), "ns", &of("cold get wall")?, None);
    Ok(())
}

/// Replays a log of small commits, without a checkpoint.
pub fn recovery(run: &mut Run<'_>, _: Promise) -> Result<()> {
    let folder = run.folder()?;
    let commits = if run.size.quick { 2_000 } else { 500_000 };
    child::record(&folder.0, run.size.keys, commits)?;
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for round in 0..=run.size.samples {
        let task = Task::Recover {
            dir: folder.0.clone(),
        };
        let numbers = task.apart(run.size.program.as_deref())?;
        if round > 0 {
            let commits = numbers.get("commits")?;
            wall.push(commits / numbers.get("open wall")? * 1e9);
            cpu.push(commits / numbers.get("open cpu")? * 1e9);
        }
    }
    let row = |clock: &str, taken| {
        let name = format!("store/buffered/recovery ({clock})");
        Row::alone(name, median(taken), "commits/s")
    };
    let target = Some(Target::ours_at_least(500_000.0));
    run.emit(row("cpu", cpu).with_target(target));
    run.emit(row("wall", wall));
    Ok(())
}
