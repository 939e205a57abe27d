//! Walking through the items of arrays and the entries of objects.

use std::collections::VecDeque;
use std::ffi::c_char;
use std::sync::Arc;

use parking_lot::Mutex;
use statewright_value::{Key, Kind, Value, ValueRef};

use crate::bytes::sw_bytes;
use crate::call::{Call, Plain};
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::place::Place;
use crate::status::*;
use crate::value::sw_value;

/// A walk through an array or an object. Begin it with `sw_cursor_open`, end it with `sw_cursor_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_cursor {
    /// Opaque; zero is no cursor.
    pub id: u64,
}

// SAFETY: integers.
unsafe impl Plain for sw_cursor {}

static CURSORS: Table<Arc<Mutex<Cursor>>> = Table::new(Tag::Cursor);

/// The entries fetched at a time for `sw_cursor_next`: more each time.
const FIRST_BATCH: usize = 32;
const MAX_BATCH: usize = 8192;

struct Cursor {
    /// As it was when the walk began; shared with the value, not copied.
    over: Value,
    /// How many entries have left `over`.
    at: usize,
    /// Fetched, and not given yet.
    fetched: VecDeque<(Key, Value)>,
    batch: usize,
}

impl Cursor {
    /// The next entry; it is the next one again, until [`Cursor::go_on`] goes past it.
    fn peek(&mut self) -> Option<(Key, Value)> {
        if self.fetched.is_empty() {
            let (fetched, at, batch) = (&mut self.fetched, self.at, self.batch);
            let none = Key::new("");
            match self.over.kind() {
                Kind::Object => fetched.extend(
                    (self.over.by_ref().entries().skip(at).take(batch))
                        .map(|(key, value)| (Key::new(key), value.to_value())),
                ),
                _ => fetched.extend(
                    (at..self.over.len().min(at + batch))
                        .filter_map(|i| Some((none.clone(), self.over.index(i)?))),
                ),
            }
            self.at += self.fetched.len();
            self.batch = (self.batch * 2).min(MAX_BATCH);
        }
        self.fetched.front().cloned()
    }

    /// The next entries as MessagePack, an array of them, and how many there are. The cursor stays where it is.
    fn page(&self, limit: usize) -> (Vec<u8>, usize) {
        let is_object = self.over.kind() == Kind::Object;
        let mut rows = Rows::new(is_object);
        for (key, value) in self.fetched.iter().take(limit) {
            rows.push(key, value.by_ref());
        }
        let rest = limit - rows.count;
        let over = self.over.by_ref();
        if is_object {
            let entries = over.entries().skip(self.at).take(rest);
            entries.for_each(|(key, value)| rows.push(key, value));
        } else {
            let items = over.items().skip(self.at).take(rest);
            items.for_each(|item| rows.push("", item));
        }
        let count = rows.count;
        (rows.finish(), count)
    }

    /// Goes past so many entries: those that were handed over.
    fn go_on(&mut self, count: usize) {
        let fetched = count.min(self.fetched.len());
        self.fetched.drain(..fetched);
        self.at += count - fetched;
    }
}

/// An array in MessagePack whose length is known last.
pub(crate) struct Rows {
    bytes: Vec<u8>,
    count: usize,
    keyed: bool,
}

impl Rows {
    pub(crate) fn new(keyed: bool) -> Rows {
        Rows {
            bytes: vec![0; 5],
            count: 0,
            keyed,
        }
    }

    fn push(&mut self, key: &str, value: ValueRef<'_>) {
        if self.keyed {
            self.bytes.push(0x92); // an array of two
            Value::text(key).write_msgpack(&mut self.bytes);
        }
        value.to_value().write_msgpack(&mut self.bytes);
        self.count += 1;
    }

    /// Takes an item if there is none yet, or there are no more than so many bytes with it.
    pub(crate) fn fits(&mut self, item: &Value, most: usize) -> bool {
        let before = self.bytes.len();
        item.write_msgpack(&mut self.bytes);
        let fits = self.count == 0 || self.bytes.len() <= most;
        if fits {
            self.count += 1;
        } else {
            self.bytes.truncate(before);
        }
        fits
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let [a, b, c, d] = u32::try_from(self.count).unwrap_or(u32::MAX).to_be_bytes();
        for (to, from) in self.bytes.iter_mut().zip([0xdd, a, b, c, d]) {
            *to = from;
        }
        self.bytes
    }
}

impl Call {
    fn cursor(&self, cursor: sw_cursor) -> Result<Arc<Mutex<Cursor>>> {
        CURSORS
            .get(cursor.id)
            .ok_or_else(|| Failure::misuse("cursor"))
    }
}

/// Begins a walk through what is at a place, as it is now: what is changed or freed later does not matter to it.
///
/// @role constructor
/// @on cursor
/// @thread safe
/// @param value in handle: The value.
/// @param path in text max=SW_MAX_NAME_BYTES: The place; empty is the whole value. There must be an array or an
///   object, or `SW_WRONG_TYPE`.
/// @param cursor out handle owned: Receives the cursor, before the first entry.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cursor_open(
    value: sw_value,
    path: *const c_char,
    path_len: usize,
    cursor: *mut sw_cursor,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cursor_open, err, |call| {
        let out = call.out("cursor", cursor)?;
        let held = call.held(value)?;
        let text = call.text("path", path, path_len)?;
        let place = Place::parse(text)?;
        let over = held.read(|value| Ok(place.find(value).map(ValueRef::to_value)))?;
        let over = match over {
            Some(over) if matches!(over.kind(), Kind::Array | Kind::Object) => over,
            other => {
                let found = other.map_or("nothing", |other| other.kind().name());
                let message = format!("expected an array or an object at `{text}`, found {found}");
                return Err(Failure::new(SW_WRONG_TYPE, message).at(text));
            }
        };
        let cursor = Cursor {
            over,
            at: 0,
            fetched: VecDeque::new(),
            batch: FIRST_BATCH,
        };
        let full = |_| Failure::new(SW_TOO_LARGE, "too many cursors are open");
        out.set(sw_cursor {
            id: CURSORS.insert(Arc::new(Mutex::new(cursor))).map_err(full)?,
        });
        Ok(())
    })
}

/// Ends a walk: the cursor's handle is stale from now on.
///
/// @role destructor
/// @on cursor
/// @thread safe
/// @param cursor in handle consumed: The cursor.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cursor_free(cursor: sw_cursor, err: *mut sw_error) -> sw_status {
    guard!(sw_cursor_free, err, |_call| {
        CURSORS
            .remove(cursor.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("cursor"))
    })
}

/// Gives the next item of an array, or the next entry of an object in the object's order.
///
/// @role method
/// @on cursor
/// @thread safe
/// @param cursor in handle: The cursor.
/// @param key out text owned present=found: Receives the entry's key; empty in an array.
/// @param item out handle owned present=found: Receives the item.
/// @param found out flag: Receives 1 if there was one more, and 0 at the end, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cursor_next(
    cursor: sw_cursor,
    key: *mut sw_bytes,
    item: *mut sw_value,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cursor_next, err, |call| {
        let (key, item) = (call.out("key", key)?, call.out("item", item)?);
        let found = call.out("found", found)?;
        let cursor = call.cursor(cursor)?;
        let mut cursor = cursor.lock();
        if let Some((name, value)) = cursor.peek() {
            item.hold_with(value, &key, name.as_bytes().to_vec())?;
            cursor.go_on(1);
            found.flag(true);
        }
        Ok(())
    })
}

/// Gives the next items or entries at once, as MessagePack: the quickest way through a value.
///
/// @role method
/// @on cursor
/// @thread safe
/// @param cursor in handle: The cursor.
/// @param limit in number: At most so many, and at least 1.
/// @param rows out msgpack owned: Receives an array: of items, or of [key, value] for the entries of an object;
///   empty at the end.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cursor_page(
    cursor: sw_cursor,
    limit: u32,
    rows: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cursor_page, err, |call| {
        let rows = call.out("rows", rows)?;
        let cursor = call.cursor(cursor)?;
        if limit == 0 {
            return Err(checks::invalid("limit", "is 0"));
        }
        let mut cursor = cursor.lock();
        let (page, count) = cursor.page(limit as usize);
        rows.give(page)?;
        cursor.go_on(count);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use statewright_value::value;

    use super::*;
    use crate::bytes::sw_bytes_free;
    use crate::handle::full;
    use crate::merge::{SW_PREFER_NONE, sw_value_merge3};
    use crate::value::{VALUES, sw_value_free};

    /// What a full table of `tag` makes of a call.
    fn refused(tag: Tag, call: impl FnOnce() -> sw_status) {
        assert_eq!(full::with(tag, call), SW_TOO_LARGE);
    }

    fn text(bytes: &mut sw_bytes) -> Vec<u8> {
        let given = match bytes.len {
            0 => Vec::new(),
            // SAFETY: what the library gave and nobody freed.
            len => unsafe { std::slice::from_raw_parts(bytes.data, len).to_vec() },
        };
        // SAFETY: a place of this function's caller.
        assert_eq!(unsafe { sw_bytes_free(bytes) }, SW_OK);
        given
    }

    fn held(value: sw_value) -> Value {
        let held = VALUES.get(value.id).unwrap().snapshot().ok().unwrap();
        // SAFETY: a handle, and no place for an error.
        assert_eq!(unsafe { sw_value_free(value, null_mut()) }, SW_OK);
        held
    }

    fn hold(value: Value) -> sw_value {
        sw_value::lend(value).ok().unwrap()
    }

    #[test]
    fn where_no_handle_is_free_nothing_is_lost() {
        let over = hold(value!({ "a": 1, "b": 2, "c": 3, "d": 4 }));
        let (mut cursor, mut key, mut item) =
            (sw_cursor::default(), sw_bytes::EMPTY, sw_value::default());
        let (mut found, none) = (0, null_mut());
        // SAFETY: the places are variables of this test.
        let opened = unsafe { sw_cursor_open(over, c"".as_ptr(), 0, &mut cursor, none) };
        assert_eq!(opened, SW_OK);
        let mut next =
            // SAFETY: as above.
            |found: &mut u32| unsafe { sw_cursor_next(cursor, &mut key, &mut item, found, none) };
        refused(Tag::Value, || next(&mut found));
        refused(Tag::Bytes, || next(&mut found));
        assert_eq!((next(&mut found), found), (SW_OK, 1));
        assert_eq!((text(&mut key), held(item)), (b"a".to_vec(), value!(1)));
        let mut rows = sw_bytes::EMPTY;
        for expected in [value!([["b", 2], ["c", 3]]), value!([["d", 4]])] {
            // SAFETY: as above.
            let mut page = || unsafe { sw_cursor_page(cursor, 2, &mut rows, none) };
            refused(Tag::Bytes, &mut page);
            assert_eq!(page(), SW_OK);
            assert_eq!(Value::from_msgpack(&text(&mut rows)), Ok(expected));
        }
        // SAFETY: as above.
        assert_eq!(unsafe { sw_cursor_free(cursor, none) }, SW_OK);

        let (ours, theirs) = (hold(value!({ "a": 5 })), hold(value!({ "a": 6 })));
        let slot = |handle: sw_value| handle.id & 0xFF_FFFF;
        let free = hold(Value::NULL);
        held(free);
        let (mut merged, mut conflicts) = (sw_value::default(), sw_bytes::EMPTY);
        // SAFETY: as above.
        let mut merge = || unsafe {
            let (merged, conflicts) = (&mut merged, &mut conflicts);
            sw_value_merge3(over, ours, theirs, SW_PREFER_NONE, merged, conflicts, none)
        };
        refused(Tag::Value, &mut merge);
        refused(Tag::Bytes, &mut merge);
        assert_eq!(merge(), SW_OK);
        assert_eq!(slot(merged), slot(free), "what was made is free again");
        assert!(!text(&mut conflicts).is_empty());
        for value in [merged, ours, theirs, over] {
            held(value);
        }
    }
}
