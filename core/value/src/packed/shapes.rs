//! The shapes of a document while it is written: a tree in which a step down is one more key.
//!
//! A list of records takes the same steps again and again, so each shape remembers the step last taken from
//! it, and a reader can compare its input with the key to expect before it looks at anything else.

use super::word;
use crate::key::hash;

/// Objects with more keys are dictionaries.
const MAX_KEYS: u16 = 128;
/// Steps in a document; with more, objects of unknown shapes are dictionaries.
const MAX_STEPS: usize = 4096;
/// Places tried in the table.
const PROBES: usize = 16;

const NONE: u32 = u32::MAX;

/// The shape without keys.
pub(super) const EMPTY: u32 = 0;

/// A shape: the one it extends, and its last key.
#[derive(Clone)]
pub(super) struct Step {
    /// The first 8 bytes of the key, and its length.
    head: u64,
    len: u32,
    hash: u32,
    /// The word of the key.
    pub(super) key: u64,
    parent: u32,
    /// The step taken last from here.
    next: u32,
    keys: u16,
    /// The number in the document, of a shape that some object has.
    number: Option<u16>,
    /// Whether the key appears in JSON as it is.
    plain: bool,
}

#[derive(Default)]
pub(super) struct Shapes {
    steps: Vec<Step>,
    /// Steps by parent and hash; a power of two, at most half full.
    table: Vec<u32>,
    /// The shapes that objects have, by number.
    used: Vec<u32>,
}

impl Shapes {
    pub(super) fn reset(&mut self) {
        self.steps.clear();
        self.steps.push(Step {
            head: 0,
            len: 0,
            hash: 0,
            key: 0,
            parent: NONE,
            next: NONE,
            keys: 0,
            number: None,
            plain: false,
        });
        self.used.clear();
        if self.table.len() > 512 {
            self.table = Vec::new();
        }
        self.table.fill(NONE);
    }

    #[inline(always)]
    pub(super) fn step(&self, shape: u32) -> Option<&Step> {
        self.steps.get(shape as usize)
    }

    /// The step to expect after `shape`.
    #[inline(always)]
    pub(super) fn expected(&self, shape: u32) -> Option<(u32, &Step)> {
        let next = self.step(shape)?.next;
        Some((next, self.step(next)?))
    }

    /// The step from `shape` by `key`, if it has been taken before.
    #[inline]
    pub(super) fn find(&mut self, shape: u32, key: &[u8], hash: u32, out: &[u64]) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut place = spread(shape, hash);
        for _ in 0..PROBES {
            let at = *self.table.get(place & mask)?;
            if at == NONE {
                return None;
            }
            let step = self.steps.get(at as usize)?;
            if step.hash == hash && step.parent == shape && step.is(key, out) {
                self.remember(shape, at);
                return Some(at);
            }
            place += 1;
        }
        None
    }

    fn remember(&mut self, shape: u32, next: u32) {
        if let Some(step) = self.steps.get_mut(shape as usize) {
            step.next = next;
        }
    }

    /// Whether a new step from `shape` is possible by this key: not when there are too many, nor when the
    /// shape has the key.
    pub(super) fn may_extend(&self, shape: u32, key: &[u8], hash: u32, out: &[u64]) -> bool {
        let keys = self.step(shape).map_or(MAX_KEYS, |step| step.keys);
        if keys >= MAX_KEYS || self.steps.len() >= MAX_STEPS {
            return false;
        }
        !self
            .up(shape)
            .any(|step| step.hash == hash && step.is(key, out))
    }

    /// A new step. None if there is no place for it.
    pub(super) fn extend(&mut self, shape: u32, key: &[u8], hash: u32, word: u64) -> Option<u32> {
        if self.table.len() < 2 * (self.steps.len() + 1) {
            self.grow();
        }
        let at = self.steps.len() as u32;
        let keys = self.step(shape)?.keys + 1;
        self.place(shape, hash, at)?;
        self.steps.push(Step {
            head: head(key),
            len: key.len() as u32,
            hash,
            key: word,
            parent: shape,
            next: NONE,
            keys,
            number: None,
            plain: key
                .iter()
                .all(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\')),
        });
        self.remember(shape, at);
        Some(at)
    }

    fn place(&mut self, shape: u32, hash: u32, at: u32) -> Option<()> {
        let mask = self.table.len().checked_sub(1)?;
        let mut place = spread(shape, hash);
        for _ in 0..PROBES {
            let slot = self.table.get_mut(place & mask)?;
            if *slot == NONE {
                *slot = at;
                return Some(());
            }
            place += 1;
        }
        None
    }

    fn grow(&mut self) {
        let size = (4 * self.steps.len()).next_power_of_two().max(64);
        self.table.clear();
        self.table.resize(size, NONE);
        for at in 1..self.steps.len() {
            if let Some(&Step { parent, hash, .. }) = self.steps.get(at) {
                // One without a place is not found again, which costs a second copy of it and no more.
                let _ = self.place(parent, hash, at as u32);
            }
        }
    }

    /// The number in the document; none when there are too many shapes.
    #[inline(always)]
    pub(super) fn number(&mut self, shape: u32) -> Option<u16> {
        let used = self.used.len();
        let step = self.steps.get_mut(shape as usize)?;
        if let Some(number) = step.number {
            return Some(number);
        }
        let number = u16::try_from(used).ok()?;
        step.number = Some(number);
        self.used.push(shape);
        Some(number)
    }

    pub(super) fn used(&self) -> &[u32] {
        &self.used
    }

    /// The steps of a shape, last key first.
    pub(super) fn up(&self, shape: u32) -> impl Iterator<Item = &Step> {
        let mut at = shape;
        std::iter::from_fn(move || {
            let step = self.step(at)?;
            at = step.parent;
            (step.parent != NONE).then_some(step)
        })
    }
}

impl Step {
    pub(super) fn hash(&self) -> u32 {
        self.hash
    }

    #[inline(always)]
    pub(super) fn is(&self, key: &[u8], out: &[u64]) -> bool {
        self.len as usize == key.len() && self.head == head(key) && {
            self.len <= 8 || tail(self.key, self.len as usize, out) == key.get(8..)
        }
    }

    /// Whether JSON text goes on with this key and its closing quote: how many bytes those are.
    #[inline(always)]
    pub(super) fn is_next(&self, json: &[u8], out: &[u64]) -> Option<usize> {
        let len = self.len as usize;
        let first: &[u8; 8] = json.first_chunk()?;
        let keep = if len < 8 {
            (1u64 << (8 * len)) - 1
        } else {
            u64::MAX
        };
        if u64::from_le_bytes(*first) & keep != self.head || !self.plain {
            return None;
        }
        if len > 8 && json.get(8..len) != tail(self.key, len, out) {
            return None;
        }
        (json.get(len) == Some(&b'"')).then_some(len + 1)
    }
}

/// A long key after its first 8 bytes.
#[inline(always)]
fn tail(word: u64, len: usize, out: &[u64]) -> Option<&[u8]> {
    let offset = word::offset(word) + usize::from(word::beside(word) == word::LONG);
    bytemuck::cast_slice(out.get(offset + 1..)?).get(..len - 8)
}

#[inline(always)]
fn head(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => key
            .iter()
            .rev()
            .fold(0, |head, byte| head << 8 | u64::from(*byte)),
    }
}

#[inline(always)]
fn spread(shape: u32, hash: u32) -> usize {
    (hash ^ shape.wrapping_mul(0x9E37_79B1)) as usize
}

pub(super) fn key_hash(key: &str) -> u32 {
    hash(key)
}
