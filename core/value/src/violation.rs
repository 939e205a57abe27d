//! One way in which a value does not satisfy a schema: data only, there with or without the validator.

use std::fmt;

use crate::{Path, Value};

/// One way in which a value does not satisfy a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the value.
    pub path: Path,
    /// The violated keyword's place in the schema document that contains it, as a JSON Pointer (RFC 6901)
    /// through `$ref` targets, e.g. `/$defs/name/minLength`.
    pub schema_path: String,
    /// The violated keyword, e.g. `minLength`; `false` for a schema that is `false`.
    pub keyword: String,
    /// What was expected and what is there.
    pub message: String,
    /// For `anyOf` and `oneOf` of which none matched: what is wrong by each alternative, in their order.
    /// Deeper than eight such keywords inside each other nothing is listed.
    pub alternatives: Vec<Vec<Violation>>,
}

impl Violation {
    /// As an object with `path`, `schema_path`, `keyword`, `message` and, where there are any,
    /// `alternatives`: for other programs.
    pub fn to_value(&self) -> Value {
        let text = |text: &str| Value::text(text);
        let mut entries = vec![
            ("path", Value::from(self.path.to_string())),
            ("schema_path", text(&self.schema_path)),
            ("keyword", text(&self.keyword)),
            ("message", text(&self.message)),
        ];
        if !self.alternatives.is_empty() {
            let branch = |branch: &Vec<Violation>| -> Value {
                branch.iter().map(Violation::to_value).collect()
            };
            entries.push((
                "alternatives",
                self.alternatives.iter().map(branch).collect::<Value>(),
            ));
        }
        entries.into_iter().collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}`: {} (schema: {})",
            self.path, self.message, self.schema_path
        )
    }
}

/// How many violations the text of an error spells out.
const SPELLED_OUT: usize = 3;

pub(crate) fn summary(violations: &[Violation], more: bool) -> String {
    let mut summary = match violations {
        [_] if !more => "the value does not satisfy the schema".to_owned(),
        _ => format!(
            "the value does not satisfy the schema in {}{} places",
            violations.len(),
            if more { " or more" } else { "" }
        ),
    };
    for (at, violation) in violations.iter().take(SPELLED_OUT).enumerate() {
        summary.push_str(if at == 0 { ": at " } else { "; at " });
        summary.push_str(&violation.to_string());
    }
    if violations.len() > SPELLED_OUT {
        summary.push_str("; …");
    }
    summary
}
