//! The kill test: real processes killed with SIGKILL at random moments and resumed, and what must hold after that.
//!
//! # How it works
//!
//! A [`scenario`] is an example flow with what it needs around it, slowed down so that there is time to be killed in,
//! and with a *witness*: a file, written past the engine, in which each step notes its idempotency key and attempt
//! when it begins. A [`run`] starts `statewright run`, kills it at a random moment ([`victim`]), resumes it, mostly
//! kills it again, and at last lets it come to its end. Then [`verify`] holds against each other what the killed
//! processes had printed (each line was committed and acknowledged before), the history, the log and the witness.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is about real processes, real files and real time"
)]

mod run;
mod scenario;
mod verify;
mod victim;
mod worker;

use std::path::PathBuf;

use statewright_log::sim::SimRandom;

use scenario::Scenario;
pub use worker::serve;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many runs to kill and resume.
    pub runs: u32,
    /// Decides the moments (as far as real time lets it) and who is killed.
    pub seed: u64,
    /// The command line to kill.
    pub cli: PathBuf,
    /// This program, as a worker of the `host` tasks.
    pub worker: String,
    /// Tell what happens on stderr.
    pub verbose: bool,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs that were killed before their end.
    pub runs: u32,
    /// Of these, runs that came to the right end when resumed.
    pub resumed: u32,
    /// Steps that ran again though their completion had been committed.
    pub steps_run_twice_after_completion: usize,
    /// Events that were acknowledged before a kill and are not in the history and the log after it.
    pub lost_commits: usize,
    /// How many kills there were.
    pub kills: u32,
    /// Everything that is wrong, for people.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn good(&self) -> bool {
        self.resumed == self.runs
            && self.steps_run_twice_after_completion == 0
            && self.lost_commits == 0
            && self.problems.is_empty()
    }
}

/// Runs the plan.
///
/// # Errors
///
/// When nothing can be tested: the command line cannot be started, or does not come to the right end when left alone.
pub fn kill_test(plan: &Plan) -> Result<Report, String> {
    let work = std::env::temp_dir().join(format!("statewright-kill-test-{}", std::process::id()));
    std::fs::create_dir_all(&work).map_err(|e| format!("cannot make {}: {e}", work.display()))?;
    let scenarios = Scenario::all(plan, &work)?;
    let random = SimRandom::new(plan.seed);
    let mut report = Report::default();
    for (number, scenario) in (1..=plan.runs).zip(scenarios.iter().cycle()) {
        let outcome = run::run(plan, scenario, &work.join(format!("run-{number}")), &random)?;
        report.runs = report.runs.saturating_add(1);
        report.kills = report.kills.saturating_add(outcome.kills);
        report.steps_run_twice_after_completion += outcome.found.run_twice;
        report.lost_commits += outcome.found.lost;
        if outcome.found.problems.is_empty() {
            report.resumed = report.resumed.saturating_add(1);
        }
        if plan.verbose {
            eprintln!(
                "run {number}: {} killed {} times",
                scenario.name, outcome.kills
            );
        }
        let place = format!("run {number} ({}, seed {})", scenario.name, plan.seed);
        report.problems.extend(
            outcome
                .found
                .problems
                .iter()
                .map(|problem| format!("{place}: {problem}")),
        );
    }
    if report.good() {
        // What cannot be removed stays behind in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&work);
    } else {
        report.problems.push(format!(
            "stores, outputs and witnesses are kept in {}",
            work.display()
        ));
    }
    Ok(report)
}
