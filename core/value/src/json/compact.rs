//! Printing compact JSON: the way values are sent, so the fast one.

use super::print::{write_scalar, write_string};
use super::scan::special_in_block;
use crate::packed::word::{self, Tag};
use crate::packed::{Packed, View};
use crate::value_ref::{Data, Items};
use crate::{Entries, ValueRef};

/// Appends compact JSON to `out`.
pub(super) fn write(out: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut open = Vec::new();
    let mut next = Some(value);
    loop {
        if let Some(value) = next.take() {
            match value.data() {
                Data::Array | Data::Object if value.view().is_some() => {
                    if let Some(view) = value.view() {
                        write_packed(out, view);
                    }
                }
                Data::Array => {
                    out.push(b'[');
                    open.push(Open::Items(value.items(), true));
                }
                Data::Object => {
                    out.push(b'{');
                    open.push(Open::Entries(value.entries(), true));
                }
                scalar => write_scalar(out, scalar),
            }
        }
        let end = match open.last_mut() {
            None => return,
            Some(Open::Items(items, first)) => match items.next() {
                Some(item) => {
                    if !std::mem::take(first) {
                        out.push(b',');
                    }
                    next = Some(item);
                    continue;
                }
                None => b']',
            },
            Some(Open::Entries(entries, first)) => match entries.next() {
                Some((key, value)) => {
                    if !std::mem::take(first) {
                        out.push(b',');
                    }
                    write_string(out, key);
                    out.push(b':');
                    next = Some(value);
                    continue;
                }
                None => b'}',
            },
        };
        out.push(end);
        open.pop();
    }
}

/// A container of nodes, and whether nothing of it has been printed.
enum Open<'a> {
    Items(Items<'a>, bool),
    Entries(Entries<'a>, bool),
}

/// A packed container that is being printed: the words it still has, and its keys.
struct Frame<'a> {
    values: std::slice::Iter<'a, u64>,
    keys: Keys<'a>,
    first: bool,
}

#[derive(Clone)]
enum Keys<'a> {
    /// An array.
    None,
    /// The next of the printed keys.
    Record(usize),
    Dict(std::slice::Iter<'a, u64>),
}

/// The keys of shapes as they are printed, with the comma before and the colon behind: made once, copied for
/// each record.
struct Printed {
    text: Vec<u8>,
    /// Where the keys begin in `text`, and after the last of a shape, where it ends.
    bounds: Vec<u32>,
    /// Where the keys of each shape begin in `bounds`.
    shapes: Vec<Option<usize>>,
}

/// Keys up to this long are copied as a block of this size.
const BLOCK: usize = 32;

impl Printed {
    fn shape(&mut self, packed: &Packed, shape: usize) -> usize {
        if let Some(Some(at)) = self.shapes.get(shape) {
            return *at;
        }
        let at = self.bounds.len();
        self.text.truncate(self.text.len().saturating_sub(BLOCK));
        let (keys, _) = packed.shape(shape);
        for key in keys {
            self.bounds.push(self.text.len() as u32);
            self.text.push(b',');
            write_string(&mut self.text, packed.text(key));
            self.text.push(b':');
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
    fn write(&self, out: &mut Vec<u8>, key: usize, first: bool) {
        let Some([start, end]) = self.bounds.get(key..).and_then(|rest| rest.first_chunk()) else {
            return;
        };
        let start = *start as usize + usize::from(first);
        let len = *end as usize - start;
        let text = self.text.get(start..).unwrap_or_default();
        match text.first_chunk::<BLOCK>() {
            Some(block) if len <= BLOCK => {
                let before = out.len();
                out.extend_from_slice(block);
                out.truncate(before + len);
            }
            _ => out.extend_from_slice(text.get(..len).unwrap_or_default()),
        }
    }
}

fn write_packed(out: &mut Vec<u8>, root: View<'_>) {
    let packed = root.packed();
    let mut printed = Printed {
        text: Vec::new(),
        bounds: Vec::new(),
        shapes: Vec::new(),
    };
    let mut open: Vec<Frame<'_>> = Vec::new();
    let Some(mut top) = enter(packed, *root.word, &mut printed, out) else {
        return;
    };
    loop {
        let Some(value) = top.values.next() else {
            out.push(if matches!(top.keys, Keys::None) {
                b']'
            } else {
                b'}'
            });
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
                    out.push(b',');
                }
            }
            Keys::Record(key) => {
                printed.write(out, *key, first);
                *key += 1;
            }
            Keys::Dict(keys) => {
                if !first {
                    out.push(b',');
                }
                if let Some(key) = keys.next() {
                    write_text(out, packed, key);
                    out.push(b':');
                }
            }
        }
        match word::tag(*value) {
            Some(Tag::Float) => {
                let mut digits = zmij::Buffer::new();
                let digits = digits.format_finite(f64::from_bits(*value));
                out.extend_from_slice(digits.as_bytes());
            }
            Some(Tag::Int) => write_int(out, word::int(*value)),
            Some(Tag::ShortText | Tag::Text) => write_text(out, packed, value),
            Some(Tag::Array | Tag::Record | Tag::Dict) => {
                if let Some(inner) = enter(packed, *value, &mut printed, out) {
                    open.push(std::mem::replace(&mut top, inner));
                }
            }
            _ => write_scalar(
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
fn enter<'a>(
    packed: &'a Packed,
    word: u64,
    printed: &mut Printed,
    out: &mut Vec<u8>,
) -> Option<Frame<'a>> {
    let (begin, values, keys) = match word::tag(word)? {
        Tag::Array => (b'[', packed.items(word), Keys::None),
        Tag::Record => {
            let (_, _, values) = packed.record(word);
            let shape = printed.shape(packed, word::beside(word) as usize);
            (b'{', values, Keys::Record(shape))
        }
        Tag::Dict => {
            let dict = packed.dict(word);
            (b'{', dict.values, Keys::Dict(dict.keys.iter()))
        }
        _ => return None,
    };
    out.push(begin);
    Some(Frame {
        values: values.iter(),
        keys,
        first: true,
    })
}

#[inline(always)]
fn write_int(out: &mut Vec<u8>, int: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
}

/// The text of a word. Most are short: those are checked and copied as a block.
#[inline(always)]
fn write_text(out: &mut Vec<u8>, packed: &Packed, word: &u64) {
    let len = packed.bytes(word).len();
    let Some(block) = packed.text_block(word).filter(|_| len <= BLOCK) else {
        return write_string(out, packed.text(word));
    };
    if special_in_block(block, len) {
        return write_string(out, packed.text(word));
    }
    out.push(b'"');
    let before = out.len();
    out.extend_from_slice(block);
    out.truncate(before + len);
    out.push(b'"');
}
