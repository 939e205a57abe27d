//! One run: started, killed, resumed, killed again, and brought to its end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use statewright_log::sim::SimRandom;

use super::Plan;
use super::scenario::{CASE, Scenario};
use super::verify::{self, Found};
use super::victim::Victim;

/// How long the last resume may take.
const LIMIT: Duration = Duration::from_secs(120);
/// A run that always ends before it is killed is given up after so many tries.
const TRIES: u32 = 50;
/// A run is killed so many times at most.
const MOST_KILLS: u64 = 4;

pub struct Outcome {
    /// Kills that hit.
    pub kills: u32,
    pub found: Found,
}

/// Runs until a run was killed before its end; a run that was too fast does not count and is done again.
pub fn run(
    plan: &Plan,
    scenario: &Scenario,
    folder: &Path,
    random: &SimRandom,
) -> Result<Outcome, String> {
    for _ in 0..TRIES {
        // The folder may be that of a try that was too fast.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        if let Some(outcome) = attempt(plan, scenario, folder, random)? {
            return Ok(outcome);
        }
    }
    Err(format!(
        "{} ended {TRIES} times before it could be killed",
        scenario.name
    ))
}

fn attempt(
    plan: &Plan,
    scenario: &Scenario,
    folder: &Path,
    random: &SimRandom,
) -> Result<Option<Outcome>, String> {
    let wanted = 1 + random.below(MOST_KILLS);
    let (mut kills, mut process) = (0_u32, 0_u32);
    let mut start = |mut command: Command| {
        process = process.saturating_add(1);
        command.env("KILL_TEST_PROCESS", process.to_string());
        Victim::start(command, &folder.join(format!("out-{process}")))
    };
    while u64::from(kills) < wanted {
        let begun = status(scenario, folder)?;
        let command = if begun.is_some() {
            scenario.resume(folder)
        } else {
            scenario.start(folder)
        };
        let delay = moment(scenario, random);
        let victim = start(command)?;
        let hit = victim.kill_after(delay, random.below(2) == 0)?;
        match status(scenario, folder)?.as_deref() {
            // A kill before the first commit: nothing was begun, and it is begun again.
            None if hit => {}
            Some("running") if hit => kills = kills.saturating_add(1),
            // It ended before the kill, or the kill came after the last commit.
            _ if kills == 0 => return Ok(None),
            _ => break,
        }
    }
    let victim = start(scenario.resume(folder))?;
    let ended = victim.wait(LIMIT);
    if plan.verbose && ended.as_ref() != Ok(&Some(0)) {
        eprintln!("the last resume ended with {ended:?}");
    }
    Ok(Some(Outcome {
        kills,
        found: verify::verify(scenario, folder, process),
    }))
}

/// A moment of the run's duration. Some are long before the first commit, most are not.
fn moment(scenario: &Scenario, random: &SimRandom) -> Duration {
    let micros = u64::try_from(scenario.duration.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    Duration::from_micros(random.below(micros))
}

/// The case's status; none while there is no case. Looks at a copy of the store: opening it would recover it, and then
/// the next process would find it in good order.
fn status(scenario: &Scenario, folder: &Path) -> Result<Option<String>, String> {
    let copy = folder.join("copy");
    copy_files(&folder.join("store"), &copy.join("store"))
        .map_err(|e| format!("cannot copy the store: {e}"))?;
    let mut command = scenario.command(&copy, "case");
    let output = command
        .args([CASE, "--json"])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let case: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let status = case
        .get("status")
        .and_then(Value::as_str)
        .map(str::to_owned);
    match (output.status.code(), status) {
        (Some(0), Some(status)) => Ok(Some(status)),
        // There is no store yet, or no case in it.
        (Some(5), _) if case.pointer("/error/code") == Some(&json!(308)) => Ok(None),
        (Some(7), _) => Ok(None),
        (code, _) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "the store in {} cannot be looked at ({code:?}): {errors}",
                folder.display()
            ))
        }
    }
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    // It is not there before the first copy.
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to)?;
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
