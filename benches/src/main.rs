//! `side-by-side`: measures and prints rows; `cargo xtask bench` builds and runs it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use statewright_benches::memory::Counting;
use statewright_benches::report::{Row, Summary, heading};
use statewright_benches::store::Size;
use statewright_benches::store::child::{self, Task};
use statewright_benches::{exec, flow, store, value, work_folder};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Parser)]
#[command(about = "Measures Statewright and its peers side by side.")]
struct Options {
    /// What to measure: `store`, `flow`, `value`, or a part of the value suite by its name or a part of the names of
    /// its rows (`value parse`, `value parse/twitter`); everything when nothing is named
    suites: Vec<String>,
    /// Print one JSON object a row instead of a table, and a last one with the counts of targets met and missed
    #[arg(long)]
    json: bool,
    /// Keys in the store before anything is measured; 100,000, or 10,000 with `--quick`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    keys: Option<u32>,
    /// Of the store suite, only these comparisons; of the flow suite, of `routing`, `cases`, `sleeping`, `journal`,
    /// `exec`, `peers`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Of the store suite, only the peers whose names begin so: `lmdb`, `sqlite-off`, …; of the flow suite, also these
    /// engines, which are installed from their registries: `restate` (npm), `dbos`, `duroxide` (pip)
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Little of everything, three samples: to see that it works
    #[arg(long)]
    quick: bool,
    /// Samples of each measurement, of which the median counts; 9, or 25 of the value suite, where they are short
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Where databases are written (created when missing); a temporary folder by default
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Do this one task and print its numbers; how the program starts itself for what needs a process of its own
    #[arg(long, hide = true)]
    task: Option<String>,
}

/// The suites; any other word selects within the value suite.
const SUITES: &[&str] = &["store", "flow", "value"];

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(task) = &options.task {
        println!("{}", child::print(Task::from_json(task)?.run()?));
        return Ok(());
    }
    let quick = |full, quick| if options.quick { quick } else { full };
    let samples = |default| {
        let given = options.samples.map(|samples| samples as usize);
        given.unwrap_or(quick(default, 3))
    };
    let keys = options.keys.map(|keys| keys as usize);
    let size = Size {
        keys: keys.unwrap_or(quick(100_000, 10_000)),
        samples: samples(9),
        quick: options.quick,
        only: options.only.clone(),
        peers: options.peers.clone(),
        program: Some(std::env::current_exe()?),
    };
    let dir = work_folder(options.dir.as_deref())?;
    let json = options.json;
    let mut summary = Summary::default();
    let mut emit = |row: Row| {
        summary.add(&row);
        println!(
            "{}",
            if json {
                row.json().to_string()
            } else {
                row.line()
            }
        )
    };
    if !json {
        println!("{}", heading());
    }
    let (suites, parts): (Vec<String>, Vec<String>) = options
        .suites
        .iter()
        .cloned()
        .partition(|name| SUITES.contains(&name.as_str()));
    let everything = suites.is_empty() && parts.is_empty();
    let wanted = |suite: &str| everything || suites.iter().any(|name| name == suite);
    if wanted("store") {
        store::run(dir.path(), size.clone(), &mut emit)?;
    }
    if wanted("flow") {
        flow::run_all(dir.path(), &size, &mut emit)?;
        if size.only.is_empty() || size.only.iter().any(|only| only == "exec") {
            exec::run(size.samples, &mut emit)?;
        }
    }
    if wanted("value") || !parts.is_empty() {
        value::run(samples(25), &parts, &mut emit)?;
    }
    if json {
        println!("{}", summary.json());
    } else if let Some(line) = summary.line() {
        println!("{line}");
    }
    Ok(())
}
