//! Spaces and primitives: where in the tree a key lives.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use statewright_log::Timestamp;

use crate::error::{Error, Result};
use crate::op::wire::{self, Decoded};
use crate::target::{Entry, Stamp, Target};
use crate::tree::Key;

/// A key longer than this many bytes is refused.
pub const MAX_KEY_BYTES: usize = 4096;
const MAX_SPACE_BYTES: usize = 255;
const MAX_SPACE_PARTS: usize = 4;
const DEFAULT_BYTES: &[u8; 7] = b"default";
const DEFAULT: &str = match std::str::from_utf8(DEFAULT_BYTES) {
    Ok(name) => name,
    Err(_) => "",
};

/// A namespace: one to four parts, `tenant/app/agent/run`; `default` unless told otherwise.
///
/// A part is 1 or more of `A-Z a-z 0-9 . _ -`; the whole is at most 255 bytes.
///
/// ```
/// use statewright_store::Space;
/// let space = Space::parse("acme/billing")?;
/// assert_eq!(space.to_string(), "acme/billing");
/// assert!(Space::parse("acme//billing").is_err());
/// assert_eq!(Space::default().to_string(), "default");
/// # Ok::<(), statewright_store::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(Option<Arc<str>>);

impl Space {
    /// Reads a space's name. Fails with [`Error::InvalidSpace`].
    pub fn parse(name: &str) -> Result<Space> {
        if name == DEFAULT {
            return Ok(Space::default());
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let sound = name.len() <= MAX_SPACE_BYTES
            && name.split('/').count() <= MAX_SPACE_PARTS
            && name
                .split('/')
                .all(|part| !part.is_empty() && part.bytes().all(allowed));
        if sound {
            Ok(Space(Some(name.into())))
        } else {
            Err(Error::InvalidSpace { space: clip(name) })
        }
    }

    /// The name, `default` for the default space.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(DEFAULT)
    }

    pub(crate) fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which family of state a key belongs to; the number is its tag in keys and is fixed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Primitive {
    /// Byte keys to values.
    Kv = 1,
    /// Streams of events.
    Event = 2,
    /// Named values with a version.
    Cell = 3,
    /// What was done and why, as trees.
    Trace = 4,
    /// Runs of a program, with their status.
    Run = 5,
    /// JSON documents, changed by path.
    Json = 6,
    /// The workflow engine's documents: nets, cases, work items, timers.
    Flow = 8,
}

impl Primitive {
    /// All of them, in the order of their keys.
    pub const ALL: [Primitive; 7] = [
        Primitive::Kv,
        Primitive::Event,
        Primitive::Cell,
        Primitive::Trace,
        Primitive::Run,
        Primitive::Json,
        Primitive::Flow,
    ];

    /// `kv`, `event`, `cell`, `trace`, `run`, `json` or `flow`.
    pub fn name(self) -> &'static str {
        match self {
            Primitive::Kv => "kv",
            Primitive::Event => "event",
            Primitive::Cell => "cell",
            Primitive::Trace => "trace",
            Primitive::Run => "run",
            Primitive::Json => "json",
            Primitive::Flow => "flow",
        }
    }

    fn from_tag(tag: u8) -> Option<Primitive> {
        Primitive::ALL.into_iter().find(|p| *p as u8 == tag)
    }
}

/// Bytes of a short key.
const SHORT: usize = 64;

/// An encoded key, without an allocation if it is short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBuf(SmallVec<[u8; SHORT]>);

impl KeyBuf {
    fn with_capacity(bytes: usize) -> KeyBuf {
        KeyBuf(SmallVec::with_capacity(bytes))
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The key right behind this one in byte order: this one and a NUL.
    pub(crate) fn behind(mut self) -> KeyBuf {
        self.0.push(0);
        self
    }

    /// The smallest key that comes after every key with this prefix; none if there is no such key.
    pub(crate) fn after_prefix(prefix: &[u8]) -> Option<KeyBuf> {
        let cut = prefix.iter().rposition(|b| *b < u8::MAX)?;
        let mut end = KeyBuf::from(prefix.get(..=cut)?);
        let last = end.0.last_mut()?;
        *last = last.saturating_add(1);
        Some(end)
    }
}

impl std::ops::Deref for KeyBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for KeyBuf {
    fn from(bytes: &[u8]) -> KeyBuf {
        KeyBuf(SmallVec::from_slice(bytes))
    }
}

impl From<Vec<u8>> for KeyBuf {
    fn from(bytes: Vec<u8>) -> KeyBuf {
        KeyBuf(SmallVec::from_vec(bytes))
    }
}

impl From<KeyBuf> for Key {
    fn from(key: KeyBuf) -> Key {
        (&*key.0).into()
    }
}

impl From<KeyBuf> for Vec<u8> {
    fn from(key: KeyBuf) -> Vec<u8> {
        key.0.into_vec()
    }
}

/// The encoded key: space, NUL (which no space contains), tag, key. Sorts by space, then primitive, then key bytes.
pub(crate) fn encode(space: &Space, primitive: Primitive, key: &[u8]) -> KeyBuf {
    let mut short = [0; SHORT];
    if let Some(length) = encode_short(space, primitive, key, &mut short) {
        return KeyBuf(SmallVec::from_buf_and_len(short, length));
    }
    let name = space.as_str().as_bytes();
    let length = name.len().saturating_add(key.len()).saturating_add(2);
    let mut encoded = KeyBuf::with_capacity(length);
    encoded.extend(name);
    encoded.extend(&[0, primitive as u8]);
    encoded.extend(key);
    encoded
}

/// Puts the encoded key into zeros, if there is room; gives its length.
#[inline]
fn encode_short(
    space: &Space,
    primitive: Primitive,
    key: &[u8],
    short: &mut [u8; SHORT],
) -> Option<usize> {
    let tag = match &space.0 {
        // A length that is known is a move, not a call.
        None => {
            *short.first_chunk_mut()? = *DEFAULT_BYTES;
            DEFAULT_BYTES.len() + 1
        }
        Some(name) => {
            short
                .get_mut(..name.len())?
                .copy_from_slice(name.as_bytes());
            name.len() + 1
        }
    };
    let (first, rest) = short.get_mut(tag..)?.split_first_mut()?;
    *first = primitive as u8;
    rest.get_mut(..key.len())?.copy_from_slice(key);
    Some(tag + 1 + key.len())
}

fn check_length(key: &[u8]) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::InvalidKey {
            bytes: key.len(),
            max: MAX_KEY_BYTES,
        });
    }
    Ok(())
}

/// Checks the length, then encodes.
pub(crate) fn encode_checked(space: &Space, primitive: Primitive, key: &[u8]) -> Result<KeyBuf> {
    check_length(key)?;
    Ok(encode(space, primitive, key))
}

/// Checks the length, then passes the encoded key to `f`. A short one is not moved on the way: that would read as words
/// what was just written in pieces, and wait for it.
#[inline]
pub(crate) fn with_encoded<T>(
    space: &Space,
    primitive: Primitive,
    key: &[u8],
    f: impl FnOnce(&[u8]) -> Result<T>,
) -> Result<T> {
    check_length(key)?;
    let mut short = [0; SHORT];
    let length = encode_short(space, primitive, key, &mut short);
    match length.and_then(|length| short.get(..length)) {
        Some(encoded) => f(encoded),
        None => f(&encode(space, primitive, key)),
    }
}

/// The key of an entry of a primitive whose keys have several parts: what kind of entry it is, then the parts with a
/// NUL between them. Only the last part may contain a NUL.
pub(crate) fn encode_parts(
    space: &Space,
    primitive: Primitive,
    part: u8,
    parts: &[&[u8]],
) -> Vec<u8> {
    let mut encoded = Vec::from(encode(space, primitive, &[part]));
    for (i, bytes) in parts.iter().enumerate() {
        if i > 0 {
            encoded.push(0);
        }
        encoded.extend_from_slice(bytes);
    }
    encoded
}

/// Where it is noted when a key expires: `space NUL 9 time key`.
pub(crate) fn encode_expiry(space: &[u8], expires: i64, key: &[u8]) -> Vec<u8> {
    [space, &[0, EXPIRY], &ordered(expires), key].concat()
}

/// What all of these of a space begin with.
pub(crate) fn expiry_prefix(space: &Space) -> Vec<u8> {
    [space.as_str().as_bytes(), &[0, EXPIRY]].concat()
}

/// Whether a key of a space is one of these. They come behind all others, and may be there longer than what expires: a
/// space that has nothing else holds nothing.
pub(crate) fn is_expiry(space: &Space, key: &[u8]) -> bool {
    let rest = key.strip_prefix(space.as_str().as_bytes());
    rest.is_some_and(|rest| rest.starts_with(&[0, EXPIRY]))
}

/// Eight bytes that sort as the numbers do.
pub(crate) fn ordered(n: i64) -> [u8; 8] {
    n.cast_unsigned().wrapping_add(1 << 63).to_be_bytes()
}

/// The number that [`ordered`] wrote.
pub(crate) fn from_ordered(bytes: [u8; 8]) -> i64 {
    u64::from_be_bytes(bytes)
        .wrapping_sub(1 << 63)
        .cast_signed()
}

/// The time in a key that [`encode_expiry`] made, given what it begins with.
pub(crate) fn expiry_of(prefix: &[u8], key: &[u8]) -> Option<Timestamp> {
    let (time, _) = key.strip_prefix(prefix)?.split_first_chunk()?;
    Some(Timestamp::from_micros(from_ordered(*time)))
}

/// The name of a stream, type, tag, trace or run: 1 to `max` bytes without NUL, which keys separate names by.
pub(crate) fn check_name(what: &'static str, name: &str, max: usize) -> Result<()> {
    if name.is_empty() || name.len() > max || name.contains('\0') {
        return Err(Error::InvalidName {
            what,
            name: clip(name),
            form: if max == MAX_NAME_BYTES {
                "1 to 255 bytes without NUL"
            } else {
                "1 to 1024 bytes without NUL"
            },
        });
    }
    Ok(())
}

/// The id of a parent, which keys have too; nothing is its own.
pub(crate) fn check_parent(what: &'static str, id: &str, parent: Option<&str>) -> Result<()> {
    match parent {
        None => Ok(()),
        Some(parent) if parent == id => Err(Error::CannotRestore {
            what: format!("{what} {id}"),
            why: "it is its own parent",
        }),
        Some(parent) => check_name(what, parent, MAX_NAME_BYTES),
    }
}

/// A type, a tag or an id has at most this many bytes.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// The tag of the index of expiry times; it is no primitive of its own.
const EXPIRY: u8 = 9;

/// What people read in messages: `default/json/order-17`.
pub(crate) fn display(encoded: &[u8]) -> String {
    let mut parts = encoded.splitn(2, |b| *b == 0);
    let space = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    match parts.next().and_then(|rest| rest.split_first()) {
        Some((tag, key)) => {
            let Some(primitive) = Primitive::from_tag(*tag) else {
                return format!("{space}/?/{}", key.escape_ascii());
            };
            // The first byte says what kind of entry it is; the first name is what it belongs to.
            let key = match primitive {
                Primitive::Event | Primitive::Trace | Primitive::Run => {
                    let names = key.get(1..).unwrap_or_default();
                    names.split(|b| *b == 0).next().unwrap_or_default()
                }
                _ => key,
            };
            format!("{space}/{}/{}", primitive.name(), key.escape_ascii())
        }
        None => space,
    }
}

/// A change to a whole space.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpaceOp {
    /// Removes everything in it but the workflow engine's documents.
    Delete {
        /// The space.
        space: Space,
    },
    /// Copies everything in it, but the workflow engine's documents, to another space.
    Copy {
        /// From where.
        from: Space,
        /// Where to.
        to: Space,
    },
}

const DELETE: u8 = 0;
const COPY: u8 = 1;

impl SpaceOp {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            SpaceOp::Delete { .. } => "delete",
            SpaceOp::Copy { .. } => "copy",
        }
    }

    pub(crate) fn key(&self) -> KeyBuf {
        match self {
            SpaceOp::Delete { space } | SpaceOp::Copy { to: space, .. } => {
                space.as_str().as_bytes().into()
            }
        }
    }

    /// O(entries of the space × log n).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        match self {
            SpaceOp::Delete { space } => walk(target, space, |target, key, _| {
                target.remove(key);
            }),
            SpaceOp::Copy { from, to } => {
                let cut = from.as_str().len();
                walk(target, from, |target, key, entry| {
                    let rest = key.get(cut..).unwrap_or_default();
                    let copy = Entry {
                        version: at.version,
                        ..entry
                    };
                    target.put(&[to.as_str().as_bytes(), rest].concat(), copy);
                });
            }
        }
        Ok(())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, base: u8) {
        match self {
            SpaceOp::Delete { space } => wire::head(out, 2, base | DELETE, space),
            SpaceOp::Copy { from, to } => {
                wire::head(out, 3, base | COPY, from);
                wire::text(out, to.as_str());
            }
        }
    }

    pub(crate) fn decode(verb: u8, space: Space, input: &mut &[u8]) -> Decoded<(SpaceOp, u32)> {
        match verb {
            DELETE => Ok((SpaceOp::Delete { space }, 2)),
            COPY => {
                let to = wire::read_space(input)?;
                Ok((SpaceOp::Copy { from: space, to }, 3))
            }
            _ => Err(crate::op::UNKNOWN),
        }
    }
}

/// Visits what is in a space when it starts, but for the workflow engine's documents.
fn walk<T: Target>(target: &mut T, space: &Space, mut f: impl FnMut(&mut T, &[u8], Entry)) {
    let [mine, flow] = own_range(space);
    let mut from = mine.0;
    while let Some((key, entry)) = target.first_from(&from) {
        if key.starts_with(&flow.0) {
            from = flow.1.clone();
            continue;
        }
        if key >= mine.1 {
            break;
        }
        f(target, &key, entry);
        from = key;
        from.push(0);
    }
}

/// From where up to where the keys of a space lie, and in it those of the workflow engine.
pub(crate) fn own_range(space: &Space) -> [(Vec<u8>, Vec<u8>); 2] {
    let around = |rest: &[u8]| [space.as_str().as_bytes(), rest].concat();
    let flow = Primitive::Flow as u8;
    [
        (around(&[0]), around(&[1])),
        (around(&[0, flow]), around(&[0, flow.saturating_add(1)])),
    ]
}

fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}
