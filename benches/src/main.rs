//! `side-by-side`: measures and prints rows; `cargo xtask bench` builds and runs it.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use statewright_benches::report::{Row, heading};
use statewright_benches::store::Size;
use statewright_benches::{flow, store, work_folder};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures Statewright and its peers side by side.")]
struct Options {
    /// What to measure; everything when nothing is named
    suites: Vec<Suite>,
    /// Print one JSON object a row instead of a table
    #[arg(long)]
    json: bool,
    /// Keys in the store before anything is measured
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Samples of each measurement; the median counts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Where databases are written (created when missing); a temporary folder by default
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Suite {
    /// Put and get against SQLite and redb
    Store,
    /// A flow of ten steps against a journal written by hand on SQLite
    Flow,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let size = Size {
        keys: options.keys as usize,
        samples: options.samples as usize,
    };
    let dir = work_folder(options.dir.as_deref())?;
    let json = options.json;
    let mut emit = |row: Row| {
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
    let wanted = |suite| options.suites.is_empty() || options.suites.contains(&suite);
    if wanted(Suite::Store) {
        store::run(dir.path(), size, &mut emit)?;
    }
    if wanted(Suite::Flow) {
        flow::run(dir.path(), size.samples, &mut emit)?;
    }
    Ok(())
}
