//! `statewright flows` and `migrate --plan`: the versions of flows, and what of their cases would fit another.

use std::path::PathBuf;

use clap::Args;
use statewright::flow::CasePlan;
use statewright::{Value, value};

use crate::args::StoreFolder;
use crate::console::{BAD, BOLD, DIM, GOOD, Out, one_line};
use crate::exit::{Exit, Result};
use crate::{check, input, store};

/// As much of a version's key as people need to tell two apart.
const SHORT_KEY: usize = 12;

#[derive(Args)]
#[command(after_help = "\
A case stays on the version on which it began; new ones run on the newest, which is the one that was deployed last. \
Two versions that state the same number and differ in content are two; KEY tells them apart.")]
pub struct FlowsOptions {
    /// Only this flow
    pub flow: Option<String>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line for each version
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Every open case of the flow that runs on another version is checked: whether each of its tokens has a place of the \
same name, and each piece of its work a task of the same name and kind. For a case that fits, what would happen at \
once is listed. Nothing is changed, and SPEC need not have been deployed. Moving cases is not part of this version.

Exit codes: 0 all fit, or there are none · 1 some do not · 3 the flow was refused")]
pub struct Migrate {
    /// The other version: a YAML or JSON file
    pub spec: PathBuf,
    /// Tell what would happen
    #[arg(long, required = true)]
    pub plan: bool,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line for each case
    #[arg(long)]
    pub json: bool,
}

pub fn flows(options: &FlowsOptions) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let mut flows = engine.flows()?;
    engine.close()?;
    if let Some(name) = &options.flow {
        flows.retain(|flow| flow.name == *name);
    }
    let mut out = Out::new();
    let width = flows.iter().map(|f| f.name.len()).max().unwrap_or(0).max(4);
    if !options.json && !flows.is_empty() {
        out.line(format!(
            "{DIM}{:<width$}  {:>7}  {:<SHORT_KEY$}  {:>6}  {:>6}  {DIM:#}",
            "FLOW", "VERSION", "KEY", "OPEN", "ENDED"
        ))?;
    }
    for flow in &flows {
        for of in &flow.versions {
            if options.json {
                out.line(value!({
                    "flow": (flow.name.as_str()), "version": (of.version), "key": (of.key.as_str()),
                    "newest": (of.newest), "open": (of.open), "ended": (of.ended), "dir": (of.dir.as_deref()),
                }))?;
                continue;
            }
            let key: String = of.key.chars().take(SHORT_KEY).collect();
            let newest = if of.newest { "newest" } else { "" };
            let line = format!(
                "{BOLD}{:<width$}{BOLD:#}  {:>7}  {key:<SHORT_KEY$}  {:>6}  {:>6}  {GOOD}{newest}{GOOD:#}",
                flow.name, of.version, of.open, of.ended
            );
            out.line(line.trim_end())?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

pub fn migrate(options: &Migrate) -> Result<Exit> {
    let spec = input::spec(&options.spec)?;
    check::refuse(&options.spec, &spec.source, options.json)?;
    let engine = store::open_quietly(&options.store)?;
    let plan = engine.plan(&spec.source, spec.dir.as_deref())?;
    engine.close()?;
    let mut out = Out::new();
    let misfits = plan.cases.iter().filter(|c| !c.reasons.is_empty()).count();
    for case in &plan.cases {
        if options.json {
            out.line(to_value(case, plan.version))?;
        } else {
            describe(case, &mut out)?;
        }
    }
    if !options.json {
        let fit = plan.cases.len().saturating_sub(misfits);
        out.line(match (plan.cases.len(), misfits) {
            (0, _) => format!("no open case of {} runs on another version", plan.flow),
            (all, 0) => format!("{} version {}: all fit ({all})", plan.flow, plan.version),
            (all, _) => format!("{} version {}: {fit} of {all} fit", plan.flow, plan.version),
        })?;
    }
    out.flush()?;
    Ok(if misfits == 0 { Exit::Done } else { Exit::No })
}

fn describe(case: &CasePlan, out: &mut Out) -> Result<()> {
    let (style, fits) = match case.reasons.is_empty() {
        true => (GOOD, "fits"),
        false => (BAD, "does not fit"),
    };
    out.line(format!(
        "{BOLD}{}{BOLD:#}  {}, on version {}: {style}{fits}{style:#}",
        case.case, case.status, case.version
    ))?;
    for reason in &case.reasons {
        out.line(format!("  {}", one_line(reason)))?;
    }
    for event in &case.follows {
        out.line(format!("  {DIM}then{DIM:#} {}", one_line(event)))?;
    }
    Ok(())
}

fn to_value(case: &CasePlan, to: u64) -> Value {
    let list =
        |texts: &[String]| -> Value { texts.iter().map(|t| Value::from(t.as_str())).collect() };
    value!({
        "case": (case.case.as_str()), "status": (case.status.name()), "from": (case.version), "to": to,
        "fits": (case.reasons.is_empty()), "reasons": (list(&case.reasons)), "follows": (list(&case.follows)),
    })
}
