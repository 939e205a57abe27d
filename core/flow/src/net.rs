//! The net: what a spec compiles to and cases run on.
//!
//! Flat and immutable. Tasks and places refer to each other by index; there is one place before the start task and
//! one for each edge (YAWL's implicit conditions), so every place has one task that it leads to. A place holds a
//! count of tokens, not a flag: a net need not be safe.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use statewright_value::{Path, Value};

use crate::expr::Expr;
use crate::problem::Problem;
use crate::spec;

/// The index of a place in [`Net::places`].
pub type PlaceId = usize;
/// The index of a task in [`Net::tasks`].
pub type TaskId = usize;

/// The variables every expression of a flow is compiled with, in this order.
pub const VARIABLES: [&str; 5] = ["case", "flow", "task", "attempt", "data"];

/// A flow, ready to run.
#[derive(Clone, Debug)]
pub struct Net {
    /// The flow's name.
    pub name: Arc<str>,
    /// The flow's version, as its author counts.
    pub version: u64,
    /// The hash of the canonical form, in hexadecimal: equal for specs that differ only in layout and comments.
    pub hash: String,
    /// The text it was compiled from.
    pub source: Arc<str>,
    /// The folder of the spec's file, if it came from one.
    pub dir: Option<String>,
    /// Defaults that a case's input is merged over; an object.
    pub input: Value,
    /// The tasks, in the order of the spec.
    pub tasks: Vec<Task>,
    /// The places: the first is the start, then one for each edge in the order of the spec.
    pub places: Vec<Place>,
    /// The place that a new case has its token in.
    pub start: PlaceId,
    /// Gives the case's result; none = the whole data.
    pub output: Option<Expr>,
    /// Gives the key under which the result is stored as a document; none = it is not.
    pub document: Option<Expr>,
    /// What somebody should look at, though the net can run.
    pub warnings: Vec<Problem>,
    /// Tasks and places by name.
    pub(crate) names: Names,
}

/// Where names lead, so that a stored case is read without searching.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    tasks: BTreeMap<Arc<str>, TaskId>,
    places: BTreeMap<Arc<str>, PlaceId>,
}

impl Names {
    pub fn new(tasks: &[Task], places: &[Place]) -> Names {
        let tasks = tasks.iter().enumerate().map(|(id, t)| (t.name.clone(), id));
        let places = places
            .iter()
            .enumerate()
            .map(|(id, p)| (p.name.as_str().into(), id));
        Names {
            tasks: tasks.collect(),
            places: places.collect(),
        }
    }
}

/// A condition: tokens wait here for `target`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `start`, or `from>to` after the tasks on both sides.
    pub name: String,
    /// The task that takes the tokens.
    pub target: TaskId,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub kind: TaskKind,
    /// When it is enabled.
    pub join: Join,
    /// Where its tokens go.
    pub split: Split,
    /// The places that lead to it.
    pub inputs: Vec<PlaceId>,
    /// The places it leads to; none for an end task.
    pub outputs: Vec<Edge>,
}

/// An edge out of a task.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The place it leads to.
    pub place: PlaceId,
    /// The condition of an xor split; none for the default, and for the edges of an and split.
    pub when: Option<Expr>,
}

/// When a task is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// When every input place has a token; it takes one from each.
    And,
    /// When any input place has a token; it takes that one.
    Xor,
}

/// Where a task's tokens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// One to every output place.
    And,
    /// One to the first whose condition holds.
    Xor,
}

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

/// What happens after a failed attempt: the n-th is followed by a pause of `delay × factor^(n−1)`, at most
/// `max_delay`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How many attempts there are in all; at least 1.
    pub attempts: u32,
    /// The pause after the first failed attempt.
    pub delay: Duration,
    /// How much longer each further pause is; at least 1.
    pub factor: f64,
    /// The longest pause; none = no limit.
    pub max_delay: Option<Duration>,
}

impl Default for Retry {
    /// One attempt.
    fn default() -> Self {
        Retry {
            attempts: 1,
            delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: None,
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
        }
    }

    /// Whether it starts at one moment and completes at another.
    pub fn takes_time(&self) -> bool {
        !matches!(self, TaskKind::Set(_) | TaskKind::Log(_))
    }

    /// What it has of a work item, if it makes any.
    pub fn work(&self) -> Option<&Work> {
        match self {
            TaskKind::Process(process) => Some(&process.work),
            TaskKind::Host(host) => Some(&host.work),
            _ => None,
        }
    }
}

impl Net {
    /// Compiles a spec (YAML or JSON). `dir` is the folder of the file it is from; expressions see it as `$flow.dir`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn compile(source: &str, dir: Option<&str>) -> Result<Net, Vec<Problem>> {
        spec::compile(source, dir)
    }

    /// The task of a name. O(log tasks).
    pub fn task(&self, name: &str) -> Option<TaskId> {
        self.names.tasks.get(name).copied()
    }

    /// The place of a name. O(log places).
    pub fn place(&self, name: &str) -> Option<PlaceId> {
        self.names.places.get(name).copied()
    }
}
