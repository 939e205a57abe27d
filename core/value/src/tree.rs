//! A persistent sequence: a counted B+tree whose nodes are shared between versions.
//!
//! A clone shares everything. An edit changes in place the nodes that nobody else holds and copies the others
//! on the way down, so that it costs O(log n) and never shows in a clone. Up to [`Item::LEAF`] items are one flat
//! vector. Where the items have a [`Item::Key`] in ascending order, branches repeat the first key of each
//! child, so that a search touches one node per level.

#![allow(dead_code, reason = "the edits to come use the rest")]

use triomphe::{Arc, UniqueArc};

mod iter;
#[cfg(test)]
mod tests;

pub(crate) use iter::{Differing, Iter};

/// The most children of a branch.
const BRANCH: usize = 32;

/// What a tree holds.
pub(crate) trait Item: Clone {
    /// What the items are sorted by, if they are; `()` if they are not.
    type Key: Copy;

    /// The most items of a leaf, and of a tree that is one flat vector.
    const LEAF: usize;

    fn key(&self) -> Self::Key;
}

#[derive(Clone)]
pub(crate) enum Tree<T: Item> {
    Flat(Vec<T>),
    /// More than one leaf; the root is a branch.
    Deep(Child<T>),
}

#[derive(Clone)]
pub(crate) enum Node<T: Item> {
    Leaf(Vec<T>),
    Branch(Vec<Child<T>>),
}

/// A node seen from its parent. All leaves of a tree lie at the same depth; no node is empty.
pub(crate) struct Child<T: Item> {
    node: Arc<Node<T>>,
    /// Items in the subtree.
    len: usize,
    /// The key of its first item.
    first: T::Key,
}

impl<T: Item> Clone for Child<T> {
    fn clone(&self) -> Self {
        Child {
            node: self.node.clone(),
            ..*self
        }
    }
}

impl<T: Item> Default for Tree<T> {
    fn default() -> Self {
        Tree::Flat(Vec::new())
    }
}

impl<T: Item> Tree<T> {
    /// O(n); allocates exactly what is needed, except that a short vector is taken as it is.
    pub(crate) fn from_vec(items: Vec<T>) -> Self {
        if items.len() <= T::LEAF {
            return Tree::Flat(items);
        }
        let mut level: Vec<Child<T>> = chunks(items, T::LEAF)
            .filter_map(|leaf| Child::new(Node::Leaf(leaf)))
            .collect();
        while level.len() > 1 {
            level = chunks(level, BRANCH)
                .filter_map(|children| Child::new(Node::Branch(children)))
                .collect();
        }
        level.pop().map_or_else(Tree::default, Tree::Deep)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Tree::Flat(items) => items.len(),
            Tree::Deep(root) => root.len,
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match self {
            Tree::Flat(items) => items.get(at),
            Tree::Deep(root) => {
                let (leaf, start) = root.leaf(at)?;
                leaf.get(at - start)
            }
        }
    }

    /// The item may be changed, but not its key.
    pub(crate) fn get_mut(&mut self, mut at: usize) -> Option<&mut T> {
        let mut child = match self {
            Tree::Flat(items) => return items.get_mut(at),
            Tree::Deep(root) => root,
        };
        loop {
            match unshare(&mut child.node, 0) {
                Node::Leaf(items) => return items.get_mut(at),
                Node::Branch(children) => {
                    let (below, inside) = locate(children, at);
                    child = children.get_mut(below)?;
                    at = inside;
                }
            }
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        match self {
            Tree::Flat(items) if items.len() < T::LEAF => items.push(item),
            Tree::Flat(items) => {
                let at = items.len();
                self.insert(at, item);
            }
            Tree::Deep(root) => {
                if let Some(split) = root.push(item) {
                    self.grow(split);
                }
            }
        }
    }

    /// Puts `item` before item `at`, or at the end if there are not that many.
    pub(crate) fn insert(&mut self, at: usize, item: T) {
        let at = at.min(self.len());
        let split = match self {
            Tree::Flat(items) if items.len() < T::LEAF => {
                items.insert(at, item);
                return;
            }
            Tree::Flat(items) => {
                let Some(mut leaf) = Child::new(Node::Leaf(std::mem::take(items))) else {
                    return; // not reached: a full leaf is not empty
                };
                let split = leaf.insert(at, item);
                *self = Tree::Deep(leaf);
                split
            }
            Tree::Deep(root) => root.insert(at, item),
        };
        if let Some(split) = split {
            self.grow(split);
        }
    }

    /// Puts a new root over the root and what has been split off it.
    fn grow(&mut self, split: Child<T>) {
        if let Tree::Deep(root) = self {
            let mut children = Vec::with_capacity(4);
            children.extend([root.clone(), split]);
            if let Some(child) = Child::new(Node::Branch(children)) {
                *root = child;
            }
        }
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        if at >= self.len() {
            return None;
        }
        match self {
            Tree::Flat(items) => Some(items.remove(at)),
            Tree::Deep(root) => {
                let removed = root.remove(at);
                self.shrink();
                removed
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.remove(self.len().checked_sub(1)?)
    }

    /// Removes the items from `start` on and before `end`. O(log n), and dropping the items.
    pub(crate) fn remove_range(&mut self, start: usize, end: usize) {
        let end = end.min(self.len());
        if start >= end {
            return;
        }
        if end - start == self.len() {
            *self = Tree::default();
            return;
        }
        match self {
            Tree::Flat(items) => drop(items.drain(start..end)),
            Tree::Deep(root) => {
                root.remove_range(start, end);
                self.shrink();
            }
        }
    }

    /// Takes off roots with one child, and makes what is short flat again.
    fn shrink(&mut self) {
        let Tree::Deep(root) = self else {
            return;
        };
        while let Node::Branch(children) = &*root.node
            && let [only] = children.as_slice()
        {
            *root = only.clone();
        }
        let flat = match &*root.node {
            Node::Leaf(items) => Some(items.clone()),
            Node::Branch(_) if root.len <= T::LEAF / 2 => Some(self.iter().cloned().collect()),
            Node::Branch(_) => None,
        };
        if let Some(items) = flat {
            *self = Tree::Flat(items);
        }
    }

    /// How many items at the front have a key of which `holds` is true; it must be true of none behind.
    /// O(log n).
    pub(crate) fn partition_point(&self, mut holds: impl FnMut(T::Key) -> bool) -> usize {
        let mut child = match self {
            Tree::Flat(items) => return items.partition_point(|item| holds(item.key())),
            Tree::Deep(root) => root,
        };
        let mut before = 0;
        loop {
            match &*child.node {
                Node::Leaf(items) => {
                    return before + items.partition_point(|item| holds(item.key()));
                }
                Node::Branch(children) => {
                    let begun = children.partition_point(|child| holds(child.first));
                    let mut begun = children.iter().take(begun);
                    let Some(last) = begun.next_back() else {
                        return before;
                    };
                    before += begun.map(|child| child.len).sum::<usize>();
                    child = last;
                }
            }
        }
    }

    /// The last item of which `holds` is true, as in [`Tree::partition_point`].
    pub(crate) fn last_where(&self, mut holds: impl FnMut(T::Key) -> bool) -> Option<&T> {
        let mut child = match self {
            Tree::Flat(items) => return last_where(items, |item| holds(item.key())),
            Tree::Deep(root) => root,
        };
        loop {
            match &*child.node {
                Node::Leaf(items) => return last_where(items, |item| holds(item.key())),
                Node::Branch(children) => {
                    child = last_where(children, |child| holds(child.first))?;
                }
            }
        }
    }

    /// As [`Tree::last_where`]. The item may be changed, but not its key.
    pub(crate) fn last_where_mut(
        &mut self,
        mut holds: impl FnMut(T::Key) -> bool,
    ) -> Option<&mut T> {
        let mut child = match self {
            Tree::Flat(items) => return last_where_mut(items, |item| holds(item.key())),
            Tree::Deep(root) => root,
        };
        loop {
            match unshare(&mut child.node, 0) {
                Node::Leaf(items) => return last_where_mut(items, |item| holds(item.key())),
                Node::Branch(children) => {
                    child = last_where_mut(children, |child| holds(child.first))?;
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The parts in which this tree and `other` may differ; skips the nodes that both share in one place.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> Differing<'a, T> {
        Differing::new(self, other)
    }

    /// Whether both share their storage. False says nothing.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Tree::Deep(a), Tree::Deep(b)) => Arc::ptr_eq(&a.node, &b.node),
            _ => false,
        }
    }

    /// Empties the tree, and hands out the items that nobody else holds.
    pub(crate) fn dismantle(&mut self, mut take: impl FnMut(T)) {
        match std::mem::take(self) {
            Tree::Flat(items) => items.into_iter().for_each(take),
            Tree::Deep(root) => root.dismantle(&mut take),
        }
    }
}

impl<T: Item> FromIterator<T> for Tree<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Tree::from_vec(Vec::from_iter(items))
    }
}

/// These recurse as deep as the tree is high: a handful of levels, since two neighbours together always fill
/// at least half a node.
impl<T: Item> Child<T> {
    /// None if the node is empty.
    fn new(node: Node<T>) -> Option<Self> {
        let (len, first) = match &node {
            Node::Leaf(items) => (items.len(), items.first()?.key()),
            Node::Branch(children) => (
                children.iter().map(|child| child.len).sum(),
                children.first()?.first,
            ),
        };
        Some(Child {
            node: Arc::new(node),
            len,
            first,
        })
    }

    /// The leaf that item `at` is in, and the position of its first item.
    fn leaf(&self, at: usize) -> Option<(&[T], usize)> {
        let (mut child, mut inside) = (self, at);
        loop {
            match &*child.node {
                Node::Leaf(items) => return Some((items, at - inside)),
                Node::Branch(children) => {
                    let (below, offset) = locate(children, inside);
                    child = children.get(below)?;
                    inside = offset;
                }
            }
        }
    }

    /// Appends; what does not fit comes back as a new right neighbour.
    fn push(&mut self, item: T) -> Option<Child<T>> {
        let split = match unshare(&mut self.node, 8) {
            Node::Leaf(items) => {
                if items.len() < T::LEAF {
                    items.push(item);
                    self.len += 1;
                    return None;
                }
                let mut leaf = Vec::with_capacity(T::LEAF);
                leaf.push(item);
                return Child::new(Node::Leaf(leaf));
            }
            Node::Branch(children) => {
                let Some(split) = children.last_mut().and_then(|last| last.push(item)) else {
                    self.len += 1;
                    return None;
                };
                split
            }
        };
        self.take_split(usize::MAX, split)
    }

    /// As [`Child::push`], at any place up to the end.
    fn insert(&mut self, at: usize, item: T) -> Option<Child<T>> {
        if at >= self.len {
            return self.push(item);
        }
        if at == 0 {
            self.first = item.key();
        }
        let (below, split) = match unshare(&mut self.node, 8) {
            Node::Leaf(items) => {
                if items.len() < T::LEAF {
                    items.insert(at, item);
                    self.len += 1;
                    return None;
                }
                let mut right = items.split_off(T::LEAF / 2);
                match at.checked_sub(items.len()) {
                    Some(at) => right.insert(at, item),
                    None => items.insert(at, item),
                }
                self.len = items.len();
                return Child::new(Node::Leaf(right));
            }
            Node::Branch(children) => {
                let (below, inside) = locate(children, at);
                let split = children
                    .get_mut(below)
                    .and_then(|child| child.insert(inside, item));
                (below, split)
            }
        };
        match split {
            Some(split) => self.take_split(below + 1, split),
            None => {
                self.len += 1;
                None
            }
        }
    }

    /// Takes in what child `at - 1` has split off while it has grown by one item.
    fn take_split(&mut self, at: usize, split: Child<T>) -> Option<Child<T>> {
        self.len += 1;
        let Node::Branch(children) = unshare(&mut self.node, 1) else {
            return None; // not reached: leaves have no children
        };
        if children.len() < BRANCH {
            children.insert(at.min(children.len()), split);
            return None;
        }
        // Appending fills the nodes.
        let middle = if at < BRANCH { BRANCH / 2 } else { BRANCH };
        let mut right = children.split_off(middle);
        match at.min(BRANCH).checked_sub(middle) {
            Some(at) => right.insert(at, split),
            None => children.insert(at, split),
        }
        let right = Child::new(Node::Branch(right))?;
        self.len -= right.len;
        Some(right)
    }

    /// The item must be there, and not be the only one.
    fn remove(&mut self, at: usize) -> Option<T> {
        let removed = match unshare(&mut self.node, 0) {
            Node::Leaf(items) => (at < items.len()).then(|| items.remove(at)),
            Node::Branch(children) => {
                let (below, inside) = locate(children, at);
                let child = children.get_mut(below)?;
                let removed = if child.len == 1 {
                    let child = children.remove(below);
                    child.leaf(0)?.0.first().cloned()
                } else {
                    child.remove(inside)
                };
                merge_around(children, below);
                removed
            }
        };
        self.recount();
        removed
    }

    /// As [`Tree::remove_range`]; something must be left.
    fn remove_range(&mut self, start: usize, end: usize) {
        match unshare(&mut self.node, 0) {
            Node::Leaf(items) => drop(items.drain(start..end.min(items.len()))),
            Node::Branch(children) => {
                let (first, inside) = locate(children, start);
                let mut before = start - inside;
                let mut at = 0;
                children.retain_mut(|child| {
                    at += 1;
                    if at <= first || before >= end {
                        return true;
                    }
                    let (from, to) = (start.saturating_sub(before), (end - before).min(child.len));
                    before += child.len;
                    if to - from == child.len {
                        return false;
                    }
                    child.remove_range(from, to);
                    true
                });
                merge_around(children, first);
            }
        }
        self.recount();
    }

    /// After a removal, which touches one node per level anyway.
    fn recount(&mut self) {
        match &*self.node {
            Node::Leaf(items) => {
                self.len = items.len();
                self.first = items.first().map_or(self.first, Item::key);
            }
            Node::Branch(children) => {
                self.len = children.iter().map(|child| child.len).sum();
                self.first = children.first().map_or(self.first, |child| child.first);
            }
        }
    }

    /// Items or children of the node itself, against the most it can have.
    fn fill(&self) -> (usize, usize) {
        match &*self.node {
            Node::Leaf(items) => (items.len(), T::LEAF),
            Node::Branch(children) => (children.len(), BRANCH),
        }
    }

    /// Takes in the node on the right.
    fn append(&mut self, right: Child<T>) {
        match (unshare(&mut self.node, right.fill().0), &*right.node) {
            (Node::Leaf(items), Node::Leaf(more)) => items.extend_from_slice(more),
            (Node::Branch(children), Node::Branch(more)) => children.extend_from_slice(more),
            _ => return, // not reached: neighbours are alike
        }
        self.len += right.len;
    }

    fn dismantle(self, take: &mut impl FnMut(T)) {
        match Arc::into_unique(self.node).map(UniqueArc::into_inner) {
            Some(Node::Leaf(items)) => items.into_iter().for_each(take),
            Some(Node::Branch(children)) => {
                children.into_iter().for_each(|child| child.dismantle(take));
            }
            None => {}
        }
    }
}

/// The node for changing it: where it is if nobody else holds it, otherwise a copy with `room` to grow.
fn unshare<T: Item>(node: &mut Arc<Node<T>>, room: usize) -> &mut Node<T> {
    if !node.is_unique() {
        let copy = match &**node {
            Node::Leaf(items) => Node::Leaf(copy(items, room.min(T::LEAF - items.len()))),
            Node::Branch(children) => {
                Node::Branch(copy(children, room.min(BRANCH - children.len())))
            }
        };
        *node = Arc::new(copy);
    }
    Arc::make_mut(node)
}

fn copy<T: Clone>(items: &[T], room: usize) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.len() + room);
    copy.extend_from_slice(items);
    copy
}

/// Which child item `at` is in, and where in it; one past the last child if it is in none.
fn locate<T: Item>(children: &[Child<T>], at: usize) -> (usize, usize) {
    let mut inside = at;
    for (below, child) in children.iter().enumerate() {
        match inside.checked_sub(child.len) {
            Some(rest) => inside = rest,
            None => return (below, inside),
        }
    }
    (children.len(), inside)
}

/// Merges the children around `at`, which may have become short, where two fill half a node.
fn merge_around<T: Item>(children: &mut Vec<Child<T>>, at: usize) {
    for right in [at + 2, at + 1, at] {
        let Some(left) = right.checked_sub(1) else {
            continue;
        };
        let [Some((a, most)), Some((b, _))] =
            [left, right].map(|at| children.get(at).map(Child::fill))
        else {
            continue;
        };
        if a + b <= most / 2 {
            let right = children.remove(right);
            if let Some(left) = children.get_mut(left) {
                left.append(right);
            }
        }
    }
}

fn last_where<T>(items: &[T], holds: impl FnMut(&T) -> bool) -> Option<&T> {
    items.get(items.partition_point(holds).checked_sub(1)?)
}

fn last_where_mut<T>(items: &mut [T], holds: impl FnMut(&T) -> bool) -> Option<&mut T> {
    items.get_mut(items.partition_point(holds).checked_sub(1)?)
}

/// Splits `items` into as few vectors of at most `most` as possible, of about equal and exact size.
fn chunks<T>(items: Vec<T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut parts = items.len().div_ceil(most);
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let size = items.len().checked_div(parts)?;
        parts -= 1;
        let mut chunk = Vec::with_capacity(size);
        chunk.extend(items.by_ref().take(size));
        Some(chunk)
    })
}
