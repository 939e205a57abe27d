//! Opening stores.

use std::fs;
use std::path::{Path, PathBuf};

use statewright::store::Store;
use statewright::{Durability, Engine, Options};

use crate::args::{Drive, StoreFolder};
use crate::exit::{Exit, Failure, Result};

/// Where `run` keeps cases unless told otherwise.
const DEFAULT: &str = ".statewright";

/// Where a session's cases are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Memory,
    Dir(PathBuf),
}

impl Place {
    /// For `run`: memory if that durability is asked for without a folder.
    pub fn of_run(store: Option<&Path>, durability: Durability) -> Place {
        match store {
            Some(dir) => Place::Dir(dir.to_owned()),
            None if durability == Durability::Memory => Place::Memory,
            None => Place::Dir(DEFAULT.into()),
        }
    }

    /// How to go on with a case that is kept here.
    pub fn how_to_resume(&self, case: &str) -> String {
        match self {
            Place::Memory => "the case was kept in memory alone and is gone".to_owned(),
            Place::Dir(dir) if dir == Path::new(DEFAULT) => {
                format!("go on with: statewright resume {case}")
            }
            Place::Dir(dir) => format!(
                "go on with: statewright resume {case} --store {}",
                dir.display()
            ),
        }
    }
}

/// Opens a store whose cases do not move yet.
pub fn open(place: &Place, drive: &Drive) -> Result<Engine> {
    let options = Options::default()
        .durability(drive.durability)
        .workers(drive.jobs)
        .drive(false);
    let opened = match place {
        Place::Memory => Engine::in_memory(options),
        Place::Dir(dir) => Engine::open(dir, options),
    };
    Ok(opened?)
}

/// Opens a store for looking only; it must be there.
pub fn open_quietly(folder: &StoreFolder) -> Result<Engine> {
    must_exist(&folder.dir)?;
    Ok(Engine::open(&folder.dir, Options::default().drive(false))?)
}

/// Opens a store for a change, and makes it if there is none: but not for a change that would be refused, which is
/// tried out on a store in memory first.
pub fn open_to_change(
    folder: &StoreFolder,
    options: Options,
    change: impl FnOnce(&Store) -> Result<()>,
) -> Result<Engine> {
    let options = options.drive(false);
    if is_absent(&folder.dir) {
        let tried = Engine::in_memory(options.clone())?;
        change(tried.store())?;
        tried.close()?;
    }
    Ok(Engine::open(&folder.dir, options)?)
}

/// Whether there is nothing, and so no store.
pub fn is_absent(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Looking must not make a store where there is none.
pub fn must_exist(dir: &Path) -> Result<()> {
    if is_absent(dir) {
        let message = format!(
            "there is no store in {}; `statewright run` makes one, and so does what writes (`kv put`, `import`, …); --store names another folder",
            dir.display()
        );
        return Err(Failure::new(Exit::Store, 308, message));
    }
    Ok(())
}
