//! From the tokens of a pointer to a place in a document.

use std::borrow::Cow;

use super::Pointer;
use crate::{Key, Kind, Path, Segment, ValueRef};

pub(super) type Reason = Cow<'static, str>;

/// Where an operation acts: in a container that exists, or at the root.
pub(super) struct Place<'a> {
    /// With the index that `-` stands for.
    pub path: Path,
    /// The kind of the container; none at the root.
    pub container: Option<Kind>,
    /// What is there now.
    pub found: Option<ValueRef<'a>>,
}

/// Finds where `pointer` leads. Only the last token may lead to nothing: a key to be added, or the end of an
/// array (RFC 6902 §4.1).
pub(super) fn place<'a>(doc: ValueRef<'a>, pointer: &Pointer) -> Result<Place<'a>, Reason> {
    let tokens = pointer.tokens();
    let mut segments = Vec::with_capacity(tokens.len());
    let mut found = Some(doc);
    let mut container = None;
    for (at, token) in tokens.iter().enumerate() {
        let Some(here) = found else {
            return Err(format!("there is nothing at `{}`", start(pointer, at)).into());
        };
        container = Some(here.kind());
        let segment = match here.kind() {
            Kind::Object => Segment::Key(token.clone()),
            Kind::Array => Segment::Index(index(here, token).map_err(|why| {
                Reason::from(format!("{why} of the array at `{}`", start(pointer, at)))
            })?),
            other => {
                return Err(format!(
                    "`{}` is a value of kind {other}, which has nothing inside",
                    start(pointer, at)
                )
                .into());
            }
        };
        found = here.step(&segment);
        segments.push(segment);
    }
    Ok(Place {
        path: segments.into_iter().collect(),
        container,
        found,
    })
}

/// As [`place`], but something must be there.
pub(super) fn existing<'a>(
    doc: ValueRef<'a>,
    pointer: &Pointer,
) -> Result<(Place<'a>, ValueRef<'a>), Reason> {
    let place = place(doc, pointer)?;
    match place.found {
        Some(found) => Ok((place, found)),
        None => Err(format!("there is nothing at `{pointer}`").into()),
    }
}

/// The index a token stands for (RFC 6901 §4): digits without a leading zero, or `-` for the one after
/// the last item.
fn index(array: ValueRef<'_>, token: &Key) -> Result<usize, String> {
    let text = token.as_str();
    let len = array.len();
    if text == "-" {
        return Ok(len);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        let short: String = text.chars().take(40).collect();
        return Err(format!("{short:?} is not an index"));
    }
    match text.parse() {
        Ok(index) if index <= len => Ok(index),
        _ => Err(format!("index {text} is past the end, {len},")),
    }
}

fn start(pointer: &Pointer, tokens: usize) -> Pointer {
    pointer.tokens().iter().take(tokens).cloned().collect()
}
