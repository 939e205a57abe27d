//! Reset nets and backward coverability: can a marking that holds at least so many tokens ever be reached?
//!
//! A net with cancellation is a reset net: some transitions empty places. Reachability is undecidable in those, but
//! coverability is not: from the wanted marking one goes backwards, keeping only the minimal markings from which it
//! can be covered; that basis is finite, because every infinite sequence of markings has one that is at least an
//! earlier one (Dickson; Dufourd, Finkel and Schnoebelen 1998; Wynn, Edmond, van der Aalst and ter Hofstede 2005).

use std::ops::Range;

use super::skeleton::{Join, Marking, Reset, Skeleton, Split};

/// So many tokens of one place.
pub(super) type Count = (u32, u32);

/// A transition: takes `pre`, empties `reset`, puts `post`. All sorted by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transition {
    pub pre: Vec<Count>,
    pub post: Vec<Count>,
    pub reset: Vec<u32>,
}

/// Where a place of the reset net has its tokens from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A slot of the marking.
    Slot(usize),
    /// Arrivals that a fired partial join has counted beyond its `n`.
    Absorbed { first: usize, inputs: usize, n: u32 },
    /// One token while a partial join's round has not fired (`fired` = false) or has.
    Phase {
        first: usize,
        inputs: usize,
        fired: bool,
    },
}

/// The reset net of one join: what can happen elsewhere while the join does not fire, as far as it can matter to the
/// join's inputs.
#[derive(Clone, Debug)]
pub(super) struct ResetNet {
    sources: Vec<Source>,
    /// The same, those that are slots next to each other together.
    runs: Vec<Run>,
    transitions: Vec<Transition>,
    /// The transitions that put tokens into a place, by place.
    producers: Vec<Vec<u32>>,
    /// The join's inputs: its place here, and the weight.
    pub inputs: Vec<Count>,
}

/// The coverability question's answer, or that it took more steps than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    Yes,
    No,
    Exhausted,
}

/// What is switched off for tests, which show that answers do not depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restriction {
    pub forward: bool,
    pub backward: bool,
}

/// Places that are slots of a marking, one behind the other; or one that is something else.
#[derive(Clone, Debug)]
struct Run {
    place: u32,
    slots: Range<usize>,
    other: Source,
}

fn runs(sources: &[Source]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, source) in (0..).zip(sources) {
        let slots = match *source {
            Source::Slot(slot) => slot..slot.saturating_add(1),
            _ => 0..0,
        };
        match (runs.last_mut(), source) {
            (Some(run), Source::Slot(slot)) if !run.slots.is_empty() && run.slots.end == *slot => {
                run.slots.end = slots.end;
            }
            _ => runs.push(Run {
                place,
                slots,
                other: *source,
            }),
        }
    }
    runs
}

impl ResetNet {
    /// The reset net for join `j`: without `j`, other OR-joins as XOR-joins (the optimistic choice).
    pub fn of(net: &Skeleton, j: usize, restrict: Restriction) -> ResetNet {
        let mut sources: Vec<Source> = (0..net.empty().slots.len()).map(Source::Slot).collect();
        let mut all = Vec::new();
        for t in 0..net.tasks().len() {
            if t != j {
                starts(net, t, &mut sources, &mut all);
                ends(net, t, &mut all);
            }
        }
        let inputs: Vec<Count> = net.tasks().get(j).map_or(Vec::new(), |t| {
            t.inputs
                .iter()
                .map(|a| (number(a.place), a.weight))
                .collect()
        });
        let relevant = if restrict.backward {
            backward(sources.len(), &all, &inputs)
        } else {
            vec![true; sources.len()]
        };
        compact(&sources, all, &inputs, &relevant)
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.sources.len()
    }

    /// Gives the marked places of a marking that matter, in order. O(places), eight empty ones at a time.
    pub fn project(&self, marking: &Marking, mut visit: impl FnMut(Count)) {
        for run in &self.runs {
            let slots = marking.slots.get(run.slots.clone()).unwrap_or_default();
            let mut place = run.place;
            for eight in slots.chunks(8) {
                if eight.iter().fold(0, |any, tokens| any | tokens) != 0 {
                    let marked = (place..).zip(eight).filter(|(_, tokens)| **tokens > 0);
                    marked.for_each(|(place, tokens)| visit((place, *tokens)));
                }
                place = place.saturating_add(8);
            }
            let tokens = match run.other {
                Source::Slot(_) => 0,
                Source::Absorbed { first, inputs, n } => {
                    arrived(marking, first, inputs).saturating_sub(n)
                }
                Source::Phase {
                    first,
                    inputs,
                    fired,
                } => u32::from((arrived(marking, first, inputs) > 0) == fired),
            };
            if tokens > 0 {
                visit((run.place, tokens));
            }
        }
    }

    /// Whether from `marking` (the marked places) a marking is reachable that is at least one of the targets. Each
    /// comparison and each predecessor takes one of `steps`.
    pub fn covers(
        &self,
        marking: &Marking,
        targets: &[Vec<Count>],
        restrict: Restriction,
        steps: &mut u64,
    ) -> Cover {
        let mut start = vec![0; self.places()];
        self.project(marking, |(place, tokens)| {
            if let Some(count) = start.get_mut(index(place)) {
                *count = tokens;
            }
        });
        let marking = start.as_slice();
        let (usable, marked) = if restrict.forward {
            self.forward(marking)
        } else {
            (
                vec![true; self.transitions.len()],
                vec![true; self.places()],
            )
        };
        let can_be = |target: &&Vec<Count>| target.iter().all(|(p, _)| at(&marked, *p));
        let mut search = Search {
            net: self,
            marking,
            basis: Vec::new(),
            todo: Vec::new(),
        };
        for target in targets.iter().filter(can_be) {
            match search.add(target.clone(), steps) {
                Some(true) => return Cover::Yes,
                Some(false) => {}
                None => return Cover::Exhausted,
            }
        }
        search.run(&usable, steps)
    }

    /// The transitions that could ever fire from a marking, and the places that could ever be marked, if tokens were
    /// never taken away.
    fn forward(&self, marking: &[u32]) -> (Vec<bool>, Vec<bool>) {
        let mut marked: Vec<bool> = marking.iter().map(|tokens| *tokens > 0).collect();
        let mut usable = vec![false; self.transitions.len()];
        loop {
            let mut changed = false;
            for (t, used) in self.transitions.iter().zip(usable.iter_mut()) {
                if !*used && t.pre.iter().all(|(p, _)| at(&marked, *p)) {
                    *used = true;
                    changed = true;
                    for (p, _) in &t.post {
                        if let Some(m) = marked.get_mut(index(*p)) {
                            *m = true;
                        }
                    }
                }
            }
            if !changed {
                return (usable, marked);
            }
        }
    }
}

/// A minimal marking of the basis, with a mask that tells quickly that it is not below another.
struct Minimal {
    counts: Vec<Count>,
    mask: u64,
    dead: bool,
}

struct Search<'a> {
    net: &'a ResetNet,
    marking: &'a [u32],
    basis: Vec<Minimal>,
    todo: Vec<usize>,
}

impl Search<'_> {
    fn run(&mut self, usable: &[bool], steps: &mut u64) -> Cover {
        let net = self.net;
        let mut next = 0_usize;
        while let Some(found) = self.todo.get(next).and_then(|k| self.basis.get(*k)) {
            next = next.saturating_add(1);
            if found.dead {
                continue;
            }
            let wanted = found.counts.clone();
            let mut tried: Vec<u32> = Vec::new();
            for (place, _) in &wanted {
                for t in net.producers.get(index(*place)).into_iter().flatten() {
                    // A transition that makes two of the wanted places is met twice.
                    if !at(usable, *t) || tried.contains(t) {
                        continue;
                    }
                    tried.push(*t);
                    let Some(transition) = net.transitions.get(index(*t)) else {
                        continue;
                    };
                    if spend(steps, 1).is_none() {
                        return Cover::Exhausted;
                    }
                    let Some(before) = predecessor(transition, &wanted) else {
                        continue;
                    };
                    match self.add(before, steps) {
                        Some(true) => return Cover::Yes,
                        Some(false) => {}
                        None => return Cover::Exhausted,
                    }
                }
            }
        }
        Cover::No
    }

    /// Puts a marking into the basis unless one there is below it; `Some(true)` when the given marking covers it.
    fn add(&mut self, counts: Vec<Count>, steps: &mut u64) -> Option<bool> {
        let mask = counts
            .iter()
            .fold(0_u64, |mask, (p, _)| mask | 1 << (p % 64));
        spend(steps, u64::try_from(self.basis.len()).unwrap_or(u64::MAX))?;
        for known in &self.basis {
            if known.mask & !mask == 0 && !known.dead && leq(&known.counts, &counts) {
                return Some(false);
            }
        }
        let covered = |(p, n): &Count| self.marking.get(index(*p)).is_some_and(|m| m >= n);
        if counts.iter().all(covered) {
            return Some(true);
        }
        for known in &mut self.basis {
            if mask & !known.mask == 0 && !known.dead && leq(&counts, &known.counts) {
                known.dead = true;
            }
        }
        self.todo.push(self.basis.len());
        self.basis.push(Minimal {
            counts,
            mask,
            dead: false,
        });
        Some(false)
    }
}

/// The least marking from which `t` leads to at least `wanted`; none if there is no such marking: a place that `t`
/// empties holds no more than what it puts there.
fn predecessor(t: &Transition, wanted: &[Count]) -> Option<Vec<Count>> {
    let mut before: Vec<Count> = Vec::with_capacity(wanted.len().saturating_add(t.pre.len()));
    for (place, tokens) in wanted {
        let left = tokens.saturating_sub(count(&t.post, *place));
        if left > 0 {
            if t.reset.binary_search(place).is_ok() {
                return None;
            }
            before.push((*place, left));
        }
    }
    for (place, tokens) in &t.pre {
        match before.binary_search_by_key(place, |c| c.0) {
            Ok(at) => {
                if let Some(found) = before.get_mut(at) {
                    found.1 = found.1.saturating_add(*tokens);
                }
            }
            Err(at) => before.insert(at, (*place, *tokens)),
        }
    }
    Some(before)
}

/// Whether `a` asks for no more than `b` does. Both sorted.
fn leq(a: &[Count], b: &[Count]) -> bool {
    let mut rest = b.iter();
    a.len() <= b.len()
        && a.iter().all(|(place, tokens)| {
            rest.find(|(p, _)| p >= place)
                .is_some_and(|(p, n)| p == place && n >= tokens)
        })
}

/// The start transitions of a task.
fn starts(net: &Skeleton, t: usize, sources: &mut Vec<Source>, all: &mut Vec<Transition>) {
    let Some(task) = net.tasks().get(t) else {
        return;
    };
    let running = (number(net.places().len().saturating_add(t)), 1);
    let tests: Vec<Count> = task.tests.iter().map(|p| (number(*p), 1)).collect();
    let mut start = |pre: Vec<Count>, post: Vec<Count>| {
        let pre = sum(pre.into_iter().chain(tests.iter().copied()));
        let post = sum(post.into_iter().chain(tests.iter().copied()));
        all.push(Transition {
            pre,
            post,
            reset: Vec::new(),
        });
    };
    let inputs = task.inputs.iter().map(|a| (number(a.place), a.weight));
    let arrivals = task.inputs.len();
    match task.join {
        Join::And if task.inputs.is_empty() => {}
        Join::And => start(inputs.collect(), vec![running]),
        Join::Xor | Join::Or | Join::Local => {
            inputs.for_each(|input| start(vec![input], vec![running]));
        }
        Join::Of { n, reset } => {
            let first = net.seen_slot(t, 0);
            let mut place = |source| {
                sources.push(source);
                number(sources.len().saturating_sub(1))
            };
            let arrived = place(Source::Absorbed {
                first,
                inputs: arrivals,
                n,
            });
            let [waiting, fired] = [false, true].map(|fired| {
                place(Source::Phase {
                    first,
                    inputs: arrivals,
                    fired,
                })
            });
            let plain = |pre: Vec<Count>, post: Vec<Count>| Transition {
                pre: sum(pre),
                post: sum(post),
                reset: Vec::new(),
            };
            let more = number(arrivals).saturating_sub(n);
            let next = match reset {
                Reset::All if more > 0 => {
                    Some(plain(vec![(arrived, more), (fired, 1)], vec![(waiting, 1)]))
                }
                Reset::All | Reset::Blocking => Some(plain(vec![(fired, 1)], vec![(waiting, 1)])),
                Reset::Cancel => None,
            };
            match next {
                Some(_) => start(vec![(arrived, n), (waiting, 1)], vec![running, (fired, 1)]),
                None => start(vec![(arrived, n)], vec![running]),
            }
            all.extend(next);
            all.extend(inputs.map(|input| plain(vec![input], vec![(arrived, 1)])));
        }
    }
}

/// The end transitions of a task. What an OR-split may produce is at most what an AND-split does, and more tokens
/// never cover less: so the two are the same here, and no subset need be tried.
fn ends(net: &Skeleton, t: usize, all: &mut Vec<Transition>) {
    let Some(task) = net.tasks().get(t) else {
        return;
    };
    let running = |t: usize| number(net.places().len().saturating_add(t));
    all.extend(task.fails_to.iter().map(|place| Transition {
        pre: vec![(running(t), 1)],
        post: vec![(number(*place), 1)],
        reset: Vec::new(),
    }));
    if task.terminate {
        return;
    }
    let mut reset: Vec<u32> = task.cancels_places.iter().map(|p| number(*p)).collect();
    reset.extend(task.cancels_tasks.iter().map(|t| running(*t)));
    reset.sort_unstable();
    reset.dedup();
    let mut end = |post: Vec<Count>| {
        all.push(Transition {
            pre: vec![(running(t), 1)],
            post: sum(post),
            reset: reset.clone(),
        });
    };
    let outputs = task.outputs.iter().map(|a| (number(a.place), a.weight));
    match task.split {
        Split::And | Split::Or => end(outputs.collect()),
        Split::Xor => outputs.for_each(|output| end(vec![output])),
    }
}

/// The places whose tokens can ever turn into tokens of the inputs.
fn backward(places: usize, all: &[Transition], inputs: &[Count]) -> Vec<bool> {
    let mut relevant = vec![false; places];
    let mark = |relevant: &mut Vec<bool>, counts: &[Count]| {
        counts
            .iter()
            .filter(|(p, _)| {
                relevant
                    .get_mut(index(*p))
                    .is_some_and(|r| !std::mem::replace(r, true))
            })
            .count()
            > 0
    };
    mark(&mut relevant, inputs);
    loop {
        let mut changed = false;
        for t in all {
            if t.post.iter().any(|(p, _)| at(&relevant, *p)) {
                changed |= mark(&mut relevant, &t.pre);
            }
        }
        if !changed {
            return relevant;
        }
    }
}

/// Keeps the relevant places, and the transitions that put something there. What only takes never helps to cover.
fn compact(
    sources: &[Source],
    all: Vec<Transition>,
    inputs: &[Count],
    relevant: &[bool],
) -> ResetNet {
    let mut numbers = vec![None; sources.len()];
    let mut kept = Vec::new();
    for ((source, number_of), relevant) in sources.iter().zip(numbers.iter_mut()).zip(relevant) {
        if *relevant {
            *number_of = Some(number(kept.len()));
            kept.push(*source);
        }
    }
    let renumber = |p: u32| numbers.get(index(p)).copied().flatten();
    let counts = |counts: &[Count]| -> Vec<Count> {
        counts
            .iter()
            .filter_map(|(p, n)| Some((renumber(*p)?, *n)))
            .collect()
    };
    let mut transitions: Vec<Transition> = Vec::new();
    for t in all {
        let t = Transition {
            pre: counts(&t.pre),
            post: counts(&t.post),
            reset: t.reset.iter().filter_map(|p| renumber(*p)).collect(),
        };
        if !t.post.is_empty() {
            transitions.push(t);
        }
    }
    let mut producers = vec![Vec::new(); kept.len()];
    for (t, transition) in transitions.iter().enumerate() {
        for (p, _) in &transition.post {
            if let Some(list) = producers.get_mut(index(*p)) {
                list.push(number(t));
            }
        }
    }
    ResetNet {
        runs: runs(&kept),
        sources: kept,
        transitions,
        producers,
        // The order of the task's inputs, not of the places.
        inputs: inputs
            .iter()
            .filter_map(|(p, n)| Some((renumber(*p)?, *n)))
            .collect(),
    }
}

fn arrived(marking: &Marking, first: usize, inputs: usize) -> u32 {
    let slots = marking.slots.iter().skip(first).take(inputs);
    slots.fold(0, |sum, seen| sum.saturating_add(*seen))
}

/// Adds up the counts of equal places, and sorts.
pub(super) fn sum(counts: impl IntoIterator<Item = Count>) -> Vec<Count> {
    let mut counts: Vec<Count> = counts.into_iter().collect();
    counts.sort_unstable();
    counts.dedup_by(|b, a| {
        let same = a.0 == b.0;
        if same {
            a.1 = a.1.saturating_add(b.1);
        }
        same
    });
    counts
}

fn count(counts: &[Count], place: u32) -> u32 {
    let found = counts.iter().find(|c| c.0 == place);
    found.map_or(0, |c| c.1)
}

fn spend(steps: &mut u64, cost: u64) -> Option<()> {
    *steps = steps.checked_sub(cost)?;
    Some(())
}

fn at(flags: &[bool], place: u32) -> bool {
    flags.get(index(place)).copied().unwrap_or(false)
}

/// No net has 2³² places.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
