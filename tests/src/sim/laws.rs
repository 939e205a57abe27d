//! What must hold of the history of a case, besides the token game: times, instances, and that what was done is undone
//! once, newest first. Each law is a slow reading of the history from its beginning; it shares nothing with the engine
//! but the words.

use std::collections::{BTreeMap, BTreeSet};

use statewright_flow::net::{Deadline, FlowRef, Net, TaskKind};
use statewright_flow::{CaseInfo, EventKind, HistoryEvent, Status};

use super::Checked;

/// What a spec says of a task.
#[derive(Clone, Debug, Default)]
struct Law {
    /// Whether something undoes its completions.
    undone: bool,
    /// Whether it calls a flow.
    calls: bool,
    /// What it undoes, if that is its kind; nothing is everything.
    undoes: Vec<String>,
    /// In microseconds.
    timeout: Option<i64>,
    attempts: u32,
    /// After how many instances it completes.
    threshold: Option<u64>,
    /// How often it completes at most.
    most: Option<u64>,
    /// By when it must be done, from when it is offered, in microseconds.
    deadline: Option<i64>,
}

/// The laws of the tasks of a seed, by name; names of tasks that are bound by a law are in one flow only.
#[derive(Debug, Default)]
pub(super) struct Laws {
    tasks: BTreeMap<String, Law>,
    /// By when cases of a version of a flow must have ended or gone on elsewhere, from their creation; in microseconds.
    deadlines: BTreeMap<(String, u64), i64>,
}

impl Laws {
    /// Of all tasks of these nets. What is an expression there is said by `thresholds`; `most` says how often a task
    /// completes at most in flows without loops.
    pub(super) fn of<'n>(
        nets: impl Iterator<Item = &'n Net>,
        heads: impl Iterator<Item = (&'n str, &'n Net)>,
        thresholds: &[(&str, u64)],
        most: &[(&str, u64)],
    ) -> Laws {
        let named =
            |of: &[(&str, u64)], name: &str| of.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let mut laws = BTreeMap::new();
        for net in nets {
            for task in &net.tasks {
                let mut law = Law {
                    undone: task.compensate.is_some(),
                    threshold: named(thresholds, &task.name),
                    most: named(most, &task.name),
                    ..Law::default()
                };
                if let Some(work) = task.kind.work() {
                    law.timeout = work.timeout.map(|t| t.as_micros() as i64);
                    law.attempts = work.retry.attempts;
                    law.deadline = work.deadline.as_ref().and_then(micros);
                }
                match &task.kind {
                    TaskKind::Flow(sub) => {
                        law.calls = true;
                        law.undone |= matches!(&sub.flow, FlowRef::Local(name)
                            if net.flows.get(name).is_some_and(|n| n.tasks.iter().any(|t| t.compensate.is_some())));
                    }
                    TaskKind::Compensate(undo) => {
                        let names = undo.tasks.iter().filter_map(|t| net.tasks.get(*t));
                        law.undoes = names.map(|t| t.name.to_string()).collect();
                    }
                    _ => {}
                }
                let known: &mut Law = laws.entry(task.name.to_string()).or_default();
                law.attempts = law.attempts.max(known.attempts);
                *known = law;
            }
        }
        let deadline = |(name, net): (&str, &Net)| {
            let by = net.deadline.as_ref().and_then(|d| micros(&d.by))?;
            Some(((name.to_owned(), net.version), by))
        };
        Laws {
            tasks: laws,
            deadlines: heads.filter_map(deadline).collect(),
        }
    }

    fn law(&self, event: &HistoryEvent) -> Law {
        let law = event.task.as_deref().and_then(|task| self.tasks.get(task));
        law.cloned().unwrap_or_default()
    }

    /// All of them.
    pub(super) fn check(&self, info: &CaseInfo, history: &[HistoryEvent]) -> Checked {
        once(history)?;
        self.times(history)?;
        self.deadlines(info, history)?;
        self.instances(history)?;
        self.counts(history)?;
        self.undone(info, history)
    }

    /// Nothing happens before its time, and no work is tried more often than it may be.
    fn times(&self, history: &[HistoryEvent]) -> Checked {
        let mut started: BTreeMap<u64, i64> = BTreeMap::new();
        let mut failures: BTreeMap<u64, u32> = BTreeMap::new();
        let mut until: BTreeMap<u64, String> = BTreeMap::new();
        for event in history {
            if event.kind == EventKind::CaseForked {
                // From here on, all that is ahead is as far ahead as it was.
                started.clear();
                until.clear();
            }
            let Some(item) = event.item else {
                continue;
            };
            let at = event.at.as_micros();
            let (law, task) = (self.law(event), event.task.as_deref().unwrap_or_default());
            let early = |until: &String| *until > digits(&event.at.to_string());
            match event.kind {
                EventKind::Started => {
                    started.insert(item, at);
                }
                EventKind::TimedOut => {
                    let since = started.get(&item).copied().unwrap_or(i64::MAX);
                    if law.timeout.is_none_or(|t| at < since.saturating_add(t)) {
                        return Err(format!("{task} timed out too early"));
                    }
                }
                EventKind::RetryScheduled | EventKind::TimerSet => {
                    let text = event.detail.get("until").unwrap_or_default();
                    until.insert(item, digits(text.as_str().unwrap_or_default()));
                }
                EventKind::Offered | EventKind::TimerFired
                    if until.remove(&item).as_ref().is_some_and(early) =>
                {
                    return Err(format!("{} {task} too early", event.kind.name()));
                }
                _ => {}
            }
            if [EventKind::AttemptFailed, EventKind::TimedOut].contains(&event.kind) {
                let failures = failures.entry(item).or_default();
                *failures += 1;
                if *failures > law.attempts.max(1) {
                    return Err(format!("{task} failed {failures} times"));
                }
            }
        }
        Ok(())
    }

    /// No deadline passes before its time, or twice, and what it ended does nothing more.
    fn deadlines(&self, info: &CaseInfo, history: &[HistoryEvent]) -> Checked {
        let mut since: BTreeMap<u64, i64> = BTreeMap::new();
        let mut instances: BTreeMap<&str, i64> = BTreeMap::new();
        let mut passed: BTreeSet<Option<u64>> = BTreeSet::new();
        let forked = history.iter().any(|e| e.kind == EventKind::CaseForked);
        for event in history {
            let at = event.at.as_micros();
            let task = event.task.as_deref().unwrap_or_default();
            if let Some(item) = event.item {
                let began = instances.get(task).copied().unwrap_or(at);
                since.entry(item).or_insert(began);
            }
            match event.kind {
                EventKind::InstancesStarted => {
                    instances.insert(task, at);
                    continue;
                }
                EventKind::DeadlinePassed => {}
                EventKind::Started | EventKind::Completed | EventKind::AttemptFailed
                    if passed.contains(&event.item) =>
                {
                    return Err(format!("{} {task} after its deadline", event.kind.name()));
                }
                _ => continue,
            }
            let (from, by) = match event.item {
                Some(item) => (since.get(&item).copied(), self.law(event).deadline),
                None => (Some(info.created.as_micros()), self.deadline_of(&info.flow)),
            };
            let due = from.zip(by).map(|(from, by)| from.saturating_add(by));
            // When a fork's is cannot be told.
            if !forked && due.is_none_or(|due| at < due) {
                return Err(format!("the deadline of {} passed too early", whose(task)));
            }
            if !passed.insert(event.item) {
                return Err(format!("the deadline of {} passed twice", whose(task)));
            }
        }
        Ok(())
    }

    /// The deadline of a flow's cases, on the versions that have one.
    fn deadline_of(&self, flow: &str) -> Option<i64> {
        let mut all = self.deadlines.iter();
        all.find(|((of, _), _)| of == flow).map(|(_, by)| *by)
    }

    /// Whether a case still has the deadline that it began with: one that was moved to a version without does not, and
    /// gets it back when that is undone.
    fn is_bound(&self, info: &CaseInfo, history: &[HistoryEvent]) -> bool {
        let has = |version: u64| self.deadlines.contains_key(&(info.flow.clone(), version));
        let version = |e: &HistoryEvent, end: &str| e.detail.get(end)?.get("version")?.as_u64();
        let mut moves = history.iter().filter(|e| e.kind == EventKind::CaseMigrated);
        let first = moves.next().and_then(|e| version(e, "from"));
        let (mut bound, mut lost) = (has(first.unwrap_or(info.version)), false);
        for event in history {
            match event.kind {
                EventKind::CaseMigrated if has(version(event, "to").unwrap_or_default()) => {
                    bound |= lost && event.detail.get("undoes").is_some();
                    lost = false;
                }
                EventKind::CaseMigrated => (bound, lost) = (false, bound),
                EventKind::DeadlinePassed if event.item.is_none() => bound = false,
                _ => {}
            }
        }
        bound
    }

    /// Whether a running case, or some of its work, may have a deadline.
    pub(super) fn has_deadline(&self, info: &CaseInfo) -> bool {
        let law = |task: &String| self.tasks.get(task).and_then(|law| law.deadline);
        let work = info.items.iter().any(|item| law(&item.task).is_some());
        info.status == Status::Running && (work || self.deadline_of(&info.flow).is_some())
    }

    /// After all that was due was done, at `now`, nothing is over its deadline.
    pub(super) fn in_time(&self, info: &CaseInfo, history: &[HistoryEvent], now: i64) -> Checked {
        let forked = history.iter().any(|e| e.kind == EventKind::CaseForked);
        if info.status != Status::Running || forked {
            return Ok(());
        }
        let over = |from: i64, by: Option<i64>| by.is_some_and(|by| from.saturating_add(by) <= now);
        let created = info.created.as_micros();
        if self.is_bound(info, history) && over(created, self.deadline_of(&info.flow)) {
            return Err("it is over its deadline".to_owned());
        }
        for item in &info.items {
            let law = self.tasks.get(&item.task).and_then(|law| law.deadline);
            let offered = |e: &&HistoryEvent| e.item == Some(item.item);
            let began = |e: &&HistoryEvent| {
                e.kind == EventKind::InstancesStarted && e.task.as_deref() == Some(&item.task)
            };
            let first = history.iter().find(offered);
            let first = history.iter().rfind(began).or(first);
            if first.is_some_and(|e| over(e.at.as_micros(), law)) {
                let (task, n) = (&item.task, item.item);
                return Err(format!("item {n} of {task} is over its deadline"));
            }
        }
        Ok(())
    }

    /// A task with several instances completes when enough of them have, and with just those.
    fn instances(&self, history: &[HistoryEvent]) -> Checked {
        #[derive(Default)]
        struct Group {
            items: BTreeSet<u64>,
            done: u64,
            forced: bool,
        }
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for event in history {
            let number = |field: &str| {
                let number = event.detail.get(field).and_then(|n| n.as_u64());
                number.unwrap_or_default()
            };
            let task = event.task.as_deref().unwrap_or_default().to_owned();
            match event.kind {
                EventKind::InstancesStarted => {
                    groups.insert(task.clone(), Group::default());
                }
                EventKind::InstancesJoined => {
                    let Some(group) = groups.remove(&task) else {
                        return Err(format!("instances of {task} that never began are joined"));
                    };
                    let (found, enough) = (number("completed"), self.law(event).threshold);
                    if found != group.done || (!group.forced && enough.is_some_and(|n| n != found))
                    {
                        let done = group.done;
                        return Err(format!("{task} joined {found} of {done} instances"));
                    }
                    continue;
                }
                _ => {}
            }
            let Some(group) = groups.get_mut(&task) else {
                continue;
            };
            match event.kind {
                EventKind::InstancesStarted | EventKind::InstancesAdded => {
                    let first = number("first");
                    group.items.extend(first..first + number("instances"));
                }
                EventKind::TaskForced => group.forced = true,
                EventKind::Completed if event.item.is_some_and(|i| group.items.contains(&i)) => {
                    group.done += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Without a loop, what fires once fires once.
    fn counts(&self, history: &[HistoryEvent]) -> Checked {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let done = [EventKind::Completed, EventKind::Routed, EventKind::Fired];
        for event in history.iter().filter(|e| done.contains(&e.kind)) {
            let task = event.task.as_deref().unwrap_or_default();
            let count = counts.entry(task).or_default();
            *count += 1;
            if self.law(event).most.is_some_and(|most| *count > most) {
                return Err(format!("{task} completed {count} times"));
            }
        }
        Ok(())
    }

    /// What was done is undone in the reverse order, one at a time, each once; and when a case has ended that was to
    /// undo what it did, nothing is left.
    fn undone(&self, info: &CaseInfo, history: &[HistoryEvent]) -> Checked {
        let mut ledger = Ledger::default();
        for event in history {
            ledger.event(&self.law(event), event).map_err(|why| {
                let task = event.task.as_deref().unwrap_or_default();
                format!(
                    "{} {task}: {why}; done: {:?}",
                    event.kind.name(),
                    ledger.done
                )
            })?;
        }
        let clean = [Status::Failed, Status::Cancelled, Status::Compensated];
        let mut left = ledger.done.iter().filter(|done| !done.maybe);
        if clean.contains(&info.status) && left.next().is_some() {
            let done = &ledger.done;
            return Err(format!(
                "it is {}, but these are not undone: {done:?}",
                info.status
            ));
        }
        Ok(())
    }
}

/// What something can undo.
#[derive(Clone, Debug)]
struct Done {
    number: u64,
    task: String,
    item: u64,
    /// A called case, which may have done nothing that can be undone.
    maybe: bool,
}

/// One go through what was done.
#[derive(Debug)]
struct Walk {
    /// The item of the task that asked for it; none if the case is to end.
    by: Option<u64>,
    /// Only these tasks; all if there are none.
    of: Vec<String>,
    /// What has a greater number is not looked at any more.
    cursor: u64,
}

#[derive(Debug, Default)]
struct Ledger {
    made: u64,
    done: Vec<Done>,
    walk: Option<Walk>,
    /// Those that wait for the one that is at work: the item, and what it undoes.
    waiting: BTreeMap<u64, Vec<String>>,
    running: Option<Done>,
    called: BTreeSet<u64>,
}

impl Ledger {
    fn begin(&mut self, by: Option<u64>, of: Vec<String>) {
        let cursor = self.made;
        self.walk = Some(Walk { by, of, cursor });
    }

    fn event(&mut self, law: &Law, event: &HistoryEvent) -> Checked {
        let asked = self.walk.as_ref().and_then(|walk| walk.by);
        match (event.kind, event.item) {
            (EventKind::CaseCalled, Some(item)) => {
                self.called.insert(item);
            }
            (EventKind::Completed | EventKind::Cancelled, Some(item)) if asked == Some(item) => {
                self.walk = None;
                if let Some((item, of)) = self.waiting.pop_first() {
                    self.begin(Some(item), of);
                }
            }
            (EventKind::Cancelled, Some(item)) => {
                self.waiting.remove(&item);
            }
            (EventKind::Completed, Some(item))
                if law.undone && (!law.calls || self.called.contains(&item)) =>
            {
                self.made += 1;
                self.done.push(Done {
                    number: self.made,
                    task: event.task.as_deref().unwrap_or_default().to_owned(),
                    item,
                    maybe: law.calls,
                });
            }
            (EventKind::Compensating, Some(item)) if self.walk.is_some() => {
                self.waiting.insert(item, law.undoes.clone());
            }
            (EventKind::Compensating, Some(item)) => self.begin(Some(item), law.undoes.clone()),
            (EventKind::Compensating, None) => return self.next(event),
            (EventKind::Compensated, _) => {
                let running = self.running.take().ok_or("nothing is being undone")?;
                self.done.retain(|done| done.number != running.number);
            }
            (EventKind::CompensationFailed, _) => {
                self.running.take().ok_or("nothing is being undone")?;
            }
            (EventKind::CaseCompensating, _) => {
                self.waiting.clear();
                self.begin(None, Vec::new());
            }
            (EventKind::CaseTerminated | EventKind::CaseCompleted, _) => {
                self.waiting.clear();
                (self.walk, self.running) = (None, None);
            }
            _ => {}
        }
        Ok(())
    }

    /// The next is being undone.
    fn next(&mut self, event: &HistoryEvent) -> Checked {
        if let Some(running) = &self.running {
            return Err(format!("{running:?} is being undone"));
        }
        let walk = self.walk.as_mut().ok_or("nobody asked for it")?;
        let item = event.detail.get("item").and_then(|n| n.as_u64());
        let wanted = |d: &&Done| {
            let of = walk.of.is_empty() || walk.of.contains(&d.task);
            d.number <= walk.cursor && of && (!d.maybe || Some(d.item) == item)
        };
        let next = self.done.iter().rfind(wanted).cloned();
        let next = next.ok_or("there is nothing to undo")?;
        if item != Some(next.item) || event.task.as_deref() != Some(next.task.as_str()) {
            return Err(format!("{next:?} was to be undone, not item {item:?}"));
        }
        walk.cursor = next.number - 1;
        self.running = Some(next);
        Ok(())
    }
}

/// No work completes twice, no timer fires twice, and nothing happens to what is over.
fn once(history: &[HistoryEvent]) -> Checked {
    let mut over: BTreeMap<u64, EventKind> = BTreeMap::new();
    for event in history {
        let Some(item) = event.item else {
            continue;
        };
        if let Some(first) = over.get(&item) {
            return Err(format!(
                "item {item} is {}, then {}",
                first.name(),
                event.kind.name()
            ));
        }
        let ends = [
            EventKind::Completed,
            EventKind::TimerFired,
            EventKind::Signalled,
            EventKind::Cancelled,
            EventKind::Withdrawn,
        ];
        if ends.contains(&event.kind) {
            over.insert(item, event.kind);
        }
    }
    Ok(())
}

/// Called cases work for whoever waits for them, and nobody waits for one that has ended.
pub(super) fn called(infos: &[CaseInfo]) -> Checked {
    for info in infos {
        let Some((parent, number)) = info.id.rsplit_once('~') else {
            continue;
        };
        let item = number.parse::<u64>().ok();
        let waits = infos.iter().find(|i| i.id == parent).is_some_and(|caller| {
            let own = caller.items.iter().find(|i| Some(i.item) == item);
            !caller.status.is_final() && own.is_some_and(|i| i.kind == "flow")
        });
        if info.status == Status::Running && !waits {
            return Err(format!("nobody waits for case {}, and it runs", info.id));
        }
        if info.status.is_final() && waits {
            let status = info.status;
            return Err(format!(
                "case {} is {status}, and its caller waits",
                info.id
            ));
        }
    }
    Ok(())
}

/// A time as text that sorts: with six digits behind the point.
fn digits(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (whole, part) = time.split_once('.').unwrap_or((time, ""));
    format!("{whole}.{part:0<6}")
}

/// A deadline that does not depend on data, in microseconds.
fn micros(deadline: &Deadline) -> Option<i64> {
    match deadline {
        Deadline::After(after) => i64::try_from(after.as_micros()).ok(),
        Deadline::Expr(_) => None,
    }
}

/// Whose deadline an event is about.
fn whose(task: &str) -> &str {
    if task.is_empty() { "the case" } else { task }
}
