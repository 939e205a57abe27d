//! A case put from one net on another: what of it has a place there, and why not.

use std::collections::BTreeMap;

use super::query::task_name;
use super::record;
use crate::case::{Case, Done, Item, ItemState, ItemWork};
use crate::error::{Error, Result};
use crate::net::{Join, Net, PlaceId, Task, TaskId, TaskKind};
use crate::sabotage::{self, Bug};

/// What tasks and places of an old version are called in the new one; those that are not in it keep their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Renames {
    /// The new names by the old ones.
    new: BTreeMap<String, String>,
    /// The other way round.
    old: BTreeMap<String, String>,
}

impl Renames {
    /// From pairs of an old and a new name. Two old ones cannot have the same new one: nobody could tell them apart
    /// when the cases are moved back.
    pub fn new(pairs: &[(String, String)]) -> Result<Renames> {
        let mut names = Renames::default();
        for (old, new) in pairs {
            let twice = names.new.contains_key(old) || names.old.contains_key(new);
            if twice || old.is_empty() || new.is_empty() {
                let why = format!(
                    "{old}={new}: a new name stands for one old name, and the other way round"
                );
                return Err(Error::Input { why });
            }
            names.new.insert(old.clone(), new.clone());
            names.old.insert(new.clone(), old.clone());
        }
        Ok(names)
    }

    pub fn is_empty(&self) -> bool {
        self.new.is_empty()
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.new
            .iter()
            .map(|(old, new)| (old.as_str(), new.as_str()))
    }

    /// From the new names to the old ones.
    pub fn back(&self) -> Renames {
        Renames {
            new: self.old.clone(),
            old: self.new.clone(),
        }
    }

    /// The new name of a task, a place, or the place between two tasks (`A>B`, `A!B`).
    pub fn of(&self, old: &str) -> String {
        if let Some(new) = self.new.get(old) {
            return new.clone();
        }
        let Some(at) = old.find(['>', '!']).filter(|_| !self.is_empty()) else {
            return old.to_owned();
        };
        let (from, rest) = old.split_at(at);
        let mut to = rest.chars();
        let edge: String = to.by_ref().take(1).collect();
        [self.of(from), edge, self.of(to.as_str())].concat()
    }

    /// The same for a name in this net; none if what is renamed has taken it.
    fn of_net(&self, net: &Net, old: &str) -> Option<String> {
        let knows = |name: &str| net.task(name).is_some() || net.place(name).is_some();
        if self.new.contains_key(old) {
            return Some(self.of(old));
        }
        match old.find(['>', '!']).filter(|_| !self.is_empty()) {
            Some(at) => {
                let (from, rest) = old.split_at(at);
                let to = rest.get(1..).unwrap_or_default();
                self.of_net(net, from).and(self.of_net(net, to))?;
            }
            None if self.old.get(old).is_some_and(|of| knows(of)) => return None,
            None => {}
        }
        Some(self.of(old))
    }

    /// Whether a spec, of whose nets these are, has every new name.
    pub fn check(&self, new: &Net) -> Result<()> {
        let below = || new.flows.values().map(|net| &**net);
        for name in self.new.values() {
            let known = |net: &Net| net.task(name).is_some() || net.place(name).is_some();
            if !known(new) && !below().any(known) && !new.flows.contains_key(name) {
                let why = format!("the new version has no task, place or flow '{name}'");
                return Err(Error::Input { why });
            }
        }
        Ok(())
    }
}

/// A case on another net.
pub(crate) struct Mapped {
    /// The case there.
    pub case: Case,
    /// Offered items that nobody has taken and that are not the same work there: they are to be withdrawn.
    pub withdrawn: Vec<(TaskId, u64)>,
    /// Why it has no place there; empty if it has.
    pub reasons: Vec<String>,
}

/// Puts a case, all of whose items and completions that can be undone are there, on another net.
pub(crate) fn map(old: &Net, new: &Net, names: &Renames, case: &Case) -> Mapped {
    let marking = new.skeleton().empty();
    let mut moved = Case::new(
        case.id.clone(),
        case.net.clone(),
        marking,
        case.data.clone(),
        case.created,
    );
    moved.updated = case.updated;
    moved.parent.clone_from(&case.parent);
    moved.status = case.status;
    moved.next_item = case.next_item;
    moved.seq = case.seq;
    // What the other version does not want to end, it does not end.
    moved.deadline = case.deadline.filter(|_| new.deadline.is_some());
    moved.recovery.clone_from(&case.recovery);
    let mut mapping = Mapping {
        old,
        new,
        names,
        case,
        moved,
        withdrawn: Vec::new(),
        reasons: Vec::new(),
    };
    mapping.tokens();
    mapping.rounds();
    mapping.items();
    mapping.groups();
    mapping.mail();
    mapping.recovery();
    Mapped {
        case: mapping.moved,
        withdrawn: mapping.withdrawn,
        reasons: mapping.reasons,
    }
}

struct Mapping<'a> {
    old: &'a Net,
    new: &'a Net,
    names: &'a Renames,
    case: &'a Case,
    moved: Case,
    withdrawn: Vec<(TaskId, u64)>,
    reasons: Vec<String>,
}

impl Mapping<'_> {
    fn place(&self, place: PlaceId) -> Option<PlaceId> {
        let name = record::place_name(self.old, place);
        self.new.place(&self.names.of_net(self.old, name)?)
    }

    /// The task of the same name.
    fn task(&self, task: TaskId) -> Option<TaskId> {
        let of = self.old.tasks.get(task)?;
        self.new.task(&self.names.of_net(self.old, &of.name)?)
    }

    fn tokens(&mut self) {
        let lost = usize::from(sabotage::on(Bug::LoseToken)); // planted
        for (place, tokens) in self.case.marking.marked().skip(lost) {
            match self.place(place) {
                Some(place) => {
                    let there = self.moved.marking.tokens(place);
                    let all = there.saturating_add(tokens);
                    self.moved.marking.set_tokens(place, all);
                }
                None => {
                    let name = record::place_name(self.old, place);
                    let what = if tokens == 1 { "a token" } else { "tokens" };
                    let why = format!("it has {what} on {name}, which the other version has not");
                    self.reasons.push(why);
                }
            }
        }
        for (place, tokens) in &self.case.dead {
            if let Some(place) = self.place(*place) {
                self.moved.dead.insert(place, *tokens);
            } else {
                let name = record::place_name(self.old, *place);
                let why = format!("a local join waits for {name}, which the other version has not");
                self.reasons.push(why);
            }
        }
        for (task, since) in &self.case.waiting {
            if let Some(task) = self.task(*task) {
                self.moved.waiting.insert(task, *since);
            }
        }
    }

    /// What joins that count have seen in this round.
    fn rounds(&mut self) {
        for (task, of) in self.old.tasks.iter().enumerate() {
            for (input, from) in of.inputs.iter().enumerate() {
                if !matches!(of.join, Join::Of { .. })
                    || !self.case.marking.seen(self.old.skeleton(), task, input)
                {
                    continue;
                }
                let place = self.place(from.place);
                let same = self.task(task).and_then(|task| {
                    let other = self.new.tasks.get(task)?;
                    let mut inputs = other.inputs.iter();
                    let input = inputs.position(|i| Some(i.place) == place)?;
                    matches!(other.join, Join::Of { .. }).then_some((task, input))
                });
                match same {
                    Some((task, input)) => {
                        let skeleton = self.new.skeleton();
                        self.moved.marking.set_seen(skeleton, task, input, true);
                    }
                    None => self.reasons.push(format!(
                        "the join of {} is within a round, which the other version has no place for",
                        of.name
                    )),
                }
            }
        }
    }

    /// The task of the same name and kind, for work that somebody has, or that has begun.
    fn same(&self, task: TaskId) -> Option<TaskId> {
        let of = self.old.tasks.get(task)?;
        let same = self.task(task)?;
        let other = self.new.tasks.get(same)?;
        // What is counted in a lane stays in it.
        let lane = |t: &Task| {
            let lane = t.kind.work().and_then(|w| w.lane.as_ref());
            lane.map(|lane| lane.name.clone())
        };
        let alike = other.kind.name() == of.kind.name()
            && other.many.is_some() == of.many.is_some()
            && lane(other) == lane(of);
        alike.then_some(same)
    }

    /// The same for what is only offered: it also waits for the same.
    fn same_offer(&self, task: TaskId) -> Option<TaskId> {
        let same = self.same(task)?;
        let (of, other) = (self.old.tasks.get(task)?, self.new.tasks.get(same)?);
        let alike = match (&of.kind, &other.kind) {
            (TaskKind::Signal(of), TaskKind::Signal(other)) => {
                let parts = |s: &crate::net::Signal| (s.signal.clone(), s.keep, s.key.is_some());
                parts(of) == parts(other)
            }
            // It stands in the line of its topic.
            (TaskKind::Host(of), TaskKind::Host(other)) if of.work.lane.is_some() => {
                of.topic == other.topic
            }
            _ => true,
        };
        alike.then_some(same)
    }

    fn items(&mut self) {
        for item in self.case.items.values() {
            let offered = self.case.offers.get(&item.task) == Some(&item.number);
            let same = match offered || matches!(item.state, ItemState::Offered { .. }) {
                true => self.same_offer(item.task),
                false => self.same(item.task),
            };
            match same {
                Some(task) => {
                    if offered {
                        self.moved.offers.insert(task, item.number);
                    } else if item.instance.is_none() {
                        self.moved.in_flight.insert(item.number, task);
                        self.moved.marking.set_running(task, 1);
                    }
                    let item = self.item_on(task, item);
                    self.moved.items.insert(item.number, item);
                }
                // Nothing has been taken for it yet.
                None if offered => self.withdrawn.push((item.task, item.number)),
                None => {
                    let (name, state) = (task_name(self.old, item.task), item.state.name());
                    let number = item.number;
                    let why = format!(
                        "item {number} of task {name} is {state}, and the other version has no task like it"
                    );
                    self.reasons.push(why);
                }
            }
        }
        for (number, item) in &self.case.finished {
            if let Some(task) = self.same(item.task) {
                let item = self.item_on(task, item);
                self.moved.finished.insert(*number, item);
            }
        }
    }

    fn item_on(&self, task: TaskId, item: &Item) -> Item {
        let mut item = Item {
            task,
            ..item.clone()
        };
        if let (ItemWork::Host { topic }, Some(TaskKind::Host(host))) =
            (&mut item.work, self.new.tasks.get(task).map(|t| &t.kind))
        {
            topic.clone_from(&host.topic);
        }
        item
    }

    fn groups(&mut self) {
        for (number, group) in &self.case.groups {
            let Some(task) = self.same(group.task) else {
                let name = task_name(self.old, group.task);
                let why = format!(
                    "instances of task {name} run, and the other version has no task like it"
                );
                // Its items may have said so.
                if self.reasons.is_empty() {
                    self.reasons.push(why);
                }
                continue;
            };
            let mut group = group.clone();
            group.task = task;
            if !group.left {
                self.moved.marking.set_running(task, 1);
            }
            self.moved.groups.insert(*number, group);
        }
    }

    fn mail(&mut self) {
        for (signal, numbers) in &self.case.mail {
            let keeps = |kind: &TaskKind| match kind {
                TaskKind::Signal(of) => of.keep && *of.signal == **signal,
                _ => false,
            };
            if self.new.tasks.iter().any(|task| keeps(&task.kind)) {
                self.moved.mail.insert(signal.clone(), *numbers);
            } else {
                let why =
                    format!("signal {signal} is kept, which no task of the other version takes");
                self.reasons.push(why);
            }
        }
    }

    fn recovery(&mut self) {
        let recovery = &self.case.recovery;
        if recovery.active.is_some() || recovery.ending.is_some() || !recovery.waits.is_empty() {
            let why = "it undoes what it did, and that is bound to its version";
            self.reasons.push(why.to_owned());
        }
        if let Some(caught) = &recovery.caught {
            let place = caught.place.map(|place| self.place(place));
            match (self.task(caught.task), place) {
                (Some(task), None | Some(Some(_))) => {
                    let mut caught = caught.clone();
                    caught.task = task;
                    caught.place = place.flatten();
                    self.moved.recovery.caught = Some(caught);
                }
                _ => {
                    let name = task_name(self.old, caught.task);
                    let why = format!(
                        "it went on from a failure of task {name} in a way that the other version has not"
                    );
                    self.reasons.push(why);
                }
            }
        }
        for (number, done) in &self.case.done {
            let Some(done) = done else { continue };
            if let Some(done) = self.undoable(done) {
                self.moved.done.insert(*number, Some(done));
                continue;
            }
            let name = task_name(self.old, done.task);
            let why = format!(
                "what task {name} did may have to be undone, and the other version cannot do that"
            );
            self.reasons.push(why);
        }
    }

    /// A completion, if the other version can undo it too.
    fn undoable(&self, done: &Done) -> Option<Done> {
        let task = self.same(done.task)?;
        let other = self.new.tasks.get(task)?;
        (done.case.is_some() || other.compensate.is_some()).then(|| Done {
            task,
            ..done.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_renamed_with_its_tasks() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let names = Renames::new(&[pair("a", "x"), pair("b", "y"), pair("p>q", "r")]).unwrap();
        let of = |name: &str| names.of(name);
        assert_eq!((of("a"), of("c")), ("x".into(), "c".into()));
        assert_eq!((of("a>b"), of("a!c")), ("x>y".into(), "x!c".into()));
        assert_eq!(of("p>q"), "r");
        assert_eq!(names.back().of("x>y"), "a>b");
        assert!(Renames::new(&[pair("a", "x"), pair("b", "x")]).is_err());
        assert!(Renames::new(&[pair("a", "x"), pair("a", "y")]).is_err());
    }
}
