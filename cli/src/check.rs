//! `statewright check`: everything that is wrong with flows, each with its place.

use std::path::Path;

use anstyle::Style;
use statewright::flow::analysis::{Budget, Verdict, Verification};
use statewright::flow::{Problem, Severity, spec_schema};
use statewright::{Engine, Value, value};

use crate::args::Check;
use crate::console::{self, BAD, BOLD, DIM, GOOD, Out, WARN, one_line};
use crate::exit::{Exit, Failure, Result};
use crate::input;

pub fn check(options: &Check) -> Result<Exit> {
    let mut out = Out::new();
    if options.schema {
        out.line(spec_schema().to_json_pretty())?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for path in &options.specs {
        let spec = match input::spec(path) {
            Ok(spec) => spec,
            Err(failure) => {
                // The other files are looked at all the same.
                out.flush()?;
                failure.report(options.json);
                exit = failure.exit;
                continue;
            }
        };
        let problems = Engine::check(&spec.source);
        for problem in &problems {
            out.line(if options.json {
                to_value(path, problem).to_json()
            } else {
                for_people(path, problem)
            })?;
        }
        if input::errors(&problems) > 0 && exit == Exit::Done {
            exit = Exit::SpecRefused;
        }
        if input::errors(&problems) == 0 {
            verify(&mut out, path, &spec.source, &problems, options.json)?;
        }
    }
    out.flush()?;
    Ok(exit)
}

/// Tells what the nets of a flow can do, and what was decided.
fn verify(out: &mut Out, path: &Path, source: &str, known: &[Problem], json: bool) -> Result<()> {
    let nets = Engine::verify(source, Budget::default()).unwrap_or_default();
    let (mut verdicts, mut worst) = (Vec::new(), rank(Verdict::Sound));
    for net in &nets {
        // The quick look of the check itself says more about a plain join that can wait for ever.
        let told = |p: &&Problem| !known.iter().any(|k| k.code == p.code);
        for problem in net.problems.iter().filter(told) {
            out.line(if json {
                to_value(path, problem).to_json()
            } else {
                for_people(path, problem)
            })?;
        }
        let of = &net.verification;
        if json {
            out.line(verdict(path, &net.flow, of).to_json())?;
        }
        let limits: String = of.limits.iter().map(|limit| format!("; {limit}")).collect();
        let name = match nets.len() {
            1 => String::new(),
            _ => format!("{} ", net.flow),
        };
        worst = match rank(of.verdict) {
            next if next.0 > worst.0 => next,
            _ => worst,
        };
        verdicts.push(format!(
            "{name}{}{limits}",
            of.verdict.name().replace('-', " ")
        ));
    }
    if !json {
        let verdicts = verdicts.join(", ");
        let path = path.display();
        let (style, word) = match worst.1 {
            Verdict::NotSound => (WARN, "accepted"),
            _ => (GOOD, "ok"),
        };
        out.line(format!(
            "{path}: {style}{word}{style:#} ({}: {})",
            one_line(&verdicts),
            worst.1.meaning(),
        ))?;
    }
    Ok(())
}

/// Verdicts from the best to the worst.
fn rank(verdict: Verdict) -> (u8, Verdict) {
    let rank = match verdict {
        Verdict::Sound => 0,
        Verdict::WeaklySound => 1,
        Verdict::Undecided => 2,
        Verdict::NotSound => 3,
    };
    (rank, verdict)
}

/// A verdict for programs.
fn verdict(path: &Path, flow: &str, of: &Verification) -> Value {
    let findings = of.findings.iter().map(|finding| {
        let trace = finding.trace.iter().map(|e| Value::from(e.to_string()));
        let about = finding.about.iter().map(|name| Value::from(name.as_str()));
        value!({
            "code": (finding.kind.code()),
            "about": (about.collect::<Value>()),
            "message": (finding.message.as_str()),
            "trace": (trace.collect::<Value>()),
        })
    });
    let limits = of.limits.iter().map(|limit| Value::from(limit.as_str()));
    value!({
        "file": (path.display().to_string()),
        "flow": flow,
        "verdict": (of.verdict.name()),
        "method": (of.method.name()),
        "states": (of.states),
        "budget": {"states": (of.budget.states), "steps": (of.budget.steps)},
        "findings": (findings.collect::<Value>()),
        "limits": (limits.collect::<Value>()),
    })
}

/// Refuses a flow with errors before anything is done with it. The problems are shown as `check` shows them, but on
/// stderr, where diagnostics of a run belong; for programs they are on stdout.
pub fn refuse(path: &Path, source: &str, json: bool) -> Result<()> {
    use std::io::Write;
    let problems = Engine::check(source);
    let mut out = Out::new();
    for problem in &problems {
        if json {
            out.line(to_value(path, problem))?;
        } else {
            // Without a stderr there is nobody to tell.
            let _ = writeln!(console::stderr(), "{}", for_people(path, problem));
        }
    }
    out.flush()?;
    match input::errors(&problems) {
        0 => Ok(()),
        errors => {
            let what = if errors == 1 {
                "1 error".to_owned()
            } else {
                format!("{errors} errors")
            };
            let message = format!(
                "{} has {what} and was refused; nothing was run",
                path.display()
            );
            Err(Failure::new(Exit::SpecRefused, 500, message))
        }
    }
}

fn severity(problem: &Problem) -> (&'static str, Style) {
    match problem.severity {
        Severity::Error => ("error", BAD),
        Severity::Warning => ("warning", WARN),
    }
}

/// `file:line:column: error[code]: message`, and the help on a line of its own.
fn for_people(path: &Path, problem: &Problem) -> String {
    let Problem {
        line,
        column,
        code,
        message,
        help,
        ..
    } = problem;
    let (severity, style) = severity(problem);
    let message = one_line(message);
    let mut text = format!(
        "{BOLD}{}:{line}:{column}:{BOLD:#} {style}{severity}[{code}]{style:#}: {message}",
        path.display()
    );
    if !help.is_empty() {
        text.push_str(&format!("\n  {DIM}help:{DIM:#} {}", one_line(help)));
    }
    text
}

fn to_value(path: &Path, problem: &Problem) -> Value {
    let Problem {
        line,
        column,
        code,
        message,
        help,
        ..
    } = problem;
    value!({
        "file": (path.display().to_string()),
        "line": (*line),
        "column": (*column),
        "severity": (severity(problem).0),
        "code": (*code),
        "message": (message.as_str()),
        "help": (help.as_str()),
    })
}
