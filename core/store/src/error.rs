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
            Error::Value(e) => e.code(),
            Error::Log(e) => e.code(),
        }
    }
}

impl Error {
    /// Whether what was to be written is at fault (too large, too deep, too much), and not the store: nothing was
    /// changed, and the store goes on.
    pub fn is_about_input(&self) -> bool {
        matches!(
            self,
            Error::Value(_)
                | Error::TxnLimit { .. }
                | Error::InvalidKey { .. }
                | Error::Log(statewright_log::Error::FrameTooLarge { .. })
        )
    }
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
