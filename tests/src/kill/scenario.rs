//! The flows that are killed, and what they need around them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Plan;
use super::victim::Victim;

/// How long an uninterrupted run may take.
const LIMIT: Duration = Duration::from_secs(120);
/// The shell that the audit's steps run in, in place of the real one: it notes in the witness that a step began, and
/// takes a little time.
const SHELL: &str = r#"#!/bin/sh
if [ -n "$STATEWRIGHT_IDEMPOTENCY_KEY" ]; then
  printf '%s %s %s\n' "$STATEWRIGHT_IDEMPOTENCY_KEY" "$STATEWRIGHT_ATTEMPT" "$KILL_TEST_PROCESS" >> "$KILL_TEST_WITNESS"
  sleep 0.05
fi
exec /bin/sh "$@"
"#;

/// A flow, how it is kept, and its result when nobody interferes.
pub struct Scenario {
    pub name: String,
    cli: PathBuf,
    spec: PathBuf,
    durability: &'static str,
    input: Value,
    worker: Option<String>,
    /// Put before the search path.
    bin: PathBuf,
    /// How long it takes from start to end.
    pub duration: Duration,
    pub result: Value,
    /// The tasks that every complete run fires exactly once.
    pub tasks: &'static [&'static str],
}

impl Scenario {
    /// The audit and the order, each in both durable modes, measured once without being killed.
    pub fn all(plan: &Plan, work: &Path) -> Result<Vec<Scenario>, String> {
        let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flows");
        let tree = source_tree(&work.join("tree"))
            .map_err(|e| format!("cannot make a source tree: {e}"))?;
        let bin = shell(&work.join("bin")).map_err(|e| format!("cannot make a shell: {e}"))?;
        let mut scenarios = Vec::new();
        for durability in ["strict", "buffered"] {
            let bare = |flow: &str| Scenario {
                name: format!("{flow}, {durability}"),
                cli: plan.cli.clone(),
                spec: flows.join(format!("{flow}.yaml")),
                durability,
                input: json!({}),
                worker: None,
                bin: bin.clone(),
                duration: Duration::ZERO,
                result: Value::Null,
                tasks: &[],
            };
            scenarios.push(Scenario {
                input: json!({ "root": tree, "pause": "200ms" }),
                tasks: &[
                    "begin", "list", "count", "largest", "oldest", "markers", "report", "rest",
                    "remind", "finish",
                ],
                ..bare("audit")
            });
            scenarios.push(Scenario {
                worker: Some(plan.worker.clone()),
                tasks: &["price", "reserve", "charge", "ship"],
                ..bare("order")
            });
        }
        for (number, scenario) in (1..).zip(&mut scenarios) {
            scenario.measure(&work.join(format!("measure-{number}")))?;
        }
        Ok(scenarios)
    }

    /// Runs it once without a kill: how long it takes and what it gives.
    fn measure(&mut self, folder: &Path) -> Result<(), String> {
        fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        let begun = Instant::now();
        let victim = Victim::start(self.start(folder), &folder.join("out"))?;
        let code = victim.wait(LIMIT)?;
        self.duration = begun.elapsed();
        let printed = fs::read_to_string(folder.join("out")).unwrap_or_default();
        let end: Value = printed
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_default();
        if code != Some(0) || end.get("status") != Some(&json!("completed")) {
            let errors = fs::read_to_string(folder.join("out.err")).unwrap_or_default();
            return Err(format!(
                "{} does not complete even when left alone ({code:?}):\n{errors}",
                self.name
            ));
        }
        self.result = end.get("result").cloned().unwrap_or_default();
        Ok(())
    }

    /// Whether a claim is known in its process alone, until the case's next commit.
    pub fn claims_in_memory(&self) -> bool {
        self.worker.is_some()
    }

    /// `statewright run`.
    pub fn start(&self, folder: &Path) -> Command {
        let mut command = self.command(folder, "run");
        command
            .arg(&self.spec)
            .args(["--case-id", CASE, "--input", &self.input.to_string()]);
        self.drive(command)
    }

    /// `statewright resume`.
    pub fn resume(&self, folder: &Path) -> Command {
        self.drive(self.command(folder, "resume"))
    }

    fn drive(&self, mut command: Command) -> Command {
        command.args(["--json", "--durability", self.durability]);
        if let Some(worker) = &self.worker {
            // What a killed worker held is offered again soon.
            command.args(["--lease", "300ms", "--worker", worker]);
        }
        command
    }

    /// A command on the run's store.
    pub fn command(&self, folder: &Path, what: &str) -> Command {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&paths));
        let mut command = Command::new(&self.cli);
        command.arg(what).arg("--store").arg(folder.join("store"));
        command.env("KILL_TEST_WITNESS", folder.join("witness"));
        // A path that cannot be joined again has not worked before either.
        command.env("PATH", std::env::join_paths(paths).unwrap_or_default());
        command
    }
}

/// The id of the one case of each run.
pub const CASE: &str = "victim";

/// Forty files in three languages, a few of them with left-over markers.
fn source_tree(dir: &Path) -> std::io::Result<PathBuf> {
    for folder in ["", "src", "doc", "src/deep"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    for n in 0..40_usize {
        let (folder, ending) = match n % 4 {
            0 => ("doc", "md"),
            1 => ("src/deep", "py"),
            _ => ("src", "rs"),
        };
        let mut text = format!("line of file {n}\n").repeat(n + 1);
        if n % 7 == 3 {
            text.push_str(concat!("// TO", "DO: finish this\n"));
        }
        fs::write(dir.join(folder).join(format!("file-{n}.{ending}")), text)?;
    }
    dir.canonicalize()
}

fn shell(bin: &Path) -> std::io::Result<PathBuf> {
    fs::create_dir_all(bin)?;
    let shell = bin.join("sh");
    fs::write(&shell, SHELL)?;
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755))?;
    bin.canonicalize()
}
