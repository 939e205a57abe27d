//! What failed for one case alone and is put off: nobody else is to wait for it, and nobody is there to be told.
//!
//! A case that cannot be read, whose spec this version refuses, or whose next step is larger than a commit may be,
//! keeps no other from going on. What failed is left alone for a minute, then twice as long each time, up to ten
//! minutes. This is in memory: after a restart everything is tried once more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use statewright_log::Timestamp;

use super::token::parse_token;
use super::{Flows, Moved, Outcome};
use crate::error::{Error, Result};
use crate::failure::Failure;

/// What fails for the first time is tried again after this long,
const FIRST: Duration = Duration::from_secs(60);
/// and after this long at last.
const LONGEST: Duration = Duration::from_secs(600);

/// Which part of a case, or of what else there is, was put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What an earlier process left of it could not be taken up.
    TakeUp,
    /// Its automatic tasks.
    GoOn,
    /// An item, be it its time or a claim of it; 0 is the deadline of the case itself.
    Item(u64),
    /// What became of an item.
    Outcome(u64),
    /// Not of a case but a flow: its schedule.
    Schedule,
    /// Not of a case but a key of a lane: its rate.
    Rate,
}

/// Something that failed for one case alone, and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOff {
    /// The case; the flow, if it is its schedule.
    pub of: String,
    /// The work item, if it is one.
    pub item: Option<u64>,
    /// Why it failed the last time.
    pub why: String,
    /// When it failed first.
    pub since: Timestamp,
    /// When it is tried again; if that is over, as soon as somebody asks for it.
    pub until: Timestamp,
}

#[derive(Debug)]
struct Aside {
    why: String,
    since: Timestamp,
    until: Timestamp,
    delay: Duration,
    asleep: bool,
    outcome: Option<Outcome>,
}

#[derive(Debug, Default)]
pub(super) struct Asides {
    all: Mutex<BTreeMap<String, BTreeMap<Part, Aside>>>,
    /// How many there are: mostly none.
    count: AtomicUsize,
}

impl Asides {
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// How many keys more than it wants somebody must read who reads past what is put off, and wants to do so at once.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Puts something off, for longer than the last time; gives until when.
    fn put(
        &self,
        (of, part): (&str, Part),
        why: String,
        now: Timestamp,
        outcome: Option<Outcome>,
    ) -> Timestamp {
        let mut all = self.all.lock();
        let before = all.get(of).and_then(|parts| parts.get(&part));
        let delay = before.map_or(FIRST, |b| b.delay.saturating_mul(2).min(LONGEST));
        let until = now.saturating_add(delay);
        let aside = Aside {
            why,
            since: before.map_or(now, |b| b.since),
            until,
            delay,
            asleep: true,
            outcome,
        };
        if before.is_none() {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        all.entry(of.to_owned()).or_default().insert(part, aside);
        until
    }

    /// Puts something off if this error is of its case alone.
    pub fn failed(&self, of: &str, part: Part, error: &Error, now: Timestamp) {
        if error.is_of_one_case() {
            self.put((of, part), error.to_string(), now, None);
        }
    }

    /// It has not failed this time, or is not there any more.
    pub fn clear(&self, of: &str, part: Part) {
        if self.is_empty() {
            return;
        }
        let mut all = self.all.lock();
        if let Some(parts) = all.get_mut(of)
            && parts.remove(&part).is_some()
        {
            self.count.fetch_sub(1, Ordering::AcqRel);
            if parts.is_empty() {
                all.remove(of);
            }
        }
    }

    /// Whether it is to be left alone now.
    pub fn is_asleep(&self, of: &str, part: Part) -> bool {
        if self.is_empty() {
            return false;
        }
        let all = self.all.lock();
        let aside = all.get(of).and_then(|parts| parts.get(&part));
        aside.is_some_and(|aside| aside.asleep)
    }

    /// Whether an offered item is to be left alone: what an earlier process had of its case is given back first.
    pub fn keeps(&self, case: &str, number: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        let all = self.all.lock();
        let Some(parts) = all.get(case) else {
            return false;
        };
        let item = parts.get(&Part::Item(number));
        item.is_some_and(|item| item.asleep) || parts.contains_key(&Part::TakeUp)
    }

    /// When the next of them is to be tried again. O(put off).
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.is_empty() {
            return None;
        }
        let all = self.all.lock();
        let asleep = all.values().flat_map(BTreeMap::values).filter(|a| a.asleep);
        asleep.map(|aside| aside.until).min()
    }

    /// Those that are to be tried again now. They are known until they succeed, or nobody has asked for long.
    fn wake(&self, now: Timestamp) -> Vec<(String, Part, Option<Outcome>)> {
        let mut woken = Vec::new();
        if self.is_empty() {
            return woken;
        }
        let (mut all, mut gone) = (self.all.lock(), 0);
        all.retain(|of, parts| {
            parts.retain(|part, aside| {
                if aside.asleep && aside.until <= now {
                    aside.asleep = false;
                    woken.push((of.clone(), *part, aside.outcome.take()));
                }
                let kept = aside.asleep || now.saturating_since(aside.until) <= LONGEST;
                gone += usize::from(!kept);
                kept
            });
            !parts.is_empty()
        });
        self.count.fetch_sub(gone, Ordering::AcqRel);
        woken
    }

    /// All of a case, or all there are.
    pub fn list(&self, case: Option<&str>) -> Vec<PutOff> {
        let all = self.all.lock();
        let wanted = all
            .iter()
            .filter(|(of, _)| case.is_none_or(|case| case == **of));
        let each = wanted.flat_map(|(of, parts)| parts.iter().map(move |part| (of, part)));
        let told = each.map(|(of, (part, aside))| PutOff {
            of: of.clone(),
            item: match part {
                Part::Item(number) | Part::Outcome(number) => Some(*number).filter(|n| *n != 0),
                _ => None,
            },
            why: aside.why.clone(),
            since: aside.since,
            until: aside.until,
        });
        told.collect()
    }
}

impl Flows {
    /// What failed for one case alone (it cannot be read, this version refuses its spec, its next step is larger than a
    /// commit may be), and is tried again after a while: by the case's id, or the flow's whose schedule it is. Empty if
    /// all goes well. In memory: after a restart everything is tried at once. O(put off).
    pub fn put_off(&self) -> Vec<PutOff> {
        self.asides.list(None)
    }

    /// Puts off what failed for one case alone, and gives until when; any other error is given back.
    pub(super) fn put_aside(&self, of: &str, part: Part, error: Error) -> Result<Timestamp> {
        match error.is_of_one_case() {
            true => Ok(self
                .asides
                .put((of, part), error.to_string(), self.now(), None)),
            false => Err(error),
        }
    }

    /// Gives a claimed item's result, or why it failed, for whom nobody is there who could be told that this is
    /// refused: a result that comes too late is dropped, one that cannot be stored fails the task, and what fails for
    /// this case alone is [put off](Flows::put_off).
    ///
    /// # Errors
    /// What concerns the store.
    pub fn settle(&self, mut outcome: Outcome) -> Result<Option<Moved>> {
        let (case, number, _) = parse_token(&outcome.token)?;
        let place = (case.to_owned(), Part::Outcome(number));
        if let Ok(result) = &outcome.result {
            match self.complete(&outcome.token, result) {
                Err(Error::Store(e)) if e.is_about_input() => {
                    let why = format!("the result cannot be stored: {e}");
                    outcome.result = Err(Failure::new("output", why).for_good());
                }
                done => return self.settled(done, place, outcome),
            }
        }
        let failed = match &outcome.result {
            Err(failure) => self.fail(&outcome.token, failure),
            Ok(_) => return Ok(None),
        };
        self.settled(failed, place, outcome)
    }

    fn settled(
        &self,
        done: Result<Moved>,
        (case, part): (String, Part),
        outcome: Outcome,
    ) -> Result<Option<Moved>> {
        let settled = match done {
            Ok(moved) => Some(moved),
            Err(Error::StaleItem { .. }) => None,
            Err(e) if e.is_of_one_case() => {
                let place = (&*case, part);
                self.asides
                    .put(place, e.to_string(), self.now(), Some(outcome));
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        self.asides.clear(&case, part);
        Ok(settled)
    }

    /// Takes up cases that an earlier process left: offers again what its process workers had taken, and fires what is
    /// enabled. What fails for a case alone is [put off](Flows::put_off). Gives what moved.
    ///
    /// # Errors
    /// What concerns the store.
    pub fn take_up(&self, cases: &[impl AsRef<str>]) -> Result<Vec<Moved>> {
        let (mut moved, mut ready) = (Vec::new(), Vec::with_capacity(cases.len()));
        for case in cases.iter().map(AsRef::as_ref) {
            match self.release(case) {
                Ok(released) => {
                    self.asides.clear(case, Part::TakeUp);
                    moved.extend(released);
                    ready.push(case);
                }
                Err(e) => {
                    self.put_aside(case, Part::TakeUp, e)?;
                }
            }
        }
        let fired = self.advance_each(&ready)?;
        for fired in fired {
            match fired {
                Ok(fired) => moved.extend(fired),
                // It is put off.
                Err(e) if e.is_of_one_case() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(moved)
    }

    /// Tries again what was put off until now; of what somebody else tries, tells that it can be tried.
    pub(super) fn try_again(&self, now: Timestamp, moved: &mut Vec<Moved>) -> Result<()> {
        let mut offered = false;
        for (of, part, outcome) in self.asides.wake(now) {
            match part {
                Part::TakeUp => moved.extend(self.take_up(&[of])?),
                Part::GoOn => moved.push(Moved {
                    more: true,
                    ..Moved::nothing(&of)
                }),
                Part::Outcome(_) => {
                    if let Some(outcome) = outcome {
                        moved.extend(self.settle(outcome)?);
                    }
                }
                Part::Item(_) => offered = true,
                Part::Schedule | Part::Rate => {}
            }
        }
        if offered {
            // Whatever kind of work it is, and of whichever topic.
            moved.push(Moved {
                process_offered: true,
                topics_offered: vec![String::new()],
                ..Moved::nothing("")
            });
        }
        Ok(())
    }
}
