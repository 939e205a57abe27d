//! Errors that teach: beyond the message, the name, the place and what to try, for people and for programs.

use crate::{Error, Path, Value, Violation};

impl Error {
    /// The name that goes with [`Error::code`], e.g. `invalid_json`: stable as well.
    pub fn name(&self) -> &'static str {
        match self {
            Error::InvalidJson { .. } => "invalid_json",
            Error::InvalidMsgpack { .. } => "invalid_msgpack",
            Error::InvalidPath { .. } => "invalid_path",
            Error::WrongType { .. } | Error::Mismatch { .. } => "wrong_type",
            Error::Limit { .. } => "limit",
            Error::NotRepresentable { .. } => "not_representable",
            Error::IndexOutOfRange { .. } => "index_out_of_range",
            Error::InvalidQuery { .. } => "invalid_query",
            Error::PatchFailed { .. } => "patch_failed",
            Error::InvalidSchema { .. } => "invalid_schema",
            Error::SchemaViolation { .. } => "schema_violation",
            Error::InvalidCbor { .. } => "invalid_cbor",
            Error::InvalidPacked { .. } => "invalid_packed",
            Error::Arithmetic { .. } => "arithmetic",
            Error::MergeConflict { .. } => "merge_conflict",
            Error::InvalidTemporal { .. } => "invalid_temporal",
            Error::StreamFailed { .. } => "stream_failed",
            Error::InvalidText { .. } => "invalid_text",
            Error::InStream { error, .. } => error.name(),
        }
    }

    /// Where in a value (or in a schema) it went wrong, if that is known; of several places the first.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::WrongType { path, .. }
            | Error::Mismatch { path, .. }
            | Error::IndexOutOfRange { path, .. }
            | Error::InvalidSchema { path, .. }
            | Error::MergeConflict { path, .. } => Some(path),
            Error::SchemaViolation { violations, .. } => {
                violations.first().map(|violation| &violation.path)
            }
            Error::PatchFailed { path, .. } | Error::NotRepresentable { path, .. } => path.as_ref(),
            Error::InStream { error, .. } => error.path(),
            _ => None,
        }
    }

    /// What to try, as a sentence or two for the one who wrote the input or the program.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::InvalidJson { .. } => {
                "Look at the character at that place. JSON has no comments, no trailing commas, no single \
                 quotes, and keys are always quoted."
            }
            Error::InvalidMsgpack { .. }
            | Error::InvalidCbor { .. }
            | Error::InvalidPacked { .. } => {
                "Check that the bytes are whole, that they are in this format, and that nothing follows them."
            }
            Error::InvalidPath { .. } => {
                "Write keys after dots and indexes in brackets, as in `.user.tags[0]`, and quote other keys: \
                 `.\"odd key\"`."
            }
            Error::WrongType { .. } => {
                "Check that the path leads where you mean, and look at the kind of the value there first."
            }
            Error::Mismatch { .. } => {
                "Change the value at that place, or let the type accept it: `Option` for null, `#[serde(default)]` \
                 for a key that may be missing, a wider number."
            }
            Error::Limit { .. } => {
                "Make the input smaller, or raise that limit if you trust where the input comes from: \
                 `Limits::permissive()` or `Limits::with_…`."
            }
            Error::NotRepresentable { .. } => {
                "Use another form: text for NaN or a large number, text for keys, null for what is not there."
            }
            Error::IndexOutOfRange { .. } => {
                "Indexes are counted from 0. Look at the length first. To append, use `push`, or `set` and `insert` with \
                 the length as the index."
            }
            Error::InvalidQuery { .. } => {
                "A query is JSONPath (RFC 9535), as in `$.books[?@.price < 10].title`."
            }
            Error::PatchFailed { path: None, .. } => {
                "Correct the patch at that place: an array of operations of RFC 6902, such as \
                 `[{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}]`."
            }
            Error::PatchFailed { .. } => {
                "The document may have changed since the patch was made: make the patch anew from the document as \
                 it is."
            }
            Error::InvalidSchema { .. } => {
                "Check the keyword at that place. Other documents that `$ref` leads to have to be given with \
                 `SchemaOptions`."
            }
            Error::SchemaViolation { .. } => {
                "Change the value at each place, or the schema where it is too strict."
            }
            Error::Arithmetic { .. } => {
                "Use another kind of number, such as a decimal or a float, or round explicitly."
            }
            Error::InvalidTemporal {
                expected: "decimal",
                ..
            } => {
                "A decimal is written in digits with a point, as in `-12.50`: no comma, no spaces, no unit."
            }
            Error::InvalidTemporal { .. } => {
                "Dates, times and durations are written as in ISO 8601: `2024-02-29`, `12:30:00`, \
                 `2024-02-29T12:30:00Z`, `PT90S`."
            }
            Error::InvalidText { .. } => "Look at the character at that place.",
            Error::MergeConflict { .. } => {
                "Decide for one of the sides at each place, or merge with a rule that prefers one."
            }
            Error::StreamFailed { .. } => {
                "The values before are good. Try again from the last one when the reader or writer works again."
            }
            Error::InStream { .. } => {
                "Correct the item at that place, or pass over bad items: `keep_going` or `skip_bad`."
            }
        }
    }

    /// The error as an object for other programs: `code`, `name`, `message`, `hint`, and, where there are any, `path`,
    /// `violations`, or `item`, `line` and `offset` in a stream.
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// let Err(error) = value!({ "age": "x" }).deserialize::<std::collections::BTreeMap<String, u8>>() else {
    ///     panic!("a text is no number");
    /// };
    /// let report = error.to_value();
    /// assert_eq!(report.get("code"), Some(value!(203)));
    /// assert_eq!(report.get("path"), Some(value!(".age")));
    /// ```
    pub fn to_value(&self) -> Value {
        let mut report = vec![
            ("code", Value::from(self.code())),
            ("name", Value::from(self.name())),
            ("message", Value::from(self.to_string())),
            ("hint", Value::from(self.hint())),
        ];
        if let Some(path) = self.path() {
            report.push(("path", Value::from(path.to_string())));
        }
        let mut inner = self;
        if let Error::InStream {
            item,
            line,
            offset,
            error,
        } = self
        {
            report.extend([
                ("item", Value::from(*item)),
                ("line", Value::from(*line)),
                ("offset", Value::from(*offset)),
            ]);
            inner = error;
        }
        if let Error::SchemaViolation { violations, .. } = inner {
            let violations: Value = violations.iter().map(Violation::to_value).collect();
            report.push(("violations", violations));
        }
        report.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// One of each.
    fn all() -> Vec<Error> {
        let (path, text) = (Path::root().key("a"), "x".to_owned());
        vec![
            Error::InvalidJson {
                line: 1,
                column: 1,
                reason: "x".into(),
            },
            Error::InvalidMsgpack {
                offset: 0,
                reason: "x".into(),
            },
            Error::InvalidPath {
                path: text.clone(),
                position: 1,
                reason: "x".into(),
            },
            Error::WrongType {
                path: path.clone(),
                expected: "text",
                found: "null",
            },
            Error::Mismatch {
                path: path.clone(),
                reason: text.clone(),
            },
            Error::Limit {
                what: "x",
                limit: 1,
                at: text.clone(),
            },
            Error::not_representable("x", "x"),
            Error::IndexOutOfRange {
                path: path.clone(),
                index: 2,
                len: 1,
            },
            Error::InvalidQuery {
                query: text.clone(),
                position: 1,
                reason: "x".into(),
            },
            Error::PatchFailed {
                op: 0,
                pointer: text.clone(),
                path: None,
                reason: "x".into(),
            },
            Error::InvalidSchema {
                path: path.clone(),
                reason: text.clone(),
            },
            Error::SchemaViolation {
                violations: Vec::new(),
                more: false,
            },
            Error::InvalidCbor {
                offset: 0,
                reason: "x".into(),
            },
            Error::Arithmetic {
                operation: text.clone(),
                reason: "x".into(),
            },
            Error::MergeConflict { path, conflicts: 1 },
            Error::InvalidTemporal {
                text: text.clone(),
                expected: "date",
                reason: "x".into(),
            },
            Error::StreamFailed {
                kind: std::io::ErrorKind::Other,
                reason: text,
            },
            Error::InvalidText {
                format: "TOML",
                line: 1,
                column: 1,
                reason: "x".into(),
            },
        ]
    }

    #[test]
    fn codes_and_names_go_together() {
        let mut names = BTreeMap::new();
        for error in all() {
            let name = names.entry(error.code()).or_insert(error.name());
            assert_eq!(*name, error.name());
            assert!(error.hint().ends_with('.'));
            assert!((200..300).contains(&error.code()));
        }
        let distinct: std::collections::BTreeSet<_> = names.values().collect();
        assert_eq!(names.len(), distinct.len());
    }

    #[test]
    fn an_error_in_a_stream_reports_the_item_and_what_is_wrong_with_it() {
        for error in all() {
            let (code, path) = (error.code(), error.path().cloned());
            let in_stream = Error::InStream {
                item: 7,
                line: 8,
                offset: 99,
                error: Box::new(error),
            };
            let report = in_stream.to_value();
            assert_eq!(report.get("code"), Some(Value::from(code)));
            assert_eq!(report.get("item"), Some(Value::from(7)));
            assert_eq!(
                report.get("path"),
                path.map(|path| Value::from(path.to_string()))
            );
            assert_eq!(report.get("violations").is_some(), code == 210);
        }
    }
}
