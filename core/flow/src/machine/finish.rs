//! How a case ends, and how it is suspended.

use statewright_value::{Value, value};

use super::{Effect, Machine, NoUndo};
use crate::case::{EventKind, ItemWork, Status};
use crate::failure::Failure;
use crate::net::{PlaceId, TaskId, TaskKind};

impl Machine<'_> {
    /// A task that ends the case has completed: it did what it was for, whatever is left (pattern 43).
    pub(super) fn end_explicitly(&mut self, task: TaskId) {
        if !self.end_all_work(true) {
            return;
        }
        let name = self.task(task).map_or("", |t| &*t.name);
        self.forget_tokens();
        self.complete_case(value!({"task": name}));
    }

    /// Removes every token.
    pub(super) fn forget_tokens(&mut self) {
        self.case.marking.clear();
        self.case.dead.clear();
        self.dirty.clear();
    }

    /// Nothing is enabled and nothing runs.
    pub(super) fn close(&mut self) {
        // Tokens in a place that leads nowhere have arrived.
        let stuck = |place: &PlaceId| {
            self.tokens(*place) > 0
                && self
                    .net
                    .places
                    .get(*place)
                    .is_some_and(|p| !p.targets.is_empty())
        };
        let tokens: Vec<Value> = (0..self.net.places.len())
            .filter(stuck)
            .map(|p| Value::from(self.place_name(p)))
            .collect();
        if !tokens.is_empty() {
            let tokens: Value = tokens.into_iter().collect();
            self.case.status = Status::Deadlocked;
            self.note(EventKind::CaseDeadlocked, None, value!({"tokens": tokens}));
            return;
        }
        self.case.dead.clear();
        self.complete_case(Value::NULL);
    }

    fn complete_case(&mut self, detail: Value) {
        match self.outcome() {
            Ok((result, document)) => {
                self.case.status = Status::Completed;
                self.case.result = Some(result);
                self.document = document;
                self.note(EventKind::CaseCompleted, None, detail);
            }
            Err(failure) => {
                let error = failure.to_value();
                self.case.status = Status::Failed;
                self.case.error = Some(error.clone());
                self.note(EventKind::CaseFailed, None, error);
            }
        }
    }

    /// The case's result, and the key of the document it is to be stored as.
    fn outcome(&self) -> Result<(Value, Option<String>), Failure> {
        let result = match &self.net.output {
            Some(output) => self.eval_in(output, "", 1, None, None)?,
            None => self.case.data.clone(),
        };
        let Some(document) = &self.net.document else {
            return Ok((result, None));
        };
        let key = self.eval_in(document, "", 1, None, None)?;
        match key.as_str() {
            Some(text) if (1..=statewright_store::MAX_KEY_BYTES).contains(&text.len()) => {
                Ok((result, Some(text.to_owned())))
            }
            _ => Err(Failure::wrong(
                "document",
                "a string that can be a key",
                &key,
            )),
        }
    }

    /// Somebody cancels the case, unless it is ending already.
    pub fn cancel(&mut self, reason: &str) -> Result<(), NoUndo> {
        match self.case.status {
            Status::Compensating => return Err(NoUndo::Compensating),
            Status::Suspended if self.case.recovery.ending.is_some() => {
                return Err(NoUndo::Suspended);
            }
            _ => {}
        }
        self.stop(Status::Cancelled, reason);
        Ok(())
    }

    /// Somebody ends the case (pattern 20): as cancelled, when it has undone what it did; or by force as terminated,
    /// at once.
    pub fn stop(&mut self, status: Status, reason: &str) {
        let message = if reason.is_empty() {
            "somebody ended the case"
        } else {
            reason
        };
        let code = status.name();
        let error = Failure::new(code, message).for_good().to_value();
        let detail = value!({"reason": reason});
        if status != Status::Terminated {
            self.end_case(status, error, detail);
            if self.needs.is_empty() {
                self.forget_tokens();
            }
            return;
        }
        self.case.status = status;
        if !self.end_all_work(true) {
            return;
        }
        self.forget_tokens();
        self.case.error = Some(error);
        self.note(EventKind::CaseTerminated, None, detail);
    }

    /// Nothing more is offered or started, and no timer fires, until the case is resumed.
    pub fn suspend(&mut self) -> bool {
        let running = matches!(self.case.status, Status::Running | Status::Compensating);
        if running {
            for number in self.case.numbers().collect::<Vec<u64>>() {
                self.has_item(number);
            }
            self.case.status = Status::Suspended;
            self.pause_called(true);
            self.note(EventKind::CaseSuspended, None, Value::NULL);
        }
        running
    }

    /// The case goes on as if time had stood still for what is not started, and catches up with what is due.
    pub fn resume(&mut self) -> bool {
        let suspended = self.case.status == Status::Suspended;
        if suspended {
            for number in self.case.numbers().collect::<Vec<u64>>() {
                self.has_item(number);
            }
            let compensating = self.case.recovery.ending.is_some();
            self.case.status = if compensating {
                Status::Compensating
            } else {
                Status::Running
            };
            self.note(EventKind::CaseResumed, None, Value::NULL);
            self.pause_called(false);
            if self.case.recovery.is_put_off()
                && let Some(ending) = self.case.recovery.ending.take()
            {
                self.end_case(ending.status, ending.error, ending.detail);
                return true;
            }
            if compensating {
                return true;
            }
            self.listen_again();
            self.settle_all();
        }
        suspended
    }

    /// What waits for a signal of a key may find one that was kept meanwhile.
    pub(super) fn listen_again(&mut self) {
        for item in self.case.items.values() {
            let spec = self.net.tasks.get(item.task).map(|t| &t.kind);
            if let (ItemWork::Signal { signal, key }, Some(TaskKind::Signal(of))) =
                (&item.work, spec)
                && let Some(key) = key.clone().filter(|_| of.keep)
            {
                self.effects.push(Effect::Listen {
                    number: item.number,
                    signal: signal.clone(),
                    key,
                });
            }
        }
    }

    /// What a case has called is suspended and resumed with it.
    fn pause_called(&mut self, suspend: bool) {
        for item in self.case.items.values() {
            if let ItemWork::Flow { case } = &item.work {
                let case = case.clone();
                self.effects.push(Effect::Pause { case, suspend });
            }
        }
    }
}
