//! Signals, and cases of other flows.

use std::sync::Arc;

use statewright_value::{Value, value};

use super::{Effect, Machine};
use crate::case::{EventKind, ItemState, ItemWork, Status};
use crate::failure::Failure;
use crate::ids;
use crate::net::{Signal, SubFlow, TaskId, TaskKind};

/// Signals of one name that a case keeps at most, and of one name and key that are kept for any.
pub(crate) const MAX_LETTERS: u64 = 100_000;
/// Bytes of a correlation key at most.
pub(crate) const MAX_SIGNAL_KEY: usize = 512;

/// What became of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// A task of this name took it, in this case.
    Taken {
        /// The case.
        case: String,
        /// The task.
        task: String,
        /// What its `reply` gave.
        reply: Option<Value>,
    },
    /// Nobody waits for it yet; it is kept.
    Kept,
    /// Nobody waited for it; it is lost. The code says why: `nobody-waits`, `unknown-signal`, `suspended`, `full`.
    Dropped {
        /// Why.
        code: &'static str,
    },
}

impl Machine<'_> {
    /// A signal task is enabled: it takes the oldest signal that is kept for it, or waits for one.
    pub(super) fn listen(&mut self, task: TaskId, signal: &Signal) -> Result<(), Failure> {
        let key = match &signal.key {
            None => None,
            Some(key) => Some(signal_key(&self.eval(key, task, 1, None)?)?),
        };
        let mut detail = value!({"signal": signal.signal.as_str()});
        if let Some(key) = &key {
            // An object that was just made takes another key.
            let _ = detail.insert("key", Value::from(key.as_str()));
        }
        let since = self.now;
        let work = ItemWork::Signal {
            signal: signal.signal.clone(),
            key: key.clone(),
        };
        let deadline = self.deadline(task, None)?;
        let number = self.new_item(task, work, ItemState::Listening { since }, Value::NULL);
        self.set_deadline(number, deadline);
        self.case.offers.insert(task, number);
        self.note_item(EventKind::Listening, number, task, detail);
        if let Some(key) = key.filter(|_| signal.keep) {
            self.effects.push(Effect::Listen {
                number,
                signal: signal.signal.clone(),
                key,
            });
        }
        Ok(())
    }

    /// A task that waits for a signal of which one is kept.
    pub(super) fn next_with_letter(&self) -> Option<(TaskId, u64)> {
        if self.case.mail.is_empty() {
            return None;
        }
        let has_letter = |task: TaskId| match self.task(task).map(|t| &t.kind) {
            Some(TaskKind::Signal(s)) => {
                s.keep && s.key.is_none() && self.case.mail.contains_key(s.signal.as_str())
            }
            _ => false,
        };
        let mut offers = self.case.offers.iter();
        offers
            .find(|(task, _)| has_letter(**task))
            .map(|(task, number)| (*task, *number))
    }

    /// Gives a waiting task the oldest signal that is kept for it.
    pub(super) fn open_letter(&mut self, task: TaskId, number: u64) {
        let Some(TaskKind::Signal(signal)) = self.task(task).map(|t| &t.kind) else {
            return;
        };
        if !self.has_item(number) {
            return;
        }
        if let Some(value) = self.next_letter(&signal.signal) {
            self.signalled(number, &value);
        }
    }

    /// Takes the oldest kept signal of a name; none if it must be loaded first.
    fn next_letter(&mut self, signal: &str) -> Option<Value> {
        let (first, next) = self.case.mail.get(signal).copied()?;
        let letter = (Arc::from(signal), first);
        let Some(value) = self.case.letters.remove(&letter) else {
            self.needs.letters.insert(letter);
            return None;
        };
        let first = first.saturating_add(1);
        if first < next {
            self.case.mail.insert(letter.0, (first, next));
        } else {
            self.case.mail.remove(&letter.0);
        }
        Some(value)
    }

    /// The signal that an item waits for has come: its task starts and completes.
    pub fn signalled(&mut self, number: u64, value: &Value) {
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        self.start_item(task, number);
        // What is recorded was fit.
        let recorded = self.recorded.is_some();
        let taken = match recorded {
            true => Ok(()),
            false => self.fits(task, value),
        };
        let taken = taken.and_then(|()| self.store_result(task, 1, value));
        match taken {
            Ok(()) => {
                if let Some(TaskKind::Signal(signal)) = self.task(task).map(|t| &t.kind)
                    && let Some(reply) = signal.reply.as_ref().filter(|_| !recorded)
                {
                    self.reply = Some(self.eval(reply, task, 1, None));
                }
                self.leave(task, number, EventKind::Signalled);
            }
            Err(failure) => self.fail_case(Some(task), Some(number), failure),
        }
    }

    /// The signal that came could not be taken: its task has failed.
    pub fn signal_failed(&mut self, number: u64, failure: Failure) {
        if let Some(task) = self.case.items.get(&number).map(|i| i.task) {
            self.start_item(task, number);
            self.fail_case(Some(task), Some(number), failure.for_good());
        }
    }

    /// Whether a signal's data is what the task wants.
    #[cfg(feature = "schema")]
    pub fn fits(&self, task: TaskId, value: &Value) -> Result<(), Failure> {
        let Some(TaskKind::Signal(signal)) = self.task(task).map(|t| &t.kind) else {
            return Ok(());
        };
        let checked = signal.schema.as_ref().map(|s| s.validate(value.by_ref()));
        checked.transpose().map(|_| ()).map_err(|error| {
            let message = format!("signal '{}' has other data: {error}", signal.signal);
            Failure::new("schema", message).for_good()
        })
    }

    #[cfg(not(feature = "schema"))]
    pub fn fits(&self, _: TaskId, _: &Value) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a signal's data is what every task of the flow wants that waits for it without a key.
    pub fn fits_all(&self, name: &str, value: &Value) -> Result<(), Failure> {
        let waits = |task: &TaskId| match self.task(*task).map(|t| &t.kind) {
            Some(TaskKind::Signal(s)) => s.signal == name && s.key.is_none(),
            _ => false,
        };
        let mut tasks = (0..self.net.tasks.len()).filter(waits);
        tasks.try_for_each(|task| self.fits(task, value))
    }

    /// What the sender of the signal that was taken is answered.
    pub fn take_reply(&mut self) -> Result<Option<Value>, Failure> {
        self.reply.take().transpose()
    }

    /// A signal for the case: the task that has waited longest takes it; else it is kept if a task wants that, or
    /// lost.
    pub fn signal(&mut self, name: &str, value: &Value) -> Delivery {
        let of = |task: TaskId| match self.net.tasks.get(task).map(|t| &t.kind) {
            Some(TaskKind::Signal(s)) if s.signal == name && s.key.is_none() => Some(s.keep),
            _ => None,
        };
        let suspended = self.case.status == Status::Suspended;
        // Who is about to be given a kept one does not take a later one before it.
        let kept = self.case.mail.contains_key(name);
        let takes = |task: TaskId| of(task).is_some_and(|keep| !(keep && kept));
        let waiting = self.case.offers.iter().filter(|(t, _)| takes(**t));
        let oldest = waiting.map(|(t, n)| (*n, *t)).min();
        if let (Some((number, task)), false) = (oldest, suspended) {
            if self.has_item(number) {
                self.signalled(number, value);
            }
            return Delivery::Taken {
                case: self.case.id.to_string(),
                task: self.task(task).map_or("", |t| &*t.name).to_owned(),
                reply: None,
            };
        }
        let tasks = (0..self.net.tasks.len()).filter_map(of);
        let code = match tasks.reduce(|a, b| a || b) {
            None => "unknown-signal",
            Some(true) => {
                let (first, next) = self.case.mail.get(name).copied().unwrap_or((1, 1));
                if next.saturating_sub(first) < MAX_LETTERS {
                    let name: Arc<str> = name.into();
                    let after = next.saturating_add(1);
                    self.case.mail.insert(name.clone(), (first, after));
                    self.case
                        .letters
                        .insert((name.clone(), next), value.clone());
                    let detail = value!({"signal": &*name});
                    self.note(EventKind::SignalKept, None, detail);
                    return Delivery::Kept;
                }
                "full"
            }
            Some(false) if suspended => "suspended",
            Some(false) => "nobody-waits",
        };
        let detail = value!({"signal": name, "code": code});
        self.note(EventKind::SignalDropped, None, detail);
        Delivery::Dropped { code }
    }

    /// The id of the case that item `number` calls.
    pub(super) fn child_id(&self, number: u64) -> String {
        ids::child(&self.case.id, number)
    }

    /// Starts a task that is a case of another flow.
    pub(super) fn call_flow(&mut self, task: TaskId, sub: &SubFlow) -> Result<(), Failure> {
        let (input, deadline) = (self.input(task, &sub.work)?, self.deadline(task, None)?);
        self.consume(task);
        self.set_running(task, 1);
        let case = self.child_id(self.case.next_item);
        let work = ItemWork::Flow { case: case.clone() };
        let state = ItemState::Running { since: self.now };
        let number = self.new_item(task, work, state, input.clone());
        self.set_deadline(number, deadline);
        self.case.in_flight.insert(number, task);
        let detail = value!({"case": case.as_str()});
        self.note_item(EventKind::CaseCalled, number, task, detail);
        self.effects.push(Effect::Call {
            number,
            case,
            flow: sub.flow.clone(),
            input,
        });
        self.settle();
        Ok(())
    }

    /// What would follow from the end of the case that an item called cannot be stored: this one fails. False if that
    /// end is of no such consequence.
    pub fn refuse_called(&mut self, number: u64, failure: &Failure) -> bool {
        let item = self.case.items.get(&number);
        let task = item
            .filter(|_| self.undoes(number).is_none())
            .map(|i| i.task);
        if let Some(task) = task {
            let error = self.error_of(Some(task), failure);
            self.fail_hard(Some(task), Some(number), error);
        }
        task.is_some()
    }

    /// The case that an item called has ended, or could not be started.
    ///
    /// Tells whether that is of any consequence.
    pub fn called_ended(&mut self, number: u64, ended: &Ended) -> bool {
        if self.called_is_over(number) {
            return true;
        }
        let running = self.case.items.get(&number).map(|i| (&i.state, &i.work));
        let Some((ItemState::Running { .. }, ItemWork::Flow { case })) = running else {
            return false;
        };
        self.called = ended.undoable.then(|| case.clone());
        match &ended.outcome {
            // What it was called for now is to undo itself.
            _ if ended.compensated && self.undoes(number).is_some() => {
                self.complete(number, &Value::NULL);
            }
            Ok(result) => self.complete(number, result),
            Err(failure) => {
                let failure = failure.clone().for_good();
                self.attempt_failed(number, EventKind::AttemptFailed, failure);
            }
        }
        true
    }
}

/// A key as text.
pub(super) fn signal_key(value: &Value) -> Result<String, Failure> {
    let text = value.as_str().map(str::to_owned).or_else(|| {
        let number = value.as_i64().is_some() || value.as_u64().is_some();
        number.then(|| value.to_string())
    });
    let good = text.filter(|t| (1..=MAX_SIGNAL_KEY).contains(&t.len()));
    good.ok_or_else(|| Failure::wrong("key", "text of 1 to 512 bytes, or a whole number", value))
}

/// How a case that was called has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub outcome: Result<Value, Failure>,
    /// Whether it could undo what it did.
    pub undoable: bool,
    /// Whether it has undone what it did.
    pub compensated: bool,
}
