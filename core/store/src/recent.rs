//! Conflict detection: which regions were written lately, and by which commit.
//!
//! A region is an entry of the tree and a path in its value. Two regions overlap if one is the other, its ancestor or
//! its descendant; siblings never do. Per entry, a trie over path segments holds the version last written *at* a node
//! and the newest written *below* it, so recording and checking cost the path's length, not the document's size.
//!
//! Only what a live or coming transaction could have missed is kept, and never more than a bounded number of writes:
//! past that, older snapshots fail closed.

use std::collections::{BTreeMap, VecDeque};

use statewright_value::{Path, Segment};

use crate::error::Result;
use crate::room;
use crate::sabotage::{self, Bug};
use crate::space::KeyBuf;
use crate::tree::Key;

/// How a place was touched. Two touches of overlapping places commute only if both are `Add`, or both are `Append`, of
/// the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Read, or written in a way that depends on the order.
    #[default]
    Exact,
    /// A number was added to what was there.
    Add,
    /// Something was put at the end of what was there.
    Append,
}

/// A place that was read or written.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    pub key: KeyBuf,
    pub path: Path,
    pub mode: Mode,
}

impl Region {
    /// A place that was read, or written in a way that commutes with nothing.
    pub fn exact(key: KeyBuf, path: Path) -> Region {
        Region {
            key,
            path,
            mode: Mode::Exact,
        }
    }
}

/// An overlap with a later commit.
#[derive(Debug, PartialEq)]
pub struct Overlap {
    pub key: Key,
    pub committed: u64,
}

#[derive(Debug, Default)]
struct Node {
    /// The last version written at exactly this place, of each [`Mode`].
    own: [u64; 3],
    /// The last version written below it.
    below: u64,
    children: BTreeMap<Segment, Node>,
}

impl Node {
    /// The newest version written here.
    fn here(&self) -> u64 {
        self.own.into_iter().max().unwrap_or(0)
    }

    /// The newest version written here that does not commute with `mode`.
    fn against(&self, mode: Mode) -> u64 {
        let others = self.own.iter().enumerate();
        let conflicting = others.filter(|(i, _)| mode == Mode::Exact || *i != mode as usize);
        conflicting.map(|(_, version)| *version).max().unwrap_or(0)
    }

    /// The newest version written here or below.
    fn newest(&self) -> u64 {
        self.here().max(self.below)
    }
}

#[derive(Debug)]
pub(crate) struct Recent {
    entries: BTreeMap<Key, Node>,
    /// Writes in commit order, for forgetting.
    order: VecDeque<(u64, Key)>,
    /// Snapshots older than this cannot be validated any more.
    floor: u64,
    capacity: usize,
}

impl Recent {
    pub fn new(capacity: usize) -> Self {
        Recent {
            entries: BTreeMap::new(),
            order: VecDeque::new(),
            floor: 0,
            capacity,
        }
    }

    /// The oldest snapshot that can still be validated.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Makes sure that this many more writes can be noted without a large allocation.
    pub fn make_room(&mut self, writes: usize) -> Result<()> {
        self.order.try_reserve(writes).map_err(room::refused)
    }

    /// Notes what commit `version` wrote. O(path + log n).
    pub fn record(&mut self, version: u64, region: &Region) {
        let key: Key = region.key.clone().into();
        let mut node = self.entries.entry(key.clone()).or_default();
        for segment in region.path.segments() {
            node.below = version;
            node = node.children.entry(segment.clone()).or_default();
        }
        if let Some(own) = node.own.get_mut(region.mode as usize) {
            *own = version;
        }
        self.order.push_back((version, key));
        while self.order.len() > self.capacity {
            if let Some((dropped, key)) = self.order.pop_front() {
                self.floor = self.floor.max(dropped);
                self.forget(&key, dropped);
            }
        }
    }

    /// Forgets what every snapshot from `version` on has seen anyway.
    pub fn prune(&mut self, version: u64) {
        while self
            .order
            .front()
            .is_some_and(|(written, _)| *written <= version)
        {
            if let Some((written, key)) = self.order.pop_front() {
                self.forget(&key, written);
            }
        }
    }

    fn forget(&mut self, key: &Key, version: u64) {
        if self
            .entries
            .get(key)
            .is_some_and(|node| node.newest() <= version)
        {
            self.entries.remove(key);
        }
    }

    /// Whether a commit after `since` wrote to a key, anywhere in its value. O(log n).
    pub fn wrote(&self, key: &[u8], since: u64) -> bool {
        self.entries
            .get(key)
            .is_some_and(|node| node.newest() > since)
    }

    /// A commit after `since` that wrote something overlapping `region`. O(path + log n).
    pub fn overlap(&self, region: &Region, since: u64) -> Option<Overlap> {
        let found = |committed| {
            Some(Overlap {
                key: region.key.clone().into(),
                committed,
            })
        };
        let mut node = self.entries.get(&*region.key)?;
        for segment in region.path.segments() {
            if node.here() > since {
                return found(node.here());
            }
            node = node.children.get(segment)?;
        }
        let mut newest = node.against(region.mode).max(node.below);
        if sabotage::on(Bug::IgnoreDescendants) {
            newest = node.against(region.mode); // planted
        }
        if newest > since { found(newest) } else { None }
    }

    /// A commit after `since` that wrote to any key from `from` up to `to` (not included; none = the end).
    /// O(log n + recently written keys in the range).
    pub fn overlap_range(&self, from: &Key, to: Option<&Key>, since: u64) -> Option<Overlap> {
        self.entries
            .range(from.clone()..)
            .take_while(|(key, _)| to.is_none_or(|to| *key < to))
            .find(|(_, node)| node.newest() > since)
            .map(|(key, node)| Overlap {
                key: key.clone(),
                committed: node.newest(),
            })
    }

    #[cfg(test)]
    fn len(&self) -> (usize, usize) {
        (self.entries.len(), self.order.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(key: &str, path: &str) -> Region {
        Region::exact(key.as_bytes().into(), Path::parse(path).unwrap())
    }

    #[test]
    fn sums_commute_with_sums_and_appends_with_appends_of_the_same_place() {
        let modes = [Mode::Exact, Mode::Add, Mode::Append];
        let touch = |path, mode| Region {
            mode,
            ..region("doc", path)
        };
        for (first, second) in modes.into_iter().flat_map(|a| modes.map(|b| (a, b))) {
            let mut recent = Recent::new(100);
            recent.record(7, &touch(".a.n", first));
            let meets = |path| recent.overlap(&touch(path, second), 6).is_some();
            let commute = first == second && first != Mode::Exact;
            assert_eq!(meets(".a.n"), !commute, "{first:?} then {second:?}");
            assert!(
                meets(".a") && meets(".a.n.x"),
                "another place of the same path"
            );
            assert!(!meets(".a.m"));
        }
    }

    #[test]
    fn overlap_is_same_ancestor_or_descendant() {
        let cases = [
            (".a.b", ".a.b", true),
            (".a", ".a.b", true),
            (".a.b", ".a", true),
            (".", ".a.b.c", true),
            (".a.b.c", ".", true),
            (".a.b", ".a.c", false),
            (".a[0]", ".a[1]", false),
            (".a[0].x", ".a[0].y", false),
            (".a[0]", ".a[0].y", true),
            (".b", ".a", false),
        ];
        for (written, touched, overlaps) in cases {
            let mut recent = Recent::new(100);
            recent.record(7, &region("doc", written));
            let hit = recent.overlap(&region("doc", touched), 6);
            assert_eq!(hit.is_some(), overlaps, "{written} then {touched}");
            assert_eq!(hit.map(|h| h.committed), overlaps.then_some(7));
            assert_eq!(
                recent.overlap(&region("doc", touched), 7),
                None,
                "seen in the snapshot"
            );
            assert_eq!(
                recent.overlap(&region("other", touched), 6),
                None,
                "another document"
            );
        }
    }

    #[test]
    fn ranges_see_any_write_to_a_key_in_them() {
        let mut recent = Recent::new(100);
        recent.record(3, &region("b", ".x"));
        let key = |s: &str| Key::from(s.as_bytes());
        assert!(
            recent
                .overlap_range(&key("a"), Some(&key("c")), 2)
                .is_some()
        );
        assert!(recent.overlap_range(&key("a"), None, 2).is_some());
        assert!(
            recent
                .overlap_range(&key("a"), Some(&key("b")), 2)
                .is_none()
        );
        assert!(recent.overlap_range(&key("c"), None, 2).is_none());
        assert!(recent.overlap_range(&key("a"), None, 3).is_none());
    }

    #[test]
    fn memory_is_bounded_and_old_snapshots_fail_closed() {
        let mut recent = Recent::new(10);
        for version in 1..=100 {
            recent.record(version, &region(&format!("k{}", version % 20), ".a"));
        }
        assert_eq!(recent.len(), (10, 10));
        assert_eq!(recent.floor(), 90);
        recent.prune(95);
        assert_eq!(recent.len(), (5, 5));
        recent.prune(100);
        assert_eq!(recent.len(), (0, 0));
    }
}
