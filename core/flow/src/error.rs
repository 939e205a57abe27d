//! What can go wrong with flows and cases, and what to do about it.

use statewright_store::Retryable;
use thiserror::Error as ThisError;

use crate::expr::ExprError;
use crate::problem::{Problem, list};

/// A flow error. Every variant has a stable [`code`](Error::code).
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The spec is not a flow. All that is wrong with it is listed.
    #[error("the flow was refused:\n{}", list(problems))]
    InvalidSpec {
        /// At least one error, and perhaps warnings, in the order of the text.
        problems: Vec<Problem>,
    },
    /// No flow of that name is deployed.
    #[error("there is no flow '{flow}'; deploy it first")]
    UnknownFlow {
        /// The name asked for.
        flow: String,
    },
    /// There is no such case.
    #[error("there is no case '{case}'")]
    UnknownCase {
        /// The id asked for.
        case: String,
    },
    /// The case has ended, so it cannot be changed any more.
    #[error("case '{case}' is {status} and takes nothing more; start a new one")]
    CaseClosed {
        /// The case.
        case: String,
        /// How it ended.
        status: String,
    },
    /// The result is not wanted any more. Nothing was changed.
    #[error("item {item} is not yours any more: {why}; drop the result and claim other work")]
    StaleItem {
        /// The token given.
        item: String,
        /// What happened to it.
        why: String,
    },
    /// An expression could not be compiled or evaluated.
    #[error("expression: {0}")]
    Expression(#[from] ExprError),
    /// A case of that id exists.
    #[error("case '{case}' exists already; leave the id out to get a new one")]
    CaseExists {
        /// The id given.
        case: String,
    },
    /// What was given to a call cannot be used.
    #[error("{why}")]
    Input {
        /// What is wrong with it.
        why: String,
    },
    /// A token that no claim gave.
    #[error("'{item}' is not the token of a work item; use the token that the claim gave")]
    UnknownItem {
        /// The token given.
        item: String,
    },
    /// The flow uses something that this version cannot run.
    #[error("the flow cannot be run by this version: {why}")]
    UnsupportedSpec {
        /// What it uses.
        why: String,
    },
    /// A stored flow document is not as this version writes it.
    #[error(
        "the stored {key} has no readable {field}; the store was written by another version, or is damaged"
    )]
    Damaged {
        /// Its key.
        key: String,
        /// What of it.
        field: String,
    },
    /// The system gave no random bytes for an id.
    #[error("no random bytes for a new id: {why}; give an id, or try again")]
    Random {
        /// The system's reason.
        why: String,
    },
    /// The case is not in a state for what was asked of it. Nothing was changed.
    #[error("refused ({code}): {why}")]
    Refused {
        /// A short, stable word for programs, such as `not-running`.
        code: &'static str,
        /// Why, and what to do.
        why: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] statewright_store::Error),
    /// A value or path is not acceptable.
    #[error(transparent)]
    Value(#[from] statewright_value::Error),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable number of this error; it is the same in every language.
    pub fn code(&self) -> i32 {
        match self {
            Error::InvalidSpec { .. } => 500,
            Error::UnknownFlow { .. } => 501,
            Error::UnknownCase { .. } => 502,
            Error::CaseClosed { .. } => 503,
            Error::StaleItem { .. } => 504,
            Error::Expression(_) => 505,
            Error::CaseExists { .. } => 506,
            Error::Input { .. } => 507,
            Error::UnknownItem { .. } => 508,
            Error::UnsupportedSpec { .. } => 509,
            Error::Damaged { .. } => 510,
            Error::Random { .. } => 511,
            Error::Refused { .. } => 512,
            Error::Store(error) => error.code(),
            Error::Value(error) => error.code(),
        }
    }
}

impl Error {
    /// Whether this is of one case alone, and the others go on: it cannot be read, this version refuses its spec, what
    /// it would write is too large. False for what the store itself cannot do.
    pub fn is_of_one_case(&self) -> bool {
        match self {
            Error::Store(e) => {
                use statewright_store::Error::{AlreadyExists, NotFound};
                let odd = matches!(e, AlreadyExists { .. } | NotFound { .. });
                odd || e.is_about_input() || e.is_retryable()
            }
            Error::Random { .. } => false,
            _ => true,
        }
    }

    pub(crate) fn damaged(key: &str, field: &str) -> Error {
        Error::Damaged {
            key: key.to_owned(),
            field: field.to_owned(),
        }
    }
}

impl Retryable for Error {
    fn is_retryable(&self) -> bool {
        matches!(self, Error::Store(error) if error.is_retryable())
    }
}
