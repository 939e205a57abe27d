//! The locks of cases. All cases that call each other are a family, which has one lock: nobody ever waits for a case
//! that has nothing to do with theirs, which would be a wait for somebody else's sync.
//!
//! A lock is there while somebody has it, waits for it, or it guards anything.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::{ArcMutexGuard, Mutex, RawMutex};

use crate::ids;

/// Parts of the table. Each is only ever held for looking at it.
const PARTS: usize = 1 << 10;

/// The lock of each family, and what it guards.
pub(super) struct Families<T> {
    parts: Vec<Mutex<Vec<Entry<T>>>>,
}

struct Entry<T> {
    family: u64,
    /// How many have it or wait for it.
    users: usize,
    guarded: Arc<Mutex<T>>,
}

/// Whether it need not be kept.
pub(super) trait Guarded: Default {
    fn is_empty(&self) -> bool;
}

/// The lock of a family that somebody has.
pub(super) struct Lock<'a, T: Guarded> {
    // Given back before its user is counted off.
    guard: ArcMutexGuard<RawMutex, T>,
    user: User<'a, T>,
}

struct User<'a, T: Guarded> {
    families: &'a Families<T>,
    family: u64,
}

/// The family of a case, which is that of the case at the root. If two have the same number, they share a lock, which
/// costs time and nothing else.
pub(super) fn family(case: &str) -> u64 {
    // FNV-1a, whose last bytes only reach its lowest and its highest bits: multiplied, they reach the first ones.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = ids::root(case).bytes().fold(0xcbf2_9ce4_8422_2325, step);
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<T> Default for Families<T> {
    fn default() -> Self {
        Families {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl<T: Guarded> Families<T> {
    /// Looks at the part of the table that a family is in.
    fn part<R>(&self, family: u64, look: impl FnOnce(&mut Vec<Entry<T>>) -> R) -> Option<R> {
        let part = self.parts.get((family >> 40) as usize % PARTS)?;
        Some(look(&mut part.lock()))
    }

    /// Waits for whoever has the lock of a family. Several are to be locked in the order of their numbers, so that
    /// nobody waits for somebody who waits for them.
    pub fn lock(&self, family: u64) -> Lock<'_, T> {
        let entered = self.part(family, |part| {
            enter(part, family).unwrap_or_else(|| {
                let guarded = Arc::<Mutex<T>>::default();
                part.push(Entry {
                    family,
                    users: 1,
                    guarded: guarded.clone(),
                });
                guarded
            })
        });
        self.wait(family, entered.unwrap_or_default())
    }

    /// As [`lock`](Families::lock), if there is such a lock: if not, it guards nothing.
    pub fn lock_known(&self, family: u64) -> Option<Lock<'_, T>> {
        let entered = self.part(family, |part| enter(part, family))??;
        Some(self.wait(family, entered))
    }

    fn wait(&self, family: u64, entered: Arc<Mutex<T>>) -> Lock<'_, T> {
        Lock {
            guard: entered.lock_arc(),
            user: User {
                families: self,
                family,
            },
        }
    }
}

/// One more user of the lock of a family, if it is there.
fn enter<T>(part: &mut [Entry<T>], family: u64) -> Option<Arc<Mutex<T>>> {
    let entry = part.iter_mut().find(|entry| entry.family == family)?;
    entry.users = entry.users.saturating_add(1);
    Some(entry.guarded.clone())
}

impl<T: Guarded> Lock<'_, T> {
    pub fn family(&self) -> u64 {
        self.user.family
    }
}

impl<T: Guarded> Deref for Lock<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: Guarded> DerefMut for Lock<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: Guarded> Drop for User<'_, T> {
    fn drop(&mut self) {
        self.families.part(self.family, |part| {
            let mine = |entry: &Entry<T>| entry.family == self.family;
            let Some(at) = part.iter().position(mine) else {
                return;
            };
            let done = part.get_mut(at).is_some_and(|entry| {
                entry.users = entry.users.saturating_sub(1);
                entry.users == 0 && entry.guarded.lock().is_empty()
            });
            if done {
                part.swap_remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Number(u64);

    impl Guarded for Number {
        fn is_empty(&self) -> bool {
            self.0 == 0
        }
    }

    fn entries(families: &Families<Number>) -> usize {
        families.parts.iter().map(|part| part.lock().len()).sum()
    }

    #[test]
    fn cases_that_are_numbered_have_locks_of_their_own_and_share_them_with_those_they_call() {
        let names: [fn(u32) -> String; 3] = [
            |n| format!("c{n}"),
            |n| format!("order-{n:08}"),
            |n| format!("order-{n}-eu"),
        ];
        for name in names {
            let mut parts = BTreeMap::new();
            for n in 0..PARTS as u32 {
                assert_eq!(family(&name(n)), family(&format!("{}~2~1", name(n))));
                *parts
                    .entry((family(&name(n)) >> 40) % PARTS as u64)
                    .or_insert(0) += 1;
            }
            assert!(*parts.values().max().unwrap() < 10, "{}", name(0));
        }
    }

    #[test]
    fn a_lock_is_there_as_long_as_it_is_used_or_guards_something() {
        let families = Families::<Number>::default();
        assert!(families.lock_known(7).is_none());
        let mut lock = families.lock(7);
        assert_eq!(entries(&families), 1);
        lock.0 = 5;
        drop(lock);
        assert_eq!(families.lock_known(7).map(|lock| lock.0), Some(5));
        // Another one in the same part of the table is another one.
        assert_eq!(families.lock(8).0, 0);
        families.lock(7).0 = 0;
        assert_eq!(entries(&families), 0);
    }

    #[test]
    fn nothing_is_lost_when_many_lock_and_leave() {
        let families = Families::<Number>::default();
        thread::scope(|scope| {
            for thread in 0..8 {
                let families = &families;
                scope.spawn(move || {
                    for n in 0..10_000_u64 {
                        let mut lock = families.lock(n % 3);
                        // Empty now and then, so that it comes and goes.
                        lock.0 += 1;
                        if thread % 2 == 0 {
                            drop(families.lock_known(n % 3 + 3));
                        }
                        drop(lock);
                        let mut lock = families.lock(n % 3 + 3);
                        lock.0 = if lock.0 == 0 { 1 } else { 0 };
                    }
                });
            }
        });
        let counts = (0..3).map(|family| families.lock(family).0);
        assert_eq!(counts.sum::<u64>(), 80_000);
        assert!(entries(&families) <= 6);
    }
}
