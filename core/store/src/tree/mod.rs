//! The tree: a persistent (structurally shared) B+tree from encoded keys to entries.
//!
//! Cloning a [`Tree`] copies a root pointer. A node nobody else holds is edited in place; a shared one is copied
//! along the path from the root, so an edit beside a live snapshot costs O(log n) nodes and without one costs none.
//! Entries are in the leaves' own buffers ([`leaf`]), so that finding one follows a pointer per level and no more.

mod branch;
mod keys;
mod leaf;

use statewright_value::Value;
use triomphe::Arc;

use crate::error::Result;
use crate::target::{Entry, Target};

use branch::{Branch, Child, MAX_CHILDREN, separator};
use leaf::{Leaf, MAX_ENTRIES, Put};

/// A node with fewer members than this is merged with a neighbour when both fit in one node.
const SPARSE: usize = MAX_ENTRIES / 4;

/// An encoded key: `space NUL tag key`, see [`crate::space`].
pub type Key = std::sync::Arc<[u8]>;

#[derive(Clone, Debug)]
enum Node {
    Leaf(Leaf),
    Branch(Branch),
}

/// A version of the world.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Child,
    len: usize,
    /// Entries that expire.
    expiring: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            root: Arc::new(Node::Leaf(Leaf::default())),
            len: 0,
            expiring: 0,
        }
    }
}

/// A right sibling made by a split, with the key that separates it from the left.
type Split = Option<(Vec<u8>, Child)>;

impl Tree {
    /// How many entries there are, expired ones included. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether any entry expires. O(1).
    pub fn has_expiring(&self) -> bool {
        self.expiring > 0
    }

    /// The leaf that holds a key, if any does.
    fn leaf_of(&self, key: &[u8]) -> leaf::View<'_> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.view(),
                Node::Branch(branch) => match branch.children.get(branch.child_of(key)) {
                    Some(child) => node = child,
                    None => return leaf::View::EMPTY,
                },
            }
        }
    }

    /// The entry at a key. O(log n).
    pub fn get(&self, key: &[u8]) -> Option<Entry> {
        let leaf = self.leaf_of(key);
        leaf.entry(leaf.search(key).ok()?)
    }

    /// Inserts or replaces. O(log n).
    pub fn insert(&mut self, key: &[u8], entry: &Entry) {
        let expires = self.get_expiry(key);
        let (put, split) = insert_into(Arc::make_mut(&mut self.root), key, entry);
        if let Some((separator, right)) = split {
            let left = std::mem::replace(&mut self.root, right.clone());
            self.root = Arc::new(Node::Branch(Branch::of_two(left, separator, right)));
        }
        if put == Put::Inserted {
            self.len += 1;
        }
        self.expiring -= usize::from(expires);
        self.expiring += usize::from(entry.expires.is_some());
    }

    fn get_expiry(&self, key: &[u8]) -> bool {
        self.has_expiring() && self.get(key).is_some_and(|e| e.expires.is_some())
    }

    /// Calls `f` with the entries from `from` (included) on, in order, until it says false. O(log n) to start.
    pub fn visit(&self, from: &[u8], f: &mut dyn FnMut(&[u8], &leaf::View<'_>, usize) -> bool) {
        visit_from(&self.root, from, &mut Vec::new(), f);
    }

    /// As [`visit`](Tree::visit), from the last entry before `to` (none: from the last of all) backwards.
    pub fn visit_back(
        &self,
        to: Option<&[u8]>,
        f: &mut dyn FnMut(&[u8], &leaf::View<'_>, usize) -> bool,
    ) {
        visit_back_from(&self.root, to, &mut Vec::new(), f);
    }

    /// Up to `limit` entries from `from` up to `to` (not included; none = the end), or, if `reverse`, from the last one
    /// before `to` down to `from`; only those that `keep` accepts. O(log n + visited).
    pub fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
        keep: impl Fn(&[u8], &Entry) -> bool,
    ) -> Vec<(Vec<u8>, Entry)> {
        let mut found = Vec::new();
        if limit == 0 {
            return found;
        }
        let mut take = |key: &[u8], leaf: &leaf::View<'_>, i: usize| {
            let inside = key >= from && to.is_none_or(|to| key < to);
            if let Some(entry) = leaf.entry(i).filter(|entry| inside && keep(key, entry)) {
                found.push((key.to_vec(), entry));
            }
            inside && found.len() < limit
        };
        if reverse {
            self.visit_back(to, &mut take);
        } else {
            self.visit(from, &mut take);
        }
        found
    }
}

impl Target for Tree {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        Tree::get(self, key)
    }

    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        self.range(from, None, 1, false, |_, _| true).pop()
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        self.insert(key, &entry);
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        // Looked up first, so that a miss copies nothing.
        if self.leaf_of(key).search(key).is_err() {
            return None;
        }
        let mut node = Arc::make_mut(&mut self.root);
        let leaf = loop {
            match node {
                Node::Leaf(leaf) => break leaf,
                Node::Branch(branch) => {
                    let at = branch.child_of(key);
                    node = Arc::make_mut(branch.children.get_mut(at)?);
                }
            }
        };
        let at = leaf.view().search(key).ok()?;
        if let Some(value) = leaf.live_mut(at, version) {
            return Some(f(value));
        }
        let mut entry = leaf.view().entry(at)?;
        entry.version = version;
        let edited = f(&mut entry.value);
        if edited.is_ok() {
            self.insert(key, &entry);
        }
        Some(edited)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        // Looked up first, so that a miss copies nothing.
        if self.leaf_of(key).search(key).is_err() {
            return false;
        }
        self.expiring -= usize::from(self.get_expiry(key));
        remove_from(Arc::make_mut(&mut self.root), key);
        self.len -= 1;
        // A branch of one child is no longer a branch.
        while let Node::Branch(branch) = &*self.root {
            match branch.children.as_slice() {
                [] => self.root = Tree::default().root,
                [only] => self.root = only.clone(),
                _ => break,
            }
        }
        true
    }
}

fn size(node: &Node) -> usize {
    match node {
        Node::Leaf(leaf) => leaf.view().len(),
        Node::Branch(branch) => branch.children.len(),
    }
}

fn insert_into(node: &mut Node, key: &[u8], entry: &Entry) -> (Put, Split) {
    match node {
        Node::Leaf(leaf) => {
            let put = leaf.put(key, entry);
            if !leaf.is_over() {
                return (put, None);
            }
            let view = leaf.view();
            let appended = put == Put::Inserted && view.search(key) == Ok(view.len() - 1);
            let right = leaf.split(appended);
            let (left, first) = (leaf.view(), right.view().key(0));
            let between = separator(&left.key(left.len() - 1), &first);
            (put, Some((between, Arc::new(Node::Leaf(right)))))
        }
        Node::Branch(branch) => {
            let at = branch.child_of(key);
            let Some(child) = branch.children.get_mut(at) else {
                return (Put::Replaced, None);
            };
            let (put, split) = insert_into(Arc::make_mut(child), key, entry);
            if let Some((separator, right)) = split {
                branch.insert(at, separator, right);
            }
            if !branch.is_over() {
                return (put, None);
            }
            let (separator, right) = branch.split(at + 2 == branch.children.len());
            (put, Some((separator, Arc::new(Node::Branch(right)))))
        }
    }
}

fn remove_from(node: &mut Node, key: &[u8]) {
    match node {
        Node::Leaf(leaf) => {
            if let Ok(at) = leaf.view().search(key) {
                leaf.take(at);
            }
        }
        Node::Branch(branch) => {
            let at = branch.child_of(key);
            let Some(child) = branch.children.get_mut(at) else {
                return;
            };
            remove_from(Arc::make_mut(child), key);
            if size(child) < SPARSE {
                merge_around(branch, at);
            }
        }
    }
}

/// Drops an empty child, or joins a sparse one with a neighbour when both fit in one node.
fn merge_around(branch: &mut Branch, at: usize) {
    if branch
        .children
        .get(at)
        .is_some_and(|child| size(child) == 0)
    {
        branch.remove(at);
        return;
    }
    for left in [at.checked_sub(1), Some(at)].into_iter().flatten() {
        let (Some(l), Some(r)) = (branch.children.get(left), branch.children.get(left + 1)) else {
            continue;
        };
        let fits = match (&**l, &**r) {
            (Node::Leaf(l), Node::Leaf(r)) => l.has_room_for(r),
            (Node::Branch(l), Node::Branch(r)) => {
                l.children.len() + r.children.len() <= MAX_CHILDREN
            }
            // All leaves are at one depth, so neighbours are of one kind.
            _ => false,
        };
        if fits {
            let between = branch.key_behind(left);
            let taken = branch.remove(left + 1);
            if let (Some(taken), Some(into)) = (taken, branch.children.get_mut(left)) {
                let taken = Arc::try_unwrap(taken).unwrap_or_else(|shared| (*shared).clone());
                match (Arc::make_mut(into), taken) {
                    (Node::Leaf(l), Node::Leaf(r)) => l.join(&r),
                    (Node::Branch(l), Node::Branch(r)) => l.join(between, r),
                    _ => {}
                }
            }
            return;
        }
    }
}

type Visitor<'a> = &'a mut dyn FnMut(&[u8], &leaf::View<'_>, usize) -> bool;

/// Visits entries from `from` on; tells whether there may be more to visit. `key` is a buffer.
fn visit_from(node: &Node, from: &[u8], key: &mut Vec<u8>, f: Visitor<'_>) -> bool {
    match node {
        Node::Leaf(leaf) => {
            let view = leaf.view();
            let start = view.search(from).unwrap_or_else(|at| at);
            (start..view.len()).all(|i| {
                key.clear();
                view.write_key(i, key);
                f(key, &view, i)
            })
        }
        Node::Branch(branch) => {
            let start = branch.child_of(from);
            let children = branch.children.get(start..).unwrap_or_default();
            children.iter().all(|child| visit_from(child, from, key, f))
        }
    }
}

/// Visits entries before `to` backwards; tells whether there may be more to visit. `key` is a buffer.
fn visit_back_from(node: &Node, to: Option<&[u8]>, key: &mut Vec<u8>, f: Visitor<'_>) -> bool {
    match node {
        Node::Leaf(leaf) => {
            let view = leaf.view();
            let end = to.map_or(view.len(), |to| view.search(to).unwrap_or_else(|at| at));
            (0..end).rev().all(|i| {
                key.clear();
                view.write_key(i, key);
                f(key, &view, i)
            })
        }
        Node::Branch(branch) => {
            let end = to.map_or(branch.children.len(), |to| branch.child_of(to) + 1);
            let children = branch.children.get(..end).unwrap_or_default();
            children
                .iter()
                .rev()
                .all(|child| visit_back_from(child, to, key, f))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use statewright_log::Timestamp;
    use statewright_value::value;

    use super::*;

    /// Keys of several lengths and shared beginnings, some of them prefixes of others.
    fn key(n: u16) -> Vec<u8> {
        match n % 4 {
            0 => n.to_be_bytes().to_vec(),
            1 => format!("default/key/{n:05}").into_bytes(),
            2 => format!(
                "default/key/{:05}/{}",
                n / 8,
                "x".repeat(usize::from(n % 8))
            )
            .into_bytes(),
            _ => vec![b'k'; usize::from(n % 24)],
        }
    }

    /// Values of every way in which a leaf holds one.
    fn entry(version: u64) -> Entry {
        let value = match version % 11 {
            0 => value!(null),
            1 => value!(true),
            2 => Value::from(version),
            3 => Value::from(u64::MAX - version),
            4 => Value::from_f64(version as f64 / 3.0).unwrap(),
            5 => Value::from(format!("text {version}")),
            6 => Value::bytes(vec![version as u8; (version % 40) as usize]),
            7 => Value::from("long ".repeat(200)),
            8 => value!({"version": (version), "tags": ["a", "b"]}),
            9 => Value::decimal("12.50").unwrap(),
            _ => Value::from(-(version as i64)),
        };
        Entry {
            expires: (version % 5 == 0).then(|| Timestamp::from_micros(version as i64)),
            ..Entry::new(value, version)
        }
    }

    fn content(tree: &Tree) -> Vec<(Vec<u8>, Entry)> {
        tree.range(&[], None, usize::MAX, false, |_, _| true)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Every operation agrees with a `BTreeMap`, and no snapshot ever changes.
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..5, 0u16..600), 1..1500)) {
            let mut tree = Tree::default();
            let mut model = BTreeMap::new();
            let mut snapshots = Vec::new();
            for (i, (what, k)) in ops.into_iter().enumerate() {
                let version = i as u64;
                let k = key(k);
                match what {
                    0..=2 => {
                        tree.insert(&k, &entry(version));
                        model.insert(k.clone(), entry(version));
                    }
                    3 => {
                        prop_assert_eq!(tree.remove(&k), model.remove(&k).is_some());
                    }
                    _ => {
                        let set = |v: &mut Value| { *v = value!({"edited": (version)}); Ok(()) };
                        let edited = tree.edit(&k, version, set).is_some();
                        prop_assert_eq!(edited, model.contains_key(&k));
                        if let Some(e) = model.get_mut(&k) {
                            (e.value, e.version) = (value!({"edited": (version)}), version);
                        }
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
                prop_assert_eq!(tree.get(&k), model.get(&k).cloned());
                if i % 97 == 0 {
                    snapshots.push((tree.clone(), content(&tree)));
                }
            }
            prop_assert_eq!(content(&tree), model.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(tree.expiring, model.values().filter(|e| e.expires.is_some()).count());
            for from in [0u16, 1, 2, 3, 57, 200, 399, 402] {
                let (from, to) = (key(from), key(from + 150));
                let want: Vec<_> = model.range(from.clone()..).map(|(k, e)| (k.clone(), e.clone())).collect();
                prop_assert_eq!(tree.range(&from, None, usize::MAX, false, |_, _| true), want);
                let mut want: Vec<_> = model.iter().filter(|(k, _)| **k >= from && **k < to)
                    .map(|(k, e)| (k.clone(), e.clone())).collect();
                prop_assert_eq!(tree.range(&from, Some(&to), usize::MAX, false, |_, _| true), want.clone());
                want.reverse();
                want.truncate(7);
                prop_assert_eq!(tree.range(&from, Some(&to), 7, true, |_, _| true), want);
            }
            for (snapshot, then) in snapshots {
                prop_assert_eq!(content(&snapshot), then);
            }
        }
    }

    #[test]
    fn keys_in_order_leave_full_leaves() {
        let mut tree = Tree::default();
        for n in 0..10_000_u32 {
            tree.insert(&n.to_be_bytes(), &entry(0));
        }
        fn count(node: &Node, leaves: &mut usize) {
            match node {
                Node::Leaf(_) => *leaves += 1,
                Node::Branch(branch) => branch.children.iter().for_each(|c| count(c, leaves)),
            }
        }
        let mut leaves = 0;
        count(&tree.root, &mut leaves);
        assert_eq!(leaves, 10_000_usize.div_ceil(MAX_ENTRIES));
    }

    #[test]
    fn an_entry_of_a_hundred_bytes_takes_less_than_two_hundred_and_fifty() {
        let mut tree = Tree::default();
        let mut seed = 1_u64;
        for version in 0..20_000_u64 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            let key = [
                b"default\0\x01".as_slice(),
                &seed.to_be_bytes(),
                &version.to_be_bytes(),
            ]
            .concat();
            let value = Value::bytes(vec![7; 128]);
            tree.insert(&key, &Entry::new(value, version));
        }
        fn bytes(node: &Node) -> usize {
            // A reference count pair and the allocator's own.
            let around = 32 + size_of::<Node>();
            around
                + match node {
                    Node::Leaf(leaf) => leaf.size(),
                    Node::Branch(b) => {
                        b.size() + b.children.iter().map(|c| bytes(c)).sum::<usize>()
                    }
                }
        }
        let each = bytes(&tree.root) / tree.len();
        assert!(each < 250, "{each} bytes an entry");
    }
}
