//! Checking packed words that come from outside: afterwards they are as good as the writer's own.

use super::Packed;
use super::bytes::invalid;
use super::read::INDEXED;
use super::shapes::{MAX_KEY, MAX_KEYS};
use super::word::{self, Tag};
use crate::key::hash;
use crate::{Error, Limits, Result};

/// Checks every word that can be reached from `root`, and the shapes; the depth of nesting.
///
/// A container lies before the word that refers to it, so there are no cycles. No more words are visited than
/// there are, texts and bytes in all their places are no longer than the buffer, and no more scalars beyond
/// JSON are met than it has: nothing is reached by two ways, which could make a small buffer a value without
/// end. Only keys that are short enough for a shape may be shared.
pub(super) fn check(packed: &Packed, root: u64, limits: &Limits) -> Result<u32> {
    let mut check = Check {
        packed,
        limits,
        visited: 0,
        dict_keys: 0,
        text_words: 0,
        extended: 0,
    };
    check.shapes()?;
    check.values(root)
}

struct Check<'a> {
    packed: &'a Packed,
    limits: &'a Limits,
    /// Values met so far, and keys of dictionaries.
    visited: usize,
    dict_keys: usize,
    /// In texts and bytes met so far.
    text_words: usize,
    extended: usize,
}

impl<'a> Check<'a> {
    fn shapes(&mut self) -> Result<()> {
        let packed = self.packed;
        let table = self.range(packed.shapes as usize, packed.shape_count as usize)?;
        let mut total = 0usize;
        for (at, descriptor) in (packed.shapes as usize..).zip(table) {
            if word::tag(*descriptor) != Some(Tag::Array) || word::beside(*descriptor) == word::LONG
            {
                return Err(place(at, "not a shape"));
            }
            let len = word::beside(*descriptor) as usize;
            if len > MAX_KEYS.into() {
                // Such an object is a dictionary: the keys of a shape are looked through one by one.
                return Err(place(at, "a shape has too many keys"));
            }
            total = total.saturating_add(len);
            if total > packed.words.len() {
                return Err(place(at, "shapes overlap"));
            }
            self.range(word::offset(*descriptor), len + len.div_ceil(2))?;
            let (keys, hashes) = packed.shape(at - packed.shapes as usize);
            let mut texts = Vec::with_capacity(len);
            for (key, expected) in keys.iter().zip(hashes) {
                let text = self.key(key, at)?;
                if text.len() > MAX_KEY {
                    return Err(place(at, "the key is too long for a shape"));
                }
                if hash(text) != *expected {
                    return Err(place(at, "a hash is not that of its key"));
                }
                // A short key is looked for by its word alone.
                if word::short_text(text.as_bytes()).is_some_and(|short| short != *key) {
                    return Err(place(at, "a short key is not in its word"));
                }
                texts.push(text);
            }
            texts.sort_unstable();
            if texts.windows(2).any(|pair| pair.first() == pair.last()) {
                return Err(place(at, "a key comes twice"));
            }
        }
        Ok(())
    }

    fn values(&mut self, root: u64) -> Result<u32> {
        let packed = self.packed;
        let mut open: Vec<std::ops::Range<usize>> = Vec::new();
        let mut deepest = 0;
        let mut next = Some((packed.words.len(), &root));
        loop {
            if let Some((at, word)) = next {
                self.count(at)?;
                if let Some(children) = self.value(at, word)? {
                    open.push(children);
                    deepest = deepest.max(open.len());
                    if deepest > self.limits.depth() {
                        return Err(self.limit("nesting depth", self.limits.depth(), at));
                    }
                }
            }
            let Some(children) = open.last_mut() else {
                return Ok(deepest as u32);
            };
            next = children
                .next()
                .and_then(|at| Some((at, packed.words.get(at)?)));
            if next.is_none() {
                open.pop();
            }
        }
    }

    fn count(&mut self, at: usize) -> Result<()> {
        self.visited += 1;
        if self.visited > self.limits.max_items {
            return Err(self.limit("number of values", self.limits.max_items, at));
        }
        if self.visited + self.dict_keys > self.packed.words.len() + 1 {
            return Err(place(at, "a value is reached by two ways"));
        }
        Ok(())
    }

    /// Before the text is looked at, so that all texts together cost no more than the buffer is long.
    fn count_text(&mut self, word: u64, at: usize) -> Result<()> {
        let (_, len) = self.packed.extent(word);
        self.text_words = self.text_words.saturating_add(len.div_ceil(8));
        match self.text_words > self.packed.words.len() {
            true => Err(place(at, "a text is reached by two ways")),
            false => Ok(()),
        }
    }

    /// Checks the word at `at`; where its children are, if it is a container.
    fn value(&mut self, at: usize, here: &u64) -> Result<Option<std::ops::Range<usize>>> {
        let (packed, word) = (self.packed, *here);
        let offset = word::offset(word);
        let bad = |reason| Err(place(at, reason));
        let long = || packed.words.get(offset).copied();
        match word::tag(word) {
            None => return bad("not a value"),
            Some(Tag::Float) if f64::from_bits(word).is_finite() => {}
            Some(Tag::Float) => return bad("not a finite number"),
            Some(Tag::Constant) if word <= word::TRUE => {}
            Some(Tag::Constant) => return bad("not a value"),
            Some(Tag::Int) => {}
            Some(Tag::LongInt) => match long() {
                Some(bits) if word::short_int(bits as i64).is_none() => {}
                _ => return bad("not a long integer"),
            },
            Some(Tag::LongUint) => match long() {
                Some(bits) if i64::try_from(bits).is_err() => {}
                _ => return bad("not a long integer"),
            },
            Some(Tag::ShortText) => {
                self.text(here, at, "length of a text", self.limits.max_string)?;
            }
            Some(Tag::Text) => {
                self.count_text(word, at)?;
                self.text(here, at, "length of a text", self.limits.max_string)?;
            }
            Some(Tag::Bytes) => {
                self.count_text(word, at)?;
                self.blob(word, at, "length of a byte string", self.limits.max_string)?;
            }
            Some(Tag::Extended) => {
                self.extended += 1;
                if offset >= packed.extended.len() {
                    return bad("no such scalar");
                }
                if self.extended > packed.extended.len() {
                    return bad("a scalar is reached by two ways");
                }
            }
            Some(Tag::Array) => {
                let (start, len) = packed.extent(word);
                return self.before(at, start, len).map(Some);
            }
            Some(Tag::Record) => {
                let shape = word::beside(word) as usize;
                if shape >= packed.shape_count as usize {
                    return bad("no such shape");
                }
                let (keys, _) = packed.shape(shape);
                return self.before(at, offset, keys.len()).map(Some);
            }
            Some(Tag::Dict) => return self.dict(at, offset).map(Some),
        }
        Ok(None)
    }

    fn dict(&mut self, at: usize, offset: usize) -> Result<std::ops::Range<usize>> {
        let packed = self.packed;
        let Some(len) = packed
            .words
            .get(offset)
            .and_then(|len| u32::try_from(*len).ok())
        else {
            return Err(place(at, "no such dictionary"));
        };
        let len = len as usize;
        let indexed = len > INDEXED;
        self.before(at, offset + 1, len * (2 + usize::from(indexed)))?;
        self.dict_keys += len;
        let mut expected = Vec::with_capacity(len);
        for (key, position) in self.range(offset + 1, len)?.iter().zip(0u64..) {
            let long = word::tag(*key) == Some(Tag::Text) && packed.extent(*key).1 > MAX_KEY;
            if long {
                self.count_text(*key, at)?;
            }
            let text = self.key(key, at)?;
            expected.push((u64::from(hash(text)) << 32, text, position));
        }
        expected.sort_unstable();
        let same_key = |pair: &[(u64, &str, u64)]| match pair {
            [(_, a, _), (_, b, _)] => a == b,
            _ => false,
        };
        if expected.windows(2).any(same_key) {
            return Err(place(at, "a key comes twice"));
        }
        if indexed {
            let index = self.range(offset + 1 + 2 * len, len)?;
            let sorted = expected.iter().map(|(hash, _, position)| hash | position);
            if !sorted.eq(index.iter().copied()) {
                return Err(place(at, "the index is not that of the keys"));
            }
        }
        Ok(offset + 1 + len..offset + 1 + 2 * len)
    }

    fn key<'k>(&self, word: &'k u64, at: usize) -> Result<&'k str>
    where
        'a: 'k,
    {
        match word::tag(*word) {
            Some(Tag::ShortText | Tag::Text) => {
                self.text(word, at, "length of a key", self.limits.max_key)
            }
            _ => Err(place(at, "a key must be text")),
        }
    }

    fn text<'k>(
        &self,
        word: &'k u64,
        at: usize,
        what: &'static str,
        limit: usize,
    ) -> Result<&'k str>
    where
        'a: 'k,
    {
        let bytes = match word::tag(*word) {
            Some(Tag::ShortText) => self.packed.bytes(word),
            _ => self.blob(*word, at, what, limit)?,
        };
        std::str::from_utf8(bytes).map_err(|_| place(at, "the text is not UTF-8"))
    }

    fn blob(&self, word: u64, at: usize, what: &'static str, limit: usize) -> Result<&'a [u8]> {
        let (offset, len) = self.packed.extent(word);
        if len > limit {
            return Err(self.limit(what, limit, at));
        }
        let words = self.range(offset, len.div_ceil(8))?;
        Ok(bytemuck::cast_slice(words).get(..len).unwrap_or_default())
    }

    /// A range of words that ends before the word that refers to it.
    fn before(&self, at: usize, start: usize, len: usize) -> Result<std::ops::Range<usize>> {
        match start.checked_add(len) {
            Some(end) if end <= at => Ok(start..end),
            _ => Err(place(at, "a container lies behind what refers to it")),
        }
    }

    fn range(&self, start: usize, len: usize) -> Result<&'a [u64]> {
        let end = start.checked_add(len);
        end.and_then(|end| self.packed.words.get(start..end))
            .ok_or_else(|| place(start, "it lies outside the buffer"))
    }

    fn limit(&self, what: &'static str, limit: usize, at: usize) -> Error {
        Error::Limit {
            what,
            limit,
            at: format!("word {at}"),
        }
    }
}

/// The head is five words.
fn place(at: usize, reason: &'static str) -> Error {
    invalid(8 * (at + 5), reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    /// An object of so many keys as a record.
    fn record(len: u32) -> Result<Value> {
        let keys: Vec<String> = (0..len).map(|at| format!("k{at}")).collect();
        let mut words: Vec<u64> = (keys.iter())
            .map(|key| word::short_text(key.as_bytes()).unwrap())
            .collect();
        let hashes: Vec<u64> = keys.iter().map(|key| hash(key).into()).collect();
        words.extend(
            (hashes.chunks(2)).map(|pair| pair[0] | pair.get(1).map_or(0, |high| high << 32)),
        );
        let table = words.len() as u64;
        words.push(word::at(Tag::Array, 0, len as u16));
        let values = words.len() as u32;
        words.extend((0..len).map(|_| word::TRUE));
        let root = word::at(Tag::Record, values, 0);
        let head = [words.len() as u64, root, table | 1 << 32, 0];
        let mut bytes = b"SWPK\x01\0\0\0".to_vec();
        for word in head.iter().chain(&words) {
            bytes.extend(word.to_le_bytes());
        }
        Value::from_packed_bytes(&bytes, &Limits::default())
    }

    /// The keys of a shape are looked through one by one, which is quick for few.
    #[test]
    fn a_shape_has_no_more_keys_than_the_writer_gives_it() {
        let full = record(MAX_KEYS.into()).unwrap();
        assert_eq!(full.get("k127"), Some(Value::from(true)));
        let refused = record(u32::from(MAX_KEYS) + 1).unwrap_err();
        assert!(refused.to_string().contains("too many keys"), "{refused}");
    }
}
