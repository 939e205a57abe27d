//! Objects: entries in insertion order, found by scan when few and by an index when many.

use std::collections::BTreeMap;

use crate::node::drop_children;
use crate::{Key, Value};

/// A key and its value. Keys are shared between objects of one document.
pub(crate) type Entry = (Key, Value);

/// The tail that is scanned may be this long, and the square root of the length longer.
const SCAN: usize = 16;

/// The entries of an object.
///
/// `index` holds the positions of the first `index.len()` entries, sorted by key; the entries after them
/// are the *tail*, which a lookup scans. A small object is all tail. When the tail has grown to about √n
/// it is merged into the index, so a lookup costs O(log n + √n) small steps and n insertions O(n √n) at
/// worst. A sorted index, unlike a hash table, has no bad input and needs no random seed.
#[derive(Clone, Default)]
pub(crate) struct Object {
    entries: Vec<Entry>,
    index: Vec<u32>,
    /// As in [`crate::node::Array`].
    depth: u32,
}

impl Object {
    /// Of equal keys the last value wins, at the position of the first.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let object = Object::with_entries(entries);
        if object.has_duplicates() {
            Object::with_entries(without_duplicates(object.entries()))
        } else {
            object
        }
    }

    fn with_entries(entries: Vec<Entry>) -> Self {
        let depth = entries
            .iter()
            .map(|(_, value)| value.depth_bound())
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let mut object = Object {
            entries,
            index: Vec::new(),
            depth,
        };
        if object.entries.len() > SCAN {
            object.reindex();
        }
        object
    }

    fn has_duplicates(&self) -> bool {
        if self.index.is_empty() {
            let seen_before = |at: usize, key: &str| {
                self.entries
                    .iter()
                    .take(at)
                    .any(|(other, _)| **other == *key)
            };
            return self
                .entries
                .iter()
                .enumerate()
                .any(|(at, (key, _))| seen_before(at, key));
        }
        self.sorted()
            .windows(2)
            .any(|pair| matches!(pair, [(a, _), (b, _)] if a == b))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// As [`crate::node::Array::admit`].
    pub(crate) fn admit(&mut self, depth: u32) {
        self.depth = self.depth.max(depth.saturating_add(1));
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let (_, value) = self.entries.get(self.position(key)?)?;
        Some(value)
    }

    /// As [`Object::get`], but looks at `hint` first: objects that are compared usually agree in order.
    pub(crate) fn get_near(&self, key: &str, hint: usize) -> Option<&Value> {
        match self.entries.get(hint) {
            Some((found, value)) if **found == *key => Some(value),
            _ => self.get(key),
        }
    }

    pub(crate) fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        match self.slot_mut(&key) {
            Some(slot) => Some(std::mem::replace(slot, value)),
            None => {
                self.append(key, value);
                None
            }
        }
    }

    /// The place of `key`, created as null when missing.
    pub(crate) fn slot(&mut self, key: &Key) -> Option<&mut Value> {
        let at = match self.position(key) {
            Some(at) => at,
            None => {
                self.append(key.clone(), Value::NULL);
                self.entries.len() - 1
            }
        };
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    pub(crate) fn slot_mut(&mut self, key: &str) -> Option<&mut Value> {
        let at = self.position(key)?;
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    /// Keeps the order of the others; O(n).
    pub(crate) fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key)?;
        if at < self.index.len() {
            let removed = at as u32;
            self.index.retain(|&position| position != removed);
            self.index
                .iter_mut()
                .filter(|position| **position > removed)
                .for_each(|position| *position -= 1);
        }
        let (_, value) = self.entries.remove(at);
        Some(value)
    }

    /// The entries sorted by key (by bytes, which is by code point): the canonical order.
    pub(crate) fn sorted(&self) -> Vec<&Entry> {
        if self.index.len() == self.entries.len() {
            return self
                .index
                .iter()
                .filter_map(|&at| self.entries.get(at as usize))
                .collect();
        }
        let mut sorted: Vec<&Entry> = self.entries.iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        sorted
    }

    pub(crate) fn take_values(&mut self) -> impl Iterator<Item = Value> + use<> {
        self.index.clear();
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(_, value)| value)
    }

    fn append(&mut self, key: Key, value: Value) {
        self.entries.push((key, value));
        let len = self.entries.len();
        if len - self.index.len() > SCAN + len.isqrt() {
            self.reindex();
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        let key_at = |at: u32| self.entries.get(at as usize).map(|(key, _)| &**key);
        if let Ok(found) = self
            .index
            .binary_search_by(|&at| key_at(at).cmp(&Some(key)))
        {
            return self.index.get(found).map(|&at| at as usize);
        }
        let tail = self.entries.get(self.index.len()..)?;
        tail.iter()
            .position(|(found, _)| **found == *key)
            .map(|at| at + self.index.len())
    }

    /// Merges the tail into the index: by binary search, since comparing keys costs more than copying positions.
    fn reindex(&mut self) {
        let entries = &self.entries;
        let key_at = |at: u32| entries.get(at as usize).map(|(key, _)| key);
        // Positions are 32-bit: 2^32 entries would need 160 GiB of memory for the entries alone.
        let mut tail: Vec<u32> = (self.index.len() as u32..entries.len() as u32).collect();
        tail.sort_unstable_by(|&a, &b| key_at(a).cmp(&key_at(b)));
        let mut merged = Vec::with_capacity(entries.len());
        let mut rest = self.index.as_slice();
        for at in tail {
            let smaller = rest.partition_point(|&other| key_at(other) < key_at(at));
            if let Some((before, after)) = rest.split_at_checked(smaller) {
                merged.extend_from_slice(before);
                rest = after;
            }
            merged.push(at);
        }
        merged.extend_from_slice(rest);
        self.index = merged;
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let depth = self.depth;
        drop_children(depth, std::iter::once_with(|| self.take_values()).flatten());
    }
}

fn without_duplicates(entries: &[Entry]) -> Vec<Entry> {
    let mut first = BTreeMap::new();
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match first.get(key).and_then(|&at| kept.get_mut(at)) {
            Some((_, slot)) => *slot = value.clone(),
            None => {
                first.insert(key, kept.len());
                kept.push((key.clone(), value.clone()));
            }
        }
    }
    kept
}
