//! serde, outwards and inwards: a value as `Serialize`, and any `Serialize` as a value.

use std::fmt;

use serde::ser::{self, Impossible, Serialize, SerializeMap};

use crate::extended::Extended;
use crate::json::{BYTES_KEY, bytes_to_base64};
use crate::limits::SERDE_DEPTH;
use crate::object::Entry;
use crate::value::Repr;
use crate::value_ref::Data;
use crate::{Error, File, Key, Result, Segment, Value, ValueRef};

/// Any format. Bytes go as bytes to binary formats and as `{"$bytes":"<base64>"}` to readable ones; decimals
/// as numbers to readable formats where a double has all their digits, else as text; temporals as text (ISO
/// 8601, RFC 3339) and files as maps. Fails for
/// values nested deeper than 128, since serde recurses.
impl Serialize for Value {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.by_ref().serialize(serializer)
    }
}

/// As [`Value`] does.
impl Serialize for ValueRef<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested {
            value: *self,
            level: 0,
        }
        .serialize(serializer)
    }
}

struct Nested<'a> {
    value: ValueRef<'a>,
    level: usize,
}

impl Serialize for Nested<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let level = self.level + 1;
        let nested = |value| Nested { value, level };
        match self.value.data() {
            Data::Null => serializer.serialize_unit(),
            Data::Bool(bool) => serializer.serialize_bool(bool),
            Data::Int(int) => serializer.serialize_i64(int),
            Data::Uint(uint) => serializer.serialize_u64(uint),
            Data::Float(float) => serializer.serialize_f64(float),
            Data::Text(text) => serializer.serialize_str(text),
            Data::Bytes(bytes) => serializer.serialize_newtype_struct(BYTES_NAME, &Bytes(bytes)),
            Data::Extended(Extended::File(file)) => {
                serializer.serialize_newtype_struct(FILE_NAME, &file.to_serde_json())
            }
            Data::Extended(extended) => {
                serializer.serialize_newtype_struct(EXACT_NAME, &Exact(extended))
            }
            Data::Array | Data::Object if level > SERDE_DEPTH => {
                Err(ser::Error::custom(too_deep()))
            }
            Data::Array => serializer.collect_seq(self.value.items().map(nested)),
            Data::Object => serializer.collect_map(
                self.value
                    .entries()
                    .map(|(key, value)| (key, nested(value))),
            ),
        }
    }
}

/// Bytes in the form that suits the format. Formats ignore the name of a newtype; [`Serializer`] knows it and
/// takes the bytes as they are.
struct Bytes<'a>(&'a [u8]);

const BYTES_NAME: &str = "statewright::Bytes";

/// The name around the object that a file is in every format; [`Serializer`] makes a file of it again.
const FILE_NAME: &str = "statewright::File";

/// The name around [`Exact`], which [`Serializer`] knows.
pub(crate) const EXACT_NAME: &str = "statewright::Exact";

/// A number or text in other formats, printed plainly. Printed with `{:#}`, as [`Serializer`] does, it is
/// the extension type and payload of MessagePack in hexadecimal, so that the kind is kept.
pub(crate) struct Exact<'a>(pub(crate) &'a Extended);

impl Serialize for Exact<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = serializer.is_human_readable();
        match self.0.exact_number().filter(|_| readable) {
            Some(number) => serializer.serialize_f64(number),
            None => serializer.collect_str(self),
        }
    }
}

impl fmt::Display for Exact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return self.0.fmt(f);
        }
        let (kind, payload) = self.0.to_ext();
        write!(f, "{:02x}", kind)?;
        (payload.as_bytes().iter()).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Exact<'_> {
    /// Reads what is printed with `{:#}`.
    pub(crate) fn read(hex: &str) -> Option<Value> {
        let mut bytes = hex.as_bytes().chunks(2).map(|pair| {
            let digits = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        let kind = bytes.next()?? as i8;
        let payload: Vec<u8> = bytes.collect::<Option<_>>()?;
        let extended = Extended::from_ext(kind, &payload).ok()?;
        Some(Value(Repr::Extended(extended)))
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self.0);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(BYTES_KEY, &bytes_to_base64(self.0))?;
        map.end()
    }
}

fn too_deep() -> Error {
    Error::Limit {
        what: "nesting depth",
        limit: SERDE_DEPTH,
        at: "through serde".into(),
    }
}

impl Value {
    /// Makes a value of anything that implements serde's `Serialize`, in the shape it has in JSON: structs
    /// and maps become objects, `None` and `()` null, an enum variant its name or `{name: content}`; bytes
    /// stay bytes. Map keys may be text, characters, integers, booleans or unit variants. O(size).
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// #[derive(serde::Serialize)]
    /// struct Line { sku: &'static str, price: f64 }
    /// let order = Value::from_serialize(&vec![Line { sku: "x-1", price: 9.5 }])?;
    /// assert_eq!(order, value!([{ "sku": "x-1", "price": 9.5 }]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] with the path for what a value cannot hold (NaN, infinities, integers
    /// beyond 64 bits, other map keys) and for errors of the type's own; [`Error::Limit`] beyond 128 levels.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
        value
            .serialize(Serializer {
                level: 0,
                readable: true,
            })
            .map_err(|error| match error {
                Error::Mismatch { path, reason } => Error::not_representable_at(path, reason),
                other => other,
            })
    }
}

impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Error::mismatch(message)
    }
}

/// Makes a value of what is serialized into it.
#[derive(Clone, Copy)]
struct Serializer {
    /// How many containers are open around it.
    level: usize,
    /// True, so that types take the shape they have in JSON, but for the bytes of a value.
    readable: bool,
}

impl Serializer {
    fn inner(self) -> Result<Serializer> {
        let level = self.level + 1;
        if level > SERDE_DEPTH {
            Err(too_deep())
        } else {
            Ok(Serializer { level, ..self })
        }
    }

    fn seq(self, len: Option<usize>, variant: Option<&'static str>) -> Result<SeqSerializer> {
        let inner = if variant.is_some() {
            self.inner()?.inner()?
        } else {
            self.inner()?
        };
        Ok(SeqSerializer {
            items: Vec::with_capacity(len.unwrap_or(0).min(1024)),
            inner,
            variant,
        })
    }

    fn map(self, len: Option<usize>, variant: Option<&'static str>) -> Result<MapSerializer> {
        let inner = if variant.is_some() {
            self.inner()?.inner()?
        } else {
            self.inner()?
        };
        let entries = Vec::with_capacity(len.unwrap_or(0).min(1024));
        Ok(MapSerializer {
            entries,
            key: Key::new(""),
            inner,
            variant,
        })
    }
}

fn in_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::from_entries(vec![(variant.into(), value)]),
        None => value,
    }
}

macro_rules! scalars {
    ($($method:ident $scalar:ty),+) => {$(
        fn $method(self, scalar: $scalar) -> Result<Value> {
            Ok(Value::from(scalar))
        }
    )+};
}

impl ser::Serializer for Serializer {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = SeqSerializer;
    type SerializeTuple = SeqSerializer;
    type SerializeTupleStruct = SeqSerializer;
    type SerializeTupleVariant = SeqSerializer;
    type SerializeMap = MapSerializer;
    type SerializeStruct = MapSerializer;
    type SerializeStructVariant = MapSerializer;

    scalars!(serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);
    scalars!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_str &str);

    fn serialize_i128(self, int: i128) -> Result<Value> {
        let small = i64::try_from(int)
            .map(Value::from)
            .or_else(|_| u64::try_from(int).map(Value::from));
        small.map_err(|_| Error::mismatch(format_args!("{int} does not fit 64 bits; use a text")))
    }

    fn serialize_u128(self, uint: u128) -> Result<Value> {
        let small = u64::try_from(uint).map(Value::from);
        small.map_err(|_| Error::mismatch(format_args!("{uint} does not fit 64 bits; use a text")))
    }

    fn serialize_f32(self, float: f32) -> Result<Value> {
        self.serialize_f64(float.into())
    }

    fn serialize_f64(self, float: f64) -> Result<Value> {
        Value::from_f64(float).ok_or_else(|| {
            Error::mismatch(format_args!(
                "{float} is not a finite number; use an Option or a text"
            ))
        })
    }

    fn serialize_char(self, c: char) -> Result<Value> {
        Ok(Value::text(c.encode_utf8(&mut [0; 4])))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value> {
        Ok(Value::bytes(bytes))
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::NULL)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::NULL)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value> {
        Ok(Value::NULL)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value> {
        Ok(Value::text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value> {
        let value = value.serialize(Serializer {
            readable: self.readable && name != BYTES_NAME && name != EXACT_NAME,
            ..self
        })?;
        if name == FILE_NAME {
            return File::try_from(value.by_ref())
                .map(Value::from)
                .map_err(Error::mismatch);
        }
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        self.readable
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value> {
        let value = value
            .serialize(self.inner()?)
            .map_err(|error| error.within(|| Segment::Key(variant.into())))?;
        Ok(in_variant(Some(variant), value))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<SeqSerializer> {
        self.seq(len, None)
    }

    fn serialize_tuple(self, len: usize) -> Result<SeqSerializer> {
        self.seq(Some(len), None)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<SeqSerializer> {
        self.seq(Some(len), None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<SeqSerializer> {
        self.seq(Some(len), Some(variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<MapSerializer> {
        self.map(len, None)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<MapSerializer> {
        self.map(Some(len), None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<MapSerializer> {
        self.map(Some(len), Some(variant))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, text: &T) -> Result<Value> {
        match self.readable {
            true => Ok(Value::from(text.to_string())),
            false => {
                Exact::read(&format!("{text:#}")).ok_or_else(|| Error::mismatch("no exact form"))
            }
        }
    }
}

struct SeqSerializer {
    items: Vec<Value>,
    inner: Serializer,
    variant: Option<&'static str>,
}

impl SeqSerializer {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        let at = self.items.len();
        let item = item.serialize(self.inner).map_err(|error| {
            let error = error.within(|| Segment::Index(at));
            match self.variant {
                Some(variant) => error.within(|| Segment::Key(variant.into())),
                None => error,
            }
        })?;
        self.items.push(item);
        Ok(())
    }

    fn finish(self) -> Value {
        in_variant(self.variant, Value::from(self.items))
    }
}

macro_rules! serialize_items {
    ($($of:ident $method:ident),+) => {$(
        impl ser::$of for SeqSerializer {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
                self.item(item)
            }

            fn end(self) -> Result<Value> {
                Ok(self.finish())
            }
        }
    )+};
}

serialize_items!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

struct MapSerializer {
    entries: Vec<Entry>,
    key: Key,
    inner: Serializer,
    variant: Option<&'static str>,
}

impl MapSerializer {
    fn entry<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<()> {
        let value = value.serialize(self.inner).map_err(|error| {
            let error = error.within(|| Segment::Key(key.clone()));
            match self.variant {
                Some(variant) => error.within(|| Segment::Key(variant.into())),
                None => error,
            }
        })?;
        self.entries.push((key, value));
        Ok(())
    }

    fn finish(self) -> Value {
        in_variant(self.variant, Value::from_entries(self.entries))
    }
}

impl SerializeMap for MapSerializer {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = key.serialize(KeySerializer)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let key = self.key.clone();
        self.entry(key, value)
    }

    fn end(self) -> Result<Value> {
        Ok(self.finish())
    }
}

macro_rules! serialize_fields {
    ($($of:ident),+) => {$(
        impl ser::$of for MapSerializer {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
                self.entry(key.into(), value)
            }

            fn end(self) -> Result<Value> {
                Ok(self.finish())
            }
        }
    )+};
}

serialize_fields!(SerializeStruct, SerializeStructVariant);

/// Makes an object key of what has one obvious text.
struct KeySerializer;

fn no_key<T>(found: &str) -> Result<T> {
    Err(Error::mismatch(format_args!(
        "a key must be text, a character, an integer or a boolean, found {found}"
    )))
}

macro_rules! printed_keys {
    ($($method:ident $scalar:ty),+) => {$(
        fn $method(self, scalar: $scalar) -> Result<Key> {
            Ok(scalar.to_string().into())
        }
    )+};
}

impl ser::Serializer for KeySerializer {
    type Ok = Key;
    type Error = Error;
    type SerializeSeq = Impossible<Key, Error>;
    type SerializeTuple = Impossible<Key, Error>;
    type SerializeTupleStruct = Impossible<Key, Error>;
    type SerializeTupleVariant = Impossible<Key, Error>;
    type SerializeMap = Impossible<Key, Error>;
    type SerializeStruct = Impossible<Key, Error>;
    type SerializeStructVariant = Impossible<Key, Error>;

    printed_keys!(serialize_bool bool, serialize_char char, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32);
    printed_keys!(serialize_i64 i64, serialize_i128 i128, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32);
    printed_keys!(serialize_u64 u64, serialize_u128 u128);

    fn serialize_str(self, text: &str) -> Result<Key> {
        Ok(text.into())
    }

    fn serialize_f32(self, _: f32) -> Result<Key> {
        no_key("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<Key> {
        no_key("a float")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Key> {
        no_key("bytes")
    }

    fn serialize_none(self) -> Result<Key> {
        no_key("nothing")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Key> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Key> {
        no_key("nothing")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Key> {
        no_key(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Key> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Key> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Key> {
        no_key(name)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq> {
        no_key("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple> {
        no_key("a tuple")
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct> {
        no_key(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        no_key(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        no_key("a map")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeStruct> {
        no_key(name)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        no_key(name)
    }
}
