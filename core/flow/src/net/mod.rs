//! The net: what a spec compiles to and cases run on.
//!
//! Flat and immutable: tasks and places refer to each other by index, and nothing is looked up by name while a case
//! runs. There is one place before the start task, one for each explicit place of the spec, and one for each edge from
//! a task to a task (YAWL's implicit conditions). A place holds a count of tokens, not a flag: a net need not be safe.
//!
//! # What a net means
//!
//! - A task that takes time is *offered* while it is enabled, and consumes nothing; its **start** consumes its tokens,
//!   and its **completion** writes its result, empties its cancellation region, and then produces (`docs/FLOWS.md`).
//! - A busy task (one that has started and not completed) is never enabled.
//! - A mutex is not a token but a rule: while a task or section that holds it is active, no other starts. So there is
//!   nothing that cancellation or failure could lose.

mod failing;
mod kinds;
mod lane;
mod routes;
mod skeleton;
mod timetable;

use std::collections::BTreeMap;
use std::sync::Arc;

use statewright_value::Value;

use crate::analysis::{Decision, Marking, OrJoins, Skeleton};
use crate::expr::Expr;
use crate::problem::{Pos, Problem};
use crate::spec;

pub use crate::analysis::{Join, Reset, Split};
pub use failing::{Catch, Then, Undo};
pub use kinds::{
    CaseDeadline, Deadline, FlowRef, Format, Host, Many, Process, Rest, Retry, Signal, SubFlow,
    TaskKind, Wait, Work,
};
pub use lane::{Lane, Rate};
pub use routes::{Routes, Routing};
pub(crate) use skeleton::of as skeleton_of;
pub use timetable::{Overlap, Schedule};

/// The index of a place in [`Net::places`].
pub type PlaceId = usize;
/// The index of a task in [`Net::tasks`].
pub type TaskId = usize;

/// The variables every expression of a flow is compiled with, in this order.
pub const VARIABLES: [&str; 9] = [
    "case", "flow", "task", "attempt", "data", "item", "index", "error", "done",
];

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
    /// The places: the start (unless it is an explicit place), the explicit places, then one for each edge from task
    /// to task, each in the order of the spec.
    pub places: Vec<Place>,
    /// The place that a new case has its first token in.
    pub start: PlaceId,
    /// The parts of the net that exclude each other.
    pub sections: Vec<Section>,
    /// By when a case must have ended, and what follows if it has not; none = whenever.
    pub deadline: Option<CaseDeadline>,
    /// Gives the case's result; none = the whole data.
    pub output: Option<Expr>,
    /// When cases of it begin by themselves; none = never.
    pub schedule: Option<Schedule>,
    /// Gives the key under which the result is stored as a document; none = it is not.
    pub document: Option<Expr>,
    /// The nets that its tasks of kind `flow` can call, by name.
    pub flows: BTreeMap<String, Arc<Net>>,
    /// What somebody should look at, though the net can run.
    pub warnings: Vec<Problem>,
    /// Its control flow, for analysis.
    pub(crate) skeleton: Arc<Skeleton>,
    /// The tasks whose joins tokens elsewhere can enable, disable or end: or-joins and blocking partial joins.
    pub(crate) far_joins: Vec<TaskId>,
    /// The tasks that can have a token and wait for more: for another, a tested place or a mutex.
    pub(crate) joins: Vec<TaskId>,
    /// Decides them, and keeps the answers.
    pub(crate) or_joins: Arc<OrJoins>,
    /// Tasks and places by name.
    pub(crate) names: Names,
    /// Its routing as bit words, if any of it is.
    pub(crate) routes: Option<Arc<Routes>>,
    /// Where each task is in the spec.
    pub(crate) positions: Vec<Pos>,
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

/// A condition: tokens wait here for one of `targets`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `start`, an explicit place's name, or `from>to` after the tasks on both sides.
    pub name: String,
    /// The tasks that can take the tokens; several make a deferred choice, none an end.
    pub targets: Vec<TaskId>,
    /// The tasks that test it without taking anything.
    pub testers: Vec<TaskId>,
    /// The tokens that a new case has here.
    pub tokens: u32,
    /// Whether the spec names it under `places`.
    pub explicit: bool,
    /// The sections that it is an inner place of.
    pub sections: Vec<usize>,
    /// Whether it leads to a local join, which wants to be told of every path that is not taken.
    pub dead_paths: bool,
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
    pub inputs: Vec<Input>,
    /// The places it leads to; none for an end task.
    pub outputs: Vec<Edge>,
    /// Places that must be marked when it starts, and keep their tokens.
    pub tests: Vec<PlaceId>,
    /// What its completion removes before it produces.
    pub cancels: Region,
    /// The sections it is in; it starts only while no other section of the same mutex is active.
    pub sections: Vec<usize>,
    /// How many instances of it run; none for one.
    pub many: Option<Many>,
    /// Whether its completion ends the case, whatever else is going on.
    pub terminate: bool,
    /// What happens when it fails for good, in order; the case fails if none of it holds.
    pub on_error: Vec<Catch>,
    /// The task that undoes it once it has completed.
    pub compensate: Option<TaskId>,
    /// Whether it only ever undoes others: no edge leads to it.
    pub undoes: bool,
}

/// An edge into a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// The place it comes from.
    pub place: PlaceId,
    /// How many tokens the task takes; at least 1.
    pub tokens: u32,
}

/// An edge out of a task.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The place it leads to.
    pub place: PlaceId,
    /// How many tokens it gets; at least 1.
    pub tokens: u32,
    /// The condition of an xor or or split; none for the default, and for the edges of an and split.
    pub when: Option<Expr>,
}

/// A cancellation region (pattern 25): a set of places and tasks, connected or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Emptied.
    pub places: Vec<PlaceId>,
    /// Stopped, if they run.
    pub tasks: Vec<TaskId>,
}

impl Region {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.tasks.is_empty()
    }
}

/// Tasks of which, and of other sections with the same mutex, only one section is active at a time. It is active while
/// one of its tasks is busy or one of its inner places is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name; a task with a `mutex` of its own is a section of its name.
    pub name: String,
    /// The number of the mutex.
    pub mutex: usize,
    /// The name of the mutex.
    pub mutex_name: String,
    /// Its tasks.
    pub tasks: Vec<TaskId>,
    /// The places that only tasks of it lead to and only tasks of it take from.
    pub places: Vec<PlaceId>,
    /// The sections of its mutex, itself among them: it excludes the others.
    pub rivals: Arc<[usize]>,
}

impl Net {
    /// Compiles a spec (YAML, JSON or TOML). `dir` is the folder of the file it is from; expressions see it as
    /// `$flow.dir`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn compile(source: &str, dir: Option<&str>) -> Result<Net, Vec<Problem>> {
        spec::compile(source, dir)
    }

    /// The net with its routing compiled.
    pub(crate) fn with_routes(mut self) -> Net {
        self.routes = Routes::of(&self).map(Arc::new);
        self
    }

    /// The task of a name. O(log tasks).
    pub fn task(&self, name: &str) -> Option<TaskId> {
        self.names.tasks.get(name).copied()
    }

    /// The place of a name. O(log places).
    pub fn place(&self, name: &str) -> Option<PlaceId> {
        self.names.places.get(name).copied()
    }

    /// Its control flow without data, for analysis. Made when the net was compiled.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// Whether an or-join is enabled in a marking (pattern 38): some input is marked, and no token can come any more
    /// on an input that is empty.
    pub(crate) fn or_join(&self, task: TaskId, marking: &Marking) -> Decision {
        self.or_joins.enabled(task, marking, OrJoins::BUDGET)
    }

    /// Whether an input of a blocking partial join can still be marked without the join firing (patterns 28, 31).
    pub(crate) fn may_arrive(&self, task: TaskId, input: usize, marking: &Marking) -> Decision {
        self.or_joins
            .may_arrive(task, input, marking, OrJoins::BUDGET)
    }
}
