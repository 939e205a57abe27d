//! `cargo xtask sabotage`: bugs are planted in the library, and the simulation and the crash test must find them. The
//! program is `sabotage` in `tests/`, built with the feature of that name.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Plant only this bug
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Passed to the program, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let program = [
        "-p",
        "statewright-tests",
        "--features",
        "sabotage",
        "--bin",
        "sabotage",
        "--",
    ];
    let mut arguments = program.to_vec();
    if options.json {
        arguments.push("--json");
    }
    if let Some(bug) = &options.bug {
        arguments.extend(["--bug", bug]);
    }
    arguments.extend(options.arguments.iter().map(String::as_str));
    program::pass(workspace, &arguments)
}
