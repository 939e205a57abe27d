//! The store as its users hold it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use statewright_log::{Announced, Durability, Env, Gate, Timestamp};

use crate::commit::Shared;
use crate::error::{Error, Result, Retryable};
use crate::op::{Op, decode_commit};
use crate::options::StoreStats;
use crate::recent::Region;
use crate::snapshot::Snapshot;
use crate::tree::Tree;
use crate::txn::{Isolation, Txn};

/// One commit as the log holds it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoggedCommit {
    /// Its version; 1 is the first.
    pub version: u64,
    /// When it was made; never before an earlier commit's.
    pub time: Timestamp,
    /// What it did.
    pub ops: Vec<Op>,
}

/// A store: transactional state over one log and one tree. Cheap to clone; every clone is the same store.
/// Thread-safe.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

impl Store {
    /// Begins a serializable transaction on the newest state. O(1).
    pub fn begin(&self) -> Txn {
        self.begin_with(Isolation::default())
    }

    /// Begins a transaction with this isolation. O(1); waits for a commit, or [a row of them](Store::transact_each),
    /// only if there was one since somebody last read.
    pub fn begin_with(&self, isolation: Isolation) -> Txn {
        Txn::new(self.shared.clone(), self.shared.begin(), isolation)
    }

    /// Pins the newest state for reading. O(1); waits for a commit, or [a row of them](Store::transact_each), only if
    /// there was one since somebody last read.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.shared.clone())
    }

    /// Runs a closure in a transaction and commits it; runs it again, after a short random pause, while what fails is
    /// retryable, at most [`StoreLimits::max_attempts`](crate::StoreLimits::max_attempts) times. The closure must have
    /// no effect beside the transaction.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// let n = store.transact(|txn| {
    ///     let n = txn.kv_get(&space, b"n")?.and_then(|v| v.as_i64()).unwrap_or(0) + 1;
    ///     txn.kv_put(&space, b"n", value!(n))?;
    ///     Ok::<_, statewright_store::Error>(n)
    /// })?;
    /// assert_eq!(n, 1);
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn transact<T, E>(&self, f: impl FnMut(&Txn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + Retryable,
    {
        self.transact_versioned(f).map(|(value, _)| value)
    }

    /// [`transact`](Store::transact) that also gives the commit's version.
    pub fn transact_versioned<T, E>(
        &self,
        f: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<(T, u64), E>
    where
        E: From<Error> + Retryable,
    {
        let mut read_at = 0;
        let (value, version) = self.deferred(f, &mut read_at)?;
        if let Some(version) = version {
            self.settle(version)?;
        }
        Ok((value, version.unwrap_or(read_at)))
    }

    /// [`transact`](Store::transact) that does not wait for the disk: for several commits that wait for it together.
    /// Gives the version that is then to be [settled](Store::settle), before anybody is told of the commit; none if
    /// nothing was written. In strict mode nobody sees the commit until it is durable.
    pub fn transact_deferred<T, E>(
        &self,
        f: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<(T, Option<u64>), E>
    where
        E: From<Error> + Retryable,
    {
        self.deferred(f, &mut 0)
    }

    /// As [`transact_deferred`](Store::transact_deferred) for each of these, in a transaction and a commit of its own.
    /// All are run on one snapshot and then committed in a row, which costs less than one after the other. One that
    /// conflicts with what was committed meanwhile, by those before it too, is run again by itself behind the others.
    /// So this is for transactions that have nothing to do with each other, and not too many: others who commit wait
    /// for all of them.
    ///
    /// ```
    /// use statewright_store::{Env, Error, Place, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// # let dir = tempfile::tempdir()?;
    /// # let place = Place::Dir(dir.path().into());
    /// let store = Store::open(Env::real(), place, StoreOptions::default())?;
    /// let (space, orders) = (Space::default(), ["o1", "o2", "o3"]);
    /// let done = store.transact_each(orders, |order, txn| -> Result<(), Error> {
    ///     txn.kv_put(&space, order.as_bytes(), value!("paid"))
    /// });
    /// let versions: Result<Vec<_>, Error> = done.into_iter().map(|done| Ok(done?.1)).collect();
    /// assert_eq!(versions?, [Some(1), Some(2), Some(3)]);
    /// store.settle(3)?;
    /// # store.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transact_each<I, T, E>(
        &self,
        of: impl IntoIterator<Item = I>,
        mut f: impl FnMut(&I, &Txn) -> Result<T, E>,
    ) -> Vec<Result<(T, Option<u64>), E>>
    where
        E: From<Error> + Retryable,
    {
        let (mut tried, mut pending) = (Vec::new(), Vec::new());
        let root = self.shared.begin();
        for one in of {
            let txn = Txn::new(self.shared.clone(), root.another(), Isolation::default());
            let done = f(&one, &txn).map(|value| {
                let written = txn.into_pending();
                (value, written.map(|written| pending.push(written)))
            });
            tried.push((one, done));
        }
        drop(root);
        let mut versions = self.shared.commit_each(pending).into_iter();
        let again = self.shared.options.limits.max_attempts > 1;
        let mut finish = |one: I, tried: Result<(T, Option<()>), E>| {
            let done = tried.and_then(|(value, written)| {
                let version = written.and_then(|()| versions.next()).transpose()?;
                Ok((value, version))
            });
            match done {
                Err(e) if again && e.is_retryable() => self.deferred(|txn| f(&one, txn), &mut 0),
                done => done,
            }
        };
        let tried = tried.into_iter();
        tried.map(|(one, tried)| finish(one, tried)).collect()
    }

    /// Says that [deferred](Store::transact_deferred) commits are about to be made and settled, so that somebody else's
    /// sync waits a little for them; see [`Log::announce`](statewright_log::Log::announce). To be dropped before
    /// [`settle`](Store::settle).
    pub fn announce(&self) -> Option<Announced<'_>> {
        // In other modes nobody waits for a sync.
        let waits = self.shared.log.durability() == Durability::Strict;
        self.shared.log.announce().filter(|_| waits)
    }

    /// Waits until a commit, and all before it, is as durable as the store's mode promises.
    pub fn settle(&self, version: u64) -> Result<()> {
        self.shared.settle(version, Durability::Memory)
    }

    fn deferred<T, E>(
        &self,
        mut f: impl FnMut(&Txn) -> Result<T, E>,
        read_at: &mut u64,
    ) -> Result<(T, Option<u64>), E>
    where
        E: From<Error> + Retryable,
    {
        let mut attempt = 0_u32;
        loop {
            let txn = self.begin();
            *read_at = txn.snapshot_version();
            let tried = f(&txn).and_then(|value| Ok((value, txn.commit_deferred()?)));
            attempt = attempt.saturating_add(1);
            match tried {
                Err(e) if e.is_retryable() && attempt < self.shared.options.limits.max_attempts => {
                    self.pause(attempt)?;
                }
                done => return done,
            }
        }
    }

    /// The first retry is immediate: it sees what it lost to, which may be this thread's own commit that is not
    /// settled. Then full jitter over an exponential ceiling.
    fn pause(&self, attempt: u32) -> Result<()> {
        // In strict mode the commit that won may not be readable yet; a snapshot without it would only lose again.
        // If that commit can no longer be made durable, nothing can.
        self.settle(self.shared.log.last_version())?;
        if attempt == 1 {
            return Ok(());
        }
        let ceiling_us = 1_u64 << attempt.min(14);
        // Without randomness, all of the ceiling.
        let pause =
            Duration::from_micros(self.shared.env.random.u64().unwrap_or(u64::MAX) % ceiling_us);
        let until = self.shared.env.clock.now().saturating_add(pause);
        let gate = Gate::new();
        self.shared.env.clock.wait(&gate, gate.epoch(), Some(until));
        Ok(())
    }

    /// [`Shared::direct`].
    pub(crate) fn direct<T>(
        &self,
        region: Region,
        op: Op,
        after: impl FnOnce(&Tree) -> T,
    ) -> Result<(u64, T)> {
        self.shared.direct(region, op, after)
    }

    /// A gate that is notified at the first commit after a [`sync`](Store::sync) began, in buffered mode: for whoever
    /// syncs in the background.
    pub fn unsynced_gate(&self) -> &Gate {
        &self.shared.unsynced_gate
    }

    /// Makes the file ready that the log goes on in when its current one is full; otherwise the commit that needs it
    /// waits for some megabytes of zeros to be written and synced. For whoever has time, when the
    /// [gate](Store::log_gate) says so: the engine does it in the background. Tells whether it made one; see
    /// [`Log::make_ready`](statewright_log::Log::make_ready).
    pub fn make_log_ready(&self) -> Result<bool> {
        Ok(self.shared.log.make_ready()?)
    }

    /// A gate that is notified when the log's current file is half full; none in memory.
    pub fn log_gate(&self) -> Option<&Gate> {
        self.shared.log.ready_gate()
    }

    /// Makes everything committed so far survive a power cut. Does nothing in memory.
    pub fn sync(&self) -> Result<()> {
        self.shared.unsynced.store(false, Ordering::Release);
        let version = self.shared.log.last_version();
        self.shared.settle(version, Durability::Strict)
    }

    /// Figures, for people and metrics. O(1).
    pub fn stats(&self) -> StoreStats {
        let writer = self.shared.writer();
        StoreStats {
            version: writer.version,
            durable_version: self.shared.log.durable_version(),
            durability: self.shared.log.durability(),
            options: self.shared.options.clone(),
            entries: writer.tree.len(),
            transactions: self.shared.transactions(&writer),
            log: self.shared.log.stats(),
            recovery: self.shared.recovery.clone(),
            checkpoint: writer.checkpoint.clone(),
        }
    }

    /// Reads the log's commits from a version on, oldest first, until `f` says false. O(log from there on).
    ///
    /// A store in memory keeps no log and gives none.
    pub fn log(&self, from: u64, f: &mut dyn FnMut(LoggedCommit) -> bool) -> Result<()> {
        let mut failed = None;
        let read = self.shared.log.read(from, &mut |frame| match decode_commit(
            frame.version,
            frame.ops,
        ) {
            Ok(ops) => Ok(f(LoggedCommit {
                version: frame.version,
                time: frame.time,
                ops,
            })),
            Err(e) => {
                failed = Some(e);
                Ok(false)
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(read?),
        }
    }

    /// Whether it keeps no log.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.shared.log.durability() == Durability::Memory
    }

    /// The seams that this store was opened with.
    pub fn env(&self) -> &Env {
        &self.shared.env
    }

    /// Syncs, releases the folder and refuses every later commit. Doing it twice is fine.
    ///
    /// If the last sync fails, the error says so and the folder is released all the same.
    pub fn close(&self) -> Result<()> {
        // Whoever makes a checkpoint needs the folder until it is done.
        let _checkpoints = self.shared.checkpoints.lock();
        if self.shared.writer.lock().close() {
            return Ok(());
        }
        let synced = self.sync();
        let closed = self.shared.log.close_with(&*self.shared);
        synced?;
        Ok(closed?)
    }
}
