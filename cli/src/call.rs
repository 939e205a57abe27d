//! `kv`, `json`, `events`, `cells`, `traces`, `runs`, `spaces` and `txn`: operations on the state.
//!
//! The library knows the operations and their parameters; here arguments become a call, and what it gives is printed.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use statewright::store::{Operation, Store, operations};
use statewright::value::{Error as ValueError, stream};
use statewright::{Engine, Kind, Limits, Options, Value, value};

use crate::args::{Call, StoreFolder, Txn};
use crate::console::Out;
use crate::exit::{Exit, Failure, Result};
use crate::{input, store};

/// The place in a document.
const PATH: &str = "path";

/// Parameters that are text, whatever they look like.
const TEXTS: &[&str] = &[
    "key",
    "path",
    "stream",
    "type",
    "id",
    "tag",
    "prefix",
    "after",
    "before",
    "status",
    "strategy",
    "other",
    "parent",
    "new_id",
    "separator",
];

/// The verbs of operations that make a store where there is none.
const MAKES: &[&str] = &[
    "put",
    "increment",
    "append",
    "extend",
    "merge",
    "swap",
    "create",
    "init",
    "get_or_init",
    "set",
    "record",
];

/// Operations that give what is stored itself, which is shown as it is, where others give lists and objects about it.
const VALUES: &[&str] = &[
    "json.get",
    "json.pop",
    "json.remove",
    "kv.swap",
    "cell.get_or_init",
];

pub fn run(family: &str, options: &Call) -> Result<Exit> {
    let mut out = Out::new();
    let Some(verb) = &options.operation else {
        for operation in operations().iter().filter(|o| verb_of(o, family).is_some()) {
            out.line(described(operation, family))?;
        }
        out.flush()?;
        return Ok(Exit::Done);
    };
    let verb = verb.replace('-', "_");
    let found = operations()
        .iter()
        .find(|operation| verb_of(operation, family) == Some(verb.as_str()));
    let Some(operation) = found else {
        let message = format!(
            "there is no operation '{verb}' of this primitive; without an operation, this command lists them"
        );
        return Err(Failure::new(Exit::Usage, 418, message));
    };
    let call = call_of(operation, options)?;
    let calls = [call];
    let engine = open(&options.store, &calls)?;
    let (results, version) = engine.store().call(&calls)?;
    let result = results.into_iter().next().unwrap_or_default();
    if options.json {
        out.line(value!({ "result": result, "version": version }))?;
    } else if !VALUES.contains(&operation.name) {
        print(&mut out, &result)?;
    } else if !result.is_null() || is_null_there(engine.store(), &calls)? {
        out.line(result)?;
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

pub fn txn(options: &Txn) -> Result<Exit> {
    let calls = read_calls(&options.file)?;
    let engine = open(&options.store, &calls)?;
    let (results, version) = engine.store().call(&calls)?;
    let mut out = Out::new();
    if options.json {
        let results = Value::from(results);
        out.line(value!({ "results": results, "version": version }))?;
    } else {
        for result in results {
            out.line(result)?;
        }
    }
    out.flush()?;
    engine.close()?;
    Ok(Exit::Done)
}

fn open(folder: &StoreFolder, calls: &[Value]) -> Result<Engine> {
    let verb = |call: &Value| {
        let op = call.get("op").unwrap_or_default();
        let (_, verb) = op.as_str()?.split_once('.')?;
        Some(MAKES.contains(&verb))
    };
    if calls.iter().any(|call| verb(call) == Some(true)) {
        return store::open_to_change(folder, Options::default(), |store| {
            Ok(store.call(calls).map(drop)?)
        });
    }
    store::open_quietly(folder)
}

/// Whether a `json.get` gave null because that is there. Nobody else has the store open.
fn is_null_there(store: &Store, calls: &[Value]) -> Result<bool> {
    let [call] = calls else { return Ok(false) };
    if call
        .get("op")
        .is_none_or(|op| op.as_str() != Some("json.get"))
    {
        return Ok(false);
    }
    let mut kind = call.clone();
    kind.insert("op", Value::from("json.type"))
        .map_err(|e| Failure::new(Exit::Usage, e.code(), e.to_string()))?;
    let (kinds, _) = store.call(&[kind])?;
    Ok(kinds.iter().any(|kind| !kind.is_null()))
}

fn verb_of<'a>(operation: &'a Operation, family: &str) -> Option<&'a str> {
    operation.name.strip_prefix(family)?.strip_prefix('.')
}

fn described(operation: &Operation, family: &str) -> String {
    let mut line = verb_of(operation, family).unwrap_or_default().to_owned();
    for name in operation.required {
        line.push_str(&format!(" {}", name.to_uppercase()));
    }
    for name in operation.optional {
        match *name {
            PATH => line.push_str(" [PATH]"),
            name => line.push_str(&format!(" [{name}=…]")),
        }
    }
    if family == "space" && operation.name != "space.list" {
        line.push_str(" [--space SPACE]");
    }
    line
}

/// The call that the arguments ask for: first what the operation needs, in its order, and the path, then `name=value`.
fn call_of(operation: &Operation, options: &Call) -> Result<Value> {
    let mut call = value!({ "op": (operation.name), "space": (options.space.as_str()) });
    let mut needed = operation.required.iter();
    let takes_path = operation.optional.contains(&PATH);
    for arg in &options.args {
        let named = arg
            .split_once('=')
            .filter(|(name, _)| operation.optional.contains(name));
        let (name, text) = match (named, needed.as_slice().is_empty()) {
            (Some(named), true) => named,
            (_, false) => (needed.next().copied().unwrap_or_default(), arg.as_str()),
            (None, true) if takes_path && call.get(PATH).is_none() => (PATH, arg.as_str()),
            (None, true) => {
                let problem = match arg.split_once('=') {
                    Some((name, _)) => format!("it does not take '{name}'"),
                    None => format!("'{arg}' is one argument too many"),
                };
                return Err(misused(operation, &problem));
            }
        };
        call.insert(name, read(operation, name, text)?)
            .map_err(|e| Failure::new(Exit::Usage, e.code(), e.to_string()))?;
    }
    match needed.next() {
        Some(missing) => Err(misused(operation, &format!("'{missing}' is missing"))),
        None => Ok(call),
    }
}

fn misused(operation: &Operation, problem: &str) -> Failure {
    let family = operation.name.split('.').next().unwrap_or_default();
    let usage = described(operation, family);
    Failure::new(Exit::Usage, 418, format!("{problem}; write: {usage}"))
}

fn read(operation: &Operation, name: &str, text: &str) -> Result<Value> {
    let place = matches!(name, "from" | "to")
        && !operation.name.starts_with("event.")
        && operation.name != "json.move_item";
    if place || TEXTS.contains(&name) {
        return Ok(Value::from(text));
    }
    input::value(text)
}

/// An array item by item, nothing for null.
fn print(out: &mut Out, result: &Value) -> Result<()> {
    match result.kind() {
        Kind::Null => Ok(()),
        Kind::Array => result.items().try_for_each(|item| out.line(item)),
        _ => out.line(result),
    }
}

fn read_calls(file: &str) -> Result<Vec<Value>> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        fs::read(Path::new(file)).map(|read| bytes = read)
    };
    read.map_err(|e| Failure::new(Exit::Usage, 300, format!("could not read {file}: {e}")))?;
    let usage = |e: ValueError| Failure::new(Exit::Usage, e.code(), format!("{file}: {e}"));
    // Ops are checked when they are made: a value as deep as can be stored is deeper here.
    let limits = Limits::unlimited();
    if bytes.trim_ascii_start().starts_with(b"[") {
        let calls = Value::from_typed_json_with(bytes.as_slice(), &limits).map_err(usage)?;
        return Ok(calls.items().collect());
    }
    stream::ndjson(bytes.as_slice())
        .with_limits(limits)
        .map(|line| line.and_then(|line| line.from_typed()).map_err(usage))
        .collect()
}
