//! The public suites as a program: `cargo run -p statewright-tests --bin conformance`.
//!
//! Prints what each suite gave, and exits with 1 if a case failed. Which cases are skipped is in the JSON and on
//! the page.
#![expect(
    clippy::disallowed_methods,
    reason = "it writes a page of the documentation"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;
use statewright_tests::conformance::{PAGE, Report, SUITES, Suite, page};

/// Random orders in which a flow is run, unless told otherwise.
const INTERLEAVINGS: usize = 1_000;

const USAGE: &str = "\
usage: conformance [--json] [--write] [--interleavings N] [suite …]

  --json    print one JSON object for each suite
  --write   write the page of the documentation from the results; all suites are run
  --interleavings N  in how many random orders each flow is run; 1000 unless told otherwise
";

fn main() -> ExitCode {
    let (mut json, mut write, mut wanted) = (false, false, Vec::new());
    let mut orders = Some(INTERLEAVINGS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--interleavings" => orders = arguments.next().and_then(|n| n.parse().ok()),
            "--json" => json = true,
            "--write" => write = true,
            name if SUITES.iter().any(|suite| suite.name == name) => wanted.push(argument),
            other => {
                eprintln!("{other} is no suite and no option\n\n{USAGE}\nsuites:");
                SUITES
                    .iter()
                    .for_each(|suite| eprintln!("  {}", suite.name));
                return ExitCode::from(2);
            }
        }
    }
    let Some(orders) = orders else {
        eprintln!("--interleavings needs a number\n\n{USAGE}");
        return ExitCode::from(2);
    };
    match run(json, write, orders, &wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(json: bool, write: bool, orders: usize, wanted: &[String]) -> Result<bool> {
    let mut results: Vec<(&Suite, Report)> = Vec::new();
    let all = write || wanted.is_empty();
    if !json {
        println!(
            "{:22}{:>8}{:>8}{:>8}",
            "suite", "passed", "failed", "skipped"
        );
    }
    for suite in SUITES
        .iter()
        .filter(|suite| all || wanted.iter().any(|name| name == suite.name))
    {
        let report = suite.run(orders)?;
        if json {
            println!("{}", as_json(suite, &report));
        } else {
            print(suite, &report);
        }
        results.push((suite, report));
    }
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
        std::fs::write(&path, page(&results))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(results.iter().all(|(_, report)| report.failures.is_empty()))
}

fn as_json(suite: &Suite, report: &Report) -> serde_json::Value {
    let list = |cases: &[(String, String)]| -> Vec<serde_json::Value> {
        let object = |(case, why): &(String, String)| json!({"case": case, "why": why});
        cases.iter().map(object).collect()
    };
    json!({
        "suite": suite.name,
        "passed": report.passed,
        "failed": report.failures.len(),
        "skipped": report.skips.len(),
        "failures": list(&report.failures),
        "skips": list(&report.skips),
    })
}

fn print(suite: &Suite, report: &Report) {
    let (failed, skipped) = (report.failures.len(), report.skips.len());
    println!(
        "{:22}{:>8}{failed:>8}{skipped:>8}",
        suite.name, report.passed
    );
    for (case, problem) in &report.failures {
        println!("  failed: {case}: {problem}");
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in &report.skips {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        println!("  {count} skipped: {reason}");
    }
}
