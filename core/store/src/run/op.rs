//! What the log holds of runs. Index entries change with what they are of.

use statewright_log::Timestamp;
use statewright_value::{Path, Value, value};

use super::{BY_PARENT, BY_STATUS, BY_TAG, BY_TIME, RunStatus, index_key, read_run, record_key};
use crate::error::{Error, Result};
use crate::op::wire::{self, Decoded};
use crate::space::{self, KeyBuf, Space};
use crate::target::{Entry, Stamp, Target};

/// A change to a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunOp {
    /// The space.
    pub space: Space,
    /// The run.
    pub id: String,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: RunChange,
}

/// What is changed of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunChange {
    /// It is made, active.
    Create {
        /// What it belongs to.
        parent: Option<String>,
        /// What else it can be found by.
        tags: Vec<String>,
        /// An object.
        metadata: Value,
    },
    /// It has another status.
    Status(RunStatus),
    /// It has a tag more.
    Tag(String),
    /// It has a tag less.
    Untag(String),
    /// A place of its metadata is set.
    Set(Path, Value),
    /// A place of its metadata is removed.
    Remove(Path),
    /// It is removed.
    Delete,
}

const CREATE: u8 = 0;
const STATUS: u8 = 1;
const TAG: u8 = 2;
const UNTAG: u8 = 3;
const SET: u8 = 4;
const REMOVE: u8 = 5;
const DELETE: u8 = 6;

/// The index entries of a run.
pub(super) fn indexes(
    space: &Space,
    id: &str,
    created: Timestamp,
    status: RunStatus,
    parent: Option<&str>,
    tags: &[String],
) -> Vec<Vec<u8>> {
    let entry = |part, name| index_key(space, part, name, created, id);
    let mut keys = vec![
        entry(BY_TIME, None),
        entry(BY_STATUS, Some(status.name())),
        entry(BY_PARENT, Some(parent.unwrap_or_default())),
    ];
    keys.extend(tags.iter().map(|tag| entry(BY_TAG, Some(tag))));
    keys
}

impl RunOp {
    pub(crate) fn name(&self) -> &'static str {
        match self.change {
            RunChange::Create { .. } => "create",
            RunChange::Status(_) => "status",
            RunChange::Tag(_) => "tag",
            RunChange::Untag(_) => "untag",
            RunChange::Set(..) => "set",
            RunChange::Remove(_) => "remove",
            RunChange::Delete => "delete",
        }
    }

    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    pub(crate) fn key(&self) -> KeyBuf {
        record_key(&self.space, &self.id).into()
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match &self.change {
            RunChange::Create {
                metadata: value, ..
            }
            | RunChange::Set(_, value) => Some(value),
            _ => None,
        }
    }

    /// O(log n × tags).
    pub(crate) fn apply(&self, target: &mut impl Target, at: Stamp) -> Result<()> {
        let key = self.key();
        let there = target.get(&key);
        if let RunChange::Create {
            parent,
            tags,
            metadata,
        } = &self.change
        {
            if there.is_some() {
                let what = space::display(&key);
                return Err(Error::AlreadyExists { what });
            }
            self.create(target, at, parent.as_deref(), tags, metadata);
            return Ok(());
        }
        let Some(there) = there else {
            return Err(Error::NotFound {
                what: space::display(&key),
            });
        };
        let run = read_run(&key, &self.space, &self.id, &there)?;
        let index =
            |part, name: &str| index_key(&self.space, part, Some(name), run.created, &self.id);
        let mark = Entry::new(Value::NULL, at.version);
        match &self.change {
            RunChange::Create { .. } => {}
            RunChange::Status(status) => {
                self.set(
                    target,
                    at,
                    &Path::root().key("status"),
                    Value::text(status.name()),
                )?;
                target.remove(&index(BY_STATUS, run.status.name()));
                target.put(&index(BY_STATUS, status.name()), mark);
            }
            RunChange::Tag(tag) => {
                if !run.tags.contains(tag) {
                    let tags = run.tags.iter().chain([tag]);
                    self.set_tags(target, at, tags)?;
                }
                target.put(&index(BY_TAG, tag), mark);
            }
            RunChange::Untag(tag) => {
                let tags = run.tags.iter().filter(|t| *t != tag);
                self.set_tags(target, at, tags)?;
                target.remove(&index(BY_TAG, tag));
            }
            RunChange::Set(path, value) => {
                let path = Path::root().key("metadata").join(path);
                self.set(target, at, &path, value.clone())?;
            }
            RunChange::Remove(path) => {
                let path = Path::root().key("metadata").join(path);
                self.edit(target, at, |doc| {
                    doc.remove(&path)?;
                    Ok(())
                })?;
            }
            RunChange::Delete => {
                let parent = run.parent.as_deref();
                for key in indexes(
                    &self.space,
                    &self.id,
                    run.created,
                    run.status,
                    parent,
                    &run.tags,
                ) {
                    target.remove(&key);
                }
                target.remove(&key);
            }
        }
        Ok(())
    }

    fn create(
        &self,
        target: &mut impl Target,
        at: Stamp,
        parent: Option<&str>,
        tags: &[String],
        metadata: &Value,
    ) {
        let status = RunStatus::Active;
        let time = self.time.as_micros();
        let names: Vec<Value> = tags.iter().map(|tag| Value::text(tag)).collect();
        let record = value!({
            "status": (status.name()),
            "parent": (parent.map_or(Value::NULL, Value::text)),
            "created": time,
            "updated": time,
            "tags": (Value::from(names)),
            "metadata": (metadata.clone()),
        });
        target.put(&self.key(), Entry::new(record, at.version));
        for key in indexes(&self.space, &self.id, self.time, status, parent, tags) {
            target.put(&key, Entry::new(Value::NULL, at.version));
        }
    }

    fn set_tags<'a>(
        &self,
        target: &mut impl Target,
        at: Stamp,
        tags: impl Iterator<Item = &'a String>,
    ) -> Result<()> {
        let tags: Vec<Value> = tags.map(|tag| Value::text(tag)).collect();
        self.set(target, at, &Path::root().key("tags"), Value::from(tags))
    }

    fn set(&self, target: &mut impl Target, at: Stamp, path: &Path, value: Value) -> Result<()> {
        self.edit(target, at, |doc| doc.set(path, value))
    }

    /// Changes the record, and the time of its last change.
    fn edit(
        &self,
        target: &mut impl Target,
        at: Stamp,
        f: impl FnOnce(&mut Value) -> statewright_value::Result<()>,
    ) -> Result<()> {
        let key = self.key();
        let updated = Path::root().key("updated");
        let edited = target.edit(&key, at.version, |doc| {
            f(doc).map_err(|e| Error::at(&key, e))?;
            Ok(doc.set(&updated, Value::from(self.time.as_micros()))?)
        });
        edited.unwrap_or(Ok(()))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, base: u8) {
        let (verb, more) = match &self.change {
            RunChange::Create { .. } => (CREATE, 3),
            RunChange::Status(_) => (STATUS, 1),
            RunChange::Tag(_) => (TAG, 1),
            RunChange::Untag(_) => (UNTAG, 1),
            RunChange::Set(..) => (SET, 2),
            RunChange::Remove(_) => (REMOVE, 1),
            RunChange::Delete => (DELETE, 0),
        };
        wire::head(out, more + 4, base | verb, &self.space);
        wire::text(out, &self.id);
        wire::time(out, self.time);
        match &self.change {
            RunChange::Create {
                parent,
                tags,
                metadata,
            } => {
                wire::maybe_text(out, parent.as_deref());
                wire::texts(out, tags);
                metadata.write_msgpack(out);
            }
            RunChange::Status(status) => wire::text(out, status.name()),
            RunChange::Tag(tag) | RunChange::Untag(tag) => wire::text(out, tag),
            RunChange::Set(path, value) => {
                wire::write_path(out, path);
                value.write_msgpack(out);
            }
            RunChange::Remove(path) => wire::write_path(out, path),
            RunChange::Delete => {}
        }
    }

    pub(crate) fn decode(verb: u8, space: Space, input: &mut &[u8]) -> Decoded<(RunOp, u32)> {
        let id = wire::read_text(input)?;
        let time = wire::read_time(input)?;
        let (change, used) = match verb {
            CREATE => {
                let create = RunChange::Create {
                    parent: wire::read_maybe_text(input)?,
                    tags: wire::read_texts(input)?,
                    metadata: wire::read_value(input)?,
                };
                (create, 7)
            }
            STATUS => {
                let status = RunStatus::parse(&wire::read_text(input)?);
                (
                    RunChange::Status(status.ok_or("a run's status is not known")?),
                    5,
                )
            }
            TAG => (RunChange::Tag(wire::read_text(input)?), 5),
            UNTAG => (RunChange::Untag(wire::read_text(input)?), 5),
            SET => {
                let path = wire::read_path(input)?;
                (RunChange::Set(path, wire::read_value(input)?), 6)
            }
            REMOVE => (RunChange::Remove(wire::read_path(input)?), 5),
            DELETE => (RunChange::Delete, 4),
            _ => return Err(crate::op::UNKNOWN),
        };
        let op = RunOp {
            space,
            id,
            time,
            change,
        };
        Ok((op, used))
    }
}
