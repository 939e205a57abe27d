//! How far cases are: which of their tasks have completed, and how many instances of those that have several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use statewright::flow::{EventKind, HistoryEvent};

/// The width of a bar.
const BAR: usize = 24;

/// How far one case is.
#[derive(Debug, Default)]
pub struct Tally {
    tasks: usize,
    done: BTreeSet<Arc<str>>,
    /// Instances of tasks that have begun: how many have completed, and how many there are.
    instances: BTreeMap<Arc<str>, (u64, u64)>,
}

impl Tally {
    /// Of a case whose flow has so many tasks.
    pub fn new(tasks: usize) -> Tally {
        Tally {
            tasks,
            ..Tally::default()
        }
    }

    /// Something happened in the case.
    pub fn event(&mut self, event: &HistoryEvent) {
        let Some(task) = &event.task else {
            return;
        };
        match event.kind {
            EventKind::InstancesStarted | EventKind::InstancesAdded => {
                let more = event.detail.get("instances").and_then(|n| n.as_u64());
                let (_, total) = self.instances.entry(task.clone()).or_default();
                *total = total.saturating_add(more.unwrap_or(0));
            }
            EventKind::InstancesJoined => {
                self.instances.remove(task);
                self.done.insert(task.clone());
            }
            EventKind::Completed | EventKind::WorkSkipped => match self.instances.get_mut(task) {
                Some((done, _)) => *done = done.saturating_add(1),
                None => {
                    self.done.insert(task.clone());
                }
            },
            EventKind::Fired
            | EventKind::Logged
            | EventKind::TimerFired
            | EventKind::Signalled
            | EventKind::Routed => {
                self.done.insert(task.clone());
            }
            EventKind::TaskCancelled => {
                self.instances.remove(task);
            }
            _ => {}
        }
    }

    /// How many instances of a task have completed, and how many there are; none if it has none.
    pub fn instances(&self, task: &str) -> Option<(u64, u64)> {
        self.instances.get(task).copied()
    }

    /// How many tasks have completed, and how many the flow has.
    pub fn tasks(&self) -> (usize, usize) {
        (self.done.len(), self.tasks.max(self.done.len()))
    }
}

/// A bar of which `done` of `all` is filled. A part that is not nothing is seen, and one that is not all leaves room.
pub fn bar(done: usize, all: usize) -> String {
    let all = all.max(1);
    let mut filled = done.saturating_mul(BAR) / all;
    if done > 0 {
        filled = filled.max(1);
    }
    if done < all {
        filled = filled.min(BAR.saturating_sub(1));
    }
    let filled = filled.min(BAR);
    let mut bar = "━".repeat(filled);
    bar.extend(std::iter::repeat_n('─', BAR.saturating_sub(filled)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use statewright::{Timestamp, Value, value};

    fn event(kind: EventKind, task: &str, detail: Value) -> HistoryEvent {
        let engine = statewright::Engine::in_memory(statewright::Options::default()).unwrap();
        engine
            .deploy(
                "name: x\ntasks: { a: { kind: set, set: { .b: '1' } } }",
                None,
            )
            .unwrap();
        let case = engine.start("x", Value::NULL, None).unwrap();
        let mut event = engine.history(&case, 0).unwrap().remove(0);
        event.kind = kind;
        event.task = Some(task.into());
        event.detail = detail;
        event.at = Timestamp::from_micros(0);
        event
    }

    #[test]
    fn tasks_are_counted_once_and_instances_each() {
        let mut tally = Tally::new(3);
        for (kind, task, detail) in [
            (EventKind::Fired, "a", Value::NULL),
            (EventKind::Fired, "a", Value::NULL),
            (EventKind::InstancesStarted, "b", value!({"instances": 4})),
            (EventKind::Completed, "b", Value::NULL),
            (EventKind::InstancesAdded, "b", value!({"instances": 1})),
        ] {
            tally.event(&event(kind, task, detail));
        }
        assert_eq!(tally.tasks(), (1, 3));
        assert_eq!(tally.instances("b"), Some((1, 5)));
        tally.event(&event(EventKind::InstancesJoined, "b", Value::NULL));
        assert_eq!((tally.tasks(), tally.instances("b")), ((2, 3), None));
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        for (done, all, filled) in [
            (0, 7, 0),
            (1, 1000, 1),
            (999, 1000, 23),
            (7, 7, 24),
            (0, 0, 0),
        ] {
            let bar = bar(done, all);
            assert_eq!(bar.chars().count(), BAR);
            assert_eq!(
                bar.chars().filter(|c| *c == '━').count(),
                filled,
                "{done} of {all}"
            );
        }
    }
}
