//! The end of the simulated cases: each comes to its end, or waits for a signal, and all of them can be done again.

use std::time::Duration;

use statewright_flow::{Error, Queue, Status};
use statewright_value::value;

use super::cases::Seen;
use super::world::World;
use super::{Checked, FaultKind, moves, past, turns};

/// Steps in which everything must have come to its end.
const DRAIN: u64 = 4_000;
/// How long each of them takes.
const DRAIN_ROUND: Duration = Duration::from_secs(600);

impl World {
    /// In the end, with a good disk, every case comes to its end, or waits for a signal: nothing was lost that would
    /// have moved it on, and nothing holds what it needs.
    pub(super) fn drain_cases(&mut self) -> Checked {
        if !self.cases.on || !self.trusted || self.judge.poisoned {
            return Ok(());
        }
        self.io.heal();
        self.pause_all()?;
        let all = Queue::Topics(self.topics());
        for _ in 0..DRAIN {
            // What was offered before the clock was set back waits behind all that is offered anew until the clock is
            // there again (`docs/FAULTS.md`); a flow may offer without end.
            self.clock.advance(DRAIN_ROUND);
            let Some(seen) = self.see()? else {
                return Ok(());
            };
            let mut moved = false;
            for info in seen.infos.iter().filter(|i| !i.status.is_final()) {
                let id = info.id.clone();
                if info.status == Status::Suspended {
                    let resumed = self.call("resume", |flows| flows.resume(&id))?;
                    moved |= resumed.is_some();
                }
                let fired = self.call("advance", |flows| flows.advance(&id))?;
                moved |= fired.flatten().is_some();
            }
            let claimed = self.call("claim", |flows| flows.claim(&all, "last", None, 1))?;
            for item in claimed.into_iter().flatten().filter_map(|c| c.item) {
                moved = true;
                let (result, token) = (value!({"again": false}), item.token);
                let done = self.call("complete", |flows| flows.complete(&token, &result))?;
                if done.is_none() {
                    return Err(format!("{} was refused at once", item.task));
                }
            }
            if moved {
                continue;
            }
            let flows = self.flows()?;
            let (now, due) = (flows.store().env().clock.now(), flows.next_due());
            self.cases.flows = Some(flows);
            let Some(due) = due.ok().flatten() else {
                self.cases.mail.check(&seen.infos, true)?;
                self.rates(&seen)?;
                self.all_ended(&seen)?;
                return self.replay_all(&seen);
            };
            self.clock.advance(due.saturating_since(now));
            self.fire_timers()?;
        }
        let seen = self.see()?.unwrap_or_default();
        Err(format!("cases do not end: {:?}", seen.infos))
    }

    /// Migrations; and rates, unless the clock was set back: they are kept by the clock that there is.
    fn rates(&mut self, seen: &Seen) -> Checked {
        let back = self.out.faults.contains_key(&FaultKind::ClockBack);
        let flows = self.flows()?;
        let histories = seen.infos.iter().map(|info| flows.history(&info.id, 0));
        let histories: Result<Vec<_>, Error> = histories.collect();
        let moves = moves::whole(&flows, &seen.infos);
        self.cases.flows = Some(flows);
        moves.unwrap_or(Ok(()))?;
        match histories {
            Ok(histories) if !back => {
                let own = |history: &Vec<_>| past::started(history);
                turns::rate(&histories.iter().map(own).collect::<Vec<_>>())
            }
            _ => Ok(()),
        }
    }

    fn all_ended(&self, seen: &Seen) -> Checked {
        for info in &seen.infos {
            let listens = info.items.iter().any(|i| i.state == "listening");
            // A host that got its work without a lease may be at it for ever.
            let ended = info.status.is_final() && info.items.is_empty();
            if !ended && !listens {
                let called = seen.infos.iter().any(|i| {
                    let waits = i.items.iter().any(|i| i.state == "listening");
                    i.parent.as_deref() == Some(&info.id) && waits
                });
                if !called {
                    return Err(format!("a case is stuck: {info:?}"));
                }
            }
        }
        Ok(())
    }
}
