//! A JSON Pointer (RFC 6901) as the tokens it consists of.

use std::fmt;

use crate::{Error, Key, MAX_DEPTH, Result};

/// A JSON Pointer (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pointer {
    tokens: Vec<Key>,
}

impl Pointer {
    /// Reads the text form: the empty text, or tokens that each follow a `/`.
    ///
    /// # Errors
    /// [`Error::InvalidPath`], [`Error::Limit`].
    pub fn parse(text: &str) -> Result<Pointer> {
        let wrong = |reason: &'static str| Error::InvalidPath {
            path: text.chars().take(120).collect(),
            position: 1,
            reason: reason.into(),
        };
        let mut pointer = Pointer::default();
        let Some(tokens) = text.strip_prefix('/') else {
            return match text {
                "" => Ok(pointer),
                _ => Err(wrong("a JSON Pointer is empty or starts with `/`")),
            };
        };
        for token in tokens.split('/') {
            if pointer.tokens.len() >= MAX_DEPTH {
                return Err(Error::too_deep("JSON Pointer"));
            }
            let bad = token
                .split('~')
                .skip(1)
                .any(|rest| !rest.starts_with(['0', '1']));
            if bad {
                return Err(wrong("`~` is written `~0`, and `/` is written `~1`"));
            }
            let token = match token.contains('~') {
                true => Key::from(token.replace("~1", "/").replace("~0", "~")),
                false => Key::from(token),
            };
            pointer.tokens.push(token);
        }
        Ok(pointer)
    }

    /// The tokens, unescaped, outermost first.
    pub fn tokens(&self) -> &[Key] {
        &self.tokens
    }
}

impl FromIterator<Key> for Pointer {
    fn from_iter<I: IntoIterator<Item = Key>>(tokens: I) -> Self {
        Pointer {
            tokens: tokens.into_iter().collect(),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}
