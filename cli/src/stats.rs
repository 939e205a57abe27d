//! `stats`: a store's settings and figures.

use std::fs;
use std::path::Path;

use statewright::store::{Isolation, Scan};
use statewright::{Reader, Space, Value, value};

use crate::args::Stats;
use crate::console::{BOLD, Out};
use crate::exit::{Exit, Result};
use crate::store;

pub fn run(options: &Stats) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let mut stats = engine.store().stats().to_value();
    let (files, bytes) = size_of(&options.store.dir);
    insert(
        &mut stats,
        "folder",
        value!({ "files": files, "bytes": bytes }),
    );
    if options.count {
        insert(&mut stats, "spaces", spaces(engine.store())?);
    }
    let mut out = Out::new();
    if options.json {
        out.line(&stats)?;
    } else {
        print(&mut out, &stats)?;
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn insert(stats: &mut Value, name: &str, value: Value) {
    // An object takes another key.
    let _ = stats.insert(name, value);
}

/// What each space holds.
fn spaces(store: &statewright::Store) -> Result<Value> {
    let txn = store.begin_with(Isolation::Snapshot);
    let mut scan = Scan::new(value!({ "op": "space.list" }))?;
    let mut names = Vec::new();
    while !scan.is_done() {
        scan.page(&txn, 1000, &mut |name| {
            names.extend(name.as_str().map(str::to_owned));
            true
        })?;
    }
    let mut all = Value::object();
    for name in names {
        let info = txn.space_info(&Space::parse(&name)?)?;
        let counts = value!({
            "keys": (info.keys), "documents": (info.documents), "cells": (info.cells),
            "streams": (info.streams), "traces": (info.traces), "runs": (info.runs)
        });
        insert(&mut all, &name, counts);
    }
    Ok(all)
}

/// The files below a folder. What cannot be read is not counted.
fn size_of(dir: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                Ok(metadata) => {
                    files = files.saturating_add(1);
                    bytes = bytes.saturating_add(metadata.len());
                }
                Err(_) => {}
            }
        }
    }
    (files, bytes)
}

fn print(out: &mut Out, stats: &Value) -> Result<()> {
    for (name, value) in stats.entries() {
        if value.is_empty() || value.as_str().is_some() {
            out.line(format!(
                "{BOLD}{:<18}{BOLD:#} {}",
                shown(name),
                plain(&value)
            ))?;
            continue;
        }
        out.line(format!("{BOLD}{}{BOLD:#}", shown(name)))?;
        for (name, value) in value.entries() {
            out.line(format!("  {:<16} {}", shown(name), plain(&value)))?;
        }
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.replace('_', " ")
}

fn plain(value: &Value) -> String {
    match (value.as_str(), value.as_bool()) {
        (Some(text), _) => text.to_owned(),
        (_, Some(flag)) => if flag { "yes" } else { "no" }.to_owned(),
        _ => value.to_string(),
    }
}
