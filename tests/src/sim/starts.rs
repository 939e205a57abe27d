//! Schedules of the simulated flows: every moment at which a case is due is dealt with once, whatever crashes and
//! however the clock is set: a case began, or the moment was skipped, missed, or waits for the last case to end.

use std::collections::BTreeMap;

use statewright_flow::{CaseInfo, ScheduleInfo, Status};

use super::Checked;
use super::games::SCHEDULES;
use super::timetable::{Due, micros};
use super::world::World;

/// A schedule, as its spec has it.
pub(super) struct Plan {
    flow: &'static str,
    due: Due,
    catch_up: usize,
}

impl Plan {
    pub(super) const fn new(flow: &'static str, due: Due, catch_up: usize) -> Plan {
        Plan {
            flow,
            due,
            catch_up,
        }
    }
}

/// With `catch_up: 0`, how late a case may begin.
const GRACE: i64 = 60_000_000;

/// The schedules as they were when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Starts(BTreeMap<String, ScheduleInfo>);

impl Starts {
    /// The store was opened: the schedules are what they were then, if that is known.
    pub(super) fn recovered(&mut self, schedules: &[ScheduleInfo]) {
        let by_flow = schedules.iter().map(|s| (s.flow.clone(), s.clone()));
        self.0 = by_flow.collect();
    }

    /// All laws of all schedules.
    pub(super) fn look(&mut self, schedules: &[ScheduleInfo], infos: &[CaseInfo]) -> Checked {
        for now in schedules {
            let Some(plan) = SCHEDULES.iter().find(|p| p.flow == now.flow) else {
                continue;
            };
            let checked = self.accounts(plan, now);
            let checked = checked.and_then(|()| begun(plan, now, infos));
            checked.map_err(|why| format!("the schedule of {}: {why}", now.flow))?;
            self.0.insert(now.flow.clone(), now.clone());
        }
        Ok(())
    }

    /// Each moment between then and now was counted once.
    fn accounts(&self, plan: &Plan, now: &ScheduleInfo) -> Checked {
        if now
            .next
            .zip(now.last)
            .is_some_and(|(next, last)| next <= last)
        {
            return Err(format!("it goes back: {now:?}"));
        }
        let Some(was) = self.0.get(plan.flow) else {
            return Ok(());
        };
        let (Some(from), Some(to)) = (was.next, now.next) else {
            return Ok(());
        };
        let moments = plan.due.between(from.as_micros(), to.as_micros());
        let count = |s: &ScheduleInfo| {
            let queued = u64::from(s.queued.is_some());
            s.started + s.skipped + s.missed + queued
        };
        let counted = count(now).saturating_sub(count(was)) as usize;
        // What is paused and goes on leaves out what was due meanwhile; that was not seen if both were one call.
        if moments != counted {
            return Err(format!(
                "of {moments} moments, {counted} were dealt with: {was:?}, then {now:?}"
            ));
        }
        Ok(())
    }
}

/// The cases that began by it.
fn begun(plan: &Plan, now: &ScheduleInfo, infos: &[CaseInfo]) -> Checked {
    let mine = |info: &&CaseInfo| {
        let of = info.id.split_once('@');
        of.is_some_and(|(flow, rest)| flow == plan.flow && !rest.contains('~'))
    };
    let cases: Vec<&CaseInfo> = infos.iter().filter(mine).collect();
    if cases.len() as u64 != now.started {
        let ids: Vec<&str> = cases.iter().map(|c| c.id.as_str()).collect();
        return Err(format!("it started {}, but there are {ids:?}", now.started));
    }
    // One that is cancelled may have to undo what it did first, and may be suspended meanwhile.
    let open = |c: &&&CaseInfo| match now.overlap {
        "cancel" => c.status == Status::Running,
        _ => !c.status.is_final(),
    };
    let open = cases.iter().filter(open).count();
    if open > 1 && now.overlap != "allow" {
        return Err(format!("{open} of its cases are open"));
    }
    for case in cases {
        let due = case.data.get("scheduled").unwrap_or_default();
        let due = micros(due.as_str().unwrap_or_default()).unwrap_or(-1);
        if !plan.due.is_at(due) || now.last.is_none_or(|at| at.as_micros() < due) {
            return Err(format!("case {} was not due", case.id));
        }
        // One that had to wait for the last may be any time late, and the clock may be set back meanwhile.
        let created = case.created.as_micros();
        let late = match plan.catch_up {
            _ if now.overlap == "queue" => false,
            0 => created > due + GRACE,
            most => plan.due.between(due, created) >= most,
        };
        if late || (created < due && now.overlap != "queue") {
            return Err(format!("case {} began at {}", case.id, case.created));
        }
    }
    Ok(())
}

impl World {
    /// Somebody pauses a schedule, or lets it go on.
    pub(super) fn pause(&mut self) -> Checked {
        let all = SCHEDULES.iter().map(|plan| plan.flow.to_owned());
        let all: Vec<String> = all.filter(|flow| self.has_game(flow)).collect();
        let Some(flow) = self.pick(&all) else {
            return self.fire_timers();
        };
        match self.random.below(3) {
            0 => self.call(&format!("pause {flow}"), |flows| {
                flows.pause_schedule(&flow)
            }),
            _ => self.call(&format!("resume {flow}"), |flows| {
                flows.resume_schedule(&flow)
            }),
        }
        .map(drop)
    }

    /// No case begins by itself any more.
    pub(super) fn pause_all(&mut self) -> Checked {
        for plan in &SCHEDULES {
            self.call("pause", |flows| flows.pause_schedule(plan.flow))?;
        }
        Ok(())
    }
}
