//! The simulated disk behind the `Io` seam, with failing calls and power cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, Image};
use crate::env::{File, Io, Mapping, OpenMode, PathKind};

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Creating a file or folder.
    Create,
    /// Writing to a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Changing a file's size.
    SetLen,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing a folder.
    SyncDir,
    /// Opening an existing file.
    Open,
    /// Reading from a file.
    Read,
    /// Listing a folder.
    List,
}

impl Op {
    /// Whether the call changes the disk, so that a power cut before and after it may differ.
    #[must_use]
    pub fn is_change(self) -> bool {
        !matches!(self, Op::Open | Op::Read | Op::List)
    }
}

/// A call that is to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of call.
    pub op: Op,
    /// The how-manieth of that kind from now on, counted from 1.
    pub nth: u64,
    /// The error it returns.
    pub error: io::ErrorKind,
    /// Whether all later calls of that kind fail as well.
    pub forever: bool,
    /// For writes: how many bytes are written before the error.
    pub partial: usize,
    /// Whether the call claims success all the same: a sync that made nothing durable, a write that the page cache
    /// has and the disk never gets. Of other kinds of calls, nothing is changed.
    pub silent: bool,
}

impl Fault {
    /// The `nth` call of a kind from now on fails once.
    #[must_use]
    pub fn once(op: Op, nth: u64, error: io::ErrorKind) -> Fault {
        Fault {
            op,
            nth,
            error,
            forever: false,
            partial: 0,
            silent: false,
        }
    }

    /// The `nth` call of a kind from now on claims success and does nothing: a disk that lies.
    #[must_use]
    pub fn silently(op: Op, nth: u64) -> Fault {
        Fault {
            silent: true,
            ..Fault::once(op, nth, io::ErrorKind::Other)
        }
    }

    /// All calls of a kind fail, from the `nth` from now on.
    #[must_use]
    pub fn forever(op: Op, nth: u64, error: io::ErrorKind) -> Fault {
        Fault {
            forever: true,
            ..Fault::once(op, nth, error)
        }
    }

    /// The failing write writes its first `bytes` bytes.
    #[must_use]
    pub fn partial(self, bytes: usize) -> Fault {
        Fault {
            partial: bytes,
            ..self
        }
    }
}

/// A change that is about to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number, from 0. A power cut at boundary `n` comes after changes `0..n` and before change `n`.
    pub boundary: u64,
    /// What it is.
    pub op: Op,
    /// The file or folder.
    pub path: PathBuf,
}

type Observer = Box<dyn FnMut(&Change, &Disk) + Send>;

/// The simulated file system. Clones are the same one.
#[derive(Clone, Default)]
pub struct SimIo {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    disk: Disk,
    boundaries: u64,
    halt_at: Option<u64>,
    calls: BTreeMap<Op, u64>,
    faults: Vec<Fault>,
    failed: u64,
    lied: u64,
    digest: u64,
    locked: BTreeSet<u64>,
    observer: Option<Observer>,
}

impl SimIo {
    /// An empty disk.
    #[must_use]
    pub fn new() -> SimIo {
        SimIo::default()
    }

    /// A file system on an existing disk, with nothing open and no faults.
    #[must_use]
    pub fn from_disk(disk: Disk) -> SimIo {
        SimIo {
            state: Arc::new(Mutex::new(State {
                disk,
                ..State::default()
            })),
        }
    }

    /// The disk as it is now.
    #[must_use]
    pub fn disk(&self) -> Disk {
        self.state.lock().disk.clone()
    }

    /// The file system after a power cut now. The old one goes on as if nothing had happened.
    #[must_use]
    pub fn crash(&self, image: &Image) -> SimIo {
        SimIo::from_disk(self.disk().crash(image))
    }

    /// How many changes there were: creates, writes, syncs, renames, removes, changes of size, folder syncs.
    #[must_use]
    pub fn boundaries(&self) -> u64 {
        self.state.lock().boundaries
    }

    /// From this boundary on every call fails, as if the power were gone.
    pub fn halt_at(&self, boundary: u64) {
        self.state.lock().halt_at = Some(boundary);
    }

    /// Takes [`SimIo::halt_at`] back, as when a killed process is started again: the page cache is still there.
    pub fn resume(&self) {
        self.state.lock().halt_at = None;
    }

    /// `observer` sees every change before it happens, and the disk before it. It must not use this file system.
    pub fn on_change(&self, observer: impl FnMut(&Change, &Disk) + Send + 'static) {
        self.state.lock().observer = Some(Box::new(observer));
    }

    /// Makes a call fail.
    pub fn fail(&self, mut fault: Fault) {
        let mut state = self.state.lock();
        fault.nth += state.calls.get(&fault.op).copied().unwrap_or(0);
        state.faults.push(fault);
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// How many calls of this kind there were.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.state.lock().calls.get(&op).copied().unwrap_or(0)
    }

    /// How many calls were made to fail.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.state.lock().failed
    }

    /// How many calls claimed a success that they did not have ([`Fault::silently`]).
    #[must_use]
    pub fn lied(&self) -> u64 {
        self.state.lock().lied
    }

    /// A digest of every call so far: what was called, on which path, with which bytes, in which order. Equal runs
    /// have equal digests.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.state.lock().digest
    }

    /// The size of a file in bytes; none if it is not there.
    #[must_use]
    pub fn size(&self, path: &Path) -> Option<u64> {
        let state = self.state.lock();
        let node = state.disk.find(path).ok()?;
        Some(state.disk.bytes(node).ok()?.len() as u64)
    }

    /// Changes a file behind everybody's back: bit rot, lost or misdirected writes.
    pub fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.state.lock().disk.tamper(path, edit)
    }
}

impl std::fmt::Debug for SimIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimIo")
            .field("boundaries", &self.boundaries())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Counts a call, shows it to the observer, and says how it is to fail, if so.
    fn enter(&mut self, op: Op, path: &Path) -> Result<(), Fault> {
        let power = |error| Fault {
            partial: 0,
            ..Fault::once(op, 0, error)
        };
        if self.halt_at.is_some_and(|halt| self.boundaries >= halt) {
            return Err(power(io::ErrorKind::BrokenPipe));
        }
        if op.is_change() {
            let change = Change {
                boundary: self.boundaries,
                op,
                path: path.to_path_buf(),
            };
            if let Some(observer) = &mut self.observer {
                observer(&change, &self.disk);
            }
            self.boundaries += 1;
        }
        self.note(op as u64);
        self.note(crc32fast::hash(path.as_os_str().as_encoded_bytes()).into());
        let call = self.calls.entry(op).or_default();
        *call += 1;
        let call = *call;
        let fails = |fault: &&Fault| {
            fault.op == op && (fault.nth == call || (fault.forever && fault.nth < call))
        };
        match self.faults.iter().find(fails) {
            Some(fault) => {
                if fault.silent {
                    self.lied += 1;
                } else {
                    self.failed += 1;
                }
                Err(fault.clone())
            }
            None => Ok(()),
        }
    }

    /// For calls that either happen or fail.
    fn check(&mut self, op: Op, path: &Path) -> io::Result<()> {
        match self.enter(op, path) {
            Err(fault) if !fault.silent => Err(injected(&fault)),
            _ => Ok(()),
        }
    }

    fn note(&mut self, what: u64) {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        self.digest = (self.digest ^ what).wrapping_mul(MIX).rotate_left(29);
    }
}

fn injected(fault: &Fault) -> io::Error {
    io::Error::new(
        fault.error,
        format!("injected failure of {:?}: {}", fault.op, fault.error),
    )
}

impl Io for SimIo {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let node = if mode == OpenMode::CreateNew {
            state.check(Op::Create, path)?;
            state.disk.create(path, false)?
        } else {
            state.check(Op::Open, path)?;
            let node = state.disk.find(path)?;
            state.disk.bytes(node)?;
            node
        };
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(SimFile {
            state: self.state.clone(),
            node,
            path: path.to_path_buf(),
            writable,
        }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::Create, path)?;
        state.disk.create(path, true).map(|_| ())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state.lock();
        state.check(Op::List, path)?;
        state.disk.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::Rename, from)?;
        state.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::Remove, path)?;
        state.disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.enter(Op::SyncDir, path) {
            Ok(()) => state.disk.sync_dir(path),
            Err(fault) if fault.silent => Ok(()),
            Err(fault) => Err(injected(&fault)),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state.lock();
        let node = match state.disk.find(path) {
            Ok(node) => node,
            Err(_) => {
                state.check(Op::Create, path)?;
                state.disk.create(path, false)?
            }
        };
        if !state.locked.insert(node) {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "in this simulation",
            ));
        }
        Ok(Box::new(SimLock {
            state: self.state.clone(),
            node,
        }))
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        self.state.lock().disk.kind(path)
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    node: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locked.remove(&self.node);
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    node: u64,
    path: PathBuf,
    writable: bool,
}

impl SimFile {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Err(fault) = state.enter(Op::Sync, &self.path) {
            if fault.silent {
                return Ok(());
            }
            let seed = state.boundaries;
            if fault.nth > 0 {
                state.disk.sync_failed(self.node, seed);
            }
            return Err(injected(&fault));
        }
        state.disk.sync(self.node)
    }

    fn change(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state.lock();
        state.check(Op::Read, &self.path)?;
        let bytes = state.disk.bytes(self.node)?;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| bytes.get(offset..))
            .unwrap_or_default();
        let n = rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(n)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change()?;
        let mut state = self.state.lock();
        match state.enter(Op::Write, &self.path) {
            Ok(()) => {
                state.note(offset);
                state.note(crc32fast::hash(bytes).into());
                state.disk.write(self.node, bytes, offset)
            }
            Err(fault) if fault.silent => state.disk.write_lost(self.node, bytes, offset),
            Err(fault) => {
                let part = bytes.get(..fault.partial).unwrap_or(bytes);
                if !part.is_empty() {
                    state.disk.write(self.node, part, offset)?;
                }
                Err(injected(&fault))
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.state.lock();
        Ok(state.disk.bytes(self.node)?.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change()?;
        let mut state = self.state.lock();
        state.check(Op::SetLen, &self.path)?;
        state.disk.set_len(self.node, len)
    }

    fn links(&self) -> io::Result<u64> {
        Ok(self.state.lock().disk.links(self.node))
    }

    fn map(&self, _len: u64) -> io::Result<Option<Box<dyn Mapping>>> {
        self.change()?;
        Ok(Some(Box::new(SimFile {
            state: self.state.clone(),
            node: self.node,
            path: self.path.clone(),
            writable: true,
        })))
    }
}

/// To the page cache a write through a mapping is a write. It can be made to fail like one, although a real one cannot.
impl Mapping for SimFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        File::write_all_at(self, bytes, offset)
    }
}
