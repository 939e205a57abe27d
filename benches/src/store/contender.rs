//! Who takes part: the operations of a comparison, the keys and values, and every peer with what it promises.

use std::path::Path;

use anyhow::{Result, bail};

use super::ours::Ours;
use super::{fjall, lmdb, redb, sqlite};
use crate::measure::Sequence;

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
    /// As rows call it.
    pub fn name(self) -> &'static str {
        match self {
            Promise::Memory => "memory",
            Promise::Buffered => "buffered",
            Promise::Strict => "strict",
        }
    }
}

/// A store that takes part. Every operation stands for itself: a commit, or a read transaction, of its own.
pub trait Contender: Send + Sync {
    /// Puts all of them in one commit.
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()>;
    /// Adds 1 to a counter, which begins at 0, in one commit.
    fn increment(&self, _: &Key) -> Result<()> {
        bail!("counts nothing")
    }
    /// Gets one key; the length of what it found.
    fn get(&self, _: &Key) -> Result<Option<usize>> {
        bail!("keeps nothing")
    }
    /// Gets all of them from one snapshot; the sum of the lengths.
    fn get_all(&self, _: &[Key]) -> Result<usize> {
        bail!("keeps nothing")
    }
    /// Reads that many entries in order, from this key on; the sum of the lengths of keys and values.
    fn scan(&self, _: &Key, _: usize) -> Result<usize> {
        bail!("keeps nothing")
    }
    /// Leaves everything on disk, as a user would who ends the program.
    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
    /// Bytes written to the log since it was opened, if the store tells.
    fn log_bytes(&self) -> Option<u64> {
        None
    }
}

/// Somebody who can take part.
#[derive(Clone, Copy)]
pub struct Peer {
    /// How `--peers` and the child processes call it.
    pub key: &'static str,
    /// Who it is, and in which mode.
    pub name: &'static str,
    /// In whose company it is measured.
    pub promise: Promise,
    /// Whether it keeps the promise; one that does not is measured as the next weaker thing it has.
    pub keeps: bool,
    /// Opens what is in the folder, or makes it; `keys` are expected.
    pub open: fn(&Path, usize) -> Result<Box<dyn Contender>>,
}

/// Ours under a promise.
pub fn ours(promise: Promise) -> Peer {
    Peer {
        key: "ours",
        name: "Statewright",
        promise,
        keeps: true,
        open: match promise {
            Promise::Memory => |_, _| Ok(Box::new(Ours::memory()?)),
            Promise::Buffered => |dir, _| Ok(Box::new(Ours::buffered(dir)?)),
            Promise::Strict => |dir, _| Ok(Box::new(Ours::strict(dir)?)),
        },
    }
}

/// Everyone else who is measured beside ours under a promise, whose key begins with one of `wanted` (empty: all).
pub fn peers(promise: Promise, wanted: &[String]) -> Vec<Peer> {
    let groups = [
        sqlite::PEERS,
        redb::PEERS,
        fjall::PEERS,
        lmdb::PEERS,
        #[cfg(feature = "rocksdb")]
        super::rocksdb::PEERS,
    ];
    let chosen =
        |peer: &Peer| wanted.is_empty() || wanted.iter().any(|part| peer.key.starts_with(part));
    groups
        .into_iter()
        .flatten()
        .copied()
        .filter(|peer| peer.promise == promise && chosen(peer))
        .collect()
}

/// Puts the keys below `keys`, a thousand a commit.
pub fn load(contender: &dyn Contender, keys: usize) -> Result<()> {
    for from in (0..keys).step_by(1000) {
        let pairs: Vec<_> = (from..keys.min(from + 1000))
            .map(|number| (key(number), value(number)))
            .collect();
        contender.put(&pairs)?;
    }
    Ok(())
}

/// Key number `number`, spread over the key space.
pub fn key(number: usize) -> Key {
    let mut sequence = Sequence::new(number as u64 + 1);
    let mut key = Key::default();
    for half in key.chunks_mut(8) {
        half.copy_from_slice(&sequence.next_u64().to_be_bytes());
    }
    key
}

/// A value that no other number gives.
pub fn value(number: usize) -> Value {
    let mut value = [0; size_of::<Value>()];
    let mut sequence = Sequence::new(!(number as u64));
    for part in value.chunks_mut(8) {
        part.copy_from_slice(&sequence.next_u64().to_be_bytes());
    }
    value
}

/// The keys of one round: the same for every contender.
pub fn keys(round: usize, known: usize, count: usize) -> Vec<Key> {
    let mut sequence = Sequence::new(round as u64);
    (0..count).map(|_| key(sequence.below(known))).collect()
}

/// [`keys`] with values that no round before had.
pub fn pairs(round: usize, known: usize, count: usize) -> Vec<(Key, Value)> {
    let fresh = round.wrapping_add(1).wrapping_mul(1 << 24);
    keys(round, known, count)
        .into_iter()
        .enumerate()
        .map(|(number, key)| (key, value(number + fresh)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_and_stable() {
        assert_eq!(key(3), key(3));
        assert_ne!(key(3), key(4));
        assert_eq!(keys(1, 100, 5), keys(1, 100, 5));
        assert_ne!(pairs(1, 100, 5), pairs(2, 100, 5));
    }

    /// Every contender does what it is asked, and (but in memory) still has it when opened again.
    #[test]
    fn every_contender_keeps_what_it_was_given() {
        for promise in [Promise::Memory, Promise::Buffered, Promise::Strict] {
            for peer in [vec![ours(promise)], peers(promise, &[])].concat() {
                let dir = tempfile::tempdir().unwrap();
                let mut store = (peer.open)(dir.path(), 100).unwrap();
                load(&*store, 100).unwrap();
                for _ in 0..3 {
                    store.increment(&key(100_000)).unwrap();
                }
                if promise != Promise::Memory && peer.keeps {
                    store.close().unwrap();
                    store = (peer.open)(dir.path(), 100).unwrap();
                }
                let name = peer.name;
                assert_eq!(store.get(&key(7)).unwrap(), Some(128), "{name}");
                assert_eq!(store.get(&key(100)).unwrap(), None, "{name}");
                let all: Vec<Key> = (0..100).map(key).collect();
                assert_eq!(store.get_all(&all).unwrap(), 100 * 128, "{name}");
                let mut sorted = all.clone();
                sorted.sort();
                // The one before the last 30: no counter can be among so few.
                assert_eq!(store.scan(&sorted[69], 1).unwrap(), 144, "{name}");
                assert!(store.scan(&sorted[0], 20).unwrap() >= 19 * 144, "{name}");
            }
        }
    }
}
