//! `cargo xtask fuzz`: builds the targets of `tests/fuzz` with AddressSanitizer and libFuzzer, and runs them.
//!
//! What a run finds stays in `target/xtask/fuzz/<target>`: its corpus, from which the next run goes on, its log and
//! the inputs that failed. With `--keep` the corpus is minimised into `tests/fuzz/corpus`, which tests replay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::toolchain::{CXX, RUSTC};
use crate::workspace::{Workspace, cargo, sanitized};

/// Coverage as libFuzzer wants it, and the sanitizer. They are unstable flags of rustc.
const FLAGS: &[&str] = &[
    "-Zsanitizer=address",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Per input: bytes, seconds, MiB of one allocation; MiB in all. What exceeds them is a finding.
const BOUNDS: &[&str] = &[
    "-max_len=2048",
    "-timeout=10",
    "-malloc_limit_mb=128",
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
];

/// The kept corpus is part of the repository, so a target has at most so many inputs and so many bytes: one of
/// every few, from the smallest on.
const KEPT: usize = 256;
const KEPT_BYTES: u64 = 64 << 10;

#[derive(Args)]
pub struct Options {
    /// Targets to run, one after another; all when none is named
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Minimise what was found into tests/fuzz/corpus
    #[arg(long)]
    keep: bool,
    /// Print one JSON object for each target
    #[arg(long)]
    json: bool,
}

/// What a run of a target came to.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    target: String,
    minutes: f64,
    executions: u64,
    /// Edges of the program that were reached.
    coverage: u64,
    /// Inputs in the kept corpus.
    corpus: usize,
    /// Inputs that reached something new.
    new: u64,
    /// Inputs that crashed, took too long or too much memory.
    findings: Vec<PathBuf>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let fuzz = Fuzz {
        package: workspace.root.join("tests/fuzz"),
        out: workspace.out.join("fuzz"),
    };
    let targets = fuzz.targets(&options.targets)?;
    let Some(host) = host()? else {
        return Ok(ExitCode::from(3));
    };
    let programs = fuzz.build(workspace, &host)?;
    let mut good = true;
    for target in &targets {
        let report = fuzz.run(&programs, target, options)?;
        good &= report.findings.is_empty();
        print(&report, options.json)?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The triple of this machine; none, with a line that says what to install, if a tool is missing.
fn host() -> Result<Option<String>> {
    if let Some(missing) = [RUSTC, CXX].iter().find_map(|tool| tool.missing()) {
        eprintln!("{missing}");
        return Ok(None);
    }
    let rustc = |arguments: &[&str]| -> Result<String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc).args(arguments).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let version = rustc(&["--version", "--verbose"])?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc names no host")?;
    let libraries = rustc(&["--print", "target-libdir", "--target", host])?;
    let is_runtime = |entry: fs::DirEntry| entry.file_name().to_string_lossy().contains("_rt.asan");
    let has_runtime =
        fs::read_dir(libraries.trim()).is_ok_and(|entries| entries.flatten().any(is_runtime));
    if !has_runtime {
        eprintln!(
            "missing: AddressSanitizer for {host}; install rustup's toolchain for Linux or macOS (https://rustup.rs)"
        );
    }
    Ok(has_runtime.then(|| host.to_owned()))
}

struct Fuzz {
    package: PathBuf,
    out: PathBuf,
}

impl Fuzz {
    /// Those named, or all: a target is a file in `fuzz_targets`.
    fn targets(&self, named: &[String]) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for entry in fs::read_dir(self.package.join("fuzz_targets"))? {
            known.extend(
                entry?
                    .path()
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
        known.sort();
        if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
            bail!("no target `{unknown}`; there are {}", known.join(", "));
        }
        Ok(if named.is_empty() {
            known
        } else {
            named.to_vec()
        })
    }

    /// The folder of the programs.
    fn build(&self, workspace: &Workspace, host: &str) -> Result<PathBuf> {
        // The same versions as everywhere; cargo adds what only this package needs.
        fs::copy(
            workspace.root.join("Cargo.lock"),
            self.package.join("Cargo.lock"),
        )?;
        let target = workspace.target.join("fuzz");
        let status = Command::new(cargo())
            .args(["build", "--release", "--quiet", "--target", host])
            .current_dir(&self.package)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", FLAGS.join(" "))
            .env("CARGO_TARGET_DIR", &target)
            .stdout(Stdio::null())
            .status()
            .context("cannot start cargo")?;
        ensure!(status.success(), "the fuzz targets do not build");
        Ok(target.join(host).join("release"))
    }

    fn run(&self, programs: &Path, target: &str, options: &Options) -> Result<Report> {
        let kept = self.package.join("corpus").join(target);
        let out = self.out.join(target);
        let found = out.join("corpus");
        fs::create_dir_all(&found)?;
        fs::create_dir_all(&kept)?;
        let seconds = (options.minutes * 60.0).ceil();
        let before = findings(&out)?;
        let mut program = program(programs, target);
        program
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", out.display()))
            .args([&found, &kept]);
        let output = program.output().context("cannot start the target")?;
        let log = String::from_utf8_lossy(&output.stderr);
        fs::write(out.join("log"), &*log)?;
        let mut findings = findings(&out)?;
        findings.retain(|finding| !before.contains(finding));
        ensure!(
            output.status.success() || !findings.is_empty(),
            "{target} ended with {}; see {}",
            output.status,
            out.join("log").display()
        );
        if options.keep && findings.is_empty() {
            minimise(programs, target, &found, &kept)?;
        }
        let corpus = fs::read_dir(&kept)?.count();
        Ok(Report::read(
            target,
            options.minutes,
            &log,
            corpus,
            findings,
        ))
    }
}

/// A target with its bounds.
fn program(programs: &Path, target: &str) -> Command {
    let mut program = sanitized(&programs.join(target));
    program.args(BOUNDS);
    program
}

/// Inputs that failed, which libFuzzer names by how.
fn findings(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if ["crash-", "timeout-", "oom-", "leak-"]
            .iter()
            .any(|how| name.starts_with(how))
        {
            findings.push(path);
        }
    }
    findings.sort();
    Ok(findings)
}

/// Of both folders, small inputs that reach every edge that any of them does, into `kept`.
fn minimise(programs: &Path, target: &str, found: &Path, kept: &Path) -> Result<()> {
    let new = found.with_file_name("kept");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir_all(&new)?;
    let status = program(programs, target)
        .args(["-merge=1", "-use_counters=0"])
        .args([&new, kept, found])
        .stderr(Stdio::null())
        .status()?;
    ensure!(
        status.success(),
        "the corpus of {target} cannot be minimised"
    );
    fs::remove_dir_all(kept)?;
    fs::create_dir_all(kept)?;
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&new)? {
        let entry = entry?;
        inputs.push((entry.metadata()?.len(), entry.file_name()));
    }
    inputs.sort();
    let step = inputs.len().div_ceil(KEPT).max(1);
    let mut size = 0;
    for (len, name) in inputs.into_iter().step_by(step) {
        size += len;
        if size <= KEPT_BYTES {
            fs::copy(new.join(&name), kept.join(&name))?;
        }
    }
    Ok(())
}

impl Report {
    /// Reads libFuzzer's log: `stat::number_of_executed_units: 5` at the end, `… cov: 7 …` along the way.
    fn read(
        target: &str,
        minutes: f64,
        log: &str,
        corpus: usize,
        findings: Vec<PathBuf>,
    ) -> Report {
        let after = |mark: &str| {
            let rest = log.rsplit_once(mark).map(|(_, rest)| rest.trim_start());
            let digits = rest.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        Report {
            target: target.to_owned(),
            minutes,
            executions: after("stat::number_of_executed_units:"),
            coverage: after(" cov: "),
            corpus,
            new: after("stat::new_units_added:"),
            findings,
        }
    }
}

fn print(report: &Report, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    let Report {
        target,
        executions,
        coverage,
        corpus,
        new,
        findings,
        ..
    } = report;
    println!(
        "{target:10} {executions:>12} executions {coverage:>7} edges {corpus:>5} kept {new:>6} new {:>3} findings",
        findings.len()
    );
    for finding in findings {
        println!("    {}", finding.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        let log = "#2\tINITED cov: 40 ft: 50\n#9\tDONE   cov: 512 ft: 900 corp: 7/80b\n\
                   stat::number_of_executed_units: 1234\nstat::new_units_added:          17\n";
        let report = Report::read("json", 0.5, log, 3, vec![]);
        assert_eq!(
            (report.executions, report.coverage, report.new),
            (1234, 512, 17)
        );
        assert_eq!(Report::read("json", 0.5, "", 3, vec![]).executions, 0);
    }

    #[test]
    fn findings_are_told_from_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["crash-1", "timeout-2", "log", "corpus"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = findings(folder.path()).unwrap();
        assert_eq!(
            found,
            [
                folder.path().join("crash-1"),
                folder.path().join("timeout-2")
            ]
        );
    }
}
