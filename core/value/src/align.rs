//! Two containers side by side: what of them may differ. What both share is skipped, so that two versions of
//! one document cost O(differences).

use crate::node::Array;
use crate::object::Object;
use crate::value::Repr;
use crate::{Kind, Value, ValueRef};

fn object_node<'a>(value: ValueRef<'a>) -> Option<&'a Object> {
    match value.node()? {
        Repr::Object(object) => Some(object),
        _ => None,
    }
}

fn array_node<'a>(value: ValueRef<'a>) -> Option<&'a Array> {
    match value.node()? {
        Repr::Array(array) => Some(array),
        _ => None,
    }
}

/// Whether two values are known to be equal without a look inside.
#[inline]
pub(crate) fn settled(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    if a.same(b) {
        return true;
    }
    let (kind, other) = (a.kind(), b.kind());
    kind == other && !matches!(kind, Kind::Array | Kind::Object) && a == b
}

/// A key of one or both of two objects, and its values.
pub(crate) struct Member<'a> {
    pub key: &'a str,
    pub before: Option<ValueRef<'a>>,
    pub after: Option<ValueRef<'a>>,
}

/// The keys that only one of two objects has, or whose values are not [`settled`]; in the order of `before`,
/// and keys that only `after` has in its order.
pub(crate) fn differing_members<'a>(
    before: ValueRef<'a>,
    after: ValueRef<'a>,
    mut found: impl FnMut(Member<'a>),
) {
    let mut unsettled = |key: &dyn Fn() -> &'a str, before, after| match (before, after) {
        (Some(before), Some(after)) if settled(before, after) => {}
        _ => found(Member {
            key: key(),
            before,
            after,
        }),
    };
    if let (Some(a), Some(b)) = (object_node(before), object_node(after)) {
        let by_ref = |value: Option<&'a Value>| value.map(Value::by_ref);
        a.differing(b, |key, before, after| {
            unsettled(&|| key.as_str(), by_ref(before), by_ref(after));
        });
        return;
    }
    let mut kept = 0;
    for (key, value, other) in Aligned::new(before, after) {
        kept += usize::from(other.is_some());
        unsettled(&|| key, Some(value), other);
    }
    if kept == after.len() {
        return;
    }
    for (key, value, other) in Aligned::new(after, before) {
        if other.is_none() {
            unsettled(&|| key, None, Some(value));
        }
    }
}

/// Every key of `after`, also where both values are known to be equal.
pub(crate) fn all_members<'a>(
    before: ValueRef<'a>,
    after: ValueRef<'a>,
    mut found: impl FnMut(Member<'a>),
) {
    for (key, after, before) in Aligned::new(after, before) {
        found(Member {
            key,
            before,
            after: Some(after),
        });
    }
}

/// The positions at which two arrays of one length have items that are not [`settled`].
pub(crate) fn differing_items<'a>(
    before: ValueRef<'a>,
    after: ValueRef<'a>,
    mut found: impl FnMut(usize, ValueRef<'a>, ValueRef<'a>),
) {
    let mut unsettled = |at, before, after| {
        if !settled(before, after) {
            found(at, before, after);
        }
    };
    if let (Some(a), Some(b)) = (array_node(before), array_node(after)) {
        for (at, before, after) in a.differing(b) {
            unsettled(at, before.by_ref(), after.by_ref());
        }
        return;
    }
    for (at, (before, after)) in before.items().zip(after.items()).enumerate() {
        unsettled(at, before, after);
    }
}

/// Two arrays without the items at their ends that they share.
pub(crate) struct Middle<'a> {
    /// How many items have been left out at the start.
    pub start: usize,
    pub before: Vec<ValueRef<'a>>,
    pub after: Vec<ValueRef<'a>>,
}

pub(crate) fn middle<'a>(before: ValueRef<'a>, after: ValueRef<'a>) -> Middle<'a> {
    let (Some(a), Some(b)) = (array_node(before), array_node(after)) else {
        return Middle {
            start: 0,
            before: before.items().collect(),
            after: after.items().collect(),
        };
    };
    let (a, b): (Vec<&[Value]>, Vec<&[Value]>) = (a.leaves().collect(), b.leaves().collect());
    let shared = |(a, b): &(&&[Value], &&[Value])| std::ptr::eq(**a, **b);
    let front = a.iter().zip(&b).take_while(shared).count();
    let start = a.iter().take(front).map(|leaf| leaf.len()).sum();
    let (a, b) = (
        a.get(front..).unwrap_or_default(),
        b.get(front..).unwrap_or_default(),
    );
    let back = (a.iter().rev().zip(b.iter().rev()))
        .take_while(shared)
        .count();
    let items = |leaves: &[&'a [Value]]| {
        let kept = leaves.iter().take(leaves.len() - back);
        kept.flat_map(|leaf| leaf.iter().map(Value::by_ref))
            .collect()
    };
    Middle {
        start,
        before: items(a),
        after: items(b),
    }
}

/// The entries of `a`, each with the value of the same key in `b`.
///
/// Versions of one document agree in order but for a few keys, so the next entry of `b` is looked at first:
/// then a step costs one comparison of keys, and else one lookup.
struct Aligned<'a, 'b> {
    a: crate::Entries<'a>,
    b: ValueRef<'b>,
    next: Option<(&'b str, ValueRef<'b>)>,
    rest: crate::Entries<'b>,
}

impl<'a, 'b> Aligned<'a, 'b> {
    fn new(a: ValueRef<'a>, b: ValueRef<'b>) -> Self {
        let mut rest = b.entries();
        Aligned {
            a: a.entries(),
            b,
            next: rest.next(),
            rest,
        }
    }

    /// The value of a key that is not the next one of `b`.
    #[cold]
    fn find(&mut self, key: &str) -> Option<ValueRef<'b>> {
        let found = self.b.get(key)?;
        // So the next one may be new in `b`: let it pass.
        self.next = match self.rest.next() {
            Some((after, _)) if after == key => self.rest.next(),
            after => after,
        };
        Some(found)
    }
}

impl<'a, 'b> Iterator for Aligned<'a, 'b> {
    type Item = (&'a str, ValueRef<'a>, Option<ValueRef<'b>>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.a.next()?;
        let other = match self.next {
            Some((next, other)) if next == key => {
                self.next = self.rest.next();
                Some(other)
            }
            _ => self.find(key),
        };
        Some((key, value, other))
    }
}
