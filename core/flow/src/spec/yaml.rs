//! YAML (and so JSON) as a tree of nodes that know where they are.
//!
//! Reading into a tree first, and checking it afterwards, is what lets a spec's errors be reported all at once: a
//! typed deserialisation stops at the first.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};
use statewright_value::Value;

use super::locate::head_of;
use crate::problem::{Pos, Problems};

/// Longest spec, in bytes.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Deepest nesting of a spec.
const MAX_DEPTH: usize = 48;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub at: Pos,
    /// Where its text begins in the source, in bytes; for an alias, where what it refers to does.
    pub byte: Option<usize>,
    pub data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Integer(i64),
    Large(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub at: Pos,
    pub name: String,
}

impl Data {
    pub fn describe(&self) -> &'static str {
        match self {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Integer(_) | Data::Large(_) | Data::Float(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// As a value; of equal keys there are none, since the parser refuses them.
    pub fn value(&self) -> Value {
        match &self.data {
            Data::Null => Value::NULL,
            Data::Bool(bool) => Value::from(*bool),
            Data::Integer(integer) => Value::from(*integer),
            Data::Large(integer) => Value::from(*integer),
            Data::Float(float) => Value::from_f64(*float).unwrap_or_default(),
            Data::Text(text) => Value::text(text),
            Data::List(items) => items.iter().map(Node::value).collect(),
            Data::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.as_str(), node.value()))
                .collect(),
        }
    }

    /// As a value in which the order of a mapping's entries counts: for the content hash, since the order of tasks
    /// and of assignments has a meaning.
    pub fn ordered(&self) -> Value {
        match &self.data {
            Data::List(items) => Value::from([
                Value::from("list"),
                items.iter().map(Node::ordered).collect(),
            ]),
            Data::Map(entries) => {
                let pair = |(key, node): &(Key, Node)| {
                    Value::from([Value::text(&key.name), node.ordered()])
                };
                Value::from([Value::from("map"), entries.iter().map(pair).collect()])
            }
            _ => self.value(),
        }
    }
}

/// Parses a spec; what is wrong with it as YAML is a problem, and then there is no tree.
pub(crate) fn parse(source: &str, problems: &mut Problems) -> Option<Node> {
    let top = Pos { line: 1, column: 1 };
    if source.len() > MAX_BYTES {
        let message = format!(
            "the spec has {} bytes; at most {MAX_BYTES} are allowed",
            source.len()
        );
        problems.error(
            top,
            "too-large",
            message,
            "split it into several flows, and keep data out of it",
        );
        return None;
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_nodes: 1_000_000,
            max_events: 3_000_000,
            max_aliases: 10_000,
            max_anchors: 10_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Data>>(source, options) {
        Ok(root) => Some(node(root)),
        Err(error) => {
            let at = error.location().map_or(top, position);
            let message = error.without_snippet().to_string();
            // The place is reported beside the message.
            let message = message
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned();
            let help = "a spec is YAML: mind the indentation, and quote text that contains `: ` or ` #` \
                        or begins with one of `{}[]&*!|>'\"%@`";
            problems.error(at, "yaml", message, help);
            None
        }
    }
}

fn position(location: Location) -> Pos {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Pos {
        line: number(location.line()),
        column: number(location.column()),
    }
}

fn node(spanned: Spanned<Data>) -> Node {
    let byte = spanned
        .defined
        .span()
        .byte_offset()
        .and_then(|byte| usize::try_from(byte).ok());
    Node {
        at: position(spanned.referenced),
        byte,
        data: spanned.value,
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean, a list or a mapping")
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Data, E> {
        Ok(Data::Bool(bool))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Data, E> {
        Ok(Data::Integer(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Data, E> {
        Ok(i64::try_from(integer).map_or(Data::Large(integer), Data::Integer))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Data, E> {
        Ok(Data::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(Data::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Data, E> {
        Ok(Data::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_none<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Data>>()? {
            list.push(node(item));
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Data>>()?;
            map.push((
                Key {
                    at: position(key.referenced),
                    name: key.value,
                },
                node(value),
            ));
        }
        Ok(Data::Map(map))
    }

    fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Data, E> {
        Err(E::custom("a spec cannot contain binary data"))
    }
}

impl Node {
    /// Where byte `offset` of this node's text is in the source; the node's own place when that cannot be told.
    pub fn inside(&self, source: &str, offset: usize) -> Pos {
        self.byte
            .and_then(|byte| head_of(source, byte, offset))
            .unwrap_or(self.at)
    }
}
