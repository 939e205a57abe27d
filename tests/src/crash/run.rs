//! Runs a scenario once and keeps every moment of it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use statewright_log::sim::{self, Change, Disk, SimIo, SimRandom};
use statewright_log::{
    Durability, Env, Error, Frame, Log, LogOptions, Position, Random, Timestamp,
};

use super::scenario::{Scenario, Step};

/// What a commit contains.
pub type Payload = Arc<Vec<u8>>;

/// The disk just before a change, and what may be expected to be on it.
pub struct Moment {
    /// The change that did not happen any more.
    pub change: Change,
    /// The disk before it.
    pub disk: Disk,
    /// What may be there.
    pub expected: Arc<dyn Expect>,
}

/// What may be expected of a disk after a power cut.
pub trait Expect: Send + Sync {
    /// Recovers from the damaged disk and checks everything that is promised about that. Returns the moments of the
    /// recovery, to be crashed in turn.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn check(&self, disk: &Disk, seed: u64) -> Result<Vec<Moment>, String>;
}

/// What may be found after a crash: the first `acknowledged` commits at least, `written` at most, exactly these.
#[derive(Clone, Default)]
pub struct Expected {
    /// How many commits were acknowledged as durable.
    pub acknowledged: u64,
    /// All commits that were ever handed to the log, and not found to be lost.
    pub written: Vec<Payload>,
    /// Places up to which everything was durable, as checkpoints would have been made there: the first, one on the
    /// way, and the last.
    pub positions: Vec<Position>,
}

/// The folder of the log.
#[must_use]
pub fn dir() -> &'static Path {
    Path::new("/data/store")
}

/// Small segments, so that a few commits fill several.
#[must_use]
pub fn options(durability: Durability) -> LogOptions {
    LogOptions {
        durability,
        first_segment_bytes: 8192,
        segment_bytes: 12_288,
        ..LogOptions::default()
    }
}

/// Of a segment of which openings do not look at everything.
const LARGE: u64 = (1 << 20) + (1 << 16);

/// Opens the log and returns its commits. Says what is wrong if their versions or hashes do not follow each other.
pub fn open(env: Env, durability: Durability) -> Result<(Log, Vec<Payload>), String> {
    open_from(env, durability, None)
}

/// [`open`] from a place; returns the commits behind it.
pub fn open_from(
    env: Env,
    durability: Durability,
    start: Option<Position>,
) -> Result<(Log, Vec<Payload>), String> {
    open_with(env, options(durability), start)
}

fn open_with(
    env: Env,
    options: LogOptions,
    start: Option<Position>,
) -> Result<(Log, Vec<Payload>), String> {
    let mut commits: Vec<Payload> = Vec::new();
    let before = start.map_or(0, |start| start.version);
    let mut hash = start.map(|start| start.hash);
    let mut wrong = None;
    let opened = Log::open_from(env, dir(), options, start, &mut |frame: Frame<'_>| {
        let version = before + commits.len() as u64 + 1;
        if frame.version != version || hash.is_some_and(|hash| hash != frame.prev) {
            wrong.get_or_insert(format!(
                "commit {} does not continue commit {}",
                frame.version,
                version - 1
            ));
        }
        if frame.time != time(version) {
            wrong.get_or_insert(format!("commit {version} has another time"));
        }
        hash = Some(frame.hash);
        commits.push(Arc::new(frame.ops.to_vec()));
        Ok(())
    });
    let (log, recovery) = opened.map_err(|e| format!("the log cannot be opened: {e}"))?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let frames = commits.len() as u64;
    if recovery.frames != frames || log.durable_version() != before + frames {
        return Err(format!(
            "{recovery:?} contradicts {} commits",
            commits.len()
        ));
    }
    if hash.is_some_and(|hash| hash != log.last_hash()) {
        return Err("the last hash is not that of the last commit".to_owned());
    }
    Ok((log, commits))
}

/// The time given to a commit.
#[must_use]
pub fn time(version: u64) -> Timestamp {
    Timestamp::from_micros(version as i64 * 1_000_003)
}

/// Runs the scenario and returns its moments, in order. Fails if the log breaks a promise even without a crash.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Vec<Moment>, String> {
    let io = SimIo::new();
    let moments = Arc::new(Mutex::new(Vec::new()));
    let expected = Arc::new(Mutex::new(Expected::default()));
    let (kept, model) = (moments.clone(), expected.clone());
    io.on_change(move |change, disk| {
        let moment = Moment {
            change: change.clone(),
            disk: disk.clone(),
            expected: Arc::new(model.lock().clone()),
        };
        kept.lock().push(moment);
    });
    let mut first = options(scenario.durability);
    if scenario.large {
        first.first_segment_bytes = LARGE;
        first.segment_bytes = LARGE;
    }
    let (log, _) = open_with(sim::env(&io, seed), first, None)?;
    let mut runner = Runner {
        io,
        expected,
        log,
        durability: scenario.durability,
        seed,
    };
    for step in &scenario.steps {
        runner
            .step(step)
            .map_err(|e| format!("without any crash, at {step:?}: {e}"))?;
    }
    runner.io.heal();
    runner.reopen(false, runner.durability)?;
    drop(runner);
    let moments = std::mem::take(&mut *moments.lock());
    Ok(moments)
}

struct Runner {
    io: SimIo,
    expected: Arc<Mutex<Expected>>,
    log: Log,
    durability: Durability,
    seed: u64,
}

impl Runner {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Append(len) => self.append(*len),
            Step::Sync => {
                let synced = self.log.sync_to(u64::MAX, &());
                self.acknowledge();
                self.go_on(synced)
            }
            Step::Ready => match self.log.make_ready() {
                Err(e) if e.code() != 303 && self.io.failed() > 0 => Ok(()),
                made => self.go_on(made.map(drop)),
            },
            Step::Reopen(durability) => self.reopen(false, *durability),
            Step::Kill(durability) => self.reopen(true, *durability),
            Step::Fail(fault) => {
                self.io.fail(fault.clone());
                Ok(())
            }
            Step::Heal => {
                self.io.heal();
                Ok(())
            }
        }
    }

    fn append(&mut self, len: usize) -> Result<(), String> {
        let (version, payload) = {
            let mut expected = self.expected.lock();
            let version = expected.written.len() as u64 + 1;
            // Different each time, so that a commit that should be lost is not taken for its successor.
            let mut payload = vec![0; len];
            let random = SimRandom::new(self.seed ^ self.io.boundaries() ^ version << 32);
            random.fill(&mut payload).map_err(|e| e.to_string())?;
            expected.written.push(Arc::new(payload.clone()));
            (version, payload)
        };
        match self.log.append(time(version), &payload) {
            Ok(appended) if appended == version => Ok(()),
            Ok(appended) => Err(format!("commit {version} was numbered {appended}")),
            Err(Error::NoSpace { .. }) => {
                // Nothing was appended, and the log goes on.
                self.expected.lock().written.pop();
                Ok(())
            }
            failed => self.go_on(failed.map(|_| ())),
        }
    }

    fn acknowledge(&self) {
        let mut expected = self.expected.lock();
        let durable = self.log.durable_version();
        expected.acknowledged = expected.acknowledged.max(durable);
        if durable == self.log.last_version() {
            if expected.positions.len() >= 3 {
                let older = 1 + (durable % 2) as usize;
                expected.positions.remove(older);
            }
            expected.positions.push(self.log.position());
        }
    }

    /// After a failure that was injected, opens the log again; any other failure is a violation.
    fn go_on(&mut self, result: Result<(), Error>) -> Result<(), String> {
        match result {
            Ok(()) => Ok(()),
            Err(Error::Poisoned { .. }) if self.io.failed() > 0 => {
                self.reopen(false, self.durability)
            }
            Err(e) => Err(e.to_string()),
        }
    }

    fn reopen(&mut self, kill: bool, durability: Durability) -> Result<(), String> {
        let kernel = if self.durability == Durability::Buffered {
            self.log.last_version()
        } else {
            0
        };
        let mut at_least = kernel.max(self.log.durable_version());
        if kill {
            self.io.halt_at(self.io.boundaries());
        } else if self.log.close().is_ok() {
            at_least = self.log.last_version();
            self.acknowledge();
        } else {
            at_least = self.log.durable_version();
        }
        // A log without files takes the place of the one that is dropped.
        self.log = Log::in_memory(sim::env(&self.io, 0));
        self.io.resume();
        let env = |io: &SimIo| sim::env(io, self.seed ^ io.boundaries());
        let (log, commits) = match open(env(&self.io), durability) {
            Err(_) if self.io.failed() > 0 => {
                self.io.heal();
                open(env(&self.io), durability)?
            }
            other => other?,
        };
        let mut expected = self.expected.lock();
        at_least = at_least.max(expected.acknowledged);
        super::check::compare(&commits, at_least, &expected.written)?;
        // What is shown is durable, and what is not shown must never come back.
        expected.written.truncate(commits.len());
        expected.acknowledged = commits.len() as u64;
        drop(expected);
        (self.log, self.durability) = (log, durability);
        Ok(())
    }
}
