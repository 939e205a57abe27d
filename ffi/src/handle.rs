//! Handles: opaque 64-bit values that cannot be used wrongly.
//!
//! A handle is not a pointer. It names a slot of a table and says which *generation* of that slot it means:
//!
//! ```text
//! 63      58 57        46 45              24 23                0
//! | tag: 6  | salt: 12   | generation: 22    | slot: 24          |
//! ```
//!
//! The tag tells the type, the salt tells this loaded copy of the library from another one. Closing a handle
//! advances the slot's generation, so a stale or twice closed handle is simply not found. A slot whose
//! generation would wrap is retired.

use parking_lot::{RwLock, RwLockWriteGuard};

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 22;
const SALT_BITS: u32 = 12;
const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;
/// Locks per table, so that threads opening and freeing handles do not queue behind each other.
const SHARDS: u32 = 8;
const MAX_PER_SHARD: u32 = (1 << SLOT_BITS) / SHARDS;

/// The type a handle is of. Zero is no tag, so a zeroed handle is never valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Error = 1,
    Bytes = 2,
    Engine = 3,
    Txn = 4,
    Queue = 5,
    Value = 6,
    Query = 7,
    Cursor = 8,
    Schema = 9,
    Scan = 10,
}

/// The objects of one type that handles refer to.
pub(crate) struct Table<T> {
    tag: Tag,
    max_per_shard: u32,
    shards: [RwLock<Slots<T>>; SHARDS as usize],
}

struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// Where a handle of the right type points.
struct Place {
    shard: usize,
    index: usize,
    generation: u32,
}

/// A slot that holds nothing yet: whoever has it will get a handle. Free again when it is dropped.
pub(crate) struct Reserved<'t, T> {
    table: &'t Table<T>,
    place: Place,
    filled: bool,
}

impl<T> Table<T> {
    pub(crate) const fn new(tag: Tag) -> Self {
        let shards = [const {
            RwLock::new(Slots {
                entries: Vec::new(),
                free: Vec::new(),
            })
        }; SHARDS as usize];
        Table {
            tag,
            max_per_shard: MAX_PER_SHARD,
            shards,
        }
    }

    /// Stores `value` and returns its handle, or gives it back when every slot is taken. O(1).
    pub(crate) fn insert(&self, value: T) -> Result<u64, T> {
        let Some((mut slots, place)) = self.free_slot() else {
            return Err(value);
        };
        let Some(entry) = slots.entries.get_mut(place.index) else {
            return Err(value);
        };
        entry.value = Some(value);
        Ok(self.encode(&place))
    }

    /// Takes a slot for a value that is made later, or gives none when every slot is taken. O(1).
    pub(crate) fn reserve(&self) -> Option<Reserved<'_, T>> {
        let (_, place) = self.free_slot()?;
        Some(Reserved {
            table: self,
            place,
            filled: false,
        })
    }

    /// A slot that is not in use, of this thread's shard or, if that is full, of another, and its lock.
    fn free_slot(&self) -> Option<(RwLockWriteGuard<'_, Slots<T>>, Place)> {
        crate::fork::mark();
        #[cfg(test)]
        if full::is(self.tag) {
            return None;
        }
        let first = thread_shard() as usize;
        let (before, after) = self.shards.split_at_checked(first)?;
        let shards = after.iter().chain(before);
        shards.enumerate().find_map(|(step, lock)| {
            let mut slots = lock.write();
            let (index, generation) = slots.take(self.max_per_shard)?;
            let shard = (first + step) % SHARDS as usize;
            let place = Place {
                shard,
                index,
                generation,
            };
            Some((slots, place))
        })
    }

    /// Takes the object out; the handle and all its copies are stale from now on. O(1).
    pub(crate) fn remove(&self, id: u64) -> Option<T> {
        let place = self.decode(id)?;
        let mut slots = self.shards.get(place.shard)?.write();
        let entry = slots.entries.get_mut(place.index)?;
        if entry.generation != place.generation {
            return None;
        }
        let value = entry.value.take()?;
        if entry.generation < MAX_GENERATION {
            entry.generation += 1;
            slots.free.push(place.index as u32);
        }
        Some(value)
    }

    fn encode(&self, place: &Place) -> u64 {
        let head = ((self.tag as u64) << SALT_BITS) | salt();
        let slot = (place.index * SHARDS as usize + place.shard) as u64;
        (((head << GENERATION_BITS) | u64::from(place.generation)) << SLOT_BITS) | slot
    }

    fn decode(&self, id: u64) -> Option<Place> {
        let head = ((self.tag as u64) << SALT_BITS) | salt();
        if id >> (SLOT_BITS + GENERATION_BITS) != head {
            return None;
        }
        let slot = (id & ((1 << SLOT_BITS) - 1)) as u32;
        let generation = ((id >> SLOT_BITS) as u32) & MAX_GENERATION;
        Some(Place {
            shard: (slot % SHARDS) as usize,
            index: (slot / SHARDS) as usize,
            generation,
        })
    }
}

impl<T> Slots<T> {
    /// The index and the generation of a slot that is not in use.
    fn take(&mut self, most: u32) -> Option<(usize, u32)> {
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None if self.entries.len() < most as usize => {
                self.entries.push(Entry {
                    generation: 1,
                    value: None,
                });
                self.entries.len() - 1
            }
            None => return None,
        };
        Some((index, self.entries.get(index)?.generation))
    }
}

impl<T> Reserved<'_, T> {
    /// Stores `value` and returns its handle. O(1).
    pub(crate) fn fill(mut self, value: T) -> u64 {
        if let Some(shard) = self.table.shards.get(self.place.shard)
            && let Some(entry) = shard.write().entries.get_mut(self.place.index)
        {
            entry.value = Some(value);
            self.filled = true;
        }
        self.table.encode(&self.place)
    }
}

impl<T> Drop for Reserved<'_, T> {
    fn drop(&mut self) {
        if self.filled {
            return;
        }
        // Its handle was never given away, so its generation can be used again.
        if let Some(shard) = self.table.shards.get(self.place.shard) {
            shard.write().free.push(self.place.index as u32);
        }
    }
}

impl<T: Clone> Table<T> {
    /// The object a handle refers to, or nothing when the handle is stale, foreign or of another type. O(1).
    pub(crate) fn get(&self, id: u64) -> Option<T> {
        let place = self.decode(id)?;
        let slots = self.shards.get(place.shard)?.read();
        let entry = slots.entries.get(place.index)?;
        if entry.generation == place.generation {
            entry.value.clone()
        } else {
            None
        }
    }
}

/// The shard this thread puts new objects into. Lookups go where the handle says.
fn thread_shard() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static SHARD: u32 = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    // A thread that is being torn down has lost its thread-locals; any shard will do.
    SHARD.try_with(|shard| *shard).unwrap_or(0)
}

/// Differs between copies of the library loaded into one process: each has its statics at another address.
fn salt() -> u64 {
    static ANCHOR: u8 = 0;
    let address = (&raw const ANCHOR).addr() as u64;
    // The finalizer of SplitMix64: every bit of the address reaches every bit of the result.
    let mut mixed = address.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) & ((1 << SALT_BITS) - 1)
}

/// A table that has no free slot, for one thread.
#[cfg(test)]
pub(crate) mod full {
    use std::cell::Cell;

    use super::Tag;

    thread_local! {
        static FULL: Cell<Option<Tag>> = const { Cell::new(None) };
    }

    pub(super) fn is(tag: Tag) -> bool {
        FULL.get() == Some(tag)
    }

    pub(crate) fn with<T>(tag: Tag, run: impl FnOnce() -> T) -> T {
        FULL.set(Some(tag));
        let out = run();
        FULL.set(None);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_found_until_it_is_removed() {
        let table = Table::new(Tag::Txn);
        let id = table.insert(7).unwrap();
        assert_eq!(table.get(id), Some(7));
        assert_eq!(table.remove(id), Some(7));
        assert_eq!(table.get(id), None);
        assert_eq!(table.remove(id), None);
    }

    #[test]
    fn a_reused_slot_does_not_answer_to_its_old_handle() {
        let table = Table::new(Tag::Txn);
        let old = table.insert(1).unwrap();
        table.remove(old);
        let new = table.insert(2).unwrap();
        assert_ne!(old, new);
        assert_eq!(old & 0xFF_FFFF, new & 0xFF_FFFF, "the slot is reused");
        assert_eq!(table.get(old), None);
        assert_eq!(table.get(new), Some(2));
    }

    #[test]
    fn zero_random_and_wrong_type_handles_are_not_found() {
        let errors = Table::new(Tag::Error);
        let txns = Table::new(Tag::Txn);
        let id = errors.insert(1).unwrap();
        assert_eq!(txns.insert(1).map(|txn| errors.get(txn)), Ok(None));
        assert_eq!(txns.get(id), None);
        for bit in 0..64 {
            assert_eq!(
                errors.get(id ^ (1 << bit)),
                None,
                "bit {bit} is part of the identity"
            );
        }
        for id in [0, 1, u64::MAX, 0x8000_0000_0000_0000] {
            assert_eq!(errors.get(id), None);
        }
    }

    #[test]
    fn a_slot_whose_generation_would_wrap_is_retired() {
        let table = Table::new(Tag::Bytes);
        let first = table.insert(1).unwrap();
        let place = table.decode(first).unwrap();
        table.shards[place.shard].write().entries[place.index].generation = MAX_GENERATION;
        let last = table.encode(&Place {
            generation: MAX_GENERATION,
            ..place
        });
        assert_eq!(table.remove(last), Some(1));
        let next = table.insert(2).unwrap();
        assert_ne!(next & 0xFF_FFFF, first & 0xFF_FFFF);
        assert_eq!(table.get(last), None);
    }

    #[test]
    fn one_thread_can_have_every_slot_there_is() {
        let mut table = Table::new(Tag::Bytes);
        table.max_per_shard = 2;
        let most = 2 * SHARDS as usize;
        let mut ids: Vec<_> = (0..most).map(|n| table.insert(n).unwrap()).collect();
        assert_eq!(table.insert(most), Err(most));
        assert!(table.reserve().is_none());
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(table.get(*id), Some(n));
        }
        // Whichever is freed is found again.
        for (n, id) in ids.iter_mut().enumerate() {
            assert_eq!(table.remove(*id), Some(n));
            *id = table.insert(n).unwrap();
        }
        assert!(table.insert(most).is_err());
    }

    #[test]
    fn a_reserved_slot_is_nobody_elses_until_it_is_filled_or_dropped() {
        let mut table = Table::new(Tag::Bytes);
        table.max_per_shard = 1;
        let others: Vec<_> = (1..SHARDS).map(|n| table.insert(n).unwrap()).collect();
        let reserved = table.reserve().unwrap();
        assert!(table.reserve().is_none());
        assert_eq!(table.insert(0), Err(0));
        // A guess of the handle that it will have finds and ends nothing.
        let guess = table.encode(&reserved.place);
        assert_eq!((table.get(guess), table.remove(guess)), (None, None));
        drop(reserved);
        let reserved = table.reserve().unwrap();
        let id = reserved.fill(0);
        assert_eq!((id, table.get(id)), (guess, Some(0)));
        assert!(table.reserve().is_none());
        assert_eq!(table.remove(id), Some(0));
        assert_eq!(table.remove(others[0]), Some(1));
    }

    #[test]
    fn threads_do_not_see_each_others_slots_twice() {
        let table = Table::new(Tag::Bytes);
        let ids = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|t| {
                    scope.spawn({
                        let table = &table;
                        move || {
                            (0..1000)
                                .map(|n| table.insert((t, n)).unwrap())
                                .collect::<Vec<_>>()
                        }
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(ids.len(), 8000);
        assert!(ids.into_iter().all(|id| table.remove(id).is_some()));
    }
}
