//! `statewright schedules`: which flows begin by themselves, and when; pause and resume them.

use clap::Args;
use statewright::flow::ScheduleInfo;
use statewright::{Engine, Timestamp, Value, value};

use crate::args::StoreFolder;
use crate::console::{BOLD, DIM, Out, WARN};
use crate::exit::{Exit, Result};
use crate::store;

#[derive(Args)]
#[command(after_help = "\
A flow with a `schedule` begins by itself once it is deployed, while an engine drives the store (`statewright serve`, \
or a program). NEXT is in the UTC. A paused schedule starts nothing, and leaves out what is due meanwhile.

Exit codes: 0 done · 7 the flow has no schedule · 9 it is paused already, or not paused")]
pub struct Schedules {
    /// Only this flow
    pub flow: Option<String>,
    /// Start no more cases of FLOW until it is resumed
    #[arg(long, requires = "flow", conflicts_with = "resume")]
    pub pause: bool,
    /// Go on with FLOW from its next time on
    #[arg(long, requires = "flow")]
    pub resume: bool,
    /// How many of the next times to show
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub next: u16,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line for each schedule
    #[arg(long)]
    pub json: bool,
}

pub fn run(options: &Schedules) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    if let Some(flow) = &options.flow {
        if options.pause {
            engine.pause_schedule(flow)?;
        } else if options.resume {
            engine.resume_schedule(flow)?;
        } else {
            // Fails if there is none.
            engine.upcoming(flow, 0)?;
        }
    }
    let rows = rows(&engine, options)?;
    engine.close()?;
    let mut out = Out::new();
    let width = rows.iter().map(|(s, _)| s.flow.len()).max().unwrap_or(0);
    let width = width.max(4);
    if !options.json && !rows.is_empty() {
        out.line(format!(
            "{DIM}{:<width$}  {:<24}  {:>7}  {:>7}  {:>6}  WHEN{DIM:#}",
            "FLOW", "NEXT", "STARTED", "SKIPPED", "MISSED"
        ))?;
    }
    for (info, upcoming) in &rows {
        if options.json {
            out.line(to_value(info, upcoming))?;
            continue;
        }
        let next = match info.paused {
            true => "paused".to_owned(),
            false => time(info.next),
        };
        let style = if info.paused { WARN } else { BOLD };
        out.line(format!(
            "{BOLD}{:<width$}{BOLD:#}  {style}{next:<24}{style:#}  {:>7}  {:>7}  {:>6}  {} ({})",
            info.flow, info.started, info.skipped, info.missed, info.when, info.overlap
        ))?;
        for at in upcoming.iter().skip(1) {
            out.line(format!("{:<width$}  {at}", ""))?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn rows(engine: &Engine, options: &Schedules) -> Result<Vec<(ScheduleInfo, Vec<Timestamp>)>> {
    let mut rows = Vec::new();
    for info in engine.schedules()? {
        if options.flow.as_ref().is_none_or(|flow| *flow == info.flow) {
            let upcoming = engine.upcoming(&info.flow, usize::from(options.next))?;
            rows.push((info, upcoming));
        }
    }
    Ok(rows)
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

fn to_value(info: &ScheduleInfo, upcoming: &[Timestamp]) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| Value::from(at.to_string())).unwrap_or_default();
    let upcoming: Value = upcoming.iter().map(|at| text(Some(*at))).collect();
    value!({
        "flow": (info.flow.as_str()), "when": (info.when.as_str()), "overlap": (info.overlap),
        "next": (text(info.next)), "upcoming": upcoming, "last": (text(info.last)), "paused": (info.paused),
        "case": (info.case.as_deref()), "queued": (text(info.queued)), "started": (info.started),
        "skipped": (info.skipped), "missed": (info.missed),
    })
}
