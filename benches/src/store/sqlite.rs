//! SQLite: one table, prepared statements, WAL.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension};

use super::{Contender, Key, Value};

const GET: &str = "SELECT v FROM t WHERE k = ?1";
const PUT: &str =
    "INSERT INTO t (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";

/// A connection, and what it is called in the report.
pub struct Sqlite {
    connection: Connection,
    name: String,
}

impl Sqlite {
    pub fn in_memory() -> Result<Sqlite> {
        Sqlite::with_table(Connection::open_in_memory()?, "SQLite :memory:".into())
    }

    /// A database in a file, in WAL mode with this `synchronous`. `OFF` and `NORMAL` survive a killed process; a power
    /// cut may damage the former and drop the newest commits of the latter. `FULL` survives both.
    pub fn open(file: &Path, synchronous: &str) -> Result<Sqlite> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        Sqlite::with_table(connection, format!("SQLite WAL synchronous={synchronous}"))
    }

    fn with_table(connection: Connection, name: String) -> Result<Sqlite> {
        connection
            .execute_batch("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")?;
        Ok(Sqlite { connection, name })
    }
}

impl Contender for Sqlite {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn put(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        // A single statement is a transaction by itself, and cheaper than one in BEGIN and COMMIT.
        if let [(key, value)] = pairs {
            self.connection
                .prepare_cached(PUT)?
                .execute((&key[..], &value[..]))?;
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(PUT)?;
            for (key, value) in pairs {
                put.execute((&key[..], &value[..]))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn get(&mut self, key: &Key) -> Result<Option<usize>> {
        let mut get = self.connection.prepare_cached(GET)?;
        let length = get.query_row((&key[..],), |row| {
            Ok(row.get_ref(0)?.as_blob().map_or(0, <[u8]>::len))
        });
        Ok(length.optional()?)
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize> {
        let transaction = self.connection.transaction()?;
        let mut sum = 0;
        {
            let mut get = transaction.prepare_cached(GET)?;
            for key in keys {
                sum += get.query_row((&key[..],), |row| {
                    Ok(row.get_ref(0)?.as_blob().map_or(0, <[u8]>::len))
                })?;
            }
        }
        transaction.commit()?;
        Ok(sum)
    }
}
