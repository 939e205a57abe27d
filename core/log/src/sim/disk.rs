//! The state of a simulated disk: what is durable, what the page cache shows, and what lies between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use super::SimRandom;
use crate::env::PathKind;

const SECTOR: u64 = 512;

/// What a power cut does to the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// All of them had reached the disk.
    Keep,
    /// None of them had.
    Lose,
    /// Those before a random one had; of that one, the first bytes.
    Prefix,
    /// Those after a random one had; of that one, the last bytes.
    Suffix,
    /// Each sector of each write, and each name, by the toss of a coin.
    Sectors,
    /// As `Sectors`; of what was lost, the size is kept and the content is zero.
    Zeros,
    /// As `Sectors`; what was lost is garbage instead.
    Garbage,
    /// Names and sizes are kept, contents are lost.
    Names,
    /// Contents are kept, names and sizes are lost.
    Contents,
    /// For each sector, any of the fates above.
    Mixed,
}

/// One way in which a disk may look after a power cut: a kind of damage and a seed for the choices within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The kind of damage.
    pub damage: Damage,
    /// Decides the rest.
    pub seed: u64,
}

impl Image {
    /// All kinds of damage.
    pub const DAMAGES: [Damage; 10] = [
        Damage::Keep,
        Damage::Lose,
        Damage::Prefix,
        Damage::Suffix,
        Damage::Sectors,
        Damage::Zeros,
        Damage::Garbage,
        Damage::Names,
        Damage::Contents,
        Damage::Mixed,
    ];

    /// `count` images that go through all kinds of damage in turn.
    pub fn series(seed: u64, count: usize) -> impl Iterator<Item = Image> {
        let damages = Image::DAMAGES.into_iter().cycle();
        damages
            .zip(0_u64..)
            .take(count)
            .map(move |(damage, i)| Image {
                damage,
                seed: seed.wrapping_add(i),
            })
    }
}

/// The fate of a part of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Lose,
    Zero,
    Garbage,
}

/// A disk. Cloning is cheap: contents are shared until they change.
#[derive(Clone, Debug)]
pub struct Disk {
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    /// Numbers the changes, so that "before" has a meaning across files.
    next_change: u64,
}

pub(super) const ROOT: u64 = 0;

#[derive(Clone, Debug)]
enum Node {
    File(Content),
    Dir(Names),
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Arc<Vec<u8>>,
    cache: Arc<Vec<u8>>,
    pending: Vec<(u64, Arc<Edit>)>,
}

#[derive(Debug)]
enum Edit {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Clone, Debug, Default)]
struct Names {
    durable: BTreeMap<String, u64>,
    cache: BTreeMap<String, u64>,
    pending: Vec<(u64, Arc<NameEdit>)>,
}

#[derive(Debug)]
enum NameEdit {
    Add(String, u64),
    Remove(String),
    Rename(String, String, u64),
}

impl NameEdit {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameEdit::Add(name, node) => {
                names.insert(name.clone(), *node);
            }
            NameEdit::Remove(name) => {
                names.remove(name);
            }
            NameEdit::Rename(from, to, node) => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl Default for Disk {
    fn default() -> Disk {
        Disk {
            nodes: BTreeMap::from([(ROOT, Node::Dir(Names::default()))]),
            next_node: 1,
            next_change: 0,
        }
    }
}

impl Disk {
    /// The disk after a power cut: what was durable, and of the rest what the image says.
    #[must_use]
    pub fn crash(&self, image: &Image) -> Disk {
        let random = SimRandom::new(image.seed);
        let mut pending: Vec<u64> = Vec::new();
        for node in self.nodes.values() {
            match node {
                Node::File(content) => pending.extend(content.pending.iter().map(|(at, _)| at)),
                Node::Dir(names) => pending.extend(names.pending.iter().map(|(at, _)| at)),
            }
        }
        pending.sort_unstable();
        let pivot = pending
            .get(random.below(pending.len() as u64) as usize)
            .copied()
            .unwrap_or(0);
        let damager = Damager {
            damage: image.damage,
            pivot,
            random,
        };
        let mut disk = self.clone();
        for node in disk.nodes.values_mut() {
            match node {
                Node::File(content) => damager.content(content),
                Node::Dir(names) => damager.names(names),
            }
        }
        disk.drop_lost_nodes();
        disk
    }

    /// Removes what no name leads to any more.
    fn drop_lost_nodes(&mut self) {
        let (mut reached, mut todo) = (BTreeSet::from([ROOT]), vec![ROOT]);
        while let Some(node) = todo.pop() {
            if let Some(Node::Dir(names)) = self.nodes.get(&node) {
                todo.extend(names.cache.values().filter(|child| reached.insert(**child)));
            }
        }
        self.nodes.retain(|node, _| reached.contains(node));
    }

    /// Whether anything has not been synced.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.nodes.values().any(|node| match node {
            Node::File(content) => !content.pending.is_empty(),
            Node::Dir(names) => !names.pending.is_empty(),
        })
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<u64> {
        let mut node = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let names = self.names(node)?;
                node = *names
                    .cache
                    .get(&*name.to_string_lossy())
                    .ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(node)
    }

    /// The folder a path is in, and the last part of the path.
    fn place(&self, path: &Path) -> io::Result<(u64, String)> {
        let name = path
            .file_name()
            .ok_or(io::ErrorKind::InvalidInput)?
            .to_string_lossy()
            .into_owned();
        Ok((self.find(path.parent().unwrap_or(Path::new("")))?, name))
    }

    pub(super) fn kind(&self, path: &Path) -> io::Result<PathKind> {
        match self.find(path) {
            Ok(node) if self.names(node).is_ok() => Ok(PathKind::Dir),
            Ok(_) => Ok(PathKind::File),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(PathKind::Missing),
            Err(e) => Err(e),
        }
    }

    fn names(&self, node: u64) -> io::Result<&Names> {
        match self.nodes.get(&node) {
            Some(Node::Dir(names)) => Ok(names),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn content(&self, node: u64) -> io::Result<&Content> {
        match self.nodes.get(&node) {
            Some(Node::File(content)) => Ok(content),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Ok(self
            .names(self.find(path)?)?
            .cache
            .keys()
            .cloned()
            .collect())
    }

    pub(super) fn bytes(&self, node: u64) -> io::Result<&[u8]> {
        Ok(&self.content(node)?.cache)
    }

    /// How many names a file has.
    pub(super) fn links(&self, node: u64) -> u64 {
        let dirs = self.nodes.values().filter_map(|node| {
            if let Node::Dir(names) = node {
                Some(names)
            } else {
                None
            }
        });
        dirs.flat_map(|names| names.cache.values())
            .filter(|named| **named == node)
            .count() as u64
    }

    fn edit_names(&mut self, dir: u64, edit: NameEdit) -> io::Result<()> {
        let change = self.next_change;
        let Some(Node::Dir(names)) = self.nodes.get_mut(&dir) else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        edit.apply(&mut names.cache);
        names.pending.push((change, Arc::new(edit)));
        self.next_change += 1;
        Ok(())
    }

    /// Creates a file or folder; its name is not durable yet.
    pub(super) fn create(&mut self, path: &Path, is_dir: bool) -> io::Result<u64> {
        let (dir, name) = self.place(path)?;
        if self.names(dir)?.cache.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = self.next_node;
        self.next_node += 1;
        let made = if is_dir {
            Node::Dir(Names::default())
        } else {
            Node::File(Content::default())
        };
        self.nodes.insert(node, made);
        self.edit_names(dir, NameEdit::Add(name, node))?;
        Ok(node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.find(from)?;
        let ((dir, from), (to_dir, to)) = (self.place(from)?, self.place(to)?);
        if dir != to_dir {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        self.edit_names(dir, NameEdit::Rename(from, to, node))
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.content(self.find(path)?)?;
        let (dir, name) = self.place(path)?;
        self.edit_names(dir, NameEdit::Remove(name))
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let node = self.find(path)?;
        let Some(Node::Dir(names)) = self.nodes.get_mut(&node) else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        for (_, edit) in names.pending.drain(..) {
            edit.apply(&mut names.durable);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, node: u64, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.edit_file(node, Edit::Write(offset, bytes.to_vec()))
    }

    /// A write that the page cache shows and the disk never gets.
    pub(super) fn write_lost(&mut self, node: u64, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(Node::File(content)) = self.nodes.get_mut(&node) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        put(Arc::make_mut(&mut content.cache), offset, bytes);
        Ok(())
    }

    pub(super) fn set_len(&mut self, node: u64, len: u64) -> io::Result<()> {
        self.edit_file(node, Edit::SetLen(len))
    }

    fn edit_file(&mut self, node: u64, edit: Edit) -> io::Result<()> {
        let change = self.next_change;
        let Some(Node::File(content)) = self.nodes.get_mut(&node) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        apply(Arc::make_mut(&mut content.cache), &edit);
        content.pending.push((change, Arc::new(edit)));
        self.next_change += 1;
        Ok(())
    }

    pub(super) fn sync(&mut self, node: u64) -> io::Result<()> {
        let Some(Node::File(content)) = self.nodes.get_mut(&node) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let durable = Arc::make_mut(&mut content.durable);
        for (_, edit) in content.pending.drain(..) {
            apply(durable, &edit);
        }
        Ok(())
    }

    /// A sync that failed: any part of the changes reached the disk, and none will be written again, though the
    /// page cache still shows them.
    pub(super) fn sync_failed(&mut self, node: u64, seed: u64) {
        if let Some(Node::File(content)) = self.nodes.get_mut(&node) {
            let cache = content.cache.clone();
            let damager = Damager {
                damage: Damage::Sectors,
                pivot: 0,
                random: SimRandom::new(seed),
            };
            damager.content(content);
            content.cache = cache;
        }
    }

    /// Changes a file behind everybody's back, in the page cache and on the disk.
    pub(super) fn tamper(
        &mut self,
        path: &Path,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let node = self.find(path)?;
        let Some(Node::File(content)) = self.nodes.get_mut(&node) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        edit(Arc::make_mut(&mut content.cache));
        content.durable = content.cache.clone();
        content.pending.clear();
        Ok(())
    }
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Write(offset, data) => put(bytes, *offset, data),
        Edit::SetLen(len) => bytes.resize(*len as usize, 0),
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(data);
    }
}

/// Decides the fate of each change.
struct Damager {
    damage: Damage,
    /// The change that `Prefix` and `Suffix` tear.
    pivot: u64,
    random: SimRandom,
}

impl Damager {
    fn coin(&self) -> bool {
        self.random.below(2) == 0
    }

    fn names(&self, names: &mut Names) {
        for (at, edit) in names.pending.drain(..) {
            if self.keeps_whole(at) {
                edit.apply(&mut names.durable);
            }
        }
        names.cache = names.durable.clone();
    }

    /// For changes that happen whole or not at all.
    fn keeps_whole(&self, at: u64) -> bool {
        match self.damage {
            Damage::Keep | Damage::Names => true,
            Damage::Lose | Damage::Contents => false,
            Damage::Prefix => at < self.pivot,
            Damage::Suffix => at > self.pivot,
            Damage::Sectors | Damage::Zeros | Damage::Garbage | Damage::Mixed => self.coin(),
        }
    }

    fn content(&self, content: &mut Content) {
        let pending = std::mem::take(&mut content.pending);
        if !pending.is_empty() {
            let durable = Arc::make_mut(&mut content.durable);
            for (at, edit) in pending {
                match &*edit {
                    Edit::SetLen(_) if self.keeps_whole(at) => apply(durable, &edit),
                    Edit::SetLen(_) => {}
                    Edit::Write(offset, data) => self.write(durable, at, *offset, data),
                }
            }
        }
        content.cache = content.durable.clone();
    }

    fn write(&self, durable: &mut Vec<u8>, at: u64, offset: u64, data: &[u8]) {
        let torn = at == self.pivot && matches!(self.damage, Damage::Prefix | Damage::Suffix);
        if torn {
            let (first, last) = data.split_at(self.random.below(data.len() as u64 + 1) as usize);
            match self.damage {
                Damage::Prefix => put(durable, offset, first),
                _ => put(durable, offset + first.len() as u64, last),
            }
            return;
        }
        let (mut offset, mut data) = (offset, data);
        while !data.is_empty() {
            let in_sector = (SECTOR - offset % SECTOR) as usize;
            let (piece, rest) = data.split_at(in_sector.min(data.len()));
            match self.sector(at) {
                Fate::Keep => put(durable, offset, piece),
                Fate::Lose => {}
                Fate::Zero => put(durable, offset, &vec![0; piece.len()]),
                Fate::Garbage => {
                    let garbage: Vec<u8> = piece.iter().map(|_| self.random.next() as u8).collect();
                    put(durable, offset, &garbage);
                }
            }
            offset += piece.len() as u64;
            data = rest;
        }
    }

    fn sector(&self, at: u64) -> Fate {
        let or_keep = |fate| if self.coin() { Fate::Keep } else { fate };
        match self.damage {
            Damage::Keep | Damage::Contents => Fate::Keep,
            Damage::Lose | Damage::Names => Fate::Lose,
            Damage::Prefix => {
                if at < self.pivot {
                    Fate::Keep
                } else {
                    Fate::Lose
                }
            }
            Damage::Suffix => {
                if at > self.pivot {
                    Fate::Keep
                } else {
                    Fate::Lose
                }
            }
            Damage::Sectors => or_keep(Fate::Lose),
            Damage::Zeros => or_keep(Fate::Zero),
            Damage::Garbage => or_keep(Fate::Garbage),
            Damage::Mixed => match self.random.below(4) {
                0 => Fate::Keep,
                1 => Fate::Lose,
                2 => Fate::Zero,
                _ => Fate::Garbage,
            },
        }
    }
}
