//! What time does to cases: retries, waits that are over, timeouts, leases without a heartbeat.

use std::collections::BTreeSet;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};

use super::aside::Part;
use super::batch::Batch;
use super::save::{self, Wanted};
use super::{Flows, Moved, keys};
use crate::error::{Error, Result};

/// Timers handled in one go; the caller comes back for the rest.
const DUE_BATCH: usize = 256;

impl Flows {
    /// When time alone will next change something; none if never. O(log n).
    pub fn next_due(&self) -> Result<Option<Timestamp>> {
        let view = self.store.snapshot();
        let timer = self.timers(&view, 1, Timestamp::MAX)?;
        let timer = timer.first().and_then(|key| keys::parse_place(key));
        let timer = timer.map(|(due, _, _)| due);
        let rate = self.next_rate()?;
        let start = self.next_start(&view)?;
        let times = timer.into_iter().chain(rate).chain(start);
        let times = times.chain(self.desk.next_due());
        Ok(times.chain(self.asides.next_due()).min())
    }

    /// The keys of the first timers that are due until some time and not put off.
    fn timers(&self, view: &impl Reader, most: usize, until: Timestamp) -> Result<Vec<String>> {
        let (flow, space) = (Primitive::Flow, Space::default());
        let (mut timers, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = view.doc_scan(flow, &space, keys::TIMER, after.as_deref(), most)?;
            let full = page.len() == most;
            after = page.last().map(|(key, _)| key.clone());
            for (key, _) in page {
                let Some((due, case, number)) = keys::parse_place(&key) else {
                    continue;
                };
                if due > until || timers.len() == most {
                    return Ok(timers);
                }
                if !self.asides.is_asleep(case, Part::Item(number)) {
                    timers.push(key);
                }
            }
            if !full {
                return Ok(timers);
            }
        }
    }

    /// Does what is due by now: retries, waits that are over, timeouts, deadlines, leases without a heartbeat, cases
    /// that begin by a schedule, and what was [put off](Flows::put_off) until now. Each is one commit; up to 256 of
    /// them wait for the disk together. What fails for one case alone is put off.
    ///
    /// # Errors
    /// What concerns the store.
    pub fn fire_due(&self) -> Result<Vec<Moved>> {
        let now = self.now();
        let mut moved = Vec::new();
        self.try_again(now, &mut moved)?;
        let timers = self.timers(&self.store.snapshot(), DUE_BATCH, now)?;
        let places = timers.iter().filter_map(|key| keys::parse_place(key));
        let due = places.map(|(_, case, number)| (case, number));
        let held = self.desk.due(now, DUE_BATCH);
        moved.extend(self.release_rates(now)?);
        self.fire_starts(now, &mut moved)?;
        let held = held.iter().map(|(case, number)| (&**case, *number));
        let all: Vec<(&str, u64)> = due.clone().chain(held.clone()).collect();
        let mut batch = self.batch(all.iter().map(|(case, _)| *case));
        let mut fired = BTreeSet::new();
        let fire = || -> Result<()> {
            for (case, number) in all {
                match self.fire(&mut batch, case, number) {
                    Ok(done) => {
                        self.asides.clear(case, Part::Item(number));
                        fired.extend(done.is_some().then_some((case, number)));
                        moved.extend(done);
                    }
                    Err(e) => {
                        self.put_aside(case, Part::Item(number), e)?;
                    }
                }
            }
            Ok(())
        };
        let done = fire();
        batch.settled(done)?;
        for (case, number) in held.filter(|place| !fired.contains(place)) {
            // The claim is of something that is not there any more, or cannot be reached.
            self.desk.give_up(case, number, now);
        }
        let view = self.store.snapshot();
        for (key, (case, number)) in timers.iter().zip(due) {
            let idle = !fired.contains(&(case, number));
            // A timer that does nothing and is still there would be due for ever.
            if idle
                && !self.asides.is_asleep(case, Part::Item(number))
                && save::read(&view, key)?.is_some()
            {
                self.put_aside(case, Part::Item(number), Error::damaged(key, "timer"))?;
            }
        }
        Ok(moved)
    }

    fn fire(&self, batch: &mut Batch<'_>, case: &str, number: u64) -> Result<Option<Moved>> {
        let item = Some(number).filter(|n| *n != 0);
        let wanted = item.map_or_else(Wanted::none, Wanted::one);
        let fired = batch.step(case, wanted.clone(), |machine| match item {
            Some(number) => {
                let before = machine.notes.len();
                machine.due(number);
                Ok(machine.notes.len() > before)
            }
            None => {
                let late = machine.is_late();
                if late {
                    machine.end_late(None);
                }
                Ok(late)
            }
        });
        batch.or_fail(case, wanted, fired, |machine, failure| match item {
            Some(number) => machine.fail(number, failure),
            None => machine.end_late(Some(failure)),
        })
    }
}
