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

pub(super) const REFUSED: &str = "this is no regular expression of ECMA-262 that can be used here: lookaround \
    and backreferences are possible in `pattern` only, and a pattern may have 10 MiB at most when compiled";

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
