//! Writing a tree to a checkpoint.
//!
//! Leaves come in the order of their keys; the branches above them come behind all leaves, the lowest first, so that
//! the few that every reader needs lie together.

use statewright_log::CheckpointWriter;

use super::branch::{Branch, Child};
use super::checkpoint::Written;
use super::leaf::{Leaf, Stored};
use super::page::{self, Address, PageBranch, PageKind, Pages};
use super::{BranchRef, ChildRef, MAX_DEPTH, Ref, Tree};
use crate::error::{Error, Result};

struct Writing<'a> {
    pages: &'a Pages,
    out: &'a mut CheckpointWriter,
    whole: bool,
    /// So many pages may still come.
    pages_left: u64,
    written: Written,
    branches: Vec<Waiting<'a>>,
}

/// A branch that is written once all leaves are.
struct Waiting<'a> {
    /// How far it is from the deepest that a tree can be.
    depth: usize,
    branch: ChildRef<'a>,
    children: Vec<Place>,
}

/// Where a node will be.
#[derive(Clone, Copy)]
enum Place {
    At(Address),
    /// The number of a branch that waits.
    Waiting(usize),
}

impl Tree {
    /// Writes what is in no page yet; everything, if `whole`. O(what is written).
    pub fn write(&self, out: &mut CheckpointWriter, whole: bool) -> Result<Written> {
        let mut writing = Writing {
            pages: &self.files.pages,
            out,
            whole,
            pages_left: self.files.pages.most(),
            written: Written {
                len: self.len,
                expiring: self.expiring,
                before: self.files.used,
                ..Written::default()
            },
            branches: Vec::new(),
        };
        let root = writing.node(self.root.by_ref(), MAX_DEPTH)?;
        let root = writing.branches(root)?;
        let mut written = writing.written;
        written.root = root;
        let kept = if whole { 0 } else { self.files.used };
        written.used = kept.saturating_add(written.bytes);
        // What was not intact was not written.
        self.check()?;
        Ok(written)
    }
}

impl<'a> Writing<'a> {
    /// Writes the leaves below a node, if need be.
    fn node(&mut self, node: ChildRef<'a>, depth: usize) -> Result<Place> {
        if let Some(address) = node.address().filter(|_| !self.whole) {
            return Ok(Place::At(address));
        }
        if let ChildRef::Page(_) = node {
            self.pages_left = self.pages_left.checked_sub(1).ok_or_else(broken)?;
        }
        match node.read(self.pages) {
            Ref::Leaf(view) => {
                let before = self.written.bytes;
                let address = match node {
                    ChildRef::Leaf(leaf) => self.leaf(leaf)?,
                    _ => self.leaf(&Leaf::of_page(&view).ok_or_else(broken)?)?,
                };
                self.note(node, address, self.written.bytes - before);
                Ok(Place::At(address))
            }
            Ref::Branch(branch) => {
                let depth = depth.checked_sub(1).ok_or_else(broken)?;
                let children = (0..branch.len()).filter_map(|i| branch.child(i));
                let children = children.map(|child| self.node(child, depth));
                let waiting = Waiting {
                    depth,
                    children: children.collect::<Result<_>>()?,
                    branch: node,
                };
                self.branches.push(waiting);
                Ok(Place::Waiting(self.branches.len() - 1))
            }
        }
    }

    /// Writes the branches, the lowest first; gives where the root is.
    fn branches(&mut self, root: Place) -> Result<Address> {
        let branches = std::mem::take(&mut self.branches);
        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|i| branches.get(*i).map(|waiting| waiting.depth));
        let mut addresses = vec![Address(0); branches.len()];
        let at = |addresses: &[Address], place: &Place| match place {
            Place::At(address) => *address,
            Place::Waiting(i) => addresses.get(*i).copied().unwrap_or(Address(0)),
        };
        for i in order {
            let Some(waiting) = branches.get(i) else {
                continue;
            };
            let places = waiting.children.iter();
            let children: Vec<Address> = places.map(|place| at(&addresses, place)).collect();
            let content = match waiting.branch.read(self.pages) {
                Ref::Branch(BranchRef::Node(branch)) => branch.to_page(&children),
                Ref::Branch(BranchRef::Page(page)) => rewritten(&page, &children)?,
                Ref::Leaf(_) => return Err(broken()),
            };
            let address = self.write(PageKind::Branch, &content)?;
            self.note(waiting.branch, address, content.len() as u64);
            if let Some(here) = addresses.get_mut(i) {
                *here = address;
            }
        }
        Ok(at(&addresses, &root))
    }

    /// Remembers where a node is now, and how many bytes it takes there.
    fn note(&mut self, node: ChildRef<'a>, now: Address, bytes: u64) {
        let in_memory = match node {
            ChildRef::Leaf(leaf) => Child::Leaf(leaf.clone()),
            ChildRef::Branch(branch) => Child::Branch(branch.clone()),
            ChildRef::Page(address) => {
                self.written.moved.insert(address, now);
                return;
            }
        };
        self.written.nodes.push((in_memory, now, bytes));
    }

    fn write(&mut self, kind: PageKind, content: &[u8]) -> Result<Address> {
        self.written.bytes += content.len() as u64;
        page::write(self.out, kind, content)
    }

    fn leaf(&mut self, leaf: &Leaf) -> Result<Address> {
        let content = leaf.to_page(&mut |stored| match stored {
            Stored::New(packed) => Ok((self.write(PageKind::Value, packed)?, packed.len())),
            Stored::Page((address, len)) if !self.whole => {
                self.written.bytes += len as u64;
                Ok((address, len))
            }
            Stored::Page((address, len)) => match self.pages.read(address) {
                Some((PageKind::Value, packed)) => {
                    let copy = self.write(PageKind::Value, packed)?;
                    self.written.moved.insert(address, copy);
                    Ok((copy, len))
                }
                _ => Err(broken()),
            },
        })?;
        self.write(PageKind::Leaf, &content)
    }
}

/// A branch's page with other addresses.
fn rewritten(page: &PageBranch<'_>, children: &[Address]) -> Result<Vec<u8>> {
    let branch = Branch::of_page(page).ok_or_else(broken)?;
    Ok(branch.to_page(children))
}

fn broken() -> Error {
    Error::Damaged {
        why: "a page of a checkpoint makes no sense".to_owned(),
    }
}
