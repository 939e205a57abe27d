//! Reading the packed form in place. Every access is checked against the buffer, so damaged words give wrong
//! answers at worst.

use triomphe::ArcBorrow;

use super::word::{self, Tag};
use super::{Document, Packed};
use crate::Key;
use crate::extended::Extended;

/// A packed value, borrowed: its document and its word. Where the word lies in the document, it lends its
/// short text.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) doc: ArcBorrow<'a, Packed>,
    pub(crate) word: &'a u64,
}

/// A dictionary's parts, of equal number; the index is empty in a small one.
#[derive(Clone, Copy)]
pub(crate) struct Dict<'a> {
    pub(crate) keys: &'a [u64],
    pub(crate) values: &'a [u64],
    /// `hash << 32 | position`, sorted by hash, then by key.
    index: &'a [u64],
}

/// Dictionaries above this have an index.
pub(super) const INDEXED: usize = 16;

impl Packed {
    #[inline(always)]
    fn slice(&self, start: usize, len: usize) -> &[u64] {
        self.words
            .get(start..start.wrapping_add(len))
            .unwrap_or_default()
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(word::NULL)
    }

    /// Offset and length of what a word measures.
    #[inline(always)]
    pub(super) fn extent(&self, word: u64) -> (usize, usize) {
        let offset = word::offset(word);
        match word::beside(word) {
            word::LONG => (offset + 1, self.word(offset) as usize),
            len => (offset, len as usize),
        }
    }

    /// The bytes of text or of a byte string.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, word: &'a u64) -> &'a [u8] {
        if word >> 48 == Tag::ShortText as u64 {
            let bytes: &[u8; 8] = bytemuck::cast_ref(word);
            return bytes.get(..word::short_text_len(*word)).unwrap_or_default();
        }
        let (offset, len) = self.extent(*word);
        let words = self.words.get(offset..).unwrap_or_default();
        bytemuck::cast_slice(words).get(..len).unwrap_or_default()
    }

    /// Text; the buffer's text was checked to be UTF-8 when it was written or opened.
    #[inline]
    pub(crate) fn text<'a>(&'a self, word: &'a u64) -> &'a str {
        #[expect(
            unsafe_code,
            reason = "checking UTF-8 again at each read doubles its cost"
        )]
        // SAFETY: the writer puts only `&str` (or text the JSON reader has checked) under text words, and
        // `check` refuses foreign buffers where any other text is.
        unsafe {
            std::str::from_utf8_unchecked(self.bytes(word))
        }
    }

    /// The 32 bytes that the text of a word begins with, whatever comes after it; none at the end of the
    /// buffer.
    #[inline(always)]
    pub(crate) fn text_block<'a>(&'a self, word: &'a u64) -> Option<&'a [u8; 32]> {
        if word::beside(*word) == word::LONG || word >> 48 != Tag::Text as u64 {
            return None;
        }
        let words: &[u64; 4] = self.words.get(word::offset(*word)..)?.first_chunk()?;
        Some(bytemuck::cast_ref(words))
    }

    /// As [`Packed::text_block`], of a text that the word itself holds.
    #[inline(always)]
    pub(crate) fn short_text_block(&self, word: &u64) -> Option<[u8; 32]> {
        let is_short = word >> 48 == Tag::ShortText as u64;
        is_short.then(|| bytemuck::cast([*word, 0, 0, 0]))
    }

    #[inline(always)]
    pub(crate) fn items(&self, word: u64) -> &[u64] {
        let (offset, len) = self.extent(word);
        self.slice(offset, len)
    }

    /// Where the key words of a shape are, and how many.
    #[inline(always)]
    fn shape_extent(&self, shape: usize) -> (usize, usize) {
        if shape >= self.shape_count as usize {
            return (0, 0);
        }
        self.extent(self.word(self.shapes as usize + shape))
    }

    /// The key words of a shape and their hashes.
    #[inline(always)]
    pub(crate) fn shape(&self, shape: usize) -> (&[u64], &[u32]) {
        let (offset, len) = self.shape_extent(shape);
        let hashes = self.slice(offset + len, len.div_ceil(2));
        let hashes = bytemuck::cast_slice(hashes).get(..len).unwrap_or_default();
        (self.slice(offset, len), hashes)
    }

    /// The values of a record.
    #[inline(always)]
    pub(crate) fn record(&self, word: u64) -> (&[u64], &[u32], &[u64]) {
        let (keys, hashes) = self.shape(word::beside(word) as usize);
        (keys, hashes, self.slice(word::offset(word), keys.len()))
    }

    #[inline]
    pub(crate) fn dict(&self, word: u64) -> Dict<'_> {
        let offset = word::offset(word);
        let len = self.word(offset) as u32 as usize;
        Dict {
            keys: self.slice(offset + 1, len),
            values: self.slice(offset + 1 + len, len),
            index: match len > INDEXED {
                true => self.slice(offset + 1 + 2 * len, len),
                false => &[],
            },
        }
    }

    fn find_in_dict(&self, dict: Dict<'_>, text: &[u8], hash: u32) -> Option<usize> {
        let is = |at: usize| dict.keys.get(at).is_some_and(|key| self.bytes(key) == text);
        if dict.index.is_empty() {
            return (0..dict.keys.len()).find(|at| is(*at));
        }
        let hash = u64::from(hash);
        let start = dict.index.partition_point(|entry| (entry >> 32) < hash);
        let same_hash = dict.index.get(start..)?;
        let end = same_hash.partition_point(|entry| entry >> 32 == hash);
        let found = same_hash.get(..end)?;
        let position = |entry: &u64| *entry as u32 as usize;
        if let [entry] = found {
            return Some(position(entry)).filter(|at| is(*at));
        }
        // Equal hashes are sorted by key.
        let at = found.binary_search_by(|entry| {
            let key = dict.keys.get(position(entry));
            key.map_or(&[][..], |key| self.bytes(key)).cmp(text)
        });
        found.get(at.ok()?).map(position)
    }
}

impl<'a> View<'a> {
    #[inline(always)]
    pub(crate) fn new(doc: &'a Document, word: &'a u64) -> Self {
        View {
            doc: doc.borrow_arc(),
            word,
        }
    }

    #[inline(always)]
    pub(crate) fn tag(self) -> Option<Tag> {
        word::tag(*self.word)
    }

    #[inline(always)]
    pub(crate) fn packed(self) -> &'a Packed {
        self.doc.get()
    }

    #[inline(always)]
    fn child(self, word: &'a u64) -> View<'a> {
        View { word, ..self }
    }

    pub(crate) fn text(self) -> &'a str {
        self.packed().text(self.word)
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        self.packed().bytes(self.word)
    }

    /// A long integer's bits.
    pub(crate) fn long(self) -> u64 {
        self.packed().word(word::offset(*self.word))
    }

    pub(crate) fn extended(self) -> Option<&'a Extended> {
        self.packed().extended.get(word::offset(*self.word))
    }

    pub(crate) fn same(self, other: View<'_>) -> bool {
        *self.word == *other.word && std::ptr::eq(self.packed(), other.packed())
    }

    pub(crate) fn items(self) -> &'a [u64] {
        match self.tag() {
            Some(Tag::Array) => self.packed().items(*self.word),
            _ => &[],
        }
    }

    /// The keys and values of an object.
    pub(crate) fn entries(self) -> (&'a [u64], &'a [u64]) {
        match self.tag() {
            Some(Tag::Record) => {
                let (keys, _, values) = self.packed().record(*self.word);
                (keys, values)
            }
            Some(Tag::Dict) => {
                let dict = self.packed().dict(*self.word);
                (dict.keys, dict.values)
            }
            _ => (&[], &[]),
        }
    }

    #[inline]
    pub(crate) fn index(self, at: usize) -> Option<View<'a>> {
        self.items().get(at).map(|word| self.child(word))
    }

    /// The value of a key, given as UTF-8, as the word it is if it is short, and by its hash (see
    /// [`crate::key::hash`]).
    #[inline]
    pub(crate) fn get(
        self,
        text: &[u8],
        short: Option<u64>,
        hash: impl FnOnce() -> u32,
    ) -> Option<View<'a>> {
        let packed = self.packed();
        match (self.tag()?, short) {
            (Tag::Record, Some(short)) => {
                let (offset, len) = packed.shape_extent(word::beside(*self.word) as usize);
                let keys = packed.slice(offset, len);
                let at = keys.iter().position(|key| *key == short)?;
                // The word of the value, without a look at how many there are.
                let word = packed.words.get(word::offset(*self.word) + at)?;
                Some(self.child(word))
            }
            (Tag::Record, None) => {
                let hash = hash();
                let (keys, hashes, values) = packed.record(*self.word);
                let mut from = 0;
                loop {
                    let at = from
                        + hashes
                            .get(from..)?
                            .iter()
                            .position(|found| *found == hash)?;
                    if packed.bytes(keys.get(at)?) == text {
                        return values.get(at).map(|word| self.child(word));
                    }
                    from = at + 1;
                }
            }
            (Tag::Dict, _) => {
                let dict = packed.dict(*self.word);
                let at = packed.find_in_dict(dict, text, hash())?;
                dict.values.get(at).map(|word| self.child(word))
            }
            _ => None,
        }
    }

    /// A dictionary's index: `hash << 32 | position`, ascending; empty if there is none.
    pub(crate) fn dict_index(self) -> &'a [u64] {
        match self.tag() {
            Some(Tag::Dict) => self.packed().dict(*self.word).index,
            _ => &[],
        }
    }

    /// The keys of a record, shared by all records of its shape; none for a dictionary.
    pub(crate) fn shape_keys(self) -> Option<&'a [Key]> {
        if self.tag() != Some(Tag::Record) {
            return None;
        }
        let packed = self.packed();
        let shapes = packed.keys.get_or_init(|| {
            (0..packed.shape_count)
                .map(|_| std::sync::OnceLock::new())
                .collect()
        });
        let shape = word::beside(*self.word) as usize;
        let keys = shapes.get(shape)?.get_or_init(|| {
            let (keys, _) = packed.shape(shape);
            keys.iter().map(|key| Key::new(packed.text(key))).collect()
        });
        Some(keys)
    }
}
