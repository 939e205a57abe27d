//! The tree: a persistent (structurally shared) B+tree from encoded keys to entries.
//!
//! Cloning a [`Tree`] copies a root pointer. A node nobody else holds is edited in place; a shared one is copied
//! along the path from the root, so an edit beside a live snapshot costs O(log n) nodes and without one costs none.
//! Entries are in the leaves' own buffers ([`leaf`]), so that finding one follows a pointer per level and no more.
//!
//! A child is a node in memory, or a page of a checkpoint ([`page`]) that is read where it is and becomes a node
//! when it is changed. So a store that is opened reads what it needs, and [`checkpoint`] writes what is new.

mod branch;
mod checkpoint;
mod index;
mod keys;
mod leaf;
mod page;
mod seek;
mod view;
mod walk;
mod write;

use statewright_log::Timestamp;
use statewright_value::Value;
use triomphe::Arc;

use crate::error::Result;
use crate::target::{Entry, Target};

use branch::{Branch, Child, MAX_CHILDREN, separator};
use leaf::{Leaf, MAX_ENTRIES, Put};
pub use page::{Address, Pages};
use page::{NO_PAGES, PageBranch, PageKind, Saved};
pub use view::Lent;
use view::View;

/// A node with fewer members than this is merged with a neighbour when both fit in one node.
const SPARSE: usize = MAX_ENTRIES / 4;

/// No tree is deeper; only pages that were made to go in circles are.
const MAX_DEPTH: usize = 32;

/// An encoded key: `space NUL tag key`, see [`crate::space`].
pub type Key = std::sync::Arc<[u8]>;

/// A node in memory that nobody else holds, to be changed.
enum Owned<'a> {
    Leaf(&'a mut Leaf),
    Branch(&'a mut Branch),
}

/// A version of the world.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Child,
    len: usize,
    /// Entries that expire.
    expiring: usize,
    files: Files,
}

/// What a tree has in checkpoints.
#[derive(Clone, Debug, Default)]
struct Files {
    pages: std::sync::Arc<Pages>,
    /// Bytes of all pages that belong to the tree.
    used: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            root: Child::Leaf(Leaf::default()),
            len: 0,
            expiring: 0,
            files: Files::default(),
        }
    }
}

/// A node to be read, wherever it is.
enum Ref<'a> {
    Leaf(View<'a>),
    Branch(BranchRef<'a>),
}

#[derive(Clone, Copy)]
enum BranchRef<'a> {
    Node(&'a Branch),
    Page(PageBranch<'a>),
}

/// A child to be read.
#[derive(Clone, Copy)]
enum ChildRef<'a> {
    Leaf(&'a Leaf),
    Branch(&'a Arc<Branch>),
    Page(Address),
}

impl Child {
    fn branch(branch: Branch) -> Child {
        Child::Branch(Arc::new(branch))
    }

    fn by_ref(&self) -> ChildRef<'_> {
        match self {
            Child::Leaf(leaf) => ChildRef::Leaf(leaf),
            Child::Branch(branch) => ChildRef::Branch(branch),
            Child::Page(address) => ChildRef::Page(*address),
        }
    }
}

impl<'a> BranchRef<'a> {
    fn child_of(&self, key: &[u8]) -> usize {
        match self {
            BranchRef::Node(branch) => branch.child_of(key),
            BranchRef::Page(page) => {
                let (head, suffix) = (|i| page.head(i), |i| page.suffix(i));
                keys::up_to(page.prefix, page.separators(), head, suffix, key)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            BranchRef::Node(branch) => branch.children.len(),
            BranchRef::Page(page) => page.len(),
        }
    }

    fn child(&self, i: usize) -> Option<ChildRef<'a>> {
        match self {
            BranchRef::Node(branch) => branch.children.get(i).map(Child::by_ref),
            BranchRef::Page(page) => page.child(i).map(ChildRef::Page),
        }
    }
}

impl<'a> ChildRef<'a> {
    /// The page that holds it or the same, if one does.
    fn address(self) -> Option<Address> {
        let address = match self {
            ChildRef::Page(address) => return Some(address),
            _ => self.saved()?.address(),
        };
        Some(address).filter(|address| address.0 != 0)
    }

    /// Of a node in memory.
    fn saved(self) -> Option<&'a Saved> {
        match self {
            ChildRef::Leaf(leaf) => Some(leaf.saved()),
            ChildRef::Branch(branch) => Some(&branch.saved),
            ChildRef::Page(_) => None,
        }
    }

    /// The node, for reading. If its page is not intact, an empty leaf, and [`Pages`] takes note.
    #[inline]
    fn read(self, pages: &'a Pages) -> Ref<'a> {
        match self {
            ChildRef::Leaf(leaf) => Ref::Leaf(leaf.view_with(pages)),
            ChildRef::Branch(branch) => Ref::Branch(BranchRef::Node(branch)),
            ChildRef::Page(address) => ChildRef::read_page(address, pages),
        }
    }

    fn read_page(address: Address, pages: &'a Pages) -> Ref<'a> {
        match pages.read(address) {
            Some((PageKind::Leaf, content)) => Ref::Leaf(View::of_page(content, pages)),
            Some((PageKind::Branch, content)) => match PageBranch::new(content) {
                Some(page) => Ref::Branch(BranchRef::Page(page)),
                None => nothing(pages),
            },
            Some((PageKind::Value, _)) => nothing(pages),
            None => Ref::Leaf(View::empty()),
        }
    }
}

fn nothing(pages: &Pages) -> Ref<'_> {
    pages.note("a page of a checkpoint is intact but is not what it should be".to_owned());
    Ref::Leaf(View::empty())
}

/// A right sibling made by a split, with the key that separates it from the left.
type Split = Option<(Vec<u8>, Child)>;

impl Files {
    /// The node of a child, to be changed: copied if it is shared, made if it is in a page. None if that page is not
    /// intact.
    fn own<'a>(&mut self, child: &'a mut Child) -> Option<Owned<'a>> {
        if let Child::Page(address) = *child {
            *child = self.load(address)?;
        }
        match child {
            Child::Leaf(leaf) => {
                self.is_waste(leaf.saved());
                leaf.own();
                Some(Owned::Leaf(leaf))
            }
            Child::Branch(branch) => {
                self.is_waste(&branch.saved);
                let branch = Arc::make_mut(branch);
                // Others read the line it is in.
                if branch.saved.address() != Address(0) {
                    branch.saved.forget();
                }
                Some(Owned::Branch(branch))
            }
            Child::Page(_) => None,
        }
    }

    /// The page of a node does not belong to the tree any more, as the node changes.
    #[inline]
    fn is_waste(&mut self, saved: &Saved) {
        if self.used > 0 {
            self.used = self.used.saturating_sub(saved.bytes());
        }
    }

    /// The node that a page holds. From here on the page is not used any more.
    fn load(&mut self, address: Address) -> Option<Child> {
        let (kind, content) = self.pages.read(address)?;
        let child = match kind {
            PageKind::Leaf => Leaf::of_page(&View::of_page(content, &NO_PAGES)).map(Child::Leaf),
            PageKind::Branch => PageBranch::new(content)
                .and_then(|page| Branch::of_page(&page))
                .map(Child::branch),
            PageKind::Value => None,
        };
        if child.is_none() {
            nothing(&self.pages);
        }
        let values = match &child {
            Some(Child::Leaf(leaf)) => leaf.paged(),
            _ => 0,
        };
        self.used = self.used.saturating_sub(content.len() as u64 + values);
        child
    }

    /// How many members a node has, without making it one in memory.
    fn size(&self, child: &Child) -> usize {
        match child.by_ref().read(&self.pages) {
            Ref::Leaf(leaf) => leaf.len(),
            Ref::Branch(branch) => branch.len(),
        }
    }
}

impl Tree {
    /// An empty tree that will go on with these pages.
    pub fn new(pages: Pages) -> Tree {
        let pages = std::sync::Arc::new(pages);
        Tree {
            files: Files { pages, used: 0 },
            ..Tree::default()
        }
    }

    /// How many entries there are, expired ones included. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether any entry expires. O(1).
    pub fn has_expiring(&self) -> bool {
        self.expiring > 0
    }

    /// Fails if any page that was read was not intact: then what was read may be incomplete.
    pub fn check(&self) -> Result<()> {
        self.files.pages.check()
    }

    /// Lets go of all nodes, until it is made to [follow](Tree::follow) another one. O(1), but for nodes that nobody
    /// else holds.
    pub fn let_go(&mut self) {
        self.root = Child::Page(Address(0));
    }

    /// Becomes what the other one is. O(1).
    pub fn follow(&mut self, other: &Tree) {
        self.root = other.root.clone();
        (self.len, self.expiring) = (other.len, other.expiring);
        self.files.used = other.files.used;
        if !std::sync::Arc::ptr_eq(&self.files.pages, &other.files.pages) {
            self.files.pages = other.files.pages.clone();
        }
    }

    /// Whether anything of it is in checkpoints. O(1).
    pub fn has_pages(&self) -> bool {
        !self.files.pages.files().is_empty()
    }

    /// Reads what a change of this key will read, so that [`check`](Tree::check) can tell beforehand, or that it is
    /// near then.
    pub fn touch(&self, key: &[u8]) {
        self.lend(key, |_| ());
    }

    /// The leaf that holds a key, if any does.
    #[inline]
    fn leaf_of(&self, key: &[u8]) -> View<'_> {
        let mut child = &self.root;
        loop {
            match child {
                Child::Leaf(leaf) => return leaf.view_with(&self.files.pages),
                Child::Branch(branch) => match branch.child_for(key) {
                    Some(next) => child = next,
                    None => break,
                },
                Child::Page(address) => return self.leaf_in_pages(*address, key),
            }
        }
        nothing(&self.files.pages);
        View::empty()
    }

    /// The leaf below a page that holds a key.
    fn leaf_in_pages(&self, address: Address, key: &[u8]) -> View<'_> {
        let mut node = ChildRef::Page(address);
        for _ in 0..MAX_DEPTH {
            match node.read(&self.files.pages) {
                Ref::Leaf(leaf) => return leaf,
                Ref::Branch(branch) => match branch.child(branch.child_of(key)) {
                    Some(child) => node = child,
                    None => break,
                },
            }
        }
        nothing(&self.files.pages);
        View::empty()
    }

    /// Passes the entry at a key to `f`, where it is. O(log n).
    #[inline]
    pub fn lend<T>(&self, key: &[u8], f: impl FnOnce(Lent<'_>) -> T) -> Option<T> {
        self.leaf_of(key).lend(key).map(f)
    }

    /// The entry at a key. O(log n).
    pub fn get(&self, key: &[u8]) -> Option<Entry> {
        self.lend(key, |lent| lent.entry()).flatten()
    }

    /// The leaf that holds a key, or would, to be changed. None if a page on the way is not intact.
    fn leaf_mut(&mut self, key: &[u8]) -> Option<&mut Leaf> {
        let files = &mut self.files;
        let mut node = files.own(&mut self.root)?;
        for _ in 0..MAX_DEPTH {
            match node {
                Owned::Leaf(leaf) => return Some(leaf),
                Owned::Branch(branch) => {
                    let at = branch.child_of(key);
                    node = files.own(branch.children.get_mut(at)?)?;
                }
            }
        }
        nothing(&files.pages);
        None
    }

    /// Inserts or replaces. O(log n).
    pub fn insert(&mut self, key: &[u8], entry: &Entry) {
        let expires = self.expiry(key).is_some();
        let Some(leaf) = self.leaf_mut(key) else {
            return;
        };
        let put = leaf.put(key, entry);
        if leaf.is_over()
            && let Some((separator, right)) = split_towards(&mut self.root, key, &mut self.files)
        {
            let left = std::mem::replace(&mut self.root, Child::Page(Address(0)));
            self.root = Child::branch(Branch::of_two(left, separator, right));
        }
        if put == Put::Inserted {
            self.len = self.len.saturating_add(1);
        }
        // What a checkpoint says of its size is not believed so far that it could end the process.
        self.expiring = self.expiring.saturating_sub(usize::from(expires));
        self.expiring = self
            .expiring
            .saturating_add(usize::from(entry.expires.is_some()));
    }
}

impl Target for Tree {
    fn get(&self, key: &[u8]) -> Option<Entry> {
        Tree::get(self, key)
    }

    fn expiry(&self, key: &[u8]) -> Option<Timestamp> {
        if !self.has_expiring() {
            return None;
        }
        self.lend(key, |lent| lent.expires()).flatten()
    }

    fn first_from(&self, from: &[u8]) -> Option<(Vec<u8>, Entry)> {
        self.range(from, None, 1, false, |_, _| true).pop()
    }

    fn put(&mut self, key: &[u8], entry: Entry) {
        self.insert(key, &entry);
    }

    fn edit<R>(
        &mut self,
        key: &[u8],
        version: u64,
        f: impl FnOnce(&mut Value) -> Result<R>,
    ) -> Option<Result<R>> {
        // Looked up first, so that a miss copies nothing.
        if self.leaf_of(key).search(key).is_err() {
            return None;
        }
        let leaf = self.leaf_mut(key)?;
        let at = leaf.view().search(key).ok()?;
        if let Some(value) = leaf.live_mut(at, version) {
            return Some(f(value));
        }
        let mut entry = Tree::get(self, key)?;
        entry.version = version;
        let edited = f(&mut entry.value);
        if edited.is_ok() {
            self.insert(key, &entry);
        }
        Some(edited)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        // Looked up first, so that a miss copies nothing.
        if self.leaf_of(key).search(key).is_err() {
            return false;
        }
        self.expiring = self
            .expiring
            .saturating_sub(usize::from(self.expiry(key).is_some()));
        remove_from(&mut self.root, key, &mut self.files);
        self.len = self.len.saturating_sub(1);
        // A branch of one child is no longer a branch.
        while let Child::Branch(branch) = &self.root {
            match branch.children.as_slice() {
                [] => self.root = Tree::default().root,
                [only] => self.root = only.clone(),
                _ => break,
            }
        }
        true
    }
}

/// Splits the leaf that a key was just put into, and the branches above that are over then.
fn split_towards(child: &mut Child, key: &[u8], files: &mut Files) -> Split {
    match files.own(child)? {
        Owned::Leaf(leaf) => {
            let view = leaf.view();
            let appended = view.search(key) == Ok(view.len() - 1);
            let right = leaf.split(appended);
            let (left, first) = (leaf.view(), right.view().key(0));
            let between = separator(&left.key(left.len() - 1), &first);
            Some((between, Child::Leaf(right)))
        }
        Owned::Branch(branch) => {
            let at = branch.child_of(key);
            let (separator, right) = split_towards(branch.children.get_mut(at)?, key, files)?;
            branch.insert(at, separator, right);
            if !branch.is_over() {
                return None;
            }
            let (separator, right) = branch.split(at + 2 == branch.children.len());
            Some((separator, Child::branch(right)))
        }
    }
}

fn remove_from(child: &mut Child, key: &[u8], files: &mut Files) {
    let Some(node) = files.own(child) else { return };
    match node {
        Owned::Leaf(leaf) => {
            if let Ok(at) = leaf.view().search(key) {
                leaf.take(at);
            }
        }
        Owned::Branch(branch) => {
            let at = branch.child_of(key);
            let Some(child) = branch.children.get_mut(at) else {
                return;
            };
            remove_from(child, key, files);
            if files.size(child) < SPARSE {
                merge_around(branch, at, files);
            }
        }
    }
}

/// Drops an empty child, or joins a sparse one with a neighbour when both fit in one node.
fn merge_around(branch: &mut Branch, at: usize, files: &mut Files) {
    if branch
        .children
        .get(at)
        .is_some_and(|child| files.size(child) == 0)
    {
        branch.remove(at);
        return;
    }
    for left in [at.checked_sub(1), Some(at)].into_iter().flatten() {
        let (Some(l), Some(r)) = (branch.children.get(left), branch.children.get(left + 1)) else {
            continue;
        };
        let fit = match (l.by_ref().read(&files.pages), r.by_ref().read(&files.pages)) {
            (Ref::Leaf(l), Ref::Leaf(r)) => l.fits_with(&r),
            (Ref::Branch(l), Ref::Branch(r)) => l.len() + r.len() <= MAX_CHILDREN,
            // All leaves are at one depth, so neighbours are of one kind.
            _ => false,
        };
        if fit {
            let between = branch.key_behind(left);
            let mut taken = branch.remove(left + 1);
            let taken = taken.as_mut().and_then(|taken| files.own(taken));
            let into = branch
                .children
                .get_mut(left)
                .and_then(|into| files.own(into));
            match (into, taken) {
                (Some(Owned::Leaf(l)), Some(Owned::Leaf(r))) => l.join(r),
                (Some(Owned::Branch(l)), Some(Owned::Branch(r))) => l.join(between, r),
                // Both were read a moment ago.
                _ => {}
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use statewright_value::value;

    use super::*;

    /// Keys of several lengths and shared beginnings, some of them prefixes of others, and many that differ late only.
    fn key(n: u16) -> Vec<u8> {
        match n % 5 {
            0 => n.to_be_bytes().to_vec(),
            1 => format!("default/key/{n:05}").into_bytes(),
            2 => format!(
                "default/key/{:05}/{}",
                n / 8,
                "x".repeat(usize::from(n % 8))
            )
            .into_bytes(),
            3 => format!("{:03} of many rows of one document, {n:05}", n / 100).into_bytes(),
            _ => vec![b'k'; usize::from(n % 24)],
        }
    }

    /// Values of every way in which a leaf holds one.
    fn entry(version: u64) -> Entry {
        let value = match version % 11 {
            0 => value!(null),
            1 => value!(true),
            2 => Value::from(version),
            3 => Value::from(u64::MAX - version),
            4 => Value::from_f64(version as f64 / 3.0).unwrap(),
            5 => Value::from(format!("text {version}")),
            6 => Value::bytes(vec![version as u8; (version % 40) as usize]),
            7 => Value::from("long ".repeat(200)),
            8 => value!({"version": (version), "tags": ["a", "b"]}),
            9 => Value::decimal("12.50").unwrap(),
            _ => Value::from(-(version as i64)),
        };
        Entry {
            expires: (version.is_multiple_of(5)).then(|| Timestamp::from_micros(version as i64)),
            ..Entry::new(value, version)
        }
    }

    fn content(tree: &Tree) -> Vec<(Vec<u8>, Entry)> {
        tree.range(&[], None, usize::MAX, false, |_, _| true)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Every operation agrees with a `BTreeMap`, and no snapshot ever changes.
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..5, 0u16..600), 1..1500)) {
            let mut tree = Tree::default();
            let mut model = BTreeMap::new();
            let mut snapshots = Vec::new();
            for (i, (what, k)) in ops.into_iter().enumerate() {
                let version = i as u64;
                let k = key(k);
                match what {
                    0..=2 => {
                        tree.insert(&k, &entry(version));
                        model.insert(k.clone(), entry(version));
                    }
                    3 => {
                        prop_assert_eq!(tree.remove(&k), model.remove(&k).is_some());
                    }
                    _ => {
                        let set = |v: &mut Value| { *v = value!({"edited": (version)}); Ok(()) };
                        let edited = tree.edit(&k, version, set).is_some();
                        prop_assert_eq!(edited, model.contains_key(&k));
                        if let Some(e) = model.get_mut(&k) {
                            (e.value, e.version) = (value!({"edited": (version)}), version);
                        }
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
                prop_assert_eq!(tree.get(&k), model.get(&k).cloned());
                if i % 97 == 0 {
                    snapshots.push((tree.clone(), content(&tree)));
                }
            }
            prop_assert_eq!(content(&tree), model.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(tree.expiring, model.values().filter(|e| e.expires.is_some()).count());
            for from in [0u16, 1, 2, 3, 57, 200, 399, 402] {
                let (from, to) = (key(from), key(from + 150));
                let want: Vec<_> = model.range(from.clone()..).map(|(k, e)| (k.clone(), e.clone())).collect();
                prop_assert_eq!(tree.range(&from, None, usize::MAX, false, |_, _| true), want);
                let mut want: Vec<_> = model.iter().filter(|(k, _)| **k >= from && **k < to)
                    .map(|(k, e)| (k.clone(), e.clone())).collect();
                prop_assert_eq!(tree.range(&from, Some(&to), usize::MAX, false, |_, _| true), want.clone());
                want.reverse();
                want.truncate(7);
                prop_assert_eq!(tree.range(&from, Some(&to), 7, true, |_, _| true), want);
            }
            for (snapshot, then) in snapshots {
                prop_assert_eq!(content(&snapshot), then);
            }
        }
    }

    #[test]
    fn keys_in_order_leave_full_leaves() {
        let mut tree = Tree::default();
        for n in 0..10_000_u32 {
            tree.insert(&n.to_be_bytes(), &entry(0));
        }
        fn count(child: &Child, leaves: &mut usize) {
            match child {
                Child::Leaf(_) => *leaves += 1,
                Child::Branch(branch) => branch.children.iter().for_each(|c| count(c, leaves)),
                Child::Page(_) => panic!("it is in memory"),
            }
        }
        let mut leaves = 0;
        count(&tree.root, &mut leaves);
        assert_eq!(leaves, 10_000_usize.div_ceil(MAX_ENTRIES));
    }

    #[test]
    fn an_entry_of_a_hundred_bytes_takes_less_than_two_hundred_and_fifty() {
        let mut tree = Tree::default();
        let mut seed = 1_u64;
        for version in 0..20_000_u64 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            let key = [
                b"default\0\x01".as_slice(),
                &seed.to_be_bytes(),
                &version.to_be_bytes(),
            ]
            .concat();
            let value = Value::bytes(vec![7; 128]);
            tree.insert(&key, &Entry::new(value, version));
        }
        fn bytes(child: &Child) -> usize {
            // A reference count and the allocator's own.
            24 + match child {
                Child::Leaf(leaf) => leaf.size(),
                Child::Branch(b) => b.size() + b.children.iter().map(bytes).sum::<usize>(),
                Child::Page(_) => panic!("it is in memory"),
            }
        }
        let each = bytes(&tree.root) / tree.len();
        assert!(each < 250, "{each} bytes an entry");
    }
}
