//! Arrays: which items of one are which of the other.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Differ, Effort, PlaceId, Step, myers};
use crate::align::{Middle, differing_items, differing_members, middle, settled};
use crate::{Kind, Scan, ValueRef};

impl<'a> Differ<'a> {
    pub(super) fn arrays(&mut self, place: PlaceId, before: ValueRef<'a>, after: ValueRef<'a>) {
        let pending = self.pending.len();
        let kept = if before.len() == after.len() {
            self.same_length(place, before, after)
        } else {
            self.lengths_differ(place, before, after)
        };
        if kept == 0 && self.pending.len() == pending {
            self.replace(place, before, after);
        }
    }

    /// Mostly items that have been changed where they are. Says how many items have been kept.
    fn same_length(&mut self, place: PlaceId, before: ValueRef<'a>, after: ValueRef<'a>) -> usize {
        let mut differing = Vec::new();
        differing_items(before, after, |at, before, after| {
            if !self.effort.equal(before, after) {
                differing.push((at, before, after));
            }
        });
        let kept = before.len() - differing.len();
        if looks_shifted(&differing) {
            let middle = self.trimmed(before, after);
            let ends = before.len() - middle.before.len();
            if let Some(pairs) = self.align(&middle)
                && pairs.len() + ends > kept
            {
                return self.aligned(place, &middle, &pairs, before.len());
            }
        }
        for (at, before, after) in differing {
            let step = Step::Index {
                before: at,
                after: at,
            };
            let inner = self.places.add(place, step);
            self.pair(inner, before, after);
        }
        kept
    }

    /// As [`Differ::same_length`], where some have been inserted or removed.
    fn lengths_differ(
        &mut self,
        place: PlaceId,
        before: ValueRef<'a>,
        after: ValueRef<'a>,
    ) -> usize {
        let middle = self.trimmed(before, after);
        let pairs = self.align(&middle).unwrap_or_default();
        self.aligned(place, &middle, &pairs, before.len())
    }

    /// The items between those at both ends that are equal.
    fn trimmed(&mut self, before: ValueRef<'a>, after: ValueRef<'a>) -> Middle<'a> {
        let Middle {
            start,
            mut before,
            mut after,
        } = middle(before, after);
        let mut equal = |(a, b): &(&ValueRef<'a>, &ValueRef<'a>)| self.effort.equal(**a, **b);
        let front = before.iter().zip(&after).take_while(&mut equal).count();
        before.drain(..front);
        after.drain(..front);
        let back = (before.iter().rev().zip(after.iter().rev()))
            .take_while(equal)
            .count();
        before.truncate(before.len() - back);
        after.truncate(after.len() - back);
        Middle {
            start: start + front,
            before,
            after,
        }
    }

    /// Pairs of positions of equal items, ascending on both sides. None if it is not worth the effort.
    fn align(&mut self, middle: &Middle<'a>) -> Option<Vec<(usize, usize)>> {
        if middle.before.is_empty() || middle.after.is_empty() {
            return Some(Vec::new());
        }
        let mut classes = Classes::default();
        let mut class = |items: &[ValueRef<'a>]| -> Option<Vec<u32>> {
            let class = |item: &ValueRef<'a>| classes.of(*item, &mut self.effort);
            items.iter().map(class).collect()
        };
        let (a, b) = (class(&middle.before)?, class(&middle.after)?);
        myers::common(&a, &b, &mut self.effort)
    }

    /// Reports what lies between the pairs; says how many of the `len` items have been kept.
    fn aligned(
        &mut self,
        place: PlaceId,
        middle: &Middle<'a>,
        pairs: &[(usize, usize)],
        len: usize,
    ) -> usize {
        let ends = (middle.before.len(), middle.after.len());
        let (mut from, mut to) = (0, 0);
        for &(before, after) in pairs.iter().chain([&ends]) {
            self.gap(place, middle, (from, before), (to, after));
            (from, to) = (before + 1, after + 1);
        }
        len - middle.before.len() + pairs.len()
    }

    /// Items of which none is equal to one of the other side: they are paired as far as they go, and the rest
    /// has been removed or added. What is before them is as it will be already.
    fn gap(
        &mut self,
        place: PlaceId,
        middle: &Middle<'a>,
        before: (usize, usize),
        after: (usize, usize),
    ) {
        let old = middle.before.get(before.0..before.1).unwrap_or_default();
        let new = middle.after.get(after.0..after.1).unwrap_or_default();
        for at in 0..old.len().max(new.len()) {
            let step = Step::Index {
                before: middle.start + before.0 + at,
                // Those that are removed go one after another from the place where the first one is.
                after: middle.start + after.0 + at.min(new.len()),
            };
            let (old, new) = (old.get(at).copied(), new.get(at).copied());
            let inner = self.places.add(place, step);
            match (old, new) {
                (Some(old), Some(new)) => self.pair(inner, old, new),
                _ => self.report(inner, old, new),
            }
        }
    }
}

/// Whether it is worth a look if items have moved on: most of them change from the first one that does to
/// the last, or these are near and not all are containers that may just have been edited.
fn looks_shifted(differing: &[(usize, ValueRef<'_>, ValueRef<'_>)]) -> bool {
    let (Some((first, ..)), Some((last, ..))) = (differing.first(), differing.last()) else {
        return false;
    };
    let span = last - first;
    let edited = |(_, before, after): &(usize, ValueRef<'_>, ValueRef<'_>)| {
        before.kind() == after.kind() && matches!(before.kind(), Kind::Array | Kind::Object)
    };
    span > 0 && (span / 2 < differing.len() || (span < 64 && !differing.iter().all(edited)))
}

/// Numbers for items, the same for equal ones.
#[derive(Default)]
struct Classes<'a> {
    by_print: BTreeMap<u64, Vec<(ValueRef<'a>, u32)>>,
    next: u32,
}

impl<'a> Classes<'a> {
    fn of(&mut self, item: ValueRef<'a>, effort: &mut Effort) -> Option<u32> {
        let bucket = self.by_print.entry(print(item, effort)?).or_default();
        for (other, class) in bucket.iter() {
            if effort.equal(item, *other) {
                return Some(*class);
            }
        }
        let class = self.next;
        self.next += 1;
        bucket.push((item, class));
        Some(class)
    }
}

/// A number that equal values share: the sum over all values inside, so that the order of keys does not matter.
fn print(item: ValueRef<'_>, effort: &mut Effort) -> Option<u64> {
    let mut sum = 0u64;
    for visited in Scan::new(item) {
        effort.spend(1).then_some(())?;
        let mut hasher = DefaultHasher::new();
        (visited.depth, visited.key, visited.value.kind()).hash(&mut hasher);
        match visited.value.kind() {
            Kind::Array | Kind::Object => visited.value.len().hash(&mut hasher),
            _ => visited.value.hash(&mut hasher),
        }
        sum = sum.wrapping_add(hasher.finish());
    }
    Some(sum)
}

impl Effort {
    /// Whether both are equal; false, which says nothing then, when the effort is spent.
    fn equal<'a>(&mut self, a: ValueRef<'a>, b: ValueRef<'a>) -> bool {
        let mut pending = vec![(a, b)];
        while let Some((a, b)) = pending.pop() {
            if !self.spend(1) {
                return false;
            }
            if settled(a, b) {
                continue;
            }
            if a.kind() != b.kind() || a.len() != b.len() {
                return false;
            }
            match a.kind() {
                Kind::Array => differing_items(a, b, |_, a, b| pending.push((a, b))),
                Kind::Object => {
                    let mut alone = false;
                    differing_members(a, b, |member| match (member.before, member.after) {
                        (Some(a), Some(b)) => pending.push((a, b)),
                        _ => alone = true,
                    });
                    if alone {
                        return false;
                    }
                }
                _ => return false,
            }
        }
        true
    }
}
