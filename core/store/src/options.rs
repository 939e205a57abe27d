//! How to open a store, and what it tells of itself.

use std::path::PathBuf;

use statewright_log::{Durability, LogOptions, LogStats, Recovery};

use statewright_value::{Value, value};

use crate::checkpoint::{CheckpointOptions, CheckpointStats};

/// Where a store lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In memory alone; gone when closed.
    Memory,
    /// In a folder, made if it is not there. One process at a time.
    Dir(PathBuf),
}

/// Bounds on what a transaction may do. Counted, never timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Ops in one transaction at most; 100,000 by default.
    pub max_ops: usize,
    /// Recent writes remembered for conflict detection at most; 1,000,000 by default. A snapshot older than the
    /// window can no longer commit.
    pub max_recent: usize,
    /// How often [`Store::transact`](crate::Store::transact) runs its closure at most; 100 by default.
    pub max_attempts: u32,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            max_ops: 100_000,
            max_recent: 1_000_000,
            max_attempts: 100,
        }
    }
}

/// How to open a store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The log's options, durability among them.
    pub log: LogOptions,
    /// Bounds.
    pub limits: StoreLimits,
    /// When checkpoints are due, and what they leave in memory.
    pub checkpoints: CheckpointOptions,
}

impl StoreOptions {
    /// Default options with this durability.
    pub fn with_durability(durability: Durability) -> Self {
        let mut options = StoreOptions::default();
        options.log.durability = durability;
        options
    }
}

/// Figures of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStats {
    /// The version of the newest commit.
    pub version: u64,
    /// The newest version that is known to survive a power cut.
    pub durable_version: u64,
    /// The durability in force.
    pub durability: Durability,
    /// The options in force: of the log, those of a log in memory if it is one, and none above its hard limits.
    pub options: StoreOptions,
    /// Entries in the tree.
    pub entries: usize,
    /// Open transactions.
    pub transactions: usize,
    /// The log's own figures.
    pub log: LogStats,
    /// What opening found in the log.
    pub recovery: Recovery,
    /// The newest checkpoint.
    pub checkpoint: CheckpointStats,
}

impl StoreStats {
    /// The figures as an object, as the C ABI, the bindings and the command line give them: `version`,
    /// `durable_version`, `durability` (in force), `entries`, `transactions`, and the objects `limits` and `settings`
    /// (in force), `log` (since opening), `recovery` (what opening found) and `checkpoint` (the newest one).
    pub fn to_value(&self) -> Value {
        let log = &self.log;
        let (limits, settings) = (&self.options.limits, &self.options.log);
        let checkpoints = &self.options.checkpoints;
        let sizes = log.batch_sizes.iter().rev().skip_while(|n| **n == 0);
        let mut sizes: Vec<Value> = sizes.map(|n| Value::from(*n)).collect();
        sizes.reverse();
        let skipped = self.checkpoint.skipped.iter();
        let skipped: Value = skipped.map(|why| Value::text(why)).collect();
        value!({
            "version": (self.version),
            "durable_version": (self.durable_version),
            "durability": (self.durability.to_string()),
            "entries": (self.entries as u64),
            "transactions": (self.transactions as u64),
            "limits": {
                "max_ops": (limits.max_ops as u64),
                "max_recent": (limits.max_recent as u64),
                "max_attempts": (limits.max_attempts)
            },
            "settings": {
                "first_segment_bytes": (settings.first_segment_bytes),
                "segment_bytes": (settings.segment_bytes),
                "max_commit_bytes": (settings.max_commit_bytes),
                "map": (settings.map),
                "pad": (settings.pad),
                "reserve_bytes": (settings.reserve_bytes),
                "network": (settings.network),
                "checkpoint_every_bytes": (checkpoints.every_bytes),
                "cache_bytes": (checkpoints.cache_bytes)
            },
            "log": {
                "commits": (log.commits),
                "bytes": (log.bytes),
                "bytes_per_commit": (log.bytes_per_commit()),
                "syncs": (log.syncs),
                "mapped": (log.mapped),
                "batches": (log.batches),
                "batch_min": (log.batch_min),
                "batch_mean": (log.batch_mean()),
                "batch_max": (log.batch_max),
                "batch_sizes": (Value::from(sizes)),
                "segments_started": (log.segments_started),
                "failed": (log.failed.as_deref())
            },
            "recovery": {
                "commits": (self.recovery.frames),
                "bytes": (self.recovery.bytes),
                "cut_bytes": (self.recovery.cut_bytes),
                "rewritten": (self.recovery.rewritten),
                "segments": (self.recovery.segments),
                "clean": (self.recovery.clean)
            },
            "checkpoint": {
                "version": (self.checkpoint.version),
                "files": (self.checkpoint.files as u64),
                "bytes": (self.checkpoint.bytes),
                "used": (self.checkpoint.used),
                "skipped": skipped,
                "failed": (self.checkpoint.failed.as_deref())
            }
        })
    }
}
