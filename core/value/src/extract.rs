//! Rust's own types out of values: the opposite of the `From` conversions.

use std::sync::Arc;

use crate::equal::integer;
use crate::{Error, Path, Result, Value, ValueRef};

/// `TryFrom` for a borrowed value, and the same for `&Value` and `Value`.
macro_rules! try_from {
    ($(#[$doc:meta])* $target:ty, $expected:expr, |$value:ident| $extract:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::WrongType`] for everything else.
        impl TryFrom<ValueRef<'_>> for $target {
            type Error = Error;

            fn try_from($value: ValueRef<'_>) -> Result<$target> {
                $extract.ok_or_else(|| Error::WrongType {
                    path: Path::root(),
                    expected: $expected,
                    found: $value.kind().name(),
                })
            }
        }

        /// As from a [`ValueRef`].
        impl TryFrom<&Value> for $target {
            type Error = Error;

            fn try_from(value: &Value) -> Result<$target> {
                value.by_ref().try_into()
            }
        }

        /// As from a [`ValueRef`].
        impl TryFrom<Value> for $target {
            type Error = Error;

            fn try_from(value: Value) -> Result<$target> {
                value.by_ref().try_into()
            }
        }
    };
}

macro_rules! try_from_integer {
    ($($target:ident)+) => {$(
        try_from!(
            /// An integer that fits; a float is never converted, not even `1.0` ([`Value::to_i64`] does). O(1).
            $target,
            concat!("an integer that fits ", stringify!($target)),
            |value| integer(value).and_then(|int| <$target>::try_from(int).ok())
        );
    )+};
}

try_from_integer!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

try_from!(
    /// A float, or an integer that a double holds exactly, as [`Value::as_f64`]. O(1).
    f64,
    "a float, or an integer that a double holds exactly",
    |value| value.as_f64()
);

try_from!(
    /// A boolean; [`Value::is_truthy`] asks any value. O(1).
    bool,
    "boolean",
    |value| value.as_bool()
);

try_from!(
    /// A text. O(its length).
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let row = value!({ "id": 17, "name": "Ada" });
    /// let id: u32 = row.get("id").unwrap_or_default().try_into()?;
    /// let name: String = row.get("name").unwrap_or_default().try_into()?;
    /// assert_eq!((id, name.as_str()), (17, "Ada"));
    /// let error = u8::try_from(value!(256)).unwrap_err();
    /// assert_eq!(error.to_string(), "expected an integer that fits u8 at `.`, found integer");
    /// # Ok(())
    /// # }
    /// ```
    String,
    "text",
    |value| value.as_str().map(str::to_owned)
);

try_from!(
    /// A text. O(its length).
    Arc<str>,
    "text",
    |value| value.as_str().map(Arc::from)
);

try_from!(
    /// A byte string. O(its length).
    Vec<u8>,
    "bytes",
    |value| value.as_bytes().map(<[u8]>::to_vec)
);

try_from!(
    /// The items of an array. O(their number).
    Vec<Value>,
    "array",
    |value| value.as_array().map(|items| items.iter().map(ValueRef::to_value).collect())
);
