//! Branches: children and the keys that separate them.

use triomphe::Arc;

use super::Node;
use super::keys::{Suffix, common, up_to};
use super::page::{Address, PageBranch};

/// Children of a branch at most.
pub(super) const MAX_CHILDREN: usize = 32;

/// A node's child.
#[derive(Clone, Debug)]
pub(super) enum Child {
    /// In memory.
    Node(Arc<Node>),
    /// In a checkpoint.
    Page(Address),
}

/// A branch in memory: child `i + 1` holds the keys from separator `i` on.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    separators: Separators,
    pub children: Vec<Child>,
}

/// Sorted keys, found fast.
#[derive(Clone, Debug, Default)]
struct Separators {
    prefix: Vec<u8>,
    places: Vec<Place>,
    /// What is behind the heads, of all keys.
    rests: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    head: u64,
    len: u32,
    /// Where in `rests` it begins.
    rest: u32,
}

impl Separators {
    fn new(keys: &[Vec<u8>]) -> Separators {
        let shared = match (keys.first(), keys.last()) {
            (Some(first), Some(last)) => first.get(..common(first, last)).unwrap_or_default(),
            _ => &[],
        };
        let mut rests = Vec::new();
        let mut places = Vec::with_capacity(keys.len());
        for key in keys {
            let suffix = Suffix::new(key.get(shared.len()..).unwrap_or_default());
            places.push(Place {
                head: suffix.head,
                len: suffix.len as u32,
                rest: rests.len() as u32,
            });
            rests.extend_from_slice(suffix.rest);
        }
        Separators {
            prefix: shared.to_vec(),
            places,
            rests,
        }
    }

    fn suffix(&self, place: &Place) -> Suffix<'_> {
        let (start, len) = (place.rest as usize, place.len as usize);
        let rest = self.rests.get(start..start + len.saturating_sub(8));
        Suffix {
            head: place.head,
            len,
            rest: rest.unwrap_or_default(),
        }
    }

    /// How many of them are at or before `key`.
    fn up_to(&self, key: &[u8]) -> usize {
        let head = |i| self.places.get(i).map_or(0, |place: &Place| place.head);
        let suffix = |i| {
            self.places
                .get(i)
                .map_or(Suffix::new(&[]), |place| self.suffix(place))
        };
        up_to(&self.prefix, self.places.len(), head, suffix, key)
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        let keys = self.places.iter().map(|place| {
            let mut key = self.prefix.clone();
            self.suffix(place).write(&mut key);
            key
        });
        keys.collect()
    }
}

/// The shortest key that is behind `left` and not behind `right`.
pub(super) fn separator(left: &[u8], right: &[u8]) -> Vec<u8> {
    let shared = common(left, right);
    right.get(..=shared).unwrap_or(right).to_vec()
}

impl Branch {
    /// A branch of two children.
    pub fn of_two(left: Child, key: Vec<u8>, right: Child) -> Branch {
        Branch {
            separators: Separators::new(&[key]),
            children: vec![left, right],
        }
    }

    /// The branch that a page holds.
    pub fn of_page(page: &PageBranch<'_>) -> Branch {
        let mut separators = Separators {
            prefix: page.prefix.to_vec(),
            ..Separators::default()
        };
        for suffix in (0..page.separators()).map(|i| page.suffix(i)) {
            separators.places.push(Place {
                head: suffix.head,
                len: suffix.len as u32,
                rest: separators.rests.len() as u32,
            });
            separators.rests.extend_from_slice(suffix.rest);
        }
        let children = (0..page.len())
            .filter_map(|i| page.child(i))
            .map(Child::Page);
        Branch {
            separators,
            children: children.collect(),
        }
    }

    /// The page of this branch, with these addresses for its children.
    pub fn to_page(&self, children: &[Address]) -> Vec<u8> {
        let separators = &self.separators;
        let suffixes = separators
            .places
            .iter()
            .map(|place| separators.suffix(place));
        PageBranch::encode(&separators.prefix, suffixes, children)
    }

    /// The index of the child that holds `key`.
    pub fn child_of(&self, key: &[u8]) -> usize {
        self.separators.up_to(key)
    }

    /// Puts a child behind child `at`; its keys begin with `key`. O(children).
    pub fn insert(&mut self, at: usize, key: Vec<u8>, child: Child) {
        let mut keys = self.separators.keys();
        keys.insert(at.min(keys.len()), key);
        self.separators = Separators::new(&keys);
        self.children
            .insert((at + 1).min(self.children.len()), child);
    }

    /// Takes child `at` out; its keys now belong to the child before it (to the one behind it, if it was the first).
    /// O(children).
    pub fn remove(&mut self, at: usize) -> Option<Child> {
        if at >= self.children.len() {
            return None;
        }
        let mut keys = self.separators.keys();
        if !keys.is_empty() {
            keys.remove(at.saturating_sub(1));
        }
        self.separators = Separators::new(&keys);
        Some(self.children.remove(at))
    }

    /// Whether it must be split.
    pub fn is_over(&self) -> bool {
        self.children.len() > MAX_CHILDREN
    }

    /// Splits off the second half (only the last child, if that was just `appended`), and gives the key in between.
    pub fn split(&mut self, appended: bool) -> (Vec<u8>, Branch) {
        let len = self.children.len();
        // A branch needs two children to be one.
        let at = if appended { len - 2 } else { len / 2 };
        let mut keys = self.separators.keys();
        let right = keys.split_off(at);
        let middle = keys.pop().unwrap_or_default();
        self.separators = Separators::new(&keys);
        let right = Branch {
            separators: Separators::new(&right),
            children: self.children.split_off(at),
        };
        (middle, right)
    }

    /// Takes over the children of the branch to the right, whose keys begin with `key`.
    pub fn join(&mut self, key: Vec<u8>, right: &mut Branch) {
        let mut keys = self.separators.keys();
        keys.push(key);
        keys.extend(right.separators.keys());
        self.separators = Separators::new(&keys);
        self.children.append(&mut right.children);
    }

    /// The separator behind child `at`.
    pub fn key_behind(&self, at: usize) -> Vec<u8> {
        let mut key = self.separators.prefix.clone();
        if let Some(place) = self.separators.places.get(at) {
            self.separators.suffix(place).write(&mut key);
        }
        key
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.separators.prefix.capacity()
            + self.separators.places.capacity() * size_of::<Place>()
            + self.separators.rests.capacity()
            + self.children.capacity() * size_of::<Child>()
    }
}
