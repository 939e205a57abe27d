//! The keys of flow documents, all in the default space under the flow primitive.
//!
//! | key | document |
//! | --- | --- |
//! | `net/<key>` | `{name, version, source, dir}` |
//! | `flow/<name>` | the newest deployment: `{version, net}` |
//! | `case/<case>` | the case: status, data, marking, work in flight |
//! | `open/<case>` | null; there while the case is not closed |
//! | `item/<case>/<n>` | a work item or wait |
//! | `history/<case>/<seq>` | a history event |
//! | `queue/host/<topic>/<since>/<case>/<n>` | null; there while the item is offered to hosts |
//! | `queue/process/<since>/<case>/<n>` | null; there while the item is offered to process workers |
//! | `timer/<due>/<case>/<n>` | null; there while time alone will change the item |
//!
//! Numbers are zero-padded, so byte order is their order. Queue and timer keys follow from the item; they are
//! written with it, in the same commit.

use statewright_log::Timestamp;

use crate::case::{Item, ItemState, ItemWork};

pub(crate) const OPEN: &str = "open/";
pub(crate) const CASE: &str = "case/";
pub(crate) const TIMER: &str = "timer/";
pub(crate) const PROCESS_QUEUE: &str = "queue/process/";

pub(crate) fn net(key: &str) -> String {
    format!("net/{key}")
}

pub(crate) fn flow(name: &str) -> String {
    format!("flow/{name}")
}

pub(crate) fn case(id: &str) -> String {
    format!("{CASE}{id}")
}

pub(crate) fn open(id: &str) -> String {
    format!("{OPEN}{id}")
}

pub(crate) fn item(case: &str, number: u64) -> String {
    format!("item/{case}/{number:06}")
}

pub(crate) fn history(case: &str) -> String {
    format!("history/{case}/")
}

pub(crate) fn history_event(case: &str, seq: u64) -> String {
    format!("history/{case}/{seq:08}")
}

pub(crate) fn host_queue(topic: &str) -> String {
    format!("queue/host/{topic}/")
}

/// The timer and queue keys that an item in this state has.
pub(crate) fn of_item(case: &str, item: &Item) -> Vec<String> {
    let place =
        |prefix: &str, at: Timestamp| format!("{prefix}{}/{case}/{:06}", time(at), item.number);
    let timer = item.state.due().map(|due| place(TIMER, due));
    let queue = match (&item.state, &item.work) {
        (ItemState::Offered { since }, ItemWork::Host { topic }) => {
            Some(place(&host_queue(topic), *since))
        }
        (ItemState::Offered { since }, ItemWork::Process { .. }) => {
            Some(place(PROCESS_QUEUE, *since))
        }
        _ => None,
    };
    timer.into_iter().chain(queue).collect()
}

/// Sorts as the times do; times before 1970 do not come from any clock worth its name and count as 1970.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{:020}", at.as_micros().max(0))
}

/// Reads `…/<time>/<case>/<n>` back.
pub(crate) fn parse_place(key: &str) -> Option<(Timestamp, &str, u64)> {
    let mut parts = key.rsplit('/');
    let number = parts.next()?.parse().ok()?;
    let case = parts.next()?;
    let at = parts.next()?.parse().ok()?;
    Some((Timestamp::from_micros(at), case, number))
}
