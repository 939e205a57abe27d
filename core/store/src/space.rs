//! Spaces and primitives: where in the tree a key lives.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A key longer than this many bytes is refused.
pub const MAX_KEY_BYTES: usize = 4096;
const MAX_SPACE_BYTES: usize = 255;
const MAX_SPACE_PARTS: usize = 4;
const DEFAULT: &str = "default";

/// A namespace: one to four parts, `tenant/app/agent/run`; `default` unless told otherwise.
///
/// A part is 1 or more of `A-Z a-z 0-9 . _ -`; the whole is at most 255 bytes.
///
/// ```
/// use statewright_store::Space;
/// let space = Space::parse("acme/billing")?;
/// assert_eq!(space.to_string(), "acme/billing");
/// assert!(Space::parse("acme//billing").is_err());
/// assert_eq!(Space::default().to_string(), "default");
/// # Ok::<(), statewright_store::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(Option<Arc<str>>);

impl Space {
    /// Reads a space's name. Fails with [`Error::InvalidSpace`].
    pub fn parse(name: &str) -> Result<Space> {
        if name == DEFAULT {
            return Ok(Space::default());
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let sound = name.len() <= MAX_SPACE_BYTES
            && name.split('/').count() <= MAX_SPACE_PARTS
            && name
                .split('/')
                .all(|part| !part.is_empty() && part.bytes().all(allowed));
        if sound {
            Ok(Space(Some(name.into())))
        } else {
            Err(Error::InvalidSpace { space: clip(name) })
        }
    }

    /// The name, `default` for the default space.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(DEFAULT)
    }

    pub(crate) fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which family of state a key belongs to; the number is its tag in keys and is fixed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Primitive {
    /// Byte keys to values.
    Kv = 1,
    /// JSON documents, changed by path.
    Json = 6,
    /// The workflow engine's documents: nets, cases, work items, timers.
    Flow = 8,
}

impl Primitive {
    /// `kv`, `json` or `flow`.
    pub fn name(self) -> &'static str {
        match self {
            Primitive::Kv => "kv",
            Primitive::Json => "json",
            Primitive::Flow => "flow",
        }
    }

    fn from_tag(tag: u8) -> Option<Primitive> {
        [Primitive::Kv, Primitive::Json, Primitive::Flow]
            .into_iter()
            .find(|p| *p as u8 == tag)
    }
}

/// The encoded key: space, NUL (which no space contains), tag, key. Sorts by space, then primitive, then key bytes.
pub(crate) fn encode(space: &Space, primitive: Primitive, key: &[u8]) -> Vec<u8> {
    let name = space.as_str().as_bytes();
    let length = name.len().saturating_add(key.len()).saturating_add(2);
    let mut encoded = Vec::with_capacity(length);
    encoded.extend_from_slice(name);
    encoded.extend_from_slice(&[0, primitive as u8]);
    encoded.extend_from_slice(key);
    encoded
}

/// Checks the length, then encodes.
pub(crate) fn encode_checked(space: &Space, primitive: Primitive, key: &[u8]) -> Result<Vec<u8>> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::InvalidKey {
            bytes: key.len(),
            max: MAX_KEY_BYTES,
        });
    }
    Ok(encode(space, primitive, key))
}

/// What people read in messages: `default/json/order-17`.
pub(crate) fn display(encoded: &[u8]) -> String {
    let mut parts = encoded.splitn(2, |b| *b == 0);
    let space = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    match parts.next().and_then(|rest| rest.split_first()) {
        Some((tag, key)) => {
            let primitive = Primitive::from_tag(*tag).map_or("?", Primitive::name);
            format!("{space}/{primitive}/{}", key.escape_ascii())
        }
        None => space,
    }
}

fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}
