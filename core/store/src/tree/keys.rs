//! Comparing keys within a node: what all keys of a node begin with is kept once, and of the rest of each key the
//! first eight bytes are kept as a number, its *head*. So most comparisons are of two numbers that lie side by
//! side, and no comparison follows a pointer.

use std::cmp::Ordering;
use std::ops::Range;

/// A key without the prefix of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suffix<'a> {
    /// The first eight bytes as a big-endian number, short ones filled up with zeros.
    pub head: u64,
    /// All bytes, those of the head too.
    pub len: usize,
    /// The bytes behind the head.
    pub rest: &'a [u8],
}

impl<'a> Suffix<'a> {
    pub fn new(bytes: &'a [u8]) -> Suffix<'a> {
        let (head, rest) = match bytes.split_first_chunk::<8>() {
            Some((head, rest)) => (*head, rest),
            None => {
                let mut head = [0; 8];
                for (to, from) in head.iter_mut().zip(bytes) {
                    *to = *from;
                }
                (head, [].as_slice())
            }
        };
        Suffix {
            head: u64::from_be_bytes(head),
            len: bytes.len(),
            rest,
        }
    }

    /// Puts the bytes at the end of `out`.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len.min(8);
        // All eight, so that it is one move, and then those off that are too many.
        out.extend_from_slice(&self.head.to_be_bytes());
        out.truncate(end);
        out.extend_from_slice(self.rest);
    }

    /// The order of the bytes, of two suffixes with the same head.
    #[inline]
    pub fn cmp_behind_head(&self, other: &Suffix<'_>) -> Ordering {
        // If one ends within the head, zeros made the heads equal: then the shorter one is a prefix of the other.
        if self.len <= 8 || other.len <= 8 {
            self.len.cmp(&other.len)
        } else if same(self.rest, other.rest) {
            Ordering::Equal
        } else {
            self.rest.cmp(other.rest)
        }
    }
}

/// Where a key stands relative to the keys of a node, which all begin with `prefix`.
pub(super) enum Against<'a> {
    /// Before all of them.
    Before,
    /// Behind all of them.
    Behind,
    /// Among them; its bytes behind the prefix.
    Among(&'a [u8]),
}

/// The key without the prefix.
#[inline]
pub(super) fn strip<'a>(key: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = key.split_at_checked(prefix.len())?;
    same(head, prefix).then_some(rest)
}

/// Whether two byte strings are equal. Most have up to 16 bytes: these are compared as two numbers that overlap,
/// without a call.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((bytes.first_chunk()?, bytes.last_chunk()?))
    }
    match a.len() {
        8..=16 => a.len() == b.len() && ends::<8>(a) == ends::<8>(b),
        4..8 => a.len() == b.len() && ends::<4>(a) == ends::<4>(b),
        _ => a == b,
    }
}

impl<'a> Against<'a> {
    #[inline]
    pub fn new(prefix: &[u8], key: &'a [u8]) -> Against<'a> {
        match strip(key, prefix) {
            Some(rest) => Against::Among(rest),
            None if key < prefix => Against::Before,
            None => Against::Behind,
        }
    }
}

/// How many of `len` sorted keys, which begin with `prefix`, are at or before `key`.
pub(super) fn up_to<'a>(
    prefix: &[u8],
    len: usize,
    head: impl Fn(usize) -> u64,
    suffix: impl Fn(usize) -> Suffix<'a>,
    key: &[u8],
) -> usize {
    let wanted = match Against::new(prefix, key) {
        Against::Before => return 0,
        Against::Behind => return len,
        Against::Among(suffix) => Suffix::new(suffix),
    };
    let less = first_not(0..len, |i| head(i) < wanted.head);
    let same = (less..len).take_while(|i| head(*i) == wanted.head).count();
    first_not(less..less + same, |i| {
        suffix(i).cmp_behind_head(&wanted) != Ordering::Greater
    })
}

/// The first place in a range of which `before` is not true; it is true of all that come earlier, and of none later.
#[inline]
pub(super) fn first_not(range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut at, mut end) = (range.start, range.end);
    while at < end {
        let middle = at + (end - at) / 2;
        match before(middle) {
            true => at = middle + 1,
            false => end = middle,
        }
    }
    at
}

/// How many bytes two keys begin with in common.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn suffixes_sort_as_their_bytes(
            a in proptest::collection::vec(0u8..3, 0..12),
            b in proptest::collection::vec(0u8..3, 0..12),
        ) {
            let (x, y) = (Suffix::new(&a), Suffix::new(&b));
            prop_assert_eq!(x.head.cmp(&y.head).then(x.cmp_behind_head(&y)), a.cmp(&b));
            let mut back = Vec::new();
            x.write(&mut back);
            prop_assert_eq!(back, a);
        }
    }
}
