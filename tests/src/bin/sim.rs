//! The simulation of the store as a program: `cargo run -p statewright-tests --bin sim`.
//!
//! Prints what was tried and found, and exits with 1 if a seed failed. The same seeds give the same run.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};
use statewright_log::Env;
use statewright_tests::ledger::Ledger;
use statewright_tests::sim::{FaultKind, Options, Total, run};

const USAGE: &str = "\
usage: sim [--json] [--flows] [--seeds A..B] [--seed N] [--steps N] [--repeat N] [--minutes N] [--ledger FILE]

  --json        print one JSON object
  --flows       cases of flows and faults alone, without other clients
  --seeds A..B  the seeds from A up to B, B not included (0..300)
  --seed N      only this one, and print every step to standard error
  --steps N     stop each seed after so many steps (as many as the seed says)
  --repeat N    run every N-th seed twice and compare the two runs (25; 0 for never)
  --minutes N   stop after so much time, with fewer seeds (never)
  --ledger FILE put the report at the end of this file, as one line of JSON
";

struct Plan {
    seeds: std::ops::Range<u64>,
    one: Option<u64>,
    options: Options,
    repeat: u64,
    minutes: u64,
    json: bool,
    ledger: Ledger,
}

fn main() -> ExitCode {
    let (ledger, arguments) = Ledger::take(std::env::args().skip(1));
    let plan = match parse(arguments.into_iter()) {
        Ok(plan) => Plan { ledger, ..plan },
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let failed = match plan.one {
        Some(seed) => replay(&plan, seed),
        None => all(&plan),
    };
    ExitCode::from(u8::from(failed))
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        seeds: 0..300,
        one: None,
        options: Options::default(),
        repeat: 25,
        minutes: 0,
        json: false,
        ledger: Ledger::default(),
    };
    while let Some(arg) = args.next() {
        if arg == "--json" {
            plan.json = true;
            continue;
        }
        if arg == "--flows" {
            plan.options.flows = Some(&[]);
            continue;
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{arg} needs a value, or is not known"))?;
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|e| format!("{arg} {value}: {e}"))
        };
        match arg.as_str() {
            "--seeds" => {
                let (from, to) = value
                    .split_once("..")
                    .ok_or_else(|| format!("--seeds {value}: write A..B, as in 0..1000"))?;
                plan.seeds = number(from)?..number(to)?;
            }
            "--seed" => plan.one = Some(number(&value)?),
            "--steps" => plan.options.steps = number(&value)?,
            "--repeat" => plan.repeat = number(&value)?,
            "--minutes" => plan.minutes = number(&value)?,
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(plan)
}

/// Runs one seed, step by step for the reader.
fn replay(plan: &Plan, seed: u64) -> bool {
    let options = Options {
        verbose: true,
        ..plan.options
    };
    let outcome = run(seed, options);
    let violation = outcome.violation.clone();
    if plan.json {
        let hash = format!("{:016x}", outcome.hash);
        println!(
            "{}",
            json!({"seed": seed, "hash": hash, "violation": violation})
        );
    } else {
        println!("seed {seed}, hash {:016x}", outcome.hash);
        println!("{}", violation.as_deref().unwrap_or("nothing is wrong"));
    }
    violation.is_some()
}

fn all(plan: &Plan) -> bool {
    let clock = Env::real().clock;
    let (start, limit) = (clock.monotonic(), Duration::from_secs(60 * plan.minutes));
    let taken = || clock.monotonic().saturating_sub(start);
    let mut total = Total::default();
    for seed in plan.seeds.clone() {
        if plan.minutes > 0 && taken() > limit {
            break;
        }
        total.add(seed, plan.options, plan.repeat);
    }
    let mut report = report(&total, taken());
    if plan.ledger.is_kept() {
        let (from, to) = (
            plan.seeds.start,
            plan.seeds.start.saturating_add(total.seeds),
        );
        if let Some(report) = report.as_object_mut() {
            report.insert("from".into(), json!(from));
            report.insert("to".into(), json!(to));
        }
        plan.ledger.note("sim", &report);
    }
    if plan.json {
        println!("{report}");
    } else {
        print(&report);
    }
    !total.failures.is_empty()
}

fn report(total: &Total, taken: Duration) -> Value {
    let seconds = taken.as_secs_f64().max(0.001);
    let sum = &total.sum;
    let faults: Map<String, Value> = FaultKind::ALL
        .iter()
        .map(|kind| {
            (
                kind.name(),
                json!(sum.faults.get(kind).copied().unwrap_or(0)),
            )
        })
        .collect();
    let again = |seed: &u64| format!("cargo xtask sim --seed {seed}");
    let failures: Vec<Value> = total
        .failures
        .iter()
        .map(|(seed, problem)| json!({"seed": seed, "problem": problem, "again": again(seed)}))
        .collect();
    json!({
        "seeds": total.seeds,
        "failed": failures.len(),
        "run_twice": total.repeated,
        "steps": sum.steps,
        "transactions": sum.txns,
        "commits": sum.commits,
        "conflicts": sum.conflicts,
        "reads_compared": sum.reads,
        "checkpoints": sum.checkpoints,
        "recoveries": sum.recoveries,
        "simulated_hours": sum.seconds / 3600,
        "fault_kinds": FaultKind::ALL.len(),
        "fault_kinds_struck": sum.faults.len(),
        "faults": faults,
        "hash": format!("{:016x}", sum.hash),
        "seconds": (seconds * 10.0).round() / 10.0,
        "seeds_per_hour": (total.seeds as f64 * 3600.0 / seconds).round(),
        "failures": failures,
    })
}

fn print(report: &Value) {
    for (name, value) in report.as_object().into_iter().flatten() {
        match value {
            Value::Object(rows) => {
                println!("{name}");
                for (name, value) in rows {
                    println!("  {name:24}{value:>12}");
                }
            }
            Value::Array(rows) => {
                for row in rows {
                    let text = |key: &str| row.get(key).map(Value::to_string).unwrap_or_default();
                    let problem = row
                        .get("problem")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    println!(
                        "\nseed {}: {problem}\nagain: {}",
                        text("seed"),
                        text("again")
                    );
                }
            }
            value => println!("{name:26}{value:>12}"),
        }
    }
}
