//! Values known to have the shape of a Rust type: checked once, kept as what they are.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Result, Value};

/// A value and what it is as a `T`, read once. Dereferences to the `T`; a clone is two reference counts.
///
/// The value is kept as it came: keys that `T` does not know are still there.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statewright_value::{Typed, value};
/// # fn main() -> statewright_value::Result<()> {
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { name: String, age: u8 }
///
/// let mut user = Typed::<User>::new(value!({ "name": "Ada", "age": 36, "note": "x" }))?;
/// assert_eq!(user.name, "Ada");
/// assert_eq!(user.value().get("note"), Some(value!("x")));
/// assert!(Typed::<User>::new(value!({ "name": "Ada", "age": 300 })).is_err());
///
/// user.update(|user| user.age += 1)?;
/// assert_eq!(user.into_value(), value!({ "name": "Ada", "age": 37 }));
/// # Ok(())
/// # }
/// ```
pub struct Typed<T> {
    value: Value,
    read: Arc<T>,
}

impl<T> Typed<T> {
    /// Reads a value into `T`. O(size).
    ///
    /// # Errors
    /// As [`Value::deserialize`].
    pub fn new(value: Value) -> Result<Typed<T>>
    where
        T: DeserializeOwned,
    {
        let read = Arc::new(value.deserialize()?);
        Ok(Typed { value, read })
    }

    /// Makes the value of a `T`. O(size).
    ///
    /// # Errors
    /// As [`Value::from_serialize`].
    pub fn of(read: T) -> Result<Typed<T>>
    where
        T: Serialize,
    {
        Ok(Typed {
            value: Value::from_serialize(&read)?,
            read: Arc::new(read),
        })
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value alone.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The `T` alone; a clone if another clone of this holds it, too.
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        Arc::unwrap_or_clone(self.read)
    }

    /// Changes the `T`, and makes the value anew from it: what `T` does not know is gone then. O(size).
    ///
    /// # Errors
    /// As [`Value::from_serialize`]; nothing is changed then.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Clone + Serialize,
    {
        let mut read = T::clone(&self.read);
        let result = change(&mut read);
        *self = Typed::of(read)?;
        Ok(result)
    }
}

impl<T> Deref for Typed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.read
    }
}

impl<T> AsRef<T> for Typed<T> {
    fn as_ref(&self) -> &T {
        &self.read
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Typed {
            value: self.value.clone(),
            read: Arc::clone(&self.read),
        }
    }
}

/// By the values.
impl<T> PartialEq for Typed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Eq for Typed<T> {}

impl<T> Hash for Typed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// The value.
impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({})", self.value)
    }
}

/// The value.
impl<T> Serialize for Typed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// Any value that can be read into `T`.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Typed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <Value as Deserialize>::deserialize(deserializer)?;
        Typed::new(value).map_err(serde::de::Error::custom)
    }
}

impl<T> From<Typed<T>> for Value {
    fn from(typed: Typed<T>) -> Value {
        typed.value
    }
}

impl<T: DeserializeOwned> TryFrom<Value> for Typed<T> {
    type Error = crate::Error;

    fn try_from(value: Value) -> Result<Typed<T>> {
        Typed::new(value)
    }
}

/// A value checked with a schema, and read into a `T` when that is first asked for; feature `schema`.
///
/// For where the schema is the contract and reading costs something that is not always needed. A clone is
/// two reference counts, and shares what has been read.
///
/// ```
/// use serde::Deserialize;
/// use statewright_value::{Schema, Validated, value};
/// # fn main() -> statewright_value::Result<()> {
/// #[derive(Deserialize)]
/// struct Point { x: i64, y: i64 }
///
/// let schema = Schema::compile(value!({ "required": ["x", "y"] }).by_ref())?;
/// let point = Validated::<Point>::new(value!({ "x": 1, "y": 2 }), &schema)?;
/// assert_eq!(point.get()?.y, 2);
/// assert!(Validated::<Point>::new(value!({ "x": 1 }), &schema).is_err());
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "schema")]
pub struct Validated<T> {
    value: Value,
    read: Arc<std::sync::OnceLock<T>>,
}

#[cfg(feature = "schema")]
impl<T: DeserializeOwned> Validated<T> {
    /// Checks a value with a schema.
    ///
    /// # Errors
    /// As [`Schema::validate`](crate::Schema::validate).
    pub fn new(value: Value, schema: &crate::Schema) -> Result<Validated<T>> {
        schema.validate(value.by_ref())?;
        Ok(Validated {
            value,
            read: Arc::default(),
        })
    }

    /// The `T`, read the first time: O(size), then O(1).
    ///
    /// # Errors
    /// As [`Value::deserialize`]: the schema allowed what the type does not.
    pub fn get(&self) -> Result<&T> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let read = self.value.deserialize()?;
        Ok(self.read.get_or_init(|| read))
    }

    /// Whether the `T` has been read.
    pub fn is_read(&self) -> bool {
        self.read.get().is_some()
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value alone.
    pub fn into_value(self) -> Value {
        self.value
    }
}

#[cfg(feature = "schema")]
impl<T> Clone for Validated<T> {
    fn clone(&self) -> Self {
        Validated {
            value: self.value.clone(),
            read: Arc::clone(&self.read),
        }
    }
}

/// The value.
#[cfg(feature = "schema")]
impl<T> fmt::Debug for Validated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validated({})", self.value)
    }
}
