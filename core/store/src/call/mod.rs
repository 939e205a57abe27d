//! Calls as data: every operation of every primitive as an object, for other languages, files and command lines.
//!
//! A call is `{"op": "kv.put", "space": "acme/app", "key": "k", "value": 1}`; [`operations`] lists the operations with
//! their parameters, and `space` is the default one unless it is given. What an operation gives is a value, too.

use statewright_log::Timestamp;
use statewright_value::{Kind, Path, Value, value};

use crate::error::{Error, Result};
use crate::event::Appended;
use crate::history::Past;
use crate::index::{After, Span};
use crate::op::Edit;
use crate::reader::Stored;
use crate::space::{Primitive, Space};
use crate::store::Store;
use crate::txn::Txn;

mod docs;
mod kv;
mod records;
mod scan;
mod table;

pub use scan::Scan;
pub use table::{Operation, operations};

/// A call, and what it brings.
pub(super) struct Args<'a> {
    op: &'static Operation,
    call: &'a Value,
}

impl<'a> Args<'a> {
    /// Checks the call against the table.
    fn read(call: &'a Value) -> Result<Args<'a>> {
        let name = call.get("op");
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
        let Some(op) = operations().iter().find(|op| op.name == name) else {
            let problem = "there is no such operation; `operations` lists them".to_owned();
            return Err(invalid(name, problem));
        };
        for (key, _) in call.entries() {
            let known = matches!(key, "op" | "space") || op.takes(key);
            if !known {
                let takes = op.parameters().collect::<Vec<_>>().join(", ");
                return Err(invalid(
                    name,
                    format!("'{key}' is not known; it takes: {takes}"),
                ));
            }
        }
        for key in op.required {
            let problem = match call.get(key) {
                None => "is missing",
                // Of what is stored, null is a value like others.
                Some(given) if given.is_null() && !matches!(*key, "value" | "payload") => {
                    "must not be null"
                }
                Some(_) => continue,
            };
            return Err(invalid(name, format!("'{key}' {problem}")));
        }
        Ok(Args { op, call })
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        invalid(self.op.name, format!("'{key}' must be {expected}"))
    }

    fn get(&self, key: &str) -> Option<Value> {
        self.call.get(key)
    }

    /// A value; null if it is not given.
    fn value(&self, key: &str) -> Value {
        self.get(key).unwrap_or_default()
    }

    /// A value; none if it is not given or null.
    fn maybe(&self, key: &str) -> Option<Value> {
        self.get(key).filter(|v| !v.is_null())
    }

    fn maybe_text(&self, key: &str) -> Result<Option<String>> {
        match self.maybe(key) {
            None => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(self.wrong(key, "text")),
            },
        }
    }

    /// Text; empty if it is not given.
    fn text(&self, key: &str) -> Result<String> {
        Ok(self.maybe_text(key)?.unwrap_or_default())
    }

    fn maybe_bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self.maybe(key) {
            None => Ok(None),
            Some(value) => match bytes_of(&value) {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(self.wrong(key, "text or bytes")),
            },
        }
    }

    /// Bytes, or those of text; empty if it is not given.
    fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        Ok(self.maybe_bytes(key)?.unwrap_or_default())
    }

    fn maybe_number(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.maybe(key) else {
            return Ok(None);
        };
        let number = value.as_u64();
        number
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a whole number from 0 on"))
    }

    /// The version that something must have, 0 if it is not to be there; none if no condition is given. Null is none:
    /// who takes it from something that is not there would write over what somebody else has put there since.
    fn if_version(&self) -> Result<Option<u64>> {
        match self.get("if_version") {
            Some(given) if given.is_null() => {
                let expected = "a version, or 0 for what is not there, or not be given";
                Err(self.wrong("if_version", expected))
            }
            _ => self.maybe_number("if_version"),
        }
    }

    fn number(&self, key: &str, default: u64) -> Result<u64> {
        Ok(self.maybe_number(key)?.unwrap_or(default))
    }

    fn index(&self, key: &str) -> Result<usize> {
        usize::try_from(self.number(key, 0)?).map_err(|_| self.wrong(key, "an index"))
    }

    /// How many results at most; 100 unless it is given.
    fn limit(&self) -> Result<usize> {
        let limit = self.number("limit", 100)?;
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        match self.maybe(key) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    fn path(&self, key: &str) -> Result<Path> {
        Ok(Path::parse(&self.text(key)?)?)
    }

    fn time(&self, key: &str) -> Result<Option<Timestamp>> {
        let Some(value) = self.maybe(key) else {
            return Ok(None);
        };
        let micros = value.as_i64().map(Timestamp::from_micros);
        micros
            .map(Some)
            .ok_or_else(|| self.wrong(key, "microseconds since 1970, a whole number"))
    }

    /// A time that must be given.
    fn needed_time(&self, key: &str) -> Result<Timestamp> {
        let expected = "microseconds since 1970, a whole number";
        self.time(key)?.ok_or_else(|| self.wrong(key, expected))
    }

    /// From `since` up to `until`.
    fn span(&self) -> Result<Span> {
        let span = self.time("since")?.map(Span::from).unwrap_or_default();
        Ok(match self.time("until")? {
            Some(until) => span.until(until),
            None => span,
        })
    }

    /// A record by its id or, whether it is there or not, its time and its id.
    fn after(&self) -> Result<Option<After>> {
        let Some(value) = self.maybe("after") else {
            return Ok(None);
        };
        let place = match value.as_str() {
            Some(id) => Some(After::from(id)),
            None => value.index(0).zip(value.index(1)).and_then(|(time, id)| {
                let time = Some(Timestamp::from_micros(time.as_i64()?));
                let id = id.as_str()?.to_owned();
                Some(After { time, id })
            }),
        };
        let wrong = || self.wrong("after", "an id, or an array of a time and an id");
        place.map(Some).ok_or_else(wrong)
    }

    fn list(&self, key: &str) -> Result<Vec<Value>> {
        let value = self.value(key);
        match value.kind() {
            Kind::Null => Ok(Vec::new()),
            Kind::Array => Ok(value.items().collect()),
            _ => Err(self.wrong(key, "an array")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>> {
        let text = |v: Value| v.as_str().map(str::to_owned);
        let texts: Option<Vec<_>> = self.list(key)?.into_iter().map(text).collect();
        texts.ok_or_else(|| self.wrong(key, "an array of text"))
    }

    fn space(&self) -> Result<Space> {
        match self.maybe_text("space")? {
            Some(name) => Space::parse(&name),
            None => Ok(Space::default()),
        }
    }
}

impl Txn {
    /// Runs one call in this transaction.
    ///
    /// Fails with [`Error::InvalidCall`] if it is not well formed, or as the operation does; then nothing is changed.
    /// Operations on the past are none of a transaction: they are calls of a store. Costs what the operation costs.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let txn = store.begin();
    /// txn.call(&value!({"op": "kv.put", "key": "k", "value": 1}))?;
    /// let got = txn.call(&value!({"op": "kv.get", "key": "k"}))?;
    /// assert_eq!(got.get("value"), Some(value!(1)));
    /// let typo = txn.call(&value!({"op": "kv.put", "key": "k", "valeu": 1}));
    /// assert_eq!(typo.unwrap_err().code(), 418);
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn call(&self, call: &Value) -> Result<Value> {
        let args = Args::read(call)?;
        self.all_or_nothing(|| run(self, &args))
    }
}

impl Store {
    /// Runs calls in one transaction, tried again after conflicts: all of them, or none if one fails. Gives what each
    /// gives, and the version. One call alone may also be on the past, and then `kv.increment`, `json.increment` and
    /// `event.append` give the sum and the sequence, and never conflict.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let (given, version) = store.call(&[
    ///     value!({"op": "json.create", "key": "order", "value": {"lines": []}}),
    ///     value!({"op": "json.push", "key": "order", "path": ".lines", "items": ["book"]}),
    ///     value!({"op": "event.append", "stream": "orders", "type": "placed", "payload": {}}),
    ///     value!({"op": "json.get", "key": "order", "path": ".lines[0]"}),
    /// ])?;
    /// assert_eq!((&given[3], version), (&value!("book"), 1));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn call(&self, calls: &[Value]) -> Result<(Vec<Value>, u64)> {
        if let [call] = calls {
            let args = Args::read(call)?;
            if let Some((given, version)) = alone(self, &args)? {
                return Ok((vec![given], version));
            }
        }
        self.transact_versioned(|txn| calls.iter().map(|call| txn.call(call)).collect())
    }
}

fn run(txn: &Txn, args: &Args<'_>) -> Result<Value> {
    let (family, verb) = args.op.name.split_once('.').unwrap_or_default();
    let done = match family {
        "kv" => kv::run(txn, args, verb)?,
        "json" => docs::json(txn, args, verb)?,
        "cell" => docs::cell(txn, args, verb)?,
        "space" => docs::space(txn, args, verb)?,
        "event" => records::event(txn, args, verb)?,
        "trace" => records::trace(txn, args, verb)?,
        "run" => records::run(txn, args, verb)?,
        _ => None,
    };
    done.ok_or_else(|| {
        let problem = "it is on the past: make it as the only call of a store".to_owned();
        invalid(args.op.name, problem)
    })
}

/// What only a store can do, or can do better; none of other operations.
fn alone(store: &Store, args: &Args<'_>) -> Result<Option<(Value, u64)>> {
    let space = args.space()?;
    match args.op.name {
        "kv.increment" => {
            let (by, initial) = (amount(args, "by", 1), amount(args, "initial", 0));
            let (version, sum) = store.add_alone(&space, &args.bytes("key")?, by, initial)?;
            Ok(Some((sum, version)))
        }
        "json.increment" => {
            let (by, initial) = (amount(args, "by", 1), amount(args, "initial", 0));
            let (key, path) = (args.text("key")?, args.path("path")?);
            let add = Edit::Add { by, initial };
            let (version, sum) = store.doc_edit_alone(&space, &key, &path, add)?;
            Ok(Some((sum, version)))
        }
        "event.append" => {
            let (stream, kind) = (args.text("stream")?, args.text("type")?);
            let payload = args.value("payload");
            let Appended { sequences, version } =
                store.event_append(&space, &stream, &kind, payload)?;
            Ok(Some((value!({ "sequence": (sequences.start) }), version)))
        }
        _ => past(store, args, &space),
    }
}

/// What is read from the log, and the version up to which it was read; none of other operations.
fn past(store: &Store, args: &Args<'_>, space: &Space) -> Result<Option<(Value, u64)>> {
    let now = store.snapshot().version();
    let history = |primitive| {
        let (key, limit) = (args.bytes("key")?, args.limit()?);
        Ok::<_, Error>(pasts(store.history(space, primitive, &key, limit, now)?))
    };
    let given = match args.op.name {
        "kv.history" => history(Primitive::Kv)?,
        "json.history" => history(Primitive::Json)?,
        "cell.history" => history(Primitive::Cell)?,
        "kv.get_at" => {
            let version = args.number("version", 0)?;
            stored(store.kv_get_at(space, &args.bytes("key")?, version)?)
        }
        "json.get_at" => {
            let version = args.number("version", 0)?;
            stored(store.json_get_at(space, &args.text("key")?, version)?)
        }
        "cell.get_at" => {
            let version = args.number("version", 0)?;
            stored(store.cell_get_at(space, &args.text("key")?, version)?)
        }
        "run.replay" => {
            let limit = args.limit()?;
            let mut commits = Vec::new();
            store.run_replay(space, &args.text("id")?, &mut |commit| {
                if commits.len() >= limit {
                    return false;
                }
                let op = |op: &crate::Op| value!({ "op": (op.name()), "at": (op.target()) });
                let ops: Value = commit.ops.iter().map(op).collect();
                let (version, time) = (commit.version, commit.time.as_micros());
                commits.push(value!({ "version": version, "time": time, "ops": ops }));
                commits.len() < limit
            })?;
            Value::from(commits)
        }
        _ => return Ok(None),
    };
    Ok(Some((given, now)))
}

fn invalid(op: &str, problem: String) -> Error {
    Error::InvalidCall {
        op: op.chars().take(64).collect(),
        problem,
    }
}

fn amount(args: &Args<'_>, key: &str, default: i64) -> Value {
    args.maybe(key).unwrap_or_else(|| Value::from(default))
}

/// `{value, version}`, and `expires` if it does; null if nothing is there.
fn stored(stored: Option<Stored>) -> Value {
    let Some(stored) = stored else {
        return Value::NULL;
    };
    let (value, version) = (stored.value, stored.version);
    match stored.expires {
        None => value!({ "value": value, "version": version }),
        Some(at) => {
            value!({ "value": value, "version": version, "expires": (at.as_micros()) })
        }
    }
}

fn pasts(pasts: Vec<Past>) -> Value {
    let past = |past: Past| {
        let (version, time) = (past.version, past.time.as_micros());
        match (past.value, past.expires) {
            (None, _) => value!({ "version": version, "time": time, "removed": true }),
            (Some(value), None) => value!({ "version": version, "time": time, "value": value }),
            (Some(value), Some(at)) => {
                let at = at.as_micros();
                value!({ "version": version, "time": time, "value": value, "expires": at })
            }
        }
    };
    pasts.into_iter().map(past).collect()
}

/// Bytes, or those of text.
fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str().map(str::as_bytes);
    text.or_else(|| value.as_bytes()).map(<[u8]>::to_vec)
}

/// A key as text if it is text, else as bytes.
fn key_value(key: Vec<u8>) -> Value {
    match String::from_utf8(key) {
        Ok(text) => Value::from(text),
        Err(bytes) => Value::bytes(bytes.into_bytes()),
    }
}

fn done<T>(_: T) -> Option<Value> {
    Some(Value::NULL)
}
