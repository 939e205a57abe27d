//! Keys of 16 bytes, values of 128: put and get, each durability against the peers that promise the same.

mod bare;
mod ours;
mod redb;
mod sqlite;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::measure::{Sequence, Time, in_turn};
use crate::report::Row;

/// A key of every comparison.
pub type Key = [u8; 16];
/// A value of every comparison.
pub type Value = [u8; 128];

/// What a commit survives once it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nothing: it is lost with the process.
    Memory,
    /// A killed process.
    Buffered,
    /// A power cut.
    Strict,
}

impl Promise {
    fn name(self) -> &'static str {
        match self {
            Promise::Memory => "memory",
            Promise::Buffered => "buffered",
            Promise::Strict => "strict",
        }
    }
}

/// A store that takes part.
pub trait Contender {
    /// Who it is, and in which mode.
    fn name(&self) -> String;
    /// Puts all of them in one commit.
    fn put(&mut self, pairs: &[(Key, Value)]) -> Result<()>;
    /// Gets one key in a read transaction of its own; the length of what it found.
    fn get(&mut self, key: &Key) -> Result<Option<usize>>;
    /// Gets all of them in one read transaction; the sum of the lengths.
    fn get_all(&mut self, keys: &[Key]) -> Result<usize>;
    /// Whether it keeps keys at all; the bare write does not.
    fn is_store(&self) -> bool {
        true
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Keys in the store before anything is measured.
    pub keys: usize,
    /// Samples of each measurement.
    pub samples: usize,
}

/// Every promise, every operation, every peer.
pub fn run(dir: &Path, size: Size, emit: &mut dyn FnMut(Row)) -> Result<()> {
    for promise in [Promise::Memory, Promise::Buffered, Promise::Strict] {
        let dir = dir.join(promise.name());
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let mut contenders = contenders(promise, &dir)?;
        load(&mut contenders, size.keys)?;
        puts(promise, &mut contenders, size, emit)?;
        if promise != Promise::Strict {
            gets(promise, &mut contenders, size, emit)?;
        }
    }
    Ok(())
}

/// Ours first, then the peers in the modes that promise the same.
fn contenders(promise: Promise, dir: &Path) -> Result<Vec<Box<dyn Contender>>> {
    use self::redb::Redb;
    use self::sqlite::Sqlite;
    let ours = ours::Ours::open(promise, &dir.join("statewright"))?;
    let mut all: Vec<Box<dyn Contender>> = vec![Box::new(ours)];
    match promise {
        Promise::Memory => {
            all.push(Box::new(Sqlite::in_memory()?));
            all.push(Box::new(Redb::in_memory()?));
        }
        Promise::Buffered => {
            all.push(Box::new(Sqlite::open(&dir.join("sqlite-off"), "OFF")?));
            all.push(Box::new(Sqlite::open(
                &dir.join("sqlite-normal"),
                "NORMAL",
            )?));
            all.push(Box::new(Redb::without_sync(&dir.join("redb"))?));
        }
        Promise::Strict => {
            all.push(Box::new(Sqlite::open(&dir.join("sqlite-full"), "FULL")?));
            all.push(Box::new(Redb::synced(&dir.join("redb"))?));
            all.push(Box::new(bare::Bare::open(&dir.join("bare"))?));
        }
    }
    Ok(all)
}

fn load(contenders: &mut [Box<dyn Contender>], keys: usize) -> Result<()> {
    for contender in contenders
        .iter_mut()
        .filter(|contender| contender.is_store())
    {
        for from in (0..keys).step_by(1000) {
            let pairs: Vec<_> = (from..keys.min(from + 1000))
                .map(|number| (key(number), value(number)))
                .collect();
            contender.put(&pairs)?;
        }
    }
    Ok(())
}

fn puts(
    promise: Promise,
    contenders: &mut [Box<dyn Contender>],
    size: Size,
    emit: &mut dyn FnMut(Row),
) -> Result<()> {
    let (commits, batches) = if promise == Promise::Strict {
        (40, 10)
    } else {
        (2000, 50)
    };
    let input = |round| pairs(round, size.keys, commits);
    let times = in_turn(
        contenders,
        size.samples,
        commits,
        input,
        |contender, pairs| pairs.chunks(1).try_for_each(|pair| contender.put(pair)),
    )?;
    rows(promise, "put", contenders, &times, emit);

    let operations = batches * 100;
    let input = |round| pairs(round, size.keys, operations);
    let times = in_turn(
        contenders,
        size.samples,
        operations,
        input,
        |contender, pairs| pairs.chunks(100).try_for_each(|pairs| contender.put(pairs)),
    )?;
    rows(promise, "put, 100 a commit", contenders, &times, emit);
    Ok(())
}

fn gets(
    promise: Promise,
    contenders: &mut [Box<dyn Contender>],
    size: Size,
    emit: &mut dyn FnMut(Row),
) -> Result<()> {
    let operations = 4000;
    let input = |round| keys(round, size.keys, operations);
    let times = in_turn(
        contenders,
        size.samples,
        operations,
        input,
        |contender, keys| {
            keys.iter().try_for_each(|key| {
                ensure!(
                    contender.get(key)? == Some(size_of::<Value>()),
                    "{} lost a key",
                    contender.name()
                );
                Ok(())
            })
        },
    )?;
    rows(promise, "get", contenders, &times, emit);

    let times = in_turn(
        contenders,
        size.samples,
        operations,
        input,
        |contender, keys| {
            let found = contender.get_all(keys)?;
            ensure!(
                found == operations * size_of::<Value>(),
                "{} lost a key",
                contender.name()
            );
            Ok(())
        },
    )?;
    rows(promise, "get, one snapshot", contenders, &times, emit);
    Ok(())
}

/// One row for each peer; CPU time too where nothing waits for a disk.
fn rows(
    promise: Promise,
    what: &str,
    all: &[Box<dyn Contender>],
    times: &[Time],
    emit: &mut dyn FnMut(Row),
) {
    let Some((ours, peers)) = times.split_first() else {
        return;
    };
    for (contender, time) in all.iter().skip(1).zip(peers) {
        let name = format!("store/{}/{what}", promise.name());
        if promise != Promise::Strict {
            emit(Row::time(
                format!("{name} (cpu)"),
                ours.cpu,
                time.cpu,
                contender.name(),
            ));
        }
        emit(Row::time(
            format!("{name} (wall)"),
            ours.wall,
            time.wall,
            contender.name(),
        ));
    }
}

/// Key number `number`, spread over the key space.
fn key(number: usize) -> Key {
    let mut sequence = Sequence::new(number as u64 + 1);
    let mut key = Key::default();
    for half in key.chunks_mut(8) {
        half.copy_from_slice(&sequence.next_u64().to_be_bytes());
    }
    key
}

fn value(number: usize) -> Value {
    let mut value = [0; size_of::<Value>()];
    let mut sequence = Sequence::new(!(number as u64));
    for part in value.chunks_mut(8) {
        part.copy_from_slice(&sequence.next_u64().to_be_bytes());
    }
    value
}

/// The keys of one round: the same for every contender.
fn keys(round: usize, known: usize, count: usize) -> Vec<Key> {
    let mut sequence = Sequence::new(round as u64);
    (0..count).map(|_| key(sequence.below(known))).collect()
}

fn pairs(round: usize, known: usize, count: usize) -> Vec<(Key, Value)> {
    keys(round, known, count)
        .into_iter()
        .enumerate()
        .map(|(number, key)| (key, value(number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole comparison in small: every contender keeps what it was given.
    #[test]
    fn every_contender_keeps_its_keys() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Vec::new();
        run(
            dir.path(),
            Size {
                keys: 50,
                samples: 1,
            },
            &mut |row| rows.push(row),
        )
        .unwrap();
        assert_eq!(rows.len(), 2 * 2 * 4 + 3 * 2 * 4 + 3 * 2);
        assert!(
            rows.iter().all(|row| row.ours > 0.0 && row.peer > 0.0),
            "{rows:#?}"
        );
    }

    #[test]
    fn keys_are_spread_and_stable() {
        assert_eq!(key(3), key(3));
        assert_ne!(key(3), key(4));
        assert_eq!(keys(1, 100, 5), keys(1, 100, 5));
    }
}
