//! Changing an entry that was just read, without looking for it again.

use smallvec::SmallVec;

use super::branch::Child;
use super::{Owned, Tree};
use crate::target::Entry;

/// Where an entry was found: of each branch on the way the child, and its place in the leaf. As long as the tree is not
/// changed, it is there.
pub struct Trail {
    way: SmallVec<[u8; 8]>,
    at: usize,
}

impl Tree {
    /// The entry at a key, and where it is, if that is in memory. O(log n).
    pub fn seek(&self, key: &[u8]) -> (Option<Entry>, Option<Trail>) {
        let mut way = SmallVec::new();
        let mut child = &self.root;
        loop {
            match child {
                Child::Leaf(leaf) => {
                    let view = leaf.view_with(&self.files.pages);
                    let Some((at, lent)) = view.lend_at(key) else {
                        return (None, None);
                    };
                    return (lent.entry(), Some(Trail { way, at }));
                }
                Child::Branch(branch) => {
                    let at = branch.child_of(key);
                    // No branch has that many children.
                    way.push(u8::try_from(at).unwrap_or(u8::MAX));
                    match branch.children.get(at) {
                        Some(next) => child = next,
                        None => return (self.get(key), None),
                    }
                }
                Child::Page(_) => return (self.get(key), None),
            }
        }
    }

    /// [Inserts](Tree::insert) an entry at a key that was [sought](Tree::seek) before. O(log n), but less.
    pub fn insert_at(&mut self, trail: Option<&Trail>, key: &[u8], entry: &Entry) {
        if !trail.is_some_and(|trail| self.replace_at(trail, key, entry)) {
            self.insert(key, entry);
        }
    }

    /// Whether there is such an entry there that it could be written over.
    fn replace_at(&mut self, trail: &Trail, key: &[u8], entry: &Entry) -> bool {
        let files = &mut self.files;
        let mut node = files.own(&mut self.root);
        for at in &trail.way {
            node = match node {
                Some(Owned::Branch(branch)) => match branch.children.get_mut(usize::from(*at)) {
                    Some(child) => files.own(child),
                    None => return false,
                },
                _ => return false,
            };
        }
        match node {
            Some(Owned::Leaf(leaf)) => leaf.replace(trail.at, key, entry),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;

    fn key(n: u64) -> [u8; 8] {
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()
    }

    #[test]
    fn an_entry_is_written_where_it_was_found_or_where_it_belongs() {
        let mut tree = Tree::default();
        for n in 0..5000 {
            tree.insert(&key(n), &Entry::new(value!(n), n));
        }
        let before = tree.clone();
        let nowhere = || Trail {
            way: SmallVec::from_slice(&[9; 3]),
            at: 9,
        };
        for n in 0..6000 {
            let (old, trail) = tree.seek(&key(n));
            assert_eq!(old, tree.get(&key(n)));
            assert_eq!(trail.is_some(), n < 5000);
            let other = tree.seek(&key(n.wrapping_add(1))).1;
            // A text does not fit over a number.
            let new = match n % 3 {
                0 => value!("text"),
                _ => value!(n + 1),
            };
            let trail = match n % 5 {
                0 => other,
                1 => Some(nowhere()),
                _ => trail,
            };
            let entry = Entry::new(new, n + 10_000);
            tree.insert_at(trail.as_ref(), &key(n), &entry);
            assert_eq!(tree.get(&key(n)), Some(entry));
        }
        assert_eq!((tree.len(), before.len()), (6000, 5000));
        for n in 0..6000 {
            let was = (n < 5000).then(|| Entry::new(value!(n), n));
            assert_eq!(before.get(&key(n)), was, "a shared node was changed");
            let version = tree.get(&key(n)).map(|entry| entry.version);
            assert_eq!(version, Some(n + 10_000));
        }
    }
}
