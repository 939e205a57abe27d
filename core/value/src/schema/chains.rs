//! How many schemas may apply to one place of a value, one inside the other: the validator recurses along
//! `$ref` and `allOf` and the like without looking at the value, so a long chain of them has to be refused before.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{Error, Result};

/// The longest chain, from the target of a reference on. A hop takes up to 1 KiB of stack (3 KiB in a debug
/// build).
const LONGEST: usize = 256;

/// Keywords whose subschemas apply to the same place: one, a list, or by key.
const ONE: &[&str] = &["not", "if", "then", "else"];
const LIST: &[&str] = &["allOf", "anyOf", "oneOf"];
const BY_KEY: &[&str] = &["dependentSchemas", "dependencies"];
const REFERENCE: &[&str] = &["$ref", "$dynamicRef", "$recursiveRef"];

/// Refuses a document in which references follow each other too often. Exact for JSON Pointers and for anchors;
/// an embedded `$id` is matched by how it ends. A cycle is cut: the validator itself notices those.
pub(super) fn check(document: &Json) -> Result<()> {
    let mut chains = Chains {
        document,
        named: BTreeMap::new(),
        lengths: BTreeMap::new(),
    };
    let mut references = Vec::new();
    let mut open = vec![document];
    while let Some(part) = open.pop() {
        match part {
            Json::Array(items) => open.extend(items),
            Json::Object(entries) => {
                references.extend(
                    REFERENCE
                        .iter()
                        .filter_map(|key| entries.get(*key)?.as_str()),
                );
                for name in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                    if let Some(Json::String(name)) = entries.get(name) {
                        chains.named.insert(name.trim_end_matches('#'), part);
                    }
                }
                open.extend(entries.values());
            }
            _ => {}
        }
    }
    for reference in references {
        chains.length(reference, LONGEST)?;
    }
    Ok(())
}

struct Chains<'a> {
    document: &'a Json,
    /// Subschemas by anchor and `$id`.
    named: BTreeMap<&'a str, &'a Json>,
    /// By reference; 0 while it is being found.
    lengths: BTreeMap<&'a str, usize>,
}

impl<'a> Chains<'a> {
    /// The longest chain from the target of a reference. Recurses once for each hop, so at most `left` times.
    fn length(&mut self, reference: &'a str, left: usize) -> Result<usize> {
        let known = self.lengths.get(reference).copied();
        let too_long = |length: usize| length > left;
        if known.is_some_and(too_long) || left == 0 {
            return Err(Error::Limit {
                what: "number of schema references in a row",
                limit: LONGEST,
                at: format!("`{reference}`"),
            });
        }
        if let Some(known) = known {
            return Ok(known);
        }
        self.lengths.insert(reference, 0);
        let mut longest = 0;
        for (hops, next) in in_place(self.target(reference)) {
            let length = self.length(next, left.saturating_sub(hops))?;
            longest = longest.max(hops + length);
        }
        self.lengths.insert(reference, longest);
        Ok(longest)
    }

    fn target(&self, reference: &str) -> Option<&'a Json> {
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = match base {
            "" => self.document,
            base => {
                let ends = |id: &&&str| id.trim_end_matches('#').ends_with(base);
                let id = self.named.keys().find(ends)?;
                self.named.get(id).copied()?
            }
        };
        match fragment.strip_prefix('/') {
            Some(_) => base.pointer(&percent_decoded(fragment)),
            None if fragment.is_empty() => Some(base),
            None => self.named.get(fragment).copied(),
        }
    }
}

/// The references that apply to the same place as `schema` does, and how many schemas lie between.
fn in_place(schema: Option<&Json>) -> Vec<(usize, &str)> {
    let mut references = Vec::new();
    let mut open: Vec<(usize, &Json)> = schema.into_iter().map(|schema| (1, schema)).collect();
    while let Some((hops, schema)) = open.pop() {
        for key in REFERENCE {
            if let Some(Json::String(reference)) = schema.get(key) {
                references.push((hops, reference.as_str()));
            }
        }
        let inner = hops + 1;
        let one = ONE.iter().filter_map(|key| schema.get(key));
        let list = LIST.iter().filter_map(|key| schema.get(key)?.as_array());
        let by_key = BY_KEY.iter().filter_map(|key| schema.get(key)?.as_object());
        open.extend(
            one.chain(list.flatten())
                .chain(by_key.flat_map(serde_json::Map::values))
                .map(|schema| (inner, schema)),
        );
    }
    references
}

/// A JSON Pointer out of a URI's fragment (RFC 6901, section 6).
fn percent_decoded(fragment: &str) -> String {
    let mut decoded = Vec::with_capacity(fragment.len());
    let mut parts = fragment.split('%');
    decoded.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                decoded.push(byte);
                decoded.extend(rest.bytes());
            }
            _ => {
                decoded.push(b'%');
                decoded.extend(part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
