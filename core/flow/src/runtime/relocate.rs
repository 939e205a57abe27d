//! A case and those it calls, moved to another version in one transaction.
//!
//! A *unit* is what moves together: a case, and the open cases below it that run on nets of the same spec. A case that
//! was called as a deployed flow has a version of its own and is a unit of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Reader, Txn};
use statewright_value::{Packer, Value, value};

use super::family::Family;
use super::mapping::{Mapped, Renames, map};
use super::query::task_name;
use super::record::{self, field};
use super::save::{self, Wanted};
use super::versions::CasePlan;
use super::{Flows, keys};
use crate::case::{Case, ItemWork, Status};
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::net::Net;
use crate::sabotage::{self, Bug};

/// A version that a case is moved to.
#[derive(Clone)]
pub(super) struct Target {
    /// Its net, with those under its `flows`.
    pub net: Arc<Net>,
    /// Its key.
    pub key: String,
}

impl Target {
    /// The net for a case that runs on `key` of the old version.
    fn of(&self, key: &str, names: &Renames) -> Option<(Arc<Net>, String)> {
        match key.split_once('#') {
            None => Some((self.net.clone(), self.key.clone())),
            Some((_, name)) => {
                let name = names.of(name);
                let net = self.net.flows.get(&name)?;
                Some((net.clone(), format!("{}#{name}", self.key)))
            }
        }
    }
}

/// The key of the spec that a net's key belongs to.
pub(super) fn spec_of(key: &str) -> &str {
    key.split('#').next().unwrap_or_default()
}

/// A case of a unit as it is now.
struct Member {
    case: Case,
    net: Arc<Net>,
    /// What it has a place in, or why it has not.
    to: Result<(Arc<Net>, String, Mapped), String>,
}

/// The moves of a case so far, oldest first: the last event of the old version, its key, and which migration it was.
pub(super) fn moves_of(value: &Value) -> Vec<(u64, String, String)> {
    let moves = value.get(field::MOVES).unwrap_or_default();
    let text = |value: Option<Value>| value.and_then(|v| v.as_str().map(str::to_owned));
    let row = |row: Value| {
        let seq = row.index(0).and_then(|n| n.as_u64())?;
        Some((seq, text(row.index(1))?, text(row.index(2))?))
    };
    moves.items().filter_map(row).collect()
}

/// The deadline that a case lost by its last move, as the version that it was moved to had none.
fn lost_deadline(value: &Value, created: Timestamp) -> Option<Timestamp> {
    let last = value.get(field::MOVES)?.items().last()?;
    record::deadline_from_value(created, last.index(3)?.by_ref())
}

/// Whether an open case is the head of a unit: nobody called it, or who did runs on another spec.
pub(super) fn is_head(view: &impl Reader, id: &str, value: &Value) -> Result<bool> {
    let Some(parent) = value.get(field::PARENT) else {
        return Ok(true);
    };
    let parent = parent.index(0).unwrap_or_default();
    let parent = parent.as_str().unwrap_or_default();
    let Some(above) = save::read(view, &keys::case(parent))? else {
        return Ok(true);
    };
    let (mine, above) = (
        record::net_of_case(id, value)?,
        record::net_of_case(parent, &above)?,
    );
    Ok(spec_of(&mine) != spec_of(&above))
}

/// Reads a unit and puts its cases on the target; the head first. `hold` does the claims that are not written.
fn unit(
    flows: &Flows,
    view: &impl Reader,
    id: &str,
    (target, names): (&Target, &Renames),
    hold: &dyn Fn(&mut Machine<'_>),
) -> Result<Vec<Member>> {
    let mut members: Vec<Member> = Vec::new();
    let mut todo = VecDeque::from([id.to_owned()]);
    while let Some(id) = todo.pop_front() {
        let Some(value) = save::read(view, &keys::case(&id))? else {
            continue;
        };
        let key = record::net_of_case(&id, &value)?;
        if let Some(head) = members.first()
            && (spec_of(&head.case.net) != spec_of(&key)
                || record::status_of(&id, &value)?.is_final())
        {
            continue;
        }
        let net = flows.net(view, &key)?;
        let mut machine = Machine::new(&net, whole(view, &net, &id, &value)?.0, flows.now());
        hold(&mut machine);
        let case = machine.case;
        for item in case.items.values() {
            if let ItemWork::Flow { case } = &item.work {
                todo.push_back(case.clone());
            }
        }
        let to = match target.of(&key, names) {
            Some((new, key)) => {
                let mapped = map(&net, &new, names, &case);
                Ok((new, key, mapped))
            }
            None => {
                let name = key.split_once('#').map_or("", |(_, name)| name);
                Err(format!(
                    "the other version has no flow '{name}' under its flows"
                ))
            }
        };
        members.push(Member { case, net, to });
    }
    Ok(members)
}

/// A case with all its items, signals that it keeps, and all that it can undo; and whether it goes on by itself.
pub(super) fn whole(
    view: &impl Reader,
    net: &Net,
    id: &str,
    value: &Value,
) -> Result<(Case, bool)> {
    let mut wanted = Wanted::all();
    let (case, _) = record::case_from_value(net, id, value)?;
    if case.recovery.left > 0 {
        (1..=case.recovery.made).for_each(|number| wanted.done(number));
    }
    for (signal, (first, next)) in &case.mail {
        (*first..*next).for_each(|number| wanted.letter(signal, number));
    }
    save::load(view, net, id, value, &wanted)
}

impl Member {
    /// What moving it would do: why not, or what happens at once.
    fn plan(&self, flows: &Flows, plan: &mut CasePlan, is_head: bool) {
        let id = &self.case.id;
        let of = |text: &str| match is_head {
            true => text.to_owned(),
            false => format!("case {id}, which it called: {text}"),
        };
        let (new, mapped) = match &self.to {
            Err(why) => return plan.reasons.push(of(why)),
            Ok((new, _, mapped)) => (new, mapped),
        };
        plan.reasons
            .extend(mapped.reasons.iter().map(|why| of(why)));
        if !mapped.reasons.is_empty() {
            return;
        }
        for (task, _) in &mapped.withdrawn {
            let name = task_name(&self.net, *task);
            plan.follows.push(of(&format!("withdrawn {name}")));
        }
        let mut machine = Machine::new(new, mapped.case.clone(), flows.now());
        for ((signal, _), data) in &self.case.letters {
            if let Err(failure) = machine.fits_all(signal, data) {
                let why = format!("of what it keeps, {}", failure.message);
                plan.reasons.push(of(&why));
            }
        }
        machine.settle_all();
        if matches!(
            machine.case.status,
            Status::Deadlocked | Status::Failed | Status::Compensating
        ) {
            let status = machine.case.status;
            plan.reasons
                .push(of(&format!("it would be {status} at once")));
            return;
        }
        let notes = machine.notes.iter().map(|note| {
            let task = note.task.map(|task| task_name(new, task));
            let task = task.map_or_else(String::new, |task| format!(" {task}"));
            of(&format!("{}{task}", note.kind.name()))
        });
        plan.follows.extend(notes);
    }
}

/// What moving the unit would do.
fn plan_of(flows: &Flows, members: &[Member]) -> Option<CasePlan> {
    let head = members.first()?;
    let mut plan = CasePlan {
        case: head.case.id.to_string(),
        version: head.net.version,
        key: head.case.net.to_string(),
        status: head.case.status,
        reasons: Vec::new(),
        follows: Vec::new(),
    };
    for (at, member) in members.iter().enumerate() {
        member.plan(flows, &mut plan, at == 0);
    }
    if !plan.reasons.is_empty() {
        plan.follows.clear();
    }
    Some(plan)
}

impl Flows {
    /// What moving the unit of this case would do.
    pub(super) fn plan_unit(&self, id: &str, to: (&Target, &Renames)) -> Result<Option<CasePlan>> {
        let view = self.store.snapshot();
        let members = unit(self, &view, id, to, &|machine| self.desk.put_into(machine))?;
        Ok(plan_of(self, &members))
    }
}

impl Family<'_> {
    /// Moves the unit of this case if all of it fits; the plan tells what was done, or why not.
    pub(super) fn relocate(
        &mut self,
        id: &str,
        (target, names): (&Target, &Renames),
        migration: (&str, Option<&str>),
    ) -> Result<Option<CasePlan>> {
        let (flows, txn) = (self.flows, self.txn);
        let members = unit(flows, txn, id, (target, names), &|machine| {
            self.hold(machine)
        })?;
        let plan = plan_of(flows, &members);
        if plan.as_ref().is_none_or(|plan| !plan.reasons.is_empty()) {
            return Ok(plan);
        }
        for member in members {
            self.move_case(&member, names, migration)?;
        }
        Ok(plan)
    }

    /// Does the claims of a case that are not written.
    fn hold(&self, machine: &mut Machine<'_>) {
        let held = self.shard.get(&machine.case.id);
        let held = held.map_or(&[][..], Vec::as_slice);
        held.iter().for_each(|held| held.put_into(machine));
    }

    fn move_case(
        &mut self,
        member: &Member,
        names: &Renames,
        (migration, undoes): (&str, Option<&str>),
    ) -> Result<()> {
        let Ok((new, key, mapped)) = &member.to else {
            return Ok(());
        };
        let id = member.case.id.to_string();
        let (old, at) = (&*member.net, keys::case(&id));
        let again =
            |txn: &Txn| save::read(txn, &at)?.ok_or_else(|| Error::damaged(&at, "document"));
        // On the old version: claims are written, and what will not be there any more is withdrawn.
        let value = again(self.txn)?;
        if self.shard.contains_key(&*id) || !mapped.withdrawn.is_empty() {
            let (before, ready) = whole(self.txn, old, &id, &value)?;
            let mut machine = Machine::new(old, before.clone(), self.now);
            self.hold(&mut machine);
            for (task, number) in &mapped.withdrawn {
                machine.withdraw(*task, *number);
            }
            let moved = save::update(self.txn, &before, ready, machine)?;
            self.done(moved, Vec::new());
        }
        // On the new one.
        let value = again(self.txn)?;
        let (case, ready) = whole(self.txn, old, &id, &value)?;
        let mut mapped = map(old, new, names, &case).case;
        mapped.net = key.as_str().into();
        let gives_back = !sabotage::on(Bug::LoseDeadline); // planted
        if undoes.is_some() && new.deadline.is_some() && gives_back {
            // It goes back to where it had one.
            mapped.deadline = case.deadline.or(lost_deadline(&value, case.created));
        }
        let mut before = mapped.clone();
        before.deadline = case.deadline;
        for (number, item) in &mut before.items {
            if let Some(was) = case.items.get(number) {
                item.work = was.work.clone();
            }
        }
        let mut detail = value!({
            "migration": migration,
            "from": {"version": (old.version), "key": (&*case.net)},
            "to": {"version": (new.version), "key": (key.as_str())},
        });
        if let Some(undoes) = undoes {
            // An object that was just made takes another key.
            let _ = detail.insert("undoes", Value::from(undoes));
        }
        let mapped_deadline = mapped.deadline;
        let mut machine = Machine::new(new, mapped, self.now);
        machine.migrated(detail);
        if !machine.needs.is_empty() {
            return Err(Error::damaged(&at, "items"));
        }
        let mut moves = Packer::new();
        let before_this = value.get(field::MOVES).unwrap_or_default();
        for earlier in before_this.by_ref().items() {
            moves.value(earlier);
        }
        moves.open();
        moves.uint(case.seq);
        moves.text(&case.net);
        moves.text(migration);
        if mapped_deadline.is_none() {
            moves.value(record::deadline_to_value(&case).by_ref());
        }
        moves.close_row();
        let after = self.effects(new, &mut machine);
        let on = save::Relocated {
            old,
            was: &case,
            before: &before,
            ready,
            moves: record::finish(moves)?,
        };
        let moved = save::relocate(self.txn, on, machine)?;
        self.done(moved, after);
        Ok(())
    }
}
