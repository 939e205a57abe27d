//! `cargo xtask loom`: every schedule of a few threads that commit, read and make checkpoints together. The tests are
//! `loom.rs` in `core/log/tests` and `core/store/tests`; they exist only in builds with the `cfg` of that name, which
//! go to a folder of their own.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::workspace::{Workspace, cargo};

#[derive(Args)]
pub struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Only the log's commit queue, which builds in seconds
    #[arg(long)]
    log: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut test = Command::new(cargo());
    test.args(["test", "--locked", "--release", "--test", "loom"])
        .args(["-p", "statewright-log"])
        .args(if options.log {
            &[][..]
        } else {
            &["-p", "statewright-store"]
        })
        .args(["--config", "profile.release.lto=\"off\""])
        .args(["--config", "profile.release.opt-level=1"])
        .args(["--", "--test-threads", "1", "--nocapture"])
        .env("RUSTFLAGS", "--cfg statewright_loom")
        .env("CARGO_TARGET_DIR", workspace.root.join("target/loom"))
        .current_dir(&workspace.root);
    let output = test
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if options.json {
        let good = output.status.success();
        println!("{}", json!({"good": good, "tests": tests(&text)}));
    } else {
        print!("{text}");
    }
    Ok(if output.status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `test NAME ... N schedules`, then `ok` on a line of its own.
fn tests(output: &str) -> Vec<Value> {
    let lines = output.lines().zip(output.lines().skip(1));
    let test = |(line, next): (&str, &str)| {
        let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let schedules: u64 = rest.strip_suffix(" schedules")?.parse().ok()?;
        Some(json!({"test": name, "schedules": schedules, "good": next == "ok"}))
    };
    lines.filter_map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_from_the_output() {
        let output = "running 1 test\ntest a_b ... 17 schedules\nok\n\ntest result: ok.\n";
        let expected = json!({"test": "a_b", "schedules": 17, "good": true});
        assert_eq!(tests(output), [expected]);
    }
}
