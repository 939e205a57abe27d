//! Joins that count arrivals: discriminators and partial joins (patterns 9, 28 to 32).
//!
//! A round begins with no input seen. The n-th input that has its tokens enables the join; its start takes the tokens
//! of all inputs that have them and marks those inputs as seen. Until the round ends the join is not enabled again,
//! and what arrives on an input that was not seen yet is absorbed. A round ends
//!
//! - structured (`reset: all`): when all inputs were seen. A second token on a seen input is a mistake in the flow: it
//!   is told in the history and stays where it is;
//! - `blocking`: when all were seen that can still be. A second token waits for the next round;
//! - `cancel`: at once. What is left of the round is for the task's cancellation region.

use statewright_value::value;

use super::Machine;
use crate::analysis::Decision;
use crate::case::EventKind;
use crate::net::{Join, PlaceId, Reset, Task, TaskId};
use crate::sabotage::{self, Bug};

impl Machine<'_> {
    fn seen(&self, task: TaskId, input: usize) -> bool {
        self.case.marking.seen(self.net.skeleton(), task, input)
    }

    fn set_seen(&mut self, task: TaskId, input: usize, seen: bool) {
        let skeleton = self.net.skeleton();
        self.case.marking.set_seen(skeleton, task, input, seen);
    }

    pub(super) fn consume_counted(&mut self, task: TaskId, spec: &Task, reset: Reset) {
        for (index, input) in spec.inputs.iter().enumerate() {
            if self.tokens(input.place) >= input.tokens {
                self.take(input.place, input.tokens);
                if reset != Reset::Cancel {
                    self.set_seen(task, index, true);
                }
            }
        }
        self.end_round(task, spec, reset);
    }

    /// Whether a round of the join has fired and not ended.
    fn in_round(&self, task: TaskId, spec: &Task) -> bool {
        (0..spec.inputs.len()).any(|i| self.seen(task, i))
    }

    /// Absorbs what came for a round that has fired, and ends the round if nothing more can come.
    pub(super) fn absorb(&mut self, task: TaskId, spec: &Task) {
        let Join::Of { reset, .. } = spec.join else {
            return;
        };
        if !self.in_round(task, spec) {
            return;
        }
        for (index, input) in spec.inputs.iter().enumerate() {
            if !self.seen(task, index) && self.tokens(input.place) >= input.tokens {
                self.take(input.place, input.tokens);
                self.set_seen(task, index, true);
                let place = self.place_name(input.place);
                self.note(EventKind::Absorbed, Some(task), value!({"place": place}));
            }
        }
        self.end_round(task, spec, reset);
    }

    fn end_round(&mut self, task: TaskId, spec: &Task, reset: Reset) {
        if !self.in_round(task, spec) {
            return;
        }
        let all = (0..spec.inputs.len()).all(|i| self.seen(task, i));
        let over = match reset {
            Reset::All => all || sabotage::on(Bug::FireAgain), // planted
            Reset::Blocking => all || self.nothing_can_come(task, spec),
            Reset::Cancel => true,
        };
        if over {
            self.forget_round(task, spec);
        }
    }

    pub(super) fn forget_round(&mut self, task: TaskId, spec: &Task) {
        for index in 0..spec.inputs.len() {
            self.set_seen(task, index, false);
        }
        self.dirty.insert(task);
        self.moved = true;
    }

    /// Whether no token can come any more on an input that was not seen.
    fn nothing_can_come(&self, task: TaskId, spec: &Task) -> bool {
        let marking = &self.case.marking;
        (0..spec.inputs.len())
            .filter(|input| !self.seen(task, *input))
            .all(|input| self.net.may_arrive(task, input, marking) == Decision::No)
    }

    /// Tells of a second token in one round of a structured join.
    pub(super) fn note_overrun(&mut self, place: PlaceId) {
        let targets = self.net.places.get(place).map_or(&[][..], |p| &p.targets);
        for task in targets {
            let Some(spec) = self.task(*task) else {
                continue;
            };
            if !matches!(
                spec.join,
                Join::Of {
                    reset: Reset::All,
                    ..
                }
            ) {
                continue;
            }
            let index = spec.inputs.iter().position(|i| i.place == place);
            if index.is_some_and(|i| self.seen(*task, i)) {
                let place = self.place_name(place);
                self.note(EventKind::Overrun, Some(*task), value!({"place": place}));
            }
        }
    }
}
