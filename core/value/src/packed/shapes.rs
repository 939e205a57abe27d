//! The shapes that documents are written with: a tree in which a step down is one more key.
//!
//! A list of records takes the same steps again and again, so each shape remembers the step last taken from
//! it, and a reader can compare its input with the key to expect before it looks at anything else. The tree
//! is kept from one document to the next, since they are often alike; what a document holds is numbered and
//! copied into it when it is finished, so nothing in it depends on the documents before.

use super::word::{self, Tag};
use crate::key::hash;

/// Objects with more keys are dictionaries.
pub(super) const MAX_KEYS: u16 = 128;
/// Steps in the tree; with more, objects of unknown shapes are dictionaries.
const MAX_STEPS: usize = 4096;
/// The longest key in the tree, in bytes.
pub(super) const MAX_KEY: usize = 255;
/// Places tried in the table.
const PROBES: usize = 16;

const NONE: u32 = u32::MAX;

/// The shape without keys.
pub(super) const EMPTY: u32 = 0;

/// A shape: the one it extends, and its last key.
struct Step {
    /// The first 8 bytes of the key and its closing quote in JSON, and which of them count: as many as there
    /// are.
    json: u64,
    json_mask: u64,
    /// The length of the key.
    len: u32,
    /// Where the key with its closing quote is in `texts`.
    text: u32,
    hash: u32,
    parent: u32,
    /// The step taken last from here.
    next: u32,
    /// The first step taken last in an object that this step leads to.
    inside: u32,
    keys: u16,
    /// The number in this document, if some object in it has this shape.
    number: InDocument<u16>,
    /// The word of the key in this document, if it has been written.
    word: InDocument<u64>,
}

/// What is so in one document.
#[derive(Clone, Copy, Default)]
struct InDocument<T> {
    document: u32,
    is: T,
}

#[derive(Default)]
pub(super) struct Shapes {
    steps: Vec<Step>,
    /// The keys, each filled up to whole words.
    texts: Vec<u64>,
    /// Steps by parent and hash; a power of two, at most half full.
    table: Vec<u32>,
    /// The shapes that objects of this document have, by number.
    used: Vec<u32>,
    document: u32,
}

impl Shapes {
    /// For the next document.
    pub(super) fn begin(&mut self) {
        self.used.clear();
        self.document = self.document.wrapping_add(1);
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS / 2 || self.document == 0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.document = 1;
        self.texts.clear();
        self.table = Vec::new();
        self.steps.clear();
        self.steps.push(Step {
            json: 1, // never equal
            json_mask: 0,
            len: 0,
            text: 0,
            hash: 0,
            parent: NONE,
            next: NONE,
            inside: NONE,
            keys: 0,
            number: InDocument::default(),
            word: InDocument::default(),
        });
    }

    #[inline(always)]
    fn step(&self, shape: u32) -> Option<&Step> {
        self.steps.get(shape as usize)
    }

    /// The step to expect after `shape`, in an object that `way` leads to.
    #[inline(always)]
    fn expected(&self, shape: u32, way: u32) -> u32 {
        let step = self.step(if shape == EMPTY { way } else { shape });
        step.map_or(NONE, |step| {
            if shape == EMPTY {
                step.inside
            } else {
                step.next
            }
        })
    }

    /// If JSON text goes on with the expected key and its closing quote: the shape with it, and how many
    /// bytes that is.
    #[inline(always)]
    pub(super) fn expected_json(&self, shape: u32, way: u32, json: &[u8]) -> Option<(u32, usize)> {
        let next = self.expected(shape, way);
        let step = self.step(next)?;
        let len = step.len as usize + 1;
        let first = u64::from_le_bytes(*json.first_chunk()?);
        if first & step.json_mask != step.json {
            return None;
        }
        if len > 8 && json.get(8..len) != self.text(step).get(8..) {
            return None;
        }
        Some((next, len))
    }

    /// The expected step, if it is by this key.
    #[inline(always)]
    pub(super) fn expected_key(&self, shape: u32, way: u32, key: &[u8]) -> Option<u32> {
        let next = self.expected(shape, way);
        self.is(self.step(next)?, key).then_some(next)
    }

    #[inline(always)]
    fn is(&self, step: &Step, key: &[u8]) -> bool {
        step.len as usize == key.len() && self.text(step).get(..key.len()) == Some(key)
    }

    /// The key and its closing quote.
    #[inline(always)]
    fn text(&self, step: &Step) -> &[u8] {
        let words = self.texts.get(step.text as usize..).unwrap_or_default();
        let bytes = bytemuck::cast_slice(words);
        bytes.get(..step.len as usize + 1).unwrap_or_default()
    }

    /// The step from `shape` by `key`: one taken before, or a new one. None if the shape has the key, or if
    /// there is no place for a new one.
    pub(super) fn take(&mut self, shape: u32, way: u32, key: &str) -> Option<u32> {
        let hash = hash(key);
        let next = match self.find(shape, key.as_bytes(), hash) {
            Some(next) => next,
            None => self.extend(shape, key.as_bytes(), hash)?,
        };
        let from = if shape == EMPTY { way } else { shape };
        if let Some(step) = self.steps.get_mut(from as usize) {
            *if shape == EMPTY {
                &mut step.inside
            } else {
                &mut step.next
            } = next;
        }
        Some(next)
    }

    fn find(&self, shape: u32, key: &[u8], hash: u32) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        for place in (spread(shape, hash)..).take(PROBES) {
            let at = *self.table.get(place & mask)?;
            let step = self.step(at)?; // none in an empty place
            if step.hash == hash && step.parent == shape && self.is(step, key) {
                return Some(at);
            }
        }
        None
    }

    fn extend(&mut self, shape: u32, key: &[u8], hash: u32) -> Option<u32> {
        let keys = self.step(shape)?.keys;
        let has = |step: &Step| step.hash == hash && self.is(step, key);
        if keys >= MAX_KEYS
            || key.len() > MAX_KEY
            || self.steps.len() >= MAX_STEPS
            || self.up(shape).any(has)
        {
            return None;
        }
        if self.table.len() < 2 * (self.steps.len() + 1) {
            self.grow();
        }
        let at = self.steps.len() as u32;
        self.place(shape, hash, at)?;
        let text = self.texts.len() as u32;
        let quoted = [key, b"\""].concat();
        push_text(&mut self.texts, &quoted);
        let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        let (json, json_mask) = match key.iter().any(special) {
            true => (1, 0), // never expected
            false => (
                head(&quoted),
                u64::MAX >> (8 * 8usize.saturating_sub(quoted.len())),
            ),
        };
        self.steps.push(Step {
            json,
            json_mask,
            len: key.len() as u32,
            text,
            hash,
            parent: shape,
            next: NONE,
            inside: NONE,
            keys: keys + 1,
            number: InDocument::default(),
            word: InDocument::default(),
        });
        Some(at)
    }

    fn place(&mut self, shape: u32, hash: u32, at: u32) -> Option<()> {
        let mask = self.table.len().checked_sub(1)?;
        for place in (spread(shape, hash)..).take(PROBES) {
            let slot = self.table.get_mut(place & mask)?;
            if *slot == NONE {
                *slot = at;
                return Some(());
            }
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

    /// The number of a shape in this document; none when there are too many.
    #[inline(always)]
    pub(super) fn number(&mut self, shape: u32) -> Option<u16> {
        let used = self.used.len();
        let step = self.steps.get_mut(shape as usize)?;
        if step.number.document == self.document {
            return Some(step.number.is);
        }
        step.number = InDocument {
            document: self.document,
            is: u16::try_from(used).ok()?,
        };
        self.used.push(shape);
        Some(step.number.is)
    }

    /// How many shapes this document has.
    pub(super) fn used(&self) -> usize {
        self.used.len()
    }

    /// The shape that has this number in this document.
    pub(super) fn used_shape(&self, number: usize) -> u32 {
        self.used.get(number).copied().unwrap_or(EMPTY)
    }

    /// The words of a shape's keys, in order; long keys are written to `out` if they are not there yet.
    pub(super) fn keys(&mut self, shape: u32, out: &mut Vec<u64>) -> Vec<u64> {
        self.write_texts(shape, out);
        let mut words: Vec<u64> = self.up(shape).map(|step| step.word.is).collect();
        words.reverse();
        words
    }

    /// Writes those long keys of a shape that this document does not have yet; how many keys the shape has.
    pub(super) fn write_texts(&mut self, shape: u32, out: &mut Vec<u64>) -> usize {
        let (mut at, mut keys) = (shape, 0);
        while let Some(step) = self.steps.get_mut(at as usize)
            && step.parent != NONE
        {
            if step.word.document != self.document {
                step.word = InDocument {
                    document: self.document,
                    is: write_key(&self.texts, step, out),
                };
            }
            keys += 1;
            at = step.parent;
        }
        keys
    }

    /// Appends the words of a shape's `keys` keys, whose texts are written, and their hashes, two in a word.
    pub(super) fn write_keys(&self, shape: u32, keys: usize, out: &mut Vec<u64>) {
        let start = out.len();
        out.resize(start + keys + keys.div_ceil(2), 0);
        let added = out.get_mut(start..).unwrap_or_default();
        if let Some((words, hashes)) = added.split_at_mut_checked(keys) {
            let hashes = bytemuck::cast_slice_mut(hashes);
            let places = words.iter_mut().zip(hashes.iter_mut());
            for ((word, hash), step) in places.rev().zip(self.up(shape)) {
                *word = step.word.is;
                *hash = step.hash;
            }
        }
    }

    /// The steps of a shape, last key first.
    fn up(&self, shape: u32) -> impl Iterator<Item = &Step> {
        let mut at = shape;
        std::iter::from_fn(move || {
            let step = self.step(at)?;
            at = step.parent;
            (step.parent != NONE).then_some(step)
        })
    }
}

/// The word of a step's key, whose text goes to `out` if it is long.
fn write_key(texts: &[u64], step: &Step, out: &mut Vec<u64>) -> u64 {
    let len = step.len as usize;
    let text = texts.get(step.text as usize..).unwrap_or_default();
    let text: &[u8] = bytemuck::cast_slice(text);
    let text = text.get(..len).unwrap_or_default();
    word::short_text(text).unwrap_or_else(|| {
        let offset = out.len() as u32; // the writer checks the size before and after
        push_text(out, text);
        word::at(Tag::Text, offset, len as u16)
    })
}

/// Appends bytes, filled up to whole words with zeros.
pub(super) fn push_text(words: &mut Vec<u64>, text: &[u8]) {
    let (whole, rest) = text.as_chunks::<8>();
    words.extend(whole.iter().map(|chunk| u64::from_le_bytes(*chunk)));
    if !rest.is_empty() {
        words.push(head(rest));
    }
}

/// The first 8 bytes, or fewer and zeros.
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
