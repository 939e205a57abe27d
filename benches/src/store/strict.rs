//! Commits that survive a power cut, by the wall clock: one thread beside the bare cost of a synced write, many threads
//! by how many commits share a sync.

use std::sync::Barrier;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use super::bare::Bare;
use super::contender::{Contender, Peer, Promise, pairs};
use super::{Amount, Run};
use crate::measure::{Time, in_turn, median, shuffled};
use crate::report::Target;
use crate::syncs;

const THREADS: usize = 64;

/// One put a commit and a hundred, one thread; beside them a bare write of as many bytes as our log takes.
pub fn one_thread(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let mut stage = run.stage(promise)?;
    let keys = run.size.keys;
    let logged = |contender: &dyn Contender, a_commit: usize| -> Result<usize> {
        let bytes = || contender.log_bytes().context("a store that tells no bytes");
        let before = bytes()?;
        contender.put(&pairs(0, keys, a_commit))?;
        Ok(usize::try_from(bytes()?.saturating_sub(before))?)
    };
    let ours = stage.all.first().context("nobody")?;
    let (one, hundred) = (logged(&**ours, 1)?, logged(&**ours, 100)?);
    let folder = run.folder()?;
    let bare = Box::new(Bare::open(&folder.0, one, hundred)?);
    // Beside the bare write alone, in turn commit by commit; then beside the peers.
    let ours = stage.all.remove(0);
    let mut two: [Box<dyn Contender>; 2] = [ours, bare];
    for (what, a_commit) in KINDS {
        let times = turns(&mut two, keys, *a_commit, run.size.samples * 20, 2)?;
        let bytes = if *a_commit == 1 { one } else { hundred };
        let name = format!("bare pwrite + fdatasync, {bytes} B");
        let amounts = [
            Amount::of("Statewright", times.first().context("nobody")?.wall),
            Amount::of(name, times.last().context("nobody")?.wall),
        ];
        let target = Some(Target::ratio(1.0 / 1.1)).filter(|_| *a_commit == 1);
        let name = format!("strict/strict {what} beside bare (wall)");
        run.against_best(&name, "ns", &amounts, target);
    }
    let [ours, _] = two;
    stage.all.insert(0, ours);
    for (what, a_commit) in KINDS {
        let times = turns(&mut stage.all, keys, *a_commit, run.size.samples * 4, 5)?;
        let amount = |(peer, time): (&Peer, &Time)| Amount::of(peer.name, time.wall);
        let amounts: Vec<Amount> = stage.who.iter().zip(&times).map(amount).collect();
        run.against_best(
            &format!("strict/strict {what} (wall)"),
            "ns",
            &amounts,
            None,
        );
    }
    run.keep(stage);
    Ok(())
}

/// What one thread does, and how many puts are in a commit.
const KINDS: &[(&str, usize)] = &[("put", 1), ("batch of 100", 100)];

/// Short turns, many of them: the disk changes its pace from one tenth of a second to the next.
fn turns(
    all: &mut [Box<dyn Contender>],
    keys: usize,
    a_commit: usize,
    turns: usize,
    commits: usize,
) -> Result<Vec<Time>> {
    in_turn(
        all,
        turns,
        commits,
        |round| pairs(round, keys, commits * a_commit),
        |contender, pairs| {
            let mut commits = pairs.chunks(a_commit);
            commits.try_for_each(|pairs| contender.put(pairs))
        },
    )
}

/// One put a commit from 64 threads that call the store directly: time of a commit, and commits a sync.
pub fn many_threads(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let stage = run.stage(promise)?;
    let each = if run.size.quick { 4 } else { 12 };
    let commits = (THREADS * each) as f64;
    let mut taken = vec![(Vec::new(), Vec::new()); stage.all.len()];
    for round in 0..=run.size.samples {
        for at in shuffled(stage.all.len(), round) {
            let (Some(contender), Some((times, syncs))) = (stage.all.get(at), taken.get_mut(at))
            else {
                continue;
            };
            let (time, synced) = together(&**contender, run.size.keys, round, each)?;
            if round > 0 {
                times.push(time * 1e9 / commits);
                syncs.push(commits / synced.max(1) as f64);
            }
        }
    }
    let taken: Vec<(f64, f64)> = taken
        .into_iter()
        .map(|(times, syncs)| (median(times), median(syncs)))
        .collect();
    let of = |part: fn(&(f64, f64)) -> f64| -> Vec<Amount> {
        let amount = |(peer, taken): (&Peer, &(f64, f64))| Amount::of(peer.name, part(taken));
        stage.who.iter().zip(&taken).map(amount).collect()
    };
    let first = Some(Target::ratio(1.0));
    run.against_best(
        "strict/threads: 64, put (wall)",
        "ns",
        &of(|taken| taken.0),
        first,
    );
    let shared = Some(Target::ours_at_least(20.0));
    let name = "strict/threads: 64, commits a sync";
    run.against_best(name, "commits/sync", &of(|taken| taken.1), shared);
    run.keep(stage);
    Ok(())
}

/// Seconds until all threads have made their commits, and the syncs meanwhile.
fn together(
    contender: &dyn Contender,
    keys: usize,
    round: usize,
    each: usize,
) -> Result<(f64, u64)> {
    let start = Barrier::new(THREADS + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let pairs = pairs(round * THREADS + thread, keys, each);
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    pairs.chunks(1).try_for_each(|pair| contender.put(pair))
                })
            })
            .collect();
        start.wait();
        let (begin, before) = (Instant::now(), syncs::count());
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        Ok((begin.elapsed().as_secs_f64(), syncs::count() - before))
    })
}
