//! Who wrote what, and in which order.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use super::{Anomaly, Event, History, Outcome};

/// A hasher that is the same in every run.
type Fixed = BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

/// One version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The commit.
    pub version: u64,
    /// Its transaction.
    pub txn: usize,
    /// The value; none if it was removed.
    pub value: Option<u64>,
}

/// The versions of every key, and where each value came from.
pub(super) struct Order<'a> {
    keys: BTreeMap<&'a str, Vec<Written>>,
    /// The transaction that wrote a value, and whether it let it stand.
    writers: HashMap<u64, (usize, bool), Fixed>,
}

impl<'a> Order<'a> {
    pub(super) fn new(history: &'a History) -> Result<Order<'a>, Anomaly> {
        let mut order = Order {
            keys: BTreeMap::new(),
            writers: HashMap::default(),
        };
        for (txn, it) in history.txns.iter().enumerate() {
            let mut last: BTreeMap<&str, Option<u64>> = BTreeMap::new();
            for event in &it.events {
                let Event::Write(key, value) = event else {
                    continue;
                };
                if let Some(Some(replaced)) = last.insert(key, *value) {
                    order.writers.insert(replaced, (txn, false));
                }
                if let Some(value) = value
                    && order.writers.insert(*value, (txn, true)).is_some()
                {
                    return Err(Anomaly::Ambiguous(format!("{value} was written twice")));
                }
            }
            if let Outcome::Committed(version) = it.outcome {
                for (key, value) in last {
                    let written = Written {
                        version,
                        txn,
                        value,
                    };
                    order.keys.entry(key).or_default().push(written);
                }
            }
        }
        for (key, versions) in &mut order.keys {
            versions.sort_by_key(|written| written.version);
            let next = versions.iter().skip(1);
            if let Some((a, b)) = versions
                .iter()
                .zip(next)
                .find(|(a, b)| a.version == b.version)
            {
                let (a, b, version) = (a.txn, b.txn, a.version);
                let why = format!("T{a} and T{b} both wrote {key} as commit {version}");
                return Err(Anomaly::Ambiguous(why));
            }
        }
        Ok(order)
    }

    /// The versions of each key, oldest first.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'a str, &[Written])> {
        self.keys.iter().map(|(key, versions)| (*key, &**versions))
    }

    /// The keys in a range that were ever written.
    pub(super) fn range<'b>(
        &'b self,
        from: &str,
        to: Option<&'b str>,
    ) -> impl Iterator<Item = (&'a str, &'b [Written])> {
        self.keys
            .range::<str, _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| to.is_none_or(|to| **key < to))
            .map(|(key, versions)| (*key, &**versions))
    }

    pub(super) fn versions(&self, key: &str) -> &[Written] {
        self.keys.get(key).map_or(&[], |versions| &**versions)
    }

    /// Which version of a key was read: none for "before the first". An absence that several removals could explain
    /// is taken for the newest at or before the reader's snapshot.
    pub(super) fn seen(versions: &[Written], value: Option<u64>, snapshot: u64) -> Option<usize> {
        match value {
            Some(_) => versions.iter().rposition(|written| written.value == value),
            None => versions
                .iter()
                .rposition(|written| written.value.is_none() && written.version <= snapshot),
        }
    }

    /// What can be told without a graph: every value has a writer who committed and let it stand, and a transaction
    /// agrees with itself.
    pub(super) fn check_reads(&self, history: &History) -> Result<(), Anomaly> {
        for (txn, it) in history.txns.iter().enumerate() {
            if it.outcome == Outcome::Aborted {
                continue; // nobody was told that what it read holds
            }
            let mut known: BTreeMap<&str, Option<u64>> = BTreeMap::new();
            for event in &it.events {
                match event {
                    Event::Write(key, value) => {
                        known.insert(key, *value);
                    }
                    Event::Read(key, found) => {
                        self.check_read(history, txn, key, *found, &mut known)?
                    }
                    Event::Range { from, to, seen } => {
                        for (key, found) in seen {
                            self.check_read(history, txn, key, Some(*found), &mut known)?;
                        }
                        let missing: Vec<&str> = known
                            .range::<str, _>((
                                std::ops::Bound::Included(from.as_str()),
                                std::ops::Bound::Unbounded,
                            ))
                            .take_while(|(key, _)| to.as_ref().is_none_or(|to| **key < to.as_str()))
                            .filter(|(key, value)| {
                                value.is_some() && !seen.iter().any(|(k, _)| k == *key)
                            })
                            .map(|(key, _)| *key)
                            .collect();
                        for key in missing {
                            self.check_read(history, txn, key, None, &mut known)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn check_read<'b>(
        &self,
        history: &'b History,
        txn: usize,
        key: &'b str,
        found: Option<u64>,
        known: &mut BTreeMap<&'b str, Option<u64>>,
    ) -> Result<(), Anomaly> {
        let key_of = || key.to_owned();
        if let Some(expected) = known.insert(key, found)
            && expected != found
        {
            return Err(Anomaly::Internal {
                txn,
                key: key_of(),
                expected,
                found,
            });
        }
        let Some(value) = found else { return Ok(()) };
        let Some((from, stands)) = self.writers.get(&value).copied() else {
            return Err(Anomaly::Garbage {
                txn,
                key: key_of(),
                value,
            });
        };
        if from == txn {
            return Ok(());
        }
        let aborted = history
            .txns
            .get(from)
            .is_some_and(|writer| writer.outcome == Outcome::Aborted);
        if aborted {
            return Err(Anomaly::AbortedRead {
                txn,
                from,
                key: key_of(),
            });
        }
        if !stands {
            return Err(Anomaly::IntermediateRead {
                txn,
                from,
                key: key_of(),
            });
        }
        if Order::seen(self.versions(key), found, 0).is_none() {
            return Err(Anomaly::Garbage {
                txn,
                key: key_of(),
                value,
            });
        }
        Ok(())
    }
}
