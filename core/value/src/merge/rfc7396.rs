//! JSON Merge Patch (RFC 7396): a document that says what to change in another.

use crate::align::{Member, differing_members};
use crate::{Entries, Key, Kind, Result, Value, ValueRef};

/// An object that is being patched, and what of the patch is left.
struct Open<'p> {
    target: Value,
    patch: Entries<'p>,
    /// Where in the object around it the target goes.
    key: &'p str,
}

impl<'p> Open<'p> {
    fn new(target: Option<Value>, patch: ValueRef<'p>, key: &'p str) -> Self {
        Open {
            target: target
                .filter(|target| target.kind() == Kind::Object)
                .unwrap_or_else(Value::object),
            patch: patch.entries(),
            key,
        }
    }
}

impl Value {
    /// Applies a JSON Merge Patch (RFC 7396 §2): an object changes the members it names, null removes a
    /// member, and everything else takes the place of what is there. Arrays are replaced as a whole.
    ///
    /// O(members of the patch × log n): one lookup and one edit for each, whatever the size of this value, after the
    /// [first edit](Value#cost-of-the-first-edit).
    ///
    /// # Errors
    /// [`crate::Error::Limit`] if the result would nest deeper than [`crate::MAX_DEPTH`]; then nothing is
    /// changed.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "title": "Hello", "author": { "first": "Ada", "last": "L." } });
    /// doc.merge_patch(value!({ "title": "Hi", "author": { "last": null } }).by_ref())?;
    /// assert_eq!(doc, value!({ "title": "Hi", "author": { "first": "Ada" } }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge_patch(&mut self, patch: ValueRef<'_>) -> Result<()> {
        if patch.kind() != Kind::Object {
            *self = patch.to_value();
            return Ok(());
        }
        let mut open = vec![Open::new(Some(self.clone()), patch, "")];
        while let Some(top) = open.last_mut() {
            let Some((key, value)) = top.patch.next() else {
                let Some(Open { target, key, .. }) = open.pop() else {
                    break;
                };
                match open.last_mut() {
                    Some(around) => {
                        around.target.insert(key, target)?;
                    }
                    None => *self = target,
                }
                continue;
            };
            match value.kind() {
                Kind::Null => {
                    top.target.remove_key(key)?;
                }
                Kind::Object => {
                    let inner = Open::new(top.target.get(key), value, key);
                    open.push(inner);
                }
                _ => {
                    top.target.insert(key, value.to_value())?;
                }
            }
        }
        Ok(())
    }
}

/// Two objects that are being compared, and the patch so far.
struct Compared<'a> {
    members: std::vec::IntoIter<Member<'a>>,
    patch: Vec<(Key, Value)>,
    key: &'a str,
}

impl<'a> Compared<'a> {
    fn new(before: ValueRef<'a>, after: ValueRef<'a>, key: &'a str) -> Self {
        let mut members = Vec::new();
        differing_members(before, after, |member| members.push(member));
        Compared {
            members: members.into_iter(),
            patch: Vec::new(),
            key,
        }
    }
}

/// The JSON Merge Patch (RFC 7396) that turns `before` into `after`, if there is one: none where `after` has
/// a null as a member that `before` has not got in the same place, since null means removal in such a patch.
///
/// O(what is not shared), so O(changes) for versions of one document. Arrays that differ are replaced as a
/// whole; [`crate::diff`] is exact about them.
///
/// ```
/// use statewright_value::{merge_diff, value};
/// let (before, after) = (value!({ "a": 1, "b": [1, 2] }), value!({ "b": [1], "c": { "d": true } }));
/// let patch = merge_diff(before.by_ref(), after.by_ref());
/// assert_eq!(patch, Some(value!({ "a": null, "b": [1], "c": { "d": true } })));
/// assert_eq!(merge_diff(before.by_ref(), value!({ "a": null }).by_ref()), None);
/// ```
pub fn merge_diff(before: ValueRef<'_>, after: ValueRef<'_>) -> Option<Value> {
    if after.kind() != Kind::Object {
        return Some(after.to_value());
    }
    if before.kind() != Kind::Object {
        return sets_exactly(after).then(|| after.to_value());
    }
    let mut open = vec![Compared::new(before, after, "")];
    while let Some(top) = open.last_mut() {
        let Some(Member { key, before, after }) = top.members.next() else {
            let Compared { patch, key, .. } = open.pop()?;
            match open.last_mut() {
                None => return Some(patch.into_iter().collect()),
                Some(around) if !patch.is_empty() => {
                    around.patch.push((key.into(), patch.into_iter().collect()));
                }
                Some(_) => {}
            }
            continue;
        };
        let Some(after) = after else {
            top.patch.push((key.into(), Value::NULL));
            continue;
        };
        match before {
            Some(before) if before.kind() == Kind::Object && after.kind() == Kind::Object => {
                open.push(Compared::new(before, after, key));
            }
            Some(before) if before == after => {}
            _ if sets_exactly(after) => top.patch.push((key.into(), after.to_value())),
            _ => return None,
        }
    }
    None
}

/// Whether a member of a merge patch with this value sets just this value: it is no null, and no object
/// inside, reached through objects only, has a null. O(size).
fn sets_exactly(value: ValueRef<'_>) -> bool {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        if value.is_null() {
            return false;
        }
        pending.extend(value.entries().map(|(_, value)| value));
    }
    true
}
