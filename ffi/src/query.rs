//! Queries: JSONPath (RFC 9535) on values.

use std::ffi::c_char;

use statewright_value::{Path, Query, QueryCache, Value, ValueRef};

use crate::call::{Call, Plain};
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::status::*;
use crate::value::sw_value;

/// A compiled JSONPath query. Made by `sw_query_parse`, ended by `sw_query_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_query {
    /// Opaque; zero is no query.
    pub id: u64,
}

/// For `sw_query_locate`: places as this library writes them, such as `.lines[0]."odd key"`.
pub const SW_PATHS_OWN: u32 = 0;
/// For `sw_query_locate`: normalized paths (RFC 9535), such as `$['lines'][0]['odd key']`.
pub const SW_PATHS_NORMALIZED: u32 = 1;
/// For `sw_query_locate`: JSON Pointers (RFC 6901), such as `/lines/0/odd key`.
pub const SW_PATHS_POINTER: u32 = 2;

// SAFETY: integers.
unsafe impl Plain for sw_query {}

static QUERIES: Table<Query> = Table::new(Tag::Query);

impl Call {
    fn query(&self, query: sw_query) -> Result<Query> {
        QUERIES
            .get(query.id)
            .ok_or_else(|| Failure::misuse("query"))
    }
}

fn all(found: Vec<ValueRef<'_>>) -> Value {
    found.into_iter().map(ValueRef::to_value).collect()
}

/// Reads and compiles a query.
///
/// @role constructor
/// @on query
/// @thread safe
/// @param text in text max=SW_MAX_NAME_BYTES: The query, such as `$.lines[?@.price > 10].sku`.
/// @param max_steps in number: How many steps it may take on one value; 0 is the default, 10 million. A step is one
///   node looked at, or one comparison.
/// @param query out handle owned: Receives the query.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_parse(
    text: *const c_char,
    text_len: usize,
    max_steps: u64,
    query: *mut sw_query,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_parse, err, |call| {
        let out = call.out("query", query)?;
        let mut query = Query::parse(call.text("text", text, text_len)?)?;
        if max_steps != 0 {
            query = query.with_max_steps(max_steps);
        }
        let full = |_| Failure::new(SW_TOO_LARGE, "too many queries are held");
        out.set(sw_query {
            id: QUERIES.insert(query).map_err(full)?,
        });
        Ok(())
    })
}

/// Ends a query: its handle is stale from now on.
///
/// @role destructor
/// @on query
/// @thread safe
/// @param query in handle consumed: The query.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_free(query: sw_query, err: *mut sw_error) -> sw_status {
    guard!(sw_query_free, err, |_call| {
        QUERIES
            .remove(query.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("query"))
    })
}

/// Everything that a query finds in a value.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value.
/// @param found out handle owned: Receives an array of what it finds, in order; empty if that is nothing.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_select(
    query: sw_query,
    value: sw_value,
    found: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_select, err, |call| {
        let found = call.out("found", found)?;
        let (query, value) = (call.query(query)?, call.snapshot(value)?);
        found.hold(all(query.select(value.by_ref())?))
    })
}

/// The first that a query finds in a value; it looks no further.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value.
/// @param first out handle owned present=found: Receives what it finds first.
/// @param found out flag: Receives 1 if it finds something, and 0 if not, which is no error.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_first(
    query: sw_query,
    value: sw_value,
    first: *mut sw_value,
    found: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_first, err, |call| {
        let (out, found) = (call.out("first", first)?, call.out("found", found)?);
        let (query, value) = (call.query(query)?, call.snapshot(value)?);
        if let Some(first) = query.first(value.by_ref())? {
            out.hold(first.to_value())?;
            found.flag(true);
        }
        Ok(())
    })
}

/// How much a query finds in a value.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value.
/// @param count out number: Receives the number.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_count(
    query: sw_query,
    value: sw_value,
    count: *mut usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_count, err, |call| {
        let count = call.out("count", count)?;
        let (query, value) = (call.query(query)?, call.snapshot(value)?);
        count.set(query.count(value.by_ref())?);
        Ok(())
    })
}

/// Everything that a query finds in a value, and where.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value.
/// @param paths in number: How places are written: one of `SW_PATHS_…`. Every function that takes a path takes
///   each of them.
/// @param found out handle owned: Receives an array of [path, value], in order; empty if it finds nothing.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_locate(
    query: sw_query,
    value: sw_value,
    paths: u32,
    found: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_locate, err, |call| {
        let found = call.out("found", found)?;
        let (query, value) = (call.query(query)?, call.snapshot(value)?);
        let write: fn(&Path) -> String = match paths {
            SW_PATHS_OWN => Path::to_string,
            SW_PATHS_NORMALIZED => Path::to_normalized,
            SW_PATHS_POINTER => Path::to_pointer,
            _ => {
                let why = format_args!("{paths} is not known");
                return Err(checks::invalid("paths", why).help("pass one of SW_PATHS_…"));
            }
        };
        let row = |(path, at): (Path, ValueRef<'_>)| {
            Value::from(vec![Value::from(write(&path)), at.to_value()])
        };
        let located = query.locate(value.by_ref())?;
        found.hold(located.into_iter().map(row).collect())
    })
}

/// Everything that a query, given as text, finds in a value. Texts that were used lately are not compiled again.
///
/// @role method
/// @on value
/// @thread safe
/// @param value in handle: The value.
/// @param query in text max=SW_MAX_NAME_BYTES: The query, such as `$.lines[?@.price > 10].sku`.
/// @param found out handle owned: Receives an array of what it finds, in order; empty if that is nothing.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_value_query(
    value: sw_value,
    query: *const c_char,
    query_len: usize,
    found: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_value_query, err, |call| {
        let found = call.out("found", found)?;
        let value = call.snapshot(value)?;
        let query = QueryCache::shared().get(call.text("query", query, query_len)?)?;
        found.hold(all(query.select(value.by_ref())?))
    })
}

/// Puts a value at every place that a query finds.
///
/// Where one place is inside another, the outer one is replaced.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value to change.
/// @param to in handle: The value to put there.
/// @param count out number: Receives how many places were set.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_set(
    query: sw_query,
    value: sw_value,
    to: sw_value,
    count: *mut usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_set, err, |call| {
        let count = call.out("count", count)?;
        let (query, held) = (call.query(query)?, call.held(value)?);
        let to = call.snapshot(to)?;
        count.set(held.edit(|value| Ok(value.set_all(&query, &to)?))?);
        Ok(())
    })
}

/// Removes everything that a query finds. Fails with `SW_INVALID_PATH` if it finds the whole value.
///
/// @role method
/// @on query
/// @thread safe
/// @param query in handle: The query.
/// @param value in handle: The value to change.
/// @param count out number: Receives how many places were removed.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query_remove(
    query: sw_query,
    value: sw_value,
    count: *mut usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_query_remove, err, |call| {
        let count = call.out("count", count)?;
        let (query, held) = (call.query(query)?, call.held(value)?);
        count.set(held.edit(|value| Ok(value.remove_all(&query)?))?);
        Ok(())
    })
}
