//! `statewright serve`: keeps a store driven until it is told to stop.

use statewright::Engine;
use statewright::flow::CaseFilter;

use crate::args::Serve;
use crate::check;
use crate::exit::{Exit, Result};
use crate::input;
use crate::resume;
use crate::session::Session;
use crate::store::{self, Place};

pub fn run(options: &Serve) -> Result<Exit> {
    // Everything that can be refused without a store is refused before one is made.
    let mut specs = Vec::with_capacity(options.specs.len());
    for path in &options.specs {
        let spec = input::spec(path)?;
        check::refuse(path, &spec.source, options.drive.json)?;
        specs.push(spec);
    }
    let place = Place::of_run(options.store.as_deref(), options.drive.durability);
    if let (Place::Dir(dir), true) = (&place, specs.is_empty()) {
        store::must_exist(dir)?;
    }
    let mut session = Session::open(place, &options.drive)?;
    for spec in &specs {
        session.engine.deploy(&spec.source, spec.dir.as_deref())?;
    }
    for case in resume::open(&session.engine, &CaseFilter::default())? {
        // What a case called is shown as a part of it.
        if case.parent.is_none() {
            let seen = resume::seen(&session.engine, &case.id)?;
            session.follow(&case.id, seen, true)?;
        }
    }
    let schedules = schedules(&session.engine)?;
    if schedules.is_empty() && !session.follows() {
        session.note("no case is open and no flow has a schedule; there is nothing to serve");
        return session.run(&options.drive);
    }
    schedules.iter().for_each(|text| session.note(text));
    session.serve(&options.drive)
}

/// When flows begin by themselves, for people.
fn schedules(engine: &Engine) -> Result<Vec<String>> {
    let told = |info: statewright::flow::ScheduleInfo| match (info.paused, info.next) {
        (true, _) => format!("the schedule of {} is paused", info.flow),
        (false, None) => format!("{} has no time any more at which it begins", info.flow),
        (false, Some(next)) => format!(
            "{} begins by itself: {}; next at {next}",
            info.flow, info.when
        ),
    };
    Ok(engine.schedules()?.into_iter().map(told).collect())
}
