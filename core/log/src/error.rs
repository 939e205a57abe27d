//! What can go wrong in the log, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call on the log failed. Each message says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an I/O call for a reason that has no variant of its own. Code 300.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb ("read", "sync", …).
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another open log, here or in another process, owns the folder. Code 301.
    #[error(
        "the store {} is already open ({holder}); close it there first, or use that process's handle. \
         Do not delete the lock file: the lock ends by itself when its owner exits",
        path.display()
    )]
    Locked {
        /// The folder of the store.
        path: PathBuf,
        /// Who holds the lock, as far as known.
        holder: String,
    },
    /// Bytes that were durable before are damaged or missing. Nothing was changed or skipped. Code 302.
    #[error(
        "{} is damaged at byte {offset}: {problem}. Nothing was changed; restore the folder from a backup, or copy it away \
         and see what `statewright verify` and `statewright repair` tell about it",
        path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Offset in bytes of the first record that cannot be trusted.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// An earlier write or sync failed, so nothing more is accepted or acknowledged (rules W1, W2). Code 303.
    #[error(
        "the log stopped accepting commits because it {cause}; close it and open it again to recover"
    )]
    Poisoned {
        /// The first failure.
        #[source]
        cause: Arc<Error>,
    },
    /// The file was written by a newer version, or with a feature this version does not have. Code 304.
    #[error("{} cannot be read by this version of Statewright: {problem}; use a newer version", path.display())]
    UnsupportedFormat {
        /// The file.
        path: PathBuf,
        /// What is not supported.
        problem: String,
    },
    /// The disk or quota is full. Code 305.
    #[error("no space left to {action} {}: {source}; free some space and try again", path.display())]
    NoSpace {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The folder or file cannot be written by this user, or its file system is read-only. Code 306.
    #[error(
        "not allowed to {action} {}: {source}; check the owner and permissions of the folder, and that its file \
         system is not read-only",
        path.display()
    )]
    NotWritable {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// One commit is larger than the log accepts. Code 307.
    #[error(
        "a commit of {bytes} bytes is larger than the limit of {limit} bytes; split it, or raise the limit"
    )]
    FrameTooLarge {
        /// Size of the refused payload in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The path is a file, or a folder with other things in it and no store. Code 308.
    #[error("{} is not a Statewright store: {problem}; name an empty or new folder, or the folder of a store", path.display())]
    NotAStore {
        /// The path given.
        path: PathBuf,
        /// What was found there.
        problem: String,
    },
    /// There is not enough memory for a commit; nothing was changed. Code 113.
    #[error(
        "not enough memory: {} could be had; nothing was changed; free some and try again",
        if *bytes == 0 { "no more".to_owned() } else { format!("no {bytes} bytes more") }
    )]
    OutOfMemory {
        /// What was asked for, in bytes; 0 if that is not known.
        bytes: u64,
    },
    /// This process is a forked child of the one that opened the log, which still uses it. Code 109.
    #[error(
        "the log was opened by the process that this one was forked from; open stores after the fork"
    )]
    Forked,
    /// The log was closed. Code 106.
    #[error("the log is closed; open it again")]
    Closed,
    /// The reader of a frame (replay or [`Log::read`](crate::Log::read)) refused it. Code 302.
    #[error("the commit {version} could not be applied: {source}")]
    Rejected {
        /// The commit's version.
        version: u64,
        /// The reader's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The stable number of this kind of error, as it crosses the C ABI.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Error::Closed => 106,
            Error::Forked => 109,
            Error::OutOfMemory { .. } => 113,
            Error::Io { .. } => 300,
            Error::Locked { .. } => 301,
            Error::Corrupt { .. } | Error::Rejected { .. } => 302,
            Error::Poisoned { .. } => 303,
            Error::UnsupportedFormat { .. } => 304,
            Error::NoSpace { .. } => 305,
            Error::NotWritable { .. } => 306,
            Error::FrameTooLarge { .. } => 307,
            Error::NotAStore { .. } => 308,
        }
    }

    /// Wraps a reader's own error, to be returned from a replay or read callback.
    ///
    /// `version` is the commit that could not be applied.
    #[must_use]
    pub fn rejected(
        version: u64,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Rejected {
            version,
            source: source.into(),
        }
    }

    /// Sorts an operating system error into the variant that tells the user what to do.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Error {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
                action,
                path,
                source,
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::NotWritable {
                    action,
                    path,
                    source,
                }
            }
            io::ErrorKind::OutOfMemory => Error::OutOfMemory { bytes: 0 },
            _ => Error::Io {
                action,
                path,
                source,
            },
        }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, problem: impl Into<String>) -> Error {
        Error::Corrupt {
            path: path.to_path_buf(),
            offset,
            problem: problem.into(),
        }
    }
}
