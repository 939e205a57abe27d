//! The simulated world and its scheduler.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use statewright_log::sim::{SimClock, SimIo, SimRandom};
use statewright_log::{Clock, Durability, Env, Random};
use statewright_store::{Place, Space, Store, StoreOptions};

use super::cases::Cases;
use super::client::Client;
use super::judge::Judge;
use super::{Checked, FaultKind, Options, Outcome, Swarm, timetable};

/// Random bytes from the seed, which can be made to fail.
pub(super) struct FlakyRandom {
    inner: SimRandom,
    pub(super) fails: AtomicBool,
}

impl Random for FlakyRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("injected: no random bytes"));
        }
        self.inner.fill(bytes)
    }
}

/// All there is.
pub(super) struct World {
    pub(super) seed: u64,
    /// Decides what happens next. The store has random bytes of its own.
    pub(super) random: SimRandom,
    options: Options,
    pub(super) swarm: Swarm,
    pub(super) io: SimIo,
    pub(super) clock: SimClock,
    pub(super) entropy: Arc<FlakyRandom>,
    pub(super) durability: Durability,
    /// None only while it is being opened again.
    pub(super) store: Option<Store>,
    /// Counts openings.
    pub(super) epoch: u64,
    pub(super) spaces: [Space; 2],
    pub(super) clients: Vec<Client>,
    pub(super) judge: Judge,
    pub(super) cases: Cases,
    /// The clock of the history: one tick an event.
    now: u64,
    frozen: bool,
    /// What the clock has shown so far, in microseconds.
    times: Vec<i64>,
    /// The latest of it.
    latest: i64,
    /// Whether a disk that lies has been at work: what it promised is no longer the store's fault.
    pub(super) trusted: bool,
    /// Failing calls that happened on disks before this one.
    pub(super) failed_before: u64,
    /// Whether the store refused to go on with what is there; only where a disk has lied.
    pub(super) refused: Cell<bool>,
    pub(super) hash: u64,
    pub(super) out: Outcome,
}

pub(super) fn folder() -> &'static Path {
    Path::new("/data/store")
}

impl World {
    pub(super) fn new(seed: u64, random: SimRandom, options: Options) -> World {
        let swarm = Swarm::choose(&random);
        let clients = 1 + random.below(6) as usize;
        let durability = match random.below(10) {
            0 => Durability::Memory,
            1..=5 => Durability::Strict,
            _ => Durability::Buffered,
        };
        let clock = SimClock::auto();
        clock.jump(timetable::beginning(seed));
        World {
            seed,
            swarm,
            options,
            io: SimIo::new(),
            clock,
            entropy: Arc::new(FlakyRandom {
                inner: SimRandom::new(seed ^ 0x5EED),
                fails: AtomicBool::new(false),
            }),
            durability,
            store: None,
            epoch: 0,
            spaces: [Space::default(), Space::parse("t/two").unwrap_or_default()],
            clients: (0..clients).map(|_| Client::default()).collect(),
            judge: Judge::default(),
            cases: Cases::new(seed, options.flows),
            now: 0,
            frozen: false,
            times: Vec::new(),
            latest: i64::MIN,
            trusted: true,
            failed_before: 0,
            refused: Cell::new(false),
            hash: 0,
            out: Outcome {
                seed,
                ..Outcome::default()
            },
            random,
        }
    }

    pub(super) fn env(&self, io: &SimIo) -> Env {
        Env {
            io: Arc::new(io.clone()),
            clock: Arc::new(self.clock.clone()),
            random: self.entropy.clone(),
        }
    }

    pub(super) fn store_options(&self) -> StoreOptions {
        let mut options = StoreOptions::with_durability(self.durability);
        // Small segments, so that a few commits fill several.
        options.log.first_segment_bytes = 8192;
        options.log.segment_bytes = 12_288;
        // Some stores read what is in a checkpoint from there.
        if self.seed.is_multiple_of(4) {
            options.checkpoints.cache_bytes = self.seed % 3 * 2000;
        }
        if self.seed.is_multiple_of(8) {
            options.limits.max_recent = 6;
        }
        options
    }

    pub(super) fn place(&self) -> Place {
        match self.durability {
            Durability::Memory => Place::Memory,
            _ => Place::Dir(folder().to_path_buf()),
        }
    }

    /// The store. There is one whenever a client acts.
    pub(super) fn store(&self) -> Checked<&Store> {
        self.store.as_ref().ok_or_else(|| "no store is open".into())
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    pub(super) fn note(&mut self, what: u64) {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        self.hash = (self.hash ^ what).wrapping_mul(MIX).rotate_left(27);
    }

    pub(super) fn say(&self, text: impl FnOnce() -> String) {
        if self.options.verbose {
            eprintln!("{:>5} {}", self.out.steps, text());
        }
    }

    pub(super) fn struck(&mut self, kind: FaultKind) {
        self.say(|| format!("fault {kind:?}"));
        *self.out.faults.entry(kind).or_default() += 1;
    }

    /// Whether any call was made to fail since the beginning.
    pub(super) fn has_failed(&self) -> bool {
        self.failed_before + self.io.failed() > 0 || self.entropy.fails.load(Ordering::Relaxed)
    }

    pub(super) fn run(&mut self, steps: u64) -> Checked {
        self.say(|| {
            let (clients, faults) = (self.clients.len(), &self.swarm.active);
            format!(
                "{} with {clients} clients, faults {faults:?}",
                self.durability
            )
        });
        self.open_first()?;
        match self.steps(steps) {
            Err(_) if self.refused.get() => {}
            done => done?,
        }
        self.judge.check_history()
    }

    fn steps(&mut self, steps: u64) -> Checked {
        while self.out.steps < steps && !self.refused.get() {
            self.out.steps += 1;
            self.pass_time();
            self.look();
            if self.random.below(6) == 0 {
                self.mischief()?;
            } else if self.options.flows.is_some() || (self.cases.on && self.random.below(3) == 0) {
                self.flow_step()?;
            } else {
                let client = self.random.below(self.clients.len() as u64) as usize;
                self.act(client)?;
            }
            self.note(self.io.digest());
        }
        if self.refused.get() {
            return Ok(());
        }
        self.finish()
    }

    /// How often the clock was looked at; for [`earliest`](World::earliest).
    pub(super) fn looks(&self) -> usize {
        self.times.len()
    }

    /// The earliest time that the clock has shown since so many looks, in microseconds.
    pub(super) fn earliest(&self, since: usize) -> i64 {
        let times = self.times.get(since.saturating_sub(1)..);
        let earliest = times.unwrap_or_default().iter().min();
        earliest.copied().unwrap_or(i64::MIN)
    }

    /// The latest time that a commit can have, in microseconds.
    pub(super) fn latest(&self) -> i64 {
        self.latest
    }

    /// Looks at the clock.
    fn look(&mut self) {
        let now = self.clock.now().as_micros();
        self.times.push(now);
        self.latest = self.latest.max(now);
    }

    fn pass_time(&mut self) {
        if self.frozen {
            self.frozen = self.random.below(10) > 0;
            return;
        }
        let seconds = self.random.below(1200);
        let micros = self.random.below(1_000_000);
        self.out.seconds += seconds;
        self.clock
            .advance(Duration::from_secs(seconds) + Duration::from_micros(micros));
    }

    /// The clock's own faults.
    pub(super) fn disturb_clock(&mut self, kind: FaultKind) {
        let by = self.random.below(400_000_000_000) as i64;
        match kind {
            FaultKind::ClockBack => self.clock.jump(-by),
            FaultKind::ClockForward => self.clock.jump(by),
            _ => self.frozen = true,
        }
        self.look();
    }

    pub(super) fn outcome(mut self, violation: Option<String>) -> Outcome {
        self.note(self.io.digest());
        self.out.hash = self.hash;
        self.out.violation = violation.map(|problem| {
            let steps = self.out.steps;
            format!("at step {steps}: {problem}")
        });
        let faults = std::mem::take(&mut self.out.faults);
        self.out.faults = faults.into_iter().collect::<BTreeMap<_, _>>();
        self.out.txns = self.judge.txns();
        self.out
    }
}
