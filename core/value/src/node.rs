//! Containers as nodes: the array node, the depth every node knows, and dropping without recursion.

use std::sync::Arc;

use crate::Value;
use crate::value::Repr;

/// Nodes deeper than this are dropped with a work list instead of by recursion.
const RECURSIVE_DROP: u32 = 64;

/// The items of an array.
#[derive(Clone, Default)]
pub(crate) struct Array {
    items: Vec<Value>,
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
        Array { items, depth }
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// Makes room in the depth for an item of `depth`, which the caller is about to put in.
    pub(crate) fn admit(&mut self, depth: u32) {
        self.depth = self.depth.max(depth.saturating_add(1));
    }

    /// The place of item `at`, appended as null when `at` is the length; none beyond.
    pub(crate) fn slot(&mut self, at: usize) -> Option<&mut Value> {
        if at == self.items.len() {
            self.items.push(Value::NULL);
        }
        self.items.get_mut(at)
    }

    pub(crate) fn push(&mut self, item: Value) {
        self.items.push(item);
    }

    pub(crate) fn slot_mut(&mut self, at: usize) -> Option<&mut Value> {
        self.items.get_mut(at)
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<Value> {
        (at < self.items.len()).then(|| self.items.remove(at))
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if self.depth > RECURSIVE_DROP {
            dismantle(std::mem::take(&mut self.items));
        }
    }
}

/// Drops what a node of this depth leaves behind.
pub(crate) fn drop_children(depth: u32, children: impl Iterator<Item = Value>) {
    if depth > RECURSIVE_DROP {
        dismantle(children.collect());
    }
}

/// Drops values of any depth on a bounded stack: nodes that nobody else holds hand their children to the list.
fn dismantle(mut pending: Vec<Value>) {
    while let Some(Value(repr)) = pending.pop() {
        match repr {
            Repr::Array(array) => {
                if let Some(mut array) = Arc::into_inner(array) {
                    pending.append(&mut array.items);
                }
            }
            Repr::Object(object) => {
                if let Some(mut object) = Arc::into_inner(object) {
                    pending.extend(object.take_values());
                }
            }
            _ => {}
        }
    }
}
