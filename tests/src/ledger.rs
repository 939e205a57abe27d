//! A ledger of long runs: one line of JSON for each, put at the end of a file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use statewright_log::{Env, OpenMode};

/// The ledger that a program was told of, if it was.
#[derive(Debug, Default)]
pub struct Ledger(Option<PathBuf>);

impl Ledger {
    /// Takes `--ledger FILE` out of a program's arguments.
    pub fn take(arguments: impl Iterator<Item = String>) -> (Ledger, Vec<String>) {
        let mut arguments: Vec<String> = arguments.collect();
        let at = arguments.iter().position(|a| a == "--ledger");
        let file = at.filter(|at| at + 1 < arguments.len()).map(|at| {
            arguments.remove(at);
            arguments.remove(at).into()
        });
        (Ledger(file), arguments)
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Puts a run's report at its end. If that cannot be done, it is told on standard error: the run counts all the
    /// same.
    pub fn note(&self, command: &str, report: &Value) {
        if let Some(file) = &self.0
            && let Err(problem) = append(file, command, report)
        {
            eprintln!("the ledger could not be written: {problem}");
        }
    }
}

/// Puts a run's report at the end of the ledger, with when it ended and what its commit is, if the program was started
/// in a clone.
fn append(ledger: &Path, command: &str, report: &Value) -> Result<(), String> {
    let env = Env::real();
    let failed = |e: std::io::Error| format!("{}: {e}", ledger.display());
    let exists = env.io.exists(ledger).map_err(failed)?;
    let mode = if exists {
        OpenMode::ReadWrite
    } else {
        OpenMode::CreateNew
    };
    let file = env.io.open(ledger, mode).map_err(failed)?;
    let line = json!({
        "command": command,
        "ended": env.clock.now().to_string(),
        "commit": commit(&env),
        "report": report,
    });
    let end = file.len().map_err(failed)?;
    let line = format!("{line}\n");
    file.write_all_at(line.as_bytes(), end).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// What `HEAD` of the clone in the current folder is; null if that cannot be told.
fn commit(env: &Env) -> Value {
    let read = |path: &str| {
        let bytes = env.io.read(Path::new(path), 4096).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let head = read(".git/HEAD");
    let named = head.as_ref().and_then(|head| head.strip_prefix("ref: "));
    match named {
        Some(name) => json!(read(&format!(".git/{name}"))),
        None => json!(head),
    }
}
