//! A case as data: what the machine works on and the store holds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use crate::net::{PlaceId, TaskId};

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Something is enabled, runs or waits.
    Running,
    /// No token is left: the case ended as its net says.
    Completed,
    /// A task failed for good.
    Failed,
    /// Tokens are left that can never move.
    Deadlocked,
}

impl Status {
    /// `running`, `completed`, `failed` or `deadlocked`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Deadlocked => "deadlocked",
        }
    }

    /// Whether the case has ended.
    pub fn is_final(self) -> bool {
        self != Status::Running
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
        [
            Status::Running,
            Status::Completed,
            Status::Failed,
            Status::Deadlocked,
        ]
        .into_iter()
        .find(|s| s.name() == name)
        .ok_or(())
    }
}

/// A running instance of a flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub id: Arc<str>,
    /// The key of the net it runs on.
    pub net: Arc<str>,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub data: Value,
    /// Tokens by place; a place without tokens is not in it.
    pub marking: BTreeMap<PlaceId, u32>,
    /// The task of every item in flight, by item number. A task that is here is busy.
    pub in_flight: BTreeMap<u64, TaskId>,
    /// Those items in flight that the running event concerns; all others stay in the store.
    pub items: BTreeMap<u64, Item>,
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
    pub fn tokens(&self, place: PlaceId) -> u32 {
        self.marking.get(&place).copied().unwrap_or(0)
    }

    pub fn add_token(&mut self, place: PlaceId) {
        let tokens = self.marking.entry(place).or_default();
        *tokens = tokens.saturating_add(1);
    }

    /// Takes a token that is there.
    pub fn take_token(&mut self, place: PlaceId) {
        if let Some(tokens) = self.marking.get_mut(&place) {
            *tokens = tokens.saturating_sub(1);
            if *tokens == 0 {
                self.marking.remove(&place);
            }
        }
    }

    pub fn is_busy(&self, task: TaskId) -> bool {
        self.in_flight.values().any(|busy| *busy == task)
    }
}

/// One firing of a task that takes time: work offered to a program, or a wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub number: u64,
    pub task: TaskId,
    pub work: ItemWork,
    pub input: Value,
    pub created: Timestamp,
    /// How often it was started.
    pub attempt: u32,
    /// How many of those starts the retry policy counts.
    pub failures: u32,
    pub state: ItemState,
}

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
    Completed,
    Failed {
        error: Value,
    },
    Cancelled,
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

impl ItemState {
    pub fn name(&self) -> &'static str {
        match self {
            ItemState::Offered { .. } => "offered",
            ItemState::Leased(_) => "leased",
            ItemState::BackingOff { .. } => "backing_off",
            ItemState::Waiting { .. } => "waiting",
            ItemState::Completed => "completed",
            ItemState::Failed { .. } => "failed",
            ItemState::Cancelled => "cancelled",
        }
    }

    /// When time alone changes it next, at the earliest.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            ItemState::BackingOff { until, .. } | ItemState::Waiting { until, .. } => Some(*until),
            ItemState::Leased(lease) => lease.until.into_iter().chain(lease.deadline).min(),
            _ => None,
        }
    }
}

/// What happened to a case, in order. Each event was committed in the same commit as the change it tells of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// The case.
    pub case: Arc<str>,
    /// Its number within the case; 1 is the first.
    pub seq: u64,
    /// The version of the commit that holds it.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// The task it is about, if it is about one.
    pub task: Option<Arc<str>>,
    /// The work item it is about, if it is about one.
    pub item: Option<u64>,
    /// Which attempt of the item.
    pub attempt: Option<u32>,
    /// What else there is to say: a message, an error, a time; an object or null.
    pub detail: Value,
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of history events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// The name, in snake case, as it is stored and printed.
            pub fn name(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }

            pub(crate) fn from_name(name: &str) -> Option<EventKind> {
                match name { $($name => Some(EventKind::$variant),)* _ => None }
            }
        }
    };
}

event_kinds! {
    /// The case was created.
    CaseStarted = "case_started",
    /// A `set` task fired.
    Fired = "fired",
    /// A `log` task fired; `detail.message`.
    Logged = "logged",
    /// Work is offered.
    Offered = "offered",
    /// Somebody took the work; `detail.worker`.
    Started = "started",
    /// The work's result was accepted.
    Completed = "completed",
    /// An attempt failed; `detail` is the error.
    AttemptFailed = "attempt_failed",
    /// The work will be tried again; `detail.until`.
    RetryScheduled = "retry_scheduled",
    /// The attempt took too long.
    TimedOut = "timed_out",
    /// No heartbeat came in time.
    LeaseExpired = "lease_expired",
    /// Who worked on it is gone: the process was restarted.
    Released = "released",
    /// A wait began; `detail.until`.
    TimerSet = "timer_set",
    /// A wait is over.
    TimerFired = "timer_fired",
    /// The work is not needed any more.
    Cancelled = "cancelled",
    /// The task failed for good; `detail` is the error.
    Failed = "failed",
    /// The case completed.
    CaseCompleted = "case_completed",
    /// The case failed; `detail` is the error.
    CaseFailed = "case_failed",
    /// The case is deadlocked; `detail.tokens` says where.
    CaseDeadlocked = "case_deadlocked",
}
