//! Looking at all of a store's folder, and repairing it when asked to.

use std::path::Path;

use statewright_log::{Env, Log, Repair, Verification};

use crate::error::Result;
use crate::op::decode_commit;
use crate::store::Store;

impl Store {
    /// Looks at everything in the folder of a store that nobody has open: reads every commit, checks its bytes and
    /// that its ops can be read, and reports all damage with its place. Changes nothing but the lock file.
    ///
    /// Fails if the folder is no store or is open elsewhere, and if a newer version wrote it; damage is no failure.
    /// O(size of the log).
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
        Ok(Log::verify_folder(env, dir, None, &mut |frame| {
            let decoded = decode_commit(frame.version, frame.ops);
            decoded.map(drop).map_err(|e| e.to_string())
        })?)
    }

    /// Makes the folder of a damaged store, which nobody has open, one that opens again. Keeps all commits up to the
    /// first damage, and every byte that it replaces or drops in files named `*.damaged`. See
    /// [`Log::repair`](statewright_log::Log::repair). Nothing calls this but you. O(size of the log).
    pub fn repair(env: &Env, dir: &Path) -> Result<Repair> {
        Ok(Log::repair(env, dir, None)?)
    }

    /// What [`repair`](Store::repair) would do; changes nothing but the lock file.
    pub fn plan_repair(env: &Env, dir: &Path) -> Result<Repair> {
        Ok(Log::plan_repair(env, dir, None)?)
    }
}
