//! Multiple instances (patterns 12 to 15, 26, 27, 34 to 36).
//!
//! A task with `many` starts by itself: it takes its tokens and makes its instances in one event. They are a *group*:
//! the case keeps counts, not the instances, so that one completion costs the same however many there are. Only where
//! a condition looks at the results so far, and when the task completes, are they read.

use statewright_log::Timestamp;
use statewright_value::{Kind, Value, value};

use super::{Effect, Machine, eval::truthy};
use crate::case::{EventKind, Group, Instance, Item, ItemLane, ItemState, ItemWork};
use crate::expr::Expr;
use crate::failure::Failure;
use crate::net::{FlowRef, Many, Rest, Task, TaskId, TaskKind};
use crate::sabotage::{self, Bug};

/// Instances of one firing at most, added ones included.
pub(crate) const MAX_INSTANCES: u32 = 100_000;

/// Why instances cannot be added, or a task not be forced to complete.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NoGroup {
    /// The task does not run, or has completed.
    NotRunning,
    /// Its `many` says `add: false`.
    Fixed,
    /// There would be more than `max`.
    Full,
    /// What an instance is given could not be made of its item.
    Input(Failure),
}

/// An instance that can be made.
struct Prepared {
    lane: ItemLane,
    deadline: Option<Timestamp>,
    instance: Instance,
    input: Value,
    work: PreparedWork,
}

enum PreparedWork {
    Item(ItemWork),
    /// A case of this flow.
    Call(FlowRef),
}

impl Machine<'_> {
    /// Starts a task of several instances.
    pub(super) fn begin_many(&mut self, task: TaskId, spec: &Task) -> Result<(), Failure> {
        let Some(many) = &spec.many else {
            return Ok(());
        };
        let items = self.items(task, many)?;
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let min = self.count(task, many.min.as_ref(), "min")?.unwrap_or(0);
        let max = self.count(task, many.max.as_ref(), "max")?;
        let threshold = self.count(task, many.threshold.as_ref(), "threshold")?;
        let most = max.unwrap_or(MAX_INSTANCES).min(MAX_INSTANCES);
        if count < min || count > most {
            let message = format!("{count} instances, but there must be {min} to {most}");
            return Err(Failure::new("instances", message).for_good());
        }
        let first = self.case.next_item;
        let prepared = self.prepare_instances(task, spec, first, 0, items)?;
        self.consume(task);
        let detail = value!({"instances": count, "first": first});
        self.note(EventKind::InstancesStarted, Some(task), detail);
        let group = Group {
            task,
            ranges: vec![(first, u64::from(count))],
            total: count,
            completed: 0,
            active: count,
            max,
            threshold,
            left: !many.wait,
            free: !many.wait,
        };
        if many.wait {
            self.set_running(task, 1);
        }
        if count > 0 {
            self.case.groups.insert(first, group);
            self.make(task, prepared);
        }
        if !many.wait {
            self.complete_task(task)?;
        } else if count == 0 {
            self.join_instances(task, spec, 0)?;
        }
        self.settle();
        Ok(())
    }

    fn items(&self, task: TaskId, many: &Many) -> Result<Vec<Value>, Failure> {
        let items = self.eval(&many.items, task, 1, None)?;
        let most = MAX_INSTANCES as usize;
        match (items.kind(), items.as_u64()) {
            (Kind::Array, _) if items.len() <= most => Ok(items.items().collect()),
            (_, Some(count)) if count <= u64::from(MAX_INSTANCES) => {
                Ok((0..count).map(Value::from).collect())
            }
            (Kind::Array, _) | (_, Some(_)) => {
                let message = format!("`items` gives more than {MAX_INSTANCES} instances");
                Err(Failure::new("instances", message).for_good())
            }
            _ => Err(Failure::wrong(
                "items",
                "an array, or a whole number of instances",
                &items,
            )),
        }
    }

    fn count(
        &self,
        task: TaskId,
        expr: Option<&Expr>,
        field: &str,
    ) -> Result<Option<u32>, Failure> {
        let Some(expr) = expr else {
            return Ok(None);
        };
        let value = self.eval(expr, task, 1, None)?;
        if value.is_null() {
            return Ok(None);
        }
        let least = u64::from(field != "min");
        let count = value.as_u64().filter(|n| *n >= least);
        let count = count.and_then(|n| u32::try_from(n).ok());
        count
            .map(Some)
            .ok_or_else(|| Failure::wrong(field, "a whole number of instances, or null", &value))
    }

    /// What instances are given, numbered on from `index`. Nothing is made unless all can be.
    fn prepare_instances(
        &self,
        task: TaskId,
        spec: &Task,
        group: u64,
        index: u32,
        items: Vec<Value>,
    ) -> Result<Vec<Prepared>, Failure> {
        let prepare = |(index, of)| {
            let instance = Instance { group, index, of };
            let input = match spec.kind.work().and_then(|w| w.input.as_ref()) {
                Some(input) => self.eval_instance(input, task, &instance, None)?,
                None => instance.of.clone(),
            };
            let work = match &spec.kind {
                TaskKind::Process(process) => {
                    let (argv, cwd) = self.command(task, process)?;
                    PreparedWork::Item(ItemWork::Process { argv, cwd })
                }
                TaskKind::Host(host) => PreparedWork::Item(ItemWork::Host {
                    topic: host.topic.clone(),
                }),
                TaskKind::Flow(sub) => PreparedWork::Call(sub.flow.clone()),
                // Other kinds have no instances in a spec.
                _ => return Ok(None),
            };
            Ok(Some(Prepared {
                lane: self.lane(task, Some(&instance))?,
                deadline: self.deadline(task, Some(&instance))?,
                instance,
                input,
                work,
            }))
        };
        let prepared = (index..).zip(items).map(prepare);
        prepared.filter_map(Result::transpose).collect()
    }

    fn make(&mut self, task: TaskId, prepared: Vec<Prepared>) {
        let since = self.now;
        for instance in prepared {
            let next = self.case.next_item;
            let (work, state, kind, detail) = match instance.work {
                PreparedWork::Item(work) => {
                    let state = ItemState::Offered { since };
                    (work, state, EventKind::Offered, Value::NULL)
                }
                PreparedWork::Call(flow) => {
                    let case = self.child_id(next);
                    self.effects.push(Effect::Call {
                        number: next,
                        case: case.clone(),
                        flow,
                        input: instance.input.clone(),
                    });
                    let detail = value!({"case": case.as_str()});
                    let state = ItemState::Running { since };
                    (
                        ItemWork::Flow { case },
                        state,
                        EventKind::CaseCalled,
                        detail,
                    )
                }
            };
            let number = self.new_item(task, work, state, instance.input);
            self.set_lane(number, instance.lane);
            self.set_deadline(number, instance.deadline);
            if let Some(item) = self.case.items.get_mut(&number) {
                item.instance = Some(instance.instance);
            }
            self.note_item(kind, number, task, detail);
        }
    }

    /// An instance gave a result.
    pub(super) fn complete_instance(&mut self, number: u64, instance: &Instance, raw: &Value) {
        let Some((task, spec)) = self.case.items.get(&number).and_then(|i| {
            let spec = self.net.tasks.get(i.task)?;
            Some((i.task, spec))
        }) else {
            return;
        };
        let output = spec.kind.work().and_then(|w| w.output.as_ref());
        let result = match (self.recorded.take(), output) {
            (Some(recorded), _) => Ok(recorded),
            (None, Some(output)) => self.eval_instance(output, task, instance, Some(raw)),
            (None, None) => Ok(raw.clone()),
        };
        let result = match result {
            Ok(result) => result,
            Err(failure) => {
                let failure = failure.for_good();
                return self.attempt_failed(number, EventKind::AttemptFailed, failure);
            }
        };
        if let Some(item) = self.case.items.get_mut(&number) {
            item.result = Some(result.clone());
        }
        let called = self.called.take();
        self.remember(number, result, called);
        self.instance_done(number, instance, EventKind::Completed, Value::NULL);
    }

    /// An instance whose result is known has ended.
    pub(super) fn instance_done(
        &mut self,
        number: u64,
        instance: &Instance,
        kind: EventKind,
        detail: Value,
    ) {
        let Some((task, spec)) = self.case.items.get(&number).and_then(|i| {
            let spec = self.net.tasks.get(i.task)?;
            Some((i.task, spec))
        }) else {
            return;
        };
        self.end_item(number, ItemState::Completed);
        self.note_item(kind, number, task, detail);
        if let Some(group) = self.case.groups.get_mut(&instance.group) {
            group.active = group.active.saturating_sub(1);
            group.completed = group.completed.saturating_add(1);
        }
        match self.after_instance(task, spec, instance.group) {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(Some(task), None, failure),
        }
    }

    /// Whether the task completes now that one more instance has.
    fn after_instance(&mut self, task: TaskId, spec: &Task, group: u64) -> Result<(), Failure> {
        let (Some(of), Some(many)) = (self.case.groups.get(&group), &spec.many) else {
            return Ok(());
        };
        let (active, completed, threshold) = (of.active, of.completed, of.threshold);
        if of.left {
            if active == 0 {
                self.case.groups.remove(&group);
                self.touch_task(task);
            }
            return Ok(());
        }
        let late = u32::from(sabotage::on(Bug::ThresholdOffByOne)); // planted
        let mut over =
            active == 0 || threshold.is_some_and(|t| completed >= t.saturating_add(late));
        if !over && let Some(until) = &many.until {
            let Some(results) = self.results(group) else {
                return Ok(());
            };
            over = truthy(&self.eval(until, task, 1, Some(&results))?);
        }
        if over {
            self.join_instances(task, spec, group)?;
        }
        Ok(())
    }

    /// The results so far, in the order of the instances; none if they must be loaded first.
    fn results(&mut self, group: u64) -> Option<Value> {
        let numbers: Vec<u64> = self
            .case
            .groups
            .get(&group)
            .map(|g| g.numbers().collect())
            .unwrap_or_default();
        for number in &numbers {
            self.has_item(*number);
        }
        if !self.needs.is_empty() {
            return None;
        }
        let finished = numbers.iter().filter_map(|n| self.case.finished.get(n));
        let done = |i: &&Item| matches!(i.state, ItemState::Completed);
        Some(
            finished
                .filter(done)
                .map(|i| i.result.clone().unwrap_or_default())
                .collect(),
        )
    }

    /// The task completes: its results go into the data, what still runs is cancelled or runs on for itself.
    fn join_instances(&mut self, task: TaskId, spec: &Task, group: u64) -> Result<(), Failure> {
        let Some(results) = self.results(group) else {
            return Ok(());
        };
        let rest = spec.many.as_ref().map_or(Rest::Cancel, |many| many.rest);
        let completed = results.len();
        if let Some(work) = spec.kind.work() {
            self.set_data(&work.into, results)?;
        }
        let detail = value!({"completed": completed});
        self.note(EventKind::InstancesJoined, Some(task), detail);
        match rest {
            Rest::Cancel => self.cancel_group(group),
            Rest::Continue => match self.case.groups.get_mut(&group) {
                Some(of) if of.active > 0 => of.left = true,
                _ => {
                    self.case.groups.remove(&group);
                }
            },
        }
        self.complete_task(task)
    }

    pub(super) fn cancel_group(&mut self, group: u64) {
        if let Some(of) = self.case.groups.remove(&group) {
            for number in of.numbers() {
                self.cancel_item(number);
            }
        }
    }

    /// The group of a task that has not completed.
    fn open_group(&self, task: TaskId) -> Option<u64> {
        let mut groups = self.case.groups.iter();
        groups
            .find(|(_, g)| g.task == task && !g.left)
            .map(|(number, _)| *number)
    }

    /// Adds instances to a running task.
    pub fn add_instances(&mut self, task: TaskId, items: Vec<Value>) -> Result<(), NoGroup> {
        let (Some(spec), Some(group)) = (self.task(task), self.open_group(task)) else {
            return Err(NoGroup::NotRunning);
        };
        if !spec.many.as_ref().is_some_and(|many| many.add) {
            return Err(NoGroup::Fixed);
        }
        let Some(of) = self.case.groups.get(&group) else {
            return Err(NoGroup::NotRunning);
        };
        let (index, most) = (of.total, of.max.unwrap_or(MAX_INSTANCES));
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let total = index.saturating_add(count);
        if total > most.min(MAX_INSTANCES) {
            return Err(NoGroup::Full);
        }
        let prepared = self.prepare_instances(task, spec, group, index, items);
        let prepared = prepared.map_err(NoGroup::Input)?;
        let first = self.case.next_item;
        if let Some(of) = self.case.groups.get_mut(&group) {
            of.total = total;
            of.active = of.active.saturating_add(count);
            of.ranges.push((first, u64::from(count)));
        }
        let detail = value!({"instances": count, "first": first});
        self.note(EventKind::InstancesAdded, Some(task), detail);
        self.make(task, prepared);
        Ok(())
    }

    /// Has a task complete with what its completed instances gave (pattern 27).
    pub fn force_task(&mut self, task: TaskId) -> Result<(), NoGroup> {
        let (Some(spec), Some(group)) = (self.task(task), self.open_group(task)) else {
            return Err(NoGroup::NotRunning);
        };
        self.note(EventKind::TaskForced, Some(task), Value::NULL);
        // What still runs is cancelled, whatever the task says of its rest: it was told to be over.
        let joined = match self.results(group) {
            None => return Ok(()),
            Some(_) => {
                let numbers: Vec<u64> = self
                    .case
                    .groups
                    .get(&group)
                    .map(|g| g.numbers().collect())
                    .unwrap_or_default();
                for number in numbers {
                    self.cancel_item(number);
                }
                if let Some(of) = self.case.groups.get_mut(&group) {
                    of.active = 0;
                }
                self.join_instances(task, spec, group)
            }
        };
        match joined {
            Ok(()) => self.settle(),
            Err(failure) => self.fail_case(Some(task), None, failure),
        }
        Ok(())
    }
}
