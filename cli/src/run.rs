//! `statewright run`: a new case, from its start to its end.

use statewright::flow::{CaseFilter, Status};

use crate::args::Run;
use crate::check;
use crate::exit::{Exit, Result};
use crate::input;
use crate::session::Session;
use crate::store::Place;

pub fn run(options: &Run) -> Result<Exit> {
    // Everything that can be refused without a store is refused before one is made.
    let spec = input::spec(&options.spec)?;
    let input = input::case_input(options.input.as_deref())?;
    check::refuse(&options.spec, &spec.source, options.drive.json)?;
    let place = Place::of_run(options.store.as_deref(), options.drive.durability);
    let mut session = Session::open(place, &options.drive)?;
    let flow = session.engine.deploy(&spec.source, spec.dir.as_deref())?;
    let others = CaseFilter {
        status: Some(Status::Running),
        ..CaseFilter::default()
    };
    let others = session.engine.cases(&others)?.len();
    let case = session
        .engine
        .start(&flow.name, input, options.case_id.as_deref())?;
    session.follow(&case, 0, false)?;
    if others > 0 {
        let what = if others == 1 {
            "1 earlier case is".to_owned()
        } else {
            format!("{others} earlier cases are")
        };
        session.note(&format!(
            "{what} open in this store and goes on meanwhile; see `statewright cases`"
        ));
    }
    session.run(&options.drive)
}
