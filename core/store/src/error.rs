//! What can go wrong in the store, and what to do about it.

use thiserror::Error as ThisError;

/// A store error. Every variant has a stable [`code`](Error::code).
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Another commit changed what this transaction read or writes. Nothing was changed; run the transaction again.
    #[error(
        "conflict on {path}: commit {committed} changed it after this transaction's snapshot {snapshot}; run the transaction again"
    )]
    Conflict {
        /// The region this transaction touched.
        path: String,
        /// The version of the commit that changed it.
        committed: u64,
        /// The version this transaction reads at.
        snapshot: u64,
    },
    /// The key or document is not there.
    #[error("{what} does not exist; create it first")]
    NotFound {
        /// Space, primitive and key.
        what: String,
    },
    /// A create found the key taken.
    #[error("{what} already exists; set its root to replace it, or drop it first")]
    AlreadyExists {
        /// Space, primitive and key.
        what: String,
    },
    /// The snapshot is older than the window in which conflicts can be decided. Nothing was changed; run it again.
    #[error(
        "snapshot {snapshot} is older than {oldest}, the oldest that can still be validated; run the transaction again and keep it shorter"
    )]
    SnapshotTooOld {
        /// The version this transaction reads at.
        snapshot: u64,
        /// The oldest version that can still commit.
        oldest: u64,
    },
    /// A key is empty or too long.
    #[error("a key must have 1 to {max} bytes, not {bytes}")]
    InvalidKey {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A space's name is not of its form.
    #[error(
        "'{space}' is not a space: write 1 to 4 parts of A-Z a-z 0-9 . _ - joined by '/', as in tenant/app"
    )]
    InvalidSpace {
        /// The name, cut to 64 characters.
        space: String,
    },
    /// The transaction is larger than the limits allow.
    #[error(
        "the transaction has more than {max} {what}; split it, or raise the limit in StoreOptions"
    )]
    TxnLimit {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The store was closed.
    #[error("the store is closed; open it again")]
    Closed,
    /// A commit's content cannot be read or applied: the log is damaged, or was written by a newer version.
    #[error(
        "commit {version} cannot be applied: {why}; restore the folder from a backup, or copy it away before any repair"
    )]
    Corrupt {
        /// The commit.
        version: u64,
        /// What is wrong with it.
        why: String,
    },
    /// What is there is not what the operation expected. Nothing was changed; read it again and decide anew.
    #[error("{what} is at version {found}, not {expected}; read it again and decide anew", found = named(*found), expected = named(*expected))]
    VersionMismatch {
        /// Space, primitive and key.
        what: String,
        /// The version that was expected; none if nothing was to be there.
        expected: Option<u64>,
        /// The version that is there; none if nothing is.
        found: Option<u64>,
    },
    /// The value that is there is not the one that was expected. Nothing was changed; read it again and decide anew.
    #[error("{what} does not have the expected value; read it again and decide anew")]
    ValueMismatch {
        /// Space, primitive and key.
        what: String,
    },
    /// A run cannot go from its status to this one. Nothing was changed.
    #[error("{what} is {from} and cannot become {to}; from {from} it can become: {allowed}")]
    IllegalTransition {
        /// Space and run.
        what: String,
        /// Its status.
        from: &'static str,
        /// The one asked for.
        to: &'static str,
        /// What it can become, separated by commas; `nothing` at the end of its life.
        allowed: String,
    },
    /// The past was asked for, and there is no log that reaches back to it.
    #[error("the history of {what} is not there: {why}")]
    NoHistory {
        /// Space, primitive and key.
        what: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// An event is not what was appended: the hash chain of its stream breaks there.
    #[error(
        "{what}: the hash chain breaks at event {sequence}: {why}; restore the folder from a backup"
    )]
    ChainBroken {
        /// Space and stream.
        what: String,
        /// The first event that does not fit.
        sequence: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name (of a stream, type, tag, trace or run) is not of its form.
    #[error("'{name}' cannot be the name of a {what}: write {form}")]
    InvalidName {
        /// What it was to name.
        what: &'static str,
        /// The name, cut to 64 characters.
        name: String,
        /// What is accepted.
        form: &'static str,
    },
    /// A run with children was to be removed without them. Nothing was changed.
    #[error("{what} has children; remove them first, or remove it with all below it")]
    HasChildren {
        /// Space and run.
        what: String,
    },
    /// The savepoint was released, undone, or is another transaction's.
    #[error("there is no such savepoint any more in this transaction; make a new one")]
    UnknownSavepoint,
    /// A call is not well formed. Nothing was changed.
    #[error("call of '{op}': {problem}")]
    InvalidCall {
        /// The operation, cut to 64 characters.
        op: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What was to be restored does not fit what is there. Nothing was changed.
    #[error("{what} cannot be restored: {why}")]
    CannotRestore {
        /// Space, primitive and key.
        what: String,
        /// What does not fit.
        why: &'static str,
    },
    /// An operation does not fit the value that is there, or cannot have this operand. Nothing was changed.
    #[error("{what}: {source}")]
    At {
        /// Space, primitive and key.
        what: String,
        /// What is wrong; its path begins at the value of the key.
        source: statewright_value::Error,
    },
    /// A page of a checkpoint is damaged, so what is in it cannot be read. The log still has it.
    #[error("a checkpoint is damaged, nothing was changed: {why}")]
    Damaged {
        /// Which one, where, and what to do.
        why: String,
    },
    /// A value or path is not acceptable.
    #[error(transparent)]
    Value(#[from] statewright_value::Error),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] statewright_log::Error),
}

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable number of this error; it is the same in every language.
    pub fn code(&self) -> i32 {
        match self {
            Error::Conflict { .. } => 400,
            Error::NotFound { .. } => 401,
            Error::AlreadyExists { .. } => 402,
            Error::SnapshotTooOld { .. } => 403,
            Error::InvalidKey { .. } => 404,
            Error::InvalidSpace { .. } => 405,
            Error::TxnLimit { .. } => 406,
            Error::Closed => 407,
            Error::Corrupt { .. } => 408,
            Error::VersionMismatch { .. } => 409,
            Error::ValueMismatch { .. } => 410,
            Error::IllegalTransition { .. } => 411,
            Error::NoHistory { .. } => 412,
            Error::ChainBroken { .. } => 413,
            Error::InvalidName { .. } => 414,
            Error::HasChildren { .. } => 415,
            Error::UnknownSavepoint => 416,
            Error::Damaged { .. } => 417,
            Error::InvalidCall { .. } => 418,
            Error::CannotRestore { .. } => 419,
            Error::At { source, .. } => source.code(),
            Error::Value(e) => e.code(),
            Error::Log(e) => e.code(),
        }
    }
}

impl Error {
    /// What is wrong with the value at an encoded key.
    pub(crate) fn at(key: &[u8], source: statewright_value::Error) -> Error {
        let what = crate::space::display(key);
        Error::At { what, source }
    }

    /// Something else than what this version writes is at an encoded key.
    pub(crate) fn damaged(key: &[u8], version: u64) -> Error {
        let why = format!("{} is not readable", crate::space::display(key));
        Error::Corrupt { version, why }
    }

    /// Whether what was to be written is at fault (too large, too deep, too much), and not the store: nothing was
    /// changed, and the store goes on.
    pub fn is_about_input(&self) -> bool {
        matches!(
            self,
            Error::Value(_)
                | Error::At { .. }
                | Error::InvalidName { .. }
                | Error::InvalidCall { .. }
                | Error::CannotRestore { .. }
                | Error::TxnLimit { .. }
                | Error::InvalidKey { .. }
                | Error::Log(statewright_log::Error::FrameTooLarge { .. })
        )
    }
}

/// A version as people read it.
fn named(version: Option<u64>) -> String {
    version.map_or_else(|| "none (absent)".to_owned(), |v| v.to_string())
}

/// Errors that tell whether trying the same again can succeed.
pub trait Retryable {
    /// Whether running the same transaction again may succeed.
    fn is_retryable(&self) -> bool;
}

impl Retryable for Error {
    fn is_retryable(&self) -> bool {
        matches!(self, Error::Conflict { .. } | Error::SnapshotTooOld { .. })
    }
}
