//! A case in a simulated world: no threads, virtual time, and a power cut after any event.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statewright_log::Timestamp;
use statewright_log::sim::{self, Damage, Image, SimClock, SimIo};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};
use statewright_value::{Value, value};

use super::{Checked, FlowTest, Reply, Wrong};
use crate::case::{EventKind, HistoryEvent, Status};
use crate::error::Error;
use crate::runtime::{CaseFilter, Flows, ItemInfo};

/// The id of the case that everything is about.
pub(super) const CASE: &str = "case";
/// How long a claim is good for without a heartbeat: longer than anything takes, and of who never answers.
const LEASE: Duration = Duration::from_secs(50 * 365 * 86_400);
const SHORT_LEASE: Duration = Duration::from_secs(3600);
/// More cases than any test has.
const CASES: usize = 10_000;

/// What completes a task, in the order of completions.
const DONE: [EventKind; 6] = [
    EventKind::Completed,
    EventKind::Fired,
    EventKind::Logged,
    EventKind::Routed,
    EventKind::Signalled,
    EventKind::TimerFired,
];

/// Work that somebody has claimed.
pub(super) struct Held {
    pub task: String,
    token: String,
    /// The case and the number of the item.
    item: (String, u64),
    reply: Reply,
    /// Which of the task's replies it is.
    index: usize,
    /// Whether somebody else has taken the same work since.
    late: bool,
    /// When the worker is ready.
    ready: Timestamp,
    /// When the work is not its any more.
    until: Timestamp,
}

/// Which of a task's replies come next.
#[derive(Default)]
struct Answers {
    next: usize,
    /// Replies that nobody saw: their work was cancelled.
    back: BTreeSet<usize>,
}

pub(super) struct World {
    flows: Flows,
    clock: SimClock,
    began: Timestamp,
    /// The disk, if the power may be cut.
    disk: Option<SimIo>,
    opened: u64,
    /// Work that is being done, the oldest first.
    pub held: Vec<Held>,
    replies: BTreeMap<String, Vec<Reply>>,
    answers: BTreeMap<String, Answers>,
    /// What happened, in words.
    pub steps: Vec<String>,
}

/// What a check sees of a case, at one moment or at the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct View {
    /// Where the case is in its life.
    pub status: Status,
    /// The case's data.
    pub data: Value,
    /// Its result; null as long as there is none.
    pub result: Value,
    /// Why it failed; null if it did not.
    pub error: Value,
    /// Tokens by place.
    pub tokens: BTreeMap<String, u64>,
    /// Tasks that wait for a worker to start them, one entry for each item; of called cases too; sorted.
    pub offered: Vec<String>,
    /// Tasks that are at work, one entry for each item; of called cases too; sorted.
    pub running: Vec<String>,
    /// How often each task completed; of called cases too. Every task of the flow is there.
    pub done: BTreeMap<String, u64>,
    /// Since the case began.
    pub time: Duration,
}

impl View {
    /// As an object `{status, data, result, error, tokens, offered, running, done, time}`; `time` in seconds.
    pub fn to_value(&self) -> Value {
        let list = |names: &[String]| -> Value { names.iter().map(|n| Value::text(n)).collect() };
        let counts = |of: &BTreeMap<String, u64>| -> Value {
            of.iter()
                .map(|(name, n)| (name.as_str(), Value::from(*n)))
                .collect()
        };
        let (tokens, done) = (counts(&self.tokens), counts(&self.done));
        value!({
            "status": (self.status.name()),
            "data": (self.data.clone()),
            "result": (self.result.clone()),
            "error": (self.error.clone()),
            "tokens": (tokens),
            "offered": (list(&self.offered)),
            "running": (list(&self.running)),
            "done": (done),
            "time": (self.time.as_secs()),
        })
    }
}

impl World {
    /// A world with a deployed flow and a case of it that has just begun.
    pub fn start(test: &FlowTest, power_cuts: bool) -> Checked<World> {
        let clock = SimClock::new();
        let disk = power_cuts.then(SimIo::new);
        let store = open(&clock, disk.as_ref(), 0)?;
        let flows = Flows::for_tests(store, test.nets.clone());
        for spec in &test.with {
            flows.deploy(spec, test.dir.as_deref())?;
        }
        let deployed = flows.deploy(&test.spec, test.dir.as_deref())?;
        let began = flows.now();
        let mut world = World {
            flows,
            clock,
            began,
            disk,
            opened: 0,
            held: Vec::new(),
            replies: test.replies.clone(),
            answers: BTreeMap::new(),
            steps: Vec::new(),
        };
        world.event("the case starts".to_owned(), |flows| {
            flows.start(&deployed.name, &test.input, Some(CASE))
        })?;
        Ok(world)
    }

    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// Does one thing.
    pub fn event<T>(
        &mut self,
        what: String,
        does: impl FnOnce(&Flows) -> Result<T, Error>,
    ) -> Checked<T> {
        self.steps.push(what);
        Ok(does(&self.flows)?)
    }

    /// Cuts the power, if this world has a disk, and opens the store again: what was not synced is lost.
    pub fn cut_power(&mut self) -> Checked {
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        self.opened += 1;
        let after = disk.crash(&Image {
            damage: Damage::Lose,
            seed: self.opened,
        });
        let store = open(&self.clock, Some(&after), self.opened)?;
        self.flows = Flows::for_tests(store, self.flows.nets().clone());
        self.disk = Some(after);
        Ok(())
    }

    /// Says what happens to the last step.
    pub fn note(&mut self, what: &str) {
        if let Some(step) = self.steps.last_mut() {
            step.push_str(what);
        }
    }

    /// Fires one automatic task of some case; tells whether there was one.
    pub fn advance(&mut self) -> Checked<bool> {
        for case in self.flows.open_cases(None, CASES)? {
            if self.flows.advance(&case)?.is_some() {
                let last = self.flows.case(&case)?;
                let fired = self.last_of(&last.id)?;
                self.steps.push(format!("by itself: {fired}"));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What happened last in a case, in words.
    fn last_of(&self, case: &str) -> Checked<String> {
        let events = self.flows.history(case, 0)?;
        let with_task = events.iter().rev().find(|e| DONE.contains(&e.kind));
        let event = with_task.or(events.last());
        Ok(event.map_or_else(String::new, |e| {
            let task = e.task.as_deref().unwrap_or_default();
            format!("{} {task}", e.kind.name())
        }))
    }

    /// The tasks that wait for somebody to start them, for time, or for a signal; one for each instance; sorted.
    pub fn offered(&self) -> Checked<Vec<String>> {
        let mut tasks = Vec::new();
        self.each_item(|_, item| {
            if ["offered", "listening", "waiting"].contains(&item.state) {
                tasks.push(item.task.clone());
            }
        })?;
        tasks.sort();
        Ok(tasks)
    }

    /// The work that somebody could take now: case, item and task; the first of each task of a case.
    pub fn startable(&self) -> Checked<Vec<(String, u64, String)>> {
        let mut found: Vec<(String, u64, String)> = Vec::new();
        self.each_item(|case, item| {
            let known = |f: &(String, u64, String)| f.0 == case && f.2 == item.task;
            if item.state == "offered" && !found.iter().any(known) {
                found.push((case.to_owned(), item.item, item.task.clone()));
            }
        })?;
        Ok(found)
    }

    fn each_item(&self, mut see: impl FnMut(&str, &ItemInfo)) -> Checked {
        for case in self.flows.open_cases(None, CASES)? {
            let info = self.flows.case(&case)?;
            info.items.iter().for_each(|item| see(&case, item));
        }
        Ok(())
    }

    /// Claims work of a task: what was offered first.
    pub fn claim(&mut self, task: &str) -> Checked {
        let found = self.startable()?;
        let found = found.into_iter().find(|(_, _, name)| name == task);
        let (case, item, _) = found.ok_or_else(|| {
            let offered = self.offered().unwrap_or_default().join(" ");
            Wrong::new(
                format!("start {task}"),
                format!("{task} is offered"),
                format!("offered: {offered}"),
            )
        })?;
        self.claim_item(&case, item, task)
    }

    /// Claims a piece of work.
    pub fn claim_item(&mut self, case: &str, number: u64, task: &str) -> Checked {
        let item = (case.to_owned(), number);
        let replies = self.replies.get(task).map_or(&[][..], Vec::as_slice);
        let answers = self.answers.entry(task.to_owned()).or_default();
        let index = answers.back.pop_first().unwrap_or_else(|| {
            answers.next = answers.next.saturating_add(1);
            answers.next.saturating_sub(1)
        });
        let reply = replies.get(index).or(replies.last()).cloned();
        let reply = reply.unwrap_or(Reply::Value(Value::NULL));
        let (mut taken, mut after) = (&reply, Duration::ZERO);
        while let Reply::After(time, then) = taken {
            after = after.saturating_add(*time);
            taken = then;
        }
        let never = *taken == Reply::Never;
        let lease = if never { SHORT_LEASE } else { LEASE };
        // Else it would not be known after a power cut, which the worker does not notice.
        let written = self.disk.is_some();
        let what = format!("a worker starts {task}");
        let claim = self.event(what, |flows| {
            flows.claim_for_test(case, number, lease, written)
        });
        let claim = claim.inspect_err(|_| {
            if let Some(answers) = self.answers.get_mut(task) {
                answers.back.insert(index);
            }
        })?;
        let Some(work) = claim.and_then(|claim| claim.item) else {
            self.note(", but cannot");
            return Ok(());
        };
        if never {
            self.note(", and is never heard of again");
            return Ok(());
        }
        let late = self.held.iter_mut().filter(|held| held.item == item);
        late.for_each(|held| held.late = true);
        self.held.push(Held {
            task: task.to_owned(),
            token: work.token,
            item,
            reply: taken.clone(),
            index,
            late: false,
            ready: self.flows.now().saturating_add(after),
            until: work
                .lease_until
                .into_iter()
                .chain(work.deadline)
                .min()
                .unwrap_or(Timestamp::MAX),
        });
        Ok(())
    }

    /// The pieces of work that could be done with now, by their place in `held`.
    pub fn ready(&self) -> Vec<usize> {
        let now = self.flows.now();
        let ready = |held: &Held| held.ready <= now;
        let held = self.held.iter().enumerate();
        held.filter(|(_, held)| ready(held))
            .map(|(at, _)| at)
            .collect()
    }

    /// Ends the work of a task that was claimed first. The claim is over, whatever comes of it.
    pub fn finish(&mut self, task: &str) -> Checked {
        let at = self.held.iter().position(|held| held.task == task);
        let at = at.ok_or_else(|| {
            Wrong::new(
                format!("complete {task}"),
                format!("somebody works on {task}"),
                "nobody does",
            )
        })?;
        self.finish_at(at)
    }

    /// Ends a piece of work.
    pub fn finish_at(&mut self, at: usize) -> Checked {
        let held = self.held.remove(at);
        let task = &held.task;
        let ended = match &held.reply {
            Reply::Fail(failure) => {
                let what = format!("{task} fails: {}", failure.code);
                self.event(what, |flows| flows.fail(&held.token, failure))
            }
            Reply::Value(result) => {
                let shown: String = result.to_json().chars().take(60).collect();
                let what = format!("{task} completes with {shown}");
                self.event(what, |flows| flows.complete(&held.token, result))
            }
            _ => Err(Wrong::test("a worker that never answers does not complete")),
        };
        if let Err(why) = &ended
            && why.refusal
        {
            self.note(" (too late: refused)");
            let (case, number) = &held.item;
            let items = self.flows.case(case)?.items;
            let gone = !items.iter().any(|item| item.item == *number);
            // What was cancelled has not been answered.
            if gone
                && !held.late
                && let Some(answers) = self.answers.get_mut(task)
            {
                answers.back.insert(held.index);
            }
        }
        ended.map(|_| ())
    }

    /// The item of a task: the one that somebody works on, if somebody does.
    pub fn item(&self, task: &str) -> Checked<u64> {
        let items = self.flows.case(CASE)?.items.into_iter();
        let mut items: Vec<_> = items.filter(|i| i.task == task).collect();
        items.sort_by_key(|i| (i.state != "leased", i.item));
        let first = items.first().map(|i| i.item);
        first.ok_or_else(|| Wrong::new("an item", format!("there is work of {task}"), "none"))
    }

    /// Lets time pass, and does what is due.
    pub fn pass(&mut self, time: Duration) -> Checked {
        self.clock.advance(time);
        let fired = self.event(format!("{time:?} pass"), Flows::fire_due)?;
        if fired.is_empty() {
            self.note(", nothing is due");
        }
        Ok(())
    }

    /// The time until something is due, or until a worker that needs time is ready. A worker that is ready is not
    /// made late.
    pub fn due(&self) -> Checked<Option<Duration>> {
        let now = self.flows.now();
        let ready = self.held.iter().filter(|held| held.ready <= now);
        let latest = ready.map(|held| held.until).min();
        let later = |held: &Held| (held.ready > now).then_some(held.ready);
        let ready = self.held.iter().filter_map(later).min();
        let due = self.flows.next_due()?.into_iter().chain(ready).min();
        let due = due.filter(|due| latest.is_none_or(|latest| *due < latest));
        Ok(due.map(|due| due.saturating_since(now)))
    }

    /// Tokens of the case that everything is about, a name for each; sorted.
    pub fn tokens(&self) -> Checked<Vec<String>> {
        let mut tokens = Vec::new();
        for (place, n) in self.flows.case(CASE)?.marking {
            tokens.extend((0..n).map(|_| place.clone()));
        }
        tokens.sort();
        Ok(tokens)
    }

    pub fn status(&self) -> Checked<String> {
        Ok(self.flows.case(CASE)?.status.to_string())
    }

    /// How many cases there are.
    pub fn cases(&self) -> Checked<u64> {
        Ok(self.flows.cases(&CaseFilter::default())?.len() as u64)
    }

    /// Everything that happened in all cases, in order.
    pub fn history(&self) -> Checked<Vec<HistoryEvent>> {
        let mut events = Vec::new();
        for case in self.flows.cases(&CaseFilter::default())? {
            events.extend(self.flows.history(&case.id, 0)?);
        }
        events.sort_by_key(|event| (event.version, event.case.len(), event.seq));
        Ok(events)
    }

    /// The tasks in the order in which they completed.
    pub fn trace(&self) -> Checked<Vec<String>> {
        let events = self.history()?.into_iter();
        Ok(events
            .filter(|event| DONE.contains(&event.kind))
            .filter_map(|event| Some(event.task?.to_string()))
            .collect())
    }

    /// What a check sees.
    pub fn view(&self) -> Checked<View> {
        let case = self.flows.case(CASE)?;
        let (mut offered, mut running) = (Vec::new(), Vec::new());
        self.each_item(|_, item| match item.state {
            "offered" => offered.push(item.task.clone()),
            "leased" | "running" => running.push(item.task.clone()),
            _ => {}
        })?;
        offered.sort();
        running.sort();
        let (net, _) = self.flows.load(CASE)?;
        let tasks = net.tasks.iter().map(|task| (task.name.to_string(), 0));
        let mut done: BTreeMap<String, u64> = tasks.collect();
        for task in self.trace()? {
            *done.entry(task).or_default() += 1;
        }
        let tokens = case.marking.into_iter();
        Ok(View {
            status: case.status,
            data: case.data,
            result: case.result.unwrap_or(Value::NULL),
            error: case.error.unwrap_or(Value::NULL),
            tokens: tokens.map(|(place, n)| (place, u64::from(n))).collect(),
            offered,
            running,
            done,
            time: self.flows.now().saturating_since(self.began),
        })
    }
}

fn open(clock: &SimClock, disk: Option<&SimIo>, seed: u64) -> Result<Store, Error> {
    let (io, place) = match disk {
        Some(disk) => (disk.clone(), Place::Dir(PathBuf::from("/store"))),
        None => (SimIo::new(), Place::Memory),
    };
    let env = Env {
        clock: Arc::new(clock.clone()),
        ..sim::env(&io, seed)
    };
    let mut options = match disk {
        Some(_) => StoreOptions::with_durability(Durability::Strict),
        None => StoreOptions::default(),
    };
    // A disk is copied with every power cut.
    options.log.first_segment_bytes = 16 << 10;
    options.log.segment_bytes = 64 << 10;
    Ok(Store::open(env, place, options)?)
}
