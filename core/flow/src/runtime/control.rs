//! What people and programs do to a running case from outside.

use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::Value;

use super::family::Family;
use super::save::Wanted;
use super::{Flows, Moved, keys, save};
use crate::case::Status;
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::ids;
use crate::machine::{Delivery, MAX_INSTANCES, MAX_SIGNAL_KEY, Machine, NoGroup, NoUndo};

impl Flows {
    /// Cancels a case (pattern 20): all its work, timers, instances and called cases end in one commit, and it is
    /// recorded as `cancelled`. What comes later for any of them is refused as stale. What its tasks have done and can
    /// be undone (`compensate`) is undone first; until then it is `compensating`.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`] if it is compensating already,
    /// and if it is suspended while it does so.
    pub fn cancel(&self, case: &str, reason: &str) -> Result<Moved> {
        self.control(case, Wanted::all(), |machine| {
            machine.cancel(reason).map_err(no_undo)
        })
    }

    /// Ends a case by force: as [`cancel`](Flows::cancel), but recorded as `terminated`, and nothing that a flow does
    /// on being cancelled is done.
    pub fn terminate(&self, case: &str, reason: &str) -> Result<Moved> {
        self.control(case, Wanted::all(), |machine| {
            machine.stop(Status::Terminated, reason);
            Ok(())
        })
    }

    /// Has a case undo what its tasks have done (`compensate` in their specs), newest first; then it is `compensated`.
    /// A running case is cancelled for it; of a completed, deadlocked or terminated one, what it did is undone
    /// afterwards, with the cases it called; of one that could not undo everything (`compensation_failed`), what is
    /// left is tried again, and it ends as it was to end the first time.
    ///
    /// Fails with [`Error::UnknownCase`], or [`Error::Refused`]: nothing is left to be undone, that is going on
    /// already, or the case is suspended.
    pub fn compensate(&self, case: &str, reason: &str) -> Result<Moved> {
        let moved = self.transact(case, |family, _| {
            family.event_even_if_closed(case, Wanted::all(), &mut |machine| {
                machine.compensate(reason).map_err(no_undo)?;
                Ok(true)
            })?;
            Ok(())
        })?;
        Ok(moved.unwrap_or_else(|| Moved::nothing(case)))
    }

    /// Suspends a case and those it called: nothing is offered or started and no timer fires until it is resumed. Work
    /// that was already claimed may still complete; if it fails for good, so does the case when it is resumed.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`] if it is suspended already.
    pub fn suspend(&self, case: &str) -> Result<Moved> {
        self.control(case, Wanted::all(), |machine| {
            if machine.suspend() {
                return Ok(());
            }
            Err(refused("suspended", "the case is suspended already"))
        })
    }

    /// Lets a suspended case go on. Timers that fell due meanwhile fire at once.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`] if it is not suspended.
    pub fn resume(&self, case: &str) -> Result<Moved> {
        self.control(case, Wanted::all(), |machine| {
            if machine.resume() {
                return Ok(());
            }
            Err(refused("not-suspended", "the case is not suspended"))
        })
    }

    /// Cancels one task of a case (patterns 19 and 26): if it is only offered, it is withdrawn and the tokens that
    /// enabled it are gone; if it runs, it stops with all its instances and produces nothing.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`] if the flow has no such task or
    /// nothing of it is enabled or runs.
    pub fn cancel_task(&self, case: &str, task: &str) -> Result<Moved> {
        self.control(case, Wanted::none(), |machine| {
            let id = task_id(machine, task)?;
            if machine.cancel_task(id) {
                return Ok(());
            }
            let why = format!("task '{task}' is neither enabled nor running");
            Err(refused("not-running", why))
        })
    }

    /// Has a running task of several instances complete now (pattern 27): what is unfinished is cancelled, and the
    /// results of the finished ones go on.
    ///
    /// Fails as [`cancel_task`](Flows::cancel_task) does.
    pub fn complete_task(&self, case: &str, task: &str) -> Result<Moved> {
        self.control(case, Wanted::none(), |machine| {
            let id = task_id(machine, task)?;
            machine.force_task(id).map_err(|e| no_group(e, task))
        })
    }

    /// Adds instances to a running task whose `many` says `add: true`, one for each item (pattern 15).
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`]: the task does not run, has
    /// completed, takes none, would have more than its `max`, or its `input` cannot be made of an item; then none is
    /// added.
    pub fn add_instances(&self, case: &str, task: &str, items: &[Value]) -> Result<Moved> {
        if items.is_empty() || items.len() > MAX_INSTANCES as usize {
            let why = format!("give 1 to {MAX_INSTANCES} items");
            return Err(Error::Input { why });
        }
        self.control(case, Wanted::none(), |machine| {
            let id = task_id(machine, task)?;
            let added = machine.add_instances(id, items.to_vec());
            added.map_err(|e| no_group(e, task))
        })
    }

    /// Sends a signal to a case. The task that has waited longest for this name takes it; else it is kept, if a task
    /// of the flow asks for that (`keep: true`, pattern 24); else it is lost (pattern 23), which is told and recorded
    /// with a code.
    ///
    /// The data must fit the `schema` of each task of the flow that waits for this name. A task's `reply` is in the
    /// [`Delivery`].
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::CaseClosed`], or [`Error::Refused`] if the data does not fit
    /// (`schema`) or the reply cannot be computed (`expression`); then nothing was changed.
    pub fn signal(&self, case: &str, signal: &str, data: &Value) -> Result<(Delivery, Moved)> {
        let mut delivery = Delivery::Kept;
        let moved = self.control(case, Wanted::none(), |machine| {
            machine.fits_all(signal, data).map_err(not_taken)?;
            delivery = machine.signal(signal, data);
            answer(machine, &mut delivery)
        })?;
        Ok((delivery, moved))
    }

    /// Sends a signal to whichever case waits for this name and key: the item that has waited longest takes it. If
    /// none does, it is kept if a deployed flow has a task of this name with a `key` and `keep: true`, unless 100,000
    /// are kept for them; else it is lost.
    ///
    /// One that is kept and then does not fit the `schema` of the task that takes it fails that task.
    ///
    /// Fails with [`Error::Input`] for a key that is empty or longer than 512 bytes, and as [`signal`](Flows::signal)
    /// does if the task that waits cannot take it.
    pub fn signal_key(
        &self,
        signal: &str,
        key: &str,
        data: &Value,
    ) -> Result<(Delivery, Option<Moved>)> {
        if key.is_empty() || key.len() > MAX_SIGNAL_KEY {
            let why = format!("a key has 1 to {MAX_SIGNAL_KEY} bytes");
            return Err(Error::Input { why });
        }
        let mut delivery = Delivery::Kept;
        loop {
            let waiting = listener(&self.store.snapshot(), signal, key)?;
            // Without a listener, there is no case to lock; who begins to listen writes what this reads.
            let locked = waiting.as_ref().map_or(key, |(case, _)| ids::root(case));
            let mut elsewhere = false;
            let moved = self.transact(locked, |family, txn| {
                let waiting = listener(txn, signal, key)?;
                let of = waiting.as_ref().map(|(case, _)| ids::root(case));
                elsewhere = of.is_some_and(|root| root != locked);
                if elsewhere {
                    return Ok(());
                }
                delivery = deliver(family, txn, (signal, key), data, waiting)?;
                Ok(())
            })?;
            if !elsewhere {
                return Ok((delivery, moved));
            }
        }
    }

    /// An event that is refused if the case is closed.
    pub(super) fn control(
        &self,
        case: &str,
        wanted: Wanted,
        mut event: impl FnMut(&mut Machine<'_>) -> Result<()>,
    ) -> Result<Moved> {
        let moved = self.step(case, wanted, |machine| event(machine).map(|()| true))?;
        match moved {
            Some(moved) => Ok(moved),
            None => Err(Error::CaseClosed {
                case: case.to_owned(),
                status: self.case(case)?.status.to_string(),
            }),
        }
    }

    /// One transaction of events on a case and those it calls or is called by, and its end on the disk.
    pub(super) fn transact(
        &self,
        case: &str,
        events: impl FnMut(&mut Family<'_>, &Txn) -> Result<()>,
    ) -> Result<Option<Moved>> {
        let mut batch = self.batch([case]);
        let done = batch.transact(case, events);
        batch.settled(done)
    }
}

/// Puts what a signal's sender is answered into what became of the signal.
fn answer(machine: &mut Machine<'_>, delivery: &mut Delivery) -> Result<()> {
    let answer = machine.take_reply().map_err(not_taken)?;
    if let Delivery::Taken { reply, .. } = delivery {
        *reply = answer;
    }
    Ok(())
}

/// A signal that its task cannot take.
fn not_taken(failure: Failure) -> Error {
    let code = match failure.code.as_str() {
        "schema" => "schema",
        _ => "expression",
    };
    refused(code, failure.message)
}

/// The item that has waited longest for a signal of a key.
fn listener(view: &impl Reader, signal: &str, key: &str) -> Result<Option<(String, u64)>> {
    let (space, prefix) = (Space::default(), keys::listeners(signal, key));
    let found = view.doc_scan(Primitive::Flow, &space, &prefix, None, 1)?;
    Ok(found.first().and_then(|(at, _)| {
        let (_, case, number) = keys::parse_place(at)?;
        Some((case.to_owned(), number))
    }))
}

/// Gives a signal of a key to the item that waits for it; else it is kept, or lost.
fn deliver(
    family: &mut Family<'_>,
    txn: &Txn,
    (signal, key): (&str, &str),
    data: &Value,
    waiting: Option<(String, u64)>,
) -> Result<Delivery> {
    if let Some((case, number)) = waiting {
        let (mut task, mut reply) = (String::new(), None);
        family.event(&case, Wanted::one(number), &mut |machine| {
            let of = machine.case.items.get(&number).map(|i| i.task);
            let of = of.and_then(|t| machine.net.tasks.get(t));
            task = of.map_or_else(String::new, |t| t.name.to_string());
            if let Some(id) = machine.case.items.get(&number).map(|i| i.task) {
                machine.fits(id, data).map_err(not_taken)?;
            }
            machine.signalled(number, data);
            reply = machine.take_reply().map_err(not_taken)?;
            Ok(!machine.notes.is_empty())
        })?;
        return Ok(Delivery::Taken { case, task, reply });
    }
    if save::read(txn, &keys::keeps(signal))?.is_none() {
        let code = "nobody-waits";
        return Ok(Delivery::Dropped { code });
    }
    let code = "full";
    match family.keep_letter(signal, key, data)? {
        true => Ok(Delivery::Kept),
        false => Ok(Delivery::Dropped { code }),
    }
}

fn task_id(machine: &Machine<'_>, task: &str) -> Result<usize> {
    machine.net.task(task).ok_or_else(|| {
        let why = format!("flow '{}' has no task '{task}'", machine.net.name);
        refused("unknown-task", why)
    })
}

fn refused(code: &'static str, why: impl Into<String>) -> Error {
    Error::Refused {
        code,
        why: why.into(),
    }
}

fn no_undo(why: NoUndo) -> Error {
    match why {
        NoUndo::Nothing => refused(
            "nothing-to-undo",
            "nothing of the case is left to be undone",
        ),
        NoUndo::Compensating => refused("compensating", "the case is undoing what it did already"),
        NoUndo::Suspended => refused("suspended", "the case is suspended; resume it first"),
    }
}

fn no_group(why: NoGroup, task: &str) -> Error {
    match why {
        NoGroup::NotRunning => refused(
            "not-running",
            format!("no instances of task '{task}' run, or it has completed"),
        ),
        NoGroup::Fixed => refused(
            "fixed",
            format!("task '{task}' takes no more instances; its `many` needs `add: true`"),
        ),
        NoGroup::Full => refused(
            "full",
            format!("task '{task}' would have more instances than its `max`"),
        ),
        NoGroup::Input(failure) => refused(
            "input",
            format!(
                "what an instance of task '{task}' is given: {}",
                failure.message
            ),
        ),
    }
}
