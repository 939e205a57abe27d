//! The workflow control-flow patterns: a flow for each in `examples/patterns`, and what it is to do in the test file of
//! the same name beside it, as `statewright test` reads it (`docs/TESTING.md`).
//!
//! A test is run straight, with a power cut and recovery after every event, which must come to the same end, and, if
//! it has no script, in many random orders, with power cuts now and then; the orders of completion that it lists must
//! all come up.

mod knhk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use statewright_flow::net::Net;
use statewright_flow::testing::{FlowTest, Plan, TestFile};

use super::{Report, Suite, files, read};
pub use knhk::SUITE as KNHK;

/// The workflow control-flow patterns of the Workflow Patterns initiative.
pub const SUITE: Suite = Suite {
    name: "patterns",
    about: "the 43 workflow control-flow patterns (Russell, ter Hofstede, van der Aalst, Mulyar 2006), a flow or more \
            for each in `examples/patterns`; the expectations are of this project",
    judged: "a flow is run straight, with a power cut and recovery after every event, and in random orders \
             (1,000 with `cargo xtask conformance`, fewer in `cargo test`); what completes in which order, what is \
             offered at a moment, the tokens and the status at the end must be as its file says, and nothing may complete twice",
    cases: 43,
    run,
};

fn run(_: &Path, report: &mut Report) -> Result<()> {
    let mut of_pattern: BTreeMap<u64, Vec<PathBuf>> = (1..=43).map(|p| (p, Vec::new())).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/patterns");
    for spec in files(&folder, "yaml")? {
        let name = name(&spec);
        let number = name.split('-').next().and_then(|n| n.parse().ok());
        let number: u64 = number.with_context(|| format!("{name} has no number"))?;
        of_pattern.entry(number).or_default().push(spec);
    }
    for (pattern, specs) in of_pattern {
        let first = specs.first().map_or_else(String::new, |spec| name(spec));
        let mut missing = specs.is_empty().then(|| "it has no flow yet".to_owned());
        let mut wrong = None;
        for spec in &specs {
            let source = String::from_utf8(read(spec)?)?;
            let dir = spec.parent().and_then(Path::to_str);
            if let Err(problems) = Net::compile(&source, dir) {
                let why = problems.iter().map(ToString::to_string);
                missing = Some(format!(
                    "its flow is refused: {}",
                    why.collect::<Vec<_>>().join("; ")
                ));
                continue;
            }
            let file = test_file(spec)?;
            ensure!(
                file.pattern == Some(pattern),
                "{} is about another pattern",
                name(spec)
            );
            for test in file.tests(&source, dir, &[]) {
                if let Err(why) = judge(&test, report.effort) {
                    wrong.get_or_insert(format!("{}: {why}", name(spec)));
                }
            }
        }
        match (wrong, missing) {
            (Some(why), _) => report.case(first, Err(why)),
            (None, Some(why)) => report.skip(format!("{pattern} {first}"), why),
            (None, None) => report.case(first, Ok(())),
        }
    }
    Ok(())
}

/// The test file beside a flow.
fn test_file(spec: &Path) -> Result<TestFile> {
    let file = String::from_utf8(read(&spec.with_extension("test.toml"))?)?;
    TestFile::read(&file).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}: {}", name(spec), problems.join("; "))
    })
}

fn name(spec: &Path) -> String {
    let name = spec.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Runs one test in all ways.
fn judge(test: &FlowTest, orders: usize) -> Result<(), String> {
    let plan = Plan {
        runs: orders as u64,
        ..Plan::default()
    };
    let summary = test.run(&plan).map_err(|failed| failed.to_string())?;
    // What may come up does, in enough orders.
    let missing = |trace: &&Vec<String>| !summary.orders.contains(*trace);
    match test.traces().iter().find(missing) {
        Some(trace) if orders >= 500 && !test.is_script() => {
            Err(format!("{}: never {}", test.name(), trace.join(" ")))
        }
        _ => Ok(()),
    }
}
