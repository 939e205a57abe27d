//! `statewright resume`: cases that were interrupted, to their ends.

use statewright::flow::{CaseFilter, CaseInfo, Status};
use statewright::{Durability, Engine};

use crate::args::Resume;
use crate::exit::{Exit, Failure, Result};
use crate::session::Session;
use crate::store::{self, Place};

pub fn resume(options: &Resume) -> Result<Exit> {
    if options.drive.durability == Durability::Memory {
        let message = "nothing that was kept in memory can be resumed; --durability is strict or buffered here";
        return Err(Failure::new(Exit::Usage, 601, message));
    }
    store::must_exist(&options.store.dir)?;
    let mut session = Session::open(Place::Dir(options.store.dir.clone()), &options.drive)?;
    let cases = if options.cases.is_empty() {
        let open = open(&session.engine, &CaseFilter::default())?;
        open.into_iter().map(|info| info.id).collect()
    } else {
        options.cases.clone()
    };
    for case in &cases {
        // A case that is closed already shows how it ended.
        let seen = seen(&session.engine, case)?;
        session.follow(case, seen, true)?;
    }
    if cases.is_empty() {
        session.note("no case is open; there is nothing to resume");
    }
    session.run(&options.drive)
}

/// The cases that move when a store is driven.
pub fn open(engine: &Engine, filter: &CaseFilter) -> Result<Vec<CaseInfo>> {
    let mut open = Vec::new();
    for status in [Status::Running, Status::Compensating] {
        let filter = CaseFilter {
            status: Some(status),
            ..filter.clone()
        };
        open.extend(engine.cases(&filter)?);
    }
    Ok(open)
}

/// The number of the last event of a case.
pub fn seen(engine: &Engine, case: &str) -> Result<u64> {
    let history = engine.history(case, 0)?;
    Ok(history.last().map_or(0, |event| event.seq))
}
