//! A transaction's view: a tree that does not change, and over it what the transaction wrote.

use std::collections::BTreeMap;
use std::ops::Bound;

use statewright_value::{Path, Value};

use crate::error::Result;
use crate::room;
use crate::target::{Entry, Target};
use crate::tree::{Key, Tree};

/// What a transaction wrote: the entries as they are now, none where it removed one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Key, Option<Entry>>,
    /// What was at a key before each write, as long as somebody may go back.
    undo: Vec<(Key, Option<Option<Entry>>)>,
    marks: usize,
}

/// An overlay over its tree.
pub(crate) struct Layered<'a> {
    pub base: &'a Tree,
    pub over: &'a mut Overlay,
}

impl Overlay {
    /// The keys that were written or removed.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }

    /// Makes a tree what the overlay over it was; what it wrote as of version `from` is of version `to`.
    /// O(what was written × log n).
    pub fn merge_into(mut self, tree: &mut Tree, (from, to): (u64, u64)) {
        for (key, written) in &mut self.entries {
            match written {
                Some(entry) => {
                    if entry.version == from {
                        entry.version = to;
                    }
                    tree.insert(key, entry);
                }
                None => drop(tree.remove(key)),
            }
        }
        // Values are let go of when all is written: to take a reference back waits until memory has what was written
        // before, so those waits would come one by one.
    }

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

    /// Whether nobody can go back and nothing was written at this key.
    pub fn is_new(&self, key: &[u8]) -> bool {
        self.marks == 0 && !self.entries.contains_key(key)
    }

    /// What `f` writes was there before every point to which somebody can go back.
    pub fn before_marks<T>(&mut self, f: impl FnOnce(&mut Overlay) -> T) -> T {
        let marks = std::mem::take(&mut self.marks);
        let done = f(self);
        self.marks = marks;
        done
    }

    /// The point to which [`undo`](Overlay::undo) can go back, until [`unmark`](Overlay::unmark) is called as often.
    pub fn mark(&mut self) -> usize {
        self.marks = self.marks.saturating_add(1);
        self.undo.len()
    }

    /// Nobody goes back to one of the points marked any more.
    pub fn unmark(&mut self, marks: usize) {
        self.marks = self.marks.saturating_sub(marks);
        if self.marks == 0 {
            self.undo.clear();
        }
    }

    /// Makes everything as it was at a point. O(writes since).
    pub fn undo(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some((key, Some(was))) => drop(self.entries.insert(key, was)),
                Some((key, None)) => drop(self.entries.remove(&key)),
                None => {}
            }
        }
    }

    /// Makes sure that one more write can be undone.
    pub fn make_room(&mut self) -> Result<()> {
        let more = usize::from(self.marks > 0);
        self.undo.try_reserve(more).map_err(room::refused)
    }

    fn write(&mut self, key: Key, entry: Option<Entry>) {
        if self.marks == 0 {
            self.entries.insert(key, entry);
        } else {
            let was = self.entries.insert(key.clone(), entry);
            self.undo.push((key, was));
        }
    }

    /// The first entry at `from` or behind it, of the overlay over `base`. O(log n + what was removed there).
    fn first_from(&self, base: &Tree, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        let bounds = (Bound::Included(from), Bound::Unbounded);
        let written = self
            .entries
            .range::<[u8], _>(bounds)
            .find_map(|(key, entry)| Some((key.to_vec(), entry.clone()?)));
        let to = written.as_ref().map(|(key, _)| key.as_slice());
        let untouched = |key: &[u8], _: &Entry| !self.entries.contains_key(key);
        let below = base.range(from, to, 1, false, untouched).pop();
        below.or(written)
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
        let live = written.filter(|(_, entry)| entry.as_ref().is_some_and(&keep));
        let mut live = live.filter_map(|(key, entry)| Some((key.to_vec(), entry.clone()?)));
        let mut next = || match reverse {
            false => live.next(),
            true => live.next_back(),
        };
        found.extend(std::iter::from_fn(&mut next).take(limit));
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
        self.over.first_from(self.base, from)
    }

    fn room_for_edit(doc: &Value, path: &Path) -> Result<()> {
        room::for_edit(doc, path).map(drop)
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        self.over.write(key.into(), Some(entry));
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        if self.over.marks == 0
            && let Some(written) = self.over.entries.get_mut(key)
        {
            let entry = written.as_mut()?;
            let edited = f(&mut entry.value);
            if edited.is_ok() {
                entry.version = version;
            }
            return Some(edited);
        }
        let mut entry = self.get(key)?;
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
            self.over.write(key.into(), None);
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

    /// So going through what a transaction wrote, a page at a time, costs what is there, not its square.
    #[test]
    fn a_page_looks_at_no_more_of_what_was_written_than_it_gives() {
        let (base, mut over) = (Tree::default(), Overlay::default());
        for key in 0..=255 {
            let mut have = Layered {
                base: &base,
                over: &mut over,
            };
            have.put(&[key], entry(0));
        }
        for reverse in [false, true] {
            let looked = std::cell::Cell::new(0);
            let keep = |_: &Entry| {
                looked.set(looked.get() + 1);
                true
            };
            let page = over.range(&base, &[], None, 3, reverse, keep);
            let want = if reverse { [255, 254, 253] } else { [0, 1, 2] };
            assert_eq!(page.iter().map(|(key, _)| key[0]).collect::<Vec<_>>(), want);
            assert_eq!(looked.get(), 3);
        }
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
            let mut merged = base.clone();
            over.clone().merge_into(&mut merged, (0, 0));
            let all = |tree: &Tree| tree.range(&[], None, usize::MAX, false, |_, _| true);
            prop_assert_eq!(all(&merged), all(&want));
            let to = to.map(|to| [to]);
            let to = to.as_ref().map(|to| to.as_slice());
            prop_assert_eq!(
                over.range(&base, &[from], to, limit, reverse, |_| true),
                want.range(&[from], to, limit, reverse, |_, _| true)
            );
        }
    }
}
