//! OR-joins (pattern 38): whether one may fire now, or more may still come.
//!
//! An OR-join is enabled when one of its inputs is marked and no marking can be reached, without it firing, that
//! marks a further input while the marked ones stay marked (PATTERNS.md §2; Wynn, Edmond, van der Aalst and ter
//! Hofstede 2005). It is decided on the reset net of its level by backward coverability: exact for nets with loops
//! and cancellation, other OR-joins taken as XOR-joins. Data is ignored: any outcome of a split counts as possible.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use parking_lot::Mutex;

use super::reset_net::{Count, Cover, ResetNet, Restriction, sum};
use super::skeleton::{Join, Marking, Reset, Skeleton};

/// The answer to a question of an OR-join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// The answer takes more steps than the budget has.
    Undecided,
}

/// The OR-joins of one level of a net, ready to be asked. Answers are kept.
///
/// Shared between threads; each join has a lock of its own, held only to look an answer up or to keep one.
///
/// ```
/// use statewright_flow::analysis::{Builder, Decision, Join, OrJoins, Split};
///
/// let mut net = Builder::default();
/// net.task("A", &["i"], &["b", "c"]).split(Split::Or);
/// net.task("B", &["b"], &["b1"]);
/// net.task("C", &["c"], &["c1"]);
/// net.task("D", &["b1", "c1"], &["o"]).join(Join::Or);
/// let net = net.build().unwrap();
/// let joins = OrJoins::new(&net);
/// let d = net.task("D").unwrap();
/// let ask = |names: &[&str]| joins.enabled(d, &net.marking(names).unwrap(), OrJoins::BUDGET);
/// assert_eq!(ask(&["b1"]), Decision::Yes, "C was not chosen");
/// assert_eq!(ask(&["b1", "c"]), Decision::No, "C is to come");
/// assert_eq!(ask(&["b1", "C"]), Decision::No, "C runs");
/// assert_eq!(ask(&["b1", "c1"]), Decision::Yes);
/// ```
#[derive(Debug)]
pub struct OrJoins {
    joins: BTreeMap<usize, OneJoin>,
    restrict: Restriction,
}

#[derive(Debug)]
struct OneJoin {
    net: ResetNet,
    /// The slot of the marking that says that it runs, and those of its inputs with their weights.
    running: usize,
    inputs: Vec<(usize, u32)>,
    memo: Mutex<Memo>,
}

type Memo = HashMap<Box<[u64]>, Kept, BuildHasherDefault<Words>>;

#[derive(Clone, Copy, Debug)]
enum Kept {
    Decided(bool),
    /// Not within so many steps.
    Beyond(u64),
}

/// So many marked places, and one more word, are looked up without taking memory.
const FEW: usize = 16;

/// Answers kept of a join; when there are more, all are forgotten.
const MEMO_MOST: usize = 4096;

impl OrJoins {
    /// A budget for engines: some milliseconds of work at most.
    pub const BUDGET: u64 = 1_000_000;

    /// Prepares every OR-join (local ones too: on nets without cycles the answers are those of their tokens) and
    /// every blocking partial join. O(joins · arcs · depth).
    pub fn new(net: &Skeleton) -> OrJoins {
        let all = Restriction {
            forward: true,
            backward: true,
        };
        OrJoins::with(net, all)
    }

    /// As [`new`](OrJoins::new), without one or both of the restrictions to the part of the net that matters: for
    /// tests, the answers are the same.
    #[doc(hidden)]
    pub fn unrestricted(net: &Skeleton, forward: bool, backward: bool) -> OrJoins {
        OrJoins::with(net, Restriction { forward, backward })
    }

    fn with(net: &Skeleton, restrict: Restriction) -> OrJoins {
        let asks = |join| {
            matches!(
                join,
                Join::Or
                    | Join::Local
                    | Join::Of {
                        reset: Reset::Blocking,
                        ..
                    }
            )
        };
        let joins = net.tasks().iter().enumerate().filter(|(_, t)| asks(t.join));
        let joins = joins.map(|(task, t)| {
            let join = OneJoin {
                net: ResetNet::of(net, task, restrict),
                running: net.places().len().saturating_add(task),
                inputs: t.inputs.iter().map(|a| (a.place, a.weight)).collect(),
                memo: Mutex::default(),
            };
            (task, join)
        });
        OrJoins {
            joins: joins.collect(),
            restrict,
        }
    }

    /// Whether OR-join `task` is enabled in `marking`; `No` for a task that is no OR-join.
    ///
    /// Spends at most `budget` steps (a comparison of two markings, or a step back from one); the answer depends
    /// only on net, marking and budget, but for this: what was once decided stays so for a smaller budget. O(places)
    /// when it was asked before, else as many steps as the basis takes: linear in practice, without a useful bound
    /// in theory.
    pub fn enabled(&self, task: usize, marking: &Marking, budget: u64) -> Decision {
        let Some(join) = self.joins.get(&task) else {
            return Decision::No;
        };
        let holds = |(place, weight): &(usize, u32)| marking.get(*place) >= *weight;
        let marked = join.inputs.iter().filter(|input| holds(input)).count();
        if marked == 0 || marking.get(join.running) > 0 {
            return Decision::No;
        }
        if marked == join.inputs.len() {
            return Decision::Yes;
        }
        let targets = |join: &OneJoin, holds: &[bool]| {
            let inputs = join.net.inputs.iter().zip(holds);
            let (marked, empty): (Vec<_>, Vec<_>) = inputs.partition(|(_, holds)| **holds);
            let and = |more: &Count| sum(marked.iter().map(|(c, _)| **c).chain([*more]));
            empty.iter().map(|(c, _)| and(c)).collect::<Vec<_>>()
        };
        match join.blocked(marking, self.restrict, budget, u32::MAX, |join| {
            let holds: Vec<bool> = join.inputs.iter().map(holds).collect();
            targets(join, &holds)
        }) {
            Cover::Yes => Decision::No,
            Cover::No => Decision::Yes,
            Cover::Exhausted => Decision::Undecided,
        }
    }

    /// Whether `input` (an index in the task's inputs) of a blocking partial join (patterns 28, 31) can still be
    /// marked without the task firing: whether that branch is active. Costs as [`enabled`](OrJoins::enabled).
    pub fn may_arrive(
        &self,
        task: usize,
        input: usize,
        marking: &Marking,
        budget: u64,
    ) -> Decision {
        let Some(join) = self.joins.get(&task) else {
            return Decision::No;
        };
        let Some(target) = join.net.inputs.get(input) else {
            return Decision::No;
        };
        let tag = u32::try_from(input).unwrap_or(u32::MAX);
        match join.blocked(marking, self.restrict, budget, tag, |_| vec![vec![*target]]) {
            Cover::Yes => Decision::Yes,
            Cover::No => Decision::No,
            Cover::Exhausted => Decision::Undecided,
        }
    }
}

impl OneJoin {
    /// Whether one of the targets can be covered; the memo's key is the projected marking and `tag`.
    fn blocked(
        &self,
        marking: &Marking,
        restrict: Restriction,
        budget: u64,
        tag: u32,
        targets: impl Fn(&OneJoin) -> Vec<Vec<Count>>,
    ) -> Cover {
        // Most markings have few tokens: no memory is taken for them.
        let (mut few, mut many, mut length) = ([0_u64; FEW], Vec::new(), 0_usize);
        let mut add = |(place, tokens): Count| {
            let word = u64::from(place) << 32 | u64::from(tokens);
            match few.get_mut(length) {
                Some(free) => *free = word,
                None => many.push(word),
            }
            length = length.saturating_add(1);
        };
        self.net.project(marking, &mut add);
        add((u32::MAX, tag));
        if !many.is_empty() {
            many.extend(few);
        }
        let key = match few.get(..length) {
            Some(key) => key,
            None => many.as_slice(),
        };
        match self.memo.lock().get(key) {
            Some(Kept::Decided(true)) => return Cover::Yes,
            Some(Kept::Decided(false)) => return Cover::No,
            Some(Kept::Beyond(tried)) if *tried >= budget => return Cover::Exhausted,
            _ => {}
        }
        let mut steps = budget;
        let answer = self
            .net
            .covers(marking, &targets(self), restrict, &mut steps);
        let kept = match answer {
            Cover::Yes => Kept::Decided(true),
            Cover::No => Kept::Decided(false),
            Cover::Exhausted => Kept::Beyond(budget),
        };
        let mut memo = self.memo.lock();
        if memo.len() >= MEMO_MOST {
            memo.clear();
        }
        memo.insert(key.into(), kept);
        answer
    }
}

/// A hash of words that takes a nanosecond for eight bytes. Whoever finds collisions slows only his own case, and no
/// more than the memo is long.
#[derive(Clone, Copy, Debug, Default)]
struct Words(u64);

impl Words {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(<[u8; 8]>::try_from(chunk).map_or(0, u64::from_le_bytes));
        }
        for byte in chunks.remainder() {
            self.word(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
