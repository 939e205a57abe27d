//! What a case waits for, since when, and what would move it on.

use statewright_log::Timestamp;
use statewright_value::Path;

use super::aside::PutOff;
use super::query::task_name;
use super::{Flows, lanes};
use crate::case::{Case, Item, ItemState, ItemWork, Status};
use crate::error::Result;
use crate::machine::{Why, why_not};
use crate::net::{Net, PlaceId};

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
    /// What a case waits for: every piece of work in flight and every task that lacks something to start. Empty if it
    /// is closed, or if it can move on by itself; a deadlocked case still says what it lacks, and one that could not
    /// undo everything what became of that. Fails with
    /// [`Error::UnknownCase`](crate::Error::UnknownCase).
    pub fn explain(&self, id: &str) -> Result<Vec<Waiting>> {
        let (net, case) = self.load(id)?;
        let stays = [Status::Deadlocked, Status::CompensationFailed];
        if case.status.is_final() && !stays.contains(&case.status) {
            return Ok(Vec::new());
        }
        let mut waiting = Vec::new();
        waiting.extend(recovering(&net, &case));
        let failed = self.asides.list(Some(id)).into_iter();
        waiting.extend(failed.map(|failed| put_off(&net, &case, failed)));
        if case.status == Status::Suspended {
            let failed = match case.recovery.is_put_off() {
                true => ", and has failed meanwhile",
                false => "",
            };
            waiting.push(Waiting {
                task: String::new(),
                item: None,
                what: format!("somebody to resume it: the case is suspended{failed}"),
                since: Some(case.updated),
                until: None,
                unblocks: "resume the case".to_owned(),
            });
        }
        waiting.extend(deadline(&net, &case));
        let view = self.store.snapshot();
        for item in case.items.values() {
            let mut of = waiting_item(&net, item);
            if let Some((what, due)) = lanes::held_by(&view, &net, item)? {
                of.what = what;
                let offered = due.map(|due| (due, "it is offered".to_owned()));
                of.until = of.until.into_iter().chain(offered).min_by_key(|u| u.0);
            }
            waiting.push(of);
        }
        waiting.extend(waiting_tasks(&net, &case));
        Ok(waiting)
    }
}

fn put_off(net: &Net, case: &Case, failed: PutOff) -> Waiting {
    let item = failed.item.and_then(|number| case.items.get(&number));
    Waiting {
        task: item.map_or_else(String::new, |item| task_name(net, item.task)),
        item: failed.item,
        what: format!("another try, as it failed: {}", failed.why),
        since: Some(failed.since),
        until: Some((failed.until, "it is tried again".to_owned())),
        unblocks: "that it does not fail any more".to_owned(),
    }
}

/// What the deadline of a case does, while it is ahead.
fn deadline(net: &Net, case: &Case) -> Option<Waiting> {
    let at = case.deadline.filter(|_| case.status == Status::Running)?;
    let to = net.deadline.as_ref().and_then(|d| d.to);
    let then = match to.and_then(|place| net.places.get(place)) {
        Some(place) => {
            let to = place.name.trim_start_matches('!');
            format!("all its work is cancelled, and it goes on at {to}")
        }
        None => "the case fails: its deadline".to_owned(),
    };
    Some(Waiting {
        task: String::new(),
        item: None,
        what: "its end, by its deadline".to_owned(),
        since: Some(case.created),
        until: Some((at, then)),
        unblocks: "what the case waits for besides".to_owned(),
    })
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
        (ItemState::Listening { since }, ItemWork::Signal { signal, key }) => {
            let key = key
                .as_ref()
                .map_or_else(String::new, |k| format!(" with key '{k}'"));
            (
                format!("signal '{signal}'{key}"),
                *since,
                None,
                format!("send signal '{signal}'{key}"),
            )
        }
        (ItemState::Running { since }, ItemWork::Compensate) => (
            "what it undoes to be undone".to_owned(),
            *since,
            None,
            "the work of what undoes".to_owned(),
        ),
        (ItemState::Running { since }, ItemWork::Flow { case }) => (
            format!("case {case} to end"),
            *since,
            None,
            format!("see what case {case} waits for"),
        ),
        _ => (
            item.state.name().to_owned(),
            item.created,
            None,
            String::new(),
        ),
    };
    let deadline = item
        .deadline
        .map(|at| (at, "the task fails: its deadline".to_owned()));
    // Of what falls due together, the deadline comes first.
    let until = deadline.into_iter().chain(until).min_by_key(|u| u.0);
    Waiting {
        task: task_name(net, item.task),
        item: Some(item.number),
        what,
        since: Some(since),
        until,
        unblocks,
    }
}

/// What a case undoes, waits for before it does, or could not undo.
fn recovering(net: &Net, case: &Case) -> Vec<Waiting> {
    let whole = |what: String, unblocks: String| Waiting {
        task: String::new(),
        item: None,
        what,
        since: Some(case.updated),
        until: None,
        unblocks,
    };
    let recovery = &case.recovery;
    if case.status == Status::CompensationFailed {
        let text = |key: &str| {
            case.error
                .as_ref()
                .and_then(|e| e.at(&Path::parse(key).ok()?))
        };
        let message = text(".message").unwrap_or_default();
        let task = text(".cause.task").unwrap_or_default();
        let (message, task) = (message.as_str(), task.as_str());
        return vec![Waiting {
            task: task.unwrap_or_default().to_owned(),
            ..whole(
                format!("somebody to see to it: {}", message.unwrap_or_default()),
                "compensate the case again when what undoes it can work".to_owned(),
            )
        }];
    }
    let mut waiting = Vec::new();
    if !recovery.waits.is_empty() {
        let cases = recovery.waits.iter();
        let cases: Vec<String> = cases.map(|n| format!("{}~{n}", case.id)).collect();
        let cases = cases.join(", ");
        waiting.push(whole(
            format!("the cases it called to undo what they did: {cases}"),
            format!("see what {cases} wait for"),
        ));
    }
    if let Some(active) = &recovery.active {
        let what = match active.running {
            Some((number, _)) => {
                let task = case.items.get(&number).map(|item| item.task);
                let task = task.map_or_else(String::new, |t| task_name(net, t));
                format!(
                    "its compensation by '{task}', one of {} left",
                    recovery.left
                )
            }
            None => format!("its compensation: {} are left to be undone", recovery.left),
        };
        let unblocks = "an engine that drives this store, and the work of what undoes".to_owned();
        waiting.push(whole(what, unblocks));
    }
    waiting
}

/// Tasks that have some token and are not enabled.
fn waiting_tasks<'a>(net: &'a Net, case: &'a Case) -> impl Iterator<Item = Waiting> + 'a {
    let marked = |i: &crate::net::Input| case.marking.tokens(i.place) > 0;
    net.tasks.iter().enumerate().filter_map(move |(id, task)| {
        let joins = task.inputs.iter().any(marked);
        let why = why_not(net, case, id).filter(|_| joins)?;
        let (what, unblocks) = reason(net, &why)?;
        Some(Waiting {
            task: task.name.to_string(),
            item: None,
            what,
            since: case.waiting.get(&id).copied(),
            until: None,
            unblocks,
        })
    })
}

/// None for what needs no telling: a busy task is told by its items.
fn reason(net: &Net, why: &Why) -> Option<(String, String)> {
    let names = |places: &[PlaceId]| {
        let names = places.iter().filter_map(|p| net.places.get(*p));
        let names: Vec<&str> = names.map(|p| p.name.as_str()).collect();
        names.join(", ")
    };
    Some(match why {
        Why::Busy => return None,
        Why::Lacks(places) => (
            format!("a token on {}", names(places)),
            "the tasks before it completing".to_owned(),
        ),
        Why::MayCome(places) => (
            format!(
                "a token on {}, or that none can come any more",
                names(places)
            ),
            "the tasks before it completing".to_owned(),
        ),
        Why::Undecided => (
            "its or-join, which could not be decided within its budget".to_owned(),
            "any change of the case".to_owned(),
        ),
        Why::Untested(place) => (
            format!("a token in {}, which it tests", names(&[*place])),
            "the case getting there".to_owned(),
        ),
        Why::Mutex(section) => {
            let section = net.sections.get(*section)?;
            (
                format!("mutex {}, which {} holds", section.mutex_name, section.name),
                format!("{} completing", section.name),
            )
        }
        Why::Round(places) => (
            format!("the rest of its round: {}", names(places)),
            "the tasks before it completing".to_owned(),
        ),
    })
}
