//! What can go wrong in the engine.

use std::sync::Arc;

use thiserror::Error as ThisError;

/// An engine error: its own, or one of the layers below, with the same stable codes.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The engine was closed.
    #[error("the engine is closed; open it again")]
    Closed,
    /// An option is out of its range.
    #[error("the option {option} is {given}, but must be {range}")]
    Config {
        /// Which option.
        option: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        range: &'static str,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}; raise the limit on threads or ask for fewer workers")]
    Thread(Arc<std::io::Error>),
    /// A wait or poll was cancelled.
    #[error("the wait was cancelled")]
    Cancelled,
    /// Nothing happened in the time given.
    #[error("nothing happened within {0:?}")]
    TimedOut(std::time::Duration),
    /// The workflow layer refused.
    #[error(transparent)]
    Flow(Arc<statewright_flow::Error>),
    /// The store refused.
    #[error(transparent)]
    Store(Arc<statewright_store::Error>),
    /// A value or path is not acceptable.
    #[error(transparent)]
    Value(#[from] statewright_value::Error),
}

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable number of this error; it is the same in every language.
    pub fn code(&self) -> i32 {
        match self {
            Error::Cancelled => 111,
            Error::TimedOut(_) => 112,
            Error::Closed => 600,
            Error::Config { .. } => 601,
            Error::Thread(_) => 602,
            Error::Flow(e) => e.code(),
            Error::Store(e) => e.code(),
            Error::Value(e) => e.code(),
        }
    }

    /// Whether this is of one case alone, and the others go on.
    pub(crate) fn is_of_one_case(&self) -> bool {
        matches!(self, Error::Flow(e) if e.is_of_one_case())
    }

    /// Whether doing the same again may succeed.
    pub fn is_retryable(&self) -> bool {
        use statewright_store::Retryable;
        match self {
            Error::Store(e) => e.is_retryable(),
            Error::Flow(e) => e.is_retryable(),
            _ => false,
        }
    }
}

impl From<statewright_flow::Error> for Error {
    fn from(e: statewright_flow::Error) -> Self {
        Error::Flow(Arc::new(e))
    }
}

impl From<statewright_store::Error> for Error {
    fn from(e: statewright_store::Error) -> Self {
        Error::Store(Arc::new(e))
    }
}
