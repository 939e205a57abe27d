//! `statewright replay`: a recorded case, or the steps of a finding, done again.

use std::path::{Path, PathBuf};

use clap::Args;
use statewright::flow::analysis::walk;
use statewright::flow::net::Net;
use statewright::{Value, value};

use crate::args::StoreFolder;
use crate::console::{BAD, BOLD, DIM, GOOD, Out, one_line};
use crate::exit::{Exit, Result};
use crate::{check, input, store};

#[derive(Args)]
#[command(after_help = "\
A case is done again from its start with the results, failures, signals and times that are recorded, and compared \
commit \
by commit; nothing is changed. With --with, it is done on another version.

The steps of a finding are those that `check` shows after \"for example:\", separated by semicolons; choices that data \
makes are free.

Exit codes: 0 the same, or all steps were taken · 1 it comes out otherwise · 3 the flow was refused")]
pub struct Replay {
    /// The case
    #[arg(required_unless_present = "steps", conflicts_with = "steps")]
    pub case: Option<String>,
    /// Do it on this flow: a YAML, JSON or TOML file, or - for stdin
    #[arg(long, value_name = "SPEC")]
    pub with: Option<PathBuf>,
    /// Take these steps of a finding, on the flow given by --with
    #[arg(long, value_name = "STEPS", requires = "with")]
    pub steps: Option<String>,
    /// Take them on this flow under `flows`
    #[arg(long, value_name = "NAME", requires = "steps")]
    pub flow: Option<String>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(options: &Replay) -> Result<Exit> {
    let spec = match &options.with {
        None => None,
        Some(path) => {
            let spec = input::spec(path)?;
            check::refuse(path, &spec.source, options.json)?;
            Some((path, spec))
        }
    };
    if let (Some(steps), Some((path, spec))) = (&options.steps, &spec) {
        return witness(path, &spec.source, steps, options);
    }
    let engine = store::open_quietly(&options.store)?;
    let case = options.case.as_deref().unwrap_or_default();
    let with = spec
        .as_ref()
        .map(|(_, spec)| (&*spec.source, spec.dir.as_deref()));
    let replayed = engine.replay_case(case, with)?;
    engine.close()?;
    let mut out = Out::new();
    let list = |texts: &[String]| {
        texts
            .iter()
            .map(|t| Value::from(t.as_str()))
            .collect::<Value>()
    };
    if options.json {
        let difference = replayed.difference.as_ref().map(|d| {
            value!({
                "seq": (d.seq), "what": (d.what), "recorded": (list(&d.recorded)), "found": (list(&d.found)),
            })
        });
        out.line(value!({
            "case": case, "version": (replayed.version), "events": (replayed.events),
            "same": (replayed.difference.is_none()), "difference": (difference.unwrap_or_default()),
        }))?;
    } else {
        let (events, version) = (replayed.events, replayed.version);
        match &replayed.difference {
            None => out.line(format!(
                "{BOLD}{case}{BOLD:#}  {events} events on version {version}: {GOOD}the same{GOOD:#}"
            ))?,
            Some(d) => {
                let differ = format!("{BAD}from event {} on, {} differ{BAD:#}", d.seq, d.what);
                out.line(format!(
                    "{BOLD}{case}{BOLD:#}  {events} events on version {version} the same; {differ}"
                ))?;
                out.line(format!(
                    "  {DIM}recorded{DIM:#} {}",
                    one_line(&d.recorded.join(", "))
                ))?;
                out.line(format!(
                    "  {DIM}found   {DIM:#} {}",
                    one_line(&d.found.join(", "))
                ))?;
            }
        }
    }
    out.flush()?;
    Ok(if replayed.difference.is_none() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Takes the steps of a finding, and shows where they lead.
fn witness(path: &Path, source: &str, steps: &str, options: &Replay) -> Result<Exit> {
    // It was checked.
    let net = Net::compile(source, None).map_err(|problems| {
        statewright::Error::from(statewright::flow::Error::InvalidSpec { problems })
    })?;
    let below = options
        .flow
        .as_ref()
        .map(|name| net.flows.get(name).cloned());
    let net = match below {
        None => std::sync::Arc::new(net),
        Some(Some(below)) => below,
        Some(None) => {
            let name = options.flow.as_deref().unwrap_or_default();
            let flow = format!("{}: no flow '{name}' under `flows`", path.display());
            return Err(crate::exit::Failure::new(Exit::Usage, 507, flow));
        }
    };
    let steps: Vec<String> = steps.split(';').map(|s| s.trim().to_owned()).collect();
    let walk = walk(net.skeleton(), &steps);
    let mut out = Out::new();
    let tokens = |places: &[(String, u32)]| {
        let show = |(place, n): &(String, u32)| match n {
            1 => place.clone(),
            n => format!("{place} ({n})"),
        };
        places.iter().map(show).collect::<Vec<String>>().join(", ")
    };
    for (step, state) in steps.iter().zip(&walk.states) {
        let (places, runs) = (&state.tokens, &state.running);
        if options.json {
            let runs: Value = runs.iter().map(|t| Value::from(t.as_str())).collect();
            let mut marked = Value::object();
            for (place, n) in places {
                // No place is in it twice.
                let _ = marked.insert(place.as_str(), Value::from(*n));
            }
            out.line(value!({"step": (step.as_str()), "tokens": marked, "running": runs}))?;
        } else {
            let runs = match runs.is_empty() {
                true => String::new(),
                false => format!("; at work: {}", runs.join(", ")),
            };
            out.line(format!(
                "{BOLD}{step}{BOLD:#}  {DIM}tokens:{DIM:#} {}{runs}",
                tokens(places)
            ))?;
        }
    }
    if !options.json {
        let next = match walk.next.is_empty() {
            true => "nothing can happen next".to_owned(),
            false => format!("next could be: {}", walk.next.join("; ")),
        };
        if let Some(step) = &walk.stopped {
            out.line(format!("{BAD}{step}{BAD:#} cannot happen here"))?;
        }
        out.line(next)?;
    }
    out.flush()?;
    Ok(if walk.stopped.is_none() {
        Exit::Done
    } else {
        Exit::No
    })
}
