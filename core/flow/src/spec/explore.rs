//! A bounded look at what a net can do: finds and-joins that can wait for ever.
//!
//! Conditions on data are ignored, so every outcome of an xor split counts as possible. Each place has one task that
//! takes its tokens, so firing one task never disables another, and the order in which tasks fire does not change
//! where a case can get stuck. Only the outcomes of xor splits have to be tried, not the interleavings.

use std::collections::{BTreeMap, BTreeSet};

use super::read::listed;
use crate::net::{Join, Net, PlaceId, Split, TaskId};
use crate::problem::{Pos, Problems};

/// How many firings are tried. A larger net is looked at in part: what is found is true, but not everything is found.
const MAX_FIRINGS: usize = 30_000;
/// How many markings are kept, counted in tokens.
const MAX_KEPT: usize = 200_000;

/// How many tokens in one place are followed. A net that puts more there puts any number there, as a rule.
const MAX_TOKENS: u32 = 3;

/// Warns of and-joins that can wait for ever, in nets of and and xor splits and joins alone.
pub(super) fn warn(net: &Net, positions: &[Pos], problems: &mut Problems) {
    if !is_plain(net) {
        return;
    }
    for stuck in stuck_joins(net) {
        let Some(task) = net.tasks.get(stuck.task) else {
            continue;
        };
        let name = |place: &PlaceId| net.places.get(*place).map_or("", |place| &*place.name);
        let has: Vec<&str> = stuck.marked.iter().map(name).collect();
        let lacks: Vec<&str> = stuck.empty.iter().map(name).collect();
        let message = format!(
            "`{}` may wait for ever: depending on what the xor splits before it choose, {} can have a token while {} never gets one",
            task.name,
            listed(&has),
            listed(&lacks),
        );
        let help = "`join: and` needs a token on every edge in; join alternatives with `join: xor` before it";
        let at = positions.get(stuck.task).copied().unwrap_or_default();
        problems.warning(at, "may-deadlock", message, help);
    }
}

/// Whether the look of this module is exact: every place leads to one task, and all that happens is and and xor.
fn is_plain(net: &Net) -> bool {
    let task = |t: &crate::net::Task| {
        matches!(t.join, Join::And | Join::Xor)
            && t.split != Split::Or
            && t.tests.is_empty()
            && t.cancels.is_empty()
            && !t.terminate
            && t.on_error.is_empty()
            && t.inputs.iter().all(|i| i.tokens == 1)
            && t.outputs.iter().all(|e| e.tokens == 1)
    };
    let goes_on = net.deadline.as_ref().is_some_and(|d| d.to.is_some());
    net.tasks.iter().all(task) && net.places.iter().all(|p| !p.explicit) && !goes_on
}

/// An and-join that can be left with tokens on some of its edges only.
pub(super) struct Stuck {
    pub task: TaskId,
    pub marked: Vec<PlaceId>,
    pub empty: Vec<PlaceId>,
}

type Marking = BTreeMap<PlaceId, u32>;

/// One example for each such join, in the order of the tasks.
pub(super) fn stuck_joins(net: &Net) -> Vec<Stuck> {
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut kept = 0;
    let mut firings = 0;
    let mut pending = vec![Marking::from([(net.start, 1)])];
    while let Some(mut marking) = pending.pop() {
        let mut ready: Vec<PlaceId> = marking.keys().copied().collect();
        let stopped = loop {
            let Some(place) = ready.pop() else { break true };
            let Some(task) = net
                .places
                .get(place)
                .and_then(|place| net.tasks.get(*place.targets.first()?))
            else {
                continue;
            };
            let marked = |place: &PlaceId| marking.contains_key(place);
            let takes: Vec<PlaceId> = match task.join {
                Join::And if task.inputs.iter().all(|i| marked(&i.place)) => {
                    task.inputs.iter().map(|i| i.place).collect()
                }
                Join::Xor if marked(&place) => vec![place],
                _ => continue,
            };
            firings += 1;
            if firings > MAX_FIRINGS || kept > MAX_KEPT {
                return found.into_values().collect();
            }
            takes.iter().for_each(|place| take(&mut marking, *place));
            // A surplus token may enable the same task once more.
            ready.extend(
                takes
                    .into_iter()
                    .filter(|place| marking.contains_key(place)),
            );
            if task.split == Split::Xor && task.outputs.len() > 1 {
                // Which task is choosing matters only through the marking each choice leads to.
                for edge in &task.outputs {
                    let mut chosen = marking.clone();
                    if put(&mut chosen, edge.place) && seen.insert(chosen.clone()) {
                        kept += chosen.len() + 1;
                        pending.push(chosen);
                    }
                }
                break false;
            }
            if !task
                .outputs
                .iter()
                .all(|edge| put(&mut marking, edge.place))
            {
                break false;
            }
            ready.extend(task.outputs.iter().map(|edge| edge.place));
        };
        if stopped {
            note_stuck(net, &marking, &mut found);
        }
    }
    found.into_values().collect()
}

/// Adds a token; tells whether the place still has few enough.
fn put(marking: &mut Marking, place: PlaceId) -> bool {
    let tokens = marking.entry(place).or_default();
    *tokens += 1;
    *tokens <= MAX_TOKENS
}

fn take(marking: &mut Marking, place: PlaceId) {
    if let Some(tokens) = marking.get_mut(&place) {
        *tokens -= 1;
        if *tokens == 0 {
            marking.remove(&place);
        }
    }
}

fn note_stuck(net: &Net, marking: &Marking, found: &mut BTreeMap<TaskId, Stuck>) {
    for place in marking.keys() {
        let Some(target) = net
            .places
            .get(*place)
            .and_then(|place| place.targets.first().copied())
        else {
            continue;
        };
        let Some(task) = net.tasks.get(target) else {
            continue;
        };
        found.entry(target).or_insert_with(|| {
            let inputs = task.inputs.iter().map(|i| i.place);
            let (marked, empty) = inputs.partition(|place| marking.contains_key(place));
            Stuck {
                task: target,
                marked,
                empty,
            }
        });
    }
}
