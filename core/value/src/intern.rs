//! Sharing the storage of keys: for the whole process on request, and inside one document always.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use crate::Key;

/// The pool of keys that the whole process shares: [`Key::intern`] and [`Key::intern_stats`].
static POOL: Pool<SHARDS> = Pool::new();

/// Shards have their own locks, so that threads seldom meet.
const SHARDS: usize = 16;

/// Keys that may share a place, of which the least used one goes when a new one comes.
const WAYS: usize = 4;

/// The most places of a shard; 16 × 256 × 4 keys in all.
const MAX_PLACES: usize = 256;

/// The most bytes of key text in a shard; 1 MiB in all.
const MAX_BYTES: usize = 64 * 1024;

/// Longer keys are not interned: they are seldom repeated.
const MAX_LEN: usize = 64;

/// What the pool of [`Key::intern`] holds and has done since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InternStats {
    /// Keys that were there.
    pub hits: u64,
    /// Keys that were not there.
    pub misses: u64,
    /// Keys that made room for others.
    pub evictions: u64,
    /// Keys that were given storage of their own, because they are too long or another thread held the lock.
    pub bypasses: u64,
    /// Keys in the pool now.
    pub len: usize,
    /// The most keys that the pool can hold.
    pub capacity: usize,
    /// Bytes of text in the pool now.
    pub bytes: usize,
    /// The most bytes of text that the pool can hold.
    pub max_bytes: usize,
}

impl Key {
    /// A key that shares its storage with the other interned keys of this text, as far as the pool remembers
    /// them: for keys that live long and are asked for often. Equal keys that share storage are found equal
    /// without a look at the text, and take memory once.
    ///
    /// The pool is bounded: at most 16,384 keys of at most 64 bytes each, and 1 MiB of text; the keys that
    /// have not been asked for lately make room. It never waits for another thread. O(length), a little more
    /// than [`Key::new`]; and since threads then count references to the same key in the same place, making
    /// it is not what to do once per record.
    ///
    /// ```
    /// use statewright_value::Key;
    /// let before = Key::intern_stats();
    /// let keys = [Key::intern("customer_id"), Key::intern("customer_id")];
    /// assert_eq!(keys[0], keys[1]);
    /// let after = Key::intern_stats();
    /// assert_eq!(after.hits + after.misses + after.bypasses, 2 + before.hits + before.misses + before.bypasses);
    /// ```
    pub fn intern(text: &str) -> Key {
        POOL.intern(text)
    }

    /// How the pool of [`Key::intern`] is doing. Counts what each shard holds, one after the other.
    pub fn intern_stats() -> InternStats {
        POOL.stats()
    }
}

/// Shards by the high bits of the hash, places by the low ones.
struct Pool<const N: usize> {
    shards: [Mutex<Shard>; N],
    bypasses: AtomicU64,
}

impl<const N: usize> Pool<N> {
    const fn new() -> Self {
        Pool {
            shards: [const { Mutex::new(Shard::new()) }; N],
            bypasses: AtomicU64::new(0),
        }
    }

    fn intern(&self, text: &str) -> Key {
        let hash = crate::key::hash(text);
        let shard = self.shards.get((hash >> 24) as usize % N.max(1));
        let locked = match shard.map(Mutex::try_lock) {
            Some(Ok(shard)) if text.len() <= MAX_LEN => Some(shard),
            // A shard whose thread has panicked is as good as before: what it holds is only remembered.
            Some(Err(TryLockError::Poisoned(shard))) if text.len() <= MAX_LEN => {
                Some(shard.into_inner())
            }
            _ => None,
        };
        match locked {
            Some(mut shard) => shard.intern(text, hash),
            None => {
                self.bypasses.fetch_add(1, Ordering::Relaxed);
                Key::hashed(text, hash)
            }
        }
    }

    fn stats(&self) -> InternStats {
        let mut sum = InternStats {
            capacity: N * MAX_PLACES * WAYS,
            max_bytes: N * MAX_BYTES,
            bypasses: self.bypasses.load(Ordering::Relaxed),
            ..InternStats::default()
        };
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            sum.hits += shard.stats.hits;
            sum.misses += shard.stats.misses;
            sum.evictions += shard.stats.evictions;
            sum.len += shard.stats.len;
            sum.bytes += shard.stats.bytes;
        }
        sum
    }
}

/// A part of the pool: a table with `WAYS` slots per place, which doubles until it has `MAX_PLACES`.
struct Shard {
    slots: Vec<Slot>,
    /// Where the search for keys to evict goes on when there are too many bytes.
    hand: usize,
    stats: InternStats,
}

#[derive(Clone, Default)]
struct Slot {
    key: Option<Key>,
    hash: u32,
    /// Asked for since it was last passed over for eviction.
    used: bool,
}

impl Shard {
    const fn new() -> Self {
        Shard {
            slots: Vec::new(),
            hand: 0,
            stats: InternStats {
                hits: 0,
                misses: 0,
                evictions: 0,
                bypasses: 0,
                len: 0,
                capacity: 0,
                bytes: 0,
                max_bytes: 0,
            },
        }
    }

    fn intern(&mut self, text: &str, hash: u32) -> Key {
        for slot in place(&mut self.slots, hash) {
            if slot.hash == hash
                && let Some(key) = &slot.key
                && *key == *text
            {
                slot.used = true;
                self.stats.hits += 1;
                return key.clone();
            }
        }
        self.stats.misses += 1;
        self.add(Key::hashed(text, hash))
    }

    fn add(&mut self, key: Key) -> Key {
        self.grow();
        while self.stats.bytes + key.as_bytes().len() > MAX_BYTES {
            self.evict_one();
        }
        let new = Slot {
            hash: key.hash(),
            key: Some(key.clone()),
            used: false,
        };
        self.stats.len += 1;
        self.stats.bytes += key.as_bytes().len();
        if let Some(Slot { key: Some(old), .. }) = put(&mut self.slots, new) {
            self.stats.evictions += 1;
            self.stats.len -= 1;
            self.stats.bytes -= old.as_bytes().len();
        }
        key
    }

    /// Doubles the table when it is three quarters full.
    fn grow(&mut self) {
        if self.stats.len * 4 < self.slots.len() * 3 || self.slots.len() >= MAX_PLACES * WAYS {
            return;
        }
        let doubled = vec![Slot::default(); (self.slots.len() * 2).max(4 * WAYS)];
        for slot in std::mem::replace(&mut self.slots, doubled) {
            if slot.key.is_some()
                && let Some(Slot { key: Some(old), .. }) = put(&mut self.slots, slot)
            {
                self.stats.evictions += 1;
                self.stats.len -= 1;
                self.stats.bytes -= old.as_bytes().len();
            }
        }
    }

    /// Lets go of the next key that has not been asked for lately.
    fn evict_one(&mut self) {
        for _ in 0..2 * self.slots.len() {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let Some(slot) = self.slots.get_mut(self.hand) else {
                continue;
            };
            if std::mem::take(&mut slot.used) {
                continue;
            }
            if let Some(old) = slot.key.take() {
                self.stats.evictions += 1;
                self.stats.len -= 1;
                self.stats.bytes -= old.as_bytes().len();
                return;
            }
        }
    }
}

/// The slots in which a key of this hash can be.
fn place(slots: &mut [Slot], hash: u32) -> &mut [Slot] {
    let places = slots.len() / WAYS; // a power of two, or none
    let start = (hash as usize & places.wrapping_sub(1)) * WAYS;
    slots.get_mut(start..start + WAYS).unwrap_or_default()
}

/// Puts a key in its place, and returns what it has pushed out: the first that has not been asked for since
/// it was last passed over.
fn put(slots: &mut [Slot], new: Slot) -> Option<Slot> {
    let place = place(slots, new.hash);
    let at = match place.iter().position(|slot| slot.key.is_none()) {
        Some(free) => free,
        None => {
            let unused = place
                .iter_mut()
                .position(|slot| !std::mem::take(&mut slot.used));
            // The first again, after all have been passed over; new ones go last, so that it is the oldest.
            place.rotate_left(unused.unwrap_or(0) + 1);
            WAYS - 1
        }
    };
    Some(std::mem::replace(place.get_mut(at)?, new))
}

/// The keys of one document, shared so that a list of records takes memory for its keys once. No other thread
/// sees it. A direct-mapped table, where a collision costs an allocation and nothing else; it starts after a
/// few keys, since small input needs none.
#[derive(Default)]
pub(crate) struct KeyCache {
    slots: Vec<Option<Key>>,
    seen: usize,
}

impl KeyCache {
    const SLOTS: usize = 128;
    const START: usize = 8;

    pub(crate) fn share(&mut self, text: &str) -> Key {
        let hash = crate::key::hash(text);
        if self.seen < Self::START || text.len() > MAX_LEN {
            self.seen += 1;
            return Key::hashed(text, hash);
        }
        if self.slots.is_empty() {
            self.slots.resize(Self::SLOTS, None);
        }
        match self.slots.get_mut(hash as usize % Self::SLOTS) {
            Some(Some(key)) if key.hash() == hash && *key == *text => key.clone(),
            Some(slot) => slot.insert(Key::hashed(text, hash)).clone(),
            None => Key::hashed(text, hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(shards: &Pool<2>, count: usize) {
        for number in 0..count {
            let text = format!("key number {number}");
            assert_eq!(shards.intern(&text).as_str(), text);
        }
    }

    #[test]
    fn equal_texts_share_storage() {
        let pool = Pool::<2>::new();
        let (a, b) = (pool.intern("a"), pool.intern("a"));
        assert!(a.same(&b) && !a.same(&pool.intern("b")));
        assert_eq!(pool.intern(""), Key::new(""));
        let stats = pool.stats();
        assert_eq!((stats.hits, stats.misses, stats.len), (1, 3, 3));
        assert_eq!((stats.bytes, stats.evictions), (2, 0));
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = Pool::<2>::new();
        filled(&pool, 10_000);
        let stats = pool.stats();
        assert!(stats.len <= stats.capacity && stats.len > stats.capacity / 2);
        assert_eq!(stats.misses, 10_000);
        assert_eq!(stats.evictions as usize + stats.len, 10_000);
        assert!(stats.bytes <= stats.max_bytes);

        // Few long keys reach the limit of bytes first.
        let pool = Pool::<1>::new();
        for number in 0..5_000 {
            pool.intern(&format!("{number:064}"));
        }
        let stats = pool.stats();
        assert!(
            stats.bytes <= MAX_BYTES && stats.bytes > MAX_BYTES / 2,
            "{stats:?}"
        );
        assert_eq!(stats.evictions as usize + stats.len, 5_000);
        let held: Vec<Key> = pool.shards[0]
            .lock()
            .unwrap()
            .slots
            .iter()
            .filter_map(|slot| slot.key.clone())
            .collect();
        assert_eq!(held.len(), stats.len);
        assert_eq!(held.iter().map(|key| key.len()).sum::<usize>(), stats.bytes);
    }

    #[test]
    fn what_is_asked_for_stays() {
        let pool = Pool::<2>::new();
        let kept = pool.intern("id");
        for number in 0..20_000 {
            pool.intern(&format!("key number {number}"));
            assert!(pool.intern("id").same(&kept), "{number}");
        }
    }

    #[test]
    fn long_keys_and_locked_shards_are_passed_by() {
        let pool = Pool::<1>::new();
        let long = "x".repeat(MAX_LEN + 1);
        assert!(!pool.intern(&long).same(&pool.intern(&long)));
        assert_eq!(pool.stats().bypasses, 2);
        let locked = pool.shards[0].lock().unwrap();
        assert_eq!(pool.intern("a"), Key::new("a"));
        drop(locked);
        assert_eq!(pool.stats().len, 0);
    }

    #[test]
    fn a_document_shares_its_keys() {
        let mut cache = KeyCache::default();
        for _ in 0..KeyCache::START {
            cache.share("x");
        }
        assert!(cache.share("a").same(&cache.share("a")));
        for number in 0..1000 {
            let text = format!("{number}");
            assert_eq!(cache.share(&text).as_str(), text);
        }
    }
}
