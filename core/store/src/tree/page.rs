//! Nodes as pages of checkpoints: where they are, how they are read in place, and how they are written.
//!
//! A page is one byte that says what it is, seven zeros, and then
//!
//! - of a leaf: `count u16 | slots u16 | prefix length u32 | 0 u32 | 0 u32`, the prefix, for each slot `head u64 |
//!   where its record is u32`, in the order of the keys, and the records ([`super::leaf`]), with every value in them or
//!   in a page of its own;
//! - of a branch: `children u32 | prefix length u32 | rests length u32 | 0 u32`, the prefix, for each separator
//!   `head u64 | length u32 | where its rest begins u32`, for each child its address, and the rests;
//! - of a value: its packed bytes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use statewright_log::{CheckpointFile, CheckpointWriter};
use statewright_value::{Limits, Value};

use super::keys::Suffix;
use super::leaf::MAX_ENTRIES;
use crate::error::{Error, Result};

/// Where a page is: 24 bits for the number of the checkpoint, 40 for the offset in units of 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub(super) u64);

const UNIT: u64 = 64;

impl Address {
    /// The numbers of checkpoints are below this.
    pub const FILES: u64 = 1 << 24;

    pub(super) fn new(file: u64, offset: u64) -> Address {
        Address((file << 40) | (offset / UNIT))
    }

    /// The number of the checkpoint.
    pub fn file(self) -> u64 {
        self.0 >> 40
    }

    fn offset(self) -> u64 {
        (self.0 & ((1 << 40) - 1)) * UNIT
    }
}

/// Instead of the bytes of a page: a copy took the node's place in the tree before a page held the same.
const LEFT: u64 = u64::MAX;

/// Which page holds the same as a node in memory, if one does, and how many bytes it has, with the pages of its values.
#[derive(Debug, Default)]
pub(super) struct Saved {
    address: AtomicU64,
    bytes: AtomicU64,
}

impl Saved {
    /// 0 if no page holds the same.
    pub fn address(&self) -> Address {
        Address(self.address.load(Ordering::Relaxed))
    }

    /// Notes a page that holds the same.
    pub fn set(&self, address: Address, bytes: u64) {
        self.address.store(address.0, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// The bytes of the page that holds the same; 0 if none does.
    pub fn bytes(&self) -> u64 {
        match self.address() {
            Address(0) => 0,
            _ => self.bytes.load(Ordering::Relaxed),
        }
    }

    /// A copy takes the node's place in the tree.
    pub fn leave(&self) {
        if self.address() == Address(0) {
            self.bytes.store(LEFT, Ordering::Relaxed);
        }
    }

    /// Whether one did before a page held the same.
    pub fn has_left(&self) -> bool {
        self.address() == Address(0) && self.bytes.load(Ordering::Relaxed) == LEFT
    }

    /// The node changes: from here on no page holds the same.
    #[inline]
    pub fn forget(&mut self) {
        *self.address.get_mut() = 0;
    }
}

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Leaf = 1,
    Branch = 2,
    Value = 3,
}

/// Bytes before what a page holds.
const HEAD: usize = 8;

/// The checkpoints that a tree's pages are in.
#[derive(Default)]
pub struct Pages {
    files: Vec<Arc<CheckpointFile>>,
    values: Option<Arc<Values>>,
    /// The first page that was not intact. Whoever read it saw nothing there, and must look here.
    damage: OnceLock<String>,
}

/// Of a tree that is all in memory.
pub(super) static NO_PAGES: Pages = Pages {
    files: Vec::new(),
    values: None,
    damage: OnceLock::new(),
};

/// Values of pages that were decoded. What an address holds never changes.
type Values = Cache<Address, (Value, usize), Weight>;

/// A value counts with the length of its page.
#[derive(Clone)]
struct Weight;

impl Weighter<Address, (Value, usize)> for Weight {
    fn weight(&self, _: &Address, (_, length): &(Value, usize)) -> u64 {
        *length as u64
    }
}

/// Values that are expected in the cache, of this many bytes each.
const CACHED: u64 = 8 << 10;

impl Pages {
    /// Of these checkpoints, in ascending order of their numbers. Of values that have pages of their own, those
    /// that were read lately stay decoded, up to so many bytes.
    pub fn new(files: Vec<Arc<CheckpointFile>>, cache_bytes: u64) -> Pages {
        let expected = usize::try_from(cache_bytes / CACHED).unwrap_or(usize::MAX);
        Pages {
            files,
            values: Some(Arc::new(Cache::with_weighter(
                expected,
                cache_bytes,
                Weight,
            ))),
            damage: OnceLock::new(),
        }
    }

    /// Of these checkpoints, with what this one has decoded, and the damage that it noted: a commit may have missed
    /// something while the last of them was written.
    pub fn of(&self, files: Vec<Arc<CheckpointFile>>) -> Pages {
        Pages {
            files,
            values: self.values.clone(),
            damage: self.damage.clone(),
        }
    }

    pub fn files(&self) -> &[Arc<CheckpointFile>] {
        &self.files
    }

    /// More pages than this there cannot be. Who goes through all and meets more reads some again and again: pages that
    /// were made on purpose can share what is below them, so that there is no end. O(files).
    pub(super) fn most(&self) -> u64 {
        let bytes = self.files.iter().map(|file| file.len());
        bytes.fold(0, u64::saturating_add) / HEAD as u64
    }

    /// Fails if any page that was read was not intact.
    pub fn check(&self) -> Result<()> {
        match self.damage.get() {
            None => Ok(()),
            Some(why) => Err(Error::Damaged { why: why.clone() }),
        }
    }

    /// What a page holds, if it is there, intact, and of this kind; takes note if not.
    pub(super) fn read(&self, address: Address) -> Option<(PageKind, &[u8])> {
        let found = self
            .files
            .binary_search_by_key(&address.file(), |file| file.number());
        let file = found.ok().and_then(|at| self.files.get(at));
        let page = match file {
            Some(file) => file.page(address.offset()).map_err(|e| e.to_string()),
            None => Err(format!("checkpoint {} is missing", address.file())),
        };
        let read = page.and_then(|page| {
            let kind = match page.first() {
                Some(1) => PageKind::Leaf,
                Some(2) => PageKind::Branch,
                Some(3) => PageKind::Value,
                _ => return Err(format!("checkpoint {} has an unknown page", address.file())),
            };
            Ok((kind, page.get(HEAD..).unwrap_or_default()))
        });
        read.map_err(|why| self.note(why)).ok()
    }

    /// Takes note of a page that is intact but makes no sense.
    pub(super) fn note(&self, why: String) {
        // The first one counts.
        let _ = self.damage.set(why);
    }

    /// A value that has a page of its own.
    pub(super) fn value(&self, address: Address) -> Option<Value> {
        let values = self.values.as_deref();
        if let Some((value, _)) = values.and_then(|values| values.get(&address)) {
            return Some(value);
        }
        let (_, bytes) = self.read(address)?;
        let value = Value::from_packed_bytes(bytes, &Limits::unlimited());
        let value = value.map_err(|e| self.note(e.to_string())).ok()?;
        if let Some(values) = values {
            values.insert(address, (value.clone(), bytes.len()));
        }
        Some(value)
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.files).finish()
    }
}

/// Writes a page; gives its address.
pub(super) fn write(out: &mut CheckpointWriter, kind: PageKind, content: &[u8]) -> Result<Address> {
    let mut page = Vec::with_capacity(HEAD + content.len());
    page.push(kind as u8);
    page.resize(HEAD, 0);
    page.extend_from_slice(content);
    let offset = match kind {
        PageKind::Leaf | PageKind::Branch => out.page_in_block(&page)?,
        PageKind::Value => out.page(&page)?,
    };
    Ok(Address::new(out.number(), offset))
}

/// A branch that is read where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageBranch<'a> {
    pub prefix: &'a [u8],
    places: &'a [[u8; 16]],
    children: &'a [[u8; 8]],
    rests: &'a [u8],
}

impl<'a> PageBranch<'a> {
    pub fn new(content: &'a [u8]) -> Option<PageBranch<'a>> {
        let (counts, rest) = content.split_first_chunk::<16>()?;
        let number = |at: usize| {
            let bytes = counts.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |b| u32::from_le_bytes(*b) as usize)
        };
        let (children, prefix, rests) = (number(0), number(4), number(8));
        let (prefix, rest) = rest.split_at_checked(prefix)?;
        let (places, rest) = rest.split_at_checked(children.checked_sub(1)?.checked_mul(16)?)?;
        let (children, rest) = rest.split_at_checked(children.checked_mul(8)?)?;
        Some(PageBranch {
            prefix,
            places: places.as_chunks().0,
            children: children.as_chunks().0,
            rests: rest.get(..rests)?,
        })
    }

    /// The page of a branch with these separators (prefix, suffixes) and children.
    pub fn encode<'s>(
        prefix: &[u8],
        suffixes: impl Iterator<Item = Suffix<'s>>,
        children: &[Address],
    ) -> Vec<u8> {
        let (mut places, mut rests) = (Vec::new(), Vec::new());
        for suffix in suffixes {
            places.extend_from_slice(&suffix.head.to_le_bytes());
            places.extend_from_slice(&(suffix.len as u32).to_le_bytes());
            places.extend_from_slice(&(rests.len() as u32).to_le_bytes());
            rests.extend_from_slice(suffix.rest);
        }
        let mut out = Vec::with_capacity(16 + places.len() + rests.len() + 8 * children.len());
        for number in [children.len(), prefix.len(), rests.len(), 0] {
            out.extend_from_slice(&(number as u32).to_le_bytes());
        }
        out.extend_from_slice(prefix);
        out.extend_from_slice(&places);
        for child in children {
            out.extend_from_slice(&child.0.to_le_bytes());
        }
        out.extend_from_slice(&rests);
        out
    }

    pub fn separators(&self) -> usize {
        self.places.len()
    }

    pub fn head(&self, i: usize) -> u64 {
        let head = self.places.get(i).and_then(|place| place.first_chunk());
        head.map_or(0, |head| u64::from_le_bytes(*head))
    }

    pub fn suffix(&self, i: usize) -> Suffix<'a> {
        let number = |at: usize| {
            let place = self.places.get(i).and_then(|place| place.get(at..));
            let bytes = place.and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |b| u32::from_le_bytes(*b) as usize)
        };
        let (len, start) = (number(8), number(12));
        let rest = self.rests.get(start..start + len.saturating_sub(8));
        Suffix {
            head: self.head(i),
            len,
            rest: rest.unwrap_or_default(),
        }
    }

    pub fn len(&self) -> usize {
        self.children.len()
    }

    pub fn child(&self, i: usize) -> Option<Address> {
        self.children
            .get(i)
            .map(|bytes| Address(u64::from_le_bytes(*bytes)))
    }
}

/// Bytes of a leaf's page before its prefix, and of a slot.
pub(super) const HEADER: usize = 16;
pub(super) const SLOT: usize = 12;

/// A leaf that is read where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLeaf<'a> {
    pub prefix: &'a [u8],
    pub slots: &'a [[u8; SLOT]],
    pub data: &'a [u8],
}

impl<'a> PageLeaf<'a> {
    /// What makes no sense is left out.
    pub fn new(content: &'a [u8]) -> PageLeaf<'a> {
        let header = content.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let (len, slots) = (header & 0xFFFF, header >> 16 & 0xFFFF);
        let slots_at = HEADER + (header >> 32) as usize;
        let part = |from: usize, to: usize| content.get(from..to).unwrap_or_default();
        PageLeaf {
            prefix: part(HEADER, slots_at),
            slots: part(slots_at, slots_at + SLOT * len as usize).as_chunks().0,
            data: part(slots_at + SLOT * slots as usize, content.len()),
        }
    }

    /// The page of a leaf with this prefix, these slots (head, place of the record) and these records. Slots come in
    /// eights; those that are over are zeros.
    pub fn encode(prefix: &[u8], slots: &[(u64, u32)], data: &[u8]) -> Vec<u8> {
        let room = slots.len().next_multiple_of(8).min(MAX_ENTRIES + 1);
        let data_at = HEADER + prefix.len() + SLOT * room;
        let mut out = Vec::with_capacity(data_at + data.len());
        out.extend_from_slice(&(slots.len() as u16).to_le_bytes());
        out.extend_from_slice(&(room as u16).to_le_bytes());
        out.extend_from_slice(&(prefix.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(prefix);
        for (head, place) in slots {
            out.extend_from_slice(&head.to_le_bytes());
            out.extend_from_slice(&place.to_le_bytes());
        }
        out.resize(data_at, 0);
        out.extend_from_slice(data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a commit missed while a checkpoint was written is missing all the same when that is done.
    #[test]
    fn damage_that_was_noted_stays_when_there_are_more_files() {
        let pages = Pages::new(Vec::new(), 1 << 10);
        pages.of(Vec::new()).check().unwrap();
        pages.note("a page".to_owned());
        assert_eq!(pages.of(Vec::new()).check().unwrap_err().code(), 417);
    }
}
