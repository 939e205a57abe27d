//! `statewright flows` and `migrate`: the versions of flows, and moving cases from one to another.

use std::path::PathBuf;

use clap::Args;
use statewright::flow::{CasePlan, ForkOptions, MigrateOptions, Migrated, Plan};
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
Every open case of the flow that runs on another version is looked at: whether each of its tokens has a place of the \
same name, and each piece of its work a task of the same name and kind. Those that fit are moved, with the cases that \
they called and that are flows of the same file; SPEC is deployed, so that new cases run on it too. The others stay, \
with the reasons. What is claimed stays claimed, and timers go on. Nothing else moves until the cases are driven.

Exit codes: 0 all fit or were moved, or there are none · 1 some do not · 3 the flow was refused")]
pub struct Migrate {
    /// The other version: a YAML, JSON or TOML file, or - for stdin
    #[arg(required_unless_present_any = ["undo", "list"])]
    pub spec: Option<PathBuf>,
    /// Tell what would happen, and change nothing
    #[arg(long)]
    pub plan: bool,
    /// What a task, place or flow of the old version is called in the new one; may be given several times
    #[arg(long = "map", value_name = "OLD=NEW", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Move only this case; may be given several times
    #[arg(long = "case", value_name = "ID", conflicts_with = "plan")]
    pub cases: Vec<String>,
    /// How many cases are moved in one commit, all or none of those that fit
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub cohort: usize,
    /// Move the cases of this migration back, or those of the newest one of this flow
    #[arg(long, value_name = "MIGRATION|FLOW", conflicts_with_all = ["spec", "plan", "map", "cases", "list"])]
    pub undo: Option<String>,
    /// List the migrations that were made
    #[arg(long, conflicts_with_all = ["spec", "plan", "map", "cases"])]
    pub list: bool,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line for each case
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
The new case has the state and the history of the other up to the event (of several events of one commit, the \
last), its \
own id, and copies of the cases that were called. What had been claimed is offered again, and timers have as much time \
left as they had. Numbers of events are those of `case ID --history`.")]
pub struct Fork {
    /// The case
    pub case: String,
    /// The number of the event
    #[arg(long, value_name = "SEQ")]
    pub at: u64,
    /// Give it the results of later work again, as long as it asks for the same work with the same input
    #[arg(long)]
    pub results: bool,
    /// The id of the new case; made up without it
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .filter(|(old, new)| !old.is_empty() && !new.is_empty());
    let (old, new) = pair.ok_or("write OLD=NEW")?;
    Ok((old.to_owned(), new.to_owned()))
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

pub fn fork(options: &Fork) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let how = ForkOptions {
        id: options.id.clone(),
        results: options.results,
    };
    let forked = engine.fork_case(&options.case, options.at, &how)?;
    engine.close()?;
    let mut out = Out::new();
    if options.json {
        out.line(value!({
            "case": (forked.case.as_str()), "from": (options.case.as_str()), "at": (forked.at),
            "results": (forked.results),
        }))?;
    } else {
        let given = match forked.results {
            0 => String::new(),
            n => format!(", with {n} recorded results"),
        };
        out.line(format!(
            "{BOLD}{}{BOLD:#}  forked from {} after event {}{given}",
            forked.case, options.case, forked.at
        ))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

pub fn migrate(options: &Migrate) -> Result<Exit> {
    if let Some(migration) = &options.undo {
        let engine = store::open_quietly(&options.store)?;
        let done = engine.undo_migration(migration)?;
        engine.close()?;
        return tell(&done, "moved back", options.json);
    }
    let Some(path) = options.spec.as_ref().filter(|_| !options.list) else {
        return list(options);
    };
    let spec = input::spec(path)?;
    check::refuse(path, &spec.source, options.json)?;
    let engine = store::open_quietly(&options.store)?;
    if options.plan {
        let plan = engine.plan(&spec.source, spec.dir.as_deref(), &options.map)?;
        engine.close()?;
        return planned(&plan, options.json);
    }
    let how = MigrateOptions {
        cohort: options.cohort,
        renames: options.map.clone(),
        cases: (!options.cases.is_empty()).then(|| options.cases.clone()),
    };
    let done = engine.migrate(&spec.source, spec.dir.as_deref(), &how)?;
    engine.close()?;
    tell(&done, "moved", options.json)
}

fn planned(plan: &Plan, json: bool) -> Result<Exit> {
    let mut out = Out::new();
    let misfits = plan.cases.iter().filter(|c| !c.reasons.is_empty()).count();
    for case in &plan.cases {
        if json {
            out.line(to_value(case, plan.version))?;
        } else {
            let fits = if case.reasons.is_empty() {
                "fits"
            } else {
                "does not fit"
            };
            describe(case, fits, &mut out)?;
        }
    }
    if !json {
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

/// What was moved, and what stays.
fn tell(done: &Migrated, moved: &str, json: bool) -> Result<Exit> {
    let mut out = Out::new();
    let all = done.moved.iter().map(|case| (case, moved));
    for (case, what) in all.chain(done.left.iter().map(|case| (case, "stays"))) {
        if json {
            let mut value = to_value(case, done.version);
            for (key, value_of) in [
                ("moved", Value::from(case.reasons.is_empty())),
                (
                    "migration",
                    done.id.as_deref().map_or(Value::NULL, Value::from),
                ),
            ] {
                // An object that was just made takes another key.
                let _ = value.insert(key, value_of);
            }
            out.line(value)?;
        } else {
            describe(case, what, &mut out)?;
        }
    }
    if !json {
        let stay = match done.left.len() {
            0 => String::new(),
            n => format!(", {n} stay"),
        };
        out.line(match &done.id {
            None => format!("no case of {} was {moved}{stay}", done.flow),
            Some(id) => format!(
                "{} of {} {moved}{stay}; undo it with: statewright migrate --undo {id}",
                done.moved.len(),
                done.flow
            ),
        })?;
    }
    out.flush()?;
    Ok(if done.left.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

fn list(options: &Migrate) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let migrations = engine.migrations()?;
    engine.close()?;
    let mut out = Out::new();
    for of in &migrations {
        if options.json {
            out.line(value!({
                "migration": (of.id.as_str()), "flow": (of.flow.as_str()), "version": (of.version),
                "key": (of.key.as_str()), "time": (of.at.to_string()), "cases": (of.cases),
                "undoes": (of.undoes.as_deref()),
            }))?;
            continue;
        }
        let what = match &of.undoes {
            None => format!("to version {}", of.version),
            Some(undoes) => format!("back, undoes {undoes}"),
        };
        out.line(format!(
            "{BOLD}{}{BOLD:#}  {}  {} of {} {what}",
            of.id, of.at, of.cases, of.flow
        ))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn describe(case: &CasePlan, fits: &str, out: &mut Out) -> Result<()> {
    let style = if case.reasons.is_empty() { GOOD } else { BAD };
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
