//! Text: up to 22 bytes inline, longer ones shared.

use std::sync::Arc;

const INLINE: usize = 22;

#[derive(Clone)]
pub(crate) enum Text {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

impl Text {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Text::Shared(text) => text.as_bytes(),
        }
    }

    /// Inline text is checked again, since the crate has no unsafe code: at most 22 bytes, mostly ASCII.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Text::Shared(text) => text,
        }
    }

    pub(crate) fn inline(text: &str) -> Option<Text> {
        let mut bytes = [0; INLINE];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Text::Inline {
            len: text.len() as u8,
            bytes,
        })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::inline(text).unwrap_or_else(|| Text::Shared(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::inline(&text).unwrap_or_else(|| Text::Shared(text.into()))
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Text::inline(&text).unwrap_or(Text::Shared(text))
    }
}
