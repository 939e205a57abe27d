//! From tasks, places and edges to a net.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check;
use super::explore;
use super::failing;
use super::read::{CatchSpec, Flow, Level, Name, Task as SpecTask, ThenSpec, listed};
use super::regions;
use crate::analysis::OrJoins;
use crate::names::closest;
use crate::net::{
    self, CaseDeadline, Catch, Edge, FlowRef, Input, Join, Names, Net, Place, PlaceId, Region,
    Split, TaskId, TaskKind, Then,
};
use crate::problem::{Pos, Problems};

/// Most edges of a flow.
const MAX_EDGES: usize = 10_000;
/// What cannot be the name of an explicit place, since the implicit first one is called so.
const START: &str = "start";

/// What all nets of a spec share.
pub(super) struct Spec<'a> {
    pub source: Arc<str>,
    pub dir: Option<&'a str>,
    pub hash: String,
    pub version: u64,
    /// The main flow's name.
    pub main: String,
    /// The names under `flows`.
    pub flows: Vec<String>,
}

/// Builds the net with those it calls; none if there are errors that leave nothing to run.
pub(super) fn build(
    flow: Flow,
    source: &str,
    dir: Option<&str>,
    hash: String,
    problems: &mut Problems,
) -> Option<Net> {
    let spec = Spec {
        source: source.into(),
        dir,
        hash,
        version: flow.version,
        main: flow.main.name.clone(),
        flows: flow.flows.iter().map(|f| f.name.clone()).collect(),
    };
    let mut flows = BTreeMap::new();
    for level in flow.flows {
        let (name, at) = (level.name.clone(), level.at);
        if name == spec.main {
            let help = "the main flow can be called by its own name; give this one another";
            let message = format!("`{name}` is the name of the main flow");
            problems.error(at, "bad-name", message, help);
        }
        if let Some(net) = level_net(level, &spec, problems) {
            flows.insert(name, Arc::new(net));
        }
    }
    let mut net = level_net(flow.main, &spec, problems)?;
    net.flows = flows;
    net.document = flow.document;
    net.schedule = flow.schedule;
    Some(net)
}

/// One net under construction. Indices of tasks are those of the spec.
pub(super) struct Graph {
    pub places: Vec<Place>,
    pub inputs: Vec<Vec<Input>>,
    pub outputs: Vec<Vec<Edge>>,
    /// The places that the lines of `on_error` lead to; none for those that lead nowhere.
    pub errors: Vec<Vec<Option<PlaceId>>>,
    /// The tasks that undo others.
    pub undoes: Vec<bool>,
    /// The tasks and places with an edge into each task, for messages.
    pub from: Vec<Vec<String>>,
    pub start: PlaceId,
    /// Where a case goes on after its deadline.
    pub late: Option<PlaceId>,
    /// Whether every name was found.
    pub whole: bool,
}

/// Where names lead.
struct Finder<'l> {
    tasks: BTreeMap<&'l str, TaskId>,
    places: BTreeMap<&'l str, PlaceId>,
}

impl<'l> Finder<'l> {
    fn names(&self) -> impl Iterator<Item = &'l str> {
        self.tasks.keys().chain(self.places.keys()).copied()
    }

    fn unknown(&self, name: &str, at: Pos, what: &str, problems: &mut Problems) {
        let help = match closest(name, self.names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => {
                let names: Vec<&str> = self.names().take(20).collect();
                format!("there are {}", listed(&names))
            }
        };
        let message = format!("there is no {what} `{name}`");
        problems.error(at, "unknown-task", message, help);
    }
}

fn level_net(level: Level, spec: &Spec<'_>, problems: &mut Problems) -> Option<Net> {
    let of_tasks = level
        .tasks
        .iter()
        .map(|t| t.next.len().saturating_add(t.on_error.len()));
    let of_places = level.places.iter().map(|p| p.next.len());
    let edges: usize = of_tasks.chain(of_places).sum();
    if edges > MAX_EDGES {
        let message = format!("the flow has {edges} edges; at most {MAX_EDGES} are allowed");
        let help = "split it into several flows";
        problems.error(Pos::default(), "too-many-edges", message, help);
        return None;
    }
    let graph = resolve(&level, problems)?;
    check::level(&level, &graph, problems);
    let positions: Vec<Pos> = level.tasks.iter().map(|task| task.at).collect();
    let mut net = assemble(level, graph, spec, problems)?;
    check::local_joins(&net, &positions, problems);
    if problems.has_errors() {
        return None;
    }
    explore::warn(&net, &positions, problems);
    net.positions = positions;
    Some(net)
}

/// Finds what the edges lead to and makes the places.
fn resolve(level: &Level, problems: &mut Problems) -> Option<Graph> {
    let mut finder = Finder {
        tasks: BTreeMap::new(),
        places: BTreeMap::new(),
    };
    for (id, task) in level.tasks.iter().enumerate() {
        finder.tasks.insert(&task.name, id);
    }
    let starts_in_place = level
        .start
        .as_ref()
        .is_some_and(|(name, _)| level.places.iter().any(|p| p.name.text == *name));
    let mut places = Vec::new();
    if !starts_in_place {
        places.push(Place {
            name: START.to_owned(),
            ..Place::default()
        });
    }
    for place in &level.places {
        let name = &place.name;
        if finder.tasks.contains_key(name.text.as_str()) || name.text == START {
            let message = format!("the name `{}` is taken", name.text);
            let help = "places and tasks share their names, and the first place is called `start`";
            problems.error(name.at, "bad-name", message, help);
        }
        finder.places.insert(&name.text, places.len());
        places.push(Place {
            name: name.text.clone(),
            tokens: place.tokens,
            explicit: true,
            ..Place::default()
        });
    }
    let count = level.tasks.len();
    let mut graph = Graph {
        places,
        inputs: vec![Vec::new(); count],
        outputs: vec![Vec::new(); count],
        errors: vec![Vec::new(); count],
        undoes: failing::undoing(level, problems),
        from: vec![Vec::new(); count],
        start: 0,
        late: None,
        whole: true,
    };
    // Without its start nothing can be said about the graph.
    find_start(level, &finder, &mut graph, problems)?;
    for (from, task) in level.tasks.iter().enumerate() {
        edges_out(from, task, &finder, &mut graph, problems);
        error_edges(from, task, &finder, &mut graph, problems);
    }
    deadline_edge(level, &finder, &mut graph, problems);
    for place in &level.places {
        let Some(id) = finder.places.get(place.name.text.as_str()) else {
            continue;
        };
        for name in &place.next {
            let Some(task) = finder.tasks.get(name.text.as_str()) else {
                finder.unknown(&name.text, name.at, "task", problems);
                graph.whole = false;
                continue;
            };
            graph.input(*id, *task, &place.name.text, name, problems);
        }
    }
    Some(graph)
}

fn find_start(
    level: &Level,
    finder: &Finder<'_>,
    graph: &mut Graph,
    problems: &mut Problems,
) -> Option<()> {
    if let Some((name, _)) = &level.start
        && let Some(place) = finder.places.get(name.as_str())
    {
        graph.start = *place;
        if let Some(place) = graph.places.get_mut(*place) {
            place.tokens = place.tokens.saturating_add(1);
        }
        return Some(());
    }
    let start = match &level.start {
        None => 0,
        Some((name, at)) => match finder.tasks.get(name.as_str()) {
            Some(task) => *task,
            None => {
                finder.unknown(name, *at, "task", problems);
                return None;
            }
        },
    };
    if let Some(place) = graph.places.get_mut(0) {
        place.tokens = 1;
        place.targets.push(start);
    }
    graph.inputs.get_mut(start)?.push(Input {
        place: 0,
        tokens: 1,
    });
    Some(())
}

fn edges_out(
    from: TaskId,
    task: &SpecTask,
    finder: &Finder<'_>,
    graph: &mut Graph,
    problems: &mut Problems,
) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for next in &task.next {
        if !seen.insert(&next.to) {
            let message = format!("task `{}` has two edges to `{}`", task.name, next.to);
            let help =
                "remove one; join two conditions with `or`, and say `tokens: 2` for two tokens";
            problems.error(next.at, "duplicate-edge", message, help);
            continue;
        }
        let place = match (
            finder.tasks.get(next.to.as_str()),
            finder.places.get(next.to.as_str()),
        ) {
            (Some(to), _) => {
                let place = graph.places.len();
                graph.places.push(Place {
                    name: format!("{}>{}", task.name, next.to),
                    ..Place::default()
                });
                let name = Name {
                    text: next.to.clone(),
                    at: next.at,
                };
                graph.input(place, *to, &task.name, &name, problems);
                place
            }
            (None, Some(place)) => *place,
            (None, None) => {
                finder.unknown(&next.to, next.at, "task", problems);
                graph.whole = false;
                continue;
            }
        };
        if let Some(outputs) = graph.outputs.get_mut(from) {
            outputs.push(Edge {
                place,
                tokens: next.tokens,
                when: next.when.as_ref().and_then(|when| when.expr.clone()),
            });
        }
    }
}

/// The places that failures of a task lead to: an edge to a task has one of its own, `A!B`, whatever lines share it.
fn error_edges(
    from: TaskId,
    task: &SpecTask,
    finder: &Finder<'_>,
    graph: &mut Graph,
    problems: &mut Problems,
) {
    let mut made: BTreeMap<&str, PlaceId> = BTreeMap::new();
    for line in &task.on_error {
        let ThenSpec::To(name) = &line.then else {
            if let Some(errors) = graph.errors.get_mut(from) {
                errors.push(None);
            }
            continue;
        };
        let (to, place) = (
            finder.tasks.get(name.text.as_str()),
            finder.places.get(name.text.as_str()),
        );
        let place = match (made.get(name.text.as_str()), to, place) {
            (Some(place), ..) => *place,
            (None, Some(to), _) => {
                let place = graph.places.len();
                graph.places.push(Place {
                    name: format!("{}!{}", task.name, name.text),
                    ..Place::default()
                });
                graph.input(place, *to, &task.name, name, problems);
                place
            }
            (None, None, Some(place)) => *place,
            (None, None, None) => {
                finder.unknown(&name.text, name.at, "task", problems);
                graph.whole = false;
                continue;
            }
        };
        made.insert(&name.text, place);
        if let Some(errors) = graph.errors.get_mut(from) {
            errors.push(Some(place));
        }
    }
}

/// The place that a case has its token in after its deadline: `!B` before task `B`.
fn deadline_edge(level: &Level, finder: &Finder<'_>, graph: &mut Graph, problems: &mut Problems) {
    let Some(name) = level.deadline.as_ref().and_then(|d| d.to.as_ref()) else {
        return;
    };
    let (to, place) = (
        finder.tasks.get(name.text.as_str()),
        finder.places.get(name.text.as_str()),
    );
    graph.late = match (to, place) {
        (Some(to), _) => {
            let place = graph.places.len();
            graph.places.push(Place {
                name: format!("!{}", name.text),
                ..Place::default()
            });
            graph.input(place, *to, "the deadline", name, problems);
            Some(place)
        }
        (None, Some(place)) => Some(*place),
        (None, None) => {
            finder.unknown(&name.text, name.at, "task", problems);
            graph.whole = false;
            None
        }
    };
}

/// The lines of `on_error` with the places that they lead to.
fn catches(lines: Vec<CatchSpec>, places: Vec<Option<PlaceId>>) -> Vec<Catch> {
    let lines = lines.into_iter().zip(places);
    let catch = |(line, place): (CatchSpec, Option<PlaceId>)| {
        let then = match (line.then, place) {
            (ThenSpec::To(_), place) => Then::To(place?),
            (ThenSpec::Skip, _) => Then::Skip,
            (ThenSpec::Result(expr), _) => Then::Result(expr),
            (ThenSpec::Abort, _) => Then::Abort,
        };
        Some(Catch {
            when: line.when,
            then,
            into: line.into,
        })
    };
    lines.filter_map(catch).collect()
}

impl Graph {
    /// All places that a task leads to, by whatever outcome.
    pub fn places_out(&self, task: TaskId) -> impl Iterator<Item = PlaceId> {
        let completed = self.outputs.get(task).into_iter().flatten();
        let failed = self.errors.get(task).into_iter().flatten();
        completed.map(|e| e.place).chain(failed.copied().flatten())
    }

    /// An edge from a place to a task.
    fn input(
        &mut self,
        place: PlaceId,
        task: TaskId,
        from: &str,
        name: &Name,
        problems: &mut Problems,
    ) {
        let (Some(inputs), Some(sources), Some(of)) = (
            self.inputs.get_mut(task),
            self.from.get_mut(task),
            self.places.get_mut(place),
        ) else {
            return;
        };
        if inputs.iter().any(|i| i.place == place) {
            let message = format!("`{from}` has two edges to `{}`", name.text);
            problems.error(name.at, "duplicate-edge", message, "remove one");
            return;
        }
        inputs.push(Input { place, tokens: 1 });
        sources.push(from.to_owned());
        of.targets.push(task);
    }
}

/// Puts the parts together; none when something is missing.
fn assemble(
    level: Level,
    mut graph: Graph,
    spec: &Spec<'_>,
    problems: &mut Problems,
) -> Option<Net> {
    let named: BTreeMap<String, TaskId> = level
        .tasks
        .iter()
        .enumerate()
        .map(|(id, t)| (t.name.clone(), id))
        .collect();
    let names = regions::by_name(&graph);
    let sections = regions::sections(&level, &graph, &named, problems);
    let mut sections_of = vec![Vec::new(); level.tasks.len()];
    for (id, section) in sections.iter().enumerate() {
        let tasks: BTreeSet<TaskId> = section.tasks.iter().copied().collect();
        for task in tasks {
            sections_of
                .get_mut(task)
                .into_iter()
                .for_each(|of| of.push(id));
        }
    }
    let regions: Vec<Region> = level
        .tasks
        .iter()
        .map(|task| regions::region(task, &graph, (&named, &names), problems))
        .collect();
    let tests: Vec<Vec<PlaceId>> = level
        .tasks
        .iter()
        .map(|task| regions::tests(task, &graph, &names, problems))
        .collect();
    for (id, task) in level.tasks.iter().enumerate() {
        regions::takes(id, task, &mut graph, problems);
    }
    for (task, tests) in tests.iter().enumerate() {
        for place in tests {
            graph.places.get_mut(*place)?.testers.push(task);
        }
    }
    let mut tasks = Vec::with_capacity(level.tasks.len());
    let parts = level
        .tasks
        .into_iter()
        .zip(graph.inputs)
        .zip(graph.outputs)
        .zip(graph.errors)
        .zip(regions.into_iter().zip(tests));
    for (id, ((((task, inputs), outputs), errors), (cancels, tests))) in parts.enumerate() {
        let mut kind = task.kind?;
        name_lane(&mut kind, &task.name, &level.name, spec);
        let named = |name: &Name| named.get(&name.text).copied();
        if let TaskKind::Compensate(undo) = &mut kind {
            undo.tasks = task.of.iter().filter_map(named).collect();
        }
        if let TaskKind::Flow(sub) = &mut kind
            && let FlowRef::Deployed(name) = &sub.flow
        {
            if *name == spec.main {
                sub.flow = FlowRef::Main;
            } else if spec.flows.contains(name) {
                sub.flow = FlowRef::Local(name.clone());
            }
        }
        tasks.push(net::Task {
            name: task.name.as_str().into(),
            kind,
            join: task.join.map_or(Join::Xor, |(join, _)| join),
            split: task.split.map_or(Split::And, |(split, _)| split),
            inputs,
            outputs,
            tests,
            cancels,
            sections: sections_of
                .get_mut(id)
                .map(std::mem::take)
                .unwrap_or_default(),
            many: task.many,
            terminate: task.terminate.is_some(),
            on_error: catches(task.on_error, errors),
            compensate: task.compensate.as_ref().and_then(named),
            undoes: graph.undoes.get(id) == Some(&true),
        });
    }
    let is_far = |t: &net::Task| {
        let blocking = net::Reset::Blocking;
        t.join == Join::Or || matches!(t.join, Join::Of { reset, .. } if reset == blocking)
    };
    let far_joins = (0..tasks.len())
        .filter(|t| tasks.get(*t).is_some_and(is_far))
        .collect();
    let waits = |t: &net::Task| {
        let several = t.inputs.len() > 1 && t.join != Join::Xor;
        let heavy = t.inputs.iter().any(|i| i.tokens > 1);
        several || heavy || !t.tests.is_empty() || !t.sections.is_empty()
    };
    let joins = (0..tasks.len())
        .filter(|t| tasks.get(*t).is_some_and(waits))
        .collect();
    let mut places = graph.places;
    for (id, section) in sections.iter().enumerate() {
        for place in &section.places {
            places.get_mut(*place)?.sections.push(id);
        }
    }
    check::mark_dead_paths(&tasks, &mut places);
    let skeleton = match net::skeleton_of(&places, &tasks, &sections, graph.late) {
        Ok(skeleton) => Arc::new(skeleton),
        Err(malformed) => {
            if !problems.has_errors() {
                problems.error(level.at, "bad-net", malformed.to_string(), "");
            }
            return None;
        }
    };
    let names = Names::new(&tasks, &places);
    let net = Net {
        name: level.name.into(),
        version: spec.version,
        hash: spec.hash.clone(),
        source: spec.source.clone(),
        dir: spec.dir.map(str::to_owned),
        input: level.input,
        tasks,
        places,
        start: graph.start,
        sections,
        deadline: level.deadline.map(|deadline| CaseDeadline {
            by: deadline.by,
            to: graph.late,
        }),
        output: level.output,
        schedule: None,
        document: None,
        flows: BTreeMap::new(),
        warnings: Vec::new(),
        or_joins: Arc::new(OrJoins::new(&skeleton)),
        skeleton,
        far_joins,
        joins,
        names,
        routes: None,
        positions: Vec::new(),
    };
    Some(net.with_routes())
}

/// A lane without a name is that of its topic, or of its task.
fn name_lane(kind: &mut TaskKind, task: &str, level: &str, spec: &Spec<'_>) {
    let (name, lane) = match kind {
        TaskKind::Host(host) => (host.topic.clone(), &mut host.work.lane),
        TaskKind::Process(process) if *level == *spec.main => {
            (format!("{level}.{task}"), &mut process.work.lane)
        }
        TaskKind::Process(process) => (
            format!("{}.{level}.{task}", spec.main),
            &mut process.work.lane,
        ),
        _ => return,
    };
    if let Some(lane) = lane.as_mut().filter(|lane| lane.name.is_empty()) {
        lane.name = name;
    }
}
