//! Creating, changing, forking, removing and replaying runs.

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use super::op::indexes;
use super::{
    BY_STATUS, BY_TAG, NewRun, Run, RunChange, RunOp, RunReader, RunStatus, check_metadata,
    index_key, missing, read_run, record_key, state_of,
};
use crate::error::{Error, Result};
use crate::op::Op;
use crate::reader::sealed::View;
use crate::recent::Region;
use crate::space::{self, MAX_NAME_BYTES, Space};
use crate::store::{LoggedCommit, Store};
use crate::txn::Txn;

/// Creating and changing runs.
impl Txn {
    /// Makes an active run and gives its id.
    ///
    /// Fails with [`Error::AlreadyExists`] if its id is taken, with [`Error::NotFound`] if its parent is not there,
    /// with [`Error::InvalidSpace`] if the id is no part of a space's name or the space has four parts already, with
    /// [`Error::InvalidName`] for a tag that has not 1 to 255 bytes without NUL, and with [`Error::At`] if the
    /// metadata is no object. O(log n × tags).
    pub fn run_create(&self, space: &Space, run: NewRun) -> Result<String> {
        let id = match run.id {
            Some(id) => id,
            None => self.new_id()?,
        };
        check_id(space, &id)?;
        check_metadata(space, &id, &run.metadata)?;
        for tag in &run.tags {
            space::check_name("tag", tag, MAX_NAME_BYTES)?;
        }
        if let Some(parent) = &run.parent
            && !self.run_exists(space, parent)?
        {
            return Err(missing(space, parent));
        }
        if self.run_exists(space, &id)? {
            return Err(Error::AlreadyExists {
                what: space::display(&record_key(space, &id)),
            });
        }
        let parent = run.parent.as_deref();
        let time = self.time();
        let keys = indexes(space, &id, time, RunStatus::Active, parent, &run.tags);
        let change = RunChange::Create {
            parent: run.parent,
            tags: run.tags,
            metadata: run.metadata,
        };
        let whole = region(space, &id, Path::root());
        self.change_run(space, &id, change, [whole], keys)?;
        Ok(id)
    }

    /// Makes a run as it was in another store: with the id that `run` must have, a status, and the times at which it
    /// was created and last changed. Its parent need not be there. False, and nothing is changed, if it is there
    /// exactly so.
    ///
    /// Fails with [`Error::CannotRestore`] if another run has its id, or as [`run_create`](Txn::run_create).
    /// O(log n × tags).
    pub fn run_restore(
        &self,
        space: &Space,
        run: NewRun,
        status: RunStatus,
        created: Timestamp,
        updated: Timestamp,
    ) -> Result<bool> {
        let id = run.id.unwrap_or_default();
        check_id(space, &id)?;
        check_metadata(space, &id, &run.metadata)?;
        space::check_parent("run", &id, run.parent.as_deref())?;
        for tag in &run.tags {
            space::check_name("tag", tag, MAX_NAME_BYTES)?;
        }
        if let Some(there) = self.run_get(space, &id)? {
            let same = there.status == status
                && (there.created, there.updated) == (created, updated)
                && there.parent == run.parent
                && there.tags == run.tags
                && there.metadata == run.metadata;
            if same {
                return Ok(false);
            }
            return Err(Error::CannotRestore {
                what: space::display(&record_key(space, &id)),
                why: "another run has its id",
            });
        }
        let parent = run.parent.as_deref();
        let keys = indexes(space, &id, created, RunStatus::Active, parent, &run.tags);
        let change = RunChange::Create {
            parent: run.parent,
            tags: run.tags,
            metadata: run.metadata.clone(),
        };
        let whole = || [region(space, &id, Path::root())];
        self.all_or_nothing(|| {
            self.change_run_at(created, space, &id, change, whole(), keys)?;
            // What was changed last says when.
            if status != RunStatus::Active {
                let index =
                    |s: RunStatus| index_key(space, BY_STATUS, Some(s.name()), created, &id);
                let keys = vec![index(RunStatus::Active), index(status)];
                let change = RunChange::Status(status);
                self.change_run_at(updated, space, &id, change, whole(), keys)?;
            } else if updated != created {
                let change = RunChange::Set(Path::root(), run.metadata);
                self.change_run_at(updated, space, &id, change, whole(), Vec::new())?;
            }
            Ok(true)
        })
    }

    /// Gives a run another status. To give it the one it has changes nothing.
    ///
    /// Fails with [`Error::NotFound`] or [`Error::IllegalTransition`]; see [`RunStatus::can_become`]. O(log n).
    pub fn run_set_status(&self, space: &Space, id: &str, status: RunStatus) -> Result<()> {
        let run = self.run_at(space, id, "status")?;
        if run.status == status {
            return Ok(());
        }
        if !run.status.can_become(status) {
            return Err(Error::IllegalTransition {
                what: space::display(&record_key(space, id)),
                from: run.status.name(),
                to: status.name(),
                allowed: run.status.next_names(),
            });
        }
        let index = |s: RunStatus| index_key(space, BY_STATUS, Some(s.name()), run.created, id);
        let keys = vec![index(run.status), index(status)];
        let place = region(space, id, Path::root().key("status"));
        self.change_run(space, id, RunChange::Status(status), [place], keys)
    }

    /// Sets a place of a run's metadata, making missing parents; the root path replaces it all, with an object.
    /// Fails with [`Error::NotFound`], or with [`Error::At`] if the path does not fit what is there. O(log n + path).
    pub fn run_set_metadata(
        &self,
        space: &Space,
        id: &str,
        path: &Path,
        value: Value,
    ) -> Result<()> {
        if path.is_root() {
            check_metadata(space, id, &value)?;
        }
        self.run_is_there(space, id)?;
        let place = region(space, id, Path::root().key("metadata").join(path));
        let change = RunChange::Set(path.clone(), value);
        self.change_run(space, id, change, [place], Vec::new())
    }

    /// Removes a place of a run's metadata, not its root; nothing if nothing is there. Fails with [`Error::NotFound`].
    /// O(log n + path).
    pub fn run_remove_metadata(&self, space: &Space, id: &str, path: &Path) -> Result<()> {
        if path.is_root() {
            let metadata = Value::object();
            return self.run_set_metadata(space, id, path, metadata);
        }
        self.run_is_there(space, id)?;
        let around = match path.last() {
            // Every path through an array shifts.
            Some(statewright_value::Segment::Index(_)) => path.parent().unwrap_or_default(),
            _ => path.clone(),
        };
        let place = region(space, id, Path::root().key("metadata").join(&around));
        let change = RunChange::Remove(path.clone());
        self.change_run(space, id, change, [place], Vec::new())
    }

    /// Gives a run a tag; tells whether it did not have it. Fails with [`Error::NotFound`] or [`Error::InvalidName`].
    /// O(log n + tags).
    pub fn run_add_tag(&self, space: &Space, id: &str, tag: &str) -> Result<bool> {
        space::check_name("tag", tag, MAX_NAME_BYTES)?;
        self.retag(space, id, tag, true)
    }

    /// Takes a tag from a run; tells whether it had it. Fails with [`Error::NotFound`]. O(log n + tags).
    pub fn run_remove_tag(&self, space: &Space, id: &str, tag: &str) -> Result<bool> {
        self.retag(space, id, tag, false)
    }

    fn retag(&self, space: &Space, id: &str, tag: &str, add: bool) -> Result<bool> {
        let run = self.run_at(space, id, "tags")?;
        if run.tags.iter().any(|t| t == tag) == add {
            return Ok(false);
        }
        let key = index_key(space, BY_TAG, Some(tag), run.created, id);
        let change = if add {
            RunChange::Tag(tag.to_owned())
        } else {
            RunChange::Untag(tag.to_owned())
        };
        let place = region(space, id, Path::root().key("tags"));
        self.change_run(space, id, change, [place], vec![key])?;
        Ok(true)
    }

    /// Makes a run as a child of another one, with a copy of that one's state; gives its id. The log holds only
    /// that it was copied.
    ///
    /// Fails as [`run_create`](Txn::run_create) and [`space_copy`](Txn::space_copy) do; then nothing is changed.
    /// O(state × log n).
    pub fn run_fork(&self, space: &Space, from: &str, new: NewRun) -> Result<String> {
        self.all_or_nothing(|| {
            let source = self.run(space, from)?;
            let id = self.run_create(space, new.parent(from))?;
            self.space_copy(&source.space, &state_of(space, &id)?)?;
            Ok(id)
        })
    }

    /// Removes a run with its state and, if `cascade`, all runs below it; gives how many runs there were.
    ///
    /// Fails with [`Error::NotFound`], with [`Error::HasChildren`] if there are runs below it that are not to be
    /// removed, and with [`Error::TxnLimit`]; then nothing is changed. O(states × log n).
    pub fn run_delete(&self, space: &Space, id: &str, cascade: bool) -> Result<u64> {
        self.all_or_nothing(|| {
            let mut open = vec![self.run(space, id)?];
            let mut removed = 0_u64;
            while let Some(run) = open.pop() {
                let limit = if cascade { usize::MAX } else { 1 };
                let children = self.run_children(space, &run.id, limit)?;
                if !cascade && !children.is_empty() {
                    return Err(Error::HasChildren {
                        what: space::display(&record_key(space, id)),
                    });
                }
                open.extend(children);
                self.space_delete(&run.space)?;
                let parent = run.parent.as_deref();
                let keys = indexes(space, &run.id, run.created, run.status, parent, &run.tags);
                let whole = region(space, &run.id, Path::root());
                self.change_run(space, &run.id, RunChange::Delete, [whole], keys)?;
                removed = removed.saturating_add(1);
            }
            Ok(removed)
        })
    }

    fn run(&self, space: &Space, id: &str) -> Result<Run> {
        self.run_get(space, id)?.ok_or_else(|| missing(space, id))
    }

    /// A run, of which only this part is noted as read, so that changes to the others do not conflict.
    fn run_at(&self, space: &Space, id: &str, part: &str) -> Result<Run> {
        let key = record_key(space, id);
        let Some(entry) = self.lookup(&key)? else {
            self.saw(&key, &Path::root())?;
            return Err(missing(space, id));
        };
        self.saw(&key, &Path::root().key(part))?;
        read_run(&key, space, id, &entry)
    }

    /// As [`run_at`](Txn::run_at), where nothing is read of it.
    fn run_is_there(&self, space: &Space, id: &str) -> Result<()> {
        let key = record_key(space, id);
        if self.lookup(&key)?.is_none() {
            self.saw(&key, &Path::root())?;
            return Err(missing(space, id));
        }
        Ok(())
    }

    fn change_run(
        &self,
        space: &Space,
        id: &str,
        change: RunChange,
        places: [Region; 1],
        indexes: Vec<Vec<u8>>,
    ) -> Result<()> {
        self.change_run_at(self.time(), space, id, change, places, indexes)
    }

    fn change_run_at(
        &self,
        time: Timestamp,
        space: &Space,
        id: &str,
        change: RunChange,
        places: [Region; 1],
        indexes: Vec<Vec<u8>>,
    ) -> Result<()> {
        let op = RunOp {
            space: space.clone(),
            id: id.to_owned(),
            time,
            change,
        };
        let indexes = indexes
            .into_iter()
            .map(|key| Region::exact(key.into(), Path::root()));
        self.write_all(places.into_iter().chain(indexes), Op::Run(Box::new(op)))
    }
}

/// Runs, one commit each.
impl Store {
    /// [`Txn::run_create`] in a commit of its own.
    pub fn run_create(&self, space: &Space, run: NewRun) -> Result<String> {
        self.transact(|txn| txn.run_create(space, run.clone()))
    }

    /// [`Txn::run_set_status`] in a commit of its own; gives the version.
    pub fn run_set_status(&self, space: &Space, id: &str, status: RunStatus) -> Result<u64> {
        self.alone(|txn| txn.run_set_status(space, id, status))
    }

    /// [`Txn::run_set_metadata`] in a commit of its own; gives the version.
    pub fn run_set_metadata(
        &self,
        space: &Space,
        id: &str,
        path: &Path,
        value: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.run_set_metadata(space, id, path, value.clone()))
    }

    /// [`Txn::run_remove_metadata`] in a commit of its own; gives the version.
    pub fn run_remove_metadata(&self, space: &Space, id: &str, path: &Path) -> Result<u64> {
        self.alone(|txn| txn.run_remove_metadata(space, id, path))
    }

    /// [`Txn::run_add_tag`] in a commit of its own.
    pub fn run_add_tag(&self, space: &Space, id: &str, tag: &str) -> Result<bool> {
        self.transact(|txn| txn.run_add_tag(space, id, tag))
    }

    /// [`Txn::run_remove_tag`] in a commit of its own.
    pub fn run_remove_tag(&self, space: &Space, id: &str, tag: &str) -> Result<bool> {
        self.transact(|txn| txn.run_remove_tag(space, id, tag))
    }

    /// [`Txn::run_fork`] in a commit of its own.
    pub fn run_fork(&self, space: &Space, from: &str, new: NewRun) -> Result<String> {
        self.transact(|txn| txn.run_fork(space, from, new.clone()))
    }

    /// [`Txn::run_delete`] in a commit of its own.
    pub fn run_delete(&self, space: &Space, id: &str, cascade: bool) -> Result<u64> {
        self.transact(|txn| txn.run_delete(space, id, cascade))
    }

    /// Tells `f` the commits that touched a run or its state, oldest first, each with those ops alone, until `f` says
    /// false; removing its whole space, or copying to that, is among them. Also of a run that was removed. Fails with
    /// [`Error::NoHistory`] in memory. O(log).
    pub fn run_replay(
        &self,
        space: &Space,
        id: &str,
        f: &mut dyn FnMut(LoggedCommit) -> bool,
    ) -> Result<()> {
        let key = record_key(space, id);
        self.must_have_log(&space::display(&key))?;
        let state = state_of(space, id)?;
        self.log(1, &mut |mut commit| {
            let own = |op: &Op| match op {
                Op::Run(run) => run.space == *space && run.id == id,
                Op::Space(_) => op.is_in(space),
                _ => false,
            };
            commit.ops.retain(|op| own(op) || op.is_in(&state));
            commit.ops.is_empty() || f(commit)
        })
    }
}

fn region(space: &Space, id: &str, path: Path) -> Region {
    Region::exact(record_key(space, id).into(), path)
}

/// An id must make one more part of the space's name.
fn check_id(space: &Space, id: &str) -> Result<()> {
    if id.contains('/') {
        return Err(Error::InvalidName {
            what: "run",
            name: id.chars().take(64).collect(),
            form: "1 or more of A-Z a-z 0-9 . _ -",
        });
    }
    state_of(space, id).map(drop)
}
