//! Ops: what a commit does, as the log holds it and as the tree applies it.
//!
//! A commit's payload is the MessagePack array `[base version, [op, …]]`; an op is `[tag, space, key, …]`, its space
//! nil for the default one. `docs/FORMAT.md` has the table. Readers skip elements that come after those they know.
//!
//! An op is a deterministic function of the state, itself and its commit's [`Stamp`]. One that fails changes nothing.

use rmp::decode::{read_array_len, read_int};
use rmp::encode;
use statewright_log::Timestamp;
use statewright_value::{Limits, MAX_DEPTH, Path, Value};

use crate::error::{Error, Result};
use crate::event::EventAppend;
use crate::room;
use crate::run::RunOp;
use crate::space::{self, KeyBuf, Primitive, Space, SpaceOp};
use crate::target::{Entry, Stamp, Target};
use crate::trace::TraceRecord;

mod edit;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub use edit::Edit;
use wire::Decoded;

/// One change to one place.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Sets a key to a value.
    KvPut {
        /// The space.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// Its new value.
        value: Value,
    },
    /// Removes a key.
    KvDelete {
        /// The space.
        space: Space,
        /// The key.
        key: Vec<u8>,
    },
    /// Sets a key to a value for a time.
    KvPutUntil {
        /// The space.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// Its new value.
        value: Value,
        /// From when on it is no longer there.
        expires: Timestamp,
    },
    /// Makes something of a key's value.
    KvEdit {
        /// The space.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// What.
        edit: Edit,
    },
    /// Removes keys that had expired when it was committed.
    KvPurge {
        /// The space.
        space: Space,
        /// How many at most.
        max: u64,
    },
    /// Makes a document that was not there.
    DocCreate {
        /// The document.
        doc: Doc,
        /// Its content.
        value: Value,
    },
    /// Sets one path of a document; the root path replaces or makes the whole.
    DocSet {
        /// The document.
        doc: Doc,
        /// Where in it.
        path: Path,
        /// What is set.
        value: Value,
    },
    /// Removes one path of a document.
    DocRemove {
        /// The document.
        doc: Doc,
        /// Where in it.
        path: Path,
    },
    /// Removes a document.
    DocDrop {
        /// The document.
        doc: Doc,
    },
    /// Makes something of what is at one path of a document.
    DocEdit {
        /// The document.
        doc: Doc,
        /// Where in it.
        path: Path,
        /// What.
        edit: Edit,
    },
    /// Puts an event at the end of a stream.
    Event(EventAppend),
    /// Writes a trace down.
    Trace(Box<TraceRecord>),
    /// Makes, changes or removes a run.
    Run(Box<RunOp>),
    /// Removes or copies everything in a space.
    Space(SpaceOp),
}

/// A document's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    /// JSON, cell or flow.
    pub primitive: Primitive,
    /// The space.
    pub space: Space,
    /// The key.
    pub key: String,
}

const KV_PUT: u8 = 0x02;
const KV_DELETE: u8 = 0x03;
/// What the low half of these tags says is the verb.
const KV_OPS: u8 = 0x10;
const JSON_OPS: u8 = 0x20;
const FLOW_OPS: u8 = 0x30;
const CELL_OPS: u8 = 0x40;
const RUN_OPS: u8 = 0x50;
const EVENT_OPS: u8 = 0x60;
const TRACE_OPS: u8 = 0x70;
const SPACE_OPS: u8 = 0x80;
const FAMILY: u8 = 0xF0;
/// Verbs of documents below those of [`Edit`].
const CREATE: u8 = 0;
const SET: u8 = 1;
const REMOVE: u8 = 2;
const DROP: u8 = 3;
/// Verbs of kv below those of [`Edit`].
const PUT_UNTIL: u8 = 0;
const PURGE: u8 = 1;

impl Op {
    /// Where the op strikes, as people read it: `default/json/order-17 .lines[2]`.
    pub fn target(&self) -> String {
        let at = space::display(&self.key());
        match self {
            Op::DocSet { path, .. } | Op::DocRemove { path, .. } | Op::DocEdit { path, .. } => {
                format!("{at} {path}")
            }
            _ => at,
        }
    }

    /// The op's name: `kv.put`, `json.set`, …
    pub fn name(&self) -> String {
        let (primitive, verb) = match self {
            Op::KvPut { .. } | Op::KvPutUntil { .. } => (Primitive::Kv, "put"),
            Op::KvDelete { .. } => (Primitive::Kv, "delete"),
            Op::KvEdit { edit, .. } => (Primitive::Kv, edit.name()),
            Op::KvPurge { .. } => (Primitive::Kv, "purge"),
            Op::DocCreate { doc, .. } => (doc.primitive, "create"),
            Op::DocSet { doc, .. } => (doc.primitive, "set"),
            Op::DocRemove { doc, .. } => (doc.primitive, "remove"),
            Op::DocDrop { doc } => (doc.primitive, "drop"),
            Op::DocEdit { doc, edit, .. } => (doc.primitive, edit.name()),
            Op::Event(op) if op.time.is_some() => (Primitive::Event, "restore"),
            Op::Event(_) => (Primitive::Event, "append"),
            Op::Trace(_) => (Primitive::Trace, "record"),
            Op::Run(op) => (Primitive::Run, op.name()),
            Op::Space(op) => return format!("space.{}", op.name()),
        };
        format!("{}.{verb}", primitive.name())
    }

    /// The value that the op writes, or that it makes something of what is there with; none if it has none.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Op::KvPut { value, .. }
            | Op::KvPutUntil { value, .. }
            | Op::DocCreate { value, .. }
            | Op::DocSet { value, .. } => Some(value),
            Op::KvEdit { edit, .. } | Op::DocEdit { edit, .. } => edit.value(),
            Op::Event(op) => Some(&op.payload),
            Op::Trace(op) => Some(&op.payload),
            Op::Run(op) => op.value(),
            _ => None,
        }
    }

    /// Whether it can change something in this space.
    pub(crate) fn is_in(&self, wanted: &Space) -> bool {
        match self {
            Op::KvPut { space, .. }
            | Op::KvDelete { space, .. }
            | Op::KvPutUntil { space, .. }
            | Op::KvEdit { space, .. }
            | Op::KvPurge { space, .. } => space == wanted,
            Op::DocCreate { doc, .. }
            | Op::DocSet { doc, .. }
            | Op::DocRemove { doc, .. }
            | Op::DocDrop { doc }
            | Op::DocEdit { doc, .. } => doc.space == *wanted,
            Op::Event(op) => op.space == *wanted,
            Op::Trace(op) => op.space == *wanted,
            Op::Run(op) => *op.space() == *wanted,
            Op::Space(SpaceOp::Delete { space }) => space == wanted,
            Op::Space(SpaceOp::Copy { to, .. }) => to == wanted,
        }
    }

    /// Refuses a value that recovery, or a reader of the entry that holds it, could not read back; values made in the
    /// program can be of any depth. O(1).
    pub(crate) fn check(&self) -> Result<()> {
        let around = match self {
            Op::KvEdit { edit, .. } | Op::DocEdit { edit, .. } => return edit.check(),
            Op::Event(_) | Op::Trace(_) | Op::Run(_) => 1,
            _ => 0,
        };
        self.value()
            .map_or(Ok(()), |value| check_depth(value, MAX_DEPTH - around))
    }

    pub(crate) fn key(&self) -> KeyBuf {
        match self {
            Op::KvPut { space, key, .. }
            | Op::KvDelete { space, key }
            | Op::KvPutUntil { space, key, .. }
            | Op::KvEdit { space, key, .. } => space::encode(space, Primitive::Kv, key),
            Op::KvPurge { space, .. } => space::encode(space, Primitive::Kv, &[]),
            Op::DocCreate { doc, .. }
            | Op::DocSet { doc, .. }
            | Op::DocRemove { doc, .. }
            | Op::DocDrop { doc }
            | Op::DocEdit { doc, .. } => doc.encoded(),
            Op::Event(op) => op.head_key(),
            Op::Trace(op) => op.key(),
            Op::Run(op) => op.key(),
            Op::Space(op) => op.key(),
        }
    }

    /// Changes the state. A failure changes nothing and means that the op does not fit this state. O(log n + path).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        self.apply_to(&self.key(), target, at)
    }

    /// As [`apply`](Op::apply), when its [key](Op::key) is at hand.
    pub(crate) fn apply_to<T: Target>(&self, key: &[u8], target: &mut T, at: Stamp) -> Result<()> {
        match self {
            Op::Event(op) => return op.apply(target, at),
            Op::Trace(op) => return op.apply(target, at),
            Op::Run(op) => return op.apply(target, at),
            Op::Space(op) => return op.apply(target, at),
            Op::KvPurge { space, max } => return crate::kv::purge(target, space, *max, at),
            _ => {}
        }
        let missing = || Error::NotFound {
            what: space::display(key),
        };
        let put = |target: &mut T, value: &Value| {
            target.put(key, Entry::new(value.clone(), at.version));
        };
        match self {
            Op::KvPut { value, .. } => put(target, value),
            Op::KvPutUntil { value, expires, .. } => {
                crate::kv::put_until(target, key, value, *expires, at);
            }
            Op::KvEdit { edit, .. } => edit_kv(target, key, edit, at)?,
            Op::DocCreate { value, .. } => {
                if target.get(key).is_some() {
                    return Err(Error::AlreadyExists {
                        what: space::display(key),
                    });
                }
                put(target, value);
            }
            Op::DocSet { path, value, .. } if path.segments().is_empty() => put(target, value),
            Op::DocSet { path, value, .. } => target
                .edit(key, at.version, |doc| {
                    T::room_for_edit(doc, path)?;
                    Ok(doc.set(path, value.clone())?)
                })
                .ok_or_else(missing)??,
            Op::DocRemove { path, .. } => target
                .edit(key, at.version, |doc| {
                    T::room_for_edit(doc, path)?;
                    doc.remove(path)?;
                    Ok(())
                })
                .ok_or_else(missing)??,
            Op::DocEdit { path, edit, .. } => target
                .edit(key, at.version, |doc| {
                    T::room_for_edit(doc, path)?;
                    edit.apply(doc, path).map_err(|e| Error::at(key, e))
                })
                .ok_or_else(missing)??,
            Op::KvDelete { .. } | Op::DocDrop { .. } => {
                target.remove(key);
            }
            _ => {}
        }
        Ok(())
    }

    /// What applying it to the document at its key would give: the memory that it takes, if that is much, or why it
    /// fails. None if that cannot be told for less than applying it, or there is no document. O(path).
    pub(crate) fn check_on(
        &self,
        key: &[u8],
        doc: impl FnOnce() -> Option<Value>,
    ) -> Option<Result<usize>> {
        let (path, doc, fits) = match self {
            Op::DocSet { path, value, .. } if !path.segments().is_empty() => {
                let doc = doc()?;
                let fits = doc.check_set(path, value).map_err(Error::from);
                (path, doc, fits)
            }
            Op::DocEdit {
                path,
                edit: Edit::Add { by, initial },
                ..
            } => {
                let doc = doc()?;
                let sum = edit::sum(doc.at(path).as_ref(), by, initial, path);
                let fits = sum.and_then(|sum| doc.check_set(path, &sum));
                (path, doc, fits.map_err(|e| Error::at(key, e)))
            }
            _ => return None,
        };
        Some(fits.and_then(|()| room::for_edit(&doc, path)))
    }

    /// Whether it looks at nothing but what is at its key, changes nothing else, and does not ask what time it is: done
    /// to the same entry, it gives the same, whatever has happened elsewhere.
    pub(crate) fn is_local(&self) -> bool {
        matches!(
            self,
            Op::KvPut { .. }
                | Op::KvDelete { .. }
                | Op::DocCreate { .. }
                | Op::DocSet { .. }
                | Op::DocRemove { .. }
                | Op::DocDrop { .. }
                | Op::DocEdit { .. }
        )
    }

    /// Whether a key may expire by it that did not before.
    pub(crate) fn may_set_expiry(&self) -> bool {
        matches!(self, Op::KvPutUntil { .. } | Op::Space(_))
    }

    /// Whether it may fit at one time and, to the same state, not at another.
    pub(crate) fn may_fail_later(&self) -> bool {
        match self {
            Op::KvEdit { .. } => true,
            Op::Event(op) => op.time.is_some(),
            _ => false,
        }
    }

    /// Whether there are sound states that it cannot be applied to.
    pub(crate) fn can_fail(&self) -> bool {
        match self {
            Op::KvPut { .. } | Op::KvDelete { .. } | Op::KvPutUntil { .. } | Op::DocDrop { .. } => {
                false
            }
            Op::Event(op) => op.time.is_some(),
            _ => true,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Op::KvPut { space, key, value } => {
                wire::head(out, 4, KV_PUT, space);
                wire::bin(out, key);
                value.write_msgpack(out);
            }
            Op::KvDelete { space, key } => {
                wire::head(out, 3, KV_DELETE, space);
                wire::bin(out, key);
            }
            Op::KvPutUntil {
                space,
                key,
                value,
                expires,
            } => {
                wire::head(out, 5, KV_OPS | PUT_UNTIL, space);
                wire::bin(out, key);
                value.write_msgpack(out);
                wire::time(out, *expires);
            }
            Op::KvEdit { space, key, edit } => {
                let (verb, more) = edit.verb();
                wire::head(out, more.saturating_add(3), KV_OPS | verb, space);
                wire::bin(out, key);
                edit.encode(out);
            }
            Op::KvPurge { space, max } => {
                wire::head(out, 3, KV_OPS | PURGE, space);
                wire::uint(out, *max);
            }
            Op::DocCreate { doc, value } => {
                doc.head(out, 4, CREATE);
                value.write_msgpack(out);
            }
            Op::DocSet { doc, path, value } => {
                doc.head(out, 5, SET);
                wire::write_path(out, path);
                value.write_msgpack(out);
            }
            Op::DocRemove { doc, path } => {
                doc.head(out, 4, REMOVE);
                wire::write_path(out, path);
            }
            Op::DocDrop { doc } => doc.head(out, 3, DROP),
            Op::DocEdit { doc, path, edit } => {
                let (verb, more) = edit.verb();
                doc.head(out, more.saturating_add(4), verb);
                wire::write_path(out, path);
                edit.encode(out);
            }
            Op::Event(op) => op.encode(out, EVENT_OPS),
            Op::Trace(op) => op.encode(out, TRACE_OPS),
            Op::Run(op) => op.encode(out, RUN_OPS),
            Op::Space(op) => op.encode(out, SPACE_OPS),
        }
    }

    fn decode(input: &mut &[u8]) -> Decoded<Op> {
        let len = read_array_len(input).map_err(|_| "an op is not an array")?;
        let tag: u8 = read_int(input).map_err(|_| "an op has no tag")?;
        let space = wire::read_space(input)?;
        let (op, used) = match tag {
            KV_PUT => (
                Op::KvPut {
                    space,
                    key: wire::read_bytes(input)?,
                    value: wire::read_value(input)?,
                },
                4,
            ),
            KV_DELETE => (
                Op::KvDelete {
                    space,
                    key: wire::read_bytes(input)?,
                },
                3,
            ),
            _ => {
                let verb = tag & !FAMILY;
                match tag & FAMILY {
                    KV_OPS => decode_kv(verb, space, input)?,
                    JSON_OPS => decode_doc(verb, Primitive::Json, space, input)?,
                    FLOW_OPS => decode_doc(verb, Primitive::Flow, space, input)?,
                    CELL_OPS => decode_doc(verb, Primitive::Cell, space, input)?,
                    RUN_OPS => {
                        let (op, used) = RunOp::decode(verb, space, input)?;
                        (Op::Run(Box::new(op)), used)
                    }
                    EVENT_OPS => {
                        let (op, used) = EventAppend::decode(verb, space, input)?;
                        (Op::Event(op), used)
                    }
                    TRACE_OPS if verb == 0 => {
                        let record = TraceRecord::decode(space, input)?;
                        (Op::Trace(Box::new(record)), 8)
                    }
                    SPACE_OPS => {
                        let (op, used) = SpaceOp::decode(verb, space, input)?;
                        (Op::Space(op), used)
                    }
                    _ => return Err(UNKNOWN),
                }
            }
        };
        skip(input, len, used)?;
        Ok(op)
    }
}

/// What is said of a tag that is not in the table.
pub(crate) const UNKNOWN: &str = "an op has a tag that this version does not know";

fn check_depth(value: &Value, depth: usize) -> Result<()> {
    if !value.nests_within(depth) {
        value.check(&Limits::unlimited().with_max_depth(depth))?;
    }
    Ok(())
}

fn edit_kv(target: &mut impl Target, key: &[u8], edit: &Edit, at: Stamp) -> Result<()> {
    let live = target.get(key).is_some_and(|e| e.is_live(at.time));
    let about = |e| Error::at(key, e);
    if !live {
        let value = edit.fresh().map_err(about)?;
        target.put(key, Entry::new(value, at.version));
        return Ok(());
    }
    let root = Path::root();
    let edited = target.edit(key, at.version, |value| {
        edit.apply(value, &root).map_err(about)
    });
    edited.unwrap_or(Ok(()))
}

fn decode_kv(verb: u8, space: Space, input: &mut &[u8]) -> Decoded<(Op, u32)> {
    if verb == PURGE {
        let max = wire::read_uint(input)?;
        return Ok((Op::KvPurge { space, max }, 3));
    }
    let key = wire::read_bytes(input)?;
    if verb == PUT_UNTIL {
        let op = Op::KvPutUntil {
            space,
            key,
            value: wire::read_value(input)?,
            expires: wire::read_time(input)?,
        };
        return Ok((op, 5));
    }
    let edit = Edit::decode(verb, input)?;
    let (_, more) = edit.verb();
    Ok((Op::KvEdit { space, key, edit }, more.saturating_add(3)))
}

fn decode_doc(
    verb: u8,
    primitive: Primitive,
    space: Space,
    input: &mut &[u8],
) -> Decoded<(Op, u32)> {
    let doc = Doc {
        primitive,
        space,
        key: wire::read_text(input)?,
    };
    Ok(match verb {
        CREATE => (
            Op::DocCreate {
                doc,
                value: wire::read_value(input)?,
            },
            4,
        ),
        SET => (
            Op::DocSet {
                doc,
                path: wire::read_path(input)?,
                value: wire::read_value(input)?,
            },
            5,
        ),
        REMOVE => (
            Op::DocRemove {
                doc,
                path: wire::read_path(input)?,
            },
            4,
        ),
        DROP => (Op::DocDrop { doc }, 3),
        _ => {
            let path = wire::read_path(input)?;
            let edit = Edit::decode(verb, input)?;
            let (_, more) = edit.verb();
            (Op::DocEdit { doc, path, edit }, more.saturating_add(4))
        }
    })
}

impl Doc {
    pub(crate) fn encoded(&self) -> KeyBuf {
        space::encode(&self.space, self.primitive, self.key.as_bytes())
    }

    fn head(&self, out: &mut Vec<u8>, len: u32, verb: u8) {
        let base = match self.primitive {
            Primitive::Flow => FLOW_OPS,
            Primitive::Cell => CELL_OPS,
            _ => JSON_OPS,
        };
        wire::head(out, len, base | verb, &self.space);
        wire::text(out, &self.key);
    }
}

/// Puts a commit's payload at the end of `out`.
pub(crate) fn encode_commit(base: u64, ops: &[Op], out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = encode::write_array_len(out, 2);
    let _ = encode::write_uint(out, base);
    let _ = encode::write_array_len(out, u32::try_from(ops.len()).unwrap_or(u32::MAX));
    for op in ops {
        op.encode(out);
    }
}

/// Reads a commit's payload back; `version` is for the error. O(bytes).
pub(crate) fn decode_commit(version: u64, mut input: &[u8]) -> Result<Vec<Op>> {
    let corrupt = |why: &str| Error::Corrupt {
        version,
        why: why.to_owned(),
    };
    let input = &mut input;
    let len = read_array_len(input).map_err(|_| corrupt("it is not an array"))?;
    let _base: u64 = read_int(input).map_err(|_| corrupt("it has no base version"))?;
    let count = read_array_len(input).map_err(|_| corrupt("it has no list of ops"))?;
    // Every op takes at least four bytes, so a hostile count cannot make this large.
    let mut ops = Vec::with_capacity((count as usize).min(input.len() / 4));
    for _ in 0..count {
        ops.push(Op::decode(input).map_err(corrupt)?);
    }
    skip(input, len, 2).map_err(corrupt)?;
    if input.is_empty() {
        Ok(ops)
    } else {
        Err(corrupt("bytes follow its last op"))
    }
}

/// Passes over the elements of an array that a newer version added.
fn skip(input: &mut &[u8], len: u32, used: u32) -> Decoded<()> {
    for _ in 0..len.checked_sub(used).ok_or("an op has too few elements")? {
        wire::read_value(input)?;
    }
    Ok(())
}
