//! What differs between two values: as a JSON Patch, and as a list of changes.

mod array;
mod myers;

use crate::align::{Member, differing_members};
use crate::{Key, Kind, Patch, PatchOp, Path, Pointer, Segment, Value, ValueRef};

/// The JSON Patch (RFC 6902) that turns `before` into `after`: exactly, and with few operations.
///
/// Objects are compared key by key; their order is not, since equality does not see it. In arrays, items that
/// were inserted or removed are found (by a longest common subsequence, as long as that costs less than a
/// counted bound) and the others compared in place; moves are not looked for. A container that has nothing
/// in common with its successor is replaced as a whole.
///
/// O(differences) for versions that share storage, as clones that have been edited do; O(size) for values that
/// share nothing, and O(n d) for d insertions and removals in an array of n such items.
///
/// ```
/// use statewright_value::{diff, value};
/// # fn main() -> statewright_value::Result<()> {
/// let before = value!({ "name": "Ada", "tags": ["a", "b", "c"], "age": 36 });
/// let after = value!({ "name": "Ada", "tags": ["a", "c"], "age": 37, "ok": true });
/// let patch = diff(before.by_ref(), after.by_ref());
/// assert_eq!(patch.len(), 3);
/// let mut doc = before.clone();
/// patch.apply(&mut doc)?;
/// assert_eq!(doc, after);
/// # Ok(())
/// # }
/// ```
pub fn diff(before: ValueRef<'_>, after: ValueRef<'_>) -> Patch {
    let mut ops = Vec::new();
    Differ::run(before, after, |places, found| {
        let path = Pointer::from(&places.path(found.place, Side::After));
        ops.push(match (found.before, found.after) {
            (None, Some(after)) => PatchOp::Add {
                path,
                value: after.to_value(),
            },
            (Some(_), Some(after)) => PatchOp::Replace {
                path,
                value: after.to_value(),
            },
            (_, None) => PatchOp::Remove { path },
        });
    });
    ops.into_iter().collect()
}

/// A place at which two values differ; see [`changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Where: in the value after the change for what has been added, in the one before it for the rest.
    pub path: Path,
    /// What was there; none if it has been added.
    pub before: Option<Value>,
    /// What is there now; none if it has been removed.
    pub after: Option<Value>,
}

/// What differs between two values, place by place: for people and for code that reacts to changes. The
/// places are those of [`diff`], at the same cost.
///
/// ```
/// use statewright_value::{Path, changes, value};
/// let (before, after) = (value!({ "a": 1, "b": 2 }), value!({ "b": 3 }));
/// let found = changes(before.by_ref(), after.by_ref());
/// assert_eq!(found.len(), 2);
/// assert_eq!((found[0].path.to_string(), &found[0].after), (".a".to_owned(), &None));
/// assert_eq!((found[1].path.to_string(), &found[1].after), (".b".to_owned(), &Some(value!(3))));
/// ```
pub fn changes(before: ValueRef<'_>, after: ValueRef<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    Differ::run(before, after, |places, found| {
        let side = match found.before {
            Some(_) => Side::Before,
            None => Side::After,
        };
        changes.push(Change {
            path: places.path(found.place, side),
            before: found.before.map(ValueRef::to_value),
            after: found.after.map(ValueRef::to_value),
        });
    });
    changes
}

/// Where something was found; the steps to it are put together only when asked for.
type PlaceId = usize;

/// One step down, in both values.
#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index { before: usize, after: usize },
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// The steps to all places met so far, each with the place it starts from.
struct Places<'a>(Vec<(PlaceId, Step<'a>)>);

const ROOT: PlaceId = 0;

impl<'a> Places<'a> {
    fn add(&mut self, from: PlaceId, step: Step<'a>) -> PlaceId {
        self.0.push((from, step));
        self.0.len() - 1
    }

    fn path(&self, mut place: PlaceId, side: Side) -> Path {
        let mut segments = Vec::new();
        while let Some((from, step)) = self.0.get(place) {
            segments.push(match (step, side) {
                (Step::Root, _) => break,
                (Step::Key(key), _) => Segment::Key(Key::new(key)),
                (Step::Index { before, .. }, Side::Before) => Segment::Index(*before),
                (Step::Index { after, .. }, Side::After) => Segment::Index(*after),
            });
            place = *from;
        }
        segments.into_iter().rev().collect()
    }
}

/// A difference: one of both is there, or both are and differ.
struct Found<'a> {
    place: PlaceId,
    before: Option<ValueRef<'a>>,
    after: Option<ValueRef<'a>>,
}

/// Compares two values, on a stack of its own.
struct Differ<'a> {
    places: Places<'a>,
    /// Of the two containers at hand.
    found: Vec<Found<'a>>,
    /// Pairs of containers of one kind that are still to be compared, the next one last.
    pending: Vec<(PlaceId, ValueRef<'a>, ValueRef<'a>)>,
    effort: Effort,
}

/// How many values may be looked at ahead, to find out which items of two arrays belong together. Without it
/// arrays in arrays would be looked through again at every level.
struct Effort(usize);

const EFFORT: usize = 1 << 23;

impl Effort {
    /// False when there is none left.
    fn spend(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

impl<'a> Differ<'a> {
    /// Reports the differences in an order in which they can be applied: each container is finished before
    /// what lies in it, from front to back, and `Side::After` is where a place is by then.
    fn run(
        before: ValueRef<'a>,
        after: ValueRef<'a>,
        mut report: impl FnMut(&Places<'a>, &Found<'a>),
    ) {
        let mut differ = Differ {
            places: Places(vec![(ROOT, Step::Root)]),
            found: Vec::new(),
            pending: Vec::new(),
            effort: Effort(EFFORT),
        };
        differ.pair(ROOT, before, after);
        loop {
            for found in differ.found.drain(..) {
                report(&differ.places, &found);
            }
            let Some((place, before, after)) = differ.pending.pop() else {
                return;
            };
            let waiting = differ.pending.len();
            match before.kind() {
                Kind::Object => differ.objects(place, before, after),
                _ => differ.arrays(place, before, after),
            }
            if let Some(new) = differ.pending.get_mut(waiting..) {
                new.reverse();
            }
        }
    }

    /// Two values in one place that are not known to be equal.
    fn pair(&mut self, place: PlaceId, before: ValueRef<'a>, after: ValueRef<'a>) {
        match (before.kind(), after.kind()) {
            (Kind::Array, Kind::Array) | (Kind::Object, Kind::Object) => {
                if !before.same(after) {
                    self.pending.push((place, before, after));
                }
            }
            (before_kind, after_kind) => {
                if before_kind != after_kind || before != after {
                    self.report(place, Some(before), Some(after));
                }
            }
        }
    }

    fn report(
        &mut self,
        place: PlaceId,
        before: Option<ValueRef<'a>>,
        after: Option<ValueRef<'a>>,
    ) {
        self.found.push(Found {
            place,
            before,
            after,
        });
    }

    /// Replaces a container as a whole, if that is one difference instead of several.
    fn replace(&mut self, place: PlaceId, before: ValueRef<'a>, after: ValueRef<'a>) {
        if self.found.len() > 1 {
            self.found.clear();
            self.report(place, Some(before), Some(after));
        }
    }

    fn objects(&mut self, place: PlaceId, before: ValueRef<'a>, after: ValueRef<'a>) {
        let mut removed = 0;
        differing_members(before, after, |Member { key, before, after }| {
            let inner = self.places.add(place, Step::Key(key));
            match (before, after) {
                (Some(before), Some(after)) => self.pair(inner, before, after),
                _ => {
                    removed += usize::from(after.is_none());
                    self.report(inner, before, after);
                }
            }
        });
        if removed == before.len() {
            self.replace(place, before, after);
        }
    }
}
