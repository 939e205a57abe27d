//! Soundness: what can be said of every case of a net before one is started.
//!
//! A net is *sound* when every case can always still complete, completes without tokens left behind, and every task
//! can be started in some case (van der Aalst 1997; PATTERNS.md §5). Small nets are decided by going through all
//! their markings. Where there are too many, or without end, reachability is undecidable for nets that cancel, and
//! only *weak* soundness is decided, by coverability: some case can complete, and no task is dead (Wynn et al.
//! 2009). What was decided, how, and within which budget is part of the verdict.

use std::fmt;

use super::orjoin::OrJoins;
use super::reset_net::{Cover, ResetNet, Restriction};
use super::rules::{Doubts, Rules, Step};
use super::skeleton::{Marking, Skeleton};
use super::space::Space;

/// How much work a verification may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The markings that are looked at.
    pub states: usize,
    /// The steps of each OR-join's decision, and of each question of coverability.
    pub steps: u64,
}

impl Default for Budget {
    /// 20,000 markings and [`OrJoins::BUDGET`] steps: about a second at most for hundreds of tasks. Where the markings
    /// are more, each task is a question of coverability.
    fn default() -> Self {
        Budget {
            states: 20_000,
            steps: OrJoins::BUDGET,
        }
    }
}

/// What is known of a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every case can complete from wherever it is, properly, and no task is dead.
    Sound,
    /// Some case can complete and no task is dead; whether every case can was not decided.
    WeaklySound,
    /// There is a case that shows otherwise.
    NotSound,
    /// The budget was too small to tell.
    Undecided,
}

/// How a verdict came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// By all reachable markings.
    StateSpace,
    /// By part of the markings, and backward coverability on the reset net, OR-joins taken as XOR-joins.
    Coverability,
}

/// What is wrong with a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A case gets stuck with tokens left.
    Deadlock,
    /// OR-joins wait for each other.
    ViciousCircle,
    /// A case goes on for ever and can never complete.
    Livelock,
    /// A task that no case can start.
    DeadTask,
    /// A place that gets more and more tokens.
    Unbounded,
    /// A mutex that is taken and can never be free again.
    LeakedMutex,
    /// A case that is ended by a terminating task while there is something left. It is what pattern 43 asks for: a
    /// note.
    LeftOver,
}

impl Verdict {
    /// What it means, in words for who has not met the term.
    pub fn meaning(self) -> &'static str {
        match self {
            Verdict::Sound => "every case can complete, and every task can run",
            Verdict::WeaklySound => {
                "some case completes and every task can run; whether every case can complete was not decided"
            }
            Verdict::NotSound => {
                "it can run, but a case can go wrong as the warnings tell, unless its data rules that out"
            }
            Verdict::Undecided => {
                "it can run; whether every case can complete was too much to look at"
            }
        }
    }

    /// `sound`, `weakly-sound`, `not-sound` or `undecided`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Sound => "sound",
            Verdict::WeaklySound => "weakly-sound",
            Verdict::NotSound => "not-sound",
            Verdict::Undecided => "undecided",
        }
    }
}

impl Method {
    /// `state-space` or `coverability`.
    pub fn name(self) -> &'static str {
        match self {
            Method::StateSpace => "state-space",
            Method::Coverability => "coverability",
        }
    }
}

impl FindingKind {
    /// A short, stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            FindingKind::Deadlock => "may-deadlock",
            FindingKind::ViciousCircle => "vicious-circle",
            FindingKind::Livelock => "may-livelock",
            FindingKind::DeadTask => "dead-task",
            FindingKind::Unbounded => "unbounded-place",
            FindingKind::LeakedMutex => "leaked-mutex",
            FindingKind::LeftOver => "left-over",
        }
    }
}

/// One step of a case that shows a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The task.
    pub task: String,
    /// Whether it starts here.
    pub starts: bool,
    /// Whether it completes here, and which places get tokens.
    pub completes: Option<Vec<String>>,
    /// Whether it fails here instead of completing, and goes on by an error edge.
    pub fails: bool,
}

impl fmt::Display for Event {
    /// `start A`, `complete A -> p, q` or `A -> p, q` for both; `fail A -> p` for a failure that the flow goes on from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.completes {
            None => write!(f, "start {}", self.task)?,
            Some(_) if self.fails => write!(f, "fail {}", self.task)?,
            Some(_) if self.starts => f.write_str(&self.task)?,
            Some(_) => write!(f, "complete {}", self.task)?,
        }
        match self.completes.as_deref() {
            None | Some([]) => Ok(()),
            Some(places) => write!(f, " -> {}", places.join(", ")),
        }
    }
}

/// One thing that is wrong, and a case that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The tasks, places or sections it is about, by name.
    pub about: Vec<String>,
    /// What happens, for people.
    pub message: String,
    /// The steps of a case that lead there from its start; none for a dead task.
    pub trace: Vec<Event>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// How it came about.
    pub method: Method,
    /// Within which budget.
    pub budget: Budget,
    /// How many markings were looked at.
    pub states: usize,
    /// Everything that was found; a dead task is found only when that is certain.
    pub findings: Vec<Finding>,
    /// What kept the verdict from being more, for people; empty for a net that was decided.
    pub limits: Vec<String>,
}

/// So many findings of a kind are told at most.
const FINDINGS_MOST: usize = 10;

/// Verifies one level of a net. Time and memory: `budget.states` markings of O(places + tasks).
///
/// ```
/// use statewright_flow::analysis::{Budget, Builder, FindingKind, Split, Verdict, verify};
///
/// let mut net = Builder::default();
/// net.task("A", &["i"], &["b", "c"]).split(Split::Xor);
/// net.task("B", &["b"], &["d"]);
/// net.task("C", &["c"], &["e"]);
/// net.task("D", &["d", "e"], &[]); // an AND-join after an XOR-split
/// net.tokens("i", 1);
/// let found = verify(&net.build().unwrap(), Budget::default());
/// assert_eq!(found.verdict, Verdict::NotSound);
/// let [stuck, _, dead] = found.findings.as_slice() else { panic!() };
/// assert_eq!((stuck.kind, dead.kind), (FindingKind::Deadlock, FindingKind::DeadTask));
/// let trace: Vec<String> = stuck.trace.iter().map(|e| e.to_string()).collect();
/// assert_eq!(trace, ["A -> b", "B -> d"]);
/// ```
pub fn verify(net: &Skeleton, budget: Budget) -> Verification {
    let rules = Rules::new(net, budget.steps);
    let space = Space::explore(&rules, budget.states.max(1));
    let mut report = Report {
        net,
        rules: &rules,
        space: &space,
        findings: Vec::new(),
        limits: Vec::new(),
        doubts: space.doubts.clone(),
    };
    let completes = report.ends();
    report.unbounded();
    report.mutexes();
    let method = if space.complete {
        report.dead_tasks_of_all_states();
        Method::StateSpace
    } else {
        Method::Coverability
    };
    let weak = space.complete || report.weakly(completes, budget);
    report.say_limits(budget);
    let exact = space.complete && report.doubts.joins.is_empty() && report.doubts.splits.is_empty();
    let wrong = |f: &Finding| f.kind != FindingKind::LeftOver;
    let verdict = if report.findings.iter().any(wrong) {
        Verdict::NotSound
    } else if exact && completes {
        Verdict::Sound
    } else if weak && report.doubts.joins.is_empty() {
        Verdict::WeaklySound
    } else {
        Verdict::Undecided
    };
    Verification {
        verdict,
        method,
        budget,
        states: space.states.len(),
        findings: report.findings,
        limits: report.limits,
    }
}

struct Report<'a> {
    net: &'a Skeleton,
    rules: &'a Rules<'a>,
    space: &'a Space,
    findings: Vec<Finding>,
    limits: Vec<String>,
    doubts: Doubts,
}

impl Report<'_> {
    /// Looks at how cases end; tells whether one completes.
    fn ends(&mut self) -> bool {
        let mut goals = Vec::new();
        let mut stuck: Vec<(usize, Marking)> = Vec::new();
        let mut left_over = None;
        for (at, state) in self.space.states.iter().enumerate() {
            match state.ended {
                Some(left) => {
                    goals.push(at);
                    if left && left_over.is_none() {
                        left_over = Some(at);
                    }
                }
                None if self.is_done(&state.marking) => goals.push(at),
                None if state.next.is_empty() && self.is_expanded(at) => {
                    stuck.push((at, state.marking.clone()));
                }
                None => {}
            }
        }
        for (at, marking) in &stuck {
            self.deadlock(*at, marking);
        }
        if let Some(at) = left_over {
            let what = "a case ends while something is left, which is cancelled";
            self.find(FindingKind::LeftOver, Vec::new(), what.to_owned(), Some(at));
        }
        let completes = !goals.is_empty();
        if self.space.complete && self.doubts.joins.is_empty() {
            let hopeful = self.space.reaching(goals.into_iter());
            let doomed = self.space.reaching(stuck.iter().map(|(at, _)| *at));
            let lost = hopeful.iter().zip(&doomed).position(|(h, d)| !h && !d);
            if let Some(at) = lost {
                let what = "from here the case goes on for ever and can never complete";
                let about = self.loop_of(at);
                self.find(FindingKind::Livelock, about, what.to_owned(), Some(at));
            }
        }
        completes
    }

    /// Nothing runs, and all tokens that are left are in places that lead nowhere: they have arrived. A round that
    /// some branch never came to is no token.
    fn is_done(&self, marking: &Marking) -> bool {
        let consumed = |p: usize| {
            let mut inputs = self.net.tasks().iter().flat_map(|t| &t.inputs);
            inputs.any(|arc| arc.place == p)
        };
        (0..self.net.tasks().len()).all(|t| marking.running(t) == 0)
            && (0..self.net.places().len()).all(|p| marking.tokens(p) == 0 || !consumed(p))
    }

    /// Whether the steps from a state were looked at.
    fn is_expanded(&self, at: usize) -> bool {
        !self.space.growth.iter().any(|g| g.state == at)
            && (self.space.complete || {
                let mut doubts = Doubts::default();
                let marking = self.space.states.get(at).map(|s| &s.marking);
                marking.is_some_and(|m| {
                    (0..self.net.tasks().len())
                        .all(|t| self.rules.steps(m, t, &mut doubts).is_empty())
                        && doubts.joins.is_empty()
                })
            })
    }

    fn deadlock(&mut self, at: usize, marking: &Marking) {
        let mut doubts = Doubts::default();
        let waiting = self.rules.waiting_or_joins(marking);
        for t in 0..self.net.tasks().len() {
            let wants = !self.rules.wants(marking, t, &mut doubts).is_empty();
            if wants && let Some(section) = self.rules.blocked_by_mutex(marking, t) {
                let about = vec![self.section(section), self.task(t)];
                let message = format!(
                    "task {} waits for ever for the mutex that section {} holds",
                    about.last().map_or("", String::as_str),
                    about.first().map_or("", String::as_str)
                );
                return self.find(FindingKind::LeakedMutex, about, message, Some(at));
            }
        }
        if !doubts.joins.is_empty() {
            // It may well be that it goes on.
            return;
        }
        let places = (0..self.net.places().len()).filter(|p| marking.tokens(*p) > 0);
        let places: Vec<String> = places.map(|p| self.place(p)).collect();
        if waiting.is_empty() {
            let message = format!("a case gets stuck with tokens in {}", places.join(", "));
            self.find(FindingKind::Deadlock, places, message, Some(at));
        } else {
            let about: Vec<String> = waiting.iter().map(|t| self.task(*t)).collect();
            let message = format!(
                "or-joins wait for each other: {}; a case gets stuck with tokens in {}",
                about.join(", "),
                places.join(", ")
            );
            self.find(FindingKind::ViciousCircle, about, message, Some(at));
        }
    }

    /// The tasks that go on for ever from a state.
    fn loop_of(&self, at: usize) -> Vec<String> {
        let mut seen = vec![false; self.space.states.len()];
        let mut todo = vec![at];
        let mut tasks = std::collections::BTreeSet::new();
        let mut doubts = Doubts::default();
        while let Some(at) = todo.pop() {
            let fresh = seen
                .get_mut(at)
                .is_some_and(|s| !std::mem::replace(s, true));
            let Some(state) = self.space.states.get(at).filter(|_| fresh) else {
                continue;
            };
            for t in 0..self.net.tasks().len() {
                if !self.rules.steps(&state.marking, t, &mut doubts).is_empty() {
                    tasks.insert(t);
                }
            }
            todo.extend(&state.next);
        }
        tasks.into_iter().map(|t| self.task(t)).collect()
    }

    fn unbounded(&mut self) {
        let mut told = std::collections::BTreeSet::new();
        for growth in &self.space.growth {
            if told.insert(growth.place) {
                let place = self.place(growth.place);
                let message = format!("the tokens in {place} can become more without end");
                let at = Some(growth.state);
                self.find(FindingKind::Unbounded, vec![place], message, at);
            }
        }
    }

    /// Sections that stay active for ever while the case goes on.
    fn mutexes(&mut self) {
        if !self.space.complete
            || self
                .findings
                .iter()
                .any(|f| f.kind == FindingKind::LeakedMutex)
        {
            return;
        }
        for s in 0..self.net.sections().len() {
            let states = self.space.states.iter().enumerate();
            let free = |(_, state): &(usize, &super::space::State)| {
                state.ended.is_some() || !self.rules.is_active(s, &state.marking)
            };
            let freed = self.space.reaching(states.filter(free).map(|(at, _)| at));
            let moving = |at: &usize| {
                freed.get(*at) == Some(&false)
                    && self
                        .space
                        .states
                        .get(*at)
                        .is_some_and(|s| !s.next.is_empty())
            };
            if let Some(at) = (0..self.space.states.len()).find(moving) {
                let name = self.section(s);
                let message = format!("section {name} is entered and can never be left");
                self.find(FindingKind::LeakedMutex, vec![name], message, Some(at));
            }
        }
    }

    fn dead_tasks_of_all_states(&mut self) {
        if !self.doubts.joins.is_empty() {
            return;
        }
        for t in 0..self.net.tasks().len() {
            let undoes = self.net.tasks().get(t).is_some_and(|t| t.undoes);
            if !undoes && !self.space.started.contains(&t) {
                self.dead(t);
            }
        }
    }

    /// What can be decided without all states: whether a case can complete, and which tasks are dead.
    fn weakly(&mut self, completes: bool, budget: Budget) -> bool {
        let all = Restriction {
            forward: true,
            backward: false,
        };
        let reset_net = ResetNet::of(self.net, usize::MAX, all);
        let starts = [Some(self.net.initial()), self.net.after_deadline()];
        let mut decided = completes;
        if !completes {
            self.limits
                .push("no case was seen to complete among the markings looked at".to_owned());
        }
        for t in 0..self.net.tasks().len() {
            let undoes = self.net.tasks().get(t).is_some_and(|t| t.undoes);
            if undoes || self.space.started.contains(&t) {
                continue;
            }
            let running = self.net.places().len().saturating_add(t);
            let target = vec![(u32::try_from(running).unwrap_or(u32::MAX), 1)];
            let mut steps = budget.steps;
            let mut covered = Cover::No;
            for start in starts.iter().flatten() {
                if covered == Cover::No {
                    let target = std::slice::from_ref(&target);
                    covered = reset_net.covers(start, target, all, &mut steps);
                }
            }
            match covered {
                Cover::No => self.dead(t),
                Cover::Yes => {}
                Cover::Exhausted => {
                    decided = false;
                    let task = self.task(t);
                    self.limits
                        .push(format!("whether task {task} is dead was not decided"));
                }
            }
        }
        decided
    }

    fn dead(&mut self, t: usize) {
        let task = self.task(t);
        let message = format!("no case can start task {task}");
        self.find(FindingKind::DeadTask, vec![task], message, None);
    }

    fn say_limits(&mut self, budget: Budget) {
        if !self.space.complete && self.space.growth.is_empty() {
            self.limits
                .push(format!("there are more than {} markings", budget.states));
        } else if !self.space.complete {
            self.limits
                .push("there are markings without end".to_owned());
        }
        for t in &self.doubts.joins {
            let task = self.task(*t);
            self.limits.push(format!(
                "or-join {task} was not decided within {} steps",
                budget.steps
            ));
        }
        for t in &self.doubts.splits {
            let task = self.task(*t);
            self.limits.push(format!(
                "or-split {task} has many outputs: only single ones and all together were tried"
            ));
        }
    }

    /// Keeps a finding, one for each kind and subject, and not too many of a kind.
    fn find(&mut self, kind: FindingKind, about: Vec<String>, message: String, at: Option<usize>) {
        let of_kind = || self.findings.iter().filter(|f| f.kind == kind);
        if of_kind().count() >= FINDINGS_MOST || of_kind().any(|f| f.about == about) {
            return;
        }
        let message = match at.is_some_and(|at| self.space.is_late(at)) {
            true => format!("after the deadline: {message}"),
            false => message,
        };
        let trace = at.map_or(Vec::new(), |at| self.space.trace(at));
        let trace = trace.into_iter().map(|s| self.event(s)).collect();
        self.findings.push(Finding {
            kind,
            about,
            message,
            trace,
        });
    }

    fn event(&self, step: &Step) -> Event {
        let places = |to: &super::rules::Tokens| to.iter().map(|(p, _)| self.place(*p)).collect();
        Event {
            task: self.task(step.task),
            starts: step.starts,
            completes: step.completes.as_ref().map(places),
            fails: step.fails,
        }
    }

    fn task(&self, t: usize) -> String {
        self.net
            .tasks()
            .get(t)
            .map_or(String::new(), |t| t.name.clone())
    }

    fn place(&self, p: usize) -> String {
        self.net
            .places()
            .get(p)
            .map_or(String::new(), |p| p.name.clone())
    }

    fn section(&self, s: usize) -> String {
        let section = self.net.sections().get(s);
        section.map_or(String::new(), |s| s.name.clone())
    }
}
