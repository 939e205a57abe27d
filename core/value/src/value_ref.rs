//! A borrowed look at a value or a part of one: how everything reads, whatever form the value has.

use std::fmt;

use crate::value::Repr;
use crate::{File, Kind, Path, Segment, Value};

/// A borrowed value: `Copy`, and looking into it neither allocates nor counts references.
///
/// Everything that a [`Value`] can be asked can be asked here; what lies inside comes as another
/// `ValueRef` with the same lifetime. [`ValueRef::to_value`] makes an owned value of it at the cost of a
/// clone.
///
/// ```
/// use statewright_value::{Path, value};
/// # fn main() -> statewright_value::Result<()> {
/// let doc = value!({ "user": { "name": "Ada", "tags": ["x", "y"] } });
/// let name = doc.by_ref().at(&Path::parse(".user.name")?);
/// assert_eq!(name.and_then(|name| name.as_str()), Some("Ada"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct ValueRef<'a>(pub(crate) &'a Value);

impl Value {
    /// A borrowed look at this value; free.
    pub fn by_ref(&self) -> ValueRef<'_> {
        ValueRef(self)
    }
}

impl<'a> ValueRef<'a> {
    /// What kind of value this is.
    pub fn kind(self) -> Kind {
        self.0.kind()
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// As [`Value::as_bool`].
    pub fn as_bool(self) -> Option<bool> {
        self.0.as_bool()
    }

    /// As [`Value::as_i64`].
    pub fn as_i64(self) -> Option<i64> {
        self.0.as_i64()
    }

    /// As [`Value::as_u64`].
    pub fn as_u64(self) -> Option<u64> {
        self.0.as_u64()
    }

    /// As [`Value::as_f64`].
    pub fn as_f64(self) -> Option<f64> {
        self.0.as_f64()
    }

    /// As [`Value::as_str`].
    pub fn as_str(self) -> Option<&'a str> {
        self.0.as_str()
    }

    /// As [`Value::as_bytes`].
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        self.0.as_bytes()
    }

    /// As [`Value::as_file`].
    pub fn as_file(self) -> Option<&'a File> {
        self.0.as_file()
    }

    /// As [`Value::len`].
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below")]
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether [`ValueRef::len`] is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// As [`Value::get`].
    pub fn get(self, key: &str) -> Option<ValueRef<'a>> {
        self.0.member(key).map(ValueRef)
    }

    /// As [`Value::index`].
    pub fn index(self, i: usize) -> Option<ValueRef<'a>> {
        self.0.item(i).map(ValueRef)
    }

    /// One step down: a key of an object or an index of an array.
    pub fn step(self, segment: &Segment) -> Option<ValueRef<'a>> {
        match segment {
            Segment::Key(key) => self.0.member(key).map(ValueRef),
            Segment::Index(at) => self.index(*at),
        }
    }

    /// As [`Value::at`].
    pub fn at(self, path: &Path) -> Option<ValueRef<'a>> {
        path.segments()
            .iter()
            .try_fold(self, |value, segment| value.step(segment))
    }

    /// Whether there is a value (null counts) at `path`.
    pub fn has(self, path: &Path) -> bool {
        self.at(path).is_some()
    }

    /// As [`Value::entries`].
    pub fn entries(self) -> Entries<'a> {
        Entries(self.0.entry_iter())
    }

    /// As [`Value::items`].
    pub fn items(self) -> Items<'a> {
        Items(self.0.item_iter())
    }

    /// An owned value: at most one reference-count increment.
    pub fn to_value(self) -> Value {
        self.0.clone()
    }

    /// Whether both are containers (or long strings) that share their storage, and so are equal: O(1).
    /// False says nothing.
    pub fn same(self, other: ValueRef<'_>) -> bool {
        match (&self.0.0, &other.0.0) {
            (Repr::Array(a), Repr::Array(b)) => triomphe::Arc::ptr_eq(a, b),
            (Repr::Object(a), Repr::Object(b)) => triomphe::Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// The entries of an object, in insertion order; see [`ValueRef::entries`].
#[derive(Clone)]
pub struct Entries<'a>(crate::object::Entries<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.0.next()?;
        Some((key, ValueRef(value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) = self.0.next_back()?;
        Some((key, ValueRef(value)))
    }
}

/// The items of an array; see [`ValueRef::items`].
#[derive(Clone)]
pub struct Items<'a>(crate::node::Items<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(ValueRef)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Items<'_> {}

impl DoubleEndedIterator for Items<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(ValueRef)
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        value.to_value()
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for ValueRef<'_> {}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(other.0)
    }
}

impl std::hash::Hash for ValueRef<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Compact JSON, as [`Value::to_json`].
impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As `Display`.
impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
