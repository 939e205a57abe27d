//! `side-by-side`: measures and prints rows; `cargo xtask bench` builds and runs it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use statewright_benches::memory::Counting;
use statewright_benches::report::{Row, Summary, heading};
use statewright_benches::store::Size;
use statewright_benches::{flow, store, value, work_folder};

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
    /// Keys in the store before anything is measured
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Samples of each measurement, of which the median counts; 9, or 25 of the value suite, where they are short
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Where databases are written (created when missing); a temporary folder by default
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// The suites; any other word selects within the value suite.
const SUITES: &[&str] = &["store", "flow", "value"];

fn main() -> Result<()> {
    let options = Options::parse();
    let samples = |default| options.samples.map_or(default, |samples| samples as usize);
    let size = Size {
        keys: options.keys as usize,
        samples: samples(9),
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
        .into_iter()
        .partition(|name| SUITES.contains(&name.as_str()));
    let everything = suites.is_empty() && parts.is_empty();
    let wanted = |suite: &str| everything || suites.iter().any(|name| name == suite);
    if wanted("store") {
        store::run(dir.path(), size, &mut emit)?;
    }
    if wanted("flow") {
        flow::run(dir.path(), size.samples, &mut emit)?;
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
