//! The token game that the simulated cases must follow.
//!
//! The game is the slow one that the engine's own tests are compared with (`core/flow/tests/all/model`): it shares the
//! structure of the net with the engine and nothing else.

use std::collections::BTreeSet;

use statewright_flow::net::Net;
use statewright_flow::{CaseInfo, EventKind, HistoryEvent, ItemInfo, Status};

use statewright_log::sim::SimRandom;

use super::Checked;
use super::games::{CHANGES, MOST, OTHERS, PLAYED, THRESHOLDS};
use super::laws::Laws;

#[path = "../../../core/flow/tests/all/model/mod.rs"]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "a model for tests"
)]
mod model;

use model::{Tokens, successors};

/// Games of a seed.
const GAMES: usize = 4;

/// A flow that is simulated.
pub(super) struct Game {
    pub(super) name: String,
    /// The text of each version, from 1 on.
    pub(super) specs: Vec<String>,
    nets: Vec<Net>,
    played: bool,
}

/// Those of these names; if there are none, some that the seed says.
pub(super) fn games(seed: u64, names: &[&str]) -> Vec<Game> {
    let all = PLAYED.iter().map(|spec| (spec, true));
    let mut all: Vec<_> = all.chain(OTHERS.iter().map(|spec| (spec, false))).collect();
    let named = |spec: &str| names.iter().any(|n| name_of(spec) == *n);
    all.retain(|(spec, _)| names.is_empty() || named(spec));
    let random = SimRandom::new(seed ^ 0x6A3E5);
    while all.len() > GAMES {
        all.swap_remove(random.below(all.len() as u64) as usize);
    }
    let game = |(spec, played): (&&str, bool)| {
        let specs = versions(spec);
        Game {
            name: name_of(spec).to_owned(),
            nets: specs
                .iter()
                .filter_map(|s| Net::compile(s, None).ok())
                .collect(),
            specs,
            played,
        }
    };
    all.into_iter().map(game).collect()
}

fn name_of(spec: &str) -> &str {
    let first = spec.lines().next().unwrap_or_default();
    first.trim_start_matches("name: ")
}

/// A spec, and the next version of it if there is one.
fn versions(spec: &str) -> Vec<String> {
    let mut all = vec![spec.to_owned()];
    let changes = CHANGES.iter().find(|(name, _)| *name == name_of(spec));
    if let Some((_, changes)) = changes {
        let change = |text: String, (a, b): &(&str, &str)| text.replacen(a, b, 1);
        all.push(changes.iter().fold(spec.to_owned(), change));
    }
    all
}

/// The laws of all tasks of these.
pub(super) fn laws(games: &[Game]) -> Laws {
    let heads = games
        .iter()
        .flat_map(|g| g.nets.iter().map(|net| (&*g.name, net)));
    Laws::of(games.iter().flat_map(Game::nets), heads, &THRESHOLDS, &MOST)
}

impl Game {
    fn nets(&self) -> impl Iterator<Item = &Net> {
        let nets = self.nets.iter();
        nets.flat_map(|net| std::iter::once(net).chain(net.flows.values().map(|n| &**n)))
    }

    /// The net of a version.
    fn net(&self, version: u64) -> Checked<&Net> {
        let net = self.nets.iter().find(|net| net.version == version);
        net.ok_or_else(|| format!("there is no version {version} of {}", self.name))
    }

    /// The tasks of its nets.
    pub(super) fn tasks(&self) -> Vec<String> {
        let tasks = self.nets().flat_map(|net| &net.tasks);
        tasks.map(|task| task.name.to_string()).collect()
    }

    /// What its hosts do.
    pub(super) fn topics(&self) -> Vec<String> {
        self.tasks()
    }

    /// That a case can have come to where it is by the events since it was last looked at, and that just what the
    /// game allows next is offered. `forked` are the items that had been started when it was made of another one.
    pub(super) fn check(
        &self,
        was: Option<&CaseInfo>,
        now: &CaseInfo,
        events: &[HistoryEvent],
        (known, forked): (bool, &BTreeSet<u64>),
    ) -> Checked {
        if !self.played {
            return Ok(());
        }
        if now.status.is_final() && !now.items.is_empty() {
            return Err(format!(
                "it is {} and has work: {:?}",
                now.status, now.items
            ));
        }
        let played = [
            Status::Running,
            Status::Suspended,
            Status::Completed,
            Status::Deadlocked,
        ];
        if !played.contains(&now.status) {
            return Ok(());
        }
        let net = self.net(now.version)?;
        let found = tokens(net, now, forked)?;
        if known {
            let possible = self.play(was, now.version, events, forked)?;
            if !possible.is_empty() && !possible.contains(&found) {
                let events: Vec<String> = events.iter().map(describe).collect();
                return Err(format!(
                    "the tokens are {found:?}, but {} give {possible:?}",
                    events.join(", ")
                ));
            }
        }
        if now.status == Status::Running {
            offered(net, now, &found, forked)?;
        }
        Ok(())
    }

    /// Where a case can be after these events, over all versions that it was on meanwhile.
    fn play(
        &self,
        was: Option<&CaseInfo>,
        version: u64,
        events: &[HistoryEvent],
        forked: &BTreeSet<u64>,
    ) -> Checked<BTreeSet<Tokens>> {
        let mut rest = events;
        let first = rest.iter().find_map(|e| moved(e, "from"));
        let version = was.map_or(first.unwrap_or(version), |was| was.version);
        let mut net = self.net(version)?;
        let mut now = BTreeSet::from([match was {
            Some(was) => tokens(net, was, forked)?,
            None => Tokens::of(net.skeleton(), &net.skeleton().initial()),
        }]);
        let mut started = was.map_or_else(BTreeSet::new, |_| forked.clone());
        loop {
            let end = rest.iter().position(|e| moved(e, "to").is_some());
            let (before, after) = rest.split_at(end.unwrap_or(rest.len()));
            now = follow(net, now, before, &mut started)?;
            let Some((move_, after)) = after.split_first().filter(|_| !now.is_empty()) else {
                return Ok(now);
            };
            let next = self.net(moved(move_, "to").unwrap_or_default())?;
            let on_next = now.iter().map(|tokens| translated(net, next, tokens));
            now = on_next.collect::<Checked<_>>()?;
            (net, rest) = (next, after);
        }
    }
}

/// The version that a case was moved `from` or `to` by this event.
fn moved(event: &HistoryEvent, end: &str) -> Option<u64> {
    let moved = event.kind == EventKind::CaseMigrated;
    let of = event.detail.get(end).filter(|_| moved)?;
    of.get("version")?.as_u64()
}

/// The same tokens on another net, by names.
fn translated(from: &Net, to: &Net, tokens: &Tokens) -> Checked<Tokens> {
    let mut there = Tokens::default();
    for (place, n) in &tokens.places {
        let name = from.places.get(*place).map_or("", |p| &*p.name);
        let at = to.skeleton().place(name);
        let at = at.ok_or_else(|| format!("it was moved with a token on {name}"))?;
        there.places.insert(at, *n);
    }
    for (task, n) in &tokens.runs {
        let name = from.tasks.get(*task).map_or("", |t| &*t.name);
        let at = to.skeleton().task(name);
        let at = at.ok_or_else(|| format!("it was moved while {name} was at work"))?;
        there.runs.insert(at, *n);
    }
    Ok(there)
}

fn describe(event: &HistoryEvent) -> String {
    let task = event.task.as_deref().unwrap_or_default();
    format!("{} {task}", event.kind.name())
}

/// Whether an item is a firing that has taken its tokens.
fn runs(item: &ItemInfo, forked: &BTreeSet<u64>) -> bool {
    let states = ["leased", "backing_off", "running"];
    item.attempt > 0 || states.contains(&item.state) || forked.contains(&item.item)
}

fn tokens(net: &Net, info: &CaseInfo, forked: &BTreeSet<u64>) -> Checked<Tokens> {
    let skeleton = net.skeleton();
    let mut tokens = Tokens::default();
    for (place, n) in &info.marking {
        let at = skeleton
            .place(place)
            .ok_or_else(|| format!("there is no place {place}"))?;
        tokens.places.insert(at, *n);
    }
    for item in info.items.iter().filter(|item| runs(item, forked)) {
        let at = skeleton
            .task(&item.task)
            .ok_or_else(|| format!("there is no task {}", item.task))?;
        *tokens.runs.entry(at).or_default() += 1;
    }
    Ok(tokens)
}

/// Where the game can be after these events; nothing if it is too much for it.
fn follow(
    net: &Net,
    mut now: BTreeSet<Tokens>,
    events: &[HistoryEvent],
    started: &mut BTreeSet<u64>,
) -> Checked<BTreeSet<Tokens>> {
    let skeleton = net.skeleton();
    for event in events {
        let steps: &[bool] = match event.kind {
            // Of a fork, what had been started is started once more.
            EventKind::Started if !started.insert(event.item.unwrap_or_default()) => continue,
            EventKind::Started if event.attempt == Some(1) => &[true],
            EventKind::Completed => &[false],
            EventKind::Routed
            | EventKind::Fired
            | EventKind::Logged
            | EventKind::TimerFired
            | EventKind::Signalled => &[true, false],
            // Not a step of the game but of somebody outside, or its end, which a case that is suspended puts off.
            EventKind::TaskCancelled | EventKind::Failed => return Ok(BTreeSet::new()),
            _ => continue,
        };
        let task = event.task.as_deref().and_then(|task| skeleton.task(task));
        let task = task.ok_or_else(|| format!("an event of no task: {}", describe(event)))?;
        for starts in steps {
            let mut next = BTreeSet::new();
            for tokens in &now {
                let Some(all) = successors(skeleton, tokens) else {
                    return Ok(BTreeSet::new());
                };
                let fits = all
                    .into_iter()
                    .filter(|(t, s, _)| *t == task && s == starts);
                next.extend(fits.map(|(_, _, tokens)| tokens));
            }
            if next.is_empty() {
                let word = if *starts { "start" } else { "complete" };
                return Err(format!(
                    "{} cannot {word} at {now:?} ({})",
                    event.task.as_deref().unwrap_or_default(),
                    describe(event)
                ));
            }
            now = next;
        }
    }
    Ok(now)
}

/// That the tasks which wait for somebody outside are those that the game has enabled: nothing is offered that cannot
/// start, nothing that can is forgotten, and a mutex that is free is free.
fn offered(net: &Net, info: &CaseInfo, tokens: &Tokens, forked: &BTreeSet<u64>) -> Checked {
    let skeleton = net.skeleton();
    let Some(all) = successors(skeleton, tokens) else {
        return Ok(());
    };
    let mut enabled: BTreeSet<String> = BTreeSet::new();
    for (task, starts, _) in all {
        if let (true, Some(task)) = (starts, skeleton.tasks().get(task))
            && task.external
        {
            enabled.insert(task.name.clone());
        }
    }
    let items = info.items.iter().filter(|item| !runs(item, forked));
    let found: BTreeSet<String> = items.map(|item| item.task.clone()).collect();
    if found == enabled {
        return Ok(());
    }
    Err(format!(
        "offered are {found:?}, but {enabled:?} can start at {tokens:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_of_all_flows_compile_and_differ() {
        for spec in PLAYED.iter().chain(&OTHERS) {
            let all = versions(spec);
            for (number, spec) in (1..).zip(&all) {
                let net = Net::compile(spec, None);
                let version = net.as_ref().map(|net| net.version).ok();
                assert_eq!(version, Some(number), "{net:?}\n{spec}");
            }
        }
        for (name, changes) in CHANGES {
            let all = PLAYED.iter().chain(&OTHERS);
            let spec = all.into_iter().find(|spec| name_of(spec) == name);
            let spec = spec.copied().unwrap_or_default();
            assert!(changes.iter().all(|(a, _)| spec.contains(a)), "{name}");
        }
    }
}
