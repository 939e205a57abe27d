//! What tasks name of their net beside their edges: the regions that they cancel, the places that they test, how many
//! tokens they take, and the sections that exclude each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::graph::Graph;
use super::read::{Level, Name, Task as SpecTask, listed};
use crate::names::closest;
use crate::net::{PlaceId, Region, Section, TaskId};
use crate::problem::Problems;

/// The places of a net by their names.
pub(super) type Places = BTreeMap<String, PlaceId>;

/// The first place of each name.
pub(super) fn by_name(graph: &Graph) -> Places {
    let names = graph.places.iter().enumerate().rev();
    names.map(|(id, place)| (place.name.clone(), id)).collect()
}

/// The sections of a net, with one for each task that has a mutex of its own.
pub(super) fn sections(
    level: &Level,
    graph: &Graph,
    named: &BTreeMap<String, TaskId>,
    problems: &mut Problems,
) -> Vec<Section> {
    let mut mutexes: BTreeMap<String, usize> = BTreeMap::new();
    let mut number = |name: &str| {
        let next = mutexes.len();
        *mutexes.entry(name.to_owned()).or_insert(next)
    };
    let mut producers = vec![Vec::new(); graph.places.len()];
    for task in 0..graph.outputs.len() {
        for place in graph.places_out(task) {
            if let Some(of) = producers.get_mut(place) {
                of.push(task);
            }
        }
    }
    let mut sections = Vec::new();
    for section in &level.sections {
        let mut tasks = Vec::new();
        for name in &section.tasks {
            match named.get(&name.text) {
                Some(task) => tasks.push(*task),
                None => {
                    let message = format!("there is no task `{}`", name.text);
                    let help = match closest(&name.text, named.keys().map(String::as_str)) {
                        Some(close) => format!("did you mean `{close}`?"),
                        None => "a section consists of tasks".to_owned(),
                    };
                    problems.error(name.at, "unknown-task", message, help);
                }
            }
        }
        sections.push(Section {
            name: section.name.text.clone(),
            mutex: number(&section.mutex.text),
            mutex_name: section.mutex.text.clone(),
            places: inner_places(&tasks, &producers, graph),
            tasks,
            rivals: Arc::default(),
        });
    }
    for (id, task) in level.tasks.iter().enumerate() {
        let Some(mutex) = &task.mutex else { continue };
        sections.push(Section {
            name: task.name.clone(),
            mutex: number(&mutex.text),
            mutex_name: mutex.text.clone(),
            tasks: vec![id],
            places: Vec::new(),
            rivals: Arc::default(),
        });
    }
    let mut same: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (id, section) in sections.iter().enumerate() {
        same.entry(section.mutex).or_default().push(id);
    }
    let same = same.into_iter().map(|(mutex, of)| (mutex, of.into()));
    let same: BTreeMap<usize, Arc<[usize]>> = same.collect();
    for section in &mut sections {
        section.rivals = same.get(&section.mutex).cloned().unwrap_or_default();
    }
    sections
}

/// The places that only these tasks lead to and only these tasks take from.
fn inner_places(tasks: &[TaskId], producers: &[Vec<TaskId>], graph: &Graph) -> Vec<PlaceId> {
    let tasks: BTreeSet<TaskId> = tasks.iter().copied().collect();
    let all_inside = |of: &[TaskId]| !of.is_empty() && of.iter().all(|t| tasks.contains(t));
    let is_inner = |id: &PlaceId| {
        let (Some(place), Some(producers)) = (graph.places.get(*id), producers.get(*id)) else {
            return false;
        };
        let entered = place.tokens > 0 || graph.late == Some(*id);
        !entered && all_inside(producers) && all_inside(&place.targets)
    };
    let places = tasks.iter().flat_map(|task| graph.places_out(*task));
    let places: BTreeSet<PlaceId> = places.filter(is_inner).collect();
    places.into_iter().collect()
}

pub(super) fn region(
    task: &SpecTask,
    graph: &Graph,
    (named, places): (&BTreeMap<String, TaskId>, &Places),
    problems: &mut Problems,
) -> Region {
    let mut region = Region::default();
    for name in &task.cancels {
        if let Some(id) = named.get(&name.text) {
            region.tasks.push(*id);
            // A task's name stands for the edges that lead to it too: else it would be offered again at once.
            let inputs = graph.inputs.get(*id).into_iter().flatten();
            region.places.extend(
                inputs
                    .map(|i| i.place)
                    .filter(|p| graph.places.get(*p).is_some_and(|place| !place.explicit)),
            );
        } else if let Some(place) = places.get(&name.text) {
            region.places.push(*place);
        } else {
            unknown_place(name, graph, named.keys().map(String::as_str), problems);
        }
    }
    region.places.sort_unstable();
    region.places.dedup();
    region.tasks.sort_unstable();
    region.tasks.dedup();
    region
}

fn unknown_place<'n>(
    name: &Name,
    graph: &'n Graph,
    others: impl Iterator<Item = &'n str>,
    problems: &mut Problems,
) {
    let places = graph.places.iter().map(|p| p.name.as_str());
    let help = match closest(&name.text, places.chain(others)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "name a place, or an edge as `A>B`".to_owned(),
    };
    let message = format!("there is no place `{}`", name.text);
    problems.error(name.at, "unknown-place", message, help);
}

pub(super) fn tests(
    task: &SpecTask,
    graph: &Graph,
    places: &Places,
    problems: &mut Problems,
) -> Vec<PlaceId> {
    let mut tests = Vec::new();
    for name in &task.tests {
        match places.get(&name.text) {
            Some(place) => tests.push(*place),
            None => unknown_place(name, graph, std::iter::empty(), problems),
        }
    }
    tests.sort_unstable();
    tests.dedup();
    tests
}

/// Sets how many tokens a task takes from its inputs, each named as a place, an edge, or the task it comes from.
pub(super) fn takes(id: TaskId, task: &SpecTask, graph: &mut Graph, problems: &mut Problems) {
    let Some(inputs) = graph.inputs.get_mut(id) else {
        return;
    };
    for (name, tokens) in &task.takes {
        let edge = format!("{}>{}", name.text, task.name);
        let found = inputs.iter_mut().find(|input| {
            graph
                .places
                .get(input.place)
                .is_some_and(|p| p.name == name.text || p.name == edge)
        });
        match found {
            Some(input) => input.tokens = *tokens,
            None => {
                let message = format!("no edge leads from `{}` to `{}`", name.text, task.name);
                let sources = graph.from.get(id).map(Vec::as_slice).unwrap_or_default();
                let sources: Vec<&str> = sources.iter().map(String::as_str).take(20).collect();
                let help = if sources.is_empty() {
                    "it has no edges in but the start".to_owned()
                } else {
                    format!("its edges in come from {}", listed(&sources))
                };
                problems.error(name.at, "unknown-place", message, help);
            }
        }
    }
}
