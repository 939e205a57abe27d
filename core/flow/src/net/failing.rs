//! What follows the failure of a task: error edges, and what undoes it.

use statewright_value::Path;

use super::{PlaceId, Task, TaskId};
use crate::expr::Expr;

/// One line of a task's `on_error`: the first whose `when` holds says how the flow goes on.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Decides on the error, `{code, message, …}`; none = holds for every error.
    pub when: Option<Expr>,
    /// How the flow goes on.
    pub then: Then,
    /// Where in the data the error goes.
    pub into: Path,
}

/// How a flow goes on after a task has failed for good.
#[derive(Clone, Debug)]
pub enum Then {
    /// A token on this place; the task has not completed, so it cancels nothing and does not end the case.
    To(PlaceId),
    /// The task completes without a result.
    Skip,
    /// The task completes with what this gives, on the error.
    Result(Expr),
    /// The case fails.
    Abort,
}

impl Task {
    /// The places that a failure can lead to, each once.
    pub fn error_places(&self) -> impl Iterator<Item = PlaceId> {
        let places = self.on_error.iter().filter_map(|catch| match catch.then {
            Then::To(place) => Some(place),
            _ => None,
        });
        let mut places: Vec<PlaceId> = places.collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter()
    }

    /// All places that it leads to, by whatever outcome.
    pub fn places_out(&self) -> impl Iterator<Item = PlaceId> {
        let completed = self.outputs.iter().map(|edge| edge.place);
        completed.chain(self.error_places())
    }
}

/// What a task of kind `compensate` undoes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// These tasks; empty = all of the case.
    pub tasks: Vec<TaskId>,
}
