//! The `value!` macro.

use crate::Value;

/// Builds a [`Value`](crate::Value) from JSON-like text with Rust expressions in it.
///
/// Keys are string literals or parenthesised expressions; anything that converts with `Value::from` can be
/// a value, and so can floats (a float that is not finite becomes null, as in JavaScript's
/// `JSON.stringify`; use `Value::try_from` to be told). The depth is not checked, see
/// [`Value::check`](crate::Value::check).
///
/// ```
/// use statewright_value::value;
/// let key = "total".to_string();
/// let order = value!({ "id": 17, "tags": ["new", null, true], (key): 9.5, });
/// assert_eq!(order.to_json(), r#"{"id":17,"tags":["new",null,true],"total":9.5}"#);
/// ```
#[macro_export]
macro_rules! value {
    (@items [$($done:expr,)*]) => { $crate::Value::from(::std::vec![$($done),*]) };
    (@items [$($done:expr,)*] null $(, $($rest:tt)*)?) => {
        $crate::value!(@items [$($done,)* $crate::Value::NULL,] $($($rest)*)?)
    };
    (@items [$($done:expr,)*] [$($array:tt)*] $(, $($rest:tt)*)?) => {
        $crate::value!(@items [$($done,)* $crate::value!([$($array)*]),] $($($rest)*)?)
    };
    (@items [$($done:expr,)*] {$($object:tt)*} $(, $($rest:tt)*)?) => {
        $crate::value!(@items [$($done,)* $crate::value!({$($object)*}),] $($($rest)*)?)
    };
    (@items [$($done:expr,)*] $item:expr $(, $($rest:tt)*)?) => {
        $crate::value!(@items [$($done,)* $crate::value!($item),] $($($rest)*)?)
    };

    (@entries [$($done:expr,)*]) => {
        <$crate::Value as ::std::iter::FromIterator<(::std::sync::Arc<str>, $crate::Value)>>::from_iter(
            [$($done),*]
        )
    };
    (@entries [$($done:expr,)*] ($key:expr) : $($rest:tt)*) => {
        $crate::value!(@entry [$($done,)*] ($key) $($rest)*)
    };
    (@entries [$($done:expr,)*] $key:literal : $($rest:tt)*) => {
        $crate::value!(@entry [$($done,)*] ($key) $($rest)*)
    };
    (@entry [$($done:expr,)*] ($key:expr) null $(, $($rest:tt)*)?) => {
        $crate::value!(
            @entries [$($done,)* (::std::sync::Arc::<str>::from($key), $crate::Value::NULL),]
            $($($rest)*)?
        )
    };
    (@entry [$($done:expr,)*] ($key:expr) [$($array:tt)*] $(, $($rest:tt)*)?) => {
        $crate::value!(
            @entries [$($done,)* (::std::sync::Arc::<str>::from($key), $crate::value!([$($array)*])),]
            $($($rest)*)?
        )
    };
    (@entry [$($done:expr,)*] ($key:expr) {$($object:tt)*} $(, $($rest:tt)*)?) => {
        $crate::value!(
            @entries [$($done,)* (::std::sync::Arc::<str>::from($key), $crate::value!({$($object)*})),]
            $($($rest)*)?
        )
    };
    (@entry [$($done:expr,)*] ($key:expr) $value:expr $(, $($rest:tt)*)?) => {
        $crate::value!(
            @entries [$($done,)* (::std::sync::Arc::<str>::from($key), $crate::value!($value)),]
            $($($rest)*)?
        )
    };

    (null) => { $crate::Value::NULL };
    ([]) => { $crate::Value::array() };
    ([$($items:tt)+]) => { $crate::value!(@items [] $($items)+) };
    ({}) => { $crate::Value::object() };
    ({$($entries:tt)+}) => { $crate::value!(@entries [] $($entries)+) };
    ($value:expr) => { $crate::__private::Expression::into_value($value) };
}

/// Asserts that two values are equal, and panics with every place at which they differ if they are not: for
/// tests. Takes `Value`s and `&Value`s, and a message with arguments after them.
///
/// ```
/// use statewright_value::{assert_value_eq, value};
/// assert_value_eq!(value!({ "a": 1, "b": [2] }), value!({ "b": [2], "a": 1 }));
/// ```
///
/// ```should_panic
/// use statewright_value::{assert_value_eq, value};
/// // the values differ at 1 place(s)
/// //   .b[0]: left 2, right 3
/// assert_value_eq!(value!({ "a": 1, "b": [2] }), value!({ "b": [3], "a": 1 }));
/// ```
#[macro_export]
macro_rules! assert_value_eq {
    ($left:expr, $right:expr $(,)?) => {
        $crate::assert_value_eq!($left, $right, "`{}` == `{}`", stringify!($left), stringify!($right))
    };
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                let (left, right): (&$crate::Value, &$crate::Value) =
                    (::std::borrow::Borrow::borrow(left), ::std::borrow::Borrow::borrow(right));
                let difference = $crate::__private::difference(left.by_ref(), right.by_ref());
                if let ::std::option::Option::Some(difference) = difference {
                    ::std::panic!("{}: {difference}", ::std::format_args!($($message)+));
                }
            }
        }
    };
}

/// What may stand as an expression in [`value!`](crate::value!).
#[doc(hidden)]
pub trait Expression {
    fn into_value(self) -> Value;
}

impl<T: Into<Value>> Expression for T {
    fn into_value(self) -> Value {
        self.into()
    }
}

impl Expression for f64 {
    fn into_value(self) -> Value {
        Value::from_f64(self).unwrap_or_default()
    }
}
