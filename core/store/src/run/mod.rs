//! Runs: what a program did from start to end, with a status, tags, metadata, children, and a space for its state.
//!
//! A run's own entry says what is known of it; its *state* is whatever the program keeps in the space [`Run::space`],
//! which is the run's space with the run's id as one more part.
//!
//! | key, behind `space NUL 5` | value |
//! | --- | --- |
//! | `0 id` | the run: `{status, parent, created, updated, tags, metadata}` |
//! | `1 time id` | null: all, by the time they were created |
//! | `2 status NUL time id` | null: by status |
//! | `3 tag NUL time id` | null: by tag |
//! | `4 parent NUL time id` | null: children; the roots are those of the empty parent |

use statewright_log::Timestamp;
use statewright_value::{Error as ValueError, Kind, Path, Value};

use crate::error::{Error, Result};
use crate::index::{self, After, Span};
use crate::reader::{self, sealed::View};
use crate::space::{self, Primitive, Space};
use crate::target::Entry;

mod diff;
mod op;
mod write;

pub use diff::RunDifference;
pub use op::{RunChange, RunOp};

const RECORD: u8 = 0;
const BY_TIME: u8 = 1;
const BY_STATUS: u8 = 2;
const BY_TAG: u8 = 3;
const BY_PARENT: u8 = 4;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunStatus {
    /// It is going on.
    Active,
    /// It waits to be resumed.
    Paused,
    /// It ended as it should.
    Completed,
    /// It ended with an error.
    Failed,
    /// It was ended by somebody.
    Cancelled,
    /// It is kept for the record only.
    Archived,
}

impl RunStatus {
    const ALL: [RunStatus; 6] = [
        RunStatus::Active,
        RunStatus::Paused,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
        RunStatus::Archived,
    ];

    /// `active`, `paused`, `completed`, `failed`, `cancelled` or `archived`.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Active => "active",
            RunStatus::Paused => "paused",
            RunStatus::Completed => "completed",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
            RunStatus::Archived => "archived",
        }
    }

    /// The status of this name; none if there is no such status.
    pub fn parse(name: &str) -> Option<RunStatus> {
        RunStatus::ALL
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// What a run of this status can become: while it goes on or waits, anything else but that a waiting run must be
    /// resumed before it completes; once it ended, archived; then nothing.
    ///
    /// ```
    /// use statewright_store::RunStatus::{Active, Archived, Completed, Paused};
    /// assert!(Active.can_become(Completed) && Paused.can_become(Active));
    /// assert!(!Paused.can_become(Completed) && !Completed.can_become(Active));
    /// assert!(Completed.can_become(Archived) && !Archived.can_become(Active));
    /// ```
    pub fn can_become(self, next: RunStatus) -> bool {
        use RunStatus::{Active, Archived, Completed, Paused};
        match self {
            Active => next != Active,
            Paused => next != Paused && next != Completed,
            Archived => false,
            _ => next == Archived,
        }
    }

    fn next_names(self) -> String {
        let next = RunStatus::ALL.into_iter().filter(|s| self.can_become(*s));
        let names: Vec<_> = next.map(RunStatus::name).collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        }
    }
}

/// Which runs a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunBy<'a> {
    /// All.
    Time,
    /// Those without a parent.
    Root,
    /// The children of one, forks among them.
    Parent(&'a str),
    /// Those of a status.
    Status(RunStatus),
    /// Those with a tag.
    Tag(&'a str),
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// Its name in its space: a part of a space's name.
    pub id: String,
    /// Where its state is.
    pub space: Space,
    /// Where it stands.
    pub status: RunStatus,
    /// The run that it belongs to or was forked from.
    pub parent: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When its status, tags or metadata last changed.
    pub updated: Timestamp,
    /// What else it can be found by.
    pub tags: Vec<String>,
    /// What the program says of it; an object.
    pub metadata: Value,
    /// The commit that last changed it.
    pub version: u64,
}

/// A run to be created.
///
/// ```
/// use statewright_store::{Env, NewRun, Place, Reader, RunReader, RunStatus, Space, Store, StoreOptions};
/// use statewright_value::{Path, value};
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// let space = Space::default();
/// store.run_create(&space, NewRun::new().id("import-1").tag("nightly"))?;
/// let run = store.run_get(&space, "import-1")?.unwrap();
/// store.kv_put(&run.space, b"rows", value!(17))?;
/// store.run_fork(&space, "import-1", NewRun::new().id("import-2"))?;
/// let fork = store.run_get(&space, "import-2")?.unwrap();
/// store.kv_put(&fork.space, b"rows", value!(18))?;
/// let differences = store.run_diff(&space, "import-1", "import-2", 10)?;
/// assert_eq!((differences.len(), &differences[0].after), (1, &Some(value!(18))));
/// store.run_set_status(&space, "import-1", RunStatus::Completed)?;
/// let back = store.run_set_status(&space, "import-1", RunStatus::Active);
/// assert_eq!(back.unwrap_err().code(), 411);
/// # Ok::<(), statewright_store::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    id: Option<String>,
    parent: Option<String>,
    tags: Vec<String>,
    metadata: Value,
}

impl Default for NewRun {
    fn default() -> Self {
        NewRun::new()
    }
}

impl NewRun {
    /// Without parent, tags and metadata, and with an id to be made: a ULID, whose order is that of time.
    pub fn new() -> NewRun {
        NewRun {
            id: None,
            parent: None,
            tags: Vec::new(),
            metadata: Value::object(),
        }
    }

    /// With this id: 1 or more of `A-Z a-z 0-9 . _ -`, as it is a part of a space's name.
    #[must_use]
    pub fn id(mut self, id: &str) -> NewRun {
        self.id = Some(id.to_owned());
        self
    }

    /// As a child of this run, which must be there.
    #[must_use]
    pub fn parent(mut self, parent: &str) -> NewRun {
        self.parent = Some(parent.to_owned());
        self
    }

    /// To be found by this tag, too.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> NewRun {
        if !self.tags.iter().any(|t| t == tag) {
            self.tags.push(tag.to_owned());
        }
        self
    }

    /// With this metadata, an object.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> NewRun {
        self.metadata = metadata;
        self
    }
}

/// Reading runs. Lists are in the order in which the runs were created.
pub trait RunReader: View {
    /// A run; none if it is not there. O(log n).
    fn run_get(&self, space: &Space, id: &str) -> Result<Option<Run>> {
        let key = record_key(space, id);
        let entry = self.lookup(&key)?;
        self.saw(&key, &Path::root())?;
        entry
            .map(|entry| read_run(&key, space, id, &entry))
            .transpose()
    }

    /// Whether a run is there. O(log n).
    fn run_exists(&self, space: &Space, id: &str) -> Result<bool> {
        Ok(self.run_get(space, id)?.is_some())
    }

    /// Up to `limit` runs that were created in a span of time. O(log n × limit).
    fn run_by_time(&self, space: &Space, span: Span, limit: usize) -> Result<Vec<Run>> {
        list(self, space, RunBy::Time, span, None, limit)
    }

    /// Up to `limit` runs of a status that were created in a span of time. O(log n × limit).
    fn run_by_status(
        &self,
        space: &Space,
        status: RunStatus,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Run>> {
        list(self, space, RunBy::Status(status), span, None, limit)
    }

    /// Up to `limit` runs with a tag that were created in a span of time. O(log n × limit).
    fn run_by_tag(&self, space: &Space, tag: &str, span: Span, limit: usize) -> Result<Vec<Run>> {
        list(self, space, RunBy::Tag(tag), span, None, limit)
    }

    /// Up to `limit` children of a run, forks among them. O(log n × limit).
    fn run_children(&self, space: &Space, id: &str, limit: usize) -> Result<Vec<Run>> {
        list(self, space, RunBy::Parent(id), Span::default(), None, limit)
    }

    /// Up to `limit` runs without a parent. O(log n × limit).
    fn run_roots(&self, space: &Space, span: Span, limit: usize) -> Result<Vec<Run>> {
        list(self, space, RunBy::Root, span, None, limit)
    }

    /// A page of a list of runs: up to `limit` that were created in a span of time, from the one behind the run
    /// `after` on. Fails with [`Error::NotFound`] if that one is not there. O(log n × limit).
    fn run_page(
        &self,
        space: &Space,
        by: RunBy<'_>,
        span: Span,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Run>> {
        list(self, space, by, span, after.map(After::from), limit)
    }

    /// How many runs a space has. O(runs).
    fn run_count(&self, space: &Space) -> Result<u64> {
        reader::count(self, &record_key(space, ""))
    }

    /// Up to `limit` places at which the states of two runs differ, in the order of their keys: what the first has is
    /// `before`, what the second has is `after`. Fails with [`Error::NotFound`]. O(both states).
    fn run_diff(
        &self,
        space: &Space,
        first: &str,
        second: &str,
        limit: usize,
    ) -> Result<Vec<RunDifference>> {
        if let Some(still) = self.still() {
            return still.run_diff(space, first, second, limit);
        }
        let state = |id: &str| {
            let run = self.run_get(space, id)?;
            run.map(|run| run.space).ok_or_else(|| missing(space, id))
        };
        diff::between(self, &state(first)?, &state(second)?, limit)
    }
}

impl<V: View + ?Sized> RunReader for V {}

pub(crate) fn record_key(space: &Space, id: &str) -> Vec<u8> {
    space::encode_parts(space, Primitive::Run, RECORD, &[id.as_bytes()])
}

fn index_key(space: &Space, part: u8, name: Option<&str>, time: Timestamp, id: &str) -> Vec<u8> {
    index::key(space, Primitive::Run, part, name, time, id)
}

/// The space of a run's state.
fn state_of(space: &Space, id: &str) -> Result<Space> {
    Space::parse(&format!("{space}/{id}"))
}

/// The space of the state of the run whose record is at this key of a space, if one is.
pub(crate) fn state_at(space: &Space, key: &[u8]) -> Option<Space> {
    let id = key.strip_prefix(&*record_key(space, ""))?;
    state_of(space, std::str::from_utf8(id).ok()?).ok()
}

fn missing(space: &Space, id: &str) -> Error {
    Error::NotFound {
        what: space::display(&record_key(space, id)),
    }
}

fn check_metadata(space: &Space, id: &str, metadata: &Value) -> Result<()> {
    if metadata.kind() == Kind::Object {
        return Ok(());
    }
    let source = ValueError::WrongType {
        path: Path::root(),
        expected: "an object as the metadata of a run",
        found: metadata.kind().name(),
    };
    Err(Error::at(&record_key(space, id), source))
}

fn read_run(key: &[u8], space: &Space, id: &str, entry: &Entry) -> Result<Run> {
    let read = || {
        let run = &entry.value;
        let tags = run.get("tags")?;
        let tags = tags.items().map(|tag| tag.as_str().map(str::to_owned));
        let time = |key| Some(Timestamp::from_micros(run.get(key)?.as_i64()?));
        Some(Run {
            id: id.to_owned(),
            space: state_of(space, id).ok()?,
            status: RunStatus::parse(run.get("status")?.as_str()?)?,
            parent: run.get("parent")?.as_str().map(str::to_owned),
            created: time("created")?,
            updated: time("updated")?,
            tags: tags.collect::<Option<_>>()?,
            metadata: run.get("metadata")?,
            version: entry.version,
        })
    };
    read().ok_or_else(|| Error::damaged(key, entry.version))
}

/// [`RunReader::run_page`].
pub(crate) fn list<V: View + ?Sized>(
    view: &V,
    space: &Space,
    by: RunBy<'_>,
    span: Span,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Run>> {
    if let Some(still) = view.still() {
        return list(&still, space, by, span, after, limit);
    }
    let part = match by {
        RunBy::Time => (BY_TIME, None),
        RunBy::Root => (BY_PARENT, Some("")),
        RunBy::Parent(id) => (BY_PARENT, Some(id)),
        RunBy::Status(status) => (BY_STATUS, Some(status.name())),
        RunBy::Tag(tag) => (BY_TAG, Some(tag)),
    };
    let after = match after {
        None => None,
        Some(After { time: None, id }) => {
            let found = view.run_get(space, &id)?;
            Some((found.ok_or_else(|| missing(space, &id))?.created, id))
        }
        Some(After { time, id }) => time.map(|time| (time, id)),
    };
    let ids = index::list(view, space, Primitive::Run, part, span, after, limit)?;
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        runs.extend(view.run_get(space, &id)?);
    }
    Ok(runs)
}
