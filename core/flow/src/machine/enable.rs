//! When a task is enabled, and what its start consumes.

use super::Machine;
use crate::analysis::Decision;
use crate::case::Case;
use crate::net::{Join, Net, PlaceId, Section, Task, TaskId};
use crate::sabotage::{self, Bug};

/// Why a task that has some tokens is not enabled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// It has not all that its join asks for: these are empty.
    Lacks(Vec<PlaceId>),
    /// Tokens can still come on these, for its or-join.
    MayCome(Vec<PlaceId>),
    /// Whether tokens can still come could not be decided within the budget.
    Undecided,
    /// It runs already.
    Busy,
    /// A place that it tests is empty.
    Untested(PlaceId),
    /// Another section holds its mutex.
    Mutex(usize),
    /// Its round has fired and waits for these.
    Round(Vec<PlaceId>),
}

impl Machine<'_> {
    pub(super) fn is_enabled(&self, task: TaskId) -> bool {
        why_not(self.net, &self.case, task).is_none()
    }

    /// Takes the tokens that start a task.
    pub(super) fn consume(&mut self, task: TaskId) {
        let Some(spec) = self.task(task) else {
            return;
        };
        self.took = Some(task);
        match spec.join {
            Join::Xor => {
                let first = spec
                    .inputs
                    .iter()
                    .find(|i| self.tokens(i.place) >= i.tokens);
                if let Some(input) = first {
                    self.take(input.place, input.tokens);
                }
            }
            Join::And => {
                for input in &spec.inputs {
                    self.take(input.place, input.tokens);
                }
            }
            Join::Or => {
                for input in &spec.inputs {
                    if self.tokens(input.place) >= input.tokens {
                        self.take(input.place, input.tokens);
                    }
                }
            }
            Join::Local => {
                for input in &spec.inputs {
                    if self.tokens(input.place) > 0 {
                        self.take(input.place, 1);
                    } else {
                        self.take_dead(input.place);
                    }
                }
            }
            Join::Of { reset, .. } => self.consume_counted(task, spec, reset),
        }
    }

    pub(super) fn take(&mut self, place: PlaceId, tokens: u32) {
        let left = self.tokens(place).saturating_sub(tokens);
        self.set_tokens(place, left);
    }
}

/// None if a task is enabled, else why it is not.
pub(crate) fn why_not(net: &Net, case: &Case, task: TaskId) -> Option<Why> {
    let spec = net.tasks.get(task)?;
    if case.is_busy(task) {
        return Some(Why::Busy);
    }
    if let Some(why) = lacks(net, case, task, spec) {
        return Some(why);
    }
    // A tested token must be there beside those that are consumed.
    let untested = |p: &&PlaceId| case.marking.tokens(**p) <= taken(case, spec, **p);
    if let Some(place) = spec.tests.iter().find(untested) {
        return Some(Why::Untested(*place));
    }
    rival(net, case, task, spec).map(Why::Mutex)
}

fn lacks(net: &Net, case: &Case, task: TaskId, spec: &Task) -> Option<Why> {
    let marked = |i: &&crate::net::Input| case.marking.tokens(i.place) >= i.tokens;
    let empty = || -> Vec<PlaceId> {
        let empty = spec.inputs.iter().filter(|i| !marked(i));
        empty.map(|i| i.place).collect()
    };
    let enabled = match spec.join {
        Join::Xor => spec.inputs.iter().any(|i| marked(&i)),
        Join::And => !spec.inputs.is_empty() && spec.inputs.iter().all(|i| marked(&i)),
        Join::Or => {
            if !spec.inputs.iter().any(|i| marked(&i)) {
                return Some(Why::Lacks(empty()));
            }
            return or_join(net, case, task, empty);
        }
        Join::Local => {
            let told = |i: &crate::net::Input| {
                case.marking.tokens(i.place) > 0 || case.dead.contains_key(&i.place)
            };
            spec.inputs.iter().any(|i| marked(&i)) && spec.inputs.iter().all(told)
        }
        Join::Of { n, .. } => {
            let seen = |i: &usize| case.marking.seen(net.skeleton(), task, *i);
            if (0..spec.inputs.len()).any(|i| seen(&i)) {
                let unseen = (0..spec.inputs.len()).filter(|i| !seen(i));
                let places = unseen.filter_map(|i| spec.inputs.get(i).map(|i| i.place));
                return Some(Why::Round(places.collect()));
            }
            let arrived = spec.inputs.iter().filter(marked).count();
            u32::try_from(arrived).is_ok_and(|arrived| arrived >= n)
        }
    };
    (!enabled).then(|| Why::Lacks(empty()))
}

/// What the start of an enabled task takes from a place.
fn taken(case: &Case, spec: &Task, place: PlaceId) -> u32 {
    let mut marked = spec
        .inputs
        .iter()
        .filter(|i| case.marking.tokens(i.place) >= i.tokens);
    let takes = match spec.join {
        Join::Xor => marked.next().filter(|i| i.place == place),
        _ => marked.find(|i| i.place == place),
    };
    takes.map_or(0, |i| i.tokens)
}

/// An or-join with some of its tokens: whether more can come.
fn or_join(net: &Net, case: &Case, task: TaskId, empty: impl Fn() -> Vec<PlaceId>) -> Option<Why> {
    match net.or_join(task, &case.marking) {
        Decision::Yes => None,
        _ if sabotage::on(Bug::HastyOrJoin) => None, // planted
        Decision::No => Some(Why::MayCome(empty())),
        Decision::Undecided => Some(Why::Undecided),
    }
}

/// An active section that excludes a task.
fn rival(net: &Net, case: &Case, task: TaskId, spec: &Task) -> Option<usize> {
    let excludes = |id: &usize| {
        net.sections
            .get(*id)
            .is_some_and(|s| !s.tasks.contains(&task) && is_active(case, s))
    };
    let sections = spec.sections.iter().filter_map(|s| net.sections.get(*s));
    sections
        .flat_map(|s| s.rivals.iter().copied())
        .find(excludes)
}

/// Whether a section holds its mutex.
pub(crate) fn is_active(case: &Case, section: &Section) -> bool {
    (section.tasks.iter().any(|t| case.is_busy(*t)) && !sabotage::on(Bug::ForgetMutex)) // planted
        || section.places.iter().any(|p| case.marking.tokens(*p) > 0)
}
