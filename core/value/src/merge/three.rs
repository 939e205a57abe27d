//! Merging two versions of one value that have gone their own ways.

use super::target::{Step, Target, path_of};
use crate::align::{differing_items, differing_members, settled};
use crate::{Error, Kind, Path, Result, Value, ValueRef};

/// A place that both sides have changed, in ways that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// Where, in all three values.
    pub path: Path,
    /// What was there before; none if nothing was.
    pub base: Option<Value>,
    /// What our side has made of it; none if it has been removed.
    pub ours: Option<Value>,
    /// What the other side has made of it; none if it has been removed.
    pub theirs: Option<Value>,
}

/// What to do about a [`Conflict`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// Keep our version, and report the conflict.
    Report,
    /// Take our version.
    Ours,
    /// Take theirs.
    Theirs,
    /// Take back both changes.
    Base,
    /// Put this in its place.
    Value(Value),
    /// Have nothing there. The items behind one that is removed move up once all conflicts are resolved, so
    /// that the paths of the others stay what they are in the three values.
    Remove,
}

/// What came of [`merge3`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The merged value; where there is a conflict, our version of it.
    pub value: Value,
    /// Those that have not been resolved, in the order of the document.
    pub conflicts: Vec<Conflict>,
}

impl Merged {
    /// The value, if there is no conflict.
    ///
    /// # Errors
    /// [`Error::MergeConflict`] with the path of the first conflict and the number of all.
    pub fn into_value(self) -> Result<Value> {
        match self.conflicts.first() {
            None => Ok(self.value),
            Some(first) => Err(Error::MergeConflict {
                path: first.path.clone(),
                conflicts: self.conflicts.len(),
            }),
        }
    }
}

/// Merges what `ours` and `theirs` have made of `base`, path by path; see [`merge3_with`].
///
/// # Errors
/// [`Error::Limit`] if the result would nest deeper than [`crate::MAX_DEPTH`]. Conflicts are no error; see
/// [`Merged::into_value`].
///
/// ```
/// use statewright_value::{merge3, value};
/// # fn main() -> statewright_value::Result<()> {
/// let base = value!({ "title": "Draft", "tags": ["a"], "by": { "name": "Ada" } });
/// let ours = value!({ "title": "Final", "tags": ["a"], "by": { "name": "Ada", "age": 36 } });
/// let theirs = value!({ "title": "Draft", "tags": ["a", "b"], "by": { "name": "Ada L." } });
/// let merged = merge3(base.by_ref(), ours.by_ref(), theirs.by_ref())?.into_value()?;
/// assert_eq!(merged, value!({ "title": "Final", "tags": ["a", "b"], "by": { "name": "Ada L.", "age": 36 } }));
///
/// let theirs = value!({ "title": "Second draft", "tags": ["a"], "by": { "name": "Ada" } });
/// let merged = merge3(base.by_ref(), ours.by_ref(), theirs.by_ref())?;
/// assert_eq!(merged.conflicts[0].path.to_string(), ".title");
/// assert_eq!(merged.into_value().unwrap_err().code(), 213);
/// # Ok(())
/// # }
/// ```
pub fn merge3(base: ValueRef<'_>, ours: ValueRef<'_>, theirs: ValueRef<'_>) -> Result<Merged> {
    merge3_with(base, ours, theirs, |_| Resolution::Report)
}

/// As [`merge3`], with a say in every conflict.
///
/// A side that has changed nothing at a place takes what the other has made of it, and changes that are the
/// same on both sides are one. Members of objects are merged each for itself, so that changes of siblings
/// never conflict. So are the items of an array whose length is the same in all three values; an array whose
/// length has changed is one value, which only one side may have changed.
///
/// O(differences) for versions that share storage, O(size) else.
///
/// # Errors
/// As [`merge3`].
///
/// ```
/// use statewright_value::{Resolution, merge3_with, value};
/// # fn main() -> statewright_value::Result<()> {
/// let (base, ours, theirs) = (value!({ "n": 1 }), value!({ "n": 5 }), value!({ "n": 3 }));
/// let merged = merge3_with(base.by_ref(), ours.by_ref(), theirs.by_ref(), |conflict| {
///     match conflict.ours > conflict.theirs {
///         true => Resolution::Ours,
///         false => Resolution::Theirs,
///     }
/// })?;
/// assert_eq!(merged.into_value()?, value!({ "n": 5 }));
/// # Ok(())
/// # }
/// ```
pub fn merge3_with(
    base: ValueRef<'_>,
    ours: ValueRef<'_>,
    theirs: ValueRef<'_>,
    mut resolve: impl FnMut(&Conflict) -> Resolution,
) -> Result<Merged> {
    let whole = Triple {
        step: Step::Root,
        base: Some(base),
        ours: Some(ours),
        theirs: Some(theirs),
    };
    let mut conflicts = Vec::new();
    let mut open = vec![Open {
        target: Target::new(ours.to_value(), Step::Root),
        triples: vec![whole].into_iter(),
    }];
    while let Some(top) = open.last_mut() {
        let Some(triple) = top.triples.next() else {
            let Some(Open { target, .. }) = open.pop() else {
                break;
            };
            match open.last_mut() {
                None => {
                    return Ok(Merged {
                        value: target.finish()?,
                        conflicts,
                    });
                }
                Some(around) if target.changed => {
                    let step = target.step;
                    around.target.put(step, Some(target.finish()?))?;
                }
                Some(_) => {}
            }
            continue;
        };
        match triple.decide() {
            Verdict::Ours => {}
            Verdict::Theirs => {
                let theirs = triple.theirs.map(ValueRef::to_value);
                top.target.put(triple.step, theirs)?;
            }
            Verdict::Open(ours, triples) => open.push(Open {
                target: Target::new(ours, triple.step),
                triples: triples.into_iter(),
            }),
            Verdict::Conflict => {
                let path = path_of(open.iter().map(|open| &open.target), triple.step);
                let conflict = triple.conflict(path);
                let value = match resolve(&conflict) {
                    Resolution::Report => {
                        conflicts.push(conflict);
                        continue;
                    }
                    Resolution::Ours => continue,
                    Resolution::Theirs => conflict.theirs,
                    Resolution::Base => conflict.base,
                    Resolution::Value(value) => Some(value),
                    Resolution::Remove => None,
                };
                if let Some(top) = open.last_mut() {
                    top.target.put(triple.step, value)?;
                }
            }
        }
    }
    Err(Path::root().error("nothing to merge")) // not reached: the loop ends by returning
}

struct Open<'a> {
    target: Target<'a>,
    triples: std::vec::IntoIter<Triple<'a>>,
}

/// One place in the three values, at which `theirs` may not be what `base` is.
struct Triple<'a> {
    step: Step<'a>,
    base: Option<ValueRef<'a>>,
    ours: Option<ValueRef<'a>>,
    theirs: Option<ValueRef<'a>>,
}

enum Verdict<'a> {
    Ours,
    Theirs,
    Conflict,
    /// Three containers, of which this is our version, with what is to be merged inside.
    Open(Value, Vec<Triple<'a>>),
}

impl<'a> Triple<'a> {
    fn decide(&self) -> Verdict<'a> {
        let (base, ours, theirs) = (self.base, self.ours, self.theirs);
        let known = |a: Option<ValueRef<'_>>, b: Option<ValueRef<'_>>| match (a, b) {
            (Some(a), Some(b)) => settled(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if known(ours, theirs) || known(base, theirs) {
            return Verdict::Ours;
        }
        if known(base, ours) {
            return Verdict::Theirs;
        }
        // What lies inside is compared there, once.
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            match (ours.kind(), theirs.kind()) {
                (Kind::Object, Kind::Object) => {
                    let base = base.filter(|base| base.kind() == Kind::Object);
                    return Verdict::Open(ours.to_value(), members(base, ours, theirs));
                }
                (Kind::Array, Kind::Array) => {
                    if let Some(base) = base
                        && base.kind() == Kind::Array
                        && base.len() == ours.len()
                        && base.len() == theirs.len()
                    {
                        return Verdict::Open(ours.to_value(), items(base, ours, theirs));
                    }
                }
                _ => {}
            }
        }
        if ours == theirs || base == theirs {
            Verdict::Ours
        } else if base == ours {
            Verdict::Theirs
        } else {
            Verdict::Conflict
        }
    }

    fn conflict(&self, path: Path) -> Conflict {
        Conflict {
            path,
            base: self.base.map(ValueRef::to_value),
            ours: self.ours.map(ValueRef::to_value),
            theirs: self.theirs.map(ValueRef::to_value),
        }
    }
}

/// What `theirs` has changed; if there was nothing before, what it has made otherwise than `ours`.
fn members<'a>(
    base: Option<ValueRef<'a>>,
    ours: ValueRef<'a>,
    theirs: ValueRef<'a>,
) -> Vec<Triple<'a>> {
    let mut triples = Vec::new();
    match base {
        Some(base) => differing_members(base, theirs, |member| {
            triples.push(Triple {
                step: Step::Key(member.key),
                base: member.before,
                ours: ours.get(member.key),
                theirs: member.after,
            });
        }),
        None => differing_members(ours, theirs, |member| {
            if member.after.is_some() {
                triples.push(Triple {
                    step: Step::Key(member.key),
                    base: None,
                    ours: member.before,
                    theirs: member.after,
                });
            }
        }),
    }
    triples
}

fn items<'a>(base: ValueRef<'a>, ours: ValueRef<'a>, theirs: ValueRef<'a>) -> Vec<Triple<'a>> {
    let mut triples = Vec::new();
    differing_items(base, theirs, |index, base, theirs| {
        triples.push(Triple {
            step: Step::Index(index),
            base: Some(base),
            ours: ours.index(index),
            theirs: Some(theirs),
        });
    });
    triples
}
