//! When cases of a flow begin by themselves.

use statewright_value::Value;

use crate::calendar::Calendar;

/// The schedule of a flow.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// When cases begin.
    pub calendar: Calendar,
    /// What happens if the last one has not ended by then.
    pub overlap: Overlap,
    /// How many starts that were missed are made up for, the latest ones.
    pub catch_up: u32,
    /// Merged over the flow's `input` for each case; an object, or null.
    pub input: Value,
}

/// What happens when a case is to begin while the last one has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It does not begin.
    Skip,
    /// It begins beside it.
    Allow,
    /// It begins when that one has ended; one waits at most.
    Queue,
    /// That one is cancelled.
    Cancel,
}

impl Overlap {
    /// The word for it in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Overlap::Skip => "skip",
            Overlap::Allow => "allow",
            Overlap::Queue => "queue",
            Overlap::Cancel => "cancel",
        }
    }
}
