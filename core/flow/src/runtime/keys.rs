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
//! | `done/<case>/<n>` | a completion that can be undone |
//! | `queue/host/<topic>/<since>/<case>/<n>` | null; there while the item is offered to hosts |
//! | `queue/process/<since>/<case>/<n>` | null; there while the item is offered to process workers |
//! | `timer/<due>/<case>/<n>` | null; there while time alone will change the item |
//! | `listen/<signal>/<key>/<since>/<case>/<n>` | null; there while the item waits for a signal of this key |
//! | `mail/<case>/<signal>/<n>` | the data of a signal that a case keeps |
//! | `letter/<signal>/<key>/<n>` | the data of a signal that is kept for whoever will wait for this key |
//! | `letters/<signal>/<key>` | the number of the next one of those |
//! | `keeps/<signal>` | null; there when a deployed flow wants signals of this name and a key to be kept |
//!
//! What lanes keep is described in `lanes.rs`.
//!
//! Numbers are zero-padded, so byte order is their order. Queue, timer and listen keys follow from the item; they are
//! written with it, in the same commit, and are not there while the case is suspended. In topics, and in names and
//! keys of signals, `/` and `%` are written as `%2F` and `%25`.

use statewright_log::Timestamp;

use crate::case::{Item, ItemState, ItemWork};

pub(crate) const OPEN: &str = "open/";
pub(crate) const CASE: &str = "case/";
pub(crate) const ITEM: &str = "item/";
pub(crate) const TIMER: &str = "timer/";
pub(crate) const PROCESS_QUEUE: &str = "queue/process/";
pub(crate) const QUEUE: &str = "queue/";

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
    format!("{ITEM}{case}/{number:06}")
}

/// A completion that can be undone.
pub(crate) fn done(case: &str, number: u64) -> String {
    format!("done/{case}/{number:06}")
}

pub(crate) fn history(case: &str) -> String {
    format!("history/{case}/")
}

pub(crate) fn history_event(case: &str, seq: u64) -> String {
    format!("history/{case}/{seq:08}")
}

pub(crate) fn host_queue(topic: &str) -> String {
    format!("queue/host/{}/", escaped(topic))
}

/// A signal kept by a case.
pub(crate) fn mail(case: &str, signal: &str, number: u64) -> String {
    format!("mail/{case}/{}/{number:08}", escaped(signal))
}

pub(crate) fn escaped(key: &str) -> String {
    key.replace('%', "%25").replace('/', "%2F")
}

/// Those who wait for a signal of a key, longest first.
pub(crate) fn listeners(signal: &str, key: &str) -> String {
    format!("listen/{}/{}/", escaped(signal), escaped(key))
}

/// Signals that are kept for a key, oldest first.
pub(crate) fn letters(signal: &str, key: &str) -> String {
    format!("letter/{}/{}/", escaped(signal), escaped(key))
}

pub(crate) fn letter(signal: &str, key: &str, number: u64) -> String {
    format!("{}{number:08}", letters(signal, key))
}

pub(crate) fn next_letter(signal: &str, key: &str) -> String {
    format!("letters/{}/{}", escaped(signal), escaped(key))
}

pub(crate) fn keeps(signal: &str) -> String {
    format!("keeps/{}", escaped(signal))
}

/// The timer, queue and listen keys that an item in this state has.
pub(crate) fn of_item(case: &str, item: &Item) -> Vec<String> {
    let place =
        |prefix: &str, at: Timestamp| format!("{prefix}{}/{case}/{:06}", time(at), item.number);
    let timer = item.state.due().map(|due| place(TIMER, due));
    let queue = match (&item.state, &item.work) {
        // Those of a lane wait for their turn.
        (ItemState::Offered { .. }, _) if item.lane.is_some() => None,
        (ItemState::Offered { since }, ItemWork::Host { topic }) => {
            Some(place(&host_queue(topic), *since))
        }
        (ItemState::Offered { since }, ItemWork::Process { .. }) => {
            Some(place(PROCESS_QUEUE, *since))
        }
        (
            ItemState::Listening { since },
            ItemWork::Signal {
                signal,
                key: Some(key),
            },
        ) => Some(place(&listeners(signal, key), *since)),
        _ => None,
    };
    timer.into_iter().chain(queue).collect()
}

/// Sorts as the times do; times before 1970 do not come from any clock worth its name and count as 1970.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{:020}", at.as_micros().max(0))
}

/// Reads a [`time`] back.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    Some(Timestamp::from_micros(text.parse().ok()?))
}

/// Reads `…/<time>/<case>/<n>` back.
pub(crate) fn parse_place(key: &str) -> Option<(Timestamp, &str, u64)> {
    let mut parts = key.rsplit('/');
    let number = parts.next()?.parse().ok()?;
    let case = parts.next()?;
    let at = parts.next()?.parse().ok()?;
    Some((Timestamp::from_micros(at), case, number))
}
