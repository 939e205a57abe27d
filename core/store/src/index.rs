//! Index entries by name and time, for traces and runs: `space NUL primitive part [name NUL] time id`, with no value.

use statewright_log::Timestamp;

use crate::error::Result;
use crate::reader::{self, sealed::View};
use crate::space::{self, Primitive, Space};

/// A span of time: from a point on, up to another point (not included). The default is all of time.
///
/// ```
/// use statewright_store::{Span, Timestamp};
/// let hour = Span::from(Timestamp::EPOCH).until(Timestamp::from_micros(3_600_000_000));
/// assert_ne!(hour, Span::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl From<Timestamp> for Span {
    /// From a point on.
    fn from(from: Timestamp) -> Span {
        Span {
            from: Some(from),
            to: None,
        }
    }
}

impl Span {
    /// Up to this point, not included.
    #[must_use]
    pub fn until(mut self, to: Timestamp) -> Span {
        self.to = Some(to);
        self
    }
}

/// Behind which record a list goes on.
pub(crate) struct After {
    /// Its time, if that is known: then it need not be there any more.
    pub time: Option<Timestamp>,
    /// Its id.
    pub id: String,
}

impl From<&str> for After {
    fn from(id: &str) -> After {
        let id = id.to_owned();
        After { time: None, id }
    }
}

/// An index entry.
pub(crate) fn key(
    space: &Space,
    primitive: Primitive,
    part: u8,
    name: Option<&str>,
    time: Timestamp,
    id: &str,
) -> Vec<u8> {
    let mut key = prefix(space, primitive, part, name);
    key.extend_from_slice(&space::ordered(time.as_micros()));
    key.extend_from_slice(id.as_bytes());
    key
}

fn prefix(space: &Space, primitive: Primitive, part: u8, name: Option<&str>) -> Vec<u8> {
    match name {
        Some(name) => space::encode_parts(space, primitive, part, &[name.as_bytes(), &[]]),
        None => space::encode(space, primitive, &[part]).into(),
    }
}

/// Up to `limit` ids under a name in a span of time, in the order of time, from the one behind `after` on (its time and
/// its id). O(log n + limit).
pub(crate) fn list<V: View + ?Sized>(
    view: &V,
    space: &Space,
    primitive: Primitive,
    (part, name): (u8, Option<&str>),
    span: Span,
    after: Option<(Timestamp, String)>,
    limit: usize,
) -> Result<Vec<String>> {
    let prefix = prefix(space, primitive, part, name);
    let bound = |at: Timestamp| [&prefix, &space::ordered(at.as_micros())[..]].concat();
    let mut from = span.from.map_or_else(|| prefix.clone(), bound);
    if let Some((time, id)) = after {
        let behind = [&bound(time), id.as_bytes(), &[0]].concat();
        from = from.max(behind);
    }
    let to = match span.to {
        Some(to) => Some(bound(to).into()),
        None => reader::after_prefix(&prefix),
    };
    let found = reader::page_between(view, from.into(), to, limit)?;
    let skip = prefix.len().saturating_add(8);
    let id = |key: &[u8]| String::from_utf8_lossy(key.get(skip..).unwrap_or_default()).into_owned();
    Ok(found.iter().map(|(key, _)| id(key)).collect())
}
