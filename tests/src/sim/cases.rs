//! Cases of flows in the simulated world, beside the clients of the store.
//!
//! Every call of the flows is one or more commits that the model of the store knows nothing of; what they made of the
//! cases is noted by version. After every opening the cases must be as they were at the version that is there, and
//! after every call they must be where the token game ([`super::net`]) can be. Workers are slow, answer twice, answer
//! late or never, and cases are suspended, resumed, cancelled and sent signals at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use statewright_flow::{
    CaseFilter, CaseInfo, Delivery, Error, Failure, Flows, Queue, ScheduleInfo,
};
use statewright_log::{Durability, Timestamp};
use statewright_store::{Error as StoreError, Space};
use statewright_value::{Value, value};

use super::Checked;
use super::laws::{self, Laws};
use super::net::{self, Game};
use super::past;
use super::starts::Starts;
use super::turns::{Mail, Turns};
use super::world::World;
use crate::check::Level;

/// Cases of a seed at most.
pub(super) const MOST: u64 = 6;
/// Timers that one call may have on their way to the disk at once.
const TIMERS: u64 = 64;
/// Errors with which a call of the flows says that it is not the moment for it.
pub(super) const REFUSED: [i32; 7] = [501, 502, 503, 504, 506, 507, 512];

/// The cases at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) infos: Vec<CaseInfo>,
    /// The history of each, but only its length: what is in it never changes.
    events: Vec<usize>,
    schedules: Vec<ScheduleInfo>,
}

/// A claim that somebody got.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) token: String,
    pub(super) case: String,
    pub(super) item: u64,
    pub(super) task: String,
    attempt: u32,
    /// The opening of the store in which it was made.
    epoch: u64,
}

/// All that is known of the flows of a world.
#[derive(Default)]
pub(super) struct Cases {
    /// Whether this seed has any.
    pub(super) on: bool,
    pub(super) flows: Option<Flows>,
    /// Looks only, and so does not know of the claims that are not written.
    pub(super) observer: Option<Flows>,
    pub(super) games: Vec<Game>,
    laws: Laws,
    turns: Turns,
    pub(super) mail: Mail,
    starts: Starts,
    /// What the cases were at a version; none where that cannot be told, between the commits of one call.
    pub(super) marks: BTreeMap<u64, Option<Seen>>,
    pub(super) claims: Vec<Claim>,
    /// Accepted completions: the key of the work, and the version.
    pub(super) done: BTreeMap<String, u64>,
    pub(super) started: u64,
    pub(super) forks: u64,
    /// Topics of all of them.
    topics: Vec<String>,
}

impl Cases {
    /// Those of a seed; of every seed if they are all there is, and then perhaps of `flows` alone.
    pub(super) fn new(seed: u64, flows: Option<&[&str]>) -> Cases {
        let on = flows.is_some() || seed % 3 != 1;
        let games = match on {
            true => net::games(seed, flows.unwrap_or_default()),
            false => Vec::new(),
        };
        let topics: BTreeSet<String> = games.iter().flat_map(Game::topics).collect();
        Cases {
            on,
            topics: topics.into_iter().collect(),
            laws: net::laws(&games),
            games,
            ..Cases::default()
        }
    }

    /// Whether a claim is the one that its item is leased to; none if that cannot be told: claims that were not written
    /// are forgotten in a crash.
    fn owns(&self, claim: &Claim, attempt: u32, epoch: u64) -> Option<bool> {
        let same =
            |c: &&Claim| c.case == claim.case && c.item == claim.item && c.attempt == attempt;
        let last = self.claims.iter().rfind(same)?;
        let only = self.claims.iter().filter(same).count() == 1;
        (only || last.epoch == epoch).then_some(last.token == claim.token)
    }
}

impl World {
    /// One step of somebody who works with flows.
    pub(super) fn flow_step(&mut self) -> Checked {
        match self.random.below(32) {
            0 => self.start_case(),
            1..=6 => self.advance_cases(),
            7 => self.advance_many(),
            8..=11 => self.claim_work(),
            12 => self.claim_many(),
            13..=16 => self.answer(),
            17..=18 => self.deliver(),
            19..=23 => self.fire_timers(),
            24 => self.heartbeat(),
            25 => self.start_many(),
            26 => self.move_cases(),
            27 => self.fork_case(),
            28 => self.pause(),
            _ => self.meddle(),
        }
    }

    pub(super) fn flows(&mut self) -> Checked<Flows> {
        if self.cases.flows.is_none() {
            self.cases.flows = Some(Flows::new(self.store()?.clone()));
        }
        let flows = self.cases.flows.take();
        flows.ok_or_else(|| "there are no flows".into())
    }

    /// Calls the flows, and checks what came of it. None if they refused; then nothing may have changed.
    pub(super) fn call<T>(
        &mut self,
        what: &str,
        does: impl FnOnce(&Flows) -> Result<T, Error>,
    ) -> Checked<Option<T>> {
        self.call_many(what, 1, does)
    }

    /// The same, of something that has up to so many commits on the way at once.
    pub(super) fn call_many<T>(
        &mut self,
        what: &str,
        most: u64,
        does: impl FnOnce(&Flows) -> Result<T, Error>,
    ) -> Checked<Option<T>> {
        let flows = self.flows()?;
        let before = self.store()?.snapshot().version();
        let poisoned = self.judge.poisoned;
        let result = does(&flows);
        self.cases.flows = Some(flows);
        let after = self.store()?.snapshot().version();
        let code = result.as_ref().map_or_else(Error::code, |_| 0);
        self.say(|| format!("flows: {what}: {code}, {} commits", after - before));
        self.note(after ^ (code as u64) << 32);
        for version in before + 1..=after {
            self.cases.marks.insert(version, None);
            let record = self.record(usize::MAX, Level::Serializable, version - 1);
            self.settle(record, Vec::new(), Ok(version), Durability::Memory)?;
        }
        let refused = match result {
            // What was claimed before an error is given, and the error with the next call.
            Ok(done) if !poisoned && self.store()?.stats().log.failed.is_some() => {
                return match self.store()?.kv_put(&Space::default(), b"after", value!(1)) {
                    Ok(_) => Err("what failed works again".into()),
                    Err(e) => self.doubt(e, after, most).map(|()| Some(done)),
                };
            }
            Ok(done) => Ok(done),
            Err(e) if REFUSED.contains(&e.code()) => Err(e),
            Err(Error::Store(e)) => {
                let most = if poisoned { 1 } else { most };
                return self.doubt(e, after, most).map(|()| None);
            }
            Err(_) if self.has_failed() || !self.trusted => return Ok(None),
            Err(e) => return Err(format!("{what} failed: {e}")),
        };
        if refused.is_err() && after > before {
            return Err(format!("{what} was refused, and changed something"));
        }
        if after > before {
            self.look_at_cases(what, after, after == before + 1)?;
        }
        Ok(refused.ok())
    }

    /// Of what failed after a version, something may be there after all, up to so many commits, and may not.
    fn doubt(&mut self, error: StoreError, after: u64, most: u64) -> Checked {
        let record = self.record(usize::MAX, Level::Serializable, after);
        self.settle(record, Vec::new(), Err(error), Durability::Memory)?;
        self.judge.unsure_of(most)?;
        for version in after + 1..=self.judge.newest() {
            self.cases.marks.insert(version, None);
        }
        Ok(())
    }

    /// What is written of the cases now; none if they cannot be read, for a good reason.
    pub(super) fn see(&mut self) -> Checked<Option<Seen>> {
        self.read(false)
    }

    /// The same; `again` if nothing of what is known is to be relied on.
    fn read(&mut self, again: bool) -> Checked<Option<Seen>> {
        let flows = self.flows()?;
        self.cases.flows = Some(flows);
        if self.cases.observer.is_none() {
            self.cases.observer = Some(Flows::new(self.store()?.clone()));
        }
        let before = match again {
            true => None,
            false => self.cases.marks.values().rev().flatten().next(),
        };
        let look = |flows| see(flows, before);
        match self.cases.observer.as_ref().map(look).transpose() {
            Ok(seen) => Ok(seen),
            Err(_) if self.has_failed() || !self.trusted => Ok(None),
            Err(e) => Err(format!("the cases cannot be read: {e}")),
        }
    }

    /// Notes what the cases are at a version, and that they can be so after what they were before.
    fn look_at_cases(&mut self, what: &str, version: u64, single: bool) -> Checked {
        let Some(now) = self.see()? else {
            return Ok(());
        };
        let earlier = self.cases.marks.range(..version).next_back();
        let before = earlier.and_then(|(_, seen)| seen.clone());
        let known = single && (before.is_some() || earlier.is_none());
        for (at, info) in now.infos.iter().enumerate() {
            let events = now.events.get(at).copied().unwrap_or(0);
            self.note(events as u64);
            let before = before.clone().unwrap_or_default();
            let was = before.infos.iter().position(|b| b.id == info.id);
            if was.and_then(|w| before.infos.get(w)) == Some(info) {
                continue;
            }
            let old = was.and_then(|w| before.events.get(w)).copied().unwrap_or(0);
            let flows = self.flows()?;
            let history = flows.history(&info.id, 0);
            self.cases.flows = Some(flows);
            let Ok(history) = history else {
                continue;
            };
            let checked = self.cases.laws.check(info, &history);
            checked.map_err(|why| format!("after {what}, case {}: {why}", info.id))?;
            self.cases.turns.note(&info.id, &history);
            self.cases.mail.note(info, &history);
            let Some(game) = self.cases.games.iter().find(|g| g.name == info.flow) else {
                continue;
            };
            let new = history.get(old..).unwrap_or_default();
            let was = was.and_then(|w| before.infos.get(w));
            let forked = past::forked(&history);
            game.check(was, info, new, (known, &forked))
                .map_err(|why| format!("after {what}, case {}: {why}", info.id))?;
        }
        let checked = laws::called(&now.infos);
        let checked = checked.and_then(|()| self.cases.mail.check(&now.infos, false));
        let checked = checked.and_then(|()| self.cases.starts.look(&now.schedules, &now.infos));
        let before = before.as_ref().map(|seen| seen.infos.as_slice());
        let (turns, polled) = (&mut self.cases.turns, what.starts_with("claim"));
        let checked =
            checked.and_then(|()| turns.look((version, single, polled), before, &now.infos));
        checked.map_err(|why| format!("after {what}: {why}"))?;
        self.cases.marks.insert(version, Some(now));
        Ok(())
    }

    /// The store was opened at a version: the cases are what they were then.
    pub(super) fn cases_recovered(&mut self, found: u64) -> Checked {
        self.cases.flows = None;
        self.cases.observer = None;
        self.cases.marks.retain(|version, _| *version <= found);
        self.cases.done.retain(|_, version| *version <= found);
        self.cases.turns.recovered(found);
        self.cases.mail.recovered(found);
        let last = self
            .cases
            .marks
            .values()
            .next_back()
            .and_then(Option::as_ref);
        let schedules = last.map_or(&[][..], |seen| &seen.schedules);
        self.cases.starts.recovered(schedules);
        if !self.cases.on || !self.trusted {
            return Ok(());
        }
        let Some((_, Some(before))) = self.cases.marks.last_key_value() else {
            return Ok(());
        };
        let before = before.clone();
        match self.read(true)? {
            Some(now) if now != before => {
                let differs = |(a, b): &(&CaseInfo, &CaseInfo)| a != b;
                let pair = now.infos.iter().zip(&before.infos).find(differs);
                Err(format!(
                    "at version {found} a case is not what it was: {:?} cases, then {}; {pair:?}",
                    before.infos.len(),
                    now.infos.len()
                ))
            }
            _ => Ok(()),
        }
    }

    fn start_case(&mut self) -> Checked {
        if self.cases.started >= MOST {
            return Ok(());
        }
        let Some(name) = self.deploy_some()? else {
            return Ok(());
        };
        let id = format!("c{}", self.cases.started);
        self.cases.started += 1;
        let input = value!({"x": (self.random.below(4))});
        self.call(&format!("start {name}"), |flows| {
            flows.start(&name, &input, Some(&id))
        })?;
        Ok(())
    }

    /// The cases that were last seen.
    pub(super) fn last(&self) -> impl Iterator<Item = &CaseInfo> {
        let last = self.cases.marks.values().rev().flatten().next();
        last.into_iter().flat_map(|seen| &seen.infos)
    }

    /// The ids of the cases that were last seen.
    pub(super) fn ids(&self, open: bool) -> Vec<String> {
        let wanted = self.last().filter(|i| !open || !i.status.is_final());
        wanted.map(|i| i.id.clone()).collect()
    }

    pub(super) fn pick(&self, from: &[String]) -> Option<String> {
        let at = self.random.below((from.len() as u64).max(1)) as usize;
        from.get(at).cloned()
    }

    pub(super) fn advance_cases(&mut self) -> Checked {
        let Some(case) = self.pick(&self.ids(true)) else {
            return self.start_case();
        };
        self.call(&format!("advance {case}"), |flows| flows.advance(&case))?;
        Ok(())
    }

    /// What there is to be polled for.
    pub(super) fn topics(&self) -> Vec<String> {
        self.cases.topics.clone()
    }

    /// Whether this seed has a flow.
    pub(super) fn has_game(&self, name: &str) -> bool {
        self.cases.games.iter().any(|game| game.name == name)
    }

    pub(super) fn claim_work(&mut self) -> Checked {
        let Some(topic) = self.pick(&self.cases.topics) else {
            return Ok(());
        };
        self.claim_from(&Queue::Topics(vec![topic]), 1)
    }

    /// A worker polls.
    pub(super) fn claim_from(&mut self, queue: &Queue, most: u64) -> Checked {
        let lease = Duration::from_secs(60 + self.random.below(7200));
        let worker = format!("w{}", self.random.below(3));
        let what = match queue {
            Queue::Topics(topics) => format!("claim {}", topics.first().map_or("", |t| t)),
            _ => "claim".to_owned(),
        };
        let claimed = self.call(&what, |flows| {
            flows.claim(queue, &worker, Some(lease), most as usize)
        })?;
        let mut cases = Vec::new();
        for item in claimed.into_iter().flatten().filter_map(|c| c.item) {
            cases.push(item.case.clone());
            self.cases.claims.push(Claim {
                token: item.token,
                case: item.case,
                item: item.item,
                task: item.task,
                attempt: item.attempt,
                epoch: self.epoch,
            });
        }
        // With the claims that are not written, too, what is offered is what can start.
        for id in cases {
            let Some(info) = self.live(&id)? else {
                continue;
            };
            if let Some(game) = self.cases.games.iter().find(|g| g.name == info.flow) {
                let flows = self.cases.flows.as_ref();
                let history = flows.and_then(|flows| flows.history(&id, 0).ok());
                let forked = past::forked(&history.unwrap_or_default());
                let checked = game.check(None, &info, &[], (false, &forked));
                checked.map_err(|why| format!("after a claim, case {id}: {why}"))?;
            }
        }
        Ok(())
    }

    /// A case as whoever works with it sees it.
    pub(super) fn live(&mut self, case: &str) -> Checked<Option<CaseInfo>> {
        let flows = self.flows()?;
        let info = flows.case(case);
        self.cases.flows = Some(flows);
        Ok(info.ok())
    }

    /// A worker answers: mostly for the first time, sometimes again, sometimes for what is not its any more.
    fn answer(&mut self) -> Checked {
        let count = self.cases.claims.len() as u64;
        // Rather one of the last; the others are done, or late.
        let back = self.random.below(count.clamp(1, 5)) + 1;
        let any = self.random.below(6) == 0;
        let at = if any {
            self.random.below(count.max(1))
        } else {
            count.saturating_sub(back)
        };
        let Some(claim) = self.cases.claims.get(at as usize).cloned() else {
            return self.claim_work();
        };
        let fails = self.random.below(8) == 0;
        let good = self.is_good(&claim)?;
        let result = self.result_of(&claim.task);
        let token = claim.token.clone();
        let poisoned = self.judge.poisoned;
        let what = format!(
            "{} {} of {}",
            if fails { "fail" } else { "complete" },
            claim.task,
            claim.case
        );
        let moved = self.call(&what, |flows| match fails {
            true => flows.fail(&token, &Failure::new("oops", "it was to be")),
            false => flows.complete(&token, &result),
        })?;
        if poisoned || self.judge.poisoned {
            return Ok(());
        }
        match moved {
            Some(_) if good == Some(false) => Err(format!("{what}: a stale token was accepted")),
            None if good == Some(true) && !self.has_failed() => {
                Err(format!("{what}: a good token was refused"))
            }
            Some(_) if !fails => {
                let key = format!("{}/{}", claim.case, claim.item);
                let version = self.judge.newest();
                match self.cases.done.insert(key, version) {
                    Some(_) => Err(format!("{what}: accepted twice")),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether what a claim gives must be accepted, or refused; none if it may come out either way.
    pub(super) fn is_good(&mut self, claim: &Claim) -> Checked<Option<bool>> {
        let info = self.live(&claim.case)?;
        let item = info.and_then(|i| i.items.into_iter().find(|i| i.item == claim.item));
        let held = item.as_ref().map(|item| match item.state {
            "leased" => self.cases.owns(claim, item.attempt, self.epoch),
            // A claim that was not written is good as long as nobody else has one.
            "offered" if claim.attempt == item.attempt + 1 => None,
            _ => Some(false),
        });
        Ok(held.unwrap_or(Some(false)))
    }

    pub(super) fn result_of(&self, task: &str) -> Value {
        match self.random.below(3) {
            0 => Value::NULL,
            1 => value!({"again": true, "task": task}),
            _ => value!({"again": false}),
        }
    }

    fn heartbeat(&mut self) -> Checked {
        let at = self.random.below((self.cases.claims.len() as u64).max(1)) as usize;
        let Some(claim) = self.cases.claims.get(at).cloned() else {
            return Ok(());
        };
        let lease = Duration::from_secs(self.random.below(3600));
        self.call("heartbeat", |flows| flows.heartbeat(&claim.token, lease))?;
        Ok(())
    }

    pub(super) fn fire_timers(&mut self) -> Checked {
        let flows = self.flows()?;
        let now = flows.store().env().clock.now();
        let due = flows.next_due();
        self.cases.flows = Some(flows);
        let Ok(due) = due else {
            return Ok(());
        };
        let is_due = due.is_some_and(|due| due <= now);
        let mut left = due;
        // A claim may be written by the timer of another, and is then found in the next round.
        for round in 0..9 {
            let Some(fired) = self.call_many("timers", TIMERS, Flows::fire_due)? else {
                return Ok(());
            };
            if round == 0 && !is_due && !fired.is_empty() {
                return Err("a timer fired before its time".into());
            }
            let flows = self.flows()?;
            let due = flows.next_due();
            self.cases.flows = Some(flows);
            match due {
                Ok(Some(due)) if due <= now && !self.judge.poisoned => left = Some(due),
                _ => return self.in_time(now),
            }
        }
        Err(format!("a timer of {left:?} did not fire at {now}"))
    }

    /// Nothing is over its deadline.
    fn in_time(&mut self, now: Timestamp) -> Checked {
        let last = self.cases.marks.values().next_back().cloned().flatten();
        let Some(seen) = last.filter(|_| !self.judge.poisoned) else {
            return Ok(());
        };
        let flows = self.flows()?;
        let laws = &self.cases.laws;
        let open = seen.infos.iter().filter(|i| laws.has_deadline(i));
        let late = open.filter_map(|info| {
            let history = flows.history(&info.id, 0).ok()?;
            let checked = laws.in_time(info, &history, now.as_micros());
            let why = checked.err()?;
            Some(format!("after all timers, case {}: {why}", info.id))
        });
        let late = late.reduce(|first, _| first);
        self.cases.flows = Some(flows);
        late.map_or(Ok(()), Err)
    }

    /// Somebody does something to a case from outside.
    fn meddle(&mut self) -> Checked {
        let Some(case) = self.pick(&self.ids(false)) else {
            return Ok(());
        };
        let tasks: Vec<String> = self.cases.games.iter().flat_map(|g| g.tasks()).collect();
        let task = self.pick(&tasks).unwrap_or_default();
        let which = self.random.below(24);
        let items = [value!(7), value!(8)];
        let what = match which {
            0..=5 => return self.send(Some(&case)),
            6 => "suspend",
            7..=10 => "resume",
            11 | 12 => "cancel-task",
            13 | 14 => "force",
            15 | 16 => "add",
            17 | 18 => "cancel",
            19 | 20 => "compensate",
            21 => "terminate",
            _ => return self.send(None),
        };
        self.call(&format!("{what} {task} {case}"), |flows| match what {
            "compensate" => flows.compensate(&case, "simulated").map(|_| ()),
            "suspend" => flows.suspend(&case).map(|_| ()),
            "resume" => flows.resume(&case).map(|_| ()),
            "cancel-task" => flows.cancel_task(&case, &task).map(|_| ()),
            "force" => flows.complete_task(&case, &task).map(|_| ()),
            "add" => flows.add_instances(&case, &task, &items).map(|_| ()),
            "cancel" => flows.cancel(&case, "simulated").map(|_| ()),
            _ => flows.terminate(&case, "simulated").map(|_| ()),
        })?;
        Ok(())
    }

    /// Sends a signal to a case, or to whoever waits for a key.
    fn send(&mut self, case: Option<&str>) -> Checked {
        let (key, number) = (self.random.below(4).to_string(), self.cases.mail.number());
        let to = case.map_or(format!("key {key}"), str::to_owned);
        let last = self
            .cases
            .marks
            .values()
            .next_back()
            .and_then(Option::as_ref);
        let asked = |i: &CaseInfo| i.flow == "asked" && Some(&*i.id) == case;
        let asked = last.is_some_and(|seen| seen.infos.iter().any(asked));
        // One that wants numbers is sent something else now and then.
        let other = asked && self.random.below(6) == 0;
        let value = match other {
            true => Value::from("other"),
            false => Value::from(number),
        };
        let mail = &mut self.cases.mail;
        mail.accepted(&to, self.judge.newest() + 1, number);
        let sent = self.call(&format!("signal {number} to {to}"), |flows| match case {
            Some(case) => flows.signal(case, "go", &value).map(|sent| sent.0),
            None => flows.signal_key("paid", &key, &value).map(|sent| sent.0),
        })?;
        match sent {
            Some(taken) if other => return Err(format!("a signal of other data is {taken:?}")),
            Some(Delivery::Taken { reply, .. })
                if asked && reply != Some(value!({"at": number})) =>
            {
                return Err(format!("signal {number} to {to} is answered {reply:?}"));
            }
            Some(Delivery::Taken { .. } | Delivery::Kept) => {}
            None if self.judge.poisoned => self.cases.mail.unsure(),
            _ => self.cases.mail.refused(&to, number),
        }
        Ok(())
    }
}

/// All cases and schedules; of histories, what came after what is known of them.
fn see(flows: &Flows, before: Option<&Seen>) -> Result<Seen, Error> {
    let mut seen = Seen {
        schedules: flows.schedules()?,
        ..Seen::default()
    };
    for info in flows.cases(&CaseFilter::default())? {
        let known = before.and_then(|before| {
            let at = before.infos.iter().position(|known| known.id == info.id)?;
            before.events.get(at).copied()
        });
        let known = known.unwrap_or(0);
        let more = flows.history(&info.id, known as u64)?.len();
        seen.events.push(known + more);
        seen.infos.push(info);
    }
    Ok(seen)
}
