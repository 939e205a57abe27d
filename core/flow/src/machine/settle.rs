//! What follows from a change: offers and withdrawals, routing tasks, and the end of the case.

use statewright_value::{Value, value};

use super::{Machine, is_offered};
use crate::case::{EventKind, Item, ItemLane, ItemState, ItemWork, Status};
use crate::failure::Failure;
use crate::net::{Join, Reset, Routing, Task, TaskId, TaskKind};

/// Routing tasks fired in one event, and tasks that failed before they were offered. A flow that goes in circles must
/// not be one endless event.
const MAX_ROUTED: u32 = 1000;

/// Whether what happens elsewhere in the net enables or ends its join.
fn is_far(task: &Task) -> bool {
    task.join == Join::Or
        || matches!(
            task.join,
            Join::Of {
                reset: Reset::Blocking,
                ..
            }
        )
}

impl Machine<'_> {
    /// Looks at every task that what happened may have enabled or disabled, until nothing follows any more.
    pub(super) fn settle(&mut self) {
        // What goes on after a failure is looked at by who looks already: a chain of them is no recursion.
        if std::mem::replace(&mut self.settling, true) {
            return;
        }
        // Joins that look at the whole net are looked at when nothing else is left to do: the question is dear, and
        // until then the answer is that more may come.
        let mut far = false;
        while self.case.status == Status::Running {
            let Some(task) = self.dirty.pop_first() else {
                if !std::mem::take(&mut self.moved) {
                    break;
                }
                far = true;
                self.net
                    .far_joins
                    .iter()
                    .for_each(|t| self.dirty.insert(*t));
                continue;
            };
            if self.route(task) {
                far = false;
                continue;
            }
            let Some(spec) = self.task(task) else {
                continue;
            };
            if is_far(spec) && (!far || self.moved) {
                self.moved = true;
                continue;
            }
            far &= is_far(spec);
            if let Err(failure) = self.look_at(task, spec) {
                self.not_offered(task, failure);
            }
        }
        self.settling = false;
        self.note_skipped();
        if self.case.status == Status::Running && self.case.is_idle() && !self.can_fire() {
            self.close();
        }
    }

    /// If a task is one whose routing is compiled, fires it and all that follows from it and those like it; false if
    /// it is none.
    fn route(&mut self, task: TaskId) -> bool {
        let Some(routes) = self.net.routes.as_deref().filter(|r| r.has(task)) else {
            return false;
        };
        if !self.case.dead.is_empty() {
            return false;
        }
        let others = self.dirty.take(|task| routes.has(task));
        let due = std::iter::once(task).chain(others);
        let before = Routing::new(self.case.marking.marked(), due);
        let mut after = before.clone();
        let mut fired = std::mem::take(&mut self.fired);
        let most = MAX_ROUTED.saturating_sub(self.routed);
        routes.run(&mut after, &mut fired, most as usize);
        for task in fired.drain(..) {
            let task = task as TaskId;
            self.routed = self.routed.saturating_add(1);
            self.took = Some(task);
            self.note(EventKind::Routed, Some(task), Value::NULL);
        }
        self.fired = fired;
        for (place, marked) in after.changed(&before) {
            self.set_tokens(place, u32::from(marked));
        }
        for task in after.left() {
            if let Some(spec) = self.task(task)
                && let Err(failure) = self.look_at(task, spec)
            {
                self.not_offered(task, failure);
            }
        }
        true
    }

    /// A task that is enabled has failed before it was offered. If that leads in circles, so does the case.
    fn not_offered(&mut self, task: TaskId, failure: Failure) {
        self.refused = self.refused.saturating_add(1);
        if self.refused < MAX_ROUTED {
            return self.fail_case(Some(task), None, failure);
        }
        let error = self.error_of(Some(task), &failure);
        self.fail_hard(Some(task), None, error);
    }

    /// As if everything had changed: after a pause in which nothing was looked at.
    pub fn settle_all(&mut self) {
        (0..self.net.tasks.len()).for_each(|t| self.dirty.insert(t));
        self.settle();
    }

    /// The case was put on this net.
    pub fn migrated(&mut self, detail: Value) {
        self.note(EventKind::CaseMigrated, None, detail);
        self.settle_all();
    }

    /// The case was made of another one, as that was once.
    pub fn forked(&mut self, detail: Value) {
        self.note(EventKind::CaseForked, None, detail);
        if self.case.status == Status::Running {
            self.listen_again();
        }
    }

    fn look_at(&mut self, task: TaskId, spec: &Task) -> Result<(), Failure> {
        if matches!(spec.join, Join::Of { reset, .. } if reset != Reset::Cancel) {
            self.absorb(task, spec);
        }
        if !self.case.dead.is_empty() {
            self.pass_over(task, spec);
        }
        if is_offered(spec) {
            match (self.is_enabled(task), self.case.offers.get(&task).copied()) {
                (true, None) => self.offer(task, spec)?,
                (false, Some(number)) => self.withdraw(task, number),
                _ => {}
            }
        } else if matches!(spec.kind, TaskKind::Route)
            && self.routed < MAX_ROUTED
            && self.is_enabled(task)
        {
            self.routed = self.routed.saturating_add(1);
            self.consume(task);
            self.note(EventKind::Routed, Some(task), Value::NULL);
            self.complete_task(task)?;
            self.dirty.insert(task);
        }
        Ok(())
    }

    /// Offers an enabled task: it consumes nothing before it starts.
    fn offer(&mut self, task: TaskId, spec: &Task) -> Result<(), Failure> {
        let since = self.now;
        let (work, state) = match &spec.kind {
            TaskKind::Process(_) => (
                ItemWork::Process {
                    argv: Vec::new(),
                    cwd: None,
                },
                ItemState::Offered { since },
            ),
            TaskKind::Host(host) => (
                ItemWork::Host {
                    topic: host.topic.clone(),
                },
                ItemState::Offered { since },
            ),
            TaskKind::Wait(wait) => {
                let until = self.until(task, wait)?;
                (ItemWork::Wait, ItemState::Waiting { since, until })
            }
            TaskKind::Signal(signal) => return self.listen(task, signal),
            _ => return Ok(()),
        };
        let (kind, detail) = match &state {
            ItemState::Waiting { until, .. } => {
                (EventKind::TimerSet, value!({"until": until.to_string()}))
            }
            _ => (EventKind::Offered, Value::NULL),
        };
        let (lane, deadline) = (self.lane(task, None)?, self.deadline(task, None)?);
        let number = self.new_item(task, work, state, Value::NULL);
        self.set_lane(number, lane);
        self.set_deadline(number, deadline);
        self.case.offers.insert(task, number);
        self.note_item(kind, number, task, detail);
        Ok(())
    }

    /// A new item, without saying yet whether it is offered or started.
    pub(super) fn new_item(
        &mut self,
        task: TaskId,
        work: ItemWork,
        state: ItemState,
        input: Value,
    ) -> u64 {
        let number = self.case.next_item;
        self.case.next_item = number.saturating_add(1);
        let item = Item {
            number,
            task,
            instance: None,
            work,
            input,
            result: None,
            created: self.now,
            attempt: 0,
            failures: 0,
            state,
            lane: None,
            deadline: None,
            stored: false,
        };
        self.case.items.insert(number, item);
        number
    }

    pub(super) fn set_lane(&mut self, number: u64, lane: ItemLane) {
        if let Some(item) = self.case.items.get_mut(&number) {
            item.lane = lane;
        }
    }

    /// An offered task is not enabled any more: nobody has started it, so nothing remains of it.
    pub fn withdraw(&mut self, task: TaskId, number: u64) {
        if !self.has_item(number) {
            return;
        }
        self.case.offers.remove(&task);
        self.end_item(number, ItemState::Withdrawn);
        self.note_item(EventKind::Withdrawn, number, task, Value::NULL);
    }

    /// An offered item starts: its task consumes, and those that wanted the same tokens are withdrawn by what follows.
    pub(super) fn start_item(&mut self, task: TaskId, number: u64) {
        self.case.offers.remove(&task);
        self.case.in_flight.insert(number, task);
        self.consume(task);
        self.set_running(task, 1);
    }
}
