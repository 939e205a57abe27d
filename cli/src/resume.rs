//! `statewright resume`: cases that were interrupted, to their ends.

use statewright::Durability;
use statewright::flow::{CaseFilter, Status};

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
        let mut open = Vec::new();
        for status in [Status::Running, Status::Compensating] {
            let filter = CaseFilter {
                status: Some(status),
                ..CaseFilter::default()
            };
            let cases = session.engine.cases(&filter)?;
            open.extend(cases.into_iter().map(|info| info.id));
        }
        open
    } else {
        options.cases.clone()
    };
    for case in &cases {
        // A case that is closed already shows how it ended.
        let seen = session
            .engine
            .history(case, 0)?
            .last()
            .map_or(0, |event| event.seq);
        session.follow(case, seen, true)?;
    }
    if cases.is_empty() {
        session.note("no case is open; there is nothing to resume");
    }
    session.run(&options.drive)
}
