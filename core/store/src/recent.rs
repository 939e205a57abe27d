//! Conflict detection: which regions were written lately, and by which commit.
//!
//! A region is an entry of the tree and a path in its value. Two regions overlap if one is the other, its ancestor or
//! its descendant; siblings never do. The beginnings of a region's path are its places. The version last written *at* a
//! place and the newest written *below* it are kept under the hash of the place, so recording and checking cost the
//! path's length, not the document's size; with a short key and path neither allocates.
//!
//! Only what a live or coming transaction could have missed is kept, and never more than a bounded number of writes:
//! past that, older snapshots fail closed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use smallvec::SmallVec;
use statewright_value::{Path, Segment};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::Result;
use crate::hasher::Numbers;
use crate::room;
use crate::sabotage::{self, Bug};
use crate::space::KeyBuf;
use crate::tree::Key;

/// More ranges than this are looked up in what was written, once that is sorted.
const FEW_RANGES: usize = 4;

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

/// What was written of a place.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last version written at exactly this place, of each [`Mode`].
    own: [u64; 3],
    /// The last version written below it.
    below: u64,
}

impl Place {
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

/// A write of a commit.
#[derive(Debug)]
struct Write {
    version: u64,
    key: KeyBuf,
    /// The hashes of its places, that of the key first.
    places: SmallVec<[u64; 4]>,
}

#[derive(Debug)]
pub(crate) struct Recent {
    /// By hash. Places of one hash count as one: then a transaction is run again that need not be.
    places: HashMap<u64, Place, Numbers>,
    /// In commit order.
    order: VecDeque<Write>,
    /// Snapshots older than this cannot be validated any more.
    floor: u64,
    capacity: usize,
    /// What nobody knows who could choose keys of one hash.
    seed: u64,
}

impl Recent {
    pub fn new(capacity: usize, seed: u64) -> Self {
        Recent {
            places: HashMap::default(),
            order: VecDeque::new(),
            floor: 0,
            capacity,
            seed,
        }
    }

    /// The oldest snapshot that can still be validated.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Makes sure that these writes can be noted without a large allocation.
    pub fn make_room(&mut self, writes: &[Region]) -> Result<()> {
        let places = writes.iter().map(|w| w.path.segments().len() + 1).sum();
        let places = self.places.try_reserve(places);
        let both = places.and_then(|()| self.order.try_reserve(writes.len()));
        both.map_err(room::refused)
    }

    fn hash_of(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    /// The hashes of a region's places, from its key on down.
    fn places_of(&self, region: &Region) -> impl Iterator<Item = u64> {
        let mut hash = self.hash_of(&region.key);
        let below = region.path.segments().iter().map(move |segment| {
            hash = match segment {
                Segment::Key(key) => xxh3_64_with_seed(key.as_str().as_bytes(), hash),
                Segment::Index(index) => xxh3_64_with_seed(&index.to_le_bytes(), !hash),
            };
            hash
        });
        std::iter::once(hash).chain(below)
    }

    /// Notes what commit `version` wrote. O(path).
    pub fn record(&mut self, version: u64, region: &Region) {
        let places: SmallVec<_> = self.places_of(region).collect();
        if let Some((at, above)) = places.split_last() {
            for hash in above {
                self.places.entry(*hash).or_default().below = version;
            }
            let place = self.places.entry(*at).or_default();
            if let Some(own) = place.own.get_mut(region.mode as usize) {
                *own = version;
            }
        }
        let key = region.key.clone();
        self.order.push_back(Write {
            version,
            key,
            places,
        });
        while self.order.len() > self.capacity {
            let dropped = self.forget();
            self.floor = self.floor.max(dropped);
        }
    }

    /// Forgets what every snapshot from `version` on has seen anyway.
    pub fn prune(&mut self, version: u64) {
        while self.order.front().is_some_and(|w| w.version <= version) {
            self.forget();
        }
    }

    /// Forgets the oldest write, unless a later one was of the same places; gives its version.
    fn forget(&mut self) -> u64 {
        let Some(write) = self.order.pop_front() else {
            return 0;
        };
        for hash in write.places {
            if let Entry::Occupied(place) = self.places.entry(hash)
                && place.get().newest() <= write.version
            {
                place.remove();
            }
        }
        write.version
    }

    /// Whether a commit after `since` wrote to a key, anywhere in its value. O(1).
    pub fn wrote(&self, key: &[u8], since: u64) -> bool {
        let place = self.places.get(&self.hash_of(key));
        place.is_some_and(|place| place.newest() > since)
    }

    /// A commit after `since` that wrote something overlapping `region`. O(path).
    pub fn overlap(&self, region: &Region, since: u64) -> Option<Overlap> {
        let found = |committed| {
            Some(Overlap {
                key: region.key.clone().into(),
                committed,
            })
        };
        let mut at = Place::default();
        for (depth, hash) in self.places_of(region).enumerate() {
            if depth > 0 && at.here() > since {
                return found(at.here());
            }
            at = *self.places.get(&hash)?;
        }
        let mut newest = at.against(region.mode).max(at.below);
        if sabotage::on(Bug::IgnoreDescendants) {
            newest = at.against(region.mode); // planted
        }
        if newest > since { found(newest) } else { None }
    }

    /// A commit after `since` that wrote to a key in one of these ranges, each from a key up to another one (not
    /// included; none = the end). O(w) for a few ranges, O((w + ranges) log w) for many; w = writes since then.
    pub fn overlap_ranges(&self, ranges: &[(Key, Option<Key>)], since: u64) -> Option<Overlap> {
        if ranges.is_empty() {
            return None;
        }
        let writes = || self.order.iter().rev().take_while(|w| w.version > since);
        let before = |write: &Write, to: &Option<Key>| match to {
            Some(to) => *write.key < **to,
            None => true,
        };
        let mut sorted = Vec::new();
        let found = if ranges.len() <= FEW_RANGES || sorted.try_reserve(writes().count()).is_err() {
            writes().find(|write| {
                let mut ranges = ranges.iter();
                ranges.any(|(from, to)| *write.key >= **from && before(write, to))
            })
        } else {
            sorted.extend(writes());
            sorted.sort_unstable_by_key(|write: &&Write| &*write.key);
            ranges.iter().find_map(|(from, to)| {
                let first = sorted.partition_point(|write| *write.key < **from);
                let first = sorted.get(first).copied();
                first.filter(|write| before(write, to))
            })
        };
        found.map(|write| Overlap {
            key: write.key.clone().into(),
            committed: write.version,
        })
    }

    #[cfg(test)]
    fn len(&self) -> (usize, usize) {
        (self.places.len(), self.order.len())
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
            let mut recent = Recent::new(100, 1);
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
            let mut recent = Recent::new(100, 1);
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
        let mut recent = Recent::new(100, 1);
        recent.record(2, &region("e", ""));
        recent.record(3, &region("b", ".x"));
        let key = |s: &str| Key::from(s.as_bytes());
        let cases = [
            ("a", Some("c"), 2, true),
            ("a", None, 2, true),
            ("b", Some("bb"), 2, true),
            ("a", Some("b"), 2, false),
            ("c", None, 2, false),
            ("c", None, 1, true),
            ("a", None, 3, false),
        ];
        // So many others that what was written is sorted.
        let others: Vec<_> = (0..FEW_RANGES)
            .map(|i| (key(&format!("z{i}")), Some(key(&format!("z{i}z")))))
            .collect();
        for (from, to, since, meets) in cases {
            let one = [(key(from), to.map(key))];
            let many = [&others, &one[..]].concat();
            for ranges in [&one[..], &many] {
                let found = recent.overlap_ranges(ranges, since);
                assert_eq!(found.is_some(), meets, "{from} to {to:?} since {since}");
                let found = found.map(|overlap| (overlap.committed, overlap.key));
                let first = if since == 1 {
                    (2, key("e"))
                } else {
                    (3, key("b"))
                };
                assert_eq!(found, meets.then_some(first));
            }
        }
        assert!(recent.overlap_ranges(&[], 0).is_none());
    }

    #[test]
    fn memory_is_bounded_and_old_snapshots_fail_closed() {
        let mut recent = Recent::new(10, 1);
        for version in 1..=100 {
            recent.record(version, &region(&format!("k{}", version % 20), ".a"));
        }
        assert_eq!(recent.len(), (20, 10));
        assert_eq!(recent.floor(), 90);
        recent.prune(95);
        assert_eq!(recent.len(), (10, 5));
        recent.prune(100);
        assert_eq!(recent.len(), (0, 0));
    }
}
