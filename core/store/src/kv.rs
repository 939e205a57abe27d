//! Key-value: byte keys to values.

use std::time::Duration;

use statewright_log::Timestamp;
use statewright_value::{Error as ValueError, Kind, Path, Value};

use crate::error::{Error, Result};
use crate::history::Past;
use crate::op::{Edit, Op};
use crate::reader::{Reader, Stored};
use crate::recent::{Mode, Region};
use crate::space::{self, Primitive, Space};
use crate::store::Store;
use crate::target::{Entry, Stamp, Target};
use crate::txn::Txn;

/// Key-value writes. A key has 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes; else [`Error::InvalidKey`]. Each is
/// O(log n) unless it says otherwise. A key that has expired counts as absent.
impl Txn {
    /// Sets a key, to stay.
    pub fn kv_put(&self, space: &Space, key: &[u8], value: Value) -> Result<()> {
        let (region, space, key) = place(space, key, Mode::Exact)?;
        self.write(region, Op::KvPut { space, key, value })
    }

    /// Sets a key until a time; from then on readers do not see it. [`kv_purge`](Txn::kv_purge) gives its memory back.
    ///
    /// That time has come when the clock says so or a commit was made then: if the clock is put back, the store's time
    /// stands still until the clock is there again, and keys live as much longer.
    pub fn kv_put_until(
        &self,
        space: &Space,
        key: &[u8],
        value: Value,
        expires: Timestamp,
    ) -> Result<()> {
        let (region, space, key) = place(space, key, Mode::Exact)?;
        let op = Op::KvPutUntil {
            space,
            key,
            value,
            expires,
        };
        self.write(region, op)
    }

    /// Sets a key for a time from now on; see [`kv_put_until`](Txn::kv_put_until).
    pub fn kv_put_for(&self, space: &Space, key: &[u8], value: Value, ttl: Duration) -> Result<()> {
        self.kv_put_until(space, key, value, self.time().saturating_add(ttl))
    }

    /// Removes a key; tells whether it was there.
    pub fn kv_delete(&self, space: &Space, key: &[u8]) -> Result<bool> {
        let there = self.kv_get(space, key)?.is_some();
        if there {
            let (region, space, key) = place(space, key, Mode::Exact)?;
            self.write(region, Op::KvDelete { space, key })?;
        }
        Ok(there)
    }

    /// Sets a key if it is not there; tells whether it was set.
    pub fn kv_put_if_absent(&self, space: &Space, key: &[u8], value: Value) -> Result<bool> {
        let absent = self.kv_get(space, key)?.is_none();
        if absent {
            self.kv_put(space, key, value)?;
        }
        Ok(absent)
    }

    /// Sets a key if it is still at this version (none: if it is not there). Fails with [`Error::VersionMismatch`].
    pub fn kv_put_if_version(
        &self,
        space: &Space,
        key: &[u8],
        expected: Option<u64>,
        value: Value,
    ) -> Result<()> {
        self.kv_must_be_at(space, key, expected)?;
        self.kv_put(space, key, value)
    }

    /// Fails with [`Error::VersionMismatch`] if a key is not at this version (none: if it is there).
    pub(crate) fn kv_must_be_at(
        &self,
        space: &Space,
        key: &[u8],
        expected: Option<u64>,
    ) -> Result<()> {
        let found = self.kv_entry(space, key)?.map(|there| there.version);
        if found != expected {
            return Err(Error::VersionMismatch {
                what: shown(space, key),
                expected,
                found,
            });
        }
        Ok(())
    }

    /// Sets a key if it still has this value (none: if it is not there). Fails with [`Error::ValueMismatch`].
    /// O(log n + value).
    pub fn kv_cas(
        &self,
        space: &Space,
        key: &[u8],
        expected: Option<&Value>,
        value: Value,
    ) -> Result<()> {
        if self.kv_get(space, key)?.as_ref() != expected {
            return Err(Error::ValueMismatch {
                what: shown(space, key),
            });
        }
        self.kv_put(space, key, value)
    }

    /// Sets a key and gives what was there.
    pub fn kv_swap(&self, space: &Space, key: &[u8], value: Value) -> Result<Option<Value>> {
        let old = self.kv_get(space, key)?;
        self.kv_put(space, key, value)?;
        Ok(old)
    }

    /// Adds a number to a key's; where nothing is, to `initial`. Increments of one key do not conflict with each
    /// other, so the sum is not given here: who reads it with `kv_get` conflicts with the others, and
    /// [`Store::kv_increment`] gives it at no such cost. A time of expiry stays.
    ///
    /// Integers are exact from −2⁶³ to 2⁶⁴−1; decimals go with integers and decimals, floats with integers and floats.
    /// Fails with [`Error::At`] if that is not so, or if the sum would overflow, here or, because of what others added
    /// or because the key expired in the meantime, at commit; then nothing is changed.
    ///
    /// ```
    /// use statewright_store::{Env, Place, Reader, Space, Store, StoreOptions};
    /// use statewright_value::value;
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let space = Space::default();
    /// let (one, two) = (store.begin(), store.begin());
    /// one.kv_increment(&space, b"visits", value!(1), value!(0))?;
    /// two.kv_increment(&space, b"visits", value!(2), value!(0))?;
    /// one.commit()?;
    /// two.commit()?;
    /// assert_eq!(store.kv_get(&space, b"visits")?, Some(value!(3)));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    pub fn kv_increment(&self, space: &Space, key: &[u8], by: Value, initial: Value) -> Result<()> {
        self.edit_key(space, key, Mode::Add, Edit::Add { by, initial })
    }

    /// Puts text behind a key's text, or bytes behind its bytes, with `separator` in between unless the key is
    /// absent or empty. Appends to one key do not conflict with each other. Fails with [`Error::At`] if what is
    /// there is neither, or not of the same kind. O(log n + length of the result).
    pub fn kv_append(
        &self,
        space: &Space,
        key: &[u8],
        tail: Value,
        separator: Option<Value>,
    ) -> Result<()> {
        self.edit_key(space, key, Mode::Append, Edit::Append { tail, separator })
    }

    /// Puts items at the end of a key's array, or makes one of them. Appends to one key do not conflict with each
    /// other. Fails with [`Error::At`] if what is there is no array. O(log n + items).
    pub fn kv_extend(&self, space: &Space, key: &[u8], items: Vec<Value>) -> Result<()> {
        let items = Value::from(items);
        self.edit_key(space, key, Mode::Append, Edit::Extend { items })
    }

    pub(crate) fn edit_key(&self, space: &Space, key: &[u8], mode: Mode, edit: Edit) -> Result<()> {
        let (region, space, key) = place(space, key, mode)?;
        self.write(region, Op::KvEdit { space, key, edit })
    }

    /// Sets keys: all of them, or none if one of them fails. O(keys × log n).
    pub fn kv_put_many(
        &self,
        space: &Space,
        entries: impl IntoIterator<Item = (Vec<u8>, Value)>,
    ) -> Result<()> {
        self.all_or_nothing(|| {
            entries
                .into_iter()
                .try_for_each(|(key, value)| self.kv_put(space, &key, value))
        })
    }

    /// Removes keys, all of them or none if one of them fails; gives how many were there. O(keys × log n).
    pub fn kv_delete_many(&self, space: &Space, keys: &[impl AsRef<[u8]>]) -> Result<u64> {
        self.all_or_nothing(|| {
            let mut deleted = 0_u64;
            for key in keys {
                deleted = deleted.saturating_add(u64::from(self.kv_delete(space, key.as_ref())?));
            }
            Ok(deleted)
        })
    }

    /// Removes keys that have expired, at most `max`. Nobody can see that, so it conflicts with nothing.
    /// O(expired × log n), whatever else there is.
    pub fn kv_purge(&self, space: &Space, max: u64) -> Result<()> {
        let space = space.clone();
        self.write_all([], Op::KvPurge { space, max })
    }
}

/// Key-value, one commit each. A conflict is tried again as [`Store::transact`] does.
impl Store {
    /// [`Txn::kv_put`] in a commit of its own, without reading anything; gives the version.
    pub fn kv_put(&self, space: &Space, key: &[u8], value: Value) -> Result<u64> {
        let (region, space, key) = place(space, key, Mode::Exact)?;
        Ok(self
            .direct(region, Op::KvPut { space, key, value }, |_| ())?
            .0)
    }

    /// [`Txn::kv_put_until`] in a commit of its own; gives the version.
    pub fn kv_put_until(
        &self,
        space: &Space,
        key: &[u8],
        value: Value,
        expires: Timestamp,
    ) -> Result<u64> {
        let (region, space, key) = place(space, key, Mode::Exact)?;
        let op = Op::KvPutUntil {
            space,
            key,
            value,
            expires,
        };
        Ok(self.direct(region, op, |_| ())?.0)
    }

    /// [`Txn::kv_put_for`] in a commit of its own; gives the version.
    pub fn kv_put_for(
        &self,
        space: &Space,
        key: &[u8],
        value: Value,
        ttl: Duration,
    ) -> Result<u64> {
        let expires = self.shared.now().saturating_add(ttl);
        self.kv_put_until(space, key, value, expires)
    }

    /// [`Txn::kv_delete`] in a commit of its own.
    pub fn kv_delete(&self, space: &Space, key: &[u8]) -> Result<bool> {
        self.transact(|txn| txn.kv_delete(space, key))
    }

    /// [`Txn::kv_put_if_absent`] in a commit of its own.
    pub fn kv_put_if_absent(&self, space: &Space, key: &[u8], value: Value) -> Result<bool> {
        self.transact(|txn| txn.kv_put_if_absent(space, key, value.clone()))
    }

    /// [`Txn::kv_put_if_version`] in a commit of its own; gives the version.
    pub fn kv_put_if_version(
        &self,
        space: &Space,
        key: &[u8],
        expected: Option<u64>,
        value: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.kv_put_if_version(space, key, expected, value.clone()))
    }

    /// [`Txn::kv_cas`] in a commit of its own; gives the version.
    pub fn kv_cas(
        &self,
        space: &Space,
        key: &[u8],
        expected: Option<&Value>,
        value: Value,
    ) -> Result<u64> {
        self.alone(|txn| txn.kv_cas(space, key, expected, value.clone()))
    }

    /// [`Txn::kv_swap`] in a commit of its own.
    pub fn kv_swap(&self, space: &Space, key: &[u8], value: Value) -> Result<Option<Value>> {
        self.transact(|txn| txn.kv_swap(space, key, value.clone()))
    }

    /// [`Txn::kv_increment`] in a commit of its own; gives the sum, which no other increment gave or will give of
    /// its own if all add more than zero. Never conflicts.
    pub fn kv_increment(
        &self,
        space: &Space,
        key: &[u8],
        by: Value,
        initial: Value,
    ) -> Result<Value> {
        Ok(self.add_alone(space, key, by, initial)?.1)
    }

    /// [`Txn::kv_append`] in a commit of its own; gives the result. Never conflicts.
    pub fn kv_append(
        &self,
        space: &Space,
        key: &[u8],
        tail: Value,
        separator: Option<Value>,
    ) -> Result<Value> {
        let edit = Edit::Append { tail, separator };
        Ok(self.edit_alone(space, key, Mode::Append, edit)?.1)
    }

    /// [`Txn::kv_extend`] in a commit of its own; gives the result. Never conflicts.
    pub fn kv_extend(&self, space: &Space, key: &[u8], items: Vec<Value>) -> Result<Value> {
        let items = Value::from(items);
        Ok(self
            .edit_alone(space, key, Mode::Append, Edit::Extend { items })?
            .1)
    }

    /// [`kv_increment`](Store::kv_increment) of a whole number from −2⁶³ to 2⁶³−1, where nothing is of 0. Fails with
    /// [`Error::At`] if something else is there, or if the sum is none; then nothing is changed.
    pub fn kv_increment_i64(&self, space: &Space, key: &[u8], by: i64) -> Result<i64> {
        let (region, space, key) = place(space, key, Mode::Add)?;
        let at = region.key.clone();
        let (by, initial) = (Value::from(by), Value::from(0));
        let edit = Edit::Add { by, initial };
        let fits = |sum: &Value| whole(&at, sum).map(|_| ());
        let (_, sum) = self.shared.edit_key(region, space, key, edit, fits)?;
        whole(&at, &sum)
    }

    /// [`kv_increment`](Store::kv_increment) that also gives the version.
    pub(crate) fn add_alone(
        &self,
        space: &Space,
        key: &[u8],
        by: Value,
        initial: Value,
    ) -> Result<(u64, Value)> {
        self.edit_alone(space, key, Mode::Add, Edit::Add { by, initial })
    }

    fn edit_alone(
        &self,
        space: &Space,
        key: &[u8],
        mode: Mode,
        edit: Edit,
    ) -> Result<(u64, Value)> {
        let (region, space, key) = place(space, key, mode)?;
        self.shared.edit_key(region, space, key, edit, |_| Ok(()))
    }

    /// [`Txn::kv_put_many`] in a commit of its own; gives the version.
    pub fn kv_put_many(
        &self,
        space: &Space,
        entries: impl IntoIterator<Item = (Vec<u8>, Value)>,
    ) -> Result<u64> {
        let entries: Vec<_> = entries.into_iter().collect();
        self.alone(|txn| txn.kv_put_many(space, entries.iter().cloned()))
    }

    /// [`Txn::kv_delete_many`] in a commit of its own.
    pub fn kv_delete_many(&self, space: &Space, keys: &[impl AsRef<[u8]>]) -> Result<u64> {
        self.transact(|txn| txn.kv_delete_many(space, keys))
    }

    /// [`Txn::kv_purge`] in a commit of its own; gives the version.
    pub fn kv_purge(&self, space: &Space, max: u64) -> Result<u64> {
        self.alone(|txn| txn.kv_purge(space, max))
    }

    /// Up to `limit` of the values that a key had, the newest first, with the commits that gave them; a removal has no
    /// value. That a key expired is no commit; when it was to expire is told with its value.
    ///
    /// Fails with [`Error::NoHistory`] in memory. O(log): every commit is read.
    pub fn kv_history(&self, space: &Space, key: &[u8], limit: usize) -> Result<Vec<Past>> {
        self.history(space, Primitive::Kv, key, limit, u64::MAX)
    }

    /// A key as it was when the store had this version; none if it was not there, or had expired by the time of the
    /// last commit up to then (never by now). Fails with [`Error::NoHistory`] in memory. O(log up to there).
    pub fn kv_get_at(&self, space: &Space, key: &[u8], version: u64) -> Result<Option<Stored>> {
        self.entry_at(space, Primitive::Kv, key, version)
    }
}

fn place(space: &Space, key: &[u8], mode: Mode) -> Result<(Region, Space, Vec<u8>)> {
    let region = Region {
        key: space::encode_checked(space, Primitive::Kv, key)?,
        path: Path::root(),
        mode,
    };
    Ok((region, space.clone(), key.to_vec()))
}

/// What adding a whole number to what was there came to, as such a number.
fn whole(key: &[u8], sum: &Value) -> Result<i64> {
    sum.as_i64().ok_or_else(|| {
        let source = match sum.kind() {
            Kind::Integer => ValueError::Arithmetic {
                operation: "add to the key".to_owned(),
                reason: "the sum is no whole number of 64 bits with a sign".into(),
            },
            other => ValueError::WrongType {
                path: Path::root(),
                expected: "a whole number of 64 bits with a sign",
                found: other.name(),
            },
        };
        Error::at(key, source)
    })
}

fn shown(space: &Space, key: &[u8]) -> String {
    space::display(&space::encode(space, Primitive::Kv, key))
}

/// Puts a value that expires, and notes when in the index by time, instead of when it was to expire until now: a key
/// whose time is put off again and again is noted once. What is noted stays when the key is changed in other ways, and
/// is checked when it falls due: no other write has to look for it.
pub(crate) fn put_until(
    target: &mut impl Target,
    key: &[u8],
    value: &Value,
    expires: Timestamp,
    at: Stamp,
) {
    let entry = Entry {
        value: value.clone(),
        version: at.version,
        expires: Some(expires),
    };
    let before = target.expiry(key).filter(|before| *before != expires);
    target.put(key, entry);
    let mut parts = key.splitn(2, |b| *b == 0);
    let (space, rest) = (parts.next(), parts.next());
    let name = rest.and_then(|rest| rest.get(1..)).unwrap_or_default();
    if let Some(space) = space {
        if let Some(before) = before {
            target.remove(&space::encode_expiry(space, before.as_micros(), name));
        }
        let index = space::encode_expiry(space, expires.as_micros(), name);
        target.put(&index, Entry::new(Value::NULL, at.version));
    }
}

/// Removes up to `max` keys that had expired at the commit's time, in the order of time.
pub(crate) fn purge(target: &mut impl Target, space: &Space, max: u64, at: Stamp) -> Result<()> {
    let prefix = space::expiry_prefix(space);
    let mut from = prefix.clone();
    let mut removed = 0_u64;
    while removed < max {
        let Some((index, _)) = target.first_from(&from) else {
            break;
        };
        let Some((time, name)) = index
            .strip_prefix(&*prefix)
            .and_then(|rest| rest.split_first_chunk())
        else {
            break;
        };
        if space::from_ordered(*time) > at.time.as_micros() {
            break;
        }
        let key = space::encode(space, Primitive::Kv, name);
        // It may have been set anew since.
        if target.get(&key).is_some_and(|e| !e.is_live(at.time)) {
            target.remove(&key);
            removed = removed.saturating_add(1);
        }
        target.remove(&index);
        from = index;
    }
    Ok(())
}
