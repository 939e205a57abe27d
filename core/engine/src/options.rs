//! How to open an engine.

use std::time::Duration;

use statewright_log::{Durability, Env, LogOptions};
use statewright_store::{CheckpointOptions, StoreLimits};

/// Options of [`Engine::open`](crate::Engine::open); the defaults are the safe ones.
///
/// ```
/// use statewright::{Durability, Options};
/// let options = Options::default().durability(Durability::Buffered).workers(8);
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) durability: Durability,
    pub(crate) drive: bool,
    pub(crate) workers: usize,
    pub(crate) sync_interval: Duration,
    pub(crate) limits: StoreLimits,
    pub(crate) max_commit_bytes: u64,
    pub(crate) checkpoints: CheckpointOptions,
    pub(crate) purge_interval: Option<Duration>,
    pub(crate) env: Env,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Strict,
            drive: true,
            workers: 4,
            sync_interval: Duration::from_millis(50),
            limits: StoreLimits::default(),
            max_commit_bytes: LogOptions::default().max_commit_bytes,
            checkpoints: CheckpointOptions::default(),
            purge_interval: Some(Duration::from_secs(10)),
            env: Env::real(),
        }
    }
}

impl Options {
    /// What a commit survives when it is acknowledged: a power cut (`Strict`, the default), a killed process
    /// (`Buffered`), nothing (`Memory`; only for a store without a folder, which always has it).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether cases run in the background (the default). Without it, cases and work items can be looked at and the
    /// store used, but nothing moves until [`Engine::drive`](crate::Engine::drive).
    #[must_use]
    pub fn drive(mut self, drive: bool) -> Self {
        self.drive = drive;
        self
    }

    /// How many programs of `process` tasks run at the same time: 1 to 256, 4 by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// In buffered mode, how long a commit waits at most before it is synced in the background: 50 ms by default.
    #[must_use]
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Bounds on transactions.
    #[must_use]
    pub fn limits(mut self, limits: StoreLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many bytes one commit has at most: 64 MiB by default, and never more than 1 GiB
    /// ([`LogOptions::HARD_LIMIT`]). A larger one is refused with
    /// [`FrameTooLarge`](statewright_log::Error::FrameTooLarge). In memory there is no such limit.
    #[must_use]
    pub fn max_commit_bytes(mut self, bytes: u64) -> Self {
        self.max_commit_bytes = bytes;
        self
    }

    /// When checkpoints are made in the background, and what they leave in memory.
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: CheckpointOptions) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// Whether the memory of keys that have expired is given back in the background, in commits of 256 keys at most,
    /// and how long it waits at least, once all that was due is given back, until it looks again: 10 s by default. With
    /// `None` it is only given back by [`kv_purge`](statewright_store::Store::kv_purge) and
    /// [`purge_expired`](statewright_store::Store::purge_expired). No reader sees an expired key, purged or not. An
    /// engine in which no key falls due does not wake for it but once an hour, and not at all if no key expires.
    #[must_use]
    pub fn purge_interval(mut self, interval: Option<Duration>) -> Self {
        self.purge_interval = interval;
        self
    }

    /// The seams to the world: real ones by default, simulated ones in tests.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }
}
