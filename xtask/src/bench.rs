//! `cargo xtask bench`: builds and runs the side-by-side comparisons of `benches/` in release.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::{Workspace, cargo};

#[derive(Args)]
pub struct Options {
    /// What to measure: `store`, `flow`, `value`, or a part of the value suite (`value parse`, `value parse/twitter`);
    /// everything when none is named
    suites: Vec<String>,
    /// Print one JSON object a row: name, ours, peer, peer_name, unit, ratio (peer/ours: above 1 we are faster), and
    /// for what is promised target and met; the last one, "summary", counts those met and missed
    #[arg(long)]
    json: bool,
    /// Keys in the store
    #[arg(long)]
    keys: Option<usize>,
    /// Of the store suite, only these comparisons: put, batch, increment, get, gets, scan, readers, document,
    /// transaction, memory, flat, open, recovery, strict, threads
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    only: Vec<String>,
    /// Of the store suite, only the peers whose names begin so: sqlite, redb, fjall, lmdb, rocksdb, lmdb-nosync, …; of
    /// the flow suite, also these engines, installed from their registries: restate (npm), dbos, duroxide (pip)
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peers: Vec<String>,
    /// Little of everything, to see that it works
    #[arg(long)]
    quick: bool,
    /// Peers that are not built by default: `crdt` (Loro, Automerge), `rocksdb` (the system's library)
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Samples of each measurement; the median counts
    #[arg(long)]
    samples: Option<usize>,
    /// Where the databases are written; a temporary folder by default
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
    /// Run the criterion benches instead
    #[arg(long, conflicts_with_all = ["suites", "json", "keys", "only", "peers", "quick", "samples", "dir"])]
    criterion: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut command = Command::new(cargo());
    command.current_dir(&workspace.root);
    let features = (!options.features.is_empty()).then(|| options.features.join(","));
    let features = features.map(|features| format!("--features={features}"));
    if options.criterion {
        command.args([
            "bench",
            "--locked",
            "-p",
            "statewright-benches",
            "--benches",
        ]);
        command.args(features);
    } else {
        command.args([
            "run",
            "--locked",
            "--release",
            "-p",
            "statewright-benches",
            "--bin",
            "side-by-side",
        ]);
        command.args(features);
        command.arg("--");
        command.args(&options.suites);
        command.args(options.json.then_some("--json"));
        command.args(options.quick.then_some("--quick"));
        for (name, values) in [("--only", &options.only), ("--peers", &options.peers)] {
            command.args((!values.is_empty()).then(|| format!("{name}={}", values.join(","))));
        }
        for (name, value) in [("--keys", options.keys), ("--samples", options.samples)] {
            command.args(value.map(|value| format!("{name}={value}")));
        }
        command.args(options.dir.as_ref().map(|dir| format!("--dir={dir}")));
    }
    let status = command.status().context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
