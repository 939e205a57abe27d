//! fjall: a keyspace with optimistic transactions, one a commit; flushing and compaction run on its own threads, which
//! CPU time of the caller does not see.

use std::path::Path;

use anyhow::{Result, anyhow};
use fjall::{
    KeyspaceCreateOptions, OptimisticTxDatabase, OptimisticTxKeyspace, PersistMode, Readable,
};

use super::contender::{Contender, Key, Peer, Promise, Value};

pub const PEERS: &[Peer] = &[
    Peer {
        key: "fjall-memory",
        name: "fjall, journal not flushed",
        promise: Promise::Memory,
        keeps: true,
        open: |dir, _| Ok(Box::new(Fjall::open(dir, None)?)),
    },
    Peer {
        key: "fjall-buffer",
        name: "fjall PersistMode::Buffer",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, _| Ok(Box::new(Fjall::open(dir, Some(PersistMode::Buffer))?)),
    },
    Peer {
        key: "fjall-sync",
        name: "fjall PersistMode::SyncData",
        promise: Promise::Strict,
        keeps: true,
        open: |dir, _| Ok(Box::new(Fjall::open(dir, Some(PersistMode::SyncData))?)),
    },
];

/// A database with two keyspaces, and how its commits persist.
pub struct Fjall {
    database: OptimisticTxDatabase,
    pairs: OptimisticTxKeyspace,
    counters: OptimisticTxKeyspace,
    persist: Option<PersistMode>,
}

impl Fjall {
    fn open(dir: &Path, persist: Option<PersistMode>) -> Result<Fjall> {
        let database = OptimisticTxDatabase::builder(dir.join("fjall"))
            .cache_size(128 << 20)
            .manual_journal_persist(persist.is_none())
            .open()?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        Ok(Fjall {
            pairs: keyspace("t")?,
            counters: keyspace("c")?,
            database,
            persist,
        })
    }
}

impl Contender for Fjall {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut transaction = self.database.write_tx()?.durability(self.persist);
        for (key, value) in pairs {
            transaction.insert(&self.pairs, &key[..], &value[..]);
        }
        transaction.commit()?.map_err(|e| anyhow!("{e:?}"))
    }

    fn increment(&self, key: &Key) -> Result<()> {
        loop {
            let mut transaction = self.database.write_tx()?.durability(self.persist);
            let count = transaction.get(&self.counters, key)?;
            let count = count.and_then(|count| count[..].try_into().ok());
            let count = count.map_or(0, u64::from_le_bytes) + 1;
            transaction.insert(&self.counters, &key[..], count.to_le_bytes());
            if transaction.commit()?.is_ok() {
                return Ok(());
            }
        }
    }

    fn get(&self, key: &Key) -> Result<Option<usize>> {
        Ok(self.pairs.get(key)?.map(|value| value.len()))
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        let snapshot = self.database.read_tx();
        let mut sum = 0;
        for key in keys {
            let value = snapshot.get(&self.pairs, key)?;
            sum += value.map_or(0, |value| value.len());
        }
        Ok(sum)
    }

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        let snapshot = self.database.read_tx();
        let mut sum = 0;
        for entry in snapshot.range(&self.pairs, &from[..]..).take(count) {
            let (key, value) = entry.into_inner()?;
            sum += key.len() + value.len();
        }
        Ok(sum)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
