//! `statewright cases`, `case` and `log`: looking at a store without moving anything.

use statewright::flow::{CaseFilter, CaseInfo, HistoryEvent, ItemInfo, Status, Waiting};
use statewright::{Engine, Kind, LoggedCommit, Value, value};

use crate::args::{Case, Cases, Log};
use crate::console::{BAD, BOLD, DIM, GOOD, NAME, Out, WARN, one_line};
use crate::event::{self, put};
use crate::exit::{Exit, Result, error_line};
use crate::store;

/// Longer values are described, not shown.
const SHORT: usize = 72;

pub fn cases(options: &Cases) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let filter = CaseFilter {
        flow: options.flow.clone(),
        status: options.status,
        limit: options.limit,
        ..CaseFilter::default()
    };
    let cases = engine.cases(&filter)?;
    let mut out = Out::new();
    if options.json {
        cases
            .iter()
            .try_for_each(|info| out.line(summary_to_value(info)))?;
    } else {
        table(&engine, &cases, &mut out)?;
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn table(engine: &Engine, cases: &[CaseInfo], out: &mut Out) -> Result<()> {
    let id_width = cases.iter().map(|c| c.id.len()).max().unwrap_or(0).max(4);
    let flow_width = cases.iter().map(|c| c.flow.len()).max().unwrap_or(0).max(4);
    if !cases.is_empty() {
        out.line(format!(
            "{DIM}{:<id_width$}  {:<flow_width$}  {:>7}  {:<10}  {:<20}  NOTE{DIM:#}",
            "CASE", "FLOW", "VERSION", "STATUS", "STARTED"
        ))?;
    }
    for info in cases {
        let style = status_style(info.status);
        let note = match info.status {
            Status::Running => waits_for(&engine.explain(&info.id)?),
            _ => info
                .error
                .as_ref()
                .and_then(|e| Some(e.get("message")?.as_str()?.to_owned()))
                .unwrap_or_default(),
        };
        let status = info.status.name();
        let started: String = info.created.to_string().chars().take(19).collect();
        let note: String = one_line(&note).chars().take(SHORT).collect();
        let line = format!(
            "{:<id_width$}  {:<flow_width$}  {:>7}  {style}{status:<10}{style:#}  {started}Z  {note}",
            info.id, info.flow, info.version
        );
        out.line(line.trim_end())?;
    }
    Ok(())
}

fn waits_for(waiting: &[Waiting]) -> String {
    let tasks: Vec<&str> = waiting.iter().map(|w| w.task.as_str()).collect();
    if tasks.is_empty() {
        "can go on".to_owned()
    } else {
        format!("waits in {}", tasks.join(", "))
    }
}

pub fn status_style(status: Status) -> anstyle::Style {
    match status {
        Status::Completed => GOOD,
        Status::Running => NAME,
        _ => BAD,
    }
}

pub fn summary_to_value(info: &CaseInfo) -> Value {
    let mut object = value!({
        "case": (info.id.as_str()),
        "flow": (info.flow.as_str()),
        "version": (info.version),
        "status": (info.status.name()),
        "created": (info.created.to_string()),
        "updated": (info.updated.to_string()),
    });
    put(&mut object, "error", info.error.clone());
    object
}

pub fn case(options: &Case) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let id = options.id.as_deref().unwrap_or_default();
    if let Some(query) = &options.query {
        let answer = engine.query(id, query)?;
        let mut out = Out::new();
        out.line(match options.json {
            true => answer.to_json(),
            false => answer.to_json_pretty(),
        })?;
        out.flush()?;
        engine.close()?;
        return Ok(Exit::Done);
    }
    let info = engine.case(id)?;
    let waiting = engine.explain(id)?;
    let history = if options.history {
        engine.history(id, 0)?
    } else {
        Vec::new()
    };
    let mut out = Out::new();
    if options.json {
        let mut object = case_to_value(&info, &waiting);
        let events = history.iter().map(event::to_value).collect();
        put(&mut object, "history", options.history.then_some(events));
        out.line(object)?;
    } else {
        describe(&info, &waiting, &mut out)?;
        describe_history(&history, &mut out)?;
        if let Some(result) = &info.result {
            out.line("result")?;
            out.line(result.to_json_pretty())?;
        }
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn case_to_value(info: &CaseInfo, waiting: &[Waiting]) -> Value {
    let mut object = summary_to_value(info);
    let item = |i: &ItemInfo| {
        value!({
            "item": (i.item), "task": (i.task.as_str()), "kind": (i.kind), "state": (i.state), "attempt": (i.attempt)
        })
    };
    let mut tokens = Value::object();
    for (place, n) in &info.marking {
        put(&mut tokens, place, Some(Value::from(*n)));
    }
    let fields = [
        ("data", Some(info.data.clone())),
        ("tokens", Some(tokens)),
        ("items", Some(info.items.iter().map(item).collect())),
        (
            "waiting",
            Some(waiting.iter().map(waiting_to_value).collect()),
        ),
        ("result", info.result.clone()),
    ];
    for (key, value) in fields {
        put(&mut object, key, value);
    }
    object
}

/// One thing that a case waits for, as `--json` prints it.
pub fn waiting_to_value(w: &Waiting) -> Value {
    let mut object = value!({ "task": (w.task.as_str()), "what": (w.what.as_str()), "unblocks": (w.unblocks.as_str()) });
    put(&mut object, "item", w.item.map(Value::from));
    put(
        &mut object,
        "since",
        w.since.map(|at| Value::from(at.to_string())),
    );
    let until = w
        .until
        .as_ref()
        .map(|(at, then)| value!({ "at": (at.to_string()), "then": (then.as_str()) }));
    put(&mut object, "until", until);
    object
}

fn describe(info: &CaseInfo, waiting: &[Waiting], out: &mut Out) -> Result<()> {
    let style = status_style(info.status);
    out.line(format!("case     {BOLD}{}{BOLD:#}", info.id))?;
    out.line(format!("flow     {}, version {}", info.flow, info.version))?;
    out.line(format!("status   {style}{}{style:#}", info.status))?;
    out.line(format!("started  {}", info.created))?;
    out.line(format!("changed  {}", info.updated))?;
    if let Some(error) = &info.error {
        out.line(format!("error    {}", one_line(&why(error))))?;
    }
    describe_waiting(waiting, info.status, out)?;
    for (place, n) in &info.marking {
        out.line(format!(
            "token    {place}{}",
            if *n == 1 {
                String::new()
            } else {
                format!(" ({n})")
            }
        ))?;
    }
    out.line("data")?;
    for (key, value) in info.data.entries() {
        out.line(format!(
            "  {DIM}.{}{DIM:#}  {}",
            one_line(key),
            brief(&value)
        ))?;
    }
    Ok(())
}

/// What a case waits for, for people.
pub fn describe_waiting(waiting: &[Waiting], status: Status, out: &mut Out) -> Result<()> {
    if !waiting.is_empty() {
        out.line("waits for")?;
    } else if status == Status::Running {
        out.line("waits for nothing: `statewright resume` goes on with it")?;
    }
    for w in waiting {
        let since = w
            .since
            .map(|at| format!(", since {at}"))
            .unwrap_or_default();
        out.line(format!(
            "  {NAME}{}{NAME:#}  {}{since}",
            w.task,
            one_line(&w.what)
        ))?;
        if let Some((at, then)) = &w.until {
            out.line(format!("    at {at}: {}", one_line(then)))?;
        }
        if !w.unblocks.is_empty() {
            out.line(format!("    unblocked by: {}", one_line(&w.unblocks)))?;
        }
    }
    Ok(())
}

/// A value on one line: itself if it is short, else what it is.
fn brief(value: &Value) -> String {
    let whole = match value.kind() {
        Kind::Array | Kind::Object if value.len() > SHORT => None,
        Kind::Text | Kind::Bytes if value.len() > SHORT => None,
        _ => Some(value.to_json()).filter(|json| json.chars().count() <= SHORT),
    };
    whole.unwrap_or_else(|| {
        let (unit, kind) = match value.kind() {
            Kind::Array => ("items", "array"),
            Kind::Object => ("fields", "object"),
            other => ("bytes", other.name()),
        };
        format!("{kind} of {} {unit}", value.len())
    })
}

fn describe_history(history: &[HistoryEvent], out: &mut Out) -> Result<()> {
    if !history.is_empty() {
        out.line("history")?;
    }
    for event in history {
        let task = event.task.as_deref().unwrap_or("");
        let attempt = event
            .attempt
            .filter(|n| *n > 0)
            .map(|n| format!(" (attempt {n})"))
            .unwrap_or_default();
        let detail = if event.detail.is_null() {
            String::new()
        } else {
            one_line(&event.detail.to_json()).into_owned()
        };
        let name = event.kind.name();
        let line = format!(
            "{:>6}  {}  {name:<15}  {task:<12}{attempt}  {DIM}{detail}{DIM:#}",
            event.seq, event.at
        );
        out.line(line.trim_end())?;
    }
    Ok(())
}

pub fn log(options: &Log) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let mut out = Out::new();
    let mut left = options.limit.unwrap_or(usize::MAX);
    let mut written = Ok(());
    if left > 0 {
        engine.store().log(options.from, &mut |commit| {
            left = left.saturating_sub(1);
            written = if options.json {
                out.line(commit_to_value(&commit))
            } else {
                describe_commit(&commit, &mut out)
            };
            written.is_ok() && left > 0
        })?;
    }
    written?;
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn commit_to_value(commit: &LoggedCommit) -> Value {
    let ops = commit.ops.iter().map(|op| {
        let mut object = value!({ "op": (op.name()), "at": (op.target()) });
        put(&mut object, "value", op.value().cloned());
        object
    });
    value!({ "version": (commit.version), "time": (commit.time.to_string()), "ops": (ops.collect::<Value>()) })
}

fn describe_commit(commit: &LoggedCommit, out: &mut Out) -> Result<()> {
    out.line(format!("{BOLD}{}{BOLD:#}  {}", commit.version, commit.time))?;
    for op in &commit.ops {
        let value = op.value().map(brief).unwrap_or_default();
        let target = op.target();
        let line = format!(
            "    {WARN}{:<11}{WARN:#}  {}  {DIM}{value}{DIM:#}",
            op.name(),
            one_line(&target)
        );
        out.line(line.trim_end())?;
    }
    Ok(())
}

/// A case's error, as one line for people.
fn why(error: &Value) -> String {
    let text = |key: &str| error.get(key).and_then(|v| v.as_str().map(str::to_owned));
    let message = text("message").unwrap_or_else(|| error.to_json());
    match text("task").filter(|task| !task.is_empty()) {
        Some(task) => format!("task '{task}': {message}"),
        None => message,
    }
}

/// Says on stderr that a case did not complete, and where to look.
pub fn unhappy_end(info: &CaseInfo) {
    let (id, status) = (&info.id, info.status);
    match &info.error {
        Some(error) => {
            let code = error
                .get("code")
                .and_then(|c| c.as_str().map(str::to_owned))
                .unwrap_or_else(|| status.to_string());
            error_line(&code, &format!("case {id} {status} in {}", why(error)));
        }
        None => {
            let tokens: Vec<&str> = info
                .marking
                .iter()
                .map(|(place, _)| place.as_str())
                .collect();
            let message = format!(
                "case {id} is {status}: tokens are left on {}",
                tokens.join(", ")
            );
            error_line(
                status.name(),
                &format!("{message}; `statewright case {id}` says what is missing"),
            );
        }
    }
}
