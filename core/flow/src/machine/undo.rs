//! Compensation: what tasks have done is undone, newest first, one at a time.
//!
//! Each completion of a task that something undoes leaves a [`Done`], a document of its own with a number. When the
//! case ends without having completed, or a task of kind `compensate` runs, they are walked from the newest down. Each
//! is undone by an item of its own; in the commit that completes it, the `Done` is gone. So whatever crashes, each is
//! undone once, and a second walk finds only what the first could not undo. An item that undoes is not in the marking:
//! no token moves for it, and nothing cancels it but force.

use statewright_value::{Value, value};

use super::{Effect, Machine};
use crate::case::{Active, Done, Ending, EventKind, ItemState, ItemWork, Status};
use crate::failure::Failure;
use crate::net::{TaskId, TaskKind};
use crate::sabotage::{self, Bug};

/// How many are looked at in one go.
const WINDOW: u64 = 16;

/// Why nothing can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoUndo {
    /// There is nothing left.
    Nothing,
    /// That is going on already.
    Compensating,
    /// The case is suspended.
    Suspended,
}

impl Machine<'_> {
    /// An item has done what something can undo.
    pub(super) fn remember(&mut self, number: u64, result: Value, called: Option<String>) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let handler = self.net.tasks.get(item.task).and_then(|t| t.compensate);
        if handler.is_none() && called.is_none() {
            return;
        }
        let made = self.case.recovery.made.saturating_add(1);
        let done = Done {
            number: made,
            task: item.task,
            item: number,
            at: self.now,
            input: item.input.clone(),
            result,
            instance: item.instance.clone(),
            // With a task of its own to undo it, the called case is left alone.
            case: called.filter(|_| handler.is_none()),
        };
        self.case.recovery.made = made;
        self.case.recovery.left = self.case.recovery.left.saturating_add(1);
        self.case.done.insert(made, Some(done));
    }

    /// What an item undoes now, if it does.
    pub(super) fn undoes(&self, item: u64) -> Option<u64> {
        let running = self.case.recovery.active.as_ref()?.running?;
        (running.0 == item).then_some(running.1)
    }

    /// Whether the next is to be undone.
    pub(super) fn undo_is_due(&self) -> bool {
        let idle = |active: &Active| active.running.is_none();
        matches!(self.case.status, Status::Running | Status::Compensating)
            && self.case.recovery.waits.is_empty()
            && self.case.recovery.active.as_ref().is_some_and(idle)
    }

    /// A task of kind `compensate` starts.
    pub(super) fn begin_compensate(&mut self, task: TaskId) {
        self.consume(task);
        self.set_running(task, 1);
        let state = ItemState::Running { since: self.now };
        let number = self.new_item(task, ItemWork::Compensate, state, Value::NULL);
        self.case.in_flight.insert(number, task);
        self.note_item(EventKind::Compensating, number, task, Value::NULL);
        if self.case.recovery.active.is_none() {
            self.walk(Some(number));
        }
        self.settle();
    }

    fn walk(&mut self, by: Option<u64>) {
        self.case.recovery.active = Some(Active {
            by,
            cursor: self.case.recovery.made,
            ..Active::default()
        });
    }

    /// The case ends with this status when it has undone what it did.
    pub(super) fn end_case(&mut self, status: Status, error: Value, detail: Value) {
        let undoing = self.case.recovery.active.as_ref().and_then(|a| a.running);
        self.case.status = status;
        if !self.has_all_items() {
            return;
        }
        let called = self.case.items.values().filter(|item| {
            matches!(item.work, ItemWork::Flow { .. }) && undoing.is_none_or(|u| u.0 != item.number)
        });
        let called: Vec<u64> = called.map(|item| item.number).collect();
        self.end_all_work(false);
        let recovery = &mut self.case.recovery;
        recovery.waits.extend(called);
        recovery.ending = Some(Ending {
            status,
            error,
            detail,
        });
        self.walk(None);
        if let Some(active) = &mut self.case.recovery.active {
            active.running = undoing;
        }
        self.case.status = Status::Compensating;
        if self.case.recovery.left > 0 {
            self.note(EventKind::CaseCompensating, None, Value::NULL);
        }
        self.end_if_undone();
    }

    /// Ends at once what has nothing left to undo or to wait for.
    fn end_if_undone(&mut self) {
        let recovery = &self.case.recovery;
        let idle = recovery.waits.is_empty()
            && recovery.left == 0
            && recovery
                .active
                .as_ref()
                .is_some_and(|a| a.running.is_none());
        if idle {
            self.walk_over();
        }
    }

    /// A case that was called and cancelled has ended; whether that was waited for.
    pub(super) fn called_is_over(&mut self, number: u64) -> bool {
        let waited = self.case.recovery.waits.remove(&number);
        if waited {
            self.end_if_undone();
        }
        waited
    }

    /// Undoes what the case did, whatever has become of it.
    pub fn compensate(&mut self, reason: &str) -> Result<(), NoUndo> {
        let message = if reason.is_empty() {
            "somebody had it undone"
        } else {
            reason
        };
        let error = Failure::new("compensated", message).for_good().to_value();
        let detail = value!({"reason": reason});
        match self.case.status {
            Status::Compensating => return Err(NoUndo::Compensating),
            Status::Suspended => return Err(NoUndo::Suspended),
            Status::Running => {
                self.end_case(Status::Compensated, error, detail);
                if self.needs.is_empty() {
                    self.forget_tokens();
                }
                return Ok(());
            }
            _ if self.case.recovery.left == 0 => return Err(NoUndo::Nothing),
            _ => {}
        }
        // What could not be undone the first time ends as it was to end then.
        let recovery = &mut self.case.recovery;
        recovery.ending.get_or_insert(Ending {
            status: Status::Compensated,
            error,
            detail,
        });
        self.case.status = Status::Compensating;
        self.note(
            EventKind::CaseCompensating,
            None,
            value!({"reason": reason}),
        );
        self.walk(None);
        Ok(())
    }

    /// Begins to undo the next; what undoes without work is done at once.
    pub(super) fn undo_next(&mut self) {
        let Some(active) = self.case.recovery.active.clone() else {
            return;
        };
        let by = active.by.and_then(|item| self.case.in_flight.get(&item));
        let scope = match by.and_then(|task| self.task(*task)).map(|t| &t.kind) {
            Some(TaskKind::Compensate(undo)) => undo.tasks.as_slice(),
            _ => &[],
        };
        let mut cursor = active.cursor;
        let done = loop {
            if cursor == 0 {
                return self.walk_over();
            }
            match self.case.done.get(&cursor) {
                None => {
                    let first = cursor.saturating_sub(WINDOW).saturating_add(1);
                    return self.needs.done.extend(first.max(1)..=cursor);
                }
                Some(Some(done)) if scope.is_empty() || scope.contains(&done.task) => {
                    break done.clone();
                }
                Some(_) => cursor = cursor.saturating_sub(1),
            }
        };
        if let Some(active) = &mut self.case.recovery.active {
            let skips = u64::from(sabotage::on(Bug::SkipUndo)); // planted
            active.cursor = cursor.saturating_sub(1).saturating_sub(skips);
        }
        self.undo(done);
    }

    fn undo(&mut self, done: Done) {
        let handler = self.task(done.task).and_then(|t| t.compensate);
        let of = value!({"item": (done.item)});
        self.note(EventKind::Compensating, Some(done.task), of);
        self.done = Some(done.to_variable(self.net));
        let begun = match (handler, &done.case) {
            (Some(handler), _) => self.begin_undo(handler),
            (None, Some(case)) => {
                let (case, number) = (case.clone(), self.case.next_item);
                self.effects.push(Effect::Compensate {
                    number,
                    case: case.clone(),
                });
                let state = ItemState::Running { since: self.now };
                Ok(Some(self.new_item(
                    done.task,
                    ItemWork::Flow { case },
                    state,
                    Value::NULL,
                )))
            }
            (None, None) => Ok(None),
        };
        self.done = None;
        match begun {
            Ok(Some(item)) => {
                if let Some(active) = &mut self.case.recovery.active {
                    active.running = Some((item, done.number));
                }
            }
            Ok(None) => self.undone(done.number),
            Err(failure) => {
                let error = self.error_of(handler, &failure.for_good());
                self.not_undone(done.task, error);
            }
        }
    }

    /// Runs the task that undoes, or offers its work; gives the item of the work.
    fn begin_undo(&mut self, handler: TaskId) -> Result<Option<u64>, Failure> {
        let Some(spec) = self.task(handler) else {
            return Ok(None);
        };
        let since = self.now;
        let offered = ItemState::Offered { since };
        let input = match spec.kind.work() {
            Some(work) if work.input.is_some() => self.input(handler, work)?,
            _ => self.done.clone().unwrap_or_default(),
        };
        let (work, state) = match &spec.kind {
            TaskKind::Set(assignments) => {
                self.assign(handler, assignments)?;
                self.note(EventKind::Fired, Some(handler), Value::NULL);
                return Ok(None);
            }
            TaskKind::Log(message) => {
                let message = self.eval(message, handler, 1, None)?;
                let detail = value!({"message": message});
                self.note(EventKind::Logged, Some(handler), detail);
                return Ok(None);
            }
            TaskKind::Process(process) => {
                let (argv, cwd) = self.command(handler, process)?;
                (ItemWork::Process { argv, cwd }, offered)
            }
            TaskKind::Host(host) => {
                let topic = host.topic.clone();
                (ItemWork::Host { topic }, offered)
            }
            TaskKind::Flow(sub) => {
                let number = self.case.next_item;
                let case = self.child_id(number);
                self.effects.push(Effect::Call {
                    number,
                    case: case.clone(),
                    flow: sub.flow.clone(),
                    input: input.clone(),
                });
                (ItemWork::Flow { case }, ItemState::Running { since })
            }
            // Others undo nothing in a spec.
            _ => return Ok(None),
        };
        let (kind, detail) = match &work {
            ItemWork::Flow { case } => (EventKind::CaseCalled, value!({"case": (case.as_str())})),
            _ => (EventKind::Offered, Value::NULL),
        };
        let (lane, deadline) = (self.lane(handler, None)?, self.deadline(handler, None)?);
        let number = self.new_item(handler, work, state, input);
        self.set_lane(number, lane);
        self.set_deadline(number, deadline);
        self.note_item(kind, number, handler, detail);
        Ok(Some(number))
    }

    /// The work of an item that undoes gave a result.
    pub(super) fn undo_completed(&mut self, number: u64, of: u64, raw: &Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let (task, attempt) = (item.task, item.attempt);
        let done = match self.case.done.get(&of) {
            None => {
                self.needs.done.insert(of);
                return;
            }
            Some(done) => done.clone(),
        };
        // A called case that undid itself gives nothing.
        if done.as_ref().is_some_and(|d| d.case.is_none()) {
            self.done = done.map(|d| d.to_variable(self.net));
            let stored = self.store_result(task, attempt, raw);
            self.done = None;
            if let Err(failure) = stored {
                return self.attempt_failed(number, EventKind::AttemptFailed, failure.for_good());
            }
        }
        self.end_item(number, ItemState::Completed);
        self.note_item(EventKind::Completed, number, task, Value::NULL);
        self.undone(of);
    }

    /// Somebody decides that this needs no undoing.
    pub(super) fn undo_skipped(&mut self, number: u64, of: u64, detail: Value) {
        let Some(task) = self.case.items.get(&number).map(|i| i.task) else {
            return;
        };
        if !self.case.done.contains_key(&of) {
            self.needs.done.insert(of);
            return;
        }
        self.end_item(number, ItemState::Completed);
        self.note_item(EventKind::WorkSkipped, number, task, detail);
        self.undone(of);
    }

    fn undone(&mut self, of: u64) {
        let task = self
            .case
            .done
            .get(&of)
            .and_then(|d| d.as_ref())
            .map(|d| d.task);
        let twice = sabotage::on(Bug::UndoTwice);
        if !twice {
            self.case.done.insert(of, None); // the condition is planted
        }
        let recovery = &mut self.case.recovery;
        recovery.left = recovery.left.saturating_sub(1);
        if let Some(active) = &mut recovery.active {
            active.running = None;
            active.cursor = active.cursor.max(if twice { of } else { 0 }); // planted
        }
        self.note(EventKind::Compensated, task, Value::NULL);
        self.end_if_undone();
    }

    /// An item that undoes has failed for good.
    pub(super) fn undo_failed(&mut self, number: u64, error: Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        let of = self.undoes(number);
        let done = of.and_then(|of| match self.case.done.get(&of) {
            None => {
                self.needs.done.insert(of);
                None
            }
            Some(done) => done.as_ref().map(|d| d.task),
        });
        if !self.needs.is_empty() {
            return;
        }
        let state = ItemState::Failed {
            error: error.clone(),
        };
        self.cancel_late(number);
        self.end_item(number, state);
        self.note_item(EventKind::Failed, number, task, error.clone());
        self.not_undone(done.unwrap_or(task), error);
    }

    /// One could not be undone; the others are undone all the same.
    fn not_undone(&mut self, task: TaskId, mut error: Value) {
        if let Some(ending) = &self.case.recovery.ending {
            // An object that was just made takes another key.
            let _ = error.insert("cause", ending.error.clone());
        }
        self.note(EventKind::CompensationFailed, Some(task), error.clone());
        if let Some(active) = &mut self.case.recovery.active {
            active.running = None;
            active.failed = active.failed.saturating_add(1);
            active.error = Some(error);
        }
    }

    /// All was looked at: the task that asked for it completes, or the case ends.
    fn walk_over(&mut self) {
        let Some(active) = self.case.recovery.active.take() else {
            return;
        };
        let failure = active.error.map(|error| {
            let count = active.failed;
            let last = error.get("message").unwrap_or_default();
            let last = last.as_str().unwrap_or_default();
            let message = format!("{count} could not be undone; the last: {last}");
            Failure::new("compensation", message)
                .for_good()
                .detail(error)
        });
        if let Some(number) = active.by {
            return self.compensate_completes(number, failure);
        }
        if let Some(failure) = failure {
            let mut error = failure.to_value();
            // The chain of causes begins with what could not be undone.
            let _ = error.insert("cause", failure.detail);
            let _ = error.remove(&statewright_value::Path::root().key("detail"));
            self.case.status = Status::CompensationFailed;
            self.case.error = Some(error.clone());
            return self.note(EventKind::CaseCompensationFailed, None, error);
        }
        let Some(ending) = self.case.recovery.ending.take() else {
            return;
        };
        self.case.status = ending.status;
        self.case.error = Some(ending.error);
        let kind = match ending.status {
            Status::Failed => EventKind::CaseFailed,
            Status::Compensated => EventKind::CaseCompensated,
            _ => EventKind::CaseCancelled,
        };
        self.note(kind, None, ending.detail);
    }

    /// A task of kind `compensate` is over; the next one that waits has its turn.
    fn compensate_completes(&mut self, number: u64, failure: Option<Failure>) {
        let is_other = |(n, t): &(&u64, &TaskId)| {
            **n != number
                && self
                    .task(**t)
                    .is_some_and(|t| matches!(t.kind, TaskKind::Compensate(_)))
        };
        let next = self.case.in_flight.iter().find(is_other).map(|(n, _)| *n);
        if next.is_some() {
            self.walk(next);
        }
        // It may have been cancelled meanwhile.
        let Some(task) = self.case.in_flight.get(&number).copied() else {
            return self.settle();
        };
        if !self.has_item(number) {
            return;
        }
        match failure {
            Some(failure) => self.fail_case(Some(task), Some(number), failure),
            None => self.leave(task, number, EventKind::Completed),
        }
    }
}
