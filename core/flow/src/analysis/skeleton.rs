//! The control-flow structure of one level of a net.
//!
//! Places hold counters of tokens; a task has a join and a split. A task's start consumes, its completion empties its
//! cancellation region and then produces (PATTERNS.md §0, §3; YAWL). Between the two it is *running*, and a running
//! task is seen as a token in a place of its own, `p_t`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// When a task is enabled, and what its start consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Join {
    /// Every input holds its weight; all of them are consumed (patterns 3, 33, 41).
    And,
    /// Some input holds its weight; that one is consumed (patterns 5, 8).
    Xor,
    /// Some input holds its weight and no more can come for the others; all marked ones are consumed (patterns 7,
    /// 38).
    Or,
    /// Every input has a true or a false token, and one is true; decided from the join's own inputs (pattern 37).
    Local,
    /// Inputs are counted as they arrive, each once a round; the `n`-th arrival fires (patterns 9, 28–32).
    Of {
        /// At the how many-th arrival it fires; from 1 to the number of inputs.
        n: u32,
        /// When the next round begins.
        reset: Reset,
    },
}

/// When a discriminator or partial join begins its next round (PATTERNS.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// When all inputs have arrived; a second token on an input before that is a modelling error (9, 30).
    All,
    /// When all inputs that can still come have arrived; a second token on an input is held for the next round (28,
    /// 31).
    Blocking,
    /// At once; the task's cancellation region removes what is left of the round (29, 32).
    Cancel,
}

/// Where a completed task's tokens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Every output.
    And,
    /// One output.
    Xor,
    /// One output or more.
    Or,
}

/// An arc between a task and a place, and how many tokens it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weighted {
    /// The index of the place.
    pub place: usize,
    /// The tokens; at least 1.
    pub weight: u32,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, as users know it: `p`, or `A>B` for an edge.
    pub name: String,
    /// The tokens of a new case.
    pub tokens: u32,
}

/// A task. The default is an automatic AND task without arcs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// When it is enabled.
    pub join: Join,
    /// Where its tokens go.
    pub split: Split,
    /// What its start consumes; a place is named once (weights say how much).
    pub inputs: Vec<Weighted>,
    /// What its completion produces; none for an end task.
    pub outputs: Vec<Weighted>,
    /// Places that must be marked for it to start, and keep their tokens (pattern 18).
    pub tests: Vec<usize>,
    /// Places that its completion empties before it produces.
    pub cancels_places: Vec<usize>,
    /// Tasks that its completion stops before it produces; itself without effect.
    pub cancels_tasks: Vec<usize>,
    /// Whether it runs as several instances. The analysis sees one run.
    pub multiple: bool,
    /// Whether it runs a sub-flow. The analysis sees a task that completes.
    pub composite: bool,
    /// Whether its start needs something from outside: a host, a signal, a time.
    pub external: bool,
    /// Whether its completion ends the case at once, whatever is left (pattern 43).
    pub terminate: bool,
    /// Places of which one gets a token when it fails instead of completing; nothing is emptied then, and nothing
    /// ends. None for a task whose failure is the case's.
    pub fails_to: Vec<usize>,
    /// Whether it only ever undoes another: it has no arcs, and no token starts it.
    pub undoes: bool,
}

impl Default for Task {
    fn default() -> Self {
        Task {
            name: String::new(),
            join: Join::And,
            split: Split::And,
            inputs: Vec::new(),
            outputs: Vec::new(),
            tests: Vec::new(),
            cancels_places: Vec::new(),
            cancels_tasks: Vec::new(),
            multiple: false,
            composite: false,
            external: false,
            terminate: false,
            fails_to: Vec::new(),
            undoes: false,
        }
    }
}

/// A part of the net of which only one of the same mutex is active at a time (patterns 17, 39, 40).
///
/// A section is active while one of its tasks runs or one of its inner places is marked, so that leaving it in
/// whatever way (completion, cancellation) frees the mutex: there is no token that could be lost. A task of its own
/// `mutex` is a section of one task without inner places. A task may start only if no *other* section with the same
/// mutex is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, for messages.
    pub name: String,
    /// The number of the mutex; sections of equal numbers exclude each other.
    pub mutex: usize,
    /// Its tasks.
    pub tasks: Vec<usize>,
    /// The places between its tasks.
    pub places: Vec<usize>,
}

/// What is wrong with the parts given to [`Skeleton::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a net: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// The control-flow structure of one level of a net; every index in it is valid.
///
/// ```
/// use statewright_flow::analysis::{Builder, Join, Split};
///
/// let mut net = Builder::default();
/// net.task("A", &["i"], &["b", "c"]).split(Split::Or);
/// net.task("B", &["b"], &["b1"]);
/// net.task("C", &["c"], &["c1"]).cancels(&["b"]);
/// net.task("D", &["b1", "c1"], &[]).join(Join::Or);
/// net.tokens("i", 1);
/// let net = net.build().unwrap();
/// assert_eq!(net.tasks().len(), 4);
/// let start = net.initial();
/// assert_eq!(start.tokens(net.place("i").unwrap()), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    places: Vec<Place>,
    tasks: Vec<Task>,
    sections: Vec<Section>,
    /// The first `seen` slot of every task, counted from the first of all; and the number of all slots.
    seen: Vec<usize>,
    slots: usize,
    /// Where a case goes on after its deadline.
    late: Option<usize>,
}

impl Skeleton {
    /// Checks the parts and puts them together. O(arcs · log).
    ///
    /// # Errors
    /// An index beyond its list, a weight of 0, a place twice among the inputs of a task, an `n` of a
    /// [`Join::Of`] that is 0 or more than the inputs.
    pub fn new(
        places: Vec<Place>,
        tasks: Vec<Task>,
        sections: Vec<Section>,
    ) -> Result<Skeleton, Malformed> {
        let bad = |what: String| Err(Malformed(what));
        for task in &tasks {
            let arcs = task.inputs.iter().chain(&task.outputs);
            if arcs.clone().any(|a| a.weight == 0) {
                return bad(format!("task {} has an arc of weight 0", task.name));
            }
            let ends = arcs.map(|a| &a.place);
            let tests = task.tests.iter().chain(&task.cancels_places);
            let tests = tests.chain(&task.fails_to);
            if ends.chain(tests).any(|p| *p >= places.len())
                || task.cancels_tasks.iter().any(|t| *t >= tasks.len())
            {
                return bad(format!("task {} names what is not there", task.name));
            }
            let distinct: BTreeSet<usize> = task.inputs.iter().map(|a| a.place).collect();
            if distinct.len() != task.inputs.len() {
                return bad(format!("task {} has an input twice", task.name));
            }
            if let Join::Of { n, .. } = task.join
                && (n == 0 || usize::try_from(n).is_ok_and(|n| n > task.inputs.len()))
            {
                return bad(format!("task {} waits for {n} of its inputs", task.name));
            }
        }
        for section in &sections {
            if section.tasks.iter().any(|t| *t >= tasks.len())
                || section.places.iter().any(|p| *p >= places.len())
            {
                return bad(format!("section {} names what is not there", section.name));
            }
        }
        let base = places.len().saturating_add(tasks.len());
        let mut slots = base;
        let mut seen = Vec::with_capacity(tasks.len());
        for task in &tasks {
            seen.push(slots);
            if matches!(task.join, Join::Of { .. }) {
                slots = slots.saturating_add(task.inputs.len());
            }
        }
        Ok(Skeleton {
            places,
            tasks,
            sections,
            seen,
            slots,
            late: None,
        })
    }

    /// Says that a case can lose all that it has at any time, and go on with one token in this place alone: its
    /// deadline. A place that is not there changes nothing.
    #[must_use]
    pub fn with_deadline(mut self, place: usize) -> Skeleton {
        self.late = Some(place).filter(|p| *p < self.places.len());
        self
    }

    /// The places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The tasks.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The sections of mutexes.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The place of a name. O(places).
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.iter().position(|p| p.name == name)
    }

    /// The task of a name. O(tasks).
    pub fn task(&self, name: &str) -> Option<usize> {
        self.tasks.iter().position(|t| t.name == name)
    }

    /// A marking without tokens.
    pub fn empty(&self) -> Marking {
        Marking {
            slots: vec![0; self.slots],
            places: self.places.len(),
        }
    }

    /// The marking of a new case.
    pub fn initial(&self) -> Marking {
        let mut marking = self.empty();
        for (place, p) in self.places.iter().enumerate() {
            marking.set_tokens(place, p.tokens);
        }
        marking
    }

    /// The marking of a case after its deadline, if it goes on then.
    pub fn after_deadline(&self) -> Option<Marking> {
        let mut marking = self.empty();
        marking.set_tokens(self.late?, 1);
        Some(marking)
    }

    /// A marking from names: each name of a place is a token in it, each name of a task a run of it. `None` for a
    /// name that is neither. O(names · (places + tasks)).
    pub fn marking(&self, names: &[&str]) -> Option<Marking> {
        let mut marking = self.empty();
        for name in names {
            match (self.place(name), self.task(name)) {
                (Some(place), _) => {
                    marking.set_tokens(place, marking.tokens(place).saturating_add(1));
                }
                (None, Some(task)) => {
                    marking.set_running(task, marking.running(task).saturating_add(1));
                }
                (None, None) => return None,
            }
        }
        Some(marking)
    }

    /// The slot of a [`Join::Of`] that says whether the task's `input` (an index in its inputs) has arrived in this
    /// round; meaningless for others.
    pub(crate) fn seen_slot(&self, task: usize, input: usize) -> usize {
        self.seen
            .get(task)
            .map_or(self.slots, |first| first.saturating_add(input))
    }
}

/// How many tokens are where: tokens of places, runs of tasks, and what the joins of [`Join::Of`] have seen.
///
/// Flat: one counter a slot, places first, then tasks. Made by [`Skeleton::empty`]; indices beyond its skeleton read
/// 0 and write nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marking {
    pub(crate) slots: Vec<u32>,
    places: usize,
}

impl Marking {
    /// The tokens of a place.
    pub fn tokens(&self, place: usize) -> u32 {
        if place < self.places {
            self.get(place)
        } else {
            0
        }
    }

    /// The places that have tokens, and how many, in order.
    pub fn marked(&self) -> impl Iterator<Item = (usize, u32)> + use<'_> {
        let places = self.slots.iter().take(self.places).copied().enumerate();
        places.filter(|(_, tokens)| *tokens > 0)
    }

    /// Sets the tokens of a place.
    pub fn set_tokens(&mut self, place: usize, tokens: u32) {
        if place < self.places {
            self.set(place, tokens);
        }
    }

    /// How often a task runs: 0 or 1 in an engine.
    pub fn running(&self, task: usize) -> u32 {
        self.get(self.places.saturating_add(task))
    }

    /// Sets how often a task runs.
    pub fn set_running(&mut self, task: usize, runs: u32) {
        self.set(self.places.saturating_add(task), runs);
    }

    /// Whether a [`Join::Of`] has counted its `input`, an index in the task's inputs, in this round.
    pub fn seen(&self, skeleton: &Skeleton, task: usize, input: usize) -> bool {
        self.get(skeleton.seen_slot(task, input)) > 0
    }

    /// Says whether a [`Join::Of`] has counted its `input` in this round. A round has fired when any is counted:
    /// what waits for the n-th arrival waits as tokens in the places.
    pub fn set_seen(&mut self, skeleton: &Skeleton, task: usize, input: usize, seen: bool) {
        let of = skeleton
            .tasks
            .get(task)
            .is_some_and(|t| matches!(t.join, Join::Of { .. }) && input < t.inputs.len());
        if of {
            self.set(skeleton.seen_slot(task, input), u32::from(seen));
        }
    }

    /// Forgets all tokens; keeps its memory.
    pub fn clear(&mut self) {
        self.slots.fill(0);
    }

    pub(crate) fn get(&self, slot: usize) -> u32 {
        self.slots.get(slot).copied().unwrap_or(0)
    }

    pub(crate) fn set(&mut self, slot: usize, count: u32) {
        if let Some(found) = self.slots.get_mut(slot) {
            *found = count;
        }
    }
}

/// Puts a skeleton together by names: for tests and tools. Places appear when they are first named.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    places: Vec<Place>,
    index: BTreeMap<String, usize>,
    tasks: Vec<Task>,
    sections: Vec<Section>,
    cancels: Vec<(usize, String)>,
}

impl Builder {
    /// Adds a task with an AND-join and an AND-split. A place named twice has weight 2, and so on.
    pub fn task(&mut self, name: &str, inputs: &[&str], outputs: &[&str]) -> TaskBuilder<'_> {
        let inputs = self.arcs(inputs);
        let outputs = self.arcs(outputs);
        self.tasks.push(Task {
            name: name.to_owned(),
            inputs,
            outputs,
            ..Task::default()
        });
        TaskBuilder {
            task: self.tasks.len().saturating_sub(1),
            builder: self,
        }
    }

    /// Says how many tokens a place has in a new case.
    pub fn tokens(&mut self, place: &str, tokens: u32) -> &mut Self {
        let place = self.place(place);
        if let Some(p) = self.places.get_mut(place) {
            p.tokens = tokens;
        }
        self
    }

    /// Adds a section of mutex number `mutex`: tasks by name, and inner places.
    pub fn section(&mut self, mutex: usize, tasks: &[&str], places: &[&str]) -> &mut Self {
        let places = places.iter().map(|p| self.place(p)).collect();
        let named = |name: &&str| self.tasks.iter().position(|t| t.name == *name);
        let tasks = tasks
            .iter()
            .map(|name| named(name).unwrap_or(usize::MAX))
            .collect();
        self.sections.push(Section {
            name: format!("s{}", self.sections.len()),
            mutex,
            tasks,
            places,
        });
        self
    }

    /// The skeleton.
    ///
    /// # Errors
    /// As [`Skeleton::new`]; and a cancelled name that is neither task nor place.
    pub fn build(mut self) -> Result<Skeleton, Malformed> {
        for (task, name) in std::mem::take(&mut self.cancels) {
            let place = self.index.get(&name).copied();
            let other = self.tasks.iter().position(|t| t.name == name);
            let Some(task) = self.tasks.get_mut(task) else {
                continue;
            };
            match (place, other) {
                (Some(place), _) => task.cancels_places.push(place),
                (None, Some(other)) => task.cancels_tasks.push(other),
                (None, None) => return Err(Malformed(format!("{name} is not in it"))),
            }
        }
        Skeleton::new(self.places, self.tasks, self.sections)
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.index.get(name) {
            return *place;
        }
        self.places.push(Place {
            name: name.to_owned(),
            tokens: 0,
        });
        let place = self.places.len().saturating_sub(1);
        self.index.insert(name.to_owned(), place);
        place
    }

    fn arcs(&mut self, names: &[&str]) -> Vec<Weighted> {
        let mut arcs: Vec<Weighted> = Vec::with_capacity(names.len());
        for name in names {
            let place = self.place(name);
            match arcs.iter_mut().find(|a| a.place == place) {
                Some(arc) => arc.weight = arc.weight.saturating_add(1),
                None => arcs.push(Weighted { place, weight: 1 }),
            }
        }
        arcs
    }
}

/// The task that was just added to a [`Builder`].
#[derive(Debug)]
pub struct TaskBuilder<'a> {
    builder: &'a mut Builder,
    task: usize,
}

impl TaskBuilder<'_> {
    /// Says when it is enabled.
    pub fn join(self, join: Join) -> Self {
        self.edit(|t| t.join = join)
    }

    /// Says where its tokens go.
    pub fn split(self, split: Split) -> Self {
        self.edit(|t| t.split = split)
    }

    /// Adds tasks and places to its cancellation region; they may be added to the net later.
    pub fn cancels(self, names: &[&str]) -> Self {
        for name in names {
            self.builder.cancels.push((self.task, (*name).to_owned()));
        }
        self
    }

    /// Adds places that it tests.
    pub fn tests(self, places: &[&str]) -> Self {
        for name in places {
            let place = self.builder.place(name);
            if let Some(task) = self.builder.tasks.get_mut(self.task) {
                task.tests.push(place);
            }
        }
        self
    }

    /// Adds places of which one gets a token when it fails.
    pub fn fails_to(self, places: &[&str]) -> Self {
        for name in places {
            let place = self.builder.place(name);
            if let Some(task) = self.builder.tasks.get_mut(self.task) {
                task.fails_to.push(place);
            }
        }
        self
    }

    /// Says that its completion ends the case.
    pub fn terminate(self) -> Self {
        self.edit(|t| t.terminate = true)
    }

    /// Changes the task in any other way.
    pub fn edit(self, change: impl FnOnce(&mut Task)) -> Self {
        if let Some(task) = self.builder.tasks.get_mut(self.task) {
            change(task);
        }
        self
    }
}
