//! Looking at cases: where they are, what happened, what they wait for.

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space};
use statewright_value::Value;

use super::{Flows, journal, keys, record, relocate, save};
use crate::case::{Case, HistoryEvent, Item, ItemWork, Status};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::machine::Machine;
use crate::net::{Net, VARIABLES};

/// A case as it is now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CaseInfo {
    /// Its id.
    pub id: String,
    /// The case that called it, if one did.
    pub parent: Option<String>,
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
    /// Why it failed, if it did: `{code, message, retryable, task, detail, cause}`; `cause` is the error that led to
    /// this one, if one did.
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
    /// `process`, `host`, `wait`, `signal`, `flow` or `compensate`.
    pub kind: &'static str,
    /// `offered`, `leased`, `backing_off`, `waiting` (for time), `listening` (for a signal) or `running` (a called
    /// case).
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

impl Flows {
    /// A case as it is now. Fails with [`Error::UnknownCase`].
    pub fn case(&self, id: &str) -> Result<CaseInfo> {
        let (net, case) = self.load(id)?;
        Ok(info(&net, &case))
    }

    /// Asks something of a case: a jq expression on its data, with `$case`, `$flow` and `$data`, limited by steps as
    /// all are. Nothing is changed, and it does not matter whether the case has ended.
    ///
    /// Fails with [`Error::UnknownCase`], [`Error::Expression`] if it does not compile, or [`Error::Refused`]
    /// (`expression`) if it fails on this data.
    pub fn query(&self, id: &str, query: &str) -> Result<Value> {
        let expr = Expr::compile(query, &VARIABLES)?;
        let (net, case) = self.load(id)?;
        let answer = Machine::new(&net, case, self.now()).query(&expr);
        answer.map_err(|failure| Error::Refused {
            code: "expression",
            why: failure.message,
        })
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
                let status = record::status_of(id, &value)?;
                if filter.status.is_some_and(|wanted| wanted != status) {
                    continue;
                }
                let net = self.net(&view, &record::net_of_case(id, &value)?)?;
                if filter.flow.as_deref().is_some_and(|f| f != &*net.name) {
                    continue;
                }
                found.push(info(&net, &self.read(&view, &net, id, &value)?));
            }
        }
    }

    /// What happened to a case after event `after` (0 for all), oldest first. O(events).
    pub fn history(&self, id: &str, after: u64) -> Result<Vec<HistoryEvent>> {
        let view = self.store.snapshot();
        let (space, prefix) = (Space::default(), keys::history(id));
        let value = save::read(&view, &keys::case(id))?.ok_or_else(|| Error::UnknownCase {
            case: id.to_owned(),
        })?;
        let net = self.net(&view, &record::net_of_case(id, &value)?)?;
        // Events are of the version on which they happened.
        let mut earlier = Vec::new();
        for (last, key, _) in relocate::moves_of(&value) {
            earlier.push((last, self.net(&view, &key)?));
        }
        let created = record::created_of(id, &value)?;
        // A document is named by its last event, so the first one behind this key may have events before `after`.
        let from = keys::history_event(id, after);
        let found = view.doc_scan(Primitive::Flow, &space, &prefix, Some(&from), usize::MAX)?;
        let mut events = Vec::with_capacity(found.len());
        for (key, value) in found {
            let last = key.strip_prefix(&prefix).and_then(keys::parse_number);
            let last = last.ok_or_else(|| Error::damaged(&key, "key"))?;
            let version = view.doc_version(Primitive::Flow, &space, &key)?;
            let at = (last, version.unwrap_or_default());
            let of = earlier.iter().find(|(until, _)| last <= *until);
            let net = of.map_or(&net, |(_, net)| net);
            let all = journal::from_value(net, id, created, at, &value)?;
            events.extend(all.into_iter().filter(|event| event.seq > after));
        }
        Ok(events)
    }

    pub(crate) fn load(&self, id: &str) -> Result<(std::sync::Arc<Net>, Case)> {
        let view = self.store.snapshot();
        let value = save::read(&view, &keys::case(id))?.ok_or_else(|| Error::UnknownCase {
            case: id.to_owned(),
        })?;
        let net = self.net(&view, &record::net_of_case(id, &value)?)?;
        let case = self.read(&view, &net, id, &value)?;
        Ok((net, case))
    }

    /// A case with all of its items, and with claims that are not written.
    pub(super) fn read(
        &self,
        view: &impl Reader,
        net: &Net,
        id: &str,
        value: &Value,
    ) -> Result<Case> {
        let (case, _) = save::load(view, net, id, value, &save::Wanted::all())?;
        if case.status.is_final() {
            return Ok(case);
        }
        let mut machine = Machine::new(net, case, self.now());
        self.desk.put_into(&mut machine);
        Ok(machine.case)
    }
}

pub(super) fn task_name(net: &Net, task: usize) -> String {
    net.tasks
        .get(task)
        .map_or_else(String::new, |t| t.name.to_string())
}

fn info(net: &Net, case: &Case) -> CaseInfo {
    let marking = net
        .places
        .iter()
        .enumerate()
        .map(|(id, p)| (p.name.clone(), case.marking.tokens(id)))
        .filter(|(_, tokens)| *tokens > 0);
    let items = case.items.values().map(|item| ItemInfo {
        item: item.number,
        task: task_name(net, item.task),
        kind: kind(item),
        state: item.state.name(),
        attempt: item.attempt,
    });
    CaseInfo {
        id: case.id.to_string(),
        parent: case.parent.as_ref().map(|p| p.case.to_string()),
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
        ItemWork::Signal { .. } => "signal",
        ItemWork::Flow { .. } => "flow",
        ItemWork::Compensate => "compensate",
    }
}
