//! What time does to cases: retries, waits that are over, timeouts, leases without a heartbeat.

use std::collections::BTreeSet;
use std::time::Duration;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};

use super::batch::Batch;
use super::save::Wanted;
use super::{Flows, Moved, keys};
use crate::error::{Error, Result};

/// Timers handled in one go; the caller comes back for the rest.
const DUE_BATCH: usize = 256;
/// What is due and cannot be stored is tried again after this long.
const AGAIN: Duration = Duration::from_secs(60);

impl Flows {
    /// When time alone will next change something; none if never. O(log n).
    pub fn next_due(&self) -> Result<Option<Timestamp>> {
        let view = self.store.snapshot();
        let first = view.doc_scan(Primitive::Flow, &Space::default(), keys::TIMER, None, 1)?;
        let timer = first.first().and_then(|(key, _)| keys::parse_place(key));
        let timer = timer.map(|(due, _, _)| due);
        let rate = self.next_rate()?;
        let start = self.next_start(&view)?;
        let times = timer.into_iter().chain(rate).chain(start);
        let times = times.chain(self.desk.next_due());
        Ok(times.min())
    }

    /// Does what is due by now: retries, waits that are over, timeouts, deadlines, leases without a heartbeat, cases
    /// that begin by a schedule. Each is one commit; up to 256 of them wait for the disk together.
    pub fn fire_due(&self) -> Result<Vec<Moved>> {
        let now = self.now();
        let view = self.store.snapshot();
        let (flow, space) = (Primitive::Flow, Space::default());
        let stored = view.doc_scan(flow, &space, keys::TIMER, None, DUE_BATCH)?;
        drop(view);
        let places = stored.iter().filter_map(|(key, _)| keys::parse_place(key));
        let due = places.take_while(|(at, _, _)| *at <= now);
        let due = due.map(|(_, case, number)| (case, number));
        let held = self.desk.due(now, DUE_BATCH);
        let mut moved = Vec::from_iter(self.release_rates(now)?);
        self.fire_starts(now, &mut moved)?;
        let held = held.iter().map(|(case, number)| (&**case, *number));
        let all: Vec<(&str, u64)> = due.chain(held.clone()).collect();
        let mut batch = self.batch(all.iter().map(|(case, _)| *case));
        let mut fired = BTreeSet::new();
        let fire = || -> Result<()> {
            for (case, number) in all {
                if let Some(done) = self.fire(&mut batch, case, number)? {
                    moved.push(done);
                    fired.insert((case, number));
                }
            }
            Ok(())
        };
        let done = fire();
        batch.settled(done)?;
        for (case, number) in held.filter(|place| !fired.contains(place)) {
            // The claim is of something that is not there any more.
            self.desk.give_up(case, number, now);
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
        let fired = batch.or_fail(case, wanted.clone(), fired, |machine, failure| match item {
            Some(number) => machine.fail(number, failure),
            None => machine.end_late(Some(failure)),
        });
        match fired {
            // Nor can its failure be stored, with what follows from that for who called it, say. The others go on.
            Err(Error::Store(e)) if e.is_about_input() => batch.step(case, wanted, |machine| {
                machine.put_off(item, machine.now.saturating_add(AGAIN));
                Ok(true)
            }),
            fired => fired,
        }
    }
}
