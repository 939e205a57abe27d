//! Whole spaces: removing and copying them. A space is made by the first write to it.

use statewright_value::Path;

use crate::error::{Error, Result};
use crate::op::Op;
use crate::reader::{self, sealed::View};
use crate::recent::Region;
use crate::run;
use crate::space::{self, Space, SpaceOp};
use crate::store::Store;
use crate::tree::Key;
use crate::txn::Txn;

/// How many entries are read at once.
const PAGE: usize = 1024;

/// Whole spaces. The workflow engine's documents are no part of this. What a space holds are its entries of all
/// primitives and, as a run's state goes where the run goes, the states of its runs, at any depth. Other spaces whose
/// names begin with its name and a `/` are spaces of their own.
impl Txn {
    /// Removes everything that a space holds; tells whether there was anything. The log holds a small op for each
    /// space.
    ///
    /// Fails with [`Error::TxnLimit`] if there are more entries than a transaction may have ops; then nothing is
    /// changed. O(entries × log n).
    pub fn space_delete(&self, space: &Space) -> Result<bool> {
        self.all_or_nothing(|| {
            let mut any = false;
            for (space, keys) in self.held_by(space)? {
                if holds_any(&space, &keys) {
                    any = true;
                    let regions = keys.into_iter().map(whole);
                    self.write_all(regions, Op::Space(SpaceOp::Delete { space }))?;
                }
            }
            Ok(any)
        })
    }

    /// Copies everything that a space holds to a space that holds nothing. The log holds a small op for each space
    /// that holds something; if none does, nothing is written.
    ///
    /// Fails with [`Error::AlreadyExists`] if there is something where the copy would be, with [`Error::InvalidName`]
    /// if a run's state would have too long a name there, and with [`Error::TxnLimit`] if there are more entries
    /// than a transaction may have ops; then nothing is changed. O(entries × log n); values are shared.
    pub fn space_copy(&self, from: &Space, to: &Space) -> Result<()> {
        let cut = from.as_str().len();
        self.all_or_nothing(|| {
            for (from, keys) in self.held_by(from)? {
                let behind = from.as_str().get(cut..).unwrap_or_default();
                let to = Space::parse(&format!("{to}{behind}"))?;
                self.copy_one(from, keys, to)?;
            }
            Ok(())
        })
    }

    fn copy_one(&self, from: Space, keys: Vec<Key>, to: Space) -> Result<()> {
        if holds_any(&to, &self.keys_of(&to, self.max_ops())?) {
            return Err(Error::AlreadyExists {
                what: format!("something in {to}"),
            });
        }
        // Most runs of many have no state.
        if !holds_any(&from, &keys) {
            return Ok(());
        }
        let cut = from.as_str().len();
        let regions = keys.into_iter().map(|key| {
            let rest = key.get(cut..).unwrap_or_default();
            whole([to.as_str().as_bytes(), rest].concat().into())
        });
        let op = SpaceOp::Copy {
            from,
            to: to.clone(),
        };
        self.write_all(regions, Op::Space(op))
    }

    /// A space and the states of its runs, their runs' states among them, with the keys of all.
    fn held_by(&self, space: &Space) -> Result<Vec<(Space, Vec<Key>)>> {
        let (mut open, mut held) = (vec![space.clone()], Vec::new());
        let mut left = self.max_ops();
        while let Some(space) = open.pop() {
            let keys = self.keys_of(&space, left)?;
            left = left.saturating_sub(keys.len());
            open.extend(keys.iter().filter_map(|key| run::state_at(&space, key)));
            held.push((space, keys));
        }
        Ok(held)
    }

    /// The keys of a space's own entries, which may be so many. The whole range is noted, whatever the isolation: the
    /// op is on all that is in it when it is committed, so a key that came meanwhile would be written to without
    /// having been looked at.
    fn keys_of(&self, space: &Space, left: usize) -> Result<Vec<Key>> {
        let [(start, end), (flow, behind_flow)] = space::own_range(space);
        let mut keys = Vec::new();
        for (mut from, to) in [(start, flow), (behind_flow, end)] {
            self.writes_range(from.as_slice().into(), Some(to.as_slice().into()))?;
            loop {
                let page = self.range(&from, Some(&to), PAGE, false)?;
                let Some((last, _)) = page.last() else {
                    break;
                };
                from = reader::behind(last).to_vec();
                keys.extend(page.into_iter().map(|(key, _)| Key::from(key)));
                if keys.len() > left {
                    let (what, max) = (
                        "entries in a space that is removed or copied",
                        self.max_ops(),
                    );
                    return Err(Error::TxnLimit { what, max });
                }
            }
        }
        Ok(keys)
    }
}

/// Whole spaces, one commit each.
impl Store {
    /// [`Txn::space_delete`] in a commit of its own.
    pub fn space_delete(&self, space: &Space) -> Result<bool> {
        self.transact(|txn| txn.space_delete(space))
    }

    /// [`Txn::space_copy`] in a commit of its own; gives the version.
    pub fn space_copy(&self, from: &Space, to: &Space) -> Result<u64> {
        self.alone(|txn| txn.space_copy(from, to))
    }
}

/// Whether these keys of a space are more than what notes when some expire, or would have.
fn holds_any(space: &Space, keys: &[Key]) -> bool {
    keys.iter().any(|key| !space::is_expiry(space, key))
}

fn whole(key: Key) -> Region {
    Region::exact((&*key).into(), Path::root())
}
