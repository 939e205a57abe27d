//! What follows the failure of a task: its error edges, or the end of the case.

use std::collections::BTreeSet;

use statewright_value::{Value, value};

use super::{Effect, Machine, eval::truthy};
use crate::case::{Caught, Ending, EventKind, ItemState, ItemWork, Status};
use crate::failure::Failure;
use crate::net::{Catch, Net, PlaceId, Task, TaskId, Then};

/// How many errors a chain of causes has at most: a flow that fails in a circle must not grow by it.
const MAX_CAUSES: usize = 10;

impl Machine<'_> {
    /// A task failed for good, or the case itself did: what undoes something is passed over, an error edge is taken if
    /// there is one, else the case fails.
    pub(super) fn fail_case(
        &mut self,
        task: Option<TaskId>,
        number: Option<u64>,
        failure: Failure,
    ) {
        if self.case.status.is_final() {
            return;
        }
        let error = self.error_of(task, &failure);
        if let Some(number) = number
            && self.undoes(number).is_some()
        {
            return self.undo_failed(number, error);
        }
        let caught = task.is_some_and(|task| self.catch(task, number, &error));
        if !caught {
            self.fail_hard(task, number, error);
        }
    }

    /// The error of a failure, with what led to it.
    pub(super) fn error_of(&self, task: Option<TaskId>, failure: &Failure) -> Value {
        let mut failure = failure.clone();
        let mut cause = None;
        if failure.code == "sub-flow" && !failure.detail.is_null() {
            cause = Some(std::mem::take(&mut failure.detail));
        }
        let mut error = failure.to_value();
        // An object that was just made takes other keys.
        if let Some(task) = task {
            let name = self.task(task).map_or("", |t| &*t.name);
            let _ = error.insert("task", Value::from(name));
            let before = self.case.recovery.caught.as_ref();
            let before = before.filter(|caught| leads(self.net, caught, task));
            cause = cause.or_else(|| before.map(|caught| shortened(&caught.error, MAX_CAUSES)));
        }
        if let Some(cause) = cause {
            let _ = error.insert("cause", cause);
        }
        error
    }

    /// Ends what a failed task has in flight, and tells of its error.
    fn note_failed(&mut self, task: TaskId, number: Option<u64>, error: &Value) {
        match number {
            Some(number) => {
                self.cancel_late(number);
                if self.case.items.contains_key(&number) {
                    let error = error.clone();
                    self.end_item(number, ItemState::Failed { error });
                }
                self.note_item(EventKind::Failed, number, task, error.clone());
            }
            None => self.note(EventKind::Failed, Some(task), error.clone()),
        }
    }

    /// The case that an item calls goes on, if it is the item's deadline that has passed: it is cancelled, and if the
    /// caller fails too, that waits for it.
    pub(super) fn cancel_late(&mut self, number: u64) {
        let late = self.late == Some(number);
        let work = self.case.items.get(&number).map(|i| &i.work);
        if let (true, Some(ItemWork::Flow { case })) = (late, work) {
            let (case, force) = (case.clone(), false);
            self.effects.push(Effect::Cancel { case, force });
        }
    }

    /// The case fails.
    pub(super) fn fail_hard(&mut self, task: Option<TaskId>, number: Option<u64>, error: Value) {
        let late = number.filter(|n| self.late == Some(*n));
        let calls = |n: &u64| {
            let work = self.case.items.get(n).map(|i| &i.work);
            matches!(work, Some(ItemWork::Flow { .. }))
        };
        self.case.recovery.waits.extend(late.filter(calls));
        if let Some(task) = task {
            self.note_failed(task, number, &error);
        }
        if self.case.status == Status::Suspended {
            // Nothing is undone before somebody resumes it. The first of several failures is the one that it ends with.
            let ending = || Ending {
                status: Status::Failed,
                detail: error.clone(),
                error,
            };
            self.case.recovery.ending.get_or_insert_with(ending);
            // What is at work as one is that no more; of several, the others are.
            if let Some(task) = task.filter(|t| self.case.groups.values().all(|g| g.task != *t)) {
                self.set_running(task, 0);
            }
            return;
        }
        self.end_case(Status::Failed, error.clone(), error);
    }

    /// Goes on after a failure as the task says; false if it does not say.
    fn catch(&mut self, task: TaskId, number: Option<u64>, error: &Value) -> bool {
        let Some(spec) = self.task(task) else {
            return false;
        };
        let open = matches!(self.case.status, Status::Running | Status::Suspended)
            && self.case.recovery.ending.is_none();
        // What fails while its failure is dealt with fails for good.
        if spec.on_error.is_empty() || !open || self.catching == Some(task) {
            return false;
        }
        self.catching = Some(task);
        let caught = self.catch_by(task, spec, number, error);
        self.catching = None;
        match caught {
            Ok(true) => self.settle(),
            Ok(false) => return false,
            Err(failure) => {
                let mut second = self.error_of(Some(task), &failure);
                // Whatever else led to it, this did.
                let _ = second.insert("cause", shortened(error, MAX_CAUSES));
                self.fail_hard(Some(task), None, second);
            }
        }
        true
    }

    fn catch_by(
        &mut self,
        task: TaskId,
        spec: &Task,
        number: Option<u64>,
        error: &Value,
    ) -> Result<bool, Failure> {
        let Some(line) = self.line(task, spec, error)? else {
            return Ok(false);
        };
        let detail = match &line.then {
            Then::Abort => return Ok(false),
            Then::To(place) => value!({"to": (self.place_name(*place))}),
            Then::Skip => value!({"skip": true}),
            Then::Result(_) => value!({"result": true}),
        };
        if self.is_left(number) {
            self.pass_instance(task, number, error, detail);
            return Ok(true);
        }
        let result = match &line.then {
            Then::Result(expr) => Some(self.eval_error(expr, task, error)?),
            _ => None,
        };
        let started = self.has_started(task, number);
        self.note_failed(task, number, error);
        let groups = self.case.groups.iter();
        let groups = groups.filter(|(_, g)| g.task == task && !g.left);
        for group in groups.map(|(n, _)| *n).collect::<Vec<u64>>() {
            self.cancel_group(group);
        }
        if let Some(offer) = self.case.offers.get(&task).copied() {
            self.withdraw(task, offer);
        }
        if !started {
            self.consume(task);
        }
        self.note(EventKind::Caught, Some(task), detail);
        let place = match line.then {
            Then::To(place) => Some(place),
            _ => None,
        };
        self.case.recovery.caught = Some(Caught {
            task,
            place,
            error: error.clone(),
        });
        self.set_data(&line.into, error.clone())?;
        if let (Some(result), Some(work)) = (result, spec.kind.work()) {
            self.set_data(&work.into, result)?;
        }
        let Some(place) = place else {
            self.complete_task(task)?;
            return Ok(true);
        };
        if self.case.marking.running(task) > 0 {
            self.set_running(task, 0);
        }
        self.touch_task(task);
        for other in spec.places_out().filter(|p| *p != place) {
            self.add_dead(other);
        }
        self.add(place, 1)?;
        Ok(true)
    }

    /// The line of a task's `on_error` that holds for an error.
    fn line<'s>(
        &mut self,
        task: TaskId,
        spec: &'s Task,
        error: &Value,
    ) -> Result<Option<&'s Catch>, Failure> {
        for line in &spec.on_error {
            match &line.when {
                Some(when) if !truthy(&self.eval_error(when, task, error)?) => {}
                _ => return Ok(Some(line)),
            }
        }
        Ok(None)
    }

    /// Whether the task of a failure has taken its tokens.
    fn has_started(&self, task: TaskId, number: Option<u64>) -> bool {
        number.is_some() || self.case.marking.running(task) > 0 || self.took == Some(task)
    }

    /// Whether an item is an instance that its task does not wait for any more.
    fn is_left(&self, number: Option<u64>) -> bool {
        let item = number.and_then(|n| self.case.items.get(&n));
        let group = item.and_then(|i| i.instance.as_ref()).map(|i| i.group);
        group.is_some_and(|g| self.case.groups.get(&g).is_some_and(|g| g.left))
    }

    /// Such an instance failed, and the flow goes on as if it had ended.
    fn pass_instance(&mut self, task: TaskId, number: Option<u64>, error: &Value, detail: Value) {
        let item = number.and_then(|n| self.case.items.get(&n));
        let group = item.and_then(|i| i.instance.as_ref()).map(|i| i.group);
        self.note_failed(task, number, error);
        self.note(EventKind::Caught, Some(task), detail);
        let Some(number) = group else { return };
        let Some(group) = self.case.groups.get_mut(&number) else {
            return;
        };
        group.active = group.active.saturating_sub(1);
        if group.active == 0 {
            self.case.groups.remove(&number);
            self.touch_task(task);
        }
    }
}

/// Whether what was caught can have led to a task: there is a way from where the flow went on.
fn leads(net: &Net, caught: &Caught, task: TaskId) -> bool {
    let of = net.tasks.get(caught.task);
    let mut todo: Vec<PlaceId> = match caught.place {
        Some(place) => vec![place],
        None => of.map_or_else(Vec::new, |t| t.places_out().collect()),
    };
    let mut seen: BTreeSet<PlaceId> = todo.iter().copied().collect();
    while let Some(place) = todo.pop() {
        for target in net.places.get(place).map_or(&[][..], |p| &p.targets) {
            if *target == task {
                return true;
            }
            let out = net.tasks.get(*target).into_iter();
            todo.extend(out.flat_map(Task::places_out).filter(|p| seen.insert(*p)));
        }
    }
    false
}

/// An error with so many causes below it at most.
fn shortened(error: &Value, most: usize) -> Value {
    let Some(cause) = error.get("cause") else {
        return error.clone();
    };
    let mut error = error.clone();
    // It has the key.
    let _ = match most.checked_sub(1) {
        Some(most) => error.insert("cause", shortened(&cause, most)).map(|_| ()),
        None => error
            .remove(&statewright_value::Path::root().key("cause"))
            .map(|_| ()),
    };
    error
}
