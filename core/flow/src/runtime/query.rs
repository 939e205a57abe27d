//! Looking at cases: where they are, what happened, what they wait for.

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};
use statewright_value::Value;

use super::{Flows, keys, record, save};
use crate::case::{Case, HistoryEvent, Item, ItemState, ItemWork, Status};
use crate::error::{Error, Result};
use crate::net::{Join, Net};

/// A case as it is now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CaseInfo {
    /// Its id.
    pub id: String,
    /// The flow's name.
    pub flow: String,
    /// The flow's version that it runs on.
    pub version: u64,
    /// Where it is in its life.
    pub status: Status,
    /// When it was started.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Its data.
    pub data: Value,
    /// Tokens by place.
    pub marking: Vec<(String, u32)>,
    /// Work in flight.
    pub items: Vec<ItemInfo>,
    /// What it gave, if it completed.
    pub result: Option<Value>,
    /// Why it failed, if it did: `{code, message, retryable, task, detail}`.
    pub error: Option<Value>,
}

/// A work item or wait in flight.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemInfo {
    /// Its number in the case.
    pub item: u64,
    /// The task.
    pub task: String,
    /// `process`, `host` or `wait`.
    pub kind: &'static str,
    /// `offered`, `leased`, `backing_off` or `waiting`.
    pub state: &'static str,
    /// How often it was started.
    pub attempt: u32,
}

/// Which cases to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    /// Only cases of this flow.
    pub flow: Option<String>,
    /// Only cases with this status.
    pub status: Option<Status>,
    /// Only ids after this one.
    pub after: Option<String>,
    /// At most this many; all if none.
    pub limit: Option<usize>,
}

/// One thing that a case waits for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Waiting {
    /// The task that waits.
    pub task: String,
    /// The work item, if it is one.
    pub item: Option<u64>,
    /// What it waits for, for people.
    pub what: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What happens next without anybody doing anything, and when.
    pub until: Option<(Timestamp, String)>,
    /// What would move it on now.
    pub unblocks: String,
}

impl Flows {
    /// A case as it is now. Fails with [`Error::UnknownCase`].
    pub fn case(&self, id: &str) -> Result<CaseInfo> {
        let (net, case) = self.load(id)?;
        Ok(info(&net, &case))
    }

    /// Cases, oldest id first. O(cases looked at).
    pub fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseInfo>> {
        let view = self.store.snapshot();
        let mut after = filter.after.as_deref().map(keys::case);
        let mut found = Vec::new();
        loop {
            let page = view.doc_scan(
                Primitive::Flow,
                &Space::default(),
                keys::CASE,
                after.as_deref(),
                256,
            )?;
            let Some((last, _)) = page.last() else {
                return Ok(found);
            };
            after = Some(last.clone());
            for (key, value) in page {
                let Some(id) = key.strip_prefix(keys::CASE) else {
                    continue;
                };
                if filter.limit.is_some_and(|limit| found.len() >= limit) {
                    return Ok(found);
                }
                let flow = value.get("flow");
                let other_flow = filter
                    .flow
                    .as_deref()
                    .is_some_and(|f| flow.as_ref().and_then(|v| v.as_str()) != Some(f));
                let status = record::status_of(id, &value)?;
                if other_flow || filter.status.is_some_and(|wanted| wanted != status) {
                    continue;
                }
                let net = self.net(&view, &record::net_of_case(id, &value)?)?;
                found.push(info(
                    &net,
                    &save::load(&view, &net, id, &value, save::Items::All)?,
                ));
            }
        }
    }

    /// What happened to a case after event `after` (0 for all), oldest first. O(events).
    pub fn history(&self, id: &str, after: u64) -> Result<Vec<HistoryEvent>> {
        let view = self.store.snapshot();
        let (space, prefix) = (Space::default(), keys::history(id));
        if save::read(&view, &keys::case(id))?.is_none() {
            return Err(Error::UnknownCase {
                case: id.to_owned(),
            });
        }
        let after = keys::history_event(id, after);
        let found = view.doc_scan(Primitive::Flow, &space, &prefix, Some(&after), usize::MAX)?;
        found
            .into_iter()
            .map(|(key, value)| {
                let seq = key.strip_prefix(&prefix).and_then(|n| n.parse().ok());
                let seq = seq.ok_or_else(|| Error::damaged(&key, "key"))?;
                let version = view
                    .doc_version(Primitive::Flow, &space, &key)?
                    .unwrap_or_default();
                record::event_from_value(id, seq, version, &value)
            })
            .collect()
    }

    /// What a case waits for: every piece of work in flight and every join that lacks tokens. Empty if it is
    /// closed, or if it can move on by itself. Fails with [`Error::UnknownCase`].
    pub fn explain(&self, id: &str) -> Result<Vec<Waiting>> {
        let (net, case) = self.load(id)?;
        if case.status.is_final() && case.status != Status::Deadlocked {
            return Ok(Vec::new());
        }
        let work = case.items.values().map(|item| waiting_item(&net, item));
        Ok(work.chain(waiting_joins(&net, &case)).collect())
    }

    fn load(&self, id: &str) -> Result<(std::sync::Arc<Net>, Case)> {
        let view = self.store.snapshot();
        let value = save::read(&view, &keys::case(id))?.ok_or_else(|| Error::UnknownCase {
            case: id.to_owned(),
        })?;
        let net = self.net(&view, &record::net_of_case(id, &value)?)?;
        let case = save::load(&view, &net, id, &value, save::Items::All)?;
        Ok((net, case))
    }
}

fn task_name(net: &Net, task: usize) -> String {
    net.tasks
        .get(task)
        .map_or_else(String::new, |t| t.name.to_string())
}

fn info(net: &Net, case: &Case) -> CaseInfo {
    let marking = case
        .marking
        .iter()
        .filter_map(|(p, n)| Some((net.places.get(*p)?.name.clone(), *n)));
    let items = case.items.values().map(|item| ItemInfo {
        item: item.number,
        task: task_name(net, item.task),
        kind: kind(item),
        state: item.state.name(),
        attempt: item.attempt,
    });
    CaseInfo {
        id: case.id.to_string(),
        flow: net.name.to_string(),
        version: net.version,
        status: case.status,
        created: case.created,
        updated: case.updated,
        data: case.data.clone(),
        marking: marking.collect(),
        items: items.collect(),
        result: case.result.clone(),
        error: case.error.clone(),
    }
}

fn kind(item: &Item) -> &'static str {
    match item.work {
        ItemWork::Process { .. } => "process",
        ItemWork::Host { .. } => "host",
        ItemWork::Wait => "wait",
    }
}

fn waiting_item(net: &Net, item: &Item) -> Waiting {
    let (what, since, until, unblocks) = match (&item.state, &item.work) {
        (ItemState::Offered { since }, ItemWork::Host { topic }) => (
            format!("a host program that polls topic '{topic}'"),
            *since,
            None,
            format!("poll topic '{topic}' and complete the item"),
        ),
        (ItemState::Offered { since }, _) => (
            "a free process worker".to_owned(),
            *since,
            None,
            "an engine that drives this store, such as `statewright resume`".to_owned(),
        ),
        (ItemState::Leased(lease), work) => {
            let expires = lease.until.map(|at| {
                (
                    at,
                    "it is offered again unless a heartbeat comes".to_owned(),
                )
            });
            let timeout = lease
                .deadline
                .map(|at| (at, "the attempt times out".to_owned()));
            let what = match work {
                ItemWork::Process { argv, .. } => {
                    format!("the program {}", argv.first().map_or("", String::as_str))
                }
                _ => format!("worker '{}' to complete it", lease.worker),
            };
            let next = expires.into_iter().chain(timeout).min();
            (what, lease.since, next, "its result".to_owned())
        }
        (ItemState::BackingOff { since, until }, _) => (
            format!("its next attempt, after {} that failed", item.failures),
            *since,
            Some((*until, "it is tried again".to_owned())),
            "time".to_owned(),
        ),
        (ItemState::Waiting { since, until }, _) => (
            "its timer".to_owned(),
            *since,
            Some((*until, "the case goes on".to_owned())),
            "time".to_owned(),
        ),
        _ => (
            item.state.name().to_owned(),
            item.created,
            None,
            String::new(),
        ),
    };
    Waiting {
        task: task_name(net, item.task),
        item: Some(item.number),
        what,
        since: Some(since),
        until,
        unblocks,
    }
}

/// Joins that have some of their tokens, but not all.
fn waiting_joins<'a>(net: &'a Net, case: &'a Case) -> impl Iterator<Item = Waiting> + 'a {
    net.tasks
        .iter()
        .filter(|t| t.join == Join::And)
        .filter_map(|task| {
            let (have, lack): (Vec<usize>, Vec<usize>) =
                task.inputs.iter().partition(|p| case.tokens(**p) > 0);
            if have.is_empty() || lack.is_empty() {
                return None;
            }
            let names: Vec<&str> = lack
                .iter()
                .filter_map(|p| net.places.get(*p))
                .map(|p| p.name.as_str())
                .collect();
            Some(Waiting {
                task: task.name.to_string(),
                item: None,
                what: format!("a token on {}", names.join(", ")),
                since: None,
                until: None,
                unblocks: "the tasks before it completing".to_owned(),
            })
        })
}
