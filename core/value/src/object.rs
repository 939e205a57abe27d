//! Objects: entries in insertion order, found by scan when few and by an index when many.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use triomphe::Arc;

use crate::node::dismantle_deep;
use crate::tree::{self, Item, Tree};
use crate::{Key, Result, Value, key};

mod ordinals;
#[cfg(test)]
mod tests;

/// A key and its value. Keys are shared between objects of one document.
pub(crate) type Entry = (Key, Value);

/// The most entries of an object that has no index.
const FLAT: usize = 32;

/// The entries of an object.
#[derive(Clone, Default)]
pub(crate) struct Object {
    body: Body,
    /// As in [`crate::node::Array`].
    depth: u32,
}

#[derive(Clone)]
enum Body {
    Flat(Vec<Entry>),
    Large(Box<Large>),
}

/// Many entries. The index is sorted by hash, and by key where hashes collide, so that it has no bad input.
#[derive(Clone)]
struct Large {
    slots: Tree<Slot>,
    index: Tree<Place>,
    /// No slot has a greater ordinal.
    last: u32,
    /// How many slots have been given another ordinal.
    #[cfg(test)]
    moved: usize,
}

/// An entry, and what says where it is: the ordinals ascend with gaps, so that entries before it can come and
/// go without a change of its ordinal.
#[derive(Clone)]
pub(crate) struct Slot {
    key: Key,
    value: Value,
    ordinal: u32,
}

/// What the index holds: which slot has a key with this hash.
#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    ordinal: u32,
}

impl From<Place> for u64 {
    fn from(place: Place) -> u64 {
        (u64::from(place.hash) << 32) | u64::from(place.ordinal)
    }
}

impl From<u64> for Place {
    fn from(place: u64) -> Place {
        Place {
            hash: (place >> 32) as u32,
            ordinal: place as u32,
        }
    }
}

impl Item for Slot {
    type Key = u32;
    const LEAF: usize = 8;

    fn key(&self) -> u32 {
        self.ordinal
    }
}

impl Item for Place {
    type Key = Place;
    const LEAF: usize = 128;

    fn key(&self) -> Place {
        *self
    }
}

/// A key that is looked for: found by its storage or its known hash where it comes as a `Key`.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Text(&'a str),
    Key(&'a Key),
}

impl<'a> From<&'a str> for Wanted<'a> {
    fn from(text: &'a str) -> Self {
        Wanted::Text(text)
    }
}

impl<'a> From<&'a Key> for Wanted<'a> {
    fn from(key: &'a Key) -> Self {
        Wanted::Key(key)
    }
}

impl Wanted<'_> {
    fn is(self, key: &Key) -> bool {
        match self {
            Wanted::Text(text) => *key == *text,
            Wanted::Key(wanted) => key == wanted,
        }
    }

    fn hash(self) -> u32 {
        match self {
            Wanted::Text(text) => key::hash(text),
            Wanted::Key(key) => key.hash(),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Wanted::Text(text) => text.as_bytes(),
            Wanted::Key(key) => key.as_bytes(),
        }
    }

    fn position(self, entries: &[Entry]) -> Option<usize> {
        if let Wanted::Key(wanted) = self
            && let Some(at) = entries.iter().position(|(key, _)| key.same(wanted))
        {
            return Some(at);
        }
        entries.iter().position(|(key, _)| self.is(key))
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Flat(Vec::new())
    }
}

impl Object {
    /// Of equal keys the last value wins, at the position of the first. O(n log n).
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Object::new_indexed(entries, &[])
    }

    /// As [`Object::new`]; O(n) if `by_hash` has `hash << 32 | position` of each entry in ascending order.
    pub(crate) fn new_indexed(entries: Vec<Entry>, by_hash: &[u64]) -> Self {
        let depth = entries
            .iter()
            .map(|(_, value)| value.depth_bound())
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let body = Body::new(entries, by_hash).unwrap_or_else(|entries| {
            // There are no duplicates any more.
            Body::new(without_duplicates(entries), &[]).unwrap_or_default()
        });
        Object { body, depth }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.body {
            Body::Flat(entries) => entries.len(),
            Body::Large(large) => large.slots.len(),
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// As [`crate::node::Array::admit`].
    pub(crate) fn admit(&mut self, depth: u32) {
        self.depth = self.depth.max(depth.saturating_add(1));
    }

    /// By scan in a small object, O(log n) in a large one.
    pub(crate) fn get<'k>(&self, key: impl Into<Wanted<'k>>) -> Option<&Value> {
        let wanted = key.into();
        match &self.body {
            Body::Flat(entries) => {
                let (_, value) = entries.get(wanted.position(entries)?)?;
                Some(value)
            }
            Body::Large(large) => Some(&large.find(wanted)?.value),
        }
    }

    /// Entry `at` in insertion order; O(log n).
    pub(crate) fn entry(&self, at: usize) -> Option<(&Key, &Value)> {
        match &self.body {
            Body::Flat(entries) => entries.get(at).map(|(key, value)| (key, value)),
            Body::Large(large) => large.slots.get(at).map(|slot| (&slot.key, &slot.value)),
        }
    }

    /// Replaces the value of `key`, or appends an entry.
    pub(crate) fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        if let Body::Large(large) = &mut self.body
            && !large.has_hash(key.hash())
        {
            large.put(large.slots.len(), key, value, false);
            return None;
        }
        if let Some(slot) = self.slot_mut(&key) {
            return Some(std::mem::replace(slot, value));
        }
        self.append(key, value);
        None
    }

    /// The object for changing it: where it is if nobody else holds it, otherwise a copy with `room` to grow.
    #[inline(always)]
    pub(crate) fn unshare(object: &mut Arc<Object>, room: usize) -> &mut Object {
        if !object.is_unique() {
            *object = Arc::new(object.copy(room));
        }
        Arc::make_mut(object)
    }

    #[cold]
    fn copy(&self, room: usize) -> Object {
        let body = match &self.body {
            Body::Flat(entries) => Body::Flat(tree::copy(entries, room)),
            Body::Large(large) => Body::Large(Box::new(Large {
                slots: large.slots.copy(room),
                index: large.index.clone(),
                last: large.last,
                #[cfg(test)]
                moved: large.moved,
            })),
        };
        Object {
            body,
            depth: self.depth,
        }
    }

    /// The place of `key`. If there is none, appends what `make` returns, and returns none.
    pub(crate) fn slot_or(
        &mut self,
        key: &Key,
        make: impl FnOnce() -> Result<Value>,
    ) -> Result<Option<&mut Value>> {
        let at = match &self.body {
            Body::Flat(entries) => Wanted::Key(key).position(entries),
            Body::Large(large) => large.find(key.into()).map(|slot| slot.ordinal as usize),
        };
        let Some(at) = at else {
            self.append(key.clone(), make()?);
            return Ok(None);
        };
        Ok(match &mut self.body {
            Body::Flat(entries) => entries.get_mut(at).map(|(_, value)| value),
            Body::Large(large) => large.slot_mut(at as u32),
        })
    }

    pub(crate) fn slot_mut<'k>(&mut self, key: impl Into<Wanted<'k>>) -> Option<&mut Value> {
        let wanted = key.into();
        match &mut self.body {
            Body::Flat(entries) => {
                let at = wanted.position(entries)?;
                entries.get_mut(at).map(|(_, value)| value)
            }
            Body::Large(large) => {
                let ordinal = large.find(wanted)?.ordinal;
                large.slot_mut(ordinal)
            }
        }
    }

    /// Appends an entry whose key the object does not have.
    fn append(&mut self, key: Key, value: Value) {
        let at = self.len();
        self.put(at, key, value);
    }

    /// Puts an entry, whose key the object does not have, before entry `at`, or at the end.
    pub(crate) fn put(&mut self, at: usize, key: Key, value: Value) {
        match &mut self.body {
            Body::Flat(entries) => {
                entries.insert(at.min(entries.len()), (key, value));
                if entries.len() > FLAT {
                    // The keys are distinct; if they were not, the entries would come back.
                    self.body = Body::new(std::mem::take(entries), &[]).unwrap_or_else(Body::Flat);
                }
            }
            Body::Large(large) => {
                let has_hash = large.has_hash(key.hash());
                large.put(at, key, value, has_hash);
            }
        }
    }

    /// Keeps the order of the others. O(n) in a small object, O(log n) in a large one.
    pub(crate) fn remove<'k>(&mut self, key: impl Into<Wanted<'k>>) -> Option<Value> {
        let wanted = key.into();
        match &mut self.body {
            Body::Flat(entries) => {
                let (_, value) = entries.remove(wanted.position(entries)?);
                Some(value)
            }
            Body::Large(large) => {
                let slot = large.remove(wanted)?;
                if large.slots.len() <= FLAT / 2 {
                    self.body = Body::Flat(large.take_entries());
                }
                Some(slot.value)
            }
        }
    }

    /// Gives the entry of a key another key, which the object must not have, in the same place.
    pub(crate) fn rename<'k>(&mut self, from: impl Into<Wanted<'k>>, to: Key) -> Option<()> {
        let wanted = from.into();
        match &mut self.body {
            Body::Flat(entries) => {
                let at = wanted.position(entries)?;
                let (key, _) = entries.get_mut(at)?;
                *key = to;
                Some(())
            }
            Body::Large(large) => large.rename(wanted, to),
        }
    }

    /// The entries in insertion order.
    pub(crate) fn iter(&self) -> Entries<'_> {
        match &self.body {
            Body::Flat(entries) => Entries::Flat(entries.iter()),
            Body::Large(large) => Entries::Large(large.slots.iter()),
        }
    }

    /// Whether both have the same keys, and `same` is true of the values of each key. It is not asked where
    /// both share the entries.
    pub(crate) fn pairs_all<'a>(
        &'a self,
        other: &'a Object,
        mut same: impl FnMut(&'a Value, &'a Value) -> bool,
    ) -> bool {
        if self.len() != other.len() {
            return false;
        }
        match (&self.body, &other.body) {
            (Body::Large(a), Body::Large(b)) => a.slots.differing(&b.slots).all(|stretch| {
                // Objects that are compared usually agree in order.
                stretch.before.iter().zip(stretch.after).all(|(a, hint)| {
                    if a.key == hint.key {
                        return same(&a.value, &hint.value);
                    }
                    b.find((&a.key).into())
                        .is_some_and(|b| same(&a.value, &b.value))
                })
            }),
            _ => self.iter().enumerate().all(|(at, (key, value))| {
                let hint = match other.entry(at) {
                    Some((found, hint)) if found == key => Some(hint),
                    _ => other.get(key),
                };
                hint.is_some_and(|hint| same(value, hint))
            }),
        }
    }

    /// Tells of every key whose value may not be the same in `after`, with both values; of none of those that
    /// both share. O(differences) between versions, O(n) else.
    pub(crate) fn differing<'a>(
        &'a self,
        after: &'a Object,
        mut found: impl FnMut(&'a Key, Option<&'a Value>, Option<&'a Value>),
    ) {
        let (Body::Large(a), Body::Large(b)) = (&self.body, &after.body) else {
            for (at, (key, value)) in self.iter().enumerate() {
                let other = after.hinted(at, key).or_else(|| after.get(key));
                found(key, Some(value), other);
            }
            for (at, (key, value)) in after.iter().enumerate() {
                if self.hinted(at, key).is_none() && self.get(key).is_none() {
                    found(key, None, Some(value));
                }
            }
            return;
        };
        for stretch in a.slots.differing_by_key(&b.slots) {
            let (mut before, mut after) = (stretch.before, stretch.after);
            loop {
                match (before.split_first(), after.split_first()) {
                    (Some((x, xs)), Some((y, ys))) if x.key == y.key => {
                        found(&x.key, Some(&x.value), Some(&y.value));
                        (before, after) = (xs, ys);
                    }
                    (Some((x, xs)), y) if y.is_none_or(|(y, _)| x.ordinal <= y.ordinal) => {
                        let other = b.find((&x.key).into()).map(|slot| &slot.value);
                        found(&x.key, Some(&x.value), other);
                        before = xs;
                    }
                    (_, Some((y, ys))) => {
                        if a.find((&y.key).into()).is_none() {
                            found(&y.key, None, Some(&y.value));
                        }
                        after = ys;
                    }
                    _ => break,
                }
            }
        }
    }

    /// The value of `key`, if it is entry `at`.
    fn hinted(&self, at: usize, key: &Key) -> Option<&Value> {
        self.entry(at)
            .filter(|(hint, _)| *hint == key)
            .map(|(_, value)| value)
    }

    /// Empties the object, and hands out the values that nobody else holds.
    pub(crate) fn dismantle(&mut self, mut take: impl FnMut(Value)) {
        match std::mem::take(&mut self.body) {
            Body::Flat(entries) => entries.into_iter().for_each(|(_, value)| take(value)),
            Body::Large(mut large) => large.slots.dismantle(|slot| take(slot.value)),
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        dismantle_deep(self.depth, |take| self.dismantle(take));
    }
}

impl Body {
    /// Gives the entries back if some have the same key.
    fn new(entries: Vec<Entry>, by_hash: &[u64]) -> std::result::Result<Body, Vec<Entry>> {
        if entries.len() > FLAT {
            Large::new(entries, by_hash).map(|large| Body::Large(Box::new(large)))
        } else if has_duplicates(&entries) {
            Err(entries)
        } else {
            Ok(Body::Flat(entries))
        }
    }
}

impl Large {
    /// As [`Body::new`].
    fn new(entries: Vec<Entry>, by_hash: &[u64]) -> std::result::Result<Large, Vec<Entry>> {
        let step = ordinals::step(entries.len());
        let mut ordinal = 0;
        let slot = |(key, value)| {
            ordinal += step;
            Slot {
                key,
                value,
                ordinal,
            }
        };
        let slots = Tree::from_vec(entries.into_iter().map(slot).collect());
        let mut large = Large {
            slots,
            index: Tree::default(),
            last: ordinal,
            #[cfg(test)]
            moved: 0,
        };
        // As numbers, which sort in half the time; in the known order, in no time.
        let places = large.slots.iter().map(|slot| u64::from(slot.place()));
        let mut places: Vec<u64> = match by_hash.len() == large.slots.len() {
            true => by_hash
                .iter()
                .map(|place| {
                    (place >> 32 << 32) | ((u64::from(*place as u32) + 1) * u64::from(step))
                })
                .collect(),
            false => places.collect(),
        };
        places.sort_unstable();
        let mut places: Vec<Place> = places.into_iter().map(Place::from).collect();
        let collide = |pair: &[Place]| matches!(pair, [a, b] if a.hash == b.hash);
        if places.windows(2).any(collide) {
            let key_at = |place: &Place| large.slot(place.ordinal).map(|slot| &slot.key);
            let order = |a: &Place, b: &Place| {
                let by_key = || key_at(a).cmp(&key_at(b));
                a.hash.cmp(&b.hash).then_with(by_key)
            };
            places.sort_by(order);
            let equal = |pair: &[Place]| matches!(pair, [a, b] if order(a, b).is_eq());
            if places.windows(2).any(equal) {
                return Err(large.take_entries());
            }
        }
        large.index = Tree::from_vec(places);
        Ok(large)
    }

    fn slot(&self, ordinal: u32) -> Option<&Slot> {
        self.slots.last_where(|other| other <= ordinal)
    }

    fn slot_mut(&mut self, ordinal: u32) -> Option<&mut Value> {
        let slot = self.slots.last_where_mut(|other| other <= ordinal)?;
        Some(&mut slot.value)
    }

    fn find(&self, wanted: Wanted<'_>) -> Option<&Slot> {
        let hash = wanted.hash();
        let place = self.index.last_where(|place| place.hash <= hash)?;
        if place.hash != hash {
            return None;
        }
        let slot = self.slot(place.ordinal)?;
        if wanted.is(&slot.key) {
            return Some(slot);
        }
        // Another key of that hash.
        let found = |place: Place| self.compare(place, hash, wanted).is_le();
        let slot = self.slot(self.index.last_where(found)?.ordinal)?;
        wanted.is(&slot.key).then_some(slot)
    }

    fn compare(&self, place: Place, hash: u32, wanted: Wanted<'_>) -> Ordering {
        let by_key = || {
            let key = self.slot(place.ordinal).map(|slot| slot.key.as_bytes());
            key.cmp(&Some(wanted.as_bytes()))
        };
        place.hash.cmp(&hash).then_with(by_key)
    }

    /// Whether some key has this hash.
    fn has_hash(&self, hash: u32) -> bool {
        let place = self.index.last_where(|place| place.hash <= hash);
        place.is_some_and(|place| place.hash == hash)
    }

    /// `has_hash` says whether there is another key of that hash.
    fn insert_place(&mut self, place: Place, key: &Key, has_hash: bool) {
        if !has_hash {
            let hash = place.hash;
            self.index.insert_after(|other| other.hash < hash, place);
            return;
        }
        let mut index = std::mem::take(&mut self.index);
        let before = |other| self.compare(other, place.hash, key.into()).is_lt();
        index.insert_after(before, place);
        self.index = index;
    }

    /// The key must be there.
    fn remove_place(&mut self, wanted: Wanted<'_>) {
        let mut index = std::mem::take(&mut self.index);
        let hash = wanted.hash();
        index.remove_last(|place| self.compare(place, hash, wanted).is_le());
        self.index = index;
    }

    /// As [`Object::put`]; `has_hash` says whether there is another key of that hash.
    fn put(&mut self, at: usize, key: Key, value: Value, has_hash: bool) {
        let at = at.min(self.slots.len());
        let ordinal = self.new_ordinal(at);
        let place = Place {
            hash: key.hash(),
            ordinal,
        };
        self.insert_place(place, &key, has_hash);
        let slot = Slot {
            key,
            value,
            ordinal,
        };
        if at == self.slots.len() {
            self.last = ordinal;
            self.slots.push(slot);
        } else {
            self.slots.insert(at, slot);
        }
    }

    fn remove(&mut self, wanted: Wanted<'_>) -> Option<Slot> {
        let ordinal = self.find(wanted)?.ordinal;
        self.remove_place(wanted);
        self.slots.remove_last(|other| other <= ordinal)
    }

    fn rename(&mut self, from: Wanted<'_>, to: Key) -> Option<()> {
        let ordinal = self.find(from)?.ordinal;
        self.remove_place(from);
        let place = Place {
            hash: to.hash(),
            ordinal,
        };
        let has_hash = self.has_hash(place.hash);
        self.insert_place(place, &to, has_hash);
        let slot = self.slots.last_where_mut(|other| other <= ordinal)?;
        slot.key = to;
        Some(())
    }

    fn take_entries(&mut self) -> Vec<Entry> {
        let slots = std::mem::take(&mut self.slots);
        let entry = |slot: &Slot| (slot.key.clone(), slot.value.clone());
        slots.iter().map(entry).collect()
    }
}

impl Slot {
    fn place(&self) -> Place {
        Place {
            hash: self.key.hash(),
            ordinal: self.ordinal,
        }
    }
}

/// Of at most [`FLAT`] entries.
fn has_duplicates(entries: &[Entry]) -> bool {
    let mut hashes = [0; FLAT];
    entries
        .iter()
        .zip(0..)
        .any(|((key, _), at): (&Entry, usize)| {
            let hash = key.hash();
            let before = hashes.get(..at).unwrap_or_default();
            let duplicate =
                before.contains(&hash) && entries.iter().take(at).any(|(other, _)| other == key);
            if let Some(slot) = hashes.get_mut(at) {
                *slot = hash;
            }
            duplicate
        })
}

fn without_duplicates(entries: Vec<Entry>) -> Vec<Entry> {
    let mut first = BTreeMap::new();
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match first.get(&key).and_then(|&at| kept.get_mut(at)) {
            Some((_, slot)) => *slot = value,
            None => {
                first.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}

/// The entries of an object in insertion order, from both ends.
#[derive(Clone)]
pub(crate) enum Entries<'a> {
    Flat(std::slice::Iter<'a, Entry>),
    Large(tree::Iter<'a, Slot>),
}

impl Default for Entries<'_> {
    fn default() -> Self {
        Entries::Flat([].iter())
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a Key, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Entries::Flat(entries) => entries.next().map(|(key, value)| (key, value)),
            Entries::Large(slots) => slots.next().map(|slot| (&slot.key, &slot.value)),
        }
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        match self {
            Entries::Flat(entries) => entries.nth(n).map(|(key, value)| (key, value)),
            Entries::Large(slots) => slots.nth(n).map(|slot| (&slot.key, &slot.value)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Entries::Flat(entries) => entries.size_hint(),
            Entries::Large(slots) => slots.size_hint(),
        }
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Entries::Flat(entries) => entries.next_back().map(|(key, value)| (key, value)),
            Entries::Large(slots) => slots.next_back().map(|slot| (&slot.key, &slot.value)),
        }
    }
}
