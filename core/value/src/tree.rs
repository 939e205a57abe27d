//! A persistent sequence: a counted B+tree whose nodes are shared between versions.
//!
//! A clone shares everything but a short tail. An edit changes in place the nodes that nobody else holds and
//! copies the others on the way down, so that it costs O(log n) and never shows in a clone. Up to
//! [`Item::LEAF`] items are one flat vector. Where the items have an [`Item::Key`] in ascending order, branches
//! repeat the first key of each child, so that a search touches one node per level.

use triomphe::{Arc, UniqueArc};

mod iter;
mod seek;
#[cfg(test)]
mod tests;

pub(crate) use iter::{Differing, Iter, Leaves};

use seek::{After, At, Last, Seek};

/// The most children of a branch.
const BRANCH: usize = 16;

/// What a tree holds.
pub(crate) trait Item: Clone {
    /// What the items are sorted by, if they are; `()` if they are not.
    type Key: Copy;

    /// The most items of a leaf, and of a tree that is one flat vector.
    const LEAF: usize;

    fn key(&self) -> Self::Key;
}

#[derive(Clone)]
pub(crate) struct Tree<T: Item> {
    /// Everything before the tail; none if there is nothing.
    head: Option<Child<T>>,
    /// The last items, at most a leaf: appending touches no node but once per leaf.
    tail: Vec<T>,
}

#[derive(Clone)]
enum Node<T: Item> {
    Leaf(Vec<T>),
    Branch(Vec<Child<T>>),
}

/// A node seen from its parent. All leaves of a tree lie at the same depth; no node is empty.
struct Child<T: Item> {
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
        Tree {
            head: None,
            tail: Vec::new(),
        }
    }
}

impl<T: Item> Tree<T> {
    /// O(n); allocates exactly what is needed, except that a short vector is taken as it is. What is longer
    /// has no tail, so that an edit of a clone copies none.
    pub(crate) fn from_vec(items: Vec<T>) -> Self {
        if items.len() <= T::LEAF {
            return Tree {
                head: None,
                tail: items,
            };
        }
        let leaf = |items| Child::new(Node::Leaf(items));
        let mut level: Vec<Child<T>> = chunks(items, T::LEAF).filter_map(leaf).collect();
        while level.len() > 1 {
            level = chunks(level, BRANCH)
                .filter_map(|children| Child::new(Node::Branch(children)))
                .collect();
        }
        Tree {
            head: level.pop(),
            tail: Vec::new(),
        }
    }

    /// A clone whose tail has `room` to grow.
    pub(crate) fn copy(&self, room: usize) -> Self {
        Tree {
            head: self.head.clone(),
            tail: copy(&self.tail, room),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.head_len() + self.tail.len()
    }

    fn head_len(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.len)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(self.head_len()) {
            Some(at) => self.tail.get(at),
            None => self.head.as_ref()?.find(At(at)),
        }
    }

    /// The item may be changed, but not its key.
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(self.head_len()) {
            Some(at) => self.tail.get_mut(at),
            None => self.head.as_mut()?.find_mut(At(at)),
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.reserve_one();
        self.tail.push(item);
    }

    /// Makes room for one more item at the end of the tail.
    #[inline]
    fn reserve_one(&mut self) {
        if self.tail.len() >= T::LEAF {
            self.flush();
        }
    }

    /// The tail, with room for one more item: what is pushed to it is pushed to the tree.
    #[inline]
    pub(crate) fn open_tail(&mut self) -> &mut Vec<T> {
        self.reserve_one();
        if self.tail.len() == self.tail.capacity() {
            self.tail.reserve(1);
        }
        &mut self.tail
    }

    /// Puts `item` before item `at`, or at the end if there are not that many.
    pub(crate) fn insert(&mut self, at: usize, item: T) {
        let inside = at.checked_sub(self.head_len());
        match (&mut self.head, inside) {
            (Some(head), None) => {
                let split = head.insert(At(at), item);
                self.grow(split);
            }
            (_, Some(inside)) if inside >= self.tail.len() => self.push(item),
            (_, inside) if self.tail.len() < T::LEAF => {
                self.tail.insert(inside.unwrap_or(0), item);
            }
            _ => {
                self.flush();
                self.insert(at, item);
            }
        }
    }

    /// Puts `item` behind the items whose key `holds` is true of; it must be false of all behind.
    /// O(log n).
    pub(crate) fn insert_after(&mut self, mut holds: impl FnMut(T::Key) -> bool, item: T) {
        if self.tail_holds(&mut holds) || self.head.is_none() {
            let at = self.head_len() + self.tail.partition_point(|item| holds(item.key()));
            self.insert(at, item);
        } else if let Some(head) = &mut self.head {
            let split = head.insert(After(holds), item);
            self.grow(split);
        }
    }

    /// Moves the tail into the head.
    #[cold]
    fn flush(&mut self) {
        let tail = std::mem::replace(&mut self.tail, Vec::with_capacity(T::LEAF));
        let Some(leaf) = Child::new(Node::Leaf(tail)) else {
            return;
        };
        let split = match &mut self.head {
            Some(head) if matches!(&*head.node, Node::Branch(_)) => head.push_leaf(leaf),
            Some(_) => Some(leaf),
            None => {
                self.head = Some(leaf);
                None
            }
        };
        self.grow(split);
    }

    /// Puts a new root over the root and what has been split off it.
    fn grow(&mut self, split: Option<Child<T>>) {
        if let Some(split) = split {
            let children = self.head.take().into_iter().chain([split]).collect();
            self.head = Child::new(Node::Branch(children));
        }
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        match at.checked_sub(self.head_len()) {
            Some(at) if at < self.tail.len() => {
                let removed = self.tail.remove(at);
                if self.tail.len() <= T::LEAF / 2 {
                    self.shrink();
                }
                Some(removed)
            }
            Some(_) => None,
            None => self.remove_from_head(At(at)),
        }
    }

    /// Removes the last item whose key `holds` is true of, as in [`Tree::insert_after`].
    pub(crate) fn remove_last(&mut self, mut holds: impl FnMut(T::Key) -> bool) -> Option<T> {
        if self.tail_holds(&mut holds) {
            let at = self.tail.partition_point(|item| holds(item.key()));
            return self.remove(self.head_len() + at.checked_sub(1)?);
        }
        self.remove_from_head(Last(holds))
    }

    fn remove_from_head(&mut self, seek: impl Seek<T>) -> Option<T> {
        let head = self.head.as_mut()?;
        let removed = if head.len > 1 {
            head.remove(seek)
        } else {
            let only = head.find(seek).cloned()?;
            self.head = None;
            Some(only)
        };
        self.shrink();
        removed
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.remove(self.len().checked_sub(1)?)
    }

    /// Removes the items from `start` on and before `end`. O(log n), and dropping the items.
    pub(crate) fn remove_range(&mut self, start: usize, end: usize) {
        let split = self.head_len();
        let inside = |at: usize| at.saturating_sub(split).min(self.tail.len());
        let (tail_start, tail_end) = (inside(start), inside(end));
        if tail_start < tail_end {
            self.tail.drain(tail_start..tail_end);
        }
        if start == 0 && end >= split {
            self.head = None;
        } else if let Some(head) = &mut self.head
            && start < end.min(split)
        {
            head.remove_range(start, end.min(split));
        }
        self.shrink();
    }

    /// Takes off roots with one child, and makes what is short flat again.
    fn shrink(&mut self) {
        let Some(head) = &mut self.head else {
            return;
        };
        while let Node::Branch(children) = &*head.node
            && let [only] = children.as_slice()
        {
            *head = only.clone();
        }
        if head.len + self.tail.len() <= T::LEAF / 2 {
            let items = self.iter().cloned().collect();
            *self = Tree {
                head: None,
                tail: items,
            };
        }
    }

    fn tail_holds(&self, mut holds: impl FnMut(T::Key) -> bool) -> bool {
        self.tail.first().is_some_and(|first| holds(first.key()))
    }

    /// The last item whose key `holds` is true of, as in [`Tree::insert_after`].
    pub(crate) fn last_where(&self, mut holds: impl FnMut(T::Key) -> bool) -> Option<&T> {
        if self.tail_holds(&mut holds) {
            let at = Last(holds).item(&self.tail)?;
            return self.tail.get(at);
        }
        self.head.as_ref()?.find(Last(holds))
    }

    /// How many items at the front have a key that `holds` is true of, as in [`Tree::insert_after`].
    pub(crate) fn count_where(&self, mut holds: impl FnMut(T::Key) -> bool) -> usize {
        if self.tail_holds(&mut holds) {
            let inside = self.tail.partition_point(|item| holds(item.key()));
            return self.head_len() + inside;
        }
        self.head.as_ref().map_or(0, |head| head.count_where(holds))
    }

    /// Changes the items from `start` on and before `end`, their keys too; the keys must still ascend. O(log n)
    /// and the number of items.
    pub(crate) fn update_range(
        &mut self,
        start: usize,
        end: usize,
        mut change: impl FnMut(&mut T),
    ) {
        let split = self.head_len();
        if let Some(head) = &mut self.head
            && start < split
        {
            head.update_range(start, end.min(split), &mut change);
        }
        let inside = start.saturating_sub(split)..end.saturating_sub(split);
        for item in self.tail.get_mut(inside).unwrap_or_default() {
            change(item);
        }
    }

    /// As [`Tree::last_where`]. The item may be changed, but not its key.
    pub(crate) fn last_where_mut(
        &mut self,
        mut holds: impl FnMut(T::Key) -> bool,
    ) -> Option<&mut T> {
        if self.tail_holds(&mut holds) {
            let at = Last(holds).item(&self.tail)?;
            return self.tail.get_mut(at);
        }
        self.head.as_mut()?.find_mut(Last(holds))
    }

    pub(crate) fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The parts in which this tree and `other` may differ; skips the nodes that both share in one place.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> Differing<'a, T> {
        Differing::by_position(self, other)
    }

    /// As [`Tree::differing`], with items paired by their keys, which must ascend: so a node that both share
    /// is found wherever it is, though items have come and gone before it.
    pub(crate) fn differing_by_key<'a>(&'a self, other: &'a Self) -> Differing<'a, T>
    where
        T::Key: Ord,
    {
        Differing::by_key(self, other)
    }

    /// The items, leaf by leaf.
    pub(crate) fn leaves(&self) -> Leaves<'_, T> {
        Leaves::new(self)
    }

    /// Empties the tree, and hands out the items that nobody else holds.
    pub(crate) fn dismantle(&mut self, mut take: impl FnMut(T)) {
        let Tree { head, tail } = std::mem::take(self);
        if let Some(head) = head {
            head.dismantle(&mut take);
        }
        tail.into_iter().for_each(take);
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

    fn find(&self, mut seek: impl Seek<T>) -> Option<&T> {
        let mut child = self;
        loop {
            match &*child.node {
                Node::Leaf(items) => return items.get(seek.item(items)?),
                Node::Branch(children) => child = children.get(seek.child(children)?)?,
            }
        }
    }

    fn find_mut(&mut self, mut seek: impl Seek<T>) -> Option<&mut T> {
        let mut child = self;
        loop {
            match unshare(&mut child.node, 0) {
                Node::Leaf(items) => {
                    let at = seek.item(items)?;
                    return items.get_mut(at);
                }
                Node::Branch(children) => {
                    let below = seek.child(children)?;
                    child = children.get_mut(below)?;
                }
            }
        }
    }

    fn count_where(&self, mut holds: impl FnMut(T::Key) -> bool) -> usize {
        let (mut child, mut before) = (self, 0);
        loop {
            let children = match &*child.node {
                Node::Leaf(items) => {
                    return before + items.partition_point(|item| holds(item.key()));
                }
                Node::Branch(children) => children,
            };
            let begun = children.partition_point(|child| holds(child.first));
            let Some((last, full)) = children.get(..begun).and_then(<[_]>::split_last) else {
                return before;
            };
            before += full.iter().map(|child| child.len).sum::<usize>();
            child = last;
        }
    }

    /// As [`Tree::update_range`].
    fn update_range(&mut self, start: usize, end: usize, change: &mut impl FnMut(&mut T)) {
        match unshare(&mut self.node, 0) {
            Node::Leaf(items) => {
                for item in items.get_mut(start..end).unwrap_or_default() {
                    change(item);
                }
                self.first = items.first().map_or(self.first, Item::key);
            }
            Node::Branch(children) => {
                let mut before = 0;
                for child in children.iter_mut() {
                    let (from, to) = (start.max(before), end.min(before + child.len));
                    if from < to {
                        child.update_range(from - before, to - before, change);
                    }
                    before += child.len;
                }
                self.first = children.first().map_or(self.first, |child| child.first);
            }
        }
    }

    /// The leaf that item `at` is in, and the position of its first item.
    fn leaf(&self, at: usize) -> Option<(&[T], usize)> {
        let (mut child, mut seek) = (self, At(at));
        loop {
            match &*child.node {
                Node::Leaf(items) => return Some((items, at - seek.0)),
                Node::Branch(children) => child = children.get(seek.child(children)?)?,
            }
        }
    }

    /// Appends a leaf to a branch; what does not fit comes back as a new right neighbour.
    fn push_leaf(&mut self, leaf: Child<T>) -> Option<Child<T>> {
        let added = leaf.len;
        let Node::Branch(children) = unshare(&mut self.node, 1) else {
            return None; // not reached: the caller has made sure
        };
        let split = match children.last_mut() {
            Some(last) if matches!(&*last.node, Node::Branch(_)) => last.push_leaf(leaf),
            _ => Some(leaf),
        };
        self.len += added;
        self.take_split(BRANCH, split?)
    }

    /// What does not fit comes back as a new right neighbour.
    fn insert(&mut self, mut seek: impl Seek<T>, item: T) -> Option<Child<T>> {
        self.len += 1;
        let (below, split) = match unshare(&mut self.node, 4) {
            Node::Leaf(items) => {
                let at = seek.item(items)?.min(items.len());
                if at == 0 {
                    self.first = item.key();
                }
                if items.len() < T::LEAF {
                    items.insert(at, item);
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
                let below = seek.child(children)?;
                let child = children.get_mut(below)?;
                let split = child.insert(seek, item);
                if below == 0 {
                    self.first = child.first;
                }
                (below, split)
            }
        };
        self.take_split(below + 1, split?)
    }

    /// Takes in what child `at - 1` has split off; the length counts it already.
    fn take_split(&mut self, at: usize, split: Child<T>) -> Option<Child<T>> {
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
        match at.checked_sub(middle) {
            Some(at) => right.insert(at.min(right.len()), split),
            None => children.insert(at, split),
        }
        let right = Child::new(Node::Branch(right))?;
        self.len -= right.len;
        Some(right)
    }

    /// Must not remove the only item.
    fn remove(&mut self, mut seek: impl Seek<T>) -> Option<T> {
        let removed = match unshare(&mut self.node, 0) {
            Node::Leaf(items) => {
                let at = seek.item(items)?;
                (at < items.len()).then(|| items.remove(at))
            }
            Node::Branch(children) => {
                let below = seek.child(children)?;
                let child = children.get_mut(below)?;
                let removed = if child.len == 1 {
                    let child = children.remove(below);
                    child.find(seek).cloned()
                } else {
                    child.remove(seek)
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
                let mut before = 0;
                children.retain_mut(|child| {
                    let (from, to) = (start.max(before), end.min(before + child.len));
                    let (all, offset) = (to.saturating_sub(from) == child.len, before);
                    before += child.len;
                    if from < to && !all {
                        child.remove_range(from - offset, to - offset);
                    }
                    !all
                });
                let (first, _) = seek::locate(children, start);
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

    /// Items or children of the node itself, and the most it can have.
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

pub(crate) fn copy<T: Clone>(items: &[T], room: usize) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.len() + room);
    copy.extend_from_slice(items);
    copy
}

/// Merges the children around `at`, which may have become short, where two fill half a node.
fn merge_around<T: Item>(children: &mut Vec<Child<T>>, at: usize) {
    for right in [at + 2, at + 1, at] {
        let Some(left) = right.checked_sub(1) else {
            continue;
        };
        let fill = |at: usize| children.get(at).map(Child::fill);
        if let (Some((a, most)), Some((b, _))) = (fill(left), fill(right))
            && a + b <= most / 2
        {
            let right = children.remove(right);
            if let Some(left) = children.get_mut(left) {
                left.append(right);
            }
        }
    }
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
