//! Deterministic simulation of the whole store, in one thread.
//!
//! A seed decides everything: the store's options, how many clients there are, what each does at each step, which
//! faults there can be ([`Swarm`]) and when they strike. The world is that of `statewright_log::sim`: a disk that loses
//! what a disk may lose, and a clock that is set. So a seed that fails does so again, and again, step by step:
//! `cargo xtask sim --seed N`.
//!
//! ```text
//! scheduler ── picks ──► client ── begin, read, write, scan, commit … ──► Store ──► Log ──► simulated disk
//!     │                    │                                                              ▲
//!     └── fault, crash, kill, reopen ─────────────────────────────────────────────────────┘
//!                          └──► model: a map for every version        history ──► checker
//! ```
//!
//! What is checked: every read against a naive [`model`]; every conflict (none is missed, siblings never conflict);
//! after every opening, that the state is that of a version that was written, and none is lost that was promised to
//! survive; that a store which failed accepts nothing more; that damage gives an error and never wrong data; and in the
//! end, that the whole history is serializable ([`crate::check`]).
//!
//! Two of three seeds also have cases of flows in the same store ([`cases`]), with workers that are slow, late, answer
//! twice or never: their steps are those of a token game ([`net`]), nothing completes or fires twice or before its
//! time, what was done is undone once, newest first ([`laws`]), lanes keep their limits and turns, signals are given
//! once ([`turns`]), schedules start a case for each moment once ([`starts`]), cases are moved to other versions and
//! back ([`moves`]), forked, and done again ([`past`]), many at once ([`batches`]); and in the end every case has come
//! to its end ([`drain`]).

mod admin;
mod batches;
mod cases;
mod client;
mod docs;
mod drain;
pub mod fault;
mod games;
mod judge;
mod laws;
mod look;
pub mod model;
mod more;
mod moves;
mod net;
mod past;
mod primitives;
mod starts;
mod timetable;
mod turns;
mod world;

use std::collections::BTreeMap;

use statewright_log::sim::SimRandom;

pub(crate) use admin::read_all;
pub use fault::{FaultKind, Swarm};
use world::World;

/// What is wrong, in words; or nothing.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// How to run a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print every step to standard error.
    pub verbose: bool,
    /// Steps to stop after; 0 for as many as the seed says.
    pub steps: u64,
    /// Cases of flows and faults only, without other clients: of these flows, or of those that the seed says if there
    /// are none.
    pub flows: Option<&'static [&'static str]>,
}

/// What came of a seed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A digest of all that happened: every call of the store to its disk, every result that a client saw.
    pub hash: u64,
    /// Steps made.
    pub steps: u64,
    /// Commits acknowledged.
    pub commits: u64,
    /// Transactions that ended, in any way.
    pub txns: u64,
    /// Values that were read and compared.
    pub reads: u64,
    /// Conflicts reported.
    pub conflicts: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Openings after a crash, a kill or a close.
    pub recoveries: u64,
    /// Simulated time, in seconds.
    pub seconds: u64,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<FaultKind, u64>,
    /// What is wrong, if anything.
    pub violation: Option<String>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Outcome {
    let random = SimRandom::new(seed);
    let steps = 150 + random.below(500);
    let mut world = World::new(seed, random, options);
    let limit = if options.steps == 0 {
        steps
    } else {
        options.steps
    };
    let violation = world.run(limit).err();
    world.outcome(violation)
}

/// Runs seeds one after the other and adds up what came of them.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// Seeds run.
    pub seeds: u64,
    /// Seeds run twice to compare the hashes.
    pub repeated: u64,
    /// The sums of all fields of [`Outcome`].
    pub sum: Outcome,
    /// Seeds that failed: the number, and what is wrong.
    pub failures: Vec<(u64, String)>,
}

impl Total {
    /// Runs one more seed; every so many, a second time, which must give the same hash.
    pub fn add(&mut self, seed: u64, options: Options, repeat: u64) {
        let outcome = run(seed, options);
        self.seeds += 1;
        if let Some(violation) = &outcome.violation {
            self.failures.push((seed, violation.clone()));
        } else if repeat > 0 && seed.is_multiple_of(repeat) {
            self.repeated += 1;
            let again = run(seed, options).hash;
            if again != outcome.hash {
                let hash = outcome.hash;
                let problem = format!("not deterministic: {hash:016x}, then {again:016x}");
                self.failures.push((seed, problem));
            }
        }
        self.sum.steps += outcome.steps;
        self.sum.commits += outcome.commits;
        self.sum.txns += outcome.txns;
        self.sum.reads += outcome.reads;
        self.sum.conflicts += outcome.conflicts;
        self.sum.checkpoints += outcome.checkpoints;
        self.sum.recoveries += outcome.recoveries;
        self.sum.seconds += outcome.seconds;
        self.sum.hash = self.sum.hash.rotate_left(1) ^ outcome.hash;
        for (kind, count) in outcome.faults {
            *self.sum.faults.entry(kind).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_twice_is_the_same_run_and_another_seed_is_another() {
        let hash = |seed| run(seed, Options::default()).hash;
        let first: Vec<u64> = (0..8).map(hash).collect();
        let second: Vec<u64> = (0..8).map(hash).collect();
        assert_eq!(first, second);
        let different: std::collections::BTreeSet<u64> = first.into_iter().collect();
        assert_eq!(different.len(), 8);
    }

    /// A part of the whole, so that `cargo test` says early what `cargo xtask sim` would say.
    #[test]
    fn a_sample_of_seeds() {
        let mut total = Total::default();
        for seed in 0..60 {
            total.add(seed, Options::default(), 0);
        }
        assert_eq!(total.failures, []);
        assert!(total.sum.commits > 1000, "{:?}", total.sum);
        assert!(total.sum.conflicts > 50, "{:?}", total.sum);
        assert!(total.sum.faults.len() > 20, "{:?}", total.sum.faults);
    }
}
