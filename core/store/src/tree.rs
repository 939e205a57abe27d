//! The tree: a persistent (structurally shared) B+tree from encoded keys to entries.
//!
//! Cloning a [`Tree`] copies a root pointer. A node nobody else holds is edited in place; a shared one is copied
//! along the path from the root, so an edit beside a live snapshot costs O(log n) nodes and without one costs none.

use std::sync::Arc;

use statewright_value::Value;

use crate::error::Result;
use crate::target::{Entry, Target};

/// Children of a branch and entries of a leaf at most; chosen for short copies, not for disk pages.
const FANOUT: usize = 32;
/// A node with fewer members than this is merged with a neighbour when both fit in one node.
const SPARSE: usize = FANOUT / 4;

/// An encoded key: `space NUL tag key`, see [`crate::keys`].
pub type Key = Arc<[u8]>;

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<(Key, Entry)>),
    /// `keys[i]` is the smallest key below `children[i]`; the first may be larger than keys inserted later,
    /// which then still go to the first child.
    Branch {
        keys: Vec<Key>,
        children: Vec<Arc<Node>>,
    },
}

/// A version of the world, or of a transaction's view of it.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Arc<Node>,
    len: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            root: Arc::new(Node::Leaf(Vec::new())),
            len: 0,
        }
    }
}

/// The index of the child that holds `key`.
fn child_of(keys: &[Key], key: &[u8]) -> usize {
    keys.partition_point(|k| &**k <= key).saturating_sub(1)
}

impl Tree {
    /// How many entries there are. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// O(log n).
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let i = entries.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
                    return entries.get(i).map(|(_, e)| e);
                }
                Node::Branch { keys, children } => node = children.get(child_of(keys, key))?,
            }
        }
    }

    /// The entry for editing in place; copies shared nodes on the way. O(log n).
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        // Looked up first, so that a miss copies nothing.
        self.get(key)?;
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Leaf(entries) => {
                    let i = entries.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
                    return entries.get_mut(i).map(|(_, e)| e);
                }
                Node::Branch { keys, children } => {
                    node = Arc::make_mut(children.get_mut(child_of(keys, key))?);
                }
            }
        }
    }

    /// Inserts or replaces; gives the entry that was there. O(log n).
    pub fn insert(&mut self, key: Key, entry: Entry) -> Option<Entry> {
        let (old, split) = insert_into(Arc::make_mut(&mut self.root), key, entry);
        if let Some((first, right)) = split {
            let left = std::mem::replace(&mut self.root, Arc::new(Node::Leaf(Vec::new())));
            let keys = vec![smallest(&left).unwrap_or_else(|| first.clone()), first];
            self.root = Arc::new(Node::Branch {
                keys,
                children: vec![left, right],
            });
        }
        if old.is_none() {
            self.len = self.len.saturating_add(1);
        }
        old
    }

    /// Removes; gives the entry that was there. O(log n).
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        self.get(key)?;
        let old = remove_from(Arc::make_mut(&mut self.root), key);
        self.len = self.len.saturating_sub(1);
        // A branch of one child is no longer a branch.
        while let Node::Branch { children, .. } = &*self.root {
            match children.as_slice() {
                [] => self.root = Arc::new(Node::Leaf(Vec::new())),
                [only] => self.root = only.clone(),
                _ => break,
            }
        }
        old
    }

    /// Entries from `from` (included) in key order. O(log n) to start, O(1) amortised a step.
    pub fn iter_from(&self, from: &[u8]) -> Iter<'_> {
        let mut iter = Iter {
            stack: Vec::with_capacity(4),
        };
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    iter.stack
                        .push((node, entries.partition_point(|(k, _)| &**k < from)));
                    return iter;
                }
                Node::Branch { keys, children } => {
                    let i = child_of(keys, from);
                    iter.stack.push((node, i.saturating_add(1)));
                    match children.get(i) {
                        Some(child) => node = child,
                        None => return iter,
                    }
                }
            }
        }
    }
}

impl Tree {
    /// Up to `limit` entries from `from` up to `to` (not included; none = the end), or down from `to` to `from`.
    pub fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Vec<u8>, Entry)> {
        let inside = self
            .iter_from(from)
            .take_while(|(key, _)| to.is_none_or(|to| &***key < to))
            .map(|(key, entry)| (key.to_vec(), entry.clone()));
        if !reverse {
            return inside.take(limit).collect();
        }
        let mut all: Vec<_> = inside.collect();
        all.reverse();
        all.truncate(limit);
        all
    }
}

impl Target for Tree {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        Tree::get(self, key).cloned()
    }

    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        self.iter_from(from)
            .next()
            .map(|(key, entry)| (key.to_vec(), entry.clone()))
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        self.insert(key.into(), entry);
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        let entry = self.get_mut(key)?;
        let edited = f(&mut entry.value);
        if edited.is_ok() {
            entry.version = version;
        }
        Some(edited)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        Tree::remove(self, key).is_some()
    }
}

fn smallest(node: &Node) -> Option<Key> {
    match node {
        Node::Leaf(entries) => entries.first().map(|(k, _)| k.clone()),
        Node::Branch { keys, .. } => keys.first().cloned(),
    }
}

fn size(node: &Node) -> usize {
    match node {
        Node::Leaf(entries) => entries.len(),
        Node::Branch { children, .. } => children.len(),
    }
}

/// A right sibling made by a split, with its smallest key.
type Split = Option<(Key, Arc<Node>)>;

fn insert_into(node: &mut Node, key: Key, entry: Entry) -> (Option<Entry>, Split) {
    match node {
        Node::Leaf(entries) => {
            let at = match entries.binary_search_by(|(k, _)| (**k).cmp(&*key)) {
                Ok(i) => {
                    let old = entries.get_mut(i).map(|(_, e)| std::mem::replace(e, entry));
                    return (old, None);
                }
                Err(at) => at,
            };
            let appended = at == entries.len();
            entries.insert(at, (key, entry));
            (None, split_leaf(entries, appended))
        }
        Node::Branch { keys, children } => {
            let at = child_of(keys, &key);
            let Some(child) = children.get_mut(at) else {
                return (None, None);
            };
            let (old, split) = insert_into(Arc::make_mut(child), key, entry);
            if let Some((first, right)) = split {
                let after = at.saturating_add(1);
                keys.insert(after, first);
                children.insert(after, right);
            }
            (old, split_branch(keys, children))
        }
    }
}

fn split_leaf(entries: &mut Vec<(Key, Entry)>, appended: bool) -> Split {
    if entries.len() <= FANOUT {
        return None;
    }
    // Keys that come in order leave full leaves behind.
    let at = if appended {
        entries.len().saturating_sub(1)
    } else {
        entries.len() / 2
    };
    let right = entries.split_off(at);
    let first = right.first().map(|(k, _)| k.clone())?;
    Some((first, Arc::new(Node::Leaf(right))))
}

fn split_branch(keys: &mut Vec<Key>, children: &mut Vec<Arc<Node>>) -> Split {
    if children.len() <= FANOUT {
        return None;
    }
    let at = children.len() / 2;
    let right = Node::Branch {
        keys: keys.split_off(at),
        children: children.split_off(at),
    };
    Some((smallest(&right)?, Arc::new(right)))
}

fn remove_from(node: &mut Node, key: &[u8]) -> Option<Entry> {
    match node {
        Node::Leaf(entries) => {
            let i = entries.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
            Some(entries.remove(i).1)
        }
        Node::Branch { keys, children } => {
            let at = child_of(keys, key);
            let child = children.get_mut(at)?;
            let old = remove_from(Arc::make_mut(child), key);
            if size(child) < SPARSE {
                merge_around(keys, children, at);
            }
            old
        }
    }
}

/// Drops an empty child, or joins a sparse one with a neighbour when both fit in one node.
fn merge_around(keys: &mut Vec<Key>, children: &mut Vec<Arc<Node>>, at: usize) {
    if children.get(at).is_some_and(|c| size(c) == 0) {
        children.remove(at);
        keys.remove(at);
        return;
    }
    for left in [at.checked_sub(1), Some(at)].into_iter().flatten() {
        let right = left.saturating_add(1);
        let (Some(l), Some(r)) = (children.get(left), children.get(right)) else {
            continue;
        };
        if size(l).saturating_add(size(r)) > FANOUT {
            continue;
        }
        let taken = children.remove(right);
        keys.remove(right);
        let taken = Arc::try_unwrap(taken).unwrap_or_else(|shared| (*shared).clone());
        if let Some(into) = children.get_mut(left) {
            join(Arc::make_mut(into), taken);
        }
        return;
    }
}

fn join(left: &mut Node, right: Node) {
    match (left, right) {
        (Node::Leaf(a), Node::Leaf(b)) => a.extend(b),
        (
            Node::Branch { keys, children },
            Node::Branch {
                keys: k,
                children: c,
            },
        ) => {
            keys.extend(k);
            children.extend(c);
        }
        // All leaves are at one depth, so neighbours are of one kind.
        _ => {}
    }
}

/// Entries in key order.
pub struct Iter<'a> {
    /// Nodes from the root with the next member to visit.
    stack: Vec<(&'a Node, usize)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Key, &'a Entry);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (node, next) = self.stack.last_mut()?;
            let at = *next;
            *next = at.saturating_add(1);
            match node {
                Node::Leaf(entries) => match entries.get(at) {
                    Some((k, e)) => return Some((k, e)),
                    None => {
                        self.stack.pop();
                    }
                },
                Node::Branch { children, .. } => match children.get(at) {
                    Some(child) => self.stack.push((child, 0)),
                    None => {
                        self.stack.pop();
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u16) -> Key {
        Arc::from(&n.to_be_bytes()[..])
    }

    fn entry(version: u64) -> Entry {
        Entry::new(Value::from(version as i64), version)
    }

    fn content(tree: &Tree) -> Vec<(Vec<u8>, u64)> {
        tree.iter_from(&[])
            .map(|(k, e)| (k.to_vec(), e.version))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Every operation agrees with a `BTreeMap`, and no snapshot ever changes.
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..4, 0u16..400), 1..1500)) {
            let mut tree = Tree::default();
            let mut model = BTreeMap::new();
            let mut snapshots = Vec::new();
            for (i, (what, k)) in ops.into_iter().enumerate() {
                let version = i as u64;
                match what {
                    0 | 1 => {
                        let old = tree.insert(key(k), entry(version)).map(|e| e.version);
                        prop_assert_eq!(old, model.insert(key(k).to_vec(), version));
                    }
                    2 => {
                        let old = tree.remove(&key(k)).map(|e| e.version);
                        prop_assert_eq!(old, model.remove(&key(k).to_vec()));
                    }
                    _ => {
                        if let Some(e) = tree.get_mut(&key(k)) {
                            e.version = version;
                        }
                        if let Some(v) = model.get_mut(&key(k).to_vec()) {
                            *v = version;
                        }
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
                prop_assert_eq!(tree.get(&key(k)).map(|e| e.version), model.get(&key(k).to_vec()).copied());
                if i % 97 == 0 {
                    snapshots.push((tree.clone(), content(&tree)));
                }
            }
            prop_assert_eq!(content(&tree), model.clone().into_iter().collect::<Vec<_>>());
            for from in [0u16, 1, 57, 200, 399, 400] {
                let got: Vec<_> = tree.iter_from(&key(from)).map(|(k, _)| k.to_vec()).collect();
                let want: Vec<_> = model.range(key(from).to_vec()..).map(|(k, _)| k.clone()).collect();
                prop_assert_eq!(got, want);
            }
            for (snapshot, then) in snapshots {
                prop_assert_eq!(content(&snapshot), then);
            }
        }
    }

    #[test]
    fn keys_in_order_leave_full_leaves() {
        let mut tree = Tree::default();
        for n in 0..10_000 {
            tree.insert(key(n), entry(0));
        }
        let mut leaves = 0;
        fn count(node: &Node, leaves: &mut usize) {
            match node {
                Node::Leaf(_) => *leaves += 1,
                Node::Branch { children, .. } => children.iter().for_each(|c| count(c, leaves)),
            }
        }
        count(&tree.root, &mut leaves);
        assert_eq!(leaves, 10_000usize.div_ceil(FANOUT));
    }
}
