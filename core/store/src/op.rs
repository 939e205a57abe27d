//! Ops: what a commit does, as the log holds it and as the tree applies it.
//!
//! A commit's payload is the MessagePack array `[base version, [op, …]]`; an op is `[tag, space, key, …]`, its space
//! nil for the default one. `docs/FORMAT.md` has the table. Readers skip elements that come after those they know.

use rmp::decode::{read_array_len, read_bin_len, read_int, read_marker, read_str_len};
use rmp::{Marker, encode};
use statewright_value::{Kind, Limits, Path, Segment, Value};

use crate::error::{Error, Result};
use crate::space::{self, Primitive, Space};
use crate::target::{Entry, Stamp, Target};
use crate::tree::Key;

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
}

/// A document's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    /// JSON or flow.
    pub primitive: Primitive,
    /// The space.
    pub space: Space,
    /// The key.
    pub key: String,
}

const KV_PUT: u8 = 0x02;
const KV_DELETE: u8 = 0x03;
/// The four document ops of a primitive are its base plus 0 create, 1 set, 2 remove, 3 drop.
const JSON_OPS: u8 = 0x20;
const FLOW_OPS: u8 = 0x30;
const CREATE: u8 = 0;
const SET: u8 = 1;
const REMOVE: u8 = 2;
const DROP: u8 = 3;

impl Op {
    /// Where the op strikes, as people read it: `default/json/order-17 .lines[2]`.
    pub fn target(&self) -> String {
        let at = space::display(&self.key());
        match self {
            Op::DocSet { path, .. } | Op::DocRemove { path, .. } => format!("{at} {path}"),
            _ => at,
        }
    }

    /// The op's name: `kv.put`, `json.set`, …
    pub fn name(&self) -> String {
        let (primitive, verb) = match self {
            Op::KvPut { .. } => (Primitive::Kv, "put"),
            Op::KvDelete { .. } => (Primitive::Kv, "delete"),
            Op::DocCreate { doc, .. } => (doc.primitive, "create"),
            Op::DocSet { doc, .. } => (doc.primitive, "set"),
            Op::DocRemove { doc, .. } => (doc.primitive, "remove"),
            Op::DocDrop { doc } => (doc.primitive, "drop"),
        };
        format!("{}.{verb}", primitive.name())
    }

    /// The value that the op writes, if it writes one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Op::KvPut { value, .. } | Op::DocCreate { value, .. } | Op::DocSet { value, .. } => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Refuses a value that recovery could not read back; values made in the program can be of any depth. O(value).
    pub(crate) fn check(&self) -> Result<()> {
        let nested = |value: &&Value| matches!(value.kind(), Kind::Array | Kind::Object);
        let value = self.value().filter(nested);
        Ok(value.map_or(Ok(()), |value| value.check(&Limits::unlimited()))?)
    }

    pub(crate) fn key(&self) -> Key {
        match self {
            Op::KvPut { space, key, .. } | Op::KvDelete { space, key } => {
                space::encode(space, Primitive::Kv, key).into()
            }
            Op::DocCreate { doc, .. }
            | Op::DocSet { doc, .. }
            | Op::DocRemove { doc, .. }
            | Op::DocDrop { doc } => doc.encoded(),
        }
    }

    /// Changes the state. A failure changes nothing and means that the op does not fit this state. O(log n + path).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        let key = self.key();
        let missing = || Error::NotFound {
            what: space::display(&key),
        };
        let put = |target: &mut _, value: &Value| {
            Target::put(target, &key, Entry::new(value.clone(), at.version));
        };
        match self {
            Op::KvPut { value, .. } => put(target, value),
            Op::DocCreate { value, .. } => {
                if target.get(&key).is_some() {
                    return Err(Error::AlreadyExists {
                        what: space::display(&key),
                    });
                }
                put(target, value);
            }
            Op::DocSet { path, value, .. } if path.segments().is_empty() => put(target, value),
            Op::DocSet { path, value, .. } => target
                .edit(&key, at.version, |doc| Ok(doc.set(path, value.clone())?))
                .ok_or_else(missing)??,
            Op::DocRemove { path, .. } => target
                .edit(&key, at.version, |doc| {
                    doc.remove(path)?;
                    Ok(())
                })
                .ok_or_else(missing)??,
            Op::KvDelete { .. } | Op::DocDrop { .. } => {
                target.remove(&key);
            }
        }
        Ok(())
    }

    /// Whether there are states that it cannot be applied to.
    pub(crate) fn can_fail(&self) -> bool {
        !matches!(
            self,
            Op::KvPut { .. } | Op::KvDelete { .. } | Op::DocDrop { .. }
        )
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Op::KvPut { space, key, value } => {
                head(out, 4, KV_PUT, space);
                bin(out, key);
                value.write_msgpack(out);
            }
            Op::KvDelete { space, key } => {
                head(out, 3, KV_DELETE, space);
                bin(out, key);
            }
            Op::DocCreate { doc, value } => {
                doc.head(out, 4, CREATE);
                value.write_msgpack(out);
            }
            Op::DocSet { doc, path, value } => {
                doc.head(out, 5, SET);
                write_path(out, path);
                value.write_msgpack(out);
            }
            Op::DocRemove { doc, path } => {
                doc.head(out, 4, REMOVE);
                write_path(out, path);
            }
            Op::DocDrop { doc } => doc.head(out, 3, DROP),
        }
    }

    fn decode(input: &mut &[u8]) -> Decoded<Op> {
        let len = read_array_len(input).map_err(|_| "an op is not an array")?;
        let tag: u8 = read_int(input).map_err(|_| "an op has no tag")?;
        let space = read_space(input)?;
        let (op, used) = match tag {
            KV_PUT => (
                Op::KvPut {
                    space,
                    key: read_bytes(input)?,
                    value: read_value(input)?,
                },
                4,
            ),
            KV_DELETE => (
                Op::KvDelete {
                    space,
                    key: read_bytes(input)?,
                },
                3,
            ),
            _ => {
                let primitive = match tag & !3 {
                    JSON_OPS => Primitive::Json,
                    FLOW_OPS => Primitive::Flow,
                    _ => return Err("an op has a tag that this version does not know"),
                };
                let doc = Doc {
                    primitive,
                    space,
                    key: read_text(input)?,
                };
                match tag & 3 {
                    CREATE => (
                        Op::DocCreate {
                            doc,
                            value: read_value(input)?,
                        },
                        4,
                    ),
                    SET => (
                        Op::DocSet {
                            doc,
                            path: read_path(input)?,
                            value: read_value(input)?,
                        },
                        5,
                    ),
                    REMOVE => (
                        Op::DocRemove {
                            doc,
                            path: read_path(input)?,
                        },
                        4,
                    ),
                    _ => (Op::DocDrop { doc }, 3),
                }
            }
        };
        skip(input, len, used)?;
        Ok(op)
    }
}

impl Doc {
    pub(crate) fn encoded(&self) -> Key {
        space::encode(&self.space, self.primitive, self.key.as_bytes()).into()
    }

    fn head(&self, out: &mut Vec<u8>, len: u32, verb: u8) {
        let base = if self.primitive == Primitive::Flow {
            FLOW_OPS
        } else {
            JSON_OPS
        };
        head(out, len, base | verb, &self.space);
        text(out, &self.key);
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

type Decoded<T> = std::result::Result<T, &'static str>;

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

fn head(out: &mut Vec<u8>, len: u32, tag: u8, space: &Space) {
    let _ = encode::write_array_len(out, len);
    let _ = encode::write_uint(out, u64::from(tag));
    if space.is_default() {
        let _ = encode::write_nil(out);
    } else {
        text(out, space.as_str());
    }
}

fn text(out: &mut Vec<u8>, s: &str) {
    let _ = encode::write_str(out, s);
}

fn bin(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = encode::write_bin(out, bytes);
}

fn write_path(out: &mut Vec<u8>, path: &Path) {
    let segments = path.segments();
    let _ = encode::write_array_len(out, u32::try_from(segments.len()).unwrap_or(u32::MAX));
    for segment in segments {
        match segment {
            Segment::Key(key) => text(out, key),
            Segment::Index(i) => {
                let _ = encode::write_uint(out, *i as u64);
            }
        }
    }
}

fn read_path(input: &mut &[u8]) -> Decoded<Path> {
    let bad = "an op's path is not readable";
    let mut path = Path::root();
    for _ in 0..read_array_len(input).map_err(|_| bad)? {
        let mut ahead = *input;
        path = match read_marker(&mut ahead).map_err(|_| bad)? {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                path.key(&read_text(input)?)
            }
            _ => path.index(read_int(input).map_err(|_| bad)?),
        };
    }
    Ok(path)
}

fn read_space(input: &mut &[u8]) -> Decoded<Space> {
    let mut ahead = *input;
    if matches!(read_marker(&mut ahead), Ok(Marker::Null)) {
        *input = ahead;
        return Ok(Space::default());
    }
    Space::parse(&read_text(input)?).map_err(|_| "an op's space is not a space")
}

fn take<'a>(input: &mut &'a [u8], len: u32) -> Decoded<&'a [u8]> {
    let (taken, rest) = input
        .split_at_checked(len as usize)
        .ok_or("an op is cut short")?;
    *input = rest;
    Ok(taken)
}

fn read_text(input: &mut &[u8]) -> Decoded<String> {
    let len = read_str_len(input).map_err(|_| "an op's text is not readable")?;
    let bytes = take(input, len)?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| "an op's text is not UTF-8")
}

fn read_bytes(input: &mut &[u8]) -> Decoded<Vec<u8>> {
    let len = read_bin_len(input).map_err(|_| "an op's key is not readable")?;
    take(input, len).map(<[u8]>::to_vec)
}

fn read_value(input: &mut &[u8]) -> Decoded<Value> {
    // What was committed had passed the limits of its day.
    Value::read_msgpack(input, &Limits::unlimited()).map_err(|_| "an op's value is not readable")
}

/// Passes over the elements of an array that a newer version added.
fn skip(input: &mut &[u8], len: u32, used: u32) -> Decoded<()> {
    for _ in 0..len.checked_sub(used).ok_or("an op has too few elements")? {
        read_value(input)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;

    fn samples() -> Vec<Op> {
        let doc = |primitive| Doc {
            primitive,
            space: Space::parse("acme/app").unwrap(),
            key: "order-17".into(),
        };
        let path = Path::parse(".lines[2].price").unwrap();
        vec![
            Op::KvPut {
                space: Space::default(),
                key: vec![0, 255],
                value: value!({"a": [1, 2.5, null]}),
            },
            Op::KvDelete {
                space: Space::parse("a/b/c/d").unwrap(),
                key: b"k".to_vec(),
            },
            Op::DocCreate {
                doc: doc(Primitive::Json),
                value: value!({}),
            },
            Op::DocSet {
                doc: doc(Primitive::Flow),
                path: path.clone(),
                value: value!("x"),
            },
            Op::DocRemove {
                doc: doc(Primitive::Json),
                path,
            },
            Op::DocDrop {
                doc: doc(Primitive::Flow),
            },
        ]
    }

    #[test]
    fn a_commit_reads_back() {
        let mut bytes = Vec::new();
        encode_commit(41, &samples(), &mut bytes);
        assert_eq!(decode_commit(42, &bytes).unwrap(), samples());
    }

    #[test]
    fn every_cut_and_every_wrong_byte_is_an_error_or_another_commit() {
        let mut bytes = Vec::new();
        encode_commit(41, &samples(), &mut bytes);
        for cut in 0..bytes.len() {
            assert!(matches!(
                decode_commit(1, &bytes[..cut]),
                Err(Error::Corrupt { version: 1, .. })
            ));
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                let _ = decode_commit(1, &bad); // must not crash or allocate without bound
            }
        }
    }

    #[test]
    fn one_field_of_a_large_document_logs_about_the_path_and_the_value() {
        let op = samples().remove(3);
        let mut bytes = Vec::new();
        encode_commit(1, &[op], &mut bytes);
        assert!(bytes.len() < 50);
    }
}
