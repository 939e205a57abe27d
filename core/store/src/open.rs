//! Opening a store: the newest checkpoint that is intact, and then what the log has behind it.

use std::path::Path;
use std::sync::Arc;

use statewright_log::sync::{AtomicBool, Mutex};
use statewright_log::{
    CheckpointFile, Durability, Env, Frame, Gate, Log, Position, Recovery, checkpoints,
};

use crate::checkpoint::{CheckpointStats, Checkpoints};
use crate::commit::{Newest, Shared, Writer};
use crate::error::{Error, Result};
use crate::op::{Op, decode_commit};
use crate::options::{Place, StoreOptions};
use crate::recent::Recent;
use crate::root::Published;
use crate::sabotage;
use crate::store::Store;
use crate::target::Stamp;
use crate::tree::{Pages, Tree};

/// What a checkpoint holds.
pub(crate) struct Found {
    number: u64,
    pub(crate) tree: Tree,
    pub(crate) start: Position,
}

impl Store {
    /// Opens a store: takes the newest intact checkpoint and replays the log behind it. Takes the folder for this
    /// process alone.
    ///
    /// In memory, `options.log.durability` is ignored. Fails with the log's errors (locked, corrupt, not writable, …)
    /// or with [`Error::Corrupt`]; a failure changes nothing. O(log behind the checkpoint), whatever the size of the
    /// state.
    pub fn open(env: Env, place: Place, options: StoreOptions) -> Result<Store> {
        let dir = match &place {
            Place::Dir(dir) if options.log.durability != Durability::Memory => Some(dir.clone()),
            _ => None,
        };
        let mut skipped = Vec::new();
        let (log, recovery, tree, start) = match &dir {
            None => (
                Log::in_memory(env.clone()),
                Recovery::default(),
                Tree::default(),
                0,
            ),
            Some(dir) => recover(&env, dir, &options, &mut skipped)?,
        };
        let strict = log.durability() == Durability::Strict;
        let version = log.last_version();
        let time = log.position().time;
        let used = tree.used();
        let files = tree.pages().files().to_vec();
        // The random identity of a store is in every hash of its log; one in memory has none.
        let [seed @ .., _, _, _, _, _, _, _, _] = log.last_hash();
        let seed = match &dir {
            Some(_) => u64::from_le_bytes(seed),
            None => env.random.u64().unwrap_or_default(),
        };
        let recent = Recent::new(options.limits.max_recent, seed);
        let mut writer = Writer::new(tree, version, time, strict, recent);
        writer.checkpoint = CheckpointStats {
            version: start,
            files: files.len(),
            bytes: files.iter().map(|file| file.len()).sum(),
            used,
            skipped,
            failed: None,
        };
        // What had to be replayed counts.
        let left = options.checkpoints.every_bytes;
        let left = left.saturating_sub(recovery.log_bytes).max(1);
        writer.checkpoint_at = dir.as_ref().map(|_| left);
        // Notes of keys that were gone before are looked for when the next one is made: opening reads no space.
        let may_expire = writer.tree.has_expiring();
        let shared = Shared {
            checkpoint_gate: Gate::new(),
            expiring: AtomicBool::new(false),
            may_expire: AtomicBool::new(may_expire),
            expiry_gate: Gate::new(),
            newest: Newest::new(time),
            checkpoints: Mutex::new(Checkpoints::new(dir, options.checkpoints, files)),
            unsynced: AtomicBool::new(false),
            unsynced_gate: Gate::new(),
            env,
            options: StoreOptions {
                log: log.options(),
                ..options
            },
            log,
            recovery,
            writer: Mutex::new(writer),
            published: Published::default(),
        };
        Ok(Store {
            shared: Arc::new(shared),
        })
    }
}

/// Replays the log from the newest checkpoint that can be used; gives the log, what it found, the state, and the
/// version of the checkpoint (0: none). None is needed, since the log has everything; so a damaged one is passed
/// over.
fn recover(
    env: &Env,
    dir: &Path,
    options: &StoreOptions,
    skipped: &mut Vec<String>,
) -> Result<(Log, Recovery, Tree, u64)> {
    let mut below = u64::MAX;
    loop {
        let found = newest(env, (dir, options), below, skipped)?;
        let number = found.as_ref().map(|found| found.number);
        let version = found.as_ref().map_or(0, |found| found.start.version);
        match (replay(env, dir, options, found), number) {
            // A page that the replay needs is not intact.
            (Err(e @ Error::Damaged { .. }), Some(number)) => {
                skipped.push(e.to_string());
                below = number;
            }
            (replayed, _) => {
                let (log, recovery, tree) = replayed?;
                return Ok((log, recovery, tree, version));
            }
        }
    }
}

/// The newest checkpoint with a number below this one that can be used.
fn newest(
    env: &Env,
    (dir, options): (&Path, &StoreOptions),
    below: u64,
    skipped: &mut Vec<String>,
) -> Result<Option<Found>> {
    let numbers = checkpoints(env, dir)?;
    for number in numbers.into_iter().rev().filter(|number| *number < below) {
        match load(env, dir, options, number) {
            Ok(found) => return Ok(Some(found)),
            // A newer version wrote it; its log may not be for us either.
            Err(Error::Log(e @ statewright_log::Error::UnsupportedFormat { .. })) => {
                return Err(e.into());
            }
            Err(e) => skipped.push(e.to_string()),
        }
    }
    Ok(None)
}

pub(crate) fn load(env: &Env, dir: &Path, options: &StoreOptions, number: u64) -> Result<Found> {
    let file = Arc::new(CheckpointFile::open(env, dir, number)?);
    let open = |numbers: &[u64]| {
        let files = numbers.iter().map(|n| match *n == number {
            true => Ok(file.clone()),
            false => Ok(Arc::new(CheckpointFile::open(env, dir, *n)?)),
        });
        let decoded = options.checkpoints.decoded_bytes();
        Ok(Pages::new(files.collect::<Result<_>>()?, decoded))
    };
    let tree = Tree::of_root(file.root(), open)?;
    Ok(Found {
        number,
        tree,
        start: file.position(),
    })
}

/// Opens the log and applies what is behind the checkpoint.
fn replay(
    env: &Env,
    dir: &Path,
    options: &StoreOptions,
    found: Option<Found>,
) -> Result<(Log, Recovery, Tree)> {
    // The log's replay speaks its own errors; ours waits outside.
    let mut failed = None;
    let start = found.as_ref().map(|found| found.start);
    let mut tree = found.map_or_else(|| empty(options), |found| found.tree);
    let mut apply = |frame: Frame<'_>| {
        let applied = decode_commit(frame.version, frame.ops)
            .and_then(|ops| apply_commit(&mut tree, &frame, ops));
        applied.map_err(|e| {
            let why = e.to_string();
            failed = Some(e);
            statewright_log::Error::rejected(frame.version, why)
        })
    };
    let log = options.log.clone();
    let opened = Log::open_from(env.clone(), dir, log, start, &mut apply);
    match failed {
        Some(error) => Err(error),
        None => {
            let (log, recovery) = opened?;
            Ok((log, recovery, tree))
        }
    }
}

/// The state before the first commit.
pub(crate) fn empty(options: &StoreOptions) -> Tree {
    Tree::new(Pages::new(Vec::new(), options.checkpoints.decoded_bytes()))
}

/// Applies a commit of the log; after a failure the tree is of no use.
pub(crate) fn apply_commit(tree: &mut Tree, frame: &Frame<'_>, ops: Vec<Op>) -> Result<()> {
    let at = Stamp {
        version: frame.version,
        time: frame.time,
    };
    let ops = sabotage::replayed(ops);
    let applied = ops.iter().try_for_each(|op| op.apply(tree, at));
    // What looks like an op that does not fit may be a page that could not be read.
    tree.check()?;
    applied.map_err(|e| Error::Corrupt {
        version: frame.version,
        why: e.to_string(),
    })
}
