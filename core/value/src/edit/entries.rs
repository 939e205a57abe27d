//! The edits of an object. On a value at a path: through [`Value::edit`] or the variant that ends in `_at`.

use super::{missing, wrong_type};
use crate::{Key, Kind, Path, Result, Segment, Value, ValueRef};

/// Edits of an object. Each fails with [`crate::Error::WrongType`] if this is no object; nothing is changed on an
/// error.
impl Value {
    /// Puts `value` under a key of this object, behind the others if the key is new, and returns what was
    /// there. O(log n), after the [first edit](Value#cost-of-the-first-edit); if the object is shared, a copy
    /// of at most 32 entries.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut user = value!({ "name": "Ada" });
    /// assert_eq!(user.insert("name", value!("Grace"))?, Some(value!("Ada")));
    /// assert_eq!(user.insert("age", value!(85))?, None);
    /// assert_eq!(user, value!({ "name": "Grace", "age": 85 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::WrongType`] if this is no object, [`crate::Error::Limit`] if it would nest too deep.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) -> Result<Option<Value>> {
        let object = self.object_or(Path::root, 1)?;
        let depth = value.checked_depth(1, &Path::root())?;
        object.admit(depth);
        Ok(object.insert(key.into(), value))
    }

    /// Puts `value` under a key of this object as entry `at` in the order of the entries (or the last, if
    /// there are not that many), and returns what was there: an entry with that key is removed first. O(log n),
    /// amortized O(log² n) where many are put in one place.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "name": "Ada", "age": 36 });
    /// doc.insert_entry(0, "id", value!(1))?;
    /// assert_eq!(doc.to_json(), r#"{"id":1,"name":"Ada","age":36}"#);
    /// assert_eq!(doc.insert_entry(9, "id", value!(2))?, Some(value!(1)));
    /// assert_eq!(doc.to_json(), r#"{"name":"Ada","age":36,"id":2}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::WrongType`] if this is no object, [`crate::Error::Limit`] if it would nest too deep.
    pub fn insert_entry(
        &mut self,
        at: usize,
        key: impl Into<Key>,
        value: Value,
    ) -> Result<Option<Value>> {
        let object = self.object_or(Path::root, 1)?;
        let depth = value.checked_depth(1, &Path::root())?;
        object.admit(depth);
        let key = key.into();
        let old = object.remove(&key);
        object.put(at, key, value);
        Ok(old)
    }

    /// Removes the entry with this key and returns its value; none, and no change, if there is no such entry.
    /// The others keep their order. O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "a": 1, "b": 2 });
    /// assert_eq!(doc.remove_key("a")?, Some(value!(1)));
    /// assert_eq!(doc.remove_key("a")?, None);
    /// assert_eq!(doc, value!({ "b": 2 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::WrongType`] if this is no object.
    pub fn remove_key(&mut self, key: &str) -> Result<Option<Value>> {
        if self.kind() == Kind::Object && self.by_ref().get(key).is_none() {
            return Ok(None);
        }
        Ok(self.object_or(Path::root, 0)?.remove(key))
    }

    /// Gives the entry with the key `from` the key `to`; it stays where it is in the order of the entries.
    /// O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "nmae": "Ada", "age": 36 });
    /// doc.rename("nmae", "name")?;
    /// assert_eq!(doc.to_json(), r#"{"name":"Ada","age":36}"#);
    /// assert!(doc.rename("name", "age").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::WrongType`] if this is no object, has no entry `from`, or has another entry `to`.
    pub fn rename(&mut self, from: &str, to: impl Into<Key>) -> Result<()> {
        let to = to.into();
        if self.kind() != Kind::Object {
            return Err(wrong_type(self.by_ref(), Path::root(), "object"));
        }
        if self.by_ref().get(from).is_none() {
            return Err(missing(&Path::root().key(from), "a value"));
        }
        if to == from {
            return Ok(());
        }
        if let Some(taken) = self.by_ref().get(&to) {
            return Err(wrong_type(taken, Path::root().with(to), "nothing"));
        }
        self.object_or(Path::root, 0)?.rename(from, to);
        Ok(())
    }

    /// As [`Value::rename`], of the entry that `path` leads to.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "user": { "nmae": "Ada" } });
    /// doc.rename_at(&Path::parse(".user.nmae")?, "name")?;
    /// assert_eq!(doc, value!({ "user": { "name": "Ada" } }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Value::rename`], and [`crate::Error::InvalidPath`] if the path does not end in a key.
    pub fn rename_at(&mut self, path: &Path, to: impl Into<Key>) -> Result<()> {
        let Some((Segment::Key(from), parents)) = path.segments().split_last() else {
            return Err(path.error("only a key can be renamed; the path must end in one"));
        };
        let object = path.prefix(parents.len());
        let place = self.existing_mut(&object, "object", 0)?;
        place.rename(from, to).map_err(|error| error.under(&object))
    }

    /// Removes the entries that `keep` says false of, and returns how many. It is asked once for each entry,
    /// in order. O(n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "a": 1, "b": null, "c": 2 });
    /// assert_eq!(doc.retain_entries(|_, value| !value.is_null())?, 1);
    /// assert_eq!(doc, value!({ "a": 1, "c": 2 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::WrongType`] if this is no object.
    pub fn retain_entries(
        &mut self,
        mut keep: impl FnMut(&str, ValueRef<'_>) -> bool,
    ) -> Result<usize> {
        if self.kind() != Kind::Object {
            return Err(wrong_type(self.by_ref(), Path::root(), "object"));
        }
        let flags: Vec<bool> = self
            .by_ref()
            .entries()
            .map(|(key, value)| keep(key, value))
            .collect();
        let removed = flags.iter().filter(|keep| !**keep).count();
        if removed > 0 {
            let object = self.object_or(Path::root, 0)?;
            let kept = object.iter().zip(flags).filter(|(_, keep)| *keep);
            let entries = kept.map(|((key, value), _)| (key.clone(), value.clone()));
            *self = Value::from_entries(entries.collect());
        }
        Ok(removed)
    }
}
