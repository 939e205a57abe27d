//! Values by category: eight where [`Kind`] has fourteen kinds, each with what belongs to it.

use std::fmt;

use crate::equal;
use crate::{Entries, File, Items, Kind, Value, ValueRef};

/// A group of kinds that a program mostly treats alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Null.
    Null,
    /// A boolean.
    Bool,
    /// An integer, a float or a decimal.
    Number,
    /// Text.
    Text,
    /// A byte string.
    Bytes,
    /// A date, a time, a datetime or a duration.
    Temporal,
    /// A file.
    File,
    /// An array or an object.
    Container,
}

impl Kind {
    /// The category of this kind.
    pub fn category(self) -> Category {
        match self {
            Kind::Null => Category::Null,
            Kind::Bool => Category::Bool,
            Kind::Integer | Kind::Float | Kind::Decimal => Category::Number,
            Kind::Text => Category::Text,
            Kind::Bytes => Category::Bytes,
            Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration => Category::Temporal,
            Kind::File => Category::File,
            Kind::Array | Kind::Object => Category::Container,
        }
    }
}

/// A value to be matched on; see [`ValueRef::view`].
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number of any kind.
    Number(Number<'a>),
    /// Text.
    Text(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A date, a time, a datetime or a duration; prints as ISO 8601.
    Temporal(ValueRef<'a>),
    /// A file.
    File(&'a File),
    /// An array.
    Array(ArrayRef<'a>),
    /// An object.
    Object(ObjectRef<'a>),
}

/// A number of any kind.
#[derive(Clone, Copy, Debug)]
pub enum Number<'a> {
    /// A whole number from −2⁶³ to 2⁶⁴−1.
    Integer(i128),
    /// A finite double.
    Float(f64),
    /// A decimal; `ValueRef::as_decimal` has it as a number (feature `decimal`).
    Decimal(ValueRef<'a>),
}

impl Number<'_> {
    /// The nearest double. O(1).
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Integer(int) => int as f64,
            Number::Float(float) => float,
            Number::Decimal(decimal) => decimal
                .extended()
                .and_then(|decimal| decimal.to_string().parse().ok())
                .unwrap_or_default(),
        }
    }

    /// The whole number, if it is one of any kind (`2`, `2.0`, the decimal `2.00`) and below 2¹²⁷.
    pub fn to_integer(self) -> Option<i128> {
        match self {
            Number::Integer(int) => Some(int),
            Number::Float(float) => {
                (float.fract() == 0.0 && float.abs() < 2f64.powi(127)).then_some(float as i128)
            }
            Number::Decimal(decimal) => decimal.extended()?.whole(),
        }
    }
}

/// An array, known to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArrayRef<'a>(ValueRef<'a>);

/// An object, known to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef<'a>(ValueRef<'a>);

impl<'a> ArrayRef<'a> {
    /// The number of items.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are no items.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Item `i`, counted from 0.
    pub fn get(self, i: usize) -> Option<ValueRef<'a>> {
        self.0.index(i)
    }

    /// The items.
    pub fn iter(self) -> Items<'a> {
        self.0.items()
    }

    /// The array as any value.
    pub fn value(self) -> ValueRef<'a> {
        self.0
    }
}

impl<'a> ObjectRef<'a> {
    /// The number of entries.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(self, key: &str) -> Option<ValueRef<'a>> {
        self.0.get(key)
    }

    /// The entries in insertion order.
    pub fn iter(self) -> Entries<'a> {
        self.0.entries()
    }

    /// The keys in insertion order.
    pub fn keys(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.0.entries().map(|(key, _)| key)
    }

    /// The values in insertion order.
    pub fn values(self) -> impl ExactSizeIterator<Item = ValueRef<'a>> {
        self.0.entries().map(|(_, value)| value)
    }

    /// The object as any value.
    pub fn value(self) -> ValueRef<'a> {
        self.0
    }
}

impl<'a> IntoIterator for ArrayRef<'a> {
    type Item = ValueRef<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for ObjectRef<'a> {
    type Item = (&'a str, ValueRef<'a>);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// As the value.
impl fmt::Debug for ArrayRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// As the value.
impl fmt::Debug for ObjectRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Views.
impl<'a> ValueRef<'a> {
    /// The value to be matched on by category. O(1).
    ///
    /// ```
    /// use statewright_value::{ValueRef, View, value};
    /// /// The sum of all numbers in a flat value.
    /// fn sum(value: ValueRef<'_>) -> f64 {
    ///     match value.view() {
    ///         View::Number(number) => number.to_f64(),
    ///         View::Array(array) => array.iter().map(sum).sum(),
    ///         View::Object(object) => object.values().map(sum).sum(),
    ///         _ => 0.0,
    ///     }
    /// }
    /// assert_eq!(sum(value!([1, 2.5, { "a": 3, "b": "x" }]).by_ref()), 6.5);
    /// ```
    pub fn view(self) -> View<'a> {
        if let Some(number) = self.as_number() {
            return View::Number(number);
        }
        match self.kind() {
            Kind::Bool => View::Bool(self.as_bool().unwrap_or_default()),
            Kind::Text => View::Text(self.as_str().unwrap_or_default()),
            Kind::Bytes => View::Bytes(self.as_bytes().unwrap_or_default()),
            Kind::Array => View::Array(ArrayRef(self)),
            Kind::Object => View::Object(ObjectRef(self)),
            kind if kind.is_temporal() => View::Temporal(self),
            _ => self.as_file().map_or(View::Null, View::File),
        }
    }

    /// The number, if it is one of any kind.
    pub fn as_number(self) -> Option<Number<'a>> {
        match self.kind() {
            Kind::Integer => equal::integer(self).map(Number::Integer),
            Kind::Float => self.as_f64().map(Number::Float),
            Kind::Decimal => Some(Number::Decimal(self)),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(self) -> Option<ArrayRef<'a>> {
        (self.kind() == Kind::Array).then_some(ArrayRef(self))
    }

    /// The object, if it is one.
    pub fn as_object(self) -> Option<ObjectRef<'a>> {
        (self.kind() == Kind::Object).then_some(ObjectRef(self))
    }
}

/// Views.
impl Value {
    /// As [`ValueRef::view`].
    pub fn view(&self) -> View<'_> {
        self.by_ref().view()
    }

    /// As [`ValueRef::as_number`].
    pub fn as_number(&self) -> Option<Number<'_>> {
        self.by_ref().as_number()
    }

    /// As [`ValueRef::as_array`].
    pub fn as_array(&self) -> Option<ArrayRef<'_>> {
        self.by_ref().as_array()
    }

    /// As [`ValueRef::as_object`].
    pub fn as_object(&self) -> Option<ObjectRef<'_>> {
        self.by_ref().as_object()
    }
}
