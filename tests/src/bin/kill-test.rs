//! The kill test as a program: `cargo run -p statewright-tests --bin kill-test`. Build the command line first.
//!
//! Prints what was found, and exits with 1 if a promise was broken.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use statewright_tests::kill::{Plan, Report, kill_test, serve};
use statewright_tests::ledger::Ledger;

const USAGE: &str = "\
usage: kill-test [--runs N] [--seed N] [--cli PATH] [--json] [--verbose] [--ledger FILE]

  --runs N     how many runs to kill and resume (50)
  --seed N     decides when and how to kill, as far as real time lets it (1)
  --cli PATH   the command line to kill (STATEWRIGHT_CLI, or `statewright` beside this program)
  --json       print one JSON object
  --verbose    tell on stderr what happens
  --ledger FILE
               put the report at the end of this file, as one line of JSON
";

fn main() -> ExitCode {
    let (ledger, arguments) = Ledger::take(std::env::args().skip(1));
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve_items();
    }
    let (plan, json) = match parse(arguments.into_iter()) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match kill_test(&plan) {
        Ok(report) => {
            ledger.note("kill-test", &as_json(&report));
            print(&report, json);
            ExitCode::from(u8::from(!report.good()))
        }
        Err(problem) => {
            eprintln!("the kill test could not run: {problem}");
            ExitCode::from(1)
        }
    }
}

/// The worker that the command line under test starts.
fn serve_items() -> ExitCode {
    let Some(witness) = std::env::var_os("KILL_TEST_WITNESS") else {
        eprintln!("KILL_TEST_WITNESS names no file");
        return ExitCode::from(2);
    };
    match serve(Path::new(&witness)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Plan, bool), String> {
    let own = std::env::current_exe()
        .map_err(|e| format!("where this program is cannot be told: {e}"))?;
    let cli = std::env::var_os("STATEWRIGHT_CLI").map(PathBuf::from);
    let mut plan = Plan {
        runs: 50,
        seed: 1,
        cli: cli.unwrap_or_else(|| own.with_file_name("statewright")),
        worker: format!("'{}' serve", own.display()),
        verbose: false,
    };
    let mut json = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--verbose" => plan.verbose = true,
            "--runs" | "--seed" | "--cli" => {
                let value = arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value"))?;
                let wrong = |e: std::num::ParseIntError| format!("{argument} {value}: {e}");
                match argument.as_str() {
                    "--runs" => plan.runs = value.parse().map_err(wrong)?,
                    "--seed" => plan.seed = value.parse().map_err(wrong)?,
                    _ => plan.cli = value.into(),
                }
            }
            _ => return Err(format!("{argument} is not known")),
        }
    }
    if !plan.cli.is_file() {
        let cli = plan.cli.display();
        return Err(format!(
            "there is no {cli}; run `cargo build -p statewright-cli`, or name another with --cli"
        ));
    }
    Ok((plan, json))
}

fn as_json(report: &Report) -> Value {
    json!({
        "runs": report.runs,
        "kills": report.kills,
        "resumed": report.resumed,
        "steps_run_twice_after_completion": report.steps_run_twice_after_completion,
        "lost_commits": report.lost_commits,
    })
}

fn print(report: &Report, json: bool) {
    for problem in &report.problems {
        eprintln!("{problem}");
    }
    let Report {
        runs,
        resumed,
        steps_run_twice_after_completion: twice,
        lost_commits: lost,
        kills,
        ..
    } = report;
    if json {
        println!("{}", as_json(report));
    } else {
        println!("{runs} runs killed {kills} times, {resumed} resumed to the right end");
        println!(
            "{twice} steps ran again after their completion, {lost} acknowledged commits were lost"
        );
    }
}
