//! `cargo xtask bench`: builds and runs the side-by-side comparisons of `benches/` in release.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::{Workspace, cargo};

#[derive(Args)]
pub struct Options {
    /// What to measure: `store`, `flow`, `value`, or a part of the value suite (`value parse`, `value parse/twitter`);
    /// everything when none is named
    suites: Vec<String>,
    /// Print one JSON object a row: name, ours, peer, peer_name, unit, ratio (peer/ours: above 1 we are faster), and
    /// for what is promised target and met; the last one, "summary", counts those met and missed
    #[arg(long)]
    json: bool,
    /// Keys in the store
    #[arg(long)]
    keys: Option<usize>,
    /// Samples of each measurement; the median counts
    #[arg(long)]
    samples: Option<usize>,
    /// Where the databases are written; a temporary folder by default
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
    /// Run the criterion benches instead
    #[arg(long, conflicts_with_all = ["suites", "json", "keys", "samples", "dir"])]
    criterion: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut command = Command::new(cargo());
    command.current_dir(&workspace.root);
    if options.criterion {
        command.args([
            "bench",
            "--locked",
            "-p",
            "statewright-benches",
            "--benches",
        ]);
    } else {
        command.args([
            "run",
            "--locked",
            "--release",
            "-p",
            "statewright-benches",
            "--bin",
            "side-by-side",
            "--",
        ]);
        command.args(&options.suites);
        command.args(options.json.then_some("--json"));
        for (name, value) in [("--keys", options.keys), ("--samples", options.samples)] {
            command.args(value.map(|value| format!("{name}={value}")));
        }
        command.args(options.dir.as_ref().map(|dir| format!("--dir={dir}")));
    }
    let status = command.status().context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
