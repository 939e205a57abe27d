//! Encoding a whole value, fast: one walk over nodes and one over packed words, for every format.

use crate::packed::word::{self, Tag};
use crate::packed::{Packed, View};
use crate::value_ref::{Data, Items};
use crate::{Entries, ValueRef};

/// What a format writes for each part of a value. All functions append to `out`.
pub(crate) trait Format {
    /// Before each item of an array and each entry of an object but the first.
    const SEPARATOR: Option<u8>;
    fn begin(out: &mut Vec<u8>, is_object: bool, len: usize);
    fn end(out: &mut Vec<u8>, is_object: bool);
    /// A key, with what comes between it and its value.
    fn key(out: &mut Vec<u8>, key: &str);
    fn scalar(out: &mut Vec<u8>, scalar: Data<'_>);
    fn int(out: &mut Vec<u8>, int: i64);
    fn float(out: &mut Vec<u8>, float: f64);
    /// The first `len` bytes of a block are the text. False if it must go through [`Format::scalar`].
    fn short_text(out: &mut Vec<u8>, block: &[u8; BLOCK], len: usize) -> bool;
}

/// Texts and keys up to this long are copied as a block of this size.
pub(crate) const BLOCK: usize = 32;

/// Appends `value` to `out`.
pub(crate) fn encode<F: Format>(out: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut open = Vec::new();
    let mut next = Some(value);
    loop {
        if let Some(value) = next.take() {
            match (value.data(), value.packed_view()) {
                (Data::Array | Data::Object, Some(view)) => encode_packed::<F>(out, view),
                (Data::Array, None) => {
                    F::begin(out, false, value.len());
                    open.push(Open::Items(value.items(), true));
                }
                (Data::Object, None) => {
                    F::begin(out, true, value.len());
                    open.push(Open::Entries(value.entries(), true));
                }
                (scalar, _) => F::scalar(out, scalar),
            }
        }
        let mut separate = |first: &mut bool| {
            if !std::mem::take(first) {
                out.extend(F::SEPARATOR);
            }
        };
        let is_object = match open.last_mut() {
            None => return,
            Some(Open::Items(items, first)) => match items.next() {
                Some(item) => {
                    separate(first);
                    next = Some(item);
                    continue;
                }
                None => false,
            },
            Some(Open::Entries(entries, first)) => match entries.next() {
                Some((key, value)) => {
                    separate(first);
                    F::key(out, key);
                    next = Some(value);
                    continue;
                }
                None => true,
            },
        };
        F::end(out, is_object);
        open.pop();
    }
}

/// A container of nodes, and whether nothing of it has been written.
enum Open<'a> {
    Items(Items<'a>, bool),
    Entries(Entries<'a>, bool),
}

/// A packed container that is being written: the words it still has, and its keys.
struct Frame<'a> {
    values: std::slice::Iter<'a, u64>,
    keys: Keys<'a>,
    first: bool,
}

#[derive(Clone)]
enum Keys<'a> {
    /// An array.
    None,
    /// The next of the written keys.
    Record(usize),
    Dict(std::slice::Iter<'a, u64>),
}

/// The keys of shapes as they are written, with the separator before: made once, copied for each record.
struct Written {
    text: Vec<u8>,
    /// Where the keys begin in `text`, and after the last of a shape, where it ends.
    bounds: Vec<u32>,
    /// Where the keys of each shape begin in `bounds`.
    shapes: Vec<Option<usize>>,
}

impl Written {
    fn shape<F: Format>(&mut self, packed: &Packed, shape: usize) -> usize {
        if let Some(Some(at)) = self.shapes.get(shape) {
            return *at;
        }
        let at = self.bounds.len();
        self.text.truncate(self.text.len().saturating_sub(BLOCK));
        let (keys, _) = packed.shape(shape);
        for key in keys {
            self.bounds.push(self.text.len() as u32);
            self.text.extend(F::SEPARATOR);
            F::key(&mut self.text, packed.text(key));
        }
        self.bounds.push(self.text.len() as u32);
        self.text.resize(self.text.len() + BLOCK, 0); // so that a block can be read anywhere
        if self.shapes.len() <= shape {
            self.shapes.resize(shape + 1, None);
        }
        if let Some(slot) = self.shapes.get_mut(shape) {
            *slot = Some(at);
        }
        at
    }

    #[inline(always)]
    fn write<F: Format>(&self, out: &mut Vec<u8>, key: usize, first: bool) {
        let Some([start, end]) = self.bounds.get(key..).and_then(|rest| rest.first_chunk()) else {
            return;
        };
        let skipped = first && F::SEPARATOR.is_some();
        let start = *start as usize + usize::from(skipped);
        let len = *end as usize - start;
        let text = self.text.get(start..).unwrap_or_default();
        match text.first_chunk::<BLOCK>() {
            Some(block) if len <= BLOCK => {
                push_block(out, block, len);
            }
            _ => out.extend_from_slice(text.get(..len).unwrap_or_default()),
        }
    }
}

fn encode_packed<F: Format>(out: &mut Vec<u8>, root: View<'_>) {
    let packed = root.packed();
    let mut written = Written {
        text: Vec::new(),
        bounds: Vec::new(),
        shapes: Vec::new(),
    };
    let mut open: Vec<Frame<'_>> = Vec::new();
    let Some(mut top) = enter::<F>(packed, *root.word, &mut written, out) else {
        return;
    };
    loop {
        let Some(value) = top.values.next() else {
            F::end(out, !matches!(top.keys, Keys::None));
            match open.pop() {
                Some(outer) => top = outer,
                None => return,
            }
            continue;
        };
        let first = std::mem::take(&mut top.first);
        match &mut top.keys {
            Keys::None => {
                if !first {
                    out.extend(F::SEPARATOR);
                }
            }
            Keys::Record(key) => {
                written.write::<F>(out, *key, first);
                *key += 1;
            }
            Keys::Dict(keys) => {
                if !first {
                    out.extend(F::SEPARATOR);
                }
                if let Some(key) = keys.next() {
                    F::key(out, packed.text(key));
                }
            }
        }
        match word::tag(*value) {
            Some(Tag::Float) => F::float(out, f64::from_bits(*value)),
            Some(Tag::Int) => F::int(out, word::int(*value)),
            Some(Tag::ShortText | Tag::Text) => write_text::<F>(out, packed, value),
            Some(Tag::Array | Tag::Record | Tag::Dict) => {
                if let Some(inner) = enter::<F>(packed, *value, &mut written, out) {
                    open.push(std::mem::replace(&mut top, inner));
                }
            }
            _ => F::scalar(
                out,
                ValueRef::of(View {
                    word: value,
                    ..root
                })
                .data(),
            ),
        }
    }
}

/// Begins a container.
#[inline(always)]
fn enter<'a, F: Format>(
    packed: &'a Packed,
    word: u64,
    written: &mut Written,
    out: &mut Vec<u8>,
) -> Option<Frame<'a>> {
    let (values, keys) = match word::tag(word)? {
        Tag::Array => (packed.items(word), Keys::None),
        Tag::Record => {
            let (_, _, values) = packed.record(word);
            let shape = written.shape::<F>(packed, word::beside(word) as usize);
            (values, Keys::Record(shape))
        }
        Tag::Dict => {
            let dict = packed.dict(word);
            (dict.values, Keys::Dict(dict.keys.iter()))
        }
        _ => return None,
    };
    F::begin(out, !matches!(keys, Keys::None), values.len());
    Some(Frame {
        values: values.iter(),
        keys,
        first: true,
    })
}

/// The text of a word. Most are short: those are copied as a block.
#[inline(always)]
fn write_text<F: Format>(out: &mut Vec<u8>, packed: &Packed, word: &u64) {
    let len = packed.bytes(word).len();
    if let Some(block) = packed.short_text_block(word) {
        if !F::short_text(out, &block, len) {
            F::scalar(out, Data::Text(packed.text(word)));
        }
        return;
    }
    let done = match packed.text_block(word) {
        Some(block) if len <= BLOCK => F::short_text(out, block, len),
        _ => false,
    };
    if !done {
        F::scalar(out, Data::Text(packed.text(word)));
    }
}

/// Appends the first `len` bytes of a block.
#[inline(always)]
pub(crate) fn push_block(out: &mut Vec<u8>, block: &[u8; BLOCK], len: usize) {
    let before = out.len();
    out.extend_from_slice(block);
    out.truncate(before + len);
}
