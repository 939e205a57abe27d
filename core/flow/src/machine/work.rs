//! Items: claimed, completed, failed, due.

use statewright_log::Timestamp;
use statewright_value::{Kind, Value, value};

use super::{Machine, eval::truthy};
use crate::case::{EventKind, Item, ItemState, ItemWork, Lease, Status};
use crate::failure::Failure;
use crate::net::{Join, PlaceId, Process, Task, TaskId, TaskKind, Wait, Work};
use crate::sabotage::{self, Bug};
use crate::schedule;

/// Bytes of an item's input that a claim that is not written has at most.
const MAX_QUIET_INPUT: usize = 64 << 10;

impl Machine<'_> {
    /// Somebody takes an offered item; false if it cannot be had. If it is the first attempt, the task starts: its
    /// tokens are consumed and its input is computed, which may fail the case instead.
    pub fn claim(&mut self, number: u64, lease: Lease) -> bool {
        let open = matches!(self.case.status, Status::Running | Status::Compensating);
        open && self.claim_again(number, lease)
    }

    /// As [`claim`](Machine::claim), of what was claimed already and not written, so it may complete though the case
    /// is suspended.
    pub fn claim_again(&mut self, number: u64, lease: Lease) -> bool {
        let Some(item) = self.offered(number) else {
            return false;
        };
        let (task, work) = (item.task, item.work.clone());
        if self.case.offers.get(&task) != Some(&number) {
            return self.hold(number, lease, None);
        }
        if !self.is_enabled(task) {
            return false;
        }
        match self.prepare(task) {
            Ok((other, input)) => self.hold(number, lease, Some((other.unwrap_or(work), input))),
            Err(failure) => {
                self.start_item(task, number);
                self.fail_case(Some(task), Some(number), failure);
                true
            }
        }
    }

    fn offered(&self, number: u64) -> Option<&Item> {
        let offered = |i: &&Item| matches!(i.state, ItemState::Offered { .. });
        self.case.items.get(&number).filter(offered)
    }

    /// As [`claim`](Machine::claim), with what the work is and gets known already; none if it has that.
    pub fn hold(&mut self, number: u64, lease: Lease, prepared: Option<(ItemWork, Value)>) -> bool {
        let Some(item) = self.offered(number) else {
            return false;
        };
        let (task, at) = (item.task, lease.since);
        let starts = self.case.offers.get(&task) == Some(&number);
        if starts {
            if !self.is_enabled(task) {
                return false;
            }
            self.start_item(task, number);
        }
        let worker = value!({"worker": lease.worker.as_str()});
        if let Some(item) = self.case.items.get_mut(&number) {
            if let Some((work, input)) = prepared {
                item.work = work;
                item.input = input;
            }
            item.attempt = item.attempt.saturating_add(1);
            item.state = ItemState::Leased(lease);
        }
        self.note_item(EventKind::Started, number, task, worker);
        if let Some(note) = self.notes.last_mut() {
            note.at = at;
        }
        if starts {
            self.settle();
        }
        true
    }

    /// Whether a claim that was just made is nobody's business but its holder's: it did nothing but start its item,
    /// and nothing else wants what it took. So it need not be written before something else is.
    pub fn is_quiet_claim(&self, number: u64) -> bool {
        let Some(item) = self.case.items.get(&number) else {
            return false;
        };
        let alone = |place: PlaceId| {
            self.net.places.get(place).is_some_and(|p| {
                p.targets == [item.task] && p.testers.is_empty() && p.sections.is_empty()
            })
        };
        let quiet = |t: &Task| {
            t.sections.is_empty()
                && t.tests.is_empty()
                && matches!(t.join, Join::And | Join::Xor)
                && t.inputs.iter().all(|i| alone(i.place))
        };
        // What is large is written at once, so that nobody else's commit fails of it.
        let small = item.input.is_null() || item.input.to_msgpack().len() <= MAX_QUIET_INPUT;
        small
            && item.lane.is_none()
            && matches!(item.work, ItemWork::Host { .. })
            && matches!(item.state, ItemState::Leased(_))
            && (item.instance.is_some() || self.task(item.task).is_some_and(quiet))
            && self.effects.is_empty()
            && self.case.ended.is_empty()
            && self.notes.iter().all(|n| n.kind == EventKind::Started)
            && !self.can_fire()
    }

    /// What an offered item would get cannot be stored: its task fails.
    pub fn fail_offered(&mut self, number: u64, failure: Failure) {
        let Some(task) = self.case.items.get(&number).map(|i| i.task) else {
            return;
        };
        if self.case.offers.get(&task) == Some(&number) {
            self.start_item(task, number);
        }
        self.fail_case(Some(task), Some(number), failure.for_good());
    }

    /// What the work of a task is and gets, from the data as it is now.
    pub fn prepare(&self, task: TaskId) -> Result<(Option<ItemWork>, Value), Failure> {
        let Some(spec) = self.task(task) else {
            return Ok((None, Value::NULL));
        };
        let work = match &spec.kind {
            TaskKind::Process(process) => {
                let (argv, cwd) = self.command(task, process)?;
                Some(ItemWork::Process { argv, cwd })
            }
            _ => None,
        };
        let input = spec.kind.work().map(|work| self.input(task, work));
        Ok((work, input.transpose()?.unwrap_or_default()))
    }

    /// An attempt gave a result.
    pub fn complete(&mut self, number: u64, raw: &Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        if let Some(of) = self.undoes(number) {
            return self.undo_completed(number, of, raw);
        }
        if let Some(instance) = item.instance.clone() {
            self.complete_instance(number, &instance, raw);
            return;
        }
        let (task, attempt) = (item.task, item.attempt);
        match self.store_result(task, attempt, raw) {
            Ok(()) => {
                let into = self.task(task).and_then(|t| t.kind.work()).map(|w| &w.into);
                let result = into.and_then(|path| self.case.data.at(path));
                let called = self.called.take();
                self.remember(number, result.unwrap_or_default(), called);
                self.leave(task, number, EventKind::Completed);
            }
            // The same result would fail the same way again.
            Err(failure) => {
                self.attempt_failed(number, EventKind::AttemptFailed, failure.for_good());
            }
        }
    }

    /// An attempt gave what was recorded of it: what its task's `output` had made of it.
    pub fn complete_recorded(&mut self, number: u64, result: Value) {
        self.record(Some(result));
        self.complete(number, &Value::NULL);
        self.record(None);
    }

    /// What the next result that is taken was made into once.
    pub fn record(&mut self, result: Option<Value>) {
        self.recorded = result;
    }

    /// An item is done: its task completes, and the case goes on.
    pub(super) fn leave(&mut self, task: TaskId, number: u64, kind: EventKind) {
        self.leave_with(task, number, kind, Value::NULL);
    }

    fn leave_with(&mut self, task: TaskId, number: u64, kind: EventKind, detail: Value) {
        self.end_item(number, ItemState::Completed);
        self.note_item(kind, number, task, detail);
        match self.complete_task(task) {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(Some(task), Some(number), failure),
        }
    }

    /// An attempt failed.
    pub fn fail(&mut self, number: u64, failure: Failure) {
        let item = self.case.items.get(&number);
        if item
            .and_then(|i| i.deadline)
            .is_some_and(|at| at <= self.now)
        {
            // Whoever ended the work because of its deadline may be faster than the timer.
            return self.overdue(number);
        }
        self.attempt_failed(number, EventKind::AttemptFailed, failure);
    }

    /// Whoever worked on the item is gone without a word: it is offered again.
    pub fn release(&mut self, number: u64) {
        self.offer_again(number, EventKind::Released);
    }

    /// Whoever has the item hands it to another worker.
    pub fn delegate(&mut self, number: u64, worker: &str, nonce: &str, until: Option<Timestamp>) {
        let Some(item) = self.case.items.get_mut(&number) else {
            return;
        };
        let task = item.task;
        if let ItemState::Leased(lease) = &mut item.state {
            let detail = value!({"from": lease.worker.as_str(), "worker": worker});
            lease.worker = worker.to_owned();
            lease.nonce = nonce.to_owned();
            lease.until = until;
            self.note_item(EventKind::Delegated, number, task, detail);
        }
    }

    /// Somebody decides that an item is not to be done, whoever has it: its task completes without a result.
    pub fn skip(&mut self, number: u64, detail: Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        if let Some(of) = self.undoes(number) {
            return self.undo_skipped(number, of, detail);
        }
        let Some(item) = self.case.items.get_mut(&number) else {
            return;
        };
        if let Some(instance) = item.instance.clone() {
            item.result = Some(Value::NULL);
            self.instance_done(number, &instance, EventKind::WorkSkipped, detail);
            return;
        }
        if self.case.offers.get(&task) == Some(&number) {
            if !self.is_enabled(task) {
                return;
            }
            self.start_item(task, number);
        }
        self.leave_with(task, number, EventKind::WorkSkipped, detail);
    }

    /// Time has passed: does what is due for the item now.
    pub fn due(&mut self, number: u64) {
        let now = self.now;
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        if item.deadline.is_some_and(|at| at <= now) {
            return self.overdue(number);
        }
        match &item.state {
            ItemState::Waiting { until, .. } if *until <= now => {
                self.start_item(task, number);
                self.leave(task, number, EventKind::TimerFired);
                if sabotage::on(Bug::TimerTwice) {
                    let _ = self.complete_task(task); // planted
                }
            }
            ItemState::BackingOff { until, .. } if *until <= now => {
                self.offer_again(number, EventKind::Offered);
            }
            ItemState::Leased(lease) if lease.deadline.is_some_and(|d| d <= now) => {
                let failure = Failure::timeout(lease.since, now);
                self.attempt_failed(number, EventKind::TimedOut, failure);
            }
            ItemState::Leased(lease) if lease.until.is_some_and(|u| u <= now) => {
                self.offer_again(number, EventKind::LeaseExpired);
            }
            _ => {}
        }
    }

    /// The same, whatever the time: what is recorded of it says that it was no deadline.
    pub fn attempt_failed(&mut self, number: u64, kind: EventKind, failure: Failure) {
        let now = self.now;
        let Some(item) = self.case.items.get_mut(&number) else {
            return;
        };
        item.failures = item.failures.saturating_add(1);
        let task = item.task;
        // What a timer was to start has not.
        if self.case.offers.get(&task) == Some(&number) {
            self.start_item(task, number);
        }
        self.note_item(kind, number, task, failure.to_value());
        match self.next_attempt(number, &failure) {
            Ok(Some(until)) => {
                let waits = !sabotage::on(Bug::RetryAtOnce);
                let end = if waits { until } else { now }; // planted
                let state = ItemState::BackingOff {
                    since: now,
                    until: end,
                };
                self.set_state(number, state);
                self.note_item(
                    EventKind::RetryScheduled,
                    number,
                    task,
                    value!({"until": until.to_string()}),
                );
            }
            Ok(None) => self.fail_case(Some(task), Some(number), failure),
            Err(second) => {
                let second = second.detail(failure.to_value());
                self.fail_case(Some(task), Some(number), second);
            }
        }
    }

    /// When an item that failed is tried again; none if it is not: it was the last attempt, another cannot help, or
    /// would come after its deadline.
    fn next_attempt(
        &mut self,
        number: u64,
        failure: &Failure,
    ) -> Result<Option<Timestamp>, Failure> {
        let Some(item) = self.case.items.get(&number) else {
            return Ok(None);
        };
        let (task, failures, deadline) = (item.task, item.failures, item.deadline);
        let work = self.task(task).and_then(|t| t.kind.work());
        let retry = work.map(|w| &w.retry);
        let Some(retry) = retry.filter(|r| failure.retryable && failures < r.attempts) else {
            return Ok(None);
        };
        if let Some(when) = &retry.when {
            let error = self.error_of(Some(task), failure);
            if !truthy(&self.eval_error(when, task, &error)?) {
                return Ok(None);
            }
        }
        let of = (&*self.case.id, number);
        let until = self
            .now
            .saturating_add(schedule::pause(retry, failures, of));
        Ok(Some(until).filter(|until| deadline.is_none_or(|at| *until < at)))
    }

    fn offer_again(&mut self, number: u64, kind: EventKind) {
        let Some(task) = self.case.items.get(&number).map(|i| i.task) else {
            return;
        };
        self.set_state(number, ItemState::Offered { since: self.now });
        self.note_item(kind, number, task, Value::NULL);
    }

    pub(super) fn command(
        &self,
        task: TaskId,
        process: &Process,
    ) -> Result<(Vec<String>, Option<String>), Failure> {
        let mut argv = process.run.clone();
        if let Some(args) = &process.args {
            let args = self.eval(args, task, 1, None)?;
            let texts: Option<Vec<String>> = args
                .items()
                .map(|a| a.as_str().map(str::to_owned))
                .collect();
            match texts {
                Some(texts) if args.kind() == Kind::Array => argv.extend(texts),
                _ => return Err(Failure::wrong("args", "an array of strings", &args)),
            }
        }
        let cwd = match &process.cwd {
            None => None,
            Some(cwd) => match self.eval(cwd, task, 1, None)? {
                v if v.is_null() => None,
                v => Some(
                    v.as_str()
                        .ok_or_else(|| Failure::wrong("cwd", "a string", &v))?
                        .to_owned(),
                ),
            },
        };
        Ok((argv, cwd))
    }

    pub(super) fn input(&self, task: TaskId, work: &Work) -> Result<Value, Failure> {
        work.input
            .as_ref()
            .map_or(Ok(Value::NULL), |input| self.eval(input, task, 1, None))
    }

    pub(super) fn until(&self, task: TaskId, wait: &Wait) -> Result<Timestamp, Failure> {
        match wait {
            Wait::For(duration) => Ok(self.now.saturating_add(*duration)),
            Wait::ForExpr(expr) => {
                let value = self.eval(expr, task, 1, None)?;
                let duration = schedule::duration_of(&value).ok_or_else(|| {
                    Failure::wrong(
                        "for",
                        "a number of seconds or a duration such as \"1.5s\"",
                        &value,
                    )
                })?;
                Ok(self.now.saturating_add(duration))
            }
            Wait::Cron(calendar) => calendar
                .next(self.now)
                .ok_or_else(|| Failure::new("cron", "there is no such time any more").for_good()),
            Wait::Until(expr) => {
                let value = self.eval(expr, task, 1, None)?;
                schedule::time_of(&value).ok_or_else(|| {
                    Failure::wrong(
                        "until",
                        "an RFC 3339 time such as \"2030-01-31T09:00:00Z\"",
                        &value,
                    )
                })
            }
        }
    }
}
