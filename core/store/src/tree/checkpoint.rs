//! Going on with the pages that a checkpoint wrote of a tree, and taking a tree from them.

use std::collections::HashMap;

use triomphe::Arc;

use super::branch::Child;
use super::page::{Address, Pages};
use super::{Files, Tree};
use crate::error::{Error, Result};
use crate::hasher::Numbers;

/// What was written of a tree.
#[derive(Debug, Default)]
pub struct Written {
    pub(super) root: Address,
    /// The nodes in memory that are in pages now, of so many bytes.
    pub(super) nodes: Vec<(Child, Address, u64)>,
    /// Where the pages are that were copied, by where they were.
    pub(super) moved: HashMap<Address, Address, Numbers>,
    /// Bytes of pages that belong to the tree and were written, or are now reached through a page that was.
    pub(super) bytes: u64,
    pub(super) len: usize,
    pub(super) expiring: usize,
    /// Of all pages that belong to the tree.
    pub(super) used: u64,
    /// That before it was written.
    pub(super) before: u64,
}

impl Written {
    /// Bytes of pages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of all pages that belong to the tree.
    pub fn used(&self) -> u64 {
        self.used
    }
}

impl Tree {
    /// Bytes of all pages that belong to the tree.
    pub fn used(&self) -> u64 {
        self.files.used
    }

    /// The checkpoints that the tree's pages are in.
    pub fn pages(&self) -> &Pages {
        &self.files.pages
    }

    /// Goes on with the pages that a checkpoint of an earlier version of this tree wrote. If `evict`, nodes that are
    /// in pages leave memory. Gives what is to be dropped when nobody waits. O(branches in memory).
    pub fn settle(&mut self, written: &Written, pages: Pages, evict: bool) -> impl Send + use<> {
        // What was changed while it was written is waste already.
        let mut left = written.before.saturating_sub(self.files.used);
        for (node, address, bytes) in &written.nodes {
            match node.by_ref().saved() {
                Some(saved) if saved.has_left() => left = left.saturating_add(*bytes),
                Some(saved) => saved.set(*address, *bytes),
                None => {}
            }
        }
        self.files.pages = std::sync::Arc::new(pages);
        self.files.used = written.used.saturating_sub(left);
        let mut dropped = Vec::new();
        if evict || !written.moved.is_empty() {
            settle(&mut self.root, written, evict, &mut dropped);
        }
        dropped
    }

    /// What a checkpoint's root says: the tree's root and size, and the checkpoints that its pages are in.
    pub fn encode_root(written: &Written, files: &[u64]) -> Vec<u8> {
        let numbers = [
            written.root.0,
            written.len as u64,
            written.expiring as u64,
            written.used,
            files.len() as u64,
        ];
        let all = numbers.iter().chain(files);
        all.flat_map(|number| number.to_le_bytes()).collect()
    }

    /// The numbers that a checkpoint's root says: of the tree (its root, how many entries, how many of them expire,
    /// how much is used), and of the checkpoints that its pages are in.
    fn decode_root(root: &[u8]) -> Result<([u64; 4], Vec<u64>)> {
        let mut numbers = root.as_chunks().0.iter().map(|n| u64::from_le_bytes(*n));
        let mut next = || numbers.next().ok_or_else(senseless);
        let (tree, count) = ([next()?, next()?, next()?, next()?], next()?);
        let count = usize::try_from(count).map_err(|_| senseless())?;
        let files: Vec<u64> = numbers.take(count).collect();
        match files.len() == count {
            true => Ok((tree, files)),
            false => Err(senseless()),
        }
    }

    /// The checkpoints that the pages are in of the tree that a checkpoint's root describes.
    pub fn files_of_root(root: &[u8]) -> Result<Vec<u64>> {
        Ok(Tree::decode_root(root)?.1)
    }

    /// The tree that a checkpoint's root describes; `open` opens the checkpoints it needs.
    pub fn of_root(root: &[u8], open: impl FnOnce(&[u64]) -> Result<Pages>) -> Result<Tree> {
        let ([address, len, expiring, used], files) = Tree::decode_root(root)?;
        let size = |n: u64| usize::try_from(n).map_err(|_| senseless());
        Ok(Tree {
            root: Child::Page(Address(address)),
            len: size(len)?,
            expiring: size(expiring)?,
            files: Files {
                pages: std::sync::Arc::new(open(&files)?),
                used,
            },
        })
    }
}

fn senseless() -> Error {
    Error::Damaged {
        why: "the root of a checkpoint makes no sense".to_owned(),
    }
}

/// Puts pages where they are now.
fn settle(child: &mut Child, written: &Written, evict: bool, dropped: &mut Vec<Child>) {
    if let Child::Page(address) = child {
        if let Some(moved) = written.moved.get(address) {
            *address = *moved;
        }
        return;
    }
    let address = child.by_ref().address();
    if evict && let Some(address) = address {
        dropped.push(std::mem::replace(child, Child::Page(address)));
        return;
    }
    let moved = |address: Address| written.moved.get(&address).copied();
    match child {
        Child::Leaf(leaf) if leaf.has_moved(&moved) => leaf.follow(&moved),
        Child::Branch(branch) => {
            let bytes = branch.saved.bytes();
            let branch = Arc::make_mut(branch);
            for child in &mut branch.children {
                settle(child, written, evict, dropped);
            }
            // Its page says the same after this as before.
            branch.saved.set(address.unwrap_or_default(), bytes);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;
    use statewright_log::{CheckpointFile, CheckpointWriter, Env, Position, Timestamp, sim};
    use statewright_value::{Value, value};

    use super::super::branch::MAX_CHILDREN;
    use super::super::keys::Suffix;
    use super::super::page::{self, PageBranch, PageKind, PageLeaf};
    use super::*;
    use crate::target::{Entry, Target};

    const DIR: &str = "/store";

    fn open(env: &Env, number: u64) -> std::sync::Arc<CheckpointFile> {
        std::sync::Arc::new(CheckpointFile::open(env, Path::new(DIR), number).unwrap())
    }

    /// Writes a checkpoint and goes on with it; `meanwhile` happens to the tree while it is written.
    fn checkpoint(
        env: &Env,
        tree: &mut Tree,
        (number, whole, evict): (u64, bool, bool),
        meanwhile: impl FnOnce(&mut Tree),
    ) {
        let frozen = tree.clone();
        let mut out = CheckpointWriter::create(env, Path::new(DIR), number).unwrap();
        let written = frozen.write(&mut out, whole).unwrap();
        meanwhile(tree);
        let old = if whole { &[] } else { frozen.pages().files() };
        let numbers: Vec<u64> = old.iter().map(|f| f.number()).chain([number]).collect();
        let position = Position {
            version: 1,
            hash: [0; 16],
            time: Timestamp::EPOCH,
            segment: 1,
            offset: 4096,
        };
        let root = Tree::encode_root(&written, &numbers);
        let file = std::sync::Arc::new(out.finish(&position, &root).unwrap());
        let files = old.iter().cloned().chain([file.clone()]).collect();
        drop(tree.settle(&written, Pages::new(files, 1 << 16), evict));
        // What was frozen is what is read from the files.
        let open = |numbers: &[u64]| {
            Ok(Pages::new(
                numbers.iter().map(|n| open(env, *n)).collect(),
                1 << 16,
            ))
        };
        let read = Tree::of_root(file.root(), open).unwrap();
        assert_eq!(
            (content(&read), read.len()),
            (content(&frozen), frozen.len())
        );
        read.check().unwrap();
    }

    fn content(tree: &Tree) -> Vec<(Vec<u8>, Entry)> {
        tree.range(&[], None, usize::MAX, false, |_, _| true)
    }

    fn key(n: u16) -> Vec<u8> {
        format!("default/key/{n:05}{}", "x".repeat(usize::from(n % 3))).into_bytes()
    }

    fn entry(version: u64) -> Entry {
        let value = match version % 5 {
            0 => Value::from(version),
            1 => Value::from("text ".repeat((version % 300) as usize)),
            2 => value!({"small": (version)}),
            3 => Value::decimal("1.5").unwrap(),
            _ => value!({"big": (Value::from("y".repeat(2000))), "n": (version)}),
        };
        Entry::new(value, version)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Whatever is in pages and whatever in memory, a tree agrees with a map, and no snapshot changes.
        #[test]
        fn pages_and_memory_agree_with_a_map(
            ops in proptest::collection::vec((0u8..40, 0u16..400, any::<u8>()), 1..1200),
        ) {
            let (env, _, _) = sim::world(1);
            env.io.create_dir(Path::new(DIR)).unwrap();
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            let mut snapshots = Vec::new();
            let mut number = 0;
            for (version, (what, k, dice)) in (1..).zip(ops) {
                let k = key(k);
                match what {
                    0..=24 => {
                        tree.insert(&k, &entry(version));
                        model.insert(k, entry(version));
                    }
                    25..=33 => prop_assert_eq!(tree.remove(&k), model.remove(&k).is_some()),
                    34..=37 => {
                        let set = |v: &mut Value| { *v = value!({"edited": (version)}); Ok(()) };
                        let edited = tree.edit(&k, version, set).is_some();
                        prop_assert_eq!(edited, model.contains_key(&k));
                        model.entry(k).and_modify(|e| *e = Entry::new(value!({"edited": (version)}), version));
                    }
                    38 => snapshots.push((tree.clone(), content(&tree))),
                    _ => {
                        number += 1;
                        let how = (number, dice & 1 == 1, dice & 2 == 2);
                        checkpoint(&env, &mut tree, how, |tree| {
                            if dice & 4 == 4 {
                                tree.insert(&k, &entry(version));
                                model.insert(k, entry(version));
                            }
                        });
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
            }
            prop_assert!(content(&tree) == model.into_iter().collect::<Vec<_>>());
            tree.check().unwrap();
            for (snapshot, then) in snapshots {
                prop_assert!(content(&snapshot) == then);
            }
        }
    }

    #[test]
    fn what_did_not_change_is_not_written_again() {
        let (env, _, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut tree = Tree::default();
        for n in 0..5000 {
            tree.insert(&key(n), &entry(u64::from(n)));
        }
        checkpoint(&env, &mut tree, (1, false, true), |_| {});
        tree.insert(&key(77), &entry(5));
        checkpoint(&env, &mut tree, (2, false, false), |_| {});
        checkpoint(&env, &mut tree, (3, false, true), |_| {});
        checkpoint(&env, &mut tree, (4, true, false), |_| {});
        let sizes: Vec<u64> = (1..5).map(|n| open(&env, n).len()).collect();
        assert!(
            sizes[1] < sizes[0] / 20,
            "a leaf and its branches: {sizes:?}"
        );
        assert!(sizes[2] < 1000, "nothing but the root: {sizes:?}");
        assert!(sizes[3].abs_diff(sizes[0]) < sizes[0] / 10, "{sizes:?}");
        assert_eq!(tree.pages().files().len(), 1);
        assert!(
            tree.used().abs_diff(sizes[3]) < sizes[3] / 4,
            "{} {sizes:?}",
            tree.used()
        );
    }

    /// A folder, and a tree of many leaves.
    fn grown() -> (Env, Tree) {
        let (env, _, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut tree = Tree::default();
        change(&mut tree, 0);
        (env, tree)
    }

    /// Writes to all leaves; the third time, to some.
    fn change(tree: &mut Tree, time: u64) {
        for n in (0..2000).step_by(if time == 3 { 100 } else { 1 }) {
            tree.insert(&key(n), &entry(u64::from(n) + time));
        }
    }

    #[test]
    fn pages_of_nodes_that_changed_in_memory_are_waste() {
        let (env, mut tree) = grown();
        for number in 1..=9 {
            let evict = number == 6;
            checkpoint(&env, &mut tree, (number, false, evict), |_| {});
            let held = tree.clone();
            change(&mut tree, number);
            drop(held);
        }
        checkpoint(&env, &mut tree, (10, false, false), |_| {});
        let used = tree.used();
        checkpoint(&env, &mut tree, (11, true, false), |_| {});
        let whole = open(&env, 11).len();
        assert!(used.abs_diff(whole) < whole / 4, "{used} {whole}");
    }

    /// Also if everything is written anew, and nothing of it has to be read for that.
    #[test]
    fn pages_of_nodes_that_changed_while_they_were_written_are_waste() {
        let (env, mut tree) = grown();
        for number in 1..=9 {
            let how = (number, number == 4 || number == 7, number == 6);
            checkpoint(&env, &mut tree, how, |tree| change(tree, number));
        }
        checkpoint(&env, &mut tree, (10, false, false), |_| {});
        let mut used = vec![tree.used()];
        for number in 11..=13 {
            checkpoint(&env, &mut tree, (number, true, false), |_| {});
            used.push(tree.used());
        }
        let whole = open(&env, 13).len();
        let near = |used: &u64| used.abs_diff(whole) < whole / 4;
        assert!(used.iter().all(near), "{used:?} {whole}");
    }

    #[test]
    fn a_damaged_page_is_an_error_and_never_other_content() {
        let (env, io, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut tree = Tree::default();
        for n in 0..300 {
            tree.insert(&key(n), &entry(u64::from(n)));
        }
        checkpoint(&env, &mut tree, (1, false, true), |_| {});
        let want = content(&tree);
        let len = open(&env, 1).len();
        let root = open(&env, 1).root().to_vec();
        for at in (64..len - 32).step_by(997) {
            let path = Path::new(DIR).join("0000000001.swckpt");
            io.edit(&path, |bytes| bytes[at as usize] ^= 1).unwrap();
            if let Ok(file) = CheckpointFile::open(&env, Path::new(DIR), 1) {
                let pages = Pages::new(vec![std::sync::Arc::new(file)], 1 << 16);
                let tree = Tree::of_root(&root, |_| Ok(pages)).unwrap();
                let got = content(&tree);
                assert!(
                    got == want || matches!(tree.check(), Err(Error::Damaged { .. })),
                    "byte {at}"
                );
            }
            io.edit(&path, |bytes| bytes[at as usize] ^= 1).unwrap();
        }
    }

    /// Copies checkpoint 1 page by page into another folder, where it has the same addresses, after `change`, which
    /// gets the number of the page (none: the root).
    fn forge(from: &Env, change: impl Fn(Option<usize>, &mut Vec<u8>)) -> (Env, Tree) {
        let file = open(from, 1);
        let (env, _, _) = sim::world(2);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut out = CheckpointWriter::create(&env, Path::new(DIR), 1).unwrap();
        let end = file.len() - 32;
        let (mut number, mut at) = (0, 64);
        while let Ok(page) = file.page(at) {
            let next = (at + 8 + page.len() as u64).next_multiple_of(64);
            if next >= end {
                break; // the root, which is written anew
            }
            let mut page = page.to_vec();
            change(Some(number), &mut page);
            assert_eq!(out.page(&page).unwrap(), at);
            (number, at) = (number + 1, next);
        }
        let mut root = file.root().to_vec();
        change(None, &mut root);
        root.truncate(file.root().len());
        out.finish(&file.position(), &root).unwrap();
        let open = |_: &[u64]| Ok(Pages::new(vec![open(&env, 1)], 1 << 16));
        let tree = Tree::of_root(&root, open).unwrap_or_default();
        (env, tree)
    }

    fn expiring() -> Tree {
        let mut tree = Tree::default();
        for n in 0..1300 {
            let entry = Entry {
                expires: Some(Timestamp::EPOCH),
                ..entry(u64::from(n))
            };
            tree.insert(&key(n % 700), &entry);
        }
        tree
    }

    /// Reads, changes and writes whatever there is.
    fn use_all(env: &Env, tree: &mut Tree) {
        tree.range(&[], None, 5000, false, |_, _| true);
        tree.range(&[], None, 5000, true, |_, _| true);
        for n in 0..700 {
            let _ = tree.get(&key(n));
            let replace = |v: &mut Value| {
                *v = value!({"a": 1});
                Ok(())
            };
            match n % 4 {
                0 => drop(tree.remove(&key(n))),
                1 => tree.insert(&key(n), &entry(5)),
                2 => tree.insert(&[key(n), vec![b'y']].concat(), &entry(5)),
                _ => drop(tree.edit(&key(n), 9, replace)),
            }
        }
        let mut out = CheckpointWriter::create(env, Path::new(DIR), 2).unwrap();
        let _ = tree.write(&mut out, false);
    }

    #[test]
    fn forged_headers_and_sizes_do_no_harm() {
        let (env, _, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        checkpoint(&env, &mut expiring(), (1, false, true), |_| {});
        for value in [0, 1, 31, 32, 33, 34, 0xFFFF, u32::MAX] {
            for at in (0..32).step_by(2) {
                let (env, mut tree) = forge(&env, |number, page| {
                    // The branches stay, so that what is done reaches the leaves.
                    if number.is_none() || page.first() != Some(&1) {
                        return;
                    }
                    let width = if at % 4 == 0 && value > 0xFFFF { 4 } else { 2 };
                    let place = page.iter_mut().skip(at).take(width);
                    place
                        .zip(value.to_le_bytes())
                        .for_each(|(to, from)| *to = from);
                });
                use_all(&env, &mut tree);
            }
            // Of the root: how many entries there are, how many expire, how much is used.
            let (env, mut tree) = forge(&env, |number, page| {
                if number.is_none() {
                    let sizes = page.iter_mut().skip(8).take(24);
                    sizes
                        .zip(u64::from(value).to_le_bytes().repeat(3))
                        .for_each(|(to, from)| *to = from);
                }
            });
            use_all(&env, &mut tree);
        }
    }

    /// A tree whose root is a branch of so many children: all of them an empty leaf, or, if `circle`, that branch.
    fn of_branch(children: usize, circle: bool) -> (Env, Tree) {
        let (env, _, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut out = CheckpointWriter::create(&env, Path::new(DIR), 1).unwrap();
        let first = Address::new(1, 64);
        if !circle {
            let leaf = page::write(&mut out, PageKind::Leaf, &PageLeaf::encode(&[], &[], &[]));
            assert_eq!(leaf.unwrap(), first);
        }
        let root = branch(&mut out, first, children);
        assert_eq!(root == first, circle);
        (env.clone(), finished(&env, out, root))
    }

    /// Writes a branch of which all children are the same.
    fn branch(out: &mut CheckpointWriter, child: Address, children: usize) -> Address {
        let keys: Vec<[u8; 1]> = (1..children as u8).map(|n| [n]).collect();
        let suffixes = keys.iter().map(|key| Suffix::new(key));
        let content = PageBranch::encode(&[], suffixes, &vec![child; children]);
        page::write(out, PageKind::Branch, &content).unwrap()
    }

    /// The tree of a checkpoint that has all its pages.
    fn finished(env: &Env, out: CheckpointWriter, root: Address) -> Tree {
        let written = Written {
            root,
            ..Written::default()
        };
        let position = Position {
            version: 1,
            hash: [0; 16],
            time: Timestamp::EPOCH,
            segment: 1,
            offset: 4096,
        };
        let root = Tree::encode_root(&written, &[1]);
        out.finish(&position, &root).unwrap();
        let open = |_: &[u64]| Ok(Pages::new(vec![open(env, 1)], 1 << 16));
        Tree::of_root(&root, open).unwrap()
    }

    /// The leaf below them would be met 2³⁰ times.
    #[test]
    fn pages_that_share_what_is_below_them_are_not_met_for_ever() {
        let (env, _, _) = sim::world(1);
        env.io.create_dir(Path::new(DIR)).unwrap();
        let mut out = CheckpointWriter::create(&env, Path::new(DIR), 1).unwrap();
        let leaf = PageLeaf::encode(&[], &[], &[]);
        let leaf = page::write(&mut out, PageKind::Leaf, &leaf).unwrap();
        let root = (0..30).fold(leaf, |child, _| branch(&mut out, child, 2));
        let mut tree = finished(&env, out, root);
        let mut out = CheckpointWriter::create(&env, Path::new(DIR), 2).unwrap();
        assert!(tree.write(&mut out, true).is_err());
        use_all(&env, &mut tree);
        assert!(tree.check().is_err());
    }

    #[test]
    fn branches_of_too_many_children_do_no_harm() {
        for children in [1, 2, MAX_CHILDREN, MAX_CHILDREN + 1, 200] {
            let (env, mut tree) = of_branch(children, false);
            use_all(&env, &mut tree);
            assert_eq!(tree.check().is_ok(), children <= MAX_CHILDREN, "{children}");
        }
    }

    /// Also when they are first met by a change, as in a replay.
    #[test]
    fn pages_that_go_in_circles_do_no_harm() {
        for children in [1, 2, MAX_CHILDREN] {
            let (env, mut tree) = of_branch(children, true);
            tree.insert(b"key", &entry(5));
            assert!(tree.check().is_err());
            use_all(&env, &mut tree);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Pages whose checksums are right and whose content is not: everything ends, with an error or with something
        /// read, and nothing panics.
        #[test]
        fn forged_pages_do_no_harm(
            changes in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 1..12),
        ) {
            let (env, _, _) = sim::world(1);
            env.io.create_dir(Path::new(DIR)).unwrap();
            checkpoint(&env, &mut expiring(), (1, false, true), |_| {});
            let pages = 60;
            let (env, mut tree) = forge(&env, |number, page| {
                for (which, at, to) in &changes {
                    // Most of what steers a reader is near the beginning of a page.
                    let at = usize::from(*at) % page.len().min(if at % 2 == 0 { 64 } else { 4096 }).max(1);
                    if number.is_some_and(|n| n % pages == usize::from(*which) % pages) && at > 0 {
                        page[at] = *to;
                    }
                }
            });
            use_all(&env, &mut tree);
        }
    }
}
