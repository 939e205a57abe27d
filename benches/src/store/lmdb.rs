//! LMDB, through heed: one unnamed database, one write transaction a commit.

use std::ops::Bound;
use std::path::Path;

use anyhow::{Context, Result};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};

use super::contender::{Contender, Key, Peer, Promise, Value};

/// Without syncs a commit survives a killed process, since the kernel has its pages; `WRITEMAP` writes them through
/// the mapping.
pub const PEERS: &[Peer] = &[
    Peer {
        key: "lmdb-nosync",
        name: "LMDB NOSYNC",
        promise: Promise::Memory,
        keeps: true,
        open: |dir, keys| open(dir, keys, EnvFlags::NO_SYNC),
    },
    Peer {
        key: "lmdb-writemap",
        name: "LMDB NOSYNC|WRITEMAP",
        promise: Promise::Memory,
        keeps: true,
        open: |dir, keys| open(dir, keys, EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP),
    },
    Peer {
        key: "lmdb-nosync",
        name: "LMDB NOSYNC",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, keys| open(dir, keys, EnvFlags::NO_SYNC),
    },
    Peer {
        key: "lmdb-writemap",
        name: "LMDB NOSYNC|WRITEMAP",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, keys| open(dir, keys, EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP),
    },
    Peer {
        key: "lmdb-sync",
        name: "LMDB, synced",
        promise: Promise::Strict,
        keeps: true,
        open: |dir, keys| open(dir, keys, EnvFlags::empty()),
    },
];

type Table = Database<'static, Bytes, Bytes>;

/// An environment and its one database. Counters have keys of their own in it.
pub struct Lmdb {
    env: Env,
    table: Table,
}

fn open(dir: &Path, keys: usize, flags: EnvFlags) -> Result<Box<dyn Contender>> {
    Ok(Box::new(Lmdb::open(dir, keys, flags)?))
}

impl Lmdb {
    /// Opens what is in the folder, or makes it; the mapping is large enough for so many keys.
    pub fn open(dir: &Path, keys: usize, flags: EnvFlags) -> Result<Lmdb> {
        let mut options = EnvOpenOptions::new();
        options.map_size((1 << 30) + keys.div_ceil(1 << 20) * (1 << 30));
        // SAFETY: nobody else has or changes these files, and the flags leave LMDB's own locks on.
        let env = unsafe { options.flags(flags).open(dir) }?;
        let transaction = env.write_txn()?;
        let made = env.create_databases_and_commit(transaction, |opener, transaction| {
            let table = opener.create_database::<Bytes, Bytes>(transaction, None);
            table.map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let table = made.commit().context("LMDB made no database")?;
        Ok(Lmdb { env, table })
    }

    /// Bytes of the pages that hold entries.
    pub fn bytes(&self) -> Result<u64> {
        let transaction = self.env.read_txn()?;
        let stat = self.table.stat(&transaction)?;
        let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
        Ok(pages as u64 * u64::from(stat.page_size))
    }
}

impl Contender for Lmdb {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in pairs {
            self.table.put(&mut transaction, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    fn increment(&self, key: &Key) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        let count = self.table.get(&transaction, key)?;
        let count = count.and_then(|count| count.try_into().ok());
        let count = count.map_or(0, u64::from_le_bytes) + 1;
        self.table
            .put(&mut transaction, key, &count.to_le_bytes())?;
        Ok(transaction.commit()?)
    }

    fn get(&self, key: &Key) -> Result<Option<usize>> {
        let transaction = self.env.read_txn()?;
        Ok(self.table.get(&transaction, key)?.map(<[u8]>::len))
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        let transaction = self.env.read_txn()?;
        let mut sum = 0;
        for key in keys {
            sum += self.table.get(&transaction, key)?.map_or(0, <[u8]>::len);
        }
        Ok(sum)
    }

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        let transaction = self.env.read_txn()?;
        let mut sum = 0;
        let range = (Bound::Included(&from[..]), Bound::Unbounded);
        for entry in self.table.range(&transaction, &range)?.take(count) {
            let (key, value) = entry?;
            sum += key.len() + value.len();
        }
        Ok(sum)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.env.force_sync()?;
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}
