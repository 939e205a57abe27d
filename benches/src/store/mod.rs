//! The store beside the stores a user would pick instead: keys of 16 bytes, values of 128, and one document of 1 MB.
//!
//! * [`contender`] says what everyone must do and lists the peers; each has a file of its own.
//! * [`PARTS`] names the comparisons: [`writes`], [`reads`], [`strict`], [`document`], [`transaction`], [`opening`],
//!   [`sizes`] and [`readers`].
//! * [`child`] runs a part of this program as another process, where opening, resident memory and cold reads are
//!   measured.
//!
//! What needs no disk is measured warm: before each sample, a contender does as much again, untimed, or the caches
//! would hold what the contender before it left there. CPU time of the calling thread counts where nothing waits
//! for a disk: what else the machine does does not show in it, nor do the background threads of fjall and RocksDB,
//! which favours these two. Synced commits are measured by the wall clock, beside the bare cost of a synced write
//! in the same moment.

#[cfg(feature = "crdt")]
mod automerge;
pub mod bare;
pub mod child;
pub mod contender;
pub mod document;
mod fjall;
mod lmdb;
#[cfg(feature = "crdt")]
mod loro;
pub mod opening;
mod ours;
pub mod readers;
pub mod reads;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
pub mod sizes;
mod sqlite;
pub mod strict;
pub mod transaction;
pub mod writes;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::measure::Time;
use crate::report::{Row, Target};
use contender::{Contender, Peer, Promise, load, ours, peers};

/// A comparison, or a few that belong together.
pub struct Part {
    /// What `--only` takes.
    pub name: &'static str,
    promises: &'static [Promise],
    run: fn(&mut Run<'_>, Promise) -> Result<()>,
}

const fn part(
    name: &'static str,
    promises: &'static [Promise],
    run: fn(&mut Run<'_>, Promise) -> Result<()>,
) -> Part {
    Part {
        name,
        promises,
        run,
    }
}

const WITHOUT_SYNC: &[Promise] = &[Promise::Memory, Promise::Buffered];

/// Every comparison.
pub const PARTS: &[Part] = &[
    part("put", WITHOUT_SYNC, writes::put),
    part("batch", WITHOUT_SYNC, writes::batch),
    part("increment", WITHOUT_SYNC, writes::increment),
    part("get", WITHOUT_SYNC, reads::get),
    part("gets", WITHOUT_SYNC, reads::gets),
    part("scan", WITHOUT_SYNC, reads::scan),
    part("readers", WITHOUT_SYNC, readers::run),
    part("strict-readers", &[Promise::Strict], readers::run),
    part("document", WITHOUT_SYNC, document::run),
    part("transaction", WITHOUT_SYNC, transaction::run),
    part("memory", &[Promise::Memory], sizes::memory),
    part("flat", WITHOUT_SYNC, sizes::flat),
    part("open", &[Promise::Buffered], opening::open),
    part("recovery", &[Promise::Buffered], opening::recovery),
    part("strict", &[Promise::Strict], strict::one_thread),
    part("threads", &[Promise::Strict], strict::many_threads),
];

/// How much to measure.
#[derive(Clone, Debug)]
pub struct Size {
    /// Keys in the store before anything is measured.
    pub keys: usize,
    /// Samples of each measurement, of which the median counts.
    pub samples: usize,
    /// Whether to do little, to see that everything works: fewer commits where they are counted in hundred thousands.
    pub quick: bool,
    /// The names of [`PARTS`] wanted; all if empty.
    pub only: Vec<String>,
    /// How the names of peers wanted begin; all if empty.
    pub peers: Vec<String>,
    /// This program, for what needs a process of its own; without it, this process does it.
    pub program: Option<PathBuf>,
}

/// Every comparison that was asked for.
pub fn run(dir: &Path, size: Size, emit: &mut dyn FnMut(Row)) -> Result<()> {
    for name in &size.only {
        let all: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        ensure!(
            all.contains(&name.as_str()),
            "no row {name}; there are {}",
            all.join(", ")
        );
    }
    let mut run = Run {
        size,
        dir,
        folders: 0,
        emit,
        stage: None,
    };
    // Promise by promise, so that what was loaded serves every comparison under it.
    for promise in [Promise::Memory, Promise::Buffered, Promise::Strict] {
        for part in PARTS.iter().filter(|part| part.promises.contains(&promise)) {
            let only = &run.size.only;
            if only.is_empty() || only.iter().any(|name| name == part.name) {
                (part.run)(&mut run, promise)
                    .with_context(|| format!("store {}, {}", part.name, promise.name()))?;
            }
        }
        run.stage = None;
    }
    Ok(())
}

/// One run of the suite.
pub struct Run<'a> {
    /// How much to measure.
    pub size: Size,
    dir: &'a Path,
    folders: usize,
    emit: &'a mut dyn FnMut(Row),
    stage: Option<Stage>,
}

impl Run<'_> {
    /// An empty folder, and whoever drops it removes it.
    pub fn folder(&mut self) -> Result<Folder> {
        self.folders += 1;
        let path = self.dir.join(format!("store-{}", self.folders));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Folder(path))
    }

    /// The contenders under a promise, loaded. To be given back with [`keep`](Run::keep).
    pub fn stage(&mut self, promise: Promise) -> Result<Stage> {
        if let Some(stage) = self.stage.take() {
            return Ok(stage);
        }
        let mut stage = Stage {
            who: vec![ours(promise)],
            all: Vec::new(),
            folders: Vec::new(),
        };
        stage.who.extend(peers(promise, &self.size.peers));
        for peer in &stage.who {
            let folder = self.folder()?;
            let contender = (peer.open)(&folder.0, self.size.keys)?;
            load(&*contender, self.size.keys).with_context(|| format!("loading {}", peer.name))?;
            stage.all.push(contender);
            stage.folders.push(folder);
        }
        Ok(stage)
    }

    /// Keeps the contenders for the next comparison.
    pub fn keep(&mut self, stage: Stage) {
        self.stage = Some(stage);
    }

    /// One row for each peer, by CPU time and by the wall clock. The target is of the former, against the best of
    /// those who keep the promise.
    pub fn rows(
        &mut self,
        promise: Promise,
        what: &str,
        who: &[Peer],
        times: &[Time],
        target: Option<Target>,
    ) {
        let of = |clock: fn(&Time) -> f64| -> Vec<Amount> {
            let of = |(peer, time): (&Peer, &Time)| Amount {
                name: peer.name.to_owned(),
                amount: clock(time),
                counts: peer.keeps,
            };
            who.iter().zip(times).map(of).collect()
        };
        let name = |clock| format!("{}/{what} ({clock})", promise.name());
        self.against_best(&name("cpu"), "ns", &of(|time| time.cpu), target);
        self.against_best(&name("wall"), "ns", &of(|time| time.wall), None);
    }

    /// One row for each peer; `all` begins with ours. Only the row of the best peer that counts has the target: to be
    /// so much better than the best is to be so much better than everyone.
    pub fn against_best(
        &mut self,
        name: &str,
        unit: &'static str,
        all: &[Amount],
        target: Option<Target>,
    ) {
        let Some((ours, theirs)) = all.split_first() else {
            return;
        };
        let row = |peer: &Amount| {
            Row::time(
                format!("store/{name}"),
                ours.amount,
                peer.amount,
                &peer.name,
            )
            .in_unit(unit)
        };
        let rows: Vec<Row> = theirs.iter().map(row).collect();
        let candidates = theirs.iter().enumerate().filter(|(_, peer)| peer.counts);
        let ratio = |at: usize| rows.get(at).map_or(f64::INFINITY, Row::ratio);
        let best = candidates
            .map(|(at, _)| at)
            .min_by(|one, other| ratio(*one).total_cmp(&ratio(*other)));
        for (at, row) in rows.into_iter().enumerate() {
            let target = target.filter(|_| Some(at) == best);
            self.emit(row.with_target(target));
        }
    }

    /// Emits any row.
    pub fn emit(&mut self, row: Row) {
        (self.emit)(row);
    }
}

/// What one contender took or reached.
#[derive(Clone, Debug)]
pub struct Amount {
    /// Who it is, and in which mode.
    pub name: String,
    /// In the unit of its row.
    pub amount: f64,
    /// Whether it can be the best; one that does not keep the promise is shown and no more.
    pub counts: bool,
}

impl Amount {
    /// One that counts.
    pub fn of(name: impl Into<String>, amount: f64) -> Amount {
        Amount {
            name: name.into(),
            amount,
            counts: true,
        }
    }
}

/// A folder that is removed when dropped.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // One that stays costs disk space until the whole run ends, no more.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The contenders under one promise, ours first.
pub struct Stage {
    /// Who they are.
    pub who: Vec<Peer>,
    /// The stores, in the same order. Dropped before their folders.
    pub all: Vec<Box<dyn Contender>>,
    folders: Vec<Folder>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole comparison in small: every part gives rows, and every number is one.
    #[test]
    fn every_part_gives_rows() {
        let dir = tempfile::tempdir().unwrap();
        let size = Size {
            keys: 200,
            samples: 1,
            quick: true,
            only: Vec::new(),
            peers: Vec::new(),
            program: None,
        };
        let mut rows = Vec::new();
        run(dir.path(), size.clone(), &mut |row| rows.push(row)).unwrap();
        for part in PARTS {
            for promise in part.promises {
                let name = format!("store/{}/{}", promise.name(), part.name);
                let found = rows.iter().filter(|row| row.name.starts_with(&name));
                assert!(found.count() > 0, "{name}");
            }
        }
        assert!(rows.iter().all(|row| row.ours.is_finite()), "{rows:#?}");
        let only = vec!["nonsense".to_owned()];
        assert!(run(dir.path(), Size { only, ..size }, &mut |_| ()).is_err());
    }
}
