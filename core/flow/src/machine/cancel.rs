//! Cancellation: of a region, of a task, of all that a case has in flight.

use statewright_value::{Value, value};

use super::{Effect, Machine};
use crate::case::{EventKind, ItemState, ItemWork};
use crate::net::{PlaceId, Region, TaskId};
use crate::sabotage::{self, Bug};

impl Machine<'_> {
    /// Empties a region: its places lose all their tokens, its tasks stop. What is outside is not touched; what was
    /// only enabled by the region is withdrawn when the case settles.
    pub(super) fn empty_region(&mut self, region: &Region) {
        let mut removed = Value::object();
        for place in &region.places {
            self.empty_place(*place, &mut removed);
        }
        for task in &region.tasks {
            self.stop_task(*task);
        }
        if !removed.is_empty() {
            self.note(EventKind::Emptied, None, value!({"tokens": removed}));
        }
    }

    fn empty_place(&mut self, place: PlaceId, removed: &mut Value) {
        let tokens = self.tokens(place);
        if tokens > 0 {
            // An object that was just made takes another key.
            let _ = removed.insert(self.place_name(place), Value::from(tokens));
            self.set_tokens(place, 0);
        }
        if self.case.dead.remove(&place).is_some() {
            self.touch_place(place);
        }
    }

    /// Stops a task that runs, with all its instances, and forgets what its join has counted.
    fn stop_task(&mut self, task: TaskId) {
        let Some(spec) = self.task(task) else {
            return;
        };
        self.forget_round(task, spec);
        let mut numbers: Vec<u64> = self
            .case
            .in_flight
            .iter()
            .filter(|(_, of)| **of == task)
            .map(|(number, _)| *number)
            .collect();
        let groups = self.case.groups.values().filter(|g| g.task == task);
        numbers.extend(groups.flat_map(|g| g.numbers()));
        if sabotage::on(Bug::KeepCancelled) {
            return; // planted
        }
        for number in numbers {
            self.cancel_item(number);
        }
        self.case.groups.retain(|_, g| g.task != task);
        if self.case.marking.running(task) > 0 {
            self.set_running(task, 0);
        } else {
            self.touch_task(task);
        }
    }

    /// Whether all items are here; if not, the event runs again with them.
    pub(super) fn has_all_items(&mut self) -> bool {
        for number in self.case.numbers().collect::<Vec<u64>>() {
            self.has_item(number);
        }
        self.needs.is_empty()
    }

    /// Cancels an item that was started.
    pub(super) fn cancel_item(&mut self, number: u64) {
        if !self.has_item(number) {
            return;
        }
        let Some(item) = self.case.items.get(&number) else {
            return;
        };
        let task = item.task;
        if let ItemWork::Flow { case } = &item.work {
            let case = case.clone();
            let force = self.forced;
            if !sabotage::on(Bug::ForgetCalled) {
                self.effects.push(Effect::Cancel { case, force }); // the condition is planted
            }
        }
        if let Some(active) = &mut self.case.recovery.active
            && active.by == Some(number)
        {
            // The step at hand is the last one: nobody wants the others undone any more.
            active.cursor = 0;
        }
        self.end_item(number, ItemState::Cancelled);
        self.note_item(EventKind::Cancelled, number, task, Value::NULL);
    }

    /// Somebody cancels a task (patterns 19 and 26): it is withdrawn if it is only enabled, stopped if it runs, and
    /// produces nothing. False if there is nothing of it.
    pub fn cancel_task(&mut self, task: TaskId) -> bool {
        let Some(spec) = self.task(task) else {
            return false;
        };
        let busy = self.case.marking.running(task) > 0
            || self.case.groups.values().any(|g| g.task == task);
        if !busy && !self.is_enabled(task) {
            return false;
        }
        self.note(EventKind::TaskCancelled, Some(task), Value::NULL);
        let mut region = Region {
            places: Vec::new(),
            tasks: vec![task],
        };
        if !busy {
            let implicit = |p: &PlaceId| self.net.places.get(*p).is_some_and(|p| !p.explicit);
            region.places = spec.inputs.iter().map(|i| i.place).collect();
            region.places.retain(implicit);
            // What was enabled by explicit places alone gives up the tokens that enabled it.
            if region.places.is_empty() {
                self.consume(task);
            }
        }
        self.empty_region(&region);
        self.settle();
        true
    }

    /// Ends all work: what was offered is withdrawn, what was started is cancelled, with the cases it called. False if
    /// it needs more of the case first.
    ///
    /// With `force`, what undoes something is cancelled too, and called cases undo nothing.
    pub(super) fn end_all_work(&mut self, force: bool) -> bool {
        if !self.has_all_items() {
            return false;
        }
        self.forced = force;
        let offered: Vec<(TaskId, u64)> = self.case.offers.iter().map(|(t, n)| (*t, *n)).collect();
        for (task, number) in offered {
            self.withdraw(task, number);
        }
        let open: Vec<u64> = self.case.items.keys().copied().collect();
        let kept = |n: &u64| !force && self.undoes(*n).is_some();
        for number in open.into_iter().filter(|n| !kept(n)).collect::<Vec<u64>>() {
            self.cancel_item(number);
        }
        if force {
            self.case.recovery.active = None;
        }
        self.case.groups.clear();
        for task in 0..self.net.tasks.len() {
            self.case.marking.set_running(task, 0);
        }
        true
    }
}
