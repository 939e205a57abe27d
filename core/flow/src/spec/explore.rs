//! A bounded look at what a net can do: finds and-joins that can wait for ever.
//!
//! Conditions on data are ignored, so every outcome of an xor split counts as possible. Each place has one task that
//! takes its tokens, so firing one task never disables another, and the order in which tasks fire does not change
//! where a case can get stuck. Only the outcomes of xor splits have to be tried, not the interleavings.

use std::collections::{BTreeMap, BTreeSet};

use crate::net::{Join, Net, PlaceId, Split, TaskId};

/// How many firings are tried. A larger net is looked at in part: what is found is true, but not everything is found.
const MAX_FIRINGS: usize = 30_000;
/// How many markings are kept, counted in tokens.
const MAX_KEPT: usize = 200_000;

/// How many tokens in one place are followed. A net that puts more there puts any number there, as a rule.
const MAX_TOKENS: u32 = 3;

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
                .and_then(|place| net.tasks.get(place.target))
            else {
                continue;
            };
            let marked = |place: &PlaceId| marking.contains_key(place);
            let takes: Vec<PlaceId> = match task.join {
                Join::And if task.inputs.iter().all(marked) => task.inputs.clone(),
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
        let Some(target) = net.places.get(*place).map(|place| place.target) else {
            continue;
        };
        let Some(task) = net.tasks.get(target) else {
            continue;
        };
        found.entry(target).or_insert_with(|| {
            let (marked, empty) = task
                .inputs
                .iter()
                .partition(|place| marking.contains_key(place));
            Stuck {
                task: target,
                marked,
                empty,
            }
        });
    }
}
