//! A simulated world with one case driver in it: no threads, virtual time, every result from a function.

use std::path::PathBuf;
use std::time::Duration;

use statewright_flow::{
    Error, EventKind, Failure, Flows, MigrateOptions, Migrated, Queue, Status, WorkItem,
};
use statewright_log::sim::{self, SimClock, SimIo};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};
use statewright_value::Value;

pub type Answer = Result<Value, Failure>;

/// Everything a test needs to drive cases.
pub struct World {
    pub flows: Flows,
    pub clock: SimClock,
}

impl World {
    /// A store in memory.
    pub fn new() -> World {
        let (env, _, clock) = sim::world(1);
        let store = Store::open(env, Place::Memory, StoreOptions::default()).unwrap();
        World {
            flows: Flows::new(store),
            clock,
        }
    }

    /// A strict store on a simulated disk.
    pub fn on_disk(
        io: &SimIo,
        clock: &SimClock,
        seed: u64,
    ) -> Result<World, statewright_store::Error> {
        let env = Env {
            clock: std::sync::Arc::new(clock.clone()),
            ..sim::env(io, seed)
        };
        let options = StoreOptions::with_durability(Durability::Strict);
        let store = Store::open(env, Place::Dir(PathBuf::from("/store")), options)?;
        Ok(World {
            flows: Flows::new(store),
            clock: clock.clone(),
        })
    }

    pub fn with_flow(spec: &str) -> World {
        let world = World::new();
        world.flows.deploy(spec, None).unwrap();
        world
    }

    /// Starts a case and drives it until nothing happens any more.
    pub fn run(&self, flow: &str, input: Value, answer: impl FnMut(&WorkItem) -> Answer) -> String {
        let case = self
            .flows
            .start(flow, &input, None)
            .unwrap()
            .case
            .to_string();
        self.drive(answer).unwrap();
        case
    }

    /// Takes every offered item, whatever its topic, one at a time.
    pub fn claim(&self, topics: &[&str]) -> Result<Option<WorkItem>, Error> {
        let topics = Queue::Topics(topics.iter().map(|t| (*t).to_owned()).collect());
        for queue in [topics, Queue::Process] {
            let claimed = self
                .flows
                .claim(&queue, "test", Some(Duration::from_secs(30)), 1)?;
            if let Some(claim) = claimed.into_iter().next() {
                return Ok(claim.item);
            }
        }
        Ok(None)
    }

    /// Does one thing after the other until only time could change something, lets it pass, and goes on; until
    /// nothing is left to do.
    pub fn drive(&self, mut answer: impl FnMut(&WorkItem) -> Answer) -> Result<(), Error> {
        loop {
            let mut moved = false;
            for case in self.flows.open_cases(None, 100)? {
                while self.flows.advance(&case)?.is_some() {
                    moved = true;
                }
            }
            if let Some(item) = self.claim(&["work", "a", "b", "c", "d"])? {
                match answer(&item) {
                    Ok(result) => self.flows.complete(&item.token, &result)?,
                    Err(failure) => self.flows.fail(&item.token, &failure)?,
                };
                moved = true;
            }
            moved |= !self.flows.fire_due()?.is_empty();
            if moved {
                continue;
            }
            let Some(due) = self.flows.next_due()? else {
                return Ok(());
            };
            let now = self.flows.store().env().clock.now();
            self.clock.advance(due.saturating_since(now));
        }
    }

    /// The history as `event task#attempt`, one an event.
    pub fn trace(&self, case: &str) -> Vec<String> {
        let events = self.flows.history(case, 0).unwrap();
        let show = |e: &statewright_flow::HistoryEvent| match (&e.task, e.attempt) {
            (Some(task), Some(attempt)) => format!("{} {task}#{attempt}", e.kind.name()),
            (Some(task), None) => format!("{} {task}", e.kind.name()),
            _ => e.kind.name().to_owned(),
        };
        events.iter().map(show).collect()
    }

    /// The tasks in the order in which they completed.
    pub fn completed(&self, case: &str) -> Vec<String> {
        let done = [
            EventKind::Completed,
            EventKind::Fired,
            EventKind::Logged,
            EventKind::TimerFired,
        ];
        let events = self.flows.history(case, 0).unwrap();
        events
            .iter()
            .filter(|e| done.contains(&e.kind))
            .filter_map(|e| Some(e.task.as_ref()?.to_string()))
            .collect()
    }

    pub fn status(&self, case: &str) -> Status {
        self.flows.case(case).unwrap().status
    }
}

/// A world on a disk of its own, so with a log.
pub fn disk() -> World {
    World::on_disk(&SimIo::new(), &SimClock::new(), 1).unwrap()
}

/// Starts a case and fires what fires by itself.
pub fn start(world: &World, flow: &str, id: &str) {
    world.flows.start(flow, &Value::NULL, Some(id)).unwrap();
    while world.flows.advance(id).unwrap().is_some() {}
}

/// A world in memory with a flow and a case of it, `c`.
pub fn started(spec: &str) -> World {
    let world = World::with_flow(spec);
    let name = spec.lines().find_map(|l| l.strip_prefix("name: ")).unwrap();
    start(&world, name, "c");
    world
}

/// Polls for a topic.
pub fn claim(world: &World, topic: &str) -> Option<WorkItem> {
    let queue = Queue::Topics(vec![topic.to_owned()]);
    let lease = Some(Duration::from_secs(30));
    let claimed = world.flows.claim(&queue, "ann", lease, 1).unwrap();
    claimed.into_iter().next().and_then(|claim| claim.item)
}

/// Moves all cases to a version.
pub fn migrate(world: &World, spec: &str) -> Migrated {
    let options = MigrateOptions::default();
    world.flows.migrate(spec, None, &options).unwrap()
}

/// Does a case again, which comes out the same.
pub fn same(world: &World, id: &str) {
    let replayed = world.flows.replay(id, None).unwrap();
    assert_eq!(replayed.difference, None, "{:?}", world.trace(id));
}

/// Fails the first attempt of `left`, and gives 7 for everything else.
pub fn seven(item: &WorkItem) -> Answer {
    match item.task.as_str() {
        "left" if item.attempt == 1 => Err(Failure::new("busy", "later")),
        _ => Ok(Value::from(7)),
    }
}

/// Gives the task's name and attempt as the result.
pub fn echo(item: &WorkItem) -> Answer {
    Ok(Value::from(format!("{}#{}", item.task, item.attempt)))
}
