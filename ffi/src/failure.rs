//! Failures: what goes wrong inside, before it becomes a status and a `sw_error`.

use crate::status::*;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// One failed call: a stable code, and text that says what happened, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: sw_status,
    pub(crate) message: String,
    /// Which argument, key or place in a value; empty when there is none.
    pub(crate) path: String,
    /// What to do about it; empty when the message says it all.
    pub(crate) help: String,
}

impl Failure {
    pub(crate) fn new(code: sw_status, message: impl Into<String>) -> Self {
        Failure {
            code,
            message: message.into(),
            path: String::new(),
            help: String::new(),
        }
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub(crate) fn misuse(what: &str) -> Self {
        Failure::new(SW_MISUSE, format!("this is not an open {what}"))
            .at(what)
            .help("the handle is zero, was closed already, is of another type, or is of another library")
    }

    pub(crate) fn closed(what: &str) -> Self {
        Failure::new(SW_CLOSED, format!("the {what} is closed"))
    }

    /// True when the same call may succeed if it is simply made again.
    pub(crate) fn retryable(&self) -> bool {
        matches!(
            self.code,
            SW_CONFLICT | SW_SNAPSHOT_TOO_OLD | SW_BUSY | SW_TIMEOUT
        )
    }
}

impl From<&statewright_value::Error> for Failure {
    fn from(error: &statewright_value::Error) -> Self {
        use statewright_value::Error;
        let failure = Failure::new(error.code(), error.to_string());
        let failure = match (error, error.path()) {
            (Error::PatchFailed { pointer, .. }, _) => failure.at(pointer),
            (_, Some(path)) => failure.at(path.to_string()),
            (Error::InvalidPath { path, .. }, _) => failure.at(path),
            _ => failure,
        };
        match error {
            // What these say is for Rust programs.
            Error::Mismatch { .. } | Error::Limit { .. } | Error::InvalidSchema { .. } => failure,
            other => failure.help(other.hint()),
        }
    }
}

impl From<&statewright_store::Error> for Failure {
    fn from(error: &statewright_store::Error) -> Self {
        use statewright_store::Error;
        match error {
            // One thing has one status in C, whichever layer notices it.
            Error::Closed => Failure::closed("engine"),
            Error::Conflict { path, .. } => Failure::new(error.code(), error.to_string()).at(path),
            Error::NotFound { what }
            | Error::AlreadyExists { what }
            | Error::VersionMismatch { what, .. }
            | Error::ValueMismatch { what }
            | Error::IllegalTransition { what, .. }
            | Error::NoHistory { what, .. }
            | Error::ChainBroken { what, .. }
            | Error::HasChildren { what }
            | Error::At { what, .. } => Failure::new(error.code(), error.to_string()).at(what),
            Error::Value(error) => error.into(),
            other => Failure::new(other.code(), other.to_string()),
        }
    }
}

impl From<&statewright::flow::Error> for Failure {
    fn from(error: &statewright::flow::Error) -> Self {
        use statewright::flow::Error;
        match error {
            Error::InvalidSpec { problems } => {
                let first = problems.first().map(|p| format!("{}:{}", p.line, p.column));
                Failure::new(error.code(), error.to_string()).at(first.unwrap_or_default())
            }
            Error::Store(error) => error.into(),
            Error::Value(error) => error.into(),
            other => Failure::new(other.code(), other.to_string()),
        }
    }
}

impl From<statewright::Error> for Failure {
    fn from(error: statewright::Error) -> Self {
        use statewright::Error;
        match error {
            Error::Closed => Failure::closed("engine"),
            Error::Store(error) => error.as_ref().into(),
            Error::Flow(error) => error.as_ref().into(),
            Error::Value(error) => (&error).into(),
            Error::Config { option, .. } => {
                Failure::new(error.code(), error.to_string()).at(option)
            }
            other => Failure::new(other.code(), other.to_string()),
        }
    }
}

impl From<statewright_value::Error> for Failure {
    fn from(error: statewright_value::Error) -> Self {
        (&error).into()
    }
}

impl From<statewright_store::Error> for Failure {
    fn from(error: statewright_store::Error) -> Self {
        (&error).into()
    }
}

impl From<statewright::flow::Error> for Failure {
    fn from(error: statewright::flow::Error) -> Self {
        (&error).into()
    }
}
