//! A value as the validator reads it: in place, without a copy in another form.

use std::borrow::Cow;
use std::panic::resume_unwind;

use jsonschema::JsonType;
use jsonschema::json;
use serde_json::Value as Json;

use super::compare::{Number, equal, is_unique};
use super::guard::{Guard, Stop};
use crate::json::bytes_to_base64;
use crate::value_ref::{Data, Entries, Items};
use crate::{File, Key, Kind, Value, ValueRef};

/// Values of this crate as a representation of JSON.
pub(super) struct Native;

/// A value under validation.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    what: What<'a>,
    /// None for the name of a property, which is no part of the value.
    pub(super) guard: Option<&'a Guard>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Value(ValueRef<'a>),
    /// What a file shows as in JSON is an object, but nothing that could be lent.
    Field(&'a File, Field),
}

#[derive(Clone, Copy, PartialEq)]
enum Field {
    Name,
    MediaType,
    Size,
    Hash,
    Location,
}

const FIELDS: [(&str, Field); 5] = [
    ("name", Field::Name),
    ("media_type", Field::MediaType),
    ("size", Field::Size),
    ("hash", Field::Hash),
    ("location", Field::Location),
];

/// The type of JSON Schema that a kind counts as, which is how it prints in plain JSON; but bytes count as
/// the text of their base64, which is what `contentEncoding` describes.
pub(super) fn json_type(kind: Kind) -> JsonType {
    match kind {
        Kind::Null => JsonType::Null,
        Kind::Bool => JsonType::Boolean,
        Kind::Integer | Kind::Float | Kind::Decimal => JsonType::Number,
        Kind::Text | Kind::Bytes => JsonType::String,
        Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration => JsonType::String,
        Kind::Array => JsonType::Array,
        Kind::Object | Kind::File => JsonType::Object,
    }
}

/// The text that a value of the type `string` is.
pub(super) fn text(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value.data() {
        Data::Text(text) => Some(Cow::Borrowed(text)),
        Data::Bytes(bytes) => Some(Cow::Owned(bytes_to_base64(bytes))),
        Data::Extended(other) if json_type(other.kind()) == JsonType::String => {
            Some(Cow::Owned(other.to_string()))
        }
        _ => None,
    }
}

impl<'a> Node<'a> {
    pub(super) fn new(value: ValueRef<'a>, guard: Option<&'a Guard>) -> Node<'a> {
        Node {
            what: What::Value(value),
            guard,
        }
    }

    fn child(self, value: ValueRef<'a>) -> Node<'a> {
        Node::new(value, self.guard)
    }

    fn enter(self) -> bool {
        self.guard.is_none_or(Guard::enter)
    }

    fn value(self) -> Option<ValueRef<'a>> {
        match self.what {
            What::Value(value) => Some(value),
            What::Field(..) => None,
        }
    }

    fn fields(self, file: &'a File) -> impl Iterator<Item = (&'static str, Node<'a>)> {
        FIELDS
            .into_iter()
            .filter(|(_, field)| match field {
                Field::Name | Field::Size => true,
                Field::MediaType => file.media_type().is_some(),
                Field::Hash => file.hash().is_some(),
                Field::Location => file.location().is_some(),
            })
            .map(move |(name, field)| {
                let what = What::Field(file, field);
                (name, Node { what, ..self })
            })
    }
}

impl json::Json for Native {
    type Node<'a> = Node<'a>;
    type PreparedKey = Key;
    type StringBuffer = Value;

    fn prepare_key(key: &str) -> Key {
        Key::new(key)
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        *buffer = Value::text(string);
        f(Node::new(buffer.by_ref(), None))
    }
}

impl<'a> json::Node<'a, Native> for Node<'a> {
    type Object = Node<'a>;
    type Array = Node<'a>;
    type Number = Number;

    fn as_object(&self) -> Option<Node<'a>> {
        let kind = self.value()?.kind();
        (matches!(kind, Kind::Object | Kind::File) && self.enter()).then_some(*self)
    }

    fn as_array(&self) -> Option<Node<'a>> {
        (self.value()?.kind() == Kind::Array && self.enter()).then_some(*self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self.what {
            What::Value(value) => text(value),
            What::Field(file, field) => match field {
                Field::Name => Some(Cow::Borrowed(file.name())),
                Field::MediaType => file.media_type().map(Cow::Borrowed),
                Field::Size => None,
                Field::Hash => file.hash_text().map(Cow::Owned),
                Field::Location => file.location().map(Cow::Borrowed),
            },
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self.what {
            What::Value(value) => Number::of(value),
            What::Field(file, Field::Size) => Some(Number::of_size(file.size())),
            What::Field(..) => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value()?.as_bool()
    }

    fn is_null(&self) -> bool {
        self.value().is_some_and(ValueRef::is_null)
    }

    fn is_number(&self) -> bool {
        self.json_type() == JsonType::Number
    }

    fn json_type(&self) -> JsonType {
        match self.what {
            What::Value(value) => json_type(value.kind()),
            What::Field(_, Field::Size) => JsonType::Number,
            What::Field(..) => JsonType::String,
        }
    }

    fn equals_value(&self, expected: &Json) -> bool {
        match (self.what, expected) {
            (What::Value(value), _) => equal(value, expected),
            (What::Field(..), Json::String(text)) => {
                self.as_string().is_some_and(|own| own == *text)
            }
            (What::Field(..), Json::Number(number)) => self
                .as_number()
                .is_some_and(|own| json::cmp::equal_numbers(&own, number)),
            (What::Field(..), _) => false,
        }
    }

    /// Only errors ask for this, and their text is made here from the value itself. So what they get is
    /// not the value but the number of the violation.
    fn to_value(&self) -> Cow<'a, Json> {
        Cow::Owned(
            self.guard
                .map_or(Json::Null, |guard| guard.violation().into()),
        )
    }

    /// The validator asks for this where it follows a reference that may lead back to itself. There a chain
    /// of schemas may go deeper without looking into a container, and only unwinding ends it.
    fn identity(&self) -> Option<json::NodeIdentity> {
        if let Some(guard) = self.guard
            && guard.is_deep()
        {
            guard.stop(Stop::Stack);
            resume_unwind(Box::new(Stop::Stack));
        }
        let (address, tag) = match self.what {
            What::Value(value) => (value.identity(), 0),
            What::Field(file, field) => (std::ptr::from_ref(file).addr(), field as u32 + 1),
        };
        Some(json::NodeIdentity::tagged(address, tag))
    }
}

impl<'a> json::Object<'a, Native> for Node<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        match self.value().and_then(ValueRef::as_file) {
            Some(file) => self.fields(file).count(),
            None => self.value().map_or(0, ValueRef::len),
        }
    }

    fn get(&self, key: &Key) -> Option<Node<'a>> {
        let value = self.value()?;
        match value.as_file() {
            None => Some(self.child(value.get_key(key)?)),
            Some(file) => {
                let mut fields = self.fields(file);
                fields.find(|(name, _)| *key == *name).map(|(_, node)| node)
            }
        }
    }

    fn members(&self) -> Members<'a> {
        let value = self.value();
        Members {
            node: *self,
            entries: value.map(ValueRef::entries),
            fields: value
                .and_then(ValueRef::as_file)
                .map(|file| self.fields(file).collect::<Vec<_>>().into_iter()),
        }
    }
}

pub(super) struct Members<'a> {
    node: Node<'a>,
    entries: Option<Entries<'a>>,
    /// Of a file.
    fields: Option<std::vec::IntoIter<(&'static str, Node<'a>)>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fields) = &mut self.fields {
            return fields.next();
        }
        let (key, value) = self.entries.as_mut()?.next()?;
        Some((key, self.node.child(value)))
    }
}

impl<'a> json::Array<'a, Native> for Node<'a> {
    type Node = Node<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.value().map_or(0, ValueRef::len)
    }

    fn elements(&self) -> Elements<'a> {
        Elements(*self, self.value().map(ValueRef::items))
    }

    fn is_unique(&self) -> bool {
        let enter = || self.guard.is_none_or(Guard::enter);
        self.value().is_none_or(|array| is_unique(array, enter))
    }
}

pub(super) struct Elements<'a>(Node<'a>, Option<Items<'a>>);

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.0.guard.is_some_and(|guard| guard.stopped().is_some()) {
            return None;
        }
        Some(self.0.child(self.1.as_mut()?.next()?))
    }
}
