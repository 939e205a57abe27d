//! Ordinals for the slots of a large object: ascending, with gaps in which new ones find a place.
//!
//! Where a gap is used up, the ordinals around it are spread anew, in the smallest range around it that is thinly
//! enough filled: the larger the range, the thinner (Bender, Cole, Demaine, Farach-Colton and Zito, "Two
//! simplified algorithms for maintaining order in a list", 2002). So an insertion moves O(log n) others,
//! amortized, wherever it is.

use super::{Large, Place, Slot};

/// The gap between ordinals that are appended.
const STEP: u32 = 16;

/// Ranges are of at most 2^31 ordinals: what is spread in the lower half of all leaves the upper half for what
/// is appended.
const HALF: u32 = 31;

/// The gap between the ordinals of a new object of that many entries, in the lower half.
pub(super) fn step(entries: usize) -> u32 {
    // 2^31 entries would need 80 GiB of memory.
    let entries = u32::try_from(entries).unwrap_or(u32::MAX).max(1);
    ((1 << HALF) / entries).max(1)
}

impl Large {
    /// A free ordinal for a new slot before slot `at`, or at the end. Others may get new ones.
    pub(super) fn new_ordinal(&mut self, at: usize) -> u32 {
        if let Some(ordinal) = self.ordinal_before(at) {
            return ordinal;
        }
        match self.slots.get(at).map(|slot| slot.ordinal) {
            Some(next) => self.make_room(next),
            None => self.renumber(),
        }
        self.ordinal_before(at).unwrap_or(u32::MAX)
    }

    fn ordinal_before(&self, at: usize) -> Option<u32> {
        if at == self.slots.len() {
            return self.last.checked_add(STEP);
        }
        let next = self.slots.get(at)?.ordinal;
        let previous = match at.checked_sub(1) {
            Some(previous) => self.slots.get(previous)?.ordinal,
            None => 0,
        };
        let middle = previous + (next - previous) / 2;
        (middle > previous).then_some(middle)
    }

    /// Gives all slots new ordinals; O(n log n).
    fn renumber(&mut self) {
        // The keys are distinct, so that nothing comes back.
        if let Ok(renumbered) = Large::new(self.take_entries(), &[]) {
            #[cfg(test)]
            let moved = self.moved + renumbered.slots.len();
            *self = renumbered;
            #[cfg(test)]
            {
                self.moved = moved;
            }
        }
    }

    /// Spreads ordinals so that there is a gap before that of a slot, which is `next`.
    fn make_room(&mut self, next: u32) {
        let entries = self.slots.len() as f64 + 1.0;
        for level in 2..=HALF {
            let size = 1u64 << level;
            let base = next >> level << level;
            let beyond = u64::from(base) + size;
            let start = self.slots.count_where(|ordinal| ordinal < base);
            let end = self
                .slots
                .count_where(|ordinal| u64::from(ordinal) < beyond);
            // All entries may lie in the largest range, and hardly more than one in the smallest.
            let most = entries.powf(f64::from(level) / f64::from(HALF));
            let count = end - start;
            if (count as f64) < most && 2 * (count as u64 + 1) <= size {
                self.spread(start, end, base, size);
                return;
            }
        }
        self.renumber();
    }

    /// Spreads the ordinals of the slots `start..end` evenly over the `size` ones from `base` on, which are
    /// at least twice as many and those of no other slot. O(k log n) for k slots.
    fn spread(&mut self, start: usize, end: usize, base: u32, size: u64) {
        let gap = (size / ((end - start) as u64 + 1)) as u32;
        // The order of the index stays. All places are looked up before anything changes: where hashes
        // collide, the index is searched through the slots.
        let places: Vec<usize> = (start..end)
            .filter_map(|at| Some(self.index_of(self.slots.get(at)?)))
            .collect();
        let mut ordinal = base;
        for at in places {
            ordinal += gap;
            self.index
                .update_range(at, at + 1, |place| place.ordinal = ordinal);
        }
        self.last = self.last.max(ordinal);
        #[cfg(test)]
        {
            self.moved += end - start;
        }
        let mut ordinal = base;
        self.slots.update_range(start, end, |slot| {
            ordinal += gap;
            slot.ordinal = ordinal;
        });
    }

    /// Where in the index the place of a slot is.
    fn index_of(&self, slot: &Slot) -> usize {
        let Place { hash, ordinal } = slot.place();
        let up_to = self.index.count_where(|place| place.hash <= hash);
        let at = up_to.saturating_sub(1);
        if self.index.get(at).is_some_and(|it| it.ordinal == ordinal) {
            return at;
        }
        let found = |place: Place| self.compare(place, hash, (&slot.key).into()).is_le();
        self.index.count_where(found).saturating_sub(1)
    }
}
