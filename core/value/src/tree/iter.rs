//! Going through one tree, and through two side by side.

use std::cmp::Ordering;

use triomphe::Arc;

use super::{Child, Item, Node, Tree};

/// The items of a tree, from both ends. Each step is O(1), each new leaf O(log n).
pub(crate) struct Iter<'a, T: Item> {
    front: std::slice::Iter<'a, T>,
    back: std::slice::Iter<'a, T>,
    /// The root, and which items are in no leaf that has been opened yet.
    rest: Option<(&'a Child<T>, usize, usize)>,
}

impl<T: Item> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Iter {
            front: self.front.clone(),
            back: self.back.clone(),
            rest: self.rest,
        }
    }
}

impl<T: Item> Default for Iter<'_, T> {
    fn default() -> Self {
        Iter {
            front: [].iter(),
            back: [].iter(),
            rest: None,
        }
    }
}

impl<'a, T: Item> Iter<'a, T> {
    pub(super) fn new(tree: &'a Tree<T>) -> Self {
        Iter {
            front: [].iter(),
            back: tree.tail.iter(),
            rest: tree.head.as_ref().map(|head| (head, 0, head.len)),
        }
    }

    #[cold]
    fn next_leaf(&mut self) -> Option<&'a T> {
        let Some((root, start, end)) = self.rest else {
            return self.back.next();
        };
        let (leaf, _) = root.leaf(start)?;
        let opened = start + leaf.len();
        self.rest = (opened < end).then_some((root, opened, end));
        self.front = leaf.iter();
        self.front.next()
    }

    #[cold]
    fn next_leaf_back(&mut self) -> Option<&'a T> {
        let Some((root, start, end)) = self.rest else {
            return self.front.next_back();
        };
        let (leaf, opened) = root.leaf(end - 1)?;
        self.rest = (start < opened).then_some((root, start, opened));
        self.back = leaf.iter();
        self.back.next_back()
    }
}

impl<'a, T: Item> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        match self.front.next() {
            Some(item) => Some(item),
            None => self.next_leaf(),
        }
    }

    /// O(log n), so that going on from a position is.
    fn nth(&mut self, n: usize) -> Option<&'a T> {
        let Some(beyond) = n.checked_sub(self.front.len()) else {
            return self.front.nth(n);
        };
        self.front = [].iter();
        let Some((root, start, end)) = self.rest else {
            return self.back.nth(beyond);
        };
        let Some(beyond) = beyond.checked_sub(end - start) else {
            let at = start + beyond;
            let (leaf, first) = root.leaf(at)?;
            let opened = first + leaf.len();
            self.rest = (opened < end).then_some((root, opened, end));
            self.front = leaf.iter();
            return self.front.nth(at - first);
        };
        self.rest = None;
        self.back.nth(beyond)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.rest.map_or(0, |(_, start, end)| end - start);
        let len = self.front.len() + rest + self.back.len();
        (len, Some(len))
    }
}

impl<T: Item> ExactSizeIterator for Iter<'_, T> {}

impl<T: Item> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.back.next_back() {
            Some(item) => Some(item),
            None => self.next_leaf_back(),
        }
    }
}

/// A stretch in which two trees may differ. Both slices have the same length, or one is empty.
///
/// Where items are paired by position, `at` is that of the first, and one is empty only at the end of the
/// shorter tree. Where they are paired by key, `at` has no meaning.
pub(crate) struct Stretch<'a, T> {
    #[allow(dead_code, reason = "the tests check the pairing by it")]
    pub(crate) at: usize,
    pub(crate) before: &'a [T],
    pub(crate) after: &'a [T],
}

/// Goes through two trees side by side; see [`Tree::differing`] and [`Tree::differing_by_key`].
pub(crate) struct Differing<'a, T: Item> {
    at: usize,
    before: Cursor<'a, T>,
    after: Cursor<'a, T>,
    /// By which the nodes and items of both are held against each other.
    order: fn(T::Key, T::Key) -> Ordering,
}

/// A place in a tree: the rest of a leaf, and the nodes that follow it, on each level those on the right of
/// the one that has been entered.
struct Cursor<'a, T: Item> {
    leaf: &'a [T],
    right: Vec<std::slice::Iter<'a, Child<T>>>,
    tail: &'a [T],
}

impl<'a, T: Item> Cursor<'a, T> {
    fn new(tree: &'a Tree<T>) -> Self {
        let mut cursor = Cursor {
            leaf: &[],
            right: Vec::new(),
            tail: &tree.tail,
        };
        match &tree.head {
            Some(head) => cursor.right.push(std::slice::from_ref(head).iter()),
            None => cursor.leaf = std::mem::take(&mut cursor.tail),
        }
        cursor
    }

    /// The node that comes next, if no leaf is open.
    fn peek(&mut self) -> Option<&'a Child<T>> {
        if !self.leaf.is_empty() {
            return None;
        }
        loop {
            let Some(rest) = self.right.last() else {
                self.leaf = std::mem::take(&mut self.tail);
                return None;
            };
            match rest.as_slice().first() {
                Some(child) => return Some(child),
                None => self.right.pop(),
            };
        }
    }

    fn skip(&mut self) {
        if let Some(rest) = self.right.last_mut() {
            rest.next();
        }
    }

    /// Goes into the node that comes next.
    fn enter(&mut self, child: &'a Child<T>) {
        self.skip();
        match &*child.node {
            Node::Leaf(items) => self.leaf = items,
            Node::Branch(children) => self.right.push(children.iter()),
        }
    }

    /// How many items of the open leaf come before `key`.
    fn below(&self, key: T::Key, order: fn(T::Key, T::Key) -> Ordering) -> usize {
        let below = |item: &T| order(item.key(), key) == Ordering::Less;
        self.leaf.partition_point(below)
    }

    /// Takes up to `most` items of the open leaf.
    fn take(&mut self, most: usize) -> &'a [T] {
        let (taken, rest) = self.leaf.split_at(most.min(self.leaf.len()));
        self.leaf = rest;
        taken
    }
}

impl<'a, T: Item> Differing<'a, T> {
    pub(super) fn by_position(before: &'a Tree<T>, after: &'a Tree<T>) -> Self {
        Differing {
            at: 0,
            before: Cursor::new(before),
            after: Cursor::new(after),
            order: |_, _| Ordering::Equal,
        }
    }

    pub(super) fn by_key(before: &'a Tree<T>, after: &'a Tree<T>) -> Self
    where
        T::Key: Ord,
    {
        Differing {
            order: |a, b| a.cmp(&b),
            ..Differing::by_position(before, after)
        }
    }

    fn stretch(&mut self, before: usize, after: usize) -> Stretch<'a, T> {
        let (before, after) = (self.before.take(before), self.after.take(after));
        let at = self.at;
        self.at += before.len().max(after.len());
        Stretch { at, before, after }
    }
}

impl<'a, T: Item> Iterator for Differing<'a, T> {
    type Item = Stretch<'a, T>;

    fn next(&mut self) -> Option<Stretch<'a, T>> {
        loop {
            match (self.before.peek(), self.after.peek()) {
                (Some(a), Some(b)) if Arc::ptr_eq(&a.node, &b.node) => {
                    self.before.skip();
                    self.after.skip();
                    self.at += a.len;
                }
                (Some(a), Some(b)) => match (self.order)(a.first, b.first) {
                    Ordering::Less => self.before.enter(a),
                    Ordering::Greater => self.after.enter(b),
                    Ordering::Equal if a.len >= b.len => self.before.enter(a),
                    Ordering::Equal => self.after.enter(b),
                },
                // What comes before the node of the other is on this side only.
                (Some(a), None) => match self.after.below(a.first, self.order) {
                    0 => self.before.enter(a),
                    alone => return Some(self.stretch(0, alone)),
                },
                (None, Some(b)) => match self.before.below(b.first, self.order) {
                    0 => self.after.enter(b),
                    alone => return Some(self.stretch(alone, 0)),
                },
                (None, None) => break,
            }
        }
        match (self.before.leaf.len(), self.after.leaf.len()) {
            (0, 0) => None,
            (0, only) => Some(self.stretch(0, only)),
            (only, 0) => Some(self.stretch(only, 0)),
            (a, b) => Some(self.stretch(a.min(b), a.min(b))),
        }
    }
}

/// The leaves of a tree, in order. A leaf that two trees share is the same slice in both.
pub(crate) struct Leaves<'a, T: Item>(Cursor<'a, T>);

impl<'a, T: Item> Leaves<'a, T> {
    pub(super) fn new(tree: &'a Tree<T>) -> Self {
        Leaves(Cursor::new(tree))
    }
}

impl<'a, T: Item> Iterator for Leaves<'a, T> {
    type Item = &'a [T];

    fn next(&mut self) -> Option<&'a [T]> {
        while let Some(child) = self.0.peek() {
            self.0.enter(child);
        }
        let leaf = self.0.take(usize::MAX);
        (!leaf.is_empty()).then_some(leaf)
    }
}
