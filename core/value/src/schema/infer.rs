//! A schema from samples: what values that are already there have in common.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::JsonType;

use super::instance::{json_type, text};
use crate::{Key, Kind, Value, ValueRef};

/// Distinct texts at one place, up to which they become an `enum`, if each comes three times on average.
const ENUM: usize = 8;
const ENUM_TIMES: usize = 3;
/// Bytes of a text, up to which it may be one of an `enum`.
const ENUM_TEXT: usize = 40;
/// Levels of nesting that are described; deeper ones may hold anything.
const LEVELS: usize = 32;
/// Keys of one place that are described; with more it is rather a table with data for keys.
const KEYS: usize = 1_000;

/// A schema (2020-12) that all the samples satisfy, as tight as they suggest: types, the keys of objects and which
/// of them are required, the items of arrays, and an `enum` where a text takes few values again and again.
///
/// Kinds that JSON lacks count as what they are in plain JSON, as in [`crate::Schema::validate`]: dates, times,
/// durations and bytes as text, files as objects.
///
/// Sizes, ranges and formats are not guessed, and further keys are not forbidden. Only the first 1,000 keys of a place
/// and 32 levels of nesting are described. Without samples the schema accepts everything. O(size of the
/// samples).
///
/// ```
/// use statewright_value::schema::infer;
/// use statewright_value::value;
/// let samples = value!([{ "id": 1, "tags": ["a"] }, { "id": 2.5, "tags": [], "note": null }]);
/// assert_eq!(
///     infer(samples.by_ref().items()),
///     value!({
///         "$schema": "https://json-schema.org/draft/2020-12/schema",
///         "type": "object",
///         "properties": {
///             "id": { "type": "number" },
///             "tags": { "type": "array", "items": { "type": "string" } },
///             "note": { "type": "null" },
///         },
///         "required": ["id", "tags"],
///     }),
/// );
/// ```
pub fn infer<'a>(samples: impl IntoIterator<Item = ValueRef<'a>>) -> Value {
    let mut inference = Inference::new();
    samples.into_iter().for_each(|sample| inference.add(sample));
    inference.schema()
}

/// As [`infer`], for samples that come one after another: of a stream, which need not be held in memory. What it
/// keeps is bounded by the places the samples have, not by their number.
///
/// ```
/// use statewright_value::schema::Inference;
/// use statewright_value::value;
/// let mut inference = Inference::new();
/// for n in 0..1000 {
///     inference.add(value!({ "n": n }).by_ref());
/// }
/// assert_eq!(inference.schema().get("required"), Some(value!(["n"])));
/// ```
#[derive(Debug, Default)]
pub struct Inference(Place);

impl Inference {
    /// No samples yet.
    pub fn new() -> Inference {
        Inference::default()
    }

    /// Takes a sample into account. O(size of the sample).
    pub fn add(&mut self, sample: ValueRef<'_>) {
        self.0.see(sample, LEVELS);
    }

    /// The schema that all samples satisfy. O(size of the schema).
    pub fn schema(self) -> Value {
        let mut schema = vec![(
            Key::new("$schema"),
            Value::text("https://json-schema.org/draft/2020-12/schema"),
        )];
        schema.extend(self.0.describe());
        schema.into_iter().collect()
    }
}

/// What was seen at one place.
#[derive(Debug, Default)]
struct Place {
    /// Names of types.
    types: BTreeSet<&'static str>,
    objects: usize,
    /// In the order of their first appearance, and where each is.
    members: Vec<(Key, Member)>,
    by_key: BTreeMap<Key, usize>,
    items: Option<Box<Place>>,
    texts: usize,
    /// While they are few.
    distinct: Option<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Member {
    seen: usize,
    place: Place,
}

impl Place {
    /// Recurses, at most `levels` deep.
    fn see(&mut self, value: ValueRef<'_>, levels: usize) {
        self.types.insert(type_name(value.kind()));
        if let Some(text) = text(value) {
            self.see_text(&text);
        }
        let Some(below) = levels.checked_sub(1) else {
            return;
        };
        match value.kind() {
            Kind::Object => self.see_members(value, below),
            Kind::File => {
                // As it prints in plain JSON, which is how a schema looks at it.
                let fields = value.to_value().to_plain();
                self.see_members(fields.by_ref(), below);
            }
            Kind::Array => {
                let items = self.items.get_or_insert_default();
                for item in value.items() {
                    items.see(item, below);
                }
            }
            _ => {}
        }
    }

    fn see_members(&mut self, object: ValueRef<'_>, below: usize) {
        self.objects += 1;
        for (key, value) in object.entries() {
            if let Some(member) = self.member(key) {
                member.seen += 1;
                member.place.see(value, below);
            }
        }
    }

    fn see_text(&mut self, text: &str) {
        let first = self.texts == 0;
        self.texts += 1;
        if first {
            self.distinct = Some(BTreeSet::new());
        }
        if let Some(distinct) = &mut self.distinct
            && !distinct.contains(text)
        {
            if distinct.len() < ENUM && text.len() <= ENUM_TEXT {
                distinct.insert(text.to_owned());
            } else {
                self.distinct = None;
            }
        }
    }

    fn member(&mut self, key: &str) -> Option<&mut Member> {
        let at = match self.by_key.get(key) {
            Some(at) => *at,
            None if self.members.len() < KEYS => {
                let at = self.members.len();
                self.by_key.insert(key.into(), at);
                self.members.push((key.into(), Member::default()));
                at
            }
            None => return None,
        };
        self.members.get_mut(at).map(|(_, member)| member)
    }

    /// The keywords. Recurses as deep as `see` did.
    fn describe(mut self) -> Vec<(Key, Value)> {
        if self.types.contains("number") {
            self.types.remove("integer");
        }
        let mut keywords = Vec::new();
        let mut keyword = |name: &str, value: Value| keywords.push((Key::new(name), value));
        let mut types: Vec<Value> = self.types.iter().map(|name| Value::text(name)).collect();
        match types.len() {
            0 => return keywords,
            1 => keyword("type", types.pop().unwrap_or_default()),
            _ => keyword("type", Value::from(types)),
        }
        let only_texts = self
            .types
            .iter()
            .all(|name| matches!(*name, "string" | "null"));
        if let Some(distinct) = self.distinct.filter(|_| only_texts)
            && self.texts >= distinct.len() * ENUM_TIMES
        {
            let null = self.types.contains("null").then_some(Value::NULL);
            keyword(
                "enum",
                distinct.into_iter().map(Value::from).chain(null).collect(),
            );
        }
        let objects = self.objects;
        let required: Vec<Value> = self
            .members
            .iter()
            .filter(|(_, member)| member.seen == objects)
            .map(|(key, _)| Value::text(key))
            .collect();
        if !self.members.is_empty() {
            let described = |(key, member): (Key, Member)| {
                (key, member.place.describe().into_iter().collect::<Value>())
            };
            keyword(
                "properties",
                self.members.into_iter().map(described).collect(),
            );
        }
        if !required.is_empty() {
            keyword("required", Value::from(required));
        }
        if let Some(items) = self.items {
            let items = items.describe();
            if !items.is_empty() {
                keyword("items", items.into_iter().collect());
            }
        }
        keywords
    }
}

/// The type of JSON Schema. A float is a `number` even if it is whole: it is written as one.
fn type_name(kind: Kind) -> &'static str {
    match json_type(kind) {
        JsonType::Number if kind == Kind::Integer => "integer",
        other => other.as_str(),
    }
}
