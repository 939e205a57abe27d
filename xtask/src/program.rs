//! Runs a program of the workspace whose report is JSON, for the commands that only wrap one.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace::{Workspace, cargo};

/// What a program said: its JSON lines, and whether it ended well.
pub struct Report {
    pub success: bool,
    pub rows: Vec<Value>,
}

/// `cargo build` with these arguments; quiet unless it fails.
pub fn build(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let status = Command::new(cargo())
        .args(["build", "--locked", "--quiet"])
        .args(arguments)
        .current_dir(&workspace.root)
        .stdout(Stdio::null())
        .status()
        .context("cannot start cargo")?;
    ensure!(
        status.success(),
        "cargo build {} failed",
        arguments.join(" ")
    );
    Ok(())
}

/// `cargo run` with these arguments; all that the program prints is the user's, and its exit code is ours.
pub fn pass(workspace: &Workspace, arguments: &[&str]) -> Result<ExitCode> {
    let status = Command::new(cargo())
        .args(["run", "--locked", "--quiet"])
        .args(arguments)
        .current_dir(&workspace.root)
        .status()
        .context("cannot start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// `cargo run` with these arguments; the program's standard output is its report, its standard error is the user's.
pub fn run(workspace: &Workspace, arguments: &[&str]) -> Result<Report> {
    let output = Command::new(cargo())
        .args(["run", "--locked", "--quiet"])
        .args(arguments)
        .current_dir(&workspace.root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    ensure!(
        !rows.is_empty(),
        "cargo run {} printed no report ({})",
        arguments.join(" "),
        output.status
    );
    Ok(Report {
        success: output.status.success(),
        rows,
    })
}
