//! Whole spaces: removing and copying them. A space is made by the first write to it.

use statewright_value::Path;

use crate::error::{Error, Result};
use crate::op::Op;
use crate::reader::{self, sealed::View};
use crate::recent::Region;
use crate::space::{self, Space, SpaceOp};
use crate::store::Store;
use crate::tree::Key;
use crate::txn::Txn;

/// How many entries are read at once.
const PAGE: usize = 1024;

/// Whole spaces. The workflow engine's documents are no part of this.
impl Txn {
    /// Removes everything that a space holds, of all primitives; tells whether there was anything. Spaces whose names
    /// begin with this one's and a `/` are spaces of their own. The log holds one small op.
    ///
    /// Fails with [`Error::TxnLimit`] if the space has more entries than a transaction may have ops; then nothing is
    /// changed. O(entries × log n).
    pub fn space_delete(&self, space: &Space) -> Result<bool> {
        let keys = self.keys_of(space)?;
        if !holds_any(space, &keys) {
            return Ok(false);
        }
        let regions = keys.into_iter().map(whole);
        let space = space.clone();
        self.write_all(regions, Op::Space(SpaceOp::Delete { space }))?;
        Ok(true)
    }

    /// Copies everything that a space holds to a space that holds nothing. The log holds one small op.
    ///
    /// Fails with [`Error::AlreadyExists`] if there is something in the other space, and with [`Error::TxnLimit`]
    /// if the space has more entries than a transaction may have ops; then nothing is changed. O(entries × log n);
    /// values are shared.
    pub fn space_copy(&self, from: &Space, to: &Space) -> Result<()> {
        if holds_any(to, &self.keys_of(to)?) {
            return Err(Error::AlreadyExists {
                what: format!("something in {to}"),
            });
        }
        let cut = from.as_str().len();
        let regions = self.keys_of(from)?.into_iter().map(|key| {
            let rest = key.get(cut..).unwrap_or_default();
            whole([to.as_str().as_bytes(), rest].concat().into())
        });
        let (from, to) = (from.clone(), to.clone());
        self.write_all(regions, Op::Space(SpaceOp::Copy { from, to }))
    }

    /// The keys of a space's entries. The whole range is noted, whatever the isolation: the op is on all that is in it
    /// when it is committed, so a key that came meanwhile would be written to without having been looked at.
    fn keys_of(&self, space: &Space) -> Result<Vec<Key>> {
        let max = self.max_ops();
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
                if keys.len() > max {
                    let what = "entries in a space that is removed or copied";
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
