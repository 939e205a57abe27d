//! Merging one value into another, by rules of the caller's.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::target::{Step, Target, path_of};
use crate::align::{Member, all_members, differing_members, settled};
use crate::{Kind, Path, Result, Value, ValueRef};

/// How [`Value::merge`] puts two values together. Start from [`Merge::deep`] or [`Merge::shallow`].
///
/// ```
/// use statewright_value::{ArrayMerge, Merge, NullMerge, value};
/// # fn main() -> statewright_value::Result<()> {
/// let how = Merge::deep().arrays(ArrayMerge::Union).nulls(NullMerge::Skip);
/// let mut config = value!({ "tags": ["a", "b"], "log": { "level": "info", "color": true } });
/// config.merge(value!({ "tags": ["b", "c"], "log": { "level": "debug", "color": null } }).by_ref(), &how)?;
/// assert_eq!(config, value!({ "tags": ["a", "b", "c"], "log": { "level": "debug", "color": true } }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Merge {
    deep: bool,
    arrays: ArrayMerge,
    nulls: NullMerge,
    resolve: Option<Arc<Resolve>>,
}

type Resolve = dyn Fn(&Path, ValueRef<'_>, ValueRef<'_>) -> Result<Value> + Send + Sync;

/// What becomes of two arrays that meet in a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArrayMerge {
    /// The other array takes the place of this one, as any value that is no object does.
    #[default]
    Replace,
    /// The other's items come after this one's.
    Append,
    /// The other's items that this one does not have come after this one's, each once. Items are the same if
    /// they are equal. O((n + m) log (n + m)) comparisons.
    Union,
    /// Items of the same index are merged; items beyond the end of this one are appended.
    ByIndex,
}

/// What a null in the other value means in a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NullMerge {
    /// It is a value as any other.
    #[default]
    Keep,
    /// Nothing: what is there stays, and a member that is not there is not made. Of arrays that are merged by
    /// index, the items that are null leave this one's as they are, and are left out where it has ended.
    Skip,
    /// The member is removed, as in RFC 7396. In an array a null is a value.
    Remove,
}

impl Merge {
    /// Objects are merged at every level. Arrays and other values are replaced.
    pub fn deep() -> Merge {
        Merge {
            deep: true,
            arrays: ArrayMerge::default(),
            nulls: NullMerge::default(),
            resolve: None,
        }
    }

    /// Members of the two values themselves are merged, and replaced as a whole.
    pub fn shallow() -> Merge {
        Merge {
            deep: false,
            ..Merge::deep()
        }
    }

    /// What becomes of two arrays.
    #[must_use]
    pub fn arrays(mut self, arrays: ArrayMerge) -> Merge {
        self.arrays = arrays;
        self
    }

    /// What a null means.
    #[must_use]
    pub fn nulls(mut self, nulls: NullMerge) -> Merge {
        self.nulls = nulls;
        self
    }

    /// Asks for the result wherever two different values meet that are not merged by the other rules, with the
    /// path, this value and the other one. Without it the other one wins.
    ///
    /// ```
    /// use statewright_value::{Error, Merge, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let larger = Merge::deep().on_conflict(|_, ours, theirs| Ok(ours.max(theirs).to_value()));
    /// let mut seen = value!({ "a": 3, "b": 1 });
    /// seen.merge(value!({ "a": 2, "b": 5, "c": 1 }).by_ref(), &larger)?;
    /// assert_eq!(seen, value!({ "a": 3, "b": 5, "c": 1 }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_conflict(
        mut self,
        resolve: impl Fn(&Path, ValueRef<'_>, ValueRef<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Merge {
        self.resolve = Some(Arc::new(resolve));
        self
    }
}

/// As [`Merge::deep`].
impl Default for Merge {
    fn default() -> Merge {
        Merge::deep()
    }
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("deep", &self.deep)
            .field("arrays", &self.arrays)
            .field("nulls", &self.nulls)
            .field("resolve", &self.resolve.is_some())
            .finish()
    }
}

/// Two values that meet; this side may have none.
struct Meeting<'a> {
    step: Step<'a>,
    ours: Option<ValueRef<'a>>,
    theirs: ValueRef<'a>,
}

/// What comes of a meeting.
enum Outcome<'a> {
    Unchanged,
    Put(Option<Value>),
    /// Two containers, whose children meet, or one that is new here.
    Open {
        target: Value,
        new: bool,
        meetings: Vec<Meeting<'a>>,
    },
}

struct Open<'a> {
    target: Target<'a>,
    meetings: std::vec::IntoIter<Meeting<'a>>,
}

impl Value {
    /// Merges `other` into this value, by the rules of `how`. Members keep their order, and new ones come
    /// after them.
    ///
    /// O(size of `other`), less what both share; what this value alone has is not looked at.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] if the result would nest deeper than [`crate::MAX_DEPTH`], and whatever the
    /// closure of [`Merge::on_conflict`] returns. Then nothing is changed.
    ///
    /// ```
    /// use statewright_value::{ArrayMerge, Merge, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "user": { "name": "Ada", "langs": ["en"] } });
    /// let other = value!({ "user": { "langs": ["fr"], "age": 36 } });
    /// doc.merge(other.by_ref(), &Merge::deep().arrays(ArrayMerge::Append))?;
    /// assert_eq!(doc, value!({ "user": { "name": "Ada", "langs": ["en", "fr"], "age": 36 } }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(&mut self, other: ValueRef<'_>, how: &Merge) -> Result<()> {
        let ours = self.clone();
        let whole = Meeting {
            step: Step::Root,
            ours: Some(ours.by_ref()),
            theirs: other,
        };
        let mut open: Vec<Open<'_>> = vec![Open {
            target: Target::new(ours.clone(), Step::Root),
            meetings: vec![whole].into_iter(),
        }];
        while let Some(top) = open.last_mut() {
            let Some(meeting) = top.meetings.next() else {
                let Some(Open { target, .. }) = open.pop() else {
                    break;
                };
                match open.last_mut() {
                    None => *self = target.finish()?,
                    Some(around) if target.changed => {
                        let step = target.step;
                        around.target.put(step, Some(target.finish()?))?;
                    }
                    Some(_) => {}
                }
                continue;
            };
            let step = meeting.step;
            match how.meet(&open, meeting)? {
                Outcome::Unchanged => {}
                Outcome::Put(value) => {
                    if let Some(top) = open.last_mut() {
                        top.target.put(step, value)?;
                    }
                }
                Outcome::Open {
                    target,
                    new,
                    meetings,
                } => {
                    let mut target = Target::new(target, step);
                    target.changed = new;
                    open.push(Open {
                        target,
                        meetings: meetings.into_iter(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Merge {
    fn meet<'a>(&self, open: &[Open<'_>], meeting: Meeting<'a>) -> Result<Outcome<'a>> {
        let Meeting { step, ours, theirs } = meeting;
        if theirs.is_null() {
            match (self.nulls, step) {
                (NullMerge::Skip, _) => return Ok(Outcome::Unchanged),
                (NullMerge::Remove, Step::Key(_)) => {
                    return Ok(match ours {
                        Some(_) => Outcome::Put(None),
                        None => Outcome::Unchanged,
                    });
                }
                _ => {}
            }
        }
        let Some(ours) = ours else {
            return Ok(self.replace(theirs));
        };
        if !self.repeats() && settled(ours, theirs) {
            return Ok(Outcome::Unchanged);
        }
        let inside = self.deep || matches!(step, Step::Root);
        let both = |meetings| Outcome::Open {
            target: ours.to_value(),
            new: false,
            meetings,
        };
        Ok(match (ours.kind(), theirs.kind(), self.arrays) {
            (Kind::Object, Kind::Object, _) if inside => both(self.members(ours, theirs)),
            (Kind::Array, Kind::Array, ArrayMerge::Append) => append(ours, theirs.items()),
            (Kind::Array, Kind::Array, ArrayMerge::Union) => union(ours, theirs),
            (Kind::Array, Kind::Array, ArrayMerge::ByIndex) => both(by_index(ours, theirs)),
            _ => return self.conflict(open, step, ours, theirs),
        })
    }

    /// Whether merging a value into itself may change it, so that what both share cannot be skipped.
    fn repeats(&self) -> bool {
        self.arrays == ArrayMerge::Append || self.nulls == NullMerge::Remove
    }

    /// What takes the place of something, or of nothing. Nulls in it may have a meaning.
    fn replace<'a>(&self, theirs: ValueRef<'a>) -> Outcome<'a> {
        if theirs.kind() != Kind::Object || self.nulls == NullMerge::Keep || !self.deep {
            return Outcome::Put(Some(theirs.to_value()));
        }
        let meetings = theirs.entries().map(|(key, theirs)| Meeting {
            step: Step::Key(key),
            ours: None,
            theirs,
        });
        Outcome::Open {
            target: Value::object(),
            new: true,
            meetings: meetings.collect(),
        }
    }

    fn members<'a>(&self, ours: ValueRef<'a>, theirs: ValueRef<'a>) -> Vec<Meeting<'a>> {
        let mut meetings = Vec::new();
        let meet = |member: Member<'a>| {
            meetings.extend(member.after.map(|theirs| Meeting {
                step: Step::Key(member.key),
                ours: member.before,
                theirs,
            }));
        };
        match self.repeats() {
            true => all_members(ours, theirs, meet),
            false => differing_members(ours, theirs, meet),
        }
        meetings
    }

    fn conflict<'a>(
        &self,
        open: &[Open<'_>],
        step: Step<'_>,
        ours: ValueRef<'_>,
        theirs: ValueRef<'a>,
    ) -> Result<Outcome<'a>> {
        let Some(resolve) = &self.resolve else {
            return Ok(self.replace(theirs));
        };
        if ours == theirs {
            return Ok(Outcome::Unchanged);
        }
        let path = path_of(open.iter().map(|open| &open.target), step);
        Ok(Outcome::Put(Some(resolve(&path, ours, theirs)?)))
    }
}

fn by_index<'a>(ours: ValueRef<'a>, theirs: ValueRef<'a>) -> Vec<Meeting<'a>> {
    let mut items = ours.items();
    let meetings = theirs.items().enumerate().map(|(index, theirs)| Meeting {
        step: Step::Index(index),
        ours: items.next(),
        theirs,
    });
    meetings.collect()
}

fn append<'a>(ours: ValueRef<'_>, items: impl Iterator<Item = ValueRef<'a>>) -> Outcome<'static> {
    let mut more = items.map(ValueRef::to_value).peekable();
    if more.peek().is_none() {
        return Outcome::Unchanged;
    }
    let all = ours.items().map(ValueRef::to_value).chain(more);
    Outcome::Put(Some(all.collect()))
}

fn union(ours: ValueRef<'_>, theirs: ValueRef<'_>) -> Outcome<'static> {
    let mut known: BTreeSet<ValueRef<'_>> = ours.items().collect();
    let new: Vec<ValueRef<'_>> = theirs.items().filter(|item| known.insert(*item)).collect();
    append(ours, new.into_iter())
}
