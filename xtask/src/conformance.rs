//! `cargo xtask conformance`: the public suites of cases; the program is `conformance` in `tests/`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::{Workspace, cargo};

#[derive(Args)]
pub struct Options {
    /// Suites to run; all when none is named
    suites: Vec<String>,
    /// Print one JSON object for each suite: suite, passed, failed, skipped, failures, skips
    #[arg(long)]
    json: bool,
    /// In how many random orders each flow of a pattern is run [default: 1000]
    #[arg(long)]
    interleavings: Option<usize>,
    /// Write docs/CONFORMANCE.md from the results
    #[arg(long, conflicts_with = "suites")]
    write: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let interleavings = options.interleavings.unwrap_or(1_000);
    let program = ["-p", "statewright-tests", "--bin", "conformance"];
    // Many orders take longer than building the release.
    let release = interleavings > 50;
    let status = Command::new(cargo())
        .args(["run", "--locked", "--quiet"])
        .args(program)
        .args(release.then_some("--release"))
        .args(["--", "--interleavings", &interleavings.to_string()])
        .args(options.json.then_some("--json"))
        .args(options.write.then_some("--write"))
        .args(&options.suites)
        .current_dir(&workspace.root)
        .status()
        .context("cannot start cargo")?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(2) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}
