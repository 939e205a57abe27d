//! Normalized paths (RFC 9535 section 2.7): the one way to write each place.

use std::fmt::Write;

use crate::{Error, Path, Result, Segment};

use super::Query;

impl Path {
    /// This path as RFC 9535 section 2.7 writes it: `$['user']['tags'][0]`. It is also a query that finds
    /// what is at this path.
    ///
    /// ```
    /// use statewright_value::Path;
    /// # fn main() -> statewright_value::Result<()> {
    /// let path = Path::parse(".user.tags[0]")?;
    /// assert_eq!(path.to_normalized(), "$['user']['tags'][0]");
    /// assert_eq!(Path::from_normalized("$['user']['tags'][0]")?, path);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_normalized(&self) -> String {
        let mut text = String::from("$");
        for segment in self.segments() {
            match segment {
                Segment::Index(index) => {
                    // Writing into a string does not fail.
                    let _ = write!(text, "[{index}]");
                }
                Segment::Key(key) => {
                    text.push_str("['");
                    key.chars().for_each(|c| push_escaped(&mut text, c));
                    text.push_str("']");
                }
            }
        }
        text
    }

    /// Reads a normalized path.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for what is not exactly the normalized form; [`Query::parse`] and
    /// [`Query::as_path`] read every way to write it.
    pub fn from_normalized(text: &str) -> Result<Path> {
        let invalid = |position, reason: String| Error::InvalidPath {
            path: crate::path::shorten(text),
            position,
            reason: reason.into(),
        };
        let query = Query::parse(text).map_err(|error| match error {
            Error::InvalidQuery {
                position, reason, ..
            } => invalid(position, reason.into_owned()),
            other => other,
        })?;
        let Some(path) = query.as_path() else {
            return Err(invalid(
                1,
                "a normalized path names one place: only ['name'] and [index]".into(),
            ));
        };
        if path.segments().len() > crate::MAX_DEPTH {
            return Err(Error::too_deep(format_args!(
                "path `{}`",
                crate::path::shorten(text)
            )));
        }
        let normal = path.to_normalized();
        if normal != text {
            let same = normal.chars().zip(text.chars());
            let position = same.take_while(|(a, b)| a == b).count() + 1;
            return Err(invalid(
                position,
                format!("not normalized; write `{}`", crate::path::shorten(&normal)),
            ));
        }
        Ok(path)
    }
}

fn push_escaped(text: &mut String, c: char) {
    match c {
        '\'' => text.push_str(r"\'"),
        '\\' => text.push_str(r"\\"),
        '\u{8}' => text.push_str(r"\b"),
        '\t' => text.push_str(r"\t"),
        '\n' => text.push_str(r"\n"),
        '\u{c}' => text.push_str(r"\f"),
        '\r' => text.push_str(r"\r"),
        '\0'..=' ' if c != ' ' => {
            let _ = write!(text, "\\u{:04x}", c as u32);
        }
        c => text.push(c),
    }
}
