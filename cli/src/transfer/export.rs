//! `export`: writes out what a store holds.

use statewright::store::{Isolation, Primitive, Scan, Stored};
use statewright::{Reader, Space, Txn, Value, value};

use super::{FORMAT, MARK};
use crate::args::{Export, Exported};
use crate::console;
use crate::exit::{Exit, Failure, Result};
use crate::store;
use crate::value::progress::Progress;
use crate::value::sink::Sink;

/// How many entries are read at once.
const PAGE: usize = 256;

pub fn run(options: &Export) -> Result<Exit> {
    let engine = store::open_quietly(&options.store)?;
    let only = options.space.as_deref().map(Space::parse).transpose()?;
    let txn = engine.store().begin_with(Isolation::Snapshot);
    let mut export = Writer {
        sink: Sink::open(options.output.as_deref(), &[])?,
        progress: Progress::of("export", None),
        line: Vec::new(),
        written: 0,
    };
    export.line(
        &value!({ (MARK): "export", "format": FORMAT, "version": (txn.snapshot_version()) }),
    )?;
    match only {
        Some(space) => export.space(&txn, &space, options)?,
        None => {
            each(&txn, value!({ "op": "space.list" }), &mut |name| {
                let space = Space::parse(name.as_str().unwrap_or_default())?;
                export.space(&txn, &space, options)
            })?;
            let flows = txn.doc_scan(Primitive::Flow, &Space::default(), "", None, 1)?;
            if !flows.is_empty() {
                let note = "note: workflows and their cases are not part of an export";
                // Without a stderr there is nobody to tell.
                let _ = std::io::Write::write_fmt(&mut console::stderr(), format_args!("{note}\n"));
            }
        }
    }
    let written = export.written;
    export.line(&value!({ (MARK): "end", "lines": written }))?;
    export.sink.commit()?;
    drop(export.progress);
    engine.close()?;
    Ok(Exit::Done)
}

struct Writer {
    sink: Sink,
    progress: Progress,
    line: Vec<u8>,
    /// Operations.
    written: u64,
}

impl Writer {
    fn space(&mut self, txn: &Txn, space: &Space, options: &Export) -> Result<()> {
        let wanted = |kind| options.only.is_empty() || options.only.contains(&kind);
        let prefix = options.prefix.as_str();
        if wanted(Exported::Kv) {
            self.keys(txn, space, prefix)?;
        }
        if wanted(Exported::Json) {
            let list = of(space, "json.list", &[("prefix", value!(prefix))]);
            each(txn, list, &mut |doc| {
                let set = of(
                    space,
                    "json.set",
                    &[("key", member(doc, "key")), ("path", value!(""))],
                );
                self.operation(set, doc, &["value"])
            })?;
        }
        if wanted(Exported::Cells) {
            let list = of(space, "cell.list", &[("prefix", value!(prefix))]);
            each(txn, list, &mut |cell| {
                self.operation(of(space, "cell.set", &[]), cell, &["key", "value"])
            })?;
        }
        if wanted(Exported::Events) {
            let list = of(space, "event.streams", &[("prefix", value!(prefix))]);
            each(txn, list, &mut |stream| {
                self.stream(txn, space, &member(stream, "name"))
            })?;
        }
        let is_wanted = |id: &Value| {
            id.get("id")
                .is_some_and(|id| id.as_str().is_some_and(|id| id.starts_with(prefix)))
        };
        if wanted(Exported::Traces) {
            each(txn, of(space, "trace.by_time", &[]), &mut |trace| {
                let parts = ["id", "time", "type", "payload", "parent", "tags"];
                match is_wanted(trace) {
                    true => self.operation(of(space, "trace.restore", &[]), trace, &parts),
                    false => Ok(()),
                }
            })?;
        }
        if wanted(Exported::Runs) {
            each(txn, of(space, "run.list", &[]), &mut |run| {
                let parts = [
                    "id", "status", "created", "updated", "parent", "tags", "metadata",
                ];
                match is_wanted(run) {
                    true => self.operation(of(space, "run.restore", &[]), run, &parts),
                    false => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    fn keys(&mut self, txn: &Txn, space: &Space, prefix: &str) -> Result<()> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = txn.kv_entries(space, prefix.as_bytes(), after.as_deref(), PAGE)?;
            let full = page.len() == PAGE;
            after = page.last().map(|(key, _)| key.clone());
            for (key, Stored { value, expires, .. }) in page {
                let key = String::from_utf8(key);
                let key = key.map_or_else(|e| Value::bytes(e.into_bytes()), Value::from);
                let mut put = of(space, "kv.put", &[("key", key), ("value", value)]);
                if let Some(at) = expires {
                    insert(&mut put, "expires", Value::from(at.as_micros()));
                }
                self.operation(put, &Value::NULL, &[])?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn stream(&mut self, txn: &Txn, space: &Space, stream: &Value) -> Result<()> {
        let list = of(space, "event.range", &[("stream", stream.clone())]);
        each(txn, list, &mut |event| {
            let restore = of(space, "event.restore", &[("stream", stream.clone())]);
            self.operation(
                restore,
                event,
                &["sequence", "time", "type", "payload", "hash"],
            )
        })
    }

    /// Writes an operation, with these members of what it makes.
    fn operation(&mut self, mut call: Value, from: &Value, members: &[&str]) -> Result<()> {
        for name in members {
            if let Some(value) = from
                .get(name)
                .filter(|v| *name == "value" || *name == "payload" || !v.is_null())
            {
                insert(&mut call, name, value);
            }
        }
        self.written = self.written.saturating_add(1);
        self.line(&call)
    }

    fn line(&mut self, line: &Value) -> Result<()> {
        self.line.clear();
        self.line.extend_from_slice(line.to_typed_json().as_bytes());
        self.line.push(b'\n');
        self.progress.add(self.line.len());
        self.sink.write(&self.line)
    }
}

/// Passes what a list gives on, in constant memory.
fn each(txn: &Txn, list: Value, f: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
    let mut scan = Scan::new(list)?;
    while !scan.is_done() {
        let mut failed: Option<Failure> = None;
        scan.page(txn, PAGE, &mut |item| {
            failed = f(item).err();
            failed.is_none()
        })?;
        if let Some(failure) = failed {
            return Err(failure);
        }
    }
    Ok(())
}

fn of(space: &Space, op: &str, parts: &[(&str, Value)]) -> Value {
    let mut call = value!({ "op": op });
    if *space != Space::default() {
        insert(&mut call, "space", Value::text(space.as_str()));
    }
    for (name, value) in parts {
        insert(&mut call, name, value.clone());
    }
    call
}

fn insert(call: &mut Value, name: &str, value: Value) {
    // An object takes another key.
    let _ = call.insert(name, value);
}

fn member(item: &Value, name: &str) -> Value {
    item.get(name).unwrap_or_default()
}
