//! The worker of the order's `host` tasks, in a process of its own: `kill-test serve`.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

/// Work takes a little time, so that there is a moment to be killed in.
const WORK: Duration = Duration::from_millis(60);

/// Serves until its stdin ends. Each item is noted in the witness before anything is done for it.
///
/// # Errors
///
/// When stdin, stdout or the witness cannot be used, or a line is not an item.
pub fn serve(witness: &Path) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut say = |line: Value| writeln!(out, "{line}").and_then(|()| out.flush());
    say(json!({ "type": "topics", "topics": ["pricing", "stock", "payment"], "max": 2 }))?;
    for line in io::stdin().lock().lines() {
        let item: Value = serde_json::from_str(&line?)?;
        if item.get("type") != Some(&json!("item")) {
            continue;
        }
        note(witness, &item)?;
        sleep(WORK);
        let token = field(&item, "token");
        say(match answer(&item) {
            Ok(result) => json!({ "type": "complete", "token": token, "result": result }),
            Err(message) => json!({ "type": "fail", "token": token, "message": message }),
        })?;
    }
    Ok(())
}

fn field(item: &Value, name: &str) -> Value {
    item.get(name).cloned().unwrap_or_default()
}

/// One write of one line: lines of several processes do not mix.
fn note(witness: &Path, item: &Value) -> io::Result<()> {
    let key = field(item, "idempotency_key");
    let process = std::env::var("KILL_TEST_PROCESS").unwrap_or_default();
    let line = format!(
        "{} {} {process}\n",
        key.as_str().unwrap_or_default(),
        field(item, "attempt")
    );
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(witness)?
        .write_all(line.as_bytes())
}

/// What `examples/README.md` says that the order's host does.
fn answer(item: &Value) -> Result<Value, &'static str> {
    let input = field(item, "input");
    let lines = input.as_array().cloned().unwrap_or_default();
    match field(item, "topic").as_str() {
        Some("pricing") => Ok(lines.into_iter().map(priced).collect()),
        Some("stock") => Ok(json!({ "id": format!("R-{}", lines.len()) })),
        _ if item.get("attempt") == Some(&json!(1)) => Err("the payment service is busy"),
        _ => {
            let cents = field(&input, "cents");
            Ok(json!({ "cents": cents, "receipt": format!("P-{cents}") }))
        }
    }
}

fn priced(mut line: Value) -> Value {
    let cents = if line.get("sku") == Some(&json!("pen")) {
        120
    } else {
        1550
    };
    if let Some(line) = line.as_object_mut() {
        line.insert("cents".to_owned(), json!(cents));
    }
    line
}
