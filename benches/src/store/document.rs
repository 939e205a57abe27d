//! One field of a document of 1 MB set, one commit each: what it takes, and what it leaves in the log.

use std::path::Path as File;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use statewright_store::{Primitive, Reader};
use statewright_value::{Path, Segment, Value as Json};

use super::Run;
use super::contender::{Contender as _, Promise};
use super::ours::Ours;
use super::sqlite;
use crate::measure::{in_turn_warm, median};
use crate::report::{Row, Target};
use crate::value::inputs::{LARGE, customers_document, places};

/// The one document's name.
const KEY: &str = "customers";
/// Commits of one sample.
const COMMITS: usize = 100;

/// A field, as everyone names it.
pub struct Place {
    /// Three levels of keys above it.
    pub path: Path,
    /// As SQLite's JSON functions write it.
    pub text: String,
    /// Its keys from the top.
    pub keys: Vec<String>,
}

/// Somebody who keeps the document.
pub trait Document {
    /// Who it is, and in which mode.
    fn name(&self) -> String;
    /// Sets the field of each place to the number beside it, one commit each.
    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()>;
    /// The field's number.
    fn get(&mut self, place: &Place) -> Result<i64>;
}

/// The comparison, alone and beside another transaction; in buffered mode also the bytes of the log.
pub fn run(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let folder = run.folder()?;
    let mut all = documents(promise, &folder.0)?;
    let places = fields();
    let input = |round: usize| {
        let from = (round * COMMITS) % places.len();
        let fields = places.iter().cycle().skip(from).take(COMMITS);
        let number = |(at, place)| (place, (round * COMMITS + at) as i64);
        fields.enumerate().map(number).collect::<Vec<_>>()
    };
    let times = in_turn_warm(
        &mut all,
        run.size.samples,
        COMMITS,
        input,
        |document, fields| {
            document.set(fields)?;
            let (place, number) = fields.last().context("no field")?;
            ensure!(document.get(place)? == *number, "a field is not set");
            Ok(())
        },
    )?;
    let [ours, contended, peers @ ..] = times.as_slice() else {
        return Ok(());
    };
    let name = |what: &str| format!("store/{}/document of 1 MB, {what} (cpu)", promise.name());
    if promise == Promise::Memory {
        for (what, time) in [("set one field", ours), ("two txns at once", contended)] {
            let row = Row::alone(name(what), time.cpu, "ns");
            run.emit(row.with_target(Some(Target::ours(3000.0))));
        }
    }
    for (document, peer) in all.iter().skip(2).zip(peers) {
        let target = match document.name() {
            name if name.starts_with("SQLite") => Target::ratio(25.0),
            _ => Target::ratio(1.0),
        };
        for (what, time) in [("set one field", ours), ("two txns at once", contended)] {
            let row = Row::time(name(what), time.cpu, peer.cpu, document.name());
            run.emit(row.with_target(Some(target)));
        }
    }
    if promise == Promise::Buffered {
        drop(all);
        log_bytes(run, &places)?;
    }
    Ok(())
}

/// Ours, ours beside another transaction, then the peers.
fn documents(promise: Promise, dir: &File) -> Result<Vec<Box<dyn Document>>> {
    let open = |name: &str| -> Result<OurDocument> {
        let dir = dir.join(name);
        let ours = match promise {
            Promise::Memory => Ours::memory()?,
            _ => Ours::buffered(&dir)?,
        };
        OurDocument::load(ours)
    };
    let connection = match promise {
        Promise::Memory => Connection::open_in_memory()?,
        _ => sqlite::connect(&dir.join("sqlite-document"), "OFF")?,
    };
    #[allow(unused_mut, reason = "the feature crdt adds two")]
    let mut all: Vec<Box<dyn Document>> = vec![
        Box::new(open("alone")?),
        Box::new(Contended(open("contended")?)),
        Box::new(SqliteDocument::load(connection, promise)?),
    ];
    #[cfg(feature = "crdt")]
    if promise == Promise::Memory {
        let json = customers_document(LARGE);
        all.push(Box::new(super::loro::Loro::load(&json)?));
        all.push(Box::new(super::automerge::Automerge::load(&json)?));
    }
    Ok(all)
}

/// Fields four levels deep, of customers in no order.
fn fields() -> Vec<Place> {
    let place = |path: Path| {
        let mut keys = Vec::new();
        for segment in path.segments() {
            if let Segment::Key(key) = segment {
                keys.push(key.to_string());
            }
        }
        Place {
            text: format!("$.{}", keys.join(".")),
            keys,
            path,
        }
    };
    let four = |path: &Path| path.segments().len() == 4;
    places(LARGE, 2000)
        .into_iter()
        .filter(four)
        .map(place)
        .collect()
}

/// Bytes that a commit leaves in our log and in SQLite's.
fn log_bytes(run: &mut Run<'_>, places: &[Place]) -> Result<()> {
    let folder = run.folder()?;
    let mut ours = OurDocument::load(Ours::buffered(&folder.0)?)?;
    let fields: Vec<(&Place, i64)> = places.iter().zip(1_000_000..).take(COMMITS).collect();
    let bytes = |ours: &OurDocument| ours.0.log_bytes().context("no bytes");
    let before = bytes(&ours)?;
    ours.set(&fields)?;
    let own = bytes(&ours)?.saturating_sub(before) as f64 / COMMITS as f64;

    let file = folder.0.join("sqlite-bytes");
    let connection = sqlite::connect(&file, "OFF")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let mut theirs = SqliteDocument::load(connection, Promise::Buffered)?;
    let wal = folder.0.join("sqlite-bytes-wal");
    let mut sizes = Vec::new();
    for field in fields.chunks(1).take(20) {
        let before = std::fs::metadata(&wal)?.len();
        theirs.set(field)?;
        sizes.push(std::fs::metadata(&wal)?.len().saturating_sub(before) as f64);
    }
    let name = "store/buffered/document of 1 MB, log of a commit";
    let row = Row::bytes(name, own, median(sizes), theirs.name());
    run.emit(row.with_target(Some(Target::ours(200.0))));
    Ok(())
}

/// Ours: a transaction for each field.
struct OurDocument(Ours);

impl OurDocument {
    fn load(ours: Ours) -> Result<OurDocument> {
        let text = customers_document(LARGE).to_string();
        let json = Json::from_json(text.as_str())?;
        let transaction = ours.store.begin();
        transaction.json_create(&ours.space, KEY, json)?;
        transaction.commit()?;
        Ok(OurDocument(ours))
    }
}

impl Document for OurDocument {
    fn name(&self) -> String {
        "Statewright".into()
    }

    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()> {
        let Ours { store, space } = &self.0;
        for (place, number) in fields {
            let transaction = store.begin();
            transaction.json_set(space, KEY, &place.path, Json::from(*number))?;
            transaction.commit()?;
        }
        Ok(())
    }

    fn get(&mut self, place: &Place) -> Result<i64> {
        let snapshot = self.0.store.snapshot();
        let value = snapshot.json_get(&self.0.space, KEY, &place.path)?;
        value.and_then(|v| v.as_i64()).context("no number")
    }
}

/// Ours, while every transaction runs beside another one on the same document: each second one is checked against a
/// commit that it did not see.
struct Contended(OurDocument);

impl Document for Contended {
    fn name(&self) -> String {
        "Statewright, two transactions at once".into()
    }

    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()> {
        let Ours { store, space } = &self.0.0;
        for two in fields.chunks(2) {
            let open: Vec<_> = two.iter().map(|field| (store.begin(), field)).collect();
            for (transaction, (place, number)) in open {
                let path = &place.path;
                transaction.doc_set(Primitive::Json, space, KEY, path, Json::from(*number))?;
                transaction.commit()?;
            }
        }
        Ok(())
    }

    fn get(&mut self, place: &Place) -> Result<i64> {
        self.0.get(place)
    }
}

/// SQLite: one row with a JSONB column.
struct SqliteDocument {
    connection: Connection,
    name: &'static str,
}

impl SqliteDocument {
    fn load(connection: Connection, promise: Promise) -> Result<SqliteDocument> {
        connection.execute_batch("CREATE TABLE d (id INTEGER PRIMARY KEY, d BLOB NOT NULL)")?;
        let text = customers_document(LARGE).to_string();
        connection.execute("INSERT INTO d VALUES (1, jsonb(?1))", (text,))?;
        let name = match promise {
            Promise::Memory => "SQLite jsonb_set, :memory:",
            _ => "SQLite jsonb_set, WAL synchronous=OFF",
        };
        Ok(SqliteDocument { connection, name })
    }
}

impl Document for SqliteDocument {
    fn name(&self) -> String {
        self.name.into()
    }

    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()> {
        for (place, number) in fields {
            self.connection
                .prepare_cached("UPDATE d SET d = jsonb_set(d, ?1, ?2) WHERE id = 1")?
                .execute((&place.text, number))?;
        }
        Ok(())
    }

    fn get(&mut self, place: &Place) -> Result<i64> {
        let mut get = self
            .connection
            .prepare_cached("SELECT d ->> ?1 FROM d WHERE id = 1")?;
        Ok(get.query_row((&place.text,), |row| row.get(0))?)
    }
}
