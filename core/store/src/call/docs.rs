//! Calls of JSON documents, cells and spaces.

use statewright_value::{Patch, Value, value};

use super::{Args, amount, done, kv, stored};
use crate::cell::CellReader;
use crate::error::Result;
use crate::reader::Reader;
use crate::space::Space;
use crate::txn::Txn;

pub(super) fn json(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let key = args.text("key")?;
    let (key, value) = (key.as_str(), args.value("value"));
    let path = args.path("path")?;
    let path = &path;
    let or_null = |found: Option<Value>| found.or(Some(Value::NULL));
    Ok(match verb {
        "create" => done(txn.json_create(s, key, value)?),
        "get" => or_null(txn.json_get(s, key, path)?),
        "set" => match args.if_version()? {
            Some(version) => done(txn.json_cas(s, key, version, path, value)?),
            None => done(txn.json_set(s, key, path, value)?),
        },
        "remove" => or_null(txn.json_remove(s, key, path)?),
        "drop" => Some(Value::from(txn.json_drop(s, key)?)),
        "exists" => Some(Value::from(txn.json_exists(s, key)?)),
        "version" => or_null(txn.json_version(s, key)?.map(Value::from)),
        "type" => or_null(txn.json_type(s, key, path)?.map(|k| Value::text(k.name()))),
        "len" => or_null(txn.json_len(s, key, path)?.map(|n| Value::from(n as u64))),
        "keys" => {
            let keys = txn.json_keys(s, key, path)?;
            or_null(keys.map(|keys| keys.into_iter().map(Value::from).collect()))
        }
        "list" => {
            let (prefix, after) = (args.text("prefix")?, args.maybe_text("after")?);
            let found = txn.json_list(s, &prefix, after.as_deref(), args.limit()?)?;
            let pair = |(key, value): (String, Value)| value!({ "key": key, "value": value });
            Some(found.into_iter().map(pair).collect())
        }
        "count" => Some(Value::from(txn.json_count(s, &args.text("prefix")?)?)),
        "patch" => {
            let patch = Patch::from_value(args.value("patch").by_ref())?;
            done(txn.json_patch(s, key, &patch)?)
        }
        "merge" if args.maybe("strategy").is_some() => {
            done(txn.json_merge_by(s, key, path, value, &kv::strategy(args)?)?)
        }
        "merge" => done(txn.json_merge(s, key, path, value)?),
        "push" => done(txn.json_push(s, key, path, args.list("items")?)?),
        "pop" => or_null(txn.json_pop(s, key, path)?),
        "insert" => done(txn.json_insert(s, key, path, value)?),
        "move" => done(txn.json_move(s, key, &args.path("from")?, &args.path("to")?)?),
        "move_item" => {
            let (from, to) = (args.index("from")?, args.index("to")?);
            done(txn.json_move_item(s, key, path, from, to)?)
        }
        "increment" => {
            let (by, initial) = (amount(args, "by", 1), amount(args, "initial", 0));
            done(txn.json_increment(s, key, path, by, initial)?)
        }
        "append" => done(txn.json_append(s, key, path, value, args.maybe("separator"))?),
        _ => None,
    })
}

pub(super) fn cell(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let key = args.text("key")?;
    let (key, value) = (key.as_str(), args.value("value"));
    Ok(match verb {
        "get" => Some(stored(txn.cell_get(s, key)?)),
        "init" => done(txn.cell_init(s, key, value)?),
        "get_or_init" => Some(txn.cell_get_or_init(s, key, || value)?),
        "set" => done(txn.cell_set(s, key, value)?),
        "cas" => {
            let expected = args.maybe_number("expected")?;
            done(txn.cell_cas(s, key, expected, value)?)
        }
        "delete" => Some(Value::from(txn.cell_delete(s, key)?)),
        "list" => {
            let (prefix, after) = (args.text("prefix")?, args.maybe_text("after")?);
            let found = txn.cell_list(s, &prefix, after.as_deref(), args.limit()?)?;
            let cells = found.into_iter().map(|(key, cell)| {
                value!({ "key": key, "value": (cell.value), "version": (cell.version) })
            });
            Some(cells.collect())
        }
        _ => None,
    })
}

pub(super) fn space(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    Ok(match verb {
        "list" => {
            let after = args.maybe_text("after")?;
            let after = after.map(|name| Space::parse(&name)).transpose()?;
            let found = txn.space_list(&args.text("prefix")?, after.as_ref(), args.limit()?)?;
            let name = |space: Space| Value::text(space.as_str());
            Some(found.into_iter().map(name).collect())
        }
        "info" => {
            let info = txn.space_info(s)?;
            Some(value!({
                "keys": (info.keys),
                "streams": (info.streams),
                "cells": (info.cells),
                "traces": (info.traces),
                "runs": (info.runs),
                "documents": (info.documents)
            }))
        }
        "exists" => Some(Value::from(txn.space_exists(s)?)),
        "delete" => Some(Value::from(txn.space_delete(s)?)),
        "copy" => done(txn.space_copy(s, &Space::parse(&args.text("to")?)?)?),
        _ => None,
    })
}
