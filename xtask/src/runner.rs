//! Runs a list of steps: toolchains first, then every step, failed or not, then the table.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::report::{self, Outcome};
use crate::session::Session;
use crate::steps::Step;
use crate::workspace::Workspace;

const EXIT_MISSING_TOOL: u8 = 3;

#[derive(Args)]
pub struct Options {
    /// Run only these steps; `examples` stands for all of `examples-…`
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Show the output of every program as it comes
    #[arg(long, short)]
    verbose: bool,
    /// Print one JSON object on standard output instead of the table
    #[arg(long)]
    json: bool,
    /// Print the steps and what each does, and run nothing
    #[arg(long)]
    list: bool,
}

pub fn run(workspace: &Workspace, options: &Options, steps: &[Step]) -> Result<ExitCode> {
    let steps = select(steps, &options.only)?;
    if options.list {
        steps
            .iter()
            .for_each(|step| println!("{:16}{}", step.name, step.about));
        return Ok(ExitCode::SUCCESS);
    }
    if !toolchains_present(&steps) {
        return Ok(ExitCode::from(EXIT_MISSING_TOOL));
    }
    let outcomes: Vec<Outcome> = steps
        .iter()
        .map(|step| run_step(workspace, step, options.verbose))
        .collect();
    if options.json {
        println!("{}", report::json(&outcomes));
    } else {
        println!(
            "\n{}\n{}",
            report::table(&outcomes),
            report::closing_line(report::total(&outcomes))
        );
    }
    let failed = outcomes.iter().any(|outcome| outcome.error.is_some());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn select(steps: &[Step], only: &[String]) -> Result<Vec<Step>> {
    let chosen =
        |step: &Step, name: &str| step.name == name || step.name.starts_with(&format!("{name}-"));
    for name in only {
        if !steps.iter().any(|step| chosen(step, name)) {
            let names: Vec<_> = steps.iter().map(|step| step.name).collect();
            bail!(
                "there is no step `{name}`; the steps are {}",
                names.join(", ")
            );
        }
    }
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| chosen(step, name));
    Ok(steps.iter().filter(wanted).copied().collect())
}

/// One line for each missing tool; all of them, so that one installation is enough.
fn toolchains_present(steps: &[Step]) -> bool {
    let mut seen = Vec::new();
    let mut complete = true;
    for tool in steps.iter().flat_map(|step| step.tools) {
        if seen.contains(&tool) {
            continue;
        }
        seen.push(tool);
        if let Some(missing) = tool.missing() {
            eprintln!("{missing}");
            complete = false;
        }
    }
    complete
}

fn run_step(workspace: &Workspace, step: &Step, verbose: bool) -> Outcome {
    let start = Instant::now();
    announce(&format!("{:16}{} …", step.name, step.about), verbose);
    let mut session = match Session::new(workspace, step.name, verbose) {
        Ok(session) => session,
        Err(error) => return failed(step, start, format!("{error:#}")),
    };
    let result = (step.run)(&mut session);
    let outcome = match result {
        Ok(()) => Outcome {
            step: step.name,
            counts: session.counts,
            error: None,
            time: start.elapsed(),
        },
        Err(error) => {
            let counts = session.counts;
            // The log may be the only trace of it later.
            let _ = session.note(&format!("error: {error:#}"));
            Outcome {
                counts,
                ..failed(step, start, format!("{error:#}"))
            }
        }
    };
    finish(&session, &outcome, verbose);
    outcome
}

fn failed(step: &Step, start: Instant, error: String) -> Outcome {
    Outcome {
        step: step.name,
        counts: Default::default(),
        error: Some(error),
        time: start.elapsed(),
    }
}

/// Progress goes to standard error, so that `--json` has standard output for itself.
fn announce(line: &str, verbose: bool) {
    let mut stderr = io::stderr();
    // On a terminal the result replaces this line; progress that cannot be shown is no reason to stop.
    let _ = if stderr.is_terminal() && !verbose {
        write!(stderr, "{line}")
    } else {
        writeln!(stderr, "{line}")
    };
    let _ = stderr.flush();
}

fn finish(session: &Session<'_>, outcome: &Outcome, verbose: bool) {
    let clear = if io::stderr().is_terminal() && !verbose {
        "\r\x1b[2K"
    } else {
        ""
    };
    let seconds = outcome.time.as_secs_f64();
    let Some(error) = &outcome.error else {
        eprintln!("{clear}{:16}ok, {seconds:.1} s", outcome.step);
        return;
    };
    eprintln!("{clear}{:16}FAILED, {seconds:.1} s", outcome.step);
    session.show_failure(error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{CHECKS, TESTS};

    fn names(steps: &[Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn only_takes_a_name_or_a_family() {
        let only = |names: &[&str]| {
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&select(TESTS, &only(&["go"])).unwrap()), ["go"]);
        let examples = select(TESTS, &only(&["examples"])).unwrap();
        assert!(
            examples.len() >= 6
                && examples
                    .iter()
                    .all(|step| step.name.starts_with("examples-"))
        );
        assert_eq!(select(TESTS, &[]).unwrap().len(), TESTS.len());
        let error = select(TESTS, &only(&["golang"]))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            error.starts_with("there is no step `golang`; the steps are rust, "),
            "{error}"
        );
    }

    #[test]
    fn step_names_are_unique() {
        let mut all = names(&[CHECKS, TESTS].concat());
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
