//! The crash test of the log as a program: `cargo run -p statewright-tests --bin crash`.
//!
//! Prints what was tried and found, and exits with 1 if a promise was broken. The same arguments give the same run.

use std::process::ExitCode;

use serde_json::{Value, json};
use statewright_tests::crash::{Plan, Report, Violation, crash};
use statewright_tests::ledger::Ledger;

const USAGE: &str = "\
usage: crash [--json] [--seed N] [--random N] [--images N] [--nested N] [--depth N] [--scenario NAME] [--at PLACE]
             [--ledger FILE]

  --json           print one JSON object
  --seed N         decides the random scenarios and all damage (1)
  --random N       random scenarios besides the scripted ones (20)
  --images N       damaged disks per moment of a scenario (32)
  --nested N       damaged disks per moment of a recovery (3)
  --depth N        how many recoveries deep to crash, with 1 for none (3)
  --scenario NAME  only this scenario
  --at PLACE       only this moment and image, as printed with a violation
  --ledger FILE    put the report at the end of this file, as one line of JSON
";

fn main() -> ExitCode {
    let (ledger, arguments) = Ledger::take(std::env::args().skip(1));
    let (plan, json) = match parse(arguments.into_iter()) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let report = crash(&plan);
    let object = as_json(&plan, &report);
    ledger.note("crash", &object);
    if json {
        println!("{object}");
    } else {
        print(&plan, &report);
    }
    let partly = plan.at.is_some() || plan.until.is_some();
    let missed = !partly && report.boundaries != report.changes;
    if missed {
        eprintln!("not every change was a boundary that was tested");
    }
    ExitCode::from(u8::from(report.violations > 0 || missed))
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<(Plan, bool), String> {
    let (mut plan, mut json) = (Plan::default(), false);
    while let Some(arg) = args.next() {
        if arg == "--json" {
            json = true;
            continue;
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{arg} needs a value, or is not known"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|e| format!("{arg} {value}: {e}"))
        };
        match arg.as_str() {
            "--seed" => plan.seed = number()?,
            "--random" => plan.random = number()?,
            "--images" => plan.images = number()?.max(1) as usize,
            "--nested" => plan.nested_images = number()?.max(1) as usize,
            "--depth" => plan.depth = number()?.max(1) as usize,
            "--scenario" => plan.only = Some(value),
            "--at" => plan.at = Some(value.parse()?),
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok((plan, json))
}

fn as_json(plan: &Plan, report: &Report) -> Value {
    let mut object = json!({
        "scenarios": report.scenarios,
        "changes": report.changes,
        "boundaries": report.boundaries,
        "recovery_boundaries": report.recovery_boundaries,
        "images": report.images,
        "violations": report.violations,
        "seed": plan.seed,
    });
    if let (Some(first), Some(object)) = (&report.first, object.as_object_mut()) {
        let first = json!({
            "scenario": first.scenario,
            "at": first.place.to_string(),
            "moments": moments(first),
            "problem": first.problem,
            "again": again(plan, first),
        });
        object.insert("first_violation".to_owned(), first);
    }
    object
}

fn print(plan: &Plan, report: &Report) {
    println!("scenarios            {:>9}", report.scenarios);
    println!("changes              {:>9}", report.changes);
    println!("boundaries tested    {:>9}", report.boundaries);
    println!("  of recoveries      {:>9}", report.recovery_boundaries);
    println!("images               {:>9}", report.images);
    println!("violations           {:>9}", report.violations);
    if let Some(first) = &report.first {
        println!("\nfirst violation: {}", first.problem);
        println!("in the scenario: {}", first.scenario);
        for moment in moments(first) {
            println!("the power went {moment}");
        }
        println!("run it again:    {}", again(plan, first));
    }
}

/// In words, when the power went.
fn moments(violation: &Violation) -> Vec<String> {
    let describe = |(change, image): &(_, statewright_log::sim::Image)| {
        let statewright_log::sim::Change { boundary, op, path } = change;
        let damage = image.damage;
        format!(
            "before change {boundary} ({op:?} {}), damage {damage:?}, seed {}",
            path.display(),
            image.seed
        )
    };
    violation.moments.iter().map(describe).collect()
}

/// The command that does it again.
fn again(plan: &Plan, violation: &Violation) -> String {
    let Plan {
        seed,
        random,
        images,
        nested_images,
        ..
    } = plan;
    let depth = violation.place.0.len().max(1);
    let mut command = format!(
        "cargo run -p statewright-tests --bin crash -- --seed {seed} --random {random} --images {images} \
         --nested {nested_images} --depth {depth} --scenario '{}'",
        violation.scenario
    );
    if !violation.place.0.is_empty() {
        command.push_str(&format!(" --at {}", violation.place));
    }
    command
}
