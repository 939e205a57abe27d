//! Events: streams that only grow, each event chained to the one before it by a hash.
//!
//! A stream's *head* (its length and the hash of its last event) is one small entry, so an append costs the same
//! whatever the stream's length. Where an event stands is decided when its commit is applied: appends of two
//! transactions commute.
//!
//! | key, behind `space NUL 2` | value |
//! | --- | --- |
//! | `0 stream` | head: `[length, hash]` |
//! | `1 stream NUL sequence` (8 bytes, big-endian) | event: `[time, type, payload, hash]` |
//! | `2 stream NUL type NUL sequence` | null: the index by type |

use std::ops::Range;

use statewright_log::Timestamp;
use statewright_value::{Error as ValueError, Kind, Path, Value};

use crate::error::{Error, Result};
use crate::op::Op;
use crate::op::wire::{self, Decoded};
use crate::reader;
use crate::reader::sealed::View;
use crate::recent::{Mode, Region};
use crate::space::{self, KeyBuf, MAX_NAME_BYTES, Primitive, Space};
use crate::store::Store;
use crate::target::{Entry, Stamp, Target};
use crate::txn::Txn;

const HEAD: u8 = 0;
const EVENT: u8 = 1;
const BY_TYPE: u8 = 2;
/// Verbs of ops.
const APPEND: u8 = 0;
const RESTORE: u8 = 1;
/// A stream's name has at most this many bytes.
const MAX_STREAM_BYTES: usize = 1024;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Where it stands in its stream, from 0.
    pub sequence: u64,
    /// When it was committed; never before that of an earlier event.
    pub time: Timestamp,
    /// What kind of event it is.
    pub kind: String,
    /// What happened; an object.
    pub payload: Value,
    /// BLAKE3 over the hash of the event before it and this one's content.
    pub hash: [u8; 32],
    /// The commit that appended it.
    pub version: u64,
}

/// What is known of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// How many events it has; the next one's sequence.
    pub len: u64,
    /// The hash of the last event, which vouches for all before it.
    pub hash: [u8; 32],
    /// The commit that last appended.
    pub version: u64,
}

/// Where appended events stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Their sequences.
    pub sequences: Range<u64>,
    /// The commit.
    pub version: u64,
}

/// An event as the log holds it: what no other transaction can change. Its sequence and hash, and unless it is one
/// that is restored its time, follow from the order of the commits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EventAppend {
    /// The space.
    pub space: Space,
    /// The stream.
    pub stream: String,
    /// What kind of event it is.
    pub kind: String,
    /// What happened; an object.
    pub payload: Value,
    /// When it was first committed, if it is restored; otherwise its time is that of the commit.
    pub time: Option<Timestamp>,
}

impl EventAppend {
    pub(crate) fn head_key(&self) -> KeyBuf {
        head_key(&self.space, &self.stream).into()
    }

    /// O(log n + payload).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        let key = head_key(&self.space, &self.stream);
        let (len, previous) = match target.get(&key) {
            Some(entry) => read_head(&entry).ok_or_else(|| Error::damaged(&key, entry.version))?,
            None => (0, [0; 32]),
        };
        let time = self.time.unwrap_or(at.time);
        if self.time.is_some() {
            let last = len.checked_sub(1);
            let last = last.and_then(|n| target.get(&event_key(&self.space, &self.stream, n)));
            let last = last.and_then(|entry| entry.value.index(0)?.as_i64());
            // Reading by time relies on both.
            let wrong = if time > at.time {
                Some("its time is later than now by this machine's clock; set that, or wait")
            } else if last.is_some_and(|last| time.as_micros() < last) {
                Some("its time is before that of the last event")
            } else {
                None
            };
            if let Some(why) = wrong {
                let what = space::display(&key);
                return Err(Error::CannotRestore { what, why });
            }
        }
        let hash = chain(&previous, len, time, &self.kind, &self.payload);
        let event = Value::from(vec![
            Value::from(time.as_micros()),
            Value::text(&self.kind),
            self.payload.clone(),
            Value::bytes(hash.to_vec()),
        ]);
        let head = vec![
            Value::from(len.saturating_add(1)),
            Value::bytes(hash.to_vec()),
        ];
        let put = |target: &mut _, key: &[u8], value| {
            Target::put(target, key, Entry::new(value, at.version));
        };
        put(target, &event_key(&self.space, &self.stream, len), event);
        let index = type_key(&self.space, &self.stream, &self.kind, len);
        put(target, &index, Value::NULL);
        put(target, &key, Value::from(head));
        Ok(())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, base: u8) {
        let (elements, verb) = match self.time {
            None => (5, APPEND),
            Some(_) => (6, RESTORE),
        };
        wire::head(out, elements, base | verb, &self.space);
        wire::text(out, &self.stream);
        wire::text(out, &self.kind);
        self.payload.write_msgpack(out);
        if let Some(time) = self.time {
            wire::time(out, time);
        }
    }

    /// The op, and how many elements it has.
    pub(crate) fn decode(verb: u8, space: Space, input: &mut &[u8]) -> Decoded<(EventAppend, u32)> {
        let mut op = EventAppend {
            space,
            stream: wire::read_text(input)?,
            kind: wire::read_text(input)?,
            payload: wire::read_value(input)?,
            time: None,
        };
        match verb {
            APPEND => Ok((op, 5)),
            RESTORE => {
                op.time = Some(wire::read_time(input)?);
                Ok((op, 6))
            }
            _ => Err(crate::op::UNKNOWN),
        }
    }
}

/// Reading streams.
///
/// A transaction sees its own appends behind everything that was there when it began; until it commits, their
/// sequences and times are provisional. What it reads of the *end* of a stream (its length, its head, a sequence that
/// is not there yet) makes it conflict with other appends to that stream; what it reads of the events before does not.
///
/// ```
/// use statewright_store::{Env, EventReader, Place, Space, Store, StoreOptions};
/// use statewright_value::value;
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// let space = Space::default();
/// store.event_append(&space, "orders", "placed", value!({"id": 17}))?;
/// store.event_append(&space, "orders", "paid", value!({"id": 17}))?;
/// let now = store.snapshot();
/// assert_eq!(now.event_len(&space, "orders")?, 2);
/// let paid = now.event_by_type(&space, "orders", "paid", 0, 10)?;
/// assert_eq!(paid[0].sequence, 1);
/// now.event_verify(&space, "orders")?;
/// # Ok::<(), statewright_store::Error>(())
/// ```
pub trait EventReader: View {
    /// The event at a sequence; none if the stream is not that long. O(log n).
    fn event_get(&self, space: &Space, stream: &str, sequence: u64) -> Result<Option<Event>> {
        check_stream(stream)?;
        let key = event_key(space, stream, sequence);
        let Some(entry) = self.lookup(&key)? else {
            self.saw(&head_key(space, stream), &Path::root())?;
            return Ok(None);
        };
        self.saw(&key, &Path::root())?;
        read_event(&key, &entry).map(Some)
    }

    /// Up to `limit` events from one sequence up to another (not included; none: to the end). O(log n + limit).
    fn event_range(
        &self,
        space: &Space,
        stream: &str,
        from: u64,
        to: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Event>> {
        range(self, space, stream, from, to, limit, false)
    }

    /// As [`event_range`](EventReader::event_range), the last one first.
    fn event_range_reverse(
        &self,
        space: &Space,
        stream: &str,
        from: u64,
        to: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Event>> {
        range(self, space, stream, from, to, limit, true)
    }

    /// Up to `limit` events that were committed at or after `from` and before `to` (none: no end), in order.
    /// O(log² n + limit): times never go back in a stream.
    fn event_by_time(
        &self,
        space: &Space,
        stream: &str,
        from: Timestamp,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Event>> {
        self.event_by_time_page(space, stream, from, to, 0, limit)
    }

    /// As [`event_by_time`](EventReader::event_by_time), of the events from a sequence on: for the next page.
    fn event_by_time_page(
        &self,
        space: &Space,
        stream: &str,
        from: Timestamp,
        to: Option<Timestamp>,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<Event>> {
        if let Some(still) = self.still() {
            return still.event_by_time_page(space, stream, from, to, sequence, limit);
        }
        let len = peek_len(self, space, stream)?;
        let first = partition(self, space, stream, len, |e| e.0 < from)?.max(sequence);
        let last = match to {
            Some(to) => partition(self, space, stream, len, |e| e.0 < to)?,
            None => len,
        };
        // If it ends with the stream, an event to come could belong to it.
        let to = (last < len).then_some(last);
        range(self, space, stream, first, to, limit, false)
    }

    /// Up to `limit` events of a type from a sequence on, in order. O(log n + limit), by an index.
    fn event_by_type(
        &self,
        space: &Space,
        stream: &str,
        kind: &str,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Event>> {
        if let Some(still) = self.still() {
            return still.event_by_type(space, stream, kind, from, limit);
        }
        check_stream(stream)?;
        space::check_name("type of events", kind, MAX_NAME_BYTES)?;
        let start = type_key(space, stream, kind, from);
        let end = reader::after_prefix(&type_prefix(space, stream, kind));
        let found = self.range(&start, end.as_deref(), limit, false)?;
        if found.len() < limit {
            self.saw(&head_key(space, stream), &Path::root())?;
        }
        let last = found.last().map_or(start.clone(), |(key, _)| key.clone());
        self.saw_range(start.into(), Some(reader::behind(&last)))?;
        let mut events = Vec::with_capacity(found.len());
        for (index, _) in found {
            let key = event_key(space, stream, sequence_of(&index));
            let entry = self.lookup(&key)?.ok_or_else(|| Error::damaged(&key, 0))?;
            events.push(read_event(&key, &entry)?);
        }
        Ok(events)
    }

    /// The last event; none if the stream is empty. O(log n).
    fn event_head(&self, space: &Space, stream: &str) -> Result<Option<Event>> {
        Ok(range(self, space, stream, 0, None, 1, true)?.pop())
    }

    /// How many events a stream has; 0 if there is no such stream. O(log n).
    fn event_len(&self, space: &Space, stream: &str) -> Result<u64> {
        let len = peek_len(self, space, stream)?;
        self.saw(&head_key(space, stream), &Path::root())?;
        Ok(len)
    }

    /// What is known of a stream; none if it has no event. O(log n).
    fn event_info(&self, space: &Space, stream: &str) -> Result<Option<StreamInfo>> {
        check_stream(stream)?;
        let key = head_key(space, stream);
        let entry = self.lookup(&key)?;
        self.saw(&key, &Path::root())?;
        entry.map(|entry| info(&key, space, &entry)).transpose()
    }

    /// Up to `limit` streams whose names begin with `prefix`, in the order of their bytes, from the one after `after`
    /// on. O(log n + limit), whatever the streams' lengths.
    fn event_streams(
        &self,
        space: &Space,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StreamInfo>> {
        let first = head_key(space, prefix);
        let after = after.map(|name| head_key(space, name));
        let found = reader::page(self, &first, after.as_deref(), limit)?;
        let infos = found.iter().map(|(key, entry)| info(key, space, entry));
        infos.collect()
    }

    /// The types of a stream's events, in the order of their bytes. O(types × log n); reads the end of the stream.
    fn event_types(&self, space: &Space, stream: &str) -> Result<Vec<String>> {
        if let Some(still) = self.still() {
            return still.event_types(space, stream);
        }
        check_stream(stream)?;
        self.saw(&head_key(space, stream), &Path::root())?;
        let all = space::encode_parts(space, Primitive::Event, BY_TYPE, &[stream.as_bytes(), &[]]);
        let end = reader::after_prefix(&all);
        let mut from = all.clone();
        let mut types = Vec::new();
        while let Some((key, _)) = self.range(&from, end.as_deref(), 1, false)?.pop() {
            let rest = key.get(all.len()..).unwrap_or_default();
            let name = rest.split(|b| *b == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let Some(next) = reader::after_prefix(&type_prefix(space, stream, &name)) else {
                break;
            };
            from = next.to_vec();
            types.push(name);
        }
        Ok(types)
    }

    /// The sequences that a commit gave to the events it appended to a stream; empty if it appended none. For who
    /// appends in a transaction and wants to know, once it is committed, where. O(log² n).
    fn event_sequences(&self, space: &Space, stream: &str, version: u64) -> Result<Range<u64>> {
        if let Some(still) = self.still() {
            return still.event_sequences(space, stream, version);
        }
        let len = peek_len(self, space, stream)?;
        let first = partition(self, space, stream, len, |e| e.1 < version)?;
        let last = partition(self, space, stream, len, |e| e.1 <= version)?;
        Ok(first..last)
    }

    /// Checks every event of a stream against the hash chain; gives what is known of the stream, whose hash now
    /// vouches for all of it. Fails with [`Error::ChainBroken`], which names the first event that is not what was
    /// appended. O(stream).
    fn event_verify(&self, space: &Space, stream: &str) -> Result<Option<StreamInfo>> {
        if let Some(still) = self.still() {
            return still.event_verify(space, stream);
        }
        let Some(info) = self.event_info(space, stream)? else {
            return Ok(None);
        };
        let broken = |sequence, why| Error::ChainBroken {
            what: space::display(&head_key(space, stream)),
            sequence,
            why,
        };
        let mut previous = [0; 32];
        let mut expected = 0_u64;
        while expected < info.len {
            let page = range(self, space, stream, expected, Some(info.len), 256, false)
                .map_err(|_| broken(expected, "it is not readable"))?;
            if page.is_empty() {
                return Err(broken(expected, "it is missing"));
            }
            for event in page {
                if event.sequence != expected {
                    return Err(broken(expected, "it is missing"));
                }
                let hash = chain(&previous, expected, event.time, &event.kind, &event.payload);
                if hash != event.hash {
                    return Err(broken(expected, "its content does not have its hash"));
                }
                previous = hash;
                expected = expected.saturating_add(1);
            }
        }
        if previous == info.hash {
            Ok(Some(info))
        } else {
            Err(broken(
                expected,
                "the head does not have the last event's hash",
            ))
        }
    }
}

impl<V: View + ?Sized> EventReader for V {}

/// Appending events.
impl Txn {
    /// Puts an event at the end of a stream, which is made if it is not there. Appends of other transactions to the
    /// same stream do not conflict with it; its sequence is decided at commit, and then
    /// [`event_sequences`](EventReader::event_sequences) tells it.
    ///
    /// A stream's name has 1 to 1024 bytes, a type's 1 to 255, both without NUL. Fails with [`Error::InvalidName`], or
    /// with [`Error::At`] if the payload is no object. O(log n + payload).
    pub fn event_append(
        &self,
        space: &Space,
        stream: &str,
        kind: &str,
        payload: Value,
    ) -> Result<()> {
        let op = checked(space, stream, kind, payload)?;
        let region = Region {
            key: op.head_key(),
            path: Path::root(),
            mode: Mode::Append,
        };
        self.write(region, Op::Event(op))
    }

    /// Puts events, each with its type, at the end of a stream: all, or none if one of them fails. They stand one
    /// behind the other. O(events × log n).
    pub fn event_append_batch(
        &self,
        space: &Space,
        stream: &str,
        events: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<()> {
        self.all_or_nothing(|| {
            events
                .into_iter()
                .try_for_each(|(kind, payload)| self.event_append(space, stream, &kind, payload))
        })
    }
}

/// Events, one commit each.
impl Store {
    /// [`Txn::event_append`] in a commit of its own; gives the sequence.
    pub fn event_append(
        &self,
        space: &Space,
        stream: &str,
        kind: &str,
        payload: Value,
    ) -> Result<Appended> {
        let op = checked(space, stream, kind, payload)?;
        let key = op.head_key();
        let region = Region {
            key: key.clone(),
            path: Path::root(),
            mode: Mode::Append,
        };
        let (version, head) = self.direct(region, Op::Event(op), |tree| tree.get(&key))?;
        let len = head.and_then(|head| read_head(&head)).map_or(0, |h| h.0);
        Ok(Appended {
            sequences: len.saturating_sub(1)..len,
            version,
        })
    }

    /// [`Txn::event_append_batch`] in a commit of its own; gives the sequences: an empty range if somebody removes the
    /// stream right afterwards.
    pub fn event_append_batch(
        &self,
        space: &Space,
        stream: &str,
        events: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Appended> {
        let events: Vec<_> = events.into_iter().collect();
        let version =
            self.alone(|txn| txn.event_append_batch(space, stream, events.iter().cloned()))?;
        if events.is_empty() {
            let len = self.event_len(space, stream)?;
            return Ok(Appended {
                sequences: len..len,
                version,
            });
        }
        Ok(Appended {
            sequences: self.event_sequences(space, stream, version)?,
            version,
        })
    }
}

pub(crate) fn checked(
    space: &Space,
    stream: &str,
    kind: &str,
    payload: Value,
) -> Result<EventAppend> {
    check_stream(stream)?;
    space::check_name("type of events", kind, MAX_NAME_BYTES)?;
    if payload.kind() != Kind::Object {
        let source = ValueError::WrongType {
            path: Path::root(),
            expected: "an object as the payload of an event",
            found: payload.kind().name(),
        };
        return Err(Error::at(&head_key(space, stream), source));
    }
    Ok(EventAppend {
        space: space.clone(),
        stream: stream.to_owned(),
        kind: kind.to_owned(),
        payload,
        time: None,
    })
}

fn check_stream(stream: &str) -> Result<()> {
    space::check_name("stream of events", stream, MAX_STREAM_BYTES)
}

fn head_key(space: &Space, stream: &str) -> Vec<u8> {
    space::encode_parts(space, Primitive::Event, HEAD, &[stream.as_bytes()])
}

fn event_key(space: &Space, stream: &str, sequence: u64) -> Vec<u8> {
    let sequence = sequence.to_be_bytes();
    space::encode_parts(
        space,
        Primitive::Event,
        EVENT,
        &[stream.as_bytes(), &sequence],
    )
}

fn type_prefix(space: &Space, stream: &str, kind: &str) -> Vec<u8> {
    let parts: [&[u8]; 3] = [stream.as_bytes(), kind.as_bytes(), &[]];
    space::encode_parts(space, Primitive::Event, BY_TYPE, &parts)
}

fn type_key(space: &Space, stream: &str, kind: &str, sequence: u64) -> Vec<u8> {
    let mut key = type_prefix(space, stream, kind);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// What the last eight bytes of a key say.
fn sequence_of(key: &[u8]) -> u64 {
    key.last_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The hash of an event: over the hash before it, its sequence and time (8 bytes each, big-endian), the length of its
/// type (4 bytes, big-endian), its type, and the canonical encoding of its payload.
pub(crate) fn chain(
    previous: &[u8; 32],
    sequence: u64,
    time: Timestamp,
    kind: &str,
    payload: &Value,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(&sequence.to_be_bytes());
    hasher.update(&time.as_micros().to_be_bytes());
    let length = u32::try_from(kind.len()).unwrap_or(u32::MAX);
    hasher.update(&length.to_be_bytes());
    hasher.update(kind.as_bytes());
    hasher.update(&payload.canonical());
    *hasher.finalize().as_bytes()
}

fn read_head(entry: &Entry) -> Option<(u64, [u8; 32])> {
    let len = entry.value.index(0)?.as_u64()?;
    let hash = entry.value.index(1)?.as_bytes()?.try_into().ok()?;
    Some((len, hash))
}

fn read_event(key: &[u8], entry: &Entry) -> Result<Event> {
    let read = || {
        Some(Event {
            sequence: sequence_of(key),
            time: Timestamp::from_micros(entry.value.index(0)?.as_i64()?),
            kind: entry.value.index(1)?.as_str()?.to_owned(),
            payload: entry.value.index(2)?,
            hash: entry.value.index(3)?.as_bytes()?.try_into().ok()?,
            version: entry.version,
        })
    };
    read().ok_or_else(|| Error::damaged(key, entry.version))
}

fn info(key: &[u8], space: &Space, entry: &Entry) -> Result<StreamInfo> {
    let (len, hash) = read_head(entry).ok_or_else(|| Error::damaged(key, entry.version))?;
    let name = key.get(head_key(space, "").len()..).unwrap_or_default();
    Ok(StreamInfo {
        name: String::from_utf8_lossy(name).into_owned(),
        len,
        hash,
        version: entry.version,
    })
}

/// The length, without noting that it was read.
fn peek_len<V: View + ?Sized>(view: &V, space: &Space, stream: &str) -> Result<u64> {
    check_stream(stream)?;
    let key = head_key(space, stream);
    view.lookup(&key)?.map_or(Ok(0), |entry| {
        let head = read_head(&entry).ok_or_else(|| Error::damaged(&key, entry.version))?;
        Ok(head.0)
    })
}

/// How many events come before the first whose time and version do not satisfy `before`.
fn partition<V: View + ?Sized>(
    view: &V,
    space: &Space,
    stream: &str,
    len: u64,
    before: impl Fn((Timestamp, u64)) -> bool,
) -> Result<u64> {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = u64::midpoint(low, high);
        let key = event_key(space, stream, middle);
        let entry = view.lookup(&key)?.ok_or_else(|| Error::damaged(&key, 0))?;
        let event = read_event(&key, &entry)?;
        if before((event.time, event.version)) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn range<V: View + ?Sized>(
    view: &V,
    space: &Space,
    stream: &str,
    from: u64,
    to: Option<u64>,
    limit: usize,
    reverse: bool,
) -> Result<Vec<Event>> {
    let len = peek_len(view, space, stream)?;
    let end = to.unwrap_or(u64::MAX);
    let (start, stop) = (
        event_key(space, stream, from),
        event_key(space, stream, end),
    );
    let found = if from < end {
        view.range(&start, Some(&stop), limit, reverse)?
    } else {
        Vec::new()
    };
    // Only what reaches the end can change with the next append.
    let full = found.len() == limit && !reverse;
    if end > len && !full {
        view.saw(&head_key(space, stream), &Path::root())?;
    }
    if from < end {
        view.saw_range(start.into(), Some(stop.into()))?;
    }
    let events = found.iter().map(|(key, entry)| read_event(key, entry));
    events.collect()
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;
    use crate::{Doc, Env, Place, StoreOptions};

    #[test]
    fn the_chain_breaks_at_the_event_that_was_changed() {
        let space = Space::default();
        for (at, path, value) in [
            (1, "[2].n", value!(7)),
            (2, "[1]", value!("other")),
            (0, "[0]", value!(5)),
            (2, "[3]", Value::bytes(vec![0; 32])),
            (1, "[3]", value!("no hash")),
        ] {
            let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
            for n in 0..3 {
                store
                    .event_append(&space, "e", "k", value!({ "n": n }))
                    .unwrap();
            }
            let key = event_key(&space, "e", at);
            let prefix = space::encode(&space, Primitive::Event, &[]);
            let doc = Doc {
                primitive: Primitive::Event,
                space: space.clone(),
                key: String::from_utf8(key[prefix.len()..].to_vec()).unwrap(),
            };
            let region = Region::exact(key.into(), Path::root());
            let path = Path::parse(path).unwrap();
            let op = Op::DocSet { doc, path, value };
            store.direct(region, op, |_| ()).unwrap();
            let broken = store.event_verify(&space, "e").unwrap_err();
            assert_eq!(broken.code(), 413);
            // What cannot be read at all is found with the events that are read at once.
            let found = matches!(&broken, Error::ChainBroken { sequence, .. } if *sequence <= at);
            assert!(found, "{broken}");
        }
    }
}
