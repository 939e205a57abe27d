//! Cases of flows in the simulated world, beside the clients of the store.
//!
//! Every call of the flows is one or more commits that the model of the store knows nothing of; what they made of the
//! cases is noted by version. After every opening the cases must be as they were at the version that is there, and
//! after every call they must be where the token game ([`super::net`]) can be. Workers are slow, answer twice, answer
//! late or never, and cases are suspended, resumed, cancelled and sent signals at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use statewright_flow::{CaseFilter, CaseInfo, Delivery, Error, Failure, Flows, Queue, Status};
use statewright_log::Durability;
use statewright_value::{Value, value};

use super::laws::{self, Laws};
use super::net::{self, Game};
use super::turns::{self, Mail, Turns};
use super::world::World;
use super::{Checked, FaultKind};
use crate::check::Level;

/// Cases of a seed at most.
const MOST: u64 = 5;
/// Steps in which everything must have come to its end.
const DRAIN: u64 = 4_000;
/// How long each of them takes.
const DRAIN_ROUND: Duration = Duration::from_secs(600);
/// Errors with which a call of the flows says that it is not the moment for it.
const REFUSED: [i32; 7] = [501, 502, 503, 504, 506, 507, 512];

/// The cases at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    infos: Vec<CaseInfo>,
    /// The history of each, but only its length: what is in it never changes.
    events: Vec<usize>,
}

/// A claim that somebody got.
#[derive(Clone, Debug)]
struct Claim {
    token: String,
    case: String,
    item: u64,
    task: String,
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
    games: Vec<Game>,
    laws: Laws,
    turns: Turns,
    mail: Mail,
    /// What the cases were at a version; none where that cannot be told, between the commits of one call.
    marks: BTreeMap<u64, Option<Seen>>,
    claims: Vec<Claim>,
    /// Accepted completions: the key of the work, and the version.
    done: BTreeMap<String, u64>,
    started: u64,
}

impl Cases {
    /// Those of a seed; of every seed if they are all there is, and then perhaps of `flows` alone.
    pub(super) fn new(seed: u64, flows: Option<&[&str]>) -> Cases {
        let on = flows.is_some() || seed % 3 != 1;
        let games = match on {
            true => net::games(seed, flows.unwrap_or_default()),
            false => Vec::new(),
        };
        Cases {
            on,
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
        match self.random.below(22) {
            0 => self.start_case(),
            1..=6 => self.advance_cases(),
            7..=10 => self.claim_work(),
            11..=15 => self.answer(),
            16..=18 => self.fire_timers(),
            19 => self.heartbeat(),
            _ => self.meddle(),
        }
    }

    fn flows(&mut self) -> Checked<Flows> {
        if self.cases.flows.is_none() {
            self.cases.flows = Some(Flows::new(self.store()?.clone()));
        }
        let flows = self.cases.flows.take();
        flows.ok_or_else(|| "there are no flows".into())
    }

    /// Calls the flows, and checks what came of it. None if they refused; then nothing may have changed.
    fn call<T>(
        &mut self,
        what: &str,
        does: impl FnOnce(&Flows) -> Result<T, Error>,
    ) -> Checked<Option<T>> {
        let flows = self.flows()?;
        let before = self.store()?.snapshot().version();
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
            Ok(done) => Ok(done),
            Err(e) if REFUSED.contains(&e.code()) => Err(e),
            Err(Error::Store(e)) => {
                let record = self.record(usize::MAX, Level::Serializable, after);
                // Something of it may be there after all, and may not.
                self.settle(record, Vec::new(), Err(e), Durability::Memory)?;
                for version in after + 1..=self.judge.newest() {
                    self.cases.marks.insert(version, None);
                }
                return Ok(None);
            }
            Err(_) if self.has_failed() => return Ok(None),
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

    /// What is written of the cases now; none if they cannot be read, for a good reason.
    fn see(&mut self) -> Checked<Option<Seen>> {
        let flows = self.flows()?;
        self.cases.flows = Some(flows);
        if self.cases.observer.is_none() {
            self.cases.observer = Some(Flows::new(self.store()?.clone()));
        }
        match self.cases.observer.as_ref().map(see).transpose() {
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
            let Some(game) = self.cases.games.iter().find(|g| g.name == info.flow) else {
                continue;
            };
            let new = history.get(old..).unwrap_or_default();
            let was = was.and_then(|w| before.infos.get(w));
            game.check(was, info, new, known)
                .map_err(|why| format!("after {what}, case {}: {why}", info.id))?;
        }
        let checked = laws::called(&now.infos);
        let checked = checked.and_then(|()| self.cases.mail.check(&now.infos, false));
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
        if !self.cases.on || !self.trusted {
            return Ok(());
        }
        let Some((_, Some(before))) = self.cases.marks.last_key_value() else {
            return Ok(());
        };
        let before = before.clone();
        match self.see()? {
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
        let at = self.random.below(self.cases.games.len() as u64) as usize;
        let Some(game) = self.cases.games.get(at) else {
            return Ok(());
        };
        let (name, spec) = (game.name.clone(), game.spec.clone());
        self.call("deploy", |flows| flows.deploy(&spec, None))?;
        let id = format!("c{}", self.cases.started);
        self.cases.started += 1;
        let input = value!({"x": (self.random.below(4))});
        self.call(&format!("start {name}"), |flows| {
            flows.start(&name, &input, Some(&id))
        })?;
        Ok(())
    }

    /// The ids of the cases that were last seen.
    fn ids(&self, open: bool) -> Vec<String> {
        let last = self.cases.marks.values().rev().flatten().next();
        let infos = last.map_or(&[][..], |seen| seen.infos.as_slice());
        let wanted = infos.iter().filter(|i| !open || !i.status.is_final());
        wanted.map(|i| i.id.clone()).collect()
    }

    fn pick(&self, from: &[String]) -> Option<String> {
        let at = self.random.below((from.len() as u64).max(1)) as usize;
        from.get(at).cloned()
    }

    fn advance_cases(&mut self) -> Checked {
        let Some(case) = self.pick(&self.ids(true)) else {
            return self.start_case();
        };
        self.call(&format!("advance {case}"), |flows| flows.advance(&case))?;
        Ok(())
    }

    fn claim_work(&mut self) -> Checked {
        let topics: BTreeSet<String> = self.cases.games.iter().flat_map(Game::topics).collect();
        let topics: Vec<String> = topics.into_iter().collect();
        let Some(topic) = self.pick(&topics) else {
            return Ok(());
        };
        let queue = Queue::Topics(vec![topic.clone()]);
        let lease = Duration::from_secs(60 + self.random.below(7200));
        let worker = format!("w{}", self.random.below(3));
        let claimed = self.call(&format!("claim {topic}"), |flows| {
            flows.claim(&queue, &worker, Some(lease), 1)
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
                let checked = game.check(None, &info, &[], false);
                checked.map_err(|why| format!("after a claim, case {id}: {why}"))?;
            }
        }
        Ok(())
    }

    /// A case as whoever works with it sees it.
    fn live(&mut self, case: &str) -> Checked<Option<CaseInfo>> {
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
        let info = self.live(&claim.case)?;
        let item = info.and_then(|i| i.items.into_iter().find(|i| i.item == claim.item));
        let held = item.as_ref().map(|item| match item.state {
            "leased" => self.cases.owns(&claim, item.attempt, self.epoch),
            // A claim that was not written is good as long as nobody else has one.
            "offered" if claim.attempt == item.attempt + 1 => None,
            _ => Some(false),
        });
        // What cannot be told may come out either way.
        let good = held.unwrap_or(Some(false));
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

    fn result_of(&self, task: &str) -> Value {
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

    fn fire_timers(&mut self) -> Checked {
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
        for round in 0..5 {
            let Some(fired) = self.call("timers", Flows::fire_due)? else {
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
                _ => return Ok(()),
            }
        }
        Err(format!("a timer of {left:?} did not fire at {now}"))
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
        let value = Value::from(number);
        let mail = &mut self.cases.mail;
        mail.accepted(&to, self.judge.newest() + 1, number);
        let sent = self.call(&format!("signal {number} to {to}"), |flows| match case {
            Some(case) => flows.signal(case, "go", &value).map(|sent| sent.0),
            None => flows.signal_key("paid", &key, &value).map(|sent| sent.0),
        })?;
        match sent {
            Some(Delivery::Taken { .. } | Delivery::Kept) => {}
            None if self.judge.poisoned => self.cases.mail.unsure(),
            _ => self.cases.mail.refused(&to, number),
        }
        Ok(())
    }

    /// In the end, with a good disk, every case comes to its end, or waits for a signal: nothing was lost that would
    /// have moved it on, and nothing holds what it needs.
    pub(super) fn drain_cases(&mut self) -> Checked {
        if !self.cases.on || !self.trusted || self.judge.poisoned {
            return Ok(());
        }
        self.io.heal();
        let topics: BTreeSet<String> = self.cases.games.iter().flat_map(Game::topics).collect();
        let all = Queue::Topics(topics.into_iter().collect());
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
                return self.all_ended(&seen);
            };
            self.clock.advance(due.saturating_since(now));
            self.fire_timers()?;
        }
        let seen = self.see()?.unwrap_or_default();
        Err(format!("cases do not end: {:?}", seen.infos))
    }

    /// Rates, unless the clock was set back: they are kept by the clock that there is.
    fn rates(&mut self, seen: &Seen) -> Checked {
        let back = self.out.faults.contains_key(&FaultKind::ClockBack);
        let flows = self.flows()?;
        let histories = seen.infos.iter().map(|info| flows.history(&info.id, 0));
        let histories: Result<Vec<_>, Error> = histories.collect();
        self.cases.flows = Some(flows);
        match histories {
            Ok(histories) if !back => turns::rate(&histories),
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

fn see(flows: &Flows) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    for info in flows.cases(&CaseFilter::default())? {
        seen.events.push(flows.history(&info.id, 0)?.len());
        seen.infos.push(info);
    }
    Ok(seen)
}
