//! Looking at all of a store's folder, and repairing it when asked to.

use std::path::Path;

use statewright_log::{
    CheckpointFile, Content, Env, Frame, Log, Position, Repair, Verification, checkpoints,
};

use crate::error::{Error, Result};
use crate::op::decode_commit;
use crate::open::{apply_commit, empty, load};
use crate::options::StoreOptions;
use crate::store::Store;
use crate::tree::Tree;

impl Store {
    /// Looks at everything in the folder of a store that nobody has open: reads every commit, checks its bytes, that
    /// its ops can be read, and that those behind the newest intact checkpoint can be applied to what it holds; and
    /// reports all damage with its place. Changes nothing but the lock file.
    ///
    /// Fails if the folder is no store or is open elsewhere, and if a newer version wrote it; damage is no failure.
    /// O(size of the log); takes as much memory as opening the store.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path();
    /// let store = Store::open(Env::real(), Place::Dir(path.into()), StoreOptions::default())?;
    /// store.kv_put(&Space::default(), b"n", value!(1))?;
    /// store.close()?;
    /// let found = Store::verify(&Env::real(), path)?;
    /// assert!(found.damage.is_empty());
    /// assert_eq!(found.commits, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(env: &Env, dir: &Path) -> Result<Verification> {
        Ok(Log::verify_folder(
            env,
            dir,
            None,
            &mut Trial::new(env, dir),
        )?)
    }

    /// Makes the folder of a damaged store, which nobody has open, one that opens again. Keeps all commits up to the
    /// first damage, and every byte that it replaces or drops in files named `*.damaged`. See
    /// [`Log::repair`](statewright_log::Log::repair). Nothing calls this but you. O(size of the log).
    pub fn repair(env: &Env, dir: &Path) -> Result<Repair> {
        Ok(Log::repair(env, dir, None, &mut Trial::new(env, dir))?)
    }

    /// What [`repair`](Store::repair) would do; changes nothing but the lock file.
    pub fn plan_repair(env: &Env, dir: &Path) -> Result<Repair> {
        Ok(Log::plan_repair(env, dir, None, &mut Trial::new(env, dir))?)
    }
}

/// Opening a store, as a trial: tells which commits cannot be read or applied.
struct Trial<'a> {
    env: &'a Env,
    dir: &'a Path,
    /// The state, as far as it was followed; `None` if there is none that commits could be applied to.
    tree: Option<Tree>,
    /// The version of the state.
    version: u64,
}

impl<'a> Trial<'a> {
    fn new(env: &'a Env, dir: &'a Path) -> Trial<'a> {
        Trial {
            env,
            dir,
            tree: None,
            version: 0,
        }
    }
}

impl Content for Trial<'_> {
    fn begin(&mut self, start: Option<&Position>) {
        let options = StoreOptions::default();
        self.version = start.map_or(0, |start| start.version);
        self.tree = match start {
            None => Some(empty(&options)),
            Some(start) => {
                let numbers = checkpoints(self.env, self.dir).unwrap_or_default();
                let found = numbers
                    .into_iter()
                    .rev()
                    .filter_map(|number| load(self.env, self.dir, &options, number).ok())
                    .find(|found| found.start == *start);
                found.map(|found| found.tree)
            }
        };
    }

    fn needs(
        &mut self,
        checkpoint: &CheckpointFile,
        _there: &[u64],
    ) -> std::result::Result<Vec<u64>, String> {
        Tree::files_of_root(checkpoint.root()).map_err(|e| e.to_string())
    }

    fn look(&mut self, commit: Frame<'_>) -> std::result::Result<(), String> {
        let ops = decode_commit(commit.version, commit.ops);
        // The state has what comes before it; behind a gap nothing can be applied.
        let done = if commit.version <= self.version {
            ops.map(drop)
        } else {
            let joins = commit.version == self.version.saturating_add(1);
            let tree = self.tree.take().filter(|_| joins);
            self.version = commit.version;
            ops.and_then(|ops| {
                let Some(mut tree) = tree else { return Ok(()) };
                apply_commit(&mut tree, &commit, ops)?;
                self.tree = Some(tree);
                Ok(())
            })
        };
        match done {
            // A page of the checkpoint: opening takes an older one then.
            Ok(()) | Err(Error::Damaged { .. }) => Ok(()),
            Err(Error::Corrupt { why, .. }) => Err(why),
            Err(other) => Err(other.to_string()),
        }
    }
}
