//! Bugs planted in the library, and whether the simulation and the crash test find them.
//!
//! A harness that finds nothing proves nothing unless it would find something. Each [`Plant`] is a bug of
//! `statewright_log::sabotage` with the tool that must find it and how soon.

use statewright_log::sabotage::Bug;

use crate::crash::{self, Plan};
use crate::sim::{self, Options};

/// What looks for a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The simulation of the store, seed by seed from 0 on.
    Sim,
    /// The same, with cases of these flows and nothing beside them; of all if there are none.
    Flows(&'static [&'static str]),
    /// The crash test of the log, with the scripted scenarios.
    Crash,
}

/// A planted bug and what must find it.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// The bug.
    pub bug: Bug,
    /// Who must find it.
    pub by: Tool,
    /// Within how many seeds; for the crash test, damaged disks.
    pub within: u64,
}

const fn sim(bug: Bug, within: u64) -> Plant {
    Plant {
        bug,
        by: Tool::Sim,
        within,
    }
}

const fn flows(bug: Bug, of: &'static [&'static str], within: u64) -> Plant {
    Plant {
        bug,
        by: Tool::Flows(of),
        within,
    }
}

const fn crash(bug: Bug, within: u64) -> Plant {
    Plant {
        bug,
        by: Tool::Crash,
        within,
    }
}

/// All bugs. Each budget is about ten times what is needed today, so that a change of the simulation that makes it
/// blind is noticed, and a mere change of seeds is not.
pub const PLANTS: &[Plant] = &[
    sim(Bug::SkipSync, 100),
    sim(Bug::EarlyAck, 100),
    sim(Bug::SkipSegmentSync, 200),
    sim(Bug::SkipDirSync, 200),
    sim(Bug::AcceptBadChecksum, 1000),
    sim(Bug::ForgetPoison, 100),
    crash(Bug::ProveTooMuch, 20_000),
    sim(Bug::TrustTornTail, 500),
    crash(Bug::LoseOnRotation, 20_000),
    sim(Bug::AckUnwritten, 100),
    sim(Bug::TimeGoesBack, 200),
    sim(Bug::IgnoreReads, 100),
    sim(Bug::IgnoreRanges, 100),
    sim(Bug::IgnoreDescendants, 500),
    sim(Bug::PruneTooEarly, 100),
    sim(Bug::MergeBlind, 500),
    sim(Bug::ShowUnsynced, 500),
    sim(Bug::ReorderOps, 200),
    sim(Bug::ReplayTwice, 200),
    sim(Bug::ForgetRemovals, 100),
    sim(Bug::CheckpointAboveDurable, 500),
    flows(Bug::AcceptStaleToken, &["several"], 100),
    flows(Bug::AdoptTwice, &["several"], 100),
    flows(Bug::TimerTwice, &["merge"], 100),
    flows(Bug::RetryAtOnce, &["order", "loop"], 100),
    flows(Bug::ForgetMutex, &["sections"], 100),
    flows(Bug::KeepCancelled, &["first"], 100),
    flows(Bug::HastyOrJoin, &["order", "sections"], 100),
    flows(Bug::ThresholdOffByOne, &["several"], 100),
    flows(Bug::UndoTwice, &["trip"], 100),
    flows(Bug::SkipUndo, &["trip"], 100),
    flows(Bug::LaneOverLimit, &["mails"], 100),
    flows(Bug::KeepTurn, &["mails"], 100),
    flows(Bug::IgnoreRate, &["drips"], 100),
    flows(Bug::SignalTwice, &["keyed"], 100),
    flows(Bug::ForgetCalled, &["hurry"], 100),
    flows(Bug::HastyBatch, &["order", "several"], 100),
    flows(Bug::DeadlineTwice, &["diverted"], 100),
    flows(Bug::LoseDeadline, &["bounded"], 500),
    flows(Bug::SkipMoment, &["queues", "piles"], 100),
    flows(Bug::IgnoreClockChange, &["wakes", "dawns"], 100),
    flows(Bug::LoseToken, &["order", "merge"], 200),
    flows(Bug::ForkLater, &["order", "trip"], 200),
    flows(Bug::WrongEvent, &["first", "choice"], 100),
    flows(Bug::FireAgain, &["rounds"], 100),
];

/// How a bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// After how many seeds or damaged disks.
    pub after: u64,
    /// What the tool said.
    pub problem: String,
}

/// Lets a tool look, until it finds something or its budget is spent. The bug must have been planted.
#[must_use]
pub fn look(plant: &Plant) -> Option<Found> {
    match plant.by {
        Tool::Sim | Tool::Flows(_) => (0..plant.within).find_map(|seed| {
            let options = Options {
                flows: match plant.by {
                    Tool::Flows(of) => Some(of),
                    _ => None,
                },
                ..Options::default()
            };
            let problem = sim::run(seed, options).violation?;
            let after = seed + 1;
            Some(Found { after, problem })
        }),
        Tool::Crash => {
            let report = crash::crash(&Plan {
                random: 4,
                images: 4,
                nested_images: 1,
                depth: 1,
                until: Some(plant.within),
                ..Plan::default()
            });
            let problem = report.first?.problem;
            let after = report.images;
            Some(Found { after, problem })
        }
    }
}
