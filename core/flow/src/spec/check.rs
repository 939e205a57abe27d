//! What can be said of a net without running it and without the analysis of its states.

use super::graph::Graph;
use super::read::{Level, Task as SpecTask, listed};
use crate::net::{Join, Net, Place, Split, Task, TaskId};
use crate::problem::{Pos, Problems};

/// Everything that is said per task, and that every task can be reached and can reach an end.
pub(super) fn level(level: &Level, graph: &Graph, problems: &mut Problems) {
    for (id, task) in level.tasks.iter().enumerate() {
        split(task, problems);
        join(graph, id, task, problems);
        end(task, problems);
    }
    if graph.whole {
        reach(level, graph, problems);
    }
}

/// Two edges or more must say how they split; an xor split has a condition on every edge but the last.
fn split(task: &SpecTask, problems: &mut Problems) {
    let split = task.split.map(|(split, _)| split);
    if task.next.len() > 1 && split.is_none() {
        let message = format!(
            "task `{}` has {} edges out, so it must say how they split",
            task.name,
            task.next.len()
        );
        let help = "add `split: and` to take them all, `split: xor` to take the first whose `when` holds, or \
                    `split: or` to take all whose `when` holds";
        problems.error(task.at, "missing-split", message, help);
        return;
    }
    match split {
        Some(Split::Xor) => xor_split(task, problems),
        Some(Split::Or) => or_split(task, problems),
        _ => {
            for when in task.next.iter().filter_map(|next| next.when.as_ref()) {
                let message = format!(
                    "a condition needs `split: xor` or `split: or` in task `{}`",
                    task.name
                );
                let help = "add `split: xor`, or remove `when`";
                problems.error(when.at, "condition-without-xor", message, help);
            }
        }
    }
}

fn xor_split(task: &SpecTask, problems: &mut Problems) {
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

fn or_split(task: &SpecTask, problems: &mut Problems) {
    let mut defaults = task.next.iter().filter(|next| next.when.is_none());
    if let (Some(_), Some(second)) = (defaults.next(), defaults.next()) {
        let message = format!(
            "the or split of `{}` has more than one edge without `when`",
            task.name
        );
        let help = "the one edge without `when` is taken when no condition holds; for several, lead it to a task \
                    with `split: and`";
        problems.error(second.at, "missing-condition", message, help);
    }
}

fn join(graph: &Graph, id: TaskId, task: &SpecTask, problems: &mut Problems) {
    let sources = graph.from.get(id).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = sources.iter().map(String::as_str).take(10).collect();
    let inputs = graph.inputs.get(id).map_or(0, Vec::len);
    let starts = inputs > sources.len();
    match task.join {
        None if sources.len() > 1 => {
            let message = format!(
                "task `{}` has {} edges in (from {}), so it must say how they join",
                task.name,
                sources.len(),
                listed(&names),
            );
            let help = "add `join: and` to wait for all of them, `join: xor` to run for each one that arrives, or \
                        `join: or` to wait for all that can still come";
            problems.error(task.at, "missing-join", message, help);
        }
        Some((Join::And, at)) if starts && implicit_sources(graph, id) => {
            let message = format!(
                "`{}` can never run: it starts the flow, but with `join: and` it also waits for {}",
                task.name,
                listed(&names),
            );
            let help = "use `join: xor`, or begin with another task";
            problems.error(at, "dead-start", message, help);
        }
        Some((Join::Of { n, .. }, at)) if usize::try_from(n).is_ok_and(|n| n > inputs) => {
            let message = format!(
                "`{}` waits for {n} of its edges in, but has only {inputs}",
                task.name
            );
            let help = format!("`of` is from 1 to {inputs}");
            problems.error(at, "bad-join", message, help);
        }
        Some((
            Join::Of {
                reset: crate::net::Reset::Cancel,
                ..
            },
            at,
        )) if task.cancels.is_empty() => {
            let message = format!("`reset: cancel` of `{}` cancels nothing", task.name);
            let help =
                "say which tasks, places and edges are the rest of the round: `cancels: […]`";
            problems.error(at, "bad-join", message, help);
        }
        _ => {}
    }
}

/// Whether an edge from a task leads here: a token that can only come later than the first.
fn implicit_sources(graph: &Graph, id: TaskId) -> bool {
    let inputs = graph.inputs.get(id).into_iter().flatten();
    inputs
        .filter(|i| i.place != graph.start)
        .filter_map(|i| graph.places.get(i.place))
        .any(|place| !place.explicit)
}

fn end(task: &SpecTask, problems: &mut Problems) {
    if let (Some(at), Some(next)) = (task.terminate, task.next.first()) {
        let message = format!(
            "task `{}` ends the case, so its edge to `{}` leads nowhere",
            task.name, next.to
        );
        let help = "remove `next`, or `terminate: true`";
        problems.error(at, "bad-end", message, help);
    }
    if task.terminate.is_some() && task.many.as_ref().is_some_and(|many| !many.wait) {
        let message = format!(
            "task `{}` would end the case as soon as its instances have started",
            task.name
        );
        let help = "let another task end the case";
        problems.error(task.at, "bad-end", message, help);
    }
}

/// Every task must be on a path from the start, or from a place that begins with tokens, to an end.
fn reach(level: &Level, graph: &Graph, problems: &mut Problems) {
    let targets = |place: usize| {
        let targets = graph.places.get(place).map(|p| p.targets.as_slice());
        targets.unwrap_or_default().to_vec()
    };
    let forward = |id: TaskId| -> Vec<TaskId> { graph.places_out(id).flat_map(targets).collect() };
    let mut before: Vec<Vec<TaskId>> = vec![Vec::new(); level.tasks.len()];
    for id in 0..level.tasks.len() {
        for next in forward(id) {
            if let Some(before) = before.get_mut(next) {
                before.push(id);
            }
        }
    }
    let is_end = |id: &TaskId| {
        let edges = graph
            .outputs
            .get(*id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        edges.is_empty() || graph.places_out(*id).any(|place| targets(place).is_empty())
    };
    let starts = (0..graph.places.len())
        .filter(|p| graph.places.get(*p).is_some_and(|p| p.tokens > 0))
        .chain(graph.late)
        .flat_map(targets);
    let reached = closure(level.tasks.len(), starts, forward);
    let ending = closure(
        level.tasks.len(),
        (0..level.tasks.len()).filter(is_end),
        |id| before.get(id).cloned().unwrap_or_default(),
    );
    let start = targets(graph.start);
    let start = start
        .first()
        .and_then(|id| level.tasks.get(*id))
        .map_or("", |task| task.name.as_str());
    let undoes = graph.undoes.iter();
    for (((task, reached), ending), undoes) in
        level.tasks.iter().zip(reached).zip(ending).zip(undoes)
    {
        if *undoes {
            continue;
        }
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

/// The tasks with an edge to each place.
fn producers(tasks: &[Task], places: usize) -> Vec<Vec<TaskId>> {
    let mut producers = vec![Vec::new(); places];
    for (id, task) in tasks.iter().enumerate() {
        for place in task.places_out() {
            if let Some(of) = producers.get_mut(place) {
                of.push(id);
            }
        }
    }
    producers
}

/// The tasks before these, whatever lies between.
fn upstream(tasks: &[Task], places: &[Place], of: &[TaskId]) -> Vec<bool> {
    let producers = producers(tasks, places.len());
    let before = |id: TaskId| -> Vec<TaskId> {
        let inputs = tasks.get(id).map(|t| t.inputs.as_slice());
        let inputs = inputs.unwrap_or_default().iter();
        inputs
            .filter_map(|i| producers.get(i.place))
            .flatten()
            .copied()
            .collect()
    };
    let from: Vec<TaskId> = of.iter().flat_map(|id| before(*id)).collect();
    closure(tasks.len(), from, before)
}

/// Which tasks lead to themselves: those of the strongly connected components (Sharir 1981) that have an edge.
/// O(edges).
fn loops(tasks: &[Task], places: &[Place]) -> Vec<bool> {
    let after = |id: TaskId| -> Vec<TaskId> {
        let out = tasks.get(id).into_iter().flat_map(Task::places_out);
        let targets = out.filter_map(|p| places.get(p)).flat_map(|p| &p.targets);
        targets.copied().collect()
    };
    // The tasks in the order in which all that follows from them has been seen.
    let (mut seen, mut order) = (vec![false; tasks.len()], Vec::new());
    let mut pending: Vec<(TaskId, bool)> = (0..tasks.len()).map(|id| (id, false)).collect();
    while let Some((id, done)) = pending.pop() {
        if done {
            order.push(id);
        } else if let Some(seen) = seen.get_mut(id).filter(|seen| !**seen) {
            *seen = true;
            pending.push((id, true));
            pending.extend(after(id).into_iter().map(|next| (next, false)));
        }
    }
    let producers = producers(tasks, places.len());
    let before = |id: TaskId| {
        let inputs = tasks.get(id).map_or(&[][..], |t| &t.inputs);
        inputs
            .iter()
            .filter_map(|i| producers.get(i.place))
            .flatten()
    };
    let (mut found, mut of) = (vec![false; tasks.len()], vec![None; tasks.len()]);
    for head in order.into_iter().rev() {
        let mut pending = vec![(head, false)];
        while let Some((id, more)) = pending.pop() {
            let known = of.get(id).copied().flatten();
            if known.is_none() {
                of.get_mut(id).into_iter().for_each(|of| *of = Some(head));
                pending.extend(before(id).map(|before| (*before, true)));
            }
            // Whatever has an edge to another one of its component, or to itself, is in a loop.
            let mark = more && known.is_none_or(|of| of == head);
            found
                .get_mut(id)
                .filter(|_| mark)
                .into_iter()
                .for_each(|found| *found = true);
        }
    }
    found
}

fn local(tasks: &[Task]) -> Vec<TaskId> {
    (0..tasks.len())
        .filter(|id| tasks.get(*id).is_some_and(|t| t.join == Join::Local))
        .collect()
}

/// Marks the places from which a local join can be reached: what is not taken there must be told.
pub(super) fn mark_dead_paths(tasks: &[Task], places: &mut [Place]) {
    let local = local(tasks);
    if local.is_empty() {
        return;
    }
    let before = upstream(tasks, places, &local);
    let leads = |id: &TaskId| before.get(*id) == Some(&true) || local.contains(id);
    for place in places {
        place.dead_paths = place.targets.iter().any(&leads);
    }
}

/// A local join decides from its own edges alone, so before it there must be nothing that its edges could not tell: no
/// loop, no deferred choice, no other join that waits or swallows.
pub(super) fn local_joins(net: &Net, positions: &[Pos], problems: &mut Problems) {
    let local = local(&net.tasks);
    if local.is_empty() {
        return;
    }
    let before = upstream(&net.tasks, &net.places, &local);
    let in_loop = loops(&net.tasks, &net.places);
    let help = "use `join: or`, which looks at the whole net";
    for (id, task) in net.tasks.iter().enumerate() {
        let at = positions.get(id).copied().unwrap_or_default();
        let is_before = before.get(id) == Some(&true);
        if !is_before && task.join != Join::Local {
            continue;
        }
        let name = &task.name;
        let why = if in_loop.get(id) == Some(&true) {
            Some(format!("`{name}` is in a loop before a local join"))
        } else if matches!(task.join, Join::Or | Join::Of { .. }) {
            Some(format!("`{name}` joins in another way before a local join"))
        } else if task.inputs.iter().any(|i| i.tokens > 1)
            || task.outputs.iter().any(|e| e.tokens > 1)
        {
            Some(format!("`{name}` moves several tokens before a local join"))
        } else if task
            .inputs
            .iter()
            .filter_map(|i| net.places.get(i.place))
            .any(|p| p.targets.len() > 1)
        {
            Some(format!("`{name}` is a deferred choice before a local join"))
        } else {
            None
        };
        if let Some(why) = why {
            problems.error(at, "bad-join", why, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_the_tasks_that_lead_to_themselves() {
        // Two loops of several tasks and one of one, with tasks before, between, behind and beside them.
        let edges = [
            ("begin", "a, x"),
            ("a", "b"),
            ("b", "c, between"),
            ("c", "a"),
            ("between", "d"),
            ("d", "e"),
            ("e", "d, end"),
            ("x", "x, end"),
            ("end", ""),
        ];
        let tasks: String = edges
            .iter()
            .map(|(task, next)| format!("  {task}: {{ split: and, join: xor, next: [{next}] }}\n"))
            .collect();
        let net = Net::compile(&format!("name: n\nstart: begin\ntasks:\n{tasks}"), None);
        let net = net.unwrap_or_else(|problems| panic!("{problems:?}"));
        let found = loops(&net.tasks, &net.places);
        let named = net.tasks.iter().zip(found).filter(|(_, found)| *found);
        let named: Vec<&str> = named.map(|(task, _)| &*task.name).collect();
        assert_eq!(named, ["a", "b", "c", "d", "e", "x"]);
    }
}
