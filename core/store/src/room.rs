//! Room in memory for a commit, made sure of before anything is changed.
//!
//! Once the log has a commit, the tree must get it too, and what std's collections do when an allocation fails is to
//! end the process. So a commit first asks for as much memory as it can need in the worst of usual cases, and gives it
//! back at once: if there is less, it fails with a typed error and nothing has happened. What the answer says holds as
//! long as nobody else takes the memory meanwhile, which no library can rule out: see `docs/FAULTS.md`.
//!
//! Asking costs 45 ns, so more is asked for than a small commit needs, and the next three of the thread do not ask.

use std::cell::Cell;
use std::collections::TryReserveError;

use statewright_log::Error as LogError;
use statewright_value::{Kind, Path, Segment, Value};

use crate::error::{Error, Result};
use crate::op::Op;

/// A leaf copied and split, the branches above it, and the small things beside them.
const COMMIT: usize = 64 << 10;
/// What one op takes beside its key and its value: an entry, its place in the log and in the window of conflicts.
const OP: usize = 4 << 10;
/// What a transaction notes of a read.
const READ: usize = 1 << 10;
/// Copies of a key that a commit can make: separators of three branches, of which each is copied and rebuilt.
const KEYS: usize = 3 * 3 * 33;
/// Copies of a value: encoded, framed, and both buffers grown by half.
const VALUES: usize = 4;
/// So much more is asked for than is needed.
const AHEAD: usize = 256 << 10;
/// Whoever needs more than this asks each time.
const SMALL: usize = COMMIT + (16 << 10);
/// Of a container with more members than this, the size is not counted but assumed.
const COUNTED: usize = 64;
/// Of a packed document up to this length, a value's members are not counted.
const FLAT: usize = 4 << 10;
/// What is assumed of it.
const LARGE: usize = 64 << 20;
/// What a member of a container takes as a node, and once more while it is copied.
const MEMBER: usize = 96;

thread_local! {
    /// Bytes that were there when this thread last asked, and that it has not used since.
    static SEEN: Cell<usize> = const { Cell::new(0) };
}

/// Makes sure that there is memory for writing one op into a transaction. Gives how much its commit will need for it.
pub(crate) fn for_op(op: &Op) -> Result<usize> {
    let wanted = of_op(op, 1, false);
    ask_for(wanted, || of_op(op, 1, true))?;
    Ok(wanted)
}

/// Makes sure that there is memory for committing one op.
pub(crate) fn for_one(op: &Op) -> Result<()> {
    for_one_of(key_len(op), op.value())
}

/// [`for_one`] of an op with a key of this length and with this value.
#[inline]
pub(crate) fn for_one_of(key: usize, value: Option<&Value>) -> Result<()> {
    let of = |exact| COMMIT.saturating_add(of_parts(key, value, KEYS, exact));
    ask_for(of(false), || of(true))
}

/// Makes sure that there is memory for committing these ops, which [need](for_op) this much.
pub(crate) fn for_commit(ops: &[Op], wanted: usize) -> Result<()> {
    let longest = ops.iter().map(key_len).max().unwrap_or(0);
    let more = COMMIT.saturating_add(KEYS.saturating_mul(longest));
    let exact = || {
        let each = ops.iter().map(|op| of_op(op, 1, true));
        each.fold(more, usize::saturating_add)
    };
    ask_for(more.saturating_add(wanted), exact)
}

/// Makes sure that there is memory for what a transaction notes of a read.
pub(crate) fn for_read() -> Result<()> {
    ask_for(READ, || READ)
}

/// `wanted` is about what is needed, and not less; `exact` counts it.
fn ask_for(wanted: usize, exact: impl FnOnce() -> usize) -> Result<()> {
    if wanted <= SMALL
        && let Some(left) = SEEN.get().checked_sub(wanted)
    {
        SEEN.set(left);
        return Ok(());
    }
    ask(wanted, exact)
}

#[cold]
fn ask(wanted: usize, exact: impl FnOnce() -> usize) -> Result<()> {
    SEEN.set(0);
    if is_there(wanted.saturating_add(AHEAD)) {
        SEEN.set(AHEAD);
        return Ok(());
    }
    let bytes = exact();
    if is_there(bytes) {
        return Ok(());
    }
    let bytes = bytes as u64;
    Err(Error::Log(LogError::OutOfMemory { bytes }))
}

/// Makes sure that there is memory for editing a document at a path: containers on the way that were packed become
/// nodes. Gives how much that is, if it is much.
pub(crate) fn for_edit(doc: &Value, path: &Path) -> Result<usize> {
    let mut members = 0_usize;
    let mut here = Some(doc.by_ref());
    for segment in path.segments() {
        let Some(container) = here else { break };
        if container.is_packed() {
            members = members.saturating_add(container.len());
        }
        here = match segment {
            Segment::Key(key) => container.get(key.as_ref()),
            Segment::Index(i) => container.index(*i),
        };
    }
    // What is there may be edited, too; of an array that has nodes already, all of them.
    members = members.saturating_add(here.map_or(0, |value| value.len()));
    if members <= COUNTED {
        return Ok(0);
    }
    let bytes = members.saturating_mul(MEMBER);
    ask_for(bytes, || bytes)?;
    Ok(bytes)
}

/// The error of a buffer that could not grow.
pub(crate) fn refused(_: TryReserveError) -> Error {
    // How much it was the standard library does not tell.
    Error::Log(LogError::OutOfMemory { bytes: 0 })
}

fn is_there(bytes: usize) -> bool {
    let mut probe: Vec<u8> = Vec::new();
    let there = probe.try_reserve_exact(bytes).is_ok();
    // Otherwise a compiler may see that nobody uses it, and not ask.
    std::hint::black_box(&probe);
    there
}

fn of_op(op: &Op, keys: usize, exact: bool) -> usize {
    of_parts(key_len(op), op.value(), keys, exact)
}

fn of_parts(key: usize, value: Option<&Value>, keys: usize, exact: bool) -> usize {
    let value = value.map_or(0, |value| size(value, exact));
    let key = keys.saturating_mul(key);
    OP.saturating_add(key)
        .saturating_add(VALUES.saturating_mul(value))
}

fn key_len(op: &Op) -> usize {
    match op {
        Op::KvPut { key, .. }
        | Op::KvDelete { key, .. }
        | Op::KvPutUntil { key, .. }
        | Op::KvEdit { key, .. } => key.len(),
        Op::DocCreate { doc, .. }
        | Op::DocSet { doc, .. }
        | Op::DocRemove { doc, .. }
        | Op::DocDrop { doc }
        | Op::DocEdit { doc, .. } => doc.key.len(),
        _ => 64,
    }
}

/// Bytes of a value when it is encoded, about.
fn size(value: &Value, exact: bool) -> usize {
    match value.kind() {
        Kind::Array | Kind::Object => {}
        Kind::Text | Kind::Bytes => return value.len(),
        _ => return 16,
    }
    // Of a small part of a large document, that says nothing.
    if let Some(bytes) = value.flat_size().filter(|bytes| *bytes <= FLAT) {
        return bytes;
    }
    let mut bytes = 0_usize;
    for (nth, visited) in value.by_ref().walk().enumerate() {
        if nth > COUNTED && !exact {
            return LARGE;
        }
        let text = match visited.value.kind() {
            Kind::Array | Kind::Object => 0,
            _ => visited.value.len(),
        };
        let key = visited.key.map_or(0, str::len);
        bytes = bytes
            .saturating_add(text)
            .saturating_add(key)
            .saturating_add(16);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_of_a_large_document_needs_little() {
        let large: Value = (0..100_000_u64)
            .map(|n| Value::from(vec![Value::from(n)]))
            .collect();
        let large = large.pack().unwrap();
        let part = large.index(7).unwrap();
        assert!(part.flat_size().is_some_and(|bytes| bytes > 100_000));
        assert!(size(&part, true) < 100, "{}", size(&part, true));
        assert!(size(&part, false) < 100, "{}", size(&part, false));
    }
}
