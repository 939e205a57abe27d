//! How it ended: exit codes, and the one line that says why.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use statewright::flow::Status;
use statewright::{Value, value};

use crate::console::{self, BAD, BOLD, one_line};

/// An exit code of the program. The numbers are stable and documented in `docs/CLI.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; a case completed.
    Done,
    /// A case failed.
    CaseFailed,
    /// The answer about a value is no: nothing is there, they differ, it does not fit.
    No,
    /// Wrong usage, or input that cannot be read.
    Usage,
    /// The flow was refused.
    SpecRefused,
    /// A case is deadlocked.
    Deadlocked,
    /// The store cannot be used, or the system refused.
    Store,
    /// Out of time.
    Timeout,
    /// There is no such case or flow.
    Unknown,
    /// A worker could not be kept running.
    Worker,
    /// What is there is not in a state for what was asked; nothing was changed.
    Refused,
    /// A signal stopped it.
    Signal(i32),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::CaseFailed | Exit::No => 1,
            Exit::Usage => 2,
            Exit::SpecRefused => 3,
            Exit::Deadlocked => 4,
            Exit::Store => 5,
            Exit::Timeout => 6,
            Exit::Unknown => 7,
            Exit::Worker => 8,
            Exit::Refused => 9,
            Exit::Signal(signal) => u8::try_from(signal).map_or(u8::MAX, |s| s.saturating_add(128)),
        }
    }

    /// For how a case ended.
    pub fn of_status(status: Status) -> Exit {
        match status {
            Status::Completed => Exit::Done,
            Status::Deadlocked => Exit::Deadlocked,
            _ => Exit::CaseFailed,
        }
    }

    /// For an error code of the library.
    pub fn of_code(code: i32) -> Exit {
        match code {
            // Arguments, values and inputs that the caller can put right.
            102 | 104 | 200..=299 | 307 | 404..=406 | 414 | 418 | 505..=508 | 601 => Exit::Usage,
            112 => Exit::Timeout,
            500 | 509 => Exit::SpecRefused,
            501 | 502 => Exit::Unknown,
            // What is there is not what was expected.
            400..=403 | 409..=412 | 415 | 419 | 503 | 504 | 512 => Exit::Refused,
            _ => Exit::Store,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command did not do what was asked: an exit code, the library's stable code, and one line for people that says
/// what happened and what to do.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub code: i32,
    pub message: String,
    /// The case that it is about.
    pub case: Option<String>,
}

/// The command's result.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The number of SIGPIPE: whoever read our output has gone.
const SIGPIPE: i32 = 13;

impl Failure {
    pub fn new(exit: Exit, code: i32, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            code,
            message: message.into(),
            case: None,
        }
    }

    /// About a case.
    #[must_use]
    pub fn case(mut self, case: &str) -> Failure {
        self.case = Some(case.to_owned());
        self
    }

    /// What writing to stdout gave.
    pub fn output(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Exit::Signal(SIGPIPE), 0, ""),
            _ => Failure::new(
                Exit::Store,
                300,
                format!("could not write to stdout: {error}"),
            ),
        }
    }

    /// What writing to a file gave.
    pub fn file(path: &Path, error: &io::Error) -> Failure {
        let message = format!("could not write {}: {error}", path.display());
        Failure::new(Exit::Store, 300, message)
    }

    /// Whether nobody is there who could be told.
    pub fn is_silent(&self) -> bool {
        self.exit == Exit::Signal(SIGPIPE)
    }

    /// As the last line of `--json`.
    fn to_value(&self) -> Value {
        let mut object = value!({
            "error": { "code": (self.code), "message": (self.message.as_str()), "exit": (self.exit.code()) }
        });
        if let Some(case) = &self.case {
            // A new object takes another key.
            let _ = object.insert("case", Value::from(case));
        }
        object
    }

    /// Says it on stderr, and with `json` on stdout too. A reader who has gone is told nothing.
    pub fn report(&self, json: bool) {
        if self.is_silent() {
            return;
        }
        if json {
            let mut out = io::stdout().lock();
            // If this cannot be written, there is still the line on stderr.
            let _ = writeln!(out, "{}", self.to_value()).and_then(|()| out.flush());
        }
        error_line(&self.code.to_string(), &self.message);
    }
}

/// `error[CODE]: message` on stderr.
pub fn error_line(code: &str, message: &str) {
    let message = one_line(message);
    // Without a stderr there is nobody to tell.
    let _ = writeln!(
        console::stderr(),
        "{BAD}error[{code}]{BAD:#}{BOLD}:{BOLD:#} {message}"
    );
}

impl From<statewright::Error> for Failure {
    fn from(error: statewright::Error) -> Failure {
        let code = error.code();
        Failure::new(Exit::of_code(code), code, error.to_string())
    }
}

impl From<statewright::store::Error> for Failure {
    fn from(error: statewright::store::Error) -> Failure {
        statewright::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_refusals_and_damage_are_told_apart() {
        for (exit, codes) in [
            (Exit::Usage, &[104, 200, 307, 404, 405, 406, 414, 418][..]),
            (
                Exit::Refused,
                &[400, 401, 402, 403, 409, 410, 411, 412, 415, 419, 503, 512],
            ),
            (
                Exit::Store,
                &[106, 113, 300, 301, 302, 305, 308, 407, 408, 413, 417, 510],
            ),
        ] {
            for code in codes {
                assert_eq!(Exit::of_code(*code), exit, "{code}");
            }
        }
    }
}
