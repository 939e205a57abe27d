//! Expressions: jq, evaluated on values, deterministic and limited.
//!
//! An [`Expr`] is compiled once and evaluated as often as needed, from any thread. Its result depends on its input
//! and variables alone: what could make it depend on anything else (time, environment, input streams) does not
//! exist here and is refused when it is compiled.
//!
//! # Limits
//!
//! Evaluation is limited by *steps*, which are counted, not timed, so the verdict is the same on every machine.
//! jq can only repeat something by calling a definition, by folding, by a comma, or by iterating over a value or a
//! range; each of those is charged, and so is the work hidden in single operations (concatenating, comparing,
//! sorting, printing), by its size. See [`ExprLimits`].
//!
//! # Differences from jq
//!
//! Numbers are exact integers where they can be (`i64`, `u64`); `6 / 2` is `3`, `7 / 2` is `3.5`. There is no
//! infinity and no NaN: an operation that would give one fails. A decimal is a number, exact while it is only
//! passed on and a double once it is calculated with. Dates, times and durations are their text (ISO 8601, RFC
//! 3339) and files are objects. A recursive definition may not take filters as
//! arguments. The other differences are jaq's own.

mod compare;
mod meter;
mod natives;
mod number;
mod ops;
mod prelude;
mod regex;
mod text;
mod value;

use std::fmt;
use std::sync::Arc;

use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, compile};
use statewright_value::Value;

use meter::{Metered, Trip};
use natives::Data;
use value::Json;

/// The definition that holds the expression itself.
const MAIN: &str = "statewright_main";

/// What one evaluation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExprLimits {
    /// Steps: roughly, values touched and operations performed.
    pub steps: u64,
    /// Bytes of the longest text it may make.
    pub text_bytes: usize,
    /// Items of the largest array or entries of the largest object it may make.
    pub items: usize,
    /// Bytes of stack it may use, from the caller's frame on. Leave as much again to the caller's thread; in a build
    /// that does not optimise `jaq-core` (`[profile.dev.package.jaq-core] opt-level = 1` does), five times as much.
    /// AddressSanitizer moves frames off the stack, and so may stop expressions that hardly use any: run with
    /// `ASAN_OPTIONS=detect_stack_use_after_return=0` where Rust code is instrumented by it.
    pub stack_bytes: usize,
}

impl Default for ExprLimits {
    /// 10 million steps (about a second), texts of 16 MiB, 1 million items, 512 KiB of stack.
    fn default() -> Self {
        ExprLimits {
            steps: 10_000_000,
            text_bytes: 16 << 20,
            items: 1_000_000,
            stack_bytes: 512 << 10,
        }
    }
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExprErrorKind {
    /// The text is not jq.
    Syntax,
    /// It names a function or variable that does not exist.
    Unknown,
    /// It uses something that is deliberately not available.
    Refused,
    /// It is larger or more complex than an expression may be.
    Limit,
    /// It failed on this input: a wrong type, a division by zero, `error`.
    Failed,
    /// It needed more steps than it may take.
    Steps,
    /// It made a text, array or object that is too large.
    Size,
    /// It recursed too deeply.
    Depth,
    /// It gave no output, or more than one.
    Outputs,
}

/// An expression that could not be compiled or evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// What sort of error it is.
    pub kind: ExprErrorKind,
    /// What happened.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// Where in the expression, in bytes; known when it could not be compiled.
    pub offset: Option<usize>,
}

impl ExprError {
    pub(crate) fn at(offset: usize, kind: ExprErrorKind, message: String) -> Self {
        ExprError {
            kind,
            message,
            help: String::new(),
            offset: Some(offset),
        }
    }

    fn run(kind: ExprErrorKind, message: impl Into<String>, help: impl Into<String>) -> Self {
        ExprError {
            kind,
            message: message.into(),
            help: help.into(),
            offset: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    fn tripped(trip: Trip, limits: &ExprLimits) -> Self {
        match trip {
            Trip::Steps => ExprError::run(
                ExprErrorKind::Steps,
                format!(
                    "the expression did not finish within {} steps",
                    limits.steps
                ),
                "check that it does not loop for ever; do large work in a task of kind `process` or `host`",
            ),
            Trip::Text => ExprError::run(
                ExprErrorKind::Size,
                format!(
                    "the expression made a text of more than {} bytes",
                    limits.text_bytes
                ),
                "keep large texts in files and pass their paths",
            ),
            Trip::Items => ExprError::run(
                ExprErrorKind::Size,
                format!(
                    "the expression made an array or object of more than {} items",
                    limits.items
                ),
                "keep large collections in files and pass their paths",
            ),
            Trip::Depth => ExprError::run(
                ExprErrorKind::Depth,
                "the expression recursed, or nested its result, too deeply",
                "recurse in tail position, or use `reduce`, `range`, `while` or `until`",
            ),
        }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, " ({})", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExprError {}

/// A compiled jq expression. Cheap to clone; evaluated from any number of threads.
///
/// ```
/// use statewright_flow::{Expr, ExprLimits};
/// use statewright_value::value;
/// let expr = Expr::compile(".files | map(select(.size > $min)) | length", &["min"])?;
/// let data = value!({ "files": [{ "size": 3 }, { "size": 9 }] });
/// assert_eq!(expr.eval(&data, &[value!(5)], &ExprLimits::default())?, value!(1));
/// # Ok::<(), statewright_flow::ExprError>(())
/// ```
#[derive(Clone)]
pub struct Expr {
    inner: Arc<Compiled>,
}

struct Compiled {
    text: String,
    variables: usize,
    filter: jaq_core::Filter<Data>,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.inner.text).finish()
    }
}

impl Expr {
    /// Compiles jq text that may use the variables named (without `$`).
    ///
    /// # Errors
    /// What is not jq, what does not exist and what is not available, with its place in the text.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Expr, ExprError> {
        let main = prelude::parse(text)?;
        let mut definitions: Vec<Def<&str>> = prelude::needed(&main);
        definitions.push(Def {
            name: MAIN,
            args: Vec::new(),
            body: main,
        });
        let arena = Arena::default();
        let broken = || ExprError::run(ExprErrorKind::Syntax, "this is not a jq expression", "");
        let modules = Loader::new(definitions)
            .load(
                &arena,
                File {
                    code: MAIN,
                    path: (),
                },
            )
            .map_err(|_| broken())?;
        let dollar: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
        let filter = Compiler::default()
            .with_funs(natives::funs())
            .with_global_vars(dollar.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| {
                let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
                first.map_or_else(broken, |(name, what)| unknown(text, name, &what, variables))
            })?;
        Ok(Expr {
            inner: Arc::new(Compiled {
                text: text.to_owned(),
                variables: variables.len(),
                filter,
            }),
        })
    }

    /// The text this was compiled from.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// Evaluates on `input`, with the values of the variables in the order in which they were named. Gives its one
    /// output.
    ///
    /// # Errors
    /// What the expression itself raised, a passed limit, or a number of outputs other than one.
    pub fn eval(
        &self,
        input: &Value,
        variables: &[Value],
        limits: &ExprLimits,
    ) -> Result<Value, ExprError> {
        if variables.len() != self.inner.variables {
            let message = format!(
                "{} variables given, {} expected",
                variables.len(),
                self.inner.variables
            );
            return Err(ExprError::run(ExprErrorKind::Failed, message, ""));
        }
        let metered = Metered::start(limits);
        let result = self.run(input, variables);
        match metered.tripped() {
            Some(trip) => Err(ExprError::tripped(trip, limits)),
            None => result,
        }
    }

    fn run(&self, input: &Value, variables: &[Value]) -> Result<Value, ExprError> {
        let filter = &self.inner.filter;
        let vars = Vars::new(variables.iter().cloned().map(Json::seen));
        let context = Ctx::<Data>::new(&filter.lut, vars);
        let mut outputs = filter.id.run((context, Json::seen(input.clone())));
        let outputs_error =
            |message: &str, help: &str| ExprError::run(ExprErrorKind::Outputs, message, help);
        let Some(first) = outputs.next() else {
            let help =
                "it must give exactly one; add a default with `// null`, or collect with `[…]`";
            return Err(outputs_error("the expression gives no output", help));
        };
        let first = first.map_err(|exception| match exception.get_err() {
            Ok(error) => {
                let Json(value) = error.into_val();
                let text = value
                    .as_str()
                    .map_or_else(|| Json(value.clone()).to_string(), str::to_owned);
                ExprError::run(ExprErrorKind::Failed, text, "")
            }
            // What stops at a limit, which the caller reports; nothing else escapes a whole expression.
            Err(_) => ExprError::run(ExprErrorKind::Failed, "the expression was stopped", ""),
        })?;
        if outputs.next().is_some() {
            let help =
                "it must give exactly one; collect them with `[…]`, or take one with `first(…)`";
            return Err(outputs_error(
                "the expression gives more than one output",
                help,
            ));
        }
        // Sharing can make a small value large once it is written out; if it does, the meter has tripped.
        let _ = value::weigh(&first.0);
        Ok(first.0)
    }

    /// Evaluates to jq's truth: everything but `null` and `false` is true.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn eval_bool(
        &self,
        input: &Value,
        variables: &[Value],
        limits: &ExprLimits,
    ) -> Result<bool, ExprError> {
        let value = self.eval(input, variables, limits)?;
        Ok(!value.is_null() && value.as_bool() != Some(false))
    }
}

fn unknown(text: &str, name: &str, what: &compile::Undefined, variables: &[&str]) -> ExprError {
    let at = prelude::offset(text, name).unwrap_or(0);
    let (message, help) = match what {
        compile::Undefined::Filter(arity) => {
            let mut same = false;
            let close = crate::names::closest(
                name,
                prelude::known_names().inspect(|known| same |= *known == name),
            );
            let help = match close {
                _ if same => "it exists with another number of arguments".to_owned(),
                Some(close) => format!("did you mean `{close}`?"),
                None => "text must be in double quotes, and a field begins with a dot".to_owned(),
            };
            (
                format!("there is no function `{name}` with {arity} arguments"),
                help,
            )
        }
        compile::Undefined::Var => {
            let known: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
            let known = if known.is_empty() {
                "there are none here".into()
            } else {
                format!("there are {}", known.join(", "))
            };
            (format!("there is no variable `{name}`"), known)
        }
        other => (
            format!("there is no {} `{name}`", other.as_str()),
            String::new(),
        ),
    };
    ExprError::at(at, ExprErrorKind::Unknown, message).help(help)
}

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<Expr>();
};
