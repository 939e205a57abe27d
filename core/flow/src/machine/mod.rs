//! The machine: firing, as a pure function of net, case, event and time.
//!
//! It reads no store, no clock and no random source. Every event changes a [`Case`] in memory and leaves [`Note`]s
//! of what happened; the runtime writes the difference as one commit. The semantics are those of YAWL nets: firing
//! consumes tokens when a task starts and produces them when it completes, and a busy task is not started again
//! (van der Aalst and ter Hofstede 2005; patterns 1 to 5, and 8 and 10 where a net asks for them).

use statewright_log::Timestamp;
use statewright_value::{Path, Value, value};

use crate::case::{Case, EventKind, Item, ItemState, ItemWork, Lease, Status};
use crate::expr::{Expr, ExprLimits};
use crate::failure::Failure;
use crate::net::{Join, Net, Split, Task, TaskId, TaskKind, Wait, Work};
use crate::schedule;

/// What happened, before it has a number and a version.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub kind: EventKind,
    pub task: Option<TaskId>,
    pub item: Option<(u64, u32)>,
    pub detail: Value,
}

/// A case on its net at one moment.
pub(crate) struct Machine<'a> {
    pub net: &'a Net,
    pub case: Case,
    pub now: Timestamp,
    pub notes: Vec<Note>,
    /// The key under which a completed case's result is stored as a document, if the flow asks for it.
    pub document: Option<String>,
    /// The event turned out to concern every item in flight: what was done is to be thrown away, and the event run
    /// again with all of them in the case.
    pub needs_all_items: bool,
}

impl<'a> Machine<'a> {
    pub fn new(net: &'a Net, case: Case, now: Timestamp) -> Self {
        Machine {
            net,
            case,
            now,
            notes: Vec::new(),
            document: None,
            needs_all_items: false,
        }
    }

    /// Puts the first token and starts what it enables.
    pub fn start(&mut self) {
        self.note(EventKind::CaseStarted, None, Value::NULL);
        self.case.add_token(self.net.start);
        self.settle();
    }

    /// Fires one enabled automatic task; tells whether there was one.
    pub fn fire(&mut self) -> bool {
        let Some(task) = self.next_enabled(|t| !t.kind.takes_time()) else {
            return false;
        };
        self.consume(task);
        let Some(spec) = self.net.tasks.get(task) else {
            return false;
        };
        let done = match &spec.kind {
            TaskKind::Set(assignments) => self
                .assign(task, assignments)
                .map(|()| (EventKind::Fired, Value::NULL)),
            TaskKind::Log(message) => self
                .eval(message, task, 1, None)
                .map(|message| (EventKind::Logged, value!({"message": message}))),
            _ => return false,
        };
        match done.and_then(|(kind, detail)| {
            self.note(kind, Some(task), detail);
            self.produce(task)
        }) {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(task, None, failure),
        }
        true
    }

    /// The automatic task that would fire next fails instead.
    pub fn refuse(&mut self, failure: Failure) {
        if let Some(task) = self.next_enabled(|t| !t.kind.takes_time()) {
            self.consume(task);
            self.fail_case(task, None, failure);
        }
    }

    /// Whether [`fire`](Machine::fire) has something to do.
    pub fn can_fire(&self) -> bool {
        self.case.status == Status::Running && self.next_enabled(|t| !t.kind.takes_time()).is_some()
    }

    /// Somebody takes an offered item.
    pub fn claim(&mut self, number: u64, lease: Lease) {
        let worker = value!({"worker": lease.worker.as_str()});
        let Some(item) = self.case.items.get_mut(&number) else {
            return;
        };
        item.attempt = item.attempt.saturating_add(1);
        item.state = ItemState::Leased(lease);
        let task = item.task;
        self.note_item(EventKind::Started, number, task, worker);
    }

    /// An attempt gave a result.
    pub fn complete(&mut self, number: u64, raw: &Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let (task, attempt) = (item.task, item.attempt);
        match self.store_result(task, attempt, raw) {
            Ok(()) => {
                self.end_item(number, ItemState::Completed);
                self.note_item(EventKind::Completed, number, task, Value::NULL);
                self.leave(task, number);
            }
            // The same result would fail the same way again.
            Err(failure) => {
                self.attempt_failed(number, EventKind::AttemptFailed, failure.for_good())
            }
        }
    }

    /// An attempt failed.
    pub fn fail(&mut self, number: u64, failure: Failure) {
        self.attempt_failed(number, EventKind::AttemptFailed, failure);
    }

    /// Whoever worked on the item is gone without a word: it is offered again.
    pub fn release(&mut self, number: u64) {
        self.offer_again(number, EventKind::Released);
    }

    /// Time has passed: does what is due for the item now.
    pub fn due(&mut self, number: u64) {
        let now = self.now;
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        match &item.state {
            ItemState::Waiting { until, .. } if *until <= now => {
                self.end_item(number, ItemState::Completed);
                self.note_item(EventKind::TimerFired, number, task, Value::NULL);
                self.leave(task, number);
            }
            ItemState::BackingOff { until, .. } if *until <= now => {
                self.offer_again(number, EventKind::Offered)
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

    /// Starts every enabled task that takes time, then closes the case if nothing can happen any more.
    fn settle(&mut self) {
        while self.case.status == Status::Running {
            let Some(task) = self.next_enabled(|t| t.kind.takes_time()) else {
                break;
            };
            self.consume(task);
            if let Err(failure) = self.begin(task) {
                self.fail_case(task, None, failure);
            }
        }
        if self.case.status == Status::Running && self.case.in_flight.is_empty() && !self.can_fire()
        {
            self.close();
        }
    }

    /// The first enabled task, in the spec's order, that `wanted` accepts.
    fn next_enabled(&self, wanted: impl Fn(&Task) -> bool) -> Option<TaskId> {
        self.net
            .tasks
            .iter()
            .enumerate()
            .find(|(id, t)| wanted(t) && self.is_enabled(*id, t))
            .map(|(id, _)| id)
    }

    fn is_enabled(&self, id: TaskId, task: &Task) -> bool {
        let marked = |place: &usize| self.case.tokens(*place) > 0;
        let joined = match task.join {
            Join::And => !task.inputs.is_empty() && task.inputs.iter().all(marked),
            Join::Xor => task.inputs.iter().any(marked),
        };
        joined && !self.case.is_busy(id)
    }

    fn consume(&mut self, task: TaskId) {
        let Some(spec) = self.net.tasks.get(task) else {
            return;
        };
        match spec.join {
            Join::And => spec.inputs.iter().for_each(|p| self.case.take_token(*p)),
            Join::Xor => {
                let first = spec.inputs.iter().find(|p| self.case.tokens(**p) > 0);
                first.into_iter().for_each(|p| self.case.take_token(*p));
            }
        }
    }

    fn produce(&mut self, task: TaskId) -> Result<(), Failure> {
        let Some(spec) = self.net.tasks.get(task) else {
            return Ok(());
        };
        match spec.split {
            Split::And => spec
                .outputs
                .iter()
                .for_each(|e| self.case.add_token(e.place)),
            Split::Xor => {
                for edge in &spec.outputs {
                    let chosen = match &edge.when {
                        Some(when) => truthy(&self.eval(when, task, 1, None)?),
                        None => true,
                    };
                    if chosen {
                        self.case.add_token(edge.place);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the item of a task whose tokens were consumed.
    fn begin(&mut self, task: TaskId) -> Result<(), Failure> {
        let Some(spec) = self.net.tasks.get(task) else {
            return Ok(());
        };
        let number = self.case.next_item;
        let now = self.now;
        let offered = ItemState::Offered { since: now };
        let (work, input, state) = match &spec.kind {
            TaskKind::Process(process) => {
                let (argv, cwd) = self.command(task, process)?;
                (
                    ItemWork::Process { argv, cwd },
                    self.input(task, &process.work)?,
                    offered,
                )
            }
            TaskKind::Host(host) => (
                ItemWork::Host {
                    topic: host.topic.clone(),
                },
                self.input(task, &host.work)?,
                offered,
            ),
            TaskKind::Wait(wait) => {
                let until = self.until(task, wait)?;
                (
                    ItemWork::Wait,
                    Value::NULL,
                    ItemState::Waiting { since: now, until },
                )
            }
            TaskKind::Set(_) | TaskKind::Log(_) => return Ok(()),
        };
        let (kind, detail) = match &state {
            ItemState::Waiting { until, .. } => {
                (EventKind::TimerSet, value!({"until": until.to_string()}))
            }
            _ => (EventKind::Offered, Value::NULL),
        };
        self.case.next_item = number.saturating_add(1);
        let item = Item {
            number,
            task,
            work,
            input,
            created: now,
            attempt: 0,
            failures: 0,
            state,
        };
        self.case.in_flight.insert(number, task);
        self.case.items.insert(number, item);
        self.note_item(kind, number, task, detail);
        Ok(())
    }

    fn command(
        &self,
        task: TaskId,
        process: &crate::net::Process,
    ) -> Result<(Vec<String>, Option<String>), Failure> {
        let mut argv = process.run.clone();
        if let Some(args) = &process.args {
            let args = self.eval(args, task, 1, None)?;
            let texts: Option<Vec<String>> = args
                .items()
                .map(|a| a.as_str().map(str::to_owned))
                .collect();
            match texts {
                Some(texts) if args.kind() == statewright_value::Kind::Array => argv.extend(texts),
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

    fn input(&self, task: TaskId, work: &Work) -> Result<Value, Failure> {
        work.input
            .as_ref()
            .map_or(Ok(Value::NULL), |input| self.eval(input, task, 1, None))
    }

    fn until(&self, task: TaskId, wait: &Wait) -> Result<Timestamp, Failure> {
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

    fn assign(&mut self, task: TaskId, assignments: &[(Path, Expr)]) -> Result<(), Failure> {
        // All or nothing: a later failure must not leave earlier assignments in the data.
        let (data, writes) = (self.case.data.clone(), self.case.writes.len());
        for (path, expr) in assignments {
            let set = self
                .eval(expr, task, 1, None)
                .and_then(|value| self.set_data(path, value));
            if let Err(failure) = set {
                self.case.data = data;
                self.case.writes.truncate(writes);
                return Err(failure);
            }
        }
        Ok(())
    }

    fn set_data(&mut self, path: &Path, value: Value) -> Result<(), Failure> {
        let set = self.case.data.set(path, value.clone());
        set.map_err(|e| Failure::new("data", e.to_string()).for_good())?;
        self.case.writes.push((path.clone(), value));
        Ok(())
    }

    fn store_result(&mut self, task: TaskId, attempt: u32, raw: &Value) -> Result<(), Failure> {
        let Some(work) = self.net.tasks.get(task).and_then(|t| t.kind.work()) else {
            return Ok(());
        };
        let result = match &work.output {
            Some(output) => self.eval(output, task, attempt, Some(raw))?,
            None => raw.clone(),
        };
        self.set_data(&work.into, result)
    }

    /// Produces what a completed task produces, and goes on.
    fn leave(&mut self, task: TaskId, number: u64) {
        match self.produce(task) {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(task, Some(number), failure),
        }
    }

    fn attempt_failed(&mut self, number: u64, kind: EventKind, failure: Failure) {
        let now = self.now;
        let Some(item) = self.case.items.get_mut(&number) else {
            return;
        };
        item.failures = item.failures.saturating_add(1);
        let (task, failures) = (item.task, item.failures);
        self.note_item(kind, number, task, failure.to_value());
        let retry = self
            .net
            .tasks
            .get(task)
            .and_then(|t| t.kind.work())
            .map(|w| &w.retry);
        match retry {
            Some(retry) if failure.retryable && failures < retry.attempts => {
                let until = now.saturating_add(schedule::pause(retry, failures));
                self.set_state(number, ItemState::BackingOff { since: now, until });
                self.note_item(
                    EventKind::RetryScheduled,
                    number,
                    task,
                    value!({"until": until.to_string()}),
                );
            }
            _ => self.fail_case(task, Some(number), failure),
        }
    }

    fn offer_again(&mut self, number: u64, kind: EventKind) {
        let Some(task) = self.case.items.get(&number).map(|i| i.task) else {
            return;
        };
        self.set_state(number, ItemState::Offered { since: self.now });
        self.note_item(kind, number, task, Value::NULL);
    }

    /// The case fails because a task did: everything else in flight is cancelled.
    fn fail_case(&mut self, task: TaskId, number: Option<u64>, failure: Failure) {
        if self.case.in_flight.len() > self.case.items.len() {
            self.needs_all_items = true;
            // Nothing more is to happen in this run of the event.
            self.case.status = Status::Failed;
            return;
        }
        let name = self.net.tasks.get(task).map_or("", |t| &*t.name);
        let mut error = failure.to_value();
        // An object that was just made takes another key.
        let _ = error.insert("task", Value::from(name));
        if let Some(number) = number {
            self.end_item(
                number,
                ItemState::Failed {
                    error: error.clone(),
                },
            );
            self.note_item(EventKind::Failed, number, task, error.clone());
        } else {
            self.note(EventKind::Failed, Some(task), error.clone());
        }
        let others: Vec<(u64, TaskId)> = self
            .case
            .items
            .values()
            .map(|i| (i.number, i.task))
            .collect();
        for (other, of) in others {
            self.end_item(other, ItemState::Cancelled);
            self.note_item(EventKind::Cancelled, other, of, Value::NULL);
        }
        self.case.status = Status::Failed;
        self.case.error = Some(error.clone());
        self.note(EventKind::CaseFailed, None, error);
    }

    /// Nothing is enabled and nothing runs.
    fn close(&mut self) {
        if !self.case.marking.is_empty() {
            let places = self
                .case
                .marking
                .keys()
                .filter_map(|p| self.net.places.get(*p));
            let tokens: Value = places.map(|p| Value::from(p.name.as_str())).collect();
            self.case.status = Status::Deadlocked;
            self.note(EventKind::CaseDeadlocked, None, value!({"tokens": tokens}));
            return;
        }
        match self.outcome() {
            Ok((result, document)) => {
                self.case.status = Status::Completed;
                self.case.result = Some(result);
                self.document = document;
                self.note(EventKind::CaseCompleted, None, Value::NULL);
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
            Some(output) => self.eval_in(output, "", 1, None)?,
            None => self.case.data.clone(),
        };
        let Some(document) = &self.net.document else {
            return Ok((result, None));
        };
        let key = self.eval_in(document, "", 1, None)?;
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

    fn eval(
        &self,
        expr: &Expr,
        task: TaskId,
        attempt: u32,
        raw: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.eval_in(
            expr,
            self.net.tasks.get(task).map_or("", |t| &*t.name),
            attempt,
            raw,
        )
    }

    /// Evaluates on `raw`, or on the case's data.
    fn eval_in(
        &self,
        expr: &Expr,
        task: &str,
        attempt: u32,
        raw: Option<&Value>,
    ) -> Result<Value, Failure> {
        let data = &self.case.data;
        let (name, version) = (&*self.net.name, self.net.version);
        let variables = [
            value!({"id": &*self.case.id, "flow": name, "version": version}),
            value!({"name": name, "version": version, "dir": self.net.dir.as_deref()}),
            Value::from(task),
            Value::from(u64::from(attempt)),
            data.clone(),
        ];
        let limits = ExprLimits::default();
        expr.eval(raw.unwrap_or(data), &variables, &limits)
            .map_err(|e| Failure::expression(expr.text(), &e))
    }

    fn set_state(&mut self, number: u64, state: ItemState) {
        if let Some(item) = self.case.items.get_mut(&number) {
            item.state = state;
        }
    }

    /// A finished item stays in the case until the runtime has written it; it does not make its task busy.
    fn end_item(&mut self, number: u64, state: ItemState) {
        self.set_state(number, state);
        self.case.in_flight.remove(&number);
        if let Some(item) = self.case.items.remove(&number) {
            self.case.ended.push(item);
        }
    }

    fn note(&mut self, kind: EventKind, task: Option<TaskId>, detail: Value) {
        self.notes.push(Note {
            kind,
            task,
            item: None,
            detail,
        });
    }

    fn note_item(&mut self, kind: EventKind, number: u64, task: TaskId, detail: Value) {
        let ended = self.case.ended.iter().rev().find(|i| i.number == number);
        let attempt = self
            .case
            .items
            .get(&number)
            .or(ended)
            .map_or(0, |i| i.attempt);
        self.notes.push(Note {
            kind,
            task: Some(task),
            item: Some((number, attempt)),
            detail,
        });
    }
}

/// jq's truth: everything but null and false.
fn truthy(value: &Value) -> bool {
    !value.is_null() && value.as_bool() != Some(false)
}
