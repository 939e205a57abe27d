//! Where the tokens of a completed task go: splits, and the dead paths that a local join is told of.

use statewright_value::{Value, value};

use super::{Machine, eval::truthy};
use crate::case::EventKind;
use crate::failure::Failure;
use crate::net::{Join, PlaceId, Split, Task, TaskId};

impl Machine<'_> {
    /// What follows the result of a task: it is not busy any more, its region is emptied, then it produces; or it ends
    /// the case.
    pub(super) fn complete_task(&mut self, task: TaskId) -> Result<(), Failure> {
        let Some(spec) = self.task(task) else {
            return Ok(());
        };
        // Whatever fails from here on, the task has had its tokens.
        self.took = Some(task);
        if self.case.marking.running(task) > 0 {
            self.set_running(task, 0);
        }
        // Which edges are taken is decided on the data as the task left them; the region holds no data.
        if !spec.cancels.is_empty() {
            self.empty_region(&spec.cancels);
        }
        if spec.terminate && self.case.recovery.ending.is_none() {
            self.end_explicitly(task);
        } else {
            self.produce(task, spec)?;
        }
        self.took = None;
        Ok(())
    }

    fn produce(&mut self, task: TaskId, spec: &Task) -> Result<(), Failure> {
        for place in spec.error_places() {
            if spec.outputs.iter().all(|e| e.place != place) {
                self.add_dead(place);
            }
        }
        if spec.split == Split::And {
            for edge in &spec.outputs {
                self.add(edge.place, edge.tokens)?;
            }
            return Ok(());
        }
        let mut taken = vec![false; spec.outputs.len()];
        let mut any = false;
        for (edge, taken) in spec.outputs.iter().zip(&mut taken) {
            let chosen = match &edge.when {
                Some(when) => truthy(&self.eval(when, task, 1, None)?),
                // The default of an xor split is its last edge; that of an or split waits for all the others.
                None => spec.split == Split::Xor,
            };
            *taken = chosen;
            any |= chosen;
            if chosen && spec.split == Split::Xor {
                break;
            }
        }
        if !any && !spec.outputs.is_empty() {
            let default = spec.outputs.iter().position(|e| e.when.is_none());
            let default = default.and_then(|index| taken.get_mut(index));
            let default = default.ok_or_else(|| {
                let message = "no condition holds, and there is no edge without one";
                Failure::new("no-branch", message).for_good()
            })?;
            *default = true;
        }
        for (edge, taken) in spec.outputs.iter().zip(taken) {
            if taken {
                self.add(edge.place, edge.tokens)?;
            } else {
                self.add_dead(edge.place);
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, place: PlaceId, tokens: u32) -> Result<(), Failure> {
        let sum = self.tokens(place).checked_add(tokens).ok_or_else(|| {
            let message = format!("too many tokens in {}", self.place_name(place));
            Failure::new("tokens", message).for_good()
        })?;
        self.note_overrun(place);
        self.set_tokens(place, sum);
        Ok(())
    }

    /// Tells the joins behind a place that the path to it was not taken.
    pub(super) fn add_dead(&mut self, place: PlaceId) {
        if !self.net.places.get(place).is_some_and(|p| p.dead_paths) {
            return;
        }
        let dead = self.case.dead.entry(place).or_default();
        *dead = dead.saturating_add(1);
        self.touch_place(place);
    }

    pub(super) fn take_dead(&mut self, place: PlaceId) {
        if let Some(dead) = self.case.dead.get_mut(&place) {
            *dead = dead.saturating_sub(1);
            if *dead == 0 {
                self.case.dead.remove(&place);
            }
        }
    }

    /// A task none of whose paths was taken passes that on.
    pub(super) fn pass_over(&mut self, task: TaskId, spec: &Task) {
        let dead = |i: &crate::net::Input| {
            self.case.dead.contains_key(&i.place) && self.tokens(i.place) == 0
        };
        let waits = matches!(spec.join, Join::And | Join::Xor | Join::Local);
        if !waits || spec.inputs.is_empty() || !spec.inputs.iter().all(dead) {
            return;
        }
        for input in &spec.inputs {
            self.take_dead(input.place);
        }
        self.skipped.push(task);
        for place in spec.places_out() {
            self.add_dead(place);
        }
    }

    /// One note for all that was passed over.
    pub(super) fn note_skipped(&mut self) {
        let skipped = std::mem::take(&mut self.skipped);
        if !skipped.is_empty() {
            let names: Value = skipped
                .iter()
                .filter_map(|t| self.task(*t))
                .map(|t| Value::from(&*t.name))
                .collect();
            self.note(EventKind::Skipped, None, value!({"tasks": names}));
        }
    }
}
