//! `cargo xtask crash`: the crash test of the log, and the proof that it would find a mistake.
//!
//! The program is `crash` in `tests/`. It is run twice: as it is, where it must find no violation, and with the feature
//! `early-ack`, which plants a bug (commits are acknowledged before they are synced), where it must find some.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::program;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Run only the build with the planted bug
    #[arg(long)]
    planted_bug: bool,
    /// Passed to the program, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let clean = if options.planted_bug {
        None
    } else {
        Some(once(workspace, options, &[])?)
    };
    let planted = once(workspace, options, &["--features", "early-ack"])?;
    let (report, good) = judge(clean, planted)?;
    if options.json {
        println!("{report}");
    } else {
        print(&report);
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn once(workspace: &Workspace, options: &Options, features: &[&str]) -> Result<Value> {
    let mut arguments = vec!["-p", "statewright-tests", "--bin", "crash"];
    arguments.extend(features);
    arguments.extend(["--", "--json"]);
    arguments.extend(options.arguments.iter().map(String::as_str));
    let report = program::run(workspace, &arguments)?;
    report.rows.last().cloned().context("no report")
}

/// One object of both reports, and whether both are as they must be.
fn judge(clean: Option<Value>, planted: Value) -> Result<(Value, bool)> {
    let violations = |report: &Value| {
        report
            .get("violations")
            .and_then(Value::as_u64)
            .context("the report of `crash` has no number `violations`")
    };
    let found = violations(&planted)? > 0;
    let mut good = found;
    let mut report = json!({});
    if let Some(clean) = clean {
        good &= violations(&clean)? == 0;
        report = clean;
    }
    if let Some(report) = report.as_object_mut() {
        report.insert("planted_bug_found".into(), json!(found));
        report.insert("planted_bug".into(), planted);
    }
    Ok((report, good))
}

fn print(report: &Value) {
    let show = |title: &str, report: &Value| {
        println!("{title}");
        for (name, value) in report.as_object().into_iter().flatten() {
            if name != "planted_bug" && name != "planted_bug_found" {
                println!("  {name:24}{value}");
            }
        }
    };
    if report.get("violations").is_some() {
        show("the log as it is", report);
    }
    show(
        "with a planted bug (acknowledges before syncing)",
        report.get("planted_bug").unwrap_or(&Value::Null),
    );
    println!(
        "planted bug found: {}",
        report.get("planted_bug_found").unwrap_or(&Value::Null)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_must_hold() {
        let report = |violations: u64| json!({"boundaries": 10, "violations": violations});
        let (merged, good) = judge(Some(report(0)), report(3)).unwrap();
        assert!(good);
        assert_eq!(merged["violations"], 0);
        assert_eq!(merged["boundaries"], 10);
        assert_eq!(merged["planted_bug"]["violations"], 3);
        assert_eq!(merged["planted_bug_found"], true);
        assert!(
            !judge(Some(report(1)), report(3)).unwrap().1,
            "a violation of the log itself"
        );
        assert!(
            !judge(Some(report(0)), report(0)).unwrap().1,
            "the planted bug was not found"
        );
        assert!(judge(None, report(2)).unwrap().1);
        assert!(judge(None, json!({})).is_err());
    }
}
