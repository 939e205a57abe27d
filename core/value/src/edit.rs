//! Editing in place: what nobody else holds is changed where it is, what is shared is copied along the path.

use triomphe::Arc;

use crate::value::Repr;
use crate::{Error, Kind, Path, Result, Segment, Value};

impl Value {
    /// Puts `value` at `path`, replacing what is there; the root path replaces the whole value.
    ///
    /// Missing objects on the way are created; an index equal to an array's length appends. Costs one
    /// lookup per segment, and a copy of each container on the way that somebody else holds too.
    ///
    /// # Errors
    /// Nothing is changed when the path runs through the wrong kind of value ([`Error::WrongType`]: null is
    /// not taken for an object, and a missing array is not created), past the end of an array
    /// ([`Error::IndexOutOfRange`]), or the result would nest deeper than [`crate::MAX_DEPTH`]
    /// ([`Error::Limit`]).
    pub fn set(&mut self, path: &Path, value: Value) -> Result<()> {
        self.check_set(path)?;
        let segments = path.segments();
        let depth = value.checked_depth(segments.len(), path)? as usize;
        let mut place = self;
        for (at, segment) in segments.iter().enumerate() {
            let below = depth + segments.len() - at - 1;
            place = match place.slot(segment, below as u32) {
                Some(next) => next,
                None => return Err(path.error("cannot be set")), // check_set has ruled this out
            };
        }
        *place = value;
        Ok(())
    }

    /// Removes what is at `path` and returns it; none, and no change, if nothing is there. Later items of
    /// an array move up; the other entries of an object keep their order. O(log n) in the container's length.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, which has no container to be removed from.
    pub fn remove(&mut self, path: &Path) -> Result<Option<Value>> {
        let Some((last, parents)) = path.segments().split_last() else {
            return Err(
                path.error("the root cannot be removed; set it, or remove the whole document")
            );
        };
        if !self.has(path) {
            return Ok(None);
        }
        let mut parent = parents
            .iter()
            .try_fold(self, |value, segment| value.slot_mut(segment));
        if let Some(parent) = &mut parent {
            parent.unpack();
        }
        Ok(match (parent.map(|value| &mut value.0), last) {
            (Some(Repr::Object(object)), Segment::Key(key)) => Arc::make_mut(object).remove(key),
            (Some(Repr::Array(array)), Segment::Index(at)) => Arc::make_mut(array).remove(*at),
            _ => None,
        })
    }

    /// Puts `value` under a key of this object and returns what was there.
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no object, [`Error::Limit`] if it would nest too deep.
    pub fn insert(&mut self, key: impl Into<crate::Key>, value: Value) -> Result<Option<Value>> {
        let found = self.kind().name();
        self.unpack();
        match &mut self.0 {
            Repr::Object(object) => {
                let depth = value.checked_depth(1, &Path::root())?;
                let object = Arc::make_mut(object);
                object.admit(depth);
                Ok(object.insert(key.into(), value))
            }
            _ => Err(Error::WrongType {
                path: Path::root(),
                expected: "object",
                found,
            }),
        }
    }

    /// Appends `value` to this array.
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array, [`Error::Limit`] if it would nest too deep.
    pub fn push(&mut self, value: Value) -> Result<()> {
        let found = self.kind().name();
        self.unpack();
        match &mut self.0 {
            Repr::Array(array) => {
                let depth = value.checked_depth(1, &Path::root())?;
                let array = Arc::make_mut(array);
                array.admit(depth);
                array.push(value);
                Ok(())
            }
            _ => Err(Error::WrongType {
                path: Path::root(),
                expected: "array",
                found,
            }),
        }
    }

    /// Whether something can be set at `path`.
    fn check_set(&self, path: &Path) -> Result<()> {
        let mut here = Some(self.by_ref()); // none where something would be created
        for (at, segment) in path.segments().iter().enumerate() {
            let wrong = |expected, found| {
                Err(Error::WrongType {
                    path: path.prefix(at),
                    expected,
                    found,
                })
            };
            here = match (here, segment) {
                (None, Segment::Key(_)) => None,
                (None, Segment::Index(_)) => return wrong("array", "nothing"),
                (Some(value), Segment::Key(_)) if value.kind() != Kind::Object => {
                    return wrong("object", value.kind().name());
                }
                (Some(value), Segment::Index(_)) if value.kind() != Kind::Array => {
                    return wrong("array", value.kind().name());
                }
                (Some(value), Segment::Index(index)) if *index > value.len() => {
                    return Err(Error::IndexOutOfRange {
                        path: path.prefix(at),
                        index: *index,
                        len: value.len(),
                    });
                }
                (Some(value), segment) => value.step(segment),
            };
        }
        Ok(())
    }

    /// The place one step down, to put a value of `depth` at it. A missing place is created as null, and a
    /// null as an object: after [`Value::check_set`], that is one this edit has just created.
    fn slot(&mut self, segment: &Segment, depth: u32) -> Option<&mut Value> {
        if self.is_null() {
            *self = Value::object();
        }
        self.unpack();
        match (&mut self.0, segment) {
            (Repr::Object(object), Segment::Key(key)) => {
                let object = Arc::make_mut(object);
                object.admit(depth);
                object.slot(key)
            }
            (Repr::Array(array), Segment::Index(at)) => {
                let array = Arc::make_mut(array);
                array.admit(depth);
                array.slot(*at)
            }
            _ => None,
        }
    }

    /// The place one step down, if it is there.
    fn slot_mut(&mut self, segment: &Segment) -> Option<&mut Value> {
        self.unpack();
        match (&mut self.0, segment) {
            (Repr::Object(object), Segment::Key(key)) => Arc::make_mut(object).slot_mut(key),
            (Repr::Array(array), Segment::Index(at)) => Arc::make_mut(array).slot_mut(*at),
            _ => None,
        }
    }
}
