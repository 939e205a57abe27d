//! Deadlines: of a task from when it is offered, of a case from when it is created.

use statewright_log::Timestamp;
use statewright_value::value;

use super::Machine;
use crate::case::{EventKind, Instance, Status};
use crate::failure::Failure;
use crate::net::{Deadline, PlaceId, TaskId};
use crate::sabotage::{self, Bug};
use crate::schedule;

impl Machine<'_> {
    /// By when the next item of a task must be done; none if it has no deadline.
    pub(super) fn deadline(
        &self,
        task: TaskId,
        instance: Option<&Instance>,
    ) -> Result<Option<Timestamp>, Failure> {
        let work = self.task(task).and_then(|t| t.kind.work());
        let Some(deadline) = work.and_then(|w| w.deadline.as_ref()) else {
            return Ok(None);
        };
        let name = self.task(task).map_or("", |t| &*t.name);
        self.moment(deadline, name, instance).map(Some)
    }

    fn moment(
        &self,
        deadline: &Deadline,
        task: &str,
        instance: Option<&Instance>,
    ) -> Result<Timestamp, Failure> {
        let expr = match deadline {
            Deadline::After(duration) => return Ok(self.now.saturating_add(*duration)),
            Deadline::Expr(expr) => expr,
        };
        let value = self.eval_in(expr, task, 1, None, instance)?;
        let after = || Some(self.now.saturating_add(schedule::duration_of(&value)?));
        schedule::time_of(&value).or_else(after).ok_or_else(|| {
            let expected = "a duration, a number of seconds, or an RFC 3339 time";
            Failure::wrong("deadline", expected, &value)
        })
    }

    pub(super) fn set_deadline(&mut self, number: u64, deadline: Option<Timestamp>) {
        if let Some(item) = self.case.items.get_mut(&number) {
            item.deadline = deadline;
        }
    }

    /// Sets the deadline of a case that begins; false if that failed the case.
    pub(super) fn begin_deadline(&mut self) -> bool {
        let Some(deadline) = &self.net.deadline else {
            return true;
        };
        match self.moment(&deadline.by, "", None) {
            Ok(at) => self.case.deadline = Some(at),
            Err(failure) => self.fail_case(None, None, failure),
        }
        self.case.deadline.is_some()
    }

    /// An item was not done by its deadline: its task fails for good, whatever its retries say.
    pub(super) fn overdue(&mut self, number: u64) {
        let Some((task, at)) = self
            .case
            .items
            .get(&number)
            .and_then(|i| Some((i.task, i.deadline?)))
        else {
            return;
        };
        if self.case.offers.get(&task) == Some(&number) {
            self.start_item(task, number);
        }
        let failure = late(at, "the task was not done");
        self.note_item(EventKind::DeadlinePassed, number, task, failure.to_value());
        self.late = Some(number);
        self.fail_case(Some(task), Some(number), failure);
        self.late = None;
    }

    /// Whether the deadline of the case has passed, and it has not dealt with that.
    pub fn is_late(&self) -> bool {
        let running = self.case.status == Status::Running;
        running && self.case.deadline.is_some_and(|at| at <= self.now)
    }

    /// The deadline of the case has passed: it fails, or goes on somewhere else without all that it had. It fails with
    /// `refused` if that is why it cannot do either as the flow says.
    pub fn end_late(&mut self, refused: Option<Failure>) {
        let Some(at) = self.case.deadline.take() else {
            return;
        };
        if sabotage::on(Bug::DeadlineTwice) {
            self.case.deadline = Some(at); // planted
        }
        match (self.net.deadline.as_ref().and_then(|d| d.to), refused) {
            (Some(place), None) => self.go_on_late(place),
            (_, refused) => {
                let failure = refused.unwrap_or_else(|| late(at, "the case had not ended"));
                self.note(EventKind::DeadlinePassed, None, failure.to_value());
                self.fail_case(None, None, failure);
            }
        }
    }

    fn go_on_late(&mut self, place: PlaceId) {
        if !self.end_all_work(false) {
            return;
        }
        // What is being undone for a task ends with the step at hand.
        if let Some(active) = &mut self.case.recovery.active {
            active.cursor = 0;
        }
        let to = self.place_name(place);
        self.forget_tokens();
        self.note(EventKind::DeadlinePassed, None, value!({ "to": to }));
        match self.add(place, 1) {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(None, None, failure),
        }
    }
}

fn late(at: Timestamp, what: &str) -> Failure {
    let message = format!("{what} by its deadline, {at}");
    let at = at.to_string();
    Failure::new("deadline", message)
        .for_good()
        .detail(value!({"deadline": (at.as_str())}))
}
