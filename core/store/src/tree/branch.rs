//! Branches: children and the keys that separate them.

use smallvec::SmallVec;
use triomphe::Arc;

use super::keys::{Against, Suffix, common, first_not};
use super::leaf::Leaf;
use super::page::{Address, PageBranch, Saved};

/// Children of a branch at most.
pub(super) const MAX_CHILDREN: usize = 32;

/// A node's child.
#[derive(Clone, Debug)]
pub(super) enum Child {
    /// A leaf in memory.
    Leaf(Leaf),
    /// A branch in memory.
    Branch(Arc<Branch>),
    /// A node in a checkpoint.
    Page(Address),
}

/// A branch in memory: child `i + 1` holds the keys from separator `i` on. It is in one allocation, so that going
/// down waits for memory once a level. It begins at a line, behind that of its reference count: commits write that one,
/// and would take it away from those who read.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Branch {
    separators: Separators,
    pub children: SmallVec<[Child; MAX_CHILDREN + 1]>,
    pub saved: Saved,
}

/// A copy is made to be changed, so no page holds it.
impl Clone for Branch {
    fn clone(&self) -> Branch {
        self.saved.leave();
        self.fetch();
        Branch::new(self.separators.clone(), self.children.clone())
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        self.fetch();
    }
}

impl Branch {
    /// Reads a byte of each leaf: counting references one by one would wait for each in turn; now they come at the same
    /// time.
    fn fetch(&self) {
        for child in &self.children {
            if let Child::Leaf(leaf) = child {
                leaf.fetch();
            }
        }
    }
}

/// Sorted keys, found fast.
#[derive(Clone, Debug, Default)]
#[repr(C)]
struct Separators {
    /// What all of them begin with.
    prefix: SmallVec<[u8; 24]>,
    /// Of each, the next eight bytes.
    heads: Heads,
    /// What the heads do not hold. Keys rarely differ as late as that, so it is apart, and copies share it.
    rests: Arc<Rests>,
}

#[derive(Clone, Debug, Default)]
struct Rests {
    places: Vec<Place>,
    /// What is behind the heads, of all keys.
    bytes: Vec<u8>,
}

/// Sorted numbers.
#[derive(Clone, Debug)]
struct Heads {
    len: usize,
    /// Those behind are as large as can be.
    all: [u64; MAX_CHILDREN],
}

impl Default for Heads {
    fn default() -> Heads {
        Heads {
            len: 0,
            all: [u64::MAX; MAX_CHILDREN],
        }
    }
}

impl Heads {
    fn push(&mut self, head: u64) {
        if let Some(place) = self.all.get_mut(self.len) {
            *place = head;
            self.len += 1;
        }
    }

    fn get(&self, i: usize) -> Option<u64> {
        self.all.get(..self.len)?.get(i).copied()
    }

    /// How many are less than `wanted`. Reads of the last of each eight do not wait for each other, as those of a
    /// binary search do; then it is one line of memory.
    #[inline]
    fn less_than(&self, wanted: u64) -> usize {
        let eights = self.all.as_chunks::<8>().0;
        let less = eights.iter().filter(|[.., last]| *last < wanted).count();
        let Some(eight) = eights.get(less) else {
            return self.len;
        };
        let step = |at: usize, by: usize| match eight.get(at + by - 1) {
            Some(head) if *head < wanted => at + by,
            _ => at,
        };
        less * 8 + step(step(step(0, 4), 2), 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the key behind the prefix.
    len: u32,
    /// Where in the bytes it goes on.
    rest: u32,
}

impl Separators {
    fn new(keys: &[Vec<u8>]) -> Separators {
        let shared = match (keys.first(), keys.last()) {
            (Some(first), Some(last)) => first.get(..common(first, last)).unwrap_or_default(),
            _ => &[],
        };
        let mut separators = Separators {
            prefix: shared.into(),
            ..Separators::default()
        };
        for key in keys {
            separators.push(&Suffix::new(key.get(shared.len()..).unwrap_or_default()));
        }
        separators
    }

    fn push(&mut self, suffix: &Suffix<'_>) {
        self.heads.push(suffix.head);
        let rests = Arc::make_mut(&mut self.rests);
        rests.places.push(Place {
            len: suffix.len as u32,
            rest: rests.bytes.len() as u32,
        });
        rests.bytes.extend_from_slice(suffix.rest);
    }

    fn suffix(&self, i: usize) -> Suffix<'_> {
        let (Some(head), Some(place)) = (self.heads.get(i), self.rests.places.get(i)) else {
            return Suffix::new(&[]);
        };
        let (start, len) = (place.rest as usize, place.len as usize);
        let rest = self.rests.bytes.get(start..start + len.saturating_sub(8));
        Suffix {
            head,
            len,
            rest: rest.unwrap_or_default(),
        }
    }

    /// How many of them are at or before `key`.
    #[inline]
    fn up_to(&self, key: &[u8]) -> usize {
        let wanted = match Against::new(&self.prefix, key) {
            Against::Before => return 0,
            Against::Behind => return self.heads.len,
            Against::Among(suffix) => Suffix::new(suffix),
        };
        let less = self.heads.less_than(wanted.head);
        match self.heads.get(less) {
            Some(head) if head == wanted.head => self.up_to_same(less, &wanted),
            _ => less,
        }
    }

    /// The same, from the first that has the head of the wanted key.
    #[cold]
    fn up_to_same(&self, first: usize, wanted: &Suffix<'_>) -> usize {
        let next = wanted.head.checked_add(1);
        let end = next.map_or(self.heads.len, |next| self.heads.less_than(next));
        first_not(first..end, |i| {
            self.suffix(i).cmp_behind_head(wanted).is_le()
        })
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        (0..self.heads.len).map(|i| self.key(i)).collect()
    }

    fn key(&self, i: usize) -> Vec<u8> {
        let mut key = self.prefix.to_vec();
        self.suffix(i).write(&mut key);
        key
    }
}

/// The shortest key that is behind `left` and not behind `right`.
pub(super) fn separator(left: &[u8], right: &[u8]) -> Vec<u8> {
    let shared = common(left, right);
    right.get(..=shared).unwrap_or(right).to_vec()
}

impl Branch {
    fn new(separators: Separators, children: SmallVec<[Child; MAX_CHILDREN + 1]>) -> Branch {
        Branch {
            saved: Saved::default(),
            separators,
            children,
        }
    }

    /// A branch of two children.
    pub fn of_two(left: Child, key: Vec<u8>, right: Child) -> Branch {
        let children = [left, right].into_iter().collect();
        Branch::new(Separators::new(&[key]), children)
    }

    /// The branch that a page holds, if it has no more children than a branch in memory.
    pub fn of_page(page: &PageBranch<'_>) -> Option<Branch> {
        if page.len() > MAX_CHILDREN {
            return None;
        }
        let mut separators = Separators {
            prefix: page.prefix.into(),
            ..Separators::default()
        };
        for suffix in (0..page.separators()).map(|i| page.suffix(i)) {
            separators.push(&suffix);
        }
        let children = (0..page.len()).filter_map(|i| page.child(i));
        Some(Branch::new(separators, children.map(Child::Page).collect()))
    }

    /// The page of this branch, with these addresses for its children.
    pub fn to_page(&self, children: &[Address]) -> Vec<u8> {
        let separators = &self.separators;
        let suffixes = (0..separators.heads.len).map(|i| separators.suffix(i));
        PageBranch::encode(&separators.prefix, suffixes, children)
    }

    /// The child that holds `key`.
    #[inline]
    pub fn child_for(&self, key: &[u8]) -> Option<&Child> {
        self.children.get(self.child_of(key))
    }

    /// The index of the child that holds `key`.
    pub fn child_of(&self, key: &[u8]) -> usize {
        self.separators.up_to(key)
    }

    /// Puts a child behind child `at`; its keys begin with `key`. O(children).
    pub fn insert(&mut self, at: usize, key: Vec<u8>, child: Child) {
        let mut keys = self.separators.keys();
        keys.insert(at.min(keys.len()), key);
        self.separators = Separators::new(&keys);
        self.children
            .insert((at + 1).min(self.children.len()), child);
    }

    /// Takes child `at` out; its keys now belong to the child before it (to the one behind it, if it was the first).
    /// O(children).
    pub fn remove(&mut self, at: usize) -> Option<Child> {
        if at >= self.children.len() {
            return None;
        }
        let mut keys = self.separators.keys();
        if !keys.is_empty() {
            keys.remove(at.saturating_sub(1));
        }
        self.separators = Separators::new(&keys);
        Some(self.children.remove(at))
    }

    /// Whether it must be split.
    pub fn is_over(&self) -> bool {
        self.children.len() > MAX_CHILDREN
    }

    /// Splits off the second half (only the last child, if that was just `appended`), and gives the key in between.
    pub fn split(&mut self, appended: bool) -> (Vec<u8>, Branch) {
        let len = self.children.len();
        // A branch needs two children to be one.
        let at = if appended { len - 2 } else { len / 2 };
        let mut keys = self.separators.keys();
        let right = keys.split_off(at);
        let middle = keys.pop().unwrap_or_default();
        self.separators = Separators::new(&keys);
        let children = self.children.drain(at..).collect();
        let right = Branch::new(Separators::new(&right), children);
        (middle, right)
    }

    /// Takes over the children of the branch to the right, whose keys begin with `key`.
    pub fn join(&mut self, key: Vec<u8>, right: &mut Branch) {
        let mut keys = self.separators.keys();
        keys.push(key);
        keys.extend(right.separators.keys());
        self.separators = Separators::new(&keys);
        self.children.append(&mut right.children);
    }

    /// The separator behind child `at`.
    pub fn key_behind(&self, at: usize) -> Vec<u8> {
        self.separators.key(at)
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        size_of::<Branch>()
            + size_of::<Rests>()
            + self.separators.rests.places.capacity() * size_of::<Place>()
            + self.separators.rests.bytes.capacity()
    }
}
