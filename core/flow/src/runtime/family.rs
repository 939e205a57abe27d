//! One event and all that follows from it in other cases, in one transaction.
//!
//! A case that calls another flow, cancels what it called, or ends and so lets its caller go on, changes more than
//! itself. All of that is one commit: nobody ever sees a caller without the case it called, or a cancelled caller
//! whose called case still works.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value};

use super::desk::{Seen, Shard};
use super::save::{self, Wanted};
use super::{Flows, Moved, initial_data, keys, newest, record, schedules};
use crate::case::{Case, Parent, Status};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::ids;
use crate::machine::{Effect, Ended, MAX_LETTERS, Machine, NoUndo};
use crate::net::{FlowRef, Net};
use crate::sabotage::{self, Bug};

/// How many cases may wait for each other: recursion without end is an error, not a full disk.
const MAX_DEPTH: u32 = 50;

/// What is still to be done in other cases.
pub(super) enum Todo {
    Call {
        parent: Parent,
        parent_net: Arc<str>,
        case: String,
        flow: FlowRef,
        input: Value,
    },
    Cancel {
        case: String,
        force: bool,
    },
    Compensate {
        parent: Parent,
        case: String,
    },
    Pause {
        case: String,
        suspend: bool,
    },
    Ended {
        parent: Parent,
        ended: Ended,
    },
    Listen {
        case: String,
        number: u64,
        signal: String,
        key: String,
    },
    /// A case that a schedule started has ended.
    Scheduled {
        case: String,
    },
}

/// A transaction of events on related cases, whose lock is held.
pub(super) struct Family<'a> {
    pub(super) flows: &'a Flows,
    pub(super) txn: &'a Txn,
    /// Claims that are not written.
    pub(super) shard: &'a Shard,
    pub(super) now: Timestamp,
    /// Those who called a case that ends fail of this, whatever they would go on with; what waits for it is left out.
    refused: Option<Failure>,
    moved: Vec<Moved>,
    /// Where each case is among those.
    places: BTreeMap<Arc<str>, usize>,
    todo: VecDeque<Todo>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// It did nothing.
    Nothing,
    /// It is a claim that need not be written.
    Quiet,
    /// It is written.
    Written,
}

impl<'a> Family<'a> {
    pub fn new(flows: &'a Flows, txn: &'a Txn, shard: &'a Shard) -> Self {
        Family {
            flows,
            txn,
            shard,
            now: flows.now(),
            refused: None,
            moved: Vec::new(),
            places: BTreeMap::new(),
            todo: VecDeque::new(),
        }
    }

    /// Has those fail who called a case that ends: what they would go on with cannot be stored.
    pub fn refuse_callers(&mut self, failure: &Failure) {
        self.refused = Some(failure.clone());
    }

    /// Whether what would follow from the end of a case is left out.
    pub fn refuses(&self) -> bool {
        self.refused.is_some()
    }

    /// When all of it happens.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Runs an event on a case: loads it with what the event needs, lets `event` change it, writes the difference.
    /// `event` says whether it did anything. A closed case has no events.
    pub fn event(
        &mut self,
        id: &str,
        wanted: Wanted,
        event: &mut dyn FnMut(&mut Machine<'_>) -> Result<bool>,
    ) -> Result<bool> {
        self.event_even_if_closed(id, wanted, &mut |machine| {
            Ok(!machine.case.status.is_final() && event(machine)?)
        })
    }

    /// The same, for the one thing that opens a closed case again.
    pub fn event_even_if_closed(
        &mut self,
        id: &str,
        wanted: Wanted,
        event: &mut dyn FnMut(&mut Machine<'_>) -> Result<bool>,
    ) -> Result<bool> {
        Ok(self.run(id, wanted, event, None)? == Ran::Written)
    }

    /// The same. If it is a claim of item `claim` and nobody else's business, it is not written.
    pub fn run(
        &mut self,
        id: &str,
        mut wanted: Wanted,
        event: &mut dyn FnMut(&mut Machine<'_>) -> Result<bool>,
        claim: Option<u64>,
    ) -> Result<Ran> {
        let value = save::read(self.txn, &keys::case(id))?;
        let value = value.ok_or_else(|| Error::UnknownCase {
            case: id.to_owned(),
        })?;
        let seen = self.flows.desk.take_seen(id, &value);
        let (net, mut read) = match seen {
            Some(Seen { net, read, .. }) => (net, Some(read)),
            None => {
                let key = record::net_of_case(id, &value)?;
                (self.flows.net(self.txn, &key)?, None)
            }
        };
        let held = self.shard.get(id).map_or(&[][..], Vec::as_slice);
        held.iter().for_each(|held| wanted.item(held.number));
        loop {
            let (mut before, ready) = match read.take() {
                Some(read) => read,
                None => record::case_from_value(&net, id, &value)?,
            };
            save::fill(self.txn, &net, &mut before, &wanted)?;
            let mut machine = Machine::new(&net, before.clone(), self.now);
            held.iter().for_each(|held| held.put_into(&mut machine));
            if !event(&mut machine)? {
                return Ok(Ran::Nothing);
            }
            if !machine.needs.is_empty() {
                if !wanted.add(std::mem::take(&mut machine.needs)) {
                    return Err(Error::damaged(&keys::case(id), "items"));
                }
                read = Some((before, ready));
                continue;
            }
            if claim.is_some_and(|number| machine.is_quiet_claim(number)) {
                drop(machine);
                let read = (before, ready);
                self.flows.desk.keep_seen(id, Seen { value, net, read });
                return Ok(Ran::Quiet);
            }
            let after = self.effects(&net, &mut machine);
            let moved = save::update(self.txn, &before, ready, machine)?;
            self.done(moved, after);
            return Ok(Ran::Written);
        }
    }

    /// Writes a case that has just begun.
    pub fn create(&mut self, net: &Net, case: Case) -> Result<()> {
        let mut machine = Machine::new(net, case, self.now);
        machine.start();
        self.flows.go_on(&mut machine);
        let after = self.effects(net, &mut machine);
        let moved = save::create(self.txn, machine)?;
        self.done(moved, after);
        Ok(())
    }

    /// What an event asks of other cases, and its end, which the caller waits for.
    pub(super) fn effects(&self, net: &Net, machine: &mut Machine<'_>) -> Vec<Todo> {
        let id = machine.case.id.to_string();
        let depth = machine.case.parent.as_ref().map_or(0, |p| p.depth);
        let (mut todo, mut paused) = (Vec::new(), Vec::new());
        for effect in std::mem::take(&mut machine.effects) {
            todo.push(match effect {
                Effect::Call {
                    number,
                    case,
                    flow,
                    input,
                } => {
                    let suspend = machine.case.status == Status::Suspended;
                    paused.extend(suspend.then(|| Todo::Pause {
                        case: case.clone(),
                        suspend,
                    }));
                    let parent = Parent {
                        case: machine.case.id.clone(),
                        item: number,
                        depth: depth.saturating_add(1),
                    };
                    Todo::Call {
                        parent,
                        parent_net: machine.case.net.clone(),
                        case,
                        flow,
                        input,
                    }
                }
                Effect::Cancel { case, force } => Todo::Cancel { case, force },
                Effect::Compensate { number, case } => Todo::Compensate {
                    parent: Parent {
                        case: machine.case.id.clone(),
                        item: number,
                        depth: depth.saturating_add(1),
                    },
                    case,
                },
                Effect::Pause { case, suspend } => Todo::Pause { case, suspend },
                Effect::Listen {
                    number,
                    signal,
                    key,
                } => Todo::Listen {
                    case: id.clone(),
                    number,
                    signal,
                    key,
                },
            });
        }
        if machine.case.status.is_final()
            && let Some(parent) = machine.case.parent.clone()
        {
            let ended = ended(net, &machine.case);
            todo.push(Todo::Ended { parent, ended });
        }
        if machine.case.status.is_final() && ids::scheduled_flow(&id).is_some() {
            todo.push(Todo::Scheduled { case: id });
        }
        // What a suspended case calls is suspended as soon as it is there.
        todo.append(&mut paused);
        todo
    }

    pub(super) fn done(&mut self, moved: Moved, after: Vec<Todo>) {
        if moved.lined {
            self.flows.lanes.store(true, Ordering::Release);
        }
        // What a case waited for can end in the same commit: for whoever follows the case, all that is one.
        let place = self.places.get(&moved.case).copied();
        match place.and_then(|at| self.moved.get_mut(at)) {
            Some(before) => before.then(moved),
            None => {
                self.places.insert(moved.case.clone(), self.moved.len());
                self.moved.push(moved);
            }
        }
        self.todo.extend(after);
    }

    /// Does what follows in other cases, and gives the first event with the others in it; none if nothing happened.
    pub fn finish(mut self) -> Result<Option<Moved>> {
        while let Some(todo) = self.todo.pop_front() {
            self.follow(todo)?;
        }
        let mut moved = self.moved.into_iter();
        Ok(moved.next().map(|mut first| {
            first.also = moved.collect();
            first
        }))
    }

    fn follow(&mut self, todo: Todo) -> Result<()> {
        let nobody = |done: Result<bool>| match done {
            // What an earlier part of the same transaction has ended does not need to be ended again.
            Err(Error::UnknownCase { .. }) => Ok(()),
            done => done.map(|_| ()),
        };
        match todo {
            Todo::Call {
                parent,
                parent_net,
                case,
                flow,
                input,
            } => self.call(parent, &parent_net, &case, &flow, &input),
            Todo::Cancel { case, force } => {
                let why = "what called it does not want it any more";
                nobody(self.event(&case, Wanted::all(), &mut |machine| {
                    if force {
                        machine.stop(Status::Terminated, why);
                        return Ok(true);
                    }
                    // What is ending already tells when it has ended, and is not to be kept from that.
                    Ok(machine.cancel(why).is_ok() || machine.resume())
                }))
            }
            Todo::Compensate { parent, case } => self.compensate(parent, &case),
            Todo::Pause { case, suspend } => {
                nobody(self.event(&case, Wanted::all(), &mut |machine| {
                    Ok(if suspend {
                        machine.suspend()
                    } else {
                        machine.resume()
                    })
                }))
            }
            Todo::Ended { parent, ended } => {
                let (item, refused) = (parent.item, self.refused.clone());
                nobody(self.event(&parent.case, Wanted::one(item), &mut |machine| {
                    let refused = refused.as_ref();
                    let refused =
                        refused.is_some_and(|failure| machine.refuse_called(item, failure));
                    Ok(refused || machine.called_ended(item, &ended))
                }))
            }
            Todo::Scheduled { case } => {
                let (flows, txn) = (self.flows, self.txn);
                schedules::ended(flows, self, txn, &case)
            }
            Todo::Listen {
                case,
                number,
                signal,
                key,
            } => self.kept_letter(&case, number, &signal, &key),
        }
    }

    fn call(
        &mut self,
        parent: Parent,
        parent_net: &str,
        case: &str,
        flow: &FlowRef,
        input: &Value,
    ) -> Result<()> {
        let root = parent_net.split('#').next().unwrap_or_default();
        let key = match flow {
            FlowRef::Main => Some(root.to_owned()),
            FlowRef::Local(name) => Some(format!("{root}#{name}")),
            FlowRef::Deployed(name) => newest(self.txn, name)?,
        };
        let refused = |code: &str, message: String| Err(Failure::new(code, message).for_good());
        let begun = match (key, flow) {
            _ if parent.depth > MAX_DEPTH => refused(
                "depth",
                format!("more than {MAX_DEPTH} cases would wait for each other"),
            ),
            (None, FlowRef::Deployed(name)) => {
                refused("unknown-flow", format!("no flow '{name}' is deployed"))
            }
            (None, _) => refused("unknown-flow", "its flow does not exist".to_owned()),
            (Some(key), _) => {
                let net = self.flows.net(self.txn, &key)?;
                match initial_data(&net, input) {
                    Ok(data) => Ok((net, key, data)),
                    Err(e) => refused("input", e.to_string()),
                }
            }
        };
        match begun {
            Ok((net, key, data)) => {
                let marking = net.skeleton().empty();
                let mut child = Case::new(case.into(), key.into(), marking, data, self.now);
                child.parent = Some(parent);
                self.create(&net, child)
            }
            Err(failure) => {
                let ended = Ended {
                    outcome: Err(failure),
                    undoable: false,
                    compensated: false,
                };
                self.todo.push_back(Todo::Ended { parent, ended });
                Ok(())
            }
        }
    }

    /// Has a case that was called undo what it did, as the work of another item of its caller.
    fn compensate(&mut self, parent: Parent, case: &str) -> Result<()> {
        let begun = self.event_even_if_closed(case, Wanted::all(), &mut |machine| {
            machine.resume();
            // If it does so already, its end is what is waited for.
            let undone = machine.compensate("what called it is undone");
            if undone == Err(NoUndo::Nothing) {
                return Ok(false);
            }
            machine.case.parent = Some(parent.clone());
            Ok(true)
        });
        let (outcome, compensated) = match begun {
            Ok(true) => return Ok(()),
            // Somebody else had it undone before.
            Ok(false) => (Ok(Value::NULL), true),
            Err(Error::UnknownCase { case }) => {
                let message = format!("case {case} is not there any more");
                let failure = Failure::new("sub-flow", message).for_good();
                (Err(failure), false)
            }
            Err(other) => return Err(other),
        };
        let ended = Ended {
            outcome,
            undoable: false,
            compensated,
        };
        self.todo.push_back(Todo::Ended { parent, ended });
        Ok(())
    }

    /// Gives an item that has begun to wait the oldest signal that is kept for its key.
    fn kept_letter(&mut self, case: &str, number: u64, signal: &str, key: &str) -> Result<()> {
        let (space, prefix) = (Space::default(), keys::letters(signal, key));
        let found = self
            .txn
            .doc_scan(Primitive::Flow, &space, &prefix, None, 2)?;
        let last = found.len() == 1;
        let Some((letter, value)) = found.into_iter().next() else {
            return Ok(());
        };
        let taken = self.event(case, Wanted::one(number), &mut |machine| {
            machine.signalled(number, &value);
            Ok(!machine.notes.is_empty())
        })?;
        if taken && !sabotage::on(Bug::SignalTwice) {
            self.txn.doc_drop(Primitive::Flow, &space, &letter)?; // the condition is planted
            if last {
                let counter = keys::next_letter(signal, key);
                self.txn.doc_drop(Primitive::Flow, &space, &counter)?;
            }
        }
        Ok(())
    }

    /// Keeps a signal for whoever will wait for its key; false if as many are kept as may be.
    pub fn keep_letter(&mut self, signal: &str, key: &str, value: &Value) -> Result<bool> {
        let (space, counter) = (Space::default(), keys::next_letter(signal, key));
        let next = save::read(self.txn, &counter)?;
        let number = next.and_then(|n| n.as_u64()).unwrap_or(1);
        let (flow, prefix) = (Primitive::Flow, keys::letters(signal, key));
        let oldest = self.txn.doc_scan(flow, &space, &prefix, None, 1)?;
        let oldest = oldest.first().map(|(at, _)| {
            keys::parse_letter(&prefix, at).ok_or_else(|| Error::damaged(at, "number"))
        });
        let oldest = oldest.transpose()?.unwrap_or(number);
        if number.saturating_sub(oldest) >= MAX_LETTERS {
            return Ok(false);
        }
        let letter = keys::letter(signal, key, number);
        self.txn.doc_create(flow, &space, &letter, value.clone())?;
        let next = Value::from(number.saturating_add(1));
        self.txn
            .doc_set(flow, &space, &counter, &Path::root(), next)?;
        Ok(true)
    }
}

/// What a called case tells its caller.
fn ended(net: &Net, case: &Case) -> Ended {
    Ended {
        outcome: outcome(net, case),
        undoable: case.recovery.left > 0,
        compensated: case.status == Status::Compensated,
    }
}

fn outcome(net: &Net, case: &Case) -> Result<Value, Failure> {
    match case.status {
        Status::Completed => Ok(case.result.clone().unwrap_or_default()),
        status => {
            let message = format!("case {} of flow '{}' is {status}", case.id, net.name);
            let detail = case.error.clone().unwrap_or_default();
            let failure = Failure::new("sub-flow", message).for_good();
            Err(failure.detail(detail))
        }
    }
}
