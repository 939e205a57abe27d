//! A case as it was, read from the log.
//!
//! The log keeps every commit, and a commit has the ops on a case's documents. So they are done again, in a store in
//! memory of their own, up to wherever somebody wants to look.

use statewright_store::{LoggedCommit, Op, Place, Primitive, Space, Store, StoreOptions};
use statewright_value::Value;

use super::{Flows, journal, keys, record, relocate, save};
use crate::case::{EventKind, HistoryEvent};
use crate::error::{Error, Result};

/// The documents of a case and of those that it called, directly or not, as they were after some commit.
pub(super) struct Past {
    case: String,
    store: Store,
}

/// What a commit did to a case, as far as history tells.
pub(super) struct Step {
    pub events: Vec<HistoryEvent>,
    /// Where in the documents of items and of the case a value was set, in order.
    sets: Vec<(String, statewright_value::Path, Value)>,
    /// Signals that were kept.
    letters: Vec<(String, Value)>,
}

impl Past {
    /// Nothing yet.
    pub fn new(flows: &Flows, case: &str) -> Result<Past> {
        let env = flows.store().env().clone();
        // What was committed is within the limits that were in force then.
        let mut options = StoreOptions::default();
        options.limits.max_ops = usize::MAX;
        options.log.max_commit_bytes = u64::MAX;
        Ok(Past {
            case: case.to_owned(),
            store: Store::open(env, Place::Memory, options)?,
        })
    }

    /// Whether a document is of the case or of one below it.
    fn is_mine(&self, key: &str) -> bool {
        let mut parts = key.split('/');
        let (kind, id) = (parts.next().unwrap_or_default(), parts.next());
        let below = |id: &str| {
            let rest = id.strip_prefix(&*self.case);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
        };
        matches!(kind, "c" | "i" | "d" | "m" | "h") && id.is_some_and(below)
    }

    /// Does a commit's ops on these documents.
    pub fn apply(&self, commit: &LoggedCommit) -> Result<()> {
        let space = Space::default();
        let mine = |op: &&Op| document(op).is_some_and(|key| self.is_mine(key));
        let ops: Vec<&Op> = commit.ops.iter().filter(mine).collect();
        if ops.is_empty() {
            return Ok(());
        }
        self.store.transact(|txn| -> Result<()> {
            for op in &ops {
                let key = document(op).unwrap_or_default();
                match op {
                    Op::DocCreate { value, .. } => {
                        txn.doc_create(Primitive::Flow, &space, key, value.clone())?;
                    }
                    Op::DocSet { path, value, .. } => {
                        txn.doc_set(Primitive::Flow, &space, key, path, value.clone())?;
                    }
                    Op::DocRemove { path, .. } => {
                        txn.doc_remove(Primitive::Flow, &space, key, path)?;
                    }
                    Op::DocDrop { .. } => {
                        txn.doc_drop(Primitive::Flow, &space, key)?;
                    }
                    _ => return Err(Error::damaged(key, "log")),
                }
            }
            Ok(())
        })
    }

    /// What there is.
    pub fn view(&self) -> statewright_store::Snapshot {
        self.store.snapshot()
    }

    /// What a commit, that was just applied, did to one case; none if nothing.
    pub fn step(&self, flows: &Flows, id: &str, commit: &LoggedCommit) -> Result<Option<Step>> {
        let prefix = keys::history(id);
        let at = keys::case(id);
        let mut step = Step {
            events: Vec::new(),
            sets: Vec::new(),
            letters: Vec::new(),
        };
        let value = match save::read(&self.view(), &at)? {
            Some(value) => value,
            None => return Ok(None),
        };
        for op in &commit.ops {
            let Some(key) = document(op) else { continue };
            match op {
                Op::DocCreate { value, .. } if key.starts_with("m/") => {
                    step.letters.push((key.to_owned(), value.clone()));
                }
                Op::DocCreate { value: events, .. } => {
                    let last = key.strip_prefix(&prefix).and_then(keys::parse_number);
                    if let Some(last) = last {
                        let moves = relocate::moves_of(&value);
                        let of = moves.into_iter().find(|(until, _, _)| last <= *until);
                        let net = match of {
                            Some((_, key, _)) => key,
                            None => record::net_of_case(id, &value)?,
                        };
                        let net = flows.net(&flows.store().snapshot(), &net)?;
                        let created = record::created_of(id, &value)?;
                        let at = (last, commit.version);
                        let events = journal::from_value(&net, id, created, at, events)?;
                        step.events.extend(events);
                    }
                }
                Op::DocSet { path, value, .. } => {
                    step.sets
                        .push((key.to_owned(), path.clone(), value.clone()));
                }
                _ => {}
            }
        }
        Ok((!step.events.is_empty()).then_some(step))
    }
}

impl Step {
    /// What a commit set at a path of a document first.
    pub fn set(&self, key: &str, path: &statewright_value::Path) -> Option<Value> {
        let found = self.sets.iter().find(|(k, p, _)| k == key && p == path);
        found.map(|(_, _, value)| value.clone())
    }

    /// The data of a signal of this name that was kept.
    pub fn kept(&self, case: &str, signal: &str) -> Option<Value> {
        let prefix = keys::mails(case, signal);
        let mut letters = self.letters.iter();
        let found = letters.find(|(key, _)| key.starts_with(&prefix));
        found.map(|(_, value)| value.clone())
    }

    /// The items that completed, in order.
    pub fn completed(&self) -> impl Iterator<Item = u64> + '_ {
        let done = self
            .events
            .iter()
            .filter(|e| e.kind == EventKind::Completed);
        done.filter_map(|event| event.item)
    }
}

/// The key of the flow document in the default space that an op is about.
fn document(op: &Op) -> Option<&str> {
    let doc = match op {
        Op::DocCreate { doc, .. }
        | Op::DocSet { doc, .. }
        | Op::DocRemove { doc, .. }
        | Op::DocDrop { doc } => doc,
        _ => return None,
    };
    let flow = doc.primitive == Primitive::Flow && doc.space == Space::default();
    flow.then_some(doc.key.as_str())
}

impl Flows {
    /// Reads the log from a version on; `each` says whether to go on.
    pub(super) fn read_log(
        &self,
        from: u64,
        mut each: impl FnMut(&LoggedCommit) -> Result<bool>,
    ) -> Result<()> {
        let mut failed = None;
        self.store.log(from, &mut |commit| match each(&commit) {
            Ok(more) => more,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// A store in memory keeps no log.
    pub(super) fn must_have_log(&self) -> Result<()> {
        if self.store.stats().durability == statewright_log::Durability::Memory {
            let why =
                "a store in memory keeps no log to read the past from; open the store in a folder";
            return Err(Error::Refused {
                code: "no-log",
                why: why.to_owned(),
            });
        }
        Ok(())
    }
}
