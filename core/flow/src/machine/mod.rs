//! The machine: firing, as a pure function of net, case, event and time.
//!
//! It reads no store, no clock and no random source. Every event changes a [`Case`] in memory and leaves [`Note`]s
//! of what happened and [`Effect`]s on other cases; the runtime writes the difference as one commit. When an event
//! turns out to concern items that are not in the case, it says which ([`Needs`]), what was done is thrown away, and
//! the event runs again with them: so an event costs what it concerns, not what the case holds.
//!
//! | file | what is there |
//! | --- | --- |
//! | `enable` | when a task is enabled, and what its start consumes |
//! | `settle` | what follows from a change: offers, withdrawals, routing tasks, the end |
//! | `produce` | splits, and dead paths |
//! | `count` | joins that count: discriminators and partial joins |
//! | `work` | items: offered, claimed, completed, failed, due |
//! | `many` | instances |
//! | `outside` | signals and sub-flows |
//! | `cancel` | regions, tasks, the case |
//! | `catch` | failures: error edges, or the end of the case |
//! | `undo` | compensation |
//! | `deadline` | deadlines of tasks and cases |
//! | `finish` | how a case ends |
//! | `eval` | expressions on the case's data |

mod cancel;
mod catch;
mod count;
mod deadline;
mod enable;
mod eval;
mod finish;
mod lane;
mod many;
mod outside;
mod produce;
mod settle;
mod task_set;
mod undo;
mod work;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use crate::case::{Case, EventKind, Item, ItemState, Status};
use crate::failure::Failure;
use crate::net::{FlowRef, Net, PlaceId, Task, TaskId, TaskKind};

use task_set::TaskSet;

pub(crate) use enable::{Why, why_not};
pub(crate) use many::{MAX_INSTANCES, NoGroup};
pub use outside::Delivery;
pub(crate) use outside::{Ended, MAX_LETTERS, MAX_SIGNAL_KEY};
pub(crate) use undo::NoUndo;

/// What happened, before it has a number and a version.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub at: Timestamp,
    pub kind: EventKind,
    pub task: Option<TaskId>,
    pub item: Option<(u64, u32)>,
    pub detail: Value,
}

/// What an event does to other cases and to what lies outside of all.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Start the case that item `number` is to be the work of.
    Call {
        number: u64,
        case: String,
        flow: FlowRef,
        input: Value,
    },
    /// The case is not wanted any more; with `force`, it undoes nothing.
    Cancel { case: String, force: bool },
    /// The case is to undo what it did, as the work of item `number`.
    Compensate { number: u64, case: String },
    /// The case is to be suspended, or to go on.
    Pause { case: String, suspend: bool },
    /// An item waits for a signal of this name and key; one may be kept already.
    Listen {
        number: u64,
        signal: String,
        key: String,
    },
}

/// What an event has to see that is not in the case it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub items: BTreeSet<u64>,
    pub letters: BTreeSet<(Arc<str>, u64)>,
    pub done: BTreeSet<u64>,
}

impl Needs {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.letters.is_empty() && self.done.is_empty()
    }
}

/// A case on its net at one moment.
pub(crate) struct Machine<'a> {
    pub net: &'a Net,
    pub case: Case,
    pub now: Timestamp,
    pub notes: Vec<Note>,
    pub effects: Vec<Effect>,
    /// The key under which a completed case's result is stored as a document, if the flow asks for it.
    pub document: Option<String>,
    /// If this is not empty, what was done is to be thrown away, and the event run again with these.
    pub needs: Needs,
    /// Tasks whose enabling may have changed.
    dirty: TaskSet,
    /// Whether tokens moved since joins that look at the whole net were looked at.
    moved: bool,
    /// Tasks that dead-path tokens passed.
    skipped: Vec<TaskId>,
    /// How many routing tasks fired in this event.
    routed: u32,
    /// How many tasks failed in this event before they were offered.
    refused: u32,
    /// Whether what follows from a change is being looked at.
    settling: bool,
    /// What expressions see as `$case` and `$flow`, once one was evaluated.
    names: OnceCell<[Value; 2]>,
    /// Spare: the tasks that a run of compiled routes fired.
    fired: Vec<u32>,
    /// The task that took tokens last in this event, until they are gone where its end leads them.
    took: Option<TaskId>,
    /// The task whose failure is being dealt with.
    catching: Option<TaskId>,
    /// The item whose deadline has passed, while that is dealt with.
    late: Option<u64>,
    /// Whether the case ends by force.
    forced: bool,
    /// What expressions see as `$done` and `$error` now.
    done: Option<Value>,
    error: Option<Value>,
    /// What the sender of a signal is answered.
    reply: Option<Result<Value, Failure>>,
    /// The case that gave the result that is being taken, if it could undo itself.
    called: Option<String>,
    /// What the result that is being taken was made into once: its task's `output` is not asked again.
    recorded: Option<Value>,
}

impl<'a> Machine<'a> {
    pub fn new(net: &'a Net, case: Case, now: Timestamp) -> Self {
        Machine {
            net,
            case,
            now,
            notes: Vec::new(),
            effects: Vec::new(),
            document: None,
            needs: Needs::default(),
            dirty: TaskSet::new(net.tasks.len()),
            moved: false,
            skipped: Vec::new(),
            routed: 0,
            refused: 0,
            settling: false,
            names: OnceCell::new(),
            fired: Vec::new(),
            took: None,
            catching: None,
            late: None,
            forced: false,
            done: None,
            error: None,
            reply: None,
            called: None,
            recorded: None,
        }
    }

    /// Puts the first tokens and starts what they enable.
    pub fn start(&mut self) {
        self.note(EventKind::CaseStarted, None, Value::NULL);
        if !self.begin_deadline() {
            return;
        }
        for (place, of) in self.net.places.iter().enumerate() {
            if of.tokens > 0 {
                self.set_tokens(place, of.tokens);
            }
        }
        self.settle();
    }

    /// Fires one enabled automatic task; tells whether there was one.
    pub fn fire(&mut self) -> bool {
        if self.undo_is_due() {
            self.undo_next();
            return true;
        }
        if self.case.status != Status::Running {
            return false;
        }
        if let Some((task, number)) = self.next_with_letter() {
            self.open_letter(task, number);
            return true;
        }
        let Some(task) = self.next_automatic() else {
            return false;
        };
        let Some(spec) = self.task(task) else {
            return false;
        };
        if let Err(failure) = self.fire_task(task, spec) {
            self.fail_case(Some(task), None, failure);
        }
        true
    }

    fn fire_task(&mut self, task: TaskId, spec: &Task) -> Result<(), Failure> {
        if spec.many.is_some() {
            return self.begin_many(task, spec);
        }
        match &spec.kind {
            TaskKind::Flow(sub) => return self.call_flow(task, sub),
            TaskKind::Compensate(_) => {
                self.begin_compensate(task);
                return Ok(());
            }
            _ => {}
        }
        self.consume(task);
        match &spec.kind {
            TaskKind::Set(assignments) => {
                self.assign(task, assignments)?;
                self.note(EventKind::Fired, Some(task), Value::NULL);
            }
            TaskKind::Log(message) => {
                let message = self.eval(message, task, 1, None)?;
                self.note(EventKind::Logged, Some(task), value!({"message": message}));
            }
            _ => self.note(EventKind::Routed, Some(task), Value::NULL),
        }
        self.complete_task(task)?;
        self.settle();
        Ok(())
    }

    /// The automatic task that would fire next fails instead.
    pub fn refuse(&mut self, failure: Failure) {
        if let Some((task, number)) = self.next_with_letter() {
            if self.has_item(number) {
                self.start_item(task, number);
                self.fail_case(Some(task), Some(number), failure);
            }
        } else if let Some(task) = self.next_automatic() {
            self.consume(task);
            self.fail_case(Some(task), None, failure);
        }
    }

    /// Whether [`fire`](Machine::fire) has something to do.
    pub fn can_fire(&self) -> bool {
        self.undo_is_due()
            || self.case.status == Status::Running
                && (self.next_with_letter().is_some() || self.next_automatic().is_some())
    }

    /// The first enabled task, in the spec's order, that starts by itself.
    fn next_automatic(&self) -> Option<TaskId> {
        let marked = |place: &PlaceId| self.case.marking.tokens(*place) > 0;
        let targets = (0..self.net.places.len())
            .filter(marked)
            .filter_map(|p| self.net.places.get(p))
            .flat_map(|p| p.targets.iter().copied());
        let mut candidates: Vec<TaskId> = targets
            .filter(|t| self.task(*t).is_some_and(|t| !is_offered(t)))
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates.into_iter().find(|t| self.is_enabled(*t))
    }

    fn task(&self, task: TaskId) -> Option<&'a Task> {
        self.net.tasks.get(task)
    }

    fn tokens(&self, place: PlaceId) -> u32 {
        self.case.marking.tokens(place)
    }

    /// Every change of a place's tokens goes through here, so that all it concerns is looked at again.
    fn set_tokens(&mut self, place: PlaceId, tokens: u32) {
        self.case.marking.set_tokens(place, tokens);
        self.touch_place(place);
    }

    fn touch_place(&mut self, place: PlaceId) {
        self.moved = true;
        let Some(place) = self.net.places.get(place) else {
            return;
        };
        for task in place.targets.iter().chain(&place.testers) {
            self.dirty.insert(*task);
        }
        for section in &place.sections {
            self.touch_rivals(*section);
        }
    }

    fn set_running(&mut self, task: TaskId, runs: u32) {
        self.case.marking.set_running(task, runs);
        self.touch_task(task);
    }

    /// A task became busy or free.
    fn touch_task(&mut self, task: TaskId) {
        self.moved = true;
        self.dirty.insert(task);
        for section in self.task(task).map_or(&[][..], |t| &t.sections) {
            self.touch_rivals(*section);
        }
    }

    fn touch_rivals(&mut self, section: usize) {
        let rivals = self.net.sections.get(section).map(|s| &*s.rivals);
        for rival in rivals.unwrap_or_default() {
            if let Some(rival) = self.net.sections.get(*rival) {
                rival.tasks.iter().for_each(|t| self.dirty.insert(*t));
            }
        }
    }

    /// Whether an item is here to be changed; if not, the event runs again with it.
    fn has_item(&mut self, number: u64) -> bool {
        let has = self.case.items.contains_key(&number);
        if !has && !self.case.finished.contains_key(&number) {
            self.needs.items.insert(number);
        }
        has
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
            if item.instance.is_some() {
                self.case.finished.insert(number, item.clone());
            }
            self.case.ended.push(item);
        }
    }

    fn note(&mut self, kind: EventKind, task: Option<TaskId>, detail: Value) {
        self.notes.push(Note {
            at: self.now,
            kind,
            task,
            item: None,
            detail,
        });
    }

    fn note_item(&mut self, kind: EventKind, number: u64, task: TaskId, detail: Value) {
        let ended = self.case.ended.iter().rev().find(|i| i.number == number);
        let item: Option<&Item> = self.case.items.get(&number).or(ended);
        let attempt = item.map_or(0, |i| i.attempt);
        self.notes.push(Note {
            at: self.now,
            kind,
            task: Some(task),
            item: Some((number, attempt)),
            detail,
        });
    }

    /// The name of a place, for details.
    fn place_name(&self, place: PlaceId) -> &'a str {
        self.net.places.get(place).map_or("", |p| p.name.as_str())
    }
}

/// Whether something outside the case starts a task: then it is offered, and consumes nothing before.
pub(crate) fn is_offered(task: &Task) -> bool {
    task.kind.is_offered() && task.many.is_none()
}
