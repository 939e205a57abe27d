//! Values made of other values: parts of an object, other children, other values anywhere inside.

use crate::{Entries, Error, Items, Key, Kind, Path, Result, Value, ValueRef};

/// What becomes of a value; see [`Value::transform`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// It stays; what is inside a container is asked about next.
    Keep,
    /// This takes its place, and is not looked into.
    Replace(Value),
    /// It goes, with all that is inside.
    Remove,
}

/// Parts of an object.
impl Value {
    /// The object with only those of the keys that it has, in its own order. O(entries × log keys).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let user = value!({ "id": 1, "name": "Ada", "password": "…" });
    /// assert_eq!(user.pick(["name", "id"])?.to_json(), r#"{"id":1,"name":"Ada"}"#);
    /// assert_eq!(user.omit(["password"])?, user.pick(["name", "id"])?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no object.
    pub fn pick<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Result<Value> {
        self.with_keys(keys, true)
    }

    /// The object without these keys; those it lacks do not matter. O(entries × log keys).
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no object.
    pub fn omit<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Result<Value> {
        self.with_keys(keys, false)
    }

    fn with_keys<'k>(&self, keys: impl IntoIterator<Item = &'k str>, keep: bool) -> Result<Value> {
        let mut keys: Vec<&str> = keys.into_iter().collect();
        keys.sort_unstable();
        let mut object = self.clone();
        object.retain_entries(|key, _| keys.binary_search(&key).is_ok() == keep)?;
        Ok(object)
    }

    /// The value of this key in each item of an array, as an array; items without it (and items that are no
    /// objects) are left out. O(items), with one look-up in each.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let users = value!([{ "name": "Ada" }, { "age": 7 }, { "name": "Grace" }]);
    /// assert_eq!(users.pluck("name")?, value!(["Ada", "Grace"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn pluck(&self, key: &str) -> Result<Value> {
        let Some(items) = self.as_array() else {
            return Err(self.wrong_kind("array"));
        };
        let key = Key::from(key); // hashed once
        let found = items.iter().filter_map(|item| item.get_key(&key));
        Ok(found.map(ValueRef::to_value).collect())
    }
}

/// Other children, other values inside.
impl Value {
    /// The array or object with what `change` makes of each item, or of the value of each entry. O(n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let one = value!(1);
    /// let more = |value: statewright_value::ValueRef<'_>| value.to_value().checked_add(&one);
    /// assert_eq!(value!([1, 2]).map(more)?, value!([2, 3]));
    /// assert_eq!(value!({ "a": 1 }).map(more)?, value!({ "a": 2 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is neither; that of `change`, the first; [`Error::Limit`] if the result
    /// would nest too deep.
    pub fn map(&self, mut change: impl FnMut(ValueRef<'_>) -> Result<Value>) -> Result<Value> {
        let mut changed = |value| {
            let value = change(value)?;
            value.checked_depth(1, &Path::root())?;
            Ok(value)
        };
        match self.kind() {
            Kind::Array => {
                let items = self.by_ref().items().map(changed);
                Ok(Value::from_items(items.collect::<Result<_>>()?))
            }
            Kind::Object => {
                let entries = self.by_ref().entries();
                let entries = entries.map(|(key, value)| Ok((Key::from(key), changed(value)?)));
                Ok(Value::from_entries(entries.collect::<Result<_>>()?))
            }
            _ => Err(self.wrong_kind("array or object")),
        }
    }

    /// The array or object with only the items, or the entries with values, of which `keep` says true; in
    /// place that is [`Value::retain_items`] and [`Value::retain_entries`]. O(n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(value!([1, null, 2]).filter(|item| !item.is_null())?, value!([1, 2]));
    /// assert_eq!(value!({ "a": "", "b": "x" }).filter(|value| value.is_truthy())?, value!({ "b": "x" }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is neither.
    pub fn filter(&self, mut keep: impl FnMut(ValueRef<'_>) -> bool) -> Result<Value> {
        let mut kept = self.clone();
        match self.kind() {
            Kind::Array => kept.retain_items(keep)?,
            Kind::Object => kept.retain_entries(|_, value| keep(value))?,
            _ => return Err(self.wrong_kind("array or object")),
        };
        Ok(kept)
    }

    /// The value with other values anywhere inside: `change` is asked about each, in the order of
    /// [`ValueRef::walk`], and says what becomes of it. Containers in which nothing changes are shared, not
    /// copied. None if the value itself is removed. Does not recurse; O(size).
    ///
    /// ```
    /// use statewright_value::{Kind, Transform, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "name": " Ada ", "notes": [null, "x "], "empty": null });
    /// let clean = doc.transform(|value| match (value.kind(), value.as_str()) {
    ///     (Kind::Null, _) => Transform::Remove,
    ///     (_, Some(text)) => Transform::Replace(text.trim().into()),
    ///     _ => Transform::Keep,
    /// })?;
    /// assert_eq!(clean, Some(value!({ "name": "Ada", "notes": ["x"] })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] if the result would nest too deep.
    pub fn transform(
        &self,
        mut change: impl FnMut(ValueRef<'_>) -> Transform,
    ) -> Result<Option<Value>> {
        let mut open: Vec<Frame<'_>> = Vec::new();
        let mut next = Some(self.by_ref());
        loop {
            // What became of a child, once that is known.
            let (value, changed) = match next.take() {
                Some(value) => match change(value) {
                    Transform::Keep => match Frame::new(value) {
                        Some(frame) => {
                            open.push(frame);
                            (None, None)
                        }
                        None => (Some(value.to_value()), Some(false)),
                    },
                    Transform::Replace(other) => {
                        other.checked_depth(open.len(), &Path::root())?;
                        (Some(other), Some(true))
                    }
                    Transform::Remove => (None, Some(true)),
                },
                None => match open.pop() {
                    Some(frame) => {
                        let changed = frame.changed;
                        (Some(frame.finish()), Some(changed))
                    }
                    None => return Ok(None), // not reached: the outermost value has been returned
                },
            };
            match (open.last_mut(), changed) {
                (None, Some(_)) => return Ok(value),
                (Some(frame), Some(changed)) => frame.add(value, changed),
                _ => {}
            }
            next = open.last_mut().and_then(Frame::next);
        }
    }

    fn wrong_kind(&self, expected: &'static str) -> Error {
        Error::WrongType {
            path: Path::root(),
            expected,
            found: self.kind().name(),
        }
    }
}

/// A container that is being gone through.
struct Frame<'a> {
    container: ValueRef<'a>,
    rest: Rest<'a>,
    changed: bool,
}

enum Rest<'a> {
    Items(Items<'a>, Vec<Value>),
    /// With the key of the entry at hand.
    Entries(Entries<'a>, &'a str, Vec<(&'a str, Value)>),
}

impl<'a> Frame<'a> {
    fn new(container: ValueRef<'a>) -> Option<Frame<'a>> {
        let rest = match container.kind() {
            Kind::Array => Rest::Items(container.items(), Vec::new()),
            Kind::Object => Rest::Entries(container.entries(), "", Vec::new()),
            _ => return None,
        };
        Some(Frame {
            container,
            rest,
            changed: false,
        })
    }

    fn next(&mut self) -> Option<ValueRef<'a>> {
        match &mut self.rest {
            Rest::Items(items, _) => items.next(),
            Rest::Entries(entries, at, _) => {
                let (key, value) = entries.next()?;
                *at = key;
                Some(value)
            }
        }
    }

    fn add(&mut self, value: Option<Value>, changed: bool) {
        self.changed |= changed;
        match &mut self.rest {
            Rest::Items(_, done) => done.extend(value),
            Rest::Entries(_, key, done) => done.extend(value.map(|value| (*key, value))),
        }
    }

    fn finish(self) -> Value {
        match self.rest {
            _ if !self.changed => self.container.to_value(),
            Rest::Items(_, done) => Value::from_items(done),
            Rest::Entries(_, _, done) => done.into_iter().collect(),
        }
    }
}
