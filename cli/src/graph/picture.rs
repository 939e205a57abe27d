//! What of a net is drawn: tasks, places that have a name, edges; and where a case is in it.

use std::collections::BTreeMap;
use std::time::Duration;

use statewright::flow::net::{
    FlowRef, Join, Net, PlaceId, Reset, Split, Task, TaskKind, Then, Wait,
};
use statewright::flow::{CaseInfo, EventKind, HistoryEvent};

use crate::console::took;

/// A net as nodes and edges.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub title: String,
    /// What the case is, if one is shown.
    pub case: Option<String>,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// Places and tasks that the case has something in and the net does not have.
    pub strays: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    #[default]
    Task,
    Place,
    Start,
}

/// Where a task of a case is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    #[default]
    Idle,
    Done,
    /// What it did is undone.
    Undone,
    Waiting,
    Running,
    Failed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Done => "done",
            State::Undone => "undone",
            State::Waiting => "waiting",
            State::Running => "running",
            State::Failed => "failed",
        }
    }

    pub fn mark(self) -> &'static str {
        match self {
            State::Idle => "",
            State::Done => "✓",
            State::Undone => "↶",
            State::Waiting => "…",
            State::Running => "▶",
            State::Failed => "✗",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Node {
    pub shape: Shape,
    pub name: String,
    /// A second line: what a task does.
    pub line: String,
    /// Its join and its split, if there is something to tell.
    pub join: String,
    pub split: String,
    pub many: bool,
    pub terminate: bool,
    /// All there is to say, a line each.
    pub hint: Vec<String>,
    pub state: State,
    /// How often it completed.
    pub done: u64,
    pub tokens: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// The condition, or how many tokens.
    pub label: String,
    pub style: Style,
    /// The place that it is, if that has no node of its own.
    pub place: String,
    /// The tokens there.
    pub tokens: u32,
}

/// What an edge stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Flow,
    /// A place that is only looked at.
    Tested,
    /// The way after a failure.
    Error,
    /// To the task that undoes this one.
    Undo,
}

impl Style {
    pub fn name(self) -> &'static str {
        match self {
            Style::Flow => "flow",
            Style::Tested => "tested",
            Style::Error => "error",
            Style::Undo => "undo",
        }
    }
}

impl Edge {
    fn new(from: usize, to: usize, style: Style, label: &str) -> Edge {
        Edge {
            from,
            to,
            label: label.to_owned(),
            style,
            ..Edge::default()
        }
    }
}

impl Picture {
    /// The net alone.
    pub fn of(net: &Net) -> Picture {
        let mut picture = Picture {
            title: format!("{}, version {}", net.name, net.version),
            ..Picture::default()
        };
        // What is drawn first is above: the start, then tasks and places as the spec has them.
        let mut places = BTreeMap::new();
        let start = (net.start, Shape::Start);
        let named = (0..net.places.len()).filter(|p| *p != net.start);
        let named = named.filter(|p| net.places.get(*p).is_some_and(|p| p.explicit));
        for (place, shape) in std::iter::once(start).chain(named.map(|p| (p, Shape::Place))) {
            let Some(of) = net.places.get(place) else {
                continue;
            };
            let shape = if of.explicit { Shape::Place } else { shape };
            places.insert(place, picture.nodes.len());
            picture.nodes.push(Node {
                shape,
                name: of.name.clone(),
                hint: vec![format!("place {}", of.name)],
                ..Node::default()
            });
        }
        let first_task = picture.nodes.len();
        picture
            .nodes
            .extend(net.tasks.iter().map(|task| node(net, task)));
        picture.edges = edges(net, &places, first_task);
        picture
    }

    /// Shows where a case is.
    pub fn show(&mut self, info: &CaseInfo, history: &[HistoryEvent]) {
        self.case = Some(format!("case {}, {}", info.id, info.status));
        let mut strays = Vec::new();
        for (place, tokens) in &info.marking {
            if let Some(node) = self.find(place, false) {
                node.tokens = *tokens;
            } else if !self.mark_edge(place, *tokens) {
                strays.push(place.clone());
            }
        }
        for event in history {
            let Some(task) = &event.task else { continue };
            let state = match event.kind {
                EventKind::Completed
                | EventKind::Fired
                | EventKind::Logged
                | EventKind::TimerFired
                | EventKind::Signalled
                | EventKind::Routed
                | EventKind::InstancesJoined
                | EventKind::WorkSkipped => State::Done,
                EventKind::Failed => State::Failed,
                EventKind::Compensated => State::Undone,
                _ => continue,
            };
            if let Some(node) = self.find(task, true) {
                // An instance that completed is not the task.
                let whole = !node.many || event.kind == EventKind::InstancesJoined;
                if state == State::Failed || whole {
                    node.state = node.state.max(state);
                }
                if state == State::Done && whole {
                    node.done = node.done.saturating_add(1);
                }
            }
        }
        for item in &info.items {
            let state = match item.state {
                "leased" | "running" => State::Running,
                _ => State::Waiting,
            };
            match self.find(&item.task, true) {
                Some(node) => node.state = node.state.max(state),
                None => strays.push(item.task.clone()),
            }
        }
        for node in &mut self.nodes {
            if node.state != State::Idle {
                let times = match node.done {
                    0 | 1 => String::new(),
                    times => format!(", completed {times} times"),
                };
                node.hint.push(format!("{}{times}", node.state.name()));
            }
        }
        strays.sort();
        strays.dedup();
        self.strays = strays;
    }

    fn find(&mut self, name: &str, task: bool) -> Option<&mut Node> {
        let mut nodes = self.nodes.iter_mut();
        nodes.find(|n| n.name == name && (n.shape == Shape::Task) == task)
    }

    /// Puts tokens on the edge that a place without a node of its own is.
    fn mark_edge(&mut self, place: &str, tokens: u32) -> bool {
        let edge = self.edges.iter_mut().find(|e| e.place == place);
        edge.map(|edge| edge.tokens = tokens).is_some()
    }
}

fn node(net: &Net, task: &Task) -> Node {
    let line = what(task);
    let (join, split) = (join(task), split(task));
    let mut hint = vec![format!("{} ({})", task.name, task.kind.name())];
    let mut add = |text: String| hint.push(text);
    for (of, text) in [("join", &join), ("split", &split)] {
        if !text.is_empty() {
            add(format!("{of} {text}"));
        }
    }
    if let Some(many) = &task.many {
        add(format!("instances {}", many.items.text()));
    }
    if !task.cancels.is_empty() {
        let tasks = task.cancels.tasks.iter().filter_map(|t| net.tasks.get(*t));
        let places = task
            .cancels
            .places
            .iter()
            .filter_map(|p| net.places.get(*p));
        let names: Vec<&str> = tasks
            .map(|t| &*t.name)
            .chain(places.map(|p| p.name.as_str()))
            .collect();
        add(format!("cancels {}", names.join(", ")));
    }
    for section in task.sections.iter().filter_map(|s| net.sections.get(*s)) {
        add(format!("mutex {}", section.mutex_name));
    }
    if let Some(lane) = task.kind.work().and_then(|w| w.lane.as_ref()) {
        add(format!("lane {}", lane.name));
    }
    if task.terminate {
        add("ends the case".to_owned());
    }
    Node {
        name: task.name.to_string(),
        line,
        join,
        split,
        many: task.many.is_some(),
        terminate: task.terminate,
        hint,
        ..Node::default()
    }
}

fn what(task: &Task) -> String {
    match &task.kind {
        TaskKind::Route => String::new(),
        TaskKind::Process(process) => match process.run.first() {
            Some(program) => format!("runs {program}"),
            None => "process".to_owned(),
        },
        TaskKind::Host(host) if *host.topic == *task.name => "host".to_owned(),
        TaskKind::Host(host) => format!("host · {}", host.topic),
        TaskKind::Wait(Wait::For(time)) => format!("waits {}", short(*time)),
        TaskKind::Signal(signal) => format!("signal {}", signal.signal),
        TaskKind::Flow(sub) => match &sub.flow {
            FlowRef::Local(name) | FlowRef::Deployed(name) => format!("flow {name}"),
            _ => "flow".to_owned(),
        },
        other => other.name().to_owned(),
    }
}

fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        86_400.. if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        3600.. if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        60.. if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        1.. if time.subsec_nanos() == 0 => format!("{seconds} s"),
        _ => took(time),
    }
}

fn join(task: &Task) -> String {
    if task.inputs.len() < 2 {
        return String::new();
    }
    match &task.join {
        Join::And => "and".to_owned(),
        Join::Xor => "xor".to_owned(),
        Join::Or => "or".to_owned(),
        Join::Local => "local".to_owned(),
        Join::Of { n, reset } => {
            let reset = match reset {
                Reset::All => "",
                Reset::Blocking => ", blocking",
                Reset::Cancel => ", cancelling",
            };
            format!("{n} of {}{reset}", task.inputs.len())
        }
    }
}

fn split(task: &Task) -> String {
    let name = match task.split {
        _ if task.outputs.len() < 2 => "",
        Split::And => "and",
        Split::Xor => "xor",
        Split::Or => "or",
    };
    name.to_owned()
}

fn edges(net: &Net, places: &BTreeMap<PlaceId, usize>, first_task: usize) -> Vec<Edge> {
    let node = |task: usize| first_task.saturating_add(task);
    let mut edges = Vec::new();
    // An edge from a task to a place: to its node, or on to the tasks behind it.
    let mut through = |from: usize, place: PlaceId, weight: u32, style: Style, label: &str| {
        let Some(of) = net.places.get(place) else {
            return;
        };
        let to: Vec<(usize, u32)> = match places.get(&place) {
            Some(to) => vec![(*to, weight)],
            None => of
                .targets
                .iter()
                .map(|target| (node(*target), weight.max(takes(net, *target, place))))
                .collect(),
        };
        edges.extend(to.into_iter().map(|(to, weight)| Edge {
            from,
            to,
            label: with_times(label, weight),
            style,
            place: of.name.clone(),
            tokens: 0,
        }));
    };
    for (id, task) in net.tasks.iter().enumerate() {
        let conditions = task.outputs.iter().any(|o| o.when.is_some());
        for output in &task.outputs {
            let label = match &output.when {
                Some(when) => when.text(),
                None if conditions => "else",
                None => "",
            };
            through(node(id), output.place, output.tokens, Style::Flow, label);
        }
        for catch in &task.on_error {
            if let Then::To(place) = catch.then {
                let label = catch.when.as_ref().map_or("on error", |when| when.text());
                through(node(id), place, 1, Style::Error, label);
            }
        }
    }
    for (id, task) in net.tasks.iter().enumerate() {
        let to = node(id);
        for input in &task.inputs {
            if let Some(from) = places.get(&input.place) {
                edges.push(Edge::new(*from, to, Style::Flow, &times(input.tokens)));
            }
        }
        let tested = task.tests.iter().filter_map(|p| places.get(p));
        edges.extend(tested.map(|from| Edge::new(*from, to, Style::Tested, "")));
        if let Some(undo) = task.compensate {
            edges.push(Edge::new(to, node(undo), Style::Undo, "undo"));
        }
    }
    edges
}

/// How many tokens a task takes from a place.
fn takes(net: &Net, task: usize, place: PlaceId) -> u32 {
    let inputs = net.tasks.get(task).map_or(&[][..], |t| &t.inputs);
    let input = inputs.iter().find(|i| i.place == place);
    input.map_or(1, |i| i.tokens)
}

fn with_times(label: &str, tokens: u32) -> String {
    format!("{label} {}", times(tokens)).trim().to_owned()
}

fn times(tokens: u32) -> String {
    match tokens {
        0 | 1 => String::new(),
        more => format!("×{more}"),
    }
}
