//! The value itself: its kinds, how to look into it, and how values compare.

use std::fmt;
use std::sync::Arc;

use crate::extended::Extended;
use crate::node::{Array, Items};
use crate::object::{self, Entry, Object, Wanted};
use crate::packed::{Document, View};
use crate::text::Text;
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{Error, File, Key, Kind, Limits, MAX_DEPTH, Path, Result, ValueRef};

/// An immutable JSON-native value: null, boolean, integer, float, decimal, text, bytes, date, time, datetime,
/// duration, file, array or object.
///
/// At most 24 bytes; a clone is at most one reference-count increment, whatever the size. Editing
/// ([`Value::set`], [`Value::insert`], …) works in place where nobody else holds the value and copies the
/// containers along the path where somebody does, so a clone never sees a change.
///
/// Integers cover `i64` and `u64` exactly. Floats are always finite: NaN and infinities are refused at
/// every entrance. Objects keep insertion order; equality, order and hash ignore it.
///
/// # Order
///
/// `Eq`, `Ord` and `Hash` agree. Kinds order as null < booleans < numbers < text < bytes < dates < times <
/// datetimes < durations < files < arrays < objects. Numbers order by exact numeric value; where an
/// integer, a float and a decimal have the same value they come in this order (so `1 != 1.0`), `-0.0`
/// comes before `0.0`, and of decimals of the same value the one with fewer digits after the point comes
/// first (so 12.5 and 12.50 are two values, as they print differently). Text orders by its UTF-8 bytes,
/// which is by code point; datetimes by moment and then by offset; arrays item by item; objects as the
/// sequence of their entries sorted by key.
///
/// # Cost of the first edit
///
/// What a decoder makes is packed: one buffer, with nothing in it to be changed. The first edit of a packed
/// container takes it apart into nodes, one level deep, which costs O(its entries) once, and so for each container
/// on the path; later edits of it do not. That goes for every edit ([`Value::set`], [`Value::insert_at`],
/// [`Value::merge_patch`], a [`crate::ValueTxn`], …), and again for another clone of the same packed value.
///
/// # Parts of a packed document
///
/// A container, a long text or a byte string out of a packed document (by [`Value::get`], [`Value::at`],
/// [`Value::take`], [`ValueRef::to_value`], …) shares its buffer: however small the part, the whole buffer stays in
/// memory as long as it does. [`Value::pack`] copies the part out.
///
/// No method recurses into the value, so none can exhaust the stack.
///
/// ```
/// use statewright_value::{Path, Value, value};
/// # fn main() -> statewright_value::Result<()> {
/// let mut order = value!({ "id": 17, "lines": [{ "price": 5 }] });
/// let before = order.clone();
/// order.set(&Path::parse(".lines[0].price")?, Value::from(6))?;
/// assert_eq!(order.to_json(), r#"{"id":17,"lines":[{"price":6}]}"#);
/// assert_eq!(before, value!({ "lines": [{ "price": 5 }], "id": 17 }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Value(pub(crate) Repr);

#[derive(Clone, Default)]
pub(crate) enum Repr {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Only what `i64` cannot hold, so every integer has one form.
    Uint(u64),
    /// Always finite.
    Float(f64),
    Text(Text),
    Bytes(Arc<[u8]>),
    Extended(Extended),
    Array(triomphe::Arc<Array>),
    Object(triomphe::Arc<Object>),
    /// A container, text or byte string inside a packed document.
    Packed(Document, u64),
}

const _: () = assert!(size_of::<Value>() <= 24);

/// Making values; see also the `From` conversions and [`crate::value!`].
impl Value {
    /// Null, also the default.
    pub const NULL: Value = Value(Repr::Null);

    /// An empty array.
    pub fn array() -> Value {
        Value::from(Vec::new())
    }

    /// An empty object.
    pub fn object() -> Value {
        Value::from_entries(Vec::new()) // of depth 1, as no default is
    }

    /// Text; up to 22 bytes need no allocation. `From<Arc<str>>` shares a longer one.
    pub fn text(text: &str) -> Value {
        Value(Repr::Text(Text::from(text)))
    }

    /// A byte string. An `Arc<[u8]>` is shared, not copied.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Value {
        Value(Repr::Bytes(bytes.into()))
    }

    /// A float; none for NaN and the infinities, which no value can hold.
    pub fn from_f64(float: f64) -> Option<Value> {
        float.is_finite().then_some(Value(Repr::Float(float)))
    }

    pub(crate) fn from_entries(entries: Vec<Entry>) -> Value {
        Value(Repr::Object(triomphe::Arc::new(Object::new(entries))))
    }

    pub(crate) fn from_items(items: Vec<Value>) -> Value {
        Value(Repr::Array(triomphe::Arc::new(Array::new(items))))
    }
}

/// Looking into values. Children come by value: a clone is cheap, and forms of a value to come have no
/// `&Value` to lend.
impl Value {
    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        self.by_ref().kind()
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Repr::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        self.by_ref().as_bool()
    }

    /// The integer, if it is one and fits. Floats are never converted, not even `1.0`.
    pub fn as_i64(&self) -> Option<i64> {
        self.by_ref().as_i64()
    }

    /// The integer, if it is one and fits. Floats are never converted, not even `1.0`.
    pub fn as_u64(&self) -> Option<u64> {
        self.by_ref().as_u64()
    }

    /// The float, or an integer that a float holds exactly (all up to ±2⁵³, some beyond). Decimals are not
    /// converted.
    pub fn as_f64(&self) -> Option<f64> {
        self.by_ref().as_f64()
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        self.by_ref().as_str()
    }

    /// The bytes, if it is a byte string. Text is not converted; use [`Value::as_str`].
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.by_ref().as_bytes()
    }

    /// The file, if it is one.
    pub fn as_file(&self) -> Option<&File> {
        self.by_ref().as_file()
    }

    /// Items of an array, entries of an object, bytes of a text or byte string; 0 for the other kinds. O(1).
    pub fn len(&self) -> usize {
        self.by_ref().len()
    }

    /// Whether [`Value::len`] is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of an object's key: a scan of the few keys of a small object, O(log n) in a large one.
    /// None when there is no such key or this is no object. What it gives may [keep the whole
    /// buffer](Value#parts-of-a-packed-document) alive.
    ///
    /// ```
    /// use statewright_value::value;
    /// let user = value!({ "name": "Ada", "age": null });
    /// assert_eq!(user.get("name"), Some(value!("Ada")));
    /// assert_eq!((user.get("age"), user.get("nmae")), (Some(value!(null)), None));
    /// ```
    pub fn get(&self, key: &str) -> Option<Value> {
        self.by_ref().get(key).map(ValueRef::to_value)
    }

    /// Item `i` of an array, counted from 0; O(1), O(log n) once a large array has been changed. None past
    /// the end or when this is no array.
    ///
    /// ```
    /// use statewright_value::value;
    /// let list = value!(["a", "b"]);
    /// assert_eq!((list.index(1), list.index(2)), (Some(value!("b")), None));
    /// ```
    pub fn index(&self, i: usize) -> Option<Value> {
        self.by_ref().index(i).map(ValueRef::to_value)
    }

    /// The value at `path`, if there is one; costs one lookup per segment. What it gives may [keep the whole
    /// buffer](Value#parts-of-a-packed-document) alive.
    pub fn at(&self, path: &Path) -> Option<Value> {
        self.by_ref().at(path).map(ValueRef::to_value)
    }

    /// Whether there is a value (null counts) at `path`.
    pub fn has(&self, path: &Path) -> bool {
        self.by_ref().has(path)
    }

    /// The entries of an object in insertion order; nothing for other kinds. O(1) for each.
    ///
    /// ```
    /// use statewright_value::value;
    /// let doc = value!({ "b": 1, "a": 2 });
    /// let keys: Vec<&str> = doc.entries().map(|(key, _)| key).collect();
    /// assert_eq!(keys, ["b", "a"]);
    /// ```
    pub fn entries(&self) -> impl Iterator<Item = (&str, Value)> {
        self.by_ref()
            .entries()
            .map(|(key, value)| (key, value.to_value()))
    }

    /// The items of an array; nothing for other kinds. O(1) for each.
    ///
    /// ```
    /// use statewright_value::value;
    /// assert_eq!(value!([1, 2]).items().filter_map(|item| item.as_i64()).sum::<i64>(), 3);
    /// ```
    pub fn items(&self) -> impl Iterator<Item = Value> {
        self.by_ref().items().map(ValueRef::to_value)
    }
}

/// The node form; nothing for the packed one.
impl Value {
    pub(crate) fn member<'k>(&self, key: impl Into<Wanted<'k>>) -> Option<&Value> {
        match &self.0 {
            Repr::Object(object) => object.get(key),
            _ => None,
        }
    }

    pub(crate) fn item(&self, i: usize) -> Option<&Value> {
        match &self.0 {
            Repr::Array(array) => array.get(i),
            _ => None,
        }
    }

    pub(crate) fn entry_iter(&self) -> object::Entries<'_> {
        match &self.0 {
            Repr::Object(object) => object.iter(),
            _ => object::Entries::default(),
        }
    }

    pub(crate) fn item_iter(&self) -> Items<'_> {
        match &self.0 {
            Repr::Array(array) => array.iter(),
            _ => Items::default(),
        }
    }

    /// Turns a packed container into nodes, one level deep: what is inside stays packed. O(its length). What an
    /// edit calls before it looks for the node.
    pub(crate) fn unpack(&mut self) {
        if !matches!(self.0, Repr::Packed(..)) {
            return;
        }
        let packed = self.by_ref();
        *self = match packed.kind() {
            Kind::Array => Value::from_items(packed.items().map(ValueRef::to_value).collect()),
            Kind::Object => {
                let values = packed.entries().map(|(_, value)| value.to_value());
                let entries: Vec<Entry> = match packed.shape_keys() {
                    Some(keys) => keys.iter().cloned().zip(values).collect(),
                    None => packed
                        .entries()
                        .map(|(key, value)| (Key::from(key), value.to_value()))
                        .collect(),
                };
                let by_hash = packed.packed_view().map_or(&[][..], View::dict_index);
                let object = Object::new_indexed(entries, by_hash);
                Value(Repr::Object(triomphe::Arc::new(object)))
            }
            _ => return,
        };
    }
}

/// Limits.
impl Value {
    /// Checks a value against `limits`, as if it had been parsed: for values assembled by the infallible
    /// conversions (`From<Vec<Value>>`, `collect`, [`crate::value!`]), which do not check. O(size), and never more
    /// than `max_items` values are looked at.
    ///
    /// ```
    /// use statewright_value::{Limits, value};
    /// let list = value!([1, [2, [3]]]);
    /// assert!(list.check(&Limits::default()).is_ok());
    /// let error = list.check(&Limits::default().with_max_depth(2)).unwrap_err();
    /// assert_eq!(error.code(), 204);
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] names the limit. `max_bytes` does not apply, since nothing is encoded here.
    pub fn check(&self, limits: &Limits) -> Result<()> {
        let mut depth = 0;
        let mut items = 0usize;
        for event in Walk::new(self.by_ref()) {
            items += usize::from(!matches!(event, Event::Key(_) | Event::End));
            if items > limits.max_items {
                return Err(Error::Limit {
                    what: "number of values",
                    limit: limits.max_items,
                    at: "a value assembled in the program".into(),
                });
            }
            let (what, found, limit) = match event {
                Event::Scalar(scalar) => {
                    let len = match scalar {
                        Data::Text(text) => text.len(),
                        Data::Bytes(bytes) => bytes.len(),
                        _ => 0,
                    };
                    ("length of a string", len, limits.max_string)
                }
                Event::Array(_) | Event::Object(_) => {
                    depth += 1;
                    ("nesting depth", depth, limits.depth())
                }
                Event::Key(key) => ("length of a key", key.len(), limits.max_key),
                Event::End => {
                    depth -= 1;
                    continue;
                }
            };
            if found > limit {
                return Err(Error::Limit {
                    what,
                    limit,
                    at: format!("found {found}"),
                });
            }
        }
        Ok(())
    }

    /// Whether it nests no deeper than this, as an array of arrays nests 2 deep. O(1), but O(size) when its bound is
    /// too great or something deep was removed from it.
    ///
    /// ```
    /// use statewright_value::value;
    /// assert!(value!([[1]]).nests_within(2));
    /// assert!(!value!([[1]]).nests_within(1));
    /// ```
    pub fn nests_within(&self, depth: usize) -> bool {
        self.depth_bound() as usize <= depth || self.exact_depth() as usize <= depth
    }

    /// Bytes of the packed document that a value is in, if no objects in that share their keys: at least as many as the
    /// value has text, numbers and items, and far more if the value is a small part of it. None for any other value.
    /// O(1).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(value!([1, "two"]).pack()?.flat_size(), Some(16));
    /// assert_eq!(value!([1, "two"]).flat_size(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flat_size(&self) -> Option<usize> {
        match &self.0 {
            Repr::Packed(doc, _) => doc.flat_size(),
            _ => None,
        }
    }

    /// Nested containers, at least: 0 for a scalar. Exact unless something deep has been removed.
    #[inline]
    pub(crate) fn depth_bound(&self) -> u32 {
        match &self.0 {
            Repr::Array(array) => array.depth(),
            Repr::Object(object) => object.depth(),
            // Of the whole document, and only containers have a depth.
            Repr::Packed(doc, _) if matches!(self.kind(), Kind::Array | Kind::Object) => {
                doc.depth()
            }
            _ => 0,
        }
    }

    /// Nested containers, exactly. O(size).
    #[cold]
    fn exact_depth(&self) -> u32 {
        let (mut depth, mut deepest) = (0u32, 0);
        for event in Walk::new(self.by_ref()) {
            match event {
                Event::Array(_) | Event::Object(_) => depth += 1,
                Event::End => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    /// The depth of a value that goes `above` containers deep, or an error if that is too deep. O(1), but
    /// O(size) when the limit is near.
    #[inline]
    pub(crate) fn checked_depth(&self, above: usize, path: &Path) -> Result<u32> {
        let fits = |depth: u32| above.saturating_add(depth as usize) <= MAX_DEPTH;
        let depth = self.depth_bound();
        if fits(depth) {
            return Ok(depth);
        }
        let depth = self.exact_depth();
        if fits(depth) {
            Ok(depth)
        } else {
            Err(Error::too_deep(path))
        }
    }
}

/// Compact JSON, as [`Value::to_json`]; pretty-printed with `{:#}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.by_ref(), f)
    }
}

/// As `Display`.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
