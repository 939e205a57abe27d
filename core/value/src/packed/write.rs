//! Writing the packed form from a stream of events: what every decoder ends in.

use std::cell::Cell;
use std::sync::OnceLock;

use super::read::INDEXED;
use super::shapes::{EMPTY, Shapes, push_text};
use super::word::{self, LONG, Tag};
use super::{Document, Packed};
use crate::Value;
use crate::extended::Extended;
use crate::key::hash;
use crate::value::Repr;

/// The buffer would exceed 2³² words (32 GiB), or a key or text 2³² bytes.
#[derive(Debug)]
pub(crate) struct Full;

/// An open container.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Where its children begin on the stack.
    start: usize,
    /// The shape so far, or one of the two below.
    shape: u32,
    /// The step to this container, or to the array around it: objects that come by the same way mostly
    /// begin with the same key.
    way: u32,
}

const ARRAY: u32 = u32::MAX;
/// Its keys are on the stack, each before its value.
const DICT: u32 = u32::MAX - 1;

/// A document being written. The children of open containers lie on one stack; closing a container moves
/// its own to the buffer. So no declared length is trusted and nothing is over-allocated.
///
/// Its working memory is kept by the thread from one document to the next.
pub(crate) struct Writer {
    pub(super) out: Vec<u64>,
    stack: Vec<u64>,
    open: Vec<Frame>,
    top: Frame,
    shapes: Shapes,
    extended: Vec<Extended>,
    deepest: usize,
}

/// Working memory that is worth keeping, in words.
const KEPT: usize = 1 << 15;
/// Buffers above this become the document; smaller ones are copied and used again.
const MOVED: usize = 1 << 13;

thread_local! {
    static SPARE: Cell<Option<Box<Writer>>> = const { Cell::new(None) };
}

const OUTSIDE: Frame = Frame {
    start: 0,
    shape: ARRAY,
    way: EMPTY,
};

impl Writer {
    /// An empty writer for a document that is expected to take about `words`.
    pub(crate) fn new(words: usize) -> Box<Writer> {
        // A thread that ends may have destroyed it already.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut writer = spare.unwrap_or_else(|| {
            Box::new(Writer {
                out: Vec::new(),
                stack: Vec::new(),
                open: Vec::new(),
                top: OUTSIDE,
                shapes: Shapes::default(),
                extended: Vec::new(),
                deepest: 0,
            })
        });
        writer.out.clear();
        writer.out.reserve(words);
        writer.stack.clear();
        writer.open.clear();
        writer.top = OUTSIDE;
        writer.shapes.begin();
        writer.extended.clear();
        writer.deepest = 0;
        writer
    }

    /// Gives the working memory back to the thread.
    fn put_away(mut self: Box<Self>) {
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        if self.stack.capacity() > KEPT {
            self.stack = Vec::new();
        }
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// Open containers.
    #[inline(always)]
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether the innermost open container is an array.
    #[inline(always)]
    pub(crate) fn in_array(&self) -> bool {
        self.top.shape == ARRAY
    }

    /// The values in the innermost open container.
    #[inline(always)]
    pub(crate) fn pending(&self) -> usize {
        let words = self.stack.len() - self.top.start;
        match self.top.shape {
            DICT => words / 2,
            _ => words,
        }
    }

    #[inline(always)]
    pub(crate) fn open_array(&mut self) {
        self.open_frame(ARRAY);
    }

    #[inline(always)]
    pub(crate) fn open_object(&mut self) {
        self.open_frame(EMPTY);
    }

    #[inline(always)]
    fn open_frame(&mut self, shape: u32) {
        self.open.push(self.top);
        let way = match self.top.shape {
            ARRAY | DICT => self.top.way,
            step => step,
        };
        self.top = Frame {
            start: self.stack.len(),
            shape,
            way,
        };
        self.deepest = self.deepest.max(self.open.len());
    }

    /// Adds a finished value to the innermost container.
    #[inline(always)]
    pub(crate) fn push(&mut self, word: u64) {
        self.stack.push(word);
    }

    /// If JSON text goes on with the expected key and its closing quote, takes it: how many bytes.
    #[inline(always)]
    pub(crate) fn expected_key(&mut self, json: &[u8]) -> Option<usize> {
        let Frame { shape, way, .. } = self.top;
        let (next, len) = self.shapes.expected_json(shape, way, json)?;
        self.top.shape = next;
        Some(len)
    }

    /// The key of the next value.
    pub(crate) fn key(&mut self, key: &str) -> Result<(), Full> {
        let Frame { shape, way, .. } = self.top;
        if shape < DICT {
            let next = self
                .shapes
                .expected_key(shape, way, key.as_bytes())
                .or_else(|| self.shapes.take(shape, way, key));
            if let Some(next) = next {
                self.top.shape = next;
                return Ok(());
            }
            self.become_dict();
        }
        let word = self.text(key)?;
        self.stack.push(word);
        Ok(())
    }

    /// Puts the keys of the innermost object on the stack.
    #[cold]
    fn become_dict(&mut self) {
        let keys = self.shapes.keys(self.top.shape, &mut self.out);
        let values = self.stack.split_off(self.top.start);
        self.stack.extend(
            keys.iter()
                .zip(&values)
                .flat_map(|(key, value)| [key, value]),
        );
        self.top.shape = DICT;
    }

    /// The word of text.
    pub(crate) fn text(&mut self, text: &str) -> Result<u64, Full> {
        match word::short_text(text.as_bytes()) {
            Some(word) => Ok(word),
            None => self.blob(Tag::Text, text.as_bytes()),
        }
    }

    /// The word of a byte string.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<u64, Full> {
        self.blob(Tag::Bytes, bytes)
    }

    fn blob(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, Full> {
        let word = self.measured(tag, bytes.len())?;
        push_text(&mut self.out, bytes);
        Ok(word)
    }

    /// The word for what `len` measures and is about to be written.
    #[inline(always)]
    fn measured(&mut self, tag: Tag, len: usize) -> Result<u64, Full> {
        let offset = self.offset()?;
        Ok(if len < LONG as usize {
            word::at(tag, offset, len as u16)
        } else {
            self.out.push(len as u64);
            word::at(tag, offset, LONG as u16)
        })
    }

    #[inline(always)]
    fn offset(&self) -> Result<u32, Full> {
        u32::try_from(self.out.len()).map_err(|_| Full)
    }

    #[inline(always)]
    pub(crate) fn int(&mut self, int: i64) -> Result<u64, Full> {
        match word::short_int(int) {
            Some(word) => Ok(word),
            None => self.long(Tag::LongInt, int as u64),
        }
    }

    #[inline]
    pub(crate) fn uint(&mut self, uint: u64) -> Result<u64, Full> {
        match i64::try_from(uint) {
            Ok(int) => self.int(int),
            Err(_) => self.long(Tag::LongUint, uint),
        }
    }

    /// The word of a scalar of a kind beyond JSON.
    pub(crate) fn extended(&mut self, extended: Extended) -> Result<u64, Full> {
        let number = u32::try_from(self.extended.len()).map_err(|_| Full)?;
        self.extended.push(extended);
        Ok(word::at(Tag::Extended, number, 0))
    }

    fn long(&mut self, tag: Tag, bits: u64) -> Result<u64, Full> {
        let offset = self.offset()?;
        self.out.push(bits);
        Ok(word::at(tag, offset, 0))
    }

    /// Closes the innermost container and adds it to the one around it.
    #[inline(always)]
    pub(crate) fn close(&mut self) -> Result<(), Full> {
        let Frame { start, shape, .. } = self.top;
        let word = if shape == ARRAY {
            self.close_array(start)?
        } else if shape == DICT {
            self.close_dict(start)?
        } else {
            match self.shapes.number(shape) {
                Some(number) => self.close_record(start, number)?,
                None => {
                    self.become_dict();
                    self.close_dict(start)?
                }
            }
        };
        self.stack.truncate(start);
        self.top = self.open.pop().unwrap_or(OUTSIDE);
        self.stack.push(word);
        Ok(())
    }

    /// Takes nulls at the end of the innermost container away again.
    pub(super) fn trim_nulls(&mut self) {
        let rest = self.children(self.top.start);
        let kept = rest.iter().rposition(|word| *word != word::NULL);
        let kept = kept.map_or(0, |last| last + 1);
        self.stack.truncate(self.top.start + kept);
    }

    /// Forgets the innermost container.
    pub(super) fn abandon(&mut self) {
        self.stack.truncate(self.top.start);
        self.top = self.open.pop().unwrap_or(OUTSIDE);
    }

    #[inline(always)]
    fn children(&self, start: usize) -> &[u64] {
        self.stack.get(start..).unwrap_or_default()
    }

    #[inline(always)]
    fn close_array(&mut self, start: usize) -> Result<u64, Full> {
        let len = self.children(start).len();
        if len == 0 {
            return Ok(word::EMPTY_ARRAY);
        }
        let word = self.measured(Tag::Array, len)?;
        self.move_children(start);
        Ok(word)
    }

    #[inline(always)]
    fn close_record(&mut self, start: usize, number: u16) -> Result<u64, Full> {
        let offset = self.offset()?;
        self.move_children(start);
        Ok(word::at(Tag::Record, offset, number))
    }

    /// To the buffer: few one by one, which is faster than copying a block.
    #[inline(always)]
    fn move_children(&mut self, start: usize) {
        let children = self.stack.get(start..).unwrap_or_default();
        if children.len() > 8 {
            self.out.extend_from_slice(children);
            return;
        }
        self.out.reserve(8);
        for child in children {
            self.out.push(*child);
        }
    }

    fn close_dict(&mut self, start: usize) -> Result<u64, Full> {
        let (mut keys, mut values): (Vec<u64>, Vec<u64>) = self
            .children(start)
            .as_chunks()
            .0
            .iter()
            .map(|[key, value]| (*key, *value))
            .unzip();
        let mut index = self.index(&keys);
        if self.merge_duplicates(&mut keys, &mut values, &index) {
            index = self.index(&keys);
        }
        let offset = self.offset()?;
        if keys.len() > u32::MAX as usize {
            return Err(Full);
        }
        self.out.push(keys.len() as u64);
        self.out.extend(&keys);
        self.out.extend(&values);
        if keys.len() > INDEXED {
            self.out.extend(&index);
        }
        Ok(word::at(Tag::Dict, offset, 0))
    }

    /// The positions of keys, sorted by hash, then by key.
    fn index(&self, keys: &[u64]) -> Vec<u64> {
        let text = |entry: u64| {
            keys.get(entry as u32 as usize)
                .map(|key| self.key_text(key))
        };
        let mut index: Vec<u64> = keys
            .iter()
            .zip(0u64..)
            .map(|(key, at)| u64::from(hash(self.key_text(key))) << 32 | at)
            .collect();
        index.sort_unstable();
        for same in index.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
            if same.len() > 1 {
                same.sort_by(|a, b| text(*a).cmp(&text(*b)));
            }
        }
        index
    }

    /// Of equal keys the last value wins, at the position of the first. Whether there were any.
    fn merge_duplicates(&self, keys: &mut Vec<u64>, values: &mut Vec<u64>, index: &[u64]) -> bool {
        let place = |entry: &u64| *entry as u32 as usize;
        let same = |a: &u64, b: &u64| {
            a >> 32 == b >> 32
                && match (keys.get(place(a)), keys.get(place(b))) {
                    (Some(a), Some(b)) => self.key_text(a) == self.key_text(b),
                    _ => false,
                }
        };
        let mut gone = Vec::new();
        for equal in index.chunk_by(same).filter(|equal| equal.len() > 1) {
            // The sort by text is stable and began in order of position.
            let (Some(first), Some(last)) = (equal.first(), equal.last()) else {
                continue;
            };
            if let Some(&value) = values.get(place(last))
                && let Some(slot) = values.get_mut(place(first))
            {
                *slot = value;
            }
            gone.extend(equal.iter().skip(1).map(place));
        }
        gone.sort_unstable();
        let keep = |list: &mut Vec<u64>| {
            let mut at = 0;
            list.retain(|_| {
                at += 1;
                gone.binary_search(&(at - 1)).is_err()
            });
        };
        if !gone.is_empty() {
            keep(keys);
            keep(values);
        }
        !gone.is_empty()
    }

    fn key_text<'a>(&'a self, word: &'a u64) -> &'a str {
        let len = match word::beside(*word) {
            _ if *word >> 48 == Tag::ShortText as u64 => {
                let bytes: &[u8; 8] = bytemuck::cast_ref(word);
                let bytes = bytes.get(..word::short_text_len(*word));
                return bytes.map_or("", |bytes| std::str::from_utf8(bytes).unwrap_or_default());
            }
            LONG => self.out.get(word::offset(*word)).copied().unwrap_or(0) as usize,
            len => len as usize,
        };
        let from = word::offset(*word) + usize::from(word::beside(*word) == LONG);
        let words = self.out.get(from..).unwrap_or_default();
        let bytes = bytemuck::cast_slice(words).get(..len).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The finished value. A scalar needs no document, unless it is long.
    pub(crate) fn finish(mut self: Box<Self>) -> Result<Value, Full> {
        let root = self.stack.pop().unwrap_or(word::NULL);
        let long = |writer: &Writer| writer.out.get(word::offset(root)).copied().unwrap_or(0);
        let scalar = match word::tag(root) {
            Some(Tag::Float) => Repr::Float(f64::from_bits(root)),
            Some(Tag::Int) => Repr::Int(word::int(root)),
            Some(Tag::LongInt) => Repr::Int(long(&self) as i64),
            Some(Tag::LongUint) => Repr::Uint(long(&self)),
            Some(Tag::ShortText | Tag::Text) => Repr::Text(self.key_text(&root).into()),
            Some(Tag::Extended) => self.extended.pop().map_or(Repr::Null, Repr::Extended),
            Some(Tag::Constant) if root == word::NULL => Repr::Null,
            Some(Tag::Constant) => Repr::Bool(root == word::TRUE),
            Some(Tag::Bytes | Tag::Array | Tag::Record | Tag::Dict) | None => {
                return Ok(Value(Repr::Packed(self.document()?, root)));
            }
        };
        self.put_away();
        Ok(Value(scalar))
    }

    /// The root's word, and the document it is in, of whatever kind it is.
    pub(super) fn into_document(mut self: Box<Self>) -> Result<(u64, Document), Full> {
        let root = self.stack.pop().unwrap_or(word::NULL);
        Ok((root, self.document()?))
    }

    fn document(mut self: Box<Self>) -> Result<Document, Full> {
        let mut table = Vec::with_capacity(self.shapes.used());
        for number in 0..self.shapes.used() {
            let shape = self.shapes.used_shape(number);
            let keys = self.shapes.write_texts(shape, &mut self.out);
            table.push(word::at(Tag::Array, self.offset()?, keys as u16));
            self.shapes.write_keys(shape, keys, &mut self.out);
        }
        let shapes = self.offset()?;
        self.out.extend(&table);
        let words = if self.out.len() > MOVED {
            std::mem::take(&mut self.out).into_boxed_slice()
        } else {
            self.out.as_slice().into()
        };
        let document = Document::new(Packed {
            words,
            shapes,
            shape_count: table.len() as u32,
            extended: std::mem::take(&mut self.extended).into_boxed_slice(),
            depth: self.deepest as u32,
            keys: OnceLock::new(),
        });
        self.put_away();
        Ok(document)
    }
}

/// For the JSON reader.
impl Writer {
    /// As [`Writer::text`], of the first `len` bytes of `from`; what comes after them may be read, but is not
    /// kept.
    #[inline(always)]
    pub(crate) fn json_text(&mut self, from: &[u8], len: usize) -> Result<u64, Full> {
        let (chunks, _) = from.as_chunks::<8>();
        let full = len.div_ceil(8);
        if len > LONG_TEXT || full > chunks.len() {
            return self.any_text(from.get(..len).unwrap_or_default());
        }
        if len <= word::SHORT_TEXT {
            let first = chunks.first().copied().unwrap_or_default();
            // The bytes after the text become the filler.
            let filler = u64::MAX << (8 * len);
            return Ok(word::tagged(
                Tag::ShortText,
                u64::from_le_bytes(first) | filler,
            ));
        }
        let word = word::at(Tag::Text, self.offset()?, len as u16);
        let start = self.out.len();
        // Whole blocks, since copying a number of words that is hard to predict is slower.
        if let (Some(block), ..=4) = (chunks.first_chunk::<4>(), full) {
            push_block(&mut self.out, block);
        } else if let (Some(block), ..=8) = (chunks.first_chunk::<8>(), full) {
            push_block(&mut self.out, block);
        } else if let (Some(block), ..=16) = (chunks.first_chunk::<16>(), full) {
            push_block(&mut self.out, block);
        } else {
            let words = chunks.iter().take(full);
            self.out
                .extend(words.map(|chunk| u64::from_le_bytes(*chunk)));
        }
        self.out.truncate(start + full);
        if let Some(last) = self.out.last_mut() {
            *last &= u64::MAX >> (8 * (len.wrapping_neg() & 7));
        }
        Ok(word)
    }

    #[cold]
    fn any_text(&mut self, text: &[u8]) -> Result<u64, Full> {
        match word::short_text(text) {
            Some(word) => Ok(word),
            None => self.blob(Tag::Text, text),
        }
    }
}

/// Copied at a length the compiler knows.
#[inline(always)]
fn push_block<const N: usize>(words: &mut Vec<u64>, block: &[[u8; 8]; N]) {
    let mut copy = [0; N];
    for (word, chunk) in copy.iter_mut().zip(block) {
        *word = u64::from_le_bytes(*chunk);
    }
    words.extend_from_slice(&copy);
}

/// Texts up to this long are copied word by word.
const LONG_TEXT: usize = 128;
