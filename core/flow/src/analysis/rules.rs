//! The token game of one level of a net, for exploring it: what can start and complete in a marking, and what it
//! leads to.

use std::collections::BTreeSet;

use super::orjoin::{Decision, OrJoins};
use super::skeleton::{Join, Marking, Reset, Skeleton, Split};

/// Tokens of places.
pub(super) type Tokens = Vec<(usize, u32)>;

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub task: usize,
    pub starts: bool,
    /// Where the tokens go when it completes with this step.
    pub completes: Option<Tokens>,
    /// Whether it ends by failing, with a token on an error edge.
    pub fails: bool,
    /// An OR-join that fired with an empty input, a counting join, or a mutex: more tokens could prevent it.
    pub delicate: bool,
}

/// The rules of a net.
pub(super) struct Rules<'a> {
    pub net: &'a Skeleton,
    joins: OrJoins,
    or_budget: u64,
    /// Tasks whose start and completion can be taken as one step without losing an outcome.
    merged: Vec<bool>,
    /// Tasks that commute with everything else: when one is enabled, the others can wait.
    local: Vec<bool>,
    /// The sections of every task.
    sections: Vec<Vec<usize>>,
}

/// OR-splits with more outputs are explored with single outputs and all of them only.
const SUBSETS_MOST: usize = 8;

/// What came up while looking at a marking that keeps the answer from being exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    /// OR-joins that were not decided within their budget.
    pub joins: BTreeSet<usize>,
    /// OR-splits with too many outputs.
    pub splits: BTreeSet<usize>,
}

impl<'a> Rules<'a> {
    pub fn new(net: &'a Skeleton, or_budget: u64) -> Rules<'a> {
        let mut sections = vec![Vec::new(); net.tasks().len()];
        for (s, section) in net.sections().iter().enumerate() {
            for t in &section.tasks {
                if let Some(of) = sections.get_mut(*t) {
                    of.push(s);
                }
            }
        }
        let uses = Uses::of(net);
        let tasks = 0..net.tasks().len();
        let free = |t: &usize| sections.get(*t).is_some_and(Vec::is_empty);
        let merged = tasks
            .clone()
            .map(|t| free(&t) && (uses.starts_late(net, t) || uses.completes_early(net, t)));
        // What ends the case early commutes with nothing.
        let ends_early = net.tasks().iter().any(|t| t.terminate);
        let local = tasks.map(|t| !ends_early && free(&t) && uses.commutes(net, t));
        Rules {
            net,
            joins: OrJoins::new(net),
            or_budget,
            merged: merged.collect(),
            local: local.collect(),
            sections,
        }
    }

    /// Whether the task commutes with all others: firing it first loses nothing.
    pub fn is_local(&self, task: usize) -> bool {
        self.local.get(task).copied().unwrap_or(false)
    }

    /// The steps that are possible with one task.
    pub fn steps(&self, now: &Marking, t: usize, doubts: &mut Doubts) -> Vec<(Step, Marking)> {
        let mut found = Vec::new();
        if now.running(t) > 0 {
            for to in self.produces(t, doubts) {
                let after = self.complete(now, t, &to);
                found.push((step(t, false, Some(to), false), after));
            }
            found.extend(self.failures(now, t, false, false));
            return found;
        }
        let mutex = self
            .sections
            .get(t)
            .is_some_and(|sections| !sections.is_empty());
        let merged = self.merged.get(t).copied().unwrap_or(false);
        for (take, delicate) in self.takes(now, t, doubts) {
            let started = self.start(now, t, &take);
            let delicate = delicate || mutex;
            if merged {
                for to in self.produces(t, doubts) {
                    let after = self.complete(&started, t, &to);
                    found.push((step(t, true, Some(to), delicate), after));
                }
                found.extend(self.failures(&started, t, true, delicate));
            } else {
                let after = self.settle(started);
                found.push((step(t, true, None, delicate), after));
            }
        }
        found
    }

    /// The ways in which a task that runs can fail and the case go on.
    fn failures(
        &self,
        now: &Marking,
        t: usize,
        starts: bool,
        delicate: bool,
    ) -> impl Iterator<Item = (Step, Marking)> {
        let places = self.net.tasks().get(t).map(|task| task.fails_to.as_slice());
        places.unwrap_or_default().iter().map(move |place| {
            let mut next = now.clone();
            next.set_running(t, 0);
            next.set_tokens(*place, next.tokens(*place).saturating_add(1));
            let step = Step {
                fails: true,
                ..step(t, starts, Some(vec![(*place, 1)]), delicate)
            };
            (step, self.settle(next))
        })
    }

    /// The OR-joins that have a token and wait for more.
    pub fn waiting_or_joins(&self, now: &Marking) -> Vec<usize> {
        let tasks = self.net.tasks().iter().enumerate();
        tasks
            .filter(|(_, t)| t.join == Join::Or)
            .filter(|(_, t)| t.inputs.iter().any(|a| now.tokens(a.place) >= a.weight))
            .map(|(t, _)| t)
            .collect()
    }

    /// The sections that are active, by what is in them.
    pub fn is_active(&self, section: usize, now: &Marking) -> bool {
        self.net.sections().get(section).is_some_and(|s| {
            s.tasks.iter().any(|t| now.running(*t) > 0)
                || s.places.iter().any(|p| now.tokens(*p) > 0)
        })
    }

    /// The mutex that keeps a task with all its tokens from starting, as the section that is active.
    pub fn blocked_by_mutex(&self, now: &Marking, t: usize) -> Option<usize> {
        let own = self.sections.get(t)?;
        let mutex_of = |s: &usize| self.net.sections().get(*s).map(|section| section.mutex);
        let mutexes: Vec<Option<usize>> = own.iter().map(mutex_of).collect();
        (0..self.net.sections().len()).find(|other| {
            !own.contains(other)
                && mutexes.contains(&mutex_of(other))
                && self.is_active(*other, now)
        })
    }

    /// Whether the tokens for a start are there, mutexes left aside; and what it would consume.
    fn takes(&self, now: &Marking, t: usize, doubts: &mut Doubts) -> Vec<(Tokens, bool)> {
        if self.blocked_by_mutex(now, t).is_some() {
            return Vec::new();
        }
        self.wants(now, t, doubts)
    }

    /// The ways to start when only the mutexes are left aside.
    pub fn wants(&self, now: &Marking, t: usize, doubts: &mut Doubts) -> Vec<(Tokens, bool)> {
        let Some(task) = self.net.tasks().get(t) else {
            return Vec::new();
        };
        let arcs = task.inputs.iter().map(|a| (a.place, a.weight));
        let holds = |(place, weight): &(usize, u32)| now.tokens(*place) >= *weight;
        let marked: Tokens = arcs.clone().filter(holds).collect();
        let all = marked.len() == task.inputs.len();
        let mut ways = match task.join {
            _ if marked.is_empty() => Vec::new(),
            Join::And if all => vec![(marked, false)],
            Join::And => Vec::new(),
            Join::Xor => marked.into_iter().map(|one| (vec![one], false)).collect(),
            Join::Or | Join::Local if all => vec![(marked, false)],
            // On a net without cycles, what can still come is what the false tokens have not ruled out.
            Join::Or | Join::Local => match self.joins.enabled(t, now, self.or_budget) {
                Decision::Yes => vec![(marked, true)],
                Decision::No => Vec::new(),
                Decision::Undecided => {
                    doubts.joins.insert(t);
                    Vec::new()
                }
            },
            Join::Of { n, .. } => {
                let fresh = !self.round_has_fired(now, t);
                let enough = usize::try_from(n).is_ok_and(|n| marked.len() >= n);
                let fires = (fresh && enough).then_some((marked, true));
                fires.into_iter().collect()
            }
        };
        // A tested token must be there beside those that are consumed.
        ways.retain(|(take, _)| {
            task.tests.iter().all(|p| {
                let taken = take.iter().find(|(q, _)| q == p).map_or(0, |(_, n)| *n);
                now.tokens(*p) > taken
            })
        });
        ways
    }

    fn round_has_fired(&self, now: &Marking, t: usize) -> bool {
        let inputs = self.net.tasks().get(t).map_or(0, |task| task.inputs.len());
        (0..inputs).any(|i| now.seen(self.net, t, i))
    }

    fn start(&self, now: &Marking, t: usize, take: &Tokens) -> Marking {
        let mut next = now.clone();
        for (place, tokens) in take {
            next.set_tokens(*place, next.tokens(*place).saturating_sub(*tokens));
        }
        next.set_running(t, 1);
        if let Some(task) = self.net.tasks().get(t)
            && let Join::Of { reset, .. } = task.join
            && reset != Reset::Cancel
        {
            for (i, arc) in task.inputs.iter().enumerate() {
                if take.iter().any(|(p, _)| *p == arc.place) {
                    next.set_seen(self.net, t, i, true);
                }
            }
        }
        next
    }

    fn complete(&self, now: &Marking, t: usize, to: &Tokens) -> Marking {
        let mut next = now.clone();
        next.set_running(t, 0);
        if let Some(task) = self.net.tasks().get(t) {
            task.cancels_places
                .iter()
                .for_each(|p| next.set_tokens(*p, 0));
            for u in &task.cancels_tasks {
                next.set_running(*u, 0);
                let inputs = self.net.tasks().get(*u).map_or(0, |u| u.inputs.len());
                (0..inputs).for_each(|i| next.set_seen(self.net, *u, i, false));
            }
        }
        for (place, tokens) in to {
            next.set_tokens(*place, next.tokens(*place).saturating_add(*tokens));
        }
        self.settle(next)
    }

    /// Fired rounds absorb what arrives, and end.
    fn settle(&self, mut now: Marking) -> Marking {
        for (t, task) in self.net.tasks().iter().enumerate() {
            let Join::Of { reset, .. } = task.join else {
                continue;
            };
            if !self.round_has_fired(&now, t) {
                continue;
            }
            for (i, arc) in task.inputs.iter().enumerate() {
                let left = now.tokens(arc.place).checked_sub(arc.weight);
                if let (false, Some(left)) = (now.seen(self.net, t, i), left) {
                    now.set_tokens(arc.place, left);
                    now.set_seen(self.net, t, i, true);
                }
            }
            let open = (0..task.inputs.len()).filter(|i| !now.seen(self.net, t, *i));
            let over = match reset {
                Reset::Blocking => open
                    .into_iter()
                    .all(|i| self.joins.may_arrive(t, i, &now, self.or_budget) == Decision::No),
                Reset::All | Reset::Cancel => open.count() == 0,
            };
            if over {
                (0..task.inputs.len()).for_each(|i| now.set_seen(self.net, t, i, false));
            }
        }
        now
    }

    /// The ways in which a completion produces.
    fn produces(&self, t: usize, doubts: &mut Doubts) -> Vec<Tokens> {
        let Some(task) = self.net.tasks().get(t) else {
            return Vec::new();
        };
        let all: Tokens = task.outputs.iter().map(|a| (a.place, a.weight)).collect();
        match task.split {
            _ if all.len() < 2 => vec![all],
            Split::And => vec![all],
            Split::Xor => all.into_iter().map(|one| vec![one]).collect(),
            Split::Or if all.len() <= SUBSETS_MOST => {
                let sets = 1_u32..1 << all.len();
                let chosen = |set: u32| {
                    let arcs = all.iter().enumerate();
                    let arcs = arcs.filter(|(i, _)| set >> i & 1 == 1);
                    arcs.map(|(_, arc)| *arc).collect()
                };
                sets.map(chosen).collect()
            }
            Split::Or => {
                doubts.splits.insert(t);
                let one = all.iter().map(|one| vec![*one]);
                one.chain([all.clone()]).collect()
            }
        }
    }
}

fn step(task: usize, starts: bool, completes: Option<Tokens>, delicate: bool) -> Step {
    Step {
        task,
        starts,
        completes,
        fails: false,
        delicate,
    }
}

/// Who touches what, for the reductions.
struct Uses {
    /// By place: how many tasks consume from it, whether one tests it, whether one empties it, whether it leads to a
    /// counting join.
    consumers: Vec<u32>,
    tested: Vec<bool>,
    emptied: Vec<bool>,
    counted: Vec<bool>,
    /// By task: whether another stops it.
    stopped: Vec<bool>,
}

impl Uses {
    fn of(net: &Skeleton) -> Uses {
        let places = net.places().len();
        let mut uses = Uses {
            consumers: vec![0; places],
            tested: vec![false; places],
            emptied: vec![false; places],
            counted: vec![false; places],
            stopped: vec![false; net.tasks().len()],
        };
        fn mark(flags: &mut [bool], at: usize) {
            if let Some(flag) = flags.get_mut(at) {
                *flag = true;
            }
        }
        for task in net.tasks() {
            for arc in &task.inputs {
                if let Some(n) = uses.consumers.get_mut(arc.place) {
                    *n = n.saturating_add(1);
                }
                if matches!(task.join, Join::Of { .. }) {
                    mark(&mut uses.counted, arc.place);
                }
            }
            task.tests.iter().for_each(|p| mark(&mut uses.tested, *p));
            task.cancels_places
                .iter()
                .for_each(|p| mark(&mut uses.emptied, *p));
            task.cancels_tasks
                .iter()
                .for_each(|t| mark(&mut uses.stopped, *t));
        }
        for section in net.sections() {
            // A token in a section holds a mutex.
            section
                .places
                .iter()
                .for_each(|p| mark(&mut uses.emptied, *p));
        }
        uses
    }

    fn flag(flags: &[bool], at: usize) -> bool {
        flags.get(at).copied().unwrap_or(true)
    }

    /// Nobody could tell whether it had started earlier: its inputs are its own and nobody empties them.
    fn starts_late(&self, net: &Skeleton, t: usize) -> bool {
        let Some(task) = net.tasks().get(t) else {
            return false;
        };
        let own = |p: usize| {
            self.consumers.get(p).is_some_and(|n| *n == 1)
                && !Uses::flag(&self.emptied, p)
                && !Uses::flag(&self.tested, p)
        };
        !Uses::flag(&self.stopped, t)
            && task.tests.is_empty()
            && matches!(task.join, Join::And | Join::Xor)
            && task.inputs.iter().all(|a| own(a.place))
    }

    /// Nobody could tell whether it completed later: it stops nothing and nobody empties its outputs.
    fn completes_early(&self, net: &Skeleton, t: usize) -> bool {
        !Uses::flag(&self.stopped, t)
            && self.produces_only(net, t)
            && self.outputs_are_plain(net, t)
    }

    /// Nobody empties its outputs, and the order in which they arrive says nothing.
    fn outputs_are_plain(&self, net: &Skeleton, t: usize) -> bool {
        net.tasks().get(t).is_some_and(|task| {
            let places = task.outputs.iter().map(|a| &a.place);
            places
                .chain(&task.fails_to)
                .all(|p| !Uses::flag(&self.emptied, *p) && !Uses::flag(&self.counted, *p))
        })
    }

    fn produces_only(&self, net: &Skeleton, t: usize) -> bool {
        net.tasks().get(t).is_some_and(|task| {
            task.cancels_places.is_empty() && task.cancels_tasks.is_empty() && !task.terminate
        })
    }

    /// It and anything else may fire in either order, with the same outcome.
    fn commutes(&self, net: &Skeleton, t: usize) -> bool {
        self.starts_late(net, t) && self.produces_only(net, t) && self.outputs_are_plain(net, t)
    }
}
