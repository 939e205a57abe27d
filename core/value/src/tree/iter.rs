//! Going through one tree, and through two side by side.

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

/// A stretch in which two trees may differ: the items of both from position `at` on. Both slices have the same
/// length, but at the end, where the shorter tree has none.
pub(crate) struct Stretch<'a, T> {
    pub(crate) at: usize,
    pub(crate) before: &'a [T],
    pub(crate) after: &'a [T],
}

/// Goes through two trees side by side; see [`Tree::differing`].
pub(crate) struct Differing<'a, T: Item> {
    at: usize,
    before: Cursor<'a, T>,
    after: Cursor<'a, T>,
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

    /// Takes up to `most` items of the open leaf.
    fn take(&mut self, most: usize) -> &'a [T] {
        let (taken, rest) = self.leaf.split_at(most.min(self.leaf.len()));
        self.leaf = rest;
        taken
    }
}

impl<'a, T: Item> Differing<'a, T> {
    pub(super) fn new(before: &'a Tree<T>, after: &'a Tree<T>) -> Self {
        Differing {
            at: 0,
            before: Cursor::new(before),
            after: Cursor::new(after),
        }
    }
}

impl<'a, T: Item> Iterator for Differing<'a, T> {
    type Item = Stretch<'a, T>;

    fn next(&mut self) -> Option<Stretch<'a, T>> {
        loop {
            match (self.before.peek(), self.after.peek()) {
                (Some(a), Some(b)) => {
                    if Arc::ptr_eq(&a.node, &b.node) {
                        self.before.skip();
                        self.after.skip();
                        self.at += a.len;
                    } else if a.len >= b.len {
                        self.before.enter(a);
                    } else {
                        self.after.enter(b);
                    }
                }
                (Some(a), None) => self.before.enter(a),
                (None, Some(b)) => self.after.enter(b),
                (None, None) => break,
            }
        }
        let most = match (self.before.leaf.len(), self.after.leaf.len()) {
            (0, 0) => return None,
            (0, only) | (only, 0) => only,
            (a, b) => a.min(b),
        };
        let at = self.at;
        self.at += most;
        Some(Stretch {
            at,
            before: self.before.take(most),
            after: self.after.take(most),
        })
    }
}
