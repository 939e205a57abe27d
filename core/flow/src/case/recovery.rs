//! What a case keeps for when things go wrong: what can be undone, what is being undone, and what was caught.

use std::collections::BTreeSet;

use statewright_log::Timestamp;
use statewright_value::{Value, value};

use super::{Instance, Status};
use crate::net::{Net, PlaceId, TaskId};

/// The part of a case that compensation and fallback work on. Most cases never have any of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recovery {
    /// How many [`Done`]s were ever made; the number of the newest.
    pub made: u64,
    /// How many of them are left to be undone.
    pub left: u64,
    /// What is being undone now.
    pub active: Option<Active>,
    /// How the case ends when all is undone.
    pub ending: Option<Ending>,
    /// Items whose cases were cancelled and have not ended: they undo first what they did.
    pub waits: BTreeSet<u64>,
    /// The last failure that the flow went on from.
    pub caught: Option<Caught>,
}

impl Recovery {
    /// Whether the case has failed while it was suspended, and deals with that when it is resumed.
    pub fn is_put_off(&self) -> bool {
        let begun = self
            .active
            .as_ref()
            .is_some_and(|active| active.by.is_none());
        self.ending.is_some() && !begun
    }
}

/// A walk over what can be undone, newest first, one at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Active {
    /// The item of the task that asked for it; none if the case ends.
    pub by: Option<u64>,
    /// The next number to look at; 0 = all were looked at.
    pub cursor: u64,
    /// The item that undoes now, and what it undoes.
    pub running: Option<(u64, u64)>,
    /// How many could not be undone.
    pub failed: u32,
    /// The last error of those.
    pub error: Option<Value>,
}

/// How a case ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ending {
    pub status: Status,
    pub error: Value,
    /// What its last event says.
    pub detail: Value,
}

/// A failure that the flow went on from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Caught {
    pub task: TaskId,
    /// Where it went on; none = as if the task had completed.
    pub place: Option<PlaceId>,
    pub error: Value,
}

/// A completion that can be undone: a document of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Done {
    pub number: u64,
    pub task: TaskId,
    /// The item that completed.
    pub item: u64,
    pub at: Timestamp,
    pub input: Value,
    pub result: Value,
    pub instance: Option<Instance>,
    /// The case that the item was, if that is to undo itself.
    pub case: Option<String>,
}

impl Done {
    /// What expressions see of it as `$done`.
    pub fn to_variable(&self, net: &Net) -> Value {
        let task = net.tasks.get(self.task).map_or("", |t| &*t.name);
        let at = self.at.to_string();
        let (item, index) = match &self.instance {
            Some(instance) => (instance.of.clone(), Value::from(instance.index)),
            None => (Value::NULL, Value::NULL),
        };
        let mut done = value!({"task": task, "at": (at.as_str())});
        for (key, value) in [
            ("input", self.input.clone()),
            ("result", self.result.clone()),
            ("item", item),
            ("index", index),
        ] {
            // An object that was just made takes another key.
            let _ = done.insert(key, value);
        }
        done
    }
}
