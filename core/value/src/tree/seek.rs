//! How the way down to an item is found: by position or by key.

use super::{Child, Item};

/// Asked once on each level on the way down.
pub(super) trait Seek<T: Item> {
    /// The child to enter.
    fn child(&mut self, children: &[Child<T>]) -> Option<usize>;

    /// The place in the leaf.
    fn item(&mut self, items: &[T]) -> Option<usize>;
}

/// The item with this position.
pub(super) struct At(pub(super) usize);

impl<T: Item> Seek<T> for At {
    fn child(&mut self, children: &[Child<T>]) -> Option<usize> {
        let (below, inside) = locate(children, self.0);
        self.0 = inside;
        Some(below)
    }

    fn item(&mut self, _: &[T]) -> Option<usize> {
        Some(self.0)
    }
}

/// Which child item `at` is in, and where in it; one past the last child if it is in none.
pub(super) fn locate<T: Item>(children: &[Child<T>], at: usize) -> (usize, usize) {
    let mut inside = at;
    for (below, child) in children.iter().enumerate() {
        match inside.checked_sub(child.len) {
            Some(rest) => inside = rest,
            None => return (below, inside),
        }
    }
    (children.len(), inside)
}

/// The last item whose key this is true of, among items sorted so that it is true of those at the front.
pub(super) struct Last<F>(pub(super) F);

impl<T: Item, F: FnMut(T::Key) -> bool> Seek<T> for Last<F> {
    fn child(&mut self, children: &[Child<T>]) -> Option<usize> {
        let begun = children.partition_point(|child| self.0(child.first));
        begun.checked_sub(1)
    }

    fn item(&mut self, items: &[T]) -> Option<usize> {
        let begun = items.partition_point(|item| self.0(item.key()));
        begun.checked_sub(1)
    }
}

/// The place behind the items whose key this is true of, as in [`Last`].
pub(super) struct After<F>(pub(super) F);

impl<T: Item, F: FnMut(T::Key) -> bool> Seek<T> for After<F> {
    fn child(&mut self, children: &[Child<T>]) -> Option<usize> {
        let begun = children.partition_point(|child| self.0(child.first));
        Some(begun.saturating_sub(1))
    }

    fn item(&mut self, items: &[T]) -> Option<usize> {
        Some(items.partition_point(|item| self.0(item.key())))
    }
}
