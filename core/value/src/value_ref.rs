//! A borrowed look at a value or a part of one: how everything reads, whatever form the value has.

use std::fmt;

use crate::extended::Extended;
use crate::packed::View;
use crate::packed::word::{self, Tag};
use crate::text::Text;
use crate::value::Repr;
use crate::{File, Key, Kind, Path, Segment, Value};
use crate::{node, object};

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
pub struct ValueRef<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    /// Never [`Repr::Packed`].
    Node(&'a Value),
    Packed(View<'a>),
}

/// What a value is, with the scalars' content: what an encoder matches on.
#[derive(Clone, Copy)]
pub(crate) enum Data<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Only what `i64` cannot hold.
    Uint(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Extended(&'a Extended),
    Array,
    Object,
}

impl Value {
    /// A borrowed look at this value; free.
    #[inline]
    pub fn by_ref(&self) -> ValueRef<'_> {
        ValueRef(match &self.0 {
            Repr::Packed(doc, word) => Form::Packed(View::new(doc, word)),
            _ => Form::Node(self),
        })
    }
}

impl<'a> ValueRef<'a> {
    /// What this is; O(1).
    #[inline]
    pub(crate) fn data(self) -> Data<'a> {
        match self.0 {
            Form::Node(value) => match &value.0 {
                Repr::Null | Repr::Packed(..) => Data::Null,
                Repr::Bool(bool) => Data::Bool(*bool),
                Repr::Int(int) => Data::Int(*int),
                Repr::Uint(uint) => Data::Uint(*uint),
                Repr::Float(float) => Data::Float(*float),
                Repr::Text(text) => Data::Text(text.as_str()),
                Repr::Bytes(bytes) => Data::Bytes(bytes),
                Repr::Extended(extended) => Data::Extended(extended),
                Repr::Array(_) => Data::Array,
                Repr::Object(_) => Data::Object,
            },
            Form::Packed(view) => match view.tag() {
                Some(Tag::Float) => Data::Float(f64::from_bits(*view.word)),
                Some(Tag::Int) => Data::Int(word::int(*view.word)),
                Some(Tag::LongInt) => Data::Int(view.long() as i64),
                Some(Tag::LongUint) => Data::Uint(view.long()),
                Some(Tag::ShortText | Tag::Text) => Data::Text(view.text()),
                Some(Tag::Bytes) => Data::Bytes(view.bytes()),
                Some(Tag::Array) => Data::Array,
                Some(Tag::Record | Tag::Dict) => Data::Object,
                Some(Tag::Constant) if *view.word == word::TRUE => Data::Bool(true),
                Some(Tag::Constant) if *view.word == word::FALSE => Data::Bool(false),
                Some(Tag::Extended) => view.extended().map_or(Data::Null, Data::Extended),
                Some(Tag::Constant) | None => Data::Null,
            },
        }
    }

    /// What kind of value this is.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.data() {
            Data::Null => Kind::Null,
            Data::Bool(_) => Kind::Bool,
            Data::Int(_) | Data::Uint(_) => Kind::Integer,
            Data::Float(_) => Kind::Float,
            Data::Text(_) => Kind::Text,
            Data::Bytes(_) => Kind::Bytes,
            Data::Extended(extended) => extended.kind(),
            Data::Array => Kind::Array,
            Data::Object => Kind::Object,
        }
    }

    /// Whether this is a part of a packed document, so that the [first edit](Value#cost-of-the-first-edit) of a
    /// container makes nodes of its entries. O(1).
    pub fn is_packed(self) -> bool {
        matches!(self.0, Form::Packed(_))
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// As [`Value::as_bool`].
    pub fn as_bool(self) -> Option<bool> {
        match self.data() {
            Data::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// As [`Value::as_i64`].
    pub fn as_i64(self) -> Option<i64> {
        match self.data() {
            Data::Int(int) => Some(int),
            _ => None,
        }
    }

    /// As [`Value::as_u64`].
    pub fn as_u64(self) -> Option<u64> {
        match self.data() {
            Data::Int(int) => u64::try_from(int).ok(),
            Data::Uint(uint) => Some(uint),
            _ => None,
        }
    }

    /// As [`Value::as_f64`].
    pub fn as_f64(self) -> Option<f64> {
        let exact = |int: i128| Some(int as f64).filter(|float| *float as i128 == int);
        match self.data() {
            Data::Float(float) => Some(float),
            Data::Int(int) => exact(int.into()),
            Data::Uint(uint) => exact(uint.into()),
            _ => None,
        }
    }

    /// As [`Value::as_str`].
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self.data() {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As [`Value::as_bytes`].
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.data() {
            Data::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What this is in a packed document, if it is packed.
    #[inline]
    pub(crate) fn packed_view(self) -> Option<View<'a>> {
        match self.0 {
            Form::Node(_) => None,
            Form::Packed(view) => Some(view),
        }
    }

    /// The node that this is, if it is not packed.
    pub(crate) fn node(self) -> Option<&'a Repr> {
        match self.0 {
            Form::Node(value) => Some(&value.0),
            Form::Packed(_) => None,
        }
    }

    pub(crate) fn extended(self) -> Option<&'a Extended> {
        match self.data() {
            Data::Extended(extended) => Some(extended),
            _ => None,
        }
    }

    /// As [`Value::as_file`].
    pub fn as_file(self) -> Option<&'a File> {
        match self.data() {
            Data::Extended(Extended::File(file)) => Some(file),
            _ => None,
        }
    }

    /// As [`Value::len`].
    #[allow(clippy::len_without_is_empty, reason = "is_empty is below")]
    pub fn len(self) -> usize {
        match self.0 {
            Form::Node(value) => match &value.0 {
                Repr::Text(text) => text.as_bytes().len(),
                Repr::Bytes(bytes) => bytes.len(),
                Repr::Array(array) => array.len(),
                Repr::Object(object) => object.len(),
                _ => 0,
            },
            Form::Packed(view) => match view.tag() {
                Some(Tag::ShortText | Tag::Text | Tag::Bytes) => view.bytes().len(),
                Some(Tag::Array) => view.items().len(),
                Some(Tag::Record | Tag::Dict) => view.entries().0.len(),
                _ => 0,
            },
        }
    }

    /// Whether [`ValueRef::len`] is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// As [`Value::get`].
    #[inline]
    pub fn get(self, key: &str) -> Option<ValueRef<'a>> {
        match self.0 {
            Form::Node(value) => value.member(key).map(Value::by_ref),
            Form::Packed(view) => {
                let word = word::short_text(key.as_bytes());
                view.get(key.as_bytes(), word, || crate::key::hash(key))
                    .map(ValueRef::of)
            }
        }
    }

    /// As [`ValueRef::get`], without hashing the key again.
    #[inline]
    pub(crate) fn get_key(self, key: &Key) -> Option<ValueRef<'a>> {
        match self.0 {
            Form::Node(value) => value.member(key).map(Value::by_ref),
            Form::Packed(view) => view
                .get(key.as_bytes(), key.word(), || key.hash())
                .map(ValueRef::of),
        }
    }

    /// As [`Value::index`].
    #[inline]
    pub fn index(self, i: usize) -> Option<ValueRef<'a>> {
        match self.0 {
            Form::Node(value) => value.item(i).map(Value::by_ref),
            Form::Packed(view) => view.index(i).map(ValueRef::of),
        }
    }

    #[inline]
    pub(crate) fn of(view: View<'a>) -> ValueRef<'a> {
        ValueRef(Form::Packed(view))
    }

    /// One step down: a key of an object or an index of an array.
    #[inline]
    pub fn step(self, segment: &Segment) -> Option<ValueRef<'a>> {
        match segment {
            Segment::Key(key) => self.get_key(key),
            Segment::Index(at) => self.index(*at),
        }
    }

    /// As [`Value::at`].
    #[inline]
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
        Entries(match self.0 {
            Form::Node(value) => EntriesOf::Node(value.entry_iter()),
            Form::Packed(view) => {
                let (keys, values) = view.entries();
                EntriesOf::Packed(view, keys.iter(), values.iter())
            }
        })
    }

    /// As [`Value::items`].
    pub fn items(self) -> Items<'a> {
        Items(match self.0 {
            Form::Node(value) => ItemsOf::Node(value.item_iter()),
            Form::Packed(view) => ItemsOf::Packed(view, view.items().iter()),
        })
    }

    /// The items of an array or the values of an object, without its keys; none for a scalar.
    #[inline]
    pub(crate) fn children(self) -> Option<Children<'a>> {
        match self.0 {
            Form::Node(value) => match &value.0 {
                Repr::Array(array) => Some(Children::Items(array.iter())),
                Repr::Object(object) => Some(Children::Entries(object.iter())),
                _ => None,
            },
            Form::Packed(view) => match view.tag() {
                Some(Tag::Array) => Some(Children::Packed(view, view.items().iter())),
                Some(Tag::Record | Tag::Dict) => {
                    Some(Children::Packed(view, view.entries().1.iter()))
                }
                _ => None,
            },
        }
    }

    /// An owned value: at most one reference-count increment. It may [keep the whole
    /// buffer](Value#parts-of-a-packed-document) alive.
    pub fn to_value(self) -> Value {
        match self.0 {
            Form::Node(value) => value.clone(),
            Form::Packed(view) => match self.data() {
                Data::Null => Value::NULL,
                Data::Bool(bool) => Value(Repr::Bool(bool)),
                Data::Int(int) => Value(Repr::Int(int)),
                Data::Uint(uint) => Value(Repr::Uint(uint)),
                Data::Float(float) => Value(Repr::Float(float)),
                Data::Text(text) => match Text::inline(text) {
                    Some(text) => Value(Repr::Text(text)),
                    None => Value(Repr::Packed(view.doc.clone_arc(), *view.word)),
                },
                Data::Extended(extended) => Value(Repr::Extended(extended.clone())),
                Data::Bytes(_) | Data::Array | Data::Object => {
                    Value(Repr::Packed(view.doc.clone_arc(), *view.word))
                }
            },
        }
    }

    /// What tells this value from every other one that lives at the same time: two looks at one place agree,
    /// two places differ, unless they are one place seen through containers that share their storage.
    #[cfg(feature = "schema")]
    pub(crate) fn identity(self) -> usize {
        match self.0 {
            Form::Node(value) => std::ptr::from_ref(value).addr(),
            Form::Packed(view) => std::ptr::from_ref(view.word).addr(),
        }
    }

    /// Whether both are containers (or long strings) that share their storage, and so are equal: O(1).
    /// False says nothing.
    #[inline]
    pub fn same(self, other: ValueRef<'_>) -> bool {
        match (self.0, other.0) {
            (Form::Node(a), Form::Node(b)) => match (&a.0, &b.0) {
                (Repr::Array(a), Repr::Array(b)) => triomphe::Arc::ptr_eq(a, b),
                (Repr::Object(a), Repr::Object(b)) => triomphe::Arc::ptr_eq(a, b),
                _ => false,
            },
            (Form::Packed(a), Form::Packed(b)) => a.same(b),
            _ => false,
        }
    }

    /// The keys of a packed record, made once for all records of its shape.
    pub(crate) fn shape_keys(self) -> Option<&'a [Key]> {
        match self.0 {
            Form::Node(_) => None,
            Form::Packed(view) => view.shape_keys(),
        }
    }
}

/// The entries of an object, in insertion order; see [`ValueRef::entries`].
#[derive(Clone)]
pub struct Entries<'a>(EntriesOf<'a>);

#[derive(Clone)]
enum EntriesOf<'a> {
    Node(object::Entries<'a>),
    /// The words of the keys and of their values: as many.
    Packed(View<'a>, Words<'a>, Words<'a>),
}

type Words<'a> = std::slice::Iter<'a, u64>;

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, ValueRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesOf::Node(entries) => {
                let (key, value) = entries.next()?;
                Some((key.as_str(), value.by_ref()))
            }
            EntriesOf::Packed(view, keys, values) => {
                Some(view.entry_of(keys.next()?, values.next()?))
            }
        }
    }

    /// O(log n).
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesOf::Node(entries) => {
                let (key, value) = entries.nth(n)?;
                Some((key.as_str(), value.by_ref()))
            }
            EntriesOf::Packed(view, keys, values) => {
                Some(view.entry_of(keys.nth(n)?, values.nth(n)?))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            EntriesOf::Node(entries) => entries.size_hint(),
            EntriesOf::Packed(_, keys, _) => keys.size_hint(),
        }
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesOf::Node(entries) => {
                let (key, value) = entries.next_back()?;
                Some((key.as_str(), value.by_ref()))
            }
            EntriesOf::Packed(view, keys, values) => {
                Some(view.entry_of(keys.next_back()?, values.next_back()?))
            }
        }
    }
}

impl<'a> View<'a> {
    #[inline]
    fn entry_of(self, key: &'a u64, value: &'a u64) -> (&'a str, ValueRef<'a>) {
        let key = View { word: key, ..self };
        (
            key.text(),
            ValueRef::of(View {
                word: value,
                ..self
            }),
        )
    }
}

/// What lies directly inside a container; see [`ValueRef::children`].
#[derive(Clone)]
pub(crate) enum Children<'a> {
    Items(node::Items<'a>),
    Entries(object::Entries<'a>),
    Packed(View<'a>, Words<'a>),
}

impl<'a> Children<'a> {
    /// Gives each to `f`, until it fails. Quicker than by [`Iterator::next`], which asks for the form each time.
    #[inline]
    pub(crate) fn try_each<E>(
        self,
        mut f: impl FnMut(ValueRef<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Children::Packed(view, mut words) => {
                words.try_for_each(|word| f(ValueRef::of(View { word, ..view })))
            }
            Children::Items(mut items) => items.try_for_each(|item| f(item.by_ref())),
            Children::Entries(mut entries) => entries.try_for_each(|(_, value)| f(value.by_ref())),
        }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Children::Packed(view, words) => {
                let word = words.next()?;
                Some(ValueRef::of(View { word, ..*view }))
            }
            Children::Items(items) => items.next().map(Value::by_ref),
            Children::Entries(entries) => entries.next().map(|(_, value)| value.by_ref()),
        }
    }
}

/// The items of an array; see [`ValueRef::items`].
#[derive(Clone)]
pub struct Items<'a>(ItemsOf<'a>);

#[derive(Clone)]
enum ItemsOf<'a> {
    Node(node::Items<'a>),
    Packed(View<'a>, Words<'a>),
}

impl<'a> Iterator for Items<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            ItemsOf::Node(items) => items.next().map(Value::by_ref),
            ItemsOf::Packed(view, words) => {
                let word = words.next()?;
                Some(ValueRef::of(View { word, ..*view }))
            }
        }
    }

    /// O(log n).
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        match &mut self.0 {
            ItemsOf::Node(items) => items.nth(n).map(Value::by_ref),
            ItemsOf::Packed(view, words) => {
                let word = words.nth(n)?;
                Some(ValueRef::of(View { word, ..*view }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            ItemsOf::Node(items) => items.size_hint(),
            ItemsOf::Packed(_, words) => words.size_hint(),
        }
    }
}

impl ExactSizeIterator for Items<'_> {}

impl DoubleEndedIterator for Items<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            ItemsOf::Node(items) => items.next_back().map(Value::by_ref),
            ItemsOf::Packed(view, words) => {
                let word = words.next_back()?;
                Some(ValueRef::of(View { word, ..*view }))
            }
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        value.to_value()
    }
}

/// Compact JSON, as [`Value::to_json`]; pretty-printed with `{:#}`.
impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if f.alternate() {
            self.to_json_pretty()
        } else {
            self.to_json()
        })
    }
}

/// As `Display`.
impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
