//! SQLite: one table, prepared statements, WAL. One connection behind a lock: threads that each have their own only
//! make each other wait and retry.

use std::path::Path;

use anyhow::Result;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use super::contender::{Contender, Key, Peer, Promise, Value};

/// `OFF` and `NORMAL` survive a killed process; a power cut may damage the former and drop the newest commits of the
/// latter. `FULL` survives both.
pub const PEERS: &[Peer] = &[
    Peer {
        key: "sqlite-memory",
        name: "SQLite :memory:",
        promise: Promise::Memory,
        keeps: true,
        open: |_, _| Ok(Box::new(Sqlite::in_memory()?)),
    },
    Peer {
        key: "sqlite-off",
        name: "SQLite WAL synchronous=OFF",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, _| Ok(Box::new(Sqlite::open(dir, "OFF")?)),
    },
    Peer {
        key: "sqlite-normal",
        name: "SQLite WAL synchronous=NORMAL",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, _| Ok(Box::new(Sqlite::open(dir, "NORMAL")?)),
    },
    Peer {
        key: "sqlite-full",
        name: "SQLite WAL synchronous=FULL",
        promise: Promise::Strict,
        keeps: true,
        open: |dir, _| Ok(Box::new(Sqlite::open(dir, "FULL")?)),
    },
];

const GET: &str = "SELECT v FROM t WHERE k = ?1";
const PUT: &str =
    "INSERT INTO t (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
const SCAN: &str = "SELECT k, v FROM t WHERE k >= ?1 ORDER BY k LIMIT ?2";
const ADD: &str = "INSERT INTO c (k, n) VALUES (?1, 1) ON CONFLICT (k) DO UPDATE SET n = n + 1";
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS t (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS c (k BLOB PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID";

/// A connection.
pub struct Sqlite(Mutex<Connection>);

impl Sqlite {
    /// Without a file.
    pub fn in_memory() -> Result<Sqlite> {
        Sqlite::with_tables(Connection::open_in_memory()?)
    }

    /// A database in a file, in WAL mode with this `synchronous`, and 64 MiB of cache.
    pub fn open(dir: &Path, synchronous: &str) -> Result<Sqlite> {
        Sqlite::with_tables(connect(&dir.join("sqlite"), synchronous)?)
    }

    fn with_tables(connection: Connection) -> Result<Sqlite> {
        connection.execute_batch(TABLES)?;
        Ok(Sqlite(Mutex::new(connection)))
    }
}

/// A database in a file, in WAL mode with this `synchronous`, and 64 MiB of cache.
pub fn connect(file: &Path, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    Ok(connection)
}

impl Contender for Sqlite {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut connection = self.0.lock();
        // A single statement is a transaction by itself, and cheaper than one in BEGIN and COMMIT.
        if let [(key, value)] = pairs {
            connection
                .prepare_cached(PUT)?
                .execute((&key[..], &value[..]))?;
            return Ok(());
        }
        let transaction = connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(PUT)?;
            for (key, value) in pairs {
                put.execute((&key[..], &value[..]))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn increment(&self, key: &Key) -> Result<()> {
        self.0.lock().prepare_cached(ADD)?.execute((&key[..],))?;
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<usize>> {
        let connection = self.0.lock();
        let mut get = connection.prepare_cached(GET)?;
        let length = get.query_row((&key[..],), |row| {
            Ok(row.get_ref(0)?.as_blob().map_or(0, <[u8]>::len))
        });
        Ok(length.optional()?)
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
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

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        let connection = self.0.lock();
        let mut scan = connection.prepare_cached(SCAN)?;
        let mut rows = scan.query((&from[..], count as i64))?;
        let mut sum = 0;
        while let Some(row) = rows.next()? {
            for column in 0..2 {
                sum += row.get_ref(column)?.as_blob().map_or(0, <[u8]>::len);
            }
        }
        Ok(sum)
    }
}
