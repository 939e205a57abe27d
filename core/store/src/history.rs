//! The past of an entry, read from the log.

use statewright_log::Timestamp;
use statewright_value::Value;

use crate::error::{Error, Result};
use crate::op::Op;
use crate::reader::Stored;
use crate::space::{self, Primitive, Space, SpaceOp};
use crate::store::Store;
use crate::target::{Entry, Stamp, Target};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What an entry became in one commit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Past {
    /// The commit.
    pub version: u64,
    /// When it was made.
    pub time: Timestamp,
    /// What the entry was after it; none if the commit removed it.
    pub value: Option<Value>,
    /// When it was to expire, if it was.
    pub expires: Option<Timestamp>,
}

/// A few entries, followed through the log.
struct Followed {
    keys: BTreeSet<Vec<u8>>,
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Target for Followed {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        self.entries.get(key).cloned()
    }

    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        let mut behind = self.entries.range(from.to_vec()..);
        behind.next().map(|(k, e)| (k.clone(), e.clone()))
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        if self.keys.contains(key) {
            self.entries.insert(key.to_vec(), entry);
        }
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        let entry = self.entries.get_mut(key)?;
        let edited = f(&mut entry.value);
        if edited.is_ok() {
            entry.version = version;
        }
        Some(edited)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        self.entries.remove(key).is_some()
    }
}

impl Store {
    /// Up to `limit` of the values that an entry had up to a version, the newest first.
    pub(crate) fn history(
        &self,
        space: &Space,
        primitive: Primitive,
        key: &[u8],
        limit: usize,
        until: u64,
    ) -> Result<Vec<Past>> {
        let mut newest: VecDeque<Past> = VecDeque::new();
        self.follow(space, primitive, key, until, |at, _, now| {
            newest.push_front(Past {
                version: at.version,
                time: at.time,
                value: now.map(|e| e.value.clone()),
                expires: now.and_then(|e| e.expires),
            });
            newest.truncate(limit);
        })?;
        Ok(newest.into())
    }

    /// An entry as it was at a version, unless it had expired by that commit's time.
    pub(crate) fn entry_at(
        &self,
        space: &Space,
        primitive: Primitive,
        key: &[u8],
        version: u64,
    ) -> Result<Option<Stored>> {
        let mut last = None;
        let time = self.follow(space, primitive, key, version, |_, _, now| {
            last = now.cloned();
        })?;
        Ok(last.filter(|e| e.is_live(time)).map(Stored::from))
    }

    /// Tells `f` each change of an entry up to a version, with what was there before and what is after; gives the time
    /// of the last commit there was up to then. O(log): every commit is read.
    fn follow(
        &self,
        space: &Space,
        primitive: Primitive,
        key: &[u8],
        version: u64,
        mut f: impl FnMut(Stamp, Option<&Entry>, Option<&Entry>),
    ) -> Result<Timestamp> {
        let key = space::encode_checked(space, primitive, key)?;
        self.must_have_log(&space::display(&key))?;
        let (keys, spaces) = self.origins(space, &key, version)?;
        let mut followed = Followed {
            keys,
            entries: BTreeMap::new(),
        };
        let mut failed = None;
        let mut time = Timestamp::default();
        self.log(1, &mut |commit| {
            if commit.version > version {
                return false;
            }
            time = commit.time;
            let at = Stamp {
                version: commit.version,
                time: commit.time,
            };
            let touches = |op: &&Op| spaces.iter().any(|space| op.is_in(space));
            let mut ops = commit.ops.iter().filter(touches).peekable();
            if ops.peek().is_none() {
                return true;
            }
            let before = followed.get(&key);
            let mut touched = false;
            for op in ops {
                // Ops on other keys change nothing here, and may miss what they need.
                let mine = match op {
                    Op::Space(_) | Op::KvPurge { .. } => true,
                    op => followed.keys.contains(&*op.key()),
                };
                if !mine {
                    continue;
                }
                if let Err(e) = op.apply(&mut followed, at) {
                    failed = Some(Error::Corrupt {
                        version: commit.version,
                        why: e.to_string(),
                    });
                    return false;
                }
                touched |= *op.key() == *key;
            }
            let after = followed.get(&key);
            if touched || before != after {
                f(at, before.as_ref(), after.as_ref());
            }
            true
        })?;
        failed.map_or(Ok(time), Err)
    }

    /// The entry itself and, where its space was made as a copy of another, what it was copied from; and their spaces.
    fn origins(
        &self,
        space: &Space,
        key: &[u8],
        version: u64,
    ) -> Result<(BTreeSet<Vec<u8>>, Vec<Space>)> {
        let mut copies = Vec::new();
        self.log(1, &mut |commit| {
            for op in commit.ops {
                if let Op::Space(SpaceOp::Copy { from, to }) = op {
                    copies.push((from, to));
                }
            }
            commit.version < version
        })?;
        let rest = key.get(space.as_str().len()..).unwrap_or_default();
        let mut spaces = vec![space.clone()];
        // A copy's source is older than the copy.
        for (from, to) in copies.into_iter().rev() {
            if spaces.contains(&to) && !spaces.contains(&from) {
                spaces.push(from);
            }
        }
        let keys = spaces
            .iter()
            .map(|space| [space.as_str().as_bytes(), rest].concat());
        Ok((keys.collect(), spaces))
    }

    pub(crate) fn must_have_log(&self, what: &str) -> Result<()> {
        if self.is_in_memory() {
            return Err(Error::NoHistory {
                what: what.to_owned(),
                why: "a store in memory keeps no log; open the store in a folder",
            });
        }
        Ok(())
    }
}
