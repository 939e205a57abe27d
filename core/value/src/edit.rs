//! Editing in place: what nobody else holds is changed where it is, what is shared is copied along the path.
//!
//! Here are the edits that go through a path; `items` has those of an array, `entries` those of an object.

use crate::node::Array;
use crate::object::Object;
use crate::value::Repr;
use crate::{Error, Kind, Path, Result, Segment, Value, ValueRef};

mod entries;
mod items;
mod txn;

pub use txn::{Savepoint, ValueTxn};

/// What [`Value::set_with`] may create where the path leads to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Create {
    /// Missing objects on the way, and the place itself: what [`Value::set`] does.
    #[default]
    Parents,
    /// The place itself: a new key, or the item after the last. What it is in must be there.
    Last,
    /// Nothing: only what is there is replaced.
    Nothing,
}

/// What was at the place of a `put`.
pub(crate) enum Put {
    Replaced(Value),
    /// Nothing: this segment of the path was the first to be created, with all behind it.
    Created(usize),
}

impl Value {
    /// Puts `value` at `path`, replacing what is there; the root path replaces the whole value.
    ///
    /// Missing objects on the way are created; an index equal to an array's length appends. Costs one
    /// lookup per segment, and a copy of each node on the way that somebody else holds too: of at most 32
    /// items or entries in each container, and O(log n) nodes in a large one. The [first
    /// edit](Value#cost-of-the-first-edit) of a packed container costs O(its entries) once.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "tags": ["a"] });
    /// doc.set(&Path::parse(".tags[1]")?, value!("b"))?;
    /// doc.set(&Path::parse(".user.name")?, value!("Ada"))?;
    /// assert_eq!(doc, value!({ "tags": ["a", "b"], "user": { "name": "Ada" } }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing is changed when the path runs through the wrong kind of value ([`Error::WrongType`]: null is
    /// not taken for an object, and a missing array is not created), past the end of an array
    /// ([`Error::IndexOutOfRange`]), or the result would nest deeper than [`crate::MAX_DEPTH`]
    /// ([`Error::Limit`]).
    pub fn set(&mut self, path: &Path, value: Value) -> Result<()> {
        self.put(path, value, Create::Parents)?;
        Ok(())
    }

    /// Whether [`Value::set`] would put `value` at `path`. Costs one lookup per segment; copies and unpacks nothing.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "tags": ["a"] });
    /// doc.check_set(&Path::parse(".tags[1]")?, &value!("b"))?;
    /// assert!(doc.check_set(&Path::parse(".tags.first")?, &value!("b")).is_err());
    /// assert_eq!(doc, value!({ "tags": ["a"] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Value::set`].
    pub fn check_set(&self, path: &Path, value: &Value) -> Result<()> {
        value.checked_depth(path.segments().len(), path)?;
        let mut place = self.by_ref();
        for (at, segment) in path.segments().iter().enumerate() {
            let next = match segment {
                Segment::Key(key) if place.kind() == Kind::Object => place.get(key.as_ref()),
                Segment::Key(_) => return Err(wrong_type(place, path.prefix(at), "object")),
                Segment::Index(index) if place.kind() == Kind::Array => {
                    in_reach(path, at, *index, place.len(), Create::Parents)?;
                    place.index(*index)
                }
                Segment::Index(_) => return Err(wrong_type(place, path.prefix(at), "array")),
            };
            match next {
                Some(next) => place = next,
                None => return creatable(path, at, Create::Parents).map(drop),
            }
        }
        Ok(())
    }

    /// As [`Value::set`], but creates only what `create` says, and returns what was there.
    ///
    /// ```
    /// use statewright_value::{Create, Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "user": { "name": "Ada" } });
    /// assert!(doc.set_with(&Path::parse(".usr.age")?, value!(36), Create::Last).is_err());
    /// assert_eq!(doc.set_with(&Path::parse(".user.age")?, value!(36), Create::Last)?, None);
    /// assert_eq!(doc.to_json(), r#"{"user":{"name":"Ada","age":36}}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Value::set`], and [`Error::WrongType`] that finds "nothing" where something may not be created.
    pub fn set_with(&mut self, path: &Path, value: Value, create: Create) -> Result<Option<Value>> {
        Ok(match self.put(path, value, create)? {
            Put::Replaced(old) => Some(old),
            Put::Created(_) => None,
        })
    }

    /// Replaces what is at `path` and returns it; creates nothing. Costs as much as [`Value::set`].
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "name": "Ada" });
    /// assert_eq!(doc.replace(&Path::parse(".name")?, value!("Grace"))?, value!("Ada"));
    /// let error = doc.replace(&Path::parse(".nmae")?, value!("Grace")).unwrap_err();
    /// assert_eq!(error.to_string(), "expected a value at `.nmae`, found nothing");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing is changed when nothing is there ([`Error::WrongType`], [`Error::IndexOutOfRange`]) or the
    /// result would nest too deep ([`Error::Limit`]).
    pub fn replace(&mut self, path: &Path, value: Value) -> Result<Value> {
        Ok(match self.put(path, value, Create::Nothing)? {
            Put::Replaced(old) => old,
            Put::Created(_) => Value::NULL, // not reached: nothing may be created
        })
    }

    /// Sets several places, one after the other: all of them or, on an error, none.
    ///
    /// ```
    /// use statewright_value::{Create, Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "a": 1, "list": [] });
    /// let edits = [(".a", value!(2)), (".list[0]", value!("x")), (".list[7]", value!("y"))];
    /// let edits: Vec<_> = edits
    ///     .into_iter()
    ///     .map(|(path, value)| Ok((Path::parse(path)?, value)))
    ///     .collect::<statewright_value::Result<_>>()?;
    /// assert!(doc.set_many(edits.clone(), Create::Parents).is_err());
    /// assert_eq!(doc, value!({ "a": 1, "list": [] }));
    /// doc.set_many(edits.into_iter().take(2), Create::Parents)?;
    /// assert_eq!(doc, value!({ "a": 2, "list": ["x"] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That of the first edit that fails, as of [`Value::set_with`]; nothing is changed.
    pub fn set_many(
        &mut self,
        edits: impl IntoIterator<Item = (Path, Value)>,
        create: Create,
    ) -> Result<()> {
        let mut done: Vec<(Path, Put)> = Vec::new();
        for (path, value) in edits {
            match self.put(&path, value, create) {
                Ok(put) => done.push((path, put)),
                Err(error) => {
                    // What has worked once, and backwards, cannot fail.
                    for (path, put) in done.into_iter().rev() {
                        match put {
                            Put::Replaced(old) => drop(self.put(&path, old, Create::Nothing)?),
                            Put::Created(at) => drop(self.remove(&path.prefix(at + 1))?),
                        }
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Adds `value` at `path` as RFC 6902 (section 4.1) says: before the item with that index, which moves
    /// on as do those behind it; under that key, replacing what is there, which is returned. What it is in must
    /// be there. The root path replaces the whole value. O(log n) in the length of an array, after the [first
    /// edit](Value#cost-of-the-first-edit).
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "tags": ["a", "c"] });
    /// doc.insert_at(&Path::parse(".tags[1]")?, value!("b"))?;
    /// assert_eq!(doc, value!({ "tags": ["a", "b", "c"] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing is changed when the path runs through the wrong kind of value or nothing
    /// ([`Error::WrongType`]), past the end of an array ([`Error::IndexOutOfRange`]), or the result would nest
    /// too deep ([`Error::Limit`]).
    pub fn insert_at(&mut self, path: &Path, value: Value) -> Result<Option<Value>> {
        let Some((Segment::Index(at), parents)) = path.segments().split_last() else {
            return self.set_with(path, value, Create::Last);
        };
        let array = path.prefix(parents.len());
        let depth = value.checked_depth(path.segments().len(), path)?;
        let place = self.existing_mut(&array, "array", depth + 1)?;
        let inserted = place.insert_item(*at, value);
        inserted.map_err(|error| error.under(&array))?;
        Ok(None)
    }

    /// Appends `value` to the array at `path`. O(1) on average, after the [first
    /// edit](Value#cost-of-the-first-edit), and the copies of [`Value::set`].
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "tags": ["a"] });
    /// doc.push_at(&Path::parse(".tags")?, value!("b"))?;
    /// assert_eq!(doc, value!({ "tags": ["a", "b"] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if there is no array, [`Error::Limit`] if the result would nest too deep.
    pub fn push_at(&mut self, path: &Path, value: Value) -> Result<()> {
        let depth = value.checked_depth(path.segments().len() + 1, path)?;
        let place = self.existing_mut(path, "array", depth + 1)?;
        place.push(value).map_err(|error| error.under(path))
    }

    /// Removes the last item of the array at `path` and returns it; none if the array is empty. O(log n), mostly
    /// O(1), and the copies of [`Value::set`].
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "stack": [1, 2] });
    /// assert_eq!(doc.pop_at(&Path::parse(".stack")?)?, Some(value!(2)));
    /// assert_eq!(doc, value!({ "stack": [1] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if there is no array.
    pub fn pop_at(&mut self, path: &Path) -> Result<Option<Value>> {
        let place = self.existing_mut(path, "array", 0)?;
        place.pop().map_err(|error| error.under(path))
    }

    /// Removes what is at `path` and returns it; none, and no change, if nothing is there. Later items of
    /// an array move up; the other entries of an object keep their order. O(log n) in the container's length,
    /// after the [first edit](Value#cost-of-the-first-edit).
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "tags": ["a", "b"], "old": 1 });
    /// assert_eq!(doc.remove(&Path::parse(".tags[0]")?)?, Some(value!("a")));
    /// assert_eq!(doc.remove(&Path::parse(".nothing")?)?, None);
    /// assert_eq!(doc, value!({ "tags": ["b"], "old": 1 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, which has no container to be removed from.
    pub fn remove(&mut self, path: &Path) -> Result<Option<Value>> {
        let Some((last, _)) = path.segments().split_last() else {
            return Err(
                path.error("the root cannot be removed; set it, or remove the whole document")
            );
        };
        if !self.has(path) {
            return Ok(None);
        }
        let parent = self.existing_mut(&path.prefix(path.segments().len() - 1), "container", 0)?;
        Ok(match last {
            Segment::Key(key) => parent.object_mut(0).and_then(|object| object.remove(key)),
            Segment::Index(at) => parent.array_mut(0).and_then(|array| array.remove(*at)),
        })
    }

    /// Takes what is at `path` away and leaves null in its place; none, and no change, if nothing is there.
    /// The root path takes the whole value. Costs as much as [`Value::set`]; what it gives may [keep the whole
    /// buffer](Value#parts-of-a-packed-document) alive.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "big": [1, 2, 3] });
    /// assert_eq!(doc.take(&Path::parse(".big")?), Some(value!([1, 2, 3])));
    /// assert_eq!(doc, value!({ "big": null }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn take(&mut self, path: &Path) -> Option<Value> {
        if !self.has(path) {
            return None;
        }
        let place = self.existing_mut(path, "a value", 0).ok()?;
        Some(std::mem::take(place))
    }

    /// Sets at `path` what `change` makes of what is there, or of none. Costs as much as [`Value::set`].
    ///
    /// ```
    /// use statewright_value::{Path, Value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = Value::object();
    /// let visits = Path::parse(".visits")?;
    /// for _ in 0..3 {
    ///     let next = |old: Option<Value>| old.and_then(|old| old.as_i64()).unwrap_or(0) + 1;
    ///     doc.update(&visits, |old| Ok(Value::from(next(old))))?;
    /// }
    /// assert_eq!(doc.to_json(), r#"{"visits":3}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That of `change`, or as [`Value::set`]; nothing is changed.
    pub fn update(
        &mut self,
        path: &Path,
        change: impl FnOnce(Option<Value>) -> Result<Value>,
    ) -> Result<()> {
        let value = change(self.at(path))?;
        self.set(path, value)
    }

    /// Edits what is at `path` with any of the edits of a value, and returns what `edit` returns. The way to
    /// an edit that has no variant with a path. Costs as much as [`Value::set`] and the edit itself, which
    /// copies the nodes that it changes.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "queue": ["a", "b", "c"] });
    /// doc.edit(&Path::parse(".queue")?, |queue| {
    ///     queue.move_item(2, 0)?;
    ///     queue.truncate_items(2)
    /// })?;
    /// assert_eq!(doc, value!({ "queue": ["c", "a"] }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That of `edit`, in which paths start at `path`; [`Error::WrongType`] if nothing is there;
    /// [`Error::Limit`] if the result would nest too deep. Nothing is changed.
    pub fn edit<R>(
        &mut self,
        path: &Path,
        edit: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Result<R> {
        let Some(mut value) = self.at(path) else {
            return Err(missing(path, "a value"));
        };
        let result = edit(&mut value)?;
        self.set(path, value)?;
        Ok(result)
    }

    /// Puts `value` at `path`, creating what `create` says: what all edits of single places come down to.
    pub(crate) fn put(&mut self, path: &Path, value: Value, create: Create) -> Result<Put> {
        let segments = path.segments();
        let depth = value.checked_depth(segments.len(), path)? as usize;
        let mut value = Some(value);
        let mut place = self;
        for (at, segment) in segments.iter().enumerate() {
            let below = (depth + segments.len() - at - 1) as u32;
            let make = || created(path, at, create, &mut value);
            let next = match segment {
                Segment::Key(key) => {
                    let object = place.object_or(|| path.prefix(at), 0)?;
                    object.admit(below);
                    object.slot_or(key, make)?
                }
                Segment::Index(index) => {
                    let array = place.array_or(|| path.prefix(at), 1)?;
                    in_reach(path, at, *index, array.len(), create)?;
                    array.admit(below);
                    array.slot_or(*index, make)?
                }
            };
            match next {
                Some(next) => place = next,
                None => return Ok(Put::Created(at)),
            }
        }
        let value = value.unwrap_or_default(); // it is there: nothing has been created
        Ok(Put::Replaced(std::mem::replace(place, value)))
    }

    /// The place at `path`, which must be there, to put a value of `depth` at it. Copies nothing if it is
    /// not.
    fn existing_mut(
        &mut self,
        path: &Path,
        expected: &'static str,
        depth: u32,
    ) -> Result<&mut Value> {
        if !self.has(path) {
            return Err(missing(path, expected));
        }
        let mut place = self;
        let segments = path.segments();
        for (at, segment) in segments.iter().enumerate() {
            let below = depth.saturating_add((segments.len() - at - 1) as u32);
            let next = match segment {
                Segment::Key(key) => place.object_mut(0).and_then(|object| {
                    object.admit(below);
                    object.slot_mut(key)
                }),
                Segment::Index(index) => place.array_mut(0).and_then(|array| {
                    array.admit(below);
                    array.slot_mut(*index)
                }),
            };
            place = match next {
                Some(next) => next,
                None => return Err(missing(path, expected)),
            };
        }
        Ok(place)
    }

    /// The object, for changing it; none for other kinds. If it is copied, then with `room` for more entries.
    fn object_mut(&mut self, room: usize) -> Option<&mut Object> {
        if matches!(self.0, Repr::Packed(..)) {
            self.unpack();
        }
        match &mut self.0 {
            Repr::Object(object) => Some(Object::unshare(object, room)),
            _ => None,
        }
    }

    /// The array, for changing it; none for other kinds. If it is copied, then with `room` for more items.
    fn array_mut(&mut self, room: usize) -> Option<&mut Array> {
        if matches!(self.0, Repr::Packed(..)) {
            self.unpack();
        }
        match &mut self.0 {
            Repr::Array(array) => Some(Array::unshare(array, room)),
            _ => None,
        }
    }

    /// As [`Value::object_mut`], or the error that it is none.
    fn object_or(&mut self, path: impl FnOnce() -> Path, room: usize) -> Result<&mut Object> {
        match &self.0 {
            Repr::Object(_) => {}
            Repr::Packed(..) if self.kind() == Kind::Object => {}
            _ => return Err(wrong_type(self.by_ref(), path(), "object")),
        }
        let object = self.object_mut(room);
        object.ok_or_else(|| missing(&Path::root(), "object"))
    }

    /// As [`Value::array_mut`], or the error that it is none.
    fn array_or(&mut self, path: impl FnOnce() -> Path, room: usize) -> Result<&mut Array> {
        match &self.0 {
            Repr::Array(_) => {}
            Repr::Packed(..) if self.kind() == Kind::Array => {}
            _ => return Err(wrong_type(self.by_ref(), path(), "array")),
        }
        let array = self.array_mut(room);
        array.ok_or_else(|| missing(&Path::root(), "array"))
    }
}

/// Fails if the index, segment `at` of a path, is neither that of an item nor that of one that may be created.
fn in_reach(path: &Path, at: usize, index: usize, len: usize, create: Create) -> Result<()> {
    if index < len || (index == len && create != Create::Nothing) {
        return Ok(());
    }
    Err(Error::IndexOutOfRange {
        path: path.prefix(at),
        index,
        len,
    })
}

/// What is put at segment `at` of a path where nothing is: the value inside the objects that are created with
/// it.
fn created(path: &Path, at: usize, create: Create, value: &mut Option<Value>) -> Result<Value> {
    let behind = creatable(path, at, create)?;
    let mut inner = value.take().unwrap_or_default();
    for segment in behind.iter().rev() {
        if let Segment::Key(key) = segment {
            inner = Value::from_entries(vec![(key.clone(), inner)]);
        }
    }
    Ok(inner)
}

/// The segments behind segment `at` of a path, where nothing is, if objects may be created for all of them.
fn creatable(path: &Path, at: usize, create: Create) -> Result<&[Segment]> {
    let behind = path.segments().get(at + 1..).unwrap_or_default();
    let expected = |next: Option<&Segment>| match next {
        Some(Segment::Key(_)) => "object",
        Some(Segment::Index(_)) => "array",
        None => "a value",
    };
    let allowed = match create {
        Create::Parents => behind
            .iter()
            .take_while(|next| matches!(next, Segment::Key(_)))
            .count(),
        Create::Last | Create::Nothing => 0,
    };
    if allowed < behind.len() || create == Create::Nothing {
        let next = behind.get(allowed);
        return Err(missing(&path.prefix(at + 1 + allowed), expected(next)));
    }
    Ok(behind)
}

fn missing(path: &Path, expected: &'static str) -> Error {
    Error::WrongType {
        path: path.clone(),
        expected,
        found: "nothing",
    }
}

fn wrong_type(value: ValueRef<'_>, path: Path, expected: &'static str) -> Error {
    Error::WrongType {
        path,
        expected,
        found: value.kind().name(),
    }
}
