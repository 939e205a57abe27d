//! Checkpoints: writing the state beside the log, so that opening does not replay all of it.

use std::path::PathBuf;
use std::sync::Arc;

use statewright_log::{
    CheckpointFile, CheckpointWriter, Durability, Error as LogError, Gate, checkpoints,
    remove_checkpoint,
};

use crate::error::{Error, Result};
use crate::sabotage::{self, Bug};
use crate::store::Store;
use crate::tree::{Address, Tree};

/// Checkpoints that a tree's pages may be spread over at most, before they are written anew as one.
const MAX_FILES: usize = 16;
/// Below this many bytes, pages that nothing refers to are not worth the writing.
const MIN_WASTE: u64 = 16 << 20;

/// When checkpoints are due, and what they leave in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointOptions {
    /// A checkpoint is due when the log has grown by this many bytes, framing and padding included, since
    /// the last one; 64 MiB by default.
    pub every_bytes: u64,
    /// What was changed stays in memory after it was written, until it is more than this many bytes; then it is read
    /// from the checkpoint. 256 MiB by default. Of large documents that are read from there, those read lately stay
    /// decoded, up to an eighth of it.
    pub cache_bytes: u64,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        CheckpointOptions {
            every_bytes: 64 << 20,
            cache_bytes: 256 << 20,
        }
    }
}

impl CheckpointOptions {
    /// Bytes of decoded documents that are kept.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.cache_bytes / 8
    }
}

/// Figures of the newest checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointStats {
    /// The version it holds; 0 if there is none.
    pub version: u64,
    /// How many files its pages are in: each checkpoint holds what was new, and refers to older ones.
    pub files: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Bytes of them that belong to the newest state; the rest is given back when they are written anew.
    pub used: u64,
    /// Checkpoints that opening passed over because they are damaged, and why.
    pub skipped: Vec<String>,
    /// Why the last try to make one failed; none if that made one, or none was tried.
    pub failed: Option<String>,
}

/// What the maker of checkpoints knows.
pub(crate) struct Checkpoints {
    /// The folder; none in memory.
    dir: Option<PathBuf>,
    options: CheckpointOptions,
    /// Those that the newest one refers to, itself included.
    files: Vec<Arc<CheckpointFile>>,
    /// Bytes of pages whose nodes are still in memory, at most.
    resident: u64,
}

impl Checkpoints {
    pub fn new(
        dir: Option<PathBuf>,
        options: CheckpointOptions,
        files: Vec<Arc<CheckpointFile>>,
    ) -> Checkpoints {
        Checkpoints {
            dir,
            options,
            files,
            resident: 0,
        }
    }

    /// Whether everything is to be written anew, because too much of the files is waste.
    fn is_wasteful(&self, used: u64) -> bool {
        let bytes: u64 = self.files.iter().map(|file| file.len()).sum();
        // A root may claim anything.
        let enough = used.saturating_mul(2).saturating_add(MIN_WASTE);
        self.files.len() >= MAX_FILES || bytes > enough
    }
}

impl Store {
    /// Writes a checkpoint of the newest state, so that opening starts from it. Commits go on meanwhile; a second
    /// call waits for the first. Does nothing in memory, or if nothing was committed since the last one. O(what
    /// changed since).
    ///
    /// It has its name only once it is complete, synced and read back, and the one before is kept, so a crash at any
    /// moment loses nothing. Fails with the log's errors (no space, …); then nothing has changed. On a full disk it
    /// gives the log's reserve up and tries once more.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("store");
    /// let store = Store::open(Env::real(), Place::Dir(dir.clone()), StoreOptions::default())?;
    /// store.kv_put(&Space::default(), b"n", value!(1))?;
    /// assert_eq!(store.checkpoint()?.version, 1);
    /// store.kv_put(&Space::default(), b"m", value!(2))?;
    /// store.close()?;
    ///
    /// let store = Store::open(Env::real(), Place::Dir(dir), StoreOptions::default())?;
    /// assert_eq!(store.stats().recovery.frames, 1); // only what came after the checkpoint
    /// assert_eq!(store.kv_get(&Space::default(), b"n")?, Some(value!(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkpoint(&self) -> Result<CheckpointStats> {
        let made = self.try_checkpoint();
        let full = matches!(&made, Err(Error::Log(LogError::NoSpace { .. })));
        // Beside a checkpoint of its own time the reserve is the only space that may be spent.
        let made = match full && self.shared.log.spend_reserve()? {
            true => self.try_checkpoint(),
            false => made,
        };
        if let Err(why) = &made {
            self.shared.writer().checkpoint.failed = Some(why.to_string());
        }
        made
    }

    fn try_checkpoint(&self) -> Result<CheckpointStats> {
        let shared = &self.shared;
        let mut state = shared.checkpoints.lock();
        let (tree, position, grown, before) = {
            let writer = shared.writer();
            writer.check_open()?;
            (
                writer.tree.clone(),
                shared.log.position(),
                shared.log.grown(),
                writer.checkpoint.clone(),
            )
        };
        let Some(dir) = state.dir.clone() else {
            return Ok(before);
        };
        if position.version == before.version {
            return Ok(before);
        }
        // A checkpoint never holds what a power cut could take from the log.
        if !sabotage::on(Bug::CheckpointAboveDurable) {
            shared.settle(position.version, Durability::Strict)?; // the `if` is planted
        }
        let whole = state.is_wasteful(tree.used());
        let numbers = checkpoints(&shared.env, &dir)?;
        let number = next(&numbers)?;
        let mut out = CheckpointWriter::create(&shared.env, &dir, number)?;
        let written = tree.write(&mut out, whole)?;
        let mut files = if whole {
            Vec::new()
        } else {
            state.files.clone()
        };
        let referred: Vec<u64> = files
            .iter()
            .map(|file| file.number())
            .chain([number])
            .collect();
        let file = out.finish(&position, &Tree::encode_root(&written, &referred))?;
        files.push(Arc::new(file));
        // From here on it is there, whatever happens.
        // Of what was written before, some is waste by now.
        let resident = state.resident.saturating_add(written.bytes());
        let resident = resident.min(written.used());
        let evict = resident > state.options.cache_bytes;
        state.resident = if evict { 0 } else { resident };
        drop(tree);
        let (dropped, stats) = {
            let mut writer = shared.writer();
            let pages = writer.tree.pages().of(files.clone());
            let dropped = writer.tree.settle(&written, pages, evict);
            writer.put_checkpoint_off(grown, &state.options);
            writer.checkpoint = CheckpointStats {
                version: position.version,
                files: files.len(),
                bytes: files.iter().map(|file| file.len()).sum(),
                used: writer.tree.used(),
                skipped: before.skipped,
                failed: None,
            };
            (dropped, writer.checkpoint.clone())
        };
        // Nobody waits for this.
        drop((dropped, written));
        let older = std::mem::replace(&mut state.files, files);
        // The generation before stays, in case this one is damaged.
        let needed = |n: &u64| {
            older
                .iter()
                .chain(&state.files)
                .any(|file| file.number() == *n)
        };
        for number in numbers.iter().filter(|n| !needed(n)) {
            remove_checkpoint(&shared.env, &dir, *number)?;
        }
        Ok(stats)
    }

    /// A gate that is notified when a checkpoint is due, because the log has grown by
    /// [`CheckpointOptions::every_bytes`]: for whoever makes them in the background. A store makes none by itself.
    pub fn checkpoint_gate(&self) -> &Gate {
        &self.shared.checkpoint_gate
    }
}

/// The number behind those of our files; a file with a larger one than an address can have is none.
fn next(numbers: &[u64]) -> Result<u64> {
    let ours = numbers
        .iter()
        .rev()
        .find(|number| **number < Address::FILES);
    let next = ours.map_or(1, |last| last + 1);
    if next >= Address::FILES {
        let last = next - 1;
        let why = format!(
            "{last:010}.swckpt has the last number; move it away if it is none of this store's"
        );
        return Err(Error::Damaged { why });
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use statewright_log::{Durability, Env};
    use statewright_value::{MAX_DEPTH, Value};

    use crate::target::Entry;
    use crate::{Place, Space, Store, StoreOptions};

    /// Logs of old hold payloads that are as deep as a value may be, and their entries are deeper.
    #[test]
    fn an_entry_that_could_not_be_read_ends_a_checkpoint_and_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let place = Place::Dir(dir.path().to_owned());
            Store::open(Env::real(), place, StoreOptions::default()).unwrap()
        };
        let store = open();
        let put = |n: u64| store.kv_put(&Space::default(), b"k", Value::from(n));
        put(1).unwrap();
        store.checkpoint().unwrap();
        put(2).unwrap();
        let deep = (0..=MAX_DEPTH).fold(Value::NULL, |inner, _| Value::from(vec![inner]));
        let key = b"default\0\x01deep";
        let entry = Entry::new(deep, 2);
        store.shared.writer().tree.insert(key, &entry);
        let refused = store.checkpoint().unwrap_err();
        assert!(refused.to_string().contains("default/kv/deep"), "{refused}");
        let stats = store.stats().checkpoint;
        assert_eq!(
            (stats.version, stats.failed),
            (1, Some(refused.to_string()))
        );
        store.close().unwrap();
        // The log still has what came after; what was put beside it is not in it.
        let store = open();
        assert_eq!(store.stats().recovery.frames, 1);
        assert_eq!(store.stats().checkpoint.failed, None);
        assert!(store.checkpoint().unwrap().failed.is_none());
    }

    #[test]
    fn what_is_small_stays_in_memory_however_often_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = StoreOptions::with_durability(Durability::Buffered);
        options.checkpoints.cache_bytes = 100_000;
        let place = Place::Dir(dir.path().to_owned());
        let store = Store::open(Env::real(), place, options).unwrap();
        let put = |key: u32, round: u8| {
            let value = Value::bytes(vec![round; 100]);
            store
                .kv_put(&Space::default(), &key.to_be_bytes(), value)
                .unwrap();
        };
        for round in 0..20 {
            (0..100).for_each(|key| put(key, round));
            store.checkpoint().unwrap();
            assert_ne!(store.shared.checkpoints.lock().resident, 0, "{round}");
        }
        (0..1000).for_each(|key| put(key, 1));
        store.checkpoint().unwrap();
        assert_eq!(store.shared.checkpoints.lock().resident, 0);
    }
}
