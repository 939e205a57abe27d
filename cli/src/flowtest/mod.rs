//! `statewright test`: flows against what is expected of them, in a simulated world.

use std::path::{Path, PathBuf};

use statewright::flow::testing::{Failed, FlowTest, Plan, Summary, TestFile};
use statewright::{Value, value};

use crate::args::Test;
use crate::console::{BAD, BOLD, DIM, GOOD, Out};
use crate::exit::{Exit, Failure, Result};
use crate::input;

pub fn run(options: &Test) -> Result<Exit> {
    let mut out = Out::new();
    let mut exit = Exit::Done;
    for path in &options.files {
        let ended = match file(path, options, &mut out) {
            Ok(ended) => ended,
            Err(failure) => {
                // The other files are run all the same.
                out.flush()?;
                failure.report(options.json);
                failure.exit
            }
        };
        if exit == Exit::Done {
            exit = ended;
        }
    }
    out.flush()?;
    Ok(exit)
}

fn file(path: &Path, options: &Test, out: &mut Out) -> Result<Exit> {
    let text = input::spec(path)?;
    let tests = TestFile::read(&text.source).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|p| format!("{}:{p}", path.display()))
            .collect();
        Failure::new(Exit::Usage, 507, lines.join("\n"))
    })?;
    let beside = |name: &str| {
        path.parent()
            .map_or_else(|| name.into(), |dir| dir.join(name))
    };
    let flow = match &tests.flow {
        Some(name) => beside(name),
        None => flow_of(path)?,
    };
    let spec = input::spec(&flow)?;
    let with: Result<Vec<String>> = tests
        .with
        .iter()
        .map(|name| Ok(input::spec(&beside(name))?.source))
        .collect();
    let all = tests.tests(&spec.source, spec.dir.as_deref(), &with?);
    let chosen = |test: &&FlowTest| {
        options
            .only
            .as_deref()
            .is_none_or(|only| test.name() == only)
    };
    let chosen: Vec<&FlowTest> = all.iter().filter(chosen).collect();
    if let (true, Some(only)) = (chosen.is_empty(), &options.only) {
        let names: Vec<&str> = all.iter().map(FlowTest::name).collect();
        let names = names.join("', '");
        let message = format!("{} has no test '{only}'; it has '{names}'", path.display());
        return Err(Failure::new(Exit::Usage, 507, message));
    }
    let plan = Plan {
        runs: options.runs,
        seed: options.seed,
        power_cuts: !options.no_power_cuts,
        ..Plan::default()
    };
    let (mut runs, mut failed) = (0_u64, 0_u64);
    for test in &chosen {
        let result = test.run(&plan);
        if options.json {
            out.line(to_value(path, test.name(), &result).to_json())?;
        }
        match result {
            Ok(summary) => runs = runs.saturating_add(summary.runs),
            Err(why) => {
                failed = failed.saturating_add(1);
                if !options.json {
                    out.line(for_people(path, &why))?;
                }
            }
        }
    }
    if !options.json {
        out.line(end(path, chosen.len(), failed, runs))?;
    }
    Ok(if failed > 0 { Exit::No } else { Exit::Done })
}

/// `order.yaml` for `order.test.yaml`, in whatever form it is there.
fn flow_of(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let stem = name
        .as_deref()
        .and_then(|name| Some(name.rsplit_once(".test.")?.0));
    let found = stem.and_then(|stem| {
        let forms = ["yaml", "yml", "json", "toml"].into_iter();
        let mut files = forms.map(|form| path.with_file_name(format!("{stem}.{form}")));
        files.find(|file| file.is_file())
    });
    found.ok_or_else(|| {
        let message = format!(
            "{}: there is no flow of the same name beside it; say which it is with `flow: FILE`",
            path.display()
        );
        Failure::new(Exit::Usage, 507, message)
    })
}

fn end(path: &Path, tests: usize, failed: u64, runs: u64) -> String {
    let path = path.display();
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let tests = u64::try_from(tests).unwrap_or(u64::MAX);
    match failed {
        0 => {
            let s = plural(tests);
            format!("{path}: {GOOD}{tests} test{s} passed{GOOD:#}, {runs} runs")
        }
        _ => format!(
            "{path}: {BAD}{failed} of {tests} test{} failed{BAD:#}",
            plural(tests)
        ),
    }
}

fn for_people(path: &Path, failed: &Failed) -> String {
    let again = again(path, failed);
    format!(
        "{BOLD}{}:{BOLD:#} {failed}\n  {DIM}again:{DIM:#} {again}",
        path.display()
    )
}

/// The command that runs it again.
fn again(path: &Path, failed: &Failed) -> String {
    let quoted = failed.test.replace('\'', "'\\''");
    let order = match failed.seed() {
        Some(seed) => format!(" --seed {seed} --runs 1"),
        None => " --runs 0".to_owned(),
    };
    format!(
        "statewright test {} --only '{quoted}'{order}",
        path.display()
    )
}

fn to_value(path: &Path, test: &str, result: &std::result::Result<Summary, Box<Failed>>) -> Value {
    let file = path.display().to_string();
    match result {
        Ok(summary) => value!({
            "file": file,
            "test": test,
            "passed": true,
            "runs": (summary.runs),
            "events": (summary.events),
            "orders": (u64::try_from(summary.orders.len()).unwrap_or(u64::MAX)),
        }),
        Err(failed) => value!({
            "file": file,
            "test": test,
            "passed": false,
            "failed": (failed.to_value()),
            "again": (again(path, failed)),
        }),
    }
}
