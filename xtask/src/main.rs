//! `cargo xtask`: the one developer command.
//!
//! * `test` is the README's second command: every language's tests and examples, one table at the end ([`steps`]).
//! * `ci` is what a merge must pass: the checks of [`steps::CHECKS`], then everything `test` does.
//! * `tidy`, `bindgen` and `abi` are this house's own checks and generators.
//! * `crash`, `sim`, `sabotage`, `kill-test`, `conformance`, `fuzz` and `bench` build and run a program that lives
//!   elsewhere and pass on its report.
//!
//! Data flows one way: a [`steps::Step`] is a name and a function; [`runner`] runs it with a [`session::Session`],
//! which starts programs and keeps their output in `target/xtask/<step>.log`; [`report`] prints what came out.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a developer tool starts programs, reads files and measures time; the seams of core/log are for the library"
)]

mod bench;
mod bindgen;
mod conformance;
mod counts;
mod crash;
mod examples;
mod fuzz;
mod kill_test;
mod loom;
mod prefix;
mod program;
mod report;
mod runner;
mod sabotage;
mod session;
mod sim;
mod steps;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The developer command of Statewright."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build and test every language and run every example (the README's second command)
    Test(runner::Options),
    /// Everything a change must pass: format, lints, own checks, generated files, then `test`
    Ci(runner::Options),
    /// This house's own checks: file sizes, layers, links, dependencies, left-over marks
    Tidy(tidy::Options),
    /// Write everything that is derived from the C ABI's sources: header, low-level layers, reference, proofs
    Bindgen(bindgen::Options),
    /// Prove that header, model and built library say the same, and that no misuse does harm
    Abi,
    /// Crash the log at every write and sync of an in-memory faulty disk, then prove that a planted bug is found
    Crash(crash::Options),
    /// Simulate the whole store, seed by seed, with faults of every kind; check every read and every history
    Sim(sim::Options),
    /// Plant bugs in the library and see that the simulation and the crash test find each of them
    Sabotage(sabotage::Options),
    /// Try every schedule of a few threads that commit, read and make checkpoints together
    Loom(loom::Options),
    /// Kill real processes with SIGKILL at random moments and resume them
    KillTest(kill_test::Options),
    /// Measure side by side with the peers (SQLite, redb, JSON libraries), in one process, interleaved
    Bench(bench::Options),
    /// Run the public suites of cases: JSON, JSONPath, patches, JSON Schema, MessagePack, CBOR, TOML
    Conformance(conformance::Options),
    /// Run the fuzz targets of tests/fuzz with AddressSanitizer and libFuzzer
    Fuzz(fuzz::Options),
    /// Build the release library and lay it out like an installation (include/, lib/, lib/pkgconfig/)
    Lib(prefix::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Test(options) => runner::run(&workspace, &options, steps::TESTS),
        Command::Ci(options) => runner::run(
            &workspace,
            &options,
            &[steps::CHECKS, steps::TESTS].concat(),
        ),
        Command::Tidy(options) => tidy::run(&workspace, &options),
        Command::Bindgen(options) => bindgen::run(&workspace, &options),
        Command::Abi => bindgen::abi_tests(&workspace),
        Command::Crash(options) => crash::run(&workspace, &options),
        Command::Sim(options) => sim::run(&workspace, &options),
        Command::Sabotage(options) => sabotage::run(&workspace, &options),
        Command::Loom(options) => loom::run(&workspace, &options),
        Command::KillTest(options) => kill_test::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Conformance(options) => conformance::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Lib(options) => prefix::run(&workspace, &options),
    }
}
