//! `cargo xtask crash`: the crash test of the log. The program is `crash` in `tests/`; that it would find a mistake is
//! shown by `cargo xtask sabotage`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Test the release build: for many images
    #[arg(long)]
    release: bool,
    /// Passed to the program, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut arguments = vec!["-p", "statewright-tests", "--bin", "crash"];
    if options.release {
        arguments.push("--release");
    }
    arguments.push("--");
    if options.json {
        arguments.push("--json");
    }
    arguments.extend(options.arguments.iter().map(String::as_str));
    program::pass(workspace, &arguments)
}
