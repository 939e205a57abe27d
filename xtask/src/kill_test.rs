//! `cargo xtask kill-test`: real processes, real SIGKILL. The program is `kill-test` in `tests/`; the command line it
//! kills and resumes is built first, in the same profile.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::program;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// How many runs to kill and resume
    #[arg(long, default_value_t = 50)]
    runs: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Kill the release build
    #[arg(long)]
    release: bool,
    /// Passed to the program, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let profile: &[&str] = if options.release { &["--release"] } else { &[] };
    program::build(workspace, &[&["-p", "statewright-cli"], profile].concat())?;
    let runs = options.runs.to_string();
    let mut arguments = vec!["-p", "statewright-tests", "--bin", "kill-test"];
    arguments.extend(profile);
    arguments.extend(["--", "--runs", &runs, "--json"]);
    arguments.extend(options.arguments.iter().map(String::as_str));
    let report = program::run(workspace, &arguments)?;
    for row in &report.rows {
        print(row, options.json);
    }
    Ok(if report.success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(row: &Value, json: bool) {
    match row.as_object() {
        Some(object) if !json => object
            .iter()
            .for_each(|(name, value)| println!("{name:40}{value}")),
        _ => println!("{row}"),
    }
}
