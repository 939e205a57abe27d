//! Why an attempt failed, as data: what a worker reports and what a failed case keeps.

use std::time::Duration;

use statewright_log::Timestamp;
use statewright_value::{Kind, Value, value};

use crate::error::{Error, Result};
use crate::expr::ExprError;

/// A failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// A short, stable word for programs: `timeout`, `exit`, `expression`, `data`, `refused`, …
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// Whether trying again may help. What is not retryable fails the case whatever its retry policy says.
    pub retryable: bool,
    /// Anything else that helps to understand it; null for nothing.
    pub detail: Value,
}

impl Failure {
    /// A failure that may be tried again.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure {
            code: code.into(),
            message: message.into(),
            retryable: true,
            detail: Value::NULL,
        }
    }

    /// Says that trying again cannot help.
    #[must_use]
    pub fn for_good(mut self) -> Failure {
        self.retryable = false;
        self
    }

    /// Adds detail.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Failure {
        self.detail = detail;
        self
    }

    /// As an object `{code, message, retryable, detail}`; without `detail` if it is null.
    pub fn to_value(&self) -> Value {
        let (code, message) = (self.code.as_str(), self.message.as_str());
        let mut object = value!({"code": code, "message": message, "retryable": self.retryable});
        if !self.detail.is_null() {
            // A new object takes another key.
            let _ = object.insert("detail", self.detail.clone());
        }
        object
    }

    /// From such an object; `message` is required, `code` is `failed` and `retryable` true unless said otherwise.
    /// Fails with [`Error::Input`].
    pub fn from_value(value: &Value) -> Result<Failure> {
        let bad = |why: &str| Error::Input {
            why: format!("a failure {why}, not {value}"),
        };
        let message = value
            .get("message")
            .and_then(|m| m.as_str().map(str::to_owned));
        let message = message.ok_or_else(|| bad("must be an object with a text `message`"))?;
        let code = match value.get("code") {
            None => "failed".to_owned(),
            Some(code) => code
                .as_str()
                .ok_or_else(|| bad("must have a text `code`"))?
                .to_owned(),
        };
        let retryable = match value.get("retryable") {
            None => true,
            Some(flag) => flag
                .as_bool()
                .ok_or_else(|| bad("must have a boolean `retryable`"))?,
        };
        Ok(Failure {
            code,
            message,
            retryable,
            detail: value.get("detail").unwrap_or(Value::NULL),
        })
    }

    pub(crate) fn expression(text: &str, error: &ExprError) -> Failure {
        let short: String = text.trim().chars().take(200).collect();
        Failure::new("expression", format!("{error} (in `{short}`)")).for_good()
    }

    pub(crate) fn wrong(field: &str, expected: &str, got: &Value) -> Failure {
        let message = format!("`{field}` must give {expected}, but gave {}", describe(got));
        Failure::new("expression", message).for_good()
    }

    pub(crate) fn timeout(since: Timestamp, now: Timestamp) -> Failure {
        let took: Duration = now.saturating_since(since);
        Failure::new(
            "timeout",
            format!("the attempt was not finished after {took:.1?}"),
        )
    }
}

/// A value as a message shows it: itself if it is short, else what it is.
fn describe(value: &Value) -> String {
    let large = matches!(value.kind(), Kind::Array | Kind::Object) || value.len() > 60;
    if large {
        value.kind().name().to_owned()
    } else {
        value.to_string()
    }
}
