//! Traces: what was done and why, written down once, as trees.
//!
//! A trace is never changed. Its index entries (by type, tag, time and parent) are made by the same op, so they are
//! there exactly when it is.
//!
//! | key, behind `space NUL 4` | value |
//! | --- | --- |
//! | `0 id` | the trace: `[type, time, parent or null, tags, payload]` |
//! | `1 time id` | null: all, by time |
//! | `2 type NUL time id` | null: by type |
//! | `3 tag NUL time id` | null: by tag |
//! | `4 parent NUL time id` | null: children; the roots are those of the empty parent |
//!
//! Times in keys are microseconds in 8 bytes, big-endian, with the sign bit flipped.

use std::collections::BTreeSet;

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use crate::error::{Error, Result};
use crate::index::{self, After, Span};
use crate::op::Op;
use crate::op::wire::{self, Decoded};
use crate::reader::{self, sealed::View};
use crate::recent::Region;
use crate::space::{self, KeyBuf, MAX_NAME_BYTES, Primitive, Space};
use crate::store::Store;
use crate::target::{Entry, Stamp, Target};
use crate::txn::Txn;

const RECORD: u8 = 0;
const BY_TIME: u8 = 1;
const BY_TYPE: u8 = 2;
const BY_TAG: u8 = 3;
const BY_PARENT: u8 = 4;

/// A trace as it was recorded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trace {
    /// Its name in its space.
    pub id: String,
    /// What it is a part of; none for a root.
    pub parent: Option<String>,
    /// What kind it is: a tool call, a decision, …
    pub kind: String,
    /// What else it can be found by.
    pub tags: Vec<String>,
    /// When it was recorded.
    pub time: Timestamp,
    /// What it says.
    pub payload: Value,
    /// The commit that it is in.
    pub version: u64,
}

/// A trace at its place in a tree.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TraceNode {
    /// How far below the trace that was asked for; 0 for that one.
    pub depth: usize,
    /// The trace.
    pub trace: Trace,
}

/// Which traces a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceBy<'a> {
    /// All.
    Time,
    /// Those without a parent.
    Root,
    /// The children of one.
    Parent(&'a str),
    /// Those of a type.
    Type(&'a str),
    /// Those with a tag.
    Tag(&'a str),
}

/// A trace to be recorded.
///
/// ```
/// use statewright_store::{Env, NewTrace, Place, Space, Store, StoreOptions, TraceReader};
/// use statewright_value::value;
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// let space = Space::default();
/// let plan = store.trace_record(&space, NewTrace::new("decision", value!({"use": "search"})))?;
/// let call = NewTrace::new("tool_call", value!({"tool": "search"})).parent(&plan).tag("slow");
/// let call = store.trace_record(&space, call)?;
/// let tree = store.trace_tree(&space, &plan, 100)?;
/// assert_eq!((tree.len(), tree[1].depth, &tree[1].trace.id), (2, 1, &call));
/// # Ok::<(), statewright_store::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrace {
    id: Option<String>,
    parent: Option<String>,
    kind: String,
    tags: Vec<String>,
    payload: Value,
}

impl NewTrace {
    /// A root of this type, with an id to be made: a ULID, whose order is that of time.
    pub fn new(kind: &str, payload: Value) -> NewTrace {
        NewTrace {
            id: None,
            parent: None,
            kind: kind.to_owned(),
            tags: Vec::new(),
            payload,
        }
    }

    /// With this id, which no other trace of the space may have.
    #[must_use]
    pub fn id(mut self, id: &str) -> NewTrace {
        self.id = Some(id.to_owned());
        self
    }

    pub(crate) fn given_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether that is what there is, but for its time.
    pub(crate) fn is_as(&self, there: &Trace) -> bool {
        self.kind == there.kind
            && self.parent == there.parent
            && self.tags == there.tags
            && self.payload == there.payload
    }

    /// As a child of this trace, which must be there.
    #[must_use]
    pub fn parent(mut self, parent: &str) -> NewTrace {
        self.parent = Some(parent.to_owned());
        self
    }

    /// To be found by this tag, too.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> NewTrace {
        if !self.tags.iter().any(|t| t == tag) {
            self.tags.push(tag.to_owned());
        }
        self
    }
}

/// A trace as the log holds it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TraceRecord {
    /// The space.
    pub space: Space,
    /// Its id.
    pub id: String,
    /// What it is a part of.
    pub parent: Option<String>,
    /// What kind it is.
    pub kind: String,
    /// What else it can be found by.
    pub tags: Vec<String>,
    /// When it was recorded.
    pub time: Timestamp,
    /// What it says.
    pub payload: Value,
}

impl TraceRecord {
    pub(crate) fn key(&self) -> KeyBuf {
        record_key(&self.space, &self.id).into()
    }

    /// The index entries.
    fn indexes(&self) -> Vec<Vec<u8>> {
        let entry = |part, name| index_key(&self.space, part, name, self.time, &self.id);
        let parent = self.parent.as_deref().unwrap_or_default();
        let mut keys = vec![
            entry(BY_TIME, None),
            entry(BY_TYPE, Some(&self.kind)),
            entry(BY_PARENT, Some(parent)),
        ];
        keys.extend(self.tags.iter().map(|tag| entry(BY_TAG, Some(tag))));
        keys
    }

    /// O(log n × tags).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        let key = self.key();
        if target.get(&key).is_some() {
            return Err(Error::AlreadyExists {
                what: space::display(&key),
            });
        }
        let tags: Vec<Value> = self.tags.iter().map(|tag| Value::text(tag)).collect();
        let parent = self.parent.as_deref().map_or(Value::NULL, Value::text);
        let record = Value::from(vec![
            Value::text(&self.kind),
            Value::from(self.time.as_micros()),
            parent,
            Value::from(tags),
            self.payload.clone(),
        ]);
        target.put(&key, Entry::new(record, at.version));
        for index in self.indexes() {
            target.put(&index, Entry::new(Value::NULL, at.version));
        }
        Ok(())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, base: u8) {
        wire::head(out, 8, base, &self.space);
        wire::text(out, &self.id);
        wire::maybe_text(out, self.parent.as_deref());
        wire::text(out, &self.kind);
        wire::time(out, self.time);
        wire::texts(out, &self.tags);
        self.payload.write_msgpack(out);
    }

    pub(crate) fn decode(space: Space, input: &mut &[u8]) -> Decoded<TraceRecord> {
        Ok(TraceRecord {
            space,
            id: wire::read_text(input)?,
            parent: wire::read_maybe_text(input)?,
            kind: wire::read_text(input)?,
            time: wire::read_time(input)?,
            tags: wire::read_texts(input)?,
            payload: wire::read_value(input)?,
        })
    }
}

/// Reading traces. Lists are in the order of time.
pub trait TraceReader: View {
    /// A trace; none if it is not there. O(log n).
    fn trace_get(&self, space: &Space, id: &str) -> Result<Option<Trace>> {
        let key = record_key(space, id);
        let entry = self.lookup(&key)?;
        self.saw(&key, &Path::root())?;
        entry.map(|entry| read_trace(&key, id, &entry)).transpose()
    }

    /// Up to `limit` children of a trace. O(log n × limit).
    fn trace_children(&self, space: &Space, id: &str, limit: usize) -> Result<Vec<Trace>> {
        list(
            self,
            space,
            TraceBy::Parent(id),
            Span::default(),
            None,
            limit,
        )
    }

    /// A trace and those below it, up to `limit` in all, each before its children; empty if it is not there. Restored
    /// traces may be below each other: each is given once. O(log n × limit).
    fn trace_tree(&self, space: &Space, id: &str, limit: usize) -> Result<Vec<TraceNode>> {
        if let Some(still) = self.still() {
            return still.trace_tree(space, id, limit);
        }
        let mut nodes: Vec<TraceNode> = Vec::new();
        let mut given = BTreeSet::new();
        // Of each depth, the children that come next.
        let mut open = vec![Children::new(self.trace_get(space, id)?)];
        while nodes.len() < limit
            && let Some(children) = open.last_mut()
        {
            let Some(trace) = children.next(self, space)? else {
                open.pop();
                continue;
            };
            if given.insert(trace.id.clone()) {
                let depth = open.len().saturating_sub(1);
                open.push(Children::of(&trace.id));
                nodes.push(TraceNode { depth, trace });
            }
        }
        Ok(nodes)
    }

    /// Up to `limit` traces without a parent that were recorded in a span of time. O(log n × limit).
    fn trace_roots(&self, space: &Space, span: Span, limit: usize) -> Result<Vec<Trace>> {
        list(self, space, TraceBy::Root, span, None, limit)
    }

    /// Up to `limit` traces of a type that were recorded in a span of time. O(log n × limit).
    fn trace_by_type(
        &self,
        space: &Space,
        kind: &str,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Trace>> {
        list(self, space, TraceBy::Type(kind), span, None, limit)
    }

    /// Up to `limit` traces with a tag that were recorded in a span of time. O(log n × limit).
    fn trace_by_tag(
        &self,
        space: &Space,
        tag: &str,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Trace>> {
        list(self, space, TraceBy::Tag(tag), span, None, limit)
    }

    /// Up to `limit` traces that were recorded in a span of time. O(log n × limit).
    fn trace_by_time(&self, space: &Space, span: Span, limit: usize) -> Result<Vec<Trace>> {
        list(self, space, TraceBy::Time, span, None, limit)
    }

    /// A page of a list of traces: up to `limit` that were recorded in a span of time, from the one behind the trace
    /// `after` on. Fails with [`Error::NotFound`] if that one is not there. O(log n × limit).
    ///
    /// ```
    /// use statewright_store::{Env, NewTrace, Place, Space, Span, Store, StoreOptions, TraceBy, TraceReader};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// for _ in 0..5 {
    ///     store.trace_record(&space, NewTrace::new("step", value!({})))?;
    /// }
    /// let now = store.snapshot();
    /// let page = now.trace_page(&space, TraceBy::Type("step"), Span::default(), None, 3)?;
    /// let rest = now.trace_page(&space, TraceBy::Type("step"), Span::default(), Some(&page[2].id), 3)?;
    /// assert_eq!((page.len(), rest.len()), (3, 2));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    fn trace_page(
        &self,
        space: &Space,
        by: TraceBy<'_>,
        span: Span,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Trace>> {
        list(self, space, by, span, after.map(After::from), limit)
    }

    /// How many traces a space has. O(traces).
    fn trace_count(&self, space: &Space) -> Result<u64> {
        reader::count(self, &record_key(space, ""))
    }
}

impl<V: View + ?Sized> TraceReader for V {}

/// Recording traces.
impl Txn {
    /// Writes a trace down and gives its id. Ids, types and tags have 1 to 255 bytes without NUL.
    ///
    /// Fails with [`Error::NotFound`] if its parent is not there, with [`Error::AlreadyExists`] if its id is taken,
    /// or with [`Error::InvalidName`]. O(log n × tags).
    pub fn trace_record(&self, space: &Space, trace: NewTrace) -> Result<String> {
        if let Some(parent) = &trace.parent {
            self.trace_get(space, parent)?
                .ok_or_else(|| missing(space, parent))?;
        }
        self.trace_write(space, trace, self.time())
    }

    pub(crate) fn trace_write(
        &self,
        space: &Space,
        trace: NewTrace,
        time: Timestamp,
    ) -> Result<String> {
        let id = match trace.id {
            Some(id) => id,
            None => self.new_id()?,
        };
        space::check_name("trace", &id, MAX_NAME_BYTES)?;
        space::check_name("type of traces", &trace.kind, MAX_NAME_BYTES)?;
        space::check_parent("trace", &id, trace.parent.as_deref())?;
        for tag in &trace.tags {
            space::check_name("tag", tag, MAX_NAME_BYTES)?;
        }
        let record = TraceRecord {
            space: space.clone(),
            id: id.clone(),
            parent: trace.parent,
            kind: trace.kind,
            tags: trace.tags,
            time,
            payload: trace.payload,
        };
        let mut keys = record.indexes();
        keys.push(record_key(space, &id));
        let regions = keys
            .into_iter()
            .map(|key| Region::exact(key.into(), Path::root()));
        self.write_all(regions, Op::Trace(Box::new(record)))?;
        Ok(id)
    }
}

/// Traces, one commit each.
impl Store {
    /// [`Txn::trace_record`] in a commit of its own.
    pub fn trace_record(&self, space: &Space, trace: NewTrace) -> Result<String> {
        self.transact(|txn| txn.trace_record(space, trace.clone()))
    }
}

/// The children of a trace, read some at a time: a tree may be cut off behind the first of many.
struct Children {
    /// Whose; none if all were read.
    parent: Option<String>,
    read: std::vec::IntoIter<Trace>,
    last: Option<After>,
}

impl Children {
    const AT_ONCE: usize = 16;

    fn new(read: Option<Trace>) -> Children {
        let read = read.map(|trace| vec![trace]).unwrap_or_default();
        Children {
            parent: None,
            read: read.into_iter(),
            last: None,
        }
    }

    fn of(parent: &str) -> Children {
        let parent = Some(parent.to_owned());
        Children {
            parent,
            ..Children::new(None)
        }
    }

    fn next<V: View + ?Sized>(&mut self, view: &V, space: &Space) -> Result<Option<Trace>> {
        if let Some(read) = self.read.next() {
            return Ok(Some(read));
        }
        let Some(parent) = &self.parent else {
            return Ok(None);
        };
        let (by, all) = (TraceBy::Parent(parent), Span::default());
        let found = list(view, space, by, all, self.last.take(), Self::AT_ONCE)?;
        match found.last() {
            Some(last) if found.len() == Self::AT_ONCE => {
                let (time, id) = (Some(last.time), last.id.clone());
                self.last = Some(After { time, id });
            }
            _ => self.parent = None,
        }
        self.read = found.into_iter();
        Ok(self.read.next())
    }
}

fn missing(space: &Space, id: &str) -> Error {
    Error::NotFound {
        what: space::display(&record_key(space, id)),
    }
}

fn record_key(space: &Space, id: &str) -> Vec<u8> {
    space::encode_parts(space, Primitive::Trace, RECORD, &[id.as_bytes()])
}

fn index_key(space: &Space, part: u8, name: Option<&str>, time: Timestamp, id: &str) -> Vec<u8> {
    index::key(space, Primitive::Trace, part, name, time, id)
}

fn read_trace(key: &[u8], id: &str, entry: &Entry) -> Result<Trace> {
    let read = || {
        let tags = entry.value.index(3)?;
        let tags = tags.items().map(|tag| tag.as_str().map(str::to_owned));
        Some(Trace {
            id: id.to_owned(),
            kind: entry.value.index(0)?.as_str()?.to_owned(),
            time: Timestamp::from_micros(entry.value.index(1)?.as_i64()?),
            parent: entry.value.index(2)?.as_str().map(str::to_owned),
            tags: tags.collect::<Option<_>>()?,
            payload: entry.value.index(4)?,
            version: entry.version,
        })
    };
    read().ok_or_else(|| Error::damaged(key, entry.version))
}

/// [`TraceReader::trace_page`].
pub(crate) fn list<V: View + ?Sized>(
    view: &V,
    space: &Space,
    by: TraceBy<'_>,
    span: Span,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Trace>> {
    if let Some(still) = view.still() {
        return list(&still, space, by, span, after, limit);
    }
    let part = match by {
        TraceBy::Time => (BY_TIME, None),
        TraceBy::Root => (BY_PARENT, Some("")),
        TraceBy::Parent(id) => (BY_PARENT, Some(id)),
        TraceBy::Type(kind) => (BY_TYPE, Some(kind)),
        TraceBy::Tag(tag) => (BY_TAG, Some(tag)),
    };
    let after = match after {
        None => None,
        Some(After { time: None, id }) => {
            let found = view.trace_get(space, &id)?;
            Some((found.ok_or_else(|| missing(space, &id))?.time, id))
        }
        Some(After { time, id }) => time.map(|time| (time, id)),
    };
    let ids = index::list(view, space, Primitive::Trace, part, span, after, limit)?;
    let mut traces = Vec::with_capacity(ids.len());
    for id in ids {
        let key = record_key(space, &id);
        let entry = view.lookup(&key)?.ok_or_else(|| Error::damaged(&key, 0))?;
        traces.push(read_trace(&key, &id, &entry)?);
    }
    Ok(traces)
}
