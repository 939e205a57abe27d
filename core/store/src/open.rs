//! Opening a store: the newest checkpoint that is intact, and then what the log has behind it.

use std::path::Path;
use std::sync::Arc;

use statewright_log::sync::{AtomicBool, Mutex};
use statewright_log::{
    CheckpointFile, Durability, Env, Frame, Gate, Log, Position, Recovery, checkpoints,
};

use crate::checkpoint::{CheckpointStats, Checkpoints};
use crate::error::{Error, Result};
use crate::op::decode_commit;
use crate::root::{Published, Root};
use crate::sabotage;
use crate::store::{Place, Shared, Store, StoreOptions, Writer};
use crate::target::Stamp;
use crate::tree::{Pages, Tree};

/// What a checkpoint holds.
#[derive(Default)]
struct Found {
    tree: Tree,
    start: Option<Position>,
    /// Checkpoints that could not be used, and why.
    skipped: Vec<String>,
}

impl Store {
    /// Opens a store: takes the newest intact checkpoint and replays the log behind it. Takes the folder for this
    /// process alone.
    ///
    /// In memory, `options.log.durability` is ignored. Fails with the log's errors (locked, corrupt, not writable, …)
    /// or with [`Error::Corrupt`]; a failure changes nothing. O(log behind the checkpoint), whatever the size of the
    /// state.
    pub fn open(env: Env, place: Place, options: StoreOptions) -> Result<Store> {
        let mut found = Found::default();
        let dir = match &place {
            Place::Dir(dir) if options.log.durability != Durability::Memory => Some(dir.clone()),
            _ => None,
        };
        let (log, recovery) = match &dir {
            None => (Log::in_memory(env.clone()), Recovery::default()),
            Some(dir) => {
                found = newest(&env, dir)?;
                replay(&env, dir, &options, &mut found)?
            }
        };
        let start = found.start.map_or(0, |start| start.version);
        let strict = log.durability() == Durability::Strict;
        let version = log.last_version();
        let time = log.position().time;
        let published = Published::default();
        if strict {
            published.swap(Some(Arc::new(Root::new(version, found.tree.clone()))));
        }
        let used = found.tree.used();
        let files = found.tree.pages().files().to_vec();
        let mut writer = Writer::new(found.tree, version, time, strict, options.limits.max_recent);
        writer.checkpoint = CheckpointStats {
            version: start,
            files: files.len(),
            bytes: files.iter().map(|file| file.len()).sum(),
            used,
            skipped: found.skipped,
        };
        writer.until_checkpoint = dir.as_ref().map(|_| {
            // What had to be replayed counts.
            options
                .checkpoints
                .every_bytes
                .saturating_sub(recovery.bytes)
                .max(1)
        });
        let shared = Shared {
            checkpoint_gate: Gate::new(),
            checkpoints: Mutex::new(Checkpoints::new(dir, options.checkpoints, files)),
            unsynced: AtomicBool::new(false),
            unsynced_gate: Gate::new(),
            env,
            log,
            limits: options.limits,
            recovery,
            writer: Mutex::new(writer),
            published,
        };
        Ok(Store {
            shared: Arc::new(shared),
        })
    }
}

/// The newest checkpoint that can be used. None is needed, since the log has everything; so a damaged one is passed
/// over.
fn newest(env: &Env, dir: &Path) -> Result<Found> {
    let mut skipped = Vec::new();
    for number in checkpoints(env, dir)?.into_iter().rev() {
        match load(env, dir, number) {
            Ok((tree, start)) => {
                return Ok(Found {
                    tree,
                    start: Some(start),
                    skipped,
                });
            }
            // A newer version wrote it; its log may not be for us either.
            Err(Error::Log(e @ statewright_log::Error::UnsupportedFormat { .. })) => {
                return Err(e.into());
            }
            Err(e) => skipped.push(e.to_string()),
        }
    }
    Ok(Found {
        skipped,
        ..Found::default()
    })
}

fn load(env: &Env, dir: &Path, number: u64) -> Result<(Tree, Position)> {
    let file = Arc::new(CheckpointFile::open(env, dir, number)?);
    let open = |numbers: &[u64]| {
        let files = numbers.iter().map(|n| match *n == number {
            true => Ok(file.clone()),
            false => Ok(Arc::new(CheckpointFile::open(env, dir, *n)?)),
        });
        Ok(Pages::new(files.collect::<Result<_>>()?))
    };
    let tree = Tree::of_root(file.root(), open)?;
    Ok((tree, file.position()))
}

/// Opens the log and applies what is behind the checkpoint.
fn replay(
    env: &Env,
    dir: &Path,
    options: &StoreOptions,
    found: &mut Found,
) -> Result<(Log, Recovery)> {
    // The log's replay speaks its own errors; ours waits outside.
    let mut failed = None;
    let tree = &mut found.tree;
    let mut apply = |frame: Frame<'_>| {
        let at = Stamp {
            version: frame.version,
            time: frame.time,
        };
        let applied = decode_commit(frame.version, frame.ops).and_then(|ops| {
            let ops = sabotage::replayed(ops);
            let applied = ops.iter().try_for_each(|op| op.apply(tree, at));
            // What looks like an op that does not fit may be a page that could not be read.
            tree.check()?;
            applied.map_err(|e| Error::Corrupt {
                version: frame.version,
                why: e.to_string(),
            })
        });
        applied.map_err(|e| {
            let why = e.to_string();
            failed = Some(e);
            statewright_log::Error::rejected(frame.version, why)
        })
    };
    let log = options.log.clone();
    let opened = Log::open_from(env.clone(), dir, log, found.start, &mut apply);
    match failed {
        Some(error) => Err(error),
        None => Ok(opened?),
    }
}
