//! serde, inwards and outwards: a value from any `Deserializer`, and a Rust type from a value.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor,
    value::BorrowedStrDeserializer,
};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::extended::Extended;
use crate::limits::SERDE_DEPTH;
use crate::ser::{EXACT_NAME, Exact};
use crate::value_ref::Data;
use crate::{Error, Kind, Limits, Result, Segment, Value, ValueRef};

/// From any self-describing format. Fails beyond 128 levels, for NaN and infinities, integers beyond 64 bits
/// and keys that are not text.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { level: 0 }.deserialize(deserializer)
    }
}

/// Reads a value with `level` containers open around it.
#[derive(Clone, Copy)]
struct ValueSeed {
    level: usize,
}

impl ValueSeed {
    fn inner<E: de::Error>(self) -> Result<ValueSeed, E> {
        let level = self.level + 1;
        if level > SERDE_DEPTH {
            return Err(E::custom(format_args!(
                "nesting depth exceeds the limit of {SERDE_DEPTH}"
            )));
        }
        Ok(ValueSeed { level })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Room made for a size hint before anything has been read.
const TRUSTED_HINT: usize = 64;

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTING)
    }

    /// Only our own deserializer comes here, see [`ExactAccess`].
    fn visit_enum<A: de::EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (name, content) = data.variant::<String>()?;
        let hex: String = de::VariantAccess::newtype_variant(content)?;
        match Exact::read(&hex).filter(|_| name == EXACT_NAME) {
            Some(value) => Ok(value),
            None => Err(de::Error::invalid_type(de::Unexpected::Enum, &self)),
        }
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::from(bool))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        Ok(Value::from(int))
    }

    fn visit_u64<E>(self, uint: u64) -> Result<Value, E> {
        Ok(Value::from(uint))
    }

    fn visit_i128<E: de::Error>(self, int: i128) -> Result<Value, E> {
        let small = i64::try_from(int)
            .map(Value::from)
            .or_else(|_| u64::try_from(int).map(Value::from));
        small.map_err(|_| E::custom(format_args!("{int} does not fit 64 bits")))
    }

    fn visit_u128<E: de::Error>(self, uint: u128) -> Result<Value, E> {
        u64::try_from(uint)
            .map(Value::from)
            .map_err(|_| E::custom(format_args!("{uint} does not fit 64 bits")))
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Value, E> {
        Value::from_f64(float)
            .ok_or_else(|| E::custom(format_args!("{float} is not a finite number")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::bytes(bytes))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.inner()?.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        self.inner()?.deserialize(deserializer)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(TRUSTED_HINT));
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::from(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0).min(TRUSTED_HINT));
        while let Some(key) = map.next_key::<String>()? {
            entries.push((crate::Key::new(&key), map.next_value_seed(inner)?));
        }
        Ok(Value::from_entries(entries))
    }
}

impl Value {
    /// Reads this value into a Rust type, which has the shape [`Value::from_serialize`] gives it.
    ///
    /// Integers and booleans are read from keys where a map's key type asks for them. O(size).
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the path inside this value and serde's message; [`Error::Limit`] beyond 128
    /// levels.
    ///
    /// ```
    /// # use statewright_value::{Value, value};
    /// #[derive(serde::Deserialize)]
    /// struct Line { price: u8 }
    /// let error = value!([{ "price": 5 }, { "price": 500 }]).deserialize::<Vec<Line>>().err();
    /// assert_eq!(
    ///     error.map(|error| error.to_string()).as_deref(),
    ///     Some("cannot read the value at `.[1].price`: invalid value: integer `500`, expected u8"),
    /// );
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        if self.depth_bound() as usize > SERDE_DEPTH {
            self.check(&Limits {
                max_depth: SERDE_DEPTH,
                ..Limits::unlimited()
            })?;
        }
        T::deserialize(Deserializer(self.by_ref()))
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::mismatch(message)
    }
}

#[derive(Clone, Copy)]
struct Deserializer<'a>(ValueRef<'a>);

macro_rules! decimals_as_integers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.data() {
                Data::Extended(extended) => match extended.whole() {
                    Some(int) => match i64::try_from(int) {
                        Ok(int) => visitor.visit_i64(int),
                        Err(_) => visitor.visit_i128(int),
                    },
                    None => self.deserialize_any(visitor),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Deserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.data() {
            Data::Null => visitor.visit_unit(),
            Data::Bool(bool) => visitor.visit_bool(bool),
            Data::Int(int) => match u64::try_from(int) {
                Ok(uint) => visitor.visit_u64(uint),
                Err(_) => visitor.visit_i64(int),
            },
            Data::Uint(uint) => visitor.visit_u64(uint),
            Data::Float(float) => visitor.visit_f64(float),
            Data::Text(text) => visitor.visit_borrowed_str(text),
            Data::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Data::Extended(extended) if reads_values(&visitor) => {
                visitor.visit_enum(ExactAccess(extended))
            }
            Data::Extended(Extended::File(file)) => {
                de::Deserializer::deserialize_any(file.to_serde_json(), visitor)
                    .map_err(Error::mismatch)
            }
            Data::Extended(extended) => visitor.visit_string(extended.to_string()),
            Data::Array => {
                let mut items = Items {
                    items: self.0.items(),
                    at: 0,
                };
                let value = visitor.visit_seq(&mut items)?;
                no_rest(value, items.items.len(), self.0.len())
            }
            Data::Object => {
                let mut entries = Entries {
                    entries: self.0.entries(),
                    current: None,
                };
                let value = visitor.visit_map(&mut entries)?;
                no_rest(value, entries.entries.len(), self.0.len())
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if let Some(name) = self.0.as_str() {
            return visitor.visit_enum(Variant {
                name,
                content: None,
            });
        }
        let mut entries = self.0.entries();
        match (entries.next(), entries.next()) {
            (Some((name, content)), None) => visitor.visit_enum(Variant {
                name,
                content: Some(content),
            }),
            _ => Err(Error::mismatch(format_args!(
                "expected the name of a variant or an object with that one key, found {}",
                self.0.kind()
            ))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    /// The nearest float of a decimal, as reading its JSON would give.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.data() {
            Data::Extended(extended) if extended.kind() == Kind::Decimal => {
                match extended.to_string().parse() {
                    Ok(float) => visitor.visit_f64(float),
                    Err(_) => self.deserialize_any(visitor), // not reached: always a number
                }
            }
            _ => self.deserialize_any(visitor),
        }
    }

    decimals_as_integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    forward_to_deserialize_any! {
        bool char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

/// What the visitor of a [`Value`] says it expects.
const EXPECTING: &str = "any value that JSON has, or bytes";

/// Whether a value is being read into a [`Value`], which then gets every kind as it is. A visitor cannot be
/// asked in another way, and formats other than ours must not notice.
fn reads_values<'de, V: Visitor<'de>>(visitor: &V) -> bool {
    let expected: &dyn de::Expected = visitor;
    expected.to_string() == EXPECTING
}

/// A scalar of a kind beyond JSON as a variant with its exact form: to the visitor of a [`Value`] only.
struct ExactAccess<'a>(&'a Extended);

impl<'de> de::EnumAccess<'de> for ExactAccess<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name: de::value::StrDeserializer<'_, Error> = EXACT_NAME.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for ExactAccess<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Err(Error::mismatch("it has content"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(format!("{:#}", Exact(self.0)).into_deserializer())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value> {
        self.unit_variant()
            .and(Err(Error::mismatch("it is one value")))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value> {
        self.unit_variant()
            .and(Err(Error::mismatch("it is one value")))
    }
}

/// A visitor that stops early has not understood the container.
fn no_rest<T>(value: T, rest: usize, len: usize) -> Result<T> {
    if rest > 0 {
        return Err(Error::mismatch(format_args!(
            "expected {} elements, found {len}",
            len - rest
        )));
    }
    Ok(value)
}

struct Items<'a> {
    items: crate::value_ref::Items<'a>,
    at: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        seed.deserialize(Deserializer(item))
            .map(Some)
            .map_err(|error| error.within(|| Segment::Index(at)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a> {
    entries: crate::value_ref::Entries<'a>,
    current: Option<(&'a str, ValueRef<'a>)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.entries.next();
        let Some((key, _)) = self.current else {
            return Ok(None);
        };
        seed.deserialize(Key(key))
            .map(Some)
            .map_err(|error| error.within(|| Segment::Key(key.into())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some((key, value)) = self.current.take() else {
            return Err(Error::mismatch("a value before its key"));
        };
        seed.deserialize(Deserializer(value))
            .map_err(|error| error.within(|| Segment::Key(key.into())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key of an object, which is text but may be read as what [`Value::from_serialize`] turned into text.
struct Key<'a>(&'a str);

macro_rules! parsed_keys {
    ($($method:ident $visit:ident),+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse() {
                Ok(parsed) => visitor.$visit(parsed),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    parsed_keys!(deserialize_bool visit_bool, deserialize_i8 visit_i8, deserialize_i16 visit_i16);
    parsed_keys!(deserialize_i32 visit_i32, deserialize_i64 visit_i64, deserialize_i128 visit_i128);
    parsed_keys!(deserialize_u8 visit_u8, deserialize_u16 visit_u16, deserialize_u32 visit_u32);
    parsed_keys!(deserialize_u64 visit_u64, deserialize_u128 visit_u128);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        BorrowedStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// A variant of an enum: its name, and its content unless it is a unit variant written as text.
struct Variant<'a> {
    name: &'a str,
    content: Option<ValueRef<'a>>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name: de::value::StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> Variant<'de> {
    fn content(self, expected: &'static str) -> Result<Deserializer<'de>> {
        self.content.map(Deserializer).ok_or_else(|| {
            Error::mismatch(format_args!(
                "variant `{}` needs {expected}: {{\"{}\": …}}",
                self.name, self.name
            ))
        })
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.content {
            None => Ok(()),
            Some(content) if content.is_null() => Ok(()),
            Some(_) => Err(Error::mismatch(format_args!(
                "variant `{}` has no content",
                self.name
            ))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let name = self.name;
        seed.deserialize(self.content("a value")?)
            .map_err(|error| error.within(|| Segment::Key(name.into())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        let name = self.name;
        let content = self.content("an array")?;
        de::Deserializer::deserialize_any(content, visitor)
            .map_err(|error| error.within(|| Segment::Key(name.into())))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let name = self.name;
        let content = self.content("an object")?;
        de::Deserializer::deserialize_any(content, visitor)
            .map_err(|error| error.within(|| Segment::Key(name.into())))
    }
}
