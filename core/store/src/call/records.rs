//! Calls of events, traces and runs.

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use super::{Args, done};
use crate::error::{Error, Result};
use crate::event::{Event, EventReader, StreamInfo};
use crate::run::{self, NewRun, Run, RunBy, RunReader, RunStatus};
use crate::trace::{self, NewTrace, Trace, TraceBy, TraceReader};
use crate::txn::Txn;

pub(super) fn event(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let (stream, kind) = (args.text("stream")?, args.text("type")?);
    let stream = stream.as_str();
    let all = |events: Vec<Event>| Some(events.into_iter().map(event_value).collect());
    let or_null = |found: Option<Value>| found.or(Some(Value::NULL));
    Ok(match verb {
        "append" => done(txn.event_append(s, stream, &kind, args.value("payload"))?),
        "restore" => Some(Value::from(event_restore(txn, args)?)),
        "get" => {
            let sequence = args.number("sequence", 0)?;
            or_null(txn.event_get(s, stream, sequence)?.map(event_value))
        }
        "range" => {
            let (from, to) = (args.number("from", 0)?, args.maybe_number("to")?);
            all(if args.flag("reverse")? {
                txn.event_range_reverse(s, stream, from, to, args.limit()?)?
            } else {
                txn.event_range(s, stream, from, to, args.limit()?)?
            })
        }
        "by_time" => {
            let since = args.time("since")?;
            let since = since.unwrap_or(Timestamp::from_micros(i64::MIN));
            let (until, from) = (args.time("until")?, args.number("from", 0)?);
            all(txn.event_by_time_page(s, stream, since, until, from, args.limit()?)?)
        }
        "by_type" => {
            let from = args.number("from", 0)?;
            all(txn.event_by_type(s, stream, &kind, from, args.limit()?)?)
        }
        "head" => or_null(txn.event_head(s, stream)?.map(event_value)),
        "len" => Some(Value::from(txn.event_len(s, stream)?)),
        "types" => {
            let types = txn.event_types(s, stream)?;
            Some(types.into_iter().map(Value::from).collect())
        }
        "streams" => {
            let (prefix, after) = (args.text("prefix")?, args.maybe_text("after")?);
            let found = txn.event_streams(s, &prefix, after.as_deref(), args.limit()?)?;
            Some(found.into_iter().map(stream_value).collect())
        }
        "verify" => or_null(txn.event_verify(s, stream)?.map(stream_value)),
        _ => None,
    })
}

fn event_restore(txn: &Txn, args: &Args<'_>) -> Result<bool> {
    let s = &args.space()?;
    let (stream, kind) = (args.text("stream")?, args.text("type")?);
    let (sequence, time) = (args.number("sequence", 0)?, args.needed_time("time")?);
    let hash = match args.maybe_text("hash")? {
        Some(hash) => Some(unhex(&hash).ok_or_else(|| args.wrong("hash", "64 digits of hex"))?),
        None => None,
    };
    txn.event_restore(
        s,
        &stream,
        sequence,
        time,
        &kind,
        args.value("payload"),
        hash,
    )
}

fn event_value(event: Event) -> Value {
    value!({
        "sequence": (event.sequence),
        "time": (event.time.as_micros()),
        "type": (event.kind),
        "payload": (event.payload),
        "hash": (hex(&event.hash)),
        "version": (event.version)
    })
}

fn stream_value(info: StreamInfo) -> Value {
    value!({
        "name": (info.name),
        "len": (info.len),
        "hash": (hex(&info.hash)),
        "version": (info.version)
    })
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        let from = at.saturating_mul(2);
        let digits = text.get(from..from.saturating_add(2))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

fn new_trace(args: &Args<'_>) -> Result<NewTrace> {
    let mut new = NewTrace::new(&args.text("type")?, args.value("payload"));
    if let Some(id) = args.maybe_text("id")? {
        new = new.id(&id);
    }
    if let Some(parent) = args.maybe_text("parent")? {
        new = new.parent(&parent);
    }
    for tag in args.texts("tags")? {
        new = new.tag(&tag);
    }
    Ok(new)
}

pub(super) fn trace(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let id = args.text("id")?;
    let list = |by: TraceBy<'_>| {
        let found = trace::list(txn, s, by, args.span()?, args.after()?, args.limit()?)?;
        Ok::<_, Error>(Some(found.into_iter().map(trace_value).collect()))
    };
    Ok(match verb {
        "record" => Some(Value::from(txn.trace_record(s, new_trace(args)?)?)),
        "restore" => {
            let time = args.needed_time("time")?;
            Some(Value::from(txn.trace_restore(s, new_trace(args)?, time)?))
        }
        "get" => txn
            .trace_get(s, &id)?
            .map(trace_value)
            .or(Some(Value::NULL)),
        "children" => list(TraceBy::Parent(&id))?,
        "tree" => {
            let nodes = txn.trace_tree(s, &id, args.limit()?)?.into_iter();
            let node = nodes.map(
                |node| value!({ "depth": (node.depth as u64), "trace": (trace_value(node.trace)) }),
            );
            Some(node.collect())
        }
        "roots" => list(TraceBy::Root)?,
        "by_type" => list(TraceBy::Type(&args.text("type")?))?,
        "by_tag" => list(TraceBy::Tag(&args.text("tag")?))?,
        "by_time" => list(TraceBy::Time)?,
        "count" => Some(Value::from(txn.trace_count(s)?)),
        _ => None,
    })
}

fn trace_value(trace: Trace) -> Value {
    let tags: Value = trace.tags.into_iter().map(Value::from).collect();
    value!({
        "id": (trace.id),
        "parent": (trace.parent.map_or(Value::NULL, Value::from)),
        "type": (trace.kind),
        "tags": tags,
        "time": (trace.time.as_micros()),
        "payload": (trace.payload),
        "version": (trace.version)
    })
}

pub(super) fn run(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let id = args.text("id")?;
    let id = id.as_str();
    let tag = args.text("tag")?;
    let list = |by: RunBy<'_>| {
        let found = run::list(txn, s, by, args.span()?, args.after()?, args.limit()?)?;
        Ok::<_, Error>(Some(found.into_iter().map(run_value).collect()))
    };
    Ok(match verb {
        "create" => {
            let new = with_parent(args, new_run(args, "id")?)?;
            Some(Value::from(txn.run_create(s, new)?))
        }
        "restore" => {
            let (created, updated) = (args.needed_time("created")?, args.needed_time("updated")?);
            let new = with_parent(args, new_run(args, "id")?)?;
            Some(Value::from(txn.run_restore(
                s,
                new,
                status(args)?,
                created,
                updated,
            )?))
        }
        "get" => txn.run_get(s, id)?.map(run_value).or(Some(Value::NULL)),
        "set_status" => done(txn.run_set_status(s, id, status(args)?)?),
        "set_metadata" => {
            done(txn.run_set_metadata(s, id, &args.path("path")?, args.value("value"))?)
        }
        "remove_metadata" => done(txn.run_remove_metadata(s, id, &args.path("path")?)?),
        "add_tag" => Some(Value::from(txn.run_add_tag(s, id, &tag)?)),
        "remove_tag" => Some(Value::from(txn.run_remove_tag(s, id, &tag)?)),
        "fork" => Some(Value::from(txn.run_fork(
            s,
            id,
            new_run(args, "new_id")?,
        )?)),
        "delete" => Some(Value::from(txn.run_delete(s, id, args.flag("cascade")?)?)),
        "list" => list(RunBy::Time)?,
        "by_status" => list(RunBy::Status(status(args)?))?,
        "by_tag" => list(RunBy::Tag(&tag))?,
        "roots" => list(RunBy::Root)?,
        "children" => list(RunBy::Parent(id))?,
        "count" => Some(Value::from(txn.run_count(s)?)),
        "diff" => {
            let other = args.text("other")?;
            let found = txn.run_diff(s, id, &other, args.limit()?)?.into_iter();
            let one = found.map(|d| {
                let or_null = |v: Option<Value>| v.unwrap_or_default();
                value!({
                    "primitive": (d.primitive.name()),
                    "place": (d.place),
                    "before": (or_null(d.before)),
                    "after": (or_null(d.after))
                })
            });
            Some(one.collect())
        }
        _ => None,
    })
}

fn with_parent(args: &Args<'_>, new: NewRun) -> Result<NewRun> {
    Ok(match args.maybe_text("parent")? {
        Some(parent) => new.parent(&parent),
        None => new,
    })
}

fn new_run(args: &Args<'_>, id: &str) -> Result<NewRun> {
    let mut new = NewRun::new();
    if let Some(id) = args.maybe_text(id)? {
        new = new.id(&id);
    }
    for tag in args.texts("tags")? {
        new = new.tag(&tag);
    }
    Ok(match args.maybe("metadata") {
        Some(metadata) => new.metadata(metadata),
        None => new,
    })
}

fn status(args: &Args<'_>) -> Result<RunStatus> {
    let known = "active, paused, completed, failed, cancelled or archived";
    RunStatus::parse(&args.text("status")?).ok_or_else(|| args.wrong("status", known))
}

fn run_value(run: Run) -> Value {
    let tags: Value = run.tags.into_iter().map(Value::from).collect();
    value!({
        "id": (run.id),
        "space": (run.space.as_str()),
        "status": (run.status.name()),
        "parent": (run.parent.map_or(Value::NULL, Value::from)),
        "created": (run.created.as_micros()),
        "updated": (run.updated.as_micros()),
        "tags": tags,
        "metadata": (run.metadata),
        "version": (run.version)
    })
}
