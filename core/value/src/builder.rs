//! Building an object or an array step by step, where `value!` is too rigid.

use crate::{Error, Key, Limits, Merge, Path, Result, Value, ValueRef};

/// What a builder takes: everything that `Value::from` takes, and floats.
pub trait IntoValue {
    /// The value.
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] for a float that is not finite.
    fn into_value(self) -> Result<Value>;
}

impl<T: Into<Value>> IntoValue for T {
    fn into_value(self) -> Result<Value> {
        Ok(self.into())
    }
}

impl IntoValue for f64 {
    fn into_value(self) -> Result<Value> {
        self.try_into()
    }
}

/// An object under construction; see [`Value::build_object`].
///
/// What goes wrong is kept, and [`ObjectBuilder::build`] says it: the first error, after which nothing more is
/// done.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ObjectBuilder(Result<Value>);

/// An array under construction; see [`Value::build_array`]. Errors are kept as by [`ObjectBuilder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ArrayBuilder(Result<Value>);

/// Building step by step.
impl Value {
    /// Begins an object.
    ///
    /// ```
    /// use statewright_value::{Path, Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let (nickname, admin) = (None::<&str>, true);
    /// let defaults = value!({ "lang": "en", "theme": "light" });
    /// let user = Value::build_object()
    ///     .merge(&defaults)
    ///     .set("name", "ada")
    ///     .set_some("nickname", nickname)
    ///     .set_if(admin, "role", "admin")
    ///     .set_at(&Path::parse(".limits.cpu")?, 0.5)
    ///     .transform("name", |name| Ok(name.as_str().unwrap_or_default().to_uppercase().into()))
    ///     .build()?;
    /// let expected = r#"{"lang":"en","theme":"light","name":"ADA","role":"admin","limits":{"cpu":0.5}}"#;
    /// assert_eq!(user.to_json(), expected);
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_object() -> ObjectBuilder {
        ObjectBuilder(Ok(Value::object()))
    }

    /// Begins an array.
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let dry_run = false;
    /// let steps = Value::build_array()
    ///     .push("check")
    ///     .push_if(!dry_run, "apply")
    ///     .extend(["notify", "clean"])
    ///     .build()?;
    /// assert_eq!(steps, value!(["check", "apply", "notify", "clean"]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_array() -> ArrayBuilder {
        ArrayBuilder(Ok(Value::array()))
    }
}

impl ObjectBuilder {
    /// Puts a value under a key, replacing what is there. O(log n), as [`Value::insert`].
    pub fn set(self, key: impl Into<Key>, value: impl IntoValue) -> Self {
        self.then(|object| object.insert(key, value.into_value()?).map(drop))
    }

    /// As [`ObjectBuilder::set`] if `condition` holds; nothing if not.
    pub fn set_if(self, condition: bool, key: impl Into<Key>, value: impl IntoValue) -> Self {
        if condition {
            self.set(key, value)
        } else {
            self
        }
    }

    /// As [`ObjectBuilder::set`] if there is a value; nothing if not (while `set` of a `None` sets null).
    pub fn set_some(self, key: impl Into<Key>, value: Option<impl IntoValue>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// Puts a value at a path, creating objects on the way, as [`Value::set`] does.
    pub fn set_at(self, path: &Path, value: impl IntoValue) -> Self {
        self.then(|object| object.set(path, value.into_value()?))
    }

    /// Sets every entry of another object; [`ObjectBuilder::merge_with`] goes deeper. O(its entries).
    pub fn merge(self, other: &Value) -> Self {
        self.merge_with(other, &Merge::shallow())
    }

    /// Merges another object in, as [`Value::merge`] does.
    pub fn merge_with(self, other: &Value, how: &Merge) -> Self {
        self.then(|object| match other.as_object() {
            Some(other) => object.merge(other.value(), how),
            None => Err(Error::WrongType {
                path: Path::root(),
                expected: "object",
                found: other.kind().name(),
            }),
        })
    }

    /// Replaces what is under a key by what `change` makes of it; nothing if there is no such key.
    pub fn transform(
        self,
        key: impl Into<Key>,
        change: impl FnOnce(Value) -> Result<Value>,
    ) -> Self {
        let key = key.into();
        self.then(|object| match object.get(&key) {
            Some(value) => object.insert(key, change(value)?).map(drop),
            None => Ok(()),
        })
    }

    /// The object. O(1).
    ///
    /// # Errors
    /// The first of any step: of a conversion, as [`Error::NotRepresentable`] for NaN; [`Error::WrongType`],
    /// [`Error::Limit`] if it would nest deeper than [`crate::MAX_DEPTH`]; that of a `transform`.
    pub fn build(self) -> Result<Value> {
        self.0
    }

    /// The object, checked as by [`Value::check`]. O(size).
    ///
    /// # Errors
    /// As [`ObjectBuilder::build`], and [`Error::Limit`].
    pub fn build_within(self, limits: &Limits) -> Result<Value> {
        checked(self.0, limits)
    }

    fn then(self, step: impl FnOnce(&mut Value) -> Result<()>) -> Self {
        ObjectBuilder(then(self.0, step))
    }
}

impl ArrayBuilder {
    /// Appends a value. O(1) on average.
    pub fn push(self, value: impl IntoValue) -> Self {
        ArrayBuilder(then(self.0, |array| array.push(value.into_value()?)))
    }

    /// As [`ArrayBuilder::push`] if `condition` holds; nothing if not.
    pub fn push_if(self, condition: bool, value: impl IntoValue) -> Self {
        if condition { self.push(value) } else { self }
    }

    /// Appends all of them. O(their number).
    pub fn extend(self, values: impl IntoIterator<Item = impl IntoValue>) -> Self {
        ArrayBuilder(then(self.0, |array| {
            values
                .into_iter()
                .try_for_each(|value| array.push(value.into_value()?))
        }))
    }

    /// The array. O(1).
    ///
    /// # Errors
    /// The first of any step, as by [`ObjectBuilder::build`].
    pub fn build(self) -> Result<Value> {
        self.0
    }

    /// The array, checked as by [`Value::check`]. O(size).
    ///
    /// # Errors
    /// As [`ArrayBuilder::build`], and [`Error::Limit`].
    pub fn build_within(self, limits: &Limits) -> Result<Value> {
        checked(self.0, limits)
    }
}

fn then(built: Result<Value>, step: impl FnOnce(&mut Value) -> Result<()>) -> Result<Value> {
    let mut value = built?;
    step(&mut value)?;
    Ok(value)
}

fn checked(built: Result<Value>, limits: &Limits) -> Result<Value> {
    let value = built?;
    value.check(limits)?;
    Ok(value)
}

/// For [`crate::assert_value_eq!`]: where the two differ, if they do.
#[doc(hidden)]
pub fn difference(left: ValueRef<'_>, right: ValueRef<'_>) -> Option<String> {
    /// The most places shown.
    const PLACES: usize = 20;
    /// The most characters shown of a value.
    const SHOWN: usize = 200;
    if left == right {
        return None;
    }
    let show = |value: &Option<Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => {
            let json = value.to_json();
            match json.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}…", json.get(..end).unwrap_or_default()),
                None => json,
            }
        }
    };
    let mut changes = crate::changes(left, right);
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let mut text = format!("the values differ at {} place(s)", changes.len());
    for change in changes.iter().take(PLACES) {
        let (before, after) = (show(&change.before), show(&change.after));
        text += &format!("\n  {}: left {before}, right {after}", change.path);
    }
    if changes.len() > PLACES {
        text += &format!("\n  … and {} more", changes.len() - PLACES);
    }
    Some(text)
}
