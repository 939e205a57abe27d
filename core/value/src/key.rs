//! Object keys: shared text with its hash, one word wide.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::Arc;

use triomphe::ThinArc;

use crate::packed::word;

/// The key of an object's entry: immutable shared text, 8 bytes wide; a clone is one reference-count
/// increment. Equality looks at the pointer first, so equal keys that share storage compare at once.
#[derive(Clone)]
pub struct Key(ThinArc<Head, u8>);

/// What finds a key without a look at its text.
struct Head {
    hash: u32,
    /// The key as a packed word, if it is short enough for one.
    word: Option<NonZeroU64>,
}

impl Key {
    /// A key of its own storage. O(length).
    pub fn new(text: &str) -> Key {
        Key::hashed(text, hash(text))
    }

    /// As [`Key::new`], where the [`hash`] of `text` is known.
    pub(crate) fn hashed(text: &str, hash: u32) -> Key {
        let word = word::short_text(text.as_bytes()).and_then(NonZeroU64::new);
        Key(ThinArc::from_header_and_slice(
            Head { hash, word },
            text.as_bytes(),
        ))
    }

    /// The text.
    #[allow(
        unsafe_code,
        reason = "checking the text again at every look takes as long as comparing it"
    )]
    pub fn as_str(&self) -> &str {
        // SAFETY: the bytes were copied from a `str` by `Key::hashed`, the only place that makes a key, and
        // nothing changes them.
        unsafe { std::str::from_utf8_unchecked(&self.0.slice) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// The hash of the text, see [`hash`].
    pub(crate) fn hash(&self) -> u32 {
        self.0.header.header.hash
    }

    /// The key as a packed word, if it is short enough for one.
    #[inline]
    pub(crate) fn word(&self) -> Option<u64> {
        self.0.header.header.word.map(NonZeroU64::get)
    }

    /// Whether both share their storage.
    pub(crate) fn same(&self, other: &Key) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }
}

/// The hash of a key: the low half of its XXH3-64, which is stable across versions and machines, so it
/// may be stored. Nothing depends on its being hard to collide: equal hashes fall back to comparing text.
pub(crate) fn hash(text: &str) -> u32 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        Key::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Key {
        Key::new(&text)
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Key {
        Key::new(text)
    }
}

impl From<Arc<str>> for Key {
    fn from(text: Arc<str>) -> Key {
        Key::new(&text)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.same(other) || (self.hash() == other.hash() && self.0.slice == other.0.slice)
    }
}

impl Eq for Key {}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        self.0.slice == *other.as_bytes()
    }
}

impl PartialEq<&str> for Key {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By UTF-8 bytes, which is by code point.
impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.0.slice.cmp(&other.0.slice)
    }
}

/// As `str`, so that a map with `Key`s can be asked for a `&str`.
impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
