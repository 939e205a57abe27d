//! The nets of the simulated cases, and the token game that they must follow.
//!
//! The game is the slow one that the engine's own tests are compared with (`core/flow/tests/model`): it shares the
//! structure of the net with the engine and nothing else.

use std::collections::BTreeSet;

use statewright_flow::net::Net;
use statewright_flow::{CaseInfo, EventKind, HistoryEvent, Status};

use statewright_log::sim::SimRandom;

use super::Checked;
use super::laws::Laws;

#[path = "../../../core/flow/tests/model/mod.rs"]
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

/// Flows whose every step the game can follow.
const PLAYED: [&str; 7] = [
    "name: order
tasks:
  begin:
    { kind: host, split: or,
      next: [{ to: credit, when: .input.x > 1 }, { to: customs, when: .input.x != 2 }, accept] }
  credit: { kind: host, retry: { attempts: 3, delay: 10m }, next: accept }
  customs: { kind: host, timeout: 1h, retry: { attempts: 9, delay: 1m }, next: accept }
  accept: { kind: host, join: or, split: xor, next: [{ to: begin2, when: .accept.again }, end] }
  begin2: { kind: set, set: { .twice: 'true' }, next: end }
  end: { kind: log, join: xor, message: '\"done\"' }
",
    "name: sections
tasks:
  begin: { split: and, next: [load, fetch, other] }
  load: { kind: host, next: print }
  print: { kind: host, cancels: [copy], next: done }
  fetch: { kind: host, next: copy }
  copy: { kind: host, next: done }
  other: { kind: wait, for: 20m, mutex: printer, next: done }
  done: { join: or }
sections:
  forms: { tasks: [load, print], mutex: printer }
  copies: { tasks: [fetch, copy], mutex: printer }
",
    "name: choice
start: asked
places:
  asked: { next: [answer, give_up, go] }
tasks:
  answer: { kind: host, next: end }
  give_up: { kind: wait, for: 3h, next: end }
  go: { kind: signal, keep: true, next: end }
  end: { kind: set, join: xor, set: { .end: '1' } }
",
    "name: first
tasks:
  begin: { split: and, next: [fax, phone, letter] }
  fax: { kind: host, cancels: [phone, letter], next: done }
  phone: { kind: host, cancels: [fax, letter], next: done }
  letter: { kind: wait, for: 2d, cancels: [fax, phone], next: done }
  done: { join: xor, kind: log, message: '\"first\"' }
",
    "name: milestone
start: begin
places:
  packing: { next: ship }
  changeable: { next: [change, close] }
tasks:
  begin: { split: and, next: [pack, changeable] }
  pack: { kind: host, next: packing }
  ship: { kind: host }
  change: { kind: host, tests: packing, next: changeable }
  close: { kind: wait, for: 1d }
",
    "name: loop
tasks:
  begin: { kind: set, set: { .n: '1' }, next: work }
  work:
    { kind: host, join: xor, retry: { attempts: 2, delay: 1s, factor: 2 }, split: xor,
      next: [{ to: work2, when: .work.again }, end] }
  work2: { kind: wait, for: 5m, next: work }
  end: { kind: host }
",
    "name: merge
tasks:
  begin: { split: and, next: [a, b, c] }
  a: { kind: host, next: m }
  b: { kind: host, next: m }
  c: { kind: wait, for: 30m, next: m }
  m: { join: xor, kind: host, next: n }
  n: { kind: signal, signal: go, keep: true }
",
];

/// Flows with what the game does not know: joins that count, instances, called cases, what is undone, lanes, kept
/// signals. For these the laws of histories ([`Laws`]), lanes and signals ([`super::turns`]) are checked.
const OTHERS: [&str; 9] = [
    "name: fastest
tasks:
  ask: { split: and, next: [north, south, west] }
  north: { kind: host, next: enough }
  south: { kind: host, next: enough }
  west: { kind: host, next: enough }
  enough:
    { join: { of: 2, reset: cancel }, next: decide,
      cancels: [north, south, west, north>enough, south>enough, west>enough] }
  decide: { kind: host }
",
    "name: several
tasks:
  offers:
    { kind: host, many: { items: '5', threshold: 3, add: true, max: 9 }, retry: { attempts: 50, delay: 1s },
      next: choose }
  choose: { kind: host }
",
    "name: caller
tasks:
  first: { kind: flow, flow: below, next: then }
  then: { kind: host }
flows:
  below:
    tasks:
      deep: { kind: host, retry: { attempts: 50, delay: 1s }, next: later }
      later: { kind: wait, for: 1h }
",
    "name: hurry
tasks:
  begin: { split: and, next: [call, stop] }
  call: { kind: flow, flow: slow, next: over }
  stop: { kind: host, cancels: [call], next: over }
  over: { join: xor }
flows:
  slow:
    tasks:
      slow1: { kind: host, compensate: unslow1, split: and, next: [slow2, slow3] }
      slow2: { kind: host, many: { items: '2' }, retry: { attempts: 3, delay: 1m }, next: slow4 }
      slow3: { kind: flow, flow: slower, next: slow4 }
      slow4: { join: and, kind: host }
      unslow1: { kind: host, retry: { attempts: 4, delay: 1m } }
  slower:
    tasks:
      slower1: { kind: host, timeout: 40m, retry: { attempts: 5, delay: 30s } }
",
    "name: trip
tasks:
  flight: { kind: host, compensate: unflight, split: and, next: [hotel, tour, seats] }
  hotel: { kind: host, compensate: unhotel, retry: { attempts: 2, delay: 1m }, next: arrive }
  tour: { kind: flow, flow: guided, next: arrive }
  seats: { kind: host, many: { items: '3' }, retry: { attempts: 9, delay: 1s }, compensate: unseats, next: arrive }
  arrive: { join: and, kind: host, on_error: amend, next: gone }
  amend: { kind: compensate, of: [hotel, seats], next: hotel2 }
  hotel2: { kind: host, compensate: unhotel2, on_error: give_up, next: gone }
  give_up: { kind: compensate, next: gone }
  gone: { join: xor, kind: host }
  unflight: { kind: host, retry: { attempts: 5, delay: 1m } }
  unhotel: { kind: set, set: { .unhotel: '(.unhotel // 0) + 1' } }
  unhotel2: { kind: host, timeout: 1h, retry: { attempts: 5, delay: 1m } }
  unseats: { kind: host, retry: { attempts: 5, delay: 1m } }
flows:
  guided:
    tasks:
      guide: { kind: host, compensate: unguide, retry: { attempts: 3, delay: 1m }, next: meal }
      meal: { kind: host, compensate: unmeal, retry: { attempts: 3, delay: 1m } }
      unguide: { kind: log, message: '\"bye\"' }
      unmeal: { kind: host, retry: { attempts: 5, delay: 1m } }
",
    "name: mails
tasks:
  mail:
    kind: host
    many: { items: '7' }
    retry: { attempts: 50, delay: 1s }
    lane: { key: '$index % 3', limit: 2, priority: 'if $index >= 5 then 1 else 0 end' }
",
    "name: drips
tasks:
  drip:
    kind: host
    many: { items: '4' }
    retry: { attempts: 50, delay: 1s }
    lane: { rate: { count: 2, per: 10m, burst: 2 } }
",
    "name: mailbox
tasks:
  box: { kind: signal, signal: go, keep: true, join: xor, into: .last, next: keep }
  keep:
    { kind: set, set: { .all: '(.all // []) + [.last]' }, split: xor,
      next: [{ to: full, when: (.all | length) > 40 }, box] }
  full: { kind: host }
",
    "name: keyed
tasks:
  kbox: { kind: signal, signal: paid, keep: true, key: .input.x, join: xor, into: .last, next: kkeep }
  kkeep:
    { kind: set, set: { .all: '(.all // []) + [.last]' }, split: xor,
      next: [{ to: kfull, when: (.all | length) > 40 }, kbox] }
  kfull: { kind: host }
",
];

/// After how many instances a task completes.
const THRESHOLDS: [(&str, u64); 3] = [("offers", 3), ("seats", 3), ("slow2", 2)];

/// How often a task completes at most.
const MOST: [(&str, u64); 7] = [
    ("enough", 1),
    ("decide", 1),
    ("choose", 1),
    ("arrive", 1),
    ("slow4", 1),
    ("hotel", 1),
    ("hotel2", 1),
];

/// Games of a seed.
const GAMES: usize = 4;

/// A flow that is simulated.
pub(super) struct Game {
    pub(super) name: String,
    pub(super) spec: String,
    net: Option<Net>,
    played: bool,
}

/// Those of these names; if there are none, some that the seed says.
pub(super) fn games(seed: u64, names: &[&str]) -> Vec<Game> {
    let all = PLAYED.iter().map(|spec| (spec, true));
    let mut all: Vec<_> = all.chain(OTHERS.iter().map(|spec| (spec, false))).collect();
    let named = |spec: &str| {
        names
            .iter()
            .any(|n| spec.starts_with(&format!("name: {n}\n")))
    };
    all.retain(|(spec, _)| names.is_empty() || named(spec));
    let random = SimRandom::new(seed ^ 0x6A3E5);
    while all.len() > GAMES {
        all.swap_remove(random.below(all.len() as u64) as usize);
    }
    all.into_iter()
        .map(|(spec, played)| {
            let net = Net::compile(spec, None).ok();
            Game {
                name: net.as_ref().map_or(String::new(), |n| n.name.to_string()),
                spec: (*spec).to_owned(),
                net,
                played,
            }
        })
        .collect()
}

/// The laws of all tasks of these.
pub(super) fn laws(games: &[Game]) -> Laws {
    Laws::of(games.iter().flat_map(Game::nets), &THRESHOLDS, &MOST)
}

impl Game {
    fn nets(&self) -> impl Iterator<Item = &Net> {
        let nets = self.net.iter();
        nets.flat_map(|net| std::iter::once(net).chain(net.flows.values().map(|n| &**n)))
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
    /// game allows next is offered.
    pub(super) fn check(
        &self,
        was: Option<&CaseInfo>,
        now: &CaseInfo,
        events: &[HistoryEvent],
        known: bool,
    ) -> Checked {
        let Some(net) = self.net.as_ref().filter(|_| self.played) else {
            return Ok(());
        };
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
        let found = tokens(net, now)?;
        if known {
            let start = match was {
                Some(was) => tokens(net, was)?,
                None => Tokens::of(net.skeleton(), &net.skeleton().initial()),
            };
            let possible = follow(net, start, events)?;
            if !possible.is_empty() && !possible.contains(&found) {
                let events: Vec<String> = events.iter().map(describe).collect();
                return Err(format!(
                    "the tokens are {found:?}, but {} give {possible:?}",
                    events.join(", ")
                ));
            }
        }
        if now.status == Status::Running {
            offered(net, now, &found)?;
        }
        Ok(())
    }
}

fn describe(event: &HistoryEvent) -> String {
    let task = event.task.as_deref().unwrap_or_default();
    format!("{} {task}", event.kind.name())
}

/// Whether an item is a firing that has taken its tokens.
fn runs(item: &statewright_flow::ItemInfo) -> bool {
    item.attempt > 0 || ["leased", "backing_off", "running"].contains(&item.state)
}

fn tokens(net: &Net, info: &CaseInfo) -> Checked<Tokens> {
    let skeleton = net.skeleton();
    let mut tokens = Tokens::default();
    for (place, n) in &info.marking {
        let at = skeleton
            .place(place)
            .ok_or_else(|| format!("there is no place {place}"))?;
        tokens.places.insert(at, *n);
    }
    for item in info.items.iter().filter(|item| runs(item)) {
        let at = skeleton
            .task(&item.task)
            .ok_or_else(|| format!("there is no task {}", item.task))?;
        *tokens.runs.entry(at).or_default() += 1;
    }
    Ok(tokens)
}

/// Where the game can be after these events; nothing if it is too much for it.
fn follow(net: &Net, start: Tokens, events: &[HistoryEvent]) -> Checked<BTreeSet<Tokens>> {
    let skeleton = net.skeleton();
    let mut now = BTreeSet::from([start]);
    for event in events {
        let steps: &[bool] = match event.kind {
            EventKind::Started if event.attempt == Some(1) => &[true],
            EventKind::Completed => &[false],
            EventKind::Routed
            | EventKind::Fired
            | EventKind::Logged
            | EventKind::TimerFired
            | EventKind::Signalled => &[true, false],
            // Not a step of the game but of somebody outside.
            EventKind::TaskCancelled => return Ok(BTreeSet::new()),
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
fn offered(net: &Net, info: &CaseInfo, tokens: &Tokens) -> Checked {
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
    let items = info.items.iter().filter(|item| !runs(item));
    let found: BTreeSet<String> = items.map(|item| item.task.clone()).collect();
    if found == enabled {
        return Ok(());
    }
    Err(format!(
        "offered are {found:?}, but {enabled:?} can start at {tokens:?}"
    ))
}
