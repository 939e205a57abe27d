//! redb: one table, one write transaction a commit.

use std::path::Path;

use anyhow::Result;
use redb::backends::InMemoryBackend;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::contender::{Contender, Key, Peer, Promise, Value};

/// redb has no mode that survives a killed process and does not sync; `None` is the next weaker.
pub const PEERS: &[Peer] = &[
    Peer {
        key: "redb-memory",
        name: "redb in memory, Durability::None",
        promise: Promise::Memory,
        keeps: true,
        open: |_, _| Ok(Box::new(Redb::in_memory()?)),
    },
    Peer {
        key: "redb-none",
        name: "redb Durability::None (lost when killed)",
        promise: Promise::Buffered,
        keeps: false,
        open: |dir, _| Ok(Box::new(Redb::open(dir, Durability::None)?)),
    },
    Peer {
        key: "redb-immediate",
        name: "redb Durability::Immediate",
        promise: Promise::Strict,
        keeps: true,
        open: |dir, _| Ok(Box::new(Redb::open(dir, Durability::Immediate)?)),
    },
];

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("t");
const COUNTERS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("c");

/// A database, and the durability of its commits.
pub struct Redb {
    database: Database,
    durability: Durability,
}

impl Redb {
    /// Without a file.
    pub fn in_memory() -> Result<Redb> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new())?;
        Redb::with_table(database, Durability::None)
    }

    fn open(dir: &Path, durability: Durability) -> Result<Redb> {
        Redb::with_table(Database::create(dir.join("redb"))?, durability)
    }

    fn with_table(database: Database, durability: Durability) -> Result<Redb> {
        let transaction = database.begin_write()?;
        transaction.open_table(TABLE)?;
        transaction.commit()?;
        Ok(Redb {
            database,
            durability,
        })
    }
}

impl Contender for Redb {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in pairs {
                table.insert(&key[..], &value[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn increment(&self, key: &Key) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        {
            let mut table = transaction.open_table(COUNTERS)?;
            let count = table.get(&key[..])?.map_or(0, |count| count.value());
            table.insert(&key[..], count + 1)?;
        }
        Ok(transaction.commit()?)
    }

    fn get(&self, key: &Key) -> Result<Option<usize>> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        Ok(table.get(&key[..])?.map(|value| value.value().len()))
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let mut sum = 0;
        for key in keys {
            sum += table.get(&key[..])?.map_or(0, |value| value.value().len());
        }
        Ok(sum)
    }

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let mut sum = 0;
        for entry in table.range(&from[..]..)?.take(count) {
            let (key, value) = entry?;
            sum += key.value().len() + value.value().len();
        }
        Ok(sum)
    }
}
