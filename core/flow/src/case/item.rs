//! Work items: one firing of a task, or one instance of it.

use statewright_log::Timestamp;
use statewright_value::Value;

use crate::net::TaskId;

/// One firing of a task that takes time, or one instance of it: work offered, a wait, a case of another flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub number: u64,
    pub task: TaskId,
    /// Which instance it is, if the task has several.
    pub instance: Option<Instance>,
    pub work: ItemWork,
    pub input: Value,
    /// What an instance gave.
    pub result: Option<Value>,
    pub created: Timestamp,
    /// How often it was started.
    pub attempt: u32,
    /// How many of those starts the retry policy counts.
    pub failures: u32,
    pub state: ItemState,
    /// Its key and priority, if its task has a lane.
    pub lane: ItemLane,
    /// By when it must be done, over all attempts.
    pub deadline: Option<Timestamp>,
    /// Whether the store has a document of it, beside what its case's says.
    pub stored: bool,
}

impl Item {
    /// When time alone changes it next, at the earliest.
    pub fn due(&self) -> Option<Timestamp> {
        let deadline = self.deadline.filter(|_| !self.state.is_final());
        self.state.due().into_iter().chain(deadline).min()
    }
}

/// The key and priority of an item in its lane.
pub(crate) type ItemLane = Option<(String, u8)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ItemWork {
    Process {
        argv: Vec<String>,
        cwd: Option<String>,
    },
    Host {
        topic: String,
    },
    Wait,
    Signal {
        signal: String,
        key: Option<String>,
    },
    Flow {
        case: String,
    },
    /// Other items undo what was done; this one ends when they have.
    Compensate,
}

/// One of several instances.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instance {
    /// The group it belongs to: the number of its first item.
    pub group: u64,
    /// From 0, in the order of the items it was made of.
    pub index: u32,
    /// What it was made of.
    pub of: Value,
}

/// The instances of one firing of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub task: TaskId,
    /// The numbers of its items: first ones, and how many follow.
    pub ranges: Vec<(u64, u64)>,
    pub total: u32,
    pub completed: u32,
    /// How many are neither completed nor cancelled.
    pub active: u32,
    pub max: Option<u32>,
    pub threshold: Option<u32>,
    /// The task has completed; these run on for themselves.
    pub left: bool,
    /// They never held the task: it may run again beside them.
    pub free: bool,
}

impl Group {
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<'_> {
        let range = |(first, len): &(u64, u64)| *first..first.saturating_add(*len);
        self.ranges.iter().flat_map(range)
    }

    pub fn has(&self, number: u64) -> bool {
        let inside = |(first, len): &(u64, u64)| number >= *first && number - first < *len;
        self.ranges.iter().any(inside)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ItemState {
    /// Anybody may take it.
    Offered {
        since: Timestamp,
    },
    /// Somebody works on it.
    Leased(Lease),
    /// Its last attempt failed; it is offered again later.
    BackingOff {
        since: Timestamp,
        until: Timestamp,
    },
    /// A wait.
    Waiting {
        since: Timestamp,
        until: Timestamp,
    },
    /// A task that a signal starts.
    Listening {
        since: Timestamp,
    },
    /// A case of another flow.
    Running {
        since: Timestamp,
    },
    Completed,
    Failed {
        error: Value,
    },
    Cancelled,
    /// Nothing is kept of it.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lease {
    pub worker: String,
    /// What only the holder knows.
    pub nonce: String,
    pub since: Timestamp,
    /// When it is offered again without a heartbeat; none = never while this process lives.
    pub until: Option<Timestamp>,
    /// When the attempt has taken too long.
    pub deadline: Option<Timestamp>,
}

impl Lease {
    /// When time alone changes it.
    pub fn due(&self) -> Option<Timestamp> {
        self.until.into_iter().chain(self.deadline).min()
    }
}

impl ItemState {
    pub fn name(&self) -> &'static str {
        match self {
            ItemState::Offered { .. } => "offered",
            ItemState::Leased(_) => "leased",
            ItemState::BackingOff { .. } => "backing_off",
            ItemState::Waiting { .. } => "waiting",
            ItemState::Listening { .. } => "listening",
            ItemState::Running { .. } => "running",
            ItemState::Completed => "completed",
            ItemState::Failed { .. } => "failed",
            ItemState::Cancelled => "cancelled",
            ItemState::Withdrawn => "withdrawn",
        }
    }

    pub fn is_final(&self) -> bool {
        matches!(
            self,
            ItemState::Completed
                | ItemState::Failed { .. }
                | ItemState::Cancelled
                | ItemState::Withdrawn
        )
    }

    /// When time alone ends this state, at the earliest.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            ItemState::BackingOff { until, .. } | ItemState::Waiting { until, .. } => Some(*until),
            ItemState::Leased(lease) => lease.due(),
            _ => None,
        }
    }
}
