//! `cargo xtask sim`: the simulation of the whole store. The program is `sim` in `tests/`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The seeds to run: from A up to B, B not included
    #[arg(long, value_name = "A..B", default_value = "0..300")]
    seeds: String,
    /// Run one seed and print every step
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Simulate the release build: for many seeds
    #[arg(long)]
    release: bool,
    /// Passed to the program, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let seed = options.seed.map(|seed| seed.to_string());
    let mut arguments = vec!["-p", "statewright-tests", "--bin", "sim"];
    if options.release {
        arguments.push("--release");
    }
    arguments.push("--");
    match &seed {
        Some(seed) => arguments.extend(["--seed", seed]),
        None => arguments.extend(["--seeds", &options.seeds]),
    }
    if options.json {
        arguments.push("--json");
    }
    arguments.extend(options.arguments.iter().map(String::as_str));
    program::pass(workspace, &arguments)
}
