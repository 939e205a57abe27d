//! What can go wrong with a value, and the stable number of each.

use std::borrow::Cow;

use crate::{Path, Segment, Violation};

/// The result of an operation on values.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a value was refused. Whatever was being edited is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON (RFC 8259).
    #[error("invalid JSON at line {line}, column {column}: {reason}")]
    InvalidJson {
        /// Line of the offending character, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// The bytes are not one MessagePack value, or end too early.
    #[error("invalid MessagePack at byte {offset}: {reason}")]
    InvalidMsgpack {
        /// Offset of the offending byte, counted from 0.
        offset: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// The text is not a path, or the operation has no meaning at that path.
    #[error("invalid path `{path}` at character {position}: {reason}")]
    InvalidPath {
        /// The path as given (cut when very long).
        path: String,
        /// Position of the offending character, counted from 1.
        position: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// The operation needs another kind of value at this path.
    #[error("expected {expected} at `{path}`, found {found}")]
    WrongType {
        /// Where.
        path: Path,
        /// The kind that was needed.
        expected: &'static str,
        /// The kind that is there, or "nothing".
        found: &'static str,
    },
    /// The value does not have the shape of the Rust type it was read into.
    #[error("cannot read the value at `{path}`: {reason}")]
    Mismatch {
        /// Where in the value.
        path: Path,
        /// What serde reported.
        reason: String,
    },
    /// A limit of [`crate::Limits`] or the hard nesting limit [`crate::MAX_DEPTH`] was exceeded.
    #[error(
        "{what} exceeds the limit of {limit} ({at}); make the input smaller or raise the limit"
    )]
    Limit {
        /// What is limited, e.g. "nesting depth".
        what: &'static str,
        /// The limit in force.
        limit: usize,
        /// Where: a line and column, a byte offset or a path.
        at: String,
    },
    /// A value has no form that can hold this, e.g. NaN or an integer key.
    #[error("not representable at {at}: {reason}")]
    NotRepresentable {
        /// Where: a byte offset or a path.
        at: String,
        /// The same as a path, if it is one.
        path: Option<Path>,
        /// What it is and what to use instead.
        reason: Cow<'static, str>,
    },
    /// An array index past the end.
    #[error("index {index} is out of range at `{path}`: the array has {len} items")]
    IndexOutOfRange {
        /// Path of the array.
        path: Path,
        /// The index asked for.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// The text is not a JSONPath query (RFC 9535).
    #[error("invalid query `{query}` at character {position}: {reason}")]
    InvalidQuery {
        /// The query as given (cut when very long).
        query: String,
        /// Position of the offending character, counted from 1.
        position: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// An operation of a JSON Patch (RFC 6902) is malformed or cannot be applied.
    #[error("patch operation {op} at `{pointer}`: {reason}")]
    PatchFailed {
        /// The number of the operation, counted from 0.
        op: usize,
        /// Where: in the patch when it cannot be read, in the document when it cannot be applied.
        pointer: String,
        /// Where in the document; none if the patch cannot be read.
        path: Option<Path>,
        /// What was found and what is needed there.
        reason: Cow<'static, str>,
    },
    /// The document is not a JSON Schema that can be used.
    #[error("invalid schema at `{path}`: {reason}")]
    InvalidSchema {
        /// Where in the schema.
        path: Path,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The value does not satisfy a schema.
    #[error("{}", crate::violation::summary(violations, *more))]
    SchemaViolation {
        /// Everything that is wrong, in the order of the schema's evaluation; never empty.
        violations: Vec<Violation>,
        /// Whether there may be more, because the search ended at the largest number to report.
        more: bool,
    },
    /// The bytes are not one CBOR data item (RFC 8949), or end too early.
    #[error("invalid CBOR at byte {offset}: {reason}")]
    InvalidCbor {
        /// Offset of the offending byte, counted from 0.
        offset: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// The bytes are not a packed value, see [`crate::Value::from_packed_bytes`].
    #[error("invalid packed value at byte {offset}: {reason}")]
    InvalidPacked {
        /// Offset of the offending word, counted from 0.
        offset: usize,
        /// What is wrong there.
        reason: Cow<'static, str>,
    },
    /// A calculation has no result that a value can hold, or none without a loss that was not asked for.
    #[error("cannot {operation}: {reason}")]
    Arithmetic {
        /// What was to be calculated, e.g. "add P1M to 9999-12-31".
        operation: String,
        /// Why not: an overflow, a division by zero, digits that would be lost.
        reason: Cow<'static, str>,
    },
    /// The text is no decimal, date, time, datetime or duration.
    #[error("`{text}` is no {expected}: {reason}")]
    InvalidTemporal {
        /// The text as given (cut when very long).
        text: String,
        /// What it was read as, e.g. "date".
        expected: &'static str,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// An item of a stream is no value, or the stream is not what it should be.
    #[error("item {item} (line {line}, byte {offset}): {error}")]
    InStream {
        /// Which item, counted from 1, bad ones included.
        item: u64,
        /// The line in which it begins, counted from 1.
        line: u64,
        /// The bytes before it.
        offset: u64,
        /// What is wrong; lines and columns are those of the stream.
        error: Box<Error>,
    },
    /// The reader or writer of a stream failed.
    #[error("the stream failed: {reason}")]
    StreamFailed {
        /// What kind of failure.
        kind: std::io::ErrorKind,
        /// What the reader or writer said.
        reason: String,
    },
    /// The text is not of this format, one of those that people write by hand.
    #[error("invalid {format} at line {line}, column {column}: {reason}")]
    InvalidText {
        /// The format: "TOML".
        format: &'static str,
        /// Line of the offending character, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
        /// What was found and what is allowed there.
        reason: Cow<'static, str>,
    },
    /// Two versions of a value have been changed in ways that do not go together.
    #[error(
        "merge conflict at `{path}` ({conflicts} in all): both sides have changed it, each in another way"
    )]
    MergeConflict {
        /// Where the first conflict is.
        path: Path,
        /// How many there are.
        conflicts: usize,
    },
}

impl Error {
    /// The stable number of this error, unchanged across versions and across the C ABI.
    pub fn code(&self) -> i32 {
        match self {
            Error::InvalidJson { .. } => 200,
            Error::InvalidMsgpack { .. } => 201,
            Error::InvalidPath { .. } => 202,
            Error::WrongType { .. } | Error::Mismatch { .. } => 203,
            Error::Limit { .. } => 204,
            Error::NotRepresentable { .. } => 205,
            Error::IndexOutOfRange { .. } => 206,
            Error::InvalidQuery { .. } => 207,
            Error::PatchFailed { .. } => 208,
            Error::InStream { error, .. } => error.code(),
            Error::StreamFailed { .. } => 216,
            Error::MergeConflict { .. } => 213,
            Error::InvalidSchema { .. } => 209,
            Error::SchemaViolation { .. } => 210,
            Error::InvalidCbor { .. } => 211,
            Error::Arithmetic { .. } => 212,
            Error::InvalidPacked { .. } => 214,
            Error::InvalidTemporal { .. } => 215,
            Error::InvalidText { .. } => 217,
        }
    }

    /// The same error seen from one container further out.
    pub(crate) fn within(self, outer: impl FnOnce() -> Segment) -> Error {
        match self {
            Error::Mismatch { path, reason } => Error::Mismatch {
                path: path.within(outer()),
                reason,
            },
            other => other,
        }
    }

    /// The same error, met in a value that is at `outer` in another one.
    pub(crate) fn under(mut self, outer: &Path) -> Error {
        if let Error::WrongType { path, .. } | Error::IndexOutOfRange { path, .. } = &mut self {
            *path = outer.join(path);
        }
        self
    }

    pub(crate) fn mismatch(reason: impl ToString) -> Error {
        Error::Mismatch {
            path: Path::root(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn too_deep(at: impl ToString) -> Error {
        Error::Limit {
            what: "nesting depth",
            limit: crate::MAX_DEPTH,
            at: at.to_string(),
        }
    }

    pub(crate) fn arithmetic(
        operation: impl ToString,
        reason: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::Arithmetic {
            operation: operation.to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn invalid_temporal(
        expected: &'static str,
        text: &str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Error {
        let mut shown: String = text.chars().take(80).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Error::InvalidTemporal {
            text: shown,
            expected,
            reason: reason.into(),
        }
    }

    pub(crate) fn not_representable(
        at: impl ToString,
        reason: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::NotRepresentable {
            at: at.to_string(),
            path: None,
            reason: reason.into(),
        }
    }

    /// As [`Error::not_representable`], of what is at a path.
    pub(crate) fn not_representable_at(path: Path, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::NotRepresentable {
            at: path.to_string(),
            path: Some(path),
            reason: reason.into(),
        }
    }
}
