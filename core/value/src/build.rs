//! Assembling a value from a stream of events, within limits: what every decoder ends in.

use crate::extended::Extended;
use crate::object::Entry;
use crate::value::Repr;
use crate::{Error, Key, Limits, Result, Value};

/// Containers under construction. Nesting is on a stack of its own, not on the thread's.
///
/// The children of all open containers lie on two shared stacks; closing a container moves its own off the top
/// into room of exactly their number. So no declared length is ever trusted and nothing is over-allocated.
pub(crate) struct Builder<'l> {
    limits: &'l Limits,
    /// Innermost last.
    open: Vec<Frame>,
    items: Vec<Value>,
    entries: Vec<Entry>,
    /// Values so far.
    count: usize,
    keys: KeyCache,
}

/// An open container, and where its children begin on their stack.
pub(crate) enum Frame {
    Array { start: usize },
    Object { start: usize, key: Option<Key> },
}

/// A limit that was exceeded; the decoder adds where.
pub(crate) struct Exceeded {
    what: &'static str,
    limit: usize,
}

impl Exceeded {
    pub(crate) fn at(self, at: impl ToString) -> Error {
        Error::Limit {
            what: self.what,
            limit: self.limit,
            at: at.to_string(),
        }
    }
}

/// Fails if `found` is more than `limit`.
pub(crate) fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Exceeded> {
    if found > limit {
        Err(Exceeded { what, limit })
    } else {
        Ok(())
    }
}

impl<'l> Builder<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Builder {
            limits,
            open: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            count: 0,
            keys: KeyCache::default(),
        }
    }

    pub(crate) fn begin_array(&mut self) -> Result<(), Exceeded> {
        self.begin(Frame::Array {
            start: self.items.len(),
        })
    }

    pub(crate) fn begin_object(&mut self) -> Result<(), Exceeded> {
        self.begin(Frame::Object {
            start: self.entries.len(),
            key: None,
        })
    }

    fn begin(&mut self, frame: Frame) -> Result<(), Exceeded> {
        self.count()?;
        within("nesting depth", self.open.len() + 1, self.limits.depth())?;
        self.open.push(frame);
        Ok(())
    }

    /// The key of the next value; the innermost container must be an object.
    pub(crate) fn key(&mut self, text: &str) -> Result<(), Exceeded> {
        within("length of a key", text.len(), self.limits.max_key)?;
        if let Some(Frame::Object { key, .. }) = self.open.last_mut() {
            *key = Some(self.keys.share(text));
        }
        Ok(())
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<Value, Exceeded> {
        within("length of a text", text.len(), self.limits.max_string)?;
        self.scalar(Value::text(text))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<Value, Exceeded> {
        within(
            "length of a byte string",
            bytes.len(),
            self.limits.max_string,
        )?;
        self.scalar(Value::bytes(bytes))
    }

    /// `len` is the length of what it was read from.
    pub(crate) fn extended(&mut self, extended: Extended, len: usize) -> Result<Value, Exceeded> {
        within(
            "length of a file's description",
            len,
            self.limits.max_string,
        )?;
        self.scalar(Value(Repr::Extended(extended)))
    }

    pub(crate) fn scalar(&mut self, value: Value) -> Result<Value, Exceeded> {
        self.count()?;
        Ok(value)
    }

    /// Closes the innermost container. None if nothing is open.
    pub(crate) fn end(&mut self) -> Option<Value> {
        Some(match self.open.pop()? {
            Frame::Array { start } => self.items.drain(start..).collect(),
            Frame::Object { start, .. } => {
                Value::from_entries(self.entries.drain(start..).collect())
            }
        })
    }

    /// Adds a finished value to the innermost open container, or gives it back if it is the whole.
    pub(crate) fn add(&mut self, value: Value) -> Option<Value> {
        match self.open.last_mut() {
            Some(Frame::Array { .. }) => self.items.push(value),
            Some(Frame::Object { key, .. }) => self
                .entries
                .push((key.take().unwrap_or_else(|| Key::new("")), value)),
            None => return Some(value),
        }
        None
    }

    pub(crate) fn innermost(&self) -> Option<&Frame> {
        self.open.last()
    }

    fn count(&mut self) -> Result<(), Exceeded> {
        self.count += 1;
        within("number of values", self.count, self.limits.max_items)
    }
}

/// Recently seen short keys, so that a list of records shares its keys: a direct-mapped cache, where a
/// collision costs an allocation and nothing else. It starts after a few keys: small input needs none.
#[derive(Default)]
struct KeyCache {
    slots: Vec<Option<Key>>,
    uncached: usize,
}

const CACHED_KEYS: usize = 64;
const UNCACHED_KEYS: usize = 16;
const CACHED_KEY_LEN: usize = 40;

impl KeyCache {
    fn share(&mut self, text: &str) -> Key {
        if self.uncached < UNCACHED_KEYS || text.len() > CACHED_KEY_LEN {
            self.uncached += 1;
            return text.into();
        }
        if self.slots.is_empty() {
            self.slots.resize(CACHED_KEYS, None);
        }
        let hash = text.bytes().fold(0usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        match self.slots.get_mut(hash % CACHED_KEYS) {
            Some(Some(key)) if **key == *text => key.clone(),
            Some(slot) => slot.insert(text.into()).clone(),
            None => text.into(),
        }
    }
}
