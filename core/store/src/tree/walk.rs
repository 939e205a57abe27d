//! Going through entries in order, forwards or backwards, between two keys.

use super::page::Pages;
use super::view::Lent;
use super::{ChildRef, MAX_DEPTH, Ref, Tree, nothing};
use crate::target::Entry;

/// What visits entries; says whether to go on.
pub trait Visitor: FnMut(&[u8], Lent<'_>) -> bool {}
impl<F: FnMut(&[u8], Lent<'_>) -> bool + ?Sized> Visitor for F {}

struct Walk<'a> {
    pages: &'a Pages,
    reverse: bool,
    /// So many pages may still come.
    pages_left: u64,
    /// A buffer.
    key: Vec<u8>,
}

impl Walk<'_> {
    /// Visits what is below a node between two keys, if they are told: all else is between them. Tells whether there
    /// may be more to visit.
    fn below<F: Visitor + ?Sized>(
        &mut self,
        node: ChildRef<'_>,
        (from, to): (Option<&[u8]>, Option<&[u8]>),
        depth: usize,
        f: &mut F,
    ) -> bool {
        let page = u64::from(matches!(node, ChildRef::Page(_)));
        let left = (depth.checked_sub(1), self.pages_left.checked_sub(page));
        let (Some(depth), Some(pages_left)) = left else {
            nothing(self.pages);
            return false;
        };
        self.pages_left = pages_left;
        match node.read(self.pages) {
            Ref::Leaf(view) => {
                let at = |key: &[u8]| view.search(key).unwrap_or_else(|at| at);
                let inside = from.map_or(0, at)..to.map_or(view.len(), at);
                view.each(inside, self.reverse, &mut self.key, f)
            }
            Ref::Branch(branch) => {
                let first = from.map_or(0, |from| branch.child_of(from));
                let last = branch.len().saturating_sub(1);
                let last = to.map_or(last, |to| branch.child_of(to).min(last));
                let reverse = self.reverse;
                let mut visit = |i| match branch.child(i) {
                    Some(child) => {
                        // It comes from memory while this one is visited.
                        let next = if reverse {
                            i.checked_sub(1)
                        } else {
                            Some(i + 1)
                        };
                        if let Some(ChildRef::Leaf(leaf)) = next.and_then(|i| branch.child(i)) {
                            leaf.fetch();
                        }
                        let (from, to) = (from.filter(|_| i == first), to.filter(|_| i == last));
                        self.below(child, (from, to), depth, f)
                    }
                    None => false,
                };
                match reverse {
                    false => (first..=last).all(&mut visit),
                    true => (first..=last).rev().all(&mut visit),
                }
            }
        }
    }
}

impl Tree {
    /// Calls `f` with the entries from `from` up to `to` (not included; none = the end) in order, or, if `reverse`,
    /// from the last one before `to` down to `from`, until it says false. O(log n) to start.
    pub fn visit<F: Visitor + ?Sized>(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        f: &mut F,
    ) {
        if to.is_some_and(|to| to <= from) {
            return;
        }
        let mut walk = Walk {
            pages: &self.files.pages,
            reverse,
            pages_left: self.files.pages.most(),
            key: Vec::with_capacity(64),
        };
        walk.below(self.root.by_ref(), (Some(from), to), MAX_DEPTH, f);
    }

    /// Up to `limit` entries from `from` up to `to` (not included; none = the end), or, if `reverse`, from the last
    /// one before `to` down to `from`; only those that `keep` accepts. O(log n + visited).
    pub fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
        reverse: bool,
        keep: impl Fn(&[u8], &Entry) -> bool,
    ) -> Vec<(Vec<u8>, Entry)> {
        let mut found = Vec::new();
        if limit > 0 {
            self.visit(from, to, reverse, &mut |key, lent| {
                if let Some(entry) = lent.entry().filter(|entry| keep(key, entry)) {
                    found.push((key.to_vec(), entry));
                }
                found.len() < limit
            });
        }
        found
    }
}
