//! From a pointer to a place in a document.

use super::Pointer;
use crate::{Key, Kind, Path, Result, Segment, ValueRef};

/// Where an operation acts: in a container that exists, or at the root.
pub(super) struct Place<'a> {
    /// With the index that `-` stands for.
    pub path: Path,
    /// What is there now.
    pub found: Option<ValueRef<'a>>,
}

impl Place<'_> {
    /// Whether the place is in an array, where adding moves what is there.
    pub fn is_item(&self) -> bool {
        matches!(self.path.last(), Some(Segment::Index(_)))
    }
}

/// Finds where `pointer` leads. Only the last token may lead to nothing: a key to be added, or the end of an
/// array (RFC 6902 §4.1).
pub(super) fn place<'a>(doc: ValueRef<'a>, pointer: &Pointer) -> Result<Place<'a>> {
    let path = pointer.resolve_to_put(doc)?;
    let found = doc.at(&path);
    Ok(Place { path, found })
}

/// Where `pointer` leads, or would lead: where nothing is, each token is taken for a key.
pub(super) fn asked_for(doc: ValueRef<'_>, pointer: &Pointer) -> Path {
    let mut at = Some(doc);
    let segment = |token: &str| {
        let segment = match (at.map(ValueRef::kind), token.parse()) {
            (Some(Kind::Array), Ok(index)) => Segment::Index(index),
            _ => Segment::Key(Key::new(token)),
        };
        at = at.and_then(|value| value.step(&segment));
        segment
    };
    pointer.tokens().map(segment).collect()
}

/// As [`place`], but something must be there.
pub(super) fn existing<'a>(doc: ValueRef<'a>, pointer: &Pointer) -> Result<(Path, ValueRef<'a>)> {
    let path = pointer.resolve(doc)?;
    match doc.at(&path) {
        Some(found) => Ok((path, found)),
        None => Err(path.error("nothing is there")), // resolve has ruled this out
    }
}
