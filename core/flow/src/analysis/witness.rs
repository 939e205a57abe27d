//! The steps of a finding, taken again on the net's rules.

use super::rules::{Doubts, Rules};
use super::skeleton::{Marking, Skeleton};
use super::verify::{Budget, Event};

/// A state between two steps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkState {
    /// The tokens, by place.
    pub tokens: Vec<(String, u32)>,
    /// The tasks that run.
    pub running: Vec<String>,
}

/// Where the steps of a case led.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walk {
    /// The state after each step that could be taken.
    pub states: Vec<WalkState>,
    /// The first step that could not be taken, if one could not.
    pub stopped: Option<String>,
    /// The steps that can be taken next; none if the case has ended, or is stuck.
    pub next: Vec<String>,
}

/// Takes steps, as findings show them (`A`, `start A`, `complete A -> p, q`), from the start of a net. Choices that
/// data makes are free. O(steps · tasks), and what the or-joins take.
///
/// ```
/// use statewright_flow::analysis::{Budget, verify, walk};
/// use statewright_flow::net::Net;
/// let spec = "
/// name: stuck
/// tasks:
///   a: { split: or, next: [{ to: b, when: .b }, c] }
///   b: { kind: host, next: d }
///   c: { kind: host, next: d }
///   d: { join: and }
/// ";
/// let net = Net::compile(spec, None).unwrap();
/// let found = verify(net.skeleton(), Budget::default());
/// let steps: Vec<String> = found.findings[0].trace.iter().map(|e| e.to_string()).collect();
/// let walk = walk(net.skeleton(), &steps);
/// assert_eq!(walk.stopped, None);
/// assert_eq!(walk.states.last().unwrap().tokens, [("b>d".to_owned(), 1)]);
/// assert!(walk.next.is_empty());
/// ```
pub fn walk(net: &Skeleton, steps: &[String]) -> Walk {
    let rules = Rules::new(net, Budget::default().steps);
    let mut now = net.initial();
    let mut walk = Walk {
        states: Vec::new(),
        stopped: None,
        next: Vec::new(),
    };
    for step in steps {
        let mut all = possible(&rules, &now).into_iter();
        match all.find(|(name, _)| name == step.trim()) {
            Some((_, next)) => now = next,
            None => {
                walk.stopped = Some(step.clone());
                break;
            }
        }
        walk.states.push(shown(net, &now));
    }
    walk.next = possible(&rules, &now).into_iter().map(|s| s.0).collect();
    walk
}

fn possible(rules: &Rules<'_>, now: &Marking) -> Vec<(String, Marking)> {
    let place = |p: usize| {
        rules
            .net
            .places()
            .get(p)
            .map_or("", |p| &*p.name)
            .to_owned()
    };
    let mut doubts = Doubts::default();
    let mut all = Vec::new();
    for (t, task) in rules.net.tasks().iter().enumerate() {
        for (step, after) in rules.steps(now, t, &mut doubts) {
            let to = step.completes.as_ref();
            let event = Event {
                task: task.name.clone(),
                starts: step.starts,
                completes: to.map(|to| to.iter().map(|(p, _)| place(*p)).collect()),
                fails: step.fails,
            };
            all.push((event.to_string(), after));
        }
    }
    all
}

fn shown(net: &Skeleton, now: &Marking) -> WalkState {
    let name = |p: usize| net.places().get(p).map_or("", |p| &*p.name).to_owned();
    let tokens = now.marked().map(|(place, n)| (name(place), n));
    let tasks = net.tasks().iter().enumerate();
    let runs = tasks.filter(|(t, _)| now.running(*t) > 0);
    WalkState {
        tokens: tokens.collect(),
        running: runs.map(|(_, t)| t.name.clone()).collect(),
    }
}
