//! redb: one table, one write transaction a commit.

use std::path::Path;

use anyhow::Result;
use redb::backends::InMemoryBackend;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::{Contender, Key, Value};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("t");

/// A database, the durability of its commits, and what it is called in the report.
pub struct Redb {
    database: Database,
    durability: Durability,
    name: &'static str,
}

impl Redb {
    pub fn in_memory() -> Result<Redb> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new())?;
        Ok(Redb {
            database,
            durability: Durability::None,
            name: "redb in memory, Durability::None",
        })
    }

    /// redb has no mode that survives a killed process and does not sync; this one is the next weaker.
    pub fn without_sync(file: &Path) -> Result<Redb> {
        let name = "redb Durability::None (lost when killed)";
        Ok(Redb {
            database: Database::create(file)?,
            durability: Durability::None,
            name,
        })
    }

    pub fn synced(file: &Path) -> Result<Redb> {
        let name = "redb Durability::Immediate";
        Ok(Redb {
            database: Database::create(file)?,
            durability: Durability::Immediate,
            name,
        })
    }
}

impl Contender for Redb {
    fn name(&self) -> String {
        self.name.into()
    }

    fn put(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
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

    fn get(&mut self, key: &Key) -> Result<Option<usize>> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        Ok(table.get(&key[..])?.map(|value| value.value().len()))
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let mut sum = 0;
        for key in keys {
            sum += table.get(&key[..])?.map_or(0, |value| value.value().len());
        }
        Ok(sum)
    }
}
