//! Flows that begin by themselves: which case begins when, exactly once for each due time.
//!
//! The newest version of a flow that has a `schedule` has a document `schedule/<flow>` with its next due time, and a
//! key `start/<due>/<flow>` that leads there. The start of a case and the step to the next due time are one commit, so
//! that neither a crash nor a clock that is set back starts a case twice; the case's id is made of flow and due time,
//! `<flow>@<due>`, which no user can give. A case that another waits for (`overlap: queue`) starts it in the commit in
//! which it ends.

use std::time::Duration;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Path, Value};

use super::aside::Part;
use super::family::Family;
use super::save::{self, Wanted};
use super::{Flows, Moved, initial_data, keys, newest};
use crate::calendar::Calendar;
use crate::case::Case;
use crate::error::{Error, Result};
use crate::ids;
use crate::net::{Net, Overlap, Schedule};
use crate::sabotage::{self, Bug};

const DOC: &str = "schedule/";
const START: &str = "start/";
/// Schedules that are looked at in one go; the caller comes back for the rest.
const BATCH: usize = 64;
/// With `catch_up: 0`, a start that is late by more than this was missed.
const GRACE: Duration = Duration::from_secs(60);
/// Missed starts are counted up to this many at a time.
const MOST_COUNTED: u64 = 10_000;

/// The schedule of a flow as it is now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// The flow.
    pub flow: String,
    /// The cron expressions and their time zone, or the period.
    pub when: String,
    /// What happens if the last case has not ended: `skip`, `allow`, `queue` or `cancel`.
    pub overlap: &'static str,
    /// When the next case is to begin; none while it is paused, or if there is no time any more.
    pub next: Option<Timestamp>,
    /// The last due time that was dealt with.
    pub last: Option<Timestamp>,
    /// Whether somebody paused it.
    pub paused: bool,
    /// The case that began last.
    pub case: Option<String>,
    /// The due time of the start that waits for that case to end.
    pub queued: Option<Timestamp>,
    /// How many cases it has started.
    pub started: u64,
    /// How many starts were left out because a case had not ended, or what a new one comes to cannot be stored.
    pub skipped: u64,
    /// How many starts were left out because nobody drove the store when they were due; at most 10,000 are counted
    /// each time.
    pub missed: u64,
}

/// The document of a schedule.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    /// The calendar that `next` is of, as text.
    of: String,
    next: Option<Timestamp>,
    last: Option<Timestamp>,
    paused: bool,
    case: Option<String>,
    queued: Option<Timestamp>,
    started: u64,
    skipped: u64,
    missed: u64,
}

impl State {
    fn read(view: &impl Reader, flow: &str) -> Result<Option<State>> {
        let key = [DOC, flow].concat();
        let Some(value) = save::read(view, &key)? else {
            return Ok(None);
        };
        State::from_value(&value)
            .map(Some)
            .ok_or_else(|| Error::damaged(&key, "document"))
    }

    fn from_value(value: &Value) -> Option<State> {
        let part = |at: usize| value.index(at).unwrap_or_default();
        let time = |at| match part(at) {
            v if v.is_null() => Some(None),
            v => v.as_i64().map(|n| Some(Timestamp::from_micros(n))),
        };
        Some(State {
            of: part(0).as_str()?.to_owned(),
            next: time(1)?,
            last: time(2)?,
            paused: part(3).as_bool()?,
            case: part(4).as_str().map(str::to_owned),
            queued: time(5)?,
            started: part(6).as_u64()?,
            skipped: part(7).as_u64()?,
            missed: part(8).as_u64()?,
        })
    }

    fn to_value(&self) -> Value {
        let time = |at: Option<Timestamp>| at.map_or(Value::NULL, |at| at.as_micros().into());
        Value::from([
            Value::from(self.of.as_str()),
            time(self.next),
            time(self.last),
            Value::from(self.paused),
            self.case.as_deref().map(Value::from).unwrap_or_default(),
            time(self.queued),
            Value::from(self.started),
            Value::from(self.skipped),
            Value::from(self.missed),
        ])
    }

    /// Writes what differs from what was there.
    fn write(&self, txn: &Txn, flow: &str, was: Option<&State>) -> Result<()> {
        if was == Some(self) {
            return Ok(());
        }
        let (space, key) = (Space::default(), [DOC, flow].concat());
        txn.doc_set(
            Primitive::Flow,
            &space,
            &key,
            &Path::root(),
            self.to_value(),
        )?;
        let due = |state: &State| state.next.filter(|_| !state.paused);
        move_start(txn, flow, was.and_then(due), due(self))
    }

    /// The case that is due cannot begin.
    fn leave_out(&mut self, calendar: &Calendar, due: Timestamp) {
        self.skipped = self.skipped.saturating_add(1);
        self.last = Some(due);
        self.go_on(calendar, due);
    }

    /// Goes on to the first due time after this moment.
    fn go_on(&mut self, calendar: &Calendar, after: Timestamp) {
        self.next = calendar.next(after);
    }
}

fn start_key(flow: &str, due: Timestamp) -> String {
    [START, &keys::time(due), "/", flow].concat()
}

fn move_start(txn: &Txn, flow: &str, was: Option<Timestamp>, is: Option<Timestamp>) -> Result<()> {
    let space = Space::default();
    if was == is {
        return Ok(());
    }
    if let Some(due) = was {
        txn.doc_drop(Primitive::Flow, &space, &start_key(flow, due))?;
    }
    if let Some(due) = is {
        txn.doc_create(Primitive::Flow, &space, &start_key(flow, due), Value::NULL)?;
    }
    Ok(())
}

fn parse_start(key: &str) -> Option<(Timestamp, &str)> {
    let (due, flow) = key.strip_prefix(START)?.split_once('/')?;
    Some((keys::parse_time(due)?, flow))
}

/// A deployed net is the newest of its name: its schedule takes the place of the one before.
pub(super) fn deploy(txn: &Txn, net: &Net, now: Timestamp) -> Result<()> {
    let flow = &*net.name;
    let was = State::read(txn, flow)?;
    let Some(schedule) = &net.schedule else {
        if let Some(was) = was {
            let due = was.next.filter(|_| !was.paused);
            move_start(txn, flow, due, None)?;
            txn.doc_drop(Primitive::Flow, &Space::default(), &[DOC, flow].concat())?;
        }
        return Ok(());
    };
    let mut state = was.clone().unwrap_or_default();
    if state.of != schedule.calendar.text() {
        schedule.calendar.text().clone_into(&mut state.of);
        // A start that was due is due no more; one that happened does not happen again.
        state.go_on(
            &schedule.calendar,
            state.last.map_or(now, |last| now.max(last)),
        );
    }
    state.write(txn, flow, was.as_ref())
}

impl Flows {
    /// The schedules of deployed flows, by the flow's name. O(schedules).
    pub fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        let (view, space) = (self.store.snapshot(), Space::default());
        let found = view.doc_scan(Primitive::Flow, &space, DOC, None, usize::MAX)?;
        let mut schedules = Vec::with_capacity(found.len());
        for (key, _) in found {
            let flow = key.strip_prefix(DOC).unwrap_or_default();
            let Some((state, _, schedule)) = self.schedule(&view, flow)? else {
                continue;
            };
            schedules.push(ScheduleInfo {
                flow: flow.to_owned(),
                when: state.of,
                overlap: schedule.overlap.name(),
                next: state.next.filter(|_| !state.paused),
                last: state.last,
                paused: state.paused,
                case: state.case,
                queued: state.queued,
                started: state.started,
                skipped: state.skipped,
                missed: state.missed,
            });
        }
        Ok(schedules)
    }

    /// The next times at which cases of a flow begin, if it is not paused; at most `count`, and 1,000.
    ///
    /// Fails with [`Error::UnknownFlow`] if the flow has no schedule.
    pub fn upcoming(&self, flow: &str, count: usize) -> Result<Vec<Timestamp>> {
        let view = self.store.snapshot();
        let found = self.schedule(&view, flow)?;
        let (state, _, schedule) = found.ok_or_else(|| unknown(flow))?;
        let first = state.next.filter(|_| !state.paused);
        let times = std::iter::successors(first, |at| schedule.calendar.next(*at));
        Ok(times.take(count.min(1000)).collect())
    }

    /// Starts no case of a flow until its schedule is resumed. Those that have begun go on; one that waits for another
    /// to end does not begin.
    ///
    /// Fails with [`Error::UnknownFlow`] if the flow has no schedule, or [`Error::Refused`] if it is paused already.
    pub fn pause_schedule(&self, flow: &str) -> Result<()> {
        self.change_schedule(flow, |state, _, _| {
            let paused = state.paused;
            (state.paused, state.queued) = (true, None);
            paused.then_some(("paused", "the schedule is paused already"))
        })
    }

    /// Lets a paused schedule go on with its next time from now; what was due meanwhile is left out.
    ///
    /// Fails with [`Error::UnknownFlow`] if the flow has no schedule, or [`Error::Refused`] if it is not paused.
    pub fn resume_schedule(&self, flow: &str) -> Result<()> {
        self.change_schedule(flow, |state, schedule, now| {
            let paused = state.paused;
            state.paused = false;
            let after = state.last.map_or(now, |last| now.max(last));
            state.go_on(&schedule.calendar, after);
            (!paused).then_some(("not-paused", "the schedule is not paused"))
        })
    }

    fn change_schedule(
        &self,
        flow: &str,
        change: impl Fn(&mut State, &Schedule, Timestamp) -> Option<(&'static str, &'static str)>,
    ) -> Result<()> {
        let now = self.now();
        self.store.transact(|txn| {
            let found = self.schedule(txn, flow)?;
            let (was, _, schedule) = found.ok_or_else(|| unknown(flow))?;
            let mut state = was.clone();
            if let Some((code, why)) = change(&mut state, &schedule, now) {
                let why = why.to_owned();
                return Err(Error::Refused { code, why });
            }
            state.write(txn, flow, Some(&was))
        })
    }

    /// A schedule, with the key of the net that it is of.
    fn schedule(
        &self,
        view: &impl Reader,
        flow: &str,
    ) -> Result<Option<(State, String, Schedule)>> {
        let Some(state) = State::read(view, flow)? else {
            return Ok(None);
        };
        let Some(key) = newest(view, flow)? else {
            return Ok(None);
        };
        let schedule = self.net(view, &key)?.schedule.clone();
        Ok(schedule.map(|schedule| (state, key, schedule)))
    }

    /// When the next case is to begin by itself. O(log n).
    pub(super) fn next_start(&self, view: &impl Reader) -> Result<Option<Timestamp>> {
        let first = self.starts(view, 1)?;
        let start = first.first().and_then(|key| parse_start(key));
        Ok(start.map(|(due, _)| due))
    }

    /// The keys of the first starts that are not put off.
    fn starts(&self, view: &impl Reader, most: usize) -> Result<Vec<String>> {
        let some = most.saturating_add(self.asides.count());
        let found = view.doc_scan(Primitive::Flow, &Space::default(), START, None, some)?;
        let found = found.into_iter().map(|(key, _)| key);
        let asleep = |flow: &str| self.asides.is_asleep(flow, Part::Schedule);
        let found = found.filter(|key| parse_start(key).is_some_and(|(_, flow)| !asleep(flow)));
        Ok(found.take(most).collect())
    }

    /// Starts the cases that are due by now: of each flow the first, in one commit.
    pub(super) fn fire_starts(&self, now: Timestamp, moved: &mut Vec<Moved>) -> Result<()> {
        let found = self.starts(&self.store.snapshot(), BATCH)?;
        let due = found.iter().filter_map(|key| parse_start(key));
        for (_, flow) in due.take_while(|(due, _)| *due <= now) {
            match self.fire_start(flow, now) {
                Ok(started) => {
                    self.asides.clear(flow, Part::Schedule);
                    moved.extend(started);
                }
                Err(e) => {
                    self.put_aside(flow, Part::Schedule, e)?;
                }
            }
        }
        Ok(())
    }

    fn fire_start(&self, flow: &str, now: Timestamp) -> Result<Option<Moved>> {
        loop {
            let seen = self.schedule(&self.store.snapshot(), flow)?;
            let Some((seen, _, schedule)) = seen else {
                return Ok(None);
            };
            // Of the cases there are, only one that is to be cancelled changes.
            let last = seen.case.clone();
            let last = last.filter(|_| schedule.overlap == Overlap::Cancel);
            let locked = last.unwrap_or_else(|| ids::scheduled(flow, now));
            let (mut again, mut done) = (false, false);
            let mut fired = |left_out: bool| {
                self.transact(&locked, |family, txn| {
                    (again, done) = (false, false);
                    let Some((was, key, schedule)) = self.schedule(txn, flow)? else {
                        return Ok(());
                    };
                    again = was.case != seen.case;
                    let due = was.next.filter(|due| *due <= now && !was.paused);
                    let (Some(due), false) = (due, again) else {
                        return Ok(());
                    };
                    let mut state = was.clone();
                    done = true;
                    if left_out {
                        state.leave_out(&schedule.calendar, due);
                    } else {
                        let net = self.net(txn, &key)?;
                        begin(family, txn, (&key, &net, &schedule), &mut state, due)?;
                    }
                    state.write(txn, flow, Some(&was))
                })
            };
            let moved = match fired(false) {
                // It ends at once with more than can be stored, say. There is nobody to be told.
                Err(Error::Store(e)) if e.is_about_input() => fired(true)?,
                moved => moved?,
            };
            if !again {
                // A start that was left out is news too: the schedule has moved on.
                return Ok(moved.or_else(|| done.then(|| Moved::nothing(""))));
            }
        }
    }
}

fn unknown(flow: &str) -> Error {
    Error::UnknownFlow {
        flow: flow.to_owned(),
    }
}

/// Does what is due at `due`, and moves on to the next time.
fn begin(
    family: &mut Family<'_>,
    txn: &Txn,
    (key, net, schedule): (&str, &Net, &Schedule),
    state: &mut State,
    due: Timestamp,
) -> Result<()> {
    let (calendar, now) = (&schedule.calendar, family.now());
    let first = first_wanted(schedule, due, now);
    if first != Some(due) {
        let until = first.unwrap_or(now);
        let passed = std::iter::successors(Some(due), |at| calendar.next(*at));
        let passed = passed.take_while(|at| *at < until && *at <= now);
        let passed = passed.take(usize::try_from(MOST_COUNTED).unwrap_or(usize::MAX));
        state.missed = state.missed.saturating_add(passed.count() as u64);
    }
    let Some(due) = first else {
        state.last = Some(now);
        state.go_on(calendar, now);
        return Ok(());
    };
    state.last = Some(due);
    let skips = sabotage::on(Bug::SkipMoment);
    state.go_on(calendar, if skips { now } else { due }); // planted
    let last = state.case.clone();
    let open = match &last {
        Some(case) => is_open(txn, case)?,
        None => false,
    };
    match schedule.overlap {
        Overlap::Skip if open => state.skipped = state.skipped.saturating_add(1),
        Overlap::Queue if open && state.queued.is_some() => {
            state.skipped = state.skipped.saturating_add(1);
        }
        Overlap::Queue if open => state.queued = Some(due),
        Overlap::Cancel if open => {
            if let Some(case) = last {
                family.event(&case, Wanted::all(), &mut |machine| {
                    Ok(machine
                        .cancel("the next case of its schedule is due")
                        .is_ok())
                })?;
            }
            start(family, txn, (key, net, schedule), state, due)?;
        }
        _ => start(family, txn, (key, net, schedule), state, due)?,
    }
    Ok(())
}

/// The first due time from `due` on that is not to be left out as missed; none if all up to now are.
fn first_wanted(schedule: &Schedule, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let calendar = &schedule.calendar;
    if schedule.catch_up == 0 {
        return Some(due)
            .filter(|due| now.saturating_since(*due) <= GRACE)
            .or_else(|| {
                let latest = calendar.previous(after(now))?;
                Some(latest).filter(|at| *at > due && now.saturating_since(*at) <= GRACE)
            });
    }
    let mut first = after(now);
    for _ in 0..schedule.catch_up {
        match calendar.previous(first) {
            Some(before) if before > due => first = before,
            _ => return Some(due),
        }
    }
    Some(first)
}

fn after(at: Timestamp) -> Timestamp {
    at.saturating_add(Duration::from_micros(1))
}

fn is_open(view: &impl Reader, case: &str) -> Result<bool> {
    Ok(save::read(view, &keys::open(case))?.is_some())
}

fn start(
    family: &mut Family<'_>,
    txn: &Txn,
    (key, net, schedule): (&str, &Net, &Schedule),
    state: &mut State,
    due: Timestamp,
) -> Result<()> {
    let id = ids::scheduled(&net.name, due);
    // The schedule was gone for a while, and the clock was set back.
    if save::read(txn, &keys::case(&id))?.is_some() {
        state.skipped = state.skipped.saturating_add(1);
        return Ok(());
    }
    let mut data = initial_data(net, &schedule.input)?;
    data.insert("scheduled", Value::from(due.to_string().as_str()))?;
    let marking = net.skeleton().empty();
    let case = Case::new(id.as_str().into(), key.into(), marking, data, family.now());
    family.create(net, case)?;
    state.started = state.started.saturating_add(1);
    state.case = Some(id);
    Ok(())
}

/// A case that a schedule started has ended: the one that waits for it begins.
pub(super) fn ended(flows: &Flows, family: &mut Family<'_>, txn: &Txn, case: &str) -> Result<()> {
    let Some(flow) = ids::scheduled_flow(case) else {
        return Ok(());
    };
    let Some((was, key, schedule)) = flows.schedule(txn, flow)? else {
        return Ok(());
    };
    let Some(due) = was.queued.filter(|_| was.case.as_deref() == Some(case)) else {
        return Ok(());
    };
    let mut state = was.clone();
    state.queued = None;
    if family.refuses() {
        state.skipped = state.skipped.saturating_add(1);
    } else {
        let net = flows.net(txn, &key)?;
        start(family, txn, (&key, &net, &schedule), &mut state, due)?;
    }
    state.write(txn, flow, Some(&was))
}
