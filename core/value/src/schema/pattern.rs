//! Patterns with lookaround or backreferences, which need backtracking: matched here, within a number of
//! steps, since the validator has no way to say that it could not decide.

use fancy_regex::{Regex, RegexBuilder};
use jsonschema::error::ValidationErrorKind;
use jsonschema::json::Node as _;
use jsonschema::{Keyword, Retrieve, ValidationError, ValidationOptions};
use serde_json::Value as Json;
use std::sync::Arc;

use super::guard::Stop;
use super::instance::{Native, Node};
use crate::Error;

pub(super) const REFUSED: &str = "this is no regular expression of ECMA-262 that can be used here: lookaround \
    and backreferences are possible in `pattern` only, and a pattern may have 10 MiB at most when compiled";

/// The longest pattern, in bytes: reading one takes some 300 times as much memory.
const LONGEST: usize = 64 << 10;

/// Refuses a document with a pattern that is too long.
pub(super) fn check(document: &Json) -> crate::Result<()> {
    let mut open = vec![document];
    while let Some(part) = open.pop() {
        match part {
            Json::Array(items) => open.extend(items),
            Json::Object(entries) => {
                let pattern = entries.get("pattern").and_then(Json::as_str);
                let keys = entries.get("patternProperties").and_then(Json::as_object);
                let keys = keys.into_iter().flat_map(|keys| keys.keys());
                let longest = keys.map(String::len).chain(pattern.map(str::len)).max();
                if longest.is_some_and(|len| len > LONGEST) {
                    return Err(Error::Limit {
                        what: "length of a pattern",
                        limit: LONGEST,
                        at: "a schema".to_owned(),
                    });
                }
                open.extend(entries.values());
            }
            _ => {}
        }
    }
    Ok(())
}

type Options<'i> = ValidationOptions<'i, Arc<dyn Retrieve>, Native>;

/// Whether a schema was refused because of a pattern.
pub(super) fn is_refused(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Format { format } if format == "regex")
}

/// The same options, with all of `pattern` matched here.
pub(super) fn with_lookaround(options: Options<'_>, steps: usize) -> Options<'_> {
    options.with_keyword("pattern", move |_, pattern, _| {
        let text = pattern.as_str().unwrap_or_default();
        let regex = jsonschema_regex::to_rust_regex(text)
            .ok()
            .and_then(|text| RegexBuilder::new(&text).backtrack_limit(steps).build().ok());
        match (regex, pattern) {
            (Some(regex), Json::String(_)) => Ok(Box::new(Pattern {
                text: text.to_owned(),
                regex,
                steps,
            })),
            _ => Err(ValidationError::schema(REFUSED)),
        }
    })
}

struct Pattern {
    text: String,
    regex: Regex,
    steps: usize,
}

impl<'i> Keyword<'i, Native> for Pattern {
    fn validate(&self, node: Node<'i>) -> Result<(), ValidationError<'i>> {
        match self.is_valid(node) {
            true => Ok(()),
            false => Err(ValidationError::custom(self.text.as_str())),
        }
    }

    fn is_valid(&self, node: Node<'i>) -> bool {
        let Some(text) = node.as_string() else {
            return true;
        };
        self.regex.is_match(&*text).unwrap_or_else(|_| {
            if let Some(guard) = node.guard {
                guard.stop(Stop::Pattern(self.steps));
            }
            false
        })
    }
}
