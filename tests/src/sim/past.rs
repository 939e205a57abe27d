//! The past of the simulated cases: new ones made of what they were, and all of them done again.

use std::collections::{BTreeMap, BTreeSet};

use statewright_flow::{CaseInfo, Error, EventKind, ForkOptions, Forked, HistoryEvent};
use statewright_log::Durability;

use super::Checked;
use super::cases::Seen;
use super::world::World;

/// Forks of a seed at most.
const FORKS: u64 = 3;

/// What of a history is the case's own: of a fork, what came after it was made.
pub(super) fn own(history: &[HistoryEvent]) -> &[HistoryEvent] {
    let forked = history
        .iter()
        .rposition(|e| e.kind == EventKind::CaseForked);
    history
        .get(forked.map_or(0, |at| at + 1)..)
        .unwrap_or_default()
}

/// What workers did for a case: not what a fork was given when it was made.
pub(super) fn started(history: &[HistoryEvent]) -> Vec<HistoryEvent> {
    let forked = history.iter().rfind(|e| e.kind == EventKind::CaseForked);
    let made = forked.map_or(0, |e| e.version);
    let since = history.iter().filter(|e| e.version > made);
    since.cloned().collect()
}

/// The items that had been started when a case was made of another one.
pub(super) fn forked(history: &[HistoryEvent]) -> BTreeSet<u64> {
    let before = history.len() - own(history).len();
    let events = history.iter().take(before);
    let started = events.filter(|e| e.kind == EventKind::Started);
    started.filter_map(|e| e.item).collect()
}

impl World {
    /// Somebody makes a new case of one as it was.
    pub(super) fn fork_case(&mut self) -> Checked {
        let from = self.pick(&self.ids(false));
        let Some(from) = from.filter(|_| self.cases.forks < FORKS) else {
            return self.advance_cases();
        };
        let flows = self.flows()?;
        let history = flows.history(&from, 0).unwrap_or_default();
        self.cases.flows = Some(flows);
        let at = self.random.below(history.len() as u64) as usize;
        let Some(event) = history.get(at) else {
            return Ok(());
        };
        self.cases.forks += 1;
        let id = format!("f{}", self.cases.forks);
        let options = ForkOptions {
            id: Some(id.clone()),
            results: self.random.below(2) == 0,
        };
        self.cases.mail.forked(&id, &from, event.version);
        let (seq, version) = (event.seq, event.version);
        let what = format!("fork {from} at {seq} as {id}");
        let made = self.call(&what, |flows| flows.fork(&from, seq, &options))?;
        let Some(made) = made else {
            return Ok(());
        };
        let flows = self.flows()?;
        let told = flows.history(&id, 0).unwrap_or_default();
        self.cases.flows = Some(flows);
        let then = self.cases.marks.get(&version).cloned().flatten();
        let checked = self.is_fork(&made, &history, &told, seq);
        let checked = checked.and_then(|()| match (then, options.results) {
            // One that took at once what was kept for its key is not any more.
            _ if own(&told).iter().any(|e| e.kind == EventKind::Signalled) => Ok(()),
            (Some(then), false) => self.is_as_then(&from, &then, &id),
            _ => Ok(()),
        });
        checked.map_err(|why| format!("{what}: {why}"))
    }

    /// A fork has the other's history up to there, and what it was given is told.
    fn is_fork(
        &self,
        made: &Forked,
        of: &[HistoryEvent],
        told: &[HistoryEvent],
        seq: u64,
    ) -> Checked {
        let same = |e: &HistoryEvent| (e.seq, e.at, e.kind, e.task.clone(), e.item);
        let before = |all: &[HistoryEvent]| -> Vec<_> {
            all.iter().take(made.at as usize).map(same).collect()
        };
        if made.at < seq || before(of) != before(told) || before(of).len() as u64 != made.at {
            return Err(format!("it has another history up to {}", made.at));
        }
        let given = own(told).iter().filter(|e| e.kind == EventKind::Completed);
        let given = given.count() as u64;
        if given != made.results {
            return Err(format!(
                "it was given {} results, and has {given}",
                made.results
            ));
        }
        Ok(())
    }

    /// It is as the other was then.
    fn is_as_then(&mut self, from: &str, then: &Seen, id: &str) -> Checked {
        let was = then.infos.iter().find(|info| info.id == from);
        let Some((was, now)) = was.zip(self.live(id)?) else {
            return Ok(());
        };
        let work = |info: &CaseInfo| -> BTreeMap<u64, String> {
            let items = info.items.iter();
            items.map(|i| (i.item, i.task.clone())).collect()
        };
        let state = |info: &CaseInfo| {
            let (data, marking) = (info.data.clone(), info.marking.clone());
            (info.status, info.version, data, marking, work(info))
        };
        if state(was) != state(&now) {
            return Err(format!("it is {now:?}, and the other was {was:?}"));
        }
        Ok(())
    }

    /// Every case that is done again, from what is recorded of it, comes out the same.
    pub(super) fn replay_all(&mut self, seen: &Seen) -> Checked {
        if self.durability == Durability::Memory {
            return Ok(());
        }
        for info in &seen.infos {
            let flows = self.flows()?;
            let replayed = flows.replay(&info.id, None);
            let history = flows.history(&info.id, 0).unwrap_or_default();
            self.cases.flows = Some(flows);
            match replayed {
                Ok(replayed) => {
                    if let Some(differs) = replayed.difference {
                        return Err(format!("case {} replays otherwise: {differs:?}", info.id));
                    }
                    let (done, expected) = (replayed.events, again(&history));
                    if done != expected {
                        let id = &info.id;
                        return Err(format!("of {expected} events of case {id}, {done} replay"));
                    }
                }
                Err(Error::Store(_)) if self.has_failed() => return Ok(()),
                Err(e) => return Err(format!("case {} cannot be replayed: {e}", info.id)),
            }
        }
        Ok(())
    }
}

/// How many events are done again: not those of commits that put the case where it is.
fn again(history: &[HistoryEvent]) -> u64 {
    let puts = [EventKind::CaseForked, EventKind::CaseMigrated];
    let put = history.iter().filter(|e| puts.contains(&e.kind));
    let put: BTreeSet<u64> = put.map(|e| e.version).collect();
    history.iter().filter(|e| !put.contains(&e.version)).count() as u64
}
