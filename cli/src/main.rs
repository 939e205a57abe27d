//! The command line: `statewright run`, `resume`, `serve`, `cases`, `case`, `check`, `log`, `verify` and `repair` for
//! workflows; `kv`, `json`, `events`, `cells`, `traces`, `runs`, `spaces`, `txn`, `stats`, `export` and `import` for
//! state.
//!
//! # How data flows
//!
//! [`args`] says what was asked. [`check`], [`show`] and [`graph`] look; [`control`] makes one change to a case; `run`,
//! `resume` and `serve` ([`session`]) open an engine and follow cases to their end: every committed event comes through
//! one channel to the main thread, which puts it in order and gives it to the [`timeline`]. Signals, the ends of cases
//! and what `--worker` programs ([`worker`]) have to say come through the same channel. [`value`] knows nothing of
//! stores: values in, values out. Results go to stdout, everything else to stderr. How it ended is an [`exit::Exit`].
//!
//! # What it does not know
//!
//! How cases move and how they are stored: all of that is the library's.

#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the seams are for the library; a command line reads files, clocks and the environment itself"
)]

mod args;
mod call;
mod check;
mod console;
mod control;
mod event;
mod exit;
mod flowtest;
mod graph;
mod input;
mod region;
mod replay;
mod resume;
mod run;
mod schedules;
mod serve;
mod session;
mod show;
mod signals;
mod stats;
mod store;
mod tally;
mod timeline;
mod transfer;
mod value;
mod verify;
mod versions;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use statewright::SpareMemory;

use args::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: SpareMemory<mimalloc::MiMalloc> = SpareMemory::new(mimalloc::MiMalloc);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.command.json();
    let done = match &arguments.command {
        Command::Run(options) => run::run(options),
        Command::Resume(options) => resume::resume(options),
        Command::Serve(options) => serve::run(options),
        Command::Cases(options) => show::cases(options),
        Command::Case(options) => match &options.action {
            Some(action) => control::case(action),
            None => show::case(options),
        },
        Command::Signal(options) => control::send(options),
        Command::Work(options) => control::work(options),
        Command::Check(options) => check::check(options),
        Command::Graph(options) => graph::run(options),
        Command::Flows(options) => versions::flows(options),
        Command::Schedules(options) => schedules::run(options),
        Command::Migrate(options) => versions::migrate(options),
        Command::Fork(options) => versions::fork(options),
        Command::Replay(options) => replay::run(options),
        Command::Test(options) => flowtest::run(options),
        Command::Log(options) => show::log(options),
        Command::Verify(options) => verify::verify(options),
        Command::Repair(options) => verify::repair(options),
        Command::Kv(options) => call::run("kv", options),
        Command::Json(options) => call::run("json", options),
        Command::Events(options) => call::run("event", options),
        Command::Cells(options) => call::run("cell", options),
        Command::Traces(options) => call::run("trace", options),
        Command::Runs(options) => call::run("run", options),
        Command::Spaces(options) => call::run("space", options),
        Command::Txn(options) => call::txn(options),
        Command::Stats(options) => stats::run(options),
        Command::Export(options) => transfer::export::run(options),
        Command::Import(options) => transfer::import::run(options),
        Command::Value(options) => value::run(&options.command),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(failure) => {
            failure.report(json);
            failure.exit
        }
    };
    exit.into()
}
