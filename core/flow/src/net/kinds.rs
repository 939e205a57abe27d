//! What tasks do: the kinds of work and how they are described.

#[cfg(feature = "schema")]
use std::sync::Arc;
use std::time::Duration;

use statewright_value::Path;
#[cfg(feature = "schema")]
use statewright_value::Schema;

use super::PlaceId;
use super::failing::Undo;
use super::lane::Lane;
use crate::calendar::Calendar;
use crate::expr::Expr;

/// What a task does.
#[derive(Clone, Debug)]
pub enum TaskKind {
    /// Computes values and puts them into the data, in order.
    Set(Vec<(Path, Expr)>),
    /// Writes a message to the history.
    Log(Expr),
    /// Waits.
    Wait(Wait),
    /// Runs a program.
    Process(Process),
    /// Offers work to host programs.
    Host(Host),
    /// Nothing: it only joins and splits.
    Route,
    /// Waits for a signal from outside.
    Signal(Signal),
    /// Runs another flow as a case of its own.
    Flow(SubFlow),
    /// Undoes what tasks of the case have done, and completes when that is undone.
    Compensate(Undo),
}

/// A wait for a signal.
#[derive(Clone, Debug)]
pub struct Signal {
    /// What happens with the signal's data; of `work`, only `output` and `into` are used.
    pub work: Work,
    /// What the signal is called; letters, digits, `.`, `_`, `-`.
    pub signal: String,
    /// Whether a signal that nobody waits for is kept until somebody does (pattern 24), or lost (pattern 23).
    pub keep: bool,
    /// Gives the correlation key, a string; none = signals come for the case.
    pub key: Option<Expr>,
    /// What the signal's data must be; what is not is refused, and its sender told.
    #[cfg(feature = "schema")]
    pub schema: Option<Arc<Schema>>,
    /// What its sender is answered, from the data after the signal's went in; none = nothing.
    pub reply: Option<Expr>,
}

/// A call of another flow.
#[derive(Clone, Debug)]
pub struct SubFlow {
    /// Input, output; there are no retries.
    pub work: Work,
    /// Which.
    pub flow: FlowRef,
}

/// Where a flow that is called is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowRef {
    /// The spec's main flow.
    Main,
    /// One under `flows` of the same spec.
    Local(String),
    /// The newest deployed one of this name, when the task starts.
    Deployed(String),
}

/// Several instances of a task (patterns 12 to 15, 34 to 36).
#[derive(Clone, Debug)]
pub struct Many {
    /// Gives an array, one instance for each item, or a number of instances.
    pub items: Expr,
    /// Gives the least number of instances at the start; none = 0.
    pub min: Option<Expr>,
    /// Gives the greatest number of instances, added ones included; none = no limit of its own.
    pub max: Option<Expr>,
    /// Gives after how many completed instances the task completes; none = after all.
    pub threshold: Option<Expr>,
    /// Decides after each completion whether the task completes; `.` is the array of the results so far.
    pub until: Option<Expr>,
    /// Whether instances may be added while it runs.
    pub add: bool,
    /// What becomes of the instances that still run when the task completes.
    pub rest: Rest,
    /// Whether the flow waits for them at all (pattern 12 if not).
    pub wait: bool,
}

/// What becomes of the instances that still run when their task completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// They are cancelled.
    Cancel,
    /// They run on; their results go nowhere, and the task is busy until they have ended.
    Continue,
}

/// How long a wait is.
#[derive(Clone, Debug)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// As long as an expression says: seconds, or a duration as text.
    ForExpr(Expr),
    /// Until the RFC 3339 time that an expression gives.
    Until(Expr),
    /// Until the next time of one of its cron expressions.
    Cron(Calendar),
}

/// What programs and host work have in common.
#[derive(Clone, Debug)]
pub struct Work {
    /// What the work gets, from the data; none = null.
    pub input: Option<Expr>,
    /// What goes into the data, from the raw result; none = the raw result.
    pub output: Option<Expr>,
    /// Where in the data it goes; never the root.
    pub into: Path,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// How long an attempt may take; none = as long as it likes.
    pub timeout: Option<Duration>,
    /// By when the task must be done, over all attempts; none = whenever.
    pub deadline: Option<Deadline>,
    /// What holds its items back, and orders them.
    pub lane: Option<Lane>,
}

/// A program to run.
#[derive(Clone, Debug)]
pub struct Process {
    /// Input, output, retries.
    pub work: Work,
    /// The program and its arguments; at least the program.
    pub run: Vec<String>,
    /// Gives more arguments: an array of strings.
    pub args: Option<Expr>,
    /// Gives the working folder: a string, or null.
    pub cwd: Option<Expr>,
    /// How the input is written to its standard input.
    pub stdin: Format,
    /// How its standard output is read.
    pub stdout: Format,
}

/// Work for a host program.
#[derive(Clone, Debug)]
pub struct Host {
    /// Input, output, retries.
    pub work: Work,
    /// What host programs poll for; letters, digits, `.`, `_`, `-`.
    pub topic: String,
}

/// By when something must be done.
#[derive(Clone, Debug)]
pub enum Deadline {
    /// So long after it is offered, or begins.
    After(Duration),
    /// An expression gives it then: a duration, a number of seconds, or an RFC 3339 time.
    Expr(Expr),
}

/// The deadline of a case.
#[derive(Clone, Debug)]
pub struct CaseDeadline {
    /// When, from when the case is created.
    pub by: Deadline,
    /// What follows: all that the case has in flight is cancelled, and it goes on with one token here; none = it fails.
    pub to: Option<PlaceId>,
}

/// What happens after a failed attempt: the n-th is followed by a pause of `delay × factor^(n−1)`, at most
/// `max_delay`.
#[derive(Clone, Debug)]
pub struct Retry {
    /// How many attempts there are in all; at least 1.
    pub attempts: u32,
    /// The pause after the first failed attempt.
    pub delay: Duration,
    /// How much longer each further pause is; at least 1.
    pub factor: f64,
    /// The longest pause; none = no limit.
    pub max_delay: Option<Duration>,
    /// Up to which part of itself a pause is shorter by chance, 0 to 1.
    pub jitter: f64,
    /// Decides on the error whether it is tried again; none = whatever the error is.
    pub when: Option<Expr>,
}

impl Default for Retry {
    /// One attempt.
    fn default() -> Self {
        Retry {
            attempts: 1,
            delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: None,
            jitter: 0.0,
            when: None,
        }
    }
}

/// How a value crosses a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As JSON.
    Json,
    /// A string, as it is.
    Text,
    /// An array of strings, one a line.
    Lines,
    /// Not at all.
    None,
}

impl TaskKind {
    /// The word for it in a spec.
    pub fn name(&self) -> &'static str {
        match self {
            TaskKind::Set(_) => "set",
            TaskKind::Log(_) => "log",
            TaskKind::Wait(_) => "wait",
            TaskKind::Process(_) => "process",
            TaskKind::Host(_) => "host",
            TaskKind::Route => "route",
            TaskKind::Signal(_) => "signal",
            TaskKind::Flow(_) => "flow",
            TaskKind::Compensate(_) => "compensate",
        }
    }

    /// Whether it starts at one moment and completes at another.
    pub fn takes_time(&self) -> bool {
        !matches!(self, TaskKind::Set(_) | TaskKind::Log(_) | TaskKind::Route)
    }

    /// Whether something outside the case starts it: a worker, time, a signal. Until then it is only offered.
    pub fn is_offered(&self) -> bool {
        self.takes_time() && !matches!(self, TaskKind::Flow(_) | TaskKind::Compensate(_))
    }

    /// Whether it runs another flow.
    pub fn is_flow(&self) -> bool {
        matches!(self, TaskKind::Flow(_))
    }

    /// What it has of a work item, if it makes any.
    pub fn work(&self) -> Option<&Work> {
        match self {
            TaskKind::Process(process) => Some(&process.work),
            TaskKind::Host(host) => Some(&host.work),
            TaskKind::Signal(signal) => Some(&signal.work),
            TaskKind::Flow(flow) => Some(&flow.work),
            _ => None,
        }
    }
}
