//! Calls of kv.

use std::time::Duration;

use statewright_value::{Value, value};

use super::{Args, amount, bytes_of, done, key_value, stored};
use crate::atomic::MergeStrategy;
use crate::error::Result;
use crate::reader::{Reader, after_prefix, behind};
use crate::txn::Txn;

pub(super) fn run(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Option<Value>> {
    let s = &args.space()?;
    let key = args.bytes("key")?;
    let key = key.as_slice();
    let value = args.value("value");
    Ok(match verb {
        "get" => Some(stored(txn.kv_entry(s, key)?)),
        "get_many" => {
            let wrong = || args.wrong("keys", "an array of text or bytes");
            let get = |key: &Value| {
                let key = bytes_of(key).ok_or_else(wrong)?;
                Ok(stored(txn.kv_entry(s, &key)?))
            };
            let keys = args.list("keys")?;
            Some(keys.iter().map(get).collect::<Result<Value>>()?)
        }
        "put" => Some(put(txn, args, key, value)?),
        "delete" => Some(Value::from(txn.kv_delete(s, key)?)),
        "exists" => Some(Value::from(txn.kv_exists(s, key)?)),
        "scan" | "range" => Some(pairs(scan(txn, args, verb)?)),
        "count" => Some(Value::from(txn.kv_count(s, &args.bytes("prefix")?)?)),
        "cas" => done(txn.kv_cas(s, key, args.get("expected").as_ref(), value)?),
        "swap" => txn.kv_swap(s, key, value)?.or(Some(Value::NULL)),
        "increment" => {
            let (by, initial) = (amount(args, "by", 1), amount(args, "initial", 0));
            done(txn.kv_increment(s, key, by, initial)?)
        }
        "append" => done(txn.kv_append(s, key, value, args.maybe("separator"))?),
        "extend" => done(txn.kv_extend(s, key, args.list("items")?)?),
        "merge" => done(txn.kv_merge(s, key, value, &strategy(args)?)?),
        "purge" => done(txn.kv_purge(s, args.number("limit", 1000)?)?),
        _ => None,
    })
}

fn put(txn: &Txn, args: &Args<'_>, key: &[u8], value: Value) -> Result<Value> {
    let s = &args.space()?;
    if args.flag("if_absent")? && txn.kv_exists(s, key)? {
        return Ok(Value::from(false));
    }
    if let Some(version) = args.if_version()? {
        let expected = Some(version).filter(|v| *v > 0);
        txn.kv_must_be_at(s, key, expected)?;
    }
    match (args.time("expires")?, args.maybe_number("ttl_ms")?) {
        (Some(_), Some(_)) => return Err(args.wrong("ttl_ms", "given without 'expires'")),
        (Some(at), None) => txn.kv_put_until(s, key, value, at)?,
        (None, Some(ms)) => txn.kv_put_for(s, key, value, Duration::from_millis(ms))?,
        (None, None) => txn.kv_put(s, key, value)?,
    }
    Ok(Value::from(true))
}

fn scan(txn: &Txn, args: &Args<'_>, verb: &str) -> Result<Vec<(Vec<u8>, Value)>> {
    let s = &args.space()?;
    let limit = args.limit()?;
    let (from, to) = match verb {
        "range" => (args.bytes("from")?, args.maybe_bytes("to")?),
        _ => {
            let (prefix, after) = (args.bytes("prefix")?, args.maybe_bytes("after")?);
            let end = after_prefix(&prefix).map(|end| end.to_vec());
            let behind = after.map(|after| behind(&after).to_vec());
            let to = [args.maybe_bytes("before")?, end].into_iter().flatten();
            (behind.unwrap_or_default().max(prefix), to.min())
        }
    };
    if args.flag("reverse")? {
        txn.kv_range_reverse(s, &from, to.as_deref(), limit)
    } else {
        txn.kv_range(s, &from, to.as_deref(), limit)
    }
}

fn pairs(found: Vec<(Vec<u8>, Value)>) -> Value {
    let pair = |(key, value): (Vec<u8>, Value)| value!({ "key": (key_value(key)), "value": value });
    found.into_iter().map(pair).collect()
}

pub(super) fn strategy(args: &Args<'_>) -> Result<MergeStrategy> {
    Ok(match args.text("strategy")?.as_str() {
        "last" => MergeStrategy::Last,
        "first" => MergeStrategy::First,
        "accumulate" => MergeStrategy::Accumulate,
        "concatenate" => MergeStrategy::Concatenate,
        "deep" => MergeStrategy::Deep,
        _ => {
            let known = "last, first, accumulate, concatenate or deep";
            return Err(args.wrong("strategy", known));
        }
    })
}
