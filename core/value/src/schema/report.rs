//! What the validator found, in words: where, what was expected, what is there.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Found};
use serde_json::Value as Json;

use crate::json::string_to_json;
use crate::{Kind, Path, Segment, ValueRef, Violation};

/// Alternatives inside alternatives, above which nothing is listed.
const NESTED_ALTERNATIVES: usize = 8;
/// Characters of a value or key shown in a message.
const SHOWN: usize = 60;
/// Keys, allowed values and such listed in a message.
const LISTED: usize = 10;

/// Violations with numbers up to `max`; see `Guard::violation`. A later one may be a mistake, since the
/// validator was stopped, but the first is none: only what lies inside it came before.
pub(super) fn violations<'i>(
    root: ValueRef<'_>,
    errors: impl Iterator<Item = ValidationError<'i>>,
    max: u32,
) -> Vec<Violation> {
    listed(root, errors, max, NESTED_ALTERNATIVES, true)
}

fn listed<'i>(
    root: ValueRef<'_>,
    errors: impl Iterator<Item = ValidationError<'i>>,
    max: u32,
    nesting: usize,
    keep_first: bool,
) -> Vec<Violation> {
    errors
        .enumerate()
        .take_while(|(at, error)| (*at == 0 && keep_first) || number(error) < u64::from(max))
        .map(|(_, error)| violation(root, error, max, nesting))
        .collect()
}

fn number(error: &ValidationError<'_>) -> u64 {
    error.instance().as_u64().unwrap_or_default()
}

fn violation(
    root: ValueRef<'_>,
    error: ValidationError<'_>,
    max: u32,
    nesting: usize,
) -> Violation {
    let (path, value) = locate(root, error.instance_path().as_str());
    let schema_path = error.schema_path().as_str().to_owned();
    let keyword = match error.kind().keyword() {
        "falseSchema" => "false".to_owned(),
        keyword => keyword.to_owned(),
    };
    let message = message(error.kind(), value, &schema_path);
    let alternatives = match error.into_parts().kind {
        Found::AnyOf { context } | Found::OneOfNotValid { context } => match nesting.checked_sub(1)
        {
            Some(nesting) => context
                .into_iter()
                .map(|branch| listed(root, branch.into_iter(), max, nesting, false))
                .collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    Violation {
        path,
        schema_path,
        keyword,
        message,
        alternatives,
    }
}

/// The place that a JSON Pointer (RFC 6901) made by the validator names, which is always there.
pub(super) fn locate<'a>(root: ValueRef<'a>, pointer: &str) -> (Path, ValueRef<'a>) {
    let mut value = root;
    let mut segments = Vec::new();
    for token in pointer.split('/').skip(1) {
        let segment = match value.kind() {
            Kind::Array => Segment::Index(token.parse().unwrap_or(usize::MAX)),
            _ => Segment::Key(token.replace("~1", "/").replace("~0", "~").into()),
        };
        let Some(child) = value.step(&segment) else {
            break;
        };
        value = child;
        segments.push(segment);
    }
    (segments.into_iter().collect(), value)
}

/// The error of a custom keyword; only `pattern` is one.
fn pattern_message(value: ValueRef<'_>, pattern: &str) -> String {
    format!(
        "{} does not match the pattern {}",
        shown(value),
        string_to_json(&cut(pattern))
    )
}

/// What was expected and what is there.
pub(super) fn message(found: &Found, value: ValueRef<'_>, schema_path: &str) -> String {
    match found {
        Found::Type { kind } => format!("expected {}, found {}", types(kind), described(value)),
        Found::Required { property } => missing(value, property),
        Found::AdditionalProperties { unexpected } => {
            format!("no key {} is allowed here", keys(unexpected))
        }
        Found::UnevaluatedProperties { unexpected } => format!(
            "no key {} is allowed here, since no part of the schema describes it",
            keys(unexpected)
        ),
        Found::PropertyNames { error } => {
            // The keyword is on the object; the name is in the inner error's place of the instance.
            format!("a key is not allowed: {}", inner_name(error))
        }
        Found::Enum { options } => format!(
            "{} is none of the allowed values: {}",
            shown(value),
            options_list(options)
        ),
        Found::Constant { expected_value } => {
            format!("expected {}, found {}", json(expected_value), shown(value))
        }
        Found::Pattern { pattern } => pattern_message(value, pattern),
        Found::Custom { message, .. } => pattern_message(value, message),
        Found::Format { format } => format!("{} is not of the format `{format}`", shown(value)),
        Found::AnyOf { context } => {
            format!(
                "matches none of the {} alternatives{}",
                context.len(),
                hint(context)
            )
        }
        Found::OneOfNotValid { context } => format!(
            "matches none of the {} alternatives, of which exactly one must match{}",
            context.len(),
            hint(context)
        ),
        Found::OneOfMultipleValid { .. } => {
            "matches more than one of the alternatives, of which exactly one must match".to_owned()
        }
        Found::Not { .. } => format!("{} is what the schema under `not` excludes", shown(value)),
        Found::FalseSchema => match schema_path.rsplit('/').next() {
            Some(keyword @ ("additionalItems" | "items" | "unevaluatedItems")) => {
                format!("no more items are allowed here (`{keyword}` is false)")
            }
            _ => "no value is allowed here (the schema is false)".to_owned(),
        },
        _ => bounds_message(found, value),
    }
}

/// The keywords that bound sizes and numbers, and the rest.
fn bounds_message(found: &Found, value: ValueRef<'_>) -> String {
    let number = |relation: &str, limit: &Json| format!("{} {relation} {limit}", shown(value));
    let count = |what: &str, relation: &str, limit: &u64| {
        format!("has {} {what}, {relation} {limit}", size(value))
    };
    match found {
        Found::Minimum { limit } => number("is less than the minimum", limit),
        Found::Maximum { limit } => number("is greater than the maximum", limit),
        Found::ExclusiveMinimum { limit } => number("must be greater than", limit),
        Found::ExclusiveMaximum { limit } => number("must be less than", limit),
        Found::MultipleOf { multiple_of } => {
            format!("{} is not a multiple of {multiple_of}", shown(value))
        }
        Found::MinLength { limit } => count("characters", "fewer than the minimum", limit),
        Found::MaxLength { limit } => count("characters", "more than the maximum", limit),
        Found::MinItems { limit } => count("items", "fewer than the minimum", limit),
        Found::MaxItems { limit } => count("items", "more than the maximum", limit),
        Found::MinProperties { limit } => count("keys", "fewer than the minimum", limit),
        Found::MaxProperties { limit } => count("keys", "more than the maximum", limit),
        Found::AdditionalItems { limit } => {
            format!(
                "has {} items, more than the {limit} that the schema describes",
                size(value)
            )
        }
        Found::UnevaluatedItems { unexpected } => format!(
            "has {} items that no part of the schema describes",
            unexpected.len()
        ),
        Found::UniqueItems => "has an item twice, but items must be unique".to_owned(),
        Found::Contains => "has too few or too many items of the kind it must contain".to_owned(),
        Found::ContentEncoding { content_encoding } => {
            format!("{} is not {content_encoding}", shown(value))
        }
        Found::ContentMediaType { content_media_type } => {
            format!("{} is not {content_media_type}", shown(value))
        }
        Found::FromUtf8 { .. } => "the decoded content is not UTF-8".to_owned(),
        Found::Referencing(error) => error.to_string(),
        Found::RegexEngineFailure { .. } | Found::BacktrackLimitExceeded { .. } => {
            format!("{} could not be matched with the pattern", shown(value))
        }
        _ => "does not satisfy the schema".to_owned(),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(set) => {
            let names: Vec<_> = set.iter().map(|kind| kind.to_string()).collect();
            names.join(" or ")
        }
    }
}

fn missing(value: ValueRef<'_>, property: &Json) -> String {
    let name = property.as_str().unwrap_or_default();
    let mut message = format!("the key {} is missing", string_to_json(&cut(name)));
    let near = value
        .entries()
        .map(|(key, _)| key)
        .take(100)
        .find(|key| nearly_equal(key, name));
    if let Some(near) = near {
        message.push_str(&format!(" (there is {})", string_to_json(&cut(near))));
    }
    message
}

/// Whether both are the same but for case and separators, as in `userName` and `user_name`.
fn nearly_equal(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(SHOWN)
            .collect()
    };
    a != b && letters(a) == letters(b)
}

fn inner_name(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Found::Pattern { pattern } => {
            format!(
                "it does not match the pattern {}",
                string_to_json(&cut(pattern))
            )
        }
        Found::MinLength { limit } => format!("it has fewer than {limit} characters"),
        Found::MaxLength { limit } => format!("it has more than {limit} characters"),
        Found::Enum { options } => format!("the allowed ones are {}", options_list(options)),
        Found::Constant { expected_value } => format!("only {} is", json(expected_value)),
        Found::FalseSchema => "none is".to_owned(),
        other => format!("it violates `{}`", other.keyword()),
    }
}

/// What keeps the alternatives from matching, if that is said quickly.
fn hint(context: &[Vec<ValidationError<'static>>]) -> String {
    let mut expected: Vec<String> = Vec::new();
    for branch in context {
        match branch.as_slice() {
            [error] if error.instance_path().as_str().is_empty() => match error.kind() {
                Found::Type { kind } => expected.push(types(kind)),
                Found::Constant { expected_value } => expected.push(json(expected_value)),
                _ => return String::new(),
            },
            _ => return String::new(),
        }
    }
    format!(": expected {}", limited(expected.into_iter(), " or "))
}

fn keys(names: &[String]) -> String {
    limited(names.iter().map(|name| string_to_json(&cut(name))), ", ")
}

fn options_list(options: &Json) -> String {
    match options {
        Json::Array(options) => limited(options.iter().map(json), ", "),
        other => json(other),
    }
}

fn limited(items: impl ExactSizeIterator<Item = String>, between: &str) -> String {
    let more = items.len().saturating_sub(LISTED);
    let mut text = items.take(LISTED).collect::<Vec<_>>().join(between);
    if more > 0 {
        text.push_str(&format!("{between}and {more} more"));
    }
    text
}

fn json(value: &Json) -> String {
    match value {
        Json::Array(_) | Json::Object(_) => cut(&value.to_string()),
        Json::String(text) => string_to_json(&cut(text)),
        other => other.to_string(),
    }
}

/// Items, keys or characters.
fn size(value: ValueRef<'_>) -> usize {
    match value.as_str() {
        Some(text) => text.chars().count(),
        None => value.len(),
    }
}

/// The kind, and the value if it is short to say.
fn described(value: ValueRef<'_>) -> String {
    match value.kind() {
        Kind::Null => "null".to_owned(),
        Kind::Array | Kind::Object => shown(value),
        kind => format!("{kind} {}", shown(value)),
    }
}

fn shown(value: ValueRef<'_>) -> String {
    match value.kind() {
        Kind::Array => format!("an array of {} items", value.len()),
        Kind::Object => format!("an object of {} keys", value.len()),
        Kind::Bytes => format!("a byte string of {} bytes", value.len()),
        _ => match value.as_str() {
            Some(text) => string_to_json(&cut(text)),
            None => value.to_string(),
        },
    }
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
