//! Containers as nodes: the array node, the depth every node knows, and dropping without recursion.

use triomphe::{Arc, UniqueArc};

use crate::tree::{self, Item, Tree};
use crate::value::Repr;
use crate::{Result, Value};

/// Nodes deeper than this are dropped with a work list instead of by recursion.
const RECURSIVE_DROP: u32 = 64;

impl Item for Value {
    type Key = ();
    const LEAF: usize = 32;

    fn key(&self) {}
}

/// The items of an array.
#[derive(Clone, Default)]
pub(crate) struct Array {
    items: Tree<Value>,
    /// At least 1 + the depth of every item: grows with what is put in, and is not lowered by a removal
    /// (that would make removal O(n)). So it may say "too deep" wrongly, never "shallow" wrongly;
    /// [`Value::checked_depth`] counts again before it refuses.
    depth: u32,
}

impl Array {
    pub(crate) fn new(items: Vec<Value>) -> Self {
        let depth = items
            .iter()
            .map(Value::depth_bound)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let items = Tree::from_vec(items);
        Array { items, depth }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// O(1) for up to 32 items, O(log n) beyond.
    pub(crate) fn get(&self, at: usize) -> Option<&Value> {
        self.items.get(at)
    }

    pub(crate) fn iter(&self) -> Items<'_> {
        self.items.iter()
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// Makes room in the depth for an item of `depth`, which the caller is about to put in.
    pub(crate) fn admit(&mut self, depth: u32) {
        self.depth = self.depth.max(depth.saturating_add(1));
    }

    /// The array for changing it: where it is if nobody else holds it, otherwise a copy with `room` to grow.
    #[inline(always)]
    pub(crate) fn unshare(array: &mut Arc<Array>, room: usize) -> &mut Array {
        if !array.is_unique() {
            *array = Arc::new(array.copy(room));
        }
        Arc::make_mut(array)
    }

    #[cold]
    fn copy(&self, room: usize) -> Array {
        Array {
            items: self.items.copy(room),
            depth: self.depth,
        }
    }

    /// The place of item `at`. If there is none, appends what `make` returns, and returns none.
    pub(crate) fn slot_or(
        &mut self,
        at: usize,
        make: impl FnOnce() -> Result<Value>,
    ) -> Result<Option<&mut Value>> {
        if at < self.items.len() {
            return Ok(self.items.get_mut(at));
        }
        self.items.push(make()?);
        Ok(None)
    }

    pub(crate) fn slot_mut(&mut self, at: usize) -> Option<&mut Value> {
        self.items.get_mut(at)
    }

    pub(crate) fn push(&mut self, item: Value) {
        self.items.push(item);
    }

    #[inline]
    pub(crate) fn open_tail(&mut self) -> &mut Vec<Value> {
        self.items.open_tail()
    }

    /// At most at the end.
    pub(crate) fn insert(&mut self, at: usize, item: Value) {
        self.items.insert(at, item);
    }

    pub(crate) fn pop(&mut self) -> Option<Value> {
        self.items.pop()
    }

    pub(crate) fn remove_range(&mut self, start: usize, end: usize) {
        self.items.remove_range(start, end);
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<Value> {
        self.items.remove(at)
    }

    /// Whether both have as many items, and `same` is true of each pair of items. It is not asked where both
    /// share the items.
    pub(crate) fn pairs_all<'a>(
        &'a self,
        other: &'a Array,
        mut same: impl FnMut(&'a Value, &'a Value) -> bool,
    ) -> bool {
        self.len() == other.len()
            && self.items.differing(&other.items).all(|stretch| {
                let mut pairs = stretch.before.iter().zip(stretch.after);
                pairs.all(|(a, b)| same(a, b))
            })
    }
}

impl Array {
    /// The positions at which this array and `other`, of the same length, may not have the same item.
    pub(crate) fn differing<'a>(
        &'a self,
        other: &'a Array,
    ) -> impl Iterator<Item = (usize, &'a Value, &'a Value)> {
        self.items.differing(&other.items).flat_map(|stretch| {
            let pairs = stretch.before.iter().zip(stretch.after).enumerate();
            pairs.map(move |(at, (a, b))| (stretch.at + at, a, b))
        })
    }

    /// The items in slices; a slice that two arrays share is the same in both.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &[Value]> {
        self.items.leaves()
    }
}

/// The items of an array, from both ends.
pub(crate) type Items<'a> = tree::Iter<'a, Value>;

impl Drop for Array {
    fn drop(&mut self) {
        dismantle_deep(self.depth, |take| self.items.dismantle(take));
    }
}

/// Empties a node of this depth, if it is too deep to be dropped by recursion.
pub(crate) fn dismantle_deep(depth: u32, dismantle: impl FnOnce(&mut dyn FnMut(Value))) {
    if depth > RECURSIVE_DROP {
        let mut pending = Vec::new();
        dismantle(&mut |value| pending.push(value));
        drop_all(pending);
    }
}

/// Drops values of any depth on a bounded stack: nodes that nobody else holds hand their children to the list.
fn drop_all(mut pending: Vec<Value>) {
    while let Some(Value(repr)) = pending.pop() {
        match repr {
            Repr::Array(array) => {
                if let Some(array) = Arc::into_unique(array) {
                    let mut array = UniqueArc::into_inner(array);
                    array.items.dismantle(|item| pending.push(item));
                }
            }
            Repr::Object(object) => {
                if let Some(object) = Arc::into_unique(object) {
                    let mut object = UniqueArc::into_inner(object);
                    object.dismantle(|value| pending.push(value));
                }
            }
            _ => {}
        }
    }
}
