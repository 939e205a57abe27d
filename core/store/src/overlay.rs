//! A transaction's view: a tree that does not change, and over it what the transaction wrote.

use std::collections::BTreeMap;
use std::ops::Bound;

use statewright_value::Value;

use crate::error::Result;
use crate::target::{Entry, Target};
use crate::tree::{Key, Tree};

/// What a transaction wrote: the entries as they are now, none where it removed one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Key, Option<Entry>>,
}

/// An overlay over its tree.
pub(crate) struct Layered<'a> {
    pub base: &'a Tree,
    pub over: &'a mut Overlay,
}

impl Overlay {
    /// The entry at a key of the overlay over `base`. O(log n).
    pub fn get(&self, base: &Tree, key: &[u8]) -> Option<Entry> {
        if self.entries.is_empty() {
            return base.get(key);
        }
        match self.entries.get(key) {
            Some(written) => written.clone(),
            None => base.get(key),
        }
    }

    /// As [`Tree::range`], of the overlay over `base`.
    pub fn range(
        &self,
        base: &Tree,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
        keep: impl Fn(&Entry) -> bool,
    ) -> Vec<(Vec<u8>, Entry)> {
        if to.is_some_and(|to| to <= from) {
            return Vec::new();
        }
        let bounds = (
            Bound::Included(from),
            to.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let mut written = self.entries.range::<[u8], _>(bounds).peekable();
        if written.peek().is_none() {
            return base.range(from, to, limit, reverse, |_, entry| keep(entry));
        }
        let untouched = |key: &[u8], entry: &Entry| !self.entries.contains_key(key) && keep(entry);
        let mut found = base.range(from, to, limit, reverse, untouched);
        let live = written.filter_map(|(key, entry)| Some((key.to_vec(), entry.clone()?)));
        found.extend(live.filter(|(_, entry)| keep(entry)));
        found.sort_unstable_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
        found.truncate(limit);
        found
    }
}

impl Target for Layered<'_> {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        self.over.get(self.base, key)
    }

    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        self.over
            .range(self.base, from, None, 1, false, |_| true)
            .pop()
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        self.over.entries.insert(key.into(), Some(entry));
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        if let Some(written) = self.over.entries.get_mut(key) {
            let entry = written.as_mut()?;
            let edited = f(&mut entry.value);
            if edited.is_ok() {
                entry.version = version;
            }
            return Some(edited);
        }
        let mut entry = self.base.get(key)?;
        let edited = f(&mut entry.value);
        if edited.is_ok() {
            entry.version = version;
            self.put(key, entry);
        }
        Some(edited)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let there = self.get(key).is_some();
        if there {
            self.over.entries.insert(key.into(), None);
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(version: u64) -> Entry {
        Entry::new(Value::from(version), version)
    }

    proptest! {
        /// An overlay over a tree looks like a tree to which the same was done.
        #[test]
        fn looks_like_the_tree_it_stands_for(
            before in proptest::collection::vec(0u8..60, 0..40),
            ops in proptest::collection::vec((0u8..4, 0u8..60), 0..60),
            (from, to, limit, reverse) in (0u8..60, proptest::option::of(0u8..70), 0usize..70, any::<bool>()),
        ) {
            let mut base = Tree::default();
            for key in before {
                base.insert(&[key], &entry(0));
            }
            let (mut want, mut over) = (base.clone(), Overlay::default());
            for (version, (what, key)) in (1..).zip(ops) {
                let mut have = Layered { base: &base, over: &mut over };
                let key = [key];
                match what {
                    0 | 1 => {
                        want.put(&key, entry(version));
                        have.put(&key, entry(version));
                    }
                    2 => prop_assert_eq!(have.remove(&key), want.remove(&key)),
                    _ => {
                        let set = |v: &mut Value| { *v = Value::from("edited"); Ok(()) };
                        let both = (have.edit(&key, version, set), want.edit(&key, version, set));
                        prop_assert_eq!(both.0.is_some(), both.1.is_some());
                    }
                }
                prop_assert_eq!(have.get(&key), want.get(&key));
                prop_assert_eq!(have.first_from(&key), want.first_from(&key));
            }
            let to = to.map(|to| [to]);
            let to = to.as_ref().map(|to| to.as_slice());
            prop_assert_eq!(
                over.range(&base, &[from], to, limit, reverse, |_| true),
                want.range(&[from], to, limit, reverse, |_, _| true)
            );
        }
    }
}
