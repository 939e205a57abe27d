//! What happened to a case, as it is told and stored.

use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_value::Value;

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

            /// As the history has it: its place in the list, so new kinds go to the end. Below 64.
            pub(crate) fn number(self) -> u64 {
                self as u64
            }

            pub(crate) fn from_number(number: u64) -> Option<EventKind> {
                const ALL: &[EventKind] = &[$(EventKind::$variant,)*];
                ALL.get(usize::try_from(number).ok()?).copied()
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
    /// Who worked on it gave it back, or is gone: the process was restarted.
    Released = "released",
    /// Who worked on it handed it to somebody else; `detail.from` and `detail.worker`.
    Delegated = "delegated",
    /// Somebody decided that the work is not to be done; `detail.reason` if one was given.
    WorkSkipped = "work_skipped",
    /// A wait began; `detail.until`.
    TimerSet = "timer_set",
    /// A wait is over.
    TimerFired = "timer_fired",
    /// The work was started and is not needed any more.
    Cancelled = "cancelled",
    /// The work was offered, nobody had started it, and its task is not enabled any more.
    Withdrawn = "withdrawn",
    /// A task that only joins and splits fired.
    Routed = "routed",
    /// Instances of a task began; `detail.instances`, and `detail.first`, the number of the first.
    InstancesStarted = "instances_started",
    /// Instances were added to a running task; `detail` as for those that began.
    InstancesAdded = "instances_added",
    /// A task with several instances completed; `detail.completed` of them had.
    InstancesJoined = "instances_joined",
    /// A case of another flow was started; `detail.case`.
    CaseCalled = "case_called",
    /// A task waits for a signal; `detail.signal`, and `detail.key` if it has one.
    Listening = "listening",
    /// The signal came.
    Signalled = "signalled",
    /// A signal came that nobody waited for; it is kept until somebody does.
    SignalKept = "signal_kept",
    /// A signal came that nobody waited for, and was lost; `detail.code` says why.
    SignalDropped = "signal_dropped",
    /// A token came too late for the round of a join that counts, and counts for nothing; `detail.place`.
    Absorbed = "absorbed",
    /// A second token came on an edge in the same round of a structured join: a mistake in the flow; `detail.place`.
    Overrun = "overrun",
    /// Tokens were removed by a cancellation; `detail.tokens` by place.
    Emptied = "emptied",
    /// Tasks on paths that were not taken were passed over; `detail.tasks`.
    Skipped = "skipped",
    /// Somebody cancelled a task.
    TaskCancelled = "task_cancelled",
    /// Somebody had a task with several instances complete.
    TaskForced = "task_forced",
    /// The task failed for good; `detail` is the error, with the errors that led to it as `cause`.
    Failed = "failed",
    /// The flow goes on after the failure of a task; `detail` says how: `to`, `skip` or `result`.
    Caught = "caught",
    /// What a task has done is being undone; `detail.item` is the item that did it. Of a task of kind `compensate`: it
    /// has begun.
    Compensating = "compensating",
    /// What the task did once is undone.
    Compensated = "compensated",
    /// What the task did once could not be undone; `detail` is the error.
    CompensationFailed = "compensation_failed",
    /// The case undoes what it did before it ends.
    CaseCompensating = "case_compensating",
    /// All that somebody wanted to be undone is undone; `detail.reason`.
    CaseCompensated = "case_compensated",
    /// The case has ended, and not all could be undone; `detail` is the error.
    CaseCompensationFailed = "case_compensation_failed",
    /// The case completed.
    CaseCompleted = "case_completed",
    /// The case failed; `detail` is the error.
    CaseFailed = "case_failed",
    /// The case is deadlocked; `detail.tokens` says where.
    CaseDeadlocked = "case_deadlocked",
    /// Somebody cancelled the case; `detail.reason`.
    CaseCancelled = "case_cancelled",
    /// Somebody ended the case by force; `detail.reason`.
    CaseTerminated = "case_terminated",
    /// The case was suspended.
    CaseSuspended = "case_suspended",
    /// The case was resumed.
    CaseResumed = "case_resumed",
    /// A deadline passed: of the item, or of the case if there is none; `detail` is the error, or `to` where the case
    /// goes on.
    DeadlinePassed = "deadline_passed",
    /// The case was moved to another version of its flow; `detail` has the `migration`, `from` and `to`, each with
    /// `version` and `key`, and `undoes` if it was moved back.
    CaseMigrated = "case_migrated",
    /// The case was made of another one as it was after an event; `detail.from` and `detail.at`. What is before it in
    /// the history is the other's.
    CaseForked = "case_forked",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        let all: Vec<EventKind> = (0..).map_while(EventKind::from_number).collect();
        assert!(all.iter().zip(0..).all(|(kind, n)| kind.number() == n));
        assert!(all.contains(&EventKind::CaseResumed) && all.len() <= 64);
    }
}
