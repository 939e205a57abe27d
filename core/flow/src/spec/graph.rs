//! From tasks and edges to a net, and what can be said of a net without running it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::explore;
use super::read::{Flow, Task as SpecTask, listed};
use crate::names::closest;
use crate::net::{self, Edge, Join, Names, Net, Place, PlaceId, Split, TaskId};
use crate::problem::{Pos, Problems};

/// Most edges of a flow.
const MAX_EDGES: usize = 10_000;

/// An edge whose target exists: index of the task it leads to, and of itself in the task's `next`.
struct Resolved {
    to: TaskId,
    next: usize,
}

struct Graph {
    out: Vec<Vec<Resolved>>,
    /// The sources of the edges into each task, in order.
    into: Vec<Vec<TaskId>>,
    start: TaskId,
    /// Whether every edge found its target.
    whole: bool,
}

/// Builds the net; none if it has errors that leave nothing to run.
pub(super) fn build(
    flow: Flow,
    source: &str,
    dir: Option<&str>,
    hash: String,
    problems: &mut Problems,
) -> Option<Net> {
    let graph = resolve(&flow, problems)?;
    for (id, task) in flow.tasks.iter().enumerate() {
        check_split(task, problems);
        check_join(&flow, &graph, id, task, problems);
    }
    if graph.whole {
        check_reach(&flow, &graph, problems);
    }
    if problems.has_errors() {
        return None;
    }
    let positions: Vec<Pos> = flow.tasks.iter().map(|task| task.at).collect();
    let net = assemble(flow, &graph, source, dir, hash)?;
    for stuck in explore::stuck_joins(&net) {
        let task = net.tasks.get(stuck.task)?;
        let name = |place: &PlaceId| {
            net.places
                .get(*place)
                .map(|place| place.name.as_str())
                .unwrap_or_default()
        };
        let has: Vec<&str> = stuck.marked.iter().map(name).collect();
        let lacks: Vec<&str> = stuck.empty.iter().map(name).collect();
        let message = format!(
            "`{}` may wait for ever: depending on what the xor splits before it choose, {} can have a token while {} never gets one",
            task.name,
            listed(&has),
            listed(&lacks),
        );
        let help = "`join: and` needs a token on every edge in; join alternatives with `join: xor` before it";
        let at = positions.get(stuck.task).copied().unwrap_or_default();
        problems.warning(at, "may-deadlock", message, help);
    }
    Some(net)
}

fn resolve(flow: &Flow, problems: &mut Problems) -> Option<Graph> {
    let ids: BTreeMap<&str, TaskId> = flow
        .tasks
        .iter()
        .enumerate()
        .map(|(id, task)| (task.name.as_str(), id))
        .collect();
    let names = || flow.tasks.iter().map(|task| task.name.as_str());
    let mut whole = true;
    let mut find = |name: &str, at: Pos, problems: &mut Problems| {
        let found = ids.get(name).copied();
        if found.is_none() {
            whole = false;
            let help = match closest(name, names()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!(
                    "the tasks are {}",
                    listed(&names().take(20).collect::<Vec<_>>())
                ),
            };
            problems.error(
                at,
                "unknown-task",
                format!("there is no task `{name}`"),
                help,
            );
        }
        found
    };
    let start = match &flow.start {
        Some((name, at)) => find(name, *at, problems),
        None => Some(0),
    };
    let mut out = Vec::new();
    let mut into = vec![Vec::new(); flow.tasks.len()];
    let mut edges = 0;
    for (from, task) in flow.tasks.iter().enumerate() {
        let mut resolved: Vec<Resolved> = Vec::new();
        for (index, next) in task.next.iter().enumerate() {
            let Some(to) = find(&next.to, next.at, problems) else {
                continue;
            };
            if resolved.iter().any(|edge| edge.to == to) {
                let message = format!("task `{}` has two edges to `{}`", task.name, next.to);
                problems.error(
                    next.at,
                    "duplicate-edge",
                    message,
                    "remove one; join two conditions with `or`",
                );
                continue;
            }
            if let Some(sources) = into.get_mut(to) {
                sources.push(from);
            }
            resolved.push(Resolved { to, next: index });
        }
        edges += resolved.len();
        out.push(resolved);
    }
    if edges > MAX_EDGES {
        let message = format!("the flow has {edges} edges; at most {MAX_EDGES} are allowed");
        problems.error(
            Pos::default(),
            "too-many-edges",
            message,
            "split it into several flows",
        );
        return None;
    }
    // Without its start nothing can be said about the graph.
    Some(Graph {
        out,
        into,
        start: start?,
        whole,
    })
}

/// Two edges or more must say how they split; an xor split has a condition on every edge but the last.
fn check_split(task: &SpecTask, problems: &mut Problems) {
    let split = task.split.map(|(split, _)| split);
    if task.next.len() > 1 && split.is_none() {
        let message = format!(
            "task `{}` has {} edges out, so it must say how they split",
            task.name,
            task.next.len()
        );
        let help = "add `split: and` to take them all, or `split: xor` to take the first whose `when` holds";
        problems.error(task.at, "missing-split", message, help);
        return;
    }
    if split != Some(Split::Xor) {
        for when in task.next.iter().filter_map(|next| next.when.as_ref()) {
            let message = format!("a condition needs `split: xor` in task `{}`", task.name);
            problems.error(
                when.at,
                "condition-without-xor",
                message,
                "add `split: xor`, or remove `when`",
            );
        }
        return;
    }
    let Some((last, others)) = task.next.split_last() else {
        return;
    };
    for next in others.iter().filter(|next| next.when.is_none()) {
        let message = format!(
            "the edge to `{}` has no `when`, so the edges after it would never be taken",
            next.to
        );
        problems.error(
            next.at,
            "missing-condition",
            message,
            "add `when`, or move it to the end as the default",
        );
    }
    if let Some(when) = &last.when {
        let message = format!(
            "the last edge of the xor split of `{}` has a `when`, so there is no default",
            task.name
        );
        let help = "give the last edge no `when`: it is taken when no other condition holds";
        problems.error(when.at, "missing-default", message, help);
    }
}

fn check_join(flow: &Flow, graph: &Graph, id: TaskId, task: &SpecTask, problems: &mut Problems) {
    let name = |id: &TaskId| {
        flow.tasks
            .get(*id)
            .map(|task| task.name.as_str())
            .unwrap_or_default()
    };
    let sources: Vec<&str> = graph.into.get(id).into_iter().flatten().map(name).collect();
    match task.join {
        None if sources.len() > 1 => {
            let message = format!(
                "task `{}` has {} edges in (from {}), so it must say how they join",
                task.name,
                sources.len(),
                listed(&sources.iter().copied().take(10).collect::<Vec<_>>()),
            );
            let help = "add `join: and` to wait for all of them, or `join: xor` to run for each one that arrives";
            problems.error(task.at, "missing-join", message, help);
        }
        Some((Join::And, at)) if id == graph.start && !sources.is_empty() => {
            let message = format!(
                "`{}` can never run: it starts the flow, but with `join: and` it also waits for {}",
                task.name,
                listed(&sources),
            );
            problems.error(
                at,
                "dead-start",
                message,
                "use `join: xor`, or begin with another task",
            );
        }
        _ => {}
    }
}

/// Every task must be on a path from the start to an end.
fn check_reach(flow: &Flow, graph: &Graph, problems: &mut Problems) {
    let forward = |id: TaskId| {
        graph
            .out
            .get(id)
            .into_iter()
            .flatten()
            .map(|edge| edge.to)
            .collect()
    };
    let backward = |id: TaskId| graph.into.get(id).cloned().unwrap_or_default();
    let ends = (0..flow.tasks.len()).filter(|id| graph.out.get(*id).is_none_or(Vec::is_empty));
    let reached = closure(flow.tasks.len(), [graph.start], forward);
    let ending = closure(flow.tasks.len(), ends, backward);
    let start = flow
        .tasks
        .get(graph.start)
        .map(|task| task.name.as_str())
        .unwrap_or_default();
    for ((task, reached), ending) in flow.tasks.iter().zip(reached).zip(ending) {
        if !reached {
            let message = format!(
                "task `{}` cannot be reached from the start, `{start}`",
                task.name
            );
            let help = "add an edge to it, remove it, or say `start:` at the top of the flow";
            problems.error(task.at, "unreachable", message, help);
        } else if !ending {
            let message = format!("no end can be reached from task `{}`", task.name);
            let help =
                "give its loop a way out: an xor split with an edge to a task without `next`";
            problems.error(task.at, "no-end", message, help);
        }
    }
}

fn closure(
    len: usize,
    from: impl IntoIterator<Item = TaskId>,
    next: impl Fn(TaskId) -> Vec<TaskId>,
) -> Vec<bool> {
    let mut seen = vec![false; len];
    let mut pending: Vec<TaskId> = from.into_iter().collect();
    while let Some(id) = pending.pop() {
        if let Some(seen) = seen.get_mut(id).filter(|seen| !**seen) {
            *seen = true;
            pending.extend(next(id));
        }
    }
    seen
}

/// Puts the parts together. Only called when nothing is wrong, so nothing is missing.
fn assemble(
    flow: Flow,
    graph: &Graph,
    source: &str,
    dir: Option<&str>,
    hash: String,
) -> Option<Net> {
    let mut places = vec![Place {
        name: "start".to_owned(),
        target: graph.start,
    }];
    let mut inputs: Vec<Vec<PlaceId>> = vec![Vec::new(); flow.tasks.len()];
    inputs.get_mut(graph.start)?.push(0);
    let names: Vec<Arc<str>> = flow
        .tasks
        .iter()
        .map(|task| Arc::from(task.name.as_str()))
        .collect();
    let mut tasks = Vec::with_capacity(flow.tasks.len());
    for ((task, out), name) in flow.tasks.into_iter().zip(&graph.out).zip(&names) {
        let mut outputs = Vec::with_capacity(out.len());
        for edge in out {
            let place = places.len();
            places.push(Place {
                name: format!("{name}>{}", names.get(edge.to)?),
                target: edge.to,
            });
            inputs.get_mut(edge.to)?.push(place);
            let when = task
                .next
                .get(edge.next)
                .and_then(|next| next.when.as_ref()?.expr.clone());
            outputs.push(Edge { place, when });
        }
        tasks.push(net::Task {
            name: name.clone(),
            kind: task.kind?,
            join: task.join.map_or(Join::Xor, |(join, _)| join),
            split: task.split.map_or(Split::And, |(split, _)| split),
            inputs: Vec::new(),
            outputs,
        });
    }
    for (task, inputs) in tasks.iter_mut().zip(inputs) {
        task.inputs = inputs;
    }
    let names = Names::new(&tasks, &places);
    Some(Net {
        name: flow.name.into(),
        version: flow.version,
        hash,
        source: source.into(),
        dir: dir.map(str::to_owned),
        input: flow.input,
        tasks,
        places,
        start: 0,
        output: flow.output,
        document: flow.document,
        warnings: Vec::new(),
        names,
    })
}
