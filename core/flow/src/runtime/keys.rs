//! The keys of flow documents, all in the default space under the flow primitive. They are in every commit, so they
//! are short.
//!
//! | key | document |
//! | --- | --- |
//! | `net/<key>` | `{name, version, source, dir}` |
//! | `flow/<name>` | the newest deployment: `{version, net}` |
//! | `secret` | what claims are signed with |
//! | `c/<case>` | the case: net, data, state |
//! | `h/<case>/<seq>` | history: the events of one commit, of which this is the last |
//! | `i/<case>/<n>` | what is large of a work item; all of an instance |
//! | `d/<case>/<n>` | a completion that can be undone |
//! | `o/<case>` | null; there while the case is not closed |
//! | `r/<case>` | null; there while the case goes on by itself or a process worker has work of it |
//! | `q/<topic>/<since>/<case>/<n>` | null; there while the item is offered to hosts, or its claim is not written |
//! | `p/<since>/<case>/<n>` | null; there while the item is offered to process workers |
//! | `t/<due>/<case>/<n>` | null; there while time alone will change the item; `n` is 0 for the case itself |
//! | `l/<signal>/<key>/<since>/<case>/<n>` | null; there while the item waits for a signal of this key |
//! | `m/<case>/<signal>/<n>` | the data of a signal that a case keeps |
//! | `letter/<signal>/<key>/<n>` | the data of a signal that is kept for whoever will wait for this key |
//! | `letters/<signal>/<key>` | the number of the next one of those, while there are any |
//! | `move/<id>` | a migration: `{flow, version, key, at, names, undoes}` |
//! | `moved/<id>/<n>` | the cases that one commit of it moved |
//! | `keeps/<signal>` | null; there when a deployed flow wants signals of this name and a key to be kept |
//!
//! What lanes keep is described in `lanes.rs`, what schedules keep in `schedules.rs`.
//!
//! Byte order is the order of numbers and times: a number is a letter that says how many digits follow, and those;
//! a time is 12 digits of 5 bits of its microseconds, in queues 9 digits of its milliseconds. Queue, timer and listen
//! keys follow from the item; they are written with it, in the same commit, and are not there while the case is
//! suspended. In topics, and in names and keys of signals, `/` and `%` are written as `%2F` and `%25`.

use std::borrow::Cow;

use statewright_log::Timestamp;

use crate::case::{Case, Item, ItemState, ItemWork, Status};
use crate::ids::{self, Digits};

pub(crate) const OPEN: &str = "o/";
pub(crate) const READY: &str = "r/";
pub(crate) const CASE: &str = "c/";
pub(crate) const TIMER: &str = "t/";
pub(crate) const PROCESS_QUEUE: &str = "p/";
pub(crate) const QUEUE: &str = "q/";
pub(crate) const MIGRATION: &str = "move/";
pub(crate) const SECRET: &str = "secret";

/// A number so that byte order is its order: `a7`, `b12`.
pub(crate) fn number(n: u64) -> Digits {
    let count = n.checked_ilog10().unwrap_or(0) as usize + 1;
    let (mut rest, mut left) = (n, count);
    Digits::from_last(count + 1, || {
        if left == 0 {
            return b'a'.saturating_add((count - 1) as u8);
        }
        let digit = b'0'.saturating_add((rest % 10) as u8);
        (rest, left) = (rest / 10, left - 1);
        digit
    })
}

/// Reads a [`number`] back.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    text.get(1..)?.parse().ok()
}

pub(crate) fn net(key: &str) -> String {
    format!("net/{key}")
}

pub(crate) fn flow(name: &str) -> String {
    format!("flow/{name}")
}

pub(crate) fn case(id: &str) -> String {
    [CASE, id].concat()
}

pub(crate) fn open(id: &str) -> String {
    [OPEN, id].concat()
}

pub(crate) fn ready(id: &str) -> String {
    [READY, id].concat()
}

pub(crate) fn item(case: &str, n: u64) -> String {
    ["i/", case, "/", &number(n)].concat()
}

/// A completion that can be undone.
pub(crate) fn done(case: &str, n: u64) -> String {
    ["d/", case, "/", &number(n)].concat()
}

pub(crate) fn history(case: &str) -> String {
    ["h/", case, "/"].concat()
}

pub(crate) fn history_event(case: &str, seq: u64) -> String {
    ["h/", case, "/", &number(seq)].concat()
}

pub(crate) fn host_queue(topic: &str) -> String {
    [QUEUE, &escaped(topic), "/"].concat()
}

/// A signal kept by a case.
pub(crate) fn mail(case: &str, signal: &str, n: u64) -> String {
    mails(case, signal) + &*number(n)
}

/// All of a name that a case keeps.
pub(crate) fn mails(case: &str, signal: &str) -> String {
    format!("m/{case}/{}/", escaped(signal))
}

pub(crate) fn escaped(key: &str) -> Cow<'_, str> {
    match key.contains(['%', '/']) {
        true => key.replace('%', "%25").replace('/', "%2F").into(),
        false => key.into(),
    }
}

/// Those who wait for a signal of a key, longest first.
pub(crate) fn listeners(signal: &str, key: &str) -> String {
    format!("l/{}/{}/", escaped(signal), escaped(key))
}

/// Signals that are kept for a key, oldest first.
pub(crate) fn letters(signal: &str, key: &str) -> String {
    format!("letter/{}/{}/", escaped(signal), escaped(key))
}

pub(crate) fn letter(signal: &str, key: &str, n: u64) -> String {
    match n {
        ..=99_999_999 => format!("{}{n:08}", letters(signal, key)),
        // Its letter comes behind every digit.
        _ => letters(signal, key) + &*number(n),
    }
}

/// Reads the number of a [`letter`] back, behind its prefix.
pub(crate) fn parse_letter(prefix: &str, at: &str) -> Option<u64> {
    let text = at.strip_prefix(prefix)?;
    text.parse().ok().or_else(|| parse_number(text))
}

pub(crate) fn next_letter(signal: &str, key: &str) -> String {
    format!("letters/{}/{}", escaped(signal), escaped(key))
}

pub(crate) fn migration(id: &str) -> String {
    [MIGRATION, id].concat()
}

/// The commits of a migration.
pub(crate) fn cohorts(id: &str) -> String {
    ["moved/", id, "/"].concat()
}

pub(crate) fn cohort(id: &str, n: u64) -> String {
    cohorts(id) + &*number(n)
}

pub(crate) fn keeps(signal: &str) -> String {
    format!("keeps/{}", escaped(signal))
}

/// The timer, queue and listen keys that an item in this state has.
pub(crate) fn of_item(case: &str, item: &Item) -> Vec<String> {
    let n = number(item.number);
    let place = |prefix: &str, at: Timestamp| [prefix, &time(at), "/", case, "/", &n].concat();
    let timer = item.due().map(|due| place(TIMER, due));
    let queue = match (&item.state, &item.work) {
        // Those of a lane wait for their turn.
        (ItemState::Offered { .. }, _) if item.lane.is_some() => None,
        (ItemState::Offered { since }, ItemWork::Host { topic }) => {
            let (topic, since) = (escaped(topic), millis(*since));
            Some([QUEUE, &topic, "/", &since, "/", case, "/", &n].concat())
        }
        (ItemState::Offered { since }, ItemWork::Process { .. }) => {
            Some([PROCESS_QUEUE, &millis(*since), "/", case, "/", &n].concat())
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

/// The timer key of a case's own deadline, while it is ahead and the case runs.
pub(crate) fn of_deadline(case: &Case) -> Option<String> {
    let due = case.deadline.filter(|_| case.status == Status::Running)?;
    Some([TIMER, &time(due), "/", &case.id, "/", &number(0)].concat())
}

/// The last time that a key can have: some 36,000 years from now.
const LAST: u64 = (1 << 60) - 1;

/// Sorts as the times do; times before 1970 do not come from any clock worth its name and count as 1970.
pub(crate) fn time(at: Timestamp) -> Digits {
    ids::digits(u64::try_from(at.as_micros()).unwrap_or(0).min(LAST), 12)
}

/// A time to the millisecond, for queues: 9 digits, for a thousand years.
fn millis(at: Timestamp) -> Digits {
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
    ids::digits(millis.min((1 << 45) - 1), 9)
}

/// Reads a [`time`] back.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let micros = ids::from_digits(text).filter(|m| *m <= LAST)?;
    Some(Timestamp::from_micros(i64::try_from(micros).ok()?))
}

/// Reads `…/<time>/<case>/<n>` back.
pub(crate) fn parse_place(key: &str) -> Option<(Timestamp, &str, u64)> {
    let mut parts = key.rsplit('/');
    let number = parse_number(parts.next()?)?;
    let case = parts.next()?;
    let at = match parts.next()? {
        millis if millis.len() == 9 => {
            let millis = i64::try_from(ids::from_digits(millis)?).ok()?;
            Timestamp::from_micros(millis.checked_mul(1000)?)
        }
        micros => parse_time(micros)?,
    };
    Some((at, case, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_signals_stay_in_their_order_however_many_there_were() {
        let numbers = [
            1,
            9,
            10,
            99_999_998,
            99_999_999,
            100_000_000,
            100_000_001,
            u64::MAX,
        ];
        let letters = numbers.map(|n| letter("s", "k", n));
        assert!(letters.is_sorted(), "{letters:?}");
        let prefix = super::letters("s", "k");
        let back = letters.map(|at| parse_letter(&prefix, &at).unwrap_or(0));
        assert_eq!(back, numbers);
    }

    #[test]
    fn numbers_and_times_sort_as_text_and_lead_back() {
        let numbers = [0, 7, 9, 10, 99, 100, 12_345, u64::MAX];
        let texts: Vec<String> = numbers.iter().map(|n| number(*n).to_string()).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        let back: Vec<u64> = texts.iter().filter_map(|t| parse_number(t)).collect();
        assert_eq!(back, numbers);
        assert_eq!(parse_number("ä"), None);
        let times = [0, 1, 31, 32, 1_700_000_000_000_000, (1 << 60) - 1];
        let keys: Vec<String> = times
            .iter()
            .map(|t| format!("t/{}/case/{}", time(Timestamp::from_micros(*t)), number(12)))
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
        for (key, at) in keys.iter().zip(times) {
            let place = (Timestamp::from_micros(at), "case", 12);
            assert_eq!(parse_place(key), Some(place));
        }
    }
}
