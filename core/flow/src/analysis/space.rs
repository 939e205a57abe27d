//! Exploring the markings of a net.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::rules::{Doubts, Rules, Step};
use super::skeleton::Marking;

/// A marking that was reached, how, and where it leads.
pub(super) struct State {
    pub marking: Marking,
    /// Whether the case has ended here, and with tokens left.
    pub ended: Option<bool>,
    parent: Option<(usize, Step)>,
    pub next: Vec<usize>,
}

/// A place that grows without end: the state that shows it.
pub(super) struct Growth {
    pub state: usize,
    pub place: usize,
}

/// What was explored.
pub(super) struct Space {
    pub states: Vec<State>,
    /// Whether nothing was left out.
    pub complete: bool,
    pub doubts: Doubts,
    pub growth: Vec<Growth>,
    /// The tasks that were started somewhere.
    pub started: BTreeSet<usize>,
}

impl Space {
    /// Goes through the markings breadth first, so that what is found has a short trace; at most `most` of them.
    pub fn explore(rules: &Rules<'_>, most: usize) -> Space {
        let mut space = Space {
            states: Vec::new(),
            complete: true,
            doubts: Doubts::default(),
            growth: Vec::new(),
            started: BTreeSet::new(),
        };
        let mut known = BTreeMap::new();
        let mut todo = VecDeque::new();
        space.add(rules.net.initial(), None, None, &mut known, &mut todo);
        if let Some(late) = rules.net.after_deadline() {
            space.add(late, None, None, &mut known, &mut todo);
        }
        while let Some(at) = todo.pop_front() {
            if space.states.len() >= most {
                space.complete = false;
                break;
            }
            space.expand(rules, at, &mut known, &mut todo);
        }
        space
    }

    fn expand(
        &mut self,
        rules: &Rules<'_>,
        at: usize,
        known: &mut BTreeMap<(Marking, Option<bool>), usize>,
        todo: &mut VecDeque<usize>,
    ) {
        let Some(now) = self.states.get(at).map(|s| s.marking.clone()) else {
            return;
        };
        let mut all = Vec::new();
        for t in 0..rules.net.tasks().len() {
            let mut steps = rules.steps(&now, t, &mut self.doubts);
            for (step, _) in steps.iter().filter(|(s, _)| s.starts) {
                self.started.insert(step.task);
            }
            // A task that commutes with all others is fired alone, unless that leads to what is known: then the
            // others might be put off for ever.
            let fresh = |m: &Marking| !known.contains_key(&(m.clone(), None));
            if rules.is_local(t) && !steps.is_empty() && steps.iter().all(|(_, m)| fresh(m)) {
                all = steps;
                break;
            }
            all.append(&mut steps);
        }
        for (step, marking) in all {
            let ends = step.completes.is_some()
                && !step.fails
                && rules
                    .net
                    .tasks()
                    .get(step.task)
                    .is_some_and(|t| t.terminate);
            let left = marking.slots.iter().any(|n| *n > 0);
            let ended = ends.then_some(left);
            let parent = Some((at, step));
            if let Some(new) = self.add(marking, ended, parent, known, todo)
                && ended.is_none()
                && let Some(place) = self.grows(rules, new)
            {
                self.growth.push(Growth { state: new, place });
                self.complete = false;
                todo.pop_back();
            }
        }
    }

    /// Adds a state and tells its number, if it is new.
    fn add(
        &mut self,
        marking: Marking,
        ended: Option<bool>,
        parent: Option<(usize, Step)>,
        known: &mut BTreeMap<(Marking, Option<bool>), usize>,
        todo: &mut VecDeque<usize>,
    ) -> Option<usize> {
        let number = self.states.len();
        let from = parent.as_ref().map(|(from, _)| *from);
        let key = (marking, ended);
        let (to, new) = match known.get(&key) {
            Some(old) => (*old, false),
            None => {
                known.insert(key.clone(), number);
                if ended.is_none() {
                    todo.push_back(number);
                }
                self.states.push(State {
                    marking: key.0,
                    ended,
                    parent,
                    next: Vec::new(),
                });
                (number, true)
            }
        };
        if let Some(state) = from.and_then(|from| self.states.get_mut(from)) {
            state.next.push(to);
        }
        new.then_some(number)
    }

    /// A place that has more tokens than at a marking before it on the way here, when the steps between can be
    /// repeated for ever: nothing has less, nothing empties that place, nothing runs that did not, and no step
    /// depends on a place being empty (Karp and Miller 1969; with reset arcs the condition is sufficient, not
    /// necessary).
    fn grows(&self, rules: &Rules<'_>, new: usize) -> Option<usize> {
        let places = rules.net.places().len();
        let here = &self.states.get(new)?.marking;
        let mut emptied: BTreeSet<usize> = BTreeSet::new();
        let mut at = new;
        while let Some((before, step)) = self.states.get(at).and_then(|s| s.parent.as_ref()) {
            if step.delicate {
                return None;
            }
            let task = rules.net.tasks().get(step.task)?;
            if step.completes.is_some() && !step.fails {
                emptied.extend(&task.cancels_places);
            }
            at = *before;
            let there = &self.states.get(at)?.marking;
            let pairs = || here.slots.iter().zip(&there.slots);
            if pairs().all(|(h, t)| h >= t)
                && pairs().skip(places).all(|(h, t)| h == t)
                && let Some((place, _)) = pairs()
                    .take(places)
                    .enumerate()
                    .find(|(p, (h, t))| h > t && !emptied.contains(p))
            {
                return Some(place);
            }
        }
        None
    }

    /// Whether a state is only reached from where a case goes on after its deadline.
    pub fn is_late(&self, state: usize) -> bool {
        let mut at = state;
        while let Some((before, _)) = self.states.get(at).and_then(|s| s.parent.as_ref()) {
            at = *before;
        }
        at != 0
    }

    /// The steps that lead to a state.
    pub fn trace(&self, state: usize) -> Vec<&Step> {
        let mut steps = Vec::new();
        let mut at = state;
        while let Some((before, step)) = self.states.get(at).and_then(|s| s.parent.as_ref()) {
            steps.push(step);
            at = *before;
        }
        steps.reverse();
        steps
    }

    /// Which states can reach one of `goals`.
    pub fn reaching(&self, goals: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.states.len()];
        for (at, state) in self.states.iter().enumerate() {
            for next in &state.next {
                if let Some(list) = before.get_mut(*next) {
                    list.push(at);
                }
            }
        }
        let mut reaching = vec![false; self.states.len()];
        let mut todo: Vec<usize> = goals.collect();
        while let Some(at) = todo.pop() {
            if let Some(flag) = reaching.get_mut(at)
                && !std::mem::replace(flag, true)
            {
                todo.extend(before.get(at).into_iter().flatten());
            }
        }
        reaching
    }
}
