//! Several versions of a flow side by side: which there are, what runs on them, and what of that would fit another.

use std::collections::BTreeMap;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};

use super::query::task_name;
use super::{Flows, keys, net_key, newest, record};
use crate::case::{Case, Item, Status};
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::net::{Join, Net, Task, TaskId, TaskKind};

/// Cases and versions read at a time.
const PAGE: usize = 256;

/// A deployed flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowInfo {
    /// Its name.
    pub name: String,
    /// Everything that was deployed under the name, by version, then by key.
    pub versions: Vec<VersionInfo>,
}

/// One version of a flow. Two that state the same number and differ in content or folder are two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// What its spec states.
    pub version: u64,
    /// Names the exact content.
    pub key: String,
    /// The folder it was deployed from.
    pub dir: Option<String>,
    /// Whether new cases of the flow run on it.
    pub newest: bool,
    /// How many cases run on it that have not ended; those that are called by others are not counted.
    pub open: u64,
    /// How many have ended.
    pub ended: u64,
}

/// What moving the open cases of a flow to another version would do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The flow's name.
    pub flow: String,
    /// The version they would run on.
    pub version: u64,
    /// Its key.
    pub key: String,
    /// Every open case of the flow that runs on another version, oldest id first.
    pub cases: Vec<CasePlan>,
}

/// What moving one case would do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CasePlan {
    /// The case.
    pub case: String,
    /// The version that it runs on.
    pub version: u64,
    /// The key of that.
    pub key: String,
    /// Where it is in its life.
    pub status: Status,
    /// Why it cannot be moved; empty if its marking and its work have a place in the other version.
    pub reasons: Vec<String>,
    /// What would happen to it at once, in order: tasks offered, withdrawn, fired, or its end.
    pub follows: Vec<String>,
}

impl Flows {
    /// The deployed flows, by name, with all their versions. O(versions + cases).
    pub fn flows(&self) -> Result<Vec<FlowInfo>> {
        let view = self.store.snapshot();
        let mut flows: BTreeMap<String, Vec<VersionInfo>> = BTreeMap::new();
        let prefix = keys::net("");
        scan(&view, &prefix, |key, stored| {
            let text = |field: &str| {
                let value = stored.get(field);
                value.and_then(|v| v.as_str().map(str::to_owned))
            };
            let version = stored.get("version").and_then(|v| v.as_u64());
            let bad = || Error::damaged(&format!("{prefix}{key}"), "name");
            let (name, version) = text("name").zip(version).ok_or_else(bad)?;
            flows.entry(name).or_default().push(VersionInfo {
                version,
                key: key.to_owned(),
                dir: text("dir"),
                newest: false,
                open: 0,
                ended: 0,
            });
            Ok(())
        })?;
        let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        scan(&view, keys::CASE, |id, value| {
            let (open, ended) = counts.entry(record::net_of_case(id, value)?).or_default();
            let count = match record::status_of(id, value)?.is_final() {
                true => ended,
                false => open,
            };
            *count = count.saturating_add(1);
            Ok(())
        })?;
        let mut found = Vec::with_capacity(flows.len());
        for (name, mut versions) in flows {
            let newest = newest(&view, &name)?;
            for version in &mut versions {
                version.newest = newest.as_ref() == Some(&version.key);
                (version.open, version.ended) =
                    counts.get(&version.key).copied().unwrap_or_default();
            }
            versions.sort_by(|a, b| (a.version, &a.key).cmp(&(b.version, &b.key)));
            found.push(FlowInfo { name, versions });
        }
        Ok(found)
    }

    /// The net that a case runs on: that of the version of its flow with which it began. O(1) if it is in memory, else
    /// what compiling it takes.
    ///
    /// Fails with [`Error::UnknownCase`].
    pub fn net_of_case(&self, id: &str) -> Result<Arc<Net>> {
        Ok(self.load(id)?.0)
    }

    /// Checks every open case of a flow against another version of it, which need not be deployed, and tells what
    /// moving them would do. Places and tasks are the same if they have the same name. Nothing is changed. Cases that
    /// others called are not looked at: they end on the version on which they began. O(open cases).
    ///
    /// Fails with [`Error::InvalidSpec`].
    pub fn plan(&self, source: &str, dir: Option<&str>) -> Result<Plan> {
        let new = Net::compile(source, dir).map_err(|problems| Error::InvalidSpec { problems })?;
        let mut plan = Plan {
            flow: new.name.to_string(),
            version: new.version,
            key: net_key(source, dir),
            cases: Vec::new(),
        };
        let mut after = None;
        loop {
            let page = self.open_cases(after.as_deref(), PAGE)?;
            if page.is_empty() {
                return Ok(plan);
            }
            for id in &page {
                let (old, case) = match self.load(id) {
                    // It has gone since the page was read.
                    Err(Error::UnknownCase { .. }) => continue,
                    loaded => loaded?,
                };
                let other = *case.net != *plan.key && case.parent.is_none();
                if other && old.name == new.name && !case.status.is_final() {
                    plan.cases.push(plan_case(&old, &new, &case, self.now()));
                }
            }
            after = page.into_iter().next_back();
        }
    }
}

/// Every document whose key begins with a prefix, by the rest of its key.
fn scan(
    view: &impl Reader,
    prefix: &str,
    mut each: impl FnMut(&str, &statewright_value::Value) -> Result<()>,
) -> Result<()> {
    let space = Space::default();
    let mut after: Option<String> = None;
    loop {
        let page = view.doc_scan(Primitive::Flow, &space, prefix, after.as_deref(), PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for (key, value) in &page {
            if let Some(rest) = key.strip_prefix(prefix) {
                each(rest, value)?;
            }
        }
    }
}

fn plan_case(old: &Net, new: &Net, case: &Case, now: Timestamp) -> CasePlan {
    let marking = new.skeleton().empty();
    let mut moved = Case::new(
        case.id.clone(),
        case.net.clone(),
        marking,
        case.data.clone(),
        now,
    );
    moved.status = case.status;
    moved.next_item = case.next_item;
    let mut mapping = Mapping {
        old,
        new,
        case,
        moved,
        reasons: Vec::new(),
        follows: Vec::new(),
    };
    mapping.tokens();
    mapping.rounds();
    mapping.items();
    mapping.groups();
    mapping.rest();
    let Mapping {
        moved,
        reasons,
        mut follows,
        ..
    } = mapping;
    if reasons.is_empty() {
        let mut machine = Machine::new(new, moved, now);
        machine.settle_all();
        follows.extend(machine.notes.iter().map(|note| {
            let task = note.task.map(|task| task_name(new, task));
            let task = task.map_or_else(String::new, |task| format!(" {task}"));
            format!("{}{task}", note.kind.name())
        }));
    } else {
        follows.clear();
    }
    CasePlan {
        case: case.id.to_string(),
        version: old.version,
        key: case.net.to_string(),
        status: case.status,
        reasons,
        follows,
    }
}

/// A case being put from one net on another.
struct Mapping<'a> {
    old: &'a Net,
    new: &'a Net,
    case: &'a Case,
    moved: Case,
    reasons: Vec<String>,
    follows: Vec<String>,
}

impl Mapping<'_> {
    fn tokens(&mut self) {
        for (place, tokens) in self.case.marking.marked() {
            let name = record::place_name(self.old, place);
            match self.new.place(name) {
                Some(place) => self.moved.marking.set_tokens(place, tokens),
                None => {
                    let what = if tokens == 1 { "a token" } else { "tokens" };
                    let why = format!("it has {what} on {name}, which the other version has not");
                    self.reasons.push(why);
                }
            }
        }
        for (place, tokens) in &self.case.dead {
            let name = record::place_name(self.old, *place);
            if let Some(place) = self.new.place(name) {
                self.moved.dead.insert(place, *tokens);
            } else {
                let why = format!("a local join waits for {name}, which the other version has not");
                self.reasons.push(why);
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
                let place = self.new.place(record::place_name(self.old, from.place));
                let same = self.new.task(&of.name).and_then(|task| {
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

    /// The task of the same name and kind.
    fn same(&self, task: TaskId) -> Option<TaskId> {
        let of = self.old.tasks.get(task)?;
        let same = self.new.task(&of.name)?;
        let other = self.new.tasks.get(same)?;
        // What is queued or counted in a lane stays in it.
        let lane = |t: &Task| {
            let lane = t.kind.work().and_then(|w| w.lane.as_ref());
            lane.map(|lane| lane.name.clone())
        };
        let alike = other.kind.name() == of.kind.name()
            && other.many.is_some() == of.many.is_some()
            && lane(other) == lane(of);
        alike.then_some(same)
    }

    fn items(&mut self) {
        for item in self.case.items.values() {
            let offered = self.case.offers.get(&item.task) == Some(&item.number);
            match self.same(item.task) {
                Some(task) => {
                    if offered {
                        self.moved.offers.insert(task, item.number);
                    } else if item.instance.is_none() {
                        self.moved.in_flight.insert(item.number, task);
                        self.moved.marking.set_running(task, 1);
                    }
                    let item = Item {
                        task,
                        ..item.clone()
                    };
                    self.moved.items.insert(item.number, item);
                }
                // Nothing has been taken for it yet.
                None if offered && item.lane.is_none() => {
                    let name = task_name(self.old, item.task);
                    self.follows.push(format!("withdrawn {name}"));
                }
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
    }

    fn groups(&mut self) {
        for (number, group) in &self.case.groups {
            // A reason was given for its items.
            if let Some(task) = self.same(group.task) {
                let mut group = group.clone();
                group.task = task;
                if !group.left {
                    self.moved.marking.set_running(task, 1);
                }
                self.moved.groups.insert(*number, group);
            }
        }
    }

    fn rest(&mut self) {
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
        for (task, since) in &self.case.waiting {
            let name = self.old.tasks.get(*task).map_or("", |t| &*t.name);
            if let Some(task) = self.new.task(name) {
                self.moved.waiting.insert(task, *since);
            }
        }
        let recovery = &self.case.recovery;
        if recovery.left > 0 || recovery.active.is_some() || recovery.ending.is_some() {
            let why = "what it did may have to be undone, and that is bound to its version";
            self.reasons.push(why.to_owned());
        }
    }
}
