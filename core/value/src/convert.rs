//! Conversions from Rust's own types, and to and from `serde_json`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::intern::KeyCache;
use crate::json::bytes_as_json;
use crate::text::Text;
use crate::value::Repr;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Error, Value};

macro_rules! from_integer {
    ($($small:ty),+) => {$(
        impl From<$small> for Value {
            fn from(int: $small) -> Self {
                Value(Repr::Int(int.into()))
            }
        }
    )+};
}

from_integer!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Value {
    fn from(uint: u64) -> Self {
        Value(i64::try_from(uint).map_or(Repr::Uint(uint), Repr::Int))
    }
}

impl From<usize> for Value {
    fn from(uint: usize) -> Self {
        Value::from(uint as u64)
    }
}

impl From<isize> for Value {
    fn from(int: isize) -> Self {
        Value::from(int as i64)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Value(Repr::Bool(bool))
    }
}

/// Refuses NaN and the infinities with [`Error::NotRepresentable`]; see also [`Value::from_f64`].
impl TryFrom<f64> for Value {
    type Error = Error;

    fn try_from(float: f64) -> Result<Self, Error> {
        Value::from_f64(float).ok_or_else(|| {
            Error::not_representable_at(
                crate::Path::root(),
                format!("{float} is not a finite number; use null or a text"),
            )
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value(Repr::Text(Text::from(text)))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::text(text)
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Value::text(text),
            Cow::Owned(text) => Value::from(text),
        }
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Value(Repr::Text(Text::from(text)))
    }
}

/// An array. The depth is not checked here; what takes the value in checks it, see [`Value::check`].
impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Value::from_items(items)
    }
}

impl<const N: usize> From<[Value; N]> for Value {
    fn from(items: [Value; N]) -> Self {
        Value::from(Vec::from(items))
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// Null for none.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Value::NULL, Into::into)
    }
}

/// Collects an array; the depth is not checked, see [`Value::check`].
impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Value::from(exactly(items.into_iter()))
    }
}

/// `collect`, but without room for a fourth of three: most containers are small, and stay as they are.
fn exactly<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut collected = Vec::with_capacity(items.size_hint().0);
    collected.extend(items);
    collected
}

/// Collects an object: of equal keys the last value wins, at the position of the first. The depth is not
/// checked, see [`Value::check`].
impl<K: Into<crate::Key>, V: Into<Value>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        Value::from_entries(exactly(
            entries.map(|(key, value)| (key.into(), value.into())),
        ))
    }
}

/// The same JSON value; floats and integers stay what they are. Recurses as deep as the value is, like all of
/// `serde_json`.
impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        from_serde_json(json, &mut KeyCache::default())
    }
}

fn from_serde_json(json: &serde_json::Value, keys: &mut KeyCache) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::NULL,
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::from(int),
            (_, Some(uint)) => Value::from(uint),
            _ => number
                .as_f64()
                .and_then(Value::from_f64)
                .unwrap_or_default(),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => items
            .iter()
            .map(|item| from_serde_json(item, keys))
            .collect(),
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| (keys.share(key), from_serde_json(value, keys)))
            .collect(),
    }
}

/// The same JSON value; bytes and the kinds that JSON lacks become what they print as, see
/// [`Value::to_json`], but a decimal whose digits a double cannot hold becomes text.
impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        use serde_json::Value as Json;
        let mut open: Vec<(Json, String)> = Vec::new(); // a container and the key its next value gets
        for event in Walk::new(value.by_ref()) {
            let finished = match event {
                Event::Scalar(scalar) => scalar_to_json(scalar),
                Event::Array(array) => {
                    open.push((Json::Array(Vec::with_capacity(array.len())), String::new()));
                    continue;
                }
                Event::Object(object) => {
                    let map = serde_json::Map::with_capacity(object.len());
                    open.push((Json::Object(map), String::new()));
                    continue;
                }
                Event::Key(next) => {
                    if let Some((_, key)) = open.last_mut() {
                        *key = next.to_owned();
                    }
                    continue;
                }
                Event::End => open
                    .pop()
                    .map(|(container, _)| container)
                    .unwrap_or_default(),
            };
            match open.last_mut() {
                Some((Json::Array(items), _)) => items.push(finished),
                Some((Json::Object(map), key)) => drop(map.insert(std::mem::take(key), finished)),
                _ => return finished,
            }
        }
        Json::Null // not reached: the walk ends with the outermost value
    }
}

fn scalar_to_json(scalar: Data<'_>) -> serde_json::Value {
    match scalar {
        Data::Bool(bool) => bool.into(),
        Data::Int(int) => int.into(),
        Data::Uint(uint) => uint.into(),
        Data::Float(float) => float.into(),
        Data::Text(text) => text.into(),
        Data::Bytes(bytes) => bytes_as_json(bytes),
        Data::Extended(extended) => extended.to_serde_json(),
        Data::Null | Data::Array | Data::Object => serde_json::Value::Null,
    }
}

/// As `From<&serde_json::Value>`.
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        Value::from(&json)
    }
}
