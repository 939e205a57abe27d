//! Memory: what an entry takes, and whether a store that is written all day stays as large as it is.

use std::path::Path as File;

use anyhow::{Context, Result};
use heed::EnvFlags;
use rusqlite::Connection;
use statewright_value::{Path, Value as Json, value};

use super::child::{Task, anonymous};
use super::contender::{Contender, Promise, load};
use super::lmdb::Lmdb;
use super::ours::Ours;
use super::redb::Redb;
use super::{Amount, Run};
use crate::measure::{Sequence, median};
use crate::memory::counted;
use crate::report::{Row, Target};

/// Documents that [`flat`] writes to.
const DOCUMENTS: usize = 1000;

/// Bytes for each entry of 144: what is allocated for ours and redb; pages that are in use for SQLite and LMDB.
pub fn memory(run: &mut Run<'_>, _: Promise) -> Result<()> {
    let keys = run.size.keys;
    let allocated = |open: fn() -> Result<Box<dyn Contender>>| -> Result<f64> {
        let (kept, allocated) = counted(|| -> Result<_> {
            let store = open()?;
            load(&*store, keys)?;
            Ok(store)
        });
        kept.map(|_| allocated.live as f64)
    };
    let ours = allocated(|| Ok(Box::new(Ours::memory()?)))?;
    let redb = allocated(|| Ok(Box::new(Redb::in_memory()?)))?;
    let folder = run.folder()?;
    let lmdb = Lmdb::open(&folder.0, keys, EnvFlags::NO_SYNC)?;
    load(&lmdb, keys)?;
    let all = [
        ("Statewright", ours),
        ("redb in memory, allocated", redb),
        ("SQLite :memory:, pages", sqlite(keys)?),
        ("LMDB, pages", lmdb.bytes()? as f64),
    ];
    let all = all.map(|(name, bytes)| Amount::of(name, bytes / keys as f64));
    let target = Some(Target::ours(250.0));
    run.against_best("memory/memory of an entry", "bytes", &all, target);
    Ok(())
}

fn sqlite(keys: usize) -> Result<f64> {
    let mut connection = Connection::open_in_memory()?;
    connection
        .execute_batch("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")?;
    let transaction = connection.transaction()?;
    {
        let mut put = transaction.prepare("INSERT INTO t VALUES (?1, ?2)")?;
        for number in 0..keys {
            let (key, value) = (
                super::contender::key(number),
                super::contender::value(number),
            );
            put.execute((&key[..], &value[..]))?;
        }
    }
    transaction.commit()?;
    let of = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, f64>(0));
    Ok(of("page_count")? * of("page_size")?)
}

/// Commits to a thousand documents; how much larger the process is at any time in the second half than when that
/// begins. Mapped files are left out: the log's segment is one, and has 16 MB when the log is long.
pub fn flat(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let commits = if run.size.quick { 10_000 } else { 1_000_000 };
    let (mut grown, mut before) = (Vec::new(), Vec::new());
    let times = if run.size.quick { 1 } else { 3 };
    for _ in 0..times {
        let folder = run.folder()?;
        let dir = (promise != Promise::Memory).then(|| folder.0.clone());
        let task = Task::Flat { dir, commits };
        let numbers = task.apart(run.size.program.as_deref())?;
        grown.push(numbers.get("grown")?);
        before.push(numbers.get("before")?);
    }
    let (grown, before) = (median(grown), median(before));
    let name = format!(
        "store/{}/flat: grown over {commits} commits",
        promise.name()
    );
    // A twentieth of what it is, or 2 MB: an allocator's pages come and go.
    let bound = (before / 20.0).max(2e6);
    let row = Row::bytes(name, grown, before, "resident before (at half)");
    run.emit(row.with_target(Some(Target::ours(bound))));
    Ok(())
}

/// What [`flat`] does in another process.
pub fn watch(dir: Option<&File>, commits: usize) -> Result<Vec<(String, f64)>> {
    let ours = match dir {
        Some(dir) => Ours::buffered(dir)?,
        None => Ours::memory()?,
    };
    let name = |number: usize| format!("document-{number}");
    let paths: Vec<Path> = ["total", "status", "note"]
        .iter()
        .map(|key| Path::root().key("order").key(key))
        .collect();
    for number in 0..DOCUMENTS {
        let txn = ours.store.begin();
        let order = value!({"order": {"total": 0, "status": 0, "note": 0, "lines": [1, 2, 3]}});
        txn.json_create(&ours.space, &name(number), order)?;
        txn.commit()?;
    }
    let mut sequence = Sequence::new(1);
    let mut sizes = Vec::new();
    for commit in 0..commits {
        let txn = ours.store.begin();
        let path = paths.get(commit % paths.len()).context("no path")?;
        let document = name(sequence.below(DOCUMENTS));
        txn.json_set(&ours.space, &document, path, Json::from(commit as i64))?;
        txn.commit()?;
        if (commit + 1) % (commits / 10).max(1) == 0 {
            sizes.push(anonymous());
        }
    }
    let second = sizes.get(sizes.len() / 2..).unwrap_or_default();
    let before = second.first().copied().context("no size")?;
    let most = second.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        ("before".into(), before),
        ("grown".into(), most - before),
    ])
}
