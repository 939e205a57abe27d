//! The slots of a leaf in memory: where its entries are, found by a part of their keys.
//!
//! Finding one key goes by *tags*, a byte of each key's hash, so that a get reads a line or two here, which stay in
//! the processor's caches, and then waits for memory once: for the record. The order of the keys is that of their
//! heads, eight bytes each, which lie behind.

use super::keys::{Suffix, first_not};
use super::leaf::MAX_ENTRIES;

/// One more than the most entries, for the moment before a split.
const SLOTS: usize = MAX_ENTRIES + 1;
/// Places are counted in units of so many bytes: far more than a leaf ever has then fit in two.
const UNIT: usize = 8;
/// Places are less than this.
pub(super) const REACH: usize = UNIT << 16;

/// Where a record is, in few bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offset(u16);

impl Offset {
    /// A leaf is split long before there is a place that does not fit.
    fn new(at: usize) -> Offset {
        Offset((at / UNIT) as u16)
    }

    #[inline]
    pub fn at(self) -> usize {
        usize::from(self.0) * UNIT
    }
}

/// In order of the keys.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Index {
    len: u16,
    /// The last slot, which is there for a moment, has none: it is found by its head.
    tags: [u8; MAX_ENTRIES],
    places: [Offset; SLOTS],
    heads: [u64; SLOTS],
}

impl Default for Index {
    fn default() -> Index {
        Index {
            len: 0,
            tags: [0; MAX_ENTRIES],
            places: [Offset::default(); SLOTS],
            heads: [0; SLOTS],
        }
    }
}

/// Puts one before the others from `at` on; the last falls off.
fn insert<T: Copy>(all: &mut [T], at: usize, new: T) {
    let last = all.len().saturating_sub(1);
    if at < last {
        all.copy_within(at..last, at + 1);
    }
    if let Some(place) = all.get_mut(at) {
        *place = new;
    }
}

impl Index {
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The beginning of a key, as a number.
    pub fn head(&self, i: usize) -> u64 {
        self.heads.get(i).copied().unwrap_or_default()
    }

    /// Where the records are.
    pub fn places(&self) -> &[Offset] {
        self.places.get(..self.len()).unwrap_or_default()
    }

    /// The next place at which a record can be, of bytes up to `end`.
    pub fn next_place(end: usize) -> usize {
        end.next_multiple_of(UNIT)
    }

    /// How many keys have a smaller head.
    pub fn before(&self, head: u64) -> usize {
        first_not(0..self.len(), |i| self.head(i) < head)
    }

    /// Passes those that may be the `wanted` key to `is`, until it finds it. Keys are without what all begin with.
    #[inline]
    pub fn find<T>(&self, wanted: &[u8], mut is: impl FnMut(usize) -> Option<T>) -> Option<T> {
        let mut may_be = same_bytes(&self.tags, tag(wanted));
        while may_be != 0 {
            let bit = may_be.trailing_zeros() as usize;
            let i = bit % 8 * 8 + bit / 8;
            if i < self.len()
                && let Some(found) = is(i)
            {
                return Some(found);
            }
            may_be &= may_be - 1;
        }
        None
    }

    /// Puts a key before slot `at`; there is room.
    pub fn insert(&mut self, at: usize, key: &[u8], place: usize) {
        let len = self.len();
        if at > len || len >= SLOTS {
            return;
        }
        insert(&mut self.tags, at, tag(key));
        insert(&mut self.places, at, Offset::new(place));
        insert(&mut self.heads, at, Suffix::new(key).head);
        self.len += 1;
    }

    /// Takes a slot out, not one that is one too many.
    pub fn remove(&mut self, at: usize) {
        let len = self.len();
        if at < len {
            self.tags
                .copy_within((at + 1).min(MAX_ENTRIES)..len.min(MAX_ENTRIES), at);
            self.places.copy_within(at + 1..len, at);
            self.heads.copy_within(at + 1..len, at);
            self.len -= 1;
        }
    }
}

/// A bit for each of these that is `wanted`; now and then one that is not, too. That of byte `8 * i + j` is bit
/// `8 * j + i`. There is no branch in it that could be guessed wrong.
#[inline]
fn same_bytes(bytes: &[u8; 32], wanted: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let wanted = u64::from(wanted).wrapping_mul(LOW);
    let mut bits = 0;
    for (at, eight) in bytes.as_chunks().0.iter().enumerate() {
        // A byte is zero where it is the same; then its highest bit is set, and maybe that of the one behind it
        // (Mycroft's test).
        let differing = u64::from_le_bytes(*eight) ^ wanted;
        let same = differing.wrapping_sub(LOW) & !differing & (LOW << 7);
        bits |= same >> (7 - at);
    }
    bits
}

/// A byte of the hash of a key. Most keys have up to 16 bytes behind the prefix: these are two numbers that overlap.
#[inline]
fn tag(key: &[u8]) -> u8 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let add = |hash: u64, eight: &[u8; 8]| {
        (hash.rotate_left(29) ^ u64::from_le_bytes(*eight)).wrapping_mul(ODD)
    };
    let hash = match (key.first_chunk(), key.last_chunk()) {
        (Some(first), Some(last)) if key.len() <= 16 => add(add(0, first), last),
        (_, Some(last)) => key.as_chunks().0.iter().fold(add(0, last), add),
        (_, None) => add(0, &Suffix::new(key).head.to_le_bytes()),
    };
    (hash >> 56) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was inserted and not removed is found, in its order.
        #[test]
        fn finds_what_is_there(
            keys in proptest::collection::btree_set(proptest::collection::vec(0u8..3, 0..20), 1..=MAX_ENTRIES),
            removed in 0..MAX_ENTRIES,
        ) {
            let mut keys: Vec<Vec<u8>> = keys.into_iter().collect();
            let mut index = Index::default();
            // The odd ones between the even ones.
            for (i, key) in keys.iter().enumerate().step_by(2) {
                index.insert(i / 2, key, i * UNIT);
            }
            for (i, key) in keys.iter().enumerate().skip(1).step_by(2) {
                index.insert(i, key, i * UNIT);
            }
            let places: Vec<usize> = (0..keys.len()).map(|i| i * UNIT).collect();
            prop_assert_eq!(index.places().iter().map(|place| place.at()).collect::<Vec<_>>(), places);
            let removed = removed % keys.len();
            index.remove(removed);
            let gone = keys.remove(removed);
            for (i, key) in keys.iter().enumerate() {
                let found = index.find(key, |at| (at == i).then_some(at));
                prop_assert_eq!(found, Some(i));
                let head = Suffix::new(key).head;
                prop_assert!(index.before(head) <= i && index.before(head.saturating_add(1)) > i || head == u64::MAX);
            }
            let mut asked = 0;
            let none = index.find(&gone, |_| { asked += 1; None::<()> });
            prop_assert!(none.is_none() && asked <= keys.len());
        }
    }
}
