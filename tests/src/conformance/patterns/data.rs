//! What is expected of a flow, as it is written in the TOML file beside it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use statewright_value::{Value, ValueRef};

use super::super::text;

/// What a flow is to do in one case.
#[derive(Debug, Default)]
pub struct Expected {
    /// What the case is about.
    pub name: String,
    /// What it is started with.
    pub input: Value,
    /// What host programs answer, by task: the first time, the second time, …; the last again and again.
    pub results: BTreeMap<String, Vec<Value>>,
    /// Steps in this order; if there are any, nothing else happens.
    pub script: Vec<String>,
    /// What happens from outside at any time, in this order.
    pub outside: Vec<String>,
    /// The orders of completion that may come up, and do.
    pub traces: Vec<Vec<String>>,
    /// How often a task completes: from, to.
    pub counts: BTreeMap<String, (u64, u64)>,
    /// The first of these completes before the second does for the first time.
    pub before: Vec<(String, String)>,
    /// Of these tasks at most one is active at a time.
    pub exclusive: Vec<Vec<String>>,
    /// How it ends.
    pub status: Vec<String>,
    /// The tokens that are left.
    pub marking: BTreeMap<String, u64>,
    /// The case's result.
    pub result: Option<Value>,
    /// How many cases there are in the end, called ones too.
    pub cases: Option<u64>,
}

/// The file: which pattern it is about, and its cases.
pub fn read(toml: &[u8]) -> Result<(u64, Vec<Expected>)> {
    let file = Value::from_toml(toml)?;
    let pattern = file.get("pattern").and_then(|p| p.as_u64());
    let pattern = pattern.context("it says of no pattern that it is about it")?;
    // What the official list does not count has its number from elsewhere.
    let numbering = file.get("numbering");
    if numbering.is_some_and(|n| n.as_str() != Some("knhk")) {
        bail!("`numbering` is knhk, or is left out for the official numbers");
    }
    let cases = file.get("case").context("it has no cases")?;
    let cases: Result<Vec<Expected>> = cases.by_ref().items().map(case).collect();
    Ok((pattern, cases?))
}

fn case(of: ValueRef<'_>) -> Result<Expected> {
    let mut case = Expected {
        name: text(of, "name")?.to_owned(),
        status: vec!["completed".to_owned()],
        ..Expected::default()
    };
    for (key, value) in of.entries() {
        match key {
            "name" => {}
            "input" => case.input = value.to_value(),
            "results" => {
                for (task, results) in value.entries() {
                    let results = results.items().map(|r| r.to_value()).collect();
                    case.results.insert(task.to_string(), results);
                }
            }
            "script" => case.script = words(value, |line| line.to_owned())?,
            "outside" => case.outside = words(value, |line| line.to_owned())?,
            "traces" => case.traces = words(value, split)?,
            "exclusive" => case.exclusive = words(value, split)?,
            "before" => {
                case.before = words(value, split)?
                    .into_iter()
                    .map(|pair| match pair.as_slice() {
                        [a, b] => Ok((a.clone(), b.clone())),
                        _ => bail!("`before` is a list of two tasks each"),
                    })
                    .collect::<Result<_>>()?;
            }
            "counts" => {
                for (task, count) in value.entries() {
                    let ends: Vec<u64> = match count.as_u64() {
                        Some(n) => vec![n, n],
                        None => count.items().filter_map(|n| n.as_u64()).collect(),
                    };
                    let [from, to] = ends.as_slice() else {
                        bail!("a count is a number, or from and to");
                    };
                    case.counts.insert(task.to_string(), (*from, *to));
                }
            }
            "status" => {
                case.status = match value.as_str() {
                    Some(one) => vec![one.to_owned()],
                    None => words(value, |word| word.to_owned())?,
                }
            }
            "marking" => {
                for (place, tokens) in value.entries() {
                    let tokens = tokens.as_u64().context("tokens are counted")?;
                    case.marking.insert(place.to_string(), tokens);
                }
            }
            "result" => case.result = Some(value.to_value()),
            "cases" => case.cases = value.as_u64(),
            other => bail!("a case has no field {other}"),
        }
    }
    Ok(case)
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn words<T>(list: ValueRef<'_>, of: impl Fn(&str) -> T) -> Result<Vec<T>> {
    list.items()
        .map(|line| line.as_str().map(&of).context("it is a list of texts"))
        .collect()
}
