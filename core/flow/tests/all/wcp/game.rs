//! A player of cases: every step is one event, chosen in order or at random, with or without a crash after it. Beside
//! `statewright_flow::testing`, which plays whole tests: these drive a case by hand between two events, and share no
//! code with what they would else be tested by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statewright_flow::{EventKind, Flows, HistoryEvent, Queue, Status, WorkItem};
use statewright_log::sim::{self, Image, SimClock, SimIo};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};
use statewright_value::Value;

/// How events follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The first thing that can be done.
    Straight,
    /// As straight, with a power cut and recovery after every event.
    Crash,
    /// Whatever the seed says.
    Random(u64),
    /// The same, with a power cut and recovery after every event.
    RandomCrash(u64),
}

pub struct Game {
    io: SimIo,
    pub clock: SimClock,
    pub flows: Flows,
    pub mode: Mode,
    seed: u64,
    crashes: u64,
    /// What workers have claimed and not completed.
    pub claimed: Vec<WorkItem>,
    done: BTreeSet<String>,
    pub case: String,
}

fn open(io: &SimIo, clock: &SimClock, seed: u64) -> Flows {
    let env = Env {
        clock: Arc::new(clock.clone()),
        ..sim::env(io, seed)
    };
    let options = StoreOptions::with_durability(Durability::Strict);
    Flows::new(Store::open(env, Place::Dir(PathBuf::from("/store")), options).unwrap())
}

impl Game {
    /// A case of a flow that has just begun.
    pub fn start(spec: &str, input: Value, mode: Mode) -> Game {
        let (io, clock) = (SimIo::new(), SimClock::new());
        let flows = open(&io, &clock, 1);
        let deployed = flows.deploy(spec, None);
        let name = deployed.unwrap_or_else(|e| panic!("{e}\n{spec}")).name;
        let case = flows
            .start(&name, &input, Some("case"))
            .unwrap()
            .case
            .to_string();
        let seed = match mode {
            Mode::Random(seed) | Mode::RandomCrash(seed) => seed,
            _ => 0,
        };
        let mut game = Game {
            io,
            clock,
            flows,
            mode,
            seed,
            crashes: 0,
            claimed: Vec::new(),
            done: BTreeSet::new(),
            case,
        };
        game.crash();
        game
    }

    /// If this game has crashes: the power fails, and the store is opened again from what was durable.
    pub fn crash(&mut self) {
        if !matches!(self.mode, Mode::Crash | Mode::RandomCrash(_)) {
            return;
        }
        self.crashes += 1;
        let image = Image::series(self.crashes, 1).next().unwrap();
        self.io = self.io.crash(&image);
        self.flows = open(&self.io, &self.clock, self.crashes);
    }

    fn pick(&mut self, len: usize) -> usize {
        if !matches!(self.mode, Mode::Random(_) | Mode::RandomCrash(_)) {
            return 0;
        }
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % len
    }

    /// The tasks that are offered to hosts now, in all open cases.
    pub fn offered(&self) -> Vec<String> {
        let mut offered = Vec::new();
        for case in self.flows.open_cases(None, 1000).unwrap() {
            let info = self.flows.case(&case).unwrap();
            let items = info
                .items
                .iter()
                .filter(|i| i.kind == "host" && i.state == "offered");
            offered.extend(items.map(|i| i.task.clone()));
        }
        offered
    }

    /// Takes an offered item of a task.
    pub fn claim(&mut self, task: &str) -> Option<WorkItem> {
        let queue = Queue::Topics(vec![task.to_owned()]);
        let lease = Some(Duration::from_secs(1 << 30));
        let claimed = self.flows.claim(&queue, "w", lease, 1).unwrap();
        let item = claimed.into_iter().next().and_then(|c| c.item);
        self.claimed.extend(item.clone());
        self.crash();
        item
    }

    /// Completes what was claimed of a task.
    pub fn complete(&mut self, task: &str, result: Value) {
        let at = self.claimed.iter().position(|i| i.task == task);
        let item = self
            .claimed
            .remove(at.unwrap_or_else(|| panic!("{task} was not claimed")));
        self.complete_item(&item, result);
    }

    fn complete_item(&mut self, item: &WorkItem, result: Value) {
        match self.flows.complete(&item.token, &result) {
            Ok(_) => assert!(
                self.done.insert(item.idempotency_key.clone()),
                "{} completed twice",
                item.task
            ),
            // Cancelled meanwhile: the late result is refused.
            Err(e) => assert_eq!(e.code(), 504, "{e}"),
        }
        self.crash();
        // A completion is final.
        assert_eq!(
            self.flows
                .complete(&item.token, &Value::NULL)
                .unwrap_err()
                .code(),
            504
        );
    }

    /// Fires whatever fires by itself, until nothing does.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for case in self.flows.open_cases(None, 1000).unwrap() {
                while self.flows.advance(&case).unwrap().is_some() {
                    moved = true;
                    self.crash();
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Claims and completes a task, and lets follow what follows.
    pub fn work(&mut self, task: &str) {
        self.settle();
        assert!(
            self.claim(task).is_some(),
            "{task} is not offered, but {:?}",
            self.offered()
        );
        self.complete(task, Value::NULL);
        self.settle();
    }

    /// Does one thing that can be done; false if only time could change something.
    pub fn step(&mut self, answer: &dyn Fn(&WorkItem) -> Value) -> bool {
        enum Do {
            Advance(String),
            Claim(String),
            Complete(usize),
        }
        let mut actions = Vec::new();
        for case in self.flows.open_cases(None, 1000).unwrap() {
            actions.push(Do::Advance(case));
        }
        actions.extend((0..self.claimed.len()).map(Do::Complete));
        let mut offered = self.offered();
        offered.dedup();
        actions.extend(offered.into_iter().map(Do::Claim));
        while !actions.is_empty() {
            let index = self.pick(actions.len());
            match actions.remove(index) {
                Do::Advance(case) => {
                    if self.flows.advance(&case).unwrap().is_some() {
                        self.crash();
                        return true;
                    }
                }
                Do::Claim(task) => {
                    self.claim(&task);
                    return true;
                }
                Do::Complete(index) => {
                    let item = self.claimed.remove(index);
                    let result = answer(&item);
                    self.complete_item(&item, result);
                    return true;
                }
            }
        }
        false
    }

    /// Lets time pass to the next timer.
    pub fn wait(&mut self) -> bool {
        let Some(due) = self.flows.next_due().unwrap() else {
            return false;
        };
        let now = self.flows.store().env().clock.now();
        self.clock.advance(due.saturating_since(now));
        let fired = !self.flows.fire_due().unwrap().is_empty();
        self.crash();
        fired
    }

    /// Plays to the end.
    pub fn play(&mut self, answer: &dyn Fn(&WorkItem) -> Value) {
        for _ in 0..2000 {
            if !self.step(answer) && !self.wait() {
                return;
            }
        }
        panic!("the case does not end: {:?}", self.trace());
    }

    pub fn end(&self) -> End {
        let info = self.flows.case(&self.case).unwrap();
        End {
            status: info.status,
            result: info.result,
            error: info.error,
            marking: info.marking.into_iter().collect(),
            items: info.items.len(),
            events: self.flows.history(&self.case, 0).unwrap(),
        }
    }

    pub fn trace(&self) -> Vec<String> {
        self.end().trace()
    }
}

/// How a case ended, or where it is.
pub struct End {
    pub status: Status,
    pub result: Option<Value>,
    pub error: Option<Value>,
    pub marking: BTreeMap<String, u32>,
    pub items: usize,
    pub events: Vec<HistoryEvent>,
}

impl End {
    /// `event task`, in order.
    pub fn trace(&self) -> Vec<String> {
        let events = self.events.iter();
        events
            .map(|e| match &e.task {
                Some(task) => format!("{} {task}", e.kind.name()),
                None => e.kind.name().to_owned(),
            })
            .collect()
    }

    /// The first letters of the tasks in the order of their completions.
    pub fn order(&self) -> String {
        let done = [
            EventKind::Completed,
            EventKind::Fired,
            EventKind::TimerFired,
            EventKind::Signalled,
        ];
        let events = self.events.iter().filter(|e| done.contains(&e.kind));
        events
            .filter_map(|e| e.task.as_ref()?.chars().next())
            .collect()
    }

    /// How often something happened to a task.
    pub fn count(&self, kind: EventKind, task: &str) -> usize {
        let of = |e: &&HistoryEvent| e.kind == kind && e.task.as_deref() == Some(task);
        self.events.iter().filter(of).count()
    }

    /// The greatest number of these tasks that were at work at once.
    pub fn together(&self, tasks: &[&str]) -> usize {
        let (mut now, mut most) = (0_usize, 0);
        for event in &self.events {
            if !event.task.as_deref().is_some_and(|t| tasks.contains(&t)) {
                continue;
            }
            match event.kind {
                EventKind::Started => now += 1,
                EventKind::Completed | EventKind::Cancelled => now -= 1,
                _ => {}
            }
            most = most.max(now);
        }
        most
    }
}

/// Plays a flow straight, with crashes and at random, and checks how each game ended.
pub fn all(spec: &str, input: &Value, check: impl Fn(&End)) {
    all_with(spec, input, &|item| Value::from(item.task.as_str()), check);
}

pub fn all_with(
    spec: &str,
    input: &Value,
    answer: &dyn Fn(&WorkItem) -> Value,
    check: impl Fn(&End),
) {
    let random = (1..=RANDOM_GAMES).map(Mode::Random);
    for mode in [Mode::Straight, Mode::Crash].into_iter().chain(random) {
        let mut game = Game::start(spec, input.clone(), mode);
        game.play(answer);
        let end = game.end();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check(&end);
            assert!(!end.status.is_final() || end.items == 0, "work is left");
        }));
        if let Err(panic) = checked {
            eprintln!(
                "{mode:?}: {:?} {:?}\n{:#?}",
                end.status,
                end.error,
                end.trace()
            );
            std::panic::resume_unwind(panic);
        }
        assert_eq!(
            game.flows.next_due().unwrap(),
            None,
            "{mode:?}: a timer is left"
        );
    }
}

/// Random games of each pattern here; the conformance suite plays many more.
const RANDOM_GAMES: u64 = 12;
