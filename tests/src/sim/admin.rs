//! What happens to the store from outside: faults, crashes, kills, closing and opening.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use statewright_log::sim::{Damage, Image, SimIo};
use statewright_log::{Durability, Io};
use statewright_store::prelude::*;
use statewright_store::{Error, Event, Space, Store};
use statewright_value::Path;

use super::model::{State, doc_value, numbers, numbers_in, time_of, value_of};
use super::world::{World, folder};
use super::{Checked, FaultKind};

/// Errors with which a store may refuse damaged files: I/O (a file that is gone), damage, an unknown format, no store,
/// a damaged checkpoint.
pub(super) const REFUSALS: [i32; 6] = [300, 302, 304, 308, 408, DAMAGED_CHECKPOINT];
const DAMAGED_CHECKPOINT: i32 = 417;

/// How the store ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Kill,
    PowerCut(Damage),
}

impl World {
    pub(super) fn open_first(&mut self) -> Checked {
        let opened = Store::open(self.env(&self.io), self.place(), self.store_options());
        let store = opened.map_err(|e| format!("a new store cannot be opened: {e}"))?;
        self.store = Some(store);
        Ok(())
    }

    /// Something goes wrong, or the store is just closed and opened again.
    pub(super) fn mischief(&mut self) -> Checked {
        let memory = self.durability == Durability::Memory;
        if !memory && self.judge.poisoned && self.random.below(3) == 0 {
            return self.restart();
        }
        let usable = |kind: &FaultKind| {
            !memory
                || matches!(
                    kind,
                    FaultKind::ClockBack
                        | FaultKind::ClockForward
                        | FaultKind::ClockFreeze
                        | FaultKind::ClientGone
                )
        };
        let Some(kind) = self.swarm.fire(&self.random, usable) else {
            if !memory && self.random.below(12) == 0 {
                return self.restart();
            }
            return Ok(());
        };
        if let Some(fault) = kind.failing_call(&self.random) {
            self.struck(kind);
            self.trusted &= !fault.silent;
            self.io.fail(fault);
            return Ok(());
        }
        match kind {
            FaultKind::Kill => self.end(End::Kill),
            FaultKind::ClockBack | FaultKind::ClockForward | FaultKind::ClockFreeze => {
                self.struck(kind);
                self.disturb_clock(kind);
                Ok(())
            }
            FaultKind::NoRandom => {
                self.struck(kind);
                self.entropy.fails.store(true, Ordering::Relaxed);
                self.failed_before += 1;
                Ok(())
            }
            FaultKind::ClientGone => {
                let client = self.random.below(self.clients.len() as u64) as usize;
                self.gone(client);
                Ok(())
            }
            FaultKind::SecondOpen => self.second_open(),
            kind => match kind.damage() {
                Some(damage) => {
                    self.struck(kind);
                    self.end(End::PowerCut(damage))
                }
                // Those that strike while the store is closed or opened.
                None => self.restart(),
            },
        }
    }

    fn second_open(&mut self) -> Checked {
        self.struck(FaultKind::SecondOpen);
        let env = self.env(&self.io);
        match Store::open(env, self.place(), self.store_options()) {
            Err(e) if e.code() == 301 => Ok(()),
            Err(_) if self.has_failed() => Ok(()),
            Err(e) => Err(format!("a second opening fails in another way: {e}")),
            Ok(_) => Err("the store was opened twice".into()),
        }
    }

    fn restart(&mut self) -> Checked {
        let end = if self.random.below(4) == 0 {
            End::Kill
        } else {
            End::Close
        };
        self.end(end)
    }

    /// The store ends in one way or the other, and is opened again.
    fn end(&mut self, end: End) -> Checked {
        self.say(|| format!("the store ends: {end:?}"));
        self.note(matches!(end, End::Close).into());
        let strict = self.durability == Durability::Strict;
        let mut at_least = self.judge.acknowledged();
        let durable = self.judge.durable(strict);
        self.cases.flows = None;
        self.cases.observer = None;
        let store = self.store.take();
        match end {
            End::Close => {
                let closed = store.as_ref().map_or(Ok(()), Store::close);
                self.say(|| format!("close: {closed:?}"));
                match closed {
                    Ok(()) if self.judge.poisoned => {}
                    Ok(()) => {
                        self.judge.synced();
                        drop(store);
                        self.rot()?;
                    }
                    Err(_) if self.has_failed() => {}
                    Err(e) => return Err(format!("closing failed: {e}")),
                }
            }
            End::Kill => {
                self.struck(FaultKind::Kill);
                self.io.halt_at(self.io.boundaries());
                self.drop_handles();
                drop(store);
                self.io.resume();
            }
            End::PowerCut(damage) => {
                at_least = durable;
                let seed = self.random.next();
                self.cut_power(Image { damage, seed });
                self.drop_handles();
                drop(store);
            }
        }
        self.entropy.fails.store(false, Ordering::Relaxed);
        self.epoch += 1;
        if self.random.below(3) == 0 {
            self.durability = if strict {
                Durability::Buffered
            } else {
                Durability::Strict
            };
        }
        self.reopen(at_least, durable, end)
    }

    fn cut_power(&mut self, image: Image) {
        self.note(self.io.digest());
        self.failed_before += self.io.failed();
        self.io = self.io.crash(&image);
    }

    /// All transactions and snapshots are gone with the process.
    fn drop_handles(&mut self) {
        for client in 0..self.clients.len() {
            self.unpin(client);
            if let Some(client) = self.clients.get_mut(client) {
                client.open = None;
            }
        }
    }

    /// Opens the store, through whatever goes wrong then, and compares everything in it. Versions up to `at_least` must
    /// be there; if the power goes on the way, those up to `durable`.
    fn reopen(&mut self, mut at_least: u64, durable: u64, end: End) -> Checked {
        self.out.recoveries += 1;
        let trouble = self.swarm.fire(&self.random, |kind| kind.is_of_opening());
        let mut crashes = 0;
        match trouble {
            Some(FaultKind::CrashInRecovery) => crashes = 1 + self.random.below(3),
            Some(FaultKind::DiskFullInRecovery) => {
                self.struck(FaultKind::DiskFullInRecovery);
                if let Some(fault) = FaultKind::DiskFull.failing_call(&self.random) {
                    self.io.fail(fault);
                }
            }
            Some(kind) => {
                self.struck(kind);
                if let Some(fault) = kind.failing_call(&self.random) {
                    self.io.fail(fault);
                }
            }
            None => {}
        }
        for _ in 0..crashes {
            self.struck(FaultKind::CrashInRecovery);
            let boundary = self.io.boundaries() + self.random.below(12);
            self.io.halt_at(boundary);
            let opened = Store::open(self.env(&self.io), self.place(), self.store_options());
            self.say(|| format!("opening until {boundary}: {:?}", opened.as_ref().err()));
            drop(opened);
            at_least = at_least.min(durable);
            let at = self.random.below(Image::DAMAGES.len() as u64) as usize;
            let damage = Image::DAMAGES.get(at).copied().unwrap_or(Damage::Mixed);
            let seed = self.random.next();
            self.cut_power(Image { damage, seed });
        }
        let mut opened = Store::open(self.env(&self.io), self.place(), self.store_options());
        self.note(opened.as_ref().map_or_else(|e| e.code() as u64, |_| 0));
        if opened.is_err() && self.io.failed() > 0 {
            self.say(|| format!("opening: {:?}", opened.as_ref().err()));
            self.io.heal();
            opened = Store::open(self.env(&self.io), self.place(), self.store_options());
        }
        match opened {
            Ok(store) => {
                self.io.heal();
                let found = store.snapshot().version();
                self.say(|| format!("opened at {found}, at least {at_least}"));
                self.note(found);
                self.compare_all(&store, at_least, found)?;
                let now = self.tick();
                self.judge.recovered(found, now);
                // Whoever still looks at a version that is lost has seen what never happened.
                for client in &mut self.clients {
                    client.open.take_if(|open| open.base > found);
                    client
                        .pinned
                        .take_if(|pinned| pinned.record.snapshot > found);
                }
                self.store = Some(store);
                self.cases_recovered(found)
            }
            Err(e) if !self.trusted && REFUSALS.contains(&e.code()) => {
                self.say(|| format!("the store refuses what a lying disk left: {e}"));
                self.refused.set(true);
                Ok(())
            }
            Err(e) => Err(format!("after {end:?} the store cannot be opened: {e}")),
        }
    }

    /// That the store has the state of one of the versions that it may have.
    fn compare_all(&mut self, store: &Store, at_least: u64, found: u64) -> Checked {
        let newest = self.judge.newest();
        if found > newest {
            return Err(format!(
                "version {found} is there, but {newest} was the last written"
            ));
        }
        if found < at_least && self.trusted {
            return Err(format!(
                "{at_least} was promised to survive, but {found} is the last there"
            ));
        }
        let state = self.judge.state(found)?;
        let space = self.spaces.clone();
        match read_all(store, &space) {
            Ok(all) if state.agrees(&all, self.earliest(self.looks()), self.latest()) => {}
            Ok(all) => {
                let text = format!("{all:?} instead of {state:?}");
                let text: String = text.chars().take(2000).collect();
                return Err(format!("at version {found} there is {text}"));
            }
            Err(e) if !self.trusted && REFUSALS.contains(&e.0) => {}
            Err(e) => return Err(format!("at version {found}: {}", e.1)),
        }
        self.out.reads += (state.kv.len() + state.docs.len()) as u64;
        Ok(())
    }

    /// Damages a copy of the closed store in the ways the seed has, and opens it: an error, or the right data.
    fn rot(&mut self) -> Checked {
        if !self.trusted || self.judge.poisoned {
            return Ok(());
        }
        let Some(kind) = self.swarm.fire(&self.random, |kind| kind.is_rot()) else {
            return Ok(());
        };
        let copy = SimIo::from_disk(self.io.disk());
        let Some((file, last)) = self.damage_file(&copy, kind) else {
            return Ok(());
        };
        self.struck(kind);
        let problem = match self.open_damaged(&copy, last) {
            Ok(()) => return Ok(()),
            // The log has everything, and the error says so.
            Err((DAMAGED_CHECKPOINT, _)) => match self.without_checkpoints(&copy) {
                Ok(()) => return Ok(()),
                Err((_, text)) => format!("without the damaged checkpoint: {text}"),
            },
            Err((code, _)) if REFUSALS.contains(&code) => return Ok(()),
            Err((_, text)) => text,
        };
        Err(format!("{kind:?} in {}: {problem}", file.display()))
    }

    /// Opens a damaged store: the right data, or an error.
    fn open_damaged(&mut self, copy: &SimIo, last: bool) -> Result<(), (i32, String)> {
        let failed = |e: Error| (e.code(), e.to_string());
        let store = Store::open(self.env(copy), self.place(), self.store_options());
        let store = store.map_err(failed)?;
        let newest = self.judge.newest();
        let found = store.snapshot().version();
        self.say(|| format!("damaged, opened at {found} of {newest}"));
        // The end of the log cannot be told from a torn write if its closing mark is damaged too (docs/FORMAT.md).
        if found > newest || (found < newest && !last) {
            let text = format!("{found} of {newest} versions are there, and no error");
            return Err((0, text));
        }
        let all = read_all(&store, &self.spaces)?;
        match self.judge.state(found) {
            Ok(state) if state.agrees(&all, self.earliest(self.looks()), self.latest()) => Ok(()),
            _ => Err((0, "wrong data".into())),
        }
    }

    /// Does what the error of a damaged checkpoint says: removes the checkpoints and opens the store.
    fn without_checkpoints(&mut self, copy: &SimIo) -> Result<(), (i32, String)> {
        let names = copy.list(folder()).unwrap_or_default();
        for name in names.iter().filter(|name| name.ends_with(".swckpt")) {
            let removed = copy.remove(&folder().join(name));
            removed.map_err(|e| (0, e.to_string()))?;
        }
        self.open_damaged(copy, false)
    }

    /// Damages one file; tells which, and whether it is the last of the log.
    fn damage_file(&mut self, io: &SimIo, kind: FaultKind) -> Option<(PathBuf, bool)> {
        let names = io.list(folder()).ok()?;
        let files: Vec<&String> = names.iter().filter(|n| !n.ends_with(".lock")).collect();
        let pick = |world: &World| {
            let at = world.random.below(files.len() as u64) as usize;
            files.get(at).map(|name| folder().join(name))
        };
        let (file, other) = (pick(self)?, pick(self)?);
        let last = names.iter().rfind(|name| name.ends_with(".swlog"));
        let is_last = last.is_some_and(|last| file.ends_with(last));
        let size = io.size(&file)?.max(1);
        let (at, from) = (self.random.below(size), self.random.below(size));
        let bit = self.random.below(8);
        if kind == FaultKind::MissingFile {
            io.remove(&file).ok()?;
            return Some((file, is_last));
        }
        let sector = |at: u64| (at / 512 * 512) as usize;
        let mut source = Vec::new();
        let origin = if kind == FaultKind::WrongFileWrite {
            &other
        } else {
            &file
        };
        io.edit(origin, |bytes| {
            let start = sector(from).min(bytes.len());
            source = bytes.iter().skip(start).take(512).copied().collect();
        })
        .ok()?;
        io.edit(&file, |bytes| match kind {
            FaultKind::BitFlip => {
                if let Some(byte) = bytes.get_mut(at as usize) {
                    *byte ^= 1 << bit;
                }
            }
            FaultKind::CutFile => bytes.truncate(at as usize),
            FaultKind::StaleSector => {
                let place = bytes.iter_mut().skip(sector(at)).take(512);
                place.for_each(|byte| *byte = 0);
            }
            _ => {
                let place = bytes.iter_mut().skip(sector(at));
                place.zip(&source).for_each(|(to, from)| *to = *from);
            }
        })
        .ok()?;
        Some((file, is_last))
    }

    /// The last thing: everything is closed, opened and compared once more.
    pub(super) fn finish(&mut self) -> Checked {
        self.drop_handles();
        if self.durability != Durability::Memory {
            self.end(End::Close)?;
        }
        if self.refused.get() {
            return Ok(());
        }
        self.drain_cases()
    }
}

/// The number in an event.
pub(super) fn event_number(event: &Event) -> u64 {
    let n = event.payload.get("n");
    n.and_then(|n| n.as_u64()).unwrap_or(u64::MAX)
}

/// All that is in a store, as the model has it; or the code and text of an error.
pub(crate) fn read_all(store: &Store, spaces: &[Space; 2]) -> Result<State, (i32, String)> {
    let now = store.snapshot();
    let failed = |e: Error| (e.code(), e.to_string());
    let mut state = State::default();
    for (number, space) in spaces.iter().enumerate() {
        for (key, value) in now.kv_scan(space, b"", None, usize::MAX).map_err(failed)? {
            let key = String::from_utf8_lossy(&key).into_owned();
            let n = super::model::number_in(&value).unwrap_or(0);
            if value != value_of(n) {
                return Err((0, format!("{key} has {value}, which was never written")));
            }
            state.kv.insert((number, key), n);
        }
    }
    let [first, _] = spaces;
    for (doc, value) in now.json_list(first, "", None, usize::MAX).map_err(failed)? {
        let fields = numbers_in(&value);
        if value != doc_value(&fields) {
            return Err((0, format!("{doc} has {value}, which was never written")));
        }
        let again = now.json_get(first, &doc, &Path::root()).map_err(failed)?;
        if again.as_ref() != Some(&value) {
            return Err((0, format!("{doc} differs in a list and alone")));
        }
        state.docs.insert(doc, fields);
    }
    state.version = now.version();
    for (key, sum) in now
        .kv_scan(&numbers(), b"", None, usize::MAX)
        .map_err(failed)?
    {
        let key = String::from_utf8_lossy(&key).into_owned();
        let counter = key.trim_start_matches('n').parse().unwrap_or(u64::MAX);
        state
            .counters
            .insert(counter, sum.as_u64().unwrap_or(u64::MAX));
    }
    for stream in now
        .event_streams(first, "", None, usize::MAX)
        .map_err(failed)?
    {
        now.event_verify(first, &stream.name).map_err(failed)?;
        let events = now.event_range(first, &stream.name, 0, None, usize::MAX);
        let mut numbers = Vec::new();
        for event in events.map_err(failed)? {
            let n = event_number(&event);
            if stream.name.starts_with('r') && event.time != time_of(n) {
                return Err((0, format!("event {n} was restored as of {}", event.time)));
            }
            numbers.push(n);
        }
        state.streams.insert(stream.name, numbers);
    }
    for (cell, there) in now.cell_list(first, "", None, usize::MAX).map_err(failed)? {
        let n = super::model::number_in(&there.value).unwrap_or(0);
        state.cells.insert(cell, (n, there.version));
    }
    state.parts = super::more::read_parts(&now).map_err(failed)?;
    Ok(state)
}
