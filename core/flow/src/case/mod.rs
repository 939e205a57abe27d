//! A case as data: what the machine works on and the store holds.

mod event;
mod item;
mod recovery;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use crate::analysis::Marking;
use crate::net::{PlaceId, TaskId};

pub use event::{EventKind, HistoryEvent};
pub(crate) use item::{Group, Instance, Item, ItemLane, ItemState, ItemWork, Lease};
pub(crate) use recovery::{Active, Caught, Done, Ending, Recovery};

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Something is enabled, runs or waits.
    Running,
    /// Somebody stopped it for a while: nothing is offered or started, no timer fires, until it is resumed. Work that
    /// was already started may complete.
    Suspended,
    /// The case ended as its net says: no token is left, or a task that ends it completed.
    Completed,
    /// A task failed for good.
    Failed,
    /// Tokens are left that can never move.
    Deadlocked,
    /// Somebody cancelled it.
    Cancelled,
    /// Somebody ended it by force.
    Terminated,
    /// It will fail or was cancelled, and undoes first what it did.
    Compensating,
    /// Somebody had it undo what it did, and that is done.
    Compensated,
    /// Something of what it did could not be undone.
    CompensationFailed,
}

const STATUSES: [Status; 10] = [
    Status::Running,
    Status::Suspended,
    Status::Completed,
    Status::Failed,
    Status::Deadlocked,
    Status::Cancelled,
    Status::Terminated,
    Status::Compensating,
    Status::Compensated,
    Status::CompensationFailed,
];

impl Status {
    /// `running`, `suspended`, `completed`, `failed`, `deadlocked`, `cancelled`, `terminated`, `compensating`,
    /// `compensated` or `compensation_failed`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Suspended => "suspended",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Deadlocked => "deadlocked",
            Status::Cancelled => "cancelled",
            Status::Terminated => "terminated",
            Status::Compensating => "compensating",
            Status::Compensated => "compensated",
            Status::CompensationFailed => "compensation_failed",
        }
    }

    /// Whether the case has ended.
    pub fn is_final(self) -> bool {
        !matches!(
            self,
            Status::Running | Status::Suspended | Status::Compensating
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(name: &str) -> Result<Status, ()> {
        STATUSES.into_iter().find(|s| s.name() == name).ok_or(())
    }
}

/// The case that waits for this one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parent {
    pub case: Arc<str>,
    /// The item that this case is the work of.
    pub item: u64,
    /// How many cases wait above this one.
    pub depth: u32,
}

/// A running instance of a flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub id: Arc<str>,
    /// The key of the net it runs on.
    pub net: Arc<str>,
    pub parent: Option<Parent>,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub data: Value,
    /// Tokens by place, whether each task runs, and what joins that count have seen.
    pub marking: Marking,
    /// Dead-path tokens by place: that a path to a local join was not taken.
    pub dead: BTreeMap<PlaceId, u32>,
    /// The item of every task that is enabled and offered; nothing is consumed yet.
    pub offers: BTreeMap<TaskId, u64>,
    /// The task of every item that was started, by item number, but for instances.
    pub in_flight: BTreeMap<u64, TaskId>,
    /// Instances in flight, by the number of the first.
    pub groups: BTreeMap<u64, Group>,
    /// Signals that are kept: the numbers of the first letter and of the next, by signal.
    pub mail: BTreeMap<Arc<str>, (u64, u64)>,
    /// Those items in flight that the running event concerns; all others stay in the store.
    pub items: BTreeMap<u64, Item>,
    /// Those instances that have ended and that the running event concerns.
    pub finished: BTreeMap<u64, Item>,
    /// Those letters that the running event concerns, and those it adds.
    pub letters: BTreeMap<(Arc<str>, u64), Value>,
    /// Since when tasks that have some token wait for more.
    pub waiting: BTreeMap<TaskId, Timestamp>,
    /// What can be undone, is being undone, and was caught.
    pub recovery: Recovery,
    /// Those completions that can be undone and that the running event concerns or makes; none for what is gone.
    pub done: BTreeMap<u64, Option<Done>>,
    /// By when it must have ended, while that is ahead.
    pub deadline: Option<Timestamp>,
    pub next_item: u64,
    /// How many history events there are.
    pub seq: u64,
    pub result: Option<Value>,
    pub error: Option<Value>,
    /// What the running event changed: items that ended and places in the data that were set, in order.
    pub ended: Vec<Item>,
    pub writes: Vec<(Path, Value)>,
}

impl Case {
    /// A case that has not begun.
    pub fn new(id: Arc<str>, net: Arc<str>, marking: Marking, data: Value, now: Timestamp) -> Case {
        Case {
            id,
            net,
            parent: None,
            status: Status::Running,
            created: now,
            updated: now,
            data,
            marking,
            dead: BTreeMap::new(),
            offers: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            groups: BTreeMap::new(),
            mail: BTreeMap::new(),
            items: BTreeMap::new(),
            finished: BTreeMap::new(),
            letters: BTreeMap::new(),
            waiting: BTreeMap::new(),
            recovery: Recovery::default(),
            done: BTreeMap::new(),
            deadline: None,
            next_item: 1,
            seq: 0,
            result: None,
            error: None,
            ended: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Whether a task has started and not ended, instances that run on for themselves included.
    pub fn is_busy(&self, task: TaskId) -> bool {
        let held = |g: &Group| g.task == task && g.left && !g.free;
        self.marking.running(task) > 0 || self.groups.values().any(held)
    }

    /// Whether nothing is offered and nothing runs.
    pub fn is_idle(&self) -> bool {
        self.offers.is_empty()
            && self.in_flight.is_empty()
            && self.groups.is_empty()
            && self.recovery.active.is_none()
    }

    /// The numbers of all items that may not have ended.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<'_> {
        let groups = self.groups.values().flat_map(Group::numbers);
        let offers = self.offers.values().copied();
        let undoing = self.recovery.active.as_ref().and_then(|a| a.running);
        let undoing = undoing.map(|(item, _)| item);
        offers
            .chain(self.in_flight.keys().copied())
            .chain(groups)
            .chain(undoing)
    }
}
