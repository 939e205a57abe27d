//! A case in a simulated world: no threads, virtual time, and a power cut after every event if one is wanted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use statewright_flow::{CaseFilter, EventKind, Flows, HistoryEvent, Queue};
use statewright_log::sim::{self, Damage, Image, SimClock, SimIo};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};
use statewright_value::Value;

/// The id of the case that everything is about.
pub const CASE: &str = "case";

/// Work that somebody has claimed.
pub struct Held {
    pub task: String,
    token: String,
}

pub struct World {
    flows: Flows,
    clock: SimClock,
    /// The disk, when the power is cut after every event.
    disk: Option<SimIo>,
    opened: u64,
    /// Work that is being done, the oldest first.
    pub held: Vec<Held>,
    /// What was claimed and is not the worker's any more; its result must be refused.
    results: BTreeMap<String, Vec<Value>>,
    answered: BTreeMap<String, usize>,
}

impl World {
    /// A world with a deployed flow and a case of it that has just begun.
    pub fn start(
        spec: &str,
        input: &Value,
        results: &BTreeMap<String, Vec<Value>>,
        power_cuts: bool,
    ) -> Result<World> {
        let clock = SimClock::new();
        let disk = power_cuts.then(SimIo::new);
        let flows = open(&clock, disk.as_ref(), 0)?;
        flows.deploy(spec, None)?;
        let name = name_of(spec).context("the flow has a name")?;
        let mut world = World {
            flows,
            clock,
            disk,
            opened: 0,
            held: Vec::new(),
            results: results.clone(),
            answered: BTreeMap::new(),
        };
        world.event(|flows| Ok(flows.start(name, input, Some(CASE))?))?;
        Ok(world)
    }

    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// Does one thing, and cuts the power after it.
    pub fn event<T>(&mut self, does: impl FnOnce(&Flows) -> Result<T>) -> Result<T> {
        let done = does(&self.flows)?;
        if let Some(disk) = &self.disk {
            self.opened += 1;
            // What was not synced is lost.
            let image = Image {
                damage: Damage::Lose,
                seed: self.opened,
            };
            let after = disk.crash(&image);
            self.flows = open(&self.clock, Some(&after), self.opened)
                .context("opening after a power cut")?;
            self.disk = Some(after);
        }
        Ok(done)
    }

    /// Fires one automatic task of some case; tells whether there was one.
    pub fn advance(&mut self) -> Result<bool> {
        for case in self.flows.open_cases(None, 1000)? {
            if self.event(|flows| Ok(flows.advance(&case)?.is_some()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fires all automatic tasks.
    pub fn settle(&mut self) -> Result<()> {
        while self.advance()? {}
        Ok(())
    }

    /// The tasks that wait for somebody to start them, for time, or for a signal; one for each instance; sorted.
    pub fn offered(&self) -> Result<Vec<String>> {
        self.waiting(&["offered", "listening", "waiting"])
    }

    /// The tasks that somebody could start now.
    pub fn startable(&self) -> Result<Vec<String>> {
        self.waiting(&["offered"])
    }

    fn waiting(&self, states: &[&str]) -> Result<Vec<String>> {
        let mut tasks = Vec::new();
        for case in self.flows.open_cases(None, 1000)? {
            let info = self.flows.case(&case)?;
            let items = info.items.iter().filter(|i| states.contains(&i.state));
            tasks.extend(items.map(|i| i.task.clone()));
        }
        tasks.sort();
        Ok(tasks)
    }

    /// Claims the work of a task.
    pub fn claim(&mut self, task: &str) -> Result<()> {
        let queue = Queue::Topics(vec![task.to_owned()]);
        let lease = Some(Duration::from_secs(1_000_000));
        let claims = self.event(|flows| Ok(flows.claim(&queue, "worker", lease, 1)?))?;
        let item = claims.into_iter().next().and_then(|claim| claim.item);
        let item = item.with_context(|| format!("{task} cannot be started"))?;
        self.held.push(Held {
            task: item.task,
            token: item.token,
        });
        Ok(())
    }

    /// Gives the result of the work of a task that was claimed first. The claim is over, whatever comes of it.
    pub fn complete(&mut self, task: &str) -> Result<()> {
        let at = self.held.iter().position(|held| held.task == task);
        let at = at.with_context(|| format!("nobody works on {task}"))?;
        let held = self.held.remove(at);
        let answered = self.answered.get(task).copied().unwrap_or(0);
        let results = self.results.get(task).map_or(&[][..], Vec::as_slice);
        let result = results.get(answered).or(results.last()).cloned();
        let result = result.unwrap_or(Value::NULL);
        self.event(|flows| Ok(flows.complete(&held.token, &result)?))?;
        *self.answered.entry(task.to_owned()).or_default() += 1;
        Ok(())
    }

    /// Cancels the case that everything is about.
    pub fn cancel(&mut self) -> Result<()> {
        self.event(|flows| Ok(flows.cancel(CASE, "asked for")?))?;
        Ok(())
    }

    /// The item of a task: the one that somebody works on, if somebody does.
    pub fn item(&self, task: &str) -> Result<u64> {
        let items = self.flows.case(CASE)?.items.into_iter();
        let mut items: Vec<_> = items.filter(|i| i.task == task).collect();
        items.sort_by_key(|i| (i.state != "leased", i.item));
        let first = items.first().map(|i| i.item);
        first.with_context(|| format!("there is no work of {task}"))
    }

    /// Lets time pass, and does what is due.
    pub fn pass(&mut self, time: Duration) -> Result<()> {
        self.clock.advance(time);
        self.event(|flows| Ok(flows.fire_due()?))?;
        Ok(())
    }

    /// The time until something is due, if anything is.
    pub fn due(&self) -> Result<Option<Duration>> {
        let now = self.flows.store().env().clock.now();
        let due = self.flows.next_due()?;
        Ok(due.map(|due| due.saturating_since(now)))
    }

    /// Tokens of the case that everything is about, a name for each; sorted.
    pub fn tokens(&self) -> Result<Vec<String>> {
        let mut tokens = Vec::new();
        for (place, n) in self.flows.case(CASE)?.marking {
            tokens.extend((0..n).map(|_| place.clone()));
        }
        tokens.sort();
        Ok(tokens)
    }

    pub fn status(&self) -> Result<String> {
        Ok(self.flows.case(CASE)?.status.to_string())
    }

    /// How many cases there are.
    pub fn cases(&self) -> Result<u64> {
        Ok(self.flows.cases(&CaseFilter::default())?.len() as u64)
    }

    /// Everything that happened in all cases, in order.
    pub fn history(&self) -> Result<Vec<HistoryEvent>> {
        let mut events = Vec::new();
        for case in self.flows.cases(&CaseFilter::default())? {
            events.extend(self.flows.history(&case.id, 0)?);
        }
        events.sort_by_key(|event| (event.version, event.case.len(), event.seq));
        Ok(events)
    }

    /// The tasks in the order in which they completed.
    pub fn trace(&self) -> Result<Vec<String>> {
        let done = [
            EventKind::Completed,
            EventKind::Fired,
            EventKind::Logged,
            EventKind::Routed,
            EventKind::Signalled,
            EventKind::TimerFired,
        ];
        let events = self.history()?.into_iter();
        Ok(events
            .filter(|event| done.contains(&event.kind))
            .filter_map(|event| Some(event.task?.to_string()))
            .collect())
    }
}

fn open(clock: &SimClock, disk: Option<&SimIo>, seed: u64) -> Result<Flows> {
    let (io, place) = match disk {
        Some(disk) => (disk.clone(), Place::Dir(PathBuf::from("/store"))),
        None => (SimIo::new(), Place::Memory),
    };
    let env = Env {
        clock: Arc::new(clock.clone()),
        ..sim::env(&io, seed)
    };
    let options = match disk {
        Some(_) => StoreOptions::with_durability(Durability::Strict),
        None => StoreOptions::default(),
    };
    Ok(Flows::new(Store::open(env, place, options)?))
}

/// The name of the flow of a spec.
pub fn name_of(spec: &str) -> Option<&str> {
    spec.lines().find_map(|line| line.strip_prefix("name: "))
}
