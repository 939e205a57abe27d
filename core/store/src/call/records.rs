//! Calls of events, traces and runs.

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use super::{Args, done};
use crate::error::Result;
use crate::event::{Event, EventReader, StreamInfo};
use crate::run::{NewRun, Run, RunReader, RunStatus};
use crate::trace::{NewTrace, Trace, TraceReader};
use crate::txn::Txn;

pub(super) fn event(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let (stream, kind) = (args.text("stream")?, args.text("type")?);
    let stream = stream.as_str();
    let all = |events: Vec<Event>| Some(events.into_iter().map(event_value).collect());
    let or_null = |found: Option<Value>| found.or(Some(Value::NULL));
    Ok(match verb {
        "append" => done(txn.event_append(s, stream, &kind, args.value("payload"))?),
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
            let since = args.time("since")?.unwrap_or(Timestamp::EPOCH);
            all(txn.event_by_time(s, stream, since, args.time("until")?, args.limit()?)?)
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

pub(super) fn trace(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let id = args.text("id")?;
    let all = |traces: Vec<Trace>| Some(traces.into_iter().map(trace_value).collect());
    Ok(match verb {
        "record" => {
            let mut new = NewTrace::new(&args.text("type")?, args.value("payload"));
            if args.maybe("id").is_some() {
                new = new.id(&id);
            }
            if let Some(parent) = args.maybe_text("parent")? {
                new = new.parent(&parent);
            }
            for tag in args.texts("tags")? {
                new = new.tag(&tag);
            }
            Some(Value::from(txn.trace_record(s, new)?))
        }
        "get" => txn
            .trace_get(s, &id)?
            .map(trace_value)
            .or(Some(Value::NULL)),
        "children" => all(txn.trace_children(s, &id, args.limit()?)?),
        "tree" => {
            let nodes = txn.trace_tree(s, &id, args.limit()?)?.into_iter();
            let node = nodes.map(
                |node| value!({ "depth": (node.depth as u64), "trace": (trace_value(node.trace)) }),
            );
            Some(node.collect())
        }
        "roots" => all(txn.trace_roots(s, args.span()?, args.limit()?)?),
        "by_type" => all(txn.trace_by_type(s, &args.text("type")?, args.span()?, args.limit()?)?),
        "by_tag" => all(txn.trace_by_tag(s, &args.text("tag")?, args.span()?, args.limit()?)?),
        "by_time" => all(txn.trace_by_time(s, args.span()?, args.limit()?)?),
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
    let all = |runs: Vec<Run>| Some(runs.into_iter().map(run_value).collect());
    Ok(match verb {
        "create" => {
            let mut new = new_run(args, "id")?;
            if let Some(parent) = args.maybe_text("parent")? {
                new = new.parent(&parent);
            }
            Some(Value::from(txn.run_create(s, new)?))
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
        "list" => all(txn.run_by_time(s, args.span()?, args.limit()?)?),
        "by_status" => all(txn.run_by_status(s, status(args)?, args.span()?, args.limit()?)?),
        "by_tag" => all(txn.run_by_tag(s, &tag, args.span()?, args.limit()?)?),
        "roots" => all(txn.run_roots(s, args.span()?, args.limit()?)?),
        "children" => all(txn.run_children(s, id, args.limit()?)?),
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
