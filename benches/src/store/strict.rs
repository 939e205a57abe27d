//! Commits that survive a power cut, by the wall clock: one thread beside the bare cost of a synced write, many threads
//! by how many commits share a sync.

use std::sync::Barrier;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use super::bare::Bare;
use super::contender::{Contender, Peer, Promise, pairs};
use super::{Amount, Run};
use crate::measure::{in_turn, median};
use crate::report::{Row, Target};
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
    let names: Vec<String> = (stage.who.iter().map(|peer| peer.name.to_owned()))
        .chain([format!("bare pwrite + fdatasync, {one} B, {hundred} B")])
        .collect();
    stage.all.push(bare);
    for (what, a_commit) in [("put", 1), ("put, 100 a commit", 100)] {
        // Short turns, many of them: the disk changes its pace from one tenth of a second to the next.
        let (turns, commits) = (run.size.samples * 8, 5);
        let operations = commits * a_commit;
        let times = in_turn(
            &mut stage.all,
            turns,
            commits,
            |round| pairs(round, keys, operations),
            |contender, pairs| {
                pairs
                    .chunks(a_commit)
                    .try_for_each(|pairs| contender.put(pairs))
            },
        )?;
        let ours = times.first().context("nobody")?.wall;
        for (at, time) in times.iter().enumerate().skip(1) {
            let name = format!("store/strict/strict {what} (wall)");
            let row = Row::time(name, ours, time.wall, names.get(at).context("nobody")?);
            let is_bare = at + 1 == times.len();
            let target = is_bare.then(|| Target::ratio(1.0 / 1.1));
            run.emit(row.with_target(target));
        }
    }
    stage.all.pop();
    run.keep(stage);
    Ok(())
}

/// One put a commit from 64 threads that call the store directly: time of a commit, and commits a sync.
pub fn many_threads(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let stage = run.stage(promise)?;
    let each = if run.size.quick { 4 } else { 12 };
    let commits = (THREADS * each) as f64;
    let mut taken = vec![(Vec::new(), Vec::new()); stage.all.len()];
    for round in 0..=run.size.samples {
        for turn in 0..stage.all.len() {
            let at = (turn + round) % stage.all.len();
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
