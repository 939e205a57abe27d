//! Reading specs and inputs.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use statewright::flow::{Problem, Severity};
use statewright::{Kind, Value};

use crate::exit::{Exit, Failure, Result};

/// Specs and inputs are not longer than this.
const MAX_BYTES: u64 = 64 << 20;

/// What is written for standard input.
const STDIN: &str = "-";

/// A spec: its text, and the folder it lies in, if it is not from stdin.
pub struct Spec {
    pub source: String,
    pub dir: Option<String>,
}

/// A spec in a file; `-` is stdin.
pub fn spec(path: &Path) -> Result<Spec> {
    if path.as_os_str() == STDIN {
        let source = stdin("the flow")?;
        return Ok(Spec { source, dir: None });
    }
    let source = text(
        read(path).map_err(|e| unreadable("the flow", path, &e))?,
        &path.display().to_string(),
    )?;
    let dir = fs::canonicalize(path)
        .ok()
        .and_then(|full| Some(full.parent()?.to_str()?.to_owned()));
    Ok(Spec { source, dir })
}

/// `--input`: nothing, `-` for stdin, JSON text, or a file.
pub fn case_input(given: Option<&str>) -> Result<Value> {
    let (text, place) = match given {
        None => return Ok(Value::NULL),
        Some(STDIN) => (stdin("the input")?, "stdin".to_owned()),
        Some(json) if json.trim_start().starts_with(['{', '[', '"']) => {
            (json.to_owned(), "--input".to_owned())
        }
        Some(file) => {
            let path = Path::new(file);
            let bytes = read(path).map_err(|e| unreadable("the input", path, &e))?;
            (text(bytes, file)?, file.to_owned())
        }
    };
    let value = Value::from_json(&text)
        .map_err(|e| Failure::new(Exit::Usage, e.code(), format!("{place}: {e}")))?;
    match value.kind() {
        Kind::Object | Kind::Null => Ok(value),
        other => {
            let message = format!(
                "{place}: the input must be a JSON object, not {}; write {{\"name\": value}}",
                other.name()
            );
            Err(Failure::new(Exit::Usage, 507, message))
        }
    }
}

/// A value: JSON, or text if it is no JSON; `-` is JSON on stdin.
pub fn value(given: &str) -> Result<Value> {
    if given == STDIN {
        let text = stdin("the value")?;
        return Value::from_json(&text)
            .map_err(|e| Failure::new(Exit::Usage, e.code(), format!("stdin: {e}")));
    }
    Ok(Value::from_json(given).unwrap_or_else(|_| Value::from(given)))
}

/// All of stdin, which can be asked for once.
fn stdin(what: &str) -> Result<String> {
    static READ: AtomicBool = AtomicBool::new(false);
    let failed = |why: &dyn std::fmt::Display| {
        let message = format!("could not read {what} from stdin: {why}");
        Failure::new(Exit::Usage, 300, message)
    };
    if READ.swap(true, Ordering::Relaxed) {
        return Err(failed(&"it was read already; write - once"));
    }
    let bytes = bounded(io::stdin().lock()).map_err(|e| failed(&e))?;
    text(bytes, "stdin")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounded(fs::File::open(path)?)
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it is longer than {} MiB",
            MAX_BYTES >> 20
        )));
    }
    Ok(bytes)
}

fn unreadable(what: &str, path: &Path, error: &io::Error) -> Failure {
    let message = format!(
        "could not read {what} from {}: {error}; check the path",
        path.display()
    );
    Failure::new(Exit::Usage, 300, message)
}

fn text(bytes: Vec<u8>, place: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::new(
            Exit::Usage,
            102,
            format!("{place} is not UTF-8 text: byte {at} is wrong; save it as UTF-8"),
        )
    })
}

/// How many of these keep a flow from running.
pub fn errors(problems: &[Problem]) -> usize {
    problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .count()
}
