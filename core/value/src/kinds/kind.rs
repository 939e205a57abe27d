//! The kinds of values, by name and by group, and what counts as true.

use std::fmt;

use crate::value_ref::Data;
use crate::{Value, ValueRef};

/// What a [`Value`] is. More kinds may come.
///
/// ```
/// use statewright_value::{Kind, value};
/// let kind = value!(1.5).kind();
/// assert!(kind.is_number() && kind.name() == "float" && Kind::from_name("float") == Some(kind));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number from −2⁶³ to 2⁶⁴−1.
    Integer,
    /// A finite IEEE 754 double.
    Float,
    /// An exact decimal number with a fixed number of digits after the point: 96 bits of digits.
    Decimal,
    /// Unicode text.
    Text,
    /// A byte string; JSON has none, see [`Value::to_json`].
    Bytes,
    /// A day of the Gregorian calendar, without a time zone.
    Date,
    /// A time of day with nanoseconds, without a time zone.
    Time,
    /// A moment with nanoseconds, and the offset from UTC it was noted at.
    DateTime,
    /// A length of time in seconds and nanoseconds, of either sign.
    Duration,
    /// A described blob, see [`crate::File`].
    File,
    /// A sequence of values.
    Array,
    /// Values by key, in insertion order.
    Object,
}

impl Kind {
    /// Every kind, in the order of values (where integers, floats and decimals are one: numbers).
    pub const ALL: [Kind; 14] = [
        Kind::Null,
        Kind::Bool,
        Kind::Integer,
        Kind::Float,
        Kind::Decimal,
        Kind::Text,
        Kind::Bytes,
        Kind::Date,
        Kind::Time,
        Kind::DateTime,
        Kind::Duration,
        Kind::File,
        Kind::Array,
        Kind::Object,
    ];

    /// The kind with this [`Kind::name`].
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is an integer, a float or a decimal.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Integer | Kind::Float | Kind::Decimal)
    }

    /// Whether it is a date, a time, a datetime or a duration.
    pub fn is_temporal(self) -> bool {
        matches!(
            self,
            Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration
        )
    }

    /// Whether it is an array or an object.
    pub fn is_container(self) -> bool {
        matches!(self, Kind::Array | Kind::Object)
    }

    /// The name used in messages, e.g. "integer".
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "boolean",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Decimal => "decimal",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::DateTime => "datetime",
            Kind::Duration => "duration",
            Kind::File => "file",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ValueRef<'_> {
    /// As [`Value::is_truthy`].
    pub fn is_truthy(self) -> bool {
        match self.data() {
            Data::Null => false,
            Data::Bool(bool) => bool,
            Data::Int(int) => int != 0,
            Data::Uint(uint) => uint != 0,
            Data::Float(float) => float != 0.0,
            Data::Text(_) | Data::Bytes(_) | Data::Array | Data::Object => !self.is_empty(),
            Data::Extended(extended) => !extended.is_zero(),
        }
    }
}

impl Value {
    /// Whether this counts as true where a condition is asked for: everything does but null, `false`, zero of
    /// any number or duration, and what is empty (text, bytes, array, object). O(1).
    ///
    /// ```
    /// # use statewright_value::value;
    /// assert!(value!("false").is_truthy() && value!([null]).is_truthy());
    /// assert!(!value!(-0.0).is_truthy() && !value!({}).is_truthy());
    /// ```
    pub fn is_truthy(&self) -> bool {
        self.by_ref().is_truthy()
    }
}
