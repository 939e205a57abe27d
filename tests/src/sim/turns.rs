//! Lanes and signals of the simulated cases: limits that are never exceeded, keys in exact turns, rates, and signals
//! that are given once, in order.

use std::collections::{BTreeMap, BTreeSet};

use statewright_flow::{CaseInfo, EventKind, HistoryEvent, Status};

use super::Checked;

/// The task whose instances share a lane, as its spec has it.
pub(super) const LANED: &str = "mail";
const LIMIT: u64 = 2;
const KEYS: u64 = 3;
/// Instances from here on are urgent.
const URGENT: u64 = 5;

/// The task whose instances have a rate: so many microseconds between starts, and so many at once.
pub(super) const RATED: &str = "drip";
const STEP: i64 = 300_000_000;
const BURST: i64 = 2;

/// A place in a lane: whether it is urgent, and the key.
type Line = (bool, u64);

/// The lane at a version.
#[derive(Clone, Debug, Default)]
struct Turn {
    version: u64,
    /// Whose turn it was.
    claimed: Option<Line>,
    /// Who could be next.
    ready: BTreeSet<Line>,
}

/// All that is known of the lane.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The number of the first instance of a case.
    first: BTreeMap<String, u64>,
    /// Without a gap.
    log: Vec<Turn>,
}

impl Turns {
    /// Notes which items a case's instances are.
    pub(super) fn note(&mut self, case: &str, history: &[HistoryEvent]) {
        let began = history
            .iter()
            .find(|e| e.kind == EventKind::InstancesStarted && e.task.as_deref() == Some(LANED));
        let first = began.and_then(|e| e.detail.get("first")?.as_u64());
        if let Some(first) = first {
            self.first.insert(case.to_owned(), first);
        }
    }

    pub(super) fn recovered(&mut self, version: u64) {
        self.log.retain(|turn| turn.version <= version);
    }

    fn lines<'i>(&self, infos: &'i [CaseInfo], state: &str) -> Vec<(&'i CaseInfo, u64, Line)> {
        let mut found = Vec::new();
        for info in infos {
            let Some(first) = self.first.get(&info.id) else {
                continue;
            };
            let items = info.items.iter();
            for item in items.filter(|i| i.task == LANED && i.state == state) {
                let index = item.item.saturating_sub(*first);
                found.push((info, item.item, (index >= URGENT, index % KEYS)));
            }
        }
        found
    }

    /// What the cases are at a version, after one commit or several, by somebody who polled or by something else.
    pub(super) fn look(
        &mut self,
        (version, single, polled): (u64, bool, bool),
        before: Option<&[CaseInfo]>,
        now: &[CaseInfo],
    ) -> Checked {
        let leased = self.lines(now, "leased");
        let mut running: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, _, (_, key)) in &leased {
            *running.entry(*key).or_default() += 1;
        }
        if let Some((key, n)) = running.iter().find(|(_, n)| **n > LIMIT) {
            return Err(format!("{n} items of key {key} of a lane are at work"));
        }
        let mut turn = Turn {
            version,
            ..Turn::default()
        };
        for (info, _, line) in self.lines(now, "offered") {
            let free = running.get(&line.1).is_none_or(|n| *n < LIMIT);
            if free && info.status != Status::Suspended {
                turn.ready.insert(line);
            }
        }
        let Some(before) = before.filter(|_| single) else {
            self.log = vec![turn];
            return Ok(());
        };
        let held: BTreeSet<(String, u64)> = self
            .lines(before, "leased")
            .into_iter()
            .map(|(info, item, _)| (info.id.clone(), item))
            .collect();
        let mut new = leased.into_iter();
        let new = new.find(|(info, item, _)| !held.contains(&(info.id.clone(), *item)));
        if let Some((_, _, line)) = new {
            // A claim that was lost with the power is made again by a heartbeat, and had its turn then.
            if !polled {
                self.log = vec![turn];
                return Ok(());
            }
            turn.claimed = Some(line);
            self.fair(line)?;
        }
        self.log.push(turn);
        Ok(())
    }

    /// Nobody is passed over: not who is urgent, and not who has been ready since before this one's last turn.
    fn fair(&self, line: Line) -> Checked {
        let Some(last) = self.log.last() else {
            return Ok(());
        };
        if let Some(urgent) = last.ready.iter().find(|other| other.0 && !line.0) {
            return Err(format!("{line:?} was claimed, though {urgent:?} could be"));
        }
        let Some(at) = self.log.iter().rposition(|t| t.claimed == Some(line)) else {
            return Ok(());
        };
        let since = self.log.get(at.saturating_sub(1)..).unwrap_or_default();
        for other in last.ready.iter().filter(|o| o.0 == line.0 && **o != line) {
            let ready = since.iter().all(|turn| turn.ready.contains(other));
            let claimed = since
                .iter()
                .skip(1)
                .any(|turn| turn.claimed == Some(*other));
            if ready && !claimed && at > 0 {
                return Err(format!("{line:?} had two turns, {other:?} none"));
            }
        }
        Ok(())
    }
}

/// No more starts than the rate allows; of a clock that never went back.
pub(super) fn rate(histories: &[Vec<HistoryEvent>]) -> Checked {
    let events = histories.iter().flatten();
    let starts =
        events.filter(|e| e.kind == EventKind::Started && e.task.as_deref() == Some(RATED));
    let mut starts: Vec<(u64, i64)> = starts.map(|e| (e.version, e.at.as_micros())).collect();
    starts.sort_unstable();
    // A claim that was lost with the power and made again started when it was made first.
    if !starts.is_sorted_by_key(|(_, at)| *at) {
        return Ok(());
    }
    for (i, (_, first)) in starts.iter().enumerate() {
        for (between, (_, later)) in (1_i64..).zip(starts.iter().skip(i + 1)) {
            if later - first < STEP * (between + 1 - BURST) {
                let n = between + 1;
                let within = later - first;
                return Err(format!(
                    "{n} starts of a rate within {within} µs: {starts:?}"
                ));
            }
        }
    }
    Ok(())
}

/// The signals that were accepted, by where they were sent to: the case, or `key` and the key.
#[derive(Debug, Default)]
pub(super) struct Mail {
    numbers: u64,
    sent: BTreeMap<String, Vec<(u64, u64)>>,
    /// How many signals a fork has from the other case; none before it was looked at.
    forks: BTreeMap<String, Option<usize>>,
    /// Whether it is not known of every signal what became of it.
    murky: bool,
}

impl Mail {
    /// A number that no signal has had.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A signal is accepted at this version, unless it is refused.
    pub(super) fn accepted(&mut self, to: &str, version: u64, number: u64) {
        let sent = self.sent.entry(to.to_owned()).or_default();
        sent.push((version, number));
    }

    /// It was refused, or lost as was said.
    pub(super) fn refused(&mut self, to: &str, number: u64) {
        let sent = self.sent.entry(to.to_owned()).or_default();
        sent.retain(|(_, n)| *n != number);
    }

    /// A case is made of another as that was at a version, with what had been sent to that.
    pub(super) fn forked(&mut self, id: &str, from: &str, version: u64) {
        let sent = self.sent.get(from).into_iter().flatten();
        let sent = sent.filter(|(v, _)| *v <= version).copied().collect();
        self.sent.insert(id.to_owned(), sent);
        self.forks.insert(id.to_owned(), None);
    }

    /// A case is looked at, with its history. Of a fork, what the other got comes before it was made; at once it may
    /// get what is kept for its key.
    pub(super) fn note(&mut self, info: &CaseInfo, events: &[HistoryEvent]) {
        if let Some(known @ None) = self.forks.get_mut(&info.id) {
            let made = |e: &HistoryEvent| e.kind == EventKind::CaseForked;
            let before = events.iter().rposition(made).unwrap_or(0);
            let before = events.iter().take(before);
            *known = Some(before.filter(|e| e.kind == EventKind::Signalled).count());
        }
    }

    /// A signal may have been accepted.
    pub(super) fn unsure(&mut self) {
        self.murky = true;
    }

    pub(super) fn recovered(&mut self, version: u64) {
        let sent = self.sent.values_mut();
        sent.for_each(|sent| sent.retain(|(v, _)| *v <= version));
    }

    fn sent(&self, to: &str) -> Vec<u64> {
        let sent = self.sent.get(to).into_iter().flatten();
        sent.map(|(_, number)| *number).collect()
    }

    /// What was given is what was sent; at the `end`, all of it.
    pub(super) fn check(&self, infos: &[CaseInfo], end: bool) -> Checked {
        if self.murky {
            return Ok(());
        }
        let mut keys: BTreeMap<String, (Vec<u64>, bool)> = BTreeMap::new();
        for info in infos {
            let got = got(info);
            let listens =
                info.items.iter().any(|i| i.state == "listening") && info.status == Status::Running;
            if ["mailbox", "asked"].contains(&&*info.flow) {
                let sent = self.sent(&info.id);
                let all = sent.len() == got.len() || !(end && listens);
                if !sent.starts_with(&got) || !all {
                    return Err(format!("of {sent:?}, case {} got {got:?}", info.id));
                }
            } else if info.flow == "keyed" {
                let key = info.data.get("input").and_then(|i| i.get("x")?.as_u64());
                let to = format!("key {}", key.unwrap_or_default());
                let of = keys.entry(to).or_default();
                // What a fork has from the other was counted there.
                let before = self.forks.get(&info.id).copied().flatten();
                of.0.extend(got.into_iter().skip(before.unwrap_or(0)));
                of.1 |= listens;
            }
        }
        for (to, (mut got, listens)) in keys {
            got.sort_unstable();
            let mut sent = self.sent(&to);
            sent.sort_unstable();
            let once = got.windows(2).all(|pair| pair.first() < pair.last());
            let known = got.iter().all(|n| sent.binary_search(n).is_ok());
            if !once || !known || (end && listens && sent != got) {
                return Err(format!("of {sent:?}, those of {to} got {got:?}"));
            }
        }
        Ok(())
    }
}

/// The signals that a case got, in order.
fn got(info: &CaseInfo) -> Vec<u64> {
    let all = info.data.get("all").unwrap_or_default();
    let mut got: Vec<u64> = all.items().filter_map(|n| n.as_u64()).collect();
    let last = info.data.get("last").and_then(|n| n.as_u64());
    if let Some(last) = last.filter(|last| got.last() != Some(last)) {
        got.push(last);
    }
    got
}
