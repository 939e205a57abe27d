//! One value in 64 bits.
//!
//! A word up to `0xFFF0…` is a float, bit for bit (floats are finite, so no NaN pattern is ever one). Above
//! that, the top 16 bits are a [`Tag`] and the low 48 the payload: the value itself where it fits, else the
//! offset (32 bits, in words) of what it needs and 16 bits that go with it.

/// What the top 16 bits of a word say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Tag {
    /// Anything up to `0xFFF0`.
    Float = 0,
    /// Payload 0 null, 1 false, 2 true.
    Constant = 0xFFF1,
    /// An integer of 48 bits, signed.
    Int = 0xFFF2,
    /// Offset of an `i64`.
    LongInt = 0xFFF3,
    /// Offset of a `u64` that `i64` cannot hold.
    LongUint = 0xFFF4,
    /// Up to 6 bytes of text, filled up with `0xFF`, which UTF-8 never contains.
    ShortText = 0xFFF5,
    /// Offset and length of text.
    Text = 0xFFF6,
    /// Offset and length of bytes.
    Bytes = 0xFFF7,
    /// Offset and number of items.
    Array = 0xFFF8,
    /// Offset of the values, and the number of the shape that has the keys.
    Record = 0xFFF9,
    /// Offset of a dictionary: an object with keys of its own.
    Dict = 0xFFFA,
    /// The number of a scalar of a kind beyond JSON, which are kept beside the words.
    Extended = 0xFFFB,
}

/// In the 16 bits beside an offset: the length is in the word at the offset, what it measures follows.
pub(crate) const LONG: u64 = 0xFFFF;

/// The most bytes of text a word holds itself.
pub(crate) const SHORT_TEXT: usize = 6;

const PAYLOAD: u64 = (1 << 48) - 1;

pub(crate) const NULL: u64 = tagged(Tag::Constant, 0);
pub(crate) const FALSE: u64 = tagged(Tag::Constant, 1);
pub(crate) const TRUE: u64 = tagged(Tag::Constant, 2);
pub(crate) const EMPTY_ARRAY: u64 = at(Tag::Array, 0, 0);

pub(crate) const fn tagged(tag: Tag, payload: u64) -> u64 {
    (tag as u64) << 48 | payload & PAYLOAD
}

/// A word that refers to `offset`.
pub(crate) const fn at(tag: Tag, offset: u32, beside: u16) -> u64 {
    (tag as u64) << 48 | (beside as u64) << 32 | offset as u64
}

/// The tag; none for a pattern that is no word.
#[inline(always)]
pub(crate) const fn tag(word: u64) -> Option<Tag> {
    Some(match (word >> 48) as u16 {
        0xFFF1 => Tag::Constant,
        0xFFF2 => Tag::Int,
        0xFFF3 => Tag::LongInt,
        0xFFF4 => Tag::LongUint,
        0xFFF5 => Tag::ShortText,
        0xFFF6 => Tag::Text,
        0xFFF7 => Tag::Bytes,
        0xFFF8 => Tag::Array,
        0xFFF9 => Tag::Record,
        0xFFFA => Tag::Dict,
        0xFFFB => Tag::Extended,
        0..=0xFFF0 => Tag::Float,
        _ => return None,
    })
}

#[inline(always)]
pub(crate) const fn offset(word: u64) -> usize {
    word as u32 as usize
}

#[inline(always)]
pub(crate) const fn beside(word: u64) -> u64 {
    word >> 32 & 0xFFFF
}

/// The integer in the word, if it fits.
#[inline(always)]
pub(crate) const fn short_int(int: i64) -> Option<u64> {
    if int << 16 >> 16 == int {
        Some(tagged(Tag::Int, int as u64))
    } else {
        None
    }
}

#[inline(always)]
pub(crate) const fn int(word: u64) -> i64 {
    (word << 16) as i64 >> 16
}

/// The text in the word, if it fits.
#[inline]
pub(crate) fn short_text(text: &[u8]) -> Option<u64> {
    if text.len() > SHORT_TEXT {
        return None;
    }
    let mut bytes = [0xFF; 8];
    for (slot, byte) in bytes.iter_mut().zip(text) {
        *slot = *byte;
    }
    Some(tagged(Tag::ShortText, u64::from_le_bytes(bytes)))
}

/// The length of a short text, in bytes.
#[inline(always)]
pub(crate) const fn short_text_len(word: u64) -> usize {
    let filler = (word << 16).leading_ones() / 8;
    SHORT_TEXT - if filler > 6 { 6 } else { filler as usize }
}
