//! Plants bugs and sees whether they are found: `cargo run -p statewright-tests --features sabotage --bin sabotage`.
//!
//! Prints one line for each, and exits with 1 if one was not found in time, or if something is found without any.

use std::process::ExitCode;

use serde_json::{Value, json};
use statewright_log::{Env, sabotage};
use statewright_tests::ledger::Ledger;
use statewright_tests::sabotage::{PLANTS, Plant, Tool, look};

const USAGE: &str = "\
usage: sabotage [--json] [--bug NAME] [--ledger FILE]

  --json      print one JSON object
  --bug NAME  only this one
  --ledger FILE
              put the report at the end of this file, as one line of JSON
";

fn main() -> ExitCode {
    let (mut json, mut only) = (false, None);
    let (ledger, arguments) = Ledger::take(std::env::args().skip(1));
    let mut args = arguments.into_iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.size_hint()) {
            ("--json", _) => json = true,
            ("--bug", (1.., _)) => only = args.next(),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let clock = Env::real().clock;
    let start = clock.monotonic();
    let chosen = |plant: &&Plant| only.as_ref().is_none_or(|only| name(plant) == *only);
    let mut rows: Vec<Value> = PLANTS.iter().filter(chosen).map(row).collect();
    sabotage::plant(None);
    if only.is_none() {
        rows.extend([Tool::Sim, Tool::Flows(&[]), Tool::Crash].map(without_bug));
    }
    let good = rows.iter().all(|row| row.get("good") == Some(&json!(true)));
    let seconds = clock.monotonic().saturating_sub(start).as_secs();
    let found = rows
        .iter()
        .filter(|row| row.get("found") == Some(&json!(true)));
    let report = json!({
        "bugs": PLANTS.len(), "found": found.count(), "good": good, "seconds": seconds, "rows": rows
    });
    ledger.note("sabotage", &report);
    if json {
        println!("{report}");
    } else {
        rows.iter().for_each(print);
    }
    ExitCode::from(u8::from(!good))
}

fn name(plant: &Plant) -> String {
    format!("{:?}", plant.bug)
}

fn tool(tool: Tool) -> &'static str {
    match tool {
        Tool::Sim => "sim",
        Tool::Flows(_) => "flows",
        Tool::Crash => "crash",
    }
}

fn unit(tool: Tool) -> &'static str {
    match tool {
        Tool::Sim | Tool::Flows(_) => "seeds",
        Tool::Crash => "images",
    }
}

fn row(plant: &Plant) -> Value {
    sabotage::plant(Some(plant.bug));
    let found = look(plant);
    let problem = found
        .as_ref()
        .map(|found| found.problem.lines().next().unwrap_or_default());
    let problem = problem.map(|problem| problem.chars().take(160).collect::<String>());
    json!({
        "bug": name(plant),
        "by": tool(plant.by),
        "unit": unit(plant.by),
        "within": plant.within,
        "found": found.is_some(),
        "after": found.as_ref().map(|found| found.after),
        "problem": problem,
        "good": found.is_some(),
    })
}

/// The same tools on the library as it is find nothing.
fn without_bug(by: Tool) -> Value {
    let within = match by {
        Tool::Sim => 100,
        Tool::Flows(_) => 40,
        Tool::Crash => 2000,
    };
    let bug = sabotage::Bug::SkipSync; // not planted
    let found = look(&Plant { bug, by, within });
    json!({
        "bug": "none",
        "by": tool(by),
        "unit": unit(by),
        "within": within,
        "found": found.is_some(),
        "after": found.as_ref().map(|found| found.after),
        "problem": found.as_ref().map(|found| found.problem.clone()),
        "good": found.is_none(),
    })
}

fn print(row: &Value) {
    let text = |key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let verdict = if row.get("good") == Some(&json!(true)) {
        "ok"
    } else {
        "MISSED"
    };
    println!(
        "{verdict:7}{:20}{:6}after {:>6} of {:>6} {:7}{}",
        text("bug"),
        text("by"),
        text("after"),
        text("within"),
        text("unit"),
        text("problem")
    );
}
