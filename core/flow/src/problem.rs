//! What is wrong with a spec: where, what, and what to do.

use std::fmt;

/// Whether a problem keeps a flow from being deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but somebody should look at it.
    Warning,
}

/// Something wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Whether the flow is refused because of it.
    pub severity: Severity,
    /// A short, stable word for programs, such as `unknown-field`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
}

impl fmt::Display for Problem {
    /// `line:column: error[code]: message`, and the help on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}: {severity}[{}]: {}",
            self.line, self.column, self.code, self.message
        )?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

pub(crate) fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A place in a spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pos {
    pub line: u32,
    pub column: u32,
}

/// The problems found so far. Everything that reads or checks a spec goes on after an error, so that one look at a
/// spec tells all that is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

/// More errors than this, and more warnings, are not reported: nobody reads them.
const MOST: usize = 1000;

impl Problems {
    pub fn error(
        &mut self,
        at: Pos,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, at, code, message.into(), help.into());
    }

    pub fn warning(
        &mut self,
        at: Pos,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, code, message.into(), help.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        at: Pos,
        code: &'static str,
        message: String,
        help: String,
    ) {
        let of_kind = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *of_kind = of_kind.saturating_add(1);
        if *of_kind <= MOST {
            self.found.push(Problem {
                line: at.line.max(1),
                column: at.column.max(1),
                severity,
                code,
                message,
                help,
            });
        }
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether no further error will be reported.
    pub fn is_full(&self) -> bool {
        self.errors >= MOST
    }

    /// In the order of the text.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.found
            .sort_by_key(|problem| (problem.line, problem.column));
        self.found
    }
}
