//! Since when tasks that have some token wait for more: kept with a case, so that it can tell.

use crate::case::{Case, EventKind};
use crate::machine::Note;
use crate::net::Net;

/// Notes which tasks with several things to wait for have some token and are not offered, since when. What started in
/// this event waits anew. O(such tasks · their inputs).
pub(super) fn update(net: &Net, case: &mut Case, notes: &[Note]) {
    if net.joins.is_empty() {
        return;
    }
    for note in notes {
        let starts = matches!(
            note.kind,
            EventKind::Started
                | EventKind::Fired
                | EventKind::Routed
                | EventKind::Logged
                | EventKind::InstancesStarted
                | EventKind::CaseCalled
                | EventKind::TimerFired
                | EventKind::Signalled
                | EventKind::DeadlinePassed
        );
        if let (true, Some(task)) = (starts, note.task) {
            case.waiting.remove(&task);
        }
    }
    if case.status.is_final() && case.marking.marked().next().is_none() {
        case.waiting.clear();
        return;
    }
    for task in &net.joins {
        let inputs = net.tasks.get(*task).map_or(&[][..], |t| &t.inputs);
        let marked = inputs.iter().any(|i| case.marking.tokens(i.place) > 0);
        if marked && !case.offers.contains_key(task) {
            case.waiting.entry(*task).or_insert(case.updated);
        } else {
            case.waiting.remove(task);
        }
    }
}
