//! Looking up the keys of one object in another that mostly has the same keys in the same order.

use crate::{Entries, ValueRef};

/// The entries of `a`, each with the value of the same key in `b`.
///
/// Versions of one document agree in order but for a few keys, so the next entry of `b` is looked at first:
/// then a step costs one comparison of keys, and else one lookup.
#[derive(Clone)]
pub(crate) struct Aligned<'a, 'b> {
    a: Entries<'a>,
    b: ValueRef<'b>,
    rest: Entries<'b>,
}

impl<'a, 'b> Aligned<'a, 'b> {
    pub(crate) fn new(a: ValueRef<'a>, b: ValueRef<'b>) -> Self {
        Aligned {
            a: a.entries(),
            b,
            rest: b.entries(),
        }
    }
}

impl<'a, 'b> Iterator for Aligned<'a, 'b> {
    type Item = (&'a str, ValueRef<'a>, Option<ValueRef<'b>>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.a.next()?;
        let mut ahead = self.rest.clone();
        // One key of `b` may be new; more are found by lookup until the orders meet again.
        for (found, other) in ahead.by_ref().take(2) {
            if found == key {
                self.rest = ahead;
                return Some((key, value, Some(other)));
            }
        }
        Some((key, value, self.b.get(key)))
    }
}
